//! Epochs of the perceptron 784-512-512-10 on random labels, as the experiment trains it. Prints one line of JSON.
//!
//! `benches/random_labels_vs_pytorch.py` runs it beside the same training in `PyTorch`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for measuring")]

use std::time::Instant;

use generalization::random_labels::inputs::Inputs;
use generalization::random_labels::learner::{self, Sets, Setting};
use generalization::random_labels::plan::{Labels, Network, Pixels};
use generalization::random_labels::training::labels;
use gradtop_toolkit::data::mnist;
use gradtop_toolkit::optim::Rule;
use gradtop_toolkit::runtime::set_threads;
use tch::Device;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str, default: i64| -> i64 {
        let at = arguments.iter().position(|a| a == name);
        at.map_or(default, |at| arguments[at + 1].parse().unwrap())
    };
    let (samples, batch) = (option("--samples", 5000), option("--batch", 128));
    let (threads, epochs) = (option("--threads", 1), option("--epochs", 3));
    set_threads(threads as usize);
    let _no_graphs = tch::no_grad_guard();

    let data = mnist().unwrap();
    let train = data.train.subset(samples as usize, 0);
    let inputs = Inputs::new(Pixels::Natural, &train, &data.test, 0, Device::Cpu).unwrap();
    let drawn = labels(Labels::Fixed(1.0), train.label_values(), 0, 0, 0);
    let sets =
        Sets { train: inputs.train, test: inputs.test, test_labels: data.test.labels(Device::Cpu).unwrap() };
    let setting = Setting { batch, rule: Rule::Adam { lr: 1e-3 }, seed: 0, device: Device::Cpu };
    let network = Network::Mlp(vec![784, 512, 512, 10]);
    let mut learner = learner::new(&network, 0, setting, sets, &drawn).unwrap();
    for _ in 0..5 {
        learner.advance().unwrap();
    }
    let steps = epochs * learner.steps_per_epoch();
    let start = Instant::now();
    for _ in 0..steps {
        learner.advance().unwrap();
    }
    let epoch_s = start.elapsed().as_secs_f64() / epochs as f64;
    let start = Instant::now();
    let [_, train_accuracy] = learner.on_train().unwrap();
    let on_train_s = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let [_, test_accuracy] = learner.on_test().unwrap();
    let on_test_s = start.elapsed().as_secs_f64();
    println!(
        "{{\"samples\": {samples}, \"batch\": {batch}, \"threads\": {threads}, \"epoch_s\": {epoch_s:.4}, \
         \"samples_per_s\": {:.0}, \"train_accuracy\": {train_accuracy:.4}, \"test_accuracy\": {test_accuracy:.4}, \
         \"train_evaluation_s\": {on_train_s:.4}, \"test_evaluation_s\": {on_test_s:.4}}}",
        samples as f64 / epoch_s
    );
}
