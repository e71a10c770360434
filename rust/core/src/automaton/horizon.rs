//! How far an automaton goes on, whatever the text.
//!
//! Every text of certain characters and up to a certain length goes on from a place: that is the place's [`Horizon`]. It is the
//! distance to the nearest place where one of the characters leads nowhere, so a search by breadth finds it ([`find`]). Patterns that
//! count words or lengths have as many places as counts; but of two places at the same distance only the one that allows less matters.
//!
//! Where that distance is short, it may still take certain characters to get there ([`super::needed`]): a text in which `hipchat`
//! must not occur goes on as long as it lacks an `h`, or a `p`.

use super::needed::{AnyOf, Needed};
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
const SOME_PLACES: usize = 80;
/// It ends, too, where so many steps were looked at: of a place with hundreds of them each costs as much as another place.
pub(super) const SOME_STEPS: usize = 1024;
/// So many places at one distance are compared with each other.
const MOST_COMPARED: usize = 8;

/// Fewer characters make few texts.
pub(crate) const LEAST_CHARACTERS: usize = 16;

/// See the module. Characters are told apart by their first bytes: of such a byte it is all of them or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Horizon {
    /// The characters.
    pub(crate) characters: ByteSet,
    /// Those beyond ASCII that lead back to the place.
    pub(crate) loops: ByteSet,
    /// The greatest length, bytes.
    pub(crate) length: u16,
    /// Longer texts go on, too, if they have none of these sets, if there are any.
    pub(crate) needed: AnyOf,
    /// The bytes that may be read between two characters of any of these texts, and perhaps more; `None` if that is not known, or if
    /// something may end there. Only a wide horizon has it.
    pub(crate) alphabet: Option<ByteSet>,
}

/// Places and where characters lead from them.
pub(crate) trait Paths {
    type Place: Copy + Eq + Hash;
    /// The characters that are worth looking ahead for, with the length 0.
    fn begin(&mut self, place: Self::Place) -> Horizon;
    /// Adds the places that one of some characters leads to, with all the first bytes by which it may; gives those by which one leads
    /// nowhere.
    fn step(
        &mut self,
        place: Self::Place,
        characters: &ByteSet,
        out: &mut Vec<(ByteSet, Self::Place)>,
    ) -> ByteSet;
    /// The characters beyond ASCII that lead back to a place.
    fn loops(&mut self, _place: Self::Place) -> ByteSet {
        ByteSet::EMPTY
    }
    /// What the horizon of a place says of the bytes between two characters.
    fn alphabet(&mut self, _place: Self::Place) -> Option<ByteSet> {
        None
    }
    /// Whether all texts that go on from one place are known to go on from another.
    fn is_within(&self, place: Self::Place, other: Self::Place) -> bool;
}

impl Horizon {
    /// Whether this is enough to know of a place, however long the text.
    pub(crate) fn is_enough(&self) -> bool {
        self.length >= ENOUGH || !self.needed.is_empty()
    }

    /// The same of so many characters that most texts of a language may be made of them.
    pub(crate) fn is_wide(&self) -> bool {
        self.is_enough() && self.characters.len() >= LEAST_CHARACTERS
    }

    /// Whether all texts go on that are made of some of the characters and not longer than so many bytes.
    #[inline]
    pub(crate) fn covers(&self, characters: &ByteSet, length: u16) -> bool {
        characters.is_within(&self.characters)
            && (length <= self.length || !self.needed.is_empty() && !self.needed.is_within(characters))
    }
}

