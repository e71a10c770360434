//! Languages with the bounds on the rounds of their repeats left aside.
//!
//! In `(\S+\s+){0,99}\S+` there is a language for each number of rounds that are left, but as long as these are many, a short text begins and
//! ends them alike: a text of `c` symbols does no more than `c / s` rounds whole, of `s` symbols or more each, and begins one more. So
//! up to `s · (max - 1)` symbols nothing tells the language from the one with any number of rounds: all that is begun can be completed,
//! because nothing is taken away from the languages that [`Regular::distance`] tells.

use super::{Regular, Term, TermId};

/// A language with bounds on its rounds between two others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rounds {
    /// Any number of rounds: the language's texts, and others.
    pub(crate) base: TermId,
    /// As few as are many: some of the language's texts.
    pub(crate) floor: TermId,
    /// Up to so many symbols the language and its base are alike: the beginnings of texts are the same, and so are the distances from there
    /// to the nearest end. The floor is so up to as many as were asked for.
    pub(crate) alike: u32,
}

impl Regular {
    /// A language without the bounds on rounds that matter only after more than `least` symbols. `None` if there are no such bounds, or if that
    /// is not known.
    pub(crate) fn without_rounds(&mut self, id: TermId, least: u32) -> Option<Rounds> {
        if !self.has_rounds[id.0 as usize] {
            return None;
        }
        // Bounds do not make ends nearer or further.
        let furthest = self.distance(id)?.furthest;
        let rounds = self.rounds(id, least.saturating_add(furthest));
        let alike = rounds.alike.saturating_sub(furthest);
        (rounds.base != id).then_some(Rounds { alike, ..rounds })
    }

    /// Whether a term that is about to be made has a bound on rounds, other than that of something optional.
    pub(super) fn find_rounds(&self, term: &Term) -> bool {
        let has_rounds = |id: &TermId| self.has_rounds[id.0 as usize];
        match term {
            Term::Concat(a, b) => has_rounds(a) || has_rounds(b),
            Term::Or(parts) => parts.iter().any(has_rounds),
            Term::Repeat(body, _, max) => max.is_some_and(|max| max > 1) || has_rounds(body),
            // Of these no bound is left aside.
            Term::Empty
            | Term::Class(_)
            | Term::And(_)
            | Term::Not(_)
            | Term::Anchored(_)
            | Term::Before(..) => false,
        }
    }

    fn rounds(&mut self, id: TermId, least: u32) -> Rounds {
        if let Some(&known) = self.rounds.get(&(id, least)) {
            return known;
        }
        // As for distances, the spine of a concatenation is not recursed into.
        let (mut parts, mut at) = (Vec::new(), id);
        while let &Term::Concat(first, rest) = self.term(at) {
            parts.push((at, first));
            at = rest;
        }
        let mut found = self.rounds_of_part(at, least);
        let mut before = at;
        while let Some((whole, first)) = parts.pop() {
            let (rest, of_first) = (found, self.rounds(first, least));
            found = Rounds { base: whole, floor: whole, alike: rest.alike.min(of_first.alike) };
            if (of_first.base, rest.base) != (first, before) {
                found.base = self.concat(of_first.base, rest.base);
                found.floor = self.concat(of_first.floor, rest.floor);
            }
            before = whole;
        }
        self.rounds.insert((id, least), found);
        found
    }

