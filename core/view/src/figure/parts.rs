//! The parts of a panel.

use gradtop_chart::colour::Paint;
use gradtop_chart::scale::Scale;
use gradtop_chart::{Chart, Shape, Side, ValueCount};
use gradtop_store::Average;
use gradtop_store::figures::{Mark, MarkAxis};

use super::average;
use super::member::Member;
use super::view::WHOLE;
use crate::live::XAxis;
use crate::live::series::{Row, Values};

/// The most lines that a caption names.
const NAMED: usize = 12;

/// A panel before layout and colours.
pub(super) struct Plan<'a> {
    /// Axes with their labels, and notes; no marks.
    pub(super) chart: Chart,
    /// The parts in declaration order.
    pub(super) parts: Vec<Part<'a>>,
    /// The x axis, if the panel has lines of metrics.
    pub(super) x: Option<XAxis>,
}

/// A part to draw.
pub(super) enum Part<'a> {
    Line(Line<'a>),
    Shape(ShapePart),
}

/// A line of a metric: the series it consists of, and its style.
pub(super) struct Line<'a> {
    pub(super) name: String,
    /// Determines its colour and marker.
    pub(super) key: String,
    pub(super) members: Vec<Member<'a>>,
    pub(super) average: Average,
    pub(super) style: Style,
    pub(super) side: Side,
    pub(super) colour: Option<Paint>,
    pub(super) hidden: bool,
    /// The unit of its values, where the axis has none since those of other lines differ.
    pub(super) unit: Option<String>,
    /// The number of series that belong to it and have no position on the axis.
    pub(super) absent: usize,
}

/// How a line of a metric is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Line,
    /// A line over the range of the averaged series.
    Banded,
    /// Only that range, if several series are averaged.
    Band,
    Points {
        joined: bool,
    },
}

impl Style {
    /// Returns whether values are connected.
    pub(super) fn is_joined(self) -> bool {
        !matches!(self, Self::Points { .. })
    }
}

/// A part other than a line of a metric.
pub(super) struct ShapePart {
    /// Name in the legend.
    pub(super) name: Option<String>,
    /// Determines its colour and marker.
    pub(super) key: String,
    pub(super) colour: Option<Paint>,
    pub(super) side: Side,
    pub(super) shape: Shape,
}

/// Properties of the axes that a mark implies if the figure does not declare them.
#[derive(Default)]
pub(super) struct AxisHints {
    pub(super) x_label: Option<String>,
    pub(super) x_unit: Option<String>,
    pub(super) y_label: Option<String>,
    pub(super) y_unit: Option<String>,
    pub(super) categories: Vec<String>,
}

/// The result of evaluating a mark.
#[derive(Default)]
pub(super) struct EvaluatedMark<'a> {
    pub(super) parts: Vec<Part<'a>>,
    pub(super) hints: AxisHints,
    pub(super) notes: Vec<String>,
}

impl<'a> Line<'a> {
    /// Returns its range on an axis of x of this scale.
    pub(super) fn extent(&self, scale: Scale) -> Option<(f64, f64)> {
        self.members.iter().filter_map(|m| m.extent(scale)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// Returns the positions up to which a series begins that begins with the line, and up to which one has values that has
    /// not ended before it, or before a part of the axis does. Runs at work differ a little in how far they are, and times in
    /// when they were taken.
    pub(super) fn ends(&self, x: (f64, f64)) -> (f64, f64) {
        let Some((low, _)) = self.extent(Scale::Linear) else { return (WHOLE.1, WHOLE.0) };
        let high = self.members.iter().filter_map(Member::end).fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = (low.max(x.0), high.min(x.1));
        let slack = (high - low).max(0.0) / 50.0;
        let exact = self.members.iter().all(Member::is_by_step);
        let ended = exact && self.members.iter().all(|m| !m.run().alive);
        (
            if exact || self.runs().count() == 1 { low } else { low + slack },
            if ended { high } else { high - slack },
        )
    }

    /// Divides its series into those that begin with it, or before a part of the axis, and others.
    pub(super) fn begun(&self, x: (f64, f64)) -> (Vec<&Member<'a>>, Vec<&Member<'a>>) {
        let (begin, _) = self.ends(x);
        // Of one run, trials that log a step at once have one place.
        let placed = self.runs().count() == 1 && self.members.iter().any(Member::is_by_time);
        let mut rows = if placed { self.rows(x, Values::Logged) } else { Vec::new() }.into_iter();
        self.members.iter().partition(|member| match rows.next() {
            Some(rows) => rows.first().is_some_and(|row| row.span.0 <= begin),
            None => member.has_begun(begin),
        })
    }

    /// Returns the rows of each series around a range of x.
    pub(super) fn rows(&self, x: (f64, f64), values: Values) -> Vec<Vec<Row>> {
        let of_run = |trials: &[Member<'a>]| {
            let mut rows: Vec<Vec<Row>> = trials.iter().map(|m| m.rows(x, values, self.average)).collect();
            if trials.iter().any(Member::is_by_time) {
                average::put_together(&mut rows);
            } else {
                average::join_laps(&mut rows);
            }
            rows
        };
        self.runs().flat_map(of_run).collect()
    }

    /// Returns whether two of its series have values at one place.
    fn is_mean(&self) -> bool {
        let numbers = self.members.iter().filter(|member| member.has_number());
        let mut ends: Vec<_> = numbers.filter_map(|member| member.extent(Scale::Linear)).collect();
        ends.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let at_once = if self.members.iter().any(Member::is_by_time) { average::AT_ONCE } else { 0.0 };
        ends.windows(2).any(|pair| pair[1].0 <= pair[0].1 + at_once)
    }

    /// Returns the series of each of its runs.
    pub(super) fn runs(&self) -> impl Iterator<Item = &[Member<'a>]> {
        self.members.chunk_by(|a, b| std::ptr::eq(a.run(), b.run()))
    }

    /// Returns what its series are, in the plural: one of each run, all of one run, or any.
    pub(super) fn kind_of_members(&self) -> &'static str {
        match self.runs().count() {
            1 => "trials",
            n if n == self.members.len() => "runs",
            _ => "series",
        }
    }

    /// Counts the values of its series in a range of x.
    pub(super) fn counts(&self, x: (f64, f64)) -> ValueCount {
        self.members.iter().map(|m| m.counts(x)).fold(ValueCount::default(), std::ops::Add::add)
    }
}

impl<'a> Plan<'a> {
    pub(super) fn lines(&self) -> impl Iterator<Item = &Line<'a>> {
        self.parts.iter().filter_map(Part::line)
    }

