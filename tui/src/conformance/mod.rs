//! `gradtop plugin check --conformance` lets each experiment of a library live through what runs live through, and says what
//! does not hold; `gradtop selftest` puts a device beside the CPU. Whatever calls the plugin is a process of its own, as always.

mod life;
mod rows;
pub(crate) mod selftest;
pub(crate) mod tolerance;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use gradtop_chart::cells::theme::Ink;
use gradtop_host::{DeviceChoice, ExperimentDesc, Launch};
use gradtop_store::{ParamValue, RunDir, State, View};

pub(crate) use rows::Apart;

/// What is looked at, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Defaults and presets are accepted by the experiment itself.
    Parameters,
    /// So are, or are refused with a reason, the ends of ranges and strange texts.
    WrongParameters,
    /// A run to its end.
    Quick,
    /// The same seed, the same rows.
    Seed,
    /// A pause and a stop are answered.
    Stop,
    /// A stopped run continues to the same rows.
    Resume,
    /// A killed one too.
    Kill,
}

impl Part {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::WrongParameters => "wrong parameters",
            Self::Quick => "quick run",
            Self::Seed => "same seed",
            Self::Stop => "pause and stop",
            Self::Resume => "resume",
            Self::Kill => "kill and resume",
        }
    }
}

/// What came of one part, each with its sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed(String),
    Skipped(String),
    Failed(String),
}

impl Outcome {
    /// The word in JSON, and the sentence.
    pub(crate) fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Passed(said) => ("passed", said),
            Self::Skipped(said) => ("skipped", said),
            Self::Failed(said) => ("failed", said),
        }
    }

    /// With another sentence.
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

/// Looks at one experiment; `report` hears of each part. Its runs are made in `runs`, each within `limit`.
///
/// # Errors
/// Something other than the experiment failed, or `interrupted` became true.
pub(crate) fn check(
    library: &Path,
    experiment: &ExperimentDesc,
    runs: &Path,
    limit: Duration,
    interrupted: &mut dyn FnMut() -> bool,
    report: &mut dyn FnMut(Part, &Outcome),
) -> Result<()> {
    let device = DeviceChoice::Cpu;
    let mut bench = Bench { library, experiment, runs, limit, device, interrupted };
    life::live(&mut bench, report)
}

/// Where the runs of one experiment are made.
struct Bench<'a> {
    library: &'a Path,
    experiment: &'a ExperimentDesc,
    runs: &'a Path,
    limit: Duration,
    device: DeviceChoice,
    interrupted: &'a mut dyn FnMut() -> bool,
}

/// How long a run was waited for.
enum Waited {
    /// Until it was so.
    Seen(View),
    /// It ended otherwise.
    Ended(View),
    /// It took too long, and was killed.
    TooLong,
}

impl Bench<'_> {
    /// The preset `quick` if there is one.
    fn preset(&self) -> Option<String> {
        self.experiment.presets.iter().map(|p| &p.name).find(|name| *name == "quick").cloned()
    }

    fn params(&self) -> Result<Vec<(String, ParamValue)>> {
        Ok(gradtop_host::resolve_params(self.experiment, self.preset().as_deref(), &[])?)
    }

    fn start(
        &self,
        name: &str,
        params: Vec<(String, ParamValue)>,
    ) -> Result<RunDir, gradtop_host::HostError> {
        gradtop_host::launch(&Launch {
            runs: self.runs.to_owned(),
            plugin: self.library.to_owned(),
            experiment: self.experiment.id.clone(),
            params,
            preset: self.preset(),
            name: Some(name.to_owned()),
            seed: Some(7),
            device: self.device,
            threads: Some(1),
            // Only the checkpoints that are asked for.
            checkpoint_every: Duration::ZERO,
        })
    }

    /// Looks at a run until something is so or it has ended, within the limit.
    fn until(&mut self, run: &RunDir, so: impl FnMut(&View) -> bool) -> Result<Waited> {
        self.until_within(self.limit, run, so)
    }

    fn until_within(
        &mut self,
        limit: Duration,
        run: &RunDir,
        mut so: impl FnMut(&View) -> bool,
    ) -> Result<Waited> {
        let deadline = Instant::now() + limit;
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

    fn until_end(&mut self, run: &RunDir) -> Result<Waited> {
        self.until(run, |view| view.state.is_final())
    }
}

/// How a run ended that should have ended otherwise, in words.
fn ended(view: &View) -> String {
    let cause = view.status.cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{}{cause}", view.state)
}

/// A folder for runs that is removed when it goes, unless it is to be kept.
pub(crate) struct Runs(PathBuf);

impl Runs {
    /// # Errors
    /// It cannot be made, or is there already.
    pub(crate) fn create() -> Result<Self> {
        let dir = std::env::temp_dir().join(format!("gradtop-check-{}", std::process::id()));
        std::fs::create_dir(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(Self(dir))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Leaves it there.
    pub(crate) fn keep(mut self) -> PathBuf {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            // What stays in the temporary folder harms nobody.
            std::fs::remove_dir_all(&self.0).ok();
        }
    }
}

/// Whether a run may be looked at further: it came to its end.
fn finished(waited: Waited, limit: Duration) -> Result<View, String> {
    match waited {
        Waited::Seen(view) | Waited::Ended(view) if view.state == State::Finished => Ok(view),
        Waited::Seen(view) | Waited::Ended(view) => Err(format!("the run {}", ended(&view))),
        Waited::TooLong => Err(format!(
            "the run did not end within {} s: give it a preset `quick` that ends in seconds, or more time with --timeout",
            limit.as_secs()
        )),
    }
}
