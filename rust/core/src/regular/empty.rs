//! Whether a language has any string, and its strings if they are few.

use super::seen::Seen;
use super::{CodeSet, Regular, START, Term, TermId};
use crate::automaton::Budget;
use crate::error::Result;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::sync::Arc;

/// Terms that are looked through before a search.
const PLAIN_STEPS: u32 = 256;

/// So many words are tried one by one.
const MOST_WORDS: usize = 32;

/// The parts of a conjunction.
type Parts = SmallVec<[TermId; 8]>;

impl Regular {
    /// Whether some string is in a language: a search through its derivatives that ends at the first one that is nullable.
    ///
    /// # Errors
    /// By the budget, which counts the terms looked at.
    pub fn is_inhabited(&mut self, language: TermId, budget: &mut Budget) -> Result<bool> {
        if let Some(&known) = self.inhabited.get(&language) {
            return Ok(known);
        }
        if self.is_plainly_inhabited(language, &mut { PLAIN_STEPS }) {
            self.inhabited.insert(language, true);
            return Ok(true);
        }
        if let Some(known) = self.is_plainly_met(language) {
            self.inhabited.insert(language, known);
            return Ok(known);
        }
        // Each step of the search, and from which one it came: all before a success are inhabited, too. Steps are taken from
        // either end, mostly the last: depth finds the end of a long text, breadth the short way past a long repeat.
        let mut order = vec![(language, 0)];
        let mut seen = Seen::default();
        seen.insert(language);
        let mut todo = VecDeque::from([0]);
        let mut turn = 0u32;
        while let Some(next) = if turn % 16 == 15 { todo.pop_front() } else { todo.pop_back() } {
            turn = turn.wrapping_add(1);
            let (term, _) = order[next];
            budget.state()?;
            if self.is_nullable(term) || self.inhabited.get(&term) == Some(&true) {
                let mut at = next;
                loop {
                    self.inhabited.insert(order[at].0, true);
                    if at == 0 {
                        return Ok(true);
                    }
                    at = order[at].1;
                }
            }
            for block in self.blocks(term).iter() {
                budget.work()?;
                let after = self.derivative(term, block.first());
                if self.inhabited.get(&after) != Some(&false) && seen.insert(after) {
                    todo.push_back(order.len());
                    order.push((after, next));
                }
            }
        }
        self.inhabited.extend(order.iter().map(|&(term, _)| (term, false)));
        Ok(false)
    }

    /// Whether a language has strings by the way it is put together: nothing is taken away from what it is made of.
    fn is_plainly_inhabited(&self, mut language: TermId, steps: &mut u32) -> bool {
        loop {
            if self.is_nullable(language) || self.inhabited.get(&language) == Some(&true) {
                return true;
            }
            if *steps == 0 {
                return false;
            }
            *steps -= 1;
            language = match self.term(language) {
                Term::Class(set) => return set.first().is_some(),
                Term::Or(options) => {
                    return options.iter().any(|&option| self.is_plainly_inhabited(option, steps));
                }
                &Term::Concat(first, rest) if self.is_plainly_inhabited(first, steps) => rest,
                &Term::Repeat(body, ..) => body,
                _ => return false,
            };
        }
    }

    /// Whether a conjunction has strings, where that is plain: it is of a few words, or the other parts only bound the length, or its
    /// parts lack each other's symbols.
    fn is_plainly_met(&mut self, language: TermId) -> Option<bool> {
        let Term::And(_) = self.term(language) else { return None };
        if let Some((words, parts)) = self.words_of_a_part(language, MOST_WORDS) {
            return Some(words.iter().any(|word| self.all_have(&parts, word)));
        }
        if let Some((rest, most)) = self.without_bound(language)
            && let Some(distance) = self.distance(rest)
        {
            return Some(distance.shortest <= most);
        }
        let alphabet = self.alphabet(language).clone();
        (!self.may_be_made_of(language, &alphabet, &mut { PLAIN_STEPS })).then_some(false)
    }

