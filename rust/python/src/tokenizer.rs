//! `TokenizerInfo`: a vocabulary, as Python holds it.

use crate::convert::optional_count;
use crate::error::Raise;
use bytewright::{Error, Vocabulary, VocabularyOptions};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList, PyTuple, PyType};
use std::path::PathBuf;
use std::sync::Arc;

/// The base of `bytewright.TokenizerInfo`, which documents it and adds the ways to make one.
#[pyclass(frozen, subclass, module = "bytewright._core")]
pub(crate) struct TokenizerInfo {
    pub(crate) vocabulary: Arc<Vocabulary>,
}

/// A token id as Python gives it: any integer, checked against the vocabulary only when it is used. Integers beyond 64
/// bits become the largest or smallest of them, which no vocabulary has either.
#[derive(Clone, Copy)]
pub(crate) struct TokenId(i64);

impl<'py> FromPyObject<'_, 'py> for TokenId {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.extract::<i64>() {
            Ok(id) => Ok(Self(id)),
            Err(error) if error.is_instance_of::<PyOverflowError>(object.py()) => {
                Ok(Self(if object.lt(0)? { i64::MIN } else { i64::MAX }))
            }
            Err(error) => Err(error),
        }
    }
}

impl TokenId {
    /// The id, if the vocabulary has it.
    pub(crate) fn of(self, vocabulary: &Vocabulary) -> bytewright::Result<u32> {
        let vocab_size = vocabulary.vocab_size();
        let out_of_range = Error::TokenOutOfRange { id: self.0, vocab_size };
        u32::try_from(self.0).ok().filter(|&id| (id as usize) < vocab_size).ok_or(out_of_range)
    }

    /// The id, before there is a vocabulary of `vocab_size` to ask.
    fn below(self, vocab_size: usize) -> bytewright::Result<u32> {
        u32::try_from(self.0).map_err(|_| Error::TokenOutOfRange { id: self.0, vocab_size })
    }
}

/// One id or several.
#[derive(FromPyObject)]
pub(crate) enum TokenIds {
    /// `2`
    One(TokenId),
    /// `[2, 7]`
    Several(Vec<TokenId>),
}

impl TokenIds {
    pub(crate) fn into_vec(self) -> Vec<TokenId> {
        match self {
            Self::One(id) => vec![id],
            Self::Several(ids) => ids,
        }
    }
}

