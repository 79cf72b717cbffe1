//! A small summary of a run's rows, updated as rows arrive.

use std::collections::BTreeMap;
use std::time::Duration;

use gradtop_store::{Result, RunDir, SYSTEM, SeriesKey, Slice, StoreError, Tailer};

/// Number of longest gaps kept per series.
const GAPS: usize = 8;
/// Maximum number of resource usage points: one per second for half a day, then every second one, and so on.
const POINTS: usize = 1 << 16;
/// Name of the metric for seconds of training.
const TRAINED: &str = "trained_s";

/// The position of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) step: i64,
    pub(super) time_us: i64,
    pub(super) value: f64,
}

/// Points of a series, evenly thinned if there are many.
#[derive(Debug, Clone, Default)]
pub(super) struct DownsampledSeries {
    points: Vec<Point>,
    /// One of this many points is kept; 0 counts as 1.
    stride: u64,
    seen: u64,
}

impl DownsampledSeries {
    pub(super) fn push(&mut self, at: Point) {
        self.stride = self.stride.max(1);
        if self.seen.is_multiple_of(self.stride) {
            self.points.push(at);
        }
        self.seen += 1;
        if self.points.len() == POINTS {
            let mut index = 0;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.stride *= 2;
        }
    }

    pub(super) fn points(&self) -> &[Point] {
        &self.points
    }

    /// Returns the points within a time span, inclusive.
    pub(super) fn between(&self, from_us: i64, to_us: i64) -> impl Iterator<Item = &Point> {
        self.points.iter().filter(move |p| (from_us..=to_us).contains(&p.time_us))
    }

    /// Returns the mean within a time span.
    pub(super) fn mean(&self, from_us: i64, to_us: i64) -> Option<f64> {
        let values = || self.between(from_us, to_us).map(|p| p.value).filter(|v| v.is_finite());
        let count = values().count();
        (count > 0).then(|| values().sum::<f64>() / count as f64)
    }
}

/// A series logged by the training.
#[derive(Debug, Clone)]
pub(super) struct SeriesSummary {
    pub(super) rows: u64,
    pub(super) first: Point,
    pub(super) last: Point,
    /// The first non-finite row.
    pub(super) first_non_finite: Option<Point>,
    /// The first row of the non-finite tail.
    pub(super) non_finite_since: Option<Point>,
    /// Number of non-finite rows.
    pub(super) non_finite_rows: u64,
    /// The longest times between two rows, in descending order.
    gaps: Vec<(i64, i64)>,
    /// Steps against time, used if nothing more exact is logged.
    pub(super) track: DownsampledSeries,
}

impl SeriesSummary {
    fn new(first: Point) -> Self {
        Self {
            rows: 0,
            first,
            last: first,
            first_non_finite: None,
            non_finite_since: None,
            non_finite_rows: 0,
            gaps: Vec::new(),
            track: DownsampledSeries::default(),
        }
    }

    fn push(&mut self, at: Point, track: bool) {
        let gap = (self.last.time_us, at.time_us);
        if self.rows > 0 && gap.1 > gap.0 {
            self.note_gap(gap);
        }
        self.rows += 1;
        self.last = at;
        if at.value.is_finite() {
            self.non_finite_since = None;
        } else {
            self.non_finite_rows += 1;
            self.first_non_finite.get_or_insert(at);
            self.non_finite_since.get_or_insert(at);
        }
        if track {
            self.track.push(at);
        }
    }

    fn note_gap(&mut self, gap: (i64, i64)) {
        let long = |g: &(i64, i64)| g.1 - g.0;
        if self.gaps.len() == GAPS && self.gaps.last().is_some_and(|least| long(least) >= long(&gap)) {
            return;
        }
        let place = self.gaps.partition_point(|g| long(g) >= long(&gap));
        self.gaps.insert(place, gap);
        self.gaps.truncate(GAPS);
    }
}

/// What a run's rows say about its health.
#[derive(Debug, Clone, Default)]
pub struct RunSummary {
    /// Number of rows of the training itself.
    pub(super) rows: u64,
    pub(super) series: BTreeMap<SeriesKey, SeriesSummary>,
    /// Resource usage, by metric without `system/`.
    pub(super) machine: BTreeMap<String, DownsampledSeries>,
    /// Whether to keep steps against time for all series, for runs that do not log their training time.
    track_all: bool,
}

