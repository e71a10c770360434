//! The automaton of the spellings of a set of numbers.
//!
//! A number is read digit by digit: against each bound by length first and digits after, against each divisor by its
//! remainder. Every spelling without an exponent is in the automaton. Those with one are in it where a regular language
//! can decide them: where no bound but zero and no divisor but one is concerned (see [`Exponents`]).

use super::byte_dfa::ByteDfa;
use super::decimal::Decimal;
use super::number::{Numbers, Span};
use super::number_ends::{Part, Place};
use crate::automaton::Budget;
use crate::error::{Error, Result};

/// How the digits so far compare with those of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Versus {
    /// So many digits before the point, which compare like this with as many of the bound's.
    Whole(u32, std::cmp::Ordering),
    /// Equal so far, so many digits past the point.
    Fraction(u32),
    Less,
    Greater,
}

impl Versus {
    /// Whether no more digits can make it equal.
    fn is_decided(self) -> bool {
        use std::cmp::Ordering::Equal;
        !matches!(self, Self::Whole(_, Equal) | Self::Fraction(_))
    }
}

/// The digits of a bound's magnitude.
#[derive(Debug)]
struct Digits {
    whole: Vec<u8>,
    fraction: Vec<u8>,
}

impl Digits {
    fn digit(&self, at: Versus, byte: u8) -> Versus {
        use std::cmp::Ordering::{Equal, Greater, Less};
        match at {
            Versus::Whole(read, so_far) => match self.whole.get(read as usize) {
                None => Versus::Greater,
                Some(of_bound) => Versus::Whole(read + 1, so_far.then(byte.cmp(of_bound))),
            },
            Versus::Fraction(read) => {
                let of_bound = self.fraction.get(read as usize).copied().unwrap_or(b'0');
                match byte.cmp(&of_bound) {
                    Less => Versus::Less,
                    Greater => Versus::Greater,
                    Equal => Versus::Fraction((read + 1).min(self.fraction.len() as u32)),
                }
            }
            decided => decided,
        }
    }

    fn point(&self, at: Versus) -> Versus {
        use std::cmp::Ordering::{Equal, Greater, Less};
        match at {
            Versus::Whole(read, _) if (read as usize) < self.whole.len() => Versus::Less,
            Versus::Whole(_, Less) => Versus::Less,
            Versus::Whole(_, Greater) => Versus::Greater,
            Versus::Whole(_, Equal) => Versus::Fraction(0),
            other => other,
        }
    }

    fn end(&self, at: Versus) -> std::cmp::Ordering {
        use std::cmp::Ordering::{Equal, Greater, Less};
        match self.point(at) {
            Versus::Less => Less,
            Versus::Greater => Greater,
            Versus::Fraction(read) if (read as usize) < self.fraction.len() => Less,
            _ => Equal,
        }
    }
}

/// The remainder of the digits so far: `value` without its last `zeros` zeros (at most as many as count), modulo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Remainder {
    value: u32,
    zeros: u32,
    /// Digits past the point, as far as they count.
    places: u32,
    /// A digit stood where a multiple has none.
    off: bool,
}

/// A divisor `modulus * 10^exponent`.
#[derive(Debug)]
struct Divisor {
    modulus: u32,
    exponent: i64,
}

/// Largest modulus of a divisor.
const MAX_MODULUS: u32 = 1 << 14;

impl Divisor {
    fn new(value: &Decimal) -> Result<Self> {
        let (modulus, exponent) = value.parts();
        match u32::try_from(&modulus) {
            Ok(modulus) if exponent.abs() <= 64 => Ok(Self { modulus, exponent }),
            _ => Err(too_large(&modulus)),
        }
    }

    fn start(&self) -> Remainder {
        Remainder { value: 0, zeros: self.trailing(), places: 0, off: false }
    }

    fn trailing(&self) -> u32 {
        self.exponent.max(0) as u32
    }

