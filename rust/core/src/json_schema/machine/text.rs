//! Strings and free names.

use super::{Branch, FreeEdges, JsonMachine, Kind, Local, PlainEdges};
use crate::automaton::MachineEdges;
use crate::error::Result;
use crate::json_schema::shape::Strings;
use crate::json_schema::spell::{self, Spell, Targets};
use crate::regular::{self, CodeSet, TermId};
use std::sync::Arc;

/// Lengths up to here are told apart by states, without a counter.
const SMALL_LENGTH: u32 = 2;

impl JsonMachine {
    /// Where a language goes on each code point.
    pub(super) fn targets_of(&mut self, term: TermId) -> Result<Targets<TermId>> {
        if let Some(known) = self.targets.get(&term) {
            return Ok(Arc::clone(known));
        }
        let mut inhabited = regular::Targets::new();
        for target in self.engine.regular.targets(term) {
            if self.engine.has_string(target.2)? {
                inhabited.push(target);
            }
        }
        let targets: Targets<TermId> = Arc::from(&inhabited[..]);
        self.targets.insert(term, Arc::clone(&targets));
        Ok(targets)
    }

    pub(super) fn string(&mut self, rule: u32, strings: Strings, local: Local) -> Result<MachineEdges> {
        let term = strings.term;
        // A length alone is counted: a state for each count would be a mask for each count.
        let counted = self.engine.regular.as_lengths(term);
        let counted = counted.filter(|&(min, max)| max.is_some() || min > SMALL_LENGTH);
        match (local, counted) {
            (Local::Start, None) => Ok(self.bytes(rule, &[(b"\"", Local::Spell(Spell::Char(term)))])),
            (Local::Start, Some(_)) => Ok(self.bytes(rule, &[(b"\"", Local::Count(false))])),
            (Local::Count(false), Some((min, max))) => {
                let mut edges = MachineEdges::default();
                if min == 0 {
                    edges = self.bytes(rule, &[(b"\"", Local::End)]);
                }
                let chars = self.rule(Kind::Chars(min.max(1), max));
                edges.calls.push((chars, self.state(rule, Local::Count(true))));
                Ok(edges)
            }
            (Local::Count(_), _) => Ok(self.bytes(rule, &[(b"\"", Local::End)])),
            (Local::Spell(state), _) => self.spell(rule, state, strings.pinned),
            _ => Ok(MachineEdges::default()),
        }
    }

    /// A state inside the characters of a string.
    pub(super) fn spell(&mut self, rule: u32, state: Spell<TermId>, pinned: bool) -> Result<MachineEdges> {
        let term = spell::automaton_state(state);
        let targets = self.targets_of(term)?;
        let spelled = spell::edges(state, &targets, pinned);
        let mut edges = MachineEdges::default();
        edges.bytes.reserve(spelled.len() + 1);
        for (lo, hi, to) in spelled {
            edges.bytes.push((lo, hi, self.state(rule, Local::Spell(to))));
        }
        if state == Spell::Char(term) && self.engine.regular.is_nullable(term) {
            edges.bytes.push((b'"', b'"', self.state(rule, Local::End)));
        }
        Ok(edges)
    }

    /// A state inside a free name and its closing quote.
    pub(super) fn name(
        &mut self,
        rule: u32,
        plan: Option<u32>,
        state: Spell<(TermId, Option<Branch>)>,
    ) -> Result<MachineEdges> {
        let (term, branch) = spell::automaton_state(state);
        let declared = plan.zip(branch);
        let is_between = state == Spell::Char((term, branch));
        let is_plain = |(c, _): &(char, Branch)| spell::is_pinned(u32::from(*c));
        let children = declared.map(|(plan, branch)| self.children(plan, branch)).unwrap_or_default();
        let mut edges = MachineEdges::default();
        if is_between && children.iter().all(is_plain) {
            edges.bytes = self.beside_children(rule, plan, (term, branch), children)?.into();
        } else {
            let plain = self.targets_of(term)?;
            let targets: Targets<(TermId, Option<Branch>)> = match declared {
                None => plain.iter().map(|&(lo, hi, to)| (lo, hi, (to, None))).collect(),
                Some((plan, branch)) => self.branching(plan, branch, &plain)?,
            };
            for (lo, hi, to) in spell::edges(state, &targets, false) {
                edges.bytes.push((lo, hi, self.state(rule, Local::Name(to))));
            }
        }
        let is_declared = declared.is_some_and(|(plan, branch)| self.declared(plan, branch).is_some());
        if is_between && self.engine.regular.is_nullable(term) && !is_declared {
            edges.bytes.push((b'"', b'"', self.state(rule, Local::End)));
        }
        Ok(edges)
    }

