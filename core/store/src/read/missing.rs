//! Files that an ended run has written and that are not there. All readers of rows name them as they name damage.

use std::path::Path;

use crate::disk::inside;
use crate::error::{Result, StoreError};
use crate::folder::damage::{Damage, known_damage};
use crate::folder::events::{Event, read_events};
use crate::folder::holdings::Holdings;
use crate::folder::run_dir::RunDir;
use crate::folder::status::{State, Status, read_status};
use crate::log::checkpoint::table_boundaries;
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

/// Returns what is wrong with the tables of an ended run of which files are missing, as far as it can be told.
pub fn missing_tables(run: &RunDir) -> Vec<StoreError> {
    let Some(status) = read_status(run).ok().filter(|status| is_at_rest(run, status)) else {
        return Vec::new();
    };
    if let Some(held) = status.holds {
        return held.missing_parts(run);
    }
    // A resume sets rows of tables aside.
    if names(run, &run.superseded()).is_ok_and(|times| !times.is_empty()) {
        return Vec::new();
    }
    let tables = names(run, &run.tables()).unwrap_or_default().into_iter();
    let missing = tables.filter(|name| !name.starts_with('.')).filter_map(|name| {
        let path = run.tables().join(&name);
        let is_empty = names(run, &path).is_ok_and(|files| files.is_empty());
        let all = is_empty.then(|| "all of its rows are missing".to_owned());
        let message = all.or_else(|| missing_parts(run, &name, &path))?;
        Some(StoreError::Damaged { path, message })
    });
    missing.collect()
}

/// Returns what is wrong with other files of an ended run: they are missing, or shorter than they were then.
pub fn missing_files(run: &RunDir) -> Vec<StoreError> {
    let held = held(run).map(|held| held.missing_files(run)).unwrap_or_default();
    let record =
        missing_record(run).filter(|lost| held.iter().all(|e| e.damaged_file() != lost.damaged_file()));
    held.into_iter().chain(record).collect()
}

/// Like [`missing_files`], of one of them.
pub(crate) fn missing_file(run: &RunDir, path: &Path) -> Option<StoreError> {
    held(run)?.missing_of(run, path)
}

/// What the folder of a run at rest is to hold, as far as it is known.
fn held(run: &RunDir) -> Option<Holdings> {
    read_status(run).ok().filter(|status| is_at_rest(run, status))?.holds
}

/// Returns the file of an ended run that tells how it went, if it is missing or has lost all of that.
fn missing_record(run: &RunDir) -> Option<StoreError> {
    let events = read_events(run).ok()?;
    let any = |of: fn(State) -> bool| {
        events.iter().any(|line| matches!(line.event, Event::State { state, .. } if of(state)))
    };
    let has = |path: &Path| inside::exists(run, path);
    let path = match read_status(run) {
        // A run that gradtop starts has all of them from the beginning.
        Err(e) if e.is_gone() && (any(State::is_final) || has(&run.manifest()) && has(&run.lock())) => {
            run.status()
        }
        // What another program wrote has no lock.
        Ok(status) if !any(|_| true) && is_at_rest(run, &status) && has(&run.lock()) => run.events(),
        _ => return None,
    };
    let message = if has(&path) { "it does not say how the run ended" } else { "it is missing" };
    Some(StoreError::Damaged { path, message: message.to_owned() })
}

/// Says how many parts of a table are missing where no status counts them. They are numbered from 1, up to at least those that checkpoints include.
fn missing_parts(run: &RunDir, table: &str, dir: &Path) -> Option<String> {
    let parts = list_parts(run, dir).ok()?;
    let last = parts.iter().map(|part| part.last).chain(table_boundaries(run, table)).max()?;
    let there: u32 = parts.iter().map(|part| part.last - part.first + 1).sum();
    let missing = last.checked_sub(there).filter(|missing| *missing > 0)?;
    // Numbers of parts that a resume has set aside, which may have been deleted since, are not used again.
    let mut begun = 0;
    for line in read_events(run).ok()? {
        begun += u32::from(matches!(line.event, Event::State { state: State::Starting, .. }));
        begun += 2 * u32::from(matches!(line.event, Event::Resumed { .. }));
    }
    let is_told = |damage: &Damage| run.path().join(&damage.file).parent() == Some(dir);
    if begun > 1 || list_pending(run, dir) || known_damage(run).ok()?.iter().any(is_told) {
        return None;
    }
    Some(format!("{missing} of {last} parts are missing"))
}

/// Returns whether a run has recorded its end, with all of its rows sealed.
pub(crate) fn is_at_rest(run: &RunDir, status: &Status) -> bool {
    status.state.is_final()
        && status.is_recorded()
        && list_segments(run, &run.journal()).is_ok_and(|segments| segments.is_empty())
}
