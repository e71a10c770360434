"""`ByteModel` over toy models: its laws, its errors, sampling, grammars, ensembles. No torch is needed."""

from __future__ import annotations

import ctypes
import itertools
import math
import sys
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bytewright as bw
from bytewright.byte_level import (
    END,
    ByteConstraint,
    ByteEnsemble,
    ByteModel,
    LlamaCppModel,
    TransformersModel,
    rules_for_all,
    sample,
    sample_outcome,
    sample_smc,
)
from bytewright.errors import (
    ImpossibleTextError,
    InvalidArgumentError,
    InvalidLogitsError,
    LimitExceededError,
    TokenOutOfRangeError,
)

TOKENS = [b"a", b"b", b"c", b"ab", b"abc", b"cc"]
MERGES = [(0, 1, 3), (3, 2, 4), (2, 2, 5)]
OTHER_TOKENS = [b"a", b"b", b"c", b"bc", b"ca"]
OTHER_MERGES = [(1, 2, 3), (2, 0, 4)]


def make_rules(tokens=TOKENS, merges=MERGES):
    info = bw.TokenizerInfo([*tokens, b"</s>"], stop_token_ids=len(tokens))
    return bw.TokenizerRules(info, merges=merges)


class Table:
    """Random logits by the last two tokens, and a count of how often it was asked."""

    def __init__(self, rules, seed=0, spread=3.0):
        self.size = rules.tokenizer_info.vocab_size
        self.seed, self.spread = seed, spread
        self.calls = 0

    def __call__(self, sequences):
        self.calls += 1
        return np.stack([self.row(tuple(sequence)) for sequence in sequences])

    def row(self, sequence):
        rng = np.random.default_rng([self.seed, *(t + 1 for t in sequence[-2:])])
        return rng.normal(scale=self.spread, size=self.size)


def make_model(seed=0, tokens=TOKENS, merges=MERGES, spread=3.0, **options):
    rules = make_rules(tokens, merges)
    return ByteModel(Table(rules, seed, spread), rules, **options)


def probability(model, text):
    """P(text and its end) of the canonical law, from the model's own answers."""
    return math.exp(model.log_prob(text, end=True))


def test_batches_and_streams_agree():
    model = make_model()
    texts = [b"", b"a", b"abcab", b"cca", b"ab"]
    rows = model.next_byte_log_probs(texts)
    assert rows.shape == (5, 257)
    np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1.0, atol=1e-12)
    for text, row in zip(texts, rows, strict=True):
        state = make_model().start()
        for byte in text:
            assert state.log_probs.shape == (257,)
            state.push(byte)
        np.testing.assert_allclose(np.exp(state.log_probs), np.exp(row), atol=1e-12)
    assert model.next_byte_log_probs([]).shape == (0, 257)


@given(st.text("abc", max_size=8), st.integers(0, 8), st.integers(0, 10))
@settings(max_examples=40, deadline=None)
def test_products_do_not_depend_on_the_prompt(text, cut, seed):
    model = make_model(seed)
    data = text.encode()
    cut = min(cut, len(data))
    whole = model.log_prob(data)
    assert whole == pytest.approx(
        model.log_prob(data[:cut]) + model.log_prob(data[cut:], prompt=data[:cut]), abs=1e-9
    )


def test_forks_are_independent_and_share_calls():
    model = make_model()
    state = model.start(b"ab")
    before = state.log_probs.copy()
    calls = model.calls
    fork = state.fork()
    fork.push(b"c")
    assert (state.text, fork.text) == (b"ab", b"abc")
    np.testing.assert_array_equal(state.log_probs, before)
    np.testing.assert_array_equal(state.fork().log_probs, before)
    assert model.calls == calls


@given(st.integers(0, 50), st.sampled_from([1e-1, 1e-2, 1e-4]), st.text("abc", max_size=20))
@settings(max_examples=40, deadline=None)
def test_certificates_hold(seed, tolerance, text):
    exact, lazy = make_model(seed, spread=6.0), make_model(seed, spread=6.0, tolerance=tolerance)
    left, right = exact.start(), lazy.start()
    for byte in text.encode():
        left.push(byte)
        right.push(byte)
        got, want = right.next, left.next
        error = np.abs(np.exp(got.log_probs) - np.exp(want.log_probs)).sum() / 2
        assert error <= got.certificate + 1e-12
        assert got.certificate <= tolerance
        assert want.certificate == 0.0
    assert lazy.contexts <= exact.contexts


