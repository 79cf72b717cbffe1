//! The Parquet files of a run, for other programs to read directly.

use std::path::PathBuf;

use crate::error::Result;
use crate::folder::damage::known_damage;
use crate::folder::run_dir::RunDir;
use crate::folder::view::has_journal;
use crate::log::merge::list_pending;
use crate::log::part::{list_parts, or_none};
use crate::read::missing::missing_rows;
use crate::read::table::open_parts;
use crate::sealed::file::Sealed;
use crate::sealed::metrics::checked;

/// Returns the files of a run's metrics. `None` if they lack rows, repeat some or include a damaged file: use
/// [`export_parquet`](crate::export_parquet) then.
///
/// # Errors
/// The folder cannot be listed.
pub fn metric_files(run: &RunDir) -> Result<Option<Vec<PathBuf>>> {
    let dir = run.metrics();
    let mut is_folder = true;
    let parts = or_none(list_parts(run, &dir), |_| is_folder = false)?;
    let whole = is_folder
        && !has_journal(run)
        && !list_pending(run, &dir)
        && known_damage(run)?.is_empty()
        && missing_rows(run).is_none()
        && parts.iter().all(|part| Sealed::open(run, &part.path).and_then(|part| checked(&part)).is_ok());
    Ok(whole.then(|| parts.into_iter().map(|part| part.path).collect()))
}

/// Returns the verified files of a table.
///
/// # Errors
/// There is no such table, or one of its files is damaged.
pub fn table_files(run: &RunDir, name: &str) -> Result<Vec<PathBuf>> {
    Ok(open_parts(run, name)?.iter().map(|part| part.path().to_owned()).collect())
}
