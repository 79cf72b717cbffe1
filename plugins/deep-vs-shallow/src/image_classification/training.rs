//! Training every network on every data set side by side.

use std::path::Path;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::cnn::{Cnn, Evaluation, Spec, Workspace};
use gradtop_toolkit::data::{Dataset, Split};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::{Rng, Stream};
use tch::{Kind, Tensor};

const FILE: &str = "training.safetensors";

/// What [`Training::new`] needs to know.
#[derive(Debug)]
pub struct Setup {
    /// Data sets.
    pub tasks: Vec<Task>,
    /// Networks.
    pub models: Vec<&'static Spec>,
    /// Networks of each kind on each data set.
    pub trials: i64,
    /// Samples a step.
    pub batch: i64,
    /// Optimizer.
    pub rule: Rule,
    /// Seed of initial values and batches.
    pub seed: u64,
    /// Device.
    pub device: tch::Device,
}

/// A data set on the device.
#[derive(Debug)]
pub struct Task {
    /// Name of its folder.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// What the images show, by label.
    pub classes: [&'static str; 10],
    /// Images to train on.
    pub train: Split,
    /// Images to test with.
    pub test: Split,
    train_x: Tensor,
    train_y: Tensor,
    test_x: Tensor,
    test_y: Tensor,
    /// The order of the training images in the current epoch, for each trial.
    orders: Vec<Tensor>,
    /// The epoch of `orders`.
    epoch: Option<u32>,
}

impl Task {
    /// Brings a data set to the device.
    pub fn new(
        dataset: &Dataset,
        train: Split,
        test: Split,
        trials: i64,
        device: tch::Device,
    ) -> Result<Self> {
        let zeros = || Tensor::f_zeros([train.len() as i64], (Kind::Int64, device));
        Ok(Self {
            name: dataset.name,
            title: dataset.title,
            classes: dataset.classes,
            train_x: train.features(device)?,
            train_y: train.labels(device)?,
            test_x: test.features(device)?,
            test_y: test.labels(device)?,
            orders: (0..trials).map(|_| zeros()).collect::<Result<_, _>>()?,
            epoch: None,
            train,
            test,
        })
    }

    fn shuffle(&mut self, epoch: u32, seed: u64) -> Result<()> {
        if self.epoch == Some(epoch) {
            return Ok(());
        }
        let mut order = vec![0; self.train.len()];
        for (trial, tensor) in self.orders.iter_mut().enumerate() {
            let stream = Stream::named("image-classification/batches").member(trial as u32);
            Rng::new(seed, stream, epoch).permute(&mut order);
            tensor.f_copy_(&Tensor::f_from_slice(&order)?)?;
        }
        self.epoch = Some(epoch);
        Ok(())
    }
}

/// One network on one data set.
pub struct Fit {
    /// Index of its data set.
    pub task: usize,
    /// Which of the networks of its kind.
    pub trial: i64,
    /// The network.
    pub cnn: Cnn,
    /// Step at which its loss was found not to be finite.
    pub diverged: Option<i64>,
    /// The latest loss and accuracy on the training set, then on the test set.
    pub latest: [f64; 4],
    /// What it makes of the test set, if that was evaluated at this step and in this process.
    test: Option<(i64, Evaluation)>,
    optimizer: Optimizer,
    /// Index of its kind.
    model: usize,
}

/// All networks and their data.
pub struct Training {
    fits: Vec<Fit>,
    tasks: Vec<Task>,
    /// Buffers of each kind of network; the trials take turns.
    spaces: Vec<Workspace>,
    labels: Tensor,
    batch: i64,
    seed: u64,
    step: i64,
    /// The step of the last evaluation, and how many networks were evaluated at it.
    evaluated: (i64, usize),
}

impl Training {
    /// Everything at step 0.
    pub fn new(setup: Setup) -> Result<Self> {
        let mut fits = Vec::new();
        let mut spaces = Vec::new();
        for (t, task) in setup.tasks.iter().enumerate() {
            for (model, spec) in setup.models.iter().enumerate() {
                for trial in 0..setup.trials {
                    let mut cnn = Cnn::zeros(spec, Kind::Float, setup.device)?;
                    let stream = format!("image-classification/init/{}/{}", task.name, spec.name);
                    cnn.init_uniform(setup.seed, Stream::named(&stream).member(trial as u32))?;
                    if spaces.len() == model {
                        spaces.push(cnn.workspace(setup.batch)?);
                    }
                    let optimizer = Optimizer::new(setup.rule, cnn.parameters())?.fused();
                    fits.push(Fit {
                        task: t,
                        trial,
                        cnn,
                        diverged: None,
                        latest: [f64::NAN; 4],
                        test: None,
                        optimizer,
                        model,
                    });
                }
            }
        }
        Ok(Self {
            fits,
            tasks: setup.tasks,
            spaces,
            labels: Tensor::f_zeros([setup.batch], (Kind::Int64, setup.device))?,
            batch: setup.batch,
            seed: setup.seed,
            step: 0,
            evaluated: (-1, 0),
        })
    }

    /// Data set by data set, network by network, trial by trial.
    pub fn fits(&self) -> &[Fit] {
        &self.fits
    }

    /// The data sets.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// Updates done.
    pub fn step(&self) -> i64 {
        self.step
    }

    /// Batches of an epoch. The images left over (60,000 = 468 · 128 + 96) sit that epoch out.
    pub fn steps_per_epoch(&self) -> i64 {
        self.tasks.iter().map(|task| task.train.len() as i64).min().unwrap_or(0) / self.batch
    }

