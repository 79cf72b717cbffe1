//! Charts as data: what to draw, independent of where. [`cells`] makes character cells of a [`Chart`], [`svg`] a drawing,
//! [`png`] a picture.
//!
//! Pure: no I/O, clock or terminal in here, so commands, reports and the live monitor share it.

pub mod ascii;
pub mod cells;
pub mod colour;
pub mod contour;
pub mod csv;
pub mod decimate;
pub mod domain;
pub mod number;
pub mod png;
pub mod scale;
mod shape;
pub mod svg;
pub mod ticks;

use colour::Paint;
use jiff::tz::TimeZone;
use scale::Scale;
pub use shape::{Field, Picture, Points, Shape, Where};

/// Charts under one title.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figure {
    /// What it shows.
    pub title: String,
    /// Sentences below it.
    pub caption: Option<String>,
    /// Its panels.
    pub charts: Vec<Chart>,
}

impl Figure {
    /// With its title given to its only panel, if there is one panel and that has none.
    fn merged(&self) -> Option<Self> {
        let [chart] = self.charts.as_slice() else { return None };
        let untitled = chart.title.as_deref().is_none_or(str::is_empty);
        (untitled && !self.title.is_empty()).then(|| Self {
            title: String::new(),
            caption: self.caption.clone(),
            charts: vec![Chart { title: Some(self.title.clone()), ..chart.clone() }],
        })
    }
}

/// One pair of axes (or three: `y2`) with everything drawn on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    /// Printed above the plot.
    pub title: Option<String>,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis on the left.
    pub y: Axis,
    /// The vertical axis on the right.
    pub y2: Option<Axis>,
    /// Drawn in this order, fills below lines.
    pub marks: Vec<Mark>,
    /// Sentences printed below the plot, for example why it is empty.
    pub notes: Vec<String>,
    /// A line across the plot, with words below it.
    pub cursor: Option<Cursor>,
    /// As one of many on a screen: title, legend and captions take no lines of their own, what the marks at the axis say is left
    /// out.
    pub terse: bool,
}

impl Chart {
    /// Whether nothing can be drawn in it: its notes say why.
    pub fn is_blank(&self) -> bool {
        let known = domain::Domain::known(self);
        !known.x && self.pictures().is_empty()
    }

    /// The pictures among the marks.
    pub fn pictures(&self) -> Vec<&Picture> {
        let marks = self.marks.iter();
        marks.filter_map(|m| if let Shape::Image(p) = &m.shape { Some(p) } else { None }).collect()
    }

    /// Whether it is nothing but pictures, which need no axes.
    fn is_pictures(&self) -> bool {
        let bare = |m: &Mark| matches!(m.shape, Shape::Image(_) | Shape::Rule { .. });
        self.marks.iter().all(bare) && !self.pictures().is_empty()
    }

    /// The marks that its legend names; rules are named where they are drawn.
    fn named(&self) -> Vec<&Mark> {
        let named = |m: &&Mark| m.name.is_some() && !matches!(m.shape, Shape::Rule { .. });
        self.marks.iter().filter(named).collect()
    }

    /// The vertical axis of a side; the left one where there is no other.
    pub fn axis(&self, side: Side) -> &Axis {
        match (side, &self.y2) {
            (Side::Right, Some(right)) => right,
            _ => &self.y,
        }
    }

    /// Where among the lines the one at this place in `marks` is, above 0 and below 1: their markers stand apart.
    fn turn_of(&self, mark: usize) -> f64 {
        let is_line = |m: &&Mark| !m.faint && matches!(m.shape, Shape::Line { .. });
        let before = self.marks[..mark].iter().filter(is_line).count();
        (before as f64 + 0.5) / self.marks.iter().filter(is_line).count().max(1) as f64
    }

