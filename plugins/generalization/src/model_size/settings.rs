//! Determines what is trained from the parameters.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::data::{CLASSES, PIXELS};
use gradtop_toolkit::mlp;
use gradtop_toolkit::parameters::invalid;

use super::ModelSize;
use super::results::Part;

/// A unit of work, completed before the next begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unit {
    /// Part A: networks 784-h-2h-10, all trials together.
    Full { width: i64 },
    /// Part A at one learning rate: one network on fewer images, so that others can choose between rates.
    Rate { width: i64, lr: f64 },
    /// Part B: networks 784-h-10, all trials with clean and with noisy labels together.
    Subset { width: i64 },
    /// Part B at another learning rate: one network with clean and one with noisy labels.
    SubsetRate { width: i64, lr: f64 },
    /// Part C: one draw of features, clean and noisy labels together.
    Features { trial: i64, features: i64 },
}

impl Unit {
    /// Returns the part it belongs to.
    pub(super) fn part(self) -> Part {
        match self {
            Self::Full { .. } => Part::Full,
            Self::Rate { .. } => Part::Rates,
            Self::Subset { .. } => Part::Subset,
            Self::SubsetRate { .. } => Part::SubsetRates,
            Self::Features { .. } => Part::Features,
        }
    }

    /// Returns the widths: inputs, hidden layers, outputs.
    pub(super) fn widths(self) -> Vec<i64> {
        match self {
            Self::Full { width } | Self::Rate { width, .. } => vec![PIXELS, width, 2 * width, CLASSES],
            Self::Subset { width } | Self::SubsetRate { width, .. } => vec![PIXELS, width, CLASSES],
            Self::Features { features, .. } => vec![features, CLASSES],
        }
    }

    /// Returns the number of trained weights and biases. Random features have weights for each class and no bias.
    pub(super) fn parameters(self) -> i64 {
        match self {
            Self::Features { features, .. } => features * CLASSES,
            _ => mlp::parameter_count(&self.widths()),
        }
    }

    /// Returns the initial learning rate.
    pub(super) fn lr(self, params: &ModelSize) -> f64 {
        match self {
            Self::Rate { lr, .. } | Self::SubsetRate { lr, .. } => lr,
            _ => params.lr,
        }
    }

    /// Returns the number of networks with each kind of labels.
    pub(super) fn trials(self, params: &ModelSize) -> i64 {
        match self {
            Self::Rate { .. } | Self::SubsetRate { .. } => 1,
            _ => params.trials,
        }
    }

    /// Returns the approximate work in thousands of multiplications; below a certain size, a network costs as much as its inputs.
    pub(super) fn cost(self, params: &ModelSize) -> i64 {
        let parameters = self.parameters().max(20_000) / 1000;
        match self {
            Self::Full { .. } => 3 * parameters * full_samples(params) * params.full_epochs * params.trials,
            Self::Rate { .. } => 3 * parameters * swept(params)[0] * params.full_epochs,
            Self::Subset { .. } | Self::SubsetRate { .. } => {
                6 * parameters * params.subset_samples * params.subset_epochs * self.trials(params)
            }
            // Twice as costly in double precision; the smaller side counts twice in the factorisation.
            Self::Features { features, .. } => {
                let (n, tests) = (params.feature_samples, params.feature_tests);
                (2 * features * PIXELS * (n + tests) + 4 * features.min(n).pow(2) * features.max(n)) / 1000
            }
        }
    }
}

/// Returns the number of training images of part A.
pub(super) fn full_samples(params: &ModelSize) -> i64 {
    if params.full_samples == 0 { 60_000 } else { params.full_samples }
}

/// Maximum number of training images at other learning rates, and of validation images that choose between rates.
const SWEPT: [i64; 2] = [20_000, 5000];

/// Returns how many of part A's first images are learnt at each rate, and how many of the last choose.
pub(super) fn swept(params: &ModelSize) -> [i64; 2] {
    let images = full_samples(params);
    let choosing = SWEPT[1].min(images / 5);
    [SWEPT[0].min(images - choosing), choosing]
}

/// Returns the number of validation images that choose between the rates of part B; 0 if there is nothing to choose.
pub(super) fn choosing(params: &ModelSize) -> i64 {
    if params.subset_rates.is_empty() { 0 } else { SWEPT[1].min(60_000 - params.subset_samples) }
}

/// Returns the learning rates at which each width of a part is trained, the common one first; empty if there is nothing
/// to choose.
pub(super) fn rates(params: &ModelSize, further: &[f64]) -> Vec<f64> {
    let common = (!further.is_empty()).then_some(params.lr);
    common.into_iter().chain(further.iter().copied()).collect()
}

pub(super) fn units(params: &ModelSize) -> Result<Vec<Unit>> {
    let ratios = &params.feature_ratios;
    let mut units: Vec<Unit> = params.full_widths.iter().map(|&width| Unit::Full { width }).collect();
    for (name, further) in [("full_rates", &params.full_rates), ("subset_rates", &params.subset_rates)] {
        if further.contains(&params.lr) {
            return Err(invalid(format!("parameter `{name}` names {}, which is `lr` already", params.lr)));
        }
    }
    if !params.subset_rates.is_empty() && choosing(params) < 1 {
        return Err(invalid(format!(
            "parameter `subset_samples` is {}: no training image is left to choose between `subset_rates`",
            params.subset_samples
        )));
    }
    let rates = rates(params, &params.full_rates);
    units.extend(
        params.full_widths.iter().flat_map(|&width| rates.iter().map(move |&lr| Unit::Rate { width, lr })),
    );
    units.extend(params.subset_widths.iter().map(|&width| Unit::Subset { width }));
    units.extend(
        params
            .subset_widths
            .iter()
            .flat_map(|&width| params.subset_rates.iter().map(move |&lr| Unit::SubsetRate { width, lr })),
    );
    let counts = ratios
        .iter()
        .map(|ratio| {
            let features = (ratio * params.feature_samples as f64).round();
            if (1.0..=100_000.0).contains(&features) {
                Ok(features as i64)
            } else {
                Err(invalid(format!(
                    "parameter `feature_ratios` names {ratio}: of {} images that is {features} features, but must be between 1 and 100000",
                    params.feature_samples
                )))
            }
        })
        .collect::<Result<Vec<i64>>>()?;
    for (i, features) in counts.iter().enumerate() {
        if counts[..i].contains(features) {
            return Err(invalid(format!(
                "parameter `feature_ratios`: {} is {features} features of {} images, as another ratio is",
                ratios[i], params.feature_samples
            )));
        }
    }
    for trial in 0..params.trials {
        units.extend(counts.iter().map(|&features| Unit::Features { trial, features }));
    }
    if units.is_empty() {
        return Err(invalid(
            "parameters `full_widths`, `subset_widths` and `feature_ratios` are all empty: nothing is to be trained",
        ));
    }
    Ok(units)
}
