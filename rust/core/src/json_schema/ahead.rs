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
        Ok(parts(&shape))
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
