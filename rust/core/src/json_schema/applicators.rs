//! Keywords that apply other schemas to the same value, and `unevaluated*`, which depends on what those looked at.

use super::dialect::Draft;
use super::document::{Json, NodeId};
use super::engine::Engine;
use super::goal::{GoalId, Goals, ScopeId};
use super::keywords::Site;
use super::shape::{Name, Obj, Shape};
use crate::error::{Error, Result};
use std::collections::BTreeSet;

impl Engine {
    pub(super) fn schema_shape(&mut self, node: NodeId, scope: ScopeId) -> Result<Shape> {
        match self.documents.json(node) {
            Json::Bool(true) => return Ok(Shape::all(&mut self.regular)),
            Json::Bool(false) => return Ok(Shape::none(&mut self.regular)),
            Json::Object(_) => {}
            _ => {
                let hint = "write an object, true or false";
                return Err(self.documents.invalid(node, "a schema is an object or a boolean", hint));
            }
        }
        let site = self.site(node, scope);
        if site.dialect.ref_stands_alone()
            && let Some(target) = self.reference(site, "$ref")?
        {
            return Ok((*self.shape(target)?).clone());
        }
        let mut shape = self.assertions(site)?;
        for goal in self.applied(site)? {
            let other = self.shape(goal)?;
            shape = self.both(&shape, &other)?;
        }
        for other in self.dependent_schemas(site)? {
            shape = self.both(&shape, &other)?;
        }
        if let Some(unevaluated) = self.unevaluated(site)? {
            shape = shape.and(&unevaluated, &mut self.goals, &mut self.regular)?;
        }
        Ok(shape)
    }

    pub(super) fn site(&mut self, node: NodeId, scope: ScopeId) -> Site {
        let scope = if self.documents.has_dynamic_references {
            self.goals.enter(scope, self.documents.resource_of(node))
        } else {
            scope
        };
        Site { node, scope, dialect: self.documents.dialect(node) }
    }

    fn keyword_of(&self, site: Site, key: &str) -> Option<NodeId> {
        self.documents.get(site.node, key)
    }

    /// The target of a reference keyword.
    fn reference(&mut self, site: Site, key: &str) -> Result<Option<GoalId>> {
        Ok(self.referred_to(site, key)?.map(|(site, target)| self.goal(site, target)))
    }

    /// The schema that a reference keyword leads to, and where that is looked at from.
    pub(super) fn referred_to(&mut self, site: Site, key: &str) -> Result<Option<(Site, NodeId)>> {
        let Some(node) = self.keyword_of(site, key) else { return Ok(None) };
        let reference = self.text(node, key)?;
        let mut target = self.documents.resolve(site.node, &reference)?;
        let resource = self.documents.resource_of(target);
        match key {
            "$dynamicRef" => {
                let name = reference.split_once('#').map_or("", |(_, fragment)| fragment);
                if self.documents.dynamic_anchor(resource, name) == Some(target) {
                    let scope = self.goals.scope(site.scope).to_vec();
                    target =
                        scope.iter().find_map(|&r| self.documents.dynamic_anchor(r, name)).unwrap_or(target);
                }
            }
            "$recursiveRef" if self.documents.resource(resource).is_recursive_anchor => {
                let scope = self.goals.scope(site.scope);
                let outermost = scope.iter().find(|&&r| self.documents.resource(r).is_recursive_anchor);
                target = outermost.map_or(target, |&r| self.documents.resource(r).root);
            }
            _ => {}
        }
        // A document read just now may be the first with dynamic references: this schema's own resource comes before.
        let scope = self.site(site.node, site.scope).scope;
        Ok(Some((Site { scope, ..site }, target)))
    }

    fn goals_of(&mut self, site: Site, key: &str) -> Result<Option<Vec<GoalId>>> {
        let Some(node) = self.keyword_of(site, key) else { return Ok(None) };
        let nodes = self.list(node, key)?;
        Ok(Some(nodes.iter().map(|&schema| self.goal(site, schema)).collect()))
    }

    fn references(&mut self, site: Site) -> Result<Vec<GoalId>> {
        let dynamic = site.dialect.since(Draft::Draft201909);
        let mut out = Vec::new();
        for (key, known) in [
            ("$ref", true),
            ("$recursiveRef", dynamic && site.dialect.until(Draft::Draft201909)),
            ("$dynamicRef", site.dialect.since(Draft::Draft202012)),
        ] {
            if known {
                out.extend(self.reference(site, key)?);
            }
        }
        Ok(out)
    }

