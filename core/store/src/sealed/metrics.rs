//! Sealed metrics, in long form: one row a value.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::Encoding;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use crate::error::{FormatContext as _, Result, StoreError};
use crate::folder::run_dir::RunDir;
use crate::log::parallel::{each, threads};
use crate::log::rows::Rows;
use crate::log::series::KeyTable;
use crate::sealed::file::{self, Sealed};
use crate::sealed::properties::{GROUP_ROWS, properties};

fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("step", DataType::Int64, false),
        Field::new("epoch", DataType::Float64, true),
        Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("metric", dictionary(), false),
        Field::new("model", dictionary(), true),
        Field::new("split", dictionary(), true),
        Field::new("trial", DataType::Int32, true),
        Field::new("value", DataType::Float64, false),
    ]))
});

/// Checks the columns of a part, which another program may have written, and returns it with its text as dictionaries,
/// however that is stored.
pub(crate) fn checked(part: &Sealed) -> Result<Sealed> {
    let wrong = |message| StoreError::Damaged { path: part.path().to_owned(), message };
    let mut as_read = part.schema().fields().to_vec();
    for wanted in SCHEMA.fields() {
        let (name, wanted) = (wanted.name(), wanted.data_type());
        let found = as_read.iter_mut().find(|field| field.name() == name);
        let field = found.ok_or_else(|| wrong(format!("it has no column {name:?}")))?;
        let (found, expected) = (type_name(field.data_type()), type_name(wanted));
        if found != expected {
            return Err(wrong(format!("its column {name:?} is {found} instead of {expected}")));
        }
        if expected == TEXT {
            *field = Arc::new(field.as_ref().clone().with_data_type(wanted.clone()));
        }
    }
    part.read_as(Arc::new(Schema::new_with_metadata(as_read, part.schema().metadata().clone())))
}

/// What the types of text are called together.
const TEXT: &str = "string";

/// Names a type as the documentation of the log does; how text is stored and a time zone make no difference.
fn type_name(of: &DataType) -> String {
    match of {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => TEXT.to_owned(),
        DataType::Dictionary(_, value) => type_name(value),
        DataType::Timestamp(TimeUnit::Microsecond, _) => "a timestamp in microseconds".to_owned(),
        DataType::Timestamp(..) => "a timestamp in another unit".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

fn metric_properties() -> WriterProperties {
    let path = |c: &str| ColumnPath::from(c);
    properties()
        .set_dictionary_enabled(false)
        .set_column_dictionary_enabled(path("metric"), true)
        .set_column_dictionary_enabled(path("model"), true)
        .set_column_dictionary_enabled(path("split"), true)
        .set_column_dictionary_enabled(path("trial"), true)
        .set_column_encoding(path("step"), Encoding::DELTA_BINARY_PACKED)
        .set_column_encoding(path("time"), Encoding::DELTA_BINARY_PACKED)
        .set_column_encoding(path("epoch"), Encoding::BYTE_STREAM_SPLIT)
        .set_column_encoding(path("value"), Encoding::BYTE_STREAM_SPLIT)
        .build()
}

/// The columns that say where a row belongs.
pub(crate) fn place_fields() -> Vec<Field> {
    SCHEMA.fields().iter().take(3).map(|field| field.as_ref().clone()).collect()
}

/// What a table with a column for each series is written with.
pub(crate) fn wide_properties() -> WriterProperties {
    let path = |c: &str| ColumnPath::from(c);
    properties()
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::BYTE_STREAM_SPLIT)
        .set_column_encoding(path("step"), Encoding::DELTA_BINARY_PACKED)
        .set_column_encoding(path("time"), Encoding::DELTA_BINARY_PACKED)
        .build()
}

/// A writer of rows in long form.
pub(crate) fn writer<W: std::io::Write + Send>(out: W) -> Result<ArrowWriter<W>, ParquetError> {
    ArrowWriter::try_new(out, SCHEMA.clone(), Some(metric_properties()))
}

/// Writes rows, sorted by series, to a new file and puts it on the disk. `table` names the series.
pub(crate) fn write_part(run: &RunDir, path: &Path, rows: Rows, table: &KeyTable) -> Result<()> {
    let mut part = PartWriter::create(run, path)?;
    part.write(rows, table)?;
    part.finish()
}

/// A part as it is written: rows sorted by series, some at a time. In memory is the row group that is begun, encoded.
pub(crate) struct PartWriter<'a> {
    run: &'a RunDir,
    path: &'a Path,
    file: SerializedFileWriter<File>,
    groups: ArrowRowGroupWriterFactory,
    /// The columns of the row group that is begun, and how many rows it has.
    columns: Vec<ArrowColumnWriter>,
    rows: usize,
}

impl<'a> PartWriter<'a> {
    pub(crate) fn create(run: &'a RunDir, path: &'a Path) -> Result<Self> {
        let writer = writer(file::create(run, path)?).format_at("encode", path)?;
        let (file, groups) = writer.into_serialized_writer().format_at("encode", path)?;
        Ok(Self { run, path, file, groups, columns: Vec::new(), rows: 0 })
    }

