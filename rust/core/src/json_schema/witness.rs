//! Objects that are easily seen to exist.
//!
//! Whether any object satisfies a conjunction is a search over a [`super::plan::Plan`], and making one asks for every clause what it says
//! of every name. Most conjunctions need no search: what is required is written, and for each clause that is not met by a name left
//! out, one more declared name or a stricter value of one that is there. Where that works, the object is a witness; where it does
//! not, nothing is known.

use super::engine::Engine;
use super::goal::{GoalId, Goals};
use super::shape::{Clause, Name, Names, Obj};
use crate::error::Result;
use std::sync::Arc;

/// The object that is being thought of.
#[derive(Default)]
struct Witness {
    /// Names that are there, with goals that have values.
    written: Vec<(Name, GoalId)>,
    /// Names that some clause needs to stay away.
    left_out: Vec<Name>,
}

impl Engine {
    /// Whether an object is easily found; `false` says nothing.
    pub(super) fn has_plain_object(&mut self, obj: &Obj) -> Result<bool> {
        if obj.max.is_some() || !obj.choices.is_empty() {
            return Ok(false);
        }
        let mut witness = Witness::default();
        for name in &obj.required {
            if !self.write(obj, name, Goals::TRUE, &mut witness)? {
                return Ok(false);
            }
        }
        for clause in &obj.clauses {
            if !self.meet_clause(obj, clause, &mut witness)? {
                return Ok(false);
            }
        }
        let is_complete = obj.implies.iter().all(|(name, other)| !witness.has(name) || witness.has(other));
        Ok(is_complete && witness.written.len() >= obj.min as usize)
    }

    /// Meets a clause by leaving a name out, or by a value of a declared name.
    fn meet_clause(&mut self, obj: &Obj, clause: &Clause, witness: &mut Witness) -> Result<bool> {
        if let Some(name) = clause.absent.iter().find(|name| !witness.has(name)) {
            witness.left_out.push(Arc::clone(name));
            return Ok(true);
        }
        for (names, wanted) in &clause.exists {
            let there =
                witness.written.iter().find(|(name, _)| matches!(names, Names::One(one) if one == name));
            if let Some(&(_, goal)) = there
                && self.is_sure(goal, *wanted)?
            {
                return Ok(true);
            }
        }
        for (names, wanted) in &clause.exists {
            match names {
                Names::One(name) if self.write(obj, name, *wanted, witness)? => return Ok(true),
                Names::One(_) => {}
                Names::All(language) => {
                    for name in obj.props.keys() {
                        if self.regular.matches(*language, name) && self.write(obj, name, *wanted, witness)? {
                            return Ok(true);
                        }
                    }
                }
            }
        }
        Ok(false)
    }

    /// Whether all values of a goal satisfy another one, seen easily: so where alternatives differ in a constant.
    pub(super) fn is_sure(&mut self, goal: GoalId, wanted: GoalId) -> Result<bool> {
        if !self.is_scalar(goal)? || !self.is_easily_negated(wanted)? {
            return Ok(false);
        }
        let not = self.goals.not(wanted);
        let outside = self.goals.both(goal, not);
        Ok(!self.is_inhabited(outside)?)
    }

    /// Writes a name with a value that satisfies one more goal, unless it has to stay away or there is none.
    fn write(&mut self, obj: &Obj, name: &Name, wanted: GoalId, witness: &mut Witness) -> Result<bool> {
        self.budget.work()?;
        if witness.left_out.contains(name) {
            return Ok(false);
        }
        let place = witness.written.iter().position(|(known, _)| known == name);
        let own = match place {
            Some(place) => witness.written[place].1,
            None => obj.property(name, &mut self.goals, &mut self.regular),
        };
        let both = self.meet(own, wanted)?;
        if !self.is_inhabited(both)? {
            return Ok(false);
        }
        match place {
            Some(place) => witness.written[place].1 = both,
            None => witness.written.push((Arc::clone(name), both)),
        }
        Ok(true)
    }
}

impl Witness {
    fn has(&self, name: &Name) -> bool {
        self.written.iter().any(|(known, _)| known == name)
    }
}

#[cfg(test)]
mod tests {
    use crate::automaton::Budget;
    use crate::json_schema::JsonSchema;
    use crate::json_schema::engine::Engine;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// A condition on objects with the names `a` to `d`.
    fn condition() -> impl Strategy<Value = Value> {
        let name = || prop::sample::select(vec!["a", "b", "c", "d"]);
        let value = || {
            let values = [
                json!(true),
                json!(false),
                json!({"const": 1}),
                json!({"const": 2}),
                json!({"enum": [1, "x"]}),
            ];
            let parts = json!({"required": ["a"], "properties": {"a": {"type": "null"}}});
            prop::sample::select([&values[..], &[json!({"type": "string"}), parts]].concat())
        };
        let leaf = prop_oneof![
            name().prop_map(|name| json!({"required": [name]})),
            (name(), value()).prop_map(|(name, value)| json!({"properties": {name: value}})),
            (name(), value())
                .prop_map(|(name, value)| json!({"required": [name], "properties": {name: value}})),
            (name(), name()).prop_map(|(name, other)| json!({"dependentRequired": {name: [other]}})),
            (name(), value()).prop_map(
                |(name, value)| json!({"properties": {name: value}, "additionalProperties": false})
            ),
            value().prop_map(|value| json!({"patternProperties": {"^[ab]$": value}})),
            name().prop_map(|name| json!({"propertyNames": {"not": {"const": name}}})),
            (0u32..3).prop_map(|min| json!({"minProperties": min})),
            (0u32..3).prop_map(|max| json!({"maxProperties": max})),
        ];
        (leaf, any::<bool>()).prop_map(|(leaf, negated)| if negated { json!({"not": leaf}) } else { leaf })
    }

    proptest! {
        /// The search over a plan is the oracle.
        #[test]
        fn what_is_easily_seen_exists(all in prop::collection::vec(condition(), 1..7)) {
            let schema = json!({"type": "object", "allOf": all}).to_string();
            let schema = JsonSchema { schema, documents: Vec::new(), options: Default::default() };
            let (mut engine, root) = Engine::new(&schema, Budget::unlimited()).unwrap();
            for obj in &engine.shape(root).unwrap().objects {
                if engine.has_plain_object(obj).unwrap() {
                    let plan = engine.plan(obj).unwrap();
                    let progress = plan.start();
                    prop_assert!(engine.can_finish(&plan, &progress).unwrap());
                }
            }
        }
    }

    #[test]
    fn alternatives_told_apart_by_a_constant_are_easily_seen() {
        let not =
            |kind: u32| json!({"not": {"properties": {"kind": {"const": kind}, "size": {"type": "number"}}}});
        let mut all: Vec<Value> = (1..50).map(not).collect();
        all.push(json!({"required": ["kind"], "properties": {"kind": {"const": 0}}}));
        let schema = json!({"type": "object", "allOf": all}).to_string();
        let schema = JsonSchema { schema, documents: Vec::new(), options: Default::default() };
        let (mut engine, root) = Engine::new(&schema, Budget::unlimited()).unwrap();
        let shape = engine.shape(root).unwrap();
        assert!(engine.has_plain_object(&shape.objects[0]).unwrap());
    }
}
