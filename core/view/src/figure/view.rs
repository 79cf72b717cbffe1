//! What is looked at, and how.

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
    /// What its lines are called where there are several runs. Runs of the same label are averaged: their mean is drawn, with
    /// a band from the lowest to the highest.
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
    /// One run by itself.
    pub fn of(data: &'a RunData) -> [Self; 1] {
        [Self { data, label: None }]
    }
}

/// How it is looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChartView {
    /// What runs along x; `None`: what the figure says, else the step.
    pub x: Option<XAxis>,
    /// Each run's x as a share of its last one, 0 to 1: runs of different lengths lie over each other.
    pub relative: bool,
    /// Whether x is logarithmic; else it is as declared.
    pub log_x: bool,
    /// Whether y is; `None`: as declared.
    pub log_y: Option<bool>,
    /// The part of x that is seen; `None`: all.
    pub zoom_x: Option<(f64, f64)>,
    /// The part of y that is seen; `None`: what the data takes.
    pub zoom_y: Option<(f64, f64)>,
    /// Weight of the moving average, 0 for none. The data is smoothed by what was watched; this says to show it.
    pub smoothing: f64,
    /// Lets the highest and lowest of a hundred columns stick out.
    pub clip: bool,
    /// Lines that are not drawn, by name.
    pub hidden: BTreeSet<String>,
    /// Colour and marker of lines by the label of their runs, where that is not left to their names.
    #[serde(skip)]
    pub looks: BTreeMap<String, (Paint, u8)>,
    /// Where the cursor stands.
    #[serde(skip)]
    pub cursor: Option<f64>,
}
