//! The text in a run's lock file: who took the lock last, how, and for which folder. It tells a resumed run from a copy
//! of a live one.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;

use crate::disk::inside;
use crate::folder::run_dir::RunDir;
use crate::liveness::machine::Place;

/// The process that took a lock last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Holder {
    pub(crate) place: Place,
    /// Whether it holds an open file description lock; otherwise only a `flock`.
    pub(crate) ofd: bool,
    /// The run's folder as the holder saw it, and the inode of its lock. Not recorded by older versions.
    folder: Option<PathBuf>,
    inode: Option<u64>,
}

impl Holder {
    /// Creates a holder of which only the place is known.
    pub(crate) fn at(place: Place) -> Self {
        Self { place, ..Self::default() }
    }

    /// Returns the folder that the run was in when its lock was taken, if `run` is a copy of it. Folders can be moved
    /// and some file systems change inode numbers, so a copy must differ in both.
    pub(crate) fn copied_from(&self, run: &RunDir) -> Option<PathBuf> {
        let (folder, inode) = (self.folder.as_ref()?, self.inode?);
        let copied = inside::entry(run, &run.lock()).ok()?.inode != inode;
        (copied && fs::canonicalize(run.path()).ok()? != *folder).then(|| folder.clone())
    }
}

/// Writes to the lock's file who holds it and for which folder.
pub(crate) fn sign(run: &RunDir, file: &File, ofd: bool) -> io::Result<()> {
    let Place { host, boot, machine, pids, clocks } = Place::here();
    let mut text = format!("{host}\n{}\n", boot.unwrap_or_default());
    let lock = ofd.then(|| "ofd".to_owned());
    let inode = Some(file.metadata()?.ino().to_string());
    // A path with a line break cannot be stored in one line.
    let folder =
        fs::canonicalize(run.path()).ok().and_then(|folder| folder.into_os_string().into_string().ok());
    let folder = folder.filter(|folder| !folder.contains('\n'));
    let notes = [
        ("machine", machine),
        ("pids", pids),
        ("clocks", clocks),
        ("lock", lock),
        ("inode", inode),
        ("folder", folder),
    ];
    for (key, value) in notes {
        text.extend(value.map(|value| format!("{key}={value}\n")));
    }
    let mut before = vec![0; text.len() + 1];
    let read = file.read_at(&mut before, 0)?;
    if before[..read] == *text.as_bytes() {
        return Ok(());
    }
    // A single write, truncated afterwards, so that a reader in between still finds complete lines first.
    file.write_all_at(text.as_bytes(), 0)?;
    file.set_len(text.len() as u64)
}

/// Returns who took the lock last. `None` if nobody has signed it, as in runs of older versions.
pub(crate) fn last_holder(run: &RunDir) -> Option<Holder> {
    let text = inside::read_text(run, &run.lock(), inside::NOTE_LIMIT).ok()?;
    // Text after the last line break is incomplete.
    let mut lines = text[..text.rfind('\n')?].split('\n');
    let (host, boot) = (lines.next()?, lines.next()?);
    let boot = Some(boot.to_owned()).filter(|id| !id.is_empty());
    let mut holder = Holder::at(Place { host: host.to_owned(), boot, ..Place::default() });
    for line in lines {
        match line.split_once('=') {
            Some(("machine", id)) => holder.place.machine = Some(id.to_owned()),
            Some(("pids", id)) => holder.place.pids = Some(id.to_owned()),
            Some(("clocks", id)) => holder.place.clocks = Some(id.to_owned()),
            Some(("lock", kind)) => holder.ofd = kind == "ofd",
            Some(("inode", number)) => holder.inode = number.parse().ok(),
            Some(("folder", path)) => holder.folder = Some(PathBuf::from(path)),
            _ => {}
        }
    }
    Some(holder)
}
