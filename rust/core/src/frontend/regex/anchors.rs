//! Anchors at places that may or may not be an end of the text.
//!
//! In `a*^b` the anchor holds exactly when `a*` matched the empty string. So each piece gives two things in each context:
//! whether it matches the empty string there ([`Anchors::is_nullable`]), and which *nonempty* strings it matches there
//! ([`Anchors::nonempty`]). Both follow by cases, for what is nonempty moves its neighbours away from the ends:
//!
//! ```text
//! nonempty(x y, s, e) = nonempty(x, s, -) nonempty(y, -, e)
//!                     | nonempty(y, s, e)   if x is nullable in (s, -)
//!                     | nonempty(x, s, e)   if y is nullable in (-, e)
//! nonempty(x{m,n}, s, e), with k >= 1 nonempty copies:
//!     k = 1:   nonempty(x, s, e)
//!     k >= 2:  nonempty(x, s, -) nonempty(x, -, -){k-2} nonempty(x, -, e)
//!     where m <= k <= n, or 1 <= k <= n if empty copies can stand at either end to make up for those that miss.
//! ```
//!
//! The results form a directed graph of linear size, kept as [`Node`]s until it is known which of them the pattern needs;
//! each of those becomes a rule if it is no leaf, so that nothing behind this module has to walk the graph as a tree.

use super::lower::{Context, Lowering, has_anchors, is_never_empty};
use crate::grammar::ExprId;
use regex_syntax::hir::{Hir, HirKind, Look, Repetition};
use rustc_hash::FxHashMap;

/// Index of a node; a node refers only to earlier ones.
type NodeId = usize;

/// The empty language.
const NOTHING: NodeId = 0;

enum Node {
    /// An expression without anchors.
    Leaf(ExprId),
    Concat(Vec<NodeId>),
    Choice(Vec<NodeId>),
    Repeat(NodeId, u32, Option<u32>),
}

pub(super) struct Anchors<'l, 'b> {
    lowering: &'l mut Lowering<'b>,
    nodes: Vec<Node>,
    /// By the address of the piece, which outlives this value.
    memo: FxHashMap<(*const Hir, Context), NodeId>,
    nullable: FxHashMap<(*const Hir, Context), bool>,
}

impl Context {
    fn without_start(self) -> Self {
        Self { start: false, ..self }
    }

    fn without_end(self) -> Self {
        Self { end: false, ..self }
    }
}

impl<'l, 'b> Anchors<'l, 'b> {
    pub(super) fn new(lowering: &'l mut Lowering<'b>) -> Self {
        let nodes = vec![Node::Choice(Vec::new())];
        Self { lowering, nodes, memo: FxHashMap::default(), nullable: FxHashMap::default() }
    }

    /// What a piece matches in a context.
    pub(super) fn expr(mut self, hir: &Hir, context: Context) -> ExprId {
        let root = self.nonempty(hir, context);
        let is_nullable = self.is_nullable(hir, context);
        let nonempty = self.emit(root);
        let builder = &mut self.lowering.builder;
        match (is_nullable, root) {
            (false, _) => nonempty,
            (true, NOTHING) => builder.empty(),
            (true, _) => {
                let empty = builder.empty();
                builder.choice(vec![empty, nonempty])
            }
        }
    }

    /// Builds what `root` needs.
    fn emit(&mut self, root: NodeId) -> ExprId {
        let mut needed = vec![false; self.nodes.len()];
        needed[root] = true;
        for id in (0..self.nodes.len()).rev().filter(|&id| id <= root) {
            match &self.nodes[id] {
                _ if !needed[id] => {}
                Node::Leaf(_) => {}
                Node::Concat(parts) | Node::Choice(parts) => {
                    parts.iter().for_each(|&part| needed[part] = true)
                }
                Node::Repeat(body, ..) => needed[*body] = true,
            }
        }
        let builder = &mut self.lowering.builder;
        let nothing = builder.choice(Vec::new());
        let mut built = vec![nothing; self.nodes.len()];
        for id in (1..=root).filter(|&id| needed[id]) {
            let list = |parts: &[NodeId]| parts.iter().map(|&part| built[part]).collect();
            let expr = match &self.nodes[id] {
                Node::Leaf(expr) => {
                    built[id] = *expr;
                    continue;
                }
                Node::Concat(parts) => builder.concat(list(parts)),
                Node::Choice(options) => builder.choice(list(options)),
                Node::Repeat(body, min, max) => builder.repeat(built[*body], *min, *max),
            };
            let rule = builder.declare_fresh("anchored");
            // The name is fresh, so this is the rule's first definition.
            let defined = builder.define(rule, expr, None);
            debug_assert!(defined.is_ok());
            built[id] = builder.rule_ref(rule);
        }
        built[root]
    }

    fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn join(&mut self, parts: Vec<NodeId>) -> NodeId {
        if parts.contains(&NOTHING) { NOTHING } else { self.add(Node::Concat(parts)) }
    }

    fn choose(&mut self, mut options: Vec<NodeId>) -> NodeId {
        options.retain(|&option| option != NOTHING);
        match options[..] {
            [] => NOTHING,
            [one] => one,
            _ => self.add(Node::Choice(options)),
        }
    }

    /// The nonempty strings that a piece matches in a context.
    fn nonempty(&mut self, hir: &Hir, context: Context) -> NodeId {
        // Without anchors all contexts are the same.
        let anywhere = Context { start: false, end: false };
        let context = if has_anchors(hir) { context } else { anywhere };
        let key = (std::ptr::from_ref(hir), context);
        if let Some(&node) = self.memo.get(&key) {
            return node;
        }
        let node = match hir.kind() {
            _ if !has_anchors(hir) && is_never_empty(hir) => {
                let expr = self.lowering.expr(hir, anywhere);
                self.add(Node::Leaf(expr))
            }
            // A literal or class without anchors is never empty: it was a leaf.
            HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) | HirKind::Class(_) => NOTHING,
            HirKind::Capture(capture) => self.nonempty(&capture.sub, context),
            HirKind::Alternation(options) => {
                let options = options.iter().map(|option| self.nonempty(option, context)).collect();
                self.choose(options)
            }
            HirKind::Concat(parts) => self.concat(parts, context),
            HirKind::Repetition(repetition) => self.repetition(repetition, context),
        };
        self.memo.insert(key, node);
        node
    }

    /// From the last part to the first: the nonempty strings of the parts from there on.
    fn concat(&mut self, parts: &[Hir], context: Context) -> NodeId {
        let starts: &[bool] = if context.start { &[false, true] } else { &[false] };
        // Of the parts already folded: the nonempty strings by whether they start the text, and whether the empty
        // string matches at the end of the text and not at its start.
        let mut rest = [NOTHING; 2];
        let mut rest_is_nullable = true;
        for part in parts.iter().rev() {
            let mut next = rest;
            for &start in starts {
                let at = Context { start, ..context };
                let head = self.nonempty(part, at.without_end());
                let mut options = vec![self.join(vec![head, rest[0]])];
                if self.is_nullable(part, at.without_end()) {
                    options.push(rest[usize::from(start)]);
                }
                if rest_is_nullable {
                    options.push(self.nonempty(part, at));
                }
                next[usize::from(start)] = self.choose(options);
            }
            rest = next;
            rest_is_nullable &= self.is_nullable(part, context.without_start());
        }
        rest[usize::from(context.start)]
    }

    fn repetition(&mut self, repetition: &Repetition, context: Context) -> NodeId {
        let Repetition { min, max, ref sub, .. } = *repetition;
        // Whether an empty copy can stand before the others in (start, -), or after them in (-, end).
        let pads =
            self.is_nullable(sub, context.without_end()) || self.is_nullable(sub, context.without_start());
        let min = if pads { 1 } else { min.max(1) };
        let mut options = Vec::new();
        if min == 1 && max != Some(0) {
            options.push(self.nonempty(sub, context));
        }
        if max.is_none_or(|max| max >= 2) {
            let first = self.nonempty(sub, context.without_end());
            let last = self.nonempty(sub, context.without_start());
            let middle = self.nonempty(sub, Context { start: false, end: false });
            let between = self.add(Node::Repeat(middle, min.max(2) - 2, max.map(|max| max - 2)));
            options.push(self.join(vec![first, between, last]));
        }
        self.choose(options)
    }

    /// Whether a piece matches the empty string in a context.
    fn is_nullable(&mut self, hir: &Hir, context: Context) -> bool {
        let key = (std::ptr::from_ref(hir), context);
        if let Some(&nullable) = self.nullable.get(&key) {
            return nullable;
        }
        let nullable = match hir.kind() {
            HirKind::Empty => true,
            HirKind::Look(Look::Start) => context.start,
            HirKind::Look(Look::End) => context.end,
            HirKind::Look(_) | HirKind::Literal(_) | HirKind::Class(_) => false,
            HirKind::Capture(capture) => self.is_nullable(&capture.sub, context),
            HirKind::Alternation(options) => options.iter().any(|option| self.is_nullable(option, context)),
            HirKind::Concat(parts) => parts.iter().all(|part| self.is_nullable(part, context)),
            HirKind::Repetition(repetition) => {
                repetition.min == 0 || self.is_nullable(&repetition.sub, context)
            }
        };
        self.nullable.insert(key, nullable);
        nullable
    }
}
