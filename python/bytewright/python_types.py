"""Python's types as JSON Schema: what a text must look like for a function or class to take it.

A type is lowered by what it *is*, with `typing` and `inspect` alone; Pydantic is asked only about what is
Pydantic's own (models, its dataclasses, metadata in `Annotated`). Each dataclass, TypedDict and named tuple
becomes one entry of ``$defs``, so a type may refer to itself.

Invariant: nothing is dropped. An annotation that JSON cannot say, or that is missing, is an
`UnsupportedTypeError` with the name of the parameter or field; a default makes a name optional; names that
are not declared are refused, because a call would refuse them.
"""

from __future__ import annotations

import collections
import collections.abc
import contextlib
import dataclasses
import datetime
import decimal
import enum
import inspect
import ipaddress
import json
import pathlib
import sys
import types
import typing
import uuid
from typing import TYPE_CHECKING, Any

from .annotations import (
    bound_variables,
    holder_of,
    is_foreign_typed_dict,
    is_form,
    is_hashable,
    is_pydantic,
    is_pydantic_metadata,
    metadata_parts,
    name_of,
    names_around,
    schema_of_pydantic,
    substituted,
    without_qualifiers,
)
from .errors import UnsupportedTypeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["signature_schema", "type_schema"]

Schema = dict[str, Any]

#: Types nested deeper than this are refused: a generic class that grows as it refers to itself never ends.
MAX_DEPTH = 100

_TIME = r"[0-9:]{6}[0-5][0-9](\.[0-9]{1,6})?(Z|[+-][0-9:]{5})$"

