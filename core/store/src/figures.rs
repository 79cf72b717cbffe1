//! Figures: what to draw from a run's metrics and tables. Declared as TOML and kept in `figures.toml`.
//!
//! Unknown keys are kept, so that merging does not lose what a newer version of gradtop has written.

mod shape;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk::inside;
use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::folder::manifest::MetricInfo;
use crate::folder::run_dir::RunDir;
use crate::read::missing::missing_file;

/// The content of a `figures.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FigureFile {
    /// Version of this file, [`crate::SCHEMA`]. May be absent in declared figures.
    #[serde(default = "schema")]
    pub schema: u32,
    /// The figures, in declaration order.
    #[serde(default, rename = "figure")]
    pub figures: Vec<Figure>,
    /// The split that represents the run, by metric; see [`crate::split_rank`]. Only in a plugin's description.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headline: BTreeMap<String, String>,
    /// Unknown keys.
    #[serde(flatten)]
    pub extra: toml::Table,
}

fn schema() -> u32 {
    crate::schema::SCHEMA
}

impl Default for FigureFile {
    fn default() -> Self {
        Self { schema: schema(), figures: Vec::new(), headline: BTreeMap::new(), extra: toml::Table::new() }
    }
}

/// A figure: one or more panels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Lower-case letters, digits and `-`.
    pub id: String,
    /// Its heading.
    pub title: String,
    /// A sentence below it.
    pub caption: Option<String>,
    /// Its panels, at least one.
    #[serde(rename = "panel")]
    pub panels: Vec<Panel>,
    /// Unknown keys.
    #[serde(flatten)]
    pub extra: toml::Table,
}

/// One pair of axes and the marks drawn in it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Panel {
    /// Its heading.
    pub title: Option<String>,
    /// The horizontal axis.
    #[serde(default)]
    pub x: Axis,
    /// The vertical axis.
    #[serde(default)]
    pub y: Axis,
    /// A second vertical axis on the right.
    pub y2: Option<Axis>,
    /// The marks, at least one.
    #[serde(rename = "mark")]
    pub marks: Vec<Mark>,
    /// Unknown keys.
    #[serde(flatten)]
    pub extra: toml::Table,
}

/// An axis.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Axis {
    /// The axis title.
    pub label: Option<String>,
    /// The unit of the values.
    pub unit: Option<String>,
    /// The scale.
    #[serde(default)]
    pub scale: Scale,
    /// Unknown keys.
    #[serde(flatten)]
    pub extra: toml::Table,
}

/// How an axis maps values to positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Linear.
    #[default]
    Linear,
    /// Logarithmic, base 10.
    Log,
    /// Logarithmic, base 2.
    Log2,
    /// Linear around zero and logarithmic beyond, for both signs.
    Symlog,
}

/// The kinds of marks. A new one also needs its name in `figures/shape.rs`, its shape in `core/chart/src/shape.rs`, what makes
/// it of data in `core/view/src/figure/marks.rs`, and its drawing in `core/chart/src/cells/marks.rs` and `svg/marks.rs`;
/// plugins declare it by `core/sdk/src/figure.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarkKind {
    /// A line through the points.
    #[default]
    Line,
    /// The area between two lines.
    Band,
    /// Points.
    Scatter,
    /// Bars from zero.
    Bar,
    /// Counts of a column's values per bin.
    Histogram,
    /// A grid of coloured cells.
    Heatmap,
    /// Lines of equal height.
    Contour,
    /// Images, one byte per pixel.
    Image,
    /// A straight line across the panel.
    Rule,
}

/// Which steps of a table a mark draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Steps {
    /// The last step logged.
    #[default]
    Last,
    /// All of them.
    All,
}

/// How to combine the series that `by` does not separate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregate {
    /// The mean at each step: the geometric one of a metric that is declared logarithmic, see [`crate::Average`].
    Mean,
    /// The median at each step.
    Median,
}

/// The vertical axis a mark belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarkAxis {
    /// The left axis.
    #[default]
    Y,
    /// The right axis.
    Y2,
}

/// The key `x` of a mark: the source of the x values, or the position of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MarkX {
    /// The position of a vertical rule.
    At(f64),
    /// `step`, `epoch` or `time`.
    Source(String),
}

/// One value or a list of values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// A single value.
    One(T),
    /// A list of values.
    Many(Vec<T>),
}

impl<T: PartialEq> OneOrMany<T> {
    /// Returns whether `value` is among them.
    pub fn contains(&self, value: &T) -> bool {
        match self {
            Self::One(v) => v == value,
            Self::Many(vs) => vs.contains(value),
        }
    }
}

