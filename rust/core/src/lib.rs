//! # bytewright: exact constrained decoding
//!
//! At every step of a generation loop this crate computes *exactly* which tokens of a vocabulary keep the output inside a
//! context-free grammar.
//!
//! Data flows one way through six rooms:
//!
//! ```text
//! text --frontend--> grammar --automaton--> states --stack--> configurations --mask--> bitmask --matcher--> you
//!                                                                 vocab (byte trie) --^
//! ```

// Module pages explain the inside of the engine too; with `--document-private-items` their links resolve.
#![allow(rustdoc::private_intra_doc_links)]

mod automaton;
pub mod bytes;
mod cache;
pub mod compile;
pub mod error;
pub mod frontend;
pub mod grammar;
pub mod json_schema;
pub mod mask;
pub mod matcher;
mod memory;
pub mod regular;
mod rehearsal;
mod stack;
pub mod vocab;

pub use automaton::{Budget, CancelToken};
pub use compile::{CompiledGrammar, Compiler, CompilerOptions};
pub use error::{Error, Location, Result};
pub use grammar::Grammar;
pub use matcher::{Matcher, MatcherOptions, Rejection};
pub use vocab::{Vocabulary, VocabularyOptions};

#[cfg(test)]
mod tests;
