"""Objects with many alternatives: those that are not multiplied out, against what the keywords say."""

from __future__ import annotations

import itertools
import json
import random
import time
from typing import Any

import jsonschema
import pytest

import bytewright as bw

BYTES = bw.TokenizerInfo([bytes([b]) for b in range(256)] + [b"</s>"], stop_token_ids=[256])
COMPILER = bw.GrammarCompiler(BYTES)
NAMES = ["a", "b", "c"]
VALUES: list[Any] = [0, 1, "x", [0]]
LEAVES: list[Any] = [
    {"const": 0},
    {"enum": [0, "x"]},
    {"type": "integer"},
    {"type": "string"},
    {"not": {"const": 1}},
    {"type": "array", "items": {"type": "integer"}},
    {"type": ["array", "integer"], "items": {"type": "string"}},
]


def random_object(rng: random.Random) -> Any:
    """A schema about the three names."""
    schema: dict[str, Any] = {}
    names = rng.sample(NAMES, rng.randint(1, 2))
    if rng.random() < 0.8:
        schema["properties"] = {name: rng.choice(LEAVES) for name in names}
    if rng.random() < 0.4 or not schema:
        schema["required"] = rng.sample(NAMES, rng.randint(1, 2))
    if rng.random() < 0.1:
        schema["maxProperties"] = rng.randint(1, 2)
    if rng.random() < 0.1:
        schema["minProperties"] = rng.randint(1, 3)
    return schema


def random_formula(rng: random.Random, depth: int) -> Any:
    if depth == 0:
        return random_object(rng)
    kind = rng.choice(["anyOf", "anyOf", "oneOf", "if", "not", "dependentSchemas"])
    inner = [random_formula(rng, depth - 1) for _ in range(3)]
    match kind:
        case "if":
            return {"if": inner[0], "then": inner[1], "else": inner[2]}
        case "not":
            return {"not": inner[0]}
        case "dependentSchemas":
            return {"dependentSchemas": {rng.choice(NAMES): inner[0]}}
        case _:
            return {kind: inner}


def written(members: tuple[tuple[str, Any], ...]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in members)


@pytest.mark.parametrize("seed", range(30))
def test_every_prefix_is_judged_by_the_keywords(seed: int) -> None:
    rng = random.Random(seed)
    schema = {
        "type": "object",
        # Beside the values that are tried nothing is allowed, so that what is viable can be counted out.
        "properties": {name: {"enum": VALUES} for name in NAMES},
        "additionalProperties": False,
        "allOf": [random_formula(rng, rng.choice([1, 1, 1, 2])) for _ in range(rng.randint(3, 6))],
        "$schema": "https://json-schema.org/draft/2020-12/schema",
    }
    validator = jsonschema.Draft202012Validator(schema)
    valid = set()
    for size in range(len(NAMES) + 1):
        for names in itertools.combinations(NAMES, size):
            for values in itertools.product(VALUES, repeat=size):
                if validator.is_valid(dict(zip(names, values, strict=True))):
                    valid.add(frozenset(zip(names, map(json.dumps, values), strict=True)))
    try:
        compiled = COMPILER.compile_json_schema(schema)
    except bw.EmptyLanguageError:
        assert not valid
        return
    assert valid
    for size in range(len(NAMES) + 1):
        for names in itertools.permutations(NAMES, size):
            for values in itertools.product(VALUES, repeat=size):
                members = tuple(zip(names, values, strict=True))
                said = frozenset((name, json.dumps(value)) for name, value in members)
                matcher = bw.GrammarMatcher(compiled)
                accepted = matcher.accept_string(written(members))
                assert accepted == any(said <= whole for whole in valid), (schema, members)
                if accepted:
                    assert matcher.accept_string("}") == (said in valid), (schema, members)


def condition(name: str, value: str, then: Any) -> Any:
    return {"if": {"properties": {name: {"const": value}}}, "then": then}


def accepts(compiled: Any, value: Any) -> bool:
    matcher = bw.GrammarMatcher(compiled)
    return matcher.accept_string(json.dumps(value)) and matcher.is_completed()


