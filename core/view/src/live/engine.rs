//! All runs that are watched: who is read when, and the snapshot that screens get.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use gradtop_store::ToldOf;

use super::feed::{Feed, GLANCE};
use super::pyramid::Bucket;
use super::{LiveSnapshot, WatchRequest};
use crate::runs::RunId;

/// How much the reading thread holds back.
const NICE: i32 = 5;
/// A run that nobody watches any more is forgotten after so long.
const GRACE: Duration = Duration::from_secs(5);
/// Living runs are looked at so often.
const POLL: Duration = Duration::from_millis(50);
/// Reading pauses after so long for the snapshot and for new requests.
const SLICE: Duration = Duration::from_millis(40);
/// While there is more to read, snapshots are at least so far apart.
const APART: Duration = Duration::from_millis(60);
/// Memory for all series together, bytes; half of it is for smoothing and close looks.
const MEMORY: usize = 40 << 20;
/// Buckets of a series at least and at most.
const CAP: (usize, usize) = (512, 8192);

/// Reads what is watched, on a thread of its own.
#[derive(Debug)]
pub struct Engine {
    requests: Sender<Asked>,
}

/// What wakes the reading thread.
#[derive(Debug)]
enum Asked {
    /// This is watched from now on.
    Watch(Vec<WatchRequest>),
    /// Somebody writes into a run that has ended.
    Written,
    /// Nobody asks any more.
    End,
}

impl Engine {
    /// Starts it; `send` gets each new snapshot and says whether anybody listens still.
    pub fn start(send: impl Fn(Arc<LiveSnapshot>) -> bool + Send + 'static) -> Self {
        let (requests, asked) = channel();
        let thread = std::thread::Builder::new().name("live".to_owned());
        let tell = requests.clone();
        // Without the thread nothing is ever read, and the screens say so: there is no data yet.
        drop(thread.spawn(move || {
            // Who draws and answers keys goes first where processors are short. On Linux this is of the thread alone; where it
            // cannot be had, all are equal.
            rustix::process::setpriority_process(None, NICE).ok();
            serve(&asked, ToldOf::start(move || drop(tell.send(Asked::Written))), send);
        }));
        Self { requests }
    }

    /// What to read from now on, instead of what was asked for before.
    pub fn watch(&self, requests: Vec<WatchRequest>) {
        drop(self.requests.send(Asked::Watch(requests)));
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.requests.send(Asked::End));
    }
}

/// All watched runs.
#[derive(Default)]
pub struct Runs {
    feeds: HashMap<RunId, (Feed, Option<Instant>)>,
}

/// What [`Runs::work`] leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Left {
    /// The snapshot is not what it was.
    pub changed: bool,
    /// When to work again; `None`: when something else is asked for.
    pub next: Option<Duration>,
}

impl Runs {
    /// Nothing is watched yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is watched from now on; requests for one run are put together.
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
            feed.ask(request);
        }
    }

    /// Buckets a series may have so that all together stay within bounds.
    fn cap(&self) -> usize {
        let held: usize = self.feeds.values().map(|(f, _)| f.held()).sum();
        (MEMORY / 2 / size_of::<Bucket>() / held.max(1)).clamp(CAP.0, CAP.1)
    }

    /// Reads for about `budget`.
    pub fn work(&mut self, now: Instant, budget: Duration) -> Left {
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
        // With what was found now: what is shown must not depend on how often it was looked.
        let cap = self.cap();
        self.feeds.values_mut().for_each(|(feed, _)| feed.set_cap(cap));
        let next = if more {
            Some(Duration::ZERO)
        } else if alive {
            Some(POLL)
        } else {
            (!self.feeds.is_empty()).then_some(GLANCE)
        };
        Left { changed: gone || self.feeds.values().any(|(f, _)| f.changed()), next }
    }

    /// Where others may write into runs that have ended, if only such are watched.
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

    /// Everything known, as of now.
    pub fn snapshot(&mut self) -> Arc<LiveSnapshot> {
        let runs = self.feeds.iter_mut().map(|(id, (f, _))| (id.clone(), f.data())).collect();
        Arc::new(LiveSnapshot { runs })
    }
}

/// Reads what is asked for until nobody can ask any more, or `deliver` says that nobody listens.
fn serve(asked: &Receiver<Asked>, mut told: ToldOf, deliver: impl Fn(Arc<LiveSnapshot>) -> bool) {
    let mut runs = Runs::new();
    let mut due: Option<Instant> = None;
    let mut delivered: Option<Instant> = None;
    // What of runs that have ended is told of, and when something was told last.
    let (mut folders, mut heard) = (Vec::new(), Instant::now());
    loop {
        let first = match due {
            None => asked.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => asked.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        let (mut newest, woken) = (None, first.is_ok());
        for asked in first.into_iter().chain(asked.try_iter()) {
            match asked {
                // Only the newest counts.
                Asked::Watch(requests) => newest = Some(requests),
                Asked::Written => heard = Instant::now(),
                Asked::End => return,
            }
        }
        let start = Instant::now();
        match newest {
            Some(newest) => runs.watch(newest, start),
            // It is looked at no more often for being told of.
            None if woken => {
                due.get_or_insert(start + GLANCE);
                continue;
            }
            None => {}
        }
        let left = runs.work(start, SLICE);
        // The first and the last of a long reading at once, those between now and then.
        let busy = left.next == Some(Duration::ZERO);
        let now = !busy || delivered.is_none_or(|d| d.elapsed() >= APART);
        if left.changed && now {
            if !deliver(runs.snapshot()) {
                return;
            }
            delivered = Some(Instant::now());
        }
        if !busy {
            delivered = None;
        }
        let quiet = left.next == Some(GLANCE);
        let ended = if quiet { runs.ended() } else { Vec::new() };
        if ended != folders {
            (folders, heard) = (ended, Instant::now());
            told.keep(|path| folders.iter().any(|folder| folder == path));
        }
        let all = folders.iter().fold(!folders.is_empty(), |all, folder| told.watch(folder) && all);
        // Looked at since: what comes from now on is told.
        let next = left.next.filter(|_| !all || start < heard + GLANCE);
        due = next.map(|wait| Instant::now() + wait);
    }
}
