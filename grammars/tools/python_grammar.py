r"""Writes `python.ebnf`: what EBNF has no templates for, namely copies of rules.

Expressions come twice, since line breaks are white space inside brackets alone; compound statements once for each level of
indentation; the fields of f-strings once for each kind of quote.

    python grammars/tools/python_grammar.py > rust/core/grammars/python.ebnf
"""

from __future__ import annotations

import keyword
import re
import sys

from reserved_words import not_words

LEVELS = 9

HEAD = r"""# A Python module (The Python Language Reference, version 3.10): all statements but `match` and `type`, functions, classes,
# decorators, comprehensions, lambdas, f-strings; blocks are indented by four blanks a level, {levels} levels deep at most.
# What it takes `ast.parse` takes; like it, it does not see what only the compiler refuses, such as `return` outside a function.
# Left out: other indentation, tabs at the start of a line, carriage returns, a last line without its line break, names beyond
# ASCII, keywords or strings with no blank where Python needs none (`not(x)`, `"a""b"`), members of numbers, `\N{...}`, raw
# f-strings of three quotes, fields of f-strings that hold more than names, plain strings, members, calls, indices, arithmetic
# and one condition, parenthesised `with` items, `except*`, a starred index, empty targets.
# (Written by `grammars/tools/python_grammar.py`: what stands twice differs in white space, depth or quotes alone.)

root ::= blank-line* statement-0*

# White space outside brackets, and inside them. `s` stands where two words would else be one.
w     ::= ([ \t] | "\\\n")*
s     ::= ([ \t] | "\\\n")+
in-w  ::= ([ \t\n] | "\\\n" | "#" [^\n\r\x00]* "\n")*
in-s  ::= ([ \t\n] | "\\\n" | "#" [^\n\r\x00]* "\n")+

newline    ::= [ \t]* ("#" [^\n\r\x00]*)? "\n" blank-line*
blank-line ::= [ \t\f]* ("#" [^\n\r\x00]*)? "\n"

# Simple statements.

simple-line ::= simple (w ";" w simple)* (w ";")? newline

simple ::=
    starred-list | yield | (targets w "=" w)+ value | target w augmented w value |
    target w ":" w expression (w "=" w value)? |
    "return" (s starred-list)? | "raise" (s expression (s "from" s expression)?)? | "pass" | "break" | "continue" |
    "del" s deleted (w "," w deleted)* (w ",")? | "assert" s expression (w "," w expression)? |
    ("global" | "nonlocal") s name (w "," w name)* |
    "import" s module (w "," w module)* |
    "from" s ("."* dotted | "."+) s "import" s ("*" | imported (w "," w imported)* |
    "(" in-w in-imported (in-w "," in-w in-imported)* (in-w ",")? in-w ")")
value     ::= starred-list | yield
augmented ::= "+=" | "-=" | "*=" | "/=" | "//=" | "%=" | "@=" | "&=" | "|=" | "^=" | ">>=" | "<<=" | "**="
dotted    ::= name ("." name)*
module    ::= dotted (s "as" s name)?
imported  ::= name (s "as" s name)?
in-imported ::= name (in-s "as" in-s name)?
"""

STATEMENTS = r"""
statement-N ::=
    simple-line | if-N | while-N | for-N | try-N | with-N | function-N | class-N
block-N ::= w ":" (w simple-line | newline body-M)
body-M  ::= ("INDENT-M" statement-M)+
if-N    ::= "if" s named block-N ("INDENT-N" "elif" s named block-N)* else-N?
while-N ::= "while" s named block-N else-N?
for-N   ::= ("async" s)? "for" s targets s "in" s starred-list block-N else-N?
else-N  ::= "INDENT-N" "else" block-N
try-N   ::= "try" block-N (except-N+ else-N? finally-N? | except-N* default-N else-N? finally-N? | finally-N)
except-N  ::= "INDENT-N" "except" s expression (s "as" s name)? block-N
default-N ::= "INDENT-N" "except" block-N
finally-N ::= "INDENT-N" "finally" block-N
with-N  ::= ("async" s)? "with" s managed (w "," w managed)* block-N
function-N ::= (decorator "INDENT-N")* ("async" s)? "def" s name signature block-N
class-N ::= (decorator "INDENT-N")* "class" s name (w "(" in-w (ordered-arguments in-w)? ")")? block-N
"""

