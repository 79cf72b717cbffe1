//! Journal segments: Arrow IPC streams of numbered rows.
//!
//! A segment is written in whole messages; its tail may be cut anywhere by a kill, and what is whole before the cut is read.
//! Between two batches the time grows, so that a reader that knows the time of its last row knows which rows are new.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType, UInt32Type};
use arrow_array::{
    ArrayRef, Float64Array, Int64Array, PrimitiveArray, RecordBatch, TimestampMicrosecondArray, UInt32Array,
};
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::inside;
use crate::rows::Rows;
use crate::run_dir::RunDir;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let fields = vec![
        Field::new("series", DataType::UInt32, false),
        Field::new("step", DataType::Int64, false),
        Field::new("epoch", DataType::Float64, false),
        Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("value", DataType::Float64, false),
    ];
    let metadata = HashMap::from([("gradtop.schema".to_owned(), crate::SCHEMA.to_string())]);
    Arc::new(Schema::new_with_metadata(fields, metadata))
});

/// Rows of a batch at most, so that a reader's memory stays small.
pub(crate) const BATCH_ROWS: usize = 65_536;

/// Writes one segment.
pub(crate) struct JournalWriter {
    path: PathBuf,
    file: File,
    /// Encodes into memory; what the file has taken is removed from there.
    stream: StreamWriter<Vec<u8>>,
    /// Length of the file up to the last whole write.
    written: u64,
}

impl JournalWriter {
    pub(crate) fn create(run: &RunDir, path: PathBuf) -> Result<Self> {
        let file = inside::create_new(run, &path).at("create", &path)?;
        let stream = StreamWriter::try_new(Vec::new(), &SCHEMA).format_at("encode", &path)?;
        Ok(Self { path, file, stream, written: 0 })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Encodes some of the rows; [`Self::flush`] brings them to the file.
    pub(crate) fn append(&mut self, rows: &Rows, some: Range<usize>) -> Result<()> {
        let mut start = some.start;
        while start < some.end {
            let range = start..some.end.min(start + BATCH_ROWS);
            let columns: Vec<ArrayRef> = vec![
                Arc::new(UInt32Array::new(Buffer::from_slice_ref(&rows.series[range.clone()]).into(), None)),
                Arc::new(Int64Array::new(Buffer::from_slice_ref(&rows.step[range.clone()]).into(), None)),
                Arc::new(Float64Array::new(Buffer::from_slice_ref(&rows.epoch[range.clone()]).into(), None)),
                Arc::new(
                    TimestampMicrosecondArray::new(
                        Buffer::from_slice_ref(&rows.time[range.clone()]).into(),
                        None,
                    )
                    .with_timezone("UTC"),
                ),
                Arc::new(Float64Array::new(Buffer::from_slice_ref(&rows.value[range.clone()]).into(), None)),
            ];
            let batch = RecordBatch::try_new(SCHEMA.clone(), columns).format_at("encode", &self.path)?;
            self.stream.write(&batch).format_at("encode", &self.path)?;
            start = range.end;
        }
        Ok(())
    }

    /// Writes what is encoded. After an error the file is cut back to whole messages and the next call tries again.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let bytes = self.stream.get_ref();
        if let Err(e) = self.file.write_all_at(bytes, self.written) {
            // If this fails too, readers stop at the torn message.
            self.file.set_len(self.written).ok();
            return Err(e).at("write", &self.path);
        }
        self.written += bytes.len() as u64;
        self.stream.get_mut().clear();
        Ok(())
    }

    /// Marks the end of the segment; nothing may be appended any more.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.flush()?;
        // Not by the stream, which could not be asked again.
        if let Err(e) = self.file.write_all_at(&END, self.written) {
            self.file.set_len(self.written).ok();
            return Err(e).at("write", &self.path);
        }
        Ok(())
    }
}

/// Puts a segment on the disk; no error if it was sealed meanwhile.
pub(crate) fn sync(run: &RunDir, path: &Path) -> Result<()> {
    match inside::open(run, path) {
        Ok(file) => file.sync_all().at("sync", path),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e).at("open", path),
    }
}

