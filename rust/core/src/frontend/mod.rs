//! Front ends: grammar languages that lower to the one IR in [`crate::grammar`].
//!
//! - [`ebnf`]: GBNF as llama.cpp reads it and XGrammar's EBNF, in one parser.
//! - [`regex`]: regular expressions, matched against the whole text.
//! - [`crate::Grammar::builtin_json`]: RFC 8259, read from `grammars/json.ebnf`.
//! - [`crate::Grammar::builtin`]: the other ready grammars, by name.
//!
//! Every front end bounds its input (length, nesting) and reports what it cannot express by name and place; none of them
//! drops anything silently.

pub mod ebnf;
mod json_grammar;
mod ready;
pub mod regex;
