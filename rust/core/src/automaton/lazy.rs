//! Rules that are made when matching gets to them.
//!
//! A [`Machine`] describes an automaton that is too large to write down: a JSON object whose properties come in any order
//! has a state for each set of properties seen. Its states are numbered as they are made, and made when an edge leads
//! to them; what no text has led to costs nothing.
//!
//! Invariants, which the machine keeps: those of a finished [`Pda`] (no empty calls, no left recursion, productive), and
//! that the edges of a state never change.

use super::horizon::Horizon;
use super::machine::{
    Collect, Example, Leap, Leaps, Like, Machine, MachineRule, MachineState, Room, Unbounded,
};
use super::progress::{Guard, Spelled};
use super::{Expanded, Next, Pda, PdaRule, State, StateId};
use crate::error::{Error, Result};
use crate::memory::spilled_bytes;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// The texts that may follow a state; see [`Machine::ends`].
pub(crate) type Ends = Arc<[Vec<u8>]>;

#[derive(Clone, Debug)]
enum KnownEnds {
    Few(Ends),
    MoreThan(usize),
}

#[derive(Debug, Default)]
struct Edges {
    /// So many bytes go on that the trie is not walked from here, but split.
    is_wide: bool,
    bytes: SmallVec<[(u8, u8, StateId); 2]>,
    calls: Calls,
    /// Where there are calls.
    expanded: OnceLock<Arc<Expanded>>,
}

/// A called rule each, and the state called back to.
type Calls = SmallVec<[(u32, StateId); 2]>;

impl Edges {
    /// What is not in the state itself.
    fn memory_size_bytes(&self) -> usize {
        spilled_bytes(&self.bytes) + spilled_bytes(&self.calls)
    }
}

/// A state of a leaf rule with this many bytes to go on by is wide: ten are the digits, which begin a thousand tokens.
const WIDE: usize = 10;

/// Ends are looked for up to this many, so that they are not looked for again with each value more.
const LEAST_ENDS: usize = 64;

/// A state as the automaton keeps it.
#[derive(Debug)]
struct LazyState {
    state: State,
    has_edges: bool,
    /// As far as it is known without the edges.
    is_wide: Option<bool>,
    is_between: bool,
    narrow: Option<[u8; 2]>,
    has_like: bool,
    leaps: Leaps,
    like: OnceLock<Option<Like<StateId>>>,
    collects: Option<Collect>,
    repeated: Option<StateId>,
    room: Room,
    guard: Guard,
    spelled: Option<Spelled>,
    is_heavy: AtomicBool,
    edges: OnceLock<Edges>,
}

/// The part of an automaton that a machine makes. Its states and rules are numbered after the others.
#[derive(Debug, Default)]
pub(super) struct LazyPart {
    machine: Option<Mutex<Box<dyn Machine>>>,
    states: boxcar::Vec<LazyState>,
    rules: boxcar::Vec<PdaRule>,
    first_state: u32,
    first_rule: u32,
    failure: OnceLock<Error>,
    /// The expansions of states that only call rules: names whose values satisfy the same have the same.
    expansions: Mutex<FxHashMap<Calls, Arc<Expanded>>>,
    /// The ends of states that were asked for, with each progress.
    ends: Mutex<FxHashMap<(StateId, u32), KnownEnds>>,
    /// Memory of the edges and expansions made so far.
    bytes: AtomicUsize,
}

impl LazyPart {
    pub(super) fn new(machine: Box<dyn Machine>, first_state: usize, first_rule: usize) -> Self {
        let (first_state, first_rule) = (first_state as u32, first_rule as u32);
        let part = Self { first_state, first_rule, ..Self::default() };
        part.adopt(&*machine);
        Self { machine: Some(Mutex::new(machine)), ..part }
    }

    /// Takes over what the machine has made since the last time; the caller holds its lock.
    fn adopt(&self, machine: &dyn Machine) {
        let at = |state: u32| StateId(self.first_state + state);
        for rule in &machine.rules()[self.rules.count()..] {
            self.rules.push(PdaRule {
                name: Cow::Borrowed(rule.kind),
                span: None,
                start: at(rule.start),
                counter: rule.counter,
                follow: rule.follow.map(at),
                is_leaf: rule.is_leaf,
                is_split: rule.is_split,
                progresses: rule.progresses.clone(),
                texts: rule.texts.clone(),
            });
        }
        for state in &machine.states()[self.states.count()..] {
            let MachineRule { is_leaf, is_split, .. } = machine.rules()[state.rule as usize];
            let is_wide = state.is_wide || is_split;
            // What is like another state asks that one.
            let is_known = is_wide || state.narrow.is_some() || !is_leaf && !state.has_like;
            let (rule, is_final) = (self.first_rule + state.rule, state.is_final);
            self.states.push(LazyState {
                state: State { rule, is_final },
                has_edges: state.has_edges,
                is_wide: is_known.then_some(is_wide),
                is_between: state.is_between,
                narrow: state.narrow,
                has_like: state.has_like,
                leaps: state.leaps,
                like: OnceLock::new(),
                collects: state.collects,
                repeated: state.repeated.map(at),
                room: state.room,
                guard: state.guard,
                spelled: state.spelled,
                is_heavy: AtomicBool::new(false),
                edges: OnceLock::new(),
            });
        }
    }

