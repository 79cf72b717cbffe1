//! A series of a line, on the axis that all lines of a chart share.

use gradtop_chart::scale::Span;

use super::built::Plot;
use crate::live::columns::{Columns, Ruler};
use crate::live::series::{Reading, Row};
use crate::live::{RunData, SeriesSnapshot, XAxis};

/// All of an axis.
const WHOLE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

/// A series, with where it lies on the common axis.
pub(super) struct Member<'a> {
    pub(super) series: &'a SeriesSnapshot,
    data: &'a RunData,
    kind: XAxis,
    /// What is subtracted from its x, and by what the rest is divided.
    shift: (f64, f64),
}

impl<'a> Member<'a> {
    /// `relative`: x is a share of its last one.
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

    /// A stretch of the common axis on its own.
    pub(super) fn own_range(&self, (low, high): (f64, f64)) -> (f64, f64) {
        (self.own(low), self.own(high))
    }

    /// From where to where it lies.
    pub(super) fn extent(&self, log: bool) -> Option<(f64, f64)> {
        let (low, high) = self.series.extent(self.kind)?;
        let low = if log && low <= 0.0 { self.series.first_positive(self.kind)? } else { low };
        Some((self.common(low), self.common(high)))
    }

    /// Whether none of it lies outside a window.
    pub(super) fn lies_within(&self, window: &Span) -> bool {
        let (from, to) = self.own_range((window.low, window.high));
        self.series.extent(self.kind).is_none_or(|(low, high)| from <= low && high <= to)
    }

    /// Its samples around what a plot shows; where they are thinned, its buckets.
    pub(super) fn rows(&self, plot: &Plot, smooth: bool) -> Vec<Row> {
        let rows = self.series.rows(self.kind, self.own_range((plot.x.low, plot.x.high)), smooth);
        rows.map(|row| Row { x: self.common(row.x), ..row }).collect()
    }

    /// Whether [`Self::rows`] are as they were logged.
    pub(super) fn is_exact(&self, plot: &Plot) -> bool {
        self.series.is_exact(self.kind, self.own_range((plot.x.low, plot.x.high)))
    }

    /// All of it; where it is thinned, its buckets.
    pub(super) fn whole(&self) -> Vec<Row> {
        self.series.rows(self.kind, WHOLE, false).collect()
    }

    /// Whether [`Self::whole`] is as it was logged.
    pub(super) fn is_whole(&self) -> bool {
        self.series.is_exact(self.kind, WHOLE)
    }

    /// The least and the greatest of its values in a stretch of the common axis, and the least above zero.
    pub(super) fn value_range(&self, x: (f64, f64)) -> Option<(f64, f64, f64)> {
        self.series.value_range(self.kind, self.own_range(x))
    }

    /// Its columns of a plot. Their neighbours outside lie on the common axis.
    pub(super) fn columns(&self, plot: &Plot, smooth: bool) -> Option<Columns> {
        let ruler = self.ruler(&plot.x, plot.dots);
        let columns = if smooth {
            self.series.smooth_columns(self.kind, &ruler)?
        } else {
            self.series.columns(self.kind, &ruler)
        };
        Some(self.placed(columns))
    }

    /// The same of a window, in so many columns.
    pub(super) fn over(&self, window: &Span, columns: usize) -> Columns {
        self.placed(self.series.columns(self.kind, &self.ruler(window, columns)))
    }

    fn ruler(&self, window: &Span, columns: usize) -> Ruler {
        let (low, high) = self.own_range((window.low, window.high));
        Ruler::new(Span { scale: window.scale, low, high }, columns)
    }

    fn placed(&self, mut columns: Columns) -> Columns {
        for stretch in &mut columns.stretches {
            for end in [&mut stretch.before, &mut stretch.after].into_iter().flatten() {
                end.0 = self.common(end.0);
            }
        }
        columns
    }

    /// What it has at a place: in the column of dots around it, else nearest to it.
    pub(super) fn at(&self, x: f64, column: (f64, f64)) -> Option<Reading> {
        let found = self.series.at(self.kind, self.own(x), self.own_range(column))?;
        Some(Reading { x: (self.common(found.x.0), self.common(found.x.1)), ..found })
    }

    /// What it has there smoothed.
    pub(super) fn smooth_at(&self, x: f64, column: (f64, f64)) -> Option<f64> {
        self.series.smooth_at(self.kind, self.own(x), self.own_range(column))
    }

    /// The nearest places with samples outside of a column.
    pub(super) fn beside(&self, column: (f64, f64)) -> (Option<f64>, Option<f64>) {
        let (before, after) = self.series.beside(self.kind, self.own_range(column));
        (before.map(|x| self.common(x)), after.map(|x| self.common(x)))
    }

    /// Stretches of x in which its run was paused, where that shows.
    pub(super) fn gaps(&self, plot: &Plot) -> Vec<(f64, f64)> {
        let place = |t: i64| match t {
            i64::MAX => self.kind.of_time(0, Some(0)).map(|_| plot.x.high),
            t => self.kind.of_time(t, self.data.started_us).map(|x| self.common(x)),
        };
        self.data.pauses.iter().filter_map(|(from, to)| place(*from).zip(place(*to))).collect()
    }
}
