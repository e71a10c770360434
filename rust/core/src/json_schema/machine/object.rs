//! Objects.
//!
//! The states of an object know its *core*: the plan, and what is written. Where a plan is uniform ([`Plan::is_uniform`]) there is one
//! core for all that can be written, as if every name might come at any time, and what is written is carried beside the
//! states, past guards ([`crate::automaton::Progresses`]); keys are the declared names' places in the sorted list, then the classes.

use super::layout::Place;
use super::states::room_in_object;
use super::{Branch, Core, InObject, JsonMachine, Kind, Local, Planned};
use crate::automaton::{Guard, MachineEdges, Progress as Carried, Spelled, Texts};
use crate::error::Result;
use crate::json_schema::engine::Engine;
use crate::json_schema::goal::GoalId;
use crate::json_schema::plan::{Key, Progress};
use crate::json_schema::shape::Obj;
use crate::json_schema::spell::{self, Spell};
use crate::regular::TermId;
use std::sync::Arc;

impl JsonMachine {
    /// The number of an object's plan.
    pub(super) fn planned(&mut self, obj: &Obj) -> Result<u32> {
        if let Some(known) = self.plans.get_index_of(obj) {
            return Ok(known as u32);
        }
        let plan = self.engine.plan(obj)?;
        let mut sorted: Vec<(Vec<char>, u32)> =
            plan.names.iter().enumerate().map(|(i, name)| (name.chars().collect(), i as u32)).collect();
        sorted.sort();
        let mut places = vec![0; sorted.len()];
        sorted.iter().zip(0..).for_each(|(&(_, index), place)| places[index as usize] = place);
        let start = plan.start();
        // A layout that is fixed writes an empty object without a gap, which depends on what may come.
        let is_carried = plan.is_uniform(self.engine.options.any_order) && !self.is_fixed();
        let quoted = |(name, _): &(Vec<char>, u32)| plain_rest(name).unwrap_or_default().into();
        let texts = Arc::new(Texts::new(sorted.iter().map(quoted)));
        let carried = is_carried.then(Arc::default);
        let planned = Planned { plan, sorted, places, carried, texts };
        let number = self.plans.insert_full(obj.clone(), Arc::new(planned)).0 as u32;
        if is_carried {
            let core = self.core(number, Some(start));
            self.carry(core, None)?;
        }
        Ok(number)
    }

    /// What a core's progress is carried as. Where each name may come that did not come before, that is what it was `before`, without the
    /// key of the name that came.
    fn carry(&mut self, core: u32, before: Option<(u32, Option<u32>)>) -> Result<u32> {
        if let Some(known) = self.cores[core as usize].number {
            return Ok(known);
        }
        let planned = Arc::clone(&self.plans[self.cores[core as usize].plan as usize]);
        let Some(progresses) = &planned.carried else { return Ok(0) };
        let may_end = self.may_end(core);
        let carried = match before.filter(|_| self.engine.is_free(&planned.plan)) {
            Some((before, key)) => progresses.get(before).without(key, may_end, core),
            None => Carried::new(self.all_open(core)?.into_iter(), may_end, core),
        };
        // What is asked name by name says the same.
        #[cfg(test)]
        assert_eq!(carried, Carried::new(self.all_open(core)?.into_iter(), may_end, core));
        let number = progresses.add(carried);
        self.cores[core as usize].number = Some(number);
        Ok(number)
    }

    /// What is written once the name has ended that ends at a state.
    pub(super) fn written_after(&mut self, state: u32, number: u32) -> Result<u32> {
        let (rule, local) = self.locals[state as usize];
        let (&Kind::Object(plan, _), Local::Object(_, InObject::NameEnd(key), _)) =
            (&self.kinds[rule as usize], local)
        else {
            return Ok(number);
        };
        let planned = Arc::clone(&self.plans[plan as usize]);
        let core = self.carried_core(plan, number);
        let Some(progress) = core.and_then(|core| self.cores[core as usize].progress.as_ref()) else {
            return Ok(number);
        };
        match planned.plan.after(progress, key, self.engine.options.any_order) {
            Some(after) => {
                let core = self.core(plan, Some(after));
                let key = match key {
                    Key::Declared(index) => Some(planned.places[index as usize]),
                    Key::Class(_) => None,
                };
                self.carry(core, Some((number, key)))
            }
            None => Ok(number),
        }
    }

    /// The core that a number stands for, where a plan's are carried.
    pub(super) fn carried_core(&self, plan: u32, number: u32) -> Option<u32> {
        let progresses = self.plans[plan as usize].carried.as_ref()?;
        Some(progresses.get(number).core)
    }

