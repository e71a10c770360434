//! Stepping ahead, remembered for a while.
//!
//! To walk the trie from a wide place of a grammar takes a hundred thousand steps, but most of them are the same few: a name goes on
//! by any letter, and each time all that may follow it is on its stack. So sets that walks come to are told apart here ([`Place`]), and the
//! steps between them are remembered: a deterministic automaton made as far as walks need it. What lies beneath a rule that may have
//! ended is a place by itself, beside what goes on in the rule: each letter of a name, and of the keywords that begin like it, makes a
//! place of a configuration or two, and what follows is stepped through once. Sets that no text has come to would fill the arena; these
//! are forgotten when they are too many.
//!
//! Invariant: what may be kept across [`Arena::begin_ahead`] and [`Arena::make_room_ahead`] is only what these return.

use super::places::{Parts, ascii};
use super::{Arena, Config, NodeId, Place, RegisterId, SetFlags, SetId};
use crate::automaton::Pda;
use crate::grammar::ByteSet;
use crate::grammar::utf8::{BEYOND_ASCII, LEADS};
use smallvec::SmallVec;

/// Bytes around one that lead to the same.
fn alike(pda: &Pda, configs: &[Config], found: &[Config], byte: u8) -> (u8, u8) {
    // What collects a text reads the byte itself.
    if configs.iter().chain(found).any(|config| config.register != RegisterId::default()) {
        return (byte, byte);
    }
    configs.iter().fold((0, u8::MAX), |(lo, hi), config| {
        let (from, to) = pda.expanded(config.state).alike(byte);
        (lo.max(from), hi.min(to))
    })
}

impl Arena {
    /// The place of some configurations, of which texts up to a length are asked; what is known for two lengths is kept. Places that walks
    /// had before are void.
    pub(crate) fn begin_ahead(
        &mut self,
        pda: &Pda,
        configs: &[Config],
        flags: SetFlags,
        horizon: u32,
    ) -> Place {
        if self.ahead.horizon != horizon {
            std::mem::swap(&mut self.ahead, &mut self.ahead_otherwise);
        }
        if self.ahead.horizon != horizon || self.ahead.is_new() || self.ahead.is_full() {
            self.ahead.clear();
        }
        self.ahead.horizon = horizon;
        let mut found = std::mem::take(&mut self.ahead.found);
        found.extend(configs.iter().map(|config| config.representative(pda, horizon)));
        self.fold(&mut found);
        let place = self.ahead.intern(&found, flags);
        found.clear();
        self.ahead.found = found;
        place
    }

    /// The place of a set; see [`Self::begin_ahead`].
    pub(crate) fn begin_ahead_of(&mut self, pda: &Pda, set: SetId, horizon: u32) -> Place {
        let configs = self.configs(set).to_vec();
        self.begin_ahead(pda, &configs, self.flags(set), horizon)
    }

    /// What is known of a place.
    #[inline]
    pub(crate) fn flags_ahead(&self, place: Place) -> SetFlags {
        self.ahead.head(place).flags
    }

    /// The place after one more byte.
    #[inline]
    pub(crate) fn step_ahead(&mut self, pda: &Pda, place: Place, byte: u8) -> Place {
        match self.ahead.next(place, byte) {
            Some(known) => known,
            None => self.find_ahead(pda, place, byte),
        }
    }

    #[cold]
    fn find_ahead(&mut self, pda: &Pda, place: Place, byte: u8) -> Place {
        if self.refuses_growth() {
            return Place::DEAD;
        }
        let parts = self.ahead.parts(place);
        let (next, bytes) = match parts[..] {
            [only] => self.find_of_part(pda, only, byte),
            _ => self.find_of_several(pda, &parts, byte),
        };
        if self.over_limit {
            return Place::DEAD;
        }
        self.ahead.link(place, bytes, next);
        next
    }

    /// Where several places come to together, and the bytes that are known to lead there.
    fn find_of_several(&mut self, pda: &Pda, parts: &[Place], byte: u8) -> (Place, (u8, u8)) {
        let mut steps: SmallVec<[(Place, Place); 8]> = SmallVec::new();
        let mut all = Parts::new();
        for &part in parts {
            let next = self.step_ahead(pda, part, byte);
            steps.push((part, next));
            all.extend(self.ahead.parts(next));
        }
        (self.join_ahead(all), self.ahead.alike(&steps, byte))
    }

