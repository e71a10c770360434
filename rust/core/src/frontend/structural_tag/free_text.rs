//! Free text that ends at the first of some strings.
//!
//! With stops `s` and excluded strings `e`, the texts that end with stop `i` are
//!
//! ```text
//! (all - Σ* e Σ*) s_i  -  Σ* s Σ+        excluded strings before the stop, no stop before its end
//! ```
//!
//! and a text may also end without a stop. All of it is one language over texts with a mark at the end that says which stop it
//! was, so one automaton ([`crate::regular`]) serves all stops; its states are those of Aho and Corasick's automaton (1975), except
//! where an excluded string and a stop overlap.

use crate::automaton::Budget;
use crate::error::Result;
use crate::frontend::right_linear::{self, Classes, Edges};
use crate::grammar::{ExprId, GrammarBuilder};
use crate::regular::{CodeSet, Regular, TermId};
use rustc_hash::FxHashMap;

/// The first mark; past all characters, and past the marks that [`Regular`] has for itself.
const MARKS: u32 = 0x11_0010;

/// What free text may be followed by.
pub(super) struct Exits<'e> {
    /// Each stop, and what follows it.
    pub(super) stops: &'e [(String, ExprId)],
    /// What follows if the text ends without a stop; `None` if it may not.
    pub(super) end: Option<ExprId>,
    pub(super) excludes: &'e [String],
    /// Most characters before the stop or end.
    pub(super) max_chars: Option<u32>,
}

/// Writes free text into a grammar.
pub(super) fn write(
    builder: &mut GrammarBuilder,
    classes: &mut Classes,
    exits: &Exits<'_>,
    budget: &mut Budget,
) -> Result<ExprId> {
    if exits.stops.is_empty() && exits.excludes.is_empty() {
        let any = right_linear::class(builder, classes, &CodeSet::all());
        let text = builder.repeat(any, 0, exits.max_chars);
        let end: Vec<ExprId> = exits.end.into_iter().collect();
        let end = builder.choice(end);
        return Ok(builder.concat(vec![text, end]));
    }
    let mut regular = Regular::new();
    let start = language(&mut regular, exits);
    let continuations: Vec<ExprId> = exits.stops.iter().map(|stop| stop.1).chain(exits.end).collect();
    let nothing = regular.nothing();
    let mut numbers: FxHashMap<TermId, usize> = FxHashMap::from_iter([(start, 0)]);
    let mut order = vec![start];
    let (mut edges, mut leaves): (Edges, Vec<Vec<ExprId>>) = (Vec::new(), Vec::new());
    while let Some(&term) = order.get(edges.len()) {
        budget.state()?;
        let mut here: Vec<(CodeSet, usize)> = Vec::new();
        for block in regular.blocks(term).iter() {
            budget.work()?;
            let next = regular.derivative(term, block.first());
            if next == nothing {
                continue;
            }
            let number = *numbers.entry(next).or_insert_with(|| {
                order.push(next);
                order.len() - 1
            });
            match here.iter_mut().find(|edge| edge.1 == number) {
                Some((set, _)) => *set = set.union(&block.set()),
                None => here.push((block.set(), number)),
            }
        }
        edges.push(here);
        let mut leave = Vec::new();
        for (mark, &continuation) in (MARKS..).zip(&continuations) {
            // Complements contain texts with marks inside; only a mark at the very end counts.
            let after = regular.derivative(term, mark);
            if regular.is_nullable(after) {
                leave.push(continuation);
            }
        }
        leaves.push(leave);
    }
    right_linear::write(builder, classes, "text", &edges, &leaves)
}

/// The texts, each with a mark at its end.
fn language(regular: &mut Regular, exits: &Exits<'_>) -> TermId {
    let mark = |regular: &mut Regular, number: usize| {
        regular.class(CodeSet::single(MARKS.saturating_add(number as u32)))
    };
    let everything = regular.everything();
    let containing = |regular: &mut Regular, words: &[&str]| {
        let words = regular.words(words.iter().copied());
        let rest = regular.concat(words, everything);
        regular.concat(everything, rest)
    };
    let mut text = everything;
    if !exits.excludes.is_empty() {
        let words: Vec<&str> = exits.excludes.iter().map(String::as_str).collect();
        let bad = containing(regular, &words);
        text = regular.not(bad);
    }
    if let Some(max) = exits.max_chars {
        let any = regular.class(CodeSet::all());
        let short = regular.repeat(any, 0, Some(max));
        text = regular.and([text, short]);
    }
    let stops: Vec<&str> = exits.stops.iter().map(|stop| stop.0.as_str()).collect();
    let mut ways = Vec::new();
    for (number, stop) in stops.iter().enumerate() {
        let (stop, end) = (regular.literal(stop), mark(regular, number));
        ways.push(regular.concat(stop, end));
    }
    let ways = regular.or(ways);
    let stopped = regular.concat(text, ways);
    // Marks are no characters, so `Σ* s Σ+` has to name the one at the end.
    let any = regular.class(CodeSet::all());
    let more = regular.repeat(any, 1, None);
    let last = regular.class(CodeSet::new([(MARKS, MARKS.saturating_add(stops.len() as u32))]));
    let more = regular.concat(more, last);
    let words = regular.words(stops.iter().copied());
    let late = regular.concat(words, more);
    let late = regular.concat(everything, late);
    let in_time = regular.not(late);
    let stopped = regular.and([stopped, in_time]);
    if exits.end.is_none() {
        return stopped;
    }
    let bad = containing(regular, &stops);
    let good = regular.not(bad);
    let ended = regular.and([text, good]);
    let end = mark(regular, stops.len());
    let ended = regular.concat(ended, end);
    regular.or([stopped, ended])
}
