"""One process an engine, asked in turn: what blurs the time of one blurs that of the others as well.

A worker replays cases, which are lines of JSON: a grammar, and texts with what is to come of them. It answers
with the times. A worker that crashes, or takes too long, is started again; that counts against its engine.

Times are those of the clock, or with `--cpu-time` those of the worker's threads together: on a machine that
others use too, the clock also counts their turns, milliseconds at a time.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from engines import ENGINES, llama3

Case = dict[str, Any]
Result = dict[str, Any]
Clock = Callable[[], int]


def memory_mib() -> float:
    """Peak memory of this process, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def replay(engine: Any, encoder: Any, case: Case, clock: Clock) -> Result:
    """Compiles to the first mask, then fills the mask and accepts the token for every token of every text.

    With `again` in the case, all texts have gone through before any time is taken.
    """
    grammar = case["grammar"]
    if case["kind"] == "text":
        # A dialect for each engine.
        grammar = grammar[type(engine).__name__.lower()]
    start = clock()
    try:
        getattr(engine, f"compile_{case['kind']}")(grammar)
        engine.reset()
        engine.fill()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:300]}
    result: Result = {"start": clock() - start, "tokens": [], "texts": [], "wrong": []}
    for text, _ in case["texts"] if case.get("again") else ():
        with contextlib.suppress(Exception):
            follow(engine, encoder.encode(text, disallowed_special=()), [], clock)
    for number, (text, valid) in enumerate(case["texts"]):
        times: list[int] = []
        try:
            fits = follow(engine, encoder.encode(text, disallowed_special=()), times, clock)
        except Exception as error:
            result["wrong"].append(f"text {number}: {type(error).__name__}: {error}"[:200])
            continue
        result["tokens"] += times
        result["texts"].append(sum(times))
        if fits != valid:
            result["wrong"].append(f"text {number}: {'accepts invalid' if fits else 'refuses valid'}")
    return result


def follow(engine: Any, tokens: list[int], times: list[int], clock: Clock) -> bool:
    """Steps through a text; whether all of it fits, its end included."""
    engine.reset()
    for token in tokens:
        start = clock()
        engine.fill()
        fits = engine.allows(token) and engine.accept(token)
        times.append(clock() - start)
        if not fits:
            return False
    engine.fill()
    return bool(engine.may_end())


def serve(name: str, fresh: bool, cpu_time: bool) -> None:
    """A worker's life."""
    clock = time.process_time_ns if cpu_time else time.perf_counter_ns
    # What an engine prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    encoder, vocabulary, end, special = llama3()
    engine = ENGINES[name](encoder, vocabulary, end, special)
    print(json.dumps({"memory": memory_mib()}), file=answers)
    for line in sys.stdin:
        if fresh:
            engine.fresh()
        result = replay(engine, encoder, json.loads(line), clock)
        print(json.dumps({**result, "memory": memory_mib()}), file=answers)


class Worker:
    """A process with one engine."""

    def __init__(self, name: str, fresh: bool, cpu_time: bool) -> None:
        self.command = [sys.executable, __file__, name] + ["fresh"] * fresh + ["cpu-time"] * cpu_time
        self.start()

    def start(self) -> None:
        environment = {**os.environ, "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        if "memory" not in self.answer(600):
            sys.exit(f"the worker does not start: {' '.join(self.command)}")

    def answer(self, timeout: float) -> Result:
        """The next answer, or why there is none."""
        output = self.process.stdout
        ready, _, _ = select.select([output], [], [], timeout)
        line = output.readline() if ready and output else ""
        return json.loads(line) if line else {"error": "crash" if ready else "time-out"}

    def ask(self, case: Case, timeout: float) -> Result:
        """One case."""
        if self.process.stdin is None:
            sys.exit("the worker has no input")
        self.process.stdin.write(json.dumps(case) + "\n")
        self.process.stdin.flush()
        result = self.answer(timeout)
        if result.get("error") in ("crash", "time-out"):
            self.stop()
            self.start()
        return result

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def run(
    engines: dict[str, tuple[str, bool]], cases: list[Case], timeout: float, cpu_time: bool
) -> dict[str, list[Result]]:
    """All cases by all engines in turn; for each column an engine's name, and whether it is fresh."""
    workers = {column: Worker(name, fresh, cpu_time) for column, (name, fresh) in engines.items()}
    results: dict[str, list[Result]] = {column: [] for column in engines}
    begin = time.perf_counter()
    for number, case in enumerate(cases, 1):
        for column, worker in workers.items():
            results[column].append(worker.ask(case, timeout))
        if number % 25 == 0:
            print(f"{number}/{len(cases)} {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    for worker in workers.values():
        worker.stop()
    return results


def at(values: list[float], quantile: float) -> float:
    """A quantile of sorted values."""
    return values[min(len(values) - 1, int(len(values) * quantile))] if values else float("nan")


def show(rows: dict[str, list[object]], columns: list[str], corner: str = "") -> None:
    """Prints a Markdown table."""
    print(f"| {corner} | " + " | ".join(columns) + " |\n|---|" + "---:|" * len(columns))
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cell(c) for c in cells) + " |")
    print(flush=True)


def cell(value: object) -> str:
    """A table's cell."""
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"


if __name__ == "__main__":
    serve(sys.argv[1], "fresh" in sys.argv[2:], "cpu-time" in sys.argv[2:])
