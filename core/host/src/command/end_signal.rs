//! A signal for the end of a run that threads of the sink can poll along with their input.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use crate::machine::file::readable;

/// A file descriptor that becomes readable when the run ends.
pub(crate) struct EndSignal(OwnedFd);

impl EndSignal {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC)?))
    }

    /// Signals the end of the run.
    pub(crate) fn set(&self) {
        rustix::io::write(&self.0, &1u64.to_ne_bytes()).ok();
    }

    /// Waits for `time` or until the run ends; returns whether it has ended.
    pub(crate) fn within(&self, time: Duration) -> bool {
        readable(&self.0, time).unwrap_or(false)
    }

    /// Waits for input on `fd`. Returns `false` if the run ended first; pending input takes precedence.
    pub(crate) fn before(&self, fd: impl AsFd) -> bool {
        loop {
            let mut both = [PollFd::new(&fd, PollFlags::IN), PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut both, None) {
                Ok(_) => return !both[0].revents().is_empty(),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn whoever_waits_is_woken_by_the_end_and_still_reads_what_is_there() {
        let over = EndSignal::new().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        std::thread::scope(|scope| {
            // Without a time-out: if the end did not wake it, this test would not end.
            let waits = scope.spawn(|| over.before(&reader));
            assert!(!over.within(Duration::ZERO));
            over.set();
            assert!(!waits.join().unwrap());
        });
        assert!(over.within(Duration::from_hours(1)));
        rustix::io::write(&writer, b"x").unwrap();
        assert!(over.before(&reader));
    }
}
