//! Patterns as `regex-syntax` reads them.

use super::{CodeSet, END, Regular, START, TermId};
use crate::error::{Error, Location, Result};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

impl Regular {
    /// The language of a pattern: the texts it matches as a whole or, with `search`, anywhere in them.
    ///
    /// `pattern` is only named in errors.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for assertions other than the ends of the text.
    pub fn from_hir(&mut self, hir: &Hir, pattern: &str, search: bool) -> Result<TermId> {
        let mut body = self.lower(hir, pattern)?;
        let has_anchors = !hir.properties().look_set().is_empty();
        if search {
            let mut around = CodeSet::all();
            if has_anchors {
                around = around.union(&CodeSet::new([(START, END)]));
            }
            let class = self.class(around);
            let any = self.repeat(class, 0, None);
            let rest = self.concat(body, any);
            body = self.concat(any, rest);
        }
        Ok(if has_anchors { self.anchored(body) } else { body })
    }

    /// Recurses as deep as the HIR does, which `regex-syntax` bounds.
    fn lower(&mut self, hir: &Hir, pattern: &str) -> Result<TermId> {
        Ok(match hir.kind() {
            HirKind::Empty => self.empty(),
            HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
                Ok(text) => self.literal(text),
                Err(_) => return Err(unsupported("a byte that is no character", pattern)),
            },
            HirKind::Class(Class::Unicode(class)) => {
                let ranges = class.ranges().iter().map(|r| (u32::from(r.start()), u32::from(r.end())));
                // A range of characters may run over the surrogates, which are none.
                self.class(CodeSet::new(ranges).intersection(&CodeSet::all()))
            }
            HirKind::Class(Class::Bytes(class)) => {
                if !class.is_ascii() {
                    return Err(unsupported("a byte that is no character", pattern));
                }
                let ranges = class.ranges().iter().map(|r| (u32::from(r.start()), u32::from(r.end())));
                self.class(CodeSet::new(ranges))
            }
            HirKind::Look(Look::Start) => self.marker(START),
            HirKind::Look(Look::End) => self.marker(END),
            HirKind::Look(_) => return Err(unsupported("a word boundary or line anchor", pattern)),
            HirKind::Repetition(repetition) => {
                let body = self.lower(&repetition.sub, pattern)?;
                self.repeat(body, repetition.min, repetition.max)
            }
            HirKind::Capture(capture) => self.lower(&capture.sub, pattern)?,
            HirKind::Concat(parts) => {
                let parts: Vec<TermId> =
                    parts.iter().map(|p| self.lower(p, pattern)).collect::<Result<_>>()?;
                let empty = self.empty();
                parts.into_iter().rev().fold(empty, |rest, part| self.concat(part, rest))
            }
            HirKind::Alternation(parts) => {
                let parts: Vec<TermId> =
                    parts.iter().map(|p| self.lower(p, pattern)).collect::<Result<_>>()?;
                self.or(parts)
            }
        })
    }

    fn marker(&mut self, symbol: u32) -> TermId {
        self.class(CodeSet::single(symbol))
    }
}

fn unsupported(feature: &str, pattern: &str) -> Error {
    Error::Unsupported {
        feature: feature.into(),
        location: Location::new(pattern, 0),
        hint: "write the pattern without it".into(),
    }
}
