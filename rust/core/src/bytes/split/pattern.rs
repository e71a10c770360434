//! Patterns as programs over character classes.
//!
//! The pattern's classes cut the code points into at most 64 parts that it cannot tell apart; a program tests parts only.
//! Thread order is preference order, as in a backtracking matcher: greedy loops prefer to go on.
//!
//! Invariant: alternatives and loops keep the order in which a backtracking matcher would try them.

use super::{Class, Thread};
use crate::error::{Error, Result};
use regex_syntax::hir::{Class as HirClass, ClassUnicode, ClassUnicodeRange, Hir, HirKind};
use rustc_hash::FxHashMap;

/// Longest program; patterns in use need about 100 instructions.
const MAX_INSTS: usize = 512;
/// Longest pattern text.
const MAX_PATTERN_BYTES: usize = 1 << 14;

#[derive(Clone, Debug)]
pub(super) enum Inst {
    /// One character of these classes.
    Class(u64),
    /// Try the first, then the second.
    Split(u16, u16),
    Jump(u16),
    /// The next character, if any, is of these classes.
    Next(u64),
    Match,
}

#[derive(Debug)]
pub(super) struct Program {
    insts: Vec<Inst>,
    /// First code point of each range and its class, ascending.
    ranges: Vec<(u32, Class)>,
    ascii: [Class; 128],
    classes: Class,
}

fn unsupported<T>(what: impl std::fmt::Display) -> Result<T> {
    Err(Error::UnsupportedTokenizer(format!("the split pattern {what}")))
}

impl Program {
    pub(super) fn new(pattern: &str) -> Result<Self> {
        if pattern.len() > MAX_PATTERN_BYTES {
            return unsupported(format!("is longer than {MAX_PATTERN_BYTES} bytes"));
        }
        let mut alternatives = Vec::new();
        for text in top_level_alternatives(pattern)? {
            let (body, ahead) = split_lookahead(text)?;
            let ahead = ahead.map(parse_class).transpose()?;
            alternatives.push((parse(body)?, ahead));
        }
        let mut sets = Vec::new();
        for (body, ahead) in &alternatives {
            collect_sets(body, &mut sets)?;
            sets.extend(ahead.clone());
        }
        let (ranges, classes) = partition(&sets)?;
        let mut program = Self { insts: Vec::new(), ranges, ascii: [0; 128], classes };
        for code in 0..128u8 {
            program.ascii[usize::from(code)] = program.look_up(u32::from(code));
        }
        program.compile(&alternatives)?;
        Ok(program)
    }

    pub(super) fn inst(&self, pc: u16) -> Inst {
        self.insts[usize::from(pc)].clone()
    }

    pub(super) fn classes(&self) -> Class {
        self.classes
    }

    pub(super) fn class_of(&self, c: char) -> Class {
        self.ascii.get(c as usize).copied().unwrap_or_else(|| self.look_up(c as u32))
    }

    fn look_up(&self, code: u32) -> Class {
        let after = self.ranges.partition_point(|&(start, _)| start <= code);
        self.ranges[after.saturating_sub(1)].1
    }

    /// Appends the threads that are reached from `pc` without a character, most preferred first.
    pub(super) fn close(&self, pc: u16, next: u64, out: &mut Vec<Thread>) {
        let mut pending = vec![Thread { pc, next }];
        let mut seen = Vec::new();
        while let Some(thread) = pending.pop() {
            if seen.contains(&thread) {
                continue;
            }
            seen.push(thread);
            let at = |pc: u16| Thread { pc, next: thread.next };
            match self.insts[usize::from(thread.pc)] {
                Inst::Class(_) | Inst::Match => {
                    if !out.contains(&thread) {
                        out.push(thread);
                    }
                }
                Inst::Split(first, second) => pending.extend([at(second), at(first)]),
                Inst::Jump(to) => pending.push(at(to)),
                Inst::Next(set) => pending.push(Thread { pc: thread.pc + 1, next: thread.next & set }),
            }
        }
    }

