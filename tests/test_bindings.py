"""The border between Python and the engine: arguments, errors, threads, signals, copies.

What the masks hold is tested elsewhere; here the question is whether everything gets across unharmed.
"""

from __future__ import annotations

import copy
import pickle
import signal
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import bytewright as bw
from bytewright import errors

WORDS = [b"a", b"b", b"ab", b"", b"c", b"</s>", b"<x>"]
INFO = bw.TokenizerInfo(WORDS, vocab_size=40, stop_token_ids=5, special_token_ids=[6])
COMPILER = bw.GrammarCompiler(INFO)
AB = COMPILER.compile_grammar('root ::= ("a" | "b")* "c"')


def allowed(matcher: bw.GrammarMatcher, row: int = 0, mask: Any = None) -> list[int]:
    mask = bw.allocate_token_bitmask(row + 1, 40, backend="numpy") if mask is None else mask
    matcher.fill_next_token_bitmask(mask, row)
    return [token for token in range(40) if mask[row][token // 32] >> (token % 32) & 1]


# --- tokenizers --------------------------------------------------------------------------------------


def test_tokenizer_info_gives_back_what_it_was_given() -> None:
    assert (INFO.vocab_size, INFO.stop_token_ids, INFO.special_token_ids) == (40, [5], [6])
    assert INFO.decoded_vocab == WORDS
    assert INFO.token_bytes(2) == b"ab"
    assert INFO.token_bytes(39) == b""
    assert bw.TokenizerInfo(WORDS, stop_token_ids=[5, 5]).stop_token_ids == [5]


def test_tokenizer_info_is_saved_copied_and_compared_whole() -> None:
    class Own(bw.TokenizerInfo):
        pass

    for again in (
        bw.TokenizerInfo.deserialize_json(INFO.serialize_json()),
        pickle.loads(pickle.dumps(INFO)),
        copy.deepcopy(INFO),
        bw.TokenizerInfo(INFO),
    ):
        assert type(again) is bw.TokenizerInfo
        assert (again, hash(again), again.fingerprint) == (INFO, hash(INFO), INFO.fingerprint)
    assert type(Own.deserialize_json(INFO.serialize_json())) is Own
    assert bw.TokenizerInfo(WORDS, vocab_size=41, stop_token_ids=5, special_token_ids=[6]) != INFO
    assert INFO != "something else"


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        (([],), {}, errors.InvalidTokenizerError),
        (([b"a"],), {"vocab_size": 0}, errors.InvalidTokenizerError),
        (([b"a"],), {"vocab_size": 10**12}, errors.InvalidTokenizerError),
        (([b"a" * 100_000],), {}, errors.InvalidTokenizerError),
        (([b"a"],), {"stop_token_ids": 1}, errors.TokenOutOfRangeError),
        (([b"a"],), {"stop_token_ids": [-1]}, errors.TokenOutOfRangeError),
        (([b"a"],), {"special_token_ids": [2**70]}, errors.TokenOutOfRangeError),
        (([b"a"],), {"vocab_size": -1}, errors.InvalidArgumentError),
        ((["a"],), {}, TypeError),
        ((b"abc",), {}, TypeError),
        ((None,), {}, TypeError),
    ],
)
def test_a_vocabulary_that_contradicts_itself_is_refused(arguments: Any, options: Any, error: Any) -> None:
    with pytest.raises(error):
        bw.TokenizerInfo(*arguments, **options)


# --- grammars and errors -------------------------------------------------------------------------------


def test_errors_say_where() -> None:
    with pytest.raises(errors.UndefinedRuleError) as undefined:
        bw.Grammar.from_ebnf('root ::= "a"\n  missing')
    error = undefined.value
    assert isinstance(error, ValueError)
    assert (error.rule, error.line, error.column, error.snippet) == ("missing", 2, 3, "missing")
    with pytest.raises(errors.GrammarSyntaxError) as syntax:
        bw.Grammar.from_ebnf('root ::= "é" )')
    assert (syntax.value.line, syntax.value.column) == (1, 14)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.rule, again.line) == (type(error), str(error), "missing", 2)


