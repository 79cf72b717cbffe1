//! Epochs of the perceptron 784-15-30-10 on MNIST: one network, or several at once. Prints one line of JSON.
//!
//! `benches/mnist_mlp_vs_pytorch.py` runs it beside the same training in `PyTorch`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for measuring")]

use std::time::Instant;

use gradtop_toolkit::data::mnist;
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::mlp::{Activation, Evaluator, Loss, Mlp, Samples};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::Stream;
use gradtop_toolkit::runtime::set_threads;
use tch::{Device, Kind};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str, default: i64| -> i64 {
        let at = arguments.iter().position(|a| a == name);
        at.map_or(default, |at| arguments[at + 1].parse().unwrap())
    };
    let (runs, batch) = (option("--runs", 1), option("--batch", 64));
    let (threads, epochs) = (option("--threads", 1), option("--epochs", 1));
    set_threads(threads as usize);
    let _no_graphs = tch::no_grad_guard();

    let data = mnist().unwrap();
    let samples = |split: &gradtop_toolkit::data::Split| {
        let (images, labels) = (split.images(Device::Cpu).unwrap(), split.labels(Device::Cpu).unwrap());
        Samples::classes(&images, 1.0 / 255.0, &labels, 10, Kind::Float, Device::Cpu).unwrap()
    };
    let (train, test) = (samples(&data.train), samples(&data.test));
    let mut mlp = Mlp::zeros(&[784, 15, 30, 10], runs, Kind::Float, Device::Cpu)
        .unwrap()
        .with(Activation::Relu, Loss::CrossEntropy);
    mlp.init_uniform(0, Stream::named("init")).unwrap();
    let optimizer = Optimizer::new(Rule::Adam { lr: 1e-3 }, mlp.parameters()).unwrap().fused();
    let mut ensemble = Ensemble::new(mlp, optimizer, &train, batch, 0, Stream::named("batches")).unwrap();

    let start = Instant::now();
    for _ in 0..epochs * ensemble.steps_per_epoch() {
        ensemble.advance(&train).unwrap();
    }
    let seconds = start.elapsed().as_secs_f64() / epochs as f64;
    let evaluator = Evaluator::new(&ensemble.mlp, &test).unwrap();
    let start = Instant::now();
    let evaluation = evaluator.evaluate(&ensemble.mlp).unwrap();
    let evaluation_s = start.elapsed().as_secs_f64();
    let accuracy = evaluation.accuracy.iter().sum::<f64>() / runs as f64;
    let samples_per_s = runs as f64 * train.count() as f64 / seconds;
    println!(
        "{{\"runs\": {runs}, \"batch\": {batch}, \"threads\": {threads}, \"epoch_s\": {seconds:.4}, \"samples_per_s\": {samples_per_s:.0}, \
         \"test_accuracy\": {accuracy:.4}, \"evaluation_s\": {evaluation_s:.4}}}"
    );
}
