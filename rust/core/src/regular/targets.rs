//! All derivatives of a language at once.
//!
//! Where a language goes on by each symbol is put together from where its parts do: a union's ranges are those of its parts, cut where
//! any of them begins or ends; after what is repeated or comes first the rest follows. (Stanford, Veanes and Bjørner call this a
//! transition regex: "Symbolic Boolean derivatives for efficiently solving extended regular expression constraints", PLDI 2021.) So a
//! state with a range for each letter is made of the ranges of another one, but for the few where they differ.
//!
//! Invariant: a range's language is the very term that [`Regular::derivative`] gives for its symbols.

use super::code_set::SCALAR_VALUES;
use super::{EMPTY, EVERYTHING, NOTHING, Regular, Term, TermId};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::Arc;

/// All symbols of a range, and what may follow any of them.
type Target = (u32, u32, TermId);

/// Where a language goes on: disjoint ranges of scalar values, ascending; neighbours that lead to the same are one. By all other
/// symbols it does not go on.
pub type Targets = SmallVec<[Target; 4]>;

/// What was found of parts is forgotten once it is so many ranges.
const MAX_RANGES: usize = 1 << 16;

/// So few are found again as quickly as they are remembered or looked for.
const FEW_RANGES: usize = 8;

/// So many optional parts in a row are put together one after the other; of more each might have as many ranges as there are parts.
const FEW_OPTIONAL: usize = 4;

/// What is known of the parts of languages.
#[derive(Debug, Default)]
pub(super) struct KnownTargets {
    of: FxHashMap<TermId, Arc<[Target]>>,
    num_ranges: usize,
}

impl Regular {
    /// Where a language goes on.
    pub fn targets(&mut self, id: TermId) -> Targets {
        match self.term(id) {
            Term::Empty => Targets::new(),
            Term::Class(set) => {
                let within = |(least, most): (u32, u32)| {
                    let some = set.ranges().iter().filter(move |&&(lo, hi)| lo <= most && least <= hi);
                    some.map(move |&(lo, hi)| (lo.max(least), hi.min(most), EMPTY))
                };
                SCALAR_VALUES.into_iter().flat_map(within).collect()
            }
            Term::Concat(..) => self.targets_of_concat(id),
            Term::Or(parts) => {
                let parts: SmallVec<[TermId; 8]> = SmallVec::from_slice(parts);
                let targets = self.targets_of_parts(&parts);
                self.any_of(&targets)
            }
            Term::And(parts) => {
                let parts: SmallVec<[TermId; 8]> = SmallVec::from_slice(parts);
                let targets = self.targets_of_parts(&parts);
                self.together(&targets, targets.len(), |regular, all| regular.and(all.iter().copied()))
            }
            &Term::Not(a) => {
                let targets = self.targets_of_part(a);
                self.targets_of_others(&targets)
            }
            &Term::Repeat(body, min, max) => {
                let rest = self.repeat(body, min.saturating_sub(1), max.map(|max| max - 1));
                self.followed(body, |regular, after| regular.concat(after, rest))
            }
            &Term::Anchored(a) => self.followed(a, |regular, after| regular.intern(Term::Anchored(after))),
            &Term::Before(a, whole, end) => {
                let (targets, of_whole) = (self.targets_of_part(a), self.targets_of_part(whole));
                self.targets_before(&targets, &of_whole, end)
            }
        }
    }

    /// The same of a part. Many languages have the same ones.
    fn targets_of_part(&mut self, id: TermId) -> Targets {
        // What is put together of several parts may be part of itself in many ways.
        let is_simple = match self.term(id) {
            Term::Empty | Term::Class(_) => return self.targets(id),
            Term::Concat(..) | Term::Repeat(..) | Term::Anchored(_) => true,
            Term::Or(_) | Term::And(_) | Term::Not(_) | Term::Before(..) => false,
        };
        if let Some(known) = self.known_targets.of.get(&id) {
            return Targets::from_slice(known);
        }
        let targets = self.targets(id);
        if is_simple && targets.len() <= FEW_RANGES {
            return targets;
        }
        let known = &mut self.known_targets;
        if known.num_ranges + targets.len() > MAX_RANGES {
            *known = KnownTargets::default();
        }
        known.num_ranges += targets.len();
        known.of.insert(id, targets.as_slice().into());
        targets
    }

    fn targets_of_parts(&mut self, parts: &[TermId]) -> SmallVec<[Targets; 2]> {
        parts.iter().map(|&part| self.targets_of_part(part)).collect()
    }

    fn targets_of_concat(&mut self, id: TermId) -> Targets {
        // The parts that may come first, each with the rest; the spine is walked, not recursed into.
        let (mut firsts, mut last) = (SmallVec::<[(TermId, TermId); 8]>::new(), Some(id));
        while let Some(&Term::Concat(first, rest)) = last.map(|last| self.term(last)) {
            firsts.push((first, rest));
            last = self.is_nullable(first).then_some(rest);
        }
        if firsts.len() <= FEW_OPTIONAL {
            last = firsts.first().filter(|part| self.is_nullable(part.0)).map(|part| part.1);
            firsts.truncate(1);
        }
        let mut targets: SmallVec<[Targets; 2]> = SmallVec::new();
        for (first, rest) in firsts {
            targets.push(self.followed(first, |regular, after| regular.concat(after, rest)));
        }
        targets.extend(last.map(|last| self.targets_of_part(last)));
        if targets.len() == 1 { targets.remove(0) } else { self.any_of(&targets) }
    }

