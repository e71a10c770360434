//! The byte trie: all token texts as one flat array in depth-first order.
//!
//! A node knows its byte, its depth and where its subtree ends, so a walk is one forward loop: take the state of the
//! parent (kept per depth), try the byte, and on failure jump over the subtree. No recursion, no pointers.
//!
//! Invariant: nodes stand in preorder with siblings by ascending byte, and `order` lists the tokens in the same order, so
//! the tokens *at* node `i` are `order[nodes[i].first_token..nodes[i + 1].first_token]` and those in its whole subtree
//! end at `nodes[nodes[i].end].first_token`. Node 0 is the root (depth 0, no byte); one sentinel closes the array.

use std::ops::Range;

/// One node; see the module's invariant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrieNode {
    /// Index after the last node of this subtree.
    pub(crate) end: u32,
    /// Index into `order` of the first token at or below this node.
    pub(crate) first_token: u32,
    /// Distance from the root.
    pub(crate) depth: u16,
    /// The byte that leads here.
    pub(crate) byte: u8,
}

/// A byte trie over `(text, id)` pairs; several ids may share a text.
#[derive(Clone, Debug)]
pub(crate) struct ByteTrie {
    nodes: Box<[TrieNode]>,
    order: Box<[u32]>,
    /// For each byte the root's child, or 0.
    first: Box<[u32; 256]>,
    max_depth: usize,
}

impl ByteTrie {
    /// Builds the trie; texts must not be empty nor longer than `u16::MAX`.
    pub(crate) fn new(mut entries: Vec<(&[u8], u32)>) -> Self {
        entries.sort_unstable();
        let mut nodes = vec![TrieNode { end: 0, first_token: 0, depth: 0, byte: 0 }];
        let mut path = vec![0usize]; // open nodes from the root to the last node
        let mut previous: &[u8] = &[];
        for (position, &(text, _)) in entries.iter().enumerate() {
            let shared = previous.iter().zip(text).take_while(|(a, b)| a == b).count();
            for closed in path.drain(shared + 1..) {
                nodes[closed].end = nodes.len() as u32;
            }
            for (depth, &byte) in text.iter().enumerate().skip(shared) {
                path.push(nodes.len());
                nodes.push(TrieNode { end: 0, first_token: position as u32, depth: depth as u16 + 1, byte });
            }
            previous = text;
        }
        for closed in path.drain(..) {
            nodes[closed].end = nodes.len() as u32;
        }
        let end = nodes.len() as u32;
        nodes.push(TrieNode { end: end + 1, first_token: entries.len() as u32, depth: 0, byte: 0 });

        let mut first = Box::new([0; 256]);
        let mut child = 1;
        while child < end {
            let node = nodes[child as usize];
            first[usize::from(node.byte)] = child;
            child = node.end;
        }
        let max_depth = entries.iter().map(|(text, _)| text.len()).max().unwrap_or(0);
        let order = entries.into_iter().map(|(_, id)| id).collect();
        Self { nodes: nodes.into(), order, first, max_depth }
    }

    /// The nodes, the sentinel included.
    #[inline]
    pub(crate) fn nodes(&self) -> &[TrieNode] {
        &self.nodes
    }

    /// The root's child for a byte.
    pub(crate) fn child_of_root(&self, byte: u8) -> Option<usize> {
        match self.first[usize::from(byte)] {
            0 => None,
            node => Some(node as usize),
        }
    }

    /// The tokens whose text ends at a node.
    #[inline]
    pub(crate) fn tokens_at(&self, node: usize) -> &[u32] {
        &self.order[self.nodes[node].first_token as usize..self.nodes[node + 1].first_token as usize]
    }

    /// All tokens, in the order of the trie.
    pub(crate) fn order(&self) -> &[u32] {
        &self.order
    }

    /// The child of a node for a byte.
    pub(crate) fn child(&self, node: usize, byte: u8) -> Option<usize> {
        if node == 0 {
            return self.child_of_root(byte);
        }
        let (mut child, end) = (node + 1, self.nodes[node].end as usize);
        while child < end {
            match self.nodes[child].byte {
                found if found == byte => return Some(child),
                found if found > byte => return None,
                _ => child = self.nodes[child].end as usize,
            }
        }
        None
    }

    /// The places in `order` of the tokens whose text ends at a node.
    pub(crate) fn places_at(&self, node: usize) -> Range<usize> {
        self.nodes[node].first_token as usize..self.nodes[node + 1].first_token as usize
    }

    /// The places in `order` of the tokens strictly below a node.
    pub(crate) fn places_below(&self, node: usize) -> Range<usize> {
        let end = self.nodes[node].end as usize;
        self.nodes[node + 1].first_token as usize..self.nodes[end].first_token as usize
    }

    /// The children of a node: their bytes, and the places in `order` of the tokens at or below each.
    pub(crate) fn children(&self, node: usize) -> impl Iterator<Item = (u8, Range<usize>)> + '_ {
        let end = self.nodes[node].end as usize;
        let mut child = node + 1;
        std::iter::from_fn(move || {
            let found = (child < end).then(|| self.nodes[child])?;
            child = found.end as usize;
            Some((found.byte, found.first_token as usize..self.nodes[child].first_token as usize))
        })
    }

    /// Length of the longest text.
    pub(crate) fn max_depth(&self) -> usize {
        self.max_depth
    }

    pub(crate) fn memory_size_bytes(&self) -> usize {
        self.nodes.len() * size_of::<TrieNode>() + self.order.len() * 4 + size_of::<[u32; 256]>()
    }
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
        fn holds_exactly_what_it_was_given(texts in prop::collection::vec(prop::collection::vec(0u8..4, 1..5), 0..40)) {
            let entries: Vec<(&[u8], u32)> = texts.iter().enumerate().map(|(i, t)| (t.as_slice(), i as u32)).collect();
            let trie = ByteTrie::new(entries.clone());
            let mut want: Vec<(Vec<u8>, u32)> = entries.iter().map(|&(t, i)| (t.to_vec(), i)).collect();
            want.sort();
            prop_assert_eq!(read_back(&trie), want);
            for byte in 0..=255u8 {
                prop_assert_eq!(trie.child_of_root(byte).is_some(), texts.iter().any(|t| t[0] == byte));
            }
            // The views by place: down each text, what is at, below and beside.
            for text in &texts {
                let mut node = 0;
                for (depth, &byte) in text.iter().enumerate() {
                    let below: Vec<usize> = trie.children(node).flat_map(|(_, places)| places).collect();
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
        assert_eq!(trie.child_of_root(0), None);
    }
}
