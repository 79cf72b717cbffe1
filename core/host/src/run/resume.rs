//! Resuming runs: from their newest checkpoint, or from their start.

use gradtop_store::{
    Checkpoint, Event, Manifest, Owner, Request, RunDir, RunLock, Status, View, append_event, checkpoints,
    clear_control, inside, prepare_restart, prepare_resume, read_manifest, read_status, recover, request,
    view, write_end, write_status,
};

use crate::error::{HostError, Refusal, Result};
use crate::machine::signals::Blocked;
use crate::plugin::changes::parameter_changes;
use crate::plugin::describe;
use crate::plugin::file::{PluginFile, check_owner};
use crate::run::allowed::{Action, Why, has_all};
use crate::run::control::ready;
use crate::run::keeper::invocation::ResumeFrom;
use crate::run::keeper::start::start;

/// The result of [`resume`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// The run was paused and has been asked to continue.
    Unpaused,
    /// The run had ended and continues from its newest checkpoint, or from its start.
    Continued,
}

/// Options for resuming a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resume {
    /// Even if it belongs to another user or its plugin has changed; recorded in its events.
    pub trust: bool,
    /// From its start if it has no checkpoint; what it logged is set aside.
    pub restart: bool,
}

impl Resume {
    /// Returns the corresponding action.
    pub fn action(self) -> Action {
        if self.restart { Action::Restart } else { Action::Resume }
    }
}

/// Continues a paused run, or resumes one that was stopped, failed or crashed, from its newest checkpoint and with the
/// same folder, plugin, parameters and seed. Returns once it no longer depends on the caller.
///
/// # Errors
/// The run may not be resumed now, lacks something, is in use, or does not start.
pub fn resume(run: &RunDir, how: Resume) -> Result<Resumed> {
    let path = std::path::absolute(run.path()).map_err(HostError::at("resolve", run.path()))?;
    let run = &RunDir::new(path);
    let seen = ready(run, how.action())?;
    if seen.state.is_final() {
        go_on(run, &seen, how.trust).map(|()| Resumed::Continued)
    } else {
        request(run, Request::Resume)?;
        Ok(Resumed::Unpaused)
    }
}

fn go_on(run: &RunDir, seen: &View, trust: bool) -> Result<()> {
    let trusted = may_run(run, &seen.manifest, trust)?;
    // An interrupt now would set rows aside without resuming the run.
    let _blocked = Blocked::interrupts();
    let lock = RunLock::acquire(run)?;
    let owner = Owner::claim_if_possible(run)?;
    let gone_on = resume_locked(run, seen, &lock, trusted);
    if let (Err(_), Some(owner)) = (&gone_on, owner) {
        owner.end(run);
    }
    gone_on
}

/// Resumes a run whose lock is held and that has been claimed.
fn resume_locked(run: &RunDir, seen: &View, lock: &RunLock, trusted: Option<Trusted>) -> Result<()> {
    // Before the lock was taken, another process may have resumed it, and it may even have ended since.
    let now = view(run)?.status;
    if (now.state, now.updated) != (seen.status.state, seen.status.updated) {
        return Err(HostError::not_allowed(run, Action::Resume)(Why::Resumed));
    }
    recover(run, lock)?;
    clear_control(run)?;
    // It no longer belongs to a job.
    inside::remove_file(run, &run.job()).map_err(HostError::at("remove", &run.job()))?;
    let go_on = set_back(run, lock, &now, trusted)?;
    let started = start(run, lock, Some(&go_on), None);
    if started.is_err() {
        // If it does not start, its previous end still applies.
        let (state, cause, ended) = (now.state, now.cause, now.ended);
        write_end(run, &Status { state, cause, ended, ..read_status(run)? })?;
    }
    started
}

/// Sets a run back to its newest checkpoint, or to its start if it has none. Returns how it continues; `now` is its last status.
pub(crate) fn set_back(
    run: &RunDir,
    lock: &RunLock,
    now: &Status,
    trusted: Option<Trusted>,
) -> Result<ResumeFrom> {
    let manifest = read_manifest(run)?;
    let saved = manifest.experiment.resumable && !checkpoints(run).is_empty();
    let checkpoint = if saved {
        Some(prepare_resume(run, lock, None)?)
    } else {
        prepare_restart(run, lock)?;
        None
    };
    let mut status = status_at(now, checkpoint.as_ref());
    if checkpoint.is_some() {
        gradtop_store::settle(run, &mut status);
    }
    // A run of an older version has no table of parameters.
    gradtop_store::write_params_table(run, &manifest)?;
    gradtop_store::write_run_table(run, &manifest, &status)?;
    write_status(run, &status)?;
    append_event(
        run,
        &match &checkpoint {
            Some(Checkpoint { dir, step, .. }) => {
                let place = dir.strip_prefix(run.path()).unwrap_or(dir).display().to_string();
                Event::Resumed { step: *step, checkpoint: place }
            }
            None => Event::Warning {
                message: "started again without a checkpoint: the run starts over".to_owned(),
            },
        },
    )?;
    if let Some(Trusted { message, .. }) = &trusted {
        append_event(run, &Event::Warning { message: message.clone() })?;
    }
    Ok(ResumeFrom {
        checkpoint: checkpoint.map(|from| from.dir),
        trusted: trusted.map(|trusted| trusted.hash),
    })
}

