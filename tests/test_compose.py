"""Grammars as Python expressions, beside regular expressions of the same language."""

import re

import pytest

import bytewright as bw
from bytewright.errors import InvalidArgumentError

BYTES = bw.TokenizerInfo([bytes([byte]) for byte in range(256)] + [b"</s>"], stop_token_ids=256)


def accepts(grammar: bw.Grammar, text: str) -> bool:
    matcher = bw.GrammarMatcher(bw.GrammarCompiler(BYTES).compile_grammar(grammar))
    return matcher.accept_string(text) and matcher.is_completed()


DIGIT = bw.Grammar.from_ebnf("root ::= digit\ndigit ::= [0-9]")
LETTER = bw.Grammar.from_ebnf("root ::= letter\nletter ::= [a-z]")
WORD = bw.Grammar.from_lark("start: WORD\nWORD: /[a-z]+/")


@pytest.mark.parametrize(
    ("grammar", "pattern"),
    [
        (bw.seq(DIGIT, LETTER, DIGIT), "[0-9][a-z][0-9]"),
        (bw.choice("a+", DIGIT, bw.seq("(", WORD, ")")), r"a\+|[0-9]|\([a-z]+\)"),
        (bw.repeat(DIGIT, 2, 3), "[0-9]{2,3}"),
        (bw.repeat(bw.choice(DIGIT, "ab")), "([0-9]|ab)*"),
        (bw.seq(bw.optional("-"), bw.repeat(DIGIT, 1)), "-?[0-9]+"),
        (bw.Grammar.from_choices(["a", "ab", "é", ""]), "a|ab|é|"),
        (
            bw.seq(bw.Grammar.from_json_schema({"type": "boolean"}, any_whitespace=False), "!"),
            "(true|false)!",
        ),
    ],
)
def test_expressions(grammar: bw.Grammar, pattern: str) -> None:
    samples = [
        "",
        "1",
        "12",
        "1234",
        "1a2",
        "11a",
        "a+",
        "(ab)",
        "()",
        "ab1",
        "ab",
        "-12",
        "-",
        "a",
        "é",
        "true!",
        "true",
    ]
    verdicts = {text: accepts(grammar, text) for text in samples}
    assert verdicts == {text: re.fullmatch(pattern, text) is not None for text in samples}
    assert True in verdicts.values()


def test_long_repeats_are_counters() -> None:
    compiled = bw.GrammarCompiler(BYTES).compile_grammar(bw.repeat(WORD, 1, 100_000))
    assert compiled.statistics()["states"] < 20


def test_impossible_repeats() -> None:
    for wrong in [lambda: bw.repeat("a", 2, 1), lambda: bw.repeat("a", -1), bw.seq, bw.choice]:
        with pytest.raises(InvalidArgumentError):
            wrong()


def test_rules_of_one_name_do_not_clash() -> None:
    first = bw.Grammar.from_ebnf('root ::= "<" item ">"\nitem ::= "a" | "(" item ")"')
    second = bw.Grammar.from_ebnf('root ::= "[" item "]"\nitem ::= "b" | "{" item "}"')
    third = bw.Grammar.from_lark('start: item+\nitem: "c"')
    both = bw.seq(first, bw.choice(second, bw.seq(third, first)))
    # What a composed grammar is printed as is a grammar of the same language.
    for grammar in (both, bw.Grammar.from_ebnf(str(both))):
        assert accepts(grammar, "<((a))>[{b}]")
        assert accepts(grammar, "<a>cc<(a)>")
        assert not accepts(grammar, "<b>[b]")
        assert not accepts(grammar, "<a>[a]")
        assert not accepts(grammar, "<a>cc<c>")
