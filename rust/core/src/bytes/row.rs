//! One context's next-token probabilities, summed over the byte trie.
//!
//! Invariant: `weights[i]` is the probability of the token at place `i` of the trie's order, or 0 if it may not follow here;
//! so what a subtree of the trie weighs is a sum of neighbours. Sums are of positive numbers in f64 and never differences,
//! so small masses keep their digits. Sums over many tokens, by their first byte and by their second, are made once.

use crate::error::{Error, Result};
use crate::vocab::{ByteTrie, Vocabulary};
use rustc_hash::FxHashMap;

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
    /// For children of the trie's root with many tokens below: what each of their branches weighs.
    branches: FxHashMap<usize, Box<[f64]>>,
}

/// How many tokens are many.
const MANY: usize = 256;

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
        let mut by_id: Vec<f64> = logits.iter().map(|&logit| logit.into()).collect();
        if let Some(id) = by_id.iter().position(|logit| logit.is_nan() || *logit == f64::INFINITY) {
            return invalid(format!("the logit of token {id} is {}", by_id[id]));
        }
        let max = in_parts(&by_id, f64::NEG_INFINITY, f64::max);
        if max == f64::NEG_INFINITY {
            return invalid("all logits are minus infinity".into());
        }
        by_id.iter_mut().for_each(|weight| *weight = exp(*weight - max));
        let scale = 1.0 / sum(&by_id);
        let trie = vocabulary.trie();
        let weigh = |(place, &token): (usize, &u32)| match allows(place as u32) {
            true => by_id[token as usize] * scale,
            false => 0.0,
        };
        let weights: Box<[f64]> = trie.order().iter().enumerate().map(weigh).collect();
        let mut first = Box::new([0.0; 256]);
        let mut branches = FxHashMap::default();
        for child in trie.children(0) {
            let node = trie.child_node(child);
            let below: Box<[f64]> = trie.branches(node).map(|(_, places)| sum(&weights[places])).collect();
            first[usize::from(trie.child_byte(child))] = sum(&weights[trie.places_at(node)]) + sum(&below);
            if trie.places_below(node).len() > MANY {
                branches.insert(node, below);
            }
        }
        let end = vocabulary.stop_token_ids().iter().map(|&id| by_id[id as usize] * scale).sum();
        let total = sum(&first[..]);
        Ok(Self { weights, end, first, total, branches })
    }

    /// What all tokens strictly below a node of the trie weigh.
    pub(crate) fn below(&self, trie: &ByteTrie, node: usize) -> f64 {
        match self.branches.get(&node) {
            _ if node == 0 => self.total,
            Some(branches) => sum(branches),
            None => sum(&self.weights[trie.places_below(node)]),
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
        let known = self.branches.get(&node);
        let mut total = 0.0;
        for (branch, (byte, places)) in trie.branches(node).enumerate() {
            let weight = scale * known.map_or_else(|| sum(&self.weights[places]), |known| known[branch]);
            bins[usize::from(byte)] += weight;
            total += weight;
        }
        total
    }
}

fn sum(values: &[f64]) -> f64 {
    in_parts(values, 0.0, |a, b| a + b)
}

/// A fold in eight parts, which do not wait for each other.
fn in_parts(values: &[f64], start: f64, fold: impl Fn(f64, f64) -> f64) -> f64 {
    let (chunks, rest) = values.as_chunks::<8>();
    let mut parts = [start; 8];
    for chunk in chunks {
        parts.iter_mut().zip(chunk).for_each(|(part, value)| *part = fold(*part, *value));
    }
    parts.iter().chain(rest).fold(start, |a, &b| fold(a, b))
}

/// The exponential of a number that is not positive, to the last digit or two, without branches so that several are computed
/// at once: `x = k ln 2 + r`, a Taylor series for `r`, and `k` as the exponent's bits. Below -708 it is 0.
#[inline]
fn exp(x: f64) -> f64 {
    /// Adding it rounds to an integer, which stands in the lowest bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    /// ln 2 in two parts: the first times `k` is exact.
    const LN_2: (f64, f64) = (0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10);
    let clamped = x.max(-708.0);
    let shifted = clamped * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (clamped - k * LN_2.0) - k * LN_2.1;
    let mut series = 1.0;
    for n in (1..14).rev() {
        // The inverses are constants once the loop is unrolled.
        series = 1.0 + series * (r * (1.0 / f64::from(n)));
    }
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52));
    if x < -708.0 { 0.0 } else { series * power }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn exp_is_the_exponential(x in -708.0f64..0.0) {
            prop_assert!((exp(x) / x.exp() - 1.0).abs() < 2e-15, "{} for {}", exp(x), x.exp());
        }
    }

    #[test]
    fn exp_at_its_ends() {
        assert_eq!(
            (exp(0.0), exp(-0.0), exp(f64::NEG_INFINITY), exp(-1e9), exp(-708.5)),
            (1.0, 1.0, 0.0, 0.0, 0.0)
        );
        assert!(exp(-708.0) > 0.0);
    }
}
