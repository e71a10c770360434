//! Splits of automata without calls: no stack is needed, only a table of transitions.
//!
//! A counted rule is run round by round: arriving at a final state ends a round, and the next begins at the rule's start. If
//! no final state goes on by itself, the rounds that a token takes are the same in every run, and one split serves every
//! count ([`super::split::Rounds`]).

use super::class::{Class, ClassKey, Step};
use super::horizon::Horizons;
use super::ranges::Ranges;
use super::split::{Remainder, Split, remainder};
use super::{MaskContext, SplitStore, TokenIds};
use crate::automaton::horizon::{ENOUGH, Horizon};
use crate::automaton::{Pda, StateId};
use crate::grammar::ByteSet;
use crate::grammar::utf8::is_continuation;
use crate::vocab::{ByteTrie, Summary, TrieNode, Vocabulary};
use rustc_hash::FxHashMap;

/// A row of the table: for each byte the row it leads to. What has more rows than there are numbers is for the other way to split.
struct Row {
    next: [u16; 256],
    is_final: bool,
    /// The bytes that lead anywhere.
    bytes: ByteSet,
    /// Those of ASCII that lead back to this row.
    loops: ByteSet,
    /// Found out when first asked for.
    horizon: Option<Horizon>,
}

/// To be lost takes so many letters that the tokens that have them are looked for one by one.
const MANY_LETTERS: usize = 3;
/// No row.
const DEAD: u16 = u16::MAX;
/// Not looked up yet.
const UNKNOWN: u16 = u16::MAX - 1;

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

/// A place on the path where the rule could have ended, and the rounds done there.
type End = (u16, u32);

struct Walk<'a> {
    pda: &'a Pda,
    vocabulary: &'a Vocabulary,
    store: &'a SplitStore,
    trie: &'a ByteTrie,
    horizons: &'a mut Horizons,
    rows: Vec<Row>,
    numbers: FxHashMap<StateId, u16>,
    states: Vec<StateId>,
    /// The start of a counted rule.
    again_from: Option<StateId>,
    /// What can follow the rule.
    follow: ByteSet,
    /// By the depths of the nodes.
    path: Vec<Level>,
    ends: Vec<End>,
    /// Accepted tokens, as places in the trie's order.
    accepted: Ranges,
    /// Rounds that accepted tokens take, and the tokens, for a counted rule.
    taken: Vec<(u32, u32)>,
    remainders: Vec<Remainder<'a>>,
    num_dependent: usize,
    /// Where the trie is entered.
    above: u16,
    /// The last end of a dependent token, in bytes from there.
    deepest_end: u16,
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
    let again_from = pda.rule_of(state).counter.map(|_| pda.rule_of(state).start);
    let mut walk = Walk {
        pda,
        vocabulary,
        store,
        trie,
        horizons,
        rows: Vec::new(),
        numbers: FxHashMap::default(),
        states: Vec::new(),
        again_from,
        follow,
        path: vec![Level { row: DEAD, is_end: false, ends: 0, done: 0 }; trie.max_depth() + 1],
        ends: Vec::new(),
        accepted: Ranges::default(),
        taken: Vec::new(),
        remainders: Vec::new(),
        num_dependent: 0,
        above: trie.nodes()[node].depth,
        deepest_end: 0,
    };
    let row = walk.row(state)?;
    if again_from.is_none() && node == 0 && trie.serial() == vocabulary.trie().serial() {
        let horizon = walk.horizons.of(pda, state, true);
        walk.rows[row as usize].horizon = Some(horizon);
        if let Some(key) = ClassKey::of(&horizon) {
            return walk.beside_class(row, &horizon, &store.class(vocabulary, &key));
        }
    }
    walk.below(node, Level { row, is_end: false, ends: 0, done: 0 })?;
    let words = vocabulary.mask_words();
    if again_from.is_some() {
        return Some(Split::of_rounds(walk.taken, walk.remainders, walk.num_dependent, words));
    }
    let (number, accepted) = (walk.accepted.len(), walk.accepted.token_ids(trie, vocabulary));
    Some(walk.split(accepted, number))
}

