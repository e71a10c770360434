//! Shapes: what a goal says of each type, one level deep.
//!
//! For every type a set that is closed under intersection, union and complement: bits, [`Numbers`], terms of
//! [`Regular`], and for arrays and objects unions of conjunctions ([`Arr`], [`Obj`]) whose parts are goals again. The
//! complement of a conjunction is a union with one violated part each.
//!
//! Invariant: in an [`Obj`], the goal of a declared name is all that applies to it: `rest` speaks of the other names only.

use super::content::Embedded;
use super::goal::{GoalId, Goals};
use super::number::Numbers;
use crate::error::{Error, Result};
use crate::regular::{Regular, TermId};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) type Name = Arc<str>;

/// A set of strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Strings {
    pub(super) term: TermId,
    /// Printable ASCII is spelled directly, never by an escape: so for the strings of `enum` and `const`.
    pub(super) pinned: bool,
    /// These texts, too.
    pub(super) embedded: Embedded,
}

/// `contains`: how many items from an index on satisfy a goal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Contains {
    pub(super) from: u32,
    pub(super) goal: GoalId,
    pub(super) min: u32,
    pub(super) max: Option<u32>,
}

/// A conjunction about arrays.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Arr {
    pub(super) prefix: Vec<GoalId>,
    pub(super) rest: GoalId,
    pub(super) min: u32,
    pub(super) max: Option<u32>,
    pub(super) unique: bool,
    /// Some value comes twice.
    pub(super) repeats: bool,
    pub(super) contains: Vec<Contains>,
}

/// Names that an atom of a [`Clause`] speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Names {
    One(Name),
    All(TermId),
}

/// At least one of these holds: some property with such a name has a value that satisfies the goal, or a name is absent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Clause {
    pub(super) exists: Vec<(Names, GoalId)>,
    pub(super) absent: BTreeSet<Name>,
}

/// A conjunction about objects; alternatives that would be many multiplied out are kept in it as choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Obj {
    /// What the values of declared names satisfy; in the order of declaration.
    pub(super) props: IndexMap<Name, GoalId, FxBuildHasher>,
    /// For every other name in a language the value satisfies a goal.
    pub(super) rest: Vec<(TermId, GoalId)>,
    pub(super) required: BTreeSet<Name>,
    pub(super) min: u32,
    pub(super) max: Option<u32>,
    /// All of these hold.
    pub(super) clauses: Vec<Clause>,
    /// If the first name is there, so is the second.
    pub(super) implies: Vec<(Name, Name)>,
    /// Of each of these, at least one holds.
    pub(super) choices: Vec<Arc<[Obj]>>,
}

impl std::hash::Hash for Obj {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.props.iter().for_each(|prop| prop.hash(state));
        (&self.rest, &self.required, self.min, self.max).hash(state);
        (&self.clauses, &self.implies, &self.choices).hash(state);
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    pub(super) null: bool,
    pub(super) no: bool,
    pub(super) yes: bool,
    pub(super) numbers: Numbers,
    pub(super) strings: Strings,
    pub(super) arrays: Vec<Arr>,
    pub(super) objects: Vec<Obj>,
}

/// Conjunctions that a shape may have for one type.
pub(super) const MAX_ALTERNATIVES: usize = 1024;

/// Pairs of conjunctions about objects that are put together; more stay apart as two choices.
pub(super) const MAX_MULTIPLIED: usize = 16;

fn min_of(a: Option<u32>, b: Option<u32>) -> Option<u32> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}

impl Arr {
    pub(super) fn any() -> Self {
        Self {
            prefix: Vec::new(),
            rest: Goals::TRUE,
            min: 0,
            max: None,
            unique: false,
            repeats: false,
            contains: Vec::new(),
        }
    }

    /// What the item at an index satisfies.
    pub(super) fn item(&self, index: usize) -> GoalId {
        self.prefix.get(index).copied().unwrap_or(self.rest)
    }

    fn and(&self, other: &Self, goals: &mut Goals) -> Self {
        let long = self.prefix.len().max(other.prefix.len());
        let mut contains = self.contains.clone();
        contains.extend(other.contains.iter().filter(|c| !self.contains.contains(c)).cloned());
        Self {
            prefix: (0..long).map(|i| goals.both(self.item(i), other.item(i))).collect(),
            rest: goals.both(self.rest, other.rest),
            min: self.min.max(other.min),
            max: min_of(self.max, other.max),
            unique: self.unique || other.unique,
            repeats: self.repeats || other.repeats,
            contains,
        }
        .tidy()
    }

