//! What can happen next at a state once all its calls are followed down to their first bytes.
//!
//! Following calls from a state gives a small acyclic graph of *entries*: entry 0 is the state itself, every other
//! entry is the start of a rule, reached by calls from earlier entries. A *move* says: on a byte of this range go to this
//! state, with the stack of this entry. Stacks are built only for the entries that a byte really uses, and moves only where a byte is
//! asked for.
//!
//! Calls whose return state has nothing left to do (final, no edges, no counter) are tail calls: they leave no frame
//! behind, so right recursion runs in constant stack.

use super::{Pda, StateId};
use crate::grammar::ByteSet;
use crate::memory::spilled_bytes;
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};
use std::ops::Deref;
use std::sync::OnceLock;

/// How one entry is called from another: the state to return to (`None` for a tail call), and the caller's index.
pub(crate) type Caller = (Option<StateId>, u32);

/// A rule start (or, as entry 0, the state itself).
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) state: StateId,
    /// The part of `callers` that calls it: nothing for entry 0; all callers come before their callee.
    callers: (u32, u32),
    /// What begins here begins in a wide rule (see [`Pda::is_wide`]): this one or one that calls it.
    pub(crate) is_in_wide: bool,
    /// It is wide itself, and no other wide rule calls it.
    pub(crate) is_wide: bool,
}

/// Most states have few of all: these need no memory of their own.
type Entries = SmallVec<[Entry; 4]>;
type Callers = SmallVec<[Caller; 4]>;
/// Disjoint ascending byte ranges, each with the part of some moves that it allows.
type MoveRanges = SmallVec<[(u8, u8, u32, u32); 4]>;
/// Next states, and the entries whose stacks go with them.
type AllMoves = SmallVec<[(StateId, u32); 4]>;

/// The expansion of one state.
#[derive(Debug)]
pub(crate) struct Expanded {
    entries: Entries,
    callers: Callers,
    /// Found when a byte is first asked for: where rules are split, or their texts known, none may ever be.
    moves: OnceLock<MoveTable>,
    /// Token set, next state, entry.
    tokens: Vec<(u32, StateId, u32)>,
    /// Whether any of the entries is wide (see [`Entry::is_wide`]).
    has_wide_entries: bool,
    /// Whether all of them but the first are in wide rules.
    all_are_wide: bool,
    /// Whether any of them is split however little is left of a trie (see [`Pda::is_always_split`]).
    has_always_split: bool,
}

/// Where bytes lead.
#[derive(Debug)]
struct MoveTable {
    ranges: MoveRanges,
    moves: AllMoves,
    /// All bytes that any range allows.
    first: ByteSet,
}

/// What can happen next at a state.
#[derive(Clone, Copy)]
pub(crate) enum Next<'a> {
    /// Calls are followed.
    Expanded(&'a Expanded, &'a Pda),
    /// There are none, and no tokens: these are its edges.
    Bytes(&'a [(u8, u8, StateId)]),
}

/// Some moves.
#[derive(Clone, Copy)]
pub(crate) enum Moves<'a> {
    Many(&'a [(StateId, u32)]),
    One([(StateId, u32); 1]),
}

impl Deref for Moves<'_> {
    type Target = [(StateId, u32)];

    #[inline]
    fn deref(&self) -> &[(StateId, u32)] {
        match self {
            Self::Many(moves) => moves,
            Self::One(only) => only,
        }
    }
}

