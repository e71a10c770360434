"""What a page is made of, and whether it is whole: for the tests of pages that show grammars and runs."""

from __future__ import annotations

import html.parser
import re
from xml.etree import ElementTree


class Page(html.parser.HTMLParser):
    """What matters of a page: ids, links, texts, the SVGs, and whatever could load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.feed(text)
        self.svgs = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            elif name == "href" and tag == "a":
                self.links.append(str(value))
            elif name in ("src", "href", "srcset", "data", "action") and value != "data:,":
                self.loads.append(f"{tag} {name}={value}")
            assert not name.startswith("on")

    def handle_data(self, data: str) -> None:
        self.text += data


def check_page(text: str) -> Page:
    """A page is whole: links lead somewhere, ids are unique, nothing is loaded, and SVGs are well-formed."""
    page = Page(text)
    assert len(set(page.ids)) == len(page.ids)
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert not page.loads
    assert "script" not in page.tags
    assert not re.search(r"url\(|@import", text.partition("</style>")[0])
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text)
    for svg in page.svgs:
        if svg.get("class") == "railroad":
            check_svg(svg)
    return page


def numbers(element: ElementTree.Element) -> tuple[float, float, float, float]:
    x, y, w, h = (float(element.get(name, 0)) for name in ("x", "y", "width", "height"))
    return x, y, x + w, y + h


def check_svg(svg: ElementTree.Element) -> None:
    """Boxes lie inside the picture and not on each other, texts in their boxes, rails in the picture."""
    width, height = float(svg.get("width", 0)), float(svg.get("height", 0))
    boxes = [numbers(rect) for rect in svg.iter("rect")]
    for left, top, right, bottom in boxes:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            assert a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3], (a, b)
    for text in svg.iter("text"):
        x, y = float(text.get("x", 0)), float(text.get("y", 0))
        right = x + float(text.get("textLength", 0))
        held = any(a <= x and right <= c and b <= y <= d for a, b, c, d in boxes)
        assert held or (text.get("class") == "caption" and x >= 0 and right <= width and y <= height)
    for path in svg.iter("path"):
        for x, y in points(path.get("d", "")):
            assert -0.1 <= x <= width + 0.1, path.get("d")
            assert -0.1 <= y <= height + 0.1, path.get("d")


def points(data: str) -> list[tuple[float, float]]:
    """Where a path of lines and arcs goes."""
    x = y = 0.0
    found = []
    for command, rest in re.findall(r"([MHVhvmlaz])([^A-Za-z]*)", data):
        values = [float(value) for value in re.findall(r"-?[\d.]+", rest)]
        if command == "M":
            x, y = values[:2]
        elif command in "HV":
            x, y = (values[0], y) if command == "H" else (x, values[0])
        elif command in "hv":
            x, y = (x + values[0], y) if command == "h" else (x, y + values[0])
        elif command in "mla":
            for i in range(0, len(values), 7 if command == "a" else 2):
                dx, dy = values[i + 5 : i + 7] if command == "a" else values[i : i + 2]
                x, y = x + dx, y + dy
                found.append((x, y))
        found.append((x, y))
    return found
