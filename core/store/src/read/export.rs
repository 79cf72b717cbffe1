//! Exports all rows of a run as one table, in long form (one row per point) or wide form (one column per series).

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{Field, Schema};
use jiff::Timestamp;
use parquet::arrow::ArrowWriter;

use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::folder::run_dir::RunDir;
use crate::log::rows::Rows;
use crate::log::series::{KeyTable, SeriesKey};
use crate::read::series_data::{SeriesData, read_series_around_damage};
use crate::read::tailer::{Slice, Tailer};
use crate::sealed::metrics;

/// Number of rows encoded at a time.
const BATCH: usize = 200_000;
/// Maximum number of cells of a wide table, which is built in memory.
const CELLS: usize = 100_000_000;
/// Time budget of each read.
const BUDGET: Duration = Duration::from_secs(1);

/// The form of an exported table.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// One row per point: step, epoch, time, metric, model, split, trial, value.
    Long,
    /// One row per step: step, epoch, time, and a column for each series with the name that this function gives it, which
    /// must be another for each, and none of these three. A step that a series repeats has several rows.
    Wide(fn(&SeriesKey) -> String),
}

/// The result of an export.
#[derive(Debug, Default)]
pub struct Exported {
    /// Number of rows of the table.
    pub rows: u64,
    /// Files of the run that could not be read completely.
    pub damage: Vec<StoreError>,
    /// Columns of a wide table whose names differ from others in nothing but case.
    pub alike: Vec<String>,
}

/// Writes a run's rows as CSV with a header line. A missing value is empty; `NaN` and `inf` are values.
///
/// # Errors
/// The log cannot be read, a wide table would be too large ([`StoreError::TooWide`]), or writing to `out` fails.
pub fn export_csv(run: &RunDir, shape: Shape, out: &mut impl Write) -> Result<Exported> {
    let place = run.path();
    if let Shape::Wide(name) = shape {
        let (wide, damage) = Wide::of(run, name)?;
        wide.write_csv(out).at("write the rows of", place)?;
        return Ok(wide.exported(damage));
    }
    out.write_all(b"step,epoch,time,metric,model,split,trial,value\n").at("write the rows of", place)?;
    let mut rows = 0;
    let damage = for_each_slice(run, |slice| {
        rows += slice.step.len() as u64;
        write_slice(&slice, out).at("write the rows of", place)
    })?;
    Ok(Exported { rows, damage, ..Exported::default() })
}

/// Writes a run's rows as one Parquet file; in long form with the same columns as the run's own files.
///
/// # Errors
/// See [`export_csv`].
pub fn export_parquet(run: &RunDir, shape: Shape, out: impl Write + Send) -> Result<Exported> {
    let place = run.path();
    if let Shape::Wide(name) = shape {
        let (wide, damage) = Wide::of(run, name)?;
        let schema = Arc::new(Schema::new(wide.fields()));
        let properties = metrics::wide_properties();
        let mut writer =
            ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties)).format_at("encode", place)?;
        for first in (0..wide.rows.len()).step_by(BATCH) {
            let batch = RecordBatch::try_new(Arc::clone(&schema), wide.columns(first..(first + BATCH)));
            writer.write(&batch.format_at("encode", place)?).format_at("encode", place)?;
        }
        writer.close().format_at("encode", place)?;
        return Ok(wide.exported(damage));
    }
    let mut long = Long {
        writer: metrics::writer(out).format_at("encode", place)?,
        table: KeyTable::default(),
        rows: Rows::default(),
    };
    let mut rows = 0;
    let damage = for_each_slice(run, |slice| {
        rows += slice.step.len() as u64;
        long.add(&slice, place)
    })?;
    long.flush(place)?;
    long.writer.close().format_at("encode", place)?;
    Ok(Exported { rows, damage, ..Exported::default() })
}

