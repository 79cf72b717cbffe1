//! What a keeper ends: a trainer, or a command with all its processes (`command/pair.rs`).

use std::time::Duration;

use rustix::process::Signal;

use crate::machine::process::Process;

/// Between SIGTERM and SIGKILL, at most.
pub(crate) const LAST_CHANCE: Duration = Duration::from_secs(1);

/// What a keeper ends.
pub(crate) trait Target {
    /// As events name it.
    fn name(&self) -> &'static str;
    /// Whether it reads requests itself, so that no signal is needed for a while.
    fn listens(&self) -> bool;
    /// Whether it has to end though nobody asked.
    fn is_failing(&self) -> bool;
    /// Asks it to end by signal.
    fn terminate(&self);
    /// Ends it; `wanted`: somebody asked for just that.
    fn kill(&self, wanted: bool);
    /// Ends it with all that writes to the run, and waits until that is so.
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
