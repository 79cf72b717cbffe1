//! Reads lines as they are appended to a file.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use gradtop_store::{RunDir, inside};

/// Bytes read at a time, so that endless output cannot fill memory.
const CHUNK: u64 = 1 << 20;
/// Longer lines are returned in pieces.
const LONGEST: usize = 1 << 16;

/// None of our files is longer; of one that is, only the last bytes are read.
const LONG: u64 = 80 << 20;
const END: u64 = 8 << 20;

/// A position in a growing file.
pub(crate) struct Follower {
    run: RunDir,
    path: PathBuf,
    offset: u64,
    partial: Vec<u8>,
}

impl Follower {
    /// Starts at the beginning, or near the end of a file that is far too long. The file need not exist yet.
    pub(crate) fn new(run: &RunDir, path: PathBuf) -> Self {
        let offset = match length(run, &path) {
            len if len > LONG => len - END,
            _ => 0,
        };
        Self { run: run.clone(), path, offset, partial: Vec::new() }
    }

    /// Starts at the current end of the file.
    pub(crate) fn from_end(run: &RunDir, path: PathBuf) -> Self {
        Self { run: run.clone(), offset: length(run, &path), path, partial: Vec::new() }
    }

    /// The offset of the next byte to be read.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the next complete lines without their line ends. Call it again until it returns none.
    pub(crate) fn lines(&mut self) -> anyhow::Result<Vec<Vec<u8>>> {
        self.read().with_context(|| format!("cannot read {}", crate::print::short(&self.path)))
    }

    fn read(&mut self) -> std::io::Result<Vec<Vec<u8>>> {
        let mut file = match inside::open(&self.run, &self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e),
        };
        if file.metadata()?.len() < self.offset {
            // The file was replaced by a shorter one.
            (self.offset, self.partial) = (0, Vec::new());
        }
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        self.offset += file.take(CHUNK).read_to_end(&mut bytes)? as u64;
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            self.partial.extend_from_slice(piece);
            if self.partial.last() == Some(&b'\n') {
                self.partial.pop();
                lines.push(std::mem::take(&mut self.partial));
            } else if self.partial.len() > LONGEST {
                lines.push(std::mem::take(&mut self.partial));
            }
        }
        Ok(lines)
    }

    /// Calls `with` for each complete line that there is, or until nobody reads what is printed.
    pub(crate) fn each(&mut self, mut with: impl FnMut(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<()> {
        loop {
            let lines = self.lines()?;
            if lines.is_empty() || crate::print::stdout_gone() {
                return Ok(());
            }
            lines.iter().try_for_each(|line| with(line))?;
        }
    }

    /// Returns the text after the last line end.
    pub(crate) fn rest(&mut self) -> Option<Vec<u8>> {
        (!self.partial.is_empty()).then(|| std::mem::take(&mut self.partial))
    }
}

fn length(run: &RunDir, path: &Path) -> u64 {
    inside::entry(run, path).map_or(0, |e| e.len)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::fs::File;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_come_whole_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut follower = Follower::new(&RunDir::new(dir.path()), path.clone());
        assert!(follower.lines().unwrap().is_empty());
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        assert_eq!(follower.lines().unwrap(), [b"one".to_vec()]);
        file.write_all(b"o\nthree").unwrap();
        assert_eq!(follower.lines().unwrap(), [b"two".to_vec()]);
        assert_eq!(follower.rest(), Some(b"three".to_vec()));
        assert_eq!(follower.rest(), None);
        std::fs::write(&path, "new\n").unwrap();
        assert_eq!(follower.lines().unwrap(), [b"new".to_vec()]);
    }
}
