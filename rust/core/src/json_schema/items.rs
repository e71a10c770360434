//! How to write an array: what the next item may be, and whether what is written can be completed.

use super::engine::Engine;
use super::goal::{GoalId, Goals, Value, ValueId};
use super::shape::Arr;
use crate::error::Result;
use rustc_hash::FxHashMap;

/// Items of so few values are told apart by states where none may come twice.
const FEW_VALUES: usize = 128;

/// What of an array is written: the number of items, as far as it matters, and how many satisfy each `contains`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Written {
    pub(super) index: u32,
    counts: Vec<u32>,
    /// Values of a finite set that are there already, where none may come twice.
    used: Vec<ValueId>,
}

impl Arr {
    pub(super) fn start(&self) -> Written {
        Written { index: 0, counts: vec![0; self.contains.len()], used: Vec::new() }
    }

    /// Indices from here on are alike.
    fn cap(&self) -> u32 {
        let from = self.contains.iter().map(|c| c.from).max().unwrap_or(0);
        (self.prefix.len() as u32).max(self.min).max(from).max(self.max.unwrap_or(0))
    }

    pub(super) fn may_end(&self, written: &Written) -> bool {
        let enough = |(c, &count): (&super::shape::Contains, &u32)| count >= c.min;
        written.index >= self.min && self.contains.iter().zip(&written.counts).all(enough)
    }
}

impl Engine {
    pub(super) fn has_array(&mut self, arr: &Arr) -> Result<bool> {
        self.can_finish_array(arr, &arr.start(), &mut FxHashMap::default())
    }

    /// Whether what is written can be completed; `known` keeps answers about the same array.
    pub(super) fn can_finish_array(
        &mut self,
        arr: &Arr,
        written: &Written,
        known: &mut FxHashMap<Written, bool>,
    ) -> Result<bool> {
        if arr.contains.is_empty() && !(arr.unique && self.is_few(arr)?) {
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
                    None => {
                        self.budget.state()?;
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
                if c.max.is_none_or(|max| count < max) {
                    let mut counted = after.clone();
                    counted.counts[i] = (count + 1).min(c.max.unwrap_or(c.min));
                    more.push((self.goals.and([goal, c.goal]), counted));
                }
                // Where too many are too many, each item is one of them or is not.
                let not = self.goals.not(c.goal);
                let other = if c.max.is_some() { self.goals.and([goal, not]) } else { goal };
                if more.iter().all(|(known, _)| *known != other) {
                    more.push((other, after));
                }
            }
            out = more;
        }
        if arr.unique {
            out = self.each_once(out)?;
        }
        let mut inhabited = Vec::new();
        for (goal, after) in out {
            if goal != Goals::FALSE && self.is_inhabited(goal)? {
                inhabited.push((goal, after));
            }
        }
        Ok(inhabited)
    }

    /// Whether the items are of so few values that an array of different ones has to end.
    fn is_few(&mut self, arr: &Arr) -> Result<bool> {
        let goals: Vec<GoalId> = arr.prefix.iter().copied().chain([arr.rest]).collect();
        let all = self.goals.or(goals);
        Ok(self.few_values(all)?.is_some())
    }

    /// Goals of few values are taken apart, so that each value comes once.
    fn each_once(&mut self, options: Vec<(GoalId, Written)>) -> Result<Vec<(GoalId, Written)>> {
        let mut out = Vec::new();
        for (goal, after) in options {
            let Some(values) = self.few_values(goal)? else {
                out.push((goal, after));
                continue;
            };
            for value in values.into_iter().filter(|value| !after.used.contains(value)) {
                let mut used = after.clone();
                used.used.push(value);
                used.used.sort_unstable();
                let constant = self.goals.constant(value);
                if out.iter().all(|(known, _)| *known != constant) {
                    out.push((constant, used));
                }
            }
        }
        Ok(out)
    }

    /// The values that satisfy a goal if they are few: null, booleans, strings, and numbers that are given.
    fn few_values(&mut self, goal: GoalId) -> Result<Option<Vec<ValueId>>> {
        if goal == Goals::TRUE {
            return Ok(None);
        }
        let shape = self.shape(goal)?;
        if !shape.arrays.is_empty() || !shape.objects.is_empty() || shape.strings.embedded.any() {
            return Ok(None);
        }
        let point = |span: &super::number::Span| match (&span.lo, &span.hi) {
            (Some(lo), Some(hi)) if lo == hi => Some(lo.0.clone()),
            _ => None,
        };
        let Some(numbers) = shape.numbers.0.iter().map(point).collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let Some(words) = self.regular.few_words(shape.strings.term, FEW_VALUES, &mut self.budget)? else {
            return Ok(None);
        };
        let literals =
            [(shape.null, Value::Null), (shape.no, Value::Bool(false)), (shape.yes, Value::Bool(true))];
        let values = (literals.into_iter().filter(|(is, _)| *is).map(|(_, value)| value))
            .chain(numbers.into_iter().map(Value::Number))
            .chain(words.into_iter().map(|word| Value::String(word.into())));
        let values: Vec<ValueId> = values.map(|value| self.goals.intern_value(value)).collect();
        Ok((values.len() <= FEW_VALUES).then_some(values))
    }
}