def test_unreachable_rules_are_handled_as_asked() -> None:
    text = 'root ::= "a"\nspare ::= "b"'
    with pytest.warns(bw.UnreachableRuleWarning, match="spare"):
        grammar = bw.Grammar.from_ebnf(text)
    assert [kind for kind, _ in grammar.annotations] == ["unreachable-rule"]
    with pytest.raises(errors.UnreachableRuleError) as refused:
        bw.Grammar.from_ebnf(text, unreachable_rules="error")
    assert (refused.value.rule, refused.value.line) == ("spare", 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bw.Grammar.from_ebnf(text, unreachable_rules="ignore")
    with pytest.raises(errors.InvalidArgumentError):
        bw.Grammar.from_ebnf(text, unreachable_rules="perhaps")  # type: ignore[arg-type]


def test_grammars_are_saved_copied_joined_and_printed() -> None:
    one, two = bw.Grammar.from_ebnf('root ::= "a"'), bw.Grammar.from_regex("b+")
    for again in (
        bw.Grammar.deserialize_json(one.serialize_json()),
        pickle.loads(pickle.dumps(one)),
        copy.copy(one),
    ):
        assert (again, hash(again)) == (one, hash(one))
    either, both = bw.Grammar.union(one, two), bw.Grammar.concat(one, two, one)
    for grammar, texts, others in ((either, ["a", "bb"], ["ab"]), (both, ["aba", "abbba"], ["ab", "aa"])):
        for source in (grammar, str(grammar)):
            compiled = COMPILER.compile_grammar(source)
            for text in texts:
                matcher = bw.GrammarMatcher(compiled)
                assert matcher.accept_string(text)
                assert matcher.is_completed()
            for text in others:
                matcher = bw.GrammarMatcher(compiled)
                assert not (matcher.accept_string(text) and matcher.is_completed())


@pytest.mark.parametrize(
    "text", ["", "{}", "null", '{"format": "bytewright-grammar", "version": 99}', "\ud800"]
)
def test_what_was_not_saved_does_not_load(text: str) -> None:
    for load in (
        bw.Grammar.deserialize_json,
        bw.TokenizerInfo.deserialize_json,
        lambda json: bw.CompiledGrammar.deserialize_json(json, INFO),
    ):
        with pytest.raises((errors.DeserializeError, UnicodeEncodeError)):
            load(text)


def test_every_error_class_derives_from_the_base() -> None:
    for name in errors.__all__:
        cls = getattr(errors, name)
        assert issubclass(cls, errors.BytewrightError) or cls is bw.UnreachableRuleWarning
        assert getattr(bw, name) is cls


# --- compiling -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"max_threads": 0},
        {"max_threads": -1},
        {"state_limit": -1},
        {"cache_limit_bytes": -2},
        {"time_limit": -1.0},
        {"time_limit": float("nan")},
        {"time_limit": float("inf")},
    ],
)
def test_compiler_options_that_make_no_sense_are_refused(options: Any) -> None:
    with pytest.raises(errors.InvalidArgumentError):
        bw.GrammarCompiler(INFO, **options)


def test_limits_are_named() -> None:
    grammar = 'root ::= ("a" "b" "c" | "b" "c"){20} "c"'
    with pytest.raises(errors.LimitExceededError) as states:
        bw.GrammarCompiler(INFO, state_limit=3).compile_grammar(grammar)
    assert states.value.limit == "state_limit"
    with pytest.raises(errors.LimitExceededError) as seconds:
        bw.GrammarCompiler(INFO, time_limit=0.0).compile_grammar(grammar)
    assert seconds.value.limit == "time_limit"


