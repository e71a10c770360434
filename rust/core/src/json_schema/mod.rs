//! JSON Schema, from its parts up.
//!
//! What a schema says of one type is a set that is closed under intersection and complement, so that `allOf`, `not` and
//! `oneOf` can be worked out type by type: numbers are [`number::Numbers`], strings are terms of [`crate::regular`].

mod ahead;
mod applicators;
pub mod byte_dfa;
mod content;
pub mod decimal;
mod dialect;
mod document;
mod engine;
mod exact;
mod example;
mod explain;
mod finish;
mod formats;
mod goal;
mod items;
mod keywords;
mod leaves;
mod machine;
pub mod number;
mod number_ends;
mod options;
mod pattern;
mod plan;
mod planning;
mod shape;
pub(crate) mod spell;
mod spelling;
mod uri;
mod witness;

pub use dialect::Draft;
pub(crate) use machine::{JsonMachine, SharedLanguages};
pub use options::{JsonSchema, JsonSchemaOptions, Whitespace};
