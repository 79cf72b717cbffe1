//! How far a run is: the step and epoch logged last, the units of work done, and the phase.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use gradtop_store::Status;
use parking_lot::Mutex;

/// Written by the training thread, read by others.
#[derive(Default)]
pub(crate) struct Progress {
    /// `i64::MIN` before the first.
    step: AtomicI64,
    /// When the step was logged, by the recorder's clock.
    step_us: AtomicI64,
    /// Whether steps count from 0.
    from_zero: AtomicBool,
    /// Whether the units of work done are the steps logged: so it was at the last report, and no step was left out since.
    by_steps: AtomicBool,
    /// Bits of the epoch, NaN for none.
    epoch: AtomicU64,
    epochs_restart: AtomicBool,
    signs: AtomicU64,
    done: AtomicU64,
    total: AtomicU64,
    phase: Mutex<String>,
    phase_changed: AtomicBool,
}

impl Progress {
    pub(super) fn new() -> Self {
        let (step, epoch) = (AtomicI64::new(i64::MIN), AtomicU64::new(f64::NAN.to_bits()));
        Self { step, epoch, ..Self::default() }
    }

    // ---- the training thread ----

    /// Notes that values of a step were logged. A NaN epoch is none.
    pub(super) fn note(&self, step: i64, epoch: f64) {
        if step == 0 {
            self.from_zero.store(true, Ordering::Relaxed);
        }
        self.note_sign();
        if epoch.is_finite() {
            if epoch < f64::from_bits(self.epoch.load(Ordering::Relaxed)) {
                self.epochs_restart.store(true, Ordering::Relaxed);
            }
            self.epoch.store(epoch.to_bits(), Ordering::Relaxed);
        }
    }

    pub(super) fn set_step(&self, step: i64, time_us: i64) {
        self.step_us.store(time_us, Ordering::Relaxed);
        self.step.store(step, Ordering::Relaxed);
    }

    /// Like [`Self::set_step`], unless a later step was logged before.
    pub(super) fn advance_to(&self, step: i64, time_us: i64) {
        if self.step.fetch_max(step, Ordering::Relaxed) < step {
            self.step_us.store(time_us, Ordering::Relaxed);
        }
    }

    /// Not atomic as a whole, because it only matters that the count changes.
    pub(super) fn note_sign(&self) {
        self.signs.store(self.signs.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Sets the units of work done, of `total` (0: unknown), and the phase.
    pub(crate) fn set(&self, done: u64, total: u64, phase: Option<&str>) {
        if self.done.swap(done, Ordering::Relaxed) != done {
            self.note_sign();
        }
        self.total.store(total, Ordering::Relaxed);
        let mut current = self.phase.lock();
        let phase = phase.unwrap_or_default();
        if *current != phase {
            phase.clone_into(&mut current);
            self.phase_changed.store(true, Ordering::Relaxed);
            self.note_sign();
        }
    }

    /// Compares the units of work just reported with the steps logged.
    pub(crate) fn compare_with_steps(&self) {
        let (done, total) = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        self.by_steps.store(done > 0 && done == self.done_by_steps(total), Ordering::Relaxed);
    }

    /// Notes that a step was left out: units of work are not what is logged.
    pub(crate) fn note_gap(&self) {
        self.by_steps.store(false, Ordering::Relaxed);
    }

    /// Learns from before a resume whether steps count from 0.
    pub(super) fn inherit(&self, before: &Status) {
        let step = before.step.and_then(|step| u64::try_from(step).ok());
        if step.is_some() && before.done > step {
            self.from_zero.store(true, Ordering::Relaxed);
        }
    }

    // ---- others ----

    pub(crate) fn step(&self) -> Option<i64> {
        Some(self.step.load(Ordering::Relaxed)).filter(|s| *s != i64::MIN)
    }

    /// Returns the step logged last, and when that was by the recorder's clock.
    pub(super) fn step_logged(&self) -> Option<(i64, i64)> {
        Some((self.step()?, self.step_us.load(Ordering::Relaxed)))
    }

    pub(crate) fn epoch(&self) -> Option<f64> {
        Some(f64::from_bits(self.epoch.load(Ordering::Relaxed))).filter(|e| !e.is_nan())
    }

    /// Returns whether an epoch was lower than the previous one.
    pub(crate) fn epochs_restart(&self) -> bool {
        self.epochs_restart.load(Ordering::Relaxed)
    }

    /// Returns a count of what was logged and done, to notice when that ends.
    pub(crate) fn signs(&self) -> u64 {
        self.signs.load(Ordering::Relaxed)
    }

    /// Returns the units of work done and their total, 0 if unknown. Where units are steps, those logged since the last report
    /// are done, too.
    pub(crate) fn done_of(&self) -> (u64, u64) {
        let (done, total) = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        let steps = self.done_by_steps(total);
        let is_further = self.by_steps.load(Ordering::Relaxed) && steps <= total;
        (if is_further { done.max(steps) } else { done }, total)
    }

    /// Returns the units of work done of `total` if they are the steps logged. Where steps count from 0, a run that has
    /// logged step 9 has done 10; the values at the end of a run may be logged at the step `total`, 0 if it is not known.
    pub(crate) fn done_by_steps(&self, total: u64) -> u64 {
        let step = self.step().and_then(|step| u64::try_from(step).ok());
        let more = |step| u64::from((total == 0 || step < total) && self.from_zero.load(Ordering::Relaxed));
        step.map_or(0, |step| step.saturating_add(more(step)))
    }

    pub(crate) fn phase(&self) -> Option<String> {
        Some(self.phase.lock().clone()).filter(|p| !p.is_empty())
    }

    /// Returns whether the phase has changed since the last call.
    pub(crate) fn has_new_phase(&self) -> bool {
        self.phase_changed.swap(false, Ordering::Relaxed)
    }
}
