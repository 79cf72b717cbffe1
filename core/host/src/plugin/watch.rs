//! Watches for plugins that appear, change and disappear, for a long-lived screen.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gradtop_store::FolderWatcher;

use crate::error::Refusal;
use crate::plugin::desc::PluginDesc;
use crate::plugin::describe::describe_since;
use crate::plugin::discover::{self, Discovery, Origin, REST};

/// How often to list the folders without notification: if notifications are unavailable, as on network file systems,
/// and if they are available.
const POLL: Duration = Duration::from_secs(1);
const WATCHED: Duration = Duration::from_mins(1);
/// Delay before the folders are listed, because a linker writes many times.
const GATHER: Duration = Duration::from_millis(50);
/// Number of files described at the same time. One that has taken longer than [`SLOW`] no longer counts, as it is
/// waiting rather than working.
const AT_ONCE: usize = 4;
const SLOW: Duration = Duration::from_secs(1);
/// How often to ask again a refused plugin whose problem may have passed.
const AGAIN: Duration = Duration::from_secs(30);

/// The plugins at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PluginsNow {
    /// The current result. A changed file keeps its old description until the new one is ready.
    pub found: Discovery,
    /// New and changed files being described, with why their folders were searched.
    pub pending: Vec<(PathBuf, Origin)>,
}

/// Watches the search path until it is dropped.
#[derive(Debug)]
pub struct PluginWatch {
    send: Sender<News>,
    thread: Option<JoinHandle<()>>,
}

impl PluginWatch {
    /// Starts watching [`crate::plugin::discover::search_path`]. `report` is called on the watching thread with the
    /// current plugins, immediately and after each change; it must not block. Plugins are described in separate
    /// processes, so one that hangs or crashes delays nothing and is listed as refused.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(report: impl FnMut(PluginsNow) + Send + 'static) -> std::io::Result<Self> {
        Self::of(discover::folders(), report)
    }

    fn of(
        folders: Vec<(PathBuf, Origin)>,
        report: impl FnMut(PluginsNow) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (send, receive) = mpsc::channel();
        let own = send.clone();
        let thread = std::thread::Builder::new()
            .name("plugins".to_owned())
            .spawn(move || Watching::new(folders, own).run(&receive, report))?;
        Ok(Self { send, thread: Some(thread) })
    }
}

impl Drop for PluginWatch {
    fn drop(&mut self) {
        self.send.send(News::End).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

#[derive(Debug)]
enum News {
    Changed,
    Described(PathBuf, Identity, Box<Answer>),
    End,
}

type Answer = Result<PluginDesc, Refusal>;
type Identity = (u64, i128);

struct Known {
    identity: Identity,
    /// When this identity was first seen.
    since: Instant,
    progress: Progress,
    /// Its last answer, possibly from before it changed.
    answer: Option<Answer>,
}

#[derive(Clone, Copy, PartialEq)]
enum Progress {
    /// New or changed: waiting until it is stable.
    Resting,
    /// Being described, since when.
    Asked(Instant),
    /// Described, since when.
    Known(Instant),
}

struct Watching {
    folders: Vec<(PathBuf, Origin)>,
    watcher: FolderWatcher,
    send: Sender<News>,
    /// The existing files, in search order.
    files: Vec<(PathBuf, Origin)>,
    known: HashMap<PathBuf, Known>,
}

impl Watching {
    fn new(folders: Vec<(PathBuf, Origin)>, send: Sender<News>) -> Self {
        let tell = send.clone();
        let watcher = FolderWatcher::start(move || drop(tell.send(News::Changed)));
        Self { folders, watcher, send, files: Vec::new(), known: HashMap::new() }
    }

    fn run(mut self, receive: &Receiver<News>, mut report: impl FnMut(PluginsNow)) {
        let mut said: Option<PluginsNow> = None;
        let mut list_at = Instant::now();
        loop {
            if Instant::now() >= list_at {
                // Watch before listing, so that later changes are reported.
                let watched =
                    self.folders.iter().fold(true, |all, (folder, _)| self.watcher.watch(folder) && all);
                self.list();
                list_at = Instant::now() + if watched { WATCHED } else { POLL };
            }
            let rested = self.ask();
            let now = self.now();
            if said.as_ref() != Some(&now) {
                report(now.clone());
                said = Some(now);
            }
            let wake = rested.map_or(list_at, |r| r.min(list_at));
            match receive.recv_timeout(wake.saturating_duration_since(Instant::now())) {
                Ok(News::Changed) => list_at = list_at.min(Instant::now() + GATHER),
                Ok(News::Described(path, identity, answer)) => self.described(&path, identity, *answer),
                Ok(News::End) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn list(&mut self) {
        self.files = discover::files(&self.folders);
        let mut known = std::mem::take(&mut self.known);
        for (path, _) in &self.files {
            let Ok(identity) = crate::machine::file::identity(path) else { continue };
            let mut file = known.remove(path).unwrap_or_else(|| Known {
                identity,
                since: Instant::now(),
                progress: Progress::Resting,
                answer: None,
            });
            if file.identity != identity {
                file = Known { identity, since: Instant::now(), progress: Progress::Resting, ..file };
            }
            self.known.insert(path.clone(), file);
        }
        self.files.retain(|(path, _)| self.known.contains_key(path));
    }

    /// Describes the files that are stable; returns when the next one is due.
    fn ask(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let working = |k: &&Known| matches!(k.progress, Progress::Asked(at) if now - at < SLOW);
        let mut free = AT_ONCE.saturating_sub(self.known.values().filter(working).count());
        let mut next: Option<Instant> = None;
        for (path, _) in &self.files {
            let Some(file) = self.known.get_mut(path) else { continue };
            let passing = matches!(&file.answer, Some(Err(refusal)) if refusal.may_pass());
            let mut due = match file.progress {
                Progress::Known(at) if passing => at + AGAIN,
                Progress::Resting if discover::age(path).is_none_or(|age| age < REST) => file.since + REST,
                Progress::Resting => now,
                _ => continue,
            };
            if due <= now && free == 0 {
                // A slot is free when an answer arrives or the file counts as slow.
                due = now + SLOW;
            }
            if due > now {
                next = Some(next.map_or(due, |n| n.min(due)));
                continue;
            }
            free -= 1;
            file.progress = Progress::Asked(now);
            let (send, path, identity) = (self.send.clone(), path.clone(), file.identity);
            let asked = std::thread::Builder::new().name("describe".to_owned()).spawn(move || {
                let answer = describe_since(&path, None);
                send.send(News::Described(path, identity, Box::new(answer))).ok();
            });
            if asked.is_err() {
                file.progress = Progress::Resting;
            }
        }
        next
    }

    fn described(&mut self, path: &Path, identity: Identity, answer: Answer) {
        // Ignore the answer if the file has changed or disappeared in the meantime.
        if let Some(file) = self.known.get_mut(path).filter(|f| f.identity == identity) {
            file.answer = Some(answer);
            file.progress = Progress::Known(Instant::now());
        }
    }

    fn now(&self) -> PluginsNow {
        let mut now = PluginsNow::default();
        for (path, origin) in &self.files {
            let Some(file) = self.known.get(path) else { continue };
            match &file.answer {
                Some(answer) => discover::take(&mut now.found, path, *origin, answer.clone()),
                None => now.pending.push((path.clone(), *origin)),
            }
        }
        now
    }
}
