//! XGrammar's macros: `Regex(...)`, `Token(...)`, `ExcludeToken(...)`; the others are refused by name.

use super::parser::Parser;
use crate::error::{Error, Result};
use crate::frontend::regex::{self, RegexOptions};
use crate::grammar::{ExprId, TokenSet};

const MACROS: [&str; 6] = ["Regex", "Token", "ExcludeToken", "TagDispatch", "TokenTagDispatch", "Substring"];

impl Parser<'_> {
    /// The macro call `name(...)`, if this is one. The cursor stands after the name, which began at `start`.
    pub(super) fn call(&mut self, name: &str, start: usize) -> Result<Option<ExprId>> {
        let mut ahead = self.at.clone();
        ahead.skip_space();
        if !MACROS.contains(&name) || !ahead.eat("(") || self.is_rule_name(name) {
            return Ok(None);
        }
        self.at.pos = ahead.pos;
        let expr = match name {
            "Regex" => self.regex_macro()?,
            "Token" => self.token_macro(false)?,
            "ExcludeToken" => self.token_macro(true)?,
            _ => {
                let hint = match name {
                    "Substring" => "write its chunks as alternatives",
                    _ => "write the free text and the tags as rules",
                };
                return Err(self.at.unsupported_at(start, format!("the macro `{name}(...)`"), hint));
            }
        };
        self.builder.set_span(expr, self.at.span_from(start));
        Ok(Some(expr))
    }

    /// `1, 2, 3)`
    fn token_macro(&mut self, negated: bool) -> Result<ExprId> {
        let mut ids = Vec::new();
        loop {
            self.at.skip_space();
            let id = self.at.integer("a token id")?;
            ids.push((id, id));
            self.at.skip_space();
            if self.at.eat(")") {
                ids.sort_unstable();
                ids.dedup();
                return Ok(self.builder.token(TokenSet { ids, names: Vec::new(), negated }));
            }
            if !self.at.eat(",") {
                return Err(self.at.expected("expected `,` or `)` after the token id"));
            }
        }
    }

    /// `"pattern", flags="s", json_string=false)`. In XGrammar `.` is any code point unless `flags` is given; then it
    /// leaves out the line feed unless they have an `s`.
    fn regex_macro(&mut self) -> Result<ExprId> {
        self.at.skip_space();
        let start = self.at.pos;
        if self.at.peek() != Some('"') {
            return Err(self.at.expected("expected the pattern of Regex(...) as a string"));
        }
        let pattern = self.string_value()?;
        let mut options = RegexOptions { dot_matches_new_line: true, ..RegexOptions::default() };
        self.at.skip_space();
        while self.at.eat(",") {
            self.at.skip_space();
            self.regex_argument(&mut options)?;
            self.at.skip_space();
        }
        if !self.at.eat(")") {
            return Err(self.at.expected("expected `,` or `)` in Regex(...)"));
        }
        regex::lower(&mut self.builder, &pattern, &options).map_err(|error| self.in_pattern(error, start))
    }

    fn regex_argument(&mut self, options: &mut RegexOptions) -> Result<()> {
        let start = self.at.pos;
        let name = self.at.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        self.at.skip_space();
        if !self.at.eat("=") {
            self.at.pos = start;
            return Err(self.at.expected("expected `flags=` or `json_string=` in Regex(...)"));
        }
        self.at.skip_space();
        match name {
            "flags" if self.at.peek() == Some('"') => {
                let flags = self.string_value()?;
                options.dot_matches_new_line = flags.contains('s');
                if let Some(flag) = flags.chars().find(|flag| !matches!(flag, 's' | 'u')) {
                    let hint = "write it in the pattern, as in `(?i)`; `s` and `u` are taken";
                    return Err(self.at.unsupported_at(start, format!("the Regex flag `{flag}`"), hint));
                }
                Ok(())
            }
            "json_string" if self.at.eat("false") => Ok(()),
            "json_string" => {
                let hint = "leave out quotes, backslashes and control characters in the pattern";
                Err(self.at.unsupported_at(start, "Regex(..., json_string=true)", hint))
            }
            _ => Err(self.at.error_at(
                start,
                "unknown argument of Regex(...)",
                "flags and json_string are known",
            )),
        }
    }

    /// An error in a pattern, placed at the pattern's string in the grammar.
    fn in_pattern(&self, error: Error, start: usize) -> Error {
        match error {
            Error::Syntax { message, location, hint } => {
                let message =
                    format!("in the regular expression, at its column {}: {message}", location.column);
                self.at.error_at(start, message, &hint)
            }
            Error::Unsupported { feature, hint, .. } => self.at.unsupported_at(start, feature, &hint),
            other => other,
        }
    }
}
