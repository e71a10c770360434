"""Hugging Face tokenizers: ``tokenizers.Tokenizer`` and every transformers class, fast or slow.

A fast tokenizer says itself how tokens become text: by its *decoder*, a chain of steps. Each step that acts
on single tokens is inverted into a rule for a token's bytes; a step that cannot be is an error, never a
guess. Nothing here imports ``tokenizers`` or ``transformers``: objects are known by their shape.

Traps:

- The ``ByteLevel`` or ``ByteFallback`` step may stand anywhere in a ``Sequence``; without a decoder, the
  pre-tokenizer and the normalizer tell the notation.
- An added token that is not special is matched in the text as it stands: its bytes are its UTF-8, *not* the
  byte-level reading of its characters. Unless the model's own vocabulary has it under the same id: then the
  model also produces the id from ordinary text, and that reading holds.
- Ids need not be dense, and a model's logits are often wider than the tokenizer.
- ``<0x0A>`` is a byte only where the decoder (or the model's ``byte_fallback``) says so; T5's is seven
  characters.
- WordPiece drops the spaces between words, ``</w>`` marks the end of a word that may not be followed by one:
  no sequence of bytes per token gives the text back. These raise an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bytewright.errors import InvalidTokenizerError
from bytewright.tokenizers.mistral import is_mistral_common, is_sentencepiece_inside, load_mistral_common
from bytewright.tokenizers.pieces import BYTE_PIECES, decode_byte_level, decode_sentencepiece
from bytewright.tokenizers.sentencepiece import parse_model, piece_bytes
from bytewright.tokenizers.spec import VocabularySpec, build_spec, fill_table, normalize_ids
from bytewright.tokenizers.tiktoken import is_encoding, load_tiktoken

__all__ = ["TokenizerKind", "detect_kind", "generation_stop_ids", "load_huggingface"]

TokenizerKind = Literal["byte_level", "byte_fallback", "raw"]
"""How the vocabulary writes bytes: GPT-2's alphabet, SentencePiece's notation, or the text itself."""

_LOSSY_PRE_TOKENIZERS = {"Whitespace", "WhitespaceSplit", "BertPreTokenizer", "CharDelimiterSplit"}


@dataclass(frozen=True)
class _Rule:
    """From a token's string to its bytes: replacements first, then a byte piece or the kind's notation."""

    kind: TokenizerKind
    replacements: tuple[tuple[str, str], ...] = ()
    byte_pieces: bool = False

    def __call__(self, token: str) -> bytes:
        for old, new in self.replacements:
            token = token.replace(old, new)
        if self.kind == "byte_level":
            return decode_byte_level(token)
        if self.byte_pieces and token in BYTE_PIECES:
            return BYTE_PIECES[token]
        return token.encode("utf-8")


def load_huggingface(
    tokenizer: Any,
    *,
    vocab_size: int | None = None,
    stop_token_ids: Sequence[int] | int | None = None,
    generation_config: Any = None,
) -> VocabularySpec:
    """Reads the vocabulary of a Hugging Face tokenizer.

    Args:
        tokenizer: A transformers tokenizer (fast; slow with a SentencePiece model, a byte-level vocabulary or
            a tiktoken encoding inside; the mistral-common wrapper) or a ``tokenizers.Tokenizer``.
        vocab_size: Width of the model's logits, when larger than the tokenizer (``model.config.vocab_size``).
        stop_token_ids: Ids that end generation. None means ``generation_config.eos_token_id`` and the
            tokenizer's ``eos_token_id`` together. A bare ``tokenizers.Tokenizer`` names none.
        generation_config: The model's ``GenerationConfig`` or the dict in ``generation_config.json``. Chat
            models list there the tokens that end a turn.

    Raises:
        InvalidTokenizerError: The vocabulary does not map to bytes (the message names the model type or the
            decoder step), or the arguments do not fit it.
    """
    if stop_token_ids is None:
        stop_token_ids = generation_stop_ids(tokenizer, generation_config)
    try:
        table, special = _read(tokenizer)
    except UnicodeEncodeError as error:
        raise InvalidTokenizerError(f"{_name(tokenizer)}: a token is not Unicode text ({error})") from None
    special.update(i for i in _wrapper_special_ids(tokenizer) if 0 <= i < len(table))
    return build_spec(
        table,
        source=_name(tokenizer),
        vocab_size=vocab_size,
        stop_token_ids=stop_token_ids,
        special_token_ids=special,
    )


def detect_kind(tokenizer: Any) -> TokenizerKind:
    """Returns how the tokenizer's vocabulary writes bytes.

    Raises:
        InvalidTokenizerError: Not a Hugging Face tokenizer, or one whose vocabulary does not map to bytes.
    """
    backend = _backend(tokenizer)
    if backend is not None:
        return _rule(backend, _model_facts(backend)).kind
    inner = _inside(tokenizer)
    if is_encoding(inner):
        return "raw"
    if inner is not None:
        return "byte_fallback" if is_sentencepiece_inside(inner) else "raw"
    if hasattr(tokenizer, "sp_model"):
        return "byte_fallback"
    if isinstance(getattr(tokenizer, "byte_decoder", None), Mapping):
        return "byte_level"
    raise InvalidTokenizerError(
        f"{_name(tokenizer)} is not a tokenizer whose vocabulary maps to bytes: expected a fast tokenizer, "
        "or one with a SentencePiece model (sp_model) or a byte-level vocabulary (byte_decoder)"
    )


def generation_stop_ids(tokenizer: Any, generation_config: Any = None) -> tuple[int, ...]:
    """Returns the end-of-sequence ids of a generation config, then those of a tokenizer.

    Args:
        tokenizer: Anything; its ``eos_token_id``, if it has one, counts.
        generation_config: A ``GenerationConfig``, a dict or None.

    Raises:
        InvalidTokenizerError: Either holds something that is not an id or a list of ids.
    """
    if isinstance(generation_config, Mapping):
        configured = generation_config.get("eos_token_id")
    else:
        configured = getattr(generation_config, "eos_token_id", None)
    ids = normalize_ids(configured, "generation_config.eos_token_id")
    own = normalize_ids(getattr(tokenizer, "eos_token_id", None), "tokenizer.eos_token_id")
    return tuple(dict.fromkeys(ids + own))


def _name(tokenizer: Any) -> str:
    return type(tokenizer).__name__


def _backend(tokenizer: Any) -> Any:
    """The ``tokenizers.Tokenizer`` inside, or the object itself if it is one; None for a slow tokenizer."""
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    shape = ("model", "decoder", "pre_tokenizer", "get_added_tokens_decoder", "to_str")
    return backend if all(hasattr(backend, name) for name in shape) else None


def _inside(tokenizer: Any) -> Any:
    """The mistral-common tokenizer or the tiktoken encoding that a transformers class wraps, or None."""
    for name in ("tokenizer", "model"):
        inner = getattr(tokenizer, name, None)
        if is_mistral_common(inner) or is_encoding(inner):
            return inner
    return None


def _wrapper_special_ids(tokenizer: Any) -> list[int]:
    """``all_special_ids`` of a transformers tokenizer (bos, eos, unk, pad ...); none for a bare one."""
    return [i for i in getattr(tokenizer, "all_special_ids", ()) if isinstance(i, int)]


def _read(tokenizer: Any) -> tuple[list[bytes], set[int]]:
    """The table of bytes and the special ids."""
    inner = _inside(tokenizer)
    if inner is not None:
        spec = load_tiktoken(inner) if is_encoding(inner) else load_mistral_common(inner)
        return spec.encoded_vocab, set(spec.special_token_ids)
    backend = _backend(tokenizer)
    if backend is not None:
        return _read_fast(backend)
    kind = detect_kind(tokenizer)
    return (
        _read_slow_sentencepiece(tokenizer) if kind == "byte_fallback" else _read_slow_byte_level(tokenizer)
    )


def _read_fast(backend: Any) -> tuple[list[bytes], set[int]]:
    """A fast tokenizer: the model's vocabulary by the decoder's rule, then the added tokens over it."""
    facts = _model_facts(backend)
    rule = _rule(backend, facts)
    model_vocab: dict[str, int] = backend.get_vocab(with_added_tokens=False)
    tokens = {i: rule(token) for token, i in model_vocab.items()}
    if len(tokens) != len(model_vocab):
        raise InvalidTokenizerError(
            f"{_name(backend)}: two tokens of the {_name(backend.model)} model share an id"
        )
    special = _unknown_ids(facts, model_vocab)
    for i, added in backend.get_added_tokens_decoder().items():
        if added.special:
            special.add(i)
            tokens[i] = added.content.encode("utf-8")
        elif model_vocab.get(added.content) != i:
            tokens[i] = added.content.encode("utf-8") if rule.kind == "byte_level" else rule(added.content)
    return fill_table(tokens, _name(backend)), special


def _unknown_ids(facts: Mapping[str, Any], vocab: Mapping[str, int]) -> set[int]:
    """The id for what the model does not know, if it has one: it stands for no text in particular."""
    unknown = facts.get("unk_id")
    if unknown is None and facts.get("unk_token") is not None:
        unknown = vocab.get(facts["unk_token"])
    return set() if unknown is None else {unknown}


def _read_slow_sentencepiece(tokenizer: Any) -> tuple[list[bytes], set[int]]:
    """A slow tokenizer around a SentencePiece model; its ids may be shifted against the model's (fairseq)."""
    pieces = dict(parse_model(tokenizer.sp_model.serialized_model_proto(), _name(tokenizer)).pieces)
    added = getattr(tokenizer, "added_tokens_decoder", {})
    tokens: dict[int, bytes] = {}
    special: set[int] = set()
    for token, i in tokenizer.get_vocab().items():
        if i in added and not added[i].special and token not in pieces:
            tokens[i] = decode_sentencepiece(token)
        elif token in pieces and not (i in added and added[i].special):
            tokens[i] = piece_bytes(token, pieces[token], _name(tokenizer))
            if not pieces[token].is_text:
                special.add(i)
        else:  # special, or filler that the class adds without a piece (``<mask>``, ``madeupword0``)
            tokens[i] = token.encode("utf-8")
            special.add(i)
    return fill_table(tokens, _name(tokenizer)), special


