//! Whether one language is within another, by the way they are put together.

use super::{Regular, Term, TermId};

/// Pairs of terms that are compared to find out whether one language is within another.
const INCLUSION_STEPS: u32 = 64;

impl Regular {
    /// Whether all strings of one language are known to be in another, by the way they are put together.
    pub fn is_within(&self, a: TermId, b: TermId) -> bool {
        self.is_within_in(a, b, &mut { INCLUSION_STEPS })
    }

    fn is_within_in(&self, mut a: TermId, mut b: TermId, steps: &mut u32) -> bool {
        loop {
            if a == b {
                return true;
            }
            if *steps == 0 {
                return false;
            }
            *steps -= 1;
            match (self.term(a), self.term(b)) {
                // What may be left out is, as after a letter that could begin a range of letters.
                (_, &Term::Concat(other, others)) if a == others && self.is_nullable(other) => return true,
                (&Term::Concat(first, rest), &Term::Concat(other, others)) => {
                    if !self.is_within_in(first, other, steps) {
                        return false;
                    }
                    (a, b) = (rest, others);
                }
                (&Term::Repeat(body, min, max), &Term::Repeat(other, least, most)) => {
                    return body == other
                        && least <= min
                        && most.is_none_or(|most| max.is_some_and(|max| max <= most));
                }
                (&Term::Anchored(inner), &Term::Anchored(other)) => (a, b) = (inner, other),
                // What is of both is seen at once, however many there are.
                (Term::Or(options), other) => {
                    let of_other = if let Term::Or(others) = other { &**others } else { &[] };
                    let mut left = options.iter().filter(|option| of_other.binary_search(option).is_err());
                    return left.all(|&option| self.is_within_in(option, b, steps));
                }
                (one, Term::And(parts)) => {
                    let of_one = if let Term::And(others) = one { &**others } else { &[] };
                    let mut left = parts.iter().filter(|part| of_one.binary_search(part).is_err());
                    return left.all(|&part| self.is_within_in(a, part, steps));
                }
                (_, Term::Or(options)) => {
                    return options.binary_search(&a).is_ok()
                        || options.iter().any(|&option| self.is_within_in(a, option, steps));
                }
                (Term::And(parts), _) => {
                    return parts.binary_search(&b).is_ok()
                        || parts.iter().any(|&part| self.is_within_in(part, b, steps));
                }
                _ => return false,
            }
        }
    }
}
