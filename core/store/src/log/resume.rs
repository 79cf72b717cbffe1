//! Resuming from a checkpoint: what was logged after it is set aside.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::disk::inside;
use crate::error::{IoContext as _, Result, StoreError};
use crate::folder::run_dir::RunDir;
use crate::liveness::lock::RunLock;
use crate::log::checkpoint::{Checkpoint, list};
use crate::log::part::{list_parts, names};
use crate::log::recover::recover;
use crate::sealed::table::RUN_TABLE;
use crate::stages::stage;

/// Prepares a run to resume from a checkpoint, by default the newest: seals what a crash left, then moves all later rows and
/// checkpoints to `superseded/<time>/`. The run's row in `tables/run/` is copied there and stays until it is replaced.
///
/// # Errors
/// There is no such checkpoint, or the rows after it cannot be set aside.
pub fn prepare_resume(run: &RunDir, lock: &RunLock, checkpoint: Option<&Path>) -> Result<Checkpoint> {
    let all = list(run);
    let none = |path: &Path| StoreError::NoCheckpoint(path.to_owned());
    let (chosen, record) = match checkpoint {
        None => all.last().cloned().ok_or_else(|| none(run.path()))?,
        Some(path) => {
            let dir = if path.is_absolute() { path.to_owned() } else { run.path().join(path) };
            all.iter().find(|(c, _)| c.dir == dir).cloned().ok_or_else(|| none(&dir))?
        }
    };
    set_aside(run, lock, record.segment, &record.tables, &chosen.dir)?;
    Ok(chosen)
}

/// Prepares a run without a checkpoint to start again: everything it logged is set aside, as in [`prepare_resume`].
///
/// # Errors
/// The rows cannot be set aside.
pub fn prepare_restart(run: &RunDir, lock: &RunLock) -> Result<()> {
    set_aside(run, lock, 0, &BTreeMap::new(), Path::new(""))
}

/// Sets aside what was logged after the segment and the parts of `tables`, and the checkpoints after `chosen`.
fn set_aside(
    run: &RunDir,
    lock: &RunLock,
    segment: u32,
    tables: &BTreeMap<String, u32>,
    chosen: &Path,
) -> Result<()> {
    recover(run, lock)?;
    let mut aside = Aside { run, dir: None };
    for part in list_parts(run, &run.metrics())? {
        if part.last > segment {
            if part.first <= segment {
                let message = format!("it spans segment {segment}, after which {} follows", chosen.display());
                return Err(StoreError::Damaged { path: part.path, message });
            }
            aside.take(&part.path)?;
        }
    }
    for part in list_parts(run, &run.tables().join(RUN_TABLE))? {
        aside.copy(&part.path)?;
    }
    for table in names(run, &run.tables())?.into_iter().filter(|t| t != RUN_TABLE) {
        let last = tables.get(&table).copied().unwrap_or(0);
        for part in list_parts(run, &run.tables().join(&table))? {
            if part.first > last {
                aside.take(&part.path)?;
            }
        }
    }
    let all = list(run);
    let later = all.iter().skip_while(|(c, _)| c.dir != chosen).skip(1);
    for (later, _) in later {
        aside.take(&later.dir)?;
    }
    for dir in [run.metrics(), run.checkpoints()] {
        if inside::exists(run, &dir) {
            inside::sync_dir(run, &dir).at("sync", &dir)?;
        }
    }
    Ok(())
}

/// The folder `superseded/<time>/`, made when first needed.
struct Aside<'a> {
    run: &'a RunDir,
    dir: Option<PathBuf>,
}

impl Aside<'_> {
    /// Moves a file or folder there, keeping its path relative to the run's folder.
    fn take(&mut self, path: &Path) -> Result<()> {
        let to = self.place(path)?;
        inside::rename(self.run, path, &to).at("move", path)?;
        stage("resume: moved");
        let parent = path.parent().unwrap_or(self.run.path());
        inside::sync_dir(self.run, parent).at("sync", parent)
    }

    /// Copies a file there.
    fn copy(&mut self, path: &Path) -> Result<()> {
        let to = self.place(path)?;
        let bytes = inside::read(self.run, path, inside::TEXT_LIMIT).at("read", path)?;
        inside::replace(self.run, &to, &bytes, true).at("write", &to)
    }

    /// Returns the destination of a path of the run, and makes its folder.
    fn place(&mut self, path: &Path) -> Result<PathBuf> {
        let dir = if let Some(dir) = &self.dir {
            dir.clone()
        } else {
            let time = Timestamp::now().strftime("%Y-%m-%dT%H-%M-%S%.3fZ").to_string();
            let dir = self.run.superseded().join(time);
            inside::create_dir_all(self.run, &dir).at("create", &dir)?;
            self.dir.insert(dir).clone()
        };
        let to = dir.join(path.strip_prefix(self.run.path()).unwrap_or(path));
        let parent = to.parent().unwrap_or(&dir);
        inside::create_dir_all(self.run, parent).at("create", parent)?;
        Ok(to)
    }
}
