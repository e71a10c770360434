//! What lies below the larger nodes of a trie, in short: the bytes, and whether they are text.
//!
//! An automaton that goes round on all of a subtree's bytes accepts it whole; asking the summary costs less than walking it.

use super::TrieNode;
use crate::grammar::ByteSet;
use crate::grammar::utf8::is_continuation;

/// Nodes with fewer others below them have no summary.
pub(crate) const SUMMARY_NODES: usize = 8;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// The bytes that occur below the node, but for those that only continue a character. Where all below is text, these
    /// are its characters by their first bytes.
    pub(crate) characters: ByteSet,
    /// Whether bytes beyond ASCII occur.
    pub(crate) has_other: bool,
    /// Whether the node's text ends between two characters, and every text below goes on from there as well-formed UTF-8 (the last
    /// character may be cut off).
    pub(crate) is_text: bool,
    /// Length of the longest text below, bytes.
    pub(crate) height: u16,
}

impl Summary {
    /// Whether all below the node are whole characters, the last of a text perhaps cut off.
    #[inline]
    pub(crate) fn is_text_or_ascii(&self) -> bool {
        self.is_text || !self.has_other
    }
}

/// The summaries of a trie's nodes.
#[derive(Debug, Default)]
pub(super) struct Summaries {
    /// For each node the number of its summary after this one, or 0.
    numbers: Box<[u32]>,
    summaries: Box<[Stored]>,
}

/// A summary, half a line of the cache: no byte that continues a character is in it.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
struct Stored {
    ascii: [u64; 2],
    first_of_several: u64,
    height: u16,
    has_other: bool,
    is_text: bool,
}

impl From<Summary> for Stored {
    fn from(Summary { characters, has_other, is_text, height }: Summary) -> Self {
        let [low, high, _, first_of_several] = characters.words();
        Self { ascii: [low, high], first_of_several, height, has_other, is_text }
    }
}

impl From<Stored> for Summary {
    #[inline]
    fn from(Stored { ascii: [low, high], first_of_several, height, has_other, is_text }: Stored) -> Self {
        let characters = ByteSet::from_words([low, high, 0, first_of_several]);
        Self { characters, has_other, is_text, height }
    }
}

impl Summaries {
    pub(super) fn new(nodes: &[TrieNode]) -> Self {
        let decoders = decoders(nodes);
        let (mut numbers, mut summaries) = (vec![0; nodes.len()], Vec::new());
        // From the last node to the first, children come before their parent: what they add up to waits at their depth.
        let nothing = Summary { characters: ByteSet::EMPTY, has_other: false, is_text: true, height: 0 };
        let mut waiting = vec![nothing; nodes.iter().map(|n| usize::from(n.depth)).max().unwrap_or(0) + 2];
        for at in (0..nodes.len() - 1).rev() {
            let TrieNode { depth, byte, end, .. } = nodes[at];
            let below = std::mem::replace(&mut waiting[usize::from(depth) + 1], nothing);
            if end as usize - at > SUMMARY_NODES {
                let is_text = below.is_text && decoders[at] == Some(Utf8::Boundary);
                summaries.push(Stored::from(Summary { is_text, ..below }));
                numbers[at] = summaries.len() as u32;
            }
            let beside = &mut waiting[usize::from(depth)];
            beside.characters = beside.characters.union(&below.characters);
            if !is_continuation(byte) {
                beside.characters.insert(byte);
            }
            beside.has_other |= below.has_other || !byte.is_ascii();
            beside.height = beside.height.max(below.height + 1);
            beside.is_text &= below.is_text && decoders[at].is_some();
        }
        Self { numbers: numbers.into(), summaries: summaries.into() }
    }

    #[inline]
    pub(super) fn get(&self, node: usize) -> Option<Summary> {
        let number = *self.numbers.get(node)?;
        self.summaries.get((number as usize).checked_sub(1)?).map(|&stored| stored.into())
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        self.numbers.len() * 4 + size_of_val(&*self.summaries)
    }
}

