"""A loop as it is written for XGrammar; only the import differs.

    python examples/xgrammar_drop_in.py [--engine bytewright|xgrammar]

Random logits stand for a model, so it needs neither weights nor a tokenizer file. Run with ``--engine
xgrammar`` (``pip install xgrammar``) the same code drives the other engine.
"""

from __future__ import annotations

import argparse
import importlib

import torch


def main() -> None:
    """Generates a JSON text from random logits and prints it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=["bytewright", "xgrammar"], default="bytewright")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    # What a program would write as `import xgrammar as xgr`.
    xgr = importlib.import_module(args.engine)

    vocabulary = [bytes([byte]) for byte in range(128)] + [b'{"', b'": ', b', "', b"true", b"null", b"</s>"]
    end = len(vocabulary) - 1
    tokenizer_info = xgr.TokenizerInfo(vocabulary, vocab_size=len(vocabulary), stop_token_ids=[end])
    compiled_grammar = xgr.GrammarCompiler(tokenizer_info).compile_builtin_json_grammar()

    matcher = xgr.GrammarMatcher(compiled_grammar)
    token_bitmask = xgr.allocate_token_bitmask(1, tokenizer_info.vocab_size)
    generator = torch.Generator().manual_seed(args.seed)
    text = b""
    while not matcher.is_terminated() and len(text) < 400:
        logits = torch.randn(1, tokenizer_info.vocab_size, generator=generator)
        logits[:, end] += 2
        matcher.fill_next_token_bitmask(token_bitmask)
        xgr.apply_token_bitmask_inplace(logits, token_bitmask)
        token_id = int(logits.argmax())
        assert matcher.accept_token(token_id)
        text += b"" if token_id == end else vocabulary[token_id]
    print(text.decode())


if __name__ == "__main__":
    main()
