//! `GrammarMatcher` and `Rejection`.
//!
//! A matcher is locked for the length of each call, and the interpreter lock is released before that lock is waited for:
//! another thread may hold it through a slow mask. No call holds a matcher's lock while it waits for the interpreter.

use crate::array::Bitmask;
use crate::compiler::CompiledGrammar;
use crate::convert::count;
use crate::draft::DraftTree;
use crate::error::{Raise, to_py_err};
use crate::tokenizer::{TokenId, TokenIds};
use bytewright::{Matcher, MatcherOptions};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::time::Duration;

/// Follows one sequence through a compiled grammar: which tokens may come next, taking them, and taking them back.
///
/// Args:
///     compiled_grammar: the grammar.
///     override_stop_tokens: the id or ids that end the text, instead of the tokenizer's own.
///     terminate_without_stop_token: terminate by itself as soon as the text is complete and nothing can follow.
///
/// Stop tokens are allowed exactly when `is_completed()`. After one is accepted the matcher `is_terminated()`: filling
/// and accepting raise `MatcherTerminatedError`, while `rollback` and `reset` work. A refused token changes nothing.
/// Fork and rollback take the same time at any length. Safe to use from any thread, one call at a time.
#[pyclass(frozen, module = "bytewright")]
pub(crate) struct GrammarMatcher {
    matcher: Mutex<Matcher>,
    compiled: Py<CompiledGrammar>,
}

/// Text as Python gives it.
#[derive(FromPyObject)]
pub(crate) enum Text<'py> {
    /// `str`, taken as UTF-8.
    Str(pyo3::pybacked::PyBackedStr),
    /// `bytes`.
    Bytes(Bound<'py, PyBytes>),
}

impl Text<'_> {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Str(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes.as_bytes(),
        }
    }
}

/// What may be refused.
#[derive(FromPyObject)]
enum Refused<'py> {
    Text(Text<'py>),
    Token(TokenId),
}

impl GrammarMatcher {
    /// Runs with the matcher locked and the interpreter lock released.
    pub(crate) fn with<T: Send>(&self, py: Python<'_>, f: impl FnOnce(&mut Matcher) -> T + Send) -> T {
        py.detach(|| f(&mut self.matcher.lock()))
    }

    /// The same, where the interpreter lock has been released already.
    pub(crate) fn with_detached<T>(&self, f: impl FnOnce(&mut Matcher) -> T) -> T {
        f(&mut self.matcher.lock())
    }

    /// The id, checked against this matcher's vocabulary.
    pub(crate) fn token(&self, id: TokenId) -> bytewright::Result<u32> {
        id.of(self.compiled.get().vocabulary())
    }
}

#[pymethods]
impl GrammarMatcher {
    #[new]
    #[pyo3(signature = (compiled_grammar, *, override_stop_tokens=None, terminate_without_stop_token=false))]
    fn new(
        compiled_grammar: Py<CompiledGrammar>,
        override_stop_tokens: Option<TokenIds>,
        terminate_without_stop_token: bool,
    ) -> PyResult<Self> {
        let compiled = compiled_grammar.get();
        let check =
            |ids: TokenIds| ids.into_vec().into_iter().map(|id| id.of(compiled.vocabulary())).collect();
        let stop_token_ids = override_stop_tokens.map(check).transpose().raise()?;
        let options = MatcherOptions { stop_token_ids, terminate_without_stop_token };
        let matcher = Matcher::new(compiled.compiled(), options).raise()?;
        Ok(Self { matcher: Mutex::new(matcher), compiled: compiled_grammar })
    }

    /// The grammar that is matched.
    #[getter]
    fn compiled_grammar(&self, py: Python<'_>) -> Py<CompiledGrammar> {
        self.compiled.clone_ref(py)
    }

    /// The ids that end the text.
    #[getter]
    fn stop_token_ids(&self, py: Python<'_>) -> Vec<u32> {
        self.with(py, |m| m.stop_token_ids().to_vec())
    }

