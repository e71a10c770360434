//! Building a [`Grammar`] expression by expression; the only way to make one.

use super::{Annotation, ByteSet, Expr, ExprId, Grammar, Rule, RuleId, Span, TokenSet};
use crate::error::{Error, LineIndex, Location, Result};
use crate::json_schema::JsonSchema;
use rustc_hash::FxHashMap;
use std::hash::{Hash, Hasher};

/// Collects rules and expressions, then checks them as a whole.
///
/// ```
/// use bytewright::grammar::GrammarBuilder;
/// let mut b = GrammarBuilder::new("");
/// let list = b.declare("list");                       // may be used before it is defined
/// let (item, comma) = (b.literal("x"), b.literal(","));
/// let again = b.rule_ref(list);
/// let more = b.concat(vec![item, comma, again]);
/// let body = b.choice(vec![item, more]);
/// b.define(list, body, None)?;
/// let grammar = b.build(list)?;
/// assert_eq!(grammar.rules().len(), 1);
/// # Ok::<(), bytewright::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct GrammarBuilder {
    exprs: Vec<Expr>,
    spans: Vec<Option<Span>>,
    rules: Vec<PendingRule>,
    by_name: FxHashMap<String, RuleId>,
    annotations: Vec<Annotation>,
    source: String,
    /// The number in the last name that [`Self::declare_fresh`] made from a hint.
    fresh: FxHashMap<String, u32>,
}

#[derive(Debug)]
struct PendingRule {
    name: String,
    body: Option<ExprId>,
    span: Option<Span>,
    first_use: Option<Span>,
}

impl GrammarBuilder {
    /// An empty builder; `source` is the text that spans point into.
    pub fn new(source: impl Into<String>) -> Self {
        Self { source: source.into(), ..Self::default() }
    }

    /// Adds any expression.
    pub fn add(&mut self, expr: Expr) -> ExprId {
        self.exprs.push(expr);
        self.spans.push(None);
        ExprId((self.exprs.len() - 1) as u32)
    }

    /// How many expressions there are so far.
    pub fn expression_count(&self) -> usize {
        self.exprs.len()
    }

    /// Notes where an expression came from.
    pub fn set_span(&mut self, id: ExprId, span: Span) {
        self.spans[id.index()] = Some(span);
    }

    /// The empty string.
    pub fn empty(&mut self) -> ExprId {
        self.add(Expr::Empty)
    }

    /// Exactly these bytes.
    pub fn literal(&mut self, bytes: impl AsRef<[u8]>) -> ExprId {
        match bytes.as_ref() {
            [] => self.empty(),
            bytes => self.add(Expr::Literal(bytes.to_vec())),
        }
    }

    /// One byte of a set.
    pub fn class(&mut self, set: ByteSet) -> ExprId {
        self.add(Expr::Class(set))
    }

    /// One character of these inclusive ranges of code points, in UTF-8. Surrogates are left out: they have no UTF-8.
    pub fn chars(&mut self, ranges: &[(u32, u32)]) -> ExprId {
        super::utf8::chars(self, ranges)
    }

    /// One after the other.
    pub fn concat(&mut self, parts: Vec<ExprId>) -> ExprId {
        match parts[..] {
            [] => self.empty(),
            [one] => one,
            _ => self.add(Expr::Concat(parts)),
        }
    }

    /// Any one of these.
    pub fn choice(&mut self, options: Vec<ExprId>) -> ExprId {
        match options[..] {
            [one] => one,
            _ => self.add(Expr::Choice(options)),
        }
    }

    /// `body`, `min` to `max` times.
    pub fn repeat(&mut self, body: ExprId, min: u32, max: Option<u32>) -> ExprId {
        self.add(Expr::Repeat { body, min, max })
    }

    /// One whole token of a set.
    pub fn token(&mut self, set: TokenSet) -> ExprId {
        self.add(Expr::Token(set))
    }

    /// A JSON value that satisfies a schema.
    pub fn json_schema(&mut self, schema: JsonSchema) -> ExprId {
        self.add(Expr::JsonSchema(Box::new(schema)))
    }

