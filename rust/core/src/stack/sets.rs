//! Sets of configurations, and the step from one by a byte or a special token.

use super::history::HistoryEntry;
use super::leap::Leaps;
use super::lookups::LookedUp;
use super::nodes::UNION_FUEL;
use super::places::Places;
use super::registers::{Registers, Return};
use super::trace::Trace;
use super::{Count, END_MARK, Edge, NodeId, OPEN_MARK, RegisterId};
use crate::automaton::{Caller, Pda, StateId};
use crate::error::{Error, Result};
use crate::grammar::ByteSet;
use hashbrown::HashTable;
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// A set of configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SetId(pub(crate) u32);

impl SetId {
    /// The set of a text that no sentence begins with: no configuration, and nothing complete.
    pub(crate) const DEAD: Self = Self(0);
}

/// What a set says beside its configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct SetFlags {
    /// The text so far is a sentence.
    pub(crate) complete: bool,
    /// The bottom marked [`NodeId::OPEN`] was popped by the last byte.
    pub(crate) open: bool,
    /// A value was collected beside one that is not known: tokens that lead here have to be looked at again.
    pub(crate) recheck: bool,
}

impl SetFlags {
    /// What two sets say together.
    pub(super) fn union(self, other: Self) -> Self {
        Self {
            complete: self.complete | other.complete,
            open: self.open | other.open,
            recheck: self.recheck | other.recheck,
        }
    }
}

/// One configuration; it always has an edge to go on by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Config {
    pub(crate) state: StateId,
    pub(crate) count: Count,
    pub(crate) node: NodeId,
    pub(crate) register: RegisterId,
}

impl Config {
    /// A state with nothing counted or collected.
    pub(crate) fn new(state: StateId, node: NodeId) -> Self {
        Self { state, count: Count::default(), node, register: RegisterId::default() }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct SetHead {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) flags: SetFlags,
    /// Steps asked for so far, up to [`HOT`].
    visits: u8,
    /// Index into `rows`, or `NO_ROW`.
    row: u32,
}

const NO_ROW: u32 = u32::MAX;
/// In a row: not computed yet.
const UNKNOWN: SetId = SetId(u32::MAX);
/// What a short text takes of most things.
const FEW: usize = 56;
/// A set whose steps are asked for this often gets a row of 256 entries instead of hash look-ups.
const HOT: u8 = 24;

/// Persistent stacks, sets of configurations and histories; see the module above.
#[derive(Debug)]
pub(crate) struct Arena {
    pub(super) nodes: Vec<(u32, u32)>,
    pub(super) edges: Vec<Edge>,
    pub(super) node_table: HashTable<u32>,
    pub(super) unions: FxHashMap<(NodeId, NodeId), NodeId>,
    /// New unions beneath others that this step may still make.
    pub(super) union_fuel: u32,
    /// `stamps[node] == round`: popped in this step already.
    pub(super) stamps: Vec<u32>,
    round: u32,
    arrivals: u64,
    pub(super) sets: Vec<SetHead>,
    pub(super) configs: Vec<Config>,
    pub(super) set_table: HashTable<u32>,
    steps: FxHashMap<(SetId, u8), SetId>,
    /// Steps by several bytes; see [`super::leap`].
    pub(super) leaps: Leaps,
    rows: Vec<[SetId; 256]>,
    popped: FxHashMap<(NodeId, RegisterId), (SetId, LookedUp)>,
    pub(super) registers: Registers,
    /// See [`super::doomed`].
    pub(super) fatal: FxHashMap<Edge, Arc<[u32]>>,
    /// Popped in this step already, with a text.
    popped_with: Vec<(NodeId, RegisterId)>,
    pub(super) history: Vec<HistoryEntry>,
    pub(super) ahead: Places,
    /// The same for texts up to another length.
    pub(super) ahead_otherwise: Places,
    pub(super) scratch: Scratch,
    /// Whether ends are being tried; see [`super::doomed`].
    pub(super) is_searching: bool,
    /// Whether what the last search found to be completed may be doomed after all, for something was compared that is not known.
    pub(super) is_unsure: bool,
    limit_bytes: usize,
    pub(super) over_limit: bool,
    pub(super) trace: Trace,
}

#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) todo: Vec<Config>,
    pub(super) out: Vec<Config>,
    pub(super) flags: SetFlags,
    pub(super) entry_nodes: Vec<Option<(NodeId, RegisterId)>>,
    edges: Vec<Edge>,
}