def slow_grammar() -> str:
    """Takes long to compile: determinising `(a|b)* a (a|b)^n` takes 2^n states."""
    return 'root ::= ("a" | "b")* "a" ' + '("a" | "b") ' * 40 + '"c"'


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_ctrl_c_stops_a_compilation() -> None:
    compiler = bw.GrammarCompiler(INFO, time_limit=60.0, state_limit=10**9)
    timer = threading.Timer(0.3, lambda: signal.raise_signal(signal.SIGINT))
    start = time.monotonic()
    timer.start()
    try:
        compiler.compile_grammar(slow_grammar())
    except KeyboardInterrupt:
        assert time.monotonic() - start < 10
    else:
        timer.cancel()
        pytest.skip("this grammar compiles too fast to be interrupted")
    assert bw.GrammarMatcher(compiler.compile_grammar('root ::= "a"')).accept_string("a")


def test_cancel_stops_a_compilation_in_another_thread() -> None:
    compiler = bw.GrammarCompiler(INFO, time_limit=60.0, state_limit=10**9)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(compiler.compile_grammar, slow_grammar())
        time.sleep(0.3)
        if future.done():
            pytest.skip("this grammar compiles too fast to be cancelled")
        compiler.cancel()
        with pytest.raises(errors.CompileCancelledError):
            future.result(timeout=10)


def test_the_cache_is_counted_and_cleared() -> None:
    compiler = bw.GrammarCompiler(INFO)
    compiled = compiler.compile_grammar('root ::= "abc"')
    assert compiler.get_cache_size_bytes() > 0
    compiler.clear_cache()
    assert compiler.get_cache_size_bytes() == 0
    assert bw.GrammarMatcher(compiled).accept_string("abc")


def test_compiled_grammars_say_what_they_are_and_load_again() -> None:
    assert AB.tokenizer_info is INFO
    assert AB.memory_size_bytes > 0
    assert set(AB.statistics()) == {"rules", "states", "bytes"}
    assert all(state["accepted"] >= 0 for state in AB.state_statistics())
    for again in (
        bw.CompiledGrammar.deserialize_json(AB.serialize_json(), INFO),
        pickle.loads(pickle.dumps(AB)),
    ):
        assert again.grammar == AB.grammar
        assert allowed(bw.GrammarMatcher(again)) == allowed(bw.GrammarMatcher(AB))
    with pytest.raises(errors.DeserializeError):
        bw.CompiledGrammar.deserialize_json(AB.serialize_json(), bw.TokenizerInfo([b"a"]))


# --- matching --------------------------------------------------------------------------------------------


def test_a_matcher_from_start_to_end() -> None:
    matcher = bw.GrammarMatcher(AB)
    assert allowed(matcher) == [0, 1, 2, 4]
    assert matcher.accept_token(2)
    assert not matcher.accept_token(5)
    assert matcher.accept_string("b")
    assert matcher.accept_string(b"c")
    assert matcher.is_completed()
    assert not matcher.is_terminated()
    assert allowed(matcher) == [5]
    assert matcher.accept_token(np.int64(5))
    assert matcher.is_terminated()
    for call in (
        lambda: allowed(matcher),
        lambda: matcher.accept_token(0),
        lambda: matcher.accept_string("a"),
    ):
        with pytest.raises(errors.MatcherTerminatedError):
            call()
    assert matcher.num_accepted == 4
    matcher.rollback(2)
    assert allowed(matcher) == [0, 1, 2, 4]
    with pytest.raises(errors.RollbackError):
        matcher.rollback(3)
    with pytest.raises(errors.InvalidArgumentError):
        matcher.rollback(-1)
    assert matcher.num_accepted == 2
    matcher.reset()
    assert matcher.num_accepted == 0


def test_forks_and_copies_are_independent() -> None:
    matcher = bw.GrammarMatcher(AB)
    for fork in (matcher.fork(), copy.copy(matcher), copy.deepcopy(matcher)):
        assert fork.accept_string("abc")
        assert fork.is_completed()
        assert not matcher.is_completed()
        assert fork.compiled_grammar is AB


