//! What a state lacks of the tokens of the state it is like ([`crate::automaton::Like`]).
//!
//! A free name is like any name, but for the declared ones with their closing quote. These are the texts that the state *lacks*: a
//! token that is one of them ends nothing, and one that begins with one of them does not go on.

use super::assemble::MaskContext;
use crate::automaton::StateId;
use crate::vocab::{ByteTrie, Vocabulary};
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Holes {
    /// Tokens that are among the other state's and not among this one's, ascending.
    tokens: Box<[u32]>,
    /// From this depth on, what tokens must not begin with, ascending; none begins with another.
    texts: (usize, Box<[Vec<u8>]>),
}

impl Holes {
    /// Those of them that the other state may accept by itself.
    pub(super) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.texts.1.is_empty()
    }

    /// Whether a token of the other state is none of this one's.
    pub(super) fn has(&self, vocabulary: &Vocabulary, token: u32) -> bool {
        let (depth, texts) = &self.texts;
        let begins = || {
            let rest = &vocabulary.token_bytes(token)[*depth..];
            let after = texts.partition_point(|text| &text[..] <= rest);
            after > 0 && rest.starts_with(&texts[after - 1])
        };
        self.tokens.binary_search(&token).is_ok() || !texts.is_empty() && begins()
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        let texts = self.texts.1.iter().map(|text| text.capacity() + size_of::<Vec<u8>>());
        size_of::<Self>() + self.tokens.len() * 4 + texts.sum::<usize>()
    }
}

impl MaskContext<'_> {
    /// What a state lacks of the tokens of the state it is like, below a trie node.
    pub(super) fn holes(&self, state: StateId, trie: &ByteTrie, node: usize) -> Option<Arc<Holes>> {
        let like = self.pda.like(state).filter(|like| !like.is_exact)?;
        let place = (state, (trie.serial(), node as u32));
        if let Some(known) = self.masks.holes.read().get(&place) {
            return Some(Arc::clone(known));
        }
        let holes = match self.pda.lacks(state) {
            Some(texts) => self.holes_of(texts, trie, node),
            None => self.search_holes((state, like.base), trie, node),
        };
        let holes = Arc::new(holes);
        self.masks.holes.write().insert(place, Arc::clone(&holes));
        Some(holes)
    }

    /// Where it is known what is lacking.
    fn holes_of(&self, mut texts: Vec<Vec<u8>>, trie: &ByteTrie, node: usize) -> Holes {
        let places = |text: &Vec<u8>| text.iter().try_fold(node, |node, &byte| trie.child(node, byte));
        let mut tokens = Vec::new();
        texts.iter().for_each(|text| spelled_otherwise(trie, node, text, &mut tokens));
        if trie.serial() != self.vocabulary.trie().serial() {
            // It is not known from where on tokens are read in another trie.
            let nodes = texts.iter().filter_map(places);
            nodes.for_each(|node| tokens.extend_from_slice(trie.tokens_from(node)));
            texts.clear();
        } else {
            texts.retain(|text| match places(text) {
                Some(node) => {
                    tokens.extend_from_slice(trie.tokens_at(node));
                    true
                }
                None => false,
            });
        }
        tokens.sort_unstable();
        texts.sort_unstable();
        let depth = usize::from(trie.nodes()[node].depth);
        Holes { tokens: tokens.into(), texts: (depth, texts.into()) }
    }

    /// Walks both states side by side.
    fn search_holes(&self, (state, base): (StateId, StateId), trie: &ByteTrie, node: usize) -> Holes {
        let mut tokens = Vec::new();
        let mut todo = vec![(node, state, base)];
        while let Some((node, state, base)) = todo.pop() {
            for child in trie.children(node) {
                let (byte, child) = (trie.child_byte(child), trie.child_node(child));
                match (self.pda.byte_target(state, byte), self.pda.byte_target(base, byte)) {
                    (None, Some(_)) => tokens.extend_from_slice(trie.tokens_from(child)),
                    (Some(to), Some(base)) => {
                        let is_same =
                            self.pda.like(to).is_some_and(|like| like.is_exact && like.base == base);
                        if !is_same {
                            todo.push((child, to, base));
                        }
                    }
                    (_, None) => {}
                }
            }
        }
        tokens.sort_unstable();
        Holes { tokens: tokens.into(), texts: Default::default() }
    }
}

/// Adds the tokens below a node that begin with a text of printable ASCII and a quotation mark, with some of the characters written as
/// escapes (RFC 8259, section 7).
pub(super) fn spelled_otherwise(trie: &ByteTrie, node: usize, text: &[u8], tokens: &mut Vec<u32>) {
    let mut todo: SmallVec<[(usize, &[u8], bool); 8]> = smallvec![(node, text, false)];
    while let Some((node, text, is_escaped)) = todo.pop() {
        let [byte, rest @ ..] = text else {
            if is_escaped {
                tokens.extend_from_slice(trie.tokens_from(node));
            }
            continue;
        };
        if !is_escaped && !trie.has_escape_below(node) {
            continue;
        }
        if let Some(child) = trie.child(node, *byte) {
            todo.push((child, rest, is_escaped));
        }
        // The quotation mark at the end is none of the text's characters.
        if let (Some(child), false) = (trie.child(node, b'\\'), rest.is_empty()) {
            if let (b'/', Some(child)) = (byte, trie.child(child, b'/')) {
                todo.push((child, rest, true));
            }
            let mut nodes: SmallVec<[usize; 8]> = trie.child(child, b'u').into_iter().collect();
            for shift in [12, 8, 4, 0] {
                let digit = char::from_digit(u32::from(*byte) >> shift & 0xF, 16).unwrap_or_default() as u8;
                let upper = digit.to_ascii_uppercase();
                let both = [Some(digit), (upper != digit).then_some(upper)];
                let next = nodes.iter().flat_map(|&node| {
                    both.into_iter().flatten().filter_map(move |digit| trie.child(node, digit))
                });
                nodes = next.collect();
            }
            todo.extend(nodes.into_iter().map(|node| (node, rest, true)));
        }
    }
}
