//! What the recorder's threads share.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use crate::folder::run_dir::RunDir;
use crate::log::series::KeyTable;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::hot::Hot;
use super::trouble::Troubles;

/// How a [`Recorder`](crate::Recorder) works; the defaults are what runs use.
#[derive(Debug, Clone)]
pub struct RecorderOptions {
    /// A journal write at most this long after its oldest row.
    pub flush_after: Duration,
    /// Rows that make a segment full.
    pub seal_rows: usize,
    /// A segment is sealed at a quarter of the recorder's age, but not before the first of these, nor after the second.
    pub seal_age: (Duration, Duration),
    /// Parts of metrics that are merged into one. Of each, the pages that come next are in memory meanwhile.
    pub merge_parts: usize,
    /// Parts of a table that are merged into one.
    pub merge_table_parts: usize,
    /// Rows of a merged part at most. Parts of half as many are not merged.
    pub merge_rows: u64,
    /// Called once parts have been merged, by the thread that did it: much memory has just become free.
    pub after_merge: fn(),
    /// Rows in memory beyond which logging waits for the disk.
    pub max_behind: usize,
    /// How long errors of the disk are borne that have a limit, see [`StoreError::patience`](crate::StoreError::patience).
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

/// What the recorder's threads share.
pub(super) struct Shared {
    pub(super) run: RunDir,
    pub(super) options: RecorderOptions,
    pub(super) hot: Mutex<Hot>,
    /// Points that were sealed before.
    pub(super) sealed: u64,
    /// Wakes the writer.
    pub(super) work: Condvar,
    /// Wakes a training thread that waits for the disk.
    pub(super) room: Condvar,
    pub(super) series: Mutex<KeyTable>,
    pub(super) troubles: Troubles,
    /// Where the checkpoint being saved will stand.
    pub(super) pending: Mutex<Pending>,
    pub(super) clock: Clock,
}

/// Borders that no merged part may span although no checkpoint has them yet.
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

/// Microseconds since 1970 that never go back, whatever the system's clock does.
pub(super) struct Clock {
    start: Instant,
    start_us: i64,
    after: i64,
}

impl Clock {
    /// A clock at the present, but after `last`.
    pub(super) fn after(last: i64) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let after = last.saturating_add(1);
        Self { start: Instant::now(), start_us: (now.as_micros() as i64).max(after), after }
    }

    /// A time that was given, but after the rows that were there when the clock was made.
    pub(super) fn at(&self, time: i64) -> i64 {
        time.max(self.after)
    }

    pub(super) fn now(&self) -> i64 {
        self.start_us + self.start.elapsed().as_micros() as i64
    }
}