DEEPEST = r"""
# The deepest level has no blocks, but those on the line that opens them.
statement-N ::= simple-line | if-N | while-N | for-N | with-N
block-N ::= w ":" w simple-line
if-N    ::= "if" s named block-N ("INDENT-N" "elif" s named block-N)* else-N?
while-N ::= "while" s named block-N else-N?
for-N   ::= "for" s targets s "in" s starred-list block-N else-N?
else-N  ::= "INDENT-N" "else" block-N
with-N  ::= "with" s managed (w "," w managed)* block-N
"""

MIDDLE = r"""
managed   ::= expression (s "as" s target-or-group)?
decorator ::= "@" w named newline

# Parameters: those with defaults come last before `*`.

signature  ::= w "(" in-w (parameters in-w)? ")" (w "->" w expression)?
parameters ::= (positional (in-c starred-parameters)? | starred-parameters) (in-w ",")?
positional ::=
    plains (in-c "/" (in-c plains)?)? (in-c defaults)? | plains in-c defaults in-c "/" (in-c defaults)? |
    defaults (in-c "/" (in-c defaults)?)?
plains     ::= parameter (in-c parameter)*
defaults   ::= default (in-c default)*
parameter  ::= name (in-w ":" in-w in-expression)?
default    ::= parameter in-w "=" in-w in-expression
keyword-parameter  ::= parameter (in-w "=" in-w in-expression)?
starred-parameters ::=
    "*" in-w (parameter | "," in-w keyword-parameter) (in-c keyword-parameter)* (in-c double-starred)? | double-starred
double-starred ::= "**" in-w parameter
in-c ::= in-w "," in-w

# Arguments in brackets: those before a keyword have none, those after `**` are keywords or `**` too.

arguments ::= "(" in-w (ordered-arguments in-w | in-named in-comprehension in-w)? ")"
ordered-arguments ::=
    (argument (in-c argument)* (in-c keywords)? (in-c maps)? | keywords (in-c maps)? | maps) (in-w ",")?
argument ::= in-named | "*" in-w in-expression
keywords ::= keyword (in-c (keyword | "*" in-w in-expression))*
maps     ::= "**" in-w in-expression (in-c (keyword | "**" in-w in-expression))*
keyword  ::= name in-w "=" in-w in-expression

index ::= "[" in-w slice (in-c slice)* (in-w "," )? in-w "]"
slice ::= in-named | (in-expression in-w)? ":" (in-w in-expression)? (in-w ":" (in-w in-expression)?)?

# Brackets.

bracket ::=
    "(" in-w (in-yield | in-named | in-named in-comprehension | in-starred in-c in-items?) in-w ")" | "(" in-w ")" |
    "[" in-w (in-items | in-named in-comprehension)? in-w "]" |
    "{" in-w (pairs (in-w ",")? | pair-of in-comprehension | in-items | in-named in-comprehension)? in-w "}"
in-comprehension ::=
    (in-s ("async" in-s)? "for" in-s in-targets in-s "in" in-s in-disjunction (in-s "if" in-s in-disjunction)*)+
in-starred ::= "*" in-w in-sum | in-named
in-items ::= in-starred (in-c in-starred)* (in-w ",")?
pairs    ::= pair (in-c pair)*
pair     ::= pair-of | "**" in-w in-sum
pair-of  ::= in-expression in-w ":" in-w in-expression
"""

