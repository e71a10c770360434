//! Work that Ctrl-C can stop.
//!
//! Python runs signal handlers on its main thread only, and there between two bytecodes or when it is asked to. So long work
//! on the main thread asks, every so often, and stops if a handler raises. On any other thread there is nothing to ask.

use crate::error::Raise;
use bytewright::Result;
use parking_lot::Mutex;
use pyo3::prelude::*;
use std::sync::Arc;

/// Whether to stop. The interpreter lock is taken to find out.
pub(crate) type Stops = Box<dyn Fn() -> bool + Send + Sync>;

/// Runs `work` without the interpreter lock; it is given what to ask, and ends soon after the answer is to stop. Raises what a
/// signal handler raised.
pub(crate) fn interruptible<T: Send>(
    py: Python<'_>,
    work: impl FnOnce(Stops) -> Result<T> + Send,
) -> PyResult<T> {
    if !is_main_thread(py)? {
        return py.detach(|| work(Box::new(|| false))).raise();
    }
    let raised = Arc::new(Mutex::new(None));
    let note = Arc::clone(&raised);
    let stops = move || {
        let checked = Python::attach(|py| py.check_signals());
        checked.map_err(|error| *note.lock() = Some(error)).is_err()
    };
    let outcome = py.detach(|| work(Box::new(stops)));
    let raised = raised.lock().take();
    raised.map_or_else(|| outcome.raise(), Err)
}

fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import("threading")?;
    let main = threading.call_method0("main_thread")?.getattr("ident")?;
    threading.call_method0("get_ident")?.eq(main)
}
