//! The interface of a running experiment to its host.

use std::cell::Cell;
use std::ffi::c_void;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use gradtop_abi::{Point, log_level};

use crate::boundary::host::Host;
use crate::series::{Series, SeriesId};
use crate::{Column, Error, Figures, Result};

/// A running experiment's interface to its host: logging, progress, stop, pause, checkpoints.
///
/// It is `Sync`: several threads may log through a `&Ctx` (for example in `std::thread::scope`). Only
/// [`steps`](Self::steps), [`step_end`](Self::step_end) and [`checkpoint`](Self::checkpoint) must be called on the
/// thread that `run` was called on. [`log`](Self::log), [`progress`](Self::progress) and `step_end` do not allocate.
pub struct Ctx {
    host: Host,
    run_dir: PathBuf,
    resume_dir: Option<PathBuf>,
    main: usize,
    saving: AtomicBool,
    /// Whether progress was reported in this step.
    told: AtomicBool,
}

/// The device to compute on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// The CPU.
    Cpu,
    /// The CUDA device with this index.
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

    /// Returns the seed of the run: the same seed must give the same numbers.
    pub fn seed(&self) -> u64 {
        self.host.0.seed
    }

    /// Returns the device of the run.
    pub fn device(&self) -> Device {
        u32::try_from(self.host.0.device).map_or(Device::Cpu, Device::Cuda)
    }

    /// Returns how many threads the run may use, at least 1.
    pub fn threads(&self) -> usize {
        usize::try_from(self.host.0.threads).unwrap_or(1).max(1)
    }

    /// Returns the run's folder.
    pub fn run_dir(&self) -> &Path {
        &self.run_dir
    }

    /// Returns the checkpoint to continue from, if the run is resumed.
    pub fn resume_dir(&self) -> Option<&Path> {
        self.resume_dir.as_deref()
    }

    /// Registers a series; the same series returns the same id. Call it before the loop. Metric, model and split are
    /// texts of 1 to 200 bytes without control characters that neither begin nor end with a space.
    ///
    /// # Errors
    /// A name is invalid, a trial is negative, or the run has more than 100,000 series.
    pub fn series(&self, series: Series<'_>) -> Result<SeriesId> {
        if series.trial.is_some_and(|trial| trial < 0) {
            return Err(Error::invalid(format!("series of `{}`: a trial is 0 or more", series.metric)));
        }
        self.host.series(&series).map(SeriesId)
    }

    /// Registers a series for each of these trials.
    ///
    /// # Errors
    /// See [`series`](Self::series).
    pub fn trials(&self, series: Series<'_>, trials: Range<i64>) -> Result<Vec<SeriesId>> {
        trials.map(|trial| self.series(series.trial(trial as i32))).collect()
    }

    /// Logs one value for each of several series at a step. NaN and infinity are allowed. Steps may repeat and go back:
    /// every row is kept, in log order. Waits if the disk does not keep up; no row is dropped.
    ///
    /// # Errors
    /// A series is not registered with this run.
    pub fn log(&self, step: i64, points: &[(SeriesId, f64)]) -> Result<()> {
        self.log_epoch(step, f64::NAN, points)
    }

    /// Like [`log`](Self::log), with the epoch of the step (0.5 is half of the first).
    ///
    /// # Errors
    /// See [`log`](Self::log).
    pub fn log_epoch(&self, step: i64, epoch: f64, points: &[(SeriesId, f64)]) -> Result<()> {
        if points.len() <= 8 {
            self.log_batch::<8>(step, epoch, points)
        } else {
            points.chunks(128).try_for_each(|batch| self.log_batch::<128>(step, epoch, batch))
        }
    }

    /// Logs at most N points, using the stack.
    fn log_batch<const N: usize>(&self, step: i64, epoch: f64, points: &[(SeriesId, f64)]) -> Result<()> {
        let mut batch = [Point { series: 0, reserved: 0, value: 0.0 }; N];
        for (to, (series, value)) in batch.iter_mut().zip(points) {
            to.series = series.0;
            to.value = *value;
        }
        self.host.log_metrics(step, epoch, &batch[..points.len().min(N)])
    }

    /// Appends rows to a table, for data that is not a time series: predictions, eigenvalues, images. All columns must have the
    /// same number of rows; the host adds a column `step`. A table always has the same columns, at most 1000 of them and at most
    /// 2 GiB each per call. Its name is a letter followed by letters, digits, `_` and `-`, at most 64 in all, and not `run`.
    ///
    /// # Errors
    /// A name is invalid, columns differ from earlier ones or in their numbers of rows, or they are too large.
    pub fn table(&self, table: &str, step: i64, columns: &[Column<'_>]) -> Result<()> {
        let refuse = |what: String| Err(Error::invalid(format!("table `{table}`: {what}")));
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

    /// Adds figures to the declared ones, replacing those with the same id.
    ///
    /// # Errors
    /// A figure is invalid, for example without a panel; the message names its panel, mark and key, and nothing changes.
    pub fn declare_figures(&self, figures: impl Into<Figures>) -> Result<()> {
        self.host.declare_figures(figures.into().toml())
    }

    /// Logs an error. The whole text, at most 1 MiB, goes to the run's log; the first line of the first 2000 texts, up
    /// to 4 KiB, is also shown as an event.
    ///
    /// # Errors
    /// The text is longer than 1 MiB.
    pub fn error(&self, text: impl AsRef<str>) -> Result<()> {
        self.host.log_text(log_level::ERROR, text.as_ref())
    }

    /// Logs a warning.
    ///
    /// # Errors
    /// See [`error`](Self::error).
    pub fn warn(&self, text: impl AsRef<str>) -> Result<()> {
        self.host.log_text(log_level::WARNING, text.as_ref())
    }

    /// Logs information for users.
    ///
    /// # Errors
    /// See [`error`](Self::error).
    pub fn info(&self, text: impl AsRef<str>) -> Result<()> {
        self.host.log_text(log_level::INFO, text.as_ref())
    }

    /// Logs information for authors. It is never shown as an event.
    ///
    /// # Errors
    /// See [`error`](Self::error).
    pub fn debug(&self, text: impl AsRef<str>) -> Result<()> {
        self.host.log_text(log_level::DEBUG, text.as_ref())
    }

    /// Reports progress: units done, total units (0 if unknown), and the phase. Negative numbers count as 0; the phase
    /// is truncated to 127 bytes.
    ///
    /// # Errors
    /// The host is too old to display it.
    pub fn progress(&self, done: i64, total: i64, phase: &str) -> Result<()> {
        self.told.store(true, Ordering::Relaxed);
        self.host.progress(done.max(0) as u64, total.max(0) as u64, phase)
    }

    /// Returns whether [`progress`](Self::progress) was called since the last call of this.
    pub(crate) fn has_told_progress(&self) -> bool {
        self.told.swap(false, Ordering::Relaxed)
    }

    /// Returns whether a stop was requested, with one atomic load: for long work between two [`step_end`](Self::step_end).
    pub fn should_stop(&self) -> bool {
        self.host.should_stop()
    }

    /// Marks the end of a step, and waits while the run is paused.
    ///
    /// # Errors
    /// [`Error::is_stop`] once a stop is requested: pass it on with `?`, and the run ends as stopped. Also the panic of
    /// another thread of the plugin, if there was one, because its work is missing.
    pub fn step_end(&self) -> Result<()> {
        self.on_main("step_end")?;
        if let Some(panic) = crate::boundary::guard::panic_elsewhere() {
            return Err(panic);
        }
        self.host.step_end()
    }

    /// Returns whether a checkpoint was requested or is due. Call it after each step, before [`step_end`](Self::step_end).
    pub fn should_checkpoint(&self) -> bool {
        self.host.should_checkpoint()
    }

    /// Writes a [`checkpoint`](Self::checkpoint) if one was requested or is due. Call it at the end of each step, with
    /// its number.
    ///
    /// # Errors
    /// See [`checkpoint`](Self::checkpoint).
    pub fn checkpoint_if_due(&self, step: i64, save: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        if self.should_checkpoint() { self.checkpoint(step, save) } else { Ok(()) }
    }

    /// Writes a checkpoint: `save` gets a new, empty folder and stores everything there that [`resume_dir`](Self::resume_dir)
    /// must return. If it fails, the folder is discarded; logged rows stay, and a resume continues from the previous checkpoint.
    ///
    /// A failing disk (it is full, or `save` fails with a [`std::io::Error`]) is not an error: the host warns, keeps
    /// nothing, and the next checkpoint is due as usual.
    ///
    /// # Errors
    /// Any other error of `save` or of the host.
    pub fn checkpoint(&self, step: i64, save: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        self.on_main("checkpoint")?;
        if self.saving.swap(true, Ordering::Relaxed) {
            return Err(Error::invalid("checkpoint is called while one is being written"));
        }
        let result = self.host.checkpoint(step, save);
        self.saving.store(false, Ordering::Relaxed);
        result
    }

    /// Returns an extension of the host by its id, if it has it.
    pub fn extension(&self, id: &str) -> Option<NonNull<c_void>> {
        self.host.extension(id)
    }

    /// Logs the details of an error; they are lost if the host does not accept them.
    pub(crate) fn log_detail(&self, error: &Error) {
        if !error.detail().is_empty() {
            self.host.log_text(log_level::DEBUG, error.detail()).ok();
        }
    }

    fn on_main(&self, what: &str) -> Result<()> {
        if this_thread() == self.main {
            return Ok(());
        }
        Err(Error::invalid(format!("{what} belongs to the thread that `run` was called on")))
    }
}

/// Returns a number that identifies this thread among those alive: the address of one of its thread-locals.
fn this_thread() -> usize {
    thread_local! { static HERE: Cell<u8> = const { Cell::new(0) } }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}
