//! Sets of Unicode scalar values, as sorted ranges.

/// All Unicode scalar values: every code point but the surrogates.
pub(super) const SCALAR_VALUES: [(u32, u32); 2] = [(0, 0xD7FF), (0xE000, 0x10_FFFF)];

/// A set of symbols: inclusive ranges, ascending, disjoint and not adjacent.
///
/// Symbols are the Unicode scalar values, and two markers past them that only [`super::Regular`] knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeSet(Vec<(u32, u32)>);

impl CodeSet {
    /// The ranges' union; they may come in any order and overlap.
    pub fn new(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut all: Vec<(u32, u32)> = ranges.into_iter().filter(|(lo, hi)| lo <= hi).collect();
        all.sort_unstable();
        let mut out: Vec<(u32, u32)> = Vec::with_capacity(all.len());
        for (lo, hi) in all {
            match out.last_mut() {
                Some(last) if lo <= last.1.saturating_add(1) => last.1 = last.1.max(hi),
                _ => out.push((lo, hi)),
            }
        }
        Self(out)
    }

    /// All Unicode scalar values: every code point but the surrogates.
    pub fn all() -> Self {
        Self(SCALAR_VALUES.into())
    }

    /// One symbol.
    pub fn single(symbol: u32) -> Self {
        Self(vec![(symbol, symbol)])
    }

    /// The ranges, ascending and disjoint.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a symbol is in it.
    pub fn contains(&self, symbol: u32) -> bool {
        let after = self.0.partition_point(|&(lo, _)| lo <= symbol);
        after > 0 && symbol <= self.0[after - 1].1
    }

    /// The least symbol in it.
    pub fn first(&self) -> Option<u32> {
        self.0.first().map(|r| r.0)
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::new(self.0.iter().chain(&other.0).copied())
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (mut i, mut j, mut out) = (0, 0, Vec::new());
        while let (Some(a), Some(b)) = (self.0.get(i), other.0.get(j)) {
            let (lo, hi) = (a.0.max(b.0), a.1.min(b.1));
            if lo <= hi {
                out.push((lo, hi));
            }
            if a.1 < b.1 { i += 1 } else { j += 1 }
        }
        Self(out)
    }

    /// Whether anything is in both.
    pub fn intersects(&self, other: &Self) -> bool {
        let (mut i, mut j) = (0, 0);
        while let (Some(a), Some(b)) = (self.0.get(i), other.0.get(j)) {
            if a.0.max(b.0) <= a.1.min(b.1) {
                return true;
            }
            if a.1 < b.1 { i += 1 } else { j += 1 }
        }
        false
    }

    /// What is in this one only.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut out = Vec::new();
        let mut j = 0;
        for &(mut lo, hi) in &self.0 {
            while other.0.get(j).is_some_and(|b| b.1 < lo) {
                j += 1;
            }
            let mut k = j;
            while let Some(&(from, to)) = other.0.get(k).filter(|b| b.0 <= hi) {
                if from > lo {
                    out.push((lo, from - 1));
                }
                lo = to.saturating_add(1);
                k += 1;
            }
            if lo <= hi {
                out.push((lo, hi));
            }
        }
        Self(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sets_are_sets(a in prop::collection::vec((0u32..40, 0u32..6), 0..6), b in prop::collection::vec((0u32..40, 0u32..6), 0..6)) {
            let of = |v: &[(u32, u32)]| CodeSet::new(v.iter().map(|&(lo, n)| (lo, lo + n)));
            let (x, y) = (of(&a), of(&b));
            for c in 0..50 {
                let (p, q) = (a.iter().any(|r| (r.0..=r.0 + r.1).contains(&c)), y.contains(c));
                prop_assert_eq!(x.contains(c), p);
                prop_assert_eq!(x.union(&y).contains(c), p || q);
                prop_assert_eq!(x.intersection(&y).contains(c), p && q);
                prop_assert_eq!(x.difference(&y).contains(c), p && !q);
            }
            prop_assert_eq!(x.intersects(&y), !x.intersection(&y).is_empty());
            prop_assert_eq!(x.difference(&y).union(&x.intersection(&y)), x);
        }
    }
}
