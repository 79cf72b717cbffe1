//! The measurements, kept for the conclusion and its tables.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::record;

/// A measurement: one value per trial. Vectors are empty if a quantity does not exist.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Loss over all data.
    pub loss: Vec<f64>,
    /// Norm of the gradient over all data.
    pub norm: Vec<f64>,
    /// Norm of each layer's gradient: `[layer][trial]`.
    pub layers: Vec<Vec<f64>>,
    /// Accuracy over all data, if the targets are classes.
    pub accuracy: Vec<f64>,
    /// Norm of the gradient used for the update, if it is of a mini-batch.
    pub batch_norm: Vec<f64>,
    /// Length of the update; empty at the end.
    pub update: Vec<f64>,
}

/// A trial at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) step: i64,
    pub(super) loss: f64,
    pub(super) norm: f64,
    /// NaN if there is none.
    pub(super) batch_norm: f64,
    pub(super) update: f64,
}

/// All measurements of a task: `[trial][measurement]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct History {
    pub(super) trials: Vec<Vec<Point>>,
}

record!(Point { step, loss, norm, batch_norm, update });

impl History {
    pub(super) fn push(&mut self, step: i64, measured: &Measured) {
        self.trials.resize(measured.loss.len(), Vec::new());
        let get = |values: &[f64], trial: usize| values.get(trial).copied().unwrap_or(f64::NAN);
        for (trial, points) in self.trials.iter_mut().enumerate() {
            points.push(Point {
                step,
                loss: measured.loss[trial],
                norm: measured.norm[trial],
                batch_norm: get(&measured.batch_norm, trial),
                update: get(&measured.update, trial),
            });
        }
    }

    pub(super) fn save(&self, name: &str, saving: &mut Saving) -> Result<()> {
        saving.integers(&format!("{name}.history.trials"), &[self.trials.len() as i64])?;
        Ok(saving.records(&format!("{name}.history"), &self.trials.concat())?)
    }

    pub(super) fn restore(name: &str, saved: &Saved) -> Result<Self> {
        let points: Vec<Point> = saved.records(&format!("{name}.history"))?;
        let [trials] = saved.exactly(&format!("{name}.history.trials"))?;
        let trials = usize::try_from(trials).unwrap_or(0);
        if trials == 0 || !points.len().is_multiple_of(trials) {
            return Err(saved.misfit().into());
        }
        Ok(Self { trials: points.chunks((points.len() / trials).max(1)).map(<[Point]>::to_vec).collect() })
    }
}
