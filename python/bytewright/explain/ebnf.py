"""From a grammar's printed EBNF to diagrams.

``str(grammar)`` is what the engine reads back as the same language, whatever front end the grammar came
from. So the diagrams show what is enforced, not what somebody meant.

The printed text is a small part of EBNF: a rule begins a line, there are no comments, and names, texts,
classes and tokens cannot be mistaken for each other. Reading it keeps its own stack, so depth is no danger.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from bytewright.errors import InvalidArgumentError

from .nodes import Node, Reference, Rules, Sequence, Text, choice, repeat, sequence
from .schema import schema_rules

if TYPE_CHECKING:
    from bytewright import Grammar

__all__ = ["grammar_rules"]

_TOKEN = re.compile(
    r"""
      (?P<rule>   ^ [\w.\-]+ [ ] ::= [ ])
    | (?P<schema> %json_schema [ ])
    | (?P<bytes>  % " (?: [^"\\] | \\. )* " | % \[ (?: [^\]\\] | \\. )* \])
    | (?P<literal> " (?: [^"\\] | \\. )* ")
    | (?P<class>  \[ (?: [^\]\\] | \\. )* \] | \. (?![\w]))
    | (?P<token>  !? < \[ (?: " (?: [^"\\] | \\. )* " | [^"\]] )* \] > | !? < [^>]* >)
    | (?P<count>  [*+?] | \{ [0-9,]+ \})
    | (?P<mark>   [()|])
    | (?P<name>   [\w.\-]+)
    | (?P<blank>  \s+)
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
#: A class of one character, which is drawn as that character.
_SINGLE = re.compile(r"\[([^\\\]])\]")
_ESCAPES = re.compile(r'\\(["\\]|.)')


class _Group:
    """A parenthesis, or a rule's body, that is being read."""

    def __init__(self) -> None:
        self.options: list[list[Node]] = [[]]

    def node(self) -> Node:
        return choice([sequence(parts) for parts in self.options])


def grammar_rules(grammar: Grammar) -> Rules:
    """The rules of a grammar. JSON Schemas in it are drawn by their own keywords."""
    text, rules = str(grammar), Rules()
    reader = _Reader(text, rules)
    reader.read()
    return rules


class _Reader:
    def __init__(self, text: str, rules: Rules) -> None:
        self.text, self.rules = text, rules
        self.name = ""
        self.start = 0
        self.groups = [_Group()]
        #: Schemas that were met, by the rule that each becomes.
        self.schemas: dict[str, str] = {}

    def read(self) -> None:
        # Names are taken before anything is made on the way, so that no rule has to give way.
        for match in re.finditer(r"^([\w.\-]+) ::= ", self.text, re.MULTILINE):
            self.rules.add(match[1], Sequence(()), "")
        position = 0
        while position < len(self.text):
            token = _TOKEN.match(self.text, position)
            if token is None:  # no printed grammar has anything else
                raise InvalidArgumentError(
                    f"cannot read the printed grammar at {self.text[position : position + 40]!r}"
                )
            position = token.end()
            kind = token.lastgroup or ""
            if kind == "rule":
                self.finish(token.start())
                self.name, self.start = token[0][:-5], token.start()
                self.groups = [_Group()]
            elif kind == "schema":
                position = self.schema(position)
            elif kind != "blank":
                self.token(kind, token[0])
        self.finish(len(self.text))
        for name, schema in self.schemas.items():
            schema_rules(self.rules, name, schema)

    def finish(self, end: int) -> None:
        """Ends the rule that is being read."""
        if not self.name:
            return
        node = self.groups[0].node()
        if isinstance(node, Reference) and node.name in self.schemas:
            # A rule that is nothing but a schema is drawn as that.
            self.schemas[self.name] = self.schemas.pop(node.name)
            del self.rules.diagrams[node.name]
            return
        source = self.text[self.start : end].rstrip()
        self.rules.add(self.name, self.rules.bounded(node, self.name), source)

    def token(self, kind: str, text: str) -> None:
        parts = self.groups[-1].options[-1]
        if text == "(" and kind == "mark":
            self.groups.append(_Group())
        elif text == ")" and kind == "mark":
            node = self.groups.pop().node()
            self.groups[-1].options[-1].append(self.rules.bounded(node, self.name))
        elif text == "|" and kind == "mark":
            self.groups[-1].options.append([])
        elif kind == "count":
            least, most = _counts(text)
            parts.append(self.rules.bounded(repeat(parts.pop(), least, most), self.name))
        elif kind == "name":
            parts.append(Reference(text))
        elif text == '""':
            parts.append(Sequence(()))
        elif text == "%[]":
            parts.append(Text("nothing fits", "never"))
        elif single := _SINGLE.fullmatch(text):
            parts.append(Text(_shown("class", single[1])))
        else:
            parts.append(Text(_shown(kind, text), kind))

    def schema(self, position: int) -> int:
        """Takes the JSON text that begins here, and returns its end."""
        try:
            _, end = json.JSONDecoder().raw_decode(self.text, position)
        except (ValueError, RecursionError) as error:
            raise InvalidArgumentError(
                f"the JSON Schema in rule {self.name} cannot be read: {error}"
            ) from error
        name = self.rules.unique(f"{self.name}-schema")
        self.rules.add(name, Sequence(()), "")
        self.schemas[name] = self.text[position:end]
        self.groups[-1].options[-1].append(Reference(name))
        return end


def _counts(text: str) -> tuple[int, int | None]:
    simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
    if text in simple:
        return simple[text]
    least, comma, most = text[1:-1].partition(",")
    return int(least), (int(most) if most else None) if comma else int(least)


def _shown(kind: str, text: str) -> str:
    """What is printed, with blanks that can be seen, and a literal without its quotes."""
    if text == ".":
        return "any character"
    if kind == "literal":
        text = _ESCAPES.sub(lambda match: '"' if match[1] == '"' else match[0], text[1:-1])
    return text.replace(" ", "␣") if kind in ("literal", "class") else text