    /// The same for a place that has configurations.
    fn find_of_part(&mut self, pda: &Pda, part: Place, byte: u8) -> (Place, (u8, u8)) {
        let mut places = std::mem::take(&mut self.ahead);
        let mut found = std::mem::take(&mut places.found);
        let (configs, flags) = (places.configs(part), places.head(part).flags);
        let mut ended: SmallVec<[NodeId; 8]> = SmallVec::new();
        if pda.has_machine() {
            self.arrive(pda, configs, flags, byte, false);
            self.drop_doomed(pda);
        } else {
            self.begin_round();
            self.move_on(pda, configs, byte, false);
            while let Some(config) = self.scratch.todo.pop() {
                if self.settle(pda, config) {
                    ended.push(config.node);
                }
            }
        }
        let flags = self.drain_ahead(pda, places.horizon, &mut found);
        let bytes = alike(pda, configs, &found, byte);
        let mut all = Parts::from_slice(&[places.intern(&found, flags)]);
        found.clear();
        places.found = found;
        self.ahead = places;
        for node in ended {
            all.push(self.beneath_ahead(pda, node));
        }
        (self.join_ahead(all), bytes)
    }

    /// The place of what lies beneath a stack.
    fn beneath_ahead(&mut self, pda: &Pda, node: NodeId) -> Place {
        if let Some(&known) = self.ahead.beneath.get(&node) {
            return known;
        }
        let mut found = std::mem::take(&mut self.ahead.found);
        self.begin_round();
        self.pop_into_todo(pda, node, RegisterId::default());
        self.close_round(pda);
        let flags = self.drain_ahead(pda, self.ahead.horizon, &mut found);
        let place = self.ahead.intern(&found, flags);
        self.ahead.beneath.insert(node, place);
        found.clear();
        self.ahead.found = found;
        place
    }

    /// Moves what was found to the end of a list. Rounds that no text can come to the bound of are not told apart.
    fn drain_ahead(&mut self, pda: &Pda, horizon: u32, to: &mut Vec<Config>) -> SetFlags {
        for config in &mut self.scratch.out {
            *config = config.representative(pda, horizon);
        }
        self.drain_arrivals(to)
    }

    /// The place that several are together.
    fn join_ahead(&mut self, mut all: Parts) -> Place {
        if let Some(place) = self.ahead.together(&mut all) {
            return place;
        }
        let mut found = std::mem::take(&mut self.ahead.found);
        let mut flags = SetFlags::default();
        for part in all {
            found.extend_from_slice(self.ahead.configs(part));
            flags = flags.union(self.ahead.head(part).flags);
        }
        self.fold(&mut found);
        let place = self.ahead.intern(&found, flags);
        found.clear();
        self.ahead.found = found;
        place
    }

    /// Whether all texts of some characters, given by their first bytes, lead from a place back to it, as far as that is known.
    #[inline]
    pub(crate) fn loops_ahead(&mut self, pda: &Pda, place: Place, characters: &ByteSet) -> bool {
        let (loops, tried) = (self.ahead.head(place).loops, self.ahead.head(place).tried);
        if characters.is_within(&loops) {
            return true;
        }
        let left = characters.difference(&loops);
        left.iter().next() >= Some(LEADS.0)
            && left.intersection(&tried).is_empty()
            && left.iter().all(|first| self.try_loop(pda, place, first))
    }

    /// Whether many bytes of ASCII are known to lead from a place back to it.
    #[inline]
    pub(crate) fn goes_round_ahead(&self, place: Place) -> bool {
        self.ahead.head(place).goes_round
    }

    /// All bytes of ASCII that lead from a place back to it.
    pub(crate) fn round_ahead(&mut self, pda: &Pda, place: Place) -> ByteSet {
        if !self.ahead.head(place).tried.contains(0) {
            for byte in 0..0x80 {
                self.step_ahead(pda, place, byte);
            }
            self.ahead.head_mut(place).tried.insert_range(0, 0x7F);
        }
        ascii(&self.ahead.head(place).loops)
    }

    /// Whether all characters with a first byte lead back to a place; notes the answer.
    #[cold]
    fn try_loop(&mut self, pda: &Pda, place: Place, first: u8) -> bool {
        let form = BEYOND_ASCII.iter().find(|form| (form[0].0..=form[0].1).contains(&first));
        let mut at = self.step_ahead(pda, place, first);
        for &(lo, hi) in form.map_or(&[][..], |form| &form[1..]) {
            let next = self.step_ahead(pda, at, lo);
            let is_same = (lo..=hi).all(|byte| self.step_ahead(pda, at, byte) == next);
            at = if is_same { next } else { Place::DEAD };
        }
        let head = self.ahead.head_mut(place);
        head.tried.insert(first);
        if at == place {
            head.loops.insert(first);
        }
        at == place
    }

    /// Forgets places where they have become too many, all but those of a path; gives that path anew.
    #[inline]
    pub(crate) fn make_room_ahead(&mut self, path: &mut [Place]) {
        if self.ahead.is_full() {
            self.ahead.forget(path);
        }
    }

    /// Memory of what was stepped to ahead, bytes.
    pub(crate) fn memory_ahead_bytes(&self) -> usize {
        self.ahead.memory_size_bytes() + self.ahead_otherwise.memory_size_bytes()
    }
}
