//! Checks the parameters, and describes them.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::counted;
use gradtop_toolkit::rates;
use gradtop_toolkit::settings::{rule, rule_in_words};

use super::FunctionFit;
use super::target::{Target, grid};
use super::training::{Model, Setup, halfway};

impl FunctionFit {
    /// Converts the parameters to a training setup.
    ///
    /// # Errors
    /// The parameters do not fit together, or a function is not finite on the grid.
    pub fn setup(&self, seed: u64, device: tch::Device) -> Result<Setup> {
        if self.x_min >= self.x_max {
            return Err(Error::invalid(format!(
                "parameter `x_min` is {}, but must be less than `x_max`, which is {}",
                self.x_min, self.x_max
            )));
        }
        if self.batch > self.points {
            return Err(Error::invalid(format!(
                "parameter `batch` is {}, but must be at most `points`, which is {} (0: all of them)",
                self.batch, self.points
            )));
        }
        if !self.expression.is_empty() && !self.functions.iter().any(|f| f == "custom") {
            return Err(Error::invalid(
                "parameter `expression` is given, but `functions` does not name custom",
            ));
        }
        rates::check("rates", &self.rates, self.lr)?;
        let x = grid(self.x_min, self.x_max, self.points as usize);
        let targets = |x: &[f64]| {
            self.functions
                .iter()
                .map(|name| Target::new(name, &self.expression, x))
                .collect::<Result<Vec<_>>>()
        };
        Ok(Setup {
            targets: targets(&x)?,
            between: if self.rates.is_empty() { Vec::new() } else { targets(&halfway(&x))? },
            rates: self.rates.clone(),
            x,
            models: self.models.clone(),
            trials: self.trials,
            batch: self.batch as usize,
            rule: rule(self.optimizer, self.lr, self.momentum),
            seed,
            device,
        })
    }

    /// Returns how many of the run's threads are useful: one, until the largest activation of a step has a million numbers. Below
    /// that, threads wait for each other longer than they compute: two were two to six times slower than one on two busy cores.
    pub(crate) fn useful_threads(&self, available: usize) -> usize {
        let widest = Model::ALL.iter().flat_map(|model| model.widths()).max().copied().unwrap_or(1);
        let samples = if self.batch == 0 { self.points } else { self.batch };
        if self.trials * widest * samples < 1 << 20 { 1 } else { available }
    }

    /// Describes data, optimizer, batch, steps and seed for captions.
    pub(crate) fn in_words(&self, seed: u64) -> String {
        let optimizer = rule_in_words(rule(self.optimizer, self.lr, self.momentum));
        let batch = match self.batch {
            0 => "full batch".to_owned(),
            n => format!("batch {n}"),
        };
        let trials = counted(self.trials, "trial");
        format!(
            "{} equidistant points in [{}, {}]; {optimizer}, {batch}, {} steps; seed {seed}, {trials}",
            self.points, self.x_min, self.x_max, self.steps
        )
    }
}