def test_all_encodings_with_a_beam():
    info = bw.TokenizerInfo([*TOKENS, b"</s>"], stop_token_ids=len(TOKENS))
    rules = rules_for_all(info)
    everything = ByteModel(Table(rules), rules, mode="all")
    narrow = ByteModel(Table(rules), rules, mode="all", beam=2)
    wide = ByteModel(Table(rules), rules, mode="all", beam=500)
    text = b"abcabccab"
    want = everything.start(text).next
    assert want.left_out == 0.0
    np.testing.assert_allclose(wide.start(text).log_probs, want.log_probs, atol=1e-12)
    got = narrow.start(text).next
    error = np.abs(np.exp(got.log_probs) - np.exp(want.log_probs)).sum() / 2
    assert 0.0 < error <= got.left_out == got.certificate
    with pytest.raises(LimitExceededError):
        ByteModel(Table(rules), rules, mode="all", max_nodes=50).start(b"abc" * 20)
    with pytest.raises(InvalidArgumentError):
        make_model(beam=3)


def test_fast_is_near_but_not_the_law():
    fast, exact = make_model(mode="fast").start(b"ab"), make_model().start(b"ab")
    assert np.abs(np.exp(fast.log_probs) - np.exp(exact.log_probs)).max() > 1e-4
    assert np.exp(fast.log_probs).sum() == pytest.approx(1.0)


def test_bad_logits_are_errors():
    rules = make_rules()
    for wrong in (
        lambda s: np.full((len(s), 7), np.nan),
        lambda s: np.zeros((len(s), 6)),
        lambda s: np.zeros((len(s) + 1, 7)),
        lambda s: np.zeros(7),
        lambda s: np.full((len(s), 7), -np.inf),
        lambda s: np.zeros((len(s), 7), dtype=np.float16),
        lambda s: [["x"] * 7],
    ):
        with pytest.raises(InvalidLogitsError):
            _ = ByteModel(wrong, rules).start().log_probs
    assert ByteModel(lambda s: np.zeros((len(s), 7), dtype=int), rules).start().log_probs[97] < 0


def test_bad_arguments_are_errors():
    with pytest.raises(ImpossibleTextError, match="0x78"):
        make_model().start(b"abx")
    state = make_model().start(b"ab")
    with pytest.raises(InvalidArgumentError):
        state.push(256)
    assert state.text == b"ab"
    with pytest.raises(TokenOutOfRangeError):
        make_model(start=[99])
    for tolerance in (-0.1, 1.0, math.nan):
        with pytest.raises(InvalidArgumentError):
            make_model(tolerance=tolerance)
    with pytest.raises(InvalidArgumentError):
        make_model(mode="other")
    # A model that gives a text nothing says so, and a log-probability of minus infinity.
    rules = make_rules()
    only_a = np.array([0.0, *[-np.inf] * 6])
    only_b = np.array([-np.inf, 0.0, *[-np.inf] * 5])
    model = ByteModel(lambda s: np.tile(only_a, (len(s), 1)), rules)
    assert model.log_prob(b"ab") == -math.inf
    with pytest.raises(ImpossibleTextError):
        _ = ByteModel(lambda s: np.tile(only_b, (len(s), 1)), rules).start(b"a").log_probs


def test_covers_go_on_at_token_speed():
    """A sampled cover is one of the posterior: chi-square, p > 1e-3 (10.83 for two covers)."""
    model = make_model(3)
    state = model.start(b"ab")
    covers = state.covers()
    assert {(tuple(c.tokens), c.overhang) for c in covers} == {((3,), b""), ((4,), b"c")}
    assert sum(c.probability for c in covers) == pytest.approx(1.0)
    rng = np.random.default_rng(5)
    counts = {tuple(c.tokens): 0 for c in covers}
    for _ in range(2000):
        counts[tuple(state.sample_cover(rng).tokens)] += 1
    chi = sum((counts[tuple(c.tokens)] - 2000 * c.probability) ** 2 / (2000 * c.probability) for c in covers)
    assert chi < 10.83
    assert state.covers(limit=1)[0].probability == max(c.probability for c in covers)


