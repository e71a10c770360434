//! What makes rules and states when matching gets to them; see [`super::lazy`].

use super::Counter;
use super::horizon::Horizon;
use super::progress::{Guard, Progresses, Spelled, Texts};
use crate::error::Result;
use smallvec::{SmallVec, smallvec};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A state that a machine has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MachineState {
    /// The machine's rule it belongs to.
    pub(crate) rule: u32,
    pub(crate) is_final: bool,
    pub(crate) has_edges: bool,
    /// So many bytes go on, as is known without its edges; see [`super::Pda::is_wide`].
    pub(crate) is_wide: bool,
    /// Of a text: no character is read in part here.
    pub(crate) is_between: bool,
    /// The bytes that may follow a state of a leaf rule if they are known to be two at most: a character and a backslash. It calls nothing
    /// then, and is not final.
    pub(crate) narrow: Option<[u8; 2]>,
    /// Whether it is like another; see [`Machine::like`]. It calls nothing then.
    pub(crate) has_like: bool,
    pub(crate) leaps: Leaps,
    /// What returns here has read a value that is compared with those that this rule has met before.
    pub(crate) collects: Option<Collect>,
    /// Where what returns here goes instead if it has read a value that was met before; see [`Collect::Repeat`].
    pub(crate) repeated: Option<u32>,
    pub(crate) room: Room,
    pub(crate) guard: Guard,
    pub(crate) spelled: Option<Spelled>,
}

/// Whether [`Machine::leap`] may know where texts lead to from a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Leaps {
    #[default]
    No,
    /// It does, and the state calls nothing.
    Alone,
    /// It does for the state's own edges; there are calls beside them.
    BesideCalls,
}

/// How far values that must not come again can get in the way of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Room {
    /// Its ends have to be looked at; see [`Machine::ends`].
    #[default]
    Counted,
    /// Its rule can end without reading another value that must be new.
    Enough,
    /// Its ends differ as values, and there is no end of them.
    Endless,
    /// It reads nothing that counts: what lies beneath its rule says.
    Beneath,
}

/// What a call reads that returns to a collecting state; see [`crate::stack`]'s registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Collect {
    /// A JSON value, which must not come again.
    Value,
    /// A string without its opening quote, which must not come again.
    Name,
    /// A JSON value; once one comes again, the call returns to another state, which collects no longer.
    Repeat,
}

/// A state of a leaf rule whose texts up to the rule's end are among those of another: most of its mask is the other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Like<S = u32> {
    /// The other state, of another leaf rule.
    pub(crate) base: S,
    /// Whether its texts are all of the other's.
    pub(crate) is_exact: bool,
}

/// A state without a bound on its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unbounded<S = u32> {
    /// The state of a leaf rule whose texts up to the rule's end are those within the bound, and others.
    pub(crate) base: S,
    pub(crate) bound: Bound<S>,
}

/// See [`Unbounded`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound<S = u32> {
    /// So many characters may still come. No beginning of any text from the base is further from its nearest end than `furthest`.
    Length { most: u32, furthest: u32 },
    /// So many rounds of some repeats may still come that up to `alike` characters the beginnings of texts are the same for both, and so
    /// are the distances from there to the nearest end.
    Rounds {
        alike: u32,
        /// A state with fewer rounds, of which that holds up to [`LEAST_ALIKE`] characters.
        floor: S,
    },
}

/// Bounds on rounds are left aside where they matter only after so many characters. Few tokens are longer, and these are tried.
pub(crate) const LEAST_ALIKE: u32 = 32;

impl<S> Unbounded<S> {
    /// The same with other names for states.
    pub(super) fn map<T>(self, name: impl Fn(S) -> T) -> Unbounded<T> {
        let bound = match self.bound {
            Bound::Length { most, furthest } => Bound::Length { most, furthest },
            Bound::Rounds { alike, floor } => Bound::Rounds { alike, floor: name(floor) },
        };
        Unbounded { base: name(self.base), bound }
    }
}

/// A rule that a machine has made.
#[derive(Clone, Debug)]
pub(crate) struct MachineRule {
    /// What kind of rule it is; see [`Machine::rule_name`].
    pub(crate) kind: &'static str,
    pub(crate) start: u32,
    pub(crate) counter: Option<Counter>,
    /// A state (of any rule) from which at least all that can follow this rule can follow; `None` when nothing is known.
    pub(crate) follow: Option<u32>,
    /// Calls nothing but other such rules, so that its automaton is finite and may be looked at as a whole.
    pub(crate) is_leaf: bool,
    /// Its states are split wherever a walk comes to them, however few bytes they go on by. None of them collects.
    pub(crate) is_split: bool,
    /// What its guards ask; it has no counter then.
    pub(crate) progresses: Option<Arc<Progresses>>,
    /// What its states may spell; see [`MachineState::spelled`].
    pub(crate) texts: Option<Arc<Texts>>,
}

