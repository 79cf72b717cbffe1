//! Pausing, stopping and checkpoints: what others request of a run, and what its plugin is told between two steps.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gradtop_abi as abi;
use gradtop_store::{Event, StoreError};

use super::{Call, Refused, Session};

/// Bits of [`Session::bits`]. A step loads them only once.
pub(crate) mod bit {
    /// A stop was requested.
    pub(crate) const STOP: u32 = 1;
    /// A pause was requested.
    pub(crate) const PAUSE: u32 = 2;
    /// A series of a guard metric has become non-finite or finite again.
    pub(crate) const DIVERGED: u32 = 4;
    /// A checkpoint was requested or is due.
    pub(crate) const CHECKPOINT: u32 = 8;
    /// The next `step_end` stops, with or without a checkpoint.
    pub(crate) const AT_ONCE: u32 = 16;
    /// The plugin has been told to stop and may have aborted its work, so the stop is final.
    pub(crate) const NOTIFIED: u32 = 32;
    /// The plugin was told to save during a stop.
    pub(crate) const POLLED: u32 = 64;
    /// The plugin has saved during a stop.
    pub(crate) const SAVED: u32 = 128;
    /// One more step is allowed so that a checkpoint can be saved for a stop.
    pub(crate) const DEFERRED: u32 = 256;
}

impl Session {
    // ---- called by the plugin ----

    /// Returns whether the plugin should stop; if so, the stop becomes final.
    pub(crate) fn should_stop(&self) -> bool {
        self.bits.load(Ordering::Relaxed) & bit::STOP != 0 && self.confirm_stop()
    }

    /// Makes a stop final, if one is still requested.
    #[cold]
    fn confirm_stop(&self) -> bool {
        self.change(|b| (b & bit::STOP != 0).then_some(b | bit::NOTIFIED)).is_ok()
    }

    /// Changes the bits atomically unless `f` returns `None`. Returns the previous bits.
    fn change(&self, f: impl FnMut(u32) -> Option<u32>) -> Result<u32, u32> {
        self.bits.fetch_update(Ordering::AcqRel, Ordering::Acquire, f)
    }

    pub(crate) fn should_checkpoint(&self) -> bool {
        if self.bits.load(Ordering::Acquire) & bit::CHECKPOINT == 0 {
            return false;
        }
        self.change(|b| (b & bit::STOP != 0).then_some(b | bit::POLLED)).ok();
        true
    }

    /// Called between steps. Returns whether to stop.
    pub(crate) fn step_end(&self) -> Call<bool> {
        if self.bits.load(Ordering::Acquire) & (bit::STOP | bit::PAUSE | bit::DIVERGED) == 0 {
            return Ok(false);
        }
        self.step_end_slowly()
    }

    #[cold]
    fn step_end_slowly(&self) -> Call<bool> {
        self.check_main("step_end")?;
        if self.bits.load(Ordering::Acquire) & bit::DIVERGED != 0 {
            self.judge();
        }
        self.wait_while_paused();
        // A stop requested after this step's `should_checkpoint` allows one more step, so that the plugin can save
        // where it will stop. Not if it was told to save and did not, and never twice.
        let at_once = bit::AT_ONCE | bit::SAVED | bit::POLLED | bit::DEFERRED;
        let waits = |b: u32| self.resumable && b & at_once == 0;
        let before = self.change(|b| {
            let stops = b & bit::STOP != 0;
            stops.then_some(b | if waits(b) { bit::DEFERRED } else { bit::NOTIFIED })
        });
        Ok(before.is_ok_and(|b| !waits(b)))
    }

    fn wait_while_paused(&self) {
        let paused = || self.is_to_wait();
        if !paused() {
            return;
        }
        self.rest();
        let mut gate = self.gate.lock();
        while paused() {
            // The time-out is only a precaution.
            self.opened.wait_for(&mut gate, Duration::from_secs(5));
        }
        drop(gate);
        self.go_on();
    }

    /// Marks the run as paused.
    pub(crate) fn rest(&self) {
        self.waiting.store(true, Ordering::Release);
        self.watch.lock().stop(Instant::now());
        self.event(&Event::Paused);
    }

    /// Marks the run as no longer paused.
    pub(crate) fn go_on(&self) {
        self.watch.lock().start(Instant::now());
        self.waiting.store(false, Ordering::Release);
        self.event(&Event::Unpaused);
    }

    /// Returns whether the run should pause.
    pub(crate) fn is_to_wait(&self) -> bool {
        self.bits.load(Ordering::Acquire) & (bit::PAUSE | bit::STOP) == bit::PAUSE
    }

    /// Lets `save` write a checkpoint, as [`Self::checkpoint_or`] does, by the status of a plugin.
    pub(crate) fn checkpoint(&self, step: i64, save: impl FnOnce(&std::path::Path) -> abi::Status) -> Call {
        self.checkpoint_or(step, |dir| match save(dir) {
            abi::OK => Ok(()),
            status => Err((status, format!("save returned {status}"))),
        })
    }

