//! Sealing: a journal segment becomes a Parquet part of the same number.

use crate::error::{IoContext as _, Result, StoreError};
use crate::folder::damage::set_aside;
use crate::folder::inside;
use crate::folder::run_dir::RunDir;
use crate::log::journal::JournalReader;
use crate::log::part::{part_name, segment_name};
use crate::log::rows::Rows;
use crate::log::series::KeyTable;
use crate::sealed::file;
use crate::sealed::metrics::write_part;
use crate::stages::stage;

/// Writes a segment's rows as a part, then deletes its journal. At any kill the rows are in the journal, or in the part, or
/// in both with the same number, where the part wins.
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

/// Rows by series, in the order of the series' keys; those of a series in the order logged.
pub(crate) fn sort(rows: &Rows, table: &KeyTable) -> Rows {
    rows.sorted(&table.ranks())
}

/// Seals a segment from its journal file, as far as that is whole. One that is damaged is set aside. Returns its rows and the
/// bytes of its torn tail.
pub(crate) fn seal_from_journal(run: &RunDir, segment: u32, table: &KeyTable) -> Result<Sealed> {
    let (rows, torn_bytes, damage) = read(run, segment, table)?;
    write(run, segment, &rows, table)?;
    remove(run, segment, damage.as_ref())?;
    Ok(Sealed { rows: rows.len() as u64, torn_bytes, damaged: damage.is_some() })
}

/// Takes away the journal of a segment that is sealed already. One that is damaged is set aside.
pub(crate) fn remove_sealed(run: &RunDir, segment: u32, table: &KeyTable) -> Result<()> {
    let (_, _, damage) = read(run, segment, table)?;
    remove(run, segment, damage.as_ref())
}

/// What sealing a journal came to.
pub(crate) struct Sealed {
    /// Rows that were whole.
    pub(crate) rows: u64,
    /// Bytes of rows cut off in the middle.
    pub(crate) torn_bytes: u64,
    /// Whether what came after the rows was something else.
    pub(crate) damaged: bool,
}

/// The whole rows of a journal, the bytes of its torn tail, and what is wrong with it.
fn read(run: &RunDir, segment: u32, table: &KeyTable) -> Result<(Rows, u64, Option<StoreError>)> {
    let mut rows = Rows::default();
    let mut read = || {
        let mut reader = JournalReader::open(run, segment)?;
        while let Some(batch) = reader.next(|| Ok(table.len()))? {
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
