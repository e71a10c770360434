//! JSON Schemas and their options as Python gives them.

use crate::convert::Text;
use crate::error::invalid_argument;
use bytewright::json_schema::{Draft, JsonSchemaOptions, Whitespace};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

/// A schema: JSON text, or anything that `bytewright.json_schema.schema_text` makes JSON text of.
pub(crate) struct SchemaText(pub(crate) String);

impl<'py> FromPyObject<'_, 'py> for SchemaText {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        json_text(object, "schema_text").map(Self)
    }
}

/// A structural tag: JSON text, or anything that `bytewright.json_schema.structural_tag_text` makes JSON text of.
pub(crate) struct TagText(pub(crate) String);

impl<'py> FromPyObject<'_, 'py> for TagText {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        json_text(object, "structural_tag_text").map(Self)
    }
}

/// Text as it is; of anything else, what this function of `bytewright.json_schema` makes.
fn json_text(object: Borrowed<'_, '_, PyAny>, function: &str) -> PyResult<String> {
    if object.cast::<PyString>().is_ok() || object.cast::<PyBytes>().is_ok() {
        let Text(text) = object.extract()?;
        return Ok(text);
    }
    let module = object.py().import(intern!(object.py(), "bytewright.json_schema"))?;
    let Text(text) = module.call_method1(function, (object,))?.extract()?;
    Ok(text)
}

/// Other documents, by URI.
#[derive(Default)]
pub(crate) struct Documents(pub(crate) Vec<(String, String)>);

impl<'py> FromPyObject<'_, 'py> for Documents {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let mut out = Vec::new();
        for (uri, document) in object.cast::<PyDict>()?.iter() {
            let SchemaText(text) = document.extract()?;
            out.push((uri.extract()?, text));
        }
        Ok(Self(out))
    }
}

/// `indent=`: a number of spaces, or whitespace.
pub(crate) struct Indent(String);

impl<'py> FromPyObject<'_, 'py> for Indent {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if object.cast::<PyString>().is_ok() {
            return Ok(Self(object.extract()?));
        }
        let count: usize = object.extract()?;
        Ok(Self(" ".repeat(count.min(64))))
    }
}

/// `draft=`: a draft's name.
pub(crate) struct DraftName(Draft);

impl<'py> FromPyObject<'_, 'py> for DraftName {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let name: &str = object.extract()?;
        let found = Draft::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, draft)| draft);
        found.or_else(|| Draft::of_metaschema(name)).map(Self).ok_or_else(|| {
            let names = Draft::NAMES.map(|(name, _)| format!("{name:?}")).join(", ");
            invalid_argument(format!("there is no draft {name:?}: the drafts are {names}"))
        })
    }
}

/// The options, from the keyword arguments that all functions about schemas have.
#[expect(clippy::too_many_arguments, reason = "they are the keyword arguments")]
pub(crate) fn options(
    any_order: bool,
    any_whitespace: bool,
    max_whitespace: Option<usize>,
    indent: Option<Indent>,
    separators: Option<(String, String)>,
    additional_properties: bool,
    assert_formats: bool,
    assert_content: bool,
    draft: Option<DraftName>,
) -> PyResult<JsonSchemaOptions> {
    let whitespace = if any_whitespace {
        if indent.is_some() || separators.is_some() {
            return Err(invalid_argument("indent and separators need any_whitespace=False"));
        }
        let max_run = max_whitespace.map(|max| u32::try_from(max).unwrap_or(u32::MAX - 1));
        Whitespace::Any { max_run }
    } else {
        // What `json.dumps` takes where nothing is said.
        let item = if indent.is_some() { "," } else { ", " };
        let (item_separator, key_separator) = separators.unwrap_or_else(|| (item.into(), ": ".into()));
        Whitespace::Fixed { indent: indent.map(|Indent(indent)| indent), item_separator, key_separator }
    };
    let draft = draft.map(|DraftName(draft)| draft);
    Ok(JsonSchemaOptions {
        any_order,
        whitespace,
        additional_properties,
        assert_formats,
        assert_content,
        draft,
    })
}
