//! Processor time of this thread. On a machine that others use too, the clock also counts their turns, milliseconds at a
//! time; this does not.

#![allow(dead_code, missing_docs, unreachable_pub)]

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use std::time::Duration;

/// What this thread has used so far.
pub fn thread_time() -> Duration {
    cpu_time::ThreadTime::now().as_duration()
}

/// Criterion's measurement by [`thread_time`].
pub struct ThreadTime;

impl Measurement for ThreadTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        thread_time()
    }

    fn end(&self, start: Duration) -> Duration {
        thread_time() - start
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}
