"""Bitmasks against a definition in plain Python, over every kind of array and layout."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitmask_cases import Case, cases
from bytewright import (
    allocate_token_bitmask,
    apply_token_bitmask_inplace,
    get_bitmask_shape,
    reset_token_bitmask,
)
from bytewright.errors import BytewrightError, InvalidArgumentError, InvalidBitmaskError


@given(case=cases, data=st.data(), dtype=st.sampled_from(["float16", "float32", "float64"]))
@settings(max_examples=200, deadline=None)
def test_numpy_logits_are_masked_as_defined(case: Case, data: Any, dtype: str) -> None:
    batch, width = case.logits.shape
    vocab_size = data.draw(st.none() | st.integers(0, 170))
    indices = data.draw(st.none() | st.lists(st.integers(0, batch - 1), unique=True)) if batch else None
    layout = data.draw(st.sampled_from(["packed", "fortran", "padded rows"]))
    logits = case.logits.astype(dtype, order="F" if layout == "fortran" else "C")
    if layout == "padded rows":
        logits = np.pad(logits, ((0, 0), (0, 3)))[:, :width]
    apply_token_bitmask_inplace(logits, case.mask, vocab_size=vocab_size, indices=indices)
    assert logits.tolist() == case.expected(vocab_size, indices)


@given(
    case=cases,
    data=st.data(),
    dtype=st.sampled_from(["float16", "bfloat16", "float32", "float64"]),
    mask_kind=st.sampled_from(["numpy", "torch"]),
)
@settings(max_examples=200, deadline=None)
def test_torch_logits_are_masked_as_defined(case: Case, data: Any, dtype: str, mask_kind: str) -> None:
    torch = pytest.importorskip("torch")
    batch = len(case.logits)
    vocab_size = data.draw(st.none() | st.integers(0, 170))
    indices = data.draw(st.none() | st.lists(st.integers(0, batch - 1), unique=True)) if batch else None
    logits = torch.from_numpy(case.logits).to(getattr(torch, dtype))
    if data.draw(st.booleans(), label="transposed"):  # takes the path that other devices take
        logits = logits.t().contiguous().t()
    mask = case.mask if mask_kind == "numpy" else torch.from_numpy(case.mask)
    apply_token_bitmask_inplace(logits, mask, vocab_size=vocab_size, indices=indices)
    assert logits.tolist() == case.expected(vocab_size, indices)


@given(case=cases, data=st.data())
@settings(max_examples=100, deadline=None)
def test_the_device_independent_path_agrees(case: Case, data: Any) -> None:
    torch = pytest.importorskip("torch")
    from bytewright.bitmask import _apply_anywhere

    batch, width = case.logits.shape
    indices = data.draw(st.none() | st.lists(st.integers(0, batch - 1), unique=True)) if batch else None
    logits = torch.from_numpy(case.logits.copy())
    covered = min(width, 32 * case.mask.shape[1])
    rows = None if indices is None else torch.tensor(indices, dtype=torch.int64)
    _apply_anywhere(logits, torch.from_numpy(case.mask), covered, rows)
    assert logits.tolist() == case.expected(None, indices)


TRITON_CHECK = """
import sys, numpy as np, torch
sys.path.insert(0, {tests!r})
from bitmask_cases import Case
from bytewright._bitmask_triton import apply_bitmask
shapes = [(1, 32, 1), (3, 5000, 157), (2, 4097, 100), (2, 64, 3), (1, 1, 0)]
for seed, (batch, width, words) in enumerate(shapes):
    for indices in (None, [batch - 1]):
        case = Case(seed, batch, width, words)
        logits = torch.from_numpy(case.logits.copy())
        rows = None if indices is None else torch.tensor(indices)
        apply_bitmask(logits, torch.from_numpy(case.mask), min(width, 32 * words), rows)
        assert logits.tolist() == case.expected(None, indices), (batch, width, words, indices)
