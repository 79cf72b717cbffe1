//! All networks of one width in parts A and B.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::data::CLASSES;
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::instruments::{Instruments, Name, Probe};
use gradtop_toolkit::mlp::{Activation, Evaluation, Loss, Mlp, Samples};
use gradtop_toolkit::optim::Rule;
use gradtop_toolkit::rng::Stream;
use gradtop_toolkit::weights::Weights;
use gradtop_toolkit::workers::side_by_side;
use tch::{Kind, Tensor};

use super::settings::Unit;
use super::{ModelSize, results};

/// Minimum number of evaluations during a training.
const EVALUATIONS: i64 = 10;
/// Maximum number of updates before checking for requests: of an ensemble, and of networks trained separately.
const BURST: [i64; 2] = [20, 5];
/// Number of parameters from which on each network is trained separately, several in parallel on threads. Smaller ones are
/// trained as one ensemble, which saves operations; the weights of several large ones would only compete for the cache.
const ALONE: i64 = 100_000;

/// The networks of one width in training: one ensemble, or one of a single network for each trial.
pub(super) struct Networks {
    parts: Vec<Part>,
    epochs: i64,
    /// If set, the learning rate falls from this to 0 along a cosine.
    falling: Option<f64>,
}

struct Part {
    ensemble: Ensemble,
    train: Samples,
    name: String,
    probe: Probe,
}

/// Loss (squared errors summed over outputs) and accuracy of every network; of the training set only at the end.
pub(super) struct Scores {
    pub(super) train: Option<Evaluation>,
    pub(super) test: Evaluation,
}

impl Networks {
    /// Creates the networks of a unit of part A or B at step 0: one for each row of `labels` (`i64 [networks,
    /// samples]`), all for the same `images` (`u8 [samples, 784]`).
    pub(super) fn new(
        params: &ModelSize,
        unit: Unit,
        images: &Tensor,
        labels: &Tensor,
        seed: u64,
    ) -> Result<Self> {
        let (lr, part) = (unit.lr, unit.part.name());
        let (loss, epochs, falling) = if matches!(unit.part, results::Part::Full | results::Part::Rates) {
            (Loss::CrossEntropy, params.full_epochs, None)
        } else {
            (Loss::MeanSquared, params.subset_epochs, Some(lr))
        };
        let widths = unit.widths();
        let networks = labels.size()[0];
        let size = if unit.parameters() < ALONE { networks } else { 1 };
        let make = |first: i64| -> Result<Part> {
            let own = labels.f_narrow(0, first, size)?;
            let train = Samples::classes(images, 1.0 / 255.0, &own, CLASSES, Kind::Float, images.device())?;
            let mlp = Mlp::zeros(&widths, size, Kind::Float, train.device())?.with(Activation::Relu, loss);
            let stream = |what| Stream::named(&format!("model-size/{what}/{part}/{}/{first}", widths[1]));
            let (rule, streams) = (Rule::Adam { lr }, ["init", "batches"].map(stream));
            let ensemble = Ensemble::drawn(mlp, rule, (&train, params.batch), seed, streams)?;
            let name = format!("networks.{first}");
            Ok(Part { ensemble, train, name, probe: Probe::default() })
        };
        let parts = (0..networks).step_by(size as usize).map(make).collect::<Result<_>>()?;
        Ok(Self { parts, epochs, falling })
    }

    /// Adds the weights of every network, named by its index.
    pub(super) fn keep(&self, weights: &mut Weights, name: impl Fn(usize) -> String) -> Result<()> {
        let mut index = 0;
        for part in &self.parts {
            for trial in 0..part.ensemble.mlp.trials() {
                weights.mlp(&name(index), &part.ensemble.mlp, trial)?;
                index += 1;
            }
        }
        Ok(())
    }

    /// Returns the number of updates of each network.
    pub(super) fn step(&self) -> i64 {
        self.parts[0].ensemble.step()
    }

    /// Returns the number of updates of the whole training.
    pub(super) fn total(&self) -> i64 {
        self.epochs * self.parts[0].ensemble.steps_per_epoch()
    }

    /// Returns the number of epochs done.
    pub(super) fn epoch(&self) -> f64 {
        self.parts[0].ensemble.epoch()
    }

