"""Batches: many matchers in one call, on one thread and on several."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import numpy as np
import pytest

import bytewright as bw
from bytewright import errors

WORDS = [b"a", b"b", b"ab", b"", b"c", b"</s>", b"<x>"]
INFO = bw.TokenizerInfo(WORDS, vocab_size=40, stop_token_ids=5, special_token_ids=[6])
AB = bw.GrammarCompiler(INFO).compile_grammar('root ::= ("a" | "b")* "c"')


@pytest.mark.parametrize("threads", ["auto", 1, 3])
def test_batches_fill_what_single_calls_fill(threads: Any) -> None:
    batch = bw.BatchGrammarMatcher(threads)
    matchers = []
    for i in range(21):
        matcher = bw.GrammarMatcher(AB)
        assert matcher.accept_string("ab" * i + "c" * (i % 2))
        matchers.append(matcher)
    mask = np.zeros((40, 2), np.int32)
    rows = list(range(39, 18, -1))
    batch.batch_fill_next_token_bitmask(matchers, mask, rows)
    for matcher, row in zip(matchers, rows, strict=True):
        single = np.zeros((1, 2), np.int32)
        matcher.fill_next_token_bitmask(single)
        assert mask[row].tolist() == single[0].tolist()
    assert not mask[:19].any()


@pytest.mark.parametrize("sessions", [1, 2, 5])
def test_matchers_of_one_grammar_fill_alike_in_any_session(sessions: int) -> None:
    compiler = bw.GrammarCompiler(AB.tokenizer_info, sessions=sessions)
    grammar = compiler.compile_grammar(AB.grammar)
    matchers = [bw.GrammarMatcher(grammar) for _ in range(32)]
    forks = [matcher.fork() for matcher in matchers]
    for number, matcher in enumerate(matchers):
        assert matcher.accept_string("ab" * (number // 2))
    mask, single = np.zeros((64, 2), np.int32), np.zeros((64, 2), np.int32)
    bw.BatchGrammarMatcher(3).batch_fill_next_token_bitmask(matchers + forks, mask)
    for row, matcher in enumerate(matchers + forks):
        matcher.fill_next_token_bitmask(single, row)
    assert mask.tolist() == single.tolist()
    with pytest.raises(errors.InvalidArgumentError, match="sessions"):
        bw.GrammarCompiler(AB.tokenizer_info, sessions=0)


def test_batches_check_their_arguments() -> None:
    batch, mask = bw.BatchGrammarMatcher(2), np.zeros((2, 2), np.int32)
    two = [bw.GrammarMatcher(AB), bw.GrammarMatcher(AB)]
    for indices in ([0], [0, 0], [0, 2], [0, -1]):
        with pytest.raises(errors.InvalidArgumentError):
            batch.batch_fill_next_token_bitmask(two, mask, indices)
    with pytest.raises(errors.InvalidArgumentError):
        batch.batch_fill_next_token_bitmask([*two, two[0]], mask)
    for bad in (0, -1, 10**9, "many", None.__class__):
        with pytest.raises(errors.InvalidArgumentError):
            bw.BatchGrammarMatcher(bad)  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    batch, matchers = bw.BatchGrammarMatcher(2), [bw.GrammarMatcher(AB) for _ in range(16)]
    mask = np.zeros((16, 2), np.int32)
    batch.batch_fill_next_token_bitmask(matchers, mask)
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # ends the child if it hangs
        mask[:] = 0
        batch.batch_fill_next_token_bitmask(matchers, mask)
        os._exit(0 if (mask[:, 0] == 0b10111).all() else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_the_threads_of_a_batch_sleep_soon_after_it() -> None:
    compiler = bw.GrammarCompiler(AB.tokenizer_info, sessions=3)
    grammar = compiler.compile_grammar(AB.grammar)
    matchers = [bw.GrammarMatcher(grammar) for _ in range(16)]
    bw.BatchGrammarMatcher(3).batch_fill_next_token_bitmask(matchers, np.zeros((16, 2), np.int32))
    started = time.process_time()
    time.sleep(0.3)
    # Two threads that went on looking for the next batch would have used up to 0.6 s.
    assert time.process_time() - started < 0.1


def test_batch_steps_are_all_or_none() -> None:
    batch = bw.BatchGrammarMatcher
    matchers = [bw.GrammarMatcher(AB) for _ in range(3)]
    assert batch.batch_accept_token(matchers, [0, 5, 4]) == [True, False, True]
    assert batch.batch_accept_token(matchers, [0, 0, 5]) == [True, True, True]
    for call in (
        lambda: batch.batch_accept_token(matchers, [0, 0, 0]),
        lambda: batch.batch_accept_string(matchers, ["a", b"b", "c"]),
        lambda: batch.batch_rollback(matchers, [1, 1, 3]),
        lambda: batch.batch_accept_token(matchers, [0, 0]),
        lambda: batch.batch_accept_token(matchers, [0, 0, 99]),
    ):
        with pytest.raises(errors.BytewrightError):
            call()
        assert [m.num_accepted for m in matchers] == [2, 1, 2]
    batch.batch_rollback(matchers, [1, 0, 2])
    assert [m.num_accepted for m in matchers] == [1, 1, 0]
    assert batch.batch_accept_string(matchers, ["ab", b"x", "c"]) == [True, False, True]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("sessions", [1, 3])
def test_a_batch_accepts_and_fills_as_single_calls_do(threads: int, sessions: int) -> None:
    compiler = bw.GrammarCompiler(AB.tokenizer_info, sessions=sessions)
    grammar = compiler.compile_grammar(AB.grammar)
    batch = bw.BatchGrammarMatcher(threads)
    matchers = [bw.GrammarMatcher(grammar) for _ in range(30)]
    singles = [bw.GrammarMatcher(grammar) for _ in range(30)]
    mask, single = np.zeros((40, 2), np.int32), np.zeros((40, 2), np.int32)
    rows = list(range(39, 9, -1))
    rng = random.Random(sessions)
    refused = 0
    for _ in range(12):
        tokens = [rng.choice([0, 0, 0, 2, 5]) for _ in matchers]
        taken = batch.batch_accept_and_fill(matchers, tokens, mask, rows)
        assert taken == [m.accept_token(token) for m, token in zip(singles, tokens, strict=True)]
        refused += taken.count(False)
        for row, matcher in zip(rows, singles, strict=True):
            matcher.fill_next_token_bitmask(single, row)
        assert mask.tolist() == single.tolist()
    assert 0 < refused < 12 * 30


def test_a_step_that_fails_moves_none_of_a_batch() -> None:
    batch, mask = bw.BatchGrammarMatcher(2), np.zeros((12, 2), np.int32)
    matchers = [bw.GrammarMatcher(AB) for _ in range(12)]
    stop = AB.tokenizer_info.stop_token_ids[0]
    assert all(batch.batch_accept_and_fill(matchers, [4, *[0] * 11], mask))
    assert batch.batch_accept_and_fill(matchers, [stop, *[0] * 11], mask) == [True] * 12
    assert matchers[0].is_terminated()
    assert (mask[0] == -1).all()
    assert (mask[1] != -1).all()
    accepted = [matcher.num_accepted for matcher in matchers]
    for tokens, error in (
        ([0] * 12, errors.MatcherTerminatedError),
        ([0] * 11, errors.InvalidArgumentError),
        ([99, *[0] * 11], errors.TokenOutOfRangeError),
    ):
        with pytest.raises(error):
            batch.batch_accept_and_fill(matchers, tokens, mask)
        assert [matcher.num_accepted for matcher in matchers] == accepted
    with pytest.raises(errors.InvalidArgumentError, match="twice"):
        batch.batch_accept_and_fill(matchers[1:2] * 2, [0, 0], mask)
