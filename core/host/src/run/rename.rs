//! Renames an ended run, and with it its folder.

use std::io;

use gradtop_store::{
    Life, RunDir, RunLock, StoreError, inside, read_manifest, replace_manifest, validate_name, view,
    write_run_table,
};

use crate::error::{HostError, Result};
use crate::run::allowed::Action;
use crate::run::control::ready;

/// Renames a run in one step. Its manifest and its row for SQL are updated afterwards; until then, or if that fails,
/// the folder's name counts.
///
/// # Errors
/// The name is invalid or taken, or the run is active or may continue elsewhere.
pub fn rename(run: &RunDir, name: &str) -> Result<RunDir> {
    validate_name(name)?;
    let seen = ready(run, Action::Rename)?;
    let path = run.path();
    let to = path.with_file_name(format!("run={name}"));
    if to == path {
        return Ok(run.clone());
    }
    // Held so that nobody resumes the run meanwhile.
    let lock = match RunLock::acquire(run) {
        Err(StoreError::Locked { .. }) if seen.life == (Life::Gone { held: true }) => None,
        lock => Some(lock?),
    };
    let experiment = RunDir::new(path.parent().unwrap_or(path));
    match inside::rename_new(&experiment, path, &to) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            return Err(StoreError::RunExists(to).into());
        }
        renamed => renamed.map_err(HostError::at("rename", path))?,
    }
    let renamed = RunDir::new(to);
    write_name(&renamed).ok();
    drop(lock);
    Ok(renamed)
}

/// Writes the folder's name into the files that contain it.
fn write_name(run: &RunDir) -> gradtop_store::Result<()> {
    let mut manifest = read_manifest(run)?;
    write_run_table(run, &manifest, &view(run)?.status)?;
    if let Some(id) = manifest.experiment.in_plugin.take() {
        manifest.experiment.id = id;
    }
    replace_manifest(run, &manifest)
}
