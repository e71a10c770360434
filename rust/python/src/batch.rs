//! Many matchers in one call: `BatchGrammarMatcher`.
//!
//! Masks of different rows are independent, so they are filled on several threads, with the interpreter lock released. Matchers that
//! share a session wait for each other where a mask is new, so rows are ordered by session: each thread gets its own.

use crate::array::Bitmask;
use crate::convert::{counts, optional_counts};
use crate::error::{Raise, invalid_argument};
use crate::matcher::{GrammarMatcher, Text};
use crate::tokenizer::TokenId;
use bytewright::Matcher;
use parking_lot::Mutex;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::Arc;
use std::thread::available_parallelism;

/// A thread is given at least this many rows: waking one costs about as much as filling a few ready masks.
const MIN_ROWS_PER_THREAD: usize = 4;
/// More threads than any machine can use for this.
pub(crate) const MAX_THREADS: usize = 1024;

/// Fills the masks of a batch on several threads.
#[pyclass(frozen, module = "bytewright")]
pub(crate) struct BatchGrammarMatcher {
    max_threads: usize,
    /// Started by the first batch that can use it.
    pool: Mutex<Option<Pool>>,
}

struct Pool {
    threads: Arc<ThreadPool>,
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
        let mut jobs: Vec<_> = matchers.iter().map(Py::get).zip(rows).enumerate().collect();
        let fill = |(number, (matcher, row)): (usize, (&GrammarMatcher, &mut [u32]))| {
            (number, matcher.with_detached(|m| m.fill_next_token_bitmask(row)).map(drop))
        };
        let mut results: Vec<(usize, bytewright::Result<()>)> = match self.threads(jobs.len())? {
            None => py.detach(|| jobs.into_iter().map(fill).collect()),
            Some(pool) => py.detach(|| {
                jobs.sort_by_cached_key(|(_, (matcher, _))| matcher.with_detached(|m| m.session_number()));
                side_by_side(&pool, self.max_threads, jobs, fill)
            }),
        };
        results.sort_unstable_by_key(|result| result.0);
        results.into_iter().try_for_each(|result| result.1).raise()
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
    /// The threads for a batch, unless one thread will do.
    fn threads(&self, rows: usize) -> PyResult<Option<Arc<ThreadPool>>> {
        if self.max_threads == 1 || rows <= MIN_ROWS_PER_THREAD {
            return Ok(None);
        }
        let mut slot = self.pool.lock();
        if let Some(pool) = slot.take_if(|pool| pool.process != std::process::id()) {
            // A forked process has the parent's pool but none of its threads: to wait for them would be to hang.
            std::mem::forget(pool);
        }
        if let Some(pool) = &*slot {
            return Ok(Some(Arc::clone(&pool.threads)));
        }
        let threads = ThreadPoolBuilder::new().num_threads(self.max_threads - 1).build();
        let threads = Arc::new(threads.map_err(|error| {
            invalid_argument(format!("cannot start {} threads: {error}", self.max_threads))
        })?);
        *slot = Some(Pool { threads: Arc::clone(&threads), process: std::process::id() });
        Ok(Some(threads))
    }
}

/// Does jobs on this thread and on others, each of which begins at a place of its own and goes round from there, so that all are at work
/// on different sessions, and none waits for another to be done with its share.
fn side_by_side<J: Send, R: Send>(
    pool: &ThreadPool,
    threads: usize,
    jobs: Vec<J>,
    work: impl Fn(J) -> R + Sync,
) -> Vec<R> {
    let count = jobs.len();
    let threads = threads.min(count.div_ceil(MIN_ROWS_PER_THREAD));
    let jobs: Vec<Mutex<Option<J>>> = jobs.into_iter().map(|job| Mutex::new(Some(job))).collect();
    let results = Mutex::new(Vec::with_capacity(count));
    let share = |thread: usize| {
        let from = thread * count / threads;
        let mut done = Vec::with_capacity(count / threads + 1);
        for job in jobs[from..].iter().chain(&jobs[..from]) {
            let taken = job.lock().take();
            done.extend(taken.map(&work));
        }
        results.lock().append(&mut done);
    };
    pool.in_place_scope(|scope| {
        (1..threads).for_each(|thread| {
            let share = &share;
            scope.spawn(move |_| share(thread))
        });
        share(0);
    });
    results.into_inner()
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
