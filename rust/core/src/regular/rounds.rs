//! Languages with the bounds on the rounds of their repeats left aside.
//!
//! In `(\S+\s+){0,99}\S+` there is a language for each number of rounds that are left, but as long as these are many, a short text begins and
//! ends them alike: a text of `c` symbols does no more than `c / s` rounds whole, of `s` symbols or more each, and begins one more. So
//! up to `s · (max - 1)` symbols nothing tells the language from the one with any number of rounds: all that is begun can be completed,
//! because nothing is taken away from the languages that [`Regular::distance`] tells.

use super::{Regular, Term, TermId};

impl Regular {
    /// A language without the bounds on rounds that matter only after `least` symbols, and after how many they do: up to there the beginnings
    /// of texts are the same for both, and so are the texts. `None` if there are no such bounds, or if that is not known.
    pub(crate) fn without_rounds(&mut self, id: TermId, least: u32) -> Option<(TermId, u32)> {
        self.distance(id)?;
        let (unbounded, alike) = self.unbounded_rounds(id, least);
        (unbounded != id).then_some((unbounded, alike))
    }

    fn unbounded_rounds(&mut self, id: TermId, least: u32) -> (TermId, u32) {
        if let Some(&known) = self.unbounded.get(&(id, least)) {
            return known;
        }
        // As for distances, the spine of a concatenation is not recursed into.
        let (mut parts, mut at) = (Vec::new(), id);
        while let &Term::Concat(first, rest) = self.term(at) {
            parts.push((at, first));
            at = rest;
        }
        let mut found = self.unbounded_part(at, least);
        let mut before = at;
        while let Some((whole, first)) = parts.pop() {
            let (rest, of_rest) = found;
            let (unbounded, of_first) = self.unbounded_rounds(first, least);
            let is_same = unbounded == first && rest == before;
            let whole_unbounded = if is_same { whole } else { self.concat(unbounded, rest) };
            found = (whole_unbounded, of_first.min(of_rest));
            before = whole;
        }
        self.unbounded.insert((id, least), found);
        found
    }

    fn unbounded_part(&mut self, id: TermId, least: u32) -> (TermId, u32) {
        match self.term(id).clone() {
            Term::Or(parts) => {
                let mut alike = u32::MAX;
                let unbounded = parts.iter().map(|&part| {
                    let (part, of_part) = self.unbounded_rounds(part, least);
                    alike = alike.min(of_part);
                    part
                });
                let unbounded: Vec<TermId> = unbounded.collect();
                let is_same = *unbounded == *parts;
                (if is_same { id } else { self.or(unbounded) }, alike)
            }
            Term::Repeat(body, min, max) => {
                let shortest = self.distance(body).map_or(0, |distance| distance.shortest);
                let of_rounds = max.map_or(u32::MAX, |max| shortest.saturating_mul(max.saturating_sub(1)));
                let (body, of_body) = self.unbounded_rounds(body, least);
                if of_rounds >= least {
                    (self.repeat(body, min, None), of_body.min(of_rounds))
                } else {
                    (self.repeat(body, min, max), of_body)
                }
            }
            _ => (id, u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::length::tests::{language, make};
    use super::*;
    use crate::regular::CodeSet;
    use proptest::prelude::*;

    /// Compares two languages by all texts of `a` and `b` up to a length.
    fn are_alike(regular: &mut Regular, one: TermId, other: TermId, length: u32) -> bool {
        let nothing = regular.nothing();
        let mut level = vec![(one, other)];
        for _ in 0..=length {
            let differ = |&(one, other): &(TermId, TermId)| {
                regular.is_nullable(one) != regular.is_nullable(other)
                    || (one == nothing) != (other == nothing)
            };
            if level.iter().any(differ) {
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
            if let Some((unbounded, alike)) = regular.without_rounds(language, least) {
                prop_assert!(alike >= least);
                prop_assert!(are_alike(&mut regular, language, unbounded, alike.min(8)));
            }
        }
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
        let (few, many, any) = (words(Some(3)), words(Some(30)), words(None));
        assert_eq!(regular.without_rounds(many, 40), Some((any, 58)));
        assert_eq!(regular.without_rounds(few, 40), None);
        assert_eq!(regular.without_rounds(any, 40), None);
        assert_eq!(regular.without_rounds(few, 4), Some((any, 4)));
        assert!(are_alike(&mut regular, few, any, 7) && !are_alike(&mut regular, few, any, 8));
        let both = regular.and([many, round]);
        assert_eq!(regular.without_rounds(both, 1), None, "what is begun may be impossible to complete");
    }
}