impl RunSummary {
    /// Adds a block of rows of a series.
    fn take(&mut self, slice: &Slice<'_>) {
        let rows = slice.step.iter().zip(slice.time_us).zip(slice.value);
        let rows =
            rows.map(|((step, time_us), value)| Point { step: *step, time_us: *time_us, value: *value });
        if let Some(name) = slice.key.metric.strip_prefix(SYSTEM) {
            if !self.machine.contains_key(name) {
                self.machine.insert(name.to_owned(), DownsampledSeries::default());
            }
            if let Some(track) = self.machine.get_mut(name) {
                rows.for_each(|at| track.push(at));
            }
            return;
        }
        self.rows += slice.step.len() as u64;
        for at in rows {
            if let Some(summary) = self.series.get_mut(slice.key) {
                summary.push(at, self.track_all);
            } else {
                let mut summary = SeriesSummary::new(at);
                summary.push(at, self.track_all);
                self.series.insert(slice.key.clone(), summary);
            }
        }
    }

    /// Returns the series with the most rows.
    pub(super) fn densest(&self) -> Option<&SeriesSummary> {
        self.series.values().max_by_key(|summary| summary.rows)
    }

    /// Returns the last row.
    pub(super) fn last(&self) -> Option<(&SeriesKey, Point)> {
        self.series.iter().map(|(key, summary)| (key, summary.last)).max_by_key(|(_, at)| at.time_us)
    }

    /// Returns seconds of training against time; empty if the run does not log them.
    pub(super) fn trained(&self) -> &[Point] {
        self.machine.get(TRAINED).map_or(&[], DownsampledSeries::points)
    }

    /// Returns the seconds it had trained at a time. Pauses, sleep of the machine and the time between an end and a
    /// resume do not count.
    pub(super) fn trained_at(&self, time_us: i64) -> Option<f64> {
        let points = self.trained();
        let next = points.partition_point(|p| p.time_us <= time_us);
        let (Some(before), after) = (points.get(next.checked_sub(1).unwrap_or(next)), points.get(next))
        else {
            return None;
        };
        let past = (time_us - before.time_us).max(0) as f64 / 1e6;
        Some(before.value + after.map_or(0.0, |after| past.min(after.value - before.value)))
    }

    /// Returns the longest training time between two rows of its densest series, in seconds.
    pub(super) fn longest_gap(&self) -> Option<f64> {
        let summary = self.densest()?;
        let wall = |g: &(i64, i64)| (g.1 - g.0) as f64 / 1e6;
        let trained =
            |g: &(i64, i64)| Some((self.trained_at(g.1)? - self.trained_at(g.0)?).clamp(0.0, wall(g)));
        // Gaps that were not kept are shorter than the last one that was.
        let unseen = summary.gaps.get(GAPS - 1).map_or(0.0, wall);
        Some(summary.gaps.iter().filter_map(trained).fold(unseen, f64::max))
    }
}

/// Reads a run's rows into a [`RunSummary`], each once.
#[derive(Debug)]
pub struct Reader {
    run: RunDir,
    tailer: Tailer,
    restarts: u64,
    summary: RunSummary,
}

impl Reader {
    /// Creates a reader at the start. If `imported`, rows say nothing about a machine.
    pub fn new(run: &RunDir, imported: bool) -> Self {
        let summary = RunSummary { track_all: imported, ..RunSummary::default() };
        Self { run: run.clone(), tailer: Tailer::new(run), restarts: 0, summary }
    }

    /// Returns the run.
    pub fn run(&self) -> &RunDir {
        &self.run
    }

    /// Reads new rows for at most `budget`. Returns `true` at the end.
    pub fn read(&mut self, budget: Duration) -> Result<bool> {
        let restarts = self.tailer.look_back()?;
        if restarts != self.restarts {
            self.restarts = restarts;
            self.summary = RunSummary { track_all: self.summary.track_all, ..RunSummary::default() };
        }
        let summary = &mut self.summary;
        self.tailer.poll_slices(budget, |slice| summary.take(&slice))?;
        Ok(self.tailer.at_end())
    }

    /// Returns the summary.
    pub fn summary(&self) -> &RunSummary {
        &self.summary
    }

    /// Returns files that could not be read completely.
    pub fn damage(&self) -> &[StoreError] {
        self.tailer.damage()
    }
}
