//! Sets of numbers.
//!
//! A set is a union of [`Span`]s: an interval, what it is a multiple of, and what it is no multiple of. That is closed under
//! intersection and complement, up to one thing: see [`Span::plain`].

use super::decimal::Decimal;
use super::shape::MAX_ALTERNATIVES;
use crate::error::{Error, Result};

/// A bound, and whether the bound itself belongs to the interval.
pub type Bound = Option<(Decimal, bool)>;

/// The numbers between two bounds that are a multiple of one number and not of some others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// The lower bound.
    pub lo: Bound,
    /// The upper bound.
    pub hi: Bound,
    /// A positive number that all are a multiple of.
    pub multiple: Option<Decimal>,
    /// Positive numbers that none is a multiple of.
    pub not_multiples: Vec<Decimal>,
    /// Spelled without a point or exponent: what draft 4 calls an integer.
    pub plain: bool,
}

impl Span {
    /// One number.
    pub fn point(value: Decimal) -> Self {
        Self { lo: Some((value.clone(), true)), hi: Some((value, true)), ..Self::default() }
    }

    fn and(&self, other: &Self) -> Option<Self> {
        let tighter = |a: &Bound, b: &Bound, above: bool| match (a, b) {
            (Some(x), Some(y)) => {
                let x_first = if above { x.0 > y.0 } else { x.0 < y.0 };
                let same = x.0 == y.0;
                Some(if same {
                    (x.0.clone(), x.1 && y.1)
                } else if x_first {
                    x.clone()
                } else {
                    y.clone()
                })
            }
            (one, None) | (None, one) => one.clone(),
        };
        let multiple = match (&self.multiple, &other.multiple) {
            (Some(a), Some(b)) => Some(a.lcm(b)),
            (one, None) | (None, one) => one.clone(),
        };
        let mut not_multiples = [&self.not_multiples[..], &other.not_multiples].concat();
        not_multiples.sort();
        not_multiples.dedup();
        let (lo, hi) = (tighter(&self.lo, &other.lo, true), tighter(&self.hi, &other.hi, false));
        let span = Self { lo, hi, multiple, not_multiples, plain: self.plain || other.plain };
        if span.is_plainly_empty() {
            return None;
        }
        // One number is what it is.
        let is_point = span.lo.is_some() && span.lo == span.hi;
        Some(if is_point { Self { multiple: None, not_multiples: Vec::new(), ..span } } else { span })
    }

