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
/// So many places at one distance are compared with each other.
const MOST_COMPARED: usize = 8;

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
            if !seen.insert(place) {
                continue;
            }
            if next.len() < MOST_COMPARED {
                if next.iter().any(|&other| paths.is_within(other, place)) {
                    continue;
                }
                next.retain(|&other| !paths.is_within(place, other));
            }
            next.push(place);
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
        (are_few && length < ENOUGH).then_some(Horizon {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Places by number; where each of the letters `a` to `d` leads.
    struct Graph(Vec<[Option<usize>; 4]>);

    impl Graph {
        /// The length up to which all texts of some letters go on from a place, if it is less than a bound.
        fn length(&self, place: usize, letters: u128, most: usize) -> Option<usize> {
            let mut level = vec![place];
            for length in 0..most {
                let mut next = Vec::new();
                for at in level {
                    for (letter, to) in self.0[at].iter().enumerate() {
                        if letters >> (usize::from(b'a') + letter) & 1 == 1 {
                            match to {
                                Some(to) => next.push(*to),
                                None => return Some(length),
                            }
                        }
                    }
                }
                next.sort_unstable();
                next.dedup();
                level = next;
            }
            None
        }
    }

    impl Paths for Graph {
        type Place = usize;

        fn begin(&mut self, place: usize) -> Horizon {
            let letters = self.0[place].iter().enumerate().filter(|(_, to)| to.is_some());
            let ascii = letters.fold(0, |all, (letter, _)| all | 1 << (usize::from(b'a') + letter));
            Horizon { ascii, ..Horizon::default() }
        }

        fn step(&mut self, place: usize, horizon: &Horizon, out: &mut Vec<usize>) -> Missing {
            let mut missing = Missing::default();
            for (letter, to) in self.0[place].iter().enumerate() {
                let bit = 1 << (usize::from(b'a') + letter);
                match to {
                    Some(to) if horizon.ascii & bit != 0 => out.push(*to),
                    None => missing.ascii |= horizon.ascii & bit,
                    Some(_) => {}
                }
            }
            missing
        }

        fn is_within(&self, place: usize, other: usize) -> bool {
            place == other
        }
    }

    proptest! {
        #[test]
        fn all_texts_up_to_a_horizon_go_on(
            mut edges in prop::collection::vec(prop::array::uniform4(prop::option::weighted(0.9, 0usize..12)), 1..12),
        ) {
            let size = edges.len();
            edges.iter_mut().flatten().for_each(|to| *to = to.filter(|&to| to < size));
            let mut graph = Graph(edges);
            let mut known = FxHashMap::default();
            for place in 0..size {
                find(&mut graph, place, &mut known);
            }
            for (&place, horizon) in &known {
                let most = usize::from(horizon.length.min(40));
                prop_assert_eq!(graph.length(place, horizon.ascii, most), None, "{} {:?}", place, horizon);
            }
        }
    }

    #[test]
    fn a_count_is_followed_to_its_end_and_a_letter_given_up_that_leads_nowhere() {
        // 50 places in a row, each with `a` and `b` to the next one; `c` stays.
        let row = |at: usize| [Some(at + 1), Some(at + 1), Some(at), None];
        let mut graph = Graph((0..50).map(row).chain([[None; 4]]).collect());
        let mut known = FxHashMap::default();
        assert_eq!(find(&mut graph, 0, &mut known).length, MOST_STEPS);
        assert_eq!(known[&10].length, MOST_STEPS - 10, "places on the way are served, too");
        assert_eq!(find(&mut graph, 45, &mut known).length, 5);
        // After `d` there is no other `d`.
        let mut graph = Graph(vec![[Some(0), Some(0), Some(0), Some(1)], [Some(0), Some(0), Some(0), None]]);
        let horizon = find(&mut graph, 0, &mut FxHashMap::default());
        assert_eq!(horizon.ascii, ascii_bits(b'a', b'c'));
        assert_eq!(horizon.length, u16::MAX);
    }
}
