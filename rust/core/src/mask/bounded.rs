//! Texts with a pattern and a bound: one split for every length, or for every number of rounds.
//!
//! Which tokens fit is what the pattern says, if enough characters are left ([`crate::automaton::Unbounded`]): a token of `c` characters
//! after which the nearest end is `d` away *takes* `c + d` of them. No text of the pattern gets further from its nearest end than is known,
//! so only long tokens can take many, and they are few. A state's split is that of its pattern, but for the long tokens that take
//! too many. Where so few characters are left that a short token, or an end inside a token, might be too far, the state is split by itself.
//!
//! Where rounds are bounded and many are left, a state's split is that of the state without the bound: short tokens are alike for both, and
//! the long ones are tried once, with as few rounds as are many.

use super::class::{Step, Ways, past};
use super::split::Split;
use crate::automaton::{LEAST_ALIKE, Pda, StateId};
use crate::vocab::{ByteTrie, Summary};
use rustc_hash::FxHashMap;

/// Tokens of more bytes are long.
pub(super) const LONG: usize = if cfg!(test) { 6 } else { 24 };
/// Of the tokens that are not known to be alike all are on the ways to the long ones.
const _: () = assert!(LONG <= LEAST_ALIKE as usize);

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

/// Whether a base's split of texts up to a height tells what fits in a bound on the length: all but long tokens do.
pub(super) fn serves_length(most: u32, furthest: u32, split: &Split, height: u32) -> bool {
    most >= furthest.saturating_add(height.min(LONG as u32)) && ends_within(most, split)
}

/// Whether all ends inside the tokens of a split are known to come after so many characters, or fewer.
pub(super) fn ends_within(most: u32, split: &Split) -> bool {
    split.deepest_end.is_some_and(|depth| u32::from(depth) <= most)
}

/// Whether all tokens that are longer than [`LEAST_ALIKE`] are alike for a state with a bound on its rounds and its base: if the base's split has them,
/// the state takes them, with the nearest end as far away. The ways lead to these tokens, and to others, from the root.
pub(super) fn are_alike(
    pda: &Pda,
    (state, base): (StateId, StateId),
    split: &Split,
    trie: &ByteTrie,
    ways: &Ways,
) -> bool {
    let mut path = vec![(Some(state), base); trie.max_depth() + 1];
    // Most of these tokens are runs of one character.
    let mut targets = FxHashMap::default();
    let mut target =
        |state, byte| *targets.entry((state, byte)).or_insert_with(|| pda.byte_target(state, byte));
    let mut steps = ways.steps();
    while let &[Step { node, depth, byte, is_end }, ref rest @ ..] = steps {
        let (state, base) = path[usize::from(depth) - 1];
        let is_short = |below: Summary| u32::from(depth + below.height) <= LEAST_ALIKE;
        let base = target(base, byte).filter(|_| !trie.summary(node as usize).is_some_and(is_short));
        let state = state.and_then(|state| target(state, byte));
        let Some(base) = base.filter(|&base| state != Some(base)) else {
            steps = past(rest, trie, node);
            continue;
        };
        path[usize::from(depth)] = (state, base);
        steps = rest;
        let is_long = is_end && u32::from(depth) > LEAST_ALIKE;
        let is_alike = || match state {
            Some(state) => pda.to_end(state) == pda.to_end(base),
            None => trie.tokens_at(node as usize).iter().all(|&token| !split.accepted.contains(token)),
        };
        if is_long && !is_alike() {
            return false;
        }
    }
    true
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

    /// Some bounds on rounds are left aside, others are too near.
    const ROUNDS: [&str; 9] = [
        "^(?:a{0,44}|(?:aa)*b{9})$",
        "^(?:\\\\S+\\\\s+){0,25}\\\\S+$",
        "^(?:\\\\S+\\\\s+){3,90}\\\\S+$",
        "^[ab]{1,50}$",
        "^a{0,45}(?:b{2,44})?$",
        "^(?:ab?|b){2,60}b$",
        "^(?:a{1,50} )*b$",
        "^(?:(?:a{0,5}b){0,70} ?){1,3}$",
        "^(?:é|a){41}b",
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

    /// Mostly by long tokens, so that the bound is come near to.
    fn compare(schema: &str, tokens: Vec<Vec<u8>>, choices: Vec<usize>) -> Result<(), TestCaseError> {
        let pieces = PIECES.iter().map(|piece| piece.to_vec());
        let tokens: Vec<Vec<u8>> = pieces.chain(tokens).collect();
        stepping::compare(schema, &tokens, &[choices], |mut fitting, choice| {
            fitting.sort_by_key(|&token| std::cmp::Reverse(tokens[token as usize].len()));
            fitting.truncate(if choice % 4 == 0 { usize::MAX } else { 6 });
            stepping::any(fitting, choice)
        })
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
            let schema = format!(
                r#"{{"type": "string", "pattern": "{pattern}", "minLength": {least}, "maxLength": {most}}}"#
            );
            compare(&schema, tokens, choices)?;
        }

        #[test]
        fn masks_of_bounded_rounds_are_what_stepping_says(
            tokens in tokens(),
            pattern in prop::sample::select(ROUNDS.to_vec()),
            most in prop::option::of(40usize..240),
            choices in prop::collection::vec(0usize..1000, 12),
        ) {
            let most = most.map(|most| format!(r#", "maxLength": {most}"#)).unwrap_or_default();
            compare(&format!(r#"{{"type": "string", "pattern": "{pattern}"{most}}}"#), tokens, choices)?;
        }
    }
}
