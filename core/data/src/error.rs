//! The error type of this crate.

use std::io;
use std::path::PathBuf;

/// A problem with a file of a data set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file is not in any of the folders.
    #[error(
        "{title}: {file} was not found; looked in {}. `gradtop data fetch {dataset}` downloads it{}",
        looked.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", "),
        package.map(|package| format!(", or install the Debian package {package}")).unwrap_or_default()
    )]
    Missing {
        /// Name of the data set.
        dataset: &'static str,
        /// Title of the data set.
        title: &'static str,
        /// Name of the file.
        file: &'static str,
        /// The folders that were searched, in order.
        looked: Vec<PathBuf>,
        /// The package that contains it.
        package: Option<&'static str>,
    },
    /// The file exists but has unexpected content.
    #[error("{} is damaged: {message}. `gradtop data fetch {dataset}` downloads it anew", path.display())]
    Damaged {
        /// Name of the data set.
        dataset: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
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
