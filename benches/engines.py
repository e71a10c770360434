"""The engines that the benchmarks compare, behind one small interface.

Each engine has one object a process, with its caches on, as a server would have it, and one thread.
`compile_*` makes a grammar, `reset` starts a text, and `fill`, `allows` and `accept` are the steps that are
timed. What an engine cannot express raises. `compile_text` takes a grammar in the engine's own dialect.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import pathlib
import statistics
import sys
import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def llama3() -> tuple[Any, list[bytes], int, list[int]]:
    """Llama-3's tokenizer, from the package llama-models: encoder, token bytes, end token, special ids."""
    import tiktoken

    spec = importlib.util.find_spec("llama_models")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("this benchmark needs Llama-3's vocabulary: pip install --no-deps llama-models")
    path = pathlib.Path(spec.submodule_search_locations[0]) / "llama3" / "tokenizer.model"
    ranks = {}
    for line in path.read_bytes().splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    names = ["<|begin_of_text|>", "<|end_of_text|>"] + [f"<|special_{i}|>" for i in range(2, 256)]
    special = {name: len(ranks) + i for i, name in enumerate(names)}
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    encoder = tiktoken.Encoding("llama3", pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)
    vocabulary = [b""] * encoder.n_vocab
    for token, rank in ranks.items():
        vocabulary[rank] = token
    for name, rank in special.items():
        vocabulary[rank] = name.encode()
    return encoder, vocabulary, special["<|end_of_text|>"], sorted(special.values())


class Bytewright:
    """This package."""

    def __init__(self, encoder: Any, vocabulary: list[bytes], end: int, special: list[int]) -> None:
        import bytewright

        self.package, self.end = bytewright, end
        self.info = bytewright.TokenizerInfo(vocabulary, stop_token_ids=[end], special_token_ids=special)
        self.mask = bytewright.allocate_token_bitmask(1, len(vocabulary), backend="numpy")
        self.filled: Any = self.mask
        self.fresh()

    def fresh(self) -> None:
        """Forgets everything but the vocabulary."""
        self.compiler = self.package.GrammarCompiler(self.info, max_threads=1)

    def compile_json(self) -> None:
        self.compiled = self.compiler.compile_builtin_json_grammar()

    def compile_schema(self, schema: Any) -> None:
        self.compiled = self.compiler.compile_json_schema(json.dumps(schema))

    def compile_text(self, text: str) -> None:
        self.compiled = self.compiler.compile_grammar(self.package.Grammar.from_ebnf(text))

    def reset(self) -> None:
        self.matcher = self.package.GrammarMatcher(self.compiled)

    def fill(self) -> None:
        self.matcher.fill_next_token_bitmask(self.filled)

    def allows(self, token: int) -> bool:
        return bool(int(self.mask[0, token >> 5]) >> (token & 31) & 1)

    def may_end(self) -> bool:
        """Whether the text may end, after `fill`."""
        return self.allows(self.end)

    def accept(self, token: int) -> bool:
        return bool(self.matcher.accept_token(token))

    def notes(self, clock: Callable[[], int]) -> dict[str, object]:
        states = self.compiled.state_statistics()
        before = sum(state["dependent"] for state in states)
        after = sum(state["dependent_after_expansion"] for state in states)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "tokenizer"
            self.info.save(path)
            times = []
            for _ in range(5):
                start = clock()
                self.package.TokenizerInfo.load(path)
                times.append((clock() - start) / 1e6)
        return {
            "load the tokenizer from its own file, ms": statistics.median(times),
            "dependent tokens, all states": before,
            "after context expansion": after,
        }