    /// An item that nothing satisfies bounds the length.
    pub(super) fn tidy(mut self) -> Self {
        if self.repeats {
            self.min = self.min.max(2);
        }
        if let Some(at) = self.prefix.iter().position(|&goal| goal == Goals::FALSE) {
            self.prefix.truncate(at);
            self.rest = Goals::FALSE;
        }
        if self.rest == Goals::FALSE {
            self.max = min_of(self.max, Some(self.prefix.len() as u32));
        }
        if let Some(max) = self.max {
            self.prefix.truncate(max as usize);
            if self.prefix.len() >= max as usize {
                self.rest = Goals::FALSE;
            }
        }
        self
    }

    pub(super) fn is_plainly_empty(&self) -> bool {
        self.max.is_some_and(|max| max < self.min)
            || self.unique && self.repeats
            || self.contains.iter().any(|c| c.max.is_some_and(|max| max < c.min))
    }

    fn not(&self, goals: &mut Goals) -> Vec<Self> {
        let mut out = Vec::new();
        if self.unique || self.repeats {
            out.push(Self { unique: self.repeats, repeats: self.unique, ..Self::any() });
        }
        if self.min > 0 {
            out.push(Self { max: Some(self.min - 1), ..Self::any() });
        }
        if let Some(max) = self.max {
            out.push(Self { min: max.saturating_add(1), ..Self::any() });
        }
        for (i, &goal) in self.prefix.iter().enumerate() {
            let mut prefix = vec![Goals::TRUE; i];
            prefix.push(goals.not(goal));
            out.push(Self { prefix, min: i as u32 + 1, ..Self::any() });
        }
        let contains =
            |from, goal, min, max| Self { contains: vec![Contains { from, goal, min, max }], ..Self::any() };
        if self.rest != Goals::TRUE && self.max.is_none_or(|max| max as usize > self.prefix.len()) {
            out.push(contains(self.prefix.len() as u32, goals.not(self.rest), 1, None));
        }
        for c in &self.contains {
            if c.min > 0 {
                out.push(contains(c.from, c.goal, 0, Some(c.min - 1)));
            }
            if let Some(max) = c.max {
                out.push(contains(c.from, c.goal, max.saturating_add(1), None));
            }
        }
        out.into_iter().map(Self::tidy).filter(|arr| !arr.is_plainly_empty()).collect()
    }
}

impl Obj {
    pub(super) fn any() -> Self {
        Self {
            props: IndexMap::default(),
            rest: Vec::new(),
            required: BTreeSet::new(),
            min: 0,
            max: None,
            clauses: Vec::new(),
            implies: Vec::new(),
            choices: Vec::new(),
        }
    }

    /// The object that satisfies one of these.
    pub(super) fn one_of(objs: Vec<Self>) -> Self {
        match <[Self; 1]>::try_from(objs) {
            Ok([one]) => one,
            Err(objs) => Self { choices: vec![objs.into()], ..Self::any() },
        }
    }

    /// Conjunctions in it.
    fn size(&self) -> usize {
        1 + self.choices.iter().flat_map(|objs| objs.iter()).map(Self::size).sum::<usize>()
    }

    /// What satisfies one of each of two lists: multiplied out where that is little, else as a choice from each.
    fn all_of(a: &[Self], b: &[Self], goals: &mut Goals, regular: &mut Regular) -> Result<Vec<Self>> {
        let is_plain = |objs: &[Self]| objs.iter().all(|obj| obj.choices.is_empty());
        let is_one = |objs: &[Self]| objs.len() <= 1 && is_plain(objs);
        let is_little = a.len().saturating_mul(b.len()) <= MAX_MULTIPLIED && is_plain(a) && is_plain(b);
        let mut out = Vec::new();
        if is_one(a) || is_one(b) || is_little {
            for (a, b) in a.iter().flat_map(|a| b.iter().map(move |b| (a, b))) {
                add(&mut out, a.and(b, goals, regular), Self::is_plainly_empty)?;
            }
        } else {
            let both = Self::one_of(a.to_vec()).and(&Self::one_of(b.to_vec()), goals, regular);
            add(&mut out, both, Self::is_plainly_empty)?;
        }
        check_size(&out)?;
        Ok(out)
    }

    /// What the value of a name satisfies.
    pub(super) fn property(&self, name: &str, goals: &mut Goals, regular: &mut Regular) -> GoalId {
        if let Some(&goal) = self.props.get(name) {
            return goal;
        }
        let applying: Vec<GoalId> = self
            .rest
            .iter()
            .filter(|(language, _)| regular.matches(*language, name))
            .map(|(_, goal)| *goal)
            .collect();
        goals.and(applying)
    }

    /// Declares a name, so that its goal is no longer left to `rest`.
    fn declare(&mut self, name: &Name, goals: &mut Goals, regular: &mut Regular) {
        let goal = self.property(name, goals, regular);
        self.props.insert(Arc::clone(name), goal);
    }

