//! The error type of this crate.

use std::io;
use std::path::{Path, PathBuf};

use gradtop_store::StoreError;

/// What went wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The operating system refused an operation.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// The operation, as a verb phrase such as `open`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A file is damaged; what precedes the damage is valid.
    #[error("{} is damaged at byte {offset}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Position of the damage in bytes.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// There is nothing to import.
    #[error("nothing to import in {}: {why}", path.display())]
    Nothing {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// The run is still being followed by another import.
    #[error("{0} is being followed already; `gradtop stop {0}` ends that")]
    Followed(String),
    /// A log was overwritten, so that it no longer contains the rows of the run made from it.
    #[error(
        "{} was overwritten: it no longer holds the rows of {run}; import it under another name",
        path.display()
    )]
    Overwritten {
        /// The log.
        path: PathBuf,
        /// The run.
        run: String,
    },
    /// The import was ended before the end of its source.
    #[error("{} was not read to its end: the import was interrupted", .0.display())]
    Interrupted(PathBuf),
    /// A run could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The result type of this crate.
pub type Result<T> = std::result::Result<T, ImportError>;

/// Adds the operation and the file to an I/O error.
pub(crate) trait At<T> {
    fn at(self, what: &'static str, path: &Path) -> Result<T>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, what: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| ImportError::Io { what, path: path.to_owned(), source })
    }
}

/// Takes what could not be written to a full disk as written: it is written later, once there is room, as are rows.
pub(crate) fn unless_full(written: Result<()>) -> Result<()> {
    match written {
        Err(ImportError::Store(e)) if e.patience().is_some() => Ok(()),
        written => written,
    }
}
