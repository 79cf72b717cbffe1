//! The results so far, and their tables.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Numbers, Saved, Saving};
use gradtop_toolkit::record;

/// The part a result belongs to; its name is that of its table.
#[derive(Choice, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Part A.
    Full,
    /// Part B.
    Subset,
    /// Part C.
    Features,
    /// Part A at several learning rates.
    Rates,
    /// Part B at several learning rates.
    SubsetRates,
}

impl Part {
    /// Returns the letter used in documentation and tables.
    pub(super) fn letter(self) -> &'static str {
        match self {
            Self::Full | Self::Rates => "A",
            Self::Subset | Self::SubsetRates => "B",
            Self::Features => "C",
        }
    }

    /// Returns whether sizes are trained at several learning rates.
    pub(super) fn at_rates(self) -> bool {
        matches!(self, Self::Rates | Self::SubsetRates)
    }
}

impl Numbers for Part {
    fn put(&self, to: &mut Vec<f64>) {
        (*self as i64).put(to);
    }

    fn take(from: &mut impl Iterator<Item = f64>) -> Option<Self> {
        Self::ALL.get(i64::take(from)? as usize).copied()
    }
}

/// A network of part A or B at one learning rate: loss and accuracy on the validation images, and on the test set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct AtRate {
    pub(super) part: Part,
    pub(super) noise: f64,
    pub(super) width: i64,
    pub(super) parameters: i64,
    pub(super) lr: f64,
    pub(super) validation: [f64; 2],
    pub(super) test: [f64; 2],
}

record!(AtRate { part, noise, width, parameters, lr, validation, test });

/// One trained model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Model {
    pub(super) part: Part,
    /// Width of the (first) hidden layer, or number of features.
    pub(super) width: i64,
    /// Number of trained parameters.
    pub(super) parameters: i64,
    /// Fraction of random training labels.
    pub(super) noise: f64,
    pub(super) trial: i64,
    /// Loss and accuracy on the training set, by the labels learnt.
    pub(super) train: [f64; 2],
    /// Loss and accuracy on the test set.
    pub(super) test: [f64; 2],
    /// Norm of the readout in part C, else NaN.
    pub(super) norm: f64,
}

record!(Model { part, width, parameters, noise, trial, train, test, norm });

/// All trained models.
#[derive(Default)]
pub(super) struct Results {
    pub(super) models: Vec<Model>,
    pub(super) rates: Vec<AtRate>,
}

/// Formats a fraction of noise for tables and legends.
pub(super) fn noise_in_words(noise: f64) -> String {
    format!("{} % noise", (1000.0 * noise).round() / 10.0)
}

impl Results {
    /// Returns the networks of a part at several rates, by noise and size, the one at the common rate first.
    pub(super) fn at_rates(&self, part: Part) -> Vec<AtRate> {
        let mut rates: Vec<AtRate> = self.rates.iter().filter(|rate| rate.part == part).copied().collect();
        rates.sort_by(|a, b| a.noise.total_cmp(&b.noise).then(a.parameters.cmp(&b.parameters)));
        rates
    }

    /// Returns the models of a part by size.
    pub(super) fn of(&self, part: Part) -> Vec<Model> {
        let mut models: Vec<Model> = self.models.iter().filter(|m| m.part == part).copied().collect();
        models.sort_by(|a, b| {
            a.noise.total_cmp(&b.noise).then(a.parameters.cmp(&b.parameters)).then(a.trial.cmp(&b.trial))
        });
        models
    }

    /// Writes the tables `full`, `subset`, `features`, `rates` and `subset-rates`, if they have rows.
    pub(super) fn write(&self, ctx: &Ctx, step: i64) -> Result<()> {
        for (part, width, loss, unit) in [
            (Part::Full, "width", "loss", "nats"),
            (Part::Subset, "width", "error", ""),
            (Part::Features, "features", "error", ""),
        ] {
            let models = self.of(part);
            if models.is_empty() {
                continue;
            }
            let (train, test) = (format!("train_{loss}"), format!("test_{loss}"));
            let mut rows = Rows::of(&models)
                .i64(width, |m| m.width)
                .i64("parameters", |m| m.parameters)
                .f64("noise_share", |m| m.noise)
                .utf8("noise", |m| noise_in_words(m.noise))
                .i64("trial", |m| m.trial)
                .f64(&train, |m| m.train[0])
                .unit(unit)
                .f64("train_accuracy", |m| m.train[1])
                .f64(&test, |m| m.test[0])
                .unit(unit)
                .f64("test_accuracy", |m| m.test[1]);
            if part == Part::Features {
                rows = rows.f64("norm", |m| m.norm);
            }
            ctx.table(part.name(), step, &rows.columns())?;
        }
        for (part, loss, unit) in [(Part::Rates, "loss", "nats"), (Part::SubsetRates, "error", "")] {
            let rates = self.at_rates(part);
            if rates.is_empty() {
                continue;
            }
            let (validation, test) = (format!("validation_{loss}"), format!("test_{loss}"));
            let mut rows = Rows::of(&rates).i64("width", |r| r.width).i64("parameters", |r| r.parameters);
            if part == Part::SubsetRates {
                rows = rows.f64("noise_share", |r| r.noise).utf8("noise", |r| noise_in_words(r.noise));
            }
            let rows = rows
                .f64("lr", |r| r.lr)
                .f64(&validation, |r| r.validation[0])
                .unit(unit)
                .f64("validation_accuracy", |r| r.validation[1])
                .f64(&test, |r| r.test[0])
                .unit(unit)
                .f64("test_accuracy", |r| r.test[1]);
            ctx.table(part.name(), step, &rows.columns())?;
        }
        Ok(())
    }

    pub(super) fn save(&self, saving: &mut Saving) -> Result<()> {
        saving.records("results", &self.models)?;
        Ok(saving.records("rates", &self.rates)?)
    }

    pub(super) fn restore(&mut self, saved: &Saved) -> Result<()> {
        self.models = saved.records("results")?;
        self.rates = saved.records("rates")?;
        Ok(())
    }
}
