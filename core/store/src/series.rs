//! What a series is, and `series.jsonl`, which gives each a number.

use std::collections::HashMap;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::inside;
use crate::run_dir::RunDir;

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
    let line = Line { schema: crate::SCHEMA, series, key: key.clone(), unit: unit.map(str::to_owned) };
    let mut text = serde_json::to_vec(&line).format_at("encode", path)?;
    text.push(b'\n');
    Ok(text)
}

/// Series by number, and numbers by series.
#[derive(Debug, Default)]
pub(crate) struct KeyTable {
    keys: Vec<(SeriesKey, Option<String>)>,
    numbers: HashMap<SeriesKey, u32>,
}

impl KeyTable {
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
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

/// Reads `series.jsonl` and follows it as it grows.
#[derive(Debug, Default)]
pub(crate) struct SeriesFile {
    /// Series by their number in the file.
    pub(crate) table: KeyTable,
    /// End of the last whole line.
    pub(crate) offset: u64,
}

impl SeriesFile {
    /// Reads the lines added since; a line without its end is not yet one.
    pub(crate) fn update(&mut self, run: &RunDir) -> Result<()> {
        let path = &run.series();
        let file = match inside::open(run, path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e).at("open", path),
        };
        let damaged = |message| StoreError::Damaged { path: path.to_owned(), message };
        let mut bytes = vec![0; CHUNK];
        loop {
            let read = file.read_at(&mut bytes, self.offset).at("read", path)?;
            let Some(last) = bytes[..read].iter().rposition(|b| *b == b'\n') else {
                return if read < CHUNK { Ok(()) } else { Err(damaged("a line without an end".to_owned())) };
            };
            self.add(run, &bytes[..=last])?;
        }
    }

    /// Takes over whole lines.
    fn add(&mut self, run: &RunDir, lines: &[u8]) -> Result<()> {
        let path = &run.series();
        let damaged = |message| StoreError::Damaged { path: path.to_owned(), message };
        for line in lines.split_inclusive(|b| *b == b'\n') {
            let parsed: Line = serde_json::from_slice(line).map_err(|e| damaged(e.to_string()))?;
            crate::manifest::check_schema(parsed.schema, path)?;
            if parsed.series as usize != self.table.len() {
                return Err(damaged(format!("series {} where {} was due", parsed.series, self.table.len())));
            }
            if self.table.len() >= crate::MAX_SERIES {
                return Err(damaged(format!("more than {} series", crate::MAX_SERIES)));
            }
            if self.table.intern(&parsed.key, parsed.unit.as_deref()) != parsed.series {
                return Err(damaged(format!("series {} has a number already", parsed.series)));
            }
            self.offset += line.len() as u64;
        }
        Ok(())
    }
}
