"""The Hugging Face loader: small tokenizers built here with every kind of decoder, and what is refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import assets
from bytewright.errors import InvalidTokenizerError
from bytewright.tokenizers import (
    VocabularySpec,
    detect_kind,
    generation_stop_ids,
    load_huggingface,
    load_sentencepiece,
    load_tiktoken,
)
from bytewright.tokenizers.pieces import byte_level_alphabet
from vocabulary_checks import SENTENCEPIECE_TEXTS, TEXTS, check_all_bytes, check_shape, joined


@pytest.fixture
def tk() -> Any:
    return pytest.importorskip("tokenizers")


def byte_level_backend(tk: Any) -> Any:
    """Byte-level BPE, trained on the texts above."""
    backend = tk.Tokenizer(tk.models.BPE())
    backend.pre_tokenizer = tk.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = tk.decoders.ByteLevel()
    trainer = tk.trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=tk.pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    backend.train_from_iterator(TEXTS * 2, trainer)
    return backend


def byte_fallback_backend(tk: Any) -> Any:
    """Llama 2's arrangement: BPE over text with ▁ for spaces, bytes for what has no piece."""
    pieces = [
        "<unk>",
        "<s>",
        "</s>",
        *(f"<0x{b:02X}>" for b in range(256)),
        "▁",
        "t",
        "h",
        "e",
        "▁t",
        "he",
        "▁the",
        "é",
    ]
    merges = [("▁", "t"), ("h", "e"), ("▁t", "he")]
    model = tk.models.BPE(
        vocab={p: i for i, p in enumerate(pieces)},
        merges=merges,
        unk_token="<unk>",
        byte_fallback=True,
        fuse_unk=True,
    )
    backend = tk.Tokenizer(model)
    backend.normalizer = tk.normalizers.Sequence(
        [tk.normalizers.Prepend("▁"), tk.normalizers.Replace(" ", "▁")]
    )
    d = tk.decoders
    backend.decoder = d.Sequence(
        [d.Replace("▁", " "), d.ByteFallback(), d.Fuse(), d.Strip(content=" ", left=1)]
    )
    return backend


def test_hf_byte_level(tk: Any) -> None:
    backend = byte_level_backend(tk)
    assert detect_kind(backend) == "byte_level"
    spec = load_huggingface(backend)
    check_shape(spec, backend.get_vocab_size(), 0)
    check_all_bytes(spec)
    for text in TEXTS:
        ids = backend.encode(text).ids
        assert joined(spec, ids) == text.encode()
        assert backend.decode(ids) == text


@pytest.mark.parametrize("where", ["decoder sequence", "pre-tokenizer", "pre-tokenizer sequence"])
def test_hf_byte_level_is_found_wherever_it_stands(tk: Any, where: str) -> None:
    backend = byte_level_backend(tk)
    expected = load_huggingface(backend)
    if where == "decoder sequence":
        inner = tk.decoders.Sequence([tk.decoders.ByteLevel()])
        backend.decoder = tk.decoders.Sequence([tk.decoders.Fuse(), inner])
        backend.pre_tokenizer = None
    else:
        backend.decoder = None
    if where == "pre-tokenizer sequence":
        pre = tk.pre_tokenizers
        backend.pre_tokenizer = pre.Sequence([pre.Digits(), pre.Sequence([pre.ByteLevel()])])
    assert detect_kind(backend) == "byte_level"
    assert load_huggingface(backend) == expected


def test_hf_added_tokens_of_a_byte_level_tokenizer(tk: Any) -> None:
    backend = byte_level_backend(tk)
    size = backend.get_vocab_size()
    backend.add_tokens(["caféĠ", "   ", "<tool>"])
    backend.add_special_tokens(["<|end|>", "<|é|>"])
    spec = load_huggingface(backend)
    assert spec.encoded_vocab[size:] == ["caféĠ".encode(), b"   ", b"<tool>", b"<|end|>", "<|é|>".encode()]
    assert spec.special_token_ids == (size + 3, size + 4)
    text = "a caféĠ and    <tool>!"
    ids = backend.encode(text).ids
    assert {size, size + 1, size + 2} <= set(ids)
    assert joined(spec, ids) == text.encode()


