//! Front ends: grammar languages that lower to the one IR in [`crate::grammar`].
//!
//! - [`ebnf`]: GBNF as llama.cpp reads it and XGrammar's EBNF, in one parser.
//! - [`lark`]: the grammar files of Lark 1.3, and what llguidance adds to them.
//! - [`regex`]: regular expressions, matched against the whole text.
//! - [`crate::Grammar::builtin_json`]: RFC 8259, read from `grammars/json.ebnf`.
//!
//! Every front end bounds its input (length, nesting) and reports what it cannot express by name and place; none of them
//! drops anything silently.

pub mod ebnf;
mod json_grammar;
pub mod lark;
pub mod regex;
