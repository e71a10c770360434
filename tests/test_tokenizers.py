"""The tokenizer loaders: bytes, special ids, and the families with a file format of their own.

The property that matters: the bytes of a text's tokens, joined, are the text's UTF-8. The encoders are the
families' own libraries, which share no code with the loaders.
"""

from __future__ import annotations

import base64
import json
import math
import struct
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import assets
from bytewright.errors import InvalidTokenizerError
from bytewright.tokenizers import (
    MAX_VOCAB_SIZE,
    VocabularySpec,
    build_spec,
    detect_kind,
    load_huggingface,
    load_mistral_common,
    load_sentencepiece,
    load_tiktoken,
)
from bytewright.tokenizers.pieces import byte_level_alphabet, decode_byte_level
from vocabulary_checks import SENTENCEPIECE_TEXTS, TEXTS, check_all_bytes, check_shape, joined

if TYPE_CHECKING:
    from pathlib import Path

# --- pieces and spec ---


def test_byte_level_alphabet_is_a_bijection_that_decodes() -> None:
    alphabet = byte_level_alphabet()
    assert len(set(alphabet)) == 256
    assert [decode_byte_level(c) for c in alphabet] == [bytes([b]) for b in range(256)]
    assert decode_byte_level(alphabet) == bytes(range(256))


def test_byte_level_alphabet_is_the_one_of_tokenizers() -> None:
    pre_tokenizers = pytest.importorskip("tokenizers").pre_tokenizers
    assert set(byte_level_alphabet()) == set(pre_tokenizers.ByteLevel.alphabet())


@pytest.mark.parametrize("foreign", ["\xa0", "\xad", "\x80", "中", "▁", "\u0144", "\uffff", "\U0001d518"])
def test_a_piece_outside_the_alphabet_is_its_utf8(foreign: str) -> None:
    assert decode_byte_level(f"Ġ{foreign}") == f"Ġ{foreign}".encode()


def test_build_spec_keeps_duplicates_and_empty_tokens() -> None:
    spec = build_spec(
        [b"a", b"", b"a"], source="t", vocab_size=5, stop_token_ids=4, special_token_ids=[2, 1, 2]
    )
    assert spec == VocabularySpec([b"a", b"", b"a"], 5, (4,), (1, 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocab_size": 1}, "vocab_size is 1"),
        ({"vocab_size": -1}, "vocab_size is -1"),
        ({"vocab_size": MAX_VOCAB_SIZE + 1}, "vocab_size"),
        ({"vocab_size": "3"}, "vocab_size is '3'"),
        ({"vocab_size": 2.0}, "vocab_size is 2.0"),
        ({"stop_token_ids": [2]}, "stop token id 2"),
        ({"stop_token_ids": -1}, "stop token id -1"),
        ({"stop_token_ids": ["a"]}, "stop_token_ids"),
        ({"special_token_ids": [7]}, "special token id 7"),
    ],
)
def test_build_spec_refuses_what_does_not_fit(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidTokenizerError, match=message):
        build_spec([b"a", b"b"], source="t", **arguments)


def test_build_spec_refuses_an_empty_vocabulary() -> None:
    with pytest.raises(InvalidTokenizerError, match="empty"):
        build_spec([], source="t")


def test_loading_imports_no_tokenizer_library() -> None:
    code = (
        "import sys, bytewright.tokenizers; "
        "heavy = {'torch', 'transformers', 'tokenizers', 'tiktoken', 'sentencepiece', 'gguf'}; "
        "sys.exit(' '.join(heavy & set(sys.modules)) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


# --- tiktoken ---

TIKTOKEN_CASES = {
    "llama3": (assets.LLAMA3, assets.llama3_special_tokens(), 128_256, 256, (), assets.LLAMA3_PATTERN),
    "llama4": (assets.LLAMA4, assets.llama4_special_tokens(), 202_048, 2_048, (), assets.LLAMA3_PATTERN),
    "qwen": (assets.QWEN, assets.qwen_special_tokens(), 151_851, 208, (151_643,), assets.QWEN_PATTERN),
    "cl100k": (assets.CL100K, assets.cl100k_special_tokens(), 100_277, 5, (100_257,), assets.LLAMA3_PATTERN),
}


@pytest.mark.parametrize("name", TIKTOKEN_CASES)
def test_tiktoken_rank_files(name: str) -> None:
    asset, specials, size, special_count, stops, pattern = TIKTOKEN_CASES[name]
    tiktoken = pytest.importorskip("tiktoken")
    load_tiktoken_bpe = pytest.importorskip("tiktoken.load").load_tiktoken_bpe
    path = asset.require()
    spec = load_tiktoken(path, special_tokens=specials)
    check_shape(spec, size, special_count)
    check_all_bytes(spec)
    assert spec.stop_token_ids == stops

    ranks = load_tiktoken_bpe(str(path))
    numbered = specials if isinstance(specials, dict) else {t: len(ranks) + i for i, t in enumerate(specials)}
    encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens=numbered)
    for text in TEXTS:
        assert joined(spec, encoding.encode(text, disallowed_special=())) == text.encode()
    assert load_tiktoken(encoding) == spec


