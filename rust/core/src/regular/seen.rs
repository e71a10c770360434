//! Terms that a search has come to.

use super::TermId;
use rustc_hash::FxHashSet;
use smallvec::SmallVec;

/// So many are looked through one by one: most searches end before a hash table would be worth its memory.
const FEW: usize = 16;

/// A set of terms.
#[derive(Default)]
pub(super) struct Seen {
    few: SmallVec<[TermId; FEW]>,
    others: FxHashSet<TermId>,
}

impl Seen {
    /// Adds a term; whether it is new.
    pub(super) fn insert(&mut self, term: TermId) -> bool {
        if self.few.contains(&term) {
            return false;
        }
        if self.few.len() == FEW {
            return self.others.insert(term);
        }
        self.few.push(term);
        true
    }
}
