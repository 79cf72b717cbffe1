//! The one error type of this crate.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// What went wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused an operation on a file.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb phrase.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file of a run folder does not hold what it should.
    #[error("{} is damaged: {message}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A file was written by a newer gradtop.
    #[error("{} has schema {found}, this gradtop reads up to {supported}: use a newer gradtop", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The schema it states.
        found: u32,
        /// The newest schema known here.
        supported: u32,
    },
    /// Arrow or Parquet refused to encode or decode.
    #[error("cannot {what} {}: {message}", path.display())]
    Format {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The library's message.
        message: String,
    },
    /// Not a name that a run or an experiment may have.
    #[error("{name:?} cannot be the name of {} {of}: {why}", if *of == "experiment" { "an" } else { "a" })]
    BadName {
        /// `run`, `experiment` or `tag`.
        of: &'static str,
        /// The name.
        name: String,
        /// The rule it breaks.
        why: &'static str,
    },
    /// A table with a column for each series would be too large.
    #[error(
        "{rows} rows with a column for each of {series} series are too much for memory: choose the long form"
    )]
    TooWide {
        /// Its rows.
        rows: usize,
        /// Its series.
        series: usize,
    },
    /// No run of that name.
    #[error("no run is called {name:?} in {}{}{}", runs.display(), near_names(near), may_hide(hidden.as_deref()))]
    NoSuchRun {
        /// The name asked for.
        name: String,
        /// Where it was looked for.
        runs: PathBuf,
        /// Names that come near.
        near: Vec<String>,
        /// Why some folder could not be looked into.
        hidden: Option<String>,
    },
    /// More than one run matches.
    #[error("{name:?} could be {}: give more of the name, or exp=<experiment>/run=<name>", candidates.join(", "))]
    Ambiguous {
        /// The name or prefix asked for.
        name: String,
        /// What it matches.
        candidates: Vec<String>,
    },
    /// Nobody queues runs for another user, or starts them.
    #[error("the queue in {} belongs to another user: queue runs in a folder of your own (--runs DIR)", .0.display())]
    ForeignQueue(PathBuf),
    /// The folder of a new run is already there.
    #[error("{} already exists: choose another name for the run", .0.display())]
    RunExists(PathBuf),
    /// Another process holds the run's lock.
    #[error("{} is in use by another process: stop the run first", .0.display())]
    Locked(PathBuf),
    /// Another machine is at work on the run, or was when it was last seen.
    #[error(
        "{host} has {}, or had it when it was last seen: `gradtop resume` waits until it gives no sign, --force does not",
        path.display()
    )]
    Owned {
        /// The run's folder.
        path: PathBuf,
        /// The machine's name, and its job.
        host: String,
    },
    /// A run may have 100,000 series.
    #[error(
        "a run may have at most {} series: put what varies into steps or a table",
        crate::schema::MAX_SERIES
    )]
    TooManySeries,
    /// A table's columns do not fit together or differ from what the table held before.
    #[error("table {table:?}: {message}")]
    BadTable {
        /// The table.
        table: String,
        /// What does not fit.
        message: String,
    },
    /// No such table in the run.
    #[error("the run {run:?} has no table {table:?}; it has: {}", if tables.is_empty() { "none".to_owned() } else { tables.join(", ") })]
    NoSuchTable {
        /// The run.
        run: String,
        /// The table asked for.
        table: String,
        /// The tables there are.
        tables: Vec<String>,
    },
    /// There is no checkpoint to resume from.
    #[error("{} has no checkpoint to resume from", .0.display())]
    NoCheckpoint(PathBuf),
    /// Whatever writes a checkpoint reported an error.
    #[error("the checkpoint of step {step} was not saved: {message}")]
    Save {
        /// The checkpoint's step.
        step: i64,
        /// What the saver said.
        message: String,
    },
    /// Figures that cannot be understood.
    #[error("{place}: {message}")]
    Figures {
        /// Which figure, panel and mark.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// The background writer has ended because of an earlier error.
    #[error("the run's log can no longer be written: {0}")]
    Writer(String),
    /// Rows that the disk did not take before the run ended.
    #[error("{} lost: {why}", counted(*rows, *table_rows))]
    Lost {
        /// Rows of metrics.
        rows: u64,
        /// Rows of tables.
        table_rows: u64,
        /// Why the disk did not take them.
        why: String,
    },
    /// No folder for runs could be determined.
    #[error("no runs folder: use --runs DIR or set GRADTOP_RUNS")]
    NoRunsDir,
}