def test_tiktoken_gaps_are_empty_tokens() -> None:
    spec = load_tiktoken(assets.CL100K.require(), special_tokens=assets.cl100k_special_tokens())
    gaps = [100_256, *range(100_261, 100_276)]
    assert [i for i, token in enumerate(spec.encoded_vocab) if token == b""] == gaps
    assert not set(gaps) & set(spec.special_token_ids)


def test_tiktoken_arguments(tmp_path: Path) -> None:
    path = tmp_path / "small.tiktoken"
    path.write_bytes(
        b"".join(base64.b64encode(t) + b" %d\n" % i for i, t in enumerate([b"a", b"\xff", b"ab"]))
    )
    spec = load_tiktoken(path, special_tokens=["<|x|>"], vocab_size=10, stop_token_ids=[3, 9])
    assert spec == VocabularySpec([b"a", b"\xff", b"ab", b"<|x|>"], 10, (3, 9), (3,))
    with pytest.raises(InvalidTokenizerError, match="token id 2 is given to both"):
        load_tiktoken(path, special_tokens={"<|x|>": 2})
    with pytest.raises(InvalidTokenizerError, match="different names"):
        load_tiktoken(path, special_tokens=["x", "x"])
    with pytest.raises(InvalidTokenizerError, match="expected a tiktoken Encoding or a path, got int"):
        load_tiktoken(3)
    with pytest.raises(FileNotFoundError):
        load_tiktoken(tmp_path / "missing.tiktoken")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"YQ== 0\nYg==\n", "line 2: expected 'base64 rank', got 'Yg=='"),
        (b"YQ== zero\n", "line 1"),
        (b"Y!Q= 0\n", "line 1"),
        (b"YQ== 0 0\n", "line 1"),
        (b"\xff\xfe\x00\n", "line 1"),
        (b"", "empty"),
        (b"YQ== 0\nYg== 0\n", "token id 0 is given to both"),
        (b"YQ== -1\n", "token id -1 is outside"),
        (b"YQ== 99999999999999999999\n", "token id 99999999999999999999 is outside"),
    ],
)
def test_tiktoken_bad_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.tiktoken"
    path.write_bytes(content)
    with pytest.raises(InvalidTokenizerError, match=message):
        load_tiktoken(path)


# --- SentencePiece ---


@pytest.mark.parametrize(
    ("asset", "size", "specials"),
    [(assets.MISTRAL_SENTENCEPIECE, 32_000, 3), (assets.MISTRAL_SENTENCEPIECE_V3, 32_768, 751)],
    ids=["v1", "v3"],
)
def test_sentencepiece_models(asset: assets.Asset, size: int, specials: int) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    path = asset.require()
    spec = load_sentencepiece(path)
    check_shape(spec, size, specials)
    check_all_bytes(spec)
    assert spec.stop_token_ids == (2,)

    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    for i in range(size):
        not_text = processor.is_control(i) or processor.is_unknown(i) or processor.is_unused(i)
        assert (i in spec.special_token_ids) == not_text
    for text in SENTENCEPIECE_TEXTS:
        assert joined(spec, processor.encode(text)) == b" " + text.encode()  # the dummy prefix
    assert load_sentencepiece(processor) == spec
    assert load_sentencepiece(path.read_bytes()) == spec


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def piece(text: str, kind: int | None = None, score: float | None = 0.0) -> bytes:
    message = field(1, text.encode())
    if score is not None:
        message += b"\x15" + struct.pack("<f", score)
    return field(1, message + (b"" if kind is None else b"\x18" + varint(kind)))


