//! Terminals: from syntax trees to regular expressions, and those without lookaround straight to the grammar.
//!
//! A *plain* terminal (no lookaround, no lazy quantifier, no `&`, `~`, `lazy`, `suffix` or `stop`) matches every text that its
//! expression describes, and becomes an expression of the grammar with its counted repeats kept. Any other becomes an
//! automaton, see [`super::contexts`].

use super::ast::{At, Kind, Node};
use super::contexts::{Contexts, Runner};
use super::load::Program as Definitions;
use super::looks;
use super::pattern::{self, Look, Problem, Re};
use super::program::{self, Surroundings};
use crate::error::{Error, Result};
use crate::frontend::right_linear::{self, Classes};
use crate::grammar::{ExprId, GrammarBuilder};
use crate::regular::{CodeSet, Regular, TermId};
use rustc_hash::FxHashMap;
use std::rc::Rc;

/// What in a terminal needs more than a plain expression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) looks: bool,
    pub(super) lazy: bool,
    /// Intersections, complements, shortest matches.
    pub(super) algebra: bool,
}

impl Needs {
    pub(super) fn is_plain(self) -> bool {
        self == Self::default()
    }
}

/// A defined terminal as far as it is known.
#[derive(Clone)]
enum Known {
    /// Its expression is being made: to meet it again is recursion.
    Begun,
    Done(Rc<Re>, Needs),
}

pub(super) struct Terminals<'d> {
    pub(super) definitions: &'d Definitions,
    pub(super) contexts: Contexts,
    known: FxHashMap<usize, Known>,
    /// The rule of each plain terminal.
    rules: FxHashMap<usize, ExprId>,
    pub(super) classes: Classes,
    terms: FxHashMap<usize, TermId>,
    /// The number of each condition, by the address of its body (which lives as long as the terminals) and its kind.
    looks: FxHashMap<(*const Re, bool, bool), usize>,
    /// Where the terminal at hand stands, for errors.
    at: At,
}

impl<'d> Terminals<'d> {
    pub(super) fn new(definitions: &'d Definitions, contexts: Contexts) -> Self {
        let at = At { file: 0, start: 0, end: 0 };
        let (known, rules, classes) = (FxHashMap::default(), FxHashMap::default(), FxHashMap::default());
        let (terms, looks) = (FxHashMap::default(), FxHashMap::default());
        Self { definitions, contexts, known, rules, classes, terms, looks, at }
    }

    /// The expression of a defined terminal.
    pub(super) fn defined(&mut self, index: usize, used_at: At) -> Result<(Rc<Re>, Needs)> {
        match self.known.get(&index) {
            Some(Known::Done(re, needs)) => return Ok((Rc::clone(re), *needs)),
            Some(Known::Begun) => {
                let name = &self.definitions.definitions[index].name;
                let message = format!("the terminal `{name}` leads back to itself");
                return Err(self.definitions.syntax(
                    used_at,
                    message,
                    "only rules can; write it in small letters",
                ));
            }
            None => {}
        }
        let definition = &self.definitions.definitions[index];
        let Some(body) = &definition.body else {
            let feature = format!("the declared terminal `{}`", definition.name);
            let hint = "what it matches is up to a program around Lark; define it";
            return Err(self.definitions.unsupported(used_at, feature, hint));
        };
        self.known.insert(index, Known::Begun);
        let mut re = self.expression(body)?;
        if let Some(suffix) = &definition.attributes.suffix {
            re = Rc::new(Re::Concat(vec![re, self.expression(suffix)?]));
        }
        if let Some(stop) = &definition.attributes.stop {
            re = Rc::new(Re::Before([re, self.expression(stop)?]));
        } else if definition.attributes.make_terminal() {
            re = Rc::new(Re::Shortest(re));
        }
        let needs = self.needs(&re);
        if needs.algebra && (needs.looks || needs.lazy) {
            let feature = "lookaround or a lazy quantifier in a terminal with `&`, `~`, lazy, suffix or stop";
            let hint = "write the condition with `&` and `~` alone";
            return Err(self.definitions.unsupported(definition.at, feature, hint));
        }
        self.known.insert(index, Known::Done(Rc::clone(&re), needs));
        Ok((re, needs))
    }

