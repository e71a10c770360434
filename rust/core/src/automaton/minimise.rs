//! Merging equal states of one rule, from the end backwards (Revuz 1992).
//!
//! States that lie on no cycle, and states whose only cycle is an edge to themselves, are merged when their finality and edges
//! are equal. Longer cycles are kept as they are: they are rare in grammars, and keeping them is never wrong.

use super::determinise::{Dfa, DfaState};
use super::graph;
use rustc_hash::FxHashMap;

/// Finality, then all edges with canonical targets; `SELF` stands for the state itself.
type Key = (bool, Vec<(u8, u8, u32)>, Vec<(u32, u32)>, Vec<(u32, u32)>);
const SELF: u32 = u32::MAX;

/// Merges equal states; state 0 stays the start.
pub(super) fn minimise(dfa: &mut Dfa) {
    let n = dfa.states.len();
    let order = graph::components(n, |s, out| out.extend(dfa.states[s].targets().map(|t| t as usize)));
    let mut canonical: Vec<u32> = (0..n as u32).collect();
    let mut known: FxHashMap<Key, u32> = FxHashMap::default();
    for component in &order {
        let &[state] = component.as_slice() else { continue };
        let key = key_of(&dfa.states[state], state as u32, &canonical);
        canonical[state] = *known.entry(key).or_insert(state as u32);
    }
    if canonical.iter().enumerate().all(|(i, &c)| i as u32 == c) {
        return;
    }
    // The start keeps its number, so number the kept states from its representative on.
    let mut number = vec![u32::MAX; n];
    let mut kept = vec![canonical[0]];
    number[canonical[0] as usize] = 0;
    for (state, &representative) in canonical.iter().enumerate() {
        if representative == state as u32 && number[state] == u32::MAX {
            number[state] = kept.len() as u32;
            kept.push(state as u32);
        }
    }
    let renumber = |target: &mut u32| *target = number[canonical[*target as usize] as usize];
    let mut states = Vec::with_capacity(kept.len());
    for &old in &kept {
        let mut state = std::mem::take(&mut dfa.states[old as usize]);
        state.bytes.iter_mut().for_each(|e| renumber(&mut e.2));
        state.calls.iter_mut().for_each(|e| renumber(&mut e.1));
        state.tokens.iter_mut().for_each(|e| renumber(&mut e.1));
        join_neighbours(&mut state.bytes);
        states.push(state);
    }
    dfa.states = states;
}

fn key_of(state: &DfaState, id: u32, canonical: &[u32]) -> Key {
    let target = |t: u32| if t == id { SELF } else { canonical[t as usize] };
    let mut bytes: Vec<_> = state.bytes.iter().map(|e| (e.0, e.1, target(e.2))).collect();
    join_neighbours(&mut bytes);
    let calls = state.calls.iter().map(|e| (e.0, target(e.1))).collect();
    let tokens = state.tokens.iter().map(|e| (e.0, target(e.1))).collect();
    (state.is_final, bytes, calls, tokens)
}

/// Joins neighbouring ranges that lead to the same state.
fn join_neighbours(ranges: &mut Vec<(u8, u8, u32)>) {
    ranges.dedup_by(|next, last| {
        let joined = last.2 == next.2 && u16::from(last.1) + 1 == u16::from(next.0);
        if joined {
            last.1 = next.1;
        }
        joined
    });
}
