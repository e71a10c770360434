"""What runs on a CUDA device: bitmasks and their order on streams, `generate`, and byte probabilities.

The definitions are those of the tests on the CPU. Each test that needs the host to be ahead of the device
queues a kernel that does nothing for a tenth of a second; what is queued behind it waits.
"""

from __future__ import annotations

import copy
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bytewright as bw
from bitmask_cases import Case
from bytewright import allocate_token_bitmask, apply_token_bitmask_inplace
from bytewright.bitmask import _apply_anywhere, _triton_kernel
from bytewright.errors import InvalidArgumentError, InvalidBitmaskError

if TYPE_CHECKING:
    from collections.abc import Callable

torch = pytest.importorskip("torch", reason="needs the extra torch")

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

DEVICE = "cuda"
DTYPES = ["float16", "bfloat16", "float32", "float64"]
MASK_KINDS: dict[str, Callable[[Any], Any]] = {
    "numpy": lambda mask: mask.copy(),
    "CPU tensor": lambda mask: torch.from_numpy(mask.copy()),
    "pinned tensor": lambda mask: torch.from_numpy(mask.copy()).pin_memory(),
    "device tensor": lambda mask: torch.from_numpy(mask).to(DEVICE),
}
ON_CPU = [kind for kind in MASK_KINDS if kind != "device tensor"]
LAYOUTS = ["packed", "padded rows", "inside a block", "transposed"]


def laid_out(values: Any, dtype: str, layout: str) -> tuple[Any, Any]:
    """The values on the device in a layout, and the tensor that holds them and, around them, sevens."""
    batch, width = values.shape
    source = torch.from_numpy(values).to(DEVICE, getattr(torch, dtype))
    above, left, right = {
        "packed": (0, 0, 0),
        "padded rows": (0, 0, 3),
        "inside a block": (1, 5, 2),
        "transposed": (1, 1, 1),
    }[layout]
    shape = (batch + 2 * above, width + left + right)
    block = torch.full(shape, 7.0, dtype=source.dtype, device=DEVICE)
    if layout == "transposed":
        block = block.t().contiguous().t()
    logits = block[above : above + batch, left : left + width]
    logits.copy_(source)
    return logits, block


def check(case: Case, dtype: str, kind: str, layout: str, **options: Any) -> None:
    """The logits are masked as defined, and nothing around them is touched."""
    logits, block = laid_out(case.logits, dtype, layout)
    apply_token_bitmask_inplace(logits, MASK_KINDS[kind](case.mask), **options)
    assert logits.tolist() == case.expected(options.get("vocab_size"), options.get("indices"))
    logits.fill_(7.0)
    assert bool((block == 7.0).all())


def test_triton_is_there() -> None:
    """Otherwise these tests would not test the kernel."""
    pytest.importorskip("triton")
    assert _triton_kernel() is not None


@given(
    case=st.builds(
        Case,
        seed=st.integers(0, 2**32),
        batch=st.integers(0, 4),
        width=st.integers(0, 150) | st.integers(4090, 4100),
        words=st.integers(0, 5) | st.integers(127, 130),
    ),
    data=st.data(),
    dtype=st.sampled_from(DTYPES),
    kind=st.sampled_from(list(MASK_KINDS)),
    layout=st.sampled_from(LAYOUTS),
)
@settings(max_examples=300, deadline=None)
def test_logits_are_masked_as_defined(case: Case, data: Any, dtype: str, kind: str, layout: str) -> None:
    batch = len(case.logits)
    vocab_size = data.draw(st.none() | st.integers(0, 170) | st.integers(4080, 4110))
    indices = data.draw(st.none() | st.lists(st.integers(0, batch - 1), unique=True)) if batch else None
    check(case, dtype, kind, layout, vocab_size=vocab_size, indices=indices)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [4095, 4096, 4097, 128_256])
def test_the_edges_of_blocks(width: int, dtype: str) -> None:
    words = (width + 31) // 32
    for seed, extra in enumerate((0, 1, -1)):
        case = Case(seed, 3, width, words + extra)
        check(case, dtype, "pinned tensor", "packed")
        check(case, dtype, "numpy", "inside a block", vocab_size=width - 1, indices=[2, 0])


@pytest.mark.parametrize("kind", MASK_KINDS)
def test_one_row_needs_no_batch_axis(kind: str) -> None:
    case = Case(1, 1, 5000, 150)
    for mask in (case.mask[0], case.mask):
        logits = torch.from_numpy(case.logits[0]).to(DEVICE)
        apply_token_bitmask_inplace(logits, MASK_KINDS[kind](mask))
        assert logits.tolist() == case.expected()[0]
        logits = torch.from_numpy(case.logits).to(DEVICE)
        apply_token_bitmask_inplace(logits, MASK_KINDS[kind](mask), indices=[0])
        assert logits.tolist() == case.expected()


