//! Compares a run that is stopped and resumed with one that is not.

use super::{Checkpoint, Outcome, Point, Recorded, Table, TestHost};
use crate::Experiment;

/// A run that was stopped, and the one that continued from its last checkpoint.
#[derive(Clone, Debug)]
pub struct Interrupted {
    /// The run until the stop.
    pub first: Recorded,
    /// The run from the checkpoint on.
    pub second: Recorded,
    /// The checkpoint.
    pub checkpoint: Checkpoint,
}

impl TestHost {
    /// Runs a resumable experiment until a point at step `stop` or later is logged, and continues from its last
    /// checkpoint to the end.
    ///
    /// # Panics
    /// If the first run does not stop or leaves no checkpoint, or the second does not finish.
    pub fn run_interrupted<E: Experiment>(&self, stop: i64, params: &[(&str, &str)]) -> Interrupted {
        let first = self.clone().stop_at(stop).run::<E>(params);
        assert_eq!(first.outcome, Outcome::Stopped, "stopped at {stop}: {:?}", first.text);
        let checkpoint = first.checkpoints.last().cloned();
        let Some(checkpoint) = checkpoint else { panic!("stopped at {stop}: no checkpoint") };
        let second = self.clone().resume_from(&checkpoint.dir).run::<E>(params);
        assert_eq!(second.outcome, Outcome::Finished, "stopped at {stop}: {:?}", second.text);
        Interrupted { first, second, checkpoint }
    }
}

impl Interrupted {
    /// Returns the rows of both as gradtop joins them: those of the first from before its checkpoint, then those of the second.
    pub fn metrics(&self) -> Vec<Point> {
        let kept = &self.first.metrics[..self.checkpoint.metrics];
        kept.iter().chain(&self.second.metrics).cloned().collect()
    }

    /// Returns the tables of both, joined in the same way.
    pub fn tables(&self) -> Vec<Table> {
        let kept = &self.first.tables[..self.checkpoint.tables];
        kept.iter().chain(&self.second.tables).cloned().collect()
    }

    /// Compares both with an uninterrupted run: metrics bit for bit, and tables.
    ///
    /// # Panics
    /// At the first difference.
    pub fn assert_equals(&self, whole: &Recorded) {
        let checkpoint = self.checkpoint.step;
        let (ours, theirs) = (bits(&self.metrics()), bits(&whole.metrics));
        for (i, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            assert_eq!(ours, theirs, "row {i}, resumed from step {checkpoint}");
        }
        assert_eq!(ours.len(), theirs.len(), "rows, resumed from step {checkpoint}");
        let (ours, theirs) = (self.tables(), &whole.tables);
        for (ours, theirs) in ours.iter().zip(theirs) {
            // Compared as text, in which NaN equals NaN.
            let same = format!("{ours:?}") == format!("{theirs:?}");
            let (name, step) = (&theirs.name, theirs.step);
            assert!(same, "table {name} of step {step}, resumed from step {checkpoint}, differs");
        }
        assert_eq!(ours.len(), theirs.len(), "tables, resumed from step {checkpoint}");
    }
}

/// Converts rows for exact comparison: step, series with epoch, and the bits of the value.
pub fn bits(points: &[Point]) -> Vec<(i64, String, u64)> {
    points.iter().map(|p| (p.step, format!("{:?} {:?}", p.series, p.epoch), p.value.to_bits())).collect()
}
