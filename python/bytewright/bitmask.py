"""Token bitmasks: allocating them, resetting them, and applying them to logits.

A bitmask is an int32 array of shape `(batch, ceil(vocab_size / 32))`; bit `id % 32` of word `id // 32` says
whether token `id` is allowed. It lives in a NumPy array or in a torch tensor on the CPU, where
:meth:`bytewright.GrammarMatcher.fill_next_token_bitmask` writes it.

Logits on the CPU are masked by a compiled kernel; on other devices by a Triton kernel where Triton is
installed and the tensor is on a CUDA device, and by plain torch operations elsewhere. Torch is never
imported here: whoever passes a tensor has imported it.

>>> import numpy as np
>>> bitmask = allocate_token_bitmask(1, 40, backend="numpy")
>>> bitmask[0, 0] = 0b101                                     # of the first 32 tokens, allow 0 and 2
>>> logits = np.zeros((1, 40), dtype=np.float32)
>>> apply_token_bitmask_inplace(logits, bitmask)
>>> np.flatnonzero(logits[0] == 0).tolist()
[0, 2, 32, 33, 34, 35, 36, 37, 38, 39]
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from . import _core
from .errors import InvalidArgumentError, InvalidBitmaskError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import torch

    Bitmask: TypeAlias = npt.NDArray[np.int32] | torch.Tensor
    Logits: TypeAlias = npt.NDArray[np.floating[Any]] | torch.Tensor

__all__ = [
    "allocate_token_bitmask",
    "apply_token_bitmask_inplace",
    "get_bitmask_shape",
    "reset_token_bitmask",
]

#: The bit pattern of -inf and the name of the unsigned integer that holds it, by the name of the float type.
_MINUS_INF = {
    "float16": (0xFC00, "uint16"),
    "bfloat16": (0xFF80, "uint16"),
    "float32": (0xFF80_0000, "uint32"),
    "float64": (0xFFF0_0000_0000_0000, "uint64"),
}

#: Torch views floats as signed integers of the same width: not every version has the unsigned ones.
_SIGNED = {"uint16": "int16", "uint32": "int32", "uint64": "int64"}


def get_bitmask_shape(batch_size: int, vocab_size: int) -> tuple[int, int]:
    """The shape of a bitmask: `(batch_size, ceil(vocab_size / 32))`.

    >>> get_bitmask_shape(2, 128_256)
    (2, 4008)
    """
    if batch_size < 0 or vocab_size < 0:
        raise InvalidArgumentError(
            f"sizes cannot be negative: batch_size={batch_size}, vocab_size={vocab_size}"
        )
    return batch_size, (vocab_size + 31) // 32


def allocate_token_bitmask(
    batch_size: int, vocab_size: int, *, backend: Literal["numpy", "torch"] | None = None
) -> Any:
    """A new bitmask that allows every token.

    Args:
        batch_size: number of rows.
        vocab_size: number of token ids, padding ids included (`TokenizerInfo.vocab_size`).
        backend: what to allocate. None takes torch if the program has imported it, NumPy otherwise.

    Returns:
        `numpy.ndarray` or CPU `torch.Tensor` of int32, shape `(batch_size, ceil(vocab_size / 32))`, all
        ones. A tensor is pinned where CUDA is available, for copies of your own to a device tensor that
        overlap with other work: `copy_(bitmask, non_blocking=True)`. Such a copy reads the bitmask when the
        stream gets to it, so wait for it before you fill the bitmask again.
    """
    shape = get_bitmask_shape(batch_size, vocab_size)
    if backend is None:
        backend = "torch" if "torch" in sys.modules else "numpy"
    if backend == "numpy":
        import numpy

        return numpy.full(shape, -1, dtype=numpy.int32)
    if backend == "torch":
        import torch

        return torch.full(shape, -1, dtype=torch.int32, pin_memory=torch.cuda.is_available())
    raise InvalidArgumentError(f"backend must be 'numpy', 'torch' or None, got {backend!r}")


def reset_token_bitmask(bitmask: Bitmask) -> None:
    """Allows every token in every row, in place."""
    if _is_tensor(bitmask):
        bitmask.fill_(-1)  # type: ignore[union-attr]
    elif hasattr(bitmask, "__array__"):
        bitmask[...] = -1
    else:
        raise InvalidBitmaskError(f"invalid bitmask: expected an array, got {type(bitmask).__name__}")


def apply_token_bitmask_inplace(
    logits: Logits,
    bitmask: Bitmask,
    *,
    vocab_size: int | None = None,
    indices: Sequence[int] | None = None,
) -> None:
    """Overwrites the logits of refused tokens with -inf, in place.

    Columns that the bitmask does not cover are refused too: those from `32 * bitmask.shape[-1]` on and, if
    `vocab_size` is given, those from `vocab_size` on. (Models often pad their logits; a padding id is no
    token.)

    A bitmask on the CPU is read before this returns, and may be filled again at once, wherever the logits
    are. On a CUDA device the work is queued on the current stream, and this does not wait for it: the masks
    of a step can be filled and applied while the device still computes its logits. A bitmask on the device
    is read in the stream's order. CUDA graphs record that one alone, and all rows: what is on the CPU would
    be the same at every replay, and is refused.

    Args:
        logits: `(batch, width)` or `(width,)`. NumPy float16, float32 or float64, or a torch tensor of these
            or bfloat16 on any device.
        bitmask: int32, `(batch, words)` or `(words,)`, NumPy or torch on any device. Any allowed id past
            the logits' width is ignored.
        vocab_size: number of token ids; None means all that the bitmask covers.
        indices: the rows to change, each once; row `i` of the logits is masked by row `i` of the bitmask.
            None means all, and then both must have the same number of rows.

    Raises:
        InvalidBitmaskError: the bitmask has the wrong type, dtype, layout or number of rows.
        InvalidArgumentError: the logits have the wrong type, dtype, layout or shape, or a row is out of
            range or named twice; or a CUDA graph is being captured and the bitmask is on the CPU, or some
            rows are named.
    """
    if vocab_size is not None and vocab_size < 0:
        raise InvalidArgumentError(f"vocab_size cannot be negative, got {vocab_size}")
    rows = None if indices is None else [int(index) for index in indices]
    if rows and min(rows) < 0:
        raise InvalidArgumentError(f"row {min(rows)} is out of range: rows count from 0")
    if _is_tensor(logits):
        _apply_torch(logits, bitmask, vocab_size, rows)
    else:
        _apply_numpy(logits, bitmask, vocab_size, rows)


def _is_tensor(array: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def _apply_numpy(logits: Any, bitmask: Bitmask, vocab_size: int | None, rows: list[int] | None) -> None:
    import numpy

    if not isinstance(logits, numpy.ndarray):
        raise InvalidArgumentError(
            f"logits must be a NumPy array or a torch tensor, got {type(logits).__name__}"
        )
    pattern, view = _pattern(logits.dtype.name)
    if not logits.dtype.isnative or not logits.flags.writeable:
        raise InvalidArgumentError("logits must be writable and in the machine's byte order")
    if logits.strides[-1:] == (logits.itemsize,):
        _core.apply_bitmask(logits.view(view), _on_cpu(bitmask), pattern, vocab_size, rows)
    else:  # Any other layout: mask a packed copy and write it back.
        packed = logits.copy(order="C")
        _core.apply_bitmask(packed.view(view), _on_cpu(bitmask), pattern, vocab_size, rows)
        logits[...] = packed


def _on_cpu(bitmask: Any) -> Any:
    """The bitmask itself, or its copy if it is on another device that has its data."""
    if _is_tensor(bitmask) and bitmask.device.type not in ("cpu", "meta"):
        return bitmask.cpu()
    return bitmask


def _apply_torch(logits: Any, bitmask: Bitmask, vocab_size: int | None, rows: list[int] | None) -> None:
    import torch

    if logits.device.type == "cpu" and logits.layout == torch.strided and logits.stride()[-1:] == (1,):
        pattern, view = _pattern(str(logits.dtype).removeprefix("torch."))
        bits = logits.detach().view(getattr(torch, _SIGNED[view])).numpy().view(view)
        _core.apply_bitmask(bits, _on_cpu(bitmask), pattern, vocab_size, rows)
        return
    mask = _as_tensor(bitmask)
    _check_torch(logits, mask, rows)
    masked = logits.detach()
    if masked.ndim == 1:
        masked = masked.unsqueeze(0)
    if mask.ndim == 1:
        mask = mask.unsqueeze(0)
    if rows == list(range(masked.shape[0])) and masked.shape[0] == mask.shape[0]:
        rows = None  # all of them: nothing to look up
    mask = _upload(mask, logits.device)
    index = None if rows is None else _upload(torch.tensor(rows, dtype=torch.int64), logits.device)
    width = min(masked.shape[1], mask.shape[1] * 32, masked.shape[1] if vocab_size is None else vocab_size)
    kernel = _triton_kernel() if masked.is_cuda else None
    if kernel is not None and masked.stride(1) == 1 and mask.stride(1) == 1:
        kernel(masked, mask, width, index)
    else:
        _apply_anywhere(masked, mask, width, index)


def _upload(source: torch.Tensor, device: torch.device) -> torch.Tensor:
    """What is in `source` now, on the device; `source` may be overwritten as soon as this returns.

    An asynchronous copy waits its turn on the stream and reads what is there *then*; a synchronous one would
    hold the caller up until the stream has come to it, which may be a whole forward pass. So what is there
    now is copied to pinned memory of this call's own, and torch's allocator gives that to nobody else before
    the copy to the device has been made.
    """
    import torch

    if device.type != "cuda" or source.device.type != "cpu" or source.numel() == 0:
        return source.to(device)
    if torch.cuda.is_current_stream_capturing():
        raise InvalidArgumentError(
            "a CUDA graph cannot take a bitmask or indices from the CPU, which would be the same at every "
            "replay: pass a bitmask that is on the device, and all rows"
        )
    pinned = torch.empty(source.shape, dtype=source.dtype, pin_memory=True)
    pinned.copy_(source)
    return pinned.to(device, non_blocking=True)


def _apply_anywhere(logits: torch.Tensor, mask: torch.Tensor, width: int, rows: torch.Tensor | None) -> None:
    """The same with torch operations alone, which every device has.

    `logits` and `mask` have two axes, `rows` is None or int64; all are on one device.
    """
    import torch

    if rows is not None:
        mask = mask[rows]
    bits = torch.arange(32, dtype=torch.int32, device=mask.device)
    refused = ((mask.unsqueeze(-1) >> bits) & 1).eq(0).flatten(1)[:, :width]
    chosen = logits if rows is None else logits[rows]
    chosen[:, :width].masked_fill_(refused, -torch.inf)
    chosen[:, width:] = -torch.inf
    if rows is not None:
        logits[rows] = chosen


def _check_torch(logits: torch.Tensor, mask: torch.Tensor, rows: list[int] | None) -> None:
    """What the compiled kernel checks for itself."""
    import torch

    if logits.layout != torch.strided:
        raise InvalidArgumentError(f"logits of layout {logits.layout} are not supported")
    if mask.layout != torch.strided or mask.is_meta:
        raise InvalidBitmaskError(
            f"invalid bitmask: it must hold its words, got layout {mask.layout} on {mask.device}"
        )
    _pattern(str(logits.dtype).removeprefix("torch."))
    if mask.dtype != torch.int32:
        raise InvalidBitmaskError(f"invalid bitmask: its dtype must be int32, got {mask.dtype}")
    if logits.ndim not in (1, 2):
        raise InvalidArgumentError(
            f"logits: the shape must be (batch, width) or (width,), got {list(logits.shape)}"
        )
    if mask.ndim not in (1, 2):
        raise InvalidBitmaskError(
            f"invalid bitmask: the shape must be (batch, width) or (width,), got {list(mask.shape)}"
        )
    if _overlaps(logits):
        raise InvalidArgumentError("logits: its elements overlap")
    count, masks = (array.shape[0] if array.ndim == 2 else 1 for array in (logits, mask))
    if rows is None and count != masks:
        raise InvalidBitmaskError(
            f"invalid bitmask: it has {masks} rows for {count} rows of logits; name the rows by `indices`"
        )
    if rows and max(rows) >= min(count, masks):
        raise InvalidArgumentError(f"row {max(rows)} is out of range: there are {min(count, masks)}")
    if rows and len(set(rows)) < len(rows):
        raise InvalidArgumentError("a row is named twice")


def _overlaps(logits: torch.Tensor) -> bool:
    """Whether elements may share memory, as those of an expanded tensor do."""
    reach = 0
    for stride, size in sorted(zip(logits.stride(), logits.shape, strict=True)):
        if size > 1 and stride <= reach:
            return logits.numel() > 0
        reach += stride * (size - 1)
    return False


def _pattern(dtype: str) -> tuple[int, str]:
    try:
        return _MINUS_INF[dtype]
    except KeyError:
        raise InvalidArgumentError(f"logits of dtype {dtype} are not supported") from None


def _as_tensor(bitmask: Any) -> torch.Tensor:
    import torch

    if isinstance(bitmask, torch.Tensor):
        return bitmask
    try:
        return torch.from_numpy(bitmask)
    except (TypeError, ValueError) as error:
        raise InvalidBitmaskError(f"invalid bitmask: {error}") from None


@functools.cache
def _triton_kernel() -> Any:
    """The Triton kernel, or None where Triton is not installed."""
    try:
        from ._bitmask_triton import apply_bitmask
    except ImportError:
        return None
    return apply_bitmask
