"""Ready-made tags on assistant turns as the models' chat templates write them."""
# ruff: noqa: E501, RUF001 - turns are easier to read whole; the marks of DeepSeek look like other characters

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

import bytewright as bw
from bytewright.chat_formats import CHAT_FORMATS, structural_tag
from bytewright.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Collection

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    },
}
CLOCK = {"name": "get_time", "parameters": {"type": "object", "properties": {}}}
TOOLS = [WEATHER, CLOCK]

# For each format: its special tokens, a call, two calls, and a call that is wrong only in its arguments.
TURNS: dict[str, tuple[list[str], str, str, str]] = {
    "llama3": (
        [],
        '{"name": "get_weather", "parameters": {"days": 3, "city": "Paris"}}',
        '{"name": "get_weather", "parameters": {"city": "Paris"}}; {"name": "get_time", "parameters": {}}',
        '{"name": "get_weather", "parameters": {"days": 3}}',
    ),
    "llama3_function": (
        [],
        '<function=get_weather>{"city": "Paris"}</function>',
        '<function=get_weather>{"city": "Paris"}</function>\n<function=get_time>{}</function>',
        '<function=get_weather>{"city": 1}</function>',
    ),
    "hermes": (
        [],
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>',
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "get_time", "arguments": {}}\n</tool_call>',
        '<tool_call>\n{"name": "get_weather", "arguments": {"town": "Paris"}}\n</tool_call>',
    ),
    "qwen": (
        ["<tool_call>", "</tool_call>"],
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris", "days": 2}}\n</tool_call>',
        '<tool_call>\n{"name": "get_time", "arguments": {}}\n</tool_call>\n'
        '<tool_call>\n{"name": "get_time", "arguments": {}}\n</tool_call>',
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris", "days": 2.5}}\n</tool_call>',
    ),
    "qwen_coder": (
        [],
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n<parameter=days>\n3\n"
        "</parameter>\n</function>\n</tool_call>",
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>\n</tool_call>\n"
        "<tool_call>\n<function=get_time>\n</function>\n</tool_call>",
        "<tool_call>\n<function=get_weather>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>",
    ),
    "deepseek": (
        [
            "<｜tool▁calls▁begin｜>",
            "<｜tool▁calls▁end｜>",
            "<｜tool▁call▁begin｜>",
            "<｜tool▁call▁end｜>",
            "<｜tool▁sep｜>",
        ],
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n"
        '{"city": "Paris"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n"
        '{"city": "Paris"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_time\n```json\n'
        "{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n"
        "[]\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    ),
    "deepseek_v3_1": (
        [
            "<｜tool▁calls▁begin｜>",
            "<｜tool▁calls▁end｜>",
            "<｜tool▁call▁begin｜>",
            "<｜tool▁call▁end｜>",
            "<｜tool▁sep｜>",
        ],
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Paris"}<｜tool▁call▁end｜>'
        "<｜tool▁calls▁end｜>",
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Paris"}<｜tool▁call▁end｜>'
        "<｜tool▁call▁begin｜>get_time<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": null}<｜tool▁call▁end｜>'
        "<｜tool▁calls▁end｜>",
    ),
    "deepseek_v3_2": (
        [],
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="get_weather">\n<｜DSML｜parameter name="city" string="true">'
        "Paris</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>",
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="get_weather">\n<｜DSML｜parameter name="city" string="true">'
        'Paris</｜DSML｜parameter>\n</｜DSML｜invoke>\n<｜DSML｜invoke name="get_time">\n</｜DSML｜invoke>\n'
        "</｜DSML｜function_calls>",
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="get_weather">\n<｜DSML｜parameter name="city" string="false">'
        "7</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>",
    ),
    "deepseek_v4": (
        [],
        '<｜DSML｜tool_calls>\n<｜DSML｜invoke name="get_weather">\n<｜DSML｜parameter name="city" string="true">'
        "Paris</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>",
        '<｜DSML｜tool_calls>\n<｜DSML｜invoke name="get_weather">\n<｜DSML｜parameter name="city" string="true">'
        'Paris</｜DSML｜parameter>\n</｜DSML｜invoke>\n<｜DSML｜invoke name="get_time">\n\n</｜DSML｜invoke>\n'
        "</｜DSML｜tool_calls>",
        '<｜DSML｜tool_calls>\n<｜DSML｜invoke name="get_weather">\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>',
    ),
    "mistral": (
        ["[TOOL_CALLS]"],
        '[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Paris"}}]',
        '[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Paris"}}, '
        '{"name": "get_time", "arguments": {}}]',
        '[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": ["Paris"]}}]',
    ),
    "mistral_v11": (
        ["[TOOL_CALLS]", "[ARGS]"],
        '[TOOL_CALLS]get_weather[ARGS]{"city": "Paris"}',
        '[TOOL_CALLS]get_weather[ARGS]{"city": "Paris"}[TOOL_CALLS]get_time[ARGS]{}',
        '[TOOL_CALLS]get_weather[ARGS]{"city": true}',
    ),
    "kimi": (
        [
            "<|tool_calls_section_begin|>",
            "<|tool_calls_section_end|>",
            "<|tool_call_begin|>",
            "<|tool_call_argument_begin|>",
            "<|tool_call_end|>",
        ],
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>"
        '{"city": "Paris"}<|tool_call_end|><|tool_calls_section_end|>',
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>"
        '{"city": "Paris"}<|tool_call_end|><|tool_call_begin|>functions.get_time:1<|tool_call_argument_begin|>'
        "{}<|tool_call_end|><|tool_calls_section_end|>",
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>"
        "{}<|tool_call_end|><|tool_calls_section_end|>",
    ),
    "glm": (
        ["<tool_call>", "</tool_call>", "<arg_key>"],
        "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n<arg_key>days</arg_key>\n"
        "<arg_value>3</arg_value>\n</tool_call>",
        "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n</tool_call>\n"
        "<tool_call>get_time\n</tool_call>",
        "<tool_call>get_weather\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>",
    ),
}

