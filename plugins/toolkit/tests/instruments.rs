//! Instruments against their definitions, and that they only read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_toolkit::cnn::{Cnn, Conv, Spec, named};
use gradtop_toolkit::curvature::{autograd, hutchinson, lanczos, network, spectrum};
use gradtop_toolkit::data::mnist;
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::instruments::{Curvature, Data as _, Probe, Reading, Settings, Watched as _};
use gradtop_toolkit::mlp::{Activation, Loss, Mlp, Samples};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::{Rng, Stream};
use gradtop_toolkit::runtime::set_threads;
use tch::{Device, Kind, Tensor};

const CPU: Device = Device::Cpu;

static SMALL: Spec = Spec {
    name: "small",
    convs: &[
        Conv { channels: 2, kernel: 5, padding: 1, pool: true },
        Conv { channels: 3, kernel: 3, padding: 0, pool: false },
        Conv { channels: 2, kernel: 4, padding: 0, pool: true },
    ],
    dense: &[7, 10],
};

fn values(tensor: &Tensor) -> Vec<f64> {
    let tensor = tensor.to_kind(Kind::Double).contiguous();
    let mut values = vec![0.0; tensor.numel()];
    tensor.copy_data(&mut values, tensor.numel());
    values
}

fn draws(name: &str, shape: &[i64]) -> Tensor {
    let mut rng = Rng::new(7, Stream::named(name), 0);
    let count = shape.iter().product::<i64>();
    Tensor::from_slice(&(0..count).map(|_| rng.uniform_in(-1.0, 1.0)).collect::<Vec<_>>()).view(shape)
}

fn labels(count: i64, classes: u32) -> Tensor {
    let mut rng = Rng::new(8, Stream::named("labels"), 0);
    Tensor::from_slice(&(0..count).map(|_| i64::from(rng.below(classes))).collect::<Vec<_>>())
}

fn settings(every: i64, curvature: i64, samples: i64) -> Settings {
    Settings { instruments: every, instruments_curvature: curvature, instruments_samples: samples }
}

fn classes(count: i64) -> Samples {
    Samples::classes(&draws("x", &[count, 6]), 1.0, &labels(count, 3), 3, Kind::Double, CPU).unwrap()
}

/// Two networks 6-5-4-3 with their optimizer.
fn two(activation: Activation, kind: Kind) -> (Mlp, Optimizer) {
    let mut mlp = Mlp::zeros(&[6, 5, 4, 3], 2, kind, CPU).unwrap().with(activation, Loss::CrossEntropy);
    mlp.init_uniform(1, Stream::named("init")).unwrap();
    let optimizer = Optimizer::new(Rule::Adam { lr: 0.01 }, mlp.parameters()).unwrap();
    (mlp, optimizer)
}

fn images(n: usize, kind: Kind) -> (Tensor, Tensor) {
    let few = mnist().unwrap().test.subset(n, 1);
    (few.features(CPU).unwrap().to_kind(kind), few.labels(CPU).unwrap())
}

fn cnn(spec: &'static Spec, kind: Kind) -> Cnn {
    let mut cnn = Cnn::zeros(spec, kind, CPU).unwrap();
    cnn.init_uniform(4, Stream::named("test")).unwrap();
    cnn
}

