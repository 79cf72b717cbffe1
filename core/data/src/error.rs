//! The one error type of this crate.

use std::io;
use std::path::PathBuf;

/// What is wrong with a file of a data set, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// It is in none of the places.
    #[error(
        "{title}: {file} was not found; looked in {}. `gradtop data fetch {dataset}` downloads it{}",
        looked.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", "),
        package.map(|package| format!(", or install the Debian package {package}")).unwrap_or_default()
    )]
    Missing {
        /// Name of the data set.
        dataset: &'static str,
        /// The same for people.
        title: &'static str,
        /// Name of the file.
        file: &'static str,
        /// The folders, in the order they were looked into.
        looked: Vec<PathBuf>,
        /// The package that has it.
        package: Option<&'static str>,
    },
    /// It is there but does not hold what it must.
    #[error("{} is damaged: {message}. Delete it, then run `gradtop data fetch {dataset}`", path.display())]
    Damaged {
        /// Name of the data set.
        dataset: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The operating system did not let it be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// There is no such data set.
    #[error("unknown data set `{name}`; expected one of {}", crate::DATASETS.each_ref().map(|d| d.name).join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// There is no folder to fetch into.
    #[error("no folder to keep data sets in: set GRADTOP_DATASETS, XDG_DATA_HOME or HOME")]
    NoFolder,
}