    /// Whether every number of it plainly is one of the other.
    fn is_within(&self, other: &Self) -> bool {
        let bounded = |own: &Bound, bound: &Bound, above: bool| match (own, bound) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(a), Some(b)) => a.0 == b.0 && (!a.1 || b.1) || a.0 != b.0 && (a.0 > b.0) == above,
        };
        bounded(&self.lo, &other.lo, true)
            && bounded(&self.hi, &other.hi, false)
            && match (&self.multiple, &other.multiple) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(own), Some(wanted)) => own.is_multiple_of(wanted),
            }
            && other.not_multiples.iter().all(|n| self.not_multiples.contains(n))
            && (!other.plain || self.plain)
    }

    fn is_plainly_empty(&self) -> bool {
        if let (Some(multiple), true) = (&self.multiple, !self.not_multiples.is_empty())
            && self.not_multiples.iter().any(|n| multiple.is_multiple_of(n))
        {
            return true;
        }
        let (Some(lo), Some(hi)) = (&self.lo, &self.hi) else { return false };
        if lo.0 != hi.0 {
            return lo.0 > hi.0;
        }
        let off = self.multiple.as_ref().is_some_and(|m| !lo.0.is_multiple_of(m));
        !(lo.1 && hi.1) || off || self.not_multiples.iter().any(|n| lo.0.is_multiple_of(n))
    }

    /// The numbers if they are given by two bounds, and at most so many.
    pub(super) fn few(&self, most: usize) -> Option<Vec<Decimal>> {
        let ((lo, with_lo), (hi, with_hi)) = self.lo.as_ref().zip(self.hi.as_ref())?;
        let holds = |value: &Decimal| !self.not_multiples.iter().any(|n| value.is_multiple_of(n));
        if lo == hi {
            let is_in = *with_lo && *with_hi && self.multiple.as_ref().is_none_or(|m| lo.is_multiple_of(m));
            return Some(if is_in && holds(lo) { vec![lo.clone()] } else { Vec::new() });
        }
        let unit = self.multiple.as_ref()?;
        let (first, last) = (lo.quotient(unit, true), hi.quotient(unit, false));
        if &last - &first >= most.into() {
            return None;
        }
        let mut out = Vec::new();
        let mut factor = first;
        while factor <= last {
            let value = unit.times(&factor);
            let is_in = (*with_lo || value != *lo) && (*with_hi || value != *hi);
            out.extend(Some(value).filter(|value| is_in && holds(value)));
            factor += 1;
        }
        Some(out)
    }

    /// The numbers outside it. That it must be spelled plainly has no complement: an integer spelled with a point is then in
    /// neither, so that nothing invalid is ever taken.
    fn not(&self) -> Vec<Self> {
        let mut out = Vec::new();
        if let Some((lo, inclusive)) = &self.lo {
            out.push(Self { hi: Some((lo.clone(), !inclusive)), ..Self::default() });
        }
        if let Some((hi, inclusive)) = &self.hi {
            out.push(Self { lo: Some((hi.clone(), !inclusive)), ..Self::default() });
        }
        if let Some(multiple) = &self.multiple {
            out.push(Self { not_multiples: vec![multiple.clone()], ..Self::default() });
        }
        out.extend(self.not_multiples.iter().map(|n| Self { multiple: Some(n.clone()), ..Self::default() }));
        out
    }
}

/// A union of spans.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Numbers(pub(crate) Vec<Span>);

impl Numbers {
    /// Every number.
    pub fn all() -> Self {
        Self(vec![Span::default()])
    }

    /// The numbers, ascending within a span, if they are at most so many. A number may come twice.
    pub fn few(&self, most: usize) -> Option<Vec<Decimal>> {
        let mut out = Vec::new();
        for span in &self.0 {
            out.extend(span.few(most)?);
        }
        Some(out)
    }

    /// Whether it is plainly every number.
    pub fn is_all(&self) -> bool {
        self.0.contains(&Span::default())
    }

    /// What is in both.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] where that takes too many spans.
    pub fn and(&self, other: &Self) -> Result<Self> {
        if let ([one], many) | (many, [one]) = (&self.0[..], &other.0[..]) {
            return Ok(Self(many.iter().filter_map(|span| span.and(one)).collect()));
        }
        let most = MAX_ALTERNATIVES.max(self.0.len()).max(other.0.len());
        let mut out: Vec<Span> = Vec::new();
        for a in &self.0 {
            for b in &other.0 {
                // A span inside another says nothing: without it, what few bounds and many multiples exclude stays small.
                let Some(span) = a.and(b) else { continue };
                if out.iter().any(|known| span.is_within(known)) {
                    continue;
                }
                out.retain(|known| !known.is_within(&span));
                out.push(span);
                if out.len() > most {
                    let message =
                        format!("`multipleOf`, `enum` and bounds of numbers ask for more than {most} ranges");
                    return Err(Error::LimitExceeded { limit: "schema_alternatives", message });
                }
            }
        }
        Ok(Self(out))
    }

    /// What is in either.
    #[must_use]
    pub fn or(mut self, other: &Self) -> Self {
        if self.is_all() || other.is_all() {
            return Self::all();
        }
        for span in &other.0 {
            if !self.0.contains(span) {
                self.0.push(span.clone());
            }
        }
        self
    }

    /// What is not in it.
    ///
    /// # Errors
    /// Those of [`Self::and`].
    pub fn not(&self) -> Result<Self> {
        self.0.iter().try_fold(Self::all(), |rest, span| rest.and(&Self(span.not())))
    }
}
