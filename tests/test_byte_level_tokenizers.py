"""Which sequences are canonical: the rules against each real tokenizer's own encoder, without one mismatch.

The sizes here suit every test run; `benches/canonicality.py` does the same at full size.
"""

from __future__ import annotations

import io
import random

import numpy as np
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


@pytest.mark.parametrize("load", bt.ALL)
def test_what_may_follow_a_token_is_found_for_all_at_once(load):
    """Covers behind a token, which come from one filter of the vocabulary, against each token tried."""
    rules, rng = load().rules, random.Random(2)
    info = rules.tokenizer_info
    special = {*info.special_token_ids, *info.stop_token_ids}
    texts = {i: t for i, t in enumerate(info.decoded_vocab) if t and i not in special}
    row = np.zeros((1, info.vocab_size), dtype=np.float32)
    compared = 0
    for _ in range(12):
        left, first = rng.choice(list(texts)), rng.choice(list(texts.values()))[:1]
        want = {r for r, text in texts.items() if text.startswith(first) and rules.is_viable([left, r])}
        tree = bw.CoverTree(rules)
        found = set()
        if tree.push(texts[left] + first) == len(texts[left]) + 1:
            for node, _, _ in tree.needed():
                tree.supply([node], row)
            nodes, tokens, _ = tree.covers()
            for node, token in zip(nodes.tolist(), tokens.tolist(), strict=True):
                cover = tree.tokens(node) + ([token] if token >= 0 else [])
                if len(cover) == 2 and cover[0] == left:
                    found.add(cover[1])
        assert found == want, (left, first)
        compared += len(want)
    assert compared > 10


@pytest.mark.parametrize("text", [b"x<|endof", b"<|im_end|>", b"<|im_end|>\n<|im_st"])
def test_texts_of_special_tokens_are_text(text):
    """Whole or in part: no cover has a special token in it, however likely the model finds one."""
    rules = bt.smollm2().rules
    info = rules.tokenizer_info
    special = [*info.special_token_ids, *info.stop_token_ids]
    assert {1, 2} <= set(special)  # <|im_start|> and <|im_end|>
    row = np.zeros((1, info.vocab_size), dtype=np.float32)
    row[:, special] = 5.0
    tree = bw.CoverTree(rules)
    assert tree.push(text) == len(text)
    for node, _, _ in tree.needed():
        tree.supply([node], row)
    nodes, tokens, probabilities = tree.covers()
    assert probabilities.sum() == pytest.approx(1.0)
    for node, token in zip(nodes.tolist(), tokens.tolist(), strict=True):
        cover = tree.tokens(node) + ([token] if token >= 0 else [])
        assert not set(cover) & set(special)
        assert b"".join(map(info.token_bytes, cover)).startswith(text)


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


def test_sentencepiece_models_that_cannot_be_followed_are_named(tmp_path):
    sentencepiece = pytest.importorskip("sentencepiece")

    def rules(**options):
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(bt.STRESS * 5),
            model_writer=model,
            num_threads=1,
            minloglevel=2,
            hard_vocab_limit=False,
            **{
                "model_type": "unigram",
                "vocab_size": 500,
                "byte_fallback": True,
                "normalization_rule_name": "identity",
                "remove_extra_whitespaces": False,
                **options,
            },
        )
        path = tmp_path / "some.model"
        path.write_bytes(model.getvalue())
        return br.rules_from_sentencepiece(path)

    assert rules().is_canonical([]) is True
    for options, reason in (
        ({"byte_fallback": False}, "without byte fallback"),
        ({"normalization_rule_name": "nmt_nfkc"}, "normalizer 'nmt_nfkc'"),
        ({"remove_extra_whitespaces": True}, "normalizer"),
        ({"treat_whitespace_as_suffix": True}, "space behind"),
        ({"model_type": "char", "byte_fallback": False}, "only SentencePiece's BPE and Unigram"),
        ({"user_defined_symbols": ["<x>"]}, "user-defined"),
    ):
        with pytest.raises(UnsupportedTokenizerError, match=reason):
            rules(**options)


def test_scores_stand_alone_and_fit_the_vocabulary():
    texts = [b"a", b"ab", *(bytes([byte]) for byte in range(256))]
    info = bw.TokenizerInfo(texts)
    scores = [-1.0, -3.0, *([None] * 256)]
    rules = bw.TokenizerRules(info, scores=scores)
    assert rules.is_canonical([1])
    assert rules.is_canonical([0, 0, 1])
    assert not rules.is_canonical([0, 2 + ord("b")])
    assert not rules.is_valid_pair(0, 2 + ord("b"))
    assert rules.is_canonical([2 + ord("b")])
    assert not rules.is_canonical([2 + ord("a")])
    for options in ({"merges": []}, {"ranks": [None] * 258}, {"pattern": "."}, {"over_characters": True}):
        with pytest.raises(bw.InvalidArgumentError):
            bw.TokenizerRules(info, scores=scores, **options)
    for wrong, reason in ((scores[1:], "scores were given"), ([float("nan"), *scores[1:]], "NaN")):
        with pytest.raises(bw.InvalidTokenizerError, match=reason):
            bw.TokenizerRules(info, scores=wrong)
    with pytest.raises(bw.InvalidTokenizerError, match="byte fallback"):
        bw.TokenizerRules(bw.TokenizerInfo([b"a"]), scores=[-1.0])
