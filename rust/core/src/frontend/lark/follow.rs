//! FIRST and FOLLOW: with which characters rules begin, and which may come after them.
//!
//! A condition on what follows a terminal is void where nothing that may follow could break it, and over where something begins that
//! cannot. Contexts that differ in such conditions alone are one, which keeps [`super::lower`] from multiplying rules that have
//! nothing to do with the lookaround.

use super::expand::{Expanded, Ir};
use super::pattern::Re;
use super::terminals::Terminals;
use crate::regular::CodeSet;

/// The beginnings of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Begin {
    /// Their first characters, or more.
    pub(super) chars: CodeSet,
    /// Whether there may be no text: the end, or a special token.
    pub(super) end: bool,
}

/// How an expression begins, and whether it may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct First {
    pub(super) begin: Begin,
    pub(super) nullable: bool,
}

impl Begin {
    fn add(&mut self, other: &Self) {
        self.end |= other.end;
        if !other.chars.difference(&self.chars).is_empty() {
            self.chars = self.chars.union(&other.chars);
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Follow {
    lexemes: Vec<First>,
    first: Vec<First>,
    pub(super) follow: Vec<Begin>,
}

impl Follow {
    /// Least fixed points over all rules.
    pub(super) fn new(expanded: &Expanded, terminals: &Terminals<'_>) -> Self {
        let lexemes = expanded.lexemes.iter().map(|lexeme| first_of(&lexeme.re, terminals)).collect();
        let first = vec![First::default(); expanded.rules.len()];
        let mut out = Self { lexemes, first, follow: vec![Begin::default(); expanded.rules.len()] };
        let mut changed = true;
        while std::mem::take(&mut changed) {
            for (rule, found) in expanded.rules.iter().enumerate() {
                let first = out.first(&found.body);
                if first != out.first[rule] {
                    out.first[rule] = first;
                    changed = true;
                }
            }
        }
        out.follow[expanded.root].end = true;
        changed = true;
        while std::mem::take(&mut changed) {
            for (rule, found) in expanded.rules.iter().enumerate() {
                let after = out.follow[rule].clone();
                changed |= out.walk(&found.body, &after);
            }
        }
        out
    }

    /// How an expression begins.
    pub(super) fn first(&self, ir: &Ir) -> First {
        match ir {
            Ir::Lexeme(lexeme) => self.lexemes[*lexeme].clone(),
            Ir::Rule(rule) => self.first[*rule].clone(),
            Ir::Token(_) => First { begin: Begin { end: true, ..Begin::default() }, nullable: false },
            Ir::Json(..) => First { begin: Begin { chars: CodeSet::all(), end: false }, nullable: false },
            Ir::Substring(..) => First { begin: Begin { chars: CodeSet::all(), end: false }, nullable: true },
            Ir::Sequence(parts) => {
                let mut out = First { nullable: true, ..First::default() };
                for part in parts {
                    let first = self.first(part);
                    out.begin.add(&first.begin);
                    if !first.nullable {
                        out.nullable = false;
                        break;
                    }
                }
                out
            }
            Ir::Choice(options) => {
                let mut out = First::default();
                for option in options {
                    let first = self.first(option);
                    out.begin.add(&first.begin);
                    out.nullable |= first.nullable;
                }
                out
            }
            Ir::Repeat(body, min, _) => {
                let mut out = self.first(body);
                out.nullable |= *min == 0;
                out
            }
        }
    }

    /// Notes what may follow the rules in an expression that `after` follows; whether anything was new.
    fn walk(&mut self, ir: &Ir, after: &Begin) -> bool {
        match ir {
            Ir::Rule(rule) => {
                let mut follow = self.follow[*rule].clone();
                follow.add(after);
                let is_new = follow != self.follow[*rule];
                self.follow[*rule] = follow;
                is_new
            }
            Ir::Sequence(parts) => {
                let (mut after, mut changed) = (after.clone(), false);
                for part in parts.iter().rev() {
                    changed |= self.walk(part, &after);
                    let first = self.first(part);
                    if !first.nullable {
                        after = Begin::default();
                    }
                    after.add(&first.begin);
                }
                changed
            }
            Ir::Choice(options) => {
                let mut changed = false;
                for option in options {
                    changed |= self.walk(option, after);
                }
                changed
            }
            Ir::Repeat(body, _, max) => {
                let mut after = after.clone();
                if *max != Some(1) {
                    after.add(&self.first(body).begin);
                }
                self.walk(body, &after)
            }
            Ir::Lexeme(_) | Ir::Token(_) | Ir::Json(..) | Ir::Substring(..) => false,
        }
    }
}

/// How a terminal begins, its conditions left aside.
fn first_of(re: &Re, terminals: &Terminals<'_>) -> First {
    match re {
        Re::Class(set) => First { begin: Begin { chars: set.clone(), end: false }, nullable: false },
        Re::Look(_) => First { nullable: true, ..First::default() },
        Re::Concat(parts) => {
            let mut out = First { nullable: true, ..First::default() };
            for part in parts {
                let first = first_of(part, terminals);
                out.begin.add(&first.begin);
                if !first.nullable {
                    out.nullable = false;
                    break;
                }
            }
            out
        }
        Re::Or(options) => {
            let mut out = First::default();
            for option in options {
                let first = first_of(option, terminals);
                out.begin.add(&first.begin);
                out.nullable |= first.nullable;
            }
            out
        }
        Re::Repeat(body, min, ..) => {
            let mut out = first_of(body, terminals);
            out.nullable |= *min == 0;
            out
        }
        Re::Terminal(index) => match terminals.body(*index) {
            Some(body) => first_of(&body, terminals),
            None => First::default(),
        },
        Re::And(_) | Re::Not(_) | Re::Shortest(_) | Re::Before(_) => {
            First { begin: Begin { chars: CodeSet::all(), end: false }, nullable: true }
        }
    }
}
