//! Seconds for the input-output Jacobian norms of the perceptron 784-15-30-10 at all 10,000 test images of MNIST, for
//! `benches/jacobian_vs_pytorch.py`.
//!
//! `jacobian [--threads 1] [--rounds 10] [--parameters FILE] [--widths 784,15,30,10]` prints a JSON line: seconds of the lowest
//! round for the outputs' norms and for those of outputs and probabilities together, and the mean norms. FILE holds the
//! parameters as f32, layer by layer, each row the weights into a unit and its bias.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for measuring")]

use std::time::Instant;

use gradtop_toolkit::curvature::jacobian::{norms, output_norms};
use gradtop_toolkit::curvature::network::{Network, Samples};
use gradtop_toolkit::data::mnist;
use gradtop_toolkit::mlp::{Activation, Loss};
use gradtop_toolkit::rng::{Rng, Stream};
use gradtop_toolkit::runtime::set_threads;
use tch::{Device, Kind, Tensor};

fn lowest(rounds: usize, mut work: impl FnMut() -> f64) -> (f64, f64) {
    let (mut best, mut value) = (f64::INFINITY, 0.0);
    for _ in 0..=rounds {
        let start = Instant::now();
        value = work();
        best = best.min(start.elapsed().as_secs_f64());
    }
    (best, value)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| arguments.iter().position(|a| a == name).map(|at| arguments[at + 1].as_str());
    set_threads(option("--threads").unwrap_or("1").parse().unwrap());
    let rounds = option("--rounds").unwrap_or("10").parse().unwrap();
    let _no_graphs = tch::no_grad_guard();
    let widths: Vec<i64> =
        option("--widths").unwrap_or("784,15,30,10").split(',').map(|w| w.parse().unwrap()).collect();
    let network = Network::new(&widths, Activation::Relu, Loss::CrossEntropy).unwrap();
    let count = network.parameter_count() as usize;
    let values: Vec<f32> = if let Some(path) = option("--parameters") {
        let bytes = std::fs::read(path).unwrap();
        bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
    } else {
        let mut rng = Rng::new(0, Stream::named("bench"), 0);
        (0..count).map(|_| rng.uniform_in(-0.1, 0.1) as f32).collect()
    };
    let parameters = Tensor::from_slice(&values).view([1, count as i64]);
    let test = &mnist().unwrap().test;
    let x = test.images(Device::Cpu).unwrap().to_kind(Kind::Float) / 255.0;
    let samples = Samples::classes(&x, &test.labels(Device::Cpu).unwrap(), 10).unwrap();
    let mean = |norms: &Tensor| norms.mean(Kind::Double).double_value(&[]);
    let (outputs_s, mean_norm) =
        lowest(rounds, || mean(&output_norms(&network, &parameters, &samples).unwrap()));
    let (both_s, mean_probability_norm) =
        lowest(rounds, || mean(&norms(&network, &parameters, &samples).unwrap().probabilities));
    println!(
        "{{\"points\": {}, \"outputs_s\": {outputs_s:.5}, \"both_s\": {both_s:.5}, \"mean_norm\": {mean_norm:.9}, \
         \"mean_probability_norm\": {mean_probability_norm:.9}}}",
        samples.count()
    );
}
