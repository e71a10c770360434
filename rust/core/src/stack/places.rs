//! Where walks that step ahead have come to; see [`super::ahead`].
//!
//! A *place* is some configurations with what is said of them, or a few such places together: where a name goes on beside keywords,
//! what may follow its end is the same after each letter, and a place of its own.
//!
//! Invariant: a place stands for the same configurations and flags until all places are forgotten.

use super::nodes::hash_of;
use super::{Config, NodeId, SetFlags};
use crate::grammar::ByteSet;
use hashbrown::HashTable;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::ops::Range;

/// A set that a walk has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place(pub(super) u32);

impl Place {
    /// No sentence goes on like this.
    pub(crate) const DEAD: Self = Self(0);
}

/// In a row: not known.
const UNKNOWN: u16 = u16::MAX;
/// So many places are kept together; more are joined.
const MAX_PARTS: usize = if cfg!(test) { 2 } else { 6 };

/// Places that are one together.
pub(super) type Parts = SmallVec<[Place; MAX_PARTS + 2]>;

#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    from: u32,
    to: u32,
    /// `from..to` are parts, not configurations.
    is_together: bool,
    pub(super) flags: SetFlags,
    /// Characters that lead back here, by their first bytes, as far as they are known.
    pub(super) loops: ByteSet,
    /// Bytes of which it is known whether they begin such characters.
    pub(super) tried: ByteSet,
    /// Many of those are of ASCII.
    pub(super) goes_round: bool,
}

impl Head {
    fn range(&self) -> Range<usize> {
        self.from as usize..self.to as usize
    }
}

/// No more places than this are kept from one node to the next; each has a row of 512 bytes.
const MAX_PLACES: usize = if cfg!(test) { 8 } else { 8192 };
/// Nor more configurations.
const MAX_CONFIGS: usize = 1 << 17;
/// So many bytes of ASCII that lead back to a place are many.
const MANY_LOOPS: usize = if cfg!(test) { 2 } else { 16 };

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Places {
    heads: Vec<Head>,
    rows: Vec<[u16; 256]>,
    configs: Vec<Config>,
    parts: Vec<Place>,
    /// Of those that have configurations.
    by_configs: HashTable<Place>,
    /// Of those that are several together.
    by_parts: HashTable<Place>,
    /// What lies beneath stacks.
    pub(super) beneath: FxHashMap<NodeId, Place>,
    /// Memory of steps.
    pub(super) found: Vec<Config>,
    /// No text that is asked for is longer, bytes.
    pub(super) horizon: u32,
}

pub(super) fn ascii(bytes: &ByteSet) -> ByteSet {
    bytes.intersection(&ByteSet::range(0, 0x7F))
}

impl Places {
    pub(super) fn head(&self, place: Place) -> &Head {
        &self.heads[place.0 as usize]
    }

    pub(super) fn head_mut(&mut self, place: Place) -> &mut Head {
        &mut self.heads[place.0 as usize]
    }

    /// Where a byte leads from a place, if that is known.
    #[inline]
    pub(super) fn next(&self, place: Place, byte: u8) -> Option<Place> {
        let next = self.rows[place.0 as usize][usize::from(byte)];
        (next != UNKNOWN).then_some(Place(next.into()))
    }

    /// The places that a place is made of: itself, if it has configurations.
    pub(super) fn parts(&self, place: Place) -> Parts {
        let head = self.head(place);
        Parts::from_slice(if head.is_together {
            &self.parts[head.range()]
        } else {
            std::slice::from_ref(&place)
        })
    }

    /// The configurations of a place that is not several together.
    pub(super) fn configs(&self, place: Place) -> &[Config] {
        let head = self.head(place);
        if head.is_together { &[] } else { &self.configs[head.range()] }
    }

    /// The place of some configurations, folded.
    pub(super) fn intern(&mut self, configs: &[Config], flags: SetFlags) -> Place {
        let hash = hash_of((configs, flags));
        let is_same = |place: &Place| self.configs(*place) == configs && self.head(*place).flags == flags;
        if let Some(&place) = self.by_configs.find(hash, is_same) {
            return place;
        }
        let from = self.configs.len();
        self.configs.extend_from_slice(configs);
        let place = self.add((from, self.configs.len()), false, flags);
        let Self { heads, configs, by_configs, .. } = self;
        by_configs.insert_unique(hash, place, |place| {
            let head = &heads[place.0 as usize];
            hash_of((&configs[head.range()], head.flags))
        });
        place
    }

