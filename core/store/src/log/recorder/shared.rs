//! What the recorder's threads share.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use crate::folder::run_dir::RunDir;
use crate::log::series::KeyTable;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::hot::Hot;
use super::trouble::Troubles;

/// Settings of a [`Recorder`](crate::Recorder); runs use the defaults.
#[derive(Debug, Clone)]
pub struct RecorderOptions {
    /// Maximum time until a row is written to the journal.
    pub flush_after: Duration,
    /// Number of rows at which a segment is full.
    pub seal_rows: usize,
    /// Segments are sealed at an age of a quarter of the recorder's own, but within these bounds.
    pub seal_age: (Duration, Duration),
    /// Number of metrics parts that are merged into one. The next pages of each are in memory meanwhile.
    pub merge_parts: usize,
    /// Number of table parts that are merged into one.
    pub merge_table_parts: usize,
    /// Maximum number of rows of a merged part. Parts of half that size are not merged again.
    pub merge_rows: u64,
    /// Called after parts have been merged, on the thread that merged them, which has just freed much memory.
    pub after_merge: fn(),
    /// Number of rows in memory beyond which logging waits for the disk.
    pub max_behind: usize,
    /// How long to tolerate temporary errors of the disk, see [`StoreError::patience`](crate::StoreError::patience).
    pub patience: Duration,
}

impl Default for RecorderOptions {
    fn default() -> Self {
        Self {
            flush_after: Duration::from_millis(100),
            seal_rows: 1_000_000,
            seal_age: (Duration::from_secs(2), Duration::from_mins(1)),
            merge_parts: 8,
            merge_table_parts: 32,
            merge_rows: 2_000_000,
            after_merge: || {},
            max_behind: 4_000_000,
            patience: crate::log::patience::LIMITED,
        }
    }
}

/// State shared by the recorder's threads.
pub(super) struct Shared {
    pub(super) run: RunDir,
    pub(super) options: RecorderOptions,
    pub(super) hot: Mutex<Hot>,
    /// Number of points sealed before the recorder was opened.
    pub(super) sealed: u64,
    /// Wakes the writer.
    pub(super) work: Condvar,
    /// Wakes the training thread when it waits for the disk.
    pub(super) room: Condvar,
    pub(super) series: Mutex<KeyTable>,
    pub(super) troubles: Troubles,
    /// The position of the checkpoint being saved.
    pub(super) pending: Mutex<Pending>,
    pub(super) clock: Clock,
}

/// Boundaries that no merged part may span although no checkpoint records them yet.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) segment: Option<u32>,
    pub(super) tables: BTreeMap<String, u32>,
}

impl Shared {
    pub(super) fn hot(&self) -> MutexGuard<'_, Hot> {
        self.hot.lock()
    }
}

/// A monotonic clock in microseconds since 1970, whatever happens to the system's clock.
pub(super) struct Clock {
    start: Instant,
    start_us: i64,
    after: i64,
}

impl Clock {
    /// Creates a clock that starts now, or after `last` if that is later.
    pub(super) fn after(last: i64) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let after = last.saturating_add(1);
        Self { start: Instant::now(), start_us: (now.as_micros() as i64).max(after), after }
    }

    /// Converts a given time, moving it after the rows that existed when the clock was created.
    pub(super) fn at(&self, time: i64) -> i64 {
        time.max(self.after)
    }

    pub(super) fn now(&self) -> i64 {
        self.start_us + self.start.elapsed().as_micros() as i64
    }
}
