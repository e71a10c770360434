//! The tokens made of certain characters, found once for all the states that go on by these.
//!
//! A pattern has a state for each length or count, and each of them takes the same tokens as long as they stay within its horizon
//! ([`crate::automaton::horizon`]). They differ where tokens leave the characters; a [`Class`] lists these places of the trie, and a
//! state's split only looks there.

use super::TokenIds;
use super::ranges::Ranges;
use crate::automaton::horizon::Horizon;
use crate::grammar::ByteSet;
use crate::vocab::{ByteTrie, SUMMARY_NODES, TrieNode, Utf8, Vocabulary};
use std::sync::Arc;

/// Which characters, by their first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ClassKey {
    pub(super) characters: ByteSet,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) tokens: Arc<TokenIds>,
    pub(super) number: usize,
    exits: Exits,
    /// Those by [`PRINTABLE`] bytes alone: a fifth of all.
    printable: Exits,
}

/// The nodes by which texts of a class are left, each by a byte that is not of it.
#[derive(Debug)]
pub(super) struct Exits {
    pub(super) ways: Ways,
    /// For each of them the token that is all there is at the node and below it, or [`SEVERAL`]: most have one, and to look at the node
    /// for it costs more than all else.
    pub(super) tokens: Box<[u32]>,
}

/// What text in ASCII is mostly left by.
const PRINTABLE: ByteSet = ByteSet::from_words([!0 << b' ', !0, 0, 0]);

/// In place of a token where there is more.
pub(super) const SEVERAL: u32 = u32::MAX;

/// A class may have so many steps to its exits, and one more for so many nodes of the trie. Letters without one of the commonest have ten
/// times as many.
const SOME_EXITS: usize = 128;
const NODES_AN_EXIT: usize = 32;

/// Some nodes of the vocabulary's trie and all those on the way to them, in the trie's order.
#[derive(Debug, Default)]
pub(super) struct Ways(Box<[Step]>);

/// A node on the way to others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) node: u32,
    pub(super) depth: u16,
    pub(super) byte: u8,
    /// Whether it is one of the nodes, not only on the way to them.
    pub(super) is_end: bool,
}

/// What is left of some steps without those below a node.
pub(super) fn past<'a>(steps: &'a [Step], trie: &ByteTrie, node: u32) -> &'a [Step] {
    let end = trie.nodes()[node as usize].end;
    &steps[steps.partition_point(|step| step.node < end)..]
}

/// Makes [`Ways`] while a trie is gone through in order.
#[derive(Default)]
struct Waymaker {
    steps: Vec<Step>,
    /// The way to the last node.
    last: Vec<u32>,
}

impl Waymaker {
    /// Adds the last node of a path, which begins with a child of the root.
    fn add(&mut self, trie: &ByteTrie, path: &[u32]) {
        let made = self.last.iter().zip(path).take_while(|(a, b)| a == b).count();
        self.last.truncate(made);
        self.last.extend_from_slice(&path[made..]);
        for &node in &path[made..] {
            let TrieNode { depth, byte, .. } = trie.nodes()[node as usize];
            self.steps.push(Step { node, depth, byte, is_end: false });
        }
        if let Some(last) = self.steps.last_mut() {
            last.is_end = true;
        }
    }

    fn finish(self) -> Ways {
        Ways(self.steps.into())
    }
}

impl Ways {
    /// The nodes below one that are deeper than `depth` and end tokens. The ways begin at a child of the one.
    pub(super) fn to_deeper_tokens(trie: &ByteTrie, node: usize, depth: u16) -> Self {
        let (above, end) = (usize::from(trie.nodes()[node].depth), trie.nodes()[node].end as usize);
        let mut maker = Waymaker::default();
        let mut path = vec![0; trie.max_depth()];
        let mut at = node + 1;
        while at < end {
            let TrieNode { depth: here, end: after, .. } = trie.nodes()[at];
            let steps = usize::from(here) - above;
            path[steps - 1] = at as u32;
            if trie.summary(at).is_some_and(|below| here + below.height <= depth) {
                at = after as usize;
                continue;
            }
            if here > depth && !trie.tokens_at(at).is_empty() {
                maker.add(trie, &path[..steps]);
            }
            at += 1;
        }
        maker.finish()
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        size_of_val(&*self.0)
    }
}

