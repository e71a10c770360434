//! How far an automaton goes on, whatever the text.
//!
//! Every text of certain characters and up to a certain length goes on from a place: that is the place's [`Horizon`]. It is the
//! distance to the nearest place where one of the characters leads nowhere, so a search by breadth finds it ([`find`]). Patterns that
//! count words or lengths have as many places as counts; but of two places at the same distance only the one that allows less matters.

use crate::grammar::ByteSet;
use rustc_hash::{FxHashMap, FxHashSet};
use std::hash::Hash;

/// A horizon is looked for in so many steps at most: few tokens are longer.
const MOST_STEPS: u16 = 32;
/// A horizon of this length serves a place as well as its own would.
pub(crate) const ENOUGH: u16 = 16;
/// So many times characters are given up that lead nowhere before long.
const MOST_TRIES: usize = 4;
/// A horizon ends where so many places were looked at, and more than grow with the square of its length: two counts are followed,
/// not sets of positions.
const SOME_PLACES: usize = 16;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Horizon {
    /// The ASCII characters, as bits.
    pub(crate) ascii: u128,
    /// Whether all others are among them.
    pub(crate) has_others: bool,
    /// Whether all others lead back to the place.
    pub(crate) loops_on_others: bool,
    /// The greatest length, bytes.
    pub(crate) length: u16,
    /// The bytes that may be read between two characters of any of these texts, and perhaps more; `None` if that is not known, or if
    /// something may end there.
    pub(crate) alphabet: Option<ByteSet>,
}

/// What characters of a horizon lead nowhere from a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) ascii: u128,
    pub(crate) others: bool,
}

/// Places and where characters lead from them.
pub(crate) trait Paths {
    type Place: Copy + Eq + Hash;
    /// The characters that are worth looking ahead for, with the length 0.
    fn begin(&mut self, place: Self::Place) -> Horizon;
    /// Adds the places that one character of a horizon leads to.
    fn step(&mut self, place: Self::Place, horizon: &Horizon, out: &mut Vec<Self::Place>) -> Missing;
    /// Whether all texts that go on from one place are known to go on from another.
    fn is_within(&self, place: Self::Place, other: Self::Place) -> bool;
}

/// The horizon of a place, from what is known or by a search, which adds to it.
pub(crate) fn find<P: Paths>(
    paths: &mut P,
    place: P::Place,
    known: &mut FxHashMap<P::Place, Horizon>,
) -> Horizon {
    if let Some(&horizon) = known.get(&place) {
        return horizon;
    }
    let horizon = paths.begin(place);
    let mut search = Search::new(paths, place, horizon);
    for _ in 0..MOST_TRIES {
        let Some(fewer) = search.without_missing() else { break };
        search = Search::new(paths, place, fewer);
    }
    search.keep(paths, known);
    search.horizon
}

/// A search by breadth.
struct Search<P: Paths> {
    horizon: Horizon,
    /// The places at each distance.
    levels: Vec<Vec<P::Place>>,
    /// Why it ended.
    missing: Missing,
}

impl<P: Paths> Search<P> {
    fn new(paths: &mut P, place: P::Place, horizon: Horizon) -> Self {
        let mut search = Self { horizon, levels: vec![vec![place]], missing: Missing::default() };
        let mut seen = FxHashSet::from_iter([place]);
        while search.horizon.length < MOST_STEPS && search.step(paths, &mut seen) {}
        search
    }

    /// Goes one step further; false if that is not possible or not necessary.
    fn step(&mut self, paths: &mut P, seen: &mut FxHashSet<P::Place>) -> bool {
        let mut after = Vec::new();
        for &place in self.levels.last().into_iter().flatten() {
            self.missing = paths.step(place, &self.horizon, &mut after);
            if self.missing != Missing::default() {
                return false;
            }
        }
        let mut next: Vec<P::Place> = Vec::new();
        for place in after {
            if seen.insert(place) && !next.iter().any(|&other| paths.is_within(other, place)) {
                next.retain(|&other| !paths.is_within(place, other));
                next.push(place);
            }
        }
        if next.is_empty() {
            self.horizon.length = u16::MAX;
            return false;
        }
        self.horizon.length += 1;
        self.levels.push(next);
        let steps = usize::from(self.horizon.length);
        seen.len() <= steps * steps + SOME_PLACES
    }

    /// A horizon of fewer characters, without those that were missing, if the search came not far and they are few.
    fn without_missing(&self) -> Option<Horizon> {
        let Missing { ascii, others } = self.missing;
        let Horizon { ascii: all, length, .. } = self.horizon;
        let are_few = self.missing != Missing::default() && ascii.count_ones() * 4 <= all.count_ones();
        (are_few && length < ENOUGH).then(|| Horizon {
            ascii: all & !ascii,
            has_others: self.horizon.has_others && !others,
            length: 0,
            ..self.horizon
        })
    }

    /// Keeps the horizon, and what it says of the places that it was found by.
    fn keep(&self, paths: &mut P, known: &mut FxHashMap<P::Place, Horizon>) {
        for (distance, level) in self.levels.iter().enumerate() {
            let length = match self.horizon.length {
                u16::MAX => u16::MAX,
                length => length.saturating_sub(distance as u16),
            };
            if distance > 0 && length < ENOUGH {
                break;
            }
            for &place in level {
                known.entry(place).or_insert_with(|| {
                    let loops_on_others = paths.begin(place).loops_on_others;
                    Horizon { length, loops_on_others, ..self.horizon }
                });
            }
        }
    }
}

/// The ASCII bytes of a range, as bits.
pub(crate) fn ascii_bits(lo: u8, hi: u8) -> u128 {
    if lo > 0x7F {
        return 0;
    }
    (u128::MAX >> (0x7F - hi.min(0x7F))) & (u128::MAX << lo)
}
