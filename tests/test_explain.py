"""Pages that show grammars and runs: what is on them is right, in its place, escaped, and all there.

The layout is checked twice: by the numbers in the SVG, and, where there is a Chromium, by what a browser
measures.
"""

from __future__ import annotations

import base64
import json
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import bytewright as bw
from bytewright.explain import Recorder, grammar_page, replay, run_page
from bytewright.explain.ebnf import grammar_rules
from bytewright.explain.nodes import Note, Reference, Text, choice, repeat, sequence
from bytewright.explain.railroad import diagram_svg
from pages import Page, check_page, check_svg

DOCS = Path(__file__).resolve().parent.parent / "docs"
NASTY = r"""
root ::= "<script>alert('x')</script>" | "&amp; &" | "\"'`" | "\x00\x01\x1b\x7f" | "\u202e\u2066" | long | deep | "日本語" | all
long ::= "a" [a-z] "b" [^<&>"'] "c" [a-z]{3,5} "lorem" " " "ipsum" [^\n] "dolor sit amet consectetur elit" (words | deep){2} "x" "adipiscing elit sed do" "eiusmod tempor" "ut labore et dolore magna" "aliqua ut enim ad minim veniam quis nostrud exercitation ullamco"
deep ::= ((((((((((("a" | "b") "c")? "d")* "e")+ "f" | "g") "h")? "i")* "j" | "k") "l")+ "m")? "n")* "o"
words ::= "alpha" | "beta" | "gamma" | "delta" | "<eta>" | "zeta" | "eta" | "theta" | "iota" | "kappa" | "&lambda;" | [0-9]+
all ::= "a"{3} "b"{2,} ("c" "d"){0,7} [x-z]{1,4} "" ("q" | "") | (long ("," long)*)? | [Ww] [Oo] [Rr] [Dd] | %"\xff\xfe" | %[\x80-\xff]
"""  # noqa: E501
INFO = bw.TokenizerInfo(
    [*(bytes([b]) for b in range(256)), b'{"', b'":', b"true", b"<b>", b"</s>"], stop_token_ids=[260]
)
COMPILER = bw.GrammarCompiler(INFO)
SCHEMA = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": "^<[a-z]+>$", "maxLength": 20},
        "kind": {"enum": ["a", 1, None]},
        "next": {"$ref": "#"},
        "place": {"$ref": "#/$defs/a~1b"},
        "list": {"type": "array", "prefixItems": [{"const": "<&>"}], "items": {"type": "number"}},
        "inner": {"type": "object", "properties": {"x": {"type": ["integer", "null"], "minimum": 1}}},
        "odd": {"not": {"type": "string"}, "dependentRequired": {"p": ["q"]}},
    },
    "$defs": {"a/b": {"anyOf": [{"type": "boolean"}, {"oneOf": [{"multipleOf": 2}, {"maxProperties": 3}]}]}},
}


# --- grammars ---------------------------------------------------------------------------------------------


def test_every_rule_is_drawn_and_linked() -> None:
    grammar = bw.Grammar.builtin("json")
    page = check_page(grammar_page(grammar, "<json>"))
    names = re.findall(r"^([\w.-]+) ::= ", str(grammar), re.MULTILINE)
    assert len(page.svgs) == len(names)
    assert all(name in page.text for name in names)
    assert page.links.count("#rule-2") >= 3  # `value` in the list, in diagrams, and where it is used


def test_diagrams_say_what_the_grammar_says() -> None:
    rules = grammar_rules(
        bw.Grammar.from_ebnf('root ::= a ("," a)* "x"? [a-c]{2,4} | ""\na ::= [Nn] [Oo] "t"')
    ).diagrams
    a, comma = Reference("a"), Text(",")
    row = [repeat(a, 1, None, comma), repeat(Text("x"), 0, 1), repeat(Text("[a-c]", "class"), 2, 4)]
    assert rules["root"].node == choice([sequence(row), sequence([])])
    assert rules["a"].node == sequence(
        [Text("NO", "any-case", "in upper or lower case, letter by letter"), Text("t")]
    )


