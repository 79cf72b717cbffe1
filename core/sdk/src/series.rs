//! Series: what values are logged to.

/// Names a series: a metric, perhaps of a model, a split and a trial.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    pub(crate) metric: &'a str,
    pub(crate) model: Option<&'a str>,
    pub(crate) split: Option<&'a str>,
    pub(crate) trial: Option<i32>,
}

/// A series that the host knows; points are logged to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeriesId(pub(crate) u32);

impl<'a> Series<'a> {
    /// A series of this metric.
    pub fn metric(metric: &'a str) -> Self {
        Self { metric, model: None, split: None, trial: None }
    }

    /// Of this model.
    #[must_use]
    pub fn model(mut self, model: &'a str) -> Self {
        self.model = Some(model);
        self
    }

    /// Of this split of the data: `train`, `test`, …
    #[must_use]
    pub fn split(mut self, split: &'a str) -> Self {
        self.split = Some(split);
        self
    }

    /// Of this trial, 0 or more.
    #[must_use]
    pub fn trial(mut self, trial: i32) -> Self {
        self.trial = Some(trial);
        self
    }
}
