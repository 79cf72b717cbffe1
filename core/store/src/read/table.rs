//! Tables: what is no time series.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{
    Array as _, ArrayRef, FixedSizeBinaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::Encoding;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::folder::inside;
use crate::folder::run_dir::RunDir;
use crate::folder::temporary::{self, stage};
use crate::log::merge::{PartKind, list_pending};
use crate::log::part::{list_parts, names, part_name};
use crate::sealed::file::{self, Sealed};

/// A column handed to [`crate::Recorder::log_table`].
#[derive(Debug, Clone, PartialEq)]
pub struct TableColumn {
    /// Its name; `step` is taken.
    pub name: String,
    /// Its unit.
    pub unit: Option<String>,
    /// Its values; all columns of a table are equally long.
    pub data: ColumnData,
}

/// A column's values.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnData {
    /// Integers.
    I64(Vec<i64>),
    /// Floats.
    F64(Vec<f64>),
    /// Texts.
    Utf8(Vec<String>),
    /// Rows of `width` bytes, one after the other.
    Bytes {
        /// Bytes of a row.
        width: usize,
        /// All rows.
        data: Vec<u8>,
    },
}

impl ColumnData {
    /// How many rows it has.
    pub fn len(&self) -> usize {
        match self {
            Self::I64(v) => v.len(),
            Self::F64(v) => v.len(),
            Self::Utf8(v) => v.len(),
            Self::Bytes { width, data } => data.len().checked_div(*width).unwrap_or(0),
        }
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A table as read back: a leading `step` column, then those logged.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Name, unit and values of each column.
    pub columns: Vec<(String, Option<String>, ColumnData)>,
}

impl Table {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, _, data)| data.len())
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&ColumnData> {
        self.columns.iter().find(|(n, _, _)| n == name).map(|(_, _, data)| data)
    }
}

/// Name of the table of one row a run, which only [`crate::write_run_table`] writes.
pub(crate) const RUN_TABLE: &str = "run";
/// Name of the table of a run's parameters, which [`crate::write_params_table`] writes unless an experiment has one.
pub(crate) const PARAMS_TABLE: &str = "params";
/// Name of the column every table begins with.
const STEP: &str = "step";

/// Checks what is to be appended, and gives the schema of its part.
pub(crate) fn check(name: &str, columns: &[TableColumn]) -> Result<SchemaRef> {
    let bad = |message: String| Err(StoreError::BadTable { table: name.to_owned(), message });
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric())
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        || name.len() > 100
    {
        return bad(
            "a name is made of letters, digits, '.', '_' and '-', at most 100, a letter or digit first"
                .into(),
        );
    }
    if name == RUN_TABLE {
        return bad("this name is gradtop's own; choose another".into());
    }
    let Some(first) = columns.first() else { return bad("it has no column".into()) };
    let mut fields = vec![Field::new(STEP, DataType::Int64, false)];
    for column in columns {
        if fields.iter().any(|f| *f.name() == column.name) {
            return bad(format!("two columns are called {:?}", column.name));
        }
        if column.name.is_empty() {
            return bad("a column has no name".into());
        }
        if let ColumnData::Bytes { width, data } = &column.data
            && (*width == 0 || *width > i32::MAX as usize || data.len() % width != 0)
        {
            return bad(format!("column {:?}: {} bytes are no rows of {width}", column.name, data.len()));
        }
        if column.data.len() != first.data.len() {
            return bad(format!(
                "column {:?} has {} rows, {:?} has {}",
                column.name,
                column.data.len(),
                first.name,
                first.data.len()
            ));
        }
        let kind = match &column.data {
            ColumnData::I64(_) => DataType::Int64,
            ColumnData::F64(_) => DataType::Float64,
            ColumnData::Utf8(_) => DataType::Utf8,
            ColumnData::Bytes { width, .. } => DataType::FixedSizeBinary(*width as i32),
        };
        let metadata = column.unit.iter().map(|u| ("unit".to_owned(), u.clone())).collect::<HashMap<_, _>>();
        fields.push(Field::new(&column.name, kind, false).with_metadata(metadata));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// An error that says how `new` differs from what the table holds.
pub(crate) fn check_same(name: &str, old: &Schema, new: &Schema) -> Result<()> {
    let describe = |s: &Schema| {
        s.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect::<Vec<_>>().join(", ")
    };
    if describe(old) == describe(new) {
        return Ok(());
    }
    let message = format!("its columns were {}; now they are {}", describe(old), describe(new));
    Err(StoreError::BadTable { table: name.to_owned(), message })
}

/// The schema of what a table holds, from the first part that can be read.
pub(crate) fn existing_schema(run: &RunDir, name: &str) -> Result<Option<SchemaRef>> {
    for part in list_parts(run, &run.tables().join(name))? {
        match Sealed::open(run, &part.path) {
            Err(e) if e.is_damage() => {}
            part => return Ok(Some(part?.schema().clone())),
        }
    }
    Ok(None)
}

/// Rows as handed over, in Arrow's form.
pub(crate) fn to_batch(
    name: &str,
    schema: SchemaRef,
    step: i64,
    columns: Vec<TableColumn>,
) -> Result<RecordBatch> {
    let rows = columns.first().map_or(0, |c| c.data.len());
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![step; rows]))];
    for column in columns {
        arrays.push(match column.data {
            ColumnData::I64(v) => Arc::new(Int64Array::from(v)),
            ColumnData::F64(v) => Arc::new(Float64Array::from(v)),
            ColumnData::Utf8(v) => Arc::new(StringArray::from(v)),
            ColumnData::Bytes { width, data } => {
                Arc::new(FixedSizeBinaryArray::new(width as i32, data.into(), None))
            }
        });
    }
    RecordBatch::try_new(schema, arrays)
        .map_err(|e| StoreError::BadTable { table: name.to_owned(), message: e.to_string() })
}

