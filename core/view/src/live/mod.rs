//! Live data of runs: series as pyramids of bounded size, read in the background.
//!
//! [`engine`] reads and publishes a [`LiveSnapshot`] whenever something changed; screens send [`WatchRequest`]s for what they
//! show. [`crate::figure`] creates charts from snapshots. Apart from reading (`feed` and [`engine`]), everything is pure.

pub mod columns;
pub mod engine;
mod feed;
mod live_series;
pub mod pyramid;
mod read_once;
mod run_info;
pub mod series;
pub mod smooth;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use gradtop_store::figures::Figure;
use gradtop_store::{HeadlineValue, MetricInfo, SeriesKey, State, Table};

use crate::clock;
use crate::runs::{RunId, RunsSnapshot};
pub use engine::Engine;
use gradtop_chart::number;
use gradtop_chart::ticks::{have_dates, time_since};
pub use read_once::{read, read_all};
use serde::{Deserialize, Serialize};
pub use series::SeriesSnapshot;

/// What runs along the horizontal axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum XAxis {
    /// The step.
    #[default]
    Step,
    /// The epoch.
    Epoch,
    /// Seconds since the run started.
    #[serde(alias = "relative")]
    Time,
    /// Seconds since 1970, UTC.
    #[serde(alias = "wall")]
    Clock,
}

impl XAxis {
    /// The ones that a figure or a command can name: steps, epochs and time since the start.
    pub const NAMED: [Self; 3] = [Self::Step, Self::Epoch, Self::Time];

    /// The one of that name.
    pub fn named(word: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|axis| axis.key() == word)
    }

    /// Whether it goes back where the steps do; time goes on whatever they do.
    pub(crate) fn goes_back(self) -> bool {
        matches!(self, Self::Step | Self::Epoch)
    }

    /// A place in a range of it: `step 12400`, `time since start 3m20s`.
    pub fn place(self, x: f64, range: (f64, f64)) -> String {
        let at = match self {
            Self::Clock => clock::time_among(x, range),
            Self::Time => time_since(x, range),
            Self::Step if x.abs() < 1e15 => format!("{x:.0}"),
            Self::Step | Self::Epoch => number::value(x),
        };
        let dated = self == Self::Clock && have_dates(range.0, range.1);
        format!("{} {at}", if dated { "date" } else { self.name() })
    }

    /// Where a moment lies on it, microseconds since 1970, of a run that started then; `None`: it is no axis of time, or the run
    /// knows no times.
    pub(crate) fn of_time(self, at_us: i64, started_us: Option<i64>) -> Option<f64> {
        let started_us = started_us?;
        let zero = match self {
            Self::Time => started_us,
            Self::Clock => 0,
            Self::Step | Self::Epoch => return None,
        };
        Some(at_us.saturating_sub(zero) as f64 / 1e6)
    }

    /// What the axis is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Step | Self::Epoch => self.key(),
            Self::Time => "time since start",
            Self::Clock => "time of day",
        }
    }

    /// What figures and commands call it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Epoch => "epoch",
            Self::Time => "time",
            Self::Clock => "clock",
        }
    }
}

/// Which series of a run are wanted. The others are parked: known by name, not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SeriesFilter {
    /// None: only what the run consists of.
    #[default]
    None,
    /// All.
    All,
    /// Those of these metrics.
    Metrics(BTreeSet<String>),
}

impl SeriesFilter {
    /// Those of these metrics, if there are any.
    pub fn of(metrics: BTreeSet<String>) -> Self {
        if metrics.is_empty() { Self::None } else { Self::Metrics(metrics) }
    }
}

/// A stretch of an axis that is looked at closely: its exact values are read again where the pyramid is too coarse.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Only for this metric; `None`: for all watched ones.
    pub metric: Option<String>,
    /// The axis.
    pub x: XAxis,
    /// Its two ends.
    pub range: (f64, f64),
}

