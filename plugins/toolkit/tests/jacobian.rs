//! Input-output Jacobians against closed form, autograd, differences and Hutchinson; Keskar's sharpness against quadratics.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_toolkit::curvature::jacobian::{norms, output_norms};
use gradtop_toolkit::curvature::lanczos::lanczos;
use gradtop_toolkit::curvature::network::{Network, Samples};
use gradtop_toolkit::mlp::{Activation, Loss};
use gradtop_toolkit::rng::{Rng, Stream};
use gradtop_toolkit::sharpness::keskar;
use gradtop_toolkit::tensors::rows;
use tch::{Kind, Tensor};

fn random(shape: &[i64], name: &str) -> Tensor {
    let mut rng = Rng::new(11, Stream::named(name), 0);
    let count: i64 = shape.iter().product();
    let values: Vec<f64> = (0..count).map(|_| rng.normal()).collect();
    Tensor::from_slice(&values).view(shape)
}

struct Case {
    network: Network,
    parameters: Tensor,
    x: Tensor,
    samples: Samples,
}

fn case(widths: &[i64], activation: Activation, runs: i64, samples: i64) -> Case {
    let network = Network::new(widths, activation, Loss::CrossEntropy).unwrap();
    let x = random(&[samples, widths[0]], "x");
    let classes = widths[widths.len() - 1];
    let labels: Vec<i64> = (0..samples).map(|i| (i * i + i) % classes).collect();
    Case {
        samples: Samples::classes(&x, &Tensor::from_slice(&labels), classes).unwrap(),
        parameters: random(&[runs, network.parameter_count()], "parameters") * 0.7,
        network,
        x,
    }
}

impl Case {
    /// Outputs of one run at these inputs, `[samples, outputs]`, written apart from the toolkit.
    fn outputs(&self, run: i64, x: &Tensor, probabilities: bool) -> Tensor {
        let flat = self.parameters.select(0, run);
        let layers = self.network.layers();
        let mut active = x.shallow_clone();
        for (l, &(start, out, inputs)) in layers.iter().enumerate() {
            let weight = flat.narrow(0, start, out * inputs).view([out, inputs]);
            active = active.matmul(&weight.narrow(1, 0, inputs - 1).tr()) + weight.select(1, inputs - 1);
            if l + 1 < layers.len() {
                active = if self.is_tanh() { active.tanh() } else { active.relu() };
            }
        }
        if probabilities { active.softmax(1, None::<Kind>) } else { active }
    }

    fn is_tanh(&self) -> bool {
        format!("{:?}", self.network).contains("Tanh")
    }

    /// Whole Jacobians by autograd, class by class: `[samples, outputs, inputs]`.
    fn jacobians(&self, run: i64, probabilities: bool) -> Tensor {
        let x = self.x.copy().set_requires_grad(true);
        let outputs = self.outputs(run, &x, probabilities);
        let rows: Vec<Tensor> = (0..outputs.size()[1])
            .map(|class| {
                let root = outputs.select(1, class).sum(None::<Kind>);
                Tensor::run_backward(&[root], &[&x], true, false).remove(0)
            })
            .collect();
        Tensor::stack(&rows, 1)
    }
}

/// The largest difference, relative to the largest value.
fn apart(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    ((a - b).abs().max() / b.abs().max()).double_value(&[])
}

fn cases() -> Vec<Case> {
    vec![
        case(&[9, 6, 4], Activation::Relu, 3, 30),
        case(&[9, 5, 7, 4], Activation::Relu, 2, 30),
        case(&[9, 6, 5, 4, 3], Activation::Tanh, 3, 30),
        // A first layer wider than the input, and no hidden layer at all.
        case(&[4, 11, 6, 3], Activation::Tanh, 2, 30),
        case(&[7, 3], Activation::Tanh, 2, 30),
        case(&[3, 5], Activation::Relu, 1, 30),
    ]
}

/// V7: autograd, one backward pass a class.
#[test]
fn norms_are_autograds() {
    for case in cases() {
        let found = norms(&case.network, &case.parameters, &case.samples).unwrap();
        let alone = output_norms(&case.network, &case.parameters, &case.samples).unwrap();
        assert!(apart(&alone, &found.logits) < 1e-15);
        for run in 0..case.parameters.size()[0] {
            for (probabilities, found) in [(false, &found.logits), (true, &found.probabilities)] {
                let expected =
                    case.jacobians(run, probabilities).flatten(1, 2).norm_scalaropt_dim(2.0, 1, false);
                let error = apart(&found.select(0, run), &expected);
                assert!(
                    error < 1e-12,
                    "{:?} run {run} probabilities {probabilities}: {error:e}",
                    case.network
                );
            }
        }
    }
}

