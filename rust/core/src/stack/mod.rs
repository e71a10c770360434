//! The recogniser's memory: persistent stacks, configurations and their history, all hash-consed in one arena.
//!
//! A *stack set* ([`NodeId`]) is a set of stacks, stored as a node of edges (return state, counter, stack set beneath):
//! the graph-structured stack of Tomita (1985), made immutable. Equal sets of edges are one node, and edges with equal
//! return states share the union of what lies beneath, so ambiguity is folded together wherever it meets.
//!
//! A *configuration* is (automaton state, counter, stack set); a *set of configurations* ([`SetId`]) is everything the
//! recogniser knows after some bytes. Sets are hash-consed too, and the step from a set by a byte is remembered: the arena is
//! a lazily built deterministic automaton whose states are sets of configurations.
//!
//! Invariant: nodes and sets never change once made. Rollback and fork are therefore index moves ([`Arena::history`]).

mod ahead;
mod comparison;
mod content;
mod counts;
mod doomed;
mod front;
mod history;
mod interned;
mod leap;
mod lookups;
mod nodes;
mod places;
mod registers;
mod rivals;
mod sets;
mod trace;
mod values;

pub(crate) use comparison::{Fit, spaces};
pub(crate) use content::Content;
pub(crate) use front::{Front, Level};
pub(crate) use history::HistoryId;
pub(crate) use lookups::{LookedUp, NewValues};
pub(crate) use places::Place;
pub(crate) use registers::{RegisterId, Rival, RivalLists};
pub(crate) use sets::{Arena, Config, SetFlags, SetId};
pub(crate) use trace::Asked;

use crate::automaton::StateId;

/// A set of stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) u32);

impl NodeId {
    /// The stack of the root rule: popping it completes a sentence.
    pub(crate) const END: Self = Self(0);
    /// A stack that nothing is known about: popping it leaves what is being looked at.
    pub(crate) const OPEN: Self = Self(1);
}

/// An interval of counter values, both ends included; `[0, 0]` where a rule has no counter, or is at its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Count {
    pub(crate) lo: u32,
    pub(crate) hi: u32,
}

/// One edge of a stack set: where to go on after a pop, and what lies beneath.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Edge {
    /// The state to return to, or one of the two marks below.
    pub(crate) ret: StateId,
    pub(crate) count: Count,
    pub(crate) parent: NodeId,
    /// What the caller has seen, and where the call began.
    pub(crate) register: RegisterId,
}

/// Return "states" of the two bottom nodes.
const END_MARK: StateId = StateId(u32::MAX);
const OPEN_MARK: StateId = StateId(u32::MAX - 1);
