"""What happened in a decoding run, token by token.

A `Recorder` stands beside the loop: it sees each mask, and the logits before the mask is applied, and is
told the token that was chosen. It keeps a few numbers of each step and never the logits, so its memory is
bounded by `max_steps`, however long the run and however large the vocabulary.

Invariant: the step that is open belongs to the text of the steps before it; a token closes it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bytewright.errors import InvalidArgumentError, RollbackError

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from bytewright import CompiledGrammar, GrammarMatcher

__all__ = ["Masked", "Recorder", "Step", "replay"]

#: Longest part of an explanation that is kept.
_LONGEST_REASON = 400


@dataclass(frozen=True)
class Masked:
    """A token that the mask refused.

    Attributes:
        token_id: Its id.
        token: Its bytes.
        probability: What the model gave it, without the mask.
        preferred: Whether the model gave it more than any allowed token.
    """

    token_id: int
    token: bytes
    probability: float
    preferred: bool


@dataclass
class Step:
    """One token of a run.

    Attributes:
        index: Number of tokens before it.
        allowed: How many tokens the mask allowed.
        may_end: Whether the text before it is a sentence.
        seconds: What the mask took.
        rules: The rules that the text before it stands in, innermost first, if some token is refused.
        reason: Why the refused token that the model liked best does not fit.
        refused: Probability of all refused tokens together; None without logits.
        masked: The refused tokens that the model liked best.
        token_id: The token that was chosen; None while the step is open.
        token: Its bytes.
        probability: What the model gave it, without the mask; None without logits.
        constrained: What the model gave it among the allowed tokens; None without logits.
    """

    index: int
    allowed: int
    may_end: bool
    seconds: float
    rules: tuple[str, ...] = ()
    reason: str = ""
    refused: float | None = None
    masked: tuple[Masked, ...] = ()
    token_id: int | None = None
    token: bytes = b""
    probability: float | None = None
    constrained: float | None = None

    @property
    def forced(self) -> bool:
        """Whether there was one token only."""
        return self.allowed == 1

    @property
    def changed(self) -> bool:
        """Whether the model's likeliest token was refused."""
        return any(masked.preferred for masked in self.masked)


@dataclass
class _Open:
    """What is needed of the logits until the token is known: the row itself and two sums over it."""

    logits: NDArray[Any]
    total: float
    total_allowed: float


