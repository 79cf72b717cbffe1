//! Immutable snapshots of series.

use std::sync::Arc;

use gradtop_chart::ValueCount;
use gradtop_store::{Average, Goal, Point, SeriesKey, SeriesSummary};

use super::XAxis;
use super::columns::{ColumnGrid, Columns, columns};
use super::pyramid::{Bucket, CHUNK, Levels, Sample, flag};

/// A part of a series at a higher resolution.
#[derive(Clone, Debug)]
pub struct Detail {
    /// The first and last step it contains completely.
    pub steps: (i64, i64),
    /// The raw values.
    pub raw: Levels,
    /// The smoothed values, if smoothing is on.
    pub smooth: Option<Levels>,
}

/// A series of a run at one moment; immutable and shared.
#[derive(Clone, Debug)]
pub struct SeriesSnapshot {
    pub(crate) key: Arc<SeriesKey>,
    pub(crate) unit: Option<Arc<str>>,
    pub(crate) generation: u64,
    pub(crate) started_us: Option<i64>,
    pub(crate) raw: Levels,
    /// The smoothing weight and the smoothed values.
    pub(crate) smooth: Option<(f64, Levels)>,
    pub(crate) details: Vec<Detail>,
    pub(crate) last: Option<Sample>,
    /// Whether there are only page statistics so far: extremes are right, but values in between are missing.
    pub(crate) coarse: bool,
}

/// Which values of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    Logged,
    /// Their moving average.
    Smoothed,
}

/// A sample on an axis, or a bucket of samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    /// The position; NaN if it has none on this axis.
    pub(crate) x: f64,
    /// The range of positions that the value is of.
    pub(crate) span: (f64, f64),
    /// Its first and last step.
    pub(crate) steps: (i64, i64),
    /// The value, or the mean of several.
    pub(crate) value: f64,
    /// The smallest and largest value.
    pub(crate) ends: (f64, f64),
    /// How often steps had gone back before it; always 0 on time axes.
    pub(crate) lap: usize,
    /// When it was logged, in microseconds, or the first of several; `None` if the run has no times.
    pub(crate) time_us: Option<i64>,
}

/// The values of a series at a position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Position of the first and last sample.
    pub x: (f64, f64),
    /// Steps of the first and last sample.
    pub steps: (i64, i64),
    /// The value, or the mean of several.
    pub value: f64,
    /// Their geometric mean, or the same value if one is 0 or less or not finite.
    pub geometric: f64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// Number of values included; non-finite ones only if there is no other.
    pub n: u64,
    /// Number of all values.
    pub all: u64,
}

impl Reading {
    /// Creates the reading of all samples of a bucket.
    fn of(b: &Bucket, x: (f64, f64)) -> Self {
        let (value, (min, max)) = b.shown(Average::Mean);
        let (geometric, _) = b.shown(Average::GeometricMean);
        let n = u64::from(if b.finite > 0 { b.finite } else { b.n });
        Self { x, steps: b.step, value, geometric, min, max, n, all: u64::from(b.n) }
    }

    /// Creates the reading of the last (or first) sample of a bucket, if it is known.
    fn of_end(b: &Bucket, x: (f64, f64), last: bool) -> Self {
        let whole = Self::of(b, x);
        if b.n == 1 || b.finite < b.n || b.flags & flag::REWIND != 0 {
            return whole;
        }
        let (x, step, value) = if last { (x.1, b.step.1, b.last) } else { (x.0, b.step.0, b.first) };
        let (min, max, geometric) = (value, value, value);
        Self { x: (x, x), steps: (step, step), value, geometric, min, max, n: 1, all: 1 }
    }

    /// Returns the value, or this mean of several. Those of one series have no median.
    pub(crate) fn mean(&self, average: Average) -> f64 {
        if average == Average::GeometricMean { self.geometric } else { self.value }
    }

