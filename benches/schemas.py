"""Real JSON Schemas, engine beside engine: compile to first mask, time a token, whole requests, memory.

    python benches/schemas.py                              # every 18th schema, all engines, shared and fresh
    python benches/schemas.py --every 90 --engines bytewright glrmask --save target/bench/schemas.json

The data has one JSON object a line: `id`, `schema`, and `tests` with `data` and `valid`, as MaskBench's
files have. Without `--data` it is looked for in `BYTEWRIGHT_MASKBENCH`, then at
`../shared/bench/maskbench-open.jsonl.xz`. An engine that refuses a schema has no times for it, so a second
table is over the schemas that every engine compiled. "Fresh" columns forget all grammars and masks before
each schema.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import statistics
import sys
from pathlib import Path
from typing import Any

from engines import ENGINES, installed
from workers import Case, Result, at, run, show

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_DATA = ROOT.parent / "shared" / "bench" / "maskbench-open.jsonl.xz"
# A request of this many tokens stands for a typical one.
REQUEST_TOKENS = 130


def data_path() -> Path:
    """Where the schemas are looked for."""
    return Path(os.environ.get("BYTEWRIGHT_MASKBENCH", DEFAULT_DATA))


def read_cases(path: Path, every: int) -> list[Case]:
    """Every N-th schema with its texts."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for number, line in enumerate(lines) if number % every == 0]
    return [
        {
            "kind": "schema",
            "grammar": row["schema"],
            "texts": [(json.dumps(test["data"], ensure_ascii=False), test["valid"]) for test in row["tests"]],
        }
        for row in rows
    ]


def summary(results: list[Result]) -> dict[str, object]:
    """What the table shows of one engine."""
    compiled = [r for r in results if "start" in r]
    wrong = [r["wrong"] for r in compiled]
    tokens = sorted(t / 1e3 for r in compiled for t in r["tokens"])
    starts = sorted(r["start"] / 1e3 for r in compiled)
    requests = sorted(
        r["start"] / 1e3 + REQUEST_TOKENS * statistics.fmean(r["tokens"]) / 1e3
        for r in compiled
        if r["tokens"]
    )
    return {
        "compile to first mask, p50 µs": at(starts, 0.5),
        "p99": at(starts, 0.99),
        "mask + accept, avg µs": statistics.fmean(tokens) if tokens else float("nan"),
        "p50": at(tokens, 0.5),
        "p99 ": at(tokens, 0.99),
        "p99.9": at(tokens, 0.999),
        "max": at(tokens, 1.0),
        f"request of {REQUEST_TOKENS} tokens, p50 µs": at(requests, 0.5),
        "peak memory, MiB": max((r["memory"] for r in results if "memory" in r), default=float("nan")),
        "tokens": len(tokens),
        "schemas compiled": len(compiled),
        "schemas fully right": sum(not w for w in wrong),
        "accept an invalid text": sum(any("accepts invalid" in line for line in w) for w in wrong),
        "time-outs and crashes": sum(r.get("error") in ("crash", "time-out") for r in results),
    }


def table(results: dict[str, list[Result]], corner: str) -> None:
    """Prints the summaries side by side."""
    summaries = [summary(r) for r in results.values()]
    rows: dict[str, list[Any]] = {name: [s[name] for s in summaries] for name in summaries[0]}
    show(rows, list(results), corner)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=data_path())
    parser.add_argument("--every", type=int, default=18, help="every N-th schema")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--no-fresh", action="store_true", help="leave the fresh columns out")
    parser.add_argument("--timeout", type=float, default=30, help="seconds for one schema")
    parser.add_argument("--save", type=Path, help="where to write all times as JSON, for benches/plots.py")
    parser.add_argument("--cpu-time", action="store_true", help="processor time instead of the clock's")
    args = parser.parse_args()
    if not args.data.exists():
        print(f"no real schemas: there is no {args.data}; pass --data or set BYTEWRIGHT_MASKBENCH")
        return
    names = installed(args.engines)
    columns = {name: (name, False) for name in names}
    if not args.no_fresh:
        columns |= {f"{name}, fresh": (name, True) for name in names if name != "xgrammar"}
    cases = read_cases(args.data, args.every)
    print(f"{len(cases)} schemas, {sum(len(case['texts']) for case in cases)} texts", file=sys.stderr)
    results = run(columns, cases, args.timeout, args.cpu_time)
    table(results, "all schemas")
    common = [i for i in range(len(cases)) if all("start" in r[i] for r in results.values())]
    table({name: [r[i] for i in common] for name, r in results.items()}, "schemas that all compiled")
    if args.save:
        args.save.parent.mkdir(parents=True, exist_ok=True)
        args.save.write_text(json.dumps(results))


if __name__ == "__main__":
    main()
