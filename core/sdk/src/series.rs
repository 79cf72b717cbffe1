//! Series, to which values are logged.

/// Identifies a series: a metric, optionally of a model, a split and a trial.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    pub(crate) metric: &'a str,
    pub(crate) model: Option<&'a str>,
    pub(crate) split: Option<&'a str>,
    pub(crate) trial: Option<i32>,
}

/// A registered series, to which points are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeriesId(pub(crate) u32);

impl<'a> Series<'a> {
    /// Creates the series of a metric.
    pub fn metric(metric: &'a str) -> Self {
        Self { metric, model: None, split: None, trial: None }
    }

    /// Sets the model.
    #[must_use]
    pub fn model(mut self, model: &'a str) -> Self {
        self.model = Some(model);
        self
    }

    /// Sets the split of the data: `train`, `test`, …
    #[must_use]
    pub fn split(mut self, split: &'a str) -> Self {
        self.split = Some(split);
        self
    }

    /// Sets the trial, 0 or more.
    #[must_use]
    pub fn trial(mut self, trial: i32) -> Self {
        self.trial = Some(trial);
        self
    }
}