def test_masks_of_other_layouts() -> None:
    case = Case(4, 3, 300, 10)
    for mask in (
        torch.from_numpy(case.mask.T.copy()).to(DEVICE).t(),
        torch.from_numpy(case.mask.T.copy()).t(),
        torch.from_numpy(np.pad(case.mask, ((1, 1), (2, 3)))).to(DEVICE)[1:-1, 2:-3],
    ):
        logits = torch.from_numpy(case.logits).to(DEVICE)
        apply_token_bitmask_inplace(logits, mask)
        assert logits.tolist() == case.expected()
    same = torch.from_numpy(case.mask[:1]).to(DEVICE).expand(3, -1)
    logits = torch.from_numpy(case.logits).to(DEVICE)
    apply_token_bitmask_inplace(logits, same)
    case.mask[:] = case.mask[0]
    assert logits.tolist() == case.expected()


def test_a_mask_on_the_device_serves_logits_on_the_cpu() -> None:
    case = Case(5, 2, 100, 3)
    for logits in (case.logits.copy(), torch.from_numpy(case.logits.copy())):
        apply_token_bitmask_inplace(logits, torch.from_numpy(case.mask).to(DEVICE))
        assert logits.tolist() == case.expected()


def test_what_cannot_be_used_is_refused() -> None:
    logits, mask = torch.zeros(2, 64, device=DEVICE), torch.zeros(2, 2, dtype=torch.int32)
    for bad_mask in (
        mask.long(),
        mask.to("meta"),
        mask.to_sparse(),
        mask.to(DEVICE).long(),
        torch.zeros(3, 2, dtype=torch.int32, device=DEVICE),
        mask.reshape(2, 2, 1),
        np.zeros((2, 2), dtype=np.uint32),
        np.zeros((2, 2), dtype=">i4"),
        [[0, 0], [0, 0]],
        None,
    ):
        with pytest.raises(InvalidBitmaskError):
            apply_token_bitmask_inplace(logits, bad_mask)  # type: ignore[arg-type]
    for bad_logits in (
        logits.long(),
        logits.to(torch.complex64),
        logits.to(torch.float8_e4m3fn),
        logits.reshape(2, 2, 32),
        logits.to_sparse(),
        logits[:1].expand(2, 64),
        logits.flatten().unfold(0, 64, 4)[:2],
    ):
        with pytest.raises(InvalidArgumentError):
            apply_token_bitmask_inplace(bad_logits, mask)
    for indices in ([2], [-1], [0, 0]):
        with pytest.raises(InvalidArgumentError):
            apply_token_bitmask_inplace(logits, mask, indices=indices)
    assert not bool(logits.any())


def test_matchers_do_not_fill_masks_on_the_device() -> None:
    compiler = bw.GrammarCompiler(bw.TokenizerInfo([b"a", b"</s>"], stop_token_ids=1))
    matcher = bw.GrammarMatcher(compiler.compile_regex("a"))
    with pytest.raises(InvalidBitmaskError, match="CPU"):
        matcher.fill_next_token_bitmask(torch.zeros(1, 1, dtype=torch.int32, device=DEVICE))


def keep_busy() -> None:
    """A tenth of a second of nothing, queued on the current stream."""
    torch.cuda._sleep(200_000_000)


def test_new_masks_are_pinned() -> None:
    assert allocate_token_bitmask(2, 100, backend="torch").is_pinned()


def test_a_copy_that_reads_pinned_memory_later_is_what_these_tests_can_see() -> None:
    """The control of the next test: here the mask of the next step is what arrives."""
    source = torch.ones(64, 4008, dtype=torch.int32).pin_memory()
    torch.cuda.synchronize()
    keep_busy()
    arrived = source.to(DEVICE, non_blocking=True)
    source.fill_(2)
    torch.cuda.synchronize()
    assert bool((arrived == 2).any())


