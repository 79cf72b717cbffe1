//! A convolutional network in training.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::cnn::{Cnn, Spec, Workspace};
use gradtop_toolkit::instruments::{Instruments, Name, Probe};
use gradtop_toolkit::optim::Optimizer;
use gradtop_toolkit::rng::{Rng, Stream};
use gradtop_toolkit::weights::Weights;
use tch::{Device, Kind, Tensor};

use super::interface::{Learner, Sets, Setting};
use crate::labels;

pub(super) struct Convolutional {
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
    pub(super) fn new(
        spec: &'static Spec,
        setting: Setting,
        sets: Sets,
        labels: &[u8],
        [init, stream]: [Stream; 2],
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
            stream,
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
        Ok(Vec::try_from(&self.labels.f_to_device(Device::Cpu)?)?)
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

    fn probe(&mut self) -> &mut Probe {
        &mut self.probe
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
