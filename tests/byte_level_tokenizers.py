"""Real tokenizers beside the rules read from them, for the tests of `bytewright.byte_level`."""

from __future__ import annotations

import _pydecimal as decimal_module
import argparse
import bisect
import datetime
import heapq
import inspect
import io
import json
import random
import tarfile
import tempfile
import textwrap
import typing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import assets
from bytewright.byte_level import rules as br

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    import bytewright as bw

STRESS = (
    "I'll can't we'Ve IT'S 'tis 's''s' rock'n'roll o'clock'd",
    "a  b   c    d\t\te \t f\n\n  g\r\n\r\nh \n i\u3000j\u00a0k  ",
    "   leading and trailing   ",
    "\n\n\n",
    "1 12 123 1234 12345 1234567 3.14159 1,000,000 x2y22z٣٤ ½² Ⅳ",
    "naïve café Zürich ÅÄÖ e\u0301 Ελληνικά русский 日本語テキスト 한국어 العربية हिन्दी",
    "👍🏽 👨‍👩‍👧‍👦 🇨🇭 \u200b\ufeff\u2028",
    "def f(x):\n    return x + 1  # ok\n\n\n\tif a!=b: {[('\"')]}//\\\\",
    "<|endoftext|> <|im_end|> [INST]",
    "HelloWorld HTTPServer iPhone McDONALD'S ǅungla",
    "http://a.b/c?d=e&f#g  --  ...?!  $100,000.00 ++i;",
    "\x00\x01\x7f \x85 \u1680 \ufffd",
    "\u017f'\u017f '\u017f K \u212a",
)
"""Contractions, spaces, newlines, digits, scripts, emoji, controls, the special tokens' texts."""


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer's own encoder and the rules read from it.

    Attributes:
        encode: Text to ids, special tokens' texts taken as text.
        rules: The rules.
        prefix: What the encoder itself puts before a text.
        texts: Texts to be cut and damaged.
    """

    encode: Callable[[str], list[int]]
    rules: bw.TokenizerRules
    prefix: str = ""
    texts: tuple[str, ...] = STRESS


@cache
def smollm2() -> Tokenizer:
    tokenizers = pytest.importorskip("tokenizers")
    pytest.importorskip("gguf")
    from bytewright.tokenizers.gguf import read_tokenizer_metadata

    metadata = read_tokenizer_metadata(assets.SMOLLM2_GGUF.require(), with_merges=True)
    tokens = [token.decode() for token in metadata["tokens"]]
    merges = [tuple(merge.decode().split(" ")) for merge in metadata["merges"]]
    bpe = tokenizers.models.BPE({t: i for i, t in enumerate(tokens)}, merges)
    tokenizer = tokenizers.Tokenizer(bpe)
    pre = tokenizers.pre_tokenizers
    tokenizer.pre_tokenizer = pre.Sequence(
        [pre.Digits(individual_digits=True), pre.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    rules = br.rules_from_gguf(assets.SMOLLM2_GGUF.require(), stop_token_ids=0)
    # Without the special tokens, so that their texts are text.
    return Tokenizer(lambda text: tokenizer.encode(text, add_special_tokens=False).ids, rules)


@cache
def gpt2_style() -> Tokenizer:
    """The same merges behind GPT-2's own pre-tokenizer."""
    tokenizers = pytest.importorskip("tokenizers")
    from bytewright.tokenizers.gguf import read_tokenizer_metadata

    metadata = read_tokenizer_metadata(assets.SMOLLM2_GGUF.require(), with_merges=True)
    tokens = [token.decode() for token in metadata["tokens"]]
    merges = [tuple(merge.decode().split(" ")) for merge in metadata["merges"]]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    rules = br.rules_from_huggingface(tokenizer, stop_token_ids=0)
    return Tokenizer(lambda text: tokenizer.encode(text, add_special_tokens=False).ids, rules)


def _tiktoken(asset: assets.Asset, name: str, special: dict[str, int]) -> Tokenizer:
    tiktoken = pytest.importorskip("tiktoken")
    from bytewright.tokenizers.tiktoken import read_rank_file

    path = asset.require()
    pattern = br.PATTERNS[name]
    encoding = tiktoken.Encoding(
        name, pat_str=pattern, mergeable_ranks=dict(read_rank_file(path)), special_tokens=special
    )
    rules = br.rules_from_tiktoken(encoding, stop_token_ids=min(special.values()))
    return Tokenizer(encoding.encode_ordinary, rules)


@cache
def llama3() -> Tokenizer:
    special = {name: 128_000 + i for i, name in enumerate(assets.llama3_special_tokens())}
    return _tiktoken(assets.LLAMA3, "llama3", special)


