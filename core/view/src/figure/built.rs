//! A chart as a screen is handed it: what to draw, its lines for a legend, and where cells and values meet.

use crate::live::XAxis;
use gradtop_chart::Chart;
use gradtop_chart::cells::Area;
use gradtop_chart::colour::Paint;
use gradtop_chart::number;
use gradtop_chart::scale::Span;
use gradtop_store::figures::Aggregate;

/// What a line has at the cursor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtCursor {
    /// What is drawn there: the moving average where the line is smoothed.
    pub shown: f64,
    /// The value that was logged; of several values their average.
    pub raw: f64,
    /// The lowest of what is averaged there.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// How many values are averaged: of one series in its column of dots, or of several.
    pub n: u64,
    /// How many there are; the others are not finite.
    pub all: u64,
    /// Of how many series they are, where the average of the series' own averages is another than that of all values.
    pub series: Option<usize>,
    /// How they are.
    pub aggregate: Aggregate,
    /// The first and the last of their steps.
    pub steps: (i64, i64),
}

impl AtCursor {
    /// Which values these are: `step 12400`, `mean of 2, steps 19800–20000`, or `mean of 3 series with 4 values, steps 198–199`.
    pub fn words(&self) -> String {
        let (numbers, of) = self.steps_in_words();
        let steps = if self.steps.0 == self.steps.1 { "step" } else { "steps" };
        format!("{of}{steps} {numbers}")
    }

    /// Whether the same words say which values another has.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.n, self.all, self.series, self.steps) == (other.n, other.all, other.series, other.steps)
    }

    /// The same where there is little room: the steps alone.
    pub fn brief(&self) -> String {
        self.steps_in_words().0
    }

    fn steps_in_words(&self) -> (String, String) {
        let (first, last) = self.steps;
        let numbers = if first == last { first.to_string() } else { format!("{first}–{last}") };
        let of = match (self.n, self.aggregate) {
            (0 | 1, _) if self.all < 2 => String::new(),
            (n, aggregate) => {
                let of = if n == self.all { n.to_string() } else { format!("{n} of {}", self.all) };
                let of = self.series.map_or(of.clone(), |series| format!("{series} series with {of} values"));
                format!("{} of {of}, ", if aggregate == Aggregate::Mean { "mean" } else { "median" })
            }
        };
        (numbers, of)
    }
}

/// Where the cursor of a chart stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cursor {
    /// On a sample that was logged; in a column of dots that holds several, where it was put.
    pub x: f64,
    /// The nearest sample on its left that is in another column.
    pub left: Option<f64>,
    /// The same on its right.
    pub right: Option<f64>,
}

impl Cursor {
    /// Which values the lines have there, if these are the same of all.
    pub fn of_all(lines: &[LineInfo]) -> Option<AtCursor> {
        let mut shown = lines.iter().filter(|l| !l.hidden).filter_map(|l| l.at_cursor);
        let first = shown.next()?;
        shown.all(|at| at.is_like(&first)).then_some(first)
    }

    /// Which values the lines have there, in the words of most of them.
    pub fn words(lines: &[LineInfo]) -> Option<String> {
        Self::of_most(lines).map(|at| at.words())
    }

    /// What most of the lines have there, or the first of them.
    pub fn of_most(lines: &[LineInfo]) -> Option<AtCursor> {
        let shown = || lines.iter().filter(|l| !l.hidden).filter_map(|l| l.at_cursor);
        let alike = |at: &AtCursor| shown().filter(|other| other.is_like(at)).count();
        shown().rev().max_by_key(alike)
    }
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
    pub x: Option<XAxis>,
    /// Where the cursor stands, if a line has anything there.
    pub cursor: Option<Cursor>,
    /// Something is being read still.
    pub reading: bool,
}

impl Built {
    /// Where the cursor goes from `x` by so many dots, kept inside: where it can be to the next sample at least.
    pub fn moved(&self, x: f64, dots: i64) -> f64 {
        let Some(plot) = self.plot else { return x };
        let to = plot.moved(self.cursor.map_or(x, |c| c.x), dots);
        let seen = |next: &f64| (0.0..=1.0).contains(&plot.x.unit(*next));
        let next = |on: fn(Cursor) -> Option<f64>| self.cursor.and_then(on).filter(seen);
        match dots.signum() {
            1 => next(|c| c.right).map_or(to, |next| next.max(to)),
            -1 => next(|c| c.left).map_or(to, |next| next.min(to)),
            _ => to,
        }
    }
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

    /// From where to where the column of dots lies that holds `x`.
    pub fn column(&self, x: f64) -> (f64, f64) {
        let last = (self.dots.max(2) - 1) as f64;
        let dot = (self.x.unit(x) * last).round();
        (self.x.value((dot - 0.5) / last), self.x.value((dot + 0.5) / last))
    }

    /// The x so many dots to the right of `x` (left if negative), kept inside.
    pub fn moved(&self, x: f64, dots: i64) -> f64 {
        let width = (self.dots - 1).max(1) as f64;
        let at = (self.x.unit(x) * width).round().clamp(0.0, width) + dots as f64;
        self.x.value((at / width).clamp(0.0, 1.0))
    }
}
