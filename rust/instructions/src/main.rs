//! One scenario of the count of instructions: set up, then run what is counted once.
//!
//! ```text
//! cargo run --release -p bytewright-instructions            # the names
//! cargo run --release -p bytewright-instructions -- NAME    # runs one
//! ```
//!
//! `benches/instructions.py` runs each under Valgrind, which counts only what happens inside [`measured`]. Everything is
//! fixed: the vocabulary comes from a seeded generator, there is one thread, and no clock is read.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

#[path = "../../core/benches/support/mod.rs"]
mod support;

use bytewright::frontend::ebnf::{EbnfOptions, parse};
use bytewright::json_schema::JsonSchemaOptions;
use bytewright::{Compiler, CompilerOptions, Grammar, Matcher, MatcherOptions, Vocabulary};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use support::texts::{self, Schema};
use support::vocabulary::{Tokenizer, synthetic, synthetic_tokens};

/// As in the extension for Python. (The C library's puts its free pieces together now and then, which took up to a tenth of what small
/// scenarios count, or nothing, by what had been freed before.)
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error>;
type Outcome = Result<(), Failure>;

/// Tokens of the vocabulary: large enough for splits to count, small enough for Valgrind.
const VOCAB_SIZE: usize = 16_000;

/// Valgrind counts between entering and leaving this function, which it finds by its name.
#[unsafe(no_mangle)]
#[inline(never)]
pub fn bytewright_measured(work: &mut dyn FnMut()) {
    work();
}

/// The seed of the standard library's hash tables, which takes it from this function: without chance in it, tables probe
/// as often in every run.
///
/// # Safety
/// `buffer` must be valid for writing `length` bytes, as for the C function of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    // SAFETY: the caller's promise.
    unsafe { std::ptr::write_bytes(buffer, 0x5a, length) };
    length as isize
}

/// Runs the part of a scenario that is counted.
fn measured<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let (mut work, mut result) = (Some(work), None);
    bytewright_measured(&mut || result = work.take().map(|work| work()));
    black_box(result).ok_or("nothing was measured")?
}

struct Setting {
    vocabulary: Arc<Vocabulary>,
    tokenizer: Tokenizer,
    row: Vec<u32>,
}

impl Setting {
    fn new() -> Result<Self, Failure> {
        let vocabulary = Arc::new(synthetic(VOCAB_SIZE)?);
        let tokenizer = Tokenizer::new(&vocabulary);
        let row = vec![0; vocabulary.mask_words()];
        Ok(Self { vocabulary, tokenizer, row })
    }

    fn compiler(&self) -> Compiler {
        // How far a rehearsal comes depends on the machine.
        let options = CompilerOptions { rehearsal_limit: Some(Duration::ZERO), ..CompilerOptions::default() };
        Compiler::new(Arc::clone(&self.vocabulary), options)
    }

    /// A compiler with the splits that the Python package makes with each.
    fn prepared(&self) -> Result<Compiler, Failure> {
        let compiler = self.compiler();
        compiler.prepare()?;
        Ok(compiler)
    }

    fn first_mask(&mut self, compiler: &Compiler, grammar: &Grammar) -> Result<Matcher, Failure> {
        let mut matcher = Matcher::new(compiler.compile(grammar)?, MatcherOptions::default())?;
        matcher.fill_next_token_bitmask(&mut self.row)?;
        Ok(matcher)
    }

    /// Fills the mask before each token and accepts it.
    fn follow(&mut self, matcher: &mut Matcher, tokens: &[u32]) -> Outcome {
        for &token in tokens {
            matcher.fill_next_token_bitmask(&mut self.row)?;
            if self.row[token as usize / 32] >> (token % 32) & 1 == 0 || !matcher.accept_token(token)? {
                return Err(format!("token {token} is refused").into());
            }
        }
        Ok(())
    }

    fn encode(&self, text: &str) -> Vec<u32> {
        self.tokenizer.encode(text.as_bytes())
    }
}

/// What of a grammar and a text is counted.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// Compiling, and the first mask.
    Start,
    /// All masks and tokens of the text, for the first time.
    Tokens,
    /// The same a second time, by another matcher.
    Again,
}

const PARTS: &[(&str, Part)] = &[("start", Part::Start), ("tokens", Part::Tokens), ("again", Part::Again)];

/// Counts a part of reading a grammar and following a text.
fn text(compiler: &Compiler, setting: &mut Setting, read: &Reader<'_>, text: &str, part: Part) -> Outcome {
    let tokens = setting.encode(text);
    if part == Part::Start {
        return measured(|| setting.first_mask(compiler, &read()?)).map(drop);
    }
    let first = setting.first_mask(compiler, &read()?)?;
    let mut run = || setting.follow(&mut first.clone(), &tokens);
    if part == Part::Again {
        run()?;
    }
    measured(run)
}

type Reader<'a> = dyn Fn() -> Result<Grammar, Failure> + 'a;

