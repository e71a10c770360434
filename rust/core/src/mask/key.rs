//! The structural key of a state: everything that its split depends on, and nothing else.
//!
//! Two states with equal keys have isomorphic automata without popping, so their splits are equal, whichever grammars they
//! come from. Special-token edges are left out: no text token ever takes one. Keys are compared whole.

use crate::automaton::{Pda, StateId};
use crate::stack::Count;
use rustc_hash::FxHashMap;

/// Automata with more states than this keep their splits to themselves.
const MAX_STATES: usize = 20_000;
/// The same for automata that are made when asked for: a key asks for all of it.
const MAX_LAZY_STATES: usize = 512;

/// The key of `state` with a counter at `count`, or `None` if it would be too long.
pub(super) fn structural_key(pda: &Pda, state: StateId, count: Count) -> Option<Box<[u32]>> {
    let mut numbers: FxHashMap<StateId, u32> = FxHashMap::default();
    let mut order = vec![state];
    numbers.insert(state, 0);
    let mut number = |state: StateId, order: &mut Vec<StateId>| {
        *numbers.entry(state).or_insert_with(|| {
            order.push(state);
            order.len() as u32 - 1
        })
    };
    let mut key = vec![count.lo, count.hi];
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
        let is_counted = rule.counter.is_some();
        key.push(
            u32::from(pda.state(state).is_final) | u32::from(is_counted) << 1 | (bytes.len() as u32) << 2,
        );
        key.push(calls.len() as u32);
        if let Some(counter) = rule.counter {
            key.extend([counter.min, counter.max, number(rule.start, &mut order)]);
        }
        for &(lo, hi, target) in bytes {
            key.extend([u32::from(lo) << 8 | u32::from(hi), number(target, &mut order)]);
        }
        for &(callee, back) in calls {
            let start = pda.rule(callee).start;
            key.extend([number(start, &mut order), number(back, &mut order)]);
        }
        next += 1;
    }
    Some(key.into())
}
