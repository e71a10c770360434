//! The vocabulary's tokens by the lengths of their texts.

use crate::automaton::horizon::ENOUGH;
use crate::vocab::{Vocabulary, set_bit};

/// A row for each length up to [`ENOUGH`], of the tokens that are no longer.
#[derive(Debug)]
pub(crate) struct Lengths(Box<[Box<[u32]>]>);

impl Lengths {
    pub(super) fn new(vocabulary: &Vocabulary) -> Self {
        let mut rows = vec![vec![0; vocabulary.mask_words()].into_boxed_slice(); usize::from(ENOUGH) + 1];
        for &token in vocabulary.trie().order() {
            if let Some(row) = rows.get_mut(vocabulary.token_bytes(token).len()) {
                set_bit(row, token);
            }
        }
        for length in 1..rows.len() {
            let (shorter, row) = rows.split_at_mut(length);
            row[0].iter_mut().zip(&shorter[length - 1]).for_each(|(word, &bits)| *word |= bits);
        }
        Self(rows.into())
    }

    /// The tokens of at most so many bytes, of which there may be [`ENOUGH`].
    pub(super) fn up_to(&self, length: usize) -> &[u32] {
        &self.0[length]
    }
}