    /// The rule of this name, made (without a body) if there is none yet.
    pub fn declare(&mut self, name: &str) -> RuleId {
        if let Some(&id) = self.by_name.get(name) {
            return id;
        }
        let id = RuleId(self.rules.len() as u32);
        self.rules.push(PendingRule { name: name.to_owned(), body: None, span: None, first_use: None });
        self.by_name.insert(name.to_owned(), id);
        id
    }

    /// A new rule with a name that nothing else has, made from `hint`.
    pub fn declare_fresh(&mut self, hint: &str) -> RuleId {
        let mut name = hint.to_owned();
        while self.by_name.contains_key(&name) {
            let n = self.fresh.entry(hint.to_owned()).or_insert(1);
            *n += 1;
            name = format!("{hint}_{n}");
        }
        self.declare(&name)
    }

    /// A use of a rule.
    pub fn rule_ref(&mut self, rule: RuleId) -> ExprId {
        self.add(Expr::Rule(rule))
    }

    /// A use of a rule at a place in the source.
    pub fn rule_ref_at(&mut self, rule: RuleId, span: Span) -> ExprId {
        let pending = &mut self.rules[rule.index()];
        pending.first_use.get_or_insert(span);
        let id = self.rule_ref(rule);
        self.set_span(id, span);
        id
    }

    /// Whether a rule already has a body.
    pub fn is_defined(&self, rule: RuleId) -> bool {
        self.rules[rule.index()].body.is_some()
    }

    /// Gives a rule its body. Defining a rule twice is an error.
    pub fn define(&mut self, rule: RuleId, body: ExprId, span: Option<Span>) -> Result<()> {
        let pending = &mut self.rules[rule.index()];
        if pending.body.is_some() {
            let location = Location::new(&self.source, span.map_or(0, |s| s.start as usize));
            return Err(Error::Syntax {
                message: format!("rule `{}` is defined twice", pending.name),
                location,
                hint: "join the two with `|`, or rename one".into(),
            });
        }
        pending.body = Some(body);
        pending.span = span;
        Ok(())
    }

    /// Notes something a user should know.
    pub fn annotate(&mut self, kind: &str, message: String) {
        self.annotations.push(Annotation { kind: kind.to_owned(), message });
    }

    /// Checks the whole and gives the grammar; rules that the root cannot reach become annotations of kind
    /// `unreachable-rule`.
    pub fn build(mut self, root: RuleId) -> Result<Grammar> {
        let mut rules = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            let Some(body) = rule.body else {
                let at = rule.first_use.map_or(0, |s| s.start as usize);
                let location = Location::new(&self.source, at);
                return Err(Error::UndefinedRule { name: rule.name.clone(), location });
            };
            rules.push(Rule { name: rule.name.clone(), body, span: rule.span });
        }
        let mut grammar = Grammar {
            exprs: self.exprs,
            spans: self.spans,
            rules,
            root,
            annotations: std::mem::take(&mut self.annotations),
            source: self.source,
        };
        grammar.validate()?;
        let lines = LineIndex::new(&grammar.source);
        let unreachable: Vec<Annotation> = grammar
            .unreachable_rules()
            .into_iter()
            .map(|rule| {
                let at = grammar.rule(rule).span.map_or(0, |s| s.start as usize);
                let message = format!(
                    "rule `{}` is never used from the root rule ({})",
                    grammar.rule(rule).name,
                    lines.locate(at)
                );
                Annotation { kind: "unreachable-rule".into(), message }
            })
            .collect();
        grammar.annotations.extend(unreachable);
        Ok(grammar)
    }
}

/// How deep expressions may nest; deeper ones would overflow the stack of a thread.
const MAX_DEPTH: u32 = 1000;

