"""Lark grammars, with the Lark parser itself as the oracle.

Lark's Earley parser with the lexer `dynamic_complete` tries every cut of the text into terminals, which is
the language that `Grammar.from_lark` promises. Where even that parser takes less or more, a test below says
so by name.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import bytewright as bw
from bytewright.errors import GrammarSyntaxError, UnsupportedFeatureError
from lark_oracle import SHIPPED, assert_agree, lark, oracle, recogniser

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

# --- the grammars that Lark ships -------------------------------------------------------------------------

COMMON = {
    "DIGIT": ["7"],
    "HEXDIGIT": ["a", "F", "0"],
    "INT": ["012"],
    "SIGNED_INT": ["-12", "+1", "3"],
    "DECIMAL": ["1.", ".5", "1.5"],
    "FLOAT": ["1e5", "1.5E-3", ".5"],
    "SIGNED_FLOAT": ["-1.5", "+2e1"],
    "NUMBER": ["1", "1.5e3"],
    "SIGNED_NUMBER": ["-1", "+1.5e3"],
    "ESCAPED_STRING": ['"a"', '"\\""', '"\\\\"', '"a\\\\\\"b"', '""'],
    "LCASE_LETTER": ["q"],
    "UCASE_LETTER": ["Q"],
    "LETTER": ["q", "Q"],
    "WORD": ["aB"],
    "CNAME": ["_a1", "b"],
    "WS_INLINE": [" \t"],
    "WS": [" \t\f\r\n"],
    "CR": ["\r"],
    "LF": ["\n"],
    "NEWLINE": ["\n\r\n"],
    "SH_COMMENT": ["# a"],
    "CPP_COMMENT": ["// a"],
    "C_COMMENT": ["/* a\n* */", "/**/"],
    "SQL_COMMENT": ["-- a"],
}


@pytest.mark.parametrize("name", COMMON)
def test_common_terminals(name: str) -> None:
    assert_agree(f"start: {name}\n%import common.{name}", COMMON[name], 'a"\\*/\n0.', count=40)


def test_all_of_common_is_there() -> None:
    names = re.findall(r"^([A-Z]\w*) *:", (SHIPPED / "common.lark").read_text(), re.MULTILINE)
    assert set(names) == set(COMMON)


@pytest.mark.parametrize("name", ["WS", "WS_INLINE"])
def test_unicode_terminals(name: str) -> None:
    assert_agree(f"start: {name}\n%import unicode.{name}", [" \xa0\t"], "a\u2003\n")


def test_the_grammar_of_lark_itself() -> None:
    samples = [
        "a: b\n",
        'a: "x"i | /r\\/x/i\n',
        "?s: b~3..4 c? d* -> x\n",
        "%import a.b\n%declare X y\n",
        '%ignore A\nA.2: "a".."b"\n',
        "a{x}: b{x, Y}\n",
        "// c\na: [b] (c)\n  | d\n",
        "a: b ?c\n",
        "a:b?c\n",
    ]
    assert_agree((SHIPPED / "lark.lark").read_text(), samples, " ?!\n", count=12)


def test_expressions_of_python() -> None:
    samples = [
        "a+b*2",
        "[x for x in y if z]",
        "f(1, *a, **k)",
        "lambda x: x",
        "0_0",
        "1.5e3j",
        "not a in b",
        "\"a\" 'b'",
        '"""a"b"""',
        "'''x'''",
        "r'\\''",
        "1if 2else 3",
        "0x1F",
        "{'a':1,**b}",
    ]
    text = (SHIPPED / "python.lark").read_text()
    assert_agree(text, samples, " \"'0", count=10, start="eval_input")


def test_what_is_only_declared_is_refused_where_it_is_needed() -> None:
    text = (SHIPPED / "python.lark").read_text()
    with pytest.raises(UnsupportedFeatureError, match=r"declared terminal `_(INDENT|DEDENT|NEWLINE)`"):
        bw.Grammar.from_lark(text, start="file_input")


# --- grammars of many kinds; Lark's own examples are in test_lark_examples.py -----------------------------