    /// What a state of an object asks of what is carried.
    pub(super) fn guard(&self, rule: u32, local: Local) -> Guard {
        let Kind::Object(plan, _) = self.kinds[rule as usize] else { return Guard::None };
        let planned = &self.plans[plan as usize];
        let Some(progresses) = &planned.carried else { return Guard::None };
        match local {
            Local::End => Guard::End,
            Local::Object(_, InObject::Member, false) => Guard::Any,
            Local::Object(_, InObject::NameEnd(Key::Class(class)), false) => {
                Guard::Take(planned.sorted.len() as u32 + class)
            }
            Local::Object(_, InObject::NameEnd(Key::Declared(index)), false) => {
                Guard::Take(planned.places[index as usize])
            }
            Local::Object(_, InObject::Name(Spell::Char(branch)), _) if branch == self.whole(plan) => {
                Guard::Any
            }
            Local::Object(_, InObject::Name(Spell::Char(branch)), _) => Guard::Keys(branch.lo, branch.hi),
            Local::Object(_, InObject::Name(state), _) => {
                let targets = spell::targets(singles(self.children(plan, spell::automaton_state(state))));
                let after = spell::after_character(state, &targets, true);
                Guard::Ranges(progresses.add_ranges(after.iter().map(|b| (b.lo, b.hi)).collect()))
            }
            _ => Guard::None,
        }
    }

    /// The branch of all declared names.
    pub(super) fn whole(&self, plan: u32) -> Branch {
        Branch { lo: 0, hi: self.plans[plan as usize].sorted.len() as u32, depth: 0 }
    }

    /// The place in the sorted list of the name that ends at a branch.
    pub(super) fn declared(&self, plan: u32, branch: Branch) -> Option<usize> {
        let (name, _) = self.plans[plan as usize].sorted.get(branch.lo as usize)?;
        (branch.lo < branch.hi && name.len() == branch.depth as usize).then_some(branch.lo as usize)
    }

    /// The next characters at a branch.
    pub(super) fn children(&self, plan: u32, branch: Branch) -> Vec<(char, Branch)> {
        let sorted = &self.plans[plan as usize].sorted;
        let depth = branch.depth as usize;
        let mut out: Vec<(char, Branch)> = Vec::new();
        for at in branch.lo..branch.hi {
            let Some(&c) = sorted[at as usize].0.get(depth) else { continue };
            match out.last_mut() {
                Some((last, child)) if *last == c => child.hi = at + 1,
                _ => out.push((c, Branch { lo: at, hi: at + 1, depth: branch.depth + 1 })),
            }
        }
        out
    }

    /// The number of a core; without a progress, that of all progresses of a plan that are carried.
    pub(super) fn core(&mut self, plan: u32, progress: Option<Progress>) -> u32 {
        let next = self.cores.len() as u32;
        let core = *self.core_ids.entry((plan, progress.clone())).or_insert(next);
        if core == next {
            self.cores.push(Core { plan, progress, open: None, number: None });
        }
        core
    }

    fn may_end(&self, core: u32) -> bool {
        let Core { plan, ref progress, .. } = self.cores[core as usize];
        progress.as_ref().is_none_or(|progress| self.plans[plan as usize].plan.may_end(progress))
    }

    /// What the value of a name satisfies, where the name counts as written.
    fn only_value(&self, core: u32, key: Key) -> Option<GoalId> {
        let Core { plan, ref progress, .. } = self.cores[core as usize];
        progress.is_none().then(|| self.plans[plan as usize].plan.goal(key))
    }

    /// The ways to read the value of a name otherwise, each with the core after it.
    fn values_of(&mut self, core: u32, key: Key) -> Result<Vec<(GoalId, u32)>> {
        let Core { plan, ref progress, .. } = self.cores[core as usize];
        let (planned, progress) = (Arc::clone(&self.plans[plan as usize]), progress.clone());
        let Some(progress) = progress else { return Ok(Vec::new()) };
        let options = self.engine.options(&planned.plan, &progress, key)?;
        Ok(options.into_iter().map(|(goal, after)| (goal, self.core(plan, Some(after)))).collect())
    }

    /// What is left of the declared names at a branch, with the closing quote: all that free names lack of those of a language. `None` if
    /// they can be spelled in several ways, or if something is lacking sooner, since free names do not go on.
    pub(super) fn declared_rests(&mut self, plan: u32, term: TermId, branch: Branch) -> Option<Vec<Vec<u8>>> {
        let planned = Arc::clone(&self.plans[plan as usize]);
        let rests = planned.sorted[branch.lo as usize..branch.hi as usize].iter();
        let rests = rests.map(|(name, _)| &name[branch.depth as usize..]);
        for rest in rests.clone() {
            if !self.goes_on_after(term, rest).ok()? {
                return None;
            }
        }
        rests.map(plain_rest).collect()
    }

