//! Numbers read as what they are.
//!
//! The automaton of [`super::spelling`] reads digits against each bound and divisor at once, which multiplies with the divisors and with the
//! values of a long `enum`. Here a state is the number read so far, and states are made when asked for. That none is a dead end is
//! arithmetic: what may still be spelled lies in intervals, and whether a multiple lies in an interval is a division.
//!
//! Only for values and multiples: then there are so many decimal places and no more, and a zero past them changes nothing.

use super::decimal::Decimal;
use super::number::{Bound, Numbers, Span};
use super::number_ends::{Part, Place};
use super::spelling::Phase;
use indexmap::IndexSet;
use num_bigint::BigUint;
use rustc_hash::FxBuildHasher;

/// Numbers that none may be a multiple of: of `n` such, fewer than `2^n` neighbouring multiples of another number can all be one (Kanold
/// 1967), so that so many are looked at.
const MOST_EXCLUDED: usize = 10;

/// What is read: the digits as an integer, so many of them past the point.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    phase: Phase,
    negative: bool,
    digits: BigUint,
    places: u32,
}

/// See the module; state 0 is the start.
#[derive(Debug)]
pub(super) struct ExactNumbers {
    /// Ascending.
    points: Vec<Decimal>,
    /// Each with a multiple.
    spans: Vec<Span>,
    /// No point may be written.
    plain: bool,
    /// Digits past the point that a number of the set may have.
    places: u32,
    /// The largest magnitude below zero and above; `None` if there is none.
    largest: [Option<Decimal>; 2],
    states: IndexSet<State, FxBuildHasher>,
}

/// An interval; `None` for no end.
type Interval = (Bound, Bound);

impl ExactNumbers {
    /// `None` unless all are values and multiples, and no exponents may be written.
    pub(super) fn new(numbers: &Numbers) -> Option<Self> {
        let is_point = |span: &&Span| span.lo.is_some() && span.lo == span.hi;
        let mut points: Vec<Decimal> = Vec::new();
        for span in numbers.0.iter().filter(is_point) {
            points.extend(span.few(1)?);
        }
        points.sort();
        points.dedup();
        let spans: Vec<Span> = numbers.0.iter().filter(|span| !is_point(span)).cloned().collect();
        let one = Decimal::from_int(1);
        let may_have_exponent = |span: &Span| {
            let is_zero = |bound: &Bound| bound.as_ref().is_none_or(|(value, _)| value.is_zero());
            let is_open = span.lo.is_none() && is_zero(&span.hi) || span.hi.is_none() && is_zero(&span.lo);
            // As the spellings have it: an integer with no bound but zero may have an exponent.
            is_open && span.not_multiples.is_empty() && span.multiple.as_ref() == Some(&one)
        };
        let fits = |span: &Span| {
            span.multiple.is_some() && span.not_multiples.len() <= MOST_EXCLUDED && !may_have_exponent(span)
        };
        let plain = numbers.0.iter().any(|span| span.plain);
        if !spans.iter().all(fits) || plain && !numbers.0.iter().all(|span| span.plain) {
            return None;
        }
        let multiples = spans.iter().filter_map(|span| span.multiple.as_ref());
        let places = points.iter().chain(multiples).map(|value| value.parts().1.min(0).unsigned_abs());
        let places = u32::try_from(places.max().unwrap_or(0)).ok()?;
        let ends = |negative: bool| {
            let of_spans = spans.iter().map(|span| if negative { &span.lo } else { &span.hi });
            let values: Option<Vec<&Decimal>> =
                of_spans.map(|bound| bound.as_ref().map(|(value, _)| value)).collect();
            values.map(|values| {
                values.into_iter().chain(&points).map(Decimal::abs).max().unwrap_or(Decimal::from_int(0))
            })
        };
        let largest = [ends(true), ends(false)];
        let start = State { phase: Phase::Start, negative: false, digits: BigUint::ZERO, places: 0 };
        Some(Self { points, spans, plain, places, largest, states: IndexSet::from_iter([start]) })
    }

