//! Journal segments: Arrow IPC streams of numbered rows.
//!
//! A segment is written in whole messages. A kill may cut its tail anywhere; the messages before the cut are read. Each
//! batch carries a checksum of its bytes, its index and the segment's number. A complete message with a wrong checksum
//! is damage, and nothing after it is used.
//! Times increase from one batch to the next, so a reader that knows the time of its last row knows which rows are new.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType, UInt32Type};
use arrow_array::{Array as _, PrimitiveArray, RecordBatch};
use arrow_buffer::{Buffer, ToByteSlice as _};
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::StreamWriter;
use arrow_ipc::{
    FieldNode, KeyValueBuilder, Message, MessageBuilder, MessageHeader, MetadataVersion, RecordBatchBuilder,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use flatbuffers::FlatBufferBuilder;

use crate::disk::inside;
use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::folder::run_dir::RunDir;
use crate::log::checksum::{BLANK, DIGITS, Sum};
use crate::log::part::segment_name;
use crate::log::rows::Rows;
use crate::sealed::decode::decode;

/// The metadata key of a batch's checksum, and of the kind of checksum in the schema.
const SUM: &str = "gradtop.sum";
/// The kind of checksum.
const KIND: &str = "crc32c";

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let fields = vec![
        Field::new("series", DataType::UInt32, false),
        Field::new("step", DataType::Int64, false),
        Field::new("epoch", DataType::Float64, false),
        Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("value", DataType::Float64, false),
    ];
    let metadata = HashMap::from([
        ("gradtop.schema".to_owned(), crate::schema::SCHEMA.to_string()),
        (SUM.to_owned(), KIND.to_owned()),
    ]);
    std::sync::Arc::new(Schema::new_with_metadata(fields, metadata))
});

/// Maximum number of rows per batch, which bounds a reader's memory.
pub(crate) const BATCH_ROWS: usize = 65_536;

/// The start of every message of an Arrow IPC stream.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// The end of a stream.
const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
/// Alignment of buffers and metadata in bytes.
const ALIGNMENT: usize = 64;
/// Maximum size of a message's metadata and body in bytes; actual sizes are about 500 bytes and 2.4 MB.
const MAX_META: u64 = 1 << 20;
const MAX_BODY: u64 = 64 << 20;

/// Writes a segment.
pub(crate) struct JournalWriter {
    path: PathBuf,
    segment: u32,
    file: File,
    /// Encoded bytes that are not yet in the file.
    pending: Vec<u8>,
    /// Number of batches encoded so far.
    batches: u32,
    /// Length of the file after the last complete write.
    written: u64,
}

fn is_empty(run: &RunDir, path: &Path) -> bool {
    inside::entry(run, path).is_ok_and(|entry| entry.kind == inside::Kind::File && entry.len == 0)
}

impl JournalWriter {
    pub(crate) fn create(run: &RunDir, segment: u32) -> Result<Self> {
        let path = run.journal().join(segment_name(segment));
        let file = match inside::create_new(run, &path) {
            // Created by an earlier attempt whose result was lost: this process holds the lock, so nobody else made it.
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && is_empty(run, &path) => {
                inside::remove_file(run, &path).at("remove", &path)?;
                inside::create_new(run, &path)
            }
            made => made,
        };
        let file = file.at("create", &path)?;
        let mut schema = StreamWriter::try_new(Vec::new(), &SCHEMA).format_at("encode", &path)?;
        let pending = std::mem::take(schema.get_mut());
        Ok(Self { path, segment, file, pending, batches: 0, written: 0 })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Encodes a range of rows; [`Self::flush`] writes them to the file.
    pub(crate) fn append(&mut self, rows: &Rows, some: Range<usize>) {
        let mut start = some.start;
        while start < some.end {
            let range = start..some.end.min(start + BATCH_ROWS);
            let start_of_batch = place(self.segment, self.batches);
            encode_batch(rows, range.clone(), start_of_batch, &mut self.pending);
            self.batches += 1;
            start = range.end;
        }
    }

    /// Writes what is encoded. After an error the file is cut back to complete messages, and the next call tries again.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if let Err(e) = self.file.write_all_at(&self.pending, self.written) {
            // If this fails too, readers stop at the torn message.
            self.file.set_len(self.written).ok();
            return Err(e).at("write", &self.path);
        }
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Marks the end of the segment; nothing may be appended any more.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.flush()?;
        // Not through the stream writer, which could not try again.
        if let Err(e) = self.file.write_all_at(&END, self.written) {
            self.file.set_len(self.written).ok();
            return Err(e).at("write", &self.path);
        }
        Ok(())
    }
}

