//! How a number that is begun can end, a spelling for each value.
//!
//! Digits before the point make every number another; digits past it do, but for zeros at the end. An exponent gives numbers
//! without end, unless all digits are zero: then the number is zero whatever follows.

use super::byte_dfa::ByteDfa;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;

/// Where in a number a state is: each state is at one place only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) part: Part,
    /// A digit other than zero has been read.
    pub(super) nonzero: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Fraction,
    Exponent,
}

impl Place {
    const START: Self = Self { part: Part::Whole, nonzero: false };

    fn after(self, byte: u8) -> Self {
        let nonzero = self.nonzero || self.part != Part::Exponent && (b'1'..=b'9').contains(&byte);
        let part = match byte {
            b'.' => Part::Fraction,
            b'e' | b'E' => Part::Exponent,
            _ => self.part,
        };
        Self { part, nonzero }
    }
}

/// The place of each state of an automaton of numbers.
pub(super) fn places(automaton: &ByteDfa) -> Vec<Place> {
    let mut out = vec![None; automaton.states.len()];
    let mut todo = vec![(0, Place::START)];
    while let Some((at, place)) = todo.pop() {
        if out[at as usize].replace(place).is_none() {
            let edges = automaton.states[at as usize].1.iter();
            todo.extend(edges.flat_map(|&(lo, hi, to)| (lo..=hi).map(move |b| (to, place.after(b)))));
        }
    }
    out.into_iter().map(|place| place.unwrap_or(Place::START)).collect()
}

/// A state: whether it is final, and its edges.
type Look<'a> = &'a mut dyn FnMut(u32) -> (bool, Vec<(u8, u8, u32)>);

fn steps(edges: Vec<(u8, u8, u32)>) -> impl Iterator<Item = (u8, u32)> {
    edges.into_iter().flat_map(|(lo, hi, to)| (lo..=hi).map(move |byte| (byte, to)))
}

/// What may follow a state up to the number's end, once for each value; `None` if that is more than `most` (and perhaps where
/// it is as many: `-0` is `0`).
pub(super) fn ends(place: Place, state: u32, look: Look<'_>, most: usize) -> Option<Vec<Vec<u8>>> {
    if place.part == Part::Exponent {
        return if place.nonzero { None } else { Some(vec![shortest(state, look)?]) };
    }
    // The shortest spelling of each, by what of it changes the value.
    let mut out: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut level = vec![(Vec::new(), state, place)];
    while !level.is_empty() {
        // Numbers of equal length that are no ends yet each have an end of their own.
        if level.len() > most || out.len() > most {
            return None;
        }
        let mut next = Vec::new();
        for (text, at, place) in level {
            let (is_final, edges) = look(at);
            if is_final {
                out.entry(value(&text, place.part)).or_insert_with(|| text.clone());
            }
            if place.part == Part::Fraction && !can_change(at, look) {
                // Nothing but zeros can follow: one value.
                let text = [&text[..], &shortest(at, look)?].concat();
                out.entry(value(&text, place.part)).or_insert(text);
                continue;
            }
            for (byte, to) in steps(edges) {
                match byte {
                    b'e' | b'E' if place.nonzero => return None,
                    b'e' | b'E' => {}
                    _ => next.push(([&text[..], &[byte]].concat(), to, place.after(byte))),
                }
            }
        }
        level = next;
    }
    Some(out.into_values().collect())
}

/// A spelling without the zeros that change nothing.
fn value(text: &[u8], part: Part) -> Vec<u8> {
    if part != Part::Fraction {
        return text.to_vec();
    }
    let kept = text.iter().rposition(|&b| b != b'0').map_or(0, |last| last + 1);
    text[..kept].strip_suffix(b".").unwrap_or(&text[..kept]).to_vec()
}

/// Whether a digit other than zero can follow before an exponent.
fn can_change(state: u32, look: Look<'_>) -> bool {
    let (mut seen, mut todo) = (FxHashSet::from_iter([state]), vec![state]);
    while let Some(at) = todo.pop() {
        for (byte, to) in steps(look(at).1) {
            match byte {
                b'1'..=b'9' => return true,
                b'0' if seen.insert(to) => todo.push(to),
                _ => {}
            }
        }
    }
    false
}

/// The shortest way to the end.
fn shortest(state: u32, look: Look<'_>) -> Option<Vec<u8>> {
    let mut seen = FxHashSet::from_iter([state]);
    let mut level = vec![(Vec::new(), state)];
    while !level.is_empty() {
        let mut next = Vec::new();
        for (text, at) in level {
            let (is_final, edges) = look(at);
            if is_final {
                return Some(text);
            }
            for (byte, to) in steps(edges).filter(|&(_, to)| seen.insert(to)) {
                next.push(([&text[..], &[byte]].concat(), to));
            }
        }
        level = next;
    }
    None
}
