"""Negated `uniqueItems`: arrays in which some item has to come twice."""

from __future__ import annotations

import json
import random
from typing import Any

import jsonschema
import pytest

import bytewright as bw

# Pieces that cross the ends of items, where it is decided whether one has come again.
PIECES = [
    b"1]",
    b",1",
    b",1]",
    b"1,1",
    b'"a"]',
    b'","',
    b'a"]',
    b"[1,1]",
    b"],[",
    b"],[1]]",
    b'"}]',
    b"e0]",
    b".0,",
    b"1.0]",
    b'":1},{"',
]
VOCABULARY = [bytes([b]) for b in range(256)] + PIECES
INFO = bw.TokenizerInfo([*VOCABULARY, b"</s>"], stop_token_ids=[len(VOCABULARY)])
COMPILER = bw.GrammarCompiler(INFO)
REPEATS: dict[str, Any] = {"type": "array", "not": {"uniqueItems": True}}
FEW: dict[str, Any] = {**REPEATS, "items": {"enum": [1, 2, 3]}, "maxItems": 3}
UNIQUE: dict[str, Any] = {"type": "array", "uniqueItems": True}


def check(schema: Any, valid: list[str], alive: list[str], dead: list[str]) -> None:
    compiled = COMPILER.compile_json_schema(schema)
    for text in valid:
        matcher = bw.GrammarMatcher(compiled)
        assert matcher.accept_string(text), text
        assert matcher.is_completed(), text
    for text in alive:
        matcher = bw.GrammarMatcher(compiled)
        assert matcher.accept_string(text), text
        assert not matcher.is_completed(), text
    for text in dead:
        assert not bw.GrammarMatcher(compiled).accept_string(text), text


def test_an_item_has_to_come_twice() -> None:
    check(
        REPEATS,
        ["[1,1]", "[1,1.0]", "[1e0,1]", '["a","\\u0061"]', '[{"a":1,"b":2},2,{"b":2,"a":1}]', "[1,2,3,2,5]"],
        ["[", "[1", "[1,2", "[1,2,", "[1,true,"],
        ["[]", "[1]", "[1,2]", "[1,true]", "[[1],[1,1]]"],
    )
    check(FEW, ["[1,1]", "[1,2,2]", "[1,1,3]"], ["[1,2,", "[1,2,1"], ["[1,2,3", "[1,2]", "[1,1,1,"])


def test_one_of_over_arrays_negates_unique_items() -> None:
    schema = {"oneOf": [{"type": "array", "items": {"type": "integer"}}, UNIQUE]}
    check(schema, ["[1,1]", '["a"]', '[1,"a"]'], ["[1,2,"], ["[1,2]", "[]", '["a","a"'])


def test_conditions_on_unique_items() -> None:
    schema = {"type": "array", "if": {"uniqueItems": True}, "then": {"maxItems": 1}}
    check(schema, ["[]", "[1]", "[1,1]", "[1,2,2]"], ["[1,2", "[1,2,"], ["[1,2]"])


def test_arrays_that_cannot_repeat_are_empty() -> None:
    for more in ({"maxItems": 1}, {"prefixItems": [{"type": "string"}, {"type": "null"}], "items": False}):
        with pytest.raises(bw.EmptyLanguageError):
            COMPILER.compile_json_schema({**REPEATS, **more})


def test_a_last_item_of_many_values_is_refused_by_name() -> None:
    schema = {"properties": {"a": {**REPEATS, "items": {"type": "string"}, "maxItems": 2}}, "required": ["a"]}
    with pytest.raises(bw.UnsupportedSchemaError, match="uniqueItems") as error:
        COMPILER.compile_json_schema(schema)
    assert (error.value.keyword, error.value.pointer) == ("uniqueItems", "/properties/a")


SCHEMAS: list[Any] = [
    REPEATS,
    FEW,
    {"oneOf": [{"type": "array", "items": {"type": "integer"}}, UNIQUE]},
    {**UNIQUE, "items": REPEATS},
    {**REPEATS, "items": {**UNIQUE, "items": {"type": "integer"}}},
    {"type": "object", "properties": {"a": REPEATS}, "required": ["a"], "additionalProperties": False},
    {**REPEATS, "items": {"type": ["integer", "string"]}, "contains": {"type": "string"}},
    {**REPEATS, "prefixItems": [{"type": "boolean"}, {"type": "boolean"}, {"type": "boolean"}]},
    {**REPEATS, "items": {"properties": {"a": {"type": "integer"}}, "additionalProperties": False}},
]


@pytest.mark.parametrize("number", range(len(SCHEMAS)))
def test_walks_agree_with_the_keyword(number: int) -> None:
    schema = {**SCHEMAS[number], "$schema": "https://json-schema.org/draft/2020-12/schema"}
    compiled = COMPILER.compile_json_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    mask = bw.allocate_token_bitmask(1, INFO.vocab_size, backend="numpy")
    rng = random.Random(number)
    completed = 0
    for _ in range(60):
        matcher, out = bw.GrammarMatcher(compiled), b""
        for _ in range(24):
            matcher.fill_next_token_bitmask(mask)
            allowed = [t for t in range(len(VOCABULARY)) if int(mask[0, t >> 5]) >> (t & 31) & 1]
            for token in range(256, len(VOCABULARY)):
                accepted = matcher.fork().accept_string(VOCABULARY[token])
                assert accepted == (token in allowed), (out, VOCABULARY[token])
            if matcher.is_completed():
                completed += 1
                assert validator.is_valid(json.loads(out)), out
            else:
                assert allowed, f"a dead end after {out!r}"
            likely = [t for t in allowed if t > 255 or t in b'[]{},:"a12'] or allowed
            if not likely:
                break
            token = rng.choice(likely)
            assert matcher.accept_token(token)
            out += VOCABULARY[token]
    assert completed > 3


@pytest.mark.parametrize("keyword", ["not", "oneOf"])
def test_a_repeat_that_cannot_be_enforced_is_refused_before_matching(keyword: str) -> None:
    texts = {"type": "array", "items": {"type": "string"}, "maxItems": 3}
    negated = {"not": {"uniqueItems": True}} if keyword == "not" else {"oneOf": [{"uniqueItems": True}, True]}
    schema = {"properties": {"a": {"items": {"$ref": "#/$defs/b"}}}, "$defs": {"b": texts | negated}}
    with pytest.raises(bw.UnsupportedSchemaError, match=r"uniqueItems.*#?/\$defs/b|\$defs/b.*uniqueItems"):
        COMPILER.compile_json_schema(schema)
