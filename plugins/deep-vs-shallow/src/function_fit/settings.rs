//! Parameters checked together, and in words.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::optim::Rule;
use gradtop_toolkit::parameters::{invalid, list};

use super::FunctionFit;
use super::target::{Target, grid};
use super::training::{MODELS, Setup};

impl FunctionFit {
    /// What these parameters mean for training.
    ///
    /// # Errors
    /// Parameters that do not fit together, or a function that is wrong on the grid.
    pub fn setup(&self, seed: u64, device: tch::Device) -> Result<Setup> {
        let functions = list("functions", &self.functions)?;
        let models = list("models", &self.models)?;
        if let Some(model) = models.iter().find(|m| !MODELS.iter().any(|(known, _)| known == *m)) {
            return Err(invalid(format!(
                "parameter `models` names `{model}`, must be a list of deep, middle, shallow"
            )));
        }
        if self.x_min >= self.x_max {
            return Err(invalid(format!(
                "parameter `x_min` is {}, must be less than `x_max`, which is {}",
                self.x_min, self.x_max
            )));
        }
        if self.batch > self.points {
            return Err(invalid(format!(
                "parameter `batch` is {}, must be at most `points`, which is {} (0: all of them)",
                self.batch, self.points
            )));
        }
        if !self.expression.is_empty() && !functions.iter().any(|f| f == "custom") {
            return Err(invalid("parameter `expression` is given, but `functions` does not name custom"));
        }
        let x = grid(self.x_min, self.x_max, self.points as usize);
        Ok(Setup {
            targets: functions
                .iter()
                .map(|name| Target::new(name, &self.expression, &x))
                .collect::<Result<_>>()?,
            x,
            models,
            trials: self.trials,
            batch: self.batch as usize,
            rule: match self.optimizer.as_str() {
                "sgd" => Rule::Sgd { lr: self.lr, momentum: self.momentum },
                _ => Rule::Adam { lr: self.lr },
            },
            seed,
            device,
        })
    }

    /// How many of the run's threads are worth using: one, until the largest activation of a step has a million numbers.
    /// Below that, threads wait for each other longer than they compute: two were two to six times slower than one on
    /// two busy cores.
    pub(crate) fn useful_threads(&self, available: usize) -> usize {
        let widest = MODELS.iter().flat_map(|(_, widths)| widths.iter()).max().copied().unwrap_or(1);
        let samples = if self.batch == 0 { self.points } else { self.batch };
        if self.trials * widest * samples < 1 << 20 { 1 } else { available }
    }

    /// Data, optimizer, batch, steps and seed in a sentence for captions.
    pub(crate) fn in_words(&self, seed: u64) -> String {
        let optimizer = match self.optimizer.as_str() {
            "sgd" if self.momentum > 0.0 => format!("SGD, lr {}, momentum {}", self.lr, self.momentum),
            "sgd" => format!("SGD, lr {}", self.lr),
            _ => format!("Adam, lr {}", self.lr),
        };
        let batch = match self.batch {
            0 => "full batch".to_owned(),
            n => format!("batch {n}"),
        };
        let trials = if self.trials == 1 { "1 trial".to_owned() } else { format!("{} trials", self.trials) };
        format!(
            "{} equidistant points in [{}, {}]; {optimizer}, {batch}, {} steps; seed {seed}, {trials}",
            self.points, self.x_min, self.x_max, self.steps
        )
    }
}