impl<'a> Next<'a> {
    /// The moves on a byte: the next state, and the entry whose stack goes with it.
    #[inline]
    pub(crate) fn moves(self, byte: u8) -> Moves<'a> {
        match self {
            Self::Expanded(expanded, pda) => Moves::Many(expanded.table(pda).moves(byte)),
            Self::Bytes(edges) => {
                let at = edges.partition_point(|edge| edge.1 < byte);
                match edges.get(at) {
                    Some(&(lo, _, to)) if lo <= byte => Moves::One([(to, 0)]),
                    _ => Moves::Many(&[]),
                }
            }
        }
    }

    /// A range of bytes around one that have its moves.
    pub(crate) fn alike(self, byte: u8) -> (u8, u8) {
        match self {
            Self::Expanded(expanded, pda) => {
                let ranges = &expanded.table(pda).ranges;
                around(byte, ranges.iter().map(|range| (range.0, range.1)))
            }
            Self::Bytes(edges) => around(byte, edges.iter().map(|edge| (edge.0, edge.1))),
        }
    }

    /// All bytes that can follow.
    #[inline]
    pub(crate) fn first(self) -> ByteSet {
        match self {
            Self::Expanded(expanded, pda) => expanded.table(pda).first,
            Self::Bytes(edges) => of_edges(edges),
        }
    }

    /// The bytes that can follow but for what begins in wide rules.
    pub(crate) fn first_beside_wide(self) -> ByteSet {
        match self {
            Self::Expanded(expanded, pda) if expanded.has_wide_entries => {
                let others = expanded.entries.iter().filter(|entry| !entry.is_in_wide);
                let first = others.map(|entry| of_edges(pda.bytes_of(entry.state)));
                first.fold(ByteSet::EMPTY, |all, first| all.union(&first))
            }
            _ => self.first(),
        }
    }

    /// The entries; none, not even the state's own, where there are no calls.
    #[inline]
    pub(crate) fn entries(self) -> &'a [Entry] {
        match self {
            Self::Expanded(expanded, _) => &expanded.entries,
            Self::Bytes(_) => &[],
        }
    }

    /// How an entry is called.
    #[inline]
    pub(crate) fn callers(self, entry: usize) -> &'a [Caller] {
        match self {
            Self::Expanded(Expanded { entries, callers, .. }, _) => {
                let (from, to) = entries[entry].callers;
                &callers[from as usize..to as usize]
            }
            Self::Bytes(_) => &[],
        }
    }

    /// Token set, next state, entry.
    #[inline]
    pub(crate) fn tokens(self) -> &'a [(u32, StateId, u32)] {
        match self {
            Self::Expanded(expanded, _) => &expanded.tokens,
            Self::Bytes(_) => &[],
        }
    }

    /// Whether any of the entries is wide (see [`Entry::is_wide`]).
    #[inline]
    pub(crate) fn has_wide_entries(self) -> bool {
        matches!(self, Self::Expanded(expanded, _) if expanded.has_wide_entries)
    }

    /// Whether any of the entries is split however little is left of a trie (see [`Pda::is_always_split`]).
    pub(crate) fn has_always_split(self) -> bool {
        matches!(self, Self::Expanded(expanded, _) if expanded.has_always_split)
    }

    /// Whether all of them but the first are in wide rules.
    pub(crate) fn all_are_wide(self) -> bool {
        match self {
            Self::Expanded(expanded, _) => expanded.all_are_wide,
            Self::Bytes(_) => true,
        }
    }
}

/// The one of some ascending ranges that a byte is in, or else what lies between two of them.
fn around(byte: u8, ranges: impl Iterator<Item = (u8, u8)>) -> (u8, u8) {
    let mut from = 0;
    for (lo, hi) in ranges {
        if byte < lo {
            return (from, lo - 1);
        }
        if byte <= hi {
            return (lo, hi);
        }
        from = hi + 1;
    }
    (from, u8::MAX)
}

impl Entry {
    fn new(state: StateId, callers: (u32, u32)) -> Self {
        Self { state, callers, is_in_wide: false, is_wide: false }
    }
}

/// Marks the entries that are in wide rules. All callers come before their callee.
fn mark_wide(pda: &Pda, entries: &mut [Entry], callers: &[Caller]) {
    for at in 1..entries.len() {
        let Entry { state, callers: (from, to), .. } = entries[at];
        let called_by = &callers[from as usize..to as usize];
        let is_beneath_wide = called_by.iter().all(|&(_, caller)| entries[caller as usize].is_in_wide);
        entries[at].is_wide = !is_beneath_wide && pda.is_wide(state);
        entries[at].is_in_wide = is_beneath_wide || entries[at].is_wide;
    }
}

