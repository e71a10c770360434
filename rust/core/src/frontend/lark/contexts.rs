//! Terminals in context: which texts a terminal matches, given what stands before it, and what may stand after it then.
//!
//! A lookahead at the end of a terminal looks at what follows, a lookbehind at its beginning at what went before. So places
//! between terminals have a [`Context`]: for each lookbehind that can see past the beginning of its terminal, what the text
//! so far means for it (a derivative, see [`crate::regular`]), and the language that the rest of the text must be in. From
//! each context a terminal is a deterministic automaton whose final states say which contexts follow ([`Automaton`]); the
//! grammar is then multiplied out by contexts (Bar-Hillel, Perles and Shamir, 1961) in [`super::lower`]. Without lookaround
//! there is one context, and nothing is multiplied.
//!
//! *Preference.* A terminal with lazy quantifiers matches a text only if `re.match` on that text would take all of it: so a
//! match takes from the threads after it all that it covers, which with a lookahead pending is "unless what follows is such".

use super::follow::Begin;
use super::pattern::Look;
use super::program::{Op, Program};
use crate::automaton::Budget;
use crate::error::{Error, Result};
use crate::frontend::right_linear::Edges;
use crate::regular::{Block, Blocks, CodeSet, Regular, TermId};
use rustc_hash::{FxHashMap, FxHashSet};

/// How many contexts a grammar may have.
const MAX_CONTEXTS: usize = 64;

/// A place in the text, as far as looks can tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Context {
    /// For each look behind, what of `Σ* body` is left after the text so far.
    behind: Vec<TermId>,
    /// What the rest of the text must be in.
    ahead: TermId,
}

/// Index of a [`Context`]; 0 is where the text begins.
pub(super) type ContextId = usize;

/// What a terminal matches from one context.
#[derive(Debug)]
pub(super) struct Automaton {
    /// For each state, disjoint sets of characters and where they lead.
    pub(super) edges: Edges,
    /// For each state, the contexts in which the terminal may end there.
    pub(super) ends: Vec<Vec<ContextId>>,
}

/// A condition that is registered.
struct Condition {
    ahead: bool,
    negative: bool,
    /// The texts so far if it looks behind, the rests if ahead.
    language: TermId,
    /// Characters that a lookbehind looks at.
    width: usize,
    /// Whether it can look past the beginning of its terminal.
    reaches_out: bool,
}

/// Where a thread stands in its terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    Op(usize),
    Term(TermId),
}

/// A terminal as it is run.
pub(super) enum Runner {
    Program(Program),
    Term(TermId),
}

type Thread = (Context, Place);

pub(super) struct Contexts {
    pub(super) regular: Regular,
    conditions: Vec<Condition>,
    contexts: Vec<Context>,
    ids: FxHashMap<Context, ContextId>,
    pub(super) budget: Budget,
}

impl Contexts {
    pub(super) fn new(budget: Budget) -> Self {
        let (conditions, contexts, ids) = (Vec::new(), Vec::new(), FxHashMap::default());
        Self { regular: Regular::new(), conditions, contexts, ids, budget }
    }

    /// Registers a condition with its language, see [`super::looks`].
    pub(super) fn add(&mut self, look: &Look, language: TermId) -> usize {
        let width = look.body.width().0.try_into().unwrap_or(usize::MAX);
        let Look { ahead, negative, .. } = *look;
        self.conditions.push(Condition { ahead, negative, language, width, reaches_out: false });
        self.conditions.len() - 1
    }

    /// Notes which lookbehinds of a program can look past its beginning.
    pub(super) fn note_reach(&mut self, program: &Program) {
        let distances = program.distances(self.conditions.len());
        for (condition, distance) in self.conditions.iter_mut().zip(distances) {
            let near = distance.is_some_and(|distance| distance < condition.width);
            condition.reaches_out |= !condition.ahead && near;
        }
    }

    /// The context where the text begins; to be asked for once all conditions are known.
    pub(super) fn first(&mut self) -> Result<ContextId> {
        let behind = self.conditions.iter().map(|condition| condition.language).collect();
        let ahead = self.regular.everything();
        self.number(Context { behind, ahead })
    }

