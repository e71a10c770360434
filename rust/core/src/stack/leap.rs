//! Several bytes at once.
//!
//! A step a byte makes a state and a set for each byte of a name, which no other text may ever come to. Where a machine can tell
//! where a text leads to ([`crate::automaton::Machine::leap`]), tokens go along names in one step.

use super::{Arena, Config, Count, SetId};
use crate::automaton::{self, Leap, Pda};
use crate::json_schema::spell::is_pinned;
use rustc_hash::FxHashMap;

/// What is known of each set: where texts lead to.
pub(super) type Leaps = FxHashMap<SetId, Vec<(Box<[u8]>, SetId)>>;

/// Shorter texts are not worth it.
const LEAST: usize = 2;

impl Arena {
    /// The set after the plain characters that a text begins with, and how many bytes they are; `None` if it has to be reached byte by byte.
    pub(crate) fn leap(&mut self, pda: &Pda, set: SetId, bytes: &[u8]) -> Option<(SetId, usize)> {
        let [first, ..] = self.configs(set) else { return None };
        if pda.leaps(first.state) == automaton::Leaps::No {
            return None;
        }
        let length = bytes.iter().take_while(|&&byte| is_pinned(byte.into())).count();
        if length < LEAST || self.refuses_growth() {
            return None;
        }
        let text = &bytes[..length];
        let known = self.leaps.get(&set).and_then(|known| known.iter().find(|(of, _)| **of == *text));
        if let Some(&(_, after)) = known {
            return Some((after, length));
        }
        let after = self.leap_along(pda, set, text)?;
        self.leaps.entry(set).or_default().push((text.into(), after));
        Some((after, length))
    }

    fn leap_along(&mut self, pda: &Pda, set: SetId, text: &[u8]) -> Option<SetId> {
        let mut out = Vec::new();
        for config in self.configs(set).to_vec() {
            self.leap_from(pda, config, text, &mut out)?;
        }
        self.scratch.out.append(&mut out);
        self.scratch.flags.recheck = self.flags(set).recheck;
        self.drop_doomed(pda);
        Some(self.finish_set())
    }

    /// Adds what a configuration comes to; `None` if that is not known.
    fn leap_from(&mut self, pda: &Pda, config: Config, text: &[u8], out: &mut Vec<Config>) -> Option<()> {
        let num_entries = match pda.leaps(config.state) {
            automaton::Leaps::No => return None,
            automaton::Leaps::Alone => 1,
            automaton::Leaps::BesideCalls => pda.expanded(config.state).entries().len().max(1),
        };
        self.scratch.entry_nodes.clear();
        for entry in 0..num_entries {
            let from =
                if entry == 0 { config.state } else { pda.expanded(config.state).entries()[entry].state };
            if entry > 0 && pda.leaps(from) != automaton::Leaps::Alone {
                return None;
            }
            let state = match pda.leap(from, text) {
                Leap::To(state) => state,
                Leap::Nowhere => continue,
                Leap::Unknown => return None,
            };
            let count = if entry == 0 { config.count } else { Count::default() };
            let Some(count) = count.enter(pda, state) else { continue };
            let (node, register) = self.stack_of(pda, config, entry as u32);
            let register =
                text.iter().fold(register, |register, &byte| self.registers.after_byte(register, byte));
            out.push(Config { state, count, node, register });
        }
        Some(())
    }
}
