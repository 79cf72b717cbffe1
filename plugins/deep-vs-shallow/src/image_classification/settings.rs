//! Checks the parameters, and describes them.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::cnn;
use gradtop_toolkit::conclusion::counted;
use gradtop_toolkit::data::{self, Split};
use gradtop_toolkit::rates;
use gradtop_toolkit::settings::{rule, rule_in_words};

use super::ImageClassification;
use super::training::{Setup, Task};

impl ImageClassification {
    /// Converts the parameters to a training setup. Reads the data sets.
    pub fn setup(&self, seed: u64, device: tch::Device, threads: usize) -> Result<Setup> {
        let models = self
            .models
            .iter()
            .map(|name| {
                cnn::named(name).ok_or_else(|| {
                    let known: Vec<&str> = cnn::SPECS.iter().map(|spec| spec.name).collect();
                    Error::invalid(format!(
                        "parameter `models` names `{name}`, but must be a list of {}",
                        known.join(", ")
                    ))
                })
            })
            .collect::<Result<Vec<_>>>()?;
        if let Some(name) =
            self.datasets.iter().find(|name| !["mnist", "fashion-mnist"].contains(&name.as_str()))
        {
            return Err(Error::invalid(format!(
                "parameter `datasets` names `{name}`, but must be a list of mnist, fashion-mnist"
            )));
        }
        let images = if self.train_samples == 0 { 60_000 } else { self.train_samples };
        if self.batch > images {
            return Err(Error::invalid(format!(
                "parameter `batch` is {}, but must be at most the number of training images, which is {images}",
                self.batch
            )));
        }
        rates::check("rates", &self.rates, self.lr)?;
        let [swept, choosing] = if self.rates.is_empty() { [0, 0] } else { rates::shared(images) };
        if !self.rates.is_empty() && swept < self.batch {
            return Err(Error::invalid(format!(
                "parameter `batch` is {}, but only {swept} of {images} training images are for networks at other `rates`",
                self.batch
            )));
        }
        let some = |split: &Split, count: i64| {
            if count == 0 { split.clone() } else { split.subset(count as usize, seed) }
        };
        let tasks = self
            .datasets
            .iter()
            .map(|name| {
                let dataset = data::load(name)?;
                let train = some(&dataset.train, self.train_samples);
                let test = some(&dataset.test, self.test_samples);
                Task::new(&dataset, train, test, self.trials, swept, device)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Setup {
            tasks,
            models,
            trials: self.trials,
            batch: self.batch,
            rule: rule(self.optimizer, self.lr, self.momentum),
            rates: rates::compared(&self.rates, self.lr),
            swept: [swept, choosing],
            seed,
            device,
            threads,
        })
    }

    /// Describes optimizer, batch, epochs and seed for captions.
    pub(super) fn in_words(&self, seed: u64) -> String {
        let optimizer = rule_in_words(rule(self.optimizer, self.lr, self.momentum));
        let all = |n: i64, whole: i64| if n == 0 { whole } else { n };
        format!(
            "{} training and {} test images; {optimizer}, batch {}, {}; seed {seed}, {}",
            all(self.train_samples, 60_000),
            all(self.test_samples, 10_000),
            self.batch,
            counted(self.epochs, "epoch"),
            counted(self.trials, "trial"),
        )
    }
}
