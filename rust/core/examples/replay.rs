//! Replays recorded texts through the engine and prints what each mask and token cost.
//!
//! ```text
//! cargo run --release --example replay -- VOCABULARY CASES [--every N] [--skip N] [--fresh] [--worst N] [--rehearse US]
//! ```
//!
//! VOCABULARY is what `TokenizerInfo.serialize_json` wrote; CASES has one JSON object a line: `id`, `schema` or `ebnf` (texts) and
//! `tests`, each with `tokens` and `valid`. The protocol is MaskBench's: a schema is compiled to its first mask, then every
//! test is replayed, filling the mask and accepting the token. With `--fresh` nothing is shared between schemas. Times are those of
//! the thread, so that other processes count little. `--rehearse` gives [`CompilerOptions::rehearsal_limit`] in microseconds.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

use bytewright::frontend::ebnf::{self, EbnfOptions};
use bytewright::json_schema::JsonSchemaOptions;
use bytewright::{Compiler, CompilerOptions, Grammar, Matcher, MatcherOptions, Vocabulary};
use cpu_time::ThreadTime;
use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::time::Duration;

/// As in the extension for Python.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error>;

#[derive(serde::Deserialize)]
struct Case {
    id: String,
    #[serde(flatten)]
    source: Source,
    tests: Vec<Test>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Source {
    Schema(String),
    Ebnf(String),
}

impl Source {
    fn grammar(&self) -> Result<Grammar, Failure> {
        Ok(match self {
            Self::Schema(schema) => Grammar::from_json_schema(schema, &[], &JsonSchemaOptions::default())?,
            Self::Ebnf(text) => ebnf::parse(text, &EbnfOptions::default())?,
        })
    }
}

#[derive(serde::Deserialize)]
struct Test {
    tokens: Vec<u32>,
    valid: bool,
}

/// What was measured, nanoseconds.
#[derive(Default)]
struct Figures {
    first_mask: Vec<u64>,
    token: Vec<u64>,
    wrong: Vec<String>,
    /// (time, case, test, token index, fill only)
    worst: Vec<(u64, String, usize, usize, u64)>,
    keeps_worst: bool,
}

struct Arguments {
    paths: Vec<String>,
    every: usize,
    skip: usize,
    worst: usize,
    fresh: bool,
    /// [`CompilerOptions::rehearsal_limit`].
    rehearse: Option<Duration>,
}

fn arguments() -> Result<Arguments, Failure> {
    let mut out = Arguments { paths: Vec::new(), every: 1, skip: 0, worst: 0, fresh: false, rehearse: None };
    let mut rest = std::env::args().skip(1);
    while let Some(argument) = rest.next() {
        let mut number =
            || -> Result<usize, Failure> { Ok(rest.next().ok_or("a number is missing")?.parse()?) };
        match argument.as_str() {
            "--every" => out.every = number()?,
            "--skip" => out.skip = number()?,
            "--rehearse" => out.rehearse = Some(Duration::from_micros(number()? as u64)),
            "--worst" => out.worst = number()?,
            "--fresh" => out.fresh = true,
            _ => out.paths.push(argument),
        }
    }
    if out.paths.len() != 2 {
        return Err(
            "usage: replay VOCABULARY CASES [--every N] [--skip N] [--rehearse US] [--fresh] [--worst N]"
                .into(),
        );
    }
    Ok(out)
}

fn main() -> Result<(), Failure> {
    let arguments = arguments()?;
    let vocabulary = Arc::new(Vocabulary::deserialize_json(&std::fs::read_to_string(&arguments.paths[0])?)?);
    let make = || -> Result<Compiler, Failure> {
        let options = CompilerOptions { rehearsal_limit: arguments.rehearse, ..CompilerOptions::default() };
        let compiler = Compiler::new(Arc::clone(&vocabulary), options);
        compiler.prepare()?;
        Ok(compiler)
    };
    let started = ThreadTime::now();
    let mut compiler = make()?;
    println!("compiler: {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    let mut figures = Figures { keeps_worst: arguments.worst > 0, ..Figures::default() };
    let lines = BufReader::new(std::fs::File::open(&arguments.paths[1])?).lines();
    for line in lines.skip(arguments.skip).step_by(arguments.every) {
        let case: Case = serde_json::from_str(&line?)?;
        if arguments.fresh {
            compiler = make()?;
        }
        if let Err(error) = replay(&compiler, &case, &mut figures) {
            figures.wrong.push(format!("{}: {error}", case.id));
        }
    }
    print(&arguments, figures);
    println!("cache: {} KiB", compiler.cache_size_bytes() >> 10);
    Ok(())
}

fn replay(compiler: &Compiler, case: &Case, figures: &mut Figures) -> Result<(), Failure> {
    let vocabulary = compiler.vocabulary();
    let stop = *vocabulary.stop_token_ids().first().ok_or("the vocabulary has no stop token")?;
    let mut row = vec![0u32; vocabulary.mask_words()];
    let has = |row: &[u32], token: u32| row[token as usize / 32] >> (token % 32) & 1 == 1;
    let started = ThreadTime::now();
    let compiled = compiler.compile(&case.source.grammar()?)?;
    let first = Matcher::new(compiled, MatcherOptions::default())?;
    first.clone().fill_next_token_bitmask(&mut row)?;
    figures.first_mask.push(started.elapsed().as_nanos() as u64);
    for (number, test) in case.tests.iter().enumerate() {
        let mut matcher = first.clone();
        let mut fits = true;
        for (index, &token) in test.tokens.iter().enumerate() {
            let started = ThreadTime::now();
            matcher.fill_next_token_bitmask(&mut row)?;
            let filled = started.elapsed().as_nanos() as u64;
            fits = has(&row, token);
            if fits && !matcher.accept_token(token)? {
                figures
                    .wrong
                    .push(format!("{} #{number}: token {index} is in the mask and refused", case.id));
            }
            let time = started.elapsed().as_nanos() as u64;
            figures.token.push(time);
            if figures.keeps_worst {
                figures.worst.push((time, case.id.clone(), number, index, filled));
            }
            if !fits {
                break;
            }
        }
        if fits {
            matcher.fill_next_token_bitmask(&mut row)?;
            fits = has(&row, stop);
        }
        if fits != test.valid {
            let what = if fits { "accepts invalid" } else { "refuses valid" };
            figures.wrong.push(format!("{} #{number}: {what}", case.id));
        }
    }
    Ok(())
}

fn print(arguments: &Arguments, mut figures: Figures) {
    for (name, times) in [("first mask", &mut figures.first_mask), ("mask + token", &mut figures.token)] {
        times.sort_unstable();
        let at = |q: f64| times.get(((times.len() as f64 * q) as usize).min(times.len().max(1) - 1));
        let us = |ns: Option<&u64>| *ns.unwrap_or(&0) as f64 / 1e3;
        let average = times.iter().sum::<u64>() as f64 / 1e3 / times.len().max(1) as f64;
        print!("{name:<12} n {} avg {average:.2}", times.len());
        for (label, q) in
            [("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)]
        {
            print!(" {label} {:.2}", us(at(q)));
        }
        println!(" us");
    }
    print_shares(&figures.token);
    println!("wrong: {}", figures.wrong.len());
    figures.wrong.iter().take(20).for_each(|wrong| println!("  {wrong}"));
    figures.worst.sort_unstable_by_key(|sample| std::cmp::Reverse(sample.0));
    for (time, id, test, token, filled) in figures.worst.iter().take(arguments.worst) {
        println!(
            "  {:.1} us (mask {:.1}) {id} #{test} token {token}",
            *time as f64 / 1e3,
            *filled as f64 / 1e3
        );
    }
}

/// How much of the time goes to tokens of which cost.
fn print_shares(sorted: &[u64]) {
    let total = sorted.iter().sum::<u64>().max(1) as f64;
    print!("share of the time:");
    for (lo, hi) in [(0, 2), (2, 5), (5, 10), (10, 25), (25, 100), (100, 1000), (1000, u64::MAX / 1000)] {
        let part = sorted.iter().filter(|&&ns| (lo * 1000..hi * 1000).contains(&ns));
        let (count, sum) = part.fold((0usize, 0u64), |(n, sum), ns| (n + 1, sum + ns));
        print!(" {lo}+ us {:.1}% ({count})", 100.0 * sum as f64 / total);
    }
    println!();
}
