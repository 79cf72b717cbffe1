//! From a run's declared figures and its data to charts.

pub mod built;
pub mod chart;
#[cfg(test)]
mod chart_tests;
mod data;
mod lines;
mod marks;
mod series;
mod tables;

use std::collections::BTreeSet;

use gradtop_store::figures::{self, Mark as Declared, MarkAxis, MarkKind};
use gradtop_store::{MetricInfo, SeriesKey};

pub use data::Data;
use gradtop_chart::colour::{Paint, assign};
use gradtop_chart::scale::Scale;
use gradtop_chart::{Axis, Chart, Figure, Mark, Shape, Side};
pub use series::{name_of, wanted};

/// What marks are made of before they have colours.
struct Piece {
    /// Words in the legend.
    name: Option<String>,
    /// What its colour and marker are chosen by.
    key: String,
    last: Option<f64>,
    colour: Option<Paint>,
    side: Side,
    shape: Shape,
}

/// What a mark says about the axes that the figure left open.
#[derive(Default)]
struct Hints {
    x_label: Option<String>,
    x_unit: Option<String>,
    y_label: Option<String>,
    y_unit: Option<String>,
    categories: Vec<String>,
    seconds: bool,
}

/// What one mark became.
#[derive(Default)]
struct Evaluated {
    pieces: Vec<Piece>,
    hints: Hints,
    notes: Vec<String>,
}

/// The charts of a figure. What cannot be drawn (yet) is said in the chart's notes.
pub fn evaluate(figure: &figures::Figure, data: &Data) -> Figure {
    let mut panels: Vec<(Chart, Vec<Piece>)> = figure.panels.iter().map(|p| panel(p, data)).collect();
    let keys: BTreeSet<String> =
        panels.iter().flat_map(|(_, pieces)| pieces.iter().map(|p| p.key.clone())).collect();
    let shown = keys.iter().map(String::as_str).filter(|k| !k.is_empty());
    let looks = assign(data.names.iter().map(String::as_str), shown);
    let charts = panels
        .drain(..)
        .map(|(mut chart, pieces)| {
            for p in pieces {
                let (paint, marker) = looks.get(&p.key).copied().unwrap_or((Paint::Grey, 0));
                chart.marks.push(Mark {
                    faint: false,
                    name: p.name,
                    last: p.last,
                    paint: p.colour.unwrap_or(paint),
                    marker,
                    side: p.side,
                    shape: p.shape,
                });
            }
            fit_symlog(&mut chart);
            chart
        })
        .collect();
    Figure { title: figure.title.clone(), caption: figure.caption.clone(), charts }
}

fn panel(panel: &figures::Panel, data: &Data) -> (Chart, Vec<Piece>) {
    let mut chart = Chart {
        title: panel.title.clone(),
        x: axis(&panel.x),
        y: axis(&panel.y),
        y2: panel.y2.as_ref().map(axis),
        ..Chart::default()
    };
    let metrics: BTreeSet<&str> = panel.marks.iter().filter_map(|m| m.metric.as_deref()).collect();
    let mut pieces = Vec::new();
    for declared in &panel.marks {
        let made = marks::evaluate(declared, data, metrics.len() > 1);
        chart.notes.extend(made.notes);
        let hints = made.hints;
        let open = |own: &mut String, hint: Option<String>| {
            if own.is_empty() {
                *own = hint.unwrap_or_default();
            }
        };
        open(&mut chart.x.label, hints.x_label);
        chart.x.unit = chart.x.unit.take().or(hints.x_unit);
        chart.x.seconds |= hints.seconds;
        let side = if declared.axis == MarkAxis::Y2 { chart.y2.as_mut() } else { None };
        let vertical = side.unwrap_or(&mut chart.y);
        // An axis for several metrics cannot carry the name of one of them.
        if declared.metric.is_none() || metrics.len() <= 1 || declared.axis == MarkAxis::Y2 {
            open(&mut vertical.label, hints.y_label);
            vertical.unit = vertical.unit.take().or(hints.y_unit);
        }
        if chart.x.categories.is_empty() {
            chart.x.categories = hints.categories;
        }
        pieces.extend(made.pieces);
    }
    if pieces.iter().all(|p| matches!(p.shape, Shape::Rule { .. })) && chart.notes.is_empty() {
        chart.notes.push("nothing recorded for this yet".to_owned());
    }
    marks::dodge(&mut pieces);
    (chart, pieces)
}

