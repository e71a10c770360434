//! Python's `re` syntax to a syntax tree.
//!
//! Source: the documentation of Python 3.11's `re`. Groups capture nothing here. What no regular language can say (backreferences,
//! conditional groups) and what cuts a search short (atomic groups, possessive quantifiers) is refused by name.

use super::classes;
use crate::regular::CodeSet;
use std::rc::Rc;

/// A regular expression over characters, with looks at what stands before or after.
#[derive(Clone, Debug)]
pub(super) enum Re {
    Class(CodeSet),
    Concat(Vec<Rc<Re>>),
    Or(Vec<Rc<Re>>),
    /// A counted repeat; the last is whether it is lazy: takes as few rounds as it can.
    Repeat(Rc<Re>, u32, Option<u32>, bool),
    Look(Look),
    /// All of these at once.
    And(Vec<Rc<Re>>),
    /// Every text but these.
    Not(Rc<Re>),
    /// Those of which no proper beginning matches.
    Shortest(Rc<Re>),
    /// Those of the first that the second, written after them, completes to a shortest match of both.
    Before([Rc<Re>; 2]),
    /// Another terminal, by number.
    Terminal(usize),
}

/// A condition on the text around a place. It looks through the ends of its terminal.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) ahead: bool,
    pub(super) negative: bool,
    pub(super) body: Rc<Re>,
    /// As it is written, for messages.
    pub(super) text: String,
}

impl Re {
    pub(super) fn text(text: &str, ignore_case: bool) -> Rc<Self> {
        let class = |c| {
            let set = CodeSet::single(u32::from(c));
            Rc::new(Self::Class(if ignore_case { classes::without_case(&set, false) } else { set }))
        };
        Rc::new(Self::Concat(text.chars().map(class).collect()))
    }

    /// The parts an expression is made of.
    pub(super) fn parts(&self) -> &[Rc<Self>] {
        match self {
            Self::Class(_) | Self::Terminal(_) => &[],
            Self::Concat(parts) | Self::Or(parts) | Self::And(parts) => parts,
            Self::Before(parts) => parts,
            Self::Repeat(body, ..) | Self::Not(body) | Self::Shortest(body) => std::slice::from_ref(body),
            Self::Look(look) => std::slice::from_ref(&look.body),
        }
    }

    /// The fewest and the most characters of a match; `None` for no bound. Terminals count as anything.
    pub(super) fn width(&self) -> (u64, Option<u64>) {
        match self {
            Self::Class(_) => (1, Some(1)),
            Self::Look(_) => (0, Some(0)),
            Self::Concat(parts) => parts.iter().fold((0, Some(0)), |(least, most), part| {
                let (lo, hi) = part.width();
                (lo.saturating_add(least), most.zip(hi).map(|(a, b)| a.saturating_add(b)))
            }),
            Self::Or(parts) => {
                let widths: Vec<_> = parts.iter().map(|part| part.width()).collect();
                let most = widths.iter().map(|w| w.1).try_fold(0, |most, w| Some(most.max(w?)));
                (widths.iter().map(|w| w.0).min().unwrap_or(0), most)
            }
            Self::Repeat(body, min, max, _) => {
                let (lo, hi) = body.width();
                let most = max.zip(hi).map(|(n, hi)| u64::from(n).saturating_mul(hi));
                (lo.saturating_mul(u64::from(*min)), if hi == Some(0) { Some(0) } else { most })
            }
            Self::And(_) | Self::Not(_) | Self::Shortest(_) | Self::Before(_) | Self::Terminal(_) => {
                (0, None)
            }
        }
    }
}

/// Why a text is no pattern, or not one that can be used; with the character where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    Invalid(usize, String),
    Unsupported(usize, String, &'static str),
    TooDeep,
}

type Parsed<T> = Result<T, Problem>;

const MAX_NESTING: u32 = 100;

