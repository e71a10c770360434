"""Grammars of Python's types and signatures.

Every text that a walk along random masks writes must be taken by the type itself (a call, a constructor, or
Pydantic's `TypeAdapter`), and by `jsonschema` against the schema. What the type refuses must be refused.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import enum
import functools
import json
import random
import sys
import types
import typing
import uuid
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypeVar, Union

import annotated_types
import jsonschema
import pydantic
import pydantic.v1
import pytest
import typing_extensions
from typing_extensions import Doc, NotRequired, Required, TypedDict, Unpack

import bytewright as bw
from bytewright.json_schema import signature_schema, type_schema

BYTES = bw.TokenizerInfo([bytes([b]) for b in range(256)] + [b"</s>"], stop_token_ids=[256])
COMPILER = bw.GrammarCompiler(BYTES)
T = TypeVar("T")
Number = TypeVar("Number", int, float)


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclasses.dataclass
class Node:
    value: int
    children: list[Node] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Person:
    name: str
    color: Color
    age: int = 3
    scale: dataclasses.InitVar[int] = 1
    hidden: int = dataclasses.field(init=False, default=0)
    count: typing.ClassVar[int] = 0


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Partial(Movie, total=False):
    rating: Required[float]
    tags: set[str]


class Point(NamedTuple):
    x: int
    y: int = 0


@dataclasses.dataclass
class Box(Generic[T]):
    content: T
    next: Box[T] | None = None


@dataclasses.dataclass
class Labelled(Box[int]):
    label: str = ""


@dataclasses.dataclass
class Wrapped(Box[list[T]], Generic[T]):
    extra: T | None = None


class Model(pydantic.BaseModel):
    inner: Model | None = None
    n: int = pydantic.Field(gt=0)


class OldInner(pydantic.v1.BaseModel):
    x: int


class Old(pydantic.v1.BaseModel):
    inner: OldInner
    kind: Literal["a", "b"] = "a"


UserId = NewType("UserId", int)
Json = typing_extensions.TypeAliasType("Json", "dict[str, Json] | list[Json] | int")


def accepts(grammar: bw.Grammar, value: Any) -> bool:
    matcher = bw.GrammarMatcher(COMPILER.compile_grammar(grammar))
    return matcher.accept_string(json.dumps(value)) and matcher.is_completed()


def samples(grammar: bw.Grammar, count: int, seed: int = 0) -> list[Any]:
    """Values that random walks along the masks write, hurried to their end by a liking for closing."""
    rng = random.Random(seed)
    compiled = COMPILER.compile_grammar(grammar)
    mask = bw.allocate_token_bitmask(1, BYTES.vocab_size, backend="numpy")
    found = []
    for _ in range(count):
        matcher, text = bw.GrammarMatcher(compiled), b""
        while not (matcher.is_completed() and (len(text) > 40 or rng.random() < 0.5)):
            matcher.fill_next_token_bitmask(mask)
            # The end is the last token.
            allowed = [i for i in range(256) if int(mask[0, i >> 5]) >> (i & 31) & 1]
            if not allowed:
                break
            # Blanks and escapes say nothing new, and numbers are kept as Python's `int` writes them.
            plain = [i for i in allowed if 32 < i < 127 and chr(i) not in "\\eE."] or allowed
            in_text = len(plain) > 60
            closing = [i for i in plain if chr(i) in ('"' if in_text else "]}")] if len(text) > 60 else []
            token = rng.choice(closing or plain)
            assert matcher.accept_token(token)
            text += bytes([token])
            assert len(text) < 2_000
        found.append(json.loads(text))
    return found


def check(annotation: Any, good: list[Any], bad: list[Any], build: Any = None) -> None:
    """The grammar takes the good and not the bad, and whatever it writes is built by the type."""
    schema = type_schema(annotation)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    grammar = bw.Grammar.from_json_schema(annotation)
    adapter = None if build else pydantic.TypeAdapter(annotation)
    build = build or (lambda value: adapter.validate_json(json.dumps(value)))
    for value in good:
        assert accepts(grammar, value), value
        build(value)
    for value in bad:
        assert not accepts(grammar, value), value
        # To `jsonschema`, a format is an annotation.
        assert "format" in schema or not validator.is_valid(value), value
    # Without other names, and with required ones first: walks that end.
    short = bw.Grammar.from_json_schema(annotation, additional_properties=False, any_order=False)
    for value in samples(short, 8):
        validator.validate(value)
        build(value)


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (int, [1, -5], ["1", 1.5, True, None]),
        (bool, [True], [1, "true"]),
        (Union[int, str], [1, "x"], [None, 1.5]),  # noqa: UP007
        (int | None, [1, None], ["x"]),
        (Optional[Color], ["red", None], ["blue"]),  # noqa: UP045
        (list[int], [[], [1, 2]], [["x"], {}]),
        (list, [[], [1, "x"]], [{}]),
        (collections.abc.Sequence[bool], [[True]], [[1]]),
        (tuple[int, str], [[1, "x"]], [[1], [1, "x", 2], ["x", 1]]),
        (tuple[int, ...], [[], [1, 2, 3]], [["x"]]),
        (tuple[()], [[]], [[1]]),
        (set[int], [[1, 2]], [[1, 1], ["x"]]),
        (dict[str, int], [{}, {"a": 1}], [{"a": "x"}, []]),
        (dict[int, bool], [{"1": True, "-20": False}], [{"x": True}, {"01": True}, {"-0": True}]),
        (dict[Literal["a", "b"], int], [{"a": 1}], [{"c": 1}]),
        (dict[Color, int], [{"red": 1}], [{"blue": 1}]),
        (Literal["x", 1, True, None], ["x", 1, True, None], [2, False, "y"]),
        (Color, ["red", "green"], ["RED", 1]),
        (Level, [1, 2], [3, "LOW"]),
        (UserId, [7], ["x"]),
        (Point, [[1], [1, 2]], [[], [1, 2, 3], ["x"]]),
        (Movie, [{"title": "x"}, {"year": 1, "title": "x"}], [{}, {"title": 1}, {"title": "x", "z": 1}]),
        (Partial, [{"title": "x", "rating": 1.5, "tags": ["a"]}], [{"title": "x"}, {"rating": 1}]),
        (Node, [{"value": 1, "children": [{"value": 2}]}], [{}, {"value": 1, "children": [{}]}]),
        (Box[int], [{"content": 1, "next": {"content": 2, "next": None}}], [{"content": "x"}]),
        (Box[list[str]], [{"content": ["x"]}], [{"content": [1]}, {"content": "x"}]),
        (Labelled, [{"content": 1, "label": "x"}], [{"content": "x"}]),
        (Json, [{"a": [1, {}]}], ["x", {"a": "x"}]),
        (Annotated[int, annotated_types.Ge(2), annotated_types.Lt(9)], [2, 8], [1, 9]),
        (Annotated[int, annotated_types.Interval(gt=1, le=3)], [2, 3], [1, 4]),
        (Annotated[float, annotated_types.MultipleOf(0.5)], [1.5], [1.2]),
        (Annotated[list[int], annotated_types.Len(1, 2)], [[1], [1, 2]], [[], [1, 2, 3]]),
        (Annotated[str, annotated_types.MinLen(2)], ["ab"], ["a"]),
        (Annotated[Node, "no constraint"], [{"value": 1}], [{}]),
        (Annotated[str, pydantic.Field(pattern="^[ab]+$", max_length=3)], ["ab"], ["c", "abab"]),
        (Annotated[Node, pydantic.Field(description="d")], [{"value": 1}], [{"value": 1, "other": 2}]),
        (Annotated[int, pydantic.Field(gt=1, le=3)], [2, 3], [1, 4]),
        (Annotated[str, pydantic.Field(json_schema_extra={"pattern": "^a"})], ["ab"], ["b"]),
        (Annotated[str, pydantic.StringConstraints(min_length=2)], ["ab"], ["a"]),
        (list[Model], [[{"n": 1, "inner": {"n": 2}}]], [[{"n": 0}], [{"n": 1, "inner": {"n": -1}}]]),
        (datetime.date, ["2024-02-29"], ["2023-02-29", "0000-01-01", "x"]),
        (datetime.datetime, ["2024-02-29T23:59:59Z"], ["2016-12-31T23:59:60Z", "2024-02-29"]),
        (datetime.time, ["23:59:59.5+01:00"], ["24:00:00Z"]),
        (uuid.UUID, ["123e4567-e89b-12d3-a456-426614174000"], ["x"]),
    ],
    ids=str,
)
def test_types(annotation: Any, good: list[Any], bad: list[Any]) -> None:
    check(annotation, good, bad)


def test_literal_members_of_an_enum_are_their_values() -> None:
    assert type_schema(Literal[Color.RED]) == {"enum": ["red"]}


def test_values_of_any_type() -> None:
    for annotation in (Any, object):
        assert accepts(bw.Grammar.from_json_schema(annotation), [{"a": 1}])


def test_a_dataclass_is_built_by_its_constructor() -> None:
    good = [{"name": "x", "color": "red"}, {"name": "x", "color": "green", "age": 1, "scale": 2}]
    bad = [
        {"name": "x"},
        {"name": "x", "color": "red", "hidden": 1},
        {"name": "x", "color": "red", "count": 1},
    ]
    check(Person, good, bad, build=lambda value: Person(**{**value, "color": Color(value["color"])}))


def test_a_dataclass_with_a_constructor_of_its_own() -> None:
    @dataclasses.dataclass
    class Odd:
        x: int

        def __init__(self, text: str) -> None:
            self.x = len(text)

    check(Odd, [{"text": "x"}], [{"x": 1}], build=lambda value: Odd(**value))


def test_local_classes_may_refer_to_themselves() -> None:
    @dataclasses.dataclass
    class Local:
        kind: Kind  # noqa: F821  # there is none
        next: Local | None = None

    with pytest.raises(bw.UnsupportedTypeError, match=r"^kind of .*'Kind' is not defined"):
        type_schema(Local)

    @dataclasses.dataclass
    class Chain:
        next: Chain | None = None

    check(Chain, [{"next": {"next": None}}], [{"next": 1}], build=lambda value: Chain(**value))


def search(
    query: str,
    *,
    limit: Annotated[int, annotated_types.Ge(1), annotated_types.Le(50)] = 10,
    order: Literal["new", "old"] = "new",
    where: Node | None = None,
) -> list[str]:
    return [query, str(limit), order, str(where)]


def test_signatures() -> None:
    schema = signature_schema(search)
    assert schema["required"] == ["query"]
    assert schema["properties"]["limit"] == {"type": "integer", "minimum": 1, "maximum": 50, "default": 10}
    grammar = bw.Grammar.from_signature(search)
    assert accepts(grammar, {"query": "x"})
    assert accepts(grammar, {"query": "x", "limit": 5, "where": {"value": 1}})
    for bad in ({}, {"query": "x", "limit": 0}, {"query": "x", "extra": 1}, {"query": 1}, []):
        assert not accepts(grammar, bad)
    for value in samples(grammar, 20):
        jsonschema.validate(value, schema)
        assert search(**value)


def test_options_of_signatures() -> None:
    grammar = bw.Grammar.from_signature(search, any_order=False, any_whitespace=False)
    matcher = bw.GrammarMatcher(COMPILER.compile_grammar(grammar))
    assert not matcher.accept_string('{"limit": 1')
    assert not matcher.accept_string('{ "query"')
    assert matcher.accept_string('{"query": "x", "limit": 1}')
    with pytest.raises(TypeError):
        bw.Grammar.from_signature(search, no_such_option=1)


def test_whatever_can_be_called() -> None:
    class Tool:
        def run(self, n: int) -> int:
            return n

        def __call__(self, word: str) -> str:
            return word

        @classmethod
        def make(cls, flag: bool) -> Tool:
            return cls()

    assert list(signature_schema(Tool().run)["properties"]) == ["n"]
    assert list(signature_schema(Tool())["properties"]) == ["word"]
    assert signature_schema(Tool.make)["properties"] == {"flag": {"type": "boolean"}}
    bound = functools.partial(search, "x", limit=3)
    assert list(signature_schema(bound)["properties"]) == ["limit", "order", "where"]
    assert COMPILER.compile_json_schema(Tool().run)
    assert list(signature_schema(Person)["properties"]) == ["name", "color", "age", "scale"]
    no_arguments = bw.Grammar.from_signature(lambda: 1)
    assert accepts(no_arguments, {})
    assert not accepts(no_arguments, {"a": 1})


def test_descriptions_are_kept_for_prompts() -> None:
    def function(
        a: Annotated[str, pydantic.Field(description="one")], b: Annotated[int, Doc("two")]
    ) -> None: ...

    properties = signature_schema(function)["properties"]
    assert [part["description"] for part in properties.values()] == ["one", "two"]


NEW_SYNTAX = """
type Pair[T] = tuple[T, T]
type Tree = int | list[Tree]
@dataclasses.dataclass
class Holder[T]:
    pair: Pair[T]
    tree: "Tree"
