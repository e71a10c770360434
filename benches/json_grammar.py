"""The JSON grammar beside other engines: time to the first mask, time a mask, memory.

Every engine runs in a process of its own, on one thread, over the same documents, tokenized with Llama-3's
vocabulary (128,256 tokens). For each token the mask is filled and the token accepted; both together are one
sample.

    python benches/json_grammar.py                     # all engines that are installed, as a Markdown table
    python benches/json_grammar.py --engines bytewright xgrammar --documents 50
"""

from __future__ import annotations

import argparse
import base64
import importlib.util
import json
import pathlib
import random
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

WORDS = [
    "alpha",
    "state",
    "naïve",
    "größe",
    "value",
    "東京",
    "café",
    "line",
    "token",
    "λ-term",
    "Zürich",
    "order",
    "data",
    "quick",
    "brown",
    "null",
    "report",
    "emoji",
    "🙂",
    "path/to/file",
    "user@example.org",
    "2024-05-17T08:30:00Z",
    "C:\\temp",
    "tab\there",
    "new\nline",
    'quote"d',
]


def documents(count: int) -> list[str]:
    """Seeded JSON documents with nesting, escapes, many scripts and all kinds of numbers."""
    rng = random.Random(20240517)

    def text() -> str:
        return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 12)))

    def value(depth: int) -> Any:
        kinds = ["text", "text", "int", "float", "constant"] + ["object", "array"] * (depth < 4)
        match rng.choice(kinds):
            case "text":
                return text()
            case "int":
                return rng.randint(-(10**6), 10**9)
            case "float":
                return rng.choice([rng.random() * 10 ** rng.randint(-9, 9), rng.random()])
            case "constant":
                return rng.choice([True, False, None])
            case "object":
                return {text()[:24]: value(depth + 1) for _ in range(rng.randint(0, 6))}
            case _:
                return [value(depth + 1) for _ in range(rng.randint(0, 6))]

    out = []
    for i in range(count):
        data = {f"field_{n}": value(0) for n in range(8)}
        indent = [None, 2, None, 4][i % 4]
        out.append(json.dumps(data, ensure_ascii=i % 3 == 0, indent=indent))
    return out


def llama3() -> tuple[Any, list[bytes], int, list[int]]:
    """Llama-3's tokenizer, from the package llama-models: encoder, token bytes, end token, special ids."""
    import tiktoken

    spec = importlib.util.find_spec("llama_models")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("this benchmark needs Llama-3's vocabulary: pip install --no-deps llama-models")
    path = pathlib.Path(spec.submodule_search_locations[0]) / "llama3" / "tokenizer.model"
    ranks = {}
    for line in path.read_bytes().splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    names = ["<|begin_of_text|>", "<|end_of_text|>"] + [f"<|special_{i}|>" for i in range(2, 256)]
    special = {name: len(ranks) + i for i, name in enumerate(names)}
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    encoder = tiktoken.Encoding("llama3", pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)
    vocabulary = [b""] * encoder.n_vocab
    for token, rank in ranks.items():
        vocabulary[rank] = token
    for name, rank in special.items():
        vocabulary[rank] = name.encode()
    return encoder, vocabulary, special["<|end_of_text|>"], sorted(special.values())


class Bytewright:
    """This package."""

    def __init__(self, encoder: Any, vocabulary: list[bytes], end: int, special: list[int]) -> None:
        import bytewright

        self.package = bytewright
        info = bytewright.TokenizerInfo(vocabulary, stop_token_ids=[end], special_token_ids=special)
        self.compiler = bytewright.GrammarCompiler(info)
        self.mask = bytewright.allocate_token_bitmask(1, len(vocabulary), backend="numpy")

    def compile(self) -> None:
        self.compiled = self.compiler.compile_builtin_json_grammar()

    def reset(self) -> None:
        self.matcher = self.package.GrammarMatcher(self.compiled)

    def fill(self) -> None:
        self.matcher.fill_next_token_bitmask(self.mask)

    def allows(self, token: int) -> bool:
        return bool(int(self.mask[0, token >> 5]) >> (token & 31) & 1)

    def accept(self, token: int) -> bool:
        return bool(self.matcher.accept_token(token))

    def notes(self) -> dict[str, object]:
        states = self.compiled.state_statistics()
        before = sum(state["dependent"] for state in states)
        after = sum(state["dependent_after_expansion"] for state in states)
        return {"dependent tokens, all states": before, "after context expansion": after}


class XGrammar(Bytewright):
    """xgrammar's built-in JSON grammar, one thread, cache on."""

    def __init__(self, encoder: Any, vocabulary: list[bytes], end: int, special: list[int]) -> None:
        import xgrammar

        self.package = xgrammar
        hidden = set(special)
        info = xgrammar.TokenizerInfo(
            [b"" if i in hidden else t for i, t in enumerate(vocabulary)], stop_token_ids=[end]
        )
        self.compiler = xgrammar.GrammarCompiler(info, max_threads=1)
        self.tensor = xgrammar.allocate_token_bitmask(1, len(vocabulary))
        self.mask = self.tensor.numpy()

    def fill(self) -> None:
        self.matcher.fill_next_token_bitmask(self.tensor)

    def notes(self) -> dict[str, object]:
        return {}


