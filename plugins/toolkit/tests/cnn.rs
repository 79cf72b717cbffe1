//! Convolutional networks against autograd, finite differences and PyTorch.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_toolkit::cnn::{Cnn, Conv, SPECS, Spec, named};
use gradtop_toolkit::data::{Split, mnist};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::{Rng, Stream};
use tch::{Device, Kind, Tensor};

/// What the shipped ones do not have: a first convolution without pooling and of even size, odd sides that pooling cuts.
static ODD: Spec = Spec {
    name: "odd",
    convs: &[
        Conv { channels: 3, kernel: 2, padding: 0, pool: false },
        Conv { channels: 4, kernel: 3, padding: 0, pool: true },
        Conv { channels: 2, kernel: 3, padding: 1, pool: true },
    ],
    dense: &[7, 10],
};
/// A padding that is odd, and so small that every parameter can be moved.
static SMALL: Spec = Spec {
    name: "small",
    convs: &[
        Conv { channels: 2, kernel: 5, padding: 1, pool: true },
        Conv { channels: 3, kernel: 3, padding: 0, pool: true },
    ],
    dense: &[10],
};
static DENSE: Spec = Spec { name: "dense", convs: &[], dense: &[15, 10] };

fn values(tensor: &Tensor) -> Vec<f64> {
    let tensor = tensor.to_kind(Kind::Double).contiguous();
    let mut values = vec![0.0; tensor.numel()];
    tensor.copy_data(&mut values, tensor.numel());
    values
}

fn network(spec: &'static Spec, kind: Kind) -> Cnn {
    let mut cnn = Cnn::zeros(spec, kind, Device::Cpu).unwrap();
    cnn.init_uniform(4, Stream::named("test")).unwrap();
    cnn
}

fn batch(split: &Split, start: i64, n: i64, kind: Kind) -> (Tensor, Tensor) {
    let x = split.features(Device::Cpu).unwrap().narrow(0, start, n).to_kind(kind);
    (x, split.labels(Device::Cpu).unwrap().narrow(0, start, n))
}

/// 64 images are enough here, and made once for all tests.
fn few(n: i64, kind: Kind) -> (Tensor, Tensor) {
    batch(&mnist().unwrap().test.subset(n as usize, 1), 0, n, kind)
}

/// The logits as torch's own functions give them, on torch's layouts.
fn reference(cnn: &Cnn, x: &Tensor, weights: &[(Tensor, Tensor)]) -> Tensor {
    let mut h = x.view([-1, 1, 28, 28]);
    for (conv, (weight, bias)) in cnn.spec().convs.iter().zip(weights) {
        h = h.conv2d(weight, Some(bias), [1, 1], [conv.padding; 2], [1, 1], 1).relu();
        if conv.pool {
            h = h.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false);
        }
    }
    h = h.flatten(1, -1);
    let dense = &weights[cnn.spec().convs.len()..];
    for (i, (weight, bias)) in dense.iter().enumerate() {
        h = h.linear(&weight.flatten(1, -1), Some(bias));
        if i + 1 < dense.len() {
            h = h.relu();
        }
    }
    h
}

fn set(space: &gradtop_toolkit::cnn::Workspace, x: &Tensor) {
    space.images().shallow_clone().copy_(x);
}

#[test]
fn parameters_are_counted_from_the_tensors() {
    let counts: Vec<i64> = SPECS
        .iter()
        .map(|spec| Cnn::zeros(spec, Kind::Float, Device::Cpu).unwrap().parameter_count())
        .collect();
    assert_eq!(counts, [25_828, 25_628, 25_632, 53_808]);
    for spec in SPECS.iter().chain([&ODD, &SMALL, &DENSE]) {
        let cnn = Cnn::zeros(spec, Kind::Float, Device::Cpu).unwrap();
        assert_eq!(cnn.parameter_count(), spec.parameter_count());
        assert_eq!(cnn.parameters().numel() as i64, spec.parameter_count());
    }
    let lenet = network(named("lenet").unwrap(), Kind::Float);
    let shapes: Vec<Vec<i64>> = (0..lenet.layers()).map(|i| lenet.torch_layer(i).unwrap().0.size()).collect();
    assert_eq!(shapes[..2], [vec![16, 1, 5, 5], vec![32, 16, 5, 5]]);
    assert_eq!(shapes[2..], [vec![50, 32, 5, 5], vec![10, 50]]);
}

