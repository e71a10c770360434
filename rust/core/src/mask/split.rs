//! Splitting the vocabulary for one automaton state, whatever lies beneath.

use super::TokenIds;
use crate::automaton::Pda;
use crate::error::Result;
use crate::stack::{Arena, Config, SetFlags, SetId};
use crate::vocab::{ByteTrie, TrieNode, Vocabulary};

/// The vocabulary as one state sees it; see [`crate::mask`].
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) accepted: TokenIds,
    pub(crate) num_accepted: usize,
    /// Remainders of context-dependent tokens after the rule's end, with the tokens they belong to.
    pub(crate) remainders: ByteTrie,
    /// Context-dependent tokens; each once, however many remainders it has.
    pub(crate) num_dependent: usize,
    /// Tokens inside which a value is collected: the real registers have to be asked.
    pub(crate) again: Box<[u32]>,
}

/// Memory that the walk of one split may take, bytes.
const WALK_LIMIT_BYTES: usize = 1 << 30;

impl Split {
    /// Walks the byte trie below a node from a state with nothing known beneath; the root is node 0.
    pub(crate) fn compute(pda: &Pda, vocabulary: &Vocabulary, config: Config, node: u32) -> Result<Self> {
        let mut arena = Arena::new(WALK_LIMIT_BYTES);
        let config = arena.unknown_config(config);
        let start = arena.set_of(pda, config, SetFlags::default());
        let mut walk = Walk {
            pda,
            trie: vocabulary.trie(),
            vocabulary,
            sets: vec![SetId::DEAD; vocabulary.trie().max_depth() + 1],
            arena,
            ends: Vec::new(),
            accepted: Vec::new(),
            remainders: Vec::new(),
            num_dependent: 0,
            again: Vec::new(),
            collected: None,
        };
        let (at, end) = (node as usize, walk.trie.nodes()[node as usize].end as usize);
        walk.sets[usize::from(walk.trie.nodes()[at].depth)] = start;
        if node == 0 {
            for byte in pda.expanded(config.state).first.iter() {
                if let Some(child) = walk.trie.child_of_root(byte) {
                    walk.subtree(child, walk.trie.nodes()[child].end as usize);
                }
            }
        } else {
            walk.subtree(at + 1, end);
        }
        walk.arena.check_limit()?;
        Ok(Self {
            accepted: TokenIds::from_ids(&walk.accepted, vocabulary.mask_words()),
            num_accepted: walk.accepted.len(),
            num_dependent: walk.num_dependent,
            again: walk.again.into(),
            remainders: ByteTrie::new(walk.remainders),
        })
    }

    /// The same with fewer remainders.
    pub(crate) fn with_remainders(self, remainders: ByteTrie) -> Self {
        Self { remainders, ..self }
    }

    pub(crate) fn memory_size_bytes(&self) -> usize {
        size_of::<Self>() + self.accepted.memory_size_bytes() + self.remainders.memory_size_bytes()
    }
}

struct Walk<'a> {
    pda: &'a Pda,
    trie: &'a ByteTrie,
    vocabulary: &'a Vocabulary,
    arena: Arena,
    /// The set after each depth of the current path; dead where only dependent tokens are collected.
    sets: Vec<SetId>,
    /// Depths of the current path at which the rule could have ended.
    ends: Vec<u16>,
    accepted: Vec<u32>,
    remainders: Vec<(&'a [u8], u32)>,
    num_dependent: usize,
    again: Vec<u32>,
    /// The depth of the current path from which on a value has been collected.
    collected: Option<u16>,
}

impl<'a> Walk<'a> {
    /// Nodes from one to another, in order.
    fn subtree(&mut self, from: usize, end: usize) {
        let trie = self.trie;
        let mut at = from;
        while at < end {
            let TrieNode { byte, depth, end: after, .. } = trie.nodes()[at];
            while self.ends.last().is_some_and(|&d| d >= depth) {
                self.ends.pop();
            }
            let above = self.sets[usize::from(depth) - 1];
            let set = if above == SetId::DEAD { above } else { self.arena.step(self.pda, above, byte) };
            let ends_here = self.arena.flags(set).open;
            let is_alive = self.arena.is_alive(set);
            if self.collected.is_some_and(|from| from >= depth) {
                self.collected = None;
            }
            if self.collected.is_none() && self.arena.flags(set).recheck {
                self.collected = Some(depth);
            }
            if self.collected.is_some() && (is_alive || ends_here || !self.ends.is_empty()) {
                self.again.extend_from_slice(trie.tokens_at(at));
            } else if is_alive || ends_here {
                self.accepted.extend_from_slice(trie.tokens_at(at));
            } else if self.ends.is_empty() {
                at = after as usize;
                continue;
            } else {
                self.dependent(trie.tokens_at(at));
            }
            if ends_here {
                self.ends.push(depth);
            }
            self.sets[usize::from(depth)] = if is_alive { set } else { SetId::DEAD };
            at += 1;
        }
    }

    fn dependent(&mut self, tokens: &[u32]) {
        self.num_dependent += tokens.len();
        for &token in tokens {
            let text: &'a [u8] = self.vocabulary.token_bytes(token);
            self.remainders.extend(self.ends.iter().map(|&end| (&text[usize::from(end)..], token)));
        }
    }
}
