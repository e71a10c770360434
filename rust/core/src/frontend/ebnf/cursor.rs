//! A place in the text, and the few lexical rules that need no context.

use crate::error::{Error, Location, Result};
use crate::grammar::Span;

/// A position in the text; always on a character boundary.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) pos: usize,
}

/// Whether a character may stand in a rule name (dots aside, see the module's page).
pub(super) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
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

    /// Skips blanks, line breaks and comments.
    pub(super) fn skip_space(&mut self) {
        loop {
            self.take_while(|c| matches!(c, ' ' | '\t' | '\r' | '\n'));
            if self.peek() != Some('#') {
                return;
            }
            self.take_while(|c| c != '\n' && c != '\r');
        }
    }

    /// Whether only blanks stand before the position on its line.
    pub(super) fn at_line_start(&self) -> bool {
        let before = self.text[..self.pos].trim_end_matches([' ', '\t', '\u{feff}']);
        before.is_empty() || before.ends_with(['\n', '\r'])
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

    /// Exactly `count` hexadecimal digits; `start` is where their escape begins.
    pub(super) fn hex(&mut self, count: usize, start: usize) -> Result<u32> {
        let rest = self.rest().as_bytes();
        let digits = rest.iter().take(count).take_while(|b| b.is_ascii_hexdigit()).count();
        if digits < count {
            return Err(self.error_at(
                start,
                format!("this escape needs {count} hexadecimal digits and has {digits}"),
                "write \\xHH, \\uHHHH or \\UHHHHHHHH",
            ));
        }
        let value = u32::from_str_radix(&self.rest()[..count], 16).unwrap_or(u32::MAX);
        self.pos += count;
        Ok(value)
    }

    pub(super) fn span_from(&self, start: usize) -> Span {
        Span { start: start as u32, end: self.pos as u32 }
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
        let found = match self.peek() {
            None => "the end of the text".to_owned(),
            Some('\n' | '\r') => "the end of the line".to_owned(),
            Some(c) => format!("`{}`", c.escape_debug()),
        };
        self.error_at(self.pos, format!("{message}, found {found}"), "")
    }
}

/// At most 20 characters of a piece of text, for messages.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(20) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}
