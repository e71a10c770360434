//! What walks ask of the values collected so far.
//!
//! An object with free names remembers them, and its stacks are others after each. Its masks are mostly the same, though: to know that,
//! the arena notes what a walk looks up in registers. Values that were new there, and are new to other registers too, make no
//! difference; where anything else depends on what was collected, the walk serves nothing but its own set.
//!
//! Invariant: all that depends on the values seen by a register (not on whether it has seen any, or keeps a text) is noted.

use super::values::Value;
use super::{Arena, RegisterId};
use smallvec::SmallVec;

/// The notes of an arena.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    /// Those that were new.
    values: Vec<u32>,
    /// How often something was asked that other registers cannot be asked.
    others: usize,
}

/// A place in the notes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since {
    values: usize,
    others: usize,
}

/// The values that a walk has looked up, which were all new; `None` if that is not all it asked.
pub(crate) type LookedUp = Option<Box<[u32]>>;

/// The same in any arena.
#[derive(Debug)]
pub(crate) struct NewValues(Box<[Value]>);

impl Lookups {
    /// A value was looked up.
    pub(super) fn note(&mut self, value: u32, is_new: bool) {
        if is_new {
            self.values.push(value);
        } else {
            self.others += 1;
        }
    }

    /// What is known of a walk that is not made again.
    pub(super) fn again(&mut self, known: &LookedUp) {
        match known {
            Some(values) => self.values.extend_from_slice(values),
            None => self.others += 1,
        }
    }

    /// What happens depends on what was collected, and cannot be asked of others.
    pub(super) fn give_up(&mut self) {
        self.others += 1;
    }
}

impl Arena {
    /// What happens now depends on what was collected, and cannot be asked of others.
    pub(crate) fn give_up_lookups(&mut self) {
        self.registers.lookups.give_up();
    }

    /// Begins to note, forgetting what was noted; gives the place.
    pub(crate) fn begin_lookups(&mut self) -> Since {
        self.registers.lookups.values.clear();
        self.lookups()
    }

    /// The place in the notes now.
    pub(crate) fn lookups(&self) -> Since {
        let Lookups { values, others } = &self.registers.lookups;
        Since { values: values.len(), others: *others }
    }

    /// What was looked up since a place in the notes.
    pub(crate) fn looked_up(&self, since: Since) -> LookedUp {
        let Lookups { values, others } = &self.registers.lookups;
        if *others != since.others {
            return None;
        }
        // As mostly.
        if values.len() == since.values {
            return Some(Box::default());
        }
        Some(self.values_since(since).as_slice().into())
    }

    /// The values that were looked up and new since a place in the notes, each once.
    pub(super) fn values_since(&self, since: Since) -> SmallVec<[u32; 8]> {
        let mut values = SmallVec::from_slice(&self.registers.lookups.values[since.values..]);
        values.sort_unstable();
        values.dedup();
        values
    }

    /// Notes what a walk has looked up that is not made again.
    pub(crate) fn note_lookups(&mut self, known: &LookedUp) {
        self.registers.lookups.again(known);
    }

    /// The values looked up since a place in the notes, for other arenas.
    pub(crate) fn new_values(&self, since: Since) -> Option<NewValues> {
        let values = self.looked_up(since)?;
        Some(NewValues(values.iter().map(|&value| self.registers.value_of(value).clone()).collect()))
    }

    /// Whether none of some registers has seen any of the values.
    pub(crate) fn are_new(&self, values: &NewValues, registers: &[RegisterId]) -> bool {
        let known = values.0.iter().filter_map(|value| self.registers.number_of(value));
        known
            .into_iter()
            .all(|value| registers.iter().all(|&register| !self.registers.has_seen(register, value)))
    }
}

impl NewValues {
    pub(crate) fn memory_size_bytes(&self) -> usize {
        size_of_val(&*self.0)
    }
}
