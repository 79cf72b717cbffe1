//! Perceptrons for classes: `ReLU`, cross entropy, shuffled batches, whole sets; against independent arithmetic and `PyTorch`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::data::mnist;
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::mlp::{Activation, Batch, Evaluator, Loss, Mlp, Samples, Shuffle};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::{Rng, Stream};
use tch::{Device, Kind, Tensor};

const CPU: Device = Device::Cpu;

fn values(tensor: &Tensor) -> Vec<f64> {
    let tensor = tensor.to_kind(Kind::Double).contiguous();
    let mut values = vec![0.0; tensor.numel()];
    tensor.copy_data(&mut values, tensor.numel());
    values
}

fn draws(name: &str, shape: &[i64], kind: Kind) -> Tensor {
    let mut rng = Rng::new(7, Stream::named(name), 0);
    let count = shape.iter().product::<i64>();
    let values: Vec<f64> = (0..count).map(|_| rng.uniform_in(-1.0, 1.0)).collect();
    Tensor::from_slice(&values).view(shape).to_kind(kind)
}

fn labels(count: i64, classes: u32) -> Tensor {
    let mut rng = Rng::new(8, Stream::named("labels"), 0);
    Tensor::from_slice(&(0..count).map(|_| i64::from(rng.below(classes))).collect::<Vec<_>>())
}

fn mlp(widths: &[i64], trials: i64, kind: Kind) -> Mlp {
    let mut mlp = Mlp::zeros(widths, trials, kind, CPU).unwrap().with(Activation::Relu, Loss::CrossEntropy);
    mlp.init_uniform(1, Stream::named("init")).unwrap();
    mlp
}

fn classes(count: i64, kind: Kind) -> Samples {
    Samples::classes(&draws("x", &[count, 6], kind), 1.0, &labels(count, 3), 3, kind, CPU).unwrap()
}

const WIDTHS: [i64; 4] = [6, 5, 4, 3];

/// Sum of the trials' losses by formulas of torch alone: layer after layer, sample-major.
fn reference(mlp: &Mlp, x: &Tensor, y: &Tensor) -> Vec<f64> {
    (0..mlp.trials())
        .map(|trial| {
            let mut a = x.shallow_clone();
            let last = mlp.widths().len() - 2;
            for layer in 0..=last {
                let weight = mlp.trial_layer(trial, layer).unwrap();
                let inputs = mlp.widths()[layer];
                a = a.matmul(&weight.narrow(1, 0, inputs).transpose(0, 1)) + weight.select(1, inputs);
                a = match mlp.activation() {
                    _ if layer == last => a,
                    Activation::Relu => a.relu(),
                    Activation::Tanh => a.tanh(),
                };
            }
            match mlp.loss() {
                Loss::CrossEntropy => {
                    let logs = a.log_softmax(1, Kind::Double).gather(1, &y.unsqueeze(1), false);
                    -logs.mean(Kind::Double).double_value(&[])
                }
                Loss::MeanSquared => (a - y).square().mean(Kind::Double).double_value(&[]),
            }
        })
        .collect()
}

