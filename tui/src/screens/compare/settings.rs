//! What is kept of comparisons between starts.

use serde::{Deserialize, Serialize};

use gradtop_view::compare::Align;

/// What is kept between starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// What is seen.
    pub(crate) pane: Pane,
    /// What runs along x.
    pub(crate) align: Align,
    /// Place in [`SMOOTHING`].
    pub(crate) smoothing: usize,
    /// Logarithmic y; none: as declared.
    pub(crate) log: Option<bool>,
}

/// What is seen of the comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Pane {
    /// Charts, and the table below.
    #[default]
    Both,
    /// Charts.
    Charts,
    /// The table.
    Table,
}

/// Weights of the moving average that keys go through.
pub(super) const SMOOTHING: [f64; 8] = [0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99];

impl Settings {
    /// The weight of the moving average.
    pub(crate) fn weight(&self) -> f64 {
        SMOOTHING[self.smoothing.min(SMOOTHING.len() - 1)]
    }
}
