//! Which names may come next in an object.
//!
//! Where what is written decides that (choices, clauses), each name is a search of its own: so it is made for those names alone that
//! are asked for, and where one of several is enough, for as many as it takes to find one.

use super::{Core, JsonMachine};
use crate::error::Result;
use crate::json_schema::plan::Key;
use std::sync::Arc;

/// Whether each declared name may come next, by its place in the sorted list, and each class, as far as that was asked.
#[derive(Debug)]
pub(super) struct Open {
    names: Vec<Option<bool>>,
    classes: Vec<Option<bool>>,
}

impl JsonMachine {
    /// Whether any name may come.
    pub(super) fn has_open(&mut self, core: u32) -> Result<bool> {
        let names = self.names_of(core);
        if self.has_open_name(core, 0, names)? {
            return Ok(true);
        }
        for class in 0..self.classes_of(core) {
            if self.is_open_class(core, class)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether one of some declared names may come, by their places in the sorted list.
    pub(super) fn has_open_name(&mut self, core: u32, lo: u32, hi: u32) -> Result<bool> {
        let known = &self.open(core).names[lo as usize..hi as usize];
        if known.contains(&Some(true)) {
            return Ok(true);
        }
        for place in lo..hi {
            if self.is_open_name(core, place as usize)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a declared name may come, by its place in the sorted list.
    pub(super) fn is_open_name(&mut self, core: u32, place: usize) -> Result<bool> {
        if let Some(known) = self.open(core).names[place] {
            return Ok(known);
        }
        let Core { plan, ref progress, .. } = self.cores[core as usize];
        let (planned, progress) = (Arc::clone(&self.plans[plan as usize]), progress.clone());
        let index = planned.sorted[place].1;
        let is_open = match progress {
            None => self.engine.is_inhabited(planned.plan.goal(Key::Declared(index)))?,
            Some(progress) if !planned.plan.is_open(&progress, index as usize) => false,
            Some(_) if self.engine.is_free(&planned.plan) => {
                let all = self.core(plan, None);
                self.is_open_name(all, place)?
            }
            Some(progress) => self.engine.has_option(&planned.plan, &progress, Key::Declared(index))?,
        };
        self.open(core).names[place] = Some(is_open);
        Ok(is_open)
    }

    /// Whether a free name of a class may come.
    pub(super) fn is_open_class(&mut self, core: u32, class: usize) -> Result<bool> {
        if let Some(known) = self.open(core).classes[class] {
            return Ok(known);
        }
        let Core { plan, ref progress, .. } = self.cores[core as usize];
        let (planned, progress) = (Arc::clone(&self.plans[plan as usize]), progress.clone());
        let key = Key::Class(class as u32);
        let is_open = match progress {
            None => self.engine.is_inhabited(planned.plan.goal(key))?,
            Some(_) if self.engine.is_free(&planned.plan) => {
                let all = self.core(plan, None);
                self.is_open_class(all, class)?
            }
            Some(progress) => self.engine.has_option(&planned.plan, &progress, key)?,
        };
        self.open(core).classes[class] = Some(is_open);
        Ok(is_open)
    }

    /// The same of every declared name, and then of every class.
    pub(super) fn all_open(&mut self, core: u32) -> Result<Vec<bool>> {
        let Core { plan, ref progress, .. } = self.cores[core as usize];
        let (planned, progress) = (Arc::clone(&self.plans[plan as usize]), progress.clone());
        // What is asked of all progresses alike is asked once.
        let progress = progress.filter(|_| self.engine.is_free(&planned.plan));
        let of = if progress.is_some() { self.core(plan, None) } else { core };
        let mut open = Vec::with_capacity(planned.sorted.len() + planned.plan.classes.len());
        for (place, &(_, index)) in planned.sorted.iter().enumerate() {
            let may_come =
                progress.as_ref().is_none_or(|progress| planned.plan.is_open(progress, index as usize));
            open.push(may_come && self.is_open_name(of, place)?);
        }
        for class in 0..planned.plan.classes.len() {
            open.push(self.is_open_class(of, class)?);
        }
        Ok(open)
    }

    /// How many classes of free names there are.
    pub(super) fn classes_of(&self, core: u32) -> usize {
        self.plans[self.cores[core as usize].plan as usize].plan.classes.len()
    }

    fn names_of(&self, core: u32) -> u32 {
        self.plans[self.cores[core as usize].plan as usize].sorted.len() as u32
    }

    /// What is known so far.
    fn open(&mut self, core: u32) -> &mut Open {
        let (names, classes) = (self.names_of(core) as usize, self.classes_of(core));
        let open = &mut self.cores[core as usize].open;
        open.get_or_insert_with(|| Open { names: vec![None; names], classes: vec![None; classes] })
    }
}
