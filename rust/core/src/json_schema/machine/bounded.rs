//! Strings of a pattern with a greatest length, or with a greatest number of rounds of a repeat.
//!
//! Such a string has a state for each place of its pattern and each number of characters or rounds that are left. But which tokens fit
//! is a question of the place alone, as long as enough are left; see [`crate::mask`]'s `bounded`.

use super::{JsonMachine, Kind, Local};
use crate::automaton::{Bound, LEAST_ALIKE, Unbounded};
use crate::json_schema::spell::{self, Spell};
use crate::regular::{Rounds, TermId};

impl JsonMachine {
    /// A state between two characters with the bound on its length left aside, or else those on its rounds.
    pub(super) fn unbounded_of(&mut self, rule: u32, local: Local) -> Option<Unbounded> {
        let (Kind::Text(strings), Local::Spell(Spell::Char(term))) = (&self.kinds[rule as usize], local)
        else {
            return None;
        };
        let pinned = strings.pinned;
        let rule = self.any_text(pinned);
        if let Some((term, most)) = self.engine.regular.without_bound(term) {
            let furthest = self.engine.regular.distance(term)?.furthest;
            let base = self.between(rule, term);
            return Some(Unbounded { base, bound: Bound::Length { most, furthest } });
        }
        let Rounds { base, floor, alike } = self.engine.regular.without_rounds(term, LEAST_ALIKE)?;
        let [base, floor] = [base, floor].map(|term| self.between(rule.clone(), term));
        Some(Unbounded { base, bound: Bound::Rounds { alike, floor } })
    }

    /// The state between two characters of a rule of strings.
    fn between(&mut self, rule: Kind, term: TermId) -> u32 {
        let rule = self.rule(rule);
        self.state(rule, Local::Spell(Spell::Char(term)))
    }

    /// The fewest characters from a state of such a rule to the end of its text; one that is read in part counts.
    pub(super) fn end_distance(&mut self, rule: u32, local: Local) -> Option<u32> {
        let (Kind::Text(strings), Local::Spell(state)) = (&self.kinds[rule as usize], local) else {
            return None;
        };
        let (pinned, term) = (strings.pinned, spell::automaton_state(state));
        if state == Spell::Char(term) {
            return Some(self.engine.regular.distance(term)?.shortest);
        }
        let targets = self.targets_of(term).ok()?;
        let mut nearest = None::<u32>;
        for after in spell::after_character(state, &targets, pinned) {
            let distance = self.engine.regular.distance(after)?.shortest;
            nearest = nearest.into_iter().chain([distance]).min();
        }
        Some(nearest?.saturating_add(1))
    }
}
