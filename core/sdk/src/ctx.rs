//! What a running experiment sees of its host.

use std::cell::Cell;
use std::ffi::c_void;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use gradtop_abi::{Point, log_level};

use crate::boundary::host::Host;
use crate::series::{Series, SeriesId};
use crate::{Column, Error, ErrorKind, Figures, Result};

/// The running experiment's side of its host: logging, progress, stop, pause, checkpoints.
///
/// It is `Sync`: several threads may log through a `&Ctx` (`std::thread::scope` lends it). Only [`steps`](Self::steps),
/// [`step_end`](Self::step_end) and [`checkpoint`](Self::checkpoint) belong to the thread that `run` was called on.
/// [`log`](Self::log), [`progress`](Self::progress) and `step_end` allocate nothing.
pub struct Ctx {
    host: Host,
    run_dir: PathBuf,
    resume_dir: Option<PathBuf>,
    main: usize,
    saving: AtomicBool,
    /// Progress was shown in this step.
    told: AtomicBool,
}

/// Where to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// The CPU.
    Cpu,
    /// The CUDA device of this index.
    Cuda(u32),
}

impl Ctx {
    pub(crate) fn new(host: Host, run_dir: PathBuf, resume_dir: Option<PathBuf>) -> Self {
        Self {
            host,
            run_dir,
            resume_dir,
            main: this_thread(),
            saving: AtomicBool::new(false),
            told: AtomicBool::new(false),
        }
    }

    /// Seed of the run: the same seed must give the same numbers.
    pub fn seed(&self) -> u64 {
        self.host.seed()
    }

    /// Device of the run.
    pub fn device(&self) -> Device {
        u32::try_from(self.host.device()).map_or(Device::Cpu, Device::Cuda)
    }

    /// How many threads the run may use, at least 1.
    pub fn threads(&self) -> usize {
        usize::try_from(self.host.threads()).unwrap_or(1).max(1)
    }

    /// The run's folder.
    pub fn run_dir(&self) -> &Path {
        &self.run_dir
    }

    /// The checkpoint to go on from, if the run is resumed.
    pub fn resume_dir(&self) -> Option<&Path> {
        self.resume_dir.as_deref()
    }

    /// Makes a series known; the same series gives the same id. Call it before the loop. Metric, model and split are texts of 1 to
    /// 200 bytes without control characters that neither begin nor end with a blank.
    ///
    /// # Errors
    /// A name that is not allowed, a trial below 0, or more than 100,000 series in a run.
    pub fn series(&self, series: Series<'_>) -> Result<SeriesId> {
        if series.trial.is_some_and(|trial| trial < 0) {
            return Err(Error::of_kind(
                ErrorKind::Invalid,
                format!("series of `{}`: a trial is 0 or more", series.metric),
            ));
        }
        self.host.series(&series).map(SeriesId)
    }

    /// Makes the series of each of these trials known.
    ///
    /// # Errors
    /// As [`series`](Self::series).
    pub fn trials(&self, series: Series<'_>, trials: Range<i64>) -> Result<Vec<SeriesId>> {
        trials.map(|trial| self.series(series.trial(trial as i32))).collect()
    }

    /// Logs one value for each of several series at a step. NaN and infinity are values. Steps may repeat and go back: every
    /// row is kept, in the order logged. Where the disk does not keep up it waits; no row is dropped.
    ///
    /// # Errors
    /// A series that this run does not know.
    pub fn log(&self, step: i64, points: &[(SeriesId, f64)]) -> Result<()> {
        self.log_epoch(step, f64::NAN, points)
    }

    /// As [`log`](Self::log), and says which epoch that step is in (0.5: half of the first).
    ///
    /// # Errors
    /// As [`log`](Self::log).
    pub fn log_epoch(&self, step: i64, epoch: f64, points: &[(SeriesId, f64)]) -> Result<()> {
        if points.len() <= 8 {
            self.log_batch::<8>(step, epoch, points)
        } else {
            points.chunks(128).try_for_each(|batch| self.log_batch::<128>(step, epoch, batch))
        }
    }

    /// Logs at most N points, from the stack.
    fn log_batch<const N: usize>(&self, step: i64, epoch: f64, points: &[(SeriesId, f64)]) -> Result<()> {
        let mut batch = [Point { series: 0, reserved: 0, value: 0.0 }; N];
        for (to, (series, value)) in batch.iter_mut().zip(points) {
            to.series = series.0;
            to.value = *value;
        }
        self.host.log_metrics(step, epoch, &batch[..points.len().min(N)])
    }

