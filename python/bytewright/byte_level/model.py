"""`ByteModel` and `ByteState`: a language model over bytes.

A `ByteState` is a text and its tree of covers. Reading is structural and calls nothing; asking for the next
byte opens the contexts that are needed, in as few calls of the model as possible, for any number of states at
once.
"""

from __future__ import annotations

import operator
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bytewright import CoverTree, TokenizerRules
from bytewright.errors import (
    ImpossibleTextError,
    InvalidArgumentError,
    InvalidLogitsError,
    TokenOutOfRangeError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .ensemble import EnsembleState
    from .language_models import LanguageModel

__all__ = ["END", "ByteModel", "ByteState", "Cover", "Mode", "NextByte"]

END = 256
"""The outcome that is the end of the text; 0 to 255 are bytes."""

Mode = Literal["canonical", "all", "fast"]


@dataclass(frozen=True)
class NextByte:
    """The distribution of the next outcome.

    Attributes:
        log_probs: Natural logarithms, float64, shape (257,): the bytes, then `END`.
        certificate: Bound on the total-variation distance from the law; 0 where all was opened.
        left_out: What of it a beam left out.
        log_mass: Natural logarithm of the mass of the text's covers, relative to what was settled before the
            model was first asked.
        kept: The share of that mass that goes on to one of the outcomes; the rest was on tokens that the law
            does not have.
    """

    log_probs: npt.NDArray[np.float64]
    certificate: float
    left_out: float
    log_mass: float
    kept: float


@dataclass(frozen=True)
class Cover:
    """A token sequence that covers a text: the text ends in its last token.

    Attributes:
        tokens: The tokens, without the context before the text.
        overhang: The bytes of the last token that lie past the text.
        probability: Its share of the mass of all covers.
    """

    tokens: list[int]
    overhang: bytes
    probability: float


class ByteState:
    """A text on its way through a `ByteModel`; made by `ByteModel.start`."""

    def __init__(self, model: ByteModel, tree: CoverTree, context: tuple[int, ...], text: bytes) -> None:
        self._model = model
        self._tree = tree
        self._next: NextByte | None = None
        self.context = context
        self.text = text

    def push(self, data: bytes | int) -> ByteState:
        """Takes bytes, one as an integer or several, and returns itself.

        Raises:
            ImpossibleTextError: No token sequence of the law spells the text; what was read before stays.
            LimitExceededError: There are too many covers (mode ``"all"``).
        """
        data = data if isinstance(data, bytes) else _byte(data)
        if self._model.beam is None:
            self._push(data)
        else:
            # A beam weighs its covers before each byte.
            for byte in data:
                self._model.open([self])
                self._push(bytes([byte]))
        return self

    def _push(self, data: bytes) -> None:
        taken = self._tree.push(data)
        if taken:
            self.text += data[:taken]
            self._next = None
        if taken < len(data):
            raise ImpossibleTextError(
                f"no {self._model.mode} token sequence spells byte {len(self.text)} (0x{data[taken]:02x}) "
                f"after {self.text[-20:]!r}"
            )

    def fork(self) -> ByteState:
        """An independent state of the same text. What the model has computed is shared."""
        other = ByteState(self._model, self._tree.fork(), self.context, self.text)
        other._next = self._next
        return other

    @property
    def next(self) -> NextByte:
        """The next outcome's distribution; opens what is needed.

        Raises:
            ImpossibleTextError: The model gives no probability to any continuation.
            InvalidLogitsError: The model's logits are of the wrong shape, or no numbers.
        """
        if self._next is None:
            self._model.open([self])
            self._next = NextByte(*self._tree.next_byte())
        return self._next

    @property
    def log_probs(self) -> npt.NDArray[np.float64]:
        """`next.log_probs`."""
        return self.next.log_probs

    @property
    def num_nodes(self) -> int:
        """How many token sequences are in play."""
        return self._tree.num_nodes

    def covers(self, limit: int | None = None) -> list[Cover]:
        """The covers of the text and their probabilities, heaviest first.

        Args:
            limit: How many at most.
        """
        self._model.open([self], tolerance=0.0)
        nodes, tokens, probabilities = self._tree.covers()
        return [
            self._cover(int(node), int(token), float(probability))
            for node, token, probability in zip(
                nodes[:limit], tokens[:limit], probabilities[:limit], strict=True
            )
        ]

    def sample_cover(self, rng: np.random.Generator) -> Cover:
        """One cover, by its probability: a place to go on from token by token, without bias."""
        self._model.open([self], tolerance=0.0)
        nodes, tokens, probabilities = self._tree.covers()
        chosen = int(rng.choice(len(probabilities), p=probabilities / probabilities.sum()))
        return self._cover(int(nodes[chosen]), int(tokens[chosen]), float(probabilities[chosen]))

    def _cover(self, node: int, token: int, probability: float) -> Cover:
        tokens = self._tree.tokens(node)
        if token >= 0:
            tokens.append(token)
        info = self._model.rules.tokenizer_info
        length = sum(len(info.token_bytes(token)) for token in tokens) - len(self.text)
        overhang = info.token_bytes(tokens[-1])[-length:] if length else b""
        return Cover(tokens, overhang, probability)


class ByteModel:
    """A language model over bytes, from one over tokens.

    Args:
        model: Token sequences to logits; see `LanguageModel`.
        rules: The model's tokenizer.
        start: Tokens before every text: the start token (or document separator) that the model was trained
            with. Empty only for models that take an empty context.
        mode: The law: ``"canonical"`` (what the tokenizer itself can produce, renormalised at each byte),
            ``"all"`` (every token sequence; exponential, so give a beam), ``"fast"`` (canonical but for the
            last token; exact for neither).
        tolerance: How far, in total variation, the distribution may be from the law: contexts whose mass
            is below are left closed, and every answer carries its certificate. 0 opens all.
        beam: With ``"all"``: how many covers to keep.
        max_nodes: The most token sequences of one text at once.

    Raises:
        InvalidArgumentError: Arguments that contradict each other.
        TokenOutOfRangeError: A start token outside the vocabulary.

    >>> import numpy as np
    >>> from bytewright import TokenizerInfo, TokenizerRules
    >>> info = TokenizerInfo([b"a", b"b", b"ab", b"</s>"], stop_token_ids=3)
    >>> rules = TokenizerRules(info, merges=[(0, 1, 2)])
    >>> uniform = lambda sequences: np.zeros((len(sequences), 4))
    >>> state = ByteModel(uniform, rules).start(b"a")
    >>> np.exp(state.log_probs[[97, 98, 256]]).round(3).tolist()
    [0.286, 0.571, 0.143]

    After ``a`` the model has read the token ``a``, where ``b`` cannot follow, or is inside ``ab``.
    """

    def __init__(
        self,
        model: LanguageModel,
        rules: TokenizerRules,
        *,
        start: Sequence[int] = (),
        mode: Mode = "canonical",
        tolerance: float = 0.0,
        beam: int | None = None,
        max_nodes: int = 4096,
    ) -> None:
        if not 0.0 <= tolerance < 1.0:
            raise InvalidArgumentError(f"tolerance must be at least 0 and below 1, got {tolerance}")
        if beam is not None and tolerance > 0.0:
            raise InvalidArgumentError("a beam needs all masses: tolerance must be 0")
        self._language_model = model
        self.rules = rules
        self.mode: Mode = mode
        self.tolerance = tolerance
        self.beam = beam
        self._empty = CoverTree(rules, mode=mode, beam=beam, max_nodes=max_nodes)
        self._context = self._checked(start)
        # Rows of logits that were asked for last: forks ask again for what their siblings know.
        self._rows: OrderedDict[tuple[int, ...], npt.NDArray[np.floating[Any]]] = OrderedDict()
        self.contexts = 0
        self.calls = 0

    @classmethod
    def from_huggingface(
        cls,
        model: Any,
        tokenizer: Any,
        *,
        start: Sequence[int] | None = None,
        stop_token_ids: Sequence[int] | int | None = None,
        use_cache: bool = True,
        **options: Any,
    ) -> ByteModel:
        """From a transformers model and its fast tokenizer.

        Args:
            model: The model.
            tokenizer: Its tokenizer.
            start: Tokens before every text; None takes the tokenizer's start token.
            stop_token_ids: Ids that end a text; None takes the tokenizer's own.
            use_cache: Whether sequences share a key-value cache.
            **options: As the class takes them.

        Raises:
            InvalidArgumentError: The tokenizer has no start token and none is given.
            UnsupportedTokenizerError: See `bytewright.byte_level.rules_from_huggingface`.
        """
        from .language_models import TransformersModel
        from .rules import rules_from_huggingface

        if start is None:
            if getattr(tokenizer, "bos_token_id", None) is None:
                raise InvalidArgumentError("the tokenizer has no start token; pass `start`")
            start = [tokenizer.bos_token_id]
        width = model.config.get_text_config().vocab_size
        rules = rules_from_huggingface(tokenizer, vocab_size=width, stop_token_ids=stop_token_ids)
        return cls(TransformersModel(model, use_cache=use_cache), rules, start=start, **options)

    def start(self, text: bytes | str = b"", *, context: Sequence[int] | None = None) -> ByteState:
        """A state that has read a text.

        Args:
            text: Bytes, UTF-8 or not, or a str. Texts of special tokens are text.
            context: Tokens before it instead of the model's `start`, special tokens among them. The text
                begins a new piece after them.
        """
        data = text.encode() if isinstance(text, str) else text
        tokens = self._context if context is None else self._checked(context)
        return ByteState(self, self._empty.fork(), tokens, b"").push(data)

    def next_byte_log_probs(self, prefix: bytes | str | Sequence[bytes]) -> npt.NDArray[np.float64]:
        """The logarithms of the probabilities of what follows.

        Args:
            prefix: A text, or several of any lengths, which then share the calls of the model.

        Returns:
            Natural logarithms, float64, shape (257,) or (len(prefix), 257).
        """
        if isinstance(prefix, (bytes, str)):
            return self.start(prefix).log_probs
        states = [self.start(text) for text in prefix]
        self.open(states)
        return np.stack([state.log_probs for state in states]) if states else np.empty((0, END + 1))

    def log_prob(self, text: bytes | str, *, prompt: bytes | str = b"", end: bool = False) -> float:
        """The logarithm of the probability of a text.

        Args:
            text: The text.
            prompt: What comes before it.
            end: Whether it ends there.

        Returns:
            The natural logarithm of the product of its bytes' probabilities; minus infinity if one has none.
        """
        return log_prob_from(self.start(prompt), text, end=end)

    def open(self, states: Sequence[ByteState], *, tolerance: float | None = None) -> None:
        """Opens what the states need for their next byte, all of them in the same calls of the model.

        Args:
            states: States of this model.
            tolerance: Instead of the model's own.
        """
        tolerance = self.tolerance if tolerance is None else tolerance
        while True:
            wanted: dict[tuple[int, ...], list[tuple[CoverTree, int]]] = {}
            for state in states:
                for node, _, _ in state._tree.needed(tolerance):
                    tokens = (*state.context, *state._tree.tokens(node))
                    wanted.setdefault(tokens, []).append((state._tree, node))
            if not wanted:
                return
            for tokens, row in self._logits(list(wanted)).items():
                for tree, node in wanted[tokens]:
                    tree.supply([node], row)

    def _logits(self, sequences: list[tuple[int, ...]]) -> dict[tuple[int, ...], npt.NDArray[Any]]:
        """A row of logits for each sequence, shape (1, vocab_size)."""
        known = {tokens: self._rows[tokens] for tokens in sequences if tokens in self._rows}
        missing = [tokens for tokens in sequences if tokens not in known]
        if missing:
            rows = np.ascontiguousarray(self._language_model(missing))
            if rows.dtype not in (np.float32, np.float64):
                rows = rows.astype(np.float64) if np.issubdtype(rows.dtype, np.integer) else rows
            if rows.ndim != 2 or len(rows) != len(missing):
                raise InvalidLogitsError(
                    f"the model gave an array of shape {rows.shape} for {len(missing)} sequences; expected "
                    f"({len(missing)}, {self.rules.tokenizer_info.vocab_size})"
                )
            self.calls += 1
            self.contexts += len(missing)
            for i, tokens in enumerate(missing):
                known[tokens] = rows[i : i + 1]
        for tokens, row in known.items():
            self._rows[tokens] = row
            self._rows.move_to_end(tokens)
        while len(self._rows) > 64:
            self._rows.popitem(last=False)
        return known

    def _checked(self, tokens: Sequence[int]) -> tuple[int, ...]:
        size = self.rules.tokenizer_info.vocab_size
        ids = tuple(operator.index(token) for token in tokens)
        for token in ids:
            if not 0 <= token < size:
                error = TokenOutOfRangeError(f"start token {token} is outside the vocabulary of {size} ids")
                error.token_id, error.vocab_size = token, size
                raise error
        return ids


def log_prob_from(state: ByteState | EnsembleState, text: bytes | str, *, end: bool) -> float:
    """The logarithm of the probability of a text from a state on, which moves."""
    total = 0.0
    for byte in text.encode() if isinstance(text, str) else text:
        total += float(state.log_probs[byte])
        if total == -np.inf:
            return total
        state.push(byte)
    return total + float(state.log_probs[END]) if end else total


def _byte(value: int) -> bytes:
    number = operator.index(value)
    if not 0 <= number < END:
        raise InvalidArgumentError(f"a byte is 0 to 255, got {value}; the end ({END}) is not pushed")
    return bytes([number])
