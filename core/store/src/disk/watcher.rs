//! Watches folders for changes through inotify.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::remote::is_remote;

/// Changes to report. Opening and reading do not count, as gradtop itself does that.
const CHANGES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);
/// Events of a parent folder that may mean that a missing folder has been created.
const COMING: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);
/// A folder may be watched for both purposes.
const HOW: WatchFlags = WatchFlags::ONLYDIR.union(WatchFlags::MASK_ADD);

/// The inotify watch descriptor of each folder.
type Folders = HashMap<PathBuf, i32>;

/// Watched folders and the thread that waits for changes in them. Not recursive, and not for file systems that other
/// machines change.
#[derive(Debug, Default)]
pub struct FolderWatcher {
    system: Option<Arc<OwnedFd>>,
    folders: Arc<Mutex<Folders>>,
    /// Closing this end stops the thread.
    _open: Option<OwnedFd>,
}

impl FolderWatcher {
    /// Starts a thread that calls `notify` once for changes that come together. If inotify is unavailable, and for the
    /// default value, no folder is ever watched.
    pub fn start(notify: impl Fn() + Send + 'static) -> Self {
        let start = || {
            let system = Arc::new(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?);
            let (end, open) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).ok()?;
            let folders: Arc<Mutex<Folders>> = Arc::default();
            let (heard, known) = (Arc::clone(&system), Arc::clone(&folders));
            let thread = std::thread::Builder::new().name("folders".to_owned());
            thread.spawn(move || listen(&heard, &end, &known, notify)).ok()?;
            Some(Self { system: Some(system), folders, _open: Some(open) })
        };
        start().unwrap_or_default()
    }

    /// Returns whether a folder is watched.
    pub fn watches(&self, folder: &Path) -> bool {
        self.folders.lock().contains_key(folder)
    }

    /// Watches a folder, or for its creation if it does not exist yet. Returns false if that is impossible. A folder
    /// that is removed or moved away is forgotten.
    pub fn watch(&mut self, folder: &Path) -> bool {
        if self.system.is_none() || is_remote(folder) {
            return false;
        }
        let mut nearest = self.nearest(folder);
        while nearest.is_some_and(|place| place != folder) {
            // The folder may have been created before its parent was watched.
            let before = std::mem::replace(&mut nearest, self.nearest(folder));
            if before == nearest {
                break;
            }
        }
        nearest.is_some()
    }

    /// Watches a folder, or its closest existing parent, and returns which one.
    fn nearest<'a>(&self, folder: &'a Path) -> Option<&'a Path> {
        let here = |place: &'a Path| if place == Path::new("") { Path::new(".") } else { place };
        for place in folder.ancestors().map(here) {
            let what = if place == folder { CHANGES } else { COMING };
            match inotify::add_watch(self.system.as_ref()?, place, HOW | what) {
                Ok(number) => {
                    self.folders.lock().insert(place.to_owned(), number);
                    return Some(place);
                }
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(_) => return None,
            }
        }
        None
    }

    /// Stops watching all folders but those `wanted`.
    pub fn retain(&mut self, wanted: impl Fn(&Path) -> bool) {
        let Some(system) = &self.system else { return };
        for (_, number) in self.folders.lock().extract_if(|path, _| !wanted(path)) {
            // The kernel already dropped the watch of a removed folder.
            inotify::remove_watch(system, number).ok();
        }
    }
}

/// Reports changes until the other end of `end` is closed.
fn listen(system: &OwnedFd, end: &OwnedFd, folders: &Mutex<Folders>, notify: impl Fn()) {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    loop {
        let mut ready = [PollFd::new(system, PollFlags::IN), PollFd::new(end, PollFlags::empty())];
        match poll(&mut ready, None) {
            Ok(_) if ready[1].revents().is_empty() => {}
            Err(Errno::INTR) => continue,
            _ => return,
        }
        let mut events = Reader::new(system, &mut buffer);
        let mut changed = false;
        while let Ok(event) = events.next() {
            if event.events().contains(ReadFlags::IGNORED) {
                // The kernel dropped the watch; the removal has been reported.
                folders.lock().retain(|_, number| *number != event.wd());
                continue;
            }
            changed = true;
            if event.events().contains(ReadFlags::MOVE_SELF) {
                inotify::remove_watch(system, event.wd()).ok();
            }
        }
        if changed {
            notify();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    fn told() -> (FolderWatcher, Receiver<()>) {
        let (send, heard) = channel();
        let notify = move || {
            send.send(()).ok();
        };
        (FolderWatcher::start(notify), heard)
    }

    #[test]
    fn what_changes_is_told_and_what_is_read_is_not() {
        let temp = tempfile::tempdir().unwrap();
        let (dir, other) = (temp.path().join("a"), temp.path().join("b"));
        fs::create_dir(&dir).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(dir.join("file"), "x").unwrap();
        let (mut folders, heard) = told();
        assert!(folders.watch(&dir) && folders.watches(&dir) && !folders.watches(&other));
        for _ in 0..1000 {
            fs::read(dir.join("file")).unwrap();
            fs::read_dir(&dir).unwrap().count();
        }
        assert!(folders.watch(&other));
        fs::write(other.join("file"), "x").unwrap();
        heard.recv().unwrap();
        assert!(
            heard.try_iter().count() < 3,
            "a file was created, written and closed; nothing else happened"
        );
        folders.retain(|path| path == dir);
        assert!(folders.watches(&dir) && !folders.watches(&other));
        fs::rename(other.join("file"), dir.join("file")).unwrap();
        heard.recv().unwrap();
        drop(folders);
        heard.iter().for_each(drop); // Until the thread ends.
    }

    #[test]
    fn the_coming_of_a_folder_is_told_wherever_it_begins() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("not/there/yet");
        let (mut folders, heard) = told();
        assert!(folders.watch(&dir) && !folders.watches(&dir) && folders.watches(temp.path()));
        for part in ["not", "not/there", "not/there/yet"] {
            fs::create_dir(temp.path().join(part)).unwrap();
            heard.recv().unwrap();
            assert!(folders.watch(&dir));
        }
        assert!(folders.watches(&dir));
        // What is removed or moved away is not told of any more, so it is not said to be.
        let gone = temp.path().join("gone");
        for leave in
            [&|| fs::remove_dir(&dir), &|| fs::rename(&dir, &gone)] as [&dyn Fn() -> std::io::Result<()>; 2]
        {
            leave().unwrap();
            while folders.watches(&dir) {
                heard.recv().unwrap();
            }
            assert!(folders.watch(&dir) && !folders.watches(&dir));
            fs::create_dir(&dir).unwrap();
            while !folders.watches(&dir) {
                heard.recv().unwrap();
                assert!(folders.watch(&dir));
            }
        }
        assert!(!FolderWatcher::default().watch(&dir));
    }
}