impl SetHead {
    /// The head of a set that was never asked for a step.
    pub(super) fn new(from: u32, to: u32, flags: SetFlags) -> Self {
        Self { from, to, flags, visits: 0, row: NO_ROW }
    }
}

impl Arena {
    /// An empty arena; it refuses to grow over `limit_bytes` (approximately).
    pub(crate) fn new(limit_bytes: usize) -> Self {
        let mut arena = Self {
            nodes: Vec::with_capacity(FEW),
            edges: Vec::with_capacity(FEW),
            node_table: HashTable::with_capacity(FEW),
            unions: FxHashMap::default(),
            union_fuel: UNION_FUEL,
            stamps: Vec::with_capacity(FEW),
            round: 0,
            arrivals: 0,
            sets: Vec::with_capacity(FEW),
            configs: Vec::with_capacity(FEW),
            set_table: HashTable::with_capacity(FEW),
            steps: FxHashMap::with_capacity_and_hasher(FEW, Default::default()),
            leaps: Leaps::default(),
            rows: Vec::new(),
            popped: FxHashMap::with_capacity_and_hasher(FEW, Default::default()),
            registers: Registers::new(),
            fatal: FxHashMap::default(),
            popped_with: Vec::new(),
            history: Vec::with_capacity(FEW),
            ahead: Places::default(),
            ahead_otherwise: Places::default(),
            scratch: Scratch::default(),
            is_searching: false,
            is_unsure: false,
            limit_bytes,
            over_limit: false,
            trace: Trace::default(),
        };
        for mark in [END_MARK, OPEN_MARK] {
            arena.push_frame(Edge {
                ret: mark,
                count: Count::default(),
                parent: NodeId::END,
                register: RegisterId::default(),
            });
        }
        arena.finish_set(); // the dead set
        arena
    }

    /// The set before the first byte.
    pub(crate) fn start(&mut self, pda: &Pda) -> SetId {
        let start = pda.rule(Pda::ROOT).start;
        let flags = SetFlags { complete: pda.root_nullable(), ..SetFlags::default() };
        self.set_of(pda, Config::new(start, NodeId::END), flags)
    }

    /// The configurations of a set.
    #[inline]
    pub(crate) fn configs(&self, set: SetId) -> &[Config] {
        let head = &self.sets[set.0 as usize];
        &self.configs[head.from as usize..head.to as usize]
    }

    #[inline]
    pub(crate) fn flags(&self, set: SetId) -> SetFlags {
        self.sets[set.0 as usize].flags
    }

    /// Whether any byte or token can follow.
    #[inline]
    pub(crate) fn is_alive(&self, set: SetId) -> bool {
        let head = &self.sets[set.0 as usize];
        head.from != head.to
    }

    /// The set after one more byte; [`SetId::DEAD`] when no sentence goes on like this.
    #[inline]
    pub(crate) fn step(&mut self, pda: &Pda, set: SetId, byte: u8) -> SetId {
        let row = self.sets[set.0 as usize].row;
        if row != NO_ROW {
            let next = self.rows[row as usize][usize::from(byte)];
            if next != UNKNOWN {
                return next;
            }
            let next = self.compute_step(pda, set, byte);
            if !self.over_limit {
                self.rows[row as usize][usize::from(byte)] = next;
            }
            return next;
        }
        self.step_cold(pda, set, byte)
    }

    fn step_cold(&mut self, pda: &Pda, set: SetId, byte: u8) -> SetId {
        let head = &mut self.sets[set.0 as usize];
        head.visits += 1;
        if head.visits == HOT {
            head.row = self.rows.len() as u32;
            self.rows.push([UNKNOWN; 256]);
        }
        if let Some(&known) = self.steps.get(&(set, byte)) {
            return known;
        }
        let next = self.compute_step(pda, set, byte);
        if next != SetId::DEAD {
            self.steps.insert((set, byte), next);
        }
        next
    }

    pub(super) fn compute_step(&mut self, pda: &Pda, set: SetId, byte: u8) -> SetId {
        if self.refuses_growth() {
            return SetId::DEAD;
        }
        let SetHead { from, to, flags, .. } = self.sets[set.0 as usize];
        let configs = std::mem::take(&mut self.configs);
        self.arrive(pda, &configs[from as usize..to as usize], flags, byte, false);
        self.configs = configs;
        self.drop_doomed(pda);
        self.finish_set()
    }

