"""Masks on a CUDA device: what applying them costs, and what constrained generation costs beside free.

Applying masks: each row of the table is a batch of logits, masked at random so that a share of the tokens is
allowed. Times on the device are between two events, with the device kept busy before, so that the host's
time to launch is not in them; GB/s counts what must be moved, the refused logits and the mask. "Returns
after" is the host's time until the call returns, while two milliseconds of other work are queued: a call
that waited for the device would take at least that. Everything is repeated on the same tensors: those of up
to some 50 MB stay in the device's L2 cache, as they would after the matrix product that made the logits.

Copies: the mask's way to the device. "Own memory" is a copy from the caller's pinned memory, which must not
be filled again before the copy has been made; "as applied" is what `apply_token_bitmask_inplace` does with a
mask on the CPU; "blocking" waits for the device.

Generation: a model with random weights and the shape of Llama-3.2-1B in bfloat16, one CUDA graph a step, 128
positions of context, and sampling by the model's probabilities, under a JSON Schema with Llama-3's
vocabulary. Milliseconds a step, free; constrained, with the masks made while the device computes
("overlapped"); and made when it has computed ("one after the other"). The last column is the host's time for
masks and matchers. All texts are followed once more by fresh matchers.

    python benches/cuda_masks.py                              # needs a CUDA device and llama-models
    python benches/cuda_masks.py --tokenizer tokenizer.model  # Llama-3's rank file from elsewhere
    python benches/cuda_masks.py --device cpu --tiny          # only to see that it runs
"""

from __future__ import annotations

import pathlib  # noqa: TC003  # typer reads the annotations
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
import typer
from cuda_generation import FREE, WAYS, Texts, Times, compile_schema, generate
from llama_shape import Decoder, Shape, Weights
from workers import show

import bytewright as bw
from bytewright.bitmask import _apply_anywhere, _upload
from bytewright.tokenizers.named import TOKENIZERS

if TYPE_CHECKING:
    from collections.abc import Callable

#: Cycles of an H100 or its like: some 2 and some 10 milliseconds.
SHORT, LONG = 4_000_000, 20_000_000


def keep_busy(device: torch.device, cycles: int) -> None:
    """Queues work that takes a while."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda._sleep(cycles)


def device_time(call: Callable[[], object], device: torch.device, repeats: int) -> float:
    """The median time on the device, µs; without CUDA, that of the call."""
    for _ in range(3):
        call()
    times: list[float] = []
    if device.type != "cuda":
        for _ in range(repeats):
            start = time.perf_counter()
            call()
            times.append((time.perf_counter() - start) * 1e6)
        return statistics.median(times)
    for _ in range(0, repeats, 10):
        event = partial(torch.cuda.Event, enable_timing=True)
        pairs = [(event(), event()) for _ in range(10)]
        keep_busy(device, LONG)  # the host gets ahead
        for before, after in pairs:
            before.record()
            call()
            after.record()
        torch.cuda.synchronize(device)
        times += [before.elapsed_time(after) * 1e3 for before, after in pairs]
    return statistics.median(times)


def host_time(call: Callable[[], object], device: torch.device, repeats: int) -> float:
    """The median time until the call returns, µs, with work queued before it."""
    times = []
    for _ in range(repeats):
        keep_busy(device, SHORT)
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e6)
    return statistics.median(times)


def random_mask(batch: int, width: int, share: float) -> torch.Tensor:
    """A mask that allows each token with the same chance, in memory like that of new masks."""
    bits = np.random.default_rng(0).random((batch, (width + 31) // 32 * 32)) < share
    mask: torch.Tensor = bw.allocate_token_bitmask(batch, width, backend="torch")
    mask.copy_(torch.from_numpy(np.packbits(bits, axis=1, bitorder="little").view(np.int32)))
    return mask


def applying(device: torch.device, batches: list[int], width: int, repeats: int) -> None:
    """The table of applying masks."""
    rows: dict[str, list[object]] = {}
    for dtype in (torch.bfloat16, torch.float32):
        for batch in batches:
            logits = torch.randn(batch, width, device=device).to(dtype)
            for share in (0.01, 0.5, 0.999):
                mask = random_mask(batch, width, share)
                there = mask.to(device)
                refused = int((1 - share) * batch * width)
                gigabytes = (refused * logits.element_size() + 4 * mask.numel()) / 1e9
                calls: list[Callable[[], object]] = [
                    partial(bw.apply_token_bitmask_inplace, logits, there),
                    partial(bw.apply_token_bitmask_inplace, logits, mask),
                    partial(_apply_anywhere, logits, there, width, None),
                ]
                kernel, with_copy, plain = (device_time(call, device, repeats) for call in calls)
                returns = [host_time(call, device, repeats) for call in calls]
                name = f"{str(dtype).removeprefix('torch.')}, {batch} x {width:,}, {share:.1%} allowed"
                rows[name] = [kernel, gigabytes / kernel * 1e6, plain, with_copy, *returns]
    columns = ["kernel, µs", "GB/s", "plain torch, µs", "kernel and mask's copy, µs"]
    columns += [f"{what} returns after, µs" for what in ("kernel", "with copy", "plain torch")]
    show(rows, columns, "applying a mask")


def copies(device: torch.device, batches: list[int], width: int, repeats: int) -> None:
    """The table of the mask's ways to the device."""
    rows: dict[str, list[object]] = {}
    for batch in batches:
        mask = random_mask(batch, width, 0.5)
        pageable = mask.clone()
        calls: list[Callable[[], object]] = [
            partial(mask.to, device, non_blocking=True),
            partial(_upload, mask, device),
            partial(_upload, pageable, device),
        ]
        own, applied = (device_time(call, device, repeats) for call in calls[:2])
        returns = [host_time(call, device, repeats) for call in calls]
        blocking = host_time(partial(pageable.to, device), device, repeats)
        size = 4 * mask.numel()
        rows[f"{batch} rows, {size / 1024:.0f} KiB"] = [own, size / own / 1e3, applied, *returns, blocking]
    columns = ["own memory, µs", "GB/s", "as applied, µs"]
    ways = ("own memory", "as applied", "as applied, not pinned", "blocking")
    show(rows, columns + [f"{way}: returns after, µs" for way in ways], "copying a mask to the device")