/// The horizon of a place, from what is known or by a search, which adds to it; a thorough one where much depends on it.
pub(crate) fn find<P: Paths>(
    paths: &mut P,
    place: P::Place,
    is_thorough: bool,
    known: &mut FxHashMap<P::Place, Horizon>,
) -> Horizon {
    if let Some(horizon) = known_of(known, place, is_thorough) {
        return horizon;
    }
    let mut begin = paths.begin(place);
    for _ in 0..MOST_TRIES {
        let mut search = Search::new(paths, place, begin.clone(), known);
        if search.horizon.length >= ENOUGH {
            return search.keep(paths, known);
        }
        if is_thorough && search.may_need_any() {
            let needed = Needed::new(paths, place, &begin.characters, known);
            if needed.is_any() {
                begin.alphabet = paths.alphabet(place);
                needed.keep(paths, &begin, known);
                return known.get(&place).cloned().unwrap_or(begin);
            }
        }
        match search.without_missing() {
            Some(fewer) => begin = fewer,
            None => return search.keep(paths, known),
        }
    }
    Search::new(paths, place, begin, known).keep(paths, known)
}

/// What is known of a place, if that serves.
pub(crate) fn known_of<P: Eq + Hash>(
    known: &FxHashMap<P, Horizon>,
    place: P,
    is_thorough: bool,
) -> Option<Horizon> {
    known.get(&place).filter(|known| !is_thorough || known.is_enough()).cloned()
}

/// Keeps what was found out of a place, if no more is known.
pub(super) fn note<P: Eq + Hash>(
    known: &mut FxHashMap<P, Horizon>,
    place: P,
    horizon: impl FnOnce() -> Horizon,
) {
    if !known.get(&place).is_some_and(Horizon::is_enough) {
        known.insert(place, horizon());
    }
}

/// A place that a search has come to.
struct Reached<P> {
    place: P,
    distance: u16,
    /// The number of the place before it, and the first bytes that lead from there.
    from: (usize, ByteSet),
}

/// A search by breadth.
struct Search<P: Paths> {
    horizon: Horizon,
    /// By their distances.
    reached: Vec<Reached<P::Place>>,
    /// The first ones of which enough was known.
    served: Vec<P::Place>,
    /// Why it ended: places of one distance, and what is missing there.
    missing: Vec<(usize, ByteSet)>,
    /// So many steps were looked at.
    looked_at: usize,
}

impl<P: Paths> Search<P> {
    fn new(paths: &mut P, place: P::Place, horizon: Horizon, known: &FxHashMap<P::Place, Horizon>) -> Self {
        let first = Reached { place, distance: 0, from: (0, ByteSet::EMPTY) };
        let mut search =
            Self { horizon, reached: vec![first], served: Vec::new(), missing: Vec::new(), looked_at: 0 };
        let mut seen = FxHashSet::from_iter([place]);
        let (mut from, mut bound) = (0, u16::MAX);
        while search.horizon.length < MOST_STEPS.min(bound) {
            let level = from..search.reached.len();
            from = level.end;
            match search.step(paths, level, known, &mut seen) {
                None => break,
                Some(of_known) => bound = bound.min(of_known),
            }
            if from == search.reached.len() {
                search.horizon.length = bound;
                break;
            }
            search.horizon.length += 1;
            let steps = usize::from(search.horizon.length);
            if seen.len() > steps * steps + SOME_PLACES || search.looked_at > SOME_STEPS {
                break;
            }
        }
        search
    }

