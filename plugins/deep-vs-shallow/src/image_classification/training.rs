//! Trains every network on every data set side by side.

use std::path::Path;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::cnn::{Cnn, Evaluation, Spec, Workspace};
use gradtop_toolkit::data::{Dataset, Split};
use gradtop_toolkit::instruments::{Instruments, Name, Probe};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::{Rng, Stream};
use gradtop_toolkit::weights::Weights;
use gradtop_toolkit::workers;
use tch::{Kind, TchError, Tensor};

/// The settings of [`Training::new`].
#[derive(Debug)]
pub struct Setup {
    /// Data sets.
    pub tasks: Vec<Task>,
    /// Networks.
    pub models: Vec<&'static Spec>,
    /// Number of networks of each kind on each data set.
    pub trials: i64,
    /// Samples per step.
    pub batch: i64,
    /// Optimizer.
    pub rule: Rule,
    /// Learning rates, the common one first, at each of which one more network of each kind is trained; empty for none.
    pub rates: Vec<f64>,
    /// Number of training images for these networks, and of the validation images after them that choose between the rates.
    pub swept: [i64; 2],
    /// Seed of initial values and batches.
    pub seed: u64,
    /// Device.
    pub device: tch::Device,
    /// Number of threads.
    pub threads: usize,
}

/// A data set on the device.
#[derive(Debug)]
pub struct Task {
    /// Name of its folder.
    pub name: &'static str,
    /// Title for display.
    pub title: &'static str,
    /// The classes, by label.
    pub classes: [&'static str; 10],
    /// Images to train on.
    pub train: Split,
    /// Images to test with.
    pub test: Split,
    tensors: Tensors,
    /// The epoch to which the orders belong.
    epoch: Option<u32>,
}

/// A data set as tensors.
#[derive(Debug)]
struct Tensors {
    train_x: Tensor,
    train_y: Tensor,
    test_x: Tensor,
    test_y: Tensor,
    /// The order of the training images in the current epoch, for each trial.
    orders: Vec<Tensor>,
    /// The same for networks at other rates.
    sweep_order: Tensor,
}

impl Tensors {
    /// Returns a copy for another thread that shares the memory.
    fn share(&self) -> Self {
        Self {
            train_x: self.train_x.shallow_clone(),
            train_y: self.train_y.shallow_clone(),
            test_x: self.test_x.shallow_clone(),
            test_y: self.test_y.shallow_clone(),
            orders: self.orders.iter().map(Tensor::shallow_clone).collect(),
            sweep_order: self.sweep_order.shallow_clone(),
        }
    }

