//! Reads sealed metrics, completely or only some series and pages.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{ArrowPrimitiveType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array as _, ArrayRef, Int32Array, PrimitiveArray, RecordBatch, StringArray};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;

use crate::error::{Result, StoreError};
use crate::log::rows::Rows;
use crate::log::series::{KeyTable, SeriesKey};
use crate::sealed::file::{Batches, Sealed};
use crate::sealed::metrics::checked;
use crate::sealed::pages::pages;

/// Number of rows read at a time.
const READ_ROWS: usize = 16_384;

/// Reads one part in batches, the rows of each series in log order.
///
/// The key columns, which take most of the time to decode, are skipped where the page index tells the series.
pub(crate) struct PartReader {
    path: PathBuf,
    batches: Batches,
    /// The series of the remaining rows, with the number of consecutive rows of each.
    owners: VecDeque<(usize, SeriesKey)>,
    /// Whether rows may be sorted by step, as older versions sealed them.
    by_step: bool,
}

/// A block of neighbouring rows of one series.
pub(crate) type Owned = (Range<usize>, SeriesKey);

impl std::fmt::Debug for PartReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartReader").field("path", &self.path).finish_non_exhaustive()
    }
}

type RowKey = (Option<i32>, Option<i32>, Option<i32>, Option<i32>);

impl PartReader {
    pub(crate) fn new(part: &Sealed) -> Result<Self> {
        Self::of(part, owned(part, &|_| true, None)?)
    }

    /// Reads only the series selected by `filter`, and of these at least the rows within `steps`; pages without any are
    /// skipped. Returns `None` if there are no such rows.
    pub(crate) fn filtered(
        part: &Sealed,
        filter: &dyn Fn(&SeriesKey) -> bool,
        steps: Option<(i64, i64)>,
    ) -> Result<Option<Self>> {
        let owned = owned(part, filter, steps)?;
        if owned.is_empty() { Ok(None) } else { Self::of(part, owned).map(Some) }
    }

    /// Reads rows whose series are known.
    pub(crate) fn of(part: &Sealed, owned: Vec<Owned>) -> Result<Self> {
        let total = part.rows();
        let ranges = joined(owned.iter().map(|(r, _)| r.clone()));
        let batches = part.read(|rows| {
            let mask = ProjectionMask::columns(rows.parquet_schema(), ["step", "epoch", "time", "value"]);
            let rows = rows.with_batch_size(READ_ROWS).with_projection(mask);
            if ranges.iter().map(ExactSizeIterator::len).sum::<usize>() < total {
                rows.with_row_selection(RowSelection::from_consecutive_ranges(ranges.into_iter(), total))
            } else {
                rows
            }
        })?;
        let owners = owned.into_iter().map(|(rows, key)| (rows.len(), key)).collect();
        Ok(Self { path: part.path().to_owned(), batches, owners, by_step: !part.signed() })
    }

    /// Returns whether the rows are sorted by the keys of their series.
    pub(crate) fn in_order(&self) -> bool {
        self.owners.iter().is_sorted_by(|(_, a), (_, b)| a <= b)
    }

    /// Reads the next rows, with series numbered by `table`.
    pub(crate) fn next(&mut self, table: &mut KeyTable) -> Result<Option<Rows>> {
        if !std::mem::take(&mut self.by_step) {
            return self.next_batch(table);
        }
        let mut all = Rows::default();
        while let Some(rows) = self.next_batch(table)? {
            all.append(&rows);
        }
        Ok((!all.is_empty()).then(|| in_order_logged(all)))
    }

    fn next_batch(&mut self, table: &mut KeyTable) -> Result<Option<Rows>> {
        let Some(batch) = self.batches.next() else { return Ok(None) };
        let batch = batch?;
        let mut series = Vec::with_capacity(batch.num_rows());
        while series.len() < batch.num_rows() {
            let (left, key) = self.owners.front_mut().ok_or_else(|| not_metrics(&self.path))?;
            let n = (*left).min(batch.num_rows() - series.len());
            series.extend(std::iter::repeat_n(table.intern(key, None), n));
            *left -= n;
            if *left == 0 {
                self.owners.pop_front();
            }
        }
        let epoch = column::<Float64Type>(&batch, "epoch").ok_or_else(|| not_metrics(&self.path))?;
        Ok(Some(Rows {
            series,
            step: self.values::<Int64Type>(&batch, "step")?,
            epoch: match epoch.nulls() {
                None => epoch.values().to_vec(),
                Some(_) => epoch.iter().map(|e| e.unwrap_or(f64::NAN)).collect(),
            },
            time: self.values::<TimestampMicrosecondType>(&batch, "time")?,
            value: self.values::<Float64Type>(&batch, "value")?,
        }))
    }

