//! Sets of symbols that a language does not tell apart.
//!
//! A term's derivatives by two symbols are the same if its classes have both or neither. So the scalar values are divided by all these
//! classes: in one sweep over the places where any of them begins or ends, which tells who is a member of what in a word.

use super::CodeSet;
use super::code_set::SCALAR_VALUES;
use smallvec::SmallVec;

/// At most so many sets are told apart in one sweep: a bit each, and one for what is a scalar value at all.
const MAX_AT_ONCE: usize = 63;

/// A range of a block, after the block's number.
type Piece = (u64, (u32, u32));

/// Disjoint sets that have all scalar values between them.
#[derive(Debug)]
pub struct Blocks(SmallVec<[Piece; 16]>);

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a>(&'a [Piece]);

impl Blocks {
    /// The scalar values in blocks that are each inside or outside of every one of some sets; those inside the first set come first, and of
    /// these those inside the second.
    pub fn of(sets: &[&CodeSet]) -> Self {
        let (first, rest) = sets.split_at(sets.len().min(MAX_AT_ONCE));
        let blocks = Self::at_once(first);
        if rest.is_empty() {
            return blocks;
        }
        let mut sets: Vec<CodeSet> = blocks.iter().map(Block::set).collect();
        rest.iter().for_each(|set| refine(&mut sets, set));
        let pieces = sets
            .iter()
            .zip(0..)
            .flat_map(|(set, number)| set.ranges().iter().map(move |&range| (number, range)));
        Self(pieces.collect())
    }

    fn at_once(sets: &[&CodeSet]) -> Self {
        // Where membership changes, and whose.
        let mut changes: SmallVec<[(u32, u64); 24]> = SmallVec::new();
        let mut add = |ranges: &[(u32, u32)], bit: u64| {
            changes.extend(ranges.iter().flat_map(|&(lo, hi)| [(lo, bit), (hi.saturating_add(1), bit)]));
        };
        sets.iter().zip(1..).for_each(|(set, number)| add(set.ranges(), 1 << (MAX_AT_ONCE + 1 - number)));
        add(&SCALAR_VALUES, 1);
        changes.sort_by_key(|change| change.0);
        let mut pieces: SmallVec<[Piece; 16]> = SmallVec::new();
        let mut members = 0;
        for (at, &(from, change)) in changes.iter().enumerate() {
            members ^= change;
            let to = changes.get(at + 1).map_or(from, |next| next.0);
            if members & 1 != 0 && from < to {
                pieces.push((!members, (from, to - 1)));
            }
        }
        pieces.sort_by_key(|piece| piece.0);
        Self(pieces)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Block<'_>> {
        self.0.chunk_by(|a, b| a.0 == b.0).map(Block)
    }
}

impl<'a> Block<'a> {
    /// Its least symbol.
    pub fn first(self) -> u32 {
        self.0[0].1.0
    }

    /// Its ranges, ascending, disjoint and not adjacent.
    pub fn ranges(self) -> impl Iterator<Item = (u32, u32)> + 'a {
        self.0.iter().map(|piece| piece.1)
    }

    /// The set.
    pub fn set(self) -> CodeSet {
        CodeSet::new(self.ranges())
    }
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
            let divided: Vec<CodeSet> = Blocks::of(&sets.iter().collect::<Vec<_>>()).iter().map(Block::set).collect();
            prop_assert_eq!(divided, blocks);
        }
    }
}
