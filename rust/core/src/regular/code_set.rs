//! Sets of Unicode scalar values, as sorted ranges.

use smallvec::SmallVec;

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
        Self(vec![(0, 0xD7FF), (0xE000, 0x10_FFFF)])
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

/// At most so many sets are told apart at once: a bit each, and one for what is a scalar value at all.
const MAX_DIVIDED: usize = 63;

/// The scalar values in blocks that are each inside or outside of every one of some sets; those inside the first set come first, and of these
/// those inside the second.
pub(super) fn divide(sets: &[&CodeSet]) -> Vec<CodeSet> {
    let (first, rest) = sets.split_at(sets.len().min(MAX_DIVIDED));
    let all = CodeSet::all();
    // Where membership changes, and how.
    let mut changes: SmallVec<[(u32, u64); 32]> = SmallVec::new();
    for (number, set) in first.iter().copied().chain([&all]).enumerate() {
        let bit = 1 << (MAX_DIVIDED - if number < first.len() { number } else { MAX_DIVIDED });
        changes.extend(set.0.iter().flat_map(|&(lo, hi)| [(lo, bit), (hi.saturating_add(1), bit)]));
    }
    changes.sort_by_key(|change| change.0);
    let mut pieces: SmallVec<[(u64, (u32, u32)); 32]> = SmallVec::new();
    let mut members = 0;
    for (at, &(from, change)) in changes.iter().enumerate() {
        members ^= change;
        let to = changes.get(at + 1).map_or(from, |next| next.0);
        if members & 1 != 0 && from < to {
            pieces.push((!members, (from, to - 1)));
        }
    }
    pieces.sort_by_key(|piece| piece.0);
    let block = |pieces: &[(u64, (u32, u32))]| CodeSet(pieces.iter().map(|piece| piece.1).collect());
    let mut blocks: Vec<CodeSet> = pieces.chunk_by(|a, b| a.0 == b.0).map(block).collect();
    rest.iter().for_each(|set| refine(&mut blocks, set));
    blocks
}

/// Splits `blocks`, which are disjoint, so that each is inside `set` or outside it.
fn refine(blocks: &mut Vec<CodeSet>, set: &CodeSet) {
    let mut out = Vec::with_capacity(blocks.len() + 1);
    for block in blocks.drain(..) {
        let inside = block.intersection(set);
        if inside.is_empty() {
            out.push(block);
            continue;
        }
        let outside = block.difference(set);
        out.push(inside);
        if !outside.is_empty() {
            out.push(outside);
        }
    }
    *blocks = out;
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
            prop_assert_eq!(x.difference(&y).union(&x.intersection(&y)), x);
        }

        #[test]
        fn blocks_are_as_if_divided_by_one_set_after_the_other(
            ranges in prop::collection::vec(prop::collection::vec((prop::sample::select(vec![0u32, 20, 0xD7F0, 0xE000, 0x10_FFE0]), 0u32..40, 0u32..20), 0..5), 0..6),
            copies in prop::sample::select(vec![1usize, 1, 1, 20]),
        ) {
            // Some reach over the surrogates and past the last scalar value, as those do that have markers.
            let of = |ranges: &Vec<(u32, u32, u32)>| CodeSet::new(ranges.iter().map(|&(at, lo, n)| (at + lo, at + lo + n)));
            let shifted = |set: &CodeSet, by: usize| CodeSet::new(set.ranges().iter().map(|&(lo, hi)| (lo, hi + by as u32)));
            let sets: Vec<CodeSet> = ranges.iter().map(of).collect();
            let sets: Vec<CodeSet> = (0..copies).flat_map(|copy| sets.iter().map(move |set| shifted(set, copy))).collect();
            let mut blocks = vec![CodeSet::all()];
            sets.iter().for_each(|set| refine(&mut blocks, set));
            prop_assert_eq!(divide(&sets.iter().collect::<Vec<_>>()), blocks);
        }
    }
}
