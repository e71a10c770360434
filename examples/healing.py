"""Token healing and byte-level sampling with SmolLM2-135M.

    .venv/bin/python examples/healing.py

A prompt that ends inside a word: what the model makes of its tokens, what of its text, and what of its text
under a grammar.
"""

from __future__ import annotations

import numpy as np

from bytewright.byte_level import ByteConstraint, ByteModel, sample
from bytewright.fim import encode, heal
from bytewright.models import load_smollm2

PROMPT = "Paris is the capital of Fran"
START = 0  # <|endoftext|>, between documents


def greedy(transformer, tokenizer, tokens, count=8):
    """The model's likeliest continuation of tokens, with the tokens, as text."""
    import torch

    ids = torch.tensor([tokens])
    out = transformer.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False
    )
    return tokenizer.decode(out[0, 1:])


def main() -> None:
    transformer, tokenizer = load_smollm2()
    model = ByteModel.from_huggingface(transformer, tokenizer, start=[START], stop_token_ids=START)
    print(f"prompt:          {PROMPT!r}")
    tokens = [START, *encode(model.rules, PROMPT)]
    print(f"from its tokens: {greedy(transformer, tokenizer, tokens)!r}")
    healed = heal(model, PROMPT)
    print(f"healed:          {greedy(transformer, tokenizer, healed.tokens)!r}")
    print(
        f"                 {len(healed.backed_off)} token(s) taken back, {healed.moved:.1%} of the mass moved"
    )
    state = model.start(PROMPT)
    best = np.argsort(-state.log_probs)[:3]
    print("next byte:       " + ", ".join(f"{bytes([b])!r} {np.exp(state.log_probs[b]):.3f}" for b in best))
    constraint = ByteConstraint('root ::= [a-z]{0,8} ". " [A-Z] [a-z ]{5,30} "."')
    drawn = sample(
        state, max_bytes=60, rng=np.random.default_rng(0), constraint=constraint, temperature=0.7, weigh=True
    )
    print(f"with a grammar:  {PROMPT + drawn.text.decode()!r}")
    print(f"                 which allowed {np.exp(drawn.log_weight):.2e} of the model's mass on this way")


if __name__ == "__main__":
    main()
