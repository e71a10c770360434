"""Two small models of Python source, trained here: what the experiments on trained models run on.

    .venv/bin/python benches/code_models.py [--steps N] [--cache FOLDER]

The text is the standard library without its tests. A twentieth of the modules is held out; of the others each
model sees a half of its own. The models differ in their tokenizers as well: byte-level BPE with 4,096 and
with 1,024 tokens, trained on the same text. Everything is seeded; another version of Python has other modules
and gives other numbers.

Half of the training windows are plain text, half are for filling in the middle, cut at random characters as
Code Llama was trained (Rozière et al., arXiv 2308.12950): in the layout PSM prefix, suffix and middle are
encoded each for itself, so the model sees tokens cut at the cursor; in SPM prefix and middle are encoded as
one text, so it never does.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bytewright import CoverTree
from bytewright.byte_level import ByteModel, TransformersModel, rules_from_huggingface
from bytewright.fim import FimFormat
from bytewright.models import cache_folder

SPECIAL = ["<|end|>", "<|prefix|>", "<|suffix|>", "<|middle|>"]
END, PREFIX, SUFFIX, MIDDLE = range(4)
LENGTH = 256
BATCH = 8
SKIPPED = {"test", "tests", "idle_test", "idlelib", "lib2to3", "turtledemo", "site-packages", "__pycache__"}


@dataclass(frozen=True)
class Plan:
    """One of the models: its vocabulary, its half of the modules, the characters of a training window."""

    name: str
    vocab_size: int
    half: int
    window: int


PLANS = {"large": Plan("large", 4096, 0, 750), "small": Plan("small", 1024, 1, 520)}


@dataclass
class CodeModel:
    """A trained model and its tokenizer."""

    model: Any
    tokenizer: Any
    byte_model: ByteModel
    language_model: TransformersModel

    def format(self, layout: str) -> FimFormat:
        return FimFormat(layout, PREFIX, SUFFIX, MIDDLE, begin=(END,))  # type: ignore[arg-type]

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return ids

    def ahead(self, jobs: list[tuple[list[int], bytes, bytes]]) -> ByteModel:
        """A model that knows what it needs to read texts, computed in as few calls as possible.

        A job is the tokens before a text, the text before what is asked for, and that itself. Which contexts
        it takes is known from the covers alone.
        """
        rules = self.byte_model.rules
        wanted: dict[tuple[int, ...], None] = {}
        for context, prompt, text in jobs:
            tree = CoverTree(rules)
            tree.push(prompt)
            for end in range(len(text) + 1):
                wanted |= dict.fromkeys((*context, *tree.tokens(node)) for node, _, _ in tree.needed())
                tree.push(text[end : end + 1])
        self.language_model.clear()
        rows = dict(zip(wanted, self.language_model(list(wanted)), strict=True))
        return ByteModel(lambda asked: np.stack([rows[tuple(one)] for one in asked]), rules, start=[END])


def modules() -> dict[str, list[str]]:
    """The texts: "held" out, and the halves "0" and "1"."""
    root = Path(sysconfig.get_paths()["stdlib"])
    found: dict[str, list[str]] = {"held": [], "0": [], "1": []}
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if SKIPPED & set(name.split("/")):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        part = "held" if number % 20 == 0 else str(number // 20 % 2)
        if len(text) >= 1000:
            found[part].append(text)
    return found


def train_tokenizer(texts: list[str], vocab_size: int) -> Any:
    import tokenizers

    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIAL,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def window(texts: list[str], weights: list[int], plan: Plan, tokenizer: Any, rng: random.Random) -> list[int]:
    """Tokens of one training window, plain or laid out for filling in the middle."""

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    (text,) = rng.choices(texts, weights)
    start = rng.randrange(-plan.window // 4, len(text) - plan.window // 4)
    start = max(start, 0) if rng.random() < 0.1 else text.rfind("\n", 0, max(start, 0)) + 1
    part = text[start : start + plan.window]
    whole = start + plan.window >= len(text)
    if rng.random() < 0.5:
        return [END, *encode(part), *([END] if whole else [])]
    first = rng.randrange(len(part) + 1)
    last = min(len(part), first + rng.randrange(1, 65)) if rng.random() < 0.7 else len(part)
    last = rng.randrange(first, len(part) + 1) if last == len(part) else last
    before, middle, after = part[:first], part[first:last], part[last:]
    if rng.random() < 0.5:
        return [END, PREFIX, *encode(before), SUFFIX, *encode(after), MIDDLE, *encode(middle), END]
    return [END, PREFIX, SUFFIX, *encode(after), MIDDLE, *encode(before + middle), END]


def new_model(vocab_size: int) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=END,
        eos_token_id=END,
        pad_token_id=END,
    )
    return LlamaForCausalLM(config)


def orthogonal(update: Any) -> Any:
    """Singular values to about 1, by Newton and Schulz's iteration."""
    flat = update.size(0) > update.size(1)
    x = update.mT if flat else update
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.mT if flat else x


