"""Masks over the vocabularies of real tokenizers, against the matcher's own bytes and the Earley oracle."""

import random

import pytest

import assets
import bytewright as bw
from oracle.earley import Builder, Earley, to_ebnf

DIGITS = ("any", tuple("0123456789"))
RULES = {
    "root": (
        "alt",
        (
            "seq",
            ("lit", "["),
            ("rule", "root"),
            ("rep", ("seq", ("lit", ","), ("rule", "root")), 0, None),
            ("lit", "]"),
        ),
        ("rep", DIGITS, 1, 4),
        ("rule", "text"),
    ),
    "text": ("seq", ("lit", '"'), ("rep", ("any", tuple("abcdefghé ")), 0, 6), ("lit", '"')),
}
WALKS = ['[1234,["a bé","é"],"face"]', '"dead b"', '[[[[7]]],"",12]']


def smollm2():
    pytest.importorskip("gguf")
    return bw.TokenizerInfo.from_gguf(assets.SMOLLM2_GGUF.require())


def llama3():
    pytest.importorskip("tiktoken")
    path, special = assets.LLAMA3.require(), assets.llama3_special_tokens()
    ids = {name: 128_000 + i for i, name in enumerate(special)}
    return bw.TokenizerInfo.from_tiktoken(path, special_tokens=ids, stop_token_ids=[128_001, 128_009])


def mistral():
    pytest.importorskip("sentencepiece")
    return bw.TokenizerInfo.from_sentencepiece(assets.MISTRAL_SENTENCEPIECE.require())


def qwen():
    pytest.importorskip("tiktoken")
    ids = {name: 151_643 + i for i, name in enumerate(assets.qwen_special_tokens())}
    return bw.TokenizerInfo.from_tiktoken(assets.QWEN.require(), special_tokens=ids)


def bits(mask, size):
    return [i for i in range(size) if int(mask[0, i >> 5]) >> (i & 31) & 1]


@pytest.mark.parametrize("load", [smollm2, llama3, mistral, qwen])
def test_every_token_at_every_byte(load):
    """At each byte of three texts, the whole mask is the oracle's."""
    info = load()
    builder = Builder()
    for name, tree in RULES.items():
        builder.define(name, tree)
    earley = Earley(builder.rules, "root")
    text = "\n".join(f"{name} ::= {to_ebnf(tree)}" for name, tree in RULES.items())
    compiled = bw.GrammarCompiler(info).compile_grammar(text)
    vocabulary = info.decoded_vocab
    special = {*info.special_token_ids, *info.stop_token_ids}
    alphabet = frozenset('0123456789abcdefghé ",[]'.encode())
    candidates = [i for i, t in enumerate(vocabulary) if t and i not in special and alphabet.issuperset(t)]
    mask = bw.allocate_token_bitmask(1, info.vocab_size, backend="numpy")
    rng = random.Random(0)
    for walk in WALKS:
        matcher, chart = bw.GrammarMatcher(compiled), earley.start()
        for byte in [*walk.encode(), None]:
            matcher.fill_next_token_bitmask(mask)
            # A trie of charts: tokens share their beginnings.
            charts = {b"": chart}
            want = set(info.stop_token_ids) if earley.accepts(chart) else set()
            for i in candidates:
                token = vocabulary[i]
                for end in range(1, len(token) + 1):
                    if token[:end] not in charts:
                        before = charts[token[: end - 1]]
                        charts[token[:end]] = earley.extend(before, token[end - 1]) if before[-1] else before
                if earley.viable(charts[token]):
                    want.add(i)
            assert set(bits(mask, info.vocab_size)) == want, (walk, byte)
            for i in rng.sample(range(len(vocabulary)), 200):
                assert matcher.fork().accept_token(i) == (i in want)
            if byte is None:
                assert matcher.is_completed()
            else:
                assert matcher.accept_string(bytes([byte]))
                chart = earley.extend(chart, byte)
