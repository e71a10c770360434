//! From grammar rules to one nondeterministic automaton each (Thompson's construction, 1968).
//!
//! Two decisions are made here. *Inlining*: a rule that does not lead back to itself is copied into its users if it is small or
//! has one user, which saves a call at run time and what masks would try on either side of it; other rules stay rules, so that
//! equal ones share their masks, and so do those that loop on text, whose masks are dear. *Counting*: a repeat whose
//! copies stay small is unrolled; any other becomes a rule of its own with a [`Counter`], which costs the same for
//! 3 rounds and for 3 million.

use super::{Budget, Counter, graph};
use crate::error::{Error, Result};
use crate::grammar::{Expr, ExprId, Grammar, Span, TokenSet};
use crate::json_schema::JsonSchema;
use crate::vocab::Vocabulary;
use rustc_hash::FxHashMap;

/// Rules up to this weight (byte positions) are inlined.
const INLINE_WEIGHT: u32 = 10;
/// Rules with one user are inlined up to this weight.
const INLINE_ONCE_WEIGHT: u32 = 1000;
/// A loop on a class of so many bytes is one on text.
const TEXT_BYTES: usize = 64;
/// Repeats are unrolled while all copies together stay within this weight.
const UNROLL_WEIGHT: u32 = 32;
/// How deep the expressions of an inlined rule may nest, those of rules inlined in it included, to bound recursion below.
const INLINE_DEPTH: u32 = 200;

/// Which rules are inlined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inlining {
    /// Small ones.
    Small,
    /// Also those with one user. What follows from a rule then meets what follows from another in one automaton, which can
    /// multiply its states; so this is tried first, within bounds.
    Once,
}

/// What an edge consumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// Nothing.
    Empty,
    /// One byte of a range.
    Bytes(u8, u8),
    /// What a rule matches.
    Call(u32),
    /// One token of a token set.
    Token(u32),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct NfaEdge {
    pub(super) label: Label,
    pub(super) target: u32,
    next: u32,
}

/// A nondeterministic automaton; edges of a state are a linked list, so that a state costs no allocation.
#[derive(Clone, Debug, Default)]
pub(super) struct Nfa {
    heads: Vec<u32>,
    origins: Vec<Option<ExprId>>,
    edges: Vec<NfaEdge>,
    pub(super) start: u32,
    pub(super) accept: u32,
}

const NO_EDGE: u32 = u32::MAX;

impl Nfa {
    pub(super) fn add_state(&mut self, origin: Option<ExprId>) -> u32 {
        self.heads.push(NO_EDGE);
        self.origins.push(origin);
        (self.heads.len() - 1) as u32
    }

    pub(super) fn add_edge(&mut self, from: u32, label: Label, target: u32) {
        let next = std::mem::replace(&mut self.heads[from as usize], self.edges.len() as u32);
        self.edges.push(NfaEdge { label, target, next });
    }

    pub(super) fn edges(&self, state: u32) -> impl Iterator<Item = NfaEdge> + '_ {
        let mut at = self.heads[state as usize];
        std::iter::from_fn(move || {
            let edge = *self.edges.get(at as usize)?;
            at = edge.next;
            Some(edge)
        })
    }

    pub(super) fn len(&self) -> usize {
        self.heads.len()
    }

    pub(super) fn origin(&self, state: u32) -> Option<ExprId> {
        self.origins[state as usize]
    }

    /// Says what a state stands before, unless that is known.
    fn set_origin(&mut self, state: u32, origin: ExprId) {
        self.origins[state as usize].get_or_insert(origin);
    }
}

/// A rule on its way to the automaton.
#[derive(Clone, Debug)]
pub(super) struct RuleNfa {
    pub(super) name: String,
    pub(super) span: Option<Span>,
    pub(super) counter: Option<Counter>,
    pub(super) nfa: Nfa,
}

/// All rules, the grammar's own first (under their ids), then those made for counted repeats.
#[derive(Debug)]
pub(super) struct Lowered {
    pub(super) rules: Vec<RuleNfa>,
    pub(super) token_sets: Vec<Vec<u32>>,
    /// Rules that keep the place of a machine's first rule; they match one byte that means nothing.
    pub(super) schemas: Vec<(u32, JsonSchema)>,
}

