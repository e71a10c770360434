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

/// What is read, but for a minus sign.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    phase: Phase,
    negative: bool,
    text: Vec<u8>,
}

/// A span with a multiple.
#[derive(Debug)]
struct Multiples {
    span: Span,
    /// Any interval as wide as this power of ten has one of them in it, as far as bounds do not count.
    wide: i64,
}

/// See the module; state 0 is the start.
#[derive(Debug)]
pub(super) struct ExactNumbers {
    /// Digits, a point and digits without zeros at the end, ascending: the negative ones, and the others.
    points: [Vec<Vec<u8>>; 2],
    spans: Vec<Multiples>,
    /// No point may be written.
    plain: bool,
    /// Digits past the point that a number of the set may have.
    places: usize,
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
        let mut values: Vec<Decimal> = Vec::new();
        for span in numbers.0.iter().filter(is_point) {
            values.extend(span.few(1)?);
        }
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
        let places = values.iter().chain(multiples).map(|value| value.parts().1.min(0).unsigned_abs());
        let places = usize::try_from(places.max().unwrap_or(0)).ok()?;
        let largest = [true, false].map(|negative| {
            let mut largest = values.iter().map(Decimal::abs).max().unwrap_or(Decimal::from_int(0));
            for span in &spans {
                let (bound, _) = if negative { span.lo.as_ref()? } else { span.hi.as_ref()? };
                largest = largest.max(bound.abs());
            }
            Some(largest)
        });
        let points = [true, false].map(|negative| points_of(&values, negative));
        let spans = spans.into_iter().filter_map(Multiples::new).collect();
        let start = State { phase: Phase::Start, negative: false, text: Vec::new() };
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
        self.points.iter().all(Vec::is_empty)
            && !self.spans.iter().any(|of| has_multiple_in(&of.span, &None, &None))
    }

    pub(super) fn is_final(&self, state: u32) -> bool {
        let state = &self.states[state as usize];
        if !state.phase.is_final() {
            return false;
        }
        if self.points[usize::from(!state.negative)].binary_search(&state.key()).is_ok() {
            return true;
        }
        let bound = self.spans.first().map(|_| (state.value(), true));
        self.spans.iter().any(|of| has_multiple_in(&of.span, &bound, &bound))
    }

    /// Whether anything can follow a state: unless a point is forbidden, at least zeros.
    pub(super) fn goes_on(&mut self, state: u32) -> bool {
        !self.plain || !self.edges(state).is_empty()
    }

    /// Where in a number a state is.
    pub(super) fn place(&self, state: u32) -> Place {
        let state = &self.states[state as usize];
        let part = match state.phase {
            Phase::Point | Phase::Fraction => Part::Fraction,
            _ => Part::Whole,
        };
        Place { part, nonzero: state.text.iter().any(|byte| (b'1'..=b'9').contains(byte)) }
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
            // Zeros past the places that count are all one state.
            b'0' if next.phase == Phase::Fraction && state.places() > self.places => {}
            _ => next.text.push(byte),
        }
        Some(next)
    }

    /// Whether anything that goes on from a state is in the set.
    fn is_alive(&self, state: &State) -> bool {
        let points = &self.points[usize::from(!state.negative)];
        let from = points.partition_point(|point| *point < state.text);
        let begins = points.get(from).is_some_and(|point| point.starts_with(&state.text));
        if begins || state.phase == Phase::Fraction && points.binary_search(&state.key()).is_ok() {
            return true;
        }
        if self.spans.is_empty() {
            return false;
        }
        if state.text.is_empty() {
            let zero = Some((Decimal::from_int(0), true));
            let (lo, hi) = if state.negative { (None, zero) } else { (zero, None) };
            return self.spans.iter().any(|of| has_multiple_in(&of.span, &lo, &hi));
        }
        let is_whole = state.phase == Phase::Whole;
        let largest = &self.largest[usize::from(!state.negative)];
        if is_whole && largest.is_none() {
            return true;
        }
        // What may follow lies in an interval, or with more digits before the point in one ten times as far away and as wide.
        let exponent = -(state.places().saturating_sub(1) as i64);
        let low = state.magnitude();
        let interval = |more: i64| {
            let (low, width) = (low.shifted(more), Decimal::power_of_ten(exponent + more));
            let high = low.plus(&width);
            let interval = (Some((low, true)), Some((high, false)));
            if state.negative { mirrored(interval) } else { interval }
        };
        for Multiples { span, wide } in &self.spans {
            let more = (wide - exponent).max(0);
            if (is_whole || more == 0) && is_inside(&interval(more), span) {
                return true;
            }
        }
        let beyond = |more: i64| largest.as_ref().is_some_and(|largest| low.shifted(more) > *largest);
        let steps = (0..).take_while(|&more| more == 0 || is_whole && !beyond(more));
        // The widest are most likely to have one in them.
        let steps: Vec<i64> = steps.collect();
        steps
            .into_iter()
            .rev()
            .map(interval)
            .any(|(lo, hi)| self.spans.iter().any(|of| has_multiple_in(&of.span, &lo, &hi)))
    }
}

