//! Verifies a run's files: their checksums, and whether all of its rows are there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::disk::inside;
use crate::error::{Result, StoreError};
use crate::folder::contents::unreadable;
use crate::folder::damage::{Damage, known_damage, tell};
use crate::folder::events::check_events;
use crate::folder::holdings::Holdings;
use crate::folder::run_dir::RunDir;
use crate::folder::status::read_status;
use crate::folder::view::View;
use crate::log::checkpoint::unreadable_records;
use crate::log::journal::JournalReader;
use crate::log::part::{list_parts, list_segments, names, or_none};
use crate::read::missing::{
    is_at_rest, missing_file, missing_files, missing_rows, missing_tables, of_status,
};
use crate::read::series_data::{RETRIES, sealed_keys, series_file};
use crate::sealed::file::Sealed;
use crate::sealed::metrics::checked;

/// The result of checking a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The file, relative to the run's folder.
    pub file: PathBuf,
    /// Whether its content is intact.
    pub content: Content,
}

/// Whether a file's content is intact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// It is what was written.
    Whole,
    /// It can be read but has no checksum, because an older version wrote it.
    Unsigned,
    /// It is damaged, with a description.
    Damaged(String),
}

/// Checks journal, metrics, tables and the names of series, including those set aside by a resume, whether all rows of an
/// ended run are there, and whether each of its other files can be read and understood. Changes nothing. Safe while the run is active.
///
/// # Errors
/// The folder cannot be listed.
pub fn check(run: &RunDir) -> Result<Vec<Checked>> {
    for _ in 0..RETRIES {
        match try_check(run) {
            // A live run has sealed or merged the file since it was listed.
            Err(e) if e.is_gone() => {}
            checked => return checked,
        }
    }
    try_check(run)
}

fn try_check(run: &RunDir) -> Result<Vec<Checked>> {
    // A live run writes the line of a series before its rows.
    let sealed = match sealed_keys(run) {
        Err(e) if e.is_damage() => BTreeSet::new(),
        sealed => sealed?,
    };
    let mut series = series_file(run)?;
    let mut checked = Vec::new();
    let mut add = |path: &Path, signed: Result<bool>| {
        let content = match signed {
            Ok(true) => Content::Whole,
            Ok(false) => Content::Unsigned,
            Err(e) if e.is_damage() => Content::Damaged(e.what()),
            Err(e) => return Err(e),
        };
        let file = path.strip_prefix(run.path()).unwrap_or(path).to_owned();
        if checked.iter().all(|known: &Checked| known.file != file) {
            checked.push(Checked { file, content });
        }
        Ok(())
    };
    let lost = sealed.iter().filter(|key| series.table.number(key).is_none()).count();
    let is_there = inside::exists(run, &run.series());
    let cut = (lost > 0 && is_there).then(|| {
        let message =
            format!("{lost} of {} series are missing in it; sealed rows are intact", series.len() + lost);
        StoreError::Damaged { path: run.series(), message }
    });
    if let Some(damage) = series.damage(run).or(cut).or_else(|| missing_file(run, &run.series())) {
        add(&run.series(), Err(damage))?;
    } else if series.len() > 0 {
        add(&run.series(), Ok(series.signed()))?;
    }
    // A folder that is none is named with the other files.
    let segments = or_none(list_segments(run, &run.journal()), drop)?;
    // Sealed rows name their series themselves.
    if series.missing && !is_there && !segments.is_empty() {
        let message =
            "it is missing: rows in journals belong to no series; sealed rows are intact".to_owned();
        add(&run.series(), Err(StoreError::Damaged { path: run.series(), message }))?;
    }
    for (segment, path) in segments {
        let mut read = || {
            let mut reader = JournalReader::open(run, segment)?;
            while reader.next(|wanted| series.known(run, wanted))?.is_some() {}
            Ok(reader.signed())
        };
        add(&path, read())?;
    }
    let mut roots = vec![run.path().to_owned()];
    roots.extend(or_none(sorted(run, &run.superseded()), drop)?);
    for root in roots {
        let mut folders = vec![root.join("metrics")];
        folders.extend(or_none(sorted(run, &root.join("tables")), drop)?);
        for dir in folders {
            let mut damage = None;
            let parts = or_none(list_parts(run, &dir), |e| damage = Some(e))?;
            damage.map_or(Ok(()), |e| add(&dir, Err(e)))?;
            for part in parts {
                add(&part.path, verified(run, &part.path, dir == root.join("metrics")))?;
            }
        }
    }
    // Files without a checksum are named only if they cannot be read, or lack something.
    let unreadable = unreadable(run).into_iter().chain(unreadable_records(run));
    let missing = missing_rows(run).into_iter().chain(missing_tables(run)).chain(missing_files(run));
    for error in unreadable.chain(missing) {
        let path = error.damaged_file().unwrap_or(run.path()).to_owned();
        add(&path, Err(error))?;
    }
    Ok(checked)
}

/// Returns how many files of a run are damaged or missing, as far as can be told without reading one of them.
pub fn damaged_files(view: &View) -> usize {
    let known = known_damage(&view.dir).unwrap_or_default().len();
    if known > 0 || !is_at_rest(&view.dir, &view.status) {
        return known;
    }
    let parts = list_parts(&view.dir, &view.dir.metrics());
    let has_rows = parts.map_or_else(|e| !e.is_damage(), |parts| !parts.is_empty());
    let held = view.status.holds.as_ref();
    let lacking = |held: &Holdings| held.missing_files(&view.dir).len() + held.missing_parts(&view.dir).len();
    usize::from(view.status.rows > Some(0) && !has_rows) + held.map_or(0, lacking)
}

/// Returns the damage of a run: what is known, what a reader has `found`, and rows that are missing. What is new is recorded,
/// so that lists know it, if the run is this user's own, nobody is at work on it, and its disk takes it.
///
/// # Errors
/// A file that is not damaged cannot be read.
pub fn damage_of(view: &View, found: &[StoreError]) -> Result<Vec<Damage>> {
    let run = &view.dir;
    let mut missing = missing_tables(run);
    missing.extend(of_status(run, &view.status));
    missing.extend(check_events(run).err().filter(StoreError::is_damage));
    missing.extend(missing_files(run));
    missing.extend(read_status(run).err().filter(StoreError::is_damage));
    let found: Vec<&StoreError> = found.iter().filter(|e| e.is_damage()).chain(&missing).collect();
    let mut damage = known_damage(run)?;
    let record = view.certain && view.state.is_final() && inside::is_own(run) && !found.is_empty();
    // What cannot be recorded, as on a full disk, is found again.
    let turn = record.then(|| inside::take_turn(run).ok()).flatten();
    for error in found {
        let path = error.damaged_file().unwrap_or(run.path());
        let file = path.strip_prefix(run.path()).unwrap_or(path).to_owned();
        if damage.iter().any(|known| known.file == file) {
            continue;
        }
        if turn.is_some() {
            tell(run, path, None, error).ok();
        }
        damage.push(Damage { time: Timestamp::now(), file, kept: None, message: error.what() });
    }
    Ok(damage)
}

/// Verifies a sealed file, and the columns of one with metrics. Returns whether it has checksums.
pub(crate) fn verified(run: &RunDir, path: &Path, metrics: bool) -> Result<bool> {
    let part = Sealed::open(run, path)?;
    part.verify()?;
    if metrics {
        checked(&part)?;
    }
    Ok(part.signed())
}

fn sorted(run: &RunDir, dir: &Path) -> Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = names(run, dir)?.iter().map(|name| dir.join(name)).collect();
    paths.sort();
    Ok(paths)
}
