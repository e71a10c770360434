//! Where a pre-tokenizer cuts a text, when the rest of the text is not known yet.
//!
//! Tokenizers cut text with a pattern before they merge: the leftmost match, of its alternatives the first, then again from
//! its end. Whether there is a cut *here* may depend on what comes: two spaces are one piece at the end of a text, two
//! before a word. The pattern is therefore run as a nondeterministic automaton that *guesses* each cut and then holds the
//! guess to account:
//!
//! - Between two characters, a branch keeps the *threads* of the present match in order of preference (Pike 1980s; Cox 2009).
//! - Guessing "a cut here" needs a thread that has matched. What decides the match is the first such thread, so all threads
//!   before it become *obligations*: none of them may ever match, or the piece would have been that one.
//! - Guessing "no cut here" keeps only those threads before it.
//! - A negative lookahead of one character narrows what may come next.
//!
//! A complete text is cut in one way only, so exactly one branch survives it. A branch is *viable* if some continuation
//! saves it; others are dropped at once.
//!
//! Invariant: a state is the set of viable branches that are consistent with the cuts and non-cuts so far, and the empty
//! set is [`StateId::DEAD`]. Hence "not dead" means: some text goes on from here in which the cuts are exactly these.

mod pattern;

use crate::error::{Error, Result};
use parking_lot::{Mutex, MutexGuard};
use pattern::{Inst, Program};
use rustc_hash::{FxHashMap, FxHashSet};

/// A character class of the pattern: characters in it are all alike to it.
pub(crate) type Class = u8;

/// More states than any pattern in use needs (they need dozens).
const MAX_STATES: usize = 1 << 12;
/// Branches that are tried to save one.
const MAX_SEARCH: usize = 1 << 12;

/// A set of branches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct StateId(u32);

impl StateId {
    /// No branch is left.
    pub(crate) const DEAD: Self = Self(0);
    /// The beginning of a text.
    pub(crate) const START: Self = Self(1);
}

/// Whether there is a cut before a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cut {
    Here = 0,
    NotHere = 1,
}

/// A position in the pattern, and the classes that the next character may have; the end of the text is always allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Thread {
    pc: u16,
    next: u64,
}

/// One guess at the cuts so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Branch {
    /// The present match, most preferred first.
    threads: Vec<Thread>,
    /// What must not match; sorted.
    obligations: Vec<Thread>,
}

/// A pre-tokenizer's pattern as an automaton.
#[derive(Debug)]
pub struct Splitter {
    program: Program,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    /// Each state's branches, sorted.
    states: Vec<Box<[u32]>>,
    state_ids: FxHashMap<Box<[u32]>, u32>,
    branches: Vec<Branch>,
    branch_ids: FxHashMap<Branch, u32>,
    viable: FxHashMap<Branch, bool>,
    steps: FxHashMap<(u32, Class, bool), u32>,
    unions: FxHashMap<(u32, u32), u32>,
}

/// The automaton while it is stepped.
pub(crate) struct Walker<'a> {
    program: &'a Program,
    cache: MutexGuard<'a, Cache>,
}

impl Splitter {
    /// From a pattern as tokenizers write it: what `regex` takes, and at the end of a top-level alternative one `(?!class)`.
    ///
    /// # Errors
    /// [`Error::UnsupportedTokenizer`] for other lookaround, possessive quantifiers, anchors, a pattern that matches the
    /// empty text or leaves some character unmatched, and patterns of an absurd size.
    pub fn new(pattern: &str) -> Result<Self> {
        let program = Program::new(pattern)?;
        let splitter = Self { program, cache: Mutex::new(Cache::default()) };
        splitter.walker().begin()?;
        Ok(splitter)
    }

