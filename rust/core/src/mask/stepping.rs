//! For tests: masks beside what stepping through each token says.

use crate::error::Error;
use crate::json_schema::JsonSchemaOptions;
use crate::vocab::VocabularyOptions;
use crate::{Compiler, CompilerOptions, Grammar, Matcher, MatcherOptions, Vocabulary};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

/// Walks through a schema by tokens that `choose` picks from those that fit, comparing each mask on the way; a walk ends where it picks
/// none. Every other walk is in another session, and finds the masks of the one before.
pub(super) fn compare<T: AsRef<[u8]>>(
    schema: &str,
    tokens: &[T],
    walks: &[Vec<usize>],
    choose: impl Fn(Vec<u32>, usize) -> Option<u32>,
) -> Result<(), TestCaseError> {
    let grammar = Grammar::from_json_schema(schema, &[], &JsonSchemaOptions::default()).expect("a schema");
    compare_grammar(&grammar, schema, false, tokens, walks, choose)
}

/// The same with any grammar and its text; perhaps every state counts as one whose split pays.
pub(super) fn compare_grammar<T: AsRef<[u8]>>(
    grammar: &Grammar,
    source: &str,
    all_heavy: bool,
    tokens: &[T],
    walks: &[Vec<usize>],
    choose: impl Fn(Vec<u32>, usize) -> Option<u32>,
) -> Result<(), TestCaseError> {
    let vocabulary = Arc::new(Vocabulary::new(tokens, VocabularyOptions::default()).expect("a vocabulary"));
    // Every other case has masks that were made before there was a text.
    let rehearsal_limit = Some(Duration::from_millis(if walks.len().is_multiple_of(2) { 50 } else { 0 }));
    let options = CompilerOptions { sessions: 2, rehearsal_limit, ..CompilerOptions::default() };
    let compiler = Compiler::new(Arc::clone(&vocabulary), options);
    let compiled = match compiler.compile(grammar) {
        Err(Error::EmptyLanguage { .. } | Error::UnsupportedSchema { .. } | Error::LimitExceeded { .. }) => {
            return Ok(());
        }
        compiled => compiled.expect("compiled"),
    };
    if all_heavy {
        compiled.treat_all_states_as_heavy();
    }
    let first = Matcher::new(Arc::clone(&compiled), MatcherOptions::default()).expect("a matcher");
    let starts = [first, Matcher::new(compiled, MatcherOptions::default()).expect("a matcher")];
    let mut row = vec![0u32; vocabulary.mask_words()];
    for (walk, start) in walks.iter().zip(starts.iter().cycle()) {
        let (mut matcher, mut read) = (start.clone(), Vec::new());
        for &choice in walk {
            match matcher.fill_next_token_bitmask(&mut row) {
                Err(Error::LimitExceeded { .. }) => return Ok(()),
                filled => filled.expect("a mask"),
            };
            let mut fitting = Vec::new();
            for (token, text) in tokens.iter().enumerate() {
                let fits = match matcher.clone().accept_token(token as u32) {
                    Err(Error::LimitExceeded { .. }) => return Ok(()),
                    fits => fits.expect("a token"),
                };
                let (text, read) = (String::from_utf8_lossy(text.as_ref()), String::from_utf8_lossy(&read));
                let in_mask = row[token / 32] >> (token % 32) & 1 == 1;
                prop_assert_eq!(in_mask, fits, "{:?} after {:?} of {}", text, read, source);
                fitting.extend(fits.then_some(token as u32));
            }
            let Some(token) = choose(fitting, choice) else { break };
            prop_assert!(matcher.accept_token(token).expect("a token"));
            read.extend_from_slice(tokens[token as usize].as_ref());
        }
    }
    Ok(())
}

/// Any of the tokens that fit.
pub(super) fn any(fitting: Vec<u32>, choice: usize) -> Option<u32> {
    fitting.get(choice % fitting.len().max(1)).copied()
}

/// The token that is given, if it fits: for walks that are written down.
pub(super) fn given(fitting: Vec<u32>, token: usize) -> Option<u32> {
    fitting.into_iter().find(|&fits| fits as usize == token)
}
