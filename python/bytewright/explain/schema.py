"""From a JSON Schema to diagrams.

The engine never makes rules of a whole schema, so there is no EBNF to draw; a diagram shows the keywords
instead. It is a picture for people: objects are loops over their members, and what a railroad cannot show
(bounds, patterns, `not`) stands as a note on the line.

Invariant: every keyword that can forbid something is drawn or named in a note.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from .nodes import Node, Note, Reference, Rules, Sequence, Text, choice, repeat, sequence

__all__ = ["schema_rules"]

#: Keywords that forbid nothing.
_ANNOTATIONS = {
    "$anchor",
    "$comment",
    "$defs",
    "$dynamicAnchor",
    "$id",
    "$recursiveAnchor",
    "$schema",
    "$vocabulary",
    "default",
    "definitions",
    "deprecated",
    "description",
    "discriminator",
    "examples",
    "id",
    "readOnly",
    "title",
    "writeOnly",
}
_OF_TYPE = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "prefixItems", "minItems", "maxItems", "uniqueItems"},
    "string": {"pattern", "format", "minLength", "maxLength"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
}
#: Values nested deeper than this, and all objects inside others, get rules of their own.
_MAX_DEPTH = 4
_LONGEST_NOTE = 72


def schema_rules(rules: Rules, name: str, text: str) -> None:
    """Adds the rules of a schema: `name` for the whole, and one for each definition and inner object."""
    _SchemaRules(rules, name, text).draw()


class _SchemaRules:
    def __init__(self, rules: Rules, name: str, text: str) -> None:
        self.rules = rules
        self.name = name
        self.document = json.loads(text)
        #: Rules by the JSON pointer of their schema: these show their text. Inner ones are part of it.
        self.by_pointer: dict[str, str] = {"#": name}
        #: Rules that are still to be drawn.
        self.waiting: deque[tuple[str, Any]] = deque([(name, self.document)])

    def draw(self) -> None:
        while self.waiting:
            name, schema = self.waiting.popleft()
            node = self.node(schema, name, 0)
            is_named = name in self.by_pointer.values()
            source = json.dumps(schema, indent=2, ensure_ascii=False) if is_named else ""
            self.rules.add(name, self.rules.bounded(node, name), source)

    def later(self, schema: Any, name: str) -> Reference:
        """A reference to a rule that is drawn later."""
        name = self.rules.unique(name)
        self.rules.add(name, Sequence(()), "")
        self.waiting.append((name, schema))
        return Reference(name)

    def reference(self, target: Any) -> Node:
        """What a ``$ref`` leads to, if it is a JSON pointer into this document."""
        target = str(target)
        if target not in self.by_pointer:
            found = _resolve(self.document, target)
            if found is None:
                return Text(f"what {_shorten(target)} says", "value")
            name = target.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
            self.by_pointer[target] = self.later(found, name or self.name).name
        return Reference(self.by_pointer[target])

    # --- one schema ---------------------------------------------------------------------------------------

    def node(self, schema: Any, name: str, depth: int) -> Node:
        """The tree of a schema."""
        if schema is False:
            return Text("nothing fits", "never")
        if not isinstance(schema, dict) or not set(schema) - _ANNOTATIONS:
            return Text("any JSON value", "value")
        if depth > _MAX_DEPTH or (depth and schema.get("properties")):
            return self.later(schema, name)
        keywords = {key: value for key, value in schema.items() if key not in _ANNOTATIONS}
        parts = self.combined(keywords, name, depth)
        if not parts:
            parts = [self.by_type(keywords, name, depth)]
        parts += [Note(f"{key}: {_shorten(_json(value))}") for key, value in keywords.items()]
        return sequence(parts)

    def combined(self, keywords: dict[str, Any], name: str, depth: int) -> list[Node]:
        """What references, values and combinations draw; takes their keywords out."""
        parts: list[Node] = []
        if "$ref" in keywords:
            parts.append(self.reference(keywords.pop("$ref")))
        for key in ("enum", "const"):
            values = keywords.get(key) if key == "enum" else [keywords.get(key)]
            if key in keywords and isinstance(values, list):
                del keywords[key]
                if all(_is_of(value, keywords.get("type")) for value in values):
                    keywords.pop("type", None)
                parts.append(choice([Text(_json(value)) for value in values]))
        for key, note in (("anyOf", ""), ("oneOf", "exactly one of them")):
            if isinstance(keywords.get(key), list):
                options = [
                    self.node(option, f"{name}.{i}", depth + 1) for i, option in enumerate(keywords.pop(key))
                ]
                parts.append(choice(options))
                parts += [Note(note)] if note and len(options) > 1 else []
        if isinstance(keywords.get("allOf"), list):
            parts += [
                self.node(part, f"{name}.{i}", depth + 1) for i, part in enumerate(keywords.pop("allOf"))
            ]
        if parts and set(keywords) & {"type", *set().union(*_OF_TYPE.values())}:
            parts.append(self.by_type(keywords, name, depth))
        out: list[Node] = parts[:1]
        for part in parts[1:]:
            out += [part] if isinstance(part, Note) else [Note("and also"), part]
        return out

    def by_type(self, keywords: dict[str, Any], name: str, depth: int) -> Node:
        """The alternatives of ``type``, each with the keywords that are about it; takes these out."""
        types = keywords.pop("type", None)
        if types is None:
            # Keywords say nothing about other types.
            types = [kind for kind, keys in _OF_TYPE.items() if keys & set(keywords)]
            rest = [Text("any other JSON value", "value")] if types else []
        else:
            types, rest = types if isinstance(types, list) else [types], []
        if not types:
            return Text("any JSON value", "value")
        taken: set[str] = set()
        options: list[Node] = []
        for kind in types:
            keys = _OF_TYPE.get("number" if kind == "integer" else str(kind), set())
            mine = {key: keywords[key] for key in keys if key in keywords}
            taken |= set(mine)
            options.append(self.one_type(kind, mine, name, depth))
        for key in taken:
            del keywords[key]
        return choice([*options, *rest])

    def one_type(self, kind: Any, keywords: dict[str, Any], name: str, depth: int) -> Node:
        if kind == "object":
            return self.object(keywords, name, depth)
        if kind == "array":
            return self.array(keywords, name, depth)
        if kind == "boolean":
            return choice([Text("true"), Text("false")])
        if kind == "null":
            return Text("null")
        return sequence([Text(_shorten(str(kind)), "value"), *map(Note, _bounds(keywords))])

    def object(self, keywords: dict[str, Any], name: str, depth: int) -> Node:
        properties = keywords.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        required = keywords.get("required")
        required = [key for key in required if isinstance(key, str)] if isinstance(required, list) else []
        members: list[Node] = []
        for key, value in properties.items():
            inner = self.node(value, f"{name}.{_identifier(key)}", depth + 1)
            mark = [Note("required")] if key in required else []
            members.append(sequence([Text(_json(key)), Text(":"), inner, *mark]))
        others = keywords.get("additionalProperties", True)
        if others is not False:
            word = "any other name" if properties else "any name"
            inner = self.node(others, f"{name}.other", depth + 1)
            members.append(sequence([Text(word, "value"), Text(":"), inner]))
        more = [Note(f"also required: {_json(key)}") for key in required if key not in properties]
        body: list[Node] = []
        if members:
            body = [repeat(choice(members), 1 if required else 0, None, Text(","))]
        return sequence([Text("{"), *body, *more, Text("}")])

    def array(self, keywords: dict[str, Any], name: str, depth: int) -> Node:
        first = keywords.get("prefixItems")
        items = keywords.get("items", True)
        if isinstance(items, list):  # before 2020-12
            first, items = items, True
        first = first if isinstance(first, list) else []
        least, most = _count(keywords, "minItems", 0) or 0, _count(keywords, "maxItems", None)
        notes: list[Node] = [Note("all different")] if keywords.get("uniqueItems") is True else []
        if not first:
            inner = self.node(items, f"{name}.item", depth + 1)
            body = [] if items is False or most == 0 else [repeat(inner, least, most, Text(","))]
            return sequence([Text("["), *body, Text("]"), *notes])
        parts: list[Node] = [Text("[")]
        for i, item in enumerate(first):
            inner = self.node(item, f"{name}.{i}", depth + 1)
            step = sequence([Text(","), inner] if i else [inner])
            parts.append(step if i < least else repeat(step, 0, 1))
        if items is not False:
            rest = self.node(items, f"{name}.item", depth + 1)
            parts.append(repeat(sequence([Text(","), rest]), 0, None))
        if least > len(first) or most is not None:
            notes.append(Note(f"{least} to {'any number' if most is None else most} items"))
        return sequence([*parts, Text("]"), *notes])


def _bounds(keywords: dict[str, Any]) -> list[str]:
    """Bounds of a text or number in words."""
    words = {
        "minimum": "≥ {}",
        "exclusiveMinimum": "> {}",
        "maximum": "≤ {}",
        "exclusiveMaximum": "< {}",
        "multipleOf": "a multiple of {}",
        "minLength": "at least {} characters",
        "maxLength": "at most {} characters",
        "pattern": "pattern {}",
        "format": "format {}",
    }
    return [
        words[key].format(_shorten(value if isinstance(value := keywords[key], str) else _json(value)))
        for key in words
        if key in keywords
    ]


def _is_of(value: Any, types: Any) -> bool:
    """Whether a value is surely of one of these types."""
    kinds = {
        str: "string",
        bool: "boolean",
        int: "integer",
        type(None): "null",
        list: "array",
        dict: "object",
    }
    kind = kinds.get(type(value), "number")
    names = types if isinstance(types, list) else [types]
    return types is None or kind in names or (kind == "integer" and "number" in names)


def _count(keywords: dict[str, Any], key: str, default: int | None) -> int | None:
    value = keywords.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e18:
        return default
    return int(value)


def _resolve(document: Any, target: str) -> Any:
    """What a JSON pointer leads to; None for another kind of reference, or one that leads nowhere."""
    if target in ("#", ""):
        return document
    if not target.startswith("#/"):
        return None
    for step in target[2:].split("/"):
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        elif isinstance(document, dict) and step in document:
            document = document[step]
        else:
            return None
    return document


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _identifier(key: str) -> str:
    return "".join(c if c.isalnum() or c in "_-" else "-" for c in key)[:40] or "empty"


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_NOTE else f"{text[:_LONGEST_NOTE]}…"
