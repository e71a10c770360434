"""Tiny Llamas of random weights: whatever they say, the engine must make the right thing of it.

Whoever imports this has torch, transformers and tokenizers.
"""

from __future__ import annotations

from typing import Any

import tokenizers
import torch
import transformers

import bytewright as bw

WORDS = [
    b"{",
    b"}",
    b'{"',
    b'":',
    b'"',
    b",",
    b"true",
    b"[]",
    b"12",
    b"-",
    b" ",
    b"ab",
    b"abc",
    b'"}',
    b"}}",
    b"e",
]
VOCABULARY = [bytes([b]) for b in range(256)] + WORDS + [b"</s>", b"<pad>"]
END, PAD, WIDTH = len(VOCABULARY) - 2, len(VOCABULARY) - 1, len(VOCABULARY) + 6


def make_model() -> Any:
    """A model whose logits are wider than its vocabulary."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=WIDTH,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=END,
        pad_token_id=PAD,
    )
    return transformers.LlamaForCausalLM(config).eval()


def make_compiler() -> bw.GrammarCompiler:
    """For the vocabulary of that model."""
    info = bw.TokenizerInfo(VOCABULARY, vocab_size=WIDTH, stop_token_ids=[END], special_token_ids=[PAD])
    return bw.GrammarCompiler(info)


def texts(output: Any, prompt_length: int) -> list[tuple[bytes, bool]]:
    """The generated texts, and whether each has ended."""
    out = []
    for row in output[:, prompt_length:].tolist():
        ended = END in row
        row = row[: row.index(END)] if ended else row
        out.append((b"".join(VOCABULARY[i] for i in row), ended))
    return out


PROMPTS = torch.tensor([[PAD, PAD, 65, 66, 67], [70, 71, 72, 73, 74]])
MASK = (PROMPTS != PAD).long()
#: Ways to generate: options of `generate`.
WAYS: dict[str, dict[str, Any]] = {
    "greedy": {"do_sample": False},
    "sampling": {"do_sample": True, "num_return_sequences": 4},
    "beams": {"num_beams": 4, "do_sample": False},
    "beams, several kept": {"num_beams": 4, "num_return_sequences": 3, "do_sample": False},
    "beams, sampled": {"num_beams": 3, "do_sample": True},
}


def make_model_and_tokenizer() -> tuple[Any, Any]:
    """A model and a byte-level BPE tokenizer with a few merges."""
    pre = tokenizers.pre_tokenizers
    alphabet = sorted(pre.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("i", "n"), ("in", "g")]
    tokens = [*alphabet, *("".join(m) for m in merges)]
    backend = tokenizers.Tokenizer(tokenizers.models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    backend.pre_tokenizer = pre.ByteLevel(add_prefix_space=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>"
    )
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=272,  # wider than the tokenizer, as models are
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        initializer_range=0.4,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return transformers.LlamaForCausalLM(config).eval(), tokenizer


def sample(model: Any, processor: Any) -> list[tuple[bytes, bool]]:
    """Sixteen texts for each prompt, on the model's device."""
    torch.manual_seed(1)
    output = model.generate(
        PROMPTS.to(model.device),
        attention_mask=MASK.to(model.device),
        do_sample=True,
        max_new_tokens=60,
        num_return_sequences=16,
        logits_processor=[processor],
    )
    return texts(output, PROMPTS.shape[1])


def generate_healed(model: Any, healed: Any) -> list[int]:
    """The tokens that `generate` comes to from what is kept of a healed prompt, on the model's device."""
    from bytewright.fim import HealingProcessor

    ids = torch.tensor([healed.tokens[: healed.kept]], device=model.device)
    output = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        logits_processor=[HealingProcessor([healed])],
        max_new_tokens=len(healed.appended) + 3,
        do_sample=False,
        pad_token_id=0,
    )
    return output[0].tolist()  # type: ignore[no-any-return]