    fn rounds_of_part(&mut self, id: TermId, least: u32) -> Rounds {
        let same = Rounds { base: id, floor: id, alike: u32::MAX };
        match self.term(id).clone() {
            Term::Or(parts) => {
                let of_parts: Vec<Rounds> = parts.iter().map(|&part| self.rounds(part, least)).collect();
                if of_parts.iter().map(|part| &part.base).eq(&*parts) {
                    return same;
                }
                let base = self.or(of_parts.iter().map(|part| part.base));
                let floor = self.or(of_parts.iter().map(|part| part.floor));
                let alike = of_parts.iter().map(|part| part.alike).min().unwrap_or(u32::MAX);
                Rounds { base, floor, alike }
            }
            Term::Repeat(body, min, max) => {
                let shortest = self.distance(body).map_or(0, |distance| distance.shortest);
                let of_body = self.rounds(body, least);
                let alike = |max: u32| shortest.saturating_mul(max.saturating_sub(1));
                if let Some(max) = max.filter(|&max| alike(max) >= least) {
                    let few = least.div_ceil(shortest.max(1)).saturating_add(1).max(min).min(max);
                    return Rounds {
                        base: self.repeat(of_body.base, min, None),
                        floor: self.repeat(of_body.floor, min, Some(few)),
                        alike: alike(max).min(of_body.alike),
                    };
                }
                Rounds {
                    base: self.repeat(of_body.base, min, max),
                    floor: self.repeat(of_body.floor, min, max),
                    alike: of_body.alike,
                }
            }
            _ => same,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::length::tests::{language, make};
    use super::*;
    use crate::automaton::Budget;
    use crate::regular::CodeSet;
    use proptest::prelude::*;

    /// Compares two languages by all texts of `a` and `b` up to a length.
    fn are_alike(regular: &mut Regular, one: TermId, other: TermId, length: u32) -> bool {
        let nothing = regular.nothing();
        let mut level = vec![(one, other)];
        for _ in 0..=length {
            let mut differ = |&(one, other): &(TermId, TermId)| {
                let mut shortest = |id| regular.distance(id).map(|distance| distance.shortest);
                (one == nothing) != (other == nothing) || one != nothing && shortest(one) != shortest(other)
            };
            if level.iter().any(&mut differ) {
                return false;
            }
            let after = |&(one, other): &(TermId, TermId)| {
                [97, 98].map(|symbol| (regular.derivative(one, symbol), regular.derivative(other, symbol)))
            };
            level = level.iter().flat_map(after).collect();
            level.sort_unstable();
            level.dedup();
        }
        true
    }

    proptest! {
        #[test]
        fn nothing_tells_them_apart_up_to_there(made in language(), least in 1u32..6) {
            let mut regular = Regular::new();
            let language = make(&mut regular, &made);
            if let Some(Rounds { base, floor, alike }) = regular.without_rounds(language, least) {
                prop_assert!(alike >= least);
                prop_assert!(are_alike(&mut regular, language, base, alike.min(8)));
                prop_assert!(are_alike(&mut regular, floor, base, least));
                prop_assert!(is_within(&mut regular, floor, language) && is_within(&mut regular, language, base));
            }
        }
    }

    fn is_within(regular: &mut Regular, one: TermId, other: TermId) -> bool {
        let not = regular.not(other);
        let beyond = regular.and([one, not]);
        !regular.is_inhabited(beyond, &mut Budget::unlimited()).expect("no limit")
    }

    #[test]
    fn words_are_alike_up_to_where_too_many_could_be_written() {
        let mut regular = Regular::new();
        let (a, b) = (regular.class(CodeSet::single(97)), regular.class(CodeSet::single(98)));
        let (word, end) = (regular.repeat(a, 1, None), regular.repeat(b, 1, None));
        let round = regular.concat(word, end);
        let mut words = |most| {
            let rounds = regular.repeat(round, 0, most);
            regular.concat(rounds, word)
        };
        let (few, many, any, floor) = (words(Some(3)), words(Some(30)), words(None), words(Some(23)));
        assert_eq!(regular.without_rounds(many, 40), Some(Rounds { base: any, floor, alike: 55 }));
        assert_eq!(regular.without_rounds(few, 40), None);
        assert_eq!(regular.without_rounds(any, 40), None);
        assert_eq!(regular.without_rounds(few, 1), Some(Rounds { base: any, floor: few, alike: 1 }));
        assert!(are_alike(&mut regular, few, any, 7) && !are_alike(&mut regular, few, any, 8));
        let both = regular.and([many, round]);
        assert_eq!(regular.without_rounds(both, 1), None, "what is begun may be impossible to complete");
    }
}