    /// Finds what some configurations come to with one more byte, and leaves it in `scratch`.
    pub(super) fn arrive(
        &mut self,
        pda: &Pda,
        configs: &[Config],
        flags: SetFlags,
        byte: u8,
        beside_wide: bool,
    ) {
        self.scratch.flags.recheck = flags.recheck;
        self.begin_round();
        self.move_on(pda, configs, byte, beside_wide);
        self.close_round(pda);
        self.arrivals += self.scratch.out.len() as u64;
    }

    /// Leaves in `todo` what the moves of some configurations lead to.
    pub(super) fn move_on(&mut self, pda: &Pda, configs: &[Config], byte: u8, beside_wide: bool) {
        for &config in configs {
            let expanded = pda.expanded(config.state);
            let moves = expanded.moves(byte);
            if moves.iter().any(|m| m.1 > 0) {
                self.scratch.entry_nodes.clear();
            }
            for &(state, entry) in &*moves {
                if beside_wide && entry > 0 && expanded.entries()[entry as usize].is_in_wide {
                    continue;
                }
                let count = if entry == 0 { config.count } else { Count::default() };
                let Some(count) = self.enter(pda, count, state) else { continue };
                let (node, register) = self.stack_of(pda, config, entry);
                let register = self.registers.after_byte(register, byte);
                self.scratch.todo.push(Config { state, count, node, register });
            }
        }
    }

    /// How many configurations steps have come to, before they were folded: what they took.
    pub(crate) fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// Moves what was found to the end of a list, folded.
    pub(super) fn drain_arrivals(&mut self, to: &mut Vec<Config>) -> SetFlags {
        let mut out = std::mem::take(&mut self.scratch.out);
        if out.len() > 1 {
            self.fold(&mut out);
        }
        to.append(&mut out);
        self.scratch.out = out;
        std::mem::take(&mut self.scratch.flags)
    }

    /// The configurations at the starts of wide rules that a configuration calls into.
    pub(crate) fn wide_entries(&mut self, pda: &Pda, config: Config, out: &mut Vec<Config>) {
        if pda.calls_nothing(config.state) {
            return;
        }
        let expanded = pda.expanded(config.state);
        if !expanded.has_wide_entries() {
            return;
        }
        self.scratch.entry_nodes.clear();
        for (index, entry) in expanded.entries().iter().enumerate().skip(1) {
            if entry.is_wide {
                let (node, register) = self.stack_of(pda, config, index as u32);
                out.push(Config { state: entry.state, count: Count::default(), node, register });
            }
        }
    }

    /// The set after one special token.
    pub(crate) fn step_token(&mut self, pda: &Pda, set: SetId, token: u32) -> SetId {
        if self.refuses_growth() {
            return SetId::DEAD;
        }
        self.begin_round();
        for config in self.configs(set).to_vec() {
            self.scratch.entry_nodes.clear();
            for &(token_set, state, entry) in pda.expanded(config.state).tokens() {
                if pda.token_set(token_set).binary_search(&token).is_ok() {
                    let count = if entry == 0 { config.count } else { Count::default() };
                    let (node, register) = self.stack_of(pda, config, entry);
                    self.scratch.todo.push(Config { state, count, node, register });
                }
            }
        }
        self.close_round(pda);
        self.drop_doomed(pda);
        self.finish_set()
    }

    /// What lies beneath a stack set: the set of configurations after popping it.
    pub(crate) fn pop(&mut self, pda: &Pda, node: NodeId) -> SetId {
        self.pop_beneath(pda, Config::new(StateId(0), node))
    }

    /// What lies beneath a configuration, whatever more it has read.
    pub(crate) fn pop_beneath(&mut self, pda: &Pda, config: Config) -> SetId {
        let key = (config.node, self.registers.unknown(config.register));
        if let Some((set, lookups)) = self.popped.get(&key).filter(|_| !self.trace.is_on()) {
            self.registers.lookups.again(lookups);
            return *set;
        }
        let since = self.lookups();
        self.begin_round();
        self.pop_into_todo(pda, key.0, key.1);
        let set = self.set_after_round(pda);
        self.popped.insert(key, (set, self.looked_up(since)));
        set
    }