    /// Says what the lines that are drawn are the mean of, and what the bands are, if any line is of several series:
    /// `geometric mean of 3 trials (mean: b)`.
    pub(super) fn means(&self) -> Option<String> {
        let has_mean = |line: &&Line<'_>| !line.hidden && line.members.iter().any(Member::has_number);
        let drawn: Vec<&Line<'_>> = self.lines().filter(has_mean).collect();
        let range = |count: &dyn Fn(&Line<'_>) -> usize| {
            let counts = || drawn.iter().map(|line| count(line));
            let (few, many) = (counts().min()?, counts().max()?);
            let words = if few == many { many.to_string() } else { format!("{few} to {many}") };
            (many > 1).then_some(words)
        };
        let of = match range(&|line| line.runs().count()) {
            Some(runs) if drawn.iter().any(|line| line.runs().any(|trials| trials.len() > 1)) => {
                format!("all trials of {runs} runs")
            }
            Some(runs) => format!("{runs} runs"),
            None => format!("{} trials", range(&|line| line.members.len())?),
        };
        let several = || drawn.iter().filter(|line| line.is_mean());
        let most = Average::most_common(several().map(|line| line.average))?;
        let word = |average: Average| {
            let own = several().filter(|line| line.average == average);
            average.word_of_all(own.flat_map(|line| &line.members).filter_map(|m| m.series.min()))
        };
        let others: Vec<&Line<'_>> = several().copied().filter(|line| line.average != most).collect();
        let others = others.first().map(|other| {
            let names =
                others.iter().take(NAMED).map(|line| line.name.as_str()).collect::<Vec<_>>().join(", ");
            let more = others.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!(" ({}: {names}{more})", word(other.average))
        });
        let banded = several().any(|line| matches!(line.style, Style::Band | Style::Banded));
        let bands = if banded { "; bands: from the lowest to the highest" } else { "" };
        Some(format!("{} of {of}{}{bands}", word(most), others.unwrap_or_default()))
    }
}

impl<'a> Part<'a> {
    /// Returns whether it is a line of reference, which alone shows nothing.
    pub(super) fn is_rule(&self) -> bool {
        matches!(self, Part::Shape(ShapePart { shape: Shape::Rule { .. }, .. }))
    }

    pub(super) fn line(&self) -> Option<&Line<'a>> {
        match self {
            Part::Line(line) => Some(line),
            Part::Shape(_) => None,
        }
    }

    pub(super) fn line_mut(&mut self) -> Option<&mut Line<'a>> {
        match self {
            Part::Line(line) => Some(line),
            Part::Shape(_) => None,
        }
    }

    pub(super) fn key(&self) -> &str {
        match self {
            Part::Line(line) => &line.key,
            Part::Shape(piece) => &piece.key,
        }
    }
}

/// Returns the vertical axis of a mark.
pub(super) fn side(mark: &Mark) -> Side {
    if mark.axis == MarkAxis::Y2 { Side::Right } else { Side::Left }
}

/// Returns the declared colour of a mark.
pub(super) fn colour(mark: &Mark) -> Option<Paint> {
    mark.color.as_deref().and_then(Paint::parse)
}