@dataclass
class Recorder:
    """Records one sequence of a run.

    In a loop of your own, `fill` takes the place of ``matcher.fill_next_token_bitmask``, before the mask is
    applied, and `accept` is told the token. `bytewright.hf.LogitsProcessor` does both for one row of the
    batch.

    Args:
        compiled: The grammar.
        top: How many refused tokens to keep of each step.
        max_steps: How many steps to keep; those after them are only counted.
        row: The row of the batch that a logits processor records.

    Attributes:
        steps: The steps so far; the last may be open.
        skipped: Steps that came after `max_steps`.
        rejection: Why the text that was replayed stops fitting; empty if all of it fits.
        rest: What was left of that text.

    >>> import bytewright as bw
    >>> info = bw.TokenizerInfo([b"y", b"ye", b"yes", b"no", b"n", b"o", b"</s>"], stop_token_ids=6)
    >>> compiled = bw.GrammarCompiler(info).compile_grammar('root ::= "yes" | "no"')
    >>> matcher, recorder = bw.GrammarMatcher(compiled), Recorder(compiled)
    >>> mask = bw.allocate_token_bitmask(1, info.vocab_size, backend="numpy")
    >>> recorder.fill(matcher, mask, logits=[0.0, 1.0, 2.0, 3.0, 0.0, 9.0, 0.0])
    >>> recorder.accept(3)
    >>> step = recorder.steps[0]
    >>> step.allowed, step.token, step.masked[0].token, step.changed
    (5, b'no', b'o', True)
    """

    compiled: CompiledGrammar
    top: int = 5
    max_steps: int = 4096
    row: int = 0
    steps: list[Step] = field(default_factory=list, init=False)
    skipped: int = field(default=0, init=False)
    rejection: str = field(default="", init=False)
    rest: bytes = field(default=b"", init=False)
    _open: _Open | None = field(default=None, init=False, repr=False)
    _length: int = field(default=0, init=False, repr=False)
    _ended: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("top", "max_steps", "row"):
            if getattr(self, name) < (1 if name == "max_steps" else 0):
                raise InvalidArgumentError(f"{name} must not be {getattr(self, name)}")

    @property
    def text(self) -> bytes:
        """The bytes of the tokens of the steps that were kept, stop tokens left out."""
        stops = self.compiled.tokenizer_info.stop_token_ids
        return b"".join(step.token for step in self.steps if step.token_id not in stops)

    def clear(self) -> None:
        """Begins a new run."""
        self.steps.clear()
        self.skipped, self._length, self._open, self._ended = 0, 0, None, False
        self.rejection, self.rest = "", b""

    def fill(self, matcher: GrammarMatcher, bitmask: Any, logits: Any = None, *, index: int = 0) -> None:
        """Fills a row of a bitmask, as the matcher does, and records it.

        Args:
            matcher: The sequence's matcher.
            bitmask: As `GrammarMatcher.fill_next_token_bitmask` takes it.
            logits: The logits of the next token before masking, one for each token: torch, NumPy or a list.
            index: The row of the bitmask.
        """
        start = time.perf_counter()
        matcher.fill_next_token_bitmask(bitmask, index)
        self.observe(matcher, bitmask[index], logits, seconds=time.perf_counter() - start)

    def observe(
        self, matcher: GrammarMatcher, bits: Any, logits: Any = None, *, seconds: float = 0.0
    ) -> None:
        """Opens a step with a row of a mask that was filled already; see `fill`."""
        if len(self.steps) >= self.max_steps:
            return
        allowed = _allowed(bits, self.compiled.tokenizer_info.vocab_size)
        step = Step(self._length, int(allowed.sum()), matcher.is_completed(), seconds)
        if self.steps and self.steps[-1].token_id is None:
            self.steps.pop()
        self.steps.append(step)
        self._open = None
        best: int | None = None
        if logits is not None:
            best = self._weigh(step, allowed, logits)
        refused = allowed.argmin() if best is None and not allowed.all() else best
        if refused is not None:
            rejection = matcher.explain_rejection(int(refused))
            step.rules = () if rejection is None else tuple(rejection.rules)
            if best is not None and rejection is not None:
                step.reason = rejection.message[:_LONGEST_REASON]

    def _weigh(self, step: Step, allowed: NDArray[Any], logits: Any) -> int | None:
        """What the model thought of the mask; gives the refused token that it liked best."""
        import numpy as np

        row = _as_numpy(logits)
        size = min(row.size, allowed.size)
        permitted = np.zeros(row.size, dtype=bool)
        permitted[:size] = allowed[:size]
        total, total_allowed = _log_sum_exp(row), _log_sum_exp(row[permitted])
        self._open = _Open(row, total, total_allowed)
        step.refused = float(-np.expm1(min(total_allowed - total, 0.0)))
        others = np.where(permitted, -np.inf, row)[: allowed.size]
        count = min(self.top, others.size)
        if count == 0 or not np.isfinite(others).any():
            return None
        order = np.argpartition(-others, count - 1)[:count]
        order = order[np.argsort(-others[order], kind="stable")]
        best_allowed = row[permitted].max() if permitted.any() else -np.inf
        step.masked = tuple(
            Masked(
                int(token),
                self.compiled.tokenizer_info.token_bytes(int(token)),
                float(np.exp(row[token] - total)),
                bool(row[token] > best_allowed),
            )
            for token in order
            if np.isfinite(others[token])
        )
        return step.masked[0].token_id if step.masked else None

    def accept(self, token_id: int) -> None:
        """Closes the step: this token was chosen.

        Raises:
            InvalidArgumentError: if no mask was recorded for it.
        """
        is_open = bool(self.steps) and self.steps[-1].token_id is None
        if not is_open and len(self.steps) < self.max_steps:
            raise InvalidArgumentError(
                f"no mask was recorded for token {token_id}; call fill() or observe() before accept()"
            )
        self._length += 1
        self._ended = token_id in self.compiled.tokenizer_info.stop_token_ids
        if not is_open:
            self.skipped += 1
            return
        step, opened = self.steps[-1], self._open
        step.token_id = token_id
        step.token = self.compiled.tokenizer_info.token_bytes(token_id)
        if opened is not None and token_id < opened.logits.size:
            import numpy as np

            logit = float(opened.logits[token_id])
            step.probability = float(np.exp(logit - opened.total))
            step.constrained = float(np.exp(logit - opened.total_allowed))
        self._open = None

    def rollback(self, num_tokens: int = 1) -> None:
        """Takes back the last tokens, as the matcher's `rollback` does; the next step is not open.

        Raises:
            RollbackError: if there are not as many.
        """
        if not 0 <= num_tokens <= self._length:
            raise RollbackError(f"cannot take back {num_tokens} tokens: {self._length} were recorded")
        self._length -= num_tokens
        self.skipped = max(self.skipped - num_tokens, 0)
        del self.steps[self._length - self.skipped :]
        self._open, self._ended = None, False

    def follow(self, tokens: Sequence[int]) -> None:
        """Tells all tokens of the sequence so far: the last one closes the step, if it is new.

        After ``generate``, whose last token no processor sees, give it the row's generated ids.

        Raises:
            InvalidArgumentError: if these tokens do not go on from those recorded, as with beam search.
        """
        if self._ended:
            return
        kept = [step.token_id for step in self.steps if step.token_id is not None]
        if list(tokens[: len(kept)]) != kept or not self._length <= len(tokens):
            raise InvalidArgumentError(
                "the recorded row goes on from another text; a recorder follows one sequence, so beam "
                "search, which reorders rows, cannot be recorded"
            )
        for token in tokens[self._length :]:
            if self._ended:
                break
            self.accept(int(token))

    def page(self, title: str = "A decoding run") -> str:
        """The run as an HTML page, with everything it needs inside."""
        from .run_page import run_page

        return run_page(self, title)

    def save(self, path: str | pathlib.Path, title: str = "A decoding run") -> None:
        """Writes `page` to a file."""
        import pathlib

        pathlib.Path(path).write_text(self.page(title), encoding="utf-8")