    /// Makes some updates of every network, at most up to the next evaluation, and returns their number.
    pub(super) fn advance(&mut self, workers: &mut [()]) -> Result<i64> {
        let (step, total, falling) = (self.step(), self.total(), self.falling);
        let steps = self.parts[0].ensemble.steps_per_epoch();
        let burst = BURST[usize::from(self.parts.len() > 1)].min(steps - step % steps);
        let parts: Vec<&mut Part> = self.parts.iter_mut().collect();
        side_by_side(workers, 1, parts, |(), part| {
            for done in step..step + burst {
                if let Some(lr) = falling {
                    let angle = std::f64::consts::PI * done as f64 / total as f64;
                    part.ensemble.set_rate(0.5 * lr * (1.0 + angle.cos()))?;
                }
                let reading = part.probe.read(&mut part.ensemble, &part.train)?;
                part.probe.keep(reading);
            }
            Ok(())
        })?;
        Ok(burst)
    }

    /// Attaches instruments to all networks, at step 0; `name` returns the name and trial of each.
    pub(super) fn watch(
        &mut self,
        ctx: &Ctx,
        instruments: &mut Instruments,
        name: impl Fn(usize) -> (String, i64),
    ) -> Result<()> {
        let mut first = 0;
        for part in &mut self.parts {
            let end = first + part.ensemble.mlp.trials() as usize;
            let names = Name::each((first..end).map(&name));
            part.probe = instruments.declare(ctx, names, &part.ensemble.mlp, &part.train)?;
            first = end;
        }
        Ok(())
    }

    /// Logs the instruments' readings, network by network.
    pub(super) fn log_readings(&mut self, ctx: &Ctx) -> Result<()> {
        self.parts.iter_mut().try_for_each(|part| part.probe.log_kept(ctx, part.ensemble.steps_per_epoch()))
    }

    /// Returns whether the networks are evaluated now: several times during a training, and at its end.
    pub(super) fn due(&self) -> bool {
        let (step, steps) = (self.step(), self.parts[0].ensemble.steps_per_epoch());
        let every = (self.epochs / EVALUATIONS).max(1);
        step == self.total() || (step % steps == 0 && (step / steps) % every == 0)
    }

    pub(super) fn ended(&self) -> bool {
        self.step() >= self.total()
    }

    pub(super) fn evaluate(&mut self, test: &Samples, workers: &mut [()]) -> Result<Scores> {
        let ended = self.ended();
        // Samples can be moved to another thread, but not shared by several.
        let parts = self
            .parts
            .iter_mut()
            .map(|part| Ok((part, test.first(test.count())?)))
            .collect::<Result<Vec<_>>>()?;
        let found = side_by_side(workers, 1, parts, |(), (part, test)| {
            let on = |samples: &Samples| -> Result<Evaluation> {
                let mut found = part.ensemble.mlp.evaluate(samples)?;
                if part.ensemble.mlp.loss() == Loss::MeanSquared {
                    found.loss.iter_mut().for_each(|loss| *loss *= CLASSES as f64);
                }
                Ok(found)
            };
            Ok((if ended { Some(on(&part.train)?) } else { None }, on(&test)?))
        })?;
        let (train, test): (Vec<Option<Evaluation>>, Vec<Evaluation>) = found.into_iter().unzip();
        let train: Option<Vec<Evaluation>> = train.into_iter().collect();
        Ok(Scores { train: train.map(joined), test: joined(test) })
    }

    pub(super) fn save(&self, saving: &mut Saving) -> Result<()> {
        self.parts.iter().try_for_each(|part| Ok(part.ensemble.save(&part.name, saving)?))
    }

    pub(super) fn restore(&mut self, saved: &Saved) -> Result<()> {
        self.parts.iter_mut().try_for_each(|part| Ok(part.ensemble.restore(&part.name, saved)?))
    }
}

fn joined(parts: Vec<Evaluation>) -> Evaluation {
    let mut all = Evaluation { loss: Vec::new(), accuracy: Vec::new() };
    for part in parts {
        all.loss.extend(part.loss);
        all.accuracy.extend(part.accuracy);
    }
    all
}
