"""SmolLM2 over bytes: the next byte at every cut of English and Python texts, three ways.

    .venv/bin/python benches/byte_level_smollm2.py [--bytes N] [--document N]

For each text: bits of the true next byte after *every* prefix, when the prefix is encoded and the next
token's first byte is taken (naive), when one token is taken back (the marginal of transformers' healing,
without its side effects), and exactly. Then, for several tolerances, how many model contexts a byte took, and
the certificate against the true error. English is the description of installed packages, Python the standard
library; each document begins with the model's document separator.

Which contexts a text needs is known before the model is asked, so they are computed in batches; contexts are
counted as a stream would ask for them.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import inspect
import math
import time

import numpy as np

from bytewright import CoverTree
from bytewright.byte_level import ByteModel, TransformersModel, rules_from_huggingface
from bytewright.fim import encode
from bytewright.models import load_smollm2

TOLERANCES = [0.0, 1e-6, 1e-4, 1e-3, 1e-2]
START = 0  # <|endoftext|>, the document separator


def english(size: int) -> list[str]:
    """Prose paragraphs of package descriptions."""
    found: list[str] = []
    for name in ("hypothesis", "pydantic", "rich", "typer", "lark", "pytest", "jsonschema", "transformers"):
        try:
            body = (
                importlib.metadata.metadata(name).get_payload()
                or importlib.metadata.metadata(name)["Description"]
            )
        except importlib.metadata.PackageNotFoundError:
            continue
        prose = [p for p in str(body).split("\n\n") if len(p) > 120 and "http" not in p and "```" not in p]
        found.append("\n\n".join(prose))
    return documents(found, size)


def python(size: int) -> list[str]:
    """Modules of the standard library."""
    import bisect
    import fnmatch
    import heapq
    import shlex
    import string
    import textwrap

    return documents([inspect.getsource(m) for m in (bisect, fnmatch, heapq, shlex, string, textwrap)], size)


def documents(texts: list[str], size: int) -> list[str]:
    return [text[i : i + size] for text in texts for i in range(0, len(text) - size + 1, size)]


class Known:
    """Rows of logits that were computed ahead, in the place of the model."""

    def __init__(self, model: TransformersModel) -> None:
        self.model = model
        self.rows: dict[tuple[int, ...], np.ndarray] = {}

    def ahead(self, sequences: list[tuple[int, ...]]) -> None:
        self.rows.clear()
        for start in range(0, len(sequences), 128):
            part = sequences[start : start + 128]
            self.rows.update(zip(part, self.model(part), strict=True))

    def __call__(self, sequences):
        return np.stack([self.rows[tuple(sequence)] for sequence in sequences])


def contexts_of(rules, data: bytes) -> list[list[tuple[int, ...]]]:
    """The contexts in play after each prefix, from structure alone."""
    tree = CoverTree(rules)
    found = []
    for i in range(len(data)):
        found.append([(START, *tree.tokens(node)) for node, _, _ in tree.needed()])
        tree.push(data[i : i + 1])
    return found


class Baselines:
    """The two usual ways, as distributions over bytes."""

    def __init__(self, vocabulary: list[bytes], skip: set[int]) -> None:
        self.texts = [b"" if i in skip else t for i, t in enumerate(vocabulary)]
        self.first = np.array([t[0] if t else 256 for t in self.texts])
        self.by_prefix: dict[bytes, list[int]] = {}
        for i, text in enumerate(self.texts):
            for end in range(1, len(text) + 1):
                self.by_prefix.setdefault(text[:end], []).append(i)

    def naive(self, row: np.ndarray) -> np.ndarray:
        weights = np.exp(row.astype(np.float64) - row.max())
        bins = np.bincount(self.first, weights=weights, minlength=257)[:256]
        return bins / bins.sum()

    def healed(self, before: np.ndarray, row: np.ndarray, tail: bytes) -> np.ndarray:
        weights = np.exp(before.astype(np.float64) - before.max())
        bins = np.zeros(256)
        for token in self.by_prefix[tail]:
            text = self.texts[token]
            if len(text) > len(tail):
                bins[text[len(tail)]] += weights[token]
            else:
                bins += weights[token] * self.naive(row)
        return bins / bins.sum()


def bits(probability: float) -> float:
    return -math.log2(max(probability, 1e-30))


def measure(name: str, texts: list[str], limit: int, rules, model: TransformersModel) -> None:
    known = Known(model)
    info = rules.tokenizer_info
    baselines = Baselines(info.decoded_vocab, {*info.special_token_ids, *info.stop_token_ids})
    total, spent = 0, dict.fromkeys(("naive", "one token back", "exact"), 0.0)
    contexts, worst, widest, violations = (dict.fromkeys(TOLERANCES, 0) for _ in range(4))
    compared, started = 0, time.perf_counter()
    for text in texts:
        data = text.encode()
        if total >= limit:
            break
        steps = contexts_of(rules, data)
        prefixes = [(START, *encode(rules, data[:i])) for i in range(len(data))]
        wanted = dict.fromkeys(s for step in steps for s in step)
        wanted |= dict.fromkeys(prefixes) | dict.fromkeys(p[:-1] for p in prefixes if len(p) > 1)
        known.ahead(list(wanted))
        models = {t: ByteModel(known, rules, start=[START], tolerance=t) for t in TOLERANCES}
        states = {t: made.start() for t, made in models.items()}
        for i, byte in enumerate(data):
            exact = np.exp(states[0.0].log_probs)
            spent["exact"] += bits(exact[byte])
            tokens = prefixes[i]
            naive = baselines.naive(known.rows[tokens])
            spent["naive"] += bits(naive[byte])
            healed = naive
            if len(tokens) > 1:
                tail = info.token_bytes(tokens[-1])
                healed = baselines.healed(known.rows[tokens[:-1]], known.rows[tokens], tail)
            spent["one token back"] += bits(healed[byte])
            for t in TOLERANCES[1:]:
                answer = states[t].next
                error = float(np.abs(np.exp(answer.log_probs) - exact).sum()) / 2
                worst[t], widest[t] = max(worst[t], error), max(widest[t], answer.certificate)
                violations[t] += error > answer.certificate + 1e-12
                compared += 1
            for state in states.values():
                state.push(byte)
        total += len(data)
        for t in TOLERANCES:
            contexts[t] += models[t].contexts
        print(f"# {name}: {total} bytes, {time.perf_counter() - started:.0f} s", flush=True)
    print(f"\n{name}, {total:,} bytes in documents of {len(texts[0])}\n")
    for way, sum_ in spent.items():
        print(f"  bits a byte, {way:<16}{sum_ / total:8.3f}")
    print(
        f"\n  {'tolerance':<12}{'contexts/byte':>14}{'max error':>12}"
        f"{'max certificate':>17}{'violations':>12}"
    )
    for t in TOLERANCES:
        numbers = f"{contexts[t] / total:>14.3f}{worst[t]:>12.1e}{widest[t]:>17.1e}{violations[t]:>12}"
        print(f"  {t:<12g}{numbers}")
    print(f"\n  {compared:,} distributions compared\n", flush=True)


def check_cache(model: TransformersModel, plain: TransformersModel, rules) -> None:
    """Oracle 7: log-probabilities with the shared cache and without any."""
    data = b"def unbelievable(x):\n    return x + 1993"
    left = ByteModel(model, rules, start=[START]).next_byte_log_probs(
        [data[:i] for i in range(1, len(data), 4)]
    )
    right = ByteModel(plain, rules, start=[START]).next_byte_log_probs(
        [data[:i] for i in range(1, len(data), 4)]
    )
    with np.errstate(invalid="ignore"):
        apart = np.nanmax(np.abs(left - right))
    print(f"with and without the shared cache: log-probabilities at most {apart:.1e} apart (limit 1e-3)\n")
    assert apart < 1e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=20_000, help="of each kind")
    parser.add_argument("--document", type=int, default=500, help="bytes of a document")
    arguments = parser.parse_args()
    transformer, tokenizer = load_smollm2(progress=False)
    rules = rules_from_huggingface(tokenizer, vocab_size=transformer.config.vocab_size, stop_token_ids=START)
    model = TransformersModel(transformer)
    check_cache(model, TransformersModel(transformer, use_cache=False), rules)
    for name, texts in (("English", english(arguments.document)), ("Python", python(arguments.document))):
        measure(name, texts, arguments.bytes, rules, model)


if __name__ == "__main__":
    main()