fn table_properties(schema: &Schema) -> WriterProperties {
    let mut properties = crate::sealed::metrics::properties();
    for field in schema.fields() {
        // A path of one element, whatever dots the name has.
        let path = ColumnPath::new(vec![field.name().clone()]);
        properties = match field.data_type() {
            DataType::Int64 => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
            DataType::Float64 => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::BYTE_STREAM_SPLIT),
            DataType::FixedSizeBinary(_) => properties.set_column_dictionary_enabled(path, false),
            _ => properties,
        };
    }
    properties.build()
}

/// Writes batches of one schema to a new file and puts it on the disk.
pub(crate) fn write_file(run: &RunDir, path: &Path, batches: &[RecordBatch]) -> Result<()> {
    let schema = batches.first().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
    let properties = table_properties(&schema);
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).format_at("encode", path)?;
    for batch in batches {
        writer.write(batch).format_at("encode", path)?;
    }
    let (writer, _) = writer.into_serialized_writer().format_at("encode", path)?;
    file::write(run, path, writer)
}

/// Writes a part of a table under its name, whole.
pub(crate) fn write_part(run: &RunDir, dir: &Path, number: u32, batches: &[RecordBatch]) -> Result<()> {
    inside::create_dir_all(run, dir).at("create", dir)?;
    let path = dir.join(part_name(number, number));
    let tmp = temporary::tmp_beside(&path);
    let written = write_file(run, &tmp, batches);
    stage("table: written");
    let renamed = written.and_then(|()| inside::rename(run, &tmp, &path).at("rename", &tmp));
    if renamed.is_err() {
        inside::remove_file(run, &tmp).ok();
        return renamed;
    }
    stage("table: renamed");
    inside::sync_dir(run, dir).at("sync", dir)
}

/// Table parts, for merging.
pub(crate) struct TableParts;

impl PartKind for TableParts {
    fn merge(&self, run: &RunDir, parts: &[&Sealed], out: &Path) -> Result<()> {
        let mut batches: Vec<RecordBatch> = Vec::new();
        for part in parts {
            for batch in part.read(|all| all)? {
                let batch = batch?;
                // Units may differ between parts: those of the first stand.
                let schema = batches.first().map_or_else(|| batch.schema(), RecordBatch::schema);
                let columns = batch.columns().to_vec();
                batches.push(RecordBatch::try_new(schema, columns).format_at("merge", part.path())?);
            }
        }
        write_file(run, out, &batches)
    }
}

/// Reads a table, all steps, in the order logged.
pub fn read_table(run: &RunDir, name: &str) -> Result<Table> {
    let mut table = Table::default();
    for part in open_parts(run, name)? {
        for batch in part.read(|all| all)? {
            append(&mut table, &batch?, part.path())?;
        }
    }
    Ok(table)
}

