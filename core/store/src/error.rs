//! The error type of this crate.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use crate::suggest::did_you_mean;
use crate::toml_words::toml_message;

/// Maximum number of names in a message.
const NAMED: usize = 8;

/// What went wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused an operation on a file.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// The operation, as a verb phrase such as `open`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A file of a run folder does not hold what was written to it.
    #[error("{} is damaged: {message}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A newer version of gradtop wrote the file.
    #[error("{} has schema {found}, this gradtop reads up to {supported}: use a newer gradtop", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The schema that the file states.
        found: u32,
        /// The newest schema that this version supports.
        supported: u32,
    },
    /// Arrow or Parquet failed to encode or decode.
    #[error("cannot {what} {}: {message}", path.display())]
    Format {
        /// The operation, as a verb phrase such as `decode`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The library's message.
        message: String,
    },
    /// Not a valid name for a run, an experiment or a tag.
    #[error("{name:?} cannot be the name of {} {of}: {why}", if *of == "experiment" { "an" } else { "a" })]
    BadName {
        /// `run`, `experiment` or `tag`.
        of: &'static str,
        /// The name.
        name: String,
        /// The rule it breaks.
        why: &'static str,
    },
    /// A table with one column per series would be too large.
    #[error(
        "{rows} rows with a column for each of {series} series are too much for memory: choose the long form"
    )]
    TooWide {
        /// The table's rows.
        rows: usize,
        /// The table's series.
        series: usize,
    },
    /// There is no run of that name.
    #[error("no run is called {name:?} in {}{}{}", runs.display(), did_you_mean(near), may_hide(hidden.as_deref()))]
    NoSuchRun {
        /// The name asked for.
        name: String,
        /// Where it was looked for.
        runs: PathBuf,
        /// Similar names.
        near: Vec<String>,
        /// Why a folder could not be searched.
        hidden: Option<String>,
    },
    /// More than one run matches.
    #[error(
        "{name:?} could be {}: give more of the name, or EXPERIMENT/NAME",
        abbreviated(candidates, NAMED, String::clone)
    )]
    Ambiguous {
        /// The name or prefix asked for.
        name: String,
        /// What it matches.
        candidates: Vec<String>,
    },
    /// The queue belongs to another user, whose runs can be neither queued nor started.
    #[error("the queue in {} belongs to another user: queue runs in a folder of your own (--runs DIR)", .0.display())]
    ForeignQueue(PathBuf),
    /// The folder of a new run already exists.
    #[error("{} already exists: choose another name for the run", .0.display())]
    RunExists(PathBuf),
    /// Another process holds the run's lock.
    #[error("{} is in use by another process: stop the run first", .0.display())]
    Locked(PathBuf),
    /// The run belongs to another machine, or did when that machine was last seen.
    #[error(
        "{host} has {}, or had it when it was last seen: `gradtop resume` waits until it gives no sign, --force does not",
        path.display()
    )]
    Owned {
        /// The run's folder.
        path: PathBuf,
        /// The machine's name and its job.
        host: String,
    },
    /// The run has too many series.
    #[error(
        "a run may have at most {} series: put what varies into steps or a table",
        crate::schema::MAX_SERIES
    )]
    TooManySeries,
    /// The columns of a table do not match each other or the table's earlier rows.
    #[error("table {table:?}: {message}")]
    BadTable {
        /// The table.
        table: String,
        /// What does not fit.
        message: String,
    },
    /// The run has no such table.
    #[error("the run {run:?} has no table {table:?}; it has: {}", if tables.is_empty() { "none".to_owned() } else { tables.join(", ") })]
    NoSuchTable {
        /// The run.
        run: String,
        /// The table asked for.
        table: String,
        /// The tables of the run.
        tables: Vec<String>,
    },
    /// There is no checkpoint to resume from.
    #[error("{} has no checkpoint to resume from", .0.display())]
    NoCheckpoint(PathBuf),
    /// The experiment failed to save a checkpoint.
    #[error("the checkpoint of step {step} was not saved: {message}")]
    Save {
        /// The checkpoint's step.
        step: i64,
        /// The message of the saver.
        message: String,
    },
    /// A figure declaration is invalid.
    #[error("{place}: {message}")]
    Figures {
        /// Which figure, panel and mark.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// The background writer ended because of an earlier error.
    #[error("the run's log can no longer be written: {0}")]
    Writer(String),
    /// Rows could not be written to the disk before the run ended.
    #[error("{} lost: {why}", all_rows(*rows, *table_rows))]
    Lost {
        /// Number of rows of metrics.
        rows: u64,
        /// Number of rows of tables.
        table_rows: u64,
        /// Why they could not be written.
        why: String,
    },
    /// No folder for runs could be determined.
    #[error("no runs folder: use --runs DIR or set GRADTOP_RUNS")]
    NoRunsDir,
}