#[test]
fn readings_are_what_they_are_called() {
    let samples = classes(70);
    let (mut mlp, mut optimizer) = two(Activation::Relu, Kind::Double);
    let probe = Probe::new(&settings(3, 0, 1), 0, &mlp, &samples).unwrap();
    let space = mlp.workspace(16).unwrap();
    let rows = |mlp: &Mlp| mlp.rows(mlp.parameters()).unwrap();
    let start = rows(&mlp);
    for step in 0..8 {
        let batch = samples.chunk(8 * (step % 4), 16).unwrap();
        mlp.gradient(&space, &batch).unwrap();
        let traces = mlp.gradient_variance(&space, &batch).unwrap();
        let (gradients, before) = (mlp.rows(mlp.gradients()).unwrap(), rows(&mlp));
        let noise = || Ok((traces.clone(), 16));
        let reading = probe.update(step, &mlp, &mut optimizer, noise).unwrap();
        assert_eq!(reading.is_some(), step % 3 == 0);
        let Some(Reading { step: at, gradients: Some(reading), curvature: None }) = reading else { continue };
        assert_eq!(at, step);
        let norms =
            |rows: Tensor| values(&rows.square().sum_dim_intlist([1_i64].as_slice(), false, None).sqrt());
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-14);
        let now = rows(&mlp);
        assert!(close(&reading.grad_norm, &norms(gradients.shallow_clone())));
        assert!(close(&reading.update_size, &norms(&now - &before)));
        assert!(close(&reading.distance, &norms(&now - &start)));
        // The second layer: (5 + 1) · 4 parameters after (6 + 1) · 5.
        assert!(close(&reading.layers[1], &norms(gradients.narrow(1, 35, 24))));
        for (trial, trace) in traces.iter().enumerate() {
            let noise = reading.noise_scale[trial];
            let signal = reading.grad_norm[trial].powi(2) - trace * (1.0 / 16.0 - 1.0 / 70.0);
            assert_eq!(noise.is_nan(), signal <= 0.0);
            // tr Σ = scale · ‖∇L‖², and on average ‖g‖² = ‖∇L‖² + tr Σ (1 / B − 1 / N).
            assert!(noise.is_nan() || (noise * signal - trace).abs() < 1e-9 * trace);
        }
        let elements = values(&gradients);
        assert_eq!(reading.histogram.iter().sum::<i64>(), 2 * mlp.parameter_count());
        let tiny = elements.iter().filter(|g| g.abs() < 1e-12).count();
        let milli = elements.iter().filter(|g| (1e-3..1e-2).contains(&g.abs())).count();
        assert_eq!((reading.histogram[0], reading.histogram[10]), (tiny as i64, milli as i64));
    }
}

/// What the noise scale takes the squared gradient to be, averaged over all batches of 3 of 6 samples, is that of all 6.
#[test]
fn the_signal_beneath_the_noise_is_unbiased() {
    let (x, y) = (draws("x", &[6, 6]), labels(6, 3));
    let (mut mlp, _) = two(Activation::Tanh, Kind::Double);
    let mut squares = |chosen: &[i64]| -> (f64, f64) {
        let chosen = Tensor::from_slice(chosen);
        let (x, y) = (x.index_select(0, &chosen), y.index_select(0, &chosen));
        let count = x.size()[0];
        let batch = Samples::classes(&x, 1.0, &y, 3, Kind::Double, CPU).unwrap().chunk(0, count).unwrap();
        let space = mlp.workspace(count).unwrap();
        mlp.gradient(&space, &batch).unwrap();
        let rows = mlp.rows(mlp.gradients()).unwrap();
        let square = values(&rows.square().sum_dim_intlist([1_i64].as_slice(), false, None))[0];
        (square, mlp.gradient_variance(&space, &batch).unwrap()[0])
    };
    let (whole, _) = squares(&[0, 1, 2, 3, 4, 5]);
    let mut signals = Vec::new();
    for (a, b, c) in (0..6).flat_map(|a| (0..a).flat_map(move |b| (0..b).map(move |c| (a, b, c)))) {
        let (square, trace) = squares(&[a, b, c]);
        signals.push(square - trace * (1.0 / 3.0 - 1.0 / 6.0));
    }
    assert_eq!(signals.len(), 20);
    let mean = signals.iter().sum::<f64>() / 20.0;
    assert!((mean / whole - 1.0).abs() < 1e-12, "{mean} {whole}");
}