def test_sampling_options():
    rng = np.random.default_rng(0)
    logs = np.log(np.array([0.5, 0.3, 0.15, 0.05]))
    draws = lambda **options: {sample_outcome(logs, rng, **options) for _ in range(300)}  # noqa: E731
    assert draws() == {0, 1, 2, 3}
    assert draws(temperature=0) == {0}
    assert draws(top_k=2) == {0, 1}
    assert draws(top_p=0.6) == {0, 1}
    assert draws(top_p=0.5) == {0}
    assert draws(top_p=1.0) == {0, 1, 2, 3}
    for wrong in (
        *({"temperature": value} for value in (-1, math.nan, math.inf)),
        *({"top_p": value} for value in (0.0, 1.1, math.nan)),
        {"top_k": 0},
    ):
        with pytest.raises(InvalidArgumentError):
            sample_outcome(logs, rng, **wrong)
    with pytest.raises(ImpossibleTextError):
        sample_outcome(np.full(3, -np.inf), rng)


def test_samples_follow_the_law():
    """Frequencies of short texts against their probabilities."""
    model = make_model(2, spread=1.0)
    rng = np.random.default_rng(1)
    counts: dict[bytes, int] = {}
    for _ in range(3000):
        text = sample(model.start(), max_bytes=3, rng=rng)
        if text.ended:
            counts[text.text] = counts.get(text.text, 0) + 1
    for text in (b"", b"a", b"c", b"cc"):
        want = probability(model, text)
        # Four standard deviations.
        assert abs(counts.get(text, 0) / 3000 - want) < 4 * math.sqrt(want / 3000)


LANGUAGE = [b"a", b"ab", b"abc", b"cab", b"ccb", b"bca"]
GRAMMAR = "root ::= " + " | ".join(f'"{text.decode()}"' for text in LANGUAGE)


def conditional(model):
    """P(text | grammar) by enumeration, and P(grammar)."""
    masses = {text: probability(model, text) for text in LANGUAGE}
    total = sum(masses.values())
    return {text: mass / total for text, mass in masses.items()}, total


def test_weights_are_exact():
    """For each text of the language, proposal times weight is its probability."""
    model = make_model(7)
    for text in LANGUAGE:
        state, constraint = model.start(), ByteConstraint(GRAMMAR)
        proposal = weight = 0.0
        for outcome in [*text, END]:
            allowed = np.where(constraint.allowed(), state.log_probs, -np.inf)
            mass = np.logaddexp.reduce(allowed)
            proposal += allowed[outcome] - mass
            weight += mass
            constraint.push(outcome)
            if outcome != END:
                state.push(outcome)
        assert proposal + weight == pytest.approx(math.log(probability(model, text)), abs=1e-12)


def test_importance_weights_estimate_the_evidence():
    model = make_model(7, spread=1.5)
    want, evidence = conditional(model)
    rng = np.random.default_rng(3)
    draws = [
        sample(model.start(), max_bytes=9, rng=rng, constraint=ByteConstraint(GRAMMAR), weigh=True)
        for _ in range(1500)
    ]
    weights = np.exp([draw.log_weight for draw in draws])
    assert all(draw.ended and draw.text in LANGUAGE for draw in draws)
    assert abs(weights.mean() - evidence) < 4 * weights.std() / math.sqrt(len(weights))
    for text, share in want.items():
        got = sum(w for d, w in zip(draws, weights, strict=True) if d.text == text) / weights.sum()
        assert abs(got - share) < 0.06


def test_smc_approaches_the_conditional():
    model = make_model(7, spread=1.5)
    want, evidence = conditional(model)
    distances = []
    for particles in (1, 64):
        rng = np.random.default_rng(11)
        shares = dict.fromkeys(LANGUAGE, 0.0)
        estimates = []
        runs = 256 // particles
        for _ in range(runs):
            found = sample_smc(
                model, model.start(), ByteConstraint(GRAMMAR), particles=particles, max_bytes=9, rng=rng
            )
            assert found.unfinished == pytest.approx(0.0, abs=1e-12)
            estimates.append(math.exp(found.log_evidence))
            for text, share in found.probabilities.items():
                shares[text] += share / runs
        distances.append(sum(abs(shares[t] - want[t]) for t in LANGUAGE) / 2)
        assert np.mean(estimates) == pytest.approx(evidence, rel=0.25)
    assert distances[1] < distances[0]