class LLGuidance(Bytewright):
    """llguidance with the schema `{}`, which is any JSON value."""

    def __init__(self, encoder: Any, vocabulary: list[bytes], end: int, special: list[int]) -> None:
        import llguidance
        import llguidance.numpy
        import llguidance.tiktoken

        self.package = llguidance
        self.tokenizer = llguidance.tiktoken.lltokenizer_from_encoding(
            encoder, n_vocab=len(vocabulary), eos_token=end
        )
        self.mask = llguidance.numpy.allocate_token_bitmask(1, len(vocabulary))

    def compile(self) -> None:
        grammar = self.package.LLMatcher.grammar_from_json_schema("{}")
        self.first = self.package.LLMatcher(self.tokenizer, grammar)
        if self.first.is_error():
            raise ValueError(self.first.get_error())

    def reset(self) -> None:
        self.matcher = self.first.deep_copy()

    def fill(self) -> None:
        self.package.numpy.fill_next_token_bitmask(self.matcher, self.mask, 0)

    def accept(self, token: int) -> bool:
        return bool(self.matcher.consume_token(token))

    def notes(self) -> dict[str, object]:
        return {}


class GLRMask(Bytewright):
    """glrmask with the schema `{}`."""

    def __init__(self, encoder: Any, vocabulary: list[bytes], end: int, special: list[int]) -> None:
        import glrmask
        import numpy as np

        self.package, hidden = glrmask, set(special)
        tokens = {i: t for i, t in enumerate(vocabulary) if i not in hidden}
        self.vocabulary = glrmask.Vocab.from_id_to_bytes(tokens)
        self.mask = np.zeros((1, (len(vocabulary) + 31) // 32), dtype=np.int32)

    def compile(self) -> None:
        self.compiled = self.package.Grammar.from_json_schema({}).compile(self.vocabulary)

    def reset(self) -> None:
        self.matcher = self.compiled.start()

    def fill(self) -> None:
        self.matcher.fill_mask(self.mask[0])

    def accept(self, token: int) -> bool:
        return self.matcher.commit_token(token) is not False

    def notes(self) -> dict[str, object]:
        return {}


ENGINES = {"bytewright": Bytewright, "xgrammar": XGrammar, "llguidance": LLGuidance, "glrmask": GLRMask}


def memory_mib() -> float:
    """Peak memory of this process, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def worker(name: str, count: int) -> dict[str, object]:
    """Runs one engine over all documents."""
    encoder, vocabulary, end, special = llama3()
    texts = documents(count)
    tokens = [encoder.encode(text, disallowed_special=()) for text in texts]
    before = memory_mib()
    clock = time.perf_counter_ns
    begin = clock()
    engine = ENGINES[name](encoder, vocabulary, end, special)
    loaded = clock()
    engine.compile()
    engine.reset()
    engine.fill()
    first = clock()
    samples, refused = [], 0
    for ids in tokens:
        engine.reset()
        for token in ids:
            start = clock()
            engine.fill()
            ok = engine.allows(token)
            ok = ok and engine.accept(token)
            samples.append(clock() - start)
            if not ok:
                refused += 1
                break
    samples.sort()
    at = lambda q: samples[min(len(samples) - 1, int(q * len(samples)))] / 1e3  # noqa: E731
    return {
        "load the tokenizer, ms": (loaded - begin) / 1e6,
        "compile to first mask, ms": (first - loaded) / 1e6,
        "mask + accept, avg µs": statistics.fmean(samples) / 1e3,
        "p50 µs": at(0.5),
        "p99 µs": at(0.99),
        "p99.9 µs": at(0.999),
        "max µs": samples[-1] / 1e3,
        "memory added, MiB": memory_mib() - before,
        "tokens": len(samples),
        "documents refused": refused,
        **engine.notes(),
    }


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--worker", choices=ENGINES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print("RESULT" + json.dumps(worker(args.worker, args.documents)))
        return
    results: dict[str, dict[str, object]] = {}
    for name in args.engines:
        print(f"running {name} ...", file=sys.stderr)
        command = [sys.executable, __file__, "--worker", name, "--documents", str(args.documents)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
        if lines:
            results[name] = json.loads(lines[-1][len("RESULT") :])
        else:
            print(f"{name} did not run: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
    rows = list(dict.fromkeys(key for result in results.values() for key in result))
    print("| | " + " | ".join(results) + " |\n|---|" + "---:|" * len(results))
    for row in rows:
        cells = [result.get(row, "") for result in results.values()]
        print(
            f"| {row} | "
            + " | ".join(f"{c:,.1f}" if isinstance(c, float) else f"{c:,}" if c != "" else "" for c in cells)
            + " |"
        )


if __name__ == "__main__":
    main()
