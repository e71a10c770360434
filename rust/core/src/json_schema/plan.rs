//! How to write an object: which names may come next, and whether what is written can be completed.
//!
//! A [`Plan`] is an [`Obj`] made ready: names by number, the names that are not declared in *classes* with one goal each. What
//! has been written so far is a [`Progress`]; [`Engine::can_finish`] is exact, so a name is offered only if the object can
//! be completed after it.

use super::engine::Engine;
use super::goal::{GoalId, Goals};
use super::shape::{Clause, Name, Names, Obj};
use crate::error::{Error, Result};
use crate::regular::TermId;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// A set of declared names, by number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Bits(Box<[u64]>);

impl Bits {
    pub(super) fn new(size: usize) -> Self {
        Self(vec![0; size.div_ceil(64)].into())
    }

    pub(super) fn contains(&self, index: usize) -> bool {
        self.0[index / 64] >> (index % 64) & 1 == 1
    }

    pub(super) fn insert(&mut self, index: usize) {
        self.0[index / 64] |= 1 << (index % 64);
    }
}

/// A declared name.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) name: Name,
    pub(super) goal: GoalId,
    pub(super) is_required: bool,
    /// Clauses that its value may meet.
    pub(super) meets: u32,
    /// Numbers of the names that must be there if this one is.
    pub(super) implies: Vec<usize>,
}

/// All undeclared names that the same goal applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) names: TermId,
    pub(super) goal: GoalId,
    pub(super) meets: u32,
}

/// A clause with names by number.
#[derive(Debug, Default)]
struct ReadyClause {
    /// By declared name.
    declared: FxHashMap<u32, GoalId>,
    /// By class.
    classes: FxHashMap<u32, GoalId>,
    absent: Vec<usize>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) names: Vec<Declared>,
    pub(super) classes: Vec<Class>,
    min: u32,
    max: Option<u32>,
    clauses: Vec<ReadyClause>,
    /// No bound, obligation or implication can make a property impossible.
    is_simple: bool,
}

/// What of an object is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Progress {
    /// Declared names written; those that cannot come again because the order is past them count, too.
    pub(super) seen: Bits,
    /// Properties written, as far as the bounds ask.
    count: u32,
    /// Clauses still to be met.
    pending: u32,
    /// In declared order: declared names below this number cannot come any more.
    from: u32,
}

/// A property's name, chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Declared(u32),
    Class(u32),
}

/// Clauses an object may have at once.
const MAX_CLAUSES: usize = 20;
/// Classes of undeclared names an object may have.
const MAX_CLASSES: usize = 256;
/// A finite class of at most so many names is declared instead.
const FEW_NAMES: usize = 64;

