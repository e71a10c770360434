"""Structural tags: what each format means, beside XGrammar where it is installed."""
# ruff: noqa: RUF001 - the marks of DeepSeek look like other characters

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import bytewright as bw
from bytewright.errors import InvalidStructuralTagError

if TYPE_CHECKING:
    from collections.abc import Callable

BYTES = bw.TokenizerInfo([bytes([byte]) for byte in range(256)] + [b"</s>"], stop_token_ids=256)
COMPILER = bw.GrammarCompiler(BYTES)


def recogniser(tag: Any) -> Callable[[str], bool]:
    compiled = COMPILER.compile_structural_tag(tag)

    def accepts(sample: str) -> bool:
        matcher = bw.GrammarMatcher(compiled)
        return matcher.accept_string(sample) and matcher.is_completed()

    return accepts


def tag(begin: Any, content: Any, end: Any) -> dict[str, Any]:
    return {"type": "tag", "begin": begin, "content": content, "end": end}


def const(text: str) -> dict[str, Any]:
    return {"type": "const_string", "value": text}


ANY = {"type": "any_text"}
TRIGGERED = {
    "type": "triggered_tags",
    "triggers": ["<f"],
    "tags": [tag("<fa>", const("1"), "</f>"), tag("<fb>", const("2"), "</f>")],
}
SEPARATED = {"type": "tags_with_separator", "tags": TRIGGERED["tags"], "separator": ","}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "role": {"enum": ["a", "b c"]}},
    "required": ["name"],
}

