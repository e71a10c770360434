//! The parser: rules, alternatives, sequences, groups and repeats.
//!
//! Groups are kept on an explicit stack, so that no text, however nested, can overflow the call stack. An operand carries
//! the depth of its expression; [`super::EbnfOptions::nesting_depth`] bounds it, because everything behind the parser
//! walks expressions.

use super::EbnfOptions;
use super::cursor::is_name_char;
use crate::error::{Error, LineIndex, Location, Result};
use crate::frontend::cursor::{Cursor, shorten};
use crate::grammar::{ExprId, Grammar, GrammarBuilder, Span};
use rustc_hash::{FxHashMap, FxHashSet};

/// How many annotations of one kind are worth reading.
const MAX_NOTES: usize = 32;

/// Every run of names and dots is looked up by each of its beginnings, so dotted names must be short.
const MAX_DOTTED_NAME: usize = 128;

pub(super) struct Parser<'a> {
    pub(super) at: Cursor<'a>,
    pub(super) builder: GrammarBuilder,
    options: &'a EbnfOptions,
    /// Names that stand before `::=` at the start of a line.
    defined: FxHashSet<&'a str>,
    has_dotted_names: bool,
    /// Classes with characters beyond ASCII are many expressions: equal ones are shared.
    pub(super) classes: FxHashMap<Vec<(u32, u32)>, ExprId>,
    /// Where `\xHH` is followed by another hexadecimal digit.
    pub(super) ambiguous_escapes: Vec<usize>,
}

/// One operand of a sequence.
#[derive(Clone, Copy)]
struct Operand {
    expr: ExprId,
    start: usize,
    end: usize,
    depth: usize,
}

/// The rule body or a group in it, as far as it is read.
struct Frame {
    open: usize,
    done: Vec<Operand>,
    sequence: Vec<Operand>,
    /// Just after `|` or `::=`, where a line break does not end the rule.
    wants_more: bool,
}

