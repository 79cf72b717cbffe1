//! The parts of a panel.

use std::collections::BTreeSet;

use gradtop_chart::colour::Paint;
use gradtop_chart::scale::Scale;
use gradtop_chart::{Chart, Shape, Side, ValueCount};
use gradtop_store::Average;
use gradtop_store::figures::{Mark, MarkAxis};

use super::member::Member;
use crate::live::{RunData, XAxis};

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

impl Line<'_> {
    /// Returns its range on an axis of x of this scale.
    pub(super) fn extent(&self, scale: Scale) -> Option<(f64, f64)> {
        self.members.iter().filter_map(|m| m.extent(scale)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// Returns the position up to which a series has values that has not ended before the line, or before a part of the
    /// axis does. Runs at work differ a little in how far they are, and times in when they were taken.
    pub(super) fn end(&self, x: Option<(f64, f64)>) -> f64 {
        let Some((low, _)) = self.extent(Scale::Linear) else { return f64::NEG_INFINITY };
        let high = self.members.iter().filter_map(Member::end).fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = x.map_or((low, high), |x| (low.max(x.0), high.min(x.1)));
        let exact = self.members.iter().all(Member::ends_exactly);
        if exact { high } else { high - (high - low).max(0.0) / 50.0 }
    }

    /// Returns what its series are, in the plural: one of each run, all of one run, or any.
    pub(super) fn kind_of_members(&self) -> &'static str {
        let runs: BTreeSet<*const RunData> =
            self.members.iter().map(|m| std::ptr::from_ref(m.run())).collect();
        match runs.len() {
            1 => "trials",
            n if n == self.members.len() => "runs",
            _ => "series",
        }
    }

    /// Counts the values of its series in a range of x, or all that have a position there.
    pub(super) fn counts(&self, x: Option<(f64, f64)>) -> ValueCount {
        self.members.iter().map(|m| m.counts(x)).fold(ValueCount::default(), std::ops::Add::add)
    }
}

impl<'a> Plan<'a> {
    pub(super) fn lines(&self) -> impl Iterator<Item = &Line<'a>> {
        self.parts.iter().filter_map(Part::line)
    }

    /// Says what the lines of a single run are the mean of, and what the bands are, if any line is of several trials.
    pub(super) fn trials(&self) -> Option<String> {
        let most = self.lines().map(|line| line.members.len()).max()?;
        let few = self.lines().map(|line| line.members.len()).min()?;
        let line = self.lines().find(|line| line.members.len() == most && most > 1)?;
        let kind = Some(line.kind_of_members()).filter(|kind| *kind == "trials")?;
        let count = if few == most { most.to_string() } else { format!("{few} to {most}") };
        let banded = self.lines().any(|line| matches!(line.style, Style::Band | Style::Banded));
        let bands = if banded { "; bands: from the lowest to the highest" } else { "" };
        let values = self.lines().flat_map(|line| &line.members).filter_map(|m| m.series.min());
        Some(format!("{} of {count} {kind}{bands}", line.average.word_of_all(values)))
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
