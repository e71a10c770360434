//! Splitting the vocabulary for one automaton state, whatever lies beneath.
//!
//! Two ways to the same answer: [`super::leaf`] for automata without calls, which need no stack, and the walk here, on a
//! stack of which nothing is known, for all others. Tests compare them.

use super::TokenIds;
use super::bounded::Takes;
use crate::automaton::{Counter, Pda};
use crate::error::Result;
use crate::grammar::ByteSet;
use crate::stack::{Arena, Config, Count, SetFlags, SetId};
use crate::vocab::{ByteTrie, TrieNode, Vocabulary};
use std::sync::{Arc, OnceLock};

/// The vocabulary as one state sees it; see [`crate::mask`].
#[derive(Debug)]
pub(crate) struct Split {
    pub(super) accepted: Arc<TokenIds>,
    pub(super) num_accepted: usize,
    pub(super) remainders: Remainders,
    /// Context-dependent tokens; each once, however many remainders it has.
    pub(super) num_dependent: usize,
    /// Tokens inside which a value is collected: the real registers have to be asked.
    pub(super) again: Box<[u32]>,
    /// For a split that holds for every count of its rule.
    pub(super) rounds: Option<Rounds>,
    /// So many bytes, or fewer, are read before any end inside a token, if that is known.
    pub(super) deepest_end: Option<u16>,
    /// For splits that serve for bounded lengths: what long tokens take, once that is asked for.
    pub(super) takes: OnceLock<Option<Takes>>,
}

/// What context-dependent tokens leave over after the rule's end.
#[derive(Debug)]
pub(crate) struct Remainders {
    pub(super) trie: ByteTrie,
    /// Rounds done before each, in the order of the trie's tokens; empty unless the split is for every count.
    pub(super) done: Box<[u32]>,
    /// The fewest and the most of them.
    bounds: Option<(u32, u32)>,
}

/// How many rounds of a counted rule tokens take, so that one split serves every count: with `c` rounds done, a token fits
/// if it takes at most `max - c`, and may end the rule after `r` more if `min <= c + r <= max`.
#[derive(Debug)]
pub(crate) struct Rounds {
    /// The accepted tokens, by the rounds that they take.
    tokens: Box<[u32]>,
    /// How many of them take up to so many rounds.
    up_to: Box<[u32]>,
    /// The tokens that take up to so many rounds, once asked for.
    within: Box<[OnceLock<Arc<TokenIds>>]>,
    words: usize,
}

/// One remainder: its text, its token, and the rounds done before it.
pub(super) type Remainder<'a> = (&'a [u8], u32, u32);

/// Memory that the walk of one split may take, bytes.
const WALK_LIMIT_BYTES: usize = 1 << 30;

impl Split {
    pub(super) fn new(
        accepted: TokenIds,
        num_accepted: usize,
        remainders: Vec<Remainder<'_>>,
        num_dependent: usize,
        again: Vec<u32>,
    ) -> Self {
        Self {
            accepted: Arc::new(accepted),
            num_accepted,
            remainders: Remainders::new(remainders, false),
            num_dependent,
            again: again.into(),
            rounds: None,
            deepest_end: None,
            takes: OnceLock::new(),
        }
    }

    /// A split for every count: accepted tokens come with the rounds that they take.
    pub(super) fn of_rounds(
        accepted: Vec<(u32, u32)>,
        remainders: Vec<Remainder<'_>>,
        num_dependent: usize,
        words: usize,
    ) -> Self {
        // Counting sort: rounds are few, tokens many.
        let most = accepted.iter().map(|&(rounds, _)| rounds).max().unwrap_or(0) as usize;
        let mut up_to = vec![0u32; most + 1];
        accepted.iter().for_each(|&(rounds, _)| up_to[rounds as usize] += 1);
        for k in 1..=most {
            up_to[k] += up_to[k - 1];
        }
        let mut next: Vec<u32> = std::iter::once(0).chain(up_to.iter().copied()).collect();
        let mut tokens = vec![0; accepted.len()].into_boxed_slice();
        for (rounds, token) in accepted {
            let place = &mut next[rounds as usize];
            tokens[*place as usize] = token;
            *place += 1;
        }
        let within = (0..most).map(|_| OnceLock::new()).collect();
        let all = TokenIds::from_ids(&tokens, words);
        let number = tokens.len();
        let rounds = Some(Rounds { up_to: up_to.into(), within, words, tokens });
        let remainders = Remainders::new(remainders, true);
        Self { remainders, rounds, ..Self::new(all, number, Vec::new(), num_dependent, Vec::new()) }
    }

