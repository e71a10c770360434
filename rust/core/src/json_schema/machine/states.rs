//! States, and what is known of them without their edges.

use super::{Branch, InArray, InObject, JsonMachine, Kind, Local};
use crate::automaton::{Collect, Leaps, Like, MachineState, Room};
use crate::json_schema::content::Reading;
use crate::json_schema::plan::{Key, Plan};
use crate::json_schema::spell::{self, Spell};
use std::sync::Arc;

/// The room of an object that has begun with a declared name, or wants none: most end without another free one.
pub(super) fn room_in_object(plan: &Plan) -> Room {
    if plan.needs_no_free_name() { Room::Enough } else { Room::Counted }
}

impl JsonMachine {
    /// The number of a state, made now if there is none.
    pub(super) fn state(&mut self, rule: u32, local: Local) -> u32 {
        let (index, is_new) = self.locals.insert_full((rule, local));
        if is_new {
            let kind = &self.kinds[rule as usize];
            let (is_final, has_edges) = match (kind, local) {
                (_, Local::End) => (true, false),
                (Kind::Chars(..), Local::Spell(Spell::Char(term)))
                    if self.engine.regular.is_nullable(term) =>
                {
                    (true, false)
                }
                (Kind::Number(numbers), Local::Number(at)) => {
                    let automaton = &mut self.numbers[*numbers as usize];
                    (automaton.is_final(at), automaton.goes_on(at))
                }
                (&Kind::Embedded(reading @ Reading::Value { .. }), Local::Embedded(Spell::Char(at))) => {
                    self.embedded_value(reading, at)
                }
                (Kind::Gap(text), Local::Bytes(at)) if at as usize == text.len() => (true, false),
                _ => (false, true),
            };
            let index = self.states.len();
            let collects = self.collects(rule, local);
            let room = self.room(rule, local);
            let guard = self.guard(rule, local);
            let spelled = self.spelled(rule, local);
            let is_wide = self.is_wide(rule, local);
            let state = MachineState {
                rule,
                is_final,
                has_edges,
                is_wide,
                is_between: matches!(local, Local::Spell(Spell::Char(_))),
                narrow: self.narrow(rule, local),
                has_like: matches!(
                    (&self.kinds[rule as usize], local),
                    (Kind::Name(_, Some(_)), Local::Name(_))
                ),
                leaps: match local {
                    Local::Name(Spell::Char(_)) => Leaps::Alone,
                    // Free names begin where declared ones do.
                    Local::Object(_, InObject::Name(Spell::Char(Branch { depth: 0, .. })), _) => {
                        Leaps::BesideCalls
                    }
                    Local::Object(_, InObject::Name(Spell::Char(_)), _) => Leaps::Alone,
                    _ => Leaps::No,
                },
                collects,
                repeated: None,
                room,
                guard,
                spelled,
            };
            self.states.push(state);
            if collects == Some(Collect::Repeat) {
                self.states[index].repeated = self.repeated(rule, local);
            }
        }
        index as u32
    }

    /// Where one character may follow in a text, it does as it is or by an escape.
    fn narrow(&self, rule: u32, local: Local) -> Option<[u8; 2]> {
        match (&self.kinds[rule as usize], local) {
            (Kind::Text(_), Local::Spell(Spell::Char(term))) => {
                let only = self.engine.regular.only_first(term)?;
                Some([only, b'\\'])
            }
            _ => None,
        }
    }

    /// Any characters are many.
    fn is_wide(&self, rule: u32, local: Local) -> bool {
        let everything = self.engine.regular.everything();
        match (&self.kinds[rule as usize], local) {
            (Kind::Name(..), Local::Name(Spell::Char((term, _)))) => term == everything,
            (Kind::Text(_), Local::Spell(Spell::Char(term))) => term == everything,
            _ => false,
        }
    }

    /// Names that are not declared come once, and so do the items of an array that says so.
    fn collects(&self, rule: u32, local: Local) -> Option<Collect> {
        match (&self.kinds[rule as usize], local) {
            (_, Local::Object(_, InObject::NameEnd(Key::Class(_)), false)) => Some(Collect::Name),
            (&Kind::Array(arr, _), Local::Array(written, InArray::After, false)) => {
                let repeat = self.waits_for_repeat(arr, written).then_some(Collect::Repeat);
                if self.arrays[arr as usize].unique { Some(Collect::Value) } else { repeat }
            }
            _ => None,
        }
    }

    /// See [`Room`].
    fn room(&mut self, rule: u32, local: Local) -> Room {
        let everything = self.engine.regular.everything();
        match (&self.kinds[rule as usize], local) {
            (&Kind::Object(plan, _), Local::Object(_, at, _)) => {
                let planned = Arc::clone(&self.plans[plan as usize]);
                let plan = &planned.plan;
                let wants_name = matches!(at, InObject::Member | InObject::AfterComma | InObject::Name(_));
                // If that cannot be told within the budget, whoever asks for the state's edges hears of it.
                if wants_name && self.has_endless_names(plan).unwrap_or(false) {
                    return Room::Endless;
                }
                match at {
                    InObject::Name(state) if spell::automaton_state(state).depth > 0 => room_in_object(plan),
                    // A free name may be all that is left.
                    _ if wants_name => Room::Counted,
                    _ => room_in_object(plan),
                }
            }
            // Items may come again at any time.
            (&Kind::Array(arr, _), Local::Array(written, ..)) if self.waits_for_repeat(arr, written) => {
                Room::Endless
            }
            (Kind::Name(..), Local::Name(state)) if spell::automaton_state(state).0 == everything => {
                Room::Endless
            }
            (Kind::Space, _) => Room::Beneath,
            _ => Room::Counted,
        }
    }

    /// A free name is like any name of its language, but for the declared ones.
    pub(super) fn like_of(&mut self, rule: u32, local: Local) -> Option<Like> {
        let (&Kind::Name(names, Some(_)), Local::Name(state)) = (&self.kinds[rule as usize], local) else {
            return None;
        };
        let (_, branch) = spell::automaton_state(state);
        let any = self.rule(Kind::Name(names, None));
        let base = self.state(any, Local::Name(state.map(|(term, _)| (term, None))));
        Some(Like { base, is_exact: branch.is_none() })
    }
}
