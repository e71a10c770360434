//! `bytewright._core`: the engine, for Python.
//!
//! Nothing is decided here: each class holds one object of the `bytewright` crate, checks and converts what Python
//! passes, and turns errors into the classes of `bytewright.errors`. The interpreter lock is released for whatever can
//! take more than a few microseconds. The module's types are in `_core.pyi`, which a test compares with what is here.

mod array;
mod bitmask;
mod error;

use pyo3::prelude::*;

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::bitmask::apply_bitmask;
}
