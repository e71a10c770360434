"""The engine against the Earley oracle, through the public API: random grammars, vocabularies and walks."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bytewright as bw
from bytewright.errors import EmptyLanguageError
from oracle.earley import Builder, Earley, to_ebnf

LETTERS = ["a", "b", "c", "é"]


def random_tree(rng, names, depth):
    kind = rng.random()
    if depth == 0 or kind < 0.35:
        return rng.choice(
            [
                ("lit", "".join(rng.choices(LETTERS, k=rng.randint(0, 3)))),
                ("any", tuple(rng.sample(LETTERS, rng.randint(1, 3)))),
                ("rule", rng.choice(names)),
                ("rule", rng.choice(names)),
            ]
        )
    parts = [random_tree(rng, names, depth - 1) for _ in range(rng.randint(1, 3))]
    if kind < 0.65:
        return ("seq", *parts)
    if kind < 0.88:
        return ("alt", *parts)
    least = rng.choice([0, 0, 1, 2])
    return ("rep", parts[0], least, rng.choice([None, least + rng.randint(0, 3), least + 1]))


def random_case(seed):
    """A grammar as EBNF, its oracle, and a vocabulary whose last id is the stop token."""
    rng = random.Random(seed)
    names = ["root", "x", "y", "z"][: rng.randint(1, 4)]
    builder, lines = Builder(), []
    for name in names:
        tree = random_tree(rng, names, 3)
        builder.define(name, tree)
        lines.append(f"{name} ::= {to_ebnf(tree)}")
    tokens = [b"a", b"b", b"c", b"\xc3", b"\xa9", b"", b"ab"]
    tokens += ["".join(rng.choices(LETTERS, k=rng.randint(1, 4))).encode() for _ in range(12)]
    tokens += [b"ab", b"\xa9a", b"</s>"]
    return "\n".join(lines), Earley(builder.rules, "root"), tokens, rng


def bits(mask, size):
    return [i for i in range(size) if int(mask[0, i >> 5]) >> (i & 31) & 1]


def run(earley, chart, token):
    for byte in token:
        chart = earley.extend(chart, byte)
        if not chart[-1]:
            break
    return chart


def forced(earley, chart):
    out = b""
    while not earley.accepts(chart) and len(earley.next_bytes(chart)) == 1:
        byte = next(iter(earley.next_bytes(chart)))
        out, chart = out + bytes([byte]), earley.extend(chart, byte)
    return out


def check(seed):
    """Walks one random grammar; gives the number of (grammar, prefix) cases compared."""
    text, earley, tokens, rng = random_case(seed)
    stop, special = len(tokens) - 1, 0
    tokens = [b"a", *tokens]  # id 0 looks like text, but is special
    stop += 1
    info = bw.TokenizerInfo(
        tokens, vocab_size=len(tokens) + 5, stop_token_ids=[stop], special_token_ids=[special]
    )
    grammar = bw.Grammar.from_ebnf(text, unreachable_rules="ignore")
    chart = earley.start()
    if not earley.viable(chart):
        with pytest.raises(EmptyLanguageError):
            bw.GrammarCompiler(info).compile_grammar(grammar)
        return 1
    compiled = bw.GrammarCompiler(info).compile_grammar(grammar)
    loaded = bw.CompiledGrammar.deserialize_json(compiled.serialize_json(), info)
    matcher, other = bw.GrammarMatcher(compiled), bw.GrammarMatcher(loaded)
    mask = bw.allocate_token_bitmask(1, info.vocab_size, backend="numpy")
    cases = 0
    for _ in range(8):
        charts = {i: run(earley, chart, t) for i, t in enumerate(tokens) if t and i not in (special, stop)}
        want = [i for i, c in charts.items() if earley.viable(c)]
        want += [stop] if earley.accepts(chart) else []
        matcher.fill_next_token_bitmask(mask)
        assert bits(mask, info.vocab_size) == sorted(want), (seed, text)
        other.fill_next_token_bitmask(mask)
        assert bits(mask, info.vocab_size) == sorted(want), (seed, text, "loaded")
        assert matcher.is_completed() == earley.accepts(chart)
        assert matcher.find_jump_forward_bytes() == forced(earley, chart), (seed, text)
        for i in range(info.vocab_size):
            fork = matcher.fork()
            assert fork.accept_token(i) == (i in want), (seed, text, i)
            if i in charts:
                assert matcher.fork().accept_string(tokens[i]) == (i in want)
            if i in charts and i not in want:
                why = matcher.explain_rejection(i)
                before = run(earley, chart, tokens[i][: why.byte_offset])
                assert {b for lo, hi in why.expected for b in range(lo, hi + 1)} == earley.next_bytes(before)
                assert earley.viable(before)
                assert tokens[i][why.byte_offset] not in earley.next_bytes(before)
        cases += 1
        texts = [i for i in want if i != stop]
        if not texts:
            break
        token = rng.choice(texts)
        refused = [i for i in range(info.vocab_size) if i not in want]
        assert not matcher.accept_token(rng.choice(refused))
        assert matcher.accept_token(token)
        matcher.rollback(1)
        matcher.fill_next_token_bitmask(mask)
        assert bits(mask, info.vocab_size) == sorted(want), (seed, text, "after a rollback")
        assert matcher.accept_token(token)
        assert other.accept_token(token)
        chart = charts[token]
    return cases


def test_ten_thousand_cases():
    """At least 10,000 (grammar, prefix) pairs, the same ones every time."""
    cases, seed = 0, 0
    while cases < 10_000:
        cases += check(seed)
        seed += 1
    assert cases >= 10_000


@settings(max_examples=150, deadline=None)
@given(st.integers(min_value=1_000_000, max_value=2**40))
def test_other_cases(seed):
    check(seed)


def test_the_oracle_knows_simple_languages():
    builder = Builder()
    builder.define(
        "root", ("alt", ("seq", ("rule", "root"), ("lit", "+"), ("rule", "root")), ("any", ("1", "2")))
    )
    earley = Earley(builder.rules, "root")
    for text, sentence, prefix in [
        (b"1+2+1", True, True),
        (b"1+", False, True),
        (b"+", False, False),
        (b"", False, True),
    ]:
        chart = run(earley, earley.start(), text)
        assert (earley.accepts(chart), earley.viable(chart)) == (sentence, prefix), text
    builder.define("loop", ("seq", ("lit", "a"), ("rule", "loop")))
    assert not Earley(builder.rules, "loop").viable(Earley(builder.rules, "loop").start())
