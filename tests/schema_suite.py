"""The official JSON Schema test suite through the real matcher, token by token.

As a program it prints what fails: ``python tests/schema_suite.py [--file NAME] [--draft DRAFT]``.
"""

from __future__ import annotations

import argparse
import collections
import json
import lzma
import os
import pathlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import assets
import bytewright as bw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SUITE = "json-schema-test-suite.jsonl.xz"
DRAFTS = {
    "draft4": "draft4",
    "draft6": "draft6",
    "draft7": "draft7",
    "draft2019-09": "draft2019-09",
    "draft2020-12": "draft2020-12",
}


def suite_path() -> pathlib.Path | None:
    """Where the suite is: ``$BYTEWRIGHT_SHARED/data`` or ``../shared/data`` beside the project."""
    root = pathlib.Path(__file__).resolve().parents[1]
    shared = pathlib.Path(os.environ.get("BYTEWRIGHT_SHARED", root.parent / "shared"))
    path = shared / "data" / SUITE
    return path if path.is_file() else None


@dataclass(frozen=True)
class Test:
    """One instance against one schema."""

    name: str
    draft: str
    file: str
    optional: bool
    case: str
    schema: Any
    description: str
    data: Any
    valid: bool


def load(path: pathlib.Path) -> tuple[list[Test], dict[str, Any]]:
    """All tests, and the remote documents by URI."""
    tests, remotes = [], {}
    names: collections.Counter[str] = collections.Counter()
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            case = json.loads(line)
            if "remote" in case:
                remotes[case["remote"]] = case["schema"]
                continue
            for test in case["tests"]:
                name = f"{case['draft']}/{case['file']}/{case['description']}/{test['description']}"
                names[name] += 1
                if names[name] > 1:
                    name += f" ({names[name]})"
                tests.append(
                    Test(
                        name,
                        case["draft"],
                        case["file"],
                        bool(case["optional"]),
                        case["description"],
                        case["schema"],
                        test["description"],
                        test["data"],
                        test["valid"],
                    )
                )
    return tests, remotes


def outcomes(
    tests: list[Test],
    remotes: dict[str, Any],
    compiler: bw.GrammarCompiler,
    encode: Callable[[str], list[int]],
    stop: int,
) -> Iterator[tuple[Test, str]]:
    """For each test ``right``, ``accepts``, ``refuses``, or ``error: …`` if the schema does not compile."""
    mask = bw.allocate_token_bitmask(1, compiler.tokenizer_info.vocab_size, backend="numpy")
    compiled: dict[str, Any] = {}
    for test in tests:
        formats = "format" in test.file and test.file != "format.json"
        key = json.dumps([test.draft, test.schema, formats])
        if key not in compiled:
            compiled.clear()
            try:
                compiled[key] = compiler.compile_json_schema(
                    json.dumps(test.schema),
                    draft=DRAFTS[test.draft],
                    assert_formats=formats,
                    documents=remotes,
                )
            except bw.BytewrightError as error:
                compiled[key] = error
        grammar = compiled[key]
        if isinstance(grammar, bw.EmptyLanguageError):
            # Nothing satisfies the schema, and that is said: right for every instance that is invalid.
            yield test, "refuses" if test.valid else "right"
            continue
        if isinstance(grammar, Exception):
            yield test, f"error: {type(grammar).__name__}: {grammar}"
            continue
        try:
            accepted = accepts(grammar, encode(json.dumps(test.data, ensure_ascii=False)), stop, mask)
        except (bw.BytewrightError, AssertionError) as error:
            yield test, f"error: {type(error).__name__}: {error}"
            continue
        yield test, "right" if accepted == test.valid else "accepts" if accepted else "refuses"


def accepts(grammar: bw.CompiledGrammar, tokens: list[int], stop: int, mask: Any) -> bool:
    """Whether every token is in the mask before it, and the end after the last."""
    matcher = bw.GrammarMatcher(grammar)
    for token in [*tokens, stop]:
        matcher.fill_next_token_bitmask(mask)
        if not int(mask[0, token >> 5]) >> (token & 31) & 1:
            return False
        if token != stop and not matcher.accept_token(token):
            raise AssertionError(f"a token of the mask was refused: {token} of {tokens}")
    return True


def llama3() -> tuple[bw.TokenizerInfo, Callable[[str], list[int]], int]:
    """Llama-3's vocabulary, its encoder without special tokens, and its end of text."""
    import tiktoken
    from tiktoken.load import load_tiktoken_bpe

    path, names = assets.LLAMA3.require(), assets.llama3_special_tokens()
    special = {name: 128_000 + i for i, name in enumerate(names)}
    encoding = tiktoken.Encoding(
        "llama3",
        pat_str=assets.LLAMA3_PATTERN,
        mergeable_ranks=load_tiktoken_bpe(str(path)),
        special_tokens=special,
    )
    stop = special["<|end_of_text|>"]
    info = bw.TokenizerInfo.from_tiktoken(encoding, stop_token_ids=[stop])
    return info, lambda text: encoding.encode(text, disallowed_special=()), stop


def main() -> int:
    """Prints the failures and a summary."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--file", default="")
    parser.add_argument("--draft", default="")
    parser.add_argument("--optional", action="store_true", help="only optional tests")
    parser.add_argument("--required", action="store_true", help="only required tests")
    parser.add_argument("--quiet", action="store_true", help="only the summary")
    arguments = parser.parse_args()
    path = suite_path()
    if path is None:
        print("the test suite is not there; set BYTEWRIGHT_SHARED", file=sys.stderr)
        return 2
    info, encode, stop = llama3()
    tests, remotes = load(path)
    tests = [
        test
        for test in tests
        if arguments.file in test.file
        and arguments.draft in test.draft
        and not (arguments.optional and not test.optional)
        and not (arguments.required and test.optional)
    ]
    counts: dict[bool, collections.Counter[str]] = {
        False: collections.Counter(),
        True: collections.Counter(),
    }
    for test, outcome in outcomes(tests, remotes, bw.GrammarCompiler(info), encode, stop):
        counts[test.optional][outcome.split(":")[0]] += 1
        if outcome != "right" and not arguments.quiet:
            print(f"{outcome}  {test.name}")
            print(f"    {json.dumps(test.schema)[:300]}  {json.dumps(test.data)[:100]}")
    for optional, counter in counts.items():
        print("optional" if optional else "required", dict(counter))
    return 0


if __name__ == "__main__":
    sys.exit(main())