#[test]
fn passes_equal_autograd() {
    let (x, y) = few(40, Kind::Double);
    for spec in SPECS.iter().chain([&ODD, &SMALL, &DENSE]) {
        let mut cnn = network(spec, Kind::Double);
        let mut space = cnn.workspace(40).unwrap();
        set(&space, &x);
        tch::no_grad(|| cnn.gradient(&mut space, &y)).unwrap();
        let weights: Vec<(Tensor, Tensor)> = (0..cnn.layers())
            .map(|i| {
                let (weight, bias) = cnn.torch_layer(i).unwrap();
                let leaf = |t: Tensor| t.detach().copy().set_requires_grad(true);
                (leaf(weight), leaf(bias))
            })
            .collect();
        let logits = reference(&cnn, &x, &weights);
        let loss = -logits.log_softmax(1, Kind::Double).gather(1, &y.unsqueeze(1), false).mean(Kind::Double);
        loss.backward();
        let apart = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]);
        assert!(apart(space.logits(), &logits) < 1e-12, "{}", spec.name);
        let ours = cnn.batch_loss(&space, &y).unwrap();
        assert!((ours - loss.double_value(&[])).abs() < 1e-12);
        // The gradients have the layout of the parameters, so a network of them gives each layer's.
        let gradients = Cnn::zeros(spec, Kind::Double, Device::Cpu).unwrap();
        gradients.parameters().shallow_clone().copy_(cnn.gradients());
        for (i, (weight, bias)) in weights.iter().enumerate() {
            let (weight_gradient, bias_gradient) = gradients.torch_layer(i).unwrap();
            let scale = weight.grad().abs().max().double_value(&[]);
            assert!(scale > 1e-4, "{}: a gradient of nothing", spec.name);
            let off = apart(&weight_gradient, &weight.grad()).max(apart(&bias_gradient, &bias.grad()));
            assert!(off < 1e-12 * scale.max(1.0), "{} layer {i}: {off:e} apart", spec.name);
        }
    }
}

#[test]
fn gradient_equals_central_differences() {
    let (x, y) = few(8, Kind::Double);
    let mut cnn = network(&SMALL, Kind::Double);
    let mut space = cnn.workspace(8).unwrap();
    set(&space, &x);
    let _guard = tch::no_grad_guard();
    cnn.gradient(&mut space, &y).unwrap();
    let gradient = values(cnn.gradients());
    let scale = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
    let mut loss_at = |at: i64, by: f64| {
        let mut one = cnn.parameters().narrow(0, at, 1);
        let before = one.double_value(&[0]);
        drop(one.fill_(before + by));
        cnn.forward(&mut space).unwrap();
        let log = space.log_probabilities().unwrap().gather(1, &y.unsqueeze(1), false);
        drop(one.fill_(before));
        -log.mean(Kind::Double).double_value(&[])
    };
    // h so small that no unit passes its kink; every 5th parameter of each layer.
    let h = 1e-6;
    for at in (0..gradient.len()).step_by(5) {
        let difference = (loss_at(at as i64, h) - loss_at(at as i64, -h)) / (2.0 * h);
        let off = (difference - gradient[at]).abs() / scale;
        assert!(off < 1e-6, "parameter {at}: {difference:e} against {:e}", gradient[at]);
    }
}

