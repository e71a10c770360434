"""Sampling bytes, with and without a grammar, and weighing what a grammar does to the distribution.

Three laws are easily confused. A *token mask* removes tokens, and with them ways to spell texts that are
allowed. A *byte mask* removes bytes: what is left is sampled in proportion, byte by byte, whatever the
tokens. Neither is ``P(text | grammar)``: both are myopic, going on where little mass is left. The byte mask
knows how much it removed, though. With ``Z_i`` the allowed mass at byte ``i``, the weight ``Z_1 Z_2 ...`` of
a sampled text corrects for it exactly, its mean is an unbiased estimate of ``P(grammar)``, and `sample_smc`
resamples by it on the way (sequential Monte Carlo, in the spirit of Lew et al., arXiv 2306.03081).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bytewright import (
    CompiledGrammar,
    Grammar,
    GrammarCompiler,
    GrammarMatcher,
    TokenizerInfo,
    allocate_token_bitmask,
)
from bytewright.errors import ImpossibleTextError, InvalidArgumentError

from .model import END

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from typing_extensions import Self

__all__ = [
    "ByteConstraint",
    "Particles",
    "Sample",
    "TextModel",
    "TextState",
    "sample",
    "sample_outcome",
    "sample_smc",
]


class TextState(Protocol):
    """What is sampled from: `ByteState`, or the state of an ensemble."""

    text: bytes

    def push(self, data: bytes | int) -> Any:
        """Takes bytes."""
        ...

    def fork(self) -> Self:
        """An independent state of the same text."""
        ...

    @property
    def log_probs(self) -> npt.NDArray[np.float64]:
        """Natural logarithms of the next outcome's probabilities, shape (257,)."""
        ...


class TextModel(Protocol):
    """What makes states: `ByteModel` or `ByteEnsemble`."""

    def start(self, text: bytes | str = b"") -> Any:
        """A state that has read a text."""
        ...

    def open(self, states: Sequence[Any]) -> None:
        """Computes what the states need for their next byte, together."""
        ...


class ByteConstraint:
    """A grammar over bytes: which outcomes it allows next.

    Args:
        grammar: A `Grammar`, its EBNF text, or a `CompiledGrammar` of a `ByteConstraint`'s own vocabulary (to
            share one compilation, `fork` is simpler).

    >>> constraint = ByteConstraint('root ::= "yes" | "no"')
    >>> [chr(byte) for byte in np.flatnonzero(constraint.allowed())]
    ['n', 'y']
    >>> constraint.push(ord("y"))
    >>> constraint.forced()
    b'es'
    """

    def __init__(self, grammar: Grammar | str | CompiledGrammar) -> None:
        if not isinstance(grammar, CompiledGrammar):
            info = TokenizerInfo([bytes([byte]) for byte in range(256)] + [b"<end>"], stop_token_ids=END)
            grammar = GrammarCompiler(info).compile_grammar(grammar)
        if grammar.tokenizer_info.vocab_size != END + 1:
            raise InvalidArgumentError(
                "the grammar was compiled for a tokenizer; give the Grammar itself, to be compiled for bytes"
            )
        self._matcher = GrammarMatcher(grammar)
        self._mask = allocate_token_bitmask(1, END + 1, backend="numpy")

    def allowed(self) -> npt.NDArray[np.bool_]:
        """Which outcomes may come, shape (257,)."""
        if self._matcher.is_terminated():
            return np.zeros(END + 1, dtype=np.bool_)
        self._matcher.fill_next_token_bitmask(self._mask)
        bits = np.unpackbits(np.asarray(self._mask).view(np.uint8), bitorder="little")
        return bits[: END + 1].astype(np.bool_)

    def push(self, outcome: int) -> None:
        """Takes an outcome.

        Raises:
            InvalidArgumentError: It is not allowed; nothing has changed.
        """
        if not self._matcher.accept_token(outcome):
            raise InvalidArgumentError(str(self._matcher.explain_rejection(outcome)))

    def accepts(self, data: bytes) -> bool:
        """Whether the text may go on with these bytes."""
        return self._matcher.fork().accept_string(data)

    def forced(self) -> bytes:
        """The bytes that every continuation begins with."""
        return self._matcher.find_jump_forward_bytes()

    def fork(self) -> ByteConstraint:
        """An independent constraint at the same place."""
        other = object.__new__(ByteConstraint)
        other._matcher = self._matcher.fork()
        other._mask = allocate_token_bitmask(1, END + 1, backend="numpy")
        return other


