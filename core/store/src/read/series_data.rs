//! Reads a run's series from sealed parts and journal, each row once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::disk::inside;
use crate::error::{IoContext as _, Result, StoreError};
use crate::folder::run_dir::RunDir;
use crate::log::journal::JournalReader;
use crate::log::merge::list_pending;
use crate::log::part::{list_parts, list_segments, or_none};
use crate::log::rows::Rows;
use crate::log::series::{KeyTable, SeriesFile, SeriesKey};
use crate::read::missing::{missing_file, missing_rows};
use crate::sealed::file::Sealed;
use crate::sealed::reader::PartReader;

/// All rows of one series in log order. Steps may repeat or go back.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesData {
    /// The series.
    pub key: SeriesKey,
    /// The unit of its values.
    pub unit: Option<String>,
    /// The steps.
    pub step: Vec<i64>,
    /// The epochs; NaN if there is none.
    pub epoch: Vec<f64>,
    /// When each row was logged, in microseconds since 1970, UTC.
    pub time_us: Vec<i64>,
    /// The values.
    pub value: Vec<f64>,
}

/// All files with rows at one moment, opened: later changes to the names do not matter.
pub(crate) struct Snapshot {
    /// Parts and journals, by the first segment they cover.
    pub(crate) sources: Vec<(u32, Source)>,
}

/// A file with rows.
pub(crate) enum Source {
    Part(PathBuf, File),
    Journal(JournalReader),
    /// A file that cannot be opened because of damage, or rows that are missing.
    Damaged(StoreError),
}

impl Source {
    fn or_damaged(opened: Result<Self>) -> Result<Self> {
        match opened {
            Err(e) if e.is_damage() => Ok(Self::Damaged(e)),
            opened => opened,
        }
    }
}

/// How often to retry if a folder changes while it is being read.
pub(crate) const RETRIES: u32 = 200;

impl Snapshot {
    /// Journals are opened before parts are listed: a segment sealed in between is in both, and the part is used.
    pub(crate) fn open(run: &RunDir) -> Result<Self> {
        for retry in 0.. {
            match Self::try_open(run) {
                Err(e) if e.is_gone() && retry < RETRIES => {}
                Ok(None) if retry < RETRIES => std::thread::sleep(Duration::from_millis(5)),
                Ok(None) => break,
                Ok(Some(mut snapshot)) => {
                    let missing = missing_rows(run).map(|e| (u32::MAX, Source::Damaged(e)));
                    snapshot.sources.extend(missing);
                    return Ok(snapshot);
                }
                Err(e) => return Err(e),
            }
        }
        Err(StoreError::Damaged {
            path: run.metrics(),
            message: "a merge was not finished: recover the run".into(),
        })
    }

    /// Returns `None` while parts are being replaced by a merge list.
    fn try_open(run: &RunDir) -> Result<Option<Self>> {
        let mut sources = Vec::new();
        let mut journals = Vec::new();
        let segments = list_segments(run, &run.journal());
        for (number, _) in or_none(segments, |e| sources.push((0, Source::Damaged(e))))? {
            let journal = JournalReader::open(run, number).map(Source::Journal);
            journals.push((number, Source::or_damaged(journal)?));
        }
        let parts = list_parts(run, &run.metrics());
        let listed = or_none(parts, |e| sources.push((0, Source::Damaged(e))))?;
        for part in &listed {
            let file = inside::open(run, &part.path).at("open", &part.path);
            let source = Source::or_damaged(file.map(|file| Source::Part(part.path.clone(), file)))?;
            sources.push((part.first, source));
        }
        if list_pending(run, &run.metrics())
            || list_parts(run, &run.metrics()).is_ok_and(|parts| parts != listed)
        {
            return Ok(None);
        }
        journals.retain(|(n, _)| !listed.iter().any(|p| p.first <= *n && *n <= p.last));
        sources.extend(journals);
        sources.sort_by_key(|(first, _)| *first);
        Ok(Some(Self { sources }))
    }

    /// Returns whether rows are not sealed yet: only those need the run's series file.
    pub(crate) fn has_journal(&self) -> bool {
        self.sources.iter().any(|(_, source)| matches!(source, Source::Journal(_)))
    }

    /// Passes every batch of rows to `sink`, in segment order, with series numbered by the table. `damaged` decides
    /// what to do about a file that cannot be read further.
    pub(crate) fn scan(
        self,
        run: &RunDir,
        series: &mut SeriesFile,
        filter: &dyn Fn(&SeriesKey) -> bool,
        mut sink: impl FnMut(&Rows, &KeyTable),
        mut damaged: impl FnMut(StoreError) -> Result<()>,
    ) -> Result<()> {
        for (_, source) in self.sources {
            let read = match source {
                Source::Part(path, file) => scan_part(&path, file, &mut series.table, filter, &mut sink),
                Source::Journal(reader) => scan_journal(reader, run, series, &mut sink),
                Source::Damaged(e) => Err(e),
            };
            match read {
                Err(e) if e.is_damage() => damaged(e)?,
                other => other?,
            }
        }
        Ok(())
    }
}