def test_twenty_conditions_on_one_name() -> None:
    """As in schemas of configurations: multiplied out they would be a million alternatives."""
    schema = {
        "type": "object",
        "allOf": [
            condition("kind", f"k{i}", {"properties": {"value": {"const": i}}, "required": [f"r{i}"]})
            for i in range(20)
        ],
        "required": ["kind"],
    }
    start = time.process_time()
    compiled = COMPILER.compile_json_schema(schema)
    assert accepts(compiled, {"kind": "k3", "value": 3, "r3": 0})
    assert accepts(compiled, {"r3": 0, "value": 3, "kind": "k3"})
    assert accepts(compiled, {"value": 3, "kind": "other"})
    assert not accepts(compiled, {"value": 4, "kind": "k3", "r3": 0})
    assert not accepts(compiled, {"value": 3, "kind": "k3"})
    matcher = bw.GrammarMatcher(compiled)
    assert matcher.accept_string('{"value":4,"kind":"k')
    assert not matcher.fork().accept_string('3"')
    assert matcher.accept_string('4"')
    assert time.process_time() - start < 2


@pytest.mark.parametrize("required", [["label"], ["label", "type"]])
def test_one_of_thirty_objects_that_differ_in_a_constant(required: list[str]) -> None:
    def one(i: int) -> Any:
        own = {"type": {"enum": [f"t{i}"]}, f"p{i % 7}": {"type": "object"}}
        return {"type": "object", "properties": {**own, "label": {"type": "string"}}, "required": required}

    compiled = COMPILER.compile_json_schema({"oneOf": [one(i) for i in range(30)]})
    assert accepts(compiled, {"type": "t3", "label": "", "p3": {}})
    assert accepts(compiled, {"label": "", "p3": {}, "type": "t3"})
    assert not accepts(compiled, {"type": "t3", "label": "", "p3": 1})
    assert not accepts(compiled, {"type": "t31", "label": ""})
    # Without its type an object satisfies several, or is refused by all but one.
    assert not accepts(compiled, {"label": ""})


def test_one_of_thirty_open_objects_that_differ_in_a_name() -> None:
    """The last is closed; beside its name each of the others can be kept from holding in many ways."""

    def one(i: int) -> Any:
        shared = {"name": {"type": "string"}, "args": {"type": "array"}, "replicas": {"type": "integer"}}
        own = {**shared, f"kind{i}": {"type": "string"}}
        return {"type": "object", "properties": own, "required": ["name", f"kind{i}"]}

    last = {**one(29), "additionalProperties": False}
    start = time.process_time()
    compiled = COMPILER.compile_json_schema({"oneOf": [*map(one, range(29)), last]})
    assert accepts(compiled, {"name": "", "kind29": "", "args": []})
    assert accepts(compiled, {"name": "", "kind29": 0, "kind3": "", "args": []})
    assert accepts(compiled, {"name": "", "kind29": "", "kind3": ""})
    assert not accepts(compiled, {"name": "", "kind2": "", "kind3": ""})
    assert not accepts(compiled, {"name": "", "args": []})
    matcher = bw.GrammarMatcher(compiled)
    assert matcher.accept_string('{"kind29":"","name":"","')
    assert matcher.fork().accept_string('args":[]}')
    # Now it is one of the others, not the last.
    assert matcher.accept_string('x":0')
    assert not matcher.fork().accept_string("}")
    assert matcher.accept_string(',"kind3":""')
    assert not matcher.fork().accept_string(',"kind4":""')
    assert matcher.accept_string(',"kind4":0}')
    assert time.process_time() - start < 2


def test_dependencies_of_a_constant() -> None:
    names = [f"n{i}" for i in range(16)]
    schema = {
        "type": "object",
        "properties": {"type": {"enum": ["x", "y", "z"]}},
        "dependencies": {
            name: {"properties": {"type": {"enum": ["x", "yz"[i % 2]]}}} for i, name in enumerate(names)
        },
        "$schema": "http://json-schema.org/draft-07/schema#",
    }
    compiled = COMPILER.compile_json_schema(schema)
    assert accepts(compiled, dict.fromkeys(names, 0))
    assert accepts(compiled, {**dict.fromkeys(names, 0), "type": "x"})
    assert accepts(compiled, {"type": "y", "n0": 1, "n2": 1})
    assert not accepts(compiled, {"type": "y", "n0": 1, "n1": 1})
    assert not accepts(compiled, {"n1": 1, "n0": 1, "type": "z"})


def test_a_limit_names_keyword_and_place() -> None:
    branch = {
        "anyOf": [{"properties": {f"p{i}": {"const": i}}} for i in range(16)],
        "unevaluatedProperties": False,
    }
    with pytest.raises(bw.LimitExceededError, match=r"schema_alternatives.*unevaluated.*/properties/a"):
        COMPILER.compile_json_schema({"properties": {"a": branch}, "required": ["a"], "type": "object"})
