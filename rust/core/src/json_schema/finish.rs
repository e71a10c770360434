//! Whether what is written of an object can be completed, and how the value of a name may be read.
//!
//! A name is offered only if the object can be completed after it. That is exact: for each choice a part is looked for, so that
//! together with what is written all of them can be satisfied. Which parts a value leaves alive is decided as it is read: where what a part asks
//! is easily negated, values that satisfy it and values that do not are read apart, so that one way to read remains.

use super::decimal::Decimal;
use super::engine::Engine;
use super::goal::{GoalId, Goals};
use super::number::Span;
use super::plan::{Key, Plan, Progress, ReadyClause};
use super::shape::{Arr, Obj};
use crate::error::{Error, Result};

/// Ways in which the value of one name may be read.
const MAX_READINGS: usize = 256;

/// A way to read the value of a name, and what is written after it.
pub(super) type Reading = (GoalId, Progress);

/// What the value of a name decides.
#[derive(Clone, Copy)]
enum Question {
    /// Whether a part holds.
    Part(usize),
    /// Whether a clause of a part is met.
    Clause(usize, usize),
}

/// A property still to be written, with its goal.
type Group = (Key, GoalId);

/// A search for a way to complete an object.
struct Search<'a> {
    plan: &'a Plan,
    progress: &'a Progress,
    /// Parts that have to hold.
    chosen: &'a [usize],
    /// Properties that may still come, and that must.
    room: Option<usize>,
    missing: usize,
}

impl Engine {
    pub(super) fn has_object(&mut self, obj: &Obj) -> Result<bool> {
        if self.has_plain_object(obj)? {
            return Ok(true);
        }
        // Only a required name without a value can stand in the way of these.
        if obj.min == 0 && obj.max.is_none() && obj.clauses.is_empty() && obj.choices.is_empty() {
            return Ok(false);
        }
        let plan = self.plan(obj)?;
        let progress = plan.start();
        self.can_finish(&plan, &progress)
    }

    /// Whether what is written can be completed.
    pub(super) fn can_finish(&mut self, plan: &Plan, progress: &Progress) -> Result<bool> {
        if plan.choices.is_empty() {
            return self.can_finish_as(plan, progress, &[0]);
        }
        let witness = plan.made_by(&plan.witness.lock(), progress);
        if let Some(chosen) = witness
            && self.can_finish_as(plan, progress, &chosen)?
        {
            return Ok(true);
        }
        let mut chosen = vec![0];
        let mut open: Vec<usize> =
            plan.open_choices(&plan.parts[0], progress).map(|(number, _)| number).collect();
        // The last is looked at first: what leaves no choice decides most.
        open.sort_by_key(|&number| std::cmp::Reverse(plan.choices[number].alive(progress).count()));
        let can_finish = self.can_finish_as(plan, progress, &chosen)?
            && self.can_choose(plan, progress, &mut chosen, &mut open)?;
        if can_finish {
            *plan.witness.lock() = chosen;
        }
        Ok(can_finish)
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
        let max = chosen.iter().filter_map(|&part| plan.parts[part].max).min();
        let min = chosen.iter().map(|&part| plan.parts[part].min).max().unwrap_or(0);
        let room = max.map(|max| max.saturating_sub(progress.count));
        let missing = min.saturating_sub(progress.count) as usize;
        let search = Search { plan, progress, chosen, room: room.map(|room| room as usize), missing };
        if search.room.is_some_and(|room| room < missing) {
            return Ok(false);
        }
        let mut groups = Vec::new();
        if !self.add_groups(&search, search.required_left(), &mut groups, &[])? {
            return Ok(false);
        }
        let pending = search.pending();
        let pending = match search.room {
            None => self.pending_on_declared(&search, pending)?,
            Some(_) => pending,
        };
        let Some(pending) = self.hardest_first(&search, pending, &groups)? else { return Ok(false) };
        self.can_meet(&search, &pending, &mut groups, &mut Vec::new())
    }

