"""A real language model under four grammars; each text is shown as it grows, and checked afterwards.

    python examples/demo.py [--seed N]

Loads SmolLM2-135M-Instruct (converted once, then cached) and generates JSON, an arithmetic expression, a
chess game and a date. It ends by saying what the constraint cost per token next to the model's time per
token.
"""

from __future__ import annotations

import argparse
import ast
import datetime
import json
import pathlib
import re
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

import bytewright as bw
from bytewright.models import load_smollm2

if TYPE_CHECKING:
    from collections.abc import Callable

GRAMMARS = pathlib.Path(__file__).resolve().parent.parent / "grammars"
DATE = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
SAN = re.compile(r"(O-O(-O)?|[KQRBN]?[a-h]?[1-8]?x?[a-h][1-8](=[QRBN])?)[+#]?[!?]{0,2}")


@dataclass
class Timings:
    """Seconds a token, of the model and of the constraint."""

    model: list[float] = field(default_factory=list)
    constraint: list[float] = field(default_factory=list)


def check_json(text: str) -> str:
    value = json.loads(text)
    return f"json.loads gives {type(value).__name__}"


def check_arithmetic(text: str) -> str:
    tree = ast.parse(text.strip(), mode="eval")
    allowed = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Constant, ast.operator, ast.unaryop)
    if not all(isinstance(node, allowed) for node in ast.walk(tree)):
        raise ValueError("something else than arithmetic")
    return "Python parses it as arithmetic"


def check_chess(text: str) -> str:
    moves = [word for word in text.split() if not re.fullmatch(r"\d+\.+|1-0|0-1|1/2-1/2|\*", word)]
    moves = [re.sub(r"^\d+\.+", "", move) for move in moves]
    wrong = [move for move in moves if not SAN.fullmatch(move)]
    if wrong:
        raise ValueError(f"not moves: {wrong}")
    return f"{len(moves)} moves in standard algebraic notation (form, not legality)"


def check_date(text: str) -> str:
    return f"datetime reads {datetime.date.fromisoformat(text):%A, %d %B %Y}"


def shortest_end(matcher: bw.GrammarMatcher, vocabulary: list[bytes], limit: int = 400) -> list[int]:
    """Tokens that complete the text soonest, by a breadth-first search; empty if no end is near."""
    mask = bw.allocate_token_bitmask(1, len(vocabulary), backend="numpy")
    queue: list[tuple[bw.GrammarMatcher, list[int]]] = [(matcher.fork(), [])]
    for _ in range(limit):
        if not queue:
            break
        here, path = queue.pop(0)
        if here.is_completed():
            return path
        here.fill_next_token_bitmask(mask)
        words = [(w, int(bits)) for w, bits in enumerate(mask[0].view("uint32")) if bits]
        ids = [w * 32 + b for w, bits in words for b in range(32) if bits >> b & 1]
        # Closing characters and short tokens first: they are what ends a text.
        ids.sort(key=lambda i: (vocabulary[i] not in (b'"', b"}", b"]", b")", b"*"), len(vocabulary[i])))
        for token in ids[:6]:
            after = here.fork()
            if after.accept_token(token) and not after.is_terminated():
                queue.append((after, [*path, token]))
    return []