    /// The goals that the in-place applicators set, all of which hold.
    fn applied(&mut self, site: Site) -> Result<Vec<GoalId>> {
        let mut out = self.references(site)?;
        out.extend(self.goals_of(site, "allOf")?.into_iter().flatten());
        if let Some(options) = self.goals_of(site, "anyOf")? {
            out.push(self.goals.or(options));
        }
        if let Some(options) = self.goals_of(site, "oneOf")? {
            let exact = self.exactly_one(&options)?;
            out.push(self.goals.or(exact));
        }
        if let Some(node) = self.keyword_of(site, "not") {
            let goal = self.goal(site, node);
            out.push(self.goals.not(goal));
        }
        if let Some((condition, then, otherwise)) = self.conditional(site) {
            let yes = self.goals.both(condition, then);
            let not = self.goals.not(condition);
            let no = self.goals.both(not, otherwise);
            out.push(self.goals.or([yes, no]));
        }
        Ok(out)
    }

    /// For each branch of `oneOf`: it and none of the others. Branches that cannot meet it need not be excluded.
    fn exactly_one(&mut self, options: &[GoalId]) -> Result<Vec<GoalId>> {
        let mut meet = vec![Vec::new(); options.len()];
        for i in 0..options.len() {
            for j in 0..i {
                if options[i] == options[j] || !self.are_disjoint(options[i], options[j])? {
                    meet[i].push(options[j]);
                    meet[j].push(options[i]);
                }
            }
        }
        let mut out = Vec::new();
        for (&option, others) in options.iter().zip(meet) {
            let excluded: Vec<GoalId> = others.into_iter().map(|other| self.goals.not(other)).collect();
            out.push(self.goals.and(excluded.into_iter().chain([option])));
        }
        Ok(out)
    }

    /// `if`, `then` and `else`, unless they say nothing.
    fn conditional(&mut self, site: Site) -> Option<(GoalId, GoalId, GoalId)> {
        let condition = self.keyword_of(site, "if").filter(|_| site.dialect.since(Draft::Draft7))?;
        let condition = self.goal(site, condition);
        let [then, otherwise] = ["then", "else"]
            .map(|key| self.keyword_of(site, key).map_or(Goals::TRUE, |node| self.goal(site, node)));
        (then != Goals::TRUE || otherwise != Goals::TRUE).then_some((condition, then, otherwise))
    }

    /// Names with the schema that applies if they are there.
    fn dependents(&mut self, site: Site) -> Result<Vec<(Name, GoalId)>> {
        let mut out = Vec::new();
        for (key, known) in
            [("dependentSchemas", site.dialect.since(Draft::Draft201909)), ("dependencies", true)]
        {
            let Some(node) = self.keyword_of(site, key).filter(|_| known) else { continue };
            for (name, &schema) in self.members(node, key)?.iter() {
                if !matches!(self.documents.json(schema), Json::Array(_) | Json::String(_)) {
                    out.push((Name::clone(name), self.goal(site, schema)));
                }
            }
        }
        Ok(out)
    }

    fn has_property(&mut self, name: &Name, goal: GoalId, is_required: bool) -> Shape {
        let mut shape = Shape::none(&mut self.regular);
        let required = if is_required { BTreeSet::from([name.clone()]) } else { BTreeSet::new() };
        shape.objects.push(Obj {
            props: [(name.clone(), goal)].into_iter().collect(),
            required,
            ..Obj::any()
        });
        shape
    }

    fn dependent_schemas(&mut self, site: Site) -> Result<Vec<Shape>> {
        let mut out = Vec::new();
        for (name, goal) in self.dependents(site)? {
            let applied = self.shape(goal)?;
            let present = self.has_property(&name, Goals::TRUE, true);
            let present = present.and(&applied, &mut self.goals, &mut self.regular)?;
            let absent = self.has_property(&name, Goals::FALSE, false);
            let mut shape = Shape { objects: Vec::new(), ..Shape::all(&mut self.regular) };
            shape = shape.or(&absent, &mut self.regular)?;
            out.push(shape.or(&present, &mut self.regular)?);
        }
        Ok(out)
    }
}

