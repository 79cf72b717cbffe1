//! Measures one network and logs the readings.

use gradtop_sdk::prelude::*;
use tch::{TchError, Tensor};

use super::gradients::Before;
use super::{Curvature, DECADES, Data, Gradients, Settings, Subset, Watched, figures};
use crate::ensemble::Ensemble;
use crate::metrics::Points;
use crate::mlp::Samples;
use crate::optim::Optimizer;
use crate::tensors::copied;

/// The instruments of a run: they create a [`Probe`] for each network, and draw all of them in one set of figures.
pub struct Instruments {
    settings: Settings,
    seed: u64,
    caption: String,
    /// Names of networks with their numbers of layers.
    shown: Vec<(String, usize)>,
}

/// The name of a network or ensemble in series and figures: its model and trials.
#[derive(Clone, Debug, Default)]
pub struct Name {
    model: String,
    trial: i32,
    /// If not empty, model and trial of each member instead.
    members: Vec<(String, i32)>,
}

impl Name {
    /// Creates the name of a network; an empty one means none. An ensemble's trials count from 0.
    pub fn of(model: &str) -> Self {
        Self { model: model.to_owned(), ..Self::default() }
    }

    /// Creates the name of an ensemble whose members have different models: the model and trial of each.
    pub fn each(members: impl IntoIterator<Item = (String, i64)>) -> Self {
        let members = members.into_iter().map(|(model, trial)| (model, trial_number(trial)));
        Self { members: members.collect(), ..Self::default() }
    }

    /// Sets the number of the only or first trial.
    #[must_use]
    pub fn trial(self, trial: i64) -> Self {
        Self { trial: trial_number(trial), ..self }
    }

    fn members(self, trials: i64) -> Vec<(String, i32)> {
        if self.members.is_empty() {
            (self.trial..self.trial + trial_number(trials)).map(|trial| (self.model.clone(), trial)).collect()
        } else {
            self.members
        }
    }
}

fn trial_number(trial: i64) -> i32 {
    i32::try_from(trial).unwrap_or(i32::MAX)
}

impl From<&str> for Name {
    fn from(model: &str) -> Self {
        Self::of(model)
    }
}

/// Measures some steps of a network or ensemble.
#[derive(Default)]
pub struct Probe {
    /// `None` if everything is off.
    on: Option<On>,
    /// Readings that have not been logged yet.
    kept: Vec<Reading>,
}

/// The measurements of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Number of updates before this one.
    pub step: i64,
    /// If they were due.
    pub gradients: Option<Gradients>,
    /// If it was due.
    pub curvature: Option<Curvature>,
}

struct On {
    every: i64,
    every_curvature: i64,
    seed: u64,
    /// The initial parameters.
    start: Tensor,
    /// Number of samples in the training set, and in its subset.
    all: i64,
    samples: i64,
    subset: Option<Subset>,
    /// For how many steps each trial is trained, if that differs.
    ends: Option<Vec<i64>>,
    logging: Option<Logging>,
}

/// As what readings are logged.
struct Logging {
    model: String,
    /// Model and trial of each network.
    members: Vec<(String, i32)>,
}

impl Instruments {
    /// Creates the instruments of a run; `caption` is appended to the captions of their figures.
    pub fn new(settings: &Settings, seed: u64, caption: &str) -> Self {
        Self { settings: settings.clone(), seed, caption: caption.to_owned(), shown: Vec::new() }
    }

    /// Returns whether anything is measured.
    pub fn on(&self) -> bool {
        self.settings.on()
    }

    /// Registers the series and figures of a network or ensemble. Its parameters must be the initial ones, because distances are
    /// measured from them: restore a checkpoint afterwards. The curvature is measured on a subset of `data`.
    pub fn declare(
        &mut self,
        ctx: &Ctx,
        name: impl Into<Name>,
        network: &impl Watched,
        data: &impl Data,
    ) -> Result<Probe> {
        if !self.settings.on() {
            return Ok(Probe::default());
        }
        let (members, settings) = (name.into().members(network.trials()), &self.settings);
        if members.len() as i64 != network.trials() {
            let (names, trials) = (members.len(), network.trials());
            return Err(Error::new(format!("{names} names for an ensemble of {trials}")));
        }
        let layers = network.layer_parameter_counts().len();
        let mut models: Vec<&str> = members.iter().map(|(model, _)| model.as_str()).collect();
        models.dedup();
        let before = self.shown.len();
        for model in &models {
            if !self.shown.iter().any(|(shown, _)| shown == model) {
                self.shown.push(((*model).to_owned(), layers));
            }
        }
        if self.shown.len() > before {
            ctx.declare_figures(figures::declare(settings, &self.shown, &self.caption))?;
        }
        let mut probe = Probe::new(settings, self.seed, network, data)?;
        if let Some(on) = &mut probe.on {
            on.logging = Some(Logging { model: models.join(" + "), members });
        }
        Ok(probe)
    }
}

