"""A decoding run as a page: the text, three charts, and a row for each token."""

from __future__ import annotations

import codecs
import re
from statistics import median
from typing import TYPE_CHECKING

from .charts import bar_chart
from .grammar_page import grammar_sections
from .page import page
from .railroad import safe, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .recorder import Masked, Recorder, Step

__all__ = ["run_page"]

_LONGEST_REST = 2000
_LONGEST_TOKEN = 32
_MAX_RULES = 3
_RULE = re.compile(r"rule `([^`]+)`")


def run_page(
    recorder: Recorder, title: str = "A decoding run", *, prompt: str = "", grammar: bool = True
) -> str:
    """A run as an HTML page, with everything it needs inside.

    Args:
        recorder: What was recorded.
        title: The page's heading.
        prompt: What the model was asked, to be shown above its answer.
        grammar: Whether the grammar's diagrams follow below.
    """
    body = [f"<header><h1>{safe(title)}</h1>", _numbers(recorder), "</header><main>"]
    if prompt:
        body.append(f'<section class="card"><h2>Prompt</h2><div class="text">{safe(prompt)}</div></section>')
    anchors, sections = grammar_sections(recorder.compiled.grammar) if grammar else ({}, [])
    body += [_text(recorder), _charts(recorder), _table(recorder, anchors)]
    if grammar:
        body += ['<h1 id="grammar">The grammar</h1>', *sections]
    return page(title, [*body, "</main>"])


def _numbers(recorder: Recorder) -> str:
    steps = recorder.steps
    tokens = sum(step.token_id is not None for step in steps) + recorder.skipped
    figures = [(f"{tokens:,}", "tokens"), (f"{len(recorder.text):,}", "bytes")]
    figures.append((f"{sum(step.forced for step in steps):,}", "forced"))
    if any(step.refused is not None for step in steps):
        figures.append(
            (f"{sum(step.changed for step in steps):,}", "steps where the likeliest token was refused")
        )
    if steps:
        times = [step.seconds for step in steps]
        figures.append((_micros(median(times)), "a mask, median"))
        figures.append((_micros(max(times)), "the slowest mask"))
    figures.append((f"{recorder.compiled.tokenizer_info.vocab_size:,}", "tokens in the vocabulary"))
    cells = [f'<div><b>{value}</b><span class="faint small">{what}</span></div>' for value, what in figures]
    return f'<div class="numbers">{"".join(cells)}</div>'


def _text(recorder: Recorder) -> str:
    """The text, each token a link to its row."""
    spans = []
    # A character that tokens share stands in the last of them.
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    for step in recorder.steps:
        if step.token_id is None:
            continue
        kind = "changed" if step.changed else "forced" if step.forced else ""
        shown = decoder.decode(step.token) if _is_text(recorder, step) else _special(step)
        what = f"token {step.index}: {step.allowed:,} allowed"
        spans.append(f'<a href="#step-{step.index}" class="{kind}" title="{what}">{safe(shown)}</a>')
    spans.append(safe(decoder.decode(b"", final=True)))
    note = [
        '<span><i class="forced"></i>the only token allowed</span>',
        '<span><i class="changed"></i>the model\'s likeliest token was refused</span>',
    ]
    if all(step.refused is None for step in recorder.steps):
        note.pop()
    more = ""
    if recorder.skipped:
        more = f'<p class="faint">{recorder.skipped:,} more tokens were not kept.</p>'
    rest = ""
    if recorder.rest:
        text = shorten(recorder.rest.decode("utf-8", "backslashreplace"), _LONGEST_REST)
        spans.append(f'<span class="rest">{safe(text)}</span>')
        rest = f'<p class="error">The text stops fitting after {len(recorder.text):,} bytes: '
        rest += f"{safe(recorder.rejection)}</p>"
    elif recorder.steps and recorder.steps[-1].token_id is None:
        may = "may end here" if recorder.steps[-1].may_end else "may not end here yet"
        rest = f'<p class="faint">The text {may}.</p>'
    return (
        f'<section class="card" id="text"><h2>Text</h2><div class="text">{"".join(spans)}</div>{rest}{more}'
        f'<p class="legend small faint">{"".join(note)}</p></section>'
    )


def _charts(recorder: Recorder) -> str:
    steps = recorder.steps
    if not steps:
        return ""
    size = recorder.compiled.tokenizer_info.vocab_size
    allowed = bar_chart(
        [step.allowed for step in steps],
        lambda value: f"{value:,.0f}",
        "Allowed tokens at each step",
        logarithmic=True,
        top=size,
        warm=lambda index: steps[index].forced,
    )
    charts = [("Allowed tokens", "out of the vocabulary, by powers of ten; forced ones stand out", allowed)]
    micros = bar_chart(
        [step.seconds * 1e6 for step in steps], _short_micros, "Time of each mask", logarithmic=True
    )
    charts.append(
        (
            "Time of the mask",
            "microseconds by powers of ten, as Python sees it; what a new place costs is kept",
            micros,
        )
    )
    if any(step.refused is not None for step in steps):
        refused = bar_chart(
            [step.refused or 0.0 for step in steps],
            lambda value: f"{value:.0%}",
            "Probability of refused tokens at each step",
            top=1.0,
            warm=lambda index: steps[index].changed,
        )
        charts.append(
            (
                "Refused probability",
                "what the model gave to refused tokens; where the likeliest was one, it stands out",
                refused,
            )
        )
    cards = [
        f'<section class="card"><h2>{head}</h2>{chart}<p class="faint small">{note}</p></section>'
        for head, note, chart in charts
    ]
    return f'<div class="charts">{"".join(cards)}</div>'