/// Training of an ensemble and of a network of convolutions, each step read, in single precision.
#[test]
fn reading_changes_no_bit_of_the_training() {
    let samples = Samples::classes(&draws("x", &[70, 6]), 1.0, &labels(70, 3), 3, Kind::Float, CPU).unwrap();
    let ensemble = || {
        let (mlp, optimizer) = two(Activation::Relu, Kind::Float);
        Ensemble::new(mlp, optimizer.fused(), &samples, 16, 0, Stream::named("batches")).unwrap()
    };
    let (x, y) = images(64, Kind::Float);
    let _guard = tch::no_grad_guard();
    set_threads(1);
    let bits = |tensor: &Tensor| values(tensor).into_iter().map(f64::to_bits).collect::<Vec<_>>();
    let trained = |settings: &Settings| {
        let mut ensemble = ensemble();
        let probe = Probe::new(settings, 3, &ensemble.mlp, &samples).unwrap();
        let mut net = cnn(named("lenet").unwrap(), Kind::Float);
        let eyes = Probe::new(settings, 3, &net, &(&x, &y)).unwrap();
        let mut optimizer = Optimizer::new(Rule::Adam { lr: 1e-3 }, net.parameters()).unwrap().fused();
        let mut space = net.workspace(16).unwrap();
        let mut readings = Vec::new();
        for step in 0..8 {
            readings.push(probe.read(&mut ensemble, &samples).unwrap());
            let start = 16 * (step % 4);
            space.images().shallow_clone().copy_(&x.narrow(0, start, 16));
            net.gradient(&mut space, &y.narrow(0, start, 16)).unwrap();
            readings.push(eyes.update(step, &net, &mut optimizer, || net.gradient_variance(&space)).unwrap());
        }
        (bits(ensemble.mlp.parameters()), bits(net.parameters()), readings)
    };
    let (plain, read) = (trained(&settings(0, 0, 1)), trained(&settings(1, 2, 20)));
    assert!(plain.2.iter().all(Option::is_none));
    let curved = read.2.iter().flatten().filter(|reading| reading.curvature.is_some()).count();
    assert_eq!((read.2.iter().flatten().count(), curved), (16, 8));
    assert!(plain.0 == read.0 && plain.1 == read.1, "the instruments changed what they measured");
    let again = trained(&settings(1, 2, 20));
    // As text: there are NaN among them.
    assert!(format!("{:?}", read.2) == format!("{:?}", again.2), "read twice, the numbers differ");
}

/// Both against all eigenvalues of the exact Hessian.
#[test]
fn curvature_of_an_ensemble_is_that_of_its_hessians() {
    let samples = classes(40);
    for activation in [Activation::Tanh, Activation::Relu] {
        let (mlp, _) = two(activation, Kind::Double);
        let subset = samples.subset(30, 5).unwrap();
        let shape = network::Network::new(mlp.widths(), activation, Loss::CrossEntropy).unwrap();
        let all = network::Samples::new(&subset.inputs, &subset.targets).unwrap();
        let hessians = shape.hessian(&mlp.rows(mlp.parameters()).unwrap(), &all).unwrap();
        check(&read(&mlp, &subset.inputs, &subset.targets, 30), &spectrum::eigenvalues(&hessians).unwrap());

        // A network that has diverged is no reason to lose the others.
        let (mut broken, _) = two(activation, Kind::Double);
        broken.fill_trial(0, f64::NAN).unwrap();
        let (whole, beside) = (
            read(&mlp, &subset.inputs, &subset.targets, 30),
            read(&broken, &subset.inputs, &subset.targets, 30),
        );
        assert!(beside.max_eigenvalue[0].is_nan() && beside.trace[0].is_nan());
        assert!((beside.max_eigenvalue[1] - whole.max_eigenvalue[1]).abs() < 1e-2 * whole.max_eigenvalue[1]);
    }
}

