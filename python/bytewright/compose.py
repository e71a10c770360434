"""Grammars as Python expressions.

A part is a :class:`Grammar`, or a text that stands for itself. Each function gives a grammar of its own, so
the same part may stand in many places, and rule names never clash. What refers to itself needs a grammar
language, such as that of `Grammar.from_ebnf`.

>>> import bytewright as bw
>>> number = bw.Grammar.from_regex("-?[0-9]+")
>>> point = bw.seq("(", number, bw.repeat(bw.seq(", ", number), 1, 2), ")")
>>> command = bw.choice("stop", bw.seq("go to ", point, bw.optional(bw.choice(" fast", " slowly"))))
>>> info = bw.TokenizerInfo([bytes([byte]) for byte in range(256)] + [b"</s>"], stop_token_ids=256)
>>> matcher = bw.GrammarMatcher(bw.GrammarCompiler(info).compile_grammar(command))
>>> matcher.accept_string("go to (1, -2) fast"), matcher.is_completed()
(True, True)
"""

from __future__ import annotations

from ._core import Grammar

__all__ = ["choice", "optional", "repeat", "seq"]


def _grammar(part: Grammar | str) -> Grammar:
    return Grammar.from_choices([part]) if isinstance(part, str) else part


def seq(*parts: Grammar | str) -> Grammar:
    """One part after the other.

    Raises:
        InvalidArgumentError: without parts.
    """
    return Grammar.concat(*map(_grammar, parts))


def choice(*parts: Grammar | str) -> Grammar:
    """Any one of the parts.

    Raises:
        InvalidArgumentError: without parts.
    """
    return Grammar.union(*map(_grammar, parts))


def repeat(part: Grammar | str, least: int = 0, most: int | None = None) -> Grammar:
    """A part, `least` to `most` times (None: without end).

    Raises:
        InvalidArgumentError: if `most` is less than `least`, or either is negative.
    """
    return _grammar(part).repeat(least, most)


def optional(part: Grammar | str) -> Grammar:
    """A part, or nothing."""
    return repeat(part, 0, 1)