    pub(crate) fn walker(&self) -> Walker<'_> {
        Walker { program: &self.program, cache: self.cache.lock() }
    }

    /// The offsets at which the pattern cuts a whole text, the last being its length.
    ///
    /// # Errors
    /// [`Error::UnsupportedTokenizer`] when the pattern needs an absurd number of states.
    pub fn cuts(&self, text: &str) -> Result<Vec<usize>> {
        // A branch for each guess; one survives.
        let mut walker = self.walker();
        let mut alive: Vec<(StateId, Vec<usize>)> = vec![(StateId::START, vec![])];
        for (at, c) in text.char_indices() {
            let class = self.program.class_of(c);
            let mut next = Vec::new();
            for (state, cuts) in alive {
                let no = walker.step(state, class, Cut::NotHere)?;
                let yes = walker.step(state, class, Cut::Here)?;
                if yes != StateId::DEAD {
                    next.push((yes, [cuts.as_slice(), &[at]].concat()));
                }
                if no != StateId::DEAD {
                    next.push((no, cuts));
                }
            }
            alive = next;
        }
        let mut ended = alive.into_iter().filter(|(state, _)| walker.may_end(*state));
        let Some((_, mut cuts)) = ended.next() else { return Ok(vec![]) };
        if !text.is_empty() {
            cuts.push(text.len());
        }
        Ok(cuts)
    }
}

impl Walker<'_> {
    /// Makes the dead state and the start, and checks that every character can be matched.
    fn begin(&mut self) -> Result<()> {
        let unsupported = |what: &str| Err(Error::UnsupportedTokenizer(format!("the split pattern {what}")));
        self.intern_state(vec![])?;
        let mut threads = Vec::new();
        self.program.close(0, u64::MAX, &mut threads);
        if threads.iter().any(|thread| self.program.is_match(*thread)) {
            return unsupported("matches the empty text");
        }
        let start = Branch { threads, obligations: vec![] };
        for class in 0..self.program.classes() {
            let step = self.program.step_branch(&start, class, Cut::NotHere);
            if !step.is_some_and(|branch| self.program.may_end(&branch)) {
                return unsupported("leaves some characters unmatched");
            }
        }
        let id = self.intern_branch(start)?;
        self.intern_state(vec![id])?;
        Ok(())
    }

    /// The class of a character.
    pub(crate) fn class_of(&self, c: char) -> Class {
        self.program.class_of(c)
    }

    /// The state after a character, with or without a cut before it.
    pub(crate) fn step(&mut self, state: StateId, class: Class, cut: Cut) -> Result<StateId> {
        if state == StateId::DEAD {
            return Ok(state);
        }
        let key = (state.0, class, cut == Cut::Here);
        if let Some(&next) = self.cache.steps.get(&key) {
            return Ok(StateId(next));
        }
        let mut next = Vec::new();
        for branch in self.cache.states[state.0 as usize].clone() {
            let branch = &self.cache.branches[branch as usize];
            if let Some(after) = self.program.step_branch(branch, class, cut)
                && self.is_viable(&after)?
            {
                next.push(self.intern_branch(after)?);
            }
        }
        let next = self.intern_state(next)?;
        self.cache.steps.insert(key, next);
        Ok(StateId(next))
    }

    /// The branches of both.
    pub(crate) fn union(&mut self, a: StateId, b: StateId) -> Result<StateId> {
        if a == b || b == StateId::DEAD {
            return Ok(a);
        }
        if a == StateId::DEAD {
            return Ok(b);
        }
        if let Some(&id) = self.cache.unions.get(&(a.0, b.0)) {
            return Ok(StateId(id));
        }
        let of = |state: StateId| self.cache.states[state.0 as usize].to_vec();
        let id = self.intern_state([of(a), of(b)].concat())?;
        self.cache.unions.insert((a.0, b.0), id);
        Ok(StateId(id))
    }

    /// Whether the text may end here with these cuts.
    pub(crate) fn may_end(&self, state: StateId) -> bool {
        state == StateId::START || {
            let branches = &self.cache.states[state.0 as usize];
            branches.iter().any(|&branch| self.program.may_end(&self.cache.branches[branch as usize]))
        }
    }

    fn intern_branch(&mut self, branch: Branch) -> Result<u32> {
        if let Some(&id) = self.cache.branch_ids.get(&branch) {
            return Ok(id);
        }
        let id = self.cache.branches.len() as u32;
        self.check_limit(self.cache.branches.len())?;
        self.cache.branches.push(branch.clone());
        self.cache.branch_ids.insert(branch, id);
        Ok(id)
    }

    fn intern_state(&mut self, mut branches: Vec<u32>) -> Result<u32> {
        branches.sort_unstable();
        branches.dedup();
        if let Some(&id) = self.cache.state_ids.get(branches.as_slice()) {
            return Ok(id);
        }
        let id = self.cache.states.len() as u32;
        self.check_limit(self.cache.states.len())?;
        self.cache.states.push(branches.clone().into());
        self.cache.state_ids.insert(branches.into(), id);
        Ok(id)
    }

    fn check_limit(&self, states: usize) -> Result<()> {
        if states < MAX_STATES {
            return Ok(());
        }
        let message = format!("the split pattern needs more than {MAX_STATES} states");
        Err(Error::UnsupportedTokenizer(message))
    }

    /// Whether some continuation, the end included, saves a branch.
    fn is_viable(&mut self, branch: &Branch) -> Result<bool> {
        if let Some(&known) = self.cache.viable.get(branch) {
            return Ok(known);
        }
        let mut seen = FxHashSet::from_iter([branch.clone()]);
        let mut pending = vec![branch.clone()];
        let mut saved = false;
        while let Some(next) = pending.pop() {
            if self.program.may_end(&next) || self.cache.viable.get(&next) == Some(&true) {
                saved = true;
                break;
            }
            if seen.len() > MAX_SEARCH {
                let message = format!("a guess of the split pattern has more than {MAX_SEARCH} successors");
                return Err(Error::UnsupportedTokenizer(message));
            }
            let steps =
                (0..self.program.classes()).flat_map(|class| [(class, Cut::Here), (class, Cut::NotHere)]);
            for after in steps.filter_map(|(class, cut)| self.program.step_branch(&next, class, cut)) {
                if seen.insert(after.clone()) {
                    pending.push(after);
                }
            }
        }
        if saved {
            self.cache.viable.insert(branch.clone(), true);
        } else {
            self.cache.viable.extend(seen.into_iter().map(|branch| (branch, false)));
        }
        Ok(saved)
    }
}