impl Multiples {
    fn new(span: Span) -> Option<Self> {
        let unit = span.multiple.as_ref()?;
        // As many neighbours as can all be left out, and one.
        let least = unit.times(&(1u64 << (span.not_multiples.len() + 1)).into());
        let (magnitude, exponent) = least.parts();
        let wide = exponent + magnitude.to_string().len() as i64;
        Some(Self { span, wide })
    }
}

impl State {
    /// Digits past the point, and one for the point; 0 before it.
    fn places(&self) -> usize {
        self.text.iter().position(|&byte| byte == b'.').map_or(0, |at| self.text.len() - at)
    }

    fn magnitude(&self) -> Decimal {
        let digits: Vec<u8> = self.text.iter().copied().filter(u8::is_ascii_digit).collect();
        let magnitude = BigUint::parse_bytes(&digits, 10).unwrap_or_default();
        Decimal::from_parts(magnitude, -(self.places().saturating_sub(1) as i64))
    }

    fn value(&self) -> Decimal {
        if self.negative { self.magnitude().negated() } else { self.magnitude() }
    }

    /// The point that it spells; see [`ExactNumbers::points`].
    fn key(&self) -> Vec<u8> {
        if self.places() == 0 {
            return [&self.text[..], b"."].concat();
        }
        let kept = self.text.iter().rposition(|&byte| byte != b'0').map_or(0, |last| last + 1);
        self.text[..kept].to_vec()
    }
}

/// Zero is on both sides.
fn points_of(values: &[Decimal], negative: bool) -> Vec<Vec<u8>> {
    let is_there = |value: &&Decimal| value.is_zero() || value.is_negative() == negative;
    let mut out: Vec<Vec<u8>> = Vec::new();
    for value in values.iter().filter(is_there) {
        let (whole, fraction) = value.digits();
        out.push([&whole[..], b".", &fraction].concat());
    }
    out.sort();
    out.dedup();
    out
}

/// Whether an interval with two ends is one of those that a span's bounds leave.
fn is_inside((lo, hi): &Interval, span: &Span) -> bool {
    let (Some((lo, _)), Some((hi, _))) = (lo, hi) else { return false };
    span.lo.as_ref().is_none_or(|(bound, _)| lo > bound)
        && span.hi.as_ref().is_none_or(|(bound, _)| hi < bound)
}

fn mirrored((lo, hi): Interval) -> Interval {
    let negated = |bound: Bound| bound.map(|(value, inclusive)| (value.negated(), inclusive));
    (negated(hi), negated(lo))
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
    (0..1u32 << span.not_multiples.len()).map(|more| &first + more).take_while(|factor| *factor <= last).any(
        |factor| {
            let value = unit.times(&factor);
            !span.not_multiples.iter().any(|n| value.is_multiple_of(n))
        },
    )
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
