//! Which actions are allowed on a run: one answer for commands, monitor and study.

use std::time::Duration;

use gradtop_store::{Kind, Life, Manifest, RunDir, State, View, inside};

use crate::command::run_processes;

/// An action on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Pause after the current step.
    Pause,
    /// Continue a paused run, or resume an ended one from its newest checkpoint.
    Resume,
    /// Like `Resume`, but starts over if there is no checkpoint.
    Restart,
    /// Save a checkpoint.
    Checkpoint,
    /// Finish the step, save a checkpoint and end.
    Stop,
    /// End at once.
    Kill,
    /// Delete its folder.
    Delete,
    /// Rename its folder.
    Rename,
}

impl Action {
    /// Returns the verb, as in "cannot pause".
    pub fn verb(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume | Self::Restart => "resume",
            Self::Checkpoint => "checkpoint",
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::Delete => "delete",
            Self::Rename => "rename",
        }
    }
}

/// What becomes of a run that is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopEffect {
    /// It waits to be started, and never is.
    LeavesQueue,
    /// It finishes its step, saves a checkpoint and ends.
    Saves,
    /// It finishes its step and ends. It has no checkpoints.
    Ends,
    /// Its command is asked to end: by the client that it logs with if that listens, else with SIGTERM.
    CommandEnds,
    /// The process it was attached to is asked to end if it listens; if not, only the recording ends.
    RecordingEnds,
    /// Its source is read no further; the tool that writes it goes on.
    ReadingEnds,
}

/// Returns what stopping a run does.
pub fn stop_effect(view: &View) -> StopEffect {
    let manifest = &view.manifest;
    match &manifest.command {
        _ if view.queued.is_some() => StopEffect::LeavesQueue,
        Some(command) if command.attached.is_some() => StopEffect::RecordingEnds,
        Some(_) => StopEffect::CommandEnds,
        None if manifest.kind == Kind::Import => StopEffect::ReadingEnds,
        None if is_resumable(manifest).is_ok() => StopEffect::Saves,
        None => StopEffect::Ends,
    }
}

/// Why an action is not allowed; as text, it follows the run's name.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// The run has ended.
    #[error("is not running: it has {0}")]
    Ended(State),
    /// The run is active.
    #[error("is {0}: stop it first")]
    Going(State),
    /// The run has finished, so there is nothing left to do.
    #[error("has finished: there is nothing left to do")]
    Finished,
    /// The run is already paused.
    #[error("is already paused")]
    Paused,
    /// The experiment does not write checkpoints.
    #[error("has no checkpoints: {experiment} is not resumable")]
    NotResumable {
        /// The experiment's id.
        experiment: String,
    },
    /// The command was not declared resumable.
    #[error(
        "cannot be resumed: its command was started without --resumable; `gradtop resume --restart` starts it over \
         with the same seed"
    )]
    CommandNotResumable,
    /// The same, where a checkpoint is asked for.
    #[error("saves no checkpoints: its command was started without --resumable")]
    CommandSavesNothing,
    /// The keeper and sink are gone, but the command still runs.
    #[error(
        "cannot be resumed: process {pid} of its command still works, and nobody records it: \
         `gradtop stop --kill {run}` ends it"
    )]
    StillAtWork {
        /// Its process id.
        pid: u32,
        /// The run's name.
        run: String,
    },
    /// The keeper and sink are gone, but the command still runs.
    #[error("has ended, but process {pid} of its command still works: `gradtop stop --kill {run}` ends it")]
    LeftBehind {
        /// Its process id.
        pid: u32,
        /// The run's name.
        run: String,
    },
    /// The run is an imported log of another tool.
    #[error("was imported: only the tool that wrote it can do that")]
    Imported,
    /// The run has not saved a checkpoint.
    #[error("has no checkpoint yet: `gradtop resume --restart` starts over with the same seed")]
    NothingSaved,
    /// The run's copy of the plugin is missing.
    #[error("cannot be resumed: plugin.so in its folder {0}; start a new run")]
    NoPlugin(&'static str),
    /// The run waits in the queue.
    #[error("has not started yet: {0}")]
    Queued(&'static str),
    /// Another process resumed it before its lock could be taken.
    #[error("cannot be resumed: somebody else has already resumed it")]
    Resumed,
    /// A process left by the run still holds its lock.
    #[error("cannot be resumed: {cause}; end that process first")]
    Held {
        /// The holder of the lock.
        cause: String,
    },
    /// The run may be active where this machine cannot see it.
    #[error(
        "is {place}, last seen running {} ago, and nothing here tells whether it still is{}",
        ago(*age), forced(command.as_ref())
    )]
    Elsewhere {
        /// The machine, or the folder that it is a copy of.
        place: String,
        /// Time since it last wrote anything.
        age: Duration,
        /// The command that does it anyway.
        command: Option<String>,
    },
}

impl Why {
    /// Returns whether the run can never be resumed, so that only a new one helps.
    pub fn is_for_good(&self) -> bool {
        matches!(
            self,
            Self::Finished
                | Self::NotResumable { .. }
                | Self::CommandNotResumable
                | Self::Imported
                | Self::NothingSaved
                | Self::NoPlugin(_)
        )
    }
}

