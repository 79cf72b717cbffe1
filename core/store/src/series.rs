//! What a series is.

use serde::{Deserialize, Serialize};

/// What tells one series of a run from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeriesKey {
    /// The metric's name, such as `loss`.
    pub metric: String,
    /// The model, where a run trains several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The data it was measured on, such as `train` or `test`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// The trial, where a run repeats its training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<i32>,
}

impl SeriesKey {
    /// The series of a metric without model, split or trial.
    pub fn metric(metric: impl Into<String>) -> Self {
        Self { metric: metric.into(), model: None, split: None, trial: None }
    }
}
