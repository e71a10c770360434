"""Several language models as one, whatever their tokenizers: they meet at the bytes.

Each step combines the models' next-byte distributions:

- ``"mean"``: their weighted mean, a mixture chosen anew at each byte;
- ``"product"``: their weighted geometric mean, normalised;
- ``"contrast"``: base + strength (expert - anti-expert) in logarithms, normalised (proxy tuning, Liu et al.,
  arXiv 2401.08565): three models in this order.

None of them is the law of a mixture of whole texts; they are what is usually meant by an ensemble.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from bytewright.errors import ImpossibleTextError, InvalidArgumentError

from .model import log_prob_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .model import ByteModel, ByteState

__all__ = ["ByteEnsemble", "EnsembleState"]


class ByteEnsemble:
    """Several models that agree on each byte.

    Args:
        models: The models.
        combine: How; see the module.
        weights: Of each model, for the mean and the product; positive, taken relative to their sum. None for
            equal ones.
        strength: How far the contrast goes.

    Raises:
        InvalidArgumentError: Arguments that do not fit together.
    """

    def __init__(
        self,
        models: Sequence[ByteModel],
        *,
        combine: Literal["mean", "product", "contrast"] = "mean",
        weights: Sequence[float] | None = None,
        strength: float = 1.0,
    ) -> None:
        if not models or combine not in ("mean", "product", "contrast"):
            raise InvalidArgumentError('an ensemble has models and combine="mean", "product" or "contrast"')
        if combine == "contrast" and (len(models) != 3 or weights is not None):
            raise InvalidArgumentError(
                "a contrast is of three models (base, expert, anti-expert), unweighted"
            )
        given = np.ones(len(models)) if weights is None else np.asarray(weights, dtype=np.float64)
        if given.shape != (len(models),) or not np.isfinite(given).all() or (given <= 0).any():
            raise InvalidArgumentError(f"weights must be {len(models)} positive numbers, got {weights}")
        self.models = list(models)
        self.combine = combine
        self.strength = strength
        self._weights = given / given.sum()

    def start(self, text: bytes | str = b"") -> EnsembleState:
        """A state that has read a text."""
        return EnsembleState(self, [model.start(text) for model in self.models])

    def open(self, states: Sequence[EnsembleState]) -> None:
        """Computes what the states need for their next byte, each model for all of them together."""
        for index, model in enumerate(self.models):
            model.open([state.states[index] for state in states])

    def log_prob(self, text: bytes | str, *, prompt: bytes | str = b"", end: bool = False) -> float:
        """The logarithm of the probability of a text; see `ByteModel.log_prob`."""
        return log_prob_from(self.start(prompt), text, end=end)

    def _combined(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """One distribution from several, shape (models, 257) to (257,), as logarithms."""
        if self.combine == "contrast":
            base, expert, anti = rows
            with np.errstate(invalid="ignore"):
                shift = self.strength * (expert - anti)
            # What the base or the expert rules out stays out, also where the anti-expert does.
            out = (base == -np.inf) | (expert == -np.inf)
            mixed = np.where(out, -np.inf, base + np.where(np.isfinite(shift), shift, 0.0))
        elif self.combine == "product":
            mixed = (self._weights[:, None] * rows).sum(axis=0)
        else:
            mixed = np.log((self._weights[:, None] * np.exp(rows)).sum(axis=0).clip(min=0.0) + 0.0)
        peak = float(np.max(mixed))
        if peak == -np.inf:
            raise ImpossibleTextError("the models of the ensemble have no outcome in common")
        return np.asarray(mixed - (peak + np.log(np.exp(mixed - peak).sum())))


class EnsembleState:
    """A text on its way through all models of an ensemble."""

    def __init__(self, ensemble: ByteEnsemble, states: list[ByteState]) -> None:
        self._ensemble = ensemble
        self.states = states

    @property
    def text(self) -> bytes:
        """What was read."""
        return self.states[0].text

    @text.setter
    def text(self, value: bytes) -> None:
        raise InvalidArgumentError("a state's text changes by push() alone")

    def push(self, data: bytes | int) -> EnsembleState:
        """Takes bytes and returns itself; if one model refuses them, none has moved."""
        moved = [state.fork().push(data) for state in self.states]
        self.states = moved
        return self

    def fork(self) -> EnsembleState:
        """An independent state of the same text."""
        return EnsembleState(self._ensemble, [state.fork() for state in self.states])

    @property
    def log_probs(self) -> npt.NDArray[np.float64]:
        """Natural logarithms of the next outcome's probabilities, shape (257,)."""
        with np.errstate(divide="ignore"):
            return self._ensemble._combined(np.stack([state.log_probs for state in self.states]))
