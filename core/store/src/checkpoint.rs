//! Checkpoints, and going on from one.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::lock::RunLock;
use crate::run_dir::RunDir;

/// A saved checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The last step it includes.
    pub step: i64,
    /// The epoch there, if the experiment counts them.
    pub epoch: Option<f64>,
    /// Its folder: what the experiment saved, and `checkpoint.toml`.
    pub dir: PathBuf,
}

/// The run's whole checkpoints, oldest first.
pub fn checkpoints(_run: &RunDir) -> Vec<Checkpoint> {
    Vec::new()
}

/// Readies a run to go on from a checkpoint, the newest one if none is given: seals what a crash left, then moves every
/// row logged later, and every later checkpoint, to `superseded/<time>/`.
pub fn prepare_resume(_run: &RunDir, _lock: &RunLock, _checkpoint: Option<&Path>) -> Result<Checkpoint> {
    Err(crate::not_yet())
}