    fn number(&mut self, mut context: Context) -> Result<ContextId> {
        for (term, condition) in context.behind.iter_mut().zip(&self.conditions) {
            if condition.ahead || !condition.reaches_out {
                *term = condition.language;
            }
        }
        if let Some(&id) = self.ids.get(&context) {
            return Ok(id);
        }
        if self.contexts.len() >= MAX_CONTEXTS {
            let message =
                format!("lookaround at the ends of terminals tells more than {MAX_CONTEXTS} contexts apart");
            return Err(Error::LimitExceeded { limit: "contexts", message });
        }
        self.contexts.push(context.clone());
        self.ids.insert(context, self.contexts.len() - 1);
        Ok(self.contexts.len() - 1)
    }

    /// Whether the text may end in a context.
    pub(super) fn may_end(&self, id: ContextId) -> bool {
        self.regular.is_nullable(self.contexts[id].ahead)
    }

    /// The context without its condition on the rest of the text, if no text that begins so could break it.
    pub(super) fn eased(&mut self, id: ContextId, begin: &Begin) -> Result<ContextId> {
        let (ahead, everything) = (self.contexts[id].ahead, self.regular.everything());
        if ahead == everything || (begin.end && !self.regular.is_nullable(ahead)) {
            return Ok(id);
        }
        for block in self.regular.blocks(ahead).iter() {
            let may_come = block.set().intersects(&begin.chars);
            if may_come && self.regular.derivative(ahead, block.first()) != everything {
                return Ok(id);
            }
        }
        self.number(Context { ahead: everything, ..self.contexts[id].clone() })
    }

    /// Whether any condition was registered.
    pub(super) fn has_conditions(&self) -> bool {
        !self.conditions.is_empty()
    }

    /// Whether no condition looks at this place.
    pub(super) fn is_plain(&mut self, id: ContextId) -> bool {
        self.contexts[id].ahead == self.regular.everything() && !self.conditions.iter().any(|c| c.reaches_out)
    }

    /// What a terminal matches from a context.
    pub(super) fn explore(&mut self, runner: &Runner, from: ContextId) -> Result<Automaton> {
        let place = match runner {
            Runner::Program(_) => Place::Op(0),
            Runner::Term(term) => Place::Term(*term),
        };
        let start = self.settle(runner, vec![(self.contexts[from].clone(), place)])?;
        let mut numbers = FxHashMap::from_iter([(start.clone(), 0)]);
        let mut order = vec![start];
        let mut automaton = Automaton { edges: Vec::new(), ends: Vec::new() };
        while let Some(threads) = order.get(automaton.edges.len()).cloned() {
            self.budget.state()?;
            automaton.ends.push(self.ends(runner, &threads)?);
            let mut edges: Vec<(CodeSet, usize)> = Vec::new();
            for block in self.blocks(runner, &threads) {
                self.budget.work()?;
                let Some(symbol) = block.first() else { continue };
                let next = self.step(runner, &threads, symbol)?;
                if next.is_empty() {
                    continue;
                }
                let number = *numbers.entry(next).or_insert_with_key(|next| {
                    order.push(next.clone());
                    order.len() - 1
                });
                match edges.iter_mut().find(|edge| edge.1 == number) {
                    Some((set, _)) => *set = set.union(&block),
                    None => edges.push((block, number)),
                }
            }
            automaton.edges.push(edges);
        }
        Ok(automaton)
    }

    /// Whether a thread's terminal may end where it stands.
    fn is_match(&self, runner: &Runner, place: Place) -> bool {
        match (runner, place) {
            (Runner::Program(program), Place::Op(at)) => matches!(program.ops[at], Op::Match),
            (_, Place::Term(term)) => self.regular.is_nullable(term),
            (Runner::Term(_), Place::Op(_)) => false,
        }
    }

    fn ends(&mut self, runner: &Runner, threads: &[Thread]) -> Result<Vec<ContextId>> {
        let mut out = Vec::new();
        for (context, place) in threads {
            if self.is_match(runner, *place) {
                out.push(self.number(context.clone())?);
            }
        }
        out.sort_unstable();
        out.dedup();
        Ok(out)
    }

