//! A folder that is kept open, so that it stays the same one even if it is moved or its name is reused.

use std::cmp::Ordering;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, fstat, openat, stat};
use rustix::io::Errno;

/// An open folder and its path when it was opened, or nothing. All values compare as equal, because only paths identify a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenDir(Option<Arc<(OwnedFd, Option<PathBuf>)>>);

impl OpenDir {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, path, flags, Mode::empty())?;
        let place = place(&folder);
        Ok(Self(Some(Arc::new((folder, place)))))
    }

    pub(crate) fn folder(&self) -> Option<&OwnedFd> {
        self.0.as_ref().map(|held| &held.0)
    }

    pub(crate) fn is_at(&self, path: &Path) -> bool {
        let Some(held) = &self.0 else { return true };
        let (folder, at_first) = &**held;
        // Ask the kernel: a path may lead elsewhere through links, and some file systems change inode numbers.
        if at_first.is_some() && place(folder) == *at_first {
            return true;
        }
        match (stat(path), fstat(folder)) {
            (Err(Errno::NOENT | Errno::NOTDIR), _) => false,
            (Ok(there), Ok(held)) => (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino),
            _ => true,
        }
    }
}

/// Returns the kernel's current path of a folder.
fn place(folder: &OwnedFd) -> Option<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{}", folder.as_raw_fd())).ok()
}

impl PartialEq for OpenDir {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for OpenDir {}

impl Hash for OpenDir {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl PartialOrd for OpenDir {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OpenDir {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use crate::{Event, RunDir, append_event, read_events};

    #[test]
    fn a_folder_that_is_held_is_written_to_wherever_it_is() {
        let temp = tempfile::tempdir().unwrap();
        let (old, new) = (temp.path().join("run=a"), temp.path().join("run=b"));
        std::fs::create_dir(&old).unwrap();
        let run = RunDir::new(&old).hold().unwrap();
        assert!(run.is_in_place());
        let link = temp.path().join("link");
        std::os::unix::fs::symlink(&old, &link).unwrap();
        let by_link = RunDir::new(&link).hold().unwrap();
        std::fs::remove_file(&link).unwrap();
        assert!(by_link.is_in_place(), "only a link to it is gone");
        std::fs::rename(&old, &new).unwrap();
        assert!(!by_link.is_in_place());
        assert!(!run.is_in_place());
        std::fs::create_dir(&old).unwrap();
        assert!(!run.is_in_place(), "another folder of its name");
        append_event(&run, &Event::Paused).unwrap();
        assert_eq!(read_events(&RunDir::new(&new)).unwrap().len(), 1);
        assert!(std::fs::read_dir(&old).unwrap().next().is_none());
        std::fs::remove_dir_all(&new).unwrap();
        let error = append_event(&run, &Event::Paused).unwrap_err();
        assert_eq!(error.patience(), None);
    }
}
