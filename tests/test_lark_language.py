"""What llguidance adds to Lark's grammars; errors and limits."""

from __future__ import annotations

import contextlib
import itertools
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bytewright as bw
from bytewright.errors import (
    GrammarError,
    GrammarSyntaxError,
    InvalidArgumentError,
    LimitExceededError,
    UndefinedRuleError,
    UnsupportedFeatureError,
)
from lark_oracle import COMPILER, recogniser

# --- what llguidance adds ---------------------------------------------------------------------------------

CHAT = bw.TokenizerInfo(
    [bytes([byte]) for byte in range(256)] + [b"<|call|>", b"<think>", b"</s>"],
    stop_token_ids=258,
    special_token_ids=[256, 257],
)


def accepts_tokens(text: str, tokens: list[int | str]) -> bool:
    matcher = bw.GrammarMatcher(bw.GrammarCompiler(CHAT).compile_grammar(bw.Grammar.from_lark(text)))
    taken = all(
        matcher.accept_string(token) if isinstance(token, str) else matcher.accept_token(token)
        for token in tokens
    )
    return taken and matcher.is_completed()


def test_special_tokens() -> None:
    text = 'start: <think> /[a-z]+/ <|call|> "x"\n%ignore " "'
    assert accepts_tokens(text, [257, "ab", 256, " x"])
    assert not accepts_tokens(text, ["<think>ab", 256, "x"])
    assert accepts_tokens("start: <[256-257]> <[^0-255,258]>", [257, 256])
    assert not accepts_tokens("start: <[256,257]>", [97])
    assert accepts_tokens("start: <[*]> <[97]>", [98, 97])
    with pytest.raises(InvalidArgumentError, match=re.escape("<|other|>")):
        bw.GrammarCompiler(CHAT).compile_grammar(bw.Grammar.from_lark("start: <|other|>"))


def test_json_inside() -> None:
    schema = '{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}'
    text = f'start: "call(" %json {schema} ")"'
    accepts = recogniser(text)
    assert accepts('call({"a": 1})')
    assert not accepts('call({"a": "x"})')
    with pytest.raises(GrammarSyntaxError, match="not JSON"):
        bw.Grammar.from_lark('start: %json {"type": }')


def test_substrings() -> None:
    accepts = recogniser('start: %regex {"substring_words": "foo  bar, (baz)"}')
    assert [t for t in ["", "foo", "foo  bar", "bar, (", "  bar", "fo", "foo ", "foo bar"] if accepts(t)] == [
        "",
        "foo",
        "foo  bar",
        "bar, (",
        "  bar",
    ]
    accepts = recogniser('start: "[" SUB "]"\nSUB: %regex {"substring_chunks": ["ab", "c", "ab"]}')
    assert [t for t in ["[ab]", "[abc]", "[cab]", "[abab]", "[a]", "[]"] if accepts(t)] == [
        "[ab]",
        "[abc]",
        "[cab]",
        "[]",
    ]
    assert recogniser('start: %regex {"substring_chars": "abcbd"}')("bcb")


def test_lazy_and_suffix() -> None:
    accepts = recogniser('start: text "!"\ntext[suffix="</t>"]: /(.|\\n)*/')
    assert accepts("a<b</t>!")
    assert not accepts("a</t>b</t>!")
    accepts = recogniser('start: a "x"\na[lazy]: /[ab]*b/')
    assert accepts("aabx")
    assert not accepts("abbx")
    with pytest.raises(UnsupportedFeatureError, match="max_tokens"):
        bw.Grammar.from_lark("start[max_tokens=5]: /.*/")
    assert recogniser('start[capture, stop=""]: /.*/')("abc")


def test_stop_ends_a_text_and_is_no_part_of_it() -> None:
    # The three rules of llguidance's documentation, with the texts that its captures have in the end.
    rule = 'start: with_stop {}\nwith_stop[capture, stop="<end>"]: /.*/'
    for after, text in [("", "foo"), ('"<end>"', "foo<end>"), ('"b"', "foob")]:
        accepts = recogniser(rule.format(after))
        assert accepts(text)
        assert not accepts("foo<end>" + text)
    # `a` and the stop after it would have ended before: at the first two of three.
    accepts = recogniser('start[stop="aa"]: /[ab]*/')
    assert [t for t in ["", "b", "bab", "a", "ba", "baab"] if accepts(t)] == ["", "b", "bab"]
    accepts = recogniser('start: "Name: " x "\\nAge: " x\nx[stop=BREAK]: /(.|\\n)*/\nBREAK: /\\n| ?;/')
    assert accepts("Name: A. B.\nAge: 7")
    assert not accepts("Name: A;\nAge: 7")
    with pytest.raises(GrammarSyntaxError, match="both stop= and suffix="):
        bw.Grammar.from_lark('start[stop="x", suffix="y"]: /.*/')
    with pytest.raises(UnsupportedFeatureError, match="lazy, suffix or stop"):
        bw.Grammar.from_lark('start[stop="x"]: /(?!a).*/')