impl StoreError {
    /// Whether a file holds something else than was written, so that what else there is can still be shown.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Format { .. })
    }

    /// Whether a file is not there, or no longer: sealed or merged between listing and opening.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// The file that is damaged.
    pub(crate) fn damaged_file(&self) -> Option<&Path> {
        match self {
            Self::Damaged { path, .. } | Self::Format { path, .. } => Some(path),
            _ => None,
        }
    }

    /// What is wrong with a damaged file, without its name.
    pub(crate) fn what(&self) -> String {
        match self {
            Self::Damaged { message, .. } | Self::Format { message, .. } => message.clone(),
            other => other.to_string(),
        }
    }
}

fn near_names(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) }
}

fn may_hide(hidden: Option<&str>) -> String {
    hidden.map_or_else(String::new, |why| format!("; it may be where nothing can be seen: {why}"))
}

fn counted(rows: u64, table_rows: u64) -> String {
    let some = |n: u64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    match (rows, table_rows) {
        (rows, 0) => some(rows, "row"),
        (0, rows) => some(rows, "table row"),
        (rows, more) => format!("{} and {}", some(rows, "row"), some(more, "table row")),
    }
}

/// Something else than a regular file lies where a run has one: damage, wherever it is met.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoFile(&'static str);

impl NoFile {
    pub(crate) fn error(what: &'static str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, Self(what))
    }

    /// What is there, if an error says that it is no file.
    fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

/// A result of this crate.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Adds what was tried, and on which file, to an error of the system.
pub(crate) trait IoContext<T> {
    fn at(self, what: &'static str, path: &Path) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn at(self, what: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| match NoFile::of(&source) {
            Some(what) => StoreError::Damaged { path: path.to_owned(), message: what.to_string() },
            None => StoreError::Io { what, path: path.to_owned(), source },
        })
    }
}

impl<T> IoContext<T> for rustix::io::Result<T> {
    fn at(self, what: &'static str, path: &Path) -> Result<T> {
        self.map_err(|e| StoreError::Io { what, path: path.to_owned(), source: e.into() })
    }
}

/// A message of several lines, as TOML's are (where, the line drawn, what), in one: its first and last.
fn in_a_line(message: &str) -> String {
    let mut lines = message.lines().map(str::trim).filter(|l| !l.is_empty());
    match (lines.next(), lines.next_back()) {
        (Some(first), Some(last)) => format!("{first}: {last}"),
        _ => message.trim().to_owned(),
    }
}

/// The same for errors of Arrow, Parquet, JSON and TOML.
pub(crate) trait FormatContext<T> {
    fn format_at(self, what: &'static str, path: &Path) -> Result<T>;
}

impl<T, E: Error + 'static> FormatContext<T> for std::result::Result<T, E> {
    fn format_at(self, what: &'static str, path: &Path) -> Result<T> {
        self.map_err(|e| match system_code(&e) {
            // A library wraps what the system answered: it is an error of the disk all the same.
            Some(code) => {
                StoreError::Io { what, path: path.to_owned(), source: io::Error::from_raw_os_error(code) }
            }
            None => StoreError::Format { what, path: path.to_owned(), message: in_a_line(&e.to_string()) },
        })
    }
}

/// The system's own error among an error and its sources.
fn system_code(error: &(dyn Error + 'static)) -> Option<i32> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(code) = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            return Some(code);
        }
        next = error.source();
    }
    None
}
