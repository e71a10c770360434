//! How to write an array: what the next item may be, and whether what is written can be completed.

use super::engine::Engine;
use super::goal::{GoalId, Goals};
use super::shape::Arr;
use crate::error::Result;
use rustc_hash::FxHashMap;

/// What of an array is written: the number of items, as far as it matters, and how many satisfy each `contains`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Written {
    pub(super) index: u32,
    counts: Vec<u32>,
}

impl Arr {
    pub(super) fn start(&self) -> Written {
        Written { index: 0, counts: vec![0; self.contains.len()] }
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
        if arr.contains.is_empty() {
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
        let mut out = vec![(goal, Written { index, counts: written.counts.clone() })];
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
        let mut inhabited = Vec::new();
        for (goal, after) in out {
            if goal != Goals::FALSE && self.is_inhabited(goal)? {
                inhabited.push((goal, after));
            }
        }
        Ok(inhabited)
    }
}