#[test]
fn curvature_of_convolutions_is_that_of_their_hessian() {
    let (x, y) = images(12, Kind::Double);
    let net = cnn(&SMALL, Kind::Double);
    let y = y.one_hot(10).to_kind(Kind::Double);
    let loss = |p: &Tensor| SMALL.loss(&p.f_squeeze_dim(0)?, &x, &y);
    let hessian = autograd::hessian(loss, &net.parameters().unsqueeze(0)).unwrap();
    check(&read(&net, &x, &y, 12), &spectrum::eigenvalues(&hessian).unwrap());
}

/// A reading at the present parameters.
fn read(
    network: &impl gradtop_toolkit::instruments::Watched,
    x: &Tensor,
    y: &Tensor,
    count: i64,
) -> Curvature {
    let probe = Probe::new(&settings(0, 1, count), 5, network, &(x, y)).unwrap();
    let still = Tensor::zeros_like(network.parameters());
    let mut optimizer = Optimizer::new(Rule::Sgd { lr: 1e-300, momentum: 0.0 }, &still).unwrap();
    let reading = probe.update(0, network, &mut optimizer, || Ok((vec![], 1))).unwrap().unwrap();
    assert!(reading.gradients.is_none());
    reading.curvature.unwrap()
}

fn check(read: &Curvature, eigenvalues: &[Vec<f64>]) {
    assert_eq!(read.max_eigenvalue.len(), eigenvalues.len());
    for (trial, exact) in eigenvalues.iter().enumerate() {
        let (largest, trace) = (exact[exact.len() - 1], exact.iter().sum::<f64>());
        let (found, bound) = (read.max_eigenvalue[trial], read.bound[trial]);
        assert!(
            bound <= 1e-2 * found && (found - largest).abs() <= bound.max(1e-12),
            "{found} for {largest}"
        );
        let (estimate, error) = (read.trace[trial], read.trace_error[trial]);
        assert!((estimate - trace).abs() <= 5.0 * error + 1e-12, "{estimate} ± {error} for {trace}");
        // Of eight probes without knowledge of a subspace the standard error is at most this in expectation.
        let plain = (2.0 * exact.iter().map(|v| v * v).sum::<f64>() / 8.0).sqrt();
        assert!(error > 0.0 && error < plain, "± {error}, plain probes would have ± {plain}");
    }
}

/// Counting exactly what Lanczos found leaves the probes less to err about.
#[test]
fn a_trace_beyond_a_subspace_is_the_trace_with_less_error() {
    let root = draws("root", &[1, 40, 40]);
    let weights = Tensor::from_slice(&(0..40).map(|i| 0.7_f64.powi(i)).collect::<Vec<_>>());
    let matrix = root.matmul(&(root.transpose(1, 2) * weights.view([1, 40, 1])));
    let matrix = &matrix + matrix.transpose(1, 2);
    let product = |v: &Tensor| Ok(matrix.matmul(&v.unsqueeze(2)).squeeze_dim(2));
    let like = Tensor::zeros([1, 40], (Kind::Double, CPU));
    let exact = matrix.diagonal(0, 1, 2).sum(Kind::Double).double_value(&[]);
    let top = lanczos::largest(&like, 12, 0.0, 1, product).unwrap();
    let plain = hutchinson::trace(&like, 8, 1, product).unwrap()[0];
    let better = hutchinson::trace_beyond(&top.basis, &top.inner_trace, 8, 1, product).unwrap()[0];
    for estimate in [plain, better] {
        assert!((estimate.mean - exact).abs() < 5.0 * estimate.standard_error, "{estimate:?} for {exact}");
    }
    assert!(better.standard_error < plain.standard_error / 3.0, "{better:?} against {plain:?}");
    let whole = lanczos::largest(&like, 40, -1.0, 1, product).unwrap();
    assert!((whole.inner_trace[0] - exact).abs() < 1e-5 * exact.abs());
}

