//! Why nothing satisfies a schema.

use super::engine::Engine;
use super::goal::{GoalId, Goals};
use super::shape::{Arr, Obj, Shape};
use crate::error::Result;

/// How deep an explanation goes.
const MAX_DEPTH: u32 = 8;

impl Engine {
    /// The contradiction in a goal that nothing satisfies, in words.
    pub(super) fn explain(&mut self, goal: GoalId) -> Result<String> {
        self.explain_at(goal, String::new(), 0)
    }

    fn explain_at(&mut self, goal: GoalId, path: String, depth: u32) -> Result<String> {
        let place =
            if path.is_empty() { "the document".to_owned() } else { format!("the value at {path:?}") };
        let pointer = self.pointer_of(goal);
        let from = if goal == Goals::FALSE {
            String::new()
        } else if pointer.is_empty() {
            " (from the schema's root)".into()
        } else {
            format!(" (from {pointer:?} of the schema)")
        };
        if goal == Goals::FALSE {
            return Ok(format!(
                "{place} is ruled out by a schema that is false, or by two that exclude each other"
            ));
        }
        let shape: Shape = (*self.shape(goal)?).clone();
        let mut reasons = Vec::new();
        if shape.strings.term != self.regular.nothing() {
            reasons.push("no string satisfies its pattern, format, length and values at once".to_owned());
        }
        if !shape.numbers.0.is_empty() {
            reasons.push("no number satisfies its bounds, multiples and values at once".to_owned());
        }
        for arr in shape.arrays.iter().take(1).filter(|_| depth < MAX_DEPTH) {
            reasons.push(self.explain_array(arr, &path, depth)?);
        }
        for obj in shape.objects.iter().take(1).filter(|_| depth < MAX_DEPTH) {
            reasons.push(self.explain_object(obj, &path, depth)?);
        }
        if reasons.is_empty() {
            return Ok(format!("{place} can be of no type: its keywords exclude each other{from}"));
        }
        Ok(format!("for {place}{from}: {}", reasons.join("; ")))
    }

    fn explain_array(&mut self, arr: &Arr, path: &str, depth: u32) -> Result<String> {
        for index in 0..arr.min.min(arr.prefix.len() as u32 + 1) {
            let goal = arr.item(index as usize);
            if !self.is_inhabited(goal)? {
                return self.explain_at(goal, format!("{path}/{index}"), depth + 1);
            }
        }
        Ok(match (arr.unique, arr.repeats) {
            (true, _) => "no array satisfies its length, `contains` and `uniqueItems` at once",
            (_, true) => {
                "no array satisfies its length, `contains` and the negation of `uniqueItems` at once"
            }
            _ => "no array satisfies its length and `contains` at once",
        }
        .into())
    }

    fn explain_object(&mut self, obj: &Obj, path: &str, depth: u32) -> Result<String> {
        for name in &obj.required {
            let goal = obj.props.get(name).copied().unwrap_or(Goals::TRUE);
            if !self.is_inhabited(goal)? {
                return self.explain_at(goal, format!("{path}/{name}"), depth + 1);
            }
        }
        Ok("no object satisfies its bounds, its names and its required properties at once".into())
    }
}
