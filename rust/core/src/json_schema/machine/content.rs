//! JSON texts inside strings.

use super::{JsonMachine, Kind, Local};
use crate::automaton::MachineEdges;
use crate::json_schema::content::{At, JsonTexts, Reading};
use crate::json_schema::options::Whitespace;
use crate::json_schema::spell::{self, Spell, Targets};
use std::sync::Arc;

impl JsonMachine {
    /// Makes the texts ready, so that states can be made that look at them.
    pub(super) fn embed(&mut self, packed: bool) -> Kind {
        if self.texts[usize::from(packed)].is_none() {
            // A text that is written into a string runs away into whitespace like any other.
            let max_run = self.layout.max_run().or(match self.is_fixed() {
                true => Some(Whitespace::DEFAULT_MAX_RUN),
                false => None,
            });
            let texts = JsonTexts::new(&mut self.engine.regular, packed, max_run);
            self.texts[usize::from(packed)] = Some(Arc::new(texts));
        }
        Kind::Embedded(Reading::Text { packed })
    }

    fn texts_of(&self, reading: Reading) -> Option<Arc<JsonTexts>> {
        self.texts[usize::from(reading.is_packed())].clone()
    }

    pub(super) fn embedded_start(&self, reading: Reading) -> Local {
        match self.texts_of(reading) {
            Some(texts) if !matches!(reading, Reading::Text { .. }) => {
                Local::Embedded(Spell::Char(texts.start(reading)))
            }
            _ => Local::Start,
        }
    }

    /// Whether a value may end at a place, and whether it may go on.
    pub(super) fn embedded_value(&mut self, reading: Reading, at: At) -> (bool, bool) {
        let Some(texts) = self.texts_of(reading) else { return (false, false) };
        let regular = &mut self.engine.regular;
        let goes_on =
            !texts.targets(regular, at, reading).is_empty() || !texts.calls(regular, at, reading).is_empty();
        (texts.is_end(regular, at, reading), goes_on)
    }

    pub(super) fn embedded(&mut self, rule: u32, reading: Reading, local: Local) -> MachineEdges {
        let Some(texts) = self.texts_of(reading) else { return MachineEdges::default() };
        let Local::Embedded(state) = local else {
            return self.bytes(rule, &[(b"\"", Local::Embedded(Spell::Char(texts.start(reading))))]);
        };
        let at = spell::automaton_state(state);
        let sets = texts.targets(&mut self.engine.regular, at, reading);
        let ranges = sets.iter().flat_map(|(set, to)| set.ranges().iter().map(|&(lo, hi)| (lo, hi, *to)));
        let targets: Targets<At> = spell::targets(ranges);
        let mut edges = MachineEdges::default();
        for (lo, hi, to) in spell::edges(state, &targets, false) {
            edges.bytes.push((lo, hi, self.state(rule, Local::Embedded(to))));
        }
        if state != Spell::Char(at) {
            return edges;
        }
        for (value, after) in texts.calls(&mut self.engine.regular, at, reading) {
            let value = self.rule(Kind::Embedded(value));
            edges.calls.push((value, self.state(rule, Local::Embedded(Spell::Char(after)))));
        }
        let is_text = matches!(reading, Reading::Text { .. });
        if is_text && texts.is_end(&self.engine.regular, at, reading) {
            edges.bytes.push((b'"', b'"', self.state(rule, Local::End)));
        }
        edges
    }
}
