"""Steps of a batch: 64 sequences on one thread and on two, against 64 single calls.

    python benches/batch.py [--sequences 64] [--threads 1 2] [--sessions 4]

All sequences go through texts of their own, token by token. A step takes each sequence's token and fills the
mask of what may follow; the table has the average step, and in brackets how long filling took, where it is a
call of its own. "One grammar" is a batch whose sequences all follow one grammar; "own grammars" has a
schema for each sequence. "Again" goes through the same texts a second time. A batch on several threads has so
many sessions for each: a thread that is through with its own takes over others'.
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

Matchers = list[bw.GrammarMatcher]
# Takes a step and gives the nanoseconds that filling the masks took, if that was a call of its own.
Step = Callable[[Matchers, list[int]], "int | None"]


def replay(info: bw.TokenizerInfo, texts: list[list[int]], own: bool, step: Step, sessions: int) -> list[str]:
    """The average time of a step, microseconds, and that of its masks: the first time and the second."""
    compiler = bw.GrammarCompiler(info, sessions=sessions)
    grammars = [
        compiler.compile_json_schema(json.dumps({"title": str(number * own), "type": "object"}))
        for number in range(len(texts))
    ]
    averages = []
    for _ in range(2):
        matchers = [bw.GrammarMatcher(grammar) for grammar in grammars]
        steps, fills = [], []
        for number in range(min(map(len, texts))):
            tokens = [text[number] for text in texts]
            start = time.perf_counter_ns()
            fill = step(matchers, tokens)
            steps.append((time.perf_counter_ns() - start) / 1e3)
            fills.extend([] if fill is None else [fill / 1e3])
        average = f"{statistics.fmean(steps):.0f}"
        averages.append(f"{average} ({statistics.fmean(fills):.0f})" if fills else average)
        # Their sessions are free again for the next ones.
        matchers.clear()
    return averages


def check(taken: list[bool]) -> None:
    """All texts are JSON objects."""
    if not all(taken):
        raise ValueError(f"sequence {taken.index(False)} refuses its token")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sequences", type=int, default=64)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--sessions", type=int, default=4, help="for each thread of a batch on several")
    args = parser.parse_args()
    encoder, vocabulary, end, special = llama3()
    info = bw.TokenizerInfo(vocabulary, stop_token_ids=[end], special_token_ids=special)
    mask = bw.allocate_token_bitmask(args.sequences, len(vocabulary), backend="numpy")
    # Long enough for a few hundred steps.
    texts = [text for text in documents(args.sequences * 4) if len(text) > 1200][: args.sequences]
    tokens = [encoder.encode(text, disallowed_special=()) for text in texts]

    def single(matchers: Matchers, ids: list[int]) -> int:
        check([matcher.accept_token(token) for matcher, token in zip(matchers, ids, strict=True)])
        start = time.perf_counter_ns()
        for row, matcher in enumerate(matchers):
            matcher.fill_next_token_bitmask(mask, row)
        return time.perf_counter_ns() - start

    steps: dict[str, tuple[Step, int]] = {"single calls, µs": (single, 1)}
    for threads in args.threads:
        batch = bw.BatchGrammarMatcher(max_threads=threads)
        on = f"{threads} thread{'s' * (threads > 1)}, µs"

        def apart(matchers: Matchers, ids: list[int], batch: bw.BatchGrammarMatcher = batch) -> int:
            check(batch.batch_accept_token(matchers, ids))
            start = time.perf_counter_ns()
            batch.batch_fill_next_token_bitmask(matchers, mask)
            return time.perf_counter_ns() - start

        def together(matchers: Matchers, ids: list[int], batch: bw.BatchGrammarMatcher = batch) -> None:
            check(batch.batch_accept_and_fill(matchers, ids, mask))

        sessions = threads * args.sessions if threads > 1 else 1
        steps[f"accept, then fill, {on}"] = (apart, sessions)
        steps[f"accept and fill, {on}"] = (together, sessions)
    rows: dict[str, list[object]] = {
        name: [*replay(info, tokens, False, step, sessions), *replay(info, tokens, True, step, sessions)]
        for name, (step, sessions) in steps.items()
    }
    columns = ["one grammar", "again", "own grammars", "again"]
    show(rows, columns, f"{len(texts)} sequences, {min(map(len, tokens))} steps")


if __name__ == "__main__":
    main()
