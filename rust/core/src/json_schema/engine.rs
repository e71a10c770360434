//! From goals to shapes.
//!
//! [`Engine::shape`] works a goal out, one level deep, and remembers it; [`Engine::is_inhabited`] says whether any value
//! satisfies a goal at all, as a least fixpoint: a value that needs itself inside itself is none.

use super::content::Embedded;
use super::document::{Documents, NodeId};
use super::exact::ExactNumbers;
use super::goal::{Goal, GoalId, Goals, Value, ValueId};
use super::leaves::Leaf;
use super::number::{Numbers, Span};
use super::options::{JsonSchema, JsonSchemaOptions};
use super::shape::{Arr, Obj, Shape, Strings};
use crate::automaton::Budget;
use crate::error::{Error, Result};
use crate::grammar::Annotation;
use crate::regular::{Regular, TermId};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How deep schemas may apply to the same value, one inside the other.
const MAX_DEPTH: usize = 256;

/// Up to so many alternatives no work is spent on leaving some out.
const FEW_ALTERNATIVES: usize = 8;

/// Pairs of alternatives of two schemas that are put together.
const MAX_PRODUCT: usize = 1 << 14;

/// How the place of an error ends.
const OF_SCHEMA: &str = " of the schema)";

/// A schema on its way to a machine.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) documents: Documents,
    pub(super) goals: Goals,
    /// Apart, so that it is cheap to lend.
    pub(super) regular: Box<Regular>,
    pub(super) options: JsonSchemaOptions,
    pub(super) budget: Budget,
    pub(super) annotations: Vec<Annotation>,
    pub(super) patterns: FxHashMap<Arc<str>, TermId>,
    pub(super) formats: FxHashMap<String, Option<TermId>>,
    /// The goals of schemas without parts.
    pub(super) leaves: FxHashMap<Leaf, GoalId>,
    shapes: FxHashMap<GoalId, Arc<Shape>>,
    in_progress: FxHashSet<GoalId>,
    found_loop: bool,
    inhabited: FxHashMap<GoalId, bool>,
    numbers_inhabited: FxHashMap<Numbers, bool>,
    /// The values of goals that have few; see [`super::items`].
    pub(super) few: FxHashMap<GoalId, Option<Vec<ValueId>>>,
    /// Goals whose emptiness is being looked into.
    path: Vec<GoalId>,
    /// Something was taken for inhabited, or for empty, because it is still being looked into.
    guessed: (bool, bool),
}

impl Engine {
    pub(super) fn new(schema: &JsonSchema, budget: Budget) -> Result<(Self, GoalId)> {
        let (documents, root) = Documents::new(&schema.schema, &schema.documents, schema.options.draft)?;
        let mut goals = Goals::new();
        let goal = goals.schema(root, Goals::NO_SCOPE);
        let engine = Self {
            documents,
            goals,
            regular: Box::new(Regular::new()),
            options: schema.options.clone(),
            budget,
            annotations: Vec::new(),
            patterns: FxHashMap::default(),
            formats: FxHashMap::default(),
            leaves: FxHashMap::default(),
            shapes: FxHashMap::default(),
            in_progress: FxHashSet::default(),
            found_loop: false,
            inhabited: FxHashMap::default(),
            numbers_inhabited: FxHashMap::default(),
            few: FxHashMap::default(),
            path: Vec::new(),
            guessed: (false, false),
        };
        Ok((engine, goal))
    }

    /// Heap memory, bytes, approximately; languages are shared and do not count.
    pub(super) fn memory_size_bytes(&self) -> usize {
        let of_shape = |shape: &Arc<Shape>| {
            let names = shape.objects.iter().map(|obj| obj.props.len() * 96 + obj.required.len() * 32);
            size_of::<Shape>() + shape.objects.len() * 320 + shape.arrays.len() * 96 + names.sum::<usize>()
        };
        self.documents.memory_size_bytes()
            + self.goals.memory_size_bytes()
            + self.shapes.values().map(of_shape).sum::<usize>()
            + (self.inhabited.len() + self.few.len()) * 24
    }

