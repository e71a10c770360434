//! Walking a trie on real stacks, and leaving it to splits where it gets wide.
//!
//! A walk keeps a [`Level`] for each node on its path. Where a configuration is *wide* (many bytes go on) and much of the trie
//! is still below, its split is taken instead: what it accepts is known, and only what remains of its dependent tokens is
//! walked, on what lies beneath it. Remainders are walked the same way.
//!
//! Beneath a split the text inside the token is unknown. Tokens for which it matters are gathered in `again`, and stepped
//! through one by one from the configuration that the outermost split began with.

use super::assemble::MaskContext;
use super::beneath::{Beneath, Remaining};
use super::duplicates::Completions;
use super::holes::Holes;
use super::served::Served;
use crate::automaton::StateId;
use crate::error::Result;
use crate::grammar::ByteSet;
use crate::stack::{Arena, Config, Front, Level, Place, SetFlags, SetId};
use crate::vocab::ByteTrie;
use rustc_hash::FxHashSet;
use std::ops::Range;

/// A wide state reached with more trie nodes than this below is split rather than walked from.
const SPLIT_NODES: usize = 8;

/// Memory of walks, kept between them.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    pub(super) front: Front,
    frames: Vec<Frame>,
    pub(super) wide: Vec<Vec<Config>>,
    pub(super) allowed: Vec<u32>,
    pub(super) again: Vec<u32>,
    pub(super) beneath: Beneath,
    pub(super) completions: Completions,
    pub(super) path: Vec<Place>,
    /// Tries with states that much was walked from; see [`super::plain`].
    pub(super) far: FxHashSet<(u64, StateId)>,
}

/// A node on the path of a walk.
#[derive(Debug)]
struct Frame {
    /// The children not looked at yet.
    left: Range<usize>,
    level: Level,
    /// Bytes that can follow.
    first: ByteSet,
    /// What begins in wide rules that the level calls into has been split off.
    beside_wide: bool,
}

/// Where a walk goes.
#[derive(Clone, Copy)]
pub(super) struct Course<'a> {
    pub(super) trie: &'a ByteTrie,
    pub(super) node: usize,
    /// Only tokens with so many rounds done before them count.
    pub(super) window: Option<(&'a [u32], u32, u32)>,
    /// The text before the trie's is unknown.
    pub(super) is_beneath: bool,
    /// Give up after so many nodes.
    pub(super) limit: usize,
}

/// One mask in the making.
pub(super) struct Walk<'a> {
    pub(super) context: &'a MaskContext<'a>,
    pub(super) arena: &'a mut Arena,
    pub(super) buffers: &'a mut Buffers,
}