@pytest.mark.parametrize("layout", ["packed", "transposed"])
@pytest.mark.parametrize("indices", [None, [3, 0, 63]])
@pytest.mark.parametrize("kind", ON_CPU)
def test_a_mask_may_be_filled_again_at_once(kind: str, indices: list[int] | None, layout: str) -> None:
    """It is read before the call returns, and the call does not wait for the device."""
    case = Case(8, 64, 5000, 157)
    wanted = torch.tensor(case.expected(None, indices))
    for attempt in range(3):
        logits, _ = laid_out(case.logits, "float32", layout)
        mask = MASK_KINDS[kind](case.mask)
        torch.cuda.synchronize()
        keep_busy()
        apply_token_bitmask_inplace(logits, mask, indices=indices)
        waited = torch.cuda.current_stream().query()
        mask[:] = 0
        torch.cuda.synchronize()
        assert torch.equal(logits.cpu(), wanted)
        # The first time the kernel is compiled and memory is pinned, and both may take longer.
        assert attempt == 0 or not waited


def test_masks_of_many_steps_do_not_mix() -> None:
    """All steps are queued before the first is computed; memory used for one must not serve the next."""
    cases = [Case(seed, 2, 3000, 94) for seed in range(40)]
    bitmask = allocate_token_bitmask(2, 3000, backend="torch")
    queued = [torch.from_numpy(case.logits).to(DEVICE) for case in cases]
    torch.cuda.synchronize()
    keep_busy()
    for number, (case, logits) in enumerate(zip(cases, queued, strict=True)):
        bitmask.copy_(torch.from_numpy(case.mask))
        apply_token_bitmask_inplace(logits, bitmask, indices=[number % 2])
    for number, (case, logits) in enumerate(zip(cases, queued, strict=True)):
        assert logits.tolist() == case.expected(None, [number % 2])


def test_work_is_queued_on_the_current_stream() -> None:
    case = Case(9, 3, 5000, 157)
    first, second = torch.cuda.Stream(), torch.cuda.Stream()
    values = torch.from_numpy(case.logits).to(DEVICE)
    mask = allocate_token_bitmask(3, 157 * 32, backend="torch")
    logits = torch.empty_like(values)
    on_device = torch.zeros(3, 157, dtype=torch.int32, device=DEVICE)
    torch.cuda.synchronize()
    with torch.cuda.stream(first):
        keep_busy()
        logits.copy_(values)  # what the mask is applied to is there only after a while
        mask.copy_(torch.from_numpy(case.mask))
        apply_token_bitmask_inplace(logits, mask)
        done = torch.cuda.Event()
        done.record()
    with torch.cuda.stream(second):
        # Another stream's mask, from the same pool of pinned memory, in the meantime.
        other = torch.zeros_like(values)
        apply_token_bitmask_inplace(other, np.zeros((3, 157), dtype=np.int32))
        second.wait_event(done)
        masked = logits.clone()
        on_device.copy_(torch.from_numpy(case.mask))
        logits.copy_(values)
        apply_token_bitmask_inplace(logits, on_device)
    torch.cuda.synchronize()
    assert masked.tolist() == logits.tolist() == case.expected()
    assert bool(other.isinf().all())


def test_cuda_graphs_record_masks_on_the_device_alone() -> None:
    cases = [Case(seed, 2, 5000, 157) for seed in range(3)]
    values, masks = (
        torch.zeros_like(torch.from_numpy(a), device=DEVICE) for a in (cases[0].logits, cases[0].mask)
    )
    logits = values.clone()
    apply_token_bitmask_inplace(logits, masks)  # compiles the kernel
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits.copy_(values)
        with pytest.raises(InvalidArgumentError, match="CUDA graph"):
            apply_token_bitmask_inplace(logits, cases[0].mask)
        with pytest.raises(InvalidArgumentError, match="CUDA graph"):
            apply_token_bitmask_inplace(logits, masks, indices=[1])
        apply_token_bitmask_inplace(logits, masks, indices=[0, 1])
    for case in cases:
        values.copy_(torch.from_numpy(case.logits))
        masks.copy_(torch.from_numpy(case.mask))
        graph.replay()
        assert logits.tolist() == case.expected()


def room_for(gibibytes: float) -> None:
    """Skips on cards with less memory free."""
    free, _ = torch.cuda.mem_get_info()
    if free < gibibytes * 2**30:
        pytest.skip(f"needs {gibibytes} GiB of memory on the device, {free / 2**30:.1f} are free")