/// Formats a time for display: `35 s`, `12 min`, `3 h`, `5 days`.
fn ago(time: Duration) -> String {
    match time.as_secs() {
        s @ ..120 => format!("{s} s"),
        s @ ..7_200 => format!("{} min", s / 60),
        s @ ..172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}

fn forced(command: Option<&String>) -> String {
    command.map(|c| format!("; if it is gone: {c}")).unwrap_or_default()
}

/// Checks whether an action is allowed. The run's folder is read only for resuming an ended run.
///
/// # Errors
/// Why the action is not allowed.
pub fn allowed(view: &View, action: Action) -> Result<(), Why> {
    let (state, run) = (view.state, &view.manifest.run);
    if view.queued.is_some() {
        return match action {
            Action::Stop | Action::Kill | Action::Delete => Ok(()),
            Action::Pause | Action::Resume | Action::Restart if view.job.is_some() => {
                Err(Why::Queued("its job waits, and the batch system decides when it starts"))
            }
            Action::Pause => Err(Why::Queued("`gradtop queue hold` keeps it from starting")),
            Action::Resume | Action::Restart => {
                Err(Why::Queued("`gradtop queue release` lets a held run start"))
            }
            Action::Checkpoint => Err(Why::Queued("there is nothing to save")),
            Action::Rename => Err(Why::Queued("rename it once it has ended")),
        };
    }
    if !state.is_final() && view.life == Life::Unknown {
        let command = match action {
            Action::Resume | Action::Restart => Some(format!("gradtop resume --force {run}")),
            Action::Stop | Action::Kill => Some(format!("gradtop stop --kill --force {run}")),
            Action::Delete => Some(format!("gradtop rm --force {run}")),
            Action::Pause | Action::Checkpoint | Action::Rename => None,
        };
        return Err(Why::Elsewhere { place: view.whereabouts(), age: view.age_of_last_write, command });
    }
    let ends = matches!(action, Action::Stop | Action::Kill | Action::Delete);
    if let Some(pid) = ends.then(|| left_behind(view)).flatten() {
        let why = Why::LeftBehind { pid, run: run.clone() };
        return if action == Action::Kill { Ok(()) } else { Err(why) };
    }
    match action {
        Action::Pause | Action::Checkpoint | Action::Stop | Action::Kill if state.is_final() => {
            Err(Why::Ended(state))
        }
        Action::Pause if state == State::Paused => Err(Why::Paused),
        Action::Pause if view.manifest.kind == Kind::Import => Err(Why::Imported),
        Action::Checkpoint => is_resumable(&view.manifest).map_err(|why| match why {
            Why::CommandNotResumable => Why::CommandSavesNothing,
            why => why,
        }),
        Action::Resume | Action::Restart => match (state, view.life) {
            (State::Paused, _) => Ok(()),
            (State::Finished, _) => Err(Why::Finished),
            (_, Life::Gone { held: true }) => {
                Err(Why::Held { cause: view.status.cause.clone().unwrap_or_default() })
            }
            _ if !state.is_final() => Err(Why::Going(state)),
            _ => has_all(&view.dir, &view.manifest, action),
        },
        Action::Delete | Action::Rename if !state.is_final() => Err(Why::Going(state)),
        _ => Ok(()),
    }
}

/// Returns a process of the run's command that is still running after the run has crashed because its keeper and sink
/// were killed.
pub fn left_behind(view: &View) -> Option<u32> {
    // In any other case the keeper has ended the command. Searching for processes is too slow to do it for every run.
    let could = view.state == State::Crashed && view.manifest.kind == Kind::Command;
    run_processes::of(could.then_some(&view.dir)?).first().map(|(pid, _)| *pid)
}

/// Checks whether an ended run has everything needed to resume or restart it.
pub(crate) fn has_all(run: &RunDir, manifest: &Manifest, action: Action) -> Result<(), Why> {
    match is_resumable(manifest) {
        Err(Why::NotResumable { .. } | Why::CommandNotResumable) if action == Action::Restart => {}
        Ok(()) if action != Action::Restart && gradtop_store::checkpoints(run).is_empty() => {
            return Err(Why::NothingSaved);
        }
        answer => answer?,
    }
    if manifest.kind != Kind::Plugin {
        return match run_processes::of(run).first() {
            Some((pid, _)) => Err(Why::StillAtWork { pid: *pid, run: manifest.run.clone() }),
            None => Ok(()),
        };
    }
    match inside::entry(run, &run.plugin()) {
        Ok(entry) if entry.kind == inside::Kind::File => Ok(()),
        Ok(_) => Err(Why::NoPlugin("is not a file")),
        Err(_) => Err(Why::NoPlugin("is gone")),
    }
}

fn is_resumable(manifest: &Manifest) -> Result<(), Why> {
    let experiment = &manifest.experiment;
    match manifest.kind {
        Kind::Import => Err(Why::Imported),
        _ if experiment.resumable => Ok(()),
        Kind::Command => Err(Why::CommandNotResumable),
        Kind::Plugin => Err(Why::NotResumable { experiment: experiment.id.clone() }),
    }
}
