//! How far the states of an automaton without calls go on; see [`crate::automaton::horizon`].
//!
//! What is known of a state holds for every split of the grammar, so it is kept beside them.

use crate::automaton::horizon::{self, Horizon, Missing, Paths, ascii_bits};
use crate::automaton::{Pda, StateId};
use crate::grammar::utf8::BEYOND_ASCII;
use rustc_hash::FxHashMap;

/// Where characters lead to.
type Targets = Box<[StateId]>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Horizons {
    known: FxHashMap<StateId, Horizon>,
    /// Where the characters beyond ASCII lead, `None` if one of them leads nowhere.
    after_others: FxHashMap<StateId, Option<Targets>>,
}

impl Horizons {
    /// The horizon of a state. What machines make they look through themselves, where they can.
    pub(super) fn of(&mut self, pda: &Pda, state: StateId) -> Horizon {
        if let Some(&known) = self.known.get(&state) {
            return known;
        }
        if let Some(horizon) = pda.horizon(state) {
            self.known.insert(state, horizon);
            return horizon;
        }
        let mut states = States { pda, after_others: &mut self.after_others };
        horizon::find(&mut states, state, &mut self.known)
    }

    /// Adds what another one knows.
    pub(super) fn join(&mut self, other: Self) {
        if self.known.is_empty() {
            *self = other;
        } else {
            self.known.extend(other.known);
            self.after_others.extend(other.after_others);
        }
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        let of_targets = |known: &Option<Targets>| known.as_ref().map_or(0, |to| size_of_val(&**to));
        self.known.capacity() * (size_of::<(StateId, Horizon)>() + 1)
            + self.after_others.capacity() * (size_of::<(StateId, Option<Targets>)>() + 1)
            + self.after_others.values().map(of_targets).sum::<usize>()
    }
}

/// The states of an automaton, by bytes.
struct States<'a> {
    pda: &'a Pda,
    after_others: &'a mut FxHashMap<StateId, Option<Targets>>,
}

impl Paths for States<'_> {
    type Place = StateId;

    fn begin(&mut self, state: StateId) -> Horizon {
        let after = self.after_others(state);
        let (has_others, loops_on_others) = (after.is_some(), after == Some(&[state]));
        Horizon { ascii: self.lasting(state), has_others, loops_on_others, ..Horizon::default() }
    }

    fn step(&mut self, state: StateId, horizon: &Horizon, out: &mut Vec<StateId>) -> Missing {
        let mut missing = Missing { ascii: horizon.ascii, others: false };
        if !self.pda.calls_of(state).is_empty() {
            return Missing { others: true, ..missing };
        }
        for &(lo, hi, to) in self.pda.bytes_of(state) {
            let bits = ascii_bits(lo, hi);
            if bits & horizon.ascii != 0 {
                out.push(to);
            }
            missing.ascii &= !bits;
        }
        if horizon.has_others {
            // They take two bytes or more; to count one is on the safe side.
            match self.after_others(state) {
                Some(after) => out.extend_from_slice(after),
                None => missing.others = true,
            }
        }
        missing
    }

    fn is_within(&self, state: StateId, other: StateId) -> bool {
        state == other
    }
}

impl States<'_> {
    /// The ASCII bytes of a state after which most of them can come again. A quotation mark that ends the text is none, a
    /// backslash that begins an escape neither.
    fn lasting(&self, state: StateId) -> u128 {
        let ascii_of =
            |state| self.pda.bytes_of(state).iter().fold(0u128, |all, &(lo, hi, _)| all | ascii_bits(lo, hi));
        let all = ascii_of(state);
        let lasts = |&&(lo, _, to): &&(u8, u8, StateId)| {
            lo.is_ascii() && (to == state || (ascii_of(to) & all).count_ones() * 2 >= all.count_ones())
        };
        self.pda.bytes_of(state).iter().filter(lasts).fold(0, |all, &(lo, hi, _)| all | ascii_bits(lo, hi))
    }

    /// The states that characters beyond ASCII lead to, if all of them lead anywhere.
    fn after_others(&mut self, state: StateId) -> Option<&[StateId]> {
        let pda = self.pda;
        let find = || {
            let mut after = Vec::new();
            for form in BEYOND_ASCII {
                let mut at = vec![state];
                for &range in form {
                    at = after_range(pda, &at, range)?;
                }
                at.retain(|to| !after.contains(to));
                after.append(&mut at);
            }
            Some(after.into())
        };
        self.after_others.entry(state).or_insert_with(find).as_deref()
    }
}

/// The states that the bytes of a range lead to from some states, if all of them lead anywhere.
fn after_range(pda: &Pda, states: &[StateId], (lo, hi): (u8, u8)) -> Option<Vec<StateId>> {
    let mut after = Vec::new();
    for &state in states {
        let mut missing = usize::from(hi - lo) + 1;
        let edges = pda.bytes_of(state);
        let from = edges.partition_point(|edge| edge.1 < lo);
        for &(first, last, to) in edges[from..].iter().take_while(|edge| edge.0 <= hi) {
            missing -= usize::from(last.min(hi) - first.max(lo)) + 1;
            if !after.contains(&to) {
                after.push(to);
            }
        }
        if missing > 0 {
            return None;
        }
    }
    Some(after)
}