/// V7: norms that `tests/fixtures/jacobian.py` took of `torch.autograd.functional.jacobian` in Python.
#[test]
fn norms_are_pytorchs() {
    let mut lines = include_str!("fixtures/jacobian.txt").lines();
    let mut networks = 0;
    while let Some(head) = lines.next() {
        let words: Vec<&str> = head.split(' ').collect();
        let activation = if words[1] == "relu" { Activation::Relu } else { Activation::Tanh };
        let widths: Vec<i64> = words[2..].iter().map(|word| word.parse().unwrap()).collect();
        let mut numbers = |name: &str, columns: i64| {
            let line = lines.next().and_then(|line| line.strip_prefix(name)).unwrap();
            let all: Vec<f64> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
            Tensor::from_slice(&all).view([-1, columns])
        };
        let network = Network::new(&widths, activation, Loss::CrossEntropy).unwrap();
        let parameters = numbers("parameters", network.parameter_count());
        let x = numbers("x", widths[0]);
        let labels = Tensor::zeros([8], (Kind::Int64, x.device()));
        let samples = Samples::classes(&x, &labels, widths[widths.len() - 1]).unwrap();
        let (logits, probabilities) = (numbers("logits", 8), numbers("probabilities", 8));
        for kind in [Kind::Double, Kind::Float] {
            let tolerance = if kind == Kind::Double { 1e-13 } else { 1e-5 };
            let found = norms(&network, &parameters.to_kind(kind), &samples.to_kind(kind).unwrap()).unwrap();
            assert!(apart(&found.logits.to_kind(Kind::Double), &logits) < tolerance, "{head} {kind:?}");
            assert!(
                apart(&found.probabilities.to_kind(Kind::Double), &probabilities) < tolerance,
                "{head} {kind:?}"
            );
        }
        networks += 1;
    }
    assert_eq!(networks, 2);
}

/// V7: J = W₂ diag(1[h > 0]) W₁ of one hidden layer.
#[test]
fn norms_are_the_closed_form_of_one_hidden_layer() {
    let case = case(&[20, 12, 5], Activation::Relu, 1, 40);
    let flat = case.parameters.select(0, 0);
    let first = flat.narrow(0, 0, 12 * 21).view([12, 21]);
    let second = flat.narrow(0, 12 * 21, 5 * 13).view([5, 13]).narrow(1, 0, 12);
    let weight = first.narrow(1, 0, 20);
    let hidden = case.x.matmul(&weight.tr()) + first.select(1, 20);
    let open = hidden.gt(0.0).to_kind(Kind::Double);
    let jacobians = (second.unsqueeze(0) * open.unsqueeze(1)).matmul(&weight);
    let expected = jacobians.flatten(1, 2).norm_scalaropt_dim(2.0, 1, false);
    let found = norms(&case.network, &case.parameters, &case.samples).unwrap();
    assert!(apart(&found.logits.select(0, 0), &expected) < 1e-13);
    let single = case.samples.to_kind(Kind::Float).unwrap();
    let found = norms(&case.network, &case.parameters.to_kind(Kind::Float), &single).unwrap();
    assert!(apart(&found.logits.select(0, 0).to_kind(Kind::Double), &expected) < 1e-5);
}

/// V7: central differences in x.
#[test]
fn norms_are_central_differences() {
    let case = case(&[6, 8, 7, 4], Activation::Tanh, 1, 12);
    let h = 1e-5;
    let found = norms(&case.network, &case.parameters, &case.samples).unwrap();
    for (probabilities, found) in [(false, found.logits), (true, found.probabilities)] {
        let columns: Vec<Tensor> = (0..6)
            .map(|i| {
                let at = |shift: f64| {
                    let moved = case.x.copy();
                    moved.select(1, i).f_add_scalar_(shift).map(drop).unwrap();
                    case.outputs(0, &moved, probabilities)
                };
                (at(h) - at(-h)) / (2.0 * h)
            })
            .collect();
        let expected = Tensor::stack(&columns, 2).flatten(1, 2).norm_scalaropt_dim(2.0, 1, false);
        assert!(apart(&found.select(0, 0), &expected) < 1e-6, "{probabilities}");
    }
}

