"""From the probabilities of tokens to those of bytes, exactly.

A tokenized model gives wrong answers to "what comes next?" wherever a text ends inside a token: after
``"Fran"`` the tokens that follow are those that follow a text *tokenized* so. `ByteModel` sums over all token
sequences that cover the text and answers for the text itself, for one of three laws, never mixed:

=================  ==========================================  ==========================================
mode               what it is                                  exact when
=================  ==========================================  ==========================================
``"canonical"``    what the tokenizer can produce,             always, for this law; equal to the model's
                   renormalised at each byte                   if that gives nothing to other sequences
``"all"``          every token sequence                        always, at exponential cost; with a beam
                                                               the mass left out is reported
``"fast"``         canonical, but for the last token           never; a little cheaper
=================  ==========================================  ==========================================

>>> import numpy as np
>>> from bytewright import TokenizerInfo, TokenizerRules
>>> from bytewright.byte_level import ByteConstraint, ByteModel, sample
>>> info = TokenizerInfo([b"a", b"b", b"ab", b"</s>"], stop_token_ids=3)
>>> model = ByteModel(lambda seqs: np.zeros((len(seqs), 4)), TokenizerRules(info, merges=[(0, 1, 2)]))
>>> round(float(np.exp(model.log_prob(b"ab", end=True))), 4)
0.0714
>>> rng = np.random.default_rng(0)
>>> sample(model.start(), max_bytes=9, rng=rng, constraint=ByteConstraint('root ::= "ab" | "b"')).text
b'ab'

`docs/byte-level.md` derives all of it and measures it.
"""

from __future__ import annotations

from .ensemble import ByteEnsemble, EnsembleState
from .language_models import LanguageModel, LlamaCppModel, TransformersModel
from .model import END, ByteModel, ByteState, Cover, NextByte
from .rules import (
    PATTERNS,
    rules_for_all,
    rules_from_gguf,
    rules_from_huggingface,
    rules_from_sentencepiece,
    rules_from_tekken,
    rules_from_tiktoken,
)
from .sampling import ByteConstraint, Particles, Sample, sample, sample_outcome, sample_smc

__all__ = [
    "END",
    "PATTERNS",
    "ByteConstraint",
    "ByteEnsemble",
    "ByteModel",
    "ByteState",
    "Cover",
    "EnsembleState",
    "LanguageModel",
    "LlamaCppModel",
    "NextByte",
    "Particles",
    "Sample",
    "TransformersModel",
    "rules_for_all",
    "rules_from_gguf",
    "rules_from_huggingface",
    "rules_from_sentencepiece",
    "rules_from_tekken",
    "rules_from_tiktoken",
    "sample",
    "sample_outcome",
    "sample_smc",
]
