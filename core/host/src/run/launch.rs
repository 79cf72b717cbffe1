//! Starting runs of experiments.

use std::hash::{BuildHasher as _, Hasher as _};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gradtop_store::{ExperimentInfo, Manifest, NewRun, ParamValue, PluginInfo, RunDir, Status, write_status};

use crate::error::{HostError, Refusal, Result};
use crate::machine::device::{self, DeviceChoice};
use crate::machine::signals::Blocked;
use crate::machine::{git, libtorch};
use crate::plugin::desc::{ExperimentDesc, PluginDesc};
use crate::plugin::describe;
use crate::plugin::file::PluginFile;
use crate::plugin::params::resolve_params;
use crate::plugin::shared::Shared;
use crate::plugin::validate::{Params, Validation, validate_each};
use crate::run::alerts;
use crate::run::keeper::start::start;

/// An experiment to start as a run.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The folder of all runs.
    pub runs: PathBuf,
    /// The plugin.
    pub plugin: PathBuf,
    /// The experiment's id.
    pub experiment: String,
    /// A value for every parameter, from [`crate::plugin::params::resolve_params`].
    pub params: Vec<(String, ParamValue)>,
    /// The preset they are based on, to record it.
    pub preset: Option<String>,
    /// The run's name; `None` for the next free one.
    pub name: Option<String>,
    /// The seed; `None` for a random one.
    pub seed: Option<u64>,
    /// The device.
    pub device: DeviceChoice,
    /// Number of threads; `None` for [`default_threads`].
    pub threads: Option<u32>,
    /// Interval between checkpoints of a resumable experiment; zero for only those requested.
    pub checkpoint_every: Duration,
}

/// The default interval between checkpoints.
pub const DEFAULT_CHECKPOINT_EVERY: Duration = Duration::from_mins(1);

/// Returns the default number of threads: the number of cores this process may use, at most 8. Depends only on the
/// machine and not on its load, because results may depend on it. Recorded in `run.toml`.
pub fn default_threads() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(8) as u32)
}

/// Starts a run and returns once it no longer depends on the caller: it has its folder, its lock and its two processes.
///
/// # Errors
/// The plugin, a parameter or the device cannot be used, the experiment refuses the parameters, the name is taken, or
/// something cannot be written or started.
pub fn launch(launch: &Launch) -> Result<RunDir> {
    let source = Source::of(launch, None)?;
    source.check(&[launch])?;
    let _blocked = Blocked::interrupts();
    let (run, lock) = source.new_run(launch, NewRun::begin)?.finish()?;
    start(&run, &lock, None, None)?;
    Ok(run)
}

/// How to create the folder of a run: [`NewRun::begin`] or [`NewRun::begin_queued`].
pub(crate) type Begin = fn(&Path, Manifest, bool) -> gradtop_store::Result<NewRun>;

/// What runs of one experiment on one device have in common, read only once.
pub(crate) struct Source {
    /// The first of the runs.
    first: Launch,
    runs: PathBuf,
    file: PluginFile,
    sha256: String,
    plugin: PluginDesc,
    experiment: ExperimentDesc,
    lib: Option<PathBuf>,
    device: DeviceChoice,
    device_reason: Option<String>,
    shared: Shared,
}

impl Source {
    /// Creates the source for a run. `gpu` is set if the run will be on another machine, and says whether that has a GPU.
    pub(crate) fn of(launch: &Launch, gpu: Option<bool>) -> Result<Self> {
        let refuse = |refusal| HostError::Plugin { path: launch.plugin.clone(), refusal };
        let file = PluginFile::open(&launch.plugin).map_err(refuse)?;
        let (plugin, sha256) = describe::described_exactly(&file).map_err(refuse)?;
        let Some((_, experiment)) = plugin.experiment(&launch.experiment) else {
            return Err(HostError::NoSuchExperiment {
                path: launch.plugin.clone(),
                experiment: launch.experiment.clone(),
                has: plugin.experiments.iter().map(|e| e.id.clone()).collect(),
            });
        };
        let lib = if plugin.needs_libtorch {
            let missing = |looked| Refusal::MissingLibtorch { library: libtorch::CPU.to_owned(), looked };
            Some(libtorch::find(Some(&plugin.file)).map_err(missing).map_err(refuse)?)
        } else {
            None
        };
        let experiment = experiment.clone();
        let (device, device_reason) =
            device::resolve(launch.device, experiment.uses_device, lib.as_deref(), gpu)?;
        let runs = std::path::absolute(&launch.runs).map_err(HostError::at("resolve", &launch.runs))?;
        let (first, shared) = (launch.clone(), Shared::default());
        Ok(Self { first, runs, file, sha256, plugin, experiment, lib, device, device_reason, shared })
    }

    /// Returns whether it also applies to another run.
    pub(crate) fn is_of(&self, launch: &Launch) -> bool {
        let of = |l: &Launch| (l.runs.clone(), l.plugin.clone(), l.experiment.clone(), l.device);
        of(&self.first) == of(launch)
    }

