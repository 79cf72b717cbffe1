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
    /// How much of the buffer has been used.
    used: usize,
    /// What lies before the buffer, as much as is compared.
    before: Vec<u8>,
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
            before: Vec::new(),
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
        let old = self.buffer.len();
        self.buffer.resize(old + CHUNK, 0);
        let read = self.file.read_at(&mut self.buffer[old..], self.offset + old as u64);
        self.buffer.truncate(old + *read.as_ref().unwrap_or(&0));
        Ok(read.at("read", &self.path)? > 0)
    }

    /// Marks bytes as used.
    pub(crate) fn consume(&mut self, n: usize) {
        self.used = (self.used + n).min(self.buffer.len());
    }

    /// Goes on at another place.
    pub(crate) fn seek(&mut self, position: u64) {
        self.buffer.clear();
        self.before.clear();
        (self.offset, self.used) = (position, 0);
    }

    /// How long the file is now.
    pub(crate) fn len(&self) -> Result<u64> {
        Ok(self.file.metadata().at("look at", &self.path)?.len())
    }

    /// Whether another file has taken this one's name, or it no longer holds what was read of it last.
    pub(crate) fn is_replaced(&self) -> Result<bool> {
        let now = std::fs::metadata(&self.path).at("look at", &self.path)?;
        if now.ino() != self.inode || now.len() < self.position() {
            return Ok(true);
        }
        let last = self.last_used();
        Ok(!self.holds(&last, self.position() - last.len() as u64)?)
    }

    /// Whether the file begins so.
    pub(crate) fn starts_with(&self, begin: &[u8]) -> Result<bool> {
        self.holds(begin, 0)
    }

    /// Whether the file has these bytes at a place.
    fn holds(&self, bytes: &[u8], place: u64) -> Result<bool> {
        let mut found = vec![0; bytes.len()];
        match self.file.read_exact_at(&mut found, place) {
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
            read => read.at("read", &self.path).map(|()| found == bytes),
        }
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
        self.before = self.last_used();
        self.buffer.drain(..self.used);
        self.offset += self.used as u64;
        self.used = 0;
    }

    /// The last bytes before the next unused one.
    fn last_used(&self) -> Vec<u8> {
        let used = &self.buffer[..self.used];
        let older = KNOWN.saturating_sub(used.len()).min(self.before.len());
        let used = &used[used.len().saturating_sub(KNOWN)..];
        [&self.before[self.before.len() - older..], used].concat()
    }

    /// An error at a place of this file.
    pub(crate) fn damaged(&self, offset: u64, what: impl Into<String>) -> ImportError {
        ImportError::Damaged { path: self.path.clone(), offset, what: what.into() }
    }
}
