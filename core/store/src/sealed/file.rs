//! Sealed files: Parquet with checksums.
//!
//! Two metadata keys hold the checksums: one per row group, and one for the tail, which is everything after the last
//! row group. The tail is verified when a file is opened, a row group when its first byte is read. Files of older
//! versions have no checksums; the lengths and offsets in them are checked against the size of the file.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use arrow_array::RecordBatch;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    KeyValue, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::writer::SerializedFileWriter;

use crate::disk::inside;
use crate::disk::temporary::tmp_beside;
use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::folder::run_dir::RunDir;
use crate::log::checksum::{BLANK, DIGITS, Sum};
use crate::sealed::decode::decode;
use crate::sealed::thrift::struct_len;
use crate::stages::stage;

/// The checksums of the row groups, each followed by a space. A row group begins where the previous one ends, the first
/// one at the start of the file.
const GROUPS: &str = "gradtop.sum.groups";
/// The checksum of the tail and its offset.
const TAIL: &str = "gradtop.sum.tail";
/// The kind of checksum, which precedes the digits.
const KIND: &str = "crc32c ";
/// Number of hexadecimal digits of the tail's offset.
const PLACE: usize = 16;

/// Maximum size of a footer in bytes. That of a table with a thousand columns is 1 MB.
const MAX_FOOTER: u64 = 64 << 20;
/// Maximum number of rows of a file.
const MAX_ROWS: u64 = 1 << 40;
/// Number of bytes read at a time to compute a checksum.
const CHUNK: u64 = 256 << 10;

/// Creates a file for a writer.
pub(crate) fn create(run: &RunDir, path: &Path) -> Result<File> {
    inside::create_new(run, path).at("create", path)
}

/// Completes a file, signs it and syncs it to the disk.
pub(crate) fn finish(run: &RunDir, path: &Path, mut writer: SerializedFileWriter<File>) -> Result<()> {
    writer.flush().at("write", path)?;
    let (mut sums, mut start) = (String::new(), 0);
    for group in writer.flushed_row_groups() {
        let end = end_of(group).unwrap_or(start);
        sums.push_str(&sum_of(writer.inner(), Sum::default(), start..end).at("read", path)?.digits());
        sums.push(' ');
        start = end;
    }
    writer.append_key_value_metadata(KeyValue::new(GROUPS.to_owned(), sums));
    writer.append_key_value_metadata(KeyValue::new(TAIL.to_owned(), format!("{KIND}{BLANK} {start:016x}")));
    writer.finish().format_at("write", path)?;
    let file = writer.inner();
    let tail = read_range(file, start..file.metadata().at("read", path)?.len()).at("read", path)?;
    if let Some(tail_sum) = TailSum::find(&tail) {
        let digits = Sum::default().around(&tail, tail_sum.digits).digits();
        file.write_all_at(digits.as_bytes(), start + tail_sum.digits as u64).at("write", path)?;
    }
    inside::sync_file(run, file).at("sync", path)
}

