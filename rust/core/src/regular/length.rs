//! How long the texts of a language are, told by the way it is put together.
//!
//! Only languages that nothing is taken away from are told: classes, sequences, alternatives and repeats, which most patterns are.
//! Every derivative of such a language is one, too.

use super::{CodeSet, Regular, Term, TermId};
use smallvec::SmallVec;

/// How many symbols it takes to end a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Distance {
    /// The length of the shortest text.
    pub(crate) shortest: u32,
    /// No beginning of any text is further from its nearest end.
    pub(crate) furthest: u32,
}

impl Regular {
    /// How far a language's texts are from their ends; `None` where that has to be searched.
    pub(crate) fn distance(&mut self, id: TermId) -> Option<Distance> {
        if let Some(&known) = self.distances.get(&id) {
            return known;
        }
        // Concatenations are as long as patterns are: their spine is not recursed into.
        let (mut parts, mut at) = (Vec::new(), id);
        while let &Term::Concat(first, rest) = self.term(at) {
            parts.push(first);
            at = rest;
        }
        let mut found = self.distance_of_part(at);
        while let (Some(rest), Some(first)) = (found, parts.pop()) {
            // A rest of the first, and then all of the others; or a rest of the others.
            found = self.distance(first).map(|first| Distance {
                shortest: first.shortest.saturating_add(rest.shortest),
                furthest: first.furthest.saturating_add(rest.shortest).max(rest.furthest),
            });
        }
        self.distances.insert(id, found);
        found
    }

    fn distance_of_part(&mut self, id: TermId) -> Option<Distance> {
        match self.term(id).clone() {
            Term::Empty => Some(Distance { shortest: 0, furthest: 0 }),
            Term::Class(set) => set.first().map(|_| Distance { shortest: 1, furthest: 1 }),
            Term::Concat(..) => self.distance(id),
            Term::Or(parts) => {
                let parts: Option<Vec<Distance>> = parts.iter().map(|&part| self.distance(part)).collect();
                // What is left of alternatives is what is left of some of them.
                parts?.into_iter().reduce(|one, other| Distance {
                    shortest: one.shortest.min(other.shortest),
                    furthest: one.furthest.max(other.furthest),
                })
            }
            Term::Repeat(body, min, _) => {
                let body = self.distance(body)?;
                let more = min.saturating_sub(1).saturating_mul(body.shortest);
                Some(Distance {
                    shortest: min.saturating_mul(body.shortest),
                    furthest: body.furthest.saturating_add(more),
                })
            }
            Term::And(_) | Term::Not(_) | Term::Anchored(_) | Term::Before(..) => None,
        }
    }

    /// Whether there is no end of a language's texts, where that is told by the way it is put together.
    pub(crate) fn is_endless(&mut self, id: TermId) -> bool {
        // No part of such a language is empty.
        if self.distance(id).is_none() {
            return false;
        }
        let mut todo: SmallVec<[TermId; 16]> = SmallVec::from_slice(&[id]);
        while let Some(at) = todo.pop() {
            match self.term(at) {
                // What is repeated is not the empty text alone; that is the empty text again.
                Term::Repeat(_, _, None) => return true,
                &Term::Repeat(body, ..) => todo.push(body),
                &Term::Concat(first, rest) => todo.extend([first, rest]),
                Term::Or(parts) => todo.extend(parts.iter().copied()),
                Term::Empty | Term::Class(_) => {}
                // Not among them; see above.
                Term::And(_) | Term::Not(_) | Term::Anchored(_) | Term::Before(..) => return false,
            }
        }
        false
    }

    /// A language as another one with a bound on its texts' lengths, if it is written like that: all its texts are the other's that are
    /// not longer. Of the other the distance is known.
    pub(crate) fn without_bound(&mut self, id: TermId) -> Option<(TermId, u32)> {
        let Term::And(parts) = self.term(id) else { return None };
        let mut parts: SmallVec<[TermId; 4]> = SmallVec::from_slice(parts);
        let (mut least, mut most, mut at) = (0, None::<u32>, 0);
        while let Some(&part) = parts.get(at) {
            let others = parts.iter().copied().filter(|&other| other != part);
            match self.as_count(part).map(|(set, min, max)| (set.clone(), min, max)) {
                Some((set, min, max)) if self.is_made_of(others, &set) => {
                    least = least.max(min);
                    most = most.into_iter().chain(max).min();
                    parts.remove(at);
                }
                _ => at += 1,
            }
        }
        let (most, rest) = (most?, self.and(parts));
        (self.distance(rest)?.shortest >= least).then_some((rest, most))
    }

    /// The class and the bounds if a language is all texts of a class of certain lengths.
    pub(super) fn as_count(&self, id: TermId) -> Option<(&CodeSet, u32, Option<u32>)> {
        let &Term::Repeat(body, min, max) = self.term(id) else { return None };
        let Term::Class(set) = self.term(body) else { return None };
        Some((set, min, max))
    }