    /// How many tokens and texts were accepted: how far `rollback` can go.
    #[getter]
    fn num_accepted(&self, py: Python<'_>) -> usize {
        self.with(py, |m| m.num_accepted())
    }

    /// Writes the mask of allowed tokens into row `index` of an int32 bitmask `(batch, ceil(vocab_size / 32))`.
    ///
    /// Returns False only when every token is allowed, so that applying the mask can be left out. Raises
    /// `InvalidBitmaskError` for a wrong array and `MatcherTerminatedError` after termination.
    #[pyo3(signature = (bitmask, index=0))]
    fn fill_next_token_bitmask(
        &self,
        bitmask: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = count)] index: usize,
    ) -> PyResult<bool> {
        let mut bitmask_rows = Bitmask::writable(bitmask)?;
        let row = bitmask_rows.try_row_mut(index)?;
        self.with(bitmask.py(), |m| m.fill_next_token_bitmask(row)).raise()
    }

    /// Takes a token. Returns False if it is not allowed, and then nothing has changed.
    ///
    /// Raises `TokenOutOfRangeError` and `MatcherTerminatedError`.
    fn accept_token(&self, py: Python<'_>, token_id: TokenId) -> PyResult<bool> {
        let id = self.token(token_id).raise()?;
        self.with(py, |m| m.accept_token(id)).raise()
    }

    /// Takes text (`str` as UTF-8) as one step. Returns False if it does not fit as a whole; then nothing has changed.
    fn accept_string(&self, py: Python<'_>, text: Text<'_>) -> PyResult<bool> {
        let bytes = text.as_bytes();
        self.with(py, |m| m.accept_bytes(bytes)).raise()
    }

    /// Goes back by `num_tokens` accepted tokens or texts. Raises `RollbackError` past the start, changing nothing.
    #[pyo3(signature = (num_tokens=1))]
    fn rollback(&self, py: Python<'_>, #[pyo3(from_py_with = count)] num_tokens: usize) -> PyResult<()> {
        self.with(py, |m| m.rollback(num_tokens)).raise()
    }

    /// An independent matcher at the same place; takes no time.
    fn fork(&self, py: Python<'_>) -> Self {
        let matcher = Mutex::new(self.with(py, |m| m.fork()));
        Self { matcher, compiled: self.compiled.clone_ref(py) }
    }

    fn __copy__(&self, py: Python<'_>) -> Self {
        self.fork(py)
    }

    fn __deepcopy__(&self, py: Python<'_>, memo: &Bound<'_, PyAny>) -> Self {
        let _ = memo; // the grammar is immutable and stays shared
        self.fork(py)
    }

    /// Goes back to the beginning.
    fn reset(&self, py: Python<'_>) {
        self.with(py, Matcher::reset);
    }

    /// Whether a stop token was accepted (or, with `terminate_without_stop_token`, the text is complete and nothing can
    /// follow).
    fn is_terminated(&self, py: Python<'_>) -> bool {
        self.with(py, |m| m.is_terminated())
    }

    /// Whether the text so far is a sentence of the grammar, so that a stop token may follow.
    fn is_completed(&self, py: Python<'_>) -> bool {
        self.with(py, |m| m.is_completed())
    }

    /// The bytes that every continuation begins with; they are not accepted.
    fn find_jump_forward_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.with(py, Matcher::forced_bytes).raise()?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// `find_jump_forward_bytes` as text, up to the first byte that is not part of a whole character.
    fn find_jump_forward_string(&self, py: Python<'_>) -> PyResult<String> {
        let bytes = self.with(py, Matcher::forced_bytes).raise()?;
        let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        Ok(valid.to_owned())
    }

    /// Why a token (by id) or a text is refused now; None if it is allowed.
    fn explain_rejection(&self, py: Python<'_>, token_or_text: Refused<'_>) -> PyResult<Option<Rejection>> {
        let (token_id, why) = match token_or_text {
            Refused::Token(token_id) => {
                let id = self.token(token_id).raise()?;
                (Some(id), self.with(py, |m| m.explain_token(id)))
            }
            Refused::Text(text) => {
                let bytes = text.as_bytes();
                (None, self.with(py, |m| m.explain_bytes(bytes)))
            }
        };
        Ok(why.raise()?.map(|why| Rejection { why, token_id }))
    }

    /// Fills one row of `bitmask` for each node of a tree of draft tokens; the matcher itself does not move.
    ///
    /// Node 0 is the last accepted token. `retrieve_next_token[i]` is node i's first child and
    /// `retrieve_next_sibling[i]` its next sibling, -1 if none; all three arguments are integers of shape `(nodes,)`.
    /// Rows of refused or terminated nodes, and of what lies below them, are left as they are. Returns False if
    /// `time_threshold` (seconds; none if not positive) passed first.
    #[pyo3(
        signature = (retrieve_next_token, retrieve_next_sibling, draft_tokens, bitmask, time_threshold=-1.0),
        text_signature = "($self, retrieve_next_token, retrieve_next_sibling, draft_tokens, bitmask, \
                          time_threshold=-1.0)"
    )]
    fn traverse_draft_tree(
        &self,
        retrieve_next_token: &Bound<'_, PyAny>,
        retrieve_next_sibling: &Bound<'_, PyAny>,
        draft_tokens: &Bound<'_, PyAny>,
        bitmask: &Bound<'_, PyAny>,
        time_threshold: f64,
    ) -> PyResult<bool> {
        let tree = DraftTree::new(retrieve_next_token, retrieve_next_sibling, draft_tokens)?;
        let limit = Duration::try_from_secs_f64(time_threshold).ok().filter(|limit| !limit.is_zero());
        let mut rows = Bitmask::writable(bitmask)?;
        let nodes: Vec<usize> = (0..tree.len()).collect();
        let rows = rows.rows_mut(&nodes)?;
        self.with(bitmask.py(), |m| tree.fill(m.fork(), rows, limit)).map_err(to_py_err)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let (accepted, terminated) = self.with(py, |m| (m.num_accepted(), m.is_terminated()));
        let terminated = if terminated { "True" } else { "False" };
        format!("GrammarMatcher(num_accepted={accepted}, is_terminated={terminated})")
    }
}

