//! EBNF: one parser for GBNF (llama.cpp) and XGrammar's dialect.
//!
//! # The language
//!
//! ```text
//! # a comment runs to the end of the line
//! root  ::= item ("," item)*          a rule begins on a line of its own
//! item  ::= "text" | [a-z_]+ |        `|` and any other line break continue it
//!           [^\n"] | .                classes are of Unicode code points; `.` is any code point
//! x     ::= a* b+ c? d{3} e{2,} f{2,5} g{,5}
//! empty ::= "" | ()
//! tok   ::= <think> <[7]> <[1-3, 9, "[INST]"]> !</think>     special tokens: by text or by id; `!` is any other token
//! raw   ::= %"\xff\xfe" %[\x80-\xff]  bytes rather than characters (bytewright's own)
//! re    ::= Regex("[0-9]{5}")         XGrammar's macros Regex, Token and ExcludeToken
//! ```
//!
//! Escapes in strings: `\xHH`, `\uHHHH`, `\UHHHHHHHH` (all *code points*, as in both dialects: `\xe9` is `é`, two bytes of
//! UTF-8), `\n \r \t \a \b \e \f \v \0 \\ \" \' \? \/ \[ \] \-`; in classes also `\^ \$ \. \* \+ \( \) \{ \} \|`.
//! Names are of letters, digits, `-` and `_`.
//!
//! # Where the two dialects differ
//!
//! - A dotted name (`a.b`, XGrammar) is one name if a rule of that name is defined; else the dot is GBNF's any-character.
//! - `\x` takes exactly two digits (GBNF). XGrammar takes as many as there are; where a third hexadecimal digit follows, the
//!   grammar gets an annotation of kind `ambiguous-escape`.
//! - Line breaks inside a rule are free (XGrammar); a rule ends where the next one begins.
//! - `[]` matches nothing for XGrammar and the empty string for llama.cpp: it is refused. `[^]` is any code point.
//! - A name such as `Token` followed by `(` is a macro unless a rule of that name is defined.
//! - Repeat counts are taken exactly, up to 2^32 - 1. (llama.cpp reads `{0,3000}` as `*`.)
//! - What the engine does not do (`TagDispatch`, `TokenTagDispatch`, `Substring`, lookahead `(= ...)`, rule options such as
//!   `name[max_tokens=5] ::=`) raises [`Error::Unsupported`].
//!
//! Sources: llama.cpp `grammars/README.md` and its grammar parser; XGrammar's "EBNF Grammar" reference.

mod cursor;
mod macros;
mod parser;
mod terminals;
#[cfg(test)]
mod tests;

use crate::error::{Error, Location, Result};
use crate::grammar::Grammar;

/// What to do about rules that the root cannot reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unreachable {
    /// Note them as annotations of kind `unreachable-rule`.
    #[default]
    Warn,
    /// Raise [`Error::UnreachableRule`] for the first.
    Error,
    /// Say nothing.
    Ignore,
}

/// Options of [`parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EbnfOptions {
    /// The rule that a whole sentence matches; `root` by default.
    pub root_rule_name: String,
    /// What to do about rules that the root cannot reach.
    pub unreachable: Unreachable,
    /// How deep groups and repeats may nest; 500 by default.
    pub nesting_depth: usize,
    /// How long the text may be, in bytes; 16 MiB by default, and 4 GiB at the very most.
    pub text_bytes: usize,
    /// How many expressions the grammar may have; 4 million by default (some 100 bytes each). A class of characters beyond
    /// ASCII counts as several.
    pub expressions: usize,
}

impl Default for EbnfOptions {
    fn default() -> Self {
        Self {
            root_rule_name: "root".into(),
            unreachable: Unreachable::Warn,
            nesting_depth: 500,
            text_bytes: 16 << 20,
            expressions: 4_000_000,
        }
    }
}

/// Reads a grammar.
///
/// ```
/// use bytewright::frontend::ebnf::{EbnfOptions, parse};
/// let grammar = parse(r#"root ::= "a" root | "b""#, &EbnfOptions::default())?;
/// assert_eq!(grammar.to_string().trim_end(), r#"root ::= "a" root | "b""#);
/// # Ok::<(), bytewright::Error>(())
/// ```
///
/// # Errors
/// [`Error::Syntax`], [`Error::Unsupported`], [`Error::UndefinedRule`] and (as an option) [`Error::UnreachableRule`], all with
/// their place in `text`; [`Error::LimitExceeded`] for `text_bytes`, `nesting_depth` and `expressions`.
pub fn parse(text: &str, options: &EbnfOptions) -> Result<Grammar> {
    if text.len() > options.text_bytes.min(u32::MAX as usize) {
        return Err(Error::LimitExceeded {
            limit: "text_bytes",
            message: format!("the grammar has {} bytes of text", text.len()),
        });
    }
    let mut grammar = parser::Parser::new(text, options).parse()?;
    match options.unreachable {
        Unreachable::Warn => {}
        Unreachable::Error => {
            if let Some(&rule) = grammar.unreachable_rules().first() {
                let rule = grammar.rule(rule);
                let at = rule.span.map_or(0, |span| span.start as usize);
                let location = Location::new(text, at);
                return Err(Error::UnreachableRule { name: rule.name.clone(), location });
            }
        }
        Unreachable::Ignore => grammar.annotations.retain(|note| note.kind != "unreachable-rule"),
    }
    Ok(grammar)
}