    pub(super) fn has_machine(&self) -> bool {
        self.machine.is_some()
    }

    pub(super) fn num_states(&self) -> usize {
        self.states.count()
    }

    pub(super) fn num_rules(&self) -> usize {
        self.rules.count()
    }

    fn lazy(&self, id: StateId) -> &LazyState {
        &self.states[(id.0 - self.first_state) as usize]
    }

    pub(super) fn state(&self, id: StateId) -> &State {
        &self.lazy(id).state
    }

    pub(super) fn rule(&self, rule: u32) -> &PdaRule {
        &self.rules[(rule - self.first_rule) as usize]
    }

    /// See [`Machine::rule_name`].
    pub(super) fn rule_name(&self, id: StateId) -> String {
        let rule = self.state(id).rule - self.first_rule;
        self.machine.as_ref().map(|machine| machine.lock().rule_name(rule)).unwrap_or_default()
    }

    pub(super) fn has_edges(&self, id: StateId) -> bool {
        self.lazy(id).has_edges
    }

    pub(super) fn heavy_flag(&self, id: StateId) -> &AtomicBool {
        &self.lazy(id).is_heavy
    }

    pub(super) fn like(&self, id: StateId) -> Option<Like<StateId>> {
        let lazy = self.lazy(id);
        if !lazy.has_like {
            return None;
        }
        *lazy.like.get_or_init(|| {
            let mut machine = self.machine.as_ref()?.lock();
            let Like { base, is_exact } = machine.like(id.0 - self.first_state)?;
            self.adopt(&**machine);
            Some(Like { base: StateId(self.first_state + base), is_exact })
        })
    }

    pub(super) fn leaps(&self, id: StateId) -> Leaps {
        self.lazy(id).leaps
    }

    /// See [`Machine::leap`].
    pub(super) fn leap(&self, id: StateId, text: &[u8]) -> Leap<StateId> {
        let Some(machine) = &self.machine else { return Leap::Unknown };
        let mut machine = machine.lock();
        let made = machine.leap(id.0 - self.first_state, text);
        self.adopt(&**machine);
        match self.heard(made) {
            Some(Leap::To(state)) => Leap::To(StateId(self.first_state + state)),
            Some(Leap::Nowhere) => Leap::Nowhere,
            Some(Leap::Unknown) | None => Leap::Unknown,
        }
    }

    pub(super) fn collects(&self, id: StateId) -> Option<Collect> {
        self.lazy(id).collects
    }

    pub(super) fn repeated(&self, id: StateId) -> Option<StateId> {
        self.lazy(id).repeated
    }

    pub(super) fn signature(&self, id: StateId) -> Option<(u32, u32)> {
        self.machine.as_ref()?.lock().signature(id.0 - self.first_state)
    }

    pub(super) fn room(&self, id: StateId) -> Room {
        self.lazy(id).room
    }

    /// See [`Machine::ends`].
    pub(super) fn ends(&self, id: StateId, progress: u32, most: usize) -> Option<Ends> {
        match self.ends.lock().get(&(id, progress)) {
            Some(KnownEnds::Few(ends)) => return Some(Arc::clone(ends)),
            Some(&KnownEnds::MoreThan(known)) if known >= most => return None,
            _ => {}
        }
        let most = most.next_power_of_two().max(LEAST_ENDS);
        let mut machine = self.machine.as_ref()?.lock();
        let made = machine.ends(id.0 - self.first_state, progress, most);
        self.adopt(&**machine);
        let ends = self.heard(made).flatten().map(Ends::from);
        let texts = ends.iter().flat_map(|ends| ends.iter());
        self.bytes.fetch_add(texts.map(|end| end.len() + 24).sum::<usize>() + 48, Ordering::Relaxed);
        let known = ends.clone().map_or(KnownEnds::MoreThan(most), KnownEnds::Few);
        self.ends.lock().insert((id, progress), known);
        ends
    }

