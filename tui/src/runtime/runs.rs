//! Watches the runs folder, and polls it slowly in case the file system reports no changes.

use std::collections::{HashMap, HashSet};
use std::fs::DirEntry;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

use gradtop_store::{FolderWatcher, RunDir, View, inside};

use crate::app::Msg;
use gradtop_view::runs::{RunId, RunRow, RunsSnapshot};

/// Minimal time between two reads.
const BUSY: Duration = Duration::from_millis(200);
/// Time between two reads while something runs and no changes are reported.
const LIVE: Duration = Duration::from_secs(2);
/// Time between two reads otherwise.
const QUIET: Duration = Duration::from_secs(10);
/// Time between two reads if all changes are reported.
const WATCHED: Duration = Duration::from_mins(1);
/// How often folders in which new runs appear are checked, if no changes are reported.
const GLANCE: Duration = Duration::from_millis(500);
/// The same for network file systems.
const FAR_GLANCE: Duration = Duration::from_secs(2);

/// Time between two attempts to start waiting runs.
const START: Duration = Duration::from_secs(5);

/// The thread that reads the runs.
#[derive(Clone)]
pub(super) struct Reader {
    wake: Sender<()>,
}

impl Reader {
    /// Starts the thread, which passes each new snapshot to `send`.
    pub(super) fn start(
        folder: PathBuf,
        read_only: bool,
        send: impl Fn(Msg) -> bool + Send + 'static,
    ) -> Self {
        let (wake, woken) = channel();
        let told = wake.clone();
        let read = move || {
            let folders = FolderWatcher::start(move || {
                told.send(()).ok();
            });
            Folder::new(folder, read_only, folders).follow(&woken, &send);
        };
        let spawned = std::thread::Builder::new().name("runs".to_owned()).spawn(read);
        drop(spawned);
        Self { wake }
    }

    /// Makes it read at once.
    pub(super) fn wake(&self) {
        self.wake.send(()).ok();
    }
}

/// Reads the runs once.
pub(super) fn look(folder: &Path) -> RunsSnapshot {
    Folder::new(folder.to_owned(), true, FolderWatcher::default()).read()
}

/// Identifies a version of a file.
type Stamp = (SystemTime, u64, u64);

/// Identifies a version of a folder's list of files: device, inode, modification time.
type Place = (u64, u64, SystemTime);

/// Versions of the files that may change after a run has ended: its status, its notes, its last alert and its job.
type Stamps = [Option<Stamp>; 4];

struct CachedRun {
    stamps: Stamps,
    row: Arc<RunRow>,
}

impl CachedRun {
    /// Reads a run, unless it has ended, or waits in the same place, and its files are unchanged.
    fn read(run: &RunDir, before: Option<&Self>, place: usize) -> gradtop_store::Result<Self> {
        let now = stamps(run);
        let is_still = |view: &View| match &view.queued {
            Some(queued) if run.is_queued() => queued.place == Some(place),
            _ => view.status.state.is_final(),
        };
        if let Some(known) = before.filter(|k| k.stamps == now && is_still(&k.row.view)) {
            return Ok(Self { stamps: now, row: Arc::clone(&known.row) });
        }
        let mut view = gradtop_store::view(run)?.listed_at(place);
        if let Some(known) = before {
            // The age grows steadily; it is shown only for runs elsewhere and for silent ones.
            let age = view.age_of_last_write;
            let tells = |v: &View| !v.certain || v.silent_for().is_some();
            if !tells(&view) && !tells(&known.row.view) {
                view.age_of_last_write = known.row.view.age_of_last_write;
            }
            if view == known.row.view {
                return Ok(Self { stamps: now, row: Arc::clone(&known.row) });
            }
            view.age_of_last_write = age;
        }
        Ok(Self { stamps: now, row: Arc::new(RunRow::of(view)) })
    }
}

struct Folder {
    path: PathBuf,
    read_only: bool,
    watcher: FolderWatcher,
    known: HashMap<RunId, CachedRun>,
    /// Folders with a run's name that are not readable yet, for example while being copied, and the versions of their
    /// manifests.
    pending: Vec<(RunDir, Option<Stamp>)>,
    /// When waiting runs were last tried to be started.
    started: Option<Instant>,
    /// A thread that asks the batch system about jobs. Its results arrive as changes of files.
    asking: Option<std::thread::JoinHandle<()>>,
}

