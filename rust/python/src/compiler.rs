//! `GrammarCompiler` and `CompiledGrammar`.

use crate::batch::MAX_THREADS;
use crate::convert::{Text, count, optional_count};
use crate::error::{Raise, invalid_argument};
use crate::grammar::{Grammar, UnreachableRules};
use crate::interrupt::interruptible;
use crate::json_schema::{Documents, DraftName, Indent, SchemaText, TagText};
use crate::tokenizer::TokenizerInfo;
use bytewright::compile::{DEFAULT_CACHE_LIMIT_BYTES, DEFAULT_STATE_LIMIT};
use bytewright::frontend::ebnf::Unreachable;
use bytewright::{Compiler, CompilerOptions, Vocabulary};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::sync::Arc;
use std::time::Duration;

/// Compiles grammars for one tokenizer, within limits of time and size, and keeps what it has compiled.
///
/// Args:
///     tokenizer_info: the tokenizer; its vocabulary is shared by all grammars.
///     max_threads: accepted for compatibility; compiling takes one thread, masks are computed when first needed.
///     cache_enabled: whether compiled grammars are kept, by their whole content.
///     cache_limit_bytes: most memory for what is kept, bytes, approximately; -1 means 24 MiB. A quarter is for grammars. Those
///         that were asked for once have a sixth of that, and those that are asked for again, in time or soon after they
///         were dropped, all of it; the least recently used goes first.
///     time_limit: longest time for one compilation, and for what is made of a JSON Schema for one mask or token, seconds; past
///         it `LimitExceededError`. None means no limit, and a second for JSON Schema.
///     state_limit: most automaton states for one compilation; past it `LimitExceededError`. None means 4,000,000.
///     sessions: the matchers of a grammar are dealt out evenly over so many sessions. Matchers of one session share
///         finished masks and wait for each other while a new one is made; for batches over one grammar take some four for
///         each thread of `BatchGrammarMatcher`, so that one that is through with its own can take over others'.
///     rehearsal_limit: how long compiling a JSON Schema may go on, seconds, to make masks before a text waits for them, along an
///         example that has every declared name. The last mask may take longer. None means until both
///         took 1.5 ms together, or, where compiling took more than 550 µs, twenty times what it took past that longer, up to 6 ms
///         together; and 250 µs at least. 0 means not at all. More pays where a schema is compiled while a model still reads its prompt.
///
/// A compilation can be stopped by Ctrl-C, and by `cancel()` from another thread. Safe to share among threads.
#[pyclass(frozen, module = "bytewright")]
pub(crate) struct GrammarCompiler {
    compiler: Compiler,
    tokenizer_info: Py<TokenizerInfo>,
}

/// A grammar, or EBNF text.
enum Source {
    Grammar(Py<Grammar>),
    Ebnf(Text),
}

impl<'py> FromPyObject<'_, 'py> for Source {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.cast::<Grammar>() {
            Ok(grammar) => Ok(Self::Grammar(grammar.to_owned().unbind())),
            Err(_) => object.extract().map(Self::Ebnf),
        }
    }
}

#[pymethods]
impl GrammarCompiler {
    #[new]
    #[pyo3(
        signature = (
            tokenizer_info, *, max_threads=1, cache_enabled=true, cache_limit_bytes=-1, time_limit=None, state_limit=None,
            sessions=1, rehearsal_limit=None
        ),
        text_signature = "(tokenizer_info, *, max_threads=1, cache_enabled=True, cache_limit_bytes=-1, \
                          time_limit=None, state_limit=None, sessions=1, rehearsal_limit=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "they are the keyword arguments")]
    fn new(
        py: Python<'_>,
        tokenizer_info: Py<TokenizerInfo>,
        #[pyo3(from_py_with = count)] max_threads: usize,
        cache_enabled: bool,
        cache_limit_bytes: i64,
        time_limit: Option<f64>,
        #[pyo3(from_py_with = optional_count)] state_limit: Option<usize>,
        #[pyo3(from_py_with = count)] sessions: usize,
        rehearsal_limit: Option<f64>,
    ) -> PyResult<Self> {
        if max_threads == 0 {
            return Err(invalid_argument("max_threads must be at least 1"));
        }
        if !(1..=MAX_THREADS).contains(&sessions) {
            return Err(invalid_argument(format!("sessions must be 1 to {MAX_THREADS}, got {sessions}")));
        }
        let cache_limit_bytes = match cache_limit_bytes {
            -1 => DEFAULT_CACHE_LIMIT_BYTES,
            bytes => usize::try_from(bytes).map_err(|_| {
                invalid_argument(format!("cache_limit_bytes must be -1 or more, got {bytes}"))
            })?,
        };
        let seconds = |name: &str, limit: f64| {
            Duration::try_from_secs_f64(limit)
                .map_err(|_| invalid_argument(format!("{name} must be a number of seconds, got {limit}")))
        };
        let options = CompilerOptions {
            time_limit: time_limit.map(|limit| seconds("time_limit", limit)).transpose()?,
            state_limit: state_limit.unwrap_or(DEFAULT_STATE_LIMIT),
            cache_enabled,
            cache_limit_bytes,
            sessions,
            rehearsal_limit: rehearsal_limit.map(|limit| seconds("rehearsal_limit", limit)).transpose()?,
            ..CompilerOptions::default()
        };
        let compiler = Compiler::new(Arc::clone(&tokenizer_info.get().vocabulary), options);
        // Where limits are so tight that this fails, what is compiled later says so.
        let _ = py.detach(|| compiler.prepare());
        Ok(Self { compiler, tokenizer_info })
    }