    /// See [`Pda::enter`].
    #[inline]
    pub(super) fn enter(&self, id: StateId, progress: u32) -> Option<u32> {
        match self.lazy(id).guard {
            Guard::None => Some(progress),
            guard => self.pass(id, guard, progress),
        }
    }

    pub(super) fn is_guarded(&self, id: StateId) -> bool {
        self.lazy(id).guard != Guard::None
    }

    fn pass(&self, id: StateId, guard: Guard, progress: u32) -> Option<u32> {
        let progresses = self.rule(self.state(id).rule).progresses.as_ref()?;
        if !progresses.admits(guard, progress) {
            return None;
        }
        let Guard::Take(key) = guard else { return Some(progress) };
        if let Some(known) = progresses.after(progress, key) {
            return Some(known);
        }
        let made = self.machine.as_ref()?.lock().take(id.0 - self.first_state, progress);
        let next = self.heard(made)?;
        progresses.set_after(progress, key, next);
        Some(next)
    }

    pub(super) fn spelled(&self, id: StateId) -> Option<Spelled> {
        self.lazy(id).spelled
    }

    /// See [`Machine::end_of_text`].
    pub(super) fn end_of_text(&self, id: StateId, key: u32) -> Option<StateId> {
        let rule = self.rule(self.state(id).rule);
        let find = || {
            let mut machine = self.machine.as_ref()?.lock();
            let end = machine.end_of_text(id.0 - self.first_state, key);
            self.adopt(&**machine);
            end.map(|end| StateId(self.first_state + end))
        };
        match (&rule.texts, &rule.progresses) {
            (Some(texts), Some(_)) => texts.end(key, find),
            _ => find(),
        }
    }

    /// See [`Machine::has_key`].
    pub(super) fn has_key(&self, id: StateId, keys: (u32, u32)) -> bool {
        let Some(machine) = &self.machine else { return false };
        let mut machine = machine.lock();
        let has = machine.has_key(id.0 - self.first_state, keys);
        self.adopt(&**machine);
        self.heard(has).unwrap_or(false)
    }

    /// See [`Machine::unbounded`].
    pub(super) fn unbounded(&self, id: StateId) -> Option<Unbounded<StateId>> {
        let mut machine = self.machine.as_ref()?.lock();
        let found = machine.unbounded(id.0 - self.first_state)?;
        self.adopt(&**machine);
        Some(found.map(|state| StateId(self.first_state + state)))
    }

    /// See [`Machine::example`].
    pub(super) fn example(&self, enough: usize) -> Result<Option<Example>> {
        self.machine.as_ref().map_or(Ok(None), |machine| machine.lock().example(enough))
    }

    pub(super) fn is_between(&self, id: StateId) -> bool {
        self.lazy(id).is_between
    }

    /// See [`MachineState::narrow`].
    pub(super) fn narrow(&self, id: StateId) -> Option<[u8; 2]> {
        self.lazy(id).narrow
    }

    /// See [`Machine::to_end`].
    pub(super) fn to_end(&self, id: StateId) -> Option<u32> {
        self.machine.as_ref()?.lock().to_end(id.0 - self.first_state)
    }

    /// See [`Machine::horizon`].
    pub(super) fn horizon(&self, id: StateId, is_thorough: bool) -> Option<Horizon> {
        self.machine.as_ref()?.lock().horizon(id.0 - self.first_state, is_thorough)
    }

    /// See [`Machine::lacks`].
    pub(super) fn lacks(&self, id: StateId) -> Option<Vec<Vec<u8>>> {
        self.machine.as_ref()?.lock().lacks(id.0 - self.first_state)
    }

    /// Keeps the error of a machine: there is no one to tell here; whoever asked next is told (see `Pda::check_machine`).
    fn heard<T>(&self, made: Result<T>) -> Option<T> {
        made.map_err(|error| self.failure.get_or_init(|| error)).ok()
    }

    pub(super) fn count_bytes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What is like another state is as wide: few of its bytes lead nowhere.
    pub(super) fn is_wide(&self, id: StateId) -> bool {
        if let Some(known) = self.lazy(id).is_wide {
            return known;
        }
        match self.like(id) {
            Some(like) => self.is_wide(like.base),
            None => self.edges_of(id).is_wide,
        }
    }

    pub(super) fn bytes_of(&self, id: StateId) -> &[(u8, u8, StateId)] {
        &self.edges_of(id).bytes
    }

