//! The machine as automata ask it.

use super::languages::AtWork;
use super::{JsonMachine, Kind, Local};
use crate::automaton::horizon::Horizon;
use crate::automaton::{Budget, Like, Machine, MachineEdges, MachineRule, MachineState};
use crate::error::{Error, Result};
use crate::json_schema::spell::Spell;
use std::sync::Arc;

impl Machine for JsonMachine {
    fn states(&self) -> &[MachineState] {
        &self.states
    }

    fn rules(&self) -> &[MachineRule] {
        &self.rules
    }

    fn edges(&mut self, state: u32) -> Result<MachineEdges> {
        if self.states.len() > self.state_limit {
            let message = format!("the schema needs more than {} automaton states", self.state_limit);
            return Err(Error::LimitExceeded { limit: "state_limit", message });
        }
        self.engine.budget = Budget::new(Some(self.step_limit), self.state_limit, Default::default());
        let (rule, local) = self.locals[state as usize];
        let languages = Arc::clone(&self.languages);
        AtWork::new(self, &languages).edges_of(rule, local)
    }

    fn ends(&mut self, state: u32, progress: u32, most: usize) -> Result<Option<Vec<Vec<u8>>>> {
        self.engine.budget = Budget::new(Some(self.step_limit), self.state_limit, Default::default());
        let languages = Arc::clone(&self.languages);
        AtWork::new(self, &languages).ends_of(state, progress, most)
    }

    fn take(&mut self, state: u32, progress: u32) -> Result<u32> {
        self.engine.budget = Budget::new(Some(self.step_limit), self.state_limit, Default::default());
        let languages = Arc::clone(&self.languages);
        AtWork::new(self, &languages).written_after(state, progress)
    }

    fn end_of_text(&mut self, state: u32, key: u32) -> Option<u32> {
        let languages = Arc::clone(&self.languages);
        AtWork::new(self, &languages).end_of_name(state, key)
    }

    fn like(&mut self, state: u32) -> Option<Like> {
        let (rule, local) = self.locals[state as usize];
        let languages = Arc::clone(&self.languages);
        AtWork::new(self, &languages).like_of(rule, local)
    }

    fn signature(&mut self, state: u32) -> Option<(u32, u32)> {
        let (rule, local) = self.locals[state as usize];
        let languages = Arc::clone(&self.languages);
        let number = AtWork::new(self, &languages).signature_of(rule, local)?;
        Some((self.generation, number))
    }

    fn horizon(&mut self, state: u32) -> Option<Horizon> {
        self.engine.budget = Budget::new(Some(self.step_limit), self.state_limit, Default::default());
        let languages = Arc::clone(&self.languages);
        AtWork::new(self, &languages).horizon_of(state)
    }

    fn lacks(&mut self, state: u32) -> Option<Vec<Vec<u8>>> {
        let (rule, local) = self.locals[state as usize];
        match (&self.kinds[rule as usize], local) {
            (&Kind::Name(_, Some(plan)), Local::Name(Spell::Char((_, Some(branch))))) => {
                self.declared_rests(plan, branch)
            }
            _ => None,
        }
    }
}