/// What a panel draws: a metric, a table or a rule.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Mark {
    /// The kind of mark.
    #[serde(rename = "type")]
    pub kind: MarkKind,
    /// The metric. `model`, `split` and `trial` then filter its series.
    pub metric: Option<String>,
    /// Only these models; `""` selects series without a model.
    pub model: Option<OneOrMany<String>>,
    /// Only these splits; `""` selects series without a split.
    pub split: Option<OneOrMany<String>>,
    /// Only these trials.
    pub trial: Option<OneOrMany<i32>>,
    /// The x axis of a metric (`step` if absent), or the position of a vertical rule.
    pub x: Option<MarkX>,
    /// The position of a horizontal rule.
    pub y: Option<f64>,
    /// What separates lines: `model`, `split` and `trial`, or columns of a table. The default for metrics is `["model",
    /// "split"]`.
    pub by: Option<Vec<String>>,
    /// How to combine the series that `by` does not separate into one line.
    pub aggregate: Option<Aggregate>,
    /// Draws a band around an aggregated line.
    pub band: Option<Band>,
    /// The table.
    pub table: Option<String>,
    /// Which steps of the table to draw.
    #[serde(default, skip_serializing_if = "is_default")]
    pub steps: Steps,
    /// The column of x values.
    pub xcol: Option<String>,
    /// The column of y values.
    pub ycol: Option<String>,
    /// The column of colours, heights or pixels.
    pub zcol: Option<String>,
    /// The column of texts written next to scattered points.
    pub textcol: Option<String>,
    /// The column a histogram counts.
    pub column: Option<String>,
    /// Number of bins of a histogram.
    pub bins: Option<u32>,
    /// The name in the legend.
    pub label: Option<String>,
    /// The colour, as a name or `#rrggbb`.
    pub color: Option<String>,
    /// Whether to connect scattered points in the table's order.
    #[serde(default, skip_serializing_if = "is_default")]
    pub joined: bool,
    /// The vertical axis.
    #[serde(default, skip_serializing_if = "is_default")]
    pub axis: MarkAxis,
    /// Unknown keys.
    #[serde(flatten)]
    pub extra: toml::Table,
}

/// What a band spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Band {
    /// From the minimum to the maximum.
    Minmax,
}

fn is_default<T: Default + PartialEq>(v: &T) -> bool {
    *v == T::default()
}

/// Parses and checks declared figures. Errors name the figure, panel, mark and key, and what is allowed there.
///
/// # Errors
/// [`StoreError::Figures`] with the first problem.
pub fn parse(text: &str) -> Result<FigureFile> {
    parse_and_warn(text).map(|(file, _)| file)
}

/// Like [`parse`], but also returns warnings about unknown keys and rules without a position.
///
/// # Errors
/// As [`parse`].
pub fn parse_and_warn(text: &str) -> Result<(FigureFile, Vec<String>)> {
    let syntax = |e: &toml::de::Error| {
        let at = e.span().map(|span| text.get(..span.start).unwrap_or(text).matches('\n').count());
        let message = crate::toml_words::toml_message(e);
        let (place, message) = match at {
            Some(at) => {
                let line = text.lines().nth(at).unwrap_or_default().trim();
                let line = if line.is_empty() { String::new() } else { format!(": {line}") };
                (format!("figures, line {}", at + 1), format!("{message}{line}"))
            }
            None => ("figures".to_owned(), message),
        };
        StoreError::Figures { place, message }
    };
    let table: toml::Table = text.parse().map_err(|e| syntax(&e))?;
    let mut warnings = Vec::new();
    shape::check(&table, &mut warnings)?;
    let file = FigureFile::deserialize(table).map_err(|e| syntax(&e))?;
    check(&file)?;
    for (place, mark) in marks(&file) {
        let x = if let Some(MarkX::At(x)) = mark.x { Some(x) } else { None };
        for (key, at) in [("x", x), ("y", mark.y)] {
            if let Some(at) = at.filter(|at| !at.is_finite()) {
                warnings.push(format!(
                    "{place}: {key} = {} is not on any axis: nothing is drawn",
                    toml::Value::from(at)
                ));
            }
        }
    }
    Ok((file, warnings))
}

/// Returns all marks, each with a description of its place.
fn marks(file: &FigureFile) -> impl Iterator<Item = (String, &Mark)> {
    let panels = file.figures.iter().flat_map(|f| (1..).zip(&f.panels).map(move |panel| (f, panel)));
    panels.flat_map(|(f, (p, panel))| {
        let place = move |m: usize| format!("figure {:?}, panel {p}, mark {m}", f.id);
        (1..).zip(&panel.marks).map(move |(m, mark)| (place(m), mark))
    })
}

/// Describes the marks that draw a metric missing from `declared`. This is not an error, as metrics may be logged
/// without being declared.
pub fn undeclared(file: &FigureFile, declared: &[MetricInfo]) -> Vec<String> {
    let mut out = Vec::new();
    if declared.is_empty() {
        return out;
    }
    for (place, mark) in marks(file) {
        let Some(metric) = &mark.metric else { continue };
        if declared.iter().all(|d| d.name != *metric) {
            let near = shape::nearest(declared.iter().map(|d| d.name.as_str()), metric);
            out.push(format!("{place}: the metric {metric:?} is not declared{near}"));
        }
    }
    out
}

/// Adds figures to a run's `figures.toml`, replacing those with the same id, and returns the warnings of
/// [`parse_and_warn`]. Other figures keep their unknown keys.
///
/// # Errors
/// Like [`parse`], or the file cannot be written.
pub fn declare(run: &RunDir, text: &str) -> Result<Vec<String>> {
    let (new, warnings) = parse_and_warn(text)?;
    add(run, new)?;
    Ok(warnings)
}

