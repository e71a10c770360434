//! From a grammar to a pushdown automaton over bytes.
//!
//! Every rule becomes a small deterministic automaton whose edges carry byte ranges, *calls* of other rules, or special
//! tokens; together they are a recursive transition network (Woods 1970) that the stack in [`crate::stack`] runs. The
//! pipeline is
//!
//! ```text
//! grammar --lower--> NFA a rule --determinise--> DFA a rule --trim--> --left_recursion--> --minimise--> Pda
//! ```
//!
//! Invariants of a finished [`Pda`], which the recogniser's exactness rests on:
//! - *No empty calls*: a call consumes at least one byte or token. A rule that also matches the empty string is
//!   bypassed at each call site (and `root_nullable` says so for the root).
//! - *No left recursion*: following calls from a state to the called rules' start states never comes back; it is removed
//!   by a left-corner transform that keeps the language.
//! - *Productive*: from every state some string leads to the rule's end, so any configuration that is alive can be
//!   completed to a sentence.
//! - Edges of one state do not overlap: per byte, per called rule and per token set there is at most one target.

mod budget;
mod determinise;
mod expand;
mod graph;
pub(crate) mod horizon;
mod lazy;
mod left_recursion;
mod lower;
mod machine;
mod minimise;
mod needed;
mod pipeline;
mod progress;
mod several;
mod trim;

pub(crate) use budget::Operation;
pub use budget::{Budget, CancelToken};
use expand::Expanded;
pub(crate) use expand::{Caller, Next};
pub(crate) use machine::{
    Bound, Collect, Example, LEAST_ALIKE, Leap, Leaps, Like, Machine, MachineEdges, MachineRule,
    MachineState, Room, Unbounded,
};
pub(crate) use progress::{Guard, Progress, Progresses, Spelled, Texts};