    pub(super) fn calls_of(&self, id: StateId) -> &[(u32, StateId)] {
        if self.calls_nothing(id) { &[] } else { &self.edges_of(id).calls }
    }

    /// Whether a state is known to call nothing without its edges.
    pub(super) fn calls_nothing(&self, id: StateId) -> bool {
        let lazy = self.lazy(id);
        lazy.has_like || lazy.leaps == Leaps::Alone
    }

    pub(super) fn expanded<'a>(&'a self, pda: &'a Pda, id: StateId) -> Next<'a> {
        let edges = self.edges_of(id);
        if edges.calls.is_empty() {
            return Next::Bytes(&edges.bytes);
        }
        let expanded = edges.expanded.get_or_init(|| {
            let only_calls = edges.bytes.is_empty().then(|| edges.calls.clone());
            let known = only_calls.as_ref().and_then(|calls| self.expansions.lock().get(calls).cloned());
            known.unwrap_or_else(|| {
                let expanded = Arc::new(Expanded::new(pda, id));
                self.count_bytes(expanded.memory_size_bytes());
                if let Some(calls) = only_calls {
                    self.count_bytes(size_of_val(&*calls) + size_of::<(Calls, Arc<Expanded>)>());
                    self.expansions.lock().insert(calls, Arc::clone(&expanded));
                }
                expanded
            })
        });
        Next::Expanded(expanded, pda)
    }

    fn edges_of(&self, id: StateId) -> &Edges {
        let lazy = self.lazy(id);
        lazy.edges.get_or_init(|| {
            let Some(machine) = self.machine.as_ref().filter(|_| lazy.has_edges) else {
                return Edges::default();
            };
            let mut machine = machine.lock();
            let made = machine.edges(id.0 - self.first_state);
            self.adopt(&**machine);
            // Who makes the other state's edges meanwhile waits for the machine.
            drop(machine);
            let edges = self.heard(made).unwrap_or_default();
            if let Some(optional) = edges.optional {
                let after = &self.states[optional.1 as usize];
                let others = edges.calls.iter().copied().filter(|&call| call != optional);
                after.edges.get_or_init(|| self.own_edges(after, &edges.bytes, others));
            }
            self.own_edges(lazy, &edges.bytes, edges.calls.iter().copied())
        })
    }

    /// The edges of a state in the numbers of the whole automaton.
    fn own_edges(
        &self,
        lazy: &LazyState,
        bytes: &[(u8, u8, u32)],
        calls: impl Iterator<Item = (u32, u32)>,
    ) -> Edges {
        let at = |state: u32| StateId(self.first_state + state);
        let width: usize = bytes.iter().map(|&(lo, hi, _)| usize::from(hi - lo) + 1).sum();
        let edges = Edges {
            is_wide: width >= WIDE && self.rule(lazy.state.rule).is_leaf,
            bytes: bytes.iter().map(|&(lo, hi, to)| (lo, hi, at(to))).collect(),
            calls: calls.map(|(rule, back)| (self.first_rule + rule, at(back))).collect(),
            expanded: OnceLock::new(),
        };
        self.count_bytes(edges.memory_size_bytes());
        edges
    }

    pub(super) fn check(&self) -> Result<()> {
        self.failure.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        let machine = self.machine.as_ref().and_then(|machine| machine.try_lock());
        self.bytes.load(Ordering::Relaxed)
            + machine.map_or(0, |machine| machine.memory_size_bytes())
            + self.states.count() * (size_of::<LazyState>() + size_of::<MachineState>())
            + self.rules.count() * (size_of::<PdaRule>() + size_of::<MachineRule>())
            + self.rules.iter().map(|(_, rule)| memory_of_keys(rule)).sum::<usize>()
    }
}

