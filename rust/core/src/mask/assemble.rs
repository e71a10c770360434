//! Putting the mask of a set of configurations together.
//!
//! Cheap first: a finished mask of the same set, else a direct walk of the trie with a bound on its nodes, and only
//! where that bound is passed the prechecked splits of the states concerned ("heavy" states, remembered as such).

use super::SplitStore;
use super::beneath::AlikePlace;
use super::beside::AllBeside;
use super::context::{CallSites, prune};
use super::finished::{FinishedMask, FinishedMasks, Part};
use super::holes::Holes;
use super::horizon::Horizons;
use super::key::structural_key;
use super::leaf::split_of_leaf;
use super::served::Alike;
use super::shared::SharedMasks;
use super::split::{Remainders, Split};
use super::store::KeyId;
use super::walk::{Course, Walk};
use crate::automaton::{Operation, Pda, StateId, Unbounded};
use crate::error::Result;
use crate::grammar::ByteSet;
use crate::stack::{Arena, Config, Count, SetFlags, SetId};
use crate::vocab::{ByteTrie, Vocabulary};
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// A direct walk that visits more trie nodes than this gives way to prechecked splits.
pub(super) const WALK_NODES: usize = 1024;
/// The same where a machine makes the states: what is wide is split on the way, and other states' splits are not shared.
const LATE_WALK_NODES: usize = 1 << 15;

/// First word of a key that is a state's signature; structural keys never begin like this, nor are they so short.
const SIGNATURE: u32 = u32::MAX - 1;
/// What comes after a structural key: that of the state that follows, or the bytes that may.
const FOLLOW: u32 = u32::MAX;
const FIRST_AFTER: u32 = u32::MAX - 1;

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
pub(super) struct LocalSplit {
    pub(super) split: Arc<Split>,
    pruned: Option<Remainders>,
}

impl LocalSplit {
    pub(super) fn remainders(&self) -> &Remainders {
        self.pruned.as_ref().unwrap_or(&self.split.remainders)
    }
}

/// A state with its counter.
type Place = (StateId, Count);
/// A trie, by serial number, and a node of it.
pub(super) type Below = (u64, u32);

/// The key of a state as the store knows it.
#[derive(Clone, Copy, Debug)]
struct Known {
    id: Option<KeyId>,
    /// The split holds for every count.
    is_for_all_counts: bool,
}

/// The masks of one grammar.
#[derive(Debug, Default)]
pub(crate) struct GrammarMasks {
    /// For tests: every state counts as heavy.
    all_heavy: AtomicBool,
    keys: RwLock<FxHashMap<Place, Known>>,
    /// States without the bound on their lengths.
    pub(super) unbounded: RwLock<FxHashMap<StateId, Option<Unbounded<StateId>>>>,
    /// Of states with as few rounds as are many and states with any number.
    pub(super) alike: RwLock<FxHashMap<(StateId, StateId), Alike>>,
    local: RwLock<FxHashMap<(Place, Below), Arc<LocalSplit>>>,
    /// What states lack of those they are like.
    pub(super) holes: RwLock<FxHashMap<(StateId, Below), Arc<Holes>>>,
    /// What walks from states of the grammar's own rules have cost; see [`super::plain`].
    pub(super) walked: RwLock<FxHashMap<StateId, usize>>,
    pub(super) beside: AllBeside,
    call_sites: OnceLock<CallSites>,
    /// The bytes that can follow rules.
    first_after: RwLock<FxHashMap<u32, ByteSet>>,
    horizons: Mutex<Horizons>,
    pub(super) shared: SharedMasks,
    /// More than one, so that any mask may be asked for again.
    has_sessions: bool,
}

/// What making a mask needs.
pub(crate) struct MaskContext<'a> {
    pub(crate) pda: &'a Pda,
    pub(crate) vocabulary: &'a Vocabulary,
    pub(crate) store: &'a SplitStore,
    pub(crate) masks: &'a GrammarMasks,
}

impl GrammarMasks {
    pub(crate) fn new(sessions: usize) -> Self {
        Self { has_sessions: sessions > 1, ..Self::default() }
    }

    #[cfg(test)]
    pub(crate) fn treat_all_states_as_heavy(&self) {
        self.all_heavy.store(true, Ordering::Relaxed);
    }

