//! What a chart shows, and how.

use std::collections::{BTreeMap, BTreeSet};

use gradtop_chart::colour::Paint;
use gradtop_store::figures::Figure;
use serde::{Deserialize, Serialize};

use crate::live::{RunData, XAxis};

/// A run in a chart.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Its data.
    pub data: &'a RunData,
    /// The label of its lines if there are several runs. Runs of the same label are averaged: their mean is drawn with
    /// a band from the minimum to the maximum.
    pub label: Option<&'a str>,
}

/// What a chart shows.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A panel of a declared figure.
    Panel(&'a Figure, usize),
    /// A metric.
    Metric(&'a str),
}

impl<'a> Source<'a> {
    /// Returns the source of a single run.
    pub fn of(data: &'a RunData) -> [Self; 1] {
        [Self { data, label: None }]
    }
}

/// The whole axis.
pub(super) const WHOLE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

/// What an axis of shares of the run is called.
pub const SHARE: &str = "share of the run";

/// How a chart is viewed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChartView {
    /// The x axis; `None` for the one declared by the figure, or the step.
    pub x: Option<XAxis>,
    /// Whether each run's x is scaled to 0 to 1, so that runs of different lengths overlap.
    pub relative: bool,
    /// Whether x is logarithmic regardless of the declaration.
    pub log_x: bool,
    /// Whether y is logarithmic; `None` for the declared scale.
    pub log_y: Option<bool>,
    /// The visible range of x; `None` for all.
    pub zoom_x: Option<(f64, f64)>,
    /// The visible range of y; `None` to fit the data.
    pub zoom_y: Option<(f64, f64)>,
    /// Weight of the moving average, 0 for none. The average is computed when data is read; this only displays it.
    pub smoothing: f64,
    /// Whether to clip the most extreme columns.
    pub clip: bool,
    /// Names of hidden lines.
    pub hidden: BTreeSet<String>,
    /// Colours and markers by run label, where they are not derived from names.
    #[serde(skip)]
    pub looks: BTreeMap<String, (Paint, u8)>,
    /// Position of the cursor.
    #[serde(skip)]
    pub cursor: Option<f64>,
}

impl ChartView {
    /// Returns the range of x in which values are counted.
    pub(super) fn part(&self) -> (f64, f64) {
        self.zoom_x.unwrap_or(WHOLE)
    }
}
