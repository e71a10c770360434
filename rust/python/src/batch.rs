//! Many matchers in one call: `BatchGrammarMatcher`.
//!
//! Masks of different rows are independent, so they are filled on several threads, with the interpreter lock released. Matchers that
//! share a session wait for each other, and what one thread has written there is far away from another. So the matchers of a session are
//! one piece of work, and a thread begins with the same pieces at each step.

use crate::array::Bitmask;
use crate::convert::{counts, optional_counts};
use crate::error::{Raise, invalid_argument};
use crate::matcher::{GrammarMatcher, Text};
use crate::tokenizer::TokenId;
use bytewright::Matcher;
use parking_lot::Mutex;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

/// A thread is woken for at least this many rows: that costs about as much as filling a few ready masks.
const MIN_ROWS_PER_THREAD: usize = 4;
/// So long a thread that is through with its share waits for the others without letting go of its core.
const LONGEST_SPIN: Duration = Duration::from_micros(30);
/// And so long without sleeping.
const LONGEST_WAIT: Duration = Duration::from_micros(500);
/// So long after a batch its threads look out for the next one before they sleep.
const LOOKOUT: Duration = Duration::from_micros(100);
/// More threads than any machine can use for this.
pub(crate) const MAX_THREADS: usize = 1024;

/// Fills the masks of a batch on several threads.
#[pyclass(frozen, module = "bytewright")]
pub(crate) struct BatchGrammarMatcher {
    max_threads: usize,
    /// Started by the first batch that can use it.
    pool: Mutex<Option<Pool>>,
}

#[derive(Clone)]
struct Pool {
    threads: Arc<ThreadPool>,
    /// The number of batches that were begun.
    batches: Arc<AtomicUsize>,
    process: u32,
}

#[pymethods]
impl BatchGrammarMatcher {
    /// `max_threads` is a number, or "auto" for half of the machine's cores.
    #[new]
    #[pyo3(signature = (max_threads=None), text_signature = "(max_threads=\"auto\")")]
    fn new(max_threads: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let auto = || available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
        let max_threads = match max_threads {
            None => auto(),
            Some(text) if text.extract::<&str>().is_ok_and(|text| text == "auto") => auto(),
            Some(number) => match number.extract::<usize>() {
                Ok(number @ 1..=MAX_THREADS) => number,
                _ => {
                    return Err(invalid_argument(format!(
                        "max_threads must be \"auto\" or 1 to {MAX_THREADS}"
                    )));
                }
            },
        };
        Ok(Self { max_threads, pool: Mutex::new(None) })
    }

    /// How many threads a batch may use.
    #[getter]
    fn max_threads(&self) -> usize {
        self.max_threads
    }