/// V7: E‖vᵀJ‖² = ‖J‖² for v of independent signs; the mean of 400 probes lies within four standard errors of it.
#[test]
fn hutchinson_agrees() {
    let case = case(&[9, 5, 7, 4], Activation::Relu, 1, 25);
    let exact = norms(&case.network, &case.parameters, &case.samples).unwrap();
    for (probabilities, exact) in [(false, exact.logits), (true, exact.probabilities)] {
        let exact = exact.square().mean(None::<Kind>).double_value(&[]);
        let x = case.x.copy().set_requires_grad(true);
        let outputs = case.outputs(0, &x, probabilities);
        let mut rng = Rng::new(3, Stream::named("probes"), 0);
        let probes: Vec<f64> = (0..400)
            .map(|_| {
                let signs: Vec<f64> =
                    (0..100).map(|_| if rng.next_u32() & 1 == 0 { 1.0 } else { -1.0 }).collect();
                let root = (&outputs * Tensor::from_slice(&signs).view([25, 4])).sum(None::<Kind>);
                let back = Tensor::run_backward(&[root], &[&x], true, false).remove(0);
                back.square().sum(None::<Kind>).double_value(&[]) / 25.0
            })
            .collect();
        let mean = probes.iter().sum::<f64>() / 400.0;
        let variance = probes.iter().map(|p| (p - mean).powi(2)).sum::<f64>() / 399.0;
        let error = (variance / 400.0).sqrt();
        assert!(error > 0.0 && (mean - exact).abs() < 4.0 * error, "{mean} ± {error} for {exact}");
    }
}

/// Each sample's norm is its own: neither its company nor the other runs change it, and it scales with the last layer.
#[test]
fn norms_belong_to_samples_and_runs() {
    let case = case(&[12, 40, 10], Activation::Relu, 2, 1500);
    let all = norms(&case.network, &case.parameters, &case.samples).unwrap();
    let part = norms(&case.network, &case.parameters, &case.samples.narrow(701, 96).unwrap()).unwrap();
    assert!(apart(&part.logits, &all.logits.narrow(1, 701, 96)) < 1e-14);
    assert!(apart(&part.probabilities, &all.probabilities.narrow(1, 701, 96)) < 1e-14);
    let alone = norms(&case.network, &case.parameters.narrow(0, 1, 1), &case.samples).unwrap();
    assert!(apart(&alone.logits, &all.logits.narrow(0, 1, 1)) < 1e-14);
    let scaled = case.parameters.copy();
    let (start, out, inputs) = case.network.layers()[1];
    scaled.narrow(1, start, out * inputs).f_mul_scalar_(2.5).map(drop).unwrap();
    let scaled = output_norms(&case.network, &scaled, &case.samples).unwrap();
    assert!(apart(&scaled, &(&all.logits * 2.5)) < 1e-14);
    assert!(norms(&case.network, &case.parameters.narrow(1, 0, 9), &case.samples).is_err());
}

/// Dinh et al. 2017: a rectified network's layers rescaled by c and 1/c are the same function, of the same sensitivity, and
/// as sharp as one likes.
#[test]
fn rescaling_changes_sharpness_but_not_sensitivity() {
    let case = case(&[9, 6, 4], Activation::Relu, 1, 60);
    let (network, samples) = (&case.network, &case.samples);
    let layers = network.layers();
    let scaled = case.parameters.copy();
    // The first layer with its bias by 6, the second's weights by 1/6.
    scaled.narrow(1, 0, layers[1].0).f_mul_scalar_(6.0).map(drop).unwrap();
    let mut second = scaled.narrow(1, layers[1].0, 4 * 7).view([4, 7]).narrow(1, 0, 6);
    second.f_div_scalar_(6.0).map(drop).unwrap();
    let (before, after) =
        (norms(network, &case.parameters, samples).unwrap(), norms(network, &scaled, samples).unwrap());
    assert!(apart(&after.logits, &before.logits) < 1e-12);
    assert!(apart(&after.probabilities, &before.probabilities) < 1e-12);
    let outputs = |p: &Tensor| network.outputs(p, samples).unwrap();
    assert!(apart(&outputs(&scaled), &outputs(&case.parameters)) < 1e-12);
    let largest = |p: &Tensor| {
        let at = network.at(p, samples).unwrap();
        let found = lanczos(p, 88, 0, |v| at.hessian_vector(v)).unwrap();
        *found[0].values.last().unwrap()
    };
    assert!((largest(&scaled) / largest(&case.parameters)).ln().abs() > 0.5);
    let phi = |p: &Tensor| keskar(p, 1e-3, 20, 0, |p| network.gradient(p, samples)).unwrap()[0].percent;
    assert!((phi(&scaled) / phi(&case.parameters)).ln().abs() > 0.1);
}

