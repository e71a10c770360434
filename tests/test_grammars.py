"""The ready grammars: their samples through the real matcher, their names, how long they take to compile."""

import time

import pytest
from ready_grammars import GRAMMARS, NAMES, accepts, compiled, explain, samples, tokenizer

import bytewright as bw


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


@pytest.mark.parametrize("name", NAMES)
def test_compiling_is_quick_and_silent(name):
    grammar = bw.Grammar.builtin(name)
    start = time.perf_counter()
    result = bw.GrammarCompiler(tokenizer(), cache_enabled=False).compile_grammar(grammar)
    seconds = time.perf_counter() - start
    assert seconds < 1, f"{name} took {seconds:.2f} s"
    assert result.annotations == compiled(name).annotations == []