@torch.inference_mode()
def generate(
    model: Any,
    tokenizer: Any,
    compiled: bw.CompiledGrammar,
    prompt: str,
    budget: int,
    timings: Timings,
    generator: torch.Generator,
) -> tuple[str, bool]:
    """One text, printed as it grows; gives the text and whether it is a sentence of the grammar."""
    chat = [{"role": "user", "content": prompt}]
    inputs = tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    ids, cache = inputs["input_ids"], None
    vocabulary = compiled.tokenizer_info.decoded_vocab
    matcher = bw.GrammarMatcher(compiled)
    mask = bw.allocate_token_bitmask(1, compiled.tokenizer_info.vocab_size, backend="torch")
    out = bytearray()
    ending: list[int] | None = None
    for step in range(2 * budget):
        start = time.perf_counter()
        outputs = model(ids, past_key_values=cache, use_cache=True)
        cache, logits = outputs.past_key_values, outputs.logits[0, -1:].float()
        timings.model.append(time.perf_counter() - start)

        if step >= budget and ending is None:
            ending = shortest_end(matcher, vocabulary)
        start = time.perf_counter()
        matcher.fill_next_token_bitmask(mask)
        filled = time.perf_counter() - start
        bw.apply_token_bitmask_inplace(logits, mask)
        if ending:
            token = ending.pop(0)
        elif step >= budget and matcher.is_completed():
            token = matcher.stop_token_ids[0]
        else:
            token = int(torch.multinomial(torch.softmax(logits / 0.7, dim=-1), 1, generator=generator))
        start = time.perf_counter()
        accepted = matcher.accept_token(token)
        timings.constraint.append(filled + time.perf_counter() - start)
        if not accepted:
            raise RuntimeError(f"the matcher refused token {token}, which its mask allowed")
        if matcher.is_terminated():
            break
        out += vocabulary[token]
        sys.stdout.write(vocabulary[token].decode("utf-8", "replace"))
        sys.stdout.flush()
        ids = torch.tensor([[token]])
    return out.decode("utf-8", "replace"), matcher.is_completed()


def percentile(values: list[float], q: float) -> float:
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]


def main() -> int:
    """Runs the demo; exit status 1 if a text does not pass its check."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=3)
    args = parser.parse_args()
    model, tokenizer = load_smollm2()
    start = time.perf_counter()
    info = bw.TokenizerInfo.from_huggingface(tokenizer, vocab_size=model.config.vocab_size)
    compiler = bw.GrammarCompiler(info)
    seconds = time.perf_counter() - start
    print(f"\nSmolLM2-135M-Instruct, {info.vocab_size:,} tokens; vocabulary read in {seconds:.2f} s")

    ebnf = lambda name: compiler.compile_grammar((GRAMMARS / name).read_text(encoding="utf-8"))  # noqa: E731
    tasks: list[tuple[str, Callable[[], bw.CompiledGrammar], str, int, Callable[[str], str]]] = [
        (
            "JSON",
            compiler.compile_builtin_json_grammar,
            "Describe the city of Paris as a JSON object with the keys name, country, population and sights.",
            120,
            check_json,
        ),
        (
            "Arithmetic",
            lambda: ebnf("arithmetic.ebnf"),
            "Write an arithmetic expression for the area of a rectangle of 12 by 7 plus a square of 5.",
            30,
            check_arithmetic,
        ),
        (
            "Chess",
            lambda: ebnf("chess.ebnf"),
            "Write the moves of a short chess game in PGN: 1. e4 e5 2.",
            70,
            check_chess,
        ),
        (
            "Date",
            lambda: compiler.compile_regex(DATE),
            "On which date did Apollo 11 land? (YYYY-MM-DD)",
            12,
            check_date,
        ),
    ]
    timings, failures = Timings(), 0
    generator = torch.Generator().manual_seed(args.seed)
    for title, compile_grammar, prompt, budget, check in tasks:
        start = time.perf_counter()
        compiled = compile_grammar()
        elapsed = (time.perf_counter() - start) * 1e3
        print(f"\n── {title} (compiled in {elapsed:.1f} ms) ── {prompt}")
        text, complete = generate(model, tokenizer, compiled, prompt, budget, timings, generator)
        try:
            verdict = check(text) if complete else "the text is not complete"
            failures += not complete
        except (ValueError, SyntaxError) as error:
            verdict, failures = f"INVALID: {error}", failures + 1
        print(f"\n   → {verdict}")

    model_ms = statistics.fmean(timings.model) * 1e3
    micro = [seconds * 1e6 for seconds in timings.constraint]
    print(
        f"\n{len(micro)} tokens. The model took {model_ms:.1f} ms a token; the constraint (mask and accept) "
        f"{statistics.fmean(micro):.1f} µs on average, {percentile(micro, 0.5):.1f} µs at the median, "
        f"{percentile(micro, 0.99):.1f} µs at the 99th percentile: "
        f"{statistics.fmean(micro) / model_ms / 10:.3f} % of the model's time."
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