/// Returns the status of a run that continues from a checkpoint, or starts over, before it is brought to the rows that are
/// left.
fn status_at(now: &Status, checkpoint: Option<&Checkpoint>) -> Status {
    let mut status = Status {
        epoch: checkpoint.and_then(|from| from.epoch),
        started: now.started,
        // A checkpoint may have been saved after the last status was written.
        elapsed_s: now
            .took(now.updated)
            .map(|took| took.max(checkpoint.and_then(|c| c.trained_s).unwrap_or(0.0))),
        // Of a run that starts over, nothing of before counts.
        trained_s: checkpoint.map_or(Some(0.0), |from| from.trained_s),
        ..Status::queued(None)
    };
    if let Some(from) = checkpoint {
        // Shown until it logs again, and if it never does. The step of the checkpoint may have logged nothing; of a step
        // after it, the rows are set aside, and those that are left say which is the last.
        status.step = now.step.filter(|step| *step <= from.step);
        (status.total, status.by_steps) = (now.total, now.by_steps);
        if now.works_by_steps() {
            status.done = u64::try_from(from.step.saturating_add(1)).ok().min(now.done);
        }
        (status.headline, status.headline_is_part) = (now.headline.clone(), now.headline_is_part);
    }
    status
}

/// Checks that an ended run could be resumed, before anything is written.
///
/// # Errors
/// What is missing, or why its plugin is not trusted.
pub fn may_resume(run: &RunDir, how: Resume) -> Result<()> {
    let manifest = read_manifest(run)?;
    has_all(run, &manifest, how.action()).map_err(HostError::not_allowed(run, Action::Resume))?;
    may_run(run, &manifest, how.trust).map(drop)
}

/// A plugin that has changed since the run was started, and that the user trusts.
pub(crate) struct Trusted {
    /// What is recorded about it.
    message: String,
    hash: String,
}

/// Checks whether a run's plugin or command may be run. Returns `None` if it is unchanged.
pub(crate) fn may_run(run: &RunDir, manifest: &Manifest, trust: bool) -> Result<Option<Trusted>> {
    let file = || match &manifest.plugin {
        Some(recorded) => PluginFile::of_run(run, &recorded.sha256).map(drop),
        None => Ok(()),
    };
    let refusal = match check_owner(run).and_then(|()| file()) {
        Ok(()) => return Ok(None),
        Err(refusal @ (Refusal::Foreign { .. } | Refusal::Changed { .. })) => refusal,
        Err(refusal) => return Err(HostError::Plugin { path: run.plugin(), refusal }),
    };
    if !trust {
        return Err(HostError::Untrusted { run: run.name(), refusal });
    }
    if manifest.plugin.is_none() {
        return Ok(None);
    }
    let unreadable = |refusal| HostError::Plugin { path: run.plugin(), refusal };
    let file = PluginFile::of_run_as_it_is(run).map_err(unreadable)?;
    let hash = file.sha256().map_err(HostError::at("read", &run.plugin()))?;
    let changes =
        changes(run, &file).map(|c| format!("; of its parameters {}", c.join(", "))).unwrap_or_default();
    let message = format!("resumed with --trust, although its plugin {refusal}{changes}");
    Ok(Some(Trusted { message, hash }))
}

/// Describes how the current plugin changes the run's parameters, if it does.
fn changes(run: &RunDir, plugin: &PluginFile) -> Option<Vec<String>> {
    let manifest = read_manifest(run).ok()?;
    let (desc, _) = describe::described_exactly(plugin).ok()?;
    let (_, experiment) = desc.experiment(manifest.experiment.plugin_id())?;
    Some(parameter_changes(&manifest.params, experiment)).filter(|changes| !changes.is_empty())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_resumed_run_is_at_the_step_that_it_logged_last() {
        let from = Checkpoint { dir: PathBuf::new(), step: 825, epoch: None, trained_s: None };
        let now = |step| Status { step: Some(step), done: Some(826), total: Some(3000), ..Status::default() };
        let status = status_at(&now(820), Some(&from));
        assert_eq!((status.step, status.done), (Some(820), Some(826)));
        // The rows that are left say where it is.
        assert_eq!(status_at(&now(830), Some(&from)).step, None);
        assert_eq!(status_at(&now(820), None).step, None);
    }

    #[test]
    fn a_resumed_run_has_not_trained_longer_than_it_took() {
        let from = Checkpoint { dir: PathBuf::new(), step: 9, epoch: None, trained_s: Some(5.5) };
        let killed = Status { elapsed_s: Some(5.0), trained_s: Some(5.0), ..Status::default() };
        let status = status_at(&killed, Some(&from));
        assert_eq!((status.elapsed_s, status.trained_s), (Some(5.5), Some(5.5)));
    }
}
