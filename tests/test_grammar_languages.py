"""Ready grammars of languages beside their parsers, on real texts and on damaged copies of them.

Most of these grammars are subsets: then only a text that the grammar takes and the parser refuses
is a mistake.
"""

import ast
import html.entities
import html.parser
import importlib
import json
import keyword
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import warnings
from xml.parsers import expat

import pytest

from ready_grammars import GRAMMARS, accepts, compare, explain, grown, mutations, samples


def texts_near(name, count, *, extra=""):
    """The samples of a grammar, and copies of the good ones, damaged or grown by what the grammar allows."""
    good = samples(name, "accept")
    bad = samples(name, "reject")
    return [*good, *bad, *mutations(good, count, extra=extra), *grown(name, good, min(count // 4, 800))]


def check(name, parses, texts, *, subset=True, least=500):
    """`compare`, which must have met enough texts of either kind to mean something."""
    accepted, refused = compare(name, parses, texts, subset=subset)
    assert min(accepted, refused) >= least, (accepted, refused)


def words_replaced(texts, words):
    """Each of `texts` with each word in it replaced by each of `words` in turn."""
    for text in texts:
        for found in re.finditer(r"\b[a-zA-Z_]\w*\b", text):
            for word in words:
                yield text[: found.start()] + word + text[found.end() :]


@pytest.mark.parametrize("name", ["python", "yaml_lite"])
def test_files_are_what_their_tools_write(name, monkeypatch):
    monkeypatch.syspath_prepend(str(GRAMMARS / "tools"))
    tool = importlib.import_module(f"{name.removesuffix('_lite')}_grammar")
    assert (GRAMMARS / f"{name}.ebnf").read_text(encoding="utf-8") == tool.grammar()


@pytest.mark.parametrize(
    ("name", "rule", "options"),
    [
        ("c", "name", {"prefix": "name-"}),
        ("javascript_expressions", "name", {"prefix": "name-", "extra": "_$"}),
        ("sql", "word", {"prefix": "word-", "any_case": True}),
    ],
)
def test_names_are_no_reserved_words(name, rule, options, monkeypatch):
    """The words that the comment above the rules lists are those that the rules leave out."""
    monkeypatch.syspath_prepend(str(GRAMMARS / "tools"))
    tool = importlib.import_module("reserved_words")
    text = (GRAMMARS / f"{name}.ebnf").read_text(encoding="utf-8")
    comment = re.search(r"\n# A (?:name|word) [^:\n]*:\n((?:# .*\n)*?)# by a tree", text)
    words = comment[1].replace("# ", " ").split()
    assert len(words) > 40
    assert text.endswith("\n" + tool.not_words(rule, words, **options))


# SQL

SQLITE_KEYWORDS = re.findall(
    r"\w+",
    """
    ABORT ACTION ADD AFTER ALL ALTER ALWAYS ANALYZE AND AS ASC ATTACH AUTOINCREMENT BEFORE BEGIN
    BETWEEN BY CASCADE CASE CAST CHECK COLLATE COLUMN COMMIT CONFLICT CONSTRAINT CREATE CROSS
    CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DATABASE DEFAULT DEFERRABLE DEFERRED DELETE
    DESC DETACH DISTINCT DO DROP EACH ELSE END ESCAPE EXCEPT EXCLUDE EXCLUSIVE EXISTS EXPLAIN FAIL
    FILTER FIRST FOLLOWING FOR FOREIGN FROM FULL GENERATED GLOB GROUP GROUPS HAVING IF IGNORE
    IMMEDIATE IN INDEX INDEXED INITIALLY INNER INSERT INSTEAD INTERSECT INTO IS ISNULL JOIN KEY LAST
    LEFT LIKE LIMIT MATCH MATERIALIZED NATURAL NO NOT NOTHING NOTNULL NULL NULLS OF OFFSET ON OR
    ORDER OTHERS OUTER OVER PARTITION PLAN PRAGMA PRECEDING PRIMARY QUERY RAISE RANGE RECURSIVE
    REFERENCES REGEXP REINDEX RELEASE RENAME REPLACE RESTRICT RETURNING RIGHT ROLLBACK ROW ROWS
    SAVEPOINT SELECT SET TABLE TEMP TEMPORARY THEN TIES TO TRANSACTION TRIGGER UNBOUNDED UNION
    UNIQUE UPDATE USING VACUUM VALUES VIEW VIRTUAL WHEN WHERE WINDOW WITH WITHOUT
    """,
)


@pytest.fixture(scope="module")
def sqlite():
    """Whether SQLite can parse a statement. That its tables are not there is no matter of syntax."""
    if sqlite3.sqlite_version_info < (3, 37):
        pytest.skip(f"SQLite {sqlite3.sqlite_version} has less syntax than the grammar")
    connection = sqlite3.connect(":memory:")

    def parses(text):
        try:
            connection.execute(f"EXPLAIN {text}")
        except (sqlite3.ProgrammingError, sqlite3.Warning) as error:
            return "one statement" not in str(error) and "null character" not in str(error)
        except sqlite3.Error as error:
            return re.search("syntax error|incomplete input|unrecognized token", str(error)) is None
        return True

    yield parses
    connection.close()


def test_sql(sqlite):
    check("sql", sqlite, texts_near("sql", 30000, extra="'\"()-,. "))


def test_sql_keywords_as_names(sqlite):
    names = words_replaced(samples("sql", "accept"), [*SQLITE_KEYWORDS, "true", "rowid", "strict", "within"])
    check("sql", sqlite, names)


# Regular expressions


def test_regex():
    def parses(text):
        try:
            re.compile(text)
        except (re.error, OverflowError, Warning):
            return False
        return True

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check("regex", parses, texts_near("regex", 20000, extra="()[]{}*+?|\\^$-,0123"))


# GraphQL


def test_graphql():
    graphql = pytest.importorskip("graphql", reason="needs the extra test")

    def parses(text):
        try:
            graphql.parse(text)
        except graphql.GraphQLSyntaxError:
            return False
        return True

    check("graphql", parses, texts_near("graphql", 8000, extra='()[]{}"!$@:=|&'))


# XML and HTML


def test_xml():
    """The same documents as expat, but for what the header names: tags, attributes twice, declarations."""
    mismatch, duplicate = 7, 8

    def error(text):
        parser = expat.ParserCreate("UTF-8")
        try:
            parser.Parse(text.encode(), True)
        except expat.ExpatError as error:
            return error.code
        return None

    texts = texts_near("xml", 20000, extra="<>&;/?!-[]'\"=x#0")
    errors = {text: error(text) for text in texts}
    outside = {text for text in texts if errors[text] in (mismatch, duplicate)}
    for text in texts:
        # An expat that does not check the version or the encoding's name is no judge of declarations.
        has_more = re.match(r"<\?xml\s", text) or "<!DOCTYPE" in text
        if not accepts("xml", text) and has_more:
            outside.add(text)
    check("xml", lambda text: errors[text] is None, [t for t in texts if t not in outside], subset=False)


@pytest.mark.parametrize(
    "code", [0, 9, 13, 31, 32, 99, 127, 0xD7FF, 0xD800, 0xDFFF, 0xFFFD, 0xFFFE, 65536, 1114111, 1114112]
)
def test_xml_characters(code):
    allowed = (
        code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000
    )
    assert accepts("xml", f"<a>&#{code};&#00{code};</a>") == allowed
    assert accepts("xml", f"<a>&#x{code:x};&#x00{code:X};</a>") == allowed


class Nesting(html.parser.HTMLParser):
    """Start and end tags match, and paragraphs, headings and links hold what they may."""

    VOID = frozenset({"br", "wbr", "img", "hr", "meta"})
    PHRASES = frozenset(
        re.findall(
            r"\w+",
            "p h1 h2 h3 h4 h5 h6 pre caption dt th a em "
            "strong b i u s code kbd sub sup small mark span q cite",
        )
    )
    BLOCKS = frozenset(
        re.findall(
            r"\w+",
            "p h1 h2 h3 h4 h5 h6 pre div section article main "
            "blockquote ul ol dl figure hr table li dt dd tr td th",
        )
    )

    def __init__(self):
        super().__init__(convert_charrefs=False)
        self.open, self.right = [], True

    def handle_starttag(self, tag, attributes):
        inside_phrase = any(name in self.PHRASES for name in self.open)
        self.right &= not (inside_phrase and tag in self.BLOCKS) and not (tag == "a" and "a" in self.open)
        parent = self.open[-1] if self.open else None
        self.right &= tag != "li" or parent in ("ul", "ol")
        self.right &= tag not in ("td", "th") or parent == "tr"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.right &= tag in self.VOID

    def handle_endtag(self, tag):
        self.right &= bool(self.open) and self.open.pop() == tag

    def handle_entityref(self, name):
        self.right &= f"{name};" in html.entities.html5

    def handle_data(self, data):
        self.right &= "<" not in data and "&" not in data

    def handle_comment(self, data):
        self.right = False


def test_html_lite():
    def nests(text):
        parser = Nesting()
        parser.feed(text)
        parser.close()
        return parser.right and not parser.open

    check("html_lite", nests, texts_near("html_lite", 10000, extra='<>/&;="'))


# TOML and YAML


def test_toml():
    """The same documents as the standard library, but for keys and tables that are defined twice."""
    tomllib = pytest.importorskip("tomllib", reason="needs Python 3.11")
    twice = "Cannot overwrite|Cannot declare|Cannot mutate|Duplicate inline|Cannot redefine"

    def error(text):
        try:
            tomllib.loads(text)
        except ValueError as error:
            return str(error)
        return ""

    texts = texts_near("toml", 15000, extra="'\"[]{}=#,.\n\\")
    texts = [text for text in texts if not re.search(twice, error(text))]
    check("toml", lambda text: not error(text), texts, subset=False)


@pytest.mark.parametrize("kind", ["valid", "invalid"])
def test_toml_test_suite(kind):
    """The cases of toml-test that CPython ships, where it ships its tests."""
    tests = pytest.importorskip("test.test_tomllib", reason="needs CPython's tests")
    files = sorted(pathlib.Path(tests.__file__).parent.glob(f"data/{kind}/**/*.toml"))
    if not files:
        pytest.skip("needs CPython's tests with their data")
    taken = [file for file in files if accepts("toml", file.read_bytes())]
    if kind == "valid":
        assert taken == files
        return
    # Those that define a key or a table twice.
    names = re.compile(
        "mutate|overwrite|twice|overrid|extend-defined|access-non-table|redefine|duplicate|override-val"
    )
    assert [file for file in taken if not names.search(file.stem)] == []
    assert len(taken) < len(files)


def test_yaml_lite():
    yaml = pytest.importorskip("yaml", reason="needs the extra test")

    def parses(text):
        try:
            yaml.compose(text, Loader=yaml.SafeLoader)
        except (yaml.YAMLError, ValueError):
            return False
        return True

    check("yaml_lite", parses, texts_near("yaml_lite", 4000, extra="[]{}'\"-#:|>?,&*!% \n\t"))


# Markdown, LaTeX


def test_markdown_table():
    markdown_it = pytest.importorskip("markdown_it", reason="needs the extra test")
    parser = markdown_it.MarkdownIt("commonmark").enable("table")

    def is_table(text):
        kinds = [token.type for token in parser.parse(text)]
        if (
            not kinds
            or kinds[0] != "table_open"
            or kinds[-1] != "table_close"
            or kinds.count("table_open") != 1
        ):
            return False
        rows = "".join(
            {"tr_open": "|", "th_open": "c", "td_open": "c"}.get(kind, "") for kind in kinds
        ).split("|")
        return len(set(rows[1:])) == 1

    check("markdown_table", is_table, texts_near("markdown_table", 5000, extra="|\\-:\n`"))


def test_latex_math():
    """Matplotlib knows no environments, and a few commands fewer."""
    mathtext = pytest.importorskip("matplotlib.mathtext", reason="needs the extra test")
    parser = mathtext.MathTextParser("path")

    def parses(text):
        try:
            parser.parse(f"${text}$")
        except ValueError:
            return False
        return True

    texts = [text for text in texts_near("latex_math", 3000, extra="{}\\^_") if accepts("latex_math", text)]
    texts = [text for text in texts if not re.search(r"\\(begin|le|ge|iff)(?![a-z])", text)]
    assert len(texts) > 500
    compare("latex_math", parses, texts)


# JavaScript


def test_javascript_expressions():
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    script = """
        const vm = require("vm"), texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
        const error = (text) => {
            try { new vm.Script(`(${text}\\n)`); return "" } catch (e) { return e.message || "?" }
        };
        console.log(JSON.stringify(texts.map(error)));
    """
    name = "javascript_expressions"
    texts = texts_near(name, 20000, extra="(){}[]`'\"+-*/<>!?.:=,&|\n")
    words = [
        "if",
        "let",
        "new",
        "await",
        "yield",
        "static",
        "null",
        "this",
        "typeof",
        "of",
        "async",
        "eval",
        "in",
    ]
    texts += words_replaced(samples(name, "accept"), words)
    done = subprocess.run(
        [node, "-e", script], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    errors = dict(zip(texts, json.loads(done.stdout), strict=True))
    # The header says what no context-free grammar can tell.
    texts = [text for text in texts if not re.search("Duplicate (parameter|__proto__)", errors[text])]
    check(name, lambda text: not errors[text], texts)


# C


def test_c():
    c_parser = pytest.importorskip("pycparser.c_parser", reason="needs the extra test")
    types = [
        "size_t",
        "bool",
        "FILE",
        "int8_t",
        "int16_t",
        "int32_t",
        "int64_t",
        "uint8_t",
        "uint16_t",
        "uint32_t",
        "uint64_t",
    ]
    declared = "".join(f"typedef int {name};" for name in types)

    def parses(text):
        """The parser comes after the preprocessor, so it sees no comments and no directives."""
        text = re.sub(r"//.*|/\*(.|\n)*?\*/", " ", text)
        text = re.sub(r"^\s*#(include|define)[ \t].*", "", text, flags=re.MULTILINE)
        try:
            c_parser.CParser().parse(declared + "\n" + text)
        except c_parser.ParseError:
            return False
        return True

    texts = texts_near("c", 6000, extra="(){}[]'\"+-*/<>!?.:=,&|;\n")
    # Comment signs in strings, sizes that begin with a star, CR: the parser or the lines above are wrong.
    texts = [text for text in texts if not re.search(r"[\"'].*(//|/\*)|\[\s*\*|\r", text)]
    check("c", parses, texts)


# Python


def parses_as_python(text):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return False
    return True


@pytest.fixture(scope="module")
def library():
    """The standard library's modules, as far as they are text of this Python."""
    texts = []
    folder = pathlib.Path(sysconfig.get_paths()["stdlib"])
    for file in sorted([*folder.glob("*.py"), *folder.glob("*/*.py")]):
        if not {"test", "site-packages", "lib2to3", "idlelib"} & set(file.relative_to(folder).parts):
            try:
                text = file.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
            if parses_as_python(text):
                texts.append(text)
    return texts


def statements(text):
    """The statements of a module, each with its decorators, as texts of their own."""
    lines = text.splitlines(keepends=True)
    for node in ast.parse(text).body:
        start = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
        piece = "".join(lines[start - 1 : node.end_lineno])
        yield node, piece if piece.endswith("\n") else piece + "\n"


def test_python_takes_most_of_the_standard_library(library, record_property):
    modules = [accepts("python", text) for text in library]
    definitions = [
        accepts("python", piece)
        for text in library
        for node, piece in statements(text)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    share = sum(modules) / len(modules), sum(definitions) / len(definitions)
    summary = (
        f"modules {sum(modules)} of {len(modules)}, definitions {sum(definitions)} of {len(definitions)}"
    )
    record_property("python_grammar", summary)
    print(f"\nthe standard library of Python {sys.version_info.major}.{sys.version_info.minor}: {summary}")
    assert share[0] > 0.9
    assert share[1] > 0.98


def test_python_never_takes_what_python_refuses(library):
    pieces = [
        piece for text in library for _, piece in statements(text) if len(piece) < 600 and piece.isascii()
    ]
    pieces = [piece for piece in pieces[::3] if accepts("python", piece)]
    assert len(pieces) > 500
    texts = mutations(pieces, 40000, extra="(){}[]'\"+-*/<>!?.:=,&|\n \\")
    check("python", parses_as_python, [*pieces, *texts])
    check("python", parses_as_python, texts_near("python", 10000, extra="(){}[]'\"*:=,\n \\"))


def test_python_keywords_as_names():
    names = words_replaced(samples("python", "accept"), [*keyword.kwlist, "match", "type", "print"])
    check("python", parses_as_python, names)


# Chess


def test_pgn_is_made_of_moves():
    """A game without tags, comments, annotations, numbers and brackets is moves and one result."""

    def parses(text):
        text = re.sub(r'^\[\w+ +"([^"\\\n]|\\.)*"\]\n', "", text, flags=re.MULTILINE)
        text = re.sub(r"\{[^}]*\}|;[^\n]*\n|\$\d{1,3}(?=[\s)])", " ", text)
        while (shorter := re.sub(r"\([^()]+\)", " ", text)) != text:
            words = re.search(r"\(([^()]+)\)", text)[1].split()
            if not all(is_move(word) for word in words):
                return False
            text = shorter
        words = text.split()
        return (
            bool(words) and words[-1] in results and all(word in results or is_move(word) for word in words)
        )

    def is_move(word):
        word = re.sub(r"^\d+\.(\.\.)?", "", word)
        return (
            re.fullmatch(r"(O-O(-O)?|[KQRBN]?[a-h]?[1-8]?x?[a-h][1-8](=[QRBN])?)[+#]?[!?]{0,2}|", word)
            is not None
        )

    results = {"1-0", "0-1", "1/2-1/2", "*"}
    texts = texts_near("pgn", 5000, extra='(){}[];$!?*"\n')
    for text in texts:
        assert not accepts("pgn", text) or parses(text), text
    assert sum(accepts("pgn", text) for text in texts) > 500


def test_every_sample_that_is_accepted_is_one_of_its_parser():
    """The samples themselves, where the parser needs no installation."""
    for text in samples("python", "accept"):
        assert parses_as_python(text), explain("python", text)
    for text in samples("json", "accept"):
        json.loads(text)