    fn and(&self, other: &Self, goals: &mut Goals, regular: &mut Regular) -> Self {
        let mut out = self.clone();
        for (name, &goal) in &other.props {
            let own = self.property(name, goals, regular);
            out.props.insert(Arc::clone(name), goals.both(own, goal));
        }
        for (name, goal) in &mut out.props {
            if !other.props.contains_key(name) && !other.rest.is_empty() {
                let theirs = other.property(name, goals, regular);
                *goal = goals.both(*goal, theirs);
            }
        }
        out.rest.extend(other.rest.iter().filter(|r| !self.rest.contains(r)));
        out.required.extend(other.required.iter().cloned());
        out.min = out.min.max(other.min);
        out.max = min_of(out.max, other.max);
        out.clauses.extend(other.clauses.iter().filter(|c| !self.clauses.contains(c)).cloned());
        out.implies.extend(other.implies.iter().filter(|i| !self.implies.contains(i)).cloned());
        out.choices.extend(other.choices.iter().filter(|c| !self.choices.contains(c)).cloned());
        out.tidy(goals, regular)
    }

    /// Declares required names; takes back bounds that follow from the others.
    pub(super) fn tidy(mut self, goals: &mut Goals, regular: &mut Regular) -> Self {
        while let Some(at) = self.implies.iter().position(|(name, _)| self.required.contains(name)) {
            let (_, other) = self.implies.swap_remove(at);
            self.required.insert(other);
        }
        // What a clause asks of required names is decided.
        for clause in &mut self.clauses {
            clause.absent.retain(|name| !self.required.contains(name));
        }
        let named = self.clauses.iter().flat_map(|c| {
            let one = |(names, _): &(Names, GoalId)| match names {
                Names::One(name) => Some(name.clone()),
                Names::All(_) => None,
            };
            c.absent.iter().cloned().chain(c.exists.iter().filter_map(one)).collect::<Vec<_>>()
        });
        let named: Vec<Name> = named.collect();
        let implied = self.implies.iter().flat_map(|(name, other)| [name, other]).chain(&named);
        for name in self.required.iter().chain(implied).cloned().collect::<Vec<_>>() {
            if !self.props.contains_key(&name) {
                self.declare(&name, goals, regular);
            }
        }
        if self.min as usize <= self.required.len() {
            self.min = 0;
        }
        self
    }

    pub(super) fn is_plainly_empty(&self) -> bool {
        let most = self.max.unwrap_or(u32::MAX);
        most < self.min
            || self.required.len() > most as usize
            || self.required.iter().any(|name| self.props.get(name) == Some(&Goals::FALSE))
            || self.choices.iter().any(|objs| objs.iter().all(Self::is_plainly_empty))
            || self
                .clauses
                .iter()
                .any(|c| c.absent.is_empty() && c.exists.iter().all(|e| e.1 == Goals::FALSE))
    }

    fn not(&self, goals: &mut Goals, regular: &mut Regular) -> Result<Vec<Self>> {
        let mut out = Vec::new();
        if self.min > 0 {
            out.push(Self { max: Some(self.min - 1), ..Self::any() });
        }
        if let Some(max) = self.max {
            out.push(Self { min: max.saturating_add(1), ..Self::any() });
        }
        let mut clause = Clause { absent: self.required.clone(), ..Clause::default() };
        for (name, &goal) in self.props.iter().filter(|(_, goal)| **goal != Goals::TRUE) {
            clause.exists.push((Names::One(Arc::clone(name)), goals.not(goal)));
        }
        let declared = regular.words(self.props.keys().map(|name| &**name));
        let others = regular.not(declared);
        for &(language, goal) in self.rest.iter().filter(|(_, goal)| *goal != Goals::TRUE) {
            let language = regular.and([language, others]);
            clause.exists.push((Names::All(language), goals.not(goal)));
        }
        if clause != Clause::default() {
            let violated = Self { clauses: vec![clause], ..Self::any() };
            out.push(violated.tidy(goals, regular));
        }
        for clause in &self.clauses {
            let mut kept = Self { required: clause.absent.clone(), ..Self::any() };
            for (names, goal) in &clause.exists {
                let not = goals.not(*goal);
                match names {
                    Names::All(language) => kept.rest.push((*language, not)),
                    Names::One(name) => {
                        let own = kept.props.get(name).copied().unwrap_or(Goals::TRUE);
                        kept.props.insert(Arc::clone(name), goals.both(own, not));
                    }
                }
            }
            // Names that are declared here are outside of `rest`.
            for (name, goal) in &mut kept.props {
                let applying: Vec<GoalId> =
                    kept.rest.iter().filter(|(l, _)| regular.matches(*l, name)).map(|(_, g)| *g).collect();
                *goal = goals.and(applying.into_iter().chain([*goal]));
            }
            out.push(kept.tidy(goals, regular));
        }
        for (name, other) in &self.implies {
            let props =
                IndexMap::from_iter([(Arc::clone(name), Goals::TRUE), (Arc::clone(other), Goals::FALSE)]);
            out.push(Self { props, required: BTreeSet::from([Arc::clone(name)]), ..Self::any() });
        }
        for objs in &self.choices {
            let mut none = vec![Self::any()];
            for obj in objs.iter() {
                let outside = obj.not(goals, regular)?;
                none = Self::all_of(&none, &outside, goals, regular)?;
            }
            out.extend(none);
        }
        out.retain(|obj| !obj.is_plainly_empty());
        Ok(out)
    }
}

