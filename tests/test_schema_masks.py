"""Masks of JSON Schema beside stepping through each token's bytes.

What masks take from walks of other places (splits, names along their texts, what was asked of an object
before) has to say of every token what its bytes say one by one, and so have tokens that go along names in one
step. So the vocabulary is full of tokens that cross the borders of names and values, the schemas say much of
names, and walks like to write names that are declared, that were written already, or that begin like one.
"""

from __future__ import annotations

import os
import random
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

import bytewright as bw

NAMES = ["a", "ab", "abc", "b", "ba", "é"]
ESCAPED = ["\\u0061", "\\u00", "61", "\\", 'u0062"', '\\u0061"', 'b\\u0061"', "\\u00e9"]
PIECES = sorted(
    {name + end for name in NAMES for end in ("", '"', '":', '": ', '":1', '":"', '": "', '":{"', '":[]')}
    | {begin + name for name in NAMES for begin in ('"', ' "', ',"', ', "', '{"', '\n"', "  ")}
    | {begin + name + '"' for name in ("a", "ab", "b") for begin in ('"', ' "', '","', '": "', '1,"', '{"')}
    | {begin + '"' for begin in (" ", "  ", "\n", ",", ", ", ":", ": ", "{", "[", " {", '":', '",', '", ')}
    | {" ", "  ", "\n ", "},", "}}", "}]", "},{", '}, {"', "1,", "1}", " 1", '"}', '"},', '"]', "[]", "{}"}
    | {"null", "true", "true,", " true", "null}", '":null,', '":true,"', *ESCAPED}
)
VOCABULARY = [bytes([byte]) for byte in range(256)] + [piece.encode() for piece in PIECES]
STOP = len(VOCABULARY)
COMPILER = bw.GrammarCompiler(bw.TokenizerInfo([*VOCABULARY, b"</s>"], stop_token_ids=[STOP]))
BYTES = bw.GrammarCompiler(bw.TokenizerInfo([*VOCABULARY[:256], b"</s>"], stop_token_ids=[256]))
EXAMPLES = int(os.environ.get("BYTEWRIGHT_EXAMPLES", "50"))

names = st.sampled_from(NAMES)
scalars: st.SearchStrategy[Any] = st.sampled_from(
    [True, {"type": "string"}, {"type": "integer"}, {"type": ["null", "boolean"]}, {"enum": ["a", "ab"]}, {}]
)


def objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    rest = st.one_of(st.booleans(), values)
    return st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(names, values, max_size=5)},
        optional={
            "required": st.lists(names, unique=True, max_size=2),
            "additionalProperties": rest,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$", "c"]), values, max_size=2),
            "maxProperties": st.integers(2, 5),
            "minProperties": st.integers(0, 2),
        },
    )


def arrays(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"type": st.just("array"), "items": values}, optional={"uniqueItems": st.just(True)}
    )


schemas = objects(st.recursive(scalars, lambda inner: st.one_of(objects(inner), arrays(inner)), max_leaves=4))


def allowed(matcher: bw.GrammarMatcher, mask: Any) -> set[int]:
    matcher.fill_next_token_bitmask(mask)
    return {token for token in range(STOP + 1) if int(mask[0, token >> 5]) >> (token & 31) & 1}


def fits(matcher: bw.GrammarMatcher, text: bytes) -> bool:
    """Whether a text fits, a byte at a time."""
    at = matcher.fork()
    return all(at.accept_string(text[i : i + 1]) for i in range(len(text)))


def step(tokens: set[int], rng: random.Random) -> int:
    """One of the tokens, longer ones and what goes on with an object rather than others."""
    likely = [token for token in tokens if token > 255 or VOCABULARY[token] in b'":,{}[]ab1'] or [*tokens]
    return rng.choice(sorted(likely) if rng.random() < 0.9 else sorted(tokens))


@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES == 50, suppress_health_check=list(HealthCheck)
)
@given(schema=schemas, seed=st.integers(0, 2**32))
def test_masks_say_what_bytes_say(schema: Any, seed: int) -> None:
    rng = random.Random(seed)
    try:
        compiled = COMPILER.compile_json_schema(schema)
    except bw.EmptyLanguageError:
        return
    by_bytes = BYTES.compile_json_schema(schema)
    mask = bw.allocate_token_bitmask(1, STOP + 1, backend="numpy")
    for _ in range(3):
        matcher, probe, out = bw.GrammarMatcher(compiled), bw.GrammarMatcher(by_bytes), b""
        for _ in range(30):
            tokens = allowed(matcher, mask)
            expected = {t for t, text in enumerate(VOCABULARY) if fits(probe, text)}
            wrong = {VOCABULARY[token] for token in (tokens - {STOP}) ^ expected}
            assert not wrong, f"after {out!r}: {wrong}"
            assert (STOP in tokens) == probe.is_completed()
            token = step(tokens, rng)
            if token == STOP:
                break
            assert matcher.accept_token(token)
            assert all(probe.accept_string(bytes([byte])) for byte in VOCABULARY[token])
            out += VOCABULARY[token]
