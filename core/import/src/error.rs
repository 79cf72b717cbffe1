//! The one error type of this crate.

use std::io;
use std::path::{Path, PathBuf};

use gradtop_store::StoreError;

/// What went wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The operating system refused something.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb phrase.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file is not what it should be; what precedes that byte counts.
    #[error("{} is damaged at byte {offset}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// Nothing there can be imported.
    #[error("nothing to import in {}: {why}", path.display())]
    Nothing {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A run of another import is still being followed.
    #[error("{0} is being followed already; `gradtop stop {0}` ends that")]
    Followed(String),
    /// A log holds other rows than the run that was made of it.
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
    /// A run could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A result with an [`ImportError`].
pub type Result<T> = std::result::Result<T, ImportError>;

/// Says of an error of the system what was tried, and where.
pub(crate) trait At<T> {
    fn at(self, what: &'static str, path: &Path) -> Result<T>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, what: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| ImportError::Io { what, path: path.to_owned(), source })
    }
}