    fn digit(&self, at: Remainder, byte: u8, past_point: bool) -> Remainder {
        if at.off {
            return at;
        }
        let digit = u64::from(byte - b'0');
        let m = u64::from(self.modulus);
        if past_point {
            let places = (-self.exponent).max(0) as u32;
            if at.places == places {
                return Remainder { off: digit != 0, ..at };
            }
            return Remainder {
                value: ((u64::from(at.value) * 10 + digit) % m) as u32,
                places: at.places + 1,
                ..at
            };
        }
        if self.exponent <= 0 {
            return Remainder { value: ((u64::from(at.value) * 10 + digit) % m) as u32, ..at };
        }
        if digit == 0 && at.zeros < self.trailing() {
            return Remainder { zeros: at.zeros + 1, ..at };
        }
        if digit == 0 {
            return Remainder { value: (u64::from(at.value) * 10 % m) as u32, ..at };
        }
        let shifted = (0..=at.zeros).fold(u64::from(at.value), |v, _| v * 10 % m);
        Remainder { value: ((shifted + digit) % m) as u32, zeros: 0, ..at }
    }

    fn divides(&self, at: Remainder) -> bool {
        if at.off || at.zeros < self.trailing() {
            return false;
        }
        let places = (-self.exponent).max(0) as u32;
        (at.places..places).fold(u64::from(at.value), |v, _| v * 10 % u64::from(self.modulus)) == 0
    }
}

impl Divisor {
    /// Whether digits past the point can make a remainder good.
    fn can_divide(&self, at: Remainder) -> bool {
        let left = ((-self.exponent).max(0) as u32).saturating_sub(at.places);
        if at.off || at.zeros < self.trailing() {
            return false;
        }
        let m = u64::from(self.modulus);
        let shifted = (0..left).fold(u64::from(at.value), |v, _| v * 10 % m);
        let missing = (m - shifted) % m;
        10u64.checked_pow(left).is_none_or(|room| missing < room)
    }
}

/// What the exponents of a span's spellings may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Exponents {
    None,
    /// Any at all: no exponent changes whether the number belongs.
    Any,
    /// Not negative, after an integer: what keeps an integer one.
    Positive,
}

/// One span made ready for reading.
#[derive(Debug)]
struct Reader {
    negative: bool,
    lo: Option<(Digits, bool)>,
    hi: Option<(Digits, bool)>,
    multiple: Option<Divisor>,
    not_multiples: Vec<Divisor>,
    exponents: Exponents,
    plain: bool,
    /// Both bounds are one number.
    is_point: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Reading {
    lo: Versus,
    hi: Versus,
    multiple: Option<Remainder>,
    not_multiples: Vec<Remainder>,
    nonzero: bool,
    nonzero_fraction: bool,
}

/// Where in the syntax of a number one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    Start,
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    E,
    ESign { negative: bool },
    Exponent { negative: bool },
}

impl Phase {
    pub(super) fn step(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Start, b'-') => Self::Minus,
            (Self::Start | Self::Minus, b'0') => Self::Zero,
            (Self::Start | Self::Minus, b'1'..=b'9') | (Self::Whole, b'0'..=b'9') => Self::Whole,
            (Self::Zero | Self::Whole, b'.') => Self::Point,
            (Self::Point | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Zero | Self::Whole | Self::Fraction, b'e' | b'E') => Self::E,
            (Self::E, b'+') => Self::ESign { negative: false },
            (Self::E, b'-') => Self::ESign { negative: true },
            (Self::E, b'0'..=b'9') => Self::Exponent { negative: false },
            (Self::ESign { negative } | Self::Exponent { negative }, b'0'..=b'9') => {
                Self::Exponent { negative }
            }
            _ => return None,
        })
    }

    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Zero | Self::Whole | Self::Fraction | Self::Exponent { .. })
    }
}

