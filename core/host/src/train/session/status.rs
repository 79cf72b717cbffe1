//! What a run shows of itself: what its status is made of.

use std::sync::atomic::Ordering;

use gradtop_store::{HeadlineValue, State};
use jiff::Timestamp;

use super::{HEADLINES, Session, bit, headline};

impl Session {
    pub(crate) fn started(&self) -> Option<Timestamp> {
        self.started.get().copied()
    }

    /// Seconds of training so far, without pauses.
    pub(crate) fn trained_s(&self) -> Option<f64> {
        self.trained.lock().seconds()
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    pub(crate) fn outcome(&self) -> Option<gradtop_store::Ending> {
        self.outcome.get().cloned()
    }

    /// Training has ended so, and all that can be written is.
    pub(crate) fn end(&self, ending: gradtop_store::Ending) {
        self.outcome.set(ending).ok();
    }

    /// Whether somebody, not the host itself, asked for a stop.
    pub(crate) fn stop_was_asked(&self) -> bool {
        self.is_stopping() && self.failure().is_none()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.bits.load(Ordering::Acquire) & bit::STOP != 0
    }

    pub(crate) fn is_saving(&self) -> bool {
        self.in_checkpoint.load(Ordering::Acquire)
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire)
    }

    pub(crate) fn state(&self) -> State {
        if self.is_stopping() {
            State::Stopping
        } else if self.is_waiting() {
            State::Paused
        } else if self.started().is_some() {
            // Until its end is written: what comes after training is no start.
            State::Running
        } else {
            State::Starting
        }
    }

    pub(crate) fn step(&self) -> Option<i64> {
        Some(self.step.load(Ordering::Relaxed)).filter(|s| *s != i64::MIN)
    }

    pub(crate) fn epoch(&self) -> Option<f64> {
        Some(f64::from_bits(self.epoch.load(Ordering::Relaxed))).filter(|e| !e.is_nan())
    }

    /// Whether an epoch was below the one before it.
    pub(crate) fn epochs_restart(&self) -> bool {
        self.epochs_restart.load(Ordering::Relaxed)
    }

    pub(crate) fn done_of(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }

    pub(crate) fn phase(&self) -> Option<String> {
        Some(self.phase.lock().clone()).filter(|p| !p.is_empty())
    }

    /// The values that overviews show, and whether there are more.
    pub(crate) fn headline(&self) -> (Vec<HeadlineValue>, bool) {
        let series = self.headline.lock().clone();
        let values: Vec<_> = series
            .into_iter()
            .filter_map(|(number, key)| {
                let (_, value) = self.recorder.latest(number)?;
                // What a network had before it diverged is not what it has.
                let value = if self.divergence.lock().is_bad(&key) { f64::NAN } else { value };
                Some(HeadlineValue { key, value })
            })
            .collect();
        let all = values.len();
        let metrics = self.metrics.read();
        let shown = headline::best(values, |m| metrics.get(m), HEADLINES);
        let is_part = shown.len() < all;
        (shown, is_part)
    }
}