    /// The union of two sets.
    pub(crate) fn union_sets(&mut self, a: SetId, b: SetId) -> SetId {
        if a == b || b == SetId::DEAD {
            return a;
        }
        let configs = [self.configs(a), self.configs(b)].concat();
        let flags = self.flags(a).union(self.flags(b));
        self.set_of_configs(&configs, flags)
    }

    /// The bytes that can follow.
    pub(crate) fn first_bytes(&self, pda: &Pda, set: SetId) -> ByteSet {
        let mut out = ByteSet::EMPTY;
        for config in self.configs(set) {
            let expanded = pda.expanded(config.state);
            if pda.rule_of(config.state).progresses.is_none() {
                out = out.union(&expanded.first());
                continue;
            }
            let passes =
                |&(state, entry): &(StateId, u32)| entry > 0 || config.count.enter(pda, state).is_some();
            expanded
                .first()
                .iter()
                .filter(|&byte| expanded.moves(byte).iter().any(passes))
                .for_each(|byte| out.insert_range(byte, byte));
        }
        out
    }

    /// The stack and register that go with an entry of a configuration's expansion.
    pub(super) fn stack_of(&mut self, pda: &Pda, config: Config, entry: u32) -> (NodeId, RegisterId) {
        if entry == 0 {
            return (config.node, config.register);
        }
        let entry = entry as usize;
        if let Some(&Some(known)) = self.scratch.entry_nodes.get(entry) {
            return known;
        }
        let expanded = pda.expanded(config.state);
        let mut nodes = std::mem::take(&mut self.scratch.entry_nodes);
        nodes.resize(expanded.entries().len(), None);
        nodes[0] = Some((config.node, config.register));
        if expanded.callers(entry).iter().any(|&(_, caller)| nodes[caller as usize].is_none()) {
            // Which entries are needed, from the wanted one up to its callers; callers come first in the list.
            let mut needed: SmallVec<[bool; 64]> = smallvec![false; entry + 1];
            needed[entry] = true;
            for above in (1..=entry).rev() {
                if needed[above] && nodes[above].is_none() {
                    expanded.callers(above).iter().for_each(|&(_, caller)| needed[caller as usize] = true);
                }
            }
            for above in 1..entry {
                if needed[above] && nodes[above].is_none() {
                    nodes[above] = Some(self.called(pda, config, expanded.callers(above), &nodes));
                }
            }
        }
        let found = self.called(pda, config, expanded.callers(entry), &nodes);
        nodes[entry] = Some(found);
        self.scratch.entry_nodes = nodes;
        found
    }

    /// The stack and register of what is called by entries of a configuration's expansion whose own are known.
    fn called(
        &mut self,
        pda: &Pda,
        config: Config,
        callers: &[Caller],
        known: &[Option<(NodeId, RegisterId)>],
    ) -> (NodeId, RegisterId) {
        let of = |caller: u32| known[caller as usize].unwrap_or((config.node, config.register));
        let collecting = |ret: Option<StateId>| ret.is_some_and(|ret| pda.collects(ret).is_some());
        // A text is kept if any call on the way collects.
        let begins =
            |&(ret, caller): &Caller| collecting(ret) || caller > 0 && self.registers.has_text(of(caller).1);
        let is_collected = callers.iter().any(begins);
        let register = self.registers.of_callee(config.register, is_collected);
        let mut edges = std::mem::take(&mut self.scratch.edges);
        for &(ret, caller) in callers {
            let (parent, of_caller) = of(caller);
            let count = if caller == 0 { config.count } else { Count::default() };
            let register = self.registers.of_frame(of_caller, register, collecting(ret));
            match ret {
                Some(ret) => edges.push(Edge { ret, count, parent, register }),
                None => {
                    self.trace.note_pop(parent);
                    edges.extend_from_slice(self.edges(parent));
                }
            }
        }
        let node = self.node_of(&mut edges);
        self.scratch.edges = edges;
        (node, register)
    }

    pub(super) fn begin_round(&mut self) {
        self.round += 1;
        self.union_fuel = UNION_FUEL;
    }

    /// Follows every arrival in `todo` through ended rules and counters.
    pub(super) fn close_round(&mut self, pda: &Pda) {
        while let Some(config) = self.scratch.todo.pop() {
            if self.settle(pda, config) {
                self.pop_into_todo(pda, config.node, config.register);
            }
        }
        self.popped_with.clear();
    }

