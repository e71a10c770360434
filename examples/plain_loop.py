"""A generation loop without ``generate``: one forward pass, one mask, one token, and so on.

    python examples/plain_loop.py [--prompt TEXT] [--max-tokens N]

This is all that an engine needs to do to keep a sequence inside a grammar.
"""

from __future__ import annotations

import argparse

import torch

import bytewright as bw
from bytewright.models import load_smollm2

GRAMMAR = r"""
root  ::= "{" ws "\"city\": " name ", \"rivers\": [" (name (", " name){0,3})? "]" ws "}"
name  ::= "\"" [A-Z] [a-z]{1,15} "\""
ws    ::= " "?
"""


@torch.inference_mode()
def main() -> None:
    """Generates one object and prints it as it grows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompt", default="Name Vienna and its rivers as JSON.")
    parser.add_argument("--max-tokens", type=int, default=80)
    args = parser.parse_args()

    model, tokenizer = load_smollm2()
    info = bw.TokenizerInfo.from_huggingface(tokenizer, vocab_size=model.config.vocab_size)
    compiled = bw.GrammarCompiler(info).compile_grammar(GRAMMAR)

    chat = [{"role": "user", "content": args.prompt}]
    ids = tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )["input_ids"]
    matcher = bw.GrammarMatcher(compiled)
    mask = bw.allocate_token_bitmask(1, info.vocab_size)
    cache = None
    for _ in range(args.max_tokens):
        outputs = model(ids, past_key_values=cache, use_cache=True)
        cache, logits = outputs.past_key_values, outputs.logits[:, -1].float()
        matcher.fill_next_token_bitmask(mask)
        bw.apply_token_bitmask_inplace(logits, mask)
        token = int(logits.argmax())
        assert matcher.accept_token(token)
        if matcher.is_terminated():
            break
        print(info.decoded_vocab[token].decode("utf-8", "replace"), end="", flush=True)
        ids = torch.tensor([[token]])
    print()


if __name__ == "__main__":
    main()
