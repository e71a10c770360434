//! The grammar IR: one small language over bytes that every front end lowers to.
//!
//! A [`Grammar`] is a list of named rules whose bodies are expressions in one arena. The alphabet is bytes plus *special
//! tokens*; characters are lowered to their UTF-8 byte sequences by the front ends (see [`utf8`]). A repeat keeps its
//! counts: it is never expanded here.
//!
//! Invariants, kept by [`GrammarBuilder::build`]: every [`RuleId`] and [`ExprId`] is in range, an expression refers only
//! to expressions created before it (so the arena is acyclic; recursion goes through rules alone), every rule has a
//! body, and `min <= max` in every repeat.

mod builder;
mod byte_set;
mod compose;
mod print;
#[doc(hidden)]
pub mod reference;
mod saved;
pub mod utf8;

use crate::json_schema::{JsonSchema, JsonSchemaOptions};
pub use builder::GrammarBuilder;
pub use byte_set::ByteSet;
use serde::{Deserialize, Serialize};

/// Index of a rule in its grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleId(pub(crate) u32);

/// Index of an expression in its grammar's arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExprId(pub(crate) u32);

impl RuleId {
    /// The index as `usize`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl ExprId {
    /// The index as `usize`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A set of special tokens, by id or by their text, resolved when the grammar meets a tokenizer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenSet {
    /// Inclusive ranges of token ids.
    pub ids: Vec<(u32, u32)>,
    /// Special tokens by text, e.g. `<|im_end|>`.
    pub names: Vec<String>,
    /// All tokens *except* these.
    pub negated: bool,
}

/// One expression over bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Expr {
    /// The empty string.
    Empty,
    /// One byte of a set; the empty set matches nothing.
    Class(ByteSet),
    /// These bytes in this order.
    Literal(Vec<u8>),
    /// A rule.
    Rule(RuleId),
    /// One after the other.
    Concat(Vec<ExprId>),
    /// Any one of these; none at all matches nothing.
    Choice(Vec<ExprId>),
    /// `min` to `max` times (`None`: without end).
    Repeat {
        /// What is repeated.
        body: ExprId,
        /// At least this often.
        min: u32,
        /// At most this often.
        max: Option<u32>,
    },
    /// One whole token of a set, not its bytes.
    Token(TokenSet),
    /// A JSON value that satisfies a schema.
    JsonSchema(Box<JsonSchema>),
}

/// Where a rule or expression came from: a byte range of the source text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Past the last byte.
    pub end: u32,
}

/// A named rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name, unique in the grammar.
    pub name: String,
    /// What it stands for.
    pub body: ExprId,
    /// Where it is defined.
    pub span: Option<Span>,
}

/// Something a user should know about a grammar that is no error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// What kind, e.g. `unreachable-rule` or `unknown-format`.
    pub kind: String,
    /// A sentence, with the place in it (line and column, or a JSON pointer).
    pub message: String,
}

/// A context-free grammar over bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grammar {
    pub(crate) exprs: Vec<Expr>,
    pub(crate) spans: Vec<Option<Span>>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) root: RuleId,
    pub(crate) annotations: Vec<Annotation>,
    /// The text the spans point into; empty when there is none.
    pub(crate) source: String,
}

impl Grammar {
    /// The documents that satisfy a JSON Schema, given as JSON text. References lead to parts of it, to the standard's own
    /// meta-schemas, and to `documents` (URI and JSON text); nothing is fetched.
    ///
    /// # Errors
    /// Errors of the schema are found when it is compiled.
    pub fn from_json_schema(
        schema: &str,
        documents: &[(String, String)],
        options: &JsonSchemaOptions,
    ) -> crate::Result<Self> {
        let mut builder = GrammarBuilder::new("");
        let root = builder.declare("root");
        let schema =
            JsonSchema { schema: schema.into(), documents: documents.to_vec(), options: options.clone() };
        let body = builder.json_schema(schema);
        builder.define(root, body, None)?;
        builder.build(root)
    }

    /// The expression behind an id.
    pub fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.index()]
    }

    /// Where an expression came from, when known.
    pub fn span(&self, id: ExprId) -> Option<Span> {
        self.spans[id.index()]
    }

    /// The rule behind an id.
    pub fn rule(&self, id: RuleId) -> &Rule {
        &self.rules[id.index()]
    }

    /// All rules, in the order of their ids.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule that a whole sentence matches.
    pub fn root(&self) -> RuleId {
        self.root
    }

    /// What a user should know about this grammar.
    pub fn annotations(&self) -> &[Annotation] {
        &self.annotations
    }

    /// The text the grammar was read from; empty when it was built by hand.
    pub fn source(&self) -> &str {
        &self.source
    }
}
