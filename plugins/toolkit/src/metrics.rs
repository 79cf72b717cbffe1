//! Metrics common to several experiments, and the values logged to them.

use gradtop_sdk::{Ctx, Goal, Metric, Result, Series, SeriesId};

/// The loss that represents a run and must stay finite; an empty unit means none.
pub fn loss(unit: &str, help: &str) -> Metric {
    let loss = Metric::new("loss").goal(Goal::Min).headline().guard().log().help(help);
    if unit.is_empty() { loss } else { loss.unit(unit) }
}

/// The accuracy, which represents a run.
pub fn accuracy(help: &str) -> Metric {
    Metric::new("accuracy").goal(Goal::Max).headline().help(help)
}

/// Values of one step, gathered series by series and logged together.
#[must_use]
pub struct Points<'a> {
    ctx: &'a Ctx,
    all: Vec<(SeriesId, f64)>,
}

impl<'a> Points<'a> {
    /// Creates an empty list.
    pub fn of(ctx: &'a Ctx) -> Self {
        Self { ctx, all: Vec::new() }
    }

    /// Adds the value of a series.
    pub fn one(mut self, series: Series<'_>, value: f64) -> Result<Self> {
        self.all.push((self.ctx.series(series)?, value));
        Ok(self)
    }

    /// Adds a value for each trial from 0 on.
    pub fn trials(self, series: Series<'_>, values: &[f64]) -> Result<Self> {
        (0..).zip(values).try_fold(self, |points, (trial, value)| points.one(series.trial(trial), *value))
    }

    /// Logs them with the epoch of the step; NaN means none.
    pub fn log(self, step: i64, epoch: f64) -> Result<()> {
        self.ctx.log_epoch(step, epoch, &self.all)
    }
}