def _read_slow_byte_level(tokenizer: Any) -> tuple[list[bytes], set[int]]:
    """A slow tokenizer in GPT-2's manner (``byte_decoder``, ``get_vocab``)."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    tokens = {i: decode_byte_level(token) for token, i in tokenizer.get_vocab().items()}
    tokens.update((i, token.content.encode("utf-8")) for i, token in added.items())
    return fill_table(tokens, _name(tokenizer)), {i for i, token in added.items() if token.special}


def _model_facts(backend: Any) -> dict[str, Any]:
    """The settings of the model, without its vocabulary, under their names in tokenizer.json."""
    model = backend.model
    if _name(model) == "Unigram":  # shows its settings only in the serialised form, which has no merges
        state: dict[str, Any] = json.loads(backend.to_str())["model"]
        return {name: state.get(name) for name in ("type", "unk_id", "byte_fallback")}
    names = ("unk_token", "byte_fallback", "continuing_subword_prefix", "end_of_word_suffix")
    return {"type": _name(model)} | {name: getattr(model, name, None) for name in names}


def _rule(backend: Any, facts: Mapping[str, Any]) -> _Rule:
    """The rule for a fast tokenizer's tokens, from its decoder."""
    if facts["type"] == "WordPiece":
        raise InvalidTokenizerError(
            "the tokenizer's model is WordPiece: it drops the spaces between words, "
            "so its tokens do not map to bytes"
        )
    for affix in ("continuing_subword_prefix", "end_of_word_suffix"):
        if facts.get(affix):
            raise InvalidTokenizerError(
                f"the tokenizer's {facts['type']} model marks words with the {affix} {facts[affix]!r}, "
                "so its tokens do not map to bytes"
            )
    steps = list(_steps(backend.decoder, "decoders")) or _steps_without_decoder(backend)
    return _rule_from_steps(steps, byte_pieces=bool(facts.get("byte_fallback")))


