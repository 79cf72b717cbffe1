//! A growing file, read through a bounded buffer.

use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{At as _, ImportError, Result};

/// Number of bytes read at a time.
const CHUNK: usize = 256 << 10;
/// Maximum size of a piece of a file in memory.
pub(crate) const LIMIT: usize = 16 << 20;

/// Maximum length of a line.
const LINE: usize = 1 << 20;

/// Number of bytes before the current position that identify the file.
const KNOWN: usize = 64;
/// Size of a mark: one at the file's start, then each about twice as far.
const MARK: usize = 1 << 10;

/// What is said of a last line that was not read.
pub(crate) const INCOMPLETE: &str = "the last line is left out: without a line break, it may be incomplete";

/// A file that has not changed for this time counts as complete.
const QUIET: Duration = Duration::from_mins(1);

/// A file and the reading position.
#[derive(Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    file: File,
    inode: u64,
    /// The buffer's position in the file.
    offset: u64,
    buffer: Vec<u8>,
    /// Number of bytes of the buffer that have been used; the last of them are kept.
    used: usize,
    /// Marks of used content, in order.
    marks: Vec<Mark>,
}

/// A hash of a part of a file, to detect whether it has changed.
#[derive(Debug)]
struct Mark {
    start: u64,
    len: usize,
    sum: u32,
}

/// Opens a regular file; anything else is refused without blocking.
pub(crate) fn open(path: &Path) -> Result<File> {
    let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = File::options().read(true).custom_flags(nonblock).open(path).at("open", path)?;
    if !file.metadata().at("read", path)?.is_file() {
        return Err(ImportError::Nothing { path: path.to_owned(), why: "it is not a file".to_owned() });
    }
    Ok(file)
}