def test_sentencepiece_piece_types() -> None:
    long_piece = "▁" * 200  # its length takes two bytes
    model = b"".join(
        [
            piece("<unk>", 2),
            piece("<s>", 3),
            piece("<end>", 3),
            piece("<0x0A>", 6),
            piece("▁the", 1),
            piece("▁the"),
            piece("user▁text", 4),
            piece("spare", 5),
            piece("<0x0B>", 1),
            piece("x", None, score=None),
            piece("", 1),
            piece(long_piece),
            field(2, varint(3 << 3) + varint(2) + field(47, b"<end>")),
            field(3, field(1, b"identity")),
        ]
    )
    spec = load_sentencepiece(model, special_token_ids=[6])
    texts = [
        b"<unk>",
        b"<s>",
        b"<end>",
        b"\n",
        b" the",
        b" the",
        b"user text",
        b"spare",
        b"<0x0B>",
        b"x",
        b"",
    ]
    assert spec == VocabularySpec([*texts, b" " * 200], 12, (2,), (0, 1, 2, 6, 7))


@pytest.mark.parametrize(
    "model",
    [
        b"",
        b"not a model",
        b"\xff" * 100,
        piece("a")[:-1],
        field(1, b""),
        field(1, b"\x0a"),
        piece("a", 9),
        field(1, field(1, b"\xff")),
        piece("<0xZZ>", 6),
        field(2, field(47, b"</s>")),
        varint(1 << 3 | 2) + varint(2**63) + b"abc",
        varint(1 << 3 | 3),
    ],
)
def test_sentencepiece_bad_models(model: bytes) -> None:
    with pytest.raises(InvalidTokenizerError):
        load_sentencepiece(model)


def test_sentencepiece_every_truncation_inside_a_field_is_refused() -> None:
    model = b"".join([piece("<unk>", 2), piece("▁a"), piece("<0x41>", 6), field(2, field(47, b"</s>"))])
    assert len(load_sentencepiece(model).encoded_vocab) == 3
    whole = [len(part) for part in (piece("<unk>", 2), piece("▁a"), piece("<0x41>", 6))]
    boundaries = {sum(whole[:n]): n for n in (1, 2, 3)}
    for end in range(len(model)):
        if end in boundaries:  # a message may end after any field
            assert len(load_sentencepiece(model[:end]).encoded_vocab) == boundaries[end]
        else:
            with pytest.raises(InvalidTokenizerError):
                load_sentencepiece(model[:end])


def test_scores_are_skipped_but_real_pieces_have_them() -> None:
    """The quick path for the usual shape of a piece and the general one agree."""
    pieces = ["a", "▁b", "é" * 60, "", "x" * 127, "y" * 128]
    quick = load_sentencepiece(b"".join(piece(p, None, math.pi) for p in pieces))
    general = load_sentencepiece(b"".join(piece(p, 1, math.pi) for p in pieces))
    assert quick == general


# --- mistral-common ---


def test_tekken_file() -> None:
    tiktoken = pytest.importorskip("tiktoken")
    path = assets.MISTRAL_TEKKEN.require()
    spec = load_mistral_common(path)
    check_shape(spec, 131_072, 1_000)
    check_all_bytes(spec)
    assert spec.special_token_ids == tuple(range(1_000))
    assert spec.stop_token_ids == (2,)

    content = json.loads(path.read_bytes())
    used = content["vocab"][: 131_072 - 1_000]
    ranks = {base64.b64decode(entry["token_bytes"]): entry["rank"] for entry in used}
    encoding = tiktoken.Encoding(
        "t", pat_str=content["config"]["pattern"], mergeable_ranks=ranks, special_tokens={}
    )
    for text in TEXTS:
        ids = [i + 1_000 for i in encoding.encode(text, disallowed_special=())]
        assert joined(spec, ids) == text.encode()


def test_mistral_sentencepiece_by_path_is_the_sentencepiece_loader() -> None:
    path = assets.MISTRAL_SENTENCEPIECE.require()
    assert load_mistral_common(path) == load_sentencepiece(path)


@pytest.mark.parametrize("tekken", [True, False], ids=["tekken", "sentencepiece"])
def test_mistral_common_objects(tekken: bool) -> None:
    mistral = pytest.importorskip(
        "mistral_common.tokens.tokenizers.mistral",
        reason="mistral_common does not import (installed without its dependencies?)",
        exc_type=ImportError,
    )
    tokenizer = mistral.MistralTokenizer.v3(is_tekken=tekken)
    inner = tokenizer.instruct_tokenizer.tokenizer
    spec = load_mistral_common(tokenizer)
    assert spec == load_mistral_common(inner)
    wrapper = SimpleNamespace(tokenizer=tokenizer, eos_token_id=inner.eos_id)  # as transformers wraps it
    assert spec == load_huggingface(wrapper)
    assert detect_kind(wrapper) == ("raw" if tekken else "byte_fallback")
    assert len(spec.encoded_vocab) == inner.n_words
    assert spec.stop_token_ids == (inner.eos_id,)
    prefix = b"" if tekken else b" "
    for text in TEXTS if tekken else SENTENCEPIECE_TEXTS:
        assert joined(spec, inner.encode(text, bos=False, eos=False)) == prefix + text.encode()
    if not tekken:
        assert spec == load_sentencepiece(inner.file_path)
    if tekken:
        # mistral-common makes up names for the specials that the file does not name; the text is the same
        from_file = load_mistral_common(inner.file_path)
        assert from_file.encoded_vocab[1_000:] == spec.encoded_vocab[1_000:]
        assert from_file.special_token_ids == spec.special_token_ids


