//! Creating runs. A run's folder is built under a temporary name, with its lock held, and then renamed: whoever sees
//! the run sees all of it, and sees that it is alive.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::disk::inside;
use crate::disk::shared::create_shared;
use crate::disk::temporary::{TMP, tmp_beside};
use crate::error::{IoContext as _, Result, StoreError};
use crate::folder::manifest::{Manifest, replace_manifest};
use crate::folder::run_dir::RunDir;
use crate::folder::run_table::{write_params_table, write_run_table};
use crate::folder::status::read_status;
use crate::liveness::lock::{RunLock, is_locked};
use crate::log::parallel::each;
use crate::runs::find::{new_run_name, new_run_names, validate_experiment, validate_name};
use crate::runs::queue::{self, LockedQueue, Turn};

/// How often to retry when other processes take the name or remove the folder.
const TRIES: u32 = 1_000;

/// Number of threads that sync folders. The disk can combine much of what they request.
const SYNCING: usize = 8;

/// A run that is still invisible to others. Dropping it removes its folder.
#[derive(Debug)]
pub struct NewRun {
    runs: PathBuf,
    manifest: Manifest,
    find_name: bool,
    /// The experiment's folder.
    above: RunDir,
    run: RunDir,
    /// The run's lock, until [`NewRun::finish`] returns it.
    lock: Option<RunLock>,
}

impl NewRun {
    /// Makes the folder of a new run under a temporary name and takes its lock. With `find_name` the run gets the next
    /// free name, else the name in the manifest, which may fail with [`StoreError::RunExists`].
    ///
    /// # Errors
    /// The name is taken or invalid, or the folder cannot be made.
    pub fn begin(runs: &Path, manifest: Manifest, find_name: bool) -> Result<Self> {
        let above = runs.join(format!("exp={}", manifest.experiment.id));
        Self::begin_in(runs, RunDir::new(above), manifest, find_name)
    }

    /// Like [`Self::begin`], for a run that is to wait in the queue: complete it with [`Self::finish_queued`].
    ///
    /// # Errors
    /// See [`Self::begin`].
    pub fn begin_queued(runs: &Path, manifest: Manifest, find_name: bool) -> Result<Self> {
        Self::begin_in(runs, queue::folder(runs), manifest, find_name)
    }

    fn begin_in(runs: &Path, above: RunDir, manifest: Manifest, find_name: bool) -> Result<Self> {
        if !find_name {
            validate_name(&manifest.run)?;
        }
        validate_experiment(&manifest.experiment.id)?;
        if !find_name {
            refuse_taken(runs, &manifest)?;
        }
        fs::create_dir_all(runs).at("create", runs)?;
        for _ in 0..TRIES {
            create_shared(runs, above.path())?;
            remove_unfinished(&above);
            if let Some((run, lock)) = create_unnamed(&above)? {
                return Ok(Self { runs: runs.to_owned(), manifest, find_name, above, run, lock: Some(lock) });
            }
        }
        let source = std::io::Error::other("others remove it again and again");
        Err(StoreError::Io { what: "create a run in", path: above.path().to_owned(), source })
    }

    /// Makes the queue's folder if it does not exist.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn make_queue(runs: &Path) -> Result<()> {
        fs::create_dir_all(runs).at("create", runs)?;
        create_shared(runs, queue::folder(runs).path())
    }

    /// Returns the device named in the manifest; empty if unknown.
    pub fn device(&self) -> &str {
        self.manifest.device.as_deref().unwrap_or_default()
    }

    /// Returns the folder, under its temporary name.
    pub fn run(&self) -> &RunDir {
        &self.run
    }

    /// Writes the manifest (and the tables, if the run has a status) and gives the folder its final name.
    ///
    /// # Errors
    /// The name was taken in the meantime, or the folder cannot be written.
    pub fn finish(mut self) -> Result<(RunDir, RunLock)> {
        let mut tries = 0;
        loop {
            if self.find_name {
                self.manifest.run = new_run_name(&self.runs, &self.manifest.experiment.id);
            }
            self.write_named()?;
            sync(&self.run)?;
            let path = self.above.path().join(format!("run={}", self.manifest.run));
            match inside::rename_new(&self.above, self.run.path(), &path) {
                Ok(()) => {
                    let Some(lock) = self.lock.take() else { unreachable!("it is taken here only") };
                    let run = RunDir::new(path);
                    lock.renamed(&run);
                    return Ok((run, lock));
                }
                Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(e).at("create", &path),
                Err(_) if self.find_name && tries < TRIES => tries += 1,
                Err(_) => return Err(StoreError::RunExists(path)),
            }
        }
    }
}

impl NewRun {
    fn write_named(&self) -> Result<()> {
        replace_manifest(&self.run, &self.manifest)?;
        if let Ok(status) = read_status(&self.run) {
            write_params_table(&self.run, &self.manifest)?;
            write_run_table(&self.run, &self.manifest, &status)?;
        }
        Ok(())
    }