    /// What a goal says of each type.
    pub(super) fn shape(&mut self, goal: GoalId) -> Result<Arc<Shape>> {
        if let Some(known) = self.shapes.get(&goal) {
            return Ok(Arc::clone(known));
        }
        self.budget.state()?;
        if !self.in_progress.insert(goal) {
            self.found_loop = true;
            return Err(self.loop_error(goal));
        }
        if self.in_progress.len() > MAX_DEPTH {
            self.in_progress.remove(&goal);
            let message =
                format!("more than {MAX_DEPTH} schemas apply one inside the other to the same value");
            return Err(Error::LimitExceeded { limit: "schema_depth", message });
        }
        let shape = self.work_out(goal);
        self.in_progress.remove(&goal);
        let shape = Arc::new(shape.map_err(|error| self.placed(error, goal))?);
        self.shapes.insert(goal, Arc::clone(&shape));
        Ok(shape)
    }

    /// Both of two goals; where their shapes are known, its shape is made of them rather than of all their parts again.
    pub(super) fn meet(&mut self, a: GoalId, b: GoalId) -> Result<GoalId> {
        let both = self.goals.both(a, b);
        let shapes = self.shapes.get(&a).cloned().zip(self.shapes.get(&b).cloned());
        if let (Goal::And(_), Some((a, b))) = (self.goals.get(both), shapes)
            && !self.shapes.contains_key(&both)
        {
            self.budget.state()?;
            let shape = self.both(&a, &b).map_err(|error| self.placed(error, both))?;
            self.shapes.insert(both, Arc::new(shape));
        }
        Ok(both)
    }

