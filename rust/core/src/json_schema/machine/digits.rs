//! Numbers: which automaton reads a set of them.

use super::JsonMachine;
use crate::error::Result;
use crate::json_schema::byte_dfa::ByteDfa;
use crate::json_schema::exact::ExactNumbers;
use crate::json_schema::number::Numbers;
use crate::json_schema::spelling::LateNumbers;

/// The automaton of a set of numbers.
#[derive(Debug)]
pub(super) enum Digits {
    Whole(ByteDfa),
    Late(LateNumbers),
    Exact(ExactNumbers),
}

impl Digits {
    pub(super) fn is_final(&self, at: u32) -> bool {
        match self {
            Self::Whole(automaton) => automaton.states[at as usize].0,
            Self::Late(automaton) => automaton.is_final(at),
            Self::Exact(automaton) => automaton.is_final(at),
        }
    }

    /// Whether anything can follow a state.
    pub(super) fn goes_on(&mut self, at: u32) -> bool {
        match self {
            Self::Whole(automaton) => !automaton.states[at as usize].1.is_empty(),
            Self::Late(automaton) => !automaton.edges(at).is_empty(),
            Self::Exact(automaton) => automaton.goes_on(at),
        }
    }

    pub(super) fn edges(&mut self, at: u32) -> Vec<(u8, u8, u32)> {
        match self {
            Self::Whole(automaton) => automaton.states[at as usize].1.clone(),
            Self::Late(automaton) => automaton.edges(at),
            Self::Exact(automaton) => automaton.edges(at),
        }
    }
}

impl JsonMachine {
    pub(super) fn number(&mut self, numbers: &Numbers) -> Result<u32> {
        if let Some(known) = self.numbers.get_index_of(numbers) {
            return Ok(known as u32);
        }
        let exact = ExactNumbers::new(numbers).filter(|_| ExactNumbers::is_better_for(numbers));
        let automaton = match exact {
            Some(automaton) => Digits::Exact(automaton),
            None => match numbers.late_automaton()? {
                Some(automaton) => Digits::Late(automaton),
                None => Digits::Whole(numbers.automaton(&mut self.engine.budget)?),
            },
        };
        Ok(self.numbers.insert_full(numbers.clone(), automaton).0 as u32)
    }
}
