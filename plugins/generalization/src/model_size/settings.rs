//! Determines what is trained from the parameters.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::data::{CLASSES, PIXELS};
use gradtop_toolkit::mlp;
use gradtop_toolkit::rates::{self, shared};

use super::ModelSize;
use super::results::Part;

/// A unit of work, completed before the next begins: all networks of one width, those of one width at one of several
/// rates, or one draw of features.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unit {
    pub(super) part: Part,
    /// Width h of the (first) hidden layer, or number of features.
    pub(super) width: i64,
    /// Initial learning rate of the networks.
    pub(super) lr: f64,
    /// The draw of the features.
    pub(super) trial: i64,
}

impl Unit {
    /// Returns the widths: inputs, hidden layers, outputs.
    pub(super) fn widths(self) -> Vec<i64> {
        match self.part {
            Part::Full | Part::Rates => vec![PIXELS, self.width, 2 * self.width, CLASSES],
            Part::Subset | Part::SubsetRates => vec![PIXELS, self.width, CLASSES],
            Part::Features => vec![self.width, CLASSES],
        }
    }

    /// Returns the number of trained weights and biases. Random features have weights for each class and no bias.
    pub(super) fn parameters(self) -> i64 {
        match self.part {
            Part::Features => self.width * CLASSES,
            _ => mlp::parameter_count(&self.widths()),
        }
    }

    /// Returns the number of networks with each kind of labels.
    pub(super) fn trials(self, params: &ModelSize) -> i64 {
        if self.part.at_rates() { 1 } else { params.trials }
    }

    /// Describes images and width, and the rate if it is one of several.
    pub(super) fn in_words(self) -> String {
        let images = match self.part {
            Part::Features => return format!("{} random features", self.width),
            Part::Full | Part::Rates => "many images",
            Part::Subset | Part::SubsetRates => "few images",
        };
        format!("{images}, width {}{}", self.width, self.rate_in_words(", "))
    }

    /// Describes the rate if it is one of several.
    pub(super) fn rate_in_words(self, before: &str) -> String {
        if self.part.at_rates() { format!("{before}lr {}", self.lr) } else { String::new() }
    }

    /// Returns the approximate work in thousands of multiplications; below a certain size, a network costs as much as its inputs.
    pub(super) fn cost(self, params: &ModelSize) -> i64 {
        let parameters = self.parameters().max(20_000) / 1000;
        match self.part {
            Part::Full => 3 * parameters * full_samples(params) * params.full_epochs * params.trials,
            Part::Rates => 3 * parameters * shared(full_samples(params))[0] * params.full_epochs,
            Part::Subset | Part::SubsetRates => {
                6 * parameters * params.subset_samples * params.subset_epochs * self.trials(params)
            }
            // Twice as costly in double precision; the smaller side counts twice in the factorisation.
            Part::Features => {
                let (features, n, tests) = (self.width, params.feature_samples, params.feature_tests);
                (2 * features * PIXELS * (n + tests) + 4 * features.min(n).pow(2) * features.max(n)) / 1000
            }
        }
    }
}

/// Returns the number of training images of part A.
pub(super) fn full_samples(params: &ModelSize) -> i64 {
    if params.full_samples == 0 { 60_000 } else { params.full_samples }
}

/// Returns the number of validation images that choose between the rates of part B; 0 if there is nothing to choose.
pub(super) fn choosing(params: &ModelSize) -> i64 {
    if params.subset_rates.is_empty() { 0 } else { 5000.min(60_000 - params.subset_samples) }
}

pub(super) fn units(params: &ModelSize) -> Result<Vec<Unit>> {
    let (ratios, lr) = (&params.feature_ratios, params.lr);
    rates::check("full_rates", &params.full_rates, lr)?;
    rates::check("subset_rates", &params.subset_rates, lr)?;
    if !params.subset_rates.is_empty() && choosing(params) < 1 {
        return Err(Error::invalid(format!(
            "parameter `subset_samples` is {}: no training image is left to choose between `subset_rates`",
            params.subset_samples
        )));
    }
    let mut units = Vec::new();
    let mut add = |part, widths: &[i64], rates: &[f64]| {
        let of = |&width: &i64| rates.iter().map(move |&lr| Unit { part, width, lr, trial: 0 });
        units.extend(widths.iter().flat_map(of));
    };
    add(Part::Full, &params.full_widths, &[lr]);
    add(Part::Rates, &params.full_widths, &rates::compared(&params.full_rates, lr));
    add(Part::Subset, &params.subset_widths, &[lr]);
    add(Part::SubsetRates, &params.subset_widths, &params.subset_rates);
    let counts = ratios
        .iter()
        .map(|ratio| {
            let features = (ratio * params.feature_samples as f64).round();
            if (1.0..=100_000.0).contains(&features) {
                Ok(features as i64)
            } else {
                Err(Error::invalid(format!(
                    "parameter `feature_ratios` names {ratio}: of {} images that is {features} features, but must be between 1 and 100000",
                    params.feature_samples
                )))
            }
        })
        .collect::<Result<Vec<i64>>>()?;
    for (i, features) in counts.iter().enumerate() {
        if counts[..i].contains(features) {
            return Err(Error::invalid(format!(
                "parameter `feature_ratios`: {} is {features} features of {} images, as another ratio is",
                ratios[i], params.feature_samples
            )));
        }
    }
    for trial in 0..params.trials {
        units.extend(counts.iter().map(|&width| Unit { part: Part::Features, width, lr, trial }));
    }
    if units.is_empty() {
        return Err(Error::invalid(
            "parameters `full_widths`, `subset_widths` and `feature_ratios` are all empty: nothing is to be trained",
        ));
    }
    Ok(units)
}
