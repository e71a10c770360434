//! Which letters the vocabulary's tokens have.
//!
//! Where a text is only lost that has certain letters ([`crate::automaton::horizon::Horizon`]'s `needed`), the few tokens that have all of
//! them are found by one pass over a word of bits for each token.

use crate::grammar::ByteSet;
use crate::vocab::Vocabulary;

/// So many tokens are looked at together.
const CHUNK: usize = 64;

/// A word for each token, in the order of the vocabulary's trie: a bit for each kind of byte in its text.
#[derive(Debug)]
pub(super) struct Letters(Box<[u32]>);

impl Letters {
    pub(super) fn new(vocabulary: &Vocabulary) -> Self {
        let kinds: [u32; 256] = std::array::from_fn(|byte| 1 << kind(byte as u8));
        let of_text = |text: &[u8]| text.iter().fold(0, |all, &byte| all | kinds[usize::from(byte)]);
        // First by the tokens' numbers, as their texts are stored.
        let of_tokens: Vec<u32> =
            (0..vocabulary.num_tokens() as u32).map(|token| of_text(vocabulary.token_bytes(token))).collect();
        Self(vocabulary.trie().order().iter().map(|&token| of_tokens[token as usize]).collect())
    }

    /// The places in the trie's order of the tokens that have all letters of any of some sets and are made of certain characters, and
    /// of some others. Of characters beyond ASCII the set has the first bytes.
    pub(super) fn with_any(&self, sets: &[ByteSet], of: &ByteSet) -> Vec<usize> {
        let kinds_of = |set: &ByteSet| set.iter().fold(0, |all, byte| all | 1 << kind(byte));
        let (allowed, wanted): (u32, Vec<u32>) = (kinds_of(of), sets.iter().map(kinds_of).collect());
        let fits = |kinds: u32, wanted: u32| kinds & (wanted | !allowed) == wanted;
        let mut places = Vec::new();
        for (number, chunk) in self.0.chunks(CHUNK).enumerate() {
            // Most chunks have none that fits, and are passed over at once.
            let some_fit = |&wanted: &u32| chunk.iter().fold(false, |any, &kinds| any | fits(kinds, wanted));
            if wanted.iter().any(some_fit) {
                let of_chunk = (number * CHUNK..).zip(chunk);
                let fitting =
                    of_chunk.filter(|&(_, &kinds)| wanted.iter().any(|&wanted| fits(kinds, wanted)));
                places.extend(fitting.map(|(place, _)| place));
            }
        }
        places
    }
}

/// One of 32 kinds of bytes: letters whatever their case, the rarest in pairs; digits; marks, by what they are mostly used for; and others.
fn kind(byte: u8) -> u8 {
    match byte.to_ascii_lowercase() {
        b'q' => kind(b'j'),
        b'z' => kind(b'x'),
        letter @ b'a'..=b'p' => letter - b'a',
        letter @ b'r'..=b'y' => letter - b'a' - 1,
        b'0'..=b'9' => 24,
        b' ' => 25,
        b'.' | b',' | b':' | b';' => 26,
        b'/' | b'\\' | b'|' => 27,
        b'-' | b'_' | b'+' | b'*' | b'=' | b'~' => 28,
        b'!'..=b'~' => 29,
        0x80.. => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::VocabularyOptions;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_token_with_all_letters_of_a_set_is_missed(
            texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..8), 1..40),
            sets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3), 0..3),
            of in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let vocabulary = Vocabulary::new(&texts, VocabularyOptions::default()).expect("a vocabulary");
            let wanted: Vec<ByteSet> = sets.iter().map(|letters| letters.iter().copied().collect()).collect();
            let of = of.into_iter().collect();
            let found = Letters::new(&vocabulary).with_any(&wanted, &of);
            for (place, &token) in vocabulary.trie().order().iter().enumerate() {
                let text = vocabulary.token_bytes(token);
                let has_any = sets.iter().any(|letters| letters.iter().all(|letter| text.contains(letter)));
                let is_of = text.iter().all(|&byte| of.contains(byte));
                prop_assert!(!has_any || !is_of || found.contains(&place), "{:?}", text);
            }
        }
    }

    #[test]
    fn there_are_32_kinds() {
        let kinds: ByteSet = (0..=255).map(kind).collect();
        assert_eq!(kinds, ByteSet::range(0, 31));
    }
}
