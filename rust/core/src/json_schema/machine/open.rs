//! Which names may come next in an object.
//!
//! Where what is written decides that (choices, clauses), each name is a search of its own: so it is made for those names alone that
//! are asked for, and where one of several is enough, for as many as it takes to find one.

use super::{Core, JsonMachine};
use crate::error::Result;
use crate::json_schema::plan::Key;
use std::sync::Arc;

/// Whether each key may come next, as far as that was asked: the declared names by their places in the sorted list, then the classes.
pub(super) type Open = Vec<Option<bool>>;

impl JsonMachine {
    /// Whether any name may come.
    pub(super) fn has_open(&mut self, core: u32) -> Result<bool> {
        let keys = self.open(core).len();
        self.has_open_key(core, 0, keys)
    }

    /// Whether one of some declared names may come, by their places in the sorted list.
    pub(super) fn has_open_name(&mut self, core: u32, lo: u32, hi: u32) -> Result<bool> {
        self.has_open_key(core, lo as usize, hi as usize)
    }

    /// Whether a declared name may come, by its place in the sorted list.
    pub(super) fn is_open_name(&mut self, core: u32, place: usize) -> Result<bool> {
        self.is_open(core, place)
    }

    /// Whether a free name of a class may come.
    pub(super) fn is_open_class(&mut self, core: u32, class: usize) -> Result<bool> {
        let plan = self.cores[core as usize].plan;
        self.is_open(core, self.plans[plan as usize].sorted.len() + class)
    }

    /// Whether each key may come.
    pub(super) fn all_open(&mut self, core: u32) -> Result<Vec<bool>> {
        let Core { plan, ref progress, .. } = self.cores[core as usize];
        let (planned, progress) = (Arc::clone(&self.plans[plan as usize]), progress.clone());
        // What is asked of all progresses alike is asked once.
        let progress = progress.filter(|_| self.engine.is_free(&planned.plan));
        let of = if progress.is_some() { self.core(plan, None) } else { core };
        let keys = 0..self.open(of).len();
        keys.map(|key| {
            let name = progress.as_ref().zip(planned.sorted.get(key));
            let may_come =
                name.is_none_or(|(progress, &(_, index))| planned.plan.is_open(progress, index as usize));
            Ok(may_come && self.is_open(of, key)?)
        })
        .collect()
    }

    fn has_open_key(&mut self, core: u32, lo: usize, hi: usize) -> Result<bool> {
        if self.open(core)[lo..hi].contains(&Some(true)) {
            return Ok(true);
        }
        for key in lo..hi {
            if self.is_open(core, key)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_open(&mut self, core: u32, number: usize) -> Result<bool> {
        if let Some(known) = self.open(core)[number] {
            return Ok(known);
        }
        let Core { plan, ref progress, .. } = self.cores[core as usize];
        let (planned, progress) = (Arc::clone(&self.plans[plan as usize]), progress.clone());
        let key = match planned.sorted.get(number) {
            Some(&(_, index)) => Key::Declared(index),
            None => Key::Class((number - planned.sorted.len()) as u32),
        };
        let may_come = |progress| match key {
            Key::Declared(index) => planned.plan.is_open(progress, index as usize),
            Key::Class(_) => true,
        };
        let is_open = match progress {
            None => self.engine.is_inhabited(planned.plan.goal(key))?,
            Some(progress) if !may_come(&progress) => false,
            Some(_) if self.engine.is_free(&planned.plan) => {
                let all = self.core(plan, None);
                self.is_open(all, number)?
            }
            Some(progress) => self.engine.has_option(&planned.plan, &progress, key)?,
        };
        self.open(core)[number] = Some(is_open);
        Ok(is_open)
    }

    /// What is known so far.
    fn open(&mut self, core: u32) -> &mut Open {
        let Core { plan, ref mut open, .. } = self.cores[core as usize];
        let planned = &self.plans[plan as usize];
        open.get_or_insert_with(|| vec![None; planned.sorted.len() + planned.plan.classes.len()])
    }
}
