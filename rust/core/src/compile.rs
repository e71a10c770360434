//! From grammars to compiled grammars: limits and cancelling.
//!
//! Compiling builds the automaton and nothing else; masks are computed when a state is first met. A [`Compiler`]
//! belongs to one vocabulary and shares the prechecked splits among all grammars that it compiles; it keeps those that are asked for
//! again ([`crate::cache`]).

use crate::automaton::{Budget, CancelToken, Pda};
use crate::cache::Cache;
use crate::error::{Error, Location, Result};
use crate::grammar::{Annotation, Grammar};
use crate::json_schema::{JsonSchemaOptions, SharedLanguages};
use crate::mask::{FinishedMasks, GrammarMasks, MaskContext, SplitStore, StateStatistics};
use crate::matcher::{Matcher, MatcherOptions};
use crate::rehearsal::usual_limit;
use crate::stack::Arena;
use crate::vocab::Vocabulary;
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Default of [`CompilerOptions::state_limit`].
pub const DEFAULT_STATE_LIMIT: usize = 4_000_000;
/// Default of [`CompilerOptions::cache_limit_bytes`].
pub const DEFAULT_CACHE_LIMIT_BYTES: usize = 24 << 20;
/// Default of [`CompilerOptions::matcher_memory_limit`].
pub const DEFAULT_MATCHER_MEMORY_LIMIT: usize = 1 << 30;
/// New matchers get a fresh arena once the shared one is larger than this, bytes.
const SHARED_ARENA_BYTES: usize = 8 << 20;

/// What [`Compiler::prepare`] compiles, and the text it goes through.
const COMMON_SCHEMA: &str = r#"{
    "properties": {
        "any": {"type": "string"},
        "short": {"type": "string", "maxLength": 255},
        "long": {"type": "string", "minLength": 1},
        "number": {"type": "number"},
        "integer": {"type": "integer"},
        "positive": {"type": "integer", "minimum": 0},
        "flag": {"type": "boolean"},
        "text?": {"type": ["string", "null"]},
        "flag?": {"type": ["boolean", "null"]},
        "number?": {"type": ["number", "null"]},
        "integer?": {"type": ["integer", "null"]},
        "date": {"type": "string", "format": "date"},
        "time": {"type": "string", "format": "date-time"}
    }
}"#;
const COMMON_TEXT: &str = concat!(
    r#"{"any": "a\n", "short": "a\u0041", "long": "ab", "number": -1.5e3, "integer": -10, "positive": 10, "#,
    r#""flag": true, "text?": null, "flag?": null, "number?": null, "integer?": null, "#,
    r#""date": "2020-01-02", "time": "2020-01-02T03:04:05Z", "other" : [null, "a", 1.5, {"x":true}] }"#
);

/// What a [`Compiler`] may spend.
#[derive(Clone, Debug)]
pub struct CompilerOptions {
    /// Longest time for one compilation, and for what is made of a JSON Schema for one mask or token; none by default, and for JSON
    /// Schema a second.
    pub time_limit: Option<Duration>,
    /// Most automaton states for one compilation, intermediate ones included.
    pub state_limit: usize,
    /// Longest time that a compilation goes on to make masks before anyone waits for them, by going through an example: by default
    /// until both took 1.5 ms together, or, where compiling took more than 550 µs, twenty times what it took past that longer, up to
    /// 6 ms together; and 250 µs at least. Zero is for none, which makes the number of states that a compilation leaves the same each time. Only JSON Schemas
    /// have examples. The last mask may take longer.
    pub rehearsal_limit: Option<Duration>,
    /// Whether compiled grammars are kept.
    pub cache_enabled: bool,
    /// Most memory for cached grammars and shared splits together, bytes, approximately.
    pub cache_limit_bytes: usize,
    /// Most memory for the stacks of one grammar's matchers, bytes, approximately.
    pub matcher_memory_limit: usize,
    /// The matchers of a grammar are dealt out evenly over so many sessions, each with stacks and finished masks of its own, so that
    /// as many threads can make masks at once. At least one; with several for each thread, one that is through with its own may take over
    /// others'.
    pub sessions: usize,
}

impl Default for CompilerOptions {
    fn default() -> Self {
        Self {
            time_limit: None,
            state_limit: DEFAULT_STATE_LIMIT,
            rehearsal_limit: None,
            cache_enabled: true,
            cache_limit_bytes: DEFAULT_CACHE_LIMIT_BYTES,
            matcher_memory_limit: DEFAULT_MATCHER_MEMORY_LIMIT,
            sessions: 1,
        }
    }
}

