//! Trains every pair of function and model side by side.

use std::path::Path;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::instruments::{Instruments, Probe};
use gradtop_toolkit::mlp::{Batch, Mlp, Workspace, with_ones};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::{Rng, Stream};
use gradtop_toolkit::tensors::{column, copied};
use gradtop_toolkit::weights::Weights;
use tch::{Kind, TchError, Tensor};

use super::target::Target;

/// Number of samples evaluated at a time, so that an ensemble's activations stay in the second-level cache.
const CHUNK: usize = 500;
/// The three networks, with the same number of parameters (571, 572, 571) at different depths.
#[derive(Choice, Clone, Copy, Debug, PartialEq)]
pub enum Model {
    /// 7 hidden layers.
    Deep,
    /// 4 hidden layers.
    Middle,
    /// 1 hidden layer.
    Shallow,
}

impl Model {
    /// Returns the widths: input, hidden layers, output.
    pub fn widths(self) -> &'static [i64] {
        match self {
            Self::Deep => &[1, 5, 10, 10, 10, 10, 10, 5, 1],
            Self::Middle => &[1, 10, 18, 15, 4, 1],
            Self::Shallow => &[1, 190, 1],
        }
    }
}

/// The settings of [`Training::new`].
#[derive(Clone, Debug)]
pub struct Setup {
    /// Points of the grid.
    pub x: Vec<f64>,
    /// Functions to fit, with their values on the grid.
    pub targets: Vec<Target>,
    /// Networks.
    pub models: Vec<Model>,
    /// Number of networks of each model and function, trained together.
    pub trials: i64,
    /// Samples per step; 0, or as many as there are points, for the whole grid.
    pub batch: usize,
    /// Optimizer.
    pub rule: Rule,
    /// Further learning rates at which every model is trained.
    pub rates: Vec<f64>,
    /// The functions halfway between the points of the grid, where the rates are chosen.
    pub between: Vec<Target>,
    /// Seed of initial values and batches.
    pub seed: u64,
    /// Device.
    pub device: tch::Device,
}

/// A model fitting a function, in all trials.
pub struct Fit {
    /// Index of its function.
    pub target: usize,
    /// Name of its model.
    pub model: String,
    /// Its learning rate, if it is one of the further ones.
    pub rate: Option<f64>,
    /// The networks.
    pub mlp: Mlp,
    /// First step at which each trial's loss was not finite.
    pub diverged: Vec<Option<i64>>,
    probe: Probe,
    optimizer: Optimizer,
    training: Workspace,
    chunk: Workspace,
    rest: Option<Workspace>,
    rest_between: Option<Workspace>,
}

/// All fits and their data.
pub struct Training {
    /// The fits at the common rate, then at each further one; within a rate by function, with models in the given order.
    pub fits: Vec<Fit>,
    setup: Setup,
    step: i64,
    /// Batches of an epoch: `[batch][function]`.
    batches: Vec<Vec<Batch>>,
    /// The grid in chunks, of which the last may be shorter, and the points halfway between.
    grid: Vec<Batch>,
    between: Vec<Batch>,
    shuffle: Option<Shuffle>,
}

/// Batches without replacement: each trial has its own order of the points in each epoch, shared by all models and
/// functions of that trial. The points left over at an epoch's end (10,000 = 78 · 128 + 16) are skipped.
struct Shuffle {
    x: Tensor,
    y: Vec<Tensor>,
    /// `[trials, 2, points]`, refilled in each epoch; the batches are views of it.
    x_shuffled: Tensor,
    y_shuffled: Vec<Tensor>,
    epoch: Option<u32>,
}

