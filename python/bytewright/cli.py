"""The command line: ``bytewright compile | check | mask | tokenizer | generate | explain``.

Exit status: 0 when all is well, 1 when a text is not in the grammar, 2 for wrong usage or a grammar,
tokenizer or file that cannot be read.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import pathlib
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from bytewright.explain import Recorder

try:
    import typer
except ImportError:  # pragma: no cover - depends on what is installed
    typer = None  # type: ignore[assignment]

import bytewright as bw
from bytewright.errors import BytewrightError, InvalidArgumentError
from bytewright.tokenizers.named import TOKENIZERS, load_named_tokenizer

__all__ = ["main"]

GRAMMAR_HELP = (
    "A grammar: a file of EBNF (.ebnf, .gbnf), Lark (.lark), one regular expression (.regex), a JSON Schema "
    "or structural tag (.json), or the name of a ready grammar, e.g. `json`, `sql`, `semver` "
    "(docs/grammars.md)."
)
TOKENIZER_HELP = (
    "A tokenizer: a .gguf file, a tiktoken rank file (.tiktoken), a tokenizer.json, a SentencePiece .model, "
    "a file that `bytewright tokenizer` wrote (.bwvocab), "
    f"or a name: {', '.join(TOKENIZERS)}. Without one, every byte is a token."
)


def read_grammar(source: str) -> bw.Grammar:
    """The grammar behind a command-line argument."""
    path = pathlib.Path(source)
    if not path.exists():
        names = bw.Grammar.builtin_names()
        if source in names:
            return bw.Grammar.builtin(source)
        near = difflib.get_close_matches(source, names, 1)
        meant = f"; did you mean `{near[0]}`?" if near else f": {', '.join(names)}"
        raise FileNotFoundError(f"no grammar file at {source}, and no ready grammar of that name{meant}")
    text = path.read_bytes()
    if path.suffix == ".json":
        return (
            bw.Grammar.from_structural_tag(text)
            if is_structural_tag(text)
            else bw.Grammar.from_json_schema(text)
        )
    if path.suffix == ".lark":
        # `python` and `lark` are grammars that come with Lark itself; it is looked for, not imported.
        spec = importlib.util.find_spec("lark")
        shipped = [
            pathlib.Path(place, "grammars") for place in (spec and spec.submodule_search_locations) or []
        ]
        return bw.Grammar.from_lark(text, import_paths=[path.parent, *shipped])
    if path.suffix == ".regex":
        return bw.Grammar.from_regex(text.rstrip(b"\r\n"))
    return bw.Grammar.from_ebnf(text)


def is_structural_tag(text: bytes) -> bool:
    """Whether a JSON text is a structural tag; no JSON Schema looks like one."""
    try:
        data = json.loads(text)
    except ValueError:
        return False
    return isinstance(data, dict) and (data.get("type") == "structural_tag" or "structures" in data)


def read_tokenizer(source: str | None) -> bw.TokenizerInfo:
    """The tokenizer behind a command-line option."""
    if source is None:
        return bw.TokenizerInfo([bytes([byte]) for byte in range(256)] + [b"<end>"], stop_token_ids=[256])
    path = pathlib.Path(source)
    if source in TOKENIZERS and not path.exists():
        return load_named_tokenizer(source)
    if not path.is_file():
        raise FileNotFoundError(
            f"no tokenizer file at {path}, and no name like that: {', '.join(TOKENIZERS)}"
        )
    if path.suffix == ".bwvocab":
        return bw.TokenizerInfo.load(path)
    if path.suffix == ".gguf":
        return bw.TokenizerInfo.from_gguf(path)
    if path.suffix == ".json":
        if importlib.util.find_spec("tokenizers") is None:
            raise ImportError("reading a tokenizer.json needs: pip install 'bytewright[hf]'")
        from tokenizers import Tokenizer

        return bw.TokenizerInfo.from_huggingface(Tokenizer.from_file(str(path)))
    if path.suffix == ".tiktoken":
        return bw.TokenizerInfo.from_tiktoken(path)
    return bw.TokenizerInfo.from_sentencepiece(path)


def read_file(name: str) -> bytes:
    """A file's bytes; `-` is the standard input."""
    return sys.stdin.buffer.read() if name == "-" else pathlib.Path(name).read_bytes()


