"""What the byte level costs beside the model: bookkeeping a byte, and taking in a row of logits.

    .venv/bin/python benches/byte_level_speed.py [--smollm2] [--bytes N]

All times are processor time of this process, one thread, so that other work on the machine counts less; of
the bookkeeping, the least of several runs. Reading the clock is in them, about a microsecond each time.

With --smollm2 also a stream through the model, byte after byte: bytes a second and contexts a byte, for
several tolerances; through llama.cpp, with the weights as they are in the file, where llama-cpp-python is
installed; and beside genlm-bytes, where that is (``pip install genlm-bytes``). Its law is another one: all
encodings, with a beam of K token sequences.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import inspect
import sys
import textwrap
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import byte_level_tokenizers as bt
import bytewright as bw
from bytewright.byte_level import ByteModel, LlamaCppModel, TransformersModel, rules_from_huggingface
from bytewright.models import find_smollm2, load_smollm2

TEXT = inspect.getsource(textwrap).encode()


def reading(rules: bw.TokenizerRules) -> float:
    """Seconds a byte of a text that is read without asking for what comes next."""
    start = time.thread_time()
    bw.CoverTree(rules).push(TEXT)
    return (time.thread_time() - start) / len(TEXT)


def stepping(rules: bw.TokenizerRules, row: np.ndarray, size: int) -> dict[str, float]:
    """Seconds a byte, and a row; nodes a byte."""
    tree, nodes = bw.CoverTree(rules), 0
    spent = dict.fromkeys(("push", "next", "row"), 0.0)

    def timed(what: str, call, *arguments):
        begin = time.thread_time()
        call(*arguments)
        spent[what] += time.thread_time() - begin

    for i in range(size):
        for node, _, _ in tree.needed():
            timed("row", tree.supply, [node], row)
            nodes += 1
        timed("next", tree.next_byte)
        timed("push", tree.push, TEXT[i : i + 1])
    return {
        "push": spent["push"] / size,
        "next": spent["next"] / size,
        "row": spent["row"] / nodes,
        "nodes": nodes / size,
    }


def bookkeeping(name: str, rules: bw.TokenizerRules, size: int = 600, runs: int = 5) -> None:
    row = np.random.default_rng(0).normal(size=(1, rules.tokenizer_info.vocab_size)).astype(np.float32)
    found = [{"read": reading(rules), **stepping(rules, row, size)} for _ in range(runs)]
    least = {what: min(one[what] for one in found) for what in found[0]}
    print(
        f"{name:<12}{least['read'] * 1e6:>12.1f}{least['push'] * 1e6:>12.1f}{least['next'] * 1e6:>12.1f}"
        f"{(least['push'] + least['next']) * 1e6:>12.1f}{least['row'] * 1e6:>12.0f}{least['nodes']:>15.3f}",
        flush=True,
    )


class Counted:
    """Counts what a transformers model is asked: sequences (rows of a batch, or of a tree) and tokens."""

    def __init__(self, model) -> None:
        self.tokens = self.calls = 0
        self.hook = model.register_forward_pre_hook(self._note, with_kwargs=True)

    def _note(self, _, arguments, named) -> None:
        ids = named.get("input_ids", arguments[0] if arguments else None)
        self.tokens += ids.numel()
        self.calls += 1


def report(name: str, size: int, seconds: float, wall: float, tokens: int, calls: int) -> None:
    print(
        f"{name:<28}{size / seconds:>12.2f}{size / wall:>12.2f}{tokens / size:>16.3f}{calls / size:>14.3f}",
        flush=True,
    )


def through(model: ByteModel, size: int) -> tuple[float, float]:
    """Processor and wall time of a stream."""
    state = model.start()
    start, wall = time.process_time(), time.perf_counter()
    for byte in TEXT[:size]:
        _ = state.log_probs
        state.push(byte)
    return time.process_time() - start, time.perf_counter() - wall


def stream(size: int) -> None:
    import torch

    torch.set_num_threads(1)
    transformer, tokenizer = load_smollm2(progress=False)
    rules = rules_from_huggingface(tokenizer, vocab_size=transformer.config.vocab_size, stop_token_ids=0)
    print(f"\nSmolLM2-135M, {size} bytes of Python, one after the other")
    print(f"{'':<28}{'bytes a':>12}{'bytes a':>12}{'tokens computed':>16}{'calls':>14}")
    print(f"{'':<28}{'cpu second':>12}{'second':>12}{'a byte':>16}{'a byte':>14}")
    for tolerance in (0.0, 1e-4, 1e-2):
        model = ByteModel(TransformersModel(transformer), rules, start=[0], tolerance=tolerance)
        counted = Counted(transformer)
        seconds, wall = through(model, size)
        counted.hook.remove()
        report(f"bytewright, tolerance {tolerance:g}", size, seconds, wall, counted.tokens, counted.calls)
    llama_cpp(rules, size)
    if importlib.util.find_spec("genlm") is None:
        print("genlm-bytes is not installed")
        return
    for beam in (1, 3):
        asyncio.run(genlm(transformer, tokenizer, size, beam))


def llama_cpp(rules: bw.TokenizerRules, size: int) -> None:
    if importlib.util.find_spec("llama_cpp") is None:
        print("llama-cpp-python is not installed")
        return
    from llama_cpp import Llama

    for tolerance in (0.0, 1e-4, 1e-2):
        llama = Llama(str(find_smollm2()), n_ctx=1024, n_threads=1, n_threads_batch=1, verbose=False)
        LlamaCppModel(llama)([[0]])  # the file is read in when it is first needed
        language_model = LlamaCppModel(llama)
        seconds, wall = through(ByteModel(language_model, rules, start=[0], tolerance=tolerance), size)
        name = f"llama.cpp, tolerance {tolerance:g}"
        report(name, size, seconds, wall, language_model.contexts, language_model.calls)


async def genlm(transformer, tokenizer, size: int, beam: int) -> None:
    from genlm.backend import AsyncTransformer
    from genlm.bytes import BeamParams, ByteBeamState

    llm = AsyncTransformer(transformer, tokenizer)
    state, counted = None, Counted(transformer)
    start, wall = time.process_time(), time.perf_counter()
    state = await ByteBeamState.initial(llm, BeamParams(K=beam))
    start, wall = time.process_time(), time.perf_counter()
    for byte in TEXT[:size]:
        _ = await state.logp_next()
        state = await (state.prune() << byte)
    seconds, wall = time.process_time() - start, time.perf_counter() - wall
    counted.hook.remove()
    report(f"genlm-bytes, beam {beam}", size, seconds, wall, counted.tokens, counted.calls)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smollm2", action="store_true")
    parser.add_argument("--bytes", type=int, default=200, help="of the stream")
    arguments = parser.parse_args()
    print("microseconds:     reading a      push a   next byte     both, a   taking in  contexts a byte")
    print(f"{'':<12}{'long text':>12}{'byte':>12}{'':>12}{'byte':>12}{'a row':>12}")
    for load in (bt.smollm2, bt.llama3, bt.unigram):
        bookkeeping(load.__name__, load().rules)
    if bt.assets.MON_UNIGRAM.find():
        bookkeeping("unigram_mon", bt.unigram_mon().rules)
    if arguments.smollm2:
        stream(arguments.bytes)


if __name__ == "__main__":
    main()
