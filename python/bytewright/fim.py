"""Token healing and fill-in-the-middle: going on from a text that ends inside a token.

Encoding a prompt fixes its last tokens as if the text ended there. `heal` takes them back, as many as needed,
and puts in their place one of the token sequences that *cover* the prompt, sampled by its exact probability:
the answer is distributed as if the model had read the text and not its tokens. Special tokens, FIM sentinels
among them, are never touched, and neither are spaces. With a grammar, only covers that it can continue stay.

A fill-in-the-middle prompt has two seams. At the cursor the prefix meets the middle, mostly inside a token;
`FimFormat.start` gives a byte-level state there. At its end the middle meets the suffix; the middle's own
tokens end there with the model's end token, which the byte level knows as the outcome `END`: no rule of thumb
is needed.

>>> import numpy as np
>>> from bytewright import TokenizerInfo, TokenizerRules
>>> from bytewright.byte_level import ByteModel
>>> info = TokenizerInfo([b"a", b"b", b"ab", b"</s>"], stop_token_ids=3)
>>> rules = TokenizerRules(info, merges=[(0, 1, 2)])
>>> model = ByteModel(lambda seqs: np.log(np.tile([0.1, 0.1, 0.7, 0.1], (len(seqs), 1))), rules)
>>> healed = heal(model, b"ba")
>>> healed.tokens, healed.backed_off, healed.overhang, round(healed.moved, 3)
([1, 2], [0], b'b', 0.875)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bytewright import CoverTree, TokenizerRules
from bytewright.errors import ImpossibleTextError, InvalidArgumentError, TokenOutOfRangeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .byte_level import ByteConstraint, ByteModel, ByteState, Cover

__all__ = ["FimFormat", "Healed", "HealingProcessor", "encode", "heal"]


@dataclass(frozen=True)
class Healed:
    """A prompt whose end was healed.

    Attributes:
        tokens: The prompt's tokens now, the model's start tokens or the given context first.
        kept: How many of them are as they were.
        backed_off: The tokens that were taken back.
        appended: The tokens in their place.
        overhang: What the last token says beyond the prompt: the beginning of the answer.
        probability: The probability of this cover among those that were allowed.
        moved: How much probability healing moved: the share of the text's mass that is not on its encoding.
        allowed: The share of the mass that the grammar could continue; 1 without one.
    """

    tokens: list[int]
    kept: int
    backed_off: list[int]
    appended: list[int]
    overhang: bytes
    probability: float
    moved: float
    allowed: float


def encode(rules: TokenizerRules, data: bytes | str) -> list[int]:
    """The canonical tokens of a text, texts of special tokens taken as text.

    Args:
        rules: The tokenizer.
        data: The text.

    Raises:
        ImpossibleTextError: The vocabulary cannot spell the text.

    >>> from bytewright import TokenizerInfo
    >>> encode(TokenizerRules(TokenizerInfo([b"a", b"b", b"ab"]), merges=[(0, 1, 2)]), b"bab")
    [1, 2]
    """
    data = data.encode() if isinstance(data, str) else data
    tree = CoverTree(rules)
    if tree.push(data) == len(data):
        info = rules.tokenizer_info
        for node, _, _ in tree.needed():
            tokens = tree.tokens(node)
            if sum(len(info.token_bytes(t)) for t in tokens) == len(data) and rules.is_canonical(tokens):
                return tokens
    raise ImpossibleTextError(f"the vocabulary cannot spell the text {data[-40:]!r}")


def heal(
    model: ByteModel,
    prompt: bytes | str | Sequence[int],
    *,
    rng: np.random.Generator | None = None,
    constraint: ByteConstraint | None = None,
) -> Healed:
    """Replaces the end of a prompt's tokens by a cover of its text.

    Args:
        model: The model, of mode ``"canonical"`` (what an encoder produces is what is healed).
        prompt: A text, which comes after the model's start tokens; or tokens, of which those up to the last
            special token stay whatever they are, and the rest is healed as text.
        rng: Where chance comes from; None takes the most probable cover.
        constraint: What the answer must be, from its first byte on.

    Raises:
        ImpossibleTextError: No cover of the text goes on inside the grammar with any probability.
        InvalidArgumentError: The model is of another mode.
        TokenOutOfRangeError: A token of the prompt is outside the vocabulary.
    """
    if model.mode != "canonical":
        raise InvalidArgumentError(f'healing needs a model of mode "canonical", not {model.mode!r}')
    context, before, text = _split(model, prompt)
    state = model.start(text, context=context)
    covers = state.covers()
    if before is None:
        before = encode(model.rules, text)
    unhealed = sum(c.probability for c in covers if not c.overhang and c.tokens == before)
    if constraint is not None:
        covers = [cover for cover in covers if _fits(cover, constraint)]
    masses = np.array([cover.probability for cover in covers])
    allowed = float(masses.sum())
    if allowed <= 0.0:
        raise ImpossibleTextError(
            f"no token that covers the end of the prompt, {text[-20:]!r}, goes on inside the grammar"
        )
    chosen = 0 if rng is None else int(rng.choice(len(masses), p=masses / allowed))
    cover = covers[chosen]
    same = 0
    while same < min(len(before), len(cover.tokens)) and before[same] == cover.tokens[same]:
        same += 1
    return Healed(
        tokens=[*state.context, *cover.tokens],
        kept=len(state.context) + same,
        backed_off=before[same:],
        appended=cover.tokens[same:],
        overhang=cover.overhang,
        probability=float(masses[chosen]) / allowed,
        moved=1.0 - unhealed,
        allowed=min(allowed, 1.0),
    )


def _fits(cover: Cover, constraint: ByteConstraint) -> bool:
    return constraint.accepts(cover.overhang) if cover.overhang else True


def _split(
    model: ByteModel, prompt: bytes | str | Sequence[int]
) -> tuple[list[int] | None, list[int] | None, bytes]:
    """The tokens that stay, the tokens of the text behind them if they are known, and that text."""
    if isinstance(prompt, str):
        return None, None, prompt.encode()
    if isinstance(prompt, bytes):
        return None, None, prompt
    info = model.rules.tokenizer_info
    tokens = list(prompt)
    for token in tokens:
        if not 0 <= token < info.vocab_size:
            raise TokenOutOfRangeError(f"token {token} is outside the vocabulary of {info.vocab_size} ids")
    special = {*info.special_token_ids, *info.stop_token_ids}
    # A token without bytes (padding) is no text either.
    stays = max((i + 1 for i, t in enumerate(tokens) if t in special or not info.token_bytes(t)), default=0)
    return tokens[:stays], tokens[stays:], b"".join(map(info.token_bytes, tokens[stays:]))


@dataclass(frozen=True)
class FimFormat:
    """How a model was trained to fill in the middle.

    Attributes:
        layout: ``"psm"``: prefix token, prefix, suffix token, suffix, middle token (the middle follows);
            ``"spm"``: prefix token, suffix token, suffix, middle token, prefix (the middle follows);
            ``"mistral"``: suffix token, suffix, prefix token, prefix (the middle follows).
        prefix: Id of the prefix token.
        suffix: Id of the suffix token.
        middle: Id of the middle token; None for ``"mistral"``.
        begin: Ids before all of it, as a start token.
    """

    layout: Literal["psm", "spm", "mistral"]
    prefix: int
    suffix: int
    middle: int | None = None
    begin: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Checks the parts against each other."""
        if self.layout not in ("psm", "spm", "mistral"):
            raise InvalidArgumentError(f'layout must be "psm", "spm" or "mistral", got {self.layout!r}')
        if (self.middle is None) != (self.layout == "mistral"):
            raise InvalidArgumentError('"psm" and "spm" have a middle token, "mistral" has none')

    def context(
        self, rules: TokenizerRules, prefix: bytes, suffix: bytes, *, moved_tokens: int = 1
    ) -> tuple[list[int], bytes]:
        """The tokens before the middle, and the text that the middle goes on from.

        Args:
            rules: The tokenizer.
            prefix: The text before the cursor.
            suffix: The text after it.
            moved_tokens: With ``"psm"`` the prefix lies before the suffix, and a token that the cursor cuts
                cannot be healed there. So many of its last tokens are moved behind the middle token, where
                they can. Some models were trained on whole prefixes only: 0 moves nothing.

        Returns:
            The tokens, and the text (the whole prefix, with ``"psm"`` its moved end).
        """
        after = encode(rules, suffix)
        if self.layout == "mistral":
            return [*self.begin, self.suffix, *after, self.prefix], prefix
        if self.middle is None:  # excluded by __post_init__
            raise InvalidArgumentError("the format has no middle token")
        if self.layout == "spm":
            return [*self.begin, self.prefix, self.suffix, *after, self.middle], prefix
        before = encode(rules, prefix)
        cut = max(0, len(before) - moved_tokens)
        moved = b"".join(map(rules.tokenizer_info.token_bytes, before[cut:]))
        return [*self.begin, self.prefix, *before[:cut], self.suffix, *after, self.middle], moved

    def start(
        self, model: ByteModel, prefix: bytes | str, suffix: bytes | str, *, moved_tokens: int = 1
    ) -> ByteState:
        """A byte-level state at the cursor: sample the middle from it, up to the outcome `END`.

        Args:
            model: The model; its stop tokens must include the one that ends a middle.
            prefix: The text before the cursor.
            suffix: The text after it.
            moved_tokens: See `context`.

        Raises:
            InvalidArgumentError: A sentinel that is text to the model's tokenizer.
        """
        info = model.rules.tokenizer_info
        special = {*info.special_token_ids, *info.stop_token_ids}
        for sentinel in (self.prefix, self.suffix, self.middle):
            if sentinel is not None and sentinel not in special:
                raise InvalidArgumentError(
                    f"the FIM sentinel {sentinel} is not among the tokenizer's special tokens"
                )
        texts = [text.encode() if isinstance(text, str) else text for text in (prefix, suffix)]
        tokens, text = self.context(model.rules, *texts, moved_tokens=moved_tokens)
        return model.start(text, context=tokens)


