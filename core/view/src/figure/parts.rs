//! What a panel is made of.

use gradtop_chart::colour::Paint;
use gradtop_chart::{Chart, Shape, Side};
use gradtop_store::figures::{Aggregate, Mark, MarkAxis};

use super::member::Member;
use crate::live::XAxis;

/// A panel without places and colours.
pub(super) struct Plan<'a> {
    /// Axes with their words, and notes; no marks.
    pub(super) chart: Chart,
    /// In the order declared.
    pub(super) parts: Vec<Part<'a>>,
    /// What runs along x, if it has lines of metrics.
    pub(super) x: Option<XAxis>,
}

/// One thing to draw.
pub(super) enum Part<'a> {
    Line(Line<'a>),
    Piece(Piece),
}

/// A line of a metric: which series make it, and how it looks.
pub(super) struct Line<'a> {
    pub(super) name: String,
    /// What its colour and marker are chosen by.
    pub(super) key: String,
    pub(super) members: Vec<Member<'a>>,
    pub(super) aggregate: Aggregate,
    pub(super) style: Style,
    pub(super) side: Side,
    pub(super) colour: Option<Paint>,
    pub(super) hidden: bool,
}

/// How a line of a metric is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Line,
    /// With the range of what is averaged behind it.
    Banded,
    /// Only that range, where several are averaged.
    Band,
    Points {
        joined: bool,
    },
}

impl Style {
    /// Whether what lies between two values is drawn too.
    pub(super) fn is_joined(self) -> bool {
        !matches!(self, Self::Points { .. })
    }
}

/// Anything but a line of a metric.
pub(super) struct Piece {
    /// Words in the legend.
    pub(super) name: Option<String>,
    /// What its colour and marker are chosen by.
    pub(super) key: String,
    pub(super) colour: Option<Paint>,
    pub(super) side: Side,
    pub(super) shape: Shape,
}

/// What a mark says about the axes that the figure left open.
#[derive(Default)]
pub(super) struct Hints {
    pub(super) x_label: Option<String>,
    pub(super) x_unit: Option<String>,
    pub(super) y_label: Option<String>,
    pub(super) y_unit: Option<String>,
    pub(super) categories: Vec<String>,
}

/// What one mark became.
#[derive(Default)]
pub(super) struct Made<'a> {
    pub(super) parts: Vec<Part<'a>>,
    pub(super) hints: Hints,
    pub(super) notes: Vec<String>,
}

impl<'a> Plan<'a> {
    pub(super) fn lines(&self) -> impl Iterator<Item = &Line<'a>> {
        self.parts.iter().filter_map(Part::line)
    }
}

impl<'a> Part<'a> {
    pub(super) fn line(&self) -> Option<&Line<'a>> {
        match self {
            Part::Line(line) => Some(line),
            Part::Piece(_) => None,
        }
    }

    pub(super) fn key(&self) -> &str {
        match self {
            Part::Line(line) => &line.key,
            Part::Piece(piece) => &piece.key,
        }
    }
}

/// Which vertical axis a mark is measured on.
pub(super) fn side(mark: &Mark) -> Side {
    if mark.axis == MarkAxis::Y2 { Side::Right } else { Side::Left }
}

/// The colour that a mark declares.
pub(super) fn colour(mark: &Mark) -> Option<Paint> {
    mark.color.as_deref().and_then(Paint::parse)
}