/// Passes all rows to `sink` and returns the damaged files.
fn for_each_slice(run: &RunDir, mut sink: impl FnMut(Slice<'_>) -> Result<()>) -> Result<Vec<StoreError>> {
    let mut tailer = Tailer::new(run);
    while !tailer.at_end() {
        let mut done = Ok(());
        tailer.poll_slices(BUDGET, |slice| {
            if done.is_ok() {
                done = sink(slice);
            }
        })?;
        done?;
    }
    Ok(tailer.into_damage())
}

struct Long<W: Write + Send> {
    writer: ArrowWriter<W>,
    table: KeyTable,
    rows: Rows,
}

impl<W: Write + Send> Long<W> {
    fn add(&mut self, slice: &Slice<'_>, place: &Path) -> Result<()> {
        let number = self.table.intern(slice.key, None);
        self.rows.series.extend(std::iter::repeat_n(number, slice.step.len()));
        self.rows.step.extend_from_slice(slice.step);
        self.rows.epoch.extend_from_slice(slice.epoch);
        self.rows.time.extend_from_slice(slice.time_us);
        self.rows.value.extend_from_slice(slice.value);
        if self.rows.len() >= BATCH { self.flush(place) } else { Ok(()) }
    }

    fn flush(&mut self, place: &Path) -> Result<()> {
        let batch =
            metrics::to_batch(std::mem::take(&mut self.rows), &self.table).format_at("encode", place)?;
        self.writer.write(&batch).format_at("encode", place)
    }
}

fn write_slice(slice: &Slice<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let SeriesKey { metric, model, split, trial } = slice.key;
    let text = |text: &Option<String>| text.as_deref().map(quoted).unwrap_or_default();
    let trial = trial.map(|trial| trial.to_string()).unwrap_or_default();
    let name = format!("{},{},{},{trial}", quoted(metric), text(model), text(split));
    for n in 0..slice.step.len() {
        let (step, value) = (slice.step[n], slice.value[n]);
        let (epoch, time) = (number(slice.epoch[n]), moment(slice.time_us[n]));
        writeln!(out, "{step},{epoch},{time},{name},{value:?}")?;
    }
    Ok(())
}

/// Formats a field of CSV.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Formats a number that may be missing.
fn number(value: f64) -> String {
    if value.is_nan() { String::new() } else { format!("{value:?}") }
}

fn moment(time_us: i64) -> String {
    Timestamp::from_microsecond(time_us).map(|time| time.to_string()).unwrap_or_default()
}

/// The step, epoch and time of a row in a wide table.
#[derive(Debug, Clone, Copy)]
struct At {
    step: i64,
    epoch: f64,
    time: i64,
}

/// A table with a column for each series.
struct Wide {
    names: Vec<String>,
    /// The rows, sorted by time.
    rows: Vec<At>,
    /// For each series one value per row, if it has one.
    cells: Vec<Vec<Option<f64>>>,
}

impl Wide {
    fn of(run: &RunDir, name: fn(&SeriesKey) -> String) -> Result<(Self, Vec<StoreError>)> {
        let (mut series, damage) = read_series_around_damage(run, |_| true)?;
        series.sort_by(|a, b| a.key.cmp(&b.key));
        let mut rows: Vec<At> = Vec::new();
        let mut index: HashMap<(i64, u32), usize> = HashMap::new();
        let mut places: Vec<Vec<usize>> = Vec::new();
        for SeriesData { step, epoch, time_us, .. } in &series {
            let mut seen: HashMap<i64, u32> = HashMap::new();
            let mut place = |n: usize| {
                let times = seen.entry(step[n]).or_default();
                *times += 1;
                let at = *index.entry((step[n], *times)).or_insert_with(|| {
                    rows.push(At { step: step[n], epoch: epoch[n], time: time_us[n] });
                    rows.len() - 1
                });
                let row = &mut rows[at];
                row.time = row.time.min(time_us[n]);
                if row.epoch.is_nan() {
                    row.epoch = epoch[n];
                }
                at
            };
            places.push((0..step.len()).map(&mut place).collect());
        }
        if rows.len().saturating_mul(series.len()) > CELLS {
            return Err(StoreError::TooWide { rows: rows.len(), series: series.len() });
        }
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|at| (rows[*at].time, rows[*at].step));
        let mut rank = vec![0; rows.len()];
        for (place, at) in order.iter().enumerate() {
            rank[*at] = place;
        }
        let mut names = Vec::new();
        let mut cells = Vec::new();
        for (series, places) in series.into_iter().zip(places) {
            names.push(name(&series.key));
            let mut column = vec![None; rows.len()];
            for (value, place) in series.value.into_iter().zip(places) {
                column[rank[place]] = Some(value);
            }
            cells.push(column);
        }
        let rows = order.into_iter().map(|at| rows[at]).collect();
        Ok((Self { names, rows, cells }, damage))
    }

    fn exported(self, damage: Vec<StoreError>) -> Exported {
        let mut counts: HashMap<String, usize> = HashMap::new();
        let all = ["step", "epoch", "time"].into_iter().chain(self.names.iter().map(String::as_str));
        for name in all {
            *counts.entry(name.to_lowercase()).or_default() += 1;
        }
        let rows = self.rows.len() as u64;
        let alike = self.names.into_iter().filter(|name| counts[&name.to_lowercase()] > 1).collect();
        Exported { rows, damage, alike }
    }

    fn write_csv(&self, out: &mut impl Write) -> std::io::Result<()> {
        out.write_all(b"step,epoch,time")?;
        for name in &self.names {
            write!(out, ",{}", quoted(name))?;
        }
        out.write_all(b"\n")?;
        for (n, At { step, epoch, time }) in self.rows.iter().enumerate() {
            write!(out, "{step},{},{}", number(*epoch), moment(*time))?;
            for column in &self.cells {
                match column[n] {
                    Some(value) => write!(out, ",{value:?}")?,
                    None => out.write_all(b",")?,
                }
            }
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn fields(&self) -> Vec<Field> {
        let own = metrics::place_fields();
        let series = self.names.iter().map(|name| Field::new(name, arrow_schema::DataType::Float64, true));
        own.into_iter().chain(series).collect()
    }

    fn columns(&self, rows: std::ops::Range<usize>) -> Vec<ArrayRef> {
        let rows = rows.start..rows.end.min(self.rows.len());
        let at = &self.rows[rows.clone()];
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(at.iter().map(|at| at.step).collect::<Int64Array>()),
            Arc::new(at.iter().map(|at| (!at.epoch.is_nan()).then_some(at.epoch)).collect::<Float64Array>()),
            Arc::new(
                TimestampMicrosecondArray::from_iter_values(at.iter().map(|at| at.time)).with_timezone("UTC"),
            ),
        ];
        let series =
            self.cells.iter().map(|column| column[rows.clone()].iter().copied().collect::<Float64Array>());
        columns.extend(series.map(|array| Arc::new(array) as ArrayRef));
        columns
    }
}