EXAMPLES = {
    "json": (
        r"""
        ?start: value
        ?value: object | array | string | SIGNED_NUMBER -> number | "true" -> yes | "false" | "null"
        array: "[" [value ("," value)*] "]"
        object: "{" [pair ("," pair)*] "}"
        pair: string ":" value
        string: ESCAPED_STRING
        %import common (ESCAPED_STRING, SIGNED_NUMBER, WS)
        %ignore WS
        """,
        ['{"a": [1, 2.5e3, "x\\"y"], "b": null}', " [ true , false] ", '"a\\\\"'],
    ),
    "calc": (
        """
        ?start: sum | NAME "=" sum -> assign_var
        ?sum: product | sum "+" product -> add | sum "-" product -> sub
        ?product: atom | product "*" atom | product "/" atom
        ?atom: NUMBER -> number | "-" atom -> neg | NAME | "(" sum ")"
        %import common.CNAME -> NAME
        %import common.NUMBER
        %import common.WS_INLINE
        %ignore WS_INLINE
        """,
        ["a = 1+2*(3-x)", "((2))", "1.5 - -2"],
    ),
    "csv": (
        r"""
        start: header row+
        header: "#" " "? (WORD _SEPARATOR?)+ _NEWLINE
        row: (_anything _SEPARATOR?)+ _NEWLINE
        _anything: INT | WORD | NON_SEPARATOR_STRING | FLOAT | SIGNED_FLOAT
        NON_SEPARATOR_STRING: /[a-zA-Z.;\\\/]+/
        _SEPARATOR: /[ ]+/ | "\t" | ","
        %import common.NEWLINE -> _NEWLINE
        %import common (WORD, INT, FLOAT, SIGNED_FLOAT)
        """,
        ["# a b\n1 x.y\n", "#a,b\n-1.5,x\n2\n"],
    ),
    "ini": (
        r"""
        start: _NL? section+
        section: "[" NAME "]" _NL item*
        item: NAME "=" VALUE? _NL
        NAME: /\w/+
        VALUE: /./+
        %import common.NEWLINE -> _NL
        %import common.WS_INLINE
        %ignore WS_INLINE
        """,
        ["[a]\nb = c d\n", "\n[a]\n[b]\nx=\n"],
    ),
    "turtle": (
        """
        start: instruction+
        instruction: MOVEMENT NUMBER            -> movement
                   | "c" COLOR [COLOR]          -> change_color
                   | "fill" code_block          -> fill
                   | "repeat" NUMBER code_block -> repeat
        code_block: "{" instruction+ "}"
        MOVEMENT: "f"|"b"|"l"|"r"
        COLOR: LETTER+
        %import common.LETTER
        %import common.INT -> NUMBER
        %import common.WS
        %ignore WS
        """,
        ["c red yellow\nfill { repeat 36 {\n f200 l170\n}}", "f1b2", "cred"],
    ),
    "templates": (
        """
        start: list{pair{NAME, NUMBER}, ","} | "!" wrap{list}
        list{item, sep}: item (sep item)*
        pair{key, value}: "(" key ":" value ")"
        wrap{f}: "[" f{NAME, ";"} "]"
        NAME: "a".."c"
        NUMBER: "0".."2"~1..2
        %ignore " "
        """,
        ["(a:1),(b:20)", "![a;b]", "( c : 0 )"],
    ),
    "keywords": (
        r"""
        start: (statement ";")+
        statement: "if"i name name | name "=" name
        name: /(?!(if|in)\b)[a-z]+/
        %ignore /\s+/
        """,
        ["if a b;", "iffy=x; IF q r;", "inn = ifx;"],
    ),
    "counts": ('start: A~2..3 [B] C~2 D+\nA: "a"\nB: "b"~2\nC: /c/\nD: "d".."e"', ["aaccd", "aaabbccdede"]),
    "left and right": ('start: start "a" | "b" start | "c"', ["bbcaa", "c"]),
    "priorities": (
        'start.2: (A | B.. "e" )+\nA.3: "a"\nB: "b"'.replace("B.. ", "B | "),
        ["aabe"],
    ),
    "comments": (
        """
        # a comment
        start: a  // another
             // and one between alternatives
             | b

        a: "x"  # "y"
        b: ("z"
           | "w")+
        """,
        ["x", "zw"],
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(name: str) -> None:
    text, samples = EXAMPLES[name]
    assert_agree(text, samples, ' "\\,a1;', count=40)


def test_files_are_imported(tmp_path: pathlib.Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "names.lark").write_text(
        'pair: NAME _sep NAME\n_sep: ":" | DIGITS\nDIGITS: "1".."2"\n'
        '%import .more.WORD -> NAME\n%ignore "~"\n'
    )
    (tmp_path / "sub" / "more.lark").write_text('WORD: LETTER+\nLETTER: "a".."b"\n')
    text = """
    start: pair ("," pair)*
    %import sub.names.pair
    %import sub.names (NAME, DIGITS)
    %extend NAME: "zz"
    %override DIGITS: "3"
    """
    imports = {f"sub/{p.name}": p.read_text() for p in (tmp_path / "sub").iterdir()}
    theirs = oracle(text, import_paths=[str(tmp_path)])
    for ours in recogniser(text, imports=imports), recogniser(text, import_paths=[tmp_path]):
        for sample in ["a:b", "zz3ab,a:a", "a1b", "a~:b", "zzz:a", "a3zz", ":"]:
            assert ours(sample) == theirs(sample), sample
    with pytest.raises(GrammarSyntaxError, match=r"no grammar `sub/names.lark` to import"):
        bw.Grammar.from_lark(text)
    with pytest.raises(GrammarSyntaxError, match=r"`sub/more.lark` does not define `OTHER`"):
        bw.Grammar.from_lark("start: X\n%import sub.more.OTHER -> X", imports=imports)
    with pytest.raises(GrammarSyntaxError, match=r"in the imported grammar `a.lark`: expected"):
        bw.Grammar.from_lark("start: X\n%import a.X", imports={"a.lark": "X: +"})
    with pytest.raises(GrammarSyntaxError, match="nest too deeply"):
        bw.Grammar.from_lark("start: X\n%import a.X", imports={"a.lark": "%import a.X"})


# --- random grammars --------------------------------------------------------------------------------------

NAMES = ["start", "x", "y"]


def expressions(atoms: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        atoms,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(" ".join),
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({' | '.join(parts)})"),
            st.tuples(inner, st.sampled_from(["*", "+", "?", "~2", "~0..2"])).map(
                lambda pair: f"({pair[0]}){pair[1]}"
            ),
            inner.map(lambda text: f"[{text}]"),
        ),
        max_leaves=5,
    )


@settings(max_examples=150, deadline=None)
@given(
    bodies=st.tuples(*[expressions(st.sampled_from(['"a"', '"b"', '"ab"', "A", "B", *NAMES]))] * 3),
    terminal=st.sampled_from(['"a" | "b" "a"', '"ba"~1..2', '("a" "b"?)+', "/a+b?/"]),
    ignored=st.sampled_from(["", '%ignore " "', '%ignore "b"', '%ignore / +|_/\n%ignore "a"']),
    samples=st.lists(st.text("ab _", max_size=6), min_size=6, max_size=6),
)
def test_random_grammars(bodies, terminal, ignored, samples) -> None:
    rules = "\n".join(f"{name}: {body}" for name, body in zip(NAMES, bodies, strict=True))
    text = f'{rules}\nA: {terminal}\nB: "b"\n{ignored}\n'
    try:
        theirs = oracle(text)
    except lark.exceptions.GrammarError:  # Lark refuses rules that say something twice
        assume(False)
    try:
        ours = recogniser(text)
    except bw.EmptyLanguageError:
        ours = lambda _: False  # noqa: E731
    for sample in [*samples, "", "a", "ab", "ba b"]:
        assert ours(sample) == theirs(sample), (text, sample)


PIECES = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\w", r"\s", "ab", "c?", "b+"])
LOOKS = st.sampled_from(
    [
        "(?=a)",
        "(?!a)",
        "(?!ab)",
        "(?=.b)",
        "(?<=a)",
        "(?<!a)",
        "(?<=ab)",
        "^",
        "$",
        r"\b",
        r"\B",
        r"\Z",
        "(?=a|$)",
        "",
    ]
)


def patterns(lazy: bool) -> st.SearchStrategy[str]:
    quantifiers = ["*?", "+?", "??", "{1,2}?", "*"] if lazy else ["*", "+", "?", "{1,2}", "{2,}"]
    atoms = PIECES if lazy else st.one_of(PIECES, PIECES, LOOKS)
    return st.recursive(
        atoms,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=4).map("".join),
            st.lists(inner, min_size=2, max_size=2).map(lambda parts: f"(?:{'|'.join(parts)})"),
            st.tuples(inner, st.sampled_from(quantifiers)).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
        ),
        max_leaves=5,
    )


