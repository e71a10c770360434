//! The lexical rules of `.lark` texts: blanks, comments, names, strings, regular expressions.

use crate::error::Result;
use crate::frontend::cursor::Cursor;

/// A string or pattern without its quotes, and the flags after it.
pub(super) struct Quoted<'a> {
    pub(super) body: &'a str,
    pub(super) flags: &'a str,
}

impl<'a> Cursor<'a> {
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
}
