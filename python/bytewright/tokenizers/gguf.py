"""GGUF model files: the vocabulary in the ``tokenizer.ggml.*`` metadata.

The metadata stand at the head of the file, before the weights, in a simple format (ggml's ``docs/gguf.md``);
it is read here directly from a memory map. The ``gguf`` package parses the whole file into one NumPy view per
string, which takes seconds for a large vocabulary; it is used in the tests, as the other opinion.

``tokenizer.ggml.model`` tells the notation of the tokens: ``gpt2`` is byte-level, ``llama`` is SentencePiece.
``tokenizer.ggml.token_type`` has SentencePiece's piece types (see `PieceType`). Traps: in a ``gpt2``
vocabulary USER_DEFINED tokens are plain text and not byte-level; UNUSED tokens (``[PAD151646]``) fill the
vocabulary up to the width of the logits; and a ``padding_token_id`` often names an ordinary token (``!``), so
being named does not make a token special unless its type does.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bytewright.errors import InvalidTokenizerError
from bytewright.tokenizers.pieces import decode_byte_level
from bytewright.tokenizers.sentencepiece import PieceType, piece_bytes
from bytewright.tokenizers.spec import MAX_VOCAB_SIZE, VocabularySpec, build_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["load_gguf", "read_tokenizer_metadata"]

_PREFIX = "tokenizer.ggml."
_STOP_KEYS = ("eos_token_id", "eot_token_id", "eom_token_id")
_STRING, _ARRAY = 8, 9
# struct formats of the fixed-size value types, by type number
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_MAX_ARRAY_DEPTH = 8


def load_gguf(
    path: str | os.PathLike[str],
    *,
    vocab_size: int | None = None,
    stop_token_ids: Sequence[int] | int | None = None,
) -> VocabularySpec:
    """Reads the vocabulary of a GGUF file.

    Args:
        path: The file; of a model split in several, the first.
        vocab_size: Width of the model's logits, when larger than the tokenizer.
        stop_token_ids: Ids that end generation. None means the file's end-of-sequence, end-of-turn and
            end-of-message ids, as far as it names them.

    Raises:
        InvalidTokenizerError: Not a GGUF file, no vocabulary in it, or one whose model is neither ``gpt2``
            nor ``llama``.
        OSError: The file cannot be read.
    """
    name = Path(path).name
    metadata = read_tokenizer_metadata(path)
    tokens, types = metadata.get("tokens"), metadata.get("token_type")
    model = metadata.get("model")
    model = model.decode("utf-8", "replace") if isinstance(model, bytes) else model
    if model not in ("gpt2", "llama"):
        known = "is not there" if model is None else f"is {model!r}"
        raise InvalidTokenizerError(
            f"{name}: {_PREFIX}model {known}; "
            "the vocabularies that map to bytes exactly are 'gpt2' and 'llama'"
        )
    if not isinstance(tokens, list) or not all(isinstance(token, bytes) for token in tokens):
        raise InvalidTokenizerError(f"{name}: {_PREFIX}tokens is not a list of strings")
    if not isinstance(types, list) or len(types) != len(tokens):
        raise InvalidTokenizerError(
            f"{name}: {_PREFIX}token_type is missing or not as long as the vocabulary, "
            "so text and special tokens cannot be told apart"
        )
    try:
        kinds = [PieceType(kind) for kind in types]
    except ValueError as error:
        raise InvalidTokenizerError(f"{name}: {_PREFIX}token_type: {error}") from None
    token_bytes = _gpt2_bytes if model == "gpt2" else _llama_bytes
    vocab = [token_bytes(token, kind, name) for token, kind in zip(tokens, kinds, strict=True)]
    if stop_token_ids is None:
        stop_token_ids = [metadata[key] for key in _STOP_KEYS if key in metadata]
    return build_spec(
        vocab,
        source=name,
        vocab_size=vocab_size,
        stop_token_ids=stop_token_ids,
        special_token_ids=_special_ids(metadata, kinds),
    )


def _special_ids(metadata: dict[str, Any], kinds: list[PieceType]) -> set[int]:
    """Ids that are not text: by type, and those with a role (``fim_pre_token_id``) that are not NORMAL."""
    specials = {i for i, kind in enumerate(kinds) if not kind.is_text}
    for key, value in metadata.items():
        named = key.endswith("_token_id") and isinstance(value, int) and 0 <= value < len(kinds)
        if named and kinds[value] is not PieceType.NORMAL:
            specials.add(value)
    return specials


def _gpt2_bytes(token: bytes, kind: PieceType, source: str) -> bytes:
    """Bytes of a token of a byte-level vocabulary; a name or plain text is UTF-8 already."""
    if kind is not PieceType.NORMAL:
        return token
    try:
        return decode_byte_level(token.decode("utf-8"))
    except UnicodeDecodeError:
        return token


def _llama_bytes(token: bytes, kind: PieceType, source: str) -> bytes:
    """Bytes of a token of a SentencePiece vocabulary."""
    try:
        return piece_bytes(token.decode("utf-8"), kind, source)
    except UnicodeDecodeError:  # llama.cpp's converters wrote such tokens as raw bytes once
        return token.replace(b"\xe2\x96\x81", b" ") if kind.is_text else token


def read_tokenizer_metadata(path: str | os.PathLike[str], *, with_merges: bool = False) -> dict[str, Any]:
    """Reads the ``tokenizer.ggml.*`` metadata of a GGUF file, keyed without that prefix.

    Strings come as bytes, since nothing guarantees UTF-8. ``scores`` are skipped, and ``merges``
    unless asked for.

    Raises:
        InvalidTokenizerError: The file is not GGUF version 2 or 3, or its head is malformed.
        OSError: The file cannot be read.
    """
    name = Path(path).name
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size < 24:
            raise InvalidTokenizerError(f"{name}: not a GGUF file (it is too short)")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                return _Reader(data, name).tokenizer_metadata(with_merges)
            except (struct.error, OverflowError):
                raise InvalidTokenizerError(
                    f"{name}: the GGUF metadata run past the end of the file"
                ) from None


class _Reader:
    """A cursor over the head of a GGUF file. Reading past the end raises struct.error."""

    def __init__(self, data: mmap.mmap, name: str) -> None:
        self.data = data
        self.name = name
        self.position = 0
        if data[:4] != b"GGUF":
            raise InvalidTokenizerError(f"{name}: not a GGUF file (its magic is {bytes(data[:4])!r})")
        # A big-endian file says so only by its version number coming out byte-swapped.
        (version,) = struct.unpack_from("<I", data, 4)
        self.order = "<" if version & 0xFFFF else ">"
        (version,) = struct.unpack_from(self.order + "I", data, 4)
        if version not in (2, 3):
            raise InvalidTokenizerError(f"{name}: GGUF version {version} is not supported (2 and 3 are)")
        self.length: Callable[..., tuple[Any, ...]] = struct.Struct(self.order + "Q").unpack_from
        _, self.entries = struct.unpack_from(self.order + "QQ", data, 8)
        self.position = 24

    def tokenizer_metadata(self, with_merges: bool) -> dict[str, Any]:
        """All entries whose key starts with the prefix; the others are stepped over."""
        found: dict[str, Any] = {}
        skipped = ("scores",) if with_merges else ("merges", "scores")
        for _ in range(self.entries):
            key = self.string().decode("utf-8", "replace")
            kind = self.scalar("I")
            short = key[len(_PREFIX) :]
            wanted = key.startswith(_PREFIX) and short not in skipped
            value = self.value(kind, wanted)
            if wanted:
                found[short] = value
        return found

    def scalar(self, code: str) -> Any:
        """One fixed-size value."""
        (value,) = struct.unpack_from(self.order + code, self.data, self.position)
        self.position += struct.calcsize(self.order + code)
        return value

    def string(self) -> bytes:
        """One length-prefixed string."""
        (size,) = self.length(self.data, self.position)
        start = self.position + 8
        self.skip_to(start + size)
        return self.data[start : start + size]

    def skip_to(self, position: int) -> None:
        """Moves on to ``position``, which a length in the file gave: it may be past the end."""
        if position > len(self.data):
            raise struct.error("past the end")
        self.position = position

    def value(self, kind: int, wanted: bool, depth: int = 0) -> Any:
        """A value of type ``kind``; None if it is not wanted, without building it."""
        if kind in _SCALARS:
            return self.scalar(_SCALARS[kind])
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY and depth < _MAX_ARRAY_DEPTH:
            return self.array(wanted, depth)
        raise InvalidTokenizerError(
            f"{self.name}: GGUF value type {kind} at byte {self.position}, depth {depth}"
        )

    def array(self, wanted: bool, depth: int) -> list[Any] | None:
        """An array. Each element takes at least a byte of the file, so a false count ends with the file."""
        kind, count = self.scalar("I"), self.scalar("Q")
        if wanted and count > MAX_VOCAB_SIZE:
            raise InvalidTokenizerError(
                f"{self.name}: an array of {count} elements is more than {MAX_VOCAB_SIZE}"
            )
        if kind in _SCALARS:
            code = _SCALARS[kind]
            start = self.position
            self.skip_to(start + count * struct.calcsize(self.order + code))
            if not wanted:
                return None
            return list(struct.unpack_from(f"{self.order}{count}{code}", self.data, start))
        if kind == _STRING:
            return self.string_array(count, wanted)
        values = [self.value(kind, wanted, depth + 1) for _ in range(count)] if wanted else None
        if not wanted:
            for _ in range(count):
                self.value(kind, False, depth + 1)
        return values

    def string_array(self, count: int, wanted: bool) -> list[bytes] | None:
        """An array of strings: the loop that the loading time goes to, hence the local names."""
        data, position, length = self.data, self.position, self.length
        strings: list[bytes] = []
        for _ in range(count):
            start = position + 8
            position = start + length(data, position)[0]
            if wanted:
                strings.append(data[start:position])
        self.skip_to(position)
        return strings if wanted else None
