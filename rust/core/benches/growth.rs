//! What a token costs the further a text goes on: `cargo bench --bench growth`.
//!
//! Not a benchmark of Criterion's, which repeats one thing until its time is certain: here every step happens once, and what
//! counts is whether the last thousand steps cost what the first did. Prints for each kind of text the average and the
//! dearest step by position, and the memory of the grammar with its matchers so far.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

#[path = "support/clock.rs"]
mod clock;
mod support;

use bytewright::frontend::ebnf::{EbnfOptions, parse};
use bytewright::{Compiler, CompilerOptions, Grammar, Matcher, MatcherOptions, Vocabulary};
use clock::thread_time;
use std::sync::Arc;
use support::texts;
use support::vocabulary::{Tokenizer, synthetic};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Rows of each table.
const ROWS: usize = 10;

struct Texts {
    compiler: Compiler,
    tokenizer: Tokenizer,
}

impl Texts {
    /// Steps through a text by tokens, or by bytes, and prints a table.
    fn follow(&self, title: &str, grammar: &Grammar, text: &str, by_byte: bool) -> Outcome {
        let compiled = self.compiler.compile(grammar)?;
        let mut matcher = Matcher::new(Arc::clone(&compiled), MatcherOptions::default())?;
        let vocabulary: &Vocabulary = compiled.vocabulary();
        let mut row = vec![0; vocabulary.mask_words()];
        let steps: Vec<Vec<u8>> = match by_byte {
            true => text.bytes().map(|byte| vec![byte]).collect(),
            false => {
                let tokens = self.tokenizer.encode(text.as_bytes());
                tokens.iter().map(|&id| vocabulary.token_bytes(id).to_vec()).collect()
            }
        };
        println!("{title}: {} steps, {} bytes", steps.len(), text.len());
        println!("{:>10} {:>12} {:>12} {:>14}", "step", "avg µs", "max µs", "memory KiB");
        for (number, part) in steps.chunks(steps.len().div_ceil(ROWS)).enumerate() {
            let mut times = Vec::with_capacity(part.len());
            for step in part {
                let start = thread_time();
                matcher.fill_next_token_bitmask(&mut row)?;
                if !matcher.accept_bytes(step)? {
                    return Err(format!("{title}: {:?} is refused", step.escape_ascii().to_string()).into());
                }
                times.push((thread_time() - start).as_secs_f64() * 1e6);
            }
            let last = number * steps.len().div_ceil(ROWS) + part.len();
            let average = times.iter().sum::<f64>() / times.len() as f64;
            let most = times.iter().copied().fold(0.0, f64::max);
            println!("{last:>10} {average:>12.2} {most:>12.1} {:>14}", compiled.memory_size_bytes() >> 10);
        }
        println!();
        Ok(())
    }
}

fn main() -> Outcome {
    let vocabulary = Arc::new(synthetic(128_000)?);
    let tokenizer = Tokenizer::new(&vocabulary);
    let compiler = Compiler::new(vocabulary, CompilerOptions::default());
    compiler.prepare()?;
    let all = Texts { compiler, tokenizer };
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let ebnf = |text: &str| parse(text, &EbnfOptions::default());
    let open = Grammar::from_json_schema(r#"{"type": "array"}"#, &[], &Default::default())?;
    let unique = Grammar::from_json_schema(
        r#"{"items": {"type": "integer"}, "uniqueItems": true}"#,
        &[],
        &Default::default(),
    )?;
    let numbers =
        format!("[{}]", (0..100).map(|i| (i * 7919 % 100_000).to_string()).collect::<Vec<_>>().join(", "));
    let right = ebnf(r#"root ::= "a" root | "b""#)?;
    let left = ebnf(r#"root ::= root "a" | "b""#)?;
    let cases: &[(&str, &Grammar, String, bool)] = &[
        ("a long JSON text, JSON grammar", &Grammar::builtin_json(), texts::json(36_000), false),
        ("a long JSON text, JSON Schema", &open, texts::json(36_000), false),
        ("unique integers", &unique, numbers, false),
        (
            "a long string",
            &Grammar::builtin_json(),
            format!("\"{}\"", "the quick brown report ".repeat(2500)),
            false,
        ),
        ("nested brackets, arithmetic", &ebnf(texts::ARITHMETIC)?, texts::nested(10_000), true),
        (
            "nested arrays, JSON grammar",
            &Grammar::builtin_json(),
            "[".repeat(10_000) + &"]".repeat(10_000),
            true,
        ),
        ("right recursion", &right, "a".repeat(10_000) + "b", true),
        ("left recursion", &left, "b".to_owned() + &"a".repeat(10_000), true),
        ("ambiguous: S ::= S S | a | b", &ebnf(texts::AMBIGUOUS)?, texts::letters(10_000), true),
        (
            "ambiguous sums",
            &ebnf(r#"root ::= root "+" root | "(" root ")" | [0-9]"#)?,
            format!("{}1", "1+".repeat(5_000)),
            true,
        ),
    ];
    for (title, grammar, text, by_byte) in cases {
        if wanted.is_empty() || wanted.iter().any(|word| title.contains(word.as_str())) {
            all.follow(title, grammar, text, *by_byte)?;
        }
    }
    Ok(())
}
