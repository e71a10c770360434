"""Importing the package costs little and imports nothing heavy."""

from __future__ import annotations

import statistics
import subprocess
import sys

HEAVY = {
    "numpy",
    "torch",
    "transformers",
    "tokenizers",
    "triton",
    "typer",
    "rich",
    "gguf",
    "tiktoken",
    "sentencepiece",
}

CODE = """
import sys, time
start = time.perf_counter()
import bytewright
elapsed = time.perf_counter() - start
print(elapsed, *sorted({module.partition(".")[0] for module in sys.modules}))
"""


def fresh_import() -> tuple[float, set[str]]:
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    elapsed, *modules = run.stdout.split()
    return float(elapsed), set(modules)


def test_the_import_takes_less_than_100_ms() -> None:
    fresh_import()  # fills the file cache
    median = statistics.median(fresh_import()[0] for _ in range(7))
    assert median < 0.100, f"import bytewright takes {median * 1e3:.0f} ms"


def test_the_import_brings_nothing_heavy() -> None:
    _, modules = fresh_import()
    assert "bytewright" in modules
    assert not modules & HEAVY


def test_everything_in_all_exists() -> None:
    import bytewright

    assert sorted(bytewright.__all__) == bytewright.__all__
    assert all(hasattr(bytewright, name) for name in bytewright.__all__)
