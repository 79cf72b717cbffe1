//! `gradtop plugin check --conformance` leads each experiment of a library through everything that can happen to a run and
//! reports violations; `gradtop selftest` compares a device with the CPU. As always, everything that calls the plugin is a
//! separate process.

pub(crate) mod life;
mod rows;
pub(crate) mod selftest;
pub(crate) mod tolerance;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use gradtop_chart::cells::theme::Ink;
use gradtop_host::{DeviceChoice, ExperimentDesc, HostError, Launch};
use gradtop_store::{ParamValue, RunDir, State, View};
use tempfile::TempDir;

pub(crate) use rows::Apart;

/// The result of a part, with an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed(String),
    Skipped(String),
    Failed(String),
}

impl Outcome {
    /// The result's name in JSON, and its explanation.
    pub(crate) fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Passed(said) => ("passed", said),
            Self::Skipped(said) => ("skipped", said),
            Self::Failed(said) => ("failed", said),
        }
    }

    pub(crate) fn map(self, words: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Passed(said) => Self::Passed(words(said)),
            Self::Skipped(said) => Self::Skipped(words(said)),
            Self::Failed(said) => Self::Failed(words(said)),
        }
    }

    pub(crate) fn ink(&self) -> Ink {
        match self {
            Self::Passed(_) => Ink::Text,
            Self::Skipped(_) => Ink::Dim,
            Self::Failed(_) => Ink::Alert,
        }
    }
}

/// What the experiment did wrong, as opposed to any other error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Violation(String);

impl Violation {
    /// The explanation of a violation; any other error is returned.
    fn of(error: anyhow::Error) -> Result<String> {
        Ok(error.downcast::<Self>()?.0)
    }

    /// Begins the explanation of a violation with `words`.
    fn after(words: &str, error: anyhow::Error) -> anyhow::Error {
        Self::of(error).map_or_else(|error| error, |why| Self(format!("{words}{why}")).into())
    }
}

/// Turns a violation into the outcome of a part.
fn outcome(part: Result<Outcome>) -> Result<Outcome> {
    part.or_else(|error| Violation::of(error).map(Outcome::Failed))
}

/// The set-up that one experiment is tested in.
pub(crate) struct Bench<'a> {
    pub(crate) library: &'a Path,
    pub(crate) experiment: &'a ExperimentDesc,
    /// The folder in which runs are created.
    pub(crate) runs: &'a Path,
    /// The time limit of each run.
    pub(crate) limit: Duration,
    pub(crate) device: DeviceChoice,
    pub(crate) interrupted: &'a mut dyn FnMut() -> bool,
}

/// The result of waiting for a run.
enum Waited {
    Seen(View),
    Ended(View),
    /// The run took too long and was killed.
    TooLong,
}

impl Bench<'_> {
    /// The preset `quick`, if the experiment has one.
    fn preset(&self) -> Option<String> {
        self.experiment.presets.iter().map(|p| &p.name).find(|name| *name == "quick").cloned()
    }

    fn params(&self) -> Result<Vec<(String, ParamValue)>> {
        Ok(gradtop_host::resolve_params(self.experiment, self.preset().as_deref(), &[])?)
    }

    fn start(&self, name: &str, params: Vec<(String, ParamValue)>) -> Result<RunDir> {
        started(gradtop_host::launch(&Launch {
            runs: self.runs.to_owned(),
            plugin: self.library.to_owned(),
            experiment: self.experiment.id.clone(),
            params,
            preset: self.preset(),
            name: Some(name.to_owned()),
            seed: Some(7),
            device: self.device,
            threads: Some(1),
            // No checkpoints except those requested.
            checkpoint_every: Duration::ZERO,
        }))
    }

    fn run_to_end(&mut self, name: &str) -> Result<View> {
        let run = self.start(name, self.params()?)?;
        self.until_finished(&run)
    }

    /// Polls a run until the condition holds, it ends, or the limit is reached.
    fn until(&mut self, run: &RunDir, mut so: impl FnMut(&View) -> bool) -> Result<Waited> {
        let deadline = Instant::now() + self.limit;
        loop {
            let view = gradtop_host::look(run)?;
            if so(&view) {
                return Ok(Waited::Seen(view));
            }
            if view.state.is_final() {
                return Ok(Waited::Ended(view));
            }
            let interrupted = (self.interrupted)();
            if interrupted || Instant::now() > deadline {
                gradtop_host::kill(run).with_context(|| format!("cannot end {}", run.name()))?;
            }
            if interrupted {
                return Err(crate::failure::Failure::new("interrupted").into());
            }
            if Instant::now() > deadline {
                return Ok(Waited::TooLong);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for the end of a run; `None` if it took too long.
    fn until_end(&mut self, run: &RunDir) -> Result<Option<View>> {
        Ok(match self.until(run, |view| view.state.is_final())? {
            Waited::Seen(view) | Waited::Ended(view) => Some(view),
            Waited::TooLong => None,
        })
    }

    /// Waits until a run has finished; any other end is a violation.
    fn until_finished(&mut self, run: &RunDir) -> Result<View> {
        let why = match self.until_end(run)? {
            Some(view) if view.state == State::Finished => return Ok(view),
            Some(view) => format!("the run {}", ended(&view)),
            None => format!(
                "the run did not end within {} s: give it a preset `quick` that ends in seconds, or more time with --timeout",
                self.limit.as_secs()
            ),
        };
        Err(Violation(why).into())
    }
}

/// A temporary folder for runs, removed on drop unless kept.
pub(crate) fn folder_for_runs() -> Result<TempDir> {
    tempfile::Builder::new().prefix("gradtop-check-").tempdir().context("cannot create a folder for runs")
}

/// A run that does not start because of the experiment is a violation.
fn started<T>(result: gradtop_host::Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        HostError::Plugin { .. } | HostError::Refused { .. } | HostError::NotStarted { .. } => {
            Violation(error.to_string()).into()
        }
        other => other.into(),
    })
}

/// Describes the unexpected end of a run.
fn ended(view: &View) -> String {
    let cause = view.status.cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{}{cause}", view.state)
}
