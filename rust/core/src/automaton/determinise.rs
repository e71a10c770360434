//! The subset construction (Rabin & Scott 1959), with calls and token sets as letters beside the bytes.
//!
//! An edge that calls a nullable rule also counts as an empty edge: this is where empty matches leave the automaton.

use super::Budget;
use super::lower::{Label, Nfa};
use crate::error::Result;
use crate::grammar::ExprId;
use rustc_hash::FxHashMap;

/// A state of a rule's deterministic automaton.
#[derive(Clone, Debug, Default)]
pub(super) struct DfaState {
    pub(super) is_final: bool,
    /// Ascending, disjoint.
    pub(super) bytes: Vec<(u8, u8, u32)>,
    /// Ascending by rule.
    pub(super) calls: Vec<(u32, u32)>,
    /// Ascending by token set.
    pub(super) tokens: Vec<(u32, u32)>,
    pub(super) origin: Option<ExprId>,
}

impl DfaState {
    /// All targets.
    pub(super) fn targets(&self) -> impl Iterator<Item = u32> + '_ {
        let bytes = self.bytes.iter().map(|e| e.2);
        bytes.chain(self.calls.iter().map(|e| e.1)).chain(self.tokens.iter().map(|e| e.1))
    }
}

/// A rule's deterministic automaton; state 0 is the start.
#[derive(Clone, Debug, Default)]
pub(super) struct Dfa {
    pub(super) states: Vec<DfaState>,
}

/// Makes an automaton deterministic. `nullable` says which rules match the empty string.
pub(super) fn determinise(nfa: &Nfa, nullable: &[bool], budget: &mut Budget) -> Result<Dfa> {
    let mut subsets = Subsets {
        nfa,
        nullable,
        dfa: Dfa::default(),
        ids: FxHashMap::default(),
        members: Vec::new(),
        stamp: vec![0; nfa.len()],
        round: 0,
        stack: Vec::new(),
    };
    subsets.intern(&[nfa.start], budget)?;
    let mut next = 0;
    while next < subsets.members.len() {
        subsets.fill(next, budget)?;
        next += 1;
    }
    Ok(subsets.dfa)
}

struct Subsets<'a> {
    nfa: &'a Nfa,
    nullable: &'a [bool],
    dfa: Dfa,
    ids: FxHashMap<Box<[u32]>, u32>,
    members: Vec<Box<[u32]>>,
    /// `stamp[state] == round` marks a state seen in the current closure.
    stamp: Vec<u32>,
    round: u32,
    stack: Vec<u32>,
}

impl Subsets<'_> {
    /// The state of the empty closure of `seeds`.
    fn intern(&mut self, seeds: &[u32], budget: &mut Budget) -> Result<u32> {
        budget.work()?;
        self.round += 1;
        let mut members = Vec::new();
        self.stack.extend_from_slice(seeds);
        while let Some(state) = self.stack.pop() {
            if std::mem::replace(&mut self.stamp[state as usize], self.round) == self.round {
                continue;
            }
            let mut consumes = state == self.nfa.accept;
            for edge in self.nfa.edges(state) {
                match edge.label {
                    Label::Empty => self.stack.push(edge.target),
                    Label::Call(rule) => {
                        consumes = true;
                        if self.nullable[rule as usize] {
                            self.stack.push(edge.target);
                        }
                    }
                    Label::Bytes(..) | Label::Token(_) => consumes = true,
                }
            }
            // States with empty edges alone say nothing about what comes next, so they do not tell subsets apart.
            if consumes {
                members.push(state);
            }
        }
        members.sort_unstable();
        if let Some(&id) = self.ids.get(members.as_slice()) {
            return Ok(id);
        }
        budget.state()?;
        let id = self.members.len() as u32;
        let members: Box<[u32]> = members.into();
        let origin = members.iter().find_map(|&m| self.nfa.origin(m));
        let is_final = members.contains(&self.nfa.accept);
        self.dfa.states.push(DfaState { is_final, origin, ..DfaState::default() });
        self.ids.insert(members.clone(), id);
        self.members.push(members);
        Ok(id)
    }

    /// Computes the edges of a state.
    fn fill(&mut self, id: usize, budget: &mut Budget) -> Result<()> {
        let (mut bytes, mut calls, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
        for &member in &self.members[id] {
            for edge in self.nfa.edges(member) {
                match edge.label {
                    Label::Empty => {}
                    Label::Bytes(lo, hi) => bytes.push((lo, hi, edge.target)),
                    Label::Call(rule) => calls.push((rule, edge.target)),
                    Label::Token(set) => tokens.push((set, edge.target)),
                }
            }
        }
        let calls = self.grouped(calls, budget)?;
        let tokens = self.grouped(tokens, budget)?;
        let bytes = self.split_ranges(bytes, budget)?;
        let state = &mut self.dfa.states[id];
        (state.bytes, state.calls, state.tokens) = (bytes, calls, tokens);
        Ok(())
    }

    /// One edge a letter, to the state of all its targets.
    fn grouped(&mut self, mut edges: Vec<(u32, u32)>, budget: &mut Budget) -> Result<Vec<(u32, u32)>> {
        edges.sort_unstable();
        let mut out = Vec::new();
        for group in edges.chunk_by(|a, b| a.0 == b.0) {
            let targets: Vec<u32> = group.iter().map(|e| e.1).collect();
            out.push((group[0].0, self.intern(&targets, budget)?));
        }
        Ok(out)
    }

    /// Cuts overlapping ranges at each other's ends, then joins neighbours that lead to the same state.
    fn split_ranges(
        &mut self,
        ranges: Vec<(u8, u8, u32)>,
        budget: &mut Budget,
    ) -> Result<Vec<(u8, u8, u32)>> {
        if let [(lo, hi, target)] = ranges[..] {
            return Ok(vec![(lo, hi, self.intern(&[target], budget)?)]);
        }
        let mut cuts: Vec<u16> = Vec::with_capacity(2 * ranges.len());
        for &(lo, hi, _) in &ranges {
            cuts.extend([u16::from(lo), u16::from(hi) + 1]);
        }
        cuts.sort_unstable();
        cuts.dedup();
        let mut out: Vec<(u8, u8, u32)> = Vec::new();
        let mut targets = Vec::new();
        for pair in cuts.windows(2) {
            let (lo, hi) = (pair[0] as u8, (pair[1] - 1) as u8);
            targets.clear();
            targets.extend(ranges.iter().filter(|r| r.0 <= lo && hi <= r.1).map(|r| r.2));
            if targets.is_empty() {
                continue;
            }
            let target = self.intern(&targets, budget)?;
            match out.last_mut() {
                Some(last) if last.2 == target && u16::from(last.1) + 1 == u16::from(lo) => last.1 = hi,
                _ => out.push((lo, hi, target)),
            }
        }
        Ok(out)
    }
}
