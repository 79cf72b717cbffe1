//! Seconds for the Hessians of 100 small networks in double precision, for `benches/hessians_vs_pytorch.py`.
//!
//! `hessians [--threads 1] [--rounds 5]` prints a JSON line for each network: the lowest of the rounds, by the hand-written
//! passes, by autograd's rows, and their eigenvalues; and of one product with a vector. Their names begin with the number of
//! parameters.

#![allow(clippy::print_stdout, reason = "its result is for a script to read")]

use std::time::Instant;

use gradtop_toolkit::curvature::autograd;
use gradtop_toolkit::curvature::network::{Network, Samples};
use gradtop_toolkit::mlp::{Activation, Loss};
use gradtop_toolkit::rng::{Rng, Stream};
use gradtop_toolkit::runtime;
use tch::{TchError, Tensor};

const RUNS: i64 = 100;

fn lowest(rounds: usize, mut work: impl FnMut() -> Result<(), TchError>) -> Result<f64, TchError> {
    let mut best = f64::INFINITY;
    for _ in 0..rounds {
        let start = Instant::now();
        work()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let option = |name: &str, default: usize| -> Result<usize, std::num::ParseIntError> {
        let at = arguments.iter().position(|a| a == &format!("--{name}"));
        at.and_then(|i| arguments.get(i + 1)).map_or(Ok(default), |value| value.parse())
    };
    runtime::set_threads(option("threads", 1)?);
    let rounds = option("rounds", 5)?;
    let _no_graph = tch::no_grad_guard();
    for (widths, count) in [([1, 4, 4, 1], 64), ([1, 10, 10, 1], 128)] {
        let network = Network::new(&widths, Activation::Tanh, Loss::MeanSquared)?;
        let x: Vec<f64> = (0..count).map(|i| 1e-4 + f64::from(i) / f64::from(count)).collect();
        let y: Vec<f64> = x
            .iter()
            .map(|x| (5.0 * std::f64::consts::PI * x).sin() / (5.0 * std::f64::consts::PI * x))
            .collect();
        let column = |v: &[f64]| Tensor::f_from_slice(v)?.f_view([-1, 1]);
        let samples = Samples::new(&column(&x)?, &column(&y)?)?;
        let mut rng = Rng::new(0, Stream::named("bench"), 0);
        let p = network.parameter_count();
        let values: Vec<f64> = (0..RUNS * p).map(|_| rng.uniform_in(-1.0, 1.0)).collect();
        let parameters = Tensor::f_from_slice(&values)?.f_view([RUNS, p])?;
        let by_hand = lowest(rounds, || network.hessian(&parameters, &samples).map(drop))?;
        let loss = |p: &Tensor| network.losses(p, &samples);
        let by_rows = lowest(rounds, || autograd::hessian(loss, &parameters).map(drop))?;
        let hessians = network.hessian(&parameters, &samples)?;
        let eigenvalues = lowest(rounds, || hessians.f_linalg_eigvalsh("L").map(drop))?;
        let product =
            lowest(rounds, || network.hessian_vector(&parameters, &samples, &parameters).map(drop))?;
        println!(
            "{{\"{p}_by_hand_s\": {by_hand:.5}, \"{p}_by_rows_s\": {by_rows:.5}, \"{p}_eigenvalues_s\": {eigenvalues:.5}, \
             \"{p}_product_s\": {product:.7}}}"
        );
    }
    Ok(())
}
