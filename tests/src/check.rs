//! Checks what a run has left, where possible without the code that wrote it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use gradtop_store::{RunDir, SeriesData};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// All files below a folder.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        // A merge exchanges folders under a reader, so a file may disappear.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&path)),
            Ok(_) => found.push(path),
            Err(_) => {}
        }
    }
    found.sort();
    found
}

fn batches(path: &Path) -> Vec<RecordBatch> {
    let file = File::open(path).unwrap();
    let whole = || {
        ParquetRecordBatchReaderBuilder::try_new(file)?
            .build()?
            .collect::<Result<Vec<_>, _>>()
            .map_err(Into::into)
    };
    let read: Result<_, parquet::errors::ParquetError> = whole();
    read.unwrap_or_else(|e| panic!("{} cannot be read: {e}", path.display()))
}

/// Metric, model, split and trial.
pub type Series = (String, Option<String>, Option<String>, Option<i32>);

/// A row of `metrics/*.parquet`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Row {
    /// Metric, model, split and trial.
    pub series: Arc<Series>,
    /// Step.
    pub step: i64,
    /// The bits of the value: NaN equals NaN.
    pub bits: u64,
    /// The bits of the epoch.
    pub epoch: Option<u64>,
}

/// Reads the sealed rows of a run with a plain Parquet reader and sorts them. Panics if any `.parquet` file in the run is
/// unreadable.
pub fn sealed_rows(run: &RunDir) -> Vec<Row> {
    let mut rows = Vec::new();
    for path in files(run.path()) {
        if path.extension().is_none_or(|e| e != "parquet") {
            continue;
        }
        let all = batches(&path);
        if path.parent() != Some(&run.metrics()) {
            continue;
        }
        for batch in all {
            // The dictionary, and for each row the index in it.
            let text = |name: &str| -> (Vec<String>, Vec<Option<usize>>) {
                let column = batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
                let values = column.as_any_dictionary();
                let words =
                    values.values().as_string::<i32>().iter().map(|w| w.unwrap().to_owned()).collect();
                let keys = values.normalized_keys();
                (words, (0..column.len()).map(|i| column.is_valid(i).then(|| keys[i])).collect())
            };
            let (metric, model, split) = (text("metric"), text("model"), text("split"));
            let trial = batch.column_by_name("trial").unwrap().as_primitive::<Int32Type>();
            let step = batch.column_by_name("step").unwrap().as_primitive::<Int64Type>();
            let epoch = batch.column_by_name("epoch").unwrap().as_primitive::<Float64Type>();
            let value = batch.column_by_name("value").unwrap().as_primitive::<Float64Type>();
            let mut known: HashMap<_, Arc<Series>> = HashMap::new();
            for i in 0..batch.num_rows() {
                let trial = trial.is_valid(i).then(|| trial.value(i));
                let word =
                    |(words, keys): &(Vec<String>, Vec<Option<usize>>)| keys[i].map(|k| words[k].clone());
                let series = known.entry((metric.1[i], model.1[i], split.1[i], trial)).or_insert_with(|| {
                    Arc::new((
                        word(&metric).expect("every row has a metric"),
                        word(&model),
                        word(&split),
                        trial,
                    ))
                });
                rows.push(Row {
                    series: Arc::clone(series),
                    step: step.value(i),
                    bits: value.value(i).to_bits(),
                    epoch: epoch.is_valid(i).then(|| epoch.value(i).to_bits()),
                });
            }
        }
    }
    rows.sort();
    rows
}

/// Panics if a series has two rows of one step. `rows` must be sorted, as [`sealed_rows`] returns them. System metrics are
/// exempt: they are sampled once a second, possibly several times during a step.
pub fn no_row_twice(rows: &[Row]) {
    for pair in rows.windows(2) {
        let [a, b] = pair else { continue };
        if a.series.0.starts_with("system/") {
            continue;
        }
        assert!(a.step != b.step || a.series != b.series, "{:?} has step {} twice", a.series, a.step);
    }
}

/// Panics if a series, read with gradtop's own reader, has two rows of one step.
pub fn no_step_twice(series: &[SeriesData]) {
    for data in series {
        for pair in data.step.windows(2) {
            assert!(pair[0] < pair[1], "{:?}: step {} after {}", data.key, pair[1], pair[0]);
        }
    }
}

/// The rows that do not depend on the clock or the machine, which must be equal in equal runs.
pub fn comparable(rows: Vec<Row>, wall_clock: &[&str]) -> Vec<Row> {
    let mut rows = rows;
    rows.retain(|r| !r.series.0.starts_with("system/") && !wall_clock.contains(&r.series.0.as_str()));
    rows
}

/// Checks that an ended run has left a sealed log: no journal, no temporary files, valid Parquet files, no duplicate rows; and
/// that gradtop's own reader agrees. Returns the rows.
pub fn sealed(run: &RunDir) -> Vec<Row> {
    let left = files(&run.journal());
    assert!(left.is_empty(), "the journal is not sealed: {left:?}");
    for path in files(run.path()) {
        let name = path.file_name().unwrap().to_string_lossy();
        let temporary = name.contains("tmp") || name.contains("partial");
        assert!(!temporary, "a temporary file is left: {}", path.display());
    }
    let rows = sealed_rows(run);
    let own = gradtop_store::read_series(run, |_| true).unwrap();
    assert_eq!(
        own.iter().map(|s| s.step.len()).sum::<usize>(),
        rows.len(),
        "gradtop reads other rows than there are"
    );
    rows
}

/// Panics if a text contains anything that controls a terminal.
#[track_caller]
pub fn harmless(text: &str) {
    let bad = text.char_indices().find(|(_, c)| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    });
    if let Some((at, c)) = bad {
        let around: String =
            text.chars().skip(text[..at].chars().count().saturating_sub(40)).take(80).collect();
        panic!("control character {c:?} in {around:?}");
    }
}