impl Probe {
    /// Creates a probe of a network at its initial parameters, without logging: [`Probe::log`] needs one from
    /// [`Instruments::declare`].
    pub fn new(
        settings: &Settings,
        seed: u64,
        network: &impl Watched,
        data: &impl Data,
    ) -> Result<Self, TchError> {
        if !settings.on() {
            return Ok(Self::default());
        }
        let samples = settings.instruments_samples;
        let curved = settings.instruments_curvature > 0;
        let subset = if curved { Some(data.subset(samples, seed)?) } else { None };
        let on = On {
            every: settings.instruments,
            every_curvature: settings.instruments_curvature,
            seed,
            start: copied(network.parameters())?,
            all: data.count(),
            samples,
            subset,
            ends: None,
            logging: None,
        };
        Ok(Self { on: Some(on), kept: Vec::new() })
    }

    /// Sets the number of steps for which each trial of an ensemble is trained: later steps are neither logged nor counted.
    #[must_use]
    pub fn until(mut self, ends: &[i64]) -> Self {
        if let Some(on) = &mut self.on {
            on.ends = Some(ends.to_vec());
        }
        self
    }

    /// Replaces the training data with others of the same number: the curvature is measured on the same subset of them.
    pub fn learns(&mut self, data: &impl Data) -> Result<(), TchError> {
        if let Some(On { subset: Some(subset), samples, seed, .. }) = &mut self.on {
            *subset = data.subset(*samples, *seed)?;
        }
        Ok(())
    }

    /// Makes one step like [`Ensemble::advance`], measured and logged if due.
    pub fn advance(&self, ctx: &Ctx, ensemble: &mut Ensemble, samples: &Samples) -> Result<()> {
        ensemble.gradient(samples)?;
        self.follow(ctx, ensemble)
    }

    /// Makes an update like [`Ensemble::update`], with a gradient that has been computed.
    pub fn follow(&self, ctx: &Ctx, ensemble: &mut Ensemble) -> Result<()> {
        let epoch = ensemble.epoch();
        match self.measured(ensemble)? {
            Some(reading) => self.log(ctx, epoch, &reading),
            None => Ok(()),
        }
    }

    /// Like [`Probe::advance`], but returns the reading to be logged later: for threads, which have no defined order.
    pub fn read(&self, ensemble: &mut Ensemble, samples: &Samples) -> Result<Option<Reading>, TchError> {
        ensemble.gradient(samples)?;
        self.measured(ensemble)
    }

    fn measured(&self, ensemble: &mut Ensemble) -> Result<Option<Reading>, TchError> {
        ensemble.update_by(|step, mlp, optimizer, noise| self.update(step, mlp, optimizer, noise))
    }

    /// Makes an update like [`Optimizer::update`] with a gradient that has been computed, measured if due. `step` is
    /// the number of updates before. `noise` is called, if needed, for the trace of the covariance of single samples'
    /// gradients, one value per trial, and the batch size: see [`crate::cnn::Cnn::gradient_variance`].
    pub fn update(
        &self,
        step: i64,
        network: &impl Watched,
        optimizer: &mut Optimizer,
        noise: impl FnOnce() -> Result<(Vec<f64>, i64), TchError>,
    ) -> Result<Option<Reading>, TchError> {
        let due = |every: i64| every > 0 && step % every == 0;
        let on = self.on.as_ref().filter(|on| due(on.every) || due(on.every_curvature));
        let Some(on) = on else {
            optimizer.update(network.parameters(), network.gradients())?;
            return Ok(None);
        };
        let subset = on.subset.as_ref().filter(|_| due(on.every_curvature));
        let curvature = subset.map(|subset| Curvature::read(network, subset, on.seed)).transpose()?;
        let trained = on.trained(step);
        let before = if due(on.every) {
            Some(Before::read(network, &noise()?, on.all, trained.as_deref())?)
        } else {
            None
        };
        optimizer.update(network.parameters(), network.gradients())?;
        let gradients = before.map(|before| before.after(network, &on.start)).transpose()?;
        Ok(Some(Reading { step, gradients, curvature }))
    }