    /// Adds an arrival to what was found, as far as its rule goes on; whether the rule may have ended.
    pub(super) fn settle(&mut self, pda: &Pda, config: Config) -> bool {
        let state = pda.state(config.state);
        if pda.has_edges(config.state) {
            self.scratch.out.push(config);
        }
        if !state.is_final {
            return false;
        }
        let rule = pda.rule(state.rule);
        let Some(counter) = rule.counter else { return true };
        let count = config.count.next_round(counter);
        if let Some(count) = count.may_continue(counter) {
            self.scratch.out.push(Config { state: rule.start, count, ..config });
        }
        count.may_end(counter)
    }

    /// The set after the end of a configuration's rule.
    pub(super) fn set_after_rule(&mut self, pda: &Pda, config: Config) -> SetId {
        self.begin_round();
        self.pop_into_todo(pda, config.node, config.register);
        self.set_after_round(pda)
    }

    fn set_after_round(&mut self, pda: &Pda) -> SetId {
        self.close_round(pda);
        self.drop_doomed(pda);
        self.finish_set()
    }

    /// Every return state beneath a stack set is arrived at, once a step.
    pub(super) fn pop_into_todo(&mut self, pda: &Pda, node: NodeId, register: RegisterId) {
        self.trace.note_pop(node);
        let is_again = std::mem::replace(&mut self.stamps[node.0 as usize], self.round) == self.round;
        if self.registers.has_text(register) {
            if is_again && self.popped_with.contains(&(node, register)) {
                return;
            }
            self.popped_with.push((node, register));
        } else if is_again && !self.popped_with.iter().any(|popped| popped.0 == node) {
            return;
        }
        let (from, to) = self.nodes[node.0 as usize];
        for index in from..to {
            let edge = self.edges[index as usize];
            match edge.ret {
                END_MARK => self.scratch.flags.complete = true,
                OPEN_MARK => self.scratch.flags.open = true,
                state => {
                    let Some(count) = self.enter(pda, edge.count, state) else { continue };
                    let register = match self.registers.returned(register, edge.register, pda.collects(state))
                    {
                        Return::Register(register) => {
                            let config = Config { state, count, node: edge.parent, register };
                            let is_unknown = self.registers.is_partial(register);
                            self.scratch.flags.recheck |= is_unknown && self.has_few_ends(pda, config);
                            register
                        }
                        Return::Recheck(register) => {
                            self.scratch.flags.recheck = true;
                            register
                        }
                        Return::Duplicate => continue,
                        Return::Repeated(register) => {
                            self.arrive_again(pda, edge, count, register);
                            continue;
                        }
                        Return::PerhapsRepeated(register, again) => {
                            self.scratch.flags.recheck = true;
                            self.arrive_again(pda, edge, count, again);
                            register
                        }
                    };
                    self.scratch.todo.push(Config { state, count, node: edge.parent, register });
                }
            }
        }
    }

    /// A value was there before where one has to be.
    fn arrive_again(&mut self, pda: &Pda, edge: Edge, count: Count, register: RegisterId) {
        if let Some(state) = pda.repeated(edge.ret) {
            self.scratch.todo.push(Config { state, count, node: edge.parent, register });
        }
    }

    /// Heap memory in use, bytes, approximately.
    pub(crate) fn memory_size_bytes(&self) -> usize {
        self.registers.memory_size_bytes()
            + self.nodes.len() * 16
            + self.edges.len() * size_of::<Edge>()
            + (self.unions.len() + self.steps.len() + 2 * self.popped.len() + 4 * self.leaps.len()) * 16
            + self.fatal.len() * 64
            + self.sets.len() * (size_of::<SetHead>() + 5)
            + self.configs.len() * size_of::<Config>()
            + self.rows.len() * 1024
            + self.history.len() * size_of::<HistoryEntry>()
    }

    #[inline]
    pub(super) fn refuses_growth(&mut self) -> bool {
        self.over_limit = self.over_limit || self.memory_size_bytes() > self.limit_bytes;
        self.over_limit
    }

    /// `Err` when the arena refused to grow since the last call.
    pub(crate) fn check_limit(&mut self) -> Result<()> {
        if std::mem::take(&mut self.over_limit) {
            let message = format!("the matcher's stacks take more than {} bytes", self.limit_bytes);
            return Err(Error::LimitExceeded { limit: "matcher_memory_limit", message });
        }
        Ok(())
    }
}
