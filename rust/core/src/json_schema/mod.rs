//! JSON Schema, from its parts up.
//!
//! What a schema says of one type is a set that is closed under intersection and complement, so that `allOf`, `not` and
//! `oneOf` can be worked out type by type: numbers are [`number::Numbers`], strings are terms of [`crate::regular`].

pub mod byte_dfa;
pub mod decimal;
pub mod number;
mod spelling;