@pytest.mark.parametrize("name", bw.Grammar.builtin_names())
def test_ready_grammars(name: str) -> None:
    page = check_page(grammar_page(bw.Grammar.builtin(name), name))
    assert len(page.svgs) >= len(re.findall(r"^[\w.-]+ ::= ", str(bw.Grammar.builtin(name)), re.MULTILINE))


def test_every_front_end() -> None:
    lark = bw.Grammar.from_lark('start: WORD+ "<" /(?i:ab+)[^<]*x/\n%import common.WORD\n%ignore / /')
    tag = {
        "type": "tag",
        "begin": "<f>",
        "content": {"type": "json_schema", "json_schema": SCHEMA},
        "end": "</f>",
    }
    grammars = [
        lark,
        bw.Grammar.from_regex(r"(?i)ab+[^<\"&]{2,5}|é\d"),
        bw.Grammar.from_structural_tag({"type": "structural_tag", "format": tag}),
        bw.Grammar.from_ebnf('root ::= "a" <|im_end|> | !<[1, 3-5, "<x\\">"]>'),
        bw.Grammar.from_choices(["", " ", "\n", "x"]),
        bw.Grammar.concat(bw.Grammar.from_json_schema(SCHEMA), bw.Grammar.from_json_schema({"$ref": "#"})),
        bw.Grammar.from_json_schema(json.dumps(SCHEMA, indent=1)),
    ]
    for grammar in grammars:
        assert check_page(grammar_page(grammar)).svgs


def test_markup_and_control_bytes_are_escaped() -> None:
    page = check_page(grammar_page(bw.Grammar.from_ebnf(NASTY), "</title><script>"))
    assert "<script>alert('x')</script>" in page.text
    assert "&amp;␣&" in page.text
    assert "\\u202e" in page.text
    assert "\u202e" not in page.text


def test_schemas_are_drawn_by_their_keywords() -> None:
    rules = grammar_rules(bw.Grammar.from_json_schema(SCHEMA)).diagrams
    assert set(rules) == {"root", "a/b", "root.inner"}
    page = check_page(grammar_page(bw.Grammar.from_json_schema(SCHEMA)))
    pieces = ['"name"', "required", "pattern ^<[a-z]+>$", "at most 20 characters", "null", '"<&>"', "≥ 1"]
    pieces += ["a multiple of 2", 'not: {"type": "string"}', 'dependentRequired: {"p": ["q"]}']
    for piece in [*pieces, "maxProperties: 3", "exactly one of them"]:
        assert piece in page.text, piece


@pytest.mark.parametrize(
    "schema",
    [
        True,
        False,
        {},
        {"type": "string", "enum": ["a", 1]},
        {"$ref": "https://example.com/x"},
        {"properties": {"": {"$ref": "#/properties/"}, "<": False}},
        {"allOf": [{"type": "string"}, {"pattern": "x" * 500}]},
        {"type": "array", "minItems": 3, "prefixItems": [True], "maxItems": 3},
        {"type": "array", "maxItems": 0},
        {"type": [], "required": ["a", 3], "items": 3, "anyOf": {}, "enum": 3},
        {"type": {"a": 1}, "$ref": {}, "minItems": 1e400, "properties": []},
    ],
    ids=str,
)
def test_odd_schemas_do_not_break_the_page(schema: object) -> None:
    assert check_page(grammar_page(bw.Grammar.from_json_schema(json.dumps(schema)))).svgs


def test_schemas_that_are_no_json_are_refused() -> None:
    with pytest.raises(bw.InvalidArgumentError, match="root"):
        grammar_page(bw.Grammar.from_json_schema("{"))


