//! The schema's documents: JSON values with places, and the names they are referred to by.
//!
//! Every value is a node that knows its parent, so that an error can name its JSON pointer (RFC 6901). A *resource* is a
//! document or a part of one with an `$id` of its own (2020-12 core, section 4.3.5): it has a base URI, a dialect, and
//! anchors. Names are collected at schema positions alone: an `$id` inside `enum` or `const` names nothing.

use super::decimal::Decimal;
use super::dialect::{Dialect, Draft, Subschemas, subschemas};
use super::uri;
use crate::error::{Error, Result};
use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::sync::Arc;

/// Index of a value in [`Documents`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NodeId(u32);

/// Index of a schema resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ResourceId(u32);

pub(super) type Members = IndexMap<Arc<str>, NodeId, FxBuildHasher>;

/// A value; its parts are nodes again.
#[derive(Debug)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(Decimal),
    String(Arc<str>),
    Array(Arc<[NodeId]>),
    Object(Arc<Members>),
}

#[derive(Debug)]
struct Node {
    json: Json,
    /// What it is part of, and which part.
    parent: Option<(NodeId, u32)>,
    resource: ResourceId,
}

/// A schema resource.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) root: NodeId,
    pub(super) dialect: Dialect,
    /// `$recursiveAnchor: true` at the root.
    pub(super) is_recursive_anchor: bool,
    uri: String,
    anchors: FxHashMap<Arc<str>, NodeId>,
    dynamic_anchors: FxHashMap<Arc<str>, NodeId>,
}

/// Text of the bundled meta-schemas, one a line.
const METASCHEMAS: &str = include_str!("metaschemas.jsonl");

/// All documents that a schema can refer to.
#[derive(Debug)]
pub(super) struct Documents {
    nodes: Vec<Node>,
    resources: Vec<Resource>,
    by_uri: FxHashMap<String, ResourceId>,
    /// The caller's documents that no reference has asked for yet.
    unread: IndexMap<String, String>,
    default_dialect: Dialect,
    /// Schemas with keywords that may be annotations: `format` and those about content.
    pub(super) annotated: Vec<NodeId>,
    /// Whether any document has a reference whose target depends on the way to it.
    pub(super) has_dynamic_references: bool,
}

/// Keywords that may be annotations.
const ANNOTATIONS: [&str; 3] = ["format", "contentEncoding", "contentMediaType"];

/// Base of a schema that names none.
const NO_BASE: &str = "json-schema:///";

impl Documents {
    /// Heap memory, bytes, approximately.
    pub(super) fn memory_size_bytes(&self) -> usize {
        let of_node = |node: &Node| {
            let of_json = match &node.json {
                Json::String(text) => text.len() + 16,
                Json::Array(items) => items.len() * size_of::<NodeId>(),
                Json::Object(members) => members.keys().map(|name| name.len() + 48).sum(),
                _ => 0,
            };
            size_of::<Node>() + of_json
        };
        self.nodes.iter().map(of_node).sum::<usize>() + self.resources.len() * size_of::<Resource>()
    }

    /// Reads the schema; its root is given, too. `others` are documents by their URIs.
    pub(super) fn new(
        text: &str,
        others: &[(String, String)],
        draft: Option<Draft>,
    ) -> Result<(Self, NodeId)> {
        let unread = others.iter().map(|(uri, text)| (uri::split_fragment(uri).0.to_owned(), text.clone()));
        let mut documents = Self {
            nodes: Vec::new(),
            resources: Vec::new(),
            by_uri: FxHashMap::default(),
            unread: unread.collect(),
            default_dialect: Dialect::new(draft),
            annotated: Vec::new(),
            has_dynamic_references: false,
        };
        let root = documents.read(NO_BASE, text)?;
        Ok((documents, root))
    }

    pub(super) fn json(&self, node: NodeId) -> &Json {
        &self.nodes[node.0 as usize].json
    }

    pub(super) fn resource_of(&self, node: NodeId) -> ResourceId {
        self.nodes[node.0 as usize].resource
    }

