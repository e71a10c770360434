//! HIR to IR, where the ends of the text are decided.
//!
//! A piece of the pattern is lowered *in a context*: does it start where the text starts, does it end where the text ends?
//! Mostly both are known from the lengths of what stands around it. Where they are not (`a*^b`), [`super::anchors`] splits
//! the cases.
//!
//! The recursion follows the HIR, whose depth [`super::NESTING_DEPTH`] bounds.

use super::anchors::Anchors;
use crate::grammar::{ByteSet, ExprId, GrammarBuilder};
use regex_syntax::hir::{Class, Hir, HirKind, Look};
use rustc_hash::FxHashMap;

/// Where a piece stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Context {
    /// It starts where the text starts.
    pub(super) start: bool,
    /// It ends where the text ends.
    pub(super) end: bool,
}

pub(super) struct Lowering<'b> {
    pub(super) builder: &'b mut GrammarBuilder,
    /// Equal classes of characters are one expression: `\w` alone has hundreds of ranges.
    classes: FxHashMap<Vec<(u32, u32)>, ExprId>,
}

/// Whether a piece has anchors in it.
pub(super) fn has_anchors(hir: &Hir) -> bool {
    !hir.properties().look_set().is_empty()
}

/// Whether a piece matches nothing but the empty string.
fn is_empty_only(hir: &Hir) -> bool {
    hir.properties().maximum_len() == Some(0)
}

/// Whether a piece never matches the empty string.
pub(super) fn is_never_empty(hir: &Hir) -> bool {
    hir.properties().minimum_len().is_none_or(|len| len > 0)
}

/// For each part, going away from one end of a piece: does the part touch that end of the *text*, given that the piece
/// does (`touches`)? `None` if that depends on what the parts before it match and the part has a `look` that needs it.
fn sides<'h>(parts: impl Iterator<Item = &'h Hir>, look: Look, touches: bool) -> Option<Vec<bool>> {
    let mut known = Some(touches);
    parts
        .map(|part| {
            let here = if part.properties().look_set().contains(look) { known } else { Some(false) };
            known = match known {
                Some(true) if is_empty_only(part) => Some(true),
                Some(true) | None if !is_never_empty(part) => None,
                _ => Some(false),
            };
            here
        })
        .collect()
}

impl<'b> Lowering<'b> {
    pub(super) fn new(builder: &'b mut GrammarBuilder) -> Self {
        Self { builder, classes: FxHashMap::default() }
    }

    /// The language of a whole pattern.
    pub(super) fn whole(mut self, hir: &Hir) -> ExprId {
        self.expr(hir, Context { start: true, end: true })
    }

    /// What a piece matches in a context.
    pub(super) fn expr(&mut self, hir: &Hir, context: Context) -> ExprId {
        match hir.kind() {
            HirKind::Empty => self.builder.empty(),
            HirKind::Literal(literal) => self.builder.literal(&literal.0),
            HirKind::Class(class) => self.class(class),
            HirKind::Look(look) => {
                let holds = match look {
                    Look::Start => context.start,
                    Look::End => context.end,
                    _ => false,
                };
                if holds { self.builder.empty() } else { self.nothing() }
            }
            HirKind::Capture(capture) => self.expr(&capture.sub, context),
            HirKind::Alternation(options) => {
                let options = options.iter().map(|option| self.expr(option, context)).collect();
                self.builder.choice(options)
            }
            HirKind::Concat(parts) => match self.contexts(parts, context) {
                Some(contexts) => {
                    let parts = parts.iter().zip(contexts).map(|(part, at)| self.expr(part, at)).collect();
                    self.builder.concat(parts)
                }
                None => Anchors::new(self).expr(hir, context),
            },
            HirKind::Repetition(repetition) => {
                // Once at most: the one copy stands where the repeat stands.
                if has_anchors(&repetition.sub) && repetition.max != Some(1) {
                    return Anchors::new(self).expr(hir, context);
                }
                let body = self.expr(&repetition.sub, context);
                self.builder.repeat(body, repetition.min, repetition.max)
            }
        }
    }

    /// The contexts of the parts of a concatenation; `None` if an anchor's is not known.
    fn contexts(&self, parts: &[Hir], context: Context) -> Option<Vec<Context>> {
        let starts = sides(parts.iter(), Look::Start, context.start)?;
        let mut ends = sides(parts.iter().rev(), Look::End, context.end)?;
        ends.reverse();
        Some(starts.into_iter().zip(ends).map(|(start, end)| Context { start, end }).collect())
    }

    pub(super) fn class(&mut self, class: &Class) -> ExprId {
        match class {
            Class::Unicode(class) => {
                let ranges: Vec<_> =
                    class.iter().map(|range| (u32::from(range.start()), u32::from(range.end()))).collect();
                if let Some(&expr) = self.classes.get(&ranges) {
                    return expr;
                }
                let expr = self.builder.chars(&ranges);
                self.classes.insert(ranges, expr);
                expr
            }
            Class::Bytes(class) => {
                let set = class.iter().fold(ByteSet::EMPTY, |set, range| {
                    set.union(&ByteSet::range(range.start(), range.end()))
                });
                self.builder.class(set)
            }
        }
    }

    /// The empty language.
    pub(super) fn nothing(&mut self) -> ExprId {
        self.builder.choice(Vec::new())
    }
}
