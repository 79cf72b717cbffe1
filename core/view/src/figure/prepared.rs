//! A chart prepared for a screen: what to draw, its lines for a legend, and the mapping between cells and values.

use std::collections::BTreeSet;

use crate::live::XAxis;
use gradtop_chart::cells::Area;
use gradtop_chart::colour::Paint;
use gradtop_chart::scale::Span;
use gradtop_chart::{Axis, Chart, with_unit};
use gradtop_store::Average;

/// Where the value of a line lies, seen from the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nearness {
    /// In the cursor's column of dots.
    Here,
    /// Nearby: the line passes the cursor between two values.
    Near,
    /// The line ends before the cursor: its last value.
    Ended,
}

/// The value of a line at the cursor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CursorValue {
    /// The drawn value: the moving average if the line is smoothed.
    pub shown: f64,
    /// The logged value, or the average of several.
    pub raw: f64,
    /// The smallest of the averaged values.
    pub low: f64,
    /// The largest of the averaged values.
    pub high: f64,
    /// Number of averaged values, of one series within the column of dots or of several series.
    pub n: u64,
    /// Number of all values, including non-finite ones.
    pub all: u64,
    /// The number of series, if the average of the series' own averages differs from that of all values.
    pub series: Option<usize>,
    /// The number of series with a value there, and of all series of the line.
    pub members: (usize, usize),
    /// How they are averaged.
    pub average: Average,
    /// The first and last of their steps.
    pub steps: (i64, i64),
    /// Where they lie.
    pub nearness: Nearness,
}

impl CursorValue {
    /// Describes which values these are: `step 12400`, `mean of 2, steps 19800–20000`, `1 of 2 series, step 70`,
    /// `mean of 3 series with 4 values, steps 198–199`, or `last, step 9150`.
    pub fn words(&self) -> String {
        let last = if self.nearness == Nearness::Ended { "last, " } else { "" };
        format!("{last}{}{}", self.average_in_words(), steps_in_words(self.steps))
    }

    /// Describes in short where it lies, seen from another value: ` (last)`, or the step of one nearby.
    pub fn distance(&self, from: &Self) -> String {
        match (self.nearness, from.nearness) {
            (Nearness::Ended, _) => " (last)".to_owned(),
            (Nearness::Near, Nearness::Here) => format!(" ({})", steps_in_words(self.steps)),
            _ => String::new(),
        }
    }

    /// Returns whether the description of both is the same.
    pub fn has_same_description(&self, other: &Self) -> bool {
        self.is_of_same_steps(other) && self.mean() == other.mean()
    }

    /// Returns whether the description of both is the same, but for the kind of mean.
    pub fn is_of_same_steps(&self, other: &Self) -> bool {
        let description =
            |at: &Self| (at.n, at.all, at.series, at.members, at.steps, at.nearness == Nearness::Ended);
        description(self) == description(other)
    }

    /// Returns how its values are averaged, if there are several.
    pub fn mean(&self) -> Option<Average> {
        Some(self.average).filter(|_| self.n > 1)
    }

    /// Returns a shorter description: only the steps, whether they are the last, and of how many series if not of all.
    pub fn steps_text(&self) -> String {
        let (there, members) = self.members;
        let last = (self.nearness == Nearness::Ended).then(|| "last".to_owned());
        let some = (there < members).then(|| format!("{there} of {members}"));
        let said: Vec<String> = last.into_iter().chain(some).collect();
        let said = if said.is_empty() { String::new() } else { format!(" ({})", said.join(", ")) };
        range_text(self.steps) + &said
    }

    /// Describes which values are averaged, with a comma after it; empty for a single one of all there are.
    fn average_in_words(&self) -> String {
        let (there, members) = self.members;
        let of = if self.n == self.all { self.n.to_string() } else { format!("{} of {}", self.n, self.all) };
        let of = match self.series {
            _ if there < members && self.n == there as u64 && self.n == self.all => {
                format!("{there} of {members} series")
            }
            _ if there < members => format!("{there} of {members} series with {of} values"),
            Some(series) => format!("{series} series with {of} values"),
            None => of,
        };
        match self.n {
            0 | 1 if self.all < 2 && there == members => String::new(),
            0 | 1 if self.all < 2 => format!("{of}, "),
            _ => format!("{} of {of}, ", self.average.word()),
        }
    }
}

fn range_text((first, last): (i64, i64)) -> String {
    if first == last { first.to_string() } else { format!("{first}–{last}") }
}

fn steps_in_words(steps: (i64, i64)) -> String {
    format!("{} {}", if steps.0 == steps.1 { "step" } else { "steps" }, range_text(steps))
}

/// The position of a chart's cursor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cursor {
    /// The x of a logged sample; in a column of dots with several, the requested position.
    pub x: f64,
    /// The nearest sample to the left in another column.
    pub left: Option<f64>,
    /// The nearest sample to the right in another column.
    pub right: Option<f64>,
}

