//! The user's hook: a shell command that is told of each alert.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gradtop_store::EventLog;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::command::process_tree::HOOK_MARK;
use crate::run::cause::seconds;

/// The environment variable that passes alerts to a keeper; a hook does not get it.
pub(crate) const VARIABLE: &str = "GRADTOP_KEEPER_ALERTS";
/// Time limit of a hook.
const LIMIT: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);

/// A hook and what it is still to be told.
pub(super) struct Hook {
    command: String,
    /// The alerts that it has not been told yet, as JSON.
    pub(super) alerts: Vec<String>,
    /// What was last told of it: one that fails each time is told once.
    failed: Option<String>,
}

impl Hook {
    pub(super) fn new(command: String) -> Self {
        Self { command, alerts: Vec::new(), failed: None }
    }

    /// Tells it all alerts, and records if it fails.
    pub(super) fn call(&mut self, events: &EventLog) {
        for alert in self.alerts.drain(..) {
            let failed = tell(&self.command, &alert).err().map(|why| format!("the hook of alerts {why}"));
            if let Some(message) = failed.clone().filter(|_| failed != self.failed) {
                events.warn(message);
            }
            self.failed = failed;
        }
        events.flush().ok();
    }
}

/// Runs a hook to its end, with an event on standard input. The error says what it did, such as `ended with 1`.
pub(super) fn tell(hook: &str, event: &str) -> Result<(), String> {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(hook).env_remove(VARIABLE).env(HOOK_MARK, "1").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.current_dir(std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from));
    let mut child = command.spawn().map_err(|e| format!("cannot be started: {e}"))?;
    if let Some(mut input) = child.stdin.take() {
        // Less than the capacity of a pipe, so that writing never blocks.
        let line = format!("{}\n", event.get(..event.len().min(60_000)).unwrap_or_default());
        input.write_all(line.as_bytes()).ok();
    }
    let start = Instant::now();
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => break Ok(()),
            Ok(Some(status)) => break Err(format!("ended with {status}")),
            // Another thread has reaped it.
            Err(_) => break Ok(()),
            Ok(None) if start.elapsed() >= LIMIT => {
                break Err(format!("took longer than {} and was killed", seconds(LIMIT)));
            }
            Ok(None) => std::thread::sleep(LOOK),
        }
    };
    if ended.is_err() {
        kill(&mut child);
    }
    ended
}

/// Kills a hook and all processes it started.
fn kill(child: &mut Child) {
    if let Ok(None) = child.try_wait() {
        kill_process_group(Pid::from_child(child), Signal::KILL).ok();
        child.wait().ok();
    }
}
