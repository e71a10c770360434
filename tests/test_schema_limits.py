"""Schemas made to explode: each ends soon, with an answer or a named limit.

As a program it prints how long each takes: ``python tests/test_schema_limits.py``.
"""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import pytest

import bytewright as bw

BYTES = bw.TokenizerInfo([bytes([b]) for b in range(256)] + [b"</s>"], stop_token_ids=[256])


def nested(depth: int) -> Any:
    branch = {"properties": {f"p{i}": {"type": "integer"} for i in range(12)}}
    schema: Any = {"type": "integer"}
    for i in range(depth):
        inner = {"properties": {f"q{i}": schema}}
        schema = {"not": {"oneOf": [schema, inner]}} if i % 2 else {"anyOf": [schema, branch]}
    return schema


def deep(depth: int, wrap: Any) -> Any:
    schema: Any = {"type": "integer"}
    for _ in range(depth):
        schema = wrap(schema)
    return schema


def pattern(*patterns: str) -> Any:
    return {"type": "string", "allOf": [{"pattern": p} for p in patterns]}


def satisfiability(variables: int, clauses: int) -> Any:
    """Random 3-SAT about as hard as can be: every clause an `anyOf` of the values of three names."""
    rng = random.Random(variables)
    names = [f"x{i}" for i in range(variables)]

    def literal(name: str) -> Any:
        return {"properties": {name: {"const": rng.random() < 0.5}}}

    return {
        "type": "object",
        "required": names,
        "allOf": [{"anyOf": [literal(name) for name in rng.sample(names, 3)]} for _ in range(clauses)],
    }


ADVERSARIAL: dict[str, Any] = {
    "nested not and oneOf": nested(14),
    "oneOf of 60 overlapping objects": {
        "oneOf": [{"properties": {f"p{i}": {"type": "integer"}, f"r{i}": {"minimum": i}}} for i in range(60)]
    },
    "oneOf of 200 overlapping ranges": {"oneOf": [{"minimum": i, "maximum": i + 300} for i in range(200)]},
    "not of 40 multiples": {
        "type": "integer",
        "not": {"anyOf": [{"multipleOf": m, "minimum": m} for m in range(2, 42)]},
    },
    "product of 20 pairs": {
        "allOf": [
            {
                "anyOf": [
                    {"properties": {f"a{i}": {"const": 1}}, "required": [f"a{i}"]},
                    {"required": [f"b{i}"]},
                ]
            }
            for i in range(20)
        ]
    },
    "product of 20 pairs of arrays": {
        "allOf": [
            {"anyOf": [{"minItems": i, "contains": {"const": i}}, {"maxItems": 50 - i}]} for i in range(20)
        ]
    },
    "product of 40 pairs of multiples": {
        "type": "integer",
        "allOf": [{"anyOf": [{"multipleOf": m}, {"minimum": m}]} for m in range(3, 43)],
    },
    "unevaluated with 16 choices": {
        "anyOf": [{"properties": {f"p{i}": {"const": i}}} for i in range(16)],
        "unevaluatedProperties": False,
    },
    "satisfiability": satisfiability(50, 213),
    "no satisfiability": satisfiability(50, 400),
    "forty conditions": {
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": i}}},
                "then": {"properties": {f"p{i % 9}": {"minimum": i}}, "required": [f"p{i % 7}"]},
                "else": {"properties": {f"p{i % 11}": {"maximum": i}}},
            }
            for i in range(40)
        ]
    },
    "not of a product of choices": {
        "not": {
            "allOf": [
                {"oneOf": [{"required": [f"a{i}"]}, {"properties": {f"b{i}": {"const": 1}}}]}
                for i in range(16)
            ]
        }
    },
    "deep allOf": deep(50, lambda inner: {"allOf": [inner]}),
    "deep not": deep(100, lambda inner: {"not": inner}),
    "deep properties": deep(50, lambda inner: {"properties": {"p": inner}, "required": ["p"]}),
    "deep not of properties": deep(
        40, lambda inner: {"not": {"properties": {"p": inner}, "required": ["p"]}}
    ),
    "references that double": {
        "$defs": {
            **{
                f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}, {"not": {"$ref": f"#/$defs/d{i + 1}"}}]}
                for i in range(40)
            },
            "d40": {"type": "integer"},
        },
        "$ref": "#/$defs/d0",
    },
    "references without end": {"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}},
    "optional and required letters": pattern("^(a?){500}a{500}$"),
    "optional letters": pattern("^(a?){5000}$"),
    "nested repeats": pattern("^((a{1,50}b?){1,50}c?){1,50}$"),
    "a letter far from the end": pattern("(a|b)*a(a|b){40}$"),
    "two letters far from the end": pattern("^.*a.{30}$", "^.*b.{31}$", "^.*c.{32}$"),
    "coprime lengths": pattern(*(f"^(.{{{n}}})*$" for n in (7, 11, 13, 17, 19, 23)), ".+"),
    "letters in any order": pattern(*(f"{c}.*{c}" for c in "abcdefghijklmnop")),
    "lookaheads": pattern("^" + "".join(f"(?=.*{c}.{{5}})" for c in "abcdefghijkl") + ".*$"),
    "not of patterns": {
        "type": "string",
        "not": {"anyOf": [{"pattern": f"{c}.{{9}}$"} for c in "abcdefghijkl"]},
    },
    "overlapping patterns of names": {
        "patternProperties": {f"{c}.*{c}": {"minimum": i} for i, c in enumerate("abcdefghijklmnop")}
    },
    "overlapping patterns far from the end": {
        "patternProperties": {f"{c}.{{12}}$": {"minimum": i} for i, c in enumerate("abcdefghij")},
        "minProperties": 2,
    },
    "unique items that must be contained": {
        "type": "array",
        "items": {"enum": list(range(100))},
        "uniqueItems": True,
        "allOf": [
            {"contains": {"enum": list(range(i, i + 30))}, "minContains": 20, "maxContains": 21}
            for i in range(0, 70, 7)
        ],
    },
    "contains in many ways": {
        "allOf": [{"contains": {"multipleOf": m}, "minContains": 2, "maxContains": 9} for m in range(2, 16)]
    },
    "a large multiple": {"type": "integer", "multipleOf": 16381, "minimum": 1, "maximum": 10**40},
    "two large multiples": {
        "type": "number",
        "allOf": [{"multipleOf": 127}, {"multipleOf": 129}],
        "maximum": 10**12,
    },
    "a tiny multiple": {"multipleOf": 1e-60, "maximum": 1},
    "dependent on each other": {
        "dependentRequired": {f"p{i}": [f"p{(i * 7 + k) % 200}" for k in range(5)] for i in range(200)},
        "minProperties": 100,
    },
    "clauses": {
        "not": {
            "anyOf": [
                {"properties": {f"p{i}": {"type": "string"}, f"q{i}": {"minimum": i}}} for i in range(18)
            ]
        },
        "maxProperties": 9,
    },
}


