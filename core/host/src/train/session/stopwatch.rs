//! Measures training time without pauses.

use std::time::{Duration, Instant};

/// Seconds of training, over all processes of a run.
#[derive(Default)]
pub(crate) struct Stopwatch {
    /// Time of earlier processes that still counts; `None` if unknown.
    pub(super) before: Option<f64>,
    own: Duration,
    since: Option<Instant>,
}

impl Stopwatch {
    pub(crate) fn start(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    pub(crate) fn stop(&mut self) {
        self.own += self.since.take().map(|since| since.elapsed()).unwrap_or_default();
    }

    pub(crate) fn seconds(&self) -> Option<f64> {
        let running = self.since.map(|since| since.elapsed()).unwrap_or_default();
        Some(self.before? + (self.own + running).as_secs_f64())
    }
}
