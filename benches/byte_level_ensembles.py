"""Two models with different tokenizers as one: bits a byte of held-out modules, alone and together.

    .venv/bin/python benches/byte_level_ensembles.py [--documents N] [--cache FOLDER]

The models are those of `code_models`: 4,096 and 1,024 tokens, each trained on a half of its own of the
standard library. They meet at each byte (`bytewright.byte_level.ByteEnsemble`). A document is 500 characters
from the beginning of a line of a held-out module, read from its first byte on.

The models are trained first if they are not in the cache.
"""

from __future__ import annotations

import random
import time

import code_models
import numpy as np
from code_models import END

from bytewright.byte_level import ByteEnsemble

WEIGHTS = (0.25, 0.5, 0.75)
"""Of the large model."""


def documents(count: int) -> list[bytes]:
    rng = random.Random(2)
    texts = [text for text in code_models.modules()["held"] if len(text) > 2000]
    weights = [len(text) for text in texts]
    found = []
    for text in rng.choices(texts, weights, k=count):
        start = text.rfind("\n", 0, rng.randrange(len(text) - 600) + 1) + 1
        found.append(text[start : start + 500].encode())
    return found


def main() -> None:
    import torch

    options = code_models.parser(__doc__)
    options.add_argument("--documents", type=int, default=60)
    arguments = options.parse_args()
    torch.set_num_threads(arguments.threads)
    codes = [code_models.load(name, arguments.cache, arguments.steps) for name in ("large", "small")]
    texts = documents(arguments.documents)
    spent: dict[str, list[float]] = {}
    began = time.perf_counter()
    for number, text in enumerate(texts):
        models = [code.ahead([([END], b"", text)]) for code in codes]
        alone = dict(zip(("large (4,096 tokens)", "small (1,024 tokens)"), models, strict=True))
        together = {
            f"{combine}, {weight:.2f} of the large": ByteEnsemble(
                models, combine=combine, weights=[weight, 1 - weight]
            )
            for combine in ("mean", "product")
            for weight in WEIGHTS
        }
        for name, model in {**alone, **together}.items():
            spent.setdefault(name, []).append(-model.log_prob(text) / np.log(2) / len(text))
        if (number + 1) % 10 == 0:
            print(f"# {number + 1} documents, {time.perf_counter() - began:.0f} s", flush=True)
    best = np.array(spent["large (4,096 tokens)"])
    print(
        f"\n{len(texts)} documents, {sum(map(len, texts)):,} bytes: bits a byte, and beside the large model\n"
    )
    for name, values in spent.items():
        more = np.array(values) - best
        error = more.std() / max(len(more) - 1, 1) ** 0.5
        print(f"  {name:<28}{np.mean(values):8.3f}{more.mean():+10.3f} ± {error:.3f}")


if __name__ == "__main__":
    main()
