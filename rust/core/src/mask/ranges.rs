//! Tokens as ranges of places in a trie's order: a walk finds whole subtrees.

use super::TokenIds;
use crate::vocab::{ByteTrie, Vocabulary};
use std::ops::Range;

/// Ascending ranges; neighbours are joined.
#[derive(Debug, Default)]
pub(super) struct Ranges(Vec<Range<usize>>);

impl Ranges {
    /// Adds a range after all others.
    #[inline]
    pub(super) fn push(&mut self, range: Range<usize>) {
        match self.0.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ if range.is_empty() => {}
            _ => self.0.push(range),
        }
    }

    /// Takes ascending ranges out.
    pub(super) fn remove(&mut self, others: impl Iterator<Item = Range<usize>>) {
        let mut all = std::mem::take(&mut self.0).into_iter();
        let mut left = all.next();
        for other in others {
            while let Some(range) = left.take() {
                self.push(range.start..range.end.min(other.start).max(range.start));
                let rest = range.start.max(other.end)..range.end;
                if !rest.is_empty() {
                    left = Some(rest);
                    break;
                }
                left = all.next();
            }
        }
        left.into_iter().chain(all).for_each(|range| self.push(range));
    }

    /// How many places there are.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(ExactSizeIterator::len).sum()
    }

    /// The tokens, in the trie's order.
    pub(super) fn tokens(&self, trie: &ByteTrie) -> Vec<u32> {
        let mut tokens = Vec::with_capacity(self.len());
        self.add_to(trie, &mut tokens);
        tokens
    }

    /// Adds the tokens to a list, in the trie's order.
    pub(super) fn add_to(&self, trie: &ByteTrie, tokens: &mut Vec<u32>) {
        self.0.iter().for_each(|range| tokens.extend_from_slice(&trie.order()[range.clone()]));
    }

    /// The tokens as a set. If they are most of the vocabulary, it is made by taking the others out.
    pub(super) fn token_ids(&self, trie: &ByteTrie, vocabulary: &Vocabulary) -> TokenIds {
        let (order, words) = (trie.order(), vocabulary.mask_words());
        if trie.serial() != vocabulary.trie().serial() || self.len() * 2 < order.len() {
            return TokenIds::from_ids(&self.tokens(trie), words);
        }
        let mut row: Box<[u32]> = vocabulary.text_tokens().as_words().into();
        let ends = self.0.iter().map(|range| range.end);
        let starts = self.0.iter().map(|range| range.start);
        for (from, to) in std::iter::once(0).chain(ends).zip(starts.chain([order.len()])) {
            order[from..to].iter().for_each(|&id| row[id as usize / 32] &= !(1 << (id % 32)));
        }
        TokenIds::Bits(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_taken_out_is_gone(all in prop::collection::vec(any::<bool>(), 0..60), out in prop::collection::vec(0u8..3, 60)) {
            let mut ranges = Ranges::default();
            (0..all.len()).filter(|&at| all[at]).for_each(|at| ranges.push(at..at + 1));
            // Some of the others are joined, some empty.
            let mut others: Vec<Range<usize>> = Vec::new();
            for (at, &out) in out.iter().enumerate() {
                match (out, others.last_mut()) {
                    (0, _) => others.push(at..at),
                    (1, Some(last)) if last.end == at => last.end = at + 1,
                    (1, _) => others.push(at..at + 1),
                    _ => {}
                }
            }
            let left: Vec<usize> = (0..all.len()).filter(|&at| all[at] && out[at] != 1).collect();
            ranges.remove(others.into_iter());
            prop_assert_eq!(ranges.len(), left.len());
            prop_assert!(ranges.0.iter().all(|range| !range.is_empty()));
            prop_assert_eq!(ranges.0.into_iter().flatten().collect::<Vec<_>>(), left);
        }
    }
}
