//! A place in a `.lark` text, and the lexical rules: blanks, comments, names, strings, regular expressions.

use super::ast::At;
use crate::error::{Error, Location, Result};

/// A position in the text; always on a character boundary.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) file: u32,
    pub(super) pos: usize,
}

/// A string or pattern without its quotes, and the flags after it.
pub(super) struct Quoted<'a> {
    pub(super) body: &'a str,
    pub(super) flags: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.pos..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    pub(super) fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        self.pos += if found { expected.len() } else { 0 };
        found
    }

    pub(super) fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.pos += end;
        &rest[..end]
    }

    /// Skips blanks, comments and a backslash before a line break, but stays on the line.
    pub(super) fn skip_blanks(&mut self) {
        loop {
            self.take_while(|c| matches!(c, ' ' | '\t' | '\u{feff}'));
            let rest = self.rest();
            if rest.starts_with("//") || rest.starts_with('#') {
                self.take_while(|c| c != '\n');
                return;
            }
            let Some(after) = rest.strip_prefix('\\') else { return };
            let after = after.trim_start_matches([' ', '\r']);
            if !after.starts_with('\n') {
                return;
            }
            self.pos = self.text.len() - after.len() + 1;
        }
    }

    /// Skips blanks, comments and line breaks.
    pub(super) fn skip_lines(&mut self) {
        loop {
            self.skip_blanks();
            if self.take_while(|c| matches!(c, '\n' | '\r' | '\u{c}' | '\u{b}')).is_empty() {
                return;
            }
        }
    }

    /// Whether the line ends here.
    pub(super) fn at_line_end(&self) -> bool {
        matches!(self.peek(), None | Some('\n' | '\r'))
    }

    /// A rule's or terminal's name: all its letters small, or all capital.
    pub(super) fn name(&mut self, what: &str) -> Result<String> {
        let start = self.pos;
        let mut name = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_').to_owned();
        // Dashes inside names are llguidance's; Lark has none.
        while self.peek() == Some('-')
            && self.rest()[1..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        {
            self.next();
            name.push('-');
            name.push_str(self.take_while(|c| c.is_ascii_alphanumeric() || c == '_'));
        }
        let first = name.trim_start_matches('_').chars().next();
        let Some(first) = first.filter(char::is_ascii_alphabetic) else {
            self.pos = start;
            return Err(self.expected(&format!("expected {what}")));
        };
        let other_case = |c: char| {
            if first.is_ascii_uppercase() { c.is_ascii_lowercase() } else { c.is_ascii_uppercase() }
        };
        if name.contains(other_case) {
            return Err(self.error_at(
                start,
                format!("the name `{name}` mixes small letters and capitals"),
                "write rules in small letters, terminals in capitals",
            ));
        }
        Ok(name)
    }

    /// `"..."` with its flag.
    pub(super) fn string(&mut self) -> Result<Quoted<'a>> {
        let start = self.pos;
        self.next();
        let body = self.pos;
        loop {
            match self.next() {
                Some('"') => break,
                Some('\\') if matches!(self.peek(), Some('"' | '\\')) => {
                    self.next();
                }
                None | Some('\n') => {
                    let hint = "add the closing `\"`; a quote inside is written `\\\"`";
                    return Err(self.error_at(start, "this string is never closed", hint));
                }
                Some(_) => {}
            }
        }
        let body = &self.text[body..self.pos - 1];
        let flags = self.pos;
        self.eat("i");
        Ok(Quoted { body, flags: &self.text[flags..self.pos] })
    }

    /// `/.../` with its flags.
    pub(super) fn regexp(&mut self) -> Result<Quoted<'a>> {
        let start = self.pos;
        self.next();
        let body = self.pos;
        loop {
            match self.next() {
                Some('/') => break,
                Some('\\') if matches!(self.peek(), Some('/' | '\\')) => {
                    self.next();
                }
                None => {
                    let hint = "add the closing `/`; a slash inside is written `\\/`";
                    return Err(self.error_at(start, "this regular expression is never closed", hint));
                }
                Some(_) => {}
            }
        }
        let body = &self.text[body..self.pos - 1];
        let flags = self.take_while(|c| "imslux".contains(c));
        if body.contains('\n') && !flags.contains('x') {
            return Err(self.error_at(
                start,
                "this regular expression runs over a line break",
                "end it with `/`, write the line break as `\\n`, or add the flag `x`",
            ));
        }
        Ok(Quoted { body, flags })
    }

    /// A count of at most `u32::MAX`.
    pub(super) fn integer(&mut self, what: &str) -> Result<u32> {
        let start = self.pos;
        let digits = self.take_while(|c| c.is_ascii_digit());
        if digits.is_empty() {
            return Err(self.expected(&format!("expected {what}")));
        }
        digits.parse().map_err(|_| {
            self.error_at(start, format!("{what} is too large"), "at most 4294967295 is possible")
        })
    }

    /// The JSON value that begins here.
    pub(super) fn json(&mut self, what: &str) -> Result<&'a str> {
        self.skip_lines();
        let start = self.pos;
        let mut values = serde_json::Deserializer::from_str(self.rest()).into_iter::<serde::de::IgnoredAny>();
        match values.next() {
            Some(Ok(_)) => {
                let end = self.pos + values.byte_offset();
                self.pos = end;
                Ok(&self.text[start..end])
            }
            Some(Err(error)) => {
                let message = format!("the value after `{what}` is not JSON: {error}");
                Err(self.error_at(start, message, "line and column count from the value's beginning"))
            }
            None => Err(self.expected(&format!("expected a JSON value after `{what}`"))),
        }
    }

    pub(super) fn at(&self, start: usize) -> At {
        At { file: self.file, start: start as u32, end: self.pos as u32 }
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
