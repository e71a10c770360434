//! What remainders come to, remembered.
//!
//! A name or string goes on for many tokens, and all the while what follows it is the same. And what follows is mostly the same for
//! the next one, though more of its object is written by then: so what is known of a configuration serves all of its state that
//! answer what was asked as it did ([`crate::stack::Asked`]).

use super::finished::FinishedMask;
use crate::automaton::{Pda, StateId};
use crate::stack::{Arena, Asked, Config, Count, LookedUp, NodeId, RegisterId, SetFlags, SetId};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Tokens that are allowed, and tokens that have to be looked at again.
#[derive(Debug)]
pub(super) struct Remaining {
    pub(super) allowed: Box<[u32]>,
    pub(super) again: Box<[u32]>,
    pub(super) lookups: LookedUp,
}

/// Everything is kept up to so many bytes a grammar.
const LIMIT_BYTES: usize = 1 << 20;
/// Answers that are told apart for one state.
const MAX_ALIKE: usize = 8;

/// The trie of remainders, by serial number, and what of the configuration walks need not ask for.
type Alike = (u64, StateId, Count, RegisterId, SetFlags);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Beneath {
    /// For single configurations.
    alike: FxHashMap<Alike, Vec<(Asked, Remaining)>>,
    /// For sets of which more would have to be asked.
    same: FxHashMap<(u64, SetId), Remaining>,
    bytes: usize,
}

impl Beneath {
    /// What the remainders of a trie come to on a set.
    pub(super) fn get(&self, pda: &Pda, arena: &mut Arena, trie: u64, set: SetId) -> Option<&Remaining> {
        if let Some((key, config)) = alike(pda, arena, trie, set) {
            let mut known = self.alike.get(&key).into_iter().flatten();
            if let Some((_, known)) = known.find(|(asked, _)| arena.answers_alike(pda, asked, config)) {
                arena.note_lookups(&known.lookups);
                return Some(known);
            }
        }
        let known = self.same.get(&(trie, set))?;
        arena.give_up_trace();
        arena.note_lookups(&known.lookups);
        Some(known)
    }

    /// Ends the trace of a walk, which began at a place in the arena's notes, and keeps what the walk came to.
    pub(super) fn insert(
        &mut self,
        pda: &Pda,
        arena: &mut Arena,
        (trie, set): (u64, SetId),
        from: usize,
        tokens: Option<Remaining>,
    ) {
        let place = alike(pda, arena, trie, set);
        let config = place.map_or(Config::new(StateId(0), NodeId::OPEN), |(_, config)| config);
        let asked = arena.end_trace(pda, from, config);
        let Some(tokens) = tokens else { return };
        let questions = asked.as_ref().map_or(0, Asked::memory_size_bytes);
        let bytes =
            (tokens.allowed.len() + tokens.again.len()) * 4 + questions + size_of::<(Alike, Remaining)>();
        if self.bytes + bytes > LIMIT_BYTES {
            *self = Self::default();
        }
        self.bytes += bytes;
        match place.zip(asked) {
            Some(((key, _), asked)) => {
                let known = self.alike.entry(key).or_default();
                if known.len() == MAX_ALIKE {
                    known.remove(0);
                }
                known.push((asked, tokens));
            }
            None => {
                self.same.insert((trie, set), tokens);
            }
        }
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        self.bytes
    }
}

/// Masks of single configurations that keep a progress, by what was asked of it: values of one kind, say, are begun alike after any name.
#[derive(Debug, Default)]
pub(super) struct AlikeMasks {
    masks: FxHashMap<Alike, Vec<(Asked, Arc<FinishedMask>)>>,
    /// How often each state's mask was made in vain, less how often it was found again.
    vain: FxHashMap<StateId, i32>,
    bytes: usize,
}

/// A state whose masks were made so often in vain is given up: to note what is asked costs a little each time.
const MAX_VAIN: i32 = 2;
/// So often in vain is forgiven for each that was found.
const FORGIVEN: i32 = 2;

/// What has to be equal, and the configuration.
pub(super) type AlikePlace = (Alike, Config);

