"""A grammar in the dialects of other engines.

The start is this package's own printed form, which has one rule a line and few constructs, so that nobody
is refused for a comment or for `{,3}`. Characters that some dialect would take for signs are written as
escapes, and the hyphens in names as underscores. Lark comes from llguidance's own converter, which finds
the parts that are terminals.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import bytewright as bw

TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|\{[\d,]+\}|[\w-]+|::=|.|\n')
CHARACTER = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|u\{([0-9a-fA-F]+)\}|(.))|(.)", re.DOTALL
)
NAMED = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "b": "\b", "v": "\v", "a": "\a", "0": "\0"}


def escape(char: str, digits: int) -> str:
    """A character that no dialect mistakes, as an escape of two digits or four."""
    if char.isalnum() or char == " ":
        return char
    if ord(char) < 0x80 and digits == 2:
        return f"\\x{ord(char):02X}"
    return char if digits == 2 else f"\\u{ord(char):04X}" if ord(char) < 0x10000 else f"\\U{ord(char):08X}"


def rewrite(body: str, is_class: bool, digits: int) -> str:
    """The inside of a string or a class."""
    out = []
    for place, match in enumerate(CHARACTER.finditer(body)):
        two, four, eight, braced, named, plain = match.groups()
        if is_class and (plain == "-" or (plain == "^" and place == 0)):
            out.append(plain)
            continue
        code = two or four or eight or braced
        out.append(escape(chr(int(code, 16)) if code else plain or NAMED.get(named, named), digits))
    return "".join(out)


def gbnf(grammar: bw.Grammar, digits: int = 4) -> str:
    """EBNF as xgrammar reads it, which takes all digits that follow for an escape's if they may be fewer."""
    out = []
    names: dict[str, str] = {}
    for token in TOKEN.findall(str(grammar)):
        if token[0] == '"' and len(token) > 1:
            token = f'"{rewrite(token[1:-1], False, digits)}"'
        elif token[0] == "[" and len(token) > 1:
            token = f"[{rewrite(token[1:-1], True, digits)}]"
        elif re.match(r"[\w-]", token):
            token = names.setdefault(token, unique(token, set(names.values())))
        out.append(token)
    return "".join(out)


def unique(name: str, used: set[str]) -> str:
    """A name that no other has, whatever its case: terminals become upper case."""
    plain = re.sub(r"\W", "_", name).lower()
    plain = plain if plain[0].isalpha() else f"r_{plain}"
    return next(new for new in [plain, *(f"{plain}_{i}" for i in range(2, 1000))] if new not in used)


def lark(grammar: bw.Grammar) -> str:
    """Lark as llguidance's converter makes it."""
    from llguidance.gbnf_to_lark import gbnf_to_lark

    text = str(gbnf_to_lark(gbnf(grammar, 2)))
    # The converter drops the brackets of `([a-f]{2})*`.
    return re.sub(r'(/(?:\\.|[^/\\\n])*/|"(?:\\.|[^"\\\n])*"|\w+)(\{\d+,\d*\})([*+?])', r"(\1\2)\3", text)


def plain_lark(grammar: bw.Grammar) -> str:
    """Lark without what is llguidance's own: its header, and `{2,3}` for `~2..3`."""
    lines = [line for line in lark(grammar).splitlines() if not line.startswith("%llguidance")]
    counts = re.compile(r'(/(?:\\.|[^/\\])*/|"(?:\\.|[^"\\])*")|\{(\d+)(?:,(\d+))?\}')

    def count(match: re.Match[str]) -> str:
        terminal, least, most = match.groups()
        return terminal or (f"~{least}..{most}" if most else f"~{least}")

    return "\n".join(counts.sub(count, line) for line in lines)
