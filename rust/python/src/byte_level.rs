//! `TokenizerRules` and `CoverTree`: from token to byte probabilities. `bytewright.byte_level` puts a model to them.
//!
//! Logits are read in place. As with NumPy itself, an array that another thread writes to meanwhile gives numbers that are
//! no one's; they become probabilities and nothing else.

use crate::convert::{count, optional_count};
use crate::error::{Raise, invalid_argument, to_py_err};
use crate::tokenizer::{TokenId, TokenizerInfo};
use bytewright::Error;
use bytewright::bytes::{Canonical, Merge, MergeTable, Mode, NextByte, Splitter, TreeOptions};
use numpy::{PyArray1, PyReadonlyArray2};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::Arc;

/// What a tokenizer's own encoder can produce: merges, and where its pre-tokenizer cuts; or pieces and their scores.
///
/// Args:
///     tokenizer_info: the tokens' bytes.
///     merges: `(left, right, result)` ids by rank.
///     ranks: instead of merges, for each token its rank or None: any two tokens merge if their bytes together are a
///         token, the lowest rank first (tiktoken).
///     pattern: the pre-tokenizer's regular expression; None if the whole text is one piece.
///     ignore_merges: a piece that is a token as a whole stays one.
///     over_characters: with ranks: merging begins with characters, and those that have no token are spelled in bytes
///         (SentencePiece BPE).
///     scores: instead of merges and ranks, for each token its score or None: the text is split into the pieces of the
///         highest total, and characters that are no pieces are spelled in bytes (SentencePiece Unigram).
///
/// Raises `UnsupportedTokenizerError` for a pattern that cannot be followed exactly, `InvalidTokenizerError` for parts
/// that contradict each other.
#[pyclass(frozen, module = "bytewright")]
pub(crate) struct TokenizerRules {
    canonical: Arc<Canonical>,
    info: Py<TokenizerInfo>,
}

impl TokenizerRules {
    fn ids(&self, tokens: Vec<TokenId>) -> PyResult<Vec<u32>> {
        tokens.into_iter().map(|id| id.of(self.canonical.vocabulary())).collect::<Result<_, _>>().raise()
    }
}

#[pymethods]
impl TokenizerRules {
    #[new]
    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (tokenizer_info, *, merges=None, ranks=None, pattern=None, ignore_merges=false, over_characters=false, scores=None))]
    fn new(
        py: Python<'_>,
        tokenizer_info: Py<TokenizerInfo>,
        merges: Option<Vec<(u32, u32, u32)>>,
        ranks: Option<Vec<Option<u32>>>,
        pattern: Option<&str>,
        ignore_merges: bool,
        over_characters: bool,
        scores: Option<Vec<Option<f32>>>,
    ) -> PyResult<Self> {
        let vocabulary = Arc::clone(&tokenizer_info.get().vocabulary);
        let build = || {
            if let Some(scores) = scores {
                if merges.is_some()
                    || ranks.is_some()
                    || pattern.is_some()
                    || ignore_merges
                    || over_characters
                {
                    let message =
                        "scores go without merges, ranks, pattern, ignore_merges and over_characters";
                    return Err(Error::InvalidArgument(message.into()));
                }
                return Canonical::from_scores(vocabulary, &scores);
            }
            let table = match (merges, ranks) {
                (Some(merges), None) if !over_characters => {
                    let merge = |(left, right, result)| Merge { left, right, result };
                    MergeTable::from_merges(&vocabulary, &merges.into_iter().map(merge).collect::<Vec<_>>())?
                }
                (None, Some(ranks)) if over_characters => MergeTable::from_piece_ranks(&vocabulary, &ranks)?,
                (None, Some(ranks)) => MergeTable::from_ranks(&vocabulary, &ranks)?,
                _ => {
                    let message = "give merges, ranks or scores; over_characters needs ranks";
                    return Err(Error::InvalidArgument(message.into()));
                }
            };
            let splitter = pattern.map(Splitter::new).transpose()?;
            Canonical::new(vocabulary, table, splitter, ignore_merges)
        };
        let canonical = Arc::new(py.detach(build).raise()?);
        Ok(Self { canonical, info: tokenizer_info })
    }

    /// The tokens' bytes.
    #[getter]
    fn tokenizer_info(&self, py: Python<'_>) -> Py<TokenizerInfo> {
        self.info.clone_ref(py)
    }

    /// Text tokens that the encoder never makes of their own bytes.
    #[getter]
    fn unreachable(&self) -> Vec<u32> {
        self.canonical.unreachable().to_vec()
    }

    /// Whether the encoder makes exactly these tokens of their bytes. Raises `TokenOutOfRangeError`.
    fn is_canonical(&self, py: Python<'_>, tokens: Vec<TokenId>) -> PyResult<bool> {
        let tokens = self.ids(tokens)?;
        py.detach(|| self.canonical.is_canonical(&tokens)).raise()
    }

    /// Whether some text goes on so that its encoding begins with these tokens. Raises `TokenOutOfRangeError`.
    fn is_viable(&self, py: Python<'_>, tokens: Vec<TokenId>) -> PyResult<bool> {
        let tokens = self.ids(tokens)?;
        py.detach(|| self.canonical.is_viable(&tokens)).raise()
    }

    /// Whether `right` may follow `left` inside a piece; with scores, whether they may begin a text. Raises `TokenOutOfRangeError`.
    fn is_valid_pair(&self, left: TokenId, right: TokenId) -> PyResult<bool> {
        let id = |token: TokenId| token.of(self.canonical.vocabulary()).raise();
        Ok(self.canonical.is_valid_pair(id(left)?, id(right)?))
    }
}

