//! Reads the folder of runs when something in it changes, and slowly all the time for file systems that do not tell.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

use gradtop_store::{RunDir, State, inside};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::app::Msg;
use crate::app::runs::{RunId, RunRow, RunsSnapshot};

/// Time between two looks, while things change.
const BUSY: Duration = Duration::from_millis(200);
/// Time between two looks while something runs and nothing is told.
const LIVE: Duration = Duration::from_secs(2);
/// Time between two looks otherwise.
const QUIET: Duration = Duration::from_secs(10);

/// The thread that reads.
pub(super) struct Reader {
    wake: Sender<()>,
}

/// Makes the reader look now.
#[derive(Clone)]
pub(super) struct Waker(Sender<()>);

impl Waker {
    /// Look now.
    pub(super) fn wake(&self) {
        self.0.send(()).ok();
    }
}

impl Reader {
    /// Starts it. `send` gets each new snapshot.
    pub(super) fn start(
        folder: PathBuf,
        read_only: bool,
        send: impl Fn(Msg) -> bool + Send + 'static,
    ) -> Self {
        let (wake, woken) = channel();
        let told = wake.clone();
        let read = move || {
            let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                // Opening and reading are our own doing.
                if event.is_ok_and(|e| !matches!(e.kind, EventKind::Access(_))) {
                    told.send(()).ok();
                }
            });
            Folder::new(folder, read_only, watcher.ok()).follow(&woken, &send);
        };
        let spawned = std::thread::Builder::new().name("runs".to_owned()).spawn(read);
        drop(spawned);
        Self { wake }
    }

    /// A way to make it look now.
    pub(super) fn waker(&self) -> Waker {
        Waker(self.wake.clone())
    }
}

/// The runs as they are now.
pub(super) fn look(folder: &Path) -> RunsSnapshot {
    Folder::new(folder.to_owned(), true, None).look()
}

/// When a file was last replaced.
type Stamp = (SystemTime, u64, u64);

struct Known {
    stamp: Option<Stamp>,
    row: Arc<RunRow>,
}

struct Folder {
    path: PathBuf,
    read_only: bool,
    watcher: Option<RecommendedWatcher>,
    watched: HashSet<PathBuf>,
    known: HashMap<RunId, Known>,
}

impl Folder {
    fn new(path: PathBuf, read_only: bool, watcher: Option<RecommendedWatcher>) -> Self {
        Self { path, read_only, watcher, watched: HashSet::new(), known: HashMap::new() }
    }

    fn follow(&mut self, woken: &Receiver<()>, send: &dyn Fn(Msg) -> bool) {
        let mut before: Option<RunsSnapshot> = None;
        loop {
            let start = Instant::now();
            let snapshot = self.look();
            let live = snapshot.rows.iter().any(|r| r.live());
            let same = before.as_ref().is_some_and(|b| {
                b.unreadable == snapshot.unreadable
                    && b.rows.len() == snapshot.rows.len()
                    && b.rows.iter().zip(&snapshot.rows).all(|(a, b)| Arc::ptr_eq(a, b))
            });
            if !same {
                before = Some(snapshot.clone());
                if !send(Msg::Runs(Arc::new(snapshot))) {
                    return;
                }
            }
            if !self.read_only && self.recover() {
                continue;
            }
            match woken.recv_timeout(if live { LIVE } else { QUIET }) {
                Ok(()) => {
                    // Changes come in bursts.
                    std::thread::sleep(BUSY.saturating_sub(start.elapsed()));
                    while woken.try_recv().is_ok() {}
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look(&mut self) -> RunsSnapshot {
        self.watch(self.path.clone());
        let mut rows = Vec::new();
        let mut unreadable = Vec::new();
        let mut known = HashMap::new();
        for run in gradtop_store::list_runs(&self.path) {
            if let Some(parent) = run.path().parent() {
                self.watch(parent.to_owned());
            }
            self.watch(run.path().to_owned());
            let id = RunId::new(&run);
            match self.row(&run, &id) {
                Ok(found) => {
                    rows.push(Arc::clone(&found.row));
                    known.insert(id, found);
                }
                Err(e) => unreadable.push((run.path().to_owned(), e.to_string())),
            }
        }
        self.known = known;
        RunsSnapshot::new(self.path.clone(), rows, unreadable)
    }

    /// A run that has ended and whose status is the same file is not read again.
    fn row(&mut self, run: &RunDir, id: &RunId) -> gradtop_store::Result<Known> {
        let now = stamp(run);
        let before = self.known.remove(id);
        if let Some(known) = before.as_ref().filter(|k| k.stamp == now && k.row.view.status.state.is_final())
        {
            return Ok(Known { stamp: now, row: Arc::clone(&known.row) });
        }
        let mut view = gradtop_store::view(run)?;
        if let Some(known) = before {
            // The age grows by itself; it is told where it is of interest, of runs elsewhere.
            let age = view.age_of_last_write;
            if view.certain {
                view.age_of_last_write = known.row.view.age_of_last_write;
            }
            if view == known.row.view {
                return Ok(Known { stamp: now, row: known.row });
            }
            view.age_of_last_write = age;
        }
        let ended_early = view.state.is_final() && view.state != State::Finished;
        let saved = ended_early && !gradtop_store::checkpoints(run).is_empty();
        Ok(Known { stamp: now, row: Arc::new(RunRow { id: id.clone(), view, saved }) })
    }

    /// Tells the system to tell; what it refuses is seen by looking.
    fn watch(&mut self, path: PathBuf) {
        let Some(watcher) = &mut self.watcher else { return };
        if !self.watched.contains(&path) && watcher.watch(&path, RecursiveMode::NonRecursive).is_ok() {
            self.watched.insert(path);
        }
    }

    /// Does what dead processes left undone; true if there was something.
    fn recover(&self) -> bool {
        self.known
            .values()
            .filter(|k| k.row.view.is_unattended())
            .any(|k| gradtop_host::recover_crashed(&k.row.view.dir).unwrap_or(false))
    }
}

fn stamp(run: &RunDir) -> Option<Stamp> {
    let entry = inside::entry(run, &run.status()).ok()?;
    Some((entry.modified, entry.inode, entry.len))
}
