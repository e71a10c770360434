"""The README's first example works as it is pasted."""

import pathlib
import re

README = pathlib.Path(__file__).resolve().parent.parent / "README.md"


def test_the_example_runs(capsys):
    first = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert first is not None
    exec(compile(first.group(1), str(README), "exec"), {})
    assert "byte 0 ('a') does not fit" in capsys.readouterr().out
