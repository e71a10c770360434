//! Integers as Python gives them, where only some make sense.

use crate::error::invalid_argument;
use pyo3::prelude::*;

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
