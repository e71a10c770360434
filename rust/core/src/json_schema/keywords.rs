//! What the keywords of one schema object say of a value's own type and parts.
//!
//! Keywords that apply other schemas to the same value are in [`super::applicators`].

use super::content::{Content, Embedded};
use super::decimal::Decimal;
use super::dialect::{Dialect, Draft};
use super::document::{Json, Members, NodeId};
use super::engine::Engine;
use super::goal::{GoalId, Goals, ScopeId};
use super::number::{Bound, Numbers, Span};
use super::shape::{Arr, Contains, Name, Obj, Shape, Strings};
use crate::error::{Error, Result};
use crate::regular::{CodeSet, TermId};
use std::sync::Arc;

/// A schema object being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    pub(super) node: NodeId,
    pub(super) scope: ScopeId,
    pub(super) dialect: Dialect,
}

impl Engine {
    /// What `type`, `enum`, `const` and the keywords of numbers, strings, arrays and objects say.
    pub(super) fn assertions(&mut self, site: Site) -> Result<Shape> {
        let mut shape = Shape::all(&mut self.regular);
        if site.dialect.validation {
            shape.numbers = self.numbers(site)?;
        }
        shape.strings = self.strings(site)?;
        shape.arrays = vec![self.array(site)?].into_iter().filter(|arr| !arr.is_plainly_empty()).collect();
        shape.objects = vec![self.object(site)?].into_iter().filter(|obj| !obj.is_plainly_empty()).collect();
        if site.dialect.validation {
            if let Some(types) = self.types(site)? {
                shape = shape.and(&types, &mut self.goals, &mut self.regular)?;
            }
            for values in self.enumerations(site)? {
                let values: Vec<_> =
                    values.iter().map(|&v| self.goals.value_of(&self.documents, v)).collect();
                let constants = self.constants(&values)?;
                shape = shape.and(&constants, &mut self.goals, &mut self.regular)?;
            }
        }
        Ok(shape)
    }

    fn keyword(&self, site: Site, key: &str) -> Option<NodeId> {
        self.documents.get(site.node, key)
    }

    fn assertion(&self, site: Site, key: &str) -> Option<NodeId> {
        self.keyword(site, key).filter(|_| site.dialect.validation)
    }

    fn types(&mut self, site: Site) -> Result<Option<Shape>> {
        let Some(node) = self.keyword(site, "type") else { return Ok(None) };
        let nodes = match self.documents.json(node) {
            Json::Array(items) => Arc::clone(items),
            _ => Arc::from([node]),
        };
        let all = Shape::all(&mut self.regular);
        let mut out = Shape::none(&mut self.regular);
        for &node in &*nodes {
            let Json::String(name) = self.documents.json(node) else {
                return Err(self.documents.invalid(node, "a type is a string", "write the name of a type"));
            };
            match &**name {
                "null" => out.null = true,
                "boolean" => (out.no, out.yes) = (true, true),
                "number" => out.numbers = Numbers::all(),
                "integer" => {
                    let plain = site.dialect.draft == Some(Draft::Draft4);
                    let span = Span { multiple: Some(Decimal::from_int(1)), plain, ..Span::default() };
                    out.numbers = out.numbers.or(&Numbers(vec![span]));
                }
                "string" => out.strings = all.strings,
                "array" => out.arrays.clone_from(&all.arrays),
                "object" => out.objects.clone_from(&all.objects),
                "any" if site.dialect.draft.is_none() => out = all.clone(),
                other => {
                    let hint = "the types are null, boolean, integer, number, string, array and object";
                    return Err(self.documents.invalid(node, format!("there is no type {other:?}"), hint));
                }
            }
        }
        Ok(Some(out))
    }

    /// The values of `enum` and of `const`.
    fn enumerations(&mut self, site: Site) -> Result<Vec<Arc<[NodeId]>>> {
        let mut out = Vec::new();
        if let Some(node) = self.keyword(site, "enum") {
            match self.documents.json(node) {
                Json::Array(items) => out.push(Arc::clone(items)),
                _ => {
                    return Err(self.documents.invalid(
                        node,
                        "`enum` is a list",
                        "write the values in brackets",
                    ));
                }
            }
        }
        if site.dialect.since(Draft::Draft6) {
            out.extend(self.keyword(site, "const").map(|node| Arc::from([node])));
        }
        Ok(out)
    }

    fn decimal(&self, node: NodeId, key: &str) -> Result<Decimal> {
        match self.documents.json(node) {
            Json::Number(number) => Ok(number.clone()),
            _ => Err(self.documents.invalid(node, format!("`{key}` is a number"), "write a number")),
        }
    }

