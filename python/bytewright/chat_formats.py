"""Structural tags for the tool calls and reasoning of common chat formats.

Each format is what the model's own chat template writes for an assistant's turn; the tag describes the turn
from where generation begins to before its stop token.

>>> parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
>>> weather = {"name": "weather", "parameters": parameters}
>>> tag = structural_tag("hermes", [weather])
>>> from bytewright import Grammar
>>> grammar = Grammar.from_structural_tag(tag)

Marks such as ``<|tool_call_begin|>`` are text by default. Where the tokenizer has them as special tokens,
name them in `special_tokens`: they are then those tokens, and no text spells them.
"""
# ruff: noqa: RUF001 - the marks of DeepSeek have characters that look like others

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = ["CHAT_FORMATS", "structural_tag"]

Format: TypeAlias = dict[str, Any]
Reasoning: TypeAlias = Literal["none", "optional", "required", "open"]


@dataclass(frozen=True)
class _ChatFormat:
    """How a chat format writes tool calls and reasoning.

    `before` and `after` stand around the arguments of one call, with ``{name}`` for the tool's name and other
    braces for what `_PARTS` says. `section` stands around all calls, which `separator` divides. Without a
    section calls may stand anywhere in the text, each announced by `trigger`. `lead` may stand before all.
    """

    before: str
    after: str
    trigger: str
    section: tuple[str, str] | None = None
    separator: str = ""
    style: str = "json"
    reasoning: tuple[str, str] | None = None
    lead: str = ""


# What is not the same in each call: a text, a pattern, a text, and whether they may be left out together.
_PARTS = {
    "{index}": ("", "[0-9]+", "", False),
    # Mistral's calls have an id in some places of a conversation: nine letters and digits.
    "{json_id}": (', "id": "', "[a-zA-Z0-9]{9}", '"', True),
    "{call_id}": ("[CALL_ID]", "[a-zA-Z0-9]{9}", "", True),
    # What SentencePiece writes before text after a special token.
    "{blank}": ("", " ?", "", False),
}

_THINK = ("<think>", "</think>")
_DEEPSEEK = ("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>")


def _dsml(begin: str, end: str) -> _ChatFormat:
    """DeepSeek's mark-up of calls, from V3.2 on."""
    return _ChatFormat(
        '<｜DSML｜invoke name="{name}">',
        "</｜DSML｜invoke>",
        begin,
        section=(begin + "\n", "\n" + end),
        separator="\n",
        style="deepseek_xml",
        reasoning=_THINK,
    )