    /// Passes over the training images that the updates done amount to.
    pub fn epoch(&self) -> f64 {
        self.step as f64 / self.steps_per_epoch() as f64
    }

    /// One update of every network that has not diverged. With `losses`, gives their numbers and the loss of their batch before it.
    pub fn advance(&mut self, losses: bool) -> Result<Vec<(usize, f64)>> {
        let steps = self.steps_per_epoch();
        let (epoch, index) = (self.step / steps, self.step % steps);
        let mut seen = Vec::new();
        for task in &mut self.tasks {
            task.shuffle(epoch as u32, self.seed)?;
        }
        for (i, fit) in self.fits.iter_mut().enumerate() {
            if fit.diverged.is_some() {
                continue;
            }
            let (task, space) = (&self.tasks[fit.task], &mut self.spaces[fit.model]);
            let chosen = task.orders[fit.trial as usize].f_narrow(0, index * self.batch, self.batch)?;
            task.train_x.f_index_select_out(space.images(), 0, &chosen).map(drop)?;
            task.train_y.f_index_select_out(&self.labels, 0, &chosen).map(drop)?;
            fit.cnn.gradient(space, &self.labels)?;
            if losses {
                seen.push((i, fit.cnn.batch_loss(space, &self.labels)?));
            }
            fit.optimizer.update(fit.cnn.parameters(), fit.cnn.gradients())?;
        }
        self.step += 1;
        Ok(seen)
    }

    /// The next network to evaluate at this step.
    pub fn next_to_evaluate(&self) -> Option<usize> {
        let (step, count) = self.evaluated;
        let next = if step == self.step { count } else { 0 };
        (next < self.fits.len()).then_some(next)
    }

    /// Goes on to the network after the next.
    pub fn skip_evaluation(&mut self) {
        if let Some(next) = self.next_to_evaluate() {
            self.evaluated = (self.step, next + 1);
        }
    }

    /// Evaluates the next network on the whole training and test set: loss and accuracy of both. `None` if `stop` says so meanwhile;
    /// it then is still the next.
    pub fn evaluate_next(&mut self, stop: &mut dyn FnMut() -> bool) -> Result<Option<[f64; 4]>> {
        let Some(next) = self.next_to_evaluate() else { return Ok(None) };
        let fit = &mut self.fits[next];
        let (task, space) = (&self.tasks[fit.task], &mut self.spaces[fit.model]);
        let Some(train) = fit.cnn.evaluate_unless(space, &task.train_x, &task.train_y, stop)? else {
            return Ok(None);
        };
        let Some(test) = fit.cnn.evaluate_unless(space, &task.test_x, &task.test_y, stop)? else {
            return Ok(None);
        };
        fit.latest = [train.loss, train.accuracy, test.loss, test.accuracy];
        let latest = fit.latest;
        fit.test = Some((self.step, test));
        self.evaluated = (self.step, next + 1);
        Ok(Some(latest))
    }

    /// What a network makes of the test set now.
    pub fn test(&mut self, fit: usize) -> Result<Evaluation> {
        let fit = &mut self.fits[fit];
        if let Some((step, test)) = &fit.test
            && *step == self.step
        {
            return Ok(test.clone());
        }
        let (task, space) = (&self.tasks[fit.task], &mut self.spaces[fit.model]);
        Ok(fit.cnn.evaluate(space, &task.test_x, &task.test_y)?)
    }

    /// Marks a network as diverged: it is no longer trained.
    pub fn freeze(&mut self, fit: usize) {
        self.fits[fit].diverged.get_or_insert(self.step);
    }

    /// Writes everything a later [`Training::restore`] needs.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let mut saving = Saving::default();
        saving.integers("step", &[self.step, self.evaluated.0, self.evaluated.1 as i64])?;
        for fit in &self.fits {
            let name = self.full_name(fit);
            saving.parameters(&name, fit.cnn.parameters(), &fit.optimizer)?;
            saving.integers(&format!("{name}.diverged"), &[fit.diverged.unwrap_or(-1)])?;
            saving.numbers(&format!("{name}.latest"), &fit.latest)?;
        }
        saving.write(&dir.join(FILE))?;
        Ok(())
    }

    /// Goes back to what [`Training::save`] wrote, for the same setup.
    pub fn restore(&mut self, dir: &Path) -> Result<()> {
        let path = dir.join(FILE);
        let saved = Saved::read(&path)?;
        let damaged = || Error::new(format!("checkpoint {} does not fit this run", path.display()));
        let [step, evaluated, count] = saved.integers("step")?[..] else { return Err(damaged()) };
        for i in 0..self.fits.len() {
            let name = self.full_name(&self.fits[i]);
            let fit = &mut self.fits[i];
            saved.restore_parameters(&name, fit.cnn.parameters(), &mut fit.optimizer)?;
            let [diverged] = saved.integers(&format!("{name}.diverged"))?[..] else { return Err(damaged()) };
            fit.diverged = (diverged >= 0).then_some(diverged);
            let latest = saved.numbers(&format!("{name}.latest"))?;
            fit.latest = latest.try_into().map_err(|_| damaged())?;
        }
        self.step = step;
        self.evaluated = (evaluated, count as usize);
        Ok(())
    }

    fn full_name(&self, fit: &Fit) -> String {
        format!("{}.{}.{}", self.tasks[fit.task].name, fit.name(), fit.trial)
    }
}

impl Fit {
    /// Name of its kind of network.
    pub fn name(&self) -> &'static str {
        self.cnn.spec().name
    }
}
