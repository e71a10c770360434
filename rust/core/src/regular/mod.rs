//! Regular languages over Unicode, closed under intersection and complement.
//!
//! A language is a hash-consed *term*: classes, concatenation, union, counted repeats, intersection, complement. Automata
//! come from Brzozowski's derivatives (1964), in the form of Owens, Reppy and Turon ("Regular-expression derivatives
//! re-examined", 2009): the state after `c` is the term for what may follow `c`, and terms that the constructors make
//! equal are one state. So `pattern ∩ not pattern ∩ length` needs no automaton of its parts, only of what is reachable.
//!
//! *Anchors.* `^` and `$` are two marker symbols; a pattern is a language over texts with markers, cut down to those whose
//! markers stand at the ends, and [`Term::Anchored`] forgets the markers. That makes `(^|,)a` as easy as `^a$`.
//!
//! Invariants: terms are built by the constructors of [`Regular`] alone, so equal ids mean equal terms; a repeat of
//! something nullable has `min == 0`; the first part of a concatenation is no concatenation.

mod before;
mod blocks;
mod code_set;
mod dfa;
mod empty;
mod first;
mod from_regex;
mod length;
mod rounds;
mod seen;
mod targets;
#[cfg(test)]
mod tests;
mod within;

pub use blocks::{Block, Blocks};
pub use code_set::CodeSet;
pub use dfa::{Dfa, DfaState};

use crate::memory::make_room;
use first::First;
use indexmap::IndexSet;
pub(crate) use rounds::Rounds;
use rustc_hash::{FxBuildHasher, FxHashMap};
use seen::Seen;
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;
use targets::KnownTargets;
pub use targets::Targets;

/// Stands for the beginning of the text.
const START: u32 = 0x11_0000;
/// Stands for the end of the text.
const END: u32 = 0x11_0001;
/// Stands for a place where a language that is not regular goes on; it is in no text, and not in the complement of anything.
pub(crate) const CALL: u32 = 0x11_0002;

/// Strings that are remembered to be in a language or not.
const MAX_MATCHED: usize = 1 << 14;

/// Index of a language in its [`Regular`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TermId(u32);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Term {
    /// The empty string.
    Empty,
    /// One symbol; the empty class matches nothing.
    Class(CodeSet),
    /// One after the other.
    Concat(TermId, TermId),
    /// Any of two or more, ascending.
    Or(Box<[TermId]>),
    /// All of two or more, ascending.
    And(Box<[TermId]>),
    /// Every string but these.
    Not(TermId),
    /// A counted repeat.
    Repeat(TermId, u32, Option<u32>),
    /// What is left of a language with markers when they are taken out; the beginning's are behind us.
    Anchored(TermId),
    /// The texts of the first language that some text of the third completes to one of the second.
    Before(TermId, TermId, TermId),
}

/// An arena of languages.
#[derive(Debug)]
pub struct Regular {
    terms: IndexSet<Term, FxBuildHasher>,
    nullable: Vec<bool>,
    first: Vec<First>,
    has_rounds: Vec<bool>,
    derivatives: FxHashMap<(TermId, u32), TermId>,
    known_targets: KnownTargets,
    inhabited: FxHashMap<TermId, bool>,
    alphabets: FxHashMap<TermId, CodeSet>,
    distances: FxHashMap<TermId, Option<length::Distance>>,
    rounds: FxHashMap<(TermId, u32), rounds::Rounds>,
    matched: FxHashMap<TermId, FxHashMap<Box<str>, bool>>,
    plain_words: FxHashMap<(TermId, usize), Option<Arc<[String]>>>,
    num_matched: usize,
}

/// What every arena begins with, in this order: the constructors ask for these all the time.
const EMPTY: TermId = TermId(0);
const NOTHING: TermId = TermId(1);
const ANY: TermId = TermId(2);
const EVERYTHING: TermId = TermId(3);