    pub(super) fn resource(&self, id: ResourceId) -> &Resource {
        &self.resources[id.0 as usize]
    }

    pub(super) fn dialect(&self, node: NodeId) -> Dialect {
        self.resource(self.resource_of(node)).dialect
    }

    /// The member of an object node.
    pub(super) fn get(&self, node: NodeId, key: &str) -> Option<NodeId> {
        match self.json(node) {
            Json::Object(members) => members.get(key).copied(),
            _ => None,
        }
    }

    /// Where a value stands: the JSON pointer, after the document's URI if it is not the schema's own.
    pub(super) fn pointer(&self, node: NodeId) -> String {
        let (mut tokens, mut at) = (Vec::new(), node);
        while let Some((parent, place)) = self.nodes[at.0 as usize].parent {
            let name = match self.json(parent) {
                Json::Object(members) => members.get_index(place as usize).map(|(name, _)| name.to_string()),
                _ => None,
            };
            tokens.push(name.unwrap_or_else(|| place.to_string()));
            at = parent;
        }
        let base = &self.resource(self.resource_of(at)).uri;
        let mut out = if at.0 == 0 || base == NO_BASE { String::new() } else { format!("{base}#") };
        for token in tokens.into_iter().rev() {
            out.push('/');
            match token.contains(['~', '/']) {
                true => out.push_str(&token.replace('~', "~0").replace('/', "~1")),
                false => out.push_str(&token),
            }
        }
        out
    }

    pub(super) fn invalid(&self, node: NodeId, message: impl Into<String>, hint: &str) -> Error {
        Error::InvalidSchema { message: message.into(), pointer: self.pointer(node), hint: hint.into() }
    }

    pub(super) fn unsupported(&self, node: NodeId, keyword: &str, reason: impl Into<String>) -> Error {
        Error::UnsupportedSchema {
            keyword: keyword.into(),
            pointer: self.pointer(node),
            reason: reason.into(),
        }
    }

