"""Random schemas against two validators: what our masks let out is valid, what they refuse is refused.

A walk picks allowed bytes at random, then takes a short way out; it must never be stuck.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, reject, settings

import bytewright as bw

jsonschema = pytest.importorskip("jsonschema")
jsonschema_rs = pytest.importorskip("jsonschema_rs")

BYTES = bw.TokenizerInfo([bytes([b]) for b in range(256)] + [b"</s>"], stop_token_ids=[256])
STOP = 256
# More of them, and different ones each time, with BYTEWRIGHT_EXAMPLES=5000.
EXAMPLES = int(os.environ.get("BYTEWRIGHT_EXAMPLES", "150"))
# What ends a value first, what makes it longer last.
WAY_OUT = [STOP, *b'}]":0e1nul truefalsy2345678[{', *range(97, 123), *range(65, 91)]

names = st.sampled_from(["a", "b", "cc", "x-1"])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.sampled_from([0.5, 1.0, -2.25]),
    st.sampled_from(["", "a", "b", "aé"]),
)
leaves: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [{"type": t} for t in ["null", "boolean", "integer", "number", "string", "array", "object"]]
    ),
    st.builds(lambda v: {"const": v}, scalars),
    st.builds(lambda v: {"enum": v}, st.lists(scalars, min_size=1, max_size=4)),
    st.builds(
        lambda a, b: {"type": "integer", "minimum": a, "maximum": a + b},
        st.integers(-9, 9),
        st.integers(0, 40),
    ),
    st.builds(
        lambda m: {"type": "number", "multipleOf": m, "minimum": 0}, st.sampled_from([0.5, 2, 3, 0.25])
    ),
    st.builds(
        lambda a, b: {"type": "string", "minLength": a, "maxLength": a + b},
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    st.builds(
        lambda p: {"type": "string", "pattern": p}, st.sampled_from(["^a+b?$", "b", "^(?!a)", "^[^a]{0,2}$"])
    ),
    st.just({}),
)


def branches(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, min_size=1, max_size=3)
    properties = st.dictionaries(names, inner, max_size=3)
    objects = st.fixed_dictionaries(
        {"type": st.just("object"), "properties": properties},
        optional={
            "required": st.lists(names, unique=True, max_size=2),
            "additionalProperties": st.one_of(st.booleans(), inner),
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "c", "-"]), inner, max_size=2),
            "minProperties": st.integers(0, 2),
            "maxProperties": st.integers(1, 4),
            "propertyNames": st.sampled_from(
                [{"maxLength": 2}, {"pattern": "^[abc]"}, {"enum": ["a", "b", "q"]}]
            ),
            "dependentRequired": st.dictionaries(names, st.lists(names, max_size=1), max_size=2),
            "unevaluatedProperties": st.booleans(),
        },
    )
    arrays = st.fixed_dictionaries(
        {"type": st.just("array")},
        optional={
            "items": inner,
            "prefixItems": lists,
            "minItems": st.integers(0, 2),
            "maxItems": st.integers(1, 4),
            "contains": inner,
            "uniqueItems": st.booleans(),
            "unevaluatedItems": st.booleans(),
        },
    )
    combined = st.one_of(
        st.builds(lambda v: {"allOf": v}, lists),
        st.builds(lambda v: {"anyOf": v}, lists),
        st.builds(lambda v: {"oneOf": v}, lists),
        st.builds(lambda v: {"not": v}, inner),
        st.builds(lambda a, b, c: {"if": a, "then": b, "else": c}, inner, inner, inner),
    )
    return st.one_of(objects, arrays, combined)


schemas = st.recursive(leaves, branches, max_leaves=6)


def is_valid(schema: Any, value: Any) -> bool:
    """The verdict of both validators, which have to agree."""
    python = jsonschema.Draft202012Validator(schema).is_valid(value)
    rust = jsonschema_rs.Draft202012Validator(schema).is_valid(value)
    if python != rust:
        reject()
    return bool(python)


def walk(compiled: bw.CompiledGrammar, rng: random.Random, steps: int) -> bytes:
    """A random sentence; fails where no token is allowed before the end."""
    matcher = bw.GrammarMatcher(compiled)
    mask = bw.allocate_token_bitmask(1, BYTES.vocab_size, backend="numpy")
    out = bytearray()
    for step in range(steps + 400):
        matcher.fill_next_token_bitmask(mask)
        allowed = [t for t in range(257) if int(mask[0, t >> 5]) >> (t & 31) & 1]
        assert allowed, f"a dead end after {bytes(out)!r}"
        likely = [t for t in allowed if t in WAY_OUT or t in b",-."] or allowed
        if step < steps:
            token = rng.choice(likely if rng.random() < 0.95 else allowed)
        else:
            token = next((t for t in WAY_OUT if t in allowed), likely[0])
        assert matcher.accept_token(token)
        if token == STOP:
            return bytes(out)
        out.append(token)
    return reject()


def short_float(text: str) -> float:
    """A number that the validators' floats hold exactly enough."""
    return float(text) if len(text) <= 12 and "e" not in text.lower() else reject()


def short_int(text: str) -> int:
    """The same."""
    return int(text) if len(text) <= 12 else reject()


def mutations(value: Any, rng: random.Random) -> list[Any]:
    """Values a little different."""
    out: list[Any] = [None, 7, -1.5, "b", [value], {"a": value}]
    if isinstance(value, dict):
        out += [{k: v for k, v in value.items() if k != gone} for gone in value]
        out += [{**value, name: rng.choice([1, "a", None])} for name in ("a", "zz")]
    if isinstance(value, list):
        out += [value[1:], [*value, 1], [*value, *value[:1]]]
    if isinstance(value, str):
        out += [value + "a", value[1:]]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        out += [value + 1, value * 2, value + 0.5]
    return out


@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES == 150, suppress_health_check=list(HealthCheck)
)
@given(schema=schemas, seed=st.integers(0, 2**32))
def test_masks_agree_with_validators(schema: Any, seed: int) -> None:
    rng = random.Random(seed)
    values = [None, True, 0, 3, 2.5, "", "ab", [], [1, 1], {}, {"a": 1}, {"b": "a", "a": None}]
    try:
        compiled = bw.GrammarCompiler(BYTES).compile_json_schema(
            {**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"}
        )
    except bw.EmptyLanguageError:
        assert not any(is_valid(schema, value) for value in values)
        return
    except (bw.UnsupportedSchemaError, bw.LimitExceededError):
        return
    try:
        for steps in (3, 12, 40):
            text = walk(compiled, rng, steps)
            value = json.loads(text, parse_float=short_float, parse_int=short_int)
            assert is_valid(schema, value), text
            values += mutations(value, rng)
        for value in values:
            matcher = bw.GrammarMatcher(compiled)
            accepted = matcher.accept_string(json.dumps(value, ensure_ascii=False)) and matcher.is_completed()
            assert accepted == is_valid(schema, value), value
    except (bw.UnsupportedSchemaError, bw.LimitExceededError):
        return
