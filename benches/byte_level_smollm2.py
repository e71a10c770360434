"""SmolLM2 over bytes: the next byte at every cut of English and Python texts, three ways.

    .venv/bin/python benches/byte_level_smollm2.py [--bytes N] [--save FILE] [--plot FILE] ...

For each text: bits of the true next byte after *every* prefix, when the prefix is encoded and the next
token's first byte is taken (naive), when one token is taken back (the marginal of transformers' healing,
without its side effects), and exactly. Then, for several tolerances, how many model contexts a byte took, and
the certificate against the true error. English is prose: descriptions of installed packages and the Python
language reference; Python is the standard library. Each document begins with the model's document separator.

Which contexts a text needs is known before the model is asked, so they are computed in batches, once for all
ways; contexts are counted as a stream would ask for them. The means' standard errors are over documents.

With --save each document's sums are written to a file as they come, and a second run goes on from there.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import inspect
import itertools
import json
import math
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from bytewright import CoverTree
from bytewright.byte_level import ByteModel, TransformersModel, rules_from_huggingface
from bytewright.fim import encode
from bytewright.models import load_smollm2

TOLERANCES = [0.0, 1e-6, 1e-4, 1e-3, 1e-2]
WAYS = ["naive", "one token back", "exact"]
START = 0  # <|endoftext|>, the document separator


def english() -> list[str]:
    """Prose paragraphs: package descriptions, and as much of the language reference."""
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
    descriptions = "\n\n".join(found)
    from pydoc_data.topics import topics

    paragraphs = [p for topic in sorted(topics) for p in topics[topic].split("\n\n")]
    prose = [p for p in paragraphs if len(p) > 200 and p[0].isupper() and "\n " not in p and "::" not in p]
    return [descriptions, "\n\n".join(prose)]


def python() -> list[str]:
    """Modules of the standard library."""
    import bisect
    import fnmatch
    import heapq
    import shlex
    import string
    import textwrap

    return [inspect.getsource(m) for m in (bisect, fnmatch, heapq, shlex, string, textwrap)]


def documents(texts: list[str], size: int, total: int) -> list[bytes]:
    """Documents from each text in turn, until they have ``total`` bytes."""
    parts = [[text[i : i + size] for i in range(0, len(text) - size + 1, size)] for text in texts]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*parts))
    found: list[bytes] = []
    for part in turns:
        if part is not None and sum(map(len, found)) < total:
            found.append(part.encode())
    return found


class Known:
    """Rows of logits that were computed ahead, in the place of the model."""

    def __init__(self, model: TransformersModel) -> None:
        self.model = model
        self.rows: dict[tuple[int, ...], np.ndarray] = {}

    def ahead(self, sequences: set[tuple[int, ...]]) -> None:
        self.rows.clear()
        self.model.clear()
        # The short ones first: then none is computed once as a prefix and again for its row.
        ordered = sorted(sequences, key=lambda s: (len(s), s))
        for start in range(0, len(ordered), 64):
            part = ordered[start : start + 64]
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


@dataclasses.dataclass
class Sums:
    """What is counted in a document; lists go with `TOLERANCES`."""

    size: int
    bits: dict[str, float]
    contexts: list[int]
    error: list[float]
    certificate: list[float]
    violations: list[int]
    compared: int = 0


def measure(data: bytes, rules, known: Known, baselines: Baselines) -> Sums:
    steps = contexts_of(rules, data)
    prefixes = [(START, *encode(rules, data[:i])) for i in range(len(data))]
    known.ahead({*prefixes, *(p[:-1] for p in prefixes if len(p) > 1), *itertools.chain(*steps)})
    models = [ByteModel(known, rules, start=[START], tolerance=t) for t in TOLERANCES]
    states = [model.start() for model in models]
    zeros = [[0] * len(TOLERANCES) for _ in range(4)]
    sums = Sums(len(data), dict.fromkeys(WAYS, 0.0), *zeros)
    for tokens, byte in zip(prefixes, data, strict=True):
        exact = np.exp(states[0].log_probs)
        naive = healed = baselines.naive(known.rows[tokens])
        if len(tokens) > 1:
            tail = rules.tokenizer_info.token_bytes(tokens[-1])
            healed = baselines.healed(known.rows[tokens[:-1]], known.rows[tokens], tail)
        for way, probabilities in zip(WAYS, (naive, healed, exact), strict=True):
            sums.bits[way] += bits(probabilities[byte])
        for i, state in enumerate(states[1:], 1):
            answer = state.next
            error = float(np.abs(np.exp(answer.log_probs) - exact).sum()) / 2
            sums.error[i] = max(sums.error[i], error)
            sums.certificate[i] = max(sums.certificate[i], answer.certificate)
            sums.violations[i] += error > answer.certificate + 1e-12
            sums.compared += 1
        for state in states:
            state.push(byte)
    sums.contexts = [model.contexts for model in models]
    return sums


def mean(values: list[float], sizes: list[int]) -> str:
    """The mean over all bytes, and its standard error over documents."""
    mean_ = sum(values) / sum(sizes)
    apart = [value - mean_ * size for value, size in zip(values, sizes, strict=True)]
    n = len(values)
    error = math.sqrt(n / max(n - 1, 1) * sum(a * a for a in apart)) / sum(sizes)
    return f"{mean_:8.3f} +- {error:.3f}"


def report(name: str, found: list[Sums]) -> None:
    sizes = [sums.size for sums in found]
    print(f"\n{name}, {sum(sizes):,} bytes in {len(found)} documents\n")
    for way in WAYS:
        print(f"  bits a byte, {way:<30}{mean([sums.bits[way] for sums in found], sizes)}")
    for way in WAYS[:-1]:
        differences = [sums.bits[way] - sums.bits["exact"] for sums in found]
        print(f"  bits a byte more than exact, {way:<14}{mean(differences, sizes)}")
    print(
        f"\n  {'tolerance':<12}{'contexts/byte':>14}{'max error':>12}"
        f"{'max certificate':>17}{'violations':>12}"
    )
    for i, tolerance in enumerate(TOLERANCES):
        contexts = sum(sums.contexts[i] for sums in found) / sum(sizes)
        error = max(sums.error[i] for sums in found)
        certificate = max(sums.certificate[i] for sums in found)
        violations = sum(sums.violations[i] for sums in found)
        print(f"  {tolerance:<12g}{contexts:>14.3f}{error:>12.1e}{certificate:>17.1e}{violations:>12}")
    print(f"\n  {sum(sums.compared for sums in found):,} distributions compared\n", flush=True)


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


def plot(results: dict[str, list[Sums]], path: Path) -> None:
    """Bits of each way, and what laziness saves."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "bytewright"
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
    for (name, found), colour, shift in zip(
        results.items(), ("#1b6ca8", "#b8c4ce"), (-0.2, 0.2), strict=True
    ):
        size = sum(sums.size for sums in found)
        bits = [sum(sums.bits[way] for sums in found) / size for way in WAYS]
        left.barh(np.arange(len(WAYS)) + shift, bits, height=0.38, color=colour, label=name)
        contexts = [sum(sums.contexts[i] for sums in found) / size for i in range(len(TOLERANCES))]
        right.plot([str(t) for t in TOLERANCES], contexts, marker="o", color=colour, label=name)
    left.set_yticks(range(len(WAYS)), WAYS)
    left.set_title("bits a byte", fontsize=10)
    right.set_title("model contexts a byte, by tolerance", fontsize=10)
    right.set_ylim(bottom=0)
    for axis in (left, right):
        axis.legend(frameon=False)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


