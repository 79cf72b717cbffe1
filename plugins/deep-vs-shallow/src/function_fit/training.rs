//! Training every (function, model) pair side by side.

use std::path::Path;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::instruments::{Instruments, Probe};
use gradtop_toolkit::mlp::{Batch, Mlp, Workspace, with_ones};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::{Rng, Stream};
use tch::{Kind, TchError, Tensor};

use super::target::Target;

/// Samples evaluated at a time: an ensemble's activations stay in the second-level cache.
const CHUNK: usize = 500;
const FILE: &str = "training.safetensors";

/// The three networks: the same number of parameters (571, 572, 571) at different depths.
#[derive(Choice, Clone, Copy, Debug, PartialEq)]
pub enum Model {
    /// Of 7 hidden layers.
    Deep,
    /// Of 4.
    Middle,
    /// Of 1.
    Shallow,
}

impl Model {
    /// Input, hidden widths, output.
    pub fn widths(self) -> &'static [i64] {
        match self {
            Self::Deep => &[1, 5, 10, 10, 10, 10, 10, 5, 1],
            Self::Middle => &[1, 10, 18, 15, 4, 1],
            Self::Shallow => &[1, 190, 1],
        }
    }
}

/// What [`Training::new`] needs to know.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Points of the grid.
    pub x: Vec<f64>,
    /// Functions to fit, with their values on the grid.
    pub targets: Vec<Target>,
    /// Networks.
    pub models: Vec<Model>,
    /// Networks of each model and function, trained at once.
    pub trials: i64,
    /// Samples a step; 0 or as many as there are points: the whole grid.
    pub batch: usize,
    /// Optimizer.
    pub rule: Rule,
    /// Seed of initial values and batches.
    pub seed: u64,
    /// Device.
    pub device: tch::Device,
}

/// One model fitting one function, in all trials.
pub struct Fit {
    /// Index of its function.
    pub target: usize,
    /// Name of its model.
    pub model: String,
    /// The networks.
    pub mlp: Mlp,
    /// Step from which on a trial's loss was not finite.
    pub diverged: Vec<Option<i64>>,
    probe: Probe,
    optimizer: Optimizer,
    training: Workspace,
    chunk: Workspace,
    rest: Option<Workspace>,
}

/// All fits and their data.
pub struct Training {
    /// The fits, function by function, models in the order given.
    pub fits: Vec<Fit>,
    setup: Setup,
    step: i64,
    /// Batches of an epoch: `[batch][function]`.
    batches: Vec<Vec<Batch>>,
    /// The grid in chunks, the last perhaps shorter.
    grid: Vec<Batch>,
    shuffle: Option<Shuffle>,
}

/// Batches without replacement: each trial has its own order of the points in each epoch, which all models and functions
/// of that trial share. The points left over at an epoch's end (10,000 = 78 · 128 + 16) sit that epoch out.
struct Shuffle {
    x: Tensor,
    y: Vec<Tensor>,
    /// `[trials, 2, points]`, refilled in each epoch; the batches are views of it.
    x_shuffled: Tensor,
    y_shuffled: Vec<Tensor>,
    epoch: Option<u32>,
}

fn copy(tensor: &Tensor) -> Result<Tensor, TchError> {
    let mut copy = tensor.f_empty_like()?;
    copy.f_copy_(tensor)?;
    Ok(copy)
}

impl Shuffle {
    fn refill(&mut self, epoch: u32, seed: u64) -> Result<(), TchError> {
        if self.epoch == Some(epoch) {
            return Ok(());
        }
        let points = self.x.size()[0];
        let mut order = vec![0_i64; points as usize];
        for trial in 0..self.x_shuffled.size()[0] {
            Rng::new(seed, Stream::named("batches").member(trial as u32), epoch).permute(&mut order);
            let order = Tensor::f_from_slice(&order)?.f_to_device(self.x.device())?;
            let fill = |from: &Tensor, to: &Tensor| {
                from.f_index_select_out(&to.f_select(0, trial)?.f_select(0, 0)?, 0, &order).map(drop)
            };
            fill(&self.x, &self.x_shuffled)?;
            for (y, shuffled) in self.y.iter().zip(&self.y_shuffled) {
                fill(y, shuffled)?;
            }
        }
        self.epoch = Some(epoch);
        Ok(())
    }
}

