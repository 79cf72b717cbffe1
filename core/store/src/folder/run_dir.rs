//! The layout of a run's folder.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::disk::open_dir::OpenDir;
use crate::error::{IoContext as _, Result};

/// The queue's folder in the folder of runs. Hidden from readers of `exp=*/run=*` and from older versions.
pub(crate) const QUEUE: &str = ".queue";

/// Prefix of an owner's file.
pub(crate) const OWNER: &str = "owner-";

/// A run's folder, `<runs>/exp=<experiment>/run=<name>`. Holds only paths and opens nothing, unless it is [held](Self::hold).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunDir(PathBuf, OpenDir);

impl RunDir {
    /// Creates a handle for the run in `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into(), OpenDir::default())
    }
    /// Creates a handle for the run of this name in the folder of runs.
    pub(crate) fn of(runs: &Path, experiment: &str, name: &str) -> Self {
        Self::new(runs.join(format!("exp={experiment}/run={name}")))
    }

    /// Keeps the folder open, so that writes go into that folder wherever it is moved, and never into another one that
    /// takes its name.
    ///
    /// # Errors
    /// The folder cannot be opened.
    pub fn hold(self) -> Result<Self> {
        let held = OpenDir::open(&self.0).at("open", &self.0)?;
        Ok(Self(self.0, held))
    }
    /// Returns whether a held folder still lies at its path. `true` if that cannot be determined.
    pub fn is_in_place(&self) -> bool {
        self.1.is_at(&self.0)
    }
    pub(crate) fn held(&self) -> Option<&OwnedFd> {
        self.1.folder()
    }
    /// Returns the run's folder.
    pub fn path(&self) -> &Path {
        &self.0
    }
    /// Returns the folder of runs that contains it.
    pub fn runs(&self) -> &Path {
        self.0.ancestors().nth(2).unwrap_or(&self.0)
    }
    pub(crate) fn owner(&self, term: u32) -> PathBuf {
        self.0.join(format!("{OWNER}{term}"))
    }
    /// Returns whether it lies in the queue, as `.queue/<number>-<name>`.
    pub fn is_queued(&self) -> bool {
        self.0.parent().and_then(Path::file_name).is_some_and(|name| name == QUEUE)
    }

    /// Returns the run's name: the folder's without `run=`, or without its number in the queue.
    pub fn name(&self) -> String {
        let name = stem(&self.0, "run=");
        match name.split_once('-') {
            Some((_, name)) if self.is_queued() => name.to_owned(),
            _ => name,
        }
    }

    /// Returns the experiment's id: the parent folder's name without `exp=`. For a queued run, only the manifest has it.
    pub fn experiment(&self) -> String {
        self.0.parent().map(|p| stem(p, "exp=")).unwrap_or_default()
    }
}

/// Defines a method for each file and folder of a run with a fixed name.
macro_rules! files {
    ($($(#[$doc:meta])* $file:ident: $name:literal,)*) => {
        impl RunDir {
            $($(#[$doc])* pub fn $file(&self) -> PathBuf { self.0.join($name) })*
        }
    };
}

files! {
    /// `run.toml`: what the run was started with.
    manifest: "run.toml",
    /// `code.diff`: the changes relative to the commit from which its command was started.
    code_diff: "code.diff",
    /// `plugin.so`: the run's own copy of its plugin.
    plugin: "plugin.so",
    /// `status.json`: its progress.
    status: "status.json",
    /// `lock`: held by the processes that work on it.
    lock: "lock",
    /// `control/`: requests to it.
    control: "control",
    /// `events.jsonl`: what happened to it.
    events: "events.jsonl",
    /// `series.jsonl`: the series and their numbers.
    series: "series.jsonl",
    /// `journal/`: rows of metrics that are not yet sealed.
    journal: "journal",
    /// `metrics/`: sealed rows of metrics.
    metrics: "metrics",
    /// `tables/`: its tables.
    tables: "tables",
    /// `figures.toml`: its declared figures.
    figures: "figures.toml",
    /// `checkpoints/`: the states it can resume from.
    checkpoints: "checkpoints",
    /// `console.log`: its standard output and error.
    console: "console.log",
    /// `notes.toml`: a user's star, tags and note.
    notes: "notes.toml",
    /// `damage.jsonl`: its damaged files.
    damage: "damage.jsonl",
    /// `damaged/`: damaged files that were set aside.
    damaged: "damaged",
    /// `superseded/`: what was set aside when it was resumed.
    superseded: "superseded",
    /// `.start.json`: how to start a run that has not begun.
    turn: ".start.json",
    /// `job.toml`: the batch job that is to execute it.
    job: "job.toml",
    /// `job-seen.json`: what was last reported about that job.
    job_seen: "job-seen.json",
}

impl AsRef<Path> for RunDir {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

fn stem(path: &Path, prefix: &str) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_prefix(prefix).unwrap_or(&name).to_owned()
}
