"""The Python of the README and the pages runs as it is pasted, block after block."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import bytewright as bw

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    path
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if "```python" in path.read_text(encoding="utf-8")
]
# What blocks take for granted: a model, its tokenizer and a prompt.
FROM_OUTSIDE = ["model", "transformers_model", "tokenizer", "inputs"]


def blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def outside() -> dict[str, Any]:
    """A tiny model of random weights, with a tokenizer of its own."""
    torch = pytest.importorskip("torch", reason="needs the extra torch")
    transformers = pytest.importorskip("transformers", reason="needs the extra hf")
    tokenizers = pytest.importorskip("tokenizers", reason="needs the extra hf")
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    backend = tokenizers.Tokenizer(tokenizers.models.BPE({t: i for i, t in enumerate(alphabet)}, []))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=264,  # wider than the tokenizer, as models are
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=128,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = transformers.LlamaForCausalLM(config).eval()
    return {
        "model": model,
        "transformers_model": model,
        "tokenizer": tokenizer,
        "inputs": tokenizer("The answer:", return_tensors="pt"),
    }


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"bw": bw}
    for number, block in enumerate(blocks(page)):
        if "generate(" in block or "transformers_model" in block:
            given = outside()
            names |= {name: given[name] for name in FROM_OUTSIDE}
            if "compiled =" not in block:
                info = bw.TokenizerInfo.from_huggingface(given["tokenizer"], vocab_size=264)
                names["compiled"] = bw.GrammarCompiler(info).compile_grammar('root ::= "yes" | "no"')
        exec(compile(block, f"{page.name}, block {number + 1}", "exec"), names)


def test_the_example_of_the_readme_says_what_does_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(blocks(ROOT / "README.md")[0], "README.md", "exec"), {})
    assert "byte 0 ('a') does not fit" in capsys.readouterr().out
