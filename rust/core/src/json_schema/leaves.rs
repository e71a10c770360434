//! Subschemas as goals, equal ones as one.
//!
//! What two schemas have in common, and whether one excludes the other, is plain where they are the same goal. So a schema that is a
//! reference and nothing else is what it refers to, and schemas without parts are known by what they say.

use super::dialect::Dialect;
use super::document::{Json, NodeId};
use super::engine::Engine;
use super::goal::{GoalId, Goals, ValueId};
use super::keywords::Site;
use super::shape::Name;

/// Keywords of schemas that are known by what they say.
const ASSERTIONS: [&str; 17] = [
    "const",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "type",
    "uniqueItems",
];
/// Keywords that say nothing of the value.
const ANNOTATIONS: [&str; 8] =
    ["$comment", "default", "deprecated", "description", "examples", "readOnly", "title", "writeOnly"];
/// Longer lists are not compared.
const MOST_ITEMS: usize = 64;
/// References that lead to references are followed so far.
const MOST_HOPS: usize = 16;

/// How a leaf is read, and what it says.
pub(super) type Leaf = (Dialect, Vec<(Name, ValueId)>);

impl Engine {
    /// A subschema as a goal; `true` and `{}` are the goal that everything satisfies.
    pub(super) fn goal(&mut self, mut site: Site, mut node: NodeId) -> GoalId {
        for _ in 0..MOST_HOPS {
            // A reference that leads nowhere is an error once its schema is looked at.
            let Some((at, target)) = self.referred(site, node) else { break };
            (site, node) = (at, target);
        }
        match self.documents.json(node) {
            Json::Bool(true) => Goals::TRUE,
            Json::Bool(false) => Goals::FALSE,
            Json::Object(members) if members.is_empty() => Goals::TRUE,
            _ => match self.leaf(node) {
                Some(leaf) => {
                    let goal = self.goals.schema(node, Goals::NO_SCOPE);
                    *self.leaves.entry(leaf).or_insert(goal)
                }
                None => self.goals.schema(node, site.scope),
            },
        }
    }

    /// Where a schema leads to that is only a reference.
    fn referred(&mut self, site: Site, node: NodeId) -> Option<(Site, NodeId)> {
        let Json::Object(members) = self.documents.json(node) else { return None };
        let is_alone = |key: &Name| **key == *"$ref" || ANNOTATIONS.contains(&&**key);
        if !members.contains_key("$ref") || !members.keys().all(is_alone) {
            return None;
        }
        let site = self.site(node, site.scope);
        self.referred_to(site, "$ref").ok().flatten()
    }

    /// What a schema says that has no parts.
    fn leaf(&mut self, node: NodeId) -> Option<Leaf> {
        let Json::Object(members) = self.documents.json(node) else { return None };
        let is_short = |value: NodeId| match self.documents.json(value) {
            Json::Array(items) => {
                let is_part = |&item| matches!(self.documents.json(item), Json::Array(_) | Json::Object(_));
                items.len() <= MOST_ITEMS && !items.iter().any(is_part)
            }
            Json::Object(_) => false,
            _ => true,
        };
        let mut said: Vec<(Name, NodeId)> = Vec::new();
        for (key, &value) in members.iter() {
            match &**key {
                annotation if ANNOTATIONS.contains(&annotation) => {}
                assertion if ASSERTIONS.contains(&assertion) && is_short(value) => {
                    said.push((key.clone(), value));
                }
                _ => return None,
            }
        }
        said.sort();
        let said = said.into_iter().map(|(key, value)| (key, self.goals.value_of(&self.documents, value)));
        Some((self.documents.dialect(node), said.collect()))
    }
}