    /// Heap memory, bytes; splits count where they are shared.
    pub(crate) fn memory_size_bytes(&self) -> usize {
        let local = self.local.read();
        let pruned = local.values().filter_map(|local| local.pruned.as_ref());
        let entries =
            local.len() * (size_of::<((Place, Below), Arc<LocalSplit>)>() + size_of::<LocalSplit>());
        pruned.map(Remainders::memory_size_bytes).sum::<usize>()
            + entries
            + self.holes.read().values().map(|holes| holes.memory_size_bytes()).sum::<usize>()
            + self.unbounded.read().capacity() * (size_of::<(StateId, Option<Unbounded<StateId>>)>() + 1)
            + self.alike.read().capacity() * (size_of::<((StateId, StateId), Alike)>() + 1)
            + self.horizons.lock().memory_size_bytes()
            + self.beside.memory_size_bytes()
            + self.shared.memory_size_bytes()
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
        if let Some(known) = finished.get(set) {
            return Ok(known);
        }
        let same = self.representative(arena, set);
        if same != set
            && let Some(known) = finished.get(same)
        {
            return Ok(known);
        }
        let place = finished.alike.place(self.pda, arena, same);
        if let Some(known) = place.and_then(|place| finished.alike.get(self.pda, arena, place)) {
            finished.insert(same, &known);
            return Ok(known);
        }
        let shared =
            if self.masks.has_sessions || arena.has_collected() { arena.content(same) } else { None };
        let shared = shared.filter(|content| self.masks.has_sessions || !content.registers.is_empty());
        if let Some(known) = shared.as_ref().and_then(|content| self.masks.shared.get(arena, content)) {
            finished.insert(same, &known);
            return Ok(known);
        }
        let since = arena.begin_lookups();
        let mask = match place {
            Some(place) => self.make_traced(arena, finished, same, place)?,
            None => self.make(arena, finished, same)?,
        };
        if let Some((content, values)) = shared.zip(arena.new_values(since)) {
            self.masks.shared.insert(&content, values, &mask);
        }
        Ok(mask)
    }

    /// Makes a mask, and keeps it with what was asked on the way.
    fn make_traced(
        &self,
        arena: &mut Arena,
        finished: &mut FinishedMasks,
        set: SetId,
        place: AlikePlace,
    ) -> Result<Arc<FinishedMask>> {
        let from = arena.begin_trace();
        let mask = self.make(arena, finished, set);
        let asked = arena.end_trace(self.pda, from, place.1);
        if let (Ok(mask), Some(asked)) = (&mask, asked) {
            finished.alike.insert(place, asked, mask);
        }
        mask
    }

    fn make(&self, arena: &mut Arena, finished: &mut FinishedMasks, set: SetId) -> Result<Arc<FinishedMask>> {
        let _operation = Operation::begin();
        let mut walk = Walk { context: self, arena, buffers: &mut finished.buffers };
        let mask = walk.mask(set);
        walk.buffers.allowed.clear();
        walk.buffers.again.clear();
        let mask = Arc::new(mask?);
        self.pda.check_machine()?;
        finished.insert(set, &mask);
        Ok(mask)
    }

    /// No token is longer, bytes.
    pub(super) fn horizon(&self) -> u32 {
        self.vocabulary.trie().max_depth() as u32
    }

    /// The set with counters far from their bounds made equal; it has the same mask.
    fn representative(&self, arena: &mut Arena, set: SetId) -> SetId {
        if arena.configs(set).iter().all(|c| self.pda.rule_of(c.state).counter.is_none()) {
            return set;
        }
        let representative = |c: &Config| c.representative(self.pda, self.horizon());
        let configs: Vec<Config> = arena.configs(set).iter().map(representative).collect();
        let flags = arena.flags(set);
        arena.set_of_configs(&configs, flags)
    }

    fn is_heavy(&self, state: StateId) -> bool {
        self.masks.all_heavy.load(Ordering::Relaxed) || self.pda.is_wide(state) || self.pda.is_heavy(state)
    }

    /// The nodes that the walk from some configurations may visit.
    fn walk_limit(&self, light: &[Config]) -> usize {
        if light.iter().any(|config| self.pda.is_made_late(config.state)) {
            LATE_WALK_NODES
        } else if light.iter().any(|config| self.gives_way(config.state)) {
            WALK_NODES
        } else {
            usize::MAX
        }
    }