    /// Clauses that can be met in one way only before the others; `None` if one cannot be met at all. As more has to be met, ways only
    /// get lost.
    fn hardest_first(
        &mut self,
        search: &Search<'_>,
        pending: Vec<usize>,
        groups: &[Group],
    ) -> Result<Option<Vec<usize>>> {
        let (mut forced, mut free) = (Vec::new(), Vec::new());
        for number in pending {
            match self.ways_to_meet(search, &search.plan.clauses[number], groups)? {
                0 => return Ok(None),
                1 => forced.push(number),
                _ => free.push(number),
            }
        }
        forced.append(&mut free);
        Ok(Some(forced))
    }

    /// In how many ways a clause alone can be met, beside declared names that have to be written; more than two are not told apart.
    fn ways_to_meet(&mut self, search: &Search<'_>, clause: &ReadyClause, groups: &[Group]) -> Result<usize> {
        let absent = clause.absent.iter().filter(|&&name| search.may_be_absent(groups, name));
        let mut ways = absent.take(2).count();
        for (key, wanted) in clause.goals() {
            if ways == 2 {
                break;
            }
            let own = match (groups.iter().find(|group| group.0 == key), key) {
                (Some(&(_, goal)), _) => goal,
                (None, Key::Declared(index)) if !search.plan.is_open(search.progress, index as usize) => {
                    continue;
                }
                (None, _) => self.goal_of_all(search.plan, search.chosen, key),
            };
            let both = self.goals.both(own, wanted);
            ways += usize::from(self.is_inhabited(both)?);
        }
        Ok(ways)
    }

    /// Adds declared names that have to be written; `false` if one cannot be.
    fn add_groups(
        &mut self,
        search: &Search<'_>,
        names: Vec<usize>,
        groups: &mut Vec<Group>,
        forbidden: &[usize],
    ) -> Result<bool> {
        for index in names {
            let key = Key::Declared(index as u32);
            let goal = self.goal_of_all(search.plan, search.chosen, key);
            if !search.plan.is_open(search.progress, index)
                || forbidden.contains(&index)
                || !self.is_inhabited(goal)?
            {
                return Ok(false);
            }
            groups.push((key, goal));
        }
        Ok(true)
    }