impl Walk<'_> {
    /// Adds the tokens below a node that can be stepped through from a level; gives how many nodes that took, `None` if too many.
    pub(super) fn below(
        &mut self,
        course: Course<'_>,
        start: Level,
        beside_wide: bool,
    ) -> Result<Option<usize>> {
        let visited = match self.context.pda.has_machine() {
            true => self.below_stepping(course, start, beside_wide)?,
            false => self.below_plain(course, start)?,
        };
        self.buffers.front.pop(start);
        Ok(visited)
    }

    /// The same, step by step; leaves the level it starts from.
    pub(super) fn below_stepping(
        &mut self,
        course: Course<'_>,
        start: Level,
        beside_wide: bool,
    ) -> Result<Option<usize>> {
        let bottom = self.buffers.frames.len();
        self.enter(course, course.node, start, beside_wide);
        let mut visited = 0;
        while self.buffers.frames.len() > bottom {
            let Some(frame) = self.buffers.frames.last_mut() else { break };
            let Some(child) = course.trie.first_child_by(frame.left.clone(), &frame.first) else {
                self.buffers.frames.pop();
                continue;
            };
            frame.left.start = child + 1;
            let (byte, above, beside_wide) = (course.trie.child_byte(child), frame.level, frame.beside_wide);
            visited += 1;
            let level =
                self.arena.advance(self.context.pda, &mut self.buffers.front, above, byte, beside_wide);
            if level.is_dead() {
                continue;
            }
            if visited > course.limit {
                self.buffers.frames.truncate(bottom);
                return Ok(None);
            }
            self.visit(course, course.trie.child_node(child), level)?;
        }
        Ok(Some(visited))
    }

    fn enter(&mut self, course: Course<'_>, node: usize, level: Level, beside_wide: bool) {
        let children = course.trie.children(node);
        if children.is_empty() || !level.is_alive() {
            return;
        }
        let first =
            self.arena.first_bytes_of(self.context.pda, self.buffers.front.configs(level), beside_wide);
        self.buffers.frames.push(Frame { left: children, level, first, beside_wide });
    }

    /// A node that can be stepped to.
    fn visit(&mut self, course: Course<'_>, node: usize, level: Level) -> Result<()> {
        self.add_tokens(course, node, level.flags);
        let (rest, beside_wide) = self.split_off(course, node, level)?;
        self.enter(course, node, rest, beside_wide);
        Ok(())
    }

    /// Adds the tokens whose text ends at a node.
    pub(super) fn add_tokens(&mut self, course: Course<'_>, node: usize, flags: SetFlags) {
        let range = course.trie.places_at(node);
        let list = if flags.recheck { &mut self.buffers.again } else { &mut self.buffers.allowed };
        match course.window {
            None => list.extend_from_slice(&course.trie.order()[range]),
            Some((done, lo, hi)) => {
                let fits = range.filter(|&place| (lo..=hi).contains(&done[place]));
                list.extend(fits.map(|place| course.trie.order()[place]));
            }
        }
    }

    /// Takes out of a level what need not be walked from; gives the others, and whether what begins in wide rules is left out of them.
    pub(super) fn split_off(
        &mut self,
        course: Course<'_>,
        node: usize,
        level: Level,
    ) -> Result<(Level, bool)> {
        let pda = self.context.pda;
        if !pda.has_machine() || course.trie.children(node).is_empty() {
            return Ok((level, false));
        }
        let is_always_split =
            |config: &Config| pda.is_always_split(config.state) || pda.calls_always_split(config.state);
        let is_large = course.trie.size_below(node) > SPLIT_NODES
            || self.buffers.front.configs(level).iter().any(is_always_split);
        let may_split = course.window.is_none() && !(course.is_beneath && level.flags.recheck);
        let (rest, beside_wide) =
            if is_large && may_split { self.split_wide(course, node, level)? } else { (level, false) };
        Ok((self.take_spelled(course, node, rest, beside_wide)?, beside_wide))
    }

    /// Takes the wide configurations out of a level, and those that it calls into, adding what they allow below a node; gives
    /// the others, and whether they call into wide ones.
    fn split_wide(&mut self, course: Course<'_>, node: usize, level: Level) -> Result<(Level, bool)> {
        let (pda, arena) = (self.context.pda, &mut *self.arena);
        let mut wide = self.buffers.wide.pop().unwrap_or_default();
        // What collects a text that is unknown has to be walked.
        let may_split = |config: &Config| !course.is_beneath || !arena.has_text(config.register);
        let rest = self.buffers.front.take_out(level, &mut wide, |c| pda.is_wide(c.state) && may_split(c));
        let taken = wide.len();
        let configs = self.buffers.front.configs(rest);
        // A text that begins here is known as soon as all is known that it is compared with.
        if configs.iter().all(|config| !course.is_beneath || arena.is_settled(config.register)) {
            configs.iter().for_each(|&config| arena.wide_entries(pda, config, &mut wide));
        }
        let beside_wide = wide.len() > taken;
        for config in &wide {
            let config = config.representative(pda, self.context.horizon());
            self.split_below(course, node, config)?;
        }
        wide.clear();
        self.buffers.wide.push(wide);
        Ok((rest, beside_wide))
    }

    /// Adds the tokens below a node that a configuration allows, which read up to that node already.
    fn split_below(&mut self, course: Course<'_>, node: usize, config: Config) -> Result<()> {
        let local = self.context.served_split(self.arena, config, course.trie, node)?;
        let (accepted, except, _) = local.accepted();
        let holes = self.context.holes(config.state, course.trie, node);
        let duplicates = self.duplicates(course.trie, node, config);
        let from = self.buffers.allowed.len();
        accepted.for_each(|token| self.buffers.allowed.push(token));
        if !except.is_empty() {
            let except: FxHashSet<u32> = except.iter().copied().collect();
            self.buffers.retain_allowed(from, |token| !except.contains(&token));
        }
        self.beneath(&local, course.trie, node, config, course.is_beneath)?;
        self.retain_new(from, holes.as_deref(), &duplicates);
        Ok(())
    }

    /// Takes out what a state lacks, and what comes again, of the tokens gathered since `from`.
    pub(super) fn retain_new(&mut self, from: usize, holes: Option<&Holes>, duplicates: &[u32]) {
        let holes = holes.filter(|holes| !holes.is_empty());
        if holes.is_none() && duplicates.is_empty() {
            return;
        }
        let vocabulary = self.context.vocabulary;
        self.buffers.retain_allowed(from, |token| {
            !holes.is_some_and(|holes| holes.has(vocabulary, token))
                && duplicates.binary_search(&token).is_err()
        });
    }

    /// Adds the tokens whose remainders go on in what lies beneath a configuration that has read up to a node of a trie.
    pub(super) fn beneath(
        &mut self,
        local: &Served,
        trie: &ByteTrie,
        node: usize,
        config: Config,
        is_beneath: bool,
    ) -> Result<()> {
        let remainders = local.remainders();
        let window = local.window().map(|(lo, hi)| (&*remainders.done, lo, hi));
        let from = self.buffers.again.len();
        self.buffers.again.extend_from_slice(&local.split.again);
        if remainders.trie.max_depth() > 0 {
            let set = self.arena.pop_beneath(self.context.pda, config);
            let course =
                Course { trie: &remainders.trie, node: 0, window, is_beneath: true, limit: usize::MAX };
            self.on_set(course, set)?;
        }
        if !is_beneath && self.buffers.again.len() > from {
            let depth = usize::from(trie.nodes()[node].depth);
            self.look_again(from, depth, config);
        }
        Ok(())
    }

    /// Adds the tokens whose remainders go on from a set.
    fn on_set(&mut self, course: Course<'_>, set: SetId) -> Result<()> {
        if course.window.is_some() {
            return self.on_level(course, set);
        }
        let trie = course.trie.serial();
        let Buffers { beneath, allowed, again, .. } = &mut *self.buffers;
        if let Some(known) = beneath.get(self.context.pda, self.arena, trie, set) {
            allowed.extend_from_slice(&known.allowed);
            again.extend_from_slice(&known.again);
            return Ok(());
        }
        let (allowed, again) = (allowed.len(), again.len());
        let (from, since) = (self.arena.begin_trace(), self.arena.lookups());
        let walked = self.on_level(course, set);
        let Buffers { beneath, allowed: all, again: all_again, .. } = &mut *self.buffers;
        let lookups = self.arena.looked_up(since);
        let tokens = Remaining { allowed: all[allowed..].into(), again: all_again[again..].into(), lookups };
        let tokens = walked.as_ref().ok().map(|()| tokens);
        beneath.insert(self.context.pda, self.arena, (trie, set), from, tokens);
        walked
    }

    fn on_level(&mut self, course: Course<'_>, set: SetId) -> Result<()> {
        let level = self.arena.level_of(&mut self.buffers.front, set);
        let (rest, beside_wide) = self.split_off(course, 0, level)?;
        self.below(course, rest, beside_wide)?;
        Ok(())
    }

    /// Steps through the tokens gathered since `from`: values inside them have to be compared with what came before.
    fn look_again(&mut self, from: usize, depth: usize, config: Config) {
        let Self { context, arena, buffers } = self;
        // Steps are remembered without what they look up.
        arena.give_up_lookups();
        let start = arena.set_of_configs(&[config], SetFlags::default());
        for &token in &buffers.again[from..] {
            let mut set = start;
            for &byte in &context.vocabulary.token_bytes(token)[depth..] {
                set = arena.step(context.pda, set, byte);
                if set == SetId::DEAD {
                    break;
                }
            }
            if set != SetId::DEAD {
                buffers.allowed.push(token);
            }
        }
        buffers.again.truncate(from);
    }
}

impl Buffers {
    /// Keeps what satisfies a condition of the tokens gathered since `from`.
    pub(super) fn retain_allowed(&mut self, from: usize, keep: impl Fn(u32) -> bool) {
        let mut kept = from;
        for at in from..self.allowed.len() {
            let token = self.allowed[at];
            if keep(token) {
                self.allowed[kept] = token;
                kept += 1;
            }
        }
        self.allowed.truncate(kept);
    }
}
