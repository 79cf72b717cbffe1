//! The run's lock: held by keeper and trainer for as long as they live.
//!
//! It is a `flock` on an open file, so children that inherit the file hold it too, and it is free the moment the last of
//! them is gone, however they died. The file's text says which boot of which machine took it last: a run that was resumed
//! after a reboot lives in another boot than the one its manifest was written in.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{IoContext as _, Result, StoreError};
use crate::inside;
use crate::manifest::{boot_id, host_name};
use crate::run_dir::RunDir;

/// Viewers probe with a shared lock, for microseconds; whoever wants the lock for good outlasts them.
const RETRY_FOR: Duration = Duration::from_secs(1);

/// The right to write to a run's folder.
#[derive(Debug)]
pub struct RunLock(File);

impl RunLock {
    /// Takes the lock, retrying for a second; [`StoreError::Locked`] if another process keeps it.
    pub fn acquire(run: &RunDir) -> Result<Self> {
        let path = run.lock();
        let file = inside::edit(run, &path).at("open", &path)?;
        let deadline = Instant::now() + RETRY_FOR;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    sign(&file).at("write", &path)?;
                    return Ok(Self(file));
                }
                Err(Errno::AGAIN | Errno::INTR) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(Errno::AGAIN | Errno::INTR) => return Err(StoreError::Locked { path }),
                Err(e) => return Err(e).at("lock", &path),
            }
        }
    }

    /// A lock inherited as an open file.
    pub fn from_file(file: File) -> Self {
        Self(file)
    }

    /// The open file that holds the lock; a child that inherits it holds the lock too.
    pub fn file(&self) -> &File {
        &self.0
    }
}

/// Says in the lock's file who took it.
fn sign(file: &File) -> std::io::Result<()> {
    let text = format!("{}\n{}\n", host_name(), boot_id());
    let mut before = vec![0; text.len() + 1];
    let read = file.read_at(&mut before, 0)?;
    if before[..read] == *text.as_bytes() {
        return Ok(());
    }
    // In one write, cut to length after it: who reads between the two still finds whole lines first.
    file.write_all_at(text.as_bytes(), 0)?;
    file.set_len(text.len() as u64)
}

/// Host and boot that took the lock last; `None` if nobody has said so, as in runs of older versions.
pub(crate) fn last_holder(run: &RunDir) -> Option<(String, String)> {
    let text = inside::read_text(run, &run.lock(), inside::NOTE_LIMIT).ok()?;
    let mut lines = text.split('\n');
    let (host, boot) = (lines.next()?, lines.next()?);
    // The second line has its end, so it is whole.
    lines.next()?;
    Some((host.to_owned(), boot.to_owned()))
}

/// Whether anyone holds the run's lock. Opens the file for reading only, so it works in folders of others.
pub fn is_locked(run: &RunDir) -> Result<bool> {
    let path = run.lock();
    let file = match inside::open(run, &path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e).at("open", &path),
    };
    loop {
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            // Closing the file gives the probe's lock back.
            Ok(()) => return Ok(false),
            Err(Errno::AGAIN) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(e) => return Err(e).at("probe", &path),
        }
    }
}
