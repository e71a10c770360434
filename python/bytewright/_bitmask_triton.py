"""Applying bitmasks on a CUDA device, in one pass, by a Triton kernel.

One program masks one block of one row. Refused logits are stored and allowed ones are not even read, so a
mask that allows little writes as much as it must, and one that allows everything writes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import triton
import triton.language as tl

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCK = 4096


@triton.jit  # type: ignore[untyped-decorator, unused-ignore]
def _kernel(  # type: ignore[no-untyped-def]
    logits,
    mask,
    rows,
    width,
    covered,
    logits_stride,
    mask_stride,
    SOME_ROWS: tl.constexpr,  # noqa: N803 - Triton's custom for compile-time constants
    BLOCK: tl.constexpr,  # noqa: N803
):
    row = tl.program_id(0).to(tl.int64)
    if SOME_ROWS:
        row = tl.load(rows + row)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    word = tl.load(mask + row * mask_stride + column // 32, mask=column < covered, other=0)
    refused = ((word >> (column % 32)) & 1) == 0
    tl.store(logits + row * logits_stride + column, -float("inf"), mask=refused & (column < width))


def apply_bitmask(logits: torch.Tensor, mask: torch.Tensor, covered: int, rows: Sequence[int] | None) -> None:
    """Overwrites the columns from `covered` on, and those whose bit is 0, with -inf.

    `logits` (rows, width) and `mask` (rows, words) are on one device with a contiguous last axis; `rows` are
    in range (the caller has checked).
    """
    count = logits.shape[0] if rows is None else len(rows)
    if count == 0 or logits.shape[1] == 0:
        return
    chosen: Any = mask if rows is None else torch.tensor(rows, dtype=torch.int64, device=logits.device)
    grid = (count, triton.cdiv(logits.shape[1], _BLOCK))
    # Triton launches on the current device.
    with torch.cuda.device_of(logits):  # type: ignore[no-untyped-call]
        _kernel[grid](
            logits,
            mask,
            chosen,
            logits.shape[1],
            covered,
            logits.stride(0),
            mask.stride(0),
            SOME_ROWS=rows is not None,
            BLOCK=_BLOCK,
        )