    /// Appends rows to a table, for what is no time series: predictions, eigenvalues, images.
    /// All columns have the same number of rows; the host adds a column `step`. A table has always the same
    /// columns, at most 1000, of at most 2 GiB a call. Its name is a letter, then letters, digits, `_` and `-`, at most 64 in all,
    /// and not `run`.
    ///
    /// # Errors
    /// A name that is not allowed, columns that differ from those before or in their numbers of rows, or that are too large.
    pub fn table(&self, table: &str, step: i64, columns: &[Column<'_>]) -> Result<()> {
        let refuse =
            |what: String| Err(Error::of_kind(ErrorKind::Invalid, format!("table `{table}`: {what}")));
        let Some(first) = columns.first() else { return refuse("it has no columns".into()) };
        let rows = first.rows();
        for column in columns {
            match (column.rows(), rows) {
                (None, _) => {
                    return refuse(format!("the bytes of column `{}` are not whole rows", column.name));
                }
                (Some(here), Some(there)) if here != there => {
                    return refuse(format!(
                        "column `{}` has {here} rows, column `{}` has {there}",
                        column.name, first.name
                    ));
                }
                _ => {}
            }
        }
        self.host.log_table(table, step, columns, rows.unwrap_or(0))
    }

    /// Adds figures to the declared ones, or replaces those of the same id.
    ///
    /// # Errors
    /// A figure that cannot be drawn, such as one without a panel, named with its panel, mark and key; nothing changes then.
    pub fn declare_figures(&self, figures: impl Into<Figures>) -> Result<()> {
        self.host.declare_figures(figures.into().toml())
    }

    /// Writes a line to the run's log: something went wrong. All of a text, of 1 MiB at most, goes to the log; of the first 2000 the
    /// first line, of 4 KiB at most, is shown as an event too.
    ///
    /// # Errors
    /// A text of more than 1 MiB.
    pub fn error(&self, text: impl AsRef<str>) -> Result<()> {
        self.host.log_text(log_level::ERROR, text.as_ref())
    }

    /// Writes a line to the run's log: something may be wrong.
    ///
    /// # Errors
    /// As [`error`](Self::error).
    pub fn warn(&self, text: impl AsRef<str>) -> Result<()> {
        self.host.log_text(log_level::WARNING, text.as_ref())
    }

    /// Writes a line to the run's log: what a user wants to know.
    ///
    /// # Errors
    /// As [`error`](Self::error).
    pub fn info(&self, text: impl AsRef<str>) -> Result<()> {
        self.host.log_text(log_level::INFO, text.as_ref())
    }

    /// Writes a line to the run's log: what an author wants to know. It is never an event.
    ///
    /// # Errors
    /// As [`error`](Self::error).
    pub fn debug(&self, text: impl AsRef<str>) -> Result<()> {
        self.host.log_text(log_level::DEBUG, text.as_ref())
    }

    /// Says how much is done, of how much (0: unknown), in which phase. Negative numbers count as 0; of a long phase the first
    /// 127 bytes are shown.
    ///
    /// # Errors
    /// A host that is too old to show it.
    pub fn progress(&self, done: i64, total: i64, phase: &str) -> Result<()> {
        self.told.store(true, Ordering::Relaxed);
        self.host.progress(done.max(0) as u64, total.max(0) as u64, phase)
    }

    /// Whether [`progress`](Self::progress) was called since this was last asked.
    pub(crate) fn has_told_progress(&self) -> bool {
        self.told.swap(false, Ordering::Relaxed)
    }

    /// Whether a stop was asked for: one atomic load, for long work between two [`step_end`](Self::step_end).
    pub fn should_stop(&self) -> bool {
        self.host.should_stop()
    }

    /// Marks the end of a step: waits here while the run is paused.
    ///
    /// # Errors
    /// [`Error::is_stop`] once a stop is asked for: pass it on with `?`, and the run ends as stopped. The panic of another
    /// thread of the plugin, if there was one: what that thread was to do is missing.
    pub fn step_end(&self) -> Result<()> {
        self.on_main("step_end")?;
        if let Some(panic) = crate::boundary::guard::panic_elsewhere() {
            return Err(panic);
        }
        self.host.step_end()
    }

    /// Whether a checkpoint is asked for or due. Ask after each step, before [`step_end`](Self::step_end).
    pub fn should_checkpoint(&self) -> bool {
        self.host.should_checkpoint()
    }

    /// Writes a [`checkpoint`](Self::checkpoint) if one is asked for or due: what a loop calls at the end of each step, whose
    /// number is `step`.
    ///
    /// # Errors
    /// As [`checkpoint`](Self::checkpoint).
    pub fn checkpoint_if_due(&self, step: i64, save: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        if self.should_checkpoint() { self.checkpoint(step, save) } else { Ok(()) }
    }

    /// Writes a checkpoint: `save` gets a fresh, empty folder and puts everything there that
    /// [`resume_dir`](Self::resume_dir) must give back. If it fails, the folder is discarded; what was logged stays, and a resume
    /// goes back to the checkpoint before, from whose step on it logs anew.
    ///
    /// A disk that takes no checkpoint (it is full, or `save` fails with a [`std::io::Error`]) is no error: the host warns,
    /// keeps nothing, and has the next one due as usual.
    ///
    /// # Errors
    /// Any other of `save`, or of the host.
    pub fn checkpoint(&self, step: i64, save: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        self.on_main("checkpoint")?;
        if self.saving.swap(true, Ordering::Relaxed) {
            return Err(Error::of_kind(
                ErrorKind::Invalid,
                "checkpoint is called while one is being written",
            ));
        }
        let result = self.host.checkpoint(step, save);
        self.saving.store(false, Ordering::Relaxed);
        result
    }

    /// An extension of the host by its id, if it has it.
    pub fn extension(&self, id: &str) -> Option<NonNull<c_void>> {
        self.host.extension(id)
    }

    /// Details of an error, for the run's log; a host that cannot take them loses them.
    pub(crate) fn log_detail(&self, error: &Error) {
        if !error.detail().is_empty() {
            self.host.log_text(log_level::DEBUG, error.detail()).ok();
        }
    }

    fn on_main(&self, what: &str) -> Result<()> {
        if this_thread() == self.main {
            return Ok(());
        }
        Err(Error::of_kind(
            ErrorKind::Invalid,
            format!("{what} belongs to the thread that `run` was called on"),
        ))
    }
}

/// A number of this thread, unique among those alive: the address of one of its thread-locals.
fn this_thread() -> usize {
    thread_local! { static HERE: Cell<u8> = const { Cell::new(0) } }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}
