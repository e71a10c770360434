//! How far the states of an automaton without calls go on; see [`crate::automaton::horizon`].
//!
//! What is known of a state holds for every split of the grammar, so it is kept beside them.

use crate::automaton::horizon::{self, Horizon, Paths};
use crate::automaton::{Pda, StateId};
use crate::grammar::ByteSet;
use crate::grammar::utf8::BEYOND_ASCII;
use rustc_hash::FxHashMap;

/// Where characters beyond ASCII lead to, with the first bytes of these; only those all of whose characters lead anywhere.
type Targets = Box<[(ByteSet, StateId)]>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Horizons {
    known: FxHashMap<StateId, Horizon>,
    after_others: FxHashMap<StateId, Targets>,
}

impl Horizons {
    /// The horizon of a state if it was found out before.
    pub(super) fn known(&self, state: StateId) -> Option<Horizon> {
        horizon::known_of(&self.known, state, false)
    }

    /// The horizon of a state, a thorough one where much depends on it. What machines make they look through themselves, where they can.
    pub(super) fn of(&mut self, pda: &Pda, state: StateId, is_thorough: bool) -> Horizon {
        if let Some(known) = horizon::known_of(&self.known, state, is_thorough) {
            return known;
        }
        if let Some(horizon) = pda.horizon(state, is_thorough) {
            self.known.insert(state, horizon.clone());
            return horizon;
        }
        let mut states = States { pda, after_others: &mut self.after_others };
        horizon::find(&mut states, state, is_thorough, &mut self.known)
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
        self.known.capacity() * (size_of::<(StateId, Horizon)>() + 1)
            + self.after_others.capacity() * (size_of::<(StateId, Targets)>() + 1)
            + self.after_others.values().map(|targets| size_of_val(&**targets)).sum::<usize>()
    }
}

/// The states of an automaton, by bytes.
struct States<'a> {
    pda: &'a Pda,
    after_others: &'a mut FxHashMap<StateId, Targets>,
}

impl Paths for States<'_> {
    type Place = StateId;

    fn begin(&mut self, state: StateId) -> Horizon {
        let lasting = self.lasting(state);
        let after = self.after_others(state);
        let others = after.iter().fold(ByteSet::EMPTY, |all, (by, _)| all.union(by));
        Horizon { characters: lasting.union(&others), loops: self.loops(state), ..Horizon::default() }
    }

    fn loops(&mut self, state: StateId) -> ByteSet {
        let after = self.after_others(state);
        let of = |leads_back: bool| {
            let some = after.iter().filter(|&&(_, to)| (to == state) == leads_back);
            some.fold(ByteSet::EMPTY, |all, (by, _)| all.union(by))
        };
        of(true).difference(&of(false))
    }

    fn step(&mut self, state: StateId, characters: &ByteSet, out: &mut Vec<(ByteSet, StateId)>) -> ByteSet {
        if !self.pda.calls_of(state).is_empty() {
            return *characters;
        }
        let mut found = ByteSet::EMPTY;
        let mut add = |by: ByteSet, to| {
            let by = by.intersection(characters);
            found = found.union(&by);
            if !by.is_empty() {
                out.push((by, to));
            }
        };
        for &(lo, hi, to) in self.pda.bytes_of(state).iter().take_while(|edge| edge.0.is_ascii()) {
            add(ByteSet::range(lo, hi.min(0x7F)), to);
        }
        // They take two bytes or more; to count one is on the safe side.
        self.after_others(state).iter().for_each(|&(by, to)| add(by, to));
        characters.difference(&found)
    }

    fn is_within(&self, state: StateId, other: StateId) -> bool {
        state == other
    }
}

impl States<'_> {
    /// The ASCII bytes of a state after which most of them can come again. A quotation mark that ends the text is none, a
    /// backslash that begins an escape neither.
    fn lasting(&self, state: StateId) -> ByteSet {
        let ascii_of = |state| {
            let edges = self.pda.bytes_of(state).iter().take_while(|edge| edge.0.is_ascii());
            let mut all = ByteSet::EMPTY;
            edges.for_each(|&(lo, hi, _)| all.insert_range(lo, hi.min(0x7F)));
            all
        };
        let all = ascii_of(state);
        let lasts = |to| to == state || ascii_of(to).intersection(&all).len() * 2 >= all.len();
        let mut lasting = ByteSet::EMPTY;
        for &(lo, hi, to) in self.pda.bytes_of(state).iter().filter(|edge| edge.0.is_ascii()) {
            if lasts(to) {
                lasting.insert_range(lo, hi.min(0x7F));
            }
        }
        lasting
    }

    fn after_others(&mut self, state: StateId) -> &[(ByteSet, StateId)] {
        let pda = self.pda;
        self.after_others.entry(state).or_insert_with(|| {
            let mut after = Vec::new();
            for form in BEYOND_ASCII {
                let Some((&(lo, hi), rest)) = form.split_first() else { continue };
                // All of the form at once, or one first byte after the other.
                if !add_after(pda, state, (lo, hi), rest, &mut after) {
                    (lo..=hi).for_each(|byte| {
                        add_after(pda, state, (byte, byte), rest, &mut after);
                    });
                }
            }
            after.into()
        })
    }
}

/// Adds where characters of a form lead to, if all of them lead anywhere.
fn add_after(
    pda: &Pda,
    state: StateId,
    first: (u8, u8),
    rest: &[(u8, u8)],
    after: &mut Vec<(ByteSet, StateId)>,
) -> bool {
    let mut at = after_range(pda, &[state], first);
    for &range in rest {
        at = at.and_then(|at| after_range(pda, &at, range));
    }
    let by = ByteSet::range(first.0, first.1);
    after.extend(at.iter().flatten().map(|&to| (by, to)));
    at.is_some()
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