    /// The words of one part of a conjunction, if one is plainly of at most so many, and all parts.
    fn words_of_a_part(&mut self, language: TermId, most: usize) -> Option<(Arc<[String]>, Parts)> {
        let Term::And(parts) = self.term(language) else { return None };
        let parts = Parts::from_slice(parts);
        let mut few = |most| parts.iter().find_map(|&part| self.plain_words(part, most));
        let words = few(most.min(1)).or_else(|| few(most))?;
        Some((words, parts))
    }

    /// Whether a word is in all of some languages; with those of a few words, or of all but these, it is compared.
    fn all_have(&mut self, languages: &[TermId], word: &str) -> bool {
        languages.iter().all(|&language| {
            let (inner, is_negated) = match self.term(language) {
                &Term::Not(inner) => (inner, true),
                _ => (language, false),
            };
            match self.plain_words(inner, MOST_WORDS) {
                Some(words) => words.iter().any(|other| other == word) != is_negated,
                None => self.matches(language, word),
            }
        })
    }

    /// The words of a language that is put together of nothing else, if they are at most so many. These are remembered.
    fn plain_words(&mut self, language: TermId, most: usize) -> Option<Arc<[String]>> {
        if let Some(known) = self.plain_words.get(&(language, most)) {
            return known.clone();
        }
        let words = self.find_plain_words(language, most).map(Arc::from);
        self.plain_words.insert((language, most), words.clone());
        words
    }

    fn find_plain_words(&self, mut language: TermId, most: usize) -> Option<Vec<String>> {
        let mut words = vec![String::new()];
        loop {
            let (first, rest) = match self.term(language) {
                &Term::Concat(first, rest) => (first, Some(rest)),
                _ => (language, None),
            };
            let ends = match self.term(first) {
                Term::Empty => vec![String::new()],
                Term::Class(set) => {
                    let symbols: u32 = set.ranges().iter().map(|(lo, hi)| hi - lo + 1).sum();
                    if symbols as usize > most {
                        return None;
                    }
                    let symbols = set.ranges().iter().flat_map(|&(lo, hi)| lo..=hi);
                    symbols
                        .map(|symbol| char::from_u32(symbol).map(String::from))
                        .collect::<Option<Vec<_>>>()?
                }
                Term::Or(options) if options.len() <= most => {
                    let mut ends = Vec::new();
                    for &option in options {
                        ends.extend(self.find_plain_words(option, most - ends.len().min(most))?);
                    }
                    ends
                }
                _ => return None,
            };
            if words.len() * ends.len() > most {
                return None;
            }
            match ends.as_slice() {
                [only] => words.iter_mut().for_each(|word| word.push_str(only)),
                _ => {
                    let with = |word: &String| {
                        ends.iter().map(|end| [word.as_str(), end].concat()).collect::<Vec<_>>()
                    };
                    words = words.iter().flat_map(with).collect();
                }
            }
            match rest {
                Some(rest) => language = rest,
                None => return Some(words),
            }
        }
    }

    /// `false` if a language has no strings of certain symbols: all of its strings have others somewhere.
    fn may_be_made_of(&self, mut language: TermId, symbols: &CodeSet, steps: &mut u32) -> bool {
        loop {
            if self.is_nullable(language) || *steps == 0 {
                return true;
            }
            *steps -= 1;
            language = match self.term(language) {
                Term::Empty | Term::Not(_) => return true,
                // The ends of a text are no symbols of it.
                Term::Class(set) => {
                    return set.ranges().last().is_some_and(|&(_, hi)| hi >= START)
                        || set.intersects(symbols);
                }
                &Term::Concat(first, rest) => {
                    if !self.may_be_made_of(first, symbols, steps) {
                        return false;
                    }
                    rest
                }
                Term::Or(options) => {
                    return options.iter().any(|&option| self.may_be_made_of(option, symbols, steps));
                }
                Term::And(parts) => {
                    return parts.iter().all(|&part| self.may_be_made_of(part, symbols, steps));
                }
                &(Term::Repeat(inner, ..) | Term::Anchored(inner) | Term::Before(inner, ..)) => inner,
            };
        }
    }

