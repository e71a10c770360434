//! The byte trie: all token texts as one flat array in depth-first order.
//!
//! A node knows its byte, its depth and where its subtree ends, and the bytes of its children stand side by side, so that a
//! walk tries them without touching the children that do not go on. No recursion, no pointers.
//!
//! Invariant: nodes stand in preorder with siblings by ascending byte, and `order` lists the tokens in the same order, so
//! the tokens *at* node `i` are `order[starts[i].token..starts[i + 1].token]` and those in its whole subtree
//! end at `starts[nodes[i].end].token`. Node 0 is the root (depth 0, no byte); one sentinel closes the array.

use super::summary::{Summaries, Summary};
use crate::grammar::ByteSet;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// One node; see the module's invariant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrieNode {
    /// Index after the last node of this subtree.
    pub(crate) end: u32,
    /// Distance from the root.
    pub(crate) depth: u16,
    /// The byte that leads here.
    pub(crate) byte: u8,
}

/// Where what belongs to a node begins. Walks seldom ask, so it stands apart: they touch half the memory.
#[derive(Clone, Copy, Debug)]
struct Start {
    /// Index into `order` of the first token at or below the node.
    token: u32,
    /// Index of the first child in the lists of children.
    child: u32,
}

/// A byte trie over `(text, id)` pairs; several ids may share a text.
#[derive(Debug)]
pub(crate) struct ByteTrie {
    nodes: Box<[TrieNode]>,
    /// For each node.
    starts: Box<[Start]>,
    order: Box<[u32]>,
    /// The children of all nodes, those of one node together, by ascending byte.
    child_bytes: Box<[u8]>,
    child_nodes: Box<[u32]>,
    /// The nodes that a backslash leads to, ascending.
    escapes: Box<[u32]>,
    max_depth: usize,
    serial: u64,
    summaries: Summaries,
}

/// Every trie gets a number of its own.
static SERIAL: AtomicU64 = AtomicU64::new(0);

impl ByteTrie {
    /// Builds the trie; texts must not be empty nor longer than `u16::MAX`.
    pub(crate) fn new(mut entries: Vec<(&[u8], u32)>) -> Self {
        entries.sort_unstable();
        Self::build(&entries).0
    }

    /// Builds the trie of pairs that are sorted already, each of them once; `None` if they are not.
    pub(crate) fn from_sorted(entries: &[(&[u8], u32)]) -> Option<Self> {
        let (trie, is_sorted) = Self::build(entries);
        is_sorted.then_some(trie)
    }

    /// The trie of sorted pairs, and whether they are.
    fn build(entries: &[(&[u8], u32)]) -> (Self, bool) {
        let mut is_sorted = true;
        let mut nodes = vec![TrieNode { end: 0, depth: 0, byte: 0 }];
        let mut first_tokens = vec![0];
        let mut path = vec![0usize]; // open nodes from the root to the last node
        let mut previous: &[u8] = &[];
        for (position, &(text, id)) in entries.iter().enumerate() {
            let shared = previous.iter().zip(text).take_while(|(a, b)| a == b).count();
            let before = position.checked_sub(1).map(|before| entries[before].1);
            is_sorted &= match (previous.get(shared), text.get(shared)) {
                (Some(a), Some(b)) => a < b,
                (None, None) => before.is_none_or(|before| before < id),
                (a, _) => a.is_none(),
            };
            for closed in path.drain(shared + 1..) {
                nodes[closed].end = nodes.len() as u32;
            }
            for (depth, &byte) in text.iter().enumerate().skip(shared) {
                path.push(nodes.len());
                nodes.push(TrieNode { end: 0, depth: depth as u16 + 1, byte });
                first_tokens.push(position as u32);
            }
            previous = text;
        }
        for closed in path.drain(..) {
            nodes[closed].end = nodes.len() as u32;
        }
        let end = nodes.len() as u32;
        nodes.push(TrieNode { end: end + 1, depth: 0, byte: 0 });
        first_tokens.push(entries.len() as u32);
        let Family { starts, child_bytes, child_nodes } = list_children(&nodes, &first_tokens);
        let max_depth = entries.iter().map(|(text, _)| text.len()).max().unwrap_or(0);
        let order = entries.iter().map(|&(_, id)| id).collect();
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let summaries = Summaries::default();
        let inner = nodes[..nodes.len() - 1].iter().zip(0..);
        let escapes = inner.filter(|(node, _)| node.byte == b'\\').map(|(_, at)| at).collect();
        let nodes = nodes.into();
        (
            Self { nodes, starts, order, child_bytes, child_nodes, escapes, max_depth, serial, summaries },
            is_sorted,
        )
    }