def show(data: dict[str, Any], lines: list[str], as_json: bool) -> None:
    """Prints a result, for machines or for people."""
    print(json.dumps(data, ensure_ascii=False) if as_json else "\n".join(lines))


def compile_command(
    grammar: Annotated[str, typer.Argument(help=GRAMMAR_HELP)],
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Where to write the compiled file.")
    ] = None,
    tokenizer: Annotated[str | None, typer.Option("--tokenizer", "-t", help=TOKENIZER_HELP)] = None,
    top: Annotated[
        int, typer.Option(help="How many states to show, those with most dependent tokens first.")
    ] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compile a grammar, and say how the vocabulary splits at its states.

    Example: bytewright compile grammars/chess.ebnf -t smollm2 -o chess.json
    """
    info = read_tokenizer(tokenizer)
    source = read_grammar(grammar)
    # A rehearsal would make now more states and now fewer.
    compiler = bw.GrammarCompiler(info, rehearsal_limit=0)
    start = time.perf_counter()
    compiled = compiler.compile_grammar(source)
    seconds = time.perf_counter() - start
    states = sorted(compiled.state_statistics(), key=lambda state: -state["dependent"])
    text = compiled.serialize_json()
    if output is not None:
        pathlib.Path(output).write_text(text, encoding="utf-8")
    numbers = compiled.statistics()
    data = {**numbers, "seconds": seconds, "compiled_bytes": len(text.encode()), "per_state": states}
    lines = [
        f"{numbers['rules']} rules, {numbers['states']} states, {numbers['bytes']:,} bytes; "
        f"{seconds * 1e3:.2f} ms",
        *(f"{kind}: {message}" for kind, message in compiled.annotations),
        f"{'rule':<24}{'state':>6}{'accepted':>10}{'dependent':>11}{'after expansion':>17}",
    ]
    for state in states[:top]:
        counts = f"{state['state']:>6}{state['accepted']:>10,}{state['dependent']:>11,}"
        lines.append(f"{state['rule']:<24}{counts}{state['dependent_after_expansion']:>17,}")
    if output is not None:
        lines.append(f"written to {output} ({data['compiled_bytes']:,} bytes)")
    show(data, lines, as_json)


def check_command(
    grammar: Annotated[str, typer.Argument(help=GRAMMAR_HELP)],
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Texts to check; `-`, and none at all, is the standard input."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line a file.")] = False,
) -> None:
    """Check whether texts are sentences of a grammar, and say where one stops being one.

    Example: echo -n '[1, 2,]' | bytewright check json
    """
    compiled = bw.GrammarCompiler(read_tokenizer(None)).compile_grammar(read_grammar(grammar))
    all_valid = True
    for name in files or ["-"]:
        data = read_file(name)
        matcher = bw.GrammarMatcher(compiled)
        rejection = matcher.explain_rejection(data)
        offset = len(data) if rejection is None else rejection.byte_offset
        valid = rejection is None and matcher.accept_string(data) and matcher.is_completed()
        message, place = "valid", f"byte {offset}: "
        if rejection is not None:
            # It names the byte itself.
            message, place = rejection.message, ""
        elif not valid:
            message = "the text ends too early"
        before = data[:offset].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        result = {
            "file": name,
            "valid": valid,
            "byte": offset,
            "line": line,
            "column": column,
            "message": message,
        }
        text = f"{name}: valid" if valid else f"{name}:{line}:{column}: {place}{message}"
        show(result, [text], as_json)
        all_valid = all_valid and valid
    if not all_valid:
        raise typer.Exit(1)


def mask_command(
    grammar: Annotated[str, typer.Argument(help=GRAMMAR_HELP)],
    prefix: Annotated[str, typer.Option("--prefix", "-p", help="The text so far.")] = "",
    tokenizer: Annotated[str | None, typer.Option("--tokenizer", "-t", help=TOKENIZER_HELP)] = None,
    limit: Annotated[int, typer.Option(help="How many tokens to show.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show which tokens may follow a text.

    Example: bytewright mask json -p '{"a": ' -t smollm2
    """
    info = read_tokenizer(tokenizer)
    matcher = bw.GrammarMatcher(bw.GrammarCompiler(info).compile_grammar(read_grammar(grammar)))
    rejection = matcher.explain_rejection(prefix.encode())
    if rejection is not None:
        show({"error": rejection.message}, [f"the prefix does not fit: {rejection.message}"], as_json)
        raise typer.Exit(1)
    matcher.accept_string(prefix)
    mask = bw.allocate_token_bitmask(1, info.vocab_size, backend="numpy")
    matcher.fill_next_token_bitmask(mask)
    ids = [i for i in range(info.vocab_size) if int(mask[0, i >> 5]) >> (i & 31) & 1]
    vocabulary = info.decoded_vocab
    tokens = [{"id": i, "text": vocabulary[i].decode("utf-8", "backslashreplace")} for i in ids[:limit]]
    data = {"allowed": len(ids), "of": info.vocab_size, "may_end": matcher.is_completed(), "tokens": tokens}
    may_end = "the text may end here" if matcher.is_completed() else "the text may not end here"
    lines = [f"{len(ids):,} of {info.vocab_size:,} tokens are allowed; {may_end}"]
    lines += [f"{token['id']:>8}  {token['text']!r}" for token in tokens]
    if len(ids) > limit:
        lines.append(f"... and {len(ids) - limit:,} more (--limit)")
    show(data, lines, as_json)