/// Starts the checksum of a batch with its position, so that a batch in the wrong place is detected.
fn place(segment: u32, batch: u32) -> Sum {
    Sum::of(&segment.to_le_bytes()).and(&batch.to_le_bytes())
}

/// Appends a record batch message: metadata with the checksum, and the five columns.
fn encode_batch(rows: &Rows, range: Range<usize>, sum: Sum, out: &mut Vec<u8>) {
    let columns: [&[u8]; 5] = [
        rows.series[range.clone()].to_byte_slice(),
        rows.step[range.clone()].to_byte_slice(),
        rows.epoch[range.clone()].to_byte_slice(),
        rows.time[range.clone()].to_byte_slice(),
        rows.value[range.clone()].to_byte_slice(),
    ];
    let start = out.len();
    let meta_len = describe_batch(range.len() as i64, &columns, out);
    let body = out.len();
    for column in columns {
        out.extend_from_slice(column);
        out.resize(body + (out.len() - body).next_multiple_of(ALIGNMENT), 0);
    }
    let message = &out[start + 8..];
    let digits = arrow_ipc::root_as_message(&message[..meta_len]).ok().and_then(|m| digits(message, &m));
    if let Some(digits) = digits {
        let sum = sum.around(message, digits).digits();
        let digits = start + 8 + digits;
        out[digits..digits + DIGITS].copy_from_slice(sum.as_bytes());
    }
}

/// Appends the start of a batch's message with a blank checksum. Returns the length of the metadata.
fn describe_batch(rows: i64, columns: &[&[u8]], out: &mut Vec<u8>) -> usize {
    let mut b = FlatBufferBuilder::with_capacity(1024);
    let (key, value) = (b.create_string(SUM), b.create_string(BLANK));
    let mut sum = KeyValueBuilder::new(&mut b);
    sum.add_key(key);
    sum.add_value(value);
    let sum = sum.finish();
    let custom = b.create_vector(&[sum]);
    let nodes = b.create_vector(&vec![FieldNode::new(rows, 0); columns.len()]);
    let mut buffers = Vec::with_capacity(2 * columns.len());
    let mut end = 0;
    for column in columns {
        // No value is null, so the validity bitmap is empty.
        buffers.push(arrow_ipc::Buffer::new(end, 0));
        buffers.push(arrow_ipc::Buffer::new(end, column.len() as i64));
        end += column.len().next_multiple_of(ALIGNMENT) as i64;
    }
    let buffers = b.create_vector(&buffers);
    let mut batch = RecordBatchBuilder::new(&mut b);
    batch.add_length(rows);
    batch.add_nodes(nodes);
    batch.add_buffers(buffers);
    let batch = batch.finish();
    let mut message = MessageBuilder::new(&mut b);
    message.add_version(MetadataVersion::V5);
    message.add_header_type(MessageHeader::RecordBatch);
    message.add_header(batch.as_union_value());
    message.add_bodyLength(end);
    message.add_custom_metadata(custom);
    let message = message.finish();
    b.finish(message, None);
    let meta = b.finished_data();
    let len = (8 + meta.len()).next_multiple_of(ALIGNMENT) - 8;
    out.extend(CONTINUATION);
    out.extend((len as u32).to_le_bytes());
    out.extend_from_slice(meta);
    out.resize(out.len() + len - meta.len(), 0);
    len
}

/// Returns the position of the checksum's digits, relative to the metadata.
fn digits(bytes: &[u8], message: &Message<'_>) -> Option<usize> {
    let sum = message.custom_metadata()?.iter().find(|kv| kv.key() == Some(SUM))?.value()?;
    (sum.len() == DIGITS).then(|| sum.as_ptr().addr() - bytes.as_ptr().addr())
}

/// Syncs a segment to the disk. Not an error if it was sealed in the meantime.
pub(crate) fn sync(run: &RunDir, path: &Path) -> Result<()> {
    let file = inside::if_there(inside::open(run, path)).at("open", path)?;
    file.map_or(Ok(()), |file| file.sync_all().at("sync", path))
}

