"""Generation under a JSON Schema, step by step: what masks cost beside a model that computes on a device.

A step queues the forward pass, reads the tokens that the step before has chosen, and chooses the next ones.
In between, a constrained step takes the tokens into its matchers, fills the masks of what may follow and
applies them: in `OVERLAPPED` while the device still computes, in `AFTERWARDS` when it has computed.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import bytewright as bw

if TYPE_CHECKING:
    from llama_shape import Decoder

FREE, OVERLAPPED, AFTERWARDS = "free", "overlapped", "one after the other"
WAYS = [FREE, OVERLAPPED, AFTERWARDS]

#: Bounded, so that random texts come to an end.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 24},
        "kind": {"enum": ["alpha", "beta", "gamma"]},
        "count": {"type": "integer", "minimum": 0, "maximum": 99999},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 12}, "maxItems": 4},
        "place": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 16}, "known": {"type": "boolean"}},
            "required": ["city", "known"],
            "additionalProperties": False,
        },
    },
    "required": ["name", "kind", "count", "tags", "place"],
    "additionalProperties": False,
}


def compile_schema(info: bw.TokenizerInfo, threads: int) -> bw.CompiledGrammar:
    """The schema, without white space of the model's choice: random models would write little else."""
    compiler = bw.GrammarCompiler(info, sessions=threads)
    return compiler.compile_json_schema(json.dumps(SCHEMA), any_whitespace=False)


class Texts:
    """The texts of a batch. Where one has ended, the next begins in its row."""

    def __init__(self, compiled: bw.CompiledGrammar, rows: int, threads: int) -> None:
        self.batch = bw.BatchGrammarMatcher(max_threads=threads)
        self.matchers = [bw.GrammarMatcher(compiled) for _ in range(rows)]
        self.info = compiled.tokenizer_info
        self.mask = bw.allocate_token_bitmask(rows, self.info.vocab_size, backend="torch")
        self.unfinished: list[list[int]] = [[] for _ in range(rows)]
        self.finished: list[list[int]] = []

    def take(self, tokens: list[int]) -> None:
        """One more token a row."""
        taken = self.batch.batch_accept_token(self.matchers, tokens)
        if not all(taken):
            row = taken.index(False)
            raise ValueError(f"row {row} has token {tokens[row]}, which its mask did not allow")
        for row, (matcher, token) in enumerate(zip(self.matchers, tokens, strict=True)):
            self.unfinished[row].append(token)
            if matcher.is_terminated():
                self.finished.append(self.unfinished[row])
                self.unfinished[row] = []
                matcher.reset()

    def fill(self) -> None:
        """The masks of what may follow."""
        self.batch.batch_fill_next_token_bitmask(self.matchers, self.mask)

    def check(self, compiled: bw.CompiledGrammar) -> None:
        """Follows all texts once more with matchers that have seen nothing yet."""
        for tokens in [*self.finished, *self.unfinished]:
            matcher = bw.GrammarMatcher(compiled)
            if not all(matcher.accept_token(token) for token in tokens):
                raise ValueError(f"not in the grammar: {tokens}")
            if matcher.is_terminated():
                value = json.loads(b"".join(map(self.info.token_bytes, tokens[:-1])))
                if set(value) != set(SCHEMA["required"]):
                    raise ValueError(f"not in the schema: {value}")
        if not all(tokens[-1] in self.info.stop_token_ids for tokens in self.finished):
            raise ValueError("a text has no end")


@dataclass
class Times:
    """Milliseconds, one a step: all of it, and what the masks and matchers took of the host."""

    steps: list[float] = field(default_factory=list)
    masks: list[float] = field(default_factory=list)


def generate(decoder: Decoder, way: str, texts: Texts, steps: int, seed: int, times: Times) -> None:
    """Writes a batch of texts, and down how long each step took. The first steps are warm-up."""
    warm_up = steps // 10
    decoder.start(seed)
    decoder.wait()
    for number in range(steps):
        begin = time.perf_counter()
        decoder.forward()
        if way == AFTERWARDS:
            decoder.wait()
        tokens = decoder.tokens() if number else []
        start = time.perf_counter()
        if way != FREE:
            if number:
                texts.take(tokens)
            texts.fill()
            masks = (time.perf_counter() - start) * 1e3
            bw.apply_token_bitmask_inplace(decoder.logits, texts.mask)
            if number >= warm_up:
                times.masks.append(masks)
        decoder.sample()
        if number >= warm_up:
            times.steps.append((time.perf_counter() - begin) * 1e3)
    tokens = decoder.tokens()
    if way != FREE:
        texts.take(tokens)
