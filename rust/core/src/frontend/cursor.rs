//! A place in a grammar's text, for the front ends that read one character after the other.
//!
//! Each language adds its own lexical rules in a `cursor` module. Errors point at the place, and say what stands there.

use crate::error::{Error, Location, Result};

/// A position in the text; always on a character boundary.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) pos: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.pos..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The next character, taken.
    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    /// Takes `expected` if it comes next.
    pub(super) fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.pos += expected.len();
        }
        found
    }

    /// Takes the longest run of characters that fit.
    pub(super) fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.pos += end;
        &rest[..end]
    }

    /// A count of at most `u32::MAX`.
    pub(super) fn integer(&mut self, what: &str) -> Result<u32> {
        let start = self.pos;
        let digits = self.take_while(|c| c.is_ascii_digit());
        if digits.is_empty() {
            return Err(self.expected(&format!("expected {what}")));
        }
        digits.parse().map_err(|_| {
            self.error_at(
                start,
                format!("{what} {} is too large", shorten(digits)),
                "at most 4294967295 is possible",
            )
        })
    }

    pub(super) fn error_at(&self, offset: usize, message: impl Into<String>, hint: &str) -> Error {
        let location = Location::new(self.text, offset);
        Error::Syntax { message: message.into(), location, hint: hint.into() }
    }

    pub(super) fn unsupported_at(&self, offset: usize, feature: impl Into<String>, hint: &str) -> Error {
        let location = Location::new(self.text, offset);
        Error::Unsupported { feature: feature.into(), location, hint: hint.into() }
    }

    /// A syntax error here: what was expected, and what stands there instead.
    pub(super) fn expected(&self, message: &str) -> Error {
        self.expected_with(message, "")
    }

    pub(super) fn expected_with(&self, message: &str, hint: &str) -> Error {
        let found = match self.peek() {
            None => "the end of the text".to_owned(),
            Some('\n' | '\r') => "the end of the line".to_owned(),
            Some(c) => format!("`{}`", c.escape_debug()),
        };
        self.error_at(self.pos, format!("{message}, found {found}"), hint)
    }
}

/// At most 20 characters of a piece of text, for messages.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(20) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}