    /// Copies these training images and their labels to the buffers of a batch.
    fn gather(&self, chosen: &Tensor, space: &Workspace, labels: &Tensor) -> Result<(), TchError> {
        self.train_x.f_index_select_out(space.images(), 0, chosen).map(drop)?;
        self.train_y.f_index_select_out(labels, 0, chosen).map(drop)
    }
}

impl Task {
    /// Copies a data set to the device.
    pub fn new(
        dataset: &Dataset,
        train: Split,
        test: Split,
        trials: i64,
        swept: i64,
        device: tch::Device,
    ) -> Result<Self> {
        let zeros = |length| Tensor::f_zeros([length], (Kind::Int64, device));
        Ok(Self {
            name: dataset.name,
            title: dataset.title,
            classes: dataset.classes,
            tensors: Tensors {
                train_x: train.features(device)?,
                train_y: train.labels(device)?,
                test_x: test.features(device)?,
                test_y: test.labels(device)?,
                orders: (0..trials).map(|_| zeros(train.len() as i64)).collect::<Result<_, _>>()?,
                sweep_order: zeros(swept)?,
            },
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
        for (trial, tensor) in self.tensors.orders.iter_mut().enumerate() {
            let stream = Stream::named("image-classification/batches").member(trial as u32);
            Rng::new(seed, stream, epoch).permute(&mut order);
            tensor.f_copy_(&Tensor::f_from_slice(&order)?)?;
        }
        order.truncate(self.tensors.sweep_order.numel());
        Rng::new(seed, Stream::named("image-classification/sweep/batches"), epoch).permute(&mut order);
        self.tensors.sweep_order.f_copy_(&Tensor::f_from_slice(&order)?)?;
        self.epoch = Some(epoch);
        Ok(())
    }
}

/// A network on a data set.
pub struct Fit {
    /// Index of its data set.
    pub task: usize,
    /// Its trial.
    pub trial: i64,
    /// The network.
    pub cnn: Cnn,
    /// The step at which its loss was found to be non-finite.
    pub diverged: Option<i64>,
    /// The latest loss and accuracy on the training set, then on the test set.
    pub latest: [f64; 4],
    /// Step of the latest evaluation.
    evaluated: Option<i64>,
    /// Its evaluation on the test set, if made at this step by this process.
    test: Option<(i64, Evaluation)>,
    probe: Probe,
    optimizer: Optimizer,
    /// Index of its kind.
    model: usize,
}

/// A network at one of the learning rates to choose from.
struct Swept {
    task: usize,
    model: usize,
    rate: f64,
    cnn: Cnn,
    optimizer: Optimizer,
}

/// The results of a network at one learning rate.
#[derive(Clone, Copy, Debug)]
pub struct AtRate {
    /// Index of its data set, and of its kind.
    pub place: [usize; 2],
    /// Its learning rate.
    pub rate: f64,
    /// Number of training images.
    pub images: i64,
    /// Loss and accuracy on the validation images, then on the test set.
    pub found: [f64; 4],
}

/// All networks and their data.
pub struct Training {
    fits: Vec<Fit>,
    sweep: Vec<Swept>,
    swept: [i64; 2],
    tasks: Vec<Task>,
    workers: Vec<Worker>,
    batch: i64,
    seed: u64,
    step: i64,
}

/// The resources of one thread: buffers for each kind of network, and the data.
struct Worker {
    spaces: Vec<Workspace>,
    labels: Tensor,
    tasks: Vec<Tensors>,
    /// Number of libtorch threads within one operation.
    threads: usize,
}

impl Training {
    /// Creates everything at step 0.
    pub fn new(setup: Setup) -> Result<Self> {
        let network = |spec, rule, stream| -> Result<(Cnn, Optimizer)> {
            let mut cnn = Cnn::zeros(spec, Kind::Float, setup.device)?;
            cnn.init_uniform(setup.seed, stream)?;
            let optimizer = Optimizer::new(rule, cnn.parameters())?.fused();
            Ok((cnn, optimizer))
        };
        let mut fits = Vec::new();
        for (t, task) in setup.tasks.iter().enumerate() {
            for (model, spec) in setup.models.iter().enumerate() {
                for trial in 0..setup.trials {
                    let stream = format!("image-classification/init/{}/{}", task.name, spec.name);
                    let stream = Stream::named(&stream).member(trial as u32);
                    let (cnn, optimizer) = network(spec, setup.rule, stream)?;
                    fits.push(Fit {
                        task: t,
                        trial,
                        diverged: None,
                        latest: [f64::NAN; 4],
                        evaluated: None,
                        test: None,
                        probe: Probe::default(),
                        optimizer,
                        cnn,
                        model,
                    });
                }
            }
        }
        let mut sweep = Vec::new();
        for (t, task) in setup.tasks.iter().enumerate() {
            for (model, spec) in setup.models.iter().enumerate() {
                let stream = format!("image-classification/sweep/init/{}/{}", task.name, spec.name);
                for &rate in &setup.rates {
                    // The same initial values and batches at each rate, so that nothing else differs.
                    let rule = setup.rule.with_rate(rate);
                    let (cnn, optimizer) = network(spec, rule, Stream::named(&stream))?;
                    sweep.push(Swept { task: t, model, rate, cnn, optimizer });
                }
            }
        }
        // On a CPU one network per thread: threads within such small operations wait longer for each other than they compute.
        let count = if setup.device == tch::Device::Cpu { setup.threads.min(fits.len()).max(1) } else { 1 };
        let worker = || -> Result<Worker> {
            let of_kind = |model: usize| fits.iter().find(|fit| fit.model == model);
            Ok(Worker {
                spaces: (0..setup.models.len())
                    .filter_map(of_kind)
                    .map(|fit| fit.cnn.workspace(setup.batch))
                    .collect::<Result<_, _>>()?,
                labels: Tensor::f_zeros([setup.batch], (Kind::Int64, setup.device))?,
                tasks: setup.tasks.iter().map(|task| task.tensors.share()).collect(),
                threads: (setup.threads / count).max(1),
            })
        };
        Ok(Self {
            workers: (0..count).map(|_| worker()).collect::<Result<_>>()?,
            fits,
            sweep,
            swept: setup.swept,
            tasks: setup.tasks,
            batch: setup.batch,
            seed: setup.seed,
            step: 0,
        })
    }

    /// Returns the networks, data set by data set, kind by kind, trial by trial.
    pub fn fits(&self) -> &[Fit] {
        &self.fits
    }

    /// Returns the data sets.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// Returns the number of updates done.
    pub fn step(&self) -> i64 {
        self.step
    }

    /// Returns the number of batches per epoch. The images left over (60,000 = 468 · 128 + 96) are skipped.
    pub fn steps_per_epoch(&self) -> i64 {
        self.tasks.iter().map(|task| task.train.len() as i64).min().unwrap_or(0) / self.batch
    }

    /// Returns the number of epochs that the updates done amount to.
    pub fn epoch(&self) -> f64 {
        self.step as f64 / self.steps_per_epoch() as f64
    }

    /// Attaches instruments to every network. Only at step 0.
    pub fn watch(&mut self, ctx: &Ctx, instruments: &mut Instruments) -> Result<()> {
        for fit in &mut self.fits {
            let task = &self.tasks[fit.task];
            let model = match self.tasks.len() {
                1 => fit.cnn.spec().name.to_owned(),
                _ => format!("{} {}", task.name, fit.cnn.spec().name),
            };
            let data = (&task.tensors.train_x, &task.tensors.train_y);
            let name = Name::of(&model).trial(fit.trial);
            fit.probe = instruments.declare(ctx, name, &fit.cnn, &data)?;
        }
        Ok(())
    }

    /// Logs the instruments' readings since the last call, network by network.
    pub fn log_readings(&mut self, ctx: &Ctx) -> Result<()> {
        let steps = self.steps_per_epoch();
        self.fits.iter_mut().try_for_each(|fit| fit.probe.log_kept(ctx, steps))
    }

    /// Makes `steps` updates, within one epoch, of every network that has not diverged; on each thread, one network
    /// after the other. Returns their numbers and the loss of their last batch before its update.
    pub fn advance(&mut self, steps: i64) -> Result<Vec<(usize, f64)>> {
        let whole = self.steps_per_epoch();
        let (epoch, first) = (self.step / whole, self.step % whole);
        for task in &mut self.tasks {
            task.shuffle(epoch as u32, self.seed)?;
        }
        let (batch, done) = (self.batch, self.step - first);
        let found = self.side_by_side(
            |_, fit| fit.diverged.is_none(),
            |fit, worker| {
                let (task, space) = (&worker.tasks[fit.task], &mut worker.spaces[fit.model]);
                let order = &task.orders[fit.trial as usize];
                for index in first..first + steps {
                    task.gather(&order.f_narrow(0, index * batch, batch)?, space, &worker.labels)?;
                    fit.cnn.gradient(space, &worker.labels)?;
                    let noise = || fit.cnn.gradient_variance(space);
                    let reading = fit.probe.update(done + index, &fit.cnn, &mut fit.optimizer, noise)?;
                    fit.probe.keep(reading);
                }
                Ok(Some(fit.cnn.batch_loss(space, &worker.labels)?))
            },
        )?;
        let last = (first + steps).min(self.swept[0] / batch);
        self.each_swept(|swept, worker| {
            let (task, space) = (&worker.tasks[swept.task], &mut worker.spaces[swept.model]);
            for index in first..last {
                task.gather(&task.sweep_order.f_narrow(0, index * batch, batch)?, space, &worker.labels)?;
                swept.cnn.gradient(space, &worker.labels)?;
                swept.optimizer.update(swept.cnn.parameters(), swept.cnn.gradients())?;
            }
            Ok(())
        })?;
        self.step += steps;
        Ok(found)
    }

    /// Evaluates the networks at each learning rate on the validation images, and on the test set, which chooses nothing.
    pub fn rates(&mut self) -> Result<Vec<AtRate>> {
        let [learnt, choosing] = self.swept;
        self.each_swept(|swept, worker| {
            let (task, space) = (&worker.tasks[swept.task], &mut worker.spaces[swept.model]);
            let part = |all: &Tensor| all.f_narrow(0, learnt, choosing);
            let chosen = swept.cnn.evaluate(space, &part(&task.train_x)?, &part(&task.train_y)?)?;
            let test = swept.cnn.evaluate(space, &task.test_x, &task.test_y)?;
            let found = [chosen.loss, chosen.accuracy, test.loss, test.accuracy];
            Ok(AtRate { place: [swept.task, swept.model], rate: swept.rate, images: learnt, found })
        })
    }

    /// Applies a function to each network of the sweep, like [`Training::side_by_side`].
    fn each_swept<T: Send>(
        &mut self,
        work: impl Fn(&mut Swept, &mut Worker) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let threads = self.workers.first().map_or(1, |worker| worker.threads);
        let sweep: Vec<&mut Swept> = self.sweep.iter_mut().collect();
        workers::side_by_side(&mut self.workers, threads, sweep, |worker, swept| work(swept, worker))
    }

    /// Returns the number of images that evaluations of these networks need.
    pub fn images(&self, which: impl Fn(&Fit) -> bool) -> i64 {
        let of = |fit: &Fit| self.tasks[fit.task].train.len() + self.tasks[fit.task].test.len();
        self.fits.iter().filter(|fit| which(fit)).map(|fit| of(fit) as i64).sum()
    }

    /// Returns whether every network has been evaluated at this step or has diverged.
    pub(crate) fn is_evaluated(&self) -> bool {
        self.fits.iter().all(|fit| !fit.is_due(self.step))
    }

    /// Returns the number of images that need no more evaluation at this step.
    pub fn seen(&self) -> i64 {
        self.images(|fit| !fit.is_due(self.step))
    }

    /// Evaluates every network that has neither diverged nor been evaluated at this step on the whole training and test
    /// sets. Returns their numbers and [training loss, training accuracy, test loss, test accuracy], without those
    /// interrupted by `stop`. Calls `seen` with the number of images of each completed network.
    pub fn evaluate(
        &mut self,
        stop: &(dyn Fn() -> bool + Sync),
        seen: &(dyn Fn(i64) -> Result<()> + Sync),
    ) -> Result<Vec<(usize, [f64; 4])>> {
        let step = self.step;
        self.side_by_side(
            |_, fit| fit.is_due(step),
            |fit, worker| {
                let (task, space) = (&worker.tasks[fit.task], &mut worker.spaces[fit.model]);
                let mut part = |x: &Tensor, y: &Tensor| fit.cnn.evaluate_unless(space, x, y, &mut || stop());
                let Some(train) = part(&task.train_x, &task.train_y)? else { return Ok(None) };
                let Some(test) = part(&task.test_x, &task.test_y)? else { return Ok(None) };
                fit.latest = [train.loss, train.accuracy, test.loss, test.accuracy];
                fit.evaluated = Some(step);
                fit.test = Some((step, test));
                seen(task.train_y.size()[0] + task.test_y.size()[0])?;
                Ok(Some(fit.latest))
            },
        )
    }

    /// Applies a function to each chosen network on as many threads as there are workers. The result does not depend on
    /// the thread. Results are in the order of the networks.
    fn side_by_side<T: Send>(
        &mut self,
        chosen: impl Fn(usize, &Fit) -> bool,
        work: impl Fn(&mut Fit, &mut Worker) -> Result<Option<T>> + Sync,
    ) -> Result<Vec<(usize, T)>> {
        let fits: Vec<(usize, &mut Fit)> =
            self.fits.iter_mut().enumerate().filter(|(i, fit)| chosen(*i, fit)).collect();
        let threads = self.workers.first().map_or(1, |worker| worker.threads);
        let found = workers::side_by_side(&mut self.workers, threads, fits, |worker, (i, fit)| {
            Ok(work(fit, worker)?.map(|value| (i, value)))
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Evaluates a network on the test set.
    pub fn test(&mut self, fit: usize) -> Result<Evaluation> {
        let fit = &mut self.fits[fit];
        if let Some((step, test)) = &fit.test
            && *step == self.step
        {
            return Ok(test.clone());
        }
        let worker = &mut self.workers[0];
        let (task, space) = (&worker.tasks[fit.task], &mut worker.spaces[fit.model]);
        Ok(fit.cnn.evaluate(space, &task.test_x, &task.test_y)?)
    }

    /// Marks a network as diverged, so that it is no longer trained.
    pub fn freeze(&mut self, fit: usize) {
        self.fits[fit].diverged.get_or_insert(self.step);
    }

    /// Saves the final weights of every network in the run's folder.
    pub fn keep_weights(&self, ctx: &Ctx, step: i64) -> Result<()> {
        let mut weights = Weights::default();
        self.fits.iter().try_for_each(|fit| weights.cnn(&self.full_name(fit), &fit.cnn))?;
        for swept in &self.sweep {
            let (task, model) = (self.tasks[swept.task].name, swept.cnn.spec().name);
            weights.cnn(&format!("{task}.{model}.lr{}", swept.rate), &swept.cnn)?;
        }
        weights.write(ctx, step, "networks")
    }

    /// Saves everything that [`Training::restore`] needs.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let mut saving = Saving::default();
        saving.integers("step", &[self.step])?;
        for fit in &self.fits {
            let name = self.full_name(fit);
            saving.parameters(&name, fit.cnn.parameters(), &fit.optimizer)?;
            let at = [fit.diverged.unwrap_or(-1), fit.evaluated.unwrap_or(-1)];
            saving.integers(&format!("{name}.diverged-evaluated"), &at)?;
            saving.numbers(&format!("{name}.latest"), &fit.latest)?;
        }
        for (i, swept) in self.sweep.iter().enumerate() {
            saving.parameters(&format!("sweep.{i}"), swept.cnn.parameters(), &swept.optimizer)?;
        }
        saving.checkpoint(dir)
    }

    /// Restores what [`Training::save`] saved, for the same setup.
    pub fn restore(&mut self, dir: &Path) -> Result<()> {
        let saved = Saved::checkpoint(dir)?;
        for i in 0..self.fits.len() {
            let name = self.full_name(&self.fits[i]);
            let fit = &mut self.fits[i];
            saved.restore(&name, fit.cnn.parameters(), &mut fit.optimizer)?;
            let [diverged, evaluated] = saved.exactly(&format!("{name}.diverged-evaluated"))?;
            fit.diverged = (diverged >= 0).then_some(diverged);
            fit.evaluated = (evaluated >= 0).then_some(evaluated);
            let latest = saved.numbers(&format!("{name}.latest"))?;
            fit.latest = latest.try_into().map_err(|_| saved.misfit())?;
        }
        for (i, swept) in self.sweep.iter_mut().enumerate() {
            saved.restore(&format!("sweep.{i}"), swept.cnn.parameters(), &mut swept.optimizer)?;
        }
        [self.step] = saved.exactly("step")?;
        Ok(())
    }

    fn full_name(&self, fit: &Fit) -> String {
        format!("{}.{}.{}", self.tasks[fit.task].name, fit.name(), fit.trial)
    }
}

impl Fit {
    /// Returns the name of its kind of network.
    pub fn name(&self) -> &'static str {
        self.cnn.spec().name
    }

    /// Returns the index of its data set, and of its kind.
    pub(super) fn place(&self) -> [usize; 2] {
        [self.task, self.model]
    }

    /// Returns whether it must be evaluated at this step.
    fn is_due(&self, step: i64) -> bool {
        self.evaluated != Some(step) && self.diverged.is_none()
    }
}