/// The products of a prepared point are those of [`Network::hessian_vector`].
#[test]
fn a_point_gives_the_same_products() {
    for case in cases() {
        let vector = random(&case.parameters.size(), "vector");
        let at = case.network.at(&case.parameters, &case.samples).unwrap();
        let whole = case.network.hessian_vector(&case.parameters, &case.samples, &vector).unwrap();
        assert_eq!(rows(&at.hessian_vector(&vector).unwrap()).unwrap(), rows(&whole).unwrap());
    }
}

/// f = ½ Σ λᵢ (θᵢ − cᵢ)²: separable, so its maximum over the box is known: each coordinate is at the end of its interval that
/// is further from c where λ > 0.
#[test]
fn sharpness_of_a_quadratic_is_the_boxs_maximum() {
    let lambdas = Tensor::from_slice(&[3.0, 0.5, -2.0, 0.0, 40.0, -0.1]);
    let centres = Tensor::from_slice2(&[[0.0; 6], [0.4, -2.0, 0.0, 1.0, 0.3, 0.0]]);
    let theta = Tensor::from_slice2(&[[0.0; 6], [0.5, 1.0, 0.0, -3.0, 0.3001, 0.0]]);
    let loss = |p: &Tensor| {
        let moved = p - &centres;
        let losses =
            (moved.square() * &lambdas).sum_dim_intlist([1_i64].as_slice(), false, None::<Kind>) * 0.5;
        Ok((losses, moved * &lambdas))
    };
    for epsilon in [1e-3, 5e-2] {
        let found = keskar(&theta, epsilon, 20, 4, loss).unwrap();
        let (l, c, t) =
            (rows(&lambdas.view([1, -1])).unwrap(), rows(&centres).unwrap(), rows(&theta).unwrap());
        for run in 0..2 {
            let (mut at, mut most) = (0.0, 0.0);
            for i in 0..6 {
                let (lambda, from) = (l[0][i], t[run][i] - c[run][i]);
                let half = epsilon * (t[run][i].abs() + 1.0);
                at += 0.5 * lambda * from * from;
                let nearest = if from.abs() < half { 0.0 } else { from.abs() - half };
                most += 0.5 * lambda * if lambda > 0.0 { from.abs() + half } else { nearest }.powi(2);
            }
            let expected = 100.0 * (most - at) / (1.0 + at);
            // A concave direction is left where the ascent is near its top, not on it.
            assert!((found[run].percent - expected).abs() < 0.01 * expected, "{:?} {expected}", found[run]);
            assert!((found[run].loss - at).abs() < 1e-12 && found[run].percent <= expected * (1.0 + 1e-12));
        }
    }
}

#[test]
fn sharpness_grows_with_the_box_and_the_iterations_and_vanishes_with_the_box() {
    let case = case(&[9, 5, 7, 4], Activation::Relu, 3, 60);
    let phi = |epsilon: f64, iterations: usize| -> Vec<f64> {
        let found =
            keskar(&case.parameters, epsilon, iterations, 1, |p| case.network.gradient(p, &case.samples));
        found.unwrap().iter().map(|s| s.percent).collect()
    };
    for (smaller, larger) in [
        (phi(1e-4, 20), phi(5e-4, 20)),
        (phi(5e-4, 20), phi(1e-3, 20)),
        (phi(1e-3, 1), phi(1e-3, 5)),
        (phi(1e-3, 5), phi(1e-3, 20)),
        (vec![0.0; 3], phi(1e-9, 20)),
        (phi(1e-9, 20), vec![1e-5; 3]),
        (vec![1e-3; 3], phi(1e-3, 20)),
    ] {
        assert!(smaller.iter().zip(&larger).all(|(a, b)| a <= b), "{smaller:?} {larger:?}");
    }
    assert_eq!(phi(1e-3, 20), phi(1e-3, 20));
}
