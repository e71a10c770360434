"""Record texts for the example `replay`: a vocabulary and token ids.

The texts are MaskBench's, and the samples of the ready grammars.

    python benches/traces.py OUT [--data FILE.jsonl.xz]
    cargo run --release --example replay -- OUT/vocabulary.json OUT/cases.jsonl
    cargo run --release --example replay -- OUT/vocabulary.json OUT/grammars.jsonl

The data has one JSON object a line: `id`, `schema`, and `tests` with `data` and `valid`. Without `--data`
it is looked for in `BYTEWRIGHT_MASKBENCH`, then at `../shared/bench/maskbench-open.jsonl.xz`.
"""

from __future__ import annotations

import argparse
import json
import lzma
from pathlib import Path
from typing import Any

from engines import llama3
from schemas import data_path

import bytewright as bw
from ready_grammars import GRAMMARS, samples


def case(encoding: Any, row: dict[str, Any]) -> dict[str, Any]:
    texts = [(json.dumps(test["data"], ensure_ascii=False), test["valid"]) for test in row["tests"]]
    tests = [
        {"tokens": encoding.encode(text, disallowed_special=()), "valid": valid} for text, valid in texts
    ]
    return {"id": row["id"], "schema": json.dumps(row["schema"]), "tests": tests}


def grammar_case(encoding: Any, name: str) -> dict[str, Any]:
    """A ready grammar with its samples."""
    tests = [
        {"tokens": encoding.encode(text, disallowed_special=()), "valid": kind == "accept"}
        for kind in ("accept", "reject")
        for text in samples(name, kind)
    ]
    return {"id": name, "ebnf": (GRAMMARS / f"{name}.ebnf").read_text(encoding="utf-8"), "tests": tests}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="a folder")
    parser.add_argument("--data", type=Path, default=data_path())
    arguments = parser.parse_args()
    if not arguments.data.exists():
        parser.error(f"there is no {arguments.data}; pass --data or set BYTEWRIGHT_MASKBENCH")
    arguments.out.mkdir(parents=True, exist_ok=True)
    encoding, tokens, stop, special = llama3()
    info = bw.TokenizerInfo(tokens, stop_token_ids=[stop], special_token_ids=special)
    (arguments.out / "vocabulary.json").write_text(info.serialize_json())
    with (arguments.out / "grammars.jsonl").open("w") as out:
        for path in sorted(GRAMMARS.glob("*.ebnf")):
            out.write(json.dumps(grammar_case(encoding, path.stem)) + "\n")
    cases = arguments.out / "cases.jsonl"
    with lzma.open(arguments.data, "rt", encoding="utf-8") as rows, cases.open("w") as out:
        for number, row in enumerate(map(json.loads, rows), 1):
            out.write(json.dumps(case(encoding, row)) + "\n")
            if number % 500 == 0:
                print(f"{number} schemas", flush=True)


if __name__ == "__main__":
    main()