/// Creates a file with `write` under a temporary name, then renames it. Crash tests stop at both stages.
pub(crate) fn put(
    run: &RunDir,
    path: &Path,
    [written, renamed]: [&'static str; 2],
    write: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let (tmp, dir) = (tmp_beside(path), path.parent().unwrap_or(path));
    let made = write(&tmp);
    stage(written);
    if let Err(e) = made.and_then(|()| inside::rename(run, &tmp, path).at("rename", &tmp)) {
        inside::remove_file(run, &tmp).ok();
        return Err(e);
    }
    stage(renamed);
    inside::sync_dir(run, dir).at("sync", dir)
}

/// Returns the end offset of a row group.
fn end_of(group: &RowGroupMetaData) -> Option<u64> {
    group.columns().iter().try_fold(0, |end, column| {
        let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        Some(end.max(bytes_of((start, column.compressed_size()))?.end))
    })
}

/// The checksum of the tail, as recorded in the tail.
struct TailSum {
    /// Offset of its digits in the bytes it was found in.
    digits: usize,
    /// Offset of the tail in the file.
    start: u64,
}

impl TailSum {
    /// Finds the last one in some bytes; names of columns and series may precede it.
    fn find(bytes: &[u8]) -> Option<Self> {
        let key = bytes.windows(TAIL.len()).rposition(|w| w == TAIL.as_bytes())? + TAIL.len();
        // A type byte and a length byte separate key and value.
        let value = bytes.get(key + 2..key + 2 + KIND.len() + DIGITS + 1 + PLACE)?;
        let place = value.strip_prefix(KIND.as_bytes())?.get(DIGITS + 1..)?;
        let start = u64::from_str_radix(std::str::from_utf8(place).ok()?, 16).ok()?;
        Some(Self { digits: key + 2 + KIND.len(), start })
    }
}

/// An open file with a verified tail.
#[derive(Clone)]
pub(crate) struct Sealed {
    source: Source,
    metadata: ArrowReaderMetadata,
}

impl Sealed {
    pub(crate) fn open(run: &RunDir, path: &Path) -> Result<Self> {
        Self::of(inside::open(run, path).at("open", path)?, path)
    }

    /// Opens and verifies a file that has already been opened for reading.
    pub(crate) fn of(file: File, path: &Path) -> Result<Self> {
        let damaged =
            |message: &str| StoreError::Damaged { path: path.to_owned(), message: message.to_owned() };
        let len = file.metadata().at("read", path)?.len();
        let read = |range: Range<u64>| read_range(&file, range).at("read", path);
        if len < 12 {
            return Err(damaged("it is too short"));
        }
        let end = read(len - 8..len)?;
        let footer_len = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
        if end[4..] != *b"PAR1" || footer_len > len - 8 || footer_len > MAX_FOOTER {
            return Err(damaged("it does not end like a Parquet file"));
        }
        let footer_start = len - 8 - footer_len;
        let footer = read(footer_start..len)?;
        let tail_sum = TailSum::find(&footer);
        if let Some(sum) = &tail_sum {
            if sum.start > footer_start {
                return Err(damaged("its tail begins in its footer"));
            }
            let before = sum_of(&file, Sum::default(), sum.start..footer_start).at("read", path)?;
            let found = before.around(&footer, sum.digits).digits();
            if footer[sum.digits..sum.digits + DIGITS] != *found.as_bytes() {
                return Err(damaged("the checksum of its tail does not match"));
            }
        }
        let footer = &footer[..footer_len as usize];
        struct_len(footer).ok_or_else(|| damaged("its footer is invalid"))?;
        let metadata = decode(path, || ParquetMetaDataReader::decode_metadata(footer))?;
        let indexed =
            fits(&metadata, &file, len).ok_or_else(|| damaged("its footer does not fit the file"))?;
        let groups = match tail_sum {
            Some(_) => groups(&metadata).ok_or_else(|| damaged("a row group has no checksum"))?,
            None => Vec::new(),
        };
        let signed = tail_sum.is_some();
        let inner = Inner { path: path.to_owned(), file, len, signed, groups, wrong: OnceLock::new() };
        let source = Source(Arc::new(inner));
        let metadata = decode(path, || {
            let policy = if indexed { PageIndexPolicy::Optional } else { PageIndexPolicy::Skip };
            let mut reader =
                ParquetMetaDataReader::new_with_metadata(metadata).with_page_index_policy(policy);
            reader.read_page_indexes(&source)?;
            ArrowReaderMetadata::try_new(Arc::new(reader.finish()?), ArrowReaderOptions::new())
        })?;
        let key_values = metadata.metadata().file_metadata().key_value_metadata();
        let found = key_values
            .and_then(|kv| kv.iter().find(|kv| kv.key == "gradtop.schema")?.value.as_ref()?.parse().ok())
            .unwrap_or(0);
        crate::folder::manifest::check_schema(found, path)?;
        Ok(Self { source, metadata })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.source.0.path
    }

    /// Returns whether it has checksums.
    pub(crate) fn signed(&self) -> bool {
        self.source.0.signed
    }

    /// Returns the size in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.source.0.len
    }

    pub(crate) fn rows(&self) -> usize {
        self.metadata().file_metadata().num_rows() as usize
    }

    pub(crate) fn metadata(&self) -> &ParquetMetaData {
        self.metadata.metadata()
    }

    pub(crate) fn schema(&self) -> &arrow_schema::SchemaRef {
        self.metadata.schema()
    }

    /// Reads it with another schema, which differs only in how text is represented in memory.
    pub(crate) fn read_as(&self, schema: arrow_schema::SchemaRef) -> Result<Self> {
        let options = ArrowReaderOptions::new().with_schema(schema);
        let metadata =
            decode(self.path(), || ArrowReaderMetadata::try_new(self.metadata.metadata().clone(), options))?;
        Ok(Self { source: self.source.clone(), metadata })
    }

    /// Verifies every row group.
    pub(crate) fn verify(&self) -> Result<()> {
        let groups = 0..self.source.0.groups.len();
        let verified = groups.into_iter().try_for_each(|group| self.source.verify(group));
        self.source.damage().map_or_else(|| verified.at("read", self.path()), Err)
    }

    /// Reads the row groups, columns and rows that `choose` selects.
    pub(crate) fn read(&self, choose: impl FnOnce(Builder) -> Builder) -> Result<Batches> {
        let builder = || Builder::new_with_metadata(self.source.clone(), self.metadata.clone());
        let reader = decode(self.path(), || choose(builder()).build());
        let reader = reader.map_err(|e| self.source.damage().unwrap_or(e))?;
        Ok(Batches { source: self.source.clone(), reader: Some(reader) })
    }
}

/// Selects what to read of a file.
pub(crate) type Builder = ParquetRecordBatchReaderBuilder<Source>;

/// The batches of a file. Ends after an error.
pub(crate) struct Batches {
    source: Source,
    reader: Option<ParquetRecordBatchReader>,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = self.reader.as_mut()?;
        match decode(&self.source.0.path, || reader.next().transpose()) {
            Ok(batch) => batch.map(Ok),
            Err(e) => {
                self.reader = None;
                Some(Err(self.source.damage().unwrap_or(e)))
            }
        }
    }
}

