//! Masks made before anyone waits for them.
//!
//! A state's first mask costs many times what the same mask costs again, and a sequence that is being generated waits for each. So a
//! grammar that has an example ([`crate::automaton::Example`]) is gone through while it is compiled, token by token as a
//! tokenizer that takes the longest ones would cut it, and masks on the way are made and kept, one for each set of states. Nothing
//! else changes: what a mask is does not depend on when it is made.
//!
//! An example may be refused somewhere. Then the smallest part around that place that may be left out is left out.

use crate::automaton::{CancelToken, Example, Operation, StateId};
use crate::compile::{CompiledGrammar, Session};
use crate::error::{Error, Result};
use crate::matcher::step_bytes;
use crate::stack::{Arena, SetId};
use crate::vocab::ByteTrie;
use rustc_hash::FxHashSet;
use smallvec::SmallVec;
use std::time::{Duration, Instant};

/// What machines work out for a rehearsal takes no longer than this many times what it may take: the last mask may be a long one.
const OVERTIME: u32 = 4;

/// A rehearsal comes to fewer bytes of an example than this in a microsecond, and hardly to more than [`MOST_BYTES`] at all.
const BYTES_PER_MICROSECOND: u128 = 1;
const LEAST_BYTES: usize = 256;
const MOST_BYTES: usize = 1 << 14;

/// How long compiling and rehearsing take together, unless they are told: up to the first where compiling is short, up to the second
/// where it is not. A first mask is waited for.
const TOGETHER: (Duration, Duration) = (Duration::from_micros(1_500), Duration::from_millis(6));
/// What takes longer than this to compile has most to rehearse: it is given so many times what it takes longer.
const SHORT: Duration = Duration::from_micros(550);
const TIMES: u32 = 20;
/// A rehearsal may take this, however long compiling took.
const LEAST: Duration = Duration::from_micros(250);

/// How long to rehearse what took so long to compile, unless it is told.
pub(crate) fn usual_limit(compiling: Duration) -> Duration {
    let (usual, most) = TOGETHER;
    let together = (usual + compiling.saturating_sub(SHORT).saturating_mul(TIMES)).min(most);
    together.saturating_sub(compiling).max(LEAST)
}

/// When a rehearsal ends.
struct Clock<'a> {
    started: Instant,
    limit: Duration,
    cancel: &'a CancelToken,
}

impl Clock<'_> {
    fn goes_on(&self) -> Result<bool> {
        if self.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        Ok(self.started.elapsed() < self.limit)
    }
}

impl CompiledGrammar {
    /// Goes through an example until the time is over.
    ///
    /// # Errors
    /// Those of masks and tokens; the grammar may not be used after one. [`Error::Cancelled`].
    pub(crate) fn rehearse(&self, limit: Duration, cancel: &CancelToken) -> Result<()> {
        let clock = Clock { started: Instant::now(), limit, cancel };
        let _operation = Operation::begin_within(limit.saturating_mul(OVERTIME));
        let session = self.session();
        let session = &mut *session.lock();
        let bytes = limit.as_micros() * BYTES_PER_MICROSECOND;
        let enough = usize::try_from(bytes).unwrap_or(MOST_BYTES).clamp(LEAST_BYTES, MOST_BYTES);
        match self.pda.example(enough)? {
            Some(example) => self.go_through(session, &example, &clock),
            None => Ok(()),
        }
    }

    /// Makes the masks along an example, until the time is over.
    fn go_through(&self, session: &mut Session, example: &Example, clock: &Clock<'_>) -> Result<()> {
        let Session { arena, finished } = session;
        let (trie, context) = (self.vocabulary().trie(), self.mask_context());
        // Where the same states were met before, most of what another mask would ask for is there.
        let mut met = FxHashSet::default();
        // The places between tokens, with the sets there.
        let mut places = vec![(0, arena.start(&self.pda))];
        while let Some(&(at, set)) = places.last() {
            let text = &example.text[at..];
            if text.is_empty() || !clock.goes_on()? {
                break;
            }
            let states: SmallVec<[StateId; 8]> = arena.configs(set).iter().map(|c| c.state).collect();
            if met.insert(states) {
                context.mask(arena, finished, set)?;
            }
            let Some(length) = longest_token(trie, text) else { break };
            let fitting = self.fitting(arena, set, &text[..length])?;
            let next = match fitting {
                Ok(next) => Some((at + length, next)),
                Err(number) => self.around(arena, example, at + number, &mut places)?,
            };
            let Some(next) = next else { break };
            places.push(next);
        }
        Ok(())
    }

    /// The set after a text, or how many of its bytes fit.
    fn fitting(
        &self,
        arena: &mut Arena,
        set: SetId,
        text: &[u8],
    ) -> Result<std::result::Result<SetId, usize>> {
        let next = step_bytes(arena, self, set, text);
        self.pda.check_machine()?;
        arena.check_limit()?;
        if next != SetId::DEAD {
            return Ok(Ok(next));
        }
        let mut at = set;
        for (number, &byte) in text.iter().enumerate() {
            at = arena.step(&self.pda, at, byte);
            if at == SetId::DEAD {
                return Ok(Err(number));
            }
        }
        self.pda.check_machine()?;
        Ok(Err(text.len()))
    }

