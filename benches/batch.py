"""Masks of a batch: 64 sequences at different places, on one thread and on two, against 64 single fills.

    python benches/batch.py [--sequences 64] [--threads 1 2]

"One grammar" is a batch whose sequences all follow one grammar; "own grammars" has a schema for each
sequence. Masks were filled before at these places, so what is measured is handing them out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

from engines import llama3
from json_grammar import documents
from workers import show

import bytewright as bw

ROUNDS = 200


def matchers(info: bw.TokenizerInfo, texts: list[str], own: bool) -> list[bw.GrammarMatcher]:
    """A matcher for each text, somewhere inside it."""
    compiler = bw.GrammarCompiler(info)
    made = []
    for number, text in enumerate(texts):
        title = f"request {number}" if own else "request"
        compiled = compiler.compile_json_schema(json.dumps({"title": title, "type": "object"}))
        matcher = bw.GrammarMatcher(compiled)
        data = text.encode()
        if not matcher.accept_string(data[: len(data) * (number + 1) // (len(texts) + 1)]):
            raise ValueError(f"text {number} is no JSON object")
        made.append(matcher)
    return made


def microseconds(work: Any) -> float:
    """Median time of a call, after a first one that is not counted."""
    work()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter_ns()
        work()
        times.append((time.perf_counter_ns() - start) / 1e3)
    return statistics.median(times)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sequences", type=int, default=64)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    args = parser.parse_args()
    _, vocabulary, end, special = llama3()
    info = bw.TokenizerInfo(vocabulary, stop_token_ids=[end], special_token_ids=special)
    mask = bw.allocate_token_bitmask(args.sequences, len(vocabulary), backend="numpy")
    texts = documents(args.sequences)
    columns = {"one grammar": False, "own grammars": True}
    rows: dict[str, list[object]] = {"single fills, µs": []}
    rows |= {f"batch, {n} thread{'s' * (n > 1)}, µs": [] for n in args.threads}
    for own in columns.values():
        batch = matchers(info, texts, own)

        def single(batch: list[bw.GrammarMatcher] = batch) -> None:
            for row, matcher in enumerate(batch):
                matcher.fill_next_token_bitmask(mask, row)

        rows["single fills, µs"].append(microseconds(single))
        for threads, name in zip(args.threads, list(rows)[1:], strict=True):
            filler = bw.BatchGrammarMatcher(max_threads=threads)
            rows[name].append(
                microseconds(lambda f=filler, b=batch: f.batch_fill_next_token_bitmask(b, mask))
            )
    show(rows, list(columns), f"{args.sequences} sequences")


if __name__ == "__main__":
    main()
