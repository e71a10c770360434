//! Whether what is written of an object can be completed, and how the value of a name may be read.
//!
//! A name is offered only if the object can be completed after it. That is exact: for each choice a part is looked for, so that
//! together with what is written all of them can be satisfied. Which parts a value leaves alive is decided as it is read: where what a part asks
//! is easily negated, values that satisfy it and values that do not are read apart, so that one way to read remains.

use super::decimal::Decimal;
use super::engine::Engine;
use super::goal::{GoalId, Goals};
use super::number::Span;
use super::plan::{Key, Plan, Progress};
use super::shape::{Arr, Obj};
use crate::error::{Error, Result};

/// Ways in which the value of one name may be read.
const MAX_READINGS: usize = 256;

/// A way to read the value of a name, and what is written after it.
type Reading = (GoalId, Progress);

/// What the value of a name decides.
#[derive(Clone, Copy)]
enum Question {
    /// Whether a part holds.
    Part(usize),
    /// Whether a clause of a part is met.
    Clause(usize, usize),
}

/// Properties still to be written: each with its goal, and whether it is required.
type Group = (Key, GoalId, bool);

impl Engine {
    pub(super) fn has_object(&mut self, obj: &Obj) -> Result<bool> {
        if obj.min == 0 && obj.max.is_none() && obj.clauses.is_empty() && obj.choices.is_empty() {
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
        let mut chosen = vec![0];
        let mut open: Vec<usize> =
            plan.open_choices(&plan.parts[0], progress).map(|(number, _)| number).collect();
        Ok(self.can_finish_as(plan, progress, &chosen)?
            && self.can_choose(plan, progress, &mut chosen, &mut open)?)
    }

    /// Whether for each choice that is open there is a part, so that with those chosen already the object can be completed.
    fn can_choose(
        &mut self,
        plan: &Plan,
        progress: &Progress,
        chosen: &mut Vec<usize>,
        open: &mut Vec<usize>,
    ) -> Result<bool> {
        let Some(number) = open.pop() else { return Ok(true) };
        let choice = &plan.choices[number];
        if choice.parts.iter().any(|one| chosen.contains(one)) {
            let found = self.can_choose(plan, progress, chosen, open)?;
            open.push(number);
            return Ok(found);
        }
        for one in choice.alive(progress) {
            self.budget.work()?;
            let others = open.len();
            chosen.push(one);
            open.extend(plan.open_choices(&plan.parts[one], progress).map(|(number, _)| number));
            if self.can_finish_as(plan, progress, chosen)? && self.can_choose(plan, progress, chosen, open)? {
                return Ok(true);
            }
            open.truncate(others);
            chosen.pop();
        }
        open.push(number);
        Ok(false)
    }

    /// What all chosen parts say of the value of a name.
    fn goal_of_all(&mut self, plan: &Plan, chosen: &[usize], key: Key) -> GoalId {
        match chosen {
            [one] => plan.parts[*one].goal(key),
            _ => self.goals.and(chosen.iter().map(|&part| plan.parts[part].goal(key))),
        }
    }

    /// Whether what is written can be completed so that all chosen parts hold, whatever their choices.
    fn can_finish_as(&mut self, plan: &Plan, progress: &Progress, chosen: &[usize]) -> Result<bool> {
        let left = plan.required_left(progress, chosen);
        for &index in &left {
            let goal = self.goal_of_all(plan, chosen, Key::Declared(index as u32));
            if index < progress.from as usize || !self.is_inhabited(goal)? {
                return Ok(false);
            }
        }
        let max = chosen.iter().filter_map(|&part| plan.parts[part].max).min();
        let min = chosen.iter().map(|&part| plan.parts[part].min).max().unwrap_or(0) as usize;
        let room = max.map(|max| max.saturating_sub(progress.count));
        if room.is_some_and(|room| (room as usize) < left.len()) {
            return Ok(false);
        }
        let mut extra = 0;
        let pending = plan.pending_beyond(progress, &left, chosen);
        if !pending.is_empty() {
            let most = room.map_or(usize::MAX, |room| room as usize - left.len());
            let pending = match room {
                None => self.pending_on_declared(plan, pending, chosen)?,
                Some(_) => pending,
            };
            let mut groups: Vec<Group> = Vec::new();
            for &index in &left {
                let key = Key::Declared(index as u32);
                groups.push((key, self.goal_of_all(plan, chosen, key), true));
            }
            match self.fewest_extra(plan, progress, &pending, chosen, &mut groups, most)? {
                Some(fewest) => extra = fewest,
                None => return Ok(false),
            }
        }
        let certain = progress.count as usize + left.len() + extra;
        if certain >= min || self.any_class(plan, chosen)? {
            return Ok(true);
        }
        let mut possible = progress.count as usize + left.len();
        for index in progress.from as usize..plan.names.len() {
            let goal = self.goal_of_all(plan, chosen, Key::Declared(index as u32));
            if !progress.seen.contains(index) && !left.contains(&index) && self.is_inhabited(goal)? {
                possible += 1;
            }
        }
        Ok(possible >= min)
    }

    fn any_class(&mut self, plan: &Plan, chosen: &[usize]) -> Result<bool> {
        for class in 0..plan.classes.len() {
            let goal = self.goal_of_all(plan, chosen, Key::Class(class as u32));
            if self.is_inhabited(goal)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where there is always room for one more undeclared name, the clauses that none of those can meet.
    fn pending_on_declared(
        &mut self,
        plan: &Plan,
        mut pending: Vec<usize>,
        chosen: &[usize],
    ) -> Result<Vec<usize>> {
        let mut left = Vec::new();
        'clauses: for clause in pending.drain(..) {
            for &(class, goal) in &plan.clauses[clause].classes {
                let own = self.goal_of_all(plan, chosen, Key::Class(class));
                let both = self.goals.and([own, goal]);
                if self.is_inhabited(both)? {
                    continue 'clauses;
                }
            }
            left.push(clause);
        }
        Ok(left)
    }

    /// The fewest properties beyond the required ones that meet all obligations; `None` if more than `most`.
    fn fewest_extra(
        &mut self,
        plan: &Plan,
        progress: &Progress,
        pending: &[usize],
        chosen: &[usize],
        groups: &mut Vec<Group>,
        most: usize,
    ) -> Result<Option<usize>> {
        self.budget.work()?;
        let extra = groups.iter().filter(|group| !group.2).count();
        if extra > most {
            return Ok(None);
        }
        let Some((&first, rest)) = pending.split_first() else { return Ok(Some(extra)) };
        let clause = &plan.clauses[first];
        let mut best: Option<usize> = None;
        let declared = clause.declared.iter().map(|&(index, wanted)| (Key::Declared(index), wanted));
        let classes = clause.classes.iter().map(|&(index, wanted)| (Key::Class(index), wanted));
        let keys: Vec<(Key, GoalId)> = declared.chain(classes).collect();
        for i in 0..groups.len() {
            let (key, goal, _) = groups[i];
            let Some(wanted) = clause.goal(key) else { continue };
            let both = self.goals.and([goal, wanted]);
            if self.is_inhabited(both)? {
                groups[i].1 = both;
                let found = self.fewest_extra(plan, progress, rest, chosen, groups, most)?;
                groups[i].1 = goal;
                best = best.into_iter().chain(found).min();
                if best.is_some() && most == usize::MAX {
                    return Ok(best);
                }
            }
        }
        for (key, wanted) in keys {
            let is_fresh = match key {
                Key::Declared(index) => {
                    plan.is_open(progress, index as usize) && !groups.iter().any(|group| group.0 == key)
                }
                Key::Class(_) => true,
            };
            if !is_fresh || best == Some(extra) {
                continue;
            }
            let own = self.goal_of_all(plan, chosen, key);
            let both = self.goals.and([own, wanted]);
            if !self.is_inhabited(both)? {
                continue;
            }
            groups.push((key, both, false));
            let found = self.fewest_extra(plan, progress, rest, chosen, groups, most)?;
            groups.pop();
            best = best.into_iter().chain(found).min();
            if best.is_some() && most == usize::MAX {
                return Ok(best);
            }
        }
        Ok(best)
    }

    /// The goals that the value of a name may be read as, each with what is then written; none if the name may not come.
    pub(super) fn options(&mut self, plan: &Plan, progress: &Progress, key: Key) -> Result<Vec<Reading>> {
        let Some(after) = plan.after(progress, key, self.options.any_order) else { return Ok(Vec::new()) };
        let goal = plan.goal(key);
        if plan.is_simple() && self.options.any_order {
            // More properties never hurt.
            return Ok(self.is_inhabited(goal)?.then_some((goal, after)).into_iter().collect());
        }
        let mut readings = vec![(goal, after)];
        for (number, part) in plan.parts.iter().enumerate() {
            if number > 0 && progress.alive.contains(number) && part.goal(key) != Goals::TRUE {
                readings = self.ask(plan, readings, Question::Part(number), part.goal(key))?;
            }
        }
        for (number, part) in plan.parts.iter().enumerate() {
            for clause in part.clauses.clone().filter(|&clause| progress.pending.contains(clause)) {
                if let Some(wanted) = plan.clauses[clause].goal(key) {
                    readings = self.ask(plan, readings, Question::Clause(number, clause), wanted)?;
                }
            }
        }
        let mut out: Vec<Reading> = Vec::new();
        for (goal, mut after) in readings.into_iter().rev() {
            plan.settle(&mut after);
            if self.is_inhabited(goal)? && self.can_finish(plan, &after)? {
                out.push((goal, after));
            }
        }
        Ok(out)
    }

    /// Reads values that satisfy what a part or clause wants, and those that do not.
    fn ask(
        &mut self,
        plan: &Plan,
        readings: Vec<Reading>,
        question: Question,
        wanted: GoalId,
    ) -> Result<Vec<Reading>> {
        let mut out: Vec<Reading> = Vec::new();
        for (goal, after) in readings {
            let (Question::Part(part) | Question::Clause(part, _)) = question;
            if !after.alive.contains(part) {
                add(&mut out, goal, after);
                continue;
            }
            let both = self.goals.and([goal, wanted]);
            let may_be = both == goal || self.is_inhabited(both)?;
            let (mut without, mut may_not_be) = (goal, both != goal);
            if may_be && may_not_be && self.is_easily_negated(wanted)? {
                let not = self.goals.not(wanted);
                without = self.goals.and([goal, not]);
                may_not_be = self.is_inhabited(without)?;
            }
            if may_be {
                let mut met = after.clone();
                if let Question::Clause(_, clause) = question {
                    met.pending.remove(clause);
                }
                add(&mut out, if may_not_be { both } else { goal }, met);
            }
            if may_not_be {
                let mut left = after;
                if let Question::Part(part) = question {
                    left.alive.remove(part);
                }
                if !plan.is_hopeless(&left) {
                    add(&mut out, without, left);
                }
            }
        }
        if out.len() > MAX_READINGS {
            let message = format!(
                "`anyOf`, `oneOf`, `not` and `if` tell more than {MAX_READINGS} kinds of values of one property apart"
            );
            return Err(Error::LimitExceeded { limit: "schema_alternatives", message });
        }
        Ok(out)
    }

    /// Whether what does not satisfy a goal is as simple as what does: nothing is asked of the parts of arrays and objects.
    pub(super) fn is_easily_negated(&mut self, goal: GoalId) -> Result<bool> {
        let Some(shape) = self.known_shape(goal)? else { return Ok(false) };
        let one = Decimal::from_int(1);
        let is_plain = |span: &Span| {
            span.not_multiples.is_empty() && span.multiple.as_ref().is_none_or(|multiple| *multiple == one)
        };
        Ok(!shape.strings.embedded.any()
            && shape.numbers.0.len() <= MAX_READINGS
            && shape.numbers.0.iter().all(is_plain)
            && (shape.arrays.is_empty() || shape.arrays == [Arr::any()])
            && (shape.objects.is_empty() || shape.objects == [Obj::any()]))
    }

    /// Whether all that satisfies a goal has no parts.
    pub(super) fn is_scalar(&mut self, goal: GoalId) -> Result<bool> {
        let shape = self.known_shape(goal)?;
        Ok(shape.is_some_and(|shape| shape.arrays.is_empty() && shape.objects.is_empty()))
    }
}

/// Adds a reading unless one of the same values leaves as much open.
fn add(readings: &mut Vec<Reading>, goal: GoalId, after: Progress) {
    let is_as_good = |(known, other): &Reading| {
        *known == goal && other.alive.includes(&after.alive) && after.pending.includes(&other.pending)
    };
    if !readings.iter().any(is_as_good) {
        readings.push((goal, after));
    }
}

impl Plan {
    /// The clauses of some parts that are not met by the absence of a name which need not come any more.
    fn pending_beyond(&self, progress: &Progress, left: &[usize], chosen: &[usize]) -> Vec<usize> {
        let is_met = |clause: usize| {
            let absent = &self.clauses[clause].absent;
            absent.iter().any(|name| !progress.seen.contains(*name) && !left.contains(name))
        };
        let clauses = chosen.iter().flat_map(|&part| self.parts[part].clauses.clone());
        clauses.filter(|&clause| progress.pending.contains(clause) && !is_met(clause)).collect()
    }

    /// Declared names that must still come where some parts hold.
    fn required_left(&self, progress: &Progress, chosen: &[usize]) -> Vec<usize> {
        let mut left: Vec<usize> = Vec::new();
        for part in chosen.iter().map(|&part| &self.parts[part]) {
            left.extend(part.required.iter().filter(|&&name| !progress.seen.contains(name)));
            for &(name, other) in &part.implies {
                if progress.seen.contains(name) && !progress.seen.contains(other) {
                    left.push(other);
                }
            }
        }
        left.sort_unstable();
        left.dedup();
        let mut next = 0;
        while next < left.len() {
            for &(name, other) in chosen.iter().flat_map(|&part| &self.parts[part].implies) {
                if name == left[next] && !progress.seen.contains(other) && !left.contains(&other) {
                    left.push(other);
                }
            }
            next += 1;
        }
        left
    }
}
