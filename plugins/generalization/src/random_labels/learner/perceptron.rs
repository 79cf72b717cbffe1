//! A fully connected network in training.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::data::CLASSES;
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::instruments::{Instruments, Name, Probe};
use gradtop_toolkit::mlp::{Activation, Loss, Mlp, Samples};
use gradtop_toolkit::rng::Stream;
use gradtop_toolkit::weights::Weights;
use tch::{Device, Kind, Tensor};

use super::interface::{Learner, Sets, Setting};
use crate::labels;

pub(super) struct Perceptron {
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
    pub(super) fn new(
        widths: &[i64],
        setting: Setting,
        sets: Sets,
        labels: &[u8],
        streams: [Stream; 2],
    ) -> Result<Self> {
        let mlp =
            Mlp::zeros(widths, 1, Kind::Float, setting.device)?.with(Activation::Relu, Loss::CrossEntropy);
        let train = samples(&sets.train, &labels::tensor(labels, setting.device)?)?;
        let learnt = (&train, setting.batch);
        let ensemble = Ensemble::drawn(mlp, setting.rule, learnt, setting.seed, streams)?;
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
        Ok(Vec::try_from(&self.train.targets().f_argmax(0, false)?.f_to_device(Device::Cpu)?)?)
    }

    fn advance(&mut self) -> Result<()> {
        let reading = self.probe.read(&mut self.ensemble, &self.train)?;
        self.probe.keep(reading);
        Ok(())
    }

    fn watch(&self, ctx: &Ctx, instruments: &mut Instruments, name: Name) -> Result<Probe> {
        instruments.declare(ctx, name, &self.ensemble.mlp, &self.train)
    }

    fn probe(&mut self) -> &mut Probe {
        &mut self.probe
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