impl Training {
    /// Everything at step 0.
    pub fn new(setup: Setup) -> Result<Self> {
        let points = setup.x.len();
        let options = |values: &[f64]| -> Result<Tensor, TchError> {
            Tensor::f_from_slice(values)?.f_to_kind(Kind::Float)?.f_to_device(setup.device)
        };
        let x = options(&setup.x)?;
        let y: Vec<Tensor> = setup.targets.iter().map(|t| options(&t.values)).collect::<Result<_, _>>()?;
        // Contiguous: matrix products of ensembles are slow on memory that the trials share.
        let x_all = with_ones(&x.f_unsqueeze(0)?, setup.trials)?.f_contiguous()?;
        let y_all: Vec<Tensor> = y
            .iter()
            .map(|y| y.f_view([1, 1, -1])?.f_expand([setup.trials, 1, points as i64], false)?.f_contiguous())
            .collect::<Result<_, TchError>>()?;

        let grid = (0..points)
            .step_by(CHUNK)
            .map(|start| {
                let length = CHUNK.min(points - start) as i64;
                // Evaluation needs no targets; the first function's stand in.
                Batch::new(
                    &x_all.f_narrow(2, start as i64, length)?,
                    &y_all[0].f_narrow(2, start as i64, length)?,
                )
            })
            .collect::<Result<_, TchError>>()?;

        let size = if setup.batch == 0 { points } else { setup.batch };
        let shuffle = (size < points)
            .then(|| -> Result<Shuffle, TchError> {
                Ok(Shuffle {
                    x_shuffled: copy(&x_all)?,
                    y_shuffled: y_all.iter().map(copy).collect::<Result<_, _>>()?,
                    x,
                    y,
                    epoch: None,
                })
            })
            .transpose()?;
        let (x_source, y_source) =
            shuffle.as_ref().map_or((&x_all, &y_all), |shuffle| (&shuffle.x_shuffled, &shuffle.y_shuffled));
        let batches = (0..points / size)
            .map(|i| {
                let part = |all: &Tensor| all.f_narrow(2, (i * size) as i64, size as i64);
                y_source.iter().map(|y| Batch::new(&part(x_source)?, &part(y)?)).collect()
            })
            .collect::<Result<_, TchError>>()?;

        let mut fits = Vec::new();
        for (target, function) in setup.targets.iter().enumerate() {
            for model in &setup.models {
                let name = model.name();
                let mut mlp = Mlp::zeros(model.widths(), setup.trials, Kind::Float, setup.device)?;
                let stream = format!("function-fit/init/{}/{name}", function.name);
                mlp.init_uniform(setup.seed, Stream::named(&stream))?;
                fits.push(Fit {
                    target,
                    model: name.to_owned(),
                    diverged: vec![None; setup.trials as usize],
                    probe: Probe::default(),
                    optimizer: Optimizer::new(setup.rule, mlp.parameters())?,
                    training: mlp.workspace(size as i64)?,
                    chunk: mlp.workspace(CHUNK.min(points) as i64)?,
                    rest: (points > CHUNK && !points.is_multiple_of(CHUNK))
                        .then(|| mlp.workspace((points % CHUNK) as i64))
                        .transpose()?,
                    mlp,
                });
            }
        }
        Ok(Self { fits, setup, step: 0, batches, grid, shuffle })
    }

    /// Updates done.
    pub fn step(&self) -> i64 {
        self.step
    }

    /// Passes over the grid that the updates done amount to.
    pub fn epoch(&self) -> f64 {
        self.step as f64 / self.batches.len() as f64
    }

    /// What it was made from.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Puts instruments on every fit. At step 0.
    pub fn watch(&mut self, ctx: &Ctx, instruments: &mut Instruments) -> Result<()> {
        let column = |values: &[f64]| -> Result<Tensor> {
            let column = Tensor::f_from_slice(values)?.f_to_kind(Kind::Float)?.f_view([-1, 1])?;
            Ok(column.f_to_device(self.setup.device)?)
        };
        let x = column(&self.setup.x)?;
        for fit in &mut self.fits {
            let target = &self.setup.targets[fit.target];
            let name = match self.setup.targets.len() {
                1 => fit.model.clone(),
                _ => format!("{} {}", target.name, fit.model),
            };
            fit.probe = instruments.declare(ctx, name.as_str(), &fit.mlp, &(&x, &column(&target.values)?))?;
        }
        Ok(())
    }

    /// One update of every fit.
    pub fn advance(&mut self) -> Result<()> {
        let (epoch, index) =
            (self.step / self.batches.len() as i64, (self.step % self.batches.len() as i64) as usize);
        if let Some(shuffle) = &mut self.shuffle {
            shuffle.refill(epoch as u32, self.setup.seed)?;
        }
        for fit in &mut self.fits {
            let batch = &self.batches[index][fit.target];
            fit.mlp.gradient(&fit.training, batch)?;
            let (mlp, space) = (&fit.mlp, &fit.training);
            let noise = || Ok((mlp.gradient_variance(space, batch)?, space.samples()));
            let reading = fit.probe.update(self.step, mlp, &mut fit.optimizer, noise)?;
            fit.probe.keep(reading);
        }
        self.step += 1;
        Ok(())
    }

