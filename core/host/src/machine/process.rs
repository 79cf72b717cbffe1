//! Other processes: identifying them, sending signals that cannot hit another process, and exiting this one.

#![allow(unsafe_code, reason = "leaves without running destructors of libraries")]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use gradtop_store::{RunDir, is_started_for, process_start};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::machine::file::readable;

/// Returns whether a process handles a signal. One of an older version may not, and would be killed by it.
pub(crate) fn catches(pid: u32, signal: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}

/// Kills processes, including those started in the meantime: `kill` returns how many it found.
pub(crate) fn until_none(mut kill: impl FnMut() -> usize) {
    const TRIES: u32 = 100;
    for _ in 0..TRIES {
        if kill() == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A handle of an identified process.
pub(crate) struct Process(OwnedFd);

impl Process {
    /// Returns a run's keeper or trainer with that id and start time, if it is alive. The run's folder is not trusted:
    /// a process that was not started for this folder is rejected.
    pub(crate) fn of(run: &RunDir, pid: u32, start: u64) -> Option<Self> {
        let process = Self::that(pid, start)?;
        is_started_for(run, pid).then_some(process)
    }

    /// Returns the process with that id and start time, if it is alive.
    pub(crate) fn that(pid: u32, start: u64) -> Option<Self> {
        let fd = pidfd_open(Pid::from_raw(i32::try_from(pid).ok()?)?, PidfdFlags::empty()).ok()?;
        // Checked after opening: from now on, the descriptor cannot mean another process.
        (process_start(pid) == Some(start)).then_some(Self(fd))
    }

    /// Returns a child of this process that has not been waited for.
    pub(crate) fn child(child: &std::process::Child) -> std::io::Result<Self> {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or(std::io::ErrorKind::NotFound)?;
        Ok(Self(pidfd_open(pid, PidfdFlags::empty())?))
    }

    pub(crate) fn signal(&self, signal: Signal) -> std::io::Result<()> {
        Ok(pidfd_send_signal(&self.0, signal)?)
    }

    /// Waits up to `time` for its end; returns whether it has ended.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        readable(&self.0, time).unwrap_or(false)
    }
}

impl AsFd for Process {
    /// Becomes readable when the process ends.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Exits immediately, whatever other threads hold.
pub(crate) fn leave_now(code: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

/// Exits after flushing C streams, without running destructors of libraries: those of libtorch and CUDA may crash while
/// threads are running.
pub(crate) fn leave(code: i32) -> ! {
    // SAFETY: null flushes every stream.
    unsafe { libc::fflush(std::ptr::null_mut()) };
    leave_now(code)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::time::Duration;

    #[test]
    fn only_the_process_meant_is_opened() {
        let me = std::process::id();
        let start = process_start(me).unwrap();
        assert!(Process::that(me, start).is_some());
        assert!(Process::that(me, start + 1).is_none());
        let run = RunDir::new(std::env::current_dir().unwrap());
        assert!(Process::of(&run, me, start).is_none(), "whatever a run's status says");
    }

    #[test]
    fn a_child_is_waited_for_and_killed() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let process = Process::child(&child).unwrap();
        assert!(!process.wait(Duration::from_millis(20)));
        process.signal(Signal::KILL).unwrap();
        assert!(process.wait(Duration::from_mins(3)));
        child.wait().unwrap();
    }
}
