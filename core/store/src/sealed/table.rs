//! Tables, for data that is not a time series.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeBinaryArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::Encoding;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use crate::disk::inside;
use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::folder::run_dir::RunDir;
use crate::log::merge::PartKind;
use crate::log::part::{list_parts, part_name};
use crate::sealed::file::{self, Sealed};
use crate::sealed::properties::properties;

/// A column handed to [`crate::Recorder::log_table`].
#[derive(Debug, Clone, PartialEq)]
pub struct TableColumn {
    /// Its name; `step` is reserved.
    pub name: String,
    /// Its unit.
    pub unit: Option<String>,
    /// Its values; all columns of a table have the same length.
    pub data: ColumnData,
}

/// A column's values.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnData {
    /// Integers.
    I64(Vec<i64>),
    /// Floats.
    F64(Vec<f64>),
    /// Strings.
    Utf8(Vec<String>),
    /// Rows of `width` bytes, concatenated.
    Bytes {
        /// Number of bytes per row.
        width: usize,
        /// The bytes of all rows.
        data: Vec<u8>,
    },
}

impl ColumnData {
    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::I64(v) => v.len(),
            Self::F64(v) => v.len(),
            Self::Utf8(v) => v.len(),
            Self::Bytes { width, data } => data.len().checked_div(*width).unwrap_or(0),
        }
    }

    /// Returns whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Name of the table with one row per run, which only [`crate::write_run_table`] writes.
pub(crate) const RUN_TABLE: &str = "run";
/// Name of the table of parameters, which [`crate::write_params_table`] writes unless the experiment logs one.
pub(crate) const PARAMS_TABLE: &str = "params";
/// Name of every table's first column.
pub(crate) const STEP: &str = "step";

/// Checks rows that are to be appended and returns the schema of their part.
pub(crate) fn check(name: &str, columns: &[TableColumn]) -> Result<SchemaRef> {
    let bad = |message: String| Err(StoreError::BadTable { table: name.to_owned(), message });
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric())
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        || name.len() > 100
    {
        return bad(
            "a name has letters, digits, '.', '_' and '-', at most 100, and begins with a letter or digit"
                .into(),
        );
    }
    if name == RUN_TABLE {
        return bad("this name is reserved; choose another".into());
    }
    let Some(first) = columns.first() else { return bad("it has no column".into()) };
    let mut fields = vec![Field::new(STEP, DataType::Int64, false)];
    for column in columns {
        if let Some(twin) = fields.iter().find(|f| f.name().eq_ignore_ascii_case(&column.name)) {
            return bad(if *twin.name() == column.name {
                format!("two columns are called {:?}", column.name)
            } else {
                format!("columns {:?} and {:?} are the same to DuckDB; rename one", twin.name(), column.name)
            });
        }
        if column.name.is_empty() {
            return bad("a column has no name".into());
        }
        if let ColumnData::Bytes { width, data } = &column.data
            && (*width == 0 || *width > i32::MAX as usize || data.len() % width != 0)
        {
            return bad(format!(
                "column {:?}: {} bytes are not whole rows of {width}",
                column.name,
                data.len()
            ));
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

/// Checks that `new` matches the table's schema; the error names the difference.
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

/// Returns the schema of an existing table, from the first readable part.
pub(crate) fn existing_schema(run: &RunDir, name: &str) -> Result<Option<SchemaRef>> {
    for part in list_parts(run, &run.tables().join(name))? {
        match Sealed::open(run, &part.path) {
            Err(e) if e.is_damage() => {}
            part => return Ok(Some(part?.schema().clone())),
        }
    }
    Ok(None)
}

/// Converts columns to an Arrow batch.
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
    let mut properties = properties();
    for field in schema.fields() {
        // A path of one element, whatever dots the name contains.
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

/// Writes batches of one schema to a new file and syncs it to the disk.
pub(crate) fn write_file(run: &RunDir, path: &Path, batches: &[RecordBatch]) -> Result<()> {
    let schema = batches.first().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
    let properties = table_properties(&schema);
    let mut writer =
        ArrowWriter::try_new(file::create(run, path)?, schema, Some(properties)).format_at("encode", path)?;
    for batch in batches {
        writer.write(batch).format_at("encode", path)?;
    }
    let (writer, _) = writer.into_serialized_writer().format_at("encode", path)?;
    file::finish(run, path, writer)
}

/// Writes a part of a table atomically.
pub(crate) fn write_part(run: &RunDir, dir: &Path, number: u32, batches: &[RecordBatch]) -> Result<()> {
    inside::create_dir_all(run, dir).at("create", dir)?;
    let path = dir.join(part_name(number, number));
    file::put(run, &path, ["table: written", "table: renamed"], |tmp| write_file(run, tmp, batches))
}

pub(crate) struct TableParts;

impl PartKind for TableParts {
    fn merge(&self, run: &RunDir, parts: &[&Sealed], out: &Path) -> Result<()> {
        let mut batches: Vec<RecordBatch> = Vec::new();
        for part in parts {
            for batch in part.read(|all| all)? {
                let batch = batch?;
                // Units may differ between parts: use those of the first.
                let schema = batches.first().map_or_else(|| batch.schema(), RecordBatch::schema);
                let columns = batch.columns().to_vec();
                batches.push(RecordBatch::try_new(schema, columns).format_at("merge", part.path())?);
            }
        }
        write_file(run, out, &batches)
    }
}
