//! How to write an array: what the next item may be, and whether what is written can be completed.

use super::engine::Engine;
use super::goal::{GoalId, Goals, Value, ValueId};
use super::plan::{Key, Progress};
use super::shape::{Arr, Name, Obj};
use crate::error::{Error, Result};
use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::sync::Arc;

/// Items of so few values are told apart by states where none may come twice.
const FEW_VALUES: usize = 128;
/// Longest array of different items for which the values are counted.
const MOST_WANTED: usize = 1 << 16;
/// Steps of a search for the end of an array.
const MAX_STEPS: u32 = 1 << 14;
/// Values nested deeper count as many.
const MAX_NESTING: u32 = 8;
/// Unfinished values that are kept, for each that is asked for.
const UNFINISHED: usize = 16;

/// Values, each once.
type Found = IndexSet<ValueId, FxBuildHasher>;

/// What of an array is written: the number of items, as far as it matters, and how many satisfy each `contains`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Written {
    pub(super) index: u32,
    counts: Vec<u32>,
    /// Values of a finite set that are there already, where none may come twice or one has to.
    used: Vec<ValueId>,
    /// Some value has come twice, where one has to.
    pub(super) is_repeated: bool,
}

impl Arr {
    pub(super) fn start(&self) -> Written {
        Written { index: 0, counts: vec![0; self.contains.len()], used: Vec::new(), is_repeated: false }
    }

    /// This, once a value has come again.
    pub(super) fn repeated(&self, written: &Written) -> Written {
        Written { used: Vec::new(), is_repeated: true, ..written.clone() }
    }

    /// Whether a value has to come again.
    pub(super) fn wants_repeat(&self, written: &Written) -> bool {
        self.repeats && !written.is_repeated
    }

    /// Indices from here on are alike.
    fn cap(&self) -> u32 {
        let from = self.contains.iter().map(|c| c.from).max().unwrap_or(0);
        (self.prefix.len() as u32).max(self.min).max(from).max(self.max.unwrap_or(0))
    }

    pub(super) fn may_end(&self, written: &Written) -> bool {
        let enough = |(c, &count): (&super::shape::Contains, &u32)| count >= c.min;
        written.index >= self.min
            && !self.wants_repeat(written)
            && self.contains.iter().zip(&written.counts).all(enough)
    }
}

impl Engine {
    pub(super) fn has_array(&mut self, arr: &Arr) -> Result<bool> {
        self.can_finish_array(arr, &arr.start(), &mut FxHashMap::default())
    }

