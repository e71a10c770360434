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
//! The results form a directed graph of linear size; a piece that is used more than once becomes a rule, so that nothing
//! behind this module has to walk it as a tree.

use super::lower::{Context, Lowering, has_anchors, is_never_empty};
use crate::grammar::ExprId;
use regex_syntax::hir::{Hir, HirKind, Look, Repetition};
use rustc_hash::FxHashMap;

pub(super) struct Anchors<'l, 'b> {
    lowering: &'l mut Lowering<'b>,
    /// By the address of the piece, which outlives this value.
    memo: FxHashMap<(*const Hir, Context), ExprId>,
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
        Self { lowering, memo: FxHashMap::default(), nullable: FxHashMap::default() }
    }

    /// What a piece matches in a context.
    pub(super) fn expr(&mut self, hir: &Hir, context: Context) -> ExprId {
        let nonempty = self.nonempty(hir, context);
        if !self.is_nullable(hir, context) {
            return nonempty;
        }
        let empty = self.lowering.builder.empty();
        self.lowering.builder.choice(vec![empty, nonempty])
    }

    /// The nonempty strings that a piece matches in a context.
    fn nonempty(&mut self, hir: &Hir, context: Context) -> ExprId {
        // Without anchors all contexts are the same.
        let anywhere = Context { start: false, end: false };
        let context = if has_anchors(hir) { context } else { anywhere };
        let key = (std::ptr::from_ref(hir), context);
        if let Some(&expr) = self.memo.get(&key) {
            return expr;
        }
        let expr = match hir.kind() {
            _ if !has_anchors(hir) && is_never_empty(hir) => self.lowering.expr(hir, anywhere),
            HirKind::Empty | HirKind::Look(_) => self.lowering.nothing(),
            HirKind::Literal(literal) => self.lowering.builder.literal(&literal.0),
            HirKind::Class(class) => self.lowering.class(class),
            HirKind::Capture(capture) => self.nonempty(&capture.sub, context),
            HirKind::Alternation(options) => {
                let options = options.iter().map(|option| self.nonempty(option, context)).collect();
                self.lowering.builder.choice(options)
            }
            HirKind::Concat(parts) => self.concat(parts, context),
            HirKind::Repetition(repetition) => self.repetition(repetition, context),
        };
        let expr = if matches!(hir.kind(), HirKind::Capture(_)) { expr } else { self.shareable(expr, hir) };
        self.memo.insert(key, expr);
        expr
    }

    /// A rule for an expression that is not small.
    fn shareable(&mut self, expr: ExprId, hir: &Hir) -> ExprId {
        if matches!(hir.kind(), HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) | HirKind::Class(_)) {
            return expr;
        }
        self.rule(expr)
    }

    fn rule(&mut self, expr: ExprId) -> ExprId {
        let rule = self.lowering.builder.declare_fresh("anchored");
        // The name is fresh, so this is the rule's first definition.
        let defined = self.lowering.builder.define(rule, expr, None);
        debug_assert!(defined.is_ok());
        self.lowering.builder.rule_ref(rule)
    }

    /// From the last part to the first: the nonempty strings of the parts from there on.
    fn concat(&mut self, parts: &[Hir], context: Context) -> ExprId {
        let starts: &[bool] = if context.start { &[false, true] } else { &[false] };
        // Of the parts already folded: the nonempty strings by whether they start the text, and whether the empty
        // string matches at the end of the text and not at its start.
        let nothing = self.lowering.nothing();
        let mut rest = [nothing; 2];
        let mut rest_is_nullable = true;
        for part in parts.iter().rev() {
            let mut next = rest;
            for &start in starts {
                let at = Context { start, ..context };
                let mut options = Vec::new();
                let head = self.nonempty(part, at.without_end());
                options.push(self.lowering.builder.concat(vec![head, rest[0]]));
                if self.is_nullable(part, at.without_end()) {
                    options.push(rest[usize::from(start)]);
                }
                if rest_is_nullable {
                    options.push(self.nonempty(part, at));
                }
                let choice = self.lowering.builder.choice(options);
                next[usize::from(start)] = self.rule(choice);
            }
            rest = next;
            rest_is_nullable &= self.is_nullable(part, context.without_start());
        }
        rest[usize::from(context.start)]
    }

    fn repetition(&mut self, repetition: &Repetition, context: Context) -> ExprId {
        let Repetition { min, max, ref sub, .. } = *repetition;
        let pads =
            self.is_nullable(sub, context.without_end()) || self.is_nullable(sub, context.without_start());
        // With one copy alone, empty ones stand before it in (start, -) or after it in (-, end): the same condition.
        let min = if pads { 1 } else { min.max(1) };
        let mut options = Vec::new();
        if min == 1 && max != Some(0) {
            options.push(self.nonempty(sub, context));
        }
        if max.is_none_or(|max| max >= 2) {
            let first = self.nonempty(sub, context.without_end());
            let last = self.nonempty(sub, context.without_start());
            let middle = self.nonempty(sub, Context { start: false, end: false });
            let between = self.lowering.builder.repeat(middle, min.max(2) - 2, max.map(|max| max - 2));
            options.push(self.lowering.builder.concat(vec![first, between, last]));
        }
        self.lowering.builder.choice(options)
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
