//! Reading a run's series: sealed parts and journal together, each row once.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{IoContext as _, Result, StoreError};
use crate::inside;
use crate::journal::JournalReader;
use crate::merge::list_pending;
use crate::metrics::PartReader;
use crate::part::{list_parts, list_segments};
use crate::rows::Rows;
use crate::run_dir::RunDir;
use crate::series::{KeyTable, SeriesFile, SeriesKey};

/// All rows of one series, by step, then in the order logged.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesData {
    /// Which series.
    pub key: SeriesKey,
    /// The unit of its values.
    pub unit: Option<String>,
    /// The steps.
    pub step: Vec<i64>,
    /// The epochs; NaN where none was given.
    pub epoch: Vec<f64>,
    /// When each row was logged, microseconds since 1970, UTC.
    pub time_us: Vec<i64>,
    /// The values.
    pub value: Vec<f64>,
}

/// Everything that holds rows at one moment, opened: what happens to the names afterwards does not matter.
pub(crate) struct Snapshot {
    parts: Vec<(PathBuf, File)>,
    journal: Vec<JournalReader>,
}

/// How often a folder may change while it is being opened.
const RETRIES: u32 = 200;

impl Snapshot {
    /// Journals are opened before parts are listed: a segment sealed in between is in both, and its part wins.
    pub(crate) fn open(run: &RunDir) -> Result<Self> {
        for retry in 0.. {
            match Self::try_open(run) {
                Err(StoreError::Io { source, .. })
                    if source.kind() == std::io::ErrorKind::NotFound && retry < RETRIES => {}
                Ok(None) if retry < RETRIES => std::thread::sleep(Duration::from_millis(5)),
                Ok(None) => break,
                Ok(Some(snapshot)) => return Ok(snapshot),
                Err(e) => return Err(e),
            }
        }
        Err(StoreError::Damaged {
            path: run.metrics(),
            message: "a merge was not finished: recover the run".into(),
        })
    }

    /// `None`: parts are being replaced by way of a list.
    fn try_open(run: &RunDir) -> Result<Option<Self>> {
        let segments = list_segments(run, &run.journal())?;
        let mut journal = Vec::with_capacity(segments.len());
        for (number, path) in segments {
            journal.push((number, JournalReader::open(run, &path)?));
        }
        let listed = list_parts(run, &run.metrics())?;
        let mut parts = Vec::with_capacity(listed.len());
        for part in &listed {
            parts.push((part.path.clone(), inside::open(run, &part.path).at("open", &part.path)?));
        }
        if list_pending(run, &run.metrics()) || list_parts(run, &run.metrics())? != listed {
            return Ok(None);
        }
        journal.retain(|(n, _)| !listed.iter().any(|p| p.first <= *n && *n <= p.last));
        Ok(Some(Self { parts, journal: journal.into_iter().map(|(_, j)| j).collect() }))
    }

    /// Gives every batch of rows to `sink`, in the order of segments, the series numbered by `table`.
    pub(crate) fn scan(
        self,
        table: &mut KeyTable,
        filter: &dyn Fn(&SeriesKey) -> bool,
        mut sink: impl FnMut(&Rows, &KeyTable),
        mut damaged: impl FnMut(StoreError) -> Result<()>,
    ) -> Result<()> {
        for (path, file) in &self.parts {
            let mut read = || {
                let Some(mut reader) = PartReader::filtered(file, path, filter, None)? else { return Ok(()) };
                while let Some(rows) = reader.next(table)? {
                    sink(&rows, table);
                }
                Ok(())
            };
            match read() {
                Err(e @ (StoreError::Format { .. } | StoreError::Damaged { .. })) => damaged(e)?,
                other => other?,
            }
        }
        for mut reader in self.journal {
            while let Some(rows) = reader.next()? {
                sink(&rows, table);
            }
        }
        Ok(())
    }
}

/// The table of a run's series, journal numbers included.
///
/// Read after the snapshot is opened: a line is written before the first row that uses it.
pub(crate) fn table(run: &RunDir) -> Result<KeyTable> {
    let mut file = SeriesFile::default();
    file.update(run)?;
    Ok(file.table)
}

/// Reads the series that `filter` takes, in the order of their keys. Safe while the run goes on.
pub fn read_series(run: &RunDir, filter: impl Fn(&SeriesKey) -> bool) -> Result<Vec<SeriesData>> {
    read(run, filter, Err)
}

/// As [`read_series`], but goes on where a Parquet file is damaged: what could be read, and what is wrong with the rest.
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
    damaged: impl FnMut(StoreError) -> Result<()>,
) -> Result<Vec<SeriesData>> {
    let snapshot = Snapshot::open(run)?;
    let mut table = table(run)?;
    let mut found: Vec<Option<SeriesData>> = Vec::new();
    let mut wanted: Vec<Option<bool>> = Vec::new();
    snapshot.scan(
        &mut table,
        &filter,
        |rows, table| {
            let mut start = 0;
            for run in rows.series.chunk_by(|a, b| a == b) {
                let range = start..start + run.len();
                start = range.end;
                let n = run[0] as usize;
                if wanted.len() <= n {
                    wanted.resize(n + 1, None);
                    found.resize(n + 1, None);
                }
                // A journal row whose line a power cut took has no key and is named as sealing names it.
                let key = || {
                    table.key(run[0]).cloned().unwrap_or_else(|| SeriesKey::metric(format!("unknown/{n}")))
                };
                if !*wanted[n].get_or_insert_with(|| filter(&key())) {
                    continue;
                }
                let data = found[n].get_or_insert_with(|| SeriesData {
                    key: key(),
                    unit: table.all().get(n).and_then(|(_, u)| u.clone()),
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
    for data in &mut series {
        sort_by_step(data);
    }
    Ok(series)
}

fn sort_by_step(data: &mut SeriesData) {
    if data.step.is_sorted() {
        return;
    }
    let mut order: Vec<usize> = (0..data.step.len()).collect();
    order.sort_by_key(|&i| data.step[i]);
    let pick = |column: &[f64]| order.iter().map(|&i| column[i]).collect();
    data.epoch = pick(&data.epoch);
    data.value = pick(&data.value);
    data.time_us = order.iter().map(|&i| data.time_us[i]).collect();
    data.step = order.iter().map(|&i| data.step[i]).collect();
}

/// The run's series with their units, in the order first used.
pub fn series_keys(run: &RunDir) -> Result<Vec<(SeriesKey, Option<String>)>> {
    Ok(table(run)?.all().to_vec())
}