    /// Fills the mask of `matchers[i]` into row `indices[i]` of `bitmask` (row i without `indices`).
    ///
    /// Raises the first error of any matcher, once all are done; the rows of the others are filled. No row may be named
    /// twice.
    #[pyo3(signature = (matchers, bitmask, indices=None))]
    fn batch_fill_next_token_bitmask(
        &self,
        matchers: Vec<Py<GrammarMatcher>>,
        bitmask: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = optional_counts)] indices: Option<Vec<usize>>,
    ) -> PyResult<()> {
        let py = bitmask.py();
        let indices = indices.unwrap_or_else(|| (0..matchers.len()).collect());
        same_length(matchers.len(), indices.len(), "indices")?;
        let mut bitmask = Bitmask::writable(bitmask)?;
        let rows = bitmask.rows_mut(&indices)?;
        let jobs = matchers.iter().map(Py::get).zip(rows).collect();
        let fill = |matcher: &GrammarMatcher, row: &mut [u32]| {
            matcher.with_detached(|m| m.fill_next_token_bitmask(row)).map(drop)
        };
        self.for_each(py, jobs, fill)?.into_iter().collect::<bytewright::Result<()>>().raise()
    }

    /// A whole step: `matchers[i]` takes `tokens[i]`, and the mask of what may follow goes into row `indices[i]` of `bitmask` (row i
    /// without `indices`). Returns what `accept_token` would.
    ///
    /// Each matcher takes its token on the thread that fills its mask, so that what it remembers stays with one core; this is
    /// quicker than `batch_accept_token` and `batch_fill_next_token_bitmask`. A matcher that refuses its token has not moved, and its row
    /// is the mask of where it stands. The row of one that its token terminates has every bit set.
    ///
    /// Raises `TokenOutOfRangeError`, `MatcherTerminatedError` for a matcher that had ended before, `InvalidBitmaskError` for a wrong array,
    /// and `InvalidArgumentError` where a row or a matcher is named twice. If any raises, none has moved, and the rows may hold anything.
    #[pyo3(signature = (matchers, tokens, bitmask, indices=None))]
    fn batch_accept_and_fill(
        &self,
        matchers: Vec<Py<GrammarMatcher>>,
        tokens: Vec<TokenId>,
        bitmask: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = optional_counts)] indices: Option<Vec<usize>>,
    ) -> PyResult<Vec<bool>> {
        let py = bitmask.py();
        let indices = indices.unwrap_or_else(|| (0..matchers.len()).collect());
        same_length(matchers.len(), indices.len(), "indices")?;
        same_length(matchers.len(), tokens.len(), "tokens")?;
        all_different(&matchers)?;
        let ids = matchers.iter().zip(tokens).map(|(matcher, token)| matcher.get().token(token));
        let ids: Vec<u32> = ids.collect::<bytewright::Result<_>>().raise()?;
        let mut bitmask = Bitmask::writable(bitmask)?;
        let rows = bitmask.rows_mut(&indices)?;
        let jobs = matchers.iter().map(Py::get).zip(ids.into_iter().zip(rows)).collect();
        let steps =
            self.for_each(py, jobs, |matcher, (id, row)| matcher.with_detached(|m| Step::new(m, id, row)))?;
        let all: bytewright::Result<Vec<bool>> =
            steps.iter().map(|step| step.filled.clone().map(|()| step.has_moved)).collect();
        if all.is_err() {
            let mut moved = steps.iter().zip(&matchers).filter(|(step, _)| step.has_moved);
            moved.try_for_each(|(_, matcher)| matcher.get().with(py, |m| m.rollback(1))).raise()?;
        }
        all.raise()
    }

    /// `accept_token` for each matcher. If any raises, none has moved.
    #[staticmethod]
    fn batch_accept_token(
        py: Python<'_>,
        matchers: Vec<Py<GrammarMatcher>>,
        tokens: Vec<TokenId>,
    ) -> PyResult<Vec<bool>> {
        same_length(matchers.len(), tokens.len(), "tokens")?;
        let ids = matchers.iter().zip(tokens).map(|(matcher, token)| matcher.get().token(token));
        let ids: Vec<u32> = ids.collect::<bytewright::Result<_>>().raise()?;
        all_or_none(py, &matchers, &ids, |matcher, &id| matcher.accept_token(id))
    }

    /// `accept_string` for each matcher. If any raises, none has moved.
    #[staticmethod]
    fn batch_accept_string(
        py: Python<'_>,
        matchers: Vec<Py<GrammarMatcher>>,
        strings: Vec<Text<'_>>,
    ) -> PyResult<Vec<bool>> {
        same_length(matchers.len(), strings.len(), "strings")?;
        let texts: Vec<&[u8]> = strings.iter().map(Text::as_bytes).collect();
        all_or_none(py, &matchers, &texts, |matcher, text| matcher.accept_bytes(text))
    }

    /// `rollback` for each matcher. If any raises, none has moved.
    #[staticmethod]
    fn batch_rollback(
        py: Python<'_>,
        matchers: Vec<Py<GrammarMatcher>>,
        #[pyo3(from_py_with = counts)] num_tokens: Vec<usize>,
    ) -> PyResult<()> {
        same_length(matchers.len(), num_tokens.len(), "num_tokens")?;
        all_or_none(py, &matchers, &num_tokens, |matcher, &steps| matcher.rollback(steps)).map(drop)
    }
}

