//! Parameters common to several experiments, and their descriptions.

use crate::data;
use crate::mlp::Samples;
use crate::optim::Rule;
use gradtop_sdk::prelude::*;
use tch::Kind;

/// The optimizer [`Rule`]s that experiments offer.
#[derive(Choice, Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// Adam.
    Adam,
    /// Stochastic gradient descent with momentum.
    Sgd,
}

/// Returns the rule of a method; Adam ignores the momentum.
pub fn rule(method: Method, lr: f64, momentum: f64) -> Rule {
    match method {
        Method::Adam => Rule::Adam { lr },
        Method::Sgd => Rule::Sgd { lr, momentum },
    }
}

/// Describes a rule for captions.
pub fn rule_in_words(rule: Rule) -> String {
    match rule {
        Rule::Adam { lr } => format!("Adam, lr {lr}"),
        Rule::Sgd { lr, momentum } if momentum > 0.0 => format!("SGD, lr {lr}, momentum {momentum}"),
        Rule::AdamW { lr, weight_decay } => format!("AdamW, lr {lr}, weight decay {weight_decay}"),
        Rule::Sgd { lr, .. } => format!("SGD, lr {lr}"),
    }
}

/// Formats a list as on the command line.
pub fn listed<T: ToString>(values: &[T]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Returns how many of the run's threads are useful for steps of `samples` samples of `trials` networks: one, until the first
/// layer reads some millions of numbers per step. Below that, threads wait for each other longer than they compute.
pub fn useful_threads(available: usize, widths: &[i64], trials: i64, samples: i64) -> usize {
    let widest = widths.iter().max().copied().unwrap_or(1);
    if trials * samples * widest < 1 << 22 { 1 } else { available }
}

/// Formats widths in the usual notation: `784-15-30-10`.
pub fn shape(widths: &[i64]) -> String {
    widths.iter().map(ToString::to_string).collect::<Vec<_>>().join("-")
}

/// Returns training and test set with inputs in [0, 1]. The training set has `count` images drawn by `seed`; 0 means all.
pub fn images(
    name: &str,
    count: i64,
    seed: u64,
    device: tch::Device,
) -> Result<(Samples, Samples, &'static str)> {
    let dataset = data::load(name)?;
    let samples = |split: &data::Split| -> Result<Samples> {
        let (images, labels) = (split.images(device)?, split.labels(device)?);
        Ok(Samples::classes(&images, 1.0 / 255.0, &labels, data::CLASSES, Kind::Float, device)?)
    };
    let all = dataset.train.len();
    let train = match count as usize {
        0 => samples(&dataset.train)?,
        n if n > all => {
            return Err(Error::invalid(format!(
                "parameter `train_samples` is {n}, {} has {all} (0: all)",
                dataset.title
            )));
        }
        n if n == all => samples(&dataset.train)?,
        n => samples(&dataset.train.subset(n, seed))?,
    };
    Ok((train, samples(&dataset.test)?, dataset.title))
}
