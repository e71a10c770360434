//! From token probabilities to byte probabilities.
//!
//! A language model gives a probability to each next *token*; a text has no tokens, only bytes. A *cover* of a text `x` is a
//! token sequence `t1..tk` whose bytes begin with `x` while those of `t1..t(k-1)` are a strict prefix of it. Covers are
//! prefix-free, so `P(x)` is the sum of their probabilities, and the next byte has `P(b | x) = P(xb) / P(x)` (the Byte-Token
//! Representation Lemma, Phan et al., arXiv 2410.09303). The end of the text is the 257th outcome.
//!
//! ```text
//! Vocabulary + MergeTable + Splitter --> Canonical --> CoverTree <-- logits, from the host
//! ```
//!
//! - [`MergeTable`]: which two tokens may be neighbours in byte-pair encoding.
//! - [`Splitter`]: where a pre-tokenizer pattern may cut a text whose end is not known yet.
//! - [`Unigram`]: the other family of tokenizers, which take the best-scored segmentation of a whole text.
//! - [`Canonical`]: which token sequences the tokenizer itself can produce.
//! - [`CoverTree`]: all covers of a growing text, their masses, the next-byte distribution and its certificate.
//!
//! The tree never calls a model. It says which contexts it needs (`node`, `parent`, `token`), the host answers with rows of
//! logits, and everything here can be tested without a model.
//!
//! Three laws, never mixed ([`Mode`]): *canonical* sequences only, renormalised at each byte; *all* sequences; and *fast*,
//! canonical but for the last token.

mod bpe;
mod canonical;
mod exp;
mod merges;
mod row;
mod scan;
mod segments;
mod split;
mod tree;
mod unigram;

pub use canonical::Canonical;
pub use merges::{Merge, MergeTable};
pub use row::{END, OUTCOMES};
pub use split::Splitter;
pub use tree::{Cover, CoverTree, Mode, Needed, NextByte, TreeOptions};
pub use unigram::Unigram;

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
