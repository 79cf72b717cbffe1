//! The loop over the steps of a training.

use std::ops::{Bound, RangeBounds};

use crate::{Ctx, Result};

/// The steps of a training; created by [`Ctx::steps`].
pub struct Steps<'a> {
    ctx: &'a Ctx,
    next: i64,
    end: Option<i64>,
    phase: &'a str,
    /// Whether the last step returned has not been ended yet.
    running: bool,
}

impl Ctx {
    /// The steps of the training. After the body of each step progress is shown, unless the body has done so itself, the run
    /// waits while it is paused, and a stop that was asked for comes out of `step?`.
    ///
    /// ```
    /// # use gradtop_sdk::prelude::*;
    /// # #[derive(Params)]
    /// # struct Walk { #[param(default = 10)] steps: i64 }
    /// # impl Experiment for Walk {
    /// # fn info() -> Info { Info::new("walk", "Walk", "").resumable() }
    /// fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
    ///     let height = ctx.series(Series::metric("height"))?;
    ///     let mut at = 0.0;
    ///     let mut start = 0;
    ///     if let Some(dir) = ctx.resume_dir() {
    ///         at = std::fs::read_to_string(dir.join("at"))?.parse()?;
    ///         start = std::fs::read_to_string(dir.join("next"))?.parse()?;
    ///     }
    ///     for step in ctx.steps(start..self.steps) {
    ///         let step = step?;
    ///         at += 0.5;
    ///         ctx.log(step, &[(height, at)])?;
    ///         ctx.checkpoint_if_due(step, |dir| {
    ///             std::fs::write(dir.join("at"), at.to_string())?;
    ///             Ok(std::fs::write(dir.join("next"), (step + 1).to_string())?)
    ///         })?;
    ///     }
    ///     Ok(())
    /// }
    /// # }
    /// # let host = gradtop_sdk::testing::TestHost::new();
    /// # host.run_interrupted::<Walk>(4, &[]).assert_equals(&host.run::<Walk>(&[]));
    /// ```
    ///
    /// A training whose end is not known beforehand takes `ctx.steps(start..)`, shows its own progress and leaves by `break`.
    pub fn steps(&self, range: impl RangeBounds<i64>) -> Steps<'_> {
        Steps::new(self, &range)
    }
}

impl<'a> Steps<'a> {
    fn new(ctx: &'a Ctx, range: &impl RangeBounds<i64>) -> Self {
        let next = match range.start_bound() {
            Bound::Included(first) => *first,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => Some(last.saturating_add(1)),
            Bound::Excluded(end) => Some(*end),
            Bound::Unbounded => None,
        };
        Self { ctx, next, end, phase: "training", running: false }
    }

    /// Sets the phase displayed with the progress; `training` by default.
    #[must_use]
    pub fn phase(mut self, phase: &'a str) -> Self {
        self.phase = phase;
        self
    }

    /// Ends a step after the body of the loop.
    fn end_step(&mut self) -> Result<()> {
        if !self.ctx.has_told_progress() {
            self.ctx.progress(self.next, self.end.unwrap_or(0), self.phase)?;
        }
        self.ctx.step_end()
    }
}

impl Iterator for Steps<'_> {
    type Item = Result<i64>;

    fn next(&mut self) -> Option<Result<i64>> {
        if std::mem::take(&mut self.running)
            && let Err(error) = self.end_step()
        {
            self.end = Some(self.next);
            return Some(Err(error));
        }
        if self.end.is_some_and(|end| self.next >= end) {
            return None;
        }
        let step = self.next;
        self.next = self.next.saturating_add(1);
        self.running = true;
        self.ctx.has_told_progress();
        Some(Ok(step))
    }
}
