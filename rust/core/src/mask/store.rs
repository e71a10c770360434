//! Splits shared by all grammars of one tokenizer, bounded in bytes.

use super::bounded::long_tokens;
use super::class::{Class, ClassKey, Ways};
use super::split::Split;
use crate::vocab::Vocabulary;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::sync::{Arc, OnceLock};

/// A store of vocabulary splits by structural key; those not used for longest go first when it is full.
#[derive(Debug)]
pub struct SplitStore {
    inner: Mutex<Inner>,
    /// The ways to the vocabulary's long tokens.
    long: OnceLock<Ways>,
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
    splits: FxHashMap<StoreKey, Stored>,
    classes: FxHashMap<ClassKey, Arc<Class>>,
    bytes: usize,
    clock: u64,
}

#[derive(Debug)]
struct Stored {
    split: Arc<Split>,
    bytes: usize,
    last_used: u64,
}

/// What one entry takes beside its split.
const ENTRY_BYTES: usize = size_of::<StoreKey>() + size_of::<Stored>() + 8;

impl SplitStore {
    /// An empty store that holds up to `limit_bytes`.
    pub fn new(limit_bytes: usize) -> Self {
        Self { inner: Mutex::default(), long: OnceLock::new(), limit_bytes }
    }

    /// Heap memory held, bytes.
    pub fn size_bytes(&self) -> usize {
        self.inner.lock().bytes + self.long.get().map_or(0, Ways::memory_size_bytes)
    }

    /// Forgets everything.
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

    /// The tokens of a class of characters.
    pub(super) fn class(&self, vocabulary: &Vocabulary, key: &ClassKey) -> Arc<Class> {
        if let Some(known) = self.inner.lock().classes.get(key) {
            return Arc::clone(known);
        }
        let class = Arc::new(Class::new(vocabulary, key));
        let bytes = class.memory_size_bytes() + ENTRY_BYTES;
        let mut inner = self.inner.lock();
        if inner.bytes + bytes <= self.limit_bytes && inner.classes.insert(*key, Arc::clone(&class)).is_none()
        {
            inner.bytes += bytes;
        }
        class
    }

    /// The ways to the vocabulary's long tokens; see [`super::bounded`].
    pub(super) fn long_tokens(&self, vocabulary: &Vocabulary) -> &Ways {
        self.long.get_or_init(|| long_tokens(vocabulary.trie(), 0))
    }

    pub(super) fn get(&self, key: StoreKey) -> Option<Arc<Split>> {
        let mut inner = self.inner.lock();
        inner.clock += 1;
        let clock = inner.clock;
        let stored = inner.splits.get_mut(&key)?;
        stored.last_used = clock;
        Some(Arc::clone(&stored.split))
    }

    pub(super) fn insert(&self, key: StoreKey, split: &Arc<Split>) {
        let bytes = split.memory_size_bytes() + ENTRY_BYTES;
        if bytes > self.limit_bytes / 2 {
            return;
        }
        let mut inner = self.inner.lock();
        if inner.bytes + bytes > self.limit_bytes {
            inner.drop_older_half();
        }
        inner.clock += 1;
        let stored = Stored { split: Arc::clone(split), bytes, last_used: inner.clock };
        inner.bytes += bytes;
        if let Some(replaced) = inner.splits.insert(key, stored) {
            inner.bytes -= replaced.bytes;
        }
    }
}

impl Inner {
    fn forget(&mut self) {
        *self = Self { next_key: self.next_key, ..Self::default() };
    }

    /// Half at once, so that a full store does not look for its oldest entry at every insertion.
    fn drop_older_half(&mut self) {
        let mut ages: Vec<u64> = self.splits.values().map(|stored| stored.last_used).collect();
        let middle = ages.len() / 2;
        if ages.is_empty() {
            return self.forget();
        }
        let (_, &mut median, _) = ages.select_nth_unstable(middle);
        let bytes = &mut self.bytes;
        self.splits.retain(|_, stored| {
            let stays = stored.last_used > median;
            *bytes -= if stays { 0 } else { stored.bytes };
            stays
        });
    }
}

fn key_bytes(words: &[u32]) -> usize {
    size_of_val(words) + size_of::<(Box<[u32]>, KeyId)>() + 8
}
