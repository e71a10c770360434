"""Times of all engines as cumulative distributions, on a logarithmic scale, as one SVG file.

python benches/schemas.py --save target/bench/schemas.json
python benches/plots.py target/bench/schemas.json docs/img/latencies.svg
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

COLORS = {"bytewright": "#0060c0", "llguidance": "#d07000", "glrmask": "#208040", "xgrammar": "#a03080"}
# Points a curve has at most: more cannot be seen.
POINTS = 150


def curve(values: list[float]) -> tuple[list[float], list[float]]:
    """Times and the share of what took longer, thinned out evenly in the logarithm of that share."""
    values = sorted(values)
    count = len(values)
    places = sorted(
        {count - 1 - int((count - 1) ** (i / POINTS)) for i in range(POINTS + 1)} | {0, count - 1}
    )
    return [values[i] for i in places], [(count - i) / count for i in places]


def main() -> None:
    """Draws."""
    import matplotlib

    matplotlib.use("svg")
    # The same file for the same data.
    matplotlib.rcParams["svg.hashsalt"] = "bytewright"
    matplotlib.rcParams["svg.fonttype"] = "none"
    import matplotlib.pyplot as plt

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="what benches/schemas.py saved")
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    results = json.loads(args.data.read_text())
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    for column, answers in results.items():
        name, _, fresh = column.partition(", ")
        style = {"color": COLORS.get(name), "linestyle": ":" if fresh else "-", "label": column}
        compiled = [answer for answer in answers if "start" in answer]
        if not compiled:
            continue
        axes[0].plot(*curve([a["start"] / 1e3 for a in compiled]), **style)
        axes[1].plot(*curve([t / 1e3 for a in compiled for t in a["tokens"]]), **style)
    for axis, title in zip(axes, ["compile to first mask, µs", "mask + accept, µs"], strict=True):
        axis.set(xscale="log", yscale="log", xlabel=title)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("share that takes longer")
    axes[1].legend(fontsize=7)
    figure.tight_layout()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
