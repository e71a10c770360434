//! Sets of configurations in words that mean the same in every arena of an automaton.
//!
//! The numbers of sets, stacks and registers belong to one arena. What sets consist of does not: states of the automaton, counters,
//! which stack lies beneath which, and whether values have been collected. Stacks are numbered as they are met, from the
//! configurations on. Which values were collected is left out: see [`super::lookups`].

use super::{Arena, Config, Count, Edge, NodeId, RegisterId, SetId};
use crate::automaton::StateId;
use smallvec::SmallVec;

/// Sets with more stacks than this are not written: few are met twice, and looking for a stack takes longer the more there are.
const MAX_NODES: usize = 32;

/// What a set consists of.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// Sets with equal words are equal but for the values in their registers; equal sets may have different words where stacks with
    /// one return state lie side by side.
    pub(crate) words: SmallVec<[u32; 96]>,
    /// Those that have seen values.
    pub(crate) registers: SmallVec<[RegisterId; 8]>,
    nodes: SmallVec<[NodeId; MAX_NODES]>,
}

impl Arena {
    /// Whether any register has seen a value.
    pub(crate) fn has_collected(&self) -> bool {
        self.registers.largest_set() > 0
    }

    /// What a set consists of; `None` if it is large, or while a text is read that is to be collected, or something is unknown.
    pub(crate) fn content(&self, set: SetId) -> Option<Content> {
        let (flags, configs) = (self.flags(set), self.configs(set));
        let mut content = Content::default();
        let flags = u32::from(flags.complete) | u32::from(flags.open) << 1 | u32::from(flags.recheck) << 2;
        content.words.extend([flags, configs.len() as u32]);
        for &Config { state, count, node, register } in configs {
            self.write(&mut content, state, count, node, register)?;
        }
        let mut next = 0;
        while let Some(&node) = content.nodes.get(next) {
            let edges = self.edges(node);
            content.words.push(edges.len() as u32);
            for &Edge { ret, count, parent, register } in edges {
                self.write(&mut content, ret, count, parent, register)?;
            }
            next += 1;
        }
        Some(content)
    }

    fn write(
        &self,
        content: &mut Content,
        state: StateId,
        count: Count,
        node: NodeId,
        register: RegisterId,
    ) -> Option<()> {
        let has_seen = register != RegisterId::default();
        if has_seen && !self.is_settled(register) {
            return None;
        }
        if has_seen && !content.registers.contains(&register) {
            content.registers.push(register);
        }
        let known = content.nodes.iter().position(|&known| known == node);
        if known.is_none() {
            if content.nodes.len() == MAX_NODES {
                return None;
            }
            content.nodes.push(node);
        }
        let number = known.unwrap_or(content.nodes.len() - 1) as u32;
        content.words.extend([state.0, count.lo, count.hi, number << 1 | u32::from(has_seen)]);
        Some(())
    }
}