/// What a decoder waits for: the ranges of Unicode's table 3-7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Utf8 {
    Boundary,
    /// So many continuation bytes; the next one in this range.
    Wants(u8, u8, u8),
}

impl Utf8 {
    /// What it waits for after one more byte, if that may come.
    pub(crate) fn next(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Boundary, 0..=0x7F) => Some(Self::Boundary),
            (Self::Boundary, 0xC2..=0xDF) => Some(Self::Wants(1, 0x80, 0xBF)),
            (Self::Boundary, 0xE0) => Some(Self::Wants(2, 0xA0, 0xBF)),
            (Self::Boundary, 0xED) => Some(Self::Wants(2, 0x80, 0x9F)),
            (Self::Boundary, 0xE1..=0xEF) => Some(Self::Wants(2, 0x80, 0xBF)),
            (Self::Boundary, 0xF0) => Some(Self::Wants(3, 0x90, 0xBF)),
            (Self::Boundary, 0xF1..=0xF3) => Some(Self::Wants(3, 0x80, 0xBF)),
            (Self::Boundary, 0xF4) => Some(Self::Wants(3, 0x80, 0x8F)),
            (Self::Wants(1, lo, hi), byte) if (lo..=hi).contains(&byte) => Some(Self::Boundary),
            (Self::Wants(left, lo, hi), byte) if (lo..=hi).contains(&byte) => {
                Some(Self::Wants(left - 1, 0x80, 0xBF))
            }
            _ => None,
        }
    }
}

/// A decoder's state after the text of each node, `None` where it is not well-formed.
fn decoders(nodes: &[TrieNode]) -> Vec<Option<Utf8>> {
    let mut out = vec![Some(Utf8::Boundary); nodes.len()];
    let mut path: Vec<Option<Utf8>> = vec![Some(Utf8::Boundary)];
    for at in 1..nodes.len() - 1 {
        path.truncate(usize::from(nodes[at].depth));
        let above = path.last().copied().flatten();
        let state = above.and_then(|above| above.next(nodes[at].byte));
        path.push(state);
        out[at] = state;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::is_continuation;
    use crate::vocab::ByteTrie;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn summaries_are_what_is_below(
            texts in prop::collection::vec(prop::collection::vec(prop::sample::select(
                b"ab\"\xc3\xa9\xe2\x82\xac\xff".to_vec()), 1..6), 1..60),
        ) {
            let entries = texts.iter().enumerate().map(|(i, t)| (t.as_slice(), i as u32)).collect();
            let trie = ByteTrie::new(entries).with_summaries();
            let mut path = Vec::new();
            for node in 0..trie.nodes().len() - 1 {
                path.truncate(usize::from(trie.nodes()[node].depth).saturating_sub(1));
                if node > 0 {
                    path.push(trie.nodes()[node].byte);
                }
                let Some(summary) = trie.summary(node) else { continue };
                let below: Vec<&[u8]> =
                    texts.iter().filter(|t| t.starts_with(&path)).map(|t| &t[path.len()..]).collect();
                let bytes = below.concat();
                let characters = bytes.iter().filter(|byte| !is_continuation(**byte));
                prop_assert_eq!(summary.characters, characters.copied().collect());
                prop_assert_eq!(summary.has_other, bytes.iter().any(|b| !b.is_ascii()));
                let is_cut = |text: &[u8]| match std::str::from_utf8(text) {
                    Ok(_) => true,
                    Err(error) => error.error_len().is_none(),
                };
                let is_text = std::str::from_utf8(&path).is_ok() && below.iter().all(|text| is_cut(text));
                prop_assert_eq!(summary.is_text, is_text);
                let longest = below.iter().map(|text| text.len()).max();
                prop_assert_eq!(Some(usize::from(summary.height)), longest);
            }
        }
    }
}