@cache
def llama4() -> Tokenizer:
    special = {name: 200_000 + i for i, name in enumerate(assets.llama4_special_tokens())}
    return _tiktoken(assets.LLAMA4, "llama4", special)


@cache
def qwen() -> Tokenizer:
    special = {name: 151_643 + i for i, name in enumerate(assets.qwen_special_tokens())}
    return _tiktoken(assets.QWEN, "qwen", special)


@cache
def cl100k() -> Tokenizer:
    """With the pattern as tiktoken spells it now, possessive quantifiers and all."""
    tiktoken = pytest.importorskip("tiktoken")
    from bytewright.tokenizers.tiktoken import read_rank_file

    (pattern,) = [p for p, plain in br._EQUIVALENT.items() if plain == br.PATTERNS["cl100k"]]
    ranks = dict(read_rank_file(assets.CL100K.require()))
    special = assets.cl100k_special_tokens()
    encoding = tiktoken.Encoding("c", pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)
    return Tokenizer(encoding.encode_ordinary, br.rules_from_tiktoken(encoding, stop_token_ids=100257))


@cache
def tekken() -> Tokenizer:
    tekken = pytest.importorskip("mistral_common.tokens.tokenizers.tekken")
    path = assets.MISTRAL_TEKKEN.require()
    tokenizer = tekken.Tekkenizer.from_file(path)
    rules = br.rules_from_tekken(path)
    return Tokenizer(lambda text: tokenizer.encode(text, bos=False, eos=False), rules)


@cache
def mistral() -> Tokenizer:
    sentencepiece = pytest.importorskip("sentencepiece")
    path = assets.MISTRAL_SENTENCEPIECE.require()
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return Tokenizer(processor.encode, br.rules_from_sentencepiece(path), prefix=" ")


def _unigram(modules: list[ModuleType], **options: object) -> Tokenizer:
    """A Unigram model with byte fallback, trained here: those that can be installed have normalizers."""
    sentencepiece = pytest.importorskip("sentencepiece")
    lines = [line for module in modules for line in inspect.getsource(module).splitlines()]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*lines, *STRESS * 20]),
        model_writer=model,
        model_type="unigram",
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        num_threads=1,
        minloglevel=2,
        **options,
    )
    return _sentencepiece(model.getvalue(), prefix=" " if options.get("add_dummy_prefix", True) else "")


def _sentencepiece(model: bytes, **options: object) -> Tokenizer:
    sentencepiece = pytest.importorskip("sentencepiece")
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "unigram.model")
        path.write_bytes(model)
        rules = br.rules_from_sentencepiece(path)
    return Tokenizer(processor.encode, rules, **options)


@cache
def unigram() -> Tokenizer:
    return _unigram(
        [bisect, heapq, textwrap], vocab_size=900, character_coverage=0.998, add_dummy_prefix=False
    )


@cache
def unigram_phrases() -> Tokenizer:
    """Larger, with pieces that go across spaces, and a space put before a text."""
    options = {"split_by_whitespace": False, "max_sentencepiece_length": 24}
    modules = [argparse, datetime, decimal_module, inspect, tarfile, textwrap, typing]
    return _unigram(modules, vocab_size=8000, character_coverage=0.9998, **options)


@cache
def unigram_mon() -> Tokenizer:
    """A published vocabulary for Mon, Burmese and English, with its scores, in SentencePiece's encoder.

    It comes as a file of Hugging Face's tokenizers, whose Unigram adds other numbers, behind a normalizer.
    """
    pytest.importorskip("sentencepiece")
    from sentencepiece import sentencepiece_model_pb2 as schema

    model = schema.ModelProto()
    model.trainer_spec.model_type = model.trainer_spec.UNIGRAM
    model.trainer_spec.byte_fallback = True
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.remove_extra_whitespaces = False
    kind_of = schema.ModelProto.SentencePiece
    kinds = {"<unk>": kind_of.UNKNOWN}
    kinds |= dict.fromkeys(("<s>", "</s>", "<pad>"), kind_of.CONTROL)
    kinds |= dict.fromkeys((f"<0x{byte:02X}>" for byte in range(256)), kind_of.BYTE)
    published = json.loads(assets.MON_UNIGRAM.require().read_text(encoding="utf-8"))["model"]["vocab"]
    for piece, score in published:
        # One piece is a space, which SentencePiece writes as U+2581 before it looks for pieces.
        usual = kind_of.UNUSED if " " in piece else kind_of.NORMAL
        kind = kinds.get(piece, usual)
        model.pieces.add(piece=piece, score=score, type=kind)
    texts = (
        "လူတိုင်းသည် တူညီ လွတ်လပ်သော ဂုဏ်သိက္ခာဖြင့် လည်းကောင်း၊ တူညီလွတ်လပ်သော အခွင့်အရေးများဖြင့် လည်းကောင်း၊ မွေးဖွားလာသူများ ဖြစ်သည်။",
        "ဘာသာမန် ညးဇၞော်မောဝ် ဍုင်ဗၟာ ကေုာံ ဍုင်သေံ 1,234 ၁၂၃",
        "All human beings are born free and equal in dignity and rights; they have reason and conscience.",
    )
    return _sentencepiece(model.SerializeToString(), prefix=" ", texts=STRESS + texts)