impl<'a> Walk<'a> {
    /// The number of a state's row, made now if there is none; `None` if the state is not one for this table.
    fn row(&mut self, state: StateId) -> Option<u16> {
        if let Some(&known) = self.numbers.get(&state) {
            return Some(known);
        }
        let is_final = self.pda.state(state).is_final;
        let bytes = self.pda.bytes_of(state);
        if !self.pda.calls_of(state).is_empty() || self.again_from.is_some() && is_final && !bytes.is_empty()
        {
            return None;
        }
        let mut row =
            Row { next: [DEAD; 256], is_final, bytes: ByteSet::EMPTY, loops: ByteSet::EMPTY, horizon: None };
        for &(lo, hi, to) in bytes {
            row.next[usize::from(lo)..=usize::from(hi)].fill(UNKNOWN);
            row.bytes.insert_range(lo, hi);
            if to == state {
                row.loops.insert_range(lo, hi.min(0x7F));
            }
        }
        let number = u16::try_from(self.rows.len()).ok().filter(|&number| number < UNKNOWN)?;
        self.rows.push(row);
        self.states.push(state);
        self.numbers.insert(state, number);
        Some(number)
    }

    #[inline(always)]
    fn next(&mut self, row: u16, byte: u8) -> Option<u16> {
        let known = self.rows[row as usize].next[usize::from(byte)];
        if known == UNKNOWN { self.look_up(row, byte) } else { Some(known) }
    }

    #[cold]
    fn look_up(&mut self, row: u16, byte: u8) -> Option<u16> {
        let next = match self.pda.byte_target(self.states[row as usize], byte) {
            Some(target) => self.row(target)?,
            None => DEAD,
        };
        self.rows[row as usize].next[usize::from(byte)] = next;
        Some(next)
    }

    /// What is below a node, all nodes in order; `None` where the automaton turns out not to be one for this table.
    fn below(&mut self, top: usize, level: Level) -> Option<()> {
        let trie = self.trie;
        let TrieNode { depth, end, .. } = trie.nodes()[top];
        self.path[usize::from(depth)] = level;
        let mut node = top + 1;
        while node < end as usize {
            let TrieNode { byte, depth, end: after, .. } = trie.nodes()[node];
            let Level { row, is_end, ends, done } = self.path[usize::from(depth) - 1];
            let next = self.next(row, byte)?;
            self.ends.truncate(ends as usize);
            if is_end && self.follow.contains(byte) {
                self.ends.push((depth - 1, done));
            }
            if next != DEAD
                && let Some(level) = self.alive(node, next, done)?
            {
                self.path[usize::from(depth)] = level;
                node += 1;
                continue;
            }
            if next == DEAD && !self.ends.is_empty() {
                (node..after as usize).for_each(|node| self.dependent(node));
            }
            node = after as usize;
        }
        Some(())
    }

    /// A node whose byte is read; gives how to go on below it, unless all is known. `None` as [`Self::below`].
    #[inline]
    fn alive(&mut self, node: usize, row: u16, done: u32) -> Option<Option<Level>> {
        let (is_end, ends) = (self.rows[row as usize].is_final, self.ends.len() as u32);
        let Some(start) = self.again_from else {
            if self.takes_all_below(node, row) {
                self.accepted.push(self.trie.places_from(node));
                return Some(None);
            }
            self.accepted.push(self.trie.places_at(node));
            return Some(Some(Level { row, is_end, ends, done }));
        };
        self.taken.extend(self.trie.tokens_at(node).iter().map(|&token| (done + 1, token)));
        if ends > 0 {
            // Where too few rounds are left, the rule may have ended before.
            self.dependent(node);
        }
        let (row, done) = if is_end { (self.row(start)?, done + 1) } else { (row, done) };
        Some(Some(Level { row, is_end, ends, done }))
    }

    /// Whether a row is known to go on by all that is below a node.
    fn takes_all_below(&mut self, node: usize, row: u16) -> bool {
        let Some(summary) = self.trie.summary(node) else { return false };
        let Row { bytes, loops, .. } = &self.rows[row as usize];
        let Summary { characters, height, .. } = summary;
        if !characters.is_within(bytes) || !summary.is_text_or_ascii() {
            return false;
        }
        if characters.is_within(loops) {
            return true;
        }
        let loops = *loops;
        let horizon = self.horizon(row);
        characters.is_within(&loops.union(&horizon.loops)) || horizon.covers(characters, *height)
    }

