//! Exact decimal numbers: what JSON's numbers are.

use num_bigint::{BigInt, BigUint, Sign};
use num_integer::Integer;
use std::cmp::Ordering;

/// `mantissa * 10^exponent`, the mantissa not divisible by ten unless it is zero (and then the exponent is zero).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: BigInt,
    exponent: i64,
}

/// Exponents further from zero than this are refused: the digits would fill the memory.
const MAX_EXPONENT: i64 = 5_000;

impl Decimal {
    fn new(mut mantissa: BigInt, mut exponent: i64) -> Self {
        let (zero, ten) = (BigInt::ZERO, BigInt::from(10));
        if mantissa == zero {
            return Self { mantissa, exponent: 0 };
        }
        loop {
            let (rest, digit) = mantissa.div_rem(&ten);
            if digit != zero {
                return Self { mantissa, exponent };
            }
            mantissa = rest;
            exponent += 1;
        }
    }

    /// A whole number.
    pub fn from_int(value: i64) -> Self {
        Self::new(value.into(), 0)
    }

    /// `m * 10^e`.
    pub(super) fn from_parts(magnitude: BigUint, exponent: i64) -> Self {
        Self::new(magnitude.into(), exponent)
    }

    pub(super) fn power_of_ten(exponent: i64) -> Self {
        Self { mantissa: 1.into(), exponent }
    }

    /// Times a power of ten.
    pub(super) fn shifted(&self, by: i64) -> Self {
        Self::new(self.mantissa.clone(), self.exponent + by)
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        Self::new(self.scaled(exponent) + other.scaled(exponent), exponent)
    }

    pub(super) fn negated(&self) -> Self {
        Self { mantissa: -&self.mantissa, exponent: self.exponent }
    }

