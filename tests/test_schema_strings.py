"""Strings of patterns: masks against stepping through each token, where tokens leave the letters anywhere."""

from __future__ import annotations

import random
from typing import Any

import pytest

import bytewright as bw

LETTERS = [
    "abcdefgh",
    "ABCXYZ",
    "0123456789",
    "-._ ",
    "éß",
    "€日",
    "😀",
    '"',
    "\\",
    "/",
    "\t",
    "n",
    "u00e9",
    ",:}",
]


def random_piece(rng: random.Random) -> bytes:
    """A text of one kind of letter for a while, and then of another; sometimes cut inside a character."""
    out = ""
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        kind = rng.choice(LETTERS)
        out += "".join(rng.choice(kind) for _ in range(rng.choice([1, 2, 4, 9, 22])))
    piece = out.encode()
    return piece[: rng.randint(1, len(piece))] if rng.random() < 0.2 else piece


def vocabulary(seed: int) -> list[bytes]:
    rng = random.Random(seed)
    pieces = {random_piece(rng) for _ in range(3000)} | {bytes([i]) for i in range(256)}
    # Subtrees that hold whole characters only, and long ones.
    pieces |= {b"a" * size for size in range(1, 60)} | {("é" * size).encode() for size in range(1, 30)}
    pieces |= {b"ab cd " * size for size in range(1, 12)} | {b"c" + bytes([i]) for i in range(97, 123)}
    return [*sorted(pieces), b"<end>"]


VOCABULARY = vocabulary(1)
COMPILER = bw.GrammarCompiler(bw.TokenizerInfo(VOCABULARY, stop_token_ids=[len(VOCABULARY) - 1]))

SCHEMAS: list[dict[str, Any]] = [
    {"type": "string", "pattern": r"^(?:\S+\s+){0,9}\S+$"},
    {"type": "string", "pattern": r"^(?:\S+\s+){0,39}\S+$", "maxLength": 60},
    {"type": "string", "pattern": r"^$|(^(?:\S+\s+){0,19}\S+$)"},
    {"type": "string", "pattern": "^[a-z0-9]{1,40}$"},
    {"type": "string", "pattern": "^[a-zA-Z0-9]+(?:[._-][a-zA-Z0-9]+)*$"},
    {"type": "string", "pattern": "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==)?$"},
    {"type": "string", "pattern": "^[^/]+(/[^/]+)*$", "minLength": 3},
    {"type": "string", "pattern": "^.{0,25}$", "not": {"pattern": "^c"}},
    {"type": "string", "pattern": "a.*a.*a"},
    {"type": "string", "pattern": "^[a-zß-ü ]*$"},
    {"type": "string", "minLength": 2, "maxLength": 30},
    {"type": "string", "format": "email"},
    {"type": "string", "format": "uri-reference"},
    {"type": "object", "propertyNames": {"pattern": "^[a-z_]{1,30}$"}, "properties": {"abc": True}},
    {"type": "object", "patternProperties": {"^a": False, "x$": {"type": "null"}}},
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_masks_are_what_stepping_through_tokens_says(schema: dict[str, Any], seed: int) -> None:
    compiled = COMPILER.compile_json_schema(schema)
    rng = random.Random(f"{schema} {seed}")
    mask = bw.allocate_token_bitmask(1, len(VOCABULARY), backend="numpy")
    for start in ('"' if schema["type"] == "string" else '{"', ""):
        matcher = bw.GrammarMatcher(compiled)
        matcher.accept_string(start)
        text = start.encode()
        for _ in range(6):
            matcher.fill_next_token_bitmask(mask)
            allowed = []
            for token, piece in enumerate(VOCABULARY[:-1]):
                is_allowed = bool(mask[0, token // 32] >> (token % 32) & 1)
                assert is_allowed == matcher.fork().accept_string(piece), (schema, text, piece)
                if is_allowed:
                    allowed.append(token)
            if not allowed:
                break
            # Texts, mostly: a walk at random would soon be at the string's end.
            longest = sorted(allowed, key=lambda token: b'"' in VOCABULARY[token])
            token = rng.choice(longest[: max(1, len(longest) // 2)])
            matcher.accept_token(token)
            text += VOCABULARY[token]
