//! How far strings and free names go on, found by their characters; see [`crate::automaton::horizon`].
//!
//! By characters, not by bytes: the states inside of characters and escapes need not be made for it.

use super::{JsonMachine, Local};
use crate::automaton::horizon::{self, ENOUGH, Horizon, Paths};
use crate::grammar::ByteSet;
use crate::grammar::utf8::{LEADS, first_byte};
use crate::json_schema::spell::Spell;
use crate::regular::TermId;

/// The characters beyond ASCII; surrogates are none.
const OTHERS: [(u32, u32); 2] = [(0x80, 0xD7FF), (0xE000, 0x10_FFFF)];

impl JsonMachine {
    /// The horizon of a state between two characters of a string or of a name that is none of the declared ones.
    pub(super) fn horizon_of(&mut self, state: u32, is_thorough: bool) -> Option<Horizon> {
        let (Local::Spell(Spell::Char(term)) | Local::Name(Spell::Char((term, None)))) =
            self.locals[state as usize].1
        else {
            return None;
        };
        let bounded = self.bounded_horizon(term);
        Some(bounded.unwrap_or_else(|| self.find_horizon(term, is_thorough)))
    }

    fn find_horizon(&mut self, term: TermId, is_thorough: bool) -> Horizon {
        let mut known = std::mem::take(&mut self.horizons);
        let horizon = horizon::find(self, term, is_thorough, &mut known);
        self.horizons = known;
        horizon
    }

    /// The horizon of a language with a bound on the length, if that of the language without it serves.
    fn bounded_horizon(&mut self, term: TermId) -> Option<Horizon> {
        let (base, most) = self.engine.regular.without_bound(term)?;
        let furthest = self.engine.regular.distance(base)?.furthest;
        let horizon = self.find_horizon(base, false);
        let length = horizon.length.min(u16::try_from(most.saturating_sub(furthest)).unwrap_or(u16::MAX - 1));
        // Nothing leads back to where as many characters are left.
        let bounded = Horizon { length, loops: ByteSet::EMPTY, needed: Default::default(), ..horizon };
        (length >= ENOUGH).then_some(bounded)
    }

    /// The characters of ASCII that are written as they are and go on from a language.
    fn written_directly(&mut self, term: TermId) -> ByteSet {
        let Ok(targets) = self.targets_of(term) else { return ByteSet::EMPTY };
        let mut all = ByteSet::EMPTY;
        for &(lo, hi, _) in targets.iter().take_while(|t| t.0 < 0x80) {
            all.insert_range(lo as u8, hi.min(0x7F) as u8);
        }
        let mut direct = ByteSet::range(b' ', 0x7F);
        direct = direct.difference(&[b'"', b'\\'].into_iter().collect());
        all.intersection(&direct)
    }
}

impl Paths for JsonMachine {
    type Place = TermId;

    fn begin(&mut self, term: TermId) -> Horizon {
        let Ok(targets) = self.targets_of(term) else { return Horizon::default() };
        let all = self.written_directly(term);
        let mut characters = first_bytes(&targets, |_| true);
        for &(lo, hi, to) in targets.iter().take_while(|t| t.0 < 0x80) {
            let after = if to == term { all } else { self.written_directly(to) };
            if after.intersection(&all).len() * 2 >= all.len() {
                let by = ByteSet::range(lo as u8, hi.min(0x7F) as u8);
                characters = characters.union(&by.intersection(&all));
            }
        }
        Horizon { characters, loops: self.loops(term), ..Horizon::default() }
    }

    fn loops(&mut self, term: TermId) -> ByteSet {
        self.targets_of(term).map_or(ByteSet::EMPTY, |targets| first_bytes(&targets, |to| to == term))
    }

    fn step(&mut self, term: TermId, characters: &ByteSet, out: &mut Vec<(ByteSet, TermId)>) -> ByteSet {
        let Ok(targets) = self.targets_of(term) else { return *characters };
        let mut found = first_bytes(&targets, |_| true);
        for &(lo, hi, to) in targets.iter() {
            if lo < 0x80 {
                found.insert_range(lo as u8, hi.min(0x7F) as u8);
            }
            let by = ByteSet::range(first_byte(lo), first_byte(hi)).intersection(characters);
            match out.last_mut() {
                _ if by.is_empty() => {}
                Some((others, last)) if *last == to => *others = others.union(&by),
                _ => out.push((by, to)),
            }
        }
        characters.difference(&found)
    }

    fn alphabet(&mut self, term: TermId) -> Option<ByteSet> {
        let mut bytes = ByteSet::EMPTY;
        for &(lo, hi) in self.engine.regular.alphabet(term).ranges() {
            // Control characters are written as escapes.
            bytes.insert_range(first_byte(lo.max(0x20)), first_byte(hi));
        }
        bytes.insert(b'"');
        bytes.insert(b'\\');
        Some(bytes)
    }

    fn is_within(&self, term: TermId, other: TermId) -> bool {
        self.engine.regular.is_within(term, other)
    }
}

/// The first bytes beyond ASCII all of whose characters lead to places of a kind.
fn first_bytes(targets: &[(u32, u32, TermId)], is_taken: impl Fn(TermId) -> bool) -> ByteSet {
    let mut bytes = ByteSet::range(LEADS.0, LEADS.1);
    let mut give_up = |lo, hi| bytes = bytes.difference(&ByteSet::range(first_byte(lo), first_byte(hi)));
    for (lo, hi) in OTHERS {
        let mut at = lo;
        let within = targets[targets.partition_point(|t| t.1 < lo)..].iter().take_while(|t| t.0 <= hi);
        for &(from, to, _) in within.filter(|&&(.., target)| is_taken(target)) {
            if from > at {
                give_up(at, from - 1);
            }
            at = to + 1;
        }
        if at <= hi {
            give_up(at, hi);
        }
    }
    bytes
}