class Muon:
    """Momentum, made orthogonal (Jordan et al., 2024); torch's own works in bfloat16, slow on a CPU."""

    def __init__(self, parameters: list[Any], rate: float) -> None:
        self.parameters = parameters
        self.rate = rate
        self.momenta: list[Any] = [p.new_zeros(p.shape) for p in parameters]

    def step(self, scale: float) -> None:
        for parameter, momentum in zip(self.parameters, self.momenta, strict=True):
            momentum.lerp_(parameter.grad, 0.05)
            update = orthogonal(parameter.grad.lerp(momentum, 0.95))
            factor = max(1.0, parameter.size(0) / parameter.size(1)) ** 0.5
            parameter.data.add_(update, alpha=-self.rate * scale * factor)
            parameter.grad = None


def train(plan: Plan, folder: Path, steps: int) -> None:
    """Trains one model and writes it to a folder."""
    import torch

    texts = modules()
    mine = texts[str(plan.half)]
    tokenizer = train_tokenizer(texts["0"] + texts["1"], plan.vocab_size)
    model = new_model(plan.vocab_size)
    inside = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    rest = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    muon = Muon(inside, 0.02)
    adam = torch.optim.AdamW(rest, lr=4e-3, betas=(0.9, 0.95), weight_decay=0.0)
    rng, weights = random.Random(plan.vocab_size), [len(text) for text in mine]
    size = sum(p.numel() for p in model.parameters())
    print(f"{plan.name}: {size / 1e6:.2f}M parameters, {sum(weights) / 1e6:.2f} MB of text", flush=True)
    began, tokens, losses = time.perf_counter(), 0, []
    for step in range(steps):
        rows = [window(mine, weights, plan, tokenizer, rng)[: LENGTH + 1] for _ in range(BATCH)]
        width = max(map(len, rows))
        ids = torch.full((BATCH, width), -100)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
        logits = model(input_ids=ids[:, :-1].clamp(min=END), use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scale = min((step + 1) / 30, max(1 - step / steps, 0.02))  # a short rise, a straight fall
        adam.param_groups[0]["lr"] = 4e-3 * scale
        muon.step(scale)
        adam.step()
        adam.zero_grad(set_to_none=True)
        tokens += int((ids[:, 1:] >= 0).sum())
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            seconds = time.perf_counter() - began
            print(
                f"{plan.name}: step {step + 1}, loss {np.mean(losses[-50:]):.3f}, {seconds:.0f} s", flush=True
            )
    print(f"{plan.name}: {tokens:,} tokens in {time.perf_counter() - began:.0f} s", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    model.save_pretrained(folder)


def load(name: str, cache: Path | None = None, steps: int = 600) -> CodeModel:
    """A model from the cache, trained first if it is not there."""
    import transformers

    folder = (cache or cache_folder()) / "code-models" / f"{name}-{steps}"
    if not (folder / "config.json").is_file():
        train(PLANS[name], folder, steps)
    model = transformers.LlamaForCausalLM.from_pretrained(folder).eval()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        bos_token=SPECIAL[END],
        eos_token=SPECIAL[END],
        pad_token=SPECIAL[END],
        additional_special_tokens=SPECIAL[1:],
    )
    rules = rules_from_huggingface(tokenizer, stop_token_ids=END)
    wrapped = TransformersModel(model)
    return CodeModel(model, tokenizer, ByteModel(wrapped, rules, start=[END]), wrapped)


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that all experiments on these models share."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--cache", type=Path, help="where trained models are kept; the package's cache folder")
    made.add_argument(
        "--steps", type=int, default=600, help="training steps of a model that is not there yet"
    )
    made.add_argument("--threads", type=int, default=1)
    return made


def main() -> None:
    import torch

    options = parser(__doc__)
    options.add_argument("models", nargs="*", default=list(PLANS))
    arguments = options.parse_args()
    torch.set_num_threads(arguments.threads)
    for name in arguments.models:
        load(name, arguments.cache, arguments.steps)
        print(f"{name}: ready", flush=True)


if __name__ == "__main__":
    main()