impl Cursor {
    /// Describes the values at the cursor: which they are if that is the same for all lines with values there; in short their mean,
    /// if all have that, and the range of their steps; that range; and without a word.
    pub fn words(lines: &[LineInfo]) -> Option<[String; 4]> {
        let first = there(lines).next()?;
        let steps = there(lines).map(|at| at.steps).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        let alike = there(lines).all(|at| at.has_same_description(&first));
        let mean = Self::mean(lines).map(|mean| format!("{}, ", mean.short())).unwrap_or_default();
        let short = mean + &steps_in_words(steps);
        let long = if alike { first.words() } else { short.clone() };
        Some([long, short, steps_in_words(steps), range_text(steps)])
    }

    /// Returns how the values at the cursor are averaged, if all are in one way.
    pub fn mean(lines: &[LineInfo]) -> Option<Average> {
        let first = there(lines).next()?.mean();
        first.filter(|_| there(lines).all(|at| at.mean() == first))
    }

    /// Returns the values that most lines with values at the cursor have in common, or those of the first.
    pub fn most_common_value(lines: &[LineInfo]) -> Option<CursorValue> {
        let alike = |at: &CursorValue| there(lines).filter(|other| other.has_same_description(at)).count();
        there(lines).rev().max_by_key(alike)
    }
}

/// Returns the values of the visible lines in the cursor's column of dots, or the nearest if there are none.
fn there(lines: &[LineInfo]) -> impl DoubleEndedIterator<Item = CursorValue> {
    let shown = || lines.iter().filter(|l| !l.hidden).filter_map(|l| l.at_cursor);
    let here = shown().any(|at| at.nearness == Nearness::Here);
    shown().filter(move |at| !here || at.nearness == Nearness::Here)
}

/// A line of a chart, for a legend.
#[derive(Clone, Debug, PartialEq)]
pub struct LineInfo {
    /// Its name.
    pub name: String,
    /// Its colour.
    pub paint: Paint,
    /// The number of its marker.
    pub marker: u8,
    /// Its last value.
    pub last: Option<f64>,
    /// Its value at the cursor.
    pub at_cursor: Option<CursorValue>,
    /// Whether it is hidden.
    pub hidden: bool,
    /// The axis of its values.
    pub axis: Axis,
    /// The unit of its values, if the axis has none since those of others differ.
    pub unit: Option<String>,
}

impl LineInfo {
    /// Formats one of its values.
    pub fn words(&self, v: f64) -> String {
        with_unit(self.axis.words(v), self.unit.as_deref())
    }

    /// Formats one of its values in as many columns while it changes.
    pub fn steady(&self, v: f64) -> String {
        with_unit(self.axis.steady(v), self.unit.as_deref())
    }

    /// Formats one of its values in few columns.
    pub fn brief(&self, v: f64) -> String {
        with_unit(self.axis.brief(v).trim().to_owned(), self.unit.as_deref())
    }
}

/// A chart for a number of cells, with what is needed to interact with it.
#[derive(Clone, Debug, PartialEq)]
pub struct PreparedChart {
    /// The chart to draw.
    pub chart: Chart,
    /// The position of the plot and its ranges; `None` if there is no room or it has no axes.
    pub plot: Option<Plot>,
    /// All lines, including hidden ones.
    pub lines: Vec<LineInfo>,
    /// The names of what the view hides here.
    pub hidden: BTreeSet<String>,
    /// The x axis, if it shows metrics.
    pub x: Option<XAxis>,
    /// The cursor, if a line has a value there.
    pub cursor: Option<Cursor>,
    /// Whether data is still being read.
    pub reading: bool,
}

impl PreparedChart {
    /// Moves a cursor from `x` by a number of dots, at least to the next sample if there is one, and keeps it inside.
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

/// The plot area of a chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plot {
    /// Its position in the chart's cells.
    pub area: Area,
    /// The horizontal axis.
    pub x: Span,
    /// The left axis.
    pub y: Span,
    /// Number of dots across.
    pub dots: usize,
}

impl Plot {
    /// Returns the x of a column of cells, counted from the chart's left edge; `None` outside the plot.
    pub fn x_at(&self, column: usize) -> Option<f64> {
        let c = column.checked_sub(self.area.left).filter(|c| *c < self.area.width)?;
        Some(self.x.value(c as f64 / (self.area.width - 1).max(1) as f64))
    }

    /// Returns the y of a row of cells, counted from the chart's top edge; `None` outside the plot.
    pub fn y_at(&self, row: usize) -> Option<f64> {
        let r = row.checked_sub(self.area.top).filter(|r| *r < self.area.height)?;
        Some(self.y.value(1.0 - r as f64 / (self.area.height - 1).max(1) as f64))
    }

    /// Returns the bounds of the column of dots that contains `x`.
    pub fn column(&self, x: f64) -> (f64, f64) {
        let last = (self.dots.max(2) - 1) as f64;
        let dot = (self.x.unit(x) * last).round();
        (self.x.value((dot - 0.5) / last), self.x.value((dot + 0.5) / last))
    }

    /// Returns the x that is a number of dots to the right of `x` (left if negative), kept inside.
    pub fn moved(&self, x: f64, dots: i64) -> f64 {
        let width = (self.dots - 1).max(1) as f64;
        let at = (self.x.unit(x) * width).round().clamp(0.0, width) + dots as f64;
        self.x.value((at / width).clamp(0.0, 1.0))
    }
}