fn of_edges(edges: &[(u8, u8, StateId)]) -> ByteSet {
    let mut first = ByteSet::EMPTY;
    edges.iter().for_each(|&(lo, hi, _)| first.insert_range(lo, hi));
    first
}

impl Expanded {
    pub(super) fn new(pda: &Pda, state: StateId) -> Self {
        let (mut entries, callers) = entries(pda, state);
        mark_wide(pda, &mut entries, &callers);
        let tokens = |(entry, at): (&Entry, u32)| {
            pda.tokens_of(entry.state).iter().map(move |&(set, to)| (set, to, at))
        };
        Self {
            tokens: entries.iter().zip(0..).flat_map(tokens).collect(),
            has_wide_entries: entries.iter().any(|entry| entry.is_wide),
            all_are_wide: entries[1..].iter().all(|entry| entry.is_in_wide),
            has_always_split: entries.iter().any(|entry| entry.is_wide && pda.is_always_split(entry.state)),
            entries,
            callers,
            moves: OnceLock::new(),
        }
    }

    #[inline]
    fn table(&self, pda: &Pda) -> &MoveTable {
        self.moves.get_or_init(|| {
            let table = MoveTable::new(pda, &self.entries);
            pda.count_bytes(self.entries[0].state, table.memory_size_bytes());
            table
        })
    }

    /// Without its moves.
    pub(super) fn memory_size_bytes(&self) -> usize {
        size_of::<Self>() + spilled_bytes(&self.callers) + spilled_bytes(&self.entries)
    }

    /// With its moves, as far as they are known.
    pub(super) fn whole_size_bytes(&self) -> usize {
        self.memory_size_bytes() + self.moves.get().map_or(0, MoveTable::memory_size_bytes)
    }
}

impl MoveTable {
    fn new(pda: &Pda, entries: &[Entry]) -> Self {
        let mut edges: SmallVec<[(u8, u8, StateId, u32); 32]> = SmallVec::new();
        for (entry, index) in entries.iter().zip(0..) {
            edges.extend(pda.bytes_of(entry.state).iter().map(|&(lo, hi, to)| (lo, hi, to, index)));
        }
        let mut first = ByteSet::EMPTY;
        for &(lo, hi, ..) in &edges {
            first.insert_range(lo, hi);
        }
        let (ranges, moves) = split(&mut edges);
        Self { ranges, moves, first }
    }

    #[inline]
    fn moves(&self, byte: u8) -> &[(StateId, u32)] {
        let at = self.ranges.partition_point(|r| r.1 < byte);
        match self.ranges.get(at) {
            Some(&(lo, _, from, to)) if lo <= byte => &self.moves[from as usize..to as usize],
            _ => &[],
        }
    }

    fn memory_size_bytes(&self) -> usize {
        spilled_bytes(&self.ranges) + spilled_bytes(&self.moves)
    }
}

/// The rules that are called somewhere below a state, by number.
#[derive(Default)]
struct Called {
    rules: SmallVec<[CalledRule; MANY_RULES]>,
    /// Their numbers, where they are many.
    numbers: FxHashMap<u32, usize>,
}

struct CalledRule {
    rule: u32,
    /// So many of its callers have no place yet.
    waiting: u32,
    /// Its last caller that has, as a place in the list of all.
    last: Option<usize>,
}

/// More rules than this are not looked through.
const MANY_RULES: usize = 16;

impl Called {
    fn number(&self, rule: u32) -> Option<usize> {
        if self.rules.len() <= MANY_RULES {
            return self.rules.iter().position(|called| called.rule == rule);
        }
        self.numbers.get(&rule).copied()
    }

    /// Counts a call; whether it is the rule's first.
    fn add(&mut self, rule: u32) -> bool {
        if let Some(number) = self.number(rule) {
            self.rules[number].waiting += 1;
            return false;
        }
        self.rules.push(CalledRule { rule, waiting: 1, last: None });
        let new = if self.rules.len() == MANY_RULES + 1 { 0 } else { self.rules.len() - 1 };
        if self.rules.len() > MANY_RULES {
            self.numbers.extend(self.rules[new..].iter().zip(new..).map(|(called, at)| (called.rule, at)));
        }
        true
    }
}

