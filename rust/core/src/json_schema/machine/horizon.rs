//! How far strings and free names go on, found by their characters; see [`crate::automaton::horizon`].
//!
//! By characters, not by bytes: the states inside of characters and escapes need not be made for it.

use super::{JsonMachine, Local};
use crate::automaton::horizon::{self, Horizon, Missing, Paths, ascii_bits};
use crate::grammar::ByteSet;
use crate::json_schema::spell::Spell;
use crate::regular::TermId;

/// The characters beyond ASCII; surrogates are none.
const OTHERS: [(u32, u32); 2] = [(0x80, 0xD7FF), (0xE000, 0x10_FFFF)];

impl JsonMachine {
    /// The horizon of a state between two characters of a string or of a name that is none of the declared ones.
    pub(super) fn horizon_of(&mut self, state: u32) -> Option<Horizon> {
        let (Local::Spell(Spell::Char(term)) | Local::Name(Spell::Char((term, None)))) =
            self.locals[state as usize].1
        else {
            return None;
        };
        let mut known = std::mem::take(&mut self.horizons);
        let horizon = horizon::find(self, term, &mut known);
        self.horizons = known;
        Some(horizon)
    }

    /// The bytes that may be read between two characters of a string, and perhaps more.
    fn alphabet(&mut self, term: TermId) -> ByteSet {
        let mut bytes = ByteSet::EMPTY;
        for &(lo, hi) in self.engine.regular.alphabet(term).ranges() {
            if lo < 0x80 {
                bytes.insert_range(lo as u8, hi.min(0x7F) as u8);
            }
            if hi >= 0x80 {
                bytes.insert_range(0x80, 0xFF);
            }
        }
        bytes.insert(b'"');
        bytes.insert(b'\\');
        bytes
    }

    /// The characters of ASCII that are written as they are and go on from a language, as bits.
    fn written_directly(&mut self, term: TermId) -> u128 {
        let Ok(targets) = self.targets_of(term) else { return 0 };
        let direct = ascii_bits(b' ', 0x7F) & !(1 << b'"' | 1 << b'\\');
        targets
            .iter()
            .take_while(|t| t.0 < 0x80)
            .fold(0, |all, &(lo, hi, _)| all | ascii_bits(lo as u8, hi.min(0x7F) as u8))
            & direct
    }
}

impl Paths for JsonMachine {
    type Place = TermId;

    fn begin(&mut self, term: TermId) -> Horizon {
        let Ok(targets) = self.targets_of(term) else { return Horizon::default() };
        let all = self.written_directly(term);
        let mut ascii = 0;
        for &(lo, hi, to) in targets.iter().take_while(|t| t.0 < 0x80) {
            let after = if to == term { all } else { self.written_directly(to) };
            if (after & all).count_ones() * 2 >= all.count_ones() {
                ascii |= ascii_bits(lo as u8, hi.min(0x7F) as u8) & all;
            }
        }
        Horizon {
            ascii,
            has_others: others_lead(&targets, |_| true),
            loops_on_others: others_lead(&targets, |to| to == term),
            length: 0,
            alphabet: Some(self.alphabet(term)),
        }
    }

    fn step(&mut self, term: TermId, horizon: &Horizon, out: &mut Vec<TermId>) -> Missing {
        let Ok(targets) = self.targets_of(term) else {
            return Missing { ascii: horizon.ascii, others: true };
        };
        let mut missing = Missing { ascii: horizon.ascii, others: false };
        for &(lo, hi, to) in targets.iter() {
            let bits = if lo < 0x80 { ascii_bits(lo as u8, hi.min(0x7F) as u8) } else { 0 };
            missing.ascii &= !bits;
            let is_other = horizon.has_others && hi >= 0x80;
            if (is_other || bits & horizon.ascii != 0) && out.last() != Some(&to) {
                out.push(to);
            }
        }
        missing.others = horizon.has_others && !others_lead(&targets, |_| true);
        missing
    }

    fn is_within(&self, term: TermId, other: TermId) -> bool {
        self.engine.regular.is_within(term, other)
    }
}

/// Whether all characters beyond ASCII lead to places of a kind.
fn others_lead(targets: &[(u32, u32, TermId)], is_taken: impl Fn(TermId) -> bool) -> bool {
    OTHERS.iter().all(|&(lo, hi)| {
        let mut at = lo;
        for &(from, to, target) in &targets[targets.partition_point(|t| t.1 < lo)..] {
            if from > at || at > hi || !is_taken(target) {
                break;
            }
            at = to + 1;
        }
        at > hi
    })
}
