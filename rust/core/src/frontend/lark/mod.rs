//! Lark: the grammar language of the Python parser Lark (version 1.3), and what llguidance adds to it.
//!
//! # The language of a grammar
//!
//! A text is in the language if *some* cut into terminals, with ignored terminals before any of them and at the end, derives
//! from the start rule. Nothing is matched greedily: `/a*/ "ab"` has `aab`. This is what Lark calls an Earley parser with the
//! lexer `dynamic_complete`; its other lexers take less. Priorities, aliases, `?` and `!` shape trees, not the language.
//!
//! # How it is read
//!
//! ```text
//! text --parser--> syntax trees --load--> definitions --lower--> rules over terminals --> the IR
//!                                 (imports)            (templates)      ^
//!                                           terminals: pattern --> Re --+-- plain: straight to the IR
//!                                                                       +-- program --> contexts: automata
//! ```
//!
//! Lookaround at the end of a terminal looks at the text beyond it, as in Python: see [`contexts`].
//! `docs/lark.md` lists what differs from Lark and what is refused.
//!
//! Sources: Lark's "Grammar Reference" and its `lark.lark`; Python's `re`; llguidance's `docs/syntax.md`.

mod ast;
mod classes;
mod common;
mod contexts;
mod cursor;
mod directives;
mod expand;
mod follow;
mod literal;
mod load;
mod looks;
mod lower;
mod parser;
mod pattern;
mod program;
mod suffixes;
mod terminals;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::grammar::Grammar;

/// Gives the text of a grammar by its path, e.g. `common.lark` or `sub/names.lark`; `None` if there is none.
pub type Loader<'a> = &'a dyn Fn(&str) -> Result<Option<String>>;

/// Options of [`parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LarkOptions {
    /// The rule that a whole sentence matches; `start` by default.
    pub start: String,
    /// How deep groups may nest; 100 by default.
    pub nesting_depth: usize,
    /// How long the text may be, imports included, in bytes; 16 MiB by default.
    pub text_bytes: usize,
    /// How many expressions the grammar may have; 4 million by default.
    pub expressions: usize,
    /// How many states the automata of terminals with lookaround may have together; 100,000 by default.
    pub terminal_states: usize,
    /// How many rules templates may be expanded to; 10,000 by default.
    pub template_uses: usize,
}

impl Default for LarkOptions {
    fn default() -> Self {
        Self {
            start: "start".into(),
            nesting_depth: 100,
            text_bytes: 16 << 20,
            expressions: 4_000_000,
            terminal_states: 100_000,
            template_uses: 10_000,
        }
    }
}

/// Reads a grammar. Nothing is read from files: `loader` gives the texts of imports, before the built-in `common` and `unicode`.
///
/// ```
/// use bytewright::frontend::lark::{LarkOptions, parse};
/// let text = r#"
///     start: NUMBER ("," NUMBER)*
///     %import common.NUMBER
///     %ignore " "
/// "#;
/// let grammar = parse(text, &LarkOptions::default(), &|_| Ok(None))?;
/// assert!(bytewright::grammar::reference::matches(&grammar, b"1, 2.5 ,3"));
/// # Ok::<(), bytewright::Error>(())
/// ```
///
/// # Errors
/// [`Error::Syntax`], [`Error::Unsupported`] and [`Error::UndefinedRule`] with their place; [`Error::LimitExceeded`] for the
/// options' limits; what `loader` raises.
pub fn parse(text: &str, options: &LarkOptions, loader: Loader<'_>) -> Result<Grammar> {
    if text.len() > options.text_bytes.min(u32::MAX as usize) {
        let message = format!("the text has {} bytes", text.len());
        return Err(Error::LimitExceeded { limit: "text_bytes", message });
    }
    let program = load::load(text, options, loader)?;
    lower::lower(&program, options)
}
