"""Masks of a batch: 64 sequences on one thread and on two, against 64 single fills.

    python benches/batch.py [--sequences 64] [--threads 1 2]

All sequences go through texts of their own, token by token. What is timed is filling the masks of a step;
the table has the average step. "One grammar" is a batch whose sequences all follow one grammar; "own
grammars" has a schema for each sequence. "Again" goes through the same texts a second time. A batch on
several threads has as many sessions.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

from engines import llama3
from json_grammar import documents
from workers import show

import bytewright as bw

Fill = Callable[[list[bw.GrammarMatcher]], object]


def replay(
    info: bw.TokenizerInfo, texts: list[list[int]], own: bool, fill: Fill, sessions: int
) -> list[float]:
    """The average time of a step's masks, microseconds: the first time and the second."""
    compiler = bw.GrammarCompiler(info, sessions=sessions)
    grammars = [
        compiler.compile_json_schema(json.dumps({"title": str(number * own), "type": "object"}))
        for number in range(len(texts))
    ]
    averages = []
    for _ in range(2):
        matchers = [bw.GrammarMatcher(grammar) for grammar in grammars]
        times = []
        for step in range(min(map(len, texts))):
            start = time.perf_counter_ns()
            fill(matchers)
            times.append((time.perf_counter_ns() - start) / 1e3)
            for matcher, tokens in zip(matchers, texts, strict=True):
                if not matcher.accept_token(tokens[step]):
                    raise ValueError(f"token {step} does not fit: {tokens[step]}")
        averages.append(statistics.fmean(times))
        # Their sessions are free again for the next ones.
        matchers.clear()
    return averages


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sequences", type=int, default=64)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    args = parser.parse_args()
    encoder, vocabulary, end, special = llama3()
    info = bw.TokenizerInfo(vocabulary, stop_token_ids=[end], special_token_ids=special)
    mask = bw.allocate_token_bitmask(args.sequences, len(vocabulary), backend="numpy")
    # Long enough for a few hundred steps.
    texts = [text for text in documents(args.sequences * 4) if len(text) > 1200][: args.sequences]
    tokens = [encoder.encode(text, disallowed_special=()) for text in texts]

    def single(matchers: list[bw.GrammarMatcher]) -> None:
        for row, matcher in enumerate(matchers):
            matcher.fill_next_token_bitmask(mask, row)

    fills: dict[str, tuple[Fill, int]] = {"single fills, µs": (single, 1)}
    for threads in args.threads:
        batch = bw.BatchGrammarMatcher(max_threads=threads)
        name = f"batch, {threads} thread{'s' * (threads > 1)}, µs"

        def fill(matchers: list[bw.GrammarMatcher], batch: bw.BatchGrammarMatcher = batch) -> None:
            batch.batch_fill_next_token_bitmask(matchers, mask)

        fills[name] = (fill, threads)
    rows: dict[str, list[object]] = {
        name: [*replay(info, tokens, False, fill, sessions), *replay(info, tokens, True, fill, sessions)]
        for name, (fill, sessions) in fills.items()
    }
    columns = ["one grammar", "again", "own grammars", "again"]
    show(rows, columns, f"{len(texts)} sequences, {min(map(len, tokens))} steps")


if __name__ == "__main__":
    main()
