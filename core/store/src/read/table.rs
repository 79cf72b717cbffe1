//! Reads tables.

use std::collections::BTreeSet;
use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field};

use crate::error::{Result, StoreError};
use crate::folder::run_dir::RunDir;
use crate::log::merge::list_pending;
use crate::log::part::{list_parts, names};
use crate::sealed::file::Sealed;
use crate::sealed::table::{ColumnData, PARAMS_TABLE, RUN_TABLE, STEP};

/// A table: a leading `step` column, then the logged columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Name, unit and values of each column.
    pub columns: Vec<(String, Option<String>, ColumnData)>,
    /// Column and row of each missing number, which is NaN in the data. Only gradtop's own tables have them.
    pub absent: BTreeSet<(usize, usize)>,
}

impl Table {
    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, _, data)| data.len())
    }

    /// Returns the column of that name.
    pub fn column(&self, name: &str) -> Option<&ColumnData> {
        self.columns.iter().find(|(n, _, _)| n == name).map(|(_, _, data)| data)
    }
}

/// Reads all steps of a table in log order.
///
/// # Errors
/// [`StoreError::NoSuchTable`], or the table cannot be read.
pub fn read_table(run: &RunDir, name: &str) -> Result<Table> {
    let mut table = Table::default();
    for part in open_parts(run, name)? {
        for batch in part.read(|all| all)? {
            append(&mut table, &batch?, part.path())?;
        }
    }
    Ok(table)
}

/// Reads rows `from..from + count` of a table in log order, and returns its total number of rows. Beyond the last row
/// the columns are empty.
///
/// # Errors
/// See [`read_table`].
pub fn read_table_rows(run: &RunDir, name: &str, from: usize, count: usize) -> Result<(Table, usize)> {
    let (mut table, mut before) = (Table::default(), 0);
    for part in open_parts(run, name)? {
        let rows = part.rows();
        let skip = from.saturating_sub(before).min(rows);
        let take = from.saturating_add(count).saturating_sub(before).min(rows) - skip;
        before += rows;
        // The first part is always opened, for the names of the columns.
        if take == 0 && !table.columns.is_empty() {
            continue;
        }
        append(&mut table, &RecordBatch::new_empty(part.schema().clone()), part.path())?;
        for batch in part.read(|all| all.with_offset(skip).with_limit(take))? {
            append(&mut table, &batch?, part.path())?;
        }
    }
    Ok((table, before))
}

/// Reads the last rows that share a step, without the row groups before them.
///
/// # Errors
/// See [`read_table`].
pub fn read_table_last(run: &RunDir, name: &str) -> Result<Table> {
    let parts = open_parts(run, name)?;
    // From the last row backwards to the first one of another step.
    let mut last: Option<i64> = None;
    let mut found: Vec<(&Path, RecordBatch)> = Vec::new();
    let groups = parts.iter().flat_map(|part| (0..part.metadata().num_row_groups()).map(move |g| (part, g)));
    'rows: for (part, group) in groups.rev() {
        let batches = part.read(|all| all.with_row_groups(vec![group]))?.collect::<Result<Vec<_>>>()?;
        for batch in batches.into_iter().rev() {
            let steps = batch.column_by_name(STEP).and_then(|c| c.as_primitive_opt::<Int64Type>());
            let Some(steps) = steps else {
                found.push((part.path(), batch));
                continue;
            };
            let last = *last.get_or_insert_with(|| steps.values().last().copied().unwrap_or_default());
            let start = steps.values().iter().rposition(|step| *step != last).map_or(0, |at| at + 1);
            found.push((part.path(), batch.slice(start, batch.num_rows() - start)));
            if start > 0 {
                break 'rows;
            }
        }
    }
    let mut table = Table::default();
    for (path, batch) in found.into_iter().rev() {
        append(&mut table, &batch, path)?;
    }
    Ok(table)
}

