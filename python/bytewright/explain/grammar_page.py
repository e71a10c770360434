"""A grammar as a page: one railroad diagram for each rule, with the rules linked to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .ebnf import grammar_rules
from .nodes import Choice, Diagram, Node, Reference, Repeat, Rules, Sequence
from .page import page
from .railroad import diagram_svg, safe, shorten

if TYPE_CHECKING:
    from bytewright import Grammar

__all__ = ["grammar_page", "grammar_sections"]

#: Most rules that are drawn, and most characters of one rule's source.
MAX_RULES = 2000
MAX_SOURCE = 20_000
_MAX_USERS = 12

_LEGEND = (
    ("literal", "text; ␣ is a blank, and italics are letters in either case"),
    ("class", "one character of a class"),
    ("reference", "a rule"),
    ("value", "a value, or a special token"),
)


def grammar_page(grammar: Grammar, title: str = "A grammar") -> str:
    r"""A grammar as an HTML page, with everything it needs inside.

    Args:
        grammar: The grammar, from any front end. The diagrams show what ``str(grammar)`` says, and of JSON
            Schemas in it their keywords.
        title: The page's heading.

    Raises:
        InvalidArgumentError: if it has a JSON Schema that is no JSON.

    >>> import bytewright as bw
    >>> page = grammar_page(bw.Grammar.from_ebnf('root ::= "<" word ">"\nword ::= [a-z]+'))
    >>> page.count("<svg"), "&lt;" in page
    (2, True)
    """
    _, sections = grammar_sections(grammar)
    return page(title, [f"<header><h1>{safe(title)}</h1></header><main>", *sections, "</main>"])


def grammar_sections(grammar: Grammar) -> tuple[dict[str, str], list[str]]:
    """The part of a page that draws a grammar: the rules' addresses in it, and its HTML."""
    rules = grammar_rules(grammar)
    names = list(rules.diagrams)
    anchors = {name: f"rule-{i}" for i, name in enumerate(names[:MAX_RULES])}
    users = _users(rules)
    links = [f'<a href="#{anchor}">{safe(name)}</a>' for name, anchor in anchors.items()]
    legend = [
        f'<span><i style="background:var(--{kind});border-color:var(--{kind}-line)"></i>{what}</span>'
        for kind, what in _LEGEND
    ]
    count = f"{len(names):,} rule{'s' if len(names) != 1 else ''}"
    out = [
        f'<p class="faint">{count}. A text of the grammar is a way along the rails, left to right.</p>',
        f'<p class="legend small faint">{"".join(legend)}</p>',
        *(f'<p class="small">{safe(kind)}: {safe(message)}</p>' for kind, message in grammar.annotations),
        f'<nav class="card mono" aria-label="Rules">{" ".join(links)}</nav>',
    ]
    for i, (name, anchor) in enumerate(anchors.items()):
        out.append(_section(rules.diagrams[name], anchor, anchors, users.get(name, []), is_root=i == 0))
    if len(names) > MAX_RULES:
        out.append(f"<p>{len(names) - MAX_RULES:,} more rules are not drawn.</p>")
    return anchors, out


def _section(
    diagram: Diagram, anchor: str, anchors: dict[str, str], users: list[str], *, is_root: bool
) -> str:
    tags = '<span class="tag">root</span>' if is_root else ""
    if not is_root and not users:
        tags += '<span class="tag">never used</span>'
    linked = [f'<a href="#{anchors[user]}">{safe(user)}</a>' for user in users if user in anchors]
    used = ""
    if linked:
        more = f" and {len(linked) - _MAX_USERS} more" if len(linked) > _MAX_USERS else ""
        used = f'<p class="faint small">used by {", ".join(linked[:_MAX_USERS])}{more}</p>'
    source = ""
    if diagram.source:
        kind = "JSON Schema" if diagram.source[0] in '{"[tf' and "::=" not in diagram.source[:200] else "EBNF"
        text = safe(shorten(diagram.source, MAX_SOURCE))
        source = f"<details><summary>{kind}</summary><pre>{text}</pre></details>"
    svg = diagram_svg(diagram.node, anchors, f"Railroad diagram of {diagram.name}")
    return (
        f'<section class="card rule" id="{anchor}"><h2 class="mono">{safe(diagram.name)}{tags}</h2>'
        f'<div class="scroll">{svg}</div>{used}{source}</section>'
    )


def _users(rules: Rules) -> dict[str, list[str]]:
    """Which rules refer to each rule."""
    users: dict[str, list[str]] = {}
    for name, diagram in rules.diagrams.items():
        seen = set()
        todo: list[Node] = [diagram.node]
        while todo:
            node = todo.pop()
            if isinstance(node, Reference) and node.name not in seen:
                seen.add(node.name)
                users.setdefault(node.name, []).append(name)
            elif isinstance(node, Sequence):
                todo.extend(node.parts)
            elif isinstance(node, Choice):
                todo.extend(node.options)
            elif isinstance(node, Repeat):
                todo += [node.body] if node.between is None else [node.body, node.between]
    return users
