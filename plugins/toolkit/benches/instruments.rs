//! What the training instruments cost: a perceptron and the report's LeNet on MNIST, trained without them, with all of them off,
//! and read at every 1, 10 and 100 steps, with and without the curvature.
//!
//! `instruments [--rounds 5] [--network mlp|lenet] [--samples 250] [--off|--gradients]` prints a line for each way: the lowest time of a step over the
//! rounds, and the median over the rounds of its ratio to the time without instruments in the same round. All ways take turns,
//! block by block, because a shared machine's speed drifts. With `--off`, only without instruments and with all of them off; with `--gradients`, all but the curvature. Readings are taken but not logged: that is another thread's work.

#![allow(clippy::print_stdout, reason = "its result is for people and scripts to read")]
#![allow(unreachable_pub, reason = "a file of another crate, which a plugin does not depend on")]

#[path = "../../../tests/src/figures.rs"]
mod figures;

use std::error::Error;
use std::time::Instant;

use gradtop_toolkit::cnn::{Cnn, Workspace, named};
use gradtop_toolkit::data::mnist;
use gradtop_toolkit::instruments::{Probe, Settings};
use gradtop_toolkit::mlp::{Activation, Loss, Mlp, Samples, Workspace as MlpWorkspace};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::Stream;
use gradtop_toolkit::runtime::set_threads;
use tch::{Device, Kind, TchError, Tensor};

const BATCH: i64 = 64;
const PERCEPTRON: &str = "perceptron 784-15-30-10";
const LENET: &str = "LeNet";

/// Steps between readings of gradients, and of the curvature.
const OFF: &str = "off";
const TEN: &str = "gradients every 10";
const WAYS: [(&str, Option<(i64, i64)>); 11] = [
    ("without instruments", None),
    ("without instruments, again", None),
    (OFF, Some((0, 0))),
    ("off, again", Some((0, 0))),
    ("gradients every 100", Some((100, 0))),
    (TEN, Some((10, 0))),
    ("gradients every step", Some((1, 0))),
    ("gradients and curvature every 100", Some((100, 100))),
    ("gradients every 10, curvature every 100", Some((10, 100))),
    ("gradients and curvature every 10", Some((10, 10))),
    ("gradients and curvature every step", Some((1, 1))),
];

/// One training that can go on step by step.
trait Training {
    fn step(&mut self, probe: Option<&Probe>) -> Result<(), TchError>;
    fn probe(&self, settings: &Settings) -> Result<Probe, TchError>;
}

struct Perceptron {
    mlp: Mlp,
    space: MlpWorkspace,
    optimizer: Optimizer,
    samples: Samples,
    step: i64,
}

impl Training for Perceptron {
    fn step(&mut self, probe: Option<&Probe>) -> Result<(), TchError> {
        let batch = self.samples.chunk(self.step * BATCH % (self.samples.count() - BATCH), BATCH)?;
        self.mlp.gradient(&self.space, &batch)?;
        match probe {
            Some(probe) => {
                let noise = || Ok((self.mlp.gradient_variance(&self.space, &batch)?, BATCH));
                probe.update(self.step, &self.mlp, &mut self.optimizer, noise).map(drop)?;
            }
            None => self.optimizer.update(self.mlp.parameters(), self.mlp.gradients())?,
        }
        self.step += 1;
        Ok(())
    }

    fn probe(&self, settings: &Settings) -> Result<Probe, TchError> {
        Probe::new(settings, 0, &self.mlp, &self.samples)
    }
}

struct Lenet {
    cnn: Cnn,
    space: Workspace,
    optimizer: Optimizer,
    x: Tensor,
    y: Tensor,
    step: i64,
}

impl Training for Lenet {
    fn step(&mut self, probe: Option<&Probe>) -> Result<(), TchError> {
        let start = self.step * BATCH % (self.x.size()[0] - BATCH);
        self.space.images().shallow_clone().f_copy_(&self.x.f_narrow(0, start, BATCH)?)?;
        self.cnn.gradient(&mut self.space, &self.y.f_narrow(0, start, BATCH)?)?;
        match probe {
            Some(probe) => {
                let noise = || self.cnn.gradient_variance(&self.space);
                probe.update(self.step, &self.cnn, &mut self.optimizer, noise).map(drop)?;
            }
            None => self.optimizer.update(self.cnn.parameters(), self.cnn.gradients())?,
        }
        self.step += 1;
        Ok(())
    }

    fn probe(&self, settings: &Settings) -> Result<Probe, TchError> {
        Probe::new(settings, 0, &self.cnn, &(&self.x, &self.y))
    }
}