    /// Whether a text of a language is none, or can go on. If none of a prefix of declared names goes on to a free name, the longest of the
    /// declared ones that it goes on to does not go on.
    fn goes_on_after(&mut self, term: TermId, text: &[char]) -> Result<bool> {
        let Engine { regular, budget, .. } = &mut self.engine;
        if term == regular.everything() {
            return Ok(true);
        }
        let after = text.iter().fold(term, |term, &c| regular.derivative(term, u32::from(c)));
        if !regular.is_nullable(after) {
            return Ok(true);
        }
        let (any, everything) = (regular.any(), regular.everything());
        let longer = regular.concat(any, everything);
        let rest = regular.and([after, longer]);
        regular.is_inhabited(rest, budget)
    }

    /// The names that a state of an object spells, if each is spelled in one way.
    pub(super) fn spelled(&self, rule: u32, local: Local) -> Option<Spelled> {
        let Kind::Object(plan, _) = self.kinds[rule as usize] else { return None };
        let Local::Object(_, InObject::Name(Spell::Char(branch)), _) = local else { return None };
        let Planned { plan, texts, .. } = &*self.plans[plan as usize];
        let Branch { lo, hi, depth } = branch;
        let room = room_in_object(plan);
        (lo..hi).all(|place| !texts.of(place).is_empty()).then_some(Spelled { lo, hi, depth, room })
    }

    /// Whether one of some declared names may come at a state that spells them.
    pub(super) fn has_name(&mut self, state: u32, (lo, hi): (u32, u32)) -> Result<bool> {
        match self.locals[state as usize] {
            (_, Local::Object(core, ..)) => self.has_open_name(core, lo, hi),
            _ => Ok(false),
        }
    }

    /// Where a name leads to from a state that spells it.
    pub(super) fn end_of_name(&mut self, state: u32, place: u32) -> Option<u32> {
        let (rule, local) = self.locals[state as usize];
        let Kind::Object(plan, _) = self.kinds[rule as usize] else { return None };
        let Local::Object(core, InObject::Name(_), _) = local else { return None };
        let key = Key::Declared(self.plans[plan as usize].sorted[place as usize].1);
        Some(self.state(rule, Local::Object(core, InObject::NameEnd(key), false)))
    }

    pub(super) fn object(&mut self, rule: u32, plan: u32, depth: u32, local: Local) -> Result<MachineEdges> {
        let Local::Object(core, at, gap_read) = local else {
            let planned = &self.plans[plan as usize];
            let start = planned.carried.is_none().then(|| planned.plan.start());
            let core = self.core(plan, start);
            return Ok(self.bytes(rule, &[(b"{", Local::Object(core, InObject::Open, false))]));
        };
        if !gap_read {
            return self.before_gap(rule, depth, core, at);
        }
        let may_end = self.may_end(core);
        match at {
            InObject::Open | InObject::Member => {
                let mut edges = MachineEdges::default();
                if self.has_open(core)? {
                    let name = InObject::Name(Spell::Char(self.whole(plan)));
                    edges = self.bytes(rule, &[(b"\"", Local::Object(core, name, true))]);
                }
                if at == InObject::Open && may_end && !self.is_fixed() {
                    edges.bytes.extend(self.bytes(rule, &[(b"}", Local::End)]).bytes);
                }
                Ok(edges)
            }
            InObject::Name(state) => self.declared_name(rule, plan, core, state),
            // What comes past the whitespace after a name is known by its value.
            InObject::NameEnd(_) => Ok(MachineEdges::default()),
            InObject::BeforeColon(key) => {
                Ok(self.bytes(rule, &[(b":", Local::Object(core, InObject::Colon(key), false))]))
            }
            InObject::Colon(key) => {
                let depth = self.layout.deeper(depth);
                let mut edges = MachineEdges::default();
                for (goal, after) in self.values_of(core, key)? {
                    let value = self.value_rule(goal, depth)?;
                    edges.calls.push((value, self.state(rule, Local::Object(after, InObject::After, false))));
                }
                Ok(edges)
            }
            InObject::After | InObject::AfterComma | InObject::AfterClose => {
                let mut edges = MachineEdges::default();
                if at != InObject::AfterClose && self.has_open(core)? {
                    edges = self.bytes(rule, &[(b",", Local::Object(core, InObject::Member, false))]);
                }
                if at != InObject::AfterComma && may_end {
                    edges.bytes.extend(self.bytes(rule, &[(b"}", Local::End)]).bytes);
                }
                Ok(edges)
            }
        }
    }

