//! What masks ask about the text that a configuration keeps.

use super::registers::Forbidden;
use super::{Arena, Config, END_MARK, Edge, Fit, NodeId, OPEN_MARK, RegisterId, Rival, RivalLists, SetFlags};
use crate::automaton::{Collect, Pda, Room};
use crate::grammar::ByteSet;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

fn is_bottom(edge: &Edge) -> bool {
    edge.ret == END_MARK || edge.ret == OPEN_MARK
}

impl Arena {
    /// The values that a configuration must not complete: those that were seen before, and those that everything that follows needs.
    pub(crate) fn rivals(&mut self, pda: &Pda, config: Config) -> RivalLists {
        if !self.registers.knows_text(config.register) {
            return RivalLists::new();
        }
        let forbidden = self.forbidden(pda, config.node);
        self.registers.rivals(config.register, &forbidden)
    }

    /// What must not be read on any stack of a set: it is forbidden by a frame of each. Down to where stacks part there is one way to go
    /// through the frames.
    fn forbidden(&mut self, pda: &Pda, top: NodeId) -> Forbidden {
        let (mut frames, mut node) = (SmallVec::<[Edge; 16]>::new(), Some(top));
        while let Some(&[edge]) = node.map(|node| self.edges(node)) {
            frames.push(edge);
            node = Some(edge.parent).filter(|_| !is_bottom(&edge));
        }
        let mut forbidden = node.map(|node| self.forbidden_on_all(pda, node)).unwrap_or_default();
        frames.into_iter().rev().for_each(|edge| self.forbid(pda, edge, &mut forbidden));
        forbidden
    }

    /// The same where stacks part.
    fn forbidden_on_all(&mut self, pda: &Pda, top: NodeId) -> Forbidden {
        let mut known: FxHashMap<NodeId, Forbidden> = FxHashMap::default();
        let mut todo = vec![top];
        while let Some(&node) = todo.last() {
            if known.contains_key(&node) {
                todo.pop();
                continue;
            }
            let edges: SmallVec<[Edge; 4]> = SmallVec::from_slice(self.edges(node));
            let is_open = |edge: &&Edge| !is_bottom(edge) && !known.contains_key(&edge.parent);
            let before = todo.len();
            todo.extend(edges.iter().filter(is_open).map(|edge| edge.parent));
            if todo.len() > before {
                continue;
            }
            todo.pop();
            let mut on_all: Option<Forbidden> = None;
            for &edge in &edges {
                let beneath = known.get(&edge.parent).filter(|_| !is_bottom(&edge));
                let mut on_this = beneath.cloned().unwrap_or_default();
                self.forbid(pda, edge, &mut on_this);
                on_all = Some(match on_all {
                    None => on_this,
                    Some(on_others) => self.registers.in_both(&on_others, &on_this),
                });
            }
            known.insert(node, on_all.unwrap_or_default());
        }
        known.remove(&top).unwrap_or_default()
    }

    /// Adds what a frame forbids.
    fn forbid(&mut self, pda: &Pda, edge: Edge, forbidden: &mut Forbidden) {
        let collect = if is_bottom(&edge) { None } else { pda.collects(edge.ret) };
        let Some(collect) = collect.filter(|&collect| collect != Collect::Repeat) else { return };
        self.give_up_lookups();
        let fatal = self.fatal_values(pda, edge);
        let with = |register, &value| self.registers.with_value(register, value);
        let register = fatal.iter().fold(edge.register, with);
        if !self.registers.has_seen_none(register) {
            forbidden.push((register, collect));
        }
    }

    /// A configuration of which nothing but the state and counter is known.
    pub(crate) fn unknown_config(&mut self, pda: &Pda, config: Config) -> Config {
        // What is split on the way collects nothing of its own.
        let is_split = pda.rule_of(config.state).is_split;
        let register = if is_split { RegisterId::default() } else { self.registers.partial() };
        Config { node: NodeId::OPEN, register, ..config }
    }

    /// Whether a register keeps a text.
    pub(crate) fn has_text(&self, register: RegisterId) -> bool {
        self.registers.has_text(register)
    }

    /// The configurations after a byte, whatever was there before.
    pub(crate) fn after_byte(&mut self, pda: &Pda, configs: &[Config], byte: u8) -> Vec<Config> {
        let mut out = Vec::new();
        self.arrive(pda, configs, SetFlags::default(), byte, false);
        self.drain_arrivals(&mut out);
        out
    }

    /// Whether a configuration has more ends than there are values to avoid, and nothing was collected on the way to it that may have
    /// been there before.
    pub(crate) fn has_many_ends(&self, pda: &Pda, config: Config) -> bool {
        let ends = || pda.ends(config.state, config.count.progress(), self.most_ends());
        !self.registers.is_partial(config.register)
            && (pda.room(config.state) == Room::Endless || ends().is_none())
    }

    /// Whether a register keeps no text, and knows all that was collected.
    pub(crate) fn is_settled(&self, register: RegisterId) -> bool {
        !self.registers.has_text(register) && !self.registers.is_partial(register)
    }

    /// What is left of a rival, if it is a string of which no escape is begun.
    pub(crate) fn rest_of_rival(&self, rival: &Rival) -> Option<&str> {
        self.registers.rest_of_rival(rival)
    }

    /// The bytes that a rival may go on by, and perhaps more; cheap.
    pub(crate) fn rival_bytes(&self, rival: &Rival) -> ByteSet {
        self.registers.rival_bytes(rival)
    }

    /// What a rival comes to with one more byte, and the rival if that may still be either.
    pub(crate) fn compare(&self, rival: &Rival, byte: u8) -> (Fit, Option<Rival>) {
        self.registers.compare(rival, byte)
    }
}