def test_large_grammars_are_drawn_quickly_and_bounded() -> None:
    many_rules = "root ::= " + " | ".join(f"r{i}" for i in range(500)) + "\n"
    many_rules += "".join(f'r{i} ::= "<{i}" [a-z]* ("," r{(i * 7) % 500} | "x")* "y"\n' for i in range(500))
    nested: object = {"type": "string"}
    for _ in range(150):
        nested = {"type": "array", "items": {"anyOf": [nested, {"type": "null"}]}}
    grammars = [
        bw.Grammar.from_ebnf(many_rules),
        bw.Grammar.from_ebnf("root ::= " + " | ".join(f'"w{i}" r' for i in range(5000)) + '\nr ::= "x"'),
        bw.Grammar.from_choices([f"<word {i}>" for i in range(20_000)]),
        bw.Grammar.from_ebnf("root ::= " + "(" * 200 + '"a"' + ' "b")?' * 200),
        bw.Grammar.from_regex("<" * 20_000),
        bw.Grammar.from_json_schema(nested),
    ]
    start = time.process_time()
    pages = [grammar_page(grammar) for grammar in grammars]
    assert time.process_time() - start < 10
    assert pages[0].count("<svg ") == 501
    assert all(len(page) < 3_000_000 for page in pages)
    check_page(pages[3])
    check_page(pages[5])


@pytest.mark.parametrize("seed", range(30))
def test_no_tree_leaves_its_place(seed: int) -> None:
    rng = random.Random(seed)

    def node(depth: int) -> object:
        kind = rng.randrange(4 if depth else 3)
        if kind == 0:
            return Text("x<&\u4e00" * rng.randrange(1, 9), rng.choice(["literal", "class", "value"]))
        if kind == 1:
            return Reference(f"rule-{rng.randrange(9)}")
        if kind == 2:
            return Note("a note") if rng.random() < 0.3 else sequence([])
        parts = [node(depth - 1) for _ in range(rng.randrange(1, 12))]
        between = node(depth - 1) if rng.random() < 0.5 else None
        least = rng.randrange(3)
        return rng.choice(
            [
                sequence,
                choice,
                lambda parts: repeat(parts[0], least, rng.choice([None, 1, least + 2]), between),
            ]
        )(parts)

    for _ in range(5):
        svg = ElementTree.fromstring(diagram_svg(node(4), {"rule-1": "x"}, "<random>"))
        check_svg(svg)


# --- runs -------------------------------------------------------------------------------------------------


def random_run(grammar: bw.Grammar, seed: int, **options: int) -> tuple[Recorder, list[dict]]:
    """A recorded run of random logits, and the same numbers worked out on their own."""
    rng = np.random.default_rng(seed)
    compiled = COMPILER.compile_grammar(grammar)
    matcher, recorder = bw.GrammarMatcher(compiled), Recorder(compiled, **options)
    mask = bw.allocate_token_bitmask(1, INFO.vocab_size, backend="numpy")
    expected = []
    for _ in range(40):
        logits = rng.normal(size=INFO.vocab_size).astype(np.float32) * 4
        recorder.fill(matcher, mask, logits)
        allowed = [i for i in range(INFO.vocab_size) if int(mask[0, i >> 5]) >> (i & 31) & 1]
        p = np.exp(logits.astype(np.float64))
        p /= p.sum()
        token = max(allowed, key=lambda i: logits[i])
        refused = sorted(set(range(INFO.vocab_size)) - set(allowed), key=lambda i: -logits[i])
        expected.append(
            {
                "allowed": len(allowed),
                "refused": p[refused].sum(),
                "masked": refused[: recorder.top],
                "changed": bool(refused) and logits[refused[0]] > logits[token],
                "token": token,
                "probability": p[token],
                "constrained": p[token] / p[allowed].sum(),
            }
        )
        bw.apply_token_bitmask_inplace(logits.reshape(1, -1), mask)
        recorder.accept(token)
        assert matcher.accept_token(token)
        if matcher.is_terminated():
            break
    return recorder, expected


@pytest.mark.parametrize("seed", range(5))
def test_recorded_numbers_are_right(seed: int) -> None:
    recorder, expected = random_run(bw.Grammar.builtin("json"), seed)
    assert len(recorder.steps) == len(expected)
    for step, numbers in zip(recorder.steps, expected, strict=True):
        assert (step.allowed, step.token_id, step.changed) == (
            numbers["allowed"],
            numbers["token"],
            numbers["changed"],
        )
        assert [masked.token_id for masked in step.masked] == numbers["masked"]
        assert step.forced == (numbers["allowed"] == 1)
        for name in ("refused", "probability", "constrained"):
            assert getattr(step, name) == pytest.approx(numbers[name], abs=1e-6)
        assert step.seconds > 0
    page = check_page(recorder.page())
    assert [f"step-{i}" for i in range(len(expected))] == [i for i in page.ids if i.startswith("step-")]


