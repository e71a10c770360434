"""The chat formats on real transcripts: turns that the models' own chat templates write.

`transcripts/render.py` has rendered them; see there for where the templates are from.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
import re
from typing import Any

import pytest

import bytewright as bw
from bytewright.chat_formats import CHAT_FORMATS, structural_tag
from transcripts import render

TURNS = [
    json.loads(line)
    for line in pathlib.Path(render.HERE, "turns.jsonl").read_text(encoding="utf-8").splitlines()
]
SPECIAL = re.compile(r"<\|\w+\|>|<｜[^｜]+｜>|\[[A-Z_]+\]|</?think>|</?tool_call>")  # noqa: RUF001
WITHOUT_REASONING = {"llama3", "llama3_function", "mistral"}


@functools.cache
def recogniser(chat_format: str, marks: tuple[str, ...], tool_choice: str, reasoning: Any):
    """Whether a text is a turn; the marks are special tokens, any other byte is a token."""
    tag = structural_tag(
        chat_format, render.TOOLS, tool_choice=tool_choice, reasoning=reasoning, special_tokens=marks
    )
    vocabulary = [bytes([byte]) for byte in range(256)] + [mark.encode() for mark in marks] + [b"</s>"]
    info = bw.TokenizerInfo(
        vocabulary, stop_token_ids=len(vocabulary) - 1, special_token_ids=list(range(256, 256 + len(marks)))
    )
    compiled = bw.GrammarCompiler(info).compile_structural_tag(tag)
    cut = re.compile("(" + "|".join(map(re.escape, marks)) + ")") if marks else None

    def accepts(text: str) -> bool:
        matcher = bw.GrammarMatcher(compiled)
        for piece in cut.split(text) if cut else [text]:
            if piece in marks:
                if not matcher.accept_token(256 + marks.index(piece)):
                    return False
            elif not matcher.accept_string(piece):
                return False
        return matcher.is_completed()

    return accepts


def marks_of(chat_format: str) -> tuple[str, ...]:
    """All that looks like a special token in the format's turns."""
    texts = [turn["turn"] for turn in TURNS if turn["format"] == chat_format]
    return tuple(sorted({mark for text in texts for mark in SPECIAL.findall(text)}))


def test_every_format_has_transcripts() -> None:
    assert {turn["format"] for turn in TURNS} == set(CHAT_FORMATS)
    for chat_format in CHAT_FORMATS:
        found = {turn["message"] for turn in TURNS if turn["format"] == chat_format}
        assert {"text", "call", "long call"} <= found


@pytest.mark.parametrize("as_tokens", [False, True], ids=["text", "tokens"])
@pytest.mark.parametrize("chat_format", CHAT_FORMATS)
def test_turns(chat_format: str, as_tokens: bool) -> None:
    marks = marks_of(chat_format) if as_tokens else ()
    turns = [turn for turn in TURNS if turn["format"] == chat_format]
    for source, message, text in ((turn["source"], turn["message"], turn["turn"]) for turn in turns):
        reasoning = "none" if chat_format in WITHOUT_REASONING else "optional"
        # Where the prompt has opened the reasoning the turn closes it.
        if text.startswith("</think>"):
            reasoning = "open"
        auto = recogniser(chat_format, marks, "auto", reasoning)
        required = recogniser(chat_format, marks, "required", reasoning)
        assert auto(text), (source, message)
        # Some templates leave out the text before a call, and Harmony has it on the channel of thoughts.
        names = re.findall("get_weather|get_time|search", text)
        begins_with_call = bool(names) and ("Let me see" not in text or chat_format == "harmony")
        assert required(text) == begins_with_call, (source, message)
        if not names:
            continue
        wrong = [text.replace(name, name + "s") for name in set(names)] + [text[:-1]]
        wrong += [text.replace("city", "town")] if "city" in text else []
        wrong += [text.replace("query", "question")] if "query" in text else []
        assert [one for one in wrong if auto(one)] == [], (source, message)
        if begins_with_call and len(names) == 1:
            assert recogniser(chat_format, marks, names[0], reasoning)(text)
            other = "search" if names[0] != "search" else "get_time"
            assert not recogniser(chat_format, marks, other, reasoning)(text)


def test_they_are_what_the_templates_write() -> None:
    archive = os.environ.get("BYTEWRIGHT_CHAT_TEMPLATES")
    if archive is None:
        pytest.skip("set BYTEWRIGHT_CHAT_TEMPLATES to the source archive that transcripts/render.py names")
    assert [*render.of_templates(pathlib.Path(archive)), *render.of_mistral()] == TURNS
