r"""What bytewright raises: one class per kind of failure, all below :class:`BytewrightError`.

Each class also derives from the built-in exception it is a case of (`ValueError`, `IndexError`,
`RuntimeError`), so code that catches those keeps working. The details that a program may want are
attributes; nobody has to parse a message.

>>> from bytewright import Grammar
>>> from bytewright.errors import GrammarError
>>> try:
...     Grammar.from_ebnf('root ::= greeting\n')
... except GrammarError as error:
...     print(type(error).__name__, error.line, error.column)
UndefinedRuleError 1 10
"""

from __future__ import annotations

__all__ = [
    "BytewrightError",
    "CompileCancelledError",
    "DeserializeError",
    "EmptyLanguageError",
    "GrammarError",
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
    "RollbackError",
    "TokenOutOfRangeError",
    "UndefinedRuleError",
    "UnreachableRuleError",
    "UnreachableRuleWarning",
    "UnsupportedFeatureError",
    "UnsupportedSchemaError",
    "UnsupportedTokenizerError",
    "UnsupportedTypeError",
]


class BytewrightError(Exception):
    """Anything that bytewright raises on purpose."""


class GrammarError(BytewrightError, ValueError):
    """A grammar that cannot be used.

    Attributes:
        line: line of the grammar text, from 1; None when the grammar has no text.
        column: column in Unicode code points, from 1.
        snippet: the offending text, at most one line.
    """

    line: int | None
    column: int | None
    snippet: str | None

    def __init__(
        self,
        message: str = "",
        *,
        line: int | None = None,
        column: int | None = None,
        snippet: str | None = None,
    ) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.snippet = snippet


class GrammarSyntaxError(GrammarError):
    """The text is not in the grammar language it was read as."""


class UndefinedRuleError(GrammarError):
    """A rule is used but never defined. `rule` is its name."""

    rule: str = ""


class UnreachableRuleError(GrammarError):
    """A rule is never used from the root, and the caller wants that to be an error. `rule` is its name."""

    rule: str = ""


class UnsupportedFeatureError(GrammarError):
    """The text asks for what the engine, or a context-free language, cannot express. `feature` names it."""

    feature: str = ""


class InvalidSchemaError(GrammarError):
    """A JSON Schema is none by its draft. `pointer` is the JSON pointer to the place."""

    pointer: str = ""


class UnsupportedSchemaError(GrammarError):
    """A JSON Schema keyword is used as it is not supported. `keyword` and `pointer` say which and where."""

    keyword: str = ""
    pointer: str = ""


class UnsupportedTypeError(BytewrightError, TypeError):
    """A Python type or signature that JSON cannot say.

    Attributes:
        parameter: the parameter or field that it stands at; empty for the type itself.
        path: the whole way to it, e.g. ``filters[].kind``.
        annotation: the annotation, as text.
    """

    parameter: str = ""
    path: str = ""
    annotation: str = ""


class InvalidStructuralTagError(GrammarError):
    """A structural tag is none, or asks for what is not supported. `pointer` is the JSON pointer to it."""

    pointer: str = ""


class EmptyLanguageError(GrammarError):
    """The grammar derives no string at all."""


class LimitExceededError(BytewrightError):
    """A limit was passed. `limit` is the name of the option that sets it."""

    limit: str = ""


class CompileCancelledError(BytewrightError):
    """The compilation was cancelled by :meth:`bytewright.GrammarCompiler.cancel`."""


class InvalidTokenizerError(BytewrightError, ValueError):
    """A tokenizer whose description contradicts itself, or of a kind that cannot be read."""


class UnsupportedTokenizerError(InvalidTokenizerError):
    """A tokenizer whose canonical sequences cannot be told exactly."""


class InvalidLogitsError(BytewrightError, ValueError):
    """Logits of the wrong shape or dtype, or that are no probabilities (NaN, plus infinity)."""


class ImpossibleTextError(BytewrightError, ValueError):
    """A text that no token sequence of the law spells, or that the model gives no probability."""


class TokenOutOfRangeError(BytewrightError, IndexError):
    """A token id outside the vocabulary: not `0 <= token_id < vocab_size`."""

    token_id: int = -1
    vocab_size: int = 0


class InvalidBitmaskError(BytewrightError, ValueError):
    """A bitmask of the wrong type, dtype, shape, layout or device."""


class MatcherTerminatedError(BytewrightError, RuntimeError):
    """The matcher has accepted a stop token and takes nothing more until `reset()` or `rollback()`."""


class RollbackError(BytewrightError, ValueError):
    """A rollback past the start of the history."""


class DeserializeError(BytewrightError, ValueError):
    """A serialised object that cannot be loaded: damaged, of another version, or for another tokenizer."""


class InvalidArgumentError(BytewrightError, ValueError):
    """An argument that makes no sense, where no more special error fits."""


class UnreachableRuleWarning(UserWarning):
    """A rule of a grammar is never used from its root: usually a misspelt name."""