impl Shape {
    pub(super) fn all(regular: &mut Regular) -> Self {
        Self {
            null: true,
            no: true,
            yes: true,
            numbers: Numbers::all(),
            strings: Strings { term: regular.everything(), pinned: false, embedded: Embedded::default() },
            arrays: vec![Arr::any()],
            objects: vec![Obj::any()],
        }
    }

    pub(super) fn none(regular: &mut Regular) -> Self {
        Self {
            null: false,
            no: false,
            yes: false,
            numbers: Numbers::default(),
            strings: Strings { term: regular.nothing(), pinned: true, embedded: Embedded::default() },
            arrays: Vec::new(),
            objects: Vec::new(),
        }
    }

    pub(super) fn and(&self, other: &Self, goals: &mut Goals, regular: &mut Regular) -> Result<Self> {
        let mut arrays = Vec::new();
        for a in &self.arrays {
            for b in &other.arrays {
                add(&mut arrays, a.and(b, goals), Arr::is_plainly_empty)?;
            }
        }
        let objects = Obj::all_of(&self.objects, &other.objects, goals, regular)?;
        Ok(Self {
            null: self.null && other.null,
            no: self.no && other.no,
            yes: self.yes && other.yes,
            numbers: if other.numbers.is_all() {
                self.numbers.clone()
            } else {
                self.numbers.and(&other.numbers)?
            },
            strings: self.strings.and(&other.strings, regular)?,
            arrays,
            objects,
        })
    }

    pub(super) fn or(&self, other: &Self, regular: &mut Regular) -> Result<Self> {
        let mut out = self.clone();
        out.null |= other.null;
        out.no |= other.no;
        out.yes |= other.yes;
        out.numbers = out.numbers.or(&other.numbers);
        out.strings = self.strings.or(&other.strings, regular);
        for arr in &other.arrays {
            add(&mut out.arrays, arr.clone(), Arr::is_plainly_empty)?;
        }
        for obj in &other.objects {
            add(&mut out.objects, obj.clone(), Obj::is_plainly_empty)?;
        }
        if out.arrays.contains(&Arr::any()) {
            out.arrays = vec![Arr::any()];
        }
        if out.objects.contains(&Obj::any()) {
            out.objects = vec![Obj::any()];
        }
        Ok(out)
    }

    pub(super) fn not(&self, goals: &mut Goals, regular: &mut Regular) -> Result<Self> {
        let mut out = Self::all(regular);
        out.null = !self.null;
        out.no = !self.no;
        out.yes = !self.yes;
        out.numbers = self.numbers.not()?;
        out.strings = self.strings.not(regular)?;
        for arr in &self.arrays {
            let outside = arr.not(goals);
            let inside = std::mem::take(&mut out.arrays);
            for a in &inside {
                for b in &outside {
                    add(&mut out.arrays, a.and(b, goals), Arr::is_plainly_empty)?;
                }
            }
        }
        for obj in &self.objects {
            let outside = obj.not(goals, regular)?;
            out.objects = Obj::all_of(&out.objects, &outside, goals, regular)?;
        }
        Ok(out)
    }
}

/// Conjunctions inside of conjunctions count as well.
fn check_size(objs: &[Obj]) -> Result<()> {
    let size = objs.iter().map(Obj::size).sum::<usize>();
    if size <= MAX_ALTERNATIVES { Ok(()) } else { Err(too_many()) }
}

fn too_many() -> Error {
    let message = format!(
        "`anyOf`, `oneOf`, `not` and `if` ask for more than {MAX_ALTERNATIVES} alternatives of arrays or objects"
    );
    Error::LimitExceeded { limit: "schema_alternatives", message }
}

fn add<T: PartialEq>(list: &mut Vec<T>, item: T, is_empty: impl Fn(&T) -> bool) -> Result<()> {
    if is_empty(&item) || list.contains(&item) {
        return Ok(());
    }
    if list.len() >= MAX_ALTERNATIVES {
        return Err(too_many());
    }
    list.push(item);
    Ok(())
}
