//! Where a trie is left that is walked by certain bytes.
//!
//! From a place where letters lead back to it, a name say, a walk need not look at letters: all below is allowed, but for what comes
//! after the first other byte on each way. A bit a node says where these are, found in one pass over the trie for all
//! places that go round on the same bytes.

use crate::grammar::ByteSet;
use crate::vocab::{ByteTrie, TrieNode};
use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// A grammar goes round on few different sets of bytes.
const MAX_SETS: usize = 32;

/// The nodes of a trie that other bytes than those of a set lead to.
#[derive(Debug)]
pub(super) struct Beside(Box<[u64]>);

impl Beside {
    pub(super) fn new(trie: &ByteTrie, bytes: &ByteSet) -> Self {
        let is_other: [bool; 256] = std::array::from_fn(|byte| !bytes.contains(byte as u8));
        let word = |nodes: &[TrieNode]| {
            nodes.iter().rev().fold(0, |word, node| word << 1 | u64::from(is_other[usize::from(node.byte)]))
        };
        Self(trie.nodes().chunks(64).map(word).collect())
    }

    /// The first of these nodes from one on and before another.
    #[inline]
    pub(super) fn first(&self, from: usize, end: usize) -> Option<usize> {
        let mut at = from / 64;
        let mut word = self.0.get(at)? & (u64::MAX << (from % 64));
        while word == 0 {
            at += 1;
            if at * 64 >= end {
                return None;
            }
            word = *self.0.get(at)?;
        }
        Some(at * 64 + word.trailing_zeros() as usize).filter(|&node| node < end)
    }
}

/// Those of the vocabulary's trie, for each set of bytes that a grammar's walks go round on.
#[derive(Debug, Default)]
pub(super) struct AllBeside(RwLock<FxHashMap<ByteSet, Wanted>>);

#[derive(Debug, Default)]
struct Wanted {
    /// So many nodes were to be walked.
    nodes: usize,
    beside: Option<Arc<Beside>>,
}

impl AllBeside {
    /// The nodes beside a set of bytes, by which so many nodes are to be walked; `None` if it does not pay yet to find them.
    pub(super) fn get(&self, trie: &ByteTrie, bytes: &ByteSet, nodes: usize) -> Option<Arc<Beside>> {
        if let Some(known) = self.0.read().get(bytes).and_then(|wanted| wanted.beside.clone()) {
            return Some(known);
        }
        let mut all = self.0.write();
        if all.len() == MAX_SETS && !all.contains_key(bytes) {
            all.clear();
        }
        let wanted = all.entry(*bytes).or_default();
        wanted.nodes += nodes;
        if wanted.nodes >= trie.nodes().len() / 4 {
            wanted.beside = Some(Arc::new(Beside::new(trie, bytes)));
        }
        wanted.beside.clone()
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        let all = self.0.read();
        let made = all.values().filter_map(|wanted| wanted.beside.as_ref());
        made.map(|beside| size_of_val(&*beside.0)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nodes_beside_a_set_are_those_of_other_bytes(
            texts in prop::collection::vec(prop::collection::vec(prop::sample::select(b"abc(\x80".to_vec()), 1..9), 1..60),
            bytes in prop::sample::subsequence(b"abc(".to_vec(), 0..4),
            (from, length) in (0usize..200, 0usize..200),
        ) {
            let trie = ByteTrie::new(texts.iter().zip(0..).map(|(text, id)| (&text[..], id)).collect());
            let bytes: ByteSet = bytes.into_iter().collect();
            let last = trie.nodes().len() - 1;
            let (from, end) = (from.clamp(1, last), (from + length).clamp(1, last));
            let expected = (from..end).find(|&node| !bytes.contains(trie.nodes()[node].byte));
            prop_assert_eq!(Beside::new(&trie, &bytes).first(from, end), expected);
        }
    }
}
