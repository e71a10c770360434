//! What a caller may choose about a schema.

use super::dialect::Draft;
use serde::{Deserialize, Serialize};

/// The whitespace between the tokens of a document.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Whitespace {
    /// Any JSON whitespace, in runs of up to so many characters (`None`: without end).
    Any {
        /// The longest run.
        max_run: Option<u32>,
    },
    /// None but in the separators, as Python's `json.dumps` writes.
    Fixed {
        /// What one more level of nesting adds after a line break; `None` for everything on one line.
        indent: Option<String>,
        /// Between items, e.g. `","` or `", "`.
        item_separator: String,
        /// Between a name and its value, e.g. `":"` or `": "`.
        key_separator: String,
    },
}

impl Whitespace {
    /// Longest run by default: wider than what formatters write, short enough to stop a model that runs away.
    pub const DEFAULT_MAX_RUN: u32 = 256;
}

/// Options of [`crate::Grammar::from_json_schema`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JsonSchemaOptions {
    /// Whether properties may come in any order; else declared ones come first, in the order of declaration.
    pub any_order: bool,
    /// The whitespace.
    pub whitespace: Whitespace,
    /// Whether objects with `properties` take others where no keyword says so.
    pub additional_properties: bool,
    /// Whether `format` is asserted; else it is an annotation.
    pub assert_formats: bool,
    /// Whether `contentEncoding` and `contentMediaType` are asserted where the draft says that they may be; else they are
    /// annotations.
    pub assert_content: bool,
    /// The draft of documents without `$schema`; `None` takes the keywords of all drafts.
    pub draft: Option<Draft>,
}

impl Default for JsonSchemaOptions {
    fn default() -> Self {
        Self {
            any_order: true,
            whitespace: Whitespace::Any { max_run: Some(Whitespace::DEFAULT_MAX_RUN) },
            additional_properties: true,
            assert_formats: true,
            assert_content: true,
            draft: None,
        }
    }
}

/// A schema, the documents it may refer to, and its options: all that a grammar keeps of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JsonSchema {
    /// JSON text.
    pub schema: String,
    /// URI and JSON text of other documents.
    pub documents: Vec<(String, String)>,
    /// See there.
    pub options: JsonSchemaOptions,
}