impl Program {
    fn is_match(&self, thread: Thread) -> bool {
        matches!(self.inst(thread.pc), Inst::Match)
    }

    /// A branch after a character, with or without a cut before it; `None` if the guess is refuted.
    fn step_branch(&self, branch: &Branch, class: Class, cut: Cut) -> Option<Branch> {
        let matched = |thread: &Thread| self.is_match(*thread) && thread.next >> class & 1 == 1;
        if branch.obligations.iter().any(matched) {
            return None;
        }
        let first = branch.threads.iter().position(matched);
        let preferred = &branch.threads[..first.unwrap_or(branch.threads.len())];
        let mut obligations = self.step_threads(&branch.obligations, class);
        let threads = match cut {
            Cut::NotHere => self.step_threads(preferred, class),
            Cut::Here => {
                first?;
                obligations.extend(self.step_threads(preferred, class));
                let mut fresh = Vec::new();
                self.close(0, u64::MAX, &mut fresh);
                self.step_threads(&fresh, class)
            }
        };
        obligations.sort_unstable();
        obligations.dedup();
        (!threads.is_empty()).then_some(Branch { threads, obligations })
    }

    fn step_threads(&self, threads: &[Thread], class: Class) -> Vec<Thread> {
        let mut out = Vec::new();
        for thread in threads {
            if let Inst::Class(set) = self.inst(thread.pc)
                && set & thread.next & (1 << class) != 0
            {
                self.close(thread.pc + 1, u64::MAX, &mut out);
            }
        }
        // Behind an unconditional match nothing can be chosen any more.
        let end = out.iter().position(|&thread| self.is_match(thread) && thread.next == u64::MAX);
        out.truncate(end.map_or(out.len(), |end| end + 1));
        out
    }

    /// Whether a branch may end with the text.
    fn may_end(&self, branch: &Branch) -> bool {
        branch.threads.iter().any(|&thread| self.is_match(thread))
            && !branch.obligations.iter().any(|&thread| self.is_match(thread))
    }
}

#[cfg(test)]
mod tests;
