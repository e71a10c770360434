//! A set of bytes as 256 bits.

use serde::{Deserialize, Serialize};

/// A set of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct ByteSet([u64; 4]);

impl ByteSet {
    /// The empty set.
    pub const EMPTY: Self = Self([0; 4]);
    /// All 256 bytes.
    pub const FULL: Self = Self([u64::MAX; 4]);

    /// The set of one byte.
    #[inline]
    pub fn single(byte: u8) -> Self {
        Self::range(byte, byte)
    }

    /// The bytes from `lo` to `hi`, both included; empty when `lo > hi`.
    #[inline]
    pub fn range(lo: u8, hi: u8) -> Self {
        let mut set = Self::EMPTY;
        set.insert_range(lo, hi);
        set
    }

    /// Adds the bytes from `lo` to `hi`, both included.
    #[inline]
    pub fn insert_range(&mut self, lo: u8, hi: u8) {
        for (word, first) in self.0.iter_mut().zip([0u8, 64, 128, 192]) {
            let (from, to) = (lo.max(first), hi.min(first + 63));
            if from <= to {
                *word |= (u64::MAX >> (63 - (to - from))) << (from - first);
            }
        }
    }

    /// Adds one byte.
    #[inline]
    pub fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    /// Whether `byte` is in the set.
    #[inline]
    pub fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    /// Its 256 bits, the lowest first.
    #[inline]
    pub(crate) fn words(&self) -> [u64; 4] {
        self.0
    }

    /// The set of such bits.
    #[inline]
    pub(crate) const fn from_words(words: [u64; 4]) -> Self {
        Self(words)
    }

    /// The same by halves.
    pub(crate) fn to_words(self) -> [u32; 8] {
        std::array::from_fn(|at| (self.0[at / 2] >> (at % 2 * 32)) as u32)
    }

    /// The union.
    #[inline]
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] | other.0[i]))
    }

    /// The intersection.
    #[inline]
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & other.0[i]))
    }

    /// The bytes that are not in the other set.
    #[inline]
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & !other.0[i]))
    }

    /// Whether all bytes are in the other set.
    #[inline]
    pub fn is_within(&self, other: &Self) -> bool {
        let [a, b, c, d] = self.0;
        let [e, f, g, h] = other.0;
        (a & !e) | (b & !f) | (c & !g) | (d & !h) == 0
    }

    /// All bytes that are not in the set.
    #[inline]
    #[must_use]
    pub fn complement(&self) -> Self {
        Self(self.0.map(|word| !word))
    }

    /// Whether there is no byte in the set.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// How many bytes are in the set.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The smallest of its bytes that is not below another.
    #[inline]
    pub fn first_from(&self, from: u8) -> Option<u8> {
        let mut word = usize::from(from >> 6);
        let mut bits = self.0[word] & u64::MAX << (from & 63);
        while bits == 0 {
            word += 1;
            bits = *self.0.get(word)?;
        }
        Some((word << 6) as u8 | bits.trailing_zeros() as u8)
    }

    /// The bytes in ascending order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        let mut next = Some(0);
        std::iter::from_fn(move || {
            let byte = self.first_from(next?)?;
            next = byte.checked_add(1);
            Some(byte)
        })
    }

    /// The maximal ranges of neighbouring bytes, in ascending order.
    pub fn ranges(&self) -> impl Iterator<Item = (u8, u8)> + '_ {
        let others = self.complement();
        let mut next = Some(0);
        std::iter::from_fn(move || {
            let lo = self.first_from(next?)?;
            next = others.first_from(lo);
            Some((lo, next.map_or(u8::MAX, |next| next - 1)))
        })
    }
}

impl FromIterator<u8> for ByteSet {
    fn from_iter<I: IntoIterator<Item = u8>>(bytes: I) -> Self {
        let mut set = Self::EMPTY;
        for byte in bytes {
            set.insert(byte);
        }
        set
    }
}

impl std::fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[")?;
        for (lo, hi) in self.ranges() {
            if lo == hi {
                write!(f, "{}", lo.escape_ascii())?;
            } else {
                write!(f, "{}-{}", lo.escape_ascii(), hi.escape_ascii())?;
            }
        }
        write!(f, "]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_the_set_exactly() {
        for set in [
            ByteSet::EMPTY,
            ByteSet::FULL,
            ByteSet::range(b'a', b'z'),
            ByteSet::from_iter([0, 1, 63, 64, 255]),
        ] {
            let back: ByteSet = set.ranges().flat_map(|(lo, hi)| lo..=hi).collect();
            assert_eq!(back, set);
            assert_eq!(set.iter().count(), set.len());
            assert_eq!(set.complement().len(), 256 - set.len());
            let low = set.intersection(&ByteSet::range(0, b'm'));
            assert_eq!(set.difference(&low).union(&low), set);
            assert!(low.is_within(&set));
            assert_eq!(set.is_within(&low), set == low);
        }
    }
}
