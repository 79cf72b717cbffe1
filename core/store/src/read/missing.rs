//! Files that an ended run has written and that are not there. All readers of rows name them as they name damage.

use crate::error::{Result, StoreError};
use crate::folder::run_dir::RunDir;
use crate::folder::status::{Status, read_status};
use crate::log::merge::list_pending;
use crate::log::part::{list_parts, list_segments, names};
use crate::sealed::file::Sealed;

/// Returns what is wrong with the metrics of an ended run that logged more rows than there are. `None` if a file that cannot
/// be read may have the others, or if it cannot be told.
pub(crate) fn missing_rows(run: &RunDir) -> Option<StoreError> {
    of_status(run, &read_status(run).ok()?)
}

/// Like [`missing_rows`], with the status of the run.
pub(crate) fn of_status(run: &RunDir, status: &Status) -> Option<StoreError> {
    let dir = run.metrics();
    let logged = status.rows.filter(|rows| *rows > 0)?;
    if !is_at_rest(run, status) || list_pending(run, &dir) {
        return None;
    }
    let parts: Result<Vec<_>> =
        list_parts(run, &dir).ok()?.iter().map(|part| Sealed::open(run, &part.path)).collect();
    let there: u64 = parts.ok()?.iter().map(|part| part.rows() as u64).sum();
    let missing = logged.checked_sub(there).filter(|missing| *missing > 0)?;
    let message = format!("{missing} of {logged} rows that were logged are missing");
    Some(StoreError::Damaged { path: dir, message })
}

/// Returns what is wrong with the tables of an ended run of which no file is left.
pub fn missing_tables(run: &RunDir) -> Vec<StoreError> {
    // A resume sets rows of tables aside.
    let was_set_back = names(run, &run.superseded()).is_ok_and(|times| !times.is_empty());
    if was_set_back || !read_status(run).is_ok_and(|status| is_at_rest(run, &status)) {
        return Vec::new();
    }
    let folders = names(run, &run.tables()).unwrap_or_default().into_iter();
    let folders = folders.filter(|name| !name.starts_with('.')).map(|name| run.tables().join(name));
    let empty = folders.filter(|dir| names(run, dir).is_ok_and(|files| files.is_empty()));
    let message = || "all of its rows are missing".to_owned();
    empty.map(|path| StoreError::Damaged { path, message: message() }).collect()
}

/// Returns whether a run has recorded its end, with all of its rows sealed.
pub(crate) fn is_at_rest(run: &RunDir, status: &Status) -> bool {
    status.state.is_final()
        && status.is_recorded()
        && list_segments(run, &run.journal()).is_ok_and(|segments| segments.is_empty())
}