impl Frame {
    fn new(open: usize) -> Self {
        Self { open, done: Vec::new(), sequence: Vec::new(), wants_more: true }
    }
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, options: &'a EbnfOptions) -> Self {
        let defined = defined_names(text);
        Self {
            at: Cursor { text, pos: if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 } },
            builder: GrammarBuilder::new(text),
            options,
            has_dotted_names: defined.iter().any(|name| name.contains('.')),
            defined,
            classes: FxHashMap::default(),
            ambiguous_escapes: Vec::new(),
        }
    }

    pub(super) fn parse(mut self) -> Result<Grammar> {
        let mut names = Vec::new();
        self.at.skip_space();
        while self.at.peek().is_some() {
            names.push(self.rule()?);
            self.at.skip_space();
        }
        let root = self.builder.declare(&self.options.root_rule_name);
        if !self.builder.is_defined(root) {
            return Err(self.no_root(&names));
        }
        let lines = LineIndex::new(self.at.text);
        for &offset in self.ambiguous_escapes.iter().take(MAX_NOTES) {
            let message = format!(
                "`\\x` takes two digits, so the hexadecimal digit after them is a character of its own ({}); \
                 write `\\u` or `\\U` for longer code points",
                lines.locate(offset)
            );
            self.builder.annotate("ambiguous-escape", message);
        }
        self.builder.build(root)
    }

    fn no_root(&self, names: &[&str]) -> Error {
        let root = &self.options.root_rule_name;
        let hint = match names {
            [] => "the grammar has no rules at all".to_owned(),
            names => {
                let more = if names.len() > 20 { ", ..." } else { "" };
                let list: Vec<String> = names.iter().take(20).map(|name| format!("`{name}`")).collect();
                format!(
                    "the rules are {}{more}; choose the root among them, or define `{root}`",
                    list.join(", ")
                )
            }
        };
        self.at.error_at(0, format!("the root rule `{root}` is not defined"), &hint)
    }

    /// `name ::= body`; gives the name.
    fn rule(&mut self) -> Result<&'a str> {
        let start = self.at.pos;
        let name = self.at.take_while(|c| is_name_char(c) || c == '.');
        if name.is_empty() {
            return Err(self.at.expected("expected a rule name"));
        }
        if name.contains('.') && name.len() > MAX_DOTTED_NAME {
            let message = format!("a name with dots may have at most {MAX_DOTTED_NAME} characters");
            return Err(self.at.error_at(start, message, "write it without dots"));
        }
        if let Some(options) = self.rule_options() {
            return Err(self.at.unsupported_at(
                self.at.pos,
                format!("the rule option list `{}`", shorten(options)),
                "remove it; rule options steer sampling and captures, not the language",
            ));
        }
        self.at.skip_space();
        if !self.at.eat("::=") {
            let hint = match self.at.peek() {
                Some(':') => "this looks like Lark, which `Grammar.from_lark` reads",
                _ => "",
            };
            let message = format!("expected `::=` after the rule name `{}`", shorten(name));
            return Err(self.at.expected_with(&message, hint));
        }
        let rule = self.builder.declare(name);
        let body = self.body(name)?;
        self.builder.define(rule, body.expr, Some(Span { start: start as u32, end: body.end as u32 }))?;
        Ok(name)
    }

    /// A bracket that is followed by `::=` and thus no class.
    fn rule_options(&self) -> Option<&'a str> {
        let rest = self.at.rest().trim_start_matches([' ', '\t']);
        if !rest.starts_with('[') {
            return None;
        }
        let end = rest.find([']', '\n', '\r']).filter(|&end| rest.as_bytes()[end] == b']')? + 1;
        rest[end..].trim_start_matches([' ', '\t']).starts_with("::=").then(|| &rest[..end])
    }

    /// Whether what stands here, after the name just read, makes that name the head of a rule.
    fn is_definition(&self) -> bool {
        let mut ahead = self.at.clone();
        ahead.skip_space();
        ahead.eat("::=") || self.rule_options().is_some()
    }

    fn body(&mut self, name: &str) -> Result<Operand> {
        let mut frames = vec![Frame::new(self.at.pos)];
        loop {
            self.at.skip_space();
            let start = self.at.pos;
            let depth = frames.len();
            self.check_size(start)?;
            let Some(c) = self.at.peek() else {
                return self.finish(frames, name);
            };
            let Some(frame) = frames.last_mut() else {
                return Err(self.at.expected("expected an expression"));
            };
            match c {
                '|' => {
                    self.at.next();
                    let operand = self.sequence(frame, start);
                    frame.done.push(operand);
                    frame.wants_more = true;
                }
                '(' => {
                    self.at.next();
                    if self.at.eat("=") {
                        return Err(self.at.unsupported_at(
                            start,
                            "the lookahead assertion `(= ...)`",
                            "remove it; the engine looks ahead by itself",
                        ));
                    }
                    self.check_depth(depth, start)?;
                    frames.push(Frame::new(start));
                }
                ')' if depth == 1 => {
                    return Err(self.at.error_at(
                        start,
                        "this `)` closes nothing",
                        "remove it, or add a `(`",
                    ));
                }
                ')' => {
                    self.at.next();
                    self.close_group(&mut frames)?;
                }
                '*' | '+' | '?' | '{' => self.repeat(frame)?,
                _ => match self.atom(frame.wants_more, depth > 1)? {
                    Some(expr) => {
                        let end = self.at.pos;
                        frame.sequence.push(Operand { expr, start, end, depth: 1 });
                        frame.wants_more = false;
                    }
                    None => return self.finish(frames, name),
                },
            }
        }
    }

    /// A terminal, a rule call or a macro; `None` where the next rule begins.
    fn atom(&mut self, wants_more: bool, in_group: bool) -> Result<Option<ExprId>> {
        let start = self.at.pos;
        let c = self.at.peek();
        if let Some(name) = self.name() {
            if self.is_definition() {
                return self.next_rule(start, name, wants_more, in_group);
            }
            if let Some(expr) = self.call(name, start)? {
                return Ok(Some(expr));
            }
            let rule = self.builder.declare(name);
            let span = self.at.span_from(start);
            return Ok(Some(self.builder.rule_ref_at(rule, span)));
        }
        match c {
            Some('"') => self.string(),
            Some('[') => self.class(),
            Some('%') => self.bytes(),
            Some('<' | '!') => self.token(),
            Some('.') => {
                self.at.next();
                Ok(self.chars(&[(0, 0x0010_FFFF)], start))
            }
            _ => Err(self.unexpected()),
        }
        .map(Some)
    }

    /// A name at the cursor was found to begin the next rule: say whether it may.
    fn next_rule(
        &mut self,
        start: usize,
        name: &str,
        wants_more: bool,
        in_group: bool,
    ) -> Result<Option<ExprId>> {
        self.at.pos = start;
        let name = shorten(name);
        if !self.at.at_line_start() {
            let hint = "begin every rule on a line of its own";
            return Err(self.at.error_at(
                start,
                format!("rule `{name}` begins in the middle of a line"),
                hint,
            ));
        }
        if wants_more && !in_group {
            return Err(self.at.error_at(
                start,
                format!("expected an expression before rule `{name}`"),
                "write `\"\"` for the empty string",
            ));
        }
        Ok(None)
    }

    /// The longest name here that can be one: with dots only where a rule has that very name.
    fn name(&mut self) -> Option<&'a str> {
        if self.has_dotted_names {
            let rest = self.at.rest().as_bytes().iter().take(MAX_DOTTED_NAME);
            let len = rest.take_while(|&&b| is_name_char(char::from(b)) || b == b'.').count();
            let longest = &self.at.rest()[..len];
            let plain = longest.find('.').unwrap_or(longest.len());
            let ends = (plain + 1..=longest.len()).rev().filter(|&end| is_name_end(longest, end));
            let dotted = ends.map(|end| &longest[..end]).find(|name| self.defined.contains(name));
            if let Some(name) = dotted {
                self.at.pos += name.len();
                return Some(name);
            }
        }
        let name = self.at.take_while(is_name_char);
        (!name.is_empty()).then_some(name)
    }

    pub(super) fn is_rule_name(&self, name: &str) -> bool {
        self.defined.contains(name)
    }

    fn unexpected(&self) -> Error {
        let hint = match self.at.peek() {
            Some(':' | '=') => "a rule is written `name ::= ...`, on a line of its own",
            Some('\'') => "strings are written with double quotes",
            Some('/') => "a regular expression is written Regex(\"...\"), a comment begins with `#`",
            Some(';') => "rules need no `;` at their end",
            Some(',') => "the parts of a sequence are separated by blanks alone",
            Some(']' | '}' | '>') => "there is no bracket that this one closes",
            _ => "expected a string, a class, a rule name, a group or a repeat",
        };
        let Error::Syntax { message, location, .. } = self.at.expected("expected an expression") else {
            return self.at.error_at(self.at.pos, "expected an expression", hint);
        };
        Error::Syntax { message, location, hint: hint.into() }
    }

    /// Joins the open sequence of a frame and empties it; `at` is where an empty one stands.
    fn sequence(&mut self, frame: &mut Frame, at: usize) -> Operand {
        let parts = std::mem::take(&mut frame.sequence);
        self.join(&parts, at, GrammarBuilder::concat, GrammarBuilder::empty)
    }

    fn join(
        &mut self,
        parts: &[Operand],
        at: usize,
        many: fn(&mut GrammarBuilder, Vec<ExprId>) -> ExprId,
        none: fn(&mut GrammarBuilder) -> ExprId,
    ) -> Operand {
        let (expr, start, end) = match parts {
            [] => (none(&mut self.builder), at, at),
            [one] => return *one,
            [first, .., last] => {
                let ids = parts.iter().map(|part| part.expr).collect();
                (many(&mut self.builder, ids), first.start, last.end)
            }
        };
        self.builder.set_span(expr, Span { start: start as u32, end: end as u32 });
        let depth = parts.iter().map(|part| part.depth).max().unwrap_or(0);
        Operand { expr, start, end, depth }
    }

    /// All alternatives of a frame as one operand.
    fn alternatives(&mut self, frame: &mut Frame, at: usize) -> Operand {
        let last = self.sequence(frame, at);
        frame.done.push(last);
        let options = std::mem::take(&mut frame.done);
        self.join(&options, at, GrammarBuilder::choice, GrammarBuilder::empty)
    }

    fn close_group(&mut self, frames: &mut Vec<Frame>) -> Result<()> {
        let end = self.at.pos;
        let Some(mut group) = frames.pop() else {
            return Ok(());
        };
        let inner = self.alternatives(&mut group, end - 1);
        let depth = inner.depth + 1;
        self.check_depth(depth, group.open)?;
        if let Some(outer) = frames.last_mut() {
            outer.sequence.push(Operand { expr: inner.expr, start: group.open, end, depth });
            outer.wants_more = false;
        }
        Ok(())
    }

    fn finish(&mut self, mut frames: Vec<Frame>, name: &str) -> Result<Operand> {
        let at = self.at.pos;
        match frames.pop() {
            Some(group) if !frames.is_empty() => Err(self.at.error_at(
                group.open,
                format!("this `(` in rule `{}` is never closed", shorten(name)),
                "add the missing `)`",
            )),
            Some(mut body) => Ok(self.alternatives(&mut body, at)),
            None => Err(self.at.expected("expected an expression")),
        }
    }

    fn check_size(&self, at: usize) -> Result<()> {
        if self.builder.expression_count() <= self.options.expressions {
            return Ok(());
        }
        let at = Location::new(self.at.text, at);
        let message = format!("more than {} expressions ({at})", self.options.expressions);
        Err(Error::LimitExceeded { limit: "expressions", message })
    }

    fn check_depth(&self, depth: usize, at: usize) -> Result<()> {
        if depth <= self.options.nesting_depth {
            return Ok(());
        }
        let message =
            format!("more than {} groups or repeats in each other ({})", self.options.nesting_depth, {
                Location::new(self.at.text, at)
            });
        Err(Error::LimitExceeded { limit: "nesting_depth", message })
    }

    /// A postfix operator, which holds for the last operand.
    fn repeat(&mut self, frame: &mut Frame) -> Result<()> {
        let operator = self.at.pos;
        let Some(&body) = frame.sequence.last() else {
            return Err(self.at.error_at(
                operator,
                "there is nothing to repeat",
                "write what is repeated first",
            ));
        };
        let (min, max) = match self.at.next() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            _ => self.counts()?,
        };
        if let Some(max) = max.filter(|&max| max < min) {
            let message = format!("at least {min} and at most {max} times is impossible");
            return Err(self.at.error_at(operator, message, "exchange the two counts"));
        }
        let depth = body.depth + 1;
        self.check_depth(depth, operator)?;
        let expr = self.builder.repeat(body.expr, min, max);
        let end = self.at.pos;
        self.builder.set_span(expr, self.at.span_from(body.start));
        frame.sequence.pop();
        frame.sequence.push(Operand { expr, start: body.start, end, depth });
        Ok(())
    }

    /// `m}`, `m,}`, `m,n}`, `,n}`; also XGrammar's `m, -1}`, which has no upper bound.
    fn counts(&mut self) -> Result<(u32, Option<u32>)> {
        self.at.skip_space();
        let min = if self.at.peek() == Some(',') { 0 } else { self.at.integer("a repeat count")? };
        self.at.skip_space();
        let mut max = Some(min);
        if self.at.eat(",") {
            self.at.skip_space();
            let open = self.at.peek() == Some('}') || self.at.eat("-1");
            max = if open { None } else { Some(self.at.integer("a repeat count")?) };
            self.at.skip_space();
        }
        if !self.at.eat("}") {
            return Err(self.at.expected("expected `}` after the repeat count"));
        }
        Ok((min, max))
    }
}

/// Whether `run[..end]` ends where a name can end: before a dot, after one, or at the very end.
fn is_name_end(run: &str, end: usize) -> bool {
    let bytes = run.as_bytes();
    end == run.len() || bytes[end] == b'.' || bytes[end - 1] == b'.'
}

/// The names that stand before `::=` at the start of a line. (A line inside a string can only add a name too many.)
fn defined_names(text: &str) -> FxHashSet<&str> {
    text.split(['\n', '\r'])
        .filter_map(|line| {
            let line = line.trim_start_matches([' ', '\t', '\u{feff}']);
            let end = line.find(|c| !is_name_char(c) && c != '.')?;
            line[end..].trim_start().starts_with("::=").then(|| &line[..end])
        })
        .collect()
}
