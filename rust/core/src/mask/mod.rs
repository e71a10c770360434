//! Which tokens are allowed: prechecking, context expansion, the shared store, and putting a mask together.
//!
//! A set of configurations allows a token iff its bytes can be stepped through to a set that is not dead. Walking the whole
//! byte trie for that is exact, and cheap wherever few bytes can follow. Where many can (the inside of a string, a
//! number), the answer is *prechecked* once for each automaton state, whatever lies beneath ([`split`]):
//!
//! - *accepted*: the token stays inside the rule, or ends exactly where the rule ends;
//! - *rejected*: it does neither, and nowhere on its way could the rule have ended;
//! - *context-dependent*: the rule can end inside the token. What is left of the token then has to go on in whatever lies
//!   beneath. Dependent tokens are stored as a trie of these remainders, so the real stack is asked once for each
//!   remainder, not for each token.
//!
//! *Context expansion* takes those remainders out that fit no place where the rule is used in the grammar ([`context`]).
//! A split depends only on the part of the automaton that is reachable without popping, so equal parts share it across
//! grammars ([`store`]); the pruned remainders and finished masks belong to one grammar.

mod assemble;
mod beneath;
mod bounded;
mod class;
mod context;
mod duplicates;
mod finished;
mod holes;
mod horizon;
mod key;
mod leaf;
mod ranges;
mod split;
mod store;
mod texts;
mod walk;

pub use assemble::StateStatistics;
pub(crate) use assemble::{GrammarMasks, MaskContext};
pub(crate) use finished::FinishedMasks;
pub use store::SplitStore;

/// A set of token ids in whichever form is smaller.
#[derive(Debug)]
pub(crate) enum TokenIds {
    /// Ascending in no particular order.
    List(Box<[u32]>),
    /// A bitmask row.
    Bits(Box<[u32]>),
}

impl TokenIds {
    /// Keeps `ids` (each once) in the smaller form for a row of `words` words.
    pub(crate) fn from_ids(ids: &[u32], words: usize) -> Self {
        // A list entry is scattered with a read and a write, a row is copied: a list pays up to a quarter of the row.
        if ids.len() * 4 <= words {
            return Self::List(ids.into());
        }
        let mut row = vec![0; words];
        ids.iter().for_each(|&id| crate::vocab::set_bit(&mut row, id));
        Self::Bits(row.into())
    }

    /// These ids with others and without some of them.
    pub(crate) fn with(&self, others: impl Iterator<Item = u32>, without: &[u32], words: usize) -> Self {
        let mut row = vec![0; words].into_boxed_slice();
        self.copy_into(&mut row);
        without.iter().for_each(|&id| crate::vocab::clear_bit(&mut row, id));
        others.for_each(|id| crate::vocab::set_bit(&mut row, id));
        Self::Bits(row)
    }

    /// Adds the ids to a row.
    #[inline]
    pub(crate) fn union_into(&self, row: &mut [u32]) {
        match self {
            Self::List(ids) => ids.iter().for_each(|&id| crate::vocab::set_bit(row, id)),
            Self::Bits(bits) => row.iter_mut().zip(bits).for_each(|(word, &bits)| *word |= bits),
        }
    }

    /// Makes a row hold exactly these ids.
    #[inline]
    pub(crate) fn copy_into(&self, row: &mut [u32]) {
        match self {
            Self::List(_) => {
                row.fill(0);
                self.union_into(row);
            }
            Self::Bits(bits) => row.copy_from_slice(bits),
        }
    }

    /// Each id once.
    pub(crate) fn for_each(&self, mut f: impl FnMut(u32)) {
        match self {
            Self::List(ids) => ids.iter().copied().for_each(f),
            Self::Bits(bits) => {
                for (word, &bits) in bits.iter().enumerate() {
                    let mut left = bits;
                    while left != 0 {
                        f(word as u32 * 32 + left.trailing_zeros());
                        left &= left - 1;
                    }
                }
            }
        }
    }

    pub(crate) fn memory_size_bytes(&self) -> usize {
        match self {
            Self::List(words) | Self::Bits(words) => words.len() * 4,
        }
    }
}