def test_hf_an_added_token_that_the_model_has_keeps_the_models_reading(tk: Any) -> None:
    backend = byte_level_backend(tk)
    known = backend.token_to_id("Ã")
    backend.add_tokens(["Ã"])
    assert backend.get_added_tokens_decoder()[known].content == "Ã"
    assert load_huggingface(backend).encoded_vocab[known] == b"\xc3"


def test_hf_byte_fallback(tk: Any) -> None:
    backend = byte_fallback_backend(tk)
    size = backend.get_vocab_size()
    backend.add_special_tokens(["<s>", "</s>"])
    backend.add_tokens(["<tool>"])
    backend.add_special_tokens(["<|end|>"])
    assert detect_kind(backend) == "byte_fallback"
    spec = load_huggingface(backend)
    check_shape(spec, size + 2, 4)
    check_all_bytes(spec)
    assert spec.special_token_ids == (0, 1, 2, size + 1)  # <unk> too, though no one added it
    assert spec.encoded_vocab[backend.token_to_id("▁the")] == b" the"
    assert spec.encoded_vocab[size] == b"<tool>"
    assert spec.encoded_vocab[3 + 0x65] == spec.encoded_vocab[backend.token_to_id("e")] == b"e"  # a duplicate
    for text in ["the the", "  the\n", "thé 中文 👍🏽\x00\x7f", "a\tb" + " " * 40]:
        assert joined(spec, backend.encode(text).ids) == b" " + text.encode()


def test_hf_without_byte_fallback_a_byte_piece_is_text(tk: Any) -> None:
    model = tk.models.Unigram(
        [("<unk>", 0.0), ("▁", -1.0), ("a", -2.0), ("▁a", -1.5), ("<0x41>", -3.0)], 0, False
    )
    backend = tk.Tokenizer(model)
    backend.pre_tokenizer = tk.pre_tokenizers.Metaspace()
    backend.decoder = tk.decoders.Metaspace()
    assert detect_kind(backend) == "byte_fallback"
    spec = load_huggingface(backend)
    assert spec == VocabularySpec([b"<unk>", b" ", b"a", b" a", b"<0x41>"], 5, (), (0,))
    assert joined(spec, backend.encode("a aa").ids) == b" a aa"

    with_bytes = tk.models.Unigram([("<unk>", 0.0), ("<0x41>", -1.0)], 0, True)
    backend.model = with_bytes
    assert load_huggingface(backend).encoded_vocab[1] == b"A"


def test_hf_raw(tk: Any) -> None:
    vocab = {"a": 0, "b": 1, "ab": 2, "é": 3, " ": 4, "Ġ": 5, "▁": 6, "<0x41>": 7}
    backend = tk.Tokenizer(tk.models.BPE(vocab=vocab, merges=[("a", "b")]))
    backend.decoder = tk.decoders.Fuse()
    assert detect_kind(backend) == "raw"
    spec = load_huggingface(backend)
    assert spec.encoded_vocab == [t.encode() for t in vocab]
    text = "abé aĠ▁"
    assert joined(spec, backend.encode(text).ids) == text.encode()


def test_hf_gaps_and_vocab_size(tk: Any) -> None:
    backend = tk.Tokenizer(tk.models.BPE(vocab={"a": 0, "b": 3}, merges=[]))
    backend.decoder = tk.decoders.ByteLevel()
    assert load_huggingface(backend, vocab_size=64) == VocabularySpec([b"a", b"", b"", b"b"], 64, (), ())
    assert load_huggingface(backend, vocab_size=4).vocab_size == 4
    with pytest.raises(InvalidTokenizerError, match="vocab_size is 3"):
        load_huggingface(backend, vocab_size=3)


def test_hf_refuses_what_does_not_map_to_bytes(tk: Any) -> None:
    d, models, pre = tk.decoders, tk.models, tk.pre_tokenizers
    word_piece = tk.Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "##b": 2}, unk_token="[UNK]"))
    word_piece.decoder = d.WordPiece()
    suffix = tk.Tokenizer(models.BPE(vocab={"a": 0, "a</w>": 1}, merges=[], end_of_word_suffix="</w>"))
    suffix.pre_tokenizer = pre.ByteLevel()
    words = tk.Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    words.pre_tokenizer = pre.Whitespace()
    cases = {"WordPiece": word_piece, "end_of_word_suffix '</w>'": suffix, "WordLevel .*Whitespace": words}
    steps = {
        "BPEDecoder": d.BPEDecoder(),
        "CTC": d.CTC(),
        "Regex": d.Sequence([d.Replace(tk.Regex("a+"), "b")]),
        '"▁▁"': d.Sequence([d.Fuse(), d.Replace("▁▁", " ")]),
        "Strip": d.Sequence([d.Strip(content=" ", left=1), d.Fuse()]),
    }
    for message, decoder in steps.items():
        cases[message] = tk.Tokenizer(models.BPE(vocab={"a": 0}, merges=[]))
        cases[message].decoder = decoder
    for message, backend in cases.items():
        for call in (load_huggingface, detect_kind):
            with pytest.raises(InvalidTokenizerError, match=message):
                call(backend)