def test_stop_tokens_can_be_overridden() -> None:
    matcher = bw.GrammarMatcher(AB, override_stop_tokens=[3, 39])
    assert matcher.stop_token_ids == [3, 39]
    assert matcher.accept_string("c")
    assert allowed(matcher) == [3, 39]
    with pytest.raises(errors.TokenOutOfRangeError):
        bw.GrammarMatcher(AB, override_stop_tokens=40)
    free = bw.GrammarMatcher(AB, terminate_without_stop_token=True)
    assert free.accept_string("c")
    assert free.is_terminated()


@pytest.mark.parametrize("token", [-1, 40, 2**31, 2**32, 2**64, -(2**70)])
def test_token_ids_out_of_range_are_refused(token: int) -> None:
    matcher = bw.GrammarMatcher(AB)
    for call in (matcher.accept_token, matcher.explain_rejection, INFO.token_bytes):
        with pytest.raises(errors.TokenOutOfRangeError) as error:
            call(token)
        assert error.value.vocab_size == 40
    with pytest.raises(errors.TokenOutOfRangeError):
        bw.BatchGrammarMatcher.batch_accept_token([matcher], [token])
    assert matcher.num_accepted == 0


def test_refusals_are_explained() -> None:
    matcher = bw.GrammarMatcher(COMPILER.compile_grammar('root ::= "ab" "c"'))
    assert matcher.explain_rejection(2) is None
    assert matcher.explain_rejection("abc") is None
    why = matcher.explain_rejection(b"aab")
    assert why is not None
    assert (why.byte_offset, why.byte, why.token_id, why.expected) == (
        1,
        ord("a"),
        None,
        [(ord("b"), ord("b"))],
    )
    assert "root" in why.rules[0]
    assert str(why) == why.message
    stop = matcher.explain_rejection(5)
    assert stop is not None
    assert (stop.token_id, stop.byte, stop.is_completed) == (5, None, False)


def test_forced_text() -> None:
    matcher = bw.GrammarMatcher(COMPILER.compile_grammar('root ::= "né" [a-b]'))
    assert matcher.find_jump_forward_string() == "né"
    assert matcher.find_jump_forward_bytes() == "né".encode()
    half = bw.GrammarMatcher(COMPILER.compile_grammar('root ::= "n" [éè]'))
    assert half.find_jump_forward_bytes() == b"n\xc3"
    assert half.find_jump_forward_string() == "n"


def readonly(array: Any) -> Any:
    array.setflags(write=False)
    return array


@pytest.mark.parametrize(
    ("mask", "index"),
    [
        (np.zeros((1, 2), np.int64), 0),
        (np.zeros((1, 2), np.uint32), 0),
        (np.zeros((1, 2), ">i4"), 0),
        (np.zeros((1, 1), np.int32), 0),
        (np.zeros((1, 3), np.int32), 0),
        (np.zeros((1, 2, 1), np.int32), 0),
        (np.zeros((0, 2), np.int32), 0),
        (np.zeros((1, 2), np.int32), 1),
        (np.zeros((1, 2), np.int32), 2**60),
        (np.zeros((2, 4), np.int32)[:, ::2], 0),
        (np.frombuffer(b"\0" * 9, np.uint8)[1:].view(np.int32), 0),
        (readonly(np.zeros((1, 2), np.int32)), 0),
        (memoryview(bytearray(8)), 0),
        ([0, 0], 0),
        (None, 0),
    ],
)
def test_masks_that_cannot_be_filled_are_refused(mask: Any, index: int) -> None:
    with pytest.raises(errors.InvalidBitmaskError):
        bw.GrammarMatcher(AB).fill_next_token_bitmask(mask, index)


def test_rows_count_from_0() -> None:
    with pytest.raises(errors.InvalidArgumentError):
        bw.GrammarMatcher(AB).fill_next_token_bitmask(np.zeros((2, 2), np.int32), -1)


