//! What was accepted, as a persistent list: one entry a step, shared by forks.
//!
//! Entries carry a jump pointer (Myers 1983, skew-binary lists), so going back `n` steps takes `O(log n)`.

use super::{Arena, SetId};

/// A point in some sequence's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HistoryId(u32);

#[derive(Clone, Copy, Debug)]
pub(super) struct HistoryEntry {
    set: SetId,
    parent: u32,
    jump: u32,
    depth: u32,
    terminated: bool,
}

impl Arena {
    /// Begins a history at a set.
    pub(crate) fn history_root(&mut self, set: SetId) -> HistoryId {
        let id = self.history.len() as u32;
        self.history.push(HistoryEntry { set, parent: id, jump: id, depth: 0, terminated: false });
        HistoryId(id)
    }

    /// Adds a step.
    pub(crate) fn history_push(&mut self, at: HistoryId, set: SetId, terminated: bool) -> HistoryId {
        let parent = self.history[at.0 as usize];
        let jumped = self.history[parent.jump as usize];
        let further = self.history[jumped.jump as usize];
        // Two jumps of equal length in a row are joined to one of double length.
        let jump =
            if parent.depth - jumped.depth == jumped.depth - further.depth { jumped.jump } else { at.0 };
        let id = self.history.len() as u32;
        self.history.push(HistoryEntry { set, parent: at.0, jump, depth: parent.depth + 1, terminated });
        HistoryId(id)
    }

    /// The entry `steps` steps before `at`, or `None` past the beginning.
    pub(crate) fn history_back(&self, at: HistoryId, steps: usize) -> Option<HistoryId> {
        let depth = self.history_depth(at).checked_sub(steps)? as u32;
        let mut id = at.0;
        loop {
            let entry = &self.history[id as usize];
            if entry.depth == depth {
                return Some(HistoryId(id));
            }
            id = if self.history[entry.jump as usize].depth >= depth { entry.jump } else { entry.parent };
        }
    }

    /// The number of steps since the beginning.
    pub(crate) fn history_depth(&self, at: HistoryId) -> usize {
        self.history[at.0 as usize].depth as usize
    }

    /// The set of configurations at a point.
    #[inline]
    pub(crate) fn history_set(&self, at: HistoryId) -> SetId {
        self.history[at.0 as usize].set
    }

    /// Whether a stop token was accepted last.
    #[inline]
    pub(crate) fn history_terminated(&self, at: HistoryId) -> bool {
        self.history[at.0 as usize].terminated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_back_is_exact_from_everywhere() {
        let mut arena = Arena::new(usize::MAX);
        let mut ids = vec![arena.history_root(SetId::DEAD)];
        for i in 0..300 {
            ids.push(arena.history_push(ids[i], SetId::DEAD, false));
        }
        for (i, &id) in ids.iter().enumerate() {
            for back in 0..=i {
                assert_eq!(arena.history_back(id, back), Some(ids[i - back]));
            }
            assert_eq!(arena.history_back(id, i + 1), None);
        }
    }
}