fn axis(axis: &figures::Axis) -> Axis {
    Axis {
        label: axis.label.clone().unwrap_or_default(),
        unit: axis.unit.clone(),
        scale: match axis.scale {
            figures::Scale::Linear => Scale::Linear,
            figures::Scale::Log => Scale::Log,
            figures::Scale::Log2 => Scale::Log2,
            figures::Scale::Symlog => Scale::Symlog { threshold: 1.0 },
        },
        ..Axis::default()
    }
}

/// Gives symlog axes the linear range that fits their data.
fn fit_symlog(chart: &mut Chart) {
    let values = |marks: &[Mark], side: Option<Side>| -> Vec<f64> {
        marks
            .iter()
            .filter(|m| side.is_none_or(|s| m.side == s))
            .flat_map(|m| match (&m.shape, side) {
                (Shape::Line { x, y } | Shape::Scatter { x, y, .. } | Shape::Bars { x, y, .. }, _) => {
                    if side.is_some() { y.clone() } else { x.clone() }
                }
                (Shape::Band { low, high, .. }, Some(_)) => low.iter().chain(high).copied().collect(),
                (Shape::Band { x, .. }, None) => x.clone(),
                _ => Vec::new(),
            })
            .collect()
    };
    let fit = |axis: &mut Axis, values: Vec<f64>| {
        if matches!(axis.scale, Scale::Symlog { .. }) {
            axis.scale = Scale::symlog_for(values.into_iter());
        }
    };
    let (x, y, y2) = (
        values(&chart.marks, None),
        values(&chart.marks, Some(Side::Left)),
        values(&chart.marks, Some(Side::Right)),
    );
    fit(&mut chart.x, x);
    fit(&mut chart.y, y);
    if let Some(axis) = &mut chart.y2 {
        fit(axis, y2);
    }
}

/// A figure for a metric that no figure was declared for: a line for each model and split, the mean over trials with
/// their range.
pub fn of_metric(name: &str, info: Option<&MetricInfo>, x: &str) -> figures::Figure {
    let scale = if info.is_some_and(|m| m.log) { figures::Scale::Log } else { figures::Scale::Linear };
    let mark = Declared {
        metric: Some(name.to_owned()),
        x: Some(figures::MarkX::Source(x.to_owned())),
        band: Some(figures::Band::Minmax),
        ..empty_mark(MarkKind::Line)
    };
    let unit = info.and_then(|m| m.unit.clone());
    figures::Figure {
        id: name.to_owned(),
        title: name.to_owned(),
        caption: info.map(|m| m.help.clone()).filter(|h| !h.is_empty()),
        panels: vec![figures::Panel {
            y: figures::Axis { unit, scale, ..figures::Axis::default() },
            marks: vec![mark],
            ..figures::Panel::default()
        }],
        extra: toml::Table::new(),
    }
}

fn empty_mark(kind: MarkKind) -> Declared {
    Declared {
        kind,
        metric: None,
        model: None,
        split: None,
        trial: None,
        x: None,
        y: None,
        by: None,
        aggregate: None,
        band: None,
        table: None,
        steps: figures::Steps::Last,
        xcol: None,
        ycol: None,
        zcol: None,
        textcol: None,
        column: None,
        bins: None,
        label: None,
        color: None,
        joined: false,
        axis: MarkAxis::Y,
        extra: toml::Table::new(),
    }
}

/// The names that a run's lines are known by: its models, or its splits where there are no models.
pub fn names(keys: impl Iterator<Item = SeriesKey>) -> BTreeSet<String> {
    keys.filter_map(|k| k.model.or(k.split)).collect()
}

#[cfg(test)]
mod tests;
