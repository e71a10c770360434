//! `Grammar`: reading, joining and printing grammars.

use crate::convert::{Text, count, optional_count};
use crate::error::{Raise, class, invalid_argument};
use crate::json_schema::{self, Documents, DraftName, Indent, SchemaText, TagText};
use bytewright::frontend::ebnf::{self, EbnfOptions, Unreachable};
use bytewright::frontend::lark::{self, LarkOptions};
use bytewright::frontend::{regex, structural_tag};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::collections::HashMap;
use std::ffi::CString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

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

/// `imports=`: texts by path.
#[derive(Default)]
pub(crate) struct Imports(HashMap<String, String>);

impl<'py> FromPyObject<'_, 'py> for Imports {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let mut out = HashMap::new();
        for (path, text) in object.cast::<PyDict>()?.iter() {
            let Text(text) = text.extract()?;
            out.insert(path.extract()?, text);
        }
        Ok(Self(out))
    }
}

impl Imports {
    /// The text of a path: the caller's, or a file below one of the directories.
    fn load(&self, path: &str, directories: &[PathBuf]) -> bytewright::Result<Option<String>> {
        if let Some(text) = self.0.get(path) {
            return Ok(Some(text.clone()));
        }
        // A path is made of names and slashes, so it leads to no other place.
        let Some(file) = directories.iter().map(|directory| directory.join(path)).find(|file| file.is_file())
        else {
            return Ok(None);
        };
        let bytes = std::fs::read(&file).map_err(|error| {
            bytewright::Error::InvalidArgument(format!("cannot read {}: {error}", file.display()))
        })?;
        bytewright::error::utf8_text(&bytes).map(|text| Some(text.to_owned()))
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

    /// Reads a grammar of the Lark parser (1.3), and what llguidance adds to them.
    ///
    /// Args:
    ///     text: the grammar.
    ///     start: the rule that a whole text matches.
    ///     imports: the texts of imported grammars by path, e.g. `{"names.lark": "..."}` for `%import names.NAME`.
    ///     import_paths: directories where other imports are looked for; nothing is read from files without it.
    ///
    /// Raises `GrammarSyntaxError`, `UndefinedRuleError` and `UnsupportedFeatureError` with the line and column, and
    /// `LimitExceededError`.
    #[staticmethod]
    #[pyo3(
        signature = (text, *, start="start", imports=Imports::default(), import_paths=Vec::new()),
        text_signature = "(text, *, start='start', imports={}, import_paths=())"
    )]
    fn from_lark(
        py: Python<'_>,
        text: Text,
        start: &str,
        imports: Imports,
        import_paths: Vec<PathBuf>,
    ) -> PyResult<Self> {
        let options = LarkOptions { start: start.into(), ..LarkOptions::default() };
        let load = |path: &str| imports.load(path, &import_paths);
        let grammar = py.detach(|| lark::parse(&text.0, &options, &load)).raise()?;
        Ok(Self { grammar })
    }

    /// Reads a structural tag: free text with parts that must follow a format, such as tool calls.
    ///
    /// Args:
    ///     structural_tag: XGrammar's JSON, as text, a dict or a Pydantic model: a tree of formats below `format`, the older
    ///         `structures` and `triggers`, or a format alone.
    ///
    /// Raises `InvalidStructuralTagError` with the JSON pointer, and what the grammars and patterns in it raise.
    #[staticmethod]
    pub(crate) fn from_structural_tag(py: Python<'_>, structural_tag: TagText) -> PyResult<Self> {
        let grammar = py.detach(|| structural_tag::parse(&structural_tag.0)).raise()?;
        Ok(Self { grammar })
    }

    /// The documents that satisfy a JSON Schema (drafts 4, 6, 7, 2019-09 and 2020-12).
    ///
    /// Args:
    ///     schema: JSON text, a dict or bool, a Pydantic model or type adapter, a dataclass, TypedDict, Enum or other type, a
    ///         function (its arguments), or an OpenAI `response_format`.
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

    /// The JSON objects of a function's arguments, as a tool call has them.
    ///
    /// Parameters with a default are optional. A dataclass, TypedDict or Enum is taken by `from_json_schema` itself.
    ///
    /// Args:
    ///     function: a function, method, `functools.partial` or class, with annotations on all its parameters.
    ///     options: as `from_json_schema` takes them.
    ///
    /// Raises `UnsupportedTypeError`, which names the parameter, for what JSON cannot say.
    #[staticmethod]
    #[pyo3(signature = (function, **options))]
    fn from_signature<'py>(
        function: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = function.py();
        let module = py.import(intern!(py, "bytewright.json_schema"))?;
        let schema = module.call_method1(intern!(py, "signature_text"), (function,))?;
        py.get_type::<Self>().call_method(intern!(py, "from_json_schema"), (schema,), options)
    }

    /// The grammar of exactly these texts.
    #[staticmethod]
    fn from_choices(py: Python<'_>, choices: Vec<Text>) -> PyResult<Self> {
        let texts: Vec<String> = choices.into_iter().map(|Text(text)| text).collect();
        let grammar = py.detach(|| bytewright::Grammar::from_choices(&texts)).raise()?;
        Ok(Self { grammar })
    }

    /// The grammar of `least` to `most` texts of this one (None: without end), one after the other.
    #[pyo3(signature = (least=0, most=None))]
    fn repeat(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = count)] least: usize,
        #[pyo3(from_py_with = optional_count)] most: Option<usize>,
    ) -> PyResult<Self> {
        let bound = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let grammar = py.detach(|| self.grammar.repeat(bound(least), most.map(bound))).raise()?;
        Ok(Self { grammar })
    }

    /// The grammar of all JSON texts (RFC 8259).
    #[staticmethod]
    pub(crate) fn builtin_json_grammar() -> PyResult<Self> {
        Ok(Self { grammar: bytewright::Grammar::builtin_json() })
    }

    /// The ready grammar of this name, e.g. `"semver"`; see `docs/grammars.md`.
    ///
    /// Raises `InvalidArgumentError`, which has all names, if there is none.
    #[staticmethod]
    fn builtin(py: Python<'_>, name: &str) -> PyResult<Self> {
        let grammar = py.detach(|| bytewright::Grammar::builtin(name)).raise()?;
        Ok(Self { grammar })
    }

    /// The names that `builtin` takes, sorted.
    #[staticmethod]
    fn builtin_names() -> Vec<&'static str> {
        bytewright::Grammar::builtin_names().collect()
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