#[pymethods]
impl TokenizerInfo {
    #[new]
    #[pyo3(signature = (encoded_vocab, *, vocab_size=None, stop_token_ids=None, special_token_ids=None))]
    fn new(
        py: Python<'_>,
        encoded_vocab: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = optional_count)] vocab_size: Option<usize>,
        stop_token_ids: Option<TokenIds>,
        special_token_ids: Option<Vec<TokenId>>,
    ) -> PyResult<Self> {
        // One `TokenizerInfo` from another shares its vocabulary: how a subclass takes over what Rust has made.
        if let Ok(other) = encoded_vocab.cast::<Self>() {
            return Ok(Self { vocabulary: Arc::clone(&other.get().vocabulary) });
        }
        let tokens: Vec<PyBackedBytes> = encoded_vocab.extract()?;
        let size = vocab_size.unwrap_or(tokens.len());
        let ids =
            |ids: Vec<TokenId>| ids.into_iter().map(|id| id.below(size)).collect::<Result<_, _>>().raise();
        let options = VocabularyOptions {
            vocab_size,
            stop_token_ids: ids(stop_token_ids.map_or_else(Vec::new, TokenIds::into_vec))?,
            special_token_ids: ids(special_token_ids.unwrap_or_default())?,
        };
        let vocabulary = py.detach(|| Vocabulary::new(&tokens, options)).raise()?;
        Ok(Self { vocabulary: Arc::new(vocabulary) })
    }

    /// Number of token ids, padding ids included.
    #[getter]
    fn vocab_size(&self) -> usize {
        self.vocabulary.vocab_size()
    }

    /// The ids that end a text, ascending.
    #[getter]
    fn stop_token_ids(&self) -> Vec<u32> {
        self.vocabulary.stop_token_ids().to_vec()
    }

    /// The ids that never match as text, ascending.
    #[getter]
    fn special_token_ids(&self) -> Vec<u32> {
        self.vocabulary.special_token_ids().to_vec()
    }

    /// The raw bytes of each token; padding ids left out.
    #[getter]
    fn decoded_vocab<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let ids = 0..self.vocabulary.num_tokens() as u32;
        PyList::new(py, ids.map(|id| PyBytes::new(py, self.vocabulary.token_bytes(id))))
    }

    /// A digest of the whole vocabulary, the same on every machine.
    #[getter]
    fn fingerprint(&self) -> &str {
        self.vocabulary.fingerprint()
    }

    /// The raw bytes of a token; empty for padding ids. Raises `TokenOutOfRangeError`.
    fn token_bytes<'py>(&self, py: Python<'py>, token_id: TokenId) -> PyResult<Bound<'py, PyBytes>> {
        let id = token_id.of(&self.vocabulary).raise()?;
        Ok(PyBytes::new(py, self.vocabulary.token_bytes(id)))
    }

    /// The vocabulary as versioned JSON.
    fn serialize_json(&self, py: Python<'_>) -> String {
        py.detach(|| self.vocabulary.serialize_json())
    }

    /// Loads what `serialize_json` wrote. Raises `DeserializeError` for anything else.
    #[classmethod]
    fn deserialize_json<'py>(cls: &Bound<'py, PyType>, json: &str) -> PyResult<Bound<'py, PyAny>> {
        let py = cls.py();
        made(cls, py.detach(|| Vocabulary::deserialize_json(json)).raise()?)
    }

    /// Writes the vocabulary to a file that `load` reads in milliseconds. Raises `OSError`.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.vocabulary.save(&path)).raise()
    }

    /// Reads what `save` wrote. Raises `OSError` when it cannot be read, `DeserializeError` for any other file.
    #[classmethod]
    fn load<'py>(cls: &Bound<'py, PyType>, path: PathBuf) -> PyResult<Bound<'py, PyAny>> {
        made(cls, cls.py().detach(|| Vocabulary::load(&path)).raise()?)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| same_vocabulary(&self.vocabulary, &other.get().vocabulary))
    }

    fn __hash__(&self) -> u64 {
        // The fingerprint's first 64 bits, which are as good as any.
        u64::from_str_radix(&self.vocabulary.fingerprint()[..16], 16).unwrap_or_default()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let load = slf.get_type().getattr("deserialize_json")?;
        (load, (slf.get().serialize_json(slf.py()),)).into_pyobject(slf.py())
    }

    fn __repr__(&self) -> String {
        let v = &self.vocabulary;
        format!("TokenizerInfo(vocab_size={}, stop_token_ids={:?})", v.vocab_size(), v.stop_token_ids())
    }
}

/// A vocabulary as an object of `cls`.
fn made<'py>(cls: &Bound<'py, PyType>, vocabulary: Vocabulary) -> PyResult<Bound<'py, PyAny>> {
    let py = cls.py();
    let made = Bound::new(py, TokenizerInfo { vocabulary: Arc::new(vocabulary) })?;
    if cls.is(py.get_type::<TokenizerInfo>()) { Ok(made.into_any()) } else { cls.call1((made,)) }
}

/// Whether two vocabularies are the same, compared whole.
fn same_vocabulary(a: &Arc<Vocabulary>, b: &Arc<Vocabulary>) -> bool {
    let whole = |v: &Vocabulary| (v.vocab_size(), v.num_tokens());
    Arc::ptr_eq(a, b)
        || whole(a) == whole(b)
            && a.stop_token_ids() == b.stop_token_ids()
            && a.special_token_ids() == b.special_token_ids()
            && (0..a.num_tokens() as u32).all(|id| a.token_bytes(id) == b.token_bytes(id))
}
