//! Finished masks, as they are kept: a few shared sets of tokens, and what this mask adds to them.
//!
//! A row of 128,256 bits is 16 KB. Nearly every mask is the accepted tokens of one split and a handful of others, so a mask
//! keeps references and lists, and the row is only ever written where the caller wants it.

use super::TokenIds;
use super::beneath::AlikeMasks;
use super::walk::Buffers;
use crate::memory::spilled_bytes;
use crate::stack::SetId;
use crate::vocab::{clear_bit, set_bit};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::collections::hash_map;
use std::sync::Arc;

/// Finished masks are kept up to this many bytes a grammar.
const FINISHED_LIMIT_BYTES: usize = 4 << 20;
/// So many of those that are not kept any longer are freed for each new one: to free all at once takes milliseconds.
const FREED_FOR_EACH: usize = 4;

/// A shared set of tokens but for a few of them.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) tokens: Arc<TokenIds>,
    pub(super) except: Box<[u32]>,
}

/// The mask of one set of configurations, without stop tokens.
#[derive(Debug, Default)]
pub(crate) struct FinishedMask {
    /// Seldom more than one.
    pub(super) parts: SmallVec<[Part; 1]>,
    pub(super) others: Box<[u32]>,
    /// No fewer tokens than there are.
    pub(crate) most: usize,
}

impl FinishedMask {
    /// Makes a row hold exactly these tokens.
    pub(crate) fn write(&self, row: &mut [u32]) {
        match self.parts.split_first() {
            None => row.fill(0),
            Some((first, rest)) => {
                first.tokens.copy_into(row);
                first.except.iter().for_each(|&id| clear_bit(row, id));
                rest.iter().for_each(|part| part.tokens.union_without(&part.except, row));
            }
        }
        self.others.iter().for_each(|&id| set_bit(row, id));
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        let except: usize = self.parts.iter().map(|part| part.except.len() * 4).sum();
        size_of::<Self>() + 48 + spilled_bytes(&self.parts) + except + self.others.len() * 4
    }
}

/// Finished masks by set; they live as long as the arena whose sets they are for.
#[derive(Debug, Default)]
pub(crate) struct FinishedMasks {
    by_set: FxHashMap<SetId, Arc<FinishedMask>>,
    bytes: usize,
    leaving: hash_map::IntoIter<SetId, Arc<FinishedMask>>,
    leaving_bytes: usize,
    pub(super) alike: AlikeMasks,
    pub(super) buffers: Buffers,
}

impl FinishedMasks {
    pub(super) fn get(&self, set: SetId) -> Option<Arc<FinishedMask>> {
        self.by_set.get(&set).map(Arc::clone)
    }

    pub(super) fn insert(&mut self, set: SetId, mask: &Arc<FinishedMask>) {
        let bytes = mask.memory_size_bytes();
        if self.bytes + bytes > FINISHED_LIMIT_BYTES {
            self.leaving = std::mem::take(&mut self.by_set).into_iter();
            self.leaving_bytes = std::mem::take(&mut self.bytes);
        }
        for (_, mask) in self.leaving.by_ref().take(FREED_FOR_EACH) {
            self.leaving_bytes -= mask.memory_size_bytes();
        }
        self.bytes += bytes;
        if let Some(before) = self.by_set.insert(set, Arc::clone(mask)) {
            self.bytes -= before.memory_size_bytes();
        }
    }

    pub(crate) fn memory_size_bytes(&self) -> usize {
        let Buffers { beneath, completions, .. } = &self.buffers;
        let known = beneath.memory_size_bytes() + completions.memory_size_bytes();
        self.bytes + self.leaving_bytes + self.alike.memory_size_bytes() + known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_that_are_not_kept_any_longer_are_freed_little_by_little() {
        let mut finished = FinishedMasks::default();
        let nothing = finished.memory_size_bytes();
        let mask =
            |number: u32| FinishedMask { others: vec![number; 1000].into(), ..FinishedMask::default() };
        let (each, mut made) = (mask(0).memory_size_bytes(), Vec::new());
        let all = FINISHED_LIMIT_BYTES / each;
        let mut insert = |number: usize| {
            let mask = Arc::new(mask(number as u32));
            made.push(Arc::downgrade(&mask));
            finished.insert(SetId(number as u32), &mask);
            let alive = made.iter().filter(|mask| mask.strong_count() > 0).count();
            assert_eq!(finished.memory_size_bytes() - nothing, alive * each);
            alive
        };
        assert_eq!((0..all).map(&mut insert).last(), Some(all));
        let after: Vec<usize> = (all..all + all / FREED_FOR_EACH + 2).map(&mut insert).collect();
        let freed =
            after.iter().scan(all, |before, &alive| Some(std::mem::replace(before, alive) + 1 - alive));
        assert!(freed.max() == Some(FREED_FOR_EACH) && after.last() == Some(&after.len()), "{after:?}");
        // A set that comes again takes no more.
        insert(all);
        assert_eq!(insert(all), after.len());
    }
}