def cut(text: str, begin: int, terminals: list[Callable[[str, int, int], bool]]) -> bool:
    """Whether the rest of a text is a sequence of terminals."""
    if not terminals:
        return begin == len(text)
    return any(
        terminals[0](text, begin, end) and cut(text, end, terminals[1:])
        for end in range(begin, len(text) + 1)
    )


def in_context(pattern: str) -> Callable[[str, int, int], bool]:
    """Whether a pattern matches a part of a text, with all of the text there to look at."""

    def matches(text: str, begin: int, end: int) -> bool:
        here = re.compile(f"(?:{pattern})(?s:(?<=\\A.{{{end}}}))")
        return here.match(text, begin) is not None

    return matches


def by_preference(pattern: str) -> Callable[[str, int, int], bool]:
    """Whether `re` takes all of a part of a text when it has only that."""

    def matches(text: str, begin: int, end: int) -> bool:
        found = re.match(pattern, text[begin:end])
        return found is not None and found.end() == end - begin

    return matches


def assert_cuts(chosen: list[str], samples: list[str], one: Callable) -> None:
    text = "start: " + " ".join(f"/(?:{pattern})/" for pattern in chosen)
    try:
        ours = recogniser(text)
    except bw.EmptyLanguageError:
        ours = lambda _: False  # noqa: E731
    for sample in samples:
        if not sample and "\\B" in text:
            continue  # Before Python 3.14 `\B` fails on the empty text, against its definition.
        assert ours(sample) == cut(sample, 0, [one(pattern) for pattern in chosen]), (chosen, sample)


