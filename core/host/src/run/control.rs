//! Requests to a run, waiting for its end, and recovering it.

use std::time::{Duration, Instant};

use gradtop_store::{
    Ending, Event, KILL, Life, Manifest, Owner, Request, RunDir, RunLock, State, Status, StoreError, View,
    append_event, has_journal, inside, read_manifest, read_status, recorded_end, recover, request,
    stop_request, view, wait_until_stale, write_status,
};
use jiff::Timestamp;
use rustix::process::Signal;

use crate::command::run_processes;
use crate::error::{HostError, Result};
use crate::launcher::jobs::{self, refresh_jobs};
use crate::machine::process::{Process, catches};
use crate::run::allowed::{Action, StopEffect, allowed, stop_effect};
use crate::run::queue::waiting::stop_queued;

/// How long a run may take to finish its step and save a checkpoint when asked to stop.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(10);
/// Asks a keeper to kill its trainer at once, if no file can be written.
pub(crate) const KILL_SIGNAL: libc::c_int = libc::SIGUSR1;
/// Asks a keeper to stop its run, when no request can be written. Unlike SIGTERM, it comes from nobody else.
pub(crate) const STOP_SIGNAL: libc::c_int = libc::SIGUSR2;

/// Returns how long a run may take to stop by default: the time given at its start, else [`DEFAULT_GRACE`].
pub fn grace_of(manifest: &Manifest) -> Duration {
    let own = manifest.command.as_ref().and_then(|command| command.grace_s);
    own.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or(DEFAULT_GRACE)
}

/// Asks a run to stop: it finishes its step, saves a checkpoint if it can, and is killed after `grace`, by default [`grace_of`]
/// it. If the request cannot be written, the keeper is asked by a signal with [`DEFAULT_GRACE`], and the reason is returned.
///
/// # Errors
/// The run may not be stopped now or cannot be asked.
pub fn stop(run: &RunDir, grace: impl Into<Option<Duration>>) -> Result<Option<String>> {
    let seen = ready(run, Action::Stop)?;
    if run.is_queued() {
        return stop_queued(run).map(|_| None);
    }
    let grace = grace.into().unwrap_or_else(|| grace_of(&seen.manifest));
    if stop_effect(&seen) == StopEffect::LeavesQueue {
        return stop_waiting_job(run, grace).map(|()| None);
    }
    let Err(e) = request(run, Request::Stop { grace_s: Some(grace.as_secs_f64()) }) else { return Ok(None) };
    // A keeper of an older version knows only SIGTERM.
    if e.patience().is_some()
        && [STOP_SIGNAL, libc::SIGTERM].iter().any(|signal| signal_keeper(&seen, *signal))
    {
        Ok(Some(e.in_words()))
    } else {
        Err(e.into())
    }
}

/// Ends a run that waits for its job. The request is for a job that starts at this very moment.
fn stop_waiting_job(run: &RunDir, grace: Duration) -> Result<()> {
    request(run, Request::Stop { grace_s: Some(grace.as_secs_f64()) })?;
    jobs::cancel(run)?;
    let Ok(lock) = RunLock::acquire_now(run) else { return Ok(()) };
    let status = read_status(run)?;
    if status.state == State::Queued {
        let before =
            if status.started.is_some() { "before it was started again" } else { "before it started" };
        write_end(run, &lock, Ending { state: State::Stopped, cause: Some(format!("stopped {before}")) })?;
    }
    Ok(())
}

/// Requests a stop from a run that may be active where this machine cannot see it. Returns `false`, without a request,
/// if the run is not of that kind.
///
/// # Errors
/// The request cannot be written.
pub fn stop_unseen(run: &RunDir, grace: Duration) -> Result<bool> {
    let unseen = view(run)?.life == Life::Unknown;
    if unseen {
        request(run, Request::Stop { grace_s: Some(grace.as_secs_f64()) })?;
    }
    Ok(unseen)
}

/// Sends a signal to a run's keeper if the keeper handles it. Returns whether it was sent.
fn signal_keeper(seen: &View, signal: libc::c_int) -> bool {
    let Life::Alive { within_reach: true, .. } = seen.life else { return false };
    let Status { keeper_pid: Some(pid), keeper_start: Some(start), .. } = seen.status else { return false };
    let process = Process::of(&seen.dir, pid, start).filter(|_| catches(pid, signal));
    let (Some(process), Some(signal)) = (process, Signal::from_named_raw(signal)) else { return false };
    process.signal(signal).is_ok()
}