impl Engine {
    /// Makes an object's conjunction ready.
    pub(super) fn plan(&mut self, obj: &Obj) -> Result<Plan> {
        if obj.clauses.len() > MAX_CLAUSES {
            let message = format!("more than {MAX_CLAUSES} schemas about objects are negated at once");
            return Err(Error::LimitExceeded { limit: "schema_alternatives", message });
        }
        if !obj.implies.is_empty() && obj.min > 0 && obj.max.is_some() {
            return Err(Error::UnsupportedSchema {
                keyword: "minProperties".into(),
                pointer: String::new(),
                reason: "beside both maxProperties and dependentRequired; drop one of them".into(),
            });
        }
        let everything = self.regular.everything();
        let mut classes = vec![Class { names: everything, goal: Goals::TRUE, meets: 0 }];
        for &(language, goal) in &obj.rest {
            self.split(&mut classes, language, |class, goals| class.goal = goals.and([class.goal, goal]))?;
            classes.retain(|class| class.goal != Goals::FALSE);
        }
        let languages = |clause: &Clause| -> Vec<(TermId, GoalId)> {
            let of_all = |(names, goal): &(Names, GoalId)| match names {
                Names::All(language) => Some((*language, *goal)),
                Names::One(_) => None,
            };
            clause.exists.iter().filter_map(of_all).collect()
        };
        for (i, clause) in obj.clauses.iter().enumerate() {
            for (language, _) in languages(clause) {
                self.split(&mut classes, language, |class, _| class.meets |= 1 << i)?;
            }
        }
        let mut names: Vec<Declared> = Vec::new();
        for (name, &goal) in &obj.props {
            let is_required = obj.required.contains(name);
            names.push(Declared { name: Arc::clone(name), goal, is_required, meets: 0, implies: Vec::new() });
        }
        self.declare_few(obj, &mut classes, &mut names)?;
        for (name, other) in &obj.implies {
            let find = |wanted: &Name| names.iter().position(|d| d.name == *wanted);
            if let (Some(name), Some(other)) = (find(name), find(other)) {
                names[name].implies.push(other);
            }
        }
        let mut clauses = Vec::new();
        for (i, clause) in obj.clauses.iter().enumerate() {
            let languages = languages(clause);
            clauses.push(self.ready_clause(clause, &languages, &mut names, &mut classes, 1 << i)?);
        }
        let is_simple = obj.max.is_none() && clauses.is_empty() && obj.implies.is_empty();
        Ok(Plan { names, classes, min: obj.min, max: obj.max, clauses, is_simple })
    }

    /// Numbers a clause's names, and notes which names may meet it.
    fn ready_clause(
        &mut self,
        clause: &Clause,
        languages: &[(TermId, GoalId)],
        names: &mut [Declared],
        classes: &mut [Class],
        bit: u32,
    ) -> Result<ReadyClause> {
        let mut ready = ReadyClause::default();
        for (index, declared) in names.iter_mut().enumerate() {
            let mut options = Vec::new();
            for (atom, goal) in &clause.exists {
                let speaks = match atom {
                    Names::One(name) => *name == declared.name,
                    Names::All(language) => self.regular.matches(*language, &declared.name),
                };
                options.extend(speaks.then_some(*goal));
            }
            if !options.is_empty() {
                declared.meets |= bit;
                ready.declared.insert(index as u32, self.goals.or(options));
            }
            if clause.absent.contains(&declared.name) {
                ready.absent.push(index);
            }
        }
        for (index, class) in classes.iter_mut().enumerate().filter(|(_, class)| class.meets & bit != 0) {
            let mut options = Vec::new();
            for &(language, goal) in languages {
                let inside = self.regular.and([class.names, language]);
                options.extend(self.has_string(inside)?.then_some(goal));
            }
            ready.classes.insert(index as u32, self.goals.or(options));
        }
        Ok(ready)
    }

    /// Splits every class at a language; what is inside is changed.
    fn split(
        &mut self,
        classes: &mut Vec<Class>,
        language: TermId,
        change: impl Fn(&mut Class, &mut Goals),
    ) -> Result<()> {
        for class in std::mem::take(classes) {
            let names = self.regular.and([class.names, language]);
            let mut inside = Class { names, ..class };
            let outside = self.regular.not(language);
            let outside = Class { names: self.regular.and([class.names, outside]), ..class };
            if self.has_string(inside.names)? {
                change(&mut inside, &mut self.goals);
                classes.push(inside);
            }
            if self.has_string(outside.names)? {
                classes.push(outside);
            }
        }
        if classes.len() > MAX_CLASSES {
            let message = format!("patterns of properties overlap in more than {MAX_CLASSES} ways");
            return Err(Error::LimitExceeded { limit: "schema_alternatives", message });
        }
        Ok(())
    }