/// Branches of `unevaluated*` that one schema may have.
const MAX_BRANCHES: usize = 4096;

/// A way for a value to satisfy a schema, and what is looked at on that way.
#[derive(Clone, Debug, Default)]
struct Branch {
    goals: Vec<GoalId>,
    /// Names whose values are looked at, and languages of names.
    names: BTreeSet<Name>,
    patterns: Vec<crate::regular::TermId>,
    /// So many items from the start are looked at; `u32::MAX` for all.
    items: u32,
    /// Items that satisfy one of these are looked at.
    contains: Vec<GoalId>,
}

impl Branch {
    fn and(&self, other: &Self) -> Self {
        Self {
            goals: [&self.goals[..], &other.goals].concat(),
            names: self.names.union(&other.names).cloned().collect(),
            patterns: [&self.patterns[..], &other.patterns].concat(),
            items: self.items.max(other.items),
            contains: [&self.contains[..], &other.contains].concat(),
        }
    }

    fn with(mut self, goal: GoalId) -> Self {
        self.goals.push(goal);
        self
    }
}

impl Engine {
    /// What `unevaluatedProperties` and `unevaluatedItems` say: a union over the ways to satisfy the other keywords. Leaving
    /// a satisfied subschema out of a way only makes the way stricter, so nothing has to be negated.
    fn unevaluated(&mut self, site: Site) -> Result<Option<Shape>> {
        let known = site.dialect.since(Draft::Draft201909);
        let [properties, items] = ["unevaluatedProperties", "unevaluatedItems"]
            .map(|key| self.keyword_of(site, key).filter(|_| known).map(|node| self.goal(site, node)));
        if properties.is_none_or(|g| g == Goals::TRUE) && items.is_none_or(|g| g == Goals::TRUE) {
            return Ok(None);
        }
        let mut out = Shape::none(&mut self.regular);
        for branch in self.branches(site, false)? {
            let mut shape = Shape::all(&mut self.regular);
            if let Some(goal) = properties {
                let looked_at = self.regular.or(branch.patterns.iter().copied());
                let rest = vec![(self.regular.not(looked_at), goal)];
                let mut props = indexmap::IndexMap::default();
                for name in &branch.names {
                    props.insert(name.clone(), Goals::TRUE);
                }
                shape.objects = vec![Obj { props, rest, ..Obj::any() }];
            }
            if let Some(goal) = items.filter(|_| branch.items < u32::MAX) {
                let prefix = vec![Goals::TRUE; branch.items as usize];
                let rest = self.goals.or(branch.contains.iter().copied().chain([goal]));
                shape.arrays = vec![super::shape::Arr { prefix, rest, ..super::shape::Arr::any() }.tidy()];
            }
            let goal = self.goals.and(branch.goals.iter().copied());
            let given = self.shape(goal)?;
            let shape = shape.and(&given, &mut self.goals, &mut self.regular)?;
            out = out.or(&shape, &mut self.regular)?;
        }
        Ok(Some(out))
    }

    /// The ways to satisfy a goal.
    fn branches_of(&mut self, goal: GoalId, scope: ScopeId) -> Result<Vec<Branch>> {
        let super::goal::Goal::Schema(node, _) = *self.goals.get(goal) else {
            return Ok(vec![Branch::default().with(goal)]);
        };
        let site = self.site(node, scope);
        if site.dialect.ref_stands_alone() && self.keyword_of(site, "$ref").is_some() {
            let target = self.reference(site, "$ref")?;
            return target.map_or(Ok(Vec::new()), |target| self.branches_of(target, site.scope));
        }
        let branches = self.branches(site, true)?;
        Ok(branches.into_iter().map(|branch| branch.with(goal)).collect())
    }