def _steps(component: Any, children: str) -> Iterable[dict[str, Any]]:
    """The JSON of a component's steps in order, with nested ``Sequence`` steps opened."""
    if component is None:
        return
    try:
        # what pickling it gives: its part of tokenizer.json, without the megabytes of the vocabulary
        state = json.loads(component.__getstate__())
    except Exception as error:  # a component written in Python raises just that
        raise InvalidTokenizerError(
            f"the tokenizer's {_name(component)} has no JSON form ({error})"
        ) from None
    pending = [state]
    while pending:
        step = pending.pop(0)
        if step["type"] == "Sequence":
            pending[:0] = step[children]
        else:
            yield step


def _steps_without_decoder(backend: Any) -> list[dict[str, Any]]:
    """For a tokenizer that has no decoder: the steps that undo its pre-tokenizer and normalizer."""
    before = list(_steps(backend.pre_tokenizer, "pretokenizers"))
    for step in before:
        if step["type"] in ("ByteLevel", "Metaspace"):
            return [step]
    for step in _steps(backend.normalizer, "normalizers"):
        if step["type"] == "Replace" and step["pattern"].get("String") == " " and step["content"]:
            return [{"type": "Replace", "pattern": {"String": step["content"]}, "content": " "}]
    for step in before:
        if step["type"] in _LOSSY_PRE_TOKENIZERS or step.get("behavior") == "Removed":
            raise InvalidTokenizerError(
                f"the tokenizer's {_name(backend.model)} model comes after the pre-tokenizer {step['type']}, "
                "which drops text, and no decoder brings it back: its tokens do not map to bytes"
            )
    return []


