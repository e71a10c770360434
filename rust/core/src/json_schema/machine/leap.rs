//! Along names, without the states between.
//!
//! A name is written a token at a time, and what lies between its tokens is of no use to anyone: only where the text of a token
//! leads to is made.

use super::{Branch, InObject, JsonMachine, Kind, Local};
use crate::automaton::Leap;
use crate::error::Result;
use crate::json_schema::spell::Spell;
use crate::regular::TermId;
use std::cmp::Ordering;

impl JsonMachine {
    /// See [`crate::automaton::Machine::leap`].
    pub(super) fn leap_of(&mut self, rule: u32, local: Local, text: &[u8]) -> Result<Leap> {
        match (&self.kinds[rule as usize], local) {
            (&Kind::Object(plan, _), Local::Object(core, InObject::Name(Spell::Char(branch)), gap_read)) => {
                let Some(after) = self.branch_after(plan, branch, text) else { return Ok(Leap::Nowhere) };
                if !self.has_open_name(core, after.lo, after.hi)? {
                    return Ok(Leap::Nowhere);
                }
                let name = InObject::Name(Spell::Char(after));
                Ok(Leap::To(self.state(rule, Local::Object(core, name, gap_read))))
            }
            (&Kind::Name(_, plan), Local::Name(Spell::Char((term, branch)))) => {
                let term = self.term_after(term, text);
                let after = plan.zip(branch).and_then(|(plan, branch)| self.branch_after(plan, branch, text));
                let is_free = match plan.zip(after) {
                    Some((plan, branch)) => self.has_free_name(plan, term, branch)?,
                    None => self.engine.has_string(term)?,
                };
                match is_free {
                    true => Ok(Leap::To(self.state(rule, Local::Name(Spell::Char((term, after)))))),
                    false => Ok(Leap::Nowhere),
                }
            }
            _ => Ok(Leap::Unknown),
        }
    }

    /// The declared names of a branch that go on with a text.
    fn branch_after(&self, plan: u32, branch: Branch, text: &[u8]) -> Option<Branch> {
        let names = &self.plans[plan as usize].sorted[branch.lo as usize..branch.hi as usize];
        let wanted: Vec<char> = text.iter().map(|&byte| char::from(byte)).collect();
        let begins = |name: &[char]| {
            let rest = &name[branch.depth as usize..];
            rest[..rest.len().min(wanted.len())].cmp(&wanted)
        };
        let lo = names.partition_point(|(name, _)| begins(name) == Ordering::Less);
        let hi = lo + names[lo..].partition_point(|(name, _)| begins(name) == Ordering::Equal);
        let depth = branch.depth + text.len() as u32;
        (lo < hi).then_some(Branch { lo: branch.lo + lo as u32, hi: branch.lo + hi as u32, depth })
    }

    fn term_after(&mut self, term: TermId, text: &[u8]) -> TermId {
        let regular = &mut self.engine.regular;
        if term == regular.everything() {
            return term;
        }
        text.iter().fold(term, |term, &byte| regular.derivative(term, byte.into()))
    }
}
