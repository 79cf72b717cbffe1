//! What a test host recorded.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// `run` returned `Ok`.
    Finished,
    /// `run` passed on the stop that was asked for.
    Stopped,
    /// `run`, or making the experiment, failed with this message.
    Failed(String),
    /// A panic was caught; its message and location.
    Panicked(String),
    /// The description, a parameter or a preset is wrong; nothing ran.
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
    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<&ColumnValues> {
        self.columns.iter().find(|(column, ..)| column == name).map(|(_, _, values)| values)
    }
}

/// Values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnValues {
    /// Whole numbers.
    I64(Vec<i64>),
    /// Numbers.
    F64(Vec<f64>),
    /// Text.
    Utf8(Vec<String>),
    /// Rows of bytes.
    Bytes(Vec<Vec<u8>>),
}

/// Level of a line of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something went wrong.
    Error,
    /// Something may be wrong.
    Warning,
    /// For users.
    Info,
    /// For authors.
    Debug,
}

/// One call of [`Ctx::progress`](crate::Ctx::progress).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Done.
    pub done: u64,
    /// Of how much; 0 if unknown.
    pub total: u64,
    /// Phase.
    pub phase: String,
}

/// A checkpoint that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Step.
    pub step: i64,
    /// Values that had been logged: a run that goes on from here keeps as many of [`Recorded::metrics`].
    pub metrics: usize,
    /// Tables that had been logged, alike.
    pub tables: usize,
    /// Its folder, which lives as long as the [`Recorded`] and its clones.
    pub dir: PathBuf,
}

/// Everything an experiment told its host.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// How it ended.
    pub outcome: Outcome,
    /// Logged values, in order.
    pub metrics: Vec<Point>,
    /// Logged tables, in order.
    pub tables: Vec<Table>,
    /// The declared figures' TOML, then each text of `declare_figures`.
    pub figures: Vec<String>,
    /// Lines of text, in order.
    pub text: Vec<(Level, String)>,
    /// Progress, in order.
    pub progress: Vec<Progress>,
    /// Checkpoints that were kept, in order.
    pub checkpoints: Vec<Checkpoint>,
    /// How often a step ended.
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

    /// Values of a metric, of all its series, in the order of logging.
    pub fn values(&self, metric: &str) -> Vec<f64> {
        self.metrics.iter().filter(|point| point.series.metric == metric).map(|point| point.value).collect()
    }

    /// Values of one series, in the order of logging.
    pub fn series(&self, series: crate::Series<'_>) -> Vec<f64> {
        let is_it = |key: &SeriesKey| {
            key.metric == series.metric
                && key.model.as_deref() == series.model
                && key.split.as_deref() == series.split
                && key.trial == series.trial
        };
        self.metrics.iter().filter(|point| is_it(&point.series)).map(|point| point.value).collect()
    }

    /// What was logged to a table, in order.
    pub fn table(&self, name: &str) -> Vec<&Table> {
        self.tables.iter().filter(|table| table.name == name).collect()
    }

    /// Folder of the newest checkpoint.
    pub fn last_checkpoint(&self) -> Option<&Path> {
        self.checkpoints.last().map(|checkpoint| checkpoint.dir.as_path())
    }

    /// The run's folder, as [`Ctx::run_dir`](crate::Ctx::run_dir) gives it; it lives as long as this value
    /// and its clones.
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
        // A folder that stays in the temporary folder harms nobody.
        fs::remove_dir_all(&self.0).ok();
    }
}
