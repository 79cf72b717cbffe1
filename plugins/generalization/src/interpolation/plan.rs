//! Checks the parameters, and describes them.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::counted;
use gradtop_toolkit::data::{CLASSES, PIXELS};
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::mlp::{Activation, Loss, Mlp, Samples, parameter_count};
use gradtop_toolkit::optim::Rule;
use gradtop_toolkit::rng::Stream;
use gradtop_toolkit::settings::{images, shape};
use tch::{Device, Kind as Precision};

use super::Interpolation;

/// What a pair's networks differ in, in training order.
#[derive(Choice, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Batch size.
    Batch,
    /// Learning rate.
    Rate,
}

/// The initial values of the network at 1 and the order of its hidden units: the lines of a [`Kind`].
#[derive(Choice, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The same initial values as the network at 0.
    Same,
    /// Other initial values.
    Other,
    /// The same network as [`Start::Other`], with its units matched to those of the network at 0.
    Matched,
}

impl Start {
    /// Returns the words used in claims and titles.
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Same => "the same initial values",
            Self::Other => "other initial values",
            Self::Matched => "other initial values, units matched",
        }
    }
}

/// Networks trained in the same way, all together.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name: `batch 64, lr 0.001`.
    pub name: String,
    /// Number of networks. Among those at 1, the first half have the initial values of those at 0, the second half others.
    pub trials: i64,
    /// Samples per step.
    pub batch: i64,
    /// Learning rate.
    pub lr: f64,
    /// Epochs.
    pub epochs: i64,
    /// The step at which two networks part from each trunk, if they do; until then there is one of each.
    pub parts_at: Option<i64>,
}

/// Everything to be done.
pub struct Plan {
    /// The networks at 0, then those at 1 of each [`Kind`], then those that part at each step.
    pub roles: Vec<Role>,
    /// Number of pairs of each kind.
    pub pairs: i64,
    /// Inputs, hidden widths, classes.
    pub widths: Vec<i64>,
    /// Positions on the line, including exactly 0 and 1.
    pub alphas: Vec<f64>,
    /// The positions from 0 to 1.
    pub between: Vec<f64>,
    /// Training and test set.
    pub sets: [Samples; 2],
    /// The data set's title for display.
    pub title: &'static str,
    /// Seed.
    pub seed: u64,
    /// Device.
    pub device: Device,
}

impl Interpolation {
    /// Returns the widths: inputs, hidden layers, classes.
    pub(super) fn widths(&self, inputs: i64) -> Vec<i64> {
        [&[inputs], &self.hidden[..], &[CLASSES]].concat()
    }

    /// Converts the parameters to a plan.
    pub fn plan(&self, seed: u64, device: Device) -> Result<Plan> {
        self.validate()?;
        let (train, test, title) = images(&self.dataset, self.train_samples, seed, device)?;
        let role = |trials, batch, lr| Role {
            name: format!("batch {batch}, lr {lr}"),
            trials,
            batch,
            lr,
            epochs: self.epochs,
            parts_at: None,
        };
        let parting = |step: &i64| Role {
            name: format!("parted at step {step}"),
            epochs: self.spawn_epochs,
            parts_at: Some(*step),
            ..role(2 * self.pairs, self.batch, self.spawn_lr)
        };
        let mut roles = vec![
            role(self.pairs, self.batch, self.lr),
            role(2 * self.pairs, self.other_batch, self.lr),
            role(2 * self.pairs, self.batch, self.other_lr),
        ];
        let last = self.spawn_epochs * ((train.count() + self.batch - 1) / self.batch);
        let mut steps: Vec<i64> = self.spawn_steps.iter().copied().filter(|step| *step < last).collect();
        steps.sort_unstable();
        roles.extend(steps.iter().map(parting));
        let third = (self.points - 1) / 3;
        let place = |i: i64| (i - third) as f64 / third as f64;
        Ok(Plan {
            roles,
            pairs: self.pairs,
            widths: self.widths(PIXELS),
            alphas: (0..self.points).map(place).collect(),
            between: (third..=2 * third).map(place).collect(),
            sets: [train, test],
            title,
            seed,
            device,
        })
    }
}

