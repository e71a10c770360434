//! One context's next-token probabilities, summed over the byte trie.
//!
//! Invariant: `weights[i]`, `scale` times, is the probability of the token at place `i` of the trie's order, or 0 if it may not
//! follow here; so what a subtree of the trie weighs is a sum of neighbours. Sums are of positive numbers in f64 and never
//! differences, so small masses keep their digits. Those of [`Segments`] are made once.

use super::exp::{largest, sum, weigh};
use super::segments::{Segments, is_split};
use crate::error::{Error, Result};
use crate::vocab::{Bitmask, ByteTrie, Vocabulary};
use std::ops::Range;
use std::sync::Arc;

/// The outcome that stands for the end of the text.
pub const END: usize = 256;
/// The 256 bytes and the end.
pub const OUTCOMES: usize = 257;

/// How many places are weighed together: 32 to a word of a filter.
const BLOCK: usize = 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct Row {
    weights: Box<[f64]>,
    scale: f64,
    /// The probability of the end.
    pub(crate) end: f64,
    /// What each segment weighs.
    sums: Box<[f64]>,
    /// What the tokens with each first byte weigh.
    first: Box<[f64; 256]>,
    total: f64,
    segments: Arc<Segments>,
}

impl Drop for Row {
    fn drop(&mut self) {
        self.segments.give_buffer(std::mem::take(&mut self.weights));
    }
}

impl Row {
    /// From a model's logits, one for each id of the vocabulary. `allowed` filters tokens, by the trie's order; the rest keep
    /// their probabilities, so that the row may weigh less than 1.
    ///
    /// # Errors
    /// [`Error::InvalidLogits`] for another number of logits, NaN, plus infinity, or nothing but minus infinity.
    pub(crate) fn new<T: Copy + Into<f64>>(
        vocabulary: &Vocabulary,
        segments: &Arc<Segments>,
        logits: &[T],
        allowed: Option<&Bitmask>,
    ) -> Result<Self> {
        let max = check(vocabulary, logits)?;
        let trie = vocabulary.trie();
        let mut row = Self {
            weights: segments.take_buffer(trie.order().len()),
            scale: 0.0,
            end: 0.0,
            sums: Box::default(),
            first: Box::new([0.0; 256]),
            total: 0.0,
            segments: Arc::clone(segments),
        };
        let others = segments.others();
        let mut of_others = vec![0.0; others.len()];
        let all = weigh(logits, others, max, None, &mut of_others)
            + row.fill(logits, trie.order(), max, allowed.map(Bitmask::as_words));
        row.scale = 1.0 / all;
        let stops = vocabulary.stop_token_ids().iter();
        let stops = stops.filter_map(|id| Some(of_others[others.binary_search(id).ok()?]));
        row.end = stops.sum::<f64>() * row.scale;
        let mut first = [0.0; 256];
        row.for_each_branch(trie, 0, |byte, weight| first[usize::from(byte)] = weight);
        *row.first = first;
        row.total = sum(&first);
        Ok(row)
    }

    /// Weighs the tokens and sums the segments, block by block, while what was written is near. Returns what all weigh, the
    /// filtered ones included.
    fn fill<T: Copy + Into<f64>>(
        &mut self,
        logits: &[T],
        order: &[u32],
        max: f64,
        allowed: Option<&[u32]>,
    ) -> f64 {
        let mut segments = self.segments.ranges().peekable();
        let mut sums = Vec::with_capacity(segments.len());
        let mut all = 0.0;
        for (block, ids) in order.chunks(BLOCK).enumerate() {
            let places = block * BLOCK..block * BLOCK + ids.len();
            let words = allowed.map(|words| &words[places.start / 32..]);
            all += weigh(logits, ids, max, words, &mut self.weights[places.clone()]);
            while let Some(segment) = segments.next_if(|segment| segment.end <= places.end) {
                sums.push(sum(&self.weights[segment]));
            }
        }
        self.sums = sums.into();
        all
    }

    /// The probability of the token at a place.
    pub(crate) fn weight(&self, place: usize) -> f64 {
        self.weights[place] * self.scale
    }

    /// What all tokens strictly below a node of the trie weigh.
    pub(crate) fn below(&self, trie: &ByteTrie, node: usize) -> f64 {
        self.scale
            * match node {
                0 => self.total,
                _ if is_split(trie, node) => {
                    let Range { start, end } = trie.places_below(node);
                    sum(&self.sums[self.segments.at(start)..self.segments.at(end)])
                }
                _ => sum(&self.weights[trie.places_below(node)]),
            }
    }

    /// Adds what the tokens weigh that go on from a node of the trie, by their next byte, `mass` times. Returns the sum of
    /// what it added: what is below the node, that many times.
    pub(crate) fn add_next_bytes(
        &self,
        trie: &ByteTrie,
        node: usize,
        mass: f64,
        bins: &mut [f64; OUTCOMES],
    ) -> f64 {
        let scale = mass * self.scale;
        if node == 0 {
            bins.iter_mut().zip(self.first.iter()).for_each(|(bin, weight)| *bin += scale * weight);
            return scale * self.total;
        }
        let mut total = 0.0;
        self.for_each_branch(trie, node, |byte, weight| {
            bins[usize::from(byte)] += scale * weight;
            total += weight;
        });
        scale * total
    }

    /// What the tokens at or below each child of a node weigh.
    fn for_each_branch(&self, trie: &ByteTrie, node: usize, mut visit: impl FnMut(u8, f64)) {
        let branches = self.segments.branches(trie, node);
        if node > 0 && !is_split(trie, node) {
            return branches.for_each(|(byte, places)| visit(byte, sum(&self.weights[places])));
        }
        let mut next = self.segments.at(trie.places_below(node).start);
        for (byte, places) in branches {
            let first = next;
            while self.segments.start(next) < places.end {
                next += 1;
            }
            visit(byte, sum(&self.sums[first..next]));
        }
    }
}

/// The largest logit.
fn check<T: Copy + Into<f64>>(vocabulary: &Vocabulary, logits: &[T]) -> Result<f64> {
    let invalid = |message: String| Err(Error::InvalidLogits(message));
    if logits.len() != vocabulary.vocab_size() {
        return invalid(format!(
            "a row has {} logits, but the vocabulary has {} ids; does the tokenizer belong to the model? Give \
             `vocab_size` where the model is wider",
            logits.len(),
            vocabulary.vocab_size()
        ));
    }
    match largest(logits) {
        Err(id) => invalid(format!("the logit of token {id} is {}", logits[id].into())),
        Ok(f64::NEG_INFINITY) => invalid("all logits are minus infinity".into()),
        Ok(max) => Ok(max),
    }
}
