"""Language models as the byte level sees them: token sequences in, rows of logits out.

Anything callable will do: ``logits(sequences) -> array (len(sequences), vocab_size)``, float32 or float64.
`TransformersModel` and `LlamaCppModel` are such callables with a memory of what they have computed.

`TransformersModel` keeps one key-value cache for *all* sequences: each token of the tree of sequences has one
slot, written once, and a sequence is the list of its slots. A new token attends to the slots of its own
ancestors by a mask, at its own position. So forking costs nothing, nothing is copied, and all sequences of a
call go through the model in one forward pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bytewright.errors import InvalidArgumentError, InvalidLogitsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["LanguageModel", "LlamaCppModel", "TransformersModel"]


class LanguageModel(Protocol):
    """What a model must be."""

    def __call__(self, sequences: Sequence[Sequence[int]], /) -> npt.NDArray[np.floating[Any]]:
        """The logits of the next token after each sequence.

        Args:
            sequences: Token ids; none is empty unless the model is asked without a start token.

        Returns:
            Logits, float32 or float64, shape (len(sequences), vocab_size).
        """
        ...


class _Slot:
    """One token of the tree of sequences: where its keys and values are, and what follows."""

    __slots__ = ("children", "depth", "index", "parent", "used")

    def __init__(self, parent: _Slot | None, index: int, depth: int) -> None:
        self.parent = parent
        self.index = index
        self.depth = depth
        self.used = 0
        self.children: dict[int, _Slot] = {}


class TransformersModel:
    """A causal model of transformers, with a key-value cache shared by all sequences.

    Args:
        model: The model, in evaluation mode.
        max_slots: How many tokens the cache holds. When it is full the half that was used last stays; what
            was forgotten is computed again when it is needed.
        use_cache: False computes every sequence from its beginning, in one padded batch.

    Attributes:
        contexts: How many tokens were computed so far.
        calls: How many forward passes that took.

    Raises:
        InvalidArgumentError: The model's cache or attention cannot hold a tree: its logits after a small tree
            are not those without a cache. Pass ``use_cache=False``. When called: a sequence longer than the
            model's positions, or, with the cache, than what its layers see (a sliding window).
    """

    def __init__(self, model: Any, *, max_slots: int = 16384, use_cache: bool = True) -> None:
        import inspect

        if max_slots < 2:
            raise InvalidArgumentError(f"max_slots must be at least 2, got {max_slots}")
        self._model = model
        self._max_slots = max_slots
        self._use_cache = use_cache
        parameters = inspect.signature(model.forward).parameters
        self._cache_name = "cache" if "cache" in parameters else "past_key_values"
        self._limits = _limits(model.config, use_cache=use_cache)
        self.contexts = self.calls = 0
        self._clock = 0
        self.clear()
        if use_cache:
            self._check_cache()

    def clear(self) -> None:
        """Forgets all sequences."""
        self._root = _Slot(None, -1, -1)
        self._slots: list[_Slot] = []
        self._cache: Any = None

    def __call__(self, sequences: Sequence[Sequence[int]], /) -> npt.NDArray[np.float32]:
        """See `LanguageModel`."""
        import torch

        if any(len(sequence) == 0 for sequence in sequences):
            raise InvalidArgumentError(
                "an empty context: this model needs a start token; pass `start` to ByteModel"
            )
        longest = max(map(len, sequences), default=0)
        for limit, reason in self._limits:
            if longest > limit:
                raise InvalidArgumentError(f"a context of {longest} tokens is longer than {reason}")
        with torch.inference_mode():
            return self._cached(sequences) if self._use_cache else self._uncached(sequences)

    def _uncached(self, sequences: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        import torch

        width = max(map(len, sequences))
        ids = torch.zeros((len(sequences), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence)] = torch.tensor(list(sequence))
            mask[row, : len(sequence)] = 1
        device = self._model.device
        self.calls += 1
        self.contexts += int(mask.sum())
        logits = self._model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
        last = torch.tensor([len(sequence) - 1 for sequence in sequences], device=device)
        return _to_numpy(logits[torch.arange(len(sequences), device=device), last])

    def _cached(self, sequences: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        self._clock += 1
        new: list[tuple[_Slot, int]] = []
        ends = []
        for sequence in sequences:
            at = self._root
            # The last token is computed again if it is known: its logits are not kept.
            for token in sequence:
                child = at.children.get(token)
                if child is None:
                    child = _Slot(at, -1, at.depth + 1)
                    at.children[token] = child
                    new.append((child, token))
                child.used = self._clock
                at = child
            ends.append(at)
        fresh = {id(slot) for slot, _ in new}
        for end, sequence in zip(ends, sequences, strict=True):
            if id(end) not in fresh:
                again = _Slot(end.parent, -1, end.depth)
                again.used = self._clock
                new.append((again, sequence[-1]))
                fresh.add(id(again))
                ends = [again if other is end else other for other in ends]
        try:
            return self._forward(new, ends)
        except BaseException:
            self.clear()  # half of the tree is written
            raise

    def _forward(self, new: list[tuple[_Slot, int]], ends: list[_Slot]) -> npt.NDArray[np.float32]:
        if len(new) + len(self._slots) > self._max_slots:
            self._forget(len(new))
        rows: dict[int, npt.NDArray[np.float32]] = {}
        wanted = {id(end) for end in ends}
        for start in range(0, len(new), 256):
            part = new[start : start + 256]
            keep = [i for i, (slot, _) in enumerate(part) if id(slot) in wanted]
            for i, row in zip(keep, self._run(part, keep), strict=True):
                rows[id(part[i][0])] = row
        return np.stack([rows[id(end)] for end in ends])

    def _run(self, part: list[tuple[_Slot, int]], keep: list[int]) -> npt.NDArray[np.float32]:
        """One forward pass of new tokens, each after its own ancestors."""
        import torch

        if self._cache is None:
            from transformers import DynamicCache

            self._cache = DynamicCache()
        model, past = self._model, len(self._slots)
        for slot, _ in part:
            slot.index = len(self._slots)
            self._slots.append(slot)
        visible = np.zeros((len(part), past + len(part)), dtype=bool)
        for i, (slot, _) in enumerate(part):
            parent = slot.parent
            if parent is not None and parent.index >= past:
                visible[i] = visible[parent.index - past]
            else:
                while parent is not None and parent.index >= 0:
                    visible[i, parent.index] = True
                    parent = parent.parent
            visible[i, past + i] = True
        lowest = torch.finfo(model.dtype).min
        mask = torch.where(torch.from_numpy(visible), 0.0, lowest).to(model.dtype)[None, None]
        device = model.device
        output = model(
            input_ids=torch.tensor([[token for _, token in part]], device=device),
            attention_mask=mask.to(device),
            position_ids=torch.tensor([[slot.depth for slot, _ in part]], device=device),
            use_cache=True,
            # Rows nobody asked for need no projection onto the vocabulary.
            logits_to_keep=torch.tensor(keep or [0], device=device),
            **{self._cache_name: self._cache},
        )
        self.calls += 1
        self.contexts += len(part)
        return _to_numpy(output.logits[0])[: len(keep)]

    def _forget(self, needed: int) -> None:
        """Keeps the slots that were used last, ancestors included, and closes the gaps."""
        import torch

        now = [slot for slot in self._slots if slot.used == self._clock]
        if len(now) + needed > self._max_slots:
            raise InvalidArgumentError(
                f"the sequences of one call have {len(now) + needed} tokens; max_slots is {self._max_slots}"
            )
        room = max(len(now), min(self._max_slots // 2, self._max_slots - needed))
        # An ancestor is used whenever a descendant is, and was made before it: this order never cuts a path.
        order = sorted(self._slots, key=lambda slot: (-slot.used, slot.depth))
        kept = sorted(order[:room], key=lambda slot: slot.index)
        alive = {id(slot) for slot in kept}
        for slot in self._slots:
            slot.children = {t: c for t, c in slot.children.items() if c.index < 0 or id(c) in alive}
        self._root.children = {t: c for t, c in self._root.children.items() if c.index < 0 or id(c) in alive}
        index = torch.tensor([slot.index for slot in kept], device=self._model.device)
        for layer in self._cache.layers if kept else ():
            layer.keys = layer.keys.index_select(-2, index)
            layer.values = layer.values.index_select(-2, index)
        if not kept:
            self._cache = None
        for i, slot in enumerate(kept):
            slot.index = i
        self._slots = kept

    def _check_cache(self) -> None:
        """Compares a small tree with computing it plainly: not every attention takes a mask of its own."""
        sequences = [[0, 1, 2], [0, 1, 3], [0, 2]]
        try:
            self(sequences[:1])
            tree, plain = self(sequences), self._plain(sequences)
        except (TypeError, ValueError, RuntimeError, AttributeError, IndexError) as error:
            raise InvalidArgumentError(
                f"this model cannot share a cache between sequences ({error}); pass use_cache=False"
            ) from error
        finally:
            self.clear()
        scale = float(np.abs(plain).max())
        if not np.allclose(tree, plain, atol=2e-2 * max(scale, 1.0)):
            raise InvalidArgumentError(
                "this model's attention does not follow a mask of its own, so sequences cannot share a "
                "cache; pass use_cache=False"
            )
        self.contexts = self.calls = 0

    def _plain(self, sequences: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            return self._uncached(sequences)


def _limits(config: Any, *, use_cache: bool) -> list[tuple[int, str]]:
    """Lengths past which a model's logits would be no longer its own, and why."""
    text = config.get_text_config()
    limits = []
    positions = getattr(text, "max_position_embeddings", None)
    if positions and positions > 0:
        limits.append((positions, f"the model's {positions} positions"))
    for name in ("sliding_window", "attention_chunk_size") if use_cache else ():
        seen = getattr(text, name, None)
        if seen and getattr(text, "use_sliding_window", None) is not False:
            reason = (
                f"the model's {name}, {seen}, which a shared cache does not keep to; pass use_cache=False"
            )
            limits.append((seen, reason))
    return limits


