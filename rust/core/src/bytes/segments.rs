//! How the byte trie is cut so that a row of weights is summed quickly.
//!
//! The tokens of the trie's order are cut into *segments*: nodes with many tokens below are *split*, and each of the tokens
//! at a split node, and each subtree of its children that is not split, is a segment. A row keeps the sum of each segment; what
//! a child of a split node weighs is the sum of few of them, and everything else is the sum of few weights. Nothing is ever
//! subtracted, so small masses keep their digits.
//!
//! Invariant: what lies at or below a child of the root or of a split node is a range of whole segments.

use crate::vocab::{ByteTrie, Vocabulary};
use parking_lot::Mutex;
use std::ops::Range;

/// How many tokens below a node are many.
const MANY: usize = 128;
/// How many buffers are kept for rows to come.
const MAX_SPARE: usize = 8;

/// See the module. Made once for a vocabulary.
#[derive(Debug)]
pub(crate) struct Segments {
    /// Where each begins, in the trie's order, and where the last one ends.
    starts: Box<[u32]>,
    /// For each child in the trie's lists of children: where its tokens begin.
    children: Box<[u32]>,
    /// The ids that are no text tokens.
    others: Box<[u32]>,
    /// Buffers of rows that are gone: a fresh megabyte would cost more than what is written to it.
    spare: Mutex<Vec<Box<[f64]>>>,
}

impl Segments {
    pub(crate) fn new(vocabulary: &Vocabulary) -> Self {
        let trie = vocabulary.trie();
        let nodes = trie.nodes();
        let mut starts = Vec::new();
        let mut node = 1;
        while node + 1 < nodes.len() {
            if is_split(trie, node) {
                // The first child's segment begins there as well if no token is at the node.
                if !trie.places_at(node).is_empty() {
                    starts.push(trie.places_at(node).start as u32);
                }
                node += 1;
            } else {
                starts.push(trie.places_from(node).start as u32);
                node = nodes[node].end as usize;
            }
        }
        starts.push(trie.order().len() as u32);
        let all = 0..nodes.len() - 1;
        let children = all.flat_map(|node| trie.children(node));
        let children = children.map(|child| trie.places_from(trie.child_node(child)).start as u32).collect();
        let mut is_text = vec![false; vocabulary.vocab_size()];
        trie.order().iter().for_each(|&id| is_text[id as usize] = true);
        let others = (0..is_text.len() as u32).filter(|&id| !is_text[id as usize]).collect();
        Self { starts: starts.into(), children, others, spare: Mutex::default() }
    }

    pub(crate) fn others(&self) -> &[u32] {
        &self.others
    }

    /// The segments, as ranges of places.
    pub(crate) fn ranges(&self) -> impl ExactSizeIterator<Item = Range<usize>> + '_ {
        self.starts.windows(2).map(|pair| pair[0] as usize..pair[1] as usize)
    }

    /// The children of a node: their bytes, and the places of the tokens at or below each. The trie knows them as well, but here
    /// all that is read lies together.
    pub(crate) fn branches<'a>(
        &'a self,
        trie: &'a ByteTrie,
        node: usize,
    ) -> impl Iterator<Item = (u8, Range<usize>)> + 'a {
        let children = trie.children(node);
        let starts = &self.children[children.clone()];
        let ends = starts.iter().skip(1).copied().chain([trie.places_from(node).end as u32]);
        children
            .zip(starts.iter().zip(ends))
            .map(|(child, (&start, end))| (trie.child_byte(child), start as usize..end as usize))
    }

    /// The segment that begins at a place.
    pub(crate) fn at(&self, place: usize) -> usize {
        self.starts.partition_point(|&start| (start as usize) < place)
    }

    /// The first place of a segment, or the end of all.
    pub(crate) fn start(&self, segment: usize) -> usize {
        self.starts[segment] as usize
    }

    /// A buffer for a row: whatever was in it.
    pub(crate) fn take_buffer(&self, len: usize) -> Box<[f64]> {
        let spare = self.spare.lock().pop().filter(|buffer| buffer.len() == len);
        spare.unwrap_or_else(|| vec![0.0; len].into())
    }

    /// Gives a buffer back.
    pub(crate) fn give_buffer(&self, buffer: Box<[f64]>) {
        let mut spare = self.spare.lock();
        if spare.len() < MAX_SPARE {
            spare.push(buffer);
        }
    }
}

/// Whether a node's children have segments of their own.
pub(crate) fn is_split(trie: &ByteTrie, node: usize) -> bool {
    trie.places_below(node).len() > MANY
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::VocabularyOptions;
    use proptest::prelude::*;

    proptest! {
        /// Random texts over few bytes, so many that some nodes are split.
        #[test]
        fn segments_are_what_they_say(texts in prop::collection::vec(prop::collection::vec(97u8..103, 1..6), 1..600)) {
            let vocabulary = Vocabulary::new(&texts, VocabularyOptions::default()).unwrap();
            let (trie, segments) = (vocabulary.trie(), Segments::new(&vocabulary));
            let ranges: Vec<Range<usize>> = segments.ranges().collect();
            prop_assert!(ranges.iter().all(|range| !range.is_empty()));
            let all: Vec<usize> = ranges.iter().cloned().flatten().collect();
            prop_assert_eq!(all, (0..trie.order().len()).collect::<Vec<_>>());
            for node in 0..trie.nodes().len() - 1 {
                let branches: Vec<_> = segments.branches(trie, node).collect();
                prop_assert_eq!(&branches, &trie.branches(node).collect::<Vec<_>>());
                if node == 0 || is_split(trie, node) {
                    for (_, places) in branches {
                        let first = segments.at(places.start);
                        prop_assert_eq!(segments.start(first), places.start);
                        prop_assert_eq!(segments.start(segments.at(places.end)), places.end);
                    }
                }
            }
        }
    }
}
