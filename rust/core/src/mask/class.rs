//! The tokens made of certain characters, found once for all the states that go on by these.
//!
//! A pattern has a state for each length or count, and each of them takes the same tokens as long as they stay within its horizon
//! ([`crate::automaton::horizon`]). They differ where tokens leave the characters; a [`Class`] lists these places of the trie, and a
//! state's split only looks there.

use super::TokenIds;
use super::ranges::Ranges;
use crate::automaton::horizon::{ENOUGH, Horizon, ascii_bits};
use crate::grammar::ByteSet;
use crate::vocab::{ByteTrie, TrieNode, Utf8, Vocabulary};

/// Which characters, and by which bytes they are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ClassKey {
    ascii: u128,
    has_others: bool,
    beyond: ByteSet,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) tokens: TokenIds,
    pub(super) number: usize,
    /// The nodes by which texts of the class are left, in the trie's order.
    pub(super) exits: Box<[u32]>,
    /// The nodes of tokens that may be too long, in the trie's order.
    pub(super) long: Box<[u32]>,
}

/// Classes of fewer characters have few tokens.
const LEAST_CHARACTERS: u32 = 16;

impl ClassKey {
    /// The class of a horizon if a state with it has a use for one.
    pub(super) fn of(horizon: &Horizon) -> Option<Self> {
        let &Horizon { ascii, has_others, alphabet, length, .. } = horizon;
        if length < ENOUGH || !has_others && ascii.count_ones() < LEAST_CHARACTERS {
            return None;
        }
        let is_beyond = |&byte: &u8| if byte.is_ascii() { ascii >> byte & 1 == 0 } else { !has_others };
        let mut beyond = ByteSet::EMPTY;
        alphabet?.iter().filter(is_beyond).for_each(|byte| beyond.insert(byte));
        Some(Self { ascii, has_others, beyond })
    }
}

impl Class {
    /// One pass over the vocabulary's trie.
    pub(super) fn new(vocabulary: &Vocabulary, key: &ClassKey) -> Self {
        let trie = vocabulary.trie();
        let mut within = Ranges::default();
        let (mut exits, mut long) = (Vec::new(), Vec::new());
        // What a decoder waits for after each depth of the path.
        let mut path = vec![Utf8::Boundary; trie.max_depth() + 1];
        let mut at = 1;
        while at + 1 < trie.nodes().len() {
            let TrieNode { byte, depth, end, .. } = trie.nodes()[at];
            let depth = usize::from(depth);
            let after = match path[depth - 1] {
                Utf8::Boundary if byte.is_ascii() => {
                    (key.ascii & ascii_bits(byte, byte) != 0).then_some(Utf8::Boundary)
                }
                waiting => waiting.next(byte).filter(|_| key.has_others),
            };
            let Some(after) = after else {
                if path[depth - 1] == Utf8::Boundary && key.beyond.contains(byte) {
                    exits.push(at as u32);
                }
                at = end as usize;
                continue;
            };
            path[depth] = after;
            if key.takes_all_below(trie, at) {
                within.push(trie.places_from(at));
                at = end as usize;
                continue;
            }
            within.push(trie.places_at(at));
            if depth > usize::from(ENOUGH) && !trie.tokens_at(at).is_empty() {
                long.push(at as u32);
            }
            at += 1;
        }
        let number = within.len();
        Self { tokens: within.token_ids(trie, vocabulary), number, exits: exits.into(), long: long.into() }
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        size_of::<Self>() + self.tokens.memory_size_bytes() + (self.exits.len() + self.long.len()) * 4
    }
}

impl ClassKey {
    /// Whether all below a node is known to be of the class, and none of it long.
    fn takes_all_below(&self, trie: &ByteTrie, node: usize) -> bool {
        trie.summary(node).is_some_and(|below| {
            below.ascii & !self.ascii == 0
                && (!below.has_other || self.has_others && below.is_text)
                && trie.nodes()[node].depth + below.height <= ENOUGH
        })
    }
}