impl Plan {
    /// Creates networks of the right shape with all parameters zero.
    pub fn networks(&self, trials: i64) -> Result<Mlp> {
        let mlp = Mlp::zeros(&self.widths, trials, Precision::Float, self.device)?;
        Ok(mlp.with(Activation::Relu, Loss::CrossEntropy))
    }

    /// Returns the networks of a role before their first step. Network t of any role has the same initial values, and
    /// trunk t is the same whenever its networks part.
    pub(super) fn begin(&self, role: usize) -> Result<Ensemble> {
        let settings = &self.roles[role];
        match settings.parts_at {
            None => self.ensemble(settings, settings.trials, &role.to_string()),
            Some(_) => self.ensemble(settings, self.pairs, "trunk"),
        }
    }

    /// Returns the networks of a role that have parted from these trunks: two of each, one after the other.
    pub(super) fn parted(&self, role: usize, trunks: Option<&Ensemble>) -> Result<Ensemble> {
        let settings = &self.roles[role];
        let mut networks = self.ensemble(settings, settings.trials, "parted")?;
        if let Some(trunks) = trunks {
            let twice: Vec<i64> = (0..settings.trials).map(|network| network / 2).collect();
            networks.copy_from(trunks, &twice)?;
        }
        Ok(networks)
    }

    fn ensemble(&self, settings: &Role, trials: i64, batches: &str) -> Result<Ensemble> {
        let streams = ["interpolation/init", &format!("interpolation/batches/{batches}")].map(Stream::named);
        let (rule, learnt) = (Rule::Adam { lr: settings.lr }, (&self.sets[0], settings.batch));
        Ok(Ensemble::drawn(self.networks(trials)?, rule, learnt, self.seed, streams)?)
    }

    /// Returns the number of updates per epoch of a role.
    pub fn steps_per_epoch(&self, role: usize) -> i64 {
        let (count, batch) = (self.sets[0].count(), self.roles[role].batch);
        (count + batch - 1) / batch
    }

    /// Returns the number of updates of the networks of a role.
    pub(crate) fn steps_of(&self, role: usize) -> i64 {
        self.roles[role].epochs * self.steps_per_epoch(role)
    }

    /// Returns the number of updates of all roles, plus one step per pair and set for the lines.
    pub fn steps(&self) -> i64 {
        let training: i64 = (0..self.roles.len()).map(|role| self.steps_of(role)).sum();
        training + self.pairs * self.sets.len() as i64
    }

    /// Returns the roles whose networks part, and when.
    pub(crate) fn parting(&self) -> impl Iterator<Item = (usize, i64)> {
        self.roles.iter().enumerate().filter_map(|(role, settings)| Some((role, settings.parts_at?)))
    }

    /// Returns the names of the lines of a pair in order: each [`Kind`] with each [`Start`], then those between
    /// networks that parted.
    pub(crate) fn line_names(&self) -> Vec<String> {
        let starts = |kind| Start::NAMES.iter().map(move |start| format!("{kind}, {start}"));
        let kinds = Kind::NAMES.iter().flat_map(starts);
        kinds.chain(self.parting().map(|(role, _)| self.roles[role].name.clone())).collect()
    }

    /// Returns the role of the networks at 1.
    pub(crate) fn role_of(&self, kind: Kind) -> &Role {
        &self.roles[1 + kind as usize]
    }

    /// Describes how the networks at the lines' ends were trained, for captions.
    pub(super) fn in_words(&self) -> String {
        self.role_in_words(0)
    }

    /// Describes how the networks of a role were trained.
    pub(super) fn role_in_words(&self, role: usize) -> String {
        let pairs = counted(self.pairs, "pair");
        format!(
            "{}, {} training and {} test images, pixels / 255; ReLU network {} ({} parameters); Adam, {}; {pairs}; \
             seed {}",
            self.title,
            self.sets[0].count(),
            self.sets[1].count(),
            shape(&self.widths),
            parameter_count(&self.widths),
            counted(self.roles[role].epochs, "epoch"),
            self.seed
        )
    }
}
