"""Saved tokenizers: what loads is what was saved, and nothing else loads."""

import os
import pathlib
import random
import subprocess
import sys
import threading

import pytest

import bytewright as bw

INFO = bw.TokenizerInfo(
    [b"a", b"b", b"", b"ab", b"\xff\x00", b"</s>", b"<x>", b"ab"],
    vocab_size=12,
    stop_token_ids=5,
    special_token_ids=[6],
)


class Own(bw.TokenizerInfo):
    pass


def test_what_is_saved_loads_the_same(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "tokenizer.bwvocab"
    INFO.save(path)
    INFO.save(str(path))
    for cls in (bw.TokenizerInfo, Own):
        loaded = cls.load(path)
        assert type(loaded) is cls
        assert loaded == INFO
        assert loaded.fingerprint == INFO.fingerprint
        assert loaded.special_token_ids == INFO.special_token_ids
        assert loaded.decoded_vocab == INFO.decoded_vocab
    assert os.listdir(tmp_path) == [path.name]
    masks = []
    for info in (INFO, loaded):
        matcher = bw.GrammarMatcher(bw.GrammarCompiler(info).compile_regex("a(b|\xff)*"))
        masks.append(bw.allocate_token_bitmask(1, 12, backend="numpy"))
        matcher.fill_next_token_bitmask(masks[-1])
    assert masks[0].tolist() == masks[1].tolist()


def test_files_that_cannot_be_opened_raise_what_python_raises(tmp_path: pathlib.Path) -> None:
    missing = tmp_path / "missing" / "tokenizer.bwvocab"
    with pytest.raises(FileNotFoundError, match=r"tokenizer\.bwvocab cannot be read"):
        bw.TokenizerInfo.load(missing)
    with pytest.raises(FileNotFoundError, match=r"tokenizer\.bwvocab cannot be written"):
        INFO.save(missing)
    with pytest.raises(OSError, match="cannot be read"):
        bw.TokenizerInfo.load(tmp_path)
    with pytest.raises(OSError, match="cannot be written"):
        INFO.save(tmp_path)
    assert os.listdir(tmp_path) == []


def test_an_endless_file_of_something_else_is_not_read() -> None:
    with pytest.raises(bw.DeserializeError, match="not a file of a vocabulary"):
        bw.TokenizerInfo.load("/dev/zero")


def test_damaged_files_are_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "tokenizer.bwvocab"
    INFO.save(path)
    whole = path.read_bytes()
    chance = random.Random(1)
    damaged = [whole[: chance.randrange(len(whole))] for _ in range(50)]
    for _ in range(300):
        changed = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(changed))] ^= chance.randint(1, 255)
        damaged.append(bytes(changed))
    damaged += [whole + b"\0", whole * 2, b"", INFO.serialize_json().encode(), b"GGUF" + bytes(100)]
    for content in damaged:
        if content == whole:
            continue
        path.write_bytes(content)
        with pytest.raises(bw.DeserializeError):
            bw.TokenizerInfo.load(path)
    path.write_bytes(whole[:16] + b"\2" + whole[17:])
    with pytest.raises(bw.DeserializeError, match="expected version 1, found 2"):
        bw.TokenizerInfo.load(path)


def test_a_file_is_never_seen_half_written(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "tokenizer.bwvocab"
    INFO.save(path)
    done = threading.Event()
    failures: list[Exception] = []

    def read() -> None:
        try:
            while not done.is_set():
                assert bw.TokenizerInfo.load(path) == INFO
        except Exception as error:
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    writers = [threading.Thread(target=lambda: [INFO.save(path) for _ in range(20)]) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    reader.join()
    assert not failures
    assert os.listdir(tmp_path) == [path.name]


def test_the_command_line_saves_and_uses_files(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("typer", reason="needs the extra cli")
    path = tmp_path / "bytes.bwvocab"

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from bytewright.cli import main; main()", *args]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    saved = run("tokenizer", "-o", str(path))
    assert saved.returncode == 0, saved.stderr
    assert "257 tokens" in saved.stdout
    assert bw.TokenizerInfo.load(path).vocab_size == 257
    shown = run("mask", "json", "-p", "tru", "-t", str(path))
    assert "1 of 257 tokens" in shown.stdout
    path.write_bytes(path.read_bytes()[:-1])
    broken = run("mask", "json", "-t", str(path))
    assert broken.returncode == 2
    assert "damaged or cut off" in broken.stderr
