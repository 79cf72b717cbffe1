//! Checkpoints: the networks, and their paths so far.

use std::path::Path as FilePath;

use gradtop_sdk::Result;
use gradtop_toolkit::checkpoint::{Saved, Saving};

use super::path::Path;
use super::training::Training;

const FILE: &str = "training.safetensors";
const NAME: &str = "runs";

/// Saves everything that [`restore`] needs.
pub(super) fn save(dir: &FilePath, training: &Training, path: &Path) -> Result<()> {
    let mut saving = Saving::default();
    training.ensemble.save(NAME, &mut saving)?;
    path.save(&mut saving)?;
    Ok(saving.write(&dir.join(FILE))?)
}

/// Restores what [`save`] saved.
pub(super) fn restore(dir: &FilePath, training: &mut Training, path: &mut Path) -> Result<()> {
    let saved = Saved::read(&dir.join(FILE))?;
    training.ensemble.restore(NAME, &saved)?;
    path.restore(&saved)
}