/// V1, for every activation with every loss, for one and several trials, with shared samples and with own ones.
#[test]
fn gradient_equals_central_differences() {
    let x = draws("x", &[11, 6], Kind::Double);
    for (activation, loss) in [
        (Activation::Relu, Loss::CrossEntropy),
        (Activation::Tanh, Loss::CrossEntropy),
        (Activation::Relu, Loss::MeanSquared),
        (Activation::Tanh, Loss::MeanSquared),
    ] {
        for (widths, trials) in [(&WIDTHS[..], 1), (&WIDTHS[..], 2), (&[6, 3][..], 2)] {
            let mut net = mlp(widths, trials, Kind::Double).with(activation, loss);
            let (samples, y) = if loss == Loss::CrossEntropy {
                (Samples::classes(&x, 1.0, &labels(11, 3), 3, Kind::Double, CPU).unwrap(), labels(11, 3))
            } else {
                let y = draws("y", &[11, 3], Kind::Double);
                (Samples::new(&x, &y, Kind::Double, CPU).unwrap(), y)
            };
            let batch = samples.chunk(0, 11).unwrap();
            let space = net.workspace(11).unwrap();
            net.gradient(&space, &batch).unwrap();
            let gradient = values(net.gradients());
            let scale = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            for (a, b) in net.batch_loss(&space, &batch).unwrap().iter().zip(reference(&net, &x, &y)) {
                assert!((a - b).abs() < 1e-13, "{activation:?} {loss:?}: batch loss {a}, by formula {b}");
            }
            // The same samples as each trial's own.
            let own = |t: &Tensor| t.unsqueeze(0).repeat([trials, 1, 1]);
            let rows = Tensor::cat(&[&x, &Tensor::ones([11, 1], (Kind::Double, CPU))], 1).transpose(0, 1);
            let separate = Batch::new(&own(&rows), &own(samples.targets())).unwrap();
            net.gradient(&space, &separate).unwrap();
            for (a, b) in values(net.gradients()).iter().zip(&gradient) {
                assert!((a - b).abs() < 1e-14, "shared and own samples differ: {a} {b}");
            }
            let h = 1e-6;
            for (i, &g) in gradient.iter().enumerate() {
                let total = |shift: f64| {
                    let mut one = net.parameters().narrow(0, i as i64, 1);
                    drop(one.g_add_scalar_(shift));
                    reference(&net, &x, &y).iter().sum::<f64>()
                };
                let (above, below) = (total(h), total(-2.0 * h));
                total(h);
                let difference = (above - below) / (2.0 * h);
                assert!(
                    (difference - g).abs() <= 1e-6 * g.abs().max(1e-3 * scale),
                    "{activation:?} {loss:?} {widths:?} parameter {i}: gradient {g:e}, central difference {difference:e}"
                );
            }
        }
    }
}

fn ensemble(trials: i64, samples: &Samples, rule: Rule, kind: Kind) -> Ensemble {
    let net = mlp(&WIDTHS, trials, kind);
    let optimizer = Optimizer::new(rule, net.parameters()).unwrap();
    Ensemble::new(net, optimizer, samples, 16, 5, Stream::named("batches")).unwrap()
}

/// Trials with labels of their own for shared inputs: each trains and is judged as one network with those labels would be.
#[test]
fn trials_may_have_labels_of_their_own() {
    for loss in [Loss::CrossEntropy, Loss::MeanSquared] {
        let x = draws("x", &[70, 6], Kind::Double);
        let own = [labels(70, 3), (labels(70, 3) + 1).remainder(3)];
        let samples = |labels: &Tensor| Samples::classes(&x, 1.0, labels, 3, Kind::Double, CPU).unwrap();
        let both = samples(&Tensor::stack(&own, 0));
        assert_eq!((both.count(), both.trials()), (70, Some(2)));
        let make = |trials: i64, samples: &Samples| {
            let net = mlp(&WIDTHS, trials, Kind::Double).with(Activation::Relu, loss);
            let optimizer = Optimizer::new(Rule::Adam { lr: 1e-2 }, net.parameters()).unwrap();
            Ensemble::new(net, optimizer, samples, 16, 5, Stream::named("batches")).unwrap()
        };
        let mut pair = make(2, &both);
        // Each alone, in an ensemble whose other trial has the same labels.
        let mut alone = own.each_ref().map(|labels| (make(2, &samples(labels)), samples(labels)));
        for _ in 0..12 {
            pair.advance(&both).unwrap();
            for (one, samples) in &mut alone {
                one.advance(samples).unwrap();
            }
        }
        let found = Evaluator::new(&pair.mlp, &both).unwrap().evaluate(&pair.mlp).unwrap();
        assert_eq!(found, pair.mlp.evaluate(&both).unwrap());
        for (trial, (one, samples)) in alone.iter().enumerate() {
            let parameters =
                |ensemble: &Ensemble| values(&ensemble.mlp.trial_parameters(trial as i64).unwrap());
            assert_eq!(parameters(&pair), parameters(one), "{loss:?}, trial {trial}");
            let own = one.mlp.evaluate(samples).unwrap();
            assert!((found.loss[trial] - own.loss[trial]).abs() < 1e-12, "{loss:?}, trial {trial}");
            assert_eq!(found.accuracy[trial], own.accuracy[trial]);
        }
        let net = mlp(&WIDTHS, 3, Kind::Double);
        let Err(refused) = Shuffle::new(&both, net.trials(), 16, 5, Stream::named("batches")) else {
            panic!("targets of two trials were given to three")
        };
        assert!(refused.to_string().contains("2 trials are given to 3"), "{refused}");
    }
}

