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
use crate::stack::{Arena, Config, Count, SetFlags, SetId};
use crate::vocab::{ByteTrie, Vocabulary, set_bit};
use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// A direct walk that visits more trie nodes than this gives way to prechecked splits.
const WALK_NODES: usize = 1024;
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

/// A split with its remainders pruned for one grammar.
#[derive(Debug)]
struct LocalSplit {
    split: Arc<Split>,
    remainders: ByteTrie,
}

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
    local: RwLock<FxHashMap<(StateId, Count), Arc<LocalSplit>>>,
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
}

impl GrammarMasks {
    #[cfg(test)]
    pub(crate) fn treat_all_states_as_heavy(&self) {
        self.all_heavy.store(true, Ordering::Relaxed);
    }

    /// Heap memory, bytes.
    pub(crate) fn memory_size_bytes(&self) -> usize {
        let local = self.local.read();
        let splits: usize =
            local.values().map(|l| l.split.memory_size_bytes() + l.remainders.memory_size_bytes()).sum();
        splits
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
        let is_heavy = |c: &Config| all_heavy || self.pda.is_heavy(c.state);
        let (mut heavy, light): (Vec<Config>, Vec<Config>) = configs.iter().partition(|c| is_heavy(c));
        let mut allowed = Vec::new();
        if !light.is_empty() {
            let start =
                if heavy.is_empty() { set } else { arena.set_of_configs(&light, SetFlags::default()) };
            let done =
                self.walk(arena, self.vocabulary.trie(), start, WALK_NODES, &mut finished.path, &mut allowed);
            arena.check_limit()?;
            if !done {
                allowed.clear();
                light.iter().for_each(|c| self.pda.set_heavy(c.state));
                heavy = configs.clone();
            }
        }
        for config in &configs {
            for &(token_set, ..) in &self.pda.expanded(config.state).tokens {
                allowed.extend_from_slice(self.pda.token_set(token_set));
            }
        }
        let words = self.vocabulary.mask_words();
        if heavy.is_empty() {
            allowed.sort_unstable();
            allowed.dedup();
            return Ok(FinishedMask { count: allowed.len(), tokens: TokenIds::from_ids(&allowed, words) });
        }
        let mut row = std::mem::take(&mut finished.row);
        row.clear();
        row.resize(words, 0);
        for &config in &heavy {
            let local = self.local_split(arena, config)?;
            local.split.accepted.union_into(&mut row);
            let beneath = arena.pop(self.pda, config.node);
            self.walk(arena, &local.remainders, beneath, usize::MAX, &mut finished.path, &mut allowed);
            arena.check_limit()?;
        }
        allowed.iter().for_each(|&id| set_bit(&mut row, id));
        let count = row.iter().map(|w| w.count_ones() as usize).sum();
        let tokens = TokenIds::Bits(row.as_slice().into());
        finished.row = row;
        Ok(FinishedMask { tokens, count })
    }

    /// Collects the tokens of a trie that can be stepped through from `start`; `false` if it took more than `limit` nodes.
    fn walk(
        &self,
        arena: &mut Arena,
        trie: &ByteTrie,
        start: SetId,
        limit: usize,
        path: &mut Vec<SetId>,
        allowed: &mut Vec<u32>,
    ) -> bool {
        path.clear();
        path.resize(trie.max_depth() + 1, SetId::DEAD);
        path[0] = start;
        let mut visited = 0;
        for byte in arena.first_bytes(self.pda, start).iter() {
            let Some(child) = trie.child_of_root(byte) else { continue };
            let end = trie.nodes()[child].end as usize;
            let mut at = child;
            while at < end {
                let node = trie.nodes()[at];
                visited += 1;
                let set = arena.step(self.pda, path[usize::from(node.depth) - 1], node.byte);
                if set == SetId::DEAD {
                    at = node.end as usize;
                    continue;
                }
                if visited > limit {
                    return false;
                }
                allowed.extend_from_slice(trie.tokens_at(at));
                path[usize::from(node.depth)] = set;
                at += 1;
            }
        }
        true
    }

    fn local_split(&self, arena: &mut Arena, config: Config) -> Result<Arc<LocalSplit>> {
        let id = (config.state, config.count);
        if let Some(known) = self.masks.local.read().get(&id) {
            return Ok(Arc::clone(known));
        }
        let key = structural_key(self.pda, config.state, config.count);
        let shared = key.as_deref().and_then(|key| self.store.get(key));
        let split = match shared {
            Some(split) => split,
            None => {
                let split = Arc::new(Split::compute(self.pda, self.vocabulary, config)?);
                if let Some(key) = key {
                    self.store.insert(key, Arc::clone(&split));
                }
                split
            }
        };
        let sites = self.masks.call_sites.get_or_init(|| CallSites::new(self.pda));
        let follow = sites.follow(self.pda, arena, self.pda.state(config.state).rule);
        let remainders = prune(self.pda, arena, self.vocabulary, follow, &split.remainders);
        let local = Arc::new(LocalSplit { split, remainders });
        self.masks.local.write().insert(id, Arc::clone(&local));
        Ok(local)
    }

    /// The split of one state, for people; computed if need be.
    pub(crate) fn statistics(&self, arena: &mut Arena, state: StateId) -> Result<StateStatistics> {
        let horizon = self.vocabulary.trie().max_depth() as u32;
        let config = Config { state, count: Count::default(), node: crate::stack::NodeId::OPEN };
        let local = self.local_split(arena, config.representative(self.pda, horizon))?;
        let trie = &local.remainders;
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