fn perceptron() -> Result<Perceptron, Box<dyn Error>> {
    let train = &mnist()?.train;
    let (images, labels) = (train.images(Device::Cpu)?, train.labels(Device::Cpu)?);
    let samples = Samples::classes(&images, 1.0 / 255.0, &labels, 10, Kind::Float, Device::Cpu)?;
    let mut mlp = Mlp::zeros(&[784, 15, 30, 10], 1, Kind::Float, Device::Cpu)?
        .with(Activation::Relu, Loss::CrossEntropy);
    mlp.init_uniform(0, Stream::named("bench"))?;
    let optimizer = Optimizer::new(Rule::Adam { lr: 1e-3 }, mlp.parameters())?.fused();
    Ok(Perceptron { space: mlp.workspace(BATCH)?, mlp, optimizer, samples, step: 0 })
}

fn lenet() -> Result<Lenet, Box<dyn Error>> {
    let train = &mnist()?.train;
    let spec = named("lenet").ok_or("there is no lenet")?;
    let mut cnn = Cnn::zeros(spec, Kind::Float, Device::Cpu)?;
    cnn.init_uniform(0, Stream::named("bench"))?;
    let optimizer = Optimizer::new(Rule::Adam { lr: 1e-3 }, cnn.parameters())?.fused();
    let (x, y) = (train.features(Device::Cpu)?, train.labels(Device::Cpu)?);
    Ok(Lenet { space: cnn.workspace(BATCH)?, cnn, optimizer, x, y, step: 0 })
}

/// Steps timed at once: a multiple of the interval, so that each block has as many readings as the next.
fn block(way: Option<(i64, i64)>, steps: i64) -> i64 {
    match way {
        Some((_, curvature)) if curvature > 0 => curvature.max(2),
        _ => steps,
    }
}

fn measure(
    name: &str,
    training: &mut dyn Training,
    steps: i64,
    rounds: usize,
    samples: i64,
    ways: usize,
) -> Result<(), Box<dyn Error>> {
    let ways = &WAYS[..ways];
    let probes = ways
        .iter()
        .map(|(_, way)| {
            let settings = way.map(|(instruments, instruments_curvature)| Settings {
                instruments,
                instruments_curvature,
                instruments_samples: samples,
            });
            settings.map(|settings| training.probe(&settings)).transpose()
        })
        .collect::<Result<Vec<_>, _>>()?;
    for probe in &probes {
        training.step(probe.as_ref())?;
    }
    let mut seconds = vec![Vec::new(); ways.len()];
    for round in 0..rounds {
        // Each round begins with another, so that none always follows the same.
        for i in (0..ways.len()).map(|i| (i + round) % ways.len()) {
            let (way, probe) = (ways[i].1, &probes[i]);
            let steps = block(way, steps);
            let start = Instant::now();
            for _ in 0..steps {
                training.step(probe.as_ref())?;
            }
            seconds[i].push(start.elapsed().as_secs_f64() / steps as f64);
        }
    }
    println!("{name}, batch {BATCH}, curvature on {samples} samples {:>21} {:>8}", "ms a step", "ratio");
    for ((way, _), own) in ways.iter().zip(&seconds) {
        let mut ratios: Vec<f64> = own.iter().zip(&seconds[0]).map(|(own, bare)| own / bare).collect();
        ratios.sort_by(f64::total_cmp);
        let lowest = own.iter().copied().fold(f64::INFINITY, f64::min);
        let ratio = ratios[ratios.len() / 2];
        println!("  {way:50} {:>12.4} {ratio:>8.3}", 1e3 * lowest);
        match (name, *way) {
            (PERCEPTRON, OFF) => figures::measured("instruments.off", ratio, None),
            (PERCEPTRON, TEN) => figures::measured("instruments.ten", ratio, None),
            (LENET, TEN) => figures::measured("instruments.lenet-ten", ratio, None),
            _ => {}
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str, default: &str| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)).cloned().unwrap_or_else(|| default.to_owned())
    };
    set_threads(1);
    let _no_graphs = tch::no_grad_guard();
    let (rounds, samples) = (option("--rounds", "5").parse()?, option("--samples", "250").parse()?);
    let network = option("--network", "both");
    let given = |name: &str| arguments.iter().any(|argument| argument == name);
    let ways = if given("--off") { 4 } else { WAYS.len() - if given("--gradients") { 4 } else { 0 } };
    if network != "lenet" {
        measure(PERCEPTRON, &mut perceptron()?, 2000, rounds, samples, ways)?;
    }
    if network != "mlp" {
        measure(LENET, &mut lenet()?, 100, rounds, samples, ways)?;
    }
    Ok(())
}