/// By every sample's own gradient.
#[test]
fn gradient_variance_of_convolutions_is_that_of_single_samples() {
    let n = 70;
    let (x, y) = images(n as usize, Kind::Double);
    for spec in [&SMALL, named("shallow").unwrap(), named("lenet").unwrap()] {
        let mut net = cnn(spec, Kind::Double);
        let (mut whole, mut single) = (net.workspace(n).unwrap(), net.workspace(1).unwrap());
        whole.images().shallow_clone().copy_(&x);
        net.gradient(&mut whole, &y).unwrap();
        let (found, samples) = net.gradient_variance(&whole).unwrap();
        let mean = net.gradients().copy();
        let mut expected = 0.0;
        for i in 0..n {
            single.images().shallow_clone().copy_(&x.narrow(0, i, 1));
            net.gradient(&mut single, &y.narrow(0, i, 1)).unwrap();
            expected +=
                (net.gradients() - &mean).square().sum(Kind::Double).double_value(&[]) / (n - 1) as f64;
        }
        assert_eq!(samples, n);
        assert!((found[0] - expected).abs() < 1e-10 * expected, "{}: {found:?}, not {expected}", spec.name);
    }
}

#[test]
fn the_differentiable_loss_is_the_one_that_is_trained() {
    let (x, y) = images(20, Kind::Double);
    let targets = y.one_hot(10).to_kind(Kind::Double);
    for spec in [&SMALL, named("deep").unwrap(), named("lenet").unwrap()] {
        let mut net = cnn(spec, Kind::Double);
        let mut space = net.workspace(20).unwrap();
        space.images().shallow_clone().copy_(&x);
        net.gradient(&mut space, &y).unwrap();
        let loss = |p: &Tensor| spec.loss(&p.f_squeeze_dim(0)?, &x, &targets);
        let (value, gradient) = autograd::gradient(loss, &net.parameters().unsqueeze(0)).unwrap();
        assert!((value.double_value(&[]) - net.batch_loss(&space, &y).unwrap()).abs() < 1e-12);
        let off = (gradient.squeeze_dim(0) - net.gradients()).abs().max().double_value(&[]);
        assert!(off < 1e-13, "{}: {off:e} apart", spec.name);
    }
}

#[test]
fn a_subset_is_drawn_by_the_seed_and_never_too_large() {
    let samples = classes(40);
    let of = |count, seed| values(&samples.subset(count, seed).unwrap().inputs);
    assert_eq!(of(10, 1), of(10, 1));
    assert_ne!(of(10, 1), of(10, 2));
    assert_eq!(of(1000, 1).len(), 40 * 6);
    let (x, y) = (draws("x", &[40, 6]), labels(40, 3));
    let (ours, theirs) = (samples.subset(10, 1).unwrap(), (&x, &y).subset(10, 1).unwrap());
    assert_eq!(values(&ours.inputs), values(&theirs.inputs));
    assert_eq!(values(&ours.targets), values(&theirs.targets.narrow(1, 0, 3)));
}

/// Trials with labels of their own have Hessians of their own.
#[test]
fn labels_of_each_trial_make_its_own_curvature() {
    let all = Tensor::stack(&[labels(40, 3), (labels(40, 3) + 1).remainder(3)], 0);
    let both = Samples::classes(&draws("x", &[40, 6]), 1.0, &all, 3, Kind::Double, CPU).unwrap();
    let (mlp, _) = two(Activation::Tanh, Kind::Double);
    let subset = both.subset(30, 5).unwrap();
    assert_eq!(subset.targets.size(), [2, 30, 3]);
    let together = read(&mlp, &subset.inputs, &subset.targets, 30);
    for trial in 0..2 {
        let alone = read(&mlp, &subset.inputs, &subset.targets.get(trial), 30);
        let at = trial as usize;
        let off = (together.max_eigenvalue[at] - alone.max_eigenvalue[at]).abs();
        assert!(off < 1e-2 * alone.max_eigenvalue[at], "trial {trial}: {together:?}, alone {alone:?}");
    }
}
