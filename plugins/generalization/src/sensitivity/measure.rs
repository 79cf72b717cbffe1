//! Everything that is measured of a trained network.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::curvature::{hutchinson, jacobian, lanczos};
use gradtop_toolkit::sharpness::keskar;
use tch::Tensor;

use super::follow::means;
use super::plan::{Leg, Moment, Plan};

/// What one network looks like. NaN: not measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measures {
    /// Cross entropy over all images it learnt.
    pub train_loss: f64,
    /// Share of them it gets right.
    pub train_accuracy: f64,
    /// The same of the test set.
    pub test_loss: f64,
    /// Share of them it gets right.
    pub test_accuracy: f64,
    /// Mean over all test images of ‖∂logits/∂x‖.
    pub logits: f64,
    /// Mean over all test images of ‖∂probabilities/∂x‖.
    pub probabilities: f64,
    /// Largest eigenvalue of the Hessian of the training loss on the fixed subset.
    pub lambda_max: f64,
    /// Smallest.
    pub lambda_min: f64,
    /// An eigenvalue lies no further from `lambda_max` than this.
    pub lambda_bound: f64,
    /// Its trace by Hutchinson's estimate.
    pub trace: f64,
    /// Standard error of that.
    pub trace_error: f64,
    /// Keskar's φ in percent, a lower bound.
    pub sharpness: f64,
}

/// How many numbers [`Measures`] are.
pub(super) const NUMBERS: usize = 12;

impl Measures {
    /// In the order of the fields.
    pub(super) fn numbers(&self) -> [f64; NUMBERS] {
        [
            self.train_loss,
            self.train_accuracy,
            self.test_loss,
            self.test_accuracy,
            self.logits,
            self.probabilities,
            self.lambda_max,
            self.lambda_min,
            self.lambda_bound,
            self.trace,
            self.trace_error,
            self.sharpness,
        ]
    }

    /// Back from [`Measures::numbers`].
    pub(super) fn of(n: [f64; NUMBERS]) -> Self {
        Self {
            train_loss: n[0],
            train_accuracy: n[1],
            test_loss: n[2],
            test_accuracy: n[3],
            logits: n[4],
            probabilities: n[5],
            lambda_max: n[6],
            lambda_min: n[7],
            lambda_bound: n[8],
            trace: n[9],
            trace_error: n[10],
            sharpness: n[11],
        }
    }
}

/// A network as measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    /// Index of its [`Leg`].
    pub leg: usize,
    /// Which of the leg's networks.
    pub trial: i64,
    /// At which moment.
    pub moment: Moment,
    /// Updates it had had.
    pub step: i64,
    /// What it looked like.
    pub measures: Measures,
}

/// Measures networks of a leg, `[networks, parameters]`, all at once; `Early` ones without their curvature.
pub(super) fn measure(plan: &Plan, leg: &Leg, moment: Moment, all: &Tensor) -> Result<Vec<Measures>> {
    let (count, params) = (all.size()[0], &plan.params);
    let mut mlp = plan.networks(count)?;
    for trial in 0..count {
        mlp.set_trial_parameters(trial, &all.f_select(0, trial)?)?;
    }
    let train = mlp.evaluate(plan.learnt(leg))?;
    let test = mlp.evaluate(&plan.sets[1])?;
    let norms = jacobian::norms(&plan.shape, all, &plan.tested)?;
    let (logits, probabilities) = (means(&norms.logits)?, means(&norms.probabilities)?);
    let nothing = [f64::NAN; NUMBERS];
    let mut measures: Vec<Measures> = (0..count as usize)
        .map(|i| Measures {
            train_loss: train.loss[i],
            train_accuracy: train.accuracy[i],
            test_loss: test.loss[i],
            test_accuracy: test.accuracy[i],
            logits: logits[i],
            probabilities: probabilities[i],
            ..Measures::of(nothing)
        })
        .collect();
    if matches!(moment, Moment::Early(_)) {
        return Ok(measures);
    }
    let samples = &plan.curved[usize::from(leg.many)];
    let at = plan.shape.at(all, samples)?;
    let extremes = lanczos::lanczos(all, params.lanczos_steps as usize, plan.seed, |v| at.hessian_vector(v))?;
    let traces = hutchinson::trace(all, params.probes as usize, plan.seed, |v| at.hessian_vector(v))?;
    let sharp =
        keskar(all, params.epsilon, params.ascent as usize, plan.seed, |p| plan.shape.gradient(p, samples))?;
    for (i, of) in measures.iter_mut().enumerate() {
        let values = &extremes[i].values;
        of.lambda_max = values.last().copied().unwrap_or(f64::NAN);
        of.lambda_min = values.first().copied().unwrap_or(f64::NAN);
        of.lambda_bound = extremes[i].bounds.last().copied().unwrap_or(f64::NAN);
        of.trace = traces[i].mean;
        of.trace_error = traces[i].standard_error;
        of.sharpness = sharp[i].percent;
    }
    Ok(measures)
}