print("agrees")
"""


def test_the_triton_kernel_agrees_under_its_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton")
    pytest.importorskip("torch")
    monkeypatch.setenv("TRITON_INTERPRET", "1")  # read when triton is imported: hence the fresh process
    code = TRITON_CHECK.format(tests=__file__.rpartition("/")[0])
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert run.stdout.strip() == "agrees", run.stderr


def test_one_row_needs_no_batch_axis() -> None:
    case = Case(1, 1, 70, 3)
    logits = case.logits[0].copy()
    apply_token_bitmask_inplace(logits, case.mask[0])
    assert logits.tolist() == case.expected()[0]


def test_tensors_that_require_grad_are_masked_too() -> None:
    torch = pytest.importorskip("torch")
    logits = torch.zeros(1, 32, requires_grad=True) * 2.0
    apply_token_bitmask_inplace(logits, np.array([[1]], dtype=np.int32))
    assert logits.isinf().sum() == 31


def test_nothing_outside_the_logits_is_touched() -> None:
    block = np.zeros((4, 48), dtype=np.float32)
    apply_token_bitmask_inplace(block[1:3, 4:40], np.zeros((2, 2), dtype=np.int32))
    assert np.isinf(block[1:3, 4:40]).all()
    block[1:3, 4:40] = 0
    assert not block.any()


def test_allocation_and_reset() -> None:
    mask = allocate_token_bitmask(3, 65, backend="numpy")
    assert (mask.shape, mask.dtype, mask.shape) == ((3, 3), np.dtype("int32"), get_bitmask_shape(3, 65))
    assert (mask == -1).all()
    mask[1] = 5
    reset_token_bitmask(mask)
    assert (mask == -1).all()
    torch = pytest.importorskip("torch")
    tensor = allocate_token_bitmask(2, 33, backend="torch")
    assert isinstance(tensor, torch.Tensor)
    assert (tuple(tensor.shape), tensor.dtype) == ((2, 2), torch.int32)
    tensor.zero_()
    reset_token_bitmask(tensor)
    assert bool((tensor == -1).all())
    assert isinstance(allocate_token_bitmask(1, 1), torch.Tensor)  # torch is imported by now


def readonly(array: Any) -> Any:
    array.setflags(write=False)
    return array


MASK = np.zeros((2, 2), dtype=np.int32)
LOGITS = np.zeros((2, 64), dtype=np.float32)


@pytest.mark.parametrize(
    "mask",
    [
        MASK.astype(np.int64),
        MASK.astype(np.uint32),
        MASK.astype(">i4"),
        np.zeros((2, 4), dtype=np.int32)[:, ::2],
        np.zeros((2, 2), dtype=np.int32, order="F"),
        np.zeros((3, 2), dtype=np.int32),
        np.zeros((2, 2, 1), dtype=np.int32),
        np.int32(3),
        [[0, 0], [0, 0]],
        None,
        "mask",
    ],
)
def test_a_bitmask_that_is_none_is_refused(mask: Any) -> None:
    with pytest.raises(InvalidBitmaskError):
        apply_token_bitmask_inplace(LOGITS.copy(), mask)


@pytest.mark.parametrize(
    ("logits", "options"),
    [
        (LOGITS.astype(np.int32), {}),
        (LOGITS.astype(">f4"), {}),
        (LOGITS.astype(np.complex64), {}),
        (readonly(LOGITS.copy()), {}),
        (LOGITS.reshape(2, 1, 64), {}),
        (LOGITS.tolist(), {}),
        (LOGITS, {"indices": [2]}),
        (LOGITS, {"indices": [-1]}),
        (LOGITS, {"indices": [0, 0]}),
        (LOGITS, {"vocab_size": -1}),
        (np.broadcast_to(LOGITS[:1], (2, 64)), {}),
        (np.lib.stride_tricks.as_strided(LOGITS.copy(), (2, 64), (4, 4)), {}),
    ],
)
def test_logits_that_cannot_be_masked_are_refused(logits: Any, options: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        apply_token_bitmask_inplace(logits, MASK, **options)


def test_tensors_that_cannot_be_used_are_refused() -> None:
    torch = pytest.importorskip("torch")
    logits, mask = torch.zeros(2, 64), torch.zeros(2, 2, dtype=torch.int32)
    bad_masks = [
        mask.long(),
        mask.t(),
        mask.to("meta"),
        mask.to_sparse(),
        torch.zeros(3, 2, dtype=torch.int32),
    ]
    for bad in bad_masks[:1] + bad_masks[2:]:
        with pytest.raises(InvalidBitmaskError):
            apply_token_bitmask_inplace(logits, bad)
    with pytest.raises(InvalidBitmaskError):
        apply_token_bitmask_inplace(torch.zeros(3, 64), torch.zeros(2, 3, dtype=torch.int32).t())
    overlapping = torch.zeros(2, 1).expand(2, 64)
    for bad_logits in (
        logits.long(),
        logits.to(torch.complex64),
        logits.reshape(2, 2, 32),
        logits.to_sparse(),
        overlapping,
        torch.zeros(1, 64).expand(2, 64),
    ):
        with pytest.raises(BytewrightError):
            apply_token_bitmask_inplace(bad_logits, mask)
    with pytest.raises(InvalidArgumentError):
        allocate_token_bitmask(1, 1, backend="jax")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError):
        get_bitmask_shape(-1, 5)
