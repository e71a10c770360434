"""The ready grammars as recognisers over bytes, their samples, and damaged copies of samples.

A grammar is compared with a parser that others wrote: on real texts, and on mutations of them, which lie
near the border of the language, where mistakes are.
"""

import functools
import json
import pathlib
import random

import bytewright as bw

GRAMMARS = pathlib.Path(__file__).resolve().parent.parent / "grammars"
NAMES = sorted(path.stem for path in GRAMMARS.glob("*.ebnf"))


@functools.cache
def tokenizer():
    """Every byte is a token."""
    return bw.TokenizerInfo([bytes([byte]) for byte in range(256)] + [b"<end>"], stop_token_ids=[256])


@functools.cache
def compiled(name):
    """The grammar of `grammars/NAME.ebnf`, compiled for bytes."""
    text = (GRAMMARS / f"{name}.ebnf").read_text(encoding="utf-8")
    grammar = bw.Grammar.from_ebnf(text, unreachable_rules="error")
    return bw.GrammarCompiler(tokenizer()).compile_grammar(grammar)


def accepts(name, text):
    """Whether the whole of `text` (str or bytes) is a sentence of the grammar."""
    matcher = bw.GrammarMatcher(compiled(name))
    return matcher.accept_string(text) and matcher.is_completed()


def explain(name, text):
    """Why `text` is not a sentence, for the message of a failed test."""
    rejection = bw.GrammarMatcher(compiled(name)).explain_rejection(text)
    if rejection is None:
        return f"{name}: the text ends too early: {text[-80:]!r}"
    data = text.encode() if isinstance(text, str) else text
    at = rejection.byte_offset
    return f"{name}: {data[max(0, at - 60) : at]!r} <here> {data[at : at + 40]!r}: {rejection.message}"


def samples(name, kind):
    """The texts of `grammars/samples/NAME.KIND`, one JSON string a line."""
    lines = (GRAMMARS / "samples" / f"{name}.{kind}").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def mutate(rng, text, others, alphabet):
    """`text` with one piece of damage: characters removed, doubled, moved, inserted, or from another text."""
    at = rng.randrange(len(text) + 1)
    end = min(len(text), at + rng.choice((1, 1, 1, 2, 3, 8)))
    kind = rng.randrange(6)
    if kind == 0:
        return text[:at] + text[end:]
    if kind == 1:
        return text[:end] + text[at:]
    if kind == 2:
        return text[:at] + rng.choice(alphabet) + text[at:]
    if kind == 3:
        return text[:at] + rng.choice(alphabet) + text[end:]
    other = rng.choice(others)
    start = rng.randrange(len(other) + 1)
    if kind == 4:
        return text[:at] + other[start : start + rng.choice((1, 2, 4, 12))] + text[at:]
    return text[:at] + text[end : end + 3] + text[at:end] + text[end + 3 :]


def mutations(texts, count, *, seed=0, extra=""):
    """`count` damaged copies of `texts`, the same for the same seed; `extra` characters are inserted too."""
    rng = random.Random(seed)
    texts = list(texts)
    alphabet = sorted(set("".join(texts)) | set(extra))
    for _ in range(count):
        text = rng.choice(texts)
        for _ in range(rng.choice((1, 1, 2, 3))):
            text = mutate(rng, text, texts, alphabet)
        yield text


def grown(name, texts, count, *, seed=0):
    """At most `count` copies of `texts` that the grammar takes, with some bytes put in that its masks allow.

    Random damage seldom meets what a grammar takes in excess; this goes wherever the grammar lets it.
    """
    rng = random.Random(seed)
    mask = bw.allocate_token_bitmask(1, 257, backend="numpy")
    found = set()
    for _ in range(count):
        text = rng.choice(texts).encode()
        at = rng.randrange(len(text) + 1)
        matcher, added = bw.GrammarMatcher(compiled(name)), b""
        matcher.accept_string(text[:at])
        for _ in range(rng.choice((1, 1, 2, 3, 4, 6, 10))):
            matcher.fill_next_token_bitmask(mask)
            allowed = [byte for byte in range(128) if int(mask[0, byte >> 5]) >> (byte & 31) & 1]
            signs = [byte for byte in allowed if not chr(byte).isalnum()]
            choices = signs if signs and rng.random() < 0.7 else allowed
            if choices:
                byte = rng.choice(choices)
                matcher.accept_token(byte)
                added += bytes([byte])
        for skipped in range(12):
            rest = matcher.fork()
            if rest.accept_string(text[at + skipped :]) and rest.is_completed():
                found.add(text[:at] + added + text[at + skipped :])
                break
    return [text.decode("utf-8", "ignore") for text in sorted(found)]


def compare(name, parses, texts, *, subset=False):
    """Compares a grammar with a parser on many texts, and gives how many both accept and refuse.

    Args:
        name: The grammar.
        parses: Whether the parser takes a text.
        texts: What to try.
        subset: The grammar takes fewer texts on purpose: only what it takes beyond the parser is a mistake.
    """
    accepted = refused = 0
    wrong = []
    for text in texts:
        ours, theirs = accepts(name, text), parses(text)
        if ours != theirs and (ours or not subset):
            wrong.append((text, "the grammar accepts" if ours else explain(name, text)))
        accepted += ours and theirs
        refused += not ours and not theirs
    assert not wrong, f"{name}: {len(wrong)} differences, e.g. {wrong[:5]}"
    return accepted, refused