/// Lowers all rules that the root reaches; the others get an automaton that matches nothing.
pub(super) fn lower(
    grammar: &Grammar,
    vocabulary: &Vocabulary,
    inlining: Inlining,
    budget: &mut Budget,
) -> Result<Lowered> {
    let (weights, inline) = weigh(grammar, inlining);
    let mut lowering = Lowering {
        grammar,
        vocabulary,
        budget,
        weights,
        inline,
        out: Lowered { rules: Vec::new(), token_sets: Vec::new(), schemas: Vec::new() },
        known_sets: FxHashMap::default(),
        counters: FxHashMap::default(),
        pending: Vec::new(),
    };
    for rule in grammar.rules() {
        let (name, span) = (rule.name.clone(), rule.span);
        lowering.out.rules.push(RuleNfa { name, span, counter: None, nfa: Nfa::default() });
    }
    let mut wanted = vec![false; grammar.rules().len()];
    let mut todo = vec![grammar.root().0];
    wanted[grammar.root().index()] = true;
    while let Some(rule) = todo.pop() {
        let body = match grammar.rules().get(rule as usize) {
            Some(rule) => Some(rule.body),
            None => lowering.pending[rule as usize - grammar.rules().len()],
        };
        let Some(body) = body else { continue };
        let nfa = lowering.rule(body)?;
        for edge in &nfa.edges {
            if let Label::Call(callee) = edge.label {
                wanted.resize(wanted.len().max(lowering.out.rules.len()), false);
                if !std::mem::replace(&mut wanted[callee as usize], true) {
                    todo.push(callee);
                }
            }
        }
        lowering.out.rules[rule as usize].nfa = nfa;
    }
    // A rule that was inlined everywhere has no automaton of its own: give it one that matches nothing.
    for rule in &mut lowering.out.rules {
        if rule.nfa.len() == 0 {
            rule.nfa.start = rule.nfa.add_state(None);
            rule.nfa.accept = rule.nfa.add_state(None);
        }
    }
    Ok(lowering.out)
}

struct Lowering<'a> {
    grammar: &'a Grammar,
    vocabulary: &'a Vocabulary,
    budget: &'a mut Budget,
    weights: Vec<u32>,
    inline: Vec<bool>,
    out: Lowered,
    known_sets: FxHashMap<TokenSet, u32>,
    /// Counter rules by what they repeat and how often.
    counters: FxHashMap<(ExprId, Counter), u32>,
    /// Bodies of the counter rules; none for what keeps a machine's place.
    pending: Vec<Option<ExprId>>,
}

