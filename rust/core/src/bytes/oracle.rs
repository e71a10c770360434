//! The definitions, spelled out: every token sequence, every cover, sums over all of them.
//!
//! Slow and obvious. It shares the vocabulary and plain BPE with the engine, nothing else.

use super::*;
use crate::vocab::{Vocabulary, VocabularyOptions};
use std::collections::HashMap;
use std::sync::Arc;

/// A model as a table: the last two tokens decide, at random but always the same.
pub(crate) struct Toy {
    pub(crate) vocabulary: Arc<Vocabulary>,
    pub(crate) seed: u64,
    /// The range of its logits: wider is more certain.
    pub(crate) spread: f64,
}

impl Toy {
    pub(crate) fn logits(&self, tokens: &[u32]) -> Vec<f64> {
        let context = &tokens[tokens.len().saturating_sub(2)..];
        let mut state = context.iter().fold(self.seed ^ 0x9e37, |h, &t| mix(h ^ u64::from(t) << 7 ^ 0xabc));
        let mut next = || {
            state = mix(state);
            (state >> 11) as f64 / (1u64 << 53) as f64 * self.spread
        };
        (0..self.vocabulary.vocab_size()).map(|_| next()).collect()
    }

    pub(crate) fn probabilities(&self, tokens: &[u32]) -> Vec<f64> {
        let weights: Vec<f64> = self.logits(tokens).iter().map(|logit| logit.exp()).collect();
        let total: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / total).collect()
    }
}

fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

pub(crate) fn vocabulary(texts: &[&[u8]]) -> Arc<Vocabulary> {
    let mut tokens: Vec<&[u8]> = texts.to_vec();
    tokens.push(b"</s>");
    let stop = texts.len() as u32;
    let options = VocabularyOptions { stop_token_ids: vec![stop], ..Default::default() };
    Arc::new(Vocabulary::new(&tokens, options).unwrap())
}

/// All covers of a text, by definition: its bytes begin with `text`, all but its last token are a strict prefix of it.
pub(crate) fn covers(vocabulary: &Vocabulary, text: &[u8], keep: &dyn Fn(&[u32]) -> bool) -> Vec<Vec<u32>> {
    let mut found = Vec::new();
    let mut pending: Vec<(Vec<u32>, usize)> = vec![(vec![], 0)];
    while let Some((tokens, len)) = pending.pop() {
        if len >= text.len() {
            if keep(&tokens) {
                found.push(tokens);
            }
            continue;
        }
        for id in (0..vocabulary.num_tokens() as u32).filter(|&id| vocabulary.is_text(id)) {
            let bytes = vocabulary.token_bytes(id);
            let rest = &text[len..];
            if bytes.starts_with(&rest[..rest.len().min(bytes.len())]) {
                pending.push(([tokens.as_slice(), &[id]].concat(), len + bytes.len()));
            }
        }
    }
    found
}

/// `P(text)`: the sum over its covers.
pub(crate) fn mass(toy: &Toy, text: &[u8], keep: &dyn Fn(&[u32]) -> bool) -> f64 {
    covers(&toy.vocabulary, text, keep).iter().map(|tokens| sequence(toy, tokens)).sum()
}

/// `P(t1..tk)`.
pub(crate) fn sequence(toy: &Toy, tokens: &[u32]) -> f64 {
    (0..tokens.len()).map(|i| toy.probabilities(&tokens[..i])[tokens[i] as usize]).product()
}

/// The masses of the 257 outcomes after a text, from the definition.
pub(crate) fn next_masses(
    toy: &Toy,
    text: &[u8],
    viable: &dyn Fn(&[u32]) -> bool,
    complete: &dyn Fn(&[u32]) -> bool,
) -> Vec<f64> {
    let mut bytes: Vec<u8> = (0..toy.vocabulary.num_tokens() as u32)
        .flat_map(|id| toy.vocabulary.token_bytes(id).to_vec())
        .collect();
    bytes.sort_unstable();
    bytes.dedup();
    let mut masses = vec![0.0; OUTCOMES];
    for byte in bytes {
        masses[usize::from(byte)] = mass(toy, &[text, &[byte]].concat(), viable);
    }
    let stop = toy.vocabulary.stop_token_ids()[0] as usize;
    let ends_here = |tokens: &[u32]| {
        let len: usize = tokens.iter().map(|&t| toy.vocabulary.token_bytes(t).len()).sum();
        len == text.len() && complete(tokens)
    };
    masses[END] = covers(&toy.vocabulary, text, &ends_here)
        .iter()
        .map(|tokens| sequence(toy, tokens) * toy.probabilities(tokens)[stop])
        .sum();
    masses
}

/// Canonical sequences by definition, remembered: re-encode, and for viability try all continuations up to a length.
pub(crate) struct Definition<'a> {
    pub(crate) vocabulary: &'a Vocabulary,
    pub(crate) encode: &'a dyn Fn(&[u8]) -> Vec<u32>,
    /// What may follow, for viability.
    pub(crate) continuations: Vec<Vec<u8>>,
    pub(crate) known: std::cell::RefCell<HashMap<Vec<u32>, bool>>,
}

impl Definition<'_> {
    fn bytes(&self, tokens: &[u32]) -> Vec<u8> {
        tokens.iter().flat_map(|&t| self.vocabulary.token_bytes(t).to_vec()).collect()
    }

    pub(crate) fn complete(&self, tokens: &[u32]) -> bool {
        (self.encode)(&self.bytes(tokens)) == tokens
    }

    pub(crate) fn viable(&self, tokens: &[u32]) -> bool {
        if let Some(&known) = self.known.borrow().get(tokens) {
            return known;
        }
        let text = self.bytes(tokens);
        let viable = self
            .continuations
            .iter()
            .any(|more| (self.encode)(&[text.as_slice(), more].concat()).starts_with(tokens));
        self.known.borrow_mut().insert(tokens.to_vec(), viable);
        viable
    }
}
