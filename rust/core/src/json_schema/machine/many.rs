//! Whether values are many, seen without spelling them out ([`super::ends`]).
//!
//! `false` says nothing: then the ends are looked for one by one.

use super::{JsonMachine, Kind};
use crate::error::Result;
use crate::json_schema::finish::Reading;
use crate::json_schema::goal::GoalId;
use crate::json_schema::plan::{Key, Plan, Progress};
use crate::json_schema::shape::{Arr, Shape};
use std::sync::Arc;

impl JsonMachine {
    /// Whether more than `most` values satisfy a goal.
    pub(super) fn has_many(&mut self, goal: GoalId, most: usize) -> Result<bool> {
        if let Some(&known) = self.many.get(&(goal, most)) {
            return Ok(known);
        }
        // Of what it is part of itself, nothing is known meanwhile.
        self.many.insert((goal, most), false);
        let shape = self.engine.shape(goal)?;
        let has_many = self.has_many_texts(&shape, most)? || self.has_many_containers(&shape, most)?;
        self.many.insert((goal, most), has_many);
        Ok(has_many)
    }

    fn has_many_texts(&mut self, shape: &Shape, most: usize) -> Result<bool> {
        let term = shape.strings.term;
        if self.engine.has_string(term)? && self.words(term, most)?.is_none() {
            return Ok(true);
        }
        if !self.engine.has_number(&shape.numbers)? {
            return Ok(false);
        }
        let numbers = Kind::Number(self.number(&shape.numbers)?);
        let rule = self.rule(numbers);
        let start = self.rules[rule as usize].start;
        Ok(self.rest(start, most)?.is_none())
    }

    fn has_many_containers(&mut self, shape: &Shape, most: usize) -> Result<bool> {
        for arr in &shape.arrays {
            if self.is_endless(arr)? && self.engine.has_array(arr)? {
                return Ok(true);
            }
        }
        for obj in &shape.objects {
            if self.engine.has_object(obj)? {
                let plan = self.planned(obj)?;
                let start = self.plans[plan as usize].plan.start();
                if self.has_many_members(plan, &start, 0, most)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether items of any number may come.
    fn is_endless(&mut self, arr: &Arr) -> Result<bool> {
        let is_free = arr.max.is_none() && !arr.unique && !arr.repeats && arr.contains.is_empty();
        for &goal in arr.prefix.iter().chain([&arr.rest]).filter(|_| is_free) {
            if !self.engine.is_inhabited(goal)? {
                return Ok(false);
            }
        }
        Ok(is_free)
    }

    /// The same for an array of which something is written; where items must be new, only the next one counts.
    pub(super) fn has_many_items(&mut self, arr: u32, written: u32, most: usize) -> Result<bool> {
        let conjunction = self.arrays[arr as usize].clone();
        if !conjunction.unique {
            return self.is_endless(&conjunction);
        }
        for (goal, _) in self.next_items(arr, written)? {
            if self.has_many(goal, most)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a name that may still come, from a declared one on, has many values, or there are many such names.
    pub(super) fn has_many_members(
        &mut self,
        plan: u32,
        progress: &Progress,
        from: u32,
        most: usize,
    ) -> Result<bool> {
        let planned = Arc::clone(&self.plans[plan as usize]);
        let plan = &planned.plan;
        if !self.engine.is_free(plan) {
            return Ok(false);
        }
        for class in &plan.classes {
            if self.engine.is_inhabited(class.goal)?
                && self.words(class.names, most + plan.names.len())?.is_none()
            {
                return Ok(true);
            }
        }
        self.has_many_named(plan, progress, from..plan.names.len() as u32, most)
    }

    /// Whether there is no end of the names that may come at any time.
    pub(super) fn has_endless_names(&mut self, plan: &Plan) -> Result<bool> {
        for class in plan.classes.iter().filter(|_| plan.is_simple()) {
            if self.engine.regular.is_endless(class.names) && self.engine.is_inhabited(class.goal)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether one of some declared names has many values that may still come.
    pub(super) fn has_many_named(
        &mut self,
        plan: &Plan,
        progress: &Progress,
        names: impl IntoIterator<Item = u32>,
        most: usize,
    ) -> Result<bool> {
        if !self.engine.is_free(plan) {
            return Ok(false);
        }
        for index in names {
            let goal = plan.goal(Key::Declared(index));
            if plan.is_open(progress, index as usize) && self.has_many(goal, most)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The ways to read a member's value; `None` if one of them has many values.
    pub(super) fn few_options(
        &mut self,
        plan: &Plan,
        progress: &Progress,
        key: Key,
        most: usize,
    ) -> Result<Option<Vec<Reading>>> {
        // There may be hundreds of ways to read what has many values in the first.
        let first = match (self.engine.is_free(plan), key) {
            (true, Key::Declared(index)) if !plan.is_open(progress, index as usize) => None,
            (true, _) => Some(plan.goal(key)),
            (false, _) => self.engine.first_option(plan, progress, key)?.map(|(goal, _)| goal),
        };
        if let Some(goal) = first
            && self.has_many(goal, most)?
        {
            return Ok(None);
        }
        let options = self.engine.options(plan, progress, key)?;
        for &(goal, _) in &options {
            if self.has_many(goal, most)? {
                return Ok(None);
            }
        }
        Ok(Some(options))
    }
}
