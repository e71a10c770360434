//! The transitions of an automaton without calls, looked up once for each state and byte.

use crate::automaton::horizon::Horizon;
use crate::automaton::{Pda, StateId};
use crate::grammar::ByteSet;
use crate::mask::horizon::Horizons;
use crate::vocab::{ByteTrie, SUMMARY_NODES, Summary};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// No row.
pub(super) const DEAD: u16 = u16::MAX;
/// Not looked up yet.
const UNKNOWN: u16 = u16::MAX - 1;
/// How far a row goes on is found out once it is asked of so many nodes of the trie: it takes as long as a walk through them.
const WORTH_A_HORIZON: usize = 1024;

/// What is known of a state. What has more rows than there are numbers is for the other way to split.
struct Row {
    state: StateId,
    is_final: bool,
    /// Whether the state's edges were looked at. Those that are narrow wait for it: most texts of the trie end where they begin.
    is_made: bool,
    /// The bytes that lead anywhere, or may do so.
    bytes: ByteSet,
    /// Those of ASCII that lead back to this row.
    loops: ByteSet,
    /// Found out when it pays.
    horizon: Option<Horizon>,
    /// The nodes below which it was asked for.
    asked: usize,
}

/// Where some bytes lead from a row, all of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Alike {
    To(u16),
    Nowhere,
}

/// See the module.
pub(super) struct Table<'a> {
    pda: &'a Pda,
    horizons: &'a mut Horizons,
    rows: Vec<Row>,
    /// For each row the one after each byte.
    next: Vec<[u16; 256]>,
    numbers: FxHashMap<StateId, u16>,
    /// An end begins another round: states that both end and go on are not told apart.
    is_counted: bool,
    may_end: bool,
}

impl<'a> Table<'a> {
    pub(super) fn new(pda: &'a Pda, horizons: &'a mut Horizons, is_counted: bool) -> Self {
        let (rows, next, numbers) = (Vec::new(), Vec::new(), FxHashMap::default());
        Self { pda, horizons, rows, next, numbers, is_counted, may_end: false }
    }

    /// The number of a state's row, made now if there is none; `None` if the state is not one for this table.
    pub(super) fn row(&mut self, state: StateId) -> Option<u16> {
        if let Some(&known) = self.numbers.get(&state) {
            return Some(known);
        }
        let number = u16::try_from(self.rows.len()).ok().filter(|&number| number < UNKNOWN)?;
        let (bytes, loops, is_final) = (ByteSet::EMPTY, ByteSet::EMPTY, self.pda.state(state).is_final);
        self.rows.push(Row { state, is_final, is_made: false, bytes, loops, horizon: None, asked: 0 });
        self.next.push([DEAD; 256]);
        match self.pda.narrow(state) {
            Some(bytes) => bytes.iter().for_each(|&byte| self.may_go(number, byte, byte)),
            None => self.make(number)?,
        }
        self.numbers.insert(state, number);
        self.may_end |= is_final;
        Some(number)
    }

    /// Some bytes may lead from a row to somewhere.
    fn may_go(&mut self, row: u16, lo: u8, hi: u8) {
        self.next[usize::from(row)][usize::from(lo)..=usize::from(hi)].fill(UNKNOWN);
        self.rows[usize::from(row)].bytes.insert_range(lo, hi);
    }

    /// Looks at a row's edges; `None` if its state is not one for this table.
    fn make(&mut self, row: u16) -> Option<()> {
        let Row { state, is_final, ref mut is_made, .. } = self.rows[usize::from(row)];
        *is_made = true;
        let edges = self.pda.bytes_of(state);
        if !self.pda.calls_of(state).is_empty() || self.is_counted && is_final && !edges.is_empty() {
            return None;
        }
        for &(lo, hi, to) in edges {
            self.may_go(row, lo, hi);
            if to == state {
                self.rows[usize::from(row)].loops.insert_range(lo, hi.min(0x7F));
            }
        }
        Some(())
    }

    #[inline(always)]
    pub(super) fn next(&mut self, row: u16, byte: u8) -> Option<u16> {
        let known = self.next[usize::from(row)][usize::from(byte)];
        if known == UNKNOWN { self.look_up(row, byte) } else { Some(known) }
    }

    #[cold]
    fn look_up(&mut self, row: u16, byte: u8) -> Option<u16> {
        if !self.rows[usize::from(row)].is_made {
            self.make(row)?;
        }
        let next = match self.pda.byte_target(self.rows[usize::from(row)].state, byte) {
            Some(target) => self.row(target)?,
            None => DEAD,
        };
        self.next[usize::from(row)][usize::from(byte)] = next;
        Some(next)
    }

