"""Which sequences are canonical: the rules against each real tokenizer's own encoder, without one mismatch.

The sizes here suit every test run; `benches/canonicality.py` does the same at full size.
"""

from __future__ import annotations

import pytest

import byte_level_tokenizers as bt
import bytewright as bw
from bytewright.byte_level import rules as br
from bytewright.errors import UnsupportedTokenizerError


@pytest.mark.parametrize("load", bt.ALL)
def test_canonical_is_what_the_encoder_gives_back(load):
    tokenizer = load()
    pairs, sequences = bt.check(tokenizer, pairs=2000, sequences=500)
    assert pairs > 800
    assert sequences > 600


@pytest.mark.parametrize("load", bt.ALL)
def test_every_prefix_of_an_encoding_is_viable(load):
    """And a tree that reads the text byte by byte never loses the encoder's own tokens."""
    tokenizer = load()
    for text in bt.STRESS:
        tokens = tokenizer.encode(text)
        assert tokenizer.rules.is_canonical(tokens), text
        for end in range(len(tokens) + 1):
            assert tokenizer.rules.is_viable(tokens[:end]), (text, end)
        tree = bw.CoverTree(tokenizer.rules)
        data = (tokenizer.prefix + text).encode()
        assert tree.push(data) == len(data), text
        assert any(tree.tokens(node) == tokens for node, _, _ in tree.needed()), text
        assert tree.num_nodes < 24, text


def test_bytes_that_are_no_text_have_covers():
    tokenizer = bt.smollm2()
    for data in [b"\xe2\x82 x", b"caf\xc3", b"\xf0\x9f\x91", b"a\xe4\xb8b"]:
        tree = bw.CoverTree(tokenizer.rules)
        assert tree.push(data) == len(data), data


def test_what_is_not_exact_is_refused():
    tokenizers = pytest.importorskip("tokenizers")
    byte_level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)

    def make(model=None, **parts):
        alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
        vocab = {c: i for i, c in enumerate(sorted(alphabet))}
        made = tokenizers.Tokenizer(model or tokenizers.models.BPE(vocab, []))
        made.pre_tokenizer = byte_level
        made.decoder = tokenizers.decoders.ByteLevel()
        for name, part in parts.items():
            setattr(made, name, part)
        return made

    assert br.rules_from_huggingface(make()).unreachable == []
    wrong = {
        "normalizer": make(normalizer=tokenizers.normalizers.NFC()),
        "Unigram": make(tokenizers.models.Unigram([("a", -1.0)])),
        "Whitespace": make(pre_tokenizer=tokenizers.pre_tokenizers.Whitespace()),
        "add_prefix_space": make(pre_tokenizer=tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=True)),
    }
    added = make()
    added.add_tokens(["hello"])
    wrong["hello"] = added
    for reason, tokenizer in wrong.items():
        with pytest.raises(UnsupportedTokenizerError, match=reason):
            br.rules_from_huggingface(tokenizer)
    assert br.rules_from_huggingface(wrong["normalizer"], ignore_normalizer=True)
    with pytest.raises(UnsupportedTokenizerError, match="no fast tokenizer"):
        br.rules_from_huggingface(object())
    info = bw.TokenizerInfo([b"a", b"b"])
    with pytest.raises(UnsupportedTokenizerError, match="possessive"):
        bw.TokenizerRules(info, merges=[], pattern=r"\p{L}++|.")
    with pytest.raises(bw.InvalidArgumentError):
        bw.TokenizerRules(info)