    /// What an expression needs; its terminals are known already.
    pub(super) fn needs(&self, re: &Re) -> Needs {
        let mut needs = match re {
            Re::Look(_) => Needs { looks: true, ..Needs::default() },
            Re::Repeat(_, _, _, true) => Needs { lazy: true, ..Needs::default() },
            Re::And(_) | Re::Not(_) | Re::Shortest(_) | Re::Before(_) => {
                Needs { algebra: true, ..Needs::default() }
            }
            Re::Terminal(index) => match self.known.get(index) {
                Some(Known::Done(_, needs)) => *needs,
                _ => Needs::default(),
            },
            _ => Needs::default(),
        };
        for part in re.parts() {
            let inner = self.needs(part);
            needs.looks |= inner.looks;
            needs.lazy |= inner.lazy;
            needs.algebra |= inner.algebra;
        }
        needs
    }

    /// The expression of a defined terminal that is known already.
    pub(super) fn body(&self, index: usize) -> Option<Rc<Re>> {
        match self.known.get(&index) {
            Some(Known::Done(re, _)) => Some(Rc::clone(re)),
            _ => None,
        }
    }

    /// The expression of a node inside a terminal.
    pub(super) fn expression(&mut self, node: &Node) -> Result<Rc<Re>> {
        Ok(match &node.kind {
            Kind::Text { value, ignore_case } => Re::text(value, *ignore_case),
            Kind::Range(lo, hi) => {
                let set = CodeSet::new([(u32::from(*lo), u32::from(*hi))]);
                Rc::new(Re::Class(set.intersection(&CodeSet::all())))
            }
            Kind::Regexp { pattern, flags } => {
                pattern::parse(pattern, flags).map_err(|problem| self.in_pattern(problem, node.at))?
            }
            Kind::Sequence(parts) => Rc::new(Re::Concat(self.all(parts)?)),
            Kind::Choice(options) => {
                let mut options = self.all(options)?;
                // As Lark does: the longest first, which matters beside lazy quantifiers alone.
                options.sort_by_key(|option| {
                    let (least, most) = self.width(option);
                    (std::cmp::Reverse(most.unwrap_or(u64::MAX)), std::cmp::Reverse(least))
                });
                Rc::new(Re::Or(options))
            }
            Kind::Both(parts) => Rc::new(Re::And(self.all(parts)?)),
            Kind::Not(body) => Rc::new(Re::Not(self.expression(body)?)),
            Kind::Repeat(body, min, max) => Rc::new(Re::Repeat(self.expression(body)?, *min, *max, false)),
            Kind::Name(name) => self.reference(name, node.at)?,
            Kind::Template(name, _) => {
                return Err(self.not_in_terminals(node.at, &format!("the template `{name}`")));
            }
            Kind::Token(_) => return Err(self.not_in_terminals(node.at, "a special token")),
            Kind::Json(_) => return Err(self.not_in_terminals(node.at, "%json")),
            Kind::Substring(_) => return Err(self.not_in_terminals(node.at, "%regex")),
        })
    }

    fn all(&mut self, nodes: &[Node]) -> Result<Vec<Rc<Re>>> {
        nodes.iter().map(|node| self.expression(node)).collect()
    }

    fn reference(&mut self, name: &str, at: At) -> Result<Rc<Re>> {
        match self.definitions.definition(name) {
            None => Err(self.definitions.undefined(at, name)),
            Some((index, definition)) if definition.is_terminal => {
                self.defined(index, at)?;
                Ok(Rc::new(Re::Terminal(index)))
            }
            Some(_) => Err(self.not_in_terminals(at, &format!("the rule `{name}`"))),
        }
    }