    /// Follows splits, jumps and conditions; keeps threads before a character and at matches, in their order.
    fn settle(&mut self, runner: &Runner, threads: Vec<Thread>) -> Result<Vec<Thread>> {
        let Runner::Program(program) = runner else { return Ok(threads) };
        let nothing = self.regular.nothing();
        let (mut seen, mut out): (FxHashSet<Thread>, Vec<Thread>) = Default::default();
        // What all matches so far leave to the threads after them.
        let mut left = self.regular.everything();
        let mut todo: Vec<Thread> = threads.into_iter().rev().collect();
        while let Some((mut context, place)) = todo.pop() {
            self.budget.work()?;
            let Place::Op(at) = place else { continue };
            if program.ordered {
                context.ahead = self.regular.and([context.ahead, left]);
            }
            if context.ahead == nothing || !seen.insert((context.clone(), place)) {
                continue;
            }
            match &program.ops[at] {
                Op::Split(first, second) => {
                    todo.push((context.clone(), Place::Op(*second)));
                    todo.push((context, Place::Op(*first)));
                }
                Op::Jump(to) => todo.push((context, Place::Op(*to))),
                // Met a second time without a character between: by `re`'s rule the loop is over.
                Op::Again { fork, after } => {
                    let is_empty_round = seen.contains(&(context.clone(), Place::Op(*fork)));
                    todo.push((context, Place::Op(if is_empty_round { *after } else { *fork })));
                }
                Op::Look(number) => {
                    if let Some(context) = self.look(*number, context) {
                        todo.push((context, Place::Op(at + 1)));
                    }
                }
                Op::Char(_) => out.push((context, place)),
                Op::Match => {
                    if program.ordered {
                        let rest = self.regular.not(context.ahead);
                        left = self.regular.and([left, rest]);
                    }
                    out.push((context, place));
                }
            }
        }
        if !program.ordered {
            out.sort_by_key(|(context, place)| match place {
                Place::Op(at) => (*at, context.ahead, context.behind.clone()),
                Place::Term(_) => (0, context.ahead, Vec::new()),
            });
        }
        Ok(out)
    }

    /// The context if a condition holds in it; a condition on what follows is left for later.
    fn look(&mut self, number: usize, mut context: Context) -> Option<Context> {
        let condition = &self.conditions[number];
        if !condition.ahead {
            let holds = self.regular.is_nullable(context.behind[number]);
            return (holds != condition.negative).then_some(context);
        }
        let mut language = condition.language;
        if condition.negative {
            language = self.regular.not(language);
        }
        context.ahead = self.regular.and([context.ahead, language]);
        (context.ahead != self.regular.nothing()).then_some(context)
    }

    fn step(&mut self, runner: &Runner, threads: &[Thread], symbol: u32) -> Result<Vec<Thread>> {
        let nothing = self.regular.nothing();
        let mut out = Vec::new();
        for (context, place) in threads {
            let place = match (runner, *place) {
                (Runner::Program(program), Place::Op(at)) => match &program.ops[at] {
                    Op::Char(set) if set.contains(symbol) => Place::Op(at + 1),
                    _ => continue,
                },
                (_, Place::Term(term)) => match self.regular.derivative(term, symbol) {
                    rest if rest == nothing => continue,
                    rest => Place::Term(rest),
                },
                (Runner::Term(_), Place::Op(_)) => continue,
            };
            let ahead = self.regular.derivative(context.ahead, symbol);
            if ahead == nothing {
                continue;
            }
            let mut behind = context.behind.clone();
            for (number, term) in behind.iter_mut().enumerate() {
                if self.is_followed(runner, number) {
                    *term = self.regular.derivative(*term, symbol);
                }
            }
            out.push((Context { behind, ahead }, place));
        }
        self.settle(runner, out)
    }

    /// Whether it matters in a terminal what the text so far means for a condition.
    fn is_followed(&self, runner: &Runner, number: usize) -> bool {
        let condition = &self.conditions[number];
        let asked = matches!(runner, Runner::Program(program) if program.asks.contains(&number));
        !condition.ahead && (condition.reaches_out || asked)
    }

    /// Sets of characters that no thread tells apart.
    fn blocks(&self, runner: &Runner, threads: &[Thread]) -> Vec<CodeSet> {
        let (mut terms, mut sets) = (Vec::new(), Vec::new());
        for (context, place) in threads {
            terms.push(context.ahead);
            let behind = context.behind.iter().enumerate();
            terms.extend(
                behind.filter(|&(number, _)| self.is_followed(runner, number)).map(|(_, &term)| term),
            );
            match (runner, place) {
                (Runner::Program(program), Place::Op(at)) => {
                    if let Op::Char(set) = &program.ops[*at] {
                        sets.push(set.clone());
                    }
                }
                (_, Place::Term(term)) => terms.push(*term),
                (Runner::Term(_), Place::Op(_)) => {}
            }
        }
        terms.sort_unstable();
        terms.dedup();
        for term in terms {
            sets.extend(self.regular.blocks(term).iter().map(Block::set));
        }
        sets.sort_unstable();
        sets.dedup();
        let sets: Vec<&CodeSet> = sets.iter().collect();
        Blocks::of(&sets).iter().map(Block::set).collect()
    }
}