impl ClassKey {
    /// The class of a horizon if a state with it has a use for one.
    pub(super) fn of(horizon: &Horizon) -> Option<Self> {
        (horizon.is_wide() && horizon.alphabet.is_some()).then_some(Self { characters: horizon.characters })
    }
}

/// Makes [`Exits`] while a trie is gone through in order.
#[derive(Default)]
struct Exitmaker {
    ways: Waymaker,
    tokens: Vec<u32>,
}

impl Exitmaker {
    /// Adds the last node of a path, and the token there.
    fn add(&mut self, trie: &ByteTrie, path: &[u32], token: u32) {
        self.ways.add(trie, path);
        self.tokens.push(token);
    }

    fn finish(self) -> Exits {
        Exits { ways: self.ways.finish(), tokens: self.tokens.into() }
    }
}

impl Exits {
    fn memory_size_bytes(&self) -> usize {
        self.ways.memory_size_bytes() + size_of_val(&*self.tokens)
    }
}

impl Class {
    /// The exits by some bytes, and perhaps more.
    pub(super) fn exits_by(&self, bytes: &ByteSet) -> &Exits {
        if bytes.is_within(&PRINTABLE) { &self.printable } else { &self.exits }
    }

    /// One pass over the vocabulary's trie; `None` where the class is left in so many places that to walk through all is quicker than to
    /// look at these.
    pub(super) fn new(vocabulary: &Vocabulary, key: &ClassKey) -> Option<Self> {
        let trie = vocabulary.trie();
        let mut within = Ranges::default();
        let (mut exits, mut printable) = (Exitmaker::default(), Exitmaker::default());
        let mut nodes = vec![0; trie.max_depth()];
        // What a decoder waits for after each depth of the path.
        let mut path = vec![Utf8::Boundary; trie.max_depth() + 1];
        let end = trie.nodes().len() - 1;
        let (mut at, mut kept) = (1, 1);
        while at < end {
            let TrieNode { byte, depth, end: beyond, .. } = trie.nodes()[at];
            let (depth, beyond) = (usize::from(depth), beyond as usize);
            nodes[depth - 1] = at as u32;
            let waiting = path[depth - 1];
            let is_of = waiting != Utf8::Boundary || key.characters.contains(byte);
            let Some(after) = waiting.next(byte).filter(|_| is_of) else {
                if waiting == Utf8::Boundary {
                    let token = trie.only_token_from(at).unwrap_or(SEVERAL);
                    exits.add(trie, &nodes[..depth], token);
                    if exits.ways.steps.len() > SOME_EXITS + end / NODES_AN_EXIT {
                        return None;
                    }
                    if PRINTABLE.contains(byte) {
                        printable.add(trie, &nodes[..depth], token);
                    }
                }
                within.push(trie.places_between(kept, at));
                (at, kept) = (beyond, beyond);
                continue;
            };
            path[depth] = after;
            if beyond - at > SUMMARY_NODES && key.takes_all_below(trie, at, after) {
                at = beyond;
                continue;
            }
            at += 1;
        }
        within.push(trie.places_between(kept, end));
        let number = within.len();
        let tokens = Arc::new(within.token_ids(trie, vocabulary));
        Some(Self { tokens, number, exits: exits.finish(), printable: printable.finish() })
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        size_of::<Self>()
            + self.tokens.memory_size_bytes()
            + self.exits.memory_size_bytes()
            + self.printable.memory_size_bytes()
    }
}