/// `mode=`.
struct ModeName(Mode);

impl<'py> FromPyObject<'_, 'py> for ModeName {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.extract::<&str>()? {
            "canonical" => Ok(Self(Mode::Canonical)),
            "all" => Ok(Self(Mode::All)),
            "fast" => Ok(Self(Mode::Fast)),
            other => Err(invalid_argument(format!(
                "mode must be \"canonical\", \"all\" or \"fast\", got {other:?}"
            ))),
        }
    }
}

/// All covers of a growing text: token sequences whose bytes begin with it, all but the last token inside it.
///
/// Args:
///     rules: the tokenizer.
///     mode: "canonical", "all" or "fast"; see `bytewright.byte_level`.
///     beam: with "all", how many covers to keep; None for all of them.
///     max_nodes: the most nodes a text may have at once.
///
/// The tree never calls a model: `needed` names contexts, `supply` takes their logits. Safe to use from any thread, one call
/// at a time.
#[pyclass(frozen, module = "bytewright")]
pub(crate) struct CoverTree {
    tree: Mutex<bytewright::bytes::CoverTree>,
}

impl CoverTree {
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        f: impl FnOnce(&mut bytewright::bytes::CoverTree) -> T + Send,
    ) -> T {
        py.detach(|| f(&mut self.tree.lock()))
    }
}

