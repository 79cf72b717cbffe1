//! The search for points of zero gradient, on problems whose answers are known and on networks.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_toolkit::curvature::network::{Network, Samples};
use gradtop_toolkit::levenberg_marquardt::{Problem, Search};
use gradtop_toolkit::mlp::{Activation, Loss};
use gradtop_toolkit::rng::{Rng, Stream};
use gradtop_toolkit::runtime;
use gradtop_toolkit::tensors::rows;
use tch::{TchError, Tensor};

/// L = ½ Σ dᵢ xᵢ²: the point 0 is a saddle.
struct Quadratic(Tensor);

impl Problem for Quadratic {
    fn gradients(&self, parameters: &Tensor) -> Result<Tensor, TchError> {
        parameters.f_mul(&self.0)
    }

    fn hessians(&self, parameters: &Tensor) -> Result<Tensor, TchError> {
        let size = parameters.size();
        self.0.f_diag(0)?.f_expand([size[0], size[1], size[1]], false)?.f_contiguous()
    }
}

struct Fit(Network, Samples);

impl Problem for &Fit {
    fn gradients(&self, parameters: &Tensor) -> Result<Tensor, TchError> {
        Ok(self.0.gradient(parameters, &self.1)?.1)
    }

    fn hessians(&self, parameters: &Tensor) -> Result<Tensor, TchError> {
        self.0.hessian(parameters, &self.1)
    }
}

fn norms(search: &Search<impl Problem>) -> Vec<f64> {
    let norms = search.gradients().square().sum_dim_intlist([1_i64].as_slice(), true, None).sqrt();
    rows(&norms).unwrap().into_iter().flatten().collect()
}

#[test]
fn it_goes_to_a_saddle() {
    runtime::set_threads(1);
    let start = Tensor::from_slice(&[1.0, -2.0, 3.0, 0.5, 5.0, 5.0, -5.0, 5.0]).view([2, 4]);
    let mut search = Search::new(Quadratic(Tensor::from_slice(&[-2.0, 1.0, 5.0, 0.0])), &start).unwrap();
    for _ in 0..30 {
        drop(search.step().unwrap());
    }
    assert!(norms(&search).iter().all(|n| *n < 1e-12), "{:?}", norms(&search));
    let end = rows(search.parameters()).unwrap();
    // The direction without curvature is left alone.
    assert!((end[0][3] - 0.5).abs() < 1e-9 && (end[1][3] - 5.0).abs() < 1e-9, "{end:?}");
    // At its end a run stays where it is, whatever its damping becomes.
    assert!(end.iter().flatten().all(|v| v.is_finite()));
}

fn fit() -> (Fit, Tensor) {
    runtime::set_threads(1);
    let network = Network::new(&[1, 3, 3, 1], Activation::Tanh, Loss::MeanSquared).unwrap();
    let x: Vec<f64> = (0..20).map(|i| f64::from(i) / 19.0).collect();
    let y: Vec<f64> = x.iter().map(|x| (7.0 * x).sin()).collect();
    let column = |v: &[f64]| Tensor::from_slice(v).view([-1, 1]);
    let samples = Samples::new(&column(&x), &column(&y)).unwrap();
    let mut rng = Rng::new(2, Stream::named("start"), 0);
    let values: Vec<f64> = (0..6 * network.parameter_count()).map(|_| rng.uniform_in(-1.0, 1.0)).collect();
    let start = Tensor::from_slice(&values).view([6, network.parameter_count()]);
    (Fit(network, samples), start)
}

#[test]
fn the_gradient_norm_never_grows_and_falls_far() {
    let (fit, start) = fit();
    let mut search = Search::new(&fit, &start).unwrap();
    let first = norms(&search);
    let mut before = first.clone();
    let mut moves = 0;
    for _ in 0..150 {
        let kept = search.step().unwrap();
        let after = norms(&search);
        for run in 0..6 {
            let moved = kept.int64_value(&[run as i64]) == 1;
            assert!(if moved { after[run] < before[run] } else { after[run] == before[run] });
            moves += usize::from(moved);
        }
        before = after;
    }
    assert!(moves > 150, "{moves} of 900 steps were kept");
    let far = before.iter().zip(&first).filter(|(a, b)| **a < 1e-3 * **b).count();
    assert!(far >= 4, "{before:?} from {first:?}");
}

#[test]
fn runs_do_not_touch_each_other_and_resuming_changes_nothing() {
    let (fit, start) = fit();
    let steps = |search: &mut Search<&Fit>, n: usize| (0..n).for_each(|_| drop(search.step().unwrap()));
    let mut whole = Search::new(&fit, &start).unwrap();
    steps(&mut whole, 12);
    let mut resumed = Search::resume(&fit, whole.parameters(), whole.damping()).unwrap();
    steps(&mut whole, 13);
    steps(&mut resumed, 13);
    assert_eq!(rows(whole.parameters()).unwrap(), rows(resumed.parameters()).unwrap());
    assert_eq!(rows(whole.damping()).unwrap(), rows(resumed.damping()).unwrap());
    for run in 0..6 {
        let mut alone = Search::new(&fit, &start.narrow(0, run, 1)).unwrap();
        steps(&mut alone, 5);
        let mut together = Search::new(&fit, &start).unwrap();
        steps(&mut together, 5);
        let (a, b) = (alone.parameters().copy(), together.parameters().narrow(0, run, 1));
        let apart = (a - b).abs().max().double_value(&[]);
        assert!(apart < 1e-9, "run {run}: {apart}");
    }
}