/// Compiles grammars for one vocabulary.
///
/// ```
/// use bytewright::{Compiler, Grammar, Matcher, Vocabulary, VocabularyOptions};
/// use bytewright::grammar::GrammarBuilder;
/// use std::sync::Arc;
///
/// let stop = VocabularyOptions { stop_token_ids: vec![2], ..Default::default() };
/// let vocabulary = Arc::new(Vocabulary::new(&["a", "ab", "</s>"], stop)?);
/// let mut builder = GrammarBuilder::new("");
/// let root = builder.declare("root");
/// let body = builder.literal("ab");
/// builder.define(root, body, None)?;
/// let compiled = Compiler::new(vocabulary, Default::default()).compile(&builder.build(root)?)?;
///
/// let mut matcher = Matcher::new(compiled, Default::default())?;
/// let mut mask = [0u32; 1];
/// matcher.fill_next_token_bitmask(&mut mask)?;
/// assert_eq!(mask, [0b011]);
/// assert!(matcher.accept_token(1)? && matcher.is_completed());
/// # Ok::<(), bytewright::Error>(())
/// ```
#[derive(Debug)]
pub struct Compiler {
    vocabulary: Arc<Vocabulary>,
    options: CompilerOptions,
    store: Arc<SplitStore>,
    languages: SharedLanguages,
    cache: Mutex<Cache>,
    cancel: Mutex<CancelToken>,
}

impl Compiler {
    /// A compiler for a vocabulary.
    pub fn new(vocabulary: Arc<Vocabulary>, options: CompilerOptions) -> Self {
        let store = Arc::new(SplitStore::new(options.cache_limit_bytes / 4 * 3));
        let languages = SharedLanguages::default();
        Self { vocabulary, options, store, languages, cache: Mutex::default(), cancel: Mutex::default() }
    }

    /// Splits the vocabulary for what nearly every JSON text has (strings, free and counted, numbers, names, whitespace), so that
    /// no text has to wait for it; takes about 20 ms for 128,000 tokens. Grammars do without, a little slower at first.
    pub fn prepare(&self) -> Result<()> {
        let grammar = Grammar::from_json_schema(COMMON_SCHEMA, &[], &JsonSchemaOptions::default())?;
        let mut matcher =
            Matcher::new(self.build(&grammar, self.cancel.lock().clone())?, MatcherOptions::default())?;
        self.store.prepare(&self.vocabulary);
        let mut row = vec![0; self.vocabulary.mask_words()];
        for byte in COMMON_TEXT.bytes() {
            matcher.fill_next_token_bitmask(&mut row)?;
            matcher.accept_bytes(&[byte])?;
        }
        self.languages.make_room();
        Ok(())
    }

    /// The vocabulary that grammars are compiled for.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.vocabulary
    }

    /// Compiles a grammar, or takes it from the cache.
    ///
    /// # Errors
    /// [`Error::EmptyLanguage`] when nothing matches; [`Error::LimitExceeded`] past a limit of the options;
    /// [`Error::Cancelled`] after [`Self::cancel`]; errors for special tokens that the vocabulary does not have.
    pub fn compile(&self, grammar: &Grammar) -> Result<Arc<CompiledGrammar>> {
        self.compile_watching(grammar, self.cancel.lock().clone())
    }

    /// The same, and `stops` is asked every 20 ms, on this thread, whether to stop: for hosts that are told of an interrupt only
    /// where they wait.
    ///
    /// # Errors
    /// Those of [`Self::compile`]; [`Error::Cancelled`] once `stops` says so, too.
    pub fn compile_unless(
        &self,
        grammar: &Grammar,
        stops: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Arc<CompiledGrammar>> {
        let token = self.cancel.lock().asking(stops);
        self.compile_watching(grammar, token)
    }

    fn compile_watching(&self, grammar: &Grammar, token: CancelToken) -> Result<Arc<CompiledGrammar>> {
        if let Some(known) = self.cached(grammar) {
            return Ok(known);
        }
        let compiled = self.rehearsed(grammar, token)?;
        self.remember(&compiled);
        Ok(compiled)
    }

    /// Builds a grammar and rehearses it. If that comes to a limit the grammar does without: texts may never get there.
    fn rehearsed(&self, grammar: &Grammar, token: CancelToken) -> Result<Arc<CompiledGrammar>> {
        let started = Instant::now();
        let compiled = self.build(grammar, token.clone())?;
        let taken = started.elapsed();
        let limit = self.options.rehearsal_limit.unwrap_or_else(|| usual_limit(taken));
        let limit = self.options.time_limit.map_or(limit, |all| limit.min(all.saturating_sub(taken)));
        if limit.is_zero() {
            return Ok(compiled);
        }
        match compiled.rehearse(limit, &token) {
            Ok(()) => Ok(compiled),
            Err(Error::Cancelled) => Err(Error::Cancelled),
            Err(_) => self.build(grammar, token),
        }
    }

    fn build(&self, grammar: &Grammar, token: CancelToken) -> Result<Arc<CompiledGrammar>> {
        let mut budget = Budget::new(self.options.time_limit, self.options.state_limit, token);
        let pda = Pda::new(grammar, &self.vocabulary, &self.languages, &mut budget)?;
        let (vocabulary, store) = (Arc::clone(&self.vocabulary), Arc::clone(&self.store));
        Ok(Arc::new(CompiledGrammar::new(grammar.clone(), pda, vocabulary, store, &self.options)))
    }

    /// Stops the compilations that are running now; they return [`Error::Cancelled`].
    pub fn cancel(&self) {
        std::mem::take(&mut *self.cancel.lock()).cancel();
    }

    /// Forgets all compiled grammars and splits; those in use stay usable.
    pub fn clear_cache(&self) {
        *self.cache.lock() = Cache::default();
        self.store.clear();
        self.languages.clear();
    }

    /// Heap memory held by the cache, bytes, approximately.
    pub fn cache_size_bytes(&self) -> usize {
        let of_grammars = self.cache.lock().size_bytes();
        of_grammars + self.store.size_bytes()
    }

    /// Loads what [`CompiledGrammar::serialize_json`] wrote, if it was written for this compiler's vocabulary.
    ///
    /// # Errors
    /// [`Error::Deserialize`] for anything else.
    pub fn load(&self, text: &str) -> Result<Arc<CompiledGrammar>> {
        self.compile(&read_saved(text, &self.vocabulary)?)
    }

    fn cached(&self, grammar: &Grammar) -> Option<Arc<CompiledGrammar>> {
        if self.options.cache_enabled { self.cache.lock().find(grammar) } else { None }
    }

    fn remember(&self, compiled: &Arc<CompiledGrammar>) {
        if self.options.cache_enabled {
            let dropped = self.cache.lock().add(compiled, self.options.cache_limit_bytes / 4);
            // That takes a while, and others need not wait for it.
            drop(dropped);
        }
    }
}