def replay(
    compiled: CompiledGrammar,
    text: bytes | str,
    *,
    encode: Callable[[bytes], Sequence[int]] | None = None,
    max_steps: int = 4096,
) -> Recorder:
    """Records a text that is there already, without a model.

    Where the grammar refuses a byte, the run ends, and the recorder says why.

    Args:
        compiled: The grammar.
        text: The text.
        encode: The text's tokens; without it, each step takes the longest allowed token that the text goes
            on with, which is not always how a tokenizer splits it.
        max_steps: As for `Recorder`.

    >>> import bytewright as bw
    >>> info = bw.TokenizerInfo([b"a", b"b", b"ab", b"</s>"], stop_token_ids=3)
    >>> compiled = bw.GrammarCompiler(info).compile_grammar('root ::= "ab"+')
    >>> recorder = replay(compiled, "abba")
    >>> [step.token for step in recorder.steps if step.token], recorder.rest
    ([b'ab'], b'ba')
    """
    import bytewright as bw

    data = text.encode() if isinstance(text, str) else text
    info = compiled.tokenizer_info
    matcher, recorder = bw.GrammarMatcher(compiled), Recorder(compiled, max_steps=max_steps)
    mask = bw.allocate_token_bitmask(1, info.vocab_size, backend="numpy")
    tokens = None if encode is None else list(encode(data))
    words = {} if tokens is not None else _words(compiled)
    longest = max(map(len, words), default=0)
    position = 0
    while True:
        recorder.fill(matcher, mask)
        if tokens is not None:
            token = tokens.pop(0) if tokens else None
        else:
            allowed = _allowed(mask[0], info.vocab_size)
            token = _longest_token(data, position, words, longest, allowed)
        if token is None or not matcher.accept_token(token):
            break
        recorder.accept(token)
        position += len(info.token_bytes(token))
    recorder.rest = data[position:]
    if recorder.rest:
        rejection = matcher.explain_rejection(recorder.rest)
        recorder.rejection = (
            rejection.message[:_LONGEST_REASON]
            if rejection is not None
            else "no token spells what comes next"
        )
    return recorder


def _words(compiled: CompiledGrammar) -> dict[bytes, list[int]]:
    """The tokens of each text, special ones left out."""
    info = compiled.tokenizer_info
    special = {*info.stop_token_ids, *info.special_token_ids}
    words: dict[bytes, list[int]] = {}
    for token, text in enumerate(info.decoded_vocab):
        if text and token not in special:
            words.setdefault(text, []).append(token)
    return words


def _longest_token(
    data: bytes, position: int, words: dict[bytes, list[int]], longest: int, allowed: NDArray[Any]
) -> int | None:
    for length in range(min(longest, len(data) - position), 0, -1):
        for token in words.get(data[position : position + length], ()):
            if allowed[token]:
                return token
    return None


def _as_numpy(values: Any) -> NDArray[Any]:
    """One row of logits as float64, wherever it lies."""
    import numpy as np

    if hasattr(values, "detach"):
        values = values.detach().float().cpu().numpy()
    # A copy: the mask may be applied to the same memory.
    row: NDArray[Any] = np.array(values, dtype=np.float64)
    if row.ndim == 2 and row.shape[0] == 1:
        row = row[0]
    if row.ndim != 1:
        raise InvalidArgumentError(f"logits of one step have one dimension, got shape {row.shape}")
    return row


def _log_sum_exp(values: NDArray[Any]) -> float:
    import numpy as np

    if not values.size or not np.isfinite(peak := values.max()):
        return float("-inf")
    return float(peak + np.log(np.exp(values - peak).sum()))


def _allowed(bits: Any, vocab_size: int) -> NDArray[Any]:
    """A row of a bitmask as one bool a token."""
    import numpy as np

    if hasattr(bits, "detach"):
        bits = bits.detach().cpu().numpy()
    row = np.ascontiguousarray(bits, dtype=np.int32).view(np.uint8)
    bools: NDArray[Any] = np.unpackbits(row, bitorder="little")[:vocab_size].astype(bool)
    return bools
