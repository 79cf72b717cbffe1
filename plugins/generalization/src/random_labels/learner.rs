//! A network in training, whatever its kind.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::cnn::{Cnn, Spec, Workspace};
use gradtop_toolkit::data::CLASSES;
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::instruments::{Instruments, Name, Probe};
use gradtop_toolkit::mlp::{Activation, Loss, Mlp, Samples};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::{Rng, Stream};
use gradtop_toolkit::weights::Weights;
use tch::{Device, Kind, Tensor};

use super::plan::Network;
use crate::labels;

/// The settings common to all networks of a run.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Samples per step.
    pub batch: i64,
    /// Optimizer.
    pub rule: Rule,
    /// The seed.
    pub seed: u64,
    /// Device.
    pub device: Device,
}

/// The sets of one network: training and test inputs `f32 [n, 784]`, test labels `i64 [n]`.
#[derive(Debug)]
pub struct Sets {
    /// Training inputs.
    pub train: Tensor,
    /// Test inputs.
    pub test: Tensor,
    /// Test labels.
    pub test_labels: Tensor,
}

/// A network with its optimizer and its data.
pub trait Learner: Send {
    /// Returns the number of updates done.
    fn step(&self) -> i64;
    /// Returns the number of updates per epoch; the last batch is shorter if the samples do not divide evenly.
    fn steps_per_epoch(&self) -> i64;
    /// Sets the labels of the training inputs. Only between epochs.
    fn set_labels(&mut self, labels: &[u8]) -> Result<()>;
    /// Returns the labels it currently learns, read back from the device.
    fn labels(&self) -> Result<Vec<u8>>;
    /// Makes one update.
    fn advance(&mut self) -> Result<()>;
    /// Creates a probe of it, before its first update.
    fn watch(&self, ctx: &Ctx, instruments: &mut Instruments, name: Name) -> Result<Probe>;
    /// Lets a probe make the updates: that of a network with the same initial values.
    fn attach(&mut self, probe: Probe);
    /// Logs the probe's readings since the last call.
    fn log_readings(&mut self, ctx: &Ctx) -> Result<()>;
    /// Returns the mean cross entropy and accuracy on the whole training set, by its current labels.
    fn on_train(&mut self) -> Result<[f64; 2]>;
    /// Returns the mean cross entropy and accuracy on the test set, by its true labels.
    fn on_test(&mut self) -> Result<[f64; 2]>;
    /// Saves everything that [`Learner::restore`] needs, under this name, except labels.
    fn save(&self, name: &str, saving: &mut Saving) -> Result<()>;
    /// Adds its weights under this name.
    fn keep(&self, name: &str, weights: &mut Weights) -> Result<()>;
    /// Restores what [`Learner::save`] saved.
    fn restore(&mut self, name: &str, saved: &Saved) -> Result<()>;
}

/// Creates a network of this kind at step 0. Its initial values and the order of its batches depend only on seed, kind and trial.
pub fn new(
    network: &Network,
    trial: i64,
    setting: Setting,
    sets: Sets,
    labels: &[u8],
) -> Result<Box<dyn Learner>> {
    let stream =
        |purpose: &str| Stream::named(&format!("random-labels/{purpose}/{}/{trial}", network.name()));
    Ok(match network {
        Network::Mlp(widths) => {
            Box::new(Perceptron::new(widths, setting, sets, labels, stream("init"), stream("batches"))?)
        }
        Network::Cnn(spec) => {
            Box::new(Convolutional::new(spec, setting, sets, labels, stream("init"), stream("batches"))?)
        }
    })
}

fn read_labels(labels: &Tensor) -> Result<Vec<u8>> {
    let mut values = vec![0_u8; labels.numel()];
    labels.f_to_device(Device::Cpu)?.f_to_kind(Kind::Uint8)?.f_copy_data(&mut values, labels.numel())?;
    Ok(values)
}

struct Perceptron {
    ensemble: Ensemble,
    inputs: Tensor,
    train: Samples,
    test: Samples,
    probe: Probe,
}