    /// Returns the position of its sample nearest to `x`.
    pub(crate) fn nearest(&self, x: f64) -> f64 {
        x.clamp(self.x.0, self.x.1)
    }

    /// Returns whether it overlaps a range of the axis.
    pub(crate) fn touches(&self, (low, high): (f64, f64)) -> bool {
        self.x.1 >= low && self.x.0 <= high
    }
}

/// A bucket with its range.
type Placed = (Bucket, (f64, f64));

/// The content of a range of an axis, and its neighbours on both sides.
#[derive(Default)]
struct Around {
    inside: Option<Placed>,
    before: Option<Placed>,
    after: Option<Placed>,
}

impl SeriesSnapshot {
    /// Returns the key of the series.
    pub fn key(&self) -> &SeriesKey {
        &self.key
    }

    /// Returns the unit of its values.
    pub fn unit(&self) -> Option<&str> {
        self.unit.as_deref()
    }

    /// Returns a number that increases whenever the series changes.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the number of samples so far.
    pub fn count(&self) -> u64 {
        self.raw.count
    }

    /// Counts the samples in a range of an axis.
    pub(crate) fn counts(&self, x: XAxis, (low, high): (f64, f64)) -> ValueCount {
        let started = self.started_us;
        let mut out = ValueCount::default();
        let mut take = |b: &Bucket| {
            let Some((from, to)) = b.range(x, started).filter(|(from, to)| *to >= low && *from <= high)
            else {
                return;
            };
            let not_positive = match b.finite {
                0 => Some(0),
                _ if b.min > 0.0 => Some(0),
                n => (b.max <= 0.0).then_some(n.into()),
            };
            out = out
                + ValueCount {
                    all: b.n.into(),
                    non_finite: (b.n - b.finite).into(),
                    not_positive,
                    about: from < low || to > high,
                };
        };
        let levels = self.levels(x, (low, high));
        for chunk in &levels.chunks {
            let sum = &chunk.sum;
            let inside = sum.range(x, started).is_some_and(|(from, to)| low <= from && to <= high);
            let alike = sum.finite == 0 || sum.min > 0.0 || sum.max <= 0.0;
            // Some samples may have no epoch.
            if inside && alike && x != XAxis::Epoch {
                take(sum);
            } else {
                chunk.buckets.iter().for_each(&mut take);
            }
        }
        levels.tail.iter().for_each(take);
        out
    }

    /// Returns whether only its outline has been read.
    #[cfg(test)]
    pub(crate) fn is_coarse(&self) -> bool {
        self.coarse
    }

    /// Returns its smallest and largest step.
    pub(crate) fn steps(&self) -> Option<(i64, i64)> {
        self.raw.total.map(|b| b.step)
    }

    /// Returns the last sample.
    pub fn last(&self) -> Option<Sample> {
        self.last
    }

    /// Returns the last smoothed value, if smoothing is on.
    pub(crate) fn last_smooth(&self) -> Option<f64> {
        self.smooth.as_ref().and_then(|(_, l)| l.total).map(|b| b.last).filter(|v| v.is_finite())
    }

    /// Returns the smallest finite value.
    pub fn min(&self) -> Option<f64> {
        self.raw.total.map(|b| b.min).filter(|v| v.is_finite())
    }

    /// Returns the smallest value, which may be minus infinity.
    pub(crate) fn least(&self) -> Option<f64> {
        let is_below = self.raw.total.is_some_and(|b| b.flags & flag::BELOW != 0);
        if is_below { Some(f64::NEG_INFINITY) } else { self.min() }
    }

    /// Returns the largest finite value.
    pub fn max(&self) -> Option<f64> {
        self.raw.total.map(|b| b.max).filter(|v| v.is_finite())
    }

