//! Splits shared by all grammars of one tokenizer, bounded in bytes.

use super::bounded::long_tokens;
use super::class::{Class, ClassKey, Ways};
use super::lengths::Lengths;
use super::letters::Letters;
use super::split::Split;
use crate::automaton::horizon::ENOUGH;
use crate::vocab::Vocabulary;
use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};
use std::hash::Hash;
use std::sync::{Arc, OnceLock};

/// A store of vocabulary splits by structural key; those not used for longest go first when it is full.
#[derive(Debug)]
pub struct SplitStore {
    inner: Mutex<Inner>,
    /// The ways to the vocabulary's long tokens.
    long: OnceLock<Ways>,
    /// Those to the tokens that no horizon is sure to reach.
    beyond: OnceLock<Ways>,
    letters: OnceLock<Letters>,
    lengths: OnceLock<Lengths>,
    limit_bytes: usize,
}

/// A structural key by number; numbers are never used again for another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct KeyId(u32);

/// A key and where in which trie the split begins: the trie's serial number, and the node.
pub(super) type StoreKey = (KeyId, u64, u32);

#[derive(Debug, Default)]
struct Inner {
    keys: FxHashMap<Box<[u32]>, KeyId>,
    next_key: u32,
    splits: Shelf<StoreKey, Split>,
    classes: Shelf<ClassKey, Class>,
    /// Classes that have too many exits.
    scattered: FxHashSet<ClassKey>,
    /// How many times a class was wanted that was not there.
    wanted: FxHashMap<ClassKey, u8>,
    bytes: usize,
    clock: u64,
}

#[derive(Debug)]
struct Shelf<K, T>(FxHashMap<K, Stored<T>>);

#[derive(Debug)]
struct Stored<T> {
    it: Arc<T>,
    bytes: usize,
    last_used: u64,
}

/// A class is found for splits that could do without it once it was wanted so many times: that takes as long as two or three of these.
const OFTEN: u8 = if cfg!(test) { 1 } else { 3 };
/// Of so many characters it is found at once: to walk through all their tokens once takes longer.
const LARGE_CLASS: usize = 48;
/// So many classes are remembered to be wanted, and so many to be scattered.
const MAX_WANTED: usize = 1024;

/// What one entry takes beside its split.
const ENTRY_BYTES: usize = size_of::<StoreKey>() + size_of::<Stored<Split>>() + 8;

impl SplitStore {
    /// An empty store that holds up to `limit_bytes`.
    pub fn new(limit_bytes: usize) -> Self {
        Self {
            inner: Mutex::default(),
            long: OnceLock::new(),
            beyond: OnceLock::new(),
            letters: OnceLock::new(),
            lengths: OnceLock::new(),
            limit_bytes,
        }
    }

    /// Heap memory held, bytes, but for what [`Self::prepare`] finds out: a compiler keeps that.
    pub fn size_bytes(&self) -> usize {
        self.inner.lock().bytes + self.long.get().map_or(0, Ways::memory_size_bytes)
    }

    /// Finds out what splits ask of all tokens, so that no text has to wait for it.
    pub(crate) fn prepare(&self, vocabulary: &Vocabulary) {
        self.lengths(vocabulary);
        self.letters(vocabulary);
        self.tokens_beyond(vocabulary);
    }

    /// Forgets everything else.
    pub fn clear(&self) {
        self.inner.lock().forget();
    }

    /// The number of a key.
    pub(super) fn key_id(&self, words: &[u32]) -> KeyId {
        let mut inner = self.inner.lock();
        if let Some(&known) = inner.keys.get(words) {
            return known;
        }
        let bytes = key_bytes(words);
        if inner.bytes + bytes > self.limit_bytes {
            // Keys are small; where they alone are too many, nothing of the past is worth keeping.
            inner.forget();
        }
        let id = KeyId(inner.next_key);
        inner.next_key += 1;
        inner.bytes += bytes;
        inner.keys.insert(words.into(), id);
        id
    }

    /// The tokens of a class of characters; see [`Class::new`].
    pub(super) fn class(&self, vocabulary: &Vocabulary, key: &ClassKey) -> Option<Arc<Class>> {
        let mut inner = self.inner.lock();
        let clock = inner.tick();
        if let Some(known) = inner.classes.get(key, clock) {
            return Some(known);
        }
        if inner.scattered.contains(key) {
            return None;
        }
        drop(inner);
        let Some(class) = Class::new(vocabulary, key).map(Arc::new) else {
            self.inner.lock().note_scattered(*key);
            return None;
        };
        let bytes = class.memory_size_bytes() + ENTRY_BYTES;
        let mut inner = self.inner.lock();
        if inner.makes_room(bytes, self.limit_bytes) {
            let clock = inner.tick();
            inner.bytes -= inner.classes.insert(*key, &class, bytes, clock);
        }
        Some(class)
    }

