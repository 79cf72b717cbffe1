//! A chart as a screen is handed it: what to draw, its lines for a legend, and where cells and values meet.

use crate::live::XKind;
use gradtop_chart::Chart;
use gradtop_chart::cells::Area;
use gradtop_chart::colour::Paint;
use gradtop_chart::number;
use gradtop_chart::scale::Span;

/// What a line has at the cursor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtCursor {
    /// What is drawn there: the moving average where the line is smoothed.
    pub shown: f64,
    /// The mean of the values themselves.
    pub raw: f64,
    /// The lowest of what is averaged there.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

/// A line of a chart, as a legend tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct LineInfo {
    /// Its name.
    pub name: String,
    /// Its colour.
    pub paint: Paint,
    /// Its marker's number.
    pub marker: u8,
    /// Its latest value.
    pub last: Option<f64>,
    /// What it has at the cursor.
    pub at_cursor: Option<AtCursor>,
    /// Whether it is hidden.
    pub hidden: bool,
    /// Values that are not finite.
    pub odd: u64,
    /// Its values are bytes.
    pub bytes: bool,
}

impl LineInfo {
    /// A value of it in words.
    pub fn words(&self, v: f64) -> String {
        if self.bytes { number::amount(v) } else { number::value(v) }
    }
}

/// A chart for some cells, and what is needed to act on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Built {
    /// What to draw.
    pub chart: Chart,
    /// Where the plot lies in the cells, and its ranges; `None`: there is no room, or it has no axes.
    pub plot: Option<Plot>,
    /// Its lines, hidden ones too.
    pub lines: Vec<LineInfo>,
    /// What runs along x, if it is made of metrics.
    pub x: Option<XKind>,
    /// Something is being read still.
    pub reading: bool,
}

/// The plot of a chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plot {
    /// Where it lies in the chart's cells.
    pub area: Area,
    /// The horizontal axis.
    pub x: Span,
    /// The left axis.
    pub y: Span,
    /// Dots across.
    pub dots: usize,
}

impl Plot {
    /// The x of a column of cells, counted from the chart's left edge; `None` outside the plot.
    pub fn x_at(&self, column: usize) -> Option<f64> {
        let c = column.checked_sub(self.area.left).filter(|c| *c < self.area.width)?;
        Some(self.x.value(c as f64 / (self.area.width - 1).max(1) as f64))
    }

    /// The y of a row of cells, counted from the chart's top edge; `None` outside the plot.
    pub fn y_at(&self, row: usize) -> Option<f64> {
        let r = row.checked_sub(self.area.top).filter(|r| *r < self.area.height)?;
        Some(self.y.value(1.0 - r as f64 / (self.area.height - 1).max(1) as f64))
    }

    /// The x so many dots to the right of `x` (left if negative), kept inside.
    pub fn moved(&self, x: f64, dots: i64) -> f64 {
        let width = (self.dots - 1).max(1) as f64;
        let at = (self.x.unit(x) * width).round().clamp(0.0, width) + dots as f64;
        self.x.value((at / width).clamp(0.0, 1.0))
    }
}