    /// Whether texts that are in all of some languages are known to be made of a class.
    fn is_made_of(&mut self, mut languages: impl Iterator<Item = TermId>, class: &CodeSet) -> bool {
        *class == CodeSet::all() || languages.any(|id| self.alphabet(id).difference(class).is_empty())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::regular::CodeSet;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// A language of `a` and `b` that is put together at random.
    pub(in crate::regular) fn language() -> impl Strategy<Value = Made> {
        let leaf = prop_oneof![Just(Made::A), Just(Made::Either), Just(Made::Nothing)];
        leaf.prop_recursive(4, 24, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Made::Concat),
                prop::collection::vec(inner.clone(), 1..4).prop_map(Made::Or),
                (inner, 0u32..3, prop::option::of(0u32..3)).prop_map(|(body, min, more)| Made::Repeat(
                    body.into(),
                    min,
                    more
                )),
            ]
        })
    }

    #[derive(Clone, Debug)]
    pub(in crate::regular) enum Made {
        A,
        Either,
        Nothing,
        Concat(Vec<Made>),
        Or(Vec<Made>),
        Repeat(Box<Made>, u32, Option<u32>),
    }

    pub(in crate::regular) fn make(regular: &mut Regular, made: &Made) -> TermId {
        match made {
            Made::A => regular.class(CodeSet::single(97)),
            Made::Either => regular.class(CodeSet::new([(97, 98)])),
            Made::Nothing => regular.nothing(),
            Made::Concat(parts) => {
                let parts: Vec<TermId> = parts.iter().map(|part| make(regular, part)).collect();
                let empty = regular.empty();
                parts.into_iter().rev().fold(empty, |rest, part| regular.concat(part, rest))
            }
            Made::Or(parts) => {
                let parts: Vec<TermId> = parts.iter().map(|part| make(regular, part)).collect();
                regular.or(parts)
            }
            Made::Repeat(body, min, more) => {
                let body = make(regular, body);
                regular.repeat(body, *min, more.map(|more| min + more))
            }
        }
    }

    /// The length of the shortest text, by breadth.
    fn shortest(regular: &mut Regular, language: TermId) -> Option<u32> {
        let (mut level, mut seen) = (vec![language], BTreeSet::new());
        for length in 0.. {
            if level.iter().any(|&id| regular.is_nullable(id)) {
                return Some(length);
            }
            level = level.iter().flat_map(|&id| [97, 98].map(|symbol| (id, symbol))).fold(
                Vec::new(),
                |mut next, (id, symbol)| {
                    let after = regular.derivative(id, symbol);
                    next.extend(seen.insert(after).then_some(after));
                    next
                },
            );
            if level.is_empty() {
                return None;
            }
        }
        None
    }

    proptest! {
        #[test]
        fn distances_are_those_that_a_search_finds(
            made in language(), text in prop::collection::vec(97u32..99, 0..8)
        ) {
            let mut regular = Regular::new();
            let language = make(&mut regular, &made);
            let distance = regular.distance(language);
            let mut at = language;
            for symbol in text {
                let found = shortest(&mut regular, at);
                if at != regular.nothing() {
                    let here = regular.distance(at).expect("nothing is taken away");
                    prop_assert_eq!(Some(here.shortest), found);
                    prop_assert!(here.furthest <= distance.expect("as before").furthest);
                    prop_assert!(here.shortest <= here.furthest);
                }
                at = regular.derivative(at, symbol);
            }
        }
    }

    /// Whether texts go on for longer than there are different states, each of which all texts to it come to an end from.
    fn has_long_texts(regular: &mut Regular, language: TermId) -> bool {
        let nothing = regular.nothing();
        let (mut level, mut states) = (BTreeSet::from([language]), BTreeSet::new());
        for length in 0.. {
            level.remove(&nothing);
            states.extend(level.iter().copied());
            if level.is_empty() || length > states.len() {
                break;
            }
            let after = |&id| [97, 98].map(|symbol| regular.derivative(id, symbol));
            level = level.iter().flat_map(after).collect();
        }
        !level.is_empty()
    }

    proptest! {
        #[test]
        fn endless_languages_are_those_with_long_texts(made in language()) {
            let mut regular = Regular::new();
            let language = make(&mut regular, &made);
            let is_endless = has_long_texts(&mut regular, language);
            prop_assert_eq!(regular.is_endless(language), is_endless);
        }
    }

    #[test]
    fn a_bound_comes_off_where_the_rest_is_told() {
        let mut regular = Regular::new();
        let (a, any) = (regular.class(CodeSet::single(97)), regular.class(CodeSet::all()));
        let some = regular.repeat(a, 1, None);
        let short = regular.repeat(any, 1, Some(9));
        let both = regular.and([some, short]);
        assert_eq!(regular.without_bound(both), Some((some, 9)));
        let after = regular.derivative(both, 97);
        let more = regular.repeat(a, 0, None);
        assert_eq!(regular.without_bound(after), Some((more, 8)));
        let long = regular.repeat(any, 2, Some(9));
        let both = regular.and([some, long]);
        assert_eq!(regular.without_bound(both), None, "one of its texts is too short");
        let letters = regular.class(CodeSet::new([(97, 99)]));
        let short_words = regular.repeat(letters, 0, Some(9));
        let both = regular.and([some, short_words]);
        assert_eq!(regular.without_bound(both), Some((some, 9)), "its texts are made of these letters");
        let words = regular.repeat(letters, 0, Some(20));
        let both = regular.and([words, short_words]);
        let (rest, most) = regular.without_bound(both).expect("of equals one is left");
        assert!([(words, 9), (short_words, 20)].contains(&(rest, most)));
        let others = regular.class(CodeSet::new([(98, 99)]));
        let others = regular.repeat(others, 0, Some(9));
        let mixed = regular.repeat(letters, 1, None);
        let mixed = regular.and([mixed, others]);
        assert_eq!(regular.without_bound(mixed), None, "that is more than a length");
        let not = regular.not(a);
        let both = regular.and([not, short]);
        assert_eq!(regular.without_bound(both), None);
        assert_eq!(regular.without_bound(some), None);
    }
}