/// Opens the parts of a table.
pub(crate) fn open_parts(run: &RunDir, name: &str) -> Result<Vec<Sealed>> {
    let tables = table_names(run);
    if !tables.iter().any(|t| t == name) {
        return Err(StoreError::NoSuchTable { run: run.name(), table: name.to_owned(), tables });
    }
    let dir = run.tables().join(name);
    // A merge may replace the parts between listing and opening them.
    for _ in 0..200 {
        let listed = list_parts(run, &dir)?;
        let opened: Result<Vec<_>> = listed.iter().map(|p| Sealed::open(run, &p.path)).collect();
        match opened {
            Err(e) if e.is_gone() => continue,
            Ok(_) if list_pending(run, &dir) || list_parts(run, &dir)? != listed => {}
            opened => return opened,
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Err(StoreError::Damaged { path: dir, message: "a merge was not finished: recover the run".into() })
}

fn append(table: &mut Table, batch: &RecordBatch, path: &Path) -> Result<()> {
    let damaged = |m: String| StoreError::Damaged { path: path.to_owned(), message: m };
    if table.columns.is_empty() {
        table.columns = batch.schema().fields().iter().map(|field| empty(field)).collect();
    }
    if table.columns.len() != batch.num_columns() {
        return Err(damaged("its columns differ from those of the first part".into()));
    }
    for (column, ((name, _, data), array)) in table.columns.iter_mut().zip(batch.columns()).enumerate() {
        if matches!(data, ColumnData::F64(_)) && array.null_count() > 0 {
            let rows = (0..array.len()).filter(|row| array.is_null(*row));
            table.absent.extend(rows.map(|row| (column, data.len() + row)));
        }
        extend(data, array).ok_or_else(|| damaged(format!("its column {name:?} has another type")))?;
    }
    Ok(())
}

/// Returns a column without rows, for values of a field. Types other than numbers and bytes, such as the run's times, are
/// read as text.
fn empty(field: &Field) -> (String, Option<String>, ColumnData) {
    let data = match field.data_type() {
        DataType::Int64 if !field.is_nullable() => ColumnData::I64(Vec::new()),
        DataType::Int64 | DataType::Float64 => ColumnData::F64(Vec::new()),
        DataType::FixedSizeBinary(w) => ColumnData::Bytes { width: *w as usize, data: Vec::new() },
        _ => ColumnData::Utf8(Vec::new()),
    };
    (field.name().clone(), field.metadata().get("unit").cloned(), data)
}

/// Adds values to a column; `None` if they are of another type.
fn extend(column: &mut ColumnData, array: &dyn Array) -> Option<()> {
    match column {
        ColumnData::I64(v) => v.extend_from_slice(array.as_primitive_opt::<Int64Type>()?.values()),
        ColumnData::F64(v) => {
            // A nullable integer is of the run's row.
            if let Some(array) = array.as_primitive_opt::<Int64Type>() {
                v.extend(array.iter().map(|x| x.map_or(f64::NAN, |x| x as f64)));
            } else {
                v.extend(array.as_primitive_opt::<Float64Type>()?.iter().map(|x| x.unwrap_or(f64::NAN)));
            }
        }
        ColumnData::Bytes { width, data } => {
            let array = array.as_fixed_size_binary_opt().filter(|a| a.value_length() as usize == *width)?;
            (0..array.len()).for_each(|i| data.extend_from_slice(array.value(i)));
        }
        ColumnData::Utf8(v) => v.extend(texts(array)?),
    }
    Some(())
}

/// Returns values as text, missing ones as none.
fn texts(array: &dyn Array) -> Option<Vec<String>> {
    fn each<T: ToString>(values: impl Iterator<Item = Option<T>>) -> Vec<String> {
        values.map(|value| value.map_or_else(String::new, |value| value.to_string())).collect()
    }
    if let Some(array) = array.as_string_opt::<i32>() {
        Some(each(array.iter()))
    } else if let Some(array) = array.as_boolean_opt() {
        Some(each(array.iter()))
    } else if let Some(array) = array.as_primitive_opt::<UInt64Type>() {
        Some(each(array.iter()))
    } else {
        let times = array.as_primitive_opt::<TimestampMicrosecondType>()?;
        Some(each(times.iter().map(|time| jiff::Timestamp::from_microsecond(time?).ok())))
    }
}

/// Returns the names of the run's tables, gradtop's own last.
pub fn table_names(run: &RunDir) -> Vec<String> {
    let dir = run.tables();
    let mut tables: Vec<_> = names(run, &dir)
        .unwrap_or_default()
        .into_iter()
        .filter(|n| !n.starts_with('.') && list_parts(run, &dir.join(n)).is_ok_and(|p| !p.is_empty()))
        .collect();
    tables.sort_by(|a, b| {
        let own = |name: &str| name == RUN_TABLE || name == PARAMS_TABLE;
        own(a).cmp(&own(b)).then_with(|| a.cmp(b))
    });
    tables
}