    /// Returns what it was at this moment, where a summary was read at another: last row, number of rows, and the best row. A best
    /// value that was surpassed since then and lies among samples that are joined is left out.
    pub fn correct(&self, summary: &mut SeriesSummary, goal: Goal) {
        let Some(last) = self.last.filter(|_| self.count() != summary.rows) else { return };
        summary.rows = self.count();
        let epoch = |epoch: f64| Some(epoch).filter(|epoch| !epoch.is_nan());
        summary.last =
            Point { step: last.step, epoch: epoch(last.epoch), time_us: last.time_us, value: last.value };
        let best = match goal {
            Goal::Min => self.min(),
            Goal::Max => self.max(),
            Goal::None => None,
        };
        let is = |b: &&Bucket| b.n == 1 && Some(b.last) == best;
        let point =
            |b: &Bucket| Point { step: b.step.0, epoch: epoch(b.epoch.0), time_us: b.time.0, value: b.last };
        summary.best = summary
            .best
            .filter(|found| Some(found.value) == best)
            .or_else(|| self.raw.buckets().find(is).map(point));
    }

    /// Returns its range on an axis.
    pub fn extent(&self, x: XAxis) -> Option<(f64, f64)> {
        self.raw.total.and_then(|b| b.range(x, self.started_us))
    }

    /// Returns the last sample, if it has a position on an axis.
    pub(crate) fn last_reading(&self, x: XAxis) -> Option<Reading> {
        let last = Bucket::of(self.last?);
        Some(Reading::of(&last, last.range(x, self.started_us)?))
    }

    /// Returns the raw values as columns of an axis.
    pub fn columns(&self, x: XAxis, grid: &ColumnGrid) -> Columns {
        columns(self.levels(x, grid.range()), x, self.started_us, grid)
    }

    /// Returns the smoothed values as columns of an axis; `None` if smoothing is off or not computed yet.
    pub(crate) fn smooth_columns(&self, x: XAxis, grid: &ColumnGrid) -> Option<Columns> {
        Some(columns(self.smooth_levels(x, grid.range())?, x, self.started_us, grid))
    }

    /// Returns the part with the highest resolution for a range of an axis.
    fn levels(&self, x: XAxis, range: (f64, f64)) -> &Levels {
        self.detail(x, range).map_or(&self.raw, |d| &d.raw)
    }

    /// Returns the finest detail that contains all samples in a range of an axis.
    fn detail(&self, x: XAxis, (low, high): (f64, f64)) -> Option<&Detail> {
        if self.raw.leaf <= 1 || self.details.is_empty() {
            return None;
        }
        let steps = self.steps_in(x, (low, high))?;
        let whole = self.details.iter().filter(|d| d.steps.0 <= steps.0 && steps.1 <= d.steps.1);
        whole.min_by_key(|d| d.raw.leaf)
    }

    /// Returns the first positive position on an axis.
    pub(crate) fn first_positive(&self, x: XAxis) -> Option<f64> {
        let starts = self.raw.buckets().filter_map(|b| b.range(x, self.started_us));
        starts.map(|(from, to)| if from > 0.0 { from } else { to }).find(|v| *v > 0.0)
    }

    /// Returns whether all samples in a range of an axis are stored unthinned.
    pub(crate) fn is_exact(&self, x: XAxis, range: (f64, f64)) -> bool {
        !self.coarse && self.levels(x, range).leaf <= 1
    }

    /// Returns the samples around a range of an axis in log order, or the means of its buckets if they are thinned.
    pub(crate) fn rows(
        &self,
        x: XAxis,
        range: (f64, f64),
        values: Values,
        average: Average,
    ) -> impl Iterator<Item = Row> {
        let smooth = if values == Values::Smoothed { self.smooth_levels(x, range) } else { None };
        let (mut lap, started) = (0, self.started_us);
        smooth.unwrap_or_else(|| self.levels(x, range)).buckets().map(move |b| {
            lap += usize::from(x.goes_back() && b.flags & flag::REWIND != 0);
            let (value, ends) = b.shown(average);
            let span = b.range(x, started).unwrap_or((f64::NAN, f64::NAN));
            let x = f64::midpoint(span.0, span.1);
            Row { x, span, steps: b.step, value, ends, lap, time_us: started.map(|_| b.time.0) }
        })
    }

