//! The few lexical rules that need no context.

use crate::error::Result;
use crate::frontend::cursor::Cursor;
use crate::grammar::Span;

/// Whether a character may stand in a rule name (dots aside, see the module's page).
pub(super) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

impl Cursor<'_> {
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
}
