//! Work that Ctrl-C can stop.
//!
//! Python runs signal handlers on its main thread only, between two bytecodes. Long work therefore goes to a helper
//! thread when the main thread asks for it, while the main thread waits and looks for signals. From any other thread
//! there is nothing to look for, and the work runs where it was asked for.

use crate::error::{Raise, to_py_err};
use bytewright::{Error, Result};
use pyo3::prelude::*;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// How long a signal may wait.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The helper's stack, as large as a main thread's.
const STACK_BYTES: usize = 8 << 20;

/// Runs `work` without the interpreter lock. If a signal handler raises meanwhile, calls `cancel`, waits for `work` to
/// end, and raises what the handler raised.
pub(crate) fn interruptible<T: Send>(
    py: Python<'_>,
    cancel: impl Fn() + Sync,
    work: impl FnOnce() -> Result<T> + Send,
) -> PyResult<T> {
    if !is_main_thread(py)? {
        return py.detach(work).raise();
    }
    thread::scope(|scope| {
        let (done, mut result) = sync_channel(1);
        let helper = move || drop(done.send(work()));
        let spawned = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, helper);
        spawned
            .map_err(|error| to_py_err(Error::InvalidArgument(format!("cannot start a thread: {error}"))))?;
        let mut interrupted = None;
        loop {
            let received;
            (received, result) = py.detach(move || (result.recv_timeout(LOOK_EVERY), result));
            match (received, interrupted.take()) {
                (Err(RecvTimeoutError::Timeout), None) => {
                    if let Err(raised) = py.check_signals() {
                        cancel();
                        interrupted = Some(raised);
                    }
                }
                (Err(RecvTimeoutError::Timeout), still_waiting) => interrupted = still_waiting,
                (_, Some(raised)) => return Err(raised),
                (Ok(outcome), None) => return outcome.raise(),
                (Err(RecvTimeoutError::Disconnected), None) => return Err(to_py_err(Error::Cancelled)),
            }
        }
    })
}

fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import("threading")?;
    let main = threading.call_method0("main_thread")?.getattr("ident")?;
    threading.call_method0("get_ident")?.eq(main)
}
