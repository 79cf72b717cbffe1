//! Starting a keeper, and hearing whether the run no longer depends on this process.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use gradtop_store::{Owner, RunDir, RunLock, State, Status, Turn, read_status, write_end};
use jiff::Timestamp;

use crate::error::{HostError, Result};
use crate::machine::file::readable;
use crate::machine::signals::how_it_ended;
use crate::run::keeper::invocation::{self, ResumeFrom};

/// How long a keeper may take to start.
const DETACH: Duration = Duration::from_secs(10);

/// Starts the keeper and waits until the run no longer depends on this process. The caller has blocked interrupts. With
/// `turn`, the run gets the folder and environment it was queued with.
pub(crate) fn start(
    run: &RunDir,
    lock: &RunLock,
    resume: Option<&ResumeFrom>,
    turn: Option<&Turn>,
) -> Result<()> {
    let Err(why) = start_keeper(run, lock, resume, turn) else { return Ok(()) };
    // The keeper may have recorded the reason itself; if not, record it here.
    if read_status(run).is_ok_and(|s| !s.state.is_final()) {
        let status = Status {
            schema: gradtop_store::SCHEMA,
            state: State::Failed,
            cause: Some(format!("did not start: {why}")),
            updated: Timestamp::now(),
            ended: Some(Timestamp::now()),
            ..read_status(run).unwrap_or_default()
        };
        write_end(run, &status)?;
        Owner::end_of_dead(run);
    }
    Err(HostError::NotStarted { run: run.name(), why })
}

fn start_keeper(
    run: &RunDir,
    lock: &RunLock,
    resume: Option<&ResumeFrom>,
    turn: Option<&Turn>,
) -> Result<(), String> {
    if let Some(dir) = turn.map(Turn::dir).filter(|dir| !dir.is_dir()) {
        return Err(format!("the folder it was queued in is gone: {}", dir.display()));
    }
    let lock = lock.file().try_clone().map_err(|e| e.to_string())?;
    let mut command = invocation::command(run, lock, resume, turn);
    let mut child = command.spawn().map_err(|e| format!("the keeper cannot be started: {e}"))?;
    drop(command);
    let said = child.stdout.take().map(|pipe| read_line(&mut File::from(OwnedFd::from(pipe))));
    if said.as_deref() == Some(invocation::DETACHED) {
        // The child must be reaped, or it stays a zombie while a monitor runs. If no thread can be started, it does.
        std::thread::Builder::new().name("reap".to_owned()).spawn(move || child.wait()).ok();
        return Ok(());
    }
    // It sent an error, or nothing because it hangs or is dead.
    let said = said.unwrap_or_default();
    child.kill().ok();
    let ended = child.wait().map_err(|e| e.to_string())?;
    if said.is_empty() {
        return Err(format!("the keeper ended with {}", how_it_ended(ended)));
    }
    Err(said.trim_end().to_owned())
}

/// Reads the keeper's reply up to the end of the line or the pipe, or until time-out.
fn read_line(pipe: &mut File) -> String {
    let deadline = Instant::now() + DETACH;
    let mut said = Vec::new();
    let mut buffer = [0; 1024];
    while !said.ends_with(b"\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        match readable(&*pipe, left) {
            Ok(true) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Ok(false) | Err(_) => break,
        }
        match pipe.read(&mut buffer) {
            Ok(n) if n > 0 => said.extend_from_slice(&buffer[..n]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}
