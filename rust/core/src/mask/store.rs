//! Splits shared by all grammars of one tokenizer, bounded in bytes.

use super::split::Split;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// A store of vocabulary splits by structural key; the least recently used go first when it is full.
#[derive(Debug)]
pub struct SplitStore {
    inner: Mutex<Inner>,
    limit_bytes: usize,
}

#[derive(Debug, Default)]
struct Inner {
    splits: FxHashMap<Box<[u32]>, Stored>,
    bytes: usize,
    clock: u64,
}

#[derive(Debug)]
struct Stored {
    split: Arc<Split>,
    last_used: u64,
}

impl SplitStore {
    /// An empty store that holds up to `limit_bytes`.
    pub fn new(limit_bytes: usize) -> Self {
        Self { inner: Mutex::default(), limit_bytes }
    }

    /// Heap memory held, bytes.
    pub fn size_bytes(&self) -> usize {
        self.inner.lock().bytes
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.inner.lock() = Inner::default();
    }

    pub(super) fn get(&self, key: &[u32]) -> Option<Arc<Split>> {
        let mut inner = self.inner.lock();
        inner.clock += 1;
        let clock = inner.clock;
        let stored = inner.splits.get_mut(key)?;
        stored.last_used = clock;
        Some(Arc::clone(&stored.split))
    }

    pub(super) fn insert(&self, key: Box<[u32]>, split: Arc<Split>) {
        let size = |key: &[u32], split: &Split| key.len() * 4 + split.memory_size_bytes();
        let added = size(&key, &split);
        if added > self.limit_bytes {
            return;
        }
        let mut inner = self.inner.lock();
        while inner.bytes + added > self.limit_bytes {
            let oldest = inner.splits.iter().min_by_key(|(_, s)| s.last_used).map(|(k, _)| k.clone());
            let Some(oldest) = oldest else { break };
            if let Some(gone) = inner.splits.remove(&oldest) {
                inner.bytes -= size(&oldest, &gone.split);
            }
        }
        inner.clock += 1;
        let stored = Stored { split, last_used: inner.clock };
        inner.bytes += added;
        let replaced = inner.splits.insert(key.clone(), stored);
        if let Some(replaced) = replaced {
            inner.bytes -= size(&key, &replaced.split);
        }
    }
}