/// Reads the complete messages of a segment, and continues once it has grown.
#[derive(Debug)]
pub(crate) struct JournalReader {
    path: PathBuf,
    segment: u32,
    file: File,
    decoder: StreamDecoder,
    /// End of the last complete message read.
    offset: u64,
    /// Number of batches read so far.
    batches: u32,
    /// Whether the schema says that each batch has a checksum.
    summed: bool,
    /// Time of the last row.
    last_time: i64,
    /// Why the following bytes cannot be used.
    wrong: Option<String>,
    ended: bool,
}

/// The bytes of a message, without the eight of its length.
struct Bytes {
    bytes: Vec<u8>,
    meta_len: usize,
}

impl JournalReader {
    pub(crate) fn open(run: &RunDir, segment: u32) -> Result<Self> {
        let path = run.journal().join(segment_name(segment));
        let file = inside::open(run, &path).at("open", &path)?;
        Ok(Self {
            path,
            segment,
            file,
            decoder: StreamDecoder::new(),
            offset: 0,
            batches: 0,
            summed: false,
            last_time: i64::MIN,
            wrong: None,
            ended: false,
        })
    }

    /// Returns how far the segment has been read, in bytes.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns whether all batches read have checksums.
    pub(crate) fn signed(&self) -> bool {
        self.summed || self.batches == 0
    }

    /// Returns whether the end of the segment was read.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Returns the current number of bytes after the last complete message.
    pub(crate) fn torn_bytes(&self) -> Result<u64> {
        let len = self.file.metadata().at("read", &self.path)?.len();
        Ok(if self.ended { 0 } else { len.saturating_sub(self.offset) })
    }

    /// Reads the next complete batch, or `None` if there is none yet. `known` returns the number of series known
    /// by now, given how many the batch needs. After [`StoreError::Damaged`] nothing more is read; batches returned before
    /// remain valid.
    pub(crate) fn next(&mut self, known: impl FnOnce(usize) -> Result<usize>) -> Result<Option<Rows>> {
        if let Some(wrong) = &self.wrong {
            return Err(self.damaged(wrong));
        }
        while !self.ended {
            let Some(Bytes { bytes, meta_len }) = self.next_message()? else { return Ok(None) };
            self.check_message(&bytes, meta_len)?;
            let len = 8 + bytes.len() as u64;
            let head = [CONTINUATION, (meta_len as u32).to_le_bytes()].concat();
            let decoder = &mut self.decoder;
            let decoded = decode(&self.path, || {
                decoder.decode(&mut Buffer::from(head))?;
                decoder.decode(&mut Buffer::from(bytes))
            });
            let Ok(batch) = decoded else {
                return Err(self.stop("a message is invalid"));
            };
            let Some(batch) = batch else {
                self.offset += len;
                continue;
            };
            let Some(mut rows) = columns(&batch) else {
                return Err(self.stop("a batch has the wrong columns"));
            };
            let wanted = rows.series.iter().max().map_or(0, |last| *last as usize + 1);
            self.check_rows(&mut rows, known(wanted)?);
            if let (true, Some(wrong)) = (rows.is_empty(), &self.wrong) {
                return Err(self.damaged(wrong));
            }
            self.last_time = rows.time.last().copied().unwrap_or(self.last_time);
            self.offset += len;
            self.batches += 1;
            return Ok(Some(rows));
        }
        Ok(None)
    }

    /// Checks a message: a known schema, or a batch with a matching checksum. Batches of older versions have none.
    fn check_message(&mut self, bytes: &[u8], meta_len: usize) -> Result<()> {
        let Ok(message) = arrow_ipc::root_as_message(&bytes[..meta_len]) else { return Ok(()) };
        if let Some(schema) = message.header_as_schema() {
            let key = |key| schema.custom_metadata()?.iter().find(|kv| kv.key() == Some(key))?.value();
            self.summed = key(SUM) == Some(KIND);
            let found = key("gradtop.schema").and_then(|s| s.parse().ok()).unwrap_or(0);
            return crate::folder::manifest::check_schema(found, &self.path);
        }
        let Some(digits) = digits(bytes, &message) else {
            let missing = self.summed && message.header_type() == MessageHeader::RecordBatch;
            return if missing { Err(self.damaged("a batch has no checksum")) } else { Ok(()) };
        };
        let sum = place(self.segment, self.batches).around(bytes, digits).digits();
        if bytes[digits..digits + DIGITS] == *sum.as_bytes() {
            Ok(())
        } else {
            Err(self.damaged("the checksum of a batch does not match"))
        }
    }

