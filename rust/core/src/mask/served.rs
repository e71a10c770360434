//! Which split serves a state: its own, that of its rule for all counts, or that of a state without its bound ([`super::bounded`]).

use super::assemble::LocalSplit;
use super::bounded::{self, Takes};
use super::{MaskContext, TokenIds};
use crate::automaton::{Bound, Counter, LEAST_ALIKE, StateId, Unbounded};
use crate::error::Result;
use crate::stack::{Arena, Config, Count};
use crate::vocab::ByteTrie;
use std::ops::Deref;
use std::sync::Arc;

/// A split that serves a configuration, and how much of it counts.
#[derive(Debug)]
pub(super) struct Served {
    local: Arc<LocalSplit>,
    limit: Limit,
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    None,
    /// So many rounds are done of those that a rule may take.
    Rounds(Count, Counter),
    /// So many characters are left.
    Characters(u32),
}

impl Served {
    /// The accepted tokens, those of them that take too much after all, and how many are left.
    pub(super) fn accepted(&self) -> (Arc<TokenIds>, &[u32], usize) {
        let split = &self.local.split;
        match self.limit {
            Limit::Rounds(count, counter) => split.accepted_at(count, counter),
            Limit::Characters(most) => {
                let takes = split.takes.get().and_then(Option::as_ref);
                let except = takes.map_or(&[][..], |takes| takes.more_than(most));
                (Arc::clone(&split.accepted), except, split.num_accepted - except.len())
            }
            Limit::None => (Arc::clone(&split.accepted), &[], split.num_accepted),
        }
    }

    /// The rounds that a remainder may come after; `None` if none is excluded.
    pub(super) fn window(&self) -> Option<(u32, u32)> {
        match self.limit {
            Limit::Rounds(count, counter) => self.local.split.window(count, counter),
            Limit::Characters(_) | Limit::None => None,
        }
    }
}

impl Deref for Served {
    type Target = LocalSplit;

    fn deref(&self) -> &LocalSplit {
        &self.local
    }
}

/// Whether two states have the same splits, one with as few rounds as are many, the other with any number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Alike {
    /// Not looked at: only this one state between them was split so far, by itself.
    Met(StateId),
    Known(bool),
}

/// Where a state is split: below a node of some trie.
#[derive(Clone, Copy)]
struct Below<'a> {
    trie: &'a ByteTrie,
    node: usize,
}

impl MaskContext<'_> {
    /// The split of a configuration's state below a trie node, or that of the state it is like.
    pub(super) fn served_split(
        &self,
        arena: &mut Arena,
        config: Config,
        trie: &ByteTrie,
        node: usize,
    ) -> Result<Served> {
        let below = Below { trie, node };
        let served = match self.unbounded(config.state) {
            Some(Unbounded { base, bound: Bound::Rounds { alike, floor } }) => {
                let local = self.without_rounds(arena, config, (floor, base), alike, below)?;
                local.map(|local| Served { local, limit: Limit::None })
            }
            Some(Unbounded { base, bound: Bound::Length { most, furthest } }) => {
                self.without_length(arena, Config { state: base, ..config }, most, furthest, below)?
            }
            None => None,
        };
        if let Some(served) = served {
            return Ok(served);
        }
        let local = self.local_split(arena, config, trie, node)?;
        let counter = self.pda.rule_of(config.state).counter;
        let limit = counter.map_or(Limit::None, |counter| Limit::Rounds(config.count, counter));
        Ok(Served { local, limit })
    }

    fn unbounded(&self, state: StateId) -> Option<Unbounded<StateId>> {
        if !self.pda.is_between(state) {
            return None;
        }
        if let Some(&known) = self.masks.unbounded.read().get(&state) {
            return known;
        }
        let found = self.pda.unbounded(state);
        self.masks.unbounded.write().insert(state, found);
        found
    }

    /// The split of a state without the bound on its rounds if nothing tells them apart: up to `alike` characters, and as few as the floor
    /// has rounds all tokens are alike for that, and so for all between.
    fn without_rounds(
        &self,
        arena: &mut Arena,
        config: Config,
        pair: (StateId, StateId), // The floor and the base.
        alike: u32,
        below: Below<'_>,
    ) -> Result<Option<Arc<LocalSplit>>> {
        let base = Config { state: pair.1, ..config };
        let mut split = || self.local_split(arena, base, below.trie, below.node);
        if alike >= below.height() {
            return split().map(Some);
        }
        if !self.is_whole(below) {
            return Ok(None);
        }
        let known = *self.masks.alike.write().entry(pair).or_insert(Alike::Met(config.state));
        match known {
            Alike::Known(are_alike) => return if are_alike { split().map(Some) } else { Ok(None) },
            Alike::Met(only) if only == config.state => return Ok(None),
            Alike::Met(_) => {}
        }
        let (local, ways) = (split()?, self.store.long_tokens(self.vocabulary));
        let are_alike = bounded::ends_within(LEAST_ALIKE, &local.split)
            && bounded::are_alike(self.pda, pair, &local.split, below.trie, ways);
        self.masks.alike.write().insert(pair, Alike::Known(are_alike));
        Ok(are_alike.then_some(local))
    }

    /// The split of a state without the bound on its length, or on its rounds either, if it tells what fits in a length. What long tokens
    /// take is known from now on, where it matters.
    fn without_length(
        &self,
        arena: &mut Arena,
        config: Config,
        most: u32,
        furthest: u32,
        below: Below<'_>,
    ) -> Result<Option<Served>> {
        let Below { trie, node } = below;
        let mut of = (config.state, None);
        if let Some(Unbounded { base, bound: Bound::Rounds { alike, floor } }) = self.unbounded(config.state)
        {
            of = (base, self.without_rounds(arena, config, (floor, base), alike, below)?);
        }
        let (base, local) = match of {
            (base, Some(local)) => (base, local),
            _ => (config.state, self.local_split(arena, config, trie, node)?),
        };
        if !bounded::serves_length(most, furthest, &local.split, below.height()) {
            return Ok(None);
        }
        let served = Served { local, limit: Limit::Characters(most) };
        if most >= furthest.saturating_add(self.horizon()) {
            return Ok(Some(served));
        }
        let takes = served.local.split.takes.get_or_init(|| {
            if self.is_whole(below) {
                return Takes::new(self.pda, base, trie, node, self.store.long_tokens(self.vocabulary));
            }
            Takes::new(self.pda, base, trie, node, &bounded::long_tokens(trie, node))
        });
        Ok(takes.is_some().then_some(served))
    }

    /// Whether that is the whole vocabulary.
    fn is_whole(&self, Below { trie, node }: Below<'_>) -> bool {
        node == 0 && trie.serial() == self.vocabulary.trie().serial()
    }
}

impl Below<'_> {
    /// The length of the longest text there, or more.
    fn height(&self) -> u32 {
        self.trie.max_depth() as u32 - u32::from(self.trie.nodes()[self.node].depth)
    }
}
