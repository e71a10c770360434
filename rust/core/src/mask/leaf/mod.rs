//! Splits of automata without calls: no stack is needed, only a table of transitions.
//!
//! Most nodes of the trie that a walk comes to go on, and tokens stand in the trie's order: so a walk notes the parts of the trie that are
//! lost, and what it takes is all between them. Counted rules are walked round by round ([`rounds`]), states that take nearly all
//! tokens of a class beside it ([`beside`]), and those that count its characters along it ([`chain`]).

mod beside;
mod chain;
mod rounds;
mod table;

use super::class::{ClassKey, SEVERAL};
use super::horizon::Horizons;
use super::ranges::Ranges;
use super::split::{Remainder, Split, remainder};
use super::{MaskContext, SplitStore, TokenIds};
use crate::automaton::StateId;
use crate::automaton::horizon::LEAST_CHARACTERS;
use crate::grammar::ByteSet;
use crate::vocab::{ByteTrie, TrieNode, Vocabulary};
use rounds::Rounds;
use table::{DEAD, Table};

/// Below a node with fewer others, to go through all of them in order is quicker than to look for those that go on. Below a larger
/// one what is lost lies far apart: to pass over the three hundred children of the root that are no digits took 100 µs.
const SPARSE_NODES: usize = if cfg!(test) { 6 } else { 1024 };

/// A node on the path of the walk: the row it leads to, and its byte.
#[derive(Clone, Copy)]
struct Level {
    row: u16,
    byte: u8,
}

/// A depth on the path where the rule could have ended, and the rounds done there.
type End = (u16, u32);

/// Tokens of which a part is read after the rule's end.
struct Dependents<'a> {
    vocabulary: &'a Vocabulary,
    trie: &'a ByteTrie,
    remainders: Vec<Remainder<'a>>,
    number: usize,
    /// Where the trie is entered.
    above: u16,
    /// The last end of any of them, in bytes from there.
    deepest_end: u16,
}

struct Walk<'a> {
    table: Table<'a>,
    vocabulary: &'a Vocabulary,
    store: &'a SplitStore,
    trie: &'a ByteTrie,
    /// What can follow the rule.
    follow: ByteSet,
    /// By the depths of the nodes.
    path: Vec<Level>,
    /// No end before this depth of the path counts.
    first_end: u16,
    /// Accepted tokens, as places in the trie's order.
    accepted: Ranges,
    dependents: Dependents<'a>,
    /// The ends before the present node.
    ends: Vec<End>,
}

/// The split of a state below a trie node, or `None` where the automaton has calls or its rounds are not told apart.
pub(super) fn split_of_leaf(
    context: &MaskContext<'_>,
    state: StateId,
    trie: &ByteTrie,
    node: usize,
    follow: ByteSet,
    horizons: &mut Horizons,
) -> Option<Split> {
    let &MaskContext { pda, vocabulary, store, .. } = context;
    let rule = pda.rule_of(state);
    let mut table = Table::new(pda, horizons, rule.counter.is_some());
    let row = table.row(state)?;
    let above = trie.nodes()[node].depth;
    let dependents =
        Dependents { vocabulary, trie, remainders: Vec::new(), number: 0, above, deepest_end: 0 };
    if rule.counter.is_some() {
        return Rounds::new(table, rule.start, follow, dependents).split(node, row);
    }
    let mut walk = Walk {
        table,
        vocabulary,
        store,
        trie,
        follow,
        path: vec![Level { row: DEAD, byte: 0 }; trie.max_depth() + 1],
        // Where the rule could end already, its callers know.
        first_end: above + 1,
        accepted: Ranges::default(),
        dependents,
        ends: Vec::new(),
    };
    let is_whole = node == 0 && trie.serial() == vocabulary.trie().serial();
    if is_whole && walk.table.bytes(row).len() >= LEAST_CHARACTERS {
        let horizon = walk.table.thorough_horizon(row);
        if let Some(key) = ClassKey::of(&horizon)
            && let Some(class) = store.class(vocabulary, &key)
        {
            return walk.beside_class(row, &horizon, &class);
        }
        if let Some(chain) = walk.chain(row)
            && let Some(class) = store.class_if_it_pays(vocabulary, &chain.class)
        {
            return walk.along(&chain, &class);
        }
    }
    walk.below(node, row)?;
    let (number, accepted) = (walk.accepted.len(), walk.accepted.token_ids(trie, vocabulary));
    Some(walk.split(accepted, number))
}

