"""Lark's parser and ours side by side."""

from __future__ import annotations

import pathlib
import random
from typing import TYPE_CHECKING

import pytest

import bytewright as bw

if TYPE_CHECKING:
    from collections.abc import Callable

lark = pytest.importorskip("lark")

SHIPPED = pathlib.Path(lark.__file__).with_name("grammars")
BYTES = bw.TokenizerInfo([bytes([byte]) for byte in range(256)] + [b"</s>"], stop_token_ids=256)
COMPILER = bw.GrammarCompiler(BYTES)


def recogniser(text: str, **arguments) -> Callable[[str], bool]:
    """Ours."""
    compiled = COMPILER.compile_grammar(bw.Grammar.from_lark(text, **arguments))

    def accepts(sample: str) -> bool:
        matcher = bw.GrammarMatcher(compiled)
        return matcher.accept_string(sample) and matcher.is_completed()

    return accepts


def oracle(text: str, lexer: str = "dynamic_complete", **arguments) -> Callable[[str], bool]:
    """Lark's."""
    parser = lark.Lark(text, parser="earley", lexer=lexer, **arguments)
    return lambda sample: parses(parser, sample)


def parses(parser: lark.Lark, sample: str) -> bool:
    """Whether one of Lark's parsers takes a text."""
    try:
        parser.parse(sample)
    except (lark.exceptions.UnexpectedInput, lark.exceptions.ParseError):
        return False
    except RuntimeError as error:
        # A defect of Lark's: it has found several derivations that end in different ways.
        if "multiple start symbol items" not in str(error):
            raise
    return True


def mutations(sample: str, alphabet: str, count: int, rng: random.Random) -> list[str]:
    """The sample, and copies of it with a character or two inserted, taken out or exchanged."""
    out = [sample]
    for _ in range(count):
        text = list(sample)
        for _ in range(rng.randint(1, 2)):
            at = rng.randrange(len(text) + 1)
            text[at : at + rng.randint(0, 1)] = rng.choice(["", *alphabet])
        out.append("".join(text))
    return out


def generated(text: str, count: int, rng: random.Random, *, most: int = 60, **arguments) -> list[str]:
    """Sentences of our grammar: random walks along the masks, over printable ASCII, that come to an end."""
    compiled = COMPILER.compile_grammar(bw.Grammar.from_lark(text, **arguments))
    mask = bw.allocate_token_bitmask(1, 257, backend="numpy")
    out = []
    for _ in range(count):
        matcher, sentence = bw.GrammarMatcher(compiled), ""
        # Signs and letters are drawn as often as each other: letters seldom end anything.
        while len(sentence) < most and not (matcher.is_completed() and rng.random() < 0.3):
            matcher.fill_next_token_bitmask(mask)
            allowed = [chr(b) for b in (10, *range(32, 127)) if int(mask[0, b >> 5]) >> (b & 31) & 1]
            signs = [char for char in allowed if not char.isalnum()]
            if not allowed:
                break
            sentence += rng.choice(signs if signs and rng.random() < 0.5 else allowed)
            matcher.accept_string(sentence[-1])
        if matcher.is_completed():
            out.append(sentence)
    return out


def assert_agree(text: str, samples: list[str], alphabet: str = "", count: int = 30, **arguments) -> None:
    """Every sample is accepted by both; its mutations by both or by neither."""
    ours, theirs = recogniser(text, **arguments), oracle(text, **arguments)
    rng = random.Random(7)
    verdicts = set()
    for sample in samples:
        assert ours(sample), sample
        for mutant in mutations(sample, sample + alphabet, count, rng):
            verdict = theirs(mutant)
            assert ours(mutant) == verdict, mutant
            verdicts.add(verdict)
    assert verdicts == {True, False}
