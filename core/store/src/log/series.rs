//! What a series is, and `series.jsonl`, which gives each a number.

use std::collections::HashMap;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::folder::inside;
use crate::folder::run_dir::RunDir;
use crate::log::checksum;
use crate::log::rows::Rows;

/// What tells one series of a run from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeriesKey {
    /// The metric's name, such as `loss`.
    pub metric: String,
    /// The model, where a run trains several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The data it was measured on, such as `train` or `test`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// The trial, where a run repeats its training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<i32>,
}

impl SeriesKey {
    /// The series of a metric without model, split or trial.
    pub fn metric(metric: impl Into<String>) -> Self {
        Self { metric: metric.into(), model: None, split: None, trial: None }
    }

    /// As one name: `model/split/metric#trial`, without what there is not.
    pub fn path(&self) -> String {
        let parts = [self.model.as_deref(), self.split.as_deref(), Some(self.metric.as_str())];
        let name = parts.into_iter().flatten().collect::<Vec<_>>().join("/");
        self.trial.map_or(name.clone(), |trial| format!("{name}#{trial}"))
    }
}

/// A line of `series.jsonl`.
#[derive(Serialize, Deserialize)]
struct Line {
    schema: u32,
    series: u32,
    #[serde(flatten)]
    key: SeriesKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
}

/// A line, with its end.
pub(crate) fn encode_line(series: u32, key: &SeriesKey, unit: Option<&str>, path: &Path) -> Result<Vec<u8>> {
    let line =
        Line { schema: crate::schema::SCHEMA, series, key: key.clone(), unit: unit.map(str::to_owned) };
    let mut text = serde_json::to_vec(&line).format_at("encode", path)?;
    checksum::sign(&mut text);
    text.push(b'\n');
    Ok(text)
}

/// Series by number, and numbers by series.
#[derive(Debug, Default)]
pub(crate) struct KeyTable {
    keys: Vec<(SeriesKey, Option<String>)>,
    numbers: HashMap<SeriesKey, u32>,
    /// Bytes of all names.
    bytes: usize,
}

impl KeyTable {
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no further series may come.
    pub(crate) fn is_full(&self) -> bool {
        self.len() >= crate::schema::MAX_SERIES || self.bytes > NAMES_LIMIT
    }

    pub(crate) fn all(&self) -> &[(SeriesKey, Option<String>)] {
        &self.keys
    }

    pub(crate) fn key(&self, number: u32) -> Option<&SeriesKey> {
        self.keys.get(number as usize).map(|(k, _)| k)
    }

    pub(crate) fn number(&self, key: &SeriesKey) -> Option<u32> {
        self.numbers.get(key).copied()
    }

    /// The series' number, a new one if it has none.
    pub(crate) fn intern(&mut self, key: &SeriesKey, unit: Option<&str>) -> u32 {
        if let Some(n) = self.number(key) {
            return n;
        }
        let n = self.keys.len() as u32;
        let names = [Some(&key.metric), key.model.as_ref(), key.split.as_ref()];
        self.bytes += names.into_iter().flatten().map(String::len).sum::<usize>() + unit.map_or(0, str::len);
        self.keys.push((key.clone(), unit.map(str::to_owned)));
        self.numbers.insert(key.clone(), n);
        n
    }

    /// `ranks[number]`: the series' place in the order of their keys.
    pub(crate) fn ranks(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.keys.len() as u32).collect();
        order.sort_by(|&a, &b| self.keys[a as usize].0.cmp(&self.keys[b as usize].0));
        let mut ranks = vec![0; order.len()];
        for (rank, n) in order.into_iter().enumerate() {
            ranks[n as usize] = rank as u32;
        }
        ranks
    }
}

/// Bytes read at a time; no line is that long.
const CHUNK: usize = 1 << 20;
/// The most bytes of all names of a run's series.
const NAMES_LIMIT: usize = 32 << 20;
/// The most bytes of the file: of the longest names, written as JSON.
const FILE_LIMIT: u64 = 6 * NAMES_LIMIT as u64;

