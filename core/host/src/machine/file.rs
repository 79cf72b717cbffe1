//! Open files: their paths, identity and content.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sha2::{Digest as _, Sha256};

/// Returns a path that names an open file for as long as it is open.
pub(crate) fn handle(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Waits up to `patience` until a descriptor is readable or its writers are gone; returns `false` on time-out.
pub(crate) fn readable(fd: impl AsFd, patience: Duration) -> rustix::io::Result<bool> {
    let patience = Timespec::try_from(patience).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
    Ok(poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&patience))? > 0)
}

/// Returns the size and modification time of a file.
pub(crate) fn identity(file: &Path) -> std::io::Result<(u64, i128)> {
    let meta = std::fs::metadata(file)?;
    Ok((meta.len(), i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec())))
}

/// Returns the SHA-256 of an open file in hexadecimal, without changing its position.
pub(crate) fn sha256(file: &File) -> std::io::Result<String> {
    let mut at = At { file, offset: 0 };
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match at.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// Reads an open file from its start, independently of its shared position.
pub(crate) struct At<'a> {
    pub(crate) file: &'a File,
    pub(crate) offset: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        use std::os::unix::fs::FileExt as _;
        let n = self.file.read_at(buffer, self.offset)?;
        self.offset += n as u64;
        Ok(n)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, b| {
        write!(out, "{b:02x}").ok();
        out
    })
}
