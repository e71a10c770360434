//! One context's next-token probabilities, summed over the byte trie.
//!
//! Invariant: `weights[i]` is the probability of the token at place `i` of the trie's order, or 0 if it may not follow here;
//! so what a subtree of the trie weighs is a sum of neighbours. Sums are of positive numbers in f64 and never differences,
//! so small masses keep their digits.

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
        let total: f64 = by_id.iter().sum();
        let order = vocabulary.trie().order();
        let weigh = |(place, &token): (usize, &u32)| match allows(place as u32) {
            true => by_id[token as usize] / total,
            false => 0.0,
        };
        let weights = order.iter().enumerate().map(weigh).collect();
        let end = vocabulary.stop_token_ids().iter().map(|&id| by_id[id as usize] / total).sum();
        Ok(Self { weights, end })
    }

    /// What all tokens strictly below a node of the trie weigh.
    pub(crate) fn below(&self, trie: &ByteTrie, node: usize) -> f64 {
        self.weights[trie.places_below(node)].iter().sum()
    }

    /// Adds what the tokens weigh that go on from a node of the trie, by their next byte, `scale` times.
    pub(crate) fn add_next_bytes(
        &self,
        trie: &ByteTrie,
        node: usize,
        scale: f64,
        bins: &mut [f64; OUTCOMES],
    ) {
        for (byte, places) in trie.branches(node) {
            bins[usize::from(byte)] += scale * self.weights[places].iter().sum::<f64>();
        }
    }
}
