//! Terminals as programs of a backtracking matcher, the way Thompson (1968) and Pike's `sam` have them.
//!
//! A program is run by *threads* in an order of preference: at a [`Op::Split`] the first branch is the one that Python's `re`
//! would try first. Whether that order matters is the terminal's to say ([`Program::ordered`]).

use super::pattern::{Look, Re};
use crate::error::{Error, Result};
use crate::regular::CodeSet;
use rustc_hash::FxHashSet;
use std::rc::Rc;

/// How many instructions a program may have; counted repeats are written out.
const MAX_OPS: usize = 50_000;

#[derive(Clone, Debug)]
pub(super) enum Op {
    Char(CodeSet),
    /// Go on at either, the first preferred.
    Split(usize, usize),
    Jump(usize),
    /// The end of a round: back to the loop's split or, if the round has taken nothing, on to what is after the loop.
    Again {
        fork: usize,
        after: usize,
    },
    /// Only if this condition holds, by its number.
    Look(usize),
    Match,
}

#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) ops: Vec<Op>,
    /// Whether a match rules out those that the matcher would try after it.
    pub(super) ordered: bool,
    /// The conditions that it asks, by number.
    pub(super) asks: FxHashSet<usize>,
}

/// What a program is compiled with: terminals by number, and a place to register conditions.
pub(super) trait Surroundings {
    fn terminal(&self, index: usize) -> Result<Rc<Re>>;
    fn look(&mut self, look: &Look) -> Result<usize>;
}

/// The program of an expression without `&` and `~`.
pub(super) fn compile(re: &Re, ordered: bool, around: &mut impl Surroundings) -> Result<Program> {
    let mut compiler = Compiler { program: Program { ordered, ..Program::default() }, around };
    compiler.emit(re)?;
    compiler.push(Op::Match)?;
    Ok(compiler.program)
}

struct Compiler<'s, S> {
    program: Program,
    around: &'s mut S,
}

impl<S: Surroundings> Compiler<'_, S> {
    fn push(&mut self, op: Op) -> Result<usize> {
        if self.program.ops.len() >= MAX_OPS {
            let message =
                format!("a terminal with lookaround or lazy quantifiers needs more than {MAX_OPS} steps");
            return Err(Error::LimitExceeded { limit: "terminal_states", message });
        }
        self.program.ops.push(op);
        Ok(self.program.ops.len() - 1)
    }

    fn here(&self) -> usize {
        self.program.ops.len()
    }

    /// A split whose branches are set later.
    fn fork(&mut self) -> Result<usize> {
        self.push(Op::Split(0, 0))
    }

    fn set(&mut self, fork: usize, enter: usize, leave: usize, lazy: bool) {
        self.program.ops[fork] = if lazy { Op::Split(leave, enter) } else { Op::Split(enter, leave) };
    }

    /// Recursion goes as deep as expressions nest, which the parsers bound.
    fn emit(&mut self, re: &Re) -> Result<()> {
        match re {
            Re::Class(set) => self.push(Op::Char(set.clone())).map(drop),
            Re::Concat(parts) => parts.iter().try_for_each(|part| self.emit(part)),
            Re::Or(options) => self.options(options),
            Re::Repeat(body, min, max, lazy) => self.repeat(body, *min, *max, *lazy),
            Re::Look(look) => {
                let number = self.around.look(look)?;
                self.program.asks.insert(number);
                self.push(Op::Look(number)).map(drop)
            }
            Re::Terminal(index) => {
                let body = self.around.terminal(*index)?;
                self.emit(&body)
            }
            // Their terminals are no programs but terms: see `contexts`.
            Re::And(_) | Re::Not(_) | Re::Shortest(_) | Re::Before(_) => {
                Err(Error::InvalidArgument("a program has no intersections".into()))
            }
        }
    }

    fn options(&mut self, options: &[Rc<Re>]) -> Result<()> {
        let Some((last, firsts)) = options.split_last() else {
            return self.push(Op::Char(CodeSet::default())).map(drop);
        };
        let mut exits = Vec::new();
        for option in firsts {
            let fork = self.fork()?;
            let enter = self.here();
            self.emit(option)?;
            exits.push(self.push(Op::Jump(0))?);
            let leave = self.here();
            self.set(fork, enter, leave, false);
        }
        self.emit(last)?;
        let end = self.here();
        exits.into_iter().for_each(|exit| self.program.ops[exit] = Op::Jump(end));
        Ok(())
    }

    fn repeat(&mut self, body: &Re, min: u32, max: Option<u32>, lazy: bool) -> Result<()> {
        for _ in 0..min {
            self.emit(body)?;
        }
        let Some(max) = max else {
            let fork = self.fork()?;
            let enter = self.here();
            self.emit(body)?;
            let again = self.push(Op::Again { fork, after: 0 })?;
            let leave = self.here();
            self.program.ops[again] = Op::Again { fork, after: leave };
            self.set(fork, enter, leave, lazy);
            return Ok(());
        };
        let mut forks = Vec::new();
        for _ in min..max {
            let fork = self.fork()?;
            forks.push((fork, self.here()));
            self.emit(body)?;
        }
        let leave = self.here();
        forks.into_iter().for_each(|(fork, enter)| self.set(fork, enter, leave, lazy));
        Ok(())
    }
}

impl Program {
    /// The fewest characters before each condition is asked.
    pub(super) fn distances(&self, conditions: usize) -> Vec<Option<usize>> {
        let mut out = vec![None; conditions];
        let mut seen = vec![false; self.ops.len()];
        let mut level = vec![0];
        let mut distance = 0;
        while !level.is_empty() {
            let mut next = Vec::new();
            while let Some(at) = level.pop() {
                if std::mem::replace(&mut seen[at], true) {
                    continue;
                }
                match &self.ops[at] {
                    Op::Char(_) => next.push(at + 1),
                    Op::Split(a, b) => level.extend([*b, *a]),
                    Op::Jump(to) | Op::Again { fork: to, .. } => level.push(*to),
                    Op::Look(number) => {
                        out[*number].get_or_insert(distance);
                        level.push(at + 1);
                    }
                    Op::Match => {}
                }
            }
            level = next;
            distance += 1;
        }
        out
    }
}