def test_only_the_row_that_was_asked_for_is_written() -> None:
    mask = np.full((5, 2), 7, np.int32)
    assert allowed(bw.GrammarMatcher(AB), 2, mask) == [0, 1, 2, 4]
    mask[2] = 7
    assert (mask == 7).all()
    assert allowed(bw.GrammarMatcher(AB), 0, mask[1:2][0].reshape(1, 2)) == [0, 1, 2, 4]
    flat = np.zeros(2, np.int32)
    bw.GrammarMatcher(AB).fill_next_token_bitmask(flat)
    assert flat.tolist() == [0b10111, 0]


def test_torch_masks_are_filled_in_place() -> None:
    torch = pytest.importorskip("torch")
    matcher = bw.GrammarMatcher(AB)
    mask = torch.zeros(3, 2, dtype=torch.int32)
    assert matcher.fill_next_token_bitmask(mask, 1)
    assert mask.tolist() == [[0, 0], [0b10111, 0], [0, 0]]
    mask = torch.nn.Parameter(torch.zeros(1, 2, dtype=torch.int32), requires_grad=False)  # a subclass
    matcher.fill_next_token_bitmask(mask)
    assert mask.tolist() == [[0b10111, 0]]
    good, empty = (torch.zeros(2, 2, dtype=torch.int32) for _ in range(2))
    empty.untyped_storage().resize_(0)
    bad = [
        good.long(),
        good.float(),
        good.t(),
        good.to("meta"),
        good.to_sparse(),
        good[None],
        good[:, :1],
        empty,
    ]
    for mask, index in [(good, 2), *((mask, 0) for mask in bad)]:
        with pytest.raises(errors.InvalidBitmaskError):
            matcher.fill_next_token_bitmask(mask, index)


# --- trees and threads -----------------------------------------------------------------------------------


def test_a_draft_tree_gets_a_mask_for_each_node() -> None:
    matcher = bw.GrammarMatcher(AB)
    assert matcher.accept_token(0)
    #      0 -> 1 (b) -> 3 (c) -> 4 (</s>)
    #        -> 2 (</s>: refused) -> 5 (a)
    children, siblings = np.array([1, 3, 5, 4, -1, -1]), np.array([-1, 2, -1, -1, -1, -1])
    tokens, mask = np.array([0, 1, 5, 4, 5, 0]), np.full((6, 2), 99, np.int32)
    assert matcher.traverse_draft_tree(children, siblings, tokens, mask)
    assert mask[:, 0].tolist() == [0b10111, 0b10111, 99, 0b100000, 99, 99]
    assert matcher.num_accepted == 1
    for bad_children in (
        [1, 0, -1, -1, -1, -1],
        [9, -1, -1, -1, -1, -1],
        [-2, 3, 5, 4, -1, -1],
        [1, 3],
        [[1]],
    ):
        with pytest.raises(errors.InvalidArgumentError):
            matcher.traverse_draft_tree(np.array(bad_children), siblings, tokens, mask)
    with pytest.raises(errors.InvalidArgumentError):
        matcher.traverse_draft_tree(children, siblings, tokens, mask[:5])
    assert not matcher.traverse_draft_tree(children, siblings, tokens, mask, time_threshold=1e-9)


def test_many_threads_share_one_grammar() -> None:
    compiled = bw.GrammarCompiler(INFO).compile_grammar('root ::= "a" root "b" | "c"')

    def walk(seed: int) -> list[list[int]]:
        matcher = bw.GrammarMatcher(compiled)
        masks = []
        for i in range(30):
            masks.append(allowed(matcher))
            assert matcher.accept_string("a" if i < seed else "c" if i == seed else "b") == (i <= 2 * seed)
        return masks

    expected = [walk(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(walk, list(range(8)) * 8)) == expected * 8


def test_one_matcher_survives_many_threads() -> None:
    matcher = bw.GrammarMatcher(AB)

    def hammer(_: int) -> None:
        for _ in range(200):
            matcher.accept_string("ab")
            allowed(matcher)
            matcher.fork().accept_string("c")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(hammer, range(4)))
    assert matcher.num_accepted == 800