    /// Walks a trie below a node from a state with nothing known beneath, whose rule is followed by some bytes; the root is node 0.
    pub(super) fn walk(
        (pda, vocabulary): (&Pda, &Vocabulary),
        config: Config,
        (trie, node): (&ByteTrie, usize),
        follow: ByteSet,
    ) -> Result<Self> {
        let mut walk = Walk::new((pda, vocabulary), config, trie, follow);
        walk.below(node, usize::MAX);
        walk.split()
    }

    /// The same for the whole vocabulary, if it leaves no more than so many remainders.
    pub(super) fn walk_few(
        (pda, vocabulary): (&Pda, &Vocabulary),
        config: Config,
        follow: ByteSet,
        most: usize,
    ) -> Result<Option<Self>> {
        let mut walk = Walk::new((pda, vocabulary), config, vocabulary.trie(), follow);
        if walk.below(0, most) { walk.split().map(Some) } else { Ok(None) }
    }

    /// The accepted tokens of a configuration, and those of them that it takes too many rounds for.
    pub(super) fn accepted_at(&self, count: Count, counter: Counter) -> (Arc<TokenIds>, &[u32], usize) {
        match &self.rounds {
            Some(rounds) if counter.max != Counter::UNBOUNDED => {
                rounds.at_most(counter.max.saturating_sub(count.lo), &self.accepted)
            }
            _ => (Arc::clone(&self.accepted), &[], self.num_accepted),
        }
    }

    /// The rounds that a remainder may come after; `None` if none is excluded.
    pub(super) fn window(&self, count: Count, counter: Counter) -> Option<(u32, u32)> {
        self.rounds.as_ref()?;
        let lo = counter.min.saturating_sub(count.lo);
        let hi = match counter.max {
            Counter::UNBOUNDED => u32::MAX,
            max => max.saturating_sub(count.lo),
        };
        let (fewest, most) = self.remainders.bounds?;
        (fewest < lo || most > hi).then_some((lo, hi))
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        size_of::<Self>()
            + self.accepted.memory_size_bytes()
            + self.remainders.memory_size_bytes()
            + self.again.len() * 4
            + self.rounds.as_ref().map_or(0, Rounds::memory_size_bytes)
            + self.takes.get().and_then(Option::as_ref).map_or(0, Takes::memory_size_bytes)
    }
}

impl Remainders {
    pub(super) fn new(mut entries: Vec<Remainder<'_>>, with_rounds: bool) -> Self {
        entries.sort_unstable();
        let done: Box<[u32]> =
            if with_rounds { entries.iter().map(|e| e.2).collect() } else { Box::default() };
        Self {
            bounds: done.iter().min().copied().zip(done.iter().max().copied()),
            trie: ByteTrie::new(entries.into_iter().map(|(text, token, _)| (text, token)).collect()),
            done,
        }
    }

    /// The remainder of each place in the trie's order, with its token.
    pub(super) fn done(&self, place: usize) -> u32 {
        self.done.get(place).copied().unwrap_or(0)
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        self.trie.memory_size_bytes() + self.done.len() * 4
    }
}

impl Rounds {
    /// The tokens that take at most `limit` rounds: a set, what of it does not fit after all, and how many are left.
    fn at_most(&self, limit: u32, all: &Arc<TokenIds>) -> (Arc<TokenIds>, &[u32], usize) {
        let Some(&fitting) = self.up_to.get(limit as usize) else {
            return (Arc::clone(all), &[], self.tokens.len());
        };
        let fitting = fitting as usize;
        let (fit, others) = self.tokens.split_at(fitting);
        if others.len() * 4 <= self.words {
            return (Arc::clone(all), others, fitting);
        }
        let within = &self.within[limit as usize];
        let tokens = within.get_or_init(|| Arc::new(TokenIds::from_ids(fit, self.words)));
        (Arc::clone(tokens), &[], fitting)
    }

