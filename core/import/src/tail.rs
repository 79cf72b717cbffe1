//! A file that grows, read through a bounded buffer.

use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{At as _, ImportError, Result};

/// Bytes read at a time.
const CHUNK: usize = 256 << 10;
/// The most bytes that a piece of a file may need in memory.
pub(crate) const LIMIT: usize = 16 << 20;

/// The longest line.
const LINE: usize = 1 << 20;

/// Bytes before the next unused one by which a file is known again.
const KNOWN: usize = 64;
/// Bytes of each mark: of the file's start, then of a place about twice as far.
const MARK: usize = 1 << 10;

/// So long after its last change, nobody is writing to a file any more.
const QUIET: Duration = Duration::from_mins(1);

/// A file and how far it has been read.
#[derive(Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    file: File,
    inode: u64,
    /// Where in the file the buffer begins.
    offset: u64,
    buffer: Vec<u8>,
    /// How much of the buffer has been used; of that, the last bytes stay.
    used: usize,
    /// Places in what has been used, in their order.
    marks: Vec<Mark>,
}

/// A part of a file, to see whether it still holds what was read there.
#[derive(Debug)]
struct Mark {
    start: u64,
    len: usize,
    sum: u32,
}

/// Opens a regular file; what is none is refused and never waited for.
pub(crate) fn open(path: &Path) -> Result<File> {
    let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = File::options().read(true).custom_flags(nonblock).open(path).at("open", path)?;
    if !file.metadata().at("look at", path)?.is_file() {
        return Err(ImportError::Nothing { path: path.to_owned(), why: "it is not a file".to_owned() });
    }
    Ok(file)
}

impl Tail {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = open(path)?;
        let inode = file.metadata().at("look at", path)?.ino();
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

    /// Where the next unused byte is.
    pub(crate) fn position(&self) -> u64 {
        self.offset + self.used as u64
    }

    /// Where the line at the front ends, as `end` finds it; nothing while the file has no whole line more.
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

    /// Passes over the line at the front, as `end` finds its end; with `unfinished`, over one that has none. `false`: there is none.
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

    /// What has been read and not used.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.used..]
    }

    /// Reads until there are `want` unused bytes; `false`: the file does not have them yet. `want` is at most [`LIMIT`].
    pub(crate) fn fill(&mut self, want: usize) -> Result<bool> {
        while self.bytes().len() < want {
            if !self.more()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads another piece; `false`: there is none yet.
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

    /// Goes on with another file that has taken this one's name and holds the same, as copying tools make for each new state:
    /// `true`. `false`: it holds something else. `None`: there is no other file.
    fn renew(&mut self) -> Result<Option<bool>> {
        let now = match std::fs::metadata(&self.path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            now => now.at("look at", &self.path)?,
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

    /// Marks of the bytes up to `end` what it takes; how many it was, or that are passed over. The last mark grows until it is long enough.
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

    /// Goes on at another place.
    pub(crate) fn seek(&mut self, position: u64) {
        self.buffer.clear();
        (self.offset, self.used) = (position, 0);
    }

    /// How long the file is now.
    pub(crate) fn len(&self) -> Result<u64> {
        Ok(self.file.metadata().at("look at", &self.path)?.len())
    }

    /// Whether the file of this name no longer holds what was read of it, as far as that is known.
    pub(crate) fn is_replaced(&mut self) -> Result<bool> {
        match self.renew()? {
            Some(holds) => Ok(!holds),
            None => Ok(!self.is_held_by(&self.file)?),
        }
    }

    /// Whether a file holds what was read, as far as that is known.
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
        let len = file.metadata().at("look at", &self.path)?.len();
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

    /// Whether nobody has written to the file for a minute.
    pub(crate) fn is_quiet(&self) -> Result<bool> {
        let changed = self.file.metadata().and_then(|m| m.modified()).at("look at", &self.path)?;
        Ok(changed.elapsed().is_ok_and(|age| age >= QUIET))
    }

    /// Begins again with the file that has this name now.
    pub(crate) fn reopen(&mut self) -> Result<()> {
        let path = self.path.clone();
        *self = Self::open(&path)?;
        Ok(())
    }

    /// Gives the buffer's memory back, for a file at rest.
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

    /// An error at a place of this file.
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