    /// The edges of a place before its whitespace.
    fn before_gap(&mut self, rule: u32, depth: u32, core: u32, at: InObject) -> Result<MachineEdges> {
        let then = |at| Local::Object(core, at, true);
        match at {
            InObject::Open => {
                let mut edges = self.gapped(rule, Place::AfterOpen, depth, then(at))?;
                let may_end = self.may_end(core);
                if !self.has_open(core)? && self.is_fixed() {
                    edges = MachineEdges::default();
                }
                if may_end && self.is_fixed() {
                    edges.bytes.extend(self.bytes(rule, &[(b"}", Local::End)]).bytes);
                }
                Ok(edges)
            }
            InObject::Member => self.gapped(rule, Place::AfterComma, depth, then(at)),
            InObject::NameEnd(key) => match self.only_value(core, key) {
                Some(goal) => {
                    let member = self.member_rule(goal, depth)?;
                    let after = self.state(rule, Local::Object(core, InObject::After, false));
                    Ok(MachineEdges::call(member, after))
                }
                None => self.gapped(rule, Place::BeforeColon, depth, then(InObject::BeforeColon(key))),
            },
            InObject::Colon(_) => self.gapped(rule, Place::AfterColon, depth, then(at)),
            InObject::After if self.is_fixed() => {
                let mut edges = MachineEdges::default();
                for (place, at, allowed) in [
                    (Place::BeforeComma, InObject::AfterComma, self.has_open(core)?),
                    (Place::BeforeClose, InObject::AfterClose, self.may_end(core)),
                ] {
                    if allowed {
                        let more = self.gapped(rule, place, depth, then(at))?;
                        edges.bytes.extend(more.bytes);
                        edges.calls.extend(more.calls);
                    }
                }
                Ok(edges)
            }
            at => self.gapped(rule, Place::BeforeComma, depth, then(at)),
        }
    }

    /// Inside a name: the declared ones here, the free ones by calls at its beginning.
    fn declared_name(
        &mut self,
        rule: u32,
        plan: u32,
        core: u32,
        state: Spell<Branch>,
    ) -> Result<MachineEdges> {
        let branch = spell::automaton_state(state);
        let mut children = Vec::new();
        for (c, child) in self.children(plan, branch) {
            if self.has_open_name(core, child.lo, child.hi)? {
                children.push((c, child));
            }
        }
        let mut edges = MachineEdges::default();
        let name = |to| Local::Object(core, InObject::Name(to), true);
        if state == Spell::Char(branch) && children.iter().all(|&(c, _)| spell::is_pinned(u32::from(c))) {
            // Nearly all names: each character is one byte and is written directly.
            for (c, child) in children {
                edges.bytes.push((c as u8, c as u8, self.state(rule, name(Spell::Char(child)))));
            }
        } else {
            for (lo, hi, to) in spell::edges(state, &spell::targets(singles(children)), true) {
                edges.bytes.push((lo, hi, self.state(rule, name(to))));
            }
        }
        if state != Spell::Char(branch) {
            return Ok(edges);
        }
        let planned = Arc::clone(&self.plans[plan as usize]);
        if let Some(place) = self.declared(plan, branch)
            && self.is_open_name(core, place)?
        {
            let key = InObject::NameEnd(Key::Declared(planned.sorted[place].1));
            edges.bytes.extend(self.bytes(rule, &[(b"\"", Local::Object(core, key, false))]).bytes);
        }
        if branch == self.whole(plan) {
            for (index, class) in planned.plan.classes.iter().enumerate() {
                if !self.is_open_class(core, index)? {
                    continue;
                }
                let declared = (!planned.sorted.is_empty()).then_some(plan);
                let name = self.rule(Kind::Name(class.names, declared));
                let key = InObject::NameEnd(Key::Class(index as u32));
                edges.calls.push((name, self.state(rule, Local::Object(core, key, false))));
            }
        }
        Ok(edges)
    }
}

/// Branches by the character that leads to each.
fn singles(children: Vec<(char, Branch)>) -> impl Iterator<Item = (u32, u32, Branch)> {
    children.into_iter().map(|(c, child)| (u32::from(c), u32::from(c), child))
}

/// The end of a name, with the closing quote, if it is spelled in one way.
fn plain_rest(name: &[char]) -> Option<Vec<u8>> {
    let is_plain = name.iter().all(|&c| spell::is_pinned(u32::from(c)));
    is_plain.then(|| name.iter().map(|&c| c as u8).chain([b'"']).collect())
}
