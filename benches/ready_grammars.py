"""The ready grammars on their samples, engine beside engine.

    python benches/ready_grammars.py [--grammars sql json ...] [--engines ...]

Each engine gets the grammar in its own dialect (`dialects.py`). What an engine refuses to compile is listed
with its reason, and how many of the samples it takes and should not, or the other way round, stands in a
table of its own: a time over other texts says little.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

from dialects import gbnf, lark, plain_lark
from engines import ENGINES, installed
from workers import Case, Result, at, run, show

import bytewright as bw

GRAMMARS = Path(__file__).resolve().parent.parent / "grammars"


def samples(name: str, kind: str) -> list[str]:
    """The sample texts of a grammar: one JSON string a line."""
    lines = (GRAMMARS / "samples" / f"{name}.{kind}").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def case(name: str) -> Case:
    """What the workers are asked."""
    texts = [(text, True) for text in samples(name, "accept")]
    texts += [(text, False) for text in samples(name, "reject")]
    grammar = bw.Grammar.builtin(name)
    dialects = {
        "bytewright": (GRAMMARS / f"{name}.ebnf").read_text(encoding="utf-8"),
        "xgrammar": gbnf(grammar),
        "llguidance": lark(grammar),
        "glrmask": plain_lark(grammar),
    }
    return {"kind": "text", "grammar": dialects, "texts": texts}


def cells(result: Result) -> list[object]:
    """Start, average, p99, and wrong samples of one engine."""
    if "error" in result:
        return ["-", "-", "-", "-"]
    tokens = sorted(t / 1e3 for t in result["tokens"])
    average = statistics.fmean(tokens) if tokens else float("nan")
    return [result["start"] / 1e6, average, at(tokens, 0.99), len(result["wrong"])]


def main() -> None:
    """Measures and prints."""
    every = sorted(path.stem for path in GRAMMARS.glob("*.ebnf"))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--grammars", nargs="+", choices=every, default=every)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--timeout", type=float, default=60, help="seconds for one grammar")
    parser.add_argument("--cpu-time", action="store_true", help="processor time instead of the clock's")
    args = parser.parse_args()
    names = installed(args.engines)
    cases = [case(name) for name in args.grammars]
    results = run({name: (name, False) for name in names}, cases, args.timeout, args.cpu_time)
    titles = ["compile to first mask, ms", "mask + accept, avg µs", "mask + accept, p99 µs", "samples wrong"]
    for number, title in enumerate(titles):
        rows = {
            name: [cells(results[engine][i])[number] for engine in names]
            for i, name in enumerate(args.grammars)
        }
        show(rows, names, title)
    print("Cannot express:\n")
    for engine in names:
        for name, result in zip(args.grammars, results[engine], strict=True):
            if "error" in result:
                print(f"- {engine}, {name}: {' '.join(result['error'].split())[:160]}")


if __name__ == "__main__":
    main()
