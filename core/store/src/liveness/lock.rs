//! The run's lock, held by keeper and trainer for their whole lifetime.
//!
//! It is a write lock of an open file description (`F_OFD_SETLK`): children that inherit the file hold it too, and the
//! kernel releases it when the last of them has died. Only a process that may write to the file can hold it, and
//! checking does not take it. A `flock` is held as well, for older versions and for file systems without such locks.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::disk::inside;
use crate::error::{IoContext as _, Result, StoreError};
use crate::folder::run_dir::RunDir;
use crate::liveness::holder::{last_holder, sign};
use crate::liveness::owner;

/// How long to wait for a process that is about to exit: a keeper that has written the end, or a viewer of an older version.
const RETRY_FOR: Duration = Duration::from_secs(1);
/// The file that will become the lock.
const NEXT: &str = ".tmp-lock";

/// The exclusive right to write to a run's folder.
#[derive(Debug)]
pub struct RunLock(File);

impl RunLock {
    /// Takes the lock, retrying for a second.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process has it, [`StoreError::Owned`] if another machine has the run.
    pub fn acquire(run: &RunDir) -> Result<Self> {
        Self::acquire_within(run, RETRY_FOR)
    }

    /// Takes the lock without retrying.
    ///
    /// # Errors
    /// See [`Self::acquire`].
    pub fn acquire_now(run: &RunDir) -> Result<Self> {
        Self::acquire_within(run, Duration::ZERO)
    }

    /// Takes the lock, retrying for `patience`.
    fn acquire_within(run: &RunDir, patience: Duration) -> Result<Self> {
        let path = run.lock();
        let deadline = Instant::now() + patience;
        let locked = || StoreError::Locked(path.clone());
        let taken = retry_until(deadline, || take_file(run)).at("lock", &path)?;
        let Taken { file, ofd } = taken.ok_or_else(locked)?;
        if retry_until(deadline, || take_flock(&file)).at("lock", &path)?.is_none() {
            // With an OFD lock in hand, the `flock` does not matter: any process that can read the file can hold that one.
            if !ofd || is_of_older_version(run) {
                return Err(locked());
            }
        }
        // Locks of another node may not be visible here, so its signature must not be overwritten.
        if let Some(seen) = owner::remote_owner(run) {
            return Err(seen.owner.has(run));
        }
        sign(run, &file, ofd).at("write", &path)?;
        Ok(Self(file))
    }

    /// Wraps a lock inherited as an open file.
    pub fn from_file(file: File) -> Self {
        Self(file)
    }

    /// Records that the run's folder was renamed. A failure to write that must not stop the run.
    pub fn renamed(&self, run: &RunDir) {
        let ofd = last_holder(run).is_some_and(|holder| holder.ofd);
        sign(run, &self.0, ofd).ok();
    }

    /// Returns the open file that holds the lock. A child that inherits it holds the lock too.
    pub fn file(&self) -> &File {
        &self.0
    }

    /// Returns whether the file still has a name, so that others see the lock.
    pub(crate) fn is_there(&self) -> bool {
        self.0.metadata().is_ok_and(|m| m.nlink() > 0)
    }
}

