//! A chart as a screen is handed it: what to draw, its lines for a legend, and where cells and values meet.

use super::XKind;
use crate::chart::Chart;
use crate::chart::colour::Paint;
use crate::chart::scale::Span;
use crate::chart::text::Area;
use crate::print::number;

/// What a line has at the cursor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AtCursor {
    /// What is drawn there: the moving average where the line is smoothed.
    pub(crate) shown: f64,
    /// The mean of the values themselves.
    pub(crate) raw: f64,
    /// The lowest of what is averaged there.
    pub(crate) low: f64,
    /// The highest.
    pub(crate) high: f64,
}

/// A line of a chart, as a legend tells it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LineInfo {
    /// Its name.
    pub(crate) name: String,
    /// Its colour.
    pub(crate) paint: Paint,
    /// Its marker's number.
    pub(crate) marker: u8,
    /// Its latest value.
    pub(crate) last: Option<f64>,
    /// What it has at the cursor.
    pub(crate) at_cursor: Option<AtCursor>,
    /// Whether it is hidden.
    pub(crate) hidden: bool,
    /// Values that are not finite.
    pub(crate) odd: u64,
    /// Its values are bytes.
    pub(crate) bytes: bool,
}

impl LineInfo {
    /// A value of it in words.
    pub(crate) fn words(&self, v: f64) -> String {
        if self.bytes { number::amount(v) } else { number::value(v) }
    }
}

/// A chart for some cells, and what is needed to act on it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Built {
    /// What to draw.
    pub(crate) chart: Chart,
    /// Where the plot lies in the cells, and its ranges; `None`: there is no room, or it has no axes.
    pub(crate) plot: Option<Plot>,
    /// Its lines, hidden ones too.
    pub(crate) lines: Vec<LineInfo>,
    /// What runs along x, if it is made of metrics.
    pub(crate) x: Option<XKind>,
    /// Something is being read still.
    pub(crate) reading: bool,
}

/// The plot of a chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Plot {
    /// Where it lies in the chart's cells.
    pub(crate) area: Area,
    /// The horizontal axis.
    pub(crate) x: Span,
    /// The left axis.
    pub(crate) y: Span,
    /// Dots across.
    pub(crate) dots: usize,
}

impl Plot {
    /// The x of a column of cells, counted from the chart's left edge; `None` outside the plot.
    pub(crate) fn x_at(&self, column: usize) -> Option<f64> {
        let c = column.checked_sub(self.area.left).filter(|c| *c < self.area.width)?;
        Some(self.x.value(c as f64 / (self.area.width - 1).max(1) as f64))
    }

    /// The y of a row of cells, counted from the chart's top edge; `None` outside the plot.
    pub(crate) fn y_at(&self, row: usize) -> Option<f64> {
        let r = row.checked_sub(self.area.top).filter(|r| *r < self.area.height)?;
        Some(self.y.value(1.0 - r as f64 / (self.area.height - 1).max(1) as f64))
    }

    /// The x so many dots to the right of `x` (left if negative), kept inside.
    pub(crate) fn moved(&self, x: f64, dots: i64) -> f64 {
        let width = (self.dots - 1).max(1) as f64;
        let at = (self.x.unit(x) * width).round().clamp(0.0, width) + dots as f64;
        self.x.value((at / width).clamp(0.0, 1.0))
    }
}
