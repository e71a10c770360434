//! ECMA-262 patterns (section 22.2.1, with the `u` flag's reading of code points) to a syntax tree.
//!
//! What Annex B allows without harm is allowed: a brace or bracket that cannot be anything else is itself. An escaped letter that
//! means nothing is refused, because other dialects give it a meaning (`\A`, `\Z`, `\h`).

use crate::regular::CodeSet;

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ast {
    Class(CodeSet),
    Start,
    End,
    /// A word boundary; `false`: none.
    Boundary(bool),
    Concat(Vec<Ast>),
    Or(Vec<Ast>),
    Repeat(Box<Ast>, u32, Option<u32>),
    Look {
        ahead: bool,
        negative: bool,
        body: Box<Ast>,
    },
}

/// Why a text is no pattern, or not one that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::json_schema) enum Problem {
    Invalid(String),
    Unsupported(&'static str),
}

type Parsed<T> = Result<T, Problem>;

const MAX_NESTING: u32 = 120;

struct Parser<'a> {
    text: &'a [char],
    at: usize,
    depth: u32,
}

/// Reads a pattern.
pub(super) fn parse(pattern: &str) -> Parsed<Ast> {
    let text: Vec<char> = pattern.chars().collect();
    let mut parser = Parser { text: &text, at: 0, depth: 0 };
    let ast = parser.disjunction()?;
    match parser.peek() {
        None => Ok(ast),
        Some(c) => Err(Problem::Invalid(format!("{c:?} stands alone at character {}", parser.at))),
    }
}

fn set(ranges: &[(char, char)]) -> CodeSet {
    CodeSet::new(ranges.iter().map(|&(lo, hi)| (u32::from(lo), u32::from(hi))))
}

pub(super) fn word() -> CodeSet {
    set(&[('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')])
}

fn space() -> CodeSet {
    set(&[
        ('\t', '\r'),
        (' ', ' '),
        ('\u{a0}', '\u{a0}'),
        ('\u{1680}', '\u{1680}'),
        ('\u{2000}', '\u{200a}'),
        ('\u{2028}', '\u{2029}'),
        ('\u{202f}', '\u{202f}'),
        ('\u{205f}', '\u{205f}'),
        ('\u{3000}', '\u{3000}'),
        ('\u{feff}', '\u{feff}'),
    ])
}

