"""SentencePiece models: a ``SentencePieceProcessor``, a ``.model`` file, or its bytes.

The model is a protocol buffer (``sentencepiece_model.proto``, message ``ModelProto``). Its list of pieces is
read here directly, since the types of the pieces are what matters and the processor does not tell all of
them; neither ``sentencepiece`` nor ``protobuf`` needs to be installed for a file.

A piece's type decides what it is:

======================  =====================================================================================
NORMAL, USER_DEFINED    text, with ``▁`` for a space
BYTE                    the byte in its name, ``<0x0A>``
UNKNOWN, CONTROL        not text (``<unk>``, ``<s>``): special
UNUSED                  the encoder never produces it: special, so that it cannot slip into text either
======================  =====================================================================================

The dummy prefix: the encoder puts a space before the text, and the decoder drops it again from the first
piece. The bytes here are those inside text (``▁the`` is ``b" the"``), so a text encoded on its own comes back
with that space in front.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bytewright.errors import InvalidTokenizerError
from bytewright.tokenizers.pieces import BYTE_PIECES, decode_sentencepiece
from bytewright.tokenizers.spec import VocabularySpec, build_spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["PieceType", "SentencePieceModel", "load_sentencepiece", "parse_model", "piece_bytes"]


class PieceType(IntEnum):
    """``ModelProto.SentencePiece.Type``; GGUF's token types have the same numbers."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6

    @property
    def is_text(self) -> bool:
        """True if a piece of this type stands for bytes of text."""
        return self in (PieceType.NORMAL, PieceType.USER_DEFINED, PieceType.BYTE)


@dataclass(frozen=True)
class SentencePieceModel:
    """What a model file says about its vocabulary.

    Attributes:
        pieces: Text and type of each piece, by id.
        eos_piece: Text of the end-of-sentence piece (which need not exist).
    """

    pieces: list[tuple[str, PieceType]]
    eos_piece: str


def load_sentencepiece(
    source: Any,
    *,
    vocab_size: int | None = None,
    stop_token_ids: Sequence[int] | int | None = None,
    special_token_ids: Sequence[int] = (),
) -> VocabularySpec:
    """Reads the vocabulary of a SentencePiece model.

    Args:
        source: A ``sentencepiece.SentencePieceProcessor``, the path of a model file, or the model's bytes.
        vocab_size: Width of the model's logits, when larger than the tokenizer.
        stop_token_ids: Ids that end generation. None means the end-of-sentence piece, if the model has it as
            CONTROL.
        special_token_ids: Further ids that are not text: some models declare their chat markers USER_DEFINED,
            which for SentencePiece is text.

    Raises:
        InvalidTokenizerError: ``source`` is none of these, or is not a well-formed model.
        OSError: The file cannot be read.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        name, data = "SentencePiece model", bytes(source)
    elif isinstance(source, (str, os.PathLike)):
        name, data = Path(source).name, Path(source).read_bytes()
    elif hasattr(source, "serialized_model_proto"):
        name, data = type(source).__name__, source.serialized_model_proto()
    else:
        raise InvalidTokenizerError(
            f"expected a SentencePieceProcessor, a path or a model's bytes, got {type(source).__name__}"
        )
    model = parse_model(data, name)
    vocab = [piece_bytes(text, kind, name) for text, kind in model.pieces]
    specials = {i for i, (_, kind) in enumerate(model.pieces) if not kind.is_text}
    if stop_token_ids is None:
        stop_token_ids = [i for i, p in enumerate(model.pieces) if p == (model.eos_piece, PieceType.CONTROL)]
    return build_spec(
        vocab,
        source=name,
        vocab_size=vocab_size,
        stop_token_ids=stop_token_ids,
        special_token_ids=specials.union(special_token_ids),
    )


def piece_bytes(text: str, kind: PieceType, source: str) -> bytes:
    """Returns the bytes of one piece; for a piece that is not text, its name.

    Raises:
        InvalidTokenizerError: The name of a BYTE piece is not ``<0xHH>``.
    """
    if kind is PieceType.NORMAL or kind is PieceType.USER_DEFINED:
        return decode_sentencepiece(text)
    if kind is PieceType.BYTE:
        if text not in BYTE_PIECES:
            raise InvalidTokenizerError(f"{source}: the byte piece {text!r} is not of the form <0xHH>")
        return BYTE_PIECES[text]
    return text.encode("utf-8")


def parse_model(data: bytes, source: str = "SentencePiece model") -> SentencePieceModel:
    """Reads the pieces of a serialised ``ModelProto``.

    Raises:
        InvalidTokenizerError: ``data`` is not a well-formed protocol buffer with pieces.
    """
    try:
        pieces: list[tuple[str, PieceType]] = []
        eos_piece = "</s>"
        for field, value in _fields(data):
            if field == 1 and isinstance(value, bytes):  # repeated SentencePiece pieces
                pieces.append(_parse_piece(value))
            elif field == 2 and isinstance(value, bytes):  # TrainerSpec
                for inner, content in _fields(value):
                    if inner == 47 and isinstance(content, bytes):  # eos_piece
                        eos_piece = content.decode("utf-8")
    except (IndexError, ValueError) as error:  # cut short, bad UTF-8, unknown piece type
        raise InvalidTokenizerError(f"{source}: not a SentencePiece model ({error})") from None
    if not pieces:
        raise InvalidTokenizerError(f"{source}: not a SentencePiece model (it has no pieces)")
    return SentencePieceModel(pieces, eos_piece)


def _parse_piece(message: bytes) -> tuple[str, PieceType]:
    """One ``SentencePiece``: string piece = 1; float score = 2; Type type = 3 [default = NORMAL]."""
    # Nearly every piece is tag 1, a one-byte length, the text, and the score: read that shape at once.
    length = message[1]
    if message[0] == 0x0A and length < 0x80 and len(message) == length + 7 and message[length + 2] == 0x15:
        return message[2 : length + 2].decode("utf-8"), PieceType.NORMAL
    text, kind = b"", 1
    for field, value in _fields(message):
        if field == 1 and isinstance(value, bytes):
            text = value
        elif field == 3 and isinstance(value, int):
            kind = value
    return text.decode("utf-8"), PieceType(kind)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protocol-buffer message: (field number, integer or bytes), in order.

    Format: protobuf.dev/programming-guides/encoding. Raises IndexError or ValueError where ``data`` is
        malformed.
    """
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        wire = tag & 7
        value: int | bytes
        if wire == 0:  # varint
            value, position = _varint(data, position)
            yield tag >> 3, value
            continue
        if wire == 2:  # length-delimited
            size, position = _varint(data, position)
        elif wire in (1, 5):  # 64 or 32 bits
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire} at byte {position}")
        if size > end - position:
            raise ValueError(f"field of {size} bytes at byte {position} of {end}")
        yield tag >> 3, data[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A base-128 integer of at most ten bytes, and the position after it."""
    byte = data[position]
    if byte < 0x80:
        return byte, position + 1
    value = byte & 0x7F
    for shift in range(7, 70, 7):
        position += 1
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position + 1
    raise ValueError(f"integer too long at byte {position}")