/// The result of [`withdraw_stop`].
#[derive(Debug, Clone, PartialEq)]
pub enum Withdrawn {
    /// The run continues.
    Continues(View),
    /// The run is still stopping: its plugin has already been notified, or it has not answered in time.
    StillStopping {
        /// The run.
        view: View,
        /// Whether the plugin has been notified, so that the run will stop.
        notified: bool,
    },
    /// The run has already ended.
    Ended(View),
}

/// Cancels a stop that the run has not acted on. Waits up to `patience` for the result.
///
/// # Errors
/// The request cannot be withdrawn.
pub fn withdraw_stop(run: &RunDir, patience: Duration) -> Result<Withdrawn> {
    gradtop_store::withdraw_stop(run)?;
    let deadline = Instant::now() + patience;
    loop {
        // A trainer that has just read the request reports that shortly.
        std::thread::sleep(Duration::from_millis(50));
        let seen = view(run)?;
        if seen.state.is_final() {
            return Ok(Withdrawn::Ended(seen));
        }
        let asked_again = asked_to_stop(run).is_some();
        if !asked_again && seen.state != State::Stopping && is_answered(run)? {
            return Ok(Withdrawn::Continues(seen));
        }
        if asked_again || Instant::now() >= deadline {
            return Ok(Withdrawn::StillStopping { view: seen, notified: asked_again });
        }
    }
}

/// Returns whether the last event about a stop is its cancellation, or there is none.
fn is_answered(run: &RunDir) -> Result<bool> {
    let events = gradtop_store::read_events(run)?;
    let last = events.iter().rev().find_map(|line| match &line.event {
        Event::Request { what } if what == "stop" => Some(false),
        Event::Request { what } if what == gradtop_store::WITHDRAWN => Some(true),
        Event::State { state: State::Starting, .. } => Some(true),
        _ => None,
    });
    Ok(last.unwrap_or(true))
}

/// Ends a run at once, without a checkpoint, and waits for its end.
///
/// # Errors
/// The run may not be killed from here.
pub fn kill(run: &RunDir) -> Result<()> {
    let seen = ready(run, Action::Kill)?;
    if seen.state.is_final() {
        run_processes::kill(run);
        return Ok(());
    }
    if run.is_queued() {
        return stop_queued(run).map(drop);
    }
    if seen.queued.is_some() {
        return stop_waiting_job(run, Duration::ZERO);
    }
    append_event(run, &Event::Request { what: KILL.to_owned() }).ok();
    if request(run, Request::Stop { grace_s: Some(0.0) }).is_err() {
        signal_keeper(&seen, KILL_SIGNAL);
    }
    // The keeper kills the trainer and records it. A keeper that does not respond (it may be suspended) is not waited for long.
    if ends_within(run, Duration::from_secs(3))? { Ok(()) } else { kill_without_keeper(run) }
}