    /// Adds the summaries of the larger nodes: worth it for a trie that is walked often.
    #[must_use]
    pub(crate) fn with_summaries(mut self) -> Self {
        self.summaries = Summaries::new(&self.nodes);
        self
    }

    /// What lies below a node, if that is much and was looked at.
    #[inline]
    pub(crate) fn summary(&self, node: usize) -> Option<Summary> {
        self.summaries.get(node)
    }

    /// The nodes, the sentinel included.
    #[inline]
    pub(crate) fn nodes(&self) -> &[TrieNode] {
        &self.nodes
    }

    /// The children of a node, as a range of numbers for [`Self::child_byte`] and [`Self::child_node`].
    #[inline]
    pub(crate) fn children(&self, node: usize) -> Range<usize> {
        self.starts[node].child as usize..self.starts[node + 1].child as usize
    }

    #[inline]
    pub(crate) fn child_byte(&self, child: usize) -> u8 {
        self.child_bytes[child]
    }

    #[inline]
    pub(crate) fn child_node(&self, child: usize) -> usize {
        self.child_nodes[child] as usize
    }

    /// The first of some children of one node whose byte is in a set.
    #[inline]
    pub(crate) fn first_child_by(&self, children: Range<usize>, bytes: &ByteSet) -> Option<usize> {
        let Range { start: mut child, end } = children;
        while child < end {
            let byte = self.child_bytes[child];
            let wanted = bytes.first_from(byte)?;
            if wanted == byte {
                return Some(child);
            }
            // From one to the next a byte grows by one at least.
            let between = child + 1..end.min(child + usize::from(wanted - byte));
            child = between.start + self.child_bytes[between].partition_point(|&byte| byte < wanted);
        }
        None
    }

    /// The children of a node whose bytes are in a set.
    #[inline]
    pub(crate) fn children_by(&self, node: usize, bytes: &ByteSet) -> impl Iterator<Item = usize> {
        let mut left = self.children(node);
        std::iter::from_fn(move || {
            let child = self.first_child_by(left.clone(), bytes)?;
            left.start = child + 1;
            Some(child)
        })
    }

    /// The child of a node for a byte.
    #[inline]
    pub(crate) fn child(&self, node: usize, byte: u8) -> Option<usize> {
        let children = self.children(node);
        let at = self.child_bytes[children.clone()].binary_search(&byte).ok()?;
        Some(self.child_node(children.start + at))
    }

    /// Whether there is a backslash anywhere below a node.
    pub(crate) fn has_escape_below(&self, node: usize) -> bool {
        let after = self.escapes.partition_point(|&escape| escape as usize <= node);
        self.escapes.get(after).is_some_and(|&escape| escape < self.nodes[node].end)
    }

    /// The tokens whose text ends at a node.
    #[inline]
    pub(crate) fn tokens_at(&self, node: usize) -> &[u32] {
        &self.order[self.places_at(node)]
    }

    /// Their places in the order of all tokens.
    #[inline]
    pub(crate) fn places_at(&self, node: usize) -> Range<usize> {
        self.starts[node].token as usize..self.starts[node + 1].token as usize
    }

    /// The tokens at a node and below it.
    #[inline]
    pub(crate) fn tokens_from(&self, node: usize) -> &[u32] {
        &self.order[self.places_from(node)]
    }

    /// The token at a node if that is all there is at it and below it.
    #[inline]
    pub(crate) fn only_token_from(&self, node: usize) -> Option<u32> {
        match self.tokens_from(node) {
            &[token] if self.size_below(node) == 0 => Some(token),
            _ => None,
        }
    }

    /// Their places in the order of all tokens.
    #[inline]
    pub(crate) fn places_from(&self, node: usize) -> Range<usize> {
        self.places_between(node, self.nodes[node].end as usize)
    }

    /// The places of the tokens at nodes from one on and before another.
    #[inline]
    pub(crate) fn places_between(&self, from: usize, to: usize) -> Range<usize> {
        self.starts[from].token as usize..self.starts[to].token as usize
    }

    /// How many nodes lie below a node.
    #[inline]
    pub(crate) fn size_below(&self, node: usize) -> usize {
        self.nodes[node].end as usize - node - 1
    }

    /// All tokens, by their texts.
    pub(crate) fn order(&self) -> &[u32] {
        &self.order
    }

    /// The places in [`Self::order`] of the tokens strictly below a node.
    pub(crate) fn places_below(&self, node: usize) -> Range<usize> {
        self.places_at(node).end..self.places_from(node).end
    }