fn complement(set: &CodeSet) -> CodeSet {
    CodeSet::all().difference(set)
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = text.chars().enumerate().all(|(i, c)| self.text.get(self.at + i) == Some(&c));
        self.at += if found { text.chars().count() } else { 0 };
        found
    }

    fn invalid<T>(&self, what: &str) -> Parsed<T> {
        Err(Problem::Invalid(format!("{what} at character {}", self.at)))
    }

    fn disjunction(&mut self) -> Parsed<Ast> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return self.invalid("groups nested too deeply");
        }
        let mut options = vec![self.alternative()?];
        while self.eat("|") {
            options.push(self.alternative()?);
        }
        self.depth -= 1;
        Ok(if options.len() == 1 { options.remove(0) } else { Ast::Or(options) })
    }

    fn alternative(&mut self) -> Parsed<Ast> {
        let mut parts = Vec::new();
        while let Some(c) = self.peek().filter(|&c| c != '|' && c != ')') {
            let atom = self.atom(c)?;
            parts.push(self.quantified(atom)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Ast::Concat(parts) })
    }

    fn atom(&mut self, c: char) -> Parsed<Ast> {
        self.at += 1;
        match c {
            '^' => Ok(Ast::Start),
            '$' => Ok(Ast::End),
            '.' => Ok(Ast::Class(complement(&set(&[('\n', '\n'), ('\r', '\r'), ('\u{2028}', '\u{2029}')])))),
            '(' => self.group(),
            '[' => self.class(),
            '\\' => self.escape(),
            '*' | '+' | '?' => {
                self.at -= 1;
                self.invalid("nothing to repeat")
            }
            '{' if self.braces().is_some() => self.invalid("nothing to repeat"),
            c => Ok(Ast::Class(CodeSet::single(u32::from(c)))),
        }
    }

    fn group(&mut self) -> Parsed<Ast> {
        let look = |ahead, negative| Some((ahead, negative));
        let kind = if self.eat("?:") {
            None
        } else if self.eat("?=") {
            look(true, false)
        } else if self.eat("?!") {
            look(true, true)
        } else if self.eat("?<=") {
            look(false, false)
        } else if self.eat("?<!") {
            look(false, true)
        } else if self.eat("?<") {
            let is_name = |c: &char| c.is_alphanumeric() || "_$".contains(*c);
            let length = self.text[self.at..].iter().take_while(|c| is_name(c)).count();
            self.at += length;
            if length == 0 || !self.eat(">") {
                return self.invalid("a group's name is missing");
            }
            None
        } else if self.peek() == Some('?') {
            return Err(Problem::Unsupported("a group with flags; ECMA-262 has none"));
        } else {
            None
        };
        let body = self.disjunction()?;
        if !self.eat(")") {
            return self.invalid("a closing parenthesis is missing");
        }
        Ok(match kind {
            None => body,
            Some((ahead, negative)) => Ast::Look { ahead, negative, body: Box::new(body) },
        })
    }

    /// The bounds in braces here, if they are: `self.at` is past the opening one, and past the closing one afterwards.
    fn braces(&mut self) -> Option<(u32, Option<u32>)> {
        let close = self.text[self.at..].iter().position(|&c| c == '}')?;
        let inside: String = self.text[self.at..self.at + close].iter().collect();
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse().unwrap_or(u32::MAX - 1))
        };
        let bounds = match inside.split_once(',') {
            None => number(&inside).map(|n| (n, Some(n))),
            Some((min, "")) => number(min).map(|n| (n, None)),
            Some((min, max)) => number(min).zip(number(max)).map(|(min, max)| (min, Some(max))),
        }?;
        self.at += close + 1;
        Some(bounds)
    }

    fn quantified(&mut self, atom: Ast) -> Parsed<Ast> {
        let bounds = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                self.at += 1;
                let Some(bounds) = self.braces() else {
                    self.at -= 1;
                    return Ok(atom);
                };
                self.at -= 1;
                bounds
            }
            _ => return Ok(atom),
        };
        self.at += 1;
        // Lazy or not, the language is the same.
        self.eat("?");
        if matches!(self.peek(), Some('*' | '+' | '?')) {
            return self.invalid("nothing to repeat");
        }
        if bounds.1.is_some_and(|max| max < bounds.0) {
            return self.invalid("the bounds of a repeat are out of order");
        }
        Ok(Ast::Repeat(Box::new(atom), bounds.0, bounds.1))
    }

    fn escape(&mut self) -> Parsed<Ast> {
        let Some(c) = self.peek() else { return self.invalid("a backslash ends the pattern") };
        match c {
            'b' | 'B' => {
                self.at += 1;
                Ok(Ast::Boundary(c == 'b'))
            }
            '1'..='9' => {
                Err(Problem::Unsupported("a reference to a group's text, which no regular language has"))
            }
            'k' => Err(Problem::Unsupported("a reference to a group's text, which no regular language has")),
            _ => Ok(Ast::Class(self.class_escape()?)),
        }
    }

    /// An escape that stands for characters, past the backslash.
    fn class_escape(&mut self) -> Parsed<CodeSet> {
        let Some(c) = self.peek() else { return self.invalid("a backslash ends the pattern") };
        self.at += 1;
        let single = |code: u32| Ok(CodeSet::single(code));
        match c {
            'd' => Ok(set(&[('0', '9')])),
            'D' => Ok(complement(&set(&[('0', '9')]))),
            'w' => Ok(word()),
            'W' => Ok(complement(&word())),
            's' => Ok(space()),
            'S' => Ok(complement(&space())),
            't' => single(9),
            'n' => single(10),
            'v' => single(11),
            'f' => single(12),
            'r' => single(13),
            'b' => single(8),
            '0' if !self.peek().is_some_and(|c| c.is_ascii_digit()) => single(0),
            'c' => match self.peek() {
                Some(letter) if letter.is_ascii_alphabetic() => {
                    self.at += 1;
                    single(u32::from(letter) % 32)
                }
                _ => self.invalid("a control letter is missing"),
            },
            'x' => match self.hex(2) {
                Some(code) => single(code),
                None => self.invalid("two hexadecimal digits are missing"),
            },
            'u' => self.unicode_escape(),
            'p' | 'P' => self.property(c == 'P'),
            c if c.is_ascii_alphanumeric() => self.invalid(&format!("the escape \\{c} means nothing")),
            c => single(u32::from(c)),
        }
    }

    fn hex(&mut self, digits: usize) -> Option<u32> {
        let text: String = self.text.get(self.at..self.at + digits)?.iter().collect();
        let all = text.chars().all(|c| c.is_ascii_hexdigit());
        let code = u32::from_str_radix(&text, 16).ok().filter(|_| all)?;
        self.at += digits;
        Some(code)
    }

    fn unicode_escape(&mut self) -> Parsed<CodeSet> {
        if self.eat("{") {
            let length = self.text[self.at..].iter().take_while(|c| c.is_ascii_hexdigit()).count();
            let code = if length <= 8 { self.hex(length) } else { None };
            return match code.and_then(char::from_u32) {
                Some(c) if self.eat("}") => Ok(CodeSet::single(u32::from(c))),
                _ => self.invalid("a code point is missing"),
            };
        }
        let Some(code) = self.hex(4) else { return self.invalid("four hexadecimal digits are missing") };
        if (0xD800..0xDC00).contains(&code) {
            let before = self.at;
            if self.eat("\\u")
                && let Some(low) = self.hex(4).filter(|low| (0xDC00..0xE000).contains(low))
            {
                return Ok(CodeSet::single(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)));
            }
            self.at = before;
        }
        // Half a surrogate pair matches no text of code points.
        Ok(CodeSet::single(code).intersection(&CodeSet::all()))
    }

    fn property(&mut self, negated: bool) -> Parsed<CodeSet> {
        let close = self.text[self.at..].iter().position(|&c| c == '}');
        let (true, Some(close)) = (self.peek() == Some('{'), close) else {
            return self.invalid("the name of a property is missing");
        };
        let name: String = self.text[self.at + 1..self.at + close].iter().collect();
        self.at += close + 1;
        let hir = regex_syntax::parse(&format!("\\p{{{name}}}"));
        let class = match hir.as_ref().map(regex_syntax::hir::Hir::kind) {
            Ok(regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(class))) => class,
            _ => return self.invalid(&format!("there is no property {name:?}")),
        };
        let ranges = class.ranges().iter().map(|r| (u32::from(r.start()), u32::from(r.end())));
        let set = CodeSet::new(ranges).intersection(&CodeSet::all());
        Ok(if negated { complement(&set) } else { set })
    }

    /// A class, past the opening bracket.
    fn class(&mut self) -> Parsed<Ast> {
        let negated = self.eat("^");
        let mut out = CodeSet::default();
        loop {
            let Some(c) = self.peek() else { return self.invalid("a closing bracket is missing") };
            if self.eat("]") {
                break;
            }
            let first = self.class_atom(c)?;
            let is_range = self.peek() == Some('-') && self.text.get(self.at + 1).is_some_and(|&c| c != ']');
            if !is_range {
                out = out.union(&first);
                continue;
            }
            self.at += 1;
            let last = match self.peek() {
                Some(c) => self.class_atom(c)?,
                None => return self.invalid("a closing bracket is missing"),
            };
            out = out.union(&match (single(&first), single(&last)) {
                (Some(lo), Some(hi)) if lo <= hi => CodeSet::new([(lo, hi)]).intersection(&CodeSet::all()),
                (Some(_), Some(_)) => return self.invalid("a range is out of order"),
                // Annex B: `[\w-x]` is three members.
                _ => first.union(&last).union(&CodeSet::single(u32::from('-'))),
            });
        }
        Ok(Ast::Class(if negated { complement(&out) } else { out }))
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
