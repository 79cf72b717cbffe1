//! Signals: their names, and ignoring, blocking or restoring them.

#![allow(unsafe_code, reason = "signal masks and dispositions have no safe interface")]

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use libc::c_int;

pub(crate) fn name(signal: c_int) -> String {
    signal_hook::low_level::signal_name(signal).map_or_else(|| format!("signal {signal}"), str::to_owned)
}

pub(crate) fn how_it_ended(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => name(signal),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "unknown".to_owned(),
    }
}

/// Ignores a signal in this process and in programs it executes. Safe between fork and exec.
pub(crate) fn ignore(signal: c_int) {
    // SAFETY: SIG_IGN runs no code.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Makes exceeding the file size limit (`ulimit -f`) a write error in this process instead of a fatal signal. Programs
/// that it executes get the default back.
pub(crate) fn limits_are_errors() {
    extern "C" fn nothing(_: c_int) {}
    let handler = nothing as extern "C" fn(c_int);
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(libc::SIGXFSZ, handler as libc::sighandler_t) };
}

/// Restores the default action of a signal. Safe between fork and exec.
pub(crate) fn restore(signal: c_int) {
    // SAFETY: SIG_DFL runs none of our code.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// Unblocks all signals, because a blocked mask is inherited by started programs. Safe between fork and exec.
pub(crate) fn unblock() {
    // SAFETY: all zeros is a valid set; it is properly initialized next.
    let mut none: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: our own set.
    unsafe { libc::sigemptyset(&raw mut none) };
    // SAFETY: as above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) };
}

/// Blocks SIGINT, SIGHUP and SIGTERM on this thread until dropped; signals received meanwhile are then delivered.
pub(crate) struct Blocked(libc::sigset_t);

impl Blocked {
    pub(crate) fn interrupts() -> Self {
        // SAFETY: all zeros is a valid set; it is properly initialized next.
        let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
        // SAFETY: our own set.
        unsafe { libc::sigemptyset(&raw mut set) };
        for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGTERM] {
            // SAFETY: our own set, and a signal that exists.
            unsafe { libc::sigaddset(&raw mut set, signal) };
        }
        let mut old = set;
        // SAFETY: both sets are ours.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, &raw mut old) };
        Self(old)
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: restores the previous mask of this thread.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_named() {
        assert_eq!(how_it_ended(ExitStatus::from_raw(libc::SIGSEGV)), "SIGSEGV");
        assert_eq!(how_it_ended(ExitStatus::from_raw(3 << 8)), "exit code 3");
    }
}