impl Reader {
    /// The readers of a span: one for each sign that it has.
    fn of(span: &Span) -> Result<Vec<Self>> {
        let mut out = Vec::new();
        for negative in [false, true] {
            let (lo, hi) = if negative { (&span.hi, &span.lo) } else { (&span.lo, &span.hi) };
            // Seen from zero: the near bound may lie on the other side, the far one must not.
            let behind = |value: &Decimal| {
                if negative { !value.is_negative() } else { value.is_negative() || value.is_zero() }
            };
            let far_is_behind = |value: &Decimal| {
                if value.is_zero() { false } else { value.is_negative() != negative }
            };
            if hi.as_ref().is_some_and(|(value, _)| far_is_behind(value)) {
                continue;
            }
            let digits = |bound: &(Decimal, bool)| {
                let (whole, fraction) = bound.0.abs().digits();
                (Digits { whole, fraction }, bound.1)
            };
            let excludes_zero = |bound: &(Decimal, bool)| bound.0.is_zero() && !bound.1;
            let near = lo.as_ref().filter(|bound| !behind(&bound.0) || excludes_zero(bound));
            let only_sign_counts = hi.is_none() && near.is_none_or(|b| b.0.is_zero());
            let is_whole = span.multiple.as_ref() == Some(&Decimal::from_int(1));
            let exponents = if span.plain || !only_sign_counts || !span.not_multiples.is_empty() {
                Exponents::None
            } else if span.multiple.is_none() {
                Exponents::Any
            } else if is_whole {
                Exponents::Positive
            } else {
                Exponents::None
            };
            out.push(Self {
                negative,
                lo: near.map(digits),
                hi: hi.as_ref().map(digits),
                multiple: span.multiple.as_ref().map(Divisor::new).transpose()?,
                not_multiples: span.not_multiples.iter().map(Divisor::new).collect::<Result<_>>()?,
                exponents,
                plain: span.plain,
                is_point: span.lo == span.hi && span.lo.is_some(),
            });
        }
        Ok(out)
    }

    fn divisors(&self) -> impl Iterator<Item = &Divisor> {
        self.multiple.iter().chain(&self.not_multiples)
    }

    fn start(&self) -> Reading {
        let begin = Versus::Whole(0, std::cmp::Ordering::Equal);
        Reading {
            lo: begin,
            hi: begin,
            multiple: self.multiple.as_ref().map(Divisor::start),
            not_multiples: self.not_multiples.iter().map(Divisor::start).collect(),
            nonzero: false,
            nonzero_fraction: false,
        }
    }

    fn step(&self, reading: &Reading, byte: u8, after: Phase) -> Option<Reading> {
        let mut next = reading.clone();
        match (after, byte) {
            (Phase::Minus, _) => return self.negative.then_some(next),
            (Phase::Point, _) => {
                if self.plain {
                    return None;
                }
                if let Some((digits, _)) = &self.lo {
                    next.lo = digits.point(next.lo);
                }
                if let Some((digits, _)) = &self.hi {
                    next.hi = digits.point(next.hi);
                }
            }
            (Phase::Zero | Phase::Whole | Phase::Fraction, b'0'..=b'9') => {
                let past_point = after == Phase::Fraction;
                next.nonzero |= byte != b'0';
                next.nonzero_fraction |= past_point && byte != b'0';
                if let Some((digits, _)) = &self.lo {
                    next.lo = digits.digit(next.lo, byte);
                }
                if let Some((digits, _)) = &self.hi {
                    next.hi = digits.digit(next.hi, byte);
                    if self.is_point && next.hi.is_decided() {
                        return None;
                    }
                    if next.hi == Versus::Greater {
                        return None;
                    }
                }
                if let (Some(divisor), Some(at)) = (&self.multiple, next.multiple) {
                    let at = divisor.digit(at, byte, past_point);
                    if at.off {
                        return None;
                    }
                    next.multiple = Some(at);
                }
                for (divisor, at) in self.not_multiples.iter().zip(&mut next.not_multiples) {
                    *at = divisor.digit(*at, byte, past_point);
                }
            }
            (Phase::E, _) => match self.exponents {
                Exponents::None => return None,
                Exponents::Any => {}
                Exponents::Positive if reading.nonzero_fraction => return None,
                Exponents::Positive => {}
            },
            (Phase::ESign { negative: true } | Phase::Exponent { negative: true }, _)
                if self.exponents == Exponents::Positive && reading.nonzero =>
            {
                return None;
            }
            _ => {}
        }
        Some(next)
    }

    fn accepts(&self, reading: &Reading) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let fits = |bound: &Option<(Digits, bool)>, at: Versus, wanted| match bound {
            None => true,
            Some((digits, inclusive)) => match digits.end(at) {
                Equal => *inclusive,
                order => order == wanted,
            },
        };
        let divides = |divisor: &Divisor, at: &Remainder| divisor.divides(*at);
        fits(&self.lo, reading.lo, Greater)
            && fits(&self.hi, reading.hi, Less)
            && self.multiple.iter().zip(&reading.multiple).all(|(d, at)| divides(d, at))
            && !self.not_multiples.iter().zip(&reading.not_multiples).any(|(d, at)| divides(d, at))
    }
}

