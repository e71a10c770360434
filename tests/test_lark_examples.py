"""The example grammars of the Lark project, with their own sample inputs, as its source archive ships them.

The archive is read, not run: grammars and samples are strings in the syntax trees of its modules.
``make test`` fetches it; ``BYTEWRIGHT_LARK_SOURCE`` names another one.
"""

from __future__ import annotations

import ast
import functools
import json
import os
import pathlib
import random
import sys
import tarfile

import pytest

import bytewright as bw
from bytewright.errors import UnsupportedFeatureError
from lark_oracle import SHIPPED, assert_agree, generated, lark, mutations, oracle, parses, recogniser


@functools.cache
def files() -> dict[str, str]:
    """The texts below `examples/`, by path."""
    given = os.environ.get("BYTEWRIGHT_LARK_SOURCE")
    found = [pathlib.Path(given)] if given else sorted(pathlib.Path(sys.prefix, "data").glob("lark-*.tar.gz"))
    if not found:
        pytest.skip("no source archive of Lark: `make test` fetches it, or set BYTEWRIGHT_LARK_SOURCE")
    out = {}
    with tarfile.open(found[-1]) as archive:
        for member in archive:
            _, _, path = member.name.partition("/examples/")
            content = archive.extractfile(member)
            if content is not None and path.endswith((".py", ".lark", ".txt")):
                out[path] = content.read().decode()
    return out


def strings(path: str, name: str) -> list[str]:
    """The texts assigned to a variable, and those given first to calls of a function, of this name."""
    out = []
    for node in ast.walk(ast.parse(files()[path])):
        if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == [name]:
            values = node.value.elts if isinstance(node.value, ast.List) else [node.value]
        elif isinstance(node, ast.Call) and node.args and ast.unparse(node.func).split(".")[-1] == name:
            values = node.args[:1]
        else:
            continue
        out += [v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)]
    return out


def grammar_of(path: str, name: str) -> str:
    return files()[path] if path.endswith(".lark") else strings(path, name)[0]


# For each file with a grammar: the variable or call that has it, the start rule, where its samples are, and
# characters that mutations put in.
EXAMPLES = {
    "advanced/_json_parser.py": (
        "json_grammar",
        "start",
        ("advanced/reconstruct_json.py", "test_json"),
        '",',
    ),
    "advanced/conf_earley.py": ("Lark", "start", ("advanced/conf_earley.py", "sample_conf"), "=]"),
    "advanced/conf_lalr.py": ("Lark", "start", ("advanced/conf_lalr.py", "sample_conf"), "=]"),
    "advanced/create_ast.py": ("Lark", "start", ("advanced/create_ast.py", "parse"), "1;f"),
    "advanced/dynamic_complete.py": ("GRAMMAR", "start", ("advanced/dynamic_complete.py", "EXAMPLES"), "_\\"),
    "advanced/prioritizer.py": ("grammar", "start", ("advanced/prioritizer.py", "parse"), ""),
    "advanced/templates.py": ("grammar", "start", ("advanced/templates.py", "parse"), '":,'),
    "advanced/tree_forest_transformer.py": (
        "grammar",
        "sentence",
        ("advanced/tree_forest_transformer.py", "sentence"),
        "",
    ),
    "calc.py": ("calc_grammar", "start", ("calc.py", "calc"), "=(-"),
    "fruitflies.py": ("grammar", "sentence", ("fruitflies.py", "sentence"), ""),
    "json_parser.py": ("json_grammar", "start", ("json_parser.py", "test_json"), '",'),
    "standalone/json.lark": ("", "start", ("json_parser.py", "test_json"), '",'),
    "turtle_dsl.py": ("turtle_grammar", "start", ("turtle_dsl.py", "text"), "c1{"),
}

# What is not context-free, or no grammar of texts: names that a program around Lark must give sense to.
DECLARED = {
    "advanced/custom_lexer.py": ("Lark", "start", "STR"),
    "advanced/py3to2.py": ("TEMPLATED_PYTHON", "template_start", "_INDENT|_DEDENT"),
    "advanced/python2.lark": ("", "file_input", "_NEWLINE|_INDENT"),
    "indented_tree.py": ("tree_grammar", "start", "_INDENT|_DEDENT"),
}

# Tests below have their names.
OTHERS = {
    "advanced/template_lark.lark",
    "composition/csv.lark",
    "composition/json.lark",
    "composition/storage.lark",
    "grammars/verilog.lark",
    "relative-imports/multiple2.lark",
    "relative-imports/multiple3.lark",
    "relative-imports/multiples.lark",
    "tests/negative_priority.lark",
    "tests/no_newline_at_end.lark",
}


VARIABLES = ["Lark", "grammar", "GRAMMAR", "json_grammar", "calc_grammar", "tree_grammar", "turtle_grammar"]


def test_every_grammar_of_the_examples_is_here() -> None:
    def has_grammar(path: str) -> bool:
        if path.endswith(".lark"):
            return True
        return path.endswith(".py") and any(
            "\n" in text for name in VARIABLES for text in strings(path, name)
        )

    known = {*EXAMPLES, *DECLARED, *OTHERS}
    # One is a list of terminals for a lexer, without a start rule.
    assert {path for path in files() if has_grammar(path)} - known == {"advanced/qscintilla_json.py"}