    /// Goes one step further from the places of one distance; `None` if that is not possible, else the length that is known of places
    /// where the search need not go on.
    fn step(
        &mut self,
        paths: &mut P,
        level: std::ops::Range<usize>,
        known: &FxHashMap<P::Place, Horizon>,
        seen: &mut FxHashSet<P::Place>,
    ) -> Option<u16> {
        let (mut after, mut found, mut bound) = (Vec::new(), Vec::new(), u16::MAX);
        let distance = self.horizon.length + 1;
        for from in level.clone() {
            let missing = paths.step(self.reached[from].place, &self.horizon.characters, &mut after);
            if !missing.is_empty() {
                self.missing.push((from, missing));
            }
            self.looked_at += after.len();
            for (by, place) in after.drain(..) {
                if seen.insert(place) {
                    found.push(Reached { place, distance, from: (from, by) });
                }
            }
        }
        if !self.missing.is_empty() {
            return None;
        }
        // Where most characters lead is mostly where least is known, and less allowed than elsewhere.
        found.sort_by_key(|reached| std::cmp::Reverse(reached.from.1.len()));
        let mut next: Vec<Reached<P::Place>> = Vec::new();
        for reached in found {
            if let Some(known) = known.get(&reached.place).filter(|known| self.is_served_by(known)) {
                bound = bound.min(known.length.saturating_add(distance));
                if self.served.len() < MOST_COMPARED {
                    self.served.push(reached.place);
                }
                continue;
            }
            if next.len() < MOST_COMPARED {
                // One that was nearer will do, too: what searches for a word comes back to its beginning.
                let nearer = self.reached[level.clone()].iter().take(MOST_COMPARED);
                let others = next.iter().chain(nearer).map(|other| other.place);
                if others
                    .chain(self.served.iter().copied())
                    .any(|other| paths.is_within(other, reached.place))
                {
                    continue;
                }
                next.retain(|other| !paths.is_within(reached.place, other.place));
            }
            next.push(reached);
        }
        self.reached.append(&mut next);
        Some(bound)
    }

    /// Whether what is known of a place tells how far the characters lead from there.
    fn is_served_by(&self, known: &Horizon) -> bool {
        known.length >= ENOUGH && self.horizon.characters.is_within(&known.characters)
    }

