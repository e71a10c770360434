//! What follows a name: a colon and a value.
//!
//! A rule of its own, so that names whose values satisfy the same have their states in common. Most values are of few kinds, the same in
//! every schema ([`Plain`]): what may follow the names of these is split once for all schemas.

use super::layout::{Layout, Place};
use super::{InMember, JsonMachine, Kind, Local};
use crate::automaton::MachineEdges;
use crate::error::Result;
use crate::json_schema::content::Embedded;
use crate::json_schema::goal::{GoalId, Goals};
use crate::json_schema::number::Span;

/// All that is read after a name, where the value is any, or of simple types that nothing else is said of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Plain {
    null: bool,
    yes: bool,
    no: bool,
    strings: bool,
    numbers: PlainNumbers,
    /// Any array and object.
    containers: bool,
    /// The longest run of whitespace, if there is one.
    max_run: Option<u32>,
}

/// Common sets of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum PlainNumbers {
    None,
    From { least: Option<u32>, are_integers: bool },
}

impl Plain {
    /// A number for a state of such a rule, the same in every schema; `None` if runs of whitespace may be too long to be told.
    pub(super) fn signature(self, local: Local) -> Option<u32> {
        let Local::Member(at, gap_read) = local else { return None };
        let numbers = match self.numbers {
            PlainNumbers::None => 0,
            PlainNumbers::From { least, are_integers } => {
                1 + least.map_or(0, |least| least + 1) + 3 * u32::from(are_integers)
            }
        };
        let flags =
            [self.null, self.yes, self.no, self.strings, self.containers, gap_read, at == InMember::Start];
        let max_run =
            self.max_run.map_or(Some(0), |most| most.checked_add(1).filter(|&most| most < MAX_RUN))?;
        Some(flags.iter().fold(max_run * 8 + numbers, |all, &flag| all * 2 + u32::from(flag)))
    }
}

/// Runs of whitespace that signatures tell apart.
const MAX_RUN: u32 = 1 << 20;

impl JsonMachine {
    /// The rule of what follows a name whose value satisfies a goal.
    pub(super) fn member_rule(&mut self, goal: GoalId, depth: u32) -> Result<u32> {
        let same = self.same_value(goal)?;
        Ok(self.rule(Kind::Member(same, depth)))
    }

    /// What a goal allows, if it is plain.
    pub(super) fn plain(&mut self, goal: GoalId) -> Option<Plain> {
        let &Layout::Any(max_run) = &self.layout else { return None };
        let any = self.engine.shape(Goals::TRUE).ok()?;
        let shape = self.engine.shape(goal).ok()?;
        let strings = shape.strings == any.strings;
        let nothing = self.engine.regular.nothing();
        let has_strings = shape.strings.term != nothing || shape.strings.embedded != Embedded::default();
        let containers = shape.arrays == any.arrays && shape.objects == any.objects;
        let has_containers = !(shape.arrays.is_empty() && shape.objects.is_empty());
        if has_strings && !strings || has_containers && !containers {
            return None;
        }
        let numbers = match &shape.numbers.0[..] {
            [] => PlainNumbers::None,
            [span] => plain_numbers(span)?,
            _ => return None,
        };
        let (null, yes, no) = (shape.null, shape.yes, shape.no);
        Some(Plain { null, yes, no, strings, numbers, containers, max_run })
    }

    pub(super) fn member_edges(
        &mut self,
        rule: u32,
        goal: GoalId,
        depth: u32,
        at: InMember,
        gap_read: bool,
    ) -> Result<MachineEdges> {
        match (at, gap_read) {
            (InMember::Start, false) => self.gapped(rule, Place::BeforeColon, depth, Local::Member(at, true)),
            (InMember::Start, true) => {
                Ok(self.bytes(rule, &[(b":", Local::Member(InMember::AfterColon, false))]))
            }
            (InMember::AfterColon, false) => {
                self.gapped(rule, Place::AfterColon, depth, Local::Member(at, true))
            }
            (InMember::AfterColon, true) => {
                let value = self.value_rule(goal, self.layout.deeper(depth))?;
                Ok(MachineEdges::call(value, self.state(rule, Local::End)))
            }
        }
    }
}

/// Numbers or integers: all, those that are not negative, or those from one on.
fn plain_numbers(span: &Span) -> Option<PlainNumbers> {
    let least = match &span.lo {
        None => None,
        Some((least, true)) => Some(least.to_count().filter(|&least| least <= 1)?),
        Some((_, false)) => return None,
    };
    let are_integers = match &span.multiple {
        None => false,
        Some(unit) if unit.to_count() == Some(1) => true,
        Some(_) => return None,
    };
    let has_more = span.hi.is_some() || !span.not_multiples.is_empty() || span.plain;
    (!has_more).then_some(PlainNumbers::From { least, are_integers })
}