impl Lowering<'_> {
    fn rule(&mut self, body: ExprId) -> Result<Nfa> {
        let mut nfa = Nfa::default();
        let start = nfa.add_state(None);
        nfa.start = start;
        nfa.accept = self.expr(&mut nfa, body, start)?;
        Ok(nfa)
    }

    fn state(&mut self, nfa: &mut Nfa) -> Result<u32> {
        self.budget.state()?;
        Ok(nfa.add_state(None))
    }

    /// Adds an expression that begins at `from`; gives the state after it.
    fn expr(&mut self, nfa: &mut Nfa, id: ExprId, from: u32) -> Result<u32> {
        self.budget.work()?;
        let grammar = self.grammar;
        if !matches!(grammar.expr(id), Expr::Empty) {
            nfa.set_origin(from, id);
        }
        match grammar.expr(id) {
            Expr::Empty => Ok(from),
            Expr::Class(set) => {
                let to = self.state(nfa)?;
                set.ranges().for_each(|(lo, hi)| nfa.add_edge(from, Label::Bytes(lo, hi), to));
                Ok(to)
            }
            Expr::Literal(bytes) => {
                let mut at = from;
                for &byte in bytes {
                    nfa.set_origin(at, id);
                    let to = self.state(nfa)?;
                    nfa.add_edge(at, Label::Bytes(byte, byte), to);
                    at = to;
                }
                Ok(at)
            }
            Expr::Rule(rule) if self.inline[rule.index()] => self.expr(nfa, grammar.rule(*rule).body, from),
            Expr::Rule(rule) => self.edge(nfa, from, Label::Call(rule.0)),
            Expr::Concat(parts) => parts.iter().try_fold(from, |at, &part| self.expr(nfa, part, at)),
            Expr::Choice(options) => {
                let end = self.state(nfa)?;
                for &option in options {
                    let to = self.expr(nfa, option, from)?;
                    nfa.add_edge(to, Label::Empty, end);
                }
                Ok(end)
            }
            Expr::Repeat { body, min, max } => self.repeat(nfa, *body, *min, *max, from),
            Expr::JsonSchema(schema) => {
                let rule = self.schema_rule(schema);
                self.edge(nfa, from, Label::Call(rule))
            }
            Expr::Token(set) => {
                let set = self.token_set(set)?;
                self.edge(nfa, from, Label::Token(set))
            }
        }
    }

    fn edge(&mut self, nfa: &mut Nfa, from: u32, label: Label) -> Result<u32> {
        let to = self.state(nfa)?;
        nfa.add_edge(from, label, to);
        Ok(to)
    }

    fn repeat(&mut self, nfa: &mut Nfa, body: ExprId, min: u32, max: Option<u32>, from: u32) -> Result<u32> {
        if max == Some(0) {
            return Ok(from);
        }
        if !unrolls(self.weights[body.index()], min, max) {
            let counter = Counter { min, max: max.unwrap_or(Counter::UNBOUNDED) };
            let rule = self.counter_rule(body, counter);
            let to = self.edge(nfa, from, Label::Call(rule))?;
            if min == 0 {
                nfa.add_edge(from, Label::Empty, to);
            }
            return Ok(to);
        }
        let mut at = from;
        for _ in 0..min.saturating_sub(u32::from(max.is_none())) {
            at = self.expr(nfa, body, at)?;
        }
        let end = self.state(nfa)?;
        let Some(max) = max else {
            // One more round (or none, if min is 0) that leads back to its own beginning.
            let begin = self.state(nfa)?;
            nfa.add_edge(at, Label::Empty, begin);
            let done = self.expr(nfa, body, begin)?;
            nfa.add_edge(done, Label::Empty, begin);
            nfa.add_edge(if min == 0 { begin } else { done }, Label::Empty, end);
            return Ok(end);
        };
        for _ in min..max {
            nfa.add_edge(at, Label::Empty, end);
            at = self.expr(nfa, body, at)?;
        }
        nfa.add_edge(at, Label::Empty, end);
        Ok(end)
    }

    fn counter_rule(&mut self, body: ExprId, counter: Counter) -> u32 {
        let next = self.out.rules.len() as u32;
        let rule = *self.counters.entry((body, counter)).or_insert(next);
        if rule == next {
            let max = if counter.max == Counter::UNBOUNDED { String::new() } else { counter.max.to_string() };
            let name = format!("repeat{{{},{max}}}", counter.min);
            let span = self.grammar.span(body);
            self.out.rules.push(RuleNfa { name, span, counter: Some(counter), nfa: Nfa::default() });
            self.pending.push(Some(body));
        }
        rule
    }

    fn schema_rule(&mut self, schema: &JsonSchema) -> u32 {
        if let Some((rule, _)) = self.out.schemas.iter().find(|(_, known)| known == schema) {
            return *rule;
        }
        let rule = self.out.rules.len() as u32;
        let mut nfa = Nfa::default();
        nfa.start = nfa.add_state(None);
        nfa.accept = nfa.add_state(None);
        nfa.add_edge(nfa.start, Label::Bytes(0, 0), nfa.accept);
        self.out.rules.push(RuleNfa { name: "JSON Schema".into(), span: None, counter: None, nfa });
        self.out.schemas.push((rule, schema.clone()));
        self.pending.push(None);
        rule
    }

    fn token_set(&mut self, set: &TokenSet) -> Result<u32> {
        if let Some(&known) = self.known_sets.get(set) {
            return Ok(known);
        }
        let vocab_size = self.vocabulary.vocab_size();
        let mut ids = Vec::new();
        for &(lo, hi) in &set.ids {
            if lo > hi || hi as usize >= vocab_size {
                return Err(Error::TokenOutOfRange { id: hi.into(), vocab_size });
            }
            ids.extend(lo..=hi);
        }
        let by_name = self.vocabulary.special_by_name();
        for name in &set.names {
            let Some(found) = by_name.get(name.as_bytes()) else {
                let message =
                    format!("the grammar uses the special token {name:?}, which the tokenizer does not have");
                return Err(Error::InvalidArgument(message));
            };
            ids.extend(found);
        }
        ids.sort_unstable();
        ids.dedup();
        if set.negated {
            let excluded = ids;
            let stops = self.vocabulary.stop_token_ids();
            ids = (0..self.vocabulary.num_tokens() as u32)
                .filter(|id| excluded.binary_search(id).is_err() && stops.binary_search(id).is_err())
                .collect();
        }
        let next = self.out.token_sets.len() as u32;
        self.out.token_sets.push(ids);
        self.known_sets.insert(set.clone(), next);
        Ok(next)
    }
}

/// Whether a repeat of a body of this weight is unrolled.
fn unrolls(weight: u32, min: u32, max: Option<u32>) -> bool {
    match max.unwrap_or(min.max(1)) {
        1 => true,
        copies => copies.saturating_mul(weight.max(1)) <= UNROLL_WEIGHT,
    }
}