def _table(recorder: Recorder, anchors: Mapping[str, str]) -> str:
    with_logits = any(step.refused is not None for step in recorder.steps)
    heads = [("#", 1), ("token", 0), ("allowed", 1), ("µs", 1)]
    if with_logits:
        heads += [("model", 1), ("masked", 1), ("refused", 1), ("likeliest refused tokens", 0)]
    heads.append(("in rule", 0))
    head = "".join(f"<th{' class=number' * number}>{name}</th>" for name, number in heads)
    rows = [_table_row(recorder, step, with_logits, anchors) for step in recorder.steps]
    notes = "<b>allowed</b>: tokens that the mask allowed. <b>µs</b>: what the mask took; in "
    notes += "a logits processor, with accepting the token before it."
    if with_logits:
        notes += (
            " <b>model</b>: the token's probability without the mask; <b>masked</b>: among the allowed "
            "tokens. <b>refused</b>: all refused tokens together. A refused token that was likelier than any "
            "allowed one is marked, and the reason given."
        )
    return (
        f'<section class="card" id="steps"><h2>Steps</h2><p class="faint small">{notes}</p>'
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
        "</section>"
    )


def _table_row(recorder: Recorder, step: Step, with_logits: bool, anchors: Mapping[str, str]) -> str:
    if step.token_id is None:
        token = '<span class="faint">—</span>'
    else:
        shown = _visible(step.token) if _is_text(recorder, step) else _special(step)
        token = f'<span class="token mono" title="id {step.token_id}">{safe(shown)}</span>'
    if step.forced:
        token += ' <span class="tag">forced</span>'
    cells = [
        f'<td class="number">{step.index}</td><td>{token}</td><td class="number">{step.allowed:,}</td>'
        f'<td class="number">{_short_micros(step.seconds * 1e6)}</td>'
    ]
    if with_logits:
        cells += [
            f'<td class="number">{_percent(value)}</td>'
            for value in (step.probability, step.constrained, step.refused)
        ]
        reason = f'<div class="faint">{safe(step.reason)}</div>' if step.reason and step.changed else ""
        cells.append(f"<td>{''.join(map(_masked, step.masked))}{reason}</td>")
    cells.append(f'<td class="mono small">{_places(step, anchors)}</td>')
    return f'<tr id="step-{step.index}">{"".join(cells)}</tr>'


def _places(step: Step, anchors: Mapping[str, str]) -> str:
    """The rules that a text stands in, linked to their diagrams; the whole place is the title."""
    out: dict[str, str] = {}
    for rule in step.rules:
        name = found[1] if (found := _RULE.match(rule)) else rule
        link = f' href="#{anchors[name]}"' if name in anchors else ""
        out.setdefault(name, f'<a{link} title="{safe(rule)}">{safe(shorten(name, _LONGEST_TOKEN))}</a>')
    shown = list(out.values())
    return ", ".join(shown[:_MAX_RULES]) + (", …" if len(shown) > _MAX_RULES else "")


def _masked(masked: Masked) -> str:
    kind = " preferred" if masked.preferred else ""
    return (
        f'<span class="masked"><span class="token mono{kind}" title="id {masked.token_id}">'
        f"{safe(_visible(masked.token))}</span> "
        f'<span class="faint">{_percent(masked.probability)}</span></span>'
    )


def _is_text(recorder: Recorder, step: Step) -> bool:
    info = recorder.compiled.tokenizer_info
    return step.token_id not in info.stop_token_ids and bool(step.token)


def _special(step: Step) -> str:
    """A stop token, or another that stands for no text."""
    return f"⟨{_readable(step.token) or 'end'}⟩"


def _readable(token: bytes) -> str:
    return token.decode("utf-8", "backslashreplace")


def _visible(token: bytes) -> str:
    """A token with its blanks and line ends shown."""
    text = _readable(token).replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥").replace("\r", "␍")
    return shorten(text, _LONGEST_TOKEN) or "∅"


def _percent(value: float | None) -> str:
    if value is None:
        return ""
    if 0 < value < 0.0005:
        return "&lt;0.1%"
    return f"{value:.1%}"


def _micros(seconds: float) -> str:
    return f"{_short_micros(seconds * 1e6)} µs"


def _short_micros(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"