/// Returns whether a run's processes end within this time.
fn ends_within(run: &RunDir, time: Duration) -> Result<bool> {
    let deadline = Instant::now() + time;
    while matches!(view(run)?.life, Life::Alive { .. }) {
        if Instant::now() > deadline {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(true)
}

/// Kills the processes of a run whose keeper does not do it: by its job, or each of them.
fn kill_without_keeper(run: &RunDir) -> Result<()> {
    let failed = |why: String| HostError::io(format!("kill {}", run.name()))(std::io::Error::other(why));
    let View { life, status, host, job, .. } = view(run)?;
    if job.is_some() {
        jobs::cancel(run)?;
        // Slurm allows half a minute after SIGTERM.
        if ends_within(run, Duration::from_secs(45))? {
            return Ok(());
        }
    }
    if !matches!(life, Life::Alive { within_reach: true, .. }) {
        // On this machine, its process ids may belong to other processes.
        let host = host.map(|host| format!(" ({host})")).unwrap_or_default();
        let why =
            format!("its processes are in another container, or on another machine{host}: kill it there");
        return Err(failed(why));
    }
    // Before the keeper, the only one that knows these processes otherwise.
    run_processes::kill(run);
    let Status { trainer_pid, trainer_start, keeper_pid, keeper_start, .. } = status;
    for (pid, start, patience) in [(trainer_pid, trainer_start, 3), (keeper_pid, keeper_start, 1)] {
        // The lock shows that the run is alive; start time and command line show that this is its process.
        let Some(process) = pid.zip(start).and_then(|(pid, start)| Process::of(run, pid, start)) else {
            continue;
        };
        if ends_within(run, Duration::ZERO)? {
            return Ok(());
        }
        process.signal(Signal::KILL).map_err(HostError::io("kill the run"))?;
        process.wait(Duration::from_secs(patience));
    }
    if ends_within(run, Duration::from_secs(3))? {
        Ok(())
    } else {
        Err(failed("its lock is still held".to_owned()))
    }
}

/// Ends a run whose `run.toml` is damaged or missing. Finds its processes by how they were started, without any of its
/// files. Returns their number.
///
/// # Errors
/// The processes belong to another user or do not end.
pub fn kill_unreadable(run: &RunDir) -> Result<usize> {
    let failed = HostError::io(format!("kill {}", run.name()));
    let at_work = run_processes::at_work(run);
    let mut count = at_work.len();
    // A keeper kills the others and records it as far as possible.
    let hear = at_work.iter().filter(|(pid, _)| catches(*pid, KILL_SIGNAL));
    let heard =
        hear.filter_map(|(_, keeper)| keeper.signal(Signal::from_named_raw(KILL_SIGNAL)?).ok()).count();
    let patience = if heard == 0 { Duration::ZERO } else { Duration::from_secs(3) };
    let deadline = Instant::now() + patience;
    for (_, process) in &at_work {
        process.wait(deadline.saturating_duration_since(Instant::now()));
    }
    count += run_processes::of(run).len();
    run_processes::kill(run);
    for (_, process) in at_work.iter().filter(|(_, process)| !process.wait(Duration::ZERO)) {
        if let Err(e) = process.signal(Signal::KILL) {
            return Err(failed(e));
        }
        process.wait(Duration::from_secs(3));
    }
    if is_at_work(run) {
        return Err(failed(std::io::Error::other("its processes do not end")));
    }
    Ok(count)
}

/// Returns whether processes of a run are visible here, whatever its files say.
pub fn is_at_work(run: &RunDir) -> bool {
    !run_processes::at_work(run).is_empty()
}

/// Asks a run to pause after its step.
///
/// # Errors
/// The run may not be paused now or cannot be asked.
pub fn pause(run: &RunDir) -> Result<()> {
    ready(run, Action::Pause)?;
    Ok(request(run, Request::Pause)?)
}

/// Asks a run to save a checkpoint.
///
/// # Errors
/// The run may not save one now or cannot be asked.
pub fn checkpoint(run: &RunDir) -> Result<()> {
    ready(run, Action::Checkpoint)?;
    Ok(request(run, Request::Checkpoint)?)
}

/// Views a run and checks that an action is allowed.
pub(crate) fn ready(run: &RunDir, action: Action) -> Result<View> {
    let seen = view(run)?;
    allowed(&seen, action).map_err(HostError::not_allowed(run, action))?;
    Ok(seen)
}

/// Waits until a run has ended and returns its final state. For a run on another machine, what that machine writes is trusted.
///
/// # Errors
/// The run cannot be read.
pub fn wait(run: &RunDir) -> Result<State> {
    loop {
        let seen = view(run)?;
        if seen.state.is_final() {
            return Ok(seen.state);
        }
        std::thread::sleep(if seen.certain { Duration::from_millis(50) } else { Duration::from_secs(1) });
    }
}

/// Views a run after recovering it if its processes have died: sealing its log and writing its end.
///
/// # Errors
/// The run cannot be read.
pub fn look(run: &RunDir) -> Result<View> {
    let mut seen = view(run)?;
    if seen.job.is_some() && !seen.state.is_final() && refresh_jobs(run.runs()) {
        seen = view(run)?;
    }
    if recover_unattended(&seen) { Ok(view(run)?) } else { Ok(seen) }
}

/// Completes what the dead processes of a run left undone. Returns whether anything was done.
pub fn recover_unattended(seen: &View) -> bool {
    seen.is_unattended() && recover_crashed(&seen.dir).unwrap_or(false)
}

/// Recovers a run whose processes are gone: seals its log and, if they died without recording an end, writes that it
/// crashed. Returns `false` if nothing is to be done, if it is running or may be running elsewhere, or if it belongs to
/// another user (see [`inside::is_own`]), whose runs are never changed by viewing them.
///
/// # Errors
/// The run cannot be read or its end cannot be written.
pub fn recover_crashed(run: &RunDir) -> Result<bool> {
    let seen = view(run)?;
    // A leftover process may hold its lock; the run cannot be recovered then.
    let held = seen.life == (Life::Gone { held: true });
    if held || !seen.certain || !seen.state.is_final() || !inside::is_own(run) {
        return Ok(false);
    }
    if !seen.status.state.is_final() {
        let cause = if seen.status.keeper_pid.is_some() {
            "trainer and keeper both died without reporting a reason"
        } else if seen.status.trainer_pid.is_some() || seen.status.started.is_some() {
            // An import has no keeper, and may know no times.
            "its process died without reporting a reason"
        } else {
            "its start was interrupted"
        };
        // The batch system may know more about a run in a job.
        let cause = seen.status.cause.unwrap_or_else(|| cause.to_owned());
        return write_crashed(run, Ending { state: seen.state, cause: Some(cause) });
    }
    seal_rest(run)
}

/// Seals rows that could not be sealed before the run ended, as with a full disk. The recorded end is kept.
fn seal_rest(run: &RunDir) -> Result<bool> {
    if !has_journal(run) && !read_status(run).is_ok_and(|status| status.unsettled) {
        return Ok(false);
    }
    let Some(lock) = free_lock(run)? else { return Ok(false) };
    recover(run, &lock)?;
    let mut status = read_status(run)?;
    gradtop_store::write_run_table(run, &read_manifest(run)?, &status)?;
    if std::mem::take(&mut status.unsettled) {
        write_status(run, &status)?;
    }
    drop(lock);
    // Still unsealed rows must not make viewers retry forever.
    Ok(!has_journal(run))
}

/// Like [`recover_crashed`], for a run that was interrupted by a reboot of this machine, see [`View::is_of_earlier_boot`]. Only
/// for a process that was asked to resume it; others should not draw conclusions about a run of another boot.
///
/// # Errors
/// See [`recover_crashed`].
pub fn recover_after_reboot(run: &RunDir) -> Result<bool> {
    if !view(run)?.is_of_earlier_boot() {
        return Ok(false);
    }
    write_crashed(run, crashed("the machine was restarted while it ran"))
}

/// Records a crash of a run that may be active where this machine cannot see it, because the user says that it is gone.
/// Returns `false` if the run is not of that kind.
///
/// # Errors
/// See [`recover_crashed`], or the owner was faster.
pub fn give_up(run: &RunDir) -> Result<bool> {
    let seen = view(run)?;
    if seen.life != Life::Unknown && !seen.state.is_final() {
        return Ok(false);
    }
    Owner::take_over(run)?;
    // Another machine was about to resume a run that had ended.
    if seen.state.is_final() {
        return Ok(false);
    }
    let host = seen.host.as_deref().unwrap_or("its machine");
    write_crashed(run, crashed(&format!("given up: no sign of life from {host}")))
}

fn crashed(cause: &str) -> Ending {
    Ending { state: State::Crashed, cause: Some(cause.to_owned()) }
}

/// Like [`give_up`], but first watches for a minute whether the owner on another machine gives a sign of life. Changes
/// nothing if it does, or once `go_on` returns false.
pub fn give_up_if_stale(run: &RunDir, go_on: impl FnMut() -> bool) -> Result<()> {
    if wait_until_stale(run, go_on) {
        give_up(run)?;
    }
    Ok(())
}

/// Seals a run's log and writes its end, unless its records tell of another one. Returns `false` if another process has
/// its lock or has written its end.
fn write_crashed(run: &RunDir, end: Ending) -> Result<bool> {
    match free_lock(run)? {
        Some(lock) => write_end(run, &lock, end),
        None => Ok(false),
    }
}

/// Takes a run's lock. `None` if another process has it and will do what is necessary.
fn free_lock(run: &RunDir) -> Result<Option<RunLock>> {
    match RunLock::acquire_now(run) {
        Err(StoreError::Locked { .. }) => Ok(None),
        lock => Ok(Some(lock?)),
    }
}

/// Like [`write_crashed`], with the run's lock.
pub(crate) fn write_end(run: &RunDir, lock: &RunLock, end: Ending) -> Result<bool> {
    let mut status = read_status(run).unwrap_or_default();
    if status.state.is_final() {
        return Ok(false);
    }
    recover(run, lock)?;
    // Nobody saw when it ended; its last write is the best estimate.
    let (end, time) = recorded_end(run, &status).unwrap_or((end, status.updated));
    status.schema = gradtop_store::SCHEMA;
    // The clock may have been set back since its start.
    (status.state, status.cause, status.ended) = (end.state, end.cause, status.started.max(Some(time)));
    (status.eta_s, status.steps_per_s, status.waiting, status.outcome) = (None, None, None, None);
    gradtop_store::settle(run, &mut status);
    status.updated = Timestamp::now();
    gradtop_store::write_end(run, &status)?;
    gradtop_store::give_up_reserve(run);
    Owner::end_of_dead(run);
    Ok(true)
}

/// Returns how long a requested stop may take, if there is a request. Does not consume it: the trainer answers requests.
pub(crate) fn asked_to_stop(run: &RunDir) -> Option<Duration> {
    let Request::Stop { grace_s } = stop_request(run).ok()?? else { return None };
    let grace = grace_s.and_then(|s| Duration::try_from_secs_f64(s).ok());
    Some(grace.unwrap_or(DEFAULT_GRACE))
}