    /// Lets `save` write a checkpoint, or say why not. If the disk fails, that is a warning and there is no checkpoint.
    pub(crate) fn checkpoint_or(
        &self,
        step: i64,
        save: impl FnOnce(&std::path::Path) -> Result<(), (abi::Status, String)>,
    ) -> Call {
        self.check_main("checkpoint")?;
        if !self.resumable {
            let why = "the experiment is not declared resumable, so it has no checkpoints";
            return Err(Refused { status: abi::UNSUPPORTED, why: why.to_owned() });
        }
        if self.in_checkpoint.swap(true, Ordering::AcqRel) {
            return Err(Refused::invalid("checkpoint was called while one is being saved"));
        }
        let mut disk_failed = false;
        let saved = self.recorder.checkpoint(step, self.progress.epoch(), self.worked().trained_s, |dir| {
            save(dir).map_err(|(status, why)| {
                disk_failed = status == abi::IO;
                why
            })
        });
        self.in_checkpoint.store(false, Ordering::Release);
        // The request is answered, successfully or not: a plugin that failed to save is asked again when the next
        // checkpoint is due.
        let for_a_stop = |b| if saved.is_ok() && b & bit::STOP != 0 { bit::SAVED } else { 0 };
        self.change(|b| Some(b & !bit::CHECKPOINT | for_a_stop(b))).ok();
        self.checkpoints.fetch_add(1, Ordering::Release);
        match saved {
            Ok(path) => {
                let path = path.strip_prefix(self.run.path()).unwrap_or(&path).display().to_string();
                self.event(&Event::Checkpoint { step, path });
                Ok(())
            }
            // A checkpoint that cannot be written now is tried again when the next is due.
            Err(e) if e.patience().is_some() || matches!(e, StoreError::Save { .. }) && disk_failed => {
                let message = format!(
                    "the checkpoint of step {step} was not saved, and will be tried again when the next is due: {e}"
                );
                self.event(&Event::Warning { message: crate::text::clean(&message) });
                Ok(())
            }
            Err(e) => {
                self.event(&Event::Warning { message: crate::text::clean(&e.to_string()) });
                let refused = Refused::from(e);
                Err(Refused { status: abi::IO, ..refused })
            }
        }
    }

    fn check_main(&self, function: &str) -> Call {
        if std::thread::current().id() == self.main {
            return Ok(());
        }
        Err(Refused::invalid(format!("{function} may only be called on the thread that called run")))
    }

    // ---- called on behalf of others ----

    /// Asks the plugin to stop; a resumable one saves a checkpoint first. Returns `true` the first time.
    pub(crate) fn request_stop(&self) -> bool {
        let mut ask = bit::STOP;
        if self.resumable {
            ask |= bit::CHECKPOINT;
        }
        // Only the first request asks for a checkpoint: by the second it may already have been saved.
        let first = self.change(|b| (b & bit::STOP == 0).then_some(b | ask)).is_ok();
        self.wake();
        first
    }

    /// Cancels [`Self::request_stop`]. Returns `false` if it is too late or nothing was requested.
    pub(crate) fn withdraw_stop(&self) -> bool {
        let firm = bit::NOTIFIED | bit::AT_ONCE;
        let forget = bit::STOP | bit::POLLED | bit::SAVED | bit::DEFERRED;
        // The requested checkpoint remains, because somebody else may have asked for it too.
        self.change(|b| (b & bit::STOP != 0 && b & firm == 0).then_some(b & !forget)).is_ok()
    }

    /// Ends the run as failed at its next step. Only the first reason counts.
    pub(crate) fn fail(&self, why: String) {
        let mut failure = self.failure.lock();
        if failure.is_none() {
            self.event(&Event::Alert { message: why.clone() });
            *failure = Some(why);
        }
        drop(failure);
        self.bits.fetch_or(bit::STOP | bit::AT_ONCE, Ordering::AcqRel);
        self.wake();
    }

    /// Stops at the next `step_end`, with or without a checkpoint.
    pub(crate) fn hurry(&self) {
        self.bits.fetch_or(bit::AT_ONCE, Ordering::AcqRel);
        self.wake();
    }

    pub(crate) fn set_paused(&self, paused: bool) {
        if paused {
            self.bits.fetch_or(bit::PAUSE, Ordering::AcqRel);
        } else {
            self.bits.fetch_and(!bit::PAUSE, Ordering::AcqRel);
            self.wake();
        }
    }

    pub(crate) fn ask_for_checkpoint(&self) {
        if self.resumable {
            self.bits.fetch_or(bit::CHECKPOINT, Ordering::AcqRel);
        }
    }

    fn wake(&self) {
        // Taking the lock orders this after a waiting thread's check of the bits.
        drop(self.gate.lock());
        self.opened.notify_all();
    }
}
