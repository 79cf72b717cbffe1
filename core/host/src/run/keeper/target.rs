//! What a keeper can end: a trainer, or a command with all its processes (`command/pair.rs`).

use std::time::Duration;

use rustix::process::Signal;

use crate::machine::process::Process;

/// Maximum time between SIGTERM and SIGKILL.
pub(crate) const LAST_CHANCE: Duration = Duration::from_secs(1);

/// A process or process tree that a keeper can end.
pub(crate) trait Target {
    /// The name used in events.
    fn name(&self) -> &'static str;
    /// Returns whether it reads requests itself, so that no signal is needed for a while.
    fn listens(&self) -> bool;
    /// Returns whether it must end although nobody asked.
    fn is_failing(&self) -> bool;
    /// Returns whether only its log remains to be sealed, which only a kill on request cuts short: the recording process
    /// itself limits how long a stopped run waits for the disk.
    fn is_sealing(&self) -> bool {
        false
    }
    /// Passes on a stop to the process that records the run, if no file can.
    fn pass_on_stop(&self);
    /// Asks it to end with a signal.
    fn terminate(&self);
    /// Kills it; `wanted` says whether the user asked for exactly that.
    fn kill(&self, wanted: bool);
    /// Kills it with everything that writes to the run, and waits until it has ended.
    fn abandon(&self);
}

impl Target for Process {
    fn name(&self) -> &'static str {
        "trainer"
    }

    fn listens(&self) -> bool {
        true
    }

    fn is_failing(&self) -> bool {
        false
    }

    fn pass_on_stop(&self) {
        self.terminate();
    }

    fn terminate(&self) {
        self.signal(Signal::TERM).ok();
    }

    fn kill(&self, _wanted: bool) {
        self.signal(Signal::KILL).ok();
    }

    fn abandon(&self) {
        self.signal(Signal::KILL).ok();
        self.wait(LAST_CHANCE);
    }
}
