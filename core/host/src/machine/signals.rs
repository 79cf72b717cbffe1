//! Signals: their names, and who is deaf to which.

#![allow(unsafe_code, reason = "signal masks and dispositions have no safe interface")]

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use libc::c_int;

pub(crate) fn name(signal: c_int) -> String {
    let known = match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGSYS => "SIGSYS",
        other => return format!("signal {other}"),
    };
    known.to_owned()
}

/// How a process ended, in words.
pub(crate) fn how_it_ended(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => name(signal),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "unknown".to_owned(),
    }
}

/// Ignores a signal from now on, in this process and in programs it becomes. Safe between fork and exec.
pub(crate) fn ignore(signal: c_int) {
    // SAFETY: SIG_IGN runs no code.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Makes a file that grows beyond a limit (`ulimit -f`) an error of the write, in this process; programs that it starts know nothing of
/// that. By default the signal ends it without a word.
pub(crate) fn limits_are_errors() {
    extern "C" fn nothing(_: c_int) {}
    let handler = nothing as extern "C" fn(c_int);
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(libc::SIGXFSZ, handler as libc::sighandler_t) };
}

/// Gives a signal back what it does by default. Safe between fork and exec.
pub(crate) fn restore(signal: c_int) {
    // SAFETY: SIG_DFL runs no code of ours.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// Blocks no signal from now on: the mask goes over to programs that a process starts. Safe between fork and exec.
pub(crate) fn unblock() {
    // SAFETY: all zeros is a valid set; it is emptied by the book next.
    let mut none: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: a set of our own.
    unsafe { libc::sigemptyset(&raw mut none) };
    // SAFETY: as above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) };
}

/// Blocks SIGINT, SIGHUP and SIGTERM on this thread until dropped; one that came meanwhile then arrives.
pub(crate) struct Blocked(libc::sigset_t);

impl Blocked {
    pub(crate) fn interrupts() -> Self {
        // SAFETY: all zeros is a valid set; it is emptied by the book next.
        let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
        // SAFETY: a set of our own.
        unsafe { libc::sigemptyset(&raw mut set) };
        for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGTERM] {
            // SAFETY: as above, and a signal that exists.
            unsafe { libc::sigaddset(&raw mut set, signal) };
        }
        let mut old = set;
        // SAFETY: both sets are our own.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, &raw mut old) };
        Self(old)
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the mask this thread had.
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