/// What a screen needs of a run, now. The whole list is given anew whenever it changed; what is not in it is forgotten after a
/// few seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchRequest {
    /// Which run.
    pub run: RunId,
    /// Whether it may still write: its state is not final. A run that is not alive is read once.
    pub alive: bool,
    /// The series shown.
    pub series: SeriesFilter,
    /// The tables shown; those of the run's figures need not be named here, see `figures`.
    pub tables: BTreeSet<String>,
    /// Ids of the declared figures shown: their metrics and tables are wanted too.
    pub figures: BTreeSet<String>,
    /// Weight of the moving average, 0 (off) to just below 1.
    pub smoothing: f64,
    /// Close looks.
    pub windows: Vec<Window>,
}

impl WatchRequest {
    /// A look at a run that wants nothing but its names, figures and events.
    pub fn of(run: RunId, alive: bool) -> Self {
        let (tables, figures, windows) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        Self { run, alive, series: SeriesFilter::None, tables, figures, smoothing: 0.0, windows }
    }
    /// With what another screen part wants of the same run.
    pub fn join(&mut self, other: Self) {
        self.alive |= other.alive;
        match (&mut self.series, other.series) {
            (SeriesFilter::All, _) | (_, SeriesFilter::None) => {}
            (SeriesFilter::Metrics(own), SeriesFilter::Metrics(more)) => own.extend(more),
            (own, more) => *own = more,
        }
        self.tables.extend(other.tables);
        self.figures.extend(other.figures);
        self.smoothing = self.smoothing.max(other.smoothing);
        self.windows.extend(other.windows);
    }
}

/// How far a run has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Rows read of the series wanted.
    pub rows: u64,
    /// Not at the end yet: what is shown is coarse or old.
    pub reading: bool,
}

/// What is known of a run: immutable, cheap to clone behind its `Arc`.
#[derive(Clone, Debug, Default)]
pub struct RunData {
    /// The run's folder.
    pub dir: PathBuf,
    /// Grows with every change of anything below.
    pub generation: u64,
    /// Every series of the run by key, with its unit; wanted or not.
    pub keys: Arc<Vec<(SeriesKey, Option<String>)>>,
    /// The series that were read, in the order of their keys.
    pub series: Vec<Arc<SeriesSnapshot>>,
    /// The wanted tables that exist; text where one could not be read.
    pub tables: BTreeMap<String, Arc<Result<Table, String>>>,
    /// The tables that the run has, known where one that is wanted is not among them.
    pub table_names: Arc<Vec<String>>,
    /// The declared figures.
    pub figures: Arc<Vec<Figure>>,
    /// The declared metrics.
    pub metrics: Arc<Vec<MetricInfo>>,
    /// The names that the run's lines are known by, so that each has its colour in every chart.
    pub names: Arc<BTreeSet<String>>,
    /// When the run started, microseconds since 1970: zero of [`XAxis::Time`]. `None`: it was imported from what tells no times, and
    /// those of its rows only say when they were read.
    pub started_us: Option<i64>,
    /// Stretches of time in which it was paused or not at work, microseconds since 1970; the end is `i64::MAX` while it lasts.
    pub pauses: pyramid::Rests,
    /// Where it was resumed from a checkpoint: step and microseconds since 1970.
    pub resumes: Arc<Vec<(i64, i64)>>,
    /// The last step, if the run's status says so: of those it is to make, else of those it has made. Series may have been logged
    /// further or less far.
    pub last_step: Option<i64>,
    /// Whether more may come.
    pub alive: bool,
    /// How it ended, if it has.
    pub ended: Option<State>,
    /// How far it has been read.
    pub progress: Progress,
    /// Why it cannot be read (any further).
    pub error: Option<String>,
    /// What is wrong with files that cannot be read, or only in part.
    pub damage: Vec<String>,
}

impl RunData {
    /// What could not be read of it.
    pub fn unread(&self) -> impl Iterator<Item = &str> {
        self.error.iter().chain(&self.damage).map(String::as_str)
    }

    /// Like [`Self::unread`], without the folder of the run, where it is clear which one is meant.
    pub fn unread_here(&self) -> impl Iterator<Item = String> {
        let folder = format!("{}/", self.dir.display());
        self.unread().map(move |error| error.replace(&folder, ""))
    }

