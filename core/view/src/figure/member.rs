//! A series of a line, mapped to the common axis of a chart.

use gradtop_chart::ValueCount;
use gradtop_chart::scale::{Scale, Span};
use gradtop_store::Average;

use super::prepared::Plot;
use crate::live::columns::{ColumnGrid, Columns};
use crate::live::series::{Reading, Row, Values};
use crate::live::{RunData, SeriesSnapshot, XAxis};

/// How x of all series of a run is mapped to the common axis of a chart.
#[derive(Clone, Copy)]
pub(super) struct Placement<'a> {
    data: &'a RunData,
    kind: XAxis,
    /// What is subtracted from x, and the divisor of the result.
    shift: (f64, f64),
}

impl<'a> Placement<'a> {
    /// Creates a mapping; if `relative`, x is mapped to its share of the run.
    pub(super) fn new(data: &'a RunData, relative: bool, kind: XAxis) -> Self {
        let shift = match data.extent(kind).filter(|_| relative) {
            Some((low, high)) => {
                // Steps and epochs count from zero; times from the first sample.
                let zero = if kind == XAxis::Clock { low } else { 0.0f64.min(low) };
                (zero, if high > zero { high - zero } else { 1.0 })
            }
            None => (0.0, 1.0),
        };
        Self { data, kind, shift }
    }

    pub(super) fn own(&self, x: f64) -> f64 {
        x * self.shift.1 + self.shift.0
    }

    fn common(&self, x: f64) -> f64 {
        (x - self.shift.0) / self.shift.1
    }

    fn of_time(&self, at_us: i64) -> Option<f64> {
        self.kind.of_time(at_us, self.data.started_us).map(|x| self.common(x))
    }

    /// Returns the positions at which the run was resumed.
    pub(super) fn resumes(self) -> impl Iterator<Item = f64> + 'a {
        self.data.resumes.iter().filter_map(move |(step, time)| match self.kind {
            XAxis::Step => Some(self.common(*step as f64)),
            XAxis::Epoch => None,
            XAxis::Time | XAxis::Clock => self.of_time(*time),
        })
    }
}

/// A series with its mapping to the common axis.
pub(super) struct Member<'a> {
    pub(super) series: &'a SeriesSnapshot,
    pub(super) place: Placement<'a>,
}