/// Adds figures that have been checked to a run's file.
pub(crate) fn add(run: &RunDir, new: FigureFile) -> Result<()> {
    let mut file = read_file(run)?;
    merge(&mut file, new);
    let path = run.figures();
    let text = toml::to_string(&file).format_at("encode", &path)?;
    inside::replace(run, &path, text.as_bytes(), false).at("write", &path)
}

/// Adds `new` figures to `file`, replacing those with the same id.
pub fn merge(file: &mut FigureFile, new: FigureFile) {
    for figure in new.figures {
        match file.figures.iter_mut().find(|f| f.id == figure.id) {
            Some(old) => *old = figure,
            None => file.figures.push(figure),
        }
    }
    file.headline.extend(new.headline);
    file.extra.extend(new.extra);
}

/// Reads the run's declared figures, if any.
///
/// # Errors
/// The file is damaged or cannot be read.
pub fn read(run: &RunDir) -> Result<Vec<Figure>> {
    read_file(run).map(|f| f.figures)
}

fn read_file(run: &RunDir) -> Result<FigureFile> {
    let path = run.figures();
    let text = inside::if_there(inside::read_text(run, &path, inside::TEXT_LIMIT)).at("read", &path)?;
    let Some(text) = text else {
        return missing_file(run, &path).map_or_else(|| Ok(FigureFile::default()), Err);
    };
    parse(&text).map_err(|e| StoreError::Damaged { path, message: e.to_string() })
}

fn check(file: &FigureFile) -> Result<()> {
    crate::folder::manifest::check_schema(file.schema, Path::new("figures.toml"))?;
    for (i, figure) in file.figures.iter().enumerate() {
        let place = format!("figure {:?}", figure.id);
        let bad =
            |message: &str| Err(StoreError::Figures { place: place.clone(), message: message.to_owned() });
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if figure.id.is_empty() || !figure.id.chars().all(letters) {
            return bad("an id consists of lower-case letters, digits and '-'");
        }
        if file.figures[..i].iter().any(|f| f.id == figure.id) {
            return bad("two figures have this id; each needs its own");
        }
        if figure.panels.is_empty() {
            return bad("it has no panel: add [[figure.panel]]");
        }
        for (p, panel) in figure.panels.iter().enumerate() {
            let place = format!("{place}, panel {}", p + 1);
            if panel.marks.is_empty() {
                let message = "it has no mark: add [[figure.panel.mark]]".to_owned();
                return Err(StoreError::Figures { place, message });
            }
            for (m, mark) in panel.marks.iter().enumerate() {
                if let Err(message) = check_mark(mark, panel) {
                    let place = format!("{place}, mark {}", m + 1);
                    return Err(StoreError::Figures { place, message });
                }
            }
        }
    }
    Ok(())
}

fn check_mark(mark: &Mark, panel: &Panel) -> std::result::Result<(), String> {
    if mark.axis == MarkAxis::Y2 && panel.y2.is_none() {
        return Err("it is drawn on y2, but its panel has no y2 axis: add y2 = { label = \"…\" }".to_owned());
    }
    if mark.kind == MarkKind::Rule {
        return match (&mark.x, mark.y) {
            (Some(MarkX::At(_)), None) | (None, Some(_)) => Ok(()),
            _ => Err("a rule needs either x or y, a number".to_owned()),
        };
    }
    if let Some(MarkX::At(at)) = &mark.x {
        return Err(format!("x = {at}: expected step, epoch or time; only a rule has a number here"));
    }
    match (&mark.metric, &mark.table) {
        (None, None) => return Err("it needs a metric or a table to draw".to_owned()),
        (Some(_), Some(_)) => return Err("it has a metric and a table; choose one".to_owned()),
        (Some(_), None) => {
            if !matches!(
                mark.kind,
                MarkKind::Line | MarkKind::Band | MarkKind::Scatter | MarkKind::Bar | MarkKind::Histogram
            ) {
                return Err("this type draws a table, not a metric: it needs table, and the table's columns"
                    .to_owned());
            }
            if let Some(other) =
                mark.by.iter().flatten().find(|b| !["model", "split", "trial"].contains(&b.as_str()))
            {
                return Err(format!("by has {other:?}: expected model, split or trial"));
            }
            return Ok(());
        }
        (None, Some(_)) => {}
    }
    let needed: &[(&str, &Option<String>)] = match mark.kind {
        MarkKind::Heatmap | MarkKind::Contour => {
            &[("xcol", &mark.xcol), ("ycol", &mark.ycol), ("zcol", &mark.zcol)]
        }
        MarkKind::Image => &[("zcol", &mark.zcol)],
        MarkKind::Histogram => &[("column", &mark.column)],
        _ => &[("xcol", &mark.xcol), ("ycol", &mark.ycol)],
    };
    match needed.iter().find(|(_, column)| column.is_none()) {
        Some((name, _)) => Err(format!("it draws a table and needs {name}, the name of a column")),
        None => Ok(()),
    }
}
