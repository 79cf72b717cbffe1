//! The recording of a test host.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// `run` returned `Ok`.
    Finished,
    /// `run` passed on the requested stop.
    Stopped,
    /// Creating the experiment or `run` failed with this message.
    Failed(String),
    /// A panic was caught, with this message and location.
    Panicked(String),
    /// The description, a parameter or a preset is invalid; nothing ran.
    Refused(String),
}

/// A series.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey {
    /// Metric.
    pub metric: String,
    /// Model.
    pub model: Option<String>,
    /// Split.
    pub split: Option<String>,
    /// Trial.
    pub trial: Option<i32>,
}

/// A logged value.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Step.
    pub step: i64,
    /// Epoch, if given.
    pub epoch: Option<f64>,
    /// Series.
    pub series: SeriesKey,
    /// Value.
    pub value: f64,
}

/// One call of [`Ctx::table`](crate::Ctx::table).
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Name of the table.
    pub name: String,
    /// Step.
    pub step: i64,
    /// Name, unit and values of each column.
    pub columns: Vec<(String, Option<String>, ColumnValues)>,
}

impl Table {
    /// Returns a column by its name.
    pub fn column(&self, name: &str) -> Option<&ColumnValues> {
        self.columns.iter().find(|(column, ..)| column == name).map(|(_, _, values)| values)
    }
}

/// Values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnValues {
    /// Integers.
    I64(Vec<i64>),
    /// Floats.
    F64(Vec<f64>),
    /// Text.
    Utf8(Vec<String>),
    /// Rows of bytes.
    Bytes(Vec<Vec<u8>>),
}

/// The level of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// An error.
    Error,
    /// A warning.
    Warning,
    /// Information for users.
    Info,
    /// Information for authors.
    Debug,
}

/// One call of [`Ctx::progress`](crate::Ctx::progress).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Units of work done.
    pub done: u64,
    /// Total units of work; 0 if unknown.
    pub total: u64,
    /// Phase.
    pub phase: String,
}

/// A saved checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Step.
    pub step: i64,
    /// Number of values logged before it: a run that resumes from here keeps this many of [`Recorded::metrics`].
    pub metrics: usize,
    /// Number of tables logged before it.
    pub tables: usize,
    /// Its folder, which lives as long as the [`Recorded`] and its clones.
    pub dir: PathBuf,
}

/// Everything an experiment has sent to its host.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// How it ended.
    pub outcome: Outcome,
    /// Logged values, in order.
    pub metrics: Vec<Point>,
    /// Logged tables, in order.
    pub tables: Vec<Table>,
    /// The TOML of the declared figures, then each text of `declare_figures`.
    pub figures: Vec<String>,
    /// Log lines, in order.
    pub text: Vec<(Level, String)>,
    /// Reported progress, in order.
    pub progress: Vec<Progress>,
    /// Saved checkpoints, in order.
    pub checkpoints: Vec<Checkpoint>,
    /// Number of steps ended.
    pub steps_ended: u64,
    pub(super) dir: Option<Arc<TempDir>>,
}

impl Recorded {
    pub(super) fn refused(why: &str) -> Self {
        Self {
            outcome: Outcome::Refused(why.to_owned()),
            metrics: Vec::new(),
            tables: Vec::new(),
            figures: Vec::new(),
            text: Vec::new(),
            progress: Vec::new(),
            checkpoints: Vec::new(),
            steps_ended: 0,
            dir: None,
        }
    }

    /// Returns the values of a metric, of all its series, in log order.
    pub fn values(&self, metric: &str) -> Vec<f64> {
        self.metrics.iter().filter(|point| point.series.metric == metric).map(|point| point.value).collect()
    }

    /// Returns the values of one series in log order.
    pub fn series(&self, series: crate::Series<'_>) -> Vec<f64> {
        let is_it = |key: &SeriesKey| {
            key.metric == series.metric
                && key.model.as_deref() == series.model
                && key.split.as_deref() == series.split
                && key.trial == series.trial
        };
        self.metrics.iter().filter(|point| is_it(&point.series)).map(|point| point.value).collect()
    }

    /// Returns what was logged to a table, in order.
    pub fn table(&self, name: &str) -> Vec<&Table> {
        self.tables.iter().filter(|table| table.name == name).collect()
    }

    /// Returns the folder of the newest checkpoint.
    pub fn last_checkpoint(&self) -> Option<&Path> {
        self.checkpoints.last().map(|checkpoint| checkpoint.dir.as_path())
    }

    /// Returns the run's folder, see [`Ctx::run_dir`](crate::Ctx::run_dir); it exists as long as this value and its clones.
    pub fn run_dir(&self) -> Option<&Path> {
        self.dir.as_ref().map(|dir| dir.0.as_path())
    }
}

/// A folder that is removed with its last owner.
#[derive(Debug)]
pub(super) struct TempDir(pub(super) PathBuf);

impl TempDir {
    pub(super) fn new() -> std::io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("gradtop-test-host-{}-{n}", std::process::id()));
        fs::create_dir_all(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A leftover in the temporary folder is harmless.
        fs::remove_dir_all(&self.0).ok();
    }
}