    /// Says that the run did not get as far as to `what`, if it ended early: `the run failed before it wrote …`.
    pub fn ended_before(&self, what: &str) -> Option<String> {
        let ended = match self.ended.filter(|_| !self.alive)? {
            State::Failed => "failed",
            State::Crashed => "crashed",
            State::Stopped => "was stopped",
            _ => return None,
        };
        Some(format!("the run {ended} before it {what}"))
    }

    /// The metrics of the run, in the order of first use.
    pub fn metric_names(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        self.keys.iter().map(|(k, _)| k.metric.as_str()).filter(|m| seen.insert(*m)).collect()
    }

    /// The series of a metric that were read.
    pub fn of_metric<'a>(&'a self, metric: &'a str) -> impl Iterator<Item = &'a Arc<SeriesSnapshot>> {
        self.series.iter().filter(move |s| s.key().metric == metric)
    }

    /// The range of the run on an axis: that of all series that were read, and of its steps also to the last one.
    pub(crate) fn extent(&self, x: XAxis) -> Option<(f64, f64)> {
        let all = self.series.iter().filter_map(|s| s.extent(x));
        let last = self.last_step.filter(|_| x == XAxis::Step).map(|step| step as f64);
        all.chain(last.map(|last| (last, last))).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// What was declared of a metric.
    pub fn info(&self, metric: &str) -> Option<&MetricInfo> {
        self.metrics.iter().find(|m| m.name == metric)
    }
}

/// All runs that are watched, at one moment.
#[derive(Clone, Debug, Default)]
pub struct LiveSnapshot {
    /// By name.
    pub runs: HashMap<RunId, Arc<RunData>>,
}

impl LiveSnapshot {
    /// A run's data, if it is watched and was looked at already.
    pub fn run(&self, id: &RunId) -> Option<&Arc<RunData>> {
        self.runs.get(id)
    }

    /// Brings steps and headline values of live runs to those read for charts, so that all are of one moment.
    pub fn update(&self, runs: &mut Arc<RunsSnapshot>) {
        for at in 0..runs.rows.len() {
            let row = &runs.rows[at];
            let live = Some(&row.id).filter(|_| row.live());
            let Some(data) = live.and_then(|id| self.run(id)).filter(|d| !d.progress.reading) else {
                continue;
            };
            let before = &row.view.status;
            let read = |shown: &HeadlineValue| {
                let series = data.series.iter().find(|series| *series.key() == shown.key)?;
                // The status also says of a network that has diverged that it has no value.
                series.last().map(|last| last.value).filter(|_| shown.value.is_finite())
            };
            let brought = |shown: &HeadlineValue| HeadlineValue {
                value: read(shown).unwrap_or(shown.value),
                ..shown.clone()
            };
            let headline: Vec<HeadlineValue> = before.headline.iter().map(brought).collect();
            // Other metrics may have been logged further than those that are read.
            let newest = data.series.iter().filter_map(|series| series.last()).max_by_key(|last| last.step);
            let newest = newest.filter(|last| Some(last.step) > before.step);
            let bits =
                |values: &[HeadlineValue]| values.iter().map(|v| v.value.to_bits()).collect::<Vec<_>>();
            if newest.is_none() && bits(&headline) == bits(&before.headline) {
                continue;
            }
            let status = &mut Arc::make_mut(&mut Arc::make_mut(runs).rows[at]).view.status;
            status.headline = headline;
            if let Some(newest) = newest {
                // As of its own step, which is now another.
                status.by_steps = Some(status.works_by_steps());
                status.step = Some(newest.step);
                status.epoch = Some(newest.epoch).filter(|epoch| epoch.is_finite()).or(status.epoch);
            }
        }
    }
}

/// The names that a run's lines are known by: its models, or its splits where there are no models.
pub(crate) fn names(keys: impl Iterator<Item = SeriesKey>) -> BTreeSet<String> {
    keys.filter_map(|k| k.model.or(k.split)).collect()
}
