//! What is refused somewhere inside a schema, found before anything is matched.
//!
//! Schemas are worked out as matching gets to them, so a part that cannot be enforced would be found in the middle of a text. The one
//! refusal that depends on what schemas come to (a negated `uniqueItems` that can't be decided as items are read) is looked for
//! ahead, wherever the keywords that can lead to it occur. Limits are not: what is never read need not keep to them.

use super::engine::Engine;
use super::goal::GoalId;
use super::options::JsonSchema;
use super::shape::{Obj, Shape};
use crate::error::{Error, Result};
use rustc_hash::FxHashSet;

/// Goals that are looked at.
const MOST_GOALS: usize = 4096;
/// Keywords by which a schema is negated.
const NEGATING: [&str; 6] =
    ["\"not\"", "\"oneOf\"", "\"if\"", "\"contains\"", "\"unevaluatedItems\"", "\"unevaluatedProperties\""];

/// Whether some document may negate `uniqueItems`.
pub(super) fn may_negate_unique(schema: &JsonSchema) -> bool {
    let texts = || schema.documents.iter().map(|(_, text)| text).chain([&schema.schema]);
    texts().any(|text| text.contains("\"uniqueItems\""))
        && texts().any(|text| NEGATING.iter().any(|keyword| text.contains(keyword)))
}

impl Engine {
    /// Looks for refusals in everything that a goal comes to.
    ///
    /// # Errors
    /// [`Error::UnsupportedSchema`], with the place.
    pub(super) fn refuse_ahead(&mut self, root: GoalId) -> Result<()> {
        let (mut seen, mut todo) = (FxHashSet::from_iter([root]), vec![root]);
        while let Some(goal) = todo.pop() {
            match self.refuse(goal) {
                Ok(parts) if seen.len() < MOST_GOALS => {
                    todo.extend(parts.into_iter().filter(|&part| seen.insert(part)));
                }
                Err(error @ Error::UnsupportedSchema { .. }) => return Err(self.placed(error, goal)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The goals of a goal's parts, if nothing about its arrays is refused.
    fn refuse(&mut self, goal: GoalId) -> Result<Vec<GoalId>> {
        let shape = self.shape(goal)?;
        for arr in &shape.arrays {
            if arr.repeats && self.has_array(arr)? {
                self.check_repeats(arr)?;
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