impl Walk<'_> {
    /// What is below a node; `None` where the automaton turns out not to be one for this table.
    fn below(&mut self, top: usize, row: u16) -> Option<()> {
        let depth = self.trie.nodes()[top].depth;
        self.path[usize::from(depth)].row = row;
        if !self.is_sparse(top, depth) {
            return self.all_below(top);
        }
        let mut open = vec![(self.trie.children(top), depth)];
        while let Some((left, depth)) = open.last_mut() {
            let (row, depth) = (self.path[usize::from(*depth)].row, *depth + 1);
            let Some(child) = self.trie.first_child_by(left.clone(), self.table.bytes(row)) else {
                open.pop();
                continue;
            };
            left.start = child + 1;
            let (byte, node) = (self.trie.child_byte(child), self.trie.child_node(child));
            let row = self.table.next(row, byte)?;
            if row == DEAD {
                continue;
            }
            self.path[usize::from(depth)] = Level { row, byte };
            if self.table.takes_all_below(self.trie, node, row) {
                self.accepted.push(self.trie.places_from(node));
                continue;
            }
            self.accepted.push(self.trie.places_at(node));
            if self.is_sparse(node, depth) {
                open.push((self.trie.children(node), depth));
            } else {
                self.all_below(node)?;
            }
        }
        Some(())
    }

    /// Whether so much is below a node that its children are looked at by their bytes: what is lost is not touched then, so nothing
    /// may have ended on the way.
    fn is_sparse(&self, node: usize, depth: u16) -> bool {
        let ends = |at: u16| self.table.is_final(self.path[usize::from(at)].row);
        self.trie.size_below(node) >= SPARSE_NODES && !(self.first_end..=depth).any(ends)
    }

    /// What is below a node at the end of the path, all nodes in order.
    fn all_below(&mut self, top: usize) -> Option<()> {
        let (trie, nodes) = (self.trie, self.trie.nodes());
        let end = nodes[top].end as usize;
        let (mut node, mut kept) = (top + 1, top + 1);
        while node < end {
            let TrieNode { byte, depth, end: after, .. } = nodes[node];
            let after = after as usize;
            let above = self.path[usize::from(depth) - 1].row;
            let row = self.table.next(above, byte)?;
            if row == DEAD {
                self.accepted.push(trie.places_between(kept, node));
                if self.table.may_end() {
                    self.after_ends(node, depth, byte);
                }
                (node, kept) = (after, after);
                continue;
            }
            self.path[usize::from(depth)] = Level { row, byte };
            node = if self.table.takes_all_below(trie, node, row) { after } else { node + 1 };
        }
        self.accepted.push(trie.places_between(kept, end));
        Some(())
    }

    /// A node that a row takes, and what is below it. Before it nothing ends.
    fn from(&mut self, node: usize, row: u16) -> Option<()> {
        if self.table.takes_all_below(self.trie, node, row) {
            self.accepted.push(self.trie.places_from(node));
            return Some(());
        }
        self.accepted.push(self.trie.places_at(node));
        self.first_end = self.trie.nodes()[node].depth;
        self.below(node, row)
    }

    /// An exit of a class, with its token if that is all there is, and the row it leads to.
    #[inline]
    fn leave(&mut self, node: u32, token: u32, row: u16, with: &mut Vec<u32>) -> Option<()> {
        match row {
            DEAD => {}
            _ if token != SEVERAL => with.push(token),
            _ => self.from(node as usize, row)?,
        }
        Some(())
    }

    /// A node that is lost: if the rule could have ended on the path to it, what is there depends on what follows.
    fn after_ends(&mut self, node: usize, depth: u16, byte: u8) {
        self.ends.clear();
        for at in self.first_end..depth {
            let next = if at + 1 == depth { byte } else { self.path[usize::from(at) + 1].byte };
            if self.table.is_final(self.path[usize::from(at)].row) && self.follow.contains(next) {
                self.ends.push((at, 0));
            }
        }
        if !self.ends.is_empty() {
            let after = self.trie.nodes()[node].end as usize;
            (node..after).for_each(|node| self.dependents.add(node, &self.ends));
        }
    }

    /// The split of what was accepted and gathered.
    fn split(self, accepted: TokenIds, number: usize) -> Split {
        let Dependents { remainders, number: num_dependent, deepest_end, .. } = self.dependents;
        Split {
            deepest_end: Some(deepest_end),
            ..Split::new(accepted, number, remainders, num_dependent, Vec::new())
        }
    }
}

impl Dependents<'_> {
    /// Adds the tokens at a node, with some ends on the way to it.
    fn add(&mut self, node: usize, ends: &[End]) {
        let depth = self.trie.nodes()[node].depth;
        let tokens = self.trie.tokens_at(node);
        self.number += tokens.len();
        let deepest = ends.last().map_or(0, |end| end.0 - self.above);
        self.deepest_end = self.deepest_end.max(deepest);
        for &token in tokens {
            let text = |&(end, done): &End| (remainder(self.vocabulary, token, depth, end), token, done);
            self.remainders.extend(ends.iter().map(text));
        }
    }
}