def test_mistral_common_by_shape() -> None:
    """The two classes by their methods alone, for where mistral-common does not import."""
    tokens = [b"<unk>", b"</s>", b"a", b"\xff"]
    tekkenizer = SimpleNamespace(
        num_special_tokens=2,
        n_words=4,
        eos_id=1,
        id_to_piece=lambda i: tokens[i].decode("utf-8", "replace"),
        id_to_byte_piece=lambda i: b"" if i < 2 else tokens[i],
    )
    wrapper = SimpleNamespace(instruct_tokenizer=SimpleNamespace(tokenizer=tekkenizer))
    expected = VocabularySpec(tokens, 6, (1,), (0, 1))
    assert load_mistral_common(tekkenizer, vocab_size=6) == expected
    assert load_mistral_common(wrapper, vocab_size=6) == expected
    assert load_mistral_common(wrapper, stop_token_ids=[0, 3]).stop_token_ids == (0, 3)
    assert detect_kind(SimpleNamespace(tokenizer=wrapper)) == "raw"

    model = piece("<unk>", 2) + piece("</s>", 3) + piece("▁a")
    processor = SimpleNamespace(serialized_model_proto=lambda: model)
    tekkenizer._model = processor  # a SentencePieceTokenizer has the same methods, and this
    assert load_mistral_common(wrapper) == VocabularySpec([b"<unk>", b"</s>", b" a"], 3, (1,), (0, 1))
    assert detect_kind(SimpleNamespace(tokenizer=wrapper)) == "byte_fallback"


def tekken_json(**changes: Any) -> dict[str, Any]:
    vocab = [
        {"rank": i, "token_bytes": base64.b64encode(t).decode(), "token_str": None}
        for i, t in enumerate([b"a", b"\xff", b"ab", b"cut"])
    ]
    named = [{"rank": i, "token_str": t, "is_control": True} for i, t in enumerate(["<unk>", "</s>"])]
    config = {"pattern": ".", "default_vocab_size": 6, "default_num_special_tokens": 3, "version": "v13"}
    return {"config": config | changes.pop("config", {}), "vocab": vocab, "special_tokens": named} | changes


def test_tekken_trims_the_vocabulary_and_offsets_by_the_specials(tmp_path: Path) -> None:
    path = tmp_path / "tekken.json"
    path.write_text(json.dumps(tekken_json()))
    spec = load_mistral_common(path, vocab_size=8)
    vocab = [b"<unk>", b"</s>", b"<SPECIAL_2>", b"a", b"\xff", b"ab"]
    assert spec == VocabularySpec(vocab, 8, (1,), (0, 1, 2))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "null",
        "[" * 100_000,
        json.dumps(tekken_json(config={"default_vocab_size": 8})),
        json.dumps(tekken_json(config={"default_vocab_size": 2})),
        json.dumps(tekken_json(config={"default_num_special_tokens": -1})),
        json.dumps(tekken_json(config={"default_vocab_size": "6"})),
        json.dumps(tekken_json(config={"default_num_special_tokens": 1})),
        json.dumps(tekken_json(vocab=[{"rank": 1, "token_bytes": "YQ=="}] * 3)),
        json.dumps(tekken_json(vocab=[{"rank": 0, "token_bytes": "*"}] * 3)),
        json.dumps(tekken_json(vocab=[3] * 3)),
    ],
)
def test_tekken_bad_files(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tekken.json"
    path.write_text(content)
    with pytest.raises(InvalidTokenizerError, match=r"tekken\.json"):
        load_mistral_common(path)


def test_mistral_common_refuses_other_objects() -> None:
    with pytest.raises(
        InvalidTokenizerError, match="expected a mistral-common tokenizer or a path, got object"
    ):
        load_mistral_common(object())
