r"""Writes `yaml_lite.ebnf`: the rules of blocks stand once for each level of indentation.

python grammars/tools/yaml_grammar.py > rust/core/grammars/yaml_lite.ebnf
"""

from __future__ import annotations

import sys

LEVELS = 8

HEAD = r"""# One YAML document (YAML 1.2, and 1.1 alike) as people and programs mostly write it: block mappings and sequences, two blanks
# a level and {levels} levels deep at most, plain and quoted scalars, literal and folded text, flow collections on one line, comments.
# A sequence under a key stands two blanks deeper, or just below it; a mapping in a sequence begins on the line of its hyphen.
# Left out: anchors, aliases, tags, directives, several documents, `?` keys, scalars and flow collections of several lines,
# other indentation, tabs, a document that is a scalar, keys longer than 100 characters, colons in flow scalars, a plain scalar
# with another first character than below, a last line without its line break.
# Taken although YAML refuses it, because no context-free grammar can: a key given twice.
# (Written by `grammars/tools/yaml_grammar.py`.)

root ::= blank-line* ("---" end)? (mapping-0 | sequence-0 | flow end)
"""

LEVEL = r"""
mapping-N  ::= entry-N ("INDENT-N" entry-N)*
sequence-N ::= item-N ("INDENT-N" item-N)*
entry-N ::= key ":" (" "+ scalar end | " "+ text-N | end (below-N | "INDENT-N" sequence-N)?)
item-N  ::= "-" (" "+ scalar end | " "+ text-N | " " (mapping-M | sequence-M) | end below-N?)
below-N ::= "INDENT-M" (mapping-M | sequence-M)
text-N  ::= [|>] [+\-]? end-of-header "\n"* "INDENT-M" visible char* "\n" ("INDENT-M" char* "\n" | "\n")*
"""

DEEPEST = r"""
# The deepest level has no blocks below it.
mapping-N  ::= entry-N ("INDENT-N" entry-N)*
sequence-N ::= item-N ("INDENT-N" item-N)*
entry-N ::= key ":" (" "+ scalar)? end
item-N  ::= "-" (" "+ scalar)? end
"""

TAIL = r"""
end           ::= " "* (" #" char*)? "\n" blank-line*
end-of-header ::= " "* (" #" char*)? "\n"
blank-line    ::= " "* ("#" char*)? "\n"

# Characters that are no control characters, no line breaks of Unicode and no byte order mark.
char ::= [ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]

visible ::= [!-~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]

scalar ::= plain | quoted | flow
quoted ::= "\"" double-char* "\"" | "'" single-char* "'"
double-char ::=
    [ !#-\[\]-~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff] |
    "\\" ([0abtnvfre "/\\N_LP] | "x" hex{2} | "u" hex{4} | "U" ("000" hex{5} | "0010" hex{4}))
single-char ::= [ -&(-~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff] | "''"
hex ::= [0-9a-fA-F]

key ::= [A-Za-z0-9_] [A-Za-z0-9_./ \-]{,99} | "\"" double-char{,25} "\"" | "'" single-char{,50} "'"

# A plain scalar has no `: ` and no ` #`; a hyphen does not stand alone at its beginning.
plain      ::= (plain-first | "-" plain-char) plain-rest*
plain-rest ::= " "* (plain-char | ":"+ plain-char) | "#"
plain-first ::= [A-Za-z0-9_./+$()~;\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]
plain-char ::= [!-"$-9;-~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]

flow ::= "[" " "* (flow-node " "* ("," " "* flow-node " "*)*)? "]" | "{" " "* (pair " "* ("," " "* pair " "*)*)? "}"
pair ::= flow-key ":" " "+ flow-node
flow-key  ::= [A-Za-z0-9_] [A-Za-z0-9_./\-]{,99} | "\"" double-char{,25} "\"" | "'" single-char{,50} "'"
flow-node ::= flow-plain | quoted | flow
flow-plain ::= ([A-Za-z0-9_./+$()~] | "-" flow-char) (" "* flow-char)*
flow-char  ::= [A-Za-z0-9_./+$()~;*&!%@|<>=^'"\-]
"""


def level(rules: str, n: int) -> str:
    """The rules of one level."""
    if n == 0:
        rules = rules.replace('"INDENT-N" ', "")
    rules = rules.replace("INDENT-N", "  " * n).replace("INDENT-M", "  " * (n + 1))
    return rules.replace("-N", f"-{n}").replace("-M", f"-{n + 1}")


def grammar() -> str:
    """The whole grammar."""
    levels = "".join(level(LEVEL, n) for n in range(LEVELS))
    return HEAD.replace("{levels}", str(LEVELS)) + levels + level(DEEPEST, LEVELS) + TAIL


if __name__ == "__main__":
    sys.stdout.write(grammar())
