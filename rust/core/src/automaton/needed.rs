//! Which characters a text cannot do without that does not go on.
//!
//! Where a place forbids a word, most texts go on for want of one of its letters, however long they are. A *lost* text is one that
//! leads nowhere from a place. The characters in all lost texts of a place are those that all its steps have in common, each with
//! what is needed from where it leads: the greatest solution is found by going round until nothing changes.

use super::horizon::{ENOUGH, Horizon, Paths, SOME_STEPS, note};
use crate::grammar::ByteSet;
use rustc_hash::FxHashMap;

/// So many places are looked at; from the others any text may be lost.
const MOST_PLACES: usize = 64;

/// The places around one, with what is needed to be lost from there. Characters are told apart by their first bytes.
pub(super) struct Needed<P: Paths> {
    places: Vec<P::Place>,
    lost: Vec<Lost>,
}

/// The texts that are lost from a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lost {
    /// The characters that are in all of them; all characters if there is no such text.
    needed: ByteSet,
    /// None is shorter, bytes.
    shortest: u16,
}

impl Lost {
    /// No text is lost.
    const NONE: Self = Self { needed: ByteSet::FULL, shortest: u16::MAX };
    /// Any text is lost.
    const ALL: Self = Self { needed: ByteSet::EMPTY, shortest: 0 };
    /// Any text that has a character may be lost.
    const UNKNOWN: Self = Self { needed: ByteSet::EMPTY, shortest: 1 };

    fn of_known(known: &Horizon) -> Self {
        match known.length {
            u16::MAX => Self::NONE,
            length => Self { needed: known.needed, shortest: length + 1 },
        }
    }

    /// Those that are lost from one place or from the other.
    fn or(self, other: Self) -> Self {
        Self { needed: self.needed.intersection(&other.needed), shortest: self.shortest.min(other.shortest) }
    }

    /// The same after any of some characters.
    fn after(self, by: &ByteSet) -> Self {
        match by.len() {
            0 => Self::NONE,
            1 => Self { needed: self.needed.union(by), shortest: self.shortest.saturating_add(1) },
            _ => Self { shortest: self.shortest.saturating_add(1), ..self },
        }
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
            at_once.push(Lost::ALL.after(&paths.step(places[from], characters, &mut out)));
            for (by, to) in out.drain(..) {
                if let Some(known) = known.get(&to).filter(|known| characters.is_within(&known.characters)) {
                    at_once[from] = at_once[from].or(Lost::of_known(known).after(&by));
                    continue;
                }
                let number = *numbers.entry(to).or_insert_with(|| {
                    places.push(to);
                    places.len() - 1
                });
                steps.push((from, by, number));
            }
        }
        at_once.resize(places.len(), Lost::UNKNOWN);
        let mut lost = at_once;
        loop {
            let before = lost.clone();
            for &(from, ref by, to) in steps.iter().rev() {
                lost[from] = lost[from].or(lost[to].after(by));
            }
            if lost == before {
                return Self { places, lost };
            }
        }
    }

    /// What is needed from the first place; nothing if that is no help.
    pub(super) fn of_first(&self) -> ByteSet {
        self.lost[0].needed
    }

    /// Keeps what is known now of all the places.
    pub(super) fn keep(&self, paths: &mut P, begin: &Horizon, known: &mut FxHashMap<P::Place, Horizon>) {
        for (&place, lost) in self.places.iter().zip(&self.lost) {
            let (needed, length) = match lost.shortest {
                u16::MAX => (ByteSet::EMPTY, u16::MAX),
                shortest => (lost.needed, shortest.saturating_sub(1)),
            };
            if length < ENOUGH && needed.is_empty() {
                continue;
            }
            note(known, place, || Horizon { needed, length, loops: paths.loops(place), ..*begin });
        }
    }
}
