//! What a compilation may cost, and how it is stopped.

use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A flag that stops compilations that watch it. Clones share the flag.
#[derive(Clone, Debug, Default)]
pub struct CancelToken {
    flag: Arc<AtomicBool>,
    question: Option<Arc<Question>>,
}

/// What is asked every so often by whoever watches a token, on its own thread.
struct Question {
    stops: Box<dyn Fn() -> bool + Send + Sync>,
    /// When to ask next; `None` once the answer was to stop.
    next: Mutex<Option<Instant>>,
}

/// How long an answer holds.
const ASK_EVERY: Duration = Duration::from_millis(20);

impl CancelToken {
    /// Stops every compilation that watches this token.
    pub fn cancel(&self) {
        self.flag.store(true, Ordering::Relaxed);
    }

    /// Whether [`Self::cancel`] was called, or the token's question was to be asked and is answered so.
    pub fn is_cancelled(&self) -> bool {
        self.flag.load(Ordering::Relaxed) || self.question.as_ref().is_some_and(|question| question.is_over())
    }

    /// A token with the same flag that also asks whether to stop, every 20 ms while it is watched.
    pub(crate) fn asking(&self, stops: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        let next = Mutex::new(Some(Instant::now() + ASK_EVERY));
        Self {
            flag: Arc::clone(&self.flag),
            question: Some(Arc::new(Question { stops: Box::new(stops), next })),
        }
    }
}

impl Question {
    fn is_over(&self) -> bool {
        let mut next = self.next.lock();
        match *next {
            Some(at) if Instant::now() >= at => *next = (!(self.stops)()).then(|| Instant::now() + ASK_EVERY),
            _ => {}
        }
        next.is_none()
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("next", &self.next).finish_non_exhaustive()
    }
}

/// Counts the states made, and looks at the clock and the cancel token every so often.
#[derive(Clone, Debug)]
pub struct Budget {
    deadline: Option<(Instant, Duration)>,
    /// A limit whose time begins with the first look at the clock.
    later: Option<Duration>,
    state_limit: usize,
    states: usize,
    cancel: CancelToken,
    until_check: u32,
}

/// A mask that is made or a token that is taken, from the beginning until this is dropped. All that machines work out for it on this
/// thread shares one time limit: each of thousands of states might stay just within one of its own.
#[derive(Debug)]
pub(crate) struct Operation {
    /// Whether there is one around it, whose time goes on.
    is_within: bool,
    has_limit: bool,
}

/// When the clock was first looked at, if it was.
type Clock = Option<Instant>;

thread_local! {
    /// That of the operation that this thread is at, if it is at one.
    static OPERATION: Cell<Option<Clock>> = const { Cell::new(None) };
    /// What the operation may take, if that is less than what its steps may.
    static LEAST_LIMIT: Cell<Option<Duration>> = const { Cell::new(None) };
}

impl Operation {
    /// Begins one, unless this thread is at one already.
    #[inline]
    pub(crate) fn begin() -> Self {
        let is_within = OPERATION.get().is_some();
        if !is_within {
            OPERATION.set(Some(None));
        }
        Self { is_within, has_limit: false }
    }

    /// Begins one with a time limit of its own, which counts where it is the shortest. There must be none around it.
    pub(crate) fn begin_within(limit: Duration) -> Self {
        LEAST_LIMIT.set(Some(limit));
        let mut operation = Self::begin();
        operation.has_limit = true;
        operation
    }

    /// When the clock was first looked at for what this thread is at: now, if it was not.
    fn since() -> Instant {
        let operation = OPERATION.get();
        let since = operation.flatten().unwrap_or_else(Instant::now);
        OPERATION.set(operation.map(|_| Some(since)));
        since
    }
}

impl Drop for Operation {
    #[inline]
    fn drop(&mut self) {
        if !self.is_within {
            OPERATION.set(None);
        }
        if self.has_limit {
            LEAST_LIMIT.set(None);
        }
    }
}

/// How many units of work pass between two looks at the clock: some 10 µs.
const CHECK_EVERY: u32 = 256;

impl Budget {
    /// A budget that starts now.
    pub fn new(time_limit: Option<Duration>, state_limit: usize, cancel: CancelToken) -> Self {
        let deadline = time_limit.map(|limit| (Instant::now() + limit, limit));
        Self { deadline, later: None, state_limit, states: 0, cancel, until_check: 0 }
    }

    /// Begins anew, for a step of which most are over before anyone would look at the clock; the time is that of the [`Operation`] that
    /// the step is part of, if it is.
    pub(crate) fn restart(&mut self, time_limit: Duration, state_limit: usize) {
        (self.deadline, self.later) = (None, Some(time_limit));
        (self.state_limit, self.states) = (state_limit, 0);
    }