    /// The values of a column without nulls.
    fn values<T: ArrowPrimitiveType>(&self, batch: &RecordBatch, name: &str) -> Result<Vec<T::Native>> {
        let column = column::<T>(batch, name).ok_or_else(|| not_metrics(&self.path))?;
        if column.null_count() > 0 {
            let message = format!("its column {name:?} has nulls");
            return Err(StoreError::Damaged { path: self.path.clone(), message });
        }
        Ok(column.values().to_vec())
    }
}

/// Restores the log order within each series. Time never goes back, and rows with equal times keep their order.
fn in_order_logged(rows: Rows) -> Rows {
    let ranges = || rows.by_series().map(|(_, range)| range);
    if ranges().all(|range| rows.time[range].is_sorted()) {
        return rows;
    }
    let mut order: Vec<usize> = (0..rows.len()).collect();
    for range in ranges() {
        order[range].sort_by_key(|i| rows.time[*i]);
    }
    rows.picked(order.into_iter())
}

/// Returns the rows of the series selected by `filter`, in order, with their series. Rows of other steps are included
/// only if they share a page.
pub(crate) fn owned(
    part: &Sealed,
    filter: &dyn Fn(&SeriesKey) -> bool,
    steps: Option<(i64, i64)>,
) -> Result<Vec<Owned>> {
    let part = &checked(part)?;
    let (mut owned, mut open): (Vec<Owned>, Vec<Range<usize>>) = (Vec::new(), Vec::new());
    match pages(part) {
        None => open.push(0..part.rows()),
        Some(pages) => {
            for page in pages {
                if steps.is_some_and(|(first, last)| page.step.1 < first || page.step.0 > last) {
                    continue;
                }
                match page.key {
                    Some(key) if filter(&key) => owned.push((page.rows, key)),
                    Some(_) => {}
                    None => open.push(page.rows),
                }
            }
        }
    }
    if !open.is_empty() {
        owned.extend(by_key(part, filter, &joined(open.into_iter()))?);
        owned.sort_by_key(|(r, _)| r.start);
    }
    Ok(owned)
}

/// Joins adjacent ranges of a sorted sequence.
fn joined(ranges: impl Iterator<Item = Range<usize>>) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match out.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => out.push(range),
        }
    }
    out
}

/// Finds the rows of the series selected by `filter` within some ranges by reading their keys.
fn by_key(part: &Sealed, filter: &dyn Fn(&SeriesKey) -> bool, among: &[Range<usize>]) -> Result<Vec<Owned>> {
    let mut found: Vec<Owned> = Vec::new();
    let mut start = 0;
    // One row group at a time: a batch across two with different dictionaries is built by comparing the text of each row.
    for (number, group) in part.metadata().row_groups().iter().enumerate() {
        let rows = start..start + group.num_rows() as usize;
        let inside = |r: &Range<usize>| r.start.max(rows.start)..r.end.min(rows.end);
        let ranges: Vec<_> = among.iter().map(inside).filter(|r| !r.is_empty()).collect();
        start = rows.end;
        if ranges.is_empty() {
            continue;
        }
        let mut numbers = ranges.clone().into_iter().flatten();
        // A column of only nulls takes the reader longer than any other.
        let some_value =
            |name: &&str| !group.columns().iter().any(|c| c.column_path().string() == *name && is_null(c));
        let columns: Vec<&str> =
            ["metric", "model", "split", "trial"].into_iter().filter(some_value).collect();
        let batches = part.read(|keys| {
            let mask = ProjectionMask::columns(keys.parquet_schema(), columns.iter().copied());
            let local = ranges.iter().map(|r| r.start - rows.start..r.end - rows.start);
            let some = RowSelection::from_consecutive_ranges(local, rows.len());
            let keys = keys.with_row_groups(vec![number]).with_row_selection(some);
            keys.with_projection(mask).with_batch_size(READ_ROWS)
        })?;
        for batch in batches {
            let batch = batch?;
            let added = KeyColumns::new(&batch, &columns).map(|keys| {
                add_owners(&keys, numbers.by_ref().take(batch.num_rows()), filter, &mut found);
            });
            added.ok_or_else(|| not_metrics(part.path()))?;
        }
    }
    Ok(found)
}