#[pymethods]
impl CoverTree {
    #[new]
    #[pyo3(
        signature = (rules, *, mode=ModeName(Mode::Canonical), beam=None, max_nodes=4096),
        text_signature = "(rules, *, mode=\"canonical\", beam=None, max_nodes=4096)"
    )]
    fn new(
        rules: &Bound<'_, TokenizerRules>,
        mode: ModeName,
        #[pyo3(from_py_with = optional_count)] beam: Option<usize>,
        #[pyo3(from_py_with = count)] max_nodes: usize,
    ) -> PyResult<Self> {
        let options = TreeOptions { mode: mode.0, beam, max_nodes };
        let canonical = Arc::clone(&rules.get().canonical);
        let tree = rules.py().detach(|| bytewright::bytes::CoverTree::new(canonical, options)).raise()?;
        Ok(Self { tree: Mutex::new(tree) })
    }

    /// Takes bytes until one fits no cover, and returns how many it took. The byte that does not fit changes nothing.
    ///
    /// Raises `LimitExceededError` past `max_nodes`, `ImpossibleTextError` when a beam has lost all covers.
    fn push(&self, py: Python<'_>, data: &Bound<'_, PyBytes>) -> PyResult<usize> {
        let data = data.as_bytes();
        let push = |tree: &mut bytewright::bytes::CoverTree| {
            for (taken, &byte) in data.iter().enumerate() {
                if !tree.push(byte)? {
                    return Ok(taken);
                }
            }
            Ok(data.len())
        };
        self.with(py, push).raise()
    }

    /// Contexts `(node, parent, token)` to be supplied so that the certificate falls to `tolerance`; ask again after
    /// supplying them. At the beginning the token is None and the parent the node itself.
    #[pyo3(signature = (tolerance=0.0))]
    fn needed(&self, py: Python<'_>, tolerance: f64) -> Vec<(u64, u64, Option<u32>)> {
        let needed = self.with(py, |tree| tree.needed(tolerance));
        needed.into_iter().map(|need| (need.node, need.parent, need.token)).collect()
    }

    /// The tokens of a node in play.
    fn tokens(&self, py: Python<'_>, node: u64) -> PyResult<Vec<u32>> {
        let tokens = self.with(py, |tree| tree.tokens(node));
        tokens.ok_or_else(|| invalid_argument(format!("node {node} is not in play")))
    }

    /// Gives nodes their logits: `logits[i]`, float32 or float64, belongs to `nodes[i]`. If any raises, the ones before it
    /// are supplied.
    ///
    /// Raises `InvalidLogitsError` for NaN, infinity, a wrong shape or dtype.
    fn supply(&self, py: Python<'_>, nodes: Vec<u64>, logits: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Ok(rows) = logits.extract::<PyReadonlyArray2<'_, f32>>() {
            return self.supply_rows(py, &nodes, &rows);
        }
        if let Ok(rows) = logits.extract::<PyReadonlyArray2<'_, f64>>() {
            return self.supply_rows(py, &nodes, &rows);
        }
        let message = "logits must be a NumPy array of shape (nodes, vocab_size), float32 or float64";
        Err(to_py_err(Error::InvalidLogits(message.into())))
    }

    /// The next outcome: natural logarithms (256 bytes, then the end; float64, shape (257,)), certificate, what a beam left
    /// out, logarithm of the text's mass, and the share of it that goes on.
    ///
    /// Raises `ImpossibleTextError` when no open cover has any probability.
    #[allow(clippy::type_complexity)]
    fn next_byte<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyArray1<f64>>, f64, f64, f64, f64)> {
        let NextByte { log_probs, certificate, left_out, log_mass, kept } =
            self.with(py, |tree| tree.next_byte()).raise()?;
        Ok((PyArray1::from_slice(py, &log_probs), certificate, left_out, log_mass, kept))
    }

    /// All open covers, heaviest first: nodes, last tokens (-1 for none) and probabilities (float64).
    #[allow(clippy::type_complexity)]
    fn covers<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyArray1<u64>>, Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<f64>>)> {
        let covers = self.with(py, |tree| tree.covers()).raise()?;
        let nodes = covers.iter().map(|cover| cover.node);
        let tokens = covers.iter().map(|cover| cover.token.map_or(-1, i64::from));
        let probabilities = covers.iter().map(|cover| cover.probability);
        Ok((
            PyArray1::from_iter(py, nodes),
            PyArray1::from_iter(py, tokens),
            PyArray1::from_iter(py, probabilities),
        ))
    }

    /// An independent tree of the same text; what is open is shared.
    fn fork(&self, py: Python<'_>) -> Self {
        Self { tree: Mutex::new(self.with(py, |tree| tree.clone())) }
    }

    fn __copy__(&self, py: Python<'_>) -> Self {
        self.fork(py)
    }

    /// How many nodes are in play.
    #[getter]
    fn num_nodes(&self, py: Python<'_>) -> usize {
        self.with(py, |tree| tree.num_nodes())
    }

    /// How many bytes were taken.
    fn __len__(&self, py: Python<'_>) -> usize {
        self.with(py, |tree| tree.len())
    }
}

impl CoverTree {
    fn supply_rows<T: numpy::Element + Copy + Into<f64> + Sync>(
        &self,
        py: Python<'_>,
        nodes: &[u64],
        rows: &PyReadonlyArray2<'_, T>,
    ) -> PyResult<()> {
        let shape = rows.as_array().dim();
        let invalid = |message: String| Err(to_py_err(Error::InvalidLogits(message)));
        if shape.0 != nodes.len() {
            return invalid(format!("{} rows of logits were given for {} nodes", shape.0, nodes.len()));
        }
        let Ok(values) = rows.as_slice() else {
            return invalid(
                "the array must be C-contiguous; pass a copy made by `numpy.ascontiguousarray`".into(),
            );
        };
        let supply = |tree: &mut bytewright::bytes::CoverTree| {
            nodes
                .iter()
                .zip(values.chunks(shape.1.max(1)))
                .try_for_each(|(&node, row)| tree.supply(node, row))
        };
        self.with(py, supply).raise()
    }
}