#: What stands for itself. Years and seconds are those that `datetime` has: no year 0, no leap second.
_PLAIN: dict[Any, Schema] = {
    Any: {},
    object: {},
    None: {"type": "null"},
    type(None): {"type": "null"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    decimal.Decimal: {"type": "number"},
    str: {"type": "string"},
    pathlib.Path: {"type": "string"},
    pathlib.PurePath: {"type": "string"},
    uuid.UUID: {"type": "string", "format": "uuid"},
    ipaddress.IPv4Address: {"type": "string", "format": "ipv4"},
    ipaddress.IPv6Address: {"type": "string", "format": "ipv6"},
    datetime.date: {"type": "string", "format": "date", "pattern": "^(?!0000)"},
    datetime.time: {"type": "string", "format": "time", "pattern": f"^{_TIME}"},
    datetime.datetime: {
        "type": "string",
        "format": "date-time",
        "pattern": f"^(?!0000)[0-9-]{{10}}T{_TIME}",
    },
}

_ARRAYS = {
    list,
    collections.deque,
    collections.abc.Sequence,
    collections.abc.MutableSequence,
    collections.abc.Collection,
    collections.abc.Iterable,
}
_SETS = {set, frozenset, collections.abc.Set, collections.abc.MutableSet}
_MAPPINGS = {
    dict,
    collections.OrderedDict,
    collections.defaultdict,
    collections.abc.Mapping,
    collections.abc.MutableMapping,
}

#: Bounds of `annotated_types`, by the attribute that holds them.
_NUMBER_BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
_LENGTHS = {"string": "Length", "array": "Items", "object": "Properties"}


def type_schema(annotation: Any) -> Schema:
    """The JSON Schema of a type: a dataclass, TypedDict, Enum, named tuple, Pydantic model or annotation.

    Raises:
        UnsupportedTypeError: for what JSON cannot say. It names the field.

    >>> type_schema(list[int])
    {'type': 'array', 'items': {'type': 'integer'}}
    """
    lowering = _Lowering()
    return lowering.finish(lowering.lower(annotation))


def signature_schema(function: Callable[..., Any]) -> Schema:
    """The JSON Schema of a function's arguments, as an object: what a tool call needs.

    Parameters with a default are optional; ``function(**json.loads(text))`` takes whatever the schema allows,
    but for types that need a conversion, such as dates and dataclasses.

    Raises:
        UnsupportedTypeError: for a parameter without an annotation, ``*args``, ``**kwargs`` (unless it is an
            ``Unpack`` of a TypedDict), positional-only parameters, and annotations that JSON cannot say.

    >>> def weather(city: str, days: int = 1) -> str: ...
    >>> signature_schema(weather)["required"]
    ['city']
    """
    lowering = _Lowering()
    return lowering.finish(lowering.arguments(function))


class _Lowering:
    """One walk over a type. `definitions` become ``$defs``; `path` is where the walk is, for errors."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        self.names: dict[Any, str] = {}
        self.uses: collections.Counter[str] = collections.Counter()
        self.path: list[str] = []
        self.owner = ""
        self.depth = 0
        #: Values of type variables, and what the names in forward references may mean besides globals.
        self.variables: dict[Any, Any] = {}
        self.known: dict[str, Any] = {}
        self.globals: dict[str, Any] = {}

    def finish(self, schema: Schema) -> Schema:
        """The whole document. A definition that only the document itself uses stands in its place."""
        name = schema.get("$ref", "").removeprefix("#/$defs/")
        if set(schema) == {"$ref"} and self.uses[name] == 1:
            schema = self.definitions.pop(name)
        return {**schema, "$defs": self.definitions} if self.definitions else schema

    def fail(self, annotation: Any, why: str) -> UnsupportedTypeError:
        path = "".join(self.path).lstrip(".")
        shown = annotation.__qualname__ if isinstance(annotation, type) else repr(annotation)
        place = f" of {self.owner}" if self.owner else ""
        error = UnsupportedTypeError(f"{path or 'the type'}{place}: {shown}: {why}")
        error.parameter = self.path[0].lstrip(".") if self.path else ""
        error.path, error.annotation = path, shown
        return error

    @contextlib.contextmanager
    def at(self, step: str) -> Iterator[None]:
        """Goes down to a part, called `step` in errors."""
        self.path.append(step)
        self.depth += 1
        try:
            if self.depth > MAX_DEPTH:
                raise self.fail(Any, f"types are nested more than {MAX_DEPTH} deep")
            yield
        finally:
            self.path.pop()
            self.depth -= 1

    # --- one annotation --------------------------------------------------------------------------------

    def lower(self, annotation: Any) -> Schema:
        """The schema of one annotation."""
        with self.at(""):
            return self._lower(annotation)

    def _lower(self, annotation: Any) -> Schema:
        if isinstance(annotation, (str, typing.ForwardRef)):
            annotation = self._resolve(annotation)
        if isinstance(annotation, typing.TypeVar):
            return self._variable(annotation)
        plain = _PLAIN.get(annotation) if is_hashable(annotation) else None
        if plain is not None:
            return dict(plain)
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            return self._annotated(annotation)
        if is_form(origin, "Literal"):
            return self._values(annotation, typing.get_args(annotation))
        if origin in (typing.Union, types.UnionType):
            options = [self.lower(option) for option in typing.get_args(annotation)]
            return {"anyOf": options}
        if hasattr(annotation, "__supertype__"):
            return self.lower(annotation.__supertype__)
        if type(origin or annotation).__name__ == "TypeAliasType":
            return self._alias(annotation)
        container = self._container(annotation, origin or annotation)
        return self._class(annotation, origin or annotation) if container is None else container

    def _resolve(self, hint: Any) -> Any:
        """An annotation without names in quotes: these are looked up where the class or function stands."""
        text = hint.__forward_arg__ if isinstance(hint, typing.ForwardRef) else hint
        holder = types.SimpleNamespace(__annotations__={"it": text})
        try:
            return typing.get_type_hints(holder, self.globals, self.known, include_extras=True)["it"]
        except NameError as error:
            raise self.fail(text, f"{error}; define it in the module, above") from error
        except Exception as error:
            raise self.fail(text, f"cannot be read: {error}") from error

    def _variable(self, variable: typing.TypeVar) -> Schema:
        if variable in self.variables:
            # What a variable stands for was written outside of where it is used.
            bound, self.variables = self.variables, {}
            try:
                return self.lower(bound[variable])
            finally:
                self.variables = bound
        if variable.__constraints__:
            return {"anyOf": [self.lower(option) for option in variable.__constraints__]}
        return {} if variable.__bound__ is None else self.lower(variable.__bound__)

    def _values(self, annotation: Any, values: tuple[Any, ...]) -> Schema:
        plain = [value.value if isinstance(value, enum.Enum) else value for value in values]
        for value in plain:
            # Subclasses write other JSON, or compare as what they are not.
            if type(value) not in (str, int, bool, float, type(None)) or value in (
                float("inf"),
                -float("inf"),
            ):
                raise self.fail(
                    annotation,
                    f"{value!r} is no JSON value that reads back as it is; use str, int, bool, None",
                )
        if any(value != value for value in plain):
            raise self.fail(annotation, "NaN is no JSON value")
        if not plain:
            raise self.fail(annotation, "has no values")
        return {"enum": plain}

    def _alias(self, annotation: Any) -> Schema:
        """``type Name[T] = ...``, which may refer to itself."""
        alias = typing.get_origin(annotation) or annotation
        return self._define(annotation, alias.__name__, lambda: self.lower(alias.__value__))

    def _arguments(self, annotation: Any) -> tuple[Any, ...]:
        """The arguments of a generic type, with type variables replaced."""
        return tuple(substituted(argument, self.variables) for argument in typing.get_args(annotation))

    # --- containers ------------------------------------------------------------------------------------

    def _container(self, annotation: Any, origin: Any) -> Schema | None:
        if not is_hashable(origin):
            raise self.fail(annotation, "is no type")
        arguments = typing.get_args(annotation)
        if origin is tuple:
            return self._tuple(annotation, arguments)
        if origin in _ARRAYS or origin in _SETS:
            schema: Schema = {"type": "array"}
            if arguments:
                with self.at("[]"):
                    schema["items"] = self.lower(arguments[0])
            return {**schema, "uniqueItems": True} if origin in _SETS else schema
        if origin in _MAPPINGS:
            schema = {"type": "object"}
            if arguments:
                with self.at("{key}"):
                    names = self._key(arguments[0])
                if names:
                    schema["propertyNames"] = names
                with self.at("{}"):
                    schema["additionalProperties"] = self.lower(arguments[1])
            return schema
        return None

    def _tuple(self, annotation: Any, arguments: tuple[Any, ...]) -> Schema:
        if annotation in (tuple, typing.Tuple):  # noqa: UP006  # the old name still is an annotation
            return {"type": "array"}
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            with self.at("[]"):
                return {"type": "array", "items": self.lower(arguments[0])}
        if arguments == ((),):  # as `typing.Tuple[()]` has it before 3.11
            arguments = ()
        return self._items(list(enumerate(arguments)), len(arguments))

    def _items(self, items: list[tuple[Any, Any]], required: int) -> Schema:
        """An array with these items, by place, the first of them required."""
        schemas = []
        for place, item in items:
            if is_form(typing.get_origin(item), "Unpack"):
                raise self.fail(item, "tuples with an unpacked part are not supported")
            with self.at(f"[{place}]"):
                schemas.append(self.lower(item))
        if not schemas:
            return {"type": "array", "maxItems": 0}
        return {"type": "array", "prefixItems": schemas, "items": False, "minItems": required}

    def _key(self, annotation: Any) -> Schema:
        """What a JSON object's names must be for a mapping with such keys; nothing for all texts."""
        if annotation is int:
            return {"pattern": "^(0|-?[1-9][0-9]*)$"}
        schema = self.lower(annotation)
        if "enum" in schema and all(isinstance(value, str) for value in schema["enum"]):
            return schema
        if annotation is Any or schema.get("type") == "string":
            return {key: value for key, value in schema.items() if key != "type"}
        raise self.fail(
            annotation, "keys of a JSON object are texts; use str, int, Literal or an Enum of texts"
        )

    # --- classes ---------------------------------------------------------------------------------------

    def _class(self, annotation: Any, origin: Any) -> Schema:
        if not isinstance(origin, type):
            raise self.fail(annotation, "is no type that JSON can say")
        name = origin.__name__
        if issubclass(origin, enum.Enum):
            return self._enum(origin)
        if is_pydantic(origin):
            return self._pydantic(annotation, name)
        if typing.is_typeddict(origin) or is_foreign_typed_dict(origin):
            return self._define(annotation, name, lambda: self._typed_dict(origin))
        if dataclasses.is_dataclass(origin):
            return self._define(annotation, name, lambda: self.arguments(origin))
        if issubclass(origin, tuple) and hasattr(origin, "_field_defaults"):
            return self._define(annotation, name, lambda: self._named_tuple(origin))
        raise self.fail(
            annotation, "is no type that JSON can say; use a dataclass, TypedDict, Enum or built-in type"
        )

    def _enum(self, cls: type[enum.Enum]) -> Schema:
        if issubclass(cls, enum.Flag):
            raise self.fail(cls, "values of a Flag combine; use int, or an Enum of the combinations")
        return self._values(cls, tuple(member.value for member in cls))

    def _define(self, key: Any, name: str, make: Callable[[], Schema]) -> Schema:
        """A reference to the definition of a type, which `make` makes when it is met first."""
        key = (key, tuple((v, self.variables[v]) for v in self._parameters(key) if v in self.variables))
        if key not in self.names:
            unique = _unique(name, self.definitions)
            self.names[key] = unique
            self.definitions[unique] = {}
            saved = (self.variables, self.globals, self.known)
            self._enter(key[0])
            try:
                self.definitions[unique] = make()
            finally:
                self.variables, self.globals, self.known = saved
        self.uses[self.names[key]] += 1
        return {"$ref": f"#/$defs/{self.names[key]}"}

    @staticmethod
    def _parameters(annotation: Any) -> tuple[Any, ...]:
        return tuple(getattr(annotation, "__parameters__", ())) if typing.get_origin(annotation) else ()

    def _enter(self, annotation: Any) -> None:
        """Takes on the type variables and the names of a class or alias."""
        origin = typing.get_origin(annotation) or annotation
        parameters = getattr(origin, "__type_params__", ()) or getattr(origin, "__parameters__", ())
        try:
            self.variables = bound_variables(
                origin, dict(zip(parameters, self._arguments(annotation), strict=False))
            )
        except ValueError as error:
            raise self.fail(annotation, str(error)) from error
        self.globals = getattr(sys.modules.get(origin.__module__), "__dict__", {})
        self.known = {**self.known, origin.__name__: origin}

    def hints(self, holder: Any) -> dict[str, Any]:
        """The annotations of a class or function, with names in quotes resolved."""
        if not isinstance(holder, type):
            function = inspect.unwrap(holder)
            return self._resolved(
                {name: hint for name, hint in inspect.get_annotations(function).items() if name != "return"},
                getattr(function, "__globals__", {}),
                {**self.known, **names_around(function)},
            )
        try:
            return typing.get_type_hints(holder, include_extras=True)
        except NameError:
            parameters = {p.__name__: p for p in getattr(holder, "__type_params__", ())}
            known = {**self.known, **vars(holder), **parameters, holder.__name__: holder}
        except Exception as error:
            raise self.fail(holder, f"its annotations cannot be read: {error}") from error
        # One by one, to say which of them it is.
        hints: dict[str, Any] = {}
        for base in reversed(holder.__mro__):
            module = getattr(sys.modules.get(base.__module__), "__dict__", {})
            hints |= self._resolved(inspect.get_annotations(base), module, known)
        return hints

    def _resolved(self, raw: dict[str, Any], module: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        saved, self.globals, self.known = (self.globals, self.known), module, known
        try:
            hints = {}
            for name, hint in raw.items():
                with self.at(f".{name}"):
                    hints[name] = self._resolve(hint)
            return hints
        finally:
            self.globals, self.known = saved

    def _typed_dict(self, cls: Any) -> Schema:
        hints = self.hints(cls)
        properties, required = self._typed_dict_fields(cls, hints)
        schema = _object(properties, required)
        extra = getattr(cls, "__extra_items__", None)
        closed = getattr(cls, "__closed__", None)
        if isinstance(extra, type) or typing.get_origin(extra) is not None:
            with self.at("{}"):
                schema["additionalProperties"] = self.lower(without_qualifiers(extra)[0])
        elif closed is False:
            schema["additionalProperties"] = True
        return schema

    def _typed_dict_fields(self, cls: Any, hints: dict[str, Any]) -> tuple[Schema, list[str]]:
        properties: Schema = {}
        required = []
        for name, hint in hints.items():
            # Where annotations are text, only the hint knows `Required`; the class knows what `total=` said.
            inner, said = without_qualifiers(hint)
            if said is None:
                said = name in cls.__required_keys__
            with self.at(f".{name}"):
                properties[name] = self.lower(inner)
            if said:
                required.append(name)
        return properties, required

    def _named_tuple(self, cls: Any) -> Schema:
        hints = self.hints(cls)
        for name in cls._fields:
            if name not in hints:
                raise self.fail(cls, f"field {name!r} has no annotation; use typing.NamedTuple")
        items = [(name, hints[name]) for name in cls._fields]
        return self._items(items, len(items) - len(cls._field_defaults))

    # --- functions and constructors --------------------------------------------------------------------

    def arguments(self, function: Any) -> Schema:
        """The object of a function's arguments, or of a class's constructor."""
        owner, self.owner = self.owner, self.owner or name_of(function)
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError) as error:
            raise self.fail(function, f"has no signature that can be read: {error}") from error
        saved = (self.globals, self.known)
        holder = holder_of(function)
        self.globals = getattr(inspect.unwrap(holder), "__globals__", self.globals)
        try:
            hints = self.hints(holder)
            properties, required = self._parameters_of(signature, hints)
        finally:
            self.globals, self.known = saved
            self.owner = owner
        return _object(properties, required)

    def _parameters_of(self, signature: inspect.Signature, hints: dict[str, Any]) -> tuple[Schema, list[str]]:
        properties: Schema = {}
        required: list[str] = []
        for name, parameter in signature.parameters.items():
            with self.at(f".{name}"):
                hint = self._hint_of(parameter, hints)
                if parameter.kind is parameter.VAR_KEYWORD:
                    cls = typing.get_args(hint)[0]
                    more, needed = self._typed_dict_fields(cls, self.hints(cls))
                    properties |= more
                    required += needed
                    continue
                properties[name], is_required = self._parameter(parameter, hint)
                if is_required:
                    required.append(name)
        return properties, required

    def _hint_of(self, parameter: inspect.Parameter, hints: dict[str, Any]) -> Any:
        hint = hints.get(parameter.name, parameter.annotation)
        if parameter.kind is parameter.VAR_KEYWORD and is_form(typing.get_origin(hint), "Unpack"):
            return hint
        refused = {
            parameter.VAR_POSITIONAL: "a JSON object of arguments has no place for *args; use a list",
            parameter.VAR_KEYWORD: "**kwargs takes any name; use Unpack of a TypedDict, or a dict",
            parameter.POSITIONAL_ONLY: "a positional-only parameter has no name in a JSON object",
        }
        if parameter.kind in refused:
            raise self.fail(str(parameter), refused[parameter.kind])
        if hint is parameter.empty:
            what = "give a method as it is bound to its object" if parameter.name == "self" else "annotate it"
            raise self.fail(
                str(parameter), f"the parameter has no annotation; {what} (Any takes every value)"
            )
        return hint

    def _parameter(self, parameter: inspect.Parameter, hint: Any) -> tuple[Schema, bool]:
        if isinstance(hint, dataclasses.InitVar):
            hint = hint.type
        hint, _ = without_qualifiers(hint)
        default = parameter.default
        if type(default).__module__ == "pydantic.fields":  # `x: int = Field(gt=0)`, as Pydantic has it
            schema = self.lower(typing.Annotated[hint, default])
            return schema, bool(getattr(default, "is_required", bool)())
        schema = self.lower(hint)
        if default is not parameter.empty:
            value = default.value if isinstance(default, enum.Enum) else default
            with contextlib.suppress(TypeError, ValueError, RecursionError):
                schema["default"] = json.loads(json.dumps(value, allow_nan=False))
        return schema, default is parameter.empty

    # --- metadata --------------------------------------------------------------------------------------

    def _annotated(self, annotation: Any) -> Schema:
        parts = metadata_parts(annotation.__metadata__)
        if any(is_pydantic_metadata(part) for part in parts):
            return self._pydantic(annotation, "Annotated")
        schema = self.lower(annotation.__origin__)
        for part in parts:
            schema = self._constrained(annotation, schema, part)
        return schema

    def _constrained(self, annotation: Any, schema: Schema, item: Any) -> Schema:
        """A schema with one more constraint of `annotated_types`; other metadata is none (PEP 593)."""
        kind = type(item)
        if kind.__module__.partition(".")[0] != "annotated_types":
            text = getattr(item, "documentation", None)  # typing_extensions.Doc
            return {**schema, "description": text} if isinstance(text, str) else schema
        name = kind.__name__
        base = schema.get("type")
        if name in ("Gt", "Ge", "Lt", "Le", "MultipleOf"):
            attribute = "multiple_of" if name == "MultipleOf" else name.lower()
            value = getattr(item, attribute)
            if not isinstance(value, (int, float)) or base not in ("integer", "number", None):
                raise self.fail(annotation, f"{item!r} is supported for numbers only")
            return _and(schema, {_NUMBER_BOUNDS.get(attribute, "multipleOf"): value})
        if name in ("MinLen", "MaxLen"):
            side, value = ("min", item.min_length) if name == "MinLen" else ("max", item.max_length)
            kinds = [base] if base in _LENGTHS else list(_LENGTHS) if base is None else []
            if not kinds:
                raise self.fail(annotation, f"{item!r} is supported for texts, arrays and objects only")
            return _and(schema, {f"{side}{_LENGTHS[k]}": value for k in kinds})
        if name in ("Unit", "DocInfo"):
            return schema
        raise self.fail(annotation, f"{item!r} cannot be said in a JSON Schema")

    def _pydantic(self, annotation: Any, name: str) -> Schema:
        """Pydantic's own schema. One with definitions is a resource, so that its references stay its own."""
        with contextlib.suppress(TypeError):
            if annotation in self.names:
                return {"$ref": self.names[annotation]}
        try:
            schema = schema_of_pydantic(annotation)
        except Exception as error:
            raise self.fail(annotation, f"Pydantic has no JSON Schema for it: {error}") from error
        if not {"$defs", "definitions"} & set(schema):
            return schema
        unique = _unique(name, self.definitions)
        uri = f"urn:pydantic:{unique}"
        self.definitions[unique] = {"$id": uri, **schema}
        with contextlib.suppress(TypeError):
            self.names[annotation] = uri
        return {"$ref": uri}


def _object(properties: Schema, required: list[str]) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    return {**schema, "additionalProperties": False}


def _and(schema: Schema, more: Schema) -> Schema:
    """Both at once. A reference, or a keyword that is there already, stays on its own."""
    if "$ref" in schema or set(schema) & set(more):
        return {"allOf": [schema, more]}
    return {**schema, **more}


def _unique(name: str, taken: dict[str, Any]) -> str:
    found, n = name, 1
    while found in taken:
        n += 1
        found = f"{name}{n}"
    return found
