//! The state of the run: what is done, and the networks in training.

use std::path::Path;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::data::{self, CLASSES, Dataset, Split};
use gradtop_toolkit::instruments::Instruments;
use gradtop_toolkit::metrics::Points;
use gradtop_toolkit::mlp::Samples;
use gradtop_toolkit::rates::shared;
use gradtop_toolkit::rng::{Rng, Stream};
use gradtop_toolkit::runtime;
use gradtop_toolkit::weights::Weights;
use tch::{Device, Kind, Tensor};

use super::ModelSize;
use super::features::{errors, features, minimum_norm, weights};
use super::networks::{Networks, Scores};
use super::results::{AtRate, Model, Part, Results, noise_in_words};
use super::settings::{Unit, choosing, full_samples, units};
use crate::labels::{self, corrupted};

/// The whole run.
pub(super) struct State {
    params: ModelSize,
    seed: u64,
    device: Device,
    /// One entry per network trained in parallel.
    workers: Vec<()>,
    threads: usize,
    dataset: std::sync::Arc<Dataset>,
    units: Vec<Unit>,
    /// The index of the unit that is next or in training.
    at: usize,
    /// Number of updates and solutions so far.
    step: i64,
    pub(super) results: Results,
    sets: Option<Sets>,
    networks: Option<Networks>,
    instruments: Instruments,
    draw: Option<Draw>,
}

/// The data sets of the part in training.
struct Sets {
    part: Part,
    /// Training images, `u8 [samples, 784]`.
    images: Tensor,
    /// Their labels, one row for each network of a width.
    labels: Tensor,
    test: Samples,
    /// Validation images that choose between learning rates.
    choosing: Option<Samples>,
}

/// One draw of random features on both sets of part C.
struct Draw {
    trial: i64,
    train: Tensor,
    test: Tensor,
    /// One-hot targets `[n, 20]`: true, then noisy labels; test targets twice.
    targets: [Tensor; 2],
    labels: [Vec<Tensor>; 2],
}

/// Returns labels of the training images with this noise for a trial.
fn noisy(split: &Split, noise: f64, seed: u64, part: &str, trial: i64) -> Vec<u8> {
    let stream = Stream::named(&format!("model-size/noise/{part}")).member(trial as u32);
    corrupted(split.label_values(), noise, Rng::new(seed, stream, 0))
}

/// Returns noise and trial of a network of a unit by its index.
fn member(params: &ModelSize, unit: Unit, index: usize) -> (f64, i64) {
    let trials = unit.trials(params) as usize;
    (if index < trials { 0.0 } else { params.noise }, (index % trials) as i64)
}

/// Returns the name of a unit's networks, and the trial.
fn name(params: &ModelSize, unit: Unit, index: usize) -> (String, i64) {
    let (noise, trial) = member(params, unit, index);
    let name = match unit.part {
        Part::Full | Part::Rates => unit.in_words(),
        _ => {
            let (noise, rate) = (noise_in_words(noise), unit.rate_in_words(", "));
            format!("few images, width {}, {noise}{rate}", unit.width)
        }
    };
    (name, trial)
}

impl State {
    pub(super) fn new(params: &ModelSize, seed: u64, device: Device, threads: usize) -> Result<Self> {
        let caption = format!("Adam, lr {}, batch {}, seed {seed}.", params.lr, params.batch);
        Ok(Self {
            units: units(params)?,
            dataset: data::load(&params.dataset)?,
            params: params.clone(),
            seed,
            device,
            workers: vec![(); if device == Device::Cpu { threads.max(1) } else { 1 }],
            threads,
            at: 0,
            step: 0,
            results: Results::default(),
            sets: None,
            networks: None,
            instruments: Instruments::new(&params.instruments, seed, &caption),
            draw: None,
        })
    }

    pub(super) fn units(&self) -> &[Unit] {
        &self.units
    }

    /// Returns the unit that is next or in training.
    pub(super) fn unit(&self) -> Option<Unit> {
        self.units.get(self.at).copied()
    }

    /// Returns the number of completed units.
    pub(super) fn done(&self) -> usize {
        self.at
    }

