"""``transformers.generate`` with a different grammar for each prompt of a batch.

python examples/transformers_generate.py
"""

from __future__ import annotations

import bytewright as bw
from bytewright.hf import LogitsProcessor
from bytewright.models import load_smollm2

PROMPTS = {
    "Is the Earth flat? Answer yes or no.": bw.Grammar.from_regex("yes|no"),
    "When did the Berlin wall fall? (YYYY-MM-DD)": bw.Grammar.from_regex(
        "[12][0-9]{3}-(0[1-9]|1[0-2])-[0-3][0-9]"
    ),
    "List three colours.": bw.Grammar.from_ebnf(r"""
root ::= colour ", " colour " and " colour
colour ::= "red" | "orange" | "yellow" | "green" | "blue" | "violet"
"""),
}


def main() -> None:
    """Answers three prompts in one batch."""
    model, tokenizer = load_smollm2()
    tokenizer.padding_side = "left"
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    info = bw.TokenizerInfo.from_huggingface(tokenizer, vocab_size=model.config.vocab_size)
    compiler = bw.GrammarCompiler(info)
    chats = [[{"role": "user", "content": prompt}] for prompt in PROMPTS]
    inputs = tokenizer.apply_chat_template(
        chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
    )
    processor = LogitsProcessor([compiler.compile_grammar(grammar) for grammar in PROMPTS.values()])
    outputs = model.generate(**inputs, max_new_tokens=40, do_sample=False, logits_processor=[processor])
    length = inputs["input_ids"].shape[1]
    for prompt, answer in zip(
        PROMPTS, tokenizer.batch_decode(outputs[:, length:], skip_special_tokens=True), strict=True
    ):
        print(f"{prompt} {answer}")


if __name__ == "__main__":
    main()
