//! By which symbols the strings of a language may begin.
//!
//! Most derivatives of most parts of a term are nothing: of sixty words one begins like the text. That is told by a bit for each
//! symbol of ASCII, worked out when a term is made.

use super::{CodeSet, Regular, Term, TermId};

/// Symbols by which strings begin, and perhaps more; those beyond ASCII are all in it or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First {
    ascii: u128,
    beyond: bool,
}

impl First {
    const NONE: Self = Self { ascii: 0, beyond: false };
    const ANY: Self = Self { ascii: u128::MAX, beyond: true };

    #[inline]
    pub(super) fn may_be(self, symbol: u32) -> bool {
        if symbol < 0x80 { self.ascii >> symbol & 1 == 1 } else { self.beyond }
    }

    fn of_class(set: &CodeSet) -> Self {
        let beyond = set.ranges().last().is_some_and(|&(_, hi)| hi >= 0x80);
        let ascii = set.ranges().iter().take_while(|&&(lo, _)| lo < 0x80);
        let below = |end: u32| 1u128.checked_shl(end).map_or(u128::MAX, |bit| bit - 1);
        let ascii = ascii.fold(0, |all, &(lo, hi)| all | below(hi.min(0x7F) + 1) & !below(lo));
        Self { ascii, beyond }
    }

    fn or(self, other: Self) -> Self {
        Self { ascii: self.ascii | other.ascii, beyond: self.beyond | other.beyond }
    }

    fn and(self, other: Self) -> Self {
        Self { ascii: self.ascii & other.ascii, beyond: self.beyond & other.beyond }
    }
}

impl Regular {
    /// The symbol by which all strings of a language begin, if that is plain and it is of ASCII.
    pub(crate) fn only_first(&self, language: TermId) -> Option<u8> {
        let First { ascii, beyond } = self.first[language.0 as usize];
        let is_one = ascii.is_power_of_two() && !beyond && !self.is_nullable(language);
        is_one.then(|| ascii.trailing_zeros() as u8)
    }

    /// Of a term that is about to be made.
    pub(super) fn find_first(&self, term: &Term) -> First {
        let first = |id: &TermId| self.first[id.0 as usize];
        match term {
            Term::Empty => First::NONE,
            Term::Class(set) => First::of_class(set),
            Term::Concat(a, b) if self.is_nullable(*a) => first(a).or(first(b)),
            Term::Concat(a, _) | Term::Repeat(a, ..) | Term::Anchored(a) => first(a),
            Term::Or(parts) => parts.iter().map(first).fold(First::NONE, First::or),
            Term::And(parts) => parts.iter().map(first).fold(First::ANY, First::and),
            Term::Not(_) => First::ANY,
            Term::Before(a, whole, _) => first(a).and(first(whole)),
        }
    }
}
