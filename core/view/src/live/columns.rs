//! Reduces a pyramid to columns of pixels, keeping the smallest and largest value of each.
//!
//! A bucket within one column belongs to it. A bucket across several columns contributes its extremes to each of them,
//! so that no column shows less than it contains, and none shows more than its buckets contain.

use super::XAxis;
use super::pyramid::{Bucket, GROUP, Levels, flag};
use gradtop_chart::scale::Span;

/// Columns of an axis: column c covers `edges[c] <= x < edges[c + 1]`; the last one includes its end.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnGrid {
    /// The axis.
    pub span: Span,
    edges: Vec<f64>,
}

impl ColumnGrid {
    /// Creates `width` columns whose centres are evenly spaced from one end of the span to the other, like the dots of a raster.
    pub fn new(span: Span, width: usize) -> Self {
        let width = width.max(2);
        let last = (width - 1) as f64;
        let value = span.values();
        let mut edges: Vec<f64> = (0..=width).map(|c| value((c as f64 - 0.5) / last)).collect();
        // On a logarithmic axis, rounding may swap neighbours.
        for i in 1..edges.len() {
            edges[i] = edges[i].max(edges[i - 1]);
        }
        Self { span, edges }
    }

    /// Returns the number of columns.
    pub fn width(&self) -> usize {
        self.edges.len() - 1
    }

    /// Returns the range from the start of the first column to the end of the last.
    pub fn range(&self) -> (f64, f64) {
        (self.edges[0], self.edges[self.width()])
    }

    /// Returns the number of columns that begin at or before a value: 0 if it is before all of them.
    pub(crate) fn begun(&self, v: f64) -> usize {
        self.edges.partition_point(|e| *e <= v)
    }

    /// Returns the column of a value, `None` outside. `near` is a hint.
    fn column(&self, v: f64, near: usize) -> Option<usize> {
        let (low, high) = self.range();
        if v.is_nan() || v < low || v > high {
            return None;
        }
        let width = self.width();
        for c in near..(near + 3).min(width) {
            if v >= self.edges[c] && v < self.edges[c + 1] {
                return Some(c);
            }
        }
        Some(self.edges.partition_point(|e| *e <= v).saturating_sub(1).min(width - 1))
    }
}

/// What a column shows of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// Its index, from the left.
    pub at: usize,
    /// The range of the axis that its values are of.
    pub x: (f64, f64),
    /// Where the first and the last value were logged; NaN if that is not known, or if they were not.
    ends: (f64, f64),
    /// The first value that is known to be in it. In the middle of a bucket none is: one between the bucket's ends, which was
    /// not logged.
    pub first: f64,
    /// The smallest value.
    pub min: f64,
    /// The smallest positive value; NaN if there is none.
    pub min_positive: f64,
    /// The largest value.
    pub max: f64,
    /// The last value, see `first`.
    pub last: f64,
    /// Number of its finite values; a bucket across several columns is divided evenly.
    pub n: f64,
}

impl Column {
    #[inline] // for each bucket that is drawn, as `join` is
    fn of(b: &Bucket, at: usize, x: (f64, f64)) -> Self {
        let in_order = b.flags & (flag::NON_FINITE | flag::REWIND) == 0;
        let known = |x: f64| if in_order { x } else { f64::NAN };
        Self {
            at,
            x,
            ends: (known(x.0), known(x.1)),
            first: b.first,
            min: b.min,
            min_positive: b.min_positive,
            max: b.max,
            last: b.last,
            n: f64::from(b.finite),
        }
    }

    /// Appends what follows in the same column.
    #[inline]
    fn join(&mut self, next: &Self) {
        self.x = (self.x.0.min(next.x.0), self.x.1.max(next.x.1));
        self.ends.1 = next.ends.1;
        self.min = self.min.min(next.min);
        self.min_positive = self.min_positive.min(next.min_positive);
        self.max = self.max.max(next.max);
        self.last = next.last;
        self.n += next.n;
    }

    /// Returns where its first and its last value were logged, as far as that is known.
    pub(crate) fn logged(&self) -> [Option<f64>; 2] {
        [self.ends.0, self.ends.1].map(|x| Some(x).filter(|x| !x.is_nan()))
    }
}

/// Non-finite values in a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NonFinite {
    /// The column's index.
    pub at: usize,
    /// The range of the axis that they are of.
    pub x: (f64, f64),
    /// Bits of [`flag::NON_FINITE`].
    pub flags: u8,
}

/// An uninterrupted part of a line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    /// Its columns, in ascending order.
    pub columns: Vec<Column>,
    /// The last point before the first column of the axis, if the line enters from there.
    pub before: Option<(f64, f64)>,
    /// The next point after the last column, if the line continues there.
    pub after: Option<(f64, f64)>,
}

