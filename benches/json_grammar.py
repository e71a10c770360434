"""The JSON grammar beside other engines: time to the first mask, time a mask, memory.

Every engine runs in a process of its own, on one thread, over the same documents, tokenized with Llama-3's
vocabulary (128,256 tokens). For each token the mask is filled and the token accepted; both together are one
sample.

    python benches/json_grammar.py                     # all engines that are installed, as a Markdown table
    python benches/json_grammar.py --engines bytewright xgrammar --documents 50
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from typing import Any

from engines import ENGINES, installed, llama3
from workers import memory_mib, show

WORDS = [
    "alpha",
    "state",
    "naïve",
    "größe",
    "value",
    "東京",
    "café",
    "line",
    "token",
    "λ-term",
    "Zürich",
    "order",
    "data",
    "quick",
    "brown",
    "null",
    "report",
    "emoji",
    "🙂",
    "path/to/file",
    "user@example.org",
    "2024-05-17T08:30:00Z",
    "C:\\temp",
    "tab\there",
    "new\nline",
    'quote"d',
]


def documents(count: int) -> list[str]:
    """Seeded JSON documents with nesting, escapes, many scripts and all kinds of numbers."""
    rng = random.Random(20240517)

    def text() -> str:
        return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 12)))

    def value(depth: int) -> Any:
        kinds = ["text", "text", "int", "float", "constant"] + ["object", "array"] * (depth < 4)
        match rng.choice(kinds):
            case "text":
                return text()
            case "int":
                return rng.randint(-(10**6), 10**9)
            case "float":
                return rng.choice([rng.random() * 10 ** rng.randint(-9, 9), rng.random()])
            case "constant":
                return rng.choice([True, False, None])
            case "object":
                return {text()[:24]: value(depth + 1) for _ in range(rng.randint(0, 6))}
            case _:
                return [value(depth + 1) for _ in range(rng.randint(0, 6))]

    out = []
    for i in range(count):
        data = {f"field_{n}": value(0) for n in range(8)}
        indent = [None, 2, None, 4][i % 4]
        out.append(json.dumps(data, ensure_ascii=i % 3 == 0, indent=indent))
    return out


def worker(name: str, count: int, cpu_time: bool) -> dict[str, object]:
    """Runs one engine over all documents."""
    encoder, vocabulary, end, special = llama3()
    texts = documents(count)
    tokens = [encoder.encode(text, disallowed_special=()) for text in texts]
    before = memory_mib()
    clock = time.process_time_ns if cpu_time else time.perf_counter_ns
    begin = clock()
    engine = ENGINES[name](encoder, vocabulary, end, special)
    loaded = clock()
    engine.compile_json()
    engine.reset()
    engine.fill()
    first = clock()
    samples, refused = [], 0
    for ids in tokens:
        engine.reset()
        for token in ids:
            start = clock()
            engine.fill()
            ok = engine.allows(token)
            ok = ok and engine.accept(token)
            samples.append(clock() - start)
            if not ok:
                refused += 1
                break
    samples.sort()
    at = lambda q: samples[min(len(samples) - 1, int(q * len(samples)))] / 1e3  # noqa: E731
    return {
        "load the tokenizer, ms": (loaded - begin) / 1e6,
        "compile to first mask, ms": (first - loaded) / 1e6,
        "mask + accept, avg µs": statistics.fmean(samples) / 1e3,
        "p50 µs": at(0.5),
        "p99 µs": at(0.99),
        "p99.9 µs": at(0.999),
        "max µs": samples[-1] / 1e3,
        "memory added, MiB": memory_mib() - before,
        "tokens": len(samples),
        "documents refused": refused,
        **engine.notes(clock),
    }


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--cpu-time", action="store_true", help="processor time instead of the clock's")
    parser.add_argument("--worker", choices=ENGINES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print("RESULT" + json.dumps(worker(args.worker, args.documents, args.cpu_time)))
        return
    results: dict[str, dict[str, object]] = {}
    for name in installed(args.engines):
        print(f"running {name} ...", file=sys.stderr)
        command = [sys.executable, __file__, "--worker", name, "--documents", str(args.documents)]
        command += ["--cpu-time"] * args.cpu_time
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
        if lines:
            results[name] = json.loads(lines[-1][len("RESULT") :])
        else:
            print(f"{name} did not run: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
    rows = list(dict.fromkeys(key for result in results.values() for key in result))
    show({row: [result.get(row, "") for result in results.values()] for row in rows}, list(results))


if __name__ == "__main__":
    main()