/// Reads rows `from..from + count` of a table, in the order logged; also how many rows it has. Beyond the last row there is
/// none: the columns then are empty.
pub fn read_table_rows(run: &RunDir, name: &str, from: usize, count: usize) -> Result<(Table, usize)> {
    let (mut table, mut before) = (Table::default(), 0);
    for part in open_parts(run, name)? {
        let rows = part.rows();
        let skip = from.saturating_sub(before).min(rows);
        let take = from.saturating_add(count).saturating_sub(before).min(rows) - skip;
        before += rows;
        // The first part is looked at in any case, for the names of the columns.
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

/// Reads the rows logged last, as far as they are of one step; row groups before them are not read.
pub fn read_table_last(run: &RunDir, name: &str) -> Result<Table> {
    let parts = open_parts(run, name)?;
    // From the last row backwards, up to one of another step.
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

/// The parts of a table, open.
fn open_parts(run: &RunDir, name: &str) -> Result<Vec<Sealed>> {
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
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => continue,
            Ok(_) if list_pending(run, &dir) || list_parts(run, &dir)? != listed => {}
            opened => return opened,
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Err(StoreError::Damaged { path: dir, message: "a merge was not finished: recover the run".into() })
}

fn append(table: &mut Table, batch: &RecordBatch, path: &Path) -> Result<()> {
    let damaged = |m: String| StoreError::Damaged { path: path.to_owned(), message: m };
    let schema = batch.schema();
    if table.columns.is_empty() {
        for field in schema.fields() {
            let data = match field.data_type() {
                DataType::Int64 if !field.is_nullable() => ColumnData::I64(Vec::new()),
                DataType::Int64 | DataType::Float64 => ColumnData::F64(Vec::new()),
                DataType::FixedSizeBinary(w) => ColumnData::Bytes { width: *w as usize, data: Vec::new() },
                _ => ColumnData::Utf8(Vec::new()),
            };
            table.columns.push((field.name().clone(), field.metadata().get("unit").cloned(), data));
        }
    }
    if table.columns.len() != batch.num_columns() {
        return Err(damaged("its columns differ from those of the first part".into()));
    }
    for ((name, _, data), array) in table.columns.iter_mut().zip(batch.columns()) {
        let other = || damaged(format!("its column {name:?} is of another type"));
        match data {
            ColumnData::I64(v) => {
                v.extend_from_slice(array.as_primitive_opt::<Int64Type>().ok_or_else(other)?.values());
            }
            ColumnData::F64(v) => {
                if let Some(array) = array.as_primitive_opt::<Int64Type>() {
                    // An integer that may be absent, as in the run's row.
                    v.extend(array.iter().map(|x| x.map_or(f64::NAN, |x| x as f64)));
                } else {
                    let array = array.as_primitive_opt::<Float64Type>().ok_or_else(other)?;
                    v.extend(array.iter().map(|x| x.unwrap_or(f64::NAN)));
                }
            }
            ColumnData::Bytes { width, data } => {
                let array = array.as_fixed_size_binary_opt().ok_or_else(other)?;
                if array.value_length() as usize != *width {
                    return Err(other());
                }
                for i in 0..array.len() {
                    data.extend_from_slice(array.value(i));
                }
            }
            // Whatever else a table holds, such as the run's times, is read as text.
            ColumnData::Utf8(v) => {
                if let Some(array) = array.as_string_opt::<i32>() {
                    v.extend(array.iter().map(|s| s.unwrap_or_default().to_owned()));
                } else if let Some(array) = array.as_boolean_opt() {
                    v.extend(array.iter().map(|b| b.map_or_else(String::new, |b| b.to_string())));
                } else if let Some(array) = array.as_primitive_opt::<UInt64Type>() {
                    v.extend(array.iter().map(|x| x.map_or_else(String::new, |x| x.to_string())));
                } else if let Some(array) = array.as_primitive_opt::<TimestampMicrosecondType>() {
                    v.extend(array.iter().map(|t| {
                        t.and_then(|t| jiff::Timestamp::from_microsecond(t).ok())
                            .map_or_else(String::new, |t| t.to_string())
                    }));
                } else {
                    return Err(other());
                }
            }
        }
    }
    Ok(())
}

/// The run's tables by name, gradtop's own last.
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