    /// With all that may still be asked for.
    fn memory_size_bytes(&self) -> usize {
        let made_later = |fitting: &&u32| (self.tokens.len() - **fitting as usize) * 4 > self.words;
        let rows = self.up_to.iter().filter(made_later).count();
        (self.tokens.len() + self.up_to.len() + rows * self.words) * 4
            + self.within.len() * size_of::<OnceLock<Arc<TokenIds>>>()
    }
}

/// What remains of a token whose text ends at a depth of some trie, after an earlier depth.
pub(super) fn remainder(vocabulary: &Vocabulary, token: u32, depth: u16, end: u16) -> &[u8] {
    let text = vocabulary.token_bytes(token);
    &text[text.len() - usize::from(depth - end)..]
}

struct Walk<'a> {
    pda: &'a Pda,
    trie: &'a ByteTrie,
    vocabulary: &'a Vocabulary,
    arena: Arena,
    /// The set after each depth of the current path; dead where only dependent tokens are collected. Here sets pay: few of them
    /// meet the whole vocabulary, and the arena remembers its steps.
    sets: Vec<SetId>,
    /// What can follow the rule.
    follow: ByteSet,
    /// Depths of the current path at which the rule could have ended, for what follows goes on.
    ends: Vec<u16>,
    accepted: Vec<u32>,
    remainders: Vec<Remainder<'a>>,
    num_dependent: usize,
    again: Vec<u32>,
    /// The depth of the current path from which on a value has been collected.
    collected: Option<u16>,
}

impl<'a> Walk<'a> {
    fn new(
        (pda, vocabulary): (&'a Pda, &'a Vocabulary),
        config: Config,
        trie: &'a ByteTrie,
        follow: ByteSet,
    ) -> Self {
        let mut arena = Arena::new(WALK_LIMIT_BYTES);
        let config = arena.unknown_config(pda, config);
        let start = arena.set_of(pda, config, SetFlags::default());
        Self {
            pda,
            trie,
            vocabulary,
            arena,
            sets: vec![start; trie.max_depth() + 1],
            follow,
            ends: Vec::new(),
            accepted: Vec::new(),
            remainders: Vec::new(),
            num_dependent: 0,
            again: Vec::new(),
            collected: None,
        }
    }

    fn split(mut self) -> Result<Split> {
        self.arena.check_limit()?;
        let accepted = TokenIds::from_ids(&self.accepted, self.vocabulary.mask_words());
        Ok(Split::new(accepted, self.accepted.len(), self.remainders, self.num_dependent, self.again))
    }

    /// The nodes below one, in order; `false` if there are more than so many remainders.
    fn below(&mut self, node: usize, most: usize) -> bool {
        let trie = self.trie;
        let (mut at, end) = (node + 1, trie.nodes()[node].end as usize);
        while at < end {
            let TrieNode { byte, depth, end: after, .. } = trie.nodes()[at];
            while self.ends.last().is_some_and(|&end| end >= depth - 1) {
                self.ends.pop();
            }
            let above = self.sets[usize::from(depth) - 1];
            if self.arena.flags(above).open && self.follow.contains(byte) {
                self.ends.push(depth - 1);
            }
            let set =
                if self.arena.is_alive(above) { self.arena.step(self.pda, above, byte) } else { SetId::DEAD };
            let SetFlags { open, recheck, .. } = self.arena.flags(set);
            let is_alive = self.arena.is_alive(set);
            if self.collected.is_some_and(|from| from >= depth) {
                self.collected = None;
            }
            if self.collected.is_none() && recheck {
                self.collected = Some(depth);
            }
            let fits = is_alive || open;
            if self.collected.is_some() && (fits || !self.ends.is_empty()) {
                self.again.extend_from_slice(trie.tokens_at(at));
            } else if fits {
                self.accepted.extend_from_slice(trie.tokens_at(at));
            } else if self.ends.is_empty() {
                at = after as usize;
                continue;
            } else {
                self.dependent(trie.tokens_at(at), depth);
                if self.remainders.len() > most {
                    return false;
                }
            }
            self.sets[usize::from(depth)] = set;
            at += 1;
        }
        true
    }

    fn dependent(&mut self, tokens: &[u32], depth: u16) {
        self.num_dependent += tokens.len();
        for &token in tokens {
            let of_end = |&end: &u16| (remainder(self.vocabulary, token, depth, end), token, 0);
            self.remainders.extend(self.ends.iter().map(of_end));
        }
    }
}