    fn compile(&mut self, alternatives: &[(Hir, Option<ClassUnicode>)]) -> Result<()> {
        let mut exits = Vec::new();
        for (i, (body, ahead)) in alternatives.iter().enumerate() {
            let split = if i + 1 < alternatives.len() { Some(self.push(Inst::Match)?) } else { None };
            self.emit(body)?;
            if let Some(ahead) = ahead {
                let refused = self.mask(ahead);
                self.push(Inst::Next(!refused))?;
            }
            exits.push(self.push(Inst::Match)?);
            if let Some(split) = split {
                self.insts[usize::from(split)] = Inst::Split(split + 1, self.here());
            }
        }
        // One match instruction serves all, so that threads that have matched compare equal.
        let end = self.push(Inst::Match)?;
        for exit in exits {
            self.insts[usize::from(exit)] = Inst::Jump(end);
        }
        Ok(())
    }

    fn here(&self) -> u16 {
        self.insts.len() as u16
    }

    fn push(&mut self, inst: Inst) -> Result<u16> {
        if self.insts.len() >= MAX_INSTS {
            return unsupported(format!("compiles to more than {MAX_INSTS} steps"));
        }
        self.insts.push(inst);
        Ok(self.here() - 1)
    }

    /// The classes that a set consists of.
    fn mask(&self, set: &ClassUnicode) -> u64 {
        set.ranges()
            .iter()
            .flat_map(|range| {
                let (start, end) = (range.start() as u32, range.end() as u32);
                let first = self.ranges.partition_point(|&(at, _)| at <= start).saturating_sub(1);
                self.ranges[first..].iter().take_while(move |&&(at, _)| at <= end).map(|&(_, class)| class)
            })
            .fold(0, |mask, class| mask | 1 << class)
    }

    fn emit(&mut self, hir: &Hir) -> Result<()> {
        match hir.kind() {
            HirKind::Empty => {}
            HirKind::Literal(literal) => {
                for c in literal_text(&literal.0)?.chars() {
                    let mask = 1 << self.class_of(c);
                    self.push(Inst::Class(mask))?;
                }
            }
            HirKind::Class(HirClass::Unicode(set)) => {
                let mask = self.mask(set);
                self.push(Inst::Class(mask))?;
            }
            HirKind::Class(HirClass::Bytes(_)) => return unsupported("has a class of bytes"),
            HirKind::Look(_) => return unsupported("has an anchor or a word boundary"),
            HirKind::Capture(capture) => self.emit(&capture.sub)?,
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.emit(part))?,
            HirKind::Alternation(parts) => {
                let mut exits = Vec::new();
                for (i, part) in parts.iter().enumerate() {
                    if i + 1 == parts.len() {
                        self.emit(part)?;
                    } else {
                        let split = self.push(Inst::Match)?;
                        self.emit(part)?;
                        exits.push(self.push(Inst::Match)?);
                        self.insts[usize::from(split)] = Inst::Split(split + 1, self.here());
                    }
                }
                let end = self.here();
                exits.into_iter().for_each(|exit| self.insts[usize::from(exit)] = Inst::Jump(end));
            }
            HirKind::Repetition(repeat) => {
                for _ in 0..repeat.min {
                    self.emit(&repeat.sub)?;
                }
                let order = |go: u16, stop: u16| match repeat.greedy {
                    true => Inst::Split(go, stop),
                    false => Inst::Split(stop, go),
                };
                match repeat.max {
                    None => {
                        let split = self.push(Inst::Match)?;
                        self.emit(&repeat.sub)?;
                        self.push(Inst::Jump(split))?;
                        self.insts[usize::from(split)] = order(split + 1, self.here());
                    }
                    Some(max) => {
                        let mut splits = Vec::new();
                        for _ in repeat.min..max {
                            splits.push(self.push(Inst::Match)?);
                            self.emit(&repeat.sub)?;
                        }
                        let end = self.here();
                        splits.into_iter().for_each(|at| self.insts[usize::from(at)] = order(at + 1, end));
                    }
                }
            }
        }
        Ok(())
    }
}

fn literal_text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).or_else(|_| unsupported("has bytes that are no text"))
}

fn parse(text: &str) -> Result<Hir> {
    match regex_syntax::ParserBuilder::new().build().parse(text) {
        Ok(hir) => Ok(hir),
        Err(error) => unsupported(format!("cannot be read: {error}")),
    }
}