    /// The children of a node: their bytes, and the places of the tokens at or below each.
    #[cfg(test)]
    pub(crate) fn branches(&self, node: usize) -> impl Iterator<Item = (u8, Range<usize>)> + '_ {
        self.children(node).map(|child| (self.child_byte(child), self.places_from(self.child_node(child))))
    }

    /// Length of the longest text.
    pub(crate) fn max_depth(&self) -> usize {
        self.max_depth
    }

    /// A number that no other trie of this process has.
    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    pub(crate) fn memory_size_bytes(&self) -> usize {
        size_of::<Self>()
            + self.nodes.len() * (size_of::<TrieNode>() + size_of::<Start>())
            + (self.order.len() + self.child_nodes.len() + self.escapes.len()) * 4
            + self.child_bytes.len()
            + self.summaries.memory_size_bytes()
    }
}

/// Where all nodes' tokens and children begin, and these children.
struct Family {
    starts: Box<[Start]>,
    child_bytes: Box<[u8]>,
    child_nodes: Box<[u32]>,
}

fn list_children(nodes: &[TrieNode], first_tokens: &[u32]) -> Family {
    let (mut bytes, mut ids) = (Vec::with_capacity(nodes.len()), Vec::with_capacity(nodes.len()));
    let mut starts = Vec::with_capacity(nodes.len());
    for (at, &token) in first_tokens.iter().enumerate() {
        starts.push(Start { token, child: ids.len() as u32 });
        let mut child = at + 1;
        while child < nodes[at].end as usize {
            bytes.push(nodes[child].byte);
            ids.push(child as u32);
            child = nodes[child].end as usize;
        }
    }
    Family { starts: starts.into(), child_bytes: bytes.into(), child_nodes: ids.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All (text, id) pairs, read back by walking the arrays.
    fn read_back(trie: &ByteTrie) -> Vec<(Vec<u8>, u32)> {
        let mut path = Vec::new();
        let mut out = Vec::new();
        for i in 1..trie.nodes().len() - 1 {
            let node = trie.nodes()[i];
            path.truncate(usize::from(node.depth) - 1);
            path.push(node.byte);
            out.extend(trie.tokens_at(i).iter().map(|&id| (path.clone(), id)));
        }
        out
    }

    proptest! {
        #[test]
        fn holds_exactly_what_it_was_given(
            texts in prop::collection::vec(prop::collection::vec(prop_oneof![0u8..4, any::<u8>()], 1..5), 0..80),
            wanted in prop::collection::vec(prop_oneof![0u8..6, any::<u8>()], 0..20),
        ) {
            let wanted: ByteSet = wanted.into_iter().collect();
            let entries: Vec<(&[u8], u32)> = texts.iter().enumerate().map(|(i, t)| (t.as_slice(), i as u32)).collect();
            let trie = ByteTrie::new(entries.clone());
            let mut want: Vec<(Vec<u8>, u32)> = entries.iter().map(|&(t, i)| (t.to_vec(), i)).collect();
            want.sort();
            prop_assert_eq!(read_back(&trie), want);
            for byte in 0..=255u8 {
                prop_assert_eq!(trie.child(0, byte).is_some(), texts.iter().any(|t| t[0] == byte));
            }
            for node in 0..trie.nodes().len() - 1 {
                let by = |child: &usize| wanted.contains(trie.child_byte(*child));
                let (found, expected) = (trie.children_by(node, &wanted), trie.children(node).filter(by));
                prop_assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
            }
            // The views by place: down each text, what is at, below and beside.
            for text in &texts {
                let mut node = 0;
                for (depth, &byte) in text.iter().enumerate() {
                    let below: Vec<usize> = trie.branches(node).flat_map(|(_, places)| places).collect();
                    prop_assert_eq!(below, trie.places_below(node).collect::<Vec<_>>());
                    node = trie.child(node, byte).unwrap();
                    let begins = texts.iter().filter(|t| t.starts_with(&text[..=depth]));
                    let here = trie.places_at(node).len();
                    prop_assert_eq!(here + trie.places_below(node).len(), begins.count());
                }
                prop_assert_eq!(&trie.order()[trie.places_at(node)], trie.tokens_at(node));
            }
        }
    }

    #[test]
    fn an_empty_trie_is_fine() {
        let trie = ByteTrie::new(vec![]);
        assert_eq!((trie.nodes().len(), trie.max_depth()), (2, 0));
        assert_eq!(trie.child(0, 0), None);
    }
}
