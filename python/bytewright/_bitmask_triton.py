"""Applying bitmasks on a CUDA device, in one pass, by a Triton kernel.

One program masks one block of one row. Refused logits are stored and allowed ones are not even read, so a
mask that allows little writes as much as it must, and one that allows everything writes nothing.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

_BLOCK = 4096


# Widths and strides are not compiled in: a batch of another shape does not wait for the compiler.
@triton.jit(do_not_specialize=["blocks", "width", "covered", "logits_stride", "mask_stride"])  # type: ignore[untyped-decorator, unused-ignore]
def _kernel(  # type: ignore[no-untyped-def]
    logits,
    mask,
    rows,
    blocks,
    width,
    covered,
    logits_stride,
    mask_stride,
    SOME_ROWS: tl.constexpr,  # noqa: N803 - Triton's custom for compile-time constants
    BLOCK: tl.constexpr,  # noqa: N803
):
    row = (tl.program_id(0) // blocks).to(tl.int64)
    if SOME_ROWS:
        row = tl.load(rows + row)
    # Where the block begins takes 64 bits; inside it, 32 will do.
    start = (tl.program_id(0) % blocks).to(tl.int64) * BLOCK
    inside = tl.minimum(width - start, BLOCK).to(tl.int32)
    known = tl.maximum(tl.minimum(covered - start, BLOCK), 0).to(tl.int32)
    column = tl.arange(0, BLOCK)
    words = mask + row * mask_stride + start // 32
    word = tl.load(words + column // 32, mask=column < known, other=0)
    refused = ((word >> (column % 32)) & 1) == 0
    # From `covered` on the loaded word is 0, even where the mask's own word goes on.
    tl.store(logits + row * logits_stride + start + column, -float("inf"), mask=refused & (column < inside))


def apply_bitmask(logits: torch.Tensor, mask: torch.Tensor, covered: int, rows: torch.Tensor | None) -> None:
    """Overwrites the columns from `covered` on, and those whose bit is 0, with -inf.

    `logits` (rows, width) and `mask` (rows, words) are on one device with a contiguous last axis; `rows`,
    int64 on the same device, are in range and different (the caller has checked). Nothing waits here.
    """
    count = logits.shape[0] if rows is None else rows.shape[0]
    if count == 0 or logits.shape[1] == 0:
        return
    blocks = triton.cdiv(logits.shape[1], _BLOCK)
    # Triton launches on the current device.
    with torch.cuda.device_of(logits):  # type: ignore[no-untyped-call]
        _kernel[(count * blocks,)](
            logits,
            mask,
            mask if rows is None else rows,
            blocks,
            logits.shape[1],
            covered,
            logits.stride(0),
            mask.stride(0),
            SOME_ROWS=rows is not None,
            BLOCK=_BLOCK,
        )
