//! Persistent settings of comparisons.

use serde::{Deserialize, Serialize};

use gradtop_view::compare::Align;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// The visible pane.
    pub(crate) pane: Pane,
    pub(crate) align: Align,
    /// The index into [`SMOOTHING`].
    pub(crate) smoothing: usize,
    /// Whether y is logarithmic; `None`: as declared.
    pub(crate) log: Option<bool>,
}

/// The visible parts of the comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Pane {
    /// Charts with the table below.
    #[default]
    Both,
    /// Only the charts.
    Charts,
    /// Only the table.
    Table,
}

/// The weights of the moving average that keys step through.
pub(super) const SMOOTHING: [f64; 8] = [0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99];

impl Settings {
    /// The weight of the moving average.
    pub(crate) fn weight(&self) -> f64 {
        SMOOTHING[self.smoothing.min(SMOOTHING.len() - 1)]
    }
}
