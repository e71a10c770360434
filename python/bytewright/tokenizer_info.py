"""`TokenizerInfo`: what the engine knows of a tokenizer, and the ways to get it from one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _core

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

    from .tokenizers import VocabularySpec

__all__ = ["TokenizerInfo"]


class TokenizerInfo(_core.TokenizerInfo):
    """A tokenizer's vocabulary: the raw bytes of each token, and which ids are not text.

    Immutable; equal when all of it is equal. Grammars are compiled for one `TokenizerInfo`, so make it once
    and share it. `save(path)` writes a file that `load(path)` reads in a fraction of the time, and without
    the library that the tokenizer came from.

    Args:
        encoded_vocab: `encoded_vocab[i]` is the raw bytes of token `i`. Duplicates are fine; `b""` never
            matches.
        vocab_size: number of token ids, when the model's logits are wider than the tokenizer. Ids from
            `len(encoded_vocab)` on are padding, and never allowed.
        stop_token_ids: the id or ids that end a text. They are allowed exactly when the text is complete.
        special_token_ids: ids that never match as text, whatever their bytes are.

    Raises:
        InvalidTokenizerError: no tokens, or sizes that contradict each other.
        TokenOutOfRangeError: a stop or special id outside the vocabulary.

    >>> info = TokenizerInfo([b"a", b"b", b"</s>"], vocab_size=4, stop_token_ids=2)
    >>> info.vocab_size, info.stop_token_ids, info.decoded_vocab
    (4, [2], [b'a', b'b', b'</s>'])
    """

    __slots__ = ()

    @classmethod
    def from_huggingface(
        cls,
        tokenizer: Any,
        *,
        vocab_size: int | None = None,
        stop_token_ids: Sequence[int] | int | None = None,
    ) -> Self:
        """From a tokenizer of `transformers` or `tokenizers`; see `bytewright.tokenizers.load_huggingface`.

        Args:
            tokenizer: the tokenizer object.
            vocab_size: width of the model's logits (`model.config.vocab_size`), when larger than the
                tokenizer.
            stop_token_ids: ids that end a text; None takes the tokenizer's own.
        """
        from .tokenizers import load_huggingface

        return cls._of(load_huggingface(tokenizer, vocab_size=vocab_size, stop_token_ids=stop_token_ids))

    @classmethod
    def from_tiktoken(
        cls,
        source: Any,
        *,
        special_tokens: Mapping[str, int] | Sequence[str] | None = None,
        vocab_size: int | None = None,
        stop_token_ids: Sequence[int] | int | None = None,
    ) -> Self:
        """From a `tiktoken.Encoding` or a file of ranks; see `bytewright.tokenizers.load_tiktoken`."""
        from .tokenizers import load_tiktoken

        spec = load_tiktoken(
            source, special_tokens=special_tokens, vocab_size=vocab_size, stop_token_ids=stop_token_ids
        )
        return cls._of(spec)

    @classmethod
    def from_sentencepiece(
        cls,
        source: Any,
        *,
        vocab_size: int | None = None,
        stop_token_ids: Sequence[int] | int | None = None,
        special_token_ids: Sequence[int] = (),
    ) -> Self:
        """From a SentencePiece processor or model file; see `bytewright.tokenizers.load_sentencepiece`."""
        from .tokenizers import load_sentencepiece

        spec = load_sentencepiece(
            source,
            vocab_size=vocab_size,
            stop_token_ids=stop_token_ids,
            special_token_ids=special_token_ids,
        )
        return cls._of(spec)

    @classmethod
    def from_mistral_common(
        cls,
        source: Any,
        *,
        vocab_size: int | None = None,
        stop_token_ids: Sequence[int] | int | None = None,
    ) -> Self:
        """From a mistral-common tokenizer or its file; see `bytewright.tokenizers.load_mistral_common`."""
        from .tokenizers import load_mistral_common

        return cls._of(load_mistral_common(source, vocab_size=vocab_size, stop_token_ids=stop_token_ids))

    @classmethod
    def from_gguf(
        cls,
        path: str | os.PathLike[str],
        *,
        vocab_size: int | None = None,
        stop_token_ids: Sequence[int] | int | None = None,
    ) -> Self:
        """From the tokenizer in a GGUF model file; see `bytewright.tokenizers.load_gguf`."""
        from .tokenizers import load_gguf

        return cls._of(load_gguf(path, vocab_size=vocab_size, stop_token_ids=stop_token_ids))

    @classmethod
    def _of(cls, spec: VocabularySpec) -> Self:
        return cls(
            spec.encoded_vocab,
            vocab_size=spec.vocab_size,
            stop_token_ids=spec.stop_token_ids,
            special_token_ids=spec.special_token_ids,
        )