/// Reads one segment as far as it is whole, and further once it has grown.
#[derive(Debug)]
pub(crate) struct JournalReader {
    path: PathBuf,
    file: File,
    decoder: StreamDecoder,
    /// End of the last whole message read.
    offset: u64,
    ended: bool,
}

/// Start of every message of an Arrow IPC stream, and its end marker.
const CONTINUATION: [u8; 4] = [0xff; 4];
const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

impl JournalReader {
    pub(crate) fn open(run: &RunDir, path: &Path) -> Result<Self> {
        let file = inside::open(run, path).at("open", path)?;
        Ok(Self { path: path.to_owned(), file, decoder: StreamDecoder::new(), offset: 0, ended: false })
    }

    /// How far it has been read, in bytes.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the segment's end was read.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Bytes after the last whole message, as of now.
    pub(crate) fn torn_bytes(&self) -> Result<u64> {
        let len = self.file.metadata().at("read", &self.path)?.len();
        Ok(if self.ended { 0 } else { len.saturating_sub(self.offset) })
    }

    /// The next whole batch; `None`: not yet.
    pub(crate) fn next(&mut self) -> Result<Option<Rows>> {
        while !self.ended {
            let Some(message) = self.next_message()? else { return Ok(None) };
            let len = message.len() as u64;
            let mut buffer = Buffer::from(message);
            // A message that does not decode was torn by a power cut: what comes after it is not known.
            let Ok(batch) = self.decoder.decode(&mut buffer) else { return Ok(None) };
            self.offset += len;
            if let Some(batch) = batch {
                return decode(&batch).map(Some).ok_or_else(|| self.damaged("a batch has other columns"));
            }
            if let Some(schema) = self.decoder.schema() {
                let found = schema.metadata().get("gradtop.schema").and_then(|s| s.parse().ok()).unwrap_or(0);
                crate::manifest::check_schema(found, &self.path)?;
            }
        }
        Ok(None)
    }

    /// The bytes of the next message, if they are all there.
    fn next_message(&mut self) -> Result<Option<Vec<u8>>> {
        let len = self.file.metadata().at("read", &self.path)?.len();
        let left = len.saturating_sub(self.offset);
        if left < 8 {
            return Ok(None);
        }
        let mut head = [0; 8];
        self.file.read_exact_at(&mut head, self.offset).at("read", &self.path)?;
        let [mark @ .., a, b, c, d] = head;
        let meta_len = u64::from(u32::from_le_bytes([a, b, c, d]));
        if mark != CONTINUATION || meta_len > left - 8 {
            return Ok(None);
        }
        if meta_len == 0 {
            self.ended = true;
            self.offset += 8;
            return Ok(None);
        }
        let mut meta = vec![0; meta_len as usize];
        self.file.read_exact_at(&mut meta, self.offset + 8).at("read", &self.path)?;
        let Ok(message) = arrow_ipc::root_as_message(&meta) else { return Ok(None) };
        let Ok(body_len) = u64::try_from(message.bodyLength()) else { return Ok(None) };
        if body_len > left - 8 - meta_len {
            return Ok(None);
        }
        let mut bytes = vec![0; (8 + meta_len + body_len) as usize];
        self.file.read_exact_at(&mut bytes, self.offset).at("read", &self.path)?;
        Ok(Some(bytes))
    }

    fn damaged(&self, message: &str) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), message: message.to_owned() }
    }
}

fn decode(batch: &RecordBatch) -> Option<Rows> {
    fn column<T: arrow_array::types::ArrowPrimitiveType>(
        batch: &RecordBatch,
        i: usize,
    ) -> Option<&PrimitiveArray<T>> {
        batch.columns().get(i)?.as_primitive_opt::<T>()
    }
    Some(Rows {
        series: column::<UInt32Type>(batch, 0)?.values().to_vec(),
        step: column::<Int64Type>(batch, 1)?.values().to_vec(),
        epoch: column::<Float64Type>(batch, 2)?.values().to_vec(),
        time: column::<TimestampMicrosecondType>(batch, 3)?.values().to_vec(),
        value: column::<Float64Type>(batch, 4)?.values().to_vec(),
    })
}
