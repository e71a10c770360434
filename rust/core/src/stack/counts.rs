//! Counters as intervals.
//!
//! A counted repeat over an ambiguous body can be in many rounds at once; neighbouring counts with the same rest are kept as
//! one interval, which is exact because a set of counts only ever shifts, and is cut at the repeat's bounds.

use super::{Config, Count};
use crate::automaton::{Counter, Pda, StateId};

impl Count {
    /// What a counter is once a state is come to; `None` if its guard forbids that. A rule that has no counter keeps its progress
    /// there ([`crate::automaton::Progresses`]), doubled, so that neighbours are not joined.
    #[inline]
    pub(crate) fn enter(self, pda: &Pda, state: StateId) -> Option<Self> {
        if !pda.is_made_late(state) {
            return Some(self);
        }
        let progress = self.progress();
        let after = pda.enter(state, progress)?;
        if after == progress {
            return Some(self);
        }
        Some(Self { lo: after * 2, hi: after * 2 })
    }

    /// The progress, in a rule that keeps one.
    pub(crate) fn progress(self) -> u32 {
        self.lo / 2
    }

    /// After one more round; counts past the minimum of an unbounded repeat need no telling apart.
    pub(super) fn next_round(self, counter: Counter) -> Self {
        let next = |c: u32| {
            let c = c.saturating_add(1);
            if counter.max == Counter::UNBOUNDED { c.min(counter.min) } else { c }
        };
        Self { lo: next(self.lo), hi: next(self.hi) }
    }

    /// The counts from which another round may begin.
    pub(super) fn may_continue(self, counter: Counter) -> Option<Self> {
        if counter.max == Counter::UNBOUNDED {
            return Some(self);
        }
        (self.lo < counter.max).then(|| Self { lo: self.lo, hi: self.hi.min(counter.max - 1) })
    }

    /// Whether the repeat may end.
    pub(super) fn may_end(self, counter: Counter) -> bool {
        self.hi >= counter.min
    }

    /// The union with a later interval, if that is an interval again.
    pub(super) fn join(self, later: Self) -> Option<Self> {
        (later.lo <= self.hi.saturating_add(1)).then(|| Self { lo: self.lo, hi: self.hi.max(later.hi) })
    }

    /// A representative that no text of up to `horizon` bytes can tell from this interval: every round takes a byte, so bounds
    /// further away than that do not matter.
    fn representative(self, counter: Counter, horizon: u32) -> Self {
        let only = |c| Self { lo: c, hi: c };
        let Counter { min, max } = counter;
        if self.hi.saturating_add(horizon) < min {
            only(0)
        } else if self.lo >= min && (max == Counter::UNBOUNDED || self.hi.saturating_add(horizon) < max) {
            only(min)
        } else {
            self
        }
    }
}

impl Config {
    /// The same configuration with its own counter replaced by a representative (see [`Count::representative`]).
    pub(crate) fn representative(self, pda: &Pda, horizon: u32) -> Self {
        match pda.rule_of(self.state).counter {
            Some(counter) => Self { count: self.count.representative(counter, horizon), ..self },
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_bounds_do_not_matter() {
        let at = |lo, hi| Count { lo, hi };
        let c = Counter { min: 10, max: 100 };
        assert_eq!(at(3, 3).representative(c, 5), at(0, 0));
        assert_eq!(at(5, 5).representative(c, 5), at(5, 5));
        assert_eq!(at(12, 40).representative(c, 5), at(10, 10));
        assert_eq!(at(95, 95).representative(c, 5), at(95, 95));
        assert_eq!(at(94, 94).representative(c, 5), at(10, 10));
        let c = Counter { min: 2, max: Counter::UNBOUNDED };
        assert_eq!(at(1, 1).next_round(c).next_round(c), at(2, 2));
        assert_eq!(at(2, 2).may_continue(c), Some(at(2, 2)));
    }
}