    pub(crate) fn write(&mut self, rows: Rows, table: &KeyTable) -> Result<()> {
        let batch = to_batch(rows, table).format_at("encode", self.path)?;
        let mut start = 0;
        while start < batch.num_rows() {
            let some = batch.slice(start, (GROUP_ROWS - self.rows).min(batch.num_rows() - start));
            self.add(&some).format_at("encode", self.path)?;
            start += some.num_rows();
            if self.rows == GROUP_ROWS {
                self.end_group().format_at("encode", self.path)?;
            }
        }
        Ok(())
    }

    /// Encodes rows of one row group, on two threads if there is much to do.
    fn add(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        if self.columns.is_empty() {
            self.columns = self.groups.create_column_writers(self.file.flushed_row_groups().len())?;
        }
        self.rows += rows.num_rows();
        let work = |(n, writer): (usize, &mut ArrowColumnWriter)| {
            let leaves = compute_leaves(rows.schema_ref().field(n), rows.column(n))?;
            leaves.iter().try_for_each(|leaf| writer.write(leaf))
        };
        let columns = self.columns.iter_mut().enumerate();
        each(threads(rows.num_rows()), columns.collect(), work).into_iter().collect()
    }

    fn end_group(&mut self) -> Result<(), ParquetError> {
        let columns = std::mem::take(&mut self.columns);
        let threads = threads(std::mem::take(&mut self.rows));
        let mut group = self.file.next_row_group()?;
        for chunk in each(threads, columns, ArrowColumnWriter::close) {
            chunk?.append_to_row_group(&mut group)?;
        }
        group.close().map(drop)
    }

    /// Ends the file and puts it on the disk.
    pub(crate) fn finish(mut self) -> Result<()> {
        if self.rows > 0 {
            self.end_group().format_at("encode", self.path)?;
        }
        file::finish(self.run, self.path, self.file)
    }
}

/// Strings by first use.
#[derive(Default)]
struct Strings<'a> {
    values: Vec<&'a str>,
    index: HashMap<&'a str, i32>,
}

impl<'a> Strings<'a> {
    fn index(&mut self, s: &'a str) -> i32 {
        *self.index.entry(s).or_insert_with(|| {
            self.values.push(s);
            self.values.len() as i32 - 1
        })
    }
}

/// A column whose value changes only between series.
struct RunColumn {
    values: Vec<i32>,
    valid: BooleanBufferBuilder,
}

impl RunColumn {
    fn new(n: usize) -> Self {
        Self { values: Vec::with_capacity(n), valid: BooleanBufferBuilder::new(n) }
    }

    fn push(&mut self, value: Option<i32>, n: usize) {
        self.values.extend(std::iter::repeat_n(value.unwrap_or(0), n));
        self.valid.append_n(n, value.is_some());
    }

    fn finish(mut self) -> Int32Array {
        let nulls = NullBuffer::new(self.valid.finish());
        Int32Array::new(self.values.into(), (nulls.null_count() > 0).then_some(nulls))
    }
}

pub(crate) fn to_batch(rows: Rows, table: &KeyTable) -> Result<RecordBatch, ArrowError> {
    let n = rows.len();
    let (mut metrics, mut models, mut splits) = (Strings::default(), Strings::default(), Strings::default());
    let (mut metric, mut model, mut split, mut trial) =
        (RunColumn::new(n), RunColumn::new(n), RunColumn::new(n), RunColumn::new(n));
    for run in rows.series.chunk_by(|a, b| a == b) {
        let missing = || ArrowError::InvalidArgumentError(format!("series {} has no name", run[0]));
        let key = table.key(run[0]).ok_or_else(missing)?;
        metric.push(Some(metrics.index(&key.metric)), run.len());
        model.push(key.model.as_deref().map(|s| models.index(s)), run.len());
        split.push(key.split.as_deref().map(|s| splits.index(s)), run.len());
        trial.push(key.trial, run.len());
    }
    let strings = |keys: RunColumn, values: Strings<'_>| -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(DictionaryArray::try_new(keys.finish(), Arc::new(StringArray::from(values.values)))?))
    };
    let epoch = if rows.epoch.iter().all(|e| e.is_nan()) {
        Float64Array::new_null(n)
    } else if rows.epoch.iter().any(|e| e.is_nan()) {
        let nulls = rows.epoch.iter().map(|e| !e.is_nan()).collect::<NullBuffer>();
        Float64Array::new(rows.epoch.into(), Some(nulls))
    } else {
        Float64Array::new(rows.epoch.into(), None)
    };
    RecordBatch::try_new(
        SCHEMA.clone(),
        vec![
            Arc::new(Int64Array::new(rows.step.into(), None)),
            Arc::new(epoch),
            Arc::new(TimestampMicrosecondArray::new(rows.time.into(), None).with_timezone("UTC")),
            strings(metric, metrics)?,
            strings(model, models)?,
            strings(split, splits)?,
            Arc::new(trial.finish()),
            Arc::new(Float64Array::new(rows.value.into(), None)),
        ],
    )
}