SAMPLES = ["".join(word) for n in range(4) for word in itertools.product("ab\n", repeat=n)]


@settings(max_examples=120, deadline=None)
@given(
    st.lists(patterns(lazy=False), min_size=1, max_size=3),
    st.lists(st.text("abc \n", max_size=6), max_size=6),
)
def test_lookaround_sees_the_text_around_the_terminal(chosen, samples) -> None:
    assert_cuts(chosen, SAMPLES + samples, in_context)


@settings(max_examples=120, deadline=None)
@given(
    st.lists(patterns(lazy=True), min_size=1, max_size=2), st.lists(st.text("abc", max_size=6), max_size=6)
)
def test_lazy_terminals_follow_the_order_of_re(chosen, samples) -> None:
    chosen = [f"(?:{pattern})(?:b)??" for pattern in chosen]
    assert_cuts(chosen, SAMPLES + samples, by_preference)


# --- where Lark itself differs, by name -------------------------------------------------------------------


def test_difference_nothing_is_matched_greedily() -> None:
    text = 'start: A "ab"\nA: /a*/'
    assert recogniser(text)("aab")
    text = 'start: STEM "ed"\nSTEM: "list" | "listen"'
    assert recogniser(text)("listed")
    assert recogniser(text)("listened")
    greedy = lark.Lark('start: A "ab"\nA: /a+/', parser="lalr")
    with pytest.raises(lark.exceptions.UnexpectedInput):
        greedy.parse("aab")


def test_difference_alternatives_of_a_pattern_have_no_order() -> None:
    text = "start: /a|ab/"
    assert recogniser(text)("ab")
    assert not oracle(text)("ab")


def test_difference_terminals_may_be_empty() -> None:
    text = 'start: A "b" ""\nA: /a*/'
    assert recogniser(text)("b")
    with pytest.raises(lark.exceptions.GrammarError):
        lark.Lark('start: ""\n')


def test_difference_shorter_matches_see_the_text_after_them() -> None:
    # Lark looks for shorter matches in the text cut off after them, where the word ends.
    text = r"start: /[a-z]+\b/ /[b ]/"
    assert recogniser(text)("a ")
    assert not recogniser(text)("ab")
    assert oracle(text)("ab")


@settings(max_examples=100, deadline=None)
@given(
    st.lists(patterns(lazy=False), min_size=3, max_size=3),
    st.lists(st.text("ab,()", max_size=7), min_size=8, max_size=8),
)
def test_lookaround_sees_across_rules(chosen: list[str], samples: list[str]) -> None:
    """The same through rules that nest and repeat, by a recogniser that follows the rules one by one."""
    first, second, third = (f"(?:{pattern})" for pattern in chosen)
    text = f'start: x ("," x | y)*\nx: /{first}/ | "(" start ")" | /{second}/ /a+/\ny: /{third}/ "b"'
    one, two, three, many = in_context(first), in_context(second), in_context(third), in_context("a+")

    def accepts(sample: str) -> bool:
        def run(matches: Callable[[str, int, int], bool], begin: int) -> set[int]:
            return {end for end in range(begin, len(sample) + 1) if matches(sample, begin, end)}

        def word(text: str, begin: int) -> set[int]:
            return {begin + len(text)} if sample.startswith(text, begin) else set()

        def x(begin: int, depth: int) -> set[int]:
            out = run(one, begin) | {end for mid in run(two, begin) for end in run(many, mid)}
            if depth:
                inner = {end for mid in word("(", begin) for end in start(mid, depth - 1)}
                out |= {end for mid in inner for end in word(")", mid)}
            return out

        def start(begin: int, depth: int) -> set[int]:
            done: set[int] = set()
            todo = x(begin, depth)
            while todo - done:
                at = (todo - done).pop()
                done.add(at)
                todo |= {end for mid in word(",", at) for end in x(mid, depth)}
                todo |= {end for mid in run(three, at) for end in word("b", mid)}
            return done

        return len(sample) in start(0, 4)

    try:
        ours = recogniser(text)
    except bw.EmptyLanguageError:
        ours = lambda _: False  # noqa: E731
    for sample in [*samples, "a", "aa,b", "(a)a", "ab", "bab,a"]:
        if sample or r"\B" not in text:
            assert ours(sample) == accepts(sample), (text, sample)