    /// Appends runs to the queue in this order, each with what it is to be started with.
    ///
    /// # Errors
    /// The queue belongs to another user, a name is taken, or the disk refuses. The runs before the first failed one
    /// may have been queued.
    pub fn finish_queued(mut new_runs: Vec<(Self, Turn)>) -> Result<Vec<RunDir>> {
        let Some(runs) = new_runs.first().map(|(new_run, _)| new_run.runs.clone()) else {
            return Ok(Vec::new());
        };
        let queue = LockedQueue::lock(&runs)?;
        let mut names = BTreeMap::new();
        for (new_run, turn) in &mut new_runs {
            queue::write_turn(&new_run.run, turn)?;
            let manifest = &mut new_run.manifest;
            if new_run.find_name {
                let id = &manifest.experiment.id;
                let names = names.entry(id.clone()).or_insert_with(|| new_run_names(&runs, id));
                manifest.run = names.next().unwrap_or_default();
            } else {
                refuse_taken(&runs, manifest)?;
            }
            new_run.write_named()?;
        }
        each(SYNCING, new_runs.iter().map(|(new_run, _)| &new_run.run).collect(), sync)
            .into_iter()
            .collect::<Result<()>>()?;
        let queued = queue
            .append(new_runs.iter().map(|(new_run, _)| (&new_run.run, new_run.manifest.run.as_str())))?;
        for (new_run, _) in &mut new_runs {
            new_run.lock = None;
        }
        Ok(queued)
    }
}

/// Syncs a new run to the disk.
fn sync(run: &RunDir) -> Result<()> {
    inside::sync_all(run, run.path()).at("sync", run.path())
}

/// Returns an error if a run of that name exists or waits in the queue.
fn refuse_taken(runs: &Path, manifest: &Manifest) -> Result<()> {
    let id = &manifest.experiment.id;
    let path = RunDir::of(runs, id, &manifest.run).path().to_owned();
    if inside::exists(&RunDir::new(runs), &path) {
        return Err(StoreError::RunExists(path));
    }
    match queue::find(runs, id, &manifest.run) {
        Some(run) => Err(StoreError::RunExists(run.path().to_owned())),
        None => Ok(()),
    }
}

impl Drop for NewRun {
    fn drop(&mut self) {
        if self.lock.is_some() {
            inside::remove_dir(&self.above, self.run.path()).ok();
            // Also removes the experiment's folder if that is now empty.
            fs::remove_dir(self.above.path()).ok();
        }
    }
}

/// Makes an empty run under a temporary name and locks it. Returns `None` if another process has just removed it.
fn create_unnamed(above: &RunDir) -> Result<Option<(RunDir, RunLock)>> {
    let run = RunDir::new(tmp_beside(&above.path().join("run")));
    match fs::create_dir(run.path()) {
        Err(e) if matches!(e.kind(), std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::NotFound) => {
            return Ok(None);
        }
        made => made.at("create", run.path())?,
    }
    let made = RunLock::acquire_now(&run).and_then(|lock| {
        for dir in [run.control(), run.journal(), run.metrics(), run.tables(), run.checkpoints()] {
            inside::create_dir_all(&run, &dir).at("create", &dir)?;
        }
        Ok(lock)
    });
    match made {
        Ok(lock) if lock.is_there() => Ok(Some((run, lock))),
        // Before it was locked, another launch took the folder for a leftover of a dead process.
        Ok(_) | Err(StoreError::Locked { .. }) => Ok(None),
        Err(_) if !inside::exists(above, run.path()) => Ok(None),
        Err(e) => {
            inside::remove_dir(above, run.path()).ok();
            Err(e)
        }
    }
}

/// Removes what this user's dead launches and deletions left in an experiment's folder.
pub fn remove_unfinished(above: &RunDir) {
    let names = inside::names(above, above.path()).unwrap_or_default();
    for name in names.iter().filter(|name| name.to_string_lossy().starts_with(TMP)) {
        let run = RunDir::new(above.path().join(name));
        let own = |m: fs::Metadata| m.is_dir() && m.uid() == rustix::process::geteuid().as_raw();
        if fs::symlink_metadata(run.path()).is_ok_and(own)
            && is_locked(&run).is_ok_and(|locked| !locked)
            && let Ok(_lock) = RunLock::acquire_now(&run)
        {
            inside::remove_dir(above, run.path()).ok();
        }
    }
}

/// Creates a run from a manifest without starting it.
///
/// # Errors
/// See [`NewRun::begin`] and [`NewRun::finish`].
pub fn create_run(runs: &Path, manifest: &Manifest) -> Result<RunDir> {
    Ok(NewRun::begin(runs, manifest.clone(), false)?.finish()?.0)
}