    fn horizon(&mut self, row: u16) -> &Horizon {
        let row = row as usize;
        self.rows[row].horizon.get_or_insert_with(|| self.horizons.of(self.pda, self.states[row], false))
    }

    /// The split of a row that takes nearly all tokens of a class: only those that it may not take, and where tokens leave the
    /// class, are looked at. Within the class nothing ends.
    fn beside_class(mut self, row: u16, horizon: &Horizon, class: &Class) -> Option<Split> {
        let mut rows = vec![row; self.trie.max_depth() + 1];
        let mut without = Vec::new();
        let length = horizon.length;
        if length < ENOUGH {
            self.lost(row, horizon, class, &mut without)?;
        } else if length < self.trie.max_depth() as u16 {
            self.too_long(length, class, &mut rows, &mut without)?;
        }
        for &step in class.exits.steps() {
            let row = self.go(step, &mut rows)?;
            if step.is_end && row != DEAD {
                self.ends.clear();
                if let Some(level) = self.alive(step.node as usize, row, 0)? {
                    self.below(step.node as usize, level)?;
                }
            }
        }
        let number = class.number + self.accepted.len() - without.len();
        let with = self.accepted.tokens(self.trie);
        let tokens = TokenIds::beside(&class.tokens, with, without, self.vocabulary.mask_words());
        Some(self.split(tokens, number))
    }

    /// Adds the tokens of a class that are longer than a row is known to go on, and are not taken.
    fn too_long(
        &mut self,
        length: u16,
        class: &Class,
        rows: &mut [u16],
        without: &mut Vec<u32>,
    ) -> Option<()> {
        let mut steps = class.long.steps();
        while let [step, rest @ ..] = steps {
            let node = step.node as usize;
            if self.trie.summary(node).is_some_and(|below| step.depth + below.height <= length) {
                let end = self.trie.nodes()[node].end;
                steps = &rest[rest.partition_point(|later| later.node < end)..];
                continue;
            }
            let row = self.go(*step, rows)?;
            if step.is_end && step.depth > length && row == DEAD {
                without.extend_from_slice(self.trie.tokens_at(node));
            }
            steps = rest;
        }
        Some(())
    }

    /// Adds the tokens of a class that a row does not take: they are long, and have all letters that it needs.
    fn lost(&mut self, row: u16, horizon: &Horizon, class: &Class, without: &mut Vec<u32>) -> Option<()> {
        // Few tokens have so many letters, but most of the trie's larger parts.
        if horizon.needed.len() >= MANY_LETTERS {
            self.lost_by_letters(row, horizon, class, without)
        } else {
            self.lost_below(row, &horizon.characters, class, without)
        }
    }

    fn lost_by_letters(
        &mut self,
        row: u16,
        horizon: &Horizon,
        class: &Class,
        without: &mut Vec<u32>,
    ) -> Option<()> {
        let letters = self.store.letters(self.vocabulary);
        for place in letters.with_all(&horizon.needed, &horizon.characters) {
            let token = self.trie.order()[place];
            let text = self.vocabulary.token_bytes(token);
            if text.len() <= usize::from(horizon.length) || !class.tokens.contains(token) {
                continue;
            }
            let mut at = row;
            for &byte in text {
                at = self.next(at, byte)?;
                if at == DEAD {
                    without.push(token);
                    break;
                }
            }
        }
        Some(())
    }

    fn lost_below(&mut self, row: u16, of: &ByteSet, class: &Class, without: &mut Vec<u32>) -> Option<()> {
        let mut todo = vec![(0, row)];
        while let Some((node, row)) = todo.pop() {
            for child in self.trie.children(node) {
                let (byte, child) = (self.trie.child_byte(child), self.trie.child_node(child));
                // All bytes that can continue a character do so here.
                if !is_continuation(byte) && !of.contains(byte) {
                    continue;
                }
                let next = self.next(row, byte)?;
                if next == DEAD {
                    let tokens = self.trie.tokens_from(child).iter();
                    without.extend(tokens.filter(|&&token| class.tokens.contains(token)));
                } else if !self.takes_all_of(child, next, of) {
                    todo.push((child, next));
                }
            }
        }
        Some(())
    }

