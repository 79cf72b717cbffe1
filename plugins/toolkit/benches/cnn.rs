//! Training a convolutional network on MNIST; called by `benches/cnn_vs_pytorch.py`.
//!
//! Options: --model NAME --batch N --threads N --samples N. Prints one line of JSON: samples a second of the training loop (shuffling,
//! gathering, forward, backward, Adam), and the test accuracy afterwards.

#![allow(clippy::print_stdout, reason = "a program of its own")]

use std::error::Error;
use std::time::Instant;

use gradtop_toolkit::cnn::{Cnn, named};
use gradtop_toolkit::data::mnist;
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::{Rng, Stream};
use gradtop_toolkit::runtime::set_threads;
use tch::{Device, Kind, Tensor};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let option = |name: &str, default: &str| {
        let at = args.iter().position(|arg| arg == name);
        at.and_then(|at| args.get(at + 1)).cloned().unwrap_or_else(|| default.to_owned())
    };
    let number = |name: &str, default: &str| option(name, default).parse::<i64>();
    let spec = named(&option("--model", "lenet")).ok_or("no such model")?;
    let (batch, samples) = (number("--batch", "64")?, number("--samples", "60000")?);
    set_threads(number("--threads", "1")? as usize);
    let _guard = tch::no_grad_guard();

    let data = mnist()?;
    let (x, y) = (data.train.features(Device::Cpu)?, data.train.labels(Device::Cpu)?);
    let mut cnn = Cnn::zeros(spec, Kind::Float, Device::Cpu)?;
    cnn.init_uniform(1, Stream::named("bench"))?;
    let mut optimizer = Optimizer::new(Rule::Adam { lr: 1e-3 }, cnn.parameters())?.fused();
    let mut space = cnn.workspace(batch)?;
    let labels = Tensor::zeros([batch], (Kind::Int64, Device::Cpu));
    let mut order = vec![0; data.train.len()];
    for _ in 0..5 {
        space.images().shallow_clone().f_copy_(&x.narrow(0, 0, batch))?;
        cnn.gradient(&mut space, &labels)?;
    }
    let start = Instant::now();
    let mut seen = 0;
    let mut epoch = 0;
    while seen + batch <= samples {
        Rng::new(1, Stream::named("order"), epoch).permute(&mut order);
        let order = Tensor::from_slice(&order);
        for part in order.split(batch, 0).iter().filter(|part| part.size()[0] == batch) {
            if seen + batch > samples {
                break;
            }
            x.f_index_select_out(space.images(), 0, part).map(drop)?;
            y.f_index_select_out(&labels, 0, part).map(drop)?;
            cnn.gradient(&mut space, &labels)?;
            optimizer.update(cnn.parameters(), cnn.gradients())?;
            seen += batch;
        }
        epoch += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    let (xt, yt) = (data.test.features(Device::Cpu)?, data.test.labels(Device::Cpu)?);
    let accuracy = cnn.evaluate(&mut space, &xt, &yt)?.accuracy;
    println!(
        "{{\"model\": \"{}\", \"parameters\": {}, \"samples_per_s\": {:.0}, \"test_accuracy\": {accuracy:.4}}}",
        spec.name,
        cnn.parameter_count(),
        seen as f64 / seconds
    );
    Ok(())
}
