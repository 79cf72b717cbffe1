//! Actions on runs in the queue.

use std::path::Path;

use gradtop_store::{
    Claim, LockedQueue, RunDir, RunLock, State, Status, Turn, host_name, inside, queue_claims, queued_run,
    read_manifest, read_status, read_turn, view, write_turn,
};
use jiff::Timestamp;

use crate::error::{HostError, Result};

/// Why a run is held by the user.
const HELD: &str = "by `gradtop queue hold`";

/// Creates the claim that takes a run out of the queue.
pub(crate) fn claim_of(run: &RunDir, device: &str) -> Result<Claim> {
    let experiment = read_manifest(run)?.experiment.id;
    let from = run.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (host, device) = (host_name(), device.to_owned());
    Ok(Claim { run: format!("{experiment}/{}", run.name()), from, device, host })
}

/// Returns the status of a run that was not started.
pub(crate) fn unstarted(run: &RunDir) -> Status {
    Status::queued(read_status(run).ok().and_then(|status| status.total))
}

/// Calls `act` with the queue locked and the run still in it.
fn with_waiting<T>(run: &RunDir, act: impl FnOnce(&LockedQueue) -> Result<T>) -> Result<T> {
    let queue = LockedQueue::lock(run.runs())?;
    if !run.is_queued() || !inside::exists(run, &run.manifest()) {
        return Err(HostError::NotQueued(run.name()));
    }
    act(&queue)
}

fn change(run: &RunDir, how: impl FnOnce(&mut Turn) -> Result<()>) -> Result<()> {
    with_waiting(run, |_| {
        let mut turn = read_turn(run)?;
        how(&mut turn)?;
        Ok(write_turn(run, &turn)?)
    })
}

/// Holds a queued run back from being started.
///
/// # Errors
/// The run is no longer in the queue.
pub fn hold_queued(run: &RunDir) -> Result<()> {
    change(run, |turn| {
        turn.held = Some(HELD.to_owned());
        Ok(())
    })
}

/// Releases a held run, whatever the reasons. It no longer waits for those of its `after` that failed, but still for the
/// others.
///
/// # Errors
/// The run is not held, or no longer in the queue.
pub fn release_queued(run: &RunDir) -> Result<()> {
    change(run, |turn| {
        let (held, blocked) = (turn.held.take(), turn.blocked.take());
        if held.is_none() && blocked.is_none() {
            return Err(HostError::NotHeld { run: run.name(), after: turn.after.clone() });
        }
        // An older version wrote why a run is blocked where this one writes why it is held.
        if blocked.is_some() || held.is_some_and(|why| why != HELD) {
            turn.after.retain(|name| !matches!(dependency(run.runs(), name), Dependency::Failed(_)));
        }
        turn.tries = 0;
        Ok(())
    })
}

/// Returns whether a queued run needs only a free slot on this machine to be started.
pub fn is_ready(run: &RunDir) -> bool {
    let ready = |turn: Turn| {
        turn.is_here() && turn.why_held().is_none() && dependencies(run.runs(), &turn.after) == (false, None)
    };
    read_turn(run).is_ok_and(ready)
}

/// Moves a run to a position in the queue, counted from 1.
///
/// # Errors
/// The run is no longer in the queue.
pub fn move_queued(run: &RunDir, place: usize) -> Result<()> {
    with_waiting(run, |queue| Ok(queue.put(run, place)?))
}

/// Deletes a queued run.
///
/// # Errors
/// The run is no longer in the queue.
pub(crate) fn delete_queued(run: &RunDir) -> Result<()> {
    with_waiting(run, |queue| Ok(queue.remove(run)?))?;
    crate::plugin::shared::prune(run.runs());
    Ok(())
}

/// Takes a run out of the queue as stopped before it began, and returns its new folder.
///
/// # Errors
/// The run is no longer in the queue.
pub(crate) fn stop_queued(run: &RunDir) -> Result<RunDir> {
    with_waiting(run, |queue| {
        let _lock = RunLock::acquire(run)?;
        let claim = claim_of(run, "")?;
        let claims = queue_claims(run.runs());
        queue.set_claims(&[claims.as_slice(), std::slice::from_ref(&claim)].concat())?;
        let run = queue.take_out(run, &claim)?;
        let cause = Some("stopped before it started".to_owned());
        let (state, ended) = (State::Stopped, Some(Timestamp::now()));
        gradtop_store::write_end(&run, &Status { state, cause, ended, ..unstarted(&run) })?;
        inside::remove_file(&run, &run.turn()).map_err(HostError::at("remove", &run.turn()))?;
        queue.set_claims(&claims)?;
        Ok(run)
    })
}

/// A run that must have finished before another one starts.
enum Dependency {
    Finished,
    Open,
    /// It will not finish, for this reason, unless it is resumed.
    Failed(String),
}

fn dependency(runs: &Path, name: &str) -> Dependency {
    let (experiment, run) = name.rsplit_once('/').unwrap_or(("", name));
    match view(&queued_run(runs, experiment, run)) {
        Ok(seen) if seen.state == State::Finished => Dependency::Finished,
        Ok(seen) if seen.state.is_final() => {
            Dependency::Failed(format!("{} {}", seen.manifest.run, has_ended(seen.state)))
        }
        Err(e) if e.is_gone() => Dependency::Failed(format!("{name} was deleted")),
        Ok(_) | Err(_) => Dependency::Open,
    }
}

/// Returns whether some of these runs may still finish, and the reason of the first that will not.
pub(crate) fn dependencies(runs: &Path, after: &[String]) -> (bool, Option<String>) {
    let (mut open, mut failed) = (false, None);
    for name in after {
        match dependency(runs, name) {
            Dependency::Finished => {}
            Dependency::Open => open = true,
            Dependency::Failed(why) => failed = failed.or(Some(why)),
        }
    }
    (open, failed)
}

fn has_ended(state: State) -> String {
    match state {
        State::Stopped => "was stopped".to_owned(),
        state => state.to_string(),
    }
}
