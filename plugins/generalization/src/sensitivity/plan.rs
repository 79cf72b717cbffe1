//! Checks the parameters, and describes them.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::counted;
use gradtop_toolkit::curvature::network;
use gradtop_toolkit::data::{CLASSES, PIXELS};
use gradtop_toolkit::mlp::{Activation, Loss, Mlp, Samples};
use gradtop_toolkit::rates;
use gradtop_toolkit::settings::{images, listed, shape};
use tch::{Device, Kind};

use super::Sensitivity;

/// When a network is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Moment {
    /// After fewer epochs than the protocol's; only sensitivity and losses are measured.
    Early(i64),
    /// After this many epochs.
    Epochs(i64),
    /// After this many steps.
    Steps(i64),
    /// When the training loss is at most this for the first time.
    Loss(f64),
}

impl Moment {
    /// Returns the protocol's name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Early(_) => "early",
            Self::Epochs(_) => "epochs",
            Self::Steps(_) => "steps",
            Self::Loss(_) => "loss",
        }
    }

    /// Describes the moment.
    pub fn in_words(self) -> String {
        match self {
            Self::Early(n) | Self::Epochs(n) => format!("after {}", counted(n, "epoch")),
            Self::Steps(n) => format!("after {}", counted(n, "step")),
            Self::Loss(loss) if loss < 1e-3 => format!("once the training loss is at most {loss:e}"),
            Self::Loss(loss) => format!("once the training loss is at most {loss}"),
        }
    }
}

/// The purpose of training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To compare batch sizes at one rate.
    Batches,
    /// To compare batch sizes at several rates, of which validation images choose one for each size.
    Rates,
    /// Many networks that learn few images.
    Many,
}

/// Networks trained in the same way, all together, and when they are measured.
#[derive(Clone, Debug)]
pub struct Leg {
    /// Its name: `B=16`, `B=16, rate 0.001`, or for the many networks `B=16, lr 0.001`.
    pub name: String,
    /// Its purpose.
    pub purpose: Purpose,
    /// Samples per step.
    pub batch: i64,
    /// Learning rate.
    pub lr: f64,
    /// Number of networks.
    pub trials: i64,
    /// When they are measured.
    pub moments: Vec<Moment>,
}

/// Everything to be done.
pub struct Plan {
    /// Batch sizes, followed by the many networks.
    pub legs: Vec<Leg>,
    /// Training and test set.
    pub sets: [Samples; 2],
    /// The training data of the networks at several rates, and the validation images: the last training images.
    pub(super) swept: [Samples; 2],
    /// The training data of the many networks.
    pub few: Samples,
    /// Training images on which a leg's loss is followed: for the batch sizes, and for the many networks.
    pub(super) followed: [Samples; 2],
    /// Training images of the Hessians, for the same two.
    pub(super) curved: [network::Samples; 2],
    /// The test images at which sensitivities are measured.
    pub(super) tested: network::Samples,
    /// Shape, activation and loss.
    pub shape: network::Network,
    /// The data set's title for display.
    pub(super) title: &'static str,
    /// The parameters.
    pub params: Sensitivity,
    /// Seed.
    pub seed: u64,
    /// Device.
    pub device: Device,
}

impl Sensitivity {
    /// Checks the parameters and returns the legs.
    pub(super) fn check(&self) -> Result<Vec<Leg>> {
        if let Some(twice) = self.further.iter().find(|size| self.batches.contains(size)) {
            return Err(Error::invalid(format!(
                "parameter `further` names {twice}, which `batches` has already"
            )));
        }
        if self.early >= self.epochs {
            return Err(Error::invalid(format!(
                "parameter `early` is {}, but must be less than `epochs`, which is {}",
                self.early, self.epochs
            )));
        }
        let count = if self.train_samples == 0 { 60_000 } else { self.train_samples };
        for (name, value) in
            [("followed", self.followed), ("curved", self.curved), ("many_samples", self.many_samples)]
        {
            if value > count {
                return Err(Error::invalid(format!(
                    "parameter `{name}` is {value}, there are {count} images to train on"
                )));
            }
        }
        let mut legs = self.compared(count)?;
        legs.extend(self.at_rates(count)?);
        legs.extend(self.many()?);
        Ok(legs)
    }

    /// Returns the legs that compare batch sizes, ascending, at one rate.
    fn compared(&self, count: i64) -> Result<Vec<Leg>> {
        let mut sizes = [&self.batches[..], &self.further].concat();
        sizes.sort_unstable();
        let leg = |batch: i64| {
            if batch > count {
                return Err(Error::invalid(format!(
                    "a batch of {batch} is more than the {count} images to train on"
                )));
            }
            let mut moments = vec![Moment::Early(self.early), Moment::Epochs(self.epochs)];
            if self.batches.contains(&batch) {
                moments.extend([Moment::Steps(self.steps), Moment::Loss(self.target)]);
            }
            let (name, trials) = (format!("B={batch}"), self.networks);
            Ok(Leg { name, purpose: Purpose::Batches, batch, lr: self.lr, trials, moments })
        };
        sizes.into_iter().map(leg).collect()
    }

    /// Returns the legs at several rates, the common one first.
    fn at_rates(&self, count: i64) -> Result<Vec<Leg>> {
        rates::check("rates", &self.rates, self.lr)?;
        let (learnt, mut legs) = (count - rates::shared(count)[1], Vec::new());
        for &batch in self.batches.iter().filter(|_| !self.rates.is_empty()) {
            if batch > learnt {
                return Err(Error::invalid(format!(
                    "a batch of {batch} is more than the {learnt} images that networks at several `rates` learn"
                )));
            }
            for lr in rates::compared(&self.rates, self.lr) {
                let (name, moments) = (format!("B={batch}, rate {lr}"), vec![Moment::Loss(self.target)]);
                legs.push(Leg { name, purpose: Purpose::Rates, batch, lr, trials: 1, moments });
            }
        }
        Ok(legs)
    }

