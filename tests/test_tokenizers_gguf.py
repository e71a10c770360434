"""The GGUF loader, against files written and read by the `gguf` package, and against hostile ones."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest

import assets
from bytewright.errors import InvalidTokenizerError
from bytewright.tokenizers import (
    VocabularySpec,
    load_gguf,
)
from vocabulary_checks import TEXTS, check_shape, joined, single_bytes

if TYPE_CHECKING:
    from pathlib import Path


def test_gguf_smollm2() -> None:
    spec = load_gguf(assets.SMOLLM2_GGUF.require())
    check_shape(spec, 49_152, 17)
    assert spec.stop_token_ids == (2,)
    assert spec.encoded_vocab[2] == b"<|im_end|>"
    # A real vocabulary that is not complete: trained without the full alphabet, it lacks these bytes.
    lacking = {0x04, 0x06, 0x13, 0x14, 0x16, 0x1D, 0xC0, 0xC1, 0xF1, 0xF2, *range(0xF5, 0x100)}
    assert single_bytes(spec) == set(range(256)) - lacking


def test_gguf_smollm2_joins_to_the_text() -> None:
    path = assets.SMOLLM2_GGUF.require()
    tokenizers = pytest.importorskip("tokenizers")
    reader = pytest.importorskip("gguf").GGUFReader(path)  # the other opinion on what the file holds
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(m.split(" ")) for m in reader.fields["tokenizer.ggml.merges"].contents()]
    backend = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges)
    )
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Digits(individual_digits=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    spec = load_gguf(path)
    present = single_bytes(spec)
    for text in TEXTS:
        kept = "".join(c for c in text if set(c.encode()) <= present)
        assert joined(spec, backend.encode(kept).ids) == kept.encode()
    types = reader.fields["tokenizer.ggml.token_type"].contents()
    assert spec.special_token_ids == tuple(i for i, kind in enumerate(types) if kind == 3)


def gguf_file(
    path: Path, model: str, tokens: list[Any], types: list[int] | None, big: bool = False, **ids: int
) -> Path:
    gguf = pytest.importorskip("gguf")
    endian = gguf.GGUFEndian.BIG if big else gguf.GGUFEndian.LITTLE
    writer = gguf.GGUFWriter(path, "llama", endianess=endian)
    writer.add_array("general.tags", ["before", "the vocabulary"])
    writer.add_float32("llama.rope.freq_base", 1e4)
    writer.add_tokenizer_model(model)
    writer.add_token_list(tokens)
    writer.add_array("tokenizer.ggml.merges", ["a b", "ab c"])
    writer.add_array("tokenizer.ggml.scores", [0.0] * len(tokens))
    if types is not None:
        writer.add_token_types(types)
    for key, value in ids.items():
        writer.add_uint32(f"tokenizer.ggml.{key}", value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("big", [False, True], ids=["little-endian", "big-endian"])
def test_gguf_llama_token_types(tmp_path: Path, big: bool) -> None:
    tokens = ["<unk>", "<s>", "</s>", "<0x0A>", "▁the", "▁▁", "[PAD6]", "<0x0B>", "é", "<|fim|>", "!"]
    types = [2, 3, 3, 6, 1, 4, 5, 1, 1, 4, 1]
    ids = {"eos_token_id": 2, "eot_token_id": 9, "eom_token_id": 2, "padding_token_id": 10}
    spec = load_gguf(gguf_file(tmp_path / "m.gguf", "llama", tokens, types, big, **ids), vocab_size=12)
    vocab = [
        b"<unk>",
        b"<s>",
        b"</s>",
        b"\n",
        b" the",
        b"  ",
        b"[PAD6]",
        b"<0x0B>",
        "é".encode(),
        b"<|fim|>",
        b"!",
    ]
    assert spec == VocabularySpec(vocab, 12, (2, 9), (0, 1, 2, 6, 9))


def test_gguf_gpt2_token_types(tmp_path: Path) -> None:
    tokens = ["Ġthe", "é", "é", "<|end|>", "Ġx", b"\xff", "Ã©"]
    types = [1, 1, 4, 3, 4, 1, 1]
    spec = load_gguf(gguf_file(tmp_path / "m.gguf", "gpt2", tokens, types, eos_token_id=3))
    vocab = [b" the", b"\xe9", "é".encode(), b"<|end|>", "Ġx".encode(), b"\xff", "é".encode()]
    assert spec == VocabularySpec(vocab, 7, (3,), (3,))


@pytest.mark.parametrize("model", ["bert", "t5", "rwkv", "no_vocab"])
def test_gguf_names_the_model_that_it_refuses(tmp_path: Path, model: str) -> None:
    path = gguf_file(tmp_path / "m.gguf", model, ["a"], [1])
    with pytest.raises(InvalidTokenizerError, match=f"tokenizer.ggml.model is '{model}'"):
        load_gguf(path)


def test_gguf_refuses_a_vocabulary_whose_types_are_unknown(tmp_path: Path) -> None:
    with pytest.raises(InvalidTokenizerError, match="token_type is missing"):
        load_gguf(gguf_file(tmp_path / "a.gguf", "llama", ["a", "b"], None))
    with pytest.raises(InvalidTokenizerError, match="token_type is missing or not as long"):
        load_gguf(gguf_file(tmp_path / "b.gguf", "llama", ["a", "b"], [1]))
    with pytest.raises(InvalidTokenizerError, match="9 is not a valid PieceType"):
        load_gguf(gguf_file(tmp_path / "c.gguf", "llama", ["a", "b"], [1, 9]))
    with pytest.raises(InvalidTokenizerError, match="stop token id 7"):
        load_gguf(gguf_file(tmp_path / "d.gguf", "llama", ["a", "b"], [1, 1], eos_token_id=7))


def test_gguf_every_truncation_is_refused(tmp_path: Path) -> None:
    whole = gguf_file(tmp_path / "m.gguf", "llama", ["a", "▁b"], [1, 1], eos_token_id=1)
    data = whole.read_bytes()
    cut = tmp_path / "cut.gguf"
    head_end = data.index(b"tokenizer.ggml.eos_token_id") + len("tokenizer.ggml.eos_token_id") + 8
    for end in range(head_end):
        cut.write_bytes(data[:end])
        with pytest.raises(InvalidTokenizerError, match=r"cut\.gguf"):
            load_gguf(cut)
    cut.write_bytes(data[:head_end])
    assert load_gguf(cut) == load_gguf(whole)


def gguf_head(entries: int, rest: bytes = b"", version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, 0, entries) + rest


def gguf_key(name: str, kind: int) -> bytes:
    return struct.pack("<Q", len(name)) + name.encode() + struct.pack("<I", kind)


TOKENS = "tokenizer.ggml.tokens"


def test_gguf_a_last_string_past_the_end_is_refused(tmp_path: Path) -> None:
    path = gguf_file(tmp_path / "m.gguf", "llama", ["a"], [1])
    data = bytearray(path.read_bytes())
    entries = struct.unpack_from("<Q", data, 16)[0]
    end = data.index(b"tokenizer.ggml.token_type") + len("tokenizer.ggml.token_type") + 4 + 4 + 8 + 4
    struct.pack_into("<Q", data, 16, entries + 1)
    value = gguf_key("x", 8) + struct.pack("<Q", 3)
    path.write_bytes(data[:end] + value + b"abc")
    assert load_gguf(path).encoded_vocab == [b"a"]
    path.write_bytes(data[:end] + value + b"ab")
    with pytest.raises(InvalidTokenizerError, match="past the end"):
        load_gguf(path)


@pytest.mark.parametrize(
    "data",
    [
        b"GGML" + bytes(40),
        gguf_head(0, bytes(8)),
        gguf_head(0, bytes(8), version=1),
        gguf_head(2**64 - 1, bytes(8)),
        gguf_head(1, struct.pack("<Q", 2**64 - 1)),
        gguf_head(1, gguf_key("x", 99)),
        gguf_head(1, gguf_key(TOKENS, 9) + struct.pack("<IQ", 8, 2**63)),
        gguf_head(1, gguf_key(TOKENS, 9) + struct.pack("<IQ", 8, 1 << 20)),
        gguf_head(1, gguf_key(TOKENS, 9) + struct.pack("<IQQ", 8, 2, 2**64 - 1)),
        gguf_head(1, gguf_key(TOKENS, 9) + struct.pack("<IQ", 5, 2**62)),
        gguf_head(1, gguf_key("x", 9) + struct.pack("<IQ", 9, 1) * 10_000),
        gguf_head(1, gguf_key(TOKENS, 9) + struct.pack("<IQ", 9, 1) * 10_000),
    ],
)
def test_gguf_hostile_heads(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    with pytest.raises(InvalidTokenizerError, match=r"bad\.gguf"):
        load_gguf(path)