    fn not_in_terminals(&self, at: At, what: &str) -> Error {
        let hint = "terminals are made of strings, patterns and terminals; write a rule, in small letters";
        self.definitions.syntax(at, format!("{what} cannot stand inside a terminal"), hint)
    }

    /// The fewest and most characters, terminals followed.
    fn width(&self, re: &Re) -> (u64, Option<u64>) {
        match re {
            Re::Terminal(index) => match self.known.get(index) {
                Some(Known::Done(body, _)) => self.width(body),
                _ => (0, None),
            },
            Re::Concat(parts) => parts.iter().fold((0, Some(0)), |(least, most), part| {
                let (lo, hi) = self.width(part);
                (lo.saturating_add(least), most.zip(hi).map(|(a, b): (u64, u64)| a.saturating_add(b)))
            }),
            Re::Or(parts) => {
                let widths: Vec<_> = parts.iter().map(|part| self.width(part)).collect();
                let most = widths.iter().map(|w| w.1).try_fold(0, |most, w| Some(most.max(w?)));
                (widths.iter().map(|w| w.0).min().unwrap_or(0), most)
            }
            Re::Repeat(body, min, max, _) => {
                let (lo, hi) = self.width(body);
                let most = max.zip(hi).map(|(n, hi)| u64::from(n).saturating_mul(hi));
                (lo.saturating_mul(u64::from(*min)), most)
            }
            other => other.width(),
        }
    }

    fn in_pattern(&self, problem: Problem, at: At) -> Error {
        match problem {
            Problem::Invalid(place, what) => {
                let message = format!("in the pattern, at its character {}: {what}", place + 1);
                self.definitions.syntax(at, message, "patterns are those of Python's `re`")
            }
            Problem::Unsupported(place, what, hint) => {
                let feature = format!("{what} (character {} of the pattern)", place + 1);
                self.definitions.unsupported(at, feature, hint)
            }
            Problem::TooDeep => Error::LimitExceeded {
                limit: "nesting_depth",
                message: "a pattern's groups nest too deeply".into(),
            },
        }
    }

    /// How a terminal that is not plain, or stands in a context, is run.
    pub(super) fn runner(&mut self, re: &Rc<Re>, needs: Needs, at: At) -> Result<Runner> {
        self.at = at;
        if needs.algebra {
            return self.term(re).map(Runner::Term);
        }
        let program = program::compile(re, needs.lazy, self)?;
        self.contexts.note_reach(&program);
        Ok(Runner::Program(program))
    }

    /// The language of an expression without looks.
    fn term(&mut self, re: &Re) -> Result<TermId> {
        self.contexts.budget.work()?;
        if self.contexts.regular.len() > self.contexts.budget.state_limit() {
            let message = "the terminals are too large".into();
            return Err(Error::LimitExceeded { limit: "terminal_states", message });
        }
        let parts: Vec<TermId> = re.parts().iter().map(|part| self.term(part)).collect::<Result<_>>()?;
        let regular = &mut self.contexts.regular;
        Ok(match re {
            Re::Class(set) => regular.class(set.clone()),
            Re::Concat(_) => {
                let empty = regular.empty();
                parts.into_iter().rev().fold(empty, |rest, part| regular.concat(part, rest))
            }
            Re::Or(_) => regular.or(parts),
            Re::And(_) => regular.and(parts),
            Re::Repeat(_, min, max, _) => regular.repeat(parts[0], *min, *max),
            Re::Not(_) => regular.not(parts[0]),
            Re::Shortest(_) => shortest(regular, parts[0]),
            Re::Before(_) => {
                let stopped = regular.concat(parts[0], parts[1]);
                let whole = shortest(regular, stopped);
                regular.before(parts[0], whole, parts[1], &mut self.contexts.budget)?
            }
            Re::Terminal(index) => match (self.terms.get(index), self.known.get(index).cloned()) {
                (Some(&term), _) => term,
                (None, Some(Known::Done(body, _))) => {
                    let term = self.term(&body)?;
                    self.terms.insert(*index, term);
                    term
                }
                _ => regular.nothing(),
            },
            Re::Look(_) => return Err(Error::InvalidArgument("a term has no lookaround".into())),
        })
    }