    fn smooth_levels(&self, x: XAxis, range: (f64, f64)) -> Option<&Levels> {
        let (_, whole) = self.smooth.as_ref()?;
        Some(self.detail(x, range).and_then(|d| d.smooth.as_ref()).unwrap_or(whole))
    }

    /// Returns the steps of all buckets that overlap a range of an axis.
    pub(crate) fn steps_in(&self, x: XAxis, (low, high): (f64, f64)) -> Option<(i64, i64)> {
        let mut steps: Option<(i64, i64)> = None;
        for b in self.touching(x, (low, high)) {
            let s = steps.get_or_insert(b.step);
            *s = (s.0.min(b.step.0), s.1.max(b.step.1));
        }
        steps
    }

    /// Returns the steps to read for more detail of `seen`, a part of `wide`: all those of `wide`, if `seen` has fewer
    /// than `fine` buckets and these contain several samples each.
    pub(crate) fn too_coarse(
        &self,
        x: XAxis,
        seen: (f64, f64),
        wide: (f64, f64),
        fine: usize,
    ) -> Option<(i64, i64)> {
        let few = !self.coarse && self.raw.leaf > 1 && self.touching(x, seen).nth(fine).is_none();
        if few { self.steps_in(x, wide) } else { None }
    }

    fn touching(&self, x: XAxis, (low, high): (f64, f64)) -> impl Iterator<Item = &Bucket> {
        let started = self.started_us;
        let inside =
            move |b: &Bucket| b.range(x, started).is_some_and(|(from, to)| to >= low && from <= high);
        let chunks = self.raw.chunks.iter().filter(move |c| inside(&c.sum));
        chunks.flat_map(|c| &c.buckets).chain(&self.raw.tail).filter(move |b| inside(b))
    }

    /// Returns the samples in the column around a position, or the sample nearest to it.
    pub fn at(&self, x: XAxis, at: f64, column: (f64, f64)) -> Option<Reading> {
        self.reading(self.levels(x, column), x, at, column)
    }

    /// Returns the smoothed value there, if smoothing is on.
    pub(crate) fn smooth_at(&self, x: XAxis, at: f64, column: (f64, f64)) -> Option<f64> {
        let reading = self.reading(self.smooth_levels(x, column)?, x, at, column);
        reading.map(|r| r.value).filter(|v| v.is_finite())
    }

    fn reading(&self, levels: &Levels, x: XAxis, at: f64, column: (f64, f64)) -> Option<Reading> {
        let Around { inside, before, after } = self.around(levels, x, column);
        if let Some((bucket, place)) = inside {
            return Some(Reading::of(&bucket, place));
        }
        let ends = [
            before.map(|(b, x)| Reading::of_end(&b, x, true)),
            after.map(|(b, x)| Reading::of_end(&b, x, false)),
        ];
        let far = |r: &Reading| (r.nearest(at) - at).abs();
        ends.into_iter().flatten().min_by(|a, b| far(a).total_cmp(&far(b)))
    }

    /// Returns the nearest positions with samples outside of a column.
    pub(crate) fn beside(&self, x: XAxis, column: (f64, f64)) -> (Option<f64>, Option<f64>) {
        let Around { before, after, .. } = self.around(self.levels(x, column), x, column);
        (before.map(|(_, x)| x.1), after.map(|(_, x)| x.0))
    }