    /// Whether it is worth while: the other automaton is shared by all numbers with the same remainders.
    pub(super) fn is_better_for(numbers: &Numbers) -> bool {
        const MANY: usize = 64;
        const LARGE: u32 = 256;
        let divisors = numbers.0.iter().flat_map(|span| span.multiple.iter().chain(&span.not_multiples));
        let common = divisors.fold(BigUint::from(1u32), |common, divisor| {
            num_integer::Integer::lcm(&common, &divisor.parts().0)
        });
        numbers.0.len() > MANY || common > LARGE.into()
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.any_in(&(None, None))
    }

    pub(super) fn is_final(&self, state: u32) -> bool {
        let state = &self.states[state as usize];
        let value = state.value();
        let bound = Some((if state.negative { value.negated() } else { value }, true));
        state.phase.is_final() && self.any_in(&(bound.clone(), bound))
    }

    /// Where in a number a state is.
    pub(super) fn place(&self, state: u32) -> Place {
        let state = &self.states[state as usize];
        let part = match state.phase {
            Phase::Point | Phase::Fraction => Part::Fraction,
            _ => Part::Whole,
        };
        Place { part, nonzero: state.digits != BigUint::ZERO }
    }

    /// The edges of a state; makes those that they lead to.
    pub(super) fn edges(&mut self, state: u32) -> Vec<(u8, u8, u32)> {
        let mut out = Vec::new();
        for &byte in b"-.0123456789" {
            let Some(next) = self.step(&self.states[state as usize], byte) else { continue };
            if self.is_alive(&next) {
                out.push((byte, byte, self.states.insert_full(next).0 as u32));
            }
        }
        out
    }

    fn step(&self, state: &State, byte: u8) -> Option<State> {
        let mut next = State { phase: state.phase.step(byte)?, ..state.clone() };
        match byte {
            b'-' => next.negative = true,
            b'.' if self.plain => return None,
            b'.' => {}
            b'0' if next.phase == Phase::Fraction && state.places == self.places => {}
            _ => {
                next.digits = &state.digits * 10u32 + u32::from(byte - b'0');
                next.places += u32::from(next.phase == Phase::Fraction);
            }
        }
        Some(next)
    }

    /// Whether anything that goes on from a state is in the set.
    fn is_alive(&self, state: &State) -> bool {
        let side = |interval: Interval| if state.negative { mirrored(interval) } else { interval };
        let zero = Some((Decimal::from_int(0), true));
        if matches!(state.phase, Phase::Start | Phase::Minus) {
            return self.any_in(&side((zero, None)));
        }
        let mut low = state.value();
        let mut width = Decimal::power_of_ten(-i64::from(state.places));
        loop {
            let high = low.plus(&width);
            if self.any_in(&side((Some((low.clone(), true)), Some((high, false))))) {
                return true;
            }
            // One more digit before the point.
            let largest = &self.largest[usize::from(!state.negative)];
            match largest {
                _ if state.phase != Phase::Whole => return false,
                None => return true,
                Some(largest) if low > *largest => return false,
                Some(_) => (low, width) = (low.shifted(1), width.shifted(1)),
            }
        }
    }

    fn any_in(&self, (lo, hi): &Interval) -> bool {
        let first = self.points.partition_point(|point| !is_above(point, lo));
        self.points.get(first).is_some_and(|point| is_below(point, hi))
            || self.spans.iter().any(|span| has_multiple_in(span, lo, hi))
    }
}

impl State {
    fn value(&self) -> Decimal {
        Decimal::from_parts(self.digits.clone(), -i64::from(self.places))
    }
}

fn mirrored((lo, hi): Interval) -> Interval {
    let negated = |bound: Bound| bound.map(|(value, inclusive)| (value.negated(), inclusive));
    (negated(hi), negated(lo))
}

fn is_above(value: &Decimal, lo: &Bound) -> bool {
    lo.as_ref().is_none_or(|(bound, inclusive)| value > bound || *inclusive && value == bound)
}

fn is_below(value: &Decimal, hi: &Bound) -> bool {
    hi.as_ref().is_none_or(|(bound, inclusive)| value < bound || *inclusive && value == bound)
}

