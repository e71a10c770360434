"""mistral-common tokenizers, as objects or files: SentencePiece at first, Tekken since Mistral NeMo.

Tekken is byte-level BPE in tiktoken's manner. Its JSON file holds more tokens than the model has: the
config's ``default_vocab_size`` counts the special tokens too, and only the first ``default_vocab_size -
default_num_special_tokens`` entries of ``vocab`` are used. The special tokens come first, so a text token's
id is its rank + ``default_num_special_tokens``.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bytewright.errors import InvalidTokenizerError
from bytewright.tokenizers.sentencepiece import load_sentencepiece
from bytewright.tokenizers.spec import MAX_VOCAB_SIZE, VocabularySpec, build_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["is_mistral_common", "is_sentencepiece_inside", "load_mistral_common", "load_tekken_file"]

# Tekken files before version 7 do not name their special tokens; these are the ids of the first three, in all
# versions.
_FIRST_SPECIALS = ("<unk>", "<s>", "</s>")


def load_mistral_common(
    source: Any,
    *,
    vocab_size: int | None = None,
    stop_token_ids: Sequence[int] | int | None = None,
) -> VocabularySpec:
    """Reads the vocabulary of a mistral-common tokenizer.

    Args:
        source: A ``MistralTokenizer``, the ``Tekkenizer`` or ``SentencePieceTokenizer`` inside it, or the
            path of a Tekken JSON file or of a SentencePiece model.
        vocab_size: Width of the model's logits, when larger than the tokenizer.
        stop_token_ids: Ids that end generation. None means ``</s>``.

    Raises:
        InvalidTokenizerError: ``source`` is none of these, or the file is malformed.
        OSError: The file cannot be read.
    """
    if isinstance(source, (str, os.PathLike)):
        load = load_tekken_file if Path(source).suffix == ".json" else load_sentencepiece
        return load(source, vocab_size=vocab_size, stop_token_ids=stop_token_ids)
    inner = _inner(source)
    model = _sentencepiece_model(inner)
    if model is not None:
        return load_sentencepiece(model, vocab_size=vocab_size, stop_token_ids=stop_token_ids)
    if hasattr(inner, "id_to_byte_piece") and hasattr(inner, "num_special_tokens"):
        return _load_tekkenizer(inner, vocab_size, stop_token_ids)
    raise InvalidTokenizerError(f"expected a mistral-common tokenizer or a path, got {type(source).__name__}")


def is_mistral_common(value: object) -> bool:
    """True if ``value`` is a ``MistralTokenizer``, by its shape."""
    return hasattr(value, "instruct_tokenizer")


def is_sentencepiece_inside(tokenizer: Any) -> bool:
    """True if a ``MistralTokenizer`` is SentencePiece inside, False if it is Tekken."""
    return _sentencepiece_model(_inner(tokenizer)) is not None


def _sentencepiece_model(tokenizer: Any) -> Any:
    """The ``SentencePieceProcessor`` of a ``SentencePieceTokenizer``; None for a ``Tekkenizer``.

    The processor has no public name there, and the public methods of the two classes are the same.
    """
    model = getattr(tokenizer, "_model", None)
    return model if hasattr(model, "serialized_model_proto") else None


def _inner(source: Any) -> Any:
    """The tokenizer proper inside a ``MistralTokenizer``; ``source`` itself if it is one already."""
    return source.instruct_tokenizer.tokenizer if is_mistral_common(source) else source


def _load_tekkenizer(
    tokenizer: Any, vocab_size: int | None, stop_token_ids: Sequence[int] | int | None
) -> VocabularySpec:
    """A ``Tekkenizer``, through its public methods."""
    first_text = int(tokenizer.num_special_tokens)
    vocab = [tokenizer.id_to_piece(i).encode("utf-8") for i in range(first_text)]
    vocab.extend(map(tokenizer.id_to_byte_piece, range(first_text, int(tokenizer.n_words))))
    return build_spec(
        vocab,
        source=type(tokenizer).__name__,
        vocab_size=vocab_size,
        stop_token_ids=tokenizer.eos_id if stop_token_ids is None else stop_token_ids,
        special_token_ids=range(first_text),
    )


def load_tekken_file(
    path: str | os.PathLike[str],
    *,
    vocab_size: int | None = None,
    stop_token_ids: Sequence[int] | int | None = None,
) -> VocabularySpec:
    """Reads a Tekken JSON file, without mistral-common.

    Args and errors as `load_mistral_common`. Every id below the number of special tokens is special, whether
    the file names it or not.
    """
    name = Path(path).name
    try:
        content = json.loads(Path(path).read_bytes())
        config, entries = content["config"], content["vocab"]
        total, first_text = config["default_vocab_size"], config["default_num_special_tokens"]
        named = content.get("special_tokens")
        if named is None:
            specials = dict(enumerate(_FIRST_SPECIALS))
        else:
            specials = {int(token["rank"]): str(token["token_str"]) for token in named}
        if not 0 <= first_text <= total <= min(MAX_VOCAB_SIZE, first_text + len(entries)):
            raise InvalidTokenizerError(
                f"{name}: default_vocab_size {total} does not fit {len(entries)} tokens "
                f"and {first_text} special tokens"
            )
        if any(not 0 <= i < first_text for i in specials):
            raise InvalidTokenizerError(f"{name}: a special token's rank is outside 0..{first_text - 1}")
        vocab = [specials.get(i, f"<SPECIAL_{i}>").encode("utf-8") for i in range(first_text)]
        for rank, entry in enumerate(entries[: total - first_text]):
            if entry["rank"] != rank:
                raise InvalidTokenizerError(f"{name}: entry {rank} of vocab has rank {entry['rank']!r}")
            vocab.append(base64.b64decode(entry["token_bytes"], validate=True))
    except InvalidTokenizerError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidTokenizerError(f"{name}: not a Tekken file ({type(error).__name__}: {error})") from None
    if stop_token_ids is None:
        stop_token_ids = [i for i, text in specials.items() if text == "</s>"]
    return build_spec(
        vocab,
        source=name,
        vocab_size=vocab_size,
        stop_token_ids=stop_token_ids,
        special_token_ids=range(first_text),
    )
