"""No value twice, and no dead ends: walks that begin again what is there already.

A walk copies what it has written before wherever the mask lets it, so that it gets into every place where
only values are left that must not come again. From each place a way out is looked for, not only a next token.
"""

from __future__ import annotations

import json
import os
import random
import re
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, example, given, settings

import bytewright as bw

jsonschema = pytest.importorskip("jsonschema")

BYTES = bw.TokenizerInfo([bytes([b]) for b in range(256)] + [b"</s>"], stop_token_ids=[256])
COMPILER = bw.GrammarCompiler(BYTES)
# A vocabulary whose tokens cross the borders of values.
PIECES = [
    b'","',
    b'", "',
    b'"],["',
    b'"abc',
    b'bc"',
    b"],[",
    b"1,",
    b",1",
    b"0,",
    b"10",
    b'a"',
    b'"a',
    b'":1',
    b"true,",
    b"}]",
]
LONGER = bw.TokenizerInfo(
    [bytes([b]) for b in range(256)] + PIECES + [b"</s>"], stop_token_ids=[256 + len(PIECES)]
)
EXAMPLES = int(os.environ.get("BYTEWRIGHT_EXAMPLES", "60"))
# What ends a value first.
WAY_OUT = b'"}]\n ,:abcxyz1023456789truefalsn.-{[' + bytes(range(65, 91)) + b"defghijkmopqvw \\uE"

PREFIXED = {"type": "string", "pattern": "^(abc|x.*)$"}


def viable(schema: Any, text: str | bytes, **options: Any) -> bool:
    return bw.GrammarMatcher(COMPILER.compile_json_schema(schema, **options)).accept_string(text)


def check(schema: Any, alive: list[str], dead: list[str], **options: Any) -> None:
    for text in alive:
        assert viable(schema, text, **options), text
    for text in dead:
        assert not viable(schema, text, **options), text


def unique(items: Any, **more: Any) -> Any:
    return {"type": "array", "items": items, "uniqueItems": True, **more}


def test_a_prefix_that_leaves_only_used_strings() -> None:
    check(
        unique(PREFIXED),
        ['["abc", "x', '["a', '["abc", "\\u00', '["xa","x', '["xa","xa'],
        ['["abc", "a', '["abc", "\\u006', '["abc","\\u0061', '["xa","xa"'],
    )
    check(unique({"type": "string", "maxLength": 1}), ['["a","', '["","', '["a","b'], ['["a","a', '["",""'])
    check(unique({"enum": [f"v{i}" for i in range(200)]}), ['["v19","v19'], ['["v19","v19"'])


def test_a_set_that_is_used_up() -> None:
    values = [f"v{i}" for i in range(200)]
    schema = unique({"enum": values})
    most, last = ",".join(f'"{v}"' for v in values[:-1]), '"v199"'
    check(
        schema,
        [f"[{most},", f'[{most},"v19', f"[{most},{last}", f"[{most},{last}]"],
        [f'[{most},"v18', f"[{most},{last},"],
    )
    check(
        unique({"type": "integer", "minimum": 1, "maximum": 3}), ["[1,2,3]", "[1,2,3"], ["[1,2,3,", "[1,2,2"]
    )
    names = [a + b for a in "abcdefghijklmnopqrstuvwxyz" for b in "abcdefghijklmnopqrstuvwxyz"]
    schema = {"type": "object", "patternProperties": {"^[a-z]{2}$": {}}, "additionalProperties": False}
    text = "{" + ",".join(f'"{name}":1' for name in names[:-1])
    check(schema, [f'{text},"z', f'{text},"zz":1}}'], [f'{text},"y', f'{text},"zz":1,'])


def test_numbers_with_one_value_left() -> None:
    check(unique({"type": "integer"}), ["[0,1", "[1,1", "[1,0", "[0,-"], ["[0,0", "[0,-0", "[1,0,0"])
    check(
        unique({"type": "number", "minimum": 0, "maximum": 1}), ["[1,0", "[0,0", "[0,1.0"], ["[1,1", "[1.0,1"]
    )
    check(unique({"type": "number"}), ["[0,0", "[1,1", "[1,1e", "[0,0."], ["[0,0e", "[0,0E-1"])
    check(
        unique({"type": "number", "multipleOf": 0.5, "maximum": 9, "minimum": 0}),
        ["[1,1", "[1,1."],
        ["[1.5,1,1", "[1,1.0"],
    )


