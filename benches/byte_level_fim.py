"""Filling in the middle with a small model trained here: five ways to go on from a cursor inside a token.

    .venv/bin/python benches/byte_level_fim.py [--cases N] [--plot FILE] [--cache FOLDER]

A case is a cursor strictly inside a token of a held-out module, up to 300 characters before it and 150 behind
the middle, and a middle of 2 to 12 characters that ends anywhere. For each way: how often the likeliest
answer (token by token, always the likeliest) begins with the middle, and the bits of the middle under the law
that the way samples from. Where a middle ends is not asked: so small a model has not learned it.

naive           the prefix is encoded, and that is that
one token back  the last token is taken back, and one that begins with its text is favoured by e^10: the
                idea of transformers' healing, with the sentinels left where they are
transformers    ``generate(token_healing=True)`` itself
chopped         tokens are taken back while some token extends the text of their end, as llguidance does (four
                at most), and tokens are masked by that text until it is spelled
exact           a cover by its probability (`bytewright.fim`)

In the layout SPM the prefix stands at the end. In PSM the middle stands alone and its tokens begin at the
cursor, so there is nothing to heal: the model was trained on such cuts. Ours can move the prefix's last token
behind the sentinel; the model has not seen that.

The model is trained first if it is not in the cache (see `code_models`).
"""

from __future__ import annotations

import heapq
import math
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import code_models
import numpy as np
from code_models import END, CodeModel

from bytewright.fim import heal

LOOKBACK = 4


@dataclass(frozen=True)
class Case:
    prefix: str
    middle: str
    suffix: str


@dataclass
class Result:
    """Of one way: bits and bytes of each middle, bits of its first byte, and whether the answer was right."""

    bits: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)


def cases(code: CodeModel, count: int) -> list[Case]:
    rng = random.Random(1)
    texts = [text for text in code_models.modules()["held"] if text.isascii()]
    weights = [len(text) for text in texts]
    found: list[Case] = []
    while len(found) < count:
        (text,) = rng.choices(texts, weights)
        at = rng.randrange(100, len(text) - 200)
        start = text.rfind("\n", 0, max(0, at - 300)) + 1
        tokens = code.tokenizer(text[start : at + 50], return_offsets_mapping=True)["offset_mapping"]
        inside = [(a, b) for a, b in tokens if b - a >= 2 and abs(start + a - at) < 60]
        if not inside:
            continue
        a, b = rng.choice(inside)
        cursor = start + rng.randrange(a + 1, b)
        end = cursor + rng.randrange(2, 13)
        prefix = text[max(start, cursor - 300) : cursor]
        if text[cursor:end].strip():
            found.append(Case(prefix, text[cursor:end], text[end : end + 150]))
    return found


