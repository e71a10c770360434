"""The ready grammars on their samples, engine beside engine.

    python benches/ready_grammars.py [--grammars sql json ...] [--engines ...]

Each engine gets the grammar in its own dialect (`dialects.py`). What an engine refuses to compile is listed
with its reason, and how many of the samples it takes and should not, or the other way round, stands in a
table of its own: a time over other texts says little.

``--again`` takes the times when the texts come a second time: what masks cost that were made before.

``--save FILE`` keeps what was measured; ``--against FILE`` says what has changed since, as ratios: their
geometric mean over the grammars, and the largest and smallest.
"""

from __future__ import annotations

import argparse
import json
import math
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
    """Start, average, p99, maximum, and wrong samples of one engine."""
    if "error" in result:
        return ["-", "-", "-", "-", "-"]
    tokens = sorted(t / 1e3 for t in result["tokens"])
    average = statistics.fmean(tokens) if tokens else float("nan")
    return [result["start"] / 1e6, average, at(tokens, 0.99), tokens[-1], len(result["wrong"])]


def changes(now: dict[str, list[object]], before: dict[str, list[object]], titles: list[str]) -> None:
    """Prints the ratios of one engine's numbers to those of another run."""
    print(
        f"| now / before, {len(now)} grammars | geometric mean | largest | smallest |\n|---|---:|---:|---:|"
    )
    for number, title in enumerate(titles):
        ratios = {
            name: float(str(row[number])) / float(str(before[name][number]))
            for name, row in now.items()
            if name in before and "-" not in (row[number], before[name][number])
        }
        mean = math.exp(statistics.fmean(map(math.log, ratios.values())))
        ends = [f"{ratios[name]:.2f} `{name}`" for name in sorted(ratios, key=lambda name: -ratios[name])]
        print(f"| {title} | {mean:.2f} | {ends[0]} | {ends[-1]} |")
    print()


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
    parser.add_argument("--again", action="store_true", help="time the texts when they come a second time")
    parser.add_argument("--save", type=Path, help="a file for this engine's numbers")
    parser.add_argument("--against", type=Path, help="such a file, to compare with")
    args = parser.parse_args()
    names = installed(args.engines)
    cases = [{**case(name), "again": args.again} for name in args.grammars]
    results = run({name: (name, False) for name in names}, cases, args.timeout, args.cpu_time)
    titles = ["compile to first mask, ms", "mask + accept, avg µs", "mask + accept, p99 µs"]
    titles += ["mask + accept, max µs", "samples wrong"]
    for number, title in enumerate(titles):
        rows = {
            name: [cells(results[engine][i])[number] for engine in names]
            for i, name in enumerate(args.grammars)
        }
        show(rows, names, title)
    if "bytewright" in names:
        ours = {
            name: cells(result) for name, result in zip(args.grammars, results["bytewright"], strict=True)
        }
        if args.save:
            args.save.write_text(json.dumps(ours), encoding="utf-8")
        if args.against:
            changes(ours, json.loads(args.against.read_text(encoding="utf-8")), titles[:-1])
    print("Cannot express:\n")
    for engine in names:
        for name, result in zip(args.grammars, results[engine], strict=True):
            if "error" in result:
                print(f"- {engine}, {name}: {' '.join(result['error'].split())[:160]}")


if __name__ == "__main__":
    main()
