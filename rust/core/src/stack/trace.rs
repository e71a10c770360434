//! What a walk asks of the configuration that it begins with.
//!
//! What remains of tokens past the end of a string or name is walked wherever an object has come to another progress
//! ([`crate::automaton::Progresses`]) or lies on another stack; mostly neither makes a difference. So a walk may be *traced*: the
//! arena notes whenever it is asked what a progress admits, and whenever a stack is popped. A configuration of the same
//! state that gives the same answers comes to the same tokens ([`Arena::answers_alike`]).
//!
//! Invariant: while a trace is kept, everything that depends on a progress or a stack is noted, or the trace is given up
//! ([`Arena::give_up_trace`]).

use super::{Arena, Config, Count, NodeId};
use crate::automaton::{Pda, StateId};
use smallvec::{SmallVec, smallvec};

/// A walk that asks more is not worth remembering by its questions.
const MAX_QUESTIONS: usize = 32;

/// Something that was asked, with the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// What a progress becomes once a state is come to.
    Enter { state: StateId, number: u32, after: Option<u32> },
    /// Whether one of a range of the keys of a state's rule may come.
    Has { state: StateId, number: u32, keys: (u32, u32), has: bool },
    /// What lies beneath.
    Pop(NodeId),
    /// Something that cannot be asked again.
    Other,
}

/// The notes of the walks that are traced now, one inside the other.
#[derive(Debug, Default)]
pub(super) struct Trace {
    depth: u32,
    asked: Vec<Question>,
}

impl Trace {
    pub(super) fn is_on(&self) -> bool {
        self.depth > 0
    }

    #[inline]
    fn note(&mut self, question: Question) {
        if self.depth > 0 && self.asked.last() != Some(&question) {
            self.asked.push(question);
        }
    }

    #[inline]
    pub(super) fn note_pop(&mut self, node: NodeId) {
        self.note(Question::Pop(node));
    }
}

/// All that a walk has asked, of a configuration that it began with.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The stack of that configuration, if anything beneath it counts.
    node: Option<NodeId>,
    number: u32,
    questions: Box<[Question]>,
}

impl Asked {
    pub(crate) fn memory_size_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.questions)
    }
}

impl Arena {
    /// See [`Count::enter`].
    #[inline]
    pub(crate) fn enter(&mut self, pda: &Pda, count: Count, state: StateId) -> Option<Count> {
        let entered = count.enter(pda, state);
        if self.trace.is_on() && pda.is_guarded(state) {
            let after = entered.map(Count::progress);
            self.trace.note(Question::Enter { state, number: count.progress(), after });
        }
        entered
    }

    /// Whether one of a range of the keys that the state of a configuration spells may come.
    pub(crate) fn has_key(&mut self, pda: &Pda, config: Config, keys: (u32, u32)) -> bool {
        let (state, number) = (config.state, config.count.progress());
        if pda.rule_of(state).progresses.is_none() {
            return pda.has_key(state, keys);
        }
        let has = has_key(pda, state, number, keys);
        self.trace.note(Question::Has { state, number, keys, has });
        has
    }

    /// Gives up what is traced: what happens now depends on more than can be noted.
    #[inline]
    pub(crate) fn give_up_trace(&mut self) {
        self.trace.note(Question::Other);
    }

    /// Begins to trace a walk; gives the place in the notes.
    pub(crate) fn begin_trace(&mut self) -> usize {
        self.trace.depth += 1;
        self.trace.asked.len()
    }

    /// Ends the trace that began at a place in the notes; gives what was asked of a configuration, if it can be asked again.
    pub(crate) fn end_trace(&mut self, pda: &Pda, from: usize, config: Config) -> Option<Asked> {
        self.trace.depth -= 1;
        let asked = asked_of(pda, config, &self.trace.asked[from..]);
        if self.trace.depth == 0 {
            self.trace.asked.clear();
        }
        asked
    }

    /// Whether a configuration of the same state gives the same answers; then they are noted in its name.
    pub(crate) fn answers_alike(&mut self, pda: &Pda, asked: &Asked, config: Config) -> bool {
        if asked.node.is_some_and(|node| node != config.node) {
            return false;
        }
        let from = self.trace.asked.len();
        let mut numbers = Numbers::new(asked.number, config.count.progress());
        let is_alike = asked.questions.iter().all(|&question| {
            let Some(same) = numbers.ask(pda, config.state, question) else { return false };
            self.trace.note(same);
            if asked.node.is_some() {
                // Another object of the same rule, further down, may have been asked.
                self.trace.note(question);
            }
            true
        });
        if !is_alike {
            self.trace.asked.truncate(from);
        }
        is_alike
    }
}

fn has_key(pda: &Pda, state: StateId, number: u32, (lo, hi): (u32, u32)) -> bool {
    pda.rule_of(state).progresses.as_ref().is_some_and(|progresses| progresses.has(number, lo, hi))
}

/// Which of the questions concern a configuration, directly or through what its progress has become; all, if its stack was looked at.
fn asked_of(pda: &Pda, config: Config, all: &[Question]) -> Option<Asked> {
    let is_popped = all.contains(&Question::Pop(config.node));
    let rule = pda.state(config.state).rule;
    let mut numbers: SmallVec<[u32; 8]> = smallvec![config.count.progress()];
    let mut questions: SmallVec<[Question; 16]> = SmallVec::new();
    for &question in all {
        let concerns = match question {
            Question::Other => return None,
            Question::Pop(_) => false,
            Question::Enter { state, number, .. } | Question::Has { state, number, .. } => {
                pda.state(state).rule == rule && numbers.contains(&number)
            }
        };
        if !concerns && !is_popped || questions.contains(&question) {
            continue;
        }
        if questions.len() == MAX_QUESTIONS {
            return None;
        }
        if let (true, Question::Enter { after: Some(after), .. }) = (concerns, question) {
            numbers.push(after);
        }
        questions.push(question);
    }
    let node = is_popped.then_some(config.node);
    Some(Asked { node, number: config.count.progress(), questions: questions.as_slice().into() })
}

/// The progresses of one configuration, each with that of another which stands for it.
struct Numbers(SmallVec<[(u32, u32); 8]>);

impl Numbers {
    fn new(number: u32, other: u32) -> Self {
        Self(smallvec![(number, other)])
    }

    fn other(&self, number: u32) -> Option<u32> {
        self.0.iter().find(|pair| pair.0 == number).map(|pair| pair.1)
    }

    /// Asks a question in the name of the other; `None` if its answer is another one.
    fn ask(&mut self, pda: &Pda, of: StateId, question: Question) -> Option<Question> {
        let is_own = |state| pda.state(state).rule == pda.state(of).rule;
        match question {
            Question::Enter { state, number, after } if is_own(state) => {
                let Some(number) = self.other(number) else { return Some(question) };
                let entered = pda.enter(state, number);
                match (after, entered) {
                    (None, None) => {}
                    (Some(after), Some(entered)) => match self.other(after) {
                        Some(known) if known != entered => return None,
                        Some(_) => {}
                        None => self.0.push((after, entered)),
                    },
                    _ => return None,
                }
                Some(Question::Enter { state, number, after: entered })
            }
            Question::Has { state, number, keys, has } if is_own(state) => {
                let Some(number) = self.other(number) else { return Some(question) };
                (has_key(pda, state, number, keys) == has).then_some(Question::Has {
                    state,
                    number,
                    keys,
                    has,
                })
            }
            _ => Some(question),
        }
    }
}