use crate::error::Result;
use crate::grammar::{Annotation, ExprId, Span};
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Index of a state in a [`Pda`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StateId(pub(crate) u32);

impl StateId {
    #[inline]
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The bounds of a counted repeat; the rule that carries them runs its automaton once for each round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Counter {
    /// The repeat may end after this many rounds.
    pub(crate) min: u32,
    /// It must end after this many; `u32::MAX` stands for "never".
    pub(crate) max: u32,
}

impl Counter {
    /// `max` of a repeat without an upper bound.
    pub(crate) const UNBOUNDED: u32 = u32::MAX;
}

/// One state.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct State {
    pub(crate) rule: u32,
    pub(crate) is_final: bool,
}

/// The edges of a state of the grammar itself, as ranges of the automaton's arrays.
#[derive(Clone, Copy, Debug, Default)]
struct OwnEdges {
    bytes: (u32, u32),
    calls: (u32, u32),
    tokens: (u32, u32),
    origin: Option<ExprId>,
}

/// A rule of the automaton.
#[derive(Clone, Debug)]
pub(crate) struct PdaRule {
    /// See [`Pda::rule_name`].
    name: Cow<'static, str>,
    pub(crate) span: Option<Span>,
    pub(crate) start: StateId,
    pub(crate) counter: Option<Counter>,
    /// See [`MachineRule::follow`]; for the grammar's own rules it is worked out from their callers.
    pub(crate) follow: Option<StateId>,
    /// Whether all that is reachable by calls from it is there to look at.
    pub(crate) is_leaf: bool,
    /// See [`MachineRule::is_split`].
    pub(crate) is_split: bool,
    /// See [`MachineRule::progresses`].
    pub(crate) progresses: Option<Arc<Progresses>>,
    /// See [`MachineRule::texts`].
    pub(crate) texts: Option<Arc<Texts>>,
}

/// The automaton; see the module's invariants.
#[derive(Debug)]
pub(crate) struct Pda {
    states: Vec<State>,
    edges: Vec<OwnEdges>,
    byte_edges: Vec<(u8, u8, StateId)>,
    call_edges: Vec<(u32, StateId)>,
    token_edges: Vec<(u32, StateId)>,
    rules: Vec<PdaRule>,
    /// The ids of each token set, ascending.
    token_sets: Vec<Vec<u32>>,
    root_nullable: bool,
    has_counters: bool,
    expanded: Vec<OnceLock<Box<Expanded>>>,
    heavy: Vec<AtomicBool>,
    lazy: lazy::LazyPart,
    /// What compiling found that a user should know.
    notes: Vec<Annotation>,
    /// The rules' numbers by those they had while compiling.
    number_of: Vec<u32>,
}

impl Pda {
    /// The root rule is always the first.
    pub(crate) const ROOT: u32 = 0;

    #[inline]
    pub(crate) fn state(&self, id: StateId) -> &State {
        self.states.get(id.index()).unwrap_or_else(|| self.lazy.state(id))
    }

    /// Whether a machine makes some of the states.
    #[inline]
    pub(crate) fn has_machine(&self) -> bool {
        self.lazy.has_machine()
    }

    /// Whether a machine makes the state.
    #[inline]
    pub(crate) fn is_made_late(&self, id: StateId) -> bool {
        self.is_lazy(id)
    }

    #[inline]
    fn is_lazy(&self, id: StateId) -> bool {
        id.index() >= self.states.len()
    }

    /// States so far.
    pub(crate) fn num_states(&self) -> usize {
        self.states.len() + self.lazy.num_states()
    }

    /// Rules so far.
    pub(crate) fn num_rules(&self) -> usize {
        self.rules.len() + self.lazy.num_rules()
    }

    /// The grammar's own rules, without those that a machine makes.
    pub(crate) fn own_rules(&self) -> &[PdaRule] {
        &self.rules
    }

    #[inline]
    pub(crate) fn rule(&self, rule: u32) -> &PdaRule {
        self.rules.get(rule as usize).unwrap_or_else(|| self.lazy.rule(rule))
    }

    /// The name of the rule that a state belongs to, for people.
    pub(crate) fn rule_name(&self, id: StateId) -> String {
        if self.is_lazy(id) { self.lazy.rule_name(id) } else { self.rule_of(id).name.to_string() }
    }

    /// What compiling found that a user should know.
    pub(crate) fn notes(&self) -> &[Annotation] {
        &self.notes
    }

    /// See [`machine::Machine::example`].
    pub(crate) fn example(&self, enough: usize) -> Result<Option<Example>> {
        self.lazy.example(enough)
    }

    /// The error of the machine, if it could not make a state.
    pub(crate) fn check_machine(&self) -> Result<()> {
        self.lazy.check()
    }

    /// Whether masks at a state are put together from prechecked splits.
    #[inline]
    pub(crate) fn is_heavy(&self, id: StateId) -> bool {
        self.heavy_flag(id).load(Ordering::Relaxed)
    }

    pub(crate) fn set_heavy(&self, id: StateId) {
        self.heavy_flag(id).store(true, Ordering::Relaxed);
    }

    fn heavy_flag(&self, id: StateId) -> &AtomicBool {
        self.heavy.get(id.index()).unwrap_or_else(|| self.lazy.heavy_flag(id))
    }

    /// The state whose split serves for this one, too.
    pub(crate) fn like(&self, id: StateId) -> Option<Like<StateId>> {
        if self.is_lazy(id) { self.lazy.like(id) } else { None }
    }

    /// See [`machine::Machine::horizon`].
    pub(crate) fn horizon(&self, id: StateId, is_thorough: bool) -> Option<horizon::Horizon> {
        if self.is_lazy(id) { self.lazy.horizon(id, is_thorough) } else { None }
    }

    /// See [`machine::Machine::unbounded`].
    pub(crate) fn unbounded(&self, id: StateId) -> Option<Unbounded<StateId>> {
        if self.is_lazy(id) { self.lazy.unbounded(id) } else { None }
    }

    /// Of a text: whether no character is read in part at a state.
    pub(crate) fn is_between(&self, id: StateId) -> bool {
        self.is_lazy(id) && self.lazy.is_between(id)
    }

    /// See [`machine::MachineState::narrow`].
    pub(crate) fn narrow(&self, id: StateId) -> Option<[u8; 2]> {
        if self.is_lazy(id) { self.lazy.narrow(id) } else { None }
    }

    /// See [`machine::Machine::to_end`].
    pub(crate) fn to_end(&self, id: StateId) -> Option<u32> {
        if self.is_lazy(id) { self.lazy.to_end(id) } else { None }
    }

    /// Whether calls that return to a state collect what they read.
    #[inline]
    pub(crate) fn collects(&self, id: StateId) -> Option<Collect> {
        if self.is_lazy(id) { self.lazy.collects(id) } else { None }
    }

    /// Where what returns to a state goes if it has read a value that was met before.
    pub(crate) fn repeated(&self, id: StateId) -> Option<StateId> {
        if self.is_lazy(id) { self.lazy.repeated(id) } else { None }
    }

    /// See [`machine::Machine::signature`].
    pub(crate) fn signature(&self, id: StateId) -> Option<(u32, u32)> {
        if self.is_lazy(id) { self.lazy.signature(id) } else { None }
    }

    /// See [`Room`].
    pub(crate) fn room(&self, id: StateId) -> Room {
        if self.is_lazy(id) { self.lazy.room(id) } else { Room::Counted }
    }

    /// The ends of a state with a progress if they are at most so many; see [`machine::Machine::ends`].
    pub(crate) fn ends(&self, id: StateId, progress: u32, most: usize) -> Option<lazy::Ends> {
        if self.is_lazy(id) { self.lazy.ends(id, progress, most) } else { None }
    }

    /// What a progress is once a state is come to; `None` if its guard forbids that.
    #[inline]
    pub(crate) fn enter(&self, id: StateId, progress: u32) -> Option<u32> {
        if self.is_lazy(id) { self.lazy.enter(id, progress) } else { Some(progress) }
    }

    /// Whether what becomes of a progress at a state depends on the progress.
    pub(crate) fn is_guarded(&self, id: StateId) -> bool {
        self.is_lazy(id) && self.lazy.is_guarded(id)
    }

    /// Whether [`Self::leap`] may know where texts lead to from a state.
    #[inline]
    pub(crate) fn leaps(&self, id: StateId) -> Leaps {
        if self.is_lazy(id) { self.lazy.leaps(id) } else { Leaps::No }
    }

    /// See [`machine::Machine::leap`].
    pub(crate) fn leap(&self, id: StateId, text: &[u8]) -> Leap<StateId> {
        if self.is_lazy(id) { self.lazy.leap(id, text) } else { Leap::Unknown }
    }

    /// The texts that a state's bytes are; it may call rules beside them.
    #[inline]
    pub(crate) fn spelled(&self, id: StateId) -> Option<Spelled> {
        if self.is_lazy(id) { self.lazy.spelled(id) } else { None }
    }

    /// Whether one of a range of keys may come at a state that spells them, whatever was read before; see [`machine::Machine::has_key`].
    pub(crate) fn has_key(&self, id: StateId, keys: (u32, u32)) -> bool {
        self.is_lazy(id) && self.lazy.has_key(id, keys)
    }

    /// See [`machine::Machine::end_of_text`].
    pub(crate) fn end_of_text(&self, id: StateId, key: u32) -> Option<StateId> {
        if self.is_lazy(id) { self.lazy.end_of_text(id, key) } else { None }
    }

    /// See [`machine::Machine::lacks`].
    pub(crate) fn lacks(&self, id: StateId) -> Option<Vec<Vec<u8>>> {
        if self.is_lazy(id) { self.lazy.lacks(id) } else { None }
    }

    /// Whether a state is known to be split without trying to walk from it first.
    #[inline]
    pub(crate) fn is_wide(&self, id: StateId) -> bool {
        self.is_lazy(id) && self.lazy.is_wide(id)
    }

    /// Whether a state is split however little is left of a trie: to walk from it would make the states of rules that it calls.
    pub(crate) fn is_always_split(&self, id: StateId) -> bool {
        let rule = self.rule_of(id);
        rule.is_split && !rule.is_leaf
    }

    /// The same for what it calls.
    pub(crate) fn calls_always_split(&self, id: StateId) -> bool {
        !self.calls_nothing(id) && self.expanded(id).has_always_split()
    }

    /// Where a byte leads from a state of a leaf rule.
    pub(crate) fn byte_target(&self, id: StateId, byte: u8) -> Option<StateId> {
        let edges = self.bytes_of(id);
        let edge = edges.get(edges.partition_point(|e| e.1 < byte))?;
        (edge.0 <= byte).then_some(edge.2)
    }

    #[inline]
    pub(crate) fn rule_of(&self, id: StateId) -> &PdaRule {
        self.rule(self.state(id).rule)
    }

    /// Outgoing byte ranges, ascending and disjoint.
    #[inline]
    pub(crate) fn bytes_of(&self, id: StateId) -> &[(u8, u8, StateId)] {
        if self.is_lazy(id) {
            return self.lazy.bytes_of(id);
        }
        let (from, to) = self.edges[id.index()].bytes;
        &self.byte_edges[from as usize..to as usize]
    }

    /// Outgoing calls: the rule, and the state to return to.
    #[inline]
    pub(crate) fn calls_of(&self, id: StateId) -> &[(u32, StateId)] {
        if self.is_lazy(id) {
            return self.lazy.calls_of(id);
        }
        let (from, to) = self.edges[id.index()].calls;
        &self.call_edges[from as usize..to as usize]
    }

    /// Whether a state is known to call nothing without its edges.
    #[inline]
    pub(crate) fn calls_nothing(&self, id: StateId) -> bool {
        self.is_lazy(id) && self.lazy.calls_nothing(id)
    }

    /// Outgoing special-token edges: the token set, and the next state.
    #[inline]
    pub(crate) fn tokens_of(&self, id: StateId) -> &[(u32, StateId)] {
        let (from, to) = self.edges.get(id.index()).map_or((0, 0), |edges| edges.tokens);
        &self.token_edges[from as usize..to as usize]
    }

    /// Counts memory that was made for a state after all else of it.
    fn count_bytes(&self, id: StateId, bytes: usize) {
        if self.is_lazy(id) {
            self.lazy.count_bytes(bytes);
        }
    }

    /// Whether the grammar names any special token.
    #[inline]
    pub(crate) fn has_token_edges(&self) -> bool {
        !self.token_edges.is_empty()
    }

    /// The token ids of a set, ascending.
    pub(crate) fn token_set(&self, set: u32) -> &[u32] {
        &self.token_sets[set as usize]
    }

    /// Whether a state has any edge at all.
    #[inline]
    pub(crate) fn has_edges(&self, id: StateId) -> bool {
        if self.is_lazy(id) {
            return self.lazy.has_edges(id);
        }
        let s = &self.edges[id.index()];
        s.bytes.0 != s.bytes.1 || s.calls.0 != s.calls.1 || s.tokens.0 != s.tokens.1
    }

    /// Whether rounds are counted in some of the grammar's own rules.
    #[inline]
    pub(crate) fn has_counters(&self) -> bool {
        self.has_counters
    }

    /// Whether the empty string is a sentence.
    pub(crate) fn root_nullable(&self) -> bool {
        self.root_nullable
    }

    /// The expression that a state stands before, to explain a refusal with.
    pub(crate) fn origin_of(&self, id: StateId) -> Option<ExprId> {
        self.edges.get(id.index())?.origin
    }

    /// What can happen next at a state, calls included; computed when it is first asked for.
    #[inline]
    pub(crate) fn expanded(&self, id: StateId) -> Next<'_> {
        match self.expanded.get(id.index()) {
            Some(expanded) => {
                Next::Expanded(expanded.get_or_init(|| Box::new(Expanded::new(self, id))), self)
            }
            None => self.lazy.expanded(self, id),
        }
    }

    /// Heap memory, bytes.
    pub(crate) fn memory_size_bytes(&self) -> usize {
        let expanded: usize =
            self.expanded.iter().filter_map(OnceLock::get).map(|e| e.whole_size_bytes()).sum();
        expanded
            + self.lazy.memory_size_bytes()
            + self.states.len()
                * (size_of::<State>() + size_of::<OwnEdges>() + size_of::<OnceLock<Box<Expanded>>>())
            + self.byte_edges.len() * size_of::<(u8, u8, StateId)>()
            + (self.call_edges.len() + self.token_edges.len()) * size_of::<(u32, StateId)>()
            + self.rules.iter().map(|r| size_of::<PdaRule>() + r.name.len()).sum::<usize>()
            + self.token_sets.iter().map(|s| s.len() * 4).sum::<usize>()
    }
}