@pytest.mark.parametrize("path", EXAMPLES)
def test_examples(path: str) -> None:
    name, start, samples_at, alphabet = EXAMPLES[path]
    samples = strings(*samples_at)
    assert samples
    # Long samples cost Lark's parser seconds each.
    count = max(4, 5000 // sum(map(len, samples)))
    text = grammar_of(path, name)
    options = {"start": start, "import_paths": [str(SHIPPED)]}
    assert_agree(text, samples, alphabet, count=min(count, 60), **options)
    sentences = generated(text, 60, random.Random(3), **options)
    theirs = oracle(text, **options)
    assert len(sentences) > 5
    assert [sentence for sentence in sentences if not theirs(sentence)] == []


@pytest.mark.parametrize("path", DECLARED)
def test_what_a_program_gives_sense_to_is_refused(path: str) -> None:
    name, start, declared = DECLARED[path]
    with pytest.raises(UnsupportedFeatureError, match=rf"declared terminal `({declared})`"):
        bw.Grammar.from_lark(grammar_of(path, name), start=start, import_paths=[SHIPPED])


def test_samples_that_have_errors() -> None:
    accepts = recogniser(grammar_of("json_parser.py", "json_grammar"))
    text = files()["advanced/error_reporting_earley.py"]
    examples = next(
        node.args[1]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "u.match_examples"
    )
    assert isinstance(examples, ast.Dict)
    wrong = [text for value in examples.values for text in ast.literal_eval(value)]
    wrong += strings("advanced/error_reporting_earley.py", "parse")
    wrong += strings("advanced/error_handling.py", "s")
    assert len(wrong) > 15
    assert [text for text in wrong if accepts(text)] == []


def test_relative_imports() -> None:
    grammars = {
        path.split("/")[1]: text for path, text in files().items() if path.startswith("relative-imports/")
    }
    accepts = recogniser(grammars["multiples.lark"], imports=grammars)
    for number in range(100):
        assert accepts(f"2:{number:b}") == (number % 2 == 0)
        assert accepts(f"3:{number:b}") == (number % 3 == 0)


def test_composition(tmp_path: pathlib.Path) -> None:
    for path, text in files().items():
        if path.startswith("composition/"):
            (tmp_path / path.split("/")[1]).write_text(text)
    text = (tmp_path / "storage.lark").read_text()
    ours = recogniser(text, import_paths=[tmp_path])
    combined = (tmp_path / "combined_csv_and_json.txt").read_text()
    samples = [json.dumps({"test": "a", "dict": {"list": [1, 1.2]}}), combined]
    for sample in samples:
        assert ours(sample)
    assert not ours(combined.replace(":", ";"))
    # Lark's own parser finds the relative imports of a file alone.
    theirs = lark.Lark.open(str(tmp_path / "storage.lark"), parser="earley", lexer="dynamic_complete")
    rng = random.Random(7)
    for mutant in mutations(samples[0], samples[0] + combined, 60, rng):
        assert ours(mutant) == parses(theirs, mutant), mutant


def test_grammars_of_one_letter() -> None:
    for path in ("tests/negative_priority.lark", "tests/no_newline_at_end.lark"):
        accepts = recogniser(files()[path])
        assert [text for text in ("a", "", "aa", "b") if accepts(text)] == ["a"]


# The smallest of the ISCAS'85 benchmark circuits, c17, which CircuitGraph (where the grammar is from) ships.
C17 = """module c17 (N1,N2,N3,N6,N7,N22,N23);
input N1,N2,N3,N6,N7;
output N22,N23;
wire N10,N11,N16,N19; // gates
nand NAND2_1 (N10, N1, N3);
nand NAND2_2 (N11, N3, N6);
assign N16 = ~(N2 & N11);
/* the last */ nand NAND2_6 (.A(N23), .B(N16), .C(N19 ? 1'b0 : N7));
endmodule
"""


def test_verilog() -> None:
    # It comes without samples.
    assert_agree(files()["grammars/verilog.lark"], [C17], "(;,/*", count=15)


LISTED = ["advanced/python2.lark", "relative-imports/multiples.lark", "relative-imports/multiple2.lark"]
LISTED += ["relative-imports/multiple3.lark", "tests/no_newline_at_end.lark", "tests/negative_priority.lark"]
LISTED += ["standalone/json.lark"]


@pytest.mark.parametrize("grammar", ["lark.lark", "advanced/template_lark.lark"])
def test_the_grammar_of_lark_on_the_files_of_the_example(grammar: str) -> None:
    """What `lark_grammar.py` does, and the same for the grammar that is written with templates."""
    is_lark = grammar == "lark.lark"
    assert set(LISTED) == {p for p in LISTED if p in files()["lark_grammar.py"]}
    accepts = recogniser((SHIPPED / grammar).read_text() if is_lark else files()[grammar])
    texts = [files()[path] for path in LISTED]
    texts += [path.read_text() for path in sorted(SHIPPED.glob("*.lark"))]
    refused = [text for text in texts if not accepts(text)]
    # That grammar has neither priorities below zero nor comments after `#`; Lark with it refuses these, too.
    assert refused == ([] if is_lark else [files()["tests/negative_priority.lark"], texts[-3]])
    assert is_lark or texts[-3].startswith("# ")
