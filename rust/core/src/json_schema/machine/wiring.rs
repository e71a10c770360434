//! The machine as automata ask it.

use super::languages::AtWork;
use super::{Core, JsonMachine, Kind, Local, Planned};
use crate::automaton::horizon::Horizon;
use crate::automaton::{Example, Leap, Like, Machine, MachineEdges, MachineRule, MachineState, Unbounded};
use crate::error::{Error, Result};
use crate::json_schema::spell::Spell;
use std::sync::Arc;

impl JsonMachine {
    /// Works with the languages, which are borrowed for as long.
    fn work<T>(&mut self, work: impl FnOnce(&mut AtWork<'_>) -> T) -> T {
        let languages = Arc::clone(&self.languages);
        work(&mut AtWork::new(self, &languages))
    }

    /// The same, with the limits of one step.
    fn step<T>(&mut self, work: impl FnOnce(&mut AtWork<'_>) -> T) -> T {
        self.engine.budget.restart(self.step_limit, self.state_limit);
        self.work(work)
    }
}

impl Machine for JsonMachine {
    fn states(&self) -> &[MachineState] {
        &self.states
    }

    fn rules(&self) -> &[MachineRule] {
        &self.rules
    }

    fn rule_name(&self, rule: u32) -> String {
        match &self.kinds[rule as usize] {
            Kind::Value(goal, _) => format!("value {}", self.engine.pointer_of(*goal)),
            _ => self.rules[rule as usize].kind.to_owned(),
        }
    }

    fn edges(&mut self, state: u32) -> Result<MachineEdges> {
        if self.states.len() > self.state_limit {
            let message = format!("the schema needs more than {} automaton states", self.state_limit);
            return Err(Error::LimitExceeded { limit: "state_limit", message });
        }
        let (rule, local) = self.locals[state as usize];
        self.step(|at_work| at_work.edges_of(rule, local))
    }

    fn ends(&mut self, state: u32, progress: u32, most: usize) -> Result<Option<Vec<Vec<u8>>>> {
        self.step(|at_work| at_work.ends_of(state, progress, most))
    }

    fn take(&mut self, state: u32, progress: u32) -> Result<u32> {
        self.step(|at_work| at_work.written_after(state, progress))
    }

    fn has_key(&mut self, state: u32, keys: (u32, u32)) -> Result<bool> {
        self.step(|at_work| at_work.has_name(state, keys))
    }

    fn end_of_text(&mut self, state: u32, key: u32) -> Option<u32> {
        self.work(|at_work| at_work.end_of_name(state, key))
    }

    fn leap(&mut self, state: u32, text: &[u8]) -> Result<Leap> {
        let (rule, local) = self.locals[state as usize];
        self.step(|at_work| at_work.leap_of(rule, local, text))
    }

    fn example(&mut self, enough: usize) -> Result<Option<Example>> {
        let (root, marks) = (self.root, self.layout.marks());
        marks.map_or(Ok(None), |marks| self.step(|at_work| at_work.engine.example(root, marks, enough)))
    }

    fn memory_size_bytes(&self) -> usize {
        let of_plan = |planned: &Arc<Planned>| size_of::<Planned>() + planned.sorted.len() * 160;
        self.engine.memory_size_bytes()
            + self.locals.len() * (size_of::<(u32, Local)>() + 24)
            + self.kinds.len() * (size_of::<Kind>() + 24)
            + self.cores.len() * (size_of::<Core>() + 160)
            + self.plans.values().map(of_plan).sum::<usize>()
            + (self.arrays.len() + self.written.len()) * 96
    }

    fn like(&mut self, state: u32) -> Option<Like> {
        let (rule, local) = self.locals[state as usize];
        self.work(|at_work| at_work.like_of(rule, local))
    }

    fn signature(&mut self, state: u32) -> Option<(u32, u32)> {
        let (rule, local) = self.locals[state as usize];
        self.work(|at_work| at_work.signature_of(rule, local))
    }

    fn unbounded(&mut self, state: u32) -> Option<Unbounded> {
        let (rule, local) = self.locals[state as usize];
        self.work(|at_work| at_work.unbounded_of(rule, local))
    }

    fn to_end(&mut self, state: u32) -> Option<u32> {
        let (rule, local) = self.locals[state as usize];
        self.step(|at_work| at_work.end_distance(rule, local))
    }

    fn horizon(&mut self, state: u32, is_thorough: bool) -> Option<Horizon> {
        self.step(|at_work| at_work.horizon_of(state, is_thorough))
    }

    fn lacks(&mut self, state: u32) -> Option<Vec<Vec<u8>>> {
        let (rule, local) = self.locals[state as usize];
        match (&self.kinds[rule as usize], local) {
            (&Kind::Name(_, Some(plan)), Local::Name(Spell::Char((term, Some(branch))))) => {
                self.step(|at_work| at_work.declared_rests(plan, term, branch))
            }
            _ => None,
        }
    }
}