/// Returns whether a column chunk holds only nulls.
fn is_null(column: &ColumnChunkMetaData) -> bool {
    let nulls = column.statistics().and_then(Statistics::null_count_opt);
    nulls.is_some_and(|nulls| i64::try_from(nulls) == Ok(column.num_values()))
}

/// Adds the selected rows of a batch; `numbers` gives their row numbers in the part.
fn add_owners(
    columns: &KeyColumns<'_>,
    numbers: impl Iterator<Item = usize>,
    filter: &dyn Fn(&SeriesKey) -> bool,
    found: &mut Vec<Owned>,
) {
    // Dictionary keys are valid only within their batch.
    let mut last: Option<(RowKey, bool)> = None;
    for (i, row) in numbers.enumerate() {
        let key = columns.row(i);
        if let Some((same, wanted)) = last
            && same == key
        {
            match found.last_mut() {
                Some((rows, _)) if wanted && rows.end == row => {
                    rows.end += 1;
                    continue;
                }
                _ if !wanted => continue,
                _ => {}
            }
        }
        let series = columns.series(i);
        let wanted = filter(&series);
        if wanted {
            found.push((row..row + 1, series));
        }
        last = Some((key, wanted));
    }
}

fn not_metrics(path: &Path) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), message: "its columns are not those of metrics".to_owned() }
}

fn column<'a, T: ArrowPrimitiveType>(batch: &'a RecordBatch, name: &str) -> Option<&'a PrimitiveArray<T>> {
    batch.column_by_name(name)?.as_primitive_opt::<T>()
}

/// The columns that identify a row's series. A missing column counts as null.
struct KeyColumns<'a> {
    metric: Option<StringColumn<'a>>,
    model: Option<StringColumn<'a>>,
    split: Option<StringColumn<'a>>,
    trial: Option<&'a Int32Array>,
}

struct StringColumn<'a> {
    keys: &'a Int32Array,
    values: &'a StringArray,
}

impl<'a> StringColumn<'a> {
    fn new(array: &'a ArrayRef) -> Option<Self> {
        let array = array.as_dictionary_opt::<Int32Type>()?;
        Some(Self { keys: array.keys(), values: array.values().as_string_opt::<i32>()? })
    }

    fn key(&self, i: usize) -> Option<i32> {
        self.keys.is_valid(i).then(|| self.keys.value(i))
    }

    fn value(&self, i: usize) -> Option<String> {
        self.key(i).map(|k| self.values.value(k as usize).to_owned())
    }
}

impl<'a> KeyColumns<'a> {
    /// Returns `None` if a column has an unexpected type.
    fn new(batch: &'a RecordBatch, read: &[&str]) -> Option<Self> {
        let text = |name: &str| match batch.column_by_name(name) {
            Some(array) => StringColumn::new(array).map(Some),
            None => (!read.contains(&name)).then_some(None),
        };
        let trial = match batch.column_by_name("trial") {
            Some(array) => Some(array.as_primitive_opt::<Int32Type>()?),
            None if read.contains(&"trial") => return None,
            None => None,
        };
        Some(Self { metric: text("metric")?, model: text("model")?, split: text("split")?, trial })
    }

    fn trial(&self, i: usize) -> Option<i32> {
        self.trial.filter(|trial| trial.is_valid(i)).map(|trial| trial.value(i))
    }

    fn row(&self, i: usize) -> RowKey {
        let key = |column: &Option<StringColumn<'_>>| column.as_ref()?.key(i);
        (key(&self.metric), key(&self.model), key(&self.split), self.trial(i))
    }

    fn series(&self, i: usize) -> SeriesKey {
        let value = |column: &Option<StringColumn<'_>>| column.as_ref()?.value(i);
        SeriesKey {
            metric: value(&self.metric).unwrap_or_default(),
            model: value(&self.model),
            split: value(&self.split),
            trial: self.trial(i),
        }
    }
}

/// Returns the time of a part's last row, from its footer.
pub(crate) fn last_time(part: &Sealed) -> i64 {
    let times = part.metadata().row_groups().iter().flat_map(|group| {
        group.columns().iter().filter(|c| c.column_path().string() == "time").filter_map(|c| {
            match c.statistics() {
                Some(Statistics::Int64(s)) => s.max_opt().copied(),
                _ => None,
            }
        })
    });
    times.max().unwrap_or(i64::MIN)
}
