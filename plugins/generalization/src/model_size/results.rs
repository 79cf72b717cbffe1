//! The results so far, and their tables.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};

/// The part a result belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// All parts, in the order of their numbers in a checkpoint.
const PARTS: [Part; 5] = [Part::Full, Part::Subset, Part::Features, Part::Rates, Part::SubsetRates];

impl Part {
    /// Returns the name used in documentation and tables.
    pub(super) fn letter(self) -> &'static str {
        match self {
            Self::Full | Self::Rates => "A",
            Self::Subset | Self::SubsetRates => "B",
            Self::Features => "C",
        }
    }

    fn number(self) -> f64 {
        PARTS.iter().position(|part| *part == self).unwrap_or_default() as f64
    }

    fn from_number(number: f64) -> Self {
        PARTS.get(number as usize).copied().unwrap_or(Self::Full)
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

/// Number of values in a checkpoint.
const AT_RATE: usize = 9;

impl AtRate {
    fn numbers(&self) -> [f64; AT_RATE] {
        let ([loss, accuracy], [test_loss, test]) = (self.validation, self.test);
        let [part, width, parameters] = [self.part.number(), self.width as f64, self.parameters as f64];
        [part, self.noise, width, parameters, self.lr, loss, accuracy, test_loss, test]
    }

    fn from_numbers(numbers: [f64; AT_RATE]) -> Self {
        let [part, noise, width, parameters, lr, loss, accuracy, test_loss, test] = numbers;
        Self {
            part: Part::from_number(part),
            noise,
            width: width as i64,
            parameters: parameters as i64,
            lr,
            validation: [loss, accuracy],
            test: [test_loss, test],
        }
    }
}

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

/// All trained models.
#[derive(Default)]
pub(super) struct Results {
    models: Vec<Model>,
    rates: Vec<AtRate>,
}

/// Number of values of a model in a checkpoint.
const NUMBERS: usize = 10;

impl Model {
    fn numbers(&self) -> [f64; NUMBERS] {
        let ([train_loss, train], [test_loss, test]) = (self.train, self.test);
        [
            self.part.number(),
            self.width as f64,
            self.parameters as f64,
            self.noise,
            self.trial as f64,
            train_loss,
            train,
            test_loss,
            test,
            self.norm,
        ]
    }

    fn from_numbers(numbers: [f64; NUMBERS]) -> Self {
        let [part, width, parameters, noise, trial, train_loss, train, test_loss, test, norm] = numbers;
        Self {
            part: Part::from_number(part),
            width: width as i64,
            parameters: parameters as i64,
            noise,
            trial: trial as i64,
            train: [train_loss, train],
            test: [test_loss, test],
            norm,
        }
    }
}

/// Formats a fraction of noise for tables and legends.
pub(super) fn noise_in_words(noise: f64) -> String {
    format!("{} % noise", (1000.0 * noise).round() / 10.0)
}

impl Results {
    pub(super) fn push(&mut self, model: Model) {
        self.models.push(model);
    }

    pub(super) fn push_at_rate(&mut self, network: AtRate) {
        self.rates.push(network);
    }

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
        for (part, table, width, loss, unit) in [
            (Part::Full, "full", "width", "loss", "nats"),
            (Part::Subset, "subset", "width", "error", ""),
            (Part::Features, "features", "features", "error", ""),
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
            ctx.table(table, step, &rows.columns())?;
        }
        for (part, table, loss, unit) in
            [(Part::Rates, "rates", "loss", "nats"), (Part::SubsetRates, "subset-rates", "error", "")]
        {
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
            ctx.table(table, step, &rows.columns())?;
        }
        Ok(())
    }

    pub(super) fn save(&self, saving: &mut Saving) -> Result<()> {
        let numbers: Vec<f64> = self.models.iter().flat_map(Model::numbers).collect();
        saving.numbers("results", &numbers)?;
        let rates: Vec<f64> = self.rates.iter().flat_map(AtRate::numbers).collect();
        Ok(saving.numbers("rates", &rates)?)
    }

    pub(super) fn restore(&mut self, saved: &Saved) -> Result<()> {
        let numbers = saved.numbers("results")?;
        let (models, []) = numbers.as_chunks() else {
            return Err(saved.misfit().into());
        };
        let rates = saved.numbers("rates")?;
        let (rates, []) = rates.as_chunks() else {
            return Err(saved.misfit().into());
        };
        self.rates = rates.iter().copied().map(AtRate::from_numbers).collect();
        self.models = models.iter().copied().map(Model::from_numbers).collect();
        Ok(())
    }
}