def test_values_inside_values() -> None:
    one = {"type": "array", "items": PREFIXED, "minItems": 1, "maxItems": 1}
    check(unique(one), ['[["abc"],["x', '[["a'], ['[["abc"],["a'])
    check(unique({**one, "maxItems": 2}), ['[["abc"],["abc"', '[["abc"],["abc",'], ['[["abc"],["abc"]'])
    record = {
        "type": "object",
        "properties": {"k": PREFIXED, "l": {"type": "boolean"}},
        "required": ["k", "l"],
        "additionalProperties": False,
    }
    both = '[{"k":"abc","l":true},{"l":false,"k":"abc"}'
    check(
        unique(record),
        ['[{"k":"abc","l":true},{"k":"a', '[{"k":"abc","l":true},{"l":t', both + ',{"k":"x'],
        [both + ',{"k":"a', '[{"k":"abc","l":true},{"l":true,"k":"a'],
    )
    pairs = unique(unique({"type": "integer", "minimum": 1, "maximum": 2}, minItems=2))
    check(pairs, ["[[1,2],[2", "[[1,2],[2,1]]"], ["[[1,2],[1", "[[1,2],[2,1],"])


def test_names_are_values_too() -> None:
    schema = {"type": "object", "patternProperties": {"^(abc|x.*)$": {}}, "additionalProperties": False}
    check(schema, ['{"abc":1,"x', '{"xa":1,"x'], ['{"abc":1,"a', '{"abc":1,"\\u0061'])


def test_items_that_need_what_others_have_used() -> None:
    schema = {
        "prefixItems": [{"type": "string"}, {"enum": ["a", "b"]}, {"enum": ["a", "b"]}],
        "minItems": 3,
        "uniqueItems": True,
    }
    check(schema, ['["c","a","b"', '["ab'], ['["a"', '["c","a","a'])


@pytest.mark.parametrize(
    "schema",
    [
        unique({"type": "integer", "minimum": 1, "maximum": 3}, minItems=4),
        unique({"type": "array", "items": {"type": "boolean"}, "maxItems": 1}, minItems=4),
        unique({"enum": [f"v{i}" for i in range(200)]}, minItems=201),
        unique(
            {"properties": {"a": {"type": "null"}}, "additionalProperties": False, "type": "object"},
            minItems=3,
        ),
    ],
)
def test_too_few_values_are_a_compile_error(schema: Any) -> None:
    with pytest.raises(bw.EmptyLanguageError):
        COMPILER.compile_json_schema(schema)
    COMPILER.compile_json_schema({**schema, "minItems": schema["minItems"] - 1})


leaves: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [
            {"type": "integer"},
            {"type": "number"},
            {"type": "integer", "minimum": -1, "maximum": 12},
            {"type": "number", "minimum": 0, "maximum": 1},
            {"type": "number", "minimum": 0, "maximum": 3, "multipleOf": 0.25},
            PREFIXED,
            {"type": "string", "pattern": "^(a|ab|ac+|é)$"},
            {"type": "string", "maxLength": 1},
            {"type": "string", "pattern": "^[ab]{0,2}$"},
            {"type": "boolean"},
            {"enum": ["a", 1, None, [0], {"a": 0}]},
            {"enum": [i * 3 for i in range(150)]},
            {
                "type": "object",
                "propertyNames": {"pattern": "^(ab|x.*)$"},
                "additionalProperties": {"type": "null"},
            },
        ]
    )
)
objects = st.fixed_dictionaries(
    {
        "type": st.just("object"),
        "properties": st.dictionaries(st.sampled_from(["a", "b"]), leaves, min_size=1),
    },
    optional={"required": st.just(["a"]), "minProperties": st.integers(0, 1)},
).map(lambda schema: {**schema, "additionalProperties": False})
arrays = st.fixed_dictionaries(
    {"type": st.just("array"), "items": leaves},
    optional={"uniqueItems": st.booleans(), "maxItems": st.integers(1, 3), "minItems": st.integers(0, 1)},
)
schemas = st.builds(
    lambda items, more: unique(items, **more),
    st.one_of(leaves, objects, arrays),
    st.fixed_dictionaries(
        {},
        optional={
            "minItems": st.integers(0, 3),
            "prefixItems": st.lists(leaves, min_size=1, max_size=2),
            "contains": leaves,
        },
    ),
)


