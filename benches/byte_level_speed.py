"""What the byte level costs beside the model: bookkeeping a byte, and taking in a row of logits.

    .venv/bin/python benches/byte_level_speed.py [--smollm2]

With --smollm2 also a stream through the model: bytes a second and contexts a byte.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import textwrap
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import byte_level_tokenizers as bt
import bytewright as bw
from bytewright.byte_level import ByteModel, TransformersModel, rules_from_huggingface

TEXT = inspect.getsource(textwrap).encode()


def bookkeeping(name: str, rules: bw.TokenizerRules, size: int = 600) -> None:
    row = np.random.default_rng(0).normal(size=(1, rules.tokenizer_info.vocab_size)).astype(np.float32)
    bw.CoverTree(rules).push(TEXT)  # what is kept for each tokenizer
    start = time.perf_counter()
    bw.CoverTree(rules).push(TEXT)
    reading = (time.perf_counter() - start) / len(TEXT)
    tree, nodes = bw.CoverTree(rules), 0
    spent = dict.fromkeys(("push", "supply", "next"), 0.0)

    def timed(what: str, call, *arguments):
        begin = time.perf_counter()
        call(*arguments)
        spent[what] += time.perf_counter() - begin

    for i in range(size):
        for node, _, _ in tree.needed():
            timed("supply", tree.supply, [node], row)
            nodes += 1
        timed("next", tree.next_byte)
        timed("push", tree.push, TEXT[i : i + 1])
    print(
        f"{name:<10}{reading * 1e6:>12.1f}{spent['push'] / size * 1e6:>12.1f}"
        f"{spent['next'] / size * 1e6:>12.1f}"
        f"{spent['supply'] / nodes * 1e6:>12.0f}{nodes / size:>15.3f}"
    )


def stream(size: int = 300) -> None:
    from bytewright.models import load_smollm2

    transformer, tokenizer = load_smollm2(progress=False)
    rules = rules_from_huggingface(tokenizer, vocab_size=transformer.config.vocab_size, stop_token_ids=0)
    for tolerance in (0.0, 1e-4, 1e-2):
        model = ByteModel(TransformersModel(transformer), rules, start=[0], tolerance=tolerance)
        state = model.start()
        start = time.perf_counter()
        for byte in TEXT[:size]:
            _ = state.log_probs
            state.push(byte)
        seconds = time.perf_counter() - start
        print(
            f"SmolLM2, tolerance {tolerance:<8g}{size / seconds:>8.1f} bytes/s"
            f"{model.contexts / size:>8.3f} contexts/byte"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smollm2", action="store_true")
    arguments = parser.parse_args()
    print("microseconds:   reading a      push a   next byte   taking in  contexts a byte")
    print(f"{'':<10}{'long text':>12}{'byte':>12}{'':>12}{'a row':>12}")
    for load in (bt.smollm2, bt.llama3):
        bookkeeping(load.__name__, load().rules)
    if arguments.smollm2:
        print()
        stream()


if __name__ == "__main__":
    main()