SLOW = ADVERSARIAL["overlapping patterns far from the end"]


def outcome(schema: Any) -> tuple[str, float]:
    """What comes of compiling a schema and of masks, and the processor seconds of the longest step."""
    longest, start = 0.0, time.process_time()

    def lap() -> None:
        nonlocal longest, start
        longest, start = max(longest, time.process_time() - start), time.process_time()

    result = "compiled"
    try:
        compiled = bw.GrammarCompiler(BYTES).compile_json_schema(schema, draft="draft2020-12")
        mask = bw.allocate_token_bitmask(1, BYTES.vocab_size, backend="numpy")
        lap()
        for text in ('{"p1": {"q', '"aaab', "[1, 2", "127"):
            matcher = bw.GrammarMatcher(compiled)
            for byte in text.encode():
                matcher.fill_next_token_bitmask(mask)
                accepted = matcher.accept_token(byte)
                lap()
                if not accepted:
                    break
    except (
        bw.LimitExceededError,
        bw.EmptyLanguageError,
        bw.UnsupportedSchemaError,
        bw.InvalidSchemaError,
    ) as error:
        result = f"{type(error).__name__}: {error}"
    lap()
    return result, longest


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_adversarial_schemas_end_soon(name: str) -> None:
    _, longest = outcome(ADVERSARIAL[name])
    assert longest < 3


def test_the_time_limit_is_the_compilers() -> None:
    start = time.process_time()
    with pytest.raises(bw.LimitExceededError, match=r"0\.05 s"):
        bw.GrammarCompiler(BYTES, time_limit=0.05).compile_json_schema(SLOW)
    assert time.process_time() - start < 0.5


def test_the_state_limit_is_the_compilers() -> None:
    with pytest.raises(bw.LimitExceededError, match="100 automaton states"):
        bw.GrammarCompiler(BYTES, state_limit=100).compile_json_schema(SLOW)


def test_cancelling_stops_the_first_state() -> None:
    compiler = bw.GrammarCompiler(BYTES, time_limit=20)
    threading.Timer(0.1, compiler.cancel).start()
    start = time.process_time()
    with pytest.raises(bw.CompileCancelledError):
        compiler.compile_json_schema(SLOW)
    assert time.process_time() - start < 1


if __name__ == "__main__":
    for name, schema in ADVERSARIAL.items():
        result, longest = outcome(schema)
        print(f"{longest:6.2f} s  {name}: {result[:110]}", flush=True)
