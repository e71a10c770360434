//! Whether a language has any string, and its strings if they are few.

use super::seen::Seen;
use super::{CodeSet, Regular, START, Term, TermId};
use crate::automaton::Budget;
use crate::error::Result;
use std::collections::VecDeque;

/// Terms that are looked through before a search.
const PLAIN_STEPS: u32 = 256;

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
        if matches!(self.term(language), Term::And(_)) {
            let alphabet = self.alphabet(language).clone();
            if !self.may_be_made_of(language, &alphabet, &mut { PLAIN_STEPS }) {
                self.inhabited.insert(language, false);
                return Ok(false);
            }
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

    /// The bounds if a language is all texts of certain lengths.
    pub fn as_lengths(&self, language: TermId) -> Option<(u32, Option<u32>)> {
        match self.term(language) {
            Term::Repeat(body, min, max) => match self.term(*body) {
                Term::Class(set) if *set == super::CodeSet::all() => Some((*min, *max)),
                _ => None,
            },
            _ => None,
        }
    }
}