/// A schedule changes the steps to come as an optimizer with that rate would make them, and nothing else.
#[test]
fn a_changed_rate_scales_the_next_update() {
    for rule in [
        Rule::Adam { lr: 1e-2 },
        Rule::Sgd { lr: 1e-2, momentum: 0.9 },
        Rule::Sgd { lr: 1e-2, momentum: 0.0 },
    ] {
        for fused in [false, true] {
            let length = |halved: bool| {
                let p = draws("p", &[40], Kind::Float);
                let mut optimizer = Optimizer::new(rule, &p).unwrap();
                if fused {
                    optimizer = optimizer.fused();
                }
                let g = draws("g", &[40], Kind::Float);
                optimizer.update(&p, &g).unwrap();
                let before = p.copy();
                if halved {
                    optimizer.set_rate(0.5e-2).unwrap();
                }
                optimizer.update(&p, &g).unwrap();
                values(&(p - before))
            };
            for (whole, half) in length(false).iter().zip(length(true)) {
                assert!((whole - 2.0 * half).abs() < 1e-4 * whole.abs() + 3e-7, "{rule:?}: {whole} {half}");
            }
        }
    }
}

/// V5: trial `t` of an ensemble is the single run with the initial values and the orders of member `t`.
#[test]
fn an_ensemble_trains_as_its_members_would_alone() {
    for rule in [Rule::Adam { lr: 1e-3 }, Rule::Sgd { lr: 0.05, momentum: 0.9 }] {
        for (kind, tolerance) in [(Kind::Float, 2e-6), (Kind::Double, 1e-12)] {
            let samples = classes(70, kind);
            let mut three = ensemble(3, &samples, rule, kind);
            let mut one = ensemble(1, &samples, rule, kind);
            let set = Evaluator::new(&three.mlp, &samples).unwrap();
            let single = Evaluator::new(&one.mlp, &samples).unwrap();
            let before = set.evaluate(&three.mlp).unwrap();
            // Three epochs of four batches and a short one.
            for step in 0..15 {
                three.advance(&samples).unwrap();
                one.advance(&samples).unwrap();
                let (a, b) = (three.batch_loss().unwrap(), one.batch_loss().unwrap());
                assert_eq!((a.len(), b.len()), (3, 1));
                assert!(
                    (a[0] - b[0]).abs() <= tolerance * b[0],
                    "{rule:?} {kind:?} step {step}: {a:?} {b:?}"
                );
                assert!(a[0] != a[1], "trials see the same");
            }
            let (a, b) = (set.evaluate(&three.mlp).unwrap(), single.evaluate(&one.mlp).unwrap());
            assert!((a.loss[0] - b.loss[0]).abs() <= tolerance * b.loss[0]);
            assert_eq!(a.accuracy[0], b.accuracy[0]);
            assert!(a.loss[0] < before.loss[0], "nothing was learnt");
        }
    }
}

#[test]
fn an_epoch_visits_every_sample_once_in_an_order_of_its_own() {
    // The only input is the sample's number.
    let count = 37;
    let x = Tensor::arange(count, (Kind::Float, CPU)).view([-1, 1]);
    let samples = Samples::new(&x, &x.f_mul_scalar(10.0).unwrap(), Kind::Float, CPU).unwrap();
    let order = |shuffle: &mut Shuffle, epoch: u32| -> Vec<Vec<f64>> {
        let net = Mlp::zeros(&[1, 1], 2, Kind::Float, CPU).unwrap();
        let mut seen = vec![Vec::new(); 2];
        for index in 0..shuffle.batches() {
            let batch = shuffle.load(&samples, epoch, index).unwrap();
            let space = net.workspace(batch.samples()).unwrap();
            // Weights of one and biases of zero hand the input on.
            for trial in 0..2 {
                let one_and_zero = Tensor::from_slice(&[1.0_f32, 0.0]).view([1, 2]);
                net.trial_layer(trial, 0).unwrap().copy_(&one_and_zero);
            }
            net.forward(&space, batch).unwrap();
            let outputs = values(space.output());
            for (seen, outputs) in seen.iter_mut().zip(outputs.chunks(batch.samples() as usize)) {
                seen.extend_from_slice(outputs);
            }
        }
        seen
    };
    let make = || Shuffle::new(&samples, 2, 8, 3, Stream::named("batches")).unwrap();
    let mut shuffle = make();
    assert_eq!((shuffle.batches(), shuffle.samples_of(0), shuffle.samples_of(4)), (5, 8, 5));
    let (first, second) = (order(&mut shuffle, 0), order(&mut shuffle, 1));
    for seen in first.iter().chain(&second) {
        let mut sorted = seen.clone();
        sorted.sort_by(f64::total_cmp);
        assert_eq!(sorted, (0..count).map(|i| i as f64).collect::<Vec<_>>());
    }
    assert!(first[0] != first[1] && first != second);
    assert_eq!(order(&mut make(), 1), second, "the order of an epoch hangs on what came before it");
}

