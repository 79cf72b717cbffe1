//! Charts as data: what to draw, independent of where. [`cells`] draws a [`Chart`] in character cells, [`svg`] as a
//! drawing, [`png`] as a bitmap.
//!
//! Pure: no I/O, clock or terminal, so that commands, reports and the monitor share it.

pub mod ascii;
mod axis_ticks;
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
pub use shape::{Field, Image, Points, RulePosition, Shape};

/// One or more charts with a common title.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figure {
    /// The title.
    pub title: String,
    /// Text below it.
    pub caption: Option<String>,
    /// Its panels.
    pub charts: Vec<Chart>,
}

impl Figure {
    /// Returns a copy with the title moved to its only panel, if that has none.
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

/// One pair of axes (or three with `y2`) with everything drawn on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    /// The title above the plot.
    pub title: Option<String>,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis on the left.
    pub y: Axis,
    /// The vertical axis on the right.
    pub y2: Option<Axis>,
    /// The marks in drawing order, fills below lines.
    pub marks: Vec<Mark>,
    /// Notes below the plot, for example why it is empty.
    pub notes: Vec<String>,
    /// A vertical line across the plot, with a text below it.
    pub cursor: Option<Cursor>,
    /// Whether it is one of many on a screen: title, legend and captions take no separate lines, and marks at the axis
    /// are not explained.
    pub compact: bool,
}

impl Chart {
    /// Returns whether nothing is drawn; its notes then say why.
    pub fn is_blank(&self) -> bool {
        let known = domain::Domain::known(self);
        !known.x && self.images().is_empty()
    }

    /// Returns the images among the marks.
    pub fn images(&self) -> Vec<&Image> {
        let marks = self.marks.iter();
        marks.filter_map(|m| if let Shape::Image(p) = &m.shape { Some(p) } else { None }).collect()
    }

    /// Returns whether it consists only of images, which need no axes.
    pub fn is_images(&self) -> bool {
        let bare = |m: &Mark| matches!(m.shape, Shape::Image(_) | Shape::Rule { .. });
        self.marks.iter().all(bare) && !self.images().is_empty()
    }

    /// Returns the marks named in its legend; rules are named where they are drawn.
    fn named(&self) -> Vec<&Mark> {
        let named = |m: &&Mark| m.name.is_some() && !matches!(m.shape, Shape::Rule { .. });
        self.marks.iter().filter(named).collect()
    }

    /// Formats the value beside the name of a mark, with all digits that its axis distinguishes as it is drawn.
    fn value_words(&self, mark: &Mark, domain: &domain::Domain) -> Option<String> {
        let span = domain.vertical(mark.side);
        let axis = Axis { range: Some((span.low, span.high)), ..self.axis(mark.side).clone() };
        mark.last.map(|last| mark.measured(axis.words(last)))
    }

    /// Says what the values beside names are, if there are any.
    fn value_kind(&self) -> Option<&'static str> {
        match self.named().iter().filter(|mark| mark.last.is_some()).count() {
            0 => None,
            _ if self.cursor.is_some() => Some("(at the cursor)"),
            1 => Some("(last value)"),
            _ => Some("(last values)"),
        }
    }

    /// Returns the vertical axis of a side, or the left one if there is no other.
    pub fn axis(&self, side: Side) -> &Axis {
        match (side, &self.y2) {
            (Side::Right, Some(right)) => right,
            _ => &self.y,
        }
    }

    /// Returns whether it has contour lines over a heatmap.
    pub(crate) fn is_lined_map(&self) -> bool {
        let has = |of: fn(&Shape) -> bool| self.marks.iter().any(|mark| of(&mark.shape));
        has(|shape| matches!(shape, Shape::Heatmap(_))) && has(|shape| matches!(shape, Shape::Contour(_)))
    }

    /// Returns whether its series need markers to be told apart.
    pub(crate) fn has_markers(&self) -> bool {
        let is_series = |m: &&Mark| !m.faint && matches!(m.shape, Shape::Line { .. } | Shape::Scatter { .. });
        self.marks.iter().filter(is_series).count() > 1
    }

    /// Returns whether a mark is drawn as a line without markers.
    pub(crate) fn is_plain_line(&self, mark: &Mark) -> bool {
        // A single point is hard to see without one.
        matches!(&mark.shape, Shape::Line { x, .. } if mark.faint || !self.has_markers() && x.len() != 1)
    }

    /// Returns the position of a line among all lines, from 0 to below 1, to place the markers of lines apart.
    fn turn_of(&self, mark: usize) -> f64 {
        let is_line = |m: &&Mark| !m.faint && matches!(m.shape, Shape::Line { .. });
        let before = self.marks[..mark].iter().filter(is_line).count();
        (before as f64 + 0.5) / self.marks.iter().filter(is_line).count().max(1) as f64
    }

    /// Returns texts by priority for placement: the last of each mark, then the ones before.
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

/// The cursor in a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    /// Its x.
    pub x: f64,
    /// Alternative texts, longest first: the first that fits is written.
    pub words: Vec<String>,
}