    /// The tokenizer.
    #[getter]
    fn tokenizer_info(&self, py: Python<'_>) -> Py<TokenizerInfo> {
        self.tokenizer_info.clone_ref(py)
    }

    /// Compiles a `Grammar`, or EBNF text with the root rule named.
    #[pyo3(signature = (grammar, *, root_rule_name="root"))]
    fn compile_grammar(
        &self,
        py: Python<'_>,
        grammar: Source,
        root_rule_name: &str,
    ) -> PyResult<CompiledGrammar> {
        match grammar {
            Source::Grammar(grammar) => self.compile(py, grammar.get()),
            Source::Ebnf(text) => self.compile(
                py,
                &Grammar::from_ebnf(py, text, root_rule_name, UnreachableRules(Unreachable::Warn))?,
            ),
        }
    }

    /// Compiles a regular expression, which the whole text must match.
    fn compile_regex(&self, py: Python<'_>, pattern: Text) -> PyResult<CompiledGrammar> {
        self.compile(py, &Grammar::from_regex(py, pattern)?)
    }

    /// Compiles a structural tag; see `Grammar.from_structural_tag`.
    fn compile_structural_tag(&self, py: Python<'_>, structural_tag: TagText) -> PyResult<CompiledGrammar> {
        self.compile(py, &Grammar::from_structural_tag(py, structural_tag)?)
    }

    /// Compiles a JSON Schema; the arguments are those of `Grammar.from_json_schema`.
    ///
    /// Raises `InvalidSchemaError` and `UnsupportedSchemaError` with the JSON pointer, `EmptyLanguageError` if nothing
    /// satisfies the schema, and `LimitExceededError`.
    #[pyo3(
        signature = (
            schema, *, any_order=true, any_whitespace=true, max_whitespace=Some(256), indent=None, separators=None,
            additional_properties=true, assert_formats=true, assert_content=true, draft=None, documents=Documents::default()
        ),
        text_signature = "($self, schema, *, any_order=True, any_whitespace=True, max_whitespace=256, indent=None, \
                          separators=None, additional_properties=True, assert_formats=True, assert_content=True, draft=None, \
                          documents={})"
    )]
    #[expect(clippy::too_many_arguments, reason = "they are the keyword arguments")]
    fn compile_json_schema(
        &self,
        py: Python<'_>,
        schema: SchemaText,
        any_order: bool,
        any_whitespace: bool,
        #[pyo3(from_py_with = optional_count)] max_whitespace: Option<usize>,
        indent: Option<Indent>,
        separators: Option<(String, String)>,
        additional_properties: bool,
        assert_formats: bool,
        assert_content: bool,
        draft: Option<DraftName>,
        documents: Documents,
    ) -> PyResult<CompiledGrammar> {
        let grammar = Grammar::from_json_schema(
            schema,
            any_order,
            any_whitespace,
            max_whitespace,
            indent,
            separators,
            additional_properties,
            assert_formats,
            assert_content,
            draft,
            documents,
        )?;
        self.compile(py, &grammar)
    }

    /// Compiles the grammar of all JSON texts.
    fn compile_builtin_json_grammar(&self, py: Python<'_>) -> PyResult<CompiledGrammar> {
        self.compile(py, &Grammar::builtin_json_grammar()?)
    }

    /// Stops the compilations that are running now, in whatever threads: they raise `CompileCancelledError`.
    fn cancel(&self) {
        self.compiler.cancel();
    }

    /// Forgets what was compiled; grammars in use stay usable.
    fn clear_cache(&self, py: Python<'_>) {
        py.detach(|| self.compiler.clear_cache());
    }

    /// Memory held by the cache, bytes, approximately.
    fn get_cache_size_bytes(&self, py: Python<'_>) -> usize {
        py.detach(|| self.compiler.cache_size_bytes())
    }
}

