//! The sealer thread: from ended segments to Parquet, and from many parts to few.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::disk::inside;
use crate::error::{IoContext as _, Result, StoreError};
use crate::log::checkpoint::boundaries;
use crate::log::merge::{Policy, merge};
use crate::log::part::{list_parts, segment_name};
use crate::log::rows::Rows;
use crate::log::seal::{seal, seal_from_journal};
use crate::log::series::KeyTable;
use crate::sealed::merged::Metrics;

use super::shared::Shared;
use super::trouble::Who;

/// Segments in memory at most; further ones are read back from their journals.
const IN_MEMORY: usize = 3;

/// An ended segment.
pub(super) struct Segment {
    pub(super) number: u32,
    /// `None`: in its journal.
    pub(super) rows: Option<Arc<Rows>>,
    /// Whether its journal has all its rows.
    pub(super) journaled: bool,
}

/// The writer's end of the sealer.
pub(super) struct Sealer {
    jobs: Option<Sender<Segment>>,
    queued: Arc<AtomicUsize>,
    /// Closed once the last segment is sealed, well or not, and only merging is left.
    sealed: Receiver<Infallible>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Sealer {
    pub(super) fn start(shared: Arc<Shared>) -> Result<Self> {
        let (jobs, receiver) = channel();
        let (sealing, sealed) = channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&queued);
        let path = shared.run.metrics();
        let thread = std::thread::Builder::new()
            .name("log-sealer".into())
            .spawn(move || run(&shared, &receiver, &counter, sealing))
            .at("start a thread for", &path)?;
        Ok(Self { jobs: Some(jobs), queued, sealed, thread: Some(thread) })
    }

    /// Hands over an ended segment.
    pub(super) fn seal(&self, mut segment: Segment) {
        let waiting = self.queued.fetch_add(1, Ordering::Relaxed);
        if segment.journaled && waiting >= IN_MEMORY {
            segment.rows = None;
        }
        if let Some(jobs) = &self.jobs {
            // A sealer that died reports so at the end; the rows are in the journal.
            jobs.send(segment).ok();
        }
    }

    /// Says that no segment will follow.
    pub(super) fn close(&mut self) {
        self.jobs = None;
    }

    /// After [`Self::close`]: whether every segment has been sealed, or has failed to be, within `limit`.
    pub(super) fn has_sealed(&self, limit: Duration) -> bool {
        self.sealed.recv_timeout(limit) == Err(RecvTimeoutError::Disconnected)
    }

    /// Seals what is left, merges, and ends the thread.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.close();
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(StoreError::Writer("the sealing thread panicked".to_owned())),
        }
    }
}

fn run(
    shared: &Shared,
    jobs: &Receiver<Segment>,
    queued: &AtomicUsize,
    sealing: Sender<Infallible>,
) -> Result<()> {
    let mut failed: Vec<Segment> = Vec::new();
    while let Ok(segment) = jobs.recv() {
        failed.push(segment);
        let sealed = seal_all(shared, &mut failed);
        shared.troubles.note(Who::Sealer, &sealed);
        if sealed.is_ok() {
            // Parts that cannot be merged are whole as they are; recovery merges them another time.
            merge_parts(shared, false).ok();
        }
        queued.fetch_sub(1, Ordering::Relaxed);
    }
    shared.troubles.persist(Who::Sealer, || seal_all(shared, &mut failed))?;
    drop(sealing);
    merge_parts(shared, true).ok();
    Ok(())
}

/// Seals the segments given, and keeps those that could not be. Their rows stay in memory only if the journal lacks some.
fn seal_all(shared: &Shared, segments: &mut Vec<Segment>) -> Result<()> {
    let mut result = Ok(());
    let table = names(shared);
    for segment in std::mem::take(segments) {
        let path = shared.run.journal().join(segment_name(segment.number));
        let sealed = match &segment.rows {
            Some(rows) => seal(&shared.run, segment.number, rows, &table),
            None if inside::exists(&shared.run, &path) => {
                seal_from_journal(&shared.run, segment.number, &table).map(drop)
            }
            None => Ok(()),
        };
        if let Err(e) = sealed {
            let Segment { number, rows, journaled } = segment;
            let rows = rows.filter(|_| !journaled || !inside::exists(&shared.run, &path));
            segments.push(Segment { number, rows, journaled });
            result = Err(e);
        }
    }
    result
}

/// The series' names, as a table of its own: sealing takes longer than the training thread should wait.
fn names(shared: &Shared) -> KeyTable {
    let all = shared.series.lock().all().to_vec();
    let mut table = KeyTable::default();
    for (key, _) in &all {
        table.intern(key, None);
    }
    table
}

fn merge_parts(shared: &Shared, last: bool) -> Result<()> {
    let run = &shared.run;
    let least = if last { 2 } else { shared.options.merge_parts };
    if list_parts(run, &run.metrics())?.len() < least {
        return Ok(());
    }
    // Pending first: a checkpoint is in both for a moment, never in neither.
    let mut borders: BTreeSet<u32> = shared.pending.lock().segment.into_iter().collect();
    borders.extend(boundaries(run));
    let policy = Policy { rows: shared.options.merge_rows, ..Policy::new(least, last) };
    if merge(run, &run.metrics(), &Metrics, &borders, &policy)? > 0 {
        (shared.options.after_merge)();
    }
    Ok(())
}