class Infiller:
    """The ways, for one model."""

    def __init__(self, code: CodeModel) -> None:
        self.code = code
        info = code.byte_model.rules.tokenizer_info
        special = {*info.special_token_ids, *info.stop_token_ids}
        self.texts = [b"" if i in special else text for i, text in enumerate(info.decoded_vocab)]
        self.pruned = 0.0

    def row(self, tokens: list[int]) -> np.ndarray:
        logits = self.code.language_model([tokens])[0].astype(np.float64)
        weights = np.exp(logits - logits.max())
        return weights / weights.sum()

    def answer(self, tokens: list[int], length: int, forced: bytes = b"") -> bytes:
        """The first bytes that follow the tokens, the likeliest token each time, `forced` before them."""
        found, tokens = b"", list(tokens)
        while len(found) < len(forced) + length:
            weights = self.row(tokens)
            if len(found) < len(forced):
                weights = np.where(self.fits(forced[len(found) :]), weights, 0.0)
            token = int(weights.argmax())
            if not self.texts[token]:
                break
            found += self.texts[token]
            tokens.append(token)
        return found[len(forced) :][:length]

    def fits(self, rest: bytes) -> np.ndarray:
        """Which tokens spell a part of a text, or all of it and more."""
        return np.array([bool(t) and (t.startswith(rest) or rest.startswith(t)) for t in self.texts])

    def spell(self, covers: list[tuple[float, list[int], bytes]], middle: bytes) -> tuple[float, float]:
        """Bits of the middle and of its first byte, over ways to begin it: weight, tokens, the text left."""
        model = self.code.ahead([(tokens, b"", text) for _, tokens, text in covers])
        total = first = 0.0
        for weight, tokens, text in covers:
            state, shares = model.start(b"", context=tokens), [weight]
            for byte in text:
                shares.append(shares[-1] * math.exp(state.log_probs[byte]))
                state.push(byte)
            # A way that has said more than the first byte is sure of it.
            first += shares[max(0, len(text) - len(middle) + 1)]
            total += shares[-1]
        return -math.log2(total), -math.log2(first)

    def naive(self, context: list[int], case: Case) -> tuple[float, float, bool]:
        tokens = context + self.code.encode(case.prefix)
        middle = case.middle.encode()
        return *self.spell([(1.0, tokens, middle)], middle), self.answer(tokens, len(middle)) == middle

    def one_back(self, context: list[int], case: Case) -> tuple[float, float, bool]:
        *kept, last = self.code.encode(case.prefix)
        tail, middle = self.texts[last], case.middle.encode()
        weights = self.row(context + kept)
        weights = weights * np.exp([10.0 * text.startswith(tail) for text in self.texts])
        weights /= weights.sum()
        covers = self.covers(context + kept, tail, middle, weights)
        token = int(weights.argmax())
        right = self.texts[token].startswith(tail)
        if right:
            says = self.texts[token][len(tail) :]
            right = (says + self.answer([*context, *kept, token], len(middle)))[: len(middle)] == middle
        return *self.spell(covers, middle), right

    def covers(
        self, tokens: list[int], tail: bytes, middle: bytes, weights: np.ndarray
    ) -> list[tuple[float, list[int], bytes]]:
        """The next tokens that fit what was taken back and the middle, and what they leave of the middle."""
        whole = tail + middle
        found = []
        for token in np.flatnonzero(self.fits(whole)).tolist():
            text = self.texts[token]
            if not whole.startswith(text):
                continue
            # A token that does not reach the cursor leaves the rest of the tail to be spelled by chance.
            found.append((float(weights[token]), [*tokens, token], whole[len(text) :]))
        total = sum(cover[0] for cover in found)
        heaviest = sorted(found, key=lambda cover: -cover[0])[:48]
        self.pruned = max(self.pruned, 1.0 - sum(cover[0] for cover in heaviest) / total)
        return heaviest

    def chop(self, tokens: list[int]) -> int:
        """How many tokens llguidance takes back: those under the longest end that some token extends."""
        looked = tokens[-LOOKBACK:]
        text = b"".join(self.texts[t] for t in looked)
        for start in range(len(text)):
            end = text[start:]
            if any(t.startswith(end) and len(t) > len(end) for t in self.texts):
                count, covered = 0, 0
                while covered < len(end):
                    count += 1
                    covered += len(self.texts[looked[-count]])
                return count
        return 0

    def chopped(self, context: list[int], case: Case) -> tuple[float, float, bool]:
        tokens, middle = self.code.encode(case.prefix), case.middle.encode()
        count = self.chop(tokens)
        kept = context + tokens[: len(tokens) - count]
        tail = b"".join(self.texts[t] for t in tokens[len(tokens) - count :])
        return *self.spell(self.masked(kept, tail, middle), middle), self.answer(
            kept, len(middle), forced=tail
        ) == middle

    def masked(self, kept: list[int], tail: bytes, middle: bytes) -> list[tuple[float, list[int], bytes]]:
        """The ways to spell the tail under the mask that fit the middle, the heaviest first."""
        pending: list[tuple[float, list[int], bytes]] = [(-1.0, kept, tail)]
        covers: list[tuple[float, list[int], bytes]] = []
        total = 0.0
        while pending and -pending[0][0] > 1e-4 * total:
            mass, so_far, rest = heapq.heappop(pending)
            if not rest:
                covers.append((-mass, so_far, middle))
                total -= mass
                continue
            weights = np.where(self.fits(rest), self.row(so_far), 0.0)
            weights *= -mass / weights.sum()
            for token in np.flatnonzero(weights).tolist():
                text = self.texts[token]
                if len(text) <= len(rest):
                    heapq.heappush(pending, (-float(weights[token]), [*so_far, token], rest[len(text) :]))
                elif middle.startswith(text[len(rest) :]):
                    covers.append((float(weights[token]), [*so_far, token], middle[len(text) - len(rest) :]))
                    total += float(weights[token])
        heaviest = sorted(covers, key=lambda cover: -cover[0])[:48]
        left = total - sum(cover[0] for cover in heaviest) - sum(one[0] for one in pending)
        self.pruned = max(self.pruned, left / total)
        return heaviest

    def exact(self, context: list[int], text: str, case: Case) -> tuple[float, float, bool]:
        prompt, middle = text.encode(), case.middle.encode()
        state = self.code.ahead([(context, prompt, middle)]).start(prompt, context=context)
        bits = []
        for byte in middle:
            bits.append(-float(state.log_probs[byte]) / math.log(2))
            state.push(byte)
        healed = heal(self.code.byte_model, context + self.code.encode(text))
        answer = healed.overhang + self.answer(healed.tokens, len(middle))
        return sum(bits), bits[0], answer[: len(middle)] == middle

    def transformers(self, prompt: list[int], case: Case) -> bool:
        """As the library does it: the prompt is decoded without its sentinels, stripped, encoded again."""
        import torch

        text = self.code.tokenizer.decode(prompt, skip_special_tokens=True).strip()
        ids = self.code.model.generate(
            torch.tensor([prompt]),
            attention_mask=None,
            token_healing=True,
            tokenizer=self.code.tokenizer,
            do_sample=False,
            max_new_tokens=12,
            pad_token_id=END,
        )[0].tolist()
        said = self.code.tokenizer.decode(ids, skip_special_tokens=True)
        return bool(said.startswith(text + case.middle))


