//! Texts with a pattern and a greatest length: one split for every length.
//!
//! Which tokens fit is what the pattern says, if enough characters are left ([`crate::automaton::Unbounded`]): a token of `c` characters
//! after which the nearest end is `d` away *takes* `c + d` of them. No text of the pattern gets further from its nearest end than is known,
//! so only long tokens can take many, and they are few. A state's split is that of its pattern, but for the long tokens that take
//! too many. Where so few characters are left that a short token, or an end inside a token, might be too far, the state is split by itself.

use super::class::{Step, Ways};
use super::split::Split;
use crate::automaton::{Pda, StateId, Unbounded};
use crate::vocab::ByteTrie;
use rustc_hash::FxHashMap;

/// Tokens of more bytes are long.
pub(super) const LONG: usize = if cfg!(test) { 6 } else { 24 };

/// The long tokens of a split, and how many characters they take.
#[derive(Debug)]
pub(super) struct Takes {
    /// Descending.
    characters: Box<[u32]>,
    tokens: Box<[u32]>,
}

/// The nodes of long tokens below a node.
pub(super) fn long_tokens(trie: &ByteTrie, node: usize) -> Ways {
    let short = usize::from(trie.nodes()[node].depth) + LONG;
    Ways::to_deeper_tokens(trie, node, short as u16)
}

/// Whether a base's split below a node tells what fits in the bound: all but long tokens do.
pub(super) fn serves(unbounded: Unbounded<StateId>, split: &Split, trie: &ByteTrie, node: usize) -> bool {
    let Unbounded { most, furthest, .. } = unbounded;
    let height = trie.max_depth() - usize::from(trie.nodes()[node].depth);
    let enough = furthest.saturating_add(height.min(LONG) as u32);
    most >= enough && split.deepest_end.is_some_and(|depth| u32::from(depth) <= most)
}

impl Takes {
    /// What the tokens at the ends of some ways take from a state between two characters; `None` if that is not known.
    pub(super) fn new(pda: &Pda, state: StateId, trie: &ByteTrie, node: usize, ways: &Ways) -> Option<Self> {
        let above = usize::from(trie.nodes()[node].depth);
        let mut path = vec![Some((state, 0)); trie.max_depth() + 1 - above];
        let mut distances = FxHashMap::default();
        let mut found = Vec::new();
        for &Step { node, depth, byte, is_end } in ways.steps() {
            let depth = usize::from(depth) - above;
            let to = path[depth - 1].and_then(|(state, characters): (StateId, u32)| {
                let to = pda.byte_target(state, byte)?;
                Some((to, characters + u32::from(pda.is_between(to))))
            });
            path[depth] = to;
            if let (true, Some((state, characters))) = (is_end, to) {
                let to_end = || if pda.state(state).is_final { Some(0) } else { pda.to_end(state) };
                let to_end = (*distances.entry(state).or_insert_with(to_end))?;
                let takes = characters.saturating_add(to_end);
                found.extend(trie.tokens_at(node as usize).iter().map(|&token| (takes, token)));
            }
        }
        found.sort_unstable_by(|a, b| b.cmp(a));
        let (characters, tokens): (Vec<u32>, Vec<u32>) = found.into_iter().unzip();
        Some(Self { characters: characters.into(), tokens: tokens.into() })
    }

    /// The tokens that take more than so many characters.
    pub(super) fn more_than(&self, most: u32) -> &[u32] {
        &self.tokens[..self.characters.partition_point(|&takes| takes > most)]
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        self.tokens.len() * 8
    }
}

#[cfg(test)]
mod tests {
    use crate::mask::stepping;
    use proptest::prelude::*;

    const PATTERNS: [&str; 8] = [
        "^(?:\\\\S+\\\\s+){0,3}\\\\S+$",
        "^(?:\\\\S+\\\\s+){2,40}\\\\S+$",
        "^a*(b{5}|aab)+$",
        "^(?:a|(?:b{30}))*$",
        "^[ab]+(?: [ab]{3,})*\\\\.?$",
        "^(?:[^b]|bé|b\\\\n)+$",
        "^(?:a{0,30}b)?$",
        "é{2}|a(?:ba)*",
    ];

    /// Pieces of tokens; some are cut off inside a character.
    const PIECES: [&[u8]; 14] = [
        b"a", b"b", b" ", b"ab", b"aab", b"bbbbb", b".", b"\\n", b"\\u0061", b"\\", b"u00", b"\xc3", b"\xa9",
        b"\"",
    ];

    fn tokens() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let token = (prop::collection::vec(prop::sample::select(PIECES.to_vec()), 1..5), 1usize..24)
            .prop_map(|(pieces, times)| pieces.concat().repeat(times));
        prop::collection::vec(token, 20..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 160, ..ProptestConfig::default() })]
        #[test]
        fn masks_of_bounded_texts_are_what_stepping_says(
            tokens in tokens(),
            pattern in prop::sample::select(PATTERNS.to_vec()),
            (least, most) in (0usize..3, 20usize..160),
            choices in prop::collection::vec(0usize..1000, 12),
        ) {
            let pieces = PIECES.iter().map(|piece| piece.to_vec());
            let tokens: Vec<Vec<u8>> = pieces.chain(tokens).collect();
            let schema = format!(
                r#"{{"type": "string", "pattern": "{pattern}", "minLength": {least}, "maxLength": {most}}}"#
            );
            // Mostly long ones, so that the bound is come near to.
            stepping::compare(&schema, &tokens, &[choices], |mut fitting, choice| {
                fitting.sort_by_key(|&token| std::cmp::Reverse(tokens[token as usize].len()));
                fitting.truncate(if choice % 4 == 0 { usize::MAX } else { 6 });
                stepping::any(fitting, choice)
            })?;
        }
    }
}
