//! Putting the mask of a set of configurations together.
//!
//! Cheap first: a finished mask of the same set, else a direct walk of the trie with a bound on its nodes, and only
//! where that bound is passed the prechecked splits of the states concerned ("heavy" states, remembered as such).

use super::context::{CallSites, prune};
use super::key::structural_key;
use super::split::Split;
use super::{SplitStore, TokenIds};
use crate::automaton::{Pda, StateId};
use crate::error::Result;
use crate::stack::{Arena, Config, Count, Fit, Rival, SetFlags, SetId};
use crate::vocab::{ByteTrie, Vocabulary, set_bit};
use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// A direct walk that visits more trie nodes than this gives way to prechecked splits.
const WALK_NODES: usize = 1024;
/// The same where a machine makes the states: what is wide is split on the way, and other states' splits are not shared.
const LATE_WALK_NODES: usize = 1 << 15;
/// A wide state reached with more trie nodes than this below is split rather than walked from.
const SPLIT_NODES: usize = 24;
/// Finished masks are kept up to this many bytes a grammar.
const FINISHED_LIMIT_BYTES: usize = 4 << 20;

/// What one state's split looks like, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateStatistics {
    /// The rule the state belongs to.
    pub rule: String,
    /// The state's number.
    pub state: usize,
    /// Tokens allowed whatever lies beneath.
    pub accepted: usize,
    /// Context-dependent tokens before context expansion.
    pub dependent: usize,
    /// Context-dependent tokens after it.
    pub dependent_after_expansion: usize,
    /// Memory of the split, bytes.
    pub bytes: usize,
}

/// A split with its remainders pruned for one grammar; `None` if the split's own are pruned already.
#[derive(Debug)]
struct LocalSplit {
    split: Arc<Split>,
    pruned: Option<ByteTrie>,
}

impl LocalSplit {
    fn remainders(&self) -> &ByteTrie {
        self.pruned.as_ref().unwrap_or(&self.split.remainders)
    }
}

/// A state with its counter, and the trie node from which it reads on.
type Place = (StateId, Count, u32);
/// Token ids, ascending.
type Ids = Arc<[u32]>;

/// A finished mask of one set, without stop tokens.
#[derive(Debug)]
pub(crate) struct FinishedMask {
    pub(crate) tokens: TokenIds,
    pub(crate) count: usize,
}

/// The masks of one grammar.
#[derive(Debug, Default)]
pub(crate) struct GrammarMasks {
    /// For tests: every state counts as heavy.
    all_heavy: AtomicBool,
    local: RwLock<FxHashMap<Place, Arc<LocalSplit>>>,
    /// Tokens that a state lacks of those that the state it is like has, ascending.
    holes: RwLock<FxHashMap<(StateId, u32), Ids>>,
    call_sites: OnceLock<CallSites>,
}

/// What making a mask needs.
pub(crate) struct MaskContext<'a> {
    pub(crate) pda: &'a Pda,
    pub(crate) vocabulary: &'a Vocabulary,
    pub(crate) store: &'a SplitStore,
    pub(crate) masks: &'a GrammarMasks,
}

/// Finished masks by set; they live as long as the arena whose sets they are for.
#[derive(Debug, Default)]
pub(crate) struct FinishedMasks {
    by_set: FxHashMap<SetId, Arc<FinishedMask>>,
    bytes: usize,
    row: Vec<u32>,
    path: Vec<SetId>,
    walk: Vec<(SetId, bool)>,
    own: Vec<u32>,
}

impl GrammarMasks {
    #[cfg(test)]
    pub(crate) fn treat_all_states_as_heavy(&self) {
        self.all_heavy.store(true, Ordering::Relaxed);
    }

    /// Heap memory, bytes.
    pub(crate) fn memory_size_bytes(&self) -> usize {
        let local = self.local.read();
        let splits: usize = local
            .values()
            .map(|l| l.split.memory_size_bytes() + l.pruned.as_ref().map_or(0, ByteTrie::memory_size_bytes))
            .sum();
        splits + self.holes.read().values().map(|h| h.len() * 4).sum::<usize>()
    }
}

impl FinishedMasks {
    pub(crate) fn memory_size_bytes(&self) -> usize {
        self.bytes
    }
}

