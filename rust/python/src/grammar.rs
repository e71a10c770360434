//! `Grammar`: reading, joining and printing grammars.

use crate::convert::{Text, optional_count};
use crate::error::{Raise, class, invalid_argument};
use crate::json_schema::{self, Documents, DraftName, Indent, SchemaText};
use bytewright::frontend::ebnf::{self, EbnfOptions, Unreachable};
use bytewright::frontend::regex;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::ffi::CString;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A context-free grammar over bytes, before it meets a tokenizer. Immutable.
#[pyclass(frozen, eq, module = "bytewright")]
#[derive(PartialEq)]
pub(crate) struct Grammar {
    pub(crate) grammar: bytewright::Grammar,
}

/// `unreachable_rules=`: what to do about rules that the root does not use.
pub(crate) struct UnreachableRules(pub(crate) Unreachable);

impl<'py> FromPyObject<'_, 'py> for UnreachableRules {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.extract::<&str>().unwrap_or_default() {
            "warn" => Ok(Self(Unreachable::Warn)),
            "error" => Ok(Self(Unreachable::Error)),
            "ignore" => Ok(Self(Unreachable::Ignore)),
            _ => {
                let got = object.repr()?;
                Err(invalid_argument(format!(
                    "unreachable_rules must be 'warn', 'error' or 'ignore', got {got}"
                )))
            }
        }
    }
}