/// An axis: its label, scale and range.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis {
    /// The quantity.
    pub label: String,
    /// The unit.
    pub unit: Option<String>,
    /// The scale.
    pub scale: Scale,
    /// Names for the positions 0, 1, 2 and so on, used as ticks.
    pub categories: Vec<String>,
    /// Whether values are seconds, with ticks at round minutes and hours.
    pub seconds: bool,
    /// Whether values are whole numbers, as ticks are then.
    pub whole: bool,
    /// If values are seconds since 1970, the time zone of the ticks.
    pub clock: Option<TimeZone>,
    /// The range; `None` to fit the data.
    pub range: Option<(f64, f64)>,
    /// Whether the range leaves out extremes, which are marked at its ends.
    pub clipped: bool,
}

impl Axis {
    /// Returns whether its values are bytes, displayed in kB, MB or GB.
    pub fn bytes(&self) -> bool {
        self.unit.as_deref() == Some("B")
    }

    /// Formats a value of the axis, with all digits that the visible range distinguishes.
    pub fn words(&self, v: f64) -> String {
        if self.bytes() { number::amount(v) } else { number::value_on(v, self.length()) }
    }

    /// Like [`Self::words`], in as many columns while the value changes.
    pub fn steady(&self, v: f64) -> String {
        if self.bytes() { number::steady_amount(v) } else { number::steady_on(v, self.length()) }
    }

    /// Like [`Self::steady`], with two or three digits if the visible range distinguishes no more.
    pub fn brief(&self, v: f64) -> String {
        if self.bytes() { number::brief_amount(v) } else { number::steady_brief_on(v, self.length()) }
    }

    /// Returns the length of its range.
    fn length(&self) -> Option<f64> {
        self.range.map(|(low, high)| high - low)
    }

    /// Returns the caption, such as `loss [MSE], log`.
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

/// Adds a unit, if there is one, to a value in words.
pub fn with_unit(value: String, unit: Option<&str>) -> String {
    match unit {
        Some(unit) => value + " " + unit,
        None => value,
    }
}

/// Returns whether a label already contains the unit as a word: `cross entropy, nats`.
fn says(label: &str, unit: &str) -> bool {
    label == unit || label.split([' ', ',', '(', ')', '[', ']']).any(|word| word == unit)
}

/// The vertical axis of a mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// `y`, on the left.
    #[default]
    Left,
    /// `y2`, on the right.
    Right,
}

/// A drawn object with its style.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// The name in the legend; `None` keeps it out of the legend.
    pub name: Option<String>,
    /// A value to display beside the name: the last one, or that at the cursor.
    pub last: Option<f64>,
    /// The unit of that value, if its axis has none since those of others differ.
    pub unit: Option<String>,
    /// Its colour.
    pub paint: Paint,
    /// The number of its marker, which identifies it without colour.
    pub marker: u8,
    /// Its vertical axis.
    pub side: Side,
    /// Whether it is drawn paler and behind the others, such as raw values behind smoothed ones.
    pub faint: bool,
    /// What its points represent, if not single values.
    pub counted: Option<ValueCount>,
    /// The shape.
    pub shape: Shape,
    /// Points, by index in ascending order, whose x is not that of a logged value.
    pub origins: Vec<(usize, Origin)>,
}

impl Mark {
    /// Creates an unnamed mark on the left axis, with a colour and the number of a marker.
    pub const fn new((paint, marker): (Paint, u8), shape: Shape) -> Self {
        Self {
            name: None,
            last: None,
            unit: None,
            paint,
            marker,
            side: Side::Left,
            faint: false,
            counted: None,
            shape,
            origins: Vec::new(),
        }
    }

    /// Adds the unit to a value in words.
    fn measured(&self, value: String) -> String {
        with_unit(value, self.unit.as_deref())
    }

    /// Returns what a point is of, unless it is of a value logged at its x.
    pub fn origin(&self, point: usize) -> Option<Origin> {
        let found = self.origins.binary_search_by_key(&point, |(of, _)| *of).ok()?;
        Some(self.origins[found].1)
    }
}

/// What a point is of whose x is not, or not exactly, that of a logged value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Origin {
    /// Of no value: it lies on the line between two, for example at the edge of the visible range.
    Crossing,
    /// Of a value, or several, logged in this range of x, ends included.
    Within(f64, f64),
    /// Of a value at this step, which is so large that a float may be another one.
    Step(i64),
}

/// From here on, a float is not every whole number, such as the step of a row.
pub const WHOLE: f64 = 9_007_199_254_740_992.0;

/// The number of values that a mark represents, of those on the visible part of the axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueCount {
    /// All values.
    pub all: u64,
    /// Non-finite values.
    pub non_finite: u64,
    /// Finite values that a logarithmic axis cannot show; `None` if they are not known one by one.
    pub not_positive: Option<u64>,
    /// Whether values beside the visible part may be among them.
    pub about: bool,
}

impl Default for ValueCount {
    fn default() -> Self {
        Self { all: 0, non_finite: 0, not_positive: Some(0), about: false }
    }
}

impl std::ops::Add for ValueCount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            all: self.all + other.all,
            non_finite: self.non_finite + other.non_finite,
            not_positive: self.not_positive.zip(other.not_positive).map(|(a, b)| a + b),
            about: self.about || other.about,
        }
    }
}
