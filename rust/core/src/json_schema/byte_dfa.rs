//! Small deterministic automata over bytes.

use crate::automaton::Budget;
use crate::error::Result;
use rustc_hash::FxHashMap;

/// Whether a state is final, and its edges (ascending, disjoint).
pub type ByteState = (bool, Vec<(u8, u8, u32)>);

/// A deterministic automaton over bytes, without dead ends; state 0 is the start, and there is none if it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByteDfa {
    /// The states, by number.
    pub states: Vec<ByteState>,
}

impl ByteDfa {
    /// Explores an automaton given by its start and step, and cuts off what leads nowhere.
    pub fn explore<S: Clone + Eq + std::hash::Hash>(
        start: S,
        mut step: impl FnMut(&S, u8) -> Option<S>,
        alphabet: &[u8],
        is_final: impl Fn(&S) -> bool,
        budget: &mut Budget,
    ) -> Result<Self> {
        let mut numbers = FxHashMap::from_iter([(start.clone(), 0u32)]);
        let mut order = vec![start];
        let mut states = Vec::new();
        while states.len() < order.len() {
            budget.state()?;
            let state = order[states.len()].clone();
            let mut edges: Vec<(u8, u8, u32)> = Vec::new();
            for &byte in alphabet {
                let Some(next) = step(&state, byte) else { continue };
                let number = *numbers.entry(next).or_insert_with_key(|next| {
                    order.push(next.clone());
                    order.len() as u32 - 1
                });
                match edges.last_mut() {
                    Some(last) if last.2 == number && last.1 + 1 == byte => last.1 = byte,
                    _ => edges.push((byte, byte, number)),
                }
            }
            states.push((is_final(&state), edges));
        }
        Ok(Self { states }.without_dead_ends())
    }

    fn without_dead_ends(mut self) -> Self {
        let mut into: Vec<Vec<usize>> = vec![Vec::new(); self.states.len()];
        for (number, (_, edges)) in self.states.iter().enumerate() {
            edges.iter().for_each(|e| into[e.2 as usize].push(number));
        }
        let mut alive: Vec<bool> = self.states.iter().map(|s| s.0).collect();
        let mut todo: Vec<usize> = (0..alive.len()).filter(|&s| alive[s]).collect();
        while let Some(state) = todo.pop() {
            for &before in &into[state] {
                if !std::mem::replace(&mut alive[before], true) {
                    todo.push(before);
                }
            }
        }
        if alive.first() != Some(&true) {
            return Self::default();
        }
        // Dead states keep their numbers: nothing leads to them any more.
        for (state, alive_here) in self.states.iter_mut().zip(&alive) {
            state.1.retain(|e| *alive_here && alive[e.2 as usize]);
        }
        self
    }

    /// Whether a text is in the language.
    pub fn matches(&self, text: &[u8]) -> bool {
        let mut at = 0;
        for &byte in text {
            let Some((_, edges)) = self.states.get(at) else { return false };
            let Some(edge) = edges.iter().find(|e| e.0 <= byte && byte <= e.1) else { return false };
            at = edge.2 as usize;
        }
        self.states.get(at).is_some_and(|s| s.0)
    }
}