impl BatchGrammarMatcher {
    /// Does something for each matcher, those of different sessions side by side; the results come in order.
    fn for_each<'a, T: Send, R: Send>(
        &self,
        py: Python<'_>,
        jobs: Vec<(&'a GrammarMatcher, T)>,
        work: impl Fn(&'a GrammarMatcher, T) -> R + Sync,
    ) -> PyResult<Vec<R>> {
        let Some(pool) = self.threads(jobs.len())? else {
            return Ok(py.detach(|| jobs.into_iter().map(|(matcher, job)| work(matcher, job)).collect()));
        };
        let threads = self.max_threads.min(jobs.len().div_ceil(MIN_ROWS_PER_THREAD));
        Ok(py.detach(|| {
            let session = |matcher: &GrammarMatcher| matcher.with_detached(|m| m.session_number());
            let mut jobs: Vec<_> =
                jobs.into_iter().zip(0..).map(|((m, job), at)| (session(m), at, m, job)).collect();
            jobs.sort_unstable_by_key(|&(session, at, ..)| (session, at));
            let mut pieces: Vec<Vec<(usize, &GrammarMatcher, T)>> = Vec::new();
            let mut last = None;
            for (session, at, matcher, job) in jobs {
                match pieces.last_mut().filter(|_| last == Some(session)) {
                    Some(piece) => piece.push((at, matcher, job)),
                    None => pieces.push(vec![(at, matcher, job)]),
                }
                last = Some(session);
            }
            let work = |piece: Vec<(usize, &'a GrammarMatcher, T)>, out: &mut Vec<(usize, R)>| {
                out.extend(piece.into_iter().map(|(at, matcher, job)| (at, work(matcher, job))));
            };
            let mut results = pool.side_by_side(threads, pieces, work);
            results.sort_unstable_by_key(|result| result.0);
            results.into_iter().map(|result| result.1).collect()
        }))
    }

    /// The threads for a batch, unless one thread will do.
    fn threads(&self, rows: usize) -> PyResult<Option<Pool>> {
        if self.max_threads == 1 || rows <= MIN_ROWS_PER_THREAD {
            return Ok(None);
        }
        let mut slot = self.pool.lock();
        if let Some(pool) = slot.take_if(|pool| pool.process != std::process::id()) {
            // A forked process has the parent's pool but none of its threads: to wait for them would be to hang.
            std::mem::forget(pool);
        }
        if let Some(pool) = &*slot {
            return Ok(Some(pool.clone()));
        }
        let threads = ThreadPoolBuilder::new().num_threads(self.max_threads - 1).build();
        let threads = threads.map_err(|error| {
            invalid_argument(format!("cannot start {} threads: {error}", self.max_threads))
        })?;
        let (threads, batches) = (Arc::new(threads), Arc::default());
        Ok(Some(slot.insert(Pool { threads, batches, process: std::process::id() }).clone()))
    }
}

/// A matcher's step: whether it took the token, and whether all went well.
struct Step {
    has_moved: bool,
    filled: bytewright::Result<()>,
}

impl Step {
    fn new(matcher: &mut Matcher, id: u32, row: &mut [u32]) -> Self {
        let (has_moved, filled) = match matcher.accept_token(id) {
            Err(error) => (false, Err(error)),
            Ok(true) if matcher.is_terminated() => {
                row.fill(u32::MAX);
                (true, Ok(()))
            }
            Ok(has_moved) => (has_moved, matcher.fill_next_token_bitmask(row).map(drop)),
        };
        Self { has_moved, filled }
    }
}

impl Pool {
    /// Does pieces of work on this thread and on others. Each has a share of its own; one that is through with its own takes what is
    /// left of the others', from the end.
    fn side_by_side<J: Send, R: Send>(
        &self,
        threads: usize,
        pieces: Vec<J>,
        work: impl Fn(J, &mut Vec<R>) + Sync,
    ) -> Vec<R> {
        self.batches.fetch_add(1, Ordering::Release);
        let threads = threads.min(pieces.len());
        let mut shares: Vec<Mutex<VecDeque<J>>> = (0..threads).map(|_| Mutex::default()).collect();
        let count = pieces.len();
        for (number, piece) in pieces.into_iter().enumerate() {
            shares[number * threads / count].get_mut().push_back(piece);
        }
        let (results, at_work) = (Mutex::new(Vec::new()), AtomicUsize::new(threads - 1));
        let share = |thread: usize| {
            let mut done = Vec::new();
            let own = || shares[thread].lock().pop_front();
            let others = || (1..threads).find_map(|next| shares[(thread + next) % threads].lock().pop_back());
            while let Some(piece) = own().or_else(others) {
                work(piece, &mut done);
            }
            results.lock().append(&mut done);
        };
        self.threads.in_place_scope(|scope| {
            (1..threads).for_each(|thread| {
                let share = &share;
                let at_work = &at_work;
                scope.spawn(move |_| {
                    share(thread);
                    at_work.fetch_sub(1, Ordering::Release);
                })
            });
            share(0);
            // A scope puts its thread to sleep.
            wait_until(LONGEST_WAIT, || at_work.load(Ordering::Acquire) == 0);
        });
        self.look_out(threads - 1);
        results.into_inner()
    }