/// Weight of every expression, and which rules are inlined.
fn weigh(grammar: &Grammar, inlining: Inlining) -> (Vec<u32>, Vec<bool>) {
    let mut references: Vec<Vec<usize>> = vec![Vec::new(); grammar.rules().len()];
    let mut todo = Vec::new();
    for (rule, references) in grammar.rules().iter().zip(&mut references) {
        let mut seen = rustc_hash::FxHashSet::default();
        todo.push(rule.body);
        while let Some(id) = todo.pop() {
            if !seen.insert(id) {
                continue;
            }
            match grammar.expr(id) {
                Expr::Rule(rule) => references.push(rule.index()),
                Expr::Concat(parts) | Expr::Choice(parts) => todo.extend(parts),
                Expr::Repeat { body, .. } => todo.push(*body),
                _ => {}
            }
        }
    }
    let mut weigher =
        Weigher { grammar, sizes: vec![None; grammar.exprs.len()], inline: vec![false; references.len()] };
    let mut uses = vec![0u32; references.len()];
    references.iter().flatten().for_each(|&rule| uses[rule] += 1);
    let order = graph::components(references.len(), |rule, out| out.extend_from_slice(&references[rule]));
    for component in order {
        let recursive = component.len() > 1 || references[component[0]].contains(&component[0]);
        for rule in component {
            let body = grammar.rules()[rule].body;
            let Size { weight, depth } = weigher.size(body);
            let is_wanted = weight <= INLINE_WEIGHT
                || inlining == Inlining::Once
                    && uses[rule] == 1
                    && weight <= INLINE_ONCE_WEIGHT
                    && !weigher.loops_on_text(body, false);
            weigher.inline[rule] = !recursive && is_wanted && depth <= INLINE_DEPTH;
        }
    }
    let weights = weigher.sizes.into_iter().map(|size| size.map_or(1, |size| size.weight)).collect();
    (weights, weigher.inline)
}

/// What an expression comes to with the rules that are inlined in it.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    /// Byte positions.
    weight: u32,
    /// How deep it nests.
    depth: u32,
}

struct Weigher<'a> {
    grammar: &'a Grammar,
    sizes: Vec<Option<Size>>,
    inline: Vec<bool>,
}

impl Weigher<'_> {
    /// Recursion is bounded by the depth of expressions, which [`crate::grammar::GrammarBuilder::build`] checks: the bodies of
    /// inlined rules are known before their users are looked at.
    fn size(&mut self, id: ExprId) -> Size {
        if let Some(size) = self.sizes[id.index()] {
            return size;
        }
        let grammar = self.grammar;
        let mut inner = Size::default();
        let weight = match grammar.expr(id) {
            Expr::Empty => 0,
            Expr::Class(_) | Expr::Token(_) => 1,
            Expr::JsonSchema(_) => INLINE_WEIGHT + 1,
            Expr::Literal(bytes) => u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            Expr::Rule(rule) if self.inline[rule.index()] => {
                inner = self.size(grammar.rule(*rule).body);
                inner.weight
            }
            Expr::Rule(_) => 1,
            Expr::Concat(parts) | Expr::Choice(parts) => {
                for &part in parts {
                    let Size { weight, depth } = self.size(part);
                    inner.weight = inner.weight.saturating_add(weight);
                    inner.depth = inner.depth.max(depth);
                }
                inner.weight
            }
            Expr::Repeat { body, min, max } => {
                inner = self.size(*body);
                let copies = max.unwrap_or((*min).max(1));
                if unrolls(inner.weight, *min, *max) { inner.weight.saturating_mul(copies) } else { 1 }
            }
        };
        let size = Size { weight, depth: inner.depth + 1 };
        self.sizes[id.index()] = Some(size);
        size
    }

    /// Whether an unbounded repeat goes round on most bytes. Recursion is bounded as above, and by the height of inlined rules.
    fn loops_on_text(&self, id: ExprId, in_loop: bool) -> bool {
        match self.grammar.expr(id) {
            Expr::Class(set) => {
                let size = set.ranges().map(|(lo, hi)| usize::from(hi - lo) + 1).sum::<usize>();
                in_loop && size >= TEXT_BYTES
            }
            Expr::Rule(rule) if self.inline[rule.index()] => {
                self.loops_on_text(self.grammar.rule(*rule).body, in_loop)
            }
            Expr::Concat(parts) | Expr::Choice(parts) => {
                parts.iter().any(|&part| self.loops_on_text(part, in_loop))
            }
            Expr::Repeat { body, max, .. } => self.loops_on_text(*body, in_loop || max.is_none()),
            _ => false,
        }
    }
}