fn samples(inputs: &Tensor, labels: &Tensor) -> Result<Samples> {
    Ok(Samples::classes(inputs, 1.0, labels, CLASSES, Kind::Float, inputs.device())?)
}

impl Perceptron {
    fn new(
        widths: &[i64],
        setting: Setting,
        sets: Sets,
        labels: &[u8],
        init: Stream,
        batches: Stream,
    ) -> Result<Self> {
        let mlp =
            Mlp::zeros(widths, 1, Kind::Float, setting.device)?.with(Activation::Relu, Loss::CrossEntropy);
        let train = samples(&sets.train, &labels::tensor(labels, setting.device)?)?;
        let learnt = (&train, setting.batch);
        let ensemble = Ensemble::drawn(mlp, setting.rule, learnt, setting.seed, [init, batches])?;
        let test = samples(&sets.test, &sets.test_labels)?;
        Ok(Self { ensemble, inputs: sets.train, train, test, probe: Probe::default() })
    }

    fn on(&self, samples: &Samples) -> Result<[f64; 2]> {
        let found = self.ensemble.mlp.evaluate(samples)?;
        Ok([found.loss[0], found.accuracy[0]])
    }
}

impl Learner for Perceptron {
    fn step(&self) -> i64 {
        self.ensemble.step()
    }

    fn steps_per_epoch(&self) -> i64 {
        self.ensemble.steps_per_epoch()
    }

    fn set_labels(&mut self, labels: &[u8]) -> Result<()> {
        self.train = samples(&self.inputs, &labels::tensor(labels, self.inputs.device())?)?;
        Ok(self.probe.learns(&self.train)?)
    }

    fn labels(&self) -> Result<Vec<u8>> {
        // From the targets that the passes use, not from the labels they were created from.
        read_labels(&self.train.targets().f_argmax(0, false)?)
    }

    fn advance(&mut self) -> Result<()> {
        let reading = self.probe.read(&mut self.ensemble, &self.train)?;
        self.probe.keep(reading);
        Ok(())
    }

    fn watch(&self, ctx: &Ctx, instruments: &mut Instruments, name: Name) -> Result<Probe> {
        instruments.declare(ctx, name, &self.ensemble.mlp, &self.train)
    }

    fn attach(&mut self, probe: Probe) {
        self.probe = probe;
    }

    fn log_readings(&mut self, ctx: &Ctx) -> Result<()> {
        self.probe.log_kept(ctx, self.steps_per_epoch())
    }

    fn on_train(&mut self) -> Result<[f64; 2]> {
        self.on(&self.train)
    }

    fn on_test(&mut self) -> Result<[f64; 2]> {
        self.on(&self.test)
    }

    fn save(&self, name: &str, saving: &mut Saving) -> Result<()> {
        Ok(self.ensemble.save(name, saving)?)
    }

    fn keep(&self, name: &str, weights: &mut Weights) -> Result<()> {
        weights.mlp(name, &self.ensemble.mlp, 0)
    }

    fn restore(&mut self, name: &str, saved: &Saved) -> Result<()> {
        Ok(self.ensemble.restore(name, saved)?)
    }
}

struct Convolutional {
    cnn: Cnn,
    optimizer: Optimizer,
    whole: Workspace,
    /// For the shorter batch at the end of an epoch.
    rest: Option<Workspace>,
    sets: Sets,
    labels: Tensor,
    probe: Probe,
    order: Tensor,
    /// The epoch to which the order belongs.
    epoch: Option<i64>,
    step: i64,
    batch: i64,
    seed: u64,
    stream: Stream,
}

