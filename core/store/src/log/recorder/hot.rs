//! The data that the training thread touches: points are appended to preallocated chunks in memory.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::time::Duration;

use crate::error::Result;

/// Maximum number of points in a chunk.
const POINTS: usize = 32_768;
/// Maximum number of calls in a chunk.
const CALLS: usize = 8_192;
/// Number of chunks allocated at the start, about 5 MiB.
const READY: usize = 8;

/// The common values of all points of one call of `log`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) step: i64,
    pub(super) epoch: f64,
    /// Microseconds since 1970, UTC.
    pub(super) time: i64,
    /// Number of points in the call.
    pub(super) points: u32,
}

/// A block of memory filled by the training thread and emptied by the writer.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// Time of the first call, by the recorder's clock; the logged time may be earlier.
    since: i64,
    pub(super) calls: Vec<Call>,
    pub(super) series: Vec<u32>,
    pub(super) values: Vec<f64>,
}

impl Chunk {
    /// Creates an empty chunk whose pages are all resident: a page fault costs more than a call may take.
    pub(super) fn touched() -> Self {
        let call = Call { step: 0, epoch: 0.0, time: 0, points: 0 };
        let mut chunk =
            Self { since: 0, calls: vec![call; CALLS], series: vec![1; POINTS], values: vec![1.0; POINTS] };
        chunk.clear();
        chunk
    }

    pub(super) fn clear(&mut self) {
        self.calls.clear();
        self.series.clear();
        self.values.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}

/// A command to the writer.
pub(super) enum Command {
    /// Write everything to the journal, end the segment and sync it; the answer is its number.
    Cut(Sender<Result<u32>>),
    /// Seal everything and end.
    Finish(Sender<Result<()>>),
    /// Write everything to the journal and end.
    Close,
}

/// The last point of a series.
#[derive(Debug, Clone, Copy, Default)]
struct Latest {
    step: i64,
    value: f64,
    any: bool,
}

/// State shared by the training thread and the writer, under one lock that is held only briefly.
pub(super) struct Hot {
    current: Chunk,
    full: VecDeque<Chunk>,
    free: Vec<Chunk>,
    latest: Vec<Latest>,
    pub(super) commands: VecDeque<Command>,
    /// Number of points logged.
    pub(super) logged: u64,
    /// Number of points that would survive a kill.
    pub(super) recorded: u64,
    /// How long the training thread has waited for the disk.
    pub(super) wait: Duration,
    /// Whether the writer sleeps until it is woken.
    pub(super) asleep: bool,
    /// Whether logging no longer waits for the disk, however much is in memory.
    pub(super) hurried: bool,
    /// Whether no more points are accepted.
    pub(super) closed: bool,
    pub(super) ended: bool,
}

impl Hot {
    pub(super) fn new(series: usize) -> Self {
        Self {
            current: Chunk::touched(),
            full: VecDeque::with_capacity(64),
            free: (1..READY).map(|_| Chunk::touched()).collect(),
            latest: vec![Latest::default(); series],
            commands: VecDeque::new(),
            logged: 0,
            recorded: 0,
            wait: Duration::ZERO,
            asleep: false,
            hurried: false,
            closed: false,
            ended: false,
        }
    }

    /// Makes room for `count` series.
    pub(super) fn add_series(&mut self, count: usize) {
        if count > self.latest.len() {
            self.latest.resize(count, Latest::default());
        }
    }

    pub(super) fn latest(&self, series: u32) -> Option<(i64, f64)> {
        self.latest.get(series as usize).filter(|l| l.any).map(|l| (l.step, l.value))
    }

    /// Appends the points of a call made at `now`. Returns whether the writer should be woken.
    pub(super) fn record(
        &mut self,
        call: Call,
        now: i64,
        points: impl IntoIterator<Item = (u32, f64)>,
    ) -> bool {
        let step = call.step;
        let mut wake = self.asleep;
        self.asleep = false;
        if self.current.calls.len() == CALLS {
            self.rotate();
            wake = true;
        }
        if self.current.calls.is_empty() {
            self.current.since = now;
        }
        self.current.calls.push(call);
        let mut begun = self.current.series.len();
        for (series, value) in points {
            let Some(latest) = self.latest.get_mut(series as usize) else { continue };
            *latest = Latest { step, value, any: true };
            if self.current.series.len() == POINTS {
                self.end_call(begun);
                self.rotate();
                self.current.since = now;
                self.current.calls.push(call);
                begun = 0;
                wake = true;
            }
            self.current.series.push(series);
            self.current.values.push(value);
        }
        self.end_call(begun);
        wake
    }

    /// Sets the number of points of the last call once it is known.
    fn end_call(&mut self, begun: usize) {
        let points = self.current.series.len() - begun;
        self.logged += points as u64;
        if points == 0 {
            self.current.calls.pop();
        } else if let Some(call) = self.current.calls.last_mut() {
            call.points = points as u32;
        }
    }

    fn rotate(&mut self) {
        let empty = self.free.pop().unwrap_or_else(Chunk::touched);
        self.full.push_back(std::mem::replace(&mut self.current, empty));
    }

    /// Returns the number of points that are only in memory.
    pub(super) fn behind(&self) -> u64 {
        self.logged - self.recorded
    }

    /// Returns the number of points not yet taken by the writer.
    pub(super) fn waiting(&self) -> usize {
        self.full.iter().map(|c| c.series.len()).sum::<usize>() + self.current.series.len()
    }

    pub(super) fn has_full(&self) -> bool {
        !self.full.is_empty()
    }

    /// Returns the log time of the oldest point not yet taken.
    pub(super) fn waiting_oldest(&self) -> Option<i64> {
        let oldest = self.full.front().unwrap_or(&self.current);
        (!oldest.calls.is_empty()).then_some(oldest.since)
    }

    /// Takes everything logged so far, oldest first.
    pub(super) fn take(&mut self) -> Vec<Chunk> {
        if !self.current.is_empty() {
            self.rotate();
        }
        self.full.drain(..).collect()
    }

    /// Returns emptied chunks. Keeps as many as were ever needed at a time, up to 64.
    pub(super) fn give_back(&mut self, chunks: Vec<Chunk>) {
        let room = 64usize.saturating_sub(self.free.len());
        self.free.extend(chunks.into_iter().take(room));
    }
}
