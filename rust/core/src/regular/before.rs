//! What stands before an end that is taken back: the right quotient of a language, cut down to another.

use super::{Block, CodeSet, Regular, Term, TermId};
use crate::automaton::Budget;
use crate::error::Result;
use rustc_hash::FxHashSet;

impl Regular {
    /// The texts of `body` that some text of `end` completes to one of `whole`.
    ///
    /// Whether a term has the empty string must be known when it is made, and here it is a question of what `end` has in common
    /// with what is left of `whole`. So all pairs that derivatives lead to are asked now, within the budget.
    ///
    /// # Errors
    /// By the budget, which counts the pairs and the terms looked at.
    pub(crate) fn before(
        &mut self,
        body: TermId,
        whole: TermId,
        end: TermId,
        budget: &mut Budget,
    ) -> Result<TermId> {
        let nothing = self.nothing();
        let mut seen = FxHashSet::from_iter([(body, whole)]);
        let mut todo = vec![(body, whole)];
        while let Some((body, whole)) = todo.pop() {
            budget.state()?;
            if self.is_nullable(body) {
                let completions = self.and([whole, end]);
                self.is_inhabited(completions, budget)?;
            }
            let of_whole: Vec<CodeSet> = self.blocks(whole).iter().map(Block::set).collect();
            for block in self.blocks(body).iter().map(Block::set) {
                for block in of_whole.iter().map(|other| block.intersection(other)) {
                    budget.work()?;
                    let Some(symbol) = block.first() else { continue };
                    let after = (self.derivative(body, symbol), self.derivative(whole, symbol));
                    if after.0 != nothing && after.1 != nothing && seen.insert(after) {
                        todo.push(after);
                    }
                }
            }
        }
        Ok(self.intern(Term::Before(body, whole, end)))
    }
}
