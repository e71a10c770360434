"""Objects of random plans, every sequence of names tried against what the keywords say."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import jsonschema
import pytest

import bytewright as bw

VOCABULARY = [bytes([i]) for i in range(256)] + [b'","', b'":1', b'{"', b'a":', b'b"', b"1}", b"<end>"]
COMPILER = bw.GrammarCompiler(bw.TokenizerInfo(VOCABULARY, stop_token_ids=[len(VOCABULARY) - 1]))
# One name begins another, one is not plain ASCII, and one needs an escape.
DECLARED = ["a", "ab", "é", 'q"', "b"]
FREE = ["x", "abc"]


def random_schema(rng: random.Random) -> dict[str, Any]:
    declared = rng.sample(DECLARED, rng.randint(1, 4))
    schema: dict[str, Any] = {"type": "object", "properties": {name: {} for name in declared}}
    schema["required"] = rng.sample(declared, rng.randint(0, min(2, len(declared))))
    if rng.random() < 0.5:
        schema["additionalProperties"] = False
    if rng.random() < 0.3:
        schema["minProperties"] = rng.randint(1, 3)
    if rng.random() < 0.3:
        schema["maxProperties"] = rng.randint(len(schema["required"]), 3)
    if rng.random() < 0.3 and not {"minProperties", "maxProperties"} <= schema.keys():
        schema["dependentRequired"] = {rng.choice(declared): rng.sample(declared, 1)}
    return schema


def in_order(names: list[str], declared: list[str]) -> bool:
    """Whether declared names come first, in their order."""
    places = [declared.index(name) if name in declared else len(declared) for name in names]
    return places == sorted(places)


@pytest.mark.parametrize("any_order", [True, False])
@pytest.mark.parametrize("seed", range(40))
def test_every_sequence_of_names_is_judged_by_the_keywords(seed: int, any_order: bool) -> None:
    schema = random_schema(random.Random(seed))
    validator = jsonschema.Draft202012Validator(schema)
    pool = [*schema["properties"], *FREE]
    valid = {
        names
        for size in range(min(len(pool), 4) + 1)
        for names in itertools.permutations(pool, size)
        if validator.is_valid(dict.fromkeys(names, 1))
        and (any_order or in_order(list(names), list(schema["properties"])))
    }
    if not valid:
        return
    compiled = COMPILER.compile_json_schema(schema, any_order=any_order)
    begun = {names[:size] for names in valid for size in range(len(names) + 1)}
    for size in range(4):
        for names in itertools.permutations(pool, size):
            text = "{" + ",".join(f"{json.dumps(name, ensure_ascii=False)}:1" for name in names)
            matcher = bw.GrammarMatcher(compiled)
            accepted = matcher.accept_string(text)
            if names in begun:
                assert accepted, (schema, text)
                assert matcher.fork().accept_string("}") == (names in valid), (schema, text)
            elif accepted and size < 3:
                # It may go on only to what is longer than what was listed.
                assert any_order or in_order(list(names), list(schema["properties"])), (schema, text)
                assert not matcher.fork().accept_string("}"), (schema, text)
            mask = bw.allocate_token_bitmask(1, len(VOCABULARY), backend="numpy")
            if accepted:
                matcher.fill_next_token_bitmask(mask)
                for token, piece in enumerate(VOCABULARY[:-1]):
                    allowed = bool(mask[0, token // 32] >> (token % 32) & 1)
                    assert allowed == matcher.fork().accept_string(piece), (schema, text, piece)


@pytest.mark.parametrize("left", [[], [3], [199], [63, 64, 130]])
def test_only_the_names_that_are_left_may_come(left: list[int]) -> None:
    names = [f"n{number:03}" for number in range(200)]
    schema = {"type": "object", "properties": dict.fromkeys(names, True), "additionalProperties": False}
    matcher = bw.GrammarMatcher(COMPILER.compile_json_schema(schema))
    written = [name for number, name in enumerate(names) if number not in left]
    assert matcher.accept_string("{" + ",".join(f'"{name}":1' for name in written))
    for number, name in enumerate(names):
        assert matcher.fork().accept_string(f',"{name}":1') == (number in left)
    for prefix in {name[:size] for name in names for size in range(5)}:
        begins = any(names[number].startswith(prefix) for number in left)
        assert matcher.fork().accept_string(f',"{prefix}') == begins
    mask = bw.allocate_token_bitmask(1, len(VOCABULARY), backend="numpy")
    matcher.fill_next_token_bitmask(mask)
    assert bool(mask[0, ord(",") // 32] >> (ord(",") % 32) & 1) == bool(left)
