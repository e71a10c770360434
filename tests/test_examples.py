"""The examples run. Those that load a model skip where its weights are not installed."""

import json
import pathlib
import subprocess
import sys

import pytest

import assets

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"


def run(name, *args):
    command = [sys.executable, str(EXAMPLES / name), *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_loop_written_for_xgrammar():
    pytest.importorskip("torch")
    json.loads(run("xgrammar_drop_in.py", "--seed", "1"))


def test_plain_loop():
    pytest.importorskip("transformers")
    assets.SMOLLM2_GGUF.require()
    assert set(json.loads(run("plain_loop.py").strip().splitlines()[-1])) == {"city", "rivers"}


def test_generate_with_a_grammar_a_prompt():
    pytest.importorskip("transformers")
    assets.SMOLLM2_GGUF.require()
    answers = run("transformers_generate.py").strip().splitlines()[-3:]
    assert answers[0].endswith(("yes", "no"))
    assert " and " in answers[2]