    /// Asks the experiment whether it refuses the parameters of any of its runs.
    ///
    /// # Errors
    /// [`HostError::Refused`] for the first refused run.
    pub(crate) fn check(&self, launches: &[&Launch]) -> Result<()> {
        let mut sets: Vec<&Params> = launches.iter().map(|launch| launch.params.as_slice()).collect();
        sets.dedup();
        let Some((set, mut message)) = refused_of(&self.file, &self.experiment, &sets) else { return Ok(()) };
        let varied = set.iter().filter(|param| sets.iter().any(|other| !other.contains(param)));
        let varied: Vec<String> = varied.map(|(key, value)| format!("{key}={value}")).collect();
        if !varied.is_empty() {
            message = format!("{}: {message}", varied.join(" "));
        }
        Err(HostError::Refused { experiment: self.experiment.id.clone(), message })
    }

    /// Creates a run with everything it needs except its name. Interrupts must be blocked, because one now would leave
    /// a folder without a process.
    pub(crate) fn new_run(&self, launch: &Launch, begin: Begin) -> Result<NewRun> {
        let new_run = begin(&self.runs, self.manifest(launch), launch.name.is_none())?;
        let run = new_run.run();
        self.shared.put(&self.runs, &self.file, &self.sha256, &run.plugin()).map_err(|e| match e.kind() {
            ErrorKind::ResourceBusy => {
                HostError::Plugin { path: self.first.plugin.clone(), refusal: Refusal::being_written() }
            }
            _ => HostError::at("copy the plugin to", &run.plugin())(e),
        })?;
        if let Some(figures) = &self.experiment.figures {
            gradtop_store::figures::declare(run, figures)?;
        }
        write_status(run, &Status::queued(None))?;
        Ok(new_run)
    }

    fn manifest(&self, launch: &Launch) -> Manifest {
        let Self { plugin, experiment, device, .. } = self;
        let info = ExperimentInfo {
            in_plugin: None,
            id: experiment.id.clone(),
            name: experiment.name.clone(),
            version: experiment.version.clone(),
            summary: experiment.summary.clone(),
            resumable: experiment.resumable,
            uses_device: experiment.uses_device,
        };
        let mut manifest = Manifest {
            seed: Some(launch.seed.unwrap_or_else(draw_seed)),
            device: Some(device.to_string()),
            device_reason: self.device_reason.clone(),
            threads: Some(launch.threads.unwrap_or_else(default_threads).max(1)),
            checkpoint_every_s: launch.checkpoint_every.as_secs_f64().ceil() as u64,
            preset: launch.preset.clone(),
            alerts: alerts::given(),
            git_commit: std::env::current_dir().ok().and_then(|dir| git::commit(&dir)),
            plugin: Some(PluginInfo {
                file: "plugin.so".to_owned(),
                sha256: self.sha256.clone(),
                built_with: plugin.built_with.clone(),
                original_path: plugin.file.to_string_lossy().into_owned(),
            }),
            params: launch.params.clone(),
            metrics: experiment.metrics.clone(),
            ..Manifest::new(launch.name.as_deref().unwrap_or_default(), info)
        };
        manifest.versions.abi = Some(format!("{}.{}", plugin.abi.0, plugin.abi.1));
        manifest.versions.libtorch = self.lib.as_deref().and_then(libtorch::version);
        manifest
    }
}

/// Asks an experiment, in a separate process, why it refuses these parameters; `None` if it does not. Defaults and
/// presets are not checked, because that would slow down every start.
pub fn refused(
    plugin: &Path,
    experiment: &ExperimentDesc,
    params: &[(String, ParamValue)],
) -> Option<String> {
    // If the plugin cannot be opened, starting the run reports why.
    refused_of(&PluginFile::open(plugin).ok()?, experiment, &[params]).map(|(_, why)| why)
}

/// Returns the first refused set of parameters. A set at which the process dies or hangs is not refused: the run will
/// fail with a log.
fn refused_of<'a>(
    plugin: &PluginFile,
    experiment: &ExperimentDesc,
    sets: &[&'a Params],
) -> Option<(&'a Params, String)> {
    let presets = experiment.presets.iter().map(|p| Some(p.name.as_str()));
    let declared: Vec<_> = std::iter::once(None)
        .chain(presets)
        .filter_map(|preset| resolve_params(experiment, preset, &[]).ok())
        .collect();
    let asked: Vec<&Params> = sets.iter().copied().filter(|set| declared.iter().all(|d| d != set)).collect();
    validate_each(plugin, &experiment.id, &asked).zip(&asked).find_map(|(judged, set)| match judged {
        Validation::Refused(why) => Some((*set, why)),
        Validation::Accepted | Validation::Broken(_) => None,
    })
}

/// Draws a seed of 32 bits, short enough to retype, from the randomness of the standard library's hasher.
pub(crate) fn draw_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish() >> 32
}
