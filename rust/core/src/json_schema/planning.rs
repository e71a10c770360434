//! Making a [`Plan`].

use super::engine::Engine;
use super::goal::{GoalId, Goals};
use super::plan::{Choice, Class, Part, Plan, ReadyClause};
use super::shape::{Clause, Name, Names, Obj};
use crate::error::{Error, Result};
use crate::regular::TermId;
use indexmap::IndexSet;
use parking_lot::Mutex;
use rustc_hash::FxBuildHasher;
use std::sync::Arc;

/// Conjunctions and clauses an object may have.
const MAX_PARTS: usize = 1024;
/// Classes of undeclared names an object may have.
const MAX_CLASSES: usize = 256;
/// A finite class of at most so many names is declared instead.
const FEW_NAMES: usize = 64;

impl Engine {
    /// Makes an object's conjunction ready.
    pub(super) fn plan(&mut self, obj: &Obj) -> Result<Plan> {
        let (objs, choices) = parts_of(obj)?;
        let bounded = objs.iter().any(|obj| obj.min > 0) && objs.iter().any(|obj| obj.max.is_some());
        if bounded && objs.iter().any(|obj| !obj.implies.is_empty()) {
            return Err(Error::UnsupportedSchema {
                keyword: "minProperties".into(),
                pointer: String::new(),
                reason: "beside both maxProperties and dependentRequired; drop one of them".into(),
            });
        }
        let mut classes = self.classes_of(&objs)?;
        let mut names: Vec<Name> = obj.props.keys().cloned().collect();
        for name in objs[1..].iter().flat_map(|obj| obj.props.keys()) {
            if !names.contains(name) {
                names.push(Arc::clone(name));
            }
        }
        self.declare_few(&mut classes, &mut names)?;
        let mut plan = Plan {
            names,
            classes,
            parts: Vec::new(),
            clauses: Vec::new(),
            choices,
            witness: Mutex::default(),
        };
        for (number, obj) in objs.into_iter().enumerate() {
            let part = self.part(obj, &mut plan, number)?;
            plan.parts.push(part);
        }
        Ok(plan)
    }

    /// The classes that the languages of all conjunctions cut the names into, with the goal that the first sets.
    fn classes_of(&mut self, objs: &[&Obj]) -> Result<Vec<Class>> {
        let mut classes = vec![Class { names: self.regular.everything(), goal: Goals::TRUE }];
        for &(language, goal) in &objs[0].rest {
            self.split(&mut classes, language, Some(goal))?;
            classes.retain(|class| class.goal != Goals::FALSE);
        }
        let of_clauses = objs.iter().flat_map(|obj| obj.clauses.iter().flat_map(languages));
        let of_others = objs[1..].iter().flat_map(|obj| obj.rest.iter().map(|&(language, _)| language));
        let mut met: Vec<TermId> = Vec::new();
        for language in of_clauses.map(|(language, _)| language).chain(of_others) {
            if !met.contains(&language) {
                met.push(language);
                self.split(&mut classes, language, None)?;
            }
        }
        Ok(classes)
    }

    /// Splits every class at a language; what is inside has to satisfy a goal, too.
    fn split(&mut self, classes: &mut Vec<Class>, language: TermId, goal: Option<GoalId>) -> Result<()> {
        for class in std::mem::take(classes) {
            let names = self.regular.and([class.names, language]);
            let outside = self.regular.not(language);
            let outside = Class { names: self.regular.and([class.names, outside]), ..class };
            if self.has_string(names)? {
                let goal = self.goals.both(class.goal, goal.unwrap_or(Goals::TRUE));
                classes.push(Class { names, goal });
            }
            if self.has_string(outside.names)? {
                classes.push(outside);
            }
        }
        if classes.len() > MAX_CLASSES {
            let message =
                format!("`patternProperties` and `propertyNames` overlap in more than {MAX_CLASSES} ways");
            return Err(Error::LimitExceeded { limit: "schema_alternatives", message });
        }
        Ok(())
    }

    /// Classes with few names become declared names.
    fn declare_few(&mut self, classes: &mut Vec<Class>, names: &mut Vec<Name>) -> Result<()> {
        let everything = self.regular.everything();
        let mut kept = Vec::new();
        for class in std::mem::take(classes) {
            let words = match class.names == everything {
                true => None,
                false => self.regular.few_words(class.names, FEW_NAMES, &mut self.budget)?,
            };
            let Some(words) = words else {
                kept.push(class);
                continue;
            };
            for word in words {
                if !names.iter().any(|name| **name == *word) {
                    names.push(word.into());
                }
            }
        }
        if kept.iter().all(|class| class.names == everything) {
            classes.append(&mut kept);
            return Ok(());
        }
        // Names that are all declared leave nothing of a class.
        let declared = self.regular.words(names.iter().map(|name| &**name));
        let others = self.regular.not(declared);
        for class in kept {
            let left = self.regular.and([class.names, others]);
            if class.names == everything || self.has_string(left)? {
                classes.push(class);
            }
        }
        Ok(())
    }