/// What a lookahead refuses: one class.
fn parse_class(text: &str) -> Result<ClassUnicode> {
    match parse(text)?.into_kind() {
        HirKind::Class(HirClass::Unicode(set)) => Ok(set),
        HirKind::Literal(literal) => {
            let mut chars = literal_text(&literal.0)?.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => Ok(ClassUnicode::new([ClassUnicodeRange::new(c, c)])),
                _ => unsupported("looks ahead further than one character"),
            }
        }
        _ => unsupported("looks ahead further than one character"),
    }
}

/// The pattern at its `|` outside of groups and classes.
fn top_level_alternatives(pattern: &str) -> Result<Vec<&str>> {
    let (mut parts, mut start, mut depth, mut classes) = (Vec::new(), 0, 0usize, 0usize);
    let mut escaped = false;
    let mut previous = None;
    for (at, c) in pattern.char_indices() {
        let was_escaped = escaped;
        escaped = c == '\\' && !was_escaped;
        if was_escaped {
            previous = None;
            continue;
        }
        match c {
            '[' => classes += 1,
            ']' if classes > 0 => classes -= 1,
            _ if classes > 0 => {}
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => {
                parts.push(&pattern[start..at]);
                start = at + 1;
            }
            '+' if matches!(previous, Some('+' | '*' | '?' | '}')) => {
                return unsupported("has possessive quantifiers; give an equivalent without");
            }
            _ => {}
        }
        // The brace that closes `\p{L}` is no quantifier's.
        previous = Some(c).filter(|&c| c != '}' || closes_repeat(&pattern[..at]));
    }
    parts.push(&pattern[start..]);
    Ok(parts)
}

/// Whether the text before a `}` is `{1,3`, not `\p{L`.
fn closes_repeat(before: &str) -> bool {
    before.rsplit_once('{').is_some_and(|(_, inside)| inside.bytes().all(|b| b.is_ascii_digit() || b == b','))
}

/// An alternative and what its lookahead at the end refuses.
fn split_lookahead(text: &str) -> Result<(&str, Option<&str>)> {
    let (body, ahead) = match text.rfind("(?!") {
        Some(at) if text.ends_with(')') => (&text[..at], Some(&text[at + 3..text.len() - 1])),
        _ => (text, None),
    };
    if ["(?!", "(?=", "(?<!", "(?<=", "(?>"].iter().any(|look| body.contains(look)) {
        return unsupported("has lookaround other than `(?!class)` at the end of an alternative");
    }
    Ok((body, ahead))
}

fn collect_sets(hir: &Hir, out: &mut Vec<ClassUnicode>) -> Result<()> {
    match hir.kind() {
        HirKind::Literal(literal) => {
            let one = |c| ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
            out.extend(literal_text(&literal.0)?.chars().map(one));
        }
        HirKind::Class(HirClass::Unicode(set)) => out.push(set.clone()),
        HirKind::Capture(capture) => collect_sets(&capture.sub, out)?,
        HirKind::Repetition(repeat) => collect_sets(&repeat.sub, out)?,
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().try_for_each(|part| collect_sets(part, out))?;
        }
        _ => {}
    }
    Ok(())
}

/// The parts of the code points that no set tells apart.
fn partition(sets: &[ClassUnicode]) -> Result<(Vec<(u32, Class)>, Class)> {
    // Where membership in which set changes.
    let mut changes: Vec<(u32, usize)> = Vec::new();
    for (index, set) in sets.iter().enumerate() {
        for range in set.ranges() {
            changes.extend([(range.start() as u32, index), (range.end() as u32 + 1, index)]);
        }
    }
    changes.push((0, usize::MAX));
    changes.sort_unstable();
    let mut inside = vec![false; sets.len()];
    let mut classes: FxHashMap<Vec<bool>, Class> = FxHashMap::default();
    let mut ranges: Vec<(u32, Class)> = Vec::new();
    for run in changes.chunk_by(|a, b| a.0 == b.0) {
        for &(_, index) in run {
            if let Some(inside) = inside.get_mut(index) {
                *inside = !*inside;
            }
        }
        // Surrogates and what lies past the last code point are in no set, and are no characters.
        if char::from_u32(run[0].0).is_none() {
            continue;
        }
        let fresh = classes.len() as Class;
        let class = *classes.entry(inside.clone()).or_insert(fresh);
        if classes.len() > 64 {
            return unsupported("tells more than 64 kinds of characters apart");
        }
        ranges.push((run[0].0, class));
    }
    Ok((ranges, classes.len() as Class))
}
