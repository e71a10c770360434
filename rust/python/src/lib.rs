//! `bytewright._core`: the engine, for Python.
//!
//! Nothing is decided here: each class holds one object of the `bytewright` crate, checks and converts what Python
//! passes, and turns errors into the classes of `bytewright.errors`. The interpreter lock is released for whatever can
//! take more than a few microseconds. The module's types are in `_core.pyi`, which a test compares with what is here.

mod array;
mod batch;
mod bitmask;
mod byte_level;
mod compiler;
mod convert;
mod draft;
mod error;
mod grammar;
mod interrupt;
mod json_schema;
mod matcher;
mod tokenizer;

use pyo3::prelude::*;

/// Masks and states come in many small pieces and a few large ones, made and dropped all the time: the C library's allocator gives the
/// large ones back to the system and gets them again, page by page (docs/performance.md, "The allocator").
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Memory that is freed goes back to the system after so many milliseconds: compilers and grammars that are made and dropped in turn
/// need not get theirs anew (docs/performance.md, "The allocator").
#[cfg(feature = "mimalloc")]
const PURGE_DELAY: std::ffi::c_long = 100;

/// Sets [`PURGE_DELAY`], unless the environment says another one.
#[cfg(feature = "mimalloc")]
fn set_purge_delay() {
    /// `mi_option_purge_delay` of mimalloc 2, for which the crate has no name.
    const OPTION: std::ffi::c_int = 15;
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: the option is a number of this mimalloc, which is the extension's own; it is set while the module is first imported,
        // before any other thread can call into the extension and read it.
        unsafe { libmimalloc_sys::mi_option_set(OPTION, PURGE_DELAY) };
    }
}

#[pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::batch::BatchGrammarMatcher;
    #[pymodule_export]
    use super::bitmask::apply_bitmask;
    #[pymodule_export]
    use super::byte_level::{CoverTree, TokenizerRules};
    #[pymodule_export]
    use super::compiler::{CompiledGrammar, GrammarCompiler};
    #[pymodule_export]
    use super::grammar::Grammar;
    #[pymodule_export]
    use super::matcher::{GrammarMatcher, Rejection};
    #[pymodule_export]
    use super::tokenizer::TokenizerInfo;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        #[cfg(feature = "mimalloc")]
        super::set_purge_delay();
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
