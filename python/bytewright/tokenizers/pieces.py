"""How a vocabulary file writes the bytes of a token: the two notations in use, and their inverses.

*Byte-level* (GPT-2's ``bytes_to_unicode``, in OpenAI's ``gpt-2/src/encoder.py``): each byte is written as one
printable character. The bytes 0x21-0x7E, 0xA1-0xAC and 0xAE-0xFF stand for themselves; the 68 others are
U+0100 up, in order, so a space is ``Ġ`` and a newline ``Ċ``.

*SentencePiece* (Kudo and Richardson 2018, section 3.2): text with ``▁`` (U+2581) for a space; a byte that no
piece covers is a piece of its own, ``<0x0A>`` (byte fallback).
"""

from __future__ import annotations

__all__ = ["BYTE_PIECES", "SPACE_SYMBOL", "byte_level_alphabet", "decode_byte_level", "decode_sentencepiece"]

SPACE_SYMBOL = "▁"
"""U+2581 LOWER ONE EIGHTH BLOCK, SentencePiece's mark for a space."""

BYTE_PIECES: dict[str, bytes] = {
    f"<0x{high}{low}>": bytes([int(high + low, 16)])
    for high in "0123456789ABCDEFabcdef"
    for low in "0123456789ABCDEFabcdef"
}
"""The byte of each byte-fallback piece, in either case of hexadecimal digits."""


def byte_level_alphabet() -> str:
    """Returns the 256 characters that stand for the bytes 0x00 to 0xFF, in that order.

    >>> byte_level_alphabet()[0x20], byte_level_alphabet()[0x41]
    ('Ġ', 'A')
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    shifted = 0x100
    characters = []
    for byte in range(0x100):
        if byte in printable:
            characters.append(chr(byte))
        else:
            characters.append(chr(shifted))
            shifted += 1
    return "".join(characters)


def _translation_table() -> str:
    """The table for `str.translate` from the alphabet to the characters that have the bytes' values.

    Code points below 0x100 that are not in the alphabet go to U+FFFF, which Latin-1 cannot encode; so do, by
    staying as they are, those past the table. Either way a foreign character makes the encoding fail instead
    of passing as a byte.
    """
    alphabet = byte_level_alphabet()
    table = ["\uffff"] * (max(map(ord, alphabet)) + 1)
    for byte, character in enumerate(alphabet):
        table[ord(character)] = chr(byte)
    return "".join(table)


_TABLE = _translation_table()


def decode_byte_level(piece: str) -> bytes:
    r"""Returns the bytes of a byte-level piece.

    A piece with a character outside the alphabet is not in this notation (a token added as plain text); its
    bytes are its UTF-8, as in Hugging Face's ``ByteLevel`` decoder.

    >>> decode_byte_level("Ġhi"), decode_byte_level("Ã©"), decode_byte_level("a b")
    (b' hi', b'\xc3\xa9', b'a b')
    """
    if piece.isascii():  # the alphabet's ASCII part is the identity, and any other ASCII is its own UTF-8
        return piece.encode("ascii")
    try:
        return piece.translate(_TABLE).encode("latin-1")
    except UnicodeEncodeError:
        return piece.encode("utf-8")


def decode_sentencepiece(piece: str) -> bytes:
    """Returns the bytes that a SentencePiece text piece has inside text.

    >>> decode_sentencepiece("▁the")
    b' the'
    """
    return piece.replace(SPACE_SYMBOL, " ").encode("utf-8")