    /// Stores a reading for [`Probe::log_kept`].
    pub fn keep(&mut self, reading: Option<Reading>) {
        self.kept.extend(reading);
    }

    /// Logs the stored readings in order and discards them.
    pub fn log_kept(&mut self, ctx: &Ctx, steps_per_epoch: i64) -> Result<()> {
        for reading in std::mem::take(&mut self.kept) {
            self.log(ctx, reading.step as f64 / steps_per_epoch as f64, &reading)?;
        }
        Ok(())
    }

    /// Logs a reading, and its histogram to the table `gradient-histogram`. Only needed after [`Probe::update`].
    pub fn log(&self, ctx: &Ctx, epoch: f64, reading: &Reading) -> Result<()> {
        let Some(on @ On { logging: Some(Logging { model, members }), .. }) = &self.on else { return Ok(()) };
        let mut all: Vec<(&str, String, &[f64])> = Vec::new();
        if let Some(gradients) = &reading.gradients {
            all.extend([
                ("batch/grad_norm", "train".to_owned(), &gradients.grad_norm[..]),
                ("batch/update_size", "train".to_owned(), &gradients.update_size),
                ("batch/distance", "train".to_owned(), &gradients.distance),
                ("batch/noise_scale", "train".to_owned(), &gradients.noise_scale),
            ]);
            let layers = (1..).zip(&gradients.layers);
            all.extend(layers.map(|(i, norms)| ("batch/layer_grad_norm", format!("layer {i}"), &norms[..])));
        }
        if let Some(curvature) = &reading.curvature {
            all.extend([
                ("curvature/max_eigenvalue", "train".to_owned(), &curvature.max_eigenvalue[..]),
                ("curvature/trace", "train".to_owned(), &curvature.trace),
                ("curvature/trace_error", "train".to_owned(), &curvature.trace_error),
            ]);
        }
        let mut points = Points::of(ctx);
        for (metric, split, values) in &all {
            let networks = members.iter().zip(*values).enumerate();
            for (_, ((name, trial), value)) in networks.filter(|(i, _)| on.trains(*i, reading.step)) {
                let series = Series::metric(metric).split(split).trial(*trial);
                points = points.one(if name.is_empty() { series } else { series.model(name) }, *value)?;
            }
        }
        points.log(reading.step, epoch)?;
        match &reading.gradients {
            Some(gradients) => log_histogram(ctx, reading.step, model, &gradients.histogram),
            None => Ok(()),
        }
    }
}

impl On {
    /// Returns whether a trial makes the update after this many.
    fn trains(&self, trial: usize, step: i64) -> bool {
        self.ends.as_ref().is_none_or(|ends| step < ends[trial])
    }

    /// Returns the trials that do, unless all do.
    fn trained(&self, step: i64) -> Option<Vec<i64>> {
        let trials = self.ends.as_ref()?.len();
        let trained: Vec<i64> = (0..trials).filter(|&i| self.trains(i, step)).map(|i| i as i64).collect();
        (trained.len() < trials).then_some(trained)
    }
}

fn log_histogram(ctx: &Ctx, step: i64, model: &str, counts: &[i64]) -> Result<()> {
    let all = counts.iter().sum::<i64>().max(1) as f64;
    // The first decade starts at zero.
    let first = *DECADES.start();
    let rows = Rows::of((first - 1..).zip(counts))
        .utf8("network", |_| model)
        .f64("from", |(decade, _)| if decade < first { 0.0 } else { 10.0_f64.powi(decade) })
        .i64("decade", |(decade, _)| i64::from(decade))
        .i64("elements", |(_, count)| *count)
        .f64("share", |(_, count)| *count as f64 / all);
    ctx.table("gradient-histogram", step, &rows.columns())
}