    /// Whether a row is known to go on by all texts of some characters that are below a node.
    fn takes_all_of(&mut self, node: usize, row: u16, of: &ByteSet) -> bool {
        let Some(summary) = self.trie.summary(node).filter(|summary| summary.is_text_or_ascii()) else {
            return false;
        };
        self.horizon(row).covers(&summary.characters.intersection(of), summary.height)
    }

    /// The split of what was accepted and gathered.
    fn split(self, accepted: TokenIds, number: usize) -> Split {
        Split {
            deepest_end: Some(self.deepest_end),
            ..Split::new(accepted, number, self.remainders, self.num_dependent, Vec::new())
        }
    }

    /// The row after a step, from those at each depth of the way to it.
    #[inline]
    fn go(&mut self, step: Step, rows: &mut [u16]) -> Option<u16> {
        let depth = usize::from(step.depth);
        let above = rows[depth - 1];
        let row = if above == DEAD { DEAD } else { self.next(above, step.byte)? };
        rows[depth] = row;
        Some(row)
    }

    fn dependent(&mut self, node: usize) {
        let depth = self.trie.nodes()[node].depth;
        let tokens = self.trie.tokens_at(node);
        self.num_dependent += tokens.len();
        let deepest = self.ends.last().map_or(0, |end| end.0 - self.above);
        self.deepest_end = self.deepest_end.max(deepest);
        for &token in tokens {
            let text = |&(end, done): &End| (remainder(self.vocabulary, token, depth, end), token, done);
            self.remainders.extend(self.ends.iter().map(text));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::mask::stepping;
    use proptest::prelude::*;

    /// Strings in which words, letters, and some of the characters of a first byte must not occur.
    const SCHEMAS: [&str; 8] = [
        r#"{"type": "string", "not": {"pattern": "abca"}}"#,
        r#"{"type": "string", "not": {"pattern": "ab(ca|bc)|a/c"}}"#,
        r#"{"type": "string", "not": {"pattern": "ab+.?c|éa"}}"#,
        r#"{"type": "string", "pattern": "^(.+)/(.+)$"}"#,
        r#"{"type": "string", "pattern": "^[^/a]+/[^/]+$"}"#,
        r#"{"type": "string", "pattern": "^a.*[^a\u201c]{3}$"}"#,
        r#"{"type": "string", "pattern": "^[0-9A-Za-z]{4}-[0-9A-Za-z/]{2,5}$"}"#,
        r#"{"type": "object", "patternProperties": {"abc": false, "^.+a": {"type": "null"}}, "maxProperties": 2}"#,
    ];

    /// Pieces of tokens; some are cut off inside a character.
    const PIECES: [&[u8]; 16] = [
        b"a",
        b"b",
        b"c",
        b"ab",
        b"ca",
        b"/",
        b"-",
        b"\"",
        b"\\",
        b"u0061",
        "é".as_bytes(),
        "\u{2028}".as_bytes(),
        "\u{201c}".as_bytes(),
        b"\xe2\x80",
        b"\x9c",
        b"{\"",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 320, ..ProptestConfig::default() })]
        #[test]
        fn masks_beside_classes_are_what_stepping_says(
            tokens in prop::collection::vec(prop::collection::vec(prop::sample::select(PIECES.to_vec()), 1..7), 30..90),
            schema in prop::sample::select(SCHEMAS.to_vec()),
            walks in prop::collection::vec(prop::collection::vec(0usize..1000, 8), 1..4),
        ) {
            let pieces = PIECES.iter().map(|piece| piece.to_vec());
            let tokens: Vec<Vec<u8>> = pieces.chain(tokens.iter().map(|pieces| pieces.concat())).collect();
            stepping::compare(schema, &tokens, &walks, stepping::any)?;
        }
    }
}
