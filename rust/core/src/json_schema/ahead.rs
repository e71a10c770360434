//! What is refused somewhere inside a schema, found before anything is matched.
//!
//! Schemas are worked out as matching gets to them. What cannot be enforced, or is no schema at all, must be told before that, so
//! everything is looked through once: what each part says of each type, not the states that come of it. Limits are no matter here: what
//! is never read need not keep to them.

use super::engine::Engine;
use super::goal::GoalId;
use super::shape::{Obj, Shape};
use crate::error::{Error, Result};
use rustc_hash::FxHashSet;

/// Goals that are looked at: more than any schema has that people write.
const MOST_GOALS: usize = 1 << 14;

impl Engine {
    /// Looks for refusals in everything that a goal comes to.
    ///
    /// # Errors
    /// [`Error::UnsupportedSchema`] and [`Error::InvalidSchema`], with the place.
    pub(super) fn refuse_ahead(&mut self, root: GoalId) -> Result<()> {
        let (mut seen, mut todo) = (FxHashSet::from_iter([root]), vec![root]);
        while let Some(goal) = todo.pop() {
            match self.refuse(goal) {
                Ok(parts) if seen.len() < MOST_GOALS => {
                    todo.extend(parts.into_iter().filter(|&part| seen.insert(part)));
                }
                Err(error @ (Error::UnsupportedSchema { .. } | Error::InvalidSchema { .. })) => {
                    return Err(self.placed(error, goal));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The goals of a goal's parts, if nothing about it is refused.
    fn refuse(&mut self, goal: GoalId) -> Result<Vec<GoalId>> {
        let shape = self.shape(goal)?;
        for arr in &shape.arrays {
            if arr.repeats && self.has_array(arr)? {
                self.check_repeats(arr)?;
            }
        }
        for obj in &shape.objects {
            if !obj.implies.is_empty() && obj.max.is_some() {
                self.plan(obj)?;
            }
        }
        let mut parts = parts(&shape);
        for obj in shape.objects.iter().filter(|obj| obj.rest.len() > 1) {
            let goals: Vec<GoalId> = obj.rest.iter().map(|&(_, goal)| goal).collect();
            self.add_pairs(&goals, &goals, &mut parts)?;
        }
        for arr in shape.arrays.iter().filter(|arr| !arr.contains.is_empty()) {
            let goals: Vec<GoalId> = arr.contains.iter().map(|contains| contains.goal).collect();
            let items: Vec<GoalId> = arr.prefix.iter().copied().chain([arr.rest]).collect();
            self.add_pairs(&goals, &goals, &mut parts)?;
            self.add_pairs(&items, &goals, &mut parts)?;
        }
        Ok(parts)
    }

    /// Adds what goals say together that may apply to one value, as far as that may be refused where neither is alone.
    fn add_pairs(&mut self, some: &[GoalId], others: &[GoalId], parts: &mut Vec<GoalId>) -> Result<()> {
        for &one in some {
            for &other in others.iter().filter(|&&other| other != one) {
                if self.counts_members(one)? && self.counts_members(other)? {
                    parts.push(self.goals.both(one, other));
                }
            }
        }
        Ok(())
    }

    fn counts_members(&mut self, goal: GoalId) -> Result<bool> {
        let counts = |obj: &Obj| obj.max.is_some() || obj.min > 0 || !obj.implies.is_empty();
        Ok(self.shape(goal)?.objects.iter().any(counts))
    }
}

/// The goals of items and of properties.
fn parts(shape: &Shape) -> Vec<GoalId> {
    let mut out = Vec::new();
    for arr in &shape.arrays {
        out.extend(
            arr.prefix.iter().chain([&arr.rest]).chain(arr.contains.iter().map(|contains| &contains.goal)),
        );
    }
    let mut objects: Vec<&Obj> = shape.objects.iter().collect();
    while let Some(obj) = objects.pop() {
        out.extend(obj.props.values());
        out.extend(obj.rest.iter().map(|(_, goal)| goal));
        out.extend(obj.clauses.iter().flat_map(|clause| clause.exists.iter().map(|(_, goal)| goal)));
        objects.extend(obj.choices.iter().flat_map(|parts| parts.iter()));
    }
    out
}