    /// The expression of a plain terminal's body.
    pub(super) fn plain(&mut self, builder: &mut GrammarBuilder, re: &Re) -> Result<ExprId> {
        if let Re::Concat(parts) = re {
            return self.plain_sequence(builder, parts);
        }
        if let Re::Terminal(index) = re {
            return self.plain_rule(builder, *index);
        }
        let parts: Vec<ExprId> =
            re.parts().iter().map(|part| self.plain(builder, part)).collect::<Result<_>>()?;
        Ok(match re {
            Re::Class(set) => right_linear::class(builder, &mut self.classes, set),
            Re::Or(_) => builder.choice(parts),
            Re::Repeat(_, min, max, _) => builder.repeat(parts[0], *min, *max),
            _ => return Err(Error::InvalidArgument("a terminal with lookaround is no plain one".into())),
        })
    }

    /// One after the other; single characters in a row are one literal.
    fn plain_sequence(&mut self, builder: &mut GrammarBuilder, parts: &[Rc<Re>]) -> Result<ExprId> {
        let mut out = Vec::new();
        let mut text = String::new();
        for part in parts {
            let single = match &**part {
                Re::Class(set) => match set.ranges() {
                    &[(lo, hi)] if lo == hi => char::from_u32(lo),
                    _ => None,
                },
                _ => None,
            };
            if let Some(c) = single {
                text.push(c);
                continue;
            }
            if !text.is_empty() {
                out.push(builder.literal(std::mem::take(&mut text)));
            }
            out.push(self.plain(builder, part)?);
        }
        if !text.is_empty() {
            out.push(builder.literal(text));
        }
        Ok(builder.concat(out))
    }

    /// A defined terminal as a rule of its own.
    pub(super) fn plain_rule(&mut self, builder: &mut GrammarBuilder, index: usize) -> Result<ExprId> {
        if let Some(&expr) = self.rules.get(&index) {
            return Ok(expr);
        }
        let definition = &self.definitions.definitions[index];
        let (re, _) = self.defined(index, definition.at)?;
        let body = self.plain(builder, &re)?;
        let rule = builder.declare_fresh(&definition.name);
        builder.define(rule, body, super::lower::span(definition.at))?;
        let expr = builder.rule_ref(rule);
        self.rules.insert(index, expr);
        Ok(expr)
    }
}

/// The texts of a language that begin with no other one of it.
fn shortest(regular: &mut Regular, language: TermId) -> TermId {
    let any = regular.class(CodeSet::all());
    let more = regular.repeat(any, 1, None);
    let longer = regular.concat(language, more);
    let shortest = regular.not(longer);
    regular.and([language, shortest])
}

impl Surroundings for Terminals<'_> {
    fn terminal(&self, index: usize) -> Result<Rc<Re>> {
        match self.known.get(&index) {
            Some(Known::Done(re, _)) => Ok(Rc::clone(re)),
            _ => Err(Error::InvalidArgument("a terminal is not known yet".into())),
        }
    }

    fn look(&mut self, look: &Look) -> Result<usize> {
        let key = (Rc::as_ptr(&look.body), look.ahead, look.negative);
        if let Some(&number) = self.looks.get(&key) {
            return Ok(number);
        }
        let language =
            looks::language(&mut self.contexts.regular, look).map_err(|looks::Refused(what)| {
                let feature = format!("{what} (`{}`)", look.text);
                self.definitions.unsupported(
                    self.at,
                    feature,
                    "write the condition as one lookaround of plain text",
                )
            })?;
        let number = self.contexts.add(look, language);
        self.looks.insert(key, number);
        Ok(number)
    }
}