#[pymethods]
impl Grammar {
    /// Reads EBNF: GBNF as llama.cpp has it, and XGrammar's dialect.
    ///
    /// Raises `GrammarSyntaxError`, `UndefinedRuleError`, `UnsupportedFeatureError` or `LimitExceededError`, each with the
    /// line and column. Rules that the root does not use are warned of (`UnreachableRuleWarning`), refused
    /// (`UnreachableRuleError`) or ignored, as `unreachable_rules` says.
    #[staticmethod]
    #[pyo3(
        signature = (text, *, root_rule_name="root", unreachable_rules=UnreachableRules(Unreachable::Warn)),
        text_signature = "(text, *, root_rule_name='root', unreachable_rules='warn')"
    )]
    pub(crate) fn from_ebnf(
        py: Python<'_>,
        text: Text,
        root_rule_name: &str,
        unreachable_rules: UnreachableRules,
    ) -> PyResult<Self> {
        let UnreachableRules(unreachable) = unreachable_rules;
        let options =
            EbnfOptions { root_rule_name: root_rule_name.into(), unreachable, ..EbnfOptions::default() };
        let grammar = py.detach(|| ebnf::parse(&text.0, &options)).raise()?;
        if unreachable == Unreachable::Warn {
            warn_of_unreachable_rules(py, &grammar)?;
        }
        Ok(Self { grammar })
    }

    /// Reads a regular expression, which the whole text must match.
    #[staticmethod]
    pub(crate) fn from_regex(py: Python<'_>, pattern: Text) -> PyResult<Self> {
        let grammar = py.detach(|| regex::parse(&pattern.0)).raise()?;
        Ok(Self { grammar })
    }

    /// The documents that satisfy a JSON Schema (drafts 4, 6, 7, 2019-09 and 2020-12).
    ///
    /// Args:
    ///     schema: JSON text, a dict or bool, a Pydantic model or type adapter, or an OpenAI `response_format`.
    ///     any_order: properties come in any order; else the declared ones first, in the order of declaration.
    ///     any_whitespace: any JSON whitespace between tokens; else as `json.dumps` writes with `indent` and `separators`.
    ///     max_whitespace: longest run of any whitespace, characters; None for no bound.
    ///     indent: spaces for each level of nesting, or the whitespace itself; None for one line.
    ///     separators: between items and after names, as for `json.dumps`.
    ///     additional_properties: whether objects with `properties` take others where no keyword says so.
    ///     assert_formats: whether `format` is enforced; else it is an annotation.
    ///     assert_content: whether base64 and JSON texts in strings are enforced in draft 7; in other drafts they are annotations.
    ///     draft: the draft where `$schema` names none, e.g. `"draft7"`; None takes the keywords of all drafts.
    ///     documents: other documents that references may lead to, by URI. Nothing is ever fetched.
    ///
    /// What is wrong with the schema is found when it is compiled.
    #[staticmethod]
    #[pyo3(
        signature = (
            schema, *, any_order=true, any_whitespace=true, max_whitespace=Some(256), indent=None, separators=None,
            additional_properties=true, assert_formats=true, assert_content=true, draft=None, documents=Documents::default()
        ),
        text_signature = "(schema, *, any_order=True, any_whitespace=True, max_whitespace=256, indent=None, \
                          separators=None, additional_properties=True, assert_formats=True, assert_content=True, draft=None, \
                          documents={})"
    )]
    #[expect(clippy::too_many_arguments, reason = "they are the keyword arguments")]
    pub(crate) fn from_json_schema(
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
    ) -> PyResult<Self> {
        let options = json_schema::options(
            any_order,
            any_whitespace,
            max_whitespace,
            indent,
            separators,
            additional_properties,
            assert_formats,
            assert_content,
            draft,
        )?;
        let grammar = bytewright::Grammar::from_json_schema(&schema.0, &documents.0, &options).raise()?;
        Ok(Self { grammar })
    }

    /// The grammar of all JSON texts (RFC 8259).
    #[staticmethod]
    pub(crate) fn builtin_json_grammar() -> PyResult<Self> {
        Ok(Self { grammar: bytewright::Grammar::builtin_json() })
    }

    /// The grammar of the texts that any of these grammars has.
    #[staticmethod]
    #[pyo3(signature = (*grammars))]
    fn union(grammars: Vec<Py<Self>>) -> PyResult<Self> {
        let all: Vec<&bytewright::Grammar> = grammars.iter().map(|g| &g.get().grammar).collect();
        Ok(Self { grammar: bytewright::Grammar::union(&all).raise()? })
    }

    /// The grammar of a text of the first grammar, followed by one of the second, and so on.
    #[staticmethod]
    #[pyo3(signature = (*grammars))]
    fn concat(grammars: Vec<Py<Self>>) -> PyResult<Self> {
        let all: Vec<&bytewright::Grammar> = grammars.iter().map(|g| &g.get().grammar).collect();
        Ok(Self { grammar: bytewright::Grammar::concat(&all).raise()? })
    }

    /// What a user should know about the grammar, as `(kind, message)`, e.g. of rules that are never used.
    #[getter]
    fn annotations(&self) -> Vec<(String, String)> {
        annotations(&self.grammar)
    }

    /// The grammar as versioned JSON.
    fn serialize_json(&self, py: Python<'_>) -> String {
        py.detach(|| self.grammar.serialize_json())
    }

    /// Loads what `serialize_json` wrote. Raises `DeserializeError` for anything else.
    #[staticmethod]
    fn deserialize_json(py: Python<'_>, json: &str) -> PyResult<Self> {
        let grammar = py.detach(|| bytewright::Grammar::deserialize_json(json)).raise()?;
        Ok(Self { grammar })
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.grammar.source().hash(&mut hasher);
        self.grammar.rules().iter().for_each(|rule| rule.name.hash(&mut hasher));
        hasher.finish()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let load = slf.get_type().getattr("deserialize_json")?;
        (load, (slf.get().serialize_json(slf.py()),)).into_pyobject(slf.py())
    }

    fn __str__(&self) -> String {
        self.grammar.to_string()
    }

    fn __repr__(&self) -> String {
        let root = &self.grammar.rule(self.grammar.root()).name;
        format!("Grammar(root={root:?}, rules={})", self.grammar.rules().len())
    }
}

/// A grammar's annotations as `(kind, message)`.
pub(crate) fn annotations(grammar: &bytewright::Grammar) -> Vec<(String, String)> {
    grammar.annotations().iter().map(|a| (a.kind.clone(), a.message.clone())).collect()
}

fn warn_of_unreachable_rules(py: Python<'_>, grammar: &bytewright::Grammar) -> PyResult<()> {
    for annotation in grammar.annotations().iter().filter(|a| a.kind == "unreachable-rule") {
        let message = CString::new(annotation.message.replace('\0', "\\0"))?;
        PyErr::warn(py, &class(py, "UnreachableRuleWarning")?, &message, 1)?;
    }
    Ok(())
}
