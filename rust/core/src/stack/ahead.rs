//! Stepping ahead, remembered for a while.
//!
//! To walk the trie from a wide place of a grammar takes a hundred thousand steps, but most of them are the same few: a name goes on
//! by any letter, and each time all that may follow it is on its stack. So sets that walks come to are told apart here, and the
//! steps between them are remembered: a deterministic automaton made as far as walks need it ([`Place`]). Sets that no text has come
//! to would fill the arena; these are forgotten when they are too many.
//!
//! Invariant: a place stands for equal configurations and flags as long as it is kept. What may be kept across
//! [`Arena::begin_ahead`] and [`Arena::make_room_ahead`] is only what these return.

use super::nodes::hash_of;
use super::{Arena, Config, RegisterId, SetFlags, SetId};
use crate::automaton::Pda;
use crate::grammar::ByteSet;
use crate::grammar::utf8::{BEYOND_ASCII, LEADS};
use hashbrown::HashTable;

/// A set that a walk has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u32);

impl Place {
    /// No sentence goes on like this.
    pub(crate) const DEAD: Self = Self(0);
}

#[derive(Clone, Copy, Debug)]
struct Head {
    from: u32,
    to: u32,
    flags: SetFlags,
    /// Characters that lead back here, by their first bytes, as far as they are known.
    loops: ByteSet,
    /// Bytes of which it is known whether they begin such characters.
    tried: ByteSet,
    /// Many of those are of ASCII.
    goes_round: bool,
}

/// In a row: not computed yet.
const UNKNOWN: u32 = u32::MAX;
/// No more places than this are kept; each has a row of 1 KB.
const MAX_PLACES: usize = if cfg!(test) { 8 } else { 2048 };
/// Nor more configurations.
const MAX_CONFIGS: usize = 1 << 17;
/// So many bytes of ASCII that lead back to a place are many.
const MANY_LOOPS: usize = if cfg!(test) { 2 } else { 16 };

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    heads: Vec<Head>,
    rows: Vec<[u32; 256]>,
    configs: Vec<Config>,
    table: HashTable<u32>,
    found: Vec<Config>,
    /// No text that is asked for is longer, bytes.
    horizon: u32,
}

impl Ahead {
    fn content(&self, place: u32) -> (&[Config], SetFlags) {
        let Head { from, to, flags, .. } = self.heads[place as usize];
        (&self.configs[from as usize..to as usize], flags)
    }

    fn intern(&mut self, configs: &[Config], flags: SetFlags) -> Place {
        let hash = hash_of((configs, flags));
        if let Some(&place) = self.table.find(hash, |&place| self.content(place) == (configs, flags)) {
            return Place(place);
        }
        let (place, from) = (self.heads.len() as u32, self.configs.len() as u32);
        self.configs.extend_from_slice(configs);
        let to = self.configs.len() as u32;
        self.heads.push(Head {
            from,
            to,
            flags,
            loops: ByteSet::EMPTY,
            tried: ByteSet::EMPTY,
            goes_round: false,
        });
        self.rows.push([UNKNOWN; 256]);
        let Self { heads, configs, table, .. } = self;
        table.insert_unique(hash, place, |&place| {
            let Head { from, to, flags, .. } = heads[place as usize];
            hash_of((&configs[from as usize..to as usize], flags))
        });
        Place(place)
    }

    fn is_full(&self) -> bool {
        self.heads.len() > MAX_PLACES || self.configs.len() > MAX_CONFIGS
    }

    fn clear(&mut self) {
        self.heads.clear();
        self.rows.clear();
        self.configs.clear();
        self.table.clear();
        self.intern(&[], SetFlags::default());
    }

    fn memory_size_bytes(&self) -> usize {
        self.rows.capacity() * 1024
            + (self.configs.capacity() + self.found.capacity()) * size_of::<Config>()
            + self.heads.capacity() * (size_of::<Head>() + 5)
    }
}

fn ascii(bytes: &ByteSet) -> ByteSet {
    bytes.intersection(&ByteSet::range(0, 0x7F))
}

/// Bytes around one that lead to the same.
fn alike(pda: &Pda, configs: &[Config], found: &[Config], byte: u8) -> (u8, u8) {
    // What collects a text reads the byte itself.
    if configs.iter().chain(found).any(|config| config.register != RegisterId::default()) {
        return (byte, byte);
    }
    configs.iter().fold((0, u8::MAX), |(lo, hi), config| {
        let (from, to) = pda.expanded(config.state).alike(byte);
        (lo.max(from), hi.min(to))
    })
}

impl Arena {
    /// The place of some configurations, of which texts up to a length are asked; what is known for two lengths is kept. Places that walks
    /// had before are void.
    pub(crate) fn begin_ahead(
        &mut self,
        pda: &Pda,
        configs: &[Config],
        flags: SetFlags,
        horizon: u32,
    ) -> Place {
        if self.ahead.horizon != horizon {
            std::mem::swap(&mut self.ahead, &mut self.ahead_otherwise);
        }
        if self.ahead.horizon != horizon || self.ahead.heads.is_empty() || self.ahead.is_full() {
            self.ahead.clear();
        }
        self.ahead.horizon = horizon;
        let mut found = std::mem::take(&mut self.ahead.found);
        found.extend(configs.iter().map(|config| config.representative(pda, horizon)));
        self.fold(&mut found);
        let place = self.ahead.intern(&found, flags);
        found.clear();
        self.ahead.found = found;
        place
    }

