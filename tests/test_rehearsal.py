"""Masks made while a schema is compiled (`GrammarCompiler(rehearsal_limit=)`)."""

from __future__ import annotations

import numpy as np
import pytest

import bytewright as bw

BYTES = bw.TokenizerInfo([bytes([byte]) for byte in range(256)])


def test_rehearsed_grammars_have_the_same_masks() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"enum": ["a", "b", "ab"]}}}
    lazy, rehearsed = (
        bw.GrammarMatcher(bw.GrammarCompiler(BYTES, rehearsal_limit=limit).compile_json_schema(schema))
        for limit in (0, 60)
    )
    masks = [bw.allocate_token_bitmask(1, BYTES.vocab_size) for _ in range(2)]
    for byte in b'{"b": "ab", "x": 1}':
        for matcher, mask in zip((lazy, rehearsed), masks, strict=True):
            matcher.fill_next_token_bitmask(mask)
            assert matcher.accept_token(byte)
        assert np.array_equal(*masks)


@pytest.mark.parametrize("limit", [-1, float("nan"), float("inf")])
def test_rehearsal_limits_are_seconds(limit: float) -> None:
    with pytest.raises(bw.InvalidArgumentError, match="rehearsal_limit must be a number of seconds"):
        bw.GrammarCompiler(BYTES, rehearsal_limit=limit)