    /// The same if it pays to find them: where they are many, or once they have been wanted before; until then it is noted that they were.
    pub(super) fn class_if_it_pays(&self, vocabulary: &Vocabulary, key: &ClassKey) -> Option<Arc<Class>> {
        if key.characters.len() < LARGE_CLASS {
            let mut inner = self.inner.lock();
            let clock = inner.tick();
            if let Some(known) = inner.classes.get(key, clock) {
                return Some(known);
            }
            if inner.wanted.len() == MAX_WANTED {
                inner.wanted.clear();
            }
            let times = inner.wanted.entry(*key).or_default();
            *times += 1;
            if *times < OFTEN {
                return None;
            }
        }
        self.class(vocabulary, key)
    }

    /// The vocabulary's tokens by length.
    pub(super) fn lengths(&self, vocabulary: &Vocabulary) -> &Lengths {
        self.lengths.get_or_init(|| Lengths::new(vocabulary))
    }

    /// The ways to the vocabulary's long tokens; see [`super::bounded`].
    pub(super) fn long_tokens(&self, vocabulary: &Vocabulary) -> &Ways {
        self.long.get_or_init(|| long_tokens(vocabulary.trie(), 0))
    }

    /// The ways to the vocabulary's tokens that may be too long for a state of a class; see [`super::class`].
    pub(super) fn tokens_beyond(&self, vocabulary: &Vocabulary) -> &Ways {
        self.beyond.get_or_init(|| Ways::to_deeper_tokens(vocabulary.trie(), 0, ENOUGH))
    }

    /// The letters of the vocabulary's tokens.
    pub(super) fn letters(&self, vocabulary: &Vocabulary) -> &Letters {
        self.letters.get_or_init(|| Letters::new(vocabulary))
    }

    pub(super) fn get(&self, key: StoreKey) -> Option<Arc<Split>> {
        let mut inner = self.inner.lock();
        let clock = inner.tick();
        inner.splits.get(&key, clock)
    }

    pub(super) fn insert(&self, key: StoreKey, split: &Arc<Split>) {
        let bytes = split.memory_size_bytes() + ENTRY_BYTES;
        let mut inner = self.inner.lock();
        if inner.makes_room(bytes, self.limit_bytes) {
            let clock = inner.tick();
            inner.bytes -= inner.splits.insert(key, split, bytes, clock);
        }
    }
}

impl Inner {
    fn forget(&mut self) {
        *self = Self { next_key: self.next_key, ..Self::default() };
    }

    fn note_scattered(&mut self, key: ClassKey) {
        if self.scattered.len() == MAX_WANTED {
            self.scattered.clear();
        }
        self.scattered.insert(key);
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Counts what is about to be kept, after dropping others for it; `false` if it is too large.
    fn makes_room(&mut self, bytes: usize, limit: usize) -> bool {
        if bytes > limit / 2 {
            return false;
        }
        if self.bytes + bytes > limit {
            // Few schemas need a class that no other has: to keep all of them is worth more than any of the splits.
            if self.classes.bytes() > limit / 3 {
                self.bytes -= self.classes.drop_older_half();
            }
            self.bytes -= self.splits.drop_older_half();
            if self.bytes + bytes > limit {
                self.forget();
            }
        }
        self.bytes += bytes;
        true
    }
}

impl<K, T> Default for Shelf<K, T> {
    fn default() -> Self {
        Self(FxHashMap::default())
    }
}

impl<K: Hash + Eq, T> Shelf<K, T> {
    fn get(&mut self, key: &K, now: u64) -> Option<Arc<T>> {
        let stored = self.0.get_mut(key)?;
        stored.last_used = now;
        Some(Arc::clone(&stored.it))
    }

    /// Puts it there; gives the bytes of what it replaces.
    fn insert(&mut self, key: K, it: &Arc<T>, bytes: usize, now: u64) -> usize {
        let stored = Stored { it: Arc::clone(it), bytes, last_used: now };
        self.0.insert(key, stored).map_or(0, |replaced| replaced.bytes)
    }

    fn bytes(&self) -> usize {
        self.0.values().map(|stored| stored.bytes).sum()
    }

    /// Drops what was not used for longest; gives its bytes. Half at once, so that a full store does not look for its oldest entry at
    /// every insertion.
    fn drop_older_half(&mut self) -> usize {
        let mut ages: Vec<(u64, usize)> =
            self.0.values().map(|stored| (stored.last_used, stored.bytes)).collect();
        ages.sort_unstable();
        let (all, mut dropped, mut oldest) = (self.bytes(), 0, u64::MAX);
        for &(last_used, bytes) in &ages {
            if dropped * 2 >= all {
                oldest = last_used;
                break;
            }
            dropped += bytes;
        }
        self.0.retain(|_, stored| stored.last_used >= oldest);
        dropped
    }
}

fn key_bytes(words: &[u32]) -> usize {
    size_of_val(words) + size_of::<(Box<[u32]>, KeyId)>() + 8
}