_FORMATS: dict[str, _ChatFormat] = {
    # Llama 3.1 and later, custom tools in the prompt.
    "llama3": _ChatFormat('{"name": "{name}", "parameters": ', "}", '{"name": '),
    # Llama 3.1's `<function=...>` form.
    "llama3_function": _ChatFormat("<function={name}>", "</function>", "<function="),
    "hermes": _ChatFormat(
        '<tool_call>\n{"name": "{name}", "arguments": ', "}\n</tool_call>", "<tool_call>", reasoning=_THINK
    ),
    # Qwen 2.5 and 3 write what Hermes does; Qwen 3 Coder and 3.5 have a form of their own.
    "qwen": _ChatFormat(
        '<tool_call>\n{"name": "{name}", "arguments": ', "}\n</tool_call>", "<tool_call>", reasoning=_THINK
    ),
    "qwen_coder": _ChatFormat(
        "<tool_call>\n<function={name}>\n",
        "</function>\n</tool_call>",
        "<tool_call>",
        style="qwen_xml",
        reasoning=_THINK,
    ),
    # DeepSeek V3 and R1.
    "deepseek": _ChatFormat(
        "<｜tool▁call▁begin｜>function<｜tool▁sep｜>{name}\n```json\n",
        "\n```<｜tool▁call▁end｜>",
        _DEEPSEEK[0],
        section=_DEEPSEEK,
        separator="\n",
        reasoning=_THINK,
    ),
    "deepseek_v3_1": _ChatFormat(
        "<｜tool▁call▁begin｜>{name}<｜tool▁sep｜>",
        "<｜tool▁call▁end｜>",
        _DEEPSEEK[0],
        section=_DEEPSEEK,
        reasoning=_THINK,
    ),
    "deepseek_v3_2": _dsml("<｜DSML｜function_calls>", "</｜DSML｜function_calls>"),
    "deepseek_v4": _dsml("<｜DSML｜tool_calls>", "</｜DSML｜tool_calls>"),
    # Mistral's tokenizers up to v7: a JSON list.
    "mistral": _ChatFormat(
        '{"name": "{name}", "arguments": ',
        "{json_id}}",
        "[TOOL_CALLS]",
        section=("[TOOL_CALLS]{blank}[", "]"),
        separator=", ",
    ),
    # v11 and later.
    "mistral_v11": _ChatFormat(
        "[TOOL_CALLS]{name}{call_id}[ARGS]", "", "[TOOL_CALLS]", reasoning=("[THINK]", "[/THINK]")
    ),
    "kimi": _ChatFormat(
        "<|tool_call_begin|>functions.{name}:{index}<|tool_call_argument_begin|>",
        "<|tool_call_end|>",
        "<|tool_calls_section_begin|>",
        section=("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
        reasoning=_THINK,
    ),
    # GLM 4.5 and later; those before 4.7 write line breaks between the marks.
    "glm": _ChatFormat(
        "<tool_call>{name}", "</tool_call>", "<tool_call>", style="glm_xml", reasoning=_THINK, lead="\n"
    ),
}

#: The names of the formats.
CHAT_FORMATS: tuple[str, ...] = (*_FORMATS, "harmony")


def structural_tag(
    chat_format: str,
    tools: Sequence[Mapping[str, Any]] = (),
    *,
    tool_choice: Literal["auto", "required", "none"] | str = "auto",
    parallel_tool_calls: bool = True,
    reasoning: Reasoning = "none",
    special_tokens: Collection[str] = (),
) -> Format:
    """The structural tag of an assistant's turn.

    Args:
        chat_format: one of `CHAT_FORMATS`.
        tools: tools as the OpenAI API has them, ``{"type": "function", "function": {"name": ...,
            "parameters": ...}}``, or the inner object alone. Without ``parameters`` any object will do.
        tool_choice: ``"auto"``: text and calls; ``"required"``: the turn begins with a call; ``"none"``: text
            alone; or the name of the tool that must be called.
        parallel_tool_calls: whether there may be several calls.
        reasoning: ``"required"`` or ``"optional"`` reasoning before the turn; ``"open"`` if the prompt
            has begun it already.
        special_tokens: the marks that are special tokens of the tokenizer.

    Returns:
        The tag, for `Grammar.from_structural_tag` and `GrammarCompiler.compile_structural_tag`.

    Raises:
        InvalidArgumentError: for an unknown format, an unknown tool, or reasoning where the format has none.
    """
    if chat_format not in CHAT_FORMATS:
        raise InvalidArgumentError(
            f"unknown chat format {chat_format!r}; there are {', '.join(CHAT_FORMATS)}"
        )
    chosen = _chosen_tools(tools, tool_choice)
    marks = _Marks(special_tokens)
    must_call = tool_choice not in {"auto", "none"}
    if chat_format == "harmony":
        return _whole(_harmony(marks, chosen, must_call, reasoning))
    known = _FORMATS[chat_format]
    body = _turn(known, marks, chosen, must_call, parallel_tool_calls) if chosen else _ANY_TEXT
    thought = _reasoning(chat_format, known, marks, reasoning)
    if must_call and thought:
        # Templates leave lines empty after the reasoning; where any text may follow they are text.
        thought.append({"type": "regex", "pattern": r"\n{0,2}"})
    lead = [{"type": "regex", "pattern": f"(?:{known.lead})?"}] if known.lead else []
    return _whole(_sequence([*lead, *thought, body]))


def _chosen_tools(tools: Sequence[Mapping[str, Any]], tool_choice: str) -> dict[str, Any]:
    """The schemas of the tools that may be called, by name."""
    schemas: dict[str, Any] = {}
    for tool in tools:
        function = tool.get("function", tool)
        if not isinstance(function.get("name"), str):
            raise InvalidArgumentError(f"a tool has no name: {tool!r}")
        schemas[function["name"]] = function.get("parameters") or {"type": "object"}
    if tool_choice == "none":
        return {}
    if tool_choice in {"auto", "required"}:
        if tool_choice == "required" and not schemas:
            raise InvalidArgumentError("tool_choice='required' needs a tool")
        return schemas
    if tool_choice not in schemas:
        raise InvalidArgumentError(f"tool_choice names the tool {tool_choice!r}, which is not there")
    return {tool_choice: schemas[tool_choice]}


_ANY_TEXT: Format = {"type": "any_text"}


def _whole(body: Format) -> Format:
    return {"type": "structural_tag", "format": body}


def _sequence(elements: Sequence[Format]) -> Format:
    return elements[0] if len(elements) == 1 else {"type": "sequence", "elements": list(elements)}


def _or(elements: Sequence[Format]) -> Format:
    return elements[0] if len(elements) == 1 else {"type": "or", "elements": list(elements)}


class _Marks:
    """Texts as formats, the special tokens in them as tokens."""

    def __init__(self, special_tokens: Collection[str]) -> None:
        self.special = sorted(special_tokens, key=len, reverse=True)

    def spell(self, text: str) -> list[Format]:
        """A text, piece by piece."""
        out: list[Format] = []
        while text:
            found = [(text.find(mark), mark) for mark in self.special if mark in text]
            at, mark = min(found, key=lambda pair: pair[0], default=(len(text), ""))
            if at:
                out.append({"type": "const_string", "value": text[:at]})
            if mark:
                out.append({"type": "token", "token": mark})
            text = text[at + len(mark) :]
        return out

    def expand(self, template: str, name: str = "") -> list[Format]:
        """A text with a tool's name and the parts that change."""
        out: list[Format] = []
        for piece in re.split("(" + "|".join(map(re.escape, _PARTS)) + ")", template):
            if piece not in _PARTS:
                out += self.spell(piece.replace("{name}", name))
                continue
            before, pattern, after, optional = _PARTS[piece]
            part = [*self.spell(before), {"type": "regex", "pattern": pattern}, *self.spell(after)]
            out += [{"type": "optional", "content": _sequence(part)}] if optional else part
        return out

    def free(self, *ends: str) -> Format:
        """Free text that none of these marks stands in; those that are tokens cannot."""
        texts = [end for end in ends if end not in self.special]
        return {**_ANY_TEXT, "excludes": texts} if texts else _ANY_TEXT

    def until(self, end: str) -> list[Format]:
        """Free text up to a mark."""
        first, *rest = self.spell(end)
        close = first if first["type"] == "token" else first["value"]
        return [{"type": "tag", "begin": "", "content": _ANY_TEXT, "end": close}, *rest]


def _reasoning(chat_format: str, known: _ChatFormat, marks: _Marks, reasoning: Reasoning) -> list[Format]:
    if reasoning == "none":
        return []
    if known.reasoning is None:
        raise InvalidArgumentError(f"the chat format {chat_format!r} has no reasoning")
    begin, end = known.reasoning
    block = marks.until(end)
    if reasoning == "open":
        return block
    block = [*marks.spell(begin), *block]
    return block if reasoning == "required" else [{"type": "optional", "content": _sequence(block)}]


def _call(known: _ChatFormat, marks: _Marks, name: str, schema: Any, skip: int = 0) -> Format:
    """One call, without the first `skip` characters of what is before its arguments."""
    spelled_name = json.dumps(name)[1:-1] if '"{name}"' in known.before else name
    before = marks.expand(known.before[skip:], spelled_name)
    arguments: Format = {"type": "json_schema", "json_schema": schema, "style": known.style}
    if known.style == "json":
        arguments["any_order"] = True
    return _sequence([*before, arguments, *marks.expand(known.after)])


def _turn(
    known: _ChatFormat, marks: _Marks, tools: dict[str, Any], must_call: bool, parallel: bool
) -> Format:
    """Text and calls."""
    if known.section is None:
        skip = len(known.trigger)
        case = _or([_call(known, marks, name, schema, skip) for name, schema in tools.items()])
        return _announced(marks, known.trigger, case, must_call, parallel)
    begin, end = known.section
    call = _or([_call(known, marks, name, schema) for name, schema in tools.items()])
    calls = [call]
    if parallel:
        more = _sequence([*marks.spell(known.separator), call])
        calls.append({"type": "star", "content": more})
    case = _sequence([*marks.expand(begin[len(known.trigger) :]), *calls, *marks.spell(end)])
    return _announced(marks, known.trigger, case, must_call, parallel=False)


def _announced(marks: _Marks, trigger: str, case: Format, must_call: bool, parallel: bool) -> Format:
    """Free text where a trigger is followed by a case: once, or again and again."""
    announced = _sequence([*marks.spell(trigger), case])
    if trigger in marks.special:
        if parallel:
            again = _sequence([_ANY_TEXT, announced])
            rest = [{"type": "star", "content": again}, _ANY_TEXT]
        else:
            rest = [_ANY_TEXT, {"type": "optional", "content": announced}]
        free = _sequence(rest)
    else:
        free = {"type": "dispatch", "rules": [[trigger, case]], "loop": parallel}
    if not must_call:
        return free
    return _sequence([announced, free]) if parallel else announced


def _harmony(marks: _Marks, tools: dict[str, Any], must_call: bool, reasoning: Reasoning) -> Format:
    """OpenAI's Harmony, after the prompt's ``<|start|>assistant``.

    Messages on the channel `analysis` are the reasoning; then comes a message on the channel `final`, or a
    call. The marks that end a turn, ``<|return|>`` and ``<|call|>``, are stop tokens and no part of it.
    """
    following = "<|end|><|start|>assistant"

    def message(channel: str) -> list[Format]:
        return marks.spell(f"<|channel|>{channel}<|message|>")

    analysis = _sequence([*message("analysis"), *marks.until(following)])
    preamble = _sequence([*message("commentary"), *marks.until(following)])
    final = _sequence([*message("final"), marks.free("<|end|>", "<|return|>", "<|start|>")])
    turns: list[Format] = [] if must_call else [final]
    for name, schema in tools.items():
        # The recipient stands after the channel or, in another place that the models use, before it.
        heads = [
            f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>",
            f" to=functions.{name}<|channel|>commentary <|constrain|>json<|message|>",
            f" to=functions.{name}<|channel|>commentary json<|message|>",
        ]
        arguments = {"type": "json_schema", "json_schema": schema, "any_order": True}
        turns += [_sequence([*marks.spell(head), arguments]) for head in heads]
    elements: list[Format] = []
    if reasoning == "open":
        elements += marks.until(following)
    elif reasoning == "required":
        elements.append({"type": "plus", "content": analysis})
    if reasoning in {"open", "optional"}:
        elements.append({"type": "star", "content": analysis})
    if tools:
        elements.append({"type": "star", "content": preamble})
    return _sequence([*elements, _or(turns)])
