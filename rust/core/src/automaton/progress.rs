//! What a rule has read, carried beside its states.
//!
//! An object's properties come in any order: states of their own for each set of names written would each repeat the states of
//! the names that may come. So a machine may make the states once, as if everything could come at any time, and have the
//! configurations carry what is written: a number, 0 at the rule's beginning, of a [`Progress`] in the rule's
//! [`Progresses`]. States that a configuration may come to only with some of them have a [`Guard`].
//!
//! Keys may have *texts* ([`Texts`]): what is left to be read of them is known without the states between ([`Spelled`]), which masks make use of.
//! So may keys of rules whose states say themselves what may come ([`super::Machine::has_key`]).
//!
//! Invariant: a configuration past the guard can be completed, so guards keep the promise of [`super::Pda`] that all states are
//! productive.

use super::{Room, StateId};
use crate::memory::spilled_bytes;
use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};
use std::sync::OnceLock;

/// What a configuration has to have read, to come to a state. Keys are numbers below those of the progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Guard {
    #[default]
    None,
    /// One of the keys in this range may come.
    Keys(u32, u32),
    /// One of the keys in a list of ranges may come; see [`Progresses::add_ranges`].
    Ranges(u32),
    /// Anything may come.
    Any,
    /// The rule may end.
    End,
    /// The key may come, and now has.
    Take(u32),
}

/// What a state's bytes are: those of some keys' texts, from a depth on; they go on to where their key has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spelled {
    pub(crate) lo: u32,
    pub(crate) hi: u32,
    pub(crate) depth: u32,
    /// That of the states where the texts lead to.
    pub(crate) room: Room,
}

/// The texts of a rule's first keys, which are ascending and none of which begins another. Those without texts have empty ones.
#[derive(Debug)]
pub(crate) struct Texts(Box<[Text]>);

/// A key's text.
#[derive(Debug)]
struct Text {
    bytes: Box<[u8]>,
    /// Where it leads to, once that was asked for.
    end: OnceLock<Option<StateId>>,
}

/// What may come after what is read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// A bit for each key that may come.
    open: SmallVec<[u64; 2]>,
    is_any: bool,
    may_end: bool,
    /// The machine's own number for it.
    pub(crate) core: u32,
}

impl Progress {
    pub(crate) fn new(open: impl ExactSizeIterator<Item = bool>, may_end: bool, core: u32) -> Self {
        let mut bits: SmallVec<[u64; 2]> = smallvec![0; open.len().div_ceil(64)];
        open.enumerate().filter(|&(_, open)| open).for_each(|(key, _)| bits[key / 64] |= 1 << (key % 64));
        let is_any = bits.iter().any(|&word| word != 0);
        Self { open: bits, is_any, may_end, core }
    }

    /// The same but for one key that may not come any more.
    pub(crate) fn without(&self, key: Option<u32>, may_end: bool, core: u32) -> Self {
        let mut open = self.open.clone();
        if let Some(key) = key {
            open[key as usize / 64] &= !(1 << (key % 64));
        }
        Self { is_any: open.iter().any(|&word| word != 0), open, may_end, core }
    }

    /// Whether one of the keys in a range may come.
    #[inline]
    fn has(&self, lo: u32, hi: u32) -> bool {
        let mut at = lo;
        while at < hi {
            let left = self.open[at as usize / 64] >> (at % 64);
            let wanted = hi - at;
            if left != 0 && left.trailing_zeros() < wanted {
                return true;
            }
            at = (at / 64 + 1) * 64;
        }
        false
    }
}

/// All that was met of one rule; number 0 is its beginning.
#[derive(Debug, Default)]
pub(crate) struct Progresses {
    made: boxcar::Vec<Progress>,
    /// What a progress becomes by a key.
    next: RwLock<FxHashMap<(u32, u32), u32>>,
    ranges: boxcar::Vec<Box<[(u32, u32)]>>,
}

impl Texts {
    pub(crate) fn new(texts: impl Iterator<Item = Box<[u8]>>) -> Self {
        Self(texts.map(|bytes| Text { bytes, end: OnceLock::new() }).collect())
    }

    pub(crate) fn of(&self, key: u32) -> &[u8] {
        &self.0[key as usize].bytes
    }

    /// Where a key's text leads to, found the first time: for rules with progresses, whose states are all alike.
    pub(super) fn end(&self, key: u32, find: impl FnOnce() -> Option<StateId>) -> Option<StateId> {
        *self.0[key as usize].end.get_or_init(find)
    }

    /// Heap memory, bytes.
    pub(super) fn memory_size_bytes(&self) -> usize {
        self.0.iter().map(|text| text.bytes.len() + size_of::<Text>()).sum()
    }
}

impl Progresses {
    /// Whether one of the keys in a range may come.
    pub(crate) fn has(&self, number: u32, lo: u32, hi: u32) -> bool {
        self.get(number).has(lo, hi)
    }

    /// The number of a new progress.
    pub(crate) fn add(&self, progress: Progress) -> u32 {
        self.made.push(progress) as u32
    }

    /// The number of a list of ranges, for [`Guard::Ranges`].
    pub(crate) fn add_ranges(&self, ranges: Box<[(u32, u32)]>) -> u32 {
        self.ranges.push(ranges) as u32
    }

    pub(crate) fn get(&self, number: u32) -> &Progress {
        &self.made[number as usize]
    }

    /// Whether a guard lets a progress pass; what [`Guard::Take`] makes of it is the caller's business.
    #[inline]
    pub(super) fn admits(&self, guard: Guard, number: u32) -> bool {
        let progress = self.get(number);
        match guard {
            Guard::None => true,
            Guard::Keys(lo, hi) => progress.has(lo, hi),
            Guard::Ranges(list) => self.ranges[list as usize].iter().any(|&(lo, hi)| progress.has(lo, hi)),
            Guard::Any => progress.is_any,
            Guard::End => progress.may_end,
            Guard::Take(key) => progress.has(key, key + 1),
        }
    }

    pub(super) fn after(&self, number: u32, key: u32) -> Option<u32> {
        self.next.read().get(&(number, key)).copied()
    }

    pub(super) fn set_after(&self, number: u32, key: u32, next: u32) {
        self.next.write().insert((number, key), next);
    }

    /// Heap memory, bytes.
    pub(super) fn memory_size_bytes(&self) -> usize {
        let words: usize = self.made.iter().map(|(_, progress)| spilled_bytes(&progress.open)).sum();
        let ranges: usize = self.ranges.iter().map(|(_, list)| list.len() * 8 + 16).sum();
        words + self.made.count() * size_of::<Progress>() + ranges + self.next.read().len() * 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_keys_are_looked_up_across_words() {
        let open: Vec<bool> = (0..200).map(|key| key == 3 || key == 130).collect();
        let progress = Progress::new(open.into_iter(), false, 0);
        let expected = |lo: u32, hi: u32| (lo..hi).any(|key| key == 3 || key == 130);
        for lo in 0..200 {
            for hi in lo..=200 {
                assert_eq!(progress.has(lo, hi), expected(lo, hi), "{lo}..{hi}");
            }
        }
        assert!(!Progress::new([].into_iter(), true, 0).is_any);
    }
}