#[test]
fn an_untrained_network_knows_nothing() {
    let test = &mnist().unwrap().test;
    let (x, y) = batch(test, 0, 2000, Kind::Float);
    let _guard = tch::no_grad_guard();
    for spec in &SPECS {
        let cnn = network(spec, Kind::Float);
        let seen = cnn.evaluate(&mut cnn.workspace(250).unwrap(), &x, &y).unwrap();
        assert!((seen.loss / 10_f64.ln() - 1.0).abs() < 0.05, "{}: {}", spec.name, seen.loss);
        assert!((0.03..0.25).contains(&seen.accuracy), "{}: {}", spec.name, seen.accuracy);
    }
}

/// A size that does not divide the set, and one larger than it.
#[test]
fn evaluation_does_not_depend_on_its_chunks() {
    let (x, y) = few(100, Kind::Double);
    let cnn = network(named("deep").unwrap(), Kind::Double);
    let _guard = tch::no_grad_guard();
    let of = |n: i64| cnn.evaluate(&mut cnn.workspace(n).unwrap(), &x, &y).unwrap();
    let (whole, parts, one) = (of(100), of(32), of(128));
    assert_eq!(whole.predictions, parts.predictions);
    assert_eq!(whole.predictions, one.predictions);
    assert!((whole.loss - parts.loss).abs() < 1e-12 && (whole.loss - one.loss).abs() < 1e-12);
    let mean = whole.losses.iter().map(|&l| f64::from(l)).sum::<f64>() / 100.0;
    assert!((mean - whole.loss).abs() < 1e-6);
    let right = whole.predictions.iter().zip(values(&y)).filter(|(p, y)| f64::from(**p) == *y).count();
    assert!((whole.accuracy - right as f64 / 100.0).abs() < 1e-12);
}

#[test]
fn one_batch_is_learnt_by_heart() {
    let (x, y) = few(64, Kind::Float);
    let _guard = tch::no_grad_guard();
    for spec in &SPECS {
        let mut cnn = network(spec, Kind::Float);
        let mut optimizer = Optimizer::new(Rule::Adam { lr: 3e-3 }, cnn.parameters()).unwrap();
        let mut space = cnn.workspace(64).unwrap();
        set(&space, &x);
        let mut loss = f64::INFINITY;
        let mut steps = 0;
        while loss > 1e-3 && steps < 300 {
            cnn.gradient(&mut space, &y).unwrap();
            loss = cnn.batch_loss(&space, &y).unwrap();
            optimizer.update(cnn.parameters(), cnn.gradients()).unwrap();
            steps += 1;
        }
        assert!(loss <= 1e-3, "{}: {loss} after {steps} steps", spec.name);
    }
}

/// A weight by its place, the same in `tests/fixtures/cnn_parity.py`: a hash (Murmur3's finalizer) scaled to ±bound.
fn hashed(layer: u32, index: u32, bound: f64) -> f64 {
    let mut h = index.wrapping_mul(0x9E37_79B1).wrapping_add(layer.wrapping_mul(0x85EB_CA6B));
    h = (h ^ (h >> 16)).wrapping_mul(0x85EB_CA6B);
    h = (h ^ (h >> 13)).wrapping_mul(0xC2B2_AE35);
    h ^= h >> 16;
    bound * (2.0 * (f64::from(h) + 0.5) / 4_294_967_296.0 - 1.0)
}

fn hashed_network(spec: &'static Spec, kind: Kind) -> Cnn {
    let cnn = Cnn::zeros(spec, kind, Device::Cpu).unwrap();
    for layer in 0..cnn.layers() {
        let (weight, bias) = cnn.torch_layer(layer).unwrap();
        let bound = 1.0 / (weight.size()[1..].iter().product::<i64>() as f64).sqrt();
        for (part, mut tensor) in [weight, bias].into_iter().enumerate() {
            let stream = (2 * layer + part) as u32;
            let draws: Vec<f64> = (0..tensor.numel() as u32).map(|i| hashed(stream, i, bound)).collect();
            tensor.copy_(&Tensor::from_slice(&draws).view_as(&tensor));
        }
    }
    cnn
}