def test_hf_refuses_a_decoder_written_in_python(tk: Any) -> None:
    class Custom:
        def decode_chain(self, tokens: list[str]) -> list[str]:
            return tokens

    backend = tk.Tokenizer(tk.models.BPE(vocab={"a": 0}, merges=[]))
    backend.decoder = tk.decoders.Decoder.custom(Custom())
    with pytest.raises(InvalidTokenizerError, match="no JSON form"):
        load_huggingface(backend)


@pytest.mark.parametrize("other", [object(), "gpt2", None, 3])
def test_hf_refuses_other_objects(other: object) -> None:
    with pytest.raises(InvalidTokenizerError, match=f"{type(other).__name__} is not a tokenizer"):
        load_huggingface(other)


def test_hf_transformers_fast(tk: Any) -> None:
    transformers = pytest.importorskip("transformers")
    backend = byte_level_backend(tk)
    size = backend.get_vocab_size()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|end|>",
        pad_token="<|pad|>",
        additional_special_tokens=["<|turn|>"],
    )
    tokenizer.add_tokens(["<tool>"])
    spec = load_huggingface(tokenizer, vocab_size=1024)
    assert len(spec.encoded_vocab) == len(tokenizer) == size + 4
    assert spec.vocab_size == 1024
    assert spec.stop_token_ids == (tokenizer.eos_token_id,)
    ids = tokenizer.convert_tokens_to_ids
    assert spec.special_token_ids == tuple(sorted(map(ids, ["<|end|>", "<|pad|>", "<|turn|>"])))
    assert spec.encoded_vocab[ids("<tool>")] == b"<tool>"
    turn = ids("<|turn|>")
    config = transformers.GenerationConfig(eos_token_id=[turn, tokenizer.eos_token_id])
    both = (turn, tokenizer.eos_token_id)
    assert load_huggingface(tokenizer, generation_config=config).stop_token_ids == both
    assert load_huggingface(tokenizer, generation_config={"eos_token_id": turn}).stop_token_ids == both
    assert load_huggingface(tokenizer, generation_config=config, stop_token_ids=3).stop_token_ids == (3,)
    assert load_huggingface(tokenizer, stop_token_ids=[]).stop_token_ids == ()


def test_hf_ids_with_a_special_role_are_special(tk: Any) -> None:
    backend = byte_level_backend(tk)
    wrapper = SimpleNamespace(backend_tokenizer=backend, eos_token_id=7, all_special_ids=[7, 9, None, 10**6])
    spec = load_huggingface(wrapper)
    assert (spec.stop_token_ids, spec.special_token_ids) == ((7,), (7, 9))


def test_generation_stop_ids() -> None:
    tokenizer = SimpleNamespace(eos_token_id=2)
    assert generation_stop_ids(tokenizer) == (2,)
    assert generation_stop_ids(tokenizer, {"eos_token_id": [7, 2]}) == (7, 2)
    assert generation_stop_ids(tokenizer, {}) == (2,)
    assert generation_stop_ids(SimpleNamespace(eos_token_id=None), SimpleNamespace(eos_token_id=5)) == (5,)
    with pytest.raises(InvalidTokenizerError, match=r"generation_config\.eos_token_id"):
        generation_stop_ids(tokenizer, {"eos_token_id": "</s>"})


def test_hf_llama3_vocabulary_as_a_fast_tokenizer(tk: Any) -> None:
    """128k tokens through the byte-level notation give back what the rank file says."""
    path = assets.LLAMA3.require()
    expected = load_tiktoken(path, special_tokens=assets.llama3_special_tokens())
    alphabet = byte_level_alphabet()
    written = ["".join(alphabet[b] for b in token) for token in expected.encoded_vocab[:128_000]]
    backend = tk.Tokenizer(tk.models.BPE(vocab={t: i for i, t in enumerate(written)}, merges=[]))
    backend.decoder = tk.decoders.ByteLevel()
    backend.add_special_tokens(assets.llama3_special_tokens())
    assert load_huggingface(backend) == expected