    /// The same with a time limit where there is none.
    pub(crate) fn or_limit(mut self, limit: Duration) -> Self {
        self.deadline.get_or_insert_with(|| (Instant::now() + limit, limit));
        self
    }

    /// The time limit, if there is one.
    pub(crate) fn time_limit(&self) -> Option<Duration> {
        self.deadline.map(|(_, limit)| limit)
    }

    /// Leaves room for so many states more, or fewer.
    pub(super) fn leave(&mut self, states: usize) {
        self.state_limit = self.state_limit.min(self.states.saturating_add(states));
    }

    /// Counts the states that a copy of this budget has counted.
    pub(super) fn spend_as(&mut self, copy: &Self) {
        self.states = copy.states;
    }

    /// How many states may be made.
    pub(crate) fn state_limit(&self) -> usize {
        self.state_limit
    }

    /// A budget that never ends, for tests and small built-in grammars.
    pub fn unlimited() -> Self {
        Self::new(None, usize::MAX, CancelToken::default())
    }

    /// Notes one unit of work.
    pub fn work(&mut self) -> Result<()> {
        if self.until_check > 0 {
            self.until_check -= 1;
            return Ok(());
        }
        self.until_check = CHECK_EVERY;
        if self.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        if let Some(limit) = self.later.take() {
            let limit = LEAST_LIMIT.get().map_or(limit, |least| limit.min(least));
            self.deadline = Some((Operation::since() + limit, limit));
        }
        match self.deadline {
            Some((deadline, limit)) if Instant::now() >= deadline => Err(Error::LimitExceeded {
                limit: "time_limit",
                message: format!("compiling takes more than {} s", limit.as_secs_f64()),
            }),
            _ => Ok(()),
        }
    }

    /// Notes one automaton state made.
    pub fn state(&mut self) -> Result<()> {
        self.states += 1;
        if self.states > self.state_limit {
            let message = format!("the grammar needs more than {} automaton states", self.state_limit);
            return Err(Error::LimitExceeded { limit: "state_limit", message });
        }
        self.work()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn an_operation_may_have_a_limit_of_its_own() {
        let hour = Duration::from_secs(3600);
        let mut b = Budget::unlimited();
        let operation = Operation::begin_within(Duration::ZERO);
        b.restart(hour, 1);
        assert!(matches!(b.work(), Err(Error::LimitExceeded { limit: "time_limit", .. })));
        drop(operation);
        b.restart(hour, 1);
        assert!((0..=CHECK_EVERY + 1).all(|_| b.work().is_ok()));
    }

    #[test]
    fn each_limit_has_its_error() {
        let mut b = Budget::new(None, 2, CancelToken::default());
        assert!(b.state().is_ok() && b.state().is_ok());
        assert!(matches!(b.state(), Err(Error::LimitExceeded { limit: "state_limit", .. })));

        let mut b = Budget::new(Some(Duration::ZERO), 100, CancelToken::default());
        assert!(matches!(b.work(), Err(Error::LimitExceeded { limit: "time_limit", .. })));

        b.restart(Duration::ZERO, 1);
        assert!(b.state().is_ok() && b.state().is_err());
        assert!((0..=CHECK_EVERY).any(|_| b.work().is_err()));

        // The time of an operation is not that of each of its steps.
        let over = |b: &mut Budget| (0..=CHECK_EVERY).any(|_| b.work().is_err());
        let operation = Operation::begin();
        b.restart(Duration::from_millis(1), 1);
        assert!(!over(&mut b));
        std::thread::sleep(Duration::from_millis(2));
        drop(Operation::begin());
        b.restart(Duration::from_millis(1), 1);
        assert!(over(&mut b));
        drop(operation);
        let operation = Operation::begin();
        b.restart(Duration::from_secs(100), 1);
        assert!(!over(&mut b));
        drop(operation);
        b.restart(Duration::ZERO, 1);
        assert!(over(&mut b));

        let cancel = CancelToken::default();
        let mut b = Budget::new(None, 100, cancel.clone());
        assert!(b.work().is_ok());
        cancel.cancel();
        assert!((0..=CHECK_EVERY).any(|_| b.work() == Err(Error::Cancelled)));
    }

    #[test]
    fn a_question_is_asked_every_so_often_until_it_stops() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let flag = CancelToken::default();
        let token = flag.asking(move || count.fetch_add(1, Ordering::Relaxed) == 1);
        let mut b = Budget::new(None, 100, token.clone());
        let began = Instant::now();
        while b.work().is_ok() {}
        assert_eq!(b.work(), Ok(()), "between two looks");
        assert!(token.is_cancelled() && !flag.is_cancelled());
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        assert!(began.elapsed() >= 2 * ASK_EVERY);
        flag.cancel();
        assert!(flag.asking(|| false).is_cancelled());
    }
}
