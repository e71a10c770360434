//! How to write an object: which names may come next, and what of it is written.
//!
//! A [`Plan`] is an [`super::shape::Obj`] made ready: names by number, the names that are not declared in *classes*. It is made of
//! [`Part`]s: number 0 is the object's own conjunction, the others are the alternatives of its choices, which are not multiplied
//! out; equal ones are one part. What has been written so far is a [`Progress`]; it knows which choices are still *open*, and which parts
//! of those are *alive*: nothing written contradicts them.
//!
//! Whether what is written can be completed is the business of [`super::finish`], and is exact.

use super::goal::{GoalId, Goals};
use super::shape::Name;
use crate::regular::TermId;
use parking_lot::Mutex;
use smallvec::{SmallVec, smallvec};
use std::ops::Range;

/// A set of small numbers.
#[derive(Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Bits(SmallVec<[u64; 2]>);

impl Clone for Bits {
    /// All at once: the derived one goes word by word.
    fn clone(&self) -> Self {
        Self(SmallVec::from_slice(&self.0))
    }
}

impl Bits {
    pub(super) fn new(size: usize) -> Self {
        Self(smallvec![0; size.div_ceil(64)])
    }

    /// All numbers below a size.
    fn full(size: usize) -> Self {
        let mut out = Self::new(size);
        (0..size).for_each(|index| out.insert(index));
        out
    }

    pub(super) fn contains(&self, index: usize) -> bool {
        self.0[index / 64] >> (index % 64) & 1 == 1
    }

    pub(super) fn insert(&mut self, index: usize) {
        self.0[index / 64] |= 1 << (index % 64);
    }

    pub(super) fn remove(&mut self, index: usize) {
        self.0[index / 64] &= !(1 << (index % 64));
    }

    /// Whether all of another set of this size are in it.
    pub(super) fn includes(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(own, other)| other & !own == 0)
    }
}

/// All undeclared names that the same goals apply to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) names: TermId,
    /// The goal of the object's own conjunction.
    pub(super) goal: GoalId,
}

/// A clause with names by number.
#[derive(Debug, Default)]
pub(super) struct ReadyClause {
    /// By declared name, ascending.
    pub(super) declared: Vec<(u32, GoalId)>,
    /// By class, ascending.
    pub(super) classes: Vec<(u32, GoalId)>,
    pub(super) absent: Vec<usize>,
}

/// A conjunction: the object's own, or an alternative.
#[derive(Debug)]
pub(super) struct Part {
    /// What the values of declared names satisfy.
    pub(super) declared: Vec<GoalId>,
    /// What the values of the names of classes satisfy.
    pub(super) classes: Vec<GoalId>,
    pub(super) required: Vec<usize>,
    /// If the first name is there, so is the second.
    pub(super) implies: Vec<(usize, usize)>,
    pub(super) min: u32,
    pub(super) max: Option<u32>,
    /// The numbers of its clauses.
    pub(super) clauses: Range<usize>,
    /// The numbers of its choices.
    pub(super) choices: Range<usize>,
}

/// One of these parts holds if the owner does.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) owner: usize,
    pub(super) parts: Vec<usize>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) names: Vec<Name>,
    pub(super) classes: Vec<Class>,
    pub(super) parts: Vec<Part>,
    pub(super) clauses: Vec<ReadyClause>,
    pub(super) choices: Vec<Choice>,
    /// Parts that were found to go together last.
    pub(super) witness: Mutex<Vec<usize>>,
}

/// What of an object is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Progress {
    /// Declared names written; those that cannot come again because the order is past them count, too.
    pub(super) seen: Bits,
    /// Properties written, as far as the bounds ask.
    pub(super) count: u32,
    /// Clauses still to be met.
    pub(super) pending: Bits,
    /// Choices still to be made.
    pub(super) open: Bits,
    /// Parts of open choices that may hold.
    pub(super) alive: Bits,
    /// In declared order: declared names below this number cannot come any more.
    pub(super) from: u32,
}

/// A property's name, chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Declared(u32),
    Class(u32),
}

impl ReadyClause {
    /// What the value of a name has to satisfy to meet the clause.
    pub(super) fn goal(&self, key: Key) -> Option<GoalId> {
        let (list, index) = match key {
            Key::Declared(index) => (&self.declared, index),
            Key::Class(index) => (&self.classes, index),
        };
        list.binary_search_by_key(&index, |&(of, _)| of).ok().map(|at| list[at].1)
    }