/// Whether a number of a span lies in an interval.
fn has_multiple_in(span: &Span, lo: &Bound, hi: &Bound) -> bool {
    let Some(unit) = &span.multiple else { return false };
    let first = |bound: &Bound| {
        let (value, inclusive) = bound.as_ref()?;
        let factor = value.quotient(unit, true);
        let is_left_out = !inclusive && unit.times(&factor) == *value;
        Some(if is_left_out { factor + 1 } else { factor })
    };
    let last = |bound: &Bound| {
        let (value, inclusive) = bound.as_ref()?;
        let factor = value.quotient(unit, false);
        let is_left_out = !inclusive && unit.times(&factor) == *value;
        Some(if is_left_out { factor - 1 } else { factor })
    };
    let first = [first(lo), first(&span.lo)].into_iter().flatten().max();
    let last = [last(hi), last(&span.hi)].into_iter().flatten().min();
    let (first, last) = match (first, last) {
        (Some(first), Some(last)) => (first, last),
        // Without an end there are enough of them.
        (Some(first), None) => (first.clone(), first + (1 << MOST_EXCLUDED)),
        (None, Some(last)) => (last.clone() - (1 << MOST_EXCLUDED), last),
        (None, None) => return true,
    };
    let mut factor = first;
    for _ in 0..1u32 << span.not_multiples.len() {
        if factor > last {
            return false;
        }
        let value = unit.times(&factor);
        if !span.not_multiples.iter().any(|n| value.is_multiple_of(n)) {
            return true;
        }
        factor += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::Budget;
    use proptest::prelude::*;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    fn spans() -> impl Strategy<Value = Span> {
        let bound = || prop::option::of((-400i64..400, any::<bool>()));
        let unit = || prop::sample::select(vec!["0.3", "2", "0.5", "3", "10", "7", "20", "33"]);
        let point = (-40i64..40).prop_map(|tenths| Span::point(d(&format!("{tenths}e-1"))));
        let multiples = (bound(), bound(), unit(), prop::collection::vec(unit(), 0..3)).prop_map(
            |(lo, hi, unit, not)| {
                let value = |(tenths, inclusive): (i64, bool)| (d(&format!("{tenths}e-1")), inclusive);
                let not_multiples = not.into_iter().map(d).collect();
                Span {
                    lo: lo.map(value),
                    hi: hi.map(value),
                    multiple: Some(d(unit)),
                    not_multiples,
                    plain: false,
                }
            },
        );
        prop_oneof![point, multiples]
    }

    proptest! {
        /// The other automaton is the oracle; what both read up to four bytes is walked.
        #[test]
        fn states_are_those_of_the_automaton_of_spellings(all in prop::collection::vec(spans(), 1..4)) {
            // A span that nothing is in may be there only if another rules it out.
            let numbers = Numbers(all).and(&Numbers::all()).unwrap();
            let dfa = numbers.automaton(&mut Budget::unlimited()).unwrap();
            let Some(mut exact) = ExactNumbers::new(&numbers) else { return Ok(()) };
            prop_assert_eq!(exact.is_empty(), dfa.states.is_empty());
            if dfa.states.is_empty() { return Ok(()); }
            let mut level = vec![(0u32, 0u32)];
            for _ in 0..5 {
                let mut next = Vec::new();
                for (a, b) in level {
                    prop_assert_eq!(exact.is_final(a), dfa.states[b as usize].0);
                    let flat = |edges: &[(u8, u8, u32)]| -> Vec<(u8, u32)> {
                        let mut out: Vec<_> = edges.iter().flat_map(|&(lo, hi, to)| (lo..=hi).map(move |x| (x, to))).collect();
                        out.sort_unstable();
                        out
                    };
                    let (own, other) = (flat(&exact.edges(a)), flat(&dfa.states[b as usize].1));
                    let bytes = |edges: &[(u8, u32)]| edges.iter().map(|e| e.0).collect::<Vec<_>>();
                    prop_assert_eq!(bytes(&own), bytes(&other));
                    next.extend(own.iter().zip(&other).map(|(a, b)| (a.1, b.1)));
                }
                level = next.into_iter().take(200).collect();
            }
        }
    }
}
