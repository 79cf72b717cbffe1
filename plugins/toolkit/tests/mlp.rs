//! The hand-written passes and optimizers against independent arithmetic.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_toolkit::mlp::{Batch, Mlp, with_ones};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::{Rng, Stream};
use tch::{Device, Kind, Tensor};

fn values(tensor: &Tensor) -> Vec<f64> {
    let tensor = tensor.to_kind(Kind::Double).contiguous();
    let mut values = vec![0.0; tensor.numel()];
    tensor.copy_data(&mut values, tensor.numel());
    values
}

/// `samples` random points for each trial: inputs in [-1, 1], targets normal.
fn data(inputs: i64, outputs: i64, trials: i64, samples: i64, kind: Kind) -> (Tensor, Tensor) {
    let draw = |width: i64, name: &str| {
        let parts: Vec<Tensor> = (0..trials)
            .map(|trial| {
                let mut rng = Rng::new(11, Stream::named(name).member(trial as u32), 0);
                let values: Vec<f64> = (0..width * samples).map(|_| rng.uniform_in(-1.0, 1.0)).collect();
                Tensor::from_slice(&values).view([width, samples])
            })
            .collect();
        Tensor::stack(&parts, 0).to_kind(kind)
    };
    let x = draw(inputs, "x");
    let ones = Tensor::ones([trials, 1, samples], (kind, Device::Cpu));
    (Tensor::cat(&[&x, &ones], 1), draw(outputs, "y"))
}

fn mlp(widths: &[i64], trials: i64, kind: Kind) -> Mlp {
    let mut mlp = Mlp::zeros(widths, trials, kind, Device::Cpu).unwrap();
    mlp.init_uniform(1, Stream::named("init")).unwrap();
    mlp
}

/// Mean squared error of each trial by the forward pass alone.
fn losses(mlp: &Mlp, batch: &Batch, y: &Tensor) -> Vec<f64> {
    let space = mlp.workspace(y.size()[2]).unwrap();
    mlp.forward(&space, batch).unwrap();
    let output = space.output().view(y.size().as_slice());
    values(&(output - y).square().mean_dim([1_i64, 2].as_slice(), false, Kind::Double))
}

#[test]
fn gradient_equals_central_differences() {
    for (widths, trials) in
        [(vec![1, 5, 10, 10, 10, 10, 10, 5, 1], 1), (vec![1, 190, 1], 1), (vec![2, 4, 3, 2], 3)]
    {
        let mut mlp = mlp(&widths, trials, Kind::Double);
        let (x, y) = data(widths[0], widths[widths.len() - 1], trials, 17, Kind::Double);
        let batch = Batch::new(&x, &y).unwrap();
        let space = mlp.workspace(17).unwrap();
        mlp.gradient(&space, &batch).unwrap();
        let gradient = values(mlp.gradients());
        let scale = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        let reported = mlp.batch_loss(&space, &batch).unwrap();
        for (a, b) in reported.iter().zip(losses(&mlp, &batch, &y)) {
            assert!((a - b).abs() < 1e-14, "batch loss {a}, by the forward pass {b}");
        }
        let h = 1e-5;
        for (i, &g) in gradient.iter().enumerate() {
            let total = |shift: f64| {
                let one = mlp.parameters().narrow(0, i as i64, 1);
                one.shallow_clone().f_add_scalar_(shift).map(drop).unwrap();
                losses(&mlp, &batch, &y).iter().sum::<f64>()
            };
            let above = total(h);
            let below = total(-2.0 * h);
            total(h);
            let difference = (above - below) / (2.0 * h);
            assert!(
                (difference - g).abs() <= 1e-6 * g.abs().max(1e-3 * scale),
                "{widths:?} parameter {i}: gradient {g:e}, central difference {difference:e}"
            );
        }
    }
}

