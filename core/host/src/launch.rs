//! Starting a run, and going on with one.

use std::path::PathBuf;
use std::time::Duration;

use gradtop_store::{ParamValue, RunDir};

use crate::device::DeviceChoice;
use crate::error::{HostError, Result};

/// What to run.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The folder of all runs.
    pub runs: PathBuf,
    /// The plugin.
    pub plugin: PathBuf,
    /// The experiment's id.
    pub experiment: String,
    /// A value for every parameter, from [`crate::resolve_params`].
    pub params: Vec<(String, ParamValue)>,
    /// The preset they came from, for the record.
    pub preset: Option<String>,
    /// The run's name; the next free one if `None`.
    pub name: Option<String>,
    /// The seed; drawn if `None`.
    pub seed: Option<u64>,
    /// The device.
    pub device: DeviceChoice,
    /// Threads; [`default_threads`] if `None`.
    pub threads: Option<u32>,
    /// Time between checkpoints of a resumable experiment.
    pub checkpoint_every: Duration,
}

/// Threads of a run that does not say: as many as this process may use cores, at most 8. Depends on the machine, never on
/// its load, because results may depend on it; it is recorded in `run.toml`.
pub fn default_threads() -> u32 {
    1
}

/// Starts a run and returns once it is on its own: it has its folder, its lock and its two processes, and whatever
/// happens to the caller no longer matters to it.
pub fn launch(launch: &Launch) -> Result<RunDir> {
    Err(HostError::NotStarted { run: launch.experiment.clone(), why: "being built".to_owned() })
}

/// Goes on with a run that stopped, failed or crashed, from its newest checkpoint, in the same folder and with the same
/// plugin, parameters and seed. Returns once it is on its own.
pub fn resume(run: &RunDir) -> Result<()> {
    Err(HostError::NotResumable { run: run.name(), why: "being built".to_owned() })
}
