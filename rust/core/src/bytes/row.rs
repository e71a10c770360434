//! One context's next-token probabilities, summed over the byte trie.
//!
//! Invariant: `weights[i]` is the probability of the token at place `i` of the trie's order, or 0 if it may not follow here;
//! so what a subtree of the trie weighs is a sum of neighbours. Sums are of positive numbers in f64 and never differences,
//! so small masses keep their digits. The sums by first byte are those of the whole vocabulary and are made once.

use crate::error::{Error, Result};
use crate::vocab::{ByteTrie, Vocabulary};

/// The outcome that stands for the end of the text.
pub const END: usize = 256;
/// The 256 bytes and the end.
pub const OUTCOMES: usize = 257;

/// See the module.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) weights: Box<[f64]>,
    /// The probability of the end.
    pub(crate) end: f64,
    /// What the tokens with each first byte weigh.
    first: Box<[f64; 256]>,
    total: f64,
}

impl Row {
    /// From a model's logits, one for each id of the vocabulary. `allows(place)` filters tokens; the rest keep their
    /// probabilities, so that the row may weigh less than 1.
    ///
    /// # Errors
    /// [`Error::InvalidLogits`] for another number of logits, NaN, plus infinity, or nothing but minus infinity.
    pub(crate) fn new<T: Copy + Into<f64>>(
        vocabulary: &Vocabulary,
        logits: &[T],
        allows: impl Fn(u32) -> bool,
    ) -> Result<Self> {
        let invalid = |message: String| Err(Error::InvalidLogits(message));
        if logits.len() != vocabulary.vocab_size() {
            return invalid(format!(
                "a row has {} logits, but the vocabulary has {} ids; does the tokenizer belong to the model? Give \
                 `vocab_size` where the model is wider",
                logits.len(),
                vocabulary.vocab_size()
            ));
        }
        let mut max = f64::NEG_INFINITY;
        for (id, &logit) in logits.iter().enumerate() {
            let logit: f64 = logit.into();
            if logit.is_nan() || logit == f64::INFINITY {
                return invalid(format!("the logit of token {id} is {logit}"));
            }
            max = max.max(logit);
        }
        if max == f64::NEG_INFINITY {
            return invalid("all logits are minus infinity".into());
        }
        let by_id: Vec<f64> = logits.iter().map(|&logit| (logit.into() - max).exp()).collect();
        let total = sum(&by_id);
        let order = vocabulary.trie().order();
        let weigh = |(place, &token): (usize, &u32)| match allows(place as u32) {
            true => by_id[token as usize] / total,
            false => 0.0,
        };
        let weights: Box<[f64]> = order.iter().enumerate().map(weigh).collect();
        let mut first = Box::new([0.0; 256]);
        for (byte, places) in vocabulary.trie().branches(0) {
            first[usize::from(byte)] = sum(&weights[places]);
        }
        let end = vocabulary.stop_token_ids().iter().map(|&id| by_id[id as usize] / total).sum();
        let total = first.iter().sum();
        Ok(Self { weights, end, first, total })
    }

    /// What all tokens strictly below a node of the trie weigh.
    pub(crate) fn below(&self, trie: &ByteTrie, node: usize) -> f64 {
        match node {
            0 => self.total,
            _ => sum(&self.weights[trie.places_below(node)]),
        }
    }

    /// Adds what the tokens weigh that go on from a node of the trie, by their next byte, `scale` times. Returns the sum of
    /// what it added: what is below the node, that many times.
    pub(crate) fn add_next_bytes(
        &self,
        trie: &ByteTrie,
        node: usize,
        scale: f64,
        bins: &mut [f64; OUTCOMES],
    ) -> f64 {
        if node == 0 {
            bins.iter_mut().zip(self.first.iter()).for_each(|(bin, weight)| *bin += scale * weight);
            return scale * self.total;
        }
        let mut total = 0.0;
        for (byte, places) in trie.branches(node) {
            let weight = scale * sum(&self.weights[places]);
            bins[usize::from(byte)] += weight;
            total += weight;
        }
        total
    }
}

/// In eight parts, which do not wait for each other.
fn sum(values: &[f64]) -> f64 {
    let (chunks, rest) = values.as_chunks::<8>();
    let mut parts = [0.0; 8];
    for chunk in chunks {
        parts.iter_mut().zip(chunk).for_each(|(part, value)| *part += value);
    }
    parts.iter().chain(rest).sum()
}