    /// Whether any row is final.
    #[inline]
    pub(super) fn may_end(&self) -> bool {
        self.may_end
    }

    #[inline]
    pub(super) fn is_final(&self, row: u16) -> bool {
        self.rows[usize::from(row)].is_final
    }

    /// Most of the bytes of ASCII by which a row goes on to the same one.
    pub(super) fn most_alike(&self, row: u16) -> Option<ByteSet> {
        let mut targets: SmallVec<[(StateId, ByteSet); 4]> = SmallVec::new();
        for &(lo, hi, to) in self.pda.bytes_of(self.rows[usize::from(row)].state) {
            let bytes = ByteSet::range(lo, hi).intersection(&ByteSet::range(0, 0x7F));
            match targets.iter_mut().find(|target| target.0 == to) {
                Some((_, all)) => *all = all.union(&bytes),
                None => targets.push((to, bytes)),
            }
        }
        targets.into_iter().map(|target| target.1).max_by_key(ByteSet::len)
    }

    /// Where some bytes lead from a row if that is the same place for all.
    pub(super) fn all_lead(&mut self, row: u16, bytes: &ByteSet) -> Option<Alike> {
        if bytes.intersection(&self.rows[usize::from(row)].bytes).is_empty() {
            return Some(Alike::Nowhere);
        }
        let edges = self.pda.bytes_of(self.rows[usize::from(row)].state);
        let by = |&(lo, hi, _): &(u8, u8, StateId)| ByteSet::range(lo, hi).intersection(bytes).len();
        let mut some = edges.iter().filter(|edge| by(edge) > 0);
        let Some(&(.., to)) = some.next() else { return Some(Alike::Nowhere) };
        let number: usize = edges.iter().filter(|edge| edge.2 == to).map(by).sum();
        if number == bytes.len() { Some(Alike::To(self.row(to)?)) } else { None }
    }

    /// The bytes by which a row goes on, and perhaps more.
    pub(super) fn bytes(&self, row: u16) -> &ByteSet {
        &self.rows[usize::from(row)].bytes
    }

    /// Whether a row is known to go on by all that is below a node.
    #[inline]
    pub(super) fn takes_all_below(&mut self, trie: &ByteTrie, node: usize, row: u16) -> bool {
        trie.size_below(node) >= SUMMARY_NODES && self.takes_summary(trie, node, row)
    }

    fn takes_summary(&mut self, trie: &ByteTrie, node: usize, row: u16) -> bool {
        let Some(summary) = trie.summary(node) else { return false };
        let Row { bytes, loops, .. } = &self.rows[usize::from(row)];
        let Summary { characters, height, .. } = summary;
        if !characters.is_within(bytes) || !summary.is_text_or_ascii() {
            return false;
        }
        if characters.is_within(loops) {
            return true;
        }
        let loops = *loops;
        self.horizon(row, trie.size_below(node)).is_some_and(|horizon| {
            characters.is_within(&loops.union(&horizon.loops)) || horizon.covers(&characters, height)
        })
    }

    /// Whether a row is known to go on by all texts of some characters that are below a node.
    pub(super) fn takes_all_of(&mut self, trie: &ByteTrie, node: usize, row: u16, of: &ByteSet) -> bool {
        let Some(summary) = trie.summary(node).filter(|summary| summary.is_text_or_ascii()) else {
            return false;
        };
        self.horizon(row, trie.size_below(node))
            .is_some_and(|horizon| horizon.covers(&summary.characters.intersection(of), summary.height))
    }

    /// How far a row goes on, for so many nodes; `None` as long as it does not pay to find that out.
    fn horizon(&mut self, row: u16, nodes: usize) -> Option<&Horizon> {
        let Row { state, ref mut horizon, ref mut asked, .. } = self.rows[usize::from(row)];
        if horizon.is_none() {
            *asked += nodes;
            *horizon = match self.horizons.known(state) {
                None if *asked >= WORTH_A_HORIZON => Some(self.horizons.of(self.pda, state, false)),
                known => known,
            };
        }
        horizon.as_ref()
    }

    /// The same for the row that a split is of, where much depends on it.
    pub(super) fn thorough_horizon(&mut self, row: u16) -> Horizon {
        let Row { state, ref mut horizon, .. } = self.rows[usize::from(row)];
        horizon.insert(self.horizons.of(self.pda, state, true)).clone()
    }
}
