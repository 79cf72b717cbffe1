//! What a session contributes to the run's status.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gradtop_store::{HeadlineValue, State, Status};
use jiff::Timestamp;

use super::stopwatch::Worked;
use super::{HEADLINES, Session, bit, headline};

impl Session {
    pub(crate) fn started(&self) -> Option<Timestamp> {
        self.started.get().copied()
    }

    /// Returns how long the run has worked so far.
    pub(crate) fn worked(&self) -> Worked {
        self.watch.lock().read(Instant::now())
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    pub(crate) fn outcome(&self) -> Option<gradtop_store::Ending> {
        self.outcome.get().cloned()
    }

    /// Records that training has ended and everything that can be written has been.
    pub(crate) fn end(&self, ending: gradtop_store::Ending) {
        self.outcome.set(ending).ok();
    }

    /// Returns whether somebody other than the host asked for a stop.
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
            // Running until the end is written, because what follows training is not a start.
            State::Running
        } else {
            State::Starting
        }
    }

    /// Keeps the headline values from before a resume until their series are logged again, and whether steps count
    /// from 0.
    pub(crate) fn inherit(&self, before: &Status) {
        self.progress.inherit(before);
        *self.headline_before.lock() = (before.headline.clone(), before.headline_is_part);
    }

    /// Returns the step logged last, and when that was.
    pub(crate) fn step_logged(&self) -> Option<(i64, Instant)> {
        let (step, time_us) = self.progress.step_logged()?;
        let ago =
            Duration::from_micros(u64::try_from(self.recorder.now().saturating_sub(time_us)).unwrap_or(0));
        Some((step, Instant::now().checked_sub(ago)?))
    }

    /// Returns the headline values, and whether there are more.
    pub(crate) fn headline(&self) -> (Vec<HeadlineValue>, bool) {
        let series = self.headline.lock().clone();
        let logged = series.into_iter().filter_map(|(number, key)| {
            let (_, value) = self.recorder.latest(number)?;
            // A network that has diverged no longer has its earlier values.
            let value =
                if value.is_finite() && self.divergence.lock().is_bad(&key) { f64::NAN } else { value };
            Some(HeadlineValue { key, value })
        });
        let (mut values, was_part) = self.headline_before.lock().clone();
        for new in logged {
            match values.iter_mut().find(|value| value.key == new.key) {
                Some(value) => value.value = new.value,
                None => values.push(new),
            }
        }
        let all = values.len();
        let metrics = self.metrics.read();
        let shown = headline::best(values, |m| metrics.get(m), HEADLINES);
        let is_part = was_part || shown.len() < all;
        (shown, is_part)
    }
}
