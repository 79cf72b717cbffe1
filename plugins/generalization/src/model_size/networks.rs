//! One width of parts A and B: all its networks at once.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::data::CLASSES;
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::mlp::{Activation, Evaluation, Loss, Mlp, Samples};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::Stream;
use tch::Kind;

use super::ModelSize;
use super::settings::Unit;

const NAME: &str = "networks";
/// Evaluations in a training, at least.
const EVALUATIONS: i64 = 10;

/// The networks of one width in training.
pub(super) struct Networks {
    pub(super) ensemble: Ensemble,
    epochs: i64,
    /// The learning rate falls from this to 0 along a cosine, if it falls.
    falling: Option<f64>,
}

/// Loss (squared errors summed over outputs) and accuracy of every network on both sets.
pub(super) struct Scores {
    pub(super) train: Evaluation,
    pub(super) test: Evaluation,
}

impl Networks {
    /// The networks of a unit of part A or B at step 0; `trials` is the length of the run axis.
    pub(super) fn new(
        params: &ModelSize,
        unit: Unit,
        train: &Samples,
        trials: i64,
        seed: u64,
    ) -> Result<Self> {
        let (part, loss, epochs, falling) = match unit {
            Unit::Full { .. } => ("full", Loss::CrossEntropy, params.full_epochs, None),
            _ => ("subset", Loss::MeanSquared, params.subset_epochs, Some(params.lr)),
        };
        let widths = unit.widths();
        let mut mlp = Mlp::zeros(&widths, trials, Kind::Float, train.device())?.with(Activation::Relu, loss);
        let stream = |what: &str| Stream::named(&format!("model-size/{what}/{part}/{}", widths[1]));
        mlp.init_uniform(seed, stream("init"))?;
        let optimizer = Optimizer::new(Rule::Adam { lr: params.lr }, mlp.parameters())?.fused();
        let ensemble = Ensemble::new(mlp, optimizer, train, params.batch, seed, stream("batches"))?;
        Ok(Self { ensemble, epochs, falling })
    }

    /// Updates of the whole training.
    pub(super) fn total(&self) -> i64 {
        self.epochs * self.ensemble.steps_per_epoch()
    }

    /// One update.
    pub(super) fn advance(&mut self, train: &Samples) -> Result<()> {
        if let Some(lr) = self.falling {
            let done = self.ensemble.step() as f64 / self.total() as f64;
            self.ensemble.set_rate(0.5 * lr * (1.0 + (std::f64::consts::PI * done).cos()))?;
        }
        Ok(self.ensemble.advance(train)?)
    }

    /// Whether the networks are evaluated now: some times in a training, and at its end.
    pub(super) fn due(&self) -> bool {
        let (step, steps) = (self.ensemble.step(), self.ensemble.steps_per_epoch());
        let every = (self.epochs / EVALUATIONS).max(1);
        step == self.total() || (step % steps == 0 && (step / steps) % every == 0)
    }

    /// Whether they are trained to the end.
    pub(super) fn ended(&self) -> bool {
        self.ensemble.step() >= self.total()
    }

    /// Evaluates all networks on both sets.
    pub(super) fn evaluate(&self, train: &Samples, test: &Samples) -> Result<Scores> {
        let on = |samples: &Samples| -> Result<Evaluation> {
            let mut found = self.ensemble.mlp.evaluate(samples)?;
            if self.ensemble.mlp.loss() == Loss::MeanSquared {
                found.loss.iter_mut().for_each(|loss| *loss *= CLASSES as f64);
            }
            Ok(found)
        };
        Ok(Scores { train: on(train)?, test: on(test)? })
    }

    pub(super) fn save(&self, saving: &mut Saving) -> Result<()> {
        Ok(self.ensemble.save(NAME, saving)?)
    }

    pub(super) fn restore(&mut self, saved: &Saved) -> Result<()> {
        Ok(self.ensemble.restore(NAME, saved)?)
    }
}
