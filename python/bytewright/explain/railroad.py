"""Railroad diagrams as SVG.

Every node becomes a `Box`: a width, and how far it reaches above and below the line that enters it at the
left and leaves it at the right. A parent knows its children's boxes and draws the rails between them;
nothing is measured by a browser. Texts are set in a fixed-width face, and ``textLength`` holds them to the
width that was counted, so that no face makes them leave their boxes.

Invariant: everything that a box draws lies inside its width, `up` and `down`.
"""

from __future__ import annotations

import html
import itertools
import re
import unicodedata
from typing import TYPE_CHECKING

from .nodes import Choice, Node, Note, OneOf, Reference, Repeat, Sequence, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["diagram_svg", "safe", "shorten", "text_width"]

#: Width of one character at the font size of the diagrams, in pixels.
CHARACTER = 7.8
SMALL_CHARACTER = 6.6
HALF = 12
PADDING = 9
GAP = 12
RADIUS = 8
ROW_GAP = 8
#: A row of a sequence is broken where it would be wider than this.
MAX_WIDTH = 1030
#: Longest text in a box, and most alternatives that are drawn; the rule's source below has all.
MAX_TEXT = 48
MAX_OPTIONS = 80
MAX_LEAVES = 400
MAX_TITLE = 600

_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def safe(text: str) -> str:
    """Text for HTML: markup escaped, and what HTML has no character for written as an escape."""
    return html.escape(_CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def shorten(text: str, limit: int) -> str:
    """The beginning of a text, with an ellipsis if that is not all."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def text_width(text: str, character: float = CHARACTER) -> float:
    """Pixels that a text takes: wide characters count twice, combining ones not at all."""
    cells = 0
    for c in _CONTROL.sub("000000", text):
        if unicodedata.combining(c) or unicodedata.category(c) in ("Cf", "Mn", "Me"):
            continue
        cells += 2 if unicodedata.east_asian_width(c) in "WF" else 1
    return max(cells, 1) * character


class Box:
    """A piece of a diagram and the place it needs. `draw(out, x, y)` draws it with its entry at (x, y)."""

    def __init__(
        self, width: float, up: float, down: float, draw: Callable[[list[str], float, float], None]
    ) -> None:
        self.width, self.up, self.down, self.draw = width, up, down, draw


class _Layout:
    """Makes boxes of nodes. `anchors` has the address of each rule."""

    def __init__(self, anchors: Mapping[str, str]) -> None:
        self.anchors = anchors

    def box(self, node: Node, width: float = MAX_WIDTH) -> Box:
        """The box of a node, no wider than `width` where rows can be broken."""
        if isinstance(node, Text):
            return self.text(node)
        if isinstance(node, Reference):
            anchor = self.anchors.get(node.name)
            return _label(node.name, "reference", link=anchor, title=node.name)
        if isinstance(node, Note):
            return _label(node.text, "note", title=node.text, character=SMALL_CHARACTER)
        if isinstance(node, OneOf):
            return self.one_of(node, width)
        if isinstance(node, Sequence):
            return self.sequence(node, width)
        if isinstance(node, Choice):
            return self.choice(node, width)
        return self.repeat(node, width)

    def text(self, node: Text) -> Box:
        title = node.title or ("" if len(node.text) <= MAX_TEXT else node.text)
        return _label(node.text, node.kind, title=title)

    # --- one after the other ------------------------------------------------------------------------------

    def sequence(self, node: Sequence, width: float) -> Box:
        if not node.parts:
            return _line()
        boxes = [self.box(part, width - 6 * RADIUS) for part in node.parts]
        rows: list[list[Box]] = [[]]
        used = 0.0
        for box in boxes:
            if rows[-1] and used + GAP + box.width > width - 6 * RADIUS:
                rows.append([])
                used = 0.0
            rows[-1].append(box)
            used += GAP + box.width
        lines = [_row(row) for row in rows]
        return lines[0] if len(lines) == 1 else _stack(lines)

    # --- one of several -----------------------------------------------------------------------------------

    def choice(self, node: Choice, width: float) -> Box:
        options = list(node.options)
        if not options:
            return _label("nothing fits", "never")
        hidden = len(options) - MAX_OPTIONS
        if hidden > 1:
            options = [*options[:MAX_OPTIONS], Note(f"{hidden:,} more alternatives, in the source below")]
        return _alternatives([self.box(option, width - 4 * RADIUS) for option in options])

    def one_of(self, node: OneOf, width: float) -> Box:
        """Many texts and rules in one box, in rows."""
        limit = max(min(width - 2 * PADDING, 720), 160)
        rows: list[list[tuple[Node, str, float]]] = [[]]
        used = 0.0
        leaves: list[Text | Reference | Note] = [*node.leaves[:MAX_LEAVES]]
        if len(node.leaves) > MAX_LEAVES:
            leaves.append(Note(f"… and {len(node.leaves) - MAX_LEAVES:,} more"))
        for leaf in leaves:
            word = shorten(leaf.name if isinstance(leaf, Reference) else leaf.text, MAX_TEXT)
            size = text_width(word) + 1.5 * GAP
            if rows[-1] and used + size > limit:
                rows.append([])
                used = 0.0
            rows[-1].append((leaf, word, size))
            used += size
        inner = max(sum(size for _, _, size in row) for row in rows)
        height = 22.0 * len(rows) + 20

        def draw(out: list[str], x: float, y: float) -> None:
            _rect(out, "one-of", x, y - HALF - 6, inner + 2 * PADDING, height)
            top = y - HALF + 9
            out.append(_text("one of", x + PADDING, top - 1, "caption", SMALL_CHARACTER))
            for i, row in enumerate(rows):
                at = x + PADDING
                for leaf, word, size in row:
                    out.append(self.leaf(leaf, word, at, top + 17 + 22 * i))
                    at += size

        return Box(inner + 2 * PADDING, HALF + 6, height - HALF - 6, draw)

    def leaf(self, leaf: Node, word: str, x: float, y: float) -> str:
        if isinstance(leaf, Reference):
            link = self.anchors.get(leaf.name)
            text = _text(word, x, y, "link", CHARACTER)
            return f'<a href="#{link}">{text}</a>' if link else text
        return _text(word, x, y, "literal" if isinstance(leaf, Text) else "note", CHARACTER)

    # --- several times ------------------------------------------------------------------------------------

    def repeat(self, node: Repeat, width: float) -> Box:
        body = self.box(node.body, width - 4 * RADIUS)
        if node.most == 0:
            return _line()
        if node.most == 1:
            return body if node.least else _bypass(body)
        between = None
        if node.between is not None:
            between = self.box(_backwards(node.between), width - 4 * RADIUS)
        box = _loop(body, between, _times(max(node.least, 1), node.most))
        return box if node.least else _bypass(box)


def _backwards(node: Node) -> Node:
    """A sequence as it reads on a rail that runs to the left."""
    return Sequence(node.parts[::-1], node.height) if isinstance(node, Sequence) else node


def _times(least: int, most: int | None) -> str:
    if most is None:
        return "" if least == 1 else f"{least:,} times or more"
    if least == most:
        return f"{most:,} times"
    return f"up to {most:,} times" if least == 1 else f"{least:,} to {most:,} times"


# --- drawing ----------------------------------------------------------------------------------------------


def _path(out: list[str], data: str) -> None:
    out.append(f'<path d="{data}"/>')


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _across(out: list[str], x: float, y: float, to: float) -> None:
    if to != x:
        _path(out, f"M{_n(x)} {_n(y)}H{_n(to)}")


def _rect(out: list[str], kind: str, x: float, y: float, width: float, height: float) -> None:
    out.append(
        f'<rect class="{kind}" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="6"/>'
    )


def _text(text: str, x: float, y: float, kind: str, character: float) -> str:
    width = text_width(text, character)
    return (
        f'<text class="{kind}" x="{_n(x)}" y="{_n(y)}" textLength="{_n(width)}" '
        f'lengthAdjust="spacingAndGlyphs">{safe(text)}</text>'
    )


def _label(
    text: str, kind: str, *, title: str = "", link: str | None = None, character: float = CHARACTER
) -> Box:
    """A text in a box."""
    shown = shorten(text, MAX_TEXT if character == CHARACTER else MAX_TEXT + 32)
    inner = text_width(shown, character)
    width = inner + 2 * PADDING

    def draw(out: list[str], x: float, y: float) -> None:
        out.append(f'<a href="#{link}">' if link else "<g>")
        if title:
            out.append(f"<title>{safe(shorten(title, MAX_TITLE))}</title>")
        _rect(out, kind, x, y - HALF, width, 2 * HALF)
        out.append(_text(shown, x + PADDING, y + 4, kind, character))
        out.append("</a>" if link else "</g>")

    return Box(width, HALF, HALF, draw)


def _line() -> Box:
    """Nothing but rail."""
    return Box(2 * GAP, RADIUS / 2, RADIUS / 2, lambda out, x, y: _across(out, x, y, x + 2 * GAP))


def _row(boxes: list[Box]) -> Box:
    width = sum(box.width for box in boxes) + GAP * (len(boxes) - 1)

    def draw(out: list[str], x: float, y: float) -> None:
        for i, box in enumerate(boxes):
            if i:
                _across(out, x, y, x + GAP)
                x += GAP
            box.draw(out, x, y)
            x += box.width

    return Box(width, max(box.up for box in boxes), max(box.down for box in boxes), draw)


def _stack(rows: list[Box]) -> Box:
    """Rows of one sequence below each other; the rail runs back between them."""
    inner = max(row.width for row in rows)
    places = [0.0]
    for above, below in itertools.pairwise(rows):
        places.append(places[-1] + above.down + ROW_GAP + 2 * RADIUS + below.up)

    def draw(out: list[str], x: float, y: float) -> None:
        left, right, r = x + 2 * RADIUS, x + 2 * RADIUS + inner, RADIUS
        _across(out, x, y, left)
        for i, row in enumerate(rows):
            here = y + places[i]
            row.draw(out, left, here)
            end = left + row.width
            if i + 1 == len(rows):
                _path(
                    out,
                    f"M{_n(end)} {_n(here)}H{_n(right + 2 * r)}a{r} {r} 0 0 0 {r} -{r}V{_n(y + r)}"
                    f"a{r} {r} 0 0 1 {r} -{r}",
                )
                continue
            turn = here + row.down + ROW_GAP / 2 + r
            _path(
                out,
                f"M{_n(end)} {_n(here)}H{_n(right)}a{r} {r} 0 0 1 {r} {r}V{_n(turn - r)}"
                f"a{r} {r} 0 0 1 -{r} {r}H{_n(left)}a{r} {r} 0 0 0 -{r} {r}"
                f"V{_n(y + places[i + 1] - r)}a{r} {r} 0 0 0 {r} {r}",
            )
            _arrow(out, (left + right) / 2, turn)

    return Box(inner + 6 * RADIUS, rows[0].up, places[-1] + rows[-1].down, draw)


def _arrow(out: list[str], x: float, y: float) -> None:
    """Rails run to the right unless an arrow says that they run to the left."""
    out.append(f'<path class="arrow" d="M{_n(x + 3)} {_n(y - 4)}l-6 4l6 4z"/>')


def _alternatives(boxes: list[Box]) -> Box:
    """The first on the line, the others below."""
    inner = max(box.width for box in boxes)
    places = [0.0]
    for above, below in itertools.pairwise(boxes):
        places.append(places[-1] + max(above.down + ROW_GAP + below.up, 2 * RADIUS))

    def draw(out: list[str], x: float, y: float) -> None:
        left, right, r = x + 2 * RADIUS, x + 2 * RADIUS + inner, RADIUS
        _across(out, x, y, left)
        if len(boxes) > 1:
            # One trunk at each side; the alternatives leave and join it.
            last = y + places[-1] - r
            _path(out, f"M{_n(x)} {_n(y)}a{r} {r} 0 0 1 {r} {r}V{_n(last)}")
            _path(out, f"M{_n(right + r)} {_n(last)}V{_n(y + r)}a{r} {r} 0 0 1 {r} -{r}")
        for place, box in zip(places, boxes, strict=True):
            here = y + place
            box.draw(out, left, here)
            if not place:
                _across(out, left + box.width, y, right + 2 * r)
                continue
            _path(out, f"M{_n(x + r)} {_n(here - r)}a{r} {r} 0 0 0 {r} {r}")
            _path(out, f"M{_n(left + box.width)} {_n(here)}H{_n(right)}a{r} {r} 0 0 0 {r} -{r}")

    return Box(inner + 4 * RADIUS, boxes[0].up, places[-1] + boxes[-1].down, draw)


def _bypass(box: Box) -> Box:
    """A part, or nothing: a rail above it."""
    rise = max(box.up + ROW_GAP, 2 * RADIUS)

    def draw(out: list[str], x: float, y: float) -> None:
        left, right, r = x + 2 * RADIUS, x + 2 * RADIUS + box.width, RADIUS
        _across(out, x, y, left)
        box.draw(out, left, y)
        _across(out, right, y, right + 2 * RADIUS)
        _path(
            out,
            f"M{_n(x)} {_n(y)}a{r} {r} 0 0 0 {r} -{r}V{_n(y - rise + r)}a{r} {r} 0 0 1 {r} -{r}"
            f"H{_n(right)}a{r} {r} 0 0 1 {r} {r}V{_n(y - r)}a{r} {r} 0 0 0 {r} {r}",
        )

    return Box(box.width + 4 * RADIUS, rise + 2, box.down, draw)


def _loop(body: Box, between: Box | None, times: str) -> Box:
    """A part again and again: a rail below it runs back, through what stands between two times."""
    label = text_width(times, SMALL_CHARACTER) + 2 * GAP if times else 0.0
    back = 0.0 if between is None else between.width
    # Room at both sides of what stands on the way back, the left one for the arrow.
    inner = max(body.width, back + 2 * GAP if back else 0.0, label, 2 * RADIUS)
    drop = max(body.down + ROW_GAP + (between.up if between else 0.0), 2 * RADIUS)
    below = (between.down if between else 2.0) + (16.0 if times else 0.0)

    def draw(out: list[str], x: float, y: float) -> None:
        left, right, r = x + 2 * RADIUS, x + 2 * RADIUS + inner, RADIUS
        start = left + (inner - body.width) / 2
        _across(out, x, y, start)
        body.draw(out, start, y)
        _across(out, start + body.width, y, right + 2 * RADIUS)
        under = y + drop
        middle = left + (inner - back) / 2
        _path(
            out,
            f"M{_n(right)} {_n(y)}a{r} {r} 0 0 1 {r} {r}V{_n(under - r)}"
            f"a{r} {r} 0 0 1 -{r} {r}H{_n(middle + back)}",
        )
        if between is not None:
            between.draw(out, middle, under)
        _path(
            out,
            f"M{_n(middle)} {_n(under)}H{_n(left)}a{r} {r} 0 0 1 -{r} -{r}"
            f"V{_n(y + r)}a{r} {r} 0 0 1 {r} -{r}",
        )
        _arrow(out, left + 4 if between else (left + right) / 2, under)
        if times:
            out.append(
                _text(times, left + (inner - label) / 2 + GAP, under + below - 4, "caption", SMALL_CHARACTER)
            )

    return Box(inner + 4 * RADIUS, body.up, drop + below, draw)


def diagram_svg(node: Node, anchors: Mapping[str, str], label: str) -> str:
    """One diagram as an ``<svg>`` element, with the rails' ends at its sides."""
    box = _Layout(anchors).box(node)
    end = 16
    width, up = box.width + 2 * end + 4, max(box.up, HALF) + 4
    height = up + max(box.down, HALF) + 4
    out = [
        f'<svg class="railroad" width="{_n(width)}" height="{_n(height)}" '
        f'viewBox="0 0 {_n(width)} {_n(height)}" '
        f'role="img" aria-label="{safe(label)}">'
    ]
    _path(out, f"M2 {_n(up - 7)}v14M2 {_n(up)}H{_n(end + 2)}")
    box.draw(out, end + 2, up)
    right = end + 2 + box.width
    _path(out, f"M{_n(right)} {_n(up)}h{end}m0 -7v14")
    out.append("</svg>")
    return "".join(out)