    /// All strings of a language if they are at most so many, ascending.
    ///
    /// # Errors
    /// By the budget.
    pub fn few_words(
        &mut self,
        language: TermId,
        most: usize,
        budget: &mut Budget,
    ) -> Result<Option<Vec<String>>> {
        if self.least_strings(language, most) > most {
            return Ok(None);
        }
        if let Some((words, parts)) = self.words_of_a_part(language, most.min(MOST_WORDS)) {
            let words = words.iter().filter(|word| self.all_have(&parts, word));
            let mut words: Vec<String> = words.cloned().collect();
            words.sort();
            words.dedup();
            return Ok(Some(words));
        }
        // Each character of a word with the place of the one before it, so that long words cost no more than their length. What
        // is still to do has words of its own, so that a loop in the language ends the search.
        const NONE: usize = usize::MAX;
        let mut chars: Vec<(usize, char)> = Vec::new();
        let mut out: Vec<usize> = Vec::new();
        let mut todo = vec![(language, NONE)];
        while let Some((term, prefix)) = todo.pop() {
            budget.work()?;
            if out.len() + todo.len() > most {
                return Ok(None);
            }
            if self.is_nullable(term) {
                out.push(prefix);
            }
            for block in self.blocks(term).iter() {
                let after = self.derivative(term, block.first());
                if !self.is_inhabited(after, budget)? {
                    continue;
                }
                let symbols = block.ranges().map(|(lo, hi)| (hi - lo + 1) as usize).sum::<usize>();
                if symbols > most {
                    return Ok(None);
                }
                for c in block.ranges().flat_map(|(lo, hi)| lo..=hi).filter_map(char::from_u32) {
                    todo.push((after, chars.len()));
                    chars.push((prefix, c));
                }
            }
        }
        if out.len() > most {
            return Ok(None);
        }
        let word = |mut at: usize| {
            let mut word = Vec::new();
            while let Some(&(before, c)) = chars.get(at) {
                word.push(c);
                at = before;
            }
            word.iter().rev().collect::<String>()
        };
        let mut words: Vec<String> = out.into_iter().map(word).collect();
        words.sort();
        Ok(Some(words))
    }

    /// How many strings a language has at least, by the way it is put together; counting ends past `most`.
    fn least_strings(&self, mut language: TermId, most: usize) -> usize {
        let single = |id| match self.term(id) {
            Term::Class(set) => set.ranges().first().filter(|(lo, hi)| lo == hi).map(|&(symbol, _)| symbol),
            _ => None,
        };
        loop {
            language = match self.term(language) {
                &Term::Concat(first, rest) if single(first).is_some() => rest,
                Term::Empty => return 1,
                Term::Or(options) => {
                    // Options that begin with symbols of their own have strings of their own.
                    let (mut firsts, mut found) = (SmallVec::<[Option<u32>; 64]>::new(), 0);
                    for &option in options {
                        let first = match self.term(option) {
                            &Term::Concat(first, _) => single(first),
                            _ => single(option),
                        };
                        if found <= most && !firsts.contains(&first) {
                            firsts.push(first);
                            found += self.least_strings(option, most - found);
                        }
                    }
                    return found;
                }
                _ => return usize::from(single(language).is_some()),
            };
        }
    }

    /// The bounds if a language is all texts of certain lengths.
    pub fn as_lengths(&self, language: TermId) -> Option<(u32, Option<u32>)> {
        let (set, min, max) = self.as_count(language)?;
        (*set == CodeSet::all()).then_some((min, max))
    }
}