    /// Returns the number of updates and solutions so far.
    pub(super) fn step(&self) -> i64 {
        self.step
    }

    pub(super) fn total(&self) -> i64 {
        self.units.iter().map(|unit| unit.cost(&self.params)).sum()
    }

    /// Returns the cost of what is done.
    pub(super) fn cost_done(&self) -> i64 {
        let whole: i64 = self.units[..self.at].iter().map(|unit| unit.cost(&self.params)).sum();
        let part = match (&self.networks, self.unit()) {
            (Some(networks), Some(unit)) => {
                let share = networks.step() as f64 / networks.total() as f64;
                (share * unit.cost(&self.params) as f64) as i64
            }
            _ => 0,
        };
        whole + part
    }

    /// Makes some updates of the networks in training, or computes one solution. Returns whether that completed a unit.
    pub(super) fn advance(&mut self, ctx: &Ctx) -> Result<bool> {
        match self.unit() {
            None => Ok(false),
            Some(Unit { part: Part::Features, trial, width, .. }) => self.solve(ctx, trial, width),
            Some(unit) => self.train(ctx, unit),
        }
    }

    fn sets(&mut self, unit: Unit) -> Result<()> {
        let part = unit.part;
        if self.sets.as_ref().is_some_and(|sets| sets.part == part) {
            return Ok(());
        }
        let (dataset, params, seed, device) = (&self.dataset, &self.params, self.seed, self.device);
        // Of `count` images the first are learnt, and the last choose between rates.
        let (count, [learnt, choosing], kinds) = match part {
            Part::Full => (full_samples(params), [full_samples(params), 0], vec![0.0]),
            Part::Rates => (full_samples(params), shared(full_samples(params)), vec![0.0]),
            // The networks with clean labels first.
            _ => {
                let (learnt, choosing) = (params.subset_samples, choosing(params));
                (learnt + choosing, [learnt, choosing], vec![0.0, params.noise])
            }
        };
        let train = dataset.train.subset(learnt as usize, seed);
        let mut rows = Vec::new();
        for noise in kinds {
            for trial in 0..unit.trials(params) {
                rows.push(labels::tensor(&noisy(&train, noise, seed, "subset", trial), device)?);
            }
        }
        let samples = |images: &Tensor, labels: &Tensor| {
            Samples::classes(images, 1.0 / 255.0, labels, CLASSES, Kind::Float, device)
        };
        let choosing = if choosing > 0 {
            let all = dataset.train.subset(count as usize, seed);
            let last = |tensor: Tensor| tensor.f_narrow(0, count - choosing, choosing);
            Some(samples(&last(all.images(device)?)?, &last(all.labels(device)?)?)?)
        } else {
            None
        };
        self.sets = Some(Sets {
            part,
            images: train.images(device)?,
            labels: Tensor::f_stack(&rows, 0)?,
            test: samples(&dataset.test.images(device)?, &dataset.test.labels(device)?)?,
            choosing,
        });
        Ok(())
    }

    fn train(&mut self, ctx: &Ctx, unit: Unit) -> Result<bool> {
        self.open(ctx, unit)?;
        let (Some(sets), Some(networks)) = (&self.sets, &mut self.networks) else {
            return Err(Error::new("networks are trained before they are made"));
        };
        self.step += networks.advance(&mut self.workers)?;
        networks.log_readings(ctx)?;
        if !networks.due() {
            return Ok(false);
        }
        let scores = networks.evaluate(&sets.test, &mut self.workers)?;
        let ended = networks.ended();
        let chosen_by = match sets.choosing.as_ref().filter(|_| ended) {
            Some(choosing) => Some(networks.evaluate(choosing, &mut self.workers)?),
            None => None,
        };
        self.log(ctx, unit, &scores)?;
        if ended {
            if let Some(chosen_by) = chosen_by {
                self.keep_at_rate(unit, &chosen_by, &scores);
            }
            if !unit.part.at_rates() {
                self.keep(unit, &scores);
            }
            self.keep_weights(ctx, unit)?;
            self.networks = None;
            self.at += 1;
        }
        Ok(ended)
    }

