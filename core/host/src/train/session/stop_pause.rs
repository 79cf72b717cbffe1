//! Where a run waits, saves and stops: what others ask of it, and what its plugin is told between two steps.

use std::sync::atomic::Ordering;
use std::time::Duration;

use gradtop_abi as abi;
use gradtop_store::{Event, StoreError};

use super::{Call, Refused, Session};

/// Bits of [`Session::bits`]. One load of them is all that a step costs.
pub(crate) mod bit {
    /// A stop was asked for.
    pub(crate) const STOP: u32 = 1;
    /// The run shall wait.
    pub(crate) const PAUSE: u32 = 2;
    /// A series of a guard metric has changed between finite and not.
    pub(crate) const DIVERGED: u32 = 4;
    /// A checkpoint is asked for or due.
    pub(crate) const CHECKPOINT: u32 = 8;
    /// The next `step_end` stops, checkpoint or not.
    pub(crate) const AT_ONCE: u32 = 16;
    /// The plugin has been told to stop: it may have broken off its work, so the stop can no longer be taken back.
    pub(crate) const TOLD: u32 = 32;
    /// Told to save while a stop was asked for.
    pub(crate) const POLLED: u32 = 64;
    /// Saved while a stop was asked for.
    pub(crate) const SAVED: u32 = 128;
    /// Let one more step pass, for a stop to be saved at.
    pub(crate) const DEFERRED: u32 = 256;
}

impl Session {
    // ---- what the plugin asks ----

    /// What the plugin is told; from then on a stop stands.
    pub(crate) fn should_stop(&self) -> bool {
        self.bits.load(Ordering::Relaxed) & bit::STOP != 0 && self.tell_to_stop()
    }

    /// Makes a stop final, if there still is one.
    #[cold]
    fn tell_to_stop(&self) -> bool {
        self.change(|b| (b & bit::STOP != 0).then_some(b | bit::TOLD)).is_ok()
    }

    /// Changes the bits in one step, unless `f` gives `None`. The bits before.
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

    /// Between steps. `Ok(true)`: stop.
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
        // A stop that came after this step's `should_checkpoint` lets one more step pass, in which the plugin can save
        // where it will stop. Not if it was told to save and did not, and never twice.
        let at_once = bit::AT_ONCE | bit::SAVED | bit::POLLED | bit::DEFERRED;
        let waits = |b: u32| self.resumable && b & at_once == 0;
        let before = self.change(|b| {
            let stops = b & bit::STOP != 0;
            stops.then_some(b | if waits(b) { bit::DEFERRED } else { bit::TOLD })
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
            // The time-out is a second look, nothing more.
            self.opened.wait_for(&mut gate, Duration::from_secs(5));
        }
        drop(gate);
        self.go_on();
    }

    /// From now on it waits.
    pub(crate) fn rest(&self) {
        self.waiting.store(true, Ordering::Release);
        self.trained.lock().stop();
        self.event(&Event::Paused);
    }

    /// It waits no longer.
    pub(crate) fn go_on(&self) {
        self.trained.lock().start();
        self.waiting.store(false, Ordering::Release);
        self.event(&Event::Unpaused);
    }

    /// Whether it shall wait.
    pub(crate) fn is_to_wait(&self) -> bool {
        self.bits.load(Ordering::Acquire) & (bit::PAUSE | bit::STOP) == bit::PAUSE
    }

    /// Has `save` write a checkpoint. One that the disk does not take is a warning, and no checkpoint.
    pub(crate) fn checkpoint(&self, step: i64, save: impl FnOnce(&std::path::Path) -> abi::Status) -> Call {
        self.check_main("checkpoint")?;
        if !self.resumable {
            let why = "the experiment is not declared resumable, so it has no checkpoints";
            return Err(Refused { status: abi::UNSUPPORTED, why: why.to_owned() });
        }
        if self.in_checkpoint.swap(true, Ordering::AcqRel) {
            return Err(Refused::invalid("checkpoint was called while one is being saved"));
        }
        let epoch = Some(f64::from_bits(self.epoch.load(Ordering::Relaxed))).filter(|e| !e.is_nan());
        let mut disk_failed = false;
        let saved = self.recorder.checkpoint_after(step, epoch, self.trained_s(), |dir| match save(dir) {
            abi::OK => Ok(()),
            status => {
                disk_failed = status == abi::IO;
                Err(format!("save returned {status}"))
            }
        });
        self.in_checkpoint.store(false, Ordering::Release);
        // Asked for and answered, well or badly: a plugin whose saving fails is asked again when the next is due.
        let for_a_stop = |b| if saved.is_ok() && b & bit::STOP != 0 { bit::SAVED } else { 0 };
        self.change(|b| Some(b & !bit::CHECKPOINT | for_a_stop(b))).ok();
        self.checkpoints.fetch_add(1, Ordering::Release);
        match saved {
            Ok(path) => {
                let path = path.strip_prefix(self.run.path()).unwrap_or(&path).display().to_string();
                self.event(&Event::Checkpoint { step, path });
                Ok(())
            }
            // What the disk does not take now is tried again when the next checkpoint is due.
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

    // ---- what others ask of the run ----

    /// Asks the plugin to stop; a resumable one saves a checkpoint first. `true` the first time.
    pub(crate) fn ask_to_stop(&self) -> bool {
        let mut ask = bit::STOP;
        if self.resumable {
            ask |= bit::CHECKPOINT;
        }
        // Only the first asks for a checkpoint: by the second it may have been saved.
        let first = self.change(|b| (b & bit::STOP == 0).then_some(b | ask)).is_ok();
        self.wake();
        first
    }

    /// Takes back [`Self::ask_to_stop`]. `false`: it is too late, or nothing was asked.
    pub(crate) fn withdraw_stop(&self) -> bool {
        let firm = bit::TOLD | bit::AT_ONCE;
        let forget = bit::STOP | bit::POLLED | bit::SAVED | bit::DEFERRED;
        // A checkpoint that the stop asked for stays asked for: by now it may be somebody else's, too.
        self.change(|b| (b & bit::STOP != 0 && b & firm == 0).then_some(b & !forget)).is_ok()
    }

    /// Ends the run as failed at its next step. The first reason stands.
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

    /// Stops at the next `step_end`, checkpoint or not.
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
        // Taking the lock orders this after a waiter's look at the bits.
        drop(self.gate.lock());
        self.opened.notify_all();
    }
}
