//! How far an automaton goes on, whatever the text.
//!
//! Every text of certain characters and up to a certain length goes on from a place: that is the place's [`Horizon`]. It is the
//! distance to the nearest place where one of the characters leads nowhere, so a search by breadth finds it ([`find`]). Patterns that
//! count words or lengths have as many places as counts; but of two places at the same distance only the one that allows less matters.

use rustc_hash::{FxHashMap, FxHashSet};
use std::hash::Hash;

/// A horizon is looked for in so many steps at most: few tokens are longer.
const MOST_STEPS: u16 = 32;
/// A horizon of this length serves a place as well as its own would.
const ENOUGH: u16 = 12;
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
}

/// Places and where characters lead from them.
pub(crate) trait Paths {
    type Place: Copy + Eq + Hash;
    /// The characters that are worth looking ahead for, with the length 0.
    fn begin(&mut self, place: Self::Place) -> Horizon;
    /// Adds the places that one character of a horizon leads to; false if one leads nowhere.
    fn step(&mut self, place: Self::Place, horizon: Horizon, out: &mut Vec<Self::Place>) -> bool;
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
    let mut horizon = paths.begin(place);
    let (mut seen, mut levels) = (FxHashSet::from_iter([place]), vec![vec![place]]);
    let mut after = Vec::new();
    while let Some(level) = levels.last() {
        let steps = usize::from(horizon.length) + 1;
        let goes_on = horizon.length < MOST_STEPS
            && level.iter().all(|&at| paths.step(at, horizon, &mut after))
            && seen.len() <= steps * steps + SOME_PLACES;
        if !goes_on {
            break;
        }
        let mut next: Vec<P::Place> = Vec::new();
        for place in after.drain(..) {
            if seen.insert(place) && !next.iter().any(|&other| paths.is_within(other, place)) {
                next.retain(|&other| !paths.is_within(place, other));
                next.push(place);
            }
        }
        if next.is_empty() {
            horizon.length = u16::MAX;
            break;
        }
        horizon.length += 1;
        levels.push(next);
    }
    for (distance, level) in levels.into_iter().enumerate() {
        let length = match horizon.length {
            u16::MAX => u16::MAX,
            length => length.saturating_sub(distance as u16),
        };
        if distance > 0 && length < ENOUGH {
            break;
        }
        for place in level {
            let own = || Horizon {
                ascii: horizon.ascii,
                has_others: horizon.has_others,
                length,
                ..paths.begin(place)
            };
            known.entry(place).or_insert_with(own);
        }
    }
    horizon
}

/// The ASCII bytes of a range, as bits.
pub(crate) fn ascii_bits(lo: u8, hi: u8) -> u128 {
    if lo > 0x7F {
        return 0;
    }
    (u128::MAX >> (0x7F - hi.min(0x7F))) & (u128::MAX << lo)
}
