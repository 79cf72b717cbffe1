//! Verifies the checksums of a run's files.

use std::path::{Path, PathBuf};

use crate::error::{Result, StoreError};
use crate::folder::run_dir::RunDir;
use crate::log::journal::JournalReader;
use crate::log::part::{list_parts, list_segments, names};
use crate::read::series_data::{RETRIES, series_file};
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

/// Checks journal, metrics, tables and the names of series, including those set aside by a resume. Changes nothing. Safe
/// while the run is active.
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
        checked.push(Checked { file, content });
        Ok(())
    };
    if series.len() > 0 || series.damage(run).is_some() {
        add(&run.series(), series.damage(run).map_or(Ok(series.signed()), Err))?;
    }
    let segments = list_segments(run, &run.journal())?;
    // Sealed rows name their series themselves.
    if series.missing && !segments.is_empty() {
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
    roots.extend(sorted(run, &run.superseded())?);
    for root in roots {
        let mut folders = vec![root.join("metrics")];
        folders.extend(sorted(run, &root.join("tables"))?);
        for dir in folders {
            for part in list_parts(run, &dir)? {
                add(&part.path, verified(run, &part.path, dir == root.join("metrics")))?;
            }
        }
    }
    Ok(checked)
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
