//! Objects.

use super::layout::Place;
use super::{Branch, Core, InObject, JsonMachine, Kind, Local, Planned};
use crate::automaton::MachineEdges;
use crate::error::Result;
use crate::json_schema::plan::{Key, Progress};
use crate::json_schema::shape::Obj;
use crate::json_schema::spell::{self, Spell};
use crate::regular::CodeSet;
use std::sync::Arc;

impl JsonMachine {
    /// The number of an object's plan.
    pub(super) fn planned(&mut self, obj: &Obj) -> Result<u32> {
        if let Some(known) = self.plans.get_index_of(obj) {
            return Ok(known as u32);
        }
        let plan = self.engine.plan(obj)?;
        let mut sorted: Vec<(Vec<char>, u32)> =
            plan.names.iter().enumerate().map(|(i, d)| (d.name.chars().collect(), i as u32)).collect();
        sorted.sort();
        Ok(self.plans.insert_full(obj.clone(), Arc::new(Planned { plan, sorted })).0 as u32)
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

    fn core(&mut self, plan: u32, progress: Progress) -> u32 {
        let next = self.cores.len() as u32;
        let core = *self.core_ids.entry((plan, progress.clone())).or_insert(next);
        if core == next {
            self.cores.push(Core { plan, progress, open: None });
        }
        core
    }

    /// Which names may come next: declared ones by their place in the sorted list, and classes.
    pub(super) fn open(&mut self, core: u32) -> Result<Arc<(Vec<bool>, Vec<bool>)>> {
        let Core { plan, ref progress, ref open } = self.cores[core as usize];
        if let Some(open) = open {
            return Ok(Arc::clone(open));
        }
        let (planned, progress) = (Arc::clone(&self.plans[plan as usize]), progress.clone());
        let mut names = vec![false; planned.sorted.len()];
        for (place, &(_, index)) in planned.sorted.iter().enumerate() {
            if planned.plan.is_open(&progress, index as usize) {
                let options = self.engine.options(&planned.plan, &progress, Key::Declared(index))?;
                names[place] = !options.is_empty();
            }
        }
        let mut classes = Vec::new();
        for index in 0..planned.plan.classes.len() as u32 {
            classes.push(!self.engine.options(&planned.plan, &progress, Key::Class(index))?.is_empty());
        }
        let open = Arc::new((names, classes));
        self.cores[core as usize].open = Some(Arc::clone(&open));
        Ok(open)
    }

    pub(super) fn object(&mut self, rule: u32, plan: u32, depth: u32, local: Local) -> Result<MachineEdges> {
        let Local::Object(core, at, gap_read) = local else {
            let progress = self.plans[plan as usize].plan.start();
            let core = self.core(plan, progress);
            return Ok(self.bytes(rule, &[(b"{", Local::Object(core, InObject::Open, false))]));
        };
        if !gap_read {
            return self.before_gap(rule, depth, core, at);
        }
        let planned = Arc::clone(&self.plans[plan as usize]);
        let may_end = planned.plan.may_end(&self.cores[core as usize].progress);
        match at {
            InObject::Open | InObject::Member => {
                let open = self.open(core)?;
                let mut edges = MachineEdges::default();
                if open.0.iter().chain(&open.1).any(|&open| open) {
                    let name = InObject::Name(Spell::Char(self.whole(plan)));
                    edges = self.bytes(rule, &[(b"\"", Local::Object(core, name, true))]);
                }
                if at == InObject::Open && may_end && !self.is_fixed() {
                    edges.bytes.extend(self.bytes(rule, &[(b"}", Local::End)]).bytes);
                }
                Ok(edges)
            }
            InObject::Name(state) => self.declared_name(rule, plan, core, state),
            InObject::NameEnd(key) => {
                Ok(self.bytes(rule, &[(b":", Local::Object(core, InObject::Colon(key), false))]))
            }
            InObject::Colon(key) => {
                let progress = self.cores[core as usize].progress.clone();
                let depth = self.layout.deeper(depth);
                let mut edges = MachineEdges::default();
                for (goal, after) in self.engine.options(&planned.plan, &progress, key)? {
                    let after = self.core(plan, after);
                    let value = self.rule(Kind::Value(goal, depth));
                    edges.calls.push((value, self.state(rule, Local::Object(after, InObject::After, false))));
                }
                Ok(edges)
            }
            InObject::After | InObject::AfterComma | InObject::AfterClose => {
                let mut edges = MachineEdges::default();
                let open = self.open(core)?;
                if at != InObject::AfterClose && open.0.iter().chain(&open.1).any(|&open| open) {
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
        let plan = self.cores[core as usize].plan;
        match at {
            InObject::Open => {
                let mut edges = self.gapped(rule, Place::AfterOpen, depth, then(at))?;
                let may_end = self.plans[plan as usize].plan.may_end(&self.cores[core as usize].progress);
                let open = self.open(core)?;
                if !open.0.iter().chain(&open.1).any(|&open| open) && self.is_fixed() {
                    edges = MachineEdges::default();
                }
                if may_end && self.is_fixed() {
                    edges.bytes.extend(self.bytes(rule, &[(b"}", Local::End)]).bytes);
                }
                Ok(edges)
            }
            InObject::Member => self.gapped(rule, Place::AfterComma, depth, then(at)),
            InObject::NameEnd(_) => self.gapped(rule, Place::BeforeColon, depth, then(at)),
            InObject::Colon(_) => self.gapped(rule, Place::AfterColon, depth, then(at)),
            InObject::After if self.is_fixed() => {
                let may_end = self.plans[plan as usize].plan.may_end(&self.cores[core as usize].progress);
                let open = self.open(core)?;
                let mut edges = MachineEdges::default();
                for (place, at, allowed) in [
                    (
                        Place::BeforeComma,
                        InObject::AfterComma,
                        open.0.iter().chain(&open.1).any(|&open| open),
                    ),
                    (Place::BeforeClose, InObject::AfterClose, may_end),
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
        let open = self.open(core)?;
        let mut children = self.children(plan, branch);
        children.retain(|(_, child)| open.0[child.lo as usize..child.hi as usize].contains(&true));
        let mut edges = MachineEdges::default();
        let name = |to| Local::Object(core, InObject::Name(to), true);
        if state == Spell::Char(branch) && children.iter().all(|&(c, _)| spell::is_pinned(u32::from(c))) {
            // Nearly all names: each character is one byte and is written directly.
            for (c, child) in children {
                edges.bytes.push((c as u8, c as u8, self.state(rule, name(Spell::Char(child)))));
            }
        } else {
            let single = |(c, child)| (CodeSet::single(u32::from(c)), child);
            let classes: Vec<(CodeSet, Branch)> = children.into_iter().map(single).collect();
            for (lo, hi, to) in spell::edges(state, &spell::targets(&classes), true) {
                edges.bytes.push((lo, hi, self.state(rule, name(to))));
            }
        }
        if state != Spell::Char(branch) {
            return Ok(edges);
        }
        let planned = Arc::clone(&self.plans[plan as usize]);
        if let Some(place) = self.declared(plan, branch).filter(|&place| open.0[place]) {
            let key = InObject::NameEnd(Key::Declared(planned.sorted[place].1));
            edges.bytes.extend(self.bytes(rule, &[(b"\"", Local::Object(core, key, false))]).bytes);
        }
        if branch == self.whole(plan) {
            for (index, class) in planned.plan.classes.iter().enumerate().filter(|&(index, _)| open.1[index])
            {
                let declared = (!planned.sorted.is_empty()).then_some(plan);
                let name = self.rule(Kind::Name(class.names, declared));
                let key = InObject::NameEnd(Key::Class(index as u32));
                edges.calls.push((name, self.state(rule, Local::Object(core, key, false))));
            }
        }
        Ok(edges)
    }
}