impl Convolutional {
    fn new(
        spec: &'static Spec,
        setting: Setting,
        sets: Sets,
        labels: &[u8],
        init: Stream,
        batches: Stream,
    ) -> Result<Self> {
        let count = sets.train.size()[0];
        let batch = setting.batch.min(count);
        let mut cnn = Cnn::zeros(spec, Kind::Float, setting.device)?;
        cnn.init_uniform(setting.seed, init)?;
        Ok(Self {
            optimizer: Optimizer::new(setting.rule, cnn.parameters())?.fused(),
            whole: cnn.workspace(batch)?,
            rest: (count % batch > 0).then(|| cnn.workspace(count % batch)).transpose()?,
            labels: labels::tensor(labels, setting.device)?,
            probe: Probe::default(),
            order: Tensor::f_zeros([count], (Kind::Int64, setting.device))?,
            epoch: None,
            step: 0,
            batch,
            seed: setting.seed,
            stream: batches,
            cnn,
            sets,
        })
    }
}

impl Learner for Convolutional {
    fn step(&self) -> i64 {
        self.step
    }

    fn steps_per_epoch(&self) -> i64 {
        (self.order.size()[0] + self.batch - 1) / self.batch
    }

    fn set_labels(&mut self, labels: &[u8]) -> Result<()> {
        self.labels = labels::tensor(labels, self.labels.device())?;
        Ok(self.probe.learns(&(&self.sets.train, &self.labels))?)
    }

    fn labels(&self) -> Result<Vec<u8>> {
        read_labels(&self.labels)
    }

    fn advance(&mut self) -> Result<()> {
        let (count, steps) = (self.order.size()[0], self.steps_per_epoch());
        let (epoch, index) = (self.step / steps, self.step % steps);
        if self.epoch != Some(epoch) {
            let mut order = vec![0; count as usize];
            Rng::new(self.seed, self.stream, epoch as u32).permute(&mut order);
            self.order.f_copy_(&Tensor::f_from_slice(&order)?)?;
            self.epoch = Some(epoch);
        }
        let start = index * self.batch;
        let length = self.batch.min(count - start);
        let space = if length < self.batch { self.rest.as_mut() } else { None }.unwrap_or(&mut self.whole);
        let chosen = self.order.f_narrow(0, start, length)?;
        self.sets.train.f_index_select_out(space.images(), 0, &chosen).map(drop)?;
        self.cnn.gradient(space, &self.labels.f_index_select(0, &chosen)?)?;
        let noise = || self.cnn.gradient_variance(space);
        let reading = self.probe.update(self.step, &self.cnn, &mut self.optimizer, noise)?;
        self.probe.keep(reading);
        self.step += 1;
        Ok(())
    }

    fn watch(&self, ctx: &Ctx, instruments: &mut Instruments, name: Name) -> Result<Probe> {
        instruments.declare(ctx, name, &self.cnn, &(&self.sets.train, &self.labels))
    }

    fn attach(&mut self, probe: Probe) {
        self.probe = probe;
    }

    fn log_readings(&mut self, ctx: &Ctx) -> Result<()> {
        self.probe.log_kept(ctx, self.steps_per_epoch())
    }

    fn on_train(&mut self) -> Result<[f64; 2]> {
        let found = self.cnn.evaluate(&mut self.whole, &self.sets.train, &self.labels)?;
        Ok([found.loss, found.accuracy])
    }

    fn on_test(&mut self) -> Result<[f64; 2]> {
        let found = self.cnn.evaluate(&mut self.whole, &self.sets.test, &self.sets.test_labels)?;
        Ok([found.loss, found.accuracy])
    }

    fn keep(&self, name: &str, weights: &mut Weights) -> Result<()> {
        weights.cnn(name, &self.cnn)
    }

    fn save(&self, name: &str, saving: &mut Saving) -> Result<()> {
        saving.integers(&format!("{name}.step"), &[self.step])?;
        Ok(saving.parameters(name, self.cnn.parameters(), &self.optimizer)?)
    }

    fn restore(&mut self, name: &str, saved: &Saved) -> Result<()> {
        let [step] = saved.exactly(&format!("{name}.step"))?;
        saved.restore(name, self.cnn.parameters(), &mut self.optimizer)?;
        self.step = step;
        self.epoch = None;
        Ok(())
    }
}