/// The edges of a state, in the machine's numbers. Most have few.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MachineEdges {
    /// Ascending and disjoint.
    pub(crate) bytes: SmallVec<[(u8, u8, u32); 4]>,
    /// Each rule at most once.
    pub(crate) calls: SmallVec<[(u32, u32); 2]>,
    /// One of the calls, past which the state called back to has all the other edges, and no more.
    pub(crate) optional: Option<(u32, u32)>,
}

impl MachineEdges {
    /// A call of a rule, and nothing else.
    pub(crate) fn call(rule: u32, back: u32) -> Self {
        Self { calls: smallvec![(rule, back)], ..Self::default() }
    }
}

/// Where a text leads to from a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leap<S = u32> {
    To(S),
    Nowhere,
    /// Only the states between can tell.
    Unknown,
}

/// A text that goes through what most texts of a machine go through. It need not be one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Example {
    pub(crate) text: Vec<u8>,
    /// Parts that may be left out with nothing put in their place; those inside others come before them.
    pub(crate) optional: Vec<Range<usize>>,
}

/// See the module.
pub(crate) trait Machine: fmt::Debug + Send {
    /// The states made so far, in order.
    fn states(&self) -> &[MachineState];
    /// The rules made so far, in order.
    fn rules(&self) -> &[MachineRule];
    /// The name of a rule, for people.
    fn rule_name(&self, rule: u32) -> String {
        self.rules()[rule as usize].kind.to_owned()
    }
    /// The edges of a state; makes the states and rules that they lead to.
    fn edges(&mut self, state: u32) -> Result<MachineEdges>;
    /// What may follow a state, with a progress, up to the end of its rule, or of one more value that the rule collects: a text for
    /// each value that comes of it; `None` if they are more than `most`.
    fn ends(&mut self, _state: u32, _progress: u32, _most: usize) -> Result<Option<Vec<Vec<u8>>>> {
        Ok(None)
    }
    /// What a progress becomes at a state with [`Guard::Take`].
    fn take(&mut self, _state: u32, progress: u32) -> Result<u32> {
        Ok(progress)
    }
    /// Whether one of a range of keys may come at a state that spells them; where there are progresses, these say so.
    fn has_key(&mut self, _state: u32, _keys: (u32, u32)) -> Result<bool> {
        Ok(true)
    }
    /// Where the text of a key leads to from a state that spells it.
    fn end_of_text(&mut self, _state: u32, _key: u32) -> Option<u32> {
        None
    }
    /// Where some printable ASCII without quotation marks and backslashes leads to from a state by its own edges, told without the states
    /// between, none of which may end anything.
    fn leap(&mut self, _state: u32, _text: &[u8]) -> Result<Leap> {
        Ok(Leap::Unknown)
    }
    /// The state that a state is like.
    fn like(&mut self, _state: u32) -> Option<Like> {
        None
    }
    /// What the state of a leaf rule is: where these are equal, so is all that is read from there to the rule's end, and what may
    /// follow. Machines of one process never use the same for different things. The rounds of such a rule, if it is counted, end as
    /// soon as they can.
    fn signature(&mut self, _state: u32) -> Option<(u32, u32)> {
        None
    }
    /// A state between two characters as one without a bound.
    fn unbounded(&mut self, _state: u32) -> Option<Unbounded> {
        None
    }
    /// The fewest characters up to the end of a text from a state that the base of an [`Unbounded`] leads to. One that is read in part
    /// counts.
    fn to_end(&mut self, _state: u32) -> Option<u32> {
        None
    }
    /// How far a state goes on, if the machine has a way of its own to find out; see [`super::horizon`]. It looks further where it is to
    /// be thorough.
    fn horizon(&mut self, _state: u32, _is_thorough: bool) -> Option<Horizon> {
        None
    }
    /// See [`Example`]; once so many bytes are written, that is enough.
    fn example(&mut self, _enough: usize) -> Result<Option<Example>> {
        Ok(None)
    }
    /// Heap memory beside what [`Self::states`] and [`Self::rules`] say, bytes, approximately.
    fn memory_size_bytes(&self) -> usize {
        0
    }
    /// The texts that the state it is like ([`Like`]) has and this one lacks, each of which ends its rule: texts of printable
    /// ASCII and a quotation mark, and the other ways to write these in a JSON string. `None` if they have to be searched.
    fn lacks(&mut self, _state: u32) -> Option<Vec<Vec<u8>>> {
        None
    }
}