/// The losses of 60 updates, trial by trial.
fn trajectory(trials: i64, only: Option<i64>, rule: Rule, kind: Kind) -> Vec<Vec<f64>> {
    let widths = [1, 10, 18, 15, 4, 1];
    let all = mlp(&widths, 3, kind);
    let (x, y) = data(1, 1, 3, 64, kind);
    let (mut net, x, y) = match only {
        None => (all, x, y),
        Some(trial) => {
            let mut one = mlp(&widths, trials, kind);
            for layer in 0..widths.len() - 1 {
                one.set_layer(0, layer, &values(&all.trial_layer(trial, layer).unwrap())).unwrap();
            }
            (one, x.narrow(0, trial, 1).contiguous(), y.narrow(0, trial, 1).contiguous())
        }
    };
    let batch = Batch::new(&x, &y).unwrap();
    let space = net.workspace(64).unwrap();
    let mut optimizer = Optimizer::new(rule, net.parameters()).unwrap();
    (0..60)
        .map(|_| {
            net.gradient(&space, &batch).unwrap();
            let losses = net.batch_loss(&space, &batch).unwrap();
            optimizer.update(net.parameters(), net.gradients()).unwrap();
            losses
        })
        .collect()
}

#[test]
fn an_ensemble_trains_as_its_members_would_alone() {
    for rule in [Rule::Adam { lr: 1e-3 }, Rule::Sgd { lr: 0.01, momentum: 0.9 }] {
        for (kind, tolerance) in [(Kind::Float, 1e-6), (Kind::Double, 1e-12)] {
            let together = trajectory(3, None, rule, kind);
            assert!(together[59][0] < together[0][0], "nothing was learnt");
            for trial in 0..3 {
                let alone = trajectory(1, Some(trial), rule, kind);
                for (step, (a, b)) in together.iter().zip(&alone).enumerate() {
                    let (a, b) = (a[trial as usize], b[0]);
                    assert!(
                        (a - b).abs() <= tolerance * b,
                        "{rule:?} {kind:?} trial {trial} step {step}: {a:e} in the ensemble, {b:e} alone"
                    );
                }
            }
        }
    }
}

#[test]
fn initial_values_do_not_depend_on_the_number_of_trials() {
    let one = mlp(&[1, 7, 1], 1, Kind::Float);
    let three = mlp(&[1, 7, 1], 3, Kind::Float);
    for layer in 0..2 {
        assert_eq!(
            values(&one.trial_layer(0, layer).unwrap()),
            values(&three.trial_layer(0, layer).unwrap())
        );
        assert_ne!(
            values(&three.trial_layer(1, layer).unwrap()),
            values(&three.trial_layer(0, layer).unwrap())
        );
    }
    let wide = mlp(&[4, 5000, 1], 1, Kind::Float);
    let first = values(&wide.trial_layer(0, 0).unwrap());
    let bound = 0.5;
    assert!(first.iter().all(|v| v.abs() <= bound));
    let variance = first.iter().map(|v| v * v).sum::<f64>() / first.len() as f64;
    assert!((variance / (bound * bound / 3.0) - 1.0).abs() < 0.02, "variance {variance}");
}

#[test]
fn a_frozen_trial_touches_no_other() {
    let run = |freeze: bool| {
        let mut net = mlp(&[1, 6, 1], 2, Kind::Float);
        let (x, y) = data(1, 1, 2, 40, Kind::Float);
        let batch = Batch::new(&x, &y).unwrap();
        let space = net.workspace(40).unwrap();
        let mut optimizer = Optimizer::new(Rule::Adam { lr: 0.01 }, net.parameters()).unwrap();
        for step in 0..20 {
            if freeze && step == 5 {
                net.fill_trial(1, f64::NAN).unwrap();
            }
            net.gradient(&space, &batch).unwrap();
            optimizer.update(net.parameters(), net.gradients()).unwrap();
        }
        losses(&net, &batch, &y)
    };
    let (plain, frozen) = (run(false), run(true));
    assert_eq!(plain[0], frozen[0]);
    assert!(plain[1].is_finite() && frozen[1].is_nan());
}

#[test]
fn impossible_shapes_are_errors() {
    for (widths, trials) in [(vec![1], 1), (vec![1, 0, 1], 1), (vec![1, 1], 0)] {
        assert!(Mlp::zeros(&widths, trials, Kind::Float, Device::Cpu).is_err());
    }
    let x = Tensor::ones([3, 5], (Kind::Float, Device::Cpu));
    let batch = Batch::new(&with_ones(&x, 1).unwrap(), &x.narrow(0, 0, 1).unsqueeze(0)).unwrap();
    let net = mlp(&[1, 4, 1], 1, Kind::Float);
    assert!(net.forward(&net.workspace(5).unwrap(), &batch).is_err());
}