    /// The place that several are together, `None` if they are too many.
    pub(super) fn together(&mut self, all: &mut Parts) -> Option<Place> {
        all.retain(|place| *place != Place::DEAD);
        all.sort_unstable();
        all.dedup();
        match all[..] {
            [] => return Some(Place::DEAD),
            [only] => return Some(only),
            _ if all.len() > MAX_PARTS => return None,
            _ => {}
        }
        let hash = hash_of(&all[..]);
        let is_same = |place: &Place| self.parts[self.head(*place).range()] == all[..];
        if let Some(&place) = self.by_parts.find(hash, is_same) {
            return Some(place);
        }
        let from = self.parts.len();
        self.parts.extend_from_slice(all);
        let flags = all.iter().map(|&place| self.head(place).flags);
        let flags = flags.fold(SetFlags::default(), SetFlags::union);
        let place = self.add((from, self.parts.len()), true, flags);
        let Self { heads, parts, by_parts, .. } = self;
        by_parts.insert_unique(hash, place, |place| hash_of(&parts[heads[place.0 as usize].range()]));
        Some(place)
    }

    fn add(&mut self, (from, to): (usize, usize), is_together: bool, flags: SetFlags) -> Place {
        let (loops, tried) = (ByteSet::EMPTY, ByteSet::EMPTY);
        let (from, to) = (from as u32, to as u32);
        self.heads.push(Head { from, to, is_together, flags, loops, tried, goes_round: false });
        self.rows.push([UNKNOWN; 256]);
        Place(self.heads.len() as u32 - 1)
    }

    /// Notes where some bytes lead from a place.
    pub(super) fn link(&mut self, place: Place, (lo, hi): (u8, u8), next: Place) {
        // A place with a greater number is looked for again each time.
        let number = u16::try_from(next.0).unwrap_or(UNKNOWN);
        self.rows[place.0 as usize][usize::from(lo)..=usize::from(hi)].fill(number);
        if next == place && lo.is_ascii() {
            let head = self.head_mut(place);
            head.loops.insert_range(lo, hi.min(0x7F));
            head.goes_round = ascii(&head.loops).len() >= MANY_LOOPS;
        }
    }

    /// Bytes around one that are known to lead from each of some places to the same as that one.
    pub(super) fn alike(&self, steps: &[(Place, Place)], byte: u8) -> (u8, u8) {
        let is_alike = |&byte: &u8| steps.iter().all(|&(from, to)| self.next(from, byte) == Some(to));
        let lo = (0..byte).rev().take_while(is_alike).last();
        let hi = (byte..=u8::MAX).skip(1).take_while(is_alike).last();
        (lo.unwrap_or(byte), hi.unwrap_or(byte))
    }

    pub(super) fn is_full(&self) -> bool {
        self.heads.len() > MAX_PLACES || self.configs.len() > MAX_CONFIGS
    }

    /// Whether it is not even known that nothing goes on from [`Place::DEAD`].
    pub(super) fn is_new(&self) -> bool {
        self.heads.is_empty()
    }

    /// Forgets all places.
    pub(super) fn clear(&mut self) {
        self.heads.clear();
        self.rows.clear();
        self.configs.clear();
        self.parts.clear();
        self.by_configs.clear();
        self.by_parts.clear();
        self.beneath.clear();
        self.intern(&[], SetFlags::default());
    }

    /// Forgets all places but those of a path, and gives that path anew; keeps the memory.
    #[cold]
    pub(super) fn forget(&mut self, path: &mut [Place]) {
        let content = |&part: &Place| (self.configs(part).to_vec(), self.head(part).flags);
        let of_place = |&place: &Place| self.parts(place).iter().map(content).collect();
        let path_before: Vec<Vec<(Vec<Config>, SetFlags)>> = path.iter().map(of_place).collect();
        self.clear();
        for (place, parts) in path.iter_mut().zip(path_before) {
            let mut parts = parts.iter().map(|(configs, flags)| self.intern(configs, *flags)).collect();
            *place = self.together(&mut parts).unwrap_or(Place::DEAD);
        }
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<[u16; 256]>()
            + (self.configs.capacity() + self.found.capacity()) * size_of::<Config>()
            + self.heads.capacity() * (size_of::<Head>() + 5)
            + self.parts.capacity() * 4
            + self.beneath.capacity() * 9
    }
}