impl GrammarCompiler {
    fn compile(&self, py: Python<'_>, grammar: &Grammar) -> PyResult<CompiledGrammar> {
        let compiled = interruptible(py, |stops| self.compiler.compile_unless(&grammar.grammar, stops))?;
        Ok(CompiledGrammar { compiled, tokenizer_info: self.tokenizer_info.clone_ref(py) })
    }
}

/// A grammar ready for matching with one tokenizer. Immutable, and shared freely among threads and matchers.
#[pyclass(frozen, module = "bytewright")]
pub(crate) struct CompiledGrammar {
    compiled: Arc<bytewright::CompiledGrammar>,
    tokenizer_info: Py<TokenizerInfo>,
}

impl CompiledGrammar {
    pub(crate) fn compiled(&self) -> Arc<bytewright::CompiledGrammar> {
        Arc::clone(&self.compiled)
    }

    pub(crate) fn vocabulary(&self) -> &Vocabulary {
        self.compiled.vocabulary()
    }
}

#[pymethods]
impl CompiledGrammar {
    /// The grammar that was compiled.
    #[getter]
    fn grammar(&self) -> Grammar {
        Grammar { grammar: self.compiled.grammar().clone() }
    }

    /// The tokenizer.
    #[getter]
    fn tokenizer_info(&self, py: Python<'_>) -> Py<TokenizerInfo> {
        self.tokenizer_info.clone_ref(py)
    }

    /// Heap memory, bytes, approximately.
    #[getter]
    fn memory_size_bytes(&self, py: Python<'_>) -> usize {
        py.detach(|| self.compiled.memory_size_bytes())
    }

    /// What a user should know about the grammar, as `(kind, message)`.
    #[getter]
    fn annotations(&self) -> Vec<(String, String)> {
        self.compiled.annotations().map(|a| (a.kind.clone(), a.message.clone())).collect()
    }

    /// The size of the automaton: `rules`, `states` and `bytes`.
    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let statistics = py.detach(|| self.compiled.statistics());
        let dict = PyDict::new(py);
        dict.set_item("rules", statistics.rules)?;
        dict.set_item("states", statistics.states)?;
        dict.set_item("bytes", statistics.bytes)?;
        Ok(dict)
    }

    /// Prechecks every state and says how the vocabulary splits there; far more work than matching needs.
    ///
    /// Each item has `rule`, `state`, `accepted` (tokens allowed whatever surrounds the rule), `dependent` and
    /// `dependent_after_expansion` (context-dependent tokens before and after context expansion) and `bytes`.
    fn state_statistics<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let all = py.detach(|| self.compiled.state_statistics()).raise()?;
        let item = |state: bytewright::mask::StateStatistics| {
            let dict = PyDict::new(py);
            dict.set_item("rule", state.rule)?;
            dict.set_item("state", state.state)?;
            dict.set_item("accepted", state.accepted)?;
            dict.set_item("dependent", state.dependent)?;
            dict.set_item("dependent_after_expansion", state.dependent_after_expansion)?;
            dict.set_item("bytes", state.bytes)?;
            Ok(dict)
        };
        all.into_iter().map(item).collect()
    }

    /// The grammar and the vocabulary's fingerprint, as versioned JSON.
    fn serialize_json(&self, py: Python<'_>) -> String {
        py.detach(|| self.compiled.serialize_json())
    }

    /// Loads what `serialize_json` wrote, for the same tokenizer. Raises `DeserializeError` for anything else.
    #[staticmethod]
    fn deserialize_json(py: Python<'_>, json: &str, tokenizer_info: Py<TokenizerInfo>) -> PyResult<Self> {
        let vocabulary = Arc::clone(&tokenizer_info.get().vocabulary);
        let compiled =
            py.detach(|| bytewright::CompiledGrammar::deserialize_json(json, vocabulary)).raise()?;
        Ok(Self { compiled, tokenizer_info })
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let load = slf.get_type().getattr("deserialize_json")?;
        let this = slf.get();
        (load, (this.serialize_json(slf.py()), this.tokenizer_info(slf.py()))).into_pyobject(slf.py())
    }

    fn __repr__(&self) -> String {
        let statistics = self.compiled.statistics();
        format!("CompiledGrammar(rules={}, states={})", statistics.rules, statistics.states)
    }
}
