//! The measurements, kept for the conclusion and its tables.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};

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

const NUMBERS: usize = 5;

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
        let numbers: Vec<f64> = self
            .trials
            .iter()
            .flatten()
            .flat_map(|p| [p.step as f64, p.loss, p.norm, p.batch_norm, p.update])
            .collect();
        saving.integers(&format!("{name}.history.trials"), &[self.trials.len() as i64])?;
        Ok(saving.numbers(&format!("{name}.history"), &numbers)?)
    }

    pub(super) fn restore(name: &str, saved: &Saved) -> Result<Self> {
        let numbers = saved.numbers(&format!("{name}.history"))?;
        let [trials] = saved.exactly(&format!("{name}.history.trials"))?;
        let trials = usize::try_from(trials).unwrap_or(0);
        if trials == 0 || !numbers.len().is_multiple_of(trials * NUMBERS) {
            return Err(saved.misfit().into());
        }
        let points =
            numbers.as_chunks::<NUMBERS>().0.iter().map(|&[step, loss, norm, batch_norm, update]| Point {
                step: step as i64,
                loss,
                norm,
                batch_norm,
                update,
            });
        let points: Vec<Point> = points.collect();
        Ok(Self { trials: points.chunks((points.len() / trials).max(1)).map(<[Point]>::to_vec).collect() })
    }
}