    /// Creates the networks of a unit if necessary.
    fn open(&mut self, ctx: &Ctx, unit: Unit) -> Result<()> {
        self.sets(unit)?;
        let Some(sets) = &self.sets else { return Ok(()) };
        if self.networks.is_none() {
            let Sets { images, labels, .. } = sets;
            let mut networks = Networks::new(&self.params, unit, images, labels, self.seed)?;
            let params = &self.params;
            networks.watch(ctx, &mut self.instruments, |index| name(params, unit, index))?;
            self.networks = Some(networks);
        }
        Ok(())
    }

    fn log(&self, ctx: &Ctx, unit: Unit, scores: &Scores) -> Result<()> {
        let loss =
            if matches!(unit.part, Part::Subset | Part::SubsetRates) { "squared_error" } else { "loss" };
        let mut points = Points::of(ctx);
        for (split, found) in [("train", scores.train.as_ref()), ("test", Some(&scores.test))] {
            let Some(found) = found else { continue };
            for index in 0..found.loss.len() {
                let (name, trial) = name(&self.params, unit, index);
                let of = |metric| Series::metric(metric).model(&name).split(split).trial(trial as i32);
                points = points.one(of(loss), found.loss[index])?;
                points = points.one(of("accuracy"), found.accuracy[index])?;
            }
        }
        points.log(self.step, self.networks.as_ref().map_or(f64::NAN, Networks::epoch))
    }

    fn keep(&mut self, unit: Unit, scores: &Scores) {
        let Scores { train: Some(on_train), test: on_test } = scores else { return };
        for index in 0..on_train.loss.len() {
            let (noise, trial) = member(&self.params, unit, index);
            self.results.models.push(Model {
                part: unit.part,
                width: unit.width,
                parameters: unit.parameters(),
                noise,
                trial,
                train: [on_train.loss[index], on_train.accuracy[index]],
                test: [on_test.loss[index], on_test.accuracy[index]],
                norm: f64::NAN,
            });
        }
    }

    /// Stores the first network with each kind of labels along with those at other rates.
    fn keep_at_rate(&mut self, unit: Unit, chosen_by: &Scores, scores: &Scores) {
        let part = if unit.part == Part::Subset { Part::SubsetRates } else { unit.part };
        for index in 0..scores.test.loss.len() {
            let (noise, trial) = member(&self.params, unit, index);
            let of = |scores: &Scores| [scores.test.loss[index], scores.test.accuracy[index]];
            if trial == 0 {
                self.results.rates.push(AtRate {
                    part,
                    noise,
                    width: unit.width,
                    parameters: unit.parameters(),
                    lr: unit.lr,
                    validation: of(chosen_by),
                    test: of(scores),
                });
            }
        }
    }

    /// Saves the weights of the networks of a unit in the run's folder. Part C has none, because its readouts are
    /// quickly solved again.
    fn keep_weights(&self, ctx: &Ctx, unit: Unit) -> Result<()> {
        let Some(networks) = &self.networks else { return Ok(()) };
        let mut weights = Weights::default();
        networks.keep(&mut weights, |index| {
            let (name, trial) = name(&self.params, unit, index);
            format!("{name}.{trial}")
        })?;
        let file = format!("{} width {}{}", unit.part.letter(), unit.width, unit.rate_in_words(" "));
        weights.write(ctx, self.step, &file)
    }