impl Member<'_> {
    /// Maps a range of the common axis to the series' own.
    pub(super) fn own_range(&self, (low, high): (f64, f64)) -> (f64, f64) {
        (self.place.own(low), self.place.own(high))
    }

    /// Returns its range on a common axis of this scale, on a logarithmic one from its first positive position.
    pub(super) fn extent(&self, scale: Scale) -> Option<(f64, f64)> {
        let (low, high) = self.series.extent(self.place.kind)?;
        let low = if scale.takes(low) { low } else { self.series.first_positive(self.place.kind)? };
        Some((self.place.common(low), self.place.common(high)))
    }

    /// Returns where its last sample lies on the common axis.
    pub(super) fn end(&self) -> Option<f64> {
        Some(self.last_reading()?.x.1)
    }

    /// Returns its last sample, if that lies on the axis.
    pub(super) fn last_reading(&self) -> Option<Reading> {
        Some(self.placed_reading(self.series.last_reading(self.place.kind)?))
    }

    /// Returns whether it lies along a clock.
    pub(super) fn is_by_time(&self) -> bool {
        !self.place.kind.goes_back()
    }

    /// Returns whether another series with the same steps would lie at the same positions.
    pub(super) fn is_by_step(&self) -> bool {
        !self.is_by_time() && self.place.shift == (0.0, 1.0)
    }

    /// Returns whether it has begun at a position of the common axis.
    pub(super) fn has_begun(&self, position: f64) -> bool {
        self.extent(Scale::Linear).is_some_and(|(first, _)| first <= position)
    }

    /// Returns whether it goes on up to a position of the common axis, or has no end on that axis.
    pub(super) fn reaches(&self, position: f64) -> bool {
        self.end().is_none_or(|end| end >= position)
    }

    /// Returns its last value.
    pub(super) fn last_value(&self, values: Values) -> Option<f64> {
        let raw = self.series.last()?.value;
        // A moving average says nothing about a value that is no longer finite.
        Some(
            self.series
                .last_smooth()
                .filter(|_| values == Values::Smoothed && raw.is_finite())
                .unwrap_or(raw),
        )
    }

    /// Returns whether any of its values is a number.
    pub(super) fn has_number(&self) -> bool {
        self.series.min().is_some()
    }

    /// Returns the unit of its values: the declared one, else that of its rows.
    pub(super) fn unit(&self) -> Option<&str> {
        let declared = self.run().info(&self.series.key().metric).and_then(|info| info.unit.as_deref());
        declared.or(self.series.unit()).filter(|unit| !unit.is_empty())
    }

    /// Returns the run of its series.
    pub(super) fn run(&self) -> &RunData {
        self.place.data
    }

    /// Returns whether it lies entirely within a window.
    pub(super) fn lies_within(&self, window: &Span) -> bool {
        let (from, to) = self.own_range((window.low, window.high));
        self.series.extent(self.place.kind).is_none_or(|(low, high)| from <= low && high <= to)
    }

    /// Returns its samples around a range of the common axis, or the means of its buckets if it is thinned.
    pub(super) fn rows(&self, x: (f64, f64), values: Values, average: Average) -> Vec<Row> {
        let rows = self.series.rows(self.place.kind, self.own_range(x), values, average);
        let place = |x| self.place.common(x);
        rows.map(|row| Row { x: place(row.x), span: (place(row.span.0), place(row.span.1)), ..row }).collect()
    }

    /// Returns whether [`Self::rows`] are the logged samples.
    pub(super) fn is_exact(&self, x: (f64, f64)) -> bool {
        self.series.is_exact(self.place.kind, self.own_range(x))
    }

    /// Counts its samples in a range of the common axis.
    pub(super) fn counts(&self, x: (f64, f64)) -> ValueCount {
        self.series.counts(self.place.kind, self.own_range(x))
    }

    /// Returns its smallest, largest and smallest positive value in a range of the common axis.
    pub(super) fn value_range(&self, x: (f64, f64)) -> Option<(f64, f64, f64)> {
        self.series.value_range(self.place.kind, self.own_range(x))
    }

    /// Returns its columns in a plot. Neighbours outside are mapped to the common axis.
    pub(super) fn columns(&self, plot: &Plot, values: Values) -> Option<Columns> {
        let grid = self.grid(&plot.x, plot.dots);
        let columns = match values {
            Values::Logged => self.series.columns(self.place.kind, &grid),
            Values::Smoothed => self.series.smooth_columns(self.place.kind, &grid)?,
        };
        Some(self.placed(columns))
    }

    pub(super) fn over(&self, window: &Span, columns: usize) -> Columns {
        self.placed(self.series.columns(self.place.kind, &self.grid(window, columns)))
    }

    fn grid(&self, window: &Span, columns: usize) -> ColumnGrid {
        let (low, high) = self.own_range((window.low, window.high));
        ColumnGrid::new(Span { scale: window.scale, low, high }, columns)
    }

    fn placed(&self, mut columns: Columns) -> Columns {
        let common = |x: &mut f64| *x = self.place.common(*x);
        for segment in &mut columns.segments {
            for end in [&mut segment.before, &mut segment.after].into_iter().flatten() {
                common(&mut end.0);
            }
            segment.columns.iter_mut().flat_map(|column| [&mut column.x.0, &mut column.x.1]).for_each(common);
        }
        columns.non_finite.iter_mut().flat_map(|odd| [&mut odd.x.0, &mut odd.x.1]).for_each(common);
        columns
    }

    /// Returns its value in the column of dots around a position, else the nearest.
    pub(super) fn at(&self, x: f64, column: (f64, f64)) -> Option<Reading> {
        Some(self.placed_reading(self.series.at(
            self.place.kind,
            self.place.own(x),
            self.own_range(column),
        )?))
    }

    fn placed_reading(&self, own: Reading) -> Reading {
        Reading { x: (self.place.common(own.x.0), self.place.common(own.x.1)), ..own }
    }

    /// Returns its smoothed value there.
    pub(super) fn smooth_at(&self, x: f64, column: (f64, f64)) -> Option<f64> {
        self.series.smooth_at(self.place.kind, self.place.own(x), self.own_range(column))
    }

    /// Returns the nearest positions with samples outside of a column.
    pub(super) fn beside(&self, column: (f64, f64)) -> (Option<f64>, Option<f64>) {
        let (before, after) = self.series.beside(self.place.kind, self.own_range(column));
        (before.map(|x| self.place.common(x)), after.map(|x| self.place.common(x)))
    }

    /// Returns the ranges of x during which its run was paused or it was silent, where visible.
    pub(super) fn gaps(&self, plot: &Plot) -> Vec<(f64, f64)> {
        let place = |t: i64| match t {
            i64::MAX => self.place.of_time(0).map(|_| plot.x.high),
            t => self.place.of_time(t),
        };
        let rests = self.place.data.pauses.iter().chain(self.series.raw.silences.iter());
        rests.filter_map(|(from, to)| place(*from).zip(place(*to))).collect()
    }
}
