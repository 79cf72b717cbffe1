//! Checks the parameters, and describes them.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::data;
use gradtop_toolkit::settings::{rule, rule_in_words};

use super::RandomLabels;
use super::learner::Setting;
use super::plan::Network;
use super::training::Setup;

impl RandomLabels {
    /// Converts the parameters to a training setup. Reads the data.
    pub fn setup(&self, seed: u64, device: tch::Device, threads: usize) -> Result<Setup> {
        let networks = self.kinds()?;
        let groups = self.plan(&networks)?;
        let dataset = data::load(&self.dataset)?;
        let samples = groups.iter().map(|group| group.samples).max().unwrap_or(0) as usize;
        if samples > dataset.train.len() {
            return Err(Error::invalid(format!(
                "{} has {} training images",
                dataset.title,
                dataset.train.len()
            )));
        }
        let test = match self.test_samples as usize {
            0 => dataset.test.clone(),
            count => dataset.test.subset(count, seed),
        };
        Ok(Setup {
            networks,
            groups,
            train: dataset.train.subset(samples, seed),
            test,
            trials: self.trials,
            epochs: self.epochs,
            eval_every: self.eval_every,
            setting: Setting {
                batch: self.batch,
                rule: rule(self.optimizer, self.lr, self.momentum),
                seed,
                device,
            },
            threads,
        })
    }

    /// Describes how many images have partly random labels: one number, or one for each network.
    pub(super) fn corruption_in_words(&self, networks: &[Network]) -> String {
        let mut all: Vec<String> =
            networks.iter().map(|n| self.corruption_samples.min(self.samples_of(n)).to_string()).collect();
        all.dedup();
        all.join(" and ")
    }

    /// Describes optimizer, batch and seed for captions.
    pub(super) fn in_words(&self, seed: u64) -> String {
        let title = data::load(&self.dataset).map_or("", |dataset| dataset.title);
        let test = if self.test_samples == 0 { 10_000 } else { self.test_samples };
        format!(
            "{title}, tested with {test} images; {}, batch {}, at most {} epochs; seed {seed}, trials: {}",
            rule_in_words(rule(self.optimizer, self.lr, self.momentum)),
            self.batch,
            self.epochs,
            self.trials,
        )
    }
}
