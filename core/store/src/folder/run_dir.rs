//! Where things lie in a run's folder.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::error::{IoContext as _, Result};
use crate::folder::held::Held;

/// The folder of the runs that wait, in the folder of runs: readers of `exp=*/run=*` and older versions do not see it.
pub(crate) const QUEUE: &str = ".queue";

/// The start of the name of an owner's file.
pub(crate) const OWNER: &str = "owner-";

/// A run's folder, `<runs>/exp=<experiment>/run=<name>`. Holds paths only; nothing is opened, unless it is [held](Self::hold).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunDir(PathBuf, Held);

impl RunDir {
    /// The run kept in `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into(), Held::default())
    }
    /// The same run, its folder kept open: what is written goes into that folder, wherever it is moved, never into another
    /// one that takes its name.
    ///
    /// # Errors
    /// The folder cannot be opened.
    pub fn hold(self) -> Result<Self> {
        let held = Held::open(&self.0).at("open", &self.0)?;
        Ok(Self(self.0, held))
    }
    /// Whether a folder that is held still lies at its path. `true` where that cannot be told.
    pub fn is_in_place(&self) -> bool {
        self.1.is_at(&self.0)
    }
    pub(crate) fn held(&self) -> Option<&OwnedFd> {
        self.1.folder()
    }
    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }
    /// The folder of all runs that it is in.
    pub fn runs(&self) -> &Path {
        self.0.ancestors().nth(2).unwrap_or(&self.0)
    }
    /// `owner-<term>`
    pub(crate) fn owner(&self, term: u32) -> PathBuf {
        self.0.join(format!("{OWNER}{term}"))
    }
    /// Whether it lies in the queue, as `.queue/<number>-<name>`.
    pub fn is_queued(&self) -> bool {
        self.0.parent().and_then(Path::file_name).is_some_and(|name| name == QUEUE)
    }

    /// The run's name: the folder's, without `run=` or its number in the queue.
    pub fn name(&self) -> String {
        let name = stem(&self.0, "run=");
        match name.split_once('-') {
            Some((_, name)) if self.is_queued() => name.to_owned(),
            _ => name,
        }
    }

    /// The experiment's id: the parent folder's name, without `exp=`. Of one in the queue only the manifest has it.
    pub fn experiment(&self) -> String {
        self.0.parent().map(|p| stem(p, "exp=")).unwrap_or_default()
    }
}

/// A function for each file and folder of a run that has a fixed name.
macro_rules! files {
    ($($(#[$doc:meta])* $file:ident: $name:literal,)*) => {
        impl RunDir {
            $($(#[$doc])* pub fn $file(&self) -> PathBuf { self.0.join($name) })*
        }
    };
}

files! {
    /// `run.toml`: what it is, and how it was begun.
    manifest: "run.toml",
    /// `code.diff`: what differed from the commit that its command was started at.
    code_diff: "code.diff",
    /// `plugin.so`: the run's own copy of its plugin.
    plugin: "plugin.so",
    /// `status.json`: how far it is.
    status: "status.json",
    /// `lock`: held by who works on it.
    lock: "lock",
    /// `control/`: requests to it.
    control: "control",
    /// `events.jsonl`: what happened.
    events: "events.jsonl",
    /// `series.jsonl`: which series its numbers are.
    series: "series.jsonl",
    /// `journal/`: rows of metrics that are not sealed yet.
    journal: "journal",
    /// `metrics/`: sealed rows of metrics.
    metrics: "metrics",
    /// `tables/`: its tables.
    tables: "tables",
    /// `figures.toml`: figures that it has declared.
    figures: "figures.toml",
    /// `checkpoints/`: what it can go on from.
    checkpoints: "checkpoints",
    /// `console.log`: what it wrote to its standard output and error.
    console: "console.log",
    /// `notes.toml`: what people say of it.
    notes: "notes.toml",
    /// `damage.jsonl`: what was found damaged.
    damage: "damage.jsonl",
    /// `damaged/`: files set aside because they hold something else than was written.
    damaged: "damaged",
    /// `superseded/`: what was set aside when it was resumed.
    superseded: "superseded",
    /// `.start.json`: what a run that has not begun is to be started with.
    turn: ".start.json",
    /// `job.toml`: the job that is to run it.
    job: "job.toml",
    /// `job-seen.json`: what was last seen of that job.
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
