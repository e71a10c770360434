"""What each draft makes of a keyword, each format, and what is said of schemas that nothing satisfies."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

import bytewright as bw

BYTES = bw.TokenizerInfo([bytes([b]) for b in range(256)] + [b"</s>"], stop_token_ids=[256])
COMPILER = bw.GrammarCompiler(BYTES)
DRAFTS = ["draft4", "draft6", "draft7", "draft2019-09", "draft2020-12"]
URIS = {
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}


def accepts(schema: Any, value: Any, **options: Any) -> bool:
    text = value if isinstance(value, str) and not options.pop("as_value", False) else json.dumps(value)
    matcher = bw.GrammarMatcher(COMPILER.compile_json_schema(schema, **options))
    return matcher.accept_string(text) and matcher.is_completed()


# A schema, a value that the keyword refuses where it is one, and the drafts in which it is.
KEYWORDS: dict[str, tuple[Any, Any, list[str]]] = {
    "const": ({"const": 1}, 2, DRAFTS[1:]),
    "contains": ({"contains": {"type": "null"}}, [1], DRAFTS[1:]),
    "propertyNames": ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, DRAFTS[1:]),
    "exclusiveMinimum as a number": ({"exclusiveMinimum": 3}, 3, DRAFTS[1:]),
    "if": ({"if": {"type": "integer"}, "then": {"minimum": 3}}, 1, DRAFTS[2:]),
    "minContains": ({"contains": {"type": "null"}, "minContains": 2}, [None], DRAFTS[3:]),
    "maxContains": ({"contains": {"type": "null"}, "maxContains": 1}, [None, None], DRAFTS[3:]),
    "dependentRequired": ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, DRAFTS[3:]),
    "dependentSchemas": ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1}, DRAFTS[3:]),
    "unevaluatedProperties": ({"unevaluatedProperties": False}, {"a": 1}, DRAFTS[3:]),
    "unevaluatedItems": ({"unevaluatedItems": False}, [1], DRAFTS[3:]),
    "prefixItems": ({"prefixItems": [{"type": "null"}]}, [1], DRAFTS[4:]),
    "items as a list": ({"items": [{"type": "null"}]}, [1], DRAFTS[:4]),
    "additionalItems": ({"items": [{}], "additionalItems": False}, [1, 2], DRAFTS[:4]),
    "beside $ref": ({"$ref": "#/definitions/a", "minimum": 3, "definitions": {"a": {}}}, 1, DRAFTS[3:]),
    "multipleOf": ({"multipleOf": 2}, 3, DRAFTS),
    "maximum": ({"maximum": 2}, 3, DRAFTS),
    "minLength": ({"minLength": 2}, '"a"', DRAFTS),
    "maxLength": ({"maxLength": 2}, '"abc"', DRAFTS),
    "pattern": ({"pattern": "^a"}, '"b"', DRAFTS),
    "items": ({"items": {"type": "null"}}, [1], DRAFTS),
    "minItems": ({"minItems": 2}, [1], DRAFTS),
    "maxItems": ({"maxItems": 1}, [1, 2], DRAFTS),
    "uniqueItems": ({"uniqueItems": True}, [1, 1], DRAFTS),
    "required": ({"required": ["a"]}, {"b": 1}, DRAFTS),
    "properties": ({"properties": {"a": {"type": "null"}}}, {"a": 1}, DRAFTS),
    "patternProperties": ({"patternProperties": {"^a": {"type": "null"}}}, {"ab": 1}, DRAFTS),
    "additionalProperties": ({"additionalProperties": False}, {"a": 1}, DRAFTS),
    "minProperties": ({"minProperties": 2}, {"a": 1}, DRAFTS),
    "maxProperties": ({"maxProperties": 1}, {"a": 1, "b": 1}, DRAFTS),
    "dependencies": ({"dependencies": {"a": ["b"]}}, {"a": 1}, DRAFTS),
    "enum": ({"enum": [1, None]}, 2, DRAFTS),
    "type": ({"type": ["string", "null"]}, 2, DRAFTS),
    "allOf": ({"allOf": [{"minimum": 2}, {"maximum": 3}]}, 1, DRAFTS),
    "anyOf": ({"anyOf": [{"minimum": 2}, {"maximum": 0}]}, 1, DRAFTS),
    "oneOf": ({"oneOf": [{"minimum": 2}, {"maximum": 3}]}, 2.5, DRAFTS),
    "not": ({"not": {"type": "integer"}}, 2, DRAFTS),
}


@pytest.mark.parametrize("name", KEYWORDS)
@pytest.mark.parametrize("draft", DRAFTS)
def test_a_keyword_is_one_in_its_drafts(name: str, draft: str) -> None:
    schema, refused, known = KEYWORDS[name]
    if name == "items as a list" and draft == "draft2020-12":
        with pytest.raises(bw.InvalidSchemaError, match="prefixItems"):
            COMPILER.compile_json_schema(schema, draft=draft)
        return
    if name == "additionalItems" and draft == "draft2020-12":
        return
    if name == "exclusiveMinimum as a number" and draft == "draft4":
        # There it says whether the minimum belongs.
        assert not accepts({"minimum": 3, "exclusiveMinimum": True}, 3, draft=draft)
        return
    assert accepts(schema, refused, draft=draft) == (draft not in known)
    # Where nobody says which draft it is, every keyword means what it meant in its own.
    assert accepts({"$schema": URIS[draft], **schema}, refused) == (draft not in known)
    if name != "beside $ref":
        assert not accepts(schema, refused)


# For each format texts that are of it, and texts that are not.
FORMATS: dict[str, tuple[list[str], list[str]]] = {
    "date": (["2024-02-29"], ["2023-02-29", "2024-2-29", "2024-13-01"]),
    "time": (["23:59:60Z", "12:00:00.5+01:00"], ["24:00:00Z", "12:00:00"]),
    "date-time": (["2024-02-29T12:00:00Z"], ["2024-02-29 12:00:00Z", "2024-02-30T12:00:00Z"]),
    "duration": (["P1Y2M3DT4H5M6S", "P2W"], ["P", "PT", "1Y", "P1S"]),
    "email": (["a.b@example.com"], ["a..b@example.com", "a@", "@b"]),
    "idn-email": (["ä@bücher.example"], ["ä", "ä@"]),
    "hostname": (["a-b.example"], ["-a.example", "a_b", "a" * 64]),
    "idn-hostname": (["bücher.example"], ["-ü.example", "ü_b"]),
    "ipv4": (["127.0.0.1"], ["256.0.0.1", "1.2.3", "01.2.3.4"]),
    "ipv6": (["::1", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4"], [":::", "1:2", "12345::"]),
    "uri": (["https://example.com/a?b#c"], ["/a", "a b:c"]),
    "uri-reference": (["/a", "https://example.com"], ["\\a", "a b"]),
    "iri": (["https://bücher.example/ä"], ["/ä"]),
    "iri-reference": (["/ä"], ["\\ä"]),
    "uri-template": (["/a/{b}{?c*}"], ["/a/{b"]),
    "uuid": (["123e4567-e89b-12d3-a456-426614174000"], ["123e4567e89b12d3a456426614174000"]),
    "json-pointer": (["", "/a~0/b~1"], ["a", "/~2"]),
    "relative-json-pointer": (["0", "1/a", "2#"], ["/a", "01"]),
    "regex": (["^a{1,2}[b-d]$", "[A-Fx1-7_]", "[^!-~]"], ["a**", "(", "[b-a]", "[b-C]"]),
}


@pytest.mark.parametrize("name", FORMATS)
def test_each_format(name: str) -> None:
    good, bad = FORMATS[name]
    for text in good:
        assert accepts({"format": name}, text, as_value=True), text
    for text in bad:
        assert not accepts({"format": name}, text, as_value=True), text
        assert accepts({"format": name}, text, as_value=True, assert_formats=False), text
    assert accepts({"format": name}, 12)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 3, "maximum": 2}, "no number|exclude each other"),
        ({"type": "integer", "exclusiveMinimum": 2, "exclusiveMaximum": 3}, "no number"),
        ({"type": "string", "pattern": "^a{3}$", "maxLength": 2}, "no string"),
        ({"type": "string", "format": "ipv4", "minLength": 40}, "no string"),
        ({"type": "array", "minItems": 2, "items": {"const": 1}, "uniqueItems": True}, "uniqueItems"),
        ({"type": "array", "minItems": 1, "items": False}, "exclude each other|ruled out"),
        ({"type": "array", "contains": {"type": "null"}, "items": {"type": "string"}}, "contains"),
        ({"type": "object", "required": ["a"], "properties": {"a": False}}, "/a|exclude each other"),
        ({"type": "object", "required": ["a"], "additionalProperties": False}, "exclude each other|/a"),
        ({"type": "object", "required": ["a", "b"], "maxProperties": 1}, "exclude each other|bounds"),
        ({"const": 1, "type": "string"}, "exclude each other"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "exclude each other"),
        ({"properties": {"n": {"not": {}}}, "required": ["n"], "type": "object"}, "/n"),
    ],
)
def test_a_contradiction_is_named(schema: Any, words: str) -> None:
    with pytest.raises(bw.EmptyLanguageError, match=words):
        COMPILER.compile_json_schema(schema)


def test_objects_are_open_unless_they_or_the_option_say_otherwise() -> None:
    schema = {"properties": {"a": {}, "b": {"properties": {"c": {}}}}}
    assert accepts(schema, {"x": 1, "b": {"y": 1}})
    assert not accepts(schema, {"x": 1}, additional_properties=False)
    assert not accepts(schema, {"b": {"y": 1}}, additional_properties=False)
    # What has no `properties`, or says itself, is left alone.
    assert accepts({"type": "object"}, {"x": 1}, additional_properties=False)
    assert accepts({**schema, "additionalProperties": True}, {"x": 1}, additional_properties=False)


def test_long_bounded_strings_as_others_fail_on() -> None:
    """`maxLength: 2000` and bounded patterns: exact to the last character, whatever it is spelled with."""
    for schema, most in [
        ({"type": "string", "maxLength": 2000}, 2000),
        ({"type": "string", "pattern": "^[a-z]{0,255}$"}, 255),
        ({"type": "string", "pattern": "^[a-z]*$", "maxLength": 300}, 300),
    ]:
        matcher = bw.GrammarMatcher(COMPILER.compile_json_schema(schema))
        assert matcher.accept_string('"' + "a" * (most - 1))
        for raw in "\n\t\x00\x1f":
            assert not matcher.fork().accept_string(raw)
        assert matcher.accept_string("\\u0061")
        assert not matcher.fork().accept_string("a")
        assert matcher.accept_string('"')
        assert matcher.is_completed()


HUGE: dict[str, Any] = {
    "an id": {"enum": [1e308], "not": {"multipleOf": 0.123456789, "type": "integer"}},
    "a range": {"type": "integer", "multipleOf": 123456789, "minimum": 1, "maximum": 10**12},
    "no multiple of some": {
        "type": "number",
        "anyOf": [{"multipleOf": 33}, {"multipleOf": 12}, {"multipleOf": 77}],
        "not": {"anyOf": [{"multipleOf": 6}, {"multipleOf": 83325}]},
        "maximum": 3000,
    },
}


def test_large_divisors_beside_bounds() -> None:
    assert accepts(HUGE["an id"], "1" + "0" * 308)
    assert not accepts(HUGE["an id"], "1" + "0" * 307)
    for text in ["123456789", "246913578.0", "999999990099"]:
        assert accepts(HUGE["a range"], text) == (int(float(text)) % 123456789 == 0)
    assert not accepts(HUGE["a range"], str(123456789 * 8101))
    compiled = COMPILER.compile_json_schema(HUGE["no multiple of some"])
    for value in range(3100):
        multiple = value % 33 == 0 or value % 12 == 0 or value % 77 == 0
        expected = multiple and value % 6 != 0 and value % 83325 != 0 and value <= 3000
        matcher = bw.GrammarMatcher(compiled)
        assert (matcher.accept_string(str(value)) and matcher.is_completed()) == expected, value


def test_no_number_that_is_begun_is_a_dead_end() -> None:
    compiled = COMPILER.compile_json_schema(HUGE["a range"])
    mask = bw.allocate_token_bitmask(1, BYTES.vocab_size, backend="numpy")
    # The last multiple is 8100 times the divisor: 999,999,990,900.
    matcher = bw.GrammarMatcher(compiled)
    for byte in b"999999990900":
        matcher.fill_next_token_bitmask(mask)
        assert int(mask[0, byte >> 5]) >> (byte & 31) & 1
        assert matcher.accept_token(byte)
    assert matcher.is_completed()
    assert not bw.GrammarMatcher(compiled).accept_string("9999999910")


@pytest.mark.parametrize(
    ("inner", "error", "keyword"),
    [
        ({"pattern": r"(a)\1"}, bw.UnsupportedSchemaError, "pattern"),
        ({"$ref": "#/nowhere"}, bw.InvalidSchemaError, "#/nowhere"),
        ({"type": "number", "multipleOf": 0}, bw.InvalidSchemaError, "multipleOf"),
        ({"type": "strin"}, bw.InvalidSchemaError, "strin"),
        ({"minLength": "3"}, bw.InvalidSchemaError, "minLength"),
    ],
)
@pytest.mark.parametrize("way", ["properties", "items", "oneOf", "not", "choice", "$ref"])
def test_what_is_refused_far_inside_is_refused_before_matching(
    way: str, inner: dict[str, Any], error: type[Exception], keyword: str
) -> None:
    nested = {
        "properties": {"properties": {"x": {"properties": {"a": inner}}}},
        "items": {"prefixItems": [True, {"items": inner}]},
        "oneOf": {"oneOf": [{"type": "string"}, {"additionalProperties": inner, "type": "object"}]},
        "not": {"properties": {"x": {"not": inner}}},
        "choice": {"anyOf": [{"required": ["x"], "properties": {"x": inner}}, {"required": ["y"]}]},
        "$ref": {"items": {"$ref": "#/$defs/d"}, "$defs": {"d": {"contains": {"items": inner}}}},
    }[way]
    with pytest.raises(error, match=re.escape(keyword)):
        COMPILER.compile_json_schema(nested)


def test_a_combination_that_is_refused_is_refused_before_matching() -> None:
    inner = {"minProperties": 1, "maxProperties": 3, "dependentRequired": {"a": ["b"]}}
    with pytest.raises(bw.UnsupportedSchemaError) as error:
        COMPILER.compile_json_schema({"properties": {"x": {"items": inner}}})
    assert (error.value.keyword, error.value.pointer) == ("minProperties", "/properties/x/items")
