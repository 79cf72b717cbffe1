//! A series of a line, mapped to the common axis of a chart.

use gradtop_chart::scale::Span;

use super::prepared::Plot;
use crate::live::columns::{ColumnGrid, Columns};
use crate::live::series::{Reading, Row};
use crate::live::{RunData, SeriesSnapshot, XAxis};

/// The whole axis.
const WHOLE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

/// A series with its mapping to the common axis.
pub(super) struct Member<'a> {
    pub(super) series: &'a SeriesSnapshot,
    data: &'a RunData,
    kind: XAxis,
    /// What is subtracted from its x, and the divisor of the result.
    shift: (f64, f64),
}

impl<'a> Member<'a> {
    /// Creates a member; if `relative`, x is mapped to a fraction of the last x.
    pub(super) fn new(series: &'a SeriesSnapshot, data: &'a RunData, relative: bool, kind: XAxis) -> Self {
        let shift = match series.extent(kind).filter(|_| relative) {
            Some((low, high)) => {
                // Steps and epochs count from zero; times from the first sample.
                let zero = if kind == XAxis::Clock { low } else { 0.0f64.min(low) };
                (zero, if high > zero { high - zero } else { 1.0 })
            }
            None => (0.0, 1.0),
        };
        Self { series, data, kind, shift }
    }

    fn own(&self, x: f64) -> f64 {
        x * self.shift.1 + self.shift.0
    }

    fn common(&self, x: f64) -> f64 {
        (x - self.shift.0) / self.shift.1
    }

    /// Maps a range of the common axis to the series' own.
    pub(super) fn own_range(&self, (low, high): (f64, f64)) -> (f64, f64) {
        (self.own(low), self.own(high))
    }

    /// Returns its range on the common axis.
    pub(super) fn extent(&self, log: bool) -> Option<(f64, f64)> {
        let (low, high) = self.series.extent(self.kind)?;
        let low = if log && low <= 0.0 { self.series.first_positive(self.kind)? } else { low };
        Some((self.common(low), self.common(high)))
    }

    /// Returns whether it lies entirely within a window.
    pub(super) fn lies_within(&self, window: &Span) -> bool {
        let (from, to) = self.own_range((window.low, window.high));
        self.series.extent(self.kind).is_none_or(|(low, high)| from <= low && high <= to)
    }

    /// Returns its samples around the visible range, or its buckets if it is thinned.
    pub(super) fn rows(&self, plot: &Plot, smooth: bool) -> Vec<Row> {
        let rows = self.series.rows(self.kind, self.own_range((plot.x.low, plot.x.high)), smooth);
        rows.map(|row| Row { x: self.common(row.x), ..row }).collect()
    }

    /// Returns whether [`Self::rows`] are the logged samples.
    pub(super) fn is_exact(&self, plot: &Plot) -> bool {
        self.series.is_exact(self.kind, self.own_range((plot.x.low, plot.x.high)))
    }

    /// Returns all samples, or its buckets if it is thinned.
    pub(super) fn whole(&self) -> Vec<Row> {
        self.series.rows(self.kind, WHOLE, false).collect()
    }

    /// Returns whether [`Self::whole`] are the logged samples.
    pub(super) fn is_whole(&self) -> bool {
        self.series.is_exact(self.kind, WHOLE)
    }

    /// Returns its smallest, largest and smallest positive value in a range of the common axis.
    pub(super) fn value_range(&self, x: (f64, f64)) -> Option<(f64, f64, f64)> {
        self.series.value_range(self.kind, self.own_range(x))
    }

    /// Returns its columns in a plot. Neighbours outside are mapped to the common axis.
    pub(super) fn columns(&self, plot: &Plot, smooth: bool) -> Option<Columns> {
        let grid = self.grid(&plot.x, plot.dots);
        let columns = if smooth {
            self.series.smooth_columns(self.kind, &grid)?
        } else {
            self.series.columns(self.kind, &grid)
        };
        Some(self.placed(columns))
    }

    pub(super) fn over(&self, window: &Span, columns: usize) -> Columns {
        self.placed(self.series.columns(self.kind, &self.grid(window, columns)))
    }

    fn grid(&self, window: &Span, columns: usize) -> ColumnGrid {
        let (low, high) = self.own_range((window.low, window.high));
        ColumnGrid::new(Span { scale: window.scale, low, high }, columns)
    }

    fn placed(&self, mut columns: Columns) -> Columns {
        for segment in &mut columns.segments {
            for end in [&mut segment.before, &mut segment.after].into_iter().flatten() {
                end.0 = self.common(end.0);
            }
        }
        columns
    }

    /// Returns its value in the column of dots around a position, else the nearest.
    pub(super) fn at(&self, x: f64, column: (f64, f64)) -> Option<Reading> {
        let found = self.series.at(self.kind, self.own(x), self.own_range(column))?;
        Some(Reading { x: (self.common(found.x.0), self.common(found.x.1)), ..found })
    }

    /// Returns its smoothed value there.
    pub(super) fn smooth_at(&self, x: f64, column: (f64, f64)) -> Option<f64> {
        self.series.smooth_at(self.kind, self.own(x), self.own_range(column))
    }

    /// Returns the nearest positions with samples outside of a column.
    pub(super) fn beside(&self, column: (f64, f64)) -> (Option<f64>, Option<f64>) {
        let (before, after) = self.series.beside(self.kind, self.own_range(column));
        (before.map(|x| self.common(x)), after.map(|x| self.common(x)))
    }

    /// Returns the ranges of x during which its run was paused, where visible.
    pub(super) fn gaps(&self, plot: &Plot) -> Vec<(f64, f64)> {
        let place = |t: i64| match t {
            i64::MAX => self.kind.of_time(0, Some(0)).map(|_| plot.x.high),
            t => self.kind.of_time(t, self.data.started_us).map(|x| self.common(x)),
        };
        self.data.pauses.iter().filter_map(|(from, to)| place(*from).zip(place(*to))).collect()
    }
}