/// Inputs and targets stay together: a perfect predictor has no loss in any batch.
#[test]
fn targets_travel_with_their_inputs() {
    let x = draws("x", &[45, 2], Kind::Double);
    let y = x.f_mul_scalar(3.0).unwrap();
    let samples = Samples::new(&x, &y, Kind::Double, CPU).unwrap();
    let mut net = Mlp::zeros(&[2, 2], 3, Kind::Double, CPU).unwrap();
    for trial in 0..3 {
        net.set_layer(trial, 0, &[3.0, 0.0, 0.0, 0.0, 3.0, 0.0]).unwrap();
    }
    let mut shuffle = Shuffle::new(&samples, 3, 10, 3, Stream::named("batches")).unwrap();
    for index in 0..shuffle.batches() {
        let batch = shuffle.load(&samples, 2, index).unwrap();
        let space = net.workspace(batch.samples()).unwrap();
        net.gradient(&space, batch).unwrap();
        assert!(net.batch_loss(&space, batch).unwrap().iter().all(|loss| *loss < 1e-28));
    }
}

#[test]
fn whole_sets_are_evaluated_and_differentiated_in_chunks() {
    // Two whole chunks of 500 and a shorter one.
    let samples = classes(1203, Kind::Double);
    for trials in [1, 2] {
        let mut net = mlp(&WIDTHS, trials, Kind::Double);
        let mut evaluator = Evaluator::new(&net, &samples).unwrap();
        let whole = samples.chunk(0, 1203).unwrap();
        let space = net.workspace(1203).unwrap();
        net.gradient(&space, &whole).unwrap();
        let expected = values(net.gradients());
        let loss = net.batch_loss(&space, &whole).unwrap();
        let output = space.output().view([trials, 3, 1203]);
        let hits = output.argmax(1, false).eq_tensor(&labels(1203, 3)).sum_dim_intlist(
            [1_i64].as_slice(),
            false,
            Kind::Double,
        );
        let accuracy: Vec<f64> = values(&hits).iter().map(|n| n / 1203.0).collect();

        let evaluation = evaluator.gradient(&mut net).unwrap();
        for (a, b) in values(net.gradients()).iter().zip(&expected) {
            assert!((a - b).abs() < 1e-15);
        }
        assert_eq!(evaluation, evaluator.evaluate(&net).unwrap());
        assert_eq!(evaluation.accuracy, accuracy);
        assert!(accuracy[0] > 0.1 && accuracy[0] < 0.9);
        for (a, b) in evaluation.loss.iter().zip(loss) {
            assert!((a - b).abs() < 1e-13);
        }
        // Squared norms of layers add up to those of the flat gradient.
        let squares = net.squared_gradient_norms().unwrap();
        let total: f64 = squares.iter().flatten().sum();
        assert!((total - expected.iter().map(|g| g * g).sum::<f64>()).abs() < 1e-14);
    }
}

#[test]
fn bytes_stand_for_their_scaled_value() {
    let pixels: Vec<u8> = (0..60).map(|i| (i * 37 % 256) as u8).collect();
    let bytes = Tensor::from_slice(&pixels).view([10, 6]);
    let floats = bytes.to_kind(Kind::Float).f_mul_scalar(1.0 / 255.0).unwrap();
    let of = |x: &Tensor, scale: f64| {
        let samples = Samples::classes(x, scale, &labels(10, 3), 3, Kind::Float, CPU).unwrap();
        let mut ensemble = ensemble(2, &samples, Rule::Adam { lr: 0.01 }, Kind::Float);
        for _ in 0..5 {
            ensemble.advance(&samples).unwrap();
        }
        let evaluation = Evaluator::new(&ensemble.mlp, &samples).unwrap().evaluate(&ensemble.mlp).unwrap();
        (values(ensemble.mlp.parameters()), evaluation)
    };
    assert_eq!(of(&bytes, 1.0 / 255.0), of(&floats, 1.0));
    let error =
        Samples::classes(&floats, 1.0, &labels(10, 3), 2, Kind::Float, CPU).err().unwrap().to_string();
    assert!(error.contains("labels go from 0 to 2"), "{error}");
    assert!(Samples::classes(&floats, 1.0, &labels(9, 3), 3, Kind::Float, CPU).is_err());
}