def _rule_from_steps(steps: list[dict[str, Any]], byte_pieces: bool) -> _Rule:
    """Inverts a chain of decoder steps: each acts on tokens one by one, or on the start of the text."""
    replacements: list[tuple[str, str]] = []
    byte_level = fused = False
    for step in steps:
        kind = step["type"]
        if kind == "Fuse":
            fused = True
        elif kind == "ByteLevel" and not byte_level:
            byte_level = fused = True
        elif kind == "ByteFallback" and not fused:
            byte_pieces = True
        elif kind == "Metaspace" and not fused:
            replacements.append((step["replacement"], " "))
        elif kind == "Replace" and not byte_level and _is_per_token(step, fused):
            replacements.append((step["pattern"]["String"], step["content"]))
        elif not (fused and _strips_dummy_prefix(step)):
            raise InvalidTokenizerError(
                f"the tokenizer's decoder has the step {json.dumps(step, ensure_ascii=False)}, which does "
                "not act on tokens one by one: its tokens do not map to bytes"
            )
    if byte_level:
        return _Rule("byte_level", tuple(replacements))
    if byte_pieces or replacements:
        return _Rule("byte_fallback", tuple(replacements), byte_pieces)
    return _Rule("raw")


def _strips_dummy_prefix(step: dict[str, Any]) -> bool:
    """True for a ``Strip`` of spaces at the start: it takes off what the encoder put there."""
    return step["type"] == "Strip" and step["content"] == " " and not step["stop"]


def _is_per_token(step: dict[str, Any], fused: bool) -> bool:
    """True for a ``Replace`` of a string; after the tokens are joined, of a string that none can straddle."""
    pattern = step["pattern"].get("String", "")
    return len(pattern) == 1 if fused else len(pattern) >= 1