    /// The ways to satisfy the in-place applicators of a schema, with what its other keywords look at. `whole`: its own
    /// `unevaluated*` count as well, which look at all that is left.
    fn branches(&mut self, site: Site, whole: bool) -> Result<Vec<Branch>> {
        let mut out = vec![self.looked_at(site, whole)?];
        let goal_scope = |engine: &Self, goal| match engine.goals.get(goal) {
            super::goal::Goal::Schema(_, scope) => *scope,
            _ => site.scope,
        };
        let mut all = self.references(site)?;
        all.extend(self.goals_of(site, "allOf")?.into_iter().flatten());
        for goal in all {
            let scope = goal_scope(self, goal);
            let ways = self.branches_of(goal, scope)?;
            out = product(&out, &ways)?;
        }
        if let Some(options) = self.goals_of(site, "anyOf")? {
            // Every non-empty set of branches that hold.
            let mut sets = vec![(Branch::default(), false)];
            for option in options {
                let ways = self.branches_of(option, site.scope)?;
                let mut more = sets.clone();
                for (set, _) in &sets {
                    more.extend(ways.iter().map(|way| (set.and(way), true)));
                }
                sets = more;
                check_branches(sets.len())?;
            }
            let sets: Vec<Branch> = sets.into_iter().filter(|(_, any)| *any).map(|(set, _)| set).collect();
            out = product(&out, &sets)?;
        }
        if let Some(options) = self.goals_of(site, "oneOf")? {
            let mut ways = Vec::new();
            let exact = self.exactly_one(&options)?;
            for (option, exact) in options.into_iter().zip(exact) {
                let branches = self.branches_of(option, site.scope)?;
                ways.extend(branches.into_iter().map(|branch| branch.with(exact)));
            }
            out = product(&out, &ways)?;
        }
        if let Some(node) = self.keyword_of(site, "if").filter(|_| site.dialect.since(Draft::Draft7)) {
            let condition = self.goal(site, node);
            let (_, then, otherwise) =
                self.conditional(site).unwrap_or((condition, Goals::TRUE, Goals::TRUE));
            let (held, then) =
                (self.branches_of(condition, site.scope)?, self.branches_of(then, site.scope)?);
            let not = self.goals.not(condition);
            let otherwise = self.branches_of(otherwise, site.scope)?;
            let mut ways = product(&held, &then)?;
            ways.extend(otherwise.into_iter().map(|branch| branch.with(not)));
            out = product(&out, &ways)?;
        }
        for (name, goal) in self.dependents(site)? {
            let ways = self.branches_of(goal, site.scope)?;
            // Without the name nothing more is looked at; `dependentSchemas` itself is asserted elsewhere.
            let mut with = vec![Branch::default()];
            let present = self.goals.present(&name);
            with.extend(ways.into_iter().map(|way| way.with(present)));
            out = product(&out, &with)?;
        }
        Ok(out)
    }

    /// What the schema's own keywords look at.
    fn looked_at(&mut self, site: Site, whole: bool) -> Result<Branch> {
        let mut out = Branch::default();
        let has = |engine: &Self, key: &str| engine.keyword_of(site, key).is_some();
        if let Some(node) = self.keyword_of(site, "properties") {
            out.names.extend(self.members(node, "properties")?.keys().cloned());
        }
        if let Some(node) = self.keyword_of(site, "patternProperties") {
            for (pattern, &schema) in self.members(node, "patternProperties")?.iter() {
                out.patterns.push(self.pattern(schema, pattern)?);
            }
        }
        if has(self, "additionalProperties") || (whole && has(self, "unevaluatedProperties")) {
            out.patterns.push(self.regular.everything());
        }
        if let Some(node) =
            self.keyword_of(site, "prefixItems").filter(|_| site.dialect.since(Draft::Draft202012))
        {
            out.items = self.list(node, "prefixItems")?.len() as u32;
        }
        if let Some(node) = self.keyword_of(site, "items") {
            out.items = match self.documents.json(node) {
                Json::Array(items) if !has(self, "additionalItems") => items.len() as u32,
                _ => u32::MAX,
            };
        }
        if whole && has(self, "unevaluatedItems") {
            out.items = u32::MAX;
        }
        if let Some(node) =
            self.keyword_of(site, "contains").filter(|_| site.dialect.since(Draft::Draft202012))
        {
            out.contains.push(self.goal(site, node));
        }
        Ok(out)
    }
}

fn check_branches(count: usize) -> Result<()> {
    if count <= MAX_BRANCHES {
        return Ok(());
    }
    let message = format!(
        "`unevaluatedProperties` or `unevaluatedItems` has to tell more than {MAX_BRANCHES} ways apart"
    );
    Err(Error::LimitExceeded { limit: "schema_alternatives", message })
}

fn product(a: &[Branch], b: &[Branch]) -> Result<Vec<Branch>> {
    check_branches(a.len().saturating_mul(b.len()))?;
    Ok(a.iter().flat_map(|x| b.iter().map(move |y| x.and(y))).collect())
}