# A format; texts in it; texts that are not.
CASES: dict[str, tuple[Any, list[str], list[str]]] = {
    "triggered": (
        TRIGGERED,
        ["", "x<", "<fa>1</f>", "x<fa>1</f>y<fb>2</f>z"],
        ["x<f", "<fa>2</f>", "<fc>", "<fa>1</f><f"],
    ),
    "triggered, at least one": (
        {**TRIGGERED, "at_least_one": True},
        ["<fa>1</f>", "<fa>1</f>x<fb>2</f>"],
        ["", "x", "x<fa>1</f>"],
    ),
    "triggered, stop after first": (
        {**TRIGGERED, "stop_after_first": True},
        ["", "x", "x<fa>1</f>"],
        ["<fa>1</f>x", "<fa>1</f><fa>1</f>"],
    ),
    "triggered, exactly one": (
        {**TRIGGERED, "at_least_one": True, "stop_after_first": True},
        ["<fb>2</f>"],
        ["", "x<fb>2</f>", "<fb>2</f>x"],
    ),
    "triggered, excludes": ({**TRIGGERED, "excludes": ["yz"]}, ["y<fa>1</f>z"], ["yz", "<fa>1</f>yz"]),
    "text in a tag ends with the tag": (
        tag("<a>", ANY, ["</a>", "</b>"]),
        ["<a></a>", "<a>x</b>", "<a></</a>"],
        ["<a>x</a></a>", "<a>x</b></a>", "<a>x"],
    ),
    "text at the end of a sequence in a tag": (
        tag("<a>", {"type": "sequence", "elements": [const("k"), ANY]}, "</a>"),
        ["<a>k</a>", "<a>kx</a>"],
        ["<a></a>", "<a>kx</a></a>"],
    ),
    "text in a choice in a tag": (
        tag("<a>", {"type": "or", "elements": [const("k"), ANY]}, "</a>"),
        ["<a>k</a>", "<a>x</a>"],
        ["<a>x</a></a>"],
    ),
    "tags in a tag": (
        tag("<a>", TRIGGERED, "</a>"),
        ["<a>x<fa>1</f>y</a>", "<a></a>"],
        ["<a>x</a></a>", "<a><fa>1</a>"],
    ),
    "excluded text may overlap the end": (
        tag("<a>", {"type": "any_text", "excludes": ["</"]}, "</a>"),
        ["<a>x<</a>"],
        ["<a>x</b></a>"],
    ),
    "text before other text": (
        {"type": "sequence", "elements": [ANY, const("END")]},
        ["END", "xENDyEND"],
        ["xENDy"],
    ),
    "excluded": ({"type": "any_text", "excludes": ["ab", "c"]}, ["", "ba"], ["aab", "c"]),
    "separated": (
        SEPARATED,
        ["", "<fa>1</f>", "<fa>1</f>,<fb>2</f>,<fa>1</f>"],
        ["<fa>1</f>,", "<fa>1</f><fb>2</f>"],
    ),
    "separated, exactly one": (
        {**SEPARATED, "at_least_one": True, "stop_after_first": True},
        ["<fa>1</f>"],
        ["", "<fa>1</f>,<fa>1</f>"],
    ),
    "nested": (
        {
            "type": "sequence",
            "elements": [
                {"type": "optional", "content": tag("<p>", {"type": "any_text"}, "</p>")},
                {
                    "type": "or",
                    "elements": [
                        {"type": "plus", "content": tag("<s>", SEPARATED, "</s>")},
                        tag("<o>", {"type": "repeat", "min": 1, "max": 2, "content": TRIGGERED}, "</o>"),
                        tag("<i>", tag("<j>", {"type": "regex", "pattern": "[0-9]+"}, "</j>"), "</i>"),
                    ],
                },
            ],
        },
        [
            "<p>x<</p><s></s>",
            "<s><fa>1</f>,<fb>2</f></s><s><fa>1</f></s>",
            "<o>x<fa>1</f>y</o>",
            "<p></p><i><j>12</j></i>",
        ],
        ["<p>x</p>", "<s>,</s>", "<i><j></j></i>", "<i><j>1</j></i><s></s>", "<s><fa>2</f></s>"],
    ),
    "dispatch": (
        {"type": "dispatch", "rules": [["<x>", const("1")], ["<y>", const("2")]]},
        ["", "a<x>1b<y>2"],
        ["<x>2", "<x>"],
    ),
    "dispatch once": (
        {"type": "dispatch", "rules": [["<x>", const("1")]], "loop": False},
        ["a", "a<x>1"],
        ["<x>1b"],
    ),
    "repeats": (
        {
            "type": "sequence",
            "elements": [
                {"type": "optional", "content": const("a")},
                {"type": "plus", "content": const("b")},
                {"type": "star", "content": const("c")},
                {"type": "repeat", "min": 2, "max": 3, "content": const("d")},
                {"type": "repeat", "min": 1, "max": -1, "content": const("e")},
            ],
        },
        ["abbccddee", "bddde"],
        ["addde", "bde", "bdddde", "bdd"],
    ),
    "grammars": (
        {
            "type": "sequence",
            "elements": [
                {"type": "grammar", "grammar": 'root ::= "a" x\nx ::= [0-9]+'},
                {"type": "regex", "pattern": "[bc]{2}"},
            ],
        },
        ["a12bc"],
        ["abc", "a1b"],
    ),
    "json": (
        tag("<j>", {"type": "json_schema", "json_schema": PERSON}, "</j>"),
        ['<j>{"name": "x", "age": 1}</j>', '<j>{"name": "</j>"}</j>'],
        ['<j>{"age": 1}</j>', '<j>{"name": "x", "other": 1}</j>', '<j>{"age": 1, "name": "x"}</j>'],
    ),
    "qwen parameters": (
        {"type": "json_schema", "style": "qwen_xml", "json_schema": PERSON},
        [
            "<parameter=name>a<b</parameter>",
            "\n<parameter=name>\nx\n</parameter>\n<parameter=age>\n7\n</parameter>\n",
            "<parameter=name></parameter><parameter=role>b c</parameter>",
        ],
        [
            "<parameter=age>7</parameter>",
            "<parameter=name>x</parameter><parameter=age>x</parameter>",
            "<parameter=name>x</parameter><parameter=role>d</parameter>",
            "<parameter=name>x</parameter></parameter>",
        ],
    ),
    "minimax parameters": (
        {"type": "json_schema", "style": "minimax_xml", "json_schema": PERSON},
        ['<parameter name="name">a<b</parameter>\n<parameter name="age">7</parameter>'],
        ['<parameter name="age">7</parameter>', '<parameter name="name">x</parameter'],
    ),
    "deepseek parameters": (
        {"type": "json_schema", "style": "deepseek_xml", "json_schema": PERSON},
        [
            '<｜DSML｜parameter name="name" string="true">a</b</｜DSML｜parameter>\n'
            '<｜DSML｜parameter name="age" string="false">7</｜DSML｜parameter>',
            '<｜DSML｜parameter name="name" string="true">x</｜DSML｜parameter>'
            '<｜DSML｜parameter name="role" string="true">b c</｜DSML｜parameter>',
        ],
        [
            '<｜DSML｜parameter name="name" string="false">"x"</｜DSML｜parameter>',
            '<｜DSML｜parameter name="name" string="true">x</｜DSML｜parameter>'
            '<｜DSML｜parameter name="age" string="true">7</｜DSML｜parameter>',
        ],
    ),
    "glm parameters": (
        {"type": "json_schema", "style": "glm_xml", "json_schema": PERSON},
        ["<arg_key>name</arg_key>\n<arg_value>x</arg_value>\n<arg_key>age</arg_key><arg_value>7</arg_value>"],
        ["<arg_key>age</arg_key><arg_value>7</arg_value>", "<arg_key>name</arg_key><arg_value>x"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_formats(name: str) -> None:
    form, good, bad = CASES[name]
    accepts = recogniser({"type": "structural_tag", "format": form})
    assert [text for text in good if not accepts(text)] == []
    assert [text for text in bad if accepts(text)] == []


@pytest.mark.parametrize("name", CASES)
def test_formats_mean_what_they_mean_for_xgrammar(name: str) -> None:
    xgrammar = pytest.importorskip("xgrammar", reason="pip install 'bytewright[bench]'")
    testing = pytest.importorskip("xgrammar.testing")
    form, good, bad = CASES[name]
    whole = {"type": "structural_tag", "format": form}
    theirs, ours = xgrammar.Grammar.from_structural_tag(json.dumps(whole)), recogniser(whole)
    rng = random.Random(5)
    samples = [*good, *bad]
    alphabet = sorted(set("".join(samples)))
    for sample in good:
        for _ in range(25):
            text = list(sample)
            at = rng.randrange(len(text) + 1)
            text[at : at + rng.randint(0, 1)] = rng.choice(["", *alphabet])
            samples.append("".join(text))
    for sample in samples:
        assert ours(sample) == testing._is_grammar_accept_string(theirs, sample), sample


def test_lark_inside_and_the_older_form() -> None:
    accepts = recogniser({"type": "lark", "grammar": 'start: "a"+ "b"\n%ignore " "'})
    assert accepts("a a b")
    assert not accepts("b")
    accepts = recogniser(
        {
            "type": "structural_tag",
            "structures": [{"begin": "<f=x>", "schema": {"type": "integer"}, "end": "</f>"}],
            "triggers": ["<f="],
        }
    )
    assert accepts("hi <f=x>12</f> there")
    assert not accepts("hi <f=y>")


def test_pydantic_models_are_schemas() -> None:
    class Point(BaseModel):
        x: int

    accepts = recogniser(tag("<p>", {"type": "json_schema", "json_schema": Point}, "</p>"))
    assert accepts('<p>{"x": 1}</p>')
    assert not accepts('<p>{"x": "1"}</p>')


def test_text_is_counted_in_characters() -> None:
    accepts = recogniser(tag("<", {"type": "any_text", "max_chars": 3}, ">"))
    assert accepts("<é😀a>")
    assert not accepts("<abcd>")
    accepts = recogniser({"type": "any_text", "max_chars": 1000})
    assert accepts("é" * 1000)
    assert not accepts("é" * 1001)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("<ab", min_size=1, max_size=3), min_size=1, max_size=3, unique=True),
    st.lists(st.text("<ab1", max_size=8), min_size=10, max_size=10),
)
def test_dispatch_begins_at_the_first_trigger(triggers: list[str], samples: list[str]) -> None:
    accepts = recogniser({"type": "dispatch", "rules": [[trigger, const("1")] for trigger in triggers]})

    def walk(text: str) -> bool:
        """The definition: up to the first end of a trigger, then `1`, then the same again."""
        ends = [end for end in range(len(text) + 1) if text[:end].endswith(tuple(triggers))]
        return not ends or (text[ends[0] : ends[0] + 1] == "1" and walk(text[ends[0] + 1 :]))

    for sample in samples:
        assert accepts(sample) == walk(sample), (triggers, sample)


def test_triggers_are_found_inside_tokens() -> None:
    vocabulary = [
        b"x <",
        b"f",
        b"f=",
        b"=a>1",
        b"=a>2",
        b"=b",
        b"a>1</f",
        b"> y <f=a",
        b" ",
        b">",
        b"1",
        b"</s>",
    ]
    info = bw.TokenizerInfo(vocabulary, stop_token_ids=11)
    form = {"type": "triggered_tags", "triggers": ["<f="], "tags": [tag("<f=a>", const("1"), "</f>")]}
    matcher = bw.GrammarMatcher(bw.GrammarCompiler(info).compile_structural_tag(form))
    mask = bw.allocate_token_bitmask(1, info.vocab_size, backend="numpy")

    def allowed() -> set[bytes]:
        if not matcher.fill_next_token_bitmask(mask):
            return set(vocabulary)
        return {vocabulary[i] for i in range(12) if int(mask[0, 0]) >> i & 1}

    assert matcher.accept_token(0)
    assert allowed() == set(vocabulary)
    assert matcher.accept_token(1)
    assert allowed() == set(vocabulary) - {b"=a>2", b"=b"}
    matcher.rollback(1)
    assert matcher.accept_token(2)
    assert allowed() == {b"a>1</f"}
    assert matcher.accept_token(6)
    assert allowed() == {b"> y <f=a", b">"}
    assert matcher.accept_token(7)
    assert allowed() == {b">"}


SPECIAL = ["<|call|>", "<|end|>", "<|bad|>"]
TOKENS = bw.TokenizerInfo(
    [bytes([byte]) for byte in range(256)] + [text.encode() for text in SPECIAL] + [b"</s>"],
    stop_token_ids=259,
    special_token_ids=[256, 257, 258],
)


def accepts_tokens(form: Any, tokens: list[int | str]) -> bool:
    """Feeds token ids, and texts as one token a byte."""
    matcher = bw.GrammarMatcher(bw.GrammarCompiler(TOKENS).compile_structural_tag(form))
    ids = [one for token in tokens for one in (token.encode() if isinstance(token, str) else [token])]
    return all(matcher.accept_token(one) for one in ids) and matcher.is_completed()


def test_special_tokens_are_marks() -> None:
    call, end = ({"type": "token", "token": token} for token in ("<|call|>", 257))
    form = tag(call, {"type": "json_schema", "json_schema": {"type": "integer"}}, end)
    assert accepts_tokens(form, [256, "12", 257])
    assert not accepts_tokens(form, ["<|call|>12", 257])
    assert accepts_tokens(tag("<a>", ANY, end), ["<a>x<|end|>", 257])
    assert accepts_tokens({"type": "exclude_token", "exclude_tokens": ["<|bad|>", 97]}, ["b"])
    assert not accepts_tokens({"type": "exclude_token", "exclude_tokens": ["<|bad|>", 97]}, ["a"])
    assert accepts_tokens(tag(call, {"type": "any_tokens", "exclude_tokens": [258]}, end), [256, "xy", 257])
    assert not accepts_tokens(
        tag(call, {"type": "any_tokens", "exclude_tokens": [258]}, end), [256, 258, 257]
    )
    form = {
        "type": "token_triggered_tags",
        "trigger_tokens": ["<|call|>"],
        "tags": [tag({"type": "token", "token": "<|call|>"}, const("1"), end)],
        "exclude_tokens": ["<|bad|>"],
    }
    assert accepts_tokens(form, ["hi", 256, "1", 257, "there", 256, "1", 257])
    assert not accepts_tokens(form, ["hi", 258])
    assert not accepts_tokens(form, [256, "2"])
    assert not accepts_tokens({**form, "at_least_one": True}, ["hi", 256, "1", 257])
    assert not accepts_tokens({**form, "stop_after_first": True}, [256, "1", 257, "x"])
    form = {"type": "token_dispatch", "rules": [["<|call|>", const("1")]], "exclude_tokens": [258]}
    assert accepts_tokens(form, ["a", 256, "1", "b"])
    assert not accepts_tokens(form, [256, "b"])


def test_errors_have_a_pointer() -> None:
    with pytest.raises(InvalidStructuralTagError, match="`max_tokens` is not supported") as caught:
        bw.Grammar.from_structural_tag({"type": "sequence", "elements": [{**ANY, "max_tokens": 3}]})
    assert caught.value.pointer == "/elements/0/max_tokens"
    with pytest.raises(bw.GrammarSyntaxError):
        bw.Grammar.from_structural_tag({"type": "regex", "pattern": "("})
    with pytest.raises(bw.InvalidArgumentError):
        bw.Grammar.from_structural_tag(3)


def test_many_tags_stay_small() -> None:
    tags = [tag(f"<function=tool_number_{i}>", const("x"), "</function>") for i in range(300)]
    form = {
        "type": "triggered_tags",
        "triggers": [f"<function=tool_number_{i}>" for i in range(300)],
        "tags": tags,
    }
    accepts = recogniser(form)
    assert accepts("a<function=tool_number_299>x</function>")
    assert not accepts("a<function=tool_number_299>y")
