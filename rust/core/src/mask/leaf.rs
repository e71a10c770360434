//! Splits of automata without calls: no stack is needed, only a table of transitions.
//!
//! A counted rule is run round by round: arriving at a final state ends a round, and the next begins at the rule's start. If
//! no final state goes on by itself, the rounds that a token takes are the same in every run, and one split serves every
//! count ([`super::split::Rounds`]).

use super::split::{Remainder, Split, remainder};
use crate::automaton::{Pda, StateId};
use crate::grammar::ByteSet;
use crate::vocab::{ByteTrie, Vocabulary};
use rustc_hash::FxHashMap;

/// A row of the table: for each byte the row it leads to.
struct Row {
    next: [u32; 256],
    is_final: bool,
    has_edges: bool,
    /// The bytes that lead back to this row, ending no round.
    loops: ByteSet,
}

/// No row.
const DEAD: u32 = u32::MAX;
/// Not looked up yet.
const UNKNOWN: u32 = u32::MAX - 1;

/// Where a path through the trie stands.
#[derive(Clone, Copy)]
struct At {
    /// [`DEAD`] where only the ends before it count.
    row: u32,
    /// Rounds done.
    done: u32,
}

/// A place on the path where the rule could have ended.
#[derive(Clone, Copy)]
struct End {
    depth: u16,
    done: u32,
    /// Whether the byte after it can follow the rule.
    is_followed: bool,
}

struct Walk<'a> {
    pda: &'a Pda,
    vocabulary: &'a Vocabulary,
    trie: &'a ByteTrie,
    rows: Vec<Row>,
    numbers: FxHashMap<StateId, u32>,
    states: Vec<StateId>,
    /// The start of a counted rule.
    again_from: Option<StateId>,
    /// What can follow the rule.
    follow: ByteSet,
    at: Vec<At>,
    ends: Vec<End>,
    accepted: Vec<u32>,
    /// The rounds that each accepted token takes, where that matters.
    taken: Vec<u32>,
    remainders: Vec<Remainder<'a>>,
    num_dependent: usize,
}

/// The split of a state below a trie node, or `None` where the automaton has calls or its rounds are not told apart.
pub(super) fn split_of_leaf(
    pda: &Pda,
    vocabulary: &Vocabulary,
    state: StateId,
    trie: &ByteTrie,
    node: usize,
    follow: ByteSet,
) -> Option<Split> {
    let again_from = pda.rule_of(state).counter.map(|_| pda.rule_of(state).start);
    let mut walk = Walk {
        pda,
        vocabulary,
        trie,
        rows: Vec::new(),
        numbers: FxHashMap::default(),
        states: Vec::new(),
        again_from,
        follow,
        at: vec![At { row: DEAD, done: 0 }; trie.max_depth() + 1],
        ends: Vec::new(),
        accepted: Vec::new(),
        taken: Vec::new(),
        remainders: Vec::new(),
        num_dependent: 0,
    };
    let row = walk.row(state)?;
    walk.at[usize::from(trie.nodes()[node].depth)] = At { row, done: 0 };
    walk.below(node)?;
    let words = vocabulary.mask_words();
    Some(match again_from {
        None => Split::new(&walk.accepted, walk.remainders, walk.num_dependent, Vec::new(), words),
        Some(_) => {
            let accepted = walk.taken.into_iter().zip(walk.accepted).collect();
            Split::of_rounds(accepted, walk.remainders, walk.num_dependent, words)
        }
    })
}

impl Walk<'_> {
    /// The number of a state's row, made now if there is none; `None` if the state is not one for this table.
    fn row(&mut self, state: StateId) -> Option<u32> {
        if let Some(&known) = self.numbers.get(&state) {
            return Some(known);
        }
        let is_final = self.pda.state(state).is_final;
        let has_edges = self.pda.has_edges(state);
        if !self.pda.calls_of(state).is_empty() || self.again_from.is_some() && is_final && has_edges {
            return None;
        }
        let mut row = Row { next: [DEAD; 256], is_final, has_edges, loops: ByteSet::EMPTY };
        for &(lo, hi, to) in self.pda.bytes_of(state) {
            row.next[usize::from(lo)..=usize::from(hi)].fill(UNKNOWN);
            if to == state && !is_final {
                row.loops = row.loops.union(&ByteSet::range(lo, hi));
            }
        }
        let number = self.rows.len() as u32;
        self.rows.push(row);
        self.states.push(state);
        self.numbers.insert(state, number);
        Some(number)
    }

    fn next(&mut self, row: u32, byte: u8) -> Option<u32> {
        let known = self.rows[row as usize].next[usize::from(byte)];
        if known != UNKNOWN {
            return Some(known);
        }
        let next = match self.pda.byte_target(self.states[row as usize], byte) {
            Some(target) => self.row(target)?,
            None => DEAD,
        };
        self.rows[row as usize].next[usize::from(byte)] = next;
        Some(next)
    }

    /// The nodes below one, in order; `None` where the automaton turns out not to be one for this table.
    fn below(&mut self, node: usize) -> Option<()> {
        let trie = self.trie;
        let (mut at, end) = (node + 1, trie.nodes()[node].end as usize);
        while at < end {
            let (byte, depth) = (trie.nodes()[at].byte, trie.nodes()[at].depth);
            while self.ends.last().is_some_and(|end| end.depth >= depth) {
                self.ends.pop();
            }
            if let Some(end) = self.ends.last_mut().filter(|end| end.depth + 1 == depth) {
                end.is_followed = self.follow.contains(byte);
            }
            let above = self.at[usize::from(depth) - 1];
            let next = if above.row == DEAD { DEAD } else { self.next(above.row, byte)? };
            let is_dependent = self.ends.iter().any(|end| end.is_followed);
            if next == DEAD {
                if !is_dependent {
                    at = trie.nodes()[at].end as usize;
                    continue;
                }
                self.dependent(at, depth);
                self.at[usize::from(depth)] = At { row: DEAD, done: 0 };
            } else {
                self.alive(at, depth, At { row: next, done: above.done }, is_dependent)?;
            }
            at += 1;
        }
        Some(())
    }

    /// A node whose byte is read.
    fn alive(&mut self, node: usize, depth: u16, mut now: At, is_dependent: bool) -> Option<()> {
        let Row { is_final, has_edges, .. } = self.rows[now.row as usize];
        let tokens = self.trie.tokens_at(node);
        self.accepted.extend_from_slice(tokens);
        if let Some(start) = self.again_from {
            let taken = now.done + 1;
            self.taken.extend(tokens.iter().map(|_| taken));
            if is_dependent {
                // Where too few rounds are left, the rule may have ended before.
                self.dependent(node, depth);
            }
            if is_final {
                now = At { row: self.row(start)?, done: taken };
            }
        } else if !has_edges {
            now.row = DEAD;
        }
        if is_final {
            self.ends.push(End { depth, done: now.done, is_followed: false });
        }
        self.at[usize::from(depth)] = now;
        Some(())
    }

    fn dependent(&mut self, node: usize, depth: u16) {
        let tokens = self.trie.tokens_at(node);
        self.num_dependent += tokens.len();
        for &token in tokens {
            for end in self.ends.iter().filter(|end| end.is_followed) {
                self.remainders.push((remainder(self.vocabulary, token, depth, end.depth), token, end.done));
            }
        }
    }
}