@settings(max_examples=100, deadline=None)
@given(
    body=st.sampled_from(["[ab]*", "a*b?", "(ab|b)*", "b(a|bb)*", "[ab]{1,3}"]),
    stops=st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3),
)
def test_stops_by_definition(body: str, stops: list[str]) -> None:
    """What stands before the stop where body and stop match for the first time."""
    accepts = recogniser(f"start[stop=STOP]: /{body}/\nSTOP: " + " | ".join(f'"{stop}"' for stop in stops))

    def whole(text: str) -> bool:
        return any(text.endswith(stop) and re.fullmatch(body, text[: -len(stop)]) for stop in stops)

    def is_first(text: str) -> bool:
        return whole(text) and not any(whole(text[:end]) for end in range(len(text)))

    for text in ("".join(word) for n in range(6) for word in itertools.product("ab", repeat=n)):
        expected = re.fullmatch(body, text) is not None and any(is_first(text + stop) for stop in stops)
        assert accepts(text) == expected, (body, stops, text)


def test_terminals_are_intersected_and_complemented() -> None:
    accepts = recogniser('start: WORD "."\nWORD: /[a-z]+/ & ~(/.*/ KEYWORD /.*/) \nKEYWORD: "if" | "do"')
    assert [t for t in ["wax.", "waif.", "dx.", "do."] if accepts(t)] == ["wax.", "dx."]


def test_options_of_llguidance_are_noted() -> None:
    grammar = bw.Grammar.from_lark('%llguidance {"no_forcing": true}\nstart: "a"\n')
    assert [kind for kind, _ in grammar.annotations] == ["ignored-option"]
    with pytest.raises(UnsupportedFeatureError, match="allow_invalid_utf8"):
        bw.Grammar.from_lark('%llguidance {"allow_invalid_utf8": true}\nstart: "a"\n')


# --- errors and limits ------------------------------------------------------------------------------------

ERRORS = [
    ('start: "a', GrammarSyntaxError, "1:8", "never closed"),
    ("start: /a", GrammarSyntaxError, "1:8", "never closed"),
    ("start: (a", GrammarSyntaxError, "1:10", r"expected `\)`"),
    ("start: b\n", UndefinedRuleError, "1:8", "`b`"),
    ("start: B\n", UndefinedRuleError, "1:8", "`B`"),
    ("start: b??\nb: /x/", GrammarSyntaxError, "1:10", "one operator at a time"),
    ("start: | *", GrammarSyntaxError, "1:10", "repeated first"),
    ("start: aB\n", GrammarSyntaxError, "1:8", "small letters"),
    ("a: /b/\n", GrammarSyntaxError, "1:1", "start rule `start` is not defined"),
    ("start: /a/\nstart: /b/", GrammarSyntaxError, "2:1", "defined twice"),
    ("start: A\nA: B\nB: A", GrammarSyntaxError, "3:4", "leads back to itself"),
    ("start: A\nA: b\nb: /x/", GrammarSyntaxError, "2:4", "cannot stand inside a terminal"),
    ("start: t{A}\nt{x,y}: x y\nA: /a/", GrammarSyntaxError, "1:8", "takes 2 arguments and is given 1"),
    ("start: A\n%declare A", UnsupportedFeatureError, "1:8", "declared terminal `A`"),
    ("start: A~3..2\nA: /a/", GrammarSyntaxError, "1:8", "impossible"),
    ("start: /(a)\\1/", UnsupportedFeatureError, "1:8", "reference to a group"),
    ("start: /(?>a)/", UnsupportedFeatureError, "1:8", "atomic group"),
    ("start: /a++/", UnsupportedFeatureError, "1:8", "possessive"),
    ("start: /(?<=a*)b/", GrammarSyntaxError, "1:8", "one length"),
    ("start: /[b-a]/", GrammarSyntaxError, "1:8", "exchanged"),
    ("start: /a/l", UnsupportedFeatureError, "1:8", "flag `l`"),
    ('start: "b".."a"', GrammarSyntaxError, "1:8", "is empty"),
    ("%import common.NOTHING\nstart: NOTHING", GrammarSyntaxError, "1:1", "does not define"),
    ("%import common\nstart: /a/", GrammarSyntaxError, "1:1", "imports no name"),
    ("%import python.NAME\nstart: NAME", GrammarSyntaxError, "1:1", "Lark ships it"),
    ("%import common (NO, WS)\nstart: x\nx: WS y\ny: NO", GrammarSyntaxError, "1:1", "not define `NO`"),
    ("start: @json", UnsupportedFeatureError, "1:8", "`@name`"),
    ('start: %lark {\nstart: "a"\n}', UnsupportedFeatureError, "1:8", "nested grammar"),
    ("%override start: /a/", GrammarSyntaxError, "1:11", "cannot be overridden"),
    ("%ignore start\nstart: /a/", GrammarSyntaxError, "1:9", "cannot be ignored"),
    ('start ::= "a"', UnsupportedFeatureError, "1:7", "looks like EBNF"),
    ("start: r::0x0", GrammarSyntaxError, "1:9", "expected a rule"),
]