/// Why a token or a text is refused.
#[pyclass(frozen, module = "bytewright")]
pub(crate) struct Rejection {
    why: bytewright::Rejection,
    token_id: Option<u32>,
}

#[pymethods]
impl Rejection {
    /// How many bytes of the token or text still fitted.
    #[getter]
    fn byte_offset(&self) -> usize {
        self.why.byte_offset
    }

    /// The first byte that did not fit; None when the token is refused as a whole.
    #[getter]
    fn byte(&self) -> Option<u8> {
        self.why.byte
    }

    /// The token that was asked about; None for text.
    #[getter]
    fn token_id(&self) -> Option<u32> {
        self.token_id
    }

    /// The bytes that would have been allowed there, as inclusive ranges.
    #[getter]
    fn expected(&self) -> Vec<(u8, u8)> {
        self.why.expected.clone()
    }

    /// Whether the text was complete there, so that a stop token would have been allowed.
    #[getter]
    fn is_completed(&self) -> bool {
        self.why.complete
    }

    /// Where in the grammar that was: rules, with line and column where known.
    #[getter]
    fn rules(&self) -> Vec<String> {
        self.why.rules.clone()
    }

    /// All of it in a sentence.
    #[getter]
    fn message(&self) -> &str {
        &self.why.message
    }

    fn __str__(&self) -> &str {
        &self.why.message
    }

    fn __repr__(&self) -> String {
        format!("Rejection({:?})", self.why.message)
    }
}
