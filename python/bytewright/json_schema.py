"""What may stand for a JSON Schema, or a structural tag, in Python.

Text and bytes go to the engine as they are; everything else becomes JSON text here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .annotations import has_fields, is_function, is_type
from .errors import InvalidArgumentError
from .python_types import signature_schema, type_schema

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["schema_text", "signature_schema", "signature_text", "structural_tag_text", "type_schema"]


def schema_text(schema: Any) -> str:
    """The JSON text of a schema.

    Takes a dict or bool; a Pydantic model (v1 or v2), dataclass or `TypeAdapter`; a dataclass, TypedDict,
    Enum, named tuple or any annotation; a function, for the object of its arguments; and what the OpenAI API
    takes as ``response_format`` (``json_schema`` and ``json_object``).

    Raises:
        InvalidArgumentError: for anything else.
        UnsupportedTypeError: for a type or signature that JSON cannot say.

    >>> schema_text({"type": "integer"})
    '{"type": "integer"}'
    >>> schema_text({"type": "json_schema", "json_schema": {"name": "n", "schema": {"const": 1}}})
    '{"const": 1}'
    >>> schema_text(tuple[int, ...])
    '{"type": "array", "items": {"type": "integer"}}'
    """
    if isinstance(schema, str):
        return schema
    if isinstance(schema, bytes):
        return schema.decode()
    if isinstance(schema, dict):
        return json.dumps(_of_response_format(schema))
    if isinstance(schema, bool):
        return json.dumps(schema)
    if is_function(schema):
        return signature_text(schema)
    if not has_fields(schema):
        for method in ("model_json_schema", "json_schema", "schema"):
            found = getattr(schema, method, None)
            if callable(found):
                return json.dumps(found())
    if is_type(schema):
        return json.dumps(type_schema(schema))
    raise InvalidArgumentError(
        "a schema is JSON text, a dict, a bool, a type, a function, a Pydantic model or a response_format; "
        f"got {type(schema)!r}"
    )


def signature_text(function: Callable[..., Any]) -> str:
    """The JSON text of the schema of a function's arguments; see `signature_schema`."""
    return json.dumps(signature_schema(function))


def _of_response_format(schema: dict[str, Any]) -> Any:
    """The schema inside an OpenAI ``response_format``; any other dict is a schema itself."""
    kind = schema.get("type")
    if kind == "json_object" and set(schema) == {"type"}:
        return {"type": "object"}
    if kind == "text" and set(schema) == {"type"}:
        raise InvalidArgumentError("a response_format of type 'text' asks for no constraint")
    if kind == "json_schema" and isinstance(schema.get("json_schema"), dict):
        inner = schema["json_schema"]
        if "schema" not in inner:
            raise InvalidArgumentError("the response_format has no 'schema' in its 'json_schema'")
        return inner["schema"]
    return schema


def structural_tag_text(structural_tag: Any) -> str:
    """The JSON text of a structural tag.

    Takes a dict, which may hold Pydantic models as schemas, or a Pydantic model of a tag.

    Raises:
        InvalidArgumentError: for anything else.

    >>> structural_tag_text({"type": "any_text"})
    '{"type": "any_text"}'
    """
    dump = getattr(structural_tag, "model_dump", None)
    if callable(dump):
        structural_tag = dump(by_alias=True, exclude_none=True)
    if isinstance(structural_tag, dict):
        return json.dumps(structural_tag, default=lambda schema: json.loads(schema_text(schema)))
    raise InvalidArgumentError(f"a structural tag is JSON text or a dict; got {type(structural_tag)!r}")