class Saved:
    """The sums of documents that were measured before, by their texts."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path and path.exists() else []
        self.known = {text: Sums(**sums) for text, sums in map(json.loads, lines)}

    def get(self, data: bytes, compute) -> Sums:
        text = data.decode()
        if text not in self.known:
            self.known[text] = compute()
            if self.path:
                with self.path.open("a") as file:
                    file.write(json.dumps([text, dataclasses.asdict(self.known[text])]) + "\n")
        return self.known[text]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=20_000, help="of each kind")
    parser.add_argument("--document", type=int, default=1000, help="bytes of a document")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--save", type=Path, help="where to keep each document's sums")
    parser.add_argument("--plot", type=Path, help="an SVG file; needs matplotlib")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    transformer, tokenizer = load_smollm2(progress=False)
    rules = rules_from_huggingface(tokenizer, vocab_size=transformer.config.vocab_size, stop_token_ids=START)
    model = TransformersModel(transformer)
    check_cache(model, TransformersModel(transformer, use_cache=False), rules)
    info = rules.tokenizer_info
    known = Known(model)
    baselines = Baselines(info.decoded_vocab, {*info.special_token_ids, *info.stop_token_ids})
    saved, results = Saved(arguments.save), {}
    for name, texts in (("English", english()), ("Python", python())):
        parts = documents(texts, arguments.document, arguments.bytes)
        results[name] = [
            saved.get(part, lambda part=part: measure(part, rules, known, baselines))
            for part in tqdm(parts, desc=name, unit="document")
        ]
        report(name, results[name])
    if arguments.plot:
        plot(results, arguments.plot)


if __name__ == "__main__":
    main()