HARMONY = ["<|channel|>", "<|message|>", "<|end|>", "<|start|>", "<|constrain|>"]
HARMONY_CALL = '<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city": "Paris"}'
HARMONY_ANALYSIS = "<|channel|>analysis<|message|>The user asks. <|end|><|start|>assistant"


def accepts(tag: dict[str, Any], text: str, special: Collection[str]) -> bool:
    """Whether a text is a sentence: special tokens as themselves, one token for any other byte."""
    marks = list(special)
    vocabulary = [bytes([byte]) for byte in range(256)] + [mark.encode() for mark in marks] + [b"</s>"]
    info = bw.TokenizerInfo(
        vocabulary,
        stop_token_ids=len(vocabulary) - 1,
        special_token_ids=list(range(256, 256 + len(marks))),
    )
    matcher = bw.GrammarMatcher(bw.GrammarCompiler(info).compile_structural_tag(tag))
    pieces = re.split("(" + "|".join(map(re.escape, marks)) + ")", text) if marks else [text]
    ids = [
        one for piece in pieces for one in ([256 + marks.index(piece)] if piece in marks else piece.encode())
    ]
    return all(matcher.accept_token(one) for one in ids) and matcher.is_completed()


def test_every_format_is_tested() -> None:
    assert set(CHAT_FORMATS) == {*TURNS, "harmony"}