    /// Numbers a clause's names.
    fn ready_clause(&mut self, clause: &Clause, plan: &Plan) -> Result<ReadyClause> {
        let mut ready = ReadyClause::default();
        for (index, name) in plan.names.iter().enumerate() {
            let mut options = Vec::new();
            for (atom, goal) in &clause.exists {
                let speaks = match atom {
                    Names::One(one) => one == name,
                    Names::All(language) => self.regular.matches(*language, name),
                };
                options.extend(speaks.then_some(*goal));
            }
            if !options.is_empty() {
                ready.declared.push((index as u32, self.goals.or(options)));
            }
            if clause.absent.contains(name) {
                ready.absent.push(index);
            }
        }
        for (index, class) in plan.classes.iter().enumerate() {
            let mut options = Vec::new();
            for (language, goal) in languages(clause) {
                options.extend(self.meets(class, language)?.then_some(goal));
            }
            if !options.is_empty() {
                ready.classes.push((index as u32, self.goals.or(options)));
            }
        }
        Ok(ready)
    }

    /// Whether a class, which is cut at a language, is inside it.
    fn meets(&mut self, class: &Class, language: TermId) -> Result<bool> {
        let inside = self.regular.and([class.names, language]);
        self.has_string(inside)
    }

    /// A conjunction with names by number; its clauses become the plan's last ones.
    fn part(&mut self, obj: &Obj, plan: &mut Plan, number: usize) -> Result<Part> {
        let mut declared = Vec::with_capacity(plan.names.len());
        for name in &plan.names {
            declared.push(obj.property(name, &mut self.goals, &mut self.regular));
        }
        let mut classes = Vec::with_capacity(plan.classes.len());
        for class in &plan.classes {
            let mut goals = Vec::new();
            for &(language, goal) in obj.rest.iter().filter(|_| number > 0) {
                goals.extend(self.meets(class, language)?.then_some(goal));
            }
            classes.push(if number == 0 { class.goal } else { self.goals.and(goals) });
        }
        let from = plan.clauses.len();
        for clause in &obj.clauses {
            let clause = self.ready_clause(clause, plan)?;
            if !self.is_certain(&clause, obj, plan, &declared)? {
                plan.clauses.push(clause);
            }
        }
        let of_part = plan.choices.iter().enumerate().filter(|(_, choice)| choice.owner == number);
        let of_part: Vec<usize> = of_part.map(|(choice, _)| choice).collect();
        let first = of_part.first().copied().unwrap_or(0);
        let place = |name: &Name| plan.names.iter().position(|known| known == name);
        let implies = obj.implies.iter().filter_map(|(name, other)| place(name).zip(place(other)));
        Ok(Part {
            declared,
            classes,
            required: obj.required.iter().filter_map(place).collect(),
            implies: implies.collect(),
            min: obj.min,
            max: obj.max,
            clauses: from..plan.clauses.len(),
            choices: first..first + of_part.len(),
        })
    }

    /// Whether the value of a required name is sure to meet a clause: so where alternatives differ in a constant.
    fn is_certain(
        &mut self,
        clause: &ReadyClause,
        obj: &Obj,
        plan: &Plan,
        declared: &[GoalId],
    ) -> Result<bool> {
        for &(index, wanted) in &clause.declared {
            let is_required = obj.required.contains(&plan.names[index as usize]);
            if is_required && self.is_sure(declared[index as usize], wanted)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The languages of names that a clause speaks of.
fn languages(clause: &Clause) -> impl Iterator<Item = (TermId, GoalId)> {
    clause.exists.iter().filter_map(|(names, goal)| match names {
        Names::All(language) => Some((*language, *goal)),
        Names::One(_) => None,
    })
}

/// An object's conjunctions, its own first and each once, and the choices between them, those of one owner side by side.
fn parts_of(obj: &Obj) -> Result<(Vec<&Obj>, Vec<Choice>)> {
    let mut objs: IndexSet<&Obj, FxBuildHasher> = IndexSet::default();
    objs.insert(obj);
    let (mut choices, mut owner, mut clauses) = (Vec::new(), 0, 0);
    while let Some(&obj) = objs.get_index(owner) {
        for alternatives in &obj.choices {
            let parts = alternatives.iter().map(|alternative| objs.insert_full(alternative).0).collect();
            choices.push(Choice { owner, parts });
        }
        owner += 1;
        clauses += obj.clauses.len();
        if objs.len() + clauses > MAX_PARTS {
            let message = format!(
                "`anyOf`, `oneOf`, `not` and `if` ask for more than {MAX_PARTS} conditions of one object"
            );
            return Err(Error::LimitExceeded { limit: "schema_alternatives", message });
        }
    }
    Ok((objs.into_iter().collect(), choices))
}
