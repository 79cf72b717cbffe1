//! The tasks, and measuring their gradients.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::functions::{grid, sinc, variance};
use gradtop_toolkit::instruments::Probe;
use gradtop_toolkit::mlp::{Activation, Evaluator, Loss, Mlp, Samples};
use gradtop_toolkit::optim::Rule;
use gradtop_toolkit::rng::Stream;
use gradtop_toolkit::tensors::{column, copied};
use tch::{Device, Kind};

use super::GradientNorm;
use super::history::{History, Measured};
use gradtop_toolkit::settings::{images, rule, useful_threads};

/// The available tasks.
#[derive(Choice, Clone, Copy, Debug, PartialEq)]
pub enum TaskName {
    /// A function, by its full gradient.
    SincFull,
    /// The same function, by mini-batches.
    SincBatch,
    /// Handwritten digits.
    Mnist,
}

/// The deep network of function-fit, 571 parameters.
const DEEP: [i64; 9] = [1, 5, 10, 10, 10, 10, 10, 5, 1];

/// Networks learning one task.
pub struct Task {
    /// The name of its [`TaskName`].
    pub name: String,
    /// The networks.
    pub ensemble: Ensemble,
    /// The training data.
    pub train: Samples,
    /// Description of the data over which loss and gradient are measured.
    pub(super) measured_on: String,
    pub(super) rule: Rule,
    /// Samples per step.
    pub(super) batch: i64,
    /// The loss of predicting the mean, if known.
    pub(super) baseline: Option<f64>,
    pub(super) history: History,
    evaluator: Evaluator,
    steps: i64,
}

impl Task {
    /// Creates a task at step 0, in single precision.
    pub fn new(params: &GradientNorm, task: TaskName, seed: u64, device: Device) -> Result<Self> {
        let name = task.name();
        let rule = rule(params.optimizer, params.lr, params.momentum);
        let stream = |what| Stream::named(&format!("gradient-norm/{what}/{name}"));
        let ensemble = |mlp: Mlp, train: &Samples, batch: i64| {
            Ensemble::drawn(mlp, rule, (train, batch), seed, ["init", "batches"].map(stream))
        };
        if task == TaskName::Mnist {
            let (train, _, title) = images("mnist", params.train_samples, seed, device)?;
            let widths = [train.input_width(), 15, 30, gradtop_toolkit::data::CLASSES];
            let mlp = Mlp::zeros(&widths, params.trials, Kind::Float, device)?
                .with(Activation::Relu, Loss::CrossEntropy);
            let ensemble = ensemble(mlp, &train, params.batch)?;
            let count = if params.norm_samples == 0 { train.count() } else { params.norm_samples };
            if count > train.count() {
                return Err(Error::invalid(format!(
                    "parameter `norm_samples` is {count}, there are {} images to learn (0: all of them)",
                    train.count()
                )));
            }
            let measured_on = format!("{count} of {} images of {title}", train.count());
            return Ok(Self {
                name: name.to_owned(),
                evaluator: Evaluator::new(&ensemble.mlp, &train.first(count)?)?,
                steps: params.epochs * ensemble.steps_per_epoch(),
                ensemble,
                train,
                measured_on,
                rule,
                batch: params.batch,
                baseline: None,
                history: History::default(),
            });
        }
        let train = sinc_samples(params.points, Kind::Float, device)?;
        let mlp = Mlp::zeros(&DEEP, params.trials, Kind::Float, device)?;
        let batch = if task == TaskName::SincFull { params.points } else { params.batch };
        if batch > params.points {
            return Err(Error::invalid(format!(
                "parameter `batch` is {batch}, but must be at most `points`, which is {}",
                params.points
            )));
        }
        let ensemble = ensemble(mlp, &train, batch)?;
        let values: Vec<f64> = grid(1e-4, 1.0, params.points as usize).into_iter().map(sinc).collect();
        Ok(Self {
            name: name.to_owned(),
            evaluator: Evaluator::new(&ensemble.mlp, &train)?,
            ensemble,
            train,
            measured_on: format!("all {} points of sin(5πx)/(5πx)", params.points),
            rule,
            batch,
            baseline: Some(variance(&values)),
            history: History::default(),
            steps: params.steps,
        })
    }

    /// Returns the number of updates to make.
    pub fn steps(&self) -> i64 {
        self.steps
    }

    /// Returns whether a step uses less than all data.
    pub(super) fn mini_batches(&self) -> bool {
        self.batch < self.train.count()
    }

    pub(super) fn useful_threads(&self, available: usize) -> usize {
        let mlp = &self.ensemble.mlp;
        useful_threads(available, mlp.widths(), mlp.trials(), self.batch)
    }

    /// Measures loss and gradient over all data. Then, if `update` gives the instruments, computes the gradient of the
    /// next batch at the same weights and makes an update. Norms are taken after the backward pass and before the
    /// update; nothing is clipped.
    pub fn measure(&mut self, update: Option<(&Ctx, &Probe)>) -> Result<Measured> {
        let step = self.ensemble.step();
        let evaluation = self.evaluator.gradient(&mut self.ensemble.mlp)?;
        let squares = self.ensemble.mlp.squared_gradient_norms()?;
        let mut measured = Measured {
            loss: evaluation.loss,
            accuracy: evaluation.accuracy,
            norm: total(&squares),
            layers: squares.iter().map(|layer| layer.iter().map(|s| s.sqrt()).collect()).collect(),
            ..Measured::default()
        };
        if let Some((ctx, probe)) = update {
            self.ensemble.gradient(&self.train)?;
            if self.mini_batches() {
                measured.batch_norm = total(&self.ensemble.mlp.squared_gradient_norms()?);
            }
            let before = copied(self.ensemble.mlp.parameters())?;
            probe.follow(ctx, &mut self.ensemble)?;
            let difference = self.ensemble.mlp.parameters().f_sub(&before)?;
            measured.update = total(&self.ensemble.mlp.squared_norms(&difference)?);
        }
        self.history.push(step, &measured);
        Ok(measured)
    }

    pub(super) fn save(&self, saving: &mut Saving) -> Result<()> {
        self.ensemble.save(&self.name, saving)?;
        self.history.save(&self.name, saving)
    }

    pub(super) fn restore(&mut self, saved: &Saved) -> Result<()> {
        self.ensemble.restore(&self.name, saved)?;
        self.history = History::restore(&self.name, saved)?;
        Ok(())
    }
}

/// Returns the norm over all layers for each trial.
fn total(squares: &[Vec<f64>]) -> Vec<f64> {
    let trials = squares.first().map_or(0, Vec::len);
    (0..trials).map(|trial| squares.iter().map(|layer| layer[trial]).sum::<f64>().sqrt()).collect()
}

/// Returns sin(5πx)/(5πx) on an equidistant grid on [1e-4, 1].
pub fn sinc_samples(points: i64, kind: Kind, device: Device) -> Result<Samples> {
    let x = grid(1e-4, 1.0, points as usize);
    let y: Vec<f64> = x.iter().copied().map(sinc).collect();
    Ok(Samples::new(&column(&x, device)?, &column(&y, device)?, kind, device)?)
}