    /// The edges of a state between two characters, with no thought of declared names.
    fn plain_edges(&mut self, term: TermId) -> Result<PlainEdges> {
        if let Some(known) = self.plain_edges.get(&term) {
            return Ok(Arc::clone(known));
        }
        let targets = self.targets_of(term)?;
        let edges: Arc<[_]> = spell::edges(Spell::Char(term), &targets, false).into();
        self.plain_edges.insert(term, Arc::clone(&edges));
        Ok(edges)
    }

    /// The same with the states that they lead to in a rule of names.
    fn free_edges(&mut self, rule: u32, term: TermId) -> Result<FreeEdges> {
        if let Some(known) = self.free_edges.get(&(rule, term)) {
            return Ok(Arc::clone(known));
        }
        let mut edges = Vec::new();
        for &(lo, hi, to) in self.plain_edges(term)?.iter() {
            edges.push((lo, hi, to, self.state(rule, Local::Name(to.map(|term| (term, None))))));
        }
        let edges: FreeEdges = edges.into();
        self.free_edges.insert((rule, term), Arc::clone(&edges));
        Ok(edges)
    }

    /// The edges between two characters where each declared name that may go on does so by one byte: the plain ones, cut there.
    fn beside_children(
        &mut self,
        rule: u32,
        plan: Option<u32>,
        (term, branch): (TermId, Option<Branch>),
        children: Vec<(char, Branch)>,
    ) -> Result<Vec<(u8, u8, u32)>> {
        let free = self.free_edges(rule, term)?;
        let mut out = Vec::with_capacity(free.len() + 2 * children.len());
        let mut children = children.into_iter().peekable();
        for &(lo, hi, to, free) in free.iter() {
            let plain = match to {
                Spell::Escape(term) => self.state(rule, Local::Name(Spell::Escape((term, branch)))),
                _ => free,
            };
            let mut from = lo;
            while let Some((c, child)) = children.next_if(|&(c, _)| c as u32 <= u32::from(hi)) {
                let byte = c as u8;
                if byte < lo {
                    continue;
                }
                if from < byte {
                    out.push((from, byte - 1, plain));
                }
                let after = spell::automaton_state(to);
                if let Some(plan) = plan
                    && self.has_free_name(plan, after, child)?
                {
                    out.push((byte, byte, self.state(rule, Local::Name(Spell::Char((after, Some(child)))))));
                }
                from = byte + 1;
            }
            if from <= hi {
                out.push((from, hi, plain));
            }
        }
        Ok(out)
    }

    /// Where a free name goes on each code point while it may still become a declared one.
    fn branching(
        &mut self,
        plan: u32,
        branch: Branch,
        plain: &[(u32, u32, TermId)],
    ) -> Result<Targets<(TermId, Option<Branch>)>> {
        let children = self.children(plan, branch);
        let inner = CodeSet::new(children.iter().map(|(c, _)| (u32::from(*c), u32::from(*c))));
        let mut ranges: Vec<(u32, u32, (TermId, Option<Branch>))> = Vec::new();
        for &(lo, hi, to) in plain {
            let others = CodeSet::new([(lo, hi)]).difference(&inner);
            ranges.extend(others.ranges().iter().map(|&(lo, hi)| (lo, hi, (to, None))));
            for &(c, child) in children.iter().filter(|(c, _)| (lo..=hi).contains(&u32::from(*c))) {
                if self.has_free_name(plan, to, child)? {
                    ranges.push((u32::from(c), u32::from(c), (to, Some(child))));
                }
            }
        }
        Ok(spell::targets(ranges))
    }

    /// Whether any text of a language is none of the declared rests.
    pub(super) fn has_free_name(&mut self, plan: u32, term: TermId, branch: Branch) -> Result<bool> {
        let everything = self.engine.regular.everything();
        if term == everything {
            return Ok(true);
        }
        let free = self.free_rests(plan, term, branch);
        self.engine.has_string(free)
    }

    /// The texts of a language that are none of the declared rests.
    pub(super) fn free_rests(&mut self, plan: u32, term: TermId, branch: Branch) -> TermId {
        let planned = Arc::clone(&self.plans[plan as usize]);
        let rests: Vec<String> = planned.sorted[branch.lo as usize..branch.hi as usize]
            .iter()
            .map(|(name, _)| name[branch.depth as usize..].iter().collect())
            .collect();
        let declared = self.engine.regular.words(rests.iter().map(String::as_str));
        let others = self.engine.regular.not(declared);
        self.engine.regular.and([term, others])
    }
}
