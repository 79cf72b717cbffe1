//! Sealing: a journal segment becomes a Parquet part of the same number.

use std::path::Path;

use crate::error::{IoContext as _, Result};
use crate::fsutil::{self, stage};
use crate::inside;
use crate::journal::JournalReader;
use crate::metrics::write_part;
use crate::part::{part_name, segment_name};
use crate::rows::Rows;
use crate::run_dir::RunDir;
use crate::series::KeyTable;

/// Writes a segment's rows as a part, then deletes its journal. At any kill the rows are in the journal, or in the part, or
/// in both with the same number, where the part wins.
pub(crate) fn seal(run: &RunDir, segment: u32, rows: &Rows, table: &KeyTable) -> Result<()> {
    let dir = run.metrics();
    inside::create_dir_all(run, &dir).at("create", &dir)?;
    if !rows.is_empty() {
        let path = dir.join(part_name(segment, segment));
        let tmp = fsutil::tmp_beside(&path);
        stage("seal: begin");
        let written = write_part(run, &tmp, sort(rows, table), table);
        stage("seal: written");
        let renamed = written.and_then(|()| inside::rename(run, &tmp, &path).at("rename", &tmp));
        if renamed.is_err() {
            inside::remove_file(run, &tmp).ok();
            return renamed;
        }
        stage("seal: renamed");
        inside::sync_dir(run, &dir).at("sync", &dir)?;
    }
    let journal = run.journal().join(segment_name(segment));
    inside::remove_file(run, &journal).at("remove", &journal)?;
    stage("seal: journal removed");
    Ok(())
}

/// Rows by series, in the order of the series' keys, then by step.
pub(crate) fn sort(rows: &Rows, table: &KeyTable) -> Rows {
    let mut ranks = table.ranks();
    let end = rows.series.iter().max().map_or(0, |m| m + 1);
    ranks.extend(ranks.len() as u32..end);
    rows.sorted(&ranks)
}

/// Seals a segment from its journal file. Returns its rows and the bytes of its torn tail.
pub(crate) fn seal_from_journal(
    run: &RunDir,
    segment: u32,
    path: &Path,
    table: &KeyTable,
) -> Result<(u64, u64)> {
    let mut reader = JournalReader::open(run, path)?;
    let mut rows = Rows::default();
    while let Some(batch) = reader.next()? {
        rows.append(&batch);
    }
    let counts = (rows.len() as u64, reader.torn_bytes()?);
    seal(run, segment, &rows, table)?;
    Ok(counts)
}