    /// Where there is always room for one more undeclared name, the clauses that none of those can meet.
    fn pending_on_declared(&mut self, search: &Search<'_>, pending: Vec<usize>) -> Result<Vec<usize>> {
        let mut left = Vec::new();
        'clauses: for clause in pending {
            for &(class, goal) in &search.plan.clauses[clause].classes {
                let own = self.goal_of_all(search.plan, search.chosen, Key::Class(class));
                let both = self.goals.both(own, goal);
                if self.is_inhabited(both)? {
                    continue 'clauses;
                }
            }
            left.push(clause);
        }
        Ok(left)
    }

    /// Whether all obligations can be met: by what has to be written anyway (`groups`), by more, or by leaving names away
    /// (`forbidden`).
    fn can_meet(
        &mut self,
        search: &Search<'_>,
        pending: &[usize],
        groups: &mut Vec<Group>,
        forbidden: &mut Vec<usize>,
    ) -> Result<bool> {
        self.budget.work()?;
        if search.room.is_some_and(|room| room < groups.len()) {
            return Ok(false);
        }
        let Some((&first, rest)) = pending.split_first() else {
            return self.can_fill(search, groups, forbidden);
        };
        let clause = &search.plan.clauses[first];
        if self.is_met(clause, groups, forbidden) {
            return self.can_meet(search, rest, groups, forbidden);
        }
        for &name in &clause.absent {
            if !search.may_be_absent(groups, name) {
                continue;
            }
            forbidden.push(name);
            let found = self.can_meet(search, rest, groups, forbidden)?;
            forbidden.pop();
            if found {
                return Ok(true);
            }
        }
        for i in 0..groups.len() {
            let (key, goal) = groups[i];
            let Some(wanted) = clause.goal(key) else { continue };
            let both = self.goals.both(goal, wanted);
            if self.is_inhabited(both)? {
                groups[i].1 = both;
                let found = self.can_meet(search, rest, groups, forbidden)?;
                groups[i].1 = goal;
                if found {
                    return Ok(true);
                }
            }
        }
        for (key, wanted) in clause.goals() {
            let before = groups.len();
            let own = self.goal_of_all(search.plan, search.chosen, key);
            let both = self.goals.both(own, wanted);
            let may_come = match key {
                Key::Declared(index) if search.is_in(groups, index as usize) => continue,
                Key::Declared(index) => {
                    let names = search.with_implied(vec![index as usize], groups);
                    self.add_groups(search, names, groups, forbidden)?
                }
                Key::Class(_) => {
                    groups.push((key, own));
                    true
                }
            };
            let mut found = false;
            if may_come && self.is_inhabited(both)? {
                groups[before].1 = both;
                found = self.can_meet(search, rest, groups, forbidden)?;
            }
            groups.truncate(before);
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a clause asks for nothing more: another way to meet it would only leave less.
    fn is_met(&mut self, clause: &ReadyClause, groups: &[Group], forbidden: &[usize]) -> bool {
        clause.absent.iter().any(|name| forbidden.contains(name))
            || groups.iter().any(|&(key, goal)| {
                clause.goal(key).is_some_and(|wanted| self.goals.both(goal, wanted) == goal)
            })
    }

    /// Whether enough other names may come to make up the number of properties.
    fn can_fill(
        &mut self,
        search: &Search<'_>,
        groups: &mut Vec<Group>,
        forbidden: &[usize],
    ) -> Result<bool> {
        if groups.len() >= search.missing {
            return Ok(true);
        }
        for class in 0..search.plan.classes.len() {
            let goal = self.goal_of_all(search.plan, search.chosen, Key::Class(class as u32));
            if self.is_inhabited(goal)? {
                return Ok(true);
            }
        }
        let mut possible = groups.len();
        for index in search.progress.from as usize..search.plan.names.len() {
            if search.progress.seen.contains(index) || search.is_in(groups, index) {
                continue;
            }
            let before = groups.len();
            let names = search.with_implied(vec![index], groups);
            possible += usize::from(self.add_groups(search, names, groups, forbidden)?);
            groups.truncate(before);
        }
        Ok(possible >= search.missing)
    }

    /// Whether each name may come at any time that did not come before, whatever else is written.
    pub(super) fn is_free(&self, plan: &Plan) -> bool {
        plan.is_simple() && self.options.any_order
    }

    /// The goals that the value of a name may be read as, each with what is then written; none if the name may not come.
    pub(super) fn options(&mut self, plan: &Plan, progress: &Progress, key: Key) -> Result<Vec<Reading>> {
        let mut out: Vec<Reading> = Vec::new();
        for reading in self.readings(plan, progress, key)? {
            if self.can_read(plan, &reading)? {
                out.push(reading);
            }
        }
        Ok(out)
    }

    /// Whether a name may come.
    pub(super) fn has_option(&mut self, plan: &Plan, progress: &Progress, key: Key) -> Result<bool> {
        Ok(self.first_option(plan, progress, key)?.is_some())
    }

    /// The first of [`Self::options`] to be found; the others are not looked for.
    pub(super) fn first_option(
        &mut self,
        plan: &Plan,
        progress: &Progress,
        key: Key,
    ) -> Result<Option<Reading>> {
        let Some(reading) = self.undecided(plan, progress, key) else { return Ok(None) };
        let questions = self.questions(plan, progress, key);
        self.first_answered(plan, reading, &questions)
    }

    fn first_answered(
        &mut self,
        plan: &Plan,
        mut reading: Reading,
        questions: &[(Question, GoalId)],
    ) -> Result<Option<Reading>> {
        self.budget.work()?;
        let Some((first, rest)) = questions.split_first() else {
            plan.settle(&mut reading.1);
            return Ok(self.can_read(plan, &reading)?.then_some(reading));
        };
        let answered = self.ask(plan, vec![reading], *first)?;
        for reading in answered.into_iter().rev() {
            let found = self.first_answered(plan, reading, rest)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Whether there is a value to read, and the object can be completed after it.
    fn can_read(&mut self, plan: &Plan, (goal, after): &Reading) -> Result<bool> {
        // Where nothing but names counts, more properties never hurt.
        Ok(self.is_inhabited(*goal)? && (self.is_free(plan) || self.can_finish(plan, after)?))
    }

    /// All ways to read the value of a name.
    fn readings(&mut self, plan: &Plan, progress: &Progress, key: Key) -> Result<Vec<Reading>> {
        let Some(reading) = self.undecided(plan, progress, key) else { return Ok(Vec::new()) };
        let mut readings = vec![reading];
        for question in self.questions(plan, progress, key) {
            readings = self.ask(plan, readings, question)?;
        }
        readings.reverse();
        readings.iter_mut().for_each(|(_, after)| plan.settle(after));
        Ok(readings)
    }

    /// The value of a name before anything is asked of it, if the name may come.
    fn undecided(&self, plan: &Plan, progress: &Progress, key: Key) -> Option<Reading> {
        Some((plan.goal(key), plan.after(progress, key, self.options.any_order)?))
    }

    /// What the value of a name decides, each with what is wanted of it.
    fn questions(&self, plan: &Plan, progress: &Progress, key: Key) -> Vec<(Question, GoalId)> {
        let mut out = Vec::new();
        if self.is_free(plan) {
            return out;
        }
        for (number, part) in plan.parts.iter().enumerate().skip(1) {
            let wanted = part.goal(key);
            if progress.alive.contains(number) && wanted != Goals::TRUE {
                out.push((Question::Part(number), wanted));
            }
        }
        for (number, part) in plan.parts.iter().enumerate() {
            let pending = part.clauses.clone().filter(|&clause| progress.pending.contains(clause));
            out.extend(pending.filter_map(|clause| {
                Some((Question::Clause(number, clause), plan.clauses[clause].goal(key)?))
            }));
        }
        out
    }

    /// Reads values that satisfy what a part or clause wants, and those that do not.
    fn ask(
        &mut self,
        plan: &Plan,
        readings: Vec<Reading>,
        (question, wanted): (Question, GoalId),
    ) -> Result<Vec<Reading>> {
        let mut out: Vec<Reading> = Vec::new();
        for (goal, after) in readings {
            let (Question::Part(part) | Question::Clause(part, _)) = question;
            if !after.alive.contains(part) {
                add(&mut out, goal, after);
                continue;
            }
            let both = self.meet(goal, wanted)?;
            let may_be = both == goal || self.is_inhabited(both)?;
            let (mut without, mut may_not_be) = (goal, both != goal);
            if may_be && may_not_be && self.is_easily_negated(wanted)? {
                let not = self.goals.not(wanted);
                self.known_shape(not)?;
                without = self.meet(goal, not)?;
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

impl Search<'_> {
    fn is_in(&self, groups: &[Group], name: usize) -> bool {
        groups.iter().any(|group| group.0 == Key::Declared(name as u32))
    }

    /// Whether a name is not written and does not have to be.
    fn may_be_absent(&self, groups: &[Group], name: usize) -> bool {
        !self.progress.seen.contains(name) && !self.is_in(groups, name)
    }

    /// The clauses of the parts that are still to be met.
    fn pending(&self) -> Vec<usize> {
        let clauses = self.chosen.iter().flat_map(|&part| self.plan.parts[part].clauses.clone());
        clauses.filter(|&clause| self.progress.pending.contains(clause)).collect()
    }

    /// Declared names that must still come.
    fn required_left(&self) -> Vec<usize> {
        let mut left: Vec<usize> = Vec::new();
        let seen = &self.progress.seen;
        for part in self.chosen.iter().map(|&part| &self.plan.parts[part]) {
            left.extend(part.required.iter().filter(|&&name| !seen.contains(name)));
            let implied =
                part.implies.iter().filter(|&&(name, other)| seen.contains(name) && !seen.contains(other));
            left.extend(implied.map(|&(_, other)| other));
        }
        left.sort_unstable();
        left.dedup();
        self.with_implied(left, &[])
    }

    /// Names with all that have to come with them.
    fn with_implied(&self, mut names: Vec<usize>, groups: &[Group]) -> Vec<usize> {
        let mut next = 0;
        while next < names.len() {
            for &(name, other) in self.chosen.iter().flat_map(|&part| &self.plan.parts[part].implies) {
                let is_there = self.progress.seen.contains(other) || self.is_in(groups, other);
                if name == names[next] && !is_there && !names.contains(&other) {
                    names.push(other);
                }
            }
            next += 1;
        }
        names
    }
}
