//! Which characters a text cannot do without that does not go on.
//!
//! Where a place forbids some words, most texts go on for want of a letter of each, however long they are. A *lost* text is one that
//! leads nowhere from a place. Each lost text of a place has the characters of a step, with those that one needs from where the step
//! leads: the greatest solution is found by going round until nothing changes. Where the words are many, those that have most in
//! common are taken for one.

use super::horizon::{ENOUGH, Horizon, Paths, SOME_STEPS, note};
use crate::grammar::ByteSet;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// So many places are looked at; from the others any text may be lost.
const MOST_PLACES: usize = 64;
/// So many times all steps are gone round; what still changes then is not known. Most take a few.
const MOST_ROUNDS: usize = 64;
/// So many sets of characters are told apart.
const MOST_SETS: usize = if cfg!(test) { 2 } else { 8 };

/// Sets of characters of which a text must have one, all of it. None of them is within another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AnyOf(SmallVec<[ByteSet; 1]>);

impl AnyOf {
    /// Every text has it.
    fn nothing() -> Self {
        Self(SmallVec::from_buf([ByteSet::EMPTY]))
    }

    /// Whether there are no sets, so that no text has one.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn sets(&self) -> &[ByteSet] {
        &self.0
    }

    /// Whether a text of some characters may have one of the sets.
    pub(crate) fn is_within(&self, characters: &ByteSet) -> bool {
        self.0.iter().any(|set| set.is_within(characters))
    }

    fn add(&mut self, set: ByteSet) {
        if self.is_within(&set) {
            return;
        }
        self.0.retain(|other| !set.is_within(other));
        self.0.push(set);
        if self.0.len() > MOST_SETS {
            self.join_two();
        }
    }

    /// Takes the two sets that have most in common for what they have in common.
    fn join_two(&mut self) {
        let pairs = (1..self.0.len()).flat_map(|second| (0..second).map(move |first| (first, second)));
        let common = |&(first, second): &(usize, usize)| self.0[first].intersection(&self.0[second]);
        if let Some(pair) = pairs.max_by_key(|pair| common(pair).len()) {
            let common = common(&pair);
            self.0.swap_remove(pair.1);
            self.0.swap_remove(pair.0);
            self.add(common);
        }
    }
}

/// The places around one, with what is needed to be lost from there. Characters are told apart by their first bytes.
pub(super) struct Needed<P: Paths> {
    places: Vec<P::Place>,
    lost: Vec<Lost>,
}

/// The texts that are lost from a place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lost {
    /// Each of them has one of these.
    needed: AnyOf,
    /// None is shorter, bytes.
    shortest: u16,
}

impl Lost {
    /// No text is lost.
    fn none() -> Self {
        Self { needed: AnyOf::default(), shortest: u16::MAX }
    }

    /// Any text may be lost that has so many bytes.
    fn all_of(shortest: u16) -> Self {
        Self { needed: AnyOf::nothing(), shortest }
    }

    fn of_known(known: &Horizon) -> Self {
        match known.length {
            u16::MAX => Self::none(),
            length if known.needed.is_empty() => Self::all_of(length + 1),
            length => Self { needed: known.needed.clone(), shortest: length + 1 },
        }
    }

    /// Adds those that are lost after any of some characters, of those that are lost from where these lead.
    fn add_after(&mut self, by: &ByteSet, from: &Self) {
        let needed = if by.len() == 1 { *by } else { ByteSet::EMPTY };
        from.needed.sets().iter().for_each(|set| self.needed.add(set.union(&needed)));
        self.shortest = self.shortest.min(from.shortest.saturating_add(1));
    }
}

impl<P: Paths> Needed<P> {
    /// Looks around a place for texts of some characters.
    pub(super) fn new(
        paths: &mut P,
        place: P::Place,
        characters: &ByteSet,
        known: &FxHashMap<P::Place, Horizon>,
    ) -> Self {
        let mut places = vec![place];
        let mut numbers = FxHashMap::from_iter([(place, 0)]);
        // What is lost at once, and the steps: from, by, to.
        let (mut at_once, mut steps, mut out) = (Vec::new(), Vec::new(), Vec::new());
        while at_once.len() < places.len().min(MOST_PLACES) && steps.len() < SOME_STEPS {
            let from = at_once.len();
            let missing = paths.step(places[from], characters, &mut out);
            let mut lost = Lost::none();
            if !missing.is_empty() {
                lost.add_after(&missing, &Lost::all_of(0));
            }
            for (by, to) in out.drain(..) {
                if let Some(known) = known.get(&to).filter(|known| characters.is_within(&known.characters)) {
                    lost.add_after(&by, &Lost::of_known(known));
                    continue;
                }
                let number = *numbers.entry(to).or_insert_with(|| {
                    places.push(to);
                    places.len() - 1
                });
                steps.push((from, by, number));
            }
            at_once.push(lost);
        }
        at_once.resize(places.len(), Lost::all_of(1));
        let mut lost = at_once;
        for _ in 0..MOST_ROUNDS {
            let before = lost.clone();
            for &(from, ref by, to) in steps.iter().rev() {
                // What leads back to its own place adds nothing.
                let mut at = std::mem::replace(&mut lost[from], Lost::none());
                at.add_after(by, &lost[to]);
                lost[from] = at;
            }
            if lost == before {
                return Self { places, lost };
            }
        }
        lost.fill(Lost::all_of(1));
        Self { places, lost }
    }

    /// Whether a text must have certain characters to be lost from the first place.
    pub(super) fn is_any(&self) -> bool {
        !self.lost[0].needed.is_within(&ByteSet::EMPTY)
    }

    /// Keeps what is known now of all the places.
    pub(super) fn keep(&self, paths: &mut P, begin: &Horizon, known: &mut FxHashMap<P::Place, Horizon>) {
        for (&place, lost) in self.places.iter().zip(&self.lost) {
            let (needed, length) = match lost.shortest {
                u16::MAX => (AnyOf::default(), u16::MAX),
                shortest if lost.needed.is_within(&ByteSet::EMPTY) => (AnyOf::default(), shortest - 1),
                shortest => (lost.needed.clone(), shortest - 1),
            };
            if length < ENOUGH && needed.is_empty() {
                continue;
            }
            note(known, place, || Horizon { needed, length, loops: paths.loops(place), ..begin.clone() });
        }
    }
}
