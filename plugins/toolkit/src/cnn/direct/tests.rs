#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tch::{Device, Kind, Tensor};

use super::{Around, Direct, Processor};
use crate::cnn::spec::{Conv, SPECS, Shape};
use crate::runtime::set_threads;

/// Two whole parts and a shorter one.
const IMAGES: i64 = 19;

fn processors() -> Vec<Processor> {
    let all: Vec<_> = [Processor::best(), Processor::narrow()].into_iter().flatten().collect();
    assert!(!all.is_empty(), "these tests need a processor with AVX2");
    all
}

fn convolutions() -> impl Iterator<Item = (Conv, Shape)> {
    SPECS.iter().flat_map(|spec| spec.convs.iter().copied().zip(spec.shapes()))
}

/// Sixteenths between −1 and 1: sums of their products are exact in f32, in every order, and many windows are equally large.
fn sixteenths(shape: &[i64], seed: i64) -> Tensor {
    let count: i64 = shape.iter().product();
    let place = Tensor::arange(count, (Kind::Int64, Device::Cpu)) * 7919 + seed * 104_729;
    let mixed = (&place * &place + place * 31).remainder(100_003).remainder(33) - 16;
    (mixed.to_kind(Kind::Float) / 16.0).view(shape)
}

struct Case {
    images: Tensor,
    weight: Tensor,
    bias: Tensor,
    delta: Tensor,
}

impl Case {
    fn of(conv: Conv, shape: Shape, make: impl Fn(&[i64], i64) -> Tensor) -> Self {
        let area = conv.kernel * conv.kernel * shape.channels;
        Self {
            images: make(&[IMAGES, shape.side, shape.side, shape.channels], 1),
            weight: make(&[conv.channels, area], 2),
            bias: make(&[conv.channels], 3),
            delta: make(&[IMAGES, shape.out, shape.out, conv.channels], 4),
        }
    }

    /// What the convolution gives, the gradient of the images, of the weights and of the biases.
    fn run(&self, direct: &Direct, first: bool) -> [Tensor; 4] {
        let mut space = direct.space(IMAGES as usize);
        let (mut active, mut delta) = (self.delta.zeros_like(), self.delta.copy());
        let (mut weight, mut bias) = (self.weight.zeros_like(), self.bias.zeros_like());
        let mut below = self.images.zeros_like();
        direct.forward(&mut space, &self.images, [&self.weight, &self.bias], &mut active).unwrap();
        let around = Around {
            images: &self.images,
            active: &active,
            delta: &mut delta,
            below: (!first).then_some(&mut below),
            weight: &self.weight,
            weight_gradient: &mut weight,
            bias_gradient: &mut bias,
        };
        direct.backward(&mut space, around).unwrap();
        [active, below, weight, bias]
    }

    /// The same from libtorch.
    fn expected(&self, conv: Conv, shape: Shape) -> [Tensor; 4] {
        let leaf = |tensor: &Tensor| tensor.copy().set_requires_grad(true);
        let [images, weight, bias] = [&self.images, &self.weight, &self.bias].map(leaf);
        let kernel = weight.view([conv.channels, conv.kernel, conv.kernel, shape.channels]);
        let (input, kernel) = (images.permute([0, 3, 1, 2]), kernel.permute([0, 3, 1, 2]));
        let output = input.conv2d(&kernel, None::<&Tensor>, [1, 1], [conv.padding; 2], [1, 1], 1);
        let pooled = output.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false);
        let active = (pooled + bias.view([1, -1, 1, 1])).relu().permute([0, 2, 3, 1]);
        (&active * &self.delta).sum(Kind::Float).backward();
        [active.detach(), images.grad(), weight.grad(), bias.grad()]
    }
}

#[test]
fn exact_sums_are_those_of_libtorch_to_the_last_bit() {
    for processor in processors() {
        let mut seen = 0;
        for (conv, shape) in convolutions() {
            let direct = Direct::new(processor, conv, shape).unwrap();
            let case = Case::of(conv, shape, sixteenths);
            let (first, expected) = (shape.channels == 1, case.expected(conv, shape));
            let names = ["values", "images", "weights", "biases"];
            for ((name, ours), theirs) in names.iter().zip(case.run(&direct, first)).zip(expected) {
                if first && *name == "images" {
                    continue;
                }
                assert!(theirs.abs().max().double_value(&[]) > 0.5, "{conv:?}: {name} are nothing");
                let off = (ours - theirs).abs().max().double_value(&[]);
                assert!(off == 0.0, "{processor:?} {conv:?} {shape:?}: {name} are {off} apart");
            }
            seen += 1;
        }
        assert_eq!(seen, 8);
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let values = |threads| {
        let run = move || {
            set_threads(threads);
            let (conv, shape) = convolutions().last().unwrap();
            let direct = Direct::new(Processor::best().unwrap(), conv, shape).unwrap();
            let case = Case::of(conv, shape, |shape, seed| (sixteenths(shape, seed) * 0.3).tanh());
            case.run(&direct, false).map(|tensor| Vec::<f32>::try_from(tensor.flatten(0, -1)).unwrap())
        };
        std::thread::spawn(run).join().unwrap()
    };
    let (one, three) = (values(1), values(3));
    assert_eq!(one, three);
}

#[test]
fn what_is_no_number_is_not_hidden_by_relu() {
    for processor in processors() {
        for (conv, shape) in convolutions() {
            let direct = Direct::new(processor, conv, shape).unwrap();
            let case = Case::of(conv, shape, sixteenths);
            drop(case.weight.get(1).fill_(f64::NAN));
            let [active, _, weight, _] = case.run(&direct, shape.channels == 1);
            assert!(active.select(3, 1).isnan().all().int64_value(&[]) == 1, "{conv:?}");
            assert!(active.select(3, 0).isnan().any().int64_value(&[]) == 0, "{conv:?}");
            assert!(weight.get(0).isnan().any().int64_value(&[]) == 0, "{conv:?}");
        }
    }
}

#[test]
fn memory_is_refused_that_is_shared_or_of_another_kind() {
    let (conv, shape) = convolutions().last().unwrap();
    let direct = Direct::new(Processor::best().unwrap(), conv, shape).unwrap();
    let case = Case::of(conv, shape, sixteenths);
    let mut space = direct.space(IMAGES as usize);
    let weights = [&case.weight, &case.bias];
    let mut same = case.images.shallow_clone();
    let error = direct.forward(&mut space, &case.images, weights, &mut same).unwrap_err().to_string();
    assert!(error.contains("must not share memory"), "{error}");
    let double = case.images.to_kind(Kind::Double);
    let mut active = case.delta.zeros_like();
    let error = direct.forward(&mut space, &double, weights, &mut active).unwrap_err().to_string();
    assert!(error.contains("contiguous tensors of f32"), "{error}");
}