fn ebnf(text: &str) -> impl Fn() -> Result<Grammar, Failure> {
    move || Ok(parse(text, &EbnfOptions::default())?)
}

fn schema(schema: &Schema) -> impl Fn() -> Result<Grammar, Failure> {
    move || Ok(Grammar::from_json_schema(schema.schema, &[], &JsonSchemaOptions::default())?)
}

/// A text of a grammar, without the splits that schemas come with.
fn grammar_text(read: &Reader<'_>, content: &str, part: Part) -> Outcome {
    let mut setting = Setting::new()?;
    text(&setting.compiler(), &mut setting, read, content, part)
}

fn schema_text(case: &Schema, part: Part) -> Outcome {
    let mut setting = Setting::new()?;
    text(&setting.prepared()?, &mut setting, &schema(case), case.text, part)
}

fn load() -> Outcome {
    let tokens = synthetic_tokens(VOCAB_SIZE);
    measured(|| Ok(Vocabulary::new(&tokens, bytewright::VocabularyOptions::default())?)).map(drop)
}

fn prepare() -> Outcome {
    let compiler = Setting::new()?.compiler();
    measured(|| Ok(compiler.prepare()?))
}

/// Forks at every token, goes on there, and takes it back: what speculative decoding does.
fn fork_and_rollback() -> Outcome {
    let mut setting = Setting::new()?;
    let mut matcher = setting.first_mask(&setting.compiler(), &Grammar::builtin_json())?;
    let tokens = setting.encode(&texts::json(1500));
    setting.follow(&mut matcher.clone(), &tokens)?;
    measured(|| {
        for window in tokens.windows(4) {
            let mut draft = matcher.fork();
            setting.follow(&mut draft, window)?;
            draft.rollback(window.len())?;
            setting.follow(&mut draft, &window[..1])?;
            matcher = draft;
        }
        Ok(())
    })
}

/// Every scenario by name.
fn scenarios() -> Vec<(String, Box<dyn Fn() -> Outcome>)> {
    let mut all: Vec<(String, Box<dyn Fn() -> Outcome>)> = vec![
        ("vocabulary/load".into(), Box::new(load)),
        ("compiler/prepare".into(), Box::new(prepare)),
        ("json/fork-and-rollback".into(), Box::new(fork_and_rollback)),
    ];
    for &(name, part) in PARTS {
        let mut add = |group: &str, run: Box<dyn Fn() -> Outcome>| all.push((format!("{group}/{name}"), run));
        let json = || Ok(Grammar::builtin_json());
        add("json", Box::new(move || grammar_text(&json, &texts::json(3000), part)));
        let sql = || Ok(Grammar::builtin("sql")?);
        add("sql", Box::new(move || grammar_text(&sql, texts::SQL_TEXT, part)));
        let regex = || Ok(bytewright::frontend::regex::parse(texts::REGEX)?);
        add("regex", Box::new(move || grammar_text(&regex, texts::REGEX_TEXT, part)));
        let nested = move || grammar_text(&ebnf(texts::ARITHMETIC), &texts::nested(1500), part);
        add("arithmetic", Box::new(nested));
        let ambiguous = move || grammar_text(&ebnf(texts::AMBIGUOUS), &texts::letters(120), part);
        add("ambiguous", Box::new(ambiguous));
        for case in texts::SCHEMAS {
            add(&format!("schema-{}", case.name), Box::new(move || schema_text(case, part)));
        }
    }
    all
}

fn main() -> Outcome {
    let all = scenarios();
    match std::env::args().nth(1) {
        None => all.iter().for_each(|(name, _)| println!("{name}")),
        Some(wanted) => {
            let found = all.iter().find(|(name, _)| *name == wanted);
            found.ok_or_else(|| format!("no scenario has the name {wanted:?}"))?.1()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vocabulary_is_the_same_each_time_and_spells_the_texts() {
        let tokens = synthetic_tokens(VOCAB_SIZE);
        assert_eq!(tokens, synthetic_tokens(VOCAB_SIZE));
        let different: std::collections::HashSet<&Vec<u8>> = tokens.iter().collect();
        assert_eq!((tokens.len(), different.len()), (VOCAB_SIZE, VOCAB_SIZE));
        let setting = Setting::new().unwrap();
        let texts = texts::SCHEMAS.iter().map(|case| case.text.to_owned());
        let others = [texts::json(3000), texts::nested(10), texts::letters(50), texts::SQL_TEXT.to_owned()];
        for text in texts.chain(others) {
            let ids = setting.encode(&text);
            let spelt: Vec<u8> =
                ids.iter().flat_map(|&id| setting.vocabulary.token_bytes(id)).copied().collect();
            assert_eq!(spelt, text.as_bytes());
        }
    }

    #[test]
    fn scenarios_have_names_of_their_own_and_run() {
        let all = scenarios();
        let names: std::collections::HashSet<&String> = all.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), all.len());
        for (name, run) in all.iter().filter(|(name, _)| name.starts_with("schema-") || name == "json/again")
        {
            run().unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}
