//! Goals that are the same by what they allow: titles, descriptions and places apart, most of a schema's strings are alike.

use super::{JsonMachine, Kind};
use crate::error::Result;
use crate::json_schema::goal::GoalId;

impl JsonMachine {
    /// The rule of the values that satisfy a goal.
    pub(super) fn value_rule(&mut self, goal: GoalId, depth: u32) -> Result<u32> {
        let same = self.same_value(goal)?;
        Ok(self.rule(Kind::Value(same, depth)))
    }

    /// The first goal that has the same shape.
    pub(super) fn same_value(&mut self, goal: GoalId) -> Result<GoalId> {
        if let Some(&known) = self.same_values.get(&goal) {
            return Ok(known);
        }
        let shape = self.engine.shape(goal).map_err(|error| self.engine.placed(error, goal))?;
        let same = *self.first_of_shape.entry(shape).or_insert(goal);
        self.same_values.insert(goal, same);
        Ok(same)
    }
}
