//! Figures: what to draw from a run's metrics and tables, declared as TOML text and kept in `figures.toml`.
//!
//! Keys this version does not know are kept, so that a file written by a newer gradtop survives being merged here.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::run_dir::RunDir;

/// A whole `figures.toml`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FigureFile {
    /// The figures, in the order declared.
    #[serde(default, rename = "figure")]
    pub figures: Vec<Figure>,
    /// Keys this version does not know.
    #[serde(flatten)]
    pub extra: toml::Table,
}

/// A figure: one or more panels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Lower-case letters, digits and `-`.
    pub id: String,
    /// Its heading.
    pub title: String,
    /// A sentence below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// Its panels, at least one.
    #[serde(rename = "panel")]
    pub panels: Vec<Panel>,
    /// Keys this version does not know.
    #[serde(flatten)]
    pub extra: toml::Table,
}

/// One pair of axes and what is drawn in it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Panel {
    /// Its heading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The horizontal axis.
    #[serde(default)]
    pub x: Axis,
    /// The vertical axis.
    #[serde(default)]
    pub y: Axis,
    /// A second vertical axis, at the right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y2: Option<Axis>,
    /// What is drawn, at least one.
    #[serde(rename = "mark")]
    pub marks: Vec<Mark>,
    /// Keys this version does not know.
    #[serde(flatten)]
    pub extra: toml::Table,
}

/// An axis.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Axis {
    /// What it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The unit of its numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// How numbers become places.
    #[serde(default)]
    pub scale: Scale,
    /// Keys this version does not know.
    #[serde(flatten)]
    pub extra: toml::Table,
}

/// How numbers become places on an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Evenly.
    #[default]
    Linear,
    /// By the decimal logarithm.
    Log,
    /// By the binary logarithm.
    Log2,
    /// Linear about zero, logarithmic beyond, both signs.
    Symlog,
}

/// The kinds of marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarkKind {
    /// A line through points.
    Line,
    /// The area between two lines.
    Band,
    /// Points.
    Scatter,
    /// Bars from zero.
    Bar,
    /// Counts of a column's values.
    Histogram,
    /// Coloured cells.
    Heatmap,
    /// Lines of equal height.
    Contour,
    /// Rows of pixels, one byte each.
    Image,
    /// A straight line across the panel.
    Rule,
}

/// Which steps of a table are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Steps {
    /// The last step logged.
    #[default]
    Last,
    /// All of them.
    All,
}

/// How series that `by` does not separate become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregate {
    /// The arithmetic mean at each step.
    Mean,
    /// The median at each step.
    Median,
}

/// The vertical axis a mark belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarkAxis {
    /// The left one.
    #[default]
    Y,
    /// The right one.
    Y2,
}

/// The key `x` of a mark: what runs along the axis, or where a rule stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MarkX {
    /// Where a vertical rule stands.
    At(f64),
    /// `step`, `epoch` or `time`.
    Source(String),
}

/// One value or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

impl<T: PartialEq> OneOrMany<T> {
    /// Whether `value` is among them.
    pub fn contains(&self, value: &T) -> bool {
        match self {
            Self::One(v) => v == value,
            Self::Many(vs) => vs.contains(value),
        }
    }
}

/// What is drawn in a panel: from a metric, from a table, or a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// What it looks like.
    #[serde(rename = "type")]
    pub kind: MarkKind,
    /// The metric drawn; then `model`, `split` and `trial` filter its series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Only these models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<OneOrMany<String>>,
    /// Only these splits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<OneOrMany<String>>,
    /// Only these trials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<OneOrMany<i32>>,
    /// What runs along the x axis of a metric (`step` if absent), or where a vertical rule stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<MarkX>,
    /// Where a horizontal rule stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<f64>,
    /// What separates lines: `model`, `split`, `trial`, or a table's columns. Absent: `["model", "split"]` for metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Vec<String>>,
    /// How the series that `by` does not separate become one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<Aggregate>,
    /// `minmax`: also draw the band between the lowest and the highest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band: Option<Band>,
    /// The table drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Which steps of the table.
    #[serde(default, skip_serializing_if = "is_default")]
    pub steps: Steps,
    /// The column along x.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xcol: Option<String>,
    /// The column along y.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ycol: Option<String>,
    /// The column of colours, heights or pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zcol: Option<String>,
    /// The column a histogram counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// How many bins a histogram has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bins: Option<u32>,
    /// Its name in the legend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Its colour, a name or `#rrggbb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// Whether scattered points are joined in the table's order.
    #[serde(default, skip_serializing_if = "is_default")]
    pub joined: bool,
    /// The vertical axis it belongs to.
    #[serde(default, skip_serializing_if = "is_default")]
    pub axis: MarkAxis,
    /// Keys this version does not know.
    #[serde(flatten)]
    pub extra: toml::Table,
}

/// What a band spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Band {
    /// From the lowest to the highest.
    Minmax,
}

fn is_default<T: Default + PartialEq>(v: &T) -> bool {
    *v == T::default()
}

/// Reads and checks declared figures. Errors say which figure, panel and mark.
pub fn parse(_text: &str) -> Result<FigureFile> {
    Err(crate::not_yet())
}

/// Adds figures to a run's `figures.toml`; one of the same id takes the old one's place. Returns all of them.
pub fn declare(_run: &RunDir, _text: &str) -> Result<Vec<Figure>> {
    Err(crate::not_yet())
}

/// The run's declared figures; none if it has declared none.
pub fn read(_run: &RunDir) -> Result<Vec<Figure>> {
    Err(crate::not_yet())
}
