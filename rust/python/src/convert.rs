//! Arguments as Python gives them, where only some make sense.

use crate::error::{Raise, invalid_argument};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// Text: a `str`, or `bytes` that hold UTF-8. Anything else that Python lets through (lone surrogates, other bytes) is a
/// syntax error at its line and column.
pub(crate) struct Text(pub(crate) String);

impl<'py> FromPyObject<'_, 'py> for Text {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self(bytewright::error::utf8_text(bytes.as_bytes()).raise()?.to_owned()));
        }
        let text = object.cast::<PyString>()?;
        if let Ok(text) = text.to_cow() {
            return Ok(Self(text.into_owned()));
        }
        let bytes = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
        Ok(Self(bytewright::error::utf8_text(bytes.cast::<PyBytes>()?.as_bytes()).raise()?.to_owned()))
    }
}

/// An integer of at least 0; for `#[pyo3(from_py_with = count)]`.
pub(crate) fn count(object: &Bound<'_, PyAny>) -> PyResult<usize> {
    let negative =
        || Ok(invalid_argument(format!("an integer of at least 0 is needed, got {}", object.repr()?)));
    match object.lt(0) {
        Ok(true) => Err(negative().unwrap_or_else(|error: PyErr| error)),
        _ => object.extract(),
    }
}

/// The same, or None.
pub(crate) fn optional_count(object: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
    if object.is_none() { Ok(None) } else { count(object).map(Some) }
}

/// A sequence of integers of at least 0.
pub(crate) fn counts(object: &Bound<'_, PyAny>) -> PyResult<Vec<usize>> {
    object.extract::<Vec<Bound<'_, PyAny>>>()?.iter().map(count).collect()
}

/// The same, or None.
pub(crate) fn optional_counts(object: &Bound<'_, PyAny>) -> PyResult<Option<Vec<usize>>> {
    if object.is_none() { Ok(None) } else { counts(object).map(Some) }
}
