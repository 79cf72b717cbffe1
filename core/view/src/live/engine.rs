//! Reads all watched runs in the background and publishes snapshots for screens.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use gradtop_store::FolderWatcher;

use super::feed::{Feed, POLL_ENDED};
use super::pyramid::Bucket;
use super::{LiveSnapshot, WatchRequest};
use crate::runs::RunId;

/// Niceness of the reading thread.
const NICE: i32 = 5;
/// How long a run that is no longer watched is kept.
const GRACE: Duration = Duration::from_secs(5);
/// How often live runs are polled.
const POLL_LIVE: Duration = Duration::from_millis(50);
/// How long to read before publishing a snapshot and handling requests.
const READ_BUDGET: Duration = Duration::from_millis(40);
/// Minimum time between snapshots while there is more to read.
const PUBLISH_EVERY: Duration = Duration::from_millis(60);
/// Memory for all series in bytes; half of it is for smoothing and zoomed details.
const MEMORY_BYTES: usize = 40 << 20;
/// Minimum and maximum number of buckets per series.
const BUCKETS_PER_SERIES: (usize, usize) = (512, 8192);

/// Reads watched runs on a separate thread.
#[derive(Debug)]
pub struct Engine {
    requests: Sender<Message>,
}

/// Messages to the reading thread.
#[derive(Debug)]
enum Message {
    /// Watch these runs from now on.
    Watch(Vec<WatchRequest>),
    /// An ended run was written to.
    Written,
    /// The engine was dropped.
    End,
}

impl Engine {
    /// Starts the thread; `send` receives each new snapshot and returns whether anybody is still listening.
    pub fn start(send: impl Fn(Arc<LiveSnapshot>) -> bool + Send + 'static) -> Self {
        let (requests, messages) = channel();
        let thread = std::thread::Builder::new().name("live".to_owned());
        let tell = requests.clone();
        // Without the thread nothing is read, and screens show that there is no data yet.
        drop(thread.spawn(move || {
            // Drawing and input have priority. On Linux this affects only this thread; failure is harmless.
            rustix::process::setpriority_process(None, NICE).ok();
            serve(&messages, FolderWatcher::start(move || drop(tell.send(Message::Written))), send);
        }));
        Self { requests }
    }

    /// Replaces the set of watched runs.
    pub fn watch(&self, requests: Vec<WatchRequest>) {
        drop(self.requests.send(Message::Watch(requests)));
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.requests.send(Message::End));
    }
}

/// All watched runs.
#[derive(Default)]
pub struct WatchedRuns {
    feeds: HashMap<RunId, (Feed, Option<Instant>)>,
}

/// The result of [`WatchedRuns::work`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WorkResult {
    /// Whether the snapshot has changed.
    pub changed: bool,
    /// When to work again; `None` to wait for the next request.
    pub next: Option<Duration>,
}

impl WatchedRuns {
    /// Creates an empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what is watched; requests for the same run are combined.
    pub fn watch(&mut self, requests: Vec<WatchRequest>, now: Instant) {
        for (_, since) in self.feeds.values_mut() {
            since.get_or_insert(now);
        }
        let mut whole: HashMap<RunId, WatchRequest> = HashMap::new();
        for request in requests {
            match whole.entry(request.run.clone()) {
                std::collections::hash_map::Entry::Occupied(mut e) => e.get_mut().join(request),
                std::collections::hash_map::Entry::Vacant(e) => {
                    e.insert(request);
                }
            }
        }
        let cap = self.cap();
        for (id, request) in whole {
            let (feed, since) =
                self.feeds.entry(id).or_insert_with(|| (Feed::new(request.clone(), cap), None));
            *since = None;
            feed.set_request(request);
        }
    }

    /// Returns the number of buckets per series that keeps all within the memory limit.
    fn cap(&self) -> usize {
        let held: usize = self.feeds.values().map(|(f, _)| f.series_count()).sum();
        (MEMORY_BYTES / 2 / size_of::<Bucket>() / held.max(1))
            .clamp(BUCKETS_PER_SERIES.0, BUCKETS_PER_SERIES.1)
    }