    fn count(&self, site: Site, key: &str) -> Result<Option<u32>> {
        let Some(node) = self.assertion(site, key) else { return Ok(None) };
        match self.decimal(node, key)?.to_count() {
            Some(count) => Ok(Some(count)),
            None => {
                Err(self.documents.invalid(node, format!("`{key}` is a whole number from 0"), "correct it"))
            }
        }
    }

    fn numbers(&mut self, site: Site) -> Result<Numbers> {
        let mut numbers = Numbers::all();
        for (key, exclusive_key, above) in
            [("minimum", "exclusiveMinimum", true), ("maximum", "exclusiveMaximum", false)]
        {
            let mut is_exclusive = false;
            if let Some(node) = self.keyword(site, exclusive_key) {
                match self.documents.json(node) {
                    Json::Bool(exclusive) if site.dialect.until(Draft::Draft4) => is_exclusive = *exclusive,
                    _ => {
                        let bound = Some((self.decimal(node, exclusive_key)?, false));
                        numbers = numbers.and(&Numbers(vec![bounded(bound, above)]))?;
                    }
                }
            }
            if let Some(node) = self.keyword(site, key) {
                let bound = Some((self.decimal(node, key)?, !is_exclusive));
                numbers = numbers.and(&Numbers(vec![bounded(bound, above)]))?;
            }
        }
        if let Some(node) = self.keyword(site, "multipleOf") {
            let multiple = self.decimal(node, "multipleOf")?;
            if multiple.is_zero() || multiple.is_negative() {
                return Err(self.documents.invalid(node, "`multipleOf` is greater than 0", "correct it"));
            }
            numbers = numbers.and(&Numbers(vec![Span { multiple: Some(multiple), ..Span::default() }]))?;
        }
        Ok(numbers)
    }

    fn strings(&mut self, site: Site) -> Result<Strings> {
        let any = self.regular.class(CodeSet::all());
        let (min, max) = (self.count(site, "minLength")?.unwrap_or(0), self.count(site, "maxLength")?);
        let mut terms = vec![self.regular.repeat(any, min, max)];
        if let Some(node) = self.assertion(site, "pattern") {
            let pattern = self.text(node, "pattern")?;
            terms.push(self.pattern(node, &pattern)?);
        }
        if let Some(node) = self.keyword(site, "format") {
            let format = self.text(node, "format")?;
            terms.extend(self.format(node, &format)?);
        }
        let content = self.content(site);
        if let Content::Base64(language) = content {
            terms.push(language);
        }
        let strings = Strings { term: self.regular.and(terms), pinned: false, embedded: Embedded::default() };
        let Content::Json(node, embedded) = content else { return Ok(strings) };
        let texts = Strings { term: self.regular.nothing(), pinned: false, embedded };
        texts.and(&strings, &mut self.regular).map_err(|error| match error {
            Error::UnsupportedSchema { keyword, reason, .. } => {
                self.documents.unsupported(node, &keyword, reason)
            }
            error => error,
        })
    }

    pub(super) fn text(&self, node: NodeId, key: &str) -> Result<Name> {
        match self.documents.json(node) {
            Json::String(text) => Ok(Arc::clone(text)),
            _ => Err(self.documents.invalid(node, format!("`{key}` is a string"), "write a string")),
        }
    }

    pub(super) fn list(&self, node: NodeId, key: &str) -> Result<Arc<[NodeId]>> {
        match self.documents.json(node) {
            Json::Array(items) => Ok(Arc::clone(items)),
            _ => Err(self.documents.invalid(node, format!("`{key}` is a list"), "write a list")),
        }
    }

    pub(super) fn members(&self, node: NodeId, key: &str) -> Result<Arc<Members>> {
        match self.documents.json(node) {
            Json::Object(members) => Ok(Arc::clone(members)),
            _ => Err(self.documents.invalid(node, format!("`{key}` is an object"), "write an object")),
        }
    }

    fn array(&mut self, site: Site) -> Result<Arr> {
        let mut arr = Arr::any();
        let dialect = site.dialect;
        if dialect.since(Draft::Draft202012)
            && let Some(node) = self.keyword(site, "prefixItems")
        {
            arr.prefix = self.list(node, "prefixItems")?.iter().map(|&item| self.goal(site, item)).collect();
        }
        if let Some(node) = self.keyword(site, "items") {
            match self.documents.json(node) {
                Json::Array(items) if dialect.until(Draft::Draft201909) => {
                    arr.prefix = Arc::clone(items).iter().map(|&item| self.goal(site, item)).collect();
                    if let Some(node) = self.keyword(site, "additionalItems") {
                        arr.rest = self.goal(site, node);
                    }
                }
                Json::Array(_) => {
                    return Err(self.documents.invalid(
                        node,
                        "`items` is a schema",
                        "use `prefixItems` for a list",
                    ));
                }
                _ => arr.rest = self.goal(site, node),
            }
        }
        arr.min = self.count(site, "minItems")?.unwrap_or(0);
        arr.max = self.count(site, "maxItems")?;
        if let Some(node) = self.assertion(site, "uniqueItems") {
            arr.unique = matches!(self.documents.json(node), Json::Bool(true));
        }
        if dialect.since(Draft::Draft6)
            && let Some(node) = self.keyword(site, "contains")
        {
            let goal = self.goal(site, node);
            let counted = dialect.since(Draft::Draft201909);
            let min = self.count(site, "minContains")?.filter(|_| counted).unwrap_or(1);
            let max = self.count(site, "maxContains")?.filter(|_| counted);
            if min > 0 || max.is_some() {
                arr.contains.push(Contains { from: 0, goal, min, max });
            }
        }
        Ok(arr.tidy())
    }

