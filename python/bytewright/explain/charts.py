"""Bar charts over the steps of a run, as SVG."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .railroad import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["bar_chart"]

WIDTH, HEIGHT = 620, 150
LEFT, RIGHT, TOP, BOTTOM = 62, 8, 8, 22
#: With more steps than this, a bar is the largest of several steps.
MAX_BARS = 280


def bar_chart(
    values: Sequence[float],
    show: Callable[[float], str],
    label: str,
    *,
    logarithmic: bool = False,
    top: float | None = None,
    warm: Callable[[int], bool] = lambda index: False,
) -> str:
    """One bar a step, linked to the step's row.

    Args:
        values: A number for each step, not negative.
        show: How a number is written at the axis and in a bar's title.
        label: What the chart is called for those who cannot see it.
        logarithmic: Whether the axis goes by powers of ten; 0 lies below 1.
        top: The axis's end; without it, the largest value.
        warm: Whether a step's bar has the colour that stands out.
    """
    span = max(1, math.ceil(len(values) / MAX_BARS))
    groups = [range(i, min(i + span, len(values))) for i in range(0, len(values), span)]
    highest = max([*values, 0.0]) if top is None else top

    def height(value: float) -> float:
        if logarithmic:
            full = math.log10(max(highest, 10)) + 0.3
            return 0.0 if value <= 0 else (math.log10(max(value, 1)) + 0.3) / full
        return value / highest if highest > 0 else 0.0

    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    out = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" role="img" '
        f'aria-label="{safe(label)}">'
    ]
    for tick in _ticks(highest, logarithmic):
        y = TOP + inner_height * (1 - height(tick))
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{safe(show(tick))}</text>')
    step = inner_width / max(len(groups), 20)
    for i, group in enumerate(groups):
        index = max(group, key=lambda j: values[j])
        size = max(inner_height * min(height(values[index]), 1.0), 0.8)
        kind = "warm" if any(map(warm, group)) else "bar"
        out.append(
            f'<a href="#step-{index}"><title>{index}: {safe(show(values[index]))}</title>'
            f'<rect class="{kind}" x="{LEFT + i * step:.1f}" y="{TOP + inner_height - size:.1f}" '
            f'width="{max(step * 0.82, 0.8):.1f}" height="{size:.1f}"/></a>'
        )
    end = LEFT + len(groups) * step
    out.append(f'<text x="{LEFT}" y="{HEIGHT - 6}">0</text>')
    if len(values) > 1:
        anchor = "end" if end > LEFT + 60 else "start"
        out.append(
            f'<text x="{max(end, LEFT + 24):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">'
            f"{len(values) - 1}</text>"
        )
    out.append("</svg>")
    return "".join(out)


def _ticks(highest: float, logarithmic: bool) -> list[float]:
    if logarithmic:
        powers = range(math.floor(math.log10(max(highest, 10))) + 1)
        every = 2 if len(powers) > 4 else 1
        return [10.0**power for power in powers if power % every == 0]
    if highest <= 0:
        return [0.0]
    unit = 10 ** math.floor(math.log10(highest))
    step = next(unit * factor for factor in (0.2, 0.5, 1, 2) if highest / (unit * factor) <= 5)
    return [step * i for i in range(math.floor(highest / step + 1e-9) + 1)]
