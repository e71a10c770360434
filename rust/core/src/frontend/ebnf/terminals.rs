//! Terminals: strings, character classes, their byte forms, and special tokens.

use super::parser::Parser;
use crate::error::Result;
use crate::frontend::cursor::shorten;
use crate::grammar::{ByteSet, ExprId, TokenSet, utf8};

/// What a string or class is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Code points.
    Char,
    /// Bytes.
    Byte,
}

/// Where an escape stands; a class has some more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    String,
    Class,
}

/// Inclusive ranges, of code points or bytes.
type Ranges = Vec<(u32, u32)>;

impl Parser<'_> {
    /// `"..."`
    pub(super) fn string(&mut self) -> Result<ExprId> {
        let start = self.at.pos;
        let value = self.string_value()?;
        let expr = self.builder.literal(value);
        self.builder.set_span(expr, self.at.span_from(start));
        Ok(expr)
    }

    /// `[...]`
    pub(super) fn class(&mut self) -> Result<ExprId> {
        let start = self.at.pos;
        let (ranges, negated) = self.ranges(Unit::Char)?;
        if ranges.is_empty() && !negated {
            return Err(self.at.error_at(
                start,
                "the class `[]` is ambiguous: some readers take it for nothing, some for the empty string",
                "write `%[]` to match nothing, `\"\"` for the empty string, `[^]` for any character",
            ));
        }
        let ranges = if negated { utf8::complement(&ranges) } else { merge(ranges) };
        Ok(self.chars(&ranges, start))
    }

    /// `%"..."` or `%[...]`: bytes rather than characters.
    pub(super) fn bytes(&mut self) -> Result<ExprId> {
        let start = self.at.pos;
        self.at.next();
        let expr = match self.at.peek() {
            Some('"') => {
                let mut value = Vec::new();
                self.quoted(Unit::Byte, |unit| value.push(unit as u8))?;
                self.builder.literal(value)
            }
            Some('[') => {
                let (ranges, negated) = self.ranges(Unit::Byte)?;
                let set = ranges
                    .iter()
                    .fold(ByteSet::EMPTY, |set, &(lo, hi)| set.union(&ByteSet::range(lo as u8, hi as u8)));
                self.builder.class(if negated { set.complement() } else { set })
            }
            _ => return Err(self.at.expected("expected a string or a class of bytes after `%`")),
        };
        self.builder.set_span(expr, self.at.span_from(start));
        Ok(expr)
    }

    /// One character of these ranges; the same expression for the same ranges.
    pub(super) fn chars(&mut self, ranges: &[(u32, u32)], start: usize) -> ExprId {
        if let Some(&expr) = self.classes.get(ranges) {
            return expr;
        }
        let expr = self.builder.chars(ranges);
        self.builder.set_span(expr, self.at.span_from(start));
        // A class of ASCII alone is one expression: it keeps the span of each of its uses.
        if ranges.last().is_some_and(|&(_, hi)| hi > 0x7F) {
            self.classes.insert(ranges.to_vec(), expr);
        }
        expr
    }

    /// The text of a quoted string.
    pub(super) fn string_value(&mut self) -> Result<String> {
        let mut value = String::new();
        self.quoted(Unit::Char, |unit| value.extend(char::from_u32(unit)))?;
        Ok(value)
    }

    fn quoted(&mut self, unit: Unit, mut push: impl FnMut(u32)) -> Result<()> {
        let start = self.at.pos;
        self.at.next();
        loop {
            match self.at.peek() {
                None => {
                    let hint = "add the closing `\"`; a quote inside is written `\\\"`";
                    return Err(self.at.error_at(start, "this string is never closed", hint));
                }
                Some('"') => {
                    self.at.next();
                    return Ok(());
                }
                Some(_) => {
                    let at = self.at.pos;
                    let value = self.unit(unit, Within::String)?;
                    if unit == Unit::Char && char::from_u32(value).is_none() {
                        return Err(self.at.error_at(
                            at,
                            format!("U+{value:04X} is a surrogate, which no text can have"),
                            "write the character itself, or one `\\UHHHHHHHH` instead of the pair",
                        ));
                    }
                    push(value);
                }
            }
        }
    }

    /// The ranges of a bracket, and whether it begins with `^`. A `-` is itself at the start and before `]`.
    fn ranges(&mut self, unit: Unit) -> Result<(Ranges, bool)> {
        let start = self.at.pos;
        self.at.next();
        let negated = self.at.eat("^");
        let mut ranges = Vec::new();
        loop {
            match self.at.peek() {
                None => {
                    let hint = "add the closing `]`; a bracket inside is written `\\]`";
                    return Err(self.at.error_at(start, "this class is never closed", hint));
                }
                Some(']') => {
                    self.at.next();
                    return Ok((ranges, negated));
                }
                Some(_) => {
                    let at = self.at.pos;
                    let lo = self.unit(unit, Within::Class)?;
                    let rest = self.at.rest().as_bytes();
                    let is_range = rest.first() == Some(&b'-') && !matches!(rest.get(1), None | Some(b']'));
                    let mut hi = lo;
                    if is_range {
                        self.at.next();
                        hi = self.unit(unit, Within::Class)?;
                    }
                    if lo > hi {
                        let text = &self.at.text[at..self.at.pos];
                        let message =
                            format!("the range `{}` is empty: its ends are exchanged", shorten(text));
                        return Err(self.at.error_at(at, message, "write the smaller end first"));
                    }
                    ranges.push((lo, hi));
                }
            }
        }
    }

    /// One character or byte, perhaps escaped.
    fn unit(&mut self, unit: Unit, within: Within) -> Result<u32> {
        let start = self.at.pos;
        let value = match self.at.next() {
            Some('\\') => self.escape(within, start)?,
            Some(c) if unit == Unit::Byte && !c.is_ascii() => {
                let hint = "write its bytes, each as `\\xHH`";
                return Err(self.at.error_at(start, format!("`{c}` is more than one byte"), hint));
            }
            Some(c) => u32::from(c),
            None => return Err(self.at.expected("expected a character")),
        };
        let limit = if unit == Unit::Byte { 0xFF } else { 0x0010_FFFF };
        if value > limit {
            let what = if unit == Unit::Byte { "byte" } else { "code point" };
            let message = format!("{value:#x} is no {what}");
            return Err(self.at.error_at(start, message, &format!("the largest is {limit:#x}")));
        }
        if unit == Unit::Char
            && self.at.text[start..].starts_with("\\x")
            && self.at.peek().is_some_and(|c| c.is_ascii_hexdigit())
        {
            self.ambiguous_escapes.push(start);
        }
        Ok(value)
    }

    /// What stands after a backslash.
    fn escape(&mut self, within: Within, start: usize) -> Result<u32> {
        let Some(c) = self.at.next() else {
            return Err(self.at.expected("expected an escape after `\\`"));
        };
        let value = match c {
            'x' => return self.at.hex(2, start),
            'u' => return self.at.hex(4, start),
            'U' => return self.at.hex(8, start),
            'n' => 0x0A,
            'r' => 0x0D,
            't' => 0x09,
            'a' => 0x07,
            'b' => 0x08,
            'e' => 0x1B,
            'f' => 0x0C,
            'v' => 0x0B,
            '0' => 0x00,
            '\\' | '"' | '\'' | '?' | '/' | '[' | ']' | '-' => u32::from(c),
            '^' | '$' | '.' | '*' | '+' | '(' | ')' | '{' | '}' | '|' if within == Within::Class => {
                u32::from(c)
            }
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => {
                return Err(self.at.error_at(
                    start,
                    format!("`\\{c}` is no escape of this language"),
                    &format!("write the ranges, as in `[0-9]`, or Regex(\"\\\\{c}\")"),
                ));
            }
            _ => {
                let message = format!("unknown escape `\\{}`", c.escape_debug());
                return Err(self.at.error_at(start, message, "a backslash itself is written `\\\\`"));
            }
        };
        Ok(value)
    }

    /// `<name>`, `<[1, 2-5, "name"]>`, and either with `!` before it.
    pub(super) fn token(&mut self) -> Result<ExprId> {
        let start = self.at.pos;
        let negated = self.at.eat("!");
        let open = self.at.pos;
        if !self.at.eat("<") {
            return Err(self.at.expected("expected a token such as `<[7]>` or `<name>` after `!`"));
        }
        let mut set = TokenSet { ids: Vec::new(), names: Vec::new(), negated };
        if self.at.eat("[") {
            self.token_list(&mut set)?;
        } else {
            self.at.take_while(|c| !matches!(c, '>' | '\n' | '\r'));
            if !self.at.eat(">") {
                let hint = "a token is written `<name>` or `<[id]>`";
                return Err(self.at.error_at(open, "this token is never closed", hint));
            }
            set.names.push(self.at.text[open..self.at.pos].to_owned());
        }
        let expr = self.builder.token(set);
        self.builder.set_span(expr, self.at.span_from(start));
        Ok(expr)
    }

    fn token_list(&mut self, set: &mut TokenSet) -> Result<()> {
        self.at.skip_space();
        while !self.at.eat("]") {
            if self.at.peek() == Some('"') {
                set.names.push(self.string_value()?);
            } else {
                let start = self.at.pos;
                let lo = self.at.integer("a token id")?;
                let hi = if self.at.eat("-") { self.at.integer("a token id")? } else { lo };
                if lo > hi {
                    let hint = "write the smaller end first";
                    return Err(self.at.error_at(start, format!("the range {lo}-{hi} is empty"), hint));
                }
                set.ids.push((lo, hi));
            }
            self.at.skip_space();
            if self.at.eat(",") {
                self.at.skip_space();
            } else if self.at.peek() != Some(']') {
                return Err(self.at.expected("expected `,` or `]` in the token list"));
            }
        }
        if self.at.eat(">") { Ok(()) } else { Err(self.at.expected("expected `>` after the token list")) }
    }
}

/// The same set as sorted ranges that do not touch.
fn merge(mut ranges: Ranges) -> Ranges {
    ranges.sort_unstable();
    let mut merged: Ranges = Vec::with_capacity(ranges.len());
    for (lo, hi) in ranges {
        match merged.last_mut() {
            Some(last) if lo <= last.1.saturating_add(1) => last.1 = last.1.max(hi),
            _ => merged.push((lo, hi)),
        }
    }
    merged
}