    /// Words in the order in which they may claim their place: the last of each mark, then the ones before.
    pub fn words(&self) -> impl Iterator<Item = (&Mark, f64, f64, &str)> {
        let marks = || {
            self.marks.iter().filter_map(|mark| match &mark.shape {
                Shape::Words { x, y, words } => Some((mark, x, y, words)),
                _ => None,
            })
        };
        let longest = marks().map(|(_, x, _, _)| x.len()).max().unwrap_or(0);
        (1..=longest).flat_map(move |back| {
            marks().filter_map(move |(mark, x, y, words)| {
                let i = x.len().checked_sub(back)?;
                Some((mark, x[i], y[i], words[i].as_str()))
            })
        })
    }
}

/// Where somebody reads a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    /// At this x.
    pub x: f64,
    /// What is read there, the longest words first: the first that have room are written.
    pub words: Vec<String>,
}

/// An axis: its words, its scale, its range.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis {
    /// What is measured.
    pub label: String,
    /// In which unit.
    pub unit: Option<String>,
    /// How values become positions.
    pub scale: Scale,
    /// Names for the positions 0, 1, 2 and so on; ticks then are these names.
    pub categories: Vec<String>,
    /// The values are seconds: ticks at round minutes and hours.
    pub seconds: bool,
    /// The values are seconds since 1970: ticks are times of day in this zone.
    pub clock: Option<TimeZone>,
    /// Its two ends; without them they are where the data ends.
    pub range: Option<(f64, f64)>,
}

impl Axis {
    /// Whether its values are bytes: they are then told in kB, MB, GB.
    pub fn bytes(&self) -> bool {
        self.unit.as_deref() == Some("B")
    }

    /// A value on it in words.
    pub fn words(&self, v: f64) -> String {
        if self.bytes() { number::amount(v) } else { number::value(v) }
    }

    /// `loss [MSE], log`: what to print beside the axis.
    pub fn caption(&self) -> String {
        let mut text = self.label.clone();
        if let Some(unit) = self
            .unit
            .as_deref()
            .filter(|u| !u.is_empty() && !says(&self.label, u) && !self.seconds && !self.bytes())
        {
            text = if text.is_empty() { unit.to_owned() } else { format!("{text} [{unit}]") };
        }
        if let Some(word) = self.scale.word() {
            text = if text.is_empty() { word.to_owned() } else { format!("{text} ({word})") };
        }
        text
    }
}

/// Whether a label says the unit already, as one of its words: `cross entropy, nats`.
fn says(label: &str, unit: &str) -> bool {
    label == unit || label.split([' ', ',', '(', ')', '[', ']']).any(|word| word == unit)
}

/// Which vertical axis a mark belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// `y`, on the left.
    #[default]
    Left,
    /// `y2`, on the right.
    Right,
}

/// Something drawn, with how it looks.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Its words in the legend; none keeps it out of the legend.
    pub name: Option<String>,
    /// A value to print beside the name, usually the last one.
    pub last: Option<f64>,
    /// Its colour.
    pub paint: Paint,
    /// Number of its marker, which tells it apart without colour.
    pub marker: u8,
    /// Which vertical axis it is measured on.
    pub side: Side,
    /// Behind the others, and paler: what is smoothed, under what it was smoothed to.
    pub faint: bool,
    /// What its points stand for, where they are not the values themselves.
    pub counted: Option<Counted>,
    /// What it is.
    pub shape: Shape,
    /// Which of its points, in ascending order, are only where its line crosses the edge of the part that is seen.
    pub crossings: Vec<usize>,
}

impl Mark {
    /// Without a name, on the left axis, in a colour and with the number of a marker.
    pub const fn new((paint, marker): (Paint, u8), shape: Shape) -> Self {
        Self {
            name: None,
            last: None,
            paint,
            marker,
            side: Side::Left,
            faint: false,
            counted: None,
            shape,
            crossings: Vec::new(),
        }
    }
}

/// How many values a mark stands for, drawn or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// All.
    pub all: u64,
    /// Those that are not finite.
    pub odd: u64,
}