    /// The place of a set; see [`Self::begin_ahead`].
    pub(crate) fn begin_ahead_of(&mut self, pda: &Pda, set: SetId, horizon: u32) -> Place {
        let configs = self.configs(set).to_vec();
        self.begin_ahead(pda, &configs, self.flags(set), horizon)
    }

    /// What is known of a place.
    #[inline]
    pub(crate) fn flags_ahead(&self, place: Place) -> SetFlags {
        self.ahead.heads[place.0 as usize].flags
    }

    /// The place after one more byte.
    #[inline]
    pub(crate) fn step_ahead(&mut self, pda: &Pda, place: Place, byte: u8) -> Place {
        match self.ahead.rows[place.0 as usize][usize::from(byte)] {
            UNKNOWN => self.find_ahead(pda, place, byte),
            known => Place(known),
        }
    }

    #[cold]
    fn find_ahead(&mut self, pda: &Pda, place: Place, byte: u8) -> Place {
        if self.refuses_growth() {
            return Place::DEAD;
        }
        let mut ahead = std::mem::take(&mut self.ahead);
        let mut found = std::mem::take(&mut ahead.found);
        let (configs, flags) = ahead.content(place.0);
        self.arrive(pda, configs, flags, byte, false);
        self.drop_doomed(pda);
        // Rounds that no text can come to the bound of are not told apart.
        for config in &mut self.scratch.out {
            *config = config.representative(pda, ahead.horizon);
        }
        let flags = self.drain_arrivals(&mut found);
        let (lo, hi) = alike(pda, configs, &found, byte);
        let next = ahead.intern(&found, flags);
        found.clear();
        ahead.found = found;
        ahead.rows[place.0 as usize][usize::from(lo)..=usize::from(hi)].fill(next.0);
        if next == place && lo.is_ascii() {
            let head = &mut ahead.heads[place.0 as usize];
            head.loops.insert_range(lo, hi.min(0x7F));
            head.goes_round = ascii(&head.loops).len() >= MANY_LOOPS;
        }
        self.ahead = ahead;
        next
    }

    /// Whether all texts of some characters, given by their first bytes, lead from a place back to it, as far as that is known.
    #[inline]
    pub(crate) fn loops_ahead(&mut self, pda: &Pda, place: Place, characters: &ByteSet) -> bool {
        let Head { loops, tried, .. } = self.ahead.heads[place.0 as usize];
        if characters.is_within(&loops) {
            return true;
        }
        let left = characters.difference(&loops);
        left.iter().next() >= Some(LEADS.0)
            && left.intersection(&tried).is_empty()
            && left.iter().all(|first| self.try_loop(pda, place, first))
    }

    /// Whether many bytes of ASCII are known to lead from a place back to it.
    #[inline]
    pub(crate) fn goes_round_ahead(&self, place: Place) -> bool {
        self.ahead.heads[place.0 as usize].goes_round
    }

    /// All bytes of ASCII that lead from a place back to it.
    pub(crate) fn round_ahead(&mut self, pda: &Pda, place: Place) -> ByteSet {
        if !self.ahead.heads[place.0 as usize].tried.contains(0) {
            for byte in 0..0x80 {
                self.step_ahead(pda, place, byte);
            }
            self.ahead.heads[place.0 as usize].tried.insert_range(0, 0x7F);
        }
        ascii(&self.ahead.heads[place.0 as usize].loops)
    }

    /// Whether all characters with a first byte lead back to a place; notes the answer.
    #[cold]
    fn try_loop(&mut self, pda: &Pda, place: Place, first: u8) -> bool {
        let form = BEYOND_ASCII.iter().find(|form| (form[0].0..=form[0].1).contains(&first));
        let mut at = self.step_ahead(pda, place, first);
        for &(lo, hi) in form.map_or(&[][..], |form| &form[1..]) {
            let next = self.step_ahead(pda, at, lo);
            let is_same = (lo..=hi).all(|byte| self.step_ahead(pda, at, byte) == next);
            at = if is_same { next } else { Place::DEAD };
        }
        let head = &mut self.ahead.heads[place.0 as usize];
        head.tried.insert(first);
        if at == place {
            head.loops.insert(first);
        }
        at == place
    }

    /// Forgets places where they have become too many, all but those of a path; gives that path anew.
    #[inline]
    pub(crate) fn make_room_ahead(&mut self, path: &mut [Place]) {
        if self.ahead.is_full() {
            self.forget_ahead(path);
        }
    }

    #[cold]
    fn forget_ahead(&mut self, path: &mut [Place]) {
        let old = std::mem::take(&mut self.ahead);
        self.ahead.horizon = old.horizon;
        self.ahead.clear();
        for place in path {
            let (configs, flags) = old.content(place.0);
            *place = self.ahead.intern(configs, flags);
        }
    }

    /// Memory of what was stepped to ahead, bytes.
    pub(crate) fn memory_ahead_bytes(&self) -> usize {
        self.ahead.memory_size_bytes() + self.ahead_otherwise.memory_size_bytes()
    }
}
