//! The engine's steps one by one: `cargo bench --bench core [-- FILTER]`.
//!
//! Vocabularies come from a seeded generator (`support/vocabulary.rs`). With `BYTEWRIGHT_VOCABULARY=FILE` (what
//! `TokenizerInfo.serialize_json` or `TokenizerInfo.save` wrote) the steps run over that one; the scaling stays synthetic.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run has nobody to tell but who started it")]

#[path = "support/clock.rs"]
mod clock;
mod support;

use bytewright::json_schema::JsonSchemaOptions;
use bytewright::{
    Compiler, CompilerOptions, Grammar, Matcher, MatcherOptions, Vocabulary, VocabularyOptions,
};
use clock::ThreadTime;
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use support::texts;
use support::vocabulary::{Tokenizer, synthetic, synthetic_tokens};

/// Mistral's first, Llama 3, Qwen 2.5, Llama 4, Gemma 2 and 3: the sizes that are about.
const SIZES: [usize; 5] = [32_000, 128_256, 151_936, 201_135, 262_144];

fn vocabulary() -> Arc<Vocabulary> {
    let Ok(path) = std::env::var("BYTEWRIGHT_VOCABULARY") else {
        return Arc::new(synthetic(SIZES[1]).unwrap());
    };
    let loaded = match std::fs::read_to_string(&path) {
        Ok(text) if text.starts_with('{') => Vocabulary::deserialize_json(&text),
        _ => Vocabulary::load(Path::new(&path)),
    };
    Arc::new(loaded.unwrap())
}

fn compiler(vocabulary: &Arc<Vocabulary>) -> Compiler {
    Compiler::new(Arc::clone(vocabulary), CompilerOptions { cache_enabled: false, ..Default::default() })
}

fn matcher(compiler: &Compiler, grammar: &Grammar, text: &str) -> Matcher {
    let mut matcher = Matcher::new(compiler.compile(grammar).unwrap(), MatcherOptions::default()).unwrap();
    assert!(matcher.accept_bytes(text.as_bytes()).unwrap(), "{text}");
    matcher
}

fn schema(text: &str) -> Grammar {
    Grammar::from_json_schema(text, &[], &JsonSchemaOptions::default()).unwrap()
}

/// Fills a mask again that was filled before, and takes the tokens that follow.
fn steps(c: &mut Criterion<ThreadTime>) {
    let vocabulary = vocabulary();
    let compiler = compiler(&vocabulary);
    compiler.prepare().unwrap();
    let mut row = vec![0; vocabulary.mask_words()];
    let json = Grammar::builtin_json();
    let mut group = c.benchmark_group("fill");
    for (place, text) in [
        ("in a string", r#"{"name": "the quick"#),
        ("before a name", "{"),
        ("before a value", r#"{"name": "#),
        ("in a number", "[12"),
        ("after a value", r#"[{"a": [1]"#),
    ] {
        let mut matcher = matcher(&compiler, &json, text);
        group.bench_function(place, |b| b.iter(|| matcher.fill_next_token_bitmask(&mut row)));
    }
    group.finish();
    let tokens = Tokenizer::new(&vocabulary).encode(texts::json(4000).as_bytes());
    let start = matcher(&compiler, &json, "");
    let mut follow = |filled: bool| {
        let mut matcher = start.clone();
        for &token in &tokens {
            if filled {
                matcher.fill_next_token_bitmask(&mut row).unwrap();
            }
            assert!(matcher.accept_token(token).unwrap());
        }
        matcher
    };
    let mut end = follow(true);
    let mut group = c.benchmark_group("text");
    group.throughput(criterion::Throughput::Elements(tokens.len() as u64));
    group.bench_function("accept", |b| b.iter(|| follow(false)));
    group.bench_function("fill and accept", |b| b.iter(|| follow(true)));
    group.finish();
    let last = tokens[tokens.len() - 1];
    c.bench_function("fork", |b| b.iter(|| black_box(end.fork())));
    c.bench_function("rollback and accept", |b| {
        b.iter(|| {
            end.rollback(1).unwrap();
            end.accept_token(last).unwrap()
        })
    });
}

/// From a grammar to its first mask.
fn compile(c: &mut Criterion<ThreadTime>) {
    let vocabulary = vocabulary();
    let compiler = compiler(&vocabulary);
    compiler.prepare().unwrap();
    let mut row = vec![0; vocabulary.mask_words()];
    let mut first_mask =
        |grammar: &Grammar| matcher(&compiler, grammar, "").fill_next_token_bitmask(&mut row);
    let mut group = c.benchmark_group("compile to first mask");
    group.bench_function("json", |b| b.iter(|| first_mask(&Grammar::builtin_json())));
    for name in ["semver", "sql", "python", "c"] {
        group.bench_function(name, |b| b.iter(|| first_mask(&Grammar::builtin(name).unwrap())));
    }
    for case in texts::SCHEMAS {
        let name = format!("schema {}", case.name);
        group.bench_function(name, |b| b.iter(|| first_mask(&schema(case.schema))));
    }
}

/// What grows with the vocabulary.
fn sizes(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("vocabulary");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    for size in SIZES {
        let tokens = synthetic_tokens(size);
        let load = || Vocabulary::new(&tokens, VocabularyOptions::default()).unwrap();
        group.bench_function(BenchmarkId::new("make", size), |b| b.iter(load));
        let vocabulary = Arc::new(synthetic(size).unwrap());
        let bytes = vocabulary.serialize();
        let read = || Vocabulary::deserialize(&bytes).unwrap();
        group.bench_function(BenchmarkId::new("read its file", size), |b| b.iter(read));
        let prepare = || compiler(&vocabulary).prepare();
        group.bench_function(BenchmarkId::new("prepare a compiler", size), |b| b.iter(prepare));
        let mut row = vec![0; vocabulary.mask_words()];
        let json = Grammar::builtin_json();
        // A new compiler has no split yet, so the first mask inside a string makes it.
        let fresh = || matcher(&compiler(&vocabulary), &json, "\"a");
        let mut fill = |mut matcher: Matcher| matcher.fill_next_token_bitmask(&mut row).map(|_| matcher);
        group.bench_function(BenchmarkId::new("split inside a string", size), |b| {
            b.iter_batched(fresh, &mut fill, BatchSize::PerIteration)
        });
        let mut row = vec![0; vocabulary.mask_words()];
        let mut ready = fresh();
        group.bench_function(BenchmarkId::new("fill inside a string", size), |b| {
            b.iter(|| ready.fill_next_token_bitmask(&mut row))
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(ThreadTime);
    targets = steps, compile, sizes
}
criterion_main!(benches);