/// A grammar ready for matching with one vocabulary. Shared freely among threads and matchers.
#[derive(Debug)]
pub struct CompiledGrammar {
    grammar: Grammar,
    pub(crate) pda: Pda,
    vocabulary: Arc<Vocabulary>,
    store: Arc<SplitStore>,
    masks: GrammarMasks,
    /// Never none.
    sessions: Box<[RwLock<Arc<Mutex<Session>>>]>,
    matcher_memory_limit: usize,
}

/// What matchers of one grammar share: stacks, sets, and the masks finished for them.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) arena: Arena,
    pub(crate) finished: FinishedMasks,
}

impl Session {
    fn new(limit_bytes: usize) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self { arena: Arena::new(limit_bytes), finished: FinishedMasks::default() }))
    }

    fn memory_size_bytes(&self) -> usize {
        self.lasting_size_bytes() + self.arena.memory_ahead_bytes()
    }

    /// Without what is forgotten by itself.
    fn lasting_size_bytes(&self) -> usize {
        self.arena.memory_size_bytes() + self.finished.memory_size_bytes()
    }
}

/// Numbers about a compiled grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Rules of the automaton, those made for counted repeats included, inlined ones not.
    pub rules: usize,
    /// States of the automaton.
    pub states: usize,
    /// Memory, bytes.
    pub bytes: usize,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    format: String,
    version: u32,
    vocabulary: String,
    grammar: Grammar,
}

const FORMAT: &str = "bytewright-compiled-grammar";
const VERSION: u32 = 1;

impl CompiledGrammar {
    fn new(
        grammar: Grammar,
        pda: Pda,
        vocabulary: Arc<Vocabulary>,
        store: Arc<SplitStore>,
        options: &CompilerOptions,
    ) -> Self {
        let masks = GrammarMasks::new(options.sessions);
        let matcher_memory_limit = options.matcher_memory_limit;
        let session = |_| RwLock::new(Session::new(matcher_memory_limit));
        let sessions = (0..options.sessions.max(1)).map(session).collect();
        Self { grammar, pda, vocabulary, store, masks, sessions, matcher_memory_limit }
    }

    /// The grammar that was compiled.
    pub fn grammar(&self) -> &Grammar {
        &self.grammar
    }

    /// What a user should know about the grammar, found when it was read and when it was compiled.
    pub fn annotations(&self) -> impl Iterator<Item = &Annotation> {
        self.grammar.annotations().iter().chain(self.pda.notes())
    }