/// Logits and losses of torch in Python from the same initial values: `tests/fixtures/cnn_parity.py` wrote them.
#[test]
fn logits_and_fifty_steps_equal_pytorch() {
    let fixture = include_str!("fixtures/cnn_parity.txt");
    let record = |words: [&str; 3]| -> Vec<f64> {
        let start = words.join(" ") + " ";
        let line = fixture.lines().find(|line| line.starts_with(&start)).unwrap();
        line[start.len()..].split(' ').map(|v| v.parse().unwrap()).collect()
    };
    let train = &mnist().unwrap().train;
    let _guard = tch::no_grad_guard();
    let images = train.images(Device::Cpu).unwrap().narrow(0, 0, 50 * 16);
    let features = |kind| (images.to_kind(kind) / 255.0 - 0.1307) / 0.3081;
    let labels = train.labels(Device::Cpu).unwrap();
    for name in ["deep", "lenet"] {
        let spec = named(name).unwrap();
        let single = hashed_network(spec, Kind::Float);
        let mut space = single.workspace(16).unwrap();
        set(&space, &features(Kind::Float).narrow(0, 0, 16));
        single.forward(&mut space).unwrap();
        for (a, b) in values(space.logits()).iter().zip(record([name, "logits", "f32"])) {
            assert!((a - b).abs() <= 1e-5, "{name}: logit {a} here, {b} in PyTorch");
        }
        for (kind, tolerance) in [("f64", 1e-10), ("f32", 1e-5)] {
            for (optimizer, rule) in
                [("adam", Rule::Adam { lr: 1e-3 }), ("sgd", Rule::Sgd { lr: 0.01, momentum: 0.9 })]
            {
                let wanted = record([name, optimizer, kind]);
                assert_eq!(wanted.len(), 50);
                let kind = if kind == "f64" { Kind::Double } else { Kind::Float };
                let mut cnn = hashed_network(spec, kind);
                let mut space = cnn.workspace(16).unwrap();
                let mut optimizer = Optimizer::new(rule, cnn.parameters()).unwrap();
                let x = features(kind);
                for (step, wanted) in wanted.iter().enumerate() {
                    let at = 16 * step as i64;
                    let y = labels.narrow(0, at, 16);
                    set(&space, &x.narrow(0, at, 16));
                    cnn.gradient(&mut space, &y).unwrap();
                    let loss = cnn.batch_loss(&space, &y).unwrap();
                    assert!(
                        (loss - wanted).abs() <= tolerance * wanted,
                        "{name} {rule:?} {kind:?} step {step}: {loss:e} here, {wanted:e} in PyTorch"
                    );
                    optimizer.update(cnn.parameters(), cnn.gradients()).unwrap();
                }
            }
        }
    }
}

#[test]
fn initial_values_are_within_their_bounds_and_follow_the_seed() {
    let lenet = network(named("lenet").unwrap(), Kind::Float);
    for (layer, inputs) in [25.0, 400.0, 800.0, 50.0_f64].into_iter().enumerate() {
        let (weight, bias) = lenet.torch_layer(layer).unwrap();
        let largest = weight.abs().max().maximum(&bias.abs().max()).double_value(&[]);
        let bound = 1.0 / inputs.sqrt();
        assert!(largest <= bound && largest > 0.9 * bound, "layer {layer}: {largest}, bound {bound}");
    }
    let mut other = Cnn::zeros(named("lenet").unwrap(), Kind::Float, Device::Cpu).unwrap();
    other.init_uniform(4, Stream::named("test")).unwrap();
    assert_eq!(values(other.parameters()), values(lenet.parameters()));
    other.init_uniform(5, Stream::named("test")).unwrap();
    assert_ne!(values(other.parameters()), values(lenet.parameters()));
    let mut rng = Rng::new(4, Stream::named("test"), 0);
    let first = rng.uniform_in(-0.2, 0.2) as f32;
    assert_eq!(values(&lenet.parameters().narrow(0, 0, 1)), [f64::from(first)]);
}