def percentiles(values: list[float]) -> str:
    """The median, and in brackets the 99th percentile."""
    if not values:
        return "-"
    middle, high = np.percentile(values, [50, 99])
    return f"{middle:.3f} ({high:.3f})"


def generation(
    weights: Weights, info: bw.TokenizerInfo, batches: list[int], threads: list[int], steps: int, rounds: int
) -> None:
    """The table of generation."""
    rows: dict[str, list[object]] = {}
    fresh = compile_schema(info, 1)
    for batch in batches:
        decoder = Decoder(weights, batch, context=128, steps=steps)
        for count in [count for count in threads if count == 1 or count <= batch]:
            compiled = compile_schema(info, count)
            times = {way: Times() for way in WAYS}
            finished, tokens = 0, 0
            # In turns, so that what blurs the time of one way blurs that of the others.
            for seed in range(rounds):
                for way in WAYS:
                    texts = Texts(compiled, batch, count)
                    generate(decoder, way, texts, steps, seed, times[way])
                    texts.check(fresh)
                    finished += len(texts.finished)
                    tokens += sum(map(len, [*texts.finished, *texts.unfinished]))
            masks = [time for way in WAYS if way != FREE for time in times[way].masks]
            cells: list[object] = [percentiles(times[way].steps) for way in WAYS]
            name = f"batch {batch}, {count} thread{'s' * (count > 1)}"
            rows[name] = [*cells, percentiles(masks), finished, tokens]
        del decoder
        if weights.embedding.is_cuda:
            torch.cuda.empty_cache()
    columns = [*WAYS, "masks and matchers, host", "texts finished", "tokens checked"]
    show(rows, columns, "ms a step: median (99th percentile)")


def load_tokenizer(path: pathlib.Path | None, tiny: bool) -> bw.TokenizerInfo:
    """Llama-3's vocabulary; a tiny run without a file makes do with bytes."""
    if path is None and tiny:
        texts = [bytes([byte]) for byte in range(256)] + [b'{"', b'":', b'",', b"alpha", b"beta", b"true"]
        return bw.TokenizerInfo([*texts, b"</s>"], stop_token_ids=len(texts))
    found = path or TOKENIZERS["llama3"].find()
    if found is None:
        raise typer.BadParameter("no vocabulary: pip install --no-deps llama-models, or give --tokenizer")
    return TOKENIZERS["llama3"].load(found)


def describe(device: torch.device) -> str:
    """The machine and the versions, as a line."""
    name: Any = torch.cuda.get_device_name(device) if device.type == "cuda" else device
    return f"{name}; torch {torch.__version__}; bytewright {bw.__version__}"


@torch.inference_mode()
def main(
    device: Annotated[str, typer.Option(help="Where the logits are.")] = "cuda",
    tiny: Annotated[bool, typer.Option("--tiny", help="Small sizes, to see that everything runs.")] = False,
    tokenizer: Annotated[
        pathlib.Path | None, typer.Option(help="Llama-3's rank file; without it, that of llama-models.")
    ] = None,
    batch: Annotated[list[int] | None, typer.Option(help="Rows to generate; again for more tables.")] = None,
    threads: Annotated[
        list[int] | None, typer.Option(help="Threads that fill masks; again for more.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Tokens a row in each round of generation.")] = 300,
    rounds: Annotated[int, typer.Option(help="Rounds of generation, each of all three ways.")] = 3,
    repeats: Annotated[int, typer.Option(help="How often each call is timed.")] = 100,
) -> None:
    where = torch.device(device)
    if where.type == "cuda" and not torch.cuda.is_available():
        raise typer.BadParameter("there is no CUDA device; --device cpu --tiny shows that everything runs")
    info = load_tokenizer(tokenizer, tiny)
    torch.manual_seed(0)
    print(describe(where), end="\n\n")
    if tiny:
        sizes, width, repeats, steps, rounds = [1, 2], 5000, 10, 150, 1
        shape = Shape(info.vocab_size, hidden=64, layers=2, heads=4, key_heads=2, inner=96)
    else:
        sizes, width, shape = [1, 64, 256], 128_256, Shape(info.vocab_size)
    applying(where, sizes, width, repeats)
    copies(where, sizes, width, repeats)
    weights = Weights.random(shape, where, torch.bfloat16)
    batches = batch or ([1, 3] if tiny else [1, 16, 64])
    generation(weights, info, batches, threads or ([1, 2] if tiny else [1, 4]), steps, rounds)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    # The sign keeps the lines of the examples apart.
    app.command(help=(__doc__ or "").replace("\n\n    python", "\n\n\b\n    python"))(main)
    app()