impl ClassKey {
    /// Whether all below a node, where a decoder waits for something, is known to be of the class.
    fn takes_all_below(&self, trie: &ByteTrie, node: usize, after: Utf8) -> bool {
        trie.summary(node).is_some_and(|below| {
            below.characters.is_within(&self.characters)
                && (!below.has_other && after == Utf8::Boundary || below.is_text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::VocabularyOptions;
    use proptest::prelude::*;

    /// Whether a text is made of whole characters of a class, but for the last one, which may be cut off if that is asked for.
    fn is_made_of(key: &ClassKey, text: &[u8], may_be_cut: bool) -> bool {
        let (whole, rest) = match std::str::from_utf8(text) {
            Ok(whole) => (whole, false),
            Err(error) if error.error_len().is_none() => {
                (std::str::from_utf8(&text[..error.valid_up_to()]).unwrap_or_default(), true)
            }
            Err(_) => return false,
        };
        let is_of = |c: char| key.characters.contains(c.to_string().as_bytes()[0]);
        let cut = &text[whole.len()..];
        whole.chars().all(is_of) && (!rest || may_be_cut && key.characters.contains(cut[0]))
    }

    #[test]
    fn ascii_after_half_a_character_is_of_no_class() {
        let characters = ByteSet::range(b'a', b'b').union(&ByteSet::range(0xC2, 0xF4));
        let key = ClassKey { characters };
        let vocabulary = Vocabulary::new(&[&b"a\xc3aabbbbbbb"[..], b"a\xc3"], VocabularyOptions::default())
            .expect("a vocabulary");
        assert_eq!(Class::new(&vocabulary, &key).map(|class| class.number), Some(1));
    }

    proptest! {
        #[test]
        fn classes_are_what_their_texts_say(
            texts in prop::collection::vec(prop::collection::vec((prop::sample::select(
                b"ab\"\xc3\xa9\xe2\x82\xac\xff".to_vec()), prop::sample::select(vec![1usize, 1, 1, 9])), 1..24), 1..80),
            characters in prop::sample::subsequence(b"ab\xc3\xe2".to_vec(), 0..5),
        ) {
            // Now and then a byte many times, so that large parts of the trie are of one kind.
            let repeated = |text: Vec<(u8, usize)>| text.iter().flat_map(|&(byte, times)| vec![byte; times]).collect();
            let texts: Vec<Vec<u8>> = texts.into_iter().map(repeated).collect();
            let key = ClassKey { characters: characters.into_iter().collect() };
            let vocabulary = Vocabulary::new(&texts, VocabularyOptions::default()).expect("a vocabulary");
            let Some(class) = Class::new(&vocabulary, &key) else { return Ok(()) };
            let (trie, mut found) = (vocabulary.trie(), Vec::new());
            class.tokens.for_each(|token| found.push(token));
            found.sort_unstable();
            let expected: Vec<u32> = (0..texts.len() as u32)
                .filter(|&token| is_made_of(&key, &texts[token as usize], true))
                .collect();
            prop_assert_eq!(found, expected);
            let ends = |ways: &Ways| -> Vec<u32> {
                ways.steps().iter().filter(|step| step.is_end).map(|step| step.node).collect()
            };
            let exits = ends(&class.exits.ways);
            let tokens_of = |&node: &u32| match trie.tokens_from(node as usize) {
                &[token] if trie.size_below(node as usize) == 0 => token,
                _ => SEVERAL,
            };
            prop_assert_eq!(class.exits.tokens.to_vec(), exits.iter().map(tokens_of).collect::<Vec<u32>>());
            let is_printable = |node: &&u32| PRINTABLE.contains(trie.nodes()[**node as usize].byte);
            let printable: Vec<u32> = exits.iter().filter(is_printable).copied().collect();
            prop_assert_eq!(class.printable.tokens.to_vec(), printable.iter().map(tokens_of).collect::<Vec<u32>>());
            prop_assert_eq!(ends(&class.printable.ways), printable);
            let deep = Ways::to_deeper_tokens(trie, 0, 3);
            for ways in [&class.exits.ways, &class.printable.ways, &deep] {
                prop_assert!(ways.steps().windows(2).all(|pair| pair[0].node < pair[1].node));
                prop_assert!(ways.steps().windows(2).all(|pair| pair[1].depth <= pair[0].depth + 1));
            }
            let text = |node: usize| {
                &vocabulary.token_bytes(trie.tokens_from(node)[0])[..usize::from(trie.nodes()[node].depth)]
            };
            for node in 1..trie.nodes().len() - 1 {
                let (_, before) = text(node).split_last().expect("a byte");
                let leaves = is_made_of(&key, before, false) && !is_made_of(&key, text(node), true);
                prop_assert_eq!(exits.contains(&(node as u32)), leaves, "{:?}", text(node));
                let is_deep = before.len() >= 3 && !trie.tokens_at(node).is_empty();
                prop_assert_eq!(ends(&deep).contains(&(node as u32)), is_deep, "{:?}", text(node));
            }
        }
    }
}
