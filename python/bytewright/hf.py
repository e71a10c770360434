"""A logits processor for ``transformers.generate``.

The processor sees, at each step, the ids so far of every row and the logits of the next token. It keeps one
matcher for every sequence of generated ids that is still in play, and finds a row's matcher *by that
sequence*: so it does not matter that beam search reorders, drops and doubles rows between steps. A new
sequence is its parent's matcher, forked, plus one token;
forking costs nothing.

Rows of a batch are ``[prompt 0, ..., prompt 0, prompt 1, ...]`` with ``num_beams *
num_return_sequences``-fold repetition, as ``generate`` lays them out. One grammar serves all rows; a list of
grammars has one for each prompt.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

try:
    import torch  # noqa: TC002  # asked for here, to say what is missing
    from transformers import LogitsProcessor as _Base
except ImportError as error:
    raise ImportError(
        "bytewright.hf needs torch and transformers: pip install 'bytewright[hf,torch]'"
    ) from error

from bytewright import (
    CompiledGrammar,
    GrammarMatcher,
    allocate_token_bitmask,
    apply_token_bitmask_inplace,
)
from bytewright.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bytewright.explain import Recorder

__all__ = ["LogitsProcessor"]

#: What identifies a sequence: its row's prompt, and the ids generated since.
_Key = tuple[int, tuple[int, ...]]


class LogitsProcessor(_Base):
    """Keeps every row of ``generate`` inside a grammar.

    Give it to ``model.generate(..., logits_processor=[LogitsProcessor(compiled)])``. It works with greedy
    search, sampling, beams, ``num_return_sequences`` and left-padded batches, and may be used for any number
    of calls, one after the other: a call whose rows do not go on from the last one begins anew.

    Args:
        compiled: One grammar for all rows, or one for each prompt of the batch.
        recorder: Records what happens in its row, for `bytewright.explain`. Not for beam search.

    Attributes:
        seconds: Time spent filling masks and accepting tokens so far, one entry a row and step.

    Raises:
        InvalidArgumentError: when called with a batch that is no multiple of the number of grammars, with
        logits
            narrower than the vocabulary, or with a token that the last mask did not allow (as when another
            processor or a
            forced token overrides the mask).
    """

    def __init__(
        self, compiled: CompiledGrammar | Sequence[CompiledGrammar], *, recorder: Recorder | None = None
    ) -> None:
        self._grammars = [compiled] if isinstance(compiled, CompiledGrammar) else list(compiled)
        if not self._grammars:
            raise InvalidArgumentError("LogitsProcessor needs at least one compiled grammar")
        self.seconds: list[float] = []
        self._recorder = recorder
        self._bitmask: NDArray[Any] | torch.Tensor | None = None
        self.reset()

    def reset(self) -> None:
        """Forgets the sequences in play; the next call begins a new generation."""
        self._prompts: list[tuple[int, ...]] = []
        self._prompt_length = 0
        self._length = 0
        self._matchers: dict[_Key, GrammarMatcher | None] = {}

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Masks the logits of the tokens that the grammars refuse.

        Args:
            input_ids: Ids so far, int64, shape (rows, length).
            scores: Logits of the next token, any float dtype, shape (rows, vocabulary). Written to.

        Returns:
            ``scores``, with minus infinity where a token is refused.
        """
        rows: list[list[int]] = input_ids.tolist()
        self._check(len(rows), scores)
        if not self._goes_on(rows):
            self._begin(rows)
        self._length = len(rows[0])
        bitmask = self._rows(len(rows), scores.shape[-1])
        matchers: dict[_Key, GrammarMatcher | None] = {}
        lost: dict[int, str] = {}
        live: list[int] = []
        for index, row in enumerate(rows):
            start = time.perf_counter()
            key = (self._prompt_of(index, row), tuple(row[self._prompt_length :]))
            if key not in matchers:
                matchers[key] = self._matcher(key, index, len(rows))
            matcher = matchers[key]
            if matcher is None:
                lost[key[0]] = f"row {index} has token {row[-1]}"
            elif not matcher.is_terminated():
                matcher.fill_next_token_bitmask(bitmask, index)
                live.append(index)
            self.seconds.append(time.perf_counter() - start)
            if self._recorder is not None and self._recorder.row == index:
                self._record(key[1], matcher, bitmask[index], scores[index])
        self._refuse_lost(lost, matchers)
        self._matchers = matchers
        # Rows that have ended are left alone: generate pads them by itself.
        if live:
            apply_token_bitmask_inplace(scores, bitmask, indices=live)
        return scores

    def _record(
        self,
        generated: tuple[int, ...],
        matcher: GrammarMatcher | None,
        bits: NDArray[Any] | torch.Tensor,
        scores: torch.Tensor,
    ) -> None:
        recorder = self._recorder
        if recorder is None:
            return
        if not generated:
            recorder.clear()
        recorder.follow(generated)
        if matcher is not None and not matcher.is_terminated():
            recorder.observe(matcher, bits, scores, seconds=self.seconds[-1])

    def _check(self, rows: int, scores: torch.Tensor) -> None:
        if rows == 0 or rows % len(self._grammars):
            raise InvalidArgumentError(
                f"{len(self._grammars)} grammars do not divide a batch of {rows} rows evenly; "
                "give one grammar, or one a prompt"
            )
        widest = max(grammar.tokenizer_info.vocab_size for grammar in self._grammars)
        if scores.shape[-1] < widest:
            raise InvalidArgumentError(
                f"the model has logits for {scores.shape[-1]} tokens, but a grammar was compiled for "
                f"{widest}: the tokenizer and the model do not belong together"
            )

    def _goes_on(self, rows: list[list[int]]) -> bool:
        """Whether these rows are one token longer than sequences that are in play."""
        if not self._matchers or len(rows[0]) != self._length + 1:
            return False
        parents = (
            (self._prompt_of(index, row), tuple(row[self._prompt_length : -1]))
            for index, row in enumerate(rows)
        )
        return all(parent in self._matchers for parent in parents)

    def _begin(self, rows: list[list[int]]) -> None:
        self.reset()
        self._prompt_length = len(rows[0])

    def _prompt_of(self, index: int, row: list[int]) -> int:
        """The number of a row's prompt among the different (prompt, grammar) pairs."""
        grammar = index * len(self._grammars) // max(len(self._grammars), self._row_count)
        prompt = (grammar, *row[: self._prompt_length])
        if prompt not in self._prompts:
            self._prompts.append(prompt)
        return self._prompts.index(prompt)

    def _matcher(self, key: _Key, index: int, rows: int) -> GrammarMatcher | None:
        """The matcher of a sequence; none for one that its mask did not allow."""
        prompt, generated = key
        if not generated:
            return GrammarMatcher(self._grammars[index * len(self._grammars) // rows])
        parent = self._matchers[prompt, generated[:-1]]
        if parent is None or parent.is_terminated():
            return parent
        matcher = parent.fork()
        return matcher if matcher.accept_token(generated[-1]) else None

    @staticmethod
    def _refuse_lost(lost: dict[int, str], matchers: dict[_Key, GrammarMatcher | None]) -> None:
        """Raises if no sequence of some prompt is left.

        Single lost sequences are no misuse: where a grammar allows fewer continuations than there are beams,
        beam search fills up with impossible ones, whose score of minus infinity they never lose again.
        """
        alive = {prompt for (prompt, _), matcher in matchers.items() if matcher is not None}
        for prompt, what in lost.items():
            if prompt not in alive:
                raise InvalidArgumentError(
                    f"{what}, which its mask did not allow; put this processor last, and use no option of "
                    "generate that forces tokens"
                )

    def _rows(self, rows: int, width: int) -> NDArray[Any] | torch.Tensor:
        self._row_count = rows
        size = max(grammar.tokenizer_info.vocab_size for grammar in self._grammars)
        if self._bitmask is None or tuple(self._bitmask.shape) != (rows, (size + 31) // 32):
            self._bitmask = allocate_token_bitmask(rows, size, backend="torch")
        return self._bitmask
