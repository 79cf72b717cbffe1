//! Straight lines between networks against networks placed there one by one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_toolkit::mlp::{Activation, Evaluation, Evaluator, Loss, Mlp, Samples, along};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::{Rng, Stream};
use tch::{Device, Kind, Tensor};

fn random(shape: &[i64], name: &str, kind: Kind) -> Tensor {
    let mut rng = Rng::new(2, Stream::named(name), 0);
    let count: i64 = shape.iter().product();
    let values: Vec<f64> = (0..count).map(|_| rng.normal()).collect();
    Tensor::from_slice(&values).view(shape).to_kind(kind)
}

fn classes(kind: Kind) -> Samples {
    let labels: Vec<i64> = (0..1100).map(|i| (i * i + i / 7) % 4).collect();
    Samples::classes(&random(&[1100, 12], "x", kind), 1.0, &Tensor::from_slice(&labels), 4, kind, Device::Cpu)
        .unwrap()
}

fn network(widths: &[i64], activation: Activation, loss: Loss, kind: Kind) -> Mlp {
    Mlp::zeros(widths, 1, kind, Device::Cpu).unwrap().with(activation, loss)
}

/// The same, each point a network of its own.
fn one_by_one(mlp: &Mlp, a: &Tensor, b: &Tensor, alphas: &[f64], samples: &Samples) -> Evaluation {
    let mut here = network(mlp.widths(), mlp.activation(), mlp.loss(), samples.kind());
    let evaluator = Evaluator::new(&here, samples).unwrap();
    let mut found = Evaluation { loss: Vec::new(), accuracy: Vec::new() };
    for &alpha in alphas {
        here.set_trial_parameters(0, &(a * (1.0 - alpha) + b * alpha)).unwrap();
        let one = evaluator.evaluate(&here).unwrap();
        found.loss.extend(one.loss);
        found.accuracy.extend(one.accuracy);
    }
    found
}

fn grid() -> Vec<f64> {
    (0..=24).map(|i| f64::from(i) / 8.0 - 1.0).collect()
}

fn close(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance * b.abs())
}

#[test]
fn all_points_at_once_are_the_points_one_by_one() {
    let alphas = grid();
    for kind in [Kind::Double, Kind::Float] {
        let tolerance = if kind == Kind::Double { 1e-12 } else { 2e-5 };
        let samples = classes(kind);
        let numbers =
            Samples::new(&random(&[700, 12], "x", kind), &random(&[700, 4], "y", kind), kind, Device::Cpu);
        let numbers = numbers.unwrap();
        for (widths, activation, loss) in [
            (vec![12, 9, 4], Activation::Relu, Loss::CrossEntropy),
            (vec![12, 20, 7, 4], Activation::Tanh, Loss::CrossEntropy),
            (vec![12, 4], Activation::Tanh, Loss::CrossEntropy),
            (vec![12, 9, 4], Activation::Tanh, Loss::MeanSquared),
        ] {
            let samples = if loss == Loss::CrossEntropy { &samples } else { &numbers };
            let mlp = network(&widths, activation, loss, kind);
            let networks = random(&[3, mlp.parameter_count()], "networks", kind);
            let pairs = [(0, 1), (2, 1), (1, 1)];
            let found = along(&mlp, &networks, &pairs, &alphas, samples).unwrap();
            for ((a, b), found) in pairs.iter().zip(&found) {
                let (a, b) = (networks.select(0, *a as i64), networks.select(0, *b as i64));
                let expected = one_by_one(&mlp, &a, &b, &alphas, samples);
                assert!(close(&found.loss, &expected.loss, tolerance), "{widths:?}: {found:?} {expected:?}");
                // One sample on the border between two classes may fall to either side.
                let apart = found.accuracy.iter().zip(&expected.accuracy).map(|(a, b)| (a - b).abs());
                assert!(apart.fold(0.0, f64::max) <= if kind == Kind::Double { 0.0 } else { 1.5 / 1100.0 });
                assert_eq!(found.accuracy.len(), expected.accuracy.len());
            }
        }
    }
}

/// V8: the ends are the networks themselves, bit for bit the same as among any other points, and as their own evaluation in
/// double precision.
#[test]
fn ends_are_exact() {
    for kind in [Kind::Double, Kind::Float] {
        let samples = classes(kind);
        let mlp = network(&[12, 30, 4], Activation::Relu, Loss::CrossEntropy, kind);
        let networks = random(&[2, mlp.parameter_count()], "networks", kind);
        let found = along(&mlp, &networks, &[(0, 1), (0, 0), (1, 1)], &grid(), &samples).unwrap();
        let (zero, one) = (8, 16);
        assert_eq!((grid()[zero], grid()[one]), (0.0, 1.0));
        for any in 0..grid().len() {
            assert_eq!(found[0].loss[zero].to_bits(), found[1].loss[any].to_bits());
            assert_eq!(found[0].loss[one].to_bits(), found[2].loss[any].to_bits());
        }
        let stored = one_by_one(&mlp, &networks.select(0, 0), &networks.select(0, 1), &[0.0, 1.0], &samples);
        let tolerance = if kind == Kind::Double { 1e-15 } else { 1e-7 };
        assert!(close(&[found[0].loss[zero], found[0].loss[one]], &stored.loss, tolerance));
        assert_eq!([found[0].accuracy[zero], found[0].accuracy[one]], stored.accuracy[..]);
    }
}