    /// Reads a JSON number; `None` for other text, and for exponents beyond ±5,000.
    pub fn parse(text: &str) -> Option<Self> {
        let (digits, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let mantissa: BigInt = format!("{whole}{fraction}").parse().ok()?;
        let value = Self::new(mantissa, exponent.checked_sub(fraction.len() as i64)?);
        (value.exponent.abs() <= MAX_EXPONENT).then_some(value)
    }

    /// Whether a text that begins a JSON number may go on to spell this one: whatever the exponent will be, its digits are the
    /// mantissa's, and then zeros.
    pub(crate) fn may_begin_with(&self, text: &[u8]) -> bool {
        let (sign, text) = match text.split_first() {
            Some((b'-', rest)) => (Sign::Minus, rest),
            _ => (Sign::Plus, text),
        };
        let digits = text.iter().take_while(|b| !matches!(b, b'e' | b'E')).filter(|b| b.is_ascii_digit());
        let mut read = digits.skip_while(|&&digit| digit == b'0').peekable();
        if read.peek().is_none() {
            // Zero has any sign.
            return self.is_zero() || self.mantissa.sign() == sign;
        }
        let wanted = self.mantissa.magnitude().to_string();
        let zeros = std::iter::repeat(&b'0');
        !self.is_zero()
            && self.mantissa.sign() == sign
            && read.zip(wanted.as_bytes().iter().chain(zeros)).all(|(read, wanted)| read == wanted)
    }

    /// Whether it is less than zero.
    pub fn is_negative(&self) -> bool {
        self.mantissa.sign() == Sign::Minus
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.mantissa == BigInt::ZERO
    }

    /// Whether it is a whole number, however it is spelled.
    pub fn is_integer(&self) -> bool {
        self.exponent >= 0
    }

    /// The magnitude.
    #[must_use]
    pub fn abs(&self) -> Self {
        Self { mantissa: self.mantissa.magnitude().clone().into(), exponent: self.exponent }
    }

    /// As a count, if it is one; past `u32::MAX` that.
    pub fn to_count(&self) -> Option<u32> {
        if self.is_negative() || !self.is_integer() {
            return None;
        }
        Some(u32::try_from(self.scaled(0)).unwrap_or(u32::MAX))
    }

    /// The mantissa as it would be with this exponent, if that is small.
    fn small(&self, exponent: i64) -> Option<i128> {
        let up = u32::try_from(self.exponent - exponent).ok().filter(|&up| up < 19)?;
        let mantissa = i64::try_from(&self.mantissa).ok()?;
        i128::from(mantissa).checked_mul(10i128.pow(up))
    }

    /// The mantissa as it would be with this exponent, which is no greater than the number's own.
    fn scaled(&self, exponent: i64) -> BigInt {
        let up = u32::try_from(self.exponent - exponent).unwrap_or(0);
        &self.mantissa * BigInt::from(10).pow(up)
    }

    /// The magnitude's digits before and after the point, without superfluous zeros (but one before the point).
    pub fn digits(&self) -> (Vec<u8>, Vec<u8>) {
        let all = self.scaled(self.exponent.min(0)).magnitude().to_string().into_bytes();
        let after = usize::try_from(-self.exponent).unwrap_or(0);
        if all.len() > after {
            let (whole, fraction) = all.split_at(all.len() - after);
            return (whole.to_vec(), fraction.to_vec());
        }
        let zeros = std::iter::repeat_n(b'0', after - all.len());
        (vec![b'0'], zeros.chain(all).collect())
    }

    /// `m` and `e` of the magnitude `m * 10^e`, `m` not divisible by ten.
    pub fn parts(&self) -> (BigUint, i64) {
        (self.mantissa.magnitude().clone(), self.exponent)
    }

    /// The least number that is a multiple of both, which are positive.
    #[must_use]
    pub fn lcm(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        Self::new(self.scaled(exponent).lcm(&other.scaled(exponent)), exponent)
    }

    /// How many times `unit`, which is positive, is in it, rounded down or up.
    pub(super) fn quotient(&self, unit: &Self, up: bool) -> BigInt {
        let exponent = self.exponent.min(unit.exponent);
        let (value, unit) = (self.scaled(exponent), unit.scaled(exponent));
        if up { value.div_ceil(&unit) } else { value.div_floor(&unit) }
    }

    /// The product with an integer.
    pub(super) fn times(&self, factor: &BigInt) -> Self {
        Self::new(&self.mantissa * factor, self.exponent)
    }

    /// Whether it is an integer times `unit`, which is positive.
    pub fn is_multiple_of(&self, unit: &Self) -> bool {
        let exponent = self.exponent.min(unit.exponent);
        self.scaled(exponent).is_multiple_of(&unit.scaled(exponent))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let exponent = self.exponent.min(other.exponent);
        if let (Some(own), Some(theirs)) = (self.small(exponent), other.small(exponent)) {
            return own.cmp(&theirs);
        }
        if self.mantissa.sign() != other.mantissa.sign() {
            return self.mantissa.sign().cmp(&other.mantissa.sign());
        }
        // A decimal place is between three and four bits.
        let least = |n: &Self| n.mantissa.bits() as i64 - 1 + (n.exponent - exponent) * 3;
        let most = |n: &Self| n.mantissa.bits() as i64 + (n.exponent - exponent) * 4;
        let is_less = most(self) <= least(other);
        if is_less || least(self) >= most(other) {
            return if is_less == self.is_negative() { Ordering::Greater } else { Ordering::Less };
        }
        self.scaled(exponent).cmp(&other.scaled(exponent))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn the_digits_of_a_text_say_what_it_may_become() {
        let may = |value: &str, text: &str| Decimal::parse(value).unwrap().may_begin_with(text.as_bytes());
        assert!(
            may("12", "1")
                && may("12", "12.0")
                && may("12", "0.01")
                && may("1200", "12e")
                && may("12", "120")
        );
        assert!(
            !may("12", "13") && !may("12", "-1") && !may("12", "121") && may("-12", "-") && !may("-12", "1")
        );
        assert!(may("0", "-0") && may("0", "0.00") && !may("0", "1") && may("5", "0") && !may("5", "-0"));
    }

    #[test]
    fn spellings_of_one_number_are_equal() {
        assert_eq!(d("1.0"), d("1"));
        assert_eq!(d("-120e-1"), d("-12"));
        assert_eq!(d("0.000"), d("-0"));
        assert_eq!(d("100").digits(), (b"100".to_vec(), vec![]));
        assert_eq!(d("-0.05").digits(), (b"0".to_vec(), b"05".to_vec()));
        assert!(Decimal::parse("1e99999").is_none() && Decimal::parse("x").is_none());
    }

    #[test]
    fn arithmetic_is_exact() {
        assert!(d("0.0075").is_multiple_of(&d("0.0001")) && !d("0.00751").is_multiple_of(&d("0.0001")));
        assert_eq!(d("0.2").lcm(&d("0.3")), d("0.6"));
        assert!(d("1e308") > d("1e307") && d("-2") < d("-1.5"));
        assert_eq!(
            (d("3").to_count(), d("3.5").to_count(), d("1e20").to_count()),
            (Some(3), None, Some(u32::MAX))
        );
    }
}