    /// Whether there are not enough items to come that could satisfy some `contains`, each looked at alone.
    fn lacks_contained(&mut self, arr: &Arr, written: &Written) -> Result<bool> {
        for (i, c) in arr.contains.iter().enumerate() {
            let missing = c.min.saturating_sub(written.counts[i]) as usize;
            let first = written.index.max(c.from) as usize;
            let mut found = 0;
            for index in first..arr.prefix.len() {
                let both = self.goals.both(arr.prefix[index], c.goal);
                found += usize::from(found < missing && self.is_inhabited(both)?);
            }
            let both = self.goals.both(arr.rest, c.goal);
            if found >= missing || !self.is_inhabited(both)? {
                if found < missing {
                    return Ok(true);
                }
                continue;
            }
            if arr.unique
                && let Some(values) = self.few_values(both)?
            {
                found += values.iter().filter(|value| !written.used.contains(value)).count();
                if found < missing {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether there are too few different values for an array of different items.
    fn lacks_values(&mut self, arr: &Arr) -> Result<bool> {
        let wanted = (arr.min as usize).saturating_sub(arr.prefix.len());
        if !arr.unique || wanted <= 1 || wanted > MOST_WANTED {
            return Ok(false);
        }
        let values = self.values(arr.rest, wanted - 1, 0)?;
        Ok(values.is_some_and(|values| values.len() < wanted))
    }

    /// Whether what is written can be completed; `known` keeps answers about the same array.
    pub(super) fn can_finish_array(
        &mut self,
        arr: &Arr,
        written: &Written,
        known: &mut FxHashMap<Written, bool>,
    ) -> Result<bool> {
        if written.index == 0 && self.lacks_values(arr)? {
            return Ok(false);
        }
        if arr.wants_repeat(written) && self.compares(arr)? {
            // Where that is allowed at all, two equal items fit in anywhere.
            let others = Arr { repeats: false, ..arr.clone() };
            return Ok(self.may_repeat(arr, written)? && self.can_finish_array(&others, written, known)?);
        }
        let tells_apart = (arr.unique || arr.wants_repeat(written)) && self.is_few(arr)?;
        if arr.contains.is_empty() && !tells_apart {
            // Items up to the least length have to be possible; of those alike, one.
            let end = arr.min.min(arr.prefix.len() as u32 + 1);
            for index in written.index..end {
                if !self.is_inhabited(arr.item(index as usize))? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        // A search for an end, the most promising item first; a frame is a step and the steps that may follow it.
        let mut stack: Vec<(Written, Vec<Written>)> = Vec::new();
        let mut enter = Some(written.clone());
        let mut steps = 0;
        loop {
            if let Some(step) = enter.take() {
                let answer = if arr.may_end(&step) { Some(true) } else { known.get(&step).copied() };
                match answer {
                    Some(true) => {
                        known.insert(step, true);
                        known.extend(stack.into_iter().map(|(before, _)| (before, true)));
                        return Ok(true);
                    }
                    Some(false) => {}
                    None if self.lacks_contained(arr, &step)? => {
                        known.insert(step, false);
                    }
                    None => {
                        self.budget.state()?;
                        steps += 1;
                        if steps > MAX_STEPS {
                            let message = format!(
                                "whether an array with `uniqueItems` or `contains` can be completed takes more than {MAX_STEPS} steps to find out"
                            );
                            return Err(Error::LimitExceeded { limit: "schema_alternatives", message });
                        }
                        // Coming back to a step is no way to an end.
                        known.insert(step.clone(), false);
                        let mut next: Vec<Written> =
                            self.next_items(arr, &step)?.into_iter().map(|(_, after)| after).collect();
                        next.reverse();
                        stack.push((step, next));
                    }
                }
            }
            let Some((_, next)) = stack.last_mut() else { return Ok(false) };
            match next.pop() {
                Some(step) => enter = Some(step),
                None => drop(stack.pop()),
            }
        }
    }

    /// What the next item may be, with what is then written; those that count towards most `contains` come first.
    pub(super) fn next_items(&mut self, arr: &Arr, written: &Written) -> Result<Vec<(GoalId, Written)>> {
        if arr.max.is_some_and(|max| written.index >= max) {
            return Ok(Vec::new());
        }
        let index = (written.index + 1).min(arr.cap());
        let goal = arr.item(written.index as usize);
        let mut out = vec![(goal, Written { index, ..written.clone() })];
        for (i, c) in arr.contains.iter().enumerate() {
            let count = written.counts[i];
            if written.index < c.from || (c.max.is_none() && count >= c.min) {
                continue;
            }
            let mut more: Vec<(GoalId, Written)> = Vec::new();
            for (goal, after) in out {
                // Each of many `contains` may double them.
                self.budget.work()?;
                if c.max.is_none_or(|max| count < max) {
                    let mut counted = after.clone();
                    counted.counts[i] = (count + 1).min(c.max.unwrap_or(c.min));
                    more.push((self.goals.both(goal, c.goal), counted));
                }
                // Where too many are too many, each item is one of them or is not.
                let not = self.goals.not(c.goal);
                let other = if c.max.is_some() { self.goals.both(goal, not) } else { goal };
                if more.iter().all(|(known, _)| *known != other) {
                    more.push((other, after));
                }
            }
            out = more;
        }
        if arr.unique {
            out = self.each_once(out)?;
        } else if arr.wants_repeat(written) && self.is_few(arr)? {
            out = self.until_repeated(arr, out)?;
        }
        let mut inhabited = Vec::new();
        for (goal, after) in out {
            self.budget.work()?;
            if goal != Goals::FALSE && self.is_inhabited(goal)? {
                inhabited.push((goal, after));
            }
        }
        Ok(inhabited)
    }

    /// Whether items are compared as they are read, because one has to come again.
    pub(super) fn compares(&mut self, arr: &Arr) -> Result<bool> {
        Ok(arr.repeats && !self.is_few(arr)?)
    }

    /// An error about arrays in which an item has to come again and which may have to end before any one can: the last must then be
    /// one of those before, which is known only as it is read.
    pub(super) fn check_repeats(&mut self, arr: &Arr) -> Result<()> {
        let is_endless = arr.max.is_none() && self.is_inhabited(arr.rest)?;
        if !self.compares(arr)? || is_endless && arr.contains.iter().all(|c| c.max.is_none()) {
            return Ok(());
        }
        Err(Error::UnsupportedSchema {
            keyword: "uniqueItems".into(),
            pointer: String::new(),
            reason:
                "negated (an item has to come twice) beside a bound on the items, which are of many values; \
                     drop the bound, or write the schema without negating it"
                    .into(),
        })
    }

    /// Whether one of the items to come can be equal to another, as far as their goals say.
    fn may_repeat(&mut self, arr: &Arr, written: &Written) -> Result<bool> {
        if arr.max.is_none() && self.is_inhabited(arr.rest)? {
            return Ok(true);
        }
        let end = arr.max.map_or(arr.prefix.len() + 2, |max| (max as usize).min(arr.prefix.len() + 2));
        for second in 0..end {
            if !self.is_inhabited(arr.item(second))? {
                break;
            }
            for first in 0..second {
                let both = self.goals.both(arr.item(first), arr.item(second));
                if second >= written.index as usize && self.is_inhabited(both)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether the items are of so few values that an array of different ones has to end.
    fn is_few(&mut self, arr: &Arr) -> Result<bool> {
        let goals: Vec<GoalId> = arr.prefix.iter().copied().chain([arr.rest]).collect();
        let all = self.goals.or(goals);
        Ok(self.few_values(all)?.is_some())
    }

    /// Goals of few values are taken apart, so that it is known whether a value has come twice. Those that have come first.
    fn until_repeated(
        &mut self,
        arr: &Arr,
        options: Vec<(GoalId, Written)>,
    ) -> Result<Vec<(GoalId, Written)>> {
        let (mut again, mut fresh) = (Vec::new(), Vec::new());
        for (goal, after) in options {
            for (constant, value) in self.each_value(goal)? {
                if after.used.contains(&value) {
                    again.push((constant, arr.repeated(&after)));
                } else {
                    let mut used = after.clone();
                    used.used.push(value);
                    used.used.sort_unstable();
                    fresh.push((constant, used));
                }
            }
        }
        again.extend(fresh);
        Ok(again)
    }

    /// A goal for each value of a goal that has few.
    fn each_value(&mut self, goal: GoalId) -> Result<Vec<(GoalId, ValueId)>> {
        let values = self.few_values(goal)?.unwrap_or_default();
        // How an integer of draft 4 is spelled is not in its value.
        let is_plain = self.shape(goal)?.numbers.0.iter().any(|span| span.plain);
        let mut out = Vec::new();
        for value in values {
            let constant = self.goals.constant(value);
            out.push((if is_plain { self.goals.both(goal, constant) } else { constant }, value));
        }
        Ok(out)
    }

    /// Goals of few values are taken apart, so that each value comes once.
    fn each_once(&mut self, options: Vec<(GoalId, Written)>) -> Result<Vec<(GoalId, Written)>> {
        let mut out = Vec::new();
        for (goal, after) in options {
            if self.few_values(goal)?.is_none() {
                out.push((goal, after));
                continue;
            }
            for (constant, value) in self.each_value(goal)? {
                if after.used.contains(&value) {
                    continue;
                }
                let mut used = after.clone();
                used.used.push(value);
                used.used.sort_unstable();
                if out.iter().all(|(known, _)| *known != constant) {
                    out.push((constant, used));
                }
            }
        }
        Ok(out)
    }

    fn few_values(&mut self, goal: GoalId) -> Result<Option<Vec<ValueId>>> {
        if let Some(known) = self.few.get(&goal) {
            return Ok(known.clone());
        }
        let few = self.values(goal, FEW_VALUES, 0)?;
        // Where emptiness is being looked into, the answer may rest on a guess.
        if !self.is_guessing() {
            self.few.insert(goal, few.clone());
        }
        Ok(few)
    }

    /// The values that satisfy a goal if they are at most so many, and nested no deeper than [`MAX_NESTING`].
    fn values(&mut self, goal: GoalId, most: usize, depth: u32) -> Result<Option<Vec<ValueId>>> {
        if goal == Goals::TRUE || depth > MAX_NESTING {
            return Ok(None);
        }
        let shape = self.shape(goal)?;
        if shape.strings.embedded.any() {
            return Ok(None);
        }
        let Some(numbers) = shape.numbers.few(most) else { return Ok(None) };
        let Some(words) = self.regular.few_words(shape.strings.term, most, &mut self.budget)? else {
            return Ok(None);
        };
        let literals =
            [(shape.null, Value::Null), (shape.no, Value::Bool(false)), (shape.yes, Value::Bool(true))];
        let values = (literals.into_iter().filter(|(is, _)| *is).map(|(_, value)| value))
            .chain(numbers.into_iter().map(Value::Number))
            .chain(words.into_iter().map(|word| Value::String(word.into())));
        let mut out: Found = values.map(|value| self.goals.intern_value(value)).collect();
        for arr in &shape.arrays {
            if !self.arrays_of(arr, most, depth, &mut out)? {
                return Ok(None);
            }
        }
        for obj in &shape.objects {
            if !self.objects_of(obj, most, depth, &mut out)? {
                return Ok(None);
            }
        }
        Ok((out.len() <= most).then(|| out.into_iter().collect()))
    }

    /// Adds the arrays of a conjunction; `false` if they are too many.
    fn arrays_of(&mut self, arr: &Arr, most: usize, depth: u32, out: &mut Found) -> Result<bool> {
        let mut levels = arr.cap() as usize + most + 1;
        let mut todo: Vec<(Vec<ValueId>, Written)> = vec![(Vec::new(), arr.start())];
        while !todo.is_empty() {
            let mut longer = Vec::new();
            if levels == 0 {
                return Ok(false);
            }
            levels -= 1;
            for (items, written) in todo {
                self.budget.work()?;
                if arr.may_end(&written) {
                    out.insert(self.goals.intern_value(Value::Array(items.clone())));
                }
                for (goal, after) in self.next_items(arr, &written)? {
                    let Some(values) = self.values(goal, most, depth + 1)? else { return Ok(false) };
                    for value in values.into_iter().filter(|v| !arr.unique || !items.contains(v)) {
                        longer.push(([&items[..], &[value]].concat(), after.clone()));
                    }
                }
                if out.len() > most || longer.len() > UNFINISHED * most {
                    return Ok(false);
                }
            }
            todo = longer;
        }
        Ok(true)
    }

    /// Adds the objects of a conjunction; `false` if they are too many.
    fn objects_of(&mut self, obj: &Obj, most: usize, depth: u32, out: &mut Found) -> Result<bool> {
        if !self.has_object(obj)? {
            return Ok(true);
        }
        let plan = self.plan(obj)?;
        type Members = Vec<(Name, ValueId)>;
        // Names in the order of their numbers: each has its turn once.
        let mut todo: Vec<(Members, Progress, usize)> = vec![(Vec::new(), plan.start(), 0)];
        while let Some((members, progress, from)) = todo.pop() {
            self.budget.work()?;
            if plan.may_end(&progress) {
                let mut sorted = members.clone();
                sorted.sort();
                out.insert(self.goals.intern_value(Value::Object(sorted)));
            }
            for class in 0..plan.classes.len() as u32 {
                // Names that are not declared are many.
                if self.has_option(&plan, &progress, Key::Class(class))? {
                    return Ok(false);
                }
            }
            for index in from..plan.names.len() {
                if !plan.is_open(&progress, index) {
                    continue;
                }
                for (goal, after) in self.options(&plan, &progress, Key::Declared(index as u32))? {
                    let Some(values) = self.values(goal, most, depth + 1)? else { return Ok(false) };
                    for value in values {
                        let mut longer = members.clone();
                        longer.push((Arc::clone(&plan.names[index]), value));
                        todo.push((longer, after.clone(), index + 1));
                    }
                }
            }
            if out.len() > most || todo.len() > UNFINISHED * most {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
