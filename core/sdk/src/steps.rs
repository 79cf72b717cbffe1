//! The loop over a training's steps.

use std::ops::{Bound, RangeBounds};

use crate::{Ctx, Result};

/// The steps of a training; made by [`Ctx::steps`].
pub struct Steps<'a> {
    ctx: &'a Ctx,
    next: i64,
    end: Option<i64>,
    phase: &'a str,
    /// The step that was handed out last has still to be ended.
    running: bool,
}

impl<'a> Steps<'a> {
    pub(crate) fn new(ctx: &'a Ctx, range: &impl RangeBounds<i64>) -> Self {
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

    /// What is shown beside the progress, `training` if not given.
    #[must_use]
    pub fn phase(mut self, phase: &'a str) -> Self {
        self.phase = phase;
        self
    }

    /// What follows the body of the loop.
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