/// The bytes of a file. A row group is verified before its first byte is returned.
#[derive(Clone)]
pub(crate) struct Source(Arc<Inner>);

struct Inner {
    path: PathBuf,
    file: File,
    len: u64,
    signed: bool,
    groups: Vec<Group>,
    /// Which part had the first wrong checksum.
    wrong: OnceLock<String>,
}

struct Group {
    bytes: Range<u64>,
    digits: String,
    /// Whether the checksum matches, once verified.
    right: OnceLock<bool>,
}

impl Source {
    fn verify(&self, group: usize) -> io::Result<()> {
        let Group { bytes, digits, right } = &self.0.groups[group];
        let right = if let Some(right) = right.get() {
            *right
        } else {
            let found = sum_of(&self.0.file, Sum::default(), bytes.clone())?.digits() == *digits;
            *right.get_or_init(|| found)
        };
        if right {
            return Ok(());
        }
        let wrong = format!("the checksum of row group {} does not match", group + 1);
        self.0.wrong.set(wrong.clone()).ok();
        Err(io::Error::new(io::ErrorKind::InvalidData, wrong))
    }

    fn damage(&self) -> Option<StoreError> {
        let message = self.0.wrong.get()?.clone();
        Some(StoreError::Damaged { path: self.0.path.clone(), message })
    }

    /// Verifies the row groups that a byte range touches.
    fn check(&self, start: u64, len: u64) -> io::Result<()> {
        if start.checked_add(len).is_none_or(|end| end > self.0.len) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends too early"));
        }
        let touched = |g: &Group| g.bytes.start < start + len && start < g.bytes.end;
        let first = self.0.groups.partition_point(|g| g.bytes.end <= start);
        let groups = self.0.groups[first..].iter().take_while(|g| touched(g)).count();
        (first..first + groups).try_for_each(|group| self.verify(group))
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.0.len
    }
}

impl ChunkReader for Source {
    type T = BufReader<At>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        self.check(start, 1)?;
        Ok(BufReader::new(At { source: self.clone(), place: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.check(start, length as u64)?;
        Ok(read_range(&self.0.file, start..start + length as u64)?.into())
    }
}

/// A reader that starts at an offset.
pub(crate) struct At {
    source: Source,
    place: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.0.file.read_at(buffer, self.place)?;
        self.place += n as u64;
        Ok(n)
    }
}

/// Reads a range that is known to be within the file.
fn read_range(file: &File, range: Range<u64>) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes)
}

fn sum_of(file: &File, sum: Sum, range: Range<u64>) -> io::Result<Sum> {
    let mut sum = sum;
    let mut buffer = vec![0; CHUNK.min(range.end - range.start) as usize];
    let mut at = range.start;
    while at < range.end {
        let n = CHUNK.min(range.end - at);
        file.read_exact_at(&mut buffer[..n as usize], at)?;
        sum = sum.and(&buffer[..n as usize]);
        at += n;
    }
    Ok(sum)
}

/// Returns the row groups with their checksums. `None` if a checksum is missing or the row groups are not contiguous.
fn groups(metadata: &ParquetMetaData) -> Option<Vec<Group>> {
    let key_values = metadata.file_metadata().key_value_metadata()?;
    let sums = key_values.iter().find(|kv| kv.key == GROUPS)?.value.as_deref()?;
    let mut start = 0;
    let mut groups = Vec::with_capacity(metadata.num_row_groups());
    for (group, digits) in metadata.row_groups().iter().zip(sums.split_ascii_whitespace()) {
        let end = end_of(group).filter(|end| *end >= start)?;
        groups.push(Group { bytes: start..end, digits: digits.to_owned(), right: OnceLock::new() });
        start = end;
    }
    (groups.len() == metadata.num_row_groups()).then_some(groups)
}

/// Converts an offset and length read from the file.
fn bytes_of((start, len): (i64, i64)) -> Option<Range<u64>> {
    let (start, len) = (u64::try_from(start).ok()?, u64::try_from(len).ok()?);
    Some(start..start.checked_add(len)?)
}

/// Checks offsets and lengths in the footer. `None` if they exceed the file; `false` if only the page index cannot be used.
fn fits(metadata: &ParquetMetaData, file: &File, len: u64) -> Option<bool> {
    let mut rows = 0;
    let mut indexed = true;
    for group in metadata.row_groups() {
        rows += u64::try_from(group.num_rows()).ok().filter(|n| *n <= MAX_ROWS)?;
        if end_of(group)? > len || rows > MAX_ROWS {
            return None;
        }
        for column in group.columns() {
            let places = [
                (column.column_index_offset(), column.column_index_length()),
                (column.offset_index_offset(), column.offset_index_length()),
            ];
            for (offset, length) in places {
                let Some(place) = offset.zip(length) else { continue };
                let range = bytes_of((place.0, place.1.into())).filter(|r| r.end <= len)?;
                // The index is read again when it is decoded, but is cached then.
                indexed &= read_range(file, range).is_ok_and(|bytes| struct_len(&bytes).is_some());
            }
        }
    }
    (u64::try_from(metadata.file_metadata().num_rows()) == Ok(rows)).then_some(indexed)
}
