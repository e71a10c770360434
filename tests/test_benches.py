"""Benchmarks that cannot run here in earnest run in small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHES = Path(__file__).resolve().parent.parent / "benches"


def run(*arguments: str) -> str:
    command = [sys.executable, str(BENCHES / "cuda_masks.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_masks_on_a_device_in_small() -> None:
    """On the CPU, over bytes: all tables are there, and texts have ended."""
    pytest.importorskip("torch", reason="needs the extra torch")
    pytest.importorskip("typer", reason="needs the extra cli")
    tables = run("--device", "cpu", "--tiny").split("\n\n")[1:]
    assert [table.splitlines()[0].split("|")[1].strip() for table in tables if table.strip()] == [
        "applying a mask",
        "copying a mask to the device",
        "ms a step: median (99th percentile)",
    ]
    generated = [row.strip("|").split("|") for row in tables[2].splitlines()[2:]]
    assert [row[0].strip() for row in generated] == [
        "batch 1, 1 thread",
        "batch 3, 1 thread",
        "batch 3, 2 threads",
    ]
    assert all(int(row[-2]) > 0 for row in generated)


def test_masks_on_a_device_say_what_they_measure() -> None:
    pytest.importorskip("torch", reason="needs the extra torch")
    pytest.importorskip("typer", reason="needs the extra cli")
    assert "--tokenizer" in run("--help")