impl Shuffle {
    /// Creates the batches of points and targets, which are also given repeated for all trials.
    fn new(x: Tensor, y: Vec<Tensor>, x_all: &Tensor, y_all: &[Tensor]) -> Result<Self, TchError> {
        let y_shuffled = y_all.iter().map(copied).collect::<Result<_, _>>()?;
        Ok(Self { x_shuffled: copied(x_all)?, y_shuffled, x, y, epoch: None })
    }

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

/// Returns the points halfway between neighbouring points.
pub(super) fn halfway(x: &[f64]) -> Vec<f64> {
    x.windows(2).map(|pair| f64::midpoint(pair[0], pair[1])).collect()
}

/// Returns buffers for the shorter last chunk, if there is one.
fn rest(mlp: &Mlp, points: usize) -> Result<Option<Workspace>, TchError> {
    let left = points % CHUNK;
    (left > 0).then(|| mlp.workspace(left as i64)).transpose()
}

impl Fit {
    /// Creates the networks of a model for one function, with steps on `size` samples, at a further learning rate or the common
    /// one.
    fn new(setup: &Setup, target: usize, model: Model, rate: Option<f64>, size: usize) -> Result<Self> {
        let (name, points) = (model.name(), setup.x.len());
        let rule = rate.map_or(setup.rule, |lr| setup.rule.with_rate(lr));
        let mut mlp = Mlp::zeros(model.widths(), setup.trials, Kind::Float, setup.device)?;
        let stream = format!("function-fit/init/{}/{name}", setup.targets[target].name);
        mlp.init_uniform(setup.seed, Stream::named(&stream))?;
        Ok(Self {
            target,
            model: name.to_owned(),
            rate,
            diverged: vec![None; setup.trials as usize],
            probe: Probe::default(),
            optimizer: Optimizer::new(rule, mlp.parameters())?.fused(),
            training: mlp.workspace(size as i64)?,
            chunk: mlp.workspace(CHUNK.min(points) as i64)?,
            rest: rest(&mlp, points)?,
            rest_between: rest(&mlp, points - 1)?,
            mlp,
        })
    }
}

impl Training {
    /// Creates everything at step 0.
    pub fn new(setup: Setup) -> Result<Self> {
        let points = setup.x.len();
        let options = |values: &[f64]| -> Result<Tensor, TchError> {
            Tensor::f_from_slice(values)?.f_to_kind(Kind::Float)?.f_to_device(setup.device)
        };
        let x = options(&setup.x)?;
        let y: Vec<Tensor> = setup.targets.iter().map(|t| options(&t.values)).collect::<Result<_, _>>()?;
        // Contiguous, because matrix products of ensembles are slow on memory shared by trials.
        let x_all = with_ones(&x.f_unsqueeze(0)?, setup.trials)?.f_contiguous()?;
        let y_all: Vec<Tensor> = y
            .iter()
            .map(|y| y.f_view([1, 1, -1])?.f_expand([setup.trials, 1, points as i64], false)?.f_contiguous())
            .collect::<Result<_, TchError>>()?;

        // Evaluation needs no targets, so use those of the first function.
        let chunks = |x: &Tensor, count: usize| -> Result<Vec<Batch>, TchError> {
            let part =
                |all: &Tensor, start: usize| all.f_narrow(2, start as i64, CHUNK.min(count - start) as i64);
            (0..count).step_by(CHUNK).map(|at| Batch::new(&part(x, at)?, &part(&y_all[0], at)?)).collect()
        };
        let grid = chunks(&x_all, points)?;
        let halfway = options(&halfway(&setup.x))?;
        let halfway = with_ones(&halfway.f_unsqueeze(0)?, setup.trials)?.f_contiguous()?;
        let between = chunks(&halfway, points - 1)?;

        let size = if setup.batch == 0 { points } else { setup.batch };
        let shuffle = (size < points).then(|| Shuffle::new(x, y, &x_all, &y_all)).transpose()?;
        let (x_source, y_source) =
            shuffle.as_ref().map_or((&x_all, &y_all), |shuffle| (&shuffle.x_shuffled, &shuffle.y_shuffled));
        let batches = (0..points / size)
            .map(|i| {
                let part = |all: &Tensor| all.f_narrow(2, (i * size) as i64, size as i64);
                y_source.iter().map(|y| Batch::new(&part(x_source)?, &part(y)?)).collect()
            })
            .collect::<Result<_, TchError>>()?;

        let mut fits = Vec::new();
        let rates = std::iter::once(None).chain(setup.rates.iter().copied().map(Some));
        let targets = 0..setup.targets.len();
        for (rate, target) in rates.flat_map(|rate| targets.clone().map(move |target| (rate, target))) {
            for model in &setup.models {
                fits.push(Fit::new(&setup, target, *model, rate, size)?);
            }
        }
        Ok(Self { fits, setup, step: 0, batches, grid, between, shuffle })
    }

    /// Returns the number of updates done.
    pub fn step(&self) -> i64 {
        self.step
    }

    /// Returns the number of epochs that the updates done amount to.
    pub fn epoch(&self) -> f64 {
        self.step as f64 / self.batches.len() as f64
    }

    /// Returns the settings it was created from.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Attaches instruments to every fit. Only at step 0.
    pub fn watch(&mut self, ctx: &Ctx, instruments: &mut Instruments) -> Result<()> {
        let column = |values: &[f64]| column(values, self.setup.device)?.f_to_kind(Kind::Float);
        let x = column(&self.setup.x)?;
        for fit in self.fits.iter_mut().filter(|fit| fit.rate.is_none()) {
            let target = &self.setup.targets[fit.target];
            let name = match self.setup.targets.len() {
                1 => fit.model.clone(),
                _ => format!("{} {}", target.name, fit.model),
            };
            fit.probe = instruments.declare(ctx, name.as_str(), &fit.mlp, &(&x, &column(&target.values)?))?;
        }
        Ok(())
    }

    /// Makes one update of every fit.
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

    /// Logs the instruments' readings since the last call, fit by fit.
    pub fn log_readings(&mut self, ctx: &Ctx) -> Result<()> {
        let steps = self.batches.len() as i64;
        self.fits.iter_mut().try_for_each(|fit| fit.probe.log_kept(ctx, steps))
    }