@dataclass(frozen=True)
class Sample:
    """A sampled text.

    Attributes:
        text: What was sampled, without the prompt.
        ended: Whether the end came, not the limit.
        allowed: For each outcome, the mass that the grammar allowed there (1 without one); nan for bytes that
            were forced and not weighed.
        log_weight: The logarithm of the product of `allowed`, nan where some were not weighed. It is the
            importance weight of a text that was sampled with temperature 1 and neither top-k nor top-p.
    """

    text: bytes
    ended: bool
    allowed: list[float]
    log_weight: float


def sample_outcome(
    log_probs: npt.NDArray[np.float64],
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> int:
    """Samples an index by logarithms of probabilities, which need not add up to 1.

    Args:
        log_probs: Natural logarithms, shape (n,).
        rng: Where chance comes from.
        temperature: Above 1 flattens, below sharpens; 0 takes the likeliest.
        top_k: Only the k likeliest.
        top_p: Only the likeliest that together have at least this probability, after the temperature.

    Raises:
        ImpossibleTextError: Nothing has any probability.
        InvalidArgumentError: Options outside their ranges.
    """
    if (
        not 0 <= temperature < math.inf
        or (top_k is not None and top_k < 1)
        or (top_p is not None and not 0 < top_p <= 1)
    ):
        raise InvalidArgumentError(
            "temperature must be at least 0 and finite, top_k at least 1, top_p in (0, 1]; "
            f"got {temperature}, {top_k}, {top_p}"
        )
    peak = float(np.max(log_probs))
    if peak == -math.inf:
        raise ImpossibleTextError("no outcome that is allowed has any probability")
    if temperature == 0:
        return int(np.argmax(log_probs))
    weights = np.exp((log_probs - peak) / temperature)
    order = np.argsort(-weights, kind="stable")
    keep = len(order) if top_k is None else min(top_k, len(order))
    if top_p is not None:
        mass = np.cumsum(weights[order[:keep]]) / weights[order[:keep]].sum()
        # Rounding may leave the last sum below 1: then all are kept.
        keep = min(keep, int(np.searchsorted(mass, top_p)) + 1)
    chosen = order[:keep]
    return int(chosen[rng.choice(keep, p=weights[chosen] / weights[chosen].sum())])


def sample(
    state: TextState,
    *,
    max_bytes: int,
    rng: np.random.Generator,
    constraint: ByteConstraint | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    weigh: bool = False,
) -> Sample:
    """Samples a text byte by byte. Neither `state` nor `constraint` moves.

    Args:
        state: Where to go on from.
        max_bytes: The most bytes.
        rng: Where chance comes from.
        constraint: A grammar, at the place where the sampled text begins.
        temperature: As `sample_outcome` takes it, after the grammar; likewise `top_k` and `top_p`.
        top_k: See there.
        top_p: See there.
        weigh: Also ask the model about bytes that the grammar forces, so that the text can be weighed.
            Without it they cost no call of the model.

    Raises:
        ImpossibleTextError: Nothing that is allowed has any probability.
        InvalidArgumentError: Options outside their ranges.
    """
    if max_bytes < 0:
        raise InvalidArgumentError(f"max_bytes must be at least 0, got {max_bytes}")
    state = state.fork()
    constraint = None if constraint is None else constraint.fork()
    out, allowed_masses = bytearray(), []
    while True:
        if constraint is not None and not weigh and (forced := constraint.forced()):
            forced = forced[: max_bytes - len(out)]
            state.push(forced)
            for byte in forced:
                constraint.push(byte)
            out += forced
            allowed_masses += [math.nan] * len(forced)
        if len(out) >= max_bytes:
            return _sample(out, False, allowed_masses)
        log_probs = state.log_probs
        if constraint is not None:
            log_probs = np.where(constraint.allowed(), log_probs, -np.inf)
        allowed_masses.append(min(float(np.exp(log_probs).sum()), 1.0))
        outcome = sample_outcome(log_probs, rng, temperature=temperature, top_k=top_k, top_p=top_p)
        if outcome == END:
            return _sample(out, True, allowed_masses)
        if constraint is not None:
            constraint.push(outcome)
        state.push(outcome)
        out.append(outcome)


def _sample(text: bytearray, ended: bool, allowed: list[float]) -> Sample:
    with np.errstate(divide="ignore"):
        log_weight = float(np.log(allowed).sum())
    return Sample(bytes(text), ended, allowed, log_weight)


@dataclass(frozen=True)
class Particles:
    """What sequential Monte Carlo found.

    Attributes:
        probabilities: The texts that ended, and their estimated ``P(text | grammar)``.
        unfinished: The share of the weight on texts that the limit cut off.
        log_evidence: The logarithm of an unbiased estimate of ``P(grammar)`` (of its prefixes, where texts
            were cut off).
        resampled: How often it resampled.
    """

    probabilities: dict[bytes, float]
    unfinished: float
    log_evidence: float
    resampled: int


@dataclass
class _Particle:
    state: TextState
    constraint: ByteConstraint
    text: bytes = b""
    ended: bool = False
    log_weight: float = 0.0

    def fork(self) -> _Particle:
        return _Particle(self.state.fork(), self.constraint.fork(), self.text, self.ended, self.log_weight)


def sample_smc(
    model: TextModel,
    state: TextState,
    constraint: ByteConstraint,
    *,
    particles: int,
    max_bytes: int,
    rng: np.random.Generator,
    threshold: float = 0.5,
) -> Particles:
    """Samples by sequential Monte Carlo; with more particles, closer to ``P(text | grammar)``.

    Each step samples every particle's byte among those allowed and weighs it by their mass; when the
    effective number of particles falls below ``threshold * particles``, they are resampled (systematically).

    Args:
        model: Whose state it is: all particles share its calls.
        state: Where the texts go on from.
        constraint: The grammar, at their beginning.
        particles: How many.
        max_bytes: The most bytes of a text.
        rng: Where chance comes from.
        threshold: 0 never resamples (importance sampling), 1 at every step with unequal weights.

    Raises:
        ImpossibleTextError: All particles ran into texts without probability.
        InvalidArgumentError: Options outside their ranges.
    """
    if particles < 1 or not 0 <= threshold <= 1 or max_bytes < 0:
        raise InvalidArgumentError(
            "particles must be at least 1, max_bytes at least 0 and threshold in [0, 1]; "
            f"got {particles}, {max_bytes}, {threshold}"
        )
    crowd = [_Particle(state.fork(), constraint.fork()) for _ in range(particles)]
    log_evidence, resampled = 0.0, 0
    for _ in range(max_bytes + 1):
        moving = [particle for particle in crowd if not particle.ended and particle.log_weight > -math.inf]
        if not moving:
            break
        model.open([particle.state for particle in moving])
        for particle in moving:
            _move(particle, rng, max_bytes)
        weights = np.array([particle.log_weight for particle in crowd])
        peak = float(weights.max())
        if peak == -math.inf:
            raise ImpossibleTextError("all particles ran into texts without probability")
        linear = np.exp(weights - peak)
        effective = linear.sum() ** 2 / (linear**2).sum()
        if effective < threshold * particles:
            log_evidence += peak + math.log(linear.mean())
            chosen = _systematic(linear / linear.sum(), rng)
            crowd = [crowd[index].fork() for index in chosen]
            for particle in crowd:
                particle.log_weight = 0.0
            resampled += 1
    weights = np.array([particle.log_weight for particle in crowd])
    peak = float(weights.max())
    linear = np.exp(weights - peak)
    log_evidence += peak + math.log(linear.mean())
    shares: Counter[bytes] = Counter()
    for particle, weight in zip(crowd, linear / linear.sum(), strict=True):
        if particle.ended:
            shares[particle.text] += weight
    finished = {text: float(share) for text, share in shares.items()}
    return Particles(finished, max(0.0, 1.0 - sum(finished.values())), log_evidence, resampled)


def _move(particle: _Particle, rng: np.random.Generator, max_bytes: int) -> None:
    """One byte on, or to the end."""
    log_probs = np.where(particle.constraint.allowed(), particle.state.log_probs, -np.inf)
    mass = float(np.exp(log_probs).sum())
    if mass <= 0.0:
        particle.log_weight = -math.inf
        return
    outcome = sample_outcome(log_probs, rng)
    if outcome != END and len(particle.text) >= max_bytes:
        return  # cut off: neither ended nor moved
    particle.log_weight += math.log(min(mass, 1.0))
    particle.constraint.push(outcome)
    if outcome == END:
        particle.ended = True
    else:
        particle.state.push(outcome)
        particle.text += bytes([outcome])


def _systematic(weights: npt.NDArray[np.float64], rng: np.random.Generator) -> list[int]:
    """Indices by weight, with one random offset for all (Kitagawa 1996): unbiased, and low in variance."""
    count = len(weights)
    points = (rng.random() + np.arange(count)) / count
    return [int(i) for i in np.searchsorted(np.cumsum(weights), points).clip(max=count - 1)]
