//! Texts that are known, walked without the states between.
//!
//! Where what may come next is one of some names, each byte of each name would be a state that no text but its own ever comes to.
//! A state that spells names ([`crate::automaton::Spelled`]) says so, and the trie is walked along the names' texts instead:
//! the tokens on the way are allowed, and past a name the walk goes on from where the name leads to.

use super::walk::{Course, Walk};
use crate::automaton::{Pda, Room, Spelled};
use crate::error::Result;
use crate::stack::{Arena, Config, Level, RegisterId, SetFlags};

/// What is left of the texts that a configuration spells.
#[derive(Clone, Copy)]
struct Rest {
    config: Config,
    flags: SetFlags,
    at: Spelled,
}

/// The texts that a configuration spells, if nothing has to know them byte by byte, all of them lead on, and nothing else can
/// follow but, perhaps, what is split off.
fn spelled(pda: &Pda, arena: &Arena, config: &Config, beside_wide: bool) -> Option<Spelled> {
    let at = pda.spelled(config.state)?;
    let may_be_doomed = config.register != RegisterId::default()
        && pda.room(config.state) != Room::Endless
        && at.room != Room::Enough;
    if may_be_doomed || !arena.is_settled(config.register) {
        return None;
    }
    let expanded = (at.depth == 0).then(|| pda.expanded(config.state));
    let is_alone = expanded.is_none_or(|expanded| {
        expanded.entries().len() <= 1
            || beside_wide && expanded.all_are_wide() && expanded.tokens().is_empty()
    });
    is_alone.then_some(at)
}

impl Walk<'_> {
    /// Takes the configurations that spell texts out of a level, adding what they allow below a node; gives the others.
    pub(super) fn take_spelled(
        &mut self,
        course: Course<'_>,
        node: usize,
        level: Level,
        beside_wide: bool,
    ) -> Result<Level> {
        let (pda, arena) = (self.context.pda, &*self.arena);
        let is_spelled = |config: &Config| spelled(pda, arena, config, beside_wide).is_some();
        if !self.buffers.front.configs(level).iter().any(is_spelled) {
            return Ok(level);
        }
        let mut taken = self.buffers.wide.pop().unwrap_or_default();
        let rest = self.buffers.front.take_out(level, &mut taken, is_spelled);
        for &config in &taken {
            if let Some(at) = spelled(pda, self.arena, &config, beside_wide) {
                self.along(course, node, Rest { config, flags: level.flags, at })?;
            }
        }
        taken.clear();
        self.buffers.wide.push(taken);
        Ok(rest)
    }

    /// Adds the tokens below a node that go along texts.
    fn along(&mut self, course: Course<'_>, node: usize, rest: Rest) -> Result<()> {
        let pda = self.context.pda;
        let Some(texts) = &pda.rule_of(rest.config.state).texts else { return Ok(()) };
        let depth = rest.at.depth as usize;
        let mut next = rest.at.lo;
        while next < rest.at.hi {
            let lo = next;
            let byte = texts.of(lo).get(depth);
            next += 1;
            while next < rest.at.hi && texts.of(next).get(depth) == byte {
                next += 1;
            }
            let child = byte.and_then(|&byte| course.trie.child(node, byte));
            let Some(child) = child else { continue };
            if !self.arena.has_key(pda, rest.config, (lo, next)) {
                continue;
            }
            if depth + 1 == texts.of(lo).len() {
                self.past(course, child, rest, lo)?;
            } else {
                self.add_tokens(course, child, rest.flags);
                let at = Spelled { lo, hi: next, depth: rest.at.depth + 1, ..rest.at };
                self.along(course, child, Rest { at, ..rest })?;
            }
        }
        Ok(())
    }

    /// Goes on at a node where a text has ended.
    fn past(&mut self, course: Course<'_>, node: usize, rest: Rest, key: u32) -> Result<()> {
        let pda = self.context.pda;
        let Some(state) = pda.end_of_text(rest.config.state, key) else { return Ok(()) };
        let Some(count) = self.arena.enter(pda, rest.config.count, state) else { return Ok(()) };
        let config = Config { state, count, ..rest.config };
        if self.arena.is_doomed(pda, config) {
            return Ok(());
        }
        let flags = SetFlags { recheck: rest.flags.recheck, ..SetFlags::default() };
        let level = self.buffers.front.push(&[config], flags);
        self.add_tokens(course, node, flags);
        let (level, beside_wide) = self.split_off(course, node, level)?;
        self.below(Course { node, limit: usize::MAX, ..course }, level, beside_wide)?;
        Ok(())
    }
}