    /// Logs what instruments have read since the last call, fit by fit.
    pub fn log_readings(&mut self, ctx: &Ctx) -> Result<()> {
        let steps = self.batches.len() as i64;
        self.fits.iter_mut().try_for_each(|fit| fit.probe.log_kept(ctx, steps))
    }

    /// Records which trials of a fit have just diverged, and freezes them: parameters NaN, so that nothing they come to
    /// later looks like a result. Gives their numbers.
    pub fn freeze_diverged(&mut self, fit: usize, losses: &[f64]) -> Result<Vec<usize>> {
        let fit = &mut self.fits[fit];
        let mut new = Vec::new();
        for (trial, loss) in losses.iter().enumerate() {
            if !loss.is_finite() && fit.diverged[trial].is_none() {
                fit.diverged[trial] = Some(self.step);
                fit.mlp.fill_trial(trial as i64, f64::NAN)?;
                new.push(trial);
            }
        }
        Ok(new)
    }

    /// Writes everything a later [`Training::restore`] needs.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let mut saving = Saving::default();
        saving.integers("step", &[self.step])?;
        for fit in &self.fits {
            let name = self.name(fit);
            saving.model(&name, &fit.mlp, &fit.optimizer)?;
            let diverged: Vec<i64> = fit.diverged.iter().map(|step| step.unwrap_or(-1)).collect();
            saving.integers(&format!("{name}.diverged"), &diverged)?;
        }
        saving.write(&dir.join(FILE))?;
        Ok(())
    }

    /// Goes back to what [`Training::save`] wrote, for the same setup.
    pub fn restore(&mut self, dir: &Path) -> Result<()> {
        let path = dir.join(FILE);
        let saved = Saved::read(&path)?;
        let damaged = || Error::new(format!("checkpoint {} does not fit this run", path.display()));
        let [step] = saved.integers("step")?[..] else { return Err(damaged()) };
        for i in 0..self.fits.len() {
            let name = self.name(&self.fits[i]);
            let fit = &mut self.fits[i];
            saved.restore(&name, &fit.mlp, &mut fit.optimizer)?;
            let diverged = saved.integers(&format!("{name}.diverged"))?;
            if diverged.len() != fit.diverged.len() {
                return Err(damaged());
            }
            fit.diverged = diverged.into_iter().map(|step| (step >= 0).then_some(step)).collect();
        }
        self.step = step;
        Ok(())
    }

    fn name(&self, fit: &Fit) -> String {
        format!("{}.{}", self.setup.targets[fit.target].name, fit.model)
    }
}

impl Fit {
    /// Each trial's mean squared error on the batch of the last update, before that update.
    pub fn batch_loss(&self, training: &Training) -> Result<Vec<f64>> {
        let batch = &training.batches[(training.step - 1).max(0) as usize % training.batches.len()];
        Ok(self.mlp.batch_loss(&self.training, &batch[self.target])?)
    }

    /// Predictions at every point of the grid: one trial after another.
    pub fn predict(&self, training: &Training) -> Result<Vec<f32>> {
        let trials = self.mlp.trials() as usize;
        let points = training.setup.x.len();
        let mut all = vec![0.0; trials * points];
        let mut part = vec![0.0_f32; trials * CHUNK];
        for (i, batch) in training.grid.iter().enumerate() {
            let start = i * CHUNK;
            let length = CHUNK.min(points - start);
            let space = match &self.rest {
                Some(rest) if length < CHUNK => rest,
                _ => &self.chunk,
            };
            self.mlp.forward(space, batch)?;
            space.output().f_copy_data(&mut part, trials * length)?;
            for (trial, values) in part[..trials * length].chunks_exact(length).enumerate() {
                let at = trial * points + start;
                all[at..at + length].copy_from_slice(values);
            }
        }
        Ok(all)
    }
}

/// Mean squared error of each trial's predictions.
pub fn losses(predictions: &[f32], truth: &[f64]) -> Vec<f64> {
    predictions
        .chunks_exact(truth.len())
        .map(|trial| {
            let sum: f64 = trial.iter().zip(truth).map(|(&p, t)| (f64::from(p) - t).powi(2)).sum();
            sum / truth.len() as f64
        })
        .collect()
}