/// Retries until the lock is taken. Returns `None` at the deadline.
fn retry_until<T>(
    deadline: Instant,
    mut take: impl FnMut() -> std::io::Result<Option<T>>,
) -> std::io::Result<Option<T>> {
    loop {
        if let Some(taken) = take()? {
            return Ok(Some(taken));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The lock's file, locked.
struct Taken {
    file: File,
    /// Whether an open file description lock was taken; `false` if the file system has none.
    ofd: bool,
}

/// Takes the file that is the run's lock. Returns `None` if another process has it.
fn take_file(run: &RunDir) -> std::io::Result<Option<Taken>> {
    let file = inside::edit(run, &run.lock())?;
    match take_ofd(&file, libc::F_WRLCK)? {
        // Another process may have replaced the file in the meantime.
        Some(ofd) if !ofd || is_at(run, &run.lock(), &file) => Ok(Some(Taken { file, ofd })),
        Some(_) => Ok(None),
        None => replace_read(run, &file),
    }
}

/// Replaces a lock file that only readers have locked, which anybody who can read it can do for as long as they like.
/// Returns `None` if a process with write access has it, or this user may not replace it.
fn replace_read(run: &RunDir, old: &File) -> std::io::Result<Option<Taken>> {
    let me = rustix::process::geteuid();
    let may = me.is_root() || old.metadata()?.uid() == me.as_raw();
    if !may || is_ofd_locked(old)? != Some(false) {
        return Ok(None);
    }
    // Only one process at a time can create this file, and nobody else can open it until it is locked.
    let path = run.path().join(NEXT);
    let new = inside::edit_private(run, &path)?;
    if take_ofd(&new, libc::F_WRLCK)? != Some(true) {
        if is_ofd_locked(&new)? == Some(false) {
            // Left by a process that died after it had made the file readable.
            inside::remove_file(run, &path)?;
        }
        return Ok(None);
    }
    take_flock(&new)?;
    // A read lock on the old file keeps all writers out until its name is gone. The loser of a race is the one whose
    // files no longer have their names.
    let last = take_ofd(old, libc::F_RDLCK)? == Some(true)
        && (take_flock(old)?.is_some() || !is_of_older_version(run))
        && is_at(run, &run.lock(), old)
        && is_at(run, &path, &new);
    if !last {
        return Ok(None);
    }
    new.set_permissions(old.metadata()?.permissions())?;
    sign(run, &new, true)?;
    inside::rename(run, &path, &run.lock())?;
    Ok(is_at(run, &run.lock(), &new).then_some(Taken { file: new, ofd: true }))
}

/// Returns whether `path` still names this file.
fn is_at(run: &RunDir, path: &Path, file: &File) -> bool {
    let inode = file.metadata().map(|m| m.ino()).ok();
    inode.is_some() && inside::entry(run, path).map(|e| e.inode).ok() == inode
}

/// Returns whether the holder is an older version, which takes only a `flock`.
fn is_of_older_version(run: &RunDir) -> bool {
    last_holder(run).is_none_or(|holder| !holder.ofd)
}

/// Returns `Some(true)` if the lock was taken, `Some(false)` if the file system has no such locks, and `None` if
/// another process has it.
fn take_ofd(file: &File, kind: i32) -> std::io::Result<Option<bool>> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&whole_file(kind))) {
        Ok(_) => Ok(Some(true)),
        Err(nix::Error::EAGAIN | nix::Error::EACCES | nix::Error::EINTR) => Ok(None),
        Err(e) if has_none(e) => Ok(Some(false)),
        Err(e) => Err(e.into()),
    }
}

fn take_flock(file: &File) -> std::io::Result<Option<()>> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(())),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Returns whether another open file holds the lock, or `None` if the file system has no such locks. Asking as a reader
/// needs no write access and ignores the locks of readers.
fn is_ofd_locked(file: impl AsFd) -> std::io::Result<Option<bool>> {
    let mut lock = whole_file(libc::F_RDLCK);
    match fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock)) {
        Ok(_) => Ok(Some(i32::from(lock.l_type) != libc::F_UNLCK)),
        Err(e) if has_none(e) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

fn has_none(e: nix::Error) -> bool {
    matches!(e, nix::Error::EINVAL | nix::Error::ENOSYS | nix::Error::EOPNOTSUPP | nix::Error::ENOLCK)
}

fn whole_file(kind: i32) -> libc::flock {
    libc::flock { l_type: kind as i16, l_whence: libc::SEEK_SET as i16, l_start: 0, l_len: 0, l_pid: 0 }
}

/// Returns whether any process holds the run's lock. Opens the file read-only, so it works for runs of other users.
///
/// # Errors
/// The lock cannot be opened.
pub fn is_locked(run: &RunDir) -> Result<bool> {
    let path = run.lock();
    let Some(file) = inside::if_there(inside::open(run, &path)).at("open", &path)? else { return Ok(false) };
    if last_holder(run).is_some_and(|holder| holder.ofd)
        && let Some(locked) = is_ofd_locked(&file).at("read", &path)?
    {
        return Ok(locked);
    }
    loop {
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            // Closing the file releases the lock taken by this check.
            Ok(()) => return Ok(false),
            Err(Errno::AGAIN) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(e) => return Err(std::io::Error::from(e)).at("read", &path),
        }
    }
}

/// Returns the processes that hold the run's lock, as far as this user may see them.
pub(crate) fn holders(run: &RunDir) -> Vec<u32> {
    let Ok(lock) = inside::open(run, &run.lock()).and_then(|file| file.metadata()) else { return Vec::new() };
    let numbers = |dir: &str| -> Vec<String> {
        let entries = std::fs::read_dir(format!("/proc/{dir}")).into_iter().flatten().flatten();
        let names = entries.filter_map(|e| e.file_name().into_string().ok());
        names.filter(|name| name.bytes().all(|b| b.is_ascii_digit())).collect()
    };
    let holds = |pid: &str| {
        numbers(&format!("{pid}/fd")).iter().any(|fd| {
            // Following the link reaches the file itself, whatever its path in that process's view.
            std::fs::metadata(format!("/proc/{pid}/fd/{fd}"))
                .is_ok_and(|m| (m.dev(), m.ino()) == (lock.dev(), lock.ino()))
                && std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}"))
                    .is_ok_and(|info| info.lines().any(|l| l.starts_with("lock:") && l.contains("WRITE")))
        })
    };
    numbers("").iter().filter(|pid| holds(pid)).filter_map(|pid| pid.parse().ok()).collect()
}
