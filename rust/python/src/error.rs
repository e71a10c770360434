//! The engine's errors as Python exceptions.
//!
//! The classes live in Python (`bytewright.errors`), where they are documented and typed; each variant of
//! [`bytewright::Error`] names one of them and fills in its attributes. A detail that goes wrong while an exception is
//! being made (a broken installation, no memory) is raised in its place: there is always some exception.

use bytewright::{Error, Location};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A result of the engine as a `PyResult`.
pub(crate) trait Raise<T> {
    /// Turns the error into its Python class.
    fn raise(self) -> PyResult<T>;
}

impl<T> Raise<T> for bytewright::Result<T> {
    fn raise(self) -> PyResult<T> {
        self.map_err(to_py_err)
    }
}

/// The exception for an error of the engine.
pub(crate) fn to_py_err(error: Error) -> PyErr {
    Python::attach(|py| exception(py, &error).unwrap_or_else(|failure| failure))
}

/// Shorthand for the error that most checks of arguments end in.
pub(crate) fn invalid_argument(message: impl Into<String>) -> PyErr {
    to_py_err(Error::InvalidArgument(message.into()))
}

/// Shorthand for what is wrong with a bitmask.
pub(crate) fn invalid_bitmask(message: impl Into<String>) -> PyErr {
    to_py_err(Error::InvalidBitmask(message.into()))
}

/// A class of `bytewright.errors` by name.
pub(crate) fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import(intern!(py, "bytewright.errors"))?.getattr(name)
}

fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    if let Error::File { kind, .. } = error {
        // `FileNotFoundError` and so on: what Python's own functions raise for files.
        return Ok(std::io::Error::new(*kind, error.to_string()).into());
    }
    let located = PyDict::new(py);
    if let Some(location) = location(error) {
        located.set_item(intern!(py, "line"), location.line)?;
        located.set_item(intern!(py, "column"), location.column)?;
        located.set_item(intern!(py, "snippet"), &location.snippet)?;
    }
    let exception = class(py, class_name(error))?.call((error.to_string(),), Some(&located))?;
    match error {
        Error::UndefinedRule { name, .. } | Error::UnreachableRule { name, .. } => {
            exception.setattr(intern!(py, "rule"), name)?;
        }
        Error::Unsupported { feature, .. } => exception.setattr(intern!(py, "feature"), feature)?,
        Error::InvalidSchema { pointer, .. } | Error::InvalidStructuralTag { pointer, .. } => {
            exception.setattr(intern!(py, "pointer"), pointer)?
        }
        Error::UnsupportedSchema { keyword, pointer, .. } => {
            exception.setattr(intern!(py, "keyword"), keyword)?;
            exception.setattr(intern!(py, "pointer"), pointer)?;
        }
        Error::LimitExceeded { limit, .. } => exception.setattr(intern!(py, "limit"), limit)?,
        Error::TokenOutOfRange { id, vocab_size } => {
            exception.setattr(intern!(py, "token_id"), id)?;
            exception.setattr(intern!(py, "vocab_size"), vocab_size)?;
        }
        _ => {}
    }
    Ok(PyErr::from_value(exception))
}

fn location(error: &Error) -> Option<&Location> {
    match error {
        Error::Syntax { location, .. }
        | Error::UndefinedRule { location, .. }
        | Error::UnreachableRule { location, .. }
        | Error::Unsupported { location, .. } => Some(location),
        _ => None,
    }
}

fn class_name(error: &Error) -> &'static str {
    match error {
        Error::Syntax { .. } => "GrammarSyntaxError",
        Error::UndefinedRule { .. } => "UndefinedRuleError",
        Error::UnreachableRule { .. } => "UnreachableRuleError",
        Error::Unsupported { .. } => "UnsupportedFeatureError",
        Error::InvalidSchema { .. } => "InvalidSchemaError",
        Error::UnsupportedSchema { .. } => "UnsupportedSchemaError",
        Error::InvalidStructuralTag { .. } => "InvalidStructuralTagError",
        Error::EmptyLanguage { .. } => "EmptyLanguageError",
        Error::LimitExceeded { .. } => "LimitExceededError",
        Error::Cancelled => "CompileCancelledError",
        Error::InvalidTokenizer(_) => "InvalidTokenizerError",
        Error::UnsupportedTokenizer(_) => "UnsupportedTokenizerError",
        Error::InvalidLogits(_) => "InvalidLogitsError",
        Error::ImpossibleText(_) => "ImpossibleTextError",
        Error::TokenOutOfRange { .. } => "TokenOutOfRangeError",
        Error::InvalidBitmask(_) => "InvalidBitmaskError",
        Error::Terminated { .. } => "MatcherTerminatedError",
        Error::Rollback { .. } => "RollbackError",
        Error::Deserialize { .. } => "DeserializeError",
        Error::InvalidArgument(_) => "InvalidArgumentError",
        // `Error` is non-exhaustive; a variant without a class of its own still is ours.
        _ => "BytewrightError",
    }
}