/// Of what a rule says of its keys, bytes.
fn memory_of_keys(rule: &PdaRule) -> usize {
    let PdaRule { progresses, texts, .. } = rule;
    progresses.as_ref().map_or(0, |progresses| progresses.memory_size_bytes())
        + texts.as_ref().map_or(0, |texts| texts.memory_size_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::machine::MachineEdges;
    use super::*;
    use crate::stack::{Arena, SetId};
    use smallvec::smallvec;

    /// Texts like `[b,a]`: each of `a` to `t` at most once, in any order; a state for each set of letters, made when met.
    #[derive(Debug)]
    struct Permutations {
        states: Vec<MachineState>,
        rules: Vec<MachineRule>,
        /// What each state has seen, and whether it wants a letter.
        seen: Vec<(u32, bool)>,
        limit: usize,
    }

    impl Permutations {
        fn new(limit: usize) -> Self {
            let rule = MachineRule {
                kind: "permutations",
                start: 0,
                counter: None,
                follow: None,
                is_leaf: false,
                is_split: false,
                progresses: None,
                texts: None,
            };
            let mut machine = Self { states: Vec::new(), rules: vec![rule], seen: Vec::new(), limit };
            machine.state(0, true, false);
            machine
        }

        fn state(&mut self, seen: u32, wants: bool, is_final: bool) -> u32 {
            if let Some(known) = self.seen.iter().position(|&s| s == (seen, wants) && !is_final) {
                return known as u32;
            }
            self.states.push(MachineState {
                rule: 0,
                is_final,
                has_edges: !is_final,
                is_wide: false,
                is_between: false,
                narrow: None,
                has_like: false,
                leaps: Leaps::No,
                collects: None,
                repeated: None,
                room: Room::Counted,
                guard: Guard::None,
                spelled: None,
            });
            self.seen.push((seen, wants));
            self.states.len() as u32 - 1
        }
    }

    impl Machine for Permutations {
        fn states(&self) -> &[MachineState] {
            &self.states
        }

        fn rules(&self) -> &[MachineRule] {
            &self.rules
        }

        fn edges(&mut self, state: u32) -> Result<MachineEdges> {
            if self.states.len() > self.limit {
                return Err(Error::InvalidArgument("too many states".into()));
            }
            let (seen, wants) = self.seen[state as usize];
            let bytes = match (state, wants) {
                (0, _) => smallvec![(b'[', b'[', self.state(1 << 31, true, false))],
                (_, true) => (0..20)
                    .filter(|letter| seen >> letter & 1 == 0)
                    .map(|letter| {
                        (b'a' + letter, b'a' + letter, self.state(seen | 1 << letter, false, false))
                    })
                    .collect(),
                (_, false) => {
                    let more =
                        (seen != (1 << 31 | 0xF_FFFF)).then(|| (b',', b',', self.state(seen, true, false)));
                    more.into_iter().chain([(b']', b']', self.state(seen, false, true))]).collect()
                }
            };
            Ok(MachineEdges { bytes, ..MachineEdges::default() })
        }
    }

    fn run(pda: &Pda, text: &str) -> (bool, bool) {
        let mut arena = Arena::new(1 << 24);
        let start = arena.start(pda);
        let end = text
            .bytes()
            .fold(start, |set, byte| if set == SetId::DEAD { set } else { arena.step(pda, set, byte) });
        (end != SetId::DEAD, arena.flags(end).complete)
    }

    #[test]
    fn states_are_made_when_an_edge_leads_to_them() {
        let pda = Pda::of_machine(Box::new(Permutations::new(usize::MAX)));
        assert_eq!(pda.num_states(), 3);
        assert_eq!(run(&pda, "[c,a,b]"), (true, true));
        assert_eq!(run(&pda, "[c,a"), (true, false));
        assert_eq!(run(&pda, "[c,c"), (false, false));
        let all: Vec<String> = ('a'..='t').map(|c| c.to_string()).collect();
        assert_eq!(run(&pda, &format!("[{}", all.join(","))), (true, false));
        assert_eq!(run(&pda, &format!("[{}]", all.join(","))), (true, true));
        assert_eq!(run(&pda, &format!("[{},", all.join(","))), (false, false));
        assert!(pda.num_states() < 400, "{} of 2^20 sets", pda.num_states());
        assert_eq!(pda.check_machine(), Ok(()));
    }

    #[test]
    fn a_machine_that_fails_is_heard() {
        let pda = Pda::of_machine(Box::new(Permutations::new(100)));
        for first in 'a'..='t' {
            for second in ('a'..='t').filter(|&c| c != first) {
                run(&pda, &format!("[{first},{second},"));
            }
        }
        assert!(matches!(pda.check_machine(), Err(Error::InvalidArgument(_))));
    }

    #[test]
    fn many_threads_make_the_same_states() {
        let pda = Pda::of_machine(Box::new(Permutations::new(usize::MAX)));
        std::thread::scope(|scope| {
            for skip in 0..8 {
                let pda = &pda;
                scope.spawn(move || {
                    let letters: Vec<String> =
                        ('a'..='j').cycle().skip(skip).take(10).map(|c| c.to_string()).collect();
                    assert_eq!(run(pda, &format!("[{}]", letters.join(","))), (true, true));
                });
            }
        });
        assert_eq!(pda.check_machine(), Ok(()));
    }
}