def test_a_recorder_is_bounded() -> None:
    recorder, expected = random_run(bw.Grammar.from_regex("[a-z]{100}"), 0, max_steps=7, top=2)
    assert (len(recorder.steps), recorder.skipped) == (7, len(expected) - 7)
    assert all(len(step.masked) == 2 for step in recorder.steps)
    assert "33 more tokens were not kept" in check_page(recorder.page()).text
    for options in ({"max_steps": 0}, {"top": -1}, {"row": -1}):
        with pytest.raises(bw.InvalidArgumentError):
            Recorder(recorder.compiled, **options)


def test_a_recorder_takes_tokens_back() -> None:
    recorder, expected = random_run(bw.Grammar.from_regex("[a-z]{100}"), 0, max_steps=30)
    matcher = bw.GrammarMatcher(recorder.compiled)
    mask = bw.allocate_token_bitmask(1, INFO.vocab_size, backend="numpy")
    recorder.rollback(4)
    assert (len(recorder.steps), recorder.skipped) == (30, 6)
    recorder.rollback(16)
    assert (len(recorder.steps), recorder.skipped) == (20, 0)
    with pytest.raises(bw.InvalidArgumentError, match="before accept"):
        recorder.accept(ord("a"))
    recorder.fill(matcher, mask)
    recorder.rollback(0)
    recorder.fill(matcher, mask)
    recorder.accept(ord("z"))
    assert [step.index for step in recorder.steps] == list(range(21))
    assert recorder.text == bytes(numbers["token"] for numbers in expected[:20]) + b"z"
    with pytest.raises(bw.RollbackError):
        recorder.rollback(22)


def test_logits_of_every_kind() -> None:
    torch = pytest.importorskip("torch")
    compiled = COMPILER.compile_grammar('root ::= "ab" | "ac"')
    row = [0.0] * INFO.vocab_size
    row[ord("z")] = 5.0
    kinds = [row, np.array(row), torch.tensor(row, dtype=torch.bfloat16), torch.tensor([[*row, 1.0, 2.0]])]
    for logits in kinds:
        recorder, matcher = Recorder(compiled), bw.GrammarMatcher(compiled)
        mask = bw.allocate_token_bitmask(1, INFO.vocab_size, backend="torch")
        recorder.fill(matcher, mask, logits)
        recorder.accept(ord("a"))
        assert recorder.steps[0].masked[0].token == b"z"
        assert recorder.steps[0].reason.startswith("byte 0 ('z') does not fit")
    with pytest.raises(bw.InvalidArgumentError):
        recorder.fill(matcher, mask, np.zeros((2, 3)))
    nothing = Recorder(compiled)
    nothing.fill(bw.GrammarMatcher(compiled), mask, [float("-inf")] * INFO.vocab_size)
    nothing.accept(ord("a"))
    assert check_page(nothing.page()).svgs


def test_a_text_is_replayed() -> None:
    compiled = COMPILER.compile_grammar(bw.Grammar.builtin("json"))
    recorder = replay(compiled, '{"a": true, "<b>": "\u00e9"}')
    assert recorder.text == '{"a": true, "<b>": "\u00e9"}'.encode()
    assert (recorder.rest, recorder.rejection) == (b"", "")
    assert [step.token for step in recorder.steps][:4] == [b'{"', b"a", b'":', b" "]
    assert recorder.steps[-1].token_id is None
    assert recorder.steps[-1].may_end
    page = check_page(recorder.page())
    assert "may end here" in page.text
    assert '"\u00e9"}' in page.text
    bad = replay(compiled, "[1, <]")
    assert (bad.text, bad.rest) == (b"[1, ", b"<]")
    assert "'<'" in bad.rejection
    assert "does not fit" in check_page(bad.page()).text
    early = check_page(replay(compiled, "[1").page())
    assert "may not end here yet" in early.text
    letters = replay(compiled, "[true]", encode=lambda data: list(data))
    assert [step.token for step in letters.steps[:3]] == [b"[", b"t", b"r"]
    assert (
        check_page(run_page(Recorder(compiled), "nothing", prompt="<p>", grammar=False)).text.count("<p>")
        == 1
    )