/// The loop over raw memory and the tensor operations are the same Adam.
#[test]
fn fused_adam_equals_the_tensor_operations() {
    let start = draws("start", &[1003], Kind::Float);
    let copy = || start.f_mul_scalar(1.0).unwrap();
    let (plain, fused) = (copy(), copy());
    let rule = Rule::Adam { lr: 0.01 };
    let mut by_operations = Optimizer::new(rule, &plain).unwrap();
    let mut by_loop = Optimizer::new(rule, &fused).unwrap().fused();
    for step in 0..40 {
        let gradients = draws(&format!("gradient {step}"), &[1003], Kind::Float);
        // Some parameters never see a gradient, as weights of empty pixels do.
        drop(gradients.narrow(0, 0, 100).fill_(0.0));
        by_operations.update(&plain, &gradients).unwrap();
        by_loop.update(&fused, &gradients).unwrap();
    }
    let (a, b) = (values(&plain), values(&fused));
    assert_eq!(a[..100], values(&start)[..100]);
    for (a, b) in a.iter().zip(&b) {
        assert!((a - b).abs() <= 2e-6 * a.abs().max(0.1), "{a} by operations, {b} by the loop");
    }
    for ((name, a), (_, b)) in by_operations.state().iter().zip(by_loop.state()) {
        for (a, b) in values(a).iter().zip(values(b)) {
            assert!((a - b).abs() <= 1e-6 * a.abs().max(0.05), "{name}: {a} {b}");
        }
    }
    // Where memory cannot be walked it is the tensor operations, and says nothing.
    let double = start.to_kind(Kind::Double);
    Optimizer::new(rule, &double).unwrap().fused().update(&double, &double.ones_like()).unwrap();
    // Tensors that lie on each other are refused.
    let error = Optimizer::new(rule, &fused).unwrap().fused().update(&fused, &fused).unwrap_err();
    assert!(error.to_string().contains("must not share memory"), "{error}");
}

#[test]
fn a_restored_ensemble_goes_on_bit_for_bit() {
    let path = std::env::temp_dir().join(format!("gradtop-ensemble-{}.safetensors", std::process::id()));
    let samples = classes(70, Kind::Float);
    let make = || ensemble(2, &samples, Rule::Adam { lr: 0.01 }, Kind::Float);
    let mut whole = make();
    for step in 0..12 {
        if step == 7 {
            let mut saving = Saving::default();
            whole.save("mnist", &mut saving).unwrap();
            saving.write(&path).unwrap();
        }
        whole.advance(&samples).unwrap();
    }
    let mut resumed = make();
    resumed.restore("mnist", &Saved::read(&path).unwrap()).unwrap();
    assert_eq!(resumed.step(), 7);
    while resumed.step() < 12 {
        resumed.advance(&samples).unwrap();
    }
    assert_eq!(values(resumed.mlp.parameters()), values(whole.mlp.parameters()));
    std::fs::remove_file(path).unwrap();
}

fn digits(count: i64) -> Samples {
    let data = mnist().unwrap();
    let images = data.train.images(CPU).unwrap().narrow(0, 0, count);
    let labels = data.train.labels(CPU).unwrap().narrow(0, 0, count);
    Samples::classes(&images, 1.0 / 255.0, &labels, 10, Kind::Float, CPU).unwrap()
}

const DIGITS: [i64; 4] = [784, 15, 30, 10];

/// V11.
#[test]
fn parameter_counts() {
    for (widths, expected) in
        [(&DIGITS[..], 12_565), (&[784, 5, 30, 10], 4_415), (&[784, 63, 10], 795 * 63 + 10)]
    {
        let net = mlp(widths, 2, Kind::Float);
        assert_eq!(net.parameter_count(), expected);
        assert_eq!(net.layer_parameter_counts().iter().sum::<i64>(), expected);
        assert_eq!(net.trial_parameters(1).unwrap().numel() as i64, expected);
    }
    assert_eq!(mlp(&DIGITS, 1, Kind::Float).layer_parameter_counts(), [11_775, 480, 310]);
}