/// The phase, and how far the readers have got that may still accept, by number.
type State = (Phase, Vec<(u32, Reading)>);

/// All spellings of a set of numbers, read side by side.
#[derive(Debug)]
struct Spellings {
    readers: Vec<Reader>,
}

impl Spellings {
    fn new(numbers: &Numbers) -> Result<Self> {
        let readers = numbers.0.iter().map(Reader::of).collect::<Result<Vec<_>>>()?;
        Ok(Self { readers: readers.into_iter().flatten().collect() })
    }

    fn start(&self) -> State {
        (Phase::Start, (0..).zip(&self.readers).map(|(i, reader)| (i, reader.start())).collect())
    }

    fn step(&self, (phase, readings): &State, byte: u8) -> Option<State> {
        let after = phase.step(byte)?;
        let mut next = Vec::new();
        for (index, reading) in readings {
            let reader = &self.readers[*index as usize];
            // The sign decides which readers read at all.
            if *phase != Phase::Start || (byte == b'-') == reader.negative {
                next.extend(reader.step(reading, byte, after).map(|reading| (*index, reading)));
            }
        }
        (!next.is_empty()).then_some((after, next))
    }

    fn is_final(&self, (phase, readings): &State) -> bool {
        let accepts = |(index, at): &(u32, Reading)| self.readers[*index as usize].accepts(at);
        phase.is_final() && readings.iter().any(accepts)
    }
}

const ALPHABET: &[u8] = b"+-.0123456789Ee";

impl Numbers {
    /// The automaton of the spellings.
    pub fn automaton(&self, budget: &mut Budget) -> Result<ByteDfa> {
        let all = Spellings::new(self)?;
        if let Some(divisor) = all.readers.iter().flat_map(Reader::divisors).find(|d| d.modulus > MAX_MODULUS)
        {
            return Err(too_large(&divisor.modulus));
        }
        let step = |state: &State, byte: u8| all.step(state, byte);
        ByteDfa::explore(all.start(), step, ALPHABET, |state| all.is_final(state), budget)
    }

    /// The same automaton, its states made when asked for, if it needs too many: only where a remainder can always be made
    /// good by more digits, so that no state is a dead end. State 0 is the start.
    pub(super) fn late_automaton(&self) -> Result<Option<LateNumbers>> {
        let all = Spellings::new(self)?;
        let is_large = all.readers.iter().flat_map(Reader::divisors).any(|d| d.modulus > MAX_MODULUS);
        let is_open = |r: &Reader| r.hi.is_none() && r.not_multiples.is_empty();
        let fits = is_large && all.readers.iter().all(is_open);
        Ok(fits.then(|| LateNumbers { states: indexmap::IndexSet::from_iter([all.start()]), all }))
    }
}

/// See [`Numbers::late_automaton`].
#[derive(Debug)]
pub(super) struct LateNumbers {
    all: Spellings,
    states: indexmap::IndexSet<State, rustc_hash::FxBuildHasher>,
}

impl LateNumbers {
    pub(super) fn is_final(&self, state: u32) -> bool {
        self.all.is_final(&self.states[state as usize])
    }

    /// Where in a number a state is.
    pub(super) fn place(&self, state: u32) -> Place {
        let (phase, readings) = &self.states[state as usize];
        let part = match phase {
            Phase::Start | Phase::Minus | Phase::Zero | Phase::Whole => Part::Whole,
            Phase::Point | Phase::Fraction => Part::Fraction,
            Phase::E | Phase::ESign { .. } | Phase::Exponent { .. } => Part::Exponent,
        };
        Place { part, nonzero: readings.iter().any(|(_, reading)| reading.nonzero) }
    }

    /// The edges of a state; makes those that they lead to.
    pub(super) fn edges(&mut self, state: u32) -> Vec<(u8, u8, u32)> {
        let from = self.states[state as usize].clone();
        let mut out = Vec::new();
        for &byte in ALPHABET {
            if let Some(next) = self.all.step(&from, byte).filter(|next| self.is_alive(next)) {
                let to = self.states.insert_full(next).0 as u32;
                out.push((byte, byte, to));
            }
        }
        out
    }

