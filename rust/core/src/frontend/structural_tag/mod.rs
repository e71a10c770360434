//! Structural tags: free text with parts in it that must follow a format, such as tool calls and reasoning.
//!
//! The input is XGrammar's JSON: `{"type": "structural_tag", "format": {...}}` with its tree of formats, the older
//! `{"type": "structural_tag", "structures": [...], "triggers": [...]}`, or a format alone.
//!
//! *Free text* ends at the first place where one of some strings (triggers, the end of the tag around it) is complete, wherever
//! that is within a token. It is one deterministic automaton whose states are those of Aho and Corasick's (1975): how much of
//! which string the text so far ends with. See [`free_text`].
//!
//! What follows a format inside a tag is passed down to it as [`lower::Tail`], so that free text at the end of a tag ends with the tag.
//!
//! Source: XGrammar's "Structural Tag" documentation, and its behaviour where that is silent.

mod format;
mod free_text;
mod lower;
mod parameters;
#[cfg(test)]
mod tests;

use crate::automaton::{Budget, CancelToken};
use crate::error::{Error, Result};
use crate::grammar::{Grammar, GrammarBuilder};

/// How long the text may be, bytes.
const TEXT_BYTES: usize = 16 << 20;
/// How many states the automata of free text may have together.
const STATES: usize = 200_000;

/// Reads a structural tag.
///
/// ```
/// let tag = r#"{"type": "structural_tag", "format": {
///     "type": "triggered_tags", "triggers": ["<f"],
///     "tags": [{"begin": "<f=add>", "content": {"type": "json_schema", "json_schema": {"type": "object"}}, "end": "</f>"}]
/// }}"#;
/// let grammar = bytewright::frontend::structural_tag::parse(tag)?;
/// assert_eq!(grammar.rule(grammar.root()).name, "root");
/// # Ok::<(), bytewright::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidStructuralTag`] with the JSON pointer; errors of the grammars and patterns in it; [`Error::LimitExceeded`].
pub fn parse(text: &str) -> Result<Grammar> {
    if text.len() > TEXT_BYTES {
        let message = format!("the structural tag has {} bytes", text.len());
        return Err(Error::LimitExceeded { limit: "text_bytes", message });
    }
    let format = format::read(text)?;
    let mut builder = GrammarBuilder::new("");
    let root = builder.declare("root");
    let budget = Budget::new(None, STATES, CancelToken::default());
    let body = lower::Lowering::new(&mut builder, budget).whole(&format)?;
    builder.define(root, body, None)?;
    let mut grammar = builder.build(root)?;
    // The rules are made here: which of them are used is no news to anybody.
    grammar.annotations.retain(|annotation| annotation.kind != "unreachable-rule");
    Ok(grammar)
}