@pytest.mark.parametrize("as_tokens", [False, True])
@pytest.mark.parametrize("name", TURNS)
def test_turns(name: str, as_tokens: bool) -> None:
    marks, one, two, wrong = TURNS[name]
    # The marks of parameters stand in the style of the schema, always as text.
    special = [mark for mark in marks if mark != "<arg_key>"] if as_tokens else []

    def tag(**choices: Any) -> dict[str, Any]:
        return structural_tag(name, TOOLS, special_tokens=special, **choices)

    for choices, good, bad in [
        (
            {},
            ["", "Hello!", one, two, "Let me see.\n" + one],
            [wrong, one[:-1], one.replace("weather", "news")],
        ),
        ({"tool_choice": "required"}, [one, two], ["", "Hello!", wrong, "Let me see. " + one]),
        ({"tool_choice": "none"}, ["", "Hello!"], []),
        ({"tool_choice": "get_weather"}, [one], ["", "Hello!", wrong]),
        ({"parallel_tool_calls": False}, ["Hello!", "Let me see. " + one], [two, wrong]),
        ({"tool_choice": "required", "parallel_tool_calls": False}, [one], [two, "Hello!", one + "x"]),
    ]:
        made = tag(**choices)
        assert [text for text in good if not accepts(made, text, special)] == [], choices
        assert [text for text in bad if accepts(made, text, special)] == [], choices


@pytest.mark.parametrize(
    "name", ["hermes", "qwen", "qwen_coder", "deepseek", "deepseek_v3_1", "deepseek_v3_2", "kimi", "glm"]
)
def test_reasoning(name: str) -> None:
    one = TURNS[name][1]
    thought = "<think>\nThey ask for <tool_call> and </thin.\n</think>\n\n"
    required = structural_tag(name, TOOLS, reasoning="required")
    assert accepts(required, thought + one, [])
    assert accepts(required, thought + "It rains.", [])
    assert not accepts(required, one, [])
    assert not accepts(required, "<think>no end " + one, [])
    opened = structural_tag(name, TOOLS, reasoning="open", special_tokens=["<think>", "</think>"])
    assert accepts(opened, "I think.</think>" + one, ["<think>", "</think>"])
    assert not accepts(opened, one, ["<think>", "</think>"])
    optional = structural_tag(name, TOOLS, reasoning="optional", tool_choice="required")
    assert accepts(optional, one, [])
    assert accepts(optional, thought.rstrip() + one, [])
    assert accepts(optional, thought + one, [])
    assert not accepts(optional, "It rains.", [])


@pytest.mark.parametrize("special", [[], HARMONY], ids=["text", "tokens"])
def test_harmony(special: list[str]) -> None:
    def tag(**choices: Any) -> dict[str, Any]:
        return structural_tag("harmony", TOOLS, special_tokens=special, **choices)

    final = "<|channel|>final<|message|>It rains."
    free = tag(reasoning="optional")
    preamble = "<|channel|>commentary<|message|>I will look.<|end|><|start|>assistant"
    moved = ' to=functions.get_weather<|channel|>commentary <|constrain|>json<|message|>{"city": "Paris"}'
    for text in [
        final,
        HARMONY_CALL,
        HARMONY_ANALYSIS + final,
        HARMONY_ANALYSIS + preamble + HARMONY_CALL,
        moved,
    ]:
        assert accepts(free, text, special), text
    for text in ["It rains.", HARMONY_ANALYSIS, HARMONY_CALL.replace("city", "town"), final + "<|end|>"]:
        assert not accepts(free, text, special), text
    required = tag(reasoning="required", tool_choice="required")
    assert accepts(required, HARMONY_ANALYSIS + HARMONY_CALL, special)
    assert not accepts(required, HARMONY_CALL, special)
    assert not accepts(required, HARMONY_ANALYSIS + final, special)


def test_wrong_arguments_are_named() -> None:
    for arguments, message in [
        (("gpt5",), "unknown chat format 'gpt5'"),
        (("hermes", [{"x": 1}]), "no name"),
    ]:
        with pytest.raises(InvalidArgumentError, match=message):
            structural_tag(*arguments)
    for choices, message in [
        ({"tool_choice": "required"}, "needs a tool"),
        ({"tool_choice": "other"}, "'other', which is not there"),
        ({"reasoning": "required"}, "no reasoning"),
    ]:
        with pytest.raises(InvalidArgumentError, match=message):
            structural_tag("llama3", **choices)