/// All entries below a state, callers before callees, and their callers.
fn entries(pda: &Pda, state: StateId) -> (Entries, Callers) {
    // Kahn's algorithm needs the number of callers first: one pass to find the rules, one to order them.
    let mut called = Called::default();
    let mut todo: SmallVec<[StateId; 16]> = smallvec![state];
    while let Some(at) = todo.pop() {
        for &(rule, _) in pda.calls_of(at) {
            if called.add(rule) {
                todo.push(pda.rule(rule).start);
            }
        }
    }
    let num_callers = called.rules.iter().map(|called| called.waiting as usize).sum();
    let mut entries = Entries::with_capacity(called.rules.len() + 1);
    entries.push(Entry::new(state, (0, 0)));
    let mut callers = Callers::with_capacity(num_callers);
    // Each with the one before it of the same rule.
    let mut placed: SmallVec<[(Caller, Option<usize>); 32]> = SmallVec::new();
    let mut next = 0;
    while next < entries.len() {
        for &(rule, back) in pda.calls_of(entries[next].state) {
            let Some(number) = called.number(rule) else { continue };
            let CalledRule { waiting, last, .. } = &mut called.rules[number];
            placed.push(((frame_state(pda, back), next as u32), *last));
            *last = Some(placed.len() - 1);
            *waiting -= 1;
            if *waiting == 0 {
                let (from, mut at) = (callers.len(), *last);
                while let Some((caller, before)) = at.map(|at| placed[at]) {
                    callers.push(caller);
                    at = before;
                }
                callers[from..].reverse();
                let callers = (from as u32, callers.len() as u32);
                entries.push(Entry::new(pda.rule(rule).start, callers));
            }
        }
        next += 1;
    }
    (entries, callers)
}

impl Pda {
    /// Every call in the rules of the grammar itself: the called rule, the state to return to (`None` for a tail call), the calling rule.
    pub(crate) fn call_sites(&self) -> impl Iterator<Item = (u32, Option<StateId>, u32)> + '_ {
        (0..self.states.len() as u32).map(StateId).flat_map(move |state| {
            let caller = self.state(state).rule;
            self.calls_of(state).iter().map(move |&(callee, back)| (callee, frame_state(self, back), caller))
        })
    }
}

/// The state to leave in a frame, or `None` where a tail call will do.
fn frame_state(pda: &Pda, back: StateId) -> Option<StateId> {
    let is_tail = pda.state(back).is_final && !pda.has_edges(back) && pda.rule_of(back).counter.is_none();
    (!is_tail).then_some(back)
}

/// Cuts overlapping ranges at each other's ends.
fn split(edges: &mut [(u8, u8, StateId, u32)]) -> (MoveRanges, AllMoves) {
    edges.sort_by_key(|edge| edge.0);
    if edges.windows(2).all(|pair| pair[0].1 < pair[1].0) {
        let range = |(edge, at): (&(u8, u8, StateId, u32), u32)| (edge.0, edge.1, at, at + 1);
        return (edges.iter().zip(0..).map(range).collect(), edges.iter().map(|e| (e.2, e.3)).collect());
    }
    let mut cuts: Vec<u16> = edges.iter().flat_map(|e| [u16::from(e.0), u16::from(e.1) + 1]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let (mut ranges, mut moves) = (MoveRanges::new(), AllMoves::new());
    for pair in cuts.windows(2) {
        let (lo, hi) = (pair[0] as u8, (pair[1] - 1) as u8);
        let from = moves.len() as u32;
        moves.extend(edges.iter().filter(|e| e.0 <= lo && hi <= e.1).map(|e| (e.2, e.3)));
        if moves.len() as u32 > from {
            ranges.push((lo, hi, from, moves.len() as u32));
        }
    }
    (ranges, moves)
}
