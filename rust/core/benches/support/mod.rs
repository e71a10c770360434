//! What the benchmarks and the count of instructions share: vocabularies, grammars and texts.
// Each of them uses a part.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod texts;
pub mod vocabulary;