impl Folder {
    fn new(path: PathBuf, read_only: bool, watcher: FolderWatcher) -> Self {
        let (known, pending) = (HashMap::new(), Vec::new());
        Self { path, read_only, watcher, known, pending, started: None, asking: None }
    }

    fn follow(&mut self, woken: &Receiver<()>, send: &dyn Fn(Msg) -> bool) {
        // The first read does not wait for watches to be set up, since a second one follows at once.
        let mut before = self.read();
        if !send(Msg::Runs(Arc::new(before.clone()))) {
            return;
        }
        let glance = if gradtop_store::is_remote(&self.path) { FAR_GLANCE } else { GLANCE };
        loop {
            let start = Instant::now();
            let places = self.places();
            let snapshot = self.read_and_watch();
            let live = snapshot.rows.iter().any(|r| r.live());
            let same = before.unreadable == snapshot.unreadable
                && before.rows.len() == snapshot.rows.len()
                && before.rows.iter().zip(&snapshot.rows).all(|(a, b)| Arc::ptr_eq(a, b));
            if !same {
                before = snapshot.clone();
                if !send(Msg::Runs(Arc::new(snapshot))) {
                    return;
                }
            }
            let recovered = !self.read_only && (self.recover() | self.start_queued());
            let watched = self.is_watched(&places);
            let pause = match (recovered, live, watched) {
                (true, ..) => BUSY,
                (false, true, _) => LIVE,
                (false, false, false) => QUIET,
                (false, false, true) => WATCHED,
            };
            while start.elapsed() < pause {
                let wait = pause.saturating_sub(start.elapsed());
                match woken.recv_timeout(if watched { wait } else { wait.min(glance) }) {
                    Ok(()) => {
                        // Changes come in bursts.
                        std::thread::sleep(BUSY.saturating_sub(start.elapsed()));
                        while woken.try_recv().is_ok() {}
                        break;
                    }
                    Err(RecvTimeoutError::Timeout) if self.places() == places && !self.any_changed() => {}
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        }
    }

    /// Reads the runs and watches them from then on.
    fn read_and_watch(&mut self) -> RunsSnapshot {
        // Watches are set up before listing, so that no change is missed.
        let mut wanted = self.watch_places();
        let named = self.run_folders();
        let runs = named.iter().map(|dir| RunDir::new(dir.clone()));
        let new = runs.filter(|run| !self.known.contains_key(&RunId::new(run)));
        self.pending = new.map(|run| (run.clone(), stamp(&run, &run.manifest()))).collect();
        for dir in &named {
            if !self.watcher.watches(dir) {
                self.watcher.watch(dir);
            }
        }
        wanted.extend(named);
        self.watcher.retain(|path| wanted.contains(path));
        self.read()
    }

    fn read(&mut self) -> RunsSnapshot {
        let known = std::mem::take(&mut self.known);
        let look = |run: &RunDir, place| CachedRun::read(run, known.get(&RunId::new(run)), place);
        let (found, unreadable) =
            gradtop_store::inspect_runs(&self.path, |runs| gradtop_store::inspect_each(runs, look));
        let rows = found.iter().map(|found| Arc::clone(&found.row)).collect();
        let known: HashMap<_, _> = found.into_iter().map(|found| (found.row.id.clone(), found)).collect();
        self.pending.retain(|(run, _)| !known.contains_key(&RunId::new(run)));
        self.known = known;
        let mut snapshot = RunsSnapshot::new(self.path.clone(), rows, unreadable);
        snapshot.missing = !self.path.is_dir();
        snapshot
    }

    /// The runs folder and the experiments' folders, in which runs appear. If the runs folder does not exist, its nearest
    /// existing ancestor.
    fn places(&self) -> Vec<(PathBuf, Option<Place>)> {
        let there = self.path.ancestors().find(|dir| dir.is_dir()).unwrap_or(&self.path);
        let mut places = vec![there.to_owned()];
        if there == self.path {
            places.extend(gradtop_store::list_experiments(&self.path));
            places.push(self.path.join(".queue"));
        }
        let look = |path: PathBuf| {
            let meta = std::fs::metadata(&path).ok();
            let stamp = meta.and_then(|m| Some((m.dev(), m.ino(), m.modified().ok()?)));
            (path, stamp)
        };
        places.into_iter().map(look).collect()
    }

    /// Watches these folders. A folder may have been replaced meanwhile, so each is watched anew.
    fn watch_places(&mut self) -> HashSet<PathBuf> {
        let mut watched = HashSet::new();
        loop {
            let new: Vec<PathBuf> = self.places().into_iter().map(|(path, _)| path).collect();
            let new: Vec<PathBuf> = new.into_iter().filter(|path| !watched.contains(path)).collect();
            if new.is_empty() {
                return watched;
            }
            for path in new {
                self.watcher.watch(&path);
                watched.insert(path);
            }
        }
    }

    /// All folders with a run's name.
    fn run_folders(&self) -> Vec<PathBuf> {
        let entries =
            gradtop_store::list_experiments(&self.path).into_iter().filter_map(|dir| dir.read_dir().ok());
        let folder = |e: &DirEntry| {
            e.file_name().as_encoded_bytes().starts_with(b"run=") && e.file_type().is_ok_and(|t| !t.is_file())
        };
        entries.flatten().filter_map(Result::ok).filter(folder).map(|e| e.path()).collect()
    }

    /// Returns whether all changes in these folders and of the runs are reported.
    fn is_watched(&self, places: &[(PathBuf, Option<Place>)]) -> bool {
        let there = places.iter().filter(|(_, place)| place.is_some()).map(|(path, _)| path.clone());
        let runs = self.known.keys().map(RunId::dir).chain(self.pending.iter().map(|(run, _)| run.clone()));
        there.chain(runs.map(|run| run.path().to_owned())).all(|path| self.watcher.watches(&path))
    }

    /// Returns whether any run has changed, where changes are not reported.
    fn any_changed(&self) -> bool {
        let silent = self.known.iter().filter(|(id, _)| !self.watcher.watches(id.dir().path()));
        self.pending.iter().any(|(run, before)| stamp(run, &run.manifest()) != *before)
            || silent.map(|(id, k)| (id.dir(), k)).any(|(run, k)| stamps(&run) != k.stamps)
    }

    /// Starts waiting runs for which a slot is free, unless somebody else does. Rate-limited.
    fn start_queued(&mut self) -> bool {
        if self.started.is_some_and(|at| at.elapsed() < START) {
            return false;
        }
        self.started = Some(Instant::now());
        self.ask_about_jobs();
        gradtop_host::start_queued(&self.path).is_ok_and(|started| !started.is_empty())
    }

    fn ask_about_jobs(&mut self) {
        let has_job = |known: &CachedRun| known.row.view.job.is_some() && !known.row.view.state.is_final();
        let asks = self.asking.as_ref().is_some_and(|thread| !thread.is_finished());
        if asks || !self.known.values().any(has_job) {
            return;
        }
        let path = self.path.clone();
        let ask = move || {
            gradtop_host::refresh_jobs(&path);
        };
        self.asking = std::thread::Builder::new().name("jobs".to_owned()).spawn(ask).ok();
    }

    /// Recovers runs whose processes died. Returns whether there were any.
    fn recover(&self) -> bool {
        self.known.values().any(|k| gradtop_host::recover_unattended(&k.row.view))
    }
}

fn stamps(run: &RunDir) -> Stamps {
    let state = if run.is_queued() { run.turn() } else { run.status() };
    [state, run.notes(), run.events(), run.job_seen()].map(|file| stamp(run, &file))
}

fn stamp(run: &RunDir, file: &Path) -> Option<Stamp> {
    let entry = inside::entry(run, file).ok()?;
    Some((entry.modified, entry.inode, entry.len))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use gradtop_store::{NewRun, RunLock, State, Status, write_status};

    use super::*;
    use crate::app::testing;

    /// Long, but far shorter than [`QUIET`]: anything faster was reported by the system or found by a check.
    const SOON: Duration = Duration::from_secs(5);

    fn born(runs: &Path, experiment: &str, name: &str) -> (RunDir, RunLock) {
        let spec = testing::run(experiment, name, 1);
        let new_run = NewRun::begin(runs, spec.manifest.clone(), false).expect("a folder");
        write_status(new_run.run(), &Status { schema: gradtop_store::SCHEMA, ..Status::default() })
            .expect("written");
        new_run.finish().expect("a free name")
    }

    /// Waits until the runs have these names. Returns that snapshot.
    fn until_names(snapshots: &Receiver<Msg>, wanted: &[&str]) -> Arc<RunsSnapshot> {
        loop {
            let Msg::Runs(runs) = snapshots.recv_timeout(SOON).expect("a look soon") else { continue };
            let mut names: Vec<&str> = runs.rows.iter().map(|row| row.name()).collect();
            names.sort_unstable();
            if names == wanted {
                return runs;
            }
        }
    }

    #[test]
    fn a_folder_that_gets_its_manifest_last_is_waited_for() {
        let temp = tempfile::tempdir().expect("a folder");
        let (run, _lock) = born(temp.path(), "x", "a");
        let manifest = std::fs::read(run.manifest()).expect("read");
        std::fs::remove_file(run.manifest()).expect("removed");
        for (told, folders) in [(false, FolderWatcher::default()), (true, FolderWatcher::start(|| ()))] {
            let mut folder = Folder::new(temp.path().to_owned(), true, folders);
            assert!(folder.read_and_watch().rows.is_empty() && !folder.any_changed());
            assert_eq!(
                (folder.watcher.watches(run.path()), folder.is_watched(&folder.places())),
                (told, told)
            );
            // Half of the file, then all of it.
            std::fs::write(run.manifest(), &manifest[..20]).expect("written");
            assert!(folder.any_changed());
            assert_eq!(folder.read_and_watch().unreadable.len(), 1);
            assert!(!folder.any_changed());
            std::fs::write(run.manifest(), &manifest).expect("written");
            assert!(folder.any_changed());
            assert_eq!(folder.read_and_watch().rows.len(), 1);
            assert!(!folder.any_changed());
            std::fs::remove_file(run.manifest()).expect("removed");
        }
    }

    #[test]
    fn where_nobody_tells_a_status_that_is_replaced_is_seen_at_a_glance() {
        let temp = tempfile::tempdir().expect("a folder");
        let (run, _lock) = born(temp.path(), "x", "a");
        let ended = Status { state: State::Finished, ..Status::default() };
        write_status(&run, &Status { schema: gradtop_store::SCHEMA, ..ended }).expect("written");
        let mut folder = Folder::new(temp.path().to_owned(), true, FolderWatcher::default());
        folder.read_and_watch();
        assert!(!folder.any_changed());
        write_status(&run, &Status { schema: gradtop_store::SCHEMA, ..Status::default() }).expect("written");
        assert!(folder.any_changed());
    }

    #[test]
    fn a_new_run_is_seen_at_once_wherever_it_appears() {
        let temp = tempfile::tempdir().expect("a folder");
        let folder = temp.path().join("not/there/yet");
        let (send, snapshots) = channel();
        let _reader = Reader::start(folder.clone(), true, move |msg| send.send(msg).is_ok());
        until_names(&snapshots, &[]);
        // The first run in a folder that did not exist, another one, and the first of another experiment.
        let (a, a_lock) = born(&folder, "x", "a");
        let seen = until_names(&snapshots, &["a"]);
        assert_eq!(seen.rows[0].view.state, State::Queued, "complete when it is first seen");
        let (_b, _b_lock) = born(&folder, "x", "b");
        until_names(&snapshots, &["a", "b"]);
        let (c, c_lock) = born(&folder, "y", "c");
        until_names(&snapshots, &["a", "b", "c"]);
        // The folder of an experiment disappears with its last run and comes back; so does the runs folder.
        drop((a_lock, c_lock));
        std::fs::remove_dir_all(c.path().parent().expect("below exp=y")).expect("removed");
        until_names(&snapshots, &["a", "b"]);
        let _d = born(&folder, "y", "d");
        until_names(&snapshots, &["a", "b", "d"]);
        std::fs::remove_dir_all(a.path().ancestors().nth(3).expect("not/there")).expect("removed");
        until_names(&snapshots, &[]);
        let _e = born(&folder, "x", "e");
        until_names(&snapshots, &["e"]);
    }
}
