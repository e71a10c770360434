"""Two experiments on models small enough to enumerate.

    .venv/bin/python benches/byte_level_toys.py [--runs N]

1. Tokenization bias: a Markov chain over two letters behind a tokenizer with four merges. In fractions: the
   chain's true next-letter probability beside the naive, the one-token-healed and the exact conversion.
2. A grammar with finitely many sentences: how far, in total variation, samples are from P(text | grammar):
   a token mask, a byte mask, importance weights and sequential Monte Carlo.
"""

from __future__ import annotations

import argparse
import itertools
import math
from fractions import Fraction

import numpy as np

import bytewright as bw
from bytewright.byte_level import END, ByteConstraint, ByteModel, sample_smc
from bytewright.fim import encode

CHAIN = {None: Fraction(1, 2), "a": Fraction(4, 10), "b": Fraction(7, 10)}  # P(next is a | last)
CHAIN_TOKENS = ["a", "b", "ab", "ba", "bb", "abab"]
CHAIN_MERGES = [(0, 1, 2), (1, 0, 3), (1, 1, 4), (2, 2, 5)]


def chain_probability(text: str, last: str | None = None) -> Fraction:
    total = Fraction(1)
    for letter in text:
        total *= CHAIN[last] if letter == "a" else 1 - CHAIN[last]
        last = letter
    return total


def bias() -> None:
    info = bw.TokenizerInfo([t.encode() for t in CHAIN_TOKENS])
    rules = bw.TokenizerRules(info, merges=CHAIN_MERGES)

    def mass(tokens: tuple[int, ...]) -> Fraction:
        """P(the tokenized text begins so): summed over what may come, up to twice the longest token."""
        text = "".join(CHAIN_TOKENS[t] for t in tokens)
        ends = ("".join(letters) for letters in itertools.product("ab", repeat=8))
        whole = (text + end for end in ends)
        return sum(
            (chain_probability(w) for w in whole if tuple(encode(rules, w)[: len(tokens)]) == tokens),
            Fraction(0),
        )

    def naive(tokens: tuple[int, ...], letter: str) -> Fraction:
        return sum(
            (mass((*tokens, t)) for t, s in enumerate(CHAIN_TOKENS) if s[0] == letter), Fraction(0)
        ) / mass(tokens)

    def healed(tokens: tuple[int, ...], letter: str) -> Fraction:
        """One token taken back: its text is a prefix of what comes instead."""
        *kept, last = tokens
        tail = CHAIN_TOKENS[last]
        fits = {t: mass((*kept, t)) for t, s in enumerate(CHAIN_TOKENS) if s.startswith(tail)}
        weigh = {
            t: naive((*kept, t), letter) if CHAIN_TOKENS[t] == tail else CHAIN_TOKENS[t][len(tail)] == letter
            for t, m in fits.items()
            if m
        }
        return sum(fits[t] * w for t, w in weigh.items()) / sum(fits.values())

    def exact(text: str, letter: str) -> Fraction:
        def covers(x: str) -> Fraction:
            found = Fraction(0)
            for k in range(len(x) + 1):
                for tokens in itertools.product(range(len(CHAIN_TOKENS)), repeat=k):
                    spelled = [CHAIN_TOKENS[t] for t in tokens]
                    inside = len("".join(spelled[:-1])) < len(x) if tokens else not x
                    if inside and "".join(spelled).startswith(x) and rules.is_canonical(tokens):
                        found += mass(tokens)
            return found

        return covers(text + letter) / covers(text)

    print("1. Tokenization bias: P(b | text), exactly\n")
    print(f"  {'text':<8}{'truth':>8}{'naive':>10}{'one back':>10}{'exact':>8}")
    for text in ("a", "b", "ab", "aba", "bba"):
        tokens = tuple(encode(rules, text))
        row = (1 - CHAIN[text[-1]], naive(tokens, "b"), healed(tokens, "b"), exact(text, "b"))
        print(f"  {text:<8}{row[0]!s:>8}{row[1]!s:>10}{row[2]!s:>10}{row[3]!s:>8}")
        assert row[0] == row[3]
    print()


