"""Healing against the posterior, special tokens, grammars, FIM formats."""

from __future__ import annotations

import math

import numpy as np
import pytest

import bytewright as bw
from bytewright.byte_level import END, ByteConstraint, ByteModel, sample
from bytewright.errors import ImpossibleTextError, InvalidArgumentError, TokenOutOfRangeError
from bytewright.fim import FimFormat, HealingProcessor, encode, heal

TOKENS = [b"a", b"b", b" ", b"ab", b"abb", b" a", b"</s>", b"<PRE>", b"<SUF>", b"<MID>"]
MERGES = [(0, 1, 3), (3, 1, 4), (2, 0, 5)]
STOP, PRE, SUF, MID = 6, 7, 8, 9


def make_model(seed=0, spread=1.5, **options):
    info = bw.TokenizerInfo(TOKENS, stop_token_ids=STOP, special_token_ids=[PRE, SUF, MID])
    rules = bw.TokenizerRules(info, merges=MERGES)

    def logits(sequences):
        rows = [
            np.random.default_rng([seed, *(t + 1 for t in s[-3:])]).normal(scale=spread, size=len(TOKENS))
            for s in sequences
        ]
        return np.stack(rows)

    return ByteModel(logits, rules, **options)


def test_healed_ends_follow_the_posterior():
    """Oracle 8: chi-square against the covers' masses, enumerated by hand, p > 1e-3."""
    model = make_model(4)
    rules = model.rules
    text = b"ab ab"
    size = len(TOKENS)

    def mass(tokens):
        log = 0.0
        for i, token in enumerate(tokens):
            row = model._language_model([tokens[:i]])[0]
            log += row[token] - np.logaddexp.reduce(row)
        return math.exp(log)

    info = rules.tokenizer_info
    covers = {}
    pending = [()]
    while pending:
        tokens = pending.pop()
        data = b"".join(map(info.token_bytes, tokens))
        if len(data) >= len(text):
            if data.startswith(text) and rules.is_canonical(tokens):
                covers[tokens] = mass(list(tokens))
            continue
        if text.startswith(data):
            pending += [(*tokens, t) for t in range(size) if t < STOP]
    assert len(covers) >= 2
    total = sum(covers.values())
    rng = np.random.default_rng(0)
    counts = dict.fromkeys(covers, 0)
    for _ in range(3000):
        healed = heal(model, text, rng=rng)
        tokens = tuple(healed.tokens)
        counts[tokens] += 1
        assert healed.probability == pytest.approx(covers[tokens] / total, abs=1e-12)
    chi = sum((counts[t] - 3000 * m / total) ** 2 / (3000 * m / total) for t, m in covers.items())
    # The 0.999 quantile of chi-square for 1, 2, 3 degrees of freedom.
    assert chi < [10.83, 13.82, 16.27][len(covers) - 2]
    unhealed = tuple(encode(rules, text))
    assert heal(model, text).moved == pytest.approx(1 - covers[unhealed] / total, abs=1e-12)


def test_what_was_healed_is_told():
    model = make_model(4)
    healed = heal(model, b"ba")
    before = encode(model.rules, b"ba")
    assert healed.tokens[: healed.kept] + healed.backed_off == before
    assert healed.tokens == healed.tokens[: healed.kept] + healed.appended
    data = b"".join(map(model.rules.tokenizer_info.token_bytes, healed.tokens))
    assert data == b"ba" + healed.overhang


def test_spaces_and_special_tokens_stay():
    model = make_model(1, start=[PRE])
    rng = np.random.default_rng(2)
    for _ in range(30):
        healed = heal(model, b"ab ", rng=rng)
        assert healed.tokens[0] == PRE
        data = b"".join(map(model.rules.tokenizer_info.token_bytes, healed.tokens[1:]))
        assert data.startswith(b"ab ")
        # Tokens: everything up to the last special token is left alone, canonical or not.
        odd = [PRE, 0, 1, SUF, 1, MID, 1, 0]
        healed = heal(model, odd, rng=rng)
        assert healed.tokens[:7] == odd[:7]
    healed = heal(model, [PRE, 0, MID])
    assert (healed.tokens, healed.appended, healed.moved) == ([PRE, 0, MID], [], pytest.approx(0.0))
    # The text of a special token is text.
    with pytest.raises(ImpossibleTextError):
        heal(model, b"a<PRE>")
    with pytest.raises(TokenOutOfRangeError):
        heal(model, [99])
    with pytest.raises(InvalidArgumentError):
        heal(make_model(mode="all"), b"a")


def test_a_grammar_keeps_what_it_can_continue():
    model = make_model(3)
    free, rng = heal(model, b"a"), np.random.default_rng(0)
    assert free.allowed == pytest.approx(1.0)
    for _ in range(20):
        healed = heal(model, b"a", rng=rng, constraint=ByteConstraint('root ::= "b" " "'))
        assert healed.overhang in (b"", b"b")
        assert 0 < healed.allowed < 1
    # A model that only ever says "b" leaves no cover of "a".
    row = np.where(np.arange(len(TOKENS)) == 1, 0.0, -np.inf)
    never = ByteModel(lambda s: np.tile(row, (len(s), 1)), model.rules)
    with pytest.raises(ImpossibleTextError):
        heal(never, b"a")


@pytest.mark.parametrize(
    ("layout", "middle", "want"),
    [
        ("psm", MID, [PRE, 1, SUF, 3, MID]),
        ("spm", MID, [PRE, SUF, 3, MID]),
        ("mistral", None, [SUF, 3, PRE]),
    ],
)
def test_formats(layout, middle, want):
    model = make_model(2)
    form = FimFormat(layout, PRE, SUF, middle)
    tokens, text = form.context(model.rules, b"ba", b"ab")
    assert (tokens, text) == (want, b"a" if layout == "psm" else b"ba")
    state = form.start(model, "ba", "ab")
    assert list(state.context) == want
    # The state is the byte-level model behind these tokens, and the middle ends by itself.
    same = model.start(text, context=want)
    np.testing.assert_array_equal(state.log_probs, same.log_probs)
    assert state.log_probs[END] > -np.inf
    drawn = sample(state, max_bytes=50, rng=np.random.default_rng(0))
    assert set(drawn.text) <= set(b"ab ")


def test_wrong_formats():
    for wrong in (("psm", None), ("mistral", MID), ("pms", MID)):
        with pytest.raises(InvalidArgumentError):
            FimFormat(wrong[0], PRE, SUF, wrong[1])
    with pytest.raises(InvalidArgumentError, match="sentinel 0"):
        FimFormat("psm", 0, SUF, MID).start(make_model(), "a", "b")


def test_generate_puts_the_healed_end_in_place():
    torch = pytest.importorskip("torch")
    model = make_model(4)
    healed = heal(model, b"bab", rng=np.random.default_rng(1))
    processor = HealingProcessor([healed])
    ids = torch.tensor([healed.tokens[: healed.kept]], dtype=torch.long)
    for token in healed.appended:
        scores = processor(ids, torch.zeros(1, len(TOKENS)))
        assert int(scores.argmax()) == token
        assert int(torch.isfinite(scores).sum()) == 1
        ids = torch.cat([ids, torch.tensor([[token]])], dim=1)
    assert ids[0].tolist() == healed.tokens
    assert torch.equal(processor(ids, torch.ones(1, len(TOKENS))), torch.ones(1, len(TOKENS)))
    with pytest.raises(InvalidArgumentError):
        HealingProcessor([healed, healed])(ids, torch.zeros(1, len(TOKENS)))