    fn read(&mut self, uri: &str, text: &str) -> Result<NodeId> {
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
            let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
            let before: String = line.chars().take(error.column().saturating_sub(1)).collect();
            let line_start = line.as_ptr() as usize - text.as_ptr() as usize;
            let location = crate::error::Location::new(text, line_start + before.len());
            Error::Syntax {
                message: format!("the schema is not JSON: {error}"),
                location,
                hint: "pass the schema as JSON text".into(),
            }
        })?;
        let resource = self.add_resource(uri.to_owned(), self.default_dialect);
        let mut too_large = None;
        let root = self.add(&value, None, resource, &mut too_large);
        if let Some(node) = too_large {
            let message = "a number with an exponent beyond 5000";
            return Err(self.invalid(node, message, "write a smaller one"));
        }
        self.resources[resource.0 as usize].root = root;
        self.index(root, resource, true)?;
        Ok(root)
    }

    fn add_resource(&mut self, uri: String, dialect: Dialect) -> ResourceId {
        let id = ResourceId(self.resources.len() as u32);
        self.by_uri.entry(uri.clone()).or_insert(id);
        self.resources.push(Resource {
            root: NodeId(0),
            dialect,
            is_recursive_anchor: false,
            uri,
            anchors: FxHashMap::default(),
            dynamic_anchors: FxHashMap::default(),
        });
        id
    }

    /// Recursion is bounded: `serde_json` refuses deep nesting. A number that is too large is noted.
    fn add(
        &mut self,
        value: &serde_json::Value,
        parent: Option<(NodeId, u32)>,
        resource: ResourceId,
        too_large: &mut Option<NodeId>,
    ) -> NodeId {
        use serde_json::Value;
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(Node { json: Json::Null, parent, resource });
        let mut part = |part: &Value, place: u32| self.add(part, Some((id, place)), resource, too_large);
        let json = match value {
            Value::Null => Json::Null,
            Value::Bool(b) => Json::Bool(*b),
            Value::Number(number) => match Decimal::parse(&number.to_string()) {
                Some(decimal) => Json::Number(decimal),
                None => {
                    too_large.get_or_insert(id);
                    Json::Null
                }
            },
            Value::String(text) => Json::String(text.as_str().into()),
            Value::Array(items) => {
                Json::Array(items.iter().zip(0..).map(|(item, place)| part(item, place)).collect())
            }
            Value::Object(members) => {
                let member = |((name, member), place): ((&String, _), u32)| {
                    (name.as_str().into(), part(member, place))
                };
                Json::Object(Arc::new(members.iter().zip(0..).map(member).collect()))
            }
        };
        self.nodes[id.0 as usize].json = json;
        id
    }

    fn text(&self, node: NodeId, key: &str) -> Option<Arc<str>> {
        match self.get(node, key).map(|n| self.json(n)) {
            Some(Json::String(text)) => Some(Arc::clone(text)),
            _ => None,
        }
    }

    /// Collects the names below a node; recursion is bounded like [`Self::add`]'s.
    fn index(&mut self, node: NodeId, resource: ResourceId, is_schema: bool) -> Result<()> {
        let resource = if is_schema { self.name(node, resource)? } else { resource };
        if is_schema && ANNOTATIONS.iter().any(|key| self.get(node, key).is_some()) {
            self.annotated.push(node);
        }
        self.nodes[node.0 as usize].resource = resource;
        let draft = self.resource(resource).dialect.draft;
        let mut children: Vec<(NodeId, bool)> = Vec::new();
        match self.json(node) {
            Json::Array(items) => children.extend(items.iter().map(|&item| (item, false))),
            Json::Object(members) => {
                for (key, &member) in members.iter() {
                    let kind = if is_schema { subschemas(draft, key) } else { Subschemas::None };
                    match self.json(member) {
                        Json::Array(items) if kind.is_container() => {
                            children.extend(items.iter().map(|&item| (item, true)));
                        }
                        Json::Object(inner) if kind == Subschemas::Many => {
                            children.extend(inner.values().map(|&schema| (schema, true)));
                        }
                        _ => children.push((member, kind.is_schema())),
                    }
                }
            }
            _ => {}
        }
        for (child, child_is_schema) in children {
            self.index(child, resource, child_is_schema)?;
        }
        Ok(())
    }

    /// Notes the names of a schema; gives the resource it is in.
    fn name(&mut self, node: NodeId, parent: ResourceId) -> Result<ResourceId> {
        let is_root = self.resource(parent).root == node;
        let mut dialect = self.resource(parent).dialect;
        if let Some(uri) =
            self.text(node, "$schema").filter(|_| is_root || self.get(node, dialect.id()).is_some())
        {
            dialect = self.dialect_of(&uri)?;
        }
        let mut resource = parent;
        let refers = self.get(node, "$ref").is_some();
        let id = self.text(node, dialect.id()).filter(|_| !(refers && dialect.ref_stands_alone()));
        if let Some(id) = id {
            let (document, fragment) = uri::split_fragment(&id);
            if !document.is_empty() {
                let target = uri::resolve(&self.resource(parent).uri, document);
                if is_root {
                    self.by_uri.entry(target.clone()).or_insert(parent);
                    self.resources[parent.0 as usize].uri = target;
                } else {
                    resource = self.add_resource(target, dialect);
                    self.resources[resource.0 as usize].root = node;
                }
            }
            if !fragment.is_empty() && !dialect.has_anchors() {
                self.resources[resource.0 as usize].anchors.entry(fragment.into()).or_insert(node);
            }
        }
        let dynamic = self.text(node, "$dynamicAnchor");
        self.has_dynamic_references |=
            self.get(node, "$dynamicRef").is_some() || self.get(node, "$recursiveRef").is_some();
        let anchor = self.text(node, "$anchor");
        let recursive =
            self.get(node, "$recursiveAnchor").is_some_and(|n| matches!(self.json(n), Json::Bool(true)));
        let entry = &mut self.resources[resource.0 as usize];
        entry.dialect = if is_root || resource != parent { dialect } else { entry.dialect };
        entry.is_recursive_anchor |= recursive && entry.root == node;
        if dialect.has_anchors() {
            anchor.into_iter().chain(dynamic.clone()).for_each(|name| {
                entry.anchors.entry(name).or_insert(node);
            });
            dynamic.into_iter().for_each(|name| {
                entry.dynamic_anchors.entry(name).or_insert(node);
            });
        }
        Ok(resource)
    }

    fn dialect_of(&mut self, uri: &str) -> Result<Dialect> {
        if let Some(draft) = Draft::of_metaschema(uri) {
            return Ok(Dialect::new(Some(draft)));
        }
        // A meta-schema of the caller's own: its `$vocabulary` says what counts, its `$schema` which draft it is.
        let document = uri::split_fragment(uri).0;
        let Some(resource) = self.find(document)? else { return Ok(self.default_dialect) };
        let (root, mut dialect) = (self.resource(resource).root, self.resource(resource).dialect);
        if let Some(vocabulary) = self.get(root, "$vocabulary")
            && let Json::Object(members) = self.json(vocabulary)
        {
            dialect.validation = members.keys().any(|uri| uri.ends_with("/vocab/validation"));
        }
        Ok(dialect)
    }

    /// The resource of an absolute URI, read now if the caller supplied it or it is a meta-schema.
    fn find(&mut self, uri: &str) -> Result<Option<ResourceId>> {
        if let Some(&known) = self.by_uri.get(uri) {
            return Ok(Some(known));
        }
        if let Some(text) = self.unread.shift_remove(uri) {
            self.read(uri, &text)?;
            return Ok(self.by_uri.get(uri).copied());
        }
        let quoted = format!("id\":\"{uri}");
        let bundled = METASCHEMAS.lines().find(|line| {
            line.find(&quoted)
                .is_some_and(|at| line[at + quoted.len()..].trim_start_matches('#').starts_with('"'))
        });
        if let Some(text) = bundled {
            self.read(uri, text)?;
            return Ok(self.by_uri.get(uri).copied());
        }
        // The name may stand inside a document that came under another.
        while let Some((other, text)) = self.unread.pop() {
            self.read(&other, &text)?;
            if let Some(&known) = self.by_uri.get(uri) {
                return Ok(Some(known));
            }
        }
        Ok(None)
    }

    /// The schema that a reference at `node` names.
    pub(super) fn resolve(&mut self, node: NodeId, reference: &str) -> Result<NodeId> {
        let (document, fragment) = uri::split_fragment(reference);
        let base = &self.resource(self.resource_of(node)).uri;
        let target = uri::resolve(base, document);
        let Some(resource) = self.find(&target)? else {
            let message = format!("the reference {reference:?} leads to {target:?}, which was not supplied");
            let hint = "nothing is fetched: pass that document along with the schema";
            return Err(self.invalid(node, message, hint));
        };
        let root = self.resource(resource).root;
        let fragment = uri::percent_decode(fragment);
        let found = if fragment.is_empty() {
            Some(root)
        } else if fragment.starts_with('/') {
            self.at_pointer(root, &fragment)
        } else {
            self.resource(resource).anchors.get(fragment.as_str()).copied()
        };
        found.ok_or_else(|| {
            self.invalid(node, format!("the reference {reference:?} leads nowhere"), "correct the reference")
        })
    }

    fn at_pointer(&self, root: NodeId, pointer: &str) -> Option<NodeId> {
        pointer.split('/').skip(1).try_fold(root, |at, token| {
            let token = token.replace("~1", "/").replace("~0", "~");
            match self.json(at) {
                Json::Object(members) => members.get(token.as_str()).copied(),
                Json::Array(items) => items.get(token.parse::<usize>().ok()?).copied(),
                _ => None,
            }
        })
    }

    /// The dynamic anchor of that name in a resource.
    pub(super) fn dynamic_anchor(&self, resource: ResourceId, name: &str) -> Option<NodeId> {
        self.resource(resource).dynamic_anchors.get(name).copied()
    }
}
