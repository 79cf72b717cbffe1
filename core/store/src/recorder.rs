//! The trainer's side of a run's log.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::run_dir::RunDir;
use crate::series::SeriesKey;
use crate::table::TableColumn;

/// How a [`Recorder`] works; the defaults are what runs use.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RecorderOptions {
    /// A journal write at most this long after its oldest row.
    pub flush_after: Duration,
    /// Rows that make a segment full.
    pub seal_rows: usize,
    /// Parts that are merged into one.
    pub merge_parts: usize,
    /// Rows in memory beyond which logging waits for the disk.
    pub max_behind: usize,
}

impl Default for RecorderOptions {
    fn default() -> Self {
        Self {
            flush_after: Duration::from_millis(100),
            seal_rows: 1_000_000,
            merge_parts: 32,
            max_behind: 4_000_000,
        }
    }
}

/// What a [`Recorder`] has done.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecorderStats {
    /// Points logged.
    pub rows: u64,
    /// How long the training thread has waited for the disk.
    pub wait: Duration,
    /// Age of the oldest point that is not yet in the journal.
    pub lag: Duration,
    /// The first error of the background threads; from then on nothing is recorded.
    pub io_error: Option<String>,
}

/// Records a run's points, tables and checkpoints. Clones share one recorder.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<()>);

impl Recorder {
    /// Opens a run's log for writing; the caller holds the run's lock. Goes on after what the folder holds.
    pub fn open(_run: &RunDir, _options: RecorderOptions) -> Result<Self> {
        Err(crate::not_yet())
    }

    /// The number of a series, the same for the same key. The 100,001st is [`crate::StoreError::TooManySeries`].
    pub fn series(&self, _key: &SeriesKey, _unit: Option<&str>) -> Result<u32> {
        Err(crate::not_yet())
    }

    /// Logs points of one step, as series number and value. Memory only; waits if the disk is far behind.
    /// Points of numbers that [`Self::series`] never gave are left out.
    pub fn log(&self, _step: i64, _epoch: Option<f64>, _points: impl IntoIterator<Item = (u32, f64)>) {}

    /// Appends rows to a table; `step` becomes its first column. Written in the background.
    pub fn log_table(&self, _name: &str, _step: i64, _columns: Vec<TableColumn>) -> Result<()> {
        Err(crate::not_yet())
    }

    /// Saves a checkpoint: `save` fills a fresh folder, then everything logged so far is made durable and the checkpoint
    /// gets its name, `checkpoints/step-<n>`. The newest two are kept.
    pub fn checkpoint(
        &self,
        _step: i64,
        _epoch: Option<f64>,
        _save: impl FnOnce(&Path) -> std::result::Result<(), String>,
    ) -> Result<PathBuf> {
        Err(crate::not_yet())
    }

    /// Counters.
    pub fn stats(&self) -> RecorderStats {
        RecorderStats::default()
    }

    /// The last point of a series: step and value.
    pub fn latest(&self, _series: u32) -> Option<(i64, f64)> {
        None
    }

    /// Writes everything to sealed Parquet, merges, and ends the background threads. Later points are left out.
    pub fn finish(&self) -> Result<()> {
        Err(crate::not_yet())
    }
}
