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