def function[N: (int, str)](a: Holder[bool], b: "N", c: Pair[str] = ("", "")): ...
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax is that of Python 3.12")
@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
def test_new_syntax(future: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = types.ModuleType("new_syntax")
    monkeypatch.setitem(sys.modules, "new_syntax", module)
    exec(compile(f"{future}import dataclasses{NEW_SYNTAX}", "new", "exec", dont_inherit=True), vars(module))
    grammar = bw.Grammar.from_signature(module.function)
    good = {"a": {"pair": [True, False], "tree": [1, [2, []]]}, "b": "x", "c": ["a", "b"]}
    assert accepts(grammar, good)
    for name, value in [
        ("b", True),
        ("c", [1, 2]),
        ("a", {"pair": [1, 2], "tree": 1}),
        ("a", {"pair": [True]}),
    ]:
        assert not accepts(grammar, {**good, name: value})


def test_keyword_arguments_of_a_typed_dict() -> None:
    def function(a: int, **rest: Unpack[Movie]) -> Any:
        return a, rest

    schema = signature_schema(function)
    assert (list(schema["properties"]), schema["required"]) == (["a", "title", "year"], ["a", "title"])


class Base(typing.TypedDict, total=False):
    a: int


class Derived(Base):
    b: Required[str]
    c: NotRequired[list[Derived]]


def test_typed_dicts_of_the_standard_library() -> None:
    schema = type_schema(Derived)
    assert schema["$defs"]["Derived"]["required"] == ["b"]
    grammar = bw.Grammar.from_json_schema(Derived)
    assert accepts(grammar, {"b": "", "c": [{"a": 1, "b": "x"}]})
    assert not accepts(grammar, {"b": "", "c": [{"a": 1}]})


def test_defaults_of_pydantic_fields() -> None:
    def function(a: int = pydantic.Field(gt=0), b: int = pydantic.Field(default=3, lt=9)) -> None: ...

    grammar = bw.Grammar.from_signature(function)
    assert accepts(grammar, {"a": 1})
    for bad in ({"b": 1}, {"a": 0}, {"a": 1, "b": 9}):
        assert not accepts(grammar, bad)


class Unsupported:
    pass


def no_annotation(a, b: int) -> None: ...  # type: ignore[no-untyped-def]
def rest_of_arguments(a: int, *rest: int) -> None: ...
def any_keywords(**rest: int) -> None: ...
def by_place(a: int, /) -> None: ...
def nested(a: list[dict[str, Unsupported]]) -> None: ...
def a_callable(a: int, call: collections.abc.Callable[[int], int]) -> None: ...
def raw(data: bytes) -> None: ...
def missing(a: NoSuchName) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def predicate(a: Annotated[int, annotated_types.Predicate(bool)]) -> None: ...
def long_number(a: Annotated[int, annotated_types.MinLen(1)]) -> None: ...
def keys(a: dict[float, int]) -> None: ...
def bad_literal(a: Literal[b"x"]) -> None: ...


@pytest.mark.parametrize(
    ("function", "parameter", "why"),
    [
        (no_annotation, "a", "annotate it"),
        (rest_of_arguments, "rest", "args"),
        (any_keywords, "rest", "Unpack"),
        (by_place, "a", "positional-only"),
        (nested, "a", "Unsupported"),
        (a_callable, "call", "no type that JSON can say"),
        (raw, "data", "bytes"),
        (missing, "a", "NoSuchName"),
        (predicate, "a", "Predicate"),
        (long_number, "a", "MinLen"),
        (keys, "a", "keys"),
        (bad_literal, "a", "b'x'"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_errors_name_the_parameter(function: Any, parameter: str, why: str) -> None:
    with pytest.raises(bw.UnsupportedTypeError, match=why) as caught:
        bw.Grammar.from_signature(function)
    assert caught.value.parameter == parameter
    assert function.__name__ in str(caught.value)
    assert isinstance(caught.value, TypeError)


def test_errors_have_the_whole_way() -> None:
    with pytest.raises(bw.UnsupportedTypeError) as caught:
        bw.Grammar.from_signature(nested)
    assert (caught.value.path, caught.value.annotation) == ("a[]{}", "Unsupported")


class Endless(Generic[T]):
    __annotations__ = {"next": "Endless[list[T]]"}


Endless = dataclasses.dataclass(Endless)  # type: ignore[assignment, misc]


def test_a_type_variable_stands_for_one_thing() -> None:
    with pytest.raises(bw.UnsupportedTypeError, match="something else"):
        type_schema(Wrapped[int])


def test_odd_types_are_refused() -> None:
    class Empty(enum.Enum):
        pass

    class Flags(enum.Flag):
        A = 1

    class Texts(enum.Enum):
        PAIR = (1, 2)

    for annotation in (
        Empty,
        Flags,
        Texts,
        complex,
        type,
        Unsupported,
        list[bytes],
        Endless[int],
        typing.NoReturn,
    ):
        with pytest.raises(bw.UnsupportedTypeError):
            type_schema(annotation)
    with pytest.raises(bw.InvalidArgumentError):
        COMPILER.compile_json_schema(3.5)


def test_pydantic_of_both_versions() -> None:
    for value in samples(bw.Grammar.from_json_schema(Old, additional_properties=False, any_order=False), 10):
        Old(**value)
    old = bw.Grammar.from_json_schema(Old)
    assert accepts(old, {"inner": {"x": 1}})
    assert not accepts(old, {"inner": {"x": "y"}})
    assert not accepts(old, {"inner": {"x": 1}, "kind": "c"})
    check(dict[str, Model], [{"a": {"n": 1}}], [{"a": {"n": 0}}])

    @pydantic.dataclasses.dataclass
    class Checked:
        n: Annotated[int, pydantic.Field(ge=1)]

    check(Checked, [{"n": 1}], [{"n": 0}])

    @dataclasses.dataclass
    class Mixed:
        old: Old
        new: list[Model]
        again: Model | None = None

    schema = type_schema(Mixed)
    value = {"old": {"inner": {"x": 1}}, "new": [{"n": 1, "inner": {"n": 2}}], "again": {"n": 3}}
    jsonschema.validate(value, schema)
    mixed = bw.Grammar.from_json_schema(Mixed)
    assert accepts(mixed, value)
    assert not accepts(mixed, {**value, "again": {"n": 0}})
    assert not accepts(mixed, {**value, "old": {"inner": {}}})


def test_types_live_in_structural_tags() -> None:
    tag = {
        "type": "tag",
        "begin": "<f>",
        "content": {"type": "json_schema", "json_schema": search},
        "end": "</f>",
    }
    matcher = bw.GrammarMatcher(COMPILER.compile_structural_tag({"type": "structural_tag", "format": tag}))
    assert matcher.accept_string('<f>{"query": "x"}</f>')
    assert matcher.is_completed()


def test_the_core_needs_no_pydantic() -> None:
    import subprocess

    code = (
        "import sys; sys.modules['pydantic'] = None; sys.modules['annotated_types'] = None\n"
        "import dataclasses, bytewright as bw\n"
        "@dataclasses.dataclass\n"
        "class A:\n    x: int\n    y: list[str] = dataclasses.field(default_factory=list)\n"
        "def f(a: A, b: int | None = None): ...\n"
        "print(bw.Grammar.from_signature(f))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert '"required": ["a"]' in done.stdout
