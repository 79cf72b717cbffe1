//! The trainer's side of a run's log.
//!
//! The training thread appends to memory. A writer thread writes rows to the journal within 100 ms; a sealer thread
//! turns ended segments into Parquet and merges parts; a table thread, started when first needed, writes tables.

mod hot;
mod sealer;
mod shared;
mod tables;
mod trouble;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::disk::inside;
use crate::error::{IoContext as _, Result, StoreError};
use crate::folder::run_dir::RunDir;
use crate::liveness::owner;
use crate::log::checkpoint::{Record, begin, commit};
use crate::log::part::{list_parts, list_segments, names, sealed_rows};
use crate::log::recover::whole_series;
use crate::log::series::SeriesKey;
use crate::sealed::file::Sealed;
use crate::sealed::table::TableColumn;

use hot::{Call, Command, Hot};
pub use shared::RecorderOptions;
use shared::{Clock, Pending, Shared};
use tables::{Tables, ended};
pub use trouble::Trouble;
use trouble::{Troubles, Who};
use writer::Writer;

/// Statistics of a [`Recorder`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecorderStats {
    /// Number of points of the run: those sealed before this recorder was opened and those logged with it.
    pub rows: u64,
    /// How long the training thread has waited for the disk.
    pub wait: Duration,
    /// Number of points that are only in memory.
    pub behind: u64,
    /// The current error of the background threads, if any. They keep what they could not write and try again.
    pub trouble: Option<Trouble>,
}

/// Records a run's points, tables and checkpoints. Clones share one recorder.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("run", &self.0.shared.run).finish_non_exhaustive()
    }
}