class XGrammar(Bytewright):
    """xgrammar, whose API this package's follows."""

    def __init__(self, encoder: Any, vocabulary: list[bytes], end: int, special: list[int]) -> None:
        import xgrammar

        self.package, self.end, hidden = xgrammar, end, set(special)
        tokens = [b"" if i in hidden else t for i, t in enumerate(vocabulary)]
        self.info = xgrammar.TokenizerInfo(tokens, stop_token_ids=[end])
        self.filled = xgrammar.allocate_token_bitmask(1, len(vocabulary))
        self.mask = self.filled.numpy()
        self.fresh()

    def compile_schema(self, schema: Any) -> None:
        self.compiled = self.compiler.compile_json_schema(
            json.dumps(schema), any_whitespace=True, strict_mode=False
        )

    def notes(self, clock: Callable[[], int]) -> dict[str, object]:
        return {}


class LLGuidance(Bytewright):
    """llguidance; the schema `{}` stands for the JSON grammar."""

    def __init__(self, encoder: Any, vocabulary: list[bytes], end: int, special: list[int]) -> None:
        import llguidance
        import llguidance.numpy
        import llguidance.tiktoken

        self.package, self.end = llguidance, end
        self.tokenizer = llguidance.tiktoken.lltokenizer_from_encoding(
            encoder, n_vocab=len(vocabulary), eos_token=end
        )
        self.mask = llguidance.numpy.allocate_token_bitmask(1, len(vocabulary))

    def fresh(self) -> None:
        """Nothing is shared between its grammars."""

    def compile_json(self) -> None:
        self.compile_schema({})

    def compile_schema(self, schema: Any) -> None:
        self._compile(self.package.LLMatcher.grammar_from_json_schema(json.dumps(schema)))

    def compile_text(self, text: str) -> None:
        self._compile(self.package.LLMatcher.grammar_from_lark(text))

    def _compile(self, grammar: Any) -> None:
        self.first = self.package.LLMatcher(self.tokenizer, grammar)
        if self.first.is_error():
            raise ValueError(self.first.get_error())

    def reset(self) -> None:
        self.matcher = self.first.deep_copy()

    def fill(self) -> None:
        self.package.numpy.fill_next_token_bitmask(self.matcher, self.mask, 0)

    def accept(self, token: int) -> bool:
        return bool(self.matcher.consume_token(token))

    def notes(self, clock: Callable[[], int]) -> dict[str, object]:
        return {}


class GLRMask(Bytewright):
    """glrmask; the schema `{}` stands for the JSON grammar."""

    def __init__(self, encoder: Any, vocabulary: list[bytes], end: int, special: list[int]) -> None:
        import numpy as np

        self.mask = np.zeros((1, (len(vocabulary) + 31) // 32), dtype=np.int32)
        hidden = set(special)
        self.tokens = {i: t for i, t in enumerate(vocabulary) if i not in hidden}
        self.fresh()

    def fresh(self) -> None:
        """The vocabulary keeps what its grammars share."""
        import glrmask

        self.package = glrmask
        self.vocabulary = glrmask.Vocab.from_id_to_bytes(self.tokens)

    def compile_json(self) -> None:
        self.compile_schema({})

    def compile_schema(self, schema: Any) -> None:
        self.compiled = self.package.Grammar.from_json_schema(schema).compile(self.vocabulary)

    def compile_text(self, text: str) -> None:
        self.compiled = self.package.Grammar.from_lark(text).compile(self.vocabulary)

    def reset(self) -> None:
        self.matcher = self.compiled.start()

    def fill(self) -> None:
        self.matcher.fill_mask(self.mask[0])

    def may_end(self) -> bool:
        return bool(self.matcher.is_accepting())

    def accept(self, token: int) -> bool:
        return self.matcher.commit_token(token) is not False

    def notes(self, clock: Callable[[], int]) -> dict[str, object]:
        return {}


ENGINES = {"bytewright": Bytewright, "llguidance": LLGuidance, "glrmask": GLRMask, "xgrammar": XGrammar}


def installed(names: list[str]) -> list[str]:
    """The engines among `names` that can be imported; says which cannot."""
    there = [name for name in names if importlib.util.find_spec(name) is not None]
    for name in names:
        if name not in there:
            print(f"{name} is not installed (pip install 'bytewright[bench]')", file=sys.stderr)
    return there