#[test]
fn swapping_the_ends_turns_the_line_around() {
    let samples = classes(Kind::Double);
    let mlp = network(&[12, 9, 4], Activation::Relu, Loss::CrossEntropy, Kind::Double);
    let networks = random(&[2, mlp.parameter_count()], "networks", Kind::Double);
    let found = along(&mlp, &networks, &[(0, 1), (1, 0)], &grid(), &samples).unwrap();
    let turned: Vec<f64> = found[1].loss.iter().rev().copied().collect();
    assert!(close(&found[0].loss, &turned, 1e-13), "{found:?}");
}

/// Hidden units in another order are the same function, but another line.
#[test]
fn permuted_units_change_the_line_but_not_the_network() {
    let samples = classes(Kind::Double);
    let mut mlp = network(&[12, 9, 4], Activation::Relu, Loss::CrossEntropy, Kind::Double);
    let count = mlp.parameter_count();
    let ends = random(&[2, count], "networks", Kind::Double);
    mlp.set_trial_parameters(0, &ends.select(0, 0)).unwrap();
    let order = Tensor::from_slice(&[4_i64, 1, 7, 0, 8, 2, 6, 3, 5]);
    let (mut first, second) = (mlp.trial_layer(0, 0).unwrap(), mlp.trial_layer(0, 1).unwrap());
    first.copy_(&first.index_select(0, &order));
    let mut columns = second.narrow(1, 0, 9);
    columns.copy_(&columns.index_select(1, &order));
    let networks = Tensor::cat(&[&ends, &mlp.trial_parameters(0).unwrap().unsqueeze(0)], 0);
    let found = along(&mlp, &networks, &[(0, 1), (2, 1)], &[0.0, 0.5, 1.0], &samples).unwrap();
    assert!(close(&found[0].loss[..1], &found[1].loss[..1], 1e-13), "the same function");
    assert!(!close(&found[0].loss[1..2], &found[1].loss[1..2], 1e-3), "another line: {found:?}");
    assert_eq!(found[0].loss[2].to_bits(), found[1].loss[2].to_bits());
}

/// V8: the loss of softmax regression is convex in its parameters, so no point lies above its chord.
#[test]
fn a_convex_model_has_no_barrier() {
    let samples = classes(Kind::Double);
    let mut mlp = network(&[12, 4], Activation::Relu, Loss::CrossEntropy, Kind::Double);
    let mut ends = Vec::new();
    for lr in [1e-3, 0.3] {
        mlp.set_trial_parameters(0, &random(&[mlp.parameter_count()], &lr.to_string(), Kind::Double))
            .unwrap();
        let mut optimizer = Optimizer::new(Rule::Adam { lr }, mlp.parameters()).unwrap();
        let mut evaluator = Evaluator::new(&mlp, &samples).unwrap();
        for _ in 0..20 {
            evaluator.gradient(&mut mlp).unwrap();
            optimizer.update(mlp.parameters(), mlp.gradients()).unwrap();
        }
        ends.push(mlp.trial_parameters(0).unwrap());
    }
    let alphas = grid();
    let line = along(&mlp, &Tensor::stack(&ends, 0), &[(0, 1)], &alphas, &samples).unwrap().remove(0).loss;
    for (alpha, loss) in alphas.iter().zip(&line).take(17).skip(8) {
        let chord = (1.0 - alpha) * line[8] + alpha * line[16];
        assert!(*loss <= chord + 1e-12, "{alpha}: {loss} above {chord}");
    }
    assert!(line[12] < f64::midpoint(line[8], line[16]), "the line is bent: {line:?}");
}

#[test]
fn what_does_not_fit_is_an_error() {
    let samples = classes(Kind::Double);
    let mlp = network(&[12, 4], Activation::Relu, Loss::CrossEntropy, Kind::Double);
    let networks = random(&[2, mlp.parameter_count()], "networks", Kind::Double);
    let told = along(&mlp, &networks, &[(0, 2)], &[0.0], &samples).unwrap_err().to_string();
    assert!(told.contains("(0, 2)"), "{told}");
    assert!(along(&mlp, &networks.narrow(1, 0, 5), &[(0, 1)], &[0.0], &samples).is_err());
    assert!(along(&mlp, &networks, &[(0, 1)], &[], &samples).is_err());
}
