//! Sealing: a journal segment becomes a Parquet part of the same number.

use crate::disk::inside;
use crate::error::{IoContext as _, Result, StoreError};
use crate::folder::damage::set_aside;
use crate::folder::run_dir::RunDir;
use crate::log::journal::JournalReader;
use crate::log::part::{part_name, segment_name};
use crate::log::rows::Rows;
use crate::log::series::KeyTable;
use crate::sealed::file;
use crate::sealed::metrics::write_part;
use crate::stages::stage;

/// Writes a segment's rows as a part, then deletes its journal. At any kill point the rows are in the journal, in the
/// part, or in both under the same number, in which case the part counts.
pub(crate) fn seal(run: &RunDir, segment: u32, rows: &Rows, table: &KeyTable) -> Result<()> {
    write(run, segment, rows, table)?;
    remove(run, segment, None)
}

fn write(run: &RunDir, segment: u32, rows: &Rows, table: &KeyTable) -> Result<()> {
    let dir = run.metrics();
    inside::create_dir_all(run, &dir).at("create", &dir)?;
    if rows.is_empty() {
        return Ok(());
    }
    let path = dir.join(part_name(segment, segment));
    stage("seal: begin");
    let stages = ["seal: written", "seal: renamed"];
    file::put(run, &path, stages, |tmp| write_part(run, tmp, sort(rows, table), table))
}

/// Sorts rows by the key of their series, in log order within a series.
pub(crate) fn sort(rows: &Rows, table: &KeyTable) -> Rows {
    rows.sorted(&table.ranks())
}

/// Seals the intact rows of a journal file and sets it aside if it is damaged.
pub(crate) fn seal_from_journal(run: &RunDir, segment: u32, table: &KeyTable) -> Result<Sealed> {
    let (rows, torn_bytes, damage) = read(run, segment, table)?;
    write(run, segment, &rows, table)?;
    remove(run, segment, damage.as_ref())?;
    Ok(Sealed { rows: rows.len() as u64, torn_bytes })
}

/// Removes the journal of a segment that is already sealed, or sets it aside if it is damaged.
pub(crate) fn remove_sealed(run: &RunDir, segment: u32, table: &KeyTable) -> Result<()> {
    let (_, _, damage) = read(run, segment, table)?;
    remove(run, segment, damage.as_ref())
}

/// The result of sealing a journal.
pub(crate) struct Sealed {
    pub(crate) rows: u64,
    /// Number of bytes of the incomplete tail.
    pub(crate) torn_bytes: u64,
}

/// Reads a journal: its intact rows, the bytes of its incomplete tail, and what is wrong with it.
fn read(run: &RunDir, segment: u32, table: &KeyTable) -> Result<(Rows, u64, Option<StoreError>)> {
    let mut rows = Rows::default();
    let mut read = || {
        let mut reader = JournalReader::open(run, segment)?;
        while let Some(batch) = reader.next(|_| Ok(table.len()))? {
            rows.append(&batch);
        }
        reader.torn_bytes()
    };
    match read() {
        Ok(torn) => Ok((rows, torn, None)),
        Err(e) if e.is_damage() => Ok((rows, 0, Some(e))),
        Err(e) => Err(e),
    }
}

fn remove(run: &RunDir, segment: u32, damage: Option<&StoreError>) -> Result<()> {
    let journal = run.journal().join(segment_name(segment));
    match damage {
        Some(damage) => set_aside(run, &journal, damage)?,
        None => drop(inside::remove_file(run, &journal).at("remove", &journal)?),
    }
    stage("seal: journal removed");
    Ok(())
}
