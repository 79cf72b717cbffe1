//! The signals that end or interrupt a command.

use anyhow::Result;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Counts signals. Created before a run is, so that no signal ends the command silently.
pub(crate) struct Signals {
    received: signal_hook::iterator::Signals,
    counts: Counts,
}

/// The number of signals of each kind.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) interrupts: usize,
    pub(crate) hangups: usize,
    /// SIGTERM, as sent by `docker stop`, `systemctl stop` or `timeout`. Any number of them asks for one stop, which nothing
    /// cancels.
    pub(crate) terminations: usize,
}

impl Counts {
    /// Returns whether a stop was requested.
    pub(crate) fn stop(self) -> bool {
        self.interrupts + self.terminations > 0
    }
}

impl Signals {
    /// Starts counting. Under `nohup`, SIGHUP stays ignored. SIGINT is handled even if a shell has started the command in the
    /// background, because whoever sends it means it.
    pub(crate) fn new() -> Result<Self> {
        let heard = [SIGINT, SIGTERM].into_iter().chain(Some(SIGHUP).filter(|signal| !is_ignored(*signal)));
        Ok(Self { received: signal_hook::iterator::Signals::new(heard)?, counts: Counts::default() })
    }

    pub(crate) fn counts(&mut self) -> Counts {
        for signal in self.received.pending() {
            *match signal {
                SIGINT => &mut self.counts.interrupts,
                SIGTERM => &mut self.counts.terminations,
                _ => &mut self.counts.hangups,
            } += 1;
        }
        self.counts
    }

    /// Returns whether any signal has come so far.
    pub(crate) fn any(&mut self) -> bool {
        let counts = self.counts();
        counts.stop() || counts.hangups > 0
    }
}

/// Returns whether this process was started with a signal ignored.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