@pytest.mark.parametrize(("text", "kind", "place", "message"), ERRORS)
def test_errors_say_what_and_where(text, kind, place, message) -> None:
    with pytest.raises(kind, match=message) as caught:
        bw.Grammar.from_lark(text)
    assert f"{caught.value.line}:{caught.value.column}" == place


LIMITS = [
    ("start: " + "(" * 5000 + ")" * 5000, "nesting_depth"),
    ("start: /" + "(" * 5000 + "a" + ")" * 5000 + "/", "nesting_depth"),
    ("start: t{A}\nt{x}: x t{u{x}}\nu{x}: x x\nA: /a/", "template_uses"),
    ("start: /(?!b)(.{0,1000}){0,1000}/", "terminal_states"),
    ("start: /a{0,40000}b(?=c)/ /a{0,40000}/", "terminal_states"),
    ("start: " + " ".join(f"/.{{{n}}}(?=.{{{n}}}b)/" for n in range(1, 80)), "terminal_states|contexts"),
    ("start: t" + "{t" * 5000, "nesting_depth"),
]


@pytest.mark.parametrize(("text", "limit"), LIMITS)
def test_limits(text, limit) -> None:
    with pytest.raises(LimitExceededError) as caught:
        bw.Grammar.from_lark(text)
    assert re.fullmatch(limit, caught.value.limit)


def test_imports_that_are_not_there_matter_where_they_are_used() -> None:
    grammar = bw.Grammar.from_lark("%import common (NO, DIGIT)\nstart: DIGIT")
    assert grammar.annotations == [("unknown-import", "`common.lark` does not define `NO`")]


def test_unused_rules_are_no_news() -> None:
    text = 'start: x /a(?!b)/ | /b/ x\nx: /c?/\nunused: "u"\nUNUSED: "v"'
    assert bw.Grammar.from_lark(text).annotations == []


@pytest.mark.parametrize(
    "pattern",
    [r"\w", r"\d", r"\s", r"[^\W\d]", r"(?a:\w)", r"[^\W\u03b9]", "é", r"\u017f", r"\u212a", "i", "Σ"],
)
def test_characters_are_those_of_re(pattern: str) -> None:
    # Up to where Unicode no longer changes.
    accepts, flags = recogniser(f"start: /{pattern}/i"), re.IGNORECASE
    chars = [chr(code) for code in range(0x2C00) if unicodedata.category(chr(code)) != "Cn"]
    assert [c for c in chars if accepts(c)] == [c for c in chars if re.fullmatch(pattern, c, flags)]


def test_counted_repeats_stay_counters() -> None:
    for text in ['start: A~0..100000\nA: "a"', "start: /a{0,100000}/", "start: A\nA: /[ab]/~100000"]:
        assert COMPILER.compile_grammar(bw.Grammar.from_lark(text)).statistics()["states"] < 10


def test_doubling_terminals_stay_small() -> None:
    text = "start: A0\n" + "".join(f"A{n}: A{n + 1} A{n + 1}\n" for n in range(60)) + 'A60: "a"?'
    assert recogniser(text)("aaa")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *[
                    "start: ",
                    "a",
                    "A",
                    ": ",
                    "\n",
                    " ",
                    "|",
                    "(",
                    ")",
                    "[",
                    "]",
                    "{",
                    "}",
                    ",",
                    "*",
                    "?",
                    "~",
                    "2",
                    "..",
                ],
                *[
                    '"a"',
                    '"',
                    "/a/",
                    "/",
                    "\\",
                    "(?=",
                    "(?<!",
                    "->",
                    "%import ",
                    "common",
                    ".",
                    "WS",
                    "%ignore ",
                    "%json",
                ],
                *[
                    "<[1]>",
                    "<",
                    "&",
                    "%declare ",
                    "%extend ",
                    "i",
                    "é",
                    "//",
                    "#",
                    "t{A}",
                    "t{x}: x",
                    "!",
                    "lazy",
                    "=",
                ],
            ]
        ),
        max_size=25,
    ).map("".join)
)
def test_any_text_gives_a_grammar_or_an_error(text: str) -> None:
    for sample in (text, "start: " + text, 'A: "x"\nt{y}: y\na: A\nstart: ' + text):
        with contextlib.suppress(GrammarError, LimitExceededError):
            bw.Grammar.from_lark(sample)