    /// Draws features for this trial, as many as any unit needs.
    fn draw(&mut self, trial: i64) -> Result<()> {
        if self.draw.as_ref().is_some_and(|draw| draw.trial == trial) {
            return Ok(());
        }
        self.sets = None;
        runtime::set_threads(self.threads);
        let drawn = self.units.iter().filter(|unit| unit.part == Part::Features);
        let most = drawn.map(|unit| unit.width);
        // Always on the CPU: double precision, and a decomposition that GPUs lack.
        let (seed, device) = (self.seed, Device::Cpu);
        let weights = weights(most.max().unwrap_or(1), seed, trial as u32)?;
        let train = self.dataset.train.subset(self.params.feature_samples as usize, seed);
        let test = self.dataset.test.subset(self.params.feature_tests as usize, seed);
        let of = |split: &Split| -> Result<Tensor> {
            let pixels = split.images(device)?.f_to_kind(Kind::Double)?.f_mul_scalar(1.0 / 255.0)?;
            Ok(features(&pixels, &weights)?)
        };
        let one_hot = |labels: &[Tensor]| -> Result<Tensor> {
            let parts = labels
                .iter()
                .map(|labels| labels.f_one_hot(CLASSES)?.f_to_kind(Kind::Double))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Tensor::f_cat(&parts, 1)?)
        };
        let own = [0.0, self.params.noise]
            .map(|noise| labels::tensor(&noisy(&train, noise, seed, "features", trial), device));
        let [clean, dirty] = own;
        let train_labels = vec![clean?, dirty?];
        let truth = test.labels(device)?;
        let test_labels = vec![truth.shallow_clone(), truth];
        self.draw = Some(Draw {
            trial,
            train: of(&train)?,
            test: of(&test)?,
            targets: [one_hot(&train_labels)?, one_hot(&test_labels)?],
            labels: [train_labels, test_labels],
        });
        Ok(())
    }

    fn solve(&mut self, ctx: &Ctx, trial: i64, count: i64) -> Result<bool> {
        self.draw(trial)?;
        let Some(draw) = &self.draw else { return Ok(false) };
        let train = draw.train.f_narrow(1, 0, count)?;
        let test = draw.test.f_narrow(1, 0, count)?;
        let a = minimum_norm(&train, &draw.targets[0])?;
        let of = |features: &Tensor, set: usize| -> Result<Vec<[f64; 2]>> {
            Ok(errors(&features.f_matmul(&a)?, &draw.targets[set], &draw.labels[set], CLASSES)?)
        };
        let (on_train, on_test) = (of(&train, 0)?, of(&test, 1)?);
        self.step += 1;
        let mut points = Points::of(ctx);
        for (index, noise) in [0.0, self.params.noise].into_iter().enumerate() {
            let own = a.f_narrow(1, index as i64 * CLASSES, CLASSES)?;
            let model = Model {
                part: Part::Features,
                width: count,
                parameters: own.numel() as i64,
                noise,
                trial,
                train: on_train[index],
                test: on_test[index],
                norm: own.f_square()?.f_sum(Kind::Double)?.f_sqrt()?.f_double_value(&[])?,
            };
            let name = format!("random features, {}", noise_in_words(noise));
            for (split, [error, accuracy]) in [("train", model.train), ("test", model.test)] {
                let of = |metric| Series::metric(metric).model(&name).split(split).trial(trial as i32);
                points = points.one(of("squared_error"), error)?.one(of("accuracy"), accuracy)?;
            }
            self.results.models.push(model);
        }
        points.log(self.step, f64::NAN)?;
        self.at += 1;
        Ok(true)
    }

    /// Saves everything that [`State::restore`] needs.
    pub(super) fn save(&self, dir: &Path) -> Result<()> {
        let mut saving = Saving::default();
        let training = i64::from(self.networks.is_some());
        saving.integers("state", &[self.at as i64, self.step, training])?;
        self.results.save(&mut saving)?;
        if let Some(networks) = &self.networks {
            networks.save(&mut saving)?;
        }
        saving.checkpoint(dir)
    }

    /// Restores what [`State::save`] saved, for the same parameters.
    pub(super) fn restore(&mut self, ctx: &Ctx, dir: &Path) -> Result<()> {
        let saved = Saved::checkpoint(dir)?;
        let [at, step, training] = saved.exactly("state")?;
        self.at = usize::try_from(at).map_err(|_| saved.misfit())?;
        self.step = step;
        self.results.restore(&saved)?;
        if training != 0 {
            let unit = self.unit().ok_or_else(|| saved.misfit())?;
            if unit.part == Part::Features {
                return Err(saved.misfit().into());
            }
            self.open(ctx, unit)?;
            if let Some(networks) = &mut self.networks {
                networks.restore(&saved)?;
            }
        }
        Ok(())
    }
}