def tokenizer_command(
    output: Annotated[str, typer.Option("--output", "-o", help="Where to write it; ends in .bwvocab.")],
    tokenizer: Annotated[str | None, typer.Option("--tokenizer", "-t", help=TOKENIZER_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Save what the engine needs of a tokenizer as a file that loads in milliseconds.

    Example: bytewright tokenizer -t llama3 -o llama3.bwvocab
    """
    if pathlib.Path(output).suffix != ".bwvocab":
        raise typer.BadParameter(f"{output} must end in .bwvocab, by which --tokenizer knows such a file")
    info = read_tokenizer(tokenizer)
    info.save(output)
    size = pathlib.Path(output).stat().st_size
    data = {"file": output, "vocab_size": info.vocab_size, "fingerprint": info.fingerprint, "bytes": size}
    show(data, [f"{info.vocab_size:,} tokens written to {output} ({size:,} bytes)"], as_json)


def load_model(name: str) -> tuple[Any, Any]:
    """The model and tokenizer behind a command-line option."""
    from bytewright import models

    return models.load_smollm2() if name == "smollm2" else models.load_gguf(name)


def compile_for(model: Any, tokenizer: Any, grammar: bw.Grammar) -> bw.CompiledGrammar:
    """A grammar, compiled for a model's tokens."""
    info = bw.TokenizerInfo.from_huggingface(tokenizer, vocab_size=model.config.vocab_size)
    return bw.GrammarCompiler(info).compile_grammar(grammar)


def run_model(
    model: Any,
    tokenizer: Any,
    compiled: bw.CompiledGrammar,
    prompt: str,
    max_tokens: int,
    temperature: float,
    seed: int,
    *,
    stream: bool = False,
    recorder: Recorder | None = None,
) -> tuple[str, list[int]]:
    """What a model answers inside a grammar, as text and as ids."""
    import torch
    import transformers

    from bytewright.hf import LogitsProcessor

    torch.manual_seed(seed)
    chat = [{"role": "user", "content": prompt}]
    inputs = tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    streamer = (
        transformers.TextStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True) if stream else None
    )
    output = model.generate(
        **inputs,
        max_new_tokens=max_tokens,
        do_sample=temperature > 0,
        temperature=temperature or None,
        streamer=streamer,
        logits_processor=[LogitsProcessor(compiled, recorder=recorder)],
    )
    ids = output[0][inputs["input_ids"].shape[1] :]
    return tokenizer.decode(ids, skip_special_tokens=True), ids.tolist()


def generate_command(
    grammar: Annotated[str, typer.Argument(help=GRAMMAR_HELP)],
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="What to ask the model.")],
    model: Annotated[str, typer.Option("--model", "-m", help="A .gguf file, or `smollm2`.")] = "smollm2",
    max_tokens: Annotated[int, typer.Option(help="Most tokens to generate.")] = 200,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="Temperature of the sampling; 0 takes the likeliest token.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Generate a text inside a grammar with a real model.

    Example: bytewright generate json -p 'Describe Paris as JSON.'
    """
    source = read_grammar(grammar)
    loaded, tokenizer = load_model(model)
    compiled = compile_for(loaded, tokenizer, source)
    text, _ = run_model(
        loaded, tokenizer, compiled, prompt, max_tokens, temperature, seed, stream=not as_json
    )
    matcher = bw.GrammarMatcher(compiled)
    complete = matcher.accept_string(text) and matcher.is_completed()
    if as_json:
        print(json.dumps({"text": text, "complete": complete}, ensure_ascii=False))
    elif not complete:
        print(f"(not complete after {max_tokens} tokens; raise --max-tokens)", file=sys.stderr)


def explain_command(
    grammar: Annotated[str, typer.Argument(help=GRAMMAR_HELP)],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="The page, by default NAME.html; `-` is the standard output."),
    ] = None,
    text: Annotated[str | None, typer.Option("--text", help="A text to replay through the grammar.")] = None,
    file: Annotated[
        str | None, typer.Option("--file", "-f", help="A file to replay; `-` is the standard input.")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option("--prompt", "-p", help="What to ask a model, whose run is recorded.")
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="A .gguf file, or `smollm2`.")] = "smollm2",
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", "-t", help=f"For a replay. {TOKENIZER_HELP}")
    ] = None,
    max_tokens: Annotated[int, typer.Option(help="Most tokens to generate.")] = 200,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="Temperature of the sampling; 0 takes the likeliest token.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 0,
) -> None:
    """Draw a grammar as railroad diagrams, or show a decoding run token by token, as one HTML page.

    Without a text or a prompt, the page has the grammar's rules. With --text or --file, the text goes
    through the grammar as a model's answer would: the page shows what each mask allowed and what it took,
    and why the text stops where it does not fit. With --prompt, a real model writes the text, and the page
    shows what it would have preferred.

    Example: bytewright explain json -o json.html

    Example: bytewright explain json --text '[1, tru]' -t smollm2 -o run.html

    Example: bytewright explain chess -p 'Play a short game.' -o game.html
    """
    if sum(given is not None for given in (text, file, prompt)) > 1:
        raise InvalidArgumentError("give one of --text, --file and --prompt")
    from bytewright import explain

    source = read_grammar(grammar)
    name = pathlib.Path(grammar).name
    if prompt is not None:
        recorder = record_run(source, prompt, model, max_tokens, temperature, seed)
        page = explain.run_page(recorder, f"{name}: a run of {pathlib.Path(model).stem}", prompt=prompt)
    else:
        # What is wrong with a schema is found when it is compiled, so grammars that are only drawn are
        # compiled as well.
        compiled = bw.GrammarCompiler(read_tokenizer(tokenizer)).compile_grammar(source)
        if text is None and file is None:
            page = explain.grammar_page(source, name)
        else:
            data = text.encode() if text is not None else read_file(str(file))
            page = explain.run_page(explain.replay(compiled, data), f"{name}: a replayed text")
    target = output or f"{pathlib.Path(grammar).stem}.html"
    if target == "-":
        sys.stdout.buffer.write(page.encode())
    else:
        pathlib.Path(target).write_text(page, encoding="utf-8")
        print(f"written to {target} ({len(page.encode()):,} bytes)")


def record_run(
    source: bw.Grammar, prompt: str, model: str, max_tokens: int, temperature: float, seed: int
) -> Recorder:
    """A recorded run of a model."""
    from bytewright.explain import Recorder

    loaded, tokenizer = load_model(model)
    compiled = compile_for(loaded, tokenizer, source)
    recorder = Recorder(compiled, max_steps=max(max_tokens, 1) + 1)
    _, ids = run_model(loaded, tokenizer, compiled, prompt, max_tokens, temperature, seed, recorder=recorder)
    recorder.follow(ids)
    return recorder


def app() -> typer.Typer:
    """The command-line application."""
    program = typer.Typer(help="Exact constrained decoding: grammars, masks, checks.", no_args_is_help=True)
    commands: dict[str, Callable[..., None]] = {
        "compile": compile_command,
        "check": check_command,
        "mask": mask_command,
        "tokenizer": tokenizer_command,
        "generate": generate_command,
        "explain": explain_command,
    }
    for name, command in commands.items():
        program.command(name)(command)
    return program


def main() -> None:
    """Runs the command line."""
    try:
        app()()
    except (BytewrightError, OSError, ImportError, UnicodeDecodeError) as error:
        print(f"bytewright: {error}", file=sys.stderr)
        sys.exit(2)