EXPRESSIONS = r"""
starred-list ::= starred-value (w "," w starred-value)* (w ",")?
starred-value ::= "*" w sum | expression
named      ::= name w ":=" w expression | expression
yield      ::= "yield" (s "from" s expression | s starred-list)?
expression ::= disjunction (s "if" s disjunction s "else" s expression)? | lambda

lambda ::= "lambda" (s lambda-parameters)? w ":" w expression
lambda-parameters ::= (lambda-positional (c lambda-starred)? | lambda-starred) (w ",")?
lambda-positional ::=
    lambda-plains (c "/" (c lambda-plains)?)? (c lambda-defaults)? |
    lambda-plains c lambda-defaults c "/" (c lambda-defaults)? |
    lambda-defaults (c "/" (c lambda-defaults)?)?
lambda-plains   ::= name (c name)*
lambda-defaults ::= name w "=" w expression (c name w "=" w expression)*
lambda-keyword  ::= name (w "=" w expression)?
lambda-starred  ::=
    "*" w (name | "," w lambda-keyword) (c lambda-keyword)* (c "**" w name)? | "**" w name
c ::= w "," w

disjunction ::= conjunction (s "or" s conjunction)*
conjunction ::= negation (s "and" s negation)*
negation    ::= ("not" s)* comparison
comparison  ::= sum ((w comparator w | s ("in" | "not" s "in" | "is" | "is" s "not") s) sum)*
comparator  ::= "==" | "!=" | "<=" | ">=" | "<" | ">"
sum      ::= factor (w operator w factor)*
operator ::= "+" | "-" | "*" | "/" | "//" | "%" | "@" | "<<" | ">>" | "&" | "^" | "|" | "**"
factor   ::= ([+\-~] w)* ("await" s)? operand
operand  ::= number | "..." | base suffix*
base     ::= name | "None" | "True" | "False" | strings | bytes | bracket
suffix   ::= w "." w name | w arguments | w index

targets ::= starred-target (w "," w starred-target)* (w ",")?
starred-target ::= ("*" w)? target-or-group
target-or-group ::= target | "(" in-w in-targets in-w ")" | "[" in-w in-targets in-w "]"
target  ::= name | base suffix* (w "." w name | w index)
deleted ::= target | "(" in-w in-deleted (in-c in-deleted)* (in-w ",")? in-w ")"

strings ::= string (s string)*
bytes   ::= byte-string (s byte-string)*
"""

LITERALS = r"""
# Numbers.

number ::=
    "0" | [1-9] ("_"? [0-9])* | float | (digits | float) [jJ] |
    "0" [xX] ("_"? [0-9a-fA-F])+ | "0" [oO] ("_"? [0-7])+ | "0" [bB] ("_"? [01])+
float    ::= digits "." digits? exponent? | "." digits exponent? | digits exponent
exponent ::= [eE] [+\-]? digits
digits   ::= [0-9] ("_"? [0-9])*

# Strings. In those of three quotes, one or two may stand before any other character.

string ::=
    [uU]? ("\"" double-char* "\"" | "'" single-char* "'" | "\"\"\"" ("\""{,2} (double-char | "\n"))* "\"\"\"" |
           "'''" ("'"{,2} (single-char | "\n"))* "'''") |
    [rR] ("\"" raw-double* "\"" | "'" raw-single* "'" | "\"\"\"" ("\""{,2} (raw-double | "\n"))* "\"\"\"" |
          "'''" ("'"{,2} (raw-single | "\n"))* "'''") |
    [fF] ("\"" double-format* "\"" | "'" single-format* "'" |
          "\"\"\"" ("\""{,2} (double-format | "\n"))* "\"\"\"" | "'''" ("'"{,2} (single-format | "\n"))* "'''") |
    ([fF] [rR] | [rR] [fF]) ("\"" raw-double-format* "\"" | "'" raw-single-format* "'")
double-char ::= [^"\\\n\r\x00] | escape
single-char ::= [^'\\\n\r\x00] | escape
raw-double  ::= [^"\\\n\r\x00] | "\\" [^\r\x00]
raw-single  ::= [^'\\\n\r\x00] | "\\" [^\r\x00]
escape ::= "\\" ([^xuUN\r\x00] | "x" hex{2} | "u" hex{4} | "U" ("000" hex{5} | "0010" hex{4}))
hex    ::= [0-9a-fA-F]

byte-string ::=
    [bB] ("\"" double-byte* "\"" | "'" single-byte* "'" | "\"\"\"" ("\""{,2} (double-byte | "\n"))* "\"\"\"" |
          "'''" ("'"{,2} (single-byte | "\n"))* "'''") |
    ([rR] [bB] | [bB] [rR])
    ("\"" raw-double-byte* "\"" | "'" raw-single-byte* "'" | "\"\"\"" ("\""{,2} (raw-double-byte | "\n"))* "\"\"\"" |
     "'''" ("'"{,2} (raw-single-byte | "\n"))* "'''")
double-byte ::= [\x01-\x09\x0b\x0c\x0e-!#-\[\]-\x7f] | byte-escape
single-byte ::= [\x01-\x09\x0b\x0c\x0e-&(-\[\]-\x7f] | byte-escape
raw-double-byte ::= [\x01-\x09\x0b\x0c\x0e-!#-\[\]-\x7f] | "\\" [\x01-\x0c\x0e-\x7f]
raw-single-byte ::= [\x01-\x09\x0b\x0c\x0e-&(-\[\]-\x7f] | "\\" [\x01-\x0c\x0e-\x7f]
byte-escape ::= "\\" ([\x01-\x0c\x0e-wy-\x7f] | "x" hex{2})

# Fields of f-strings. A string in one has the other kind of quotes, and is plain.
"""