    /// Reads for about `budget`.
    pub fn work(&mut self, now: Instant, budget: Duration) -> WorkResult {
        let before = self.feeds.len();
        self.feeds.retain(|_, (_, since)| since.is_none_or(|s| now.saturating_duration_since(s) < GRACE));
        let gone = before != self.feeds.len();
        let share = budget / u32::try_from(self.feeds.len().max(1)).unwrap_or(u32::MAX);
        let mut more = false;
        let mut alive = false;
        for (feed, _) in self.feeds.values_mut().filter(|(_, since)| since.is_none()) {
            more |= feed.work(now, Instant::now() + share);
            alive |= feed.alive();
        }
        // Includes newly found series, so that the result does not depend on how often runs are polled.
        let cap = self.cap();
        self.feeds.values_mut().for_each(|(feed, _)| feed.set_cap(cap));
        let next = if more {
            Some(Duration::ZERO)
        } else if alive {
            Some(POLL_LIVE)
        } else {
            (!self.feeds.is_empty()).then_some(POLL_ENDED)
        };
        WorkResult { changed: gone || self.feeds.values().any(|(f, _)| f.changed()), next }
    }

    /// Returns the folders in which ended runs may be written to, if only such runs are watched.
    fn ended(&self) -> Vec<PathBuf> {
        if self.feeds.values().any(|(feed, since)| feed.alive() || since.is_some()) {
            return Vec::new();
        }
        self.feeds
            .keys()
            .map(RunId::dir)
            .flat_map(|run| [run.path().to_owned(), run.metrics(), run.tables()])
            .collect()
    }

    /// Returns a snapshot of everything known.
    pub fn snapshot(&mut self) -> Arc<LiveSnapshot> {
        let runs = self.feeds.iter_mut().map(|(id, (f, _))| (id.clone(), f.data())).collect();
        Arc::new(LiveSnapshot { runs })
    }
}

/// Reads what is requested until the requests end, or until `deliver` returns that nobody is listening.
fn serve(
    messages: &Receiver<Message>,
    mut watcher: FolderWatcher,
    deliver: impl Fn(Arc<LiveSnapshot>) -> bool,
) {
    let mut runs = WatchedRuns::default();
    let mut due: Option<Instant> = None;
    let mut delivered: Option<Instant> = None;
    // The watched folders of ended runs, and when a change was last reported.
    let (mut folders, mut heard) = (Vec::new(), Instant::now());
    loop {
        let first = match due {
            None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => messages.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        let (mut newest, woken) = (None, first.is_ok());
        for message in first.into_iter().chain(messages.try_iter()) {
            match message {
                // Only the newest request counts.
                Message::Watch(requests) => newest = Some(requests),
                Message::Written => heard = Instant::now(),
                Message::End => return,
            }
        }
        let start = Instant::now();
        match newest {
            Some(newest) => runs.watch(newest, start),
            // Notifications do not make polling more frequent.
            None if woken => {
                due.get_or_insert(start + POLL_ENDED);
                continue;
            }
            None => {}
        }
        let left = runs.work(start, READ_BUDGET);
        // Publish the first and last snapshot of a long read at once, others at intervals.
        let busy = left.next == Some(Duration::ZERO);
        let now = !busy || delivered.is_none_or(|d| d.elapsed() >= PUBLISH_EVERY);
        if left.changed && now {
            if !deliver(runs.snapshot()) {
                return;
            }
            delivered = Some(Instant::now());
        }
        if !busy {
            delivered = None;
        }
        let quiet = left.next == Some(POLL_ENDED);
        let ended = if quiet { runs.ended() } else { Vec::new() };
        if ended != folders {
            (folders, heard) = (ended, Instant::now());
            watcher.retain(|path| folders.iter().any(|folder| folder == path));
        }
        let all = folders.iter().fold(!folders.is_empty(), |all, folder| watcher.watch(folder) && all);
        // Polled since the last notification, so wait for the next one.
        let next = left.next.filter(|_| !all || start < heard + POLL_ENDED);
        due = next.map(|wait| Instant::now() + wait);
    }
}