def run(code: CodeModel, count: int) -> tuple[dict[str, Result], Infiller]:
    """All ways on all cases."""
    infiller = Infiller(code)
    results: dict[str, Result] = {}

    def note(way: str, case: Case, bits: float, first: float, right: bool) -> None:
        result = results.setdefault(way, Result())
        result.bits.append(bits / len(case.middle.encode()))
        result.first.append(first)
        result.right.append(right)

    began = time.perf_counter()
    rules = code.byte_model.rules
    for number, case in enumerate(cases(code, count)):
        parts = (case.prefix.encode(), case.suffix.encode())
        spm, _ = code.format("spm").context(rules, *parts)
        note("SPM naive", case, *infiller.naive(spm, case))
        note("SPM one token back", case, *infiller.one_back(spm, case))
        note("SPM chopped", case, *infiller.chopped(spm, case))
        note("SPM exact", case, *infiller.exact(spm, case.prefix, case))
        for moved, way in ((0, "PSM, nothing moved"), (1, "PSM exact, one token moved")):
            psm, text = code.format("psm").context(rules, *parts, moved_tokens=moved)
            note(way, case, *infiller.exact(psm, text.decode(), case))
        for way, prompt in (
            ("SPM transformers", spm + code.encode(case.prefix)),
            ("PSM transformers", code.format("psm").context(rules, *parts, moved_tokens=0)[0]),
        ):
            note(way, case, math.nan, math.nan, infiller.transformers(prompt, case))
        if (number + 1) % 20 == 0:
            print(f"# {number + 1} cases, {time.perf_counter() - began:.0f} s", flush=True)
    return results, infiller


def mean(values: list[float]) -> tuple[float, float]:
    """Mean and its standard error."""
    return float(np.mean(values)), float(np.std(values) / max(len(values) - 1, 1) ** 0.5)


def plot(results: dict[str, Result], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "bytewright"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
    ways = list(results)[::-1]
    columns = (
        ("bits a byte of the middle", "bits", 1.0),
        ("answers that begin with the middle, %", "right", 100.0),
    )
    for axis, (title, name, scale) in zip(axes, columns, strict=True):
        found = np.array([mean([float(v) for v in getattr(results[way], name)]) for way in ways]) * scale
        known = ~np.isnan(found[:, 0])
        colours = ["#1b6ca8" if "exact" in way else "#b8c4ce" for way in ways]
        axis.barh(ways, np.where(known, found[:, 0], 0.0), color=colours)
        axis.errorbar(
            found[known, 0], np.flatnonzero(known), xerr=found[known, 1], fmt="none", ecolor="#555555"
        )
        axis.set_title(title, fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    import torch

    options = code_models.parser(__doc__)
    options.add_argument("--cases", type=int, default=200)
    options.add_argument("--plot", type=Path, help="an SVG file; needs matplotlib")
    arguments = options.parse_args()
    torch.set_num_threads(arguments.threads)
    code = code_models.load("large", arguments.cache, arguments.steps)
    results, infiller = run(code, arguments.cases)
    print(f"\n{arguments.cases} cases; bits a byte of the middle, bits of its first byte, answers\n")
    for way, result in results.items():
        (bits, error), (first, _) = mean(result.bits), mean(result.first)
        numbers = (
            "       -               -     "
            if math.isnan(bits)
            else f"{bits:8.3f} ± {error:5.3f}{first:9.3f}    "
        )
        print(f"  {way:<28}{numbers}{np.mean(result.right):8.1%}")
    ours = np.array(results["SPM exact"].bits)
    print("\nbits a byte more than the exact way, case by case (SPM)\n")
    for way in ("SPM naive", "SPM one token back", "SPM chopped"):
        more, error = mean((np.array(results[way].bits) - ours).tolist())
        print(f"  {way:<28}{more:8.3f} ± {error:5.3f}")
    print(f"\nlargest share of ways that was not followed in one case: {infiller.pruned:.1e}")
    if arguments.plot:
        plot(results, arguments.plot)


if __name__ == "__main__":
    main()
