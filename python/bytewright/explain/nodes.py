"""What a railroad diagram is made of, before it has places: a small tree for each rule.

Invariant: no tree is higher than `MAX_HEIGHT`. What would be gets a rule of its own, so that drawing, which
recurses, never goes deep, and no diagram is an unreadable nest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = [
    "Choice",
    "Diagram",
    "Node",
    "Note",
    "OneOf",
    "Reference",
    "Repeat",
    "Rules",
    "Sequence",
    "Text",
    "choice",
    "repeat",
    "sequence",
]

#: Highest tree of one diagram.
MAX_HEIGHT = 14
#: Alternatives of plain texts, from this many on, share one box; with rules among them, from more on.
FEW = 9
MANY = 24


@dataclass(frozen=True)
class Text:
    """Text that stands for itself, a class of characters, or another leaf; `kind` is its CSS class."""

    text: str
    kind: str = "literal"
    title: str = ""
    height: int = field(default=1, init=False, compare=False)


@dataclass(frozen=True)
class Reference:
    """A rule."""

    name: str
    height: int = field(default=1, init=False, compare=False)


@dataclass(frozen=True)
class Note:
    """What a diagram cannot draw, in words. It stands on the line and takes nothing from the text."""

    text: str
    height: int = field(default=1, init=False, compare=False)


@dataclass(frozen=True)
class OneOf:
    """One of many plain texts and rules."""

    leaves: tuple[Text | Reference, ...]
    height: int = field(default=1, init=False, compare=False)


@dataclass(frozen=True)
class Sequence:
    """One after the other; nothing at all if there are none."""

    parts: tuple[Node, ...]
    height: int = field(default=1, compare=False)


@dataclass(frozen=True)
class Choice:
    """One of these; none means that nothing fits."""

    options: tuple[Node, ...]
    height: int = field(default=1, compare=False)


@dataclass(frozen=True)
class Repeat:
    """`least` to `most` times (None: without end), with something between two times."""

    body: Node
    least: int
    most: int | None
    between: Node | None = None
    height: int = field(default=1, compare=False)


Node: TypeAlias = Text | Reference | Note | OneOf | Sequence | Choice | Repeat


@dataclass
class Diagram:
    """One rule: its name, its tree, and its text as EBNF or JSON."""

    name: str
    node: Node
    source: str


class Rules:
    """The rules of a page, in order. Names are unique."""

    def __init__(self) -> None:
        self.diagrams: dict[str, Diagram] = {}

    def unique(self, name: str) -> str:
        """A name like this one that no rule has."""
        found, n = name, 1
        while found in self.diagrams:
            n += 1
            found = f"{name}-{n}"
        return found

    def add(self, name: str, node: Node, source: str) -> None:
        """Adds a rule, or gives a tree to one that was announced."""
        self.diagrams[name] = Diagram(name, node, source)

    def bounded(self, node: Node, owner: str) -> Node:
        """The node, or a reference to a rule of its own if it is too high."""
        if node.height <= MAX_HEIGHT:
            return node
        name = self.unique(f"{owner}-part")
        self.add(name, node, "")
        return Reference(name)


def sequence(parts: list[Node]) -> Node:
    """Parts in a row: lists with separators and words in any case are drawn as what they mean."""
    parts = _loops(_words(parts))
    if len(parts) == 1:
        return parts[0]
    return Sequence(tuple(parts), 1 + max((part.height for part in parts), default=0))


def choice(options: list[Node]) -> Node:
    """Alternatives. Many plain texts share one box."""
    if len(options) == 1:
        return options[0]
    leaves: list[Text | Reference] = [option for option in options if _is_leaf(option)]  # type: ignore[misc]
    plain = [leaf for leaf in leaves if isinstance(leaf, Text)]
    leaves = leaves if len(leaves) >= MANY else [*plain]
    if len(leaves) >= FEW:
        together, taken = OneOf(tuple(leaves)), set(leaves)
        others = [option for option in options if not _is_leaf(option) or option not in taken]
        if not others:
            return together
        options = [together, *others]
    return Choice(tuple(options), 1 + max((option.height for option in options), default=0))


def _is_leaf(node: Node) -> bool:
    return isinstance(node, Reference) or (isinstance(node, Text) and node.kind == "literal")


def repeat(body: Node, least: int, most: int | None, between: Node | None = None) -> Node:
    """A part several times."""
    height = max(body.height, 0 if between is None else between.height)
    return Repeat(body, least, most, between, 1 + height)


_LETTER = re.compile(r"\[([A-Z])([a-z])\]")


def _words(parts: list[Node]) -> list[Node]:
    """Joins runs of classes such as ``[Aa]`` to words in any case."""
    out: list[Node] = []
    word = ""
    for part in [*parts, Note("")]:
        found = _LETTER.fullmatch(part.text) if isinstance(part, Text) and part.kind == "class" else None
        if found and found[1].lower() == found[2]:
            word += found[1]
            continue
        if len(word) == 1:
            out.append(Text(f"[{word}{word.lower()}]", "class"))
        elif word:
            out.append(Text(word, "any-case", "in upper or lower case, letter by letter"))
        word = ""
        out.append(part)
    return out[:-1]


def _loops(parts: list[Node]) -> list[Node]:
    """Draws ``item ("," item)*`` as one loop with a separator."""
    out: list[Node] = []
    for part in parts:
        inner = part.body if isinstance(part, Repeat) and (part.least, part.most) == (0, None) else None
        if isinstance(inner, Sequence) and isinstance(part, Repeat) and part.between is None:
            body = list(inner.parts)
            same = 0
            while same < min(len(body) - 1, len(out)) and body[-1 - same] == out[-1 - same]:
                same += 1
            if same:
                item = sequence(out[-same:])
                out[-same:] = [repeat(item, 1, None, sequence(body[:-same]))]
                continue
        out.append(part)
    return out