LAYOUTS: list[dict[str, Any]] = [
    {"max_whitespace": 1},
    {"any_whitespace": False, "indent": 1},
    {"any_whitespace": False, "separators": (" , ", ":")},
    {"max_whitespace": 0, "any_order": False},
]


def copied(out: bytes, allowed: list[int], vocabulary: list[bytes], rng: random.Random) -> int | None:
    """An allowed token that goes on as the text went on before after the same bytes."""
    for length in (3, 2, 1):
        end = out[-length:]
        places = [i + length for i in range(len(out) - length) if out[i : i + length] == end]
        rng.shuffle(places)
        for place in places:
            fitting = [t for t in allowed if t < len(vocabulary) and out.startswith(vocabulary[t], place)]
            if fitting:
                return rng.choice(fitting)
    return None


def way_out(matcher: bw.GrammarMatcher, mask: Any, allowed: Any, stop: int) -> bytes:
    """A way to the end by single bytes, greedy by one of some orders; fails if all lead nowhere."""
    digits = b"1023456789"
    orders = [WAY_OUT, WAY_OUT.replace(digits, b"0123456789"), WAY_OUT.replace(digits, b"9876543210")]
    # An object without a name is found only if its end comes before its names.
    for order in (*orders, b"}" + WAY_OUT):
        at, out = matcher.fork(), bytearray()
        for _ in range(400):
            at.fill_next_token_bitmask(mask)
            tokens = allowed()
            if stop in tokens:
                return bytes(out)
            assert tokens, f"a dead end after {bytes(out)!r}"
            token = min(
                tokens, key=lambda t, order=order: (order.find(t) if t < 256 and t in order else 999, t)
            )
            assert at.accept_token(token)
            out.append(token)
    raise AssertionError(f"no way out after {bytes(out)[:80]!r}")


@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES == 60, suppress_health_check=list(HealthCheck)
)
@given(schema=schemas, seed=st.integers(0, 2**32), longer=st.booleans(), layout=st.sampled_from(LAYOUTS))
@example(
    schema=unique(
        {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False},
        contains={"type": "object", "propertyNames": {"const": "b"}},
    ),
    seed=0,
    longer=False,
    layout={"max_whitespace": 1},
)
def test_walks_that_copy_never_meet_a_dead_end(schema: Any, seed: int, longer: bool, layout: Any) -> None:
    info = LONGER if longer else BYTES
    vocabulary = [bytes([b]) for b in range(256)] + (PIECES if longer else [])
    stop = len(vocabulary)
    rng = random.Random(seed)
    schema = {**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"}
    try:
        compiled = bw.GrammarCompiler(info).compile_json_schema(schema, **layout)
    except bw.EmptyLanguageError:
        return
    mask = bw.allocate_token_bitmask(1, info.vocab_size, backend="numpy")

    def allowed() -> list[int]:
        return [t for t in range(stop + 1) if int(mask[0, t >> 5]) >> (t & 31) & 1]

    matcher, out = bw.GrammarMatcher(compiled), b""
    for _ in range(45):
        matcher.fill_next_token_bitmask(mask)
        tokens = allowed()
        assert tokens, f"a dead end after {out!r}"
        copy = copied(out, tokens, vocabulary, rng) if rng.random() < 0.8 else None
        likely = [t for t in tokens if t > 255 or t in b'"}],:abcx0123.[{'] or tokens
        token = copy if copy is not None else rng.choice(likely if rng.random() < 0.9 else tokens)
        if token == stop:
            break
        before = matcher.fork()
        assert matcher.accept_token(token)
        out += vocabulary[token]
        assert before.accept_string(vocabulary[token])
    end = out + way_out(matcher, mask, allowed, stop)
    if not re.search(rb"[0-9.eE+-]{12}|[eE][+-]?[0-9]", end):  # what the validator's floats hold
        assert jsonschema.Draft202012Validator(schema).is_valid(json.loads(end)), end
