//! Arrays.

use super::layout::Place;
use super::{InArray, JsonMachine, Kind, Local};
use crate::automaton::MachineEdges;
use crate::error::Result;
use crate::json_schema::goal::GoalId;
use crate::json_schema::items::Written;
use crate::json_schema::shape::Arr;

impl JsonMachine {
    pub(super) fn written_start(&mut self, arr: u32) -> u32 {
        let start = self.arrays[arr as usize].start();
        self.written(arr, start)
    }

    fn written(&mut self, arr: u32, written: Written) -> u32 {
        self.written.insert_full((arr, written)).0 as u32
    }

    /// Whether the items of an array are compared, and none has come again.
    pub(super) fn waits_for_repeat(&self, arr: u32, written: u32) -> bool {
        self.compared.contains(&arr) && !self.written[written as usize].1.is_repeated
    }

    /// The state after an item that has come again.
    pub(super) fn repeated(&mut self, rule: u32, local: Local) -> Option<u32> {
        let (&Kind::Array(arr, _), Local::Array(written, at, gap)) = (&self.kinds[rule as usize], local)
        else {
            return None;
        };
        let after = self.arrays[arr as usize].repeated(&self.written[written as usize].1);
        let after = self.written(arr, after);
        Some(self.state(rule, Local::Array(after, at, gap)))
    }

    /// What the next item may be, with what is then written, as far as the array can be completed after it.
    pub(super) fn next_items(&mut self, arr: u32, written: u32) -> Result<Vec<(GoalId, u32)>> {
        let (conjunction, before) =
            (self.arrays[arr as usize].clone(), self.written[written as usize].1.clone());
        let mut out = Vec::new();
        for (goal, after) in self.engine.next_items(&conjunction, &before)? {
            let known = self.finishable.entry(arr).or_default();
            if self.engine.can_finish_array(&conjunction, &after, known)? {
                out.push((goal, self.written(arr, after)));
            }
        }
        Ok(out)
    }

    /// From here on all items are alike and are counted by a rule of their own: its goal and bounds.
    fn counted(&mut self, arr: &Arr, written: &Written) -> Result<Option<(GoalId, u32, Option<u32>)>> {
        let bounded = arr.max.is_some() || arr.min > written.index + 1;
        let alike = written.index as usize == arr.prefix.len().max(1);
        if !bounded
            || !alike
            || !arr.contains.is_empty()
            || arr.unique
            || arr.wants_repeat(written)
            || !self.engine.is_inhabited(arr.rest)?
        {
            return Ok(None);
        }
        let max = arr.max.map(|max| max.saturating_sub(written.index));
        let min = arr.min.saturating_sub(written.index).max(1);
        Ok((max != Some(0)).then_some((arr.rest, min, max)))
    }

    pub(super) fn array(&mut self, rule: u32, arr: u32, depth: u32, local: Local) -> Result<MachineEdges> {
        let conjunction = self.arrays[arr as usize].clone();
        let Local::Array(id, at, gap_read) = local else {
            let written = self.written_start(arr);
            return Ok(self.bytes(rule, &[(b"[", Local::Array(written, InArray::Open, false))]));
        };
        let then = |at| Local::Array(id, at, true);
        let written = self.written[id as usize].1.clone();
        let may_end = conjunction.may_end(&written);
        let counted = match at {
            InArray::After => self.counted(&conjunction, &written)?,
            _ => None,
        };
        if gap_read {
            return self.after_gap(rule, arr, depth, id, at, counted.is_some());
        }
        match at {
            InArray::Open => {
                let mut edges = self.gapped(rule, Place::AfterOpen, depth, then(at))?;
                if self.is_fixed() {
                    if self.next_items(arr, id)?.is_empty() {
                        edges = MachineEdges::default();
                    }
                    if may_end {
                        edges.bytes.extend(self.bytes(rule, &[(b"]", Local::End)]).bytes);
                    }
                }
                Ok(edges)
            }
            InArray::Next => self.gapped(rule, Place::AfterComma, depth, then(at)),
            InArray::After => {
                let mut edges = MachineEdges::default();
                let more = counted.is_none() && !self.next_items(arr, id)?.is_empty();
                if self.is_fixed() || counted.is_some() {
                    for (place, at, allowed) in [
                        (Place::BeforeComma, InArray::AfterComma, more),
                        (Place::BeforeClose, InArray::AfterClose, may_end),
                    ] {
                        if allowed {
                            let part = self.gapped(rule, place, depth, then(at))?;
                            edges.bytes.extend(part.bytes);
                            edges.calls.extend(part.calls);
                        }
                    }
                } else {
                    edges = self.gapped(rule, Place::BeforeComma, depth, then(at))?;
                }
                if let Some((goal, min, max)) = counted {
                    let items = self.rule(Kind::More(goal, min, max, depth));
                    edges.calls.push((items, self.state(rule, Local::Array(id, InArray::AfterClose, false))));
                }
                Ok(edges)
            }
            at => self.gapped(rule, Place::BeforeClose, depth, then(at)),
        }
    }

    /// The edges of a place once its whitespace is read.
    fn after_gap(
        &mut self,
        rule: u32,
        arr: u32,
        depth: u32,
        id: u32,
        at: InArray,
        is_counted: bool,
    ) -> Result<MachineEdges> {
        let may_end = self.arrays[arr as usize].may_end(&self.written[id as usize].1);
        match at {
            InArray::Open | InArray::Next => {
                let mut edges = MachineEdges::default();
                let deeper = self.layout.deeper(depth);
                for (goal, after) in self.next_items(arr, id)? {
                    let value = self.value_rule(goal, deeper)?;
                    edges.calls.push((value, self.state(rule, Local::Array(after, InArray::After, false))));
                }
                if at == InArray::Open && may_end && !self.is_fixed() {
                    edges.bytes.extend(self.bytes(rule, &[(b"]", Local::End)]).bytes);
                }
                Ok(edges)
            }
            InArray::After | InArray::AfterComma | InArray::AfterClose => {
                let mut edges = MachineEdges::default();
                if at != InArray::AfterClose && !is_counted && !self.next_items(arr, id)?.is_empty() {
                    edges = self.bytes(rule, &[(b",", Local::Array(id, InArray::Next, false))]);
                }
                if at != InArray::AfterComma && (may_end || at == InArray::AfterClose) {
                    edges.bytes.extend(self.bytes(rule, &[(b"]", Local::End)]).bytes);
                }
                Ok(edges)
            }
        }
    }

    /// A comma and an item.
    pub(super) fn more(&mut self, rule: u32, goal: GoalId, depth: u32, local: Local) -> Result<MachineEdges> {
        match local {
            Local::Start => self.gapped(rule, Place::BeforeComma, depth, Local::Bytes(0)),
            Local::Bytes(0) => Ok(self.bytes(rule, &[(b",", Local::Bytes(1))])),
            Local::Bytes(1) => self.gapped(rule, Place::AfterComma, depth, Local::Bytes(2)),
            _ => {
                let value = self.value_rule(goal, self.layout.deeper(depth))?;
                Ok(MachineEdges::call(value, self.state(rule, Local::End)))
            }
        }
    }
}