impl StoreError {
    /// Returns whether the error concerns the content of one file, so that the rest of the run can still be shown.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Format { .. })
    }

    /// Returns whether a file does not exist, for example because it was sealed or merged between listing and opening.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Returns the file that is damaged, or the folder that lacks files.
    pub fn damaged_file(&self) -> Option<&Path> {
        match self {
            Self::Damaged { path, .. } | Self::Format { path, .. } => Some(path),
            _ => None,
        }
    }

    /// Describes what is wrong with a damaged file, without the file's name.
    pub(crate) fn what(&self) -> String {
        match self {
            Self::Damaged { message, .. } | Self::Format { message, .. } => message.clone(),
            other => other.to_string(),
        }
    }
}

fn may_hide(hidden: Option<&str>) -> String {
    hidden.map_or_else(String::new, |why| format!("; it may be where nothing can be seen: {why}"))
}

/// Writes a count of things with all its digits: `1 row`, `2 rows`.
pub fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn all_rows(rows: u64, table_rows: u64) -> String {
    let [points, of_tables] = [counted(rows, "row", "rows"), counted(table_rows, "table row", "table rows")];
    match (rows, table_rows) {
        (_, 0) => points,
        (0, _) => of_tables,
        _ => format!("{points} and {of_tables}"),
    }
}

/// Something other than a regular file was found where a run has a file. Counts as damage.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoFile(&'static str);

impl NoFile {
    pub(crate) fn error(what: &'static str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, Self(what))
    }

    /// Returns the cause if an I/O error wraps a [`NoFile`].
    fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

/// The result type of this crate.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Adds the operation and the file to an I/O error.
pub(crate) trait IoContext<T> {
    fn at(self, what: &'static str, path: &Path) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn at(self, what: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| match NoFile::of(&source) {
            Some(what) => StoreError::Damaged { path: path.to_owned(), message: what.to_string() },
            // Bytes that are no text.
            None if source.kind() == io::ErrorKind::InvalidData => {
                StoreError::Damaged { path: path.to_owned(), message: source.to_string() }
            }
            None => StoreError::Io { what, path: path.to_owned(), source },
        })
    }
}

/// Lists the names of at most `most` of several things, and says how many others there are: `a, b and 3 more`.
pub fn abbreviated<T>(all: &[T], most: usize, name: impl Fn(&T) -> String) -> String {
    let names = all.iter().take(most).map(name).collect::<Vec<_>>().join(", ");
    if all.len() > most { format!("{names} and {} more", all.len() - most) } else { names }
}

/// Shortens a message of several lines, such as TOML's, to its first and last line.
fn in_a_line(message: &str) -> String {
    let mut lines = message.lines().map(str::trim).filter(|l| !l.is_empty());
    match (lines.next(), lines.next_back()) {
        (Some(first), Some(last)) => format!("{first}: {last}"),
        _ => message.trim().to_owned(),
    }
}

/// Describes what a library did not understand: of TOML, the line and what is wrong there.
fn in_words(error: &(dyn Error + 'static)) -> String {
    let text = error.to_string();
    let place = text.strip_prefix("TOML parse error at ").and_then(|rest| Some(rest.split_once(',')?.0));
    match (error.downcast_ref(), place) {
        (Some(toml), Some(line)) => format!("{line}: {}", toml_message(toml)),
        (Some(toml), None) => toml_message(toml),
        _ => in_a_line(&text),
    }
}

/// Like [`IoContext`], for errors of Arrow, Parquet, JSON and TOML.
pub(crate) trait FormatContext<T> {
    fn format_at(self, what: &'static str, path: &Path) -> Result<T>;
}

impl<T, E: Error + 'static> FormatContext<T> for std::result::Result<T, E> {
    fn format_at(self, what: &'static str, path: &Path) -> Result<T> {
        self.map_err(|e| match system_code(&e) {
            // A library may wrap an I/O error, which is still an error of the disk.
            Some(code) => {
                StoreError::Io { what, path: path.to_owned(), source: io::Error::from_raw_os_error(code) }
            }
            None => StoreError::Format { what, path: path.to_owned(), message: in_words(&e) },
        })
    }
}

/// Returns the operating system's error code from an error or one of its sources.
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
