//! From a term to a deterministic automaton without dead ends.

use super::{CodeSet, Regular, TermId};
use crate::automaton::Budget;
use crate::error::Result;
use rustc_hash::FxHashMap;

/// One state of a [`Dfa`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DfaState {
    /// Whether the text may end here.
    pub is_final: bool,
    /// Disjoint sets of symbols, each with the state it leads to; one edge a target.
    pub edges: Vec<(CodeSet, u32)>,
}

/// A deterministic automaton over scalar values; from every state some text leads to a final one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dfa {
    /// The states, the first being where to begin; none when the language is empty.
    pub states: Vec<DfaState>,
}

impl Dfa {
    /// The automaton of a language.
    ///
    /// # Errors
    /// [`crate::Error::LimitExceeded`] and [`crate::Error::Cancelled`] by the budget, which counts states and terms.
    pub fn new(arena: &mut Regular, root: TermId, budget: &mut Budget) -> Result<Self> {
        let mut numbers = FxHashMap::from_iter([(root, 0u32)]);
        let mut order = vec![root];
        let mut states = Vec::new();
        while let Some(&id) = order.get(states.len()) {
            budget.state()?;
            let mut edges: Vec<(CodeSet, u32)> = Vec::new();
            for block in arena.blocks(id).iter() {
                budget.work()?;
                let after = arena.derivative(id, block.first());
                if after == arena.nothing() {
                    continue;
                }
                let number = *numbers.entry(after).or_insert_with(|| {
                    order.push(after);
                    order.len() as u32 - 1
                });
                match edges.iter_mut().find(|(_, target)| *target == number) {
                    Some((set, _)) => *set = set.union(&block.set()),
                    None => edges.push((block.set(), number)),
                }
            }
            states.push(DfaState { is_final: arena.is_nullable(id), edges });
        }
        Ok(Self { states }.without_dead_ends())
    }

    /// Whether no text is in the language.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Whether a text is in the language.
    pub fn matches(&self, text: &str) -> bool {
        let mut at = 0;
        for c in text.chars() {
            let Some(state) = self.states.get(at) else { return false };
            match state.edges.iter().find(|(set, _)| set.contains(u32::from(c))) {
                Some(&(_, target)) => at = target as usize,
                None => return false,
            }
        }
        self.states.get(at).is_some_and(|state| state.is_final)
    }

    fn without_dead_ends(self) -> Self {
        let mut into: Vec<Vec<u32>> = vec![Vec::new(); self.states.len()];
        for (number, state) in self.states.iter().enumerate() {
            state.edges.iter().for_each(|&(_, target)| into[target as usize].push(number as u32));
        }
        let mut alive: Vec<bool> = self.states.iter().map(|s| s.is_final).collect();
        let mut todo: Vec<usize> = (0..alive.len()).filter(|&s| alive[s]).collect();
        while let Some(state) = todo.pop() {
            for &before in &into[state] {
                if !std::mem::replace(&mut alive[before as usize], true) {
                    todo.push(before as usize);
                }
            }
        }
        if !alive.first().is_some_and(|&a| a) {
            return Self::default();
        }
        let mut count = 0;
        let numbers: Vec<u32> = alive
            .iter()
            .map(|&alive| {
                count += u32::from(alive);
                count.wrapping_sub(1)
            })
            .collect();
        let states =
            self.states.into_iter().zip(&alive).filter(|(_, alive)| **alive).map(|(mut state, _)| {
                state.edges.retain(|&(_, target)| alive[target as usize]);
                state.edges.iter_mut().for_each(|(_, target)| *target = numbers[*target as usize]);
                state
            });
        Self { states: states.collect() }
    }
}