def test_forced_bytes_cost_no_call():
    model = make_model()
    rng = np.random.default_rng(0)
    constraint = ByteConstraint('root ::= "abcabc" ("a" | "c")')
    drawn = sample(model.start(), max_bytes=20, rng=rng, constraint=constraint)
    assert drawn.text[:6] == b"abcabc"
    assert math.isnan(drawn.log_weight)
    assert model.calls <= 2
    assert sample(model.start(), max_bytes=3, rng=rng, constraint=constraint).text == b"abc"
    with pytest.raises(InvalidArgumentError, match="max_bytes"):
        sample(model.start(), max_bytes=-1, rng=rng, constraint=constraint)
    with pytest.raises(InvalidArgumentError, match="max_bytes"):
        sample_smc(model, model.start(), constraint, particles=2, max_bytes=-1, rng=rng)
    compiled = bw.GrammarCompiler(make_rules().tokenizer_info).compile_grammar('root ::= "a"')
    with pytest.raises(InvalidArgumentError, match="tokenizer"):
        ByteConstraint(compiled)


def test_ensembles_meet_at_the_bytes():
    first, second = make_model(1), make_model(2, OTHER_TOKENS, OTHER_MERGES)
    third = make_model(3)
    text = b"abcc"
    p, q, r = (np.exp(model.start(text).log_probs) for model in (first, second, third))
    cases = {
        "mean": (0.25 * p + 0.75 * q, [first, second], {"weights": [1, 3]}),
        "product": (np.sqrt(p * q), [first, second], {}),
    }
    for combine, (want, models, options) in cases.items():
        ensemble = ByteEnsemble(models, combine=combine, **options)
        got = np.exp(ensemble.start(text).log_probs)
        np.testing.assert_allclose(got, want / want.sum(), atol=1e-12)
    contrast = ByteEnsemble([first, second, third], combine="contrast", strength=0.5)
    with np.errstate(divide="ignore", invalid="ignore"):
        want = np.where((p > 0) & (q > 0) & (r > 0), p * np.sqrt(q / r), 0.0)
    got = np.exp(contrast.start(text).log_probs)
    np.testing.assert_allclose(got, want / want.sum(), atol=1e-12)
    # Under one grammar, with weights.
    ensemble = ByteEnsemble([first, second], combine="product")
    rng = np.random.default_rng(0)
    found = sample_smc(ensemble, ensemble.start(), ByteConstraint(GRAMMAR), particles=8, max_bytes=9, rng=rng)
    assert set(found.probabilities) <= set(LANGUAGE)
    state = ensemble.start(b"ab")
    with pytest.raises(ImpossibleTextError):
        state.push(b"cx")
    assert state.text == b"ab"
    for wrong in ({"weights": [1]}, {"weights": [1, -1]}, {"combine": "contrast"}, {"combine": "median"}):
        with pytest.raises(InvalidArgumentError):
            ByteEnsemble([first, second], **wrong)


def tiny_llama():
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=8,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.6,
    )
    return transformers.LlamaForCausalLM(config).eval()


def test_one_cache_serves_all_sequences():
    """Against computing every sequence from its beginning; and with a cache that forgets."""
    model = tiny_llama()
    plain = TransformersModel(model, use_cache=False)
    rng = np.random.default_rng(0)
    for size in (16384, 40):
        cached = TransformersModel(model, max_slots=size)
        known = [[0]]
        for _ in range(20):
            parents = [known[rng.integers(max(0, len(known) - 6), len(known))] for _ in range(3)]
            asked = [[*parent[-11:], int(rng.integers(8))] for parent in parents]
            known += asked
            np.testing.assert_allclose(cached(asked), plain(asked), atol=1e-4)
        assert size < 100 or cached.contexts < plain.contexts / 3
    with pytest.raises(InvalidArgumentError, match="start token"):
        cached([[]])
    with pytest.raises(InvalidArgumentError, match="max_slots"):
        cached([[1] * 41])
    np.testing.assert_allclose(cached([[1, 2]]), plain([[1, 2]]), atol=1e-4)