    /// All names whose values may meet the clause, each with what its value has to satisfy.
    pub(super) fn goals(&self) -> impl Iterator<Item = (Key, GoalId)> + '_ {
        let declared = self.declared.iter().map(|&(index, goal)| (Key::Declared(index), goal));
        declared.chain(self.classes.iter().map(|&(index, goal)| (Key::Class(index), goal)))
    }

    fn is_met_by_absence(&self, progress: &Progress) -> bool {
        self.absent.iter().any(|&name| !progress.seen.contains(name))
    }
}

impl Part {
    /// What the value of a name satisfies.
    pub(super) fn goal(&self, key: Key) -> GoalId {
        match key {
            Key::Declared(index) => self.declared[index as usize],
            Key::Class(index) => self.classes[index as usize],
        }
    }
}

impl Plan {
    /// No bound, obligation or implication can make a property impossible.
    pub(super) fn is_simple(&self) -> bool {
        let own = &self.parts[0];
        self.parts.len() == 1 && own.max.is_none() && self.clauses.is_empty() && own.implies.is_empty()
    }

    /// Whether declared names are enough to complete the object, wherever it stands.
    pub(super) fn needs_no_free_name(&self) -> bool {
        self.parts.len() == 1 && self.parts[0].min == 0 && self.clauses.is_empty()
    }

    /// Whether the value of a name has one goal whatever is written, and names that are not declared may come at any time or never.
    pub(super) fn is_uniform(&self, any_order: bool) -> bool {
        let is_endless = self.classes.is_empty() || any_order && self.parts[0].max.is_none();
        self.parts.len() == 1 && self.clauses.is_empty() && is_endless
    }

    pub(super) fn start(&self) -> Progress {
        Progress {
            seen: Bits::new(self.names.len()),
            count: 0,
            pending: Bits::full(self.clauses.len()),
            open: Bits::full(self.choices.len()),
            alive: Bits::full(self.parts.len()),
            from: 0,
        }
    }

    /// What the object's own conjunction says of the value of a name.
    pub(super) fn goal(&self, key: Key) -> GoalId {
        self.parts[0].goal(key)
    }

    /// Whether a declared name is still to come or may: it has not been seen.
    pub(super) fn is_open(&self, progress: &Progress, index: usize) -> bool {
        index >= progress.from as usize && !progress.seen.contains(index)
    }

    /// Whether the object may end here.
    pub(super) fn may_end(&self, progress: &Progress) -> bool {
        self.may_end_as(0, progress)
    }

    fn may_end_as(&self, number: usize, progress: &Progress) -> bool {
        let part = &self.parts[number];
        let has = |name: usize| progress.seen.contains(name);
        progress.count >= part.min
            && part.required.iter().all(|&name| has(name))
            && part.implies.iter().all(|&(name, other)| has(other) || !has(name))
            && self.pending(part, progress).all(|clause| clause.is_met_by_absence(progress))
            && self
                .open_choices(part, progress)
                .all(|(_, choice)| choice.alive(progress).any(|one| self.may_end_as(one, progress)))
    }