    pub(super) fn local_split(
        &self,
        arena: &mut Arena,
        config: Config,
        trie: &ByteTrie,
        node: usize,
    ) -> Result<Arc<LocalSplit>> {
        let state = self.pda.like(config.state).map_or(config.state, |like| like.base);
        let known = self.key_of(arena, (state, config.count));
        let count = if known.is_for_all_counts { Count::default() } else { config.count };
        let place = ((state, count), (trie.serial(), node as u32));
        if let Some(known) = self.masks.local.read().get(&place) {
            return Ok(Arc::clone(known));
        }
        let config = Config { state, count, ..config };
        let is_pruned = self.pda.rule_of(state).follow.is_some();
        let store_key = known.id.map(|id| (id, trie.serial(), node as u32));
        let split = match store_key.and_then(|key| self.store.get(key)) {
            Some(split) => split,
            None => {
                let mut split = self.split(config, trie, node, self.first_after(arena, state))?;
                if is_pruned {
                    split.remainders = self.prune(arena, state, &split);
                }
                let split = Arc::new(split);
                if let Some(key) = store_key {
                    self.store.insert(key, &split);
                }
                split
            }
        };
        Ok(self.keep_local(arena, place, split))
    }

    /// Keeps a split for its state, pruned if it is not yet.
    pub(super) fn keep_local(
        &self,
        arena: &mut Arena,
        place: (Place, Below),
        split: Arc<Split>,
    ) -> Arc<LocalSplit> {
        let state = place.0.0;
        let is_pruned = self.pda.rule_of(state).follow.is_some();
        let pruned = (!is_pruned).then(|| self.prune(arena, state, &split));
        let local = Arc::new(LocalSplit { split, pruned });
        self.masks.local.write().insert(place, Arc::clone(&local));
        local
    }

    /// The bytes that can follow the rule of a state. The end of the text, too, may follow; but it has no byte.
    pub(super) fn first_after(&self, arena: &mut Arena, state: StateId) -> ByteSet {
        let rule = self.pda.state(state).rule;
        if let Some(follow) = self.pda.rule(rule).follow {
            return self.pda.expanded(follow).first();
        }
        if let Some(&known) = self.masks.first_after.read().get(&rule) {
            return known;
        }
        let follow = self.follow(arena, rule);
        let is_open = arena.flags(follow).open;
        let first = if is_open { ByteSet::FULL } else { arena.first_bytes(self.pda, follow) };
        self.masks.first_after.write().insert(rule, first);
        first
    }

    /// All that may follow a rule anywhere in the grammar.
    fn follow(&self, arena: &mut Arena, rule: u32) -> SetId {
        let sites = self.masks.call_sites.get_or_init(|| CallSites::new(self.pda));
        sites.follow(self.pda, arena, rule)
    }

    /// The split of a configuration's state below a trie node, where its rule is followed by one of some bytes.
    fn split(&self, config: Config, trie: &ByteTrie, node: usize, first: ByteSet) -> Result<Split> {
        // Taken out meanwhile: others need not wait, and what both find out is the same.
        let mut horizons = std::mem::take(&mut *self.masks.horizons.lock());
        let split = split_of_leaf(self, config.state, trie, node, first, &mut horizons);
        self.masks.horizons.lock().join(horizons);
        match split {
            Some(split) => Ok(split),
            None => Split::walk((self.pda, self.vocabulary), config, (trie, node), first),
        }
    }

    fn prune(&self, arena: &mut Arena, state: StateId, split: &Split) -> Remainders {
        let follow = self.follow(arena, self.pda.state(state).rule);
        prune(self.pda, arena, self.vocabulary, follow, &split.remainders)
    }

    fn key_of(&self, arena: &mut Arena, (state, count): Place) -> Known {
        if let Some(&known) = self.masks.keys.read().get(&(state, count)) {
            return known;
        }
        let known = match self.pda.signature(state) {
            Some((first, second)) => Known {
                id: Some(self.store.key_id(&[SIGNATURE, first, second])),
                is_for_all_counts: self.pda.rule_of(state).counter.is_some(),
            },
            None => self.structural_key_of(arena, (state, count)),
        };
        self.masks.keys.write().insert((state, count), known);
        known
    }

    fn structural_key_of(&self, arena: &mut Arena, (state, count): Place) -> Known {
        let mut key = structural_key(self.pda, state, count);
        // A machine says itself what follows a rule, so that even the pruned remainders are the same in other grammars.
        if let Some(follow) = self.pda.rule_of(state).follow {
            let after = structural_key(self.pda, follow, Count::default());
            key = key.zip(after).map(|(mut key, after)| {
                key.words.push(FOLLOW);
                key.words.extend(after.words);
                key
            });
        } else if let Some(key) = &mut key {
            key.words.push(FIRST_AFTER);
            key.words.extend(self.first_after(arena, state).to_words());
        }
        Known {
            id: key.as_ref().map(|key| self.store.key_id(&key.words)),
            is_for_all_counts: key.is_some_and(|key| key.is_for_all_counts),
        }
    }