impl AlikeMasks {
    /// The place of a set's mask, if it is one to keep.
    pub(super) fn place(&self, pda: &Pda, arena: &Arena, set: SetId) -> Option<AlikePlace> {
        let &[only] = arena.configs(set) else { return None };
        pda.rule_of(only.state).progresses.as_ref()?;
        let is_vain = self.vain.get(&only.state).is_some_and(|&vain| vain > MAX_VAIN);
        if is_vain { None } else { alike(pda, arena, 0, set) }
    }

    pub(super) fn get(
        &mut self,
        pda: &Pda,
        arena: &mut Arena,
        (key, config): AlikePlace,
    ) -> Option<Arc<FinishedMask>> {
        let mut known = self.masks.get(&key).into_iter().flatten();
        let found = known.find(|(asked, _)| arena.answers_alike(pda, asked, config));
        let vain = self.vain.entry(config.state).or_default();
        *vain += if found.is_some() { -FORGIVEN } else { 1 };
        found.map(|(_, mask)| Arc::clone(mask))
    }

    pub(super) fn insert(&mut self, (key, _): AlikePlace, asked: Asked, mask: &Arc<FinishedMask>) {
        self.bytes += asked.memory_size_bytes() + mask.memory_size_bytes() + size_of::<(Alike, Asked)>();
        if self.bytes > LIMIT_BYTES {
            *self = Self::default();
        }
        let known = self.masks.entry(key).or_default();
        if known.len() == MAX_ALIKE {
            known.remove(0);
        }
        known.push((asked, Arc::clone(mask)));
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        self.bytes
    }
}

/// The single configuration of a set, if it keeps no text, and what has to be equal before others answer for it.
fn alike(pda: &Pda, arena: &Arena, trie: u64, set: SetId) -> Option<(Alike, Config)> {
    let &[config] = arena.configs(set) else { return None };
    if arena.has_text(config.register) {
        return None;
    }
    let is_carried = pda.rule_of(config.state).progresses.is_some();
    let count = if is_carried { Count::default() } else { config.count };
    Some(((trie, config.state, count, config.register, arena.flags(set)), config))
}

#[cfg(test)]
mod tests {
    use crate::mask::stepping;
    use proptest::prelude::*;

    /// Values of one kind under many names; what may follow them depends on what is written.
    const SCHEMAS: [&str; 5] = [
        r##"{"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}, "c": {"type": "integer"}},
            "required": ["b", "c"], "additionalProperties": false}"##,
        r##"{"properties": {"a": {"enum": [1, 11]}, "b": {"enum": [1, 11]}, "c": {"enum": [1, 11]}},
            "maxProperties": 2, "minProperties": 1}"##,
        r##"{"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}, "c": {"type": "integer"}},
            "required": ["c"], "additionalProperties": false, "type": "object"}"##,
        r##"{"properties": {"a": {"type": "boolean"}, "b": {"type": "boolean"}}, "dependentRequired": {"a": ["b"]},
            "additionalProperties": {"type": "integer"}}"##,
        r##"{"patternProperties": {"^[ab]$": {"type": "integer"}}, "additionalProperties": false, "minProperties": 2}"##,
    ];

    /// Tokens that begin and end values with much of what stands around them.
    const TOKENS: [&str; 30] = [
        "{",
        "}",
        "\"",
        ":",
        ",",
        " ",
        "1",
        "a",
        "b",
        "c",
        "true",
        "{\"",
        "\":",
        "\":1",
        "1}",
        "1,",
        " 1}",
        "1}}",
        "1,\"",
        "1,\"b",
        "1,\"b\":",
        "\":{",
        "\":{\"",
        "}}",
        "true}",
        "true,\"",
        " true,\"b\":",
        "11}}}",
        ":{\"c\":1}",
        "\":1,\"c\":1}",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
        #[test]
        fn remembered_masks_are_what_stepping_says(
            schema in prop::sample::select(SCHEMAS.to_vec()),
            walks in prop::collection::vec(prop::collection::vec(0usize..1000, 16), 1..6),
        ) {
            stepping::compare(schema, &TOKENS, &walks, stepping::any)?;
        }
    }
}
