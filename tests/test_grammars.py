"""The ready grammars: their samples through the real matcher, their names, how long they take to compile."""

import re
import time

import pytest

import bytewright as bw
from ready_grammars import GRAMMARS, NAMES, accepts, compiled, explain, samples, tokenizer


@pytest.mark.parametrize("name", NAMES)
def test_samples(name):
    good, bad = samples(name, "accept"), samples(name, "reject")
    assert min(len(good), len(bad)) >= 5
    for text in good:
        assert accepts(name, text), explain(name, text)
    for text in bad:
        assert not accepts(name, text), (name, text)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_leads_to_the_file(name):
    text = (GRAMMARS / f"{name}.ebnf").read_text(encoding="utf-8")
    assert bw.Grammar.builtin(name) == bw.Grammar.from_ebnf(text)
    assert text.startswith("# "), "the header says what the grammar follows"
    assert max(map(len, text.splitlines())) <= 130


def test_names():
    assert bw.Grammar.builtin_names() == NAMES
    assert bw.Grammar.builtin("json") == bw.Grammar.builtin_json_grammar()
    with pytest.raises(bw.InvalidArgumentError, match=r'"semvar"; there are: .*\bsemver\b'):
        bw.Grammar.builtin("semvar")


def test_the_documentation_has_a_row_for_each():
    page = (GRAMMARS.parent / "docs" / "grammars.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \[`(\w+)`\]", page, re.MULTILINE) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_compiling_is_quick_and_silent(name):
    grammar = bw.Grammar.builtin(name)
    start = time.perf_counter()
    result = bw.GrammarCompiler(tokenizer(), cache_enabled=False).compile_grammar(grammar)
    seconds = time.perf_counter() - start
    assert seconds < 1, f"{name} took {seconds:.2f} s"
    assert result.annotations == compiled(name).annotations == []