    /// The split of one state, for people; computed if need be.
    pub(crate) fn statistics(&self, arena: &mut Arena, state: StateId) -> Result<StateStatistics> {
        let config = Config::new(state, crate::stack::NodeId::OPEN).representative(self.pda, self.horizon());
        let trie = self.vocabulary.trie();
        let local = self.local_split(arena, config, trie, 0)?;
        let mut after = local.remainders().trie.order().to_vec();
        after.sort_unstable();
        after.dedup();
        // Before anything is said of what follows.
        let all = self.split(config, trie, 0, ByteSet::FULL)?;
        Ok(StateStatistics {
            rule: self.pda.rule_name(state),
            state: state.index(),
            accepted: local.split.num_accepted,
            dependent: all.num_dependent,
            dependent_after_expansion: after.len(),
            bytes: local.split.memory_size_bytes()
                + local.pruned.as_ref().map_or(0, Remainders::memory_size_bytes),
        })
    }
}

impl Walk<'_> {
    fn mask(&mut self, set: SetId) -> Result<FinishedMask> {
        let pda = self.context.pda;
        let configs: SmallVec<[Config; 8]> = SmallVec::from_slice(self.arena.configs(set));
        let (mut heavy, light): (SmallVec<[Config; 8]>, SmallVec<[Config; 8]>) =
            configs.iter().copied().partition(|c| self.context.is_heavy(c.state));
        if !light.is_empty() {
            let mut entries = self.buffers.wide.pop().unwrap_or_default();
            light.iter().for_each(|&config| self.arena.wide_entries(pda, config, &mut entries));
            let course = Course {
                trie: self.context.vocabulary.trie(),
                node: 0,
                window: None,
                is_beneath: false,
                limit: self.context.walk_limit(&light),
            };
            let start = self.buffers.front.push(&light, SetFlags::default());
            let start = self.take_spelled(course, 0, start, !entries.is_empty())?;
            let visited = self.below(course, start, !entries.is_empty())?;
            self.arena.check_limit()?;
            let Some(visited) = visited else {
                self.buffers.allowed.clear();
                let gives_way = |config: &&Config| self.context.gives_way(config.state);
                light.iter().filter(gives_way).for_each(|config| pda.set_heavy(config.state));
                return self.mask(set);
            };
            if !pda.has_machine() {
                light
                    .iter()
                    .try_for_each(|&config| self.context.split_often_walked(self.arena, config, visited))?;
            }
            heavy.extend(entries.drain(..));
            self.buffers.wide.push(entries);
        }
        for config in configs.iter().filter(|_| pda.has_token_edges()) {
            for &(token_set, ..) in pda.expanded(config.state).tokens() {
                self.buffers.allowed.extend_from_slice(pda.token_set(token_set));
            }
        }
        let mut mask = FinishedMask::default();
        for config in heavy {
            self.add_part(&mut mask, config.representative(pda, self.context.horizon()))?;
            self.arena.check_limit()?;
        }
        self.add_others(&mut mask);
        Ok(mask)
    }

    /// Adds what a configuration allows whose state is split.
    fn add_part(&mut self, mask: &mut FinishedMask, config: Config) -> Result<()> {
        let trie = self.context.vocabulary.trie();
        let local = self.context.served_split(self.arena, config, trie, 0)?;
        let (tokens, except, number) = local.accepted();
        let mut except = except.to_vec();
        let from = self.buffers.allowed.len();
        self.beneath(&local, trie, 0, config, false)?;
        let holes = self.context.holes(config.state, trie, 0);
        let duplicates = self.duplicates(trie, 0, config);
        self.retain_new(from, holes.as_deref(), &duplicates);
        except.extend(holes.iter().flat_map(|holes| holes.tokens()));
        except.extend(duplicates);
        mask.most += number;
        mask.parts.push(Part { tokens, except: except.into() });
        Ok(())
    }

    /// Adds the tokens gathered by walking.
    fn add_others(&mut self, mask: &mut FinishedMask) {
        let allowed = &mut self.buffers.allowed;
        let words = self.context.vocabulary.mask_words();
        if mask.parts.is_empty() && allowed.len() <= words / 4 {
            allowed.sort_unstable();
            allowed.dedup();
        }
        mask.most += allowed.len();
        if allowed.len() > words / 2 {
            let tokens = Arc::new(super::TokenIds::from_ids(allowed, words));
            mask.parts.insert(0, Part { tokens, except: Box::default() });
        } else {
            mask.others = allowed.as_slice().into();
        }
    }
}
