"""Instruction counts of fixed scenarios against a committed baseline: times that no busy machine can blur.

    python benches/instructions.py                # compare; exit status 1 after a regression of over 5 %
    python benches/instructions.py --update       # write the baseline
    python benches/instructions.py --only schema  # scenarios with this in their name

Each scenario of the Rust package `bytewright-instructions` runs once under Callgrind, which counts what
happens inside the measured part. A change for the better is reported too, so that the baseline can follow
it. Without Valgrind nothing can be counted: then the check says so and passes, unless `--require` is given.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BASELINE = ROOT / "benches" / "instructions.json"
TOLERANCE = 0.05
# Counted functions are found by this name; the package says which part of a scenario runs inside.
MEASURED = "bytewright_measured"


def build() -> pathlib.Path:
    """Builds the scenarios in the release profile, which the extension has built everything else of."""
    command = ["cargo", "build", "--release", "--locked", "--workspace", "--bin", "bytewright-instructions"]
    done = subprocess.run(
        [*command, "--message-format", "json"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit("the package bytewright-instructions does not build")
    artifacts = [json.loads(line) for line in done.stdout.splitlines()]
    paths = [a["executable"] for a in artifacts if a.get("executable")]
    return pathlib.Path(paths[-1])


def count(program: pathlib.Path, scenario: str) -> int:
    """Instructions in the measured part of a scenario."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={folder}/out",
            f"--toggle-collect={MEASURED}",
            str(program),
            scenario,
        ]
        # One thread, and hash tables and allocators that do not depend on the machine's settings.
        environment = {"PATH": os.environ["PATH"], "RAYON_NUM_THREADS": "1", "MIMALLOC_PURGE_DELAY": "-1"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or found is None or int(found[1]) == 0:
        raise RuntimeError(f"{scenario} was not counted:\n{done.stderr[-2000:]}")
    return int(found[1])


def rustc() -> str:
    """The compiler's version: another one makes other code."""
    return subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.strip()


def compare(counts: dict[str, int], baseline: dict[str, int], whole: bool) -> int:
    """Prints the table; the number of scenarios that fail the check."""
    failed = 0
    print(f"{'scenario':<28}{'baseline':>15}{'now':>15}{'change':>9}")
    for name, now in counts.items():
        before = baseline.get(name)
        if before is None:
            failed += 1
            print(f"{name:<28}{'':>15}{now:>15,}{'new':>9}  not in the baseline")
            continue
        change = now / before - 1
        verdict = ""
        if change > TOLERANCE:
            failed += 1
            verdict = "  REGRESSION"
        elif change < -TOLERANCE:
            verdict = "  better: let the baseline follow"
        print(f"{name:<28}{before:>15,}{now:>15,}{change:>+9.1%}{verdict}")
    gone = sorted(baseline.keys() - counts.keys()) if whole else []
    for name in gone:
        print(f"{name:<28}{baseline[name]:>15,}{'':>15}{'gone':>9}  still in the baseline")
    return failed + len(gone)


def main() -> None:
    """Counts, then compares or writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--update", action="store_true", help="write the baseline")
    parser.add_argument("--only", default="", help="scenarios with this in their name")
    parser.add_argument("--program", type=pathlib.Path, help="built already, in the release profile")
    parser.add_argument("--require", action="store_true", help="fail when Valgrind is missing")
    args = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("instructions are not counted: there is no Valgrind here (Debian: apt-get install valgrind)")
        sys.exit(1 if args.require or args.update else 0)
    program = args.program or build()
    listed = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    names = [name for name in listed if args.only in name]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = dict(zip(names, pool.map(lambda name: count(program, name), names), strict=True))
    known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {"rustc": "", "instructions": {}}
    if args.update:
        kept = {name: known["instructions"][name] for name in listed if name in known["instructions"]}
        known = {"rustc": rustc(), "instructions": kept | counts}
        BASELINE.write_text(json.dumps(known, indent=2) + "\n")
        print(f"{len(counts)} counts written to {BASELINE.relative_to(ROOT)}")
        return
    failed = compare(counts, known["instructions"], whole=not args.only)
    if known["rustc"] != rustc():
        print(f"the baseline was made with {known['rustc']}, this is {rustc()}")
    if failed:
        sys.exit(f"{failed} of {len(counts)} scenarios; if this is intended: make bench-baseline")


if __name__ == "__main__":
    main()