impl Tail {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = open(path)?;
        let inode = file.metadata().at("read", path)?.ino();
        Ok(Self {
            path: path.to_owned(),
            file,
            inode,
            offset: 0,
            buffer: Vec::new(),
            used: 0,
            marks: Vec::new(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the position of the next unused byte.
    pub(crate) fn position(&self) -> u64 {
        self.offset + self.used as u64
    }

    /// Returns the length of the first line, as found by `end`; `None` while there is no complete line.
    pub(crate) fn line(&mut self, end: impl Fn(&[u8]) -> Option<usize>) -> Result<Option<usize>> {
        loop {
            match end(self.bytes()) {
                Some(end) => return Ok(Some(end)),
                None if self.bytes().len() > LINE => {
                    return Err(self.damaged(self.position(), "a line is longer than a megabyte"));
                }
                None if self.more()? => {}
                None => return Ok(None),
            }
        }
    }

    /// Skips the first line, whose end is found by `end`, or with `unfinished` an incomplete one. Returns `false` if
    /// there is none.
    pub(crate) fn skip_line(
        &mut self,
        end: impl Fn(&[u8]) -> Option<usize>,
        unfinished: bool,
    ) -> Result<bool> {
        let rest = match self.line(end)? {
            Some(end) => end + 1,
            None if unfinished => self.bytes().len(),
            None => 0,
        };
        self.consume(rest);
        Ok(rest > 0)
    }

    /// Returns the bytes that have been read but not used.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.used..]
    }

    /// Reads until there are `want` unused bytes, at most [`LIMIT`]; returns `false` if the file does not have them yet.
    pub(crate) fn fill(&mut self, want: usize) -> Result<bool> {
        while self.bytes().len() < want {
            if !self.more()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads another chunk; returns `false` if there is none yet.
    pub(crate) fn more(&mut self) -> Result<bool> {
        self.drop_used();
        Ok(self.read_on()? || self.renew()? == Some(true) && self.read_on()?)
    }

    fn read_on(&mut self) -> Result<bool> {
        let old = self.buffer.len();
        self.buffer.resize(old + CHUNK, 0);
        let read = self.file.read_at(&mut self.buffer[old..], self.offset + old as u64);
        self.buffer.truncate(old + *read.as_ref().unwrap_or(&0));
        Ok(read.at("read", &self.path)? > 0)
    }

    /// Continues with another file that took this one's name and has the same content, as copying tools create for each
    /// state. Returns `true` if it did, `false` if the content differs, and `None` if there is no other file.
    fn renew(&mut self) -> Result<Option<bool>> {
        let now = match std::fs::metadata(&self.path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            now => now.at("read", &self.path)?,
        };
        if now.ino() == self.inode {
            return Ok(None);
        }
        let file = open(&self.path)?;
        let holds = self.is_held_by(&file)?;
        if holds {
            (self.file, self.inode) = (file, now.ino());
        }
        Ok(Some(holds))
    }

    /// Marks bytes as used.
    pub(crate) fn consume(&mut self, n: usize) {
        let end = (self.used + n).min(self.buffer.len());
        while self.used < end {
            self.used += self.mark(end);
        }
    }

    /// Updates the marks with the bytes up to `end`; returns how many were hashed or skipped. The last mark grows until
    /// it is complete.
    fn mark(&mut self, end: usize) -> usize {
        let place = self.position();
        let rest = &self.buffer[self.used..end];
        let Some(last) = self.marks.last_mut().filter(|last| place < 2 * (last.start + MARK as u64)) else {
            self.marks.push(Mark { start: place, len: 0, sum: 0 });
            return 0;
        };
        if last.len < MARK && last.start + last.len as u64 == place {
            let more = &rest[..rest.len().min(MARK - last.len)];
            let mut sum = crc32fast::Hasher::new_with_initial(last.sum);
            sum.update(more);
            (last.sum, last.len) = (sum.finalize(), last.len + more.len());
            return more.len();
        }
        let next = 2 * (last.start + MARK as u64) - place;
        usize::try_from(next).map_or(rest.len(), |next| next.min(rest.len()))
    }

    /// Continues at another position.
    pub(crate) fn seek(&mut self, position: u64) {
        self.buffer.clear();
        (self.offset, self.used) = (position, 0);
    }

    /// Returns the current length of the file.
    pub(crate) fn len(&self) -> Result<u64> {
        Ok(self.file.metadata().at("read", &self.path)?.len())
    }

    /// Returns whether the file of this name no longer has the content that was read, as far as known.
    pub(crate) fn is_replaced(&mut self) -> Result<bool> {
        match self.renew()? {
            Some(holds) => Ok(!holds),
            None => Ok(!self.is_held_by(&self.file)?),
        }
    }

    /// Returns whether a file has the content that was read, as far as known.
    fn is_held_by(&self, file: &File) -> Result<bool> {
        let holds = |place: u64, len: usize, same: &dyn Fn(&[u8]) -> bool| {
            let mut found = vec![0; len];
            match file.read_exact_at(&mut found, place) {
                Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
                read => read.at("read", &self.path).map(|()| same(&found)),
            }
        };
        let from = self.used.saturating_sub(KNOWN);
        let around = &self.buffer[from..self.buffer.len().min(self.used + KNOWN)];
        let len = file.metadata().at("read", &self.path)?.len();
        if len < self.offset + self.buffer.len() as u64
            || !holds(self.offset + from as u64, around.len(), &|found| found == around)?
        {
            return Ok(false);
        }
        for mark in &self.marks {
            if !holds(mark.start, mark.len, &|found| crc32fast::hash(found) == mark.sum)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns how many lines were not read, if any, in a sentence.
    pub(crate) fn unread_end(&self) -> Option<String> {
        let (mut lines, mut is_blank, mut buffer) = (0_u64, true, vec![0; CHUNK]);
        let start = self.position();
        let mut at = start;
        while let Ok(read @ 1..) = self.file.read_at(&mut buffer, at) {
            for byte in &buffer[..read] {
                lines += u64::from(*byte == b'\n' && !is_blank);
                is_blank = *byte == b'\n' || is_blank && byte.is_ascii_whitespace();
            }
            at += read as u64;
        }
        match (lines, is_blank) {
            (0, true) => None,
            (0, false) => Some(INCOMPLETE.to_owned()),
            (1, true) => Some(format!("1 line at byte {start} is left out")),
            _ => Some(format!("{} lines from byte {start} on are left out", lines + u64::from(!is_blank))),
        }
    }

    /// Returns whether nobody has written to the file for a minute.
    pub(crate) fn is_quiet(&self) -> Result<bool> {
        let changed = self.file.metadata().and_then(|m| m.modified()).at("read", &self.path)?;
        Ok(changed.elapsed().is_ok_and(|age| age >= QUIET))
    }

    /// Starts again with the file that has this name now.
    pub(crate) fn reopen(&mut self) -> Result<()> {
        let path = self.path.clone();
        *self = Self::open(&path)?;
        Ok(())
    }

    /// Releases the buffer's memory, for an inactive file.
    pub(crate) fn rest(&mut self) {
        self.drop_used();
        self.buffer.shrink_to_fit();
    }

    fn drop_used(&mut self) {
        let dropped = self.used.saturating_sub(KNOWN);
        self.buffer.drain(..dropped);
        self.offset += dropped as u64;
        self.used -= dropped;
    }

    /// Creates an error at a position of this file.
    pub(crate) fn damaged(&self, offset: u64, what: impl Into<String>) -> ImportError {
        ImportError::Damaged { path: self.path.clone(), offset, what: what.into() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;

    use super::*;

    /// A tail that has read and used a file with these bytes.
    fn read(path: &Path, bytes: &[u8]) -> Tail {
        fs::write(path, bytes).unwrap();
        let mut tail = Tail::open(path).unwrap();
        while tail.more().unwrap() {
            tail.consume(1 << 20);
        }
        assert_eq!(tail.position(), bytes.len() as u64);
        tail
    }

    #[test]
    fn a_file_that_holds_something_else_is_noticed_wherever_that_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let old: Vec<u8> = (0..100_000_u32).flat_map(|n| (n * 7919).to_le_bytes()).collect();
        let mut tail = read(&path, &old);
        // Longer by now, and the same but for one byte.
        let longer = [&old[..], b"more"].concat();
        for at in [0, 700, 1023, 2100, 6500, old.len() - 1] {
            let mut other = longer.clone();
            other[at] ^= 1;
            fs::write(&path, &other).unwrap();
            assert!(tail.is_replaced().unwrap(), "{at}");
        }
        fs::write(&path, &old[..old.len() - 1]).unwrap();
        assert!(tail.is_replaced().unwrap(), "shorter");
        fs::write(&path, &longer).unwrap();
        assert!(!tail.is_replaced().unwrap());
        assert!(tail.more().unwrap());
        assert_eq!(tail.bytes(), b"more");
    }

    #[test]
    fn a_copy_that_takes_the_place_of_a_file_is_read_on() {
        let dir = tempfile::tempdir().unwrap();
        let (path, beside) = (dir.path().join("log"), dir.path().join("beside"));
        let old = b"0123456789".repeat(500);
        let mut tail = read(&path, &old);
        fs::write(&beside, [&old[..], b"more"].concat()).unwrap();
        fs::rename(&beside, &path).unwrap();
        assert!(tail.more().unwrap(), "what is new is in the copy alone");
        assert_eq!(tail.bytes(), b"more");
        fs::write(&beside, b"9".repeat(6000)).unwrap();
        fs::rename(&beside, &path).unwrap();
        assert!(!tail.more().unwrap());
        assert!(tail.is_replaced().unwrap());
    }
}
