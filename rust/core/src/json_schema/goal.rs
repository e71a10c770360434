//! Goals: what a value has to satisfy, as hash-consed formulas over schemas.
//!
//! A goal is worked out one level at a time into a [`super::shape::Shape`]; goals are what the parts of arrays and objects
//! have to satisfy, so that recursive schemas stay finite.

use super::decimal::Decimal;
use super::document::{Documents, Json, NodeId, ResourceId};
use indexmap::IndexSet;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Index of a goal; `TRUE` and `FALSE` are always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct GoalId(u32);

/// Index of a list of resources: the dynamic scope, outermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ScopeId(u32);

/// Index of a JSON value; equal values (as JSON Schema compares them) have equal ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ValueId(u32);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Decimal),
    String(Arc<str>),
    Array(Vec<ValueId>),
    /// Sorted by name.
    Object(Vec<(Arc<str>, ValueId)>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Goal {
    True,
    False,
    Schema(NodeId, ScopeId),
    Const(ValueId),
    /// An object with a property of this name.
    Present(Arc<str>),
    And(Box<[GoalId]>),
    Or(Box<[GoalId]>),
    Not(GoalId),
}

/// The arena of goals.
#[derive(Debug)]
pub(super) struct Goals {
    goals: IndexSet<Goal, rustc_hash::FxBuildHasher>,
    scopes: IndexSet<Vec<ResourceId>, rustc_hash::FxBuildHasher>,
    values: IndexSet<Value, rustc_hash::FxBuildHasher>,
    /// What two goals come to together, the smaller first: searches ask for the same pairs again and again.
    pairs: FxHashMap<(GoalId, GoalId), GoalId>,
}

impl Goals {
    pub(super) const TRUE: GoalId = GoalId(0);
    pub(super) const FALSE: GoalId = GoalId(1);
    pub(super) const NO_SCOPE: ScopeId = ScopeId(0);

    /// Heap memory in use, bytes, approximately.
    pub(super) fn memory_size_bytes(&self) -> usize {
        self.goals.len() * 160 + self.pairs.len() * 16
    }

    pub(super) fn new() -> Self {
        Self {
            goals: IndexSet::from_iter([Goal::True, Goal::False]),
            scopes: IndexSet::from_iter([Vec::new()]),
            values: IndexSet::default(),
            pairs: FxHashMap::default(),
        }
    }

    pub(super) fn get(&self, id: GoalId) -> &Goal {
        &self.goals[id.0 as usize]
    }

    pub(super) fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0 as usize]
    }

    pub(super) fn scope(&self, id: ScopeId) -> &[ResourceId] {
        &self.scopes[id.0 as usize]
    }

    fn intern(&mut self, goal: Goal) -> GoalId {
        GoalId(self.goals.insert_full(goal).0 as u32)
    }

    pub(super) fn schema(&mut self, node: NodeId, scope: ScopeId) -> GoalId {
        self.intern(Goal::Schema(node, scope))
    }

    pub(super) fn constant(&mut self, value: ValueId) -> GoalId {
        self.intern(Goal::Const(value))
    }

    pub(super) fn present(&mut self, name: &Arc<str>) -> GoalId {
        self.intern(Goal::Present(Arc::clone(name)))
    }

    /// The scope after a resource has been entered. Only the first entry of each matters to references.
    pub(super) fn enter(&mut self, scope: ScopeId, resource: ResourceId) -> ScopeId {
        if self.scope(scope).contains(&resource) {
            return scope;
        }
        let mut longer = self.scope(scope).to_vec();
        longer.push(resource);
        ScopeId(self.scopes.insert_full(longer).0 as u32)
    }

    /// The parts of a formula, those of its own kind opened, ascending and each once; `None` if one decides it. `unit` says
    /// nothing and is left out.
    fn flatten(
        &self,
        goals: impl IntoIterator<Item = GoalId>,
        unit: GoalId,
        decides: GoalId,
        inner: impl Fn(&Goal) -> Vec<GoalId>,
    ) -> Option<Vec<GoalId>> {
        let mut parts = Vec::new();
        let mut todo: Vec<GoalId> = goals.into_iter().collect();
        while let Some(goal) = todo.pop() {
            if goal == decides {
                return None;
            }
            let opened = inner(self.get(goal));
            if opened.is_empty() && goal != unit {
                parts.push(goal);
            }
            todo.extend(opened);
        }
        parts.sort_unstable();
        parts.dedup();
        Some(parts)
    }

    /// All of these.
    pub(super) fn and(&mut self, goals: impl IntoIterator<Item = GoalId>) -> GoalId {
        let inner = |goal: &Goal| if let Goal::And(parts) = goal { parts.to_vec() } else { Vec::new() };
        let Some(parts) = self.flatten(goals, Self::TRUE, Self::FALSE, inner) else { return Self::FALSE };
        let contradicts = |&p: &GoalId| matches!(self.get(p), Goal::Not(inner) if parts.contains(inner));
        if parts.iter().any(contradicts) {
            return Self::FALSE;
        }
        let mut constants = parts.iter().filter(|&&p| matches!(self.get(p), Goal::Const(_)));
        if constants.next().is_some() && constants.next().is_some() {
            return Self::FALSE;
        }
        match parts[..] {
            [] => Self::TRUE,
            [one] => one,
            _ => self.intern(Goal::And(parts.into())),
        }
    }

    /// Both of two.
    pub(super) fn both(&mut self, a: GoalId, b: GoalId) -> GoalId {
        match (a.min(b), a.max(b)) {
            (Self::FALSE, _) | (_, Self::FALSE) => Self::FALSE,
            (Self::TRUE, other) => other,
            (a, b) if a == b => a,
            pair => {
                if let Some(&known) = self.pairs.get(&pair) {
                    return known;
                }
                let both = self.and([a, b]);
                self.pairs.insert(pair, both);
                both
            }
        }
    }

    /// Any of these.
    pub(super) fn or(&mut self, goals: impl IntoIterator<Item = GoalId>) -> GoalId {
        let inner = |goal: &Goal| if let Goal::Or(parts) = goal { parts.to_vec() } else { Vec::new() };
        let Some(parts) = self.flatten(goals, Self::FALSE, Self::TRUE, inner) else { return Self::TRUE };
        match parts[..] {
            [] => Self::FALSE,
            [one] => one,
            _ => self.intern(Goal::Or(parts.into())),
        }
    }

    /// What does not satisfy a goal.
    pub(super) fn not(&mut self, goal: GoalId) -> GoalId {
        match self.get(goal) {
            Goal::True => Self::FALSE,
            Goal::False => Self::TRUE,
            Goal::Not(inner) => *inner,
            _ => self.intern(Goal::Not(goal)),
        }
    }

    /// The value of a node; recursion is bounded by the depth of the document.
    pub(super) fn value_of(&mut self, documents: &Documents, node: NodeId) -> ValueId {
        let value = match documents.json(node) {
            Json::Null => Value::Null,
            Json::Bool(b) => Value::Bool(*b),
            Json::Number(number) => Value::Number(number.clone()),
            Json::String(text) => Value::String(Arc::clone(text)),
            Json::Array(items) => {
                Value::Array(items.iter().map(|&item| self.value_of(documents, item)).collect())
            }
            Json::Object(members) => {
                let mut out: Vec<(Arc<str>, ValueId)> = members
                    .iter()
                    .map(|(key, &member)| (Arc::clone(key), self.value_of(documents, member)))
                    .collect();
                out.sort();
                Value::Object(out)
            }
        };
        self.intern_value(value)
    }

    pub(super) fn intern_value(&mut self, value: Value) -> ValueId {
        ValueId(self.values.insert_full(value).0 as u32)
    }
}