impl Grammar {
    /// Checks the invariants of the module: what the builder guarantees, and a loaded grammar has yet to show.
    pub(crate) fn validate(&self) -> Result<()> {
        let invalid = |message: String| Err(Error::InvalidArgument(message));
        if self.spans.len() != self.exprs.len() || self.root.index() >= self.rules.len() {
            return invalid("the grammar's tables do not fit together".into());
        }
        if self.rules.iter().any(|rule| rule.body.index() >= self.exprs.len()) {
            return invalid("a rule has no body".into());
        }
        let mut depths: Vec<u32> = Vec::with_capacity(self.exprs.len());
        for (id, expr) in self.exprs.iter().enumerate() {
            let children: &[ExprId] = match expr {
                Expr::Concat(parts) | Expr::Choice(parts) => parts,
                Expr::Repeat { body, min, max } => {
                    if max.is_some_and(|max| *min > max) {
                        let max = max.unwrap_or(0);
                        return invalid(format!(
                            "a repeat of at least {min} and at most {max} is impossible"
                        ));
                    }
                    std::slice::from_ref(body)
                }
                Expr::Rule(rule) if rule.index() >= self.rules.len() => {
                    return invalid("a rule is missing".into());
                }
                _ => &[],
            };
            if children.iter().any(|child| child.index() >= id) {
                return invalid("an expression refers to a later one".into());
            }
            let depth = children.iter().map(|child| depths[child.index()] + 1).max().unwrap_or(0);
            if depth > MAX_DEPTH {
                let message = format!("expressions nest deeper than {MAX_DEPTH}");
                return Err(Error::LimitExceeded { limit: "nesting_depth", message });
            }
            depths.push(depth);
        }
        Ok(())
    }

    /// A digest that equal grammars share; different ones may share it too.
    pub(crate) fn digest(&self) -> u64 {
        let mut hasher = rustc_hash::FxHasher::default();
        (&self.exprs, self.root).hash(&mut hasher);
        self.rules.iter().for_each(|rule| (&rule.name, rule.body).hash(&mut hasher));
        hasher.finish()
    }

    /// Heap memory, bytes, approximately.
    pub(crate) fn memory_size_bytes(&self) -> usize {
        let exprs: usize = self
            .exprs
            .iter()
            .map(|expr| match expr {
                Expr::Literal(bytes) => bytes.len(),
                Expr::Concat(parts) | Expr::Choice(parts) => parts.len() * 4,
                _ => 0,
            })
            .sum();
        exprs
            + self.exprs.len() * (size_of::<Expr>() + 12)
            + self.rules.len() * size_of::<Rule>()
            + self.source.len()
    }

    /// The rules that cannot be reached from the root, in order.
    pub fn unreachable_rules(&self) -> Vec<RuleId> {
        let mut seen_rule = vec![false; self.rules.len()];
        let mut seen_expr = vec![false; self.exprs.len()];
        let mut todo = vec![self.rule(self.root).body];
        seen_rule[self.root.index()] = true;
        while let Some(id) = todo.pop() {
            if std::mem::replace(&mut seen_expr[id.index()], true) {
                continue;
            }
            match self.expr(id) {
                Expr::Concat(parts) | Expr::Choice(parts) => todo.extend(parts),
                Expr::Repeat { body, .. } => todo.push(*body),
                Expr::Rule(rule) if !std::mem::replace(&mut seen_rule[rule.index()], true) => {
                    todo.push(self.rule(*rule).body);
                }
                _ => {}
            }
        }
        (0..self.rules.len() as u32).map(RuleId).filter(|rule| !seen_rule[rule.index()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undefined_and_unreachable_rules_are_named() {
        let mut b = GrammarBuilder::new("root ::= x");
        let (root, x) = (b.declare("root"), b.declare("x"));
        let body = b.rule_ref_at(x, Span { start: 9, end: 10 });
        b.define(root, body, None).unwrap();
        match b.build(root) {
            Err(Error::UndefinedRule { name, location }) => {
                assert_eq!((name.as_str(), location.column), ("x", 10));
            }
            other => panic!("{other:?}"),
        }

        let mut b = GrammarBuilder::new("");
        let (root, x) = (b.declare("root"), b.declare("x"));
        let e = b.empty();
        b.define(root, e, None).unwrap();
        b.define(x, e, None).unwrap();
        assert!(b.define(x, e, None).is_err());
        let grammar = b.build(root).unwrap();
        assert_eq!(grammar.annotations()[0].kind, "unreachable-rule");
        assert_eq!(grammar.unreachable_rules(), [x]);
    }

    #[test]
    fn impossible_repeats_are_refused() {
        let mut b = GrammarBuilder::new("");
        let root = b.declare("root");
        let a = b.literal("a");
        let r = b.repeat(a, 3, Some(2));
        b.define(root, r, None).unwrap();
        assert!(matches!(b.build(root), Err(Error::InvalidArgument(_))));
    }
}