    /// The shape of a goal, unless that is being worked out right now.
    pub(super) fn known_shape(&mut self, goal: GoalId) -> Result<Option<Arc<Shape>>> {
        match self.shape(goal) {
            Ok(shape) => Ok(Some(shape)),
            Err(_) if self.found_loop && !self.in_progress.is_empty() => {
                self.found_loop = false;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// An error about a schema that does not say where, with the place of a goal.
    pub(super) fn placed(&self, error: Error, goal: GoalId) -> Error {
        match error {
            Error::UnsupportedSchema { keyword, pointer, reason } if pointer.is_empty() => {
                Error::UnsupportedSchema { keyword, pointer: self.pointer_of(goal), reason }
            }
            // These say which keywords; the time and the states are those of the whole schema.
            Error::LimitExceeded {
                limit: limit @ ("schema_alternatives" | "multiple_of_modulus"),
                message,
            } if !message.ends_with(OF_SCHEMA) => {
                let message = format!("{message} (at {:?}{OF_SCHEMA}", self.pointer_of(goal));
                Error::LimitExceeded { limit, message }
            }
            error => error,
        }
    }

    fn loop_error(&self, goal: GoalId) -> Error {
        let node = self.goals.schema_of(goal);
        let message = "the schema refers to itself without end before it says anything of the value";
        match node {
            Some(node) => self.documents.invalid(node, message, "take the reference out of the loop"),
            None => {
                Error::InvalidSchema { message: message.into(), pointer: String::new(), hint: String::new() }
            }
        }
    }

    fn work_out(&mut self, goal: GoalId) -> Result<Shape> {
        match self.goals.get(goal).clone() {
            Goal::True => Ok(Shape::all(&mut self.regular)),
            Goal::False => Ok(Shape::none(&mut self.regular)),
            Goal::Schema(node, scope) => self.schema_shape(node, scope),
            Goal::Const(value) => self.constants(&[value]),
            Goal::Present(name) => {
                let required = BTreeSet::from([name]);
                let obj = Obj { required, ..Obj::any() }.tidy(&mut self.goals, &mut self.regular);
                Ok(Shape { objects: vec![obj], ..Shape::none(&mut self.regular) })
            }
            Goal::And(parts) => {
                let mut shape = self.shape(parts[0])?;
                for &part in &parts[1..] {
                    let other = self.shape(part)?;
                    shape = Arc::new(self.both(&shape, &other)?);
                }
                Ok((*shape).clone())
            }
            Goal::Or(parts) => {
                let mut shape = Shape::none(&mut self.regular);
                for &part in &parts {
                    let other = self.shape(part)?;
                    shape = shape.or(&other, &mut self.regular)?;
                }
                Ok(shape)
            }
            Goal::Not(inner) => {
                let shape = self.shape(inner)?;
                let negated = shape.not(&mut self.goals, &mut self.regular);
                negated.map_err(|error| self.placed(error, inner))
            }
        }
    }

    /// What two shapes have in common. Where the alternatives are many, those that nothing satisfies are left out.
    pub(super) fn both(&mut self, a: &Shape, b: &Shape) -> Result<Shape> {
        let product = a.arrays.len().saturating_mul(b.arrays.len());
        if product > MAX_PRODUCT {
            let message = format!(
                "`anyOf`, `oneOf`, `not` and `if` ask for {product} pairs of alternatives of arrays; {MAX_PRODUCT} are tried"
            );
            return Err(Error::LimitExceeded { limit: "schema_alternatives", message });
        }
        let mut shape = a.and(b, &mut self.goals, &mut self.regular)?;
        for _ in 0..product.max(shape.objects.len()) {
            self.budget.work()?;
        }
        if shape.objects.len() <= FEW_ALTERNATIVES {
            return Ok(shape);
        }
        let mut kept: Vec<Obj> = Vec::new();
        for mut obj in std::mem::take(&mut shape.objects) {
            for goal in obj.props.values_mut() {
                if matches!(self.goals.get(*goal), Goal::And(_)) && self.is_surely_empty(*goal)? {
                    *goal = Goals::FALSE;
                }
            }
            if !obj.is_plainly_empty() && !kept.contains(&obj) {
                kept.push(obj);
            }
        }
        shape.objects = kept;
        Ok(shape)
    }

    /// The shape of a list of values.
    pub(super) fn constants(&mut self, values: &[ValueId]) -> Result<Shape> {
        let mut shape = Shape::none(&mut self.regular);
        let mut words: Vec<Arc<str>> = Vec::new();
        for &id in values {
            match self.goals.value(id).clone() {
                Value::Null => shape.null = true,
                Value::Bool(true) => shape.yes = true,
                Value::Bool(false) => shape.no = true,
                Value::Number(number) => shape.numbers.0.push(Span::point(number)),
                Value::String(text) => words.push(text),
                Value::Array(items) => {
                    let prefix: Vec<GoalId> =
                        items.into_iter().map(|item| self.goals.constant(item)).collect();
                    let (min, max) = (prefix.len() as u32, Some(prefix.len() as u32));
                    shape.arrays.push(Arr { prefix, rest: Goals::FALSE, min, max, ..Arr::any() });
                }
                Value::Object(members) => {
                    let required = members.iter().map(|(name, _)| Arc::clone(name)).collect();
                    let props =
                        members.into_iter().map(|(name, value)| (name, self.goals.constant(value))).collect();
                    let rest = vec![(self.regular.everything(), Goals::FALSE)];
                    shape.objects.push(Obj { props, rest, required, ..Obj::any() });
                }
            }
        }
        let term = self.regular.words(words.iter().map(|word| &**word));
        shape.strings = Strings { term, pinned: true, embedded: Embedded::default() };
        Ok(shape)
    }

    /// Whether any value satisfies a goal.
    pub(super) fn is_inhabited(&mut self, goal: GoalId) -> Result<bool> {
        if let Some(&known) = self.inhabited.get(&goal) {
            return Ok(known);
        }
        if self.path.contains(&goal) {
            self.guessed.1 = true;
            return Ok(false);
        }
        self.path.push(goal);
        let before = std::mem::take(&mut self.guessed);
        let result = match self.shape(goal) {
            Ok(shape) => self.is_shape_inhabited(&shape).map_err(|error| self.placed(error, goal)),
            // Its shape is being worked out right now, and asks. Whoever asks may go on with "perhaps".
            Err(_) if self.found_loop && !self.in_progress.is_empty() => {
                self.found_loop = false;
                self.guessed.0 = true;
                Ok(true)
            }
            Err(error) => Err(error),
        };
        self.path.pop();
        let (optimistic, pessimistic) = self.guessed;
        let result = result?;
        let is_certain = if result { !optimistic } else { !pessimistic || self.path.is_empty() };
        if is_certain {
            self.inhabited.insert(goal, result);
        }
        // A certain answer owes nothing to guesses.
        let carried = if is_certain { (false, false) } else { (optimistic, pessimistic) };
        self.guessed = (before.0 | carried.0, before.1 | carried.1);
        Ok(result)
    }

    /// Whether emptiness is being looked into, so that answers may rest on guesses.
    pub(super) fn is_guessing(&self) -> bool {
        !self.path.is_empty() || !self.in_progress.is_empty()
    }

    fn is_shape_inhabited(&mut self, shape: &Shape) -> Result<bool> {
        if shape.null || shape.no || shape.yes || self.has_number(&shape.numbers)? {
            return Ok(true);
        }
        if shape.strings.embedded.any() || self.has_string(shape.strings.term)? {
            return Ok(true);
        }
        for arr in &shape.arrays {
            if self.has_array(arr)? {
                return Ok(true);
            }
        }
        for obj in &shape.objects {
            if self.has_object(obj)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn has_string(&mut self, term: TermId) -> Result<bool> {
        self.regular.is_inhabited(term, &mut self.budget)
    }

    pub(super) fn has_number(&mut self, numbers: &Numbers) -> Result<bool> {
        let is_wide = |span: &Span| match (&span.lo, &span.hi) {
            (Some(lo), Some(hi)) => span.multiple.is_none() && span.not_multiples.is_empty() && lo.0 < hi.0,
            _ => span.not_multiples.is_empty(),
        };
        if numbers.0.is_empty() || numbers.0.iter().any(is_wide) {
            return Ok(!numbers.0.is_empty());
        }
        let is_given = |span: &Span| span.lo == span.hi && span.few(1).is_some_and(|few| !few.is_empty());
        if numbers.0.iter().any(is_given) {
            return Ok(true);
        }
        if let Some(&known) = self.numbers_inhabited.get(numbers) {
            return Ok(known);
        }
        let exact = ExactNumbers::new(numbers).filter(|_| ExactNumbers::is_better_for(numbers));
        let known = match exact {
            Some(exact) => !exact.is_empty(),
            None => !numbers.automaton(&mut self.budget)?.states.is_empty(),
        };
        self.numbers_inhabited.insert(numbers.clone(), known);
        Ok(known)
    }

    /// Whether no value satisfies both goals, as far as can be told now.
    pub(super) fn are_disjoint(&mut self, a: GoalId, b: GoalId) -> Result<bool> {
        let both = self.goals.both(a, b);
        self.is_surely_empty(both)
    }

    /// Whether nothing satisfies a goal, whatever comes of what is being looked into.
    fn is_surely_empty(&mut self, goal: GoalId) -> Result<bool> {
        Ok(!self.is_inhabited(goal)? && self.inhabited.get(&goal) == Some(&false))
    }

    /// The node of a schema, for errors.
    pub(super) fn pointer_of(&self, goal: GoalId) -> String {
        self.goals.schema_of(goal).map(|node| self.documents.pointer(node)).unwrap_or_default()
    }
}

impl Goals {
    /// A schema that a goal is about.
    fn schema_of(&self, goal: GoalId) -> Option<NodeId> {
        match self.get(goal) {
            Goal::Schema(node, _) => Some(*node),
            Goal::And(parts) | Goal::Or(parts) => parts.iter().find_map(|&part| self.schema_of(part)),
            Goal::Not(inner) => self.schema_of(*inner),
            _ => None,
        }
    }
}