    /// The vocabulary it was compiled for.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.vocabulary
    }

    /// Heap memory, bytes, approximately.
    pub fn memory_size_bytes(&self) -> usize {
        let size = |session: &RwLock<Arc<Mutex<Session>>>| {
            let session = Arc::clone(&session.read());
            session.try_lock().map_or(0, |s| s.memory_size_bytes())
        };
        self.grammar.memory_size_bytes()
            + self.pda.memory_size_bytes()
            + self.masks.memory_size_bytes()
            + self.sessions.iter().map(size).sum::<usize>()
    }

    /// Size of the automaton.
    pub fn statistics(&self) -> Statistics {
        let (rules, states) = (self.pda.num_rules(), self.pda.num_states());
        Statistics { rules, states, bytes: self.memory_size_bytes() }
    }

    /// Prechecks every state and says how the vocabulary splits there; far more work than matching needs.
    pub fn state_statistics(&self) -> Result<Vec<StateStatistics>> {
        let context = self.mask_context();
        let mut arena = Arena::new(self.matcher_memory_limit);
        let states = (0..self.pda.num_states() as u32).map(crate::automaton::StateId);
        states.filter(|&s| self.pda.has_edges(s)).map(|s| context.statistics(&mut arena, s)).collect()
    }

    /// The grammar and the vocabulary's fingerprint as JSON text. The automaton is rebuilt on loading: that takes less time
    /// than reading it would.
    pub fn serialize_json(&self) -> String {
        let saved = Saved {
            format: FORMAT.into(),
            version: VERSION,
            vocabulary: self.vocabulary.fingerprint().into(),
            grammar: self.grammar.clone(),
        };
        serde_json::to_string(&saved).unwrap_or_default()
    }

    /// Loads what [`Self::serialize_json`] wrote, with default options. [`Compiler::load`] shares masks as well.
    ///
    /// # Errors
    /// [`Error::Deserialize`] for other text, another version or another vocabulary.
    pub fn deserialize_json(text: &str, vocabulary: Arc<Vocabulary>) -> Result<Arc<Self>> {
        Compiler::new(vocabulary, CompilerOptions::default()).load(text)
    }

    /// A state in words: its rule, and the place in the grammar's text where known.
    pub(crate) fn describe(&self, state: crate::automaton::StateId) -> String {
        let (name, span) = (self.pda.rule_name(state), self.pda.rule_of(state).span);
        let span = self.pda.origin_of(state).and_then(|expr| self.grammar.span(expr)).or(span);
        match span {
            Some(span) if !self.grammar.source().is_empty() => {
                let at = Location::new(self.grammar.source(), span.start as usize);
                format!("rule `{name}` ({at})")
            }
            _ => format!("rule `{name}`"),
        }
    }

    /// Makes every mask go through prechecked splits, so that tests on small vocabularies exercise them.
    #[cfg(test)]
    pub(crate) fn treat_all_states_as_heavy(&self) {
        self.masks.treat_all_states_as_heavy();
    }

    pub(crate) fn mask_context(&self) -> MaskContext<'_> {
        MaskContext { pda: &self.pda, vocabulary: &self.vocabulary, store: &self.store, masks: &self.masks }
    }

    /// The session for a new matcher: a shared one, or a fresh one when that has grown large.
    pub(crate) fn session(&self) -> Arc<Mutex<Session>> {
        // The one with the fewest matchers; where none is in use, the first, which has most masks ready.
        let fewest = self.sessions.iter().min_by_key(|session| Arc::strong_count(&session.read()));
        let Some(session) = fewest else { return Session::new(self.matcher_memory_limit) };
        let shared = Arc::clone(&session.read());
        let is_large = shared.try_lock().is_some_and(|s| s.lasting_size_bytes() > SHARED_ARENA_BYTES);
        if !is_large {
            return shared;
        }
        let fresh = Session::new(self.matcher_memory_limit);
        *session.write() = Arc::clone(&fresh);
        fresh
    }
}

fn read_saved(text: &str, vocabulary: &Vocabulary) -> Result<Grammar> {
    let fail = |reason: String| Error::Deserialize { what: "compiled grammar", reason };
    let header: serde_json::Value = serde_json::from_str(text).map_err(|e| fail(e.to_string()))?;
    if header["format"] != FORMAT || header["version"] != VERSION {
        return Err(fail(format!(
            "expected {FORMAT} version {VERSION}; compile the grammar again with this version"
        )));
    }
    if header["vocabulary"] != vocabulary.fingerprint() {
        return Err(fail(
            "it was compiled for another vocabulary; compile the grammar again for this one".into(),
        ));
    }
    let saved: Saved = serde_json::from_value(header).map_err(|e| fail(e.to_string()))?;
    saved.grammar.validate().map_err(|e| fail(e.to_string()))?;
    Ok(saved.grammar)
}