ALL = [smollm2, gpt2_style, llama3, llama4, qwen, cl100k, tekken, mistral, unigram]


#: Too slow for every test run.
LARGE = [unigram_phrases, unigram_mon]


def corpus(tokenizer: Tokenizer, rng: random.Random, length: int) -> str:
    """A text of pieces of the tokenizer's texts, cut anywhere."""
    text = "".join(rng.choice(tokenizer.texts) for _ in range(3))
    start = rng.randrange(len(text))
    return text[start : start + length]


def reencodes(tokenizer: Tokenizer, tokens: list[int]) -> bool | None:
    """Whether encoding gives the tokens back; None where their bytes are no text that can be encoded."""
    data = b"".join(map(tokenizer.rules.tokenizer_info.token_bytes, tokens))
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    # SentencePiece puts no space before nothing.
    if not text.startswith(tokenizer.prefix) or text == tokenizer.prefix:
        return None
    return tokenizer.encode(text[len(tokenizer.prefix) :]) == tokens


def hard_pairs(tokenizer: Tokenizer, rng: random.Random, count: int) -> Iterator[tuple[int, int]]:
    """Two tokens that share a token across their boundary, or two halves of one."""
    info = tokenizer.rules.tokenizer_info
    special = {*info.special_token_ids, *info.stop_token_ids}
    by_bytes = {t: i for i, t in enumerate(info.decoded_vocab) if t and i not in special}
    texts = sorted(by_bytes)
    for _ in range(count):
        whole = rng.choice(texts)
        cut = rng.randrange(len(whole) + 1)
        left = [t for t in (whole[:i] for i in range(cut + 1)) if t in by_bytes] or [rng.choice(texts)]
        right = [t for t in (whole[i:] for i in range(cut, len(whole))) if t in by_bytes]
        yield by_bytes[left[-1]], by_bytes[right[0] if right else rng.choice(texts)]


def check(tokenizer: Tokenizer, pairs: int, sequences: int, seed: int = 0) -> tuple[int, int]:
    """Compares pairs, sequences and the stress list; returns how many could be compared."""
    rng = random.Random(seed)
    rules = tokenizer.rules
    info = rules.tokenizer_info
    special = {*info.special_token_ids, *info.stop_token_ids}
    ids = [i for i, t in enumerate(info.decoded_vocab) if t and i not in special]
    compared = [0, 0]

    def same(tokens: list[int], kind: int) -> None:
        want = reencodes(tokenizer, tokens)
        if want is None:
            return
        compared[kind] += 1
        assert rules.is_canonical(tokens) == want, (tokens, [info.token_bytes(t) for t in tokens])
        if want:
            assert rules.is_viable(tokens)

    for left, right in hard_pairs(tokenizer, rng, pairs // 2):
        same([left, right], 0)
    for _ in range(pairs // 2):
        same([rng.choice(ids), rng.choice(ids)], 0)
    for text in tokenizer.texts:
        same(tokenizer.encode(text), 1)
    for _ in range(sequences):
        tokens = tokenizer.encode(corpus(tokenizer, rng, rng.randrange(1, 40)))
        same(tokens, 1)
        # Broken in one place: a token spelled by two others, or replaced, or left out.
        at = rng.randrange(len(tokens))
        broken = info.token_bytes(tokens[at])
        cut = rng.randrange(len(broken) + 1)
        spelled = [i for part in (broken[:cut], broken[cut:]) for i in tokenizer_ids(tokenizer, part)]
        change = rng.choice([spelled, [rng.choice(ids)], []])
        if changed := tokens[:at] + change + tokens[at + 1 :]:
            same(changed, 1)
    return compared[0], compared[1]


def tokenizer_ids(tokenizer: Tokenizer, part: bytes) -> list[int]:
    try:
        return tokenizer.encode(part.decode())
    except UnicodeDecodeError:
        return []