class SlowTokenizer:
    """The shape of transformers' slow SentencePiece classes, ids shifted by one as fairseq's are."""

    eos_token_id = 3
    all_special_ids = (1, 3)

    def __init__(self, processor: Any) -> None:
        self.sp_model = processor
        size = processor.get_piece_size()
        self.added_tokens_decoder = {
            3: SimpleNamespace(content="</s>", special=True),
            size + 2: SimpleNamespace(content="<tool>", special=False),
            size + 3: SimpleNamespace(content="<turn>", special=True),
        }

    def get_vocab(self) -> dict[str, int]:
        size = self.sp_model.get_piece_size()
        vocab = {self.sp_model.id_to_piece(i): i + 1 for i in range(size)}
        vocab["<mask>"] = size + 1
        return vocab | {token.content: i for i, token in self.added_tokens_decoder.items()}


def test_hf_slow_sentencepiece() -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    path = assets.MISTRAL_SENTENCEPIECE.require()
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    plain = load_sentencepiece(path)
    tokenizer = SlowTokenizer(processor)
    assert detect_kind(tokenizer) == "byte_fallback"
    spec = load_huggingface(tokenizer, vocab_size=32_100)
    assert spec.encoded_vocab == [b"", *plain.encoded_vocab, b"<mask>", b"<tool>", b"<turn>"]
    assert spec.special_token_ids == (1, 2, 3, 32_001, 32_003)
    assert spec.stop_token_ids == (3,)
    assert spec.vocab_size == 32_100


def test_hf_transformers_slow_sentencepiece() -> None:
    module = pytest.importorskip("transformers.tokenization_utils_sentencepiece")
    pytest.importorskip("sentencepiece")
    path = assets.MISTRAL_SENTENCEPIECE.require()
    tokenizer = module.SentencePieceBackend(
        vocab_file=str(path), unk_token="<unk>", bos_token="<s>", eos_token="</s>", legacy=True
    )
    tokenizer.add_tokens(["<tool>"])
    spec = load_huggingface(tokenizer)
    plain = load_sentencepiece(path)
    assert spec.encoded_vocab == [*plain.encoded_vocab, b"<tool>"]
    assert spec.special_token_ids == plain.special_token_ids
    assert spec.stop_token_ids == (2,)
    for text in SENTENCEPIECE_TEXTS[:2]:
        ids = tokenizer.encode(text, add_special_tokens=False)
        assert joined(spec, ids).lstrip(b" ") == text.encode()


def test_hf_slow_byte_level() -> None:
    tokenizer = SimpleNamespace(
        byte_decoder={c: b for b, c in enumerate(byte_level_alphabet())},
        get_vocab=lambda: {"Ġa": 0, "Ã": 1, "<|end|>": 2, "é!": 3},
        added_tokens_decoder={
            2: SimpleNamespace(content="<|end|>", special=True),
            3: SimpleNamespace(content="é!", special=False),
        },
        eos_token_id=2,
    )
    assert detect_kind(tokenizer) == "byte_level"
    assert load_huggingface(tokenizer) == VocabularySpec(
        [b" a", b"\xc3", b"<|end|>", "é!".encode()], 4, (2,), (2,)
    )


def test_hf_tiktoken_inside() -> None:
    tiktoken = pytest.importorskip("tiktoken")
    ranks = {bytes([b]): b for b in range(256)}
    encoding = tiktoken.Encoding("t", pat_str=".", mergeable_ranks=ranks, special_tokens={"<|x|>": 300})
    for name in ("tokenizer", "model"):
        wrapper = SimpleNamespace(**{name: encoding}, eos_token_id=300)
        spec = load_huggingface(wrapper, vocab_size=320)
        assert detect_kind(wrapper) == "raw"
        assert spec == load_tiktoken(encoding, stop_token_ids=300, vocab_size=320)


def test_a_surrogate_in_a_token_is_a_typed_error() -> None:
    tokenizer = SimpleNamespace(byte_decoder={}, get_vocab=lambda: {"\ud800": 0})
    with pytest.raises(InvalidTokenizerError, match="not Unicode text"):
        load_huggingface(tokenizer)