    /// Before the point more digits make any remainder good; past it there are only so many left.
    fn is_alive(&self, (phase, readings): &State) -> bool {
        let is_alive = |(index, at): &(u32, Reading)| {
            let reader = &self.all.readers[*index as usize];
            let (Some(divisor), Some(remainder)) = (&reader.multiple, at.multiple) else { return true };
            match phase {
                Phase::Start | Phase::Minus | Phase::Whole => true,
                _ => divisor.can_divide(remainder),
            }
        };
        readings.iter().any(is_alive)
    }
}

fn too_large(modulus: &dyn std::fmt::Display) -> Error {
    let message = format!(
        "`multipleOf` needs remainders modulo {modulus}; up to {MAX_MODULUS} are kept beside an upper bound"
    );
    Error::LimitExceeded { limit: "multiple_of_modulus", message }
}

#[cfg(test)]
mod tests {
    use super::super::decimal::Decimal;
    use super::*;
    use proptest::prelude::*;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    fn spans() -> impl Strategy<Value = Span> {
        let bound = || prop::option::of(((-40i64..40, 0i64..2), any::<bool>()));
        let unit = || prop::sample::select(vec!["1", "2", "0.5", "3", "10", "0.1", "20"]);
        (bound(), bound(), prop::option::of(unit()), prop::collection::vec(unit(), 0..2)).prop_map(
            |(lo, hi, multiple, not)| {
                let value = |((m, e), inclusive): ((i64, i64), bool)| (d(&format!("{m}e-{e}")), inclusive);
                Span {
                    lo: lo.map(value),
                    hi: hi.map(value),
                    multiple: multiple.map(d),
                    not_multiples: not.into_iter().map(d).collect(),
                    plain: false,
                }
            },
        )
    }

    fn holds(span: &Span, value: &Decimal) -> bool {
        span.lo.as_ref().is_none_or(|(b, i)| value > b || *i && value == b)
            && span.hi.as_ref().is_none_or(|(b, i)| value < b || *i && value == b)
            && span.multiple.as_ref().is_none_or(|m| value.is_multiple_of(m))
            && !span.not_multiples.iter().any(|n| value.is_multiple_of(n))
    }

    proptest! {
        #[test]
        fn spellings_belong_iff_their_value_does(all in prop::collection::vec(spans(), 1..3), negate: bool) {
            let mut numbers = Numbers(all.clone());
            if negate { numbers = numbers.not().unwrap(); }
            let dfa = numbers.automaton(&mut Budget::unlimited()).unwrap();
            for tenths in -450i64..450 {
                let (sign, m) = (if tenths < 0 { "-" } else { "" }, tenths.abs());
                let value = d(&format!("{tenths}e-1"));
                let expected = all.iter().any(|s| holds(s, &value)) != negate;
                let mut texts = vec![format!("{sign}{}.{}", m / 10, m % 10), format!("{sign}{}.{}0", m / 10, m % 10)];
                if m % 10 == 0 { texts.push(format!("{sign}{}", m / 10)); }
                for text in texts {
                    prop_assert_eq!(dfa.matches(text.as_bytes()), expected, "{}", text);
                }
            }
        }
    }

    #[test]
    fn exponents_where_they_are_decided() {
        let all = Numbers::all().automaton(&mut Budget::unlimited()).unwrap();
        let whole = Numbers(vec![Span { multiple: Some(d("1")), ..Span::default() }]);
        let whole = whole.automaton(&mut Budget::unlimited()).unwrap();
        assert!(all.matches(b"-1.5e-7") && all.matches(b"0") && !all.matches(b"01") && !all.matches(b"1."));
        assert!(
            whole.matches(b"1e308")
                && whole.matches(b"1.0")
                && !whole.matches(b"1.5e1")
                && !whole.matches(b"1e-1")
        );
        let positive = Numbers(vec![Span { lo: Some((d("0"), false)), ..Span::default() }]);
        let positive = positive.automaton(&mut Budget::unlimited()).unwrap();
        assert!(
            positive.matches(b"1e-5")
                && !positive.matches(b"0e5")
                && !positive.matches(b"-1")
                && !positive.matches(b"0")
        );
    }
}
