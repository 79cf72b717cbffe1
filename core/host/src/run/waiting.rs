//! Actions on runs in the queue.

use gradtop_store::{
    Claim, LockedQueue, RunDir, RunLock, State, Status, Turn, host_name, inside, queue_claims, read_manifest,
    read_status, read_turn, write_turn,
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
    Status::queued(read_status(run).map_or(0, |status| status.total))
}

/// Calls `act` with the queue locked and the run still in it.
fn with_waiting<T>(run: &RunDir, act: impl FnOnce(&LockedQueue) -> Result<T>) -> Result<T> {
    let queue = LockedQueue::lock(run.runs())?;
    if !run.is_queued() || !inside::exists(run, &run.manifest()) {
        return Err(HostError::NotQueued(run.name()));
    }
    act(&queue)
}

fn change(run: &RunDir, how: impl FnOnce(&mut Turn)) -> Result<()> {
    with_waiting(run, |_| {
        let mut turn = read_turn(run)?;
        how(&mut turn);
        Ok(write_turn(run, &turn)?)
    })
}

/// Holds a queued run back from being started.
///
/// # Errors
/// The run is no longer in the queue.
pub fn hold_queued(run: &RunDir) -> Result<()> {
    change(run, |turn| turn.held = Some(HELD.to_owned()))
}

/// Releases a held run, whatever the reason, even if a run it waited for has not finished.
///
/// # Errors
/// The run is no longer in the queue.
pub fn release_queued(run: &RunDir) -> Result<()> {
    change(run, |turn| {
        if turn.held.take().is_some_and(|why| why != HELD) {
            turn.after.clear();
        }
        turn.tries = 0;
    })
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
        inside::remove_file(&run, &run.turn()).map_err(HostError::io("remove .start.json"))?;
        queue.set_claims(&claims)?;
        Ok(run)
    })
}