def _to_numpy(logits: Any) -> npt.NDArray[np.float32]:
    import torch

    array: npt.NDArray[np.float32] = logits.to(device="cpu", dtype=torch.float32).contiguous().numpy()
    return array


class LlamaCppModel:
    """A ``llama_cpp.Llama``: one sequence at a time, going back to what it shares with the next.

    Logits are read where llama.cpp has them: ``Llama.scores`` is filled with ``logits_all=True`` alone. What
    the cache holds is taken from the `Llama` itself, so it may be used for other things between.

    Args:
        llama: The model; ``logits_all=False`` will do.
    """

    def __init__(self, llama: Any) -> None:
        self._llama = llama
        self.contexts = self.calls = 0

    def __call__(self, sequences: Sequence[Sequence[int]], /) -> npt.NDArray[np.float32]:
        """See `LanguageModel`."""
        return np.stack([self._one(list(sequence)) for sequence in sequences])

    def _one(self, sequence: list[int]) -> npt.NDArray[np.float32]:
        import llama_cpp

        llama = self._llama
        if not sequence:
            raise InvalidArgumentError("an empty context: this model needs a start token")
        if len(sequence) > llama.n_ctx():
            raise InvalidArgumentError(
                f"a context of {len(sequence)} tokens is longer than n_ctx, {llama.n_ctx()}"
            )
        shared = 0
        # The last token is always evaluated: only its logits are there afterwards.
        for known, token in zip(llama.input_ids[: llama.n_tokens].tolist(), sequence[:-1], strict=False):
            if known != token:
                break
            shared += 1
        llama.n_tokens = shared = self._go_back(shared)
        llama.eval(sequence[shared:])
        self.calls += 1
        self.contexts += len(sequence) - shared
        logits = llama_cpp.llama_get_logits_ith(llama.ctx, -1)
        if not logits:
            raise InvalidLogitsError("llama.cpp has no logits for the last token: is it an embedding model?")
        return np.array(np.ctypeslib.as_array(logits, shape=(llama.n_vocab(),)), dtype=np.float32)

    def _go_back(self, shared: int) -> int:
        """Forgets what comes after so many tokens, or all if need be; returns how many are left."""
        import llama_cpp

        llama = self._llama
        if shared == llama.n_tokens:
            return shared
        memory = llama_cpp.llama_get_memory(llama.ctx)
        # Recurrent models keep no past to go back to; layers with a sliding window have dropped what left it.
        oldest = llama_cpp.llama_memory_seq_pos_min(memory, 0)
        needed = shared - llama_cpp.llama_model_n_swa(llama.model)
        if (oldest <= 0 or oldest < needed) and llama_cpp.llama_memory_seq_rm(memory, 0, shared, -1):
            return shared
        llama_cpp.llama_memory_clear(memory, True)
        return 0