FIELDS = r"""
KIND-format ::=
    [^QUOTE\\{}\n\r\x00] | "{{" | "}}" | "\\" ([^xuUN{}\r\x00] | "x" hex{2} | "u" hex{4} | "U" ("000" hex{5} | "0010" hex{4})) |
    KIND-field
raw-KIND-format ::= [^QUOTE\\{}\n\r\x00] | "{{" | "}}" | "\\" [^{}\n\r\x00] | KIND-field
KIND-field ::= "{" b KIND-value b ("=" b)? ("!" [rsa])? (":" ([^"'\\{}\n\r\x00] | "{" b KIND-sum b "}")*)? "}"
KIND-sum   ::= KIND-term (b ("+" | "-" | "*" | "/" | "//" | "%" | "**") b KIND-term)*
KIND-term  ::=
    "-"? (number | name KIND-part* | "(" b KIND-sum b ")" KIND-part* | KIND-plain KIND-part+)
KIND-part  ::= "." name | "(" b (KIND-value (b "," b KIND-value)* b)? ")" |
    "[" b (KIND-value b | (KIND-sum b)? ":" b (KIND-sum b)?) "]"
KIND-value ::=
    KIND-simple (" if " KIND-simple (" " KIND-test " " KIND-simple)? " else " KIND-simple | " or " KIND-simple)?
KIND-test   ::= "==" | "!=" | "<" | ">" | "<=" | ">=" | "in" | "not in" | "is" | "is not"
KIND-simple ::= KIND-sum | KIND-plain | "None" | "True" | "False"
KIND-plain ::= OPEN [^"'\\{}#\n\r\x00]* OPEN
"""


def inner(rules: str) -> str:
    """The same rules for the inside of brackets: their names and white space with `in-` before them."""
    names = set(re.findall(r"^([a-z\-]+) +::=", rules, re.MULTILINE)) - {"operator", "comparator"}
    names |= {"w", "s"}
    quoted = r'("(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\])'
    parts = re.split(quoted, rules)
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(
            r"(?<![\w\-])[a-z][a-z\-]*(?![\w\-])", lambda m: "in-" + m[0] if m[0] in names else m[0], parts[i]
        )
    return re.sub(r"^(operator|comparator|in-c) +::=.*\n", "", "".join(parts), flags=re.MULTILINE)


def level(rules: str, n: int) -> str:
    """The statements of one level."""
    rules = re.sub(r'"INDENT-N" ("[a-z]+")', lambda m: f'"{" " * 4 * n}{m[1][1:]}', rules)
    rules = rules.replace('"INDENT-M" ', f'"{" " * 4 * (n + 1)}" ')
    rules = rules.replace(' "INDENT-N")', f' "{" " * 4 * n}")' if n else ")")
    return rules.replace("-N", f"-{n}").replace("-M", f"-{n + 1}")


def grammar() -> str:
    """The whole grammar."""
    sections = [
        HEAD.replace("{levels}", str(LEVELS)),
        "\n# Compound statements, by their level of indentation.\n",
    ]
    sections += [level(STATEMENTS, n) for n in range(LEVELS)]
    sections += [level(DEEPEST, LEVELS), MIDDLE]
    sections += ["\n# Expressions outside brackets.\n", EXPRESSIONS]
    sections += [
        "\n# Expressions inside brackets: the same rules with other white space.\n",
        inner(EXPRESSIONS),
    ]
    sections += [LITERALS]
    for kind, quote, other in (("double", '"', "'"), ("single", "'", '"')):
        opening = '"\'"' if other == "'" else '"\\""'
        sections.append(FIELDS.replace("KIND", kind).replace("QUOTE", quote).replace("OPEN", opening))
    sections += [
        'b ::= " "*\n\n# A name is no keyword: a tree of the keywords\' letters, equal branches one rule.\n\n'
    ]
    sections += [not_words("name", keyword.kwlist, prefix="name-")]
    return re.sub(r"\n{3,}", "\n\n", "".join(sections))


if __name__ == "__main__":
    sys.stdout.write(grammar())
