//! What the drafts of JSON Schema differ in.

use serde::{Deserialize, Serialize};

/// A draft of the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Draft {
    /// Draft 4 (2013).
    Draft4,
    /// Draft 6 (2017).
    Draft6,
    /// Draft 7 (2018).
    Draft7,
    /// Draft 2019-09.
    Draft201909,
    /// Draft 2020-12.
    Draft202012,
}

impl Draft {
    /// All drafts by name.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("draft4", Self::Draft4),
        ("draft6", Self::Draft6),
        ("draft7", Self::Draft7),
        ("draft2019-09", Self::Draft201909),
        ("draft2020-12", Self::Draft202012),
    ];

    /// The draft that a `$schema` names.
    pub fn of_metaschema(uri: &str) -> Option<Self> {
        let uri = uri.trim_end_matches('#');
        let rest = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://"))?;
        match rest.strip_prefix("json-schema.org/")? {
            "draft-04/schema" | "draft-03/schema" => Some(Self::Draft4),
            "draft-06/schema" => Some(Self::Draft6),
            "draft-07/schema" => Some(Self::Draft7),
            "draft/2019-09/schema" => Some(Self::Draft201909),
            "draft/2020-12/schema" | "schema" => Some(Self::Draft202012),
            _ => None,
        }
    }
}

/// How a schema resource is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Dialect {
    /// `None`: nobody said, so every keyword of any draft means what it meant there.
    pub(super) draft: Option<Draft>,
    /// Whether the meta-schema includes the validation vocabulary.
    pub(super) validation: bool,
}

impl Dialect {
    pub(super) fn new(draft: Option<Draft>) -> Self {
        Self { draft, validation: true }
    }

    fn is_before(self, draft: Draft) -> bool {
        self.draft.is_some_and(|own| own < draft)
    }

    /// Whether a keyword that drafts from this one on know is one.
    pub(super) fn since(self, draft: Draft) -> bool {
        !self.is_before(draft)
    }

    /// Whether a keyword that drafts up to this one know is one.
    pub(super) fn until(self, draft: Draft) -> bool {
        self.draft.is_none_or(|own| own <= draft)
    }

    /// The keyword that names a resource.
    pub(super) fn id(self) -> &'static str {
        if self.draft == Some(Draft::Draft4) { "id" } else { "$id" }
    }

    /// Whether `$ref` makes its siblings mean nothing.
    pub(super) fn ref_stands_alone(self) -> bool {
        self.is_before(Draft::Draft201909)
    }

    /// Whether anchors have keywords of their own.
    pub(super) fn has_anchors(self) -> bool {
        self.since(Draft::Draft201909)
    }
}

/// What a keyword's value has to do with schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subschemas {
    /// Nothing.
    None,
    /// It is one.
    One,
    /// Its members or items are.
    Many,
    /// It is one, or a list of them.
    OneOrMany,
}

impl Subschemas {
    pub(super) fn is_schema(self) -> bool {
        matches!(self, Self::One | Self::OneOrMany)
    }

    pub(super) fn is_container(self) -> bool {
        matches!(self, Self::Many | Self::OneOrMany)
    }
}

/// Where the subschemas of a keyword are.
pub(super) fn subschemas(draft: Option<Draft>, keyword: &str) -> Subschemas {
    let since = |first: Draft| draft.is_none_or(|own| own >= first);
    match keyword {
        "additionalProperties" | "not" | "additionalItems" => Subschemas::One,
        "items" => Subschemas::OneOrMany,
        "properties" | "patternProperties" | "definitions" | "dependencies" | "allOf" | "anyOf" | "oneOf" => {
            Subschemas::Many
        }
        "contains" | "propertyNames" if since(Draft::Draft6) => Subschemas::One,
        "if" | "then" | "else" if since(Draft::Draft7) => Subschemas::One,
        "unevaluatedItems" | "unevaluatedProperties" | "contentSchema" if since(Draft::Draft201909) => {
            Subschemas::One
        }
        "$defs" | "dependentSchemas" if since(Draft::Draft201909) => Subschemas::Many,
        "prefixItems" if since(Draft::Draft202012) => Subschemas::Many,
        _ => Subschemas::None,
    }
}
