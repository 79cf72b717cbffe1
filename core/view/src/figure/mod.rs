//! Creates charts from a run's declared figures and data, the same for screens, commands and reports.
//!
//! [`chart`] composes charts; `plan` decides what a panel contains, `lines` where lines lie, `axes` the ranges of axes.

mod average;
mod axes;
pub mod chart;
mod lines;
mod marks;
mod member;
mod missing;
mod parts;
mod plan;
pub mod prepared;
pub mod run_figures;
mod tables;
pub mod view;

#[cfg(test)]
mod chart_tests;
#[cfg(test)]
mod csv_tests;
#[cfg(test)]
mod cursor_tests;
#[cfg(test)]
mod means_tests;
#[cfg(test)]
mod tests;

use gradtop_store::Declared;
use gradtop_store::figures;

use crate::live::{RunData, XAxis};

pub use plan::{declared_x, name_of, series_name};

/// A range of the common axis of a chart on the axis of a run, which differs from it if the run is scaled to its share.
pub fn own_range(data: &RunData, relative: bool, axis: XAxis, (low, high): (f64, f64)) -> (f64, f64) {
    let place = member::Placement::new(data, relative, axis);
    (place.own(low), place.own(high))
}

/// A figure for a metric that no figure was declared for: a line for each model and split, the mean over trials with their range.
pub fn metric_figure<'a>(name: &str, declared: impl Into<Declared<'a>>, x: &str) -> figures::Figure {
    let declared = declared.into();
    let scale = if declared.is_log() { figures::Scale::Log } else { figures::Scale::Linear };
    let mark = figures::Mark {
        metric: Some(name.to_owned()),
        x: Some(figures::MarkX::Source(x.to_owned())),
        band: Some(figures::Band::Minmax),
        ..figures::Mark::default()
    };
    let unit = declared.unit().map(str::to_owned);
    figures::Figure {
        id: name.to_owned(),
        title: name.to_owned(),
        caption: declared.help().map(str::to_owned),
        panels: vec![figures::Panel {
            y: figures::Axis { unit, scale, ..figures::Axis::default() },
            marks: vec![mark],
            ..figures::Panel::default()
        }],
        extra: toml::Table::new(),
    }
}
