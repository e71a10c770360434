//! The structural key of a state: everything that its split depends on, and nothing else.
//!
//! Two states with equal keys have isomorphic automata without popping, so their splits are equal, whichever grammars they
//! come from. Special-token edges are left out: no text token ever takes one. Where each round of a counted rule ends as
//! soon as it can, the split holds for every count and all bounds ([`super::split::Rounds`]), and the key leaves them out.
//! Keys are compared whole.

use crate::automaton::{Pda, StateId};
use crate::stack::Count;
use rustc_hash::FxHashMap;

/// Automata with more states than this keep their splits to themselves.
const MAX_STATES: usize = 20_000;
/// The same for automata that are made when asked for: a key asks for all of it.
const MAX_LAZY_STATES: usize = 512;

/// See the module.
pub(super) struct Key {
    pub(super) words: Vec<u32>,
    /// Whether the split holds for every count.
    pub(super) is_for_all_counts: bool,
}

/// First word of a key that leaves the counts out.
const ALL_COUNTS: u32 = u32::MAX;

/// The key of `state` with a counter at `count`, or `None` if it would be too long.
pub(super) fn structural_key(pda: &Pda, state: StateId, count: Count) -> Option<Key> {
    let mut numbers: FxHashMap<StateId, u32> = FxHashMap::default();
    let mut order = vec![state];
    numbers.insert(state, 0);
    let mut number = |state: StateId, order: &mut Vec<StateId>| {
        *numbers.entry(state).or_insert_with(|| {
            order.push(state);
            order.len() as u32 - 1
        })
    };
    let mut words = vec![count.lo, count.hi];
    // Where the bounds of counters stand, to be taken out if they do not matter.
    let mut bounds = Vec::new();
    let mut is_prefix_free = pda.rule_of(state).counter.is_some();
    let mut next = 0;
    while next < order.len() {
        let state = order[next];
        let limit = if pda.is_made_late(state) { MAX_LAZY_STATES } else { MAX_STATES };
        if order.len() > limit {
            return None;
        }
        let bytes = pda.bytes_of(state);
        let calls = pda.calls_of(state);
        let rule = pda.rule_of(state);
        if !rule.is_leaf {
            return None;
        }
        let is_final = pda.state(state).is_final;
        is_prefix_free &= calls.is_empty() && !(is_final && pda.has_edges(state));
        let is_counted = rule.counter.is_some();
        words.push(u32::from(is_final) | u32::from(is_counted) << 1 | (bytes.len() as u32) << 2);
        words.push(calls.len() as u32);
        if let Some(counter) = rule.counter {
            bounds.push(words.len());
            words.extend([counter.min, counter.max, number(rule.start, &mut order)]);
        }
        for &(lo, hi, target) in bytes {
            words.extend([u32::from(lo) << 8 | u32::from(hi), number(target, &mut order)]);
        }
        for &(callee, back) in calls {
            let start = pda.rule(callee).start;
            words.extend([number(start, &mut order), number(back, &mut order)]);
        }
        next += 1;
    }
    if is_prefix_free {
        words[..2].fill(ALL_COUNTS);
        bounds.into_iter().for_each(|at| words[at..at + 2].fill(0));
    }
    Some(Key { words, is_for_all_counts: is_prefix_free })
}
