"""JSON texts and base64 inside strings, against Python's own decoders."""

from __future__ import annotations

import base64
import json
import random
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bytewright as bw

BYTES = bw.TokenizerInfo([bytes([b]) for b in range(256)] + [b"</s>"], stop_token_ids=[256])
COMPILER = bw.GrammarCompiler(BYTES)
JSON = {"contentMediaType": "application/json"}
BASE64 = {"contentEncoding": "base64"}

values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-99, 99),
        st.floats(allow_nan=False, width=16),
        st.text(max_size=3),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=5,
)


def compiled(schema: Any, **options: Any) -> bw.CompiledGrammar:
    options.setdefault("draft", "draft7")
    return COMPILER.compile_json_schema(schema, **options)


def accepts(grammar: bw.CompiledGrammar, instance: Any, *, ascii_only: bool = False) -> bool:
    matcher = bw.GrammarMatcher(grammar)
    text = json.dumps(instance, ensure_ascii=ascii_only)
    return matcher.accept_string(text) and matcher.is_completed()


def decoded(text: str) -> bytes | None:
    # Python's decoder takes superfluous padding.
    if not re.fullmatch(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", text):
        return None
    return base64.b64decode(text, validate=True)


def is_json(text: str | bytes | None) -> bool:
    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    if text is None:
        return False
    try:
        json.loads(text.decode() if isinstance(text, bytes) else text, parse_constant=refuse)
    except ValueError:
        return False
    return True


def mutated(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    end = min(len(text), at + rng.choice([0, 1]))
    return text[:at] + rng.choice(["", " ", '"', ",", "0", "}", "[", "é", "=", "A", "\\", "-"]) + text[end:]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(value=values, indent=st.sampled_from([None, 1]), ascii_only=st.booleans(), seed=st.integers(0, 2**32))
def test_json_texts_are_those_that_a_parser_takes(
    value: Any, indent: int | None, ascii_only: bool, seed: int
) -> None:
    rng = random.Random(seed)
    plain, packed, encoded = compiled(JSON), compiled({**JSON, **BASE64}), compiled(BASE64)
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    texts = [text, *(mutated(text, rng) for _ in range(8))]
    for one in texts:
        assert accepts(plain, one, ascii_only=ascii_only) == is_json(one), one
        inside = base64.b64encode(one.encode()).decode()
        for outer in [inside, mutated(inside, rng), one]:
            assert accepts(packed, outer) == is_json(decoded(outer)), outer
            assert accepts(encoded, outer) == (decoded(outer) is not None), outer


@pytest.mark.parametrize("schema", [JSON, BASE64, {**JSON, **BASE64}])
def test_walks_end_in_what_decoders_take(schema: Any) -> None:
    grammar = compiled({"type": "string", **schema})
    mask = bw.allocate_token_bitmask(1, BYTES.vocab_size, backend="numpy")
    way_out = [*b'"}]0=', *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz123456789+/"]
    for seed in range(40):
        rng = random.Random(seed)
        matcher, out = bw.GrammarMatcher(grammar), bytearray()
        while True:
            matcher.fill_next_token_bitmask(mask)
            allowed = [t for t in range(257) if int(mask[0, t >> 5]) >> (t & 31) & 1]
            assert allowed, bytes(out)
            likely = [t for t in allowed if t in way_out] or allowed
            token = rng.choice(likely if rng.random() < 0.9 else allowed)
            if len(out) > 60:
                token = next((t for t in [256, *b'"=0nulra}]'] if t in allowed), rng.choice(allowed))
            # What is packed has no short way out that one could see.
            if 256 in allowed or len(out) > 300:
                break
            assert matcher.accept_token(token)
            out.append(token)
        if 256 not in allowed:
            continue
        text = json.loads(out.decode(errors="strict"))
        inside = decoded(text) if "contentEncoding" in schema else text
        assert inside is not None
        assert "contentMediaType" not in schema or is_json(inside), out


def test_only_draft_7_asserts_content_and_the_others_say_so() -> None:
    assert not accepts(compiled(JSON), "{:}")
    assert compiled(JSON).annotations == []
    schema = {"properties": {"a": {**JSON, **BASE64}}}
    for options in ({"draft": "draft2020-12"}, {"draft": None}, {"draft": "draft2019-09"}):
        grammar = compiled(schema, **options)
        assert accepts(grammar, {"a": "{:}"})
        assert [kind for kind, _ in grammar.annotations] == ["content", "content"]
        assert "/properties/a/contentMediaType" in grammar.annotations[1][1]
    grammar = compiled(schema, assert_content=False)
    assert accepts(grammar, {"a": "{:}"})
    image = {"contentEncoding": "base64", "contentMediaType": "image/png"}
    assert [message.split()[0] for _, message in compiled(image).annotations] == ['"image/png"']
    assert not accepts(compiled(image), "%")
    other = {"contentEncoding": "quoted-printable", "contentMediaType": "application/json"}
    assert len(compiled(other).annotations) == 2
    assert accepts(compiled(other), "=7B")
    assert accepts(
        compiled({"$schema": "http://json-schema.org/draft-07/schema#", **BASE64}, draft=None), "AA=="
    )
    assert not accepts(
        compiled({"$schema": "http://json-schema.org/draft-07/schema#", **BASE64}, draft=None), "A"
    )


def test_content_beside_other_keywords() -> None:
    schema = {**BASE64, "minLength": 3, "maxLength": 8, "pattern": "^A"}
    grammar = compiled(schema)
    assert accepts(grammar, "AAAA")
    assert accepts(grammar, "AAAABB==")
    assert not any(accepts(grammar, text) for text in ["", "BAAA", "AAAAAAAAAAAA", "A"])
    words = {**JSON, "enum": ["[1]", "[", "x", 1]}
    assert accepts(compiled(words), "[1]")
    assert accepts(compiled(words), 1)
    assert not accepts(compiled(words), "[")
    assert accepts(compiled({"allOf": [JSON, JSON, {"type": "string"}]}), "{}")
    assert accepts(compiled({"anyOf": [JSON, {"const": "x"}]}), "x")
    for schema, pointer in [
        ({**JSON, "maxLength": 5}, "/contentMediaType"),
        ({"properties": {"a": {"allOf": [JSON, {"pattern": "x"}]}}, "required": ["a"]}, "/properties/a"),
        ({"not": JSON}, "/not"),
        ({"propertyNames": JSON}, "/propertyNames"),
    ]:
        with pytest.raises(bw.UnsupportedSchemaError) as unsupported:
            compiled(schema)
        assert (unsupported.value.keyword, unsupported.value.pointer) == ("contentMediaType", pointer)