impl MaskContext<'_> {
    /// The mask of a set: its text tokens and special-token edges; stop tokens are the matcher's to add.
    pub(crate) fn mask(
        &self,
        arena: &mut Arena,
        finished: &mut FinishedMasks,
        set: SetId,
    ) -> Result<Arc<FinishedMask>> {
        if let Some(known) = finished.by_set.get(&set) {
            return Ok(Arc::clone(known));
        }
        let same = self.representative(arena, set);
        if same != set
            && let Some(known) = finished.by_set.get(&same)
        {
            return Ok(Arc::clone(known));
        }
        let mask = Arc::new(self.compute(arena, finished, same)?);
        self.pda.check_machine()?;
        let bytes = mask.tokens.memory_size_bytes() + 64;
        if finished.bytes + bytes > FINISHED_LIMIT_BYTES {
            finished.by_set.clear();
            finished.bytes = 0;
        }
        finished.bytes += bytes;
        finished.by_set.insert(same, Arc::clone(&mask));
        Ok(mask)
    }

    /// The set with counters far from their bounds made equal; it has the same mask.
    fn representative(&self, arena: &mut Arena, set: SetId) -> SetId {
        if arena.configs(set).iter().all(|c| self.pda.rule_of(c.state).counter.is_none()) {
            return set;
        }
        let horizon = self.vocabulary.trie().max_depth() as u32;
        let configs: Vec<Config> =
            arena.configs(set).iter().map(|c| c.representative(self.pda, horizon)).collect();
        let flags = arena.flags(set);
        arena.set_of_configs(&configs, flags)
    }

    fn compute(&self, arena: &mut Arena, finished: &mut FinishedMasks, set: SetId) -> Result<FinishedMask> {
        let configs = arena.configs(set).to_vec();
        let all_heavy = self.masks.all_heavy.load(Ordering::Relaxed);
        let is_heavy = |c: &Config| all_heavy || self.pda.is_wide(c.state) || self.pda.is_heavy(c.state);
        let (mut heavy, light): (Vec<Config>, Vec<Config>) = configs.iter().partition(|c| is_heavy(c));
        let mut allowed = Vec::new();
        let mut entries = Vec::new();
        if !light.is_empty() {
            let start =
                if heavy.is_empty() { set } else { arena.set_of_configs(&light, SetFlags::default()) };
            entries = arena.wide_entries(self.pda, start);
            let done = self.walk_vocabulary(arena, finished, start, !entries.is_empty(), &mut allowed)?;
            arena.check_limit()?;
            if !done {
                allowed.clear();
                light.iter().for_each(|c| self.pda.set_heavy(c.state));
                entries.clear();
                heavy = configs.clone();
            }
        }
        for config in &configs {
            for &(token_set, ..) in &self.pda.expanded(config.state).tokens {
                allowed.extend_from_slice(self.pda.token_set(token_set));
            }
        }
        let words = self.vocabulary.mask_words();
        // Many ids make a row cheaper than they are sorted.
        if heavy.is_empty() && entries.is_empty() && allowed.len() * 8 <= words {
            allowed.sort_unstable();
            allowed.dedup();
            return Ok(FinishedMask { count: allowed.len(), tokens: TokenIds::from_ids(&allowed, words) });
        }
        let mut row = std::mem::take(&mut finished.row);
        row.clear();
        row.resize(words, 0);
        heavy.extend(entries);
        for &config in &heavy {
            let is_exact = self.pda.like(config.state).is_none_or(|like| like.is_exact);
            if is_exact && arena.rivals(self.pda, config).is_empty() {
                let local = self.local_split(arena, config, 0)?;
                local.split.accepted.union_into(&mut row);
                self.walk_beneath(arena, finished, &local, config, 0, &mut allowed);
            } else {
                self.add_with_holes(arena, finished, config, &mut row)?;
            }
            arena.check_limit()?;
        }
        allowed.iter().for_each(|&id| set_bit(&mut row, id));
        let count = row.iter().map(|w| w.count_ones() as usize).sum();
        let tokens = TokenIds::Bits(row.as_slice().into());
        finished.row = row;
        Ok(FinishedMask { tokens, count })
    }

    /// Adds what a configuration allows whose state lacks some of what the state it is like has.
    fn add_with_holes(
        &self,
        arena: &mut Arena,
        finished: &mut FinishedMasks,
        config: Config,
        row: &mut [u32],
    ) -> Result<()> {
        let local = self.local_split(arena, config, 0)?;
        let mut own = std::mem::take(&mut finished.own);
        own.clear();
        own.resize(row.len(), 0);
        local.split.accepted.union_into(&mut own);
        let mut beneath = Vec::new();
        self.walk_beneath(arena, finished, &local, config, 0, &mut beneath);
        beneath.iter().for_each(|&id| set_bit(&mut own, id));
        let mut clear = |id: u32| own[id as usize / 32] &= !(1 << (id % 32));
        self.holes(config.state, 0).iter().copied().for_each(&mut clear);
        self.duplicates(arena, config, 0).into_iter().for_each(clear);
        row.iter_mut().zip(&own).for_each(|(word, &bits)| *word |= bits);
        finished.own = own;
        Ok(())
    }

    /// Adds the tokens below a trie node that a configuration allows, which read up to that node already.
    fn split_below(
        &self,
        arena: &mut Arena,
        finished: &mut FinishedMasks,
        config: Config,
        node: u32,
        allowed: &mut Vec<u32>,
    ) -> Result<()> {
        let local = self.local_split(arena, config, node)?;
        let holes = self.holes(config.state, node);
        let duplicates = self.duplicates(arena, config, node);
        let from = allowed.len();
        local.split.accepted.for_each(|token| allowed.push(token));
        self.walk_beneath(arena, finished, &local, config, node, allowed);
        if !holes.is_empty() || !duplicates.is_empty() {
            let mut kept = allowed.split_off(from);
            kept.retain(|t| holes.binary_search(t).is_err() && duplicates.binary_search(t).is_err());
            allowed.extend(kept);
        }
        Ok(())
    }

    /// Adds the tokens whose remainders go on in what lies beneath a configuration.
    fn walk_beneath(
        &self,
        arena: &mut Arena,
        finished: &mut FinishedMasks,
        local: &LocalSplit,
        config: Config,
        node: u32,
        allowed: &mut Vec<u32>,
    ) {
        let beneath = arena.pop_beneath(self.pda, config);
        let mut again = local.split.again.to_vec();
        self.walk(arena, local.remainders(), beneath, &mut finished.path, allowed, &mut again);
        if again.is_empty() {
            return;
        }
        // Values inside the token have to be compared with what came before it in the token.
        let depth = usize::from(self.vocabulary.trie().nodes()[node as usize].depth);
        let start = arena.set_of_configs(&[config], SetFlags::default());
        allowed.extend(again.into_iter().filter(|&token| {
            let bytes = &self.vocabulary.token_bytes(token)[depth..];
            bytes
                .iter()
                .try_fold(start, |set, &byte| {
                    let next = arena.step(self.pda, set, byte);
                    (next != SetId::DEAD).then_some(next)
                })
                .is_some()
        }));
    }

    /// The tokens below a trie node that would complete a value which must not come again, or could only be completed to
    /// one, ascending.
    fn duplicates(&self, arena: &mut Arena, config: Config, node: u32) -> Vec<u32> {
        let trie = self.vocabulary.trie();
        let mut out = Vec::new();
        let rivals = arena.rivals(self.pda, config);
        if rivals.is_empty() {
            return out;
        }
        let start = arena.set_of_configs(&[config], SetFlags::default());
        let mut todo: Vec<(usize, SetId, Vec<Rival>)> = vec![(node as usize, start, rivals)];
        while let Some((at, set, rivals)) = todo.pop() {
            let mut child = at + 1;
            while child < trie.nodes()[at].end as usize {
                let (byte, end) = (trie.nodes()[child].byte, trie.nodes()[child].end as usize);
                let mut begun = Vec::new();
                let mut is_one = false;
                for rival in &rivals {
                    let mut longer = rival.clone();
                    longer.bytes.push(byte);
                    match arena.fits(&longer) {
                        Fit::Is(_) => is_one = true,
                        Fit::Begins => begun.push(longer),
                        Fit::Not => {}
                    }
                }
                if is_one || !begun.is_empty() {
                    let next = arena.step(self.pda, set, byte);
                    if is_one || next == SetId::DEAD {
                        (child..end).for_each(|at| out.extend_from_slice(trie.tokens_at(at)));
                    } else {
                        todo.push((child, next, begun));
                    }
                }
                child = end;
            }
        }
        out.sort_unstable();
        out
    }

    /// What a state lacks of the tokens of the state it is like, below a trie node.
    fn holes(&self, state: StateId, node: u32) -> Arc<[u32]> {
        let Some(like) = self.pda.like(state).filter(|like| !like.is_exact) else { return Arc::from([]) };
        if let Some(known) = self.masks.holes.read().get(&(state, node)) {
            return Arc::clone(known);
        }
        let nodes = self.vocabulary.trie().nodes();
        let mut out = Vec::new();
        let mut todo = vec![(node as usize, state, like.base)];
        while let Some((node, state, base)) = todo.pop() {
            let mut child = node + 1;
            while child < nodes[node].end as usize {
                let byte = nodes[child].byte;
                match (self.pda.byte_target(state, byte), self.pda.byte_target(base, byte)) {
                    (None, Some(_)) => {
                        let below = child..nodes[child].end as usize;
                        below.for_each(|at| out.extend_from_slice(self.vocabulary.trie().tokens_at(at)));
                    }
                    (Some(to), Some(base)) => {
                        let is_same =
                            self.pda.like(to).is_some_and(|like| like.is_exact && like.base == base);
                        if !is_same {
                            todo.push((child, to, base));
                        }
                    }
                    (_, None) => {}
                }
                child = nodes[child].end as usize;
            }
        }
        out.sort_unstable();
        let holes: Arc<[u32]> = out.into();
        self.masks.holes.write().insert((state, node), Arc::clone(&holes));
        holes
    }

    /// Collects the tokens that can be stepped through from `start`; `false` if that took too many nodes. Where a wide state
    /// is reached with much of the trie still below, its split is taken instead of walking on.
    fn walk_vocabulary(
        &self,
        arena: &mut Arena,
        finished: &mut FinishedMasks,
        start: SetId,
        beside_wide: bool,
        allowed: &mut Vec<u32>,
    ) -> Result<bool> {
        let trie = self.vocabulary.trie();
        let mut path = std::mem::take(&mut finished.walk);
        path.clear();
        path.resize(trie.max_depth() + 1, (SetId::DEAD, false));
        path[0] = (start, beside_wide);
        let late = arena.configs(start).iter().any(|c| self.pda.is_made_late(c.state));
        let limit = if late { LATE_WALK_NODES } else { WALK_NODES };
        let mut visited = 0;
        for byte in arena.first_bytes(self.pda, start).iter() {
            let Some(child) = trie.child_of_root(byte) else { continue };
            let end = trie.nodes()[child].end as usize;
            let mut at = child;
            while at < end {
                let node = trie.nodes()[at];
                visited += 1;
                let set = match path[usize::from(node.depth) - 1] {
                    (above, false) => arena.step(self.pda, above, node.byte),
                    (above, true) => arena.step_beside_wide(self.pda, above, node.byte),
                };
                if set == SetId::DEAD {
                    at = node.end as usize;
                    continue;
                }
                if visited > limit {
                    finished.walk = path;
                    return Ok(false);
                }
                allowed.extend_from_slice(trie.tokens_at(at));
                let mut below = (set, false);
                if node.end as usize - at > SPLIT_NODES {
                    below = self.split_wide(arena, finished, set, at as u32, allowed)?;
                    if !arena.is_alive(below.0) {
                        at = node.end as usize;
                        continue;
                    }
                }
                path[usize::from(node.depth)] = below;
                at += 1;
            }
        }
        finished.walk = path;
        Ok(true)
    }

    /// Takes the wide configurations out of a set, and those that it calls into, adding what they allow below a trie node; gives
    /// the others, and whether they call into wide ones.
    fn split_wide(
        &self,
        arena: &mut Arena,
        finished: &mut FinishedMasks,
        set: SetId,
        node: u32,
        allowed: &mut Vec<u32>,
    ) -> Result<(SetId, bool)> {
        let (mut wide, others): (Vec<Config>, Vec<Config>) =
            arena.configs(set).iter().partition(|c| self.pda.is_wide(c.state));
        let rest = if wide.is_empty() { set } else { arena.set_of_configs(&others, SetFlags::default()) };
        let entries = arena.wide_entries(self.pda, rest);
        let beside_wide = !entries.is_empty();
        wide.extend(entries);
        let horizon = self.vocabulary.trie().max_depth() as u32;
        for config in wide {
            let config = config.representative(self.pda, horizon);
            self.split_below(arena, finished, config, node, allowed)?;
        }
        Ok((rest, beside_wide))
    }

    /// Collects the tokens of a trie that can be stepped through from `start`.
    fn walk(
        &self,
        arena: &mut Arena,
        trie: &ByteTrie,
        start: SetId,
        path: &mut Vec<SetId>,
        allowed: &mut Vec<u32>,
        again: &mut Vec<u32>,
    ) {
        path.clear();
        path.resize(trie.max_depth() + 1, SetId::DEAD);
        path[0] = start;
        for byte in arena.first_bytes(self.pda, start).iter() {
            let Some(child) = trie.child_of_root(byte) else { continue };
            let end = trie.nodes()[child].end as usize;
            let mut at = child;
            while at < end {
                let node = trie.nodes()[at];
                let set = arena.step(self.pda, path[usize::from(node.depth) - 1], node.byte);
                if set == SetId::DEAD {
                    at = node.end as usize;
                    continue;
                }
                let list = if arena.flags(set).recheck { &mut *again } else { &mut *allowed };
                list.extend_from_slice(trie.tokens_at(at));
                path[usize::from(node.depth)] = set;
                at += 1;
            }
        }
    }

    /// The split of a configuration's state below a trie node, or that of the state it is like.
    fn local_split(&self, arena: &mut Arena, config: Config, node: u32) -> Result<Arc<LocalSplit>> {
        let state = self.pda.like(config.state).map_or(config.state, |like| like.base);
        let place = (state, config.count, node);
        if let Some(known) = self.masks.local.read().get(&place) {
            return Ok(Arc::clone(known));
        }
        let config = Config { state, ..config };
        let rule = self.pda.state(state).rule;
        let mut key = structural_key(self.pda, state, config.count);
        // A machine says itself what follows a rule, so that even the pruned remainders are the same in other grammars.
        let follow = self.pda.rule(rule).follow;
        if let Some(follow) = follow {
            let after = structural_key(self.pda, follow, Count::default());
            key = key.zip(after).map(|(key, after)| [&key[..], &[u32::MAX], &after[..]].concat().into());
        }
        let key = key.map(|key| [&key[..], &[node]].concat());
        let prune = |arena: &mut Arena, split: &Split| {
            let sites = self.masks.call_sites.get_or_init(|| CallSites::new(self.pda));
            let follow = sites.follow(self.pda, arena, rule);
            prune(self.pda, arena, self.vocabulary, follow, &split.remainders)
        };
        let split = match key.as_deref().and_then(|key| self.store.get(key)) {
            Some(split) => split,
            None => {
                let mut split = Split::compute(self.pda, self.vocabulary, config, node)?;
                if follow.is_some() {
                    let pruned = prune(arena, &split);
                    split = split.with_remainders(pruned);
                }
                let split = Arc::new(split);
                if let Some(key) = key {
                    self.store.insert(key.into(), Arc::clone(&split));
                }
                split
            }
        };
        let pruned = if follow.is_some() { None } else { Some(prune(arena, &split)) };
        let local = Arc::new(LocalSplit { split, pruned });
        self.masks.local.write().insert(place, Arc::clone(&local));
        Ok(local)
    }

    /// The split of one state, for people; computed if need be.
    pub(crate) fn statistics(&self, arena: &mut Arena, state: StateId) -> Result<StateStatistics> {
        let horizon = self.vocabulary.trie().max_depth() as u32;
        let config = Config::new(state, crate::stack::NodeId::OPEN);
        let local = self.local_split(arena, config.representative(self.pda, horizon), 0)?;
        let trie = local.remainders();
        let mut after: Vec<u32> =
            (1..trie.nodes().len() - 1).flat_map(|n| trie.tokens_at(n)).copied().collect();
        after.sort_unstable();
        after.dedup();
        Ok(StateStatistics {
            rule: self.pda.rule_of(state).name.clone(),
            state: state.index(),
            accepted: local.split.num_accepted,
            dependent: local.split.num_dependent,
            dependent_after_expansion: after.len(),
            bytes: local.split.memory_size_bytes() + trie.memory_size_bytes(),
        })
    }
}