def test_contexts_that_are_too_long_are_errors():
    """Past its positions, or with a cache past its sliding window, a model's logits would not be its own."""
    model = tiny_llama()
    with pytest.raises(InvalidArgumentError, match="256 positions"):
        TransformersModel(model)([[0] * 257])
    transformers = pytest.importorskip("transformers")
    config = transformers.MistralConfig(**{**model.config.to_dict(), "sliding_window": 6})
    sliding = transformers.MistralForCausalLM(config).eval()
    cached, plain = TransformersModel(sliding), TransformersModel(sliding, use_cache=False)
    sequence = [1, 2, 3, 4, 5, 6, 7, 0, 1]
    np.testing.assert_allclose(cached([sequence[:6]]), plain([sequence[:6]]), atol=1e-4)
    with pytest.raises(InvalidArgumentError, match="sliding_window"):
        cached([sequence])
    # Without the cache the window is the model's own: two layers of it see eleven tokens back.
    for length, sees in ((9, True), (14, False)):
        past = ([1, 2, 3, 4, 5, 6, 7, 0] * 2)[:length]
        apart = np.abs(plain([past]) - plain([[7, *past[1:]]])).max()
        assert (apart > 1e-4) == sees


def test_a_transformers_model_end_to_end():
    info = bw.TokenizerInfo([*TOKENS, b"</s>", b"<s>"], stop_token_ids=6, special_token_ids=[7])
    rules = bw.TokenizerRules(info, merges=MERGES)
    model = tiny_llama()
    cached = ByteModel(TransformersModel(model), rules, start=[7])
    plain = ByteModel(TransformersModel(model, use_cache=False), rules, start=[7])
    for text in (b"abccab", b"cabcc"):
        np.testing.assert_allclose(
            cached.next_byte_log_probs([text[:i] for i in range(7)]),
            plain.next_byte_log_probs([text[:i] for i in range(7)]),
            atol=1e-3,
        )
        assert cached.log_prob(text) == pytest.approx(plain.log_prob(text), abs=1e-3)


class FakeLlama:
    """What `LlamaCppModel` uses of ``llama_cpp``: logits of a position are a function of its past."""

    def __init__(self, back=True, window=0):
        self.input_ids, self.n_tokens = np.zeros(64, dtype=np.intc), 0
        self.ctx = self.model = self
        self.evaluated, self.back, self.window, self.row = 0, back, window, None

    def n_ctx(self):
        return 64

    def n_vocab(self):
        return 7

    def eval(self, tokens):
        end = self.n_tokens + len(tokens)
        self.input_ids[self.n_tokens : end] = tokens
        self.row = expected(self.input_ids[:end].tolist()).astype(np.float32)
        self.evaluated += len(tokens)
        self.n_tokens = end

    def module(self):
        def clear(memory, data):
            self.n_tokens = 0

        return types.SimpleNamespace(
            llama_get_logits_ith=lambda ctx, i: ctx.row.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
            llama_get_memory=lambda ctx: ctx,
            llama_memory_seq_rm=lambda memory, sequence, start, end: self.back,
            llama_memory_seq_pos_min=lambda memory, sequence: (
                max(0, self.n_tokens - self.window) if self.window else 0
            ),
            llama_model_n_swa=lambda model: self.window,
            llama_memory_clear=clear,
        )


def expected(tokens):
    return np.random.default_rng([t + 1 for t in tokens]).normal(size=7)


@pytest.mark.parametrize(
    ("options", "evaluated"),
    [({}, 3 + 1 + 1 + 1 + 1), ({"back": False}, 3 + 1 + 3 + 3 + 1), ({"window": 2}, 11)],
)
def test_llama_cpp_goes_back_to_what_is_shared(monkeypatch, options, evaluated):
    """Where the model can go back, and where it must begin again."""
    llama = FakeLlama(**options)
    monkeypatch.setitem(sys.modules, "llama_cpp", llama.module())
    model = LlamaCppModel(llama)
    for sequence in ([1, 2, 3], [1, 2, 3, 4], [1, 2, 5], [1, 2, 5], [4]):
        np.testing.assert_allclose(model([sequence])[0], expected(sequence), atol=1e-6)
    assert llama.evaluated == evaluated
    # Used for something else between.
    llama.n_tokens = 0
    llama.eval([6, 6])
    np.testing.assert_allclose(model([[4, 1]])[0], expected([4, 1]), atol=1e-6)
    for wrong in ([], [0] * 65):
        with pytest.raises(InvalidArgumentError):
            model([wrong])


def test_every_short_text_adds_up():
    """The probabilities of all texts of up to n bytes, ended or not, are 1."""
    model = make_model(5)
    total = 0.0
    for length in range(4):
        for letters in itertools.product(b"abc", repeat=length):
            total += math.exp(model.log_prob(bytes(letters), end=length < 3))
    assert total == pytest.approx(1.0, abs=1e-12)
