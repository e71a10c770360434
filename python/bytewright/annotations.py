"""What an annotation is: the questions about `typing`, `dataclasses` and Pydantic that `python_types` asks.

`typing` and typing_extensions both define the newer forms, and a class does not say who made its constructor;
what there is to know of that stands here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import inspect
import sys
import types
import typing
from typing import Any

__all__ = [
    "bound_variables",
    "has_fields",
    "holder_of",
    "is_foreign_typed_dict",
    "is_form",
    "is_function",
    "is_hashable",
    "is_pydantic",
    "is_pydantic_metadata",
    "is_type",
    "metadata_parts",
    "name_of",
    "names_around",
    "schema_of_pydantic",
    "substituted",
    "without_qualifiers",
]


def is_function(value: object) -> bool:
    """Whether a value is a function that `signature_schema` is meant for, not a type or a schema."""
    return inspect.isroutine(value) or isinstance(value, functools.partial)


def is_type(value: object) -> bool:
    """Whether a value is a class or an annotation such as `list[int]`."""
    if isinstance(value, type) or typing.get_origin(value) is not None or value is Any:
        return True
    return hasattr(value, "__supertype__") or type(value).__name__ == "TypeAliasType"


def has_fields(value: object) -> bool:
    """Whether a class's attributes are fields or members, so that one called ``schema`` says nothing."""
    return isinstance(value, type) and (
        dataclasses.is_dataclass(value) or issubclass(value, (enum.Enum, tuple, dict))
    )


def schema_of_pydantic(annotation: Any) -> dict[str, Any]:
    """What Pydantic makes of a model, dataclass or annotation of its own."""
    model = getattr(annotation, "__pydantic_model__", annotation)
    for method in ("model_json_schema", "schema"):
        if isinstance(model, type) and callable(getattr(model, method, None)):
            return typing.cast("dict[str, Any]", getattr(model, method)())
    from pydantic import TypeAdapter

    return TypeAdapter(annotation).json_schema()


def is_pydantic(cls: type) -> bool:
    """Whether a class is a model or dataclass of Pydantic, v1 or v2, or tells Pydantic its own schema."""
    marks = (
        "__pydantic_core_schema__",
        "__pydantic_validator__",
        "__pydantic_model__",
        "__get_pydantic_core_schema__",
    )
    is_first = any(
        base.__module__ == "pydantic.v1.main" or base.__module__ == "pydantic.main" for base in cls.__mro__
    )
    return is_first or any(hasattr(cls, mark) for mark in marks)


def is_pydantic_metadata(item: Any) -> bool:
    """Whether metadata of `Annotated` is for Pydantic to read."""
    return type(item).__module__.partition(".")[0] == "pydantic" or hasattr(
        item, "__get_pydantic_core_schema__"
    )


def is_form(special: Any, name: str) -> bool:
    """Whether a special form is the one of this name in `typing` or typing_extensions."""
    if special is None:
        return False
    modules = (typing, sys.modules.get("typing_extensions"))
    return any(module is not None and special is getattr(module, name, None) for module in modules)


def is_foreign_typed_dict(cls: type) -> bool:
    """Whether a class is a TypedDict of typing_extensions, which `typing` does not know."""
    return issubclass(cls, dict) and hasattr(cls, "__required_keys__") and hasattr(cls, "__total__")


def without_qualifiers(hint: Any) -> tuple[Any, bool | None]:
    """An annotation without `Required`, `NotRequired`, `ReadOnly`, `Final`; and what it says of required."""
    required: bool | None = None
    while True:
        origin = typing.get_origin(hint)
        if origin is typing.Annotated and is_qualifier(typing.get_origin(hint.__origin__)):
            inner, said = without_qualifiers(hint.__origin__)
            annotated: Any = typing.Annotated
            parts = (inner, *hint.__metadata__)
            hint = annotated[parts]
            required = said if required is None else required
        elif is_qualifier(origin):
            if is_form(origin, "Required") or is_form(origin, "NotRequired"):
                required = is_form(origin, "Required")
            hint = typing.get_args(hint)[0]
        else:
            return hint, required


def is_qualifier(origin: Any) -> bool:
    return any(is_form(origin, name) for name in ("Required", "NotRequired", "ReadOnly", "Final"))


def is_hashable(value: Any) -> bool:
    """Whether a value can be a key; metadata of `Annotated` may be anything."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


def name_of(function: Any) -> str:
    """What errors call a function, partial function or object that can be called."""
    name = getattr(function, "__qualname__", None) or getattr(
        getattr(function, "func", None), "__qualname__", None
    )
    return name or type(function).__qualname__


def holder_of(function: Any) -> Any:
    """What has the annotations that a signature shows."""
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, type):
        # The code that `dataclass` writes is in no file. Its annotations are those of the fields, each of
        # which is to be read where its class stands.
        constructor: Any = inspect.getattr_static(function, "__init__")
        code = getattr(constructor, "__code__", None)
        is_generated = dataclasses.is_dataclass(function) and getattr(code, "co_filename", "") == "<string>"
        return function if is_generated else constructor
    if inspect.isroutine(function):
        return function
    return type(function).__call__ if callable(function) else function


def names_around(function: Any) -> dict[str, Any]:
    """Names that a function's annotations may mean besides globals: its closure, its type parameters."""
    names = {parameter.__name__: parameter for parameter in getattr(function, "__type_params__", ())}
    with contextlib.suppress(TypeError, ValueError):
        names |= inspect.getclosurevars(function).nonlocals
    return names


def metadata_parts(metadata: tuple[Any, ...]) -> list[Any]:
    """The constraints in the metadata of `Annotated`, each on its own.

    Grouped metadata (`Interval`, `Len`) is a sequence of simple ones, and so is what a `Field` of Pydantic
    says, unless it changes the schema in another way.
    """
    parts: list[Any] = []
    for item in metadata:
        if type(item).__module__ == "pydantic.fields" and not getattr(item, "json_schema_extra", None):
            parts += metadata_parts(tuple(item.metadata))
            # As `typing_extensions.Doc` has it.
            parts.append(types.SimpleNamespace(documentation=item.description))
        elif getattr(item, "__is_annotated_types_grouped_metadata__", None) is not None:
            parts += item
        else:
            parts.append(item)
    return parts


def substituted(argument: Any, variables: dict[Any, Any]) -> Any:
    """An argument of a generic type, with type variables replaced."""
    if isinstance(argument, typing.TypeVar):
        return variables.get(argument, argument)
    parameters = getattr(argument, "__parameters__", ()) if typing.get_origin(argument) else ()
    return argument[tuple(variables.get(p, p) for p in parameters)] if parameters else argument


def bound_variables(cls: Any, variables: dict[Any, Any]) -> dict[Any, Any]:
    """The type variables of a class and of those it inherits from, by what they stand for.

    Raises:
        ValueError: if one stands for two things: the fields of both classes are read with the same variables.
    """
    bound = dict(variables)
    bases = vars(cls).get("__orig_bases__", cls.__bases__) if isinstance(cls, type) else ()
    for base in bases:
        origin = typing.get_origin(base) or base
        if origin in (typing.Generic, typing.Protocol, object):
            continue
        arguments = [substituted(argument, variables) for argument in typing.get_args(base)]
        given = dict(zip(getattr(origin, "__parameters__", ()), arguments, strict=False))
        for variable, value in bound_variables(origin, given).items():
            if bound.setdefault(variable, value) != value:
                raise ValueError(
                    f"{variable} stands for {value} in {origin.__name__} and for something else in it"
                )
    return bound