/// A series reduced to the columns of an axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// The parts of the line, separated by non-finite values or steps that go back.
    pub segments: Vec<Segment>,
    /// Columns with non-finite values.
    pub non_finite: Vec<NonFinite>,
}

/// Reduces a pyramid to the columns of a grid.
pub fn columns(levels: &Levels, x: XAxis, started_us: Option<i64>, grid: &ColumnGrid) -> Columns {
    let mut out = Builder { grid, near: 0, segment: Segment::default(), out: Columns::default() };
    let rewinds_matter = x.goes_back();
    for chunk in &levels.chunks {
        if out.whole(&chunk.sum, x, started_us) {
            continue;
        }
        for (group, buckets) in chunk.groups.iter().zip(chunk.buckets.chunks(GROUP)) {
            if out.whole(group, x, started_us) {
                continue;
            }
            for bucket in buckets {
                out.bucket(bucket, x, started_us, rewinds_matter);
            }
        }
    }
    for bucket in &levels.tail {
        out.bucket(bucket, x, started_us, rewinds_matter);
    }
    out.finish()
}

struct Builder<'a> {
    grid: &'a ColumnGrid,
    near: usize,
    segment: Segment,
    out: Columns,
}

impl Builder<'_> {
    /// Adds a summary instead of its buckets, if it lies in one column or outside and nothing in it interrupts the line.
    fn whole(&mut self, sum: &Bucket, x: XAxis, started_us: Option<i64>) -> bool {
        if sum.flags & (flag::NON_FINITE | flag::REWIND) != 0 {
            return false;
        }
        let Some((from, to)) = sum.range(x, started_us) else { return false };
        if self.joins(sum, from, to) {
            return true;
        }
        let (low, high) = self.grid.range();
        if to < low || from > high {
            let left = to < low;
            self.outside(sum, if left { to } else { from }, left);
            return true;
        }
        let (Some(c), Some(d)) = (self.grid.column(from, self.near), self.grid.column(to, self.near)) else {
            return false;
        };
        if c == d {
            self.add(sum, (from, to), c, d);
        }
        c == d
    }

    /// Adds a regular bucket to the latest column if it lies completely in that column, as most do.
    #[inline]
    fn joins(&mut self, b: &Bucket, from: f64, to: f64) -> bool {
        let Some(column) = self.segment.columns.last_mut() else { return false };
        let inside = from >= self.grid.edges[column.at] && to < self.grid.edges[column.at + 1];
        if inside {
            column.join(&Column::of(b, column.at, (from, to)));
        }
        inside
    }

    fn bucket(&mut self, b: &Bucket, x: XAxis, started_us: Option<i64>, rewinds_matter: bool) {
        if rewinds_matter && b.flags & flag::REWIND != 0 {
            self.interrupt();
        }
        let Some((from, to)) = b.range(x, started_us) else {
            // A bucket without a position on this axis interrupts the line.
            self.interrupt();
            return;
        };
        if b.flags & flag::NON_FINITE == 0 && self.joins(b, from, to) {
            return;
        }
        let (low, high) = self.grid.range();
        if to < low || from > high {
            let left = to < low;
            self.outside(b, if left { to } else { from }, left);
            return;
        }
        let c = self.grid.column(from.max(low), self.near).unwrap_or(0);
        let d = if to > from { self.grid.column(to.min(high), c).unwrap_or(c) } else { c };
        if b.flags & flag::NON_FINITE != 0 {
            for at in c..=d {
                self.out.non_finite.push(NonFinite { at, x: (from, to), flags: b.flags & flag::NON_FINITE });
            }
            // A line may come from a neighbour only if nothing irregular is in between; the order within a bucket is unknown.
            if b.flags & flag::FIRST_NON_FINITE != 0 || b.n > 1 {
                self.interrupt();
            }
            if b.finite > 0 {
                self.add(b, (from, to), c, d);
            }
            self.interrupt();
            return;
        }
        self.add(b, (from, to), c, d);
    }

    /// Handles a bucket outside the columns, to which the line leads.
    fn outside(&mut self, b: &Bucket, x: f64, left: bool) {
        if b.finite == 0 {
            self.interrupt();
            return;
        }
        if left {
            self.interrupt();
            self.segment.before = (b.flags & flag::LAST_NON_FINITE == 0).then_some((x, b.last));
        } else {
            if b.flags & flag::FIRST_NON_FINITE == 0 {
                self.segment.after = Some((x, b.first));
            }
            self.interrupt();
        }
    }

    fn add(&mut self, b: &Bucket, x: (f64, f64), c: usize, d: usize) {
        self.near = d;
        let many = (d - c + 1) as f64;
        for at in c..=d {
            let mut column = Column::of(b, at, x);
            if c < d {
                let share = |n: usize| (b.first + (b.last - b.first) * (n as f64 / many)).clamp(b.min, b.max);
                let (first, last) = column.ends;
                (column.ends, column.first, column.last) = match at {
                    _ if at == c => ((first, first), b.first, b.first),
                    _ if at == d => ((last, last), b.last, b.last),
                    _ => ((f64::NAN, f64::NAN), share(at - c), share(at - c + 1)),
                };
                column.n /= many;
            }
            match self.segment.columns.last_mut() {
                Some(same) if same.at == at => same.join(&column),
                _ => self.segment.columns.push(column),
            }
        }
    }

    fn interrupt(&mut self) {
        let done = std::mem::take(&mut self.segment);
        // A line across the window is drawn even without a sample inside.
        if !done.columns.is_empty() || (done.before.is_some() && done.after.is_some()) {
            self.out.segments.push(done);
        }
    }

    fn finish(mut self) -> Columns {
        self.interrupt();
        let odd = &mut self.out.non_finite;
        odd.sort_by_key(|odd| (odd.at, odd.flags));
        odd.dedup_by(|next, odd| {
            let same = (next.at, next.flags) == (odd.at, odd.flags);
            if same {
                odd.x = (odd.x.0.min(next.x.0), odd.x.1.max(next.x.1));
            }
            same
        });
        self.out
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::live::pyramid::{Pyramid, Sample};
    use gradtop_chart::scale::Scale;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn values() -> impl Strategy<Value = f64> {
        prop_oneof![
            30 => -1e6f64..1e6,
            1 => Just(f64::NAN),
            1 => Just(f64::INFINITY),
            1 => Just(f64::NEG_INFINITY),
        ]
    }

    fn pyramid(values: &[f64], gaps: &[u8], cap: usize) -> (Levels, Vec<i64>) {
        let mut pyramid = Pyramid::new(cap);
        let mut step = 0;
        let mut steps = Vec::new();
        for (i, v) in values.iter().enumerate() {
            step += i64::from(gaps[i % gaps.len()]);
            steps.push(step);
            pyramid.push(Sample { step, epoch: f64::NAN, time_us: i as i64, value: *v });
        }
        (pyramid.levels(), steps)
    }

    fn grid(low: f64, high: f64, width: usize) -> ColumnGrid {
        ColumnGrid::new(Span { scale: Scale::Linear, low, high: high.max(low + 1.0) }, width)
    }

    /// Which samples lie in each column, by going through all of them.
    fn brute(grid: &ColumnGrid, steps: &[i64]) -> BTreeMap<usize, Vec<usize>> {
        let mut out: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (i, step) in steps.iter().enumerate() {
            let x = *step as f64;
            let last = grid.width() - 1;
            let holds = |c: &usize| {
                x >= grid.edges[*c] && (x < grid.edges[c + 1] || (*c == last && x <= grid.edges[c + 1]))
            };
            if let Some(c) = (0..=last).find(holds) {
                out.entry(c).or_default().push(i);
            }
        }
        out
    }

    /// Smallest and largest finite value.
    fn extremes(values: &[f64], of: impl Iterator<Item = usize>) -> Option<(f64, f64)> {
        of.map(|i| values[i])
            .filter(|v| v.is_finite())
            .fold(None, |e, v| Some(e.map_or((v, v), |(a, b): (f64, f64)| (a.min(v), b.max(v)))))
    }

    proptest! {
        #[test]
        fn unthinned_columns_are_exactly_those_of_all_samples(
            values in prop::collection::vec(values(), 1..1500), gaps in prop::collection::vec(0u8..5, 1..7),
            width in 2usize..200, from in -0.2f64..0.9, length in 0.01f64..1.3,
        ) {
            let (levels, steps) = pyramid(&values, &gaps, 2000);
            let end = *steps.last().unwrap() as f64;
            let grid = grid(from * end, (from + length) * end, width);
            let found = columns(&levels, XAxis::Step, Some(0), &grid);
            let expected = brute(&grid, &steps);
            let columns: Vec<&Column> = found.segments.iter().flat_map(|s| &s.columns).collect();
            for (c, samples) in &expected {
                let mine = columns.iter().filter(|column| column.at == *c);
                let range = mine.fold(None, |e, column| {
                    Some(e.map_or((column.min, column.max), |(a, b): (f64, f64)| (a.min(column.min), b.max(column.max))))
                });
                prop_assert_eq!(range, extremes(&values, samples.iter().copied()), "column {}", c);
            }
            prop_assert!(columns.iter().all(|column| expected.contains_key(&column.at)));
            let odd: BTreeSet<usize> = found.non_finite.iter().map(|o| o.at).collect();
            let wanted: BTreeSet<usize> = expected
                .iter()
                .filter(|(_, s)| s.iter().any(|i| !values[*i].is_finite()))
                .map(|(c, _)| *c)
                .collect();
            prop_assert_eq!(odd, wanted);
        }

        #[test]
        fn a_line_is_never_drawn_over_what_is_not_finite(
            values in prop::collection::vec(values(), 1..800), width in 2usize..200,
        ) {
            let (levels, steps) = pyramid(&values, &[1], 2000);
            let found = columns(&levels, XAxis::Step, Some(0), &grid(0.0, *steps.last().unwrap() as f64 + 1.0, width));
            let drawable = values.split(|v| !v.is_finite()).filter(|s| !s.is_empty()).count();
            prop_assert_eq!(found.segments.len(), drawable);
        }

        #[test]
        fn thinned_columns_never_lose_an_extreme_and_add_at_most_a_bucket(
            values in prop::collection::vec(values(), 200..6000), gaps in prop::collection::vec(0u8..4, 1..5),
            width in 2usize..300, from in -0.2f64..0.9, length in 0.01f64..1.3,
        ) {
            let (levels, steps) = pyramid(&values, &gaps, 128);
            let end = *steps.last().unwrap() as f64;
            let grid = grid(from * end, (from + length) * end, width);
            let found = columns(&levels, XAxis::Step, Some(0), &grid);
            prop_assert!(levels.buckets().count() <= 129);
            let leaf = levels.leaf as usize;
            let columns: Vec<&Column> = found.segments.iter().flat_map(|s| &s.columns).collect();
            for (c, samples) in brute(&grid, &steps) {
                let Some((low, high)) = extremes(&values, samples.iter().copied()) else { continue };
                let mine = columns.iter().filter(|column| column.at == c);
                let range = mine.fold((f64::NAN, f64::NAN), |(a, b), column| (a.min(column.min), b.max(column.max)));
                prop_assert!(range.0 <= low && range.1 >= high, "column {c}: {range:?} holds {low} … {high}");
                let wide = samples[0].saturating_sub(leaf)..(samples[samples.len() - 1] + leaf).min(values.len());
                let (least, most) = extremes(&values, wide).unwrap();
                prop_assert!(range.0 >= least && range.1 <= most, "column {c}: {range:?} within {least} … {most}");
            }
        }
    }

    #[test]
    fn steps_that_go_back_begin_a_line_of_their_own() {
        let mut pyramid = Pyramid::new(1000);
        for (i, step) in (0..100).chain(50..150).enumerate() {
            pyramid.push(Sample {
                step,
                epoch: step as f64,
                time_us: i as i64 * 1_000_000,
                value: step as f64,
            });
        }
        let levels = pyramid.levels();
        let by_step = columns(&levels, XAxis::Step, Some(0), &grid(0.0, 150.0, 40));
        assert_eq!(by_step.segments.len(), 2);
        assert_eq!(by_step.segments[0].columns.last().map(|c| c.last), Some(99.0));
        assert_eq!(by_step.segments[1].columns.first().map(|c| c.first), Some(50.0));
        let by_time = columns(&levels, XAxis::Time, Some(0), &grid(0.0, 200.0, 40));
        assert_eq!(by_time.segments.len(), 1, "on a time axis nothing goes back");
    }

    #[test]
    fn a_line_enters_and_leaves_a_window_between_samples() {
        let (levels, _) = pyramid(&[1.0, 2.0, 3.0], &[100], 128);
        let found = columns(&levels, XAxis::Step, Some(0), &grid(110.0, 190.0, 10));
        let [only] = found.segments.as_slice() else { panic!("{found:?}") };
        assert!(only.columns.is_empty());
        assert_eq!((only.before, only.after), (Some((100.0, 1.0)), Some((200.0, 2.0))));
    }

    #[test]
    fn a_log_axis_of_a_thinned_series_shows_its_start() {
        let mut pyramid = Pyramid::new(8192);
        for i in 0..1_000_000 {
            let value = f64::from(i % 1000);
            pyramid.push(Sample { step: i64::from(i), epoch: f64::NAN, time_us: 0, value });
        }
        assert!(pyramid.buckets() <= 8192);
        let grid = ColumnGrid::new(Span { scale: Scale::Log, low: 1.0, high: 999_999.0 }, 200);
        let found = columns(&pyramid.levels(), XAxis::Step, Some(0), &grid);
        // Around step 250 a column holds 17 steps, and those of the buckets at its edges.
        let at = grid.begun(250.0) - 1;
        let column = found.segments[0].columns.iter().find(|c| c.at == at).unwrap();
        assert!(column.min > 230.0 && column.max < 275.0, "{column:?}");
    }
}