    /// Where a part goes on, with something after that.
    fn followed(&mut self, part: TermId, mut then: impl FnMut(&mut Self, TermId) -> TermId) -> Targets {
        let (mut all, mut last) = (Targets::new(), None);
        for (lo, hi, after) in self.targets_of_part(part) {
            let followed = match last {
                Some((of, followed)) if of == after => followed,
                _ => then(self, after),
            };
            last = Some((after, followed));
            add(&mut all, (lo, hi, followed));
        }
        all
    }

    fn any_of(&mut self, targets: &[Targets]) -> Targets {
        self.together(targets, 1, |regular, some| regular.or(some.iter().copied()))
    }

    /// Several languages together, where at least so many of them go on.
    fn together(
        &mut self,
        targets: &[Targets],
        least: usize,
        join: impl Fn(&mut Self, &[TermId]) -> TermId,
    ) -> Targets {
        if let [some, others] = targets {
            return self.two_together(some, others, least, join);
        }
        let mut ranges: SmallVec<[Target; 32]> = SmallVec::new();
        targets.iter().for_each(|targets| ranges.extend_from_slice(targets));
        // Mostly one language has nearly all of them, in order.
        ranges.sort_by_key(|range| range.0);
        // Those that are open, by where they end, and what some were joined to.
        let (mut ends, mut here) = (SmallVec::<[u32; 8]>::new(), Joined::new());
        let mut joined: SmallVec<[(Joined, TermId); 2]> = SmallVec::new();
        let (mut all, mut next, mut at) = (Targets::new(), 0, 0);
        loop {
            match ranges.get(next) {
                Some(range) if here.is_empty() => at = range.0,
                None if here.is_empty() => return all,
                _ => {}
            }
            while let Some(&(_, hi, to)) = ranges.get(next).filter(|range| range.0 == at) {
                ends.push(hi);
                here.push(to);
                next += 1;
            }
            let before_next = ranges.get(next).map_or(u32::MAX, |range| range.0 - 1);
            let end = ends.iter().fold(before_next, |end, &hi| end.min(hi));
            if here.len() >= least {
                let to = match (&here[..], joined.iter().rev().take(FEW_RANGES).find(|(of, _)| *of == here)) {
                    (&[one], _) => one,
                    (_, Some(&(_, to))) => to,
                    (_, None) => {
                        let to = join(self, &here);
                        joined.push((here.clone(), to));
                        to
                    }
                };
                add(&mut all, (at, end, to));
            }
            let mut ends_of = ends.iter();
            here.retain(|_| ends_of.next().is_some_and(|&hi| hi > end));
            ends.retain(|hi| *hi > end);
            at = end + 1;
        }
    }

    /// The same of two languages, which are most: side by side, from range to range.
    fn two_together(
        &mut self,
        some: &[Target],
        others: &[Target],
        least: usize,
        join: impl Fn(&mut Self, &[TermId]) -> TermId,
    ) -> Targets {
        let (mut all, mut last) = (Targets::new(), None);
        let alone = |all: &mut Targets, range| {
            if least == 1 {
                add(all, range);
            }
        };
        let mut some = some.iter().copied().chain([PAST_ALL]);
        let mut others = others.iter().copied().chain([PAST_ALL]);
        let (mut a, mut b) = (some.next(), others.next());
        while let (Some(one), Some(other)) = (a, b) {
            if one.1 < other.0 {
                alone(&mut all, one);
                a = some.next();
                continue;
            }
            if other.1 < one.0 {
                alone(&mut all, other);
                b = others.next();
                continue;
            }
            let (lo, hi) = (one.0.max(other.0), one.1.min(other.1));
            [one, other].into_iter().filter(|range| range.0 < lo).for_each(|(from, _, to)| {
                alone(&mut all, (from, lo - 1, to));
            });
            let pair = [one.2, other.2];
            let to = match last {
                Some((of, to)) if of == pair => to,
                _ => join(self, &pair),
            };
            last = Some((pair, to));
            add(&mut all, (lo, hi, to));
            let rest = |range: Target| (range.1 > hi).then(|| (hi + 1, range.1, range.2));
            a = rest(one).or_else(|| some.next());
            b = rest(other).or_else(|| others.next());
        }
        all
    }

    /// Where the complement of a language goes on.
    fn targets_of_others(&mut self, targets: &[Target]) -> Targets {
        let (mut all, mut targets) = (Targets::new(), targets.iter().peekable());
        for (mut at, most) in SCALAR_VALUES {
            while let Some(&(lo, hi, after)) = targets.next_if(|target| target.0 <= most) {
                if at < lo {
                    add(&mut all, (at, lo - 1, EVERYTHING));
                }
                add(&mut all, (lo, hi, self.not(after)));
                at = hi + 1;
            }
            if at <= most {
                add(&mut all, (at, most, EVERYTHING));
            }
        }
        all
    }

    /// Where the texts of a language go on that some text of `end` completes; see [`Term::Before`].
    fn targets_before(&mut self, targets: &[Target], of_whole: &[Target], end: TermId) -> Targets {
        let mut all = Targets::new();
        for &(lo, hi, after) in targets {
            let common = of_whole.iter().filter(|whole| whole.0 <= hi && lo <= whole.1);
            for &(from, to, whole) in common {
                let before = self.intern(Term::Before(after, whole, end));
                add(&mut all, (lo.max(from), hi.min(to), before));
            }
        }
        all
    }
}

/// A range past all others, by which nothing goes on.
const PAST_ALL: Target = (u32::MAX, u32::MAX, NOTHING);

/// Languages that go on by the same symbols.
type Joined = SmallVec<[TermId; 8]>;

/// Adds a range past all others.
fn add(all: &mut Targets, (lo, hi, to): Target) {
    match all.last_mut() {
        _ if to == NOTHING => {}
        Some(last) if last.2 == to && last.1 + 1 == lo => last.1 = hi,
        _ => all.push((lo, hi, to)),
    }
}
