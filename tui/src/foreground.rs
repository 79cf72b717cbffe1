//! Lends the terminal to another program.

use std::process::Command;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, WaitOptions, waitpid};

/// Runs a program to its end. Returns its exit code, or 128 plus the number of a signal.
///
/// The program shares the terminal and its signals with us. If we handle Ctrl-Z ourselves, it stops only that program;
/// `stopped` is then called and should return once both are to continue.
pub(crate) fn run(command: &mut Command, mut stopped: impl FnMut()) -> Result<i32> {
    let name = command.get_program().to_string_lossy().into_owned();
    let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let id = id.with_context(|| format!("{name} has no process id"))?;
    loop {
        match waitpid(Some(id), WaitOptions::UNTRACED) {
            Ok(Some((_, status))) if status.stopped() => stopped(),
            Ok(Some((_, status))) => {
                let signal = status.terminating_signal().map(|signal| 128 + signal);
                return Ok(status.exit_status().or(signal).unwrap_or(1));
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e).with_context(|| format!("cannot wait for {name}")),
        }
    }
}
