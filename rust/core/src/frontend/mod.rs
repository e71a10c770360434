//! Front ends: grammar languages that lower to the one IR in [`crate::grammar`].
//!
//! - [`ebnf`]: GBNF as llama.cpp reads it and XGrammar's EBNF, in one parser.
//! - [`lark`]: the grammar files of Lark 1.3, and what llguidance adds to them.
//! - [`structural_tag`]: free text with tagged parts (tool calls, reasoning), as XGrammar describes them in JSON.
//! - [`regex`]: regular expressions, matched against the whole text.
//! - [`crate::Grammar::builtin_json`]: RFC 8259, read from `grammars/json.ebnf`.
//! - [`crate::Grammar::builtin`]: the other ready grammars, by name.
//!
//! Every front end bounds its input (length, nesting) and reports what it cannot express by name and place; none of them
//! drops anything silently.

mod cursor;
pub mod ebnf;
mod json_grammar;
pub mod lark;
mod ready;
pub mod regex;
mod right_linear;
pub mod structural_tag;