    /// The characters of the steps to a place, from the last one back.
    fn way_to(&self, place: usize) -> impl Iterator<Item = ByteSet> + '_ {
        let mut at = place;
        std::iter::from_fn(move || {
            let (from, by) = self.reached[at].from;
            (std::mem::replace(&mut at, from) > 0).then_some(by)
        })
    }

    /// Whether any character may be needed to get to where the search ended; if that was for the number of places, it may be.
    fn may_need_any(&self) -> bool {
        self.missing
            .iter()
            .all(|&(place, missing)| missing.len() == 1 || self.way_to(place).any(|by| by.len() == 1))
    }

    /// The horizon to look for with fewer characters: without those that were missing, or one that leads to where they were,
    /// whichever are fewer.
    fn without_missing(&self) -> Option<Horizon> {
        let all = self.horizon.characters;
        let ascii = |set: &ByteSet| set.intersection(&ByteSet::range(0, 0x7F)).len();
        let mut given_up = ByteSet::EMPTY;
        for &(place, missing) in &self.missing {
            let fewest = std::iter::once(missing).chain(self.way_to(place)).min_by_key(ascii);
            given_up = given_up.union(&fewest.unwrap_or(missing));
        }
        let are_few = !given_up.is_empty() && ascii(&given_up) * 4 <= ascii(&all);
        are_few.then_some(Horizon {
            characters: all.difference(&given_up),
            length: 0,
            ..self.horizon.clone()
        })
    }

    /// Keeps the horizon, and what it says of the places that it was found by.
    fn keep(&mut self, paths: &mut P, known: &mut FxHashMap<P::Place, Horizon>) -> Horizon {
        if self.horizon.is_wide() {
            self.horizon.alphabet = paths.alphabet(self.reached[0].place);
        }
        for &Reached { place, distance, .. } in &self.reached {
            let length = match self.horizon.length {
                u16::MAX => u16::MAX,
                length => length.saturating_sub(distance),
            };
            if distance > 0 && length < ENOUGH {
                break;
            }
            note(known, place, || Horizon { length, loops: paths.loops(place), ..self.horizon.clone() });
        }
        self.horizon.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LETTERS: [u8; 4] = *b"abcd";

    /// Places by number; where each of the letters `a` to `d` leads.
    struct Graph(Vec<[Option<usize>; 4]>);

    impl Graph {
        /// The length up to which all texts of some letters go on from a place, if it is less than a bound.
        fn length(&self, place: usize, letters: &ByteSet, most: usize) -> Option<usize> {
            let mut level = vec![place];
            for length in 0..most {
                let mut next = Vec::new();
                for at in level {
                    for (letter, to) in self.0[at].iter().enumerate() {
                        if letters.contains(LETTERS[letter]) {
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
            let letters = self.0[place].iter().zip(LETTERS).filter(|(to, _)| to.is_some());
            Horizon { characters: letters.map(|(_, letter)| letter).collect(), ..Horizon::default() }
        }

        fn step(&mut self, place: usize, characters: &ByteSet, out: &mut Vec<(ByteSet, usize)>) -> ByteSet {
            let mut missing = ByteSet::EMPTY;
            for (to, letter) in self.0[place].iter().zip(LETTERS).filter(|&(_, c)| characters.contains(c)) {
                match to {
                    Some(to) => match out.last_mut() {
                        Some((by, last)) if last == to => by.insert(letter),
                        _ => out.push((ByteSet::single(letter), *to)),
                    },
                    None => missing.insert(letter),
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
            is_thorough: bool,
        ) {
            let size = edges.len();
            edges.iter_mut().flatten().for_each(|to| *to = to.filter(|&to| to < size));
            let mut graph = Graph(edges);
            let mut known = FxHashMap::default();
            for place in 0..size {
                find(&mut graph, place, is_thorough, &mut known);
            }
            for (&place, horizon) in &known {
                let most = usize::from(horizon.length.min(40));
                let going_on = graph.length(place, &horizon.characters, most);
                prop_assert_eq!(going_on, None, "{} {:?}", place, horizon);
                for some in 0..16 {
                    let letters = LETTERS.into_iter().enumerate().filter(|(at, _)| some >> at & 1 == 1);
                    let letters: ByteSet = letters.map(|(_, letter)| letter).collect();
                    let goes_on = graph.length(place, &letters, 40).is_none();
                    prop_assert!(goes_on || !horizon.covers(&letters, 40), "{} {:?}", place, horizon);
                }
            }
        }
    }

    #[test]
    fn a_count_is_followed_to_its_end_and_a_letter_given_up_that_leads_nowhere() {
        // 50 places in a row, each with `a` and `b` to the next one; `c` stays.
        let row = |at: usize| [Some(at + 1), Some(at + 1), Some(at), None];
        let mut graph = Graph((0..50).map(row).chain([[None; 4]]).collect());
        let mut known = FxHashMap::default();
        assert_eq!(find(&mut graph, 0, false, &mut known).length, MOST_STEPS);
        assert_eq!(known[&10].length, MOST_STEPS - 10, "places on the way are served, too");
        assert_eq!(find(&mut graph, 45, false, &mut known).length, 5);
        // After `d` there is no other `d`.
        let mut graph = Graph(vec![[Some(0), Some(0), Some(0), Some(1)], [Some(0), Some(0), Some(0), None]]);
        let horizon = find(&mut graph, 0, false, &mut FxHashMap::default());
        assert_eq!(horizon.characters, ByteSet::range(b'a', b'c'));
        assert_eq!(horizon.length, u16::MAX);
    }

    #[test]
    fn a_word_that_leads_nowhere_takes_all_its_letters() {
        // `abcd` leads nowhere, and nor does `abca`; all else does.
        let (all, a) = ([Some(1), Some(0), Some(0), Some(0)], Some(1));
        let graph = [
            all,
            [a, Some(2), Some(0), Some(0)],
            [a, Some(0), Some(3), Some(0)],
            [None, Some(0), Some(0), None],
        ];
        let mut graph = Graph(graph.to_vec());
        let mut known = FxHashMap::default();
        let horizon = find(&mut graph, 0, true, &mut known);
        assert_eq!((horizon.needed.sets(), horizon.length), (&[ByteSet::range(b'a', b'c')][..], 3));
        assert_eq!(horizon.characters, ByteSet::range(b'a', b'd'));
        assert_eq!((known[&2].needed.sets(), known[&2].length), (&[ByteSet::single(b'c')][..], 1));
        assert!(
            horizon.covers(&ByteSet::range(b'b', b'd'), 99)
                && !horizon.covers(&ByteSet::range(b'a', b'c'), 4)
        );
    }
}