/// V13: before training the cross entropy is near ln 10 and the accuracy near one in ten.
#[test]
fn untrained_networks_know_nothing() {
    let samples = digits(2000);
    let net = mlp(&DIGITS, 5, Kind::Float);
    let evaluation = Evaluator::new(&net, &samples).unwrap().evaluate(&net).unwrap();
    for (loss, accuracy) in evaluation.loss.iter().zip(evaluation.accuracy) {
        assert!((loss / 10.0_f64.ln() - 1.0).abs() < 0.05, "cross entropy {loss}");
        assert!((0.02..0.25).contains(&accuracy), "accuracy {accuracy}");
    }
}

#[test]
fn one_trial_s_parameters_are_read_and_set_without_touching_others() {
    let mut net = mlp(&WIDTHS, 3, Kind::Float);
    let [first, second] = [0, 1].map(|trial| net.trial_parameters(trial).unwrap());
    net.set_trial_parameters(2, &first).unwrap();
    assert_eq!(values(&net.trial_parameters(2).unwrap()), values(&first));
    assert_eq!(values(&net.trial_parameters(1).unwrap()), values(&second));
}

/// V12: losses and gradient norms of torch in Python from the same initial values; `mnist_mlp.py` wrote them.
#[test]
fn fifty_steps_equal_pytorch() {
    let start: Vec<f32> = include_bytes!("fixtures/mnist_mlp.f32")
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    let start = Tensor::from_slice(&start);
    let expected = |what: &str, optimizer: &str| -> Vec<f64> {
        let line = include_str!("fixtures/mnist_mlp.txt")
            .lines()
            .find(|line| line.starts_with(&format!("{what} {optimizer} ")))
            .unwrap();
        line.split(' ').skip(2).map(|v| v.parse().unwrap()).collect()
    };
    let samples = digits(50 * 64);
    for fused in [false, true] {
        for (name, rule) in
            [("adam", Rule::Adam { lr: 1e-3 }), ("sgd", Rule::Sgd { lr: 0.01, momentum: 0.9 })]
        {
            let (losses, norms) = (expected("loss", name), expected("grad_norm", name));
            assert_eq!((losses.len(), norms.len()), (50, 50));
            // Two equal trials: an ensemble has to do it too.
            for trials in [1, 2] {
                let mut net = mlp(&DIGITS, trials, Kind::Float);
                for trial in 0..trials {
                    net.set_trial_parameters(trial, &start).unwrap();
                }
                let space = net.workspace(64).unwrap();
                let mut optimizer = Optimizer::new(rule, net.parameters()).unwrap();
                if fused {
                    optimizer = optimizer.fused();
                }
                for step in 0..50 {
                    let batch = samples.chunk(step as i64 * 64, 64).unwrap();
                    net.gradient(&space, &batch).unwrap();
                    let squares = net.squared_gradient_norms().unwrap();
                    for (trial, loss) in net.batch_loss(&space, &batch).unwrap().into_iter().enumerate() {
                        let norm = squares.iter().map(|layer| layer[trial]).sum::<f64>().sqrt();
                        for (what, a, b) in
                            [("loss", loss, losses[step]), ("gradient norm", norm, norms[step])]
                        {
                            assert!(
                                (a - b).abs() <= 1e-5 * b,
                                "{name} step {step} trial {trial} of {trials}: {what} {a:e} here, {b:e} in PyTorch"
                            );
                        }
                    }
                    optimizer.update(net.parameters(), net.gradients()).unwrap();
                }
            }
        }
    }
}

/// The trace of the covariance by single samples' gradients, one after another.
#[test]
fn gradient_variance_is_that_of_single_samples() {
    for trials in [1, 2] {
        let samples = classes(23, Kind::Double);
        let mut net = mlp(&WIDTHS, trials, Kind::Double);
        let (space, single) = (net.workspace(23).unwrap(), net.workspace(1).unwrap());
        let batch = samples.chunk(0, 23).unwrap();
        net.gradient(&space, &batch).unwrap();
        let traces = net.gradient_variance(&space, &batch).unwrap();
        assert_eq!(traces.len() as i64, trials);
        let mean = net.gradients().f_mul_scalar(1.0).unwrap();
        let mut expected = vec![0.0; trials as usize];
        for i in 0..23 {
            net.gradient(&single, &samples.chunk(i, 1).unwrap()).unwrap();
            let squares = net.squared_norms(&(net.gradients() - &mean)).unwrap();
            for (trial, sum) in expected.iter_mut().enumerate() {
                *sum += squares.iter().map(|layer| layer[trial]).sum::<f64>() / 22.0;
            }
        }
        for (a, b) in traces.iter().zip(expected) {
            assert!((a - b).abs() < 1e-12 * b, "{a} against {b}");
        }
    }
}