    fn around(&self, levels: &Levels, x: XAxis, (low, high): (f64, f64)) -> Around {
        let started = self.started_us;
        let mut found = Around::default();
        let mut look = |b: &Bucket| {
            let Some((from, to)) = b.range(x, started) else { return };
            if to < low {
                if found.before.is_none_or(|(_, (_, nearest))| to >= nearest) {
                    found.before = Some((*b, (from, to)));
                }
            } else if from > high {
                if found.after.is_none_or(|(_, (nearest, _))| from < nearest) {
                    found.after = Some((*b, (from, to)));
                }
            } else if let Some((sum, place)) = &mut found.inside {
                sum.join(b);
                *place = (place.0.min(from), place.1.max(to));
            } else {
                found.inside = Some((*b, (from, to)));
            }
        };
        for chunk in &levels.chunks {
            // In a chunk outside, only the bucket at the near end can be the nearest, unless steps go back.
            let outside = chunk.sum.range(x, started).filter(|_| chunk.sum.flags & flag::REWIND == 0);
            let near = match outside {
                Some((_, to)) if to < low => &chunk.buckets[CHUNK - 1..],
                Some((from, _)) if from > high => &chunk.buckets[..1],
                _ => &chunk.buckets[..],
            };
            near.iter().for_each(&mut look);
        }
        levels.tail.iter().for_each(&mut look);
        found
    }

    /// Returns the smallest, largest and smallest positive finite value in a range of an axis (the last is NaN if there is none).
    pub(crate) fn value_range(&self, x: XAxis, range: (f64, f64)) -> Option<(f64, f64, f64)> {
        let started = self.started_us;
        let mut out: Option<(f64, f64, f64)> = None;
        let mut take = |b: &Bucket| {
            if b.finite > 0 {
                let o = out.get_or_insert((b.min, b.max, b.min_positive));
                *o = (o.0.min(b.min), o.1.max(b.max), o.2.min(b.min_positive));
            }
        };
        let levels = self.levels(x, range);
        let (low, high) = range;
        let overlaps = |b: &&Bucket| b.range(x, started).is_some_and(|(from, to)| to >= low && from <= high);
        for chunk in &levels.chunks {
            match chunk.sum.range(x, started) {
                Some((from, to)) if from >= low && to <= high => take(&chunk.sum),
                Some((from, to)) if to >= low && from <= high => {
                    chunk.buckets.iter().filter(overlaps).for_each(&mut take);
                }
                _ => {}
            }
        }
        levels.tail.iter().filter(overlaps).for_each(&mut take);
        out
    }

    /// Returns at most `n` bucket means from first to last, evenly spread in log order, for a sparkline.
    pub fn spark(&self, n: usize) -> Vec<f64> {
        let count: u64 = self.raw.buckets().map(|b| u64::from(b.n)).sum();
        // In each part at least one bucket begins.
        let n = (n as u64).min(count / u64::from(self.raw.leaf.max(1))).max(u64::from(n > 0 && count > 0));
        let mut sums = vec![(0.0, 0u32); n as usize];
        let mut before = 0;
        for b in self.raw.buckets().filter(|_| n > 0) {
            let s = &mut sums[(before * n / count) as usize];
            *s = (s.0 + b.sum, s.1 + b.finite);
            before += u64::from(b.n);
        }
        sums.into_iter().map(|(sum, n)| if n == 0 { f64::NAN } else { sum / f64::from(n) }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::testing::series;

    #[test]
    fn a_summary_read_later_is_brought_back_to_this_moment() {
        let read = series(SeriesKey::metric("loss"), [3.0, 1.0, 2.0], 0.0);
        let point = |step: i64, value| Point {
            step,
            epoch: Some(step as f64 / 10.0),
            time_us: step * 1_000_000,
            value,
        };
        let mut later = SeriesSummary {
            key: SeriesKey::metric("loss"),
            unit: None,
            rows: 5,
            last: point(4, 0.5),
            best: Some(point(4, 0.5)),
        };
        read.correct(&mut later, Goal::Min);
        assert_eq!((later.rows, later.last, later.best), (3, point(2, 2.0), Some(point(1, 1.0))));
    }
}
