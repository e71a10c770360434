//! Whether a configuration can be completed where no value may come twice.
//!
//! What the automaton alone can complete may be lost once values count: after `["abc", "a`, where an item is `abc` or begins with
//! `x`, every way to end the string is a value that was there. A configuration is *doomed* if all the ends of its state
//! ([`crate::automaton::Machine::ends`]) run into a value seen before, or into what is doomed itself.
//!
//! The ends differ as values, so a state with more of them than any register has seen is not doomed, and almost all have: the
//! ends of the others are few and are tried.

use super::{Arena, Config, Edge, RegisterId, SetId};
use crate::automaton::{Collect, Pda, Room};
use smallvec::SmallVec;
use std::sync::Arc;

/// Calls of a search inside one another.
const MAX_DEPTH: u32 = 16;
/// Ends that one search tries; past it a configuration is taken for one that can be completed.
const MAX_TRIED: u32 = 1 << 16;

impl Arena {
    /// Takes the doomed configurations out of what a step has found.
    pub(super) fn drop_doomed(&mut self, pda: &Pda) {
        if self.is_searching || self.registers.largest_set() == 0 {
            return;
        }
        let none = RegisterId::default();
        if self.scratch.out.iter().all(|config| config.register == none) {
            return;
        }
        self.is_searching = true;
        self.is_unsure = false;
        let (mut out, mut flags) =
            (std::mem::take(&mut self.scratch.out), std::mem::take(&mut self.scratch.flags));
        out.retain(|&config| self.can_complete(pda, config, MAX_DEPTH, &mut MAX_TRIED.clone()));
        flags.recheck |= self.is_unsure;
        (self.scratch.out, self.scratch.flags) = (out, flags);
        self.is_searching = false;
    }

    /// Whether every way to complete a configuration runs into a value that was there before.
    pub(crate) fn is_doomed(&mut self, pda: &Pda, config: Config) -> bool {
        self.scratch.out.push(config);
        self.drop_doomed(pda);
        self.scratch.out.pop().is_none()
    }

    /// The values that must not be returned to a frame: each way to go on after them reads one of them again. A value without which
    /// nothing can be completed is read on the first way to do so that is found.
    pub(super) fn fatal_values(&mut self, pda: &Pda, edge: Edge) -> Arc<[u32]> {
        if pda.collects(edge.ret) != Some(Collect::Value) {
            return Arc::default();
        }
        if let Some(known) = self.fatal.get(&edge) {
            return Arc::clone(known);
        }
        let (out, flags) = (std::mem::take(&mut self.scratch.out), std::mem::take(&mut self.scratch.flags));
        let was_searching = std::mem::replace(&mut self.is_searching, true);
        let fatal: Arc<[u32]> = self.find_fatal(pda, edge).unwrap_or_default().as_slice().into();
        self.is_searching = was_searching;
        (self.scratch.out, self.scratch.flags) = (out, flags);
        self.fatal.insert(edge, Arc::clone(&fatal));
        fatal
    }

    fn find_fatal(&mut self, pda: &Pda, edge: Edge) -> Option<SmallVec<[u32; 4]>> {
        let count = self.enter(pda, edge.count, edge.ret)?;
        let register = self.registers.after_another(edge.register);
        let config = Config { state: edge.ret, count, node: edge.parent, register };
        let since = self.lookups();
        if self.has_room(pda, config) || !self.can_complete(pda, config, MAX_DEPTH, &mut MAX_TRIED.clone()) {
            return None;
        }
        let mut fatal = SmallVec::new();
        for value in self.values_since(since) {
            let register = self.registers.with_value(register, value);
            if !self.can_complete(pda, Config { register, ..config }, MAX_DEPTH, &mut MAX_TRIED.clone()) {
                fatal.push(value);
            }
        }
        Some(fatal)
    }

    /// Whether a configuration has few ways to end at a state, so that which ones are left has to be looked at.
    pub(super) fn has_few_ends(&mut self, pda: &Pda, config: Config) -> bool {
        if config.register == RegisterId::default() || self.has_room(pda, config) {
            return false;
        }
        self.give_up_trace();
        self.give_up_lookups();
        pda.ends(config.state, config.count.progress(), self.most_ends()).is_some()
    }

    /// A state with more ends has one that is new. Each value seen can take one end away at each of two levels, where arrays of different
    /// items hold such arrays. One value more may have been read that is not known yet.
    pub(super) fn most_ends(&self) -> usize {
        2 * self.registers.largest_set() + 6
    }

    /// Whether a state by itself says that its configuration can be completed.
    pub(super) fn has_room(&self, pda: &Pda, config: Config) -> bool {
        match pda.room(config.state) {
            Room::Endless => true,
            // While an outer value is collected, the whole of it must be new.
            Room::Enough => !self.registers.has_text(config.register),
            Room::Counted | Room::Beneath => false,
        }
    }

    fn can_complete(&mut self, pda: &Pda, config: Config, depth: u32, tries: &mut u32) -> bool {
        if config.register == RegisterId::default() || depth == 0 || self.has_room(pda, config) {
            return true;
        }
        self.give_up_trace();
        self.give_up_lookups();
        if pda.room(config.state) == Room::Beneath {
            let set = self.set_after_rule(pda, config);
            return self.can_complete_any(pda, config, set, depth, tries);
        }
        let Some(ends) = pda.ends(config.state, config.count.progress(), self.most_ends()) else {
            return true;
        };
        for end in ends.iter() {
            if *tries == 0 {
                return true;
            }
            *tries -= 1;
            let set = self.after_end(pda, config, end);
            if self.can_complete_any(pda, config, set, depth, tries) {
                return true;
            }
        }
        false
    }

    /// Whether anything in the set after an end of a configuration's state can be completed.
    fn can_complete_any(
        &mut self,
        pda: &Pda,
        config: Config,
        set: SetId,
        depth: u32,
        tries: &mut u32,
    ) -> bool {
        let flags = self.flags(set);
        if flags.complete || flags.open || self.over_limit {
            self.is_unsure |= flags.recheck;
            return true;
        }
        let has_counter = pda.rule_of(config.state).counter.is_some();
        for next in self.configs(set).to_vec() {
            // What stays inside the rule is among its ends already.
            let is_inside = next.node == config.node
                && !has_counter
                && pda.state(next.state).rule == pda.state(config.state).rule
                && pda.collects(next.state).is_none();
            if !is_inside && self.can_complete(pda, next, depth - 1, tries) {
                self.is_unsure |= flags.recheck;
                return true;
            }
        }
        false
    }

    /// The set after an end of a configuration's state.
    fn after_end(&mut self, pda: &Pda, config: Config, end: &[u8]) -> SetId {
        let Some((&first, rest)) = end.split_first() else {
            return self.set_after_rule(pda, config);
        };
        let start = self.set_of_configs(&[config], super::SetFlags::default());
        let mut set = self.compute_step(pda, start, first);
        for &byte in rest {
            set = self.compute_step(pda, set, byte);
        }
        set
    }
}