#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    ignore_case: bool,
    multi_line: bool,
    dot_all: bool,
    verbose: bool,
    ascii: bool,
}

struct Parser {
    text: Vec<char>,
    at: usize,
    depth: u32,
    flags: Flags,
}

/// Reads a pattern with the flags that stand after it.
pub(super) fn parse(pattern: &str, flags: &str) -> Parsed<Rc<Re>> {
    let mut parser = Parser { text: pattern.chars().collect(), at: 0, depth: 0, flags: Flags::default() };
    for flag in flags.chars() {
        parser.set_flag(flag, true)?;
    }
    let re = parser.disjunction()?;
    match parser.peek() {
        None => Ok(re),
        Some(_) => parser.invalid("this `)` closes nothing"),
    }
}

fn any_char() -> Rc<Re> {
    Rc::new(Re::Class(CodeSet::all()))
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = text.chars().enumerate().all(|(i, c)| self.text.get(self.at + i) == Some(&c));
        self.at += if found { text.chars().count() } else { 0 };
        found
    }

    fn invalid<T>(&self, what: &str) -> Parsed<T> {
        Err(Problem::Invalid(self.at, what.into()))
    }

    fn unsupported<T>(&self, start: usize, what: &str, hint: &'static str) -> Parsed<T> {
        Err(Problem::Unsupported(start, what.into(), hint))
    }

    fn set_flag(&mut self, flag: char, on: bool) -> Parsed<()> {
        match flag {
            'i' => self.flags.ignore_case = on,
            'm' => self.flags.multi_line = on,
            's' => self.flags.dot_all = on,
            'x' => self.flags.verbose = on,
            'a' => self.flags.ascii = on,
            'u' => {}
            'l' => {
                return self.unsupported(self.at, "the flag `l` (letters by locale)", "name the letters");
            }
            _ => return self.invalid(&format!("unknown flag `{flag}`")),
        }
        Ok(())
    }

    fn disjunction(&mut self) -> Parsed<Rc<Re>> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(Problem::TooDeep);
        }
        let flags = self.flags;
        let mut options = vec![self.alternative()?];
        while self.eat("|") {
            options.push(self.alternative()?);
        }
        if self.depth > 1 {
            self.flags = flags;
        }
        self.depth -= 1;
        Ok(if options.len() == 1 { options.remove(0) } else { Rc::new(Re::Or(options)) })
    }

    fn alternative(&mut self) -> Parsed<Rc<Re>> {
        let mut parts = Vec::new();
        loop {
            self.skip_verbose();
            match self.peek() {
                None | Some('|' | ')') => break,
                Some(c) => {
                    let Some(atom) = self.atom(c)? else { continue };
                    parts.push(self.quantified(atom)?);
                }
            }
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Rc::new(Re::Concat(parts)) })
    }

    /// Blanks and comments under the flag `x`.
    fn skip_verbose(&mut self) {
        while self.flags.verbose {
            match self.peek() {
                Some(' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}') => self.at += 1,
                Some('#') => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn class_of(&self, set: CodeSet) -> Rc<Re> {
        Rc::new(Re::Class(if self.flags.ignore_case {
            classes::without_case(&set, self.flags.ascii)
        } else {
            set
        }))
    }

    /// An atom; `None` for what stands for nothing (a comment, flags for the whole pattern).
    fn atom(&mut self, c: char) -> Parsed<Option<Rc<Re>>> {
        let start = self.at;
        self.at += 1;
        let re = match c {
            '.' => {
                let line_feed = CodeSet::single(u32::from('\n'));
                let all = CodeSet::all();
                Rc::new(Re::Class(if self.flags.dot_all { all } else { all.difference(&line_feed) }))
            }
            '^' => self.start_of_text(self.flags.multi_line, "^"),
            '$' => self.end_of_text(self.flags.multi_line),
            '(' => return self.group(start),
            '[' => self.class(start)?,
            '\\' => self.escape(start)?,
            '*' | '+' | '?' => {
                self.at = start;
                return self.invalid("there is nothing to repeat");
            }
            '{' => {
                if self.braces().is_some() {
                    self.at = start;
                    return self.invalid("there is nothing to repeat");
                }
                self.class_of(CodeSet::single(u32::from('{')))
            }
            c => self.class_of(CodeSet::single(u32::from(c))),
        };
        Ok(Some(re))
    }

    fn look(&self, ahead: bool, negative: bool, body: Rc<Re>, text: &str) -> Rc<Re> {
        Rc::new(Re::Look(Look { ahead, negative, body, text: text.into() }))
    }

    fn start_of_text(&self, of_line: bool, text: &str) -> Rc<Re> {
        let line_feed = CodeSet::single(u32::from('\n'));
        let before = if of_line { CodeSet::all().difference(&line_feed) } else { CodeSet::all() };
        self.look(false, true, Rc::new(Re::Class(before)), text)
    }

    /// `$` holds at the end and before a line feed that is the last character; with `m`, before any line feed.
    fn end_of_text(&self, of_line: bool) -> Rc<Re> {
        let line_feed = Rc::new(Re::Class(CodeSet::single(u32::from('\n'))));
        if of_line {
            let other = CodeSet::all().difference(&CodeSet::single(u32::from('\n')));
            return self.look(true, true, Rc::new(Re::Class(other)), "$");
        }
        // Not: a character other than a line feed, or a line feed with something after it.
        let other = CodeSet::all().difference(&CodeSet::single(u32::from('\n')));
        let more = Rc::new(Re::Concat(vec![line_feed, any_char()]));
        self.look(true, true, Rc::new(Re::Or(vec![Rc::new(Re::Class(other)), more])), "$")
    }

    fn boundary(&self, positive: bool) -> Rc<Re> {
        let text = if positive { "\\b" } else { "\\B" };
        let word = Rc::new(Re::Class(classes::word(self.flags.ascii)));
        let side = |before_is_word: bool, after_is_word: bool| {
            Rc::new(Re::Concat(vec![
                self.look(false, !before_is_word, Rc::clone(&word), text),
                self.look(true, !after_is_word, Rc::clone(&word), text),
            ]))
        };
        Rc::new(Re::Or(vec![side(true, !positive), side(false, positive)]))
    }

    fn group(&mut self, start: usize) -> Parsed<Option<Rc<Re>>> {
        if self.eat("?#") {
            while !self.eat(")") {
                if self.peek().is_none() {
                    return self.invalid("a comment is never closed");
                }
                self.at += 1;
            }
            return Ok(None);
        }
        let mut kind = None;
        for (mark, ahead, negative) in
            [("?=", true, false), ("?!", true, true), ("?<=", false, false), ("?<!", false, true)]
        {
            if kind.is_none() && self.eat(mark) {
                kind = Some((ahead, negative));
            }
        }
        let flags = self.flags;
        if kind.is_none() && self.peek() == Some('?') && self.special_group(start)? {
            return Ok(None);
        }
        let body = self.disjunction()?;
        self.flags = flags;
        if !self.eat(")") {
            return self.invalid("a `)` is missing");
        }
        let Some((ahead, negative)) = kind else { return Ok(Some(body)) };
        let text: String = self.text[start..self.at].iter().collect();
        let (least, most) = body.width();
        if !ahead && most != Some(least) {
            self.at = start;
            return self.invalid("a lookbehind must match texts of one length");
        }
        Ok(Some(self.look(ahead, negative, body, &text)))
    }

    /// `(?:`, `(?P<name>`, `(?flags:` and, with the result true, `(?flags)`.
    fn special_group(&mut self, start: usize) -> Parsed<bool> {
        if self.eat("?:") {
            return Ok(false);
        }
        if self.eat("?P<") {
            let name = self.text[self.at..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').count();
            self.at += name;
            return if name > 0 && self.eat(">") {
                Ok(false)
            } else {
                self.invalid("a group's name is missing")
            };
        }
        if self.eat("?P=") || self.eat("?(") {
            return self.unsupported(
                start,
                "a reference to a group's match",
                "no context-free grammar can say it; list the alternatives if they are few",
            );
        }
        if self.eat("?>") {
            return self.unsupported(start, "an atomic group", "write `(?:...)`; nothing is searched here");
        }
        self.at += 1;
        let mut on = true;
        loop {
            let Some(c) = self.peek() else { return self.invalid("a `)` is missing") };
            self.at += 1;
            match c {
                ')' if self.depth > 1 || start > 0 => {
                    return self.invalid("flags for the whole pattern stand at its beginning");
                }
                ')' => return Ok(true),
                ':' => return Ok(false),
                '-' => on = false,
                flag => self.set_flag(flag, on)?,
            }
        }
    }

    /// The bounds in braces, if they are: past the opening one, and past the closing one afterwards.
    fn braces(&mut self) -> Option<(u32, Option<u32>)> {
        let close = self.text[self.at..].iter().take(24).position(|&c| c == '}')?;
        let inside: String = self.text[self.at..self.at + close].iter().collect();
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse().unwrap_or(u32::MAX - 1))
        };
        let bounds = match inside.split_once(',') {
            None => number(&inside).map(|n| (n, Some(n))),
            Some(("", "")) => None,
            Some((min, "")) => number(min).map(|n| (n, None)),
            Some(("", max)) => number(max).map(|n| (0, Some(n))),
            Some((min, max)) => number(min).zip(number(max)).map(|(min, max)| (min, Some(max))),
        }?;
        self.at += close + 1;
        Some(bounds)
    }

    fn quantified(&mut self, atom: Rc<Re>) -> Parsed<Rc<Re>> {
        self.skip_verbose();
        let start = self.at;
        let bounds = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                self.at += 1;
                let Some(bounds) = self.braces() else {
                    self.at = start;
                    return Ok(atom);
                };
                self.at -= 1;
                bounds
            }
            _ => return Ok(atom),
        };
        self.at += 1;
        if self.eat("+") {
            return self.unsupported(start, "a possessive quantifier", "remove the second `+`");
        }
        let lazy = self.eat("?");
        if matches!(self.peek(), Some('*' | '+' | '?')) {
            return self.invalid("a repeat cannot be repeated; put it in a group");
        }
        if bounds.1.is_some_and(|max| max < bounds.0) {
            return self.invalid("the bounds of the repeat are exchanged");
        }
        Ok(Rc::new(Re::Repeat(atom, bounds.0, bounds.1, lazy)))
    }

    fn escape(&mut self, start: usize) -> Parsed<Rc<Re>> {
        let Some(c) = self.peek() else { return self.invalid("a backslash ends the pattern") };
        let special = match c {
            'A' => Some(self.start_of_text(false, "\\A")),
            'Z' => Some(self.look(true, true, any_char(), "\\Z")),
            'b' | 'B' => Some(self.boundary(c == 'b')),
            '1'..='9' => {
                return self.unsupported(
                    start,
                    "a reference to a group's match",
                    "no context-free grammar can say it; list the alternatives if they are few",
                );
            }
            _ => None,
        };
        if let Some(look) = special {
            self.at += 1;
            return Ok(look);
        }
        let set = self.class_escape()?;
        // As in `re`, the flag `i` does not reach into categories.
        Ok(if "dDwWsS".contains(c) { Rc::new(Re::Class(set)) } else { self.class_of(set) })
    }

    /// An escape that stands for characters, past the backslash.
    fn class_escape(&mut self) -> Parsed<CodeSet> {
        let Some(c) = self.peek() else { return self.invalid("a backslash ends the pattern") };
        let ascii = self.flags.ascii;
        self.at += 1;
        let not = |set: CodeSet| CodeSet::all().difference(&set);
        Ok(match c {
            'd' => classes::digit(ascii),
            'D' => not(classes::digit(ascii)),
            'w' => classes::word(ascii),
            'W' => not(classes::word(ascii)),
            's' => classes::space(ascii),
            'S' => not(classes::space(ascii)),
            'a' => CodeSet::single(7),
            'b' => CodeSet::single(8),
            't' => CodeSet::single(9),
            'n' => CodeSet::single(10),
            'v' => CodeSet::single(11),
            'f' => CodeSet::single(12),
            'r' => CodeSet::single(13),
            'x' => self.hex(2)?,
            'u' => self.hex(4)?,
            'U' => self.hex(8)?,
            '0'..='7' => self.octal(c)?,
            c if c.is_ascii_alphanumeric() => {
                self.at -= 1;
                return self.invalid(&format!("the escape `\\{c}` means nothing"));
            }
            c => CodeSet::single(u32::from(c)),
        })
    }

    fn hex(&mut self, digits: usize) -> Parsed<CodeSet> {
        let text: String = self.text.iter().skip(self.at).take(digits).collect();
        let all = text.len() == digits && text.chars().all(|c| c.is_ascii_hexdigit());
        let code = u32::from_str_radix(&text, 16).ok().filter(|_| all).and_then(char::from_u32);
        let Some(c) = code else {
            return self.invalid(&format!("{digits} hexadecimal digits of a character are missing"));
        };
        self.at += digits;
        Ok(CodeSet::single(u32::from(c)))
    }

    /// `\0`, and up to two octal digits more.
    fn octal(&mut self, first: char) -> Parsed<CodeSet> {
        let mut code = first.to_digit(8).unwrap_or(0);
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
            code = code * 8 + digit;
            self.at += 1;
        }
        Ok(CodeSet::single(code))
    }

    /// A class, past the opening bracket.
    fn class(&mut self, start: usize) -> Parsed<Rc<Re>> {
        let negated = self.eat("^");
        let (mut out, mut categories) = (CodeSet::default(), CodeSet::default());
        let mut is_first = true;
        loop {
            let Some(c) = self.peek() else {
                self.at = start;
                return self.invalid("this class is never closed");
            };
            if c == ']' && !is_first {
                self.at += 1;
                break;
            }
            is_first = false;
            let is_category = c == '\\' && self.text.get(self.at + 1).is_some_and(|c| "dDwWsS".contains(*c));
            let lo = self.class_atom(c)?;
            let is_range =
                self.peek() == Some('-') && self.text.get(self.at + 1).is_some_and(|&next| next != ']');
            if !is_range {
                let part = if is_category { &mut categories } else { &mut out };
                *part = part.union(&lo);
                continue;
            }
            self.at += 1;
            let next = self.peek().unwrap_or('-');
            let hi = self.class_atom(next)?;
            match (single(&lo), single(&hi)) {
                (Some(lo), Some(hi)) if lo <= hi => {
                    out = out.union(&CodeSet::new([(lo, hi)]).intersection(&CodeSet::all()));
                }
                (Some(_), Some(_)) => return self.invalid("the ends of a range are exchanged"),
                _ => return self.invalid("a range needs single characters at its ends"),
            }
        }
        let out = if self.flags.ignore_case { classes::without_case(&out, self.flags.ascii) } else { out };
        let out = out.union(&categories);
        Ok(Rc::new(Re::Class(if negated { CodeSet::all().difference(&out) } else { out })))
    }

    fn class_atom(&mut self, c: char) -> Parsed<CodeSet> {
        self.at += 1;
        if c == '\\' { self.class_escape() } else { Ok(CodeSet::single(u32::from(c))) }
    }
}

fn single(set: &CodeSet) -> Option<u32> {
    match set.ranges() {
        &[(lo, hi)] if lo == hi => Some(lo),
        _ => None,
    }
}