class HealingProcessor:
    """A logits processor for ``transformers.generate`` that puts healed ends in place.

    Give ``generate`` the tokens that were kept, ``healed.tokens[:healed.kept]``, and this processor, one
    `Healed` for each row (all of them kept equally long, or padded on the left). Its first steps force the
    tokens that healing appended; after them it leaves the logits alone.

    Args:
        healed: One for each row.
    """

    def __init__(self, healed: Sequence[Healed]) -> None:
        self._healed = list(healed)
        self._length: int | None = None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Forces the healed tokens.

        Args:
            input_ids: Ids so far, int64, shape (rows, length).
            scores: Logits of the next token, shape (rows, vocabulary). Written to.

        Returns:
            ``scores``.

        Raises:
            InvalidArgumentError: The rows are no multiple of the healed prompts.
        """
        rows, length = input_ids.shape
        if self._length is None or length < self._length:
            self._length = length
        if rows == 0 or not self._healed or rows % len(self._healed):
            raise InvalidArgumentError(f"{len(self._healed)} healed prompts for a batch of {rows} rows")
        step = length - self._length
        for row in range(rows):
            appended = self._healed[row * len(self._healed) // rows].appended
            if step < len(appended):
                scores[row] = float("-inf")
                scores[row, appended[step]] = 0.0
        return scores