fn scan_part(
    path: &Path,
    file: File,
    table: &mut KeyTable,
    filter: &dyn Fn(&SeriesKey) -> bool,
    sink: &mut impl FnMut(&Rows, &KeyTable),
) -> Result<()> {
    let part = Sealed::of(file, path)?;
    let Some(mut reader) = PartReader::filtered(&part, filter, None)? else { return Ok(()) };
    while let Some(rows) = reader.next(table)? {
        sink(&rows, table);
    }
    Ok(())
}

/// Passes the intact rows of a journal to `sink`.
pub(crate) fn scan_journal(
    mut reader: JournalReader,
    run: &RunDir,
    series: &mut SeriesFile,
    sink: &mut impl FnMut(&Rows, &KeyTable),
) -> Result<()> {
    while let Some(mut rows) = reader.next(|wanted| series.known(run, wanted))? {
        series.renumber(&mut rows);
        sink(&rows, &series.table);
    }
    Ok(())
}

/// Reads the intact part of the run's series file.
pub(crate) fn series_file(run: &RunDir) -> Result<SeriesFile> {
    // Check the parts before the file: a live run writes the file first.
    let parts = list_parts(run, &run.metrics()).is_ok_and(|parts| !parts.is_empty());
    let rows = parts || list_segments(run, &run.journal()).is_ok_and(|segments| !segments.is_empty());
    let mut file = SeriesFile::default();
    file.update(run)?;
    file.missing = rows && file.offset == 0 && file.damage(run).is_none();
    Ok(file)
}

/// Reads the series selected by `filter`, sorted by key. Safe while the run is active.
pub fn read_series(run: &RunDir, filter: impl Fn(&SeriesKey) -> bool) -> Result<Vec<SeriesData>> {
    read(run, filter, Err)
}

/// Like [`read_series`], but continues after damaged files and also returns what is wrong with them.
pub fn read_series_around_damage(
    run: &RunDir,
    filter: impl Fn(&SeriesKey) -> bool,
) -> Result<(Vec<SeriesData>, Vec<StoreError>)> {
    let mut damaged = Vec::new();
    let series = read(run, filter, |e| {
        damaged.push(e);
        Ok(())
    })?;
    Ok((series, damaged))
}

fn read(
    run: &RunDir,
    filter: impl Fn(&SeriesKey) -> bool,
    mut damaged: impl FnMut(StoreError) -> Result<()>,
) -> Result<Vec<SeriesData>> {
    let snapshot = Snapshot::open(run)?;
    let mut file = series_file(run)?;
    if let Some(damage) = file.damage(run).filter(|_| snapshot.has_journal()) {
        damaged(damage)?;
    }
    let mut found: Vec<Option<SeriesData>> = Vec::new();
    let mut wanted: Vec<Option<bool>> = Vec::new();
    snapshot.scan(
        run,
        &mut file,
        &filter,
        |rows, table| {
            for (number, range) in rows.by_series() {
                let n = number as usize;
                if wanted.len() <= n {
                    wanted.resize(n + 1, None);
                    found.resize(n + 1, None);
                }
                let Some((key, unit)) = table.all().get(n) else { continue };
                if !*wanted[n].get_or_insert_with(|| filter(key)) {
                    continue;
                }
                let data = found[n].get_or_insert_with(|| SeriesData {
                    key: key.clone(),
                    unit: unit.clone(),
                    step: Vec::new(),
                    epoch: Vec::new(),
                    time_us: Vec::new(),
                    value: Vec::new(),
                });
                data.step.extend_from_slice(&rows.step[range.clone()]);
                data.epoch.extend_from_slice(&rows.epoch[range.clone()]);
                data.time_us.extend_from_slice(&rows.time[range.clone()]);
                data.value.extend_from_slice(&rows.value[range]);
            }
        },
        damaged,
    )?;
    let mut series: Vec<SeriesData> = found.into_iter().flatten().collect();
    series.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(series)
}

/// Returns the run's series with their units, in the order of first use.
///
/// # Errors
/// The log cannot be read.
pub fn series_keys(run: &RunDir) -> Result<Vec<(SeriesKey, Option<String>)>> {
    let mut file = series_file(run)?;
    if file.missing
        || file.is_torn
        || file.damage(run).is_some()
        || missing_file(run, &run.series()).is_some()
    {
        for key in sealed_keys(run)? {
            file.table.intern(&key, None);
        }
    }
    Ok(file.table.all().to_vec())
}

/// Returns the series of sealed rows, which contain their keys.
pub(crate) fn sealed_keys(run: &RunDir) -> Result<BTreeSet<SeriesKey>> {
    let found = RefCell::new(BTreeSet::new());
    read_series_around_damage(run, |key| {
        found.borrow_mut().insert(key.clone());
        false
    })?;
    Ok(found.into_inner())
}