    /// Classes with few names become declared names.
    fn declare_few(&mut self, obj: &Obj, classes: &mut Vec<Class>, names: &mut Vec<Declared>) -> Result<()> {
        let everything = self.regular.everything();
        let mut kept = Vec::new();
        for class in std::mem::take(classes) {
            let words = match class.names == everything {
                true => None,
                false => self.regular.few_words(class.names, FEW_NAMES, &mut self.budget)?,
            };
            let Some(words) = words else {
                kept.push(class);
                continue;
            };
            for word in words.into_iter().filter(|word| !obj.props.contains_key(word.as_str())) {
                let Class { goal, meets, .. } = class;
                names.push(Declared {
                    name: word.into(),
                    goal,
                    is_required: false,
                    meets,
                    implies: Vec::new(),
                });
            }
        }
        if kept.iter().all(|class| class.names == everything) {
            classes.append(&mut kept);
            return Ok(());
        }
        // Names that are all declared leave nothing of a class.
        let declared = self.regular.words(names.iter().map(|d| &*d.name));
        let others = self.regular.not(declared);
        for class in kept {
            let left = self.regular.and([class.names, others]);
            if class.names == everything || self.has_string(left)? {
                classes.push(class);
            }
        }
        Ok(())
    }

    pub(super) fn has_object(&mut self, obj: &Obj) -> Result<bool> {
        if obj.min == 0 && obj.max.is_none() && obj.clauses.is_empty() {
            for name in &obj.required {
                let goal = obj.props.get(name).copied().unwrap_or(Goals::TRUE);
                if !self.is_inhabited(goal)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        let plan = self.plan(obj)?;
        let progress = plan.start();
        self.can_finish(&plan, &progress)
    }

    /// Whether what is written can be completed.
    pub(super) fn can_finish(&mut self, plan: &Plan, progress: &Progress) -> Result<bool> {
        let left = plan.required_left(progress);
        for &index in &left {
            if index < progress.from as usize || !self.is_inhabited(plan.names[index].goal)? {
                return Ok(false);
            }
        }
        let room = plan.max.map(|max| max.saturating_sub(progress.count));
        if room.is_some_and(|room| (room as usize) < left.len()) {
            return Ok(false);
        }
        let mut extra = 0;
        let pending = plan.pending_beyond(progress, &left);
        if pending != 0 {
            let most = room.map_or(usize::MAX, |room| room as usize - left.len());
            let pending = if room.is_none() { self.pending_on_declared(plan, pending)? } else { pending };
            let mut groups: Vec<(Key, GoalId, bool)> =
                left.iter().map(|&i| (Key::Declared(i as u32), plan.names[i].goal, true)).collect();
            match self.fewest_extra(plan, progress, pending, &mut groups, most)? {
                Some(fewest) => extra = fewest,
                None => return Ok(false),
            }
        }
        let certain = progress.count as usize + left.len() + extra;
        if certain >= plan.min as usize || !plan.classes.is_empty() && self.any_class(plan)? {
            return Ok(true);
        }
        let mut possible = progress.count as usize + left.len();
        for (index, declared) in plan.names.iter().enumerate().skip(progress.from as usize) {
            if !progress.seen.contains(index) && !left.contains(&index) && self.is_inhabited(declared.goal)? {
                possible += 1;
            }
        }
        Ok(possible >= plan.min as usize)
    }

    fn any_class(&mut self, plan: &Plan) -> Result<bool> {
        for class in &plan.classes {
            if self.is_inhabited(class.goal)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where there is always room for one more undeclared name, the clauses that none of those can meet.
    fn pending_on_declared(&mut self, plan: &Plan, pending: u32) -> Result<u32> {
        let mut left = pending;
        for (i, clause) in plan.clauses.iter().enumerate().filter(|(i, _)| pending >> i & 1 == 1) {
            for (&class, &goal) in &clause.classes {
                let both = self.goals.and([plan.classes[class as usize].goal, goal]);
                if self.is_inhabited(both)? {
                    left &= !(1 << i);
                    break;
                }
            }
        }
        Ok(left)
    }

    /// The fewest properties beyond the required ones that meet all obligations; `None` if more than `most`.
    fn fewest_extra(
        &mut self,
        plan: &Plan,
        progress: &Progress,
        pending: u32,
        groups: &mut Vec<(Key, GoalId, bool)>,
        most: usize,
    ) -> Result<Option<usize>> {
        self.budget.work()?;
        let extra = groups.iter().filter(|group| !group.2).count();
        if extra > most {
            return Ok(None);
        }
        if pending == 0 {
            return Ok(Some(extra));
        }
        let bit = pending.trailing_zeros() as usize;
        let rest = pending & (pending - 1);
        let clause = &plan.clauses[bit];
        let mut best: Option<usize> = None;
        for i in 0..groups.len() {
            let (key, goal, _) = groups[i];
            let Some(wanted) = clause.goal(key) else { continue };
            let both = self.goals.and([goal, wanted]);
            if plan.meets(key) >> bit & 1 == 1 && self.is_inhabited(both)? {
                groups[i].1 = both;
                let found = self.fewest_extra(plan, progress, rest, groups, most)?;
                groups[i].1 = goal;
                best = best.into_iter().chain(found).min();
                if best.is_some() && most == usize::MAX {
                    return Ok(best);
                }
            }
        }
        let fresh = |index: usize| {
            index >= progress.from as usize
                && !progress.seen.contains(index)
                && !groups.iter().any(|group| group.0 == Key::Declared(index as u32))
        };
        let declared: Vec<usize> = (0..plan.names.len()).filter(|&i| fresh(i)).collect();
        let keys = declared.into_iter().map(|i| Key::Declared(i as u32));
        for key in keys.chain((0..plan.classes.len()).map(|i| Key::Class(i as u32))) {
            let Some(wanted) = clause.goal(key) else { continue };
            let both = self.goals.and([plan.goal(key), wanted]);
            if best == Some(extra) || plan.meets(key) >> bit & 1 == 0 || !self.is_inhabited(both)? {
                continue;
            }
            groups.push((key, both, false));
            let found = self.fewest_extra(plan, progress, rest, groups, most)?;
            groups.pop();
            best = best.into_iter().chain(found).min();
            if best.is_some() && most == usize::MAX {
                return Ok(best);
            }
        }
        Ok(best)
    }

    /// The goals that the value of a name may be read as, each with what is then written; none if the name may not come.
    pub(super) fn options(
        &mut self,
        plan: &Plan,
        progress: &Progress,
        key: Key,
    ) -> Result<Vec<(GoalId, Progress)>> {
        if plan.is_simple && self.options.any_order {
            // More properties never hurt.
            let goal = plan.goal(key);
            let after = self.is_inhabited(goal)?.then(|| (goal, plan.after(progress, key, 0, true)));
            return Ok(after.into_iter().collect());
        }
        if plan.max.is_some_and(|max| progress.count >= max) {
            return Ok(Vec::new());
        }
        // Each clause may be met here or left; a goal that meets more of them for nothing takes the place of the other.
        let mut choices: Vec<(GoalId, u32)> = vec![(plan.goal(key), 0)];
        let meets = plan.meets(key) & progress.pending;
        for (i, clause) in plan.clauses.iter().enumerate().filter(|(i, _)| meets >> i & 1 == 1) {
            let Some(wanted) = clause.goal(key) else { continue };
            for at in 0..choices.len() {
                let (goal, met) = choices[at];
                let both = self.goals.and([goal, wanted]);
                if both == goal {
                    choices[at].1 = met | 1 << i;
                } else if choices.iter().all(|(known, _)| *known != both) && self.is_inhabited(both)? {
                    choices.push((both, met | 1 << i));
                }
            }
            if choices.len() > MAX_CLASSES {
                let message = format!("a property may meet negated schemas in more than {MAX_CLASSES} ways");
                return Err(Error::LimitExceeded { limit: "schema_alternatives", message });
            }
        }
        let mut out = Vec::new();
        for (goal, met) in choices.into_iter().rev() {
            let after = plan.after(progress, key, met, self.options.any_order);
            if self.is_inhabited(goal)? && self.can_finish(plan, &after)? {
                out.push((goal, after));
            }
        }
        Ok(out)
    }
}

impl ReadyClause {
    /// What the value of a name has to satisfy to meet the clause.
    fn goal(&self, key: Key) -> Option<GoalId> {
        match key {
            Key::Declared(index) => self.declared.get(&index).copied(),
            Key::Class(index) => self.classes.get(&index).copied(),
        }
    }
}

impl Plan {
    /// Whether declared names are enough to complete the object, wherever it stands.
    pub(super) fn needs_no_free_name(&self) -> bool {
        self.min == 0 && self.clauses.is_empty()
    }

    /// Whether the value of a name has one goal whatever is written, and names that are not declared may come at any time or never.
    pub(super) fn is_uniform(&self, any_order: bool) -> bool {
        self.clauses.is_empty() && (self.classes.is_empty() || any_order && self.max.is_none())
    }

    /// Whether any name may come at any time, with any value.
    pub(super) fn has_endless_names(&self, everything: TermId) -> bool {
        let is_free = |class: &Class| class.names == everything && class.goal == Goals::TRUE;
        self.is_simple && self.classes.iter().any(is_free)
    }

    pub(super) fn start(&self) -> Progress {
        let pending = (1u32 << self.clauses.len()) - 1;
        Progress { seen: Bits::new(self.names.len()), count: 0, pending, from: 0 }
    }

    pub(super) fn goal(&self, key: Key) -> GoalId {
        match key {
            Key::Declared(index) => self.names[index as usize].goal,
            Key::Class(index) => self.classes[index as usize].goal,
        }
    }

    fn meets(&self, key: Key) -> u32 {
        match key {
            Key::Declared(index) => self.names[index as usize].meets,
            Key::Class(index) => self.classes[index as usize].meets,
        }
    }

    /// Whether a declared name is still to come or may: it has not been seen.
    pub(super) fn is_open(&self, progress: &Progress, index: usize) -> bool {
        index >= progress.from as usize && !progress.seen.contains(index)
    }

    /// Whether the object may end here.
    pub(super) fn may_end(&self, progress: &Progress) -> bool {
        let left = self.required_left(progress);
        self.pending_beyond(progress, &left) == 0 && progress.count >= self.min && left.is_empty()
    }

    /// The clauses that are not met by the absence of a name which need not come any more.
    fn pending_beyond(&self, progress: &Progress, left: &[usize]) -> u32 {
        let is_met = |i: &usize| {
            self.clauses[*i].absent.iter().any(|name| !progress.seen.contains(*name) && !left.contains(name))
        };
        (0..self.clauses.len()).filter(is_met).fold(progress.pending, |pending, i| pending & !(1 << i))
    }

    /// Declared names that must still come.
    fn required_left(&self, progress: &Progress) -> Vec<usize> {
        let mut left: Vec<usize> = Vec::new();
        for (index, declared) in self.names.iter().enumerate() {
            if progress.seen.contains(index) {
                left.extend(declared.implies.iter().filter(|&&other| !progress.seen.contains(other)));
            } else if declared.is_required {
                left.push(index);
            }
        }
        let mut next = 0;
        left.sort_unstable();
        left.dedup();
        while next < left.len() {
            for &other in &self.names[left[next]].implies {
                if !progress.seen.contains(other) && !left.contains(&other) {
                    left.push(other);
                }
            }
            next += 1;
        }
        left
    }

    pub(super) fn after(&self, progress: &Progress, key: Key, met: u32, any_order: bool) -> Progress {
        let mut after = progress.clone();
        let cap = self.max.unwrap_or(self.min);
        after.count = (after.count + 1).min(cap);
        after.pending &= !met;
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
        after
    }
}
