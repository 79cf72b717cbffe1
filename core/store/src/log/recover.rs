//! Repairing a run folder after its processes died.

use std::path::Path;

use crate::disk::inside;
use crate::error::{IoContext as _, Result};
use crate::folder::damage::tell;
use crate::folder::run_dir::RunDir;
use crate::liveness::lock::RunLock;
use crate::log::check::verified;
use crate::log::checkpoint::{boundaries, table_boundaries};
use crate::log::merge::{Policy, merge, obey_list, remove_tmp};
use crate::log::part::{list_parts, list_segments, names};
use crate::log::seal::{remove_sealed, seal_from_journal};
use crate::log::series::SeriesFile;
use crate::sealed::merged::Metrics;
use crate::sealed::table::TableParts;

/// The result of [`recover`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Recovery {
    /// Rows that were only in the journal and are in Parquet now.
    pub rows_recovered: u64,
    /// Bytes of incomplete rows that were dropped.
    pub torn_bytes: u64,
}

/// Turns what a dead run left into complete Parquet parts: seals its journal, drops a torn tail, removes temporary
/// files, and merges. Does nothing to an intact folder. May itself be killed at any point and run again.
///
/// # Errors
/// The log cannot be read, or the repair cannot be written.
pub fn recover(run: &RunDir, _lock: &RunLock) -> Result<Recovery> {
    let mut done = Recovery::default();
    let tables: Vec<_> = names(run, &run.tables())?.into_iter().filter(|n| !n.starts_with('.')).collect();
    obey_list(run, &run.metrics())?;
    for table in &tables {
        obey_list(run, &run.tables().join(table))?;
    }
    let mut folders = vec![run.path().to_owned(), run.metrics(), run.checkpoints(), run.tables()];
    folders.extend(tables.iter().map(|t| run.tables().join(t)));
    for dir in folders {
        remove_tmp(run, &dir)?;
    }
    let mut series = SeriesFile::default();
    series.update(run)?;
    match series.damage(run) {
        Some(damage) => tell(run, &run.series(), None, &damage)?,
        None => cut(run, &run.series(), series.offset)?,
    }
    done.torn_bytes += whole_events(run)?;
    let parts = list_parts(run, &run.metrics())?;
    for (segment, _) in list_segments(run, &run.journal())? {
        if parts.iter().any(|p| p.first <= segment && segment <= p.last) {
            remove_sealed(run, segment, &series.table)?;
            continue;
        }
        let sealed = seal_from_journal(run, segment, &series.table)?;
        done.rows_recovered += sealed.rows;
        done.torn_bytes += sealed.torn_bytes;
    }
    verify_all(run, &tables)?;
    match merge_all(run, &tables) {
        // The rows are complete without it; the next recovery tries again.
        Err(e) if e.patience().is_some() => {}
        merged => merged?,
    }
    Ok(done)
}

/// Reports every damaged part. The parts stay in place.
fn verify_all(run: &RunDir, tables: &[String]) -> Result<()> {
    for dir in tables.iter().map(|t| run.tables().join(t)).chain([run.metrics()]) {
        for part in list_parts(run, &dir)? {
            match verified(run, &part.path, dir == run.metrics()) {
                Err(e) if e.is_damage() => tell(run, &part.path, None, &e)?,
                verified => drop(verified?),
            }
        }
    }
    Ok(())
}

/// Merges metrics and tables for the last time.
fn merge_all(run: &RunDir, tables: &[String]) -> Result<()> {
    let policy = Policy::new(2, true);
    merge(run, &run.metrics(), &Metrics, &boundaries(run), &policy)?;
    for table in tables {
        let dir = run.tables().join(table);
        merge(run, &dir, &TableParts, &table_boundaries(run, table), &policy)?;
    }
    Ok(())
}

/// Reads `series.jsonl` and cuts off an incomplete last line, so that the next one can be appended. Damage is an error,
/// because numbers could be assigned twice.
pub(crate) fn whole_series(run: &RunDir) -> Result<SeriesFile> {
    let mut series = SeriesFile::default();
    series.update(run)?;
    if let Some(damage) = series.damage(run) {
        return Err(damage);
    }
    cut(run, &run.series(), series.offset)?;
    Ok(series)
}

/// Cuts an incomplete last line off `events.jsonl` and returns the number of bytes removed.
fn whole_events(run: &RunDir) -> Result<u64> {
    let path = run.events();
    let end = inside::if_there(inside::read_end(run, &path, inside::TEXT_LIMIT)).at("read", &path)?;
    let Some((bytes, before)) = end else { return Ok(0) };
    let whole = match bytes.iter().rposition(|b| *b == b'\n') {
        Some(last) => last + 1,
        // No line of gradtop is that long, so leave it.
        None if before > 0 => return Ok(0),
        None => 0,
    };
    cut(run, &path, before + whole as u64)?;
    Ok((bytes.len() - whole) as u64)
}

fn cut(run: &RunDir, path: &Path, len: u64) -> Result<()> {
    inside::if_there(inside::cut(run, path, len)).at("cut", path).map(drop)
}
