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
//! Where most tokens would be dependent and no schema makes the states, walks remember their steps instead ([`plain`]).
//!
//! *Context expansion* takes those remainders out that fit no place where the rule is used in the grammar ([`context`]).
//! A split depends only on the part of the automaton that is reachable without popping, so equal parts share it across
//! grammars ([`store`]); the pruned remainders and finished masks belong to one grammar.

mod assemble;
mod beneath;
mod beside;
mod bounded;
mod class;
mod context;
mod duplicates;
mod finished;
mod holes;
mod horizon;
mod key;
mod leaf;
mod lengths;
mod letters;
mod plain;
#[cfg(test)]
mod random_schemas;
mod ranges;
mod served;
mod shared;
mod split;
#[cfg(test)]
mod stepping;
mod store;
mod texts;
mod walk;

pub use assemble::StateStatistics;
pub(crate) use assemble::{GrammarMasks, MaskContext};
pub(crate) use finished::FinishedMasks;
pub use store::SplitStore;

use smallvec::SmallVec;
use std::sync::Arc;

/// A set of token ids in whichever form is smaller.
#[derive(Debug)]
pub(crate) enum TokenIds {
    /// Ascending in no particular order.
    List(Box<[u32]>),
    /// A bitmask row.
    Bits(Box<[u32]>),
    /// Others, with some that are not among them, and without some that are; these are ascending.
    Beside { others: Arc<TokenIds>, with: Box<[u32]>, without: Box<[u32]> },
}

/// Puts ids (each once) in ascending order; many of them by their bits in a row of `words` words.
fn sort_ids(ids: &mut Vec<u32>, words: usize) {
    if ids.len() <= words {
        return ids.sort_unstable();
    }
    let all = TokenIds::from_ids(ids, words);
    ids.clear();
    all.for_each(|id| ids.push(id));
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

    /// Keeps the ids whose bits are set, of which there are so many, in the smaller form.
    pub(crate) fn from_bits(row: Box<[u32]>, number: usize) -> Self {
        if number * 4 > row.len() {
            return Self::Bits(row);
        }
        let mut ids = Vec::with_capacity(number);
        Self::Bits(row).for_each(|id| ids.push(id));
        Self::List(ids.into())
    }

    /// Takes all other ids out of a row.
    pub(crate) fn retain_in(&self, row: &mut [u32]) {
        if let Self::Bits(bits) = self {
            return row.iter_mut().zip(bits).for_each(|(word, &bits)| *word &= bits);
        }
        let mut all = vec![0; row.len()];
        self.union_into(&mut all);
        row.iter_mut().zip(all).for_each(|(word, bits)| *word &= bits);
    }

    /// Other ids with some that are not among them, and without some that are.
    pub(crate) fn beside(others: &Arc<Self>, with: Vec<u32>, mut without: Vec<u32>, words: usize) -> Self {
        // To write these is slower than to copy a row, but a row is kept for each split otherwise.
        let are_few = (with.len() + without.len()) * 16 <= words;
        sort_ids(&mut without, words);
        let beside = Self::Beside { others: Arc::clone(others), with: with.into(), without: without.into() };
        if are_few {
            return beside;
        }
        let mut row = vec![0; words].into_boxed_slice();
        beside.copy_into(&mut row);
        Self::Bits(row)
    }

    /// Adds the ids to a row.
    #[inline]
    pub(crate) fn union_into(&self, row: &mut [u32]) {
        match self {
            Self::List(ids) => ids.iter().for_each(|&id| crate::vocab::set_bit(row, id)),
            Self::Bits(bits) => row.iter_mut().zip(bits).for_each(|(word, &bits)| *word |= bits),
            Self::Beside { others, with, without } => Self::union_beside(others, with, without, row),
        }
    }

    /// What calls itself is not inlined, and few sets are of this kind.
    #[inline(never)]
    fn union_beside(others: &Self, with: &[u32], without: &[u32], row: &mut [u32]) {
        others.union_without(without, row);
        with.iter().for_each(|&id| crate::vocab::set_bit(row, id));
    }

    /// Adds the ids to a row but for some of them.
    #[inline]
    pub(crate) fn union_without(&self, without: &[u32], row: &mut [u32]) {
        if without.is_empty() {
            return self.union_into(row);
        }
        self.union_but(without, row);
    }

    #[inline(never)]
    fn union_but(&self, without: &[u32], row: &mut [u32]) {
        let is_new = |id: &u32| row[*id as usize / 32] >> (id % 32) & 1 == 0;
        let without: SmallVec<[u32; 64]> = without.iter().copied().filter(is_new).collect();
        self.union_into(row);
        without.into_iter().for_each(|id| crate::vocab::clear_bit(row, id));
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
            Self::Beside { others, with, without } => {
                match &**others {
                    Self::Bits(bits) => row.copy_from_slice(bits),
                    others => {
                        row.fill(0);
                        others.union_into(row);
                    }
                }
                without.iter().for_each(|&id| crate::vocab::clear_bit(row, id));
                with.iter().for_each(|&id| crate::vocab::set_bit(row, id));
            }
        }
    }

    /// Whether an id is in the set.
    pub(crate) fn contains(&self, id: u32) -> bool {
        match self {
            Self::List(ids) => ids.contains(&id),
            Self::Bits(bits) => bits[id as usize / 32] >> (id % 32) & 1 == 1,
            Self::Beside { others, with, without } => {
                with.contains(&id) || others.contains(id) && without.binary_search(&id).is_err()
            }
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
            Self::Beside { others, with, without } => {
                others.for_each_but(without, &mut f);
                with.iter().copied().for_each(f);
            }
        }
    }

    /// Each id once but for some.
    fn for_each_but(&self, without: &[u32], f: &mut dyn FnMut(u32)) {
        self.for_each(|id| {
            if without.binary_search(&id).is_err() {
                f(id);
            }
        });
    }

    /// Without others that are shared.
    pub(crate) fn memory_size_bytes(&self) -> usize {
        match self {
            Self::Beside { with, without, .. } => (with.len() + without.len()) * 4,
            Self::List(words) | Self::Bits(words) => words.len() * 4,
        }
    }
}