    /// Truncates the batch before the first invalid row and remembers what is wrong with it.
    fn check_rows(&mut self, rows: &mut Rows, series: usize) {
        let series = series.min(crate::schema::MAX_SERIES) as u32;
        let wrong = rows.series.iter().position(|s| *s >= series);
        if let Some(at) = wrong {
            self.wrong = Some(format!("a row of series {}, which has no name", rows.series[at]));
            rows.truncate(at);
        }
        let mut last = self.last_time;
        let back = rows.time.iter().position(|t| std::mem::replace(&mut last, *t) > *t);
        if let Some(at) = back {
            self.wrong = Some("the time of a row is before that of the last one".to_owned());
            rows.truncate(at);
        }
    }

    /// Reads the next message if it is complete.
    fn next_message(&mut self) -> Result<Option<Bytes>> {
        let len = self.file.metadata().at("read", &self.path)?.len();
        let left = len.saturating_sub(self.offset);
        if left < 8 {
            return Ok(None);
        }
        let mut head = [0; 8];
        self.file.read_exact_at(&mut head, self.offset).at("read", &self.path)?;
        let [mark @ .., a, b, c, d] = head;
        let meta_len = u64::from(u32::from_le_bytes([a, b, c, d]));
        let left = left - 8;
        if mark != CONTINUATION || meta_len > MAX_META {
            return Err(self.damaged("no message begins where one should"));
        }
        if meta_len == 0 {
            if left > 0 {
                return Err(self.damaged("there is data after its end"));
            }
            self.ended = true;
            self.offset += 8;
            return Ok(None);
        }
        let mut bytes = vec![0; meta_len.min(left) as usize];
        self.file.read_exact_at(&mut bytes, self.offset + 8).at("read", &self.path)?;
        let message = arrow_ipc::root_as_message(&bytes);
        if meta_len > left {
            // Cut off by a kill, unless everything but padding is there and only the length is wrong.
            let whole = message.is_ok() && meta_len - left >= ALIGNMENT as u64;
            return if whole { Err(self.damaged("a message has a wrong length")) } else { Ok(None) };
        }
        let body_len = message.ok().and_then(|m| body_len(&m));
        let Some(body_len) = body_len else {
            return Err(self.damaged("a message is invalid"));
        };
        if body_len > left - meta_len {
            return Ok(None);
        }
        bytes.resize((meta_len + body_len) as usize, 0);
        self.file
            .read_exact_at(&mut bytes[meta_len as usize..], self.offset + 8 + meta_len)
            .at("read", &self.path)?;
        Ok(Some(Bytes { bytes, meta_len: meta_len as usize }))
    }

    /// Stops reading for good.
    fn stop(&mut self, wrong: &str) -> StoreError {
        self.wrong = Some(wrong.to_owned());
        self.damaged(wrong)
    }

    fn damaged(&self, wrong: &str) -> StoreError {
        let message = format!("{wrong} (at byte {}); the rows before it are intact", self.offset);
        StoreError::Damaged { path: self.path.clone(), message }
    }
}

/// Returns the length of a message's body, if it matches its buffers.
fn body_len(message: &Message<'_>) -> Option<u64> {
    let len = u64::try_from(message.bodyLength()).ok().filter(|len| *len <= MAX_BODY)?;
    let Some(batch) = message.header_as_record_batch() else { return Some(len) };
    let mut end = 0;
    for buffer in batch.buffers()? {
        let (offset, len) = (u64::try_from(buffer.offset()).ok()?, u64::try_from(buffer.length()).ok()?);
        end = end.max(offset.checked_add(len)?);
    }
    let plain = batch.nodes()?.iter().all(|n| n.length() == batch.length() && n.null_count() == 0);
    (plain && end <= len && len - end < ALIGNMENT as u64).then_some(len)
}

fn columns(batch: &RecordBatch) -> Option<Rows> {
    fn column<T: arrow_array::types::ArrowPrimitiveType>(
        batch: &RecordBatch,
        i: usize,
    ) -> Option<&PrimitiveArray<T>> {
        batch.columns().get(i)?.as_primitive_opt::<T>().filter(|c| c.null_count() == 0)
    }
    Some(Rows {
        series: column::<UInt32Type>(batch, 0)?.values().to_vec(),
        step: column::<Int64Type>(batch, 1)?.values().to_vec(),
        epoch: column::<Float64Type>(batch, 2)?.values().to_vec(),
        time: column::<TimestampMicrosecondType>(batch, 3)?.values().to_vec(),
        value: column::<Float64Type>(batch, 4)?.values().to_vec(),
    })
}
