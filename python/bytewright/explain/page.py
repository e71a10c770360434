"""The frame of every page: its style, and nothing that a browser would have to fetch or run."""

from __future__ import annotations

from .railroad import safe

__all__ = ["page"]

STYLE = """
:root { color-scheme: light dark;
  --paper: #fbfaf7; --ink: #23262b; --faint: #6b7079; --line: #d9d6cd; --card: #ffffff; --accent: #1d5fa8;
  --rail: #555b66; --literal: #dcefe0; --literal-line: #3f8a55; --class: #fdf0cf; --class-line: #a97b12;
  --reference: #dfe9f6; --reference-line: #3a6ea5; --value: #eee4f6; --value-line: #7d55a3;
  --never: #f8dcd9; --never-line: #b5382c; --forced: #e6e4de; --changed: #ffe0b8; --bar: #3a6ea5; --warm:
  #c4651a; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #16181c; --ink: #e4e5e7; --faint: #9aa0aa; --line: #363a42; --card: #1e2126; --accent: #84b7f0;
  --rail: #8d94a0; --literal: #1f3a28; --literal-line: #68b881; --class: #3d3212; --class-line: #d0a63c;
  --reference: #1d3047; --reference-line: #6fa3dc; --value: #33263f; --value-line: #b48ad8;
  --never: #482320; --never-line: #e5786c; --forced: #33363d; --changed: #573a14; --bar: #6fa3dc; --warm:
  #e5974f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 72rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
p { margin: .3rem 0; }
a[href] { color: var(--accent); text-decoration: none; }
a[href]:hover { text-decoration: underline; }
code, pre, .mono { font-family: ui-monospace, "DejaVu Sans Mono", Consolas, monospace; font-size: 13px; }
.faint { color: var(--faint); }
.small { font-size: 13px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .9rem 1rem;
  margin: 1rem 0; }
.card:target { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
.scroll { overflow-x: auto; }
.tag { font-size: 12px; font-weight: normal; border: 1px solid var(--line); border-radius: 9px; padding: 0
.5em;
  color: var(--faint); margin-left: .4em; }
nav { max-height: 11rem; overflow-y: auto; }
nav a { display: inline-block; margin-right: .9em; }
details { margin-top: .4rem; }
summary { cursor: pointer; color: var(--faint); font-size: 13px; }
pre { margin: .4rem 0 0; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 24rem; overflow-y: auto;
} svg { display: block; } svg text { font-family: ui-monospace, "DejaVu Sans Mono", Consolas, monospace;
font-size: 13px; fill: var(--ink);
  white-space: pre; }
.railroad path { fill: none; stroke: var(--rail); stroke-width: 1.5; }
.railroad path.arrow { fill: var(--rail); stroke: none; }
.railroad rect { fill: var(--card); stroke: var(--rail); }
.railroad rect.literal, .railroad rect.any-case, .railroad rect.one-of, .railroad rect.bytes {
  fill: var(--literal); stroke: var(--literal-line); }
.railroad rect.class { fill: var(--class); stroke: var(--class-line); }
.railroad rect.reference { fill: var(--reference); stroke: var(--reference-line); rx: 0; }
.railroad rect.value, .railroad rect.token { fill: var(--value); stroke: var(--value-line); }
.railroad rect.never { fill: var(--never); stroke: var(--never-line); }
.railroad rect.note { fill: var(--card); stroke: none; }
.railroad text.note, .railroad text.caption { font-size: 11px; fill: var(--faint); }
.railroad text.any-case { font-style: italic; }
.railroad text.link { fill: var(--accent); }
.railroad a:hover rect { stroke-width: 2; }
.legend span { display: inline-block; margin: 0 .9em .2em 0; }
.legend i { display: inline-block; width: 1em; height: 1em; border-radius: 3px; border: 1px solid var(--rail);
  vertical-align: -2px; margin-right: .4em; }
.numbers { display: flex; flex-wrap: wrap; gap: .4rem 2rem; margin: .6rem 0 0; }
.numbers div b { display: block; font-size: 1.2rem; font-weight: 600; }
.text { font-family: ui-monospace, "DejaVu Sans Mono", Consolas, monospace; font-size: 14px; line-height: 1.9;
  white-space: pre-wrap; overflow-wrap: anywhere; max-height: 26rem; overflow-y: auto; }
.text a[href] { color: inherit; border-radius: 3px; box-shadow: inset 0 -1px 0 var(--line); padding: 1px 0; }
.text a:nth-child(2n) { box-shadow: inset 0 -1px 0 var(--faint); }
.text .forced, i.forced { background: var(--forced); }
.text .changed, i.changed { background: var(--changed); }
.text .rest { color: var(--never-line); text-decoration: line-through; }
.error { color: var(--never-line); }
.chart { max-width: 46rem; }
.chart text { font-size: 11px; fill: var(--faint); }
.chart rect.bar { fill: var(--bar); }
.chart rect.warm { fill: var(--warm); }
.chart a:hover rect { opacity: .6; }
.chart line { stroke: var(--line); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0 1rem;
} .charts .card { margin-bottom: 0; } table { border-collapse: collapse; width: 100%; font-size: 13px; } th {
text-align: left; font-weight: 600; color: var(--faint); } th, td { padding: .25rem .6rem; border-top: 1px
solid var(--line); vertical-align: top; } th.number, td.number { text-align: right; font-variant-numeric:
tabular-nums; white-space: nowrap; } tr:target td { background: var(--reference); } td .token { background:
var(--forced); border-radius: 3px; padding: 0 .3em; white-space: pre-wrap;
  overflow-wrap: anywhere; }
td .preferred { background: var(--changed); }
td .masked { display: inline-block; margin: 0 .5em .15em 0; white-space: nowrap; }
"""


def page(title: str, body: list[str]) -> str:
    """A whole HTML document."""
    return "".join(
        [
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            # No favicon is asked for, and nothing is loaded even if some text got past the escaping.
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
            "style-src 'unsafe-inline'; img-src data:\">",
            f'<link rel="icon" href="data:,"><title>{safe(title)}</title><style>{STYLE}</style></head><body>',
            *body,
            "</body></html>\n",
        ]
    )