def test_more_elements_than_32_bits_count() -> None:
    room_for(12)
    width, words = 128_256, 4008
    batch = 2**31 // width + 3
    case = Case(11, 2, width, words)
    logits = torch.zeros(batch, width, dtype=torch.float16, device=DEVICE)
    mask = torch.full((batch, words), -1, dtype=torch.int32, device=DEVICE)
    ends = torch.from_numpy(case.logits).to(DEVICE, torch.float16)
    for at in (-2, batch // 2):
        logits[at : at + 2 or None], mask[at : at + 2 or None] = ends, torch.from_numpy(case.mask).to(DEVICE)
        apply_token_bitmask_inplace(logits, mask)
        assert logits[at : at + 2 or None].tolist() == case.expected()
        logits[at : at + 2 or None], mask[at : at + 2 or None] = 0, -1
        assert not bool(logits.any())
    torch.cuda.empty_cache()


@pytest.mark.parametrize("columns", [2**28 + 5000, 2**31 + 5000])
def test_rows_of_very_many_columns(columns: int) -> None:
    room_for(14)
    words = (columns + 31) // 32
    case = Case(12, 1, 9000, 282)
    logits = torch.zeros(1, columns, dtype=torch.float16, device=DEVICE)
    mask = torch.full((1, words), -1, dtype=torch.int32, device=DEVICE)
    begin = (columns - 9000) // 32 * 32
    logits[0, begin : begin + 9000] = torch.from_numpy(case.logits[0]).to(DEVICE, torch.float16)
    mask[0, begin // 32 : begin // 32 + 281] = torch.from_numpy(case.mask[0, :281]).to(DEVICE)
    apply_token_bitmask_inplace(logits, mask, vocab_size=begin + 281 * 32)
    case.mask[:, 281] = 0
    assert logits[0, begin : begin + 9000].tolist() == case.expected()[0]
    assert bool((logits[0, begin + 9000 :] == -math.inf).all())
    assert not bool(logits[0, :begin].any())
    del logits, mask
    torch.cuda.empty_cache()


def test_both_ways_agree_on_a_large_batch() -> None:
    case = Case(13, 256, 128_256, 4008)
    for dtype in (torch.bfloat16, torch.float32):
        logits = torch.from_numpy(case.logits).to(DEVICE, dtype)
        mask = torch.from_numpy(case.mask).to(DEVICE)
        plain = logits.clone()
        _apply_anywhere(plain, mask, 128_000, None)
        apply_token_bitmask_inplace(logits, case.mask, vocab_size=128_000)
        assert torch.equal(plain, logits)


@pytest.fixture(scope="module")
def tiny() -> Any:
    """Everything about tiny models, where transformers and tokenizers are installed."""
    pytest.importorskip("transformers", reason="needs the extra hf")
    pytest.importorskip("tokenizers", reason="needs the extra hf")
    import tiny_models

    return tiny_models


PATTERN = r"[a-c]{2,5}(, [0-9]{1,3}){1,2}!"
WAYS = ["greedy", "sampling", "beams", "beams, several kept", "beams, sampled"]


@pytest.mark.parametrize("way", WAYS)
def test_every_output_of_generate_is_in_the_grammar(tiny: Any, way: str) -> None:
    from bytewright.hf import LogitsProcessor

    model, compiler = tiny.make_model().to(DEVICE), tiny.make_compiler()
    processor = LogitsProcessor(compiler.compile_regex(PATTERN))
    several = LogitsProcessor([compiler.compile_regex("x{2,9}y"), compiler.compile_regex("[0-9]{3}")])
    prompts, attended = tiny.PROMPTS.to(DEVICE), tiny.MASK.to(DEVICE)
    for seed in range(3):
        torch.manual_seed(seed)
        options: dict[str, Any] = {"attention_mask": attended, "max_new_tokens": 40, **tiny.WAYS[way]}
        found = tiny.texts(model.generate(prompts, logits_processor=[processor], **options), prompts.shape[1])
        assert len(found) == 2 * tiny.WAYS[way].get("num_return_sequences", 1)
        assert all(ended and re.fullmatch(PATTERN.encode(), text) for text, ended in found), found
        found = tiny.texts(model.generate(prompts, logits_processor=[several], **options), prompts.shape[1])
        half = len(found) // 2
        assert all(ended and re.fullmatch(b"x{2,9}y", text) for text, ended in found[:half]), found
        assert all(ended and re.fullmatch(b"[0-9]{3}", text) for text, ended in found[half:]), found


@pytest.mark.parametrize("dtype", DTYPES[1:3])
def test_json_in_batches_on_the_device(tiny: Any, dtype: str) -> None:
    from bytewright.hf import LogitsProcessor

    model = tiny.make_model().to(DEVICE, getattr(torch, dtype))
    compiled = tiny.make_compiler().compile_builtin_json_grammar()
    for text, ended in tiny.sample(model, LogitsProcessor(compiled)):
        matcher = bw.GrammarMatcher(compiled)
        assert matcher.accept_string(text)
        assert not ended or matcher.is_completed()


def greedy_by_hand(tiny: Any, model: Any, compiled: bw.CompiledGrammar, steps: int) -> list[list[int]]:
    """Greedy search whose logits are masked on the CPU, and computed anew for each token."""
    ids, attended = tiny.PROMPTS.clone(), tiny.MASK.clone()
    matchers = [bw.GrammarMatcher(compiled) for _ in ids]
    mask = allocate_token_bitmask(1, tiny.WIDTH, backend="numpy")
    for _ in range(steps):
        if all(matcher.is_terminated() for matcher in matchers):
            break
        positions = (attended.cumsum(-1) - 1).clamp(min=0)
        with torch.inference_mode():
            logits = model(
                input_ids=ids.to(DEVICE),
                attention_mask=attended.to(DEVICE),
                position_ids=positions.to(DEVICE),
                use_cache=False,
            ).logits[:, -1]
        best = []
        for matcher, row in zip(matchers, logits.float().cpu().numpy().copy(), strict=True):
            if matcher.is_terminated():
                best.append(tiny.PAD)
                continue
            matcher.fill_next_token_bitmask(mask)
            apply_token_bitmask_inplace(row, mask[0])
            best.append(int(row.argmax()))
            assert matcher.accept_token(best[-1])
        ids = torch.cat([ids, torch.tensor(best)[:, None]], dim=1)
        attended = torch.cat([attended, torch.ones(len(best), 1, dtype=torch.long)], dim=1)
    return ids[:, tiny.PROMPTS.shape[1] :].tolist()


@pytest.mark.parametrize("pattern", [PATTERN, r"(ab|cd|[0-9]){10,30}", r"\{\"k\":[0-9]{3,9}\}"])
def test_greedy_search_is_what_masks_on_the_cpu_make_of_it(tiny: Any, pattern: str) -> None:
    from bytewright.hf import LogitsProcessor

    model, compiled = tiny.make_model().to(DEVICE), tiny.make_compiler().compile_regex(pattern)
    output = model.generate(
        tiny.PROMPTS.to(DEVICE),
        attention_mask=tiny.MASK.to(DEVICE),
        max_new_tokens=40,
        do_sample=False,
        logits_processor=[LogitsProcessor(compiled)],
    )
    assert output[:, tiny.PROMPTS.shape[1] :].tolist() == greedy_by_hand(tiny, model, compiled, 40)


def test_byte_probabilities_are_those_of_the_cpu(tiny: Any) -> None:
    from bytewright.byte_level import ByteModel

    transformer, tokenizer = tiny.make_model_and_tokenizer()
    on_device = copy.deepcopy(transformer).to(DEVICE)
    texts = [b"", b"th", b" the thing", b"\xff\xfe", "é".encode(), b"sing  th"]
    expected = ByteModel.from_huggingface(transformer, tokenizer).next_byte_log_probs(texts)
    for options in ({}, {"use_cache": False}):
        model = ByteModel.from_huggingface(on_device, tokenizer, **options)
        rows = model.next_byte_log_probs(texts)
        np.testing.assert_allclose(np.exp(rows), np.exp(expected), atol=1e-4)
        state = model.start()
        for byte in b"the thin":
            np.testing.assert_allclose(np.exp(state.log_probs).sum(), 1.0, atol=1e-9)
            state = state.push(bytes([byte]))
        np.testing.assert_allclose(
            np.exp(state.log_probs), np.exp(model.next_byte_log_probs([b"the thin"])[0]), atol=1e-4
        )


def test_a_small_cache_on_the_device_forgets_and_computes_again(tiny: Any) -> None:
    from bytewright.byte_level import TransformersModel

    transformer, _ = tiny.make_model_and_tokenizer()
    on_device = copy.deepcopy(transformer).to(DEVICE)
    small, plain = TransformersModel(on_device, max_slots=24), TransformersModel(transformer, use_cache=False)
    rng = np.random.default_rng(0)
    for _ in range(20):
        sequences = [rng.integers(0, 261, rng.integers(1, 9)).tolist() for _ in range(2)]
        np.testing.assert_allclose(small(sequences), plain(sequences), atol=1e-3)


def test_generate_goes_on_from_a_healed_end(tiny: Any) -> None:
    from bytewright.byte_level import ByteModel
    from bytewright.fim import heal

    transformer, tokenizer = tiny.make_model_and_tokenizer()
    transformer = transformer.to(DEVICE)
    healed = heal(
        ByteModel.from_huggingface(transformer, tokenizer), b"sing th", rng=np.random.default_rng(0)
    )
    output = tiny.generate_healed(transformer, healed)
    assert output[: len(healed.tokens)] == healed.tokens
