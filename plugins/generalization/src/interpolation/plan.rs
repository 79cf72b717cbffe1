//! Parameters checked together, and in words.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::data::{CLASSES, PIXELS};
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::mlp::{Activation, Loss, Mlp, Samples};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::Stream;
use gradtop_toolkit::settings::{images, shape};
use tch::{Device, Kind as Precision};

use super::Interpolation;

/// What a pair's networks differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Batch size.
    Batch,
    /// Learning rate.
    Rate,
}

impl Kind {
    /// Both, in the order in which they are trained.
    pub const ALL: [Self; 2] = [Self::Batch, Self::Rate];

    /// As tables and figures name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Rate => "rate",
        }
    }
}

/// Where the network at 1 began, and in which order its hidden units are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Where that at 0 began.
    Same,
    /// With other initial values.
    Other,
    /// The same network as [`Start::Other`], its units matched with those of the one at 0.
    Aligned,
}

impl Start {
    /// All, in the order of the lines of a [`Kind`].
    pub const ALL: [Self; 3] = [Self::Same, Self::Other, Self::Aligned];

    /// As tables name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Other => "other",
            Self::Aligned => "aligned",
        }
    }

    /// As claims name it.
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Same => "the same initial values",
            Self::Other => "other initial values",
            Self::Aligned => "other initial values, units matched",
        }
    }
}

/// Networks trained in one way, all at once.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name: `batch 64, lr 0.001`.
    pub name: String,
    /// How many: of the networks at 1, the first half begins where those at 0 begin, the second half elsewhere.
    pub trials: i64,
    /// Samples in a step.
    pub batch: i64,
    /// Learning rate.
    pub lr: f64,
}

/// Everything that is to be done.
pub struct Plan {
    /// The networks at 0, then those at 1 of each [`Kind`].
    pub roles: Vec<Role>,
    /// Pairs of each kind.
    pub pairs: i64,
    /// Epochs of each network.
    pub epochs: i64,
    /// Inputs, hidden widths, classes.
    pub widths: Vec<i64>,
    /// Places on the line, 0 and 1 among them exactly.
    pub alphas: Vec<f64>,
    /// Training and test set.
    pub sets: [Samples; 2],
    /// The data set's name for people.
    pub title: &'static str,
    /// Seed.
    pub seed: u64,
    /// Device.
    pub device: Device,
}

impl Interpolation {
    /// Inputs, hidden widths, classes.
    pub(super) fn widths(&self, inputs: i64) -> Vec<i64> {
        [&[inputs], &self.hidden[..], &[CLASSES]].concat()
    }

    /// What these parameters mean.
    ///
    /// # Errors
    /// Parameters that do not fit together, and data that cannot be read.
    pub fn plan(&self, seed: u64, device: Device) -> Result<Plan> {
        self.validate()?;
        let (train, test, title) = images(&self.dataset, self.train_samples, seed, device)?;
        let role = |trials, batch, lr| Role { name: format!("batch {batch}, lr {lr}"), trials, batch, lr };
        let third = (self.points - 1) / 3;
        Ok(Plan {
            roles: vec![
                role(self.pairs, self.batch, self.lr),
                role(2 * self.pairs, self.other_batch, self.lr),
                role(2 * self.pairs, self.batch, self.other_lr),
            ],
            pairs: self.pairs,
            epochs: self.epochs,
            widths: self.widths(PIXELS),
            alphas: (0..self.points).map(|i| (i - third) as f64 / third as f64).collect(),
            sets: [train, test],
            title,
            seed,
            device,
        })
    }
}

impl Plan {
    /// Networks of the right shape, parameters zero.
    ///
    /// # Errors
    /// libtorch's.
    pub fn networks(&self, trials: i64) -> Result<Mlp> {
        let mlp = Mlp::zeros(&self.widths, trials, Precision::Float, self.device)?;
        Ok(mlp.with(Activation::Relu, Loss::CrossEntropy))
    }

    /// The networks of a role before their first step. Network t of any role begins with the same values.
    pub(super) fn begin(&self, role: usize) -> Result<Ensemble> {
        let settings = &self.roles[role];
        let mut mlp = self.networks(settings.trials)?;
        mlp.init_uniform(self.seed, Stream::named("interpolation/init"))?;
        let optimizer = Optimizer::new(Rule::Adam { lr: settings.lr }, mlp.parameters())?.fused();
        let stream = Stream::named(&format!("interpolation/batches/{role}"));
        Ok(Ensemble::new(mlp, optimizer, &self.sets[0], settings.batch, self.seed, stream)?)
    }

    /// Updates in an epoch of a role.
    pub fn steps_per_epoch(&self, role: usize) -> i64 {
        let (count, batch) = (self.sets[0].count(), self.roles[role].batch);
        (count + batch - 1) / batch
    }

    /// Updates of all roles, and a step a pair and set for the lines.
    pub fn steps(&self) -> i64 {
        let training: i64 = (0..self.roles.len()).map(|role| self.epochs * self.steps_per_epoch(role)).sum();
        training + self.pairs * self.sets.len() as i64
    }

    /// The role of the networks at 1.
    pub fn role_of(&self, kind: Kind) -> &Role {
        &self.roles[1 + kind as usize]
    }

    /// How the networks were made, in a sentence for captions.
    pub(super) fn in_words(&self) -> String {
        let mlp: i64 = self.widths.windows(2).map(|w| (w[0] + 1) * w[1]).sum();
        let pairs = if self.pairs == 1 { "1 pair".to_owned() } else { format!("{} pairs", self.pairs) };
        format!(
            "{}, {} training and {} test images, pixels / 255; ReLU network {} ({mlp} parameters); Adam, {} epochs; {pairs}; \
             seed {}",
            self.title,
            self.sets[0].count(),
            self.sets[1].count(),
            shape(&self.widths),
            self.epochs,
            self.seed
        )
    }
}
