//! The parser of `.lark` files: recursive descent, as deep as groups nest, which `nesting_depth` bounds.
//!
//! A statement ends with its line, unless the next line begins with `|` or a bracket is open.

use super::ast::{At, Attributes, Definition, Import, Kind, Mode, Node, Statement, is_terminal_name};
use super::{directives, literal};
use crate::error::{Error, Location, Result};
use crate::frontend::cursor::Cursor;
use crate::grammar::TokenSet;

pub(super) struct Parser<'a> {
    pub(super) at: Cursor<'a>,
    file: u32,
    depth: usize,
    nesting_depth: usize,
    /// Notes for the user, of kind and text.
    pub(super) notes: Vec<(&'static str, String)>,
}

/// Whether a line break ends what is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Line,
    Bracket,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, file: u32, nesting_depth: usize) -> Self {
        Self { at: Cursor { text, pos: 0 }, file, depth: 0, nesting_depth, notes: Vec::new() }
    }

    /// What lies between an offset and here.
    fn since(&self, start: usize) -> At {
        At { file: self.file, start: start as u32, end: self.at.pos as u32 }
    }

    pub(super) fn statements(&mut self) -> Result<Vec<Statement>> {
        let mut out = Vec::new();
        loop {
            self.at.skip_lines();
            if self.at.peek().is_none() {
                return Ok(out);
            }
            if let Some(statement) = self.statement()? {
                out.push(statement);
            }
            self.at.skip_blanks();
            if !self.at.at_line_end() {
                return Err(self.at.expected_with("expected the end of the line", self.stray_hint()));
            }
        }
    }

    fn stray_hint(&self) -> &'static str {
        match self.at.peek() {
            Some('*' | '+' | '?' | '~') => "one operator at a time: put the operand in parentheses",
            Some(')' | ']' | '}') => "there is no bracket that this one closes",
            Some('\'') => "strings are written with double quotes",
            Some(':') => "a rule is written `name: ...`, a terminal `NAME: ...`",
            Some('=') => "a rule is written with `:`",
            Some(';') => "rules need no `;` at their end",
            _ => "",
        }
    }

    fn statement(&mut self) -> Result<Option<Statement>> {
        let start = self.at.pos;
        if self.at.peek() != Some('%') {
            return self.definition(Mode::Define).map(Some);
        }
        self.at.next();
        let word = self.at.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        self.at.skip_blanks();
        match word {
            "ignore" => self.expansions(Within::Line).map(Statement::Ignore).map(Some),
            "import" => self.import(start).map(Statement::Import).map(Some),
            "declare" => self.declare().map(Some),
            "override" => self.definition(Mode::Override).map(Some),
            "extend" => self.definition(Mode::Extend).map(Some),
            "llguidance" => {
                let json = self.at.json("%llguidance")?;
                let ignored = directives::options(json).map_err(|e| self.directive_error(e, start))?;
                if !ignored.is_empty() {
                    let list = ignored.join("`, `");
                    let place = Location::new(self.at.text, start);
                    let text =
                        format!("`%llguidance` options that do not change the language: `{list}` ({place})");
                    self.notes.push(("ignored-option", text));
                }
                Ok(None)
            }
            _ => Err(self.at.error_at(
                start,
                format!("unknown directive `%{word}`"),
                "the directives are %ignore, %import, %declare, %override, %extend and %llguidance",
            )),
        }
    }

    fn directive_error(&self, error: directives::Problem, start: usize) -> Error {
        match error {
            directives::Problem::Invalid(message) => self.at.error_at(start, message, ""),
            directives::Problem::Unsupported(feature, hint) => self.at.unsupported_at(start, feature, hint),
        }
    }

    fn import(&mut self, start: usize) -> Result<Import> {
        let is_relative = self.at.eat(".");
        let mut path = vec![self.at.name("a file or grammar to import from")?];
        while self.at.eat(".") {
            path.push(self.at.name("a name after the dot")?);
        }
        self.at.skip_blanks();
        let names = if self.at.eat("(") {
            let mut names = Vec::new();
            loop {
                self.at.skip_lines();
                let name = self.at.name("a name to import")?;
                names.push((name.clone(), name));
                self.at.skip_lines();
                if self.at.eat(")") {
                    break names;
                }
                if !self.at.eat(",") {
                    return Err(self.at.expected("expected `,` or `)` in the list of names"));
                }
            }
        } else {
            let name = path.pop().filter(|_| !path.is_empty()).ok_or_else(|| {
                let hint = "write `%import grammar.NAME` or `%import grammar (NAME, ...)`";
                self.at.error_at(start, "this imports no name", hint)
            })?;
            let alias = if self.at.eat("->") {
                self.at.skip_blanks();
                self.at.name("the name here")?
            } else {
                name.clone()
            };
            vec![(name, alias)]
        };
        Ok(Import { is_relative, path, names, at: self.since(start) })
    }

    fn declare(&mut self) -> Result<Statement> {
        let mut names = Vec::new();
        while names.is_empty() || !self.at.at_line_end() {
            let start = self.at.pos;
            let name = self.at.name("a name to declare")?;
            names.push((name, self.since(start)));
            self.at.skip_blanks();
        }
        Ok(Statement::Declare(names))
    }

    fn definition(&mut self, mode: Mode) -> Result<Statement> {
        let start = self.at.pos;
        while self.at.eat("?") || self.at.eat("!") {}
        let name = self.at.name("a rule or terminal")?;
        if name.starts_with("__") {
            return Err(self.at.error_at(
                start,
                format!("the name `{name}` is reserved"),
                "begin it with one underscore at most",
            ));
        }
        let mut parameters = Vec::new();
        if self.at.eat("{") {
            parameters = self.parameters()?;
        }
        let attributes = if self.at.eat("[") { self.attributes()? } else { Attributes::default() };
        if self.at.eat(".") {
            self.at.take_while(|c| matches!(c, '+' | '-'));
            self.at.integer("a priority")?;
        }
        self.at.skip_blanks();
        if self.at.rest().starts_with("::") {
            let hint = match self.at.rest().starts_with("::=") {
                true => "this looks like EBNF, which `Grammar.from_ebnf` reads",
                false => "write the rule out, one for each value",
            };
            return Err(self.at.unsupported_at(self.at.pos, "a rule with a parameter (`::`)", hint));
        }
        if !self.at.eat(":") {
            let hint = "a rule is written `name: ...`, a terminal `NAME: ...`; a rule that goes on begins its line with `|`";
            return Err(self.at.expected_with(&format!("expected `:` after the name `{name}`"), hint));
        }
        let body = self.expansions(Within::Line)?;
        let is_terminal = is_terminal_name(&name) || attributes.make_terminal();
        let at = self.since(start);
        Ok(Statement::Define(
            mode,
            Definition { name, is_terminal, parameters, attributes, body: Some(body), at },
        ))
    }

    fn parameters(&mut self) -> Result<Vec<String>> {
        let mut out: Vec<String> = Vec::new();
        loop {
            self.at.skip_blanks();
            let start = self.at.pos;
            let name = self.at.name("a parameter of the template")?;
            if out.contains(&name) {
                return Err(self.at.error_at(start, format!("the parameter `{name}` is there twice"), ""));
            }
            out.push(name);
            self.at.skip_blanks();
            if self.at.eat("}") {
                return Ok(out);
            }
            if !self.at.eat(",") {
                return Err(self.at.expected("expected `,` or `}` after the parameter"));
            }
        }
    }

    /// llguidance's attributes, past the bracket.
    fn attributes(&mut self) -> Result<Attributes> {
        let mut out = Attributes::default();
        loop {
            self.at.skip_lines();
            let start = self.at.pos;
            let name = self.at.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
            self.at.skip_blanks();
            let has_value = self.at.eat("=");
            self.at.skip_blanks();
            match (name, has_value) {
                ("lazy", false) => out.lazy = true,
                ("suffix", true) => out.suffix = Some(Box::new(self.atom()?)),
                ("capture", false) => out.ignored.push(name.into()),
                ("capture" | "temperature" | "stop_capture", true) => {
                    self.at.json(name)?;
                    out.ignored.push(name.into());
                }
                ("stop", true) if self.at.eat("\"\"") => {}
                ("stop", true) => out.stop = Some(Box::new(self.atom()?)),
                ("max_tokens", true) => {
                    let hint = "how many tokens spell a text is the tokenizer's matter; bound the characters, as in `/.{0,80}/`";
                    return Err(self.at.unsupported_at(start, "the attribute `max_tokens`", hint));
                }
                _ => {
                    let hint = "the attributes are lazy, suffix=, stop=, capture and temperature=";
                    return Err(self.at.error_at(start, format!("unknown attribute `{name}`"), hint));
                }
            }
            if out.stop.is_some() && out.suffix.is_some() {
                let hint = "suffix= ends the text and is part of it, stop= is not: keep one of them";
                return Err(self.at.error_at(start, "both stop= and suffix= are given", hint));
            }
            self.at.skip_lines();
            if self.at.eat("]") {
                return Ok(out);
            }
            if !self.at.eat(",") {
                return Err(self.at.expected("expected `,` or `]` after the attribute"));
            }
        }
    }

    /// Alternatives; `Within::Line` stops at the end of the line, before a bracket otherwise.
    fn expansions(&mut self, within: Within) -> Result<Node> {
        let start = self.at.pos;
        self.depth += 1;
        if self.depth > self.nesting_depth {
            let place = Location::new(self.at.text, start);
            let message = format!("more than {} groups in each other ({place})", self.nesting_depth);
            return Err(Error::LimitExceeded { limit: "nesting_depth", message });
        }
        let mut options = Vec::new();
        // A first `|` is an empty first alternative only where something stands before it on the line.
        loop {
            options.push(self.conjunction(within)?);
            self.skip(within);
            if within == Within::Line {
                let mut ahead = self.at.clone();
                ahead.skip_lines();
                if ahead.peek() == Some('|') {
                    self.at.pos = ahead.pos;
                }
            }
            if !self.at.eat("|") {
                break;
            }
        }
        self.depth -= 1;
        Ok(self.joined(options, start, Kind::Choice))
    }

    fn joined(&self, mut parts: Vec<Node>, start: usize, join: fn(Vec<Node>) -> Kind) -> Node {
        match parts.len() {
            1 => parts.remove(0),
            _ => Node { kind: join(parts), at: self.since(start) },
        }
    }

    fn skip(&mut self, within: Within) {
        match within {
            Within::Line => self.at.skip_blanks(),
            Within::Bracket => self.at.skip_lines(),
        }
    }

    /// `a b & c d -> alias`
    fn conjunction(&mut self, within: Within) -> Result<Node> {
        let start = self.at.pos;
        let mut parts = vec![self.sequence(within)?];
        while self.at.eat("&") {
            parts.push(self.sequence(within)?);
        }
        if self.at.eat("->") {
            self.at.skip_blanks();
            self.at.name("an alias")?;
        }
        Ok(self.joined(parts, start, Kind::Both))
    }

    fn sequence(&mut self, within: Within) -> Result<Node> {
        self.skip(within);
        let start = self.at.pos;
        let mut parts = Vec::new();
        loop {
            self.skip(within);
            match self.at.peek() {
                None | Some('\n' | '\r' | '|' | ')' | ']' | '&') => break,
                _ if self.at.rest().starts_with("->") => break,
                Some('*' | '+' | '?') => {
                    let hint = "write what is repeated first, and one operator at a time";
                    return Err(self.at.expected_with("expected a rule, terminal or group", hint));
                }
                Some(_) => parts.push(self.repeated()?),
            }
        }
        Ok(self.joined(parts, start, Kind::Sequence))
    }

    /// An atom with its operator.
    fn repeated(&mut self) -> Result<Node> {
        let start = self.at.pos;
        if self.at.eat("~") {
            self.at.skip_blanks();
            let body = self.repeated()?;
            return Ok(Node { kind: Kind::Not(Box::new(body)), at: self.since(start) });
        }
        let atom = self.atom()?;
        let mut ahead = self.at.clone();
        ahead.skip_blanks();
        let (min, max) = match ahead.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('~') if ahead.rest()[1..].trim_start().starts_with(|c: char| c.is_ascii_digit()) => {
                self.at = ahead;
                self.at.next();
                let (min, max) = self.tilde_counts()?;
                return self.repeat(atom, min, max, start);
            }
            Some('{') => {
                self.at = ahead;
                self.at.next();
                let (min, max) = self.brace_counts()?;
                return self.repeat(atom, min, max, start);
            }
            _ => return Ok(atom),
        };
        self.at = ahead;
        self.at.next();
        self.repeat(atom, min, max, start)
    }

    fn repeat(&mut self, body: Node, min: u32, max: Option<u32>, start: usize) -> Result<Node> {
        if let Some(max) = max.filter(|&max| max < min) {
            let message = format!("at least {min} and at most {max} times is impossible");
            return Err(self.at.error_at(start, message, "exchange the two counts"));
        }
        Ok(Node { kind: Kind::Repeat(Box::new(body), min, max), at: self.since(start) })
    }

    /// `n` or `n..m`, past the tilde.
    fn tilde_counts(&mut self) -> Result<(u32, Option<u32>)> {
        self.at.skip_blanks();
        let min = self.at.integer("a repeat count")?;
        let mut ahead = self.at.clone();
        ahead.skip_blanks();
        if !ahead.eat("..") {
            return Ok((min, Some(min)));
        }
        self.at = ahead;
        self.at.skip_blanks();
        Ok((min, Some(self.at.integer("a repeat count")?)))
    }

    /// `m}`, `m,}`, `m,n}`, `,n}` (llguidance), past the brace.
    fn brace_counts(&mut self) -> Result<(u32, Option<u32>)> {
        self.at.skip_blanks();
        let min = if self.at.peek() == Some(',') { 0 } else { self.at.integer("a repeat count")? };
        self.at.skip_blanks();
        let mut max = Some(min);
        if self.at.eat(",") {
            self.at.skip_blanks();
            max = if self.at.peek() == Some('}') { None } else { Some(self.at.integer("a repeat count")?) };
            self.at.skip_blanks();
        }
        if self.at.eat("}") { Ok((min, max)) } else { Err(self.at.expected("expected `}` after the count")) }
    }

    fn atom(&mut self) -> Result<Node> {
        let start = self.at.pos;
        match self.at.peek() {
            Some('(') => self.group(')', start),
            Some('[') => {
                let body = self.group(']', start)?;
                self.repeat(body, 0, Some(1), start)
            }
            Some('"') => self.text(start),
            Some('/') => {
                let quoted = self.at.regexp()?;
                let pattern = self.evaluated(quoted.body, start, true)?;
                let kind = Kind::Regexp { pattern, flags: quoted.flags.into() };
                Ok(Node { kind, at: self.since(start) })
            }
            Some('<') => self.token(start),
            Some('%') => self.inline_directive(start),
            Some('@') => {
                let hint = "write the grammar's rules here, or %import them";
                Err(self.at.unsupported_at(start, "a grammar of the caller's (`@name`)", hint))
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => self.name_or_template(start),
            _ => Err(self.at.expected_with("expected a rule, terminal, string or group", self.stray_hint())),
        }
    }

    fn group(&mut self, close: char, start: usize) -> Result<Node> {
        self.at.next();
        let body = self.expansions(Within::Bracket)?;
        if self.at.peek() != Some(close) {
            return Err(self.at.expected_with(
                &format!("expected `{close}`"),
                &format!("it closes the bracket of column {}", Location::new(self.at.text, start).column),
            ));
        }
        self.at.next();
        Ok(Node { at: self.since(start), ..body })
    }

    fn evaluated(&self, raw: &str, start: usize, is_regexp: bool) -> Result<String> {
        literal::evaluate(raw, is_regexp)
            .map_err(|(offset, message)| self.at.error_at(start + 1 + offset, message, ""))
    }

    /// `"text"`, `"text"i` or `"a".."z"`.
    fn text(&mut self, start: usize) -> Result<Node> {
        let quoted = self.at.string()?;
        let value = self.evaluated(quoted.body, start, false)?;
        let mut ahead = self.at.clone();
        ahead.skip_blanks();
        if !ahead.eat("..") {
            let kind = Kind::Text { value, ignore_case: !quoted.flags.is_empty() };
            return Ok(Node { kind, at: self.since(start) });
        }
        ahead.skip_blanks();
        self.at = ahead;
        if self.at.peek() != Some('"') {
            return Err(self.at.expected("expected the end of the range as a string"));
        }
        let second = self.at.pos;
        let quoted_end = self.at.string()?;
        let end = self.evaluated(quoted_end.body, second, false)?;
        let one = |text: &str| text.chars().next().filter(|c| c.len_utf8() == text.len());
        let (Some(lo), Some(hi)) = (one(&value), one(&end)) else {
            return Err(self.at.error_at(start, "the ends of a range are single characters", ""));
        };
        if !quoted.flags.is_empty() || !quoted_end.flags.is_empty() {
            return Err(self.at.error_at(
                start,
                "a range takes no flags",
                "write both ranges, as in `\"a\"..\"z\" | \"A\"..\"Z\"`",
            ));
        }
        if lo > hi {
            return Err(self.at.error_at(
                start,
                format!("the range \"{lo}\"..\"{hi}\" is empty"),
                "exchange its ends",
            ));
        }
        Ok(Node { kind: Kind::Range(lo, hi), at: self.since(start) })
    }

    fn name_or_template(&mut self, start: usize) -> Result<Node> {
        let name = self.at.name("a rule or terminal")?;
        let rest = self.at.rest().strip_prefix('{').map(str::trim_start);
        let is_template =
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit() || c == ','));
        if !is_template {
            return Ok(Node { kind: Kind::Name(name), at: self.since(start) });
        }
        self.at.next();
        let mut arguments = Vec::new();
        self.depth += 1;
        if self.depth > self.nesting_depth {
            let place = Location::new(self.at.text, start);
            let message = format!("more than {} groups in each other ({place})", self.nesting_depth);
            return Err(Error::LimitExceeded { limit: "nesting_depth", message });
        }
        loop {
            self.at.skip_lines();
            arguments.push(self.atom()?);
            self.at.skip_lines();
            if self.at.eat("}") {
                break;
            }
            if !self.at.eat(",") {
                return Err(self.at.expected("expected `,` or `}` after the argument"));
            }
        }
        self.depth -= 1;
        Ok(Node { kind: Kind::Template(name, arguments), at: self.since(start) })
    }

    /// `%json`, `%regex` and what else may stand for an operand.
    fn inline_directive(&mut self, start: usize) -> Result<Node> {
        self.at.next();
        let word = self.at.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        let kind = match word {
            "json" => Kind::Json(self.at.json("%json")?.to_owned()),
            "regex" => {
                let json = self.at.json("%regex")?;
                let pieces = directives::substring(json).map_err(|e| self.directive_error(e, start))?;
                Kind::Substring(pieces)
            }
            "lark" => {
                let hint = "write its rules here under names of their own";
                return Err(self.at.unsupported_at(start, "a nested grammar (`%lark`)", hint));
            }
            _ => {
                let hint = "inside rules there are %json and %regex";
                return Err(self.at.error_at(start, format!("unknown directive `%{word}`"), hint));
            }
        };
        Ok(Node { kind, at: self.since(start) })
    }

    /// `<|name|>`, `<name>`, `<[1, 4-5]>`, `<[^1]>`, `<[*]>`.
    fn token(&mut self, start: usize) -> Result<Node> {
        let mut set = TokenSet { ids: Vec::new(), names: Vec::new(), negated: false };
        if self.at.eat("<[") {
            set.negated = self.at.eat("^");
            self.at.skip_blanks();
            if self.at.eat("*") {
                set.negated = true;
                self.at.skip_blanks();
            } else {
                self.token_ids(&mut set)?;
            }
            if !self.at.eat("]>") {
                return Err(self.at.expected("expected `]>` after the token ids"));
            }
        } else {
            self.at.next();
            self.at.take_while(|c| !matches!(c, '>' | '\n' | ' '));
            if !self.at.eat(">") {
                let hint = "a special token is written `<|name|>` or `<[id]>`";
                return Err(self.at.error_at(start, "this special token is never closed", hint));
            }
            set.names.push(self.at.text[start..self.at.pos].to_owned());
        }
        Ok(Node { kind: Kind::Token(set), at: self.since(start) })
    }

    fn token_ids(&mut self, set: &mut TokenSet) -> Result<()> {
        loop {
            self.at.skip_blanks();
            let start = self.at.pos;
            let lo = self.at.integer("a token id")?;
            let hi = if self.at.eat("-") { self.at.integer("a token id")? } else { lo };
            if lo > hi {
                let hint = "write the smaller end first";
                return Err(self.at.error_at(start, format!("the range {lo}-{hi} is empty"), hint));
            }
            set.ids.push((lo, hi));
            self.at.skip_blanks();
            if !self.at.eat(",") {
                return Ok(());
            }
        }
    }
}
