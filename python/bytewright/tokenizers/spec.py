"""What every loader returns: the bytes of each token, and which ids are not text.

The invariant, for each token id ``i`` of a `VocabularySpec`: decoding a sequence of text ids is exactly the
concatenation of ``encoded_vocab[i]``. Ids that are not text (control tokens, unknown, unused) are in
``special_token_ids``; their entry in ``encoded_vocab`` is only a name to show, and never matches.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import SupportsIndex

from bytewright.errors import InvalidTokenizerError

__all__ = ["MAX_VOCAB_SIZE", "VocabularySpec", "build_spec", "fill_table", "normalize_ids"]

MAX_VOCAB_SIZE = 1 << 24
"""Largest vocabulary accepted: 64 times today's largest, so that one absurd id in a file cannot exhaust
memory."""


@dataclass(frozen=True)
class VocabularySpec:
    """A tokenizer's vocabulary as bytes.

    Attributes:
        encoded_vocab: The bytes of token ``i`` at index ``i``. ``b""`` for an id that no token has.
            Duplicates and empty tokens stay as they are. For an id in ``special_token_ids``, its name in
            UTF-8, for display.
        vocab_size: Number of ids, ``>= len(encoded_vocab)``; ids past ``encoded_vocab`` are padding, never
            allowed.
        stop_token_ids: Ids that end generation, in the order found, without duplicates. May be empty.
        special_token_ids: Ids that never match as text, ascending.
    """

    encoded_vocab: list[bytes]
    vocab_size: int
    stop_token_ids: tuple[int, ...]
    special_token_ids: tuple[int, ...]


def normalize_ids(ids: Iterable[int] | int | None, what: str) -> tuple[int, ...]:
    """Returns ``ids`` (one id, several, or None) as a tuple of ints in order, without duplicates.

    Raises:
        InvalidTokenizerError: Something in ``ids`` is not an integer.
    """
    if ids is None:
        return ()
    try:
        if isinstance(ids, SupportsIndex):
            return (operator.index(ids),)
        return tuple(dict.fromkeys(operator.index(i) for i in ids))
    except TypeError:
        raise InvalidTokenizerError(
            f"{what} must be an integer or a sequence of integers, got {ids!r}"
        ) from None


def fill_table(tokens: Mapping[int, bytes] | Iterable[tuple[int, bytes]], source: str) -> list[bytes]:
    """Returns the list that holds each token's bytes at its id, with ``b""`` in the gaps.

    Raises:
        InvalidTokenizerError: An id is negative, above `MAX_VOCAB_SIZE`, or given to two tokens.
    """
    pairs = list(tokens.items()) if isinstance(tokens, Mapping) else list(tokens)
    if not pairs:
        return []
    lowest, highest = min(i for i, _ in pairs), max(i for i, _ in pairs)
    if lowest < 0 or highest >= MAX_VOCAB_SIZE:
        bad = lowest if lowest < 0 else highest
        raise InvalidTokenizerError(f"{source}: token id {bad} is outside 0..{MAX_VOCAB_SIZE - 1}")
    # None marks a free slot: a second token for the same id must not silently replace the first.
    table: list[bytes | None] = [None] * (highest + 1)
    for i, token in pairs:
        if table[i] is not None:
            raise InvalidTokenizerError(f"{source}: token id {i} is given to both {table[i]!r} and {token!r}")
        table[i] = token
    return [token if token is not None else b"" for token in table]


def build_spec(
    encoded_vocab: list[bytes],
    *,
    source: str,
    vocab_size: int | None = None,
    stop_token_ids: Sequence[int] | int | None = None,
    special_token_ids: Iterable[int] = (),
) -> VocabularySpec:
    """Checks the parts of a vocabulary against each other and returns its `VocabularySpec`.

    Args:
        encoded_vocab: Bytes of each token, by id.
        source: What was read (a class or file name), for error messages.
        vocab_size: Width of the model's logits, when larger than the tokenizer. None means
            ``len(encoded_vocab)``.
        stop_token_ids: Ids that end generation.
        special_token_ids: Ids that are not text.

    Raises:
        InvalidTokenizerError: The vocabulary is empty, ``vocab_size`` is below the highest id + 1 or above
            `MAX_VOCAB_SIZE`, or a stop or special id is outside ``0..vocab_size - 1``.
    """
    if not encoded_vocab:
        raise InvalidTokenizerError(f"{source}: the vocabulary is empty")
    size = len(encoded_vocab)
    if vocab_size is not None:
        (size,) = normalize_ids(vocab_size, "vocab_size") if isinstance(vocab_size, SupportsIndex) else (-1,)
        if not len(encoded_vocab) <= size <= MAX_VOCAB_SIZE:
            raise InvalidTokenizerError(
                f"{source}: vocab_size is {vocab_size!r}; it must be an integer from {len(encoded_vocab)} "
                f"(the tokenizer's highest id + 1) to {MAX_VOCAB_SIZE}"
            )
    stops = normalize_ids(stop_token_ids, "stop_token_ids")
    specials = tuple(sorted(normalize_ids(special_token_ids, "special_token_ids")))
    for what, ids in (("stop", stops), ("special", specials)):
        for i in ids:
            if not 0 <= i < size:
                raise InvalidTokenizerError(f"{source}: {what} token id {i} is outside 0..{size - 1}")
    return VocabularySpec(encoded_vocab, size, stops, specials)
