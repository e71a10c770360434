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

pub mod error;
pub mod frontend;
pub mod grammar;

pub use error::{Error, Location, Result};
pub use grammar::Grammar;
