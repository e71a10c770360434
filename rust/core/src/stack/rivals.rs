//! What masks ask about the text that a configuration keeps.

use super::{Arena, Config, END_MARK, Fit, NodeId, OPEN_MARK, RegisterId, Rival, SetFlags};
use crate::automaton::{Collect, Pda, Room};
use crate::grammar::ByteSet;
use smallvec::{SmallVec, smallvec};

impl Arena {
    /// The values that a configuration must not complete; none if it collects nothing that was seen before.
    pub(crate) fn rivals(&mut self, pda: &Pda, config: Config) -> Vec<Rival> {
        if !self.registers.has_text(config.register) {
            return Vec::new();
        }
        let mut frames: SmallVec<[(RegisterId, Collect); 8]> = SmallVec::new();
        let mut nodes: SmallVec<[NodeId; 8]> = smallvec![config.node];
        let mut next = 0;
        while let Some(&node) = nodes.get(next) {
            for edge in self.edges(node) {
                if edge.ret == END_MARK || edge.ret == OPEN_MARK {
                    continue;
                }
                let forbids = pda.collects(edge.ret).filter(|&collect| collect != Collect::Repeat);
                frames.extend(forbids.map(|collect| (edge.register, collect)));
                if !nodes.contains(&edge.parent) {
                    nodes.push(edge.parent);
                }
            }
            next += 1;
        }
        self.registers.rivals(config.register, &frames)
    }

    /// A configuration of which nothing but the state and counter is known.
    pub(crate) fn unknown_config(&mut self, config: Config) -> Config {
        Config { node: NodeId::OPEN, register: self.registers.partial(), ..config }
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