struct Inner {
    shared: Arc<Shared>,
    tables: Tables,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Recorder {
    /// Opens a run's log for writing and continues after its existing rows. The caller holds the run's lock.
    ///
    /// # Errors
    /// The run is damaged or not writable, or a thread cannot be started.
    pub fn open(run: &RunDir, options: RecorderOptions) -> Result<Self> {
        for dir in [run.journal(), run.metrics(), run.tables(), run.checkpoints()] {
            inside::create_dir_all(run, &dir).at("create", &dir)?;
        }
        let series = whole_series(run)?;
        let (segment, last_time) = last_segment(run)?;
        let segment = owner::last_segment(run, segment);
        let shared = Arc::new(Shared {
            run: run.clone(),
            hot: Mutex::new(Hot::new(series.table.len())),
            sealed: sealed_rows(run)?,
            work: Condvar::new(),
            room: Condvar::new(),
            series: Mutex::new(series.table),
            troubles: Troubles::new(options.patience),
            pending: Mutex::default(),
            clock: Clock::after(last_time),
            options,
        });
        let writer = Writer::start(&shared, segment + 1, series.offset)?;
        let tables = Tables::new(Arc::clone(&shared));
        Ok(Self(Arc::new(Inner { shared, tables, writer: Mutex::new(Some(writer)) })))
    }

    /// Returns the number of a series, the same for the same key.
    ///
    /// # Errors
    /// [`StoreError::TooManySeries`], or the recorder has ended.
    pub fn series(&self, key: &SeriesKey, unit: Option<&str>) -> Result<u32> {
        let count = {
            let mut table = self.0.shared.series.lock();
            if let Some(number) = table.number(key) {
                return Ok(number);
            }
            if table.is_full() {
                return Err(StoreError::TooManySeries);
            }
            table.intern(key, unit) + 1
        };
        self.0.shared.hot().add_series(count as usize);
        Ok(count - 1)
    }

    /// Logs points of one step, as series number and value. Writes only to memory, and waits if the disk is far behind.
    /// Points with numbers not returned by [`Self::series`] are ignored. The iterator must not use this recorder. Returns the
    /// time of the points in microseconds since 1970.
    pub fn log(&self, step: i64, epoch: Option<f64>, points: impl IntoIterator<Item = (u32, f64)>) -> i64 {
        self.record(step, epoch, None, points)
    }

    /// Returns the time that a row logged now would get, in microseconds since 1970.
    pub fn now(&self) -> i64 {
        self.0.shared.clock.now()
    }

    /// Like [`Self::log`], for points recorded elsewhere at a time in microseconds since 1970. Time never goes back: a
    /// point older than an earlier one gets that one's time.
    pub fn log_at(
        &self,
        step: i64,
        epoch: Option<f64>,
        time_us: i64,
        points: impl IntoIterator<Item = (u32, f64)>,
    ) -> i64 {
        self.record(step, epoch, Some(time_us), points)
    }

    fn record(
        &self,
        step: i64,
        epoch: Option<f64>,
        time: Option<i64>,
        points: impl IntoIterator<Item = (u32, f64)>,
    ) -> i64 {
        let shared = &*self.0.shared;
        let now = shared.clock.now();
        let time = time.map_or(now, |time| shared.clock.at(time));
        let mut hot = shared.hot();
        if hot.behind() > shared.options.max_behind as u64 {
            hot = wait_for_room(shared, hot);
        }
        if hot.closed {
            return time;
        }
        let call = Call { step, epoch: epoch.unwrap_or(f64::NAN), time, points: 0 };
        let wake = hot.record(call, now, points);
        drop(hot);
        if wake {
            shared.work.notify_one();
        }
        time
    }

    /// Appends rows to a table; `step` becomes its first column. Written in the background within about 100 ms. The
    /// columns of a table must always be the same.
    ///
    /// # Errors
    /// The columns do not match each other or earlier rows, or the recorder has ended.
    pub fn log_table(&self, name: &str, step: i64, columns: Vec<TableColumn>) -> Result<()> {
        self.0.tables.append(name, step, columns)
    }

    /// Adds figures to those declared, see [`crate::figures::declare`]. Waits if the disk fails.
    ///
    /// # Errors
    /// See [`crate::figures::declare`].
    pub fn declare_figures(&self, toml: &str) -> Result<Vec<String>> {
        let shared = &self.0.shared;
        let (new, mut warnings) = crate::figures::parse_and_warn(toml)?;
        if !new.headline.is_empty() {
            warnings.push(
                "figures: the key \"headline\" has no effect here: it belongs to the experiment's own"
                    .to_owned(),
            );
        }
        shared.troubles.persist(Who::Caller, || crate::figures::add(&shared.run, new.clone()))?;
        Ok(warnings)
    }

    /// Saves a checkpoint: `save` fills a new folder, then everything logged so far is made durable and the folder is
    /// renamed to `checkpoints/step-<n>`. The newest two are kept. `trained_s`: how many seconds the run has trained, if known.
    ///
    /// # Errors
    /// `save` failed, or the checkpoint cannot be written.
    pub fn checkpoint(
        &self,
        step: i64,
        epoch: Option<f64>,
        trained_s: Option<f64>,
        save: impl FnOnce(&Path) -> std::result::Result<(), String>,
    ) -> Result<PathBuf> {
        let run = &self.0.shared.run;
        let tmp = begin(run, step)?;
        let saved = match save(&tmp) {
            Ok(()) => self.keep(&tmp, step, epoch, trained_s),
            // If the disk takes nothing, that is the reason rather than the saver's message.
            Err(message) => probe(run, &tmp).and(Err(StoreError::Save { step, message })),
        };
        if saved.is_err() {
            // A partly saved checkpoint takes space that the rows may need.
            inside::remove_dir(run, &tmp).ok();
        }
        saved
    }

    /// Makes everything logged so far durable and gives a saved checkpoint its name.
    fn keep(&self, tmp: &Path, step: i64, epoch: Option<f64>, trained_s: Option<f64>) -> Result<PathBuf> {
        let tables = self.0.tables.sync()?;
        let segment = self.ask(Command::Cut)??;
        let record = Record {
            schema: crate::schema::SCHEMA,
            step,
            epoch: epoch.filter(|e| e.is_finite()),
            trained_s,
            time: Timestamp::now(),
            segment,
            tables,
        };
        let path = commit(&self.0.shared.run, tmp, &record)?;
        *self.0.shared.pending.lock() = Pending::default();
        Ok(path)
    }

    /// Allows logging to continue beyond [`RecorderOptions::max_behind`], for a run that is to end its step, or revokes that.
    pub fn hurry(&self, yes: bool) {
        self.0.shared.hot().hurried = yes;
        self.0.shared.room.notify_all();
    }

    /// Stops waiting for the disk: every failure is final from now on.
    pub fn give_up(&self) {
        self.0.shared.troubles.give_up();
        self.hurry(true);
    }

    /// Returns the current statistics.
    pub fn stats(&self) -> RecorderStats {
        let shared = &*self.0.shared;
        let (rows, behind, wait) = {
            let hot = shared.hot();
            (hot.logged, hot.behind(), hot.wait)
        };
        RecorderStats { rows: shared.sealed + rows, wait, behind, trouble: shared.troubles.worst() }
    }

    /// Returns the last point of a series, as step and value.
    pub fn latest(&self, series: u32) -> Option<(i64, f64)> {
        self.0.shared.hot().latest(series)
    }

    /// Writes everything to sealed Parquet, merges, and ends the background threads; later points are ignored. Waits
    /// out errors of the disk as during training, until [`Self::give_up`]. [`StoreError::Lost`] says which rows are
    /// lost; rows in the journal that could not be sealed are left to [`crate::recover()`].
    ///
    /// # Errors
    /// Rows were lost, or the log cannot be sealed now and will be when the run is recovered.
    pub fn finish(&self) -> Result<()> {
        self.0.shared.hot().closed = true;
        self.0.shared.room.notify_all();
        self.0.tables.close();
        let rows = match self.ask(Command::Finish) {
            // It was finished before.
            Err(StoreError::Writer { .. }) => Ok(()),
            r => r.and_then(|r| r),
        };
        let tables = self.0.tables.finish();
        self.0.join();
        match (rows, tables) {
            (Err(StoreError::Lost { rows, why, .. }), Err(StoreError::Lost { table_rows, .. })) => {
                Err(StoreError::Lost { rows, table_rows, why })
            }
            (Ok(()) | Err(StoreError::Lost { .. }), Err(e)) if !matches!(e, StoreError::Lost { .. }) => {
                Err(e)
            }
            (rows, tables) => rows.and(tables),
        }
    }

    /// Sends a command and waits for its answer.
    fn ask<T>(&self, command: impl FnOnce(std::sync::mpsc::Sender<T>) -> Command) -> Result<T> {
        let (answer, answered) = channel();
        {
            let mut hot = self.0.shared.hot();
            if hot.ended {
                return Err(ended());
            }
            hot.commands.push_back(command(answer));
        }
        self.0.shared.work.notify_one();
        answered.recv().map_err(|_| ended())
    }
}

impl Inner {
    fn join(&self) {
        let writer = self.writer.lock().take();
        if let Some(writer) = writer {
            // A panic of the writer has been reported as a missing answer.
            writer.join().ok();
        }
    }
}

impl Drop for Inner {
    /// A recorder dropped without `finish` leaves its last rows in the journal, as after a kill but complete. Errors
    /// are ignored, as nobody is left to receive them.
    fn drop(&mut self) {
        self.shared.troubles.give_up();
        self.tables.finish().ok();
        self.shared.hot().commands.push_back(Command::Close);
        self.shared.work.notify_one();
        self.join();
    }
}

/// Waits until the writer has caught up and records for how long.
#[cold]
fn wait_for_room<'a>(shared: &'a Shared, mut hot: MutexGuard<'a, Hot>) -> MutexGuard<'a, Hot> {
    let start = Instant::now();
    while hot.behind() > shared.options.max_behind as u64 && !hot.closed && !hot.hurried {
        shared.work.notify_one();
        shared.room.wait_for(&mut hot, Duration::from_millis(100));
    }
    hot.wait += start.elapsed();
    hot
}

/// Checks whether the disk accepts a write in this folder.
fn probe(run: &RunDir, dir: &Path) -> Result<()> {
    let path = dir.join(".probe");
    inside::replace(run, &path, &vec![1; 64 << 10], false).at("save to", &path)
}

/// Returns the highest segment number ever used, including those set aside, and the time of the last row.
fn last_segment(run: &RunDir) -> Result<(u32, i64)> {
    let (mut segment, mut time) = (0, i64::MIN);
    let mut folders = vec![run.metrics()];
    folders
        .extend(names(run, &run.superseded())?.into_iter().map(|n| run.superseded().join(n).join("metrics")));
    for dir in folders {
        let parts = list_parts(run, &dir)?;
        segment = segment.max(parts.last().map_or(0, |part| part.last));
        // Skip damaged parts: the clock has advanced since.
        let last = parts.iter().rev().find_map(|part| Sealed::open(run, &part.path).ok());
        time = time.max(last.map_or(i64::MIN, |part| crate::sealed::reader::last_time(&part)));
    }
    for (number, _) in list_segments(run, &run.journal())? {
        segment = segment.max(number);
    }
    Ok((segment, time))
}
