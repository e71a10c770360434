"""A textbook Earley recogniser over bytes.

Earley 1970, with nullable symbols advanced at once (Aycock & Horspool 2002).

Grammars are plain data: a symbol is a rule's name (str) or a set of bytes (frozenset of int); a rule has
a list of alternatives, each a tuple of symbols. Expressions with choices and counted repeats are turned
into that form by `Builder`, with every copy of a repeat written out.

Unproductive alternatives are dropped first, so every item in a chart can be completed; a prefix is viable
iff its last set of items is not empty.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

Symbol = str | frozenset[int]
Rules = dict[str, list[tuple[Symbol, ...]]]
#: A rule's name, which alternative, the position of the dot, and where the match began.
Item = tuple[str, int, int, int]


@dataclass
class Builder:
    """Turns expression trees into plain rules, and into the EBNF text that the engine reads.

    Trees are tuples: ("lit", text), ("any", characters), ("rule", name), ("seq", ...), ("alt", ...),
    ("rep", tree, least, most or None).
    """

    rules: Rules = field(default_factory=dict)
    fresh: int = 0

    def define(self, name: str, tree: tuple) -> None:
        self.rules[name] = [self.symbols(tree)]

    def helper(self, alternatives: list[tuple[Symbol, ...]]) -> str:
        self.fresh += 1
        name = f"#{self.fresh}"
        self.rules[name] = alternatives
        return name

    def symbols(self, tree: tuple) -> tuple[Symbol, ...]:
        match tree:
            case ("lit", text):
                return tuple(frozenset([byte]) for byte in text.encode())
            case ("any", characters):
                return (self.helper([self.symbols(("lit", c)) for c in characters]),)
            case ("rule", name):
                return (name,)
            case ("seq", *parts):
                return tuple(symbol for part in parts for symbol in self.symbols(part))
            case ("alt", *options):
                return (self.helper([self.symbols(option) for option in options]),)
            case ("rep", body, least, most):
                one = self.symbols(body)
                if most is None:
                    again = self.helper([()])
                    self.rules[again].append((again, *one))
                    return (*(one * least), again)
                rest: tuple[Symbol, ...] = ()
                for _ in range(most - least):
                    rest = (self.helper([(), (*one, *rest)]),)
                return (*(one * least), *rest)
        raise ValueError(tree)


def to_ebnf(tree: tuple) -> str:
    """A tree as EBNF."""
    match tree:
        case ("lit", text):
            return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
        case ("any", characters):
            return "[" + "".join(characters) + "]"
        case ("rule", name):
            return name
        case ("seq", *parts):
            return "(" + " ".join(to_ebnf(part) for part in parts) + ")" if parts else '""'
        case ("alt", *options):
            return "(" + " | ".join(to_ebnf(option) for option in options) + ")"
        case ("rep", body, least, most):
            return f"({to_ebnf(body)}){{{least},{'' if most is None else most}}}"
    raise ValueError(tree)


def least(rules: Rules, holds) -> set[str]:
    """The least set of rules closed under `holds(alternative, set)`."""
    known: set[str] = set()
    while True:
        more = {n for n, alts in rules.items() if n not in known and any(holds(a, known) for a in alts)}
        if not more:
            return known
        known |= more


class Earley:
    """Charts over one grammar.

    A chart is a tuple of sets of items, one a position; `extend` gives a longer one.
    """

    def __init__(self, rules: Rules, root: str) -> None:
        productive = least(
            rules, lambda alt, known: all(s in known if isinstance(s, str) else s for s in alt)
        )
        self.rules = {
            name: [
                alt for alt in alts if all(s in productive for s in alt if isinstance(s, str)) and all(alt)
            ]
            for name, alts in rules.items()
            if name in productive
        }
        self.root = root
        self.nullable = least(self.rules, lambda alt, known: all(s in known for s in alt))

    def start(self) -> tuple[set[Item], ...]:
        if self.root not in self.rules:
            return (set(),)
        return self.close((), {(self.root, i, 0, 0) for i in range(len(self.rules[self.root]))})

    def extend(self, chart: tuple[set[Item], ...], byte: int) -> tuple[set[Item], ...]:
        scanned = set()
        for name, alt, dot, begin in chart[-1]:
            symbols = self.rules[name][alt]
            if dot < len(symbols) and isinstance(symbols[dot], frozenset) and byte in symbols[dot]:
                scanned.add((name, alt, dot + 1, begin))
        return self.close(chart, scanned)

    def close(self, chart: tuple[set[Item], ...], items: set[Item]) -> tuple[set[Item], ...]:
        here, position, todo = set(items), len(chart), list(items)
        while todo:
            name, alt, dot, begin = todo.pop()
            symbols = self.rules[name][alt]
            found: list[Item] = []
            if dot == len(symbols):
                for user, i, at, since in here if begin == position else chart[begin]:
                    wanted = self.rules[user][i]
                    if at < len(wanted) and wanted[at] == name:
                        found.append((user, i, at + 1, since))
            elif isinstance(symbols[dot], str):
                found = [(symbols[dot], i, 0, position) for i in range(len(self.rules[symbols[dot]]))]
                if symbols[dot] in self.nullable:
                    found.append((name, alt, dot + 1, begin))
            for item in found:
                if item not in here:
                    here.add(item)
                    todo.append(item)
        return (*chart, here)

    def accepts(self, chart: tuple[set[Item], ...]) -> bool:
        """Whether the text is a sentence."""
        return any(n == self.root and b == 0 and d == len(self.rules[n][a]) for n, a, d, b in chart[-1])

    def viable(self, chart: tuple[set[Item], ...]) -> bool:
        """Whether some sentence begins with the text."""
        return bool(chart[-1])

    def next_bytes(self, chart: tuple[set[Item], ...]) -> set[int]:
        """The bytes that may follow."""
        out: set[int] = set()
        for name, alt, dot, _ in chart[-1]:
            symbols = self.rules[name][alt]
            if dot < len(symbols) and isinstance(symbols[dot], frozenset):
                out |= symbols[dot]
        return out
