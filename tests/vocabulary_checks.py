"""Texts in many scripts, and the checks that every tokenizer loader's result must pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bytewright.tokenizers import VocabularySpec

TEXTS = [
    "Hello, world!",
    "def f(x):\n\treturn x ** 2  # naïve café\r\n\r\n",
    '{"name": "Ada", "n": [1, 2.5e-10, null], "s": "\\u00e9\\n"}',
    "Ελληνικά, русский, עברית, العربية, हिन्दी, ไทย, 中文, 日本語, 한국어, ქართული, አማርኛ",
    "👩‍👩‍👧‍👦 🇨🇭 👍🏽 ✈️ 🤷🏻‍♀️ \U0001d518\U0001d52b\U0001d526 𒀀",
    "combining: e\u0301 \u0928\u093f, zero width: a\u200bb\u200dc\ufeffd, bidi: \u202eabc\u202c",
    "control: \x00\x01\x07\x08\x0b\x0c\x1b[0m\x7f\x80\x9f\xa0\xad",
    "spaces:" + " " * 200 + "x" + "\t" * 50 + "\n" * 50 + " \t \n" * 20 + "end ",
    "non-characters: \ufffd \uffff \U0010ffff \ufdd0",
    "mojibake: Ã© Ġthe Ċ ▁the <0x0A> <0x41> ## </w>",
    "special as text: <|endoftext|> <|im_end|> <s> </s> <unk> [INST] <|eot_id|>",
    "".join(map(chr, range(0x20, 0x250))),
    "1234567890 " * 30,
]
# SentencePiece writes a space as U+2581, so that character does not come back; nor does it take a NUL.
SENTENCEPIECE_TEXTS = [text.replace("▁", "").replace("\x00", "") for text in TEXTS]


def joined(spec: VocabularySpec, ids: list[int]) -> bytes:
    """The bytes of ``ids`` in order; no id may be special."""
    assert not set(ids) & set(spec.special_token_ids), "an id of a text is special"
    return b"".join(spec.encoded_vocab[i] for i in ids)


def check_shape(spec: VocabularySpec, size: int, specials: int) -> None:
    """Counts, types and order of a spec's parts."""
    assert spec.vocab_size == len(spec.encoded_vocab) == size
    assert len(spec.special_token_ids) == specials
    assert list(spec.special_token_ids) == sorted(set(spec.special_token_ids))
    assert all(type(token) is bytes for token in spec.encoded_vocab)


def single_bytes(spec: VocabularySpec) -> set[int]:
    """The bytes that are a text token of their own."""
    special = set(spec.special_token_ids)
    return {token[0] for i, token in enumerate(spec.encoded_vocab) if len(token) == 1 and i not in special}


def check_all_bytes(spec: VocabularySpec) -> None:
    assert single_bytes(spec) == set(range(256))