@pytest.mark.parametrize(("name", "place"), [("explain.md", 0), ("json-schema.md", slice(0, 2))])
def test_the_examples_of_the_documentation(name: str, place: Any) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[place]
    code = blocks if isinstance(blocks, str) else "".join(blocks)
    exec(compile(code, name, "exec"), {"__name__": "__main__"})


def test_a_logits_processor_is_recorded() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from bytewright.hf import LogitsProcessor

    compiled = COMPILER.compile_grammar(bw.Grammar.builtin("json"))
    recorder = Recorder(compiled, row=1)
    processor = LogitsProcessor(compiled, recorder=recorder)
    for run in range(2):
        torch.manual_seed(run)
        ids = torch.tensor([[1, 2], [3, 4], [5, 6]])
        for _ in range(30):
            scores = processor(ids, torch.randn(3, INFO.vocab_size + 3))
            ids = torch.cat([ids, scores[:, : INFO.vocab_size].argmax(-1, keepdim=True)], dim=1)
        made = ids[1, 2:].tolist()
        recorder.follow(made)
        end = made.index(260) + 1 if 260 in made else len(made)
        assert [step.token_id for step in recorder.steps] == made[:end]
        assert all(step.refused is not None for step in recorder.steps)
    other = Recorder(compiled)
    other.fill(bw.GrammarMatcher(compiled), bw.allocate_token_bitmask(1, INFO.vocab_size, backend="numpy"))
    other.follow([ord("[")])
    for tokens in ([ord("{")], []):
        with pytest.raises(bw.InvalidArgumentError, match="beam"):
            other.follow(tokens)


# --- the command line -------------------------------------------------------------------------------------


def command(*args: str, text: str | None = None) -> tuple[int, str, str]:
    pytest.importorskip("typer", reason="needs the extra cli")
    code = "from bytewright.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "explain", *args],
        input=text,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command_line(tmp_path) -> None:
    target = tmp_path / "page.html"
    status, out, err = command("json", "-o", str(target))
    assert status == 0, err
    assert str(target) in out
    rules = str(bw.Grammar.builtin("json")).count("::=")
    assert len(check_page(target.read_text(encoding="utf-8")).svgs) == rules
    status, out, _ = command("json", "-f", "-", "-o", "-", text="[1, 2,]")
    assert status == 0
    assert "stops fitting after 6 bytes" in check_page(out).text
    assert command("json", "--text", "1", "-p", "x")[0] == 2
    schema = tmp_path / "s.json"
    schema.write_text('{"type": "strin"}')
    status, _, err = command(str(schema))
    assert status == 2
    assert "strin" in err
    assert "Example" in command("--help")[1]


def test_a_run_of_a_model(tmp_path, monkeypatch) -> None:
    """As `--prompt` does it, with a random model of a tokenizer's size."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    from bytewright import cli

    alphabet = {c: i for i, c in enumerate(sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()))}
    core = tokenizers.Tokenizer(tokenizers.models.BPE(alphabet, []))
    core.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>")
    tokenizer.chat_template = "{{ messages[0]['content'] }}"
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
    )
    model = transformers.LlamaForCausalLM(config).eval()
    monkeypatch.setattr(cli, "load_model", lambda name: (model, tokenizer))
    grammar, target = tmp_path / "g.regex", tmp_path / "run.html"
    grammar.write_text("(yes|no)[.!]")
    cli.explain_command(str(grammar), prompt="Is water <wet>?", output=str(target))
    page = check_page(target.read_text(encoding="utf-8"))
    assert "Is water <wet>?" in page.text
    assert "likeliest refused tokens" in page.text
    assert any(word in page.text for word in ("yes.", "yes!", "no.", "no!"))


# --- a browser --------------------------------------------------------------------------------------------

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

#: Measures every text against its box, all boxes against each other, and the page against the window.
MEASURE = """
<script>
const wrong = [], inside = (a, b) =>
  a.left >= b.left - 1 && a.right <= b.right + 1 && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