/// Reads `series.jsonl` and follows it as it grows.
#[derive(Debug, Default)]
pub(crate) struct SeriesFile {
    /// The series of the file, and such as were found elsewhere.
    pub(crate) table: KeyTable,
    /// The number in the table of each of the file's series.
    lines: Vec<u32>,
    /// Lines without a checksum.
    unsigned: usize,
    /// Some of these numbers are others than those of the file.
    moved: bool,
    /// End of the last whole line.
    pub(crate) offset: u64,
    /// There is none although there are rows.
    pub(crate) missing: bool,
    /// What is wrong with the line there: it and those that follow are not believed.
    wrong: Option<String>,
}

impl SeriesFile {
    /// How many series have a line.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether every line has its checksum.
    pub(crate) fn signed(&self) -> bool {
        self.unsigned == 0
    }

    /// What is wrong with the file, if something is: only the lines before that count.
    pub(crate) fn damage(&self, run: &RunDir) -> Option<StoreError> {
        self.wrong.clone().map(|message| StoreError::Damaged { path: run.series(), message })
    }

    /// Turns the file's numbers, as a journal has them, into the table's. All rows are of series that have a line.
    pub(crate) fn renumber(&self, rows: &mut Rows) {
        // They differ only where a sealed part has a series whose line is gone.
        if self.moved {
            for series in &mut rows.series {
                *series = self.lines[*series as usize];
            }
        }
    }

    /// Reads the lines added since; a line without its end is not yet one.
    pub(crate) fn update(&mut self, run: &RunDir) -> Result<()> {
        if self.wrong.is_some() {
            return Ok(());
        }
        let path = &run.series();
        let file = match inside::if_there(inside::open(run, path)).at("open", path) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(()),
            Err(e) if e.is_damage() => {
                self.wrong = Some(e.what());
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        let mut bytes = vec![0; CHUNK];
        while self.wrong.is_none() {
            if self.offset > FILE_LIMIT {
                self.wrong = Some(format!("it is longer than {} MiB", FILE_LIMIT >> 20));
                return Ok(());
            }
            let read = file.read_at(&mut bytes, self.offset).at("read", path)?;
            let Some(last) = bytes[..read].iter().rposition(|b| *b == b'\n') else {
                self.wrong = (read == CHUNK).then(|| "a line without an end".to_owned());
                return Ok(());
            };
            for line in bytes[..=last].split_inclusive(|b| *b == b'\n') {
                match self.add(line, path) {
                    Ok(()) => self.offset += line.len() as u64,
                    Err(StoreError::Damaged { message, .. }) => {
                        self.wrong = Some(format!("line {}: {message}", self.len() + 1));
                        break;
                    }
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, line: &[u8], path: &Path) -> Result<()> {
        let damaged = |message| Err(StoreError::Damaged { path: path.to_owned(), message });
        let text = line.trim_ascii_end();
        let signed = checksum::holds(text);
        if signed == Some(false) {
            return damaged("its checksum does not match".to_owned());
        }
        let parsed: Line = match serde_json::from_slice(text) {
            Ok(parsed) => parsed,
            Err(e) => return damaged(e.to_string()),
        };
        crate::folder::manifest::check_schema(parsed.schema, path)?;
        if parsed.series as usize != self.len() {
            return damaged(format!("series {} where {} was expected", parsed.series, self.len()));
        }
        if self.len() >= crate::schema::MAX_SERIES || self.table.is_full() {
            return damaged("more series than a run can have".to_owned());
        }
        let old = self.table.number(&parsed.key);
        if old.is_some_and(|old| self.lines.contains(&old)) {
            return damaged(format!("series {} has a number already", parsed.series));
        }
        let number = self.table.intern(&parsed.key, parsed.unit.as_deref());
        self.unsigned += usize::from(signed.is_none());
        self.moved |= number != parsed.series;
        self.lines.push(number);
        Ok(())
    }
}