impl Default for Regular {
    fn default() -> Self {
        let mut regular = Self {
            terms: IndexSet::default(),
            nullable: Vec::new(),
            first: Vec::new(),
            has_rounds: Vec::new(),
            derivatives: FxHashMap::default(),
            known_targets: KnownTargets::default(),
            inhabited: FxHashMap::default(),
            alphabets: FxHashMap::default(),
            distances: FxHashMap::default(),
            rounds: FxHashMap::default(),
            matched: FxHashMap::default(),
            plain_words: FxHashMap::default(),
            num_matched: 0,
        };
        regular.intern(Term::Empty);
        regular.intern(Term::Class(CodeSet::default()));
        let any = regular.intern(Term::Class(CodeSet::all()));
        regular.intern(Term::Repeat(any, 0, None));
        regular
    }
}

impl Regular {
    /// An arena of the simplest languages.
    pub fn new() -> Self {
        Self::default()
    }

    /// See [`make_room`].
    pub(crate) fn make_room(&mut self) {
        make_room!(self.terms, self.nullable, self.first, self.has_rounds, self.derivatives, self.inhabited);
        make_room!(self.alphabets, self.distances, self.rounds, self.plain_words);
    }

    /// How many terms there are; what the caller bounds.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    fn term(&self, id: TermId) -> &Term {
        &self.terms[id.0 as usize]
    }

    /// Whether the empty string is in a language.
    pub fn is_nullable(&self, id: TermId) -> bool {
        self.nullable[id.0 as usize]
    }

    fn intern(&mut self, term: Term) -> TermId {
        if let Some(known) = self.terms.get_index_of(&term) {
            return TermId(known as u32);
        }
        let nullable = match &term {
            Term::Empty => true,
            Term::Class(_) => false,
            Term::Concat(a, b) => self.is_nullable(*a) && self.is_nullable(*b),
            Term::Or(parts) => parts.iter().any(|&p| self.is_nullable(p)),
            Term::And(parts) => parts.iter().all(|&p| self.is_nullable(p)),
            Term::Not(a) => !self.is_nullable(*a),
            Term::Repeat(_, min, _) => *min == 0,
            Term::Anchored(a) => self.marked(*a, END).iter().any(|&t| self.is_nullable(t)),
            // `before` has looked at all that derivatives lead to.
            Term::Before(a, whole, end) => {
                self.is_nullable(*a) && {
                    let completions = self.and([*whole, *end]);
                    self.inhabited.get(&completions) == Some(&true)
                }
            }
        };
        let (first, has_rounds) = (self.find_first(&term), self.find_rounds(&term));
        let (index, is_new) = self.terms.insert_full(term);
        if is_new {
            self.nullable.push(nullable);
            self.first.push(first);
            self.has_rounds.push(has_rounds);
        }
        TermId(index as u32)
    }

    /// The empty string alone.
    pub fn empty(&self) -> TermId {
        EMPTY
    }

    /// No string at all.
    pub fn nothing(&self) -> TermId {
        NOTHING
    }

    /// Any one symbol.
    pub fn any(&self) -> TermId {
        ANY
    }

    /// Every string.
    pub fn everything(&self) -> TermId {
        EVERYTHING
    }

    /// One symbol of a set.
    pub fn class(&mut self, set: CodeSet) -> TermId {
        self.intern(Term::Class(set))
    }

    /// One string.
    pub fn literal(&mut self, text: &str) -> TermId {
        let empty = self.empty();
        text.chars().rev().fold(empty, |rest, c| {
            let class = self.class(CodeSet::single(u32::from(c)));
            self.concat(class, rest)
        })
    }

    /// Any of these strings: a tree of their first characters, so that a derivative costs no more than the branches there.
    pub fn words<'a>(&mut self, words: impl IntoIterator<Item = &'a str>) -> TermId {
        let mut words: Vec<Vec<char>> = words.into_iter().map(|word| word.chars().collect()).collect();
        words.sort_unstable();
        words.dedup();
        self.word_tree(&words, 0)
    }

    /// The words' rests from a depth on, where all share what is before. Recursion goes as deep as
    /// words branch.
    fn word_tree(&mut self, words: &[Vec<char>], depth: usize) -> TermId {
        if let [word] = words {
            let rest: String = word[depth..].iter().collect();
            return self.literal(&rest);
        }
        if let [first, .., last] = words
            && let Some(alike @ 1..) =
                Some(first[depth..].iter().zip(&last[depth..]).take_while(|(a, b)| a == b).count())
        {
            let prefix: String = first[depth..depth + alike].iter().collect();
            let (prefix, rest) = (self.literal(&prefix), self.word_tree(words, depth + alike));
            return self.concat(prefix, rest);
        }
        let mut options = Vec::new();
        for group in words.chunk_by(|a, b| a.get(depth) == b.get(depth)) {
            options.push(match group[0].get(depth) {
                None => self.empty(),
                Some(&first) => {
                    let first = self.class(CodeSet::single(u32::from(first)));
                    let rest = self.word_tree(group, depth + 1);
                    self.concat(first, rest)
                }
            });
        }
        self.or(options)
    }

    /// Whether a string is in a language. Names are asked for again and again, so answers are remembered.
    pub fn matches(&mut self, language: TermId, text: &str) -> bool {
        if language == EVERYTHING {
            return true;
        }
        if let Some(&known) = self.matched.get(&language).and_then(|known| known.get(text)) {
            return known;
        }
        let mut at = language;
        for c in text.chars() {
            at = self.derivative(at, u32::from(c));
            if at == NOTHING {
                break;
            }
        }
        let matches = self.is_nullable(at);
        if self.num_matched == MAX_MATCHED {
            self.matched.clear();
            self.num_matched = 0;
        }
        self.num_matched += 1;
        self.matched.entry(language).or_default().insert(text.into(), matches);
        matches
    }

    /// One after the other.
    pub fn concat(&mut self, a: TermId, b: TermId) -> TermId {
        let (nothing, empty) = (self.nothing(), self.empty());
        if a == nothing || b == nothing {
            return nothing;
        }
        if a == empty {
            return b;
        }
        if b == empty {
            return a;
        }
        // The spine of `a` is walked, not recursed into: it is as long as the pattern.
        let (mut parts, mut at) = (Vec::new(), a);
        while let &Term::Concat(first, rest) = self.term(at) {
            parts.push(first);
            at = rest;
        }
        parts.push(at);
        parts.into_iter().rev().fold(b, |rest, part| self.intern(Term::Concat(part, rest)))
    }

    /// Any of these.
    pub fn or(&mut self, options: impl IntoIterator<Item = TermId>) -> TermId {
        let (nothing, everything) = (self.nothing(), self.everything());
        let mut class = CodeSet::default();
        let mut parts: SmallVec<[TermId; 8]> = SmallVec::new();
        let mut todo: SmallVec<[TermId; 8]> = options.into_iter().collect();
        while let Some(id) = todo.pop() {
            match self.term(id) {
                Term::Or(inner) => todo.extend_from_slice(inner),
                Term::Class(set) => class = class.union(set),
                _ if id == everything => return everything,
                _ => parts.push(id),
            }
        }
        if !class.is_empty() {
            parts.push(self.class(class));
        }
        parts.sort_unstable();
        parts.dedup();
        match parts[..] {
            [] => nothing,
            [one] => one,
            _ => self.intern(Term::Or(parts.as_slice().into())),
        }
    }

    /// All of these at once.
    pub fn and(&mut self, all: impl IntoIterator<Item = TermId>) -> TermId {
        let (nothing, everything, empty) = (self.nothing(), self.everything(), self.empty());
        let mut class: Option<CodeSet> = None;
        let mut parts: SmallVec<[TermId; 8]> = SmallVec::new();
        let mut todo: SmallVec<[TermId; 8]> = all.into_iter().collect();
        while let Some(id) = todo.pop() {
            match self.term(id) {
                Term::And(inner) => todo.extend_from_slice(inner),
                Term::Class(set) => class = Some(class.map_or_else(|| set.clone(), |c| c.intersection(set))),
                _ if id == everything => {}
                _ => parts.push(id),
            }
        }
        if let Some(class) = class {
            if class.is_empty() {
                return nothing;
            }
            parts.push(self.class(class));
        }
        parts.sort_unstable();
        parts.dedup();
        if parts.contains(&empty) {
            let nullable = parts.iter().all(|&p| self.is_nullable(p));
            return if nullable { empty } else { nothing };
        }
        match parts[..] {
            [] => everything,
            [one] => one,
            _ => self.intern(Term::And(parts.as_slice().into())),
        }
    }

    /// Every string that is not in a language.
    pub fn not(&mut self, a: TermId) -> TermId {
        if let &Term::Not(inner) = self.term(a) {
            return inner;
        }
        let (nothing, everything) = (self.nothing(), self.everything());
        if a == nothing {
            return everything;
        }
        if a == everything {
            return nothing;
        }
        self.intern(Term::Not(a))
    }

    /// `min` to `max` times (`None`: without end).
    pub fn repeat(&mut self, body: TermId, min: u32, max: Option<u32>) -> TermId {
        let (nothing, empty) = (self.nothing(), self.empty());
        if max.is_some_and(|max| max < min) {
            return nothing;
        }
        if body == nothing {
            return if min == 0 { empty } else { nothing };
        }
        // Empty rounds count, so any smaller number of others will do.
        let min = if self.is_nullable(body) { 0 } else { min };
        match (self.term(body), min, max) {
            (Term::Empty, ..) | (_, _, Some(0)) => empty,
            (_, 1, Some(1)) => body,
            (Term::Repeat(_, 0, None), ..) => body,
            (_, 0, Some(1)) if self.is_nullable(body) => body,
            _ => self.intern(Term::Repeat(body, min, max)),
        }
    }

    /// Takes the markers out of a language, keeping the texts whose markers stand where they say.
    fn anchored(&mut self, a: TermId) -> TermId {
        let mut marker = |symbols: &[u32]| {
            let class = self.class(CodeSet::new(symbols.iter().map(|&s| (s, s))));
            self.repeat(class, 0, None)
        };
        let (starts, ends, both) = (marker(&[START]), marker(&[END]), marker(&[START, END]));
        let any = self.class(CodeSet::all());
        let text = self.repeat(any, 1, None);
        let after = self.concat(text, ends);
        let placed = self.concat(starts, after);
        let placed = self.or([placed, both]);
        let language = self.and([a, placed]);
        let begun = self.marked(language, START);
        let begun = self.or(begun);
        // On the empty text the markers may come in any order; past its first symbol there are only markers of the end.
        let on_empty = self.closure_is_nullable(language);
        let rest = self.intern(Term::Anchored(begun));
        match (on_empty, self.is_nullable(rest)) {
            (true, false) => {
                let empty = self.empty();
                self.or([empty, rest])
            }
            _ => rest,
        }
    }

    /// Whether some string of markers is in a language.
    fn closure_is_nullable(&mut self, a: TermId) -> bool {
        let mut seen = vec![a];
        let mut next = 0;
        while next < seen.len() {
            if self.is_nullable(seen[next]) {
                return true;
            }
            for marker in [START, END] {
                let after = self.derivative(seen[next], marker);
                if !seen.contains(&after) {
                    seen.push(after);
                }
            }
            next += 1;
        }
        false
    }

    /// What is left of a language after any number of one marker.
    fn marked(&mut self, a: TermId, marker: u32) -> Vec<TermId> {
        let mut seen = vec![a];
        loop {
            let after = self.derivative(seen[seen.len() - 1], marker);
            if seen.contains(&after) {
                return seen;
            }
            seen.push(after);
        }
    }

    /// What may follow `symbol` in a language.
    pub fn derivative(&mut self, id: TermId, symbol: u32) -> TermId {
        if !self.first[id.0 as usize].may_be(symbol) {
            return self.nothing();
        }
        if let Some(&known) = self.derivatives.get(&(id, symbol)) {
            return known;
        }
        let result = match self.term(id) {
            Term::Empty => self.nothing(),
            Term::Class(set) if set.contains(symbol) => self.empty(),
            Term::Class(_) => self.nothing(),
            Term::Concat(..) => self.derivative_of_concat(id, symbol),
            Term::Or(parts) => {
                let mut parts: SmallVec<[TermId; 8]> = SmallVec::from_slice(parts);
                parts.iter_mut().for_each(|part| *part = self.derivative(*part, symbol));
                self.or(parts)
            }
            Term::And(parts) => {
                let mut parts: SmallVec<[TermId; 8]> = SmallVec::from_slice(parts);
                parts.iter_mut().for_each(|part| *part = self.derivative(*part, symbol));
                self.and(parts)
            }
            &Term::Not(a) => {
                let after = self.derivative(a, symbol);
                self.not(after)
            }
            &Term::Repeat(body, min, max) => {
                let first = self.derivative(body, symbol);
                let rest = self.repeat(body, min.saturating_sub(1), max.map(|max| max - 1));
                self.concat(first, rest)
            }
            &Term::Anchored(a) => {
                let after = self.derivative(a, symbol);
                if after == self.nothing() { after } else { self.intern(Term::Anchored(after)) }
            }
            &Term::Before(a, whole, end) => {
                let (a, whole) = (self.derivative(a, symbol), self.derivative(whole, symbol));
                let nothing = self.nothing();
                if a == nothing || whole == nothing {
                    nothing
                } else {
                    self.intern(Term::Before(a, whole, end))
                }
            }
        };
        self.derivatives.insert((id, symbol), result);
        result
    }

    fn derivative_of_concat(&mut self, id: TermId, symbol: u32) -> TermId {
        let (mut options, mut at) = (SmallVec::<[TermId; 8]>::new(), id);
        while let &Term::Concat(first, rest) = self.term(at) {
            let after = self.derivative(first, symbol);
            options.push(self.concat(after, rest));
            if !self.is_nullable(first) {
                return self.or(options);
            }
            at = rest;
        }
        options.push(self.derivative(at, symbol));
        self.or(options)
    }

    /// All symbols that strings of a language are made of, and perhaps more.
    pub fn alphabet(&mut self, id: TermId) -> &CodeSet {
        if !self.alphabets.contains_key(&id) {
            let found = self.find_alphabet(id);
            self.alphabets.insert(id, found);
        }
        &self.alphabets[&id]
    }

    fn find_alphabet(&mut self, id: TermId) -> CodeSet {
        // Concatenations are as long as patterns are: their spine is not recursed into.
        let (mut ranges, mut at) = (SmallVec::<[(u32, u32); 16]>::new(), id);
        while let &Term::Concat(first, rest) = self.term(at) {
            ranges.extend_from_slice(self.alphabet(first).ranges());
            at = rest;
        }
        match self.term(at) {
            Term::Empty | Term::Concat(..) => {}
            Term::Class(set) => ranges.extend_from_slice(set.ranges()),
            Term::Not(_) => ranges.extend_from_slice(CodeSet::all().ranges()),
            &(Term::Repeat(inner, ..) | Term::Anchored(inner) | Term::Before(inner, ..)) => {
                ranges.extend_from_slice(self.alphabet(inner).ranges());
            }
            Term::Or(parts) => {
                let parts: SmallVec<[TermId; 8]> = SmallVec::from_slice(parts);
                parts.iter().for_each(|&part| ranges.extend_from_slice(self.alphabet(part).ranges()));
            }
            Term::And(parts) => {
                let parts: SmallVec<[TermId; 8]> = SmallVec::from_slice(parts);
                let all = parts.iter().map(|&part| self.alphabet(part).clone());
                let common = all.reduce(|all, part| all.intersection(&part));
                ranges.extend_from_slice(common.unwrap_or_default().ranges());
            }
        }
        CodeSet::new(ranges)
    }

    /// Splits all scalar values into blocks whose symbols are alike to a language: equal derivatives within each.
    pub fn blocks(&self, id: TermId) -> Blocks {
        let mut classes: SmallVec<[&CodeSet; 8]> = SmallVec::new();
        let mut seen = Seen::default();
        let mut todo: SmallVec<[TermId; 16]> = smallvec![id];
        while let Some(id) = todo.pop() {
            if !seen.insert(id) {
                continue;
            }
            match self.term(id) {
                Term::Empty => {}
                Term::Class(set) => classes.push(set),
                Term::Concat(a, b) => {
                    todo.push(*a);
                    if self.is_nullable(*a) {
                        todo.push(*b);
                    }
                }
                Term::Or(parts) | Term::And(parts) => todo.extend_from_slice(parts),
                Term::Not(a) | Term::Repeat(a, ..) | Term::Anchored(a) => todo.push(*a),
                Term::Before(a, whole, _) => todo.extend([*a, *whole]),
            }
        }
        Blocks::of(&classes)
    }
}