let texts = 0;
for (const svg of document.querySelectorAll("svg.railroad")) {
  const frame = svg.getBoundingClientRect();
  const boxes = [...svg.querySelectorAll("rect")].map(e => e.getBoundingClientRect());
  for (const box of boxes) if (!inside(box, frame)) wrong.push("a box leaves its picture");
  for (let i = 0; i < boxes.length; i++) for (let j = 0; j < i; j++) {
    const a = boxes[i], b = boxes[j];
    if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
      wrong.push("boxes overlap");
  }
  for (const path of svg.querySelectorAll("path"))
    if (!inside(path.getBoundingClientRect(), frame)) wrong.push("a rail leaves its picture");
  for (const text of svg.querySelectorAll("text")) {
    texts++;
    const t = text.getBoundingClientRect();
    const held = boxes.some(b =>
      t.left >= b.left - 1 && t.right <= b.right + 1 && t.top >= b.top - 4 && t.bottom <= b.bottom + 4);
    if (!held && !(text.matches(".caption") && inside(t, frame))) wrong.push("out of its box: " + text.textContent);
  }
}
if (document.documentElement.scrollWidth > innerWidth) wrong.push("the page is wider than the window");
for (const a of document.querySelectorAll("a[href]"))
  if (!document.getElementById(a.getAttribute("href").slice(1))) wrong.push("a link to nothing");
const loaded = performance.getEntriesByType("resource").map(entry => entry.name);
document.body.insertAdjacentHTML("beforeend", "<pre id=report></pre>");
document.getElementById("report").textContent = "REPORT" + btoa(unescape(encodeURIComponent(JSON.stringify(
  {wrong, loaded, texts, pictures: document.querySelectorAll("svg.railroad").length})))) + "END";
</script>
"""  # noqa: E501


@pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium: apt-get install chromium, to measure pages in a browser"
)
def test_a_browser_draws_everything_in_its_place(tmp_path) -> None:
    nasty = bw.Grammar.from_ebnf(NASTY)
    run = replay(
        COMPILER.compile_grammar(bw.Grammar.builtin("json")), '{"<b>&": [1, true, "\u00e9\u4e00"]} oops'
    )
    pages = {
        "nasty": grammar_page(bw.Grammar.concat(nasty, bw.Grammar.from_json_schema(SCHEMA))),
        "run": run.page("A <run>"),
    }
    for name, text in pages.items():
        before = Page(text)
        path = tmp_path / f"{name}.html"
        # The page as it is says nothing on the console; its policy would stop the script that measures.
        path.write_text(text, encoding="utf-8")
        _, said = browse(path, tmp_path)
        assert "CONSOLE" not in said, said
        measured = re.sub(r"<meta http-equiv=[^>]*>", "", text).replace("</body>", MEASURE + "</body>")
        path.write_text(measured, encoding="utf-8")
        dom, said = browse(path, tmp_path)
        assert "CONSOLE" not in said, said
        report = json.loads(base64.b64decode(re.findall(r"REPORT(.*?)END", dom)[-1]))
        assert report["wrong"] == []
        assert report["loaded"] == []
        assert report["texts"] > 50
        assert report["pictures"] == sum(svg.get("class") == "railroad" for svg in before.svgs)


def browse(path, folder) -> tuple[str, str]:
    """The page's DOM after loading, and what the browser logged."""
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--enable-logging=stderr",
        "--log-level=0",
    ]
    options += [f"--user-data-dir={folder / 'profile'}", "--window-size=700,900", "--dump-dom"]
    done = subprocess.run(
        [str(CHROMIUM), *options, path.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout, done.stderr