    /// Keeps some threads from sleeping until another batch begins, or for a while.
    fn look_out(&self, threads: usize) {
        let last = self.batches.load(Ordering::Acquire);
        for _ in 0..threads {
            let batches = Arc::clone(&self.batches);
            self.threads.spawn(move || wait_until(LOOKOUT, || batches.load(Ordering::Acquire) != last));
        }
    }
}

/// Waits for something, or for a while, without sleeping: to be woken takes as long as many masks do.
fn wait_until(longest: Duration, is_done: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_done() {
        match since.elapsed() {
            waited if waited < LONGEST_SPIN => std::hint::spin_loop(),
            // Who is waited for may be waiting for this core.
            waited if waited < longest => std::thread::yield_now(),
            _ => break,
        }
    }
}

/// No matcher can take two steps at once.
fn all_different(matchers: &[Py<GrammarMatcher>]) -> PyResult<()> {
    let mut known: Vec<_> = matchers.iter().map(Py::as_ptr).collect();
    known.sort_unstable();
    if known.windows(2).all(|pair| pair[0] != pair[1]) {
        return Ok(());
    }
    Err(invalid_argument("a matcher stands in the batch twice; fork it"))
}

fn same_length(matchers: usize, others: usize, what: &str) -> PyResult<()> {
    if matchers == others {
        return Ok(());
    }
    Err(invalid_argument(format!("{matchers} matchers, but {others} {what}")))
}

/// Moves each matcher by its argument; after an error all are put back where they were.
fn all_or_none<A: Sync, T: Send>(
    py: Python<'_>,
    matchers: &[Py<GrammarMatcher>],
    arguments: &[A],
    step: impl Fn(&mut Matcher, &A) -> bytewright::Result<T> + Sync,
) -> PyResult<Vec<T>> {
    py.detach(|| {
        let mut undo: Vec<(&GrammarMatcher, Matcher)> = Vec::with_capacity(matchers.len());
        let mut results = Vec::with_capacity(matchers.len());
        for (matcher, argument) in matchers.iter().map(Py::get).zip(arguments) {
            let (before, result) = matcher.with_detached(|m| (m.fork(), step(m, argument)));
            undo.push((matcher, before));
            match result {
                Ok(result) => results.push(result),
                Err(error) => {
                    undo.into_iter()
                        .rev()
                        .for_each(|(matcher, before)| matcher.with_detached(|m| *m = before));
                    return Err(error);
                }
            }
        }
        Ok(results)
    })
    .raise()
}