TOKENS = [b"a", b"b", b"c", b"ab", b"abc", b"cc", b"</s>"]
LANGUAGE = [b"a", b"ab", b"abc", b"abcc", b"cab", b"ccb", b"bca", b"ccc", b"bb"]


def toy(seed: int) -> ByteModel:
    info = bw.TokenizerInfo(TOKENS, stop_token_ids=6)
    rules = bw.TokenizerRules(info, merges=[(0, 1, 3), (3, 2, 4), (2, 2, 5)])

    def logits(sequences):
        return np.stack(
            [
                np.random.default_rng([seed, *(t + 1 for t in s[-2:])]).normal(scale=2.0, size=7)
                for s in sequences
            ]
        )

    return ByteModel(logits, rules)


def token_mask(model: ByteModel, compiled: bw.CompiledGrammar) -> dict[bytes, float]:
    """What sampling under a token mask gives, by following every choice."""
    found: dict[bytes, float] = {}
    pending = [((), bw.GrammarMatcher(compiled), 1.0)]
    mask = bw.allocate_token_bitmask(1, 7, backend="numpy")
    while pending:
        tokens, matcher, reached = pending.pop()
        matcher.fill_next_token_bitmask(mask)
        allowed = [t for t in range(7) if int(mask[0, 0]) >> t & 1]
        row = model._language_model([tokens])[0]
        weights = np.exp(row[allowed])
        for token, share in zip(allowed, weights / weights.sum(), strict=True):
            if token == 6:
                text = b"".join(TOKENS[t] for t in tokens)
                found[text] = found.get(text, 0.0) + reached * share
            else:
                fork = matcher.fork()
                fork.accept_token(token)
                pending.append(((*tokens, token), fork, reached * share))
    return found


def byte_mask(model: ByteModel, grammar: str) -> dict[bytes, float]:
    found = {}
    for text in LANGUAGE:
        state, constraint, reached = model.start(), ByteConstraint(grammar), 0.0
        for outcome in [*text, END]:
            allowed = np.where(constraint.allowed(), state.log_probs, -np.inf)
            reached += allowed[outcome] - np.logaddexp.reduce(allowed)
            constraint.push(outcome)
            if outcome != END:
                state.push(outcome)
        found[text] = math.exp(reached)
    return found


def grammar(runs: int) -> None:
    text = "root ::= " + " | ".join(f'"{t.decode()}"' for t in LANGUAGE)
    model = toy(7)
    masses = {t: math.exp(model.log_prob(t, end=True)) for t in LANGUAGE}
    evidence = sum(masses.values())
    truth = {t: m / evidence for t, m in masses.items()}

    def distance(shares: dict[bytes, float]) -> float:
        return sum(abs(shares.get(t, 0.0) - truth[t]) for t in LANGUAGE) / 2

    compiled = bw.GrammarCompiler(model.rules.tokenizer_info).compile_grammar(text)
    print(
        f"2. {len(LANGUAGE)} sentences, P(grammar) = {evidence:.4f}: total variation from P(text | grammar)\n"
    )
    print(f"  {'token mask':<34}{distance(token_mask(model, compiled)):>8.4f}  (enumerated)")
    print(f"  {'byte mask':<34}{distance(byte_mask(model, text)):>8.4f}  (enumerated)")
    for name, threshold in (("weights", 0.0), ("sequential Monte Carlo", 0.5)):
        for particles in (1, 4, 16, 64):
            rng = np.random.default_rng(particles)
            shares = dict.fromkeys(LANGUAGE, 0.0)
            estimates = []
            for _ in range(runs):
                found = sample_smc(
                    model,
                    model.start(),
                    ByteConstraint(text),
                    particles=particles,
                    max_bytes=8,
                    rng=rng,
                    threshold=threshold,
                )
                estimates.append(math.exp(found.log_evidence))
                for t, share in found.probabilities.items():
                    shares[t] += share / runs
            label = f"{name}, {particles} particles"
            ratio = np.mean(estimates) / evidence
            print(
                f"  {label:<34}{distance(shares):>8.4f}  ({runs} runs; evidence / truth {ratio:.3f})",
                flush=True,
            )
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    arguments = parser.parse_args()
    bias()
    grammar(arguments.runs)


if __name__ == "__main__":
    main()
