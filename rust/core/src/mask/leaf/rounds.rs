//! Splits of counted rules: arriving at a final state ends a round, and the next begins at the rule's start. If no final state goes on
//! by itself, the rounds that a token takes are the same in every run, and one split serves every count
//! ([`crate::mask::split::Rounds`]).

use super::table::{DEAD, Table};
use super::{Dependents, End};
use crate::automaton::StateId;
use crate::grammar::ByteSet;
use crate::mask::split::Split;
use crate::vocab::TrieNode;

/// A node on the path of the walk, whose children are looked at.
#[derive(Clone, Copy)]
struct Level {
    row: u16,
    /// The rule could end here.
    is_end: bool,
    /// So many of the ends before this node are followed by what may follow the rule.
    ends: u32,
    /// Rounds done.
    done: u32,
}

/// See the module.
pub(super) struct Rounds<'a> {
    table: Table<'a>,
    /// The rule's start.
    start: StateId,
    /// What can follow the rule.
    follow: ByteSet,
    /// By the depths of the nodes.
    path: Vec<Level>,
    ends: Vec<End>,
    /// Rounds that accepted tokens take, and the tokens.
    taken: Vec<(u32, u32)>,
    dependents: Dependents<'a>,
}

impl<'a> Rounds<'a> {
    pub(super) fn new(table: Table<'a>, start: StateId, follow: ByteSet, dependents: Dependents<'a>) -> Self {
        let path =
            vec![Level { row: DEAD, is_end: false, ends: 0, done: 0 }; dependents.trie.max_depth() + 1];
        Self { table, start, follow, path, ends: Vec::new(), taken: Vec::new(), dependents }
    }

    /// The split of a row below a node; `None` where rounds are not told apart.
    pub(super) fn split(mut self, node: usize, row: u16) -> Option<Split> {
        self.below(node, Level { row, is_end: false, ends: 0, done: 0 })?;
        let Dependents { vocabulary, remainders, number, .. } = self.dependents;
        Some(Split::of_rounds(self.taken, remainders, number, vocabulary.mask_words()))
    }

    /// What is below a node, all nodes in order.
    fn below(&mut self, top: usize, level: Level) -> Option<()> {
        let trie = self.dependents.trie;
        let TrieNode { depth, end, .. } = trie.nodes()[top];
        self.path[usize::from(depth)] = level;
        let mut node = top + 1;
        while node < end as usize {
            let TrieNode { byte, depth, end: after, .. } = trie.nodes()[node];
            let Level { row, is_end, ends, done } = self.path[usize::from(depth) - 1];
            self.ends.truncate(ends as usize);
            if is_end && self.follow.contains(byte) {
                self.ends.push((depth - 1, done));
            }
            let next = self.table.next(row, byte)?;
            if next != DEAD {
                self.path[usize::from(depth)] = self.alive(node, next, done)?;
                node += 1;
                continue;
            }
            if !self.ends.is_empty() {
                (node..after as usize).for_each(|node| self.dependents.add(node, &self.ends));
            }
            node = after as usize;
        }
        Some(())
    }

    /// A node whose byte is read; gives how to go on below it.
    fn alive(&mut self, node: usize, row: u16, done: u32) -> Option<Level> {
        let tokens = self.dependents.trie.tokens_at(node);
        self.taken.extend(tokens.iter().map(|&token| (done + 1, token)));
        let ends = self.ends.len() as u32;
        if ends > 0 {
            // Where too few rounds are left, the rule may have ended before.
            self.dependents.add(node, &self.ends);
        }
        let is_end = self.table.is_final(row);
        let (row, done) = if is_end { (self.table.row(self.start)?, done + 1) } else { (row, done) };
        Some(Level { row, is_end, ends, done })
    }
}