    /// The place after the smallest optional part around a byte, come to without that part.
    fn around(
        &self,
        arena: &mut Arena,
        example: &Example,
        refused: usize,
        places: &mut Vec<(usize, SetId)>,
    ) -> Result<Option<(usize, SetId)>> {
        let Some(part) = example.optional.iter().find(|part| part.contains(&refused)) else {
            return Ok(None);
        };
        places.truncate(places.partition_point(|&(at, _)| at <= part.start));
        let Some(&(at, set)) = places.last() else { return Ok(None) };
        let set = self.fitting(arena, set, &example.text[at..part.start])?;
        Ok(set.ok().map(|set| (part.end, set)))
    }
}

/// The length of the longest token that a text begins with.
fn longest_token(trie: &ByteTrie, text: &[u8]) -> Option<usize> {
    let (mut node, mut longest) = (0, None);
    for (&byte, length) in text.iter().zip(1..) {
        let Some(child) = trie.child(node, byte) else { break };
        node = child;
        if !trie.tokens_at(node).is_empty() {
            longest = Some(length);
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::longest_token;
    use crate::json_schema::JsonSchemaOptions;
    use crate::{
        CompiledGrammar, Compiler, CompilerOptions, Grammar, Matcher, MatcherOptions, Vocabulary,
        VocabularyOptions,
    };
    use std::sync::Arc;
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(60);
    const PERSON: &str = r#"{
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "size": {"type": ["integer", "null"]},
            "tags": {"type": "array", "items": {"enum": ["a", "bc"]}, "maxItems": 3}
        },
        "required": ["name"],
        "additionalProperties": {"type": "boolean"}
    }"#;
    /// The second name is refused after the first.
    const EITHER: &str = r#"{
        "type": "object",
        "properties": {"a": {"type": "null"}, "b": {"type": "null"}, "c": {"type": "string"}},
        "not": {"required": ["a", "b"]},
        "additionalProperties": false
    }"#;

    fn compiled(schema: &str, options: CompilerOptions) -> Arc<CompiledGrammar> {
        let pieces = ["{\"", "\": \"", "\", \"", "\":", "name", "tags", "null", "]}", "10"];
        let bytes = (0..=255u8).map(|byte| vec![byte]);
        let tokens: Vec<Vec<u8>> = bytes.chain(pieces.map(|piece| piece.as_bytes().to_vec())).collect();
        let vocabulary = Vocabulary::new(&tokens, VocabularyOptions::default()).expect("a vocabulary");
        let grammar =
            Grammar::from_json_schema(schema, &[], &JsonSchemaOptions::default()).expect("a schema");
        Compiler::new(Arc::new(vocabulary), options).compile(&grammar).expect("a grammar")
    }

    fn rehearsed(schema: &str, limit: Duration) -> Arc<CompiledGrammar> {
        compiled(schema, CompilerOptions { rehearsal_limit: Some(limit), ..CompilerOptions::default() })
    }

    /// The masks along a text.
    fn masks(compiled: &Arc<CompiledGrammar>, text: &str) -> Vec<Vec<u32>> {
        let vocabulary = compiled.vocabulary();
        let mut matcher = Matcher::new(Arc::clone(compiled), MatcherOptions::default()).expect("a matcher");
        let (mut masks, mut rest) = (Vec::new(), text.as_bytes());
        while let Some(length) = longest_token(vocabulary.trie(), rest) {
            let mut row = vec![0; vocabulary.mask_words()];
            matcher.fill_next_token_bitmask(&mut row).expect("a mask");
            masks.push(row);
            assert_eq!(matcher.accept_bytes(&rest[..length]), Ok(true), "{text:?} at {rest:?}");
            rest = &rest[length..];
        }
        masks
    }

    #[test]
    fn compiling_and_rehearsing_take_so_long_together() {
        let micros = [1, 550, 600, 1_000, 5_500, 5_900, 1_000_000].map(Duration::from_micros);
        let limits = micros.map(|compiling| super::usual_limit(compiling).as_micros());
        assert_eq!(limits, [1_499, 950, 1_900, 5_000, 500, 250, 250]);
    }

    #[test]
    fn masks_are_the_same_with_and_without() {
        for (schema, text) in [
            (PERSON, r#"{"name": "x\n", "tags": ["bc", "a"], "b": true, "size": null}"#),
            (PERSON, r#"{"size":-120,"name":"é","tags":[]}"#),
            (EITHER, r#"{"b": null, "c": "a"}"#),
            (r#"{"format": "date"}"#, r#"["2020-01-02"]"#),
        ] {
            assert_eq!(
                masks(&rehearsed(schema, LONG), text),
                masks(&rehearsed(schema, Duration::ZERO), text)
            );
        }
    }

    #[test]
    fn what_was_rehearsed_makes_no_new_states() {
        for (schema, text) in [
            (PERSON, r#"{"name": "a", "size": 10, "tags": ["a", "a"]}"#),
            // What is refused is left out.
            (EITHER, r#"{"a": null, "c": "a"}"#),
        ] {
            let grammar = rehearsed(schema, LONG);
            let ready = grammar.statistics().states;
            masks(&grammar, text);
            assert_eq!(grammar.statistics().states, ready, "{text}");
            let lazy = rehearsed(schema, Duration::ZERO);
            assert!(lazy.statistics().states < ready);
        }
    }

    #[test]
    fn a_limit_that_only_the_rehearsal_meets_harms_nothing() {
        let text = r#"{"size": nu"#;
        let lazy = rehearsed(PERSON, Duration::ZERO);
        let expected = masks(&lazy, text);
        let state_limit = lazy.statistics().states;
        assert!(rehearsed(PERSON, LONG).statistics().states > state_limit);
        let options =
            CompilerOptions { rehearsal_limit: Some(LONG), state_limit, ..CompilerOptions::default() };
        assert_eq!(masks(&compiled(PERSON, options), text), expected);
    }
}
