//! The text of a run's lock: who took it last, how, and which folder the run was in. A run that was resumed lives where it was
//! resumed, and a copy of one that lives is another folder.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;

use crate::folder::inside;
use crate::folder::machine::Place;
use crate::folder::run_dir::RunDir;

/// Who took a lock last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Holder {
    pub(crate) place: Place,
    /// It holds a lock of its open file description; if not, only a `flock`.
    pub(crate) ofd: bool,
    /// The folder of the run as it was seen from there, and the inode of its lock. Versions before this one did not say it.
    folder: Option<PathBuf>,
    inode: Option<u64>,
}

impl Holder {
    /// One of whom only the place is known.
    pub(crate) fn at(place: Place) -> Self {
        Self { place, ..Self::default() }
    }

    /// The folder that the run was in when its lock was taken, if this one is a copy of it. Folders are moved, and some file systems
    /// give their files other numbers now and then: of a copy neither is the same.
    pub(crate) fn copied_from(&self, run: &RunDir) -> Option<PathBuf> {
        let (folder, inode) = (self.folder.as_ref()?, self.inode?);
        let copied = inside::entry(run, &run.lock()).ok()?.inode != inode;
        (copied && fs::canonicalize(run.path()).ok()? != *folder).then(|| folder.clone())
    }
}

/// Says in the lock's file who took it, and of which folder it is.
pub(crate) fn sign(run: &RunDir, file: &File, ofd: bool) -> io::Result<()> {
    let Place { host, boot, machine, pids, clocks } = Place::here();
    let mut text = format!("{host}\n{}\n", boot.unwrap_or_default());
    let lock = ofd.then(|| "ofd".to_owned());
    let inode = Some(file.metadata()?.ino().to_string());
    // A name with an end of a line in it has no room in one.
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
    // In one write, cut to length after it: who reads between the two still finds whole lines first.
    file.write_all_at(text.as_bytes(), 0)?;
    file.set_len(text.len() as u64)
}

/// Who took the lock last; `None` if nobody has said so, as in runs of older versions.
pub(crate) fn last_holder(run: &RunDir) -> Option<Holder> {
    let text = inside::read_text(run, &run.lock(), inside::NOTE_LIMIT).ok()?;
    // What follows the last end of a line is not whole.
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
