"""What real tokenizers can produce: their merges and where they cut, as `bytewright.TokenizerRules`.

============================  ===============================================================================
`rules_from_huggingface`      byte-level BPE of ``tokenizers`` and transformers (GPT-2, Llama 3, Qwen)
`rules_from_tiktoken`         a ``tiktoken.Encoding``, or a rank file and its pattern
`rules_from_gguf`             byte-level BPE in GGUF model files
`rules_from_tekken`           Mistral's Tekken JSON files
`rules_from_sentencepiece`    SentencePiece BPE and Unigram models, with byte fallback
============================  ===============================================================================

A tokenizer whose own encoder cannot be followed exactly (normalizers, WordPiece, added tokens inside text,
unknown pre-tokenizers) raises `UnsupportedTokenizerError` and names what stands in the way. Such a tokenizer
still works in the mode ``"all"``, which does not ask what is canonical: see `rules_for_all`.

Text that spells a special token (``<|im_end|>``) is text here, as it must be: bytes never turn into control
tokens. Tokenizers asked to parse special tokens out of text would encode such a text otherwise.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bytewright import TokenizerInfo, TokenizerRules
from bytewright.errors import InvalidTokenizerError, UnsupportedTokenizerError
from bytewright.tokenizers.gguf import read_tokenizer_metadata
from bytewright.tokenizers.sentencepiece import PieceType

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

__all__ = [
    "PATTERNS",
    "rules_for_all",
    "rules_from_gguf",
    "rules_from_huggingface",
    "rules_from_sentencepiece",
    "rules_from_tekken",
    "rules_from_tiktoken",
]

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"

PATTERNS: Mapping[str, str] = {
    "gpt2": _GPT2,
    # GPT-2's on the pieces between digits, which stand alone: a digit ends a piece like the end of the text.
    "smollm": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?![^\s\p{N}])|\s+",
    "cl100k": _CL100K,
    "llama3": _CL100K,
    "llama4": (
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTION}"
        rf"|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTION}"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    "qwen": _CL100K.replace(r"\p{N}{1,3}", r"\p{N}"),
}
"""Pre-tokenizer patterns by the name of a tokenizer that uses them."""

#: Spellings with possessive quantifiers and anchors, which match the same as a plain pattern.
_EQUIVALENT = {
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s": _GPT2,
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$"
    r"|\s*[\r\n]|\s+(?!\S)|\s": _CL100K,
}


def rules_from_tiktoken(
    source: Any,
    *,
    pattern: str | None = None,
    special_tokens: Mapping[str, int] | Sequence[str] | None = None,
    vocab_size: int | None = None,
    stop_token_ids: Sequence[int] | int | None = None,
) -> TokenizerRules:
    """The rules of a tiktoken encoding.

    Args:
        source: A ``tiktoken.Encoding``, or the path of a rank file.
        pattern: With a file: its split pattern (see `PATTERNS`), which rank files do not hold.
        special_tokens: With a file: the special tokens, as `TokenizerInfo.from_tiktoken` takes them.
        vocab_size: Width of the model's logits, when larger than the tokenizer.
        stop_token_ids: Ids that end a text.

    Raises:
        UnsupportedTokenizerError: No pattern, or one that cannot be followed exactly.
        InvalidTokenizerError: The vocabulary cannot be read.
    """
    if pattern is None:
        pattern = getattr(source, "_pat_str", None)
    if pattern is None:
        raise UnsupportedTokenizerError("a rank file says nothing of its split pattern; give `pattern`")
    info = TokenizerInfo.from_tiktoken(
        source, special_tokens=special_tokens, vocab_size=vocab_size, stop_token_ids=stop_token_ids
    )
    return _by_rank(info, pattern)


def rules_from_tekken(
    path: str | os.PathLike[str],
    *,
    vocab_size: int | None = None,
    stop_token_ids: Sequence[int] | int | None = None,
) -> TokenizerRules:
    """The rules of a Tekken JSON file; ids are ranks after the special tokens."""
    config = json.loads(Path(path).read_bytes())["config"]
    info = TokenizerInfo.from_mistral_common(path, vocab_size=vocab_size, stop_token_ids=stop_token_ids)
    return _by_rank(info, config["pattern"])


def _by_rank(info: TokenizerInfo, pattern: str) -> TokenizerRules:
    """Ranks in the order of ids; a piece that is a token is that token."""
    special = {*info.special_token_ids, *info.stop_token_ids}
    tokens = info.decoded_vocab
    ranks = [i if token and i not in special else None for i, token in enumerate(tokens)]
    pattern = _EQUIVALENT.get(pattern, pattern)
    return TokenizerRules(info, ranks=ranks, pattern=pattern, ignore_merges=True)


def rules_from_sentencepiece(
    source: str | os.PathLike[str],
    *,
    vocab_size: int | None = None,
    stop_token_ids: Sequence[int] | int | None = None,
    special_token_ids: Sequence[int] = (),
) -> TokenizerRules:
    """The rules of a SentencePiece model, BPE or Unigram.

    The encoder puts a space before a text; here that space is a byte of the text like any other.

    Args:
        source: The model file.
        vocab_size: Width of the model's logits, when larger than the tokenizer.
        stop_token_ids: Ids that end a text.
        special_token_ids: Ids to be taken as special; all user-defined pieces must be among them.

    Raises:
        UnsupportedTokenizerError: Models of words or characters, normalizers, user-defined pieces in text,
            Unigram without byte fallback.
        ImportError: ``sentencepiece`` is not installed.
    """
    from sentencepiece import sentencepiece_model_pb2 as schema

    name = Path(source).name
    model = schema.ModelProto()  # type: ignore[attr-defined,unused-ignore]
    model.ParseFromString(Path(source).read_bytes())
    _check_sentencepiece(model, name, special_token_ids)
    info = TokenizerInfo.from_sentencepiece(
        source, vocab_size=vocab_size, stop_token_ids=stop_token_ids, special_token_ids=special_token_ids
    )
    # None for control pieces, bytes and pieces that are not used.
    scores = [piece.score if piece.type == PieceType.NORMAL else None for piece in model.pieces]
    if model.trainer_spec.model_type == model.trainer_spec.UNIGRAM:
        return TokenizerRules(info, scores=scores)
    order = sorted({-score for score in scores if score is not None})
    rank = {score: i for i, score in enumerate(order)}
    ranks = [None if score is None else rank[-score] for score in scores]
    return TokenizerRules(info, ranks=ranks, over_characters=True)


def _check_sentencepiece(model: Any, name: str, special_token_ids: Sequence[int]) -> None:
    """Raises unless the encoder of a SentencePiece model can be followed."""
    trainer, normalizer = model.trainer_spec, model.normalizer_spec
    if trainer.model_type not in (trainer.BPE, trainer.UNIGRAM):
        raise UnsupportedTokenizerError(f"{name}: only SentencePiece's BPE and Unigram can be followed")
    if normalizer.precompiled_charsmap or normalizer.remove_extra_whitespaces:
        raise UnsupportedTokenizerError(f"{name}: its normalizer {normalizer.name!r} changes text")
    if trainer.treat_whitespace_as_suffix and normalizer.add_dummy_prefix:
        raise UnsupportedTokenizerError(f"{name}: it puts a space behind every text")
    if trainer.model_type == trainer.UNIGRAM and not trainer.byte_fallback:
        raise UnsupportedTokenizerError(f"{name}: Unigram without byte fallback cannot spell every text")
    defined = {i for i, piece in enumerate(model.pieces) if piece.type == PieceType.USER_DEFINED}
    if missing := sorted(defined - set(special_token_ids)):
        raise UnsupportedTokenizerError(
            f"{name}: user-defined pieces are cut out of text before it is split, "
            f"{model.pieces[missing[0]].piece!r} among them; list them in special_token_ids: {missing}"
        )


#: GGUF's names of pre-tokenizers, the pattern of each, and whether a piece that is a token stays one.
_GGUF = {
    "gpt-2": ("gpt2", False),
    "smollm": ("smollm", False),
    "llama-bpe": ("llama3", True),
    "qwen2": ("qwen", False),
}


def rules_from_gguf(
    path: str | os.PathLike[str],
    *,
    vocab_size: int | None = None,
    stop_token_ids: Sequence[int] | int | None = None,
) -> TokenizerRules:
    """The rules of the tokenizer in a GGUF file, by the merges and the pre-tokenizer that it names.

    Args:
        path: The file.
        vocab_size: Width of the model's logits, when larger than the tokenizer.
        stop_token_ids: Ids that end a text; None takes the file's own.

    Raises:
        UnsupportedTokenizerError: The tokenizer is not byte-level BPE, or its pre-tokenizer is not known.
        InvalidTokenizerError: The file cannot be read.
    """
    name = Path(path).name
    info = TokenizerInfo.from_gguf(path, vocab_size=vocab_size, stop_token_ids=stop_token_ids)
    metadata = read_tokenizer_metadata(path, with_merges=True)
    kind, pre = (metadata.get(key) for key in ("model", "pre"))
    pre = pre.decode("utf-8", "replace") if isinstance(pre, bytes) else pre
    if kind != b"gpt2" or pre not in _GGUF or "merges" not in metadata:
        raise UnsupportedTokenizerError(
            f"{name}: tokenizer.ggml.model is {kind!r} and its pre-tokenizer {pre!r}; known are 'gpt2' with "
            f"{', '.join(map(repr, _GGUF))}"
        )
    ids = {token: i for i, token in enumerate(metadata["tokens"])}
    pattern, ignore_merges = _GGUF[pre]
    return TokenizerRules(
        info,
        merges=[_merge(ids, merge.partition(b" ")[::2], name) for merge in metadata["merges"]],
        pattern=PATTERNS[pattern],
        ignore_merges=ignore_merges,
    )


def _merge(ids: Mapping[Any, int], merge: tuple[Any, ...], name: str) -> tuple[int, int, int]:
    """The ids of a merge that names tokens."""
    try:
        left, right = merge
        return ids[left], ids[right], ids[left + right]
    except (KeyError, ValueError) as error:
        raise InvalidTokenizerError(f"{name}: a merge names {error}, which is no token") from None


def rules_from_huggingface(
    tokenizer: Any,
    *,
    vocab_size: int | None = None,
    stop_token_ids: Sequence[int] | int | None = None,
    ignore_normalizer: bool = False,
) -> TokenizerRules:
    """The rules of a Hugging Face tokenizer with byte-level BPE.

    Args:
        tokenizer: A fast tokenizer of transformers, or a ``tokenizers.Tokenizer``.
        vocab_size: Width of the model's logits, when larger than the tokenizer.
        stop_token_ids: Ids that end a text; None takes the tokenizer's own.
        ignore_normalizer: Take a tokenizer with a normalizer (Qwen's NFC) as if it had none: exact for texts
            that the normalizer leaves alone, which is up to the caller.

    Raises:
        UnsupportedTokenizerError: Its encoder cannot be followed exactly; the message says why.
        InvalidTokenizerError: Its vocabulary does not map to bytes.
    """
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not hasattr(backend, "to_str"):
        raise UnsupportedTokenizerError(
            f"{type(tokenizer).__name__} is no fast tokenizer, so its merges cannot be read"
        )
    state: dict[str, Any] = json.loads(backend.to_str())
    model = state["model"]
    _check_model(model)
    if state.get("normalizer") is not None and not ignore_normalizer:
        raise UnsupportedTokenizerError(
            f"its normalizer {json.dumps(state['normalizer'])} changes text before encoding; pass "
            "ignore_normalizer=True if it leaves yours alone"
        )
    for added in state.get("added_tokens", ()):
        if not added["special"]:
            raise UnsupportedTokenizerError(
                f"the added token {added['content']!r} is not special: it is cut out of text before merging"
            )
    info = TokenizerInfo.from_huggingface(tokenizer, vocab_size=vocab_size, stop_token_ids=stop_token_ids)
    ids: dict[str, int] = model["vocab"]
    merges = []
    for merge in model["merges"]:
        pair = merge.split(" ") if isinstance(merge, str) else merge
        merges.append(_merge(ids, tuple(pair), type(tokenizer).__name__))
    return TokenizerRules(
        info,
        merges=merges,
        pattern=_pattern_of(_steps(state.get("pre_tokenizer"))),
        ignore_merges=bool(model.get("ignore_merges")),
    )


def _check_model(model: Mapping[str, Any]) -> None:
    """Raises unless the model is byte-level BPE without extras."""
    if model.get("type") != "BPE":
        raise UnsupportedTokenizerError(f"a {model.get('type')} model is not byte-pair encoding")
    if model.get("byte_fallback"):
        raise UnsupportedTokenizerError(
            "BPE over characters with byte fallback: use rules_from_sentencepiece"
        )
    for option in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(option):
            raise UnsupportedTokenizerError(f"its BPE model has the option {option}")


def _steps(pre_tokenizer: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    if pre_tokenizer is None:
        return []
    if pre_tokenizer["type"] == "Sequence":
        return [step for child in pre_tokenizer["pretokenizers"] for step in _steps(child)]
    return [pre_tokenizer]


def _pattern_of(steps: Sequence[Mapping[str, Any]]) -> str:
    """The one pattern that does what a chain of pre-tokenizers does."""
    if not steps or steps[-1]["type"] != "ByteLevel" or steps[-1].get("add_prefix_space"):
        shown = steps[-1] if steps else None
        raise UnsupportedTokenizerError(
            f"its last pre-tokenizer must be ByteLevel without add_prefix_space, not {json.dumps(shown)}"
        )
    uses_regex = steps[-1].get("use_regex", True)
    match [dict(step) for step in steps[:-1]]:
        case [] if uses_regex:
            return _GPT2
        case [{"type": "Digits", "individual_digits": True}] if uses_regex:
            return PATTERNS["smollm"]
        case [
            {"type": "Split", "pattern": {"Regex": str(pattern)}, "invert": False, "behavior": "Isolated"}
        ] if not uses_regex:
            return _EQUIVALENT.get(pattern, pattern)
    raise UnsupportedTokenizerError(
        f"its pre-tokenizers are a chain that is not known to be one pattern: {json.dumps(list(steps))}"
    )


def rules_for_all(info: TokenizerInfo) -> TokenizerRules:
    """Rules for the mode ``"all"`` alone, for any vocabulary: nothing is canonical but single bytes.

    >>> rules = rules_for_all(TokenizerInfo([b"a", b"ab", b"b", b"</s>"], stop_token_ids=3))
    >>> rules.unreachable
    [1]
    """
    return TokenizerRules(info, merges=[])
