//! Stepping without remembering.
//!
//! Walking a trie asks for thousands of steps that no text will ever take; interning a set for each would cost more than
//! the step. A [`Front`] keeps the configurations of such a walk in one stack, a slice for each depth ([`Level`]).
//!
//! Invariant: levels are left in the reverse order in which they were made. A step drops whatever lies above the level it
//! starts from.

use super::{Arena, Config, RegisterId, SetFlags, SetId};
use crate::automaton::Pda;
use crate::grammar::ByteSet;

/// The configurations of a walk.
#[derive(Debug, Default)]
pub(crate) struct Front {
    configs: Vec<Config>,
}

/// A slice of a front: what is known after the bytes down to one depth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Level {
    from: u32,
    to: u32,
    pub(crate) flags: SetFlags,
}

impl Level {
    /// Whether any byte can follow.
    #[inline]
    pub(crate) fn is_alive(self) -> bool {
        self.from != self.to
    }

    /// Whether no sentence goes on like this.
    #[inline]
    pub(crate) fn is_dead(self) -> bool {
        self.from == self.to && !self.flags.complete && !self.flags.open
    }
}

impl Front {
    /// A level of these configurations, above all others.
    pub(crate) fn push(&mut self, configs: &[Config], flags: SetFlags) -> Level {
        let from = self.configs.len() as u32;
        self.configs.extend_from_slice(configs);
        Level { from, to: self.configs.len() as u32, flags }
    }

    /// Leaves a level and all above it.
    pub(crate) fn pop(&mut self, level: Level) {
        self.configs.truncate(level.from as usize);
    }

    #[inline]
    pub(crate) fn configs(&self, level: Level) -> &[Config] {
        &self.configs[level.from as usize..level.to as usize]
    }

    /// Moves the configurations that satisfy a condition out of the highest level.
    pub(crate) fn take_out(
        &mut self,
        level: Level,
        out: &mut Vec<Config>,
        mut wanted: impl FnMut(&Config) -> bool,
    ) -> Level {
        let mut kept = level.from as usize;
        for at in level.from as usize..level.to as usize {
            let config = self.configs[at];
            if wanted(&config) {
                out.push(config);
            } else {
                self.configs[kept] = config;
                kept += 1;
            }
        }
        self.configs.truncate(kept);
        Level { to: kept as u32, ..level }
    }
}

impl Arena {
    /// A level with the configurations of a set.
    pub(crate) fn level_of(&self, front: &mut Front, set: SetId) -> Level {
        front.push(self.configs(set), self.flags(set))
    }

    /// The bytes that can follow a level, and perhaps some that a guard forbids.
    #[inline]
    pub(crate) fn first_bytes_of(&self, pda: &Pda, configs: &[Config], beside_wide: bool) -> ByteSet {
        let first = |config: &Config| match pda.expanded(config.state) {
            next if beside_wide => next.first_beside_wide(),
            next => next.first(),
        };
        match configs {
            [only] => first(only),
            _ => configs.iter().map(first).fold(ByteSet::EMPTY, |all, first| all.union(&first)),
        }
    }

    /// The level after one more byte; with `beside_wide`, without what begins in the wide rules that `above` calls into.
    #[inline]
    pub(crate) fn advance(
        &mut self,
        pda: &Pda,
        front: &mut Front,
        above: Level,
        byte: u8,
        beside_wide: bool,
    ) -> Level {
        front.configs.truncate(above.to as usize);
        if above.to - above.from == 1
            && let Some(only) = self.only_move(pda, front.configs[above.from as usize], byte)
        {
            if let Some(next) = only {
                front.configs.push(next);
            }
            let flags = SetFlags { recheck: above.flags.recheck, ..SetFlags::default() };
            return Level { from: above.to, to: front.configs.len() as u32, flags };
        }
        self.advance_all(pda, front, above, byte, beside_wide)
    }

    fn advance_all(
        &mut self,
        pda: &Pda,
        front: &mut Front,
        above: Level,
        byte: u8,
        beside_wide: bool,
    ) -> Level {
        let nothing = Level { from: above.to, to: above.to, flags: SetFlags::default() };
        if self.refuses_growth() {
            return nothing;
        }
        self.arrive(pda, front.configs(above), above.flags, byte, beside_wide);
        self.drop_doomed(pda);
        let flags = self.drain_arrivals(&mut front.configs);
        Level { to: front.configs.len() as u32, flags, ..nothing }
    }

    /// The configuration after a byte, if a guard lets it pass, where there is just one, nothing ends, and nothing is collected or
    /// doomed.
    #[inline]
    fn only_move(&mut self, pda: &Pda, config: Config, byte: u8) -> Option<Option<Config>> {
        let [(state, 0)] = *pda.expanded(config.state).moves(byte) else { return None };
        if pda.state(state).is_final || !pda.has_edges(state) {
            return None;
        }
        let next = Config { state, ..config };
        let has_room = config.register == RegisterId::default()
            || !self.registers.has_text(config.register) && self.has_room(pda, next);
        has_room.then(|| self.enter(pda, config.count, state).map(|count| Config { count, ..next }))
    }
}