    fn object(&mut self, site: Site) -> Result<Obj> {
        let mut obj = Obj::any();
        let mut patterns: Vec<(TermId, GoalId)> = Vec::new();
        if let Some(node) = self.keyword(site, "patternProperties") {
            for (pattern, &schema) in self.members(node, "patternProperties")?.iter() {
                let language = self.pattern(schema, pattern)?;
                patterns.push((language, self.goal(site, schema)));
            }
        }
        if let Some(node) = self.keyword(site, "properties") {
            for (name, &schema) in self.members(node, "properties")?.iter() {
                let mut goals = vec![self.goal(site, schema)];
                for &(language, goal) in &patterns {
                    if self.regular.matches(language, name) {
                        goals.push(goal);
                    }
                }
                let goal = self.goals.and(goals);
                obj.props.insert(Arc::clone(name), goal);
            }
        }
        let additional = match self.keyword(site, "additionalProperties") {
            Some(node) => self.goal(site, node),
            None if !self.options.additional_properties
                && self.keyword(site, "properties").is_some()
                && self.keyword(site, "unevaluatedProperties").is_none() =>
            {
                Goals::FALSE
            }
            None => Goals::TRUE,
        };
        if additional != Goals::TRUE {
            let matched = self.regular.or(patterns.iter().map(|&(language, _)| language));
            obj.rest.push((self.regular.not(matched), additional));
        }
        obj.rest.extend(patterns.into_iter().filter(|&(_, goal)| goal != Goals::TRUE));
        obj.min = self.count(site, "minProperties")?.unwrap_or(0);
        obj.max = self.count(site, "maxProperties")?;
        self.requirements(site, &mut obj)?;
        let mut obj = obj.tidy(&mut self.goals, &mut self.regular);
        if site.dialect.since(Draft::Draft6)
            && let Some(node) = self.keyword(site, "propertyNames")
        {
            let goal = self.goal(site, node);
            let shape = self.shape(goal)?;
            if shape.strings.embedded.any() {
                let reason = "application/json as names of properties; drop it, or pass assert_content=False";
                return Err(self.documents.unsupported(node, "contentMediaType", reason));
            }
            let names = shape.strings.term;
            for (name, goal) in &mut obj.props {
                if !self.regular.matches(names, name) {
                    *goal = Goals::FALSE;
                }
            }
            obj.rest.push((self.regular.not(names), Goals::FALSE));
        }
        Ok(obj)
    }

    /// `required`, `dependentRequired`, and the lists of `dependencies`.
    fn requirements(&mut self, site: Site, obj: &mut Obj) -> Result<()> {
        let Site { dialect, .. } = site;
        if let Some(node) = self.assertion(site, "required") {
            match self.documents.json(node) {
                // What draft 3 wrote in a property is common still, and means nothing since.
                Json::Bool(_) if dialect.draft.is_none() => {}
                _ => {
                    for &name in self.list(node, "required")?.iter() {
                        obj.required.insert(self.text(name, "required")?);
                    }
                }
            }
        }
        let keys = [("dependentRequired", dialect.since(Draft::Draft201909)), ("dependencies", true)];
        for (key, _) in keys.into_iter().filter(|(_, known)| *known) {
            let Some(node) = self.assertion(site, key) else { continue };
            for (name, &others) in self.members(node, key)?.iter() {
                let others = match self.documents.json(others) {
                    Json::Array(items) => Arc::clone(items),
                    Json::String(_) if key == "dependencies" && dialect.draft.is_none() => {
                        Arc::from([others])
                    }
                    _ => continue,
                };
                for &other in &*others {
                    let other = self.text(other, key)?;
                    obj.implies.push((Arc::clone(name), other));
                }
            }
        }
        Ok(())
    }
}

fn bounded(bound: Bound, above: bool) -> Span {
    if above { Span { lo: bound, ..Span::default() } } else { Span { hi: bound, ..Span::default() } }
}
