//! Series keys, and `series.jsonl`, which assigns a number to each.

use std::collections::HashMap;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk::inside;
use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::folder::run_dir::RunDir;
use crate::log::checksum;
use crate::log::rows::Rows;

/// What the names of metrics begin with that gradtop itself measures, such as `system/memory`.
pub const SYSTEM: &str = "system/";

/// Returns whether a metric is one that gradtop itself measures.
pub fn is_system_metric(name: &str) -> bool {
    name.starts_with(SYSTEM)
}

/// Identifies a series within a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeriesKey {
    /// The metric's name, such as `loss`.
    pub metric: String,
    /// The model, if the run trains several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The data it is measured on, such as `train` or `test`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// The trial, if the run repeats its training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<i32>,
}

impl SeriesKey {
    /// Creates the key of a metric without model, split or trial.
    pub fn metric(metric: impl Into<String>) -> Self {
        Self { metric: metric.into(), model: None, split: None, trial: None }
    }

    /// Returns the key as one name, `model/split/metric#trial`, without the absent parts.
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

/// Encodes a line, including its line break.
pub(crate) fn encode_line(series: u32, key: &SeriesKey, unit: Option<&str>, path: &Path) -> Result<Vec<u8>> {
    let line =
        Line { schema: crate::schema::SCHEMA, series, key: key.clone(), unit: unit.map(str::to_owned) };
    let mut text = serde_json::to_vec(&line).format_at("encode", path)?;
    checksum::sign(&mut text);
    text.push(b'\n');
    Ok(text)
}

/// Maps series to numbers and back.
#[derive(Debug, Default)]
pub(crate) struct KeyTable {
    keys: Vec<(SeriesKey, Option<String>)>,
    numbers: HashMap<SeriesKey, u32>,
    /// Total bytes of all names.
    bytes: usize,
}

impl KeyTable {
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns whether no further series are accepted.
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

    /// Returns the series' number, assigning a new one if necessary.
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

    /// Returns `ranks[number]`: the position of each series when sorted by key.
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

/// Number of bytes read at a time; no line is that long.
const CHUNK: usize = 1 << 20;
/// Maximum total bytes of the names of a run's series.
const NAMES_LIMIT: usize = 32 << 20;
/// Maximum size of the file: the longest names, escaped as JSON.
const FILE_LIMIT: u64 = 6 * NAMES_LIMIT as u64;

/// Reads `series.jsonl` and follows it as it grows.
#[derive(Debug, Default)]
pub(crate) struct SeriesFile {
    /// The series of the file, and those found elsewhere.
    pub(crate) table: KeyTable,
    /// For each series of the file, its number in the table.
    lines: Vec<u32>,
    /// Number of lines without a checksum.
    unsigned: usize,
    /// Whether some of these numbers differ from those in the file.
    moved: bool,
    /// End of the last complete line.
    pub(crate) offset: u64,
    /// Whether an incomplete line follows.
    pub(crate) is_torn: bool,
    /// Whether the file is missing or empty although there are rows.
    pub(crate) missing: bool,
    /// What is wrong with the next line, from which on nothing is used.
    wrong: Option<String>,
}

impl SeriesFile {
    /// Returns the number of series in the file.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Returns the number of series known, after reading the lines added since if fewer than `wanted` are. A series' line
    /// is written before its first row, so a row of a live run read later than the file may need them.
    pub(crate) fn known(&mut self, run: &RunDir, wanted: usize) -> Result<usize> {
        if wanted > self.len() {
            self.update(run)?;
        }
        Ok(self.len())
    }

    /// Returns whether every line has a checksum.
    pub(crate) fn signed(&self) -> bool {
        self.unsigned == 0
    }

    /// Returns what is wrong with the file, if anything; only the lines before that count. Sealed rows do not need it.
    pub(crate) fn damage(&self, run: &RunDir) -> Option<StoreError> {
        self.wrong.clone().map(|message| StoreError::Damaged { path: run.series(), message })
    }

    /// Converts series numbers of the file, as used in a journal, to those of the table. Every row's series must be in the file.
    pub(crate) fn renumber(&self, rows: &mut Rows) {
        // They differ only if a sealed part has a series whose line is lost.
        if self.moved {
            for series in &mut rows.series {
                *series = self.lines[*series as usize];
            }
        }
    }

    /// Reads the lines added since the last call; an incomplete line is ignored.
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
                self.is_torn = read > 0;
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
        let signed = checksum::verify(text);
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
