"""tiktoken vocabularies: an ``Encoding``, or a rank file with the special tokens given beside it.

A rank file (``.tiktoken``; Llama 3's ``tokenizer.model``) has one token a line, ``base64(bytes) rank``, and
the rank is the id. It says nothing about special tokens: those live in code, so the caller must give them.
The tokens are raw bytes already; the only traps are ids that nobody has (cl100k skips 100256 and
100261-100275) and special tokens, whose bytes are not text.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bytewright.errors import InvalidTokenizerError
from bytewright.tokenizers.spec import VocabularySpec, build_spec, fill_table

__all__ = ["is_encoding", "load_tiktoken", "read_rank_file"]

_END_OF_TEXT = "<|endoftext|>"


def load_tiktoken(
    source: Any,
    *,
    special_tokens: Mapping[str, int] | Sequence[str] | None = None,
    vocab_size: int | None = None,
    stop_token_ids: Sequence[int] | int | None = None,
) -> VocabularySpec:
    """Reads the vocabulary of a tiktoken encoding.

    Args:
        source: A ``tiktoken.Encoding``, or the path of a rank file.
        special_tokens: Only with a rank file: the special tokens by name, or their names in order if their
            ids follow the highest rank.
        vocab_size: Width of the model's logits, when larger than the tokenizer.
        stop_token_ids: Ids that end generation. None means the id of ``<|endoftext|>`` if there is one, as
            tiktoken's own ``eot_token``; chat models end their turns with another token, which the caller
            must name.

    Raises:
        InvalidTokenizerError: ``source`` is neither, the file is malformed, or ids collide.
        OSError: The file cannot be read.
    """
    if isinstance(source, (str, os.PathLike)):
        name = Path(source).name
        ranks = read_rank_file(source)
        specials = _number_specials(special_tokens, ranks)
    elif is_encoding(source):
        if special_tokens is not None:
            raise InvalidTokenizerError("special_tokens is for rank files: a tiktoken Encoding has its own")
        name = f"tiktoken encoding {getattr(source, 'name', '?')!r}"
        ranks, specials = _read_encoding(source)
    else:
        raise InvalidTokenizerError(f"expected a tiktoken Encoding or a path, got {type(source).__name__}")
    pairs = [(rank, token) for token, rank in ranks]
    pairs.extend((i, text.encode("utf-8")) for text, i in specials.items())
    if stop_token_ids is None:
        stop_token_ids = specials.get(_END_OF_TEXT)
    return build_spec(
        fill_table(pairs, name),
        source=name,
        vocab_size=vocab_size,
        stop_token_ids=stop_token_ids,
        special_token_ids=specials.values(),
    )


def is_encoding(value: object) -> bool:
    """True if ``value`` has the methods of a ``tiktoken.Encoding`` that `load_tiktoken` calls."""
    names = ("n_vocab", "decode_single_token_bytes", "special_tokens_set", "encode_single_token")
    return all(hasattr(value, name) for name in names)


def read_rank_file(path: str | os.PathLike[str]) -> list[tuple[bytes, int]]:
    """Reads ``(token bytes, rank)`` from a tiktoken rank file, in file order.

    Raises:
        InvalidTokenizerError: A line is not ``base64 rank``; the message has its number.
        OSError: The file cannot be read.
    """
    ranks = []
    for number, line in enumerate(Path(path).read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            token, rank = line.split()
            ranks.append((base64.b64decode(token, validate=True), int(rank)))
        except ValueError:  # binascii.Error is one too
            shown = line[:80].decode("utf-8", "replace")
            raise InvalidTokenizerError(
                f"{Path(path).name}, line {number}: expected 'base64 rank', got {shown!r}"
            ) from None
    return ranks


def _number_specials(
    special_tokens: Mapping[str, int] | Sequence[str] | None, ranks: list[tuple[bytes, int]]
) -> dict[str, int]:
    """Special tokens by name; names without ids are numbered from the highest rank + 1."""
    if special_tokens is None:
        return {}
    if isinstance(special_tokens, Mapping):
        return dict(special_tokens)
    first = max((rank for _, rank in ranks), default=-1) + 1
    numbered = {text: first + i for i, text in enumerate(special_tokens)}
    if isinstance(special_tokens, str) or len(numbered) != len(special_tokens):
        raise InvalidTokenizerError("special_tokens must be a mapping or a sequence of different names")
    return numbered


def _read_encoding(encoding: Any) -> tuple[list[tuple[bytes, int]], dict[str, int]]:
    """The text tokens and the special tokens of an ``Encoding``, through its public methods."""
    specials = {text: encoding.encode_single_token(text) for text in encoding.special_tokens_set}
    special_ids = set(specials.values())
    decode = encoding.decode_single_token_bytes
    ranks = []
    for i in range(encoding.n_vocab):
        if i in special_ids:
            continue
        try:
            ranks.append((decode(i), i))
        except KeyError:  # an id that no token has
            continue
    return ranks, specials
