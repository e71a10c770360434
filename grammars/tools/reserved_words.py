r"""Prints EBNF rules for the words that are none of a list: a tree of the list's letters, equal subtrees shared.

A context-free grammar cannot say "a name, but no keyword". The words that are no keyword are regular, though, and this writes
them out: `not-PREFIX` may be followed by anything but the one word that is left, `after-PREFIX` by anything but several.

    python grammars/tools/reserved_words.py NAME [--any-case] [--extra '_$'] [--prefix name-] WORD...
"""

from __future__ import annotations

import argparse
import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = 118


def char_class(chars: Iterable[str]) -> str:
    """A bracket of these characters, as ranges."""
    left, text = sorted(chars), ""
    while left:
        count = 1
        while count < len(left) and ord(left[count]) == ord(left[0]) + count:
            count += 1
        first, last = left[0], left[count - 1]
        text += first if count == 1 else first + last if count == 2 else f"{first}-{last}"
        left = left[count:]
    return f"[{text}]"


class Tree:
    """The rules, each for what remains of some words after a prefix."""

    def __init__(self, words: Iterable[str], *, any_case: bool, extra: str, prefix: str) -> None:
        self.words = {word.lower() if any_case else word for word in words}
        self.any_case, self.prefix = any_case, prefix
        self.first = set(string.ascii_letters + extra)
        self.names: dict[frozenset[str], str] = {}
        self.waiting: list[tuple[str, str, frozenset[str]]] = []

    def cases(self, char: str) -> set[str]:
        """The letter as a reserved word may have it."""
        return {char.lower(), char.upper()} if self.any_case else {char}

    def terminal(self, char: str) -> str:
        """The letter as EBNF."""
        cases = self.cases(char)
        return f'"{char}"' if len(cases) == 1 else "[" + "".join(sorted(cases, reverse=True)) + "]"

    def rule(self, before: str, rest: frozenset[str]) -> str:
        """The name of the rule for what may follow `before`; made when it is met first."""
        if rest == {""}:
            return f"{self.prefix}rest+"
        if rest not in self.names:
            name = f"not-{next(iter(rest))}" if len(rest) == 1 else f"after-{before}"
            name = base = self.prefix + name
            number = 2
            while name in self.names.values():
                name, number = f"{base}-{number}", number + 1
            self.names[rest] = name
            self.waiting.append((name, before, rest))
        return self.names[rest]

    def show(self, name: str, before: str, rest: Iterable[str], chars: set[str]) -> str:
        """One rule, in lines of a readable width. A word may end here unless it is one of the list."""
        heads: dict[str, set[str]] = {}
        for word in sorted(rest):
            if word:
                heads.setdefault(word[0], set()).add(word[1:])
        taken = {case for char in heads for case in self.cases(char)}
        parts = [f"{char_class(chars - taken)} {self.prefix}rest*"]
        for char, tails in sorted(heads.items()):
            parts.append(f"{self.terminal(char)} {self.rule(before + char, frozenset(tails))}")
        may_end = before and "" not in rest
        lines, line = [], f"{name} ::= {'(' if may_end else ''}{parts[0]}"
        for part in parts[1:]:
            if len(line) + len(part) + 5 > WIDTH:
                lines.append(f"{line} |")
                line = f"    {part}"
            else:
                line += f" | {part}"
        return "\n".join([*lines, line + (")?" if may_end else "")]) + "\n"


def not_words(
    name: str, words: Iterable[str], *, any_case: bool = False, extra: str = "_", prefix: str = ""
) -> str:
    """The rules: `name` for any word but these, of letters, digits and `extra`, with no digit first."""
    tree = Tree(words, any_case=any_case, extra=extra, prefix=prefix)
    chars = tree.first | set(string.digits)
    text = tree.show(name, "", tree.words, tree.first)
    for rule, before, rest in tree.waiting:  # grows while it is read
        text += tree.show(rule, before, rest, chars)
    return text + f"{prefix}rest ::= {char_class(chars)}\n"


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="name of the first rule")
    parser.add_argument("words", nargs="+", help="words that it leaves out")
    parser.add_argument("--any-case", action="store_true", help="leave them out in capitals too")
    parser.add_argument("--extra", default="_", help="characters of words besides letters and digits")
    parser.add_argument("--prefix", default="", help="what the other rules' names begin with")
    options = vars(parser.parse_args())
    print(not_words(**options), end="")


if __name__ == "__main__":
    main()