    /// Records which trials of a fit have just diverged and returns their numbers. Their parameters become NaN, so that
    /// nothing they do later looks like a result.
    pub(crate) fn freeze_diverged(&mut self, fit: usize, losses: &[f64]) -> Result<Vec<usize>> {
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

    /// Returns whether no trial of any fit is left to train.
    pub(crate) fn all_diverged(&self) -> bool {
        self.fits.iter().flat_map(|fit| &fit.diverged).all(Option::is_some)
    }

    /// Saves the final weights of every network in the run's folder.
    pub fn keep_weights(&self, ctx: &Ctx) -> Result<()> {
        let mut weights = Weights::default();
        self.fits.iter().try_for_each(|fit| weights.ensemble(&self.name(fit), &fit.mlp))?;
        weights.write(ctx, self.step, "networks")
    }

    /// Saves everything that [`Training::restore`] needs.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let mut saving = Saving::default();
        saving.integers("step", &[self.step])?;
        for fit in &self.fits {
            let name = self.name(fit);
            saving.parameters(&name, fit.mlp.parameters(), &fit.optimizer)?;
            let diverged: Vec<i64> = fit.diverged.iter().map(|step| step.unwrap_or(-1)).collect();
            saving.integers(&format!("{name}.diverged"), &diverged)?;
        }
        saving.checkpoint(dir)
    }

    /// Restores what [`Training::save`] saved, for the same setup.
    pub fn restore(&mut self, dir: &Path) -> Result<()> {
        let saved = Saved::checkpoint(dir)?;
        for i in 0..self.fits.len() {
            let name = self.name(&self.fits[i]);
            let fit = &mut self.fits[i];
            saved.restore(&name, fit.mlp.parameters(), &mut fit.optimizer)?;
            let diverged = saved.integers(&format!("{name}.diverged"))?;
            if diverged.len() != fit.diverged.len() {
                return Err(saved.misfit().into());
            }
            fit.diverged = diverged.into_iter().map(|step| (step >= 0).then_some(step)).collect();
        }
        [self.step] = saved.exactly("step")?;
        Ok(())
    }

    /// Returns the name of a fit in files: `sinc.deep`, and at a further rate `sinc.deep.lr0.01`.
    pub fn name(&self, fit: &Fit) -> String {
        let name = format!("{}.{}", self.setup.targets[fit.target].name, fit.model);
        fit.rate.map_or_else(|| name.clone(), |rate| format!("{name}.lr{rate}"))
    }

    /// Returns the split under which a fit is logged: its function, and its rate if it is a further one.
    pub fn split(&self, fit: &Fit) -> String {
        let function = &self.setup.targets[fit.target].name;
        fit.rate.map_or_else(|| function.clone(), |rate| format!("{function}, lr {rate}"))
    }

    /// Returns the learning rate of a fit.
    pub fn rate(&self, fit: &Fit) -> f64 {
        fit.rate.unwrap_or(self.setup.rule.rate())
    }
}

impl Fit {
    /// Returns each trial's mean squared error on the batch of the last update, before that update.
    pub fn batch_loss(&self, training: &Training) -> Result<Vec<f64>> {
        let batch = &training.batches[(training.step - 1).max(0) as usize % training.batches.len()];
        Ok(self.mlp.batch_loss(&self.training, &batch[self.target])?)
    }

    /// Returns predictions at every point of the grid, one trial after another.
    pub fn predict(&self, training: &Training) -> Result<Vec<f32>> {
        self.predict_at(&training.grid, training.setup.x.len(), self.rest.as_ref())
    }

    /// Returns each trial's mean squared error halfway between the points of the grid.
    pub fn validate(&self, training: &Training) -> Result<Vec<f64>> {
        let truth = &training.setup.between[self.target].values;
        Ok(losses(&self.predict_at(&training.between, truth.len(), self.rest_between.as_ref())?, truth))
    }

    fn predict_at(&self, batches: &[Batch], points: usize, rest: Option<&Workspace>) -> Result<Vec<f32>> {
        let trials = self.mlp.trials() as usize;
        let mut all = vec![0.0; trials * points];
        let mut part = vec![0.0_f32; trials * CHUNK];
        for (i, batch) in batches.iter().enumerate() {
            let start = i * CHUNK;
            let length = CHUNK.min(points - start);
            let space = match rest {
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

/// Returns the mean squared error of each trial's predictions.
pub fn losses(predictions: &[f32], truth: &[f64]) -> Vec<f64> {
    predictions
        .chunks_exact(truth.len())
        .map(|trial| {
            let sum: f64 = trial.iter().zip(truth).map(|(&p, t)| (f64::from(p) - t).powi(2)).sum();
            sum / truth.len() as f64
        })
        .collect()
}