    /// Returns the legs of the many networks.
    fn many(&self) -> Result<Vec<Leg>> {
        let (trials, mut legs) = (self.many_networks, Vec::new());
        for &batch in self.many_batches.iter().filter(|_| self.many_samples > 0) {
            if batch > self.many_samples {
                return Err(Error::invalid(format!(
                    "parameter `many_batches` names {batch}, more than the `many_samples`, which are {}",
                    self.many_samples
                )));
            }
            for &lr in &self.many_rates {
                let (name, moments) = (format!("B={batch}, lr {lr}"), vec![Moment::Loss(self.many_target)]);
                legs.push(Leg { name, purpose: Purpose::Many, batch, lr, trials, moments });
            }
        }
        Ok(legs)
    }

    /// Converts the parameters to a plan.
    pub fn plan(&self, seed: u64, device: Device) -> Result<Plan> {
        let legs = self.check()?;
        let (train, test, title) = images(&self.dataset, self.train_samples, seed, device)?;
        let few = train.first(if self.many_samples == 0 { 1 } else { self.many_samples })?;
        let [_, chosen_by] = rates::shared(train.count());
        let swept = [train.first(train.count() - chosen_by)?, train.last(chosen_by)?];
        let widths = [&[PIXELS], &self.hidden[..], &[CLASSES]].concat();
        let curved = |samples: &Samples, count: i64| -> Result<network::Samples> {
            Ok(feature_major(&samples.first(count.min(samples.count()))?)?)
        };
        Ok(Plan {
            followed: [train.first(self.followed)?, few.first(few.count())?],
            curved: [curved(&train, self.curved)?, curved(&few, self.curved)?],
            tested: feature_major(&test)?,
            shape: network::Network::new(&widths, Activation::Relu, Loss::CrossEntropy)?,
            sets: [train, test],
            swept,
            few,
            params: self.clone(),
            legs,
            title,
            seed,
            device,
        })
    }
}

/// Converts samples to those for derivatives.
fn feature_major(samples: &Samples) -> Result<network::Samples, tch::TchError> {
    let chunk = samples.chunk(0, samples.count())?;
    let rows = chunk.inputs().f_narrow(0, 0, samples.input_width())?.f_transpose(0, 1)?;
    network::Samples::new(&rows, &samples.targets().f_transpose(0, 1)?)
}

impl Plan {
    /// Returns the training data of a leg.
    pub fn learnt(&self, leg: &Leg) -> &Samples {
        match leg.purpose {
            Purpose::Batches => &self.sets[0],
            Purpose::Rates => &self.swept[0],
            Purpose::Many => &self.few,
        }
    }

    /// Creates networks of the right shape with all parameters zero.
    pub fn networks(&self, trials: i64) -> Result<Mlp> {
        let mlp = Mlp::zeros(self.shape.widths(), trials, Kind::Float, self.device)?;
        Ok(mlp.with(Activation::Relu, Loss::CrossEntropy))
    }

    /// Returns the number of updates per epoch of a leg.
    pub fn steps_per_epoch(&self, leg: &Leg) -> i64 {
        let (count, batch) = (self.learnt(leg).count(), leg.batch);
        (count + batch - 1) / batch
    }

    /// Returns the step of a moment, if it is known beforehand.
    pub fn step_of(&self, leg: &Leg, moment: Moment) -> Option<i64> {
        match moment {
            Moment::Early(epochs) | Moment::Epochs(epochs) => Some(epochs * self.steps_per_epoch(leg)),
            Moment::Steps(steps) => Some(steps),
            Moment::Loss(_) => None,
        }
    }

    /// Returns the step at which a leg ends, whatever its loss.
    pub fn last_step(&self, leg: &Leg) -> i64 {
        let known = leg.moments.iter().filter_map(|moment| self.step_of(leg, *moment)).max().unwrap_or(0);
        if leg.moments.iter().any(|moment| matches!(moment, Moment::Loss(_))) {
            known.max(self.params.most_epochs * self.steps_per_epoch(leg))
        } else {
            known
        }
    }

    /// Returns the protocols by which networks of several batch sizes were measured, the main one first.
    pub fn protocols(&self) -> [Moment; 3] {
        let params = &self.params;
        [Moment::Loss(params.target), Moment::Epochs(params.epochs), Moment::Steps(params.steps)]
    }

    /// Describes how the networks were trained, for captions.
    pub(super) fn in_words(&self) -> String {
        let networks = counted(self.params.networks, "network");
        format!(
            "{}, {} training and {} test images, pixels / 255; ReLU network {} ({} parameters); Adam, lr {}; {networks} of each \
             batch size; seed {}",
            self.title,
            self.sets[0].count(),
            self.sets[1].count(),
            shape(self.shape.widths()),
            self.shape.parameter_count(),
            self.params.lr,
            self.seed
        )
    }

    /// Describes how the many networks were trained.
    pub(super) fn many_in_words(&self) -> String {
        let params = &self.params;
        format!(
            "{} networks {}: batches of {}, rates of {}, {} each; Adam on {} images of {} down to a training loss of {}; seed {}",
            self.legs.iter().filter(|leg| leg.purpose == Purpose::Many).map(|leg| leg.trials).sum::<i64>(),
            shape(self.shape.widths()),
            listed(&params.many_batches),
            params.many_rates.iter().map(|rate| format!("{rate:e}")).collect::<Vec<_>>().join(","),
            params.many_networks,
            self.few.count(),
            self.title,
            params.many_target,
            self.seed
        )
    }
}
