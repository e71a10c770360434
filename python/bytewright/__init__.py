r"""Exact constrained decoding: at every step, exactly the tokens that keep the output inside a grammar.

>>> import bytewright as bw
>>> tokenizer = bw.TokenizerInfo([b"y", b"ye", b"yes", b"no", b"n", b"o", b"</s>"], stop_token_ids=6)
>>> compiled = bw.GrammarCompiler(tokenizer).compile_grammar('root ::= "yes" | "no"')
>>> matcher = bw.GrammarMatcher(compiled)
>>> bitmask = bw.allocate_token_bitmask(1, tokenizer.vocab_size, backend="numpy")
>>> matcher.fill_next_token_bitmask(bitmask)
True
>>> [token for token in range(7) if bitmask[0, 0] >> token & 1]
[0, 1, 2, 3, 4]
>>> matcher.accept_token(4), matcher.accept_token(0)
(True, False)
>>> print(matcher.explain_rejection(0))
byte 0 ('y') does not fit; expected 'o' in rule `root`...

The names are those of XGrammar, so that a generation loop written for it runs after changing the import.
Importing this package imports neither NumPy nor torch; both are used when the caller's arrays are theirs.
"""

from __future__ import annotations

from typing import Any

from ._core import (
    BatchGrammarMatcher,
    CompiledGrammar,
    CoverTree,
    Grammar,
    GrammarCompiler,
    GrammarMatcher,
    Rejection,
    TokenizerRules,
    __version__,
)
from .bitmask import (
    allocate_token_bitmask,
    apply_token_bitmask_inplace,
    get_bitmask_shape,
    reset_token_bitmask,
)
from .compose import choice, optional, repeat, seq
from .errors import (
    BytewrightError,
    CompileCancelledError,
    DeserializeError,
    EmptyLanguageError,
    GrammarError,
    GrammarSyntaxError,
    ImpossibleTextError,
    InvalidArgumentError,
    InvalidBitmaskError,
    InvalidLogitsError,
    InvalidSchemaError,
    InvalidStructuralTagError,
    InvalidTokenizerError,
    LimitExceededError,
    MatcherTerminatedError,
    RollbackError,
    TokenOutOfRangeError,
    UndefinedRuleError,
    UnreachableRuleError,
    UnreachableRuleWarning,
    UnsupportedFeatureError,
    UnsupportedSchemaError,
    UnsupportedTokenizerError,
    UnsupportedTypeError,
)
from .tokenizer_info import TokenizerInfo

__all__ = [
    "BatchGrammarMatcher",
    "BytewrightError",
    "CompileCancelledError",
    "CompiledGrammar",
    "CoverTree",
    "DeserializeError",
    "EmptyLanguageError",
    "Grammar",
    "GrammarCompiler",
    "GrammarError",
    "GrammarMatcher",
    "GrammarSyntaxError",
    "ImpossibleTextError",
    "InvalidArgumentError",
    "InvalidBitmaskError",
    "InvalidLogitsError",
    "InvalidSchemaError",
    "InvalidStructuralTagError",
    "InvalidTokenizerError",
    "LimitExceededError",
    "MatcherTerminatedError",
    "Rejection",
    "RollbackError",
    "TokenOutOfRangeError",
    "TokenizerInfo",
    "TokenizerRules",
    "UndefinedRuleError",
    "UnreachableRuleError",
    "UnreachableRuleWarning",
    "UnsupportedFeatureError",
    "UnsupportedSchemaError",
    "UnsupportedTokenizerError",
    "UnsupportedTypeError",
    "__version__",
    "allocate_token_bitmask",
    "apply_token_bitmask_inplace",
    "bitmask_dtype",
    "choice",
    "get_bitmask_shape",
    "optional",
    "repeat",
    "reset_token_bitmask",
    "seq",
]


def __getattr__(name: str) -> Any:
    if name == "bitmask_dtype":
        import numpy

        return numpy.dtype("int32")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
