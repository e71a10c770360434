"""Bitmasks by their definition in plain Python, and random cases to compare with it."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st


def expected(
    logits: list[list[float]], masks: list[list[int]], vocab_size: int | None, indices: list[int] | None
) -> list[list[float]]:
    """What the documentation says, word for word."""
    result = [list(row) for row in logits]
    for row in range(len(logits)) if indices is None else indices:
        for column in range(len(logits[row])):
            word = column // 32
            allowed = word < len(masks[row]) and (masks[row][word] >> (column % 32)) & 1
            if not allowed or (vocab_size is not None and column >= vocab_size):
                result[row][column] = -math.inf
    return result


class Case:
    """Random logits and a mask over them."""

    def __init__(self, seed: int, batch: int, width: int, words: int) -> None:
        rng = np.random.default_rng(seed)
        self.logits = rng.integers(-8, 8, (batch, width)).astype(np.float32)  # exact in every float type
        self.mask = rng.integers(-(2**31), 2**31, (batch, words)).astype(np.int32)
        self.mask[rng.random((batch, words)) < 0.2] = -1
        self.mask[rng.random((batch, words)) < 0.2] = 0

    def expected(self, vocab_size: int | None = None, indices: list[int] | None = None) -> list[list[float]]:
        return expected(self.logits.tolist(), self.mask.tolist(), vocab_size, indices)


cases = st.builds(
    Case,
    seed=st.integers(0, 2**32),
    batch=st.integers(0, 4),
    width=st.integers(0, 150),
    words=st.integers(0, 5),
)