    /// The choices of a part that are still to be made, with their numbers.
    pub(super) fn open_choices<'a>(
        &'a self,
        part: &'a Part,
        progress: &'a Progress,
    ) -> impl Iterator<Item = (usize, &'a Choice)> {
        let open = part.choices.clone().filter(|&number| progress.open.contains(number));
        open.map(|number| (number, &self.choices[number]))
    }

    fn pending<'a>(
        &'a self,
        part: &'a Part,
        progress: &'a Progress,
    ) -> impl Iterator<Item = &'a ReadyClause> {
        part.clauses.clone().filter(|&i| progress.pending.contains(i)).map(|i| &self.clauses[i])
    }

    /// What is written after a name, before its value says which parts and clauses are left; `None` if there are too many.
    pub(super) fn after(&self, progress: &Progress, key: Key, any_order: bool) -> Option<Progress> {
        if self.parts[0].max.is_some_and(|max| progress.count >= max) {
            return None;
        }
        let mut after = progress.clone();
        for (number, part) in self.parts.iter().enumerate().skip(1) {
            if part.max.is_some_and(|max| progress.count >= max) {
                after.alive.remove(number);
            }
        }
        let bound = |part: &Part| part.min.max(part.max.map_or(0, |max| max.saturating_add(1)));
        let cap = self.parts.iter().map(bound).max().unwrap_or(0);
        after.count = (after.count + 1).min(cap);
        match key {
            Key::Declared(index) => {
                after.seen.insert(index as usize);
                if !any_order {
                    after.from = index + 1;
                }
            }
            Key::Class(_) if !any_order => after.from = self.names.len() as u32,
            Key::Class(_) => {}
        }
        Some(after)
    }

    /// Takes out the parts that can hold no longer, and the choices that are made.
    pub(super) fn settle(&self, progress: &mut Progress) {
        loop {
            let before = progress.clone();
            for (number, choice) in self.choices.iter().enumerate() {
                let is_made = |one: &usize| self.is_idle(*one, progress);
                if !progress.alive.contains(choice.owner) || choice.parts.iter().any(is_made) {
                    progress.open.remove(number);
                }
            }
            for (number, part) in self.parts.iter().enumerate().skip(1) {
                let has = |(choice, of): (usize, &Choice)| {
                    progress.open.contains(choice) && of.parts.contains(&number)
                };
                if !self.choices.iter().enumerate().any(has) || self.is_lost(part, progress) {
                    progress.alive.remove(number);
                    part.clauses.clone().for_each(|clause| progress.pending.remove(clause));
                }
            }
            if *progress == before {
                return;
            }
        }
    }

    /// Whether a part asks for what cannot come any more.
    fn is_lost(&self, part: &Part, progress: &Progress) -> bool {
        let may_come = |name: usize| self.is_open(progress, name);
        let may_be_met = |clause: &ReadyClause| {
            !clause.classes.is_empty()
                || clause.is_met_by_absence(progress)
                || clause.declared.iter().any(|&(name, _)| may_come(name as usize))
        };
        part.required.iter().any(|&name| !progress.seen.contains(name) && !may_come(name))
            || !self.pending(part, progress).all(may_be_met)
            || self.open_choices(part, progress).any(|(_, choice)| choice.alive(progress).next().is_none())
    }

    /// Whether a part holds already, whatever comes that the object's own conjunction allows.
    fn is_idle(&self, number: usize, progress: &Progress) -> bool {
        let part = &self.parts[number];
        let says_nothing = |(theirs, own): (&GoalId, &GoalId)| *theirs == Goals::TRUE || theirs == own;
        let own = &self.parts[0];
        let declared = part.declared.iter().zip(&own.declared).enumerate();
        progress.alive.contains(number)
            && part.max.is_none()
            && progress.count >= part.min
            && part.required.iter().all(|&name| progress.seen.contains(name))
            && part.implies.iter().all(|&(_, other)| progress.seen.contains(other))
            && self.pending(part, progress).next().is_none()
            && part.classes.iter().zip(&own.classes).all(says_nothing)
            && declared
                .filter(|&(index, _)| self.is_open(progress, index))
                .all(|(_, goals)| says_nothing(goals))
            && self
                .open_choices(part, progress)
                .all(|(_, choice)| choice.alive(progress).any(|one| self.is_idle(one, progress)))
    }

    /// The parts of a list that make all open choices; `None` if some are not made, or only by parts that are not alive.
    pub(super) fn made_by(&self, parts: &[usize], progress: &Progress) -> Option<Vec<usize>> {
        let mut chosen = vec![0];
        let mut next = 0;
        while let Some(&part) = chosen.get(next) {
            for (_, choice) in self.open_choices(&self.parts[part], progress) {
                let made = choice.alive(progress).find(|one| parts.contains(one))?;
                if !chosen.contains(&made) {
                    chosen.push(made);
                }
            }
            next += 1;
        }
        Some(chosen)
    }

    /// Whether some choice that has to be made has no part left.
    pub(super) fn is_hopeless(&self, progress: &Progress) -> bool {
        self.is_hopeless_in(0, progress)
    }

    fn is_hopeless_in(&self, number: usize, progress: &Progress) -> bool {
        self.open_choices(&self.parts[number], progress)
            .any(|(_, choice)| choice.alive(progress).all(|one| self.is_hopeless_in(one, progress)))
    }
}

impl Choice {
    /// The parts that may hold.
    pub(super) fn alive<'a>(&'a self, progress: &'a Progress) -> impl Iterator<Item = usize> + 'a {
        self.parts.iter().copied().filter(|&one| progress.alive.contains(one))
    }
}
