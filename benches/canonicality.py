"""Which token sequences are canonical, against each real tokenizer's own encoder, at full size.

    .venv/bin/python benches/canonicality.py [--pairs N] [--sequences N] [tokenizer ...]

Half of the pairs are hard ones, cut out of a token at random; every sequence is an encoding and a damaged
copy of it, and the stress list comes before them. A mismatch stops the run with the tokens. Pairs whose bytes
are no UTF-8 cannot be given to an encoder and are not counted.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import byte_level_tokenizers as bt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--sequences", type=int, default=10_000)
    parser.add_argument("tokenizers", nargs="*")
    arguments = parser.parse_args()
    print(
        f"{'tokenizer':<12}{'pairs':>10}{'sequences':>11}{'mismatches':>12}{'unreachable':>13}{'seconds':>9}"
    )
    for load in bt.ALL + bt.LARGE:
        name = load.__name__
        if arguments.tokenizers and name not in arguments.tokenizers:
            continue
        start = time.perf_counter()
        tokenizer = load()
        pairs = sequences = seed = 0
        while pairs < arguments.pairs or sequences < arguments.sequences:
            more = bt.check(tokenizer, arguments.pairs // 5, arguments.sequences // 10, seed)
            pairs, sequences, seed = pairs + more[0], sequences + more[1], seed + 1
        seconds = time.perf_counter() - start
        unreachable = len(tokenizer.rules.unreachable)
        print(f"{name:<12}{pairs:>10,}{sequences:>11,}{0:>12}{unreachable:>13}{seconds:>9.0f}", flush=True)


if __name__ == "__main__":
    main()
