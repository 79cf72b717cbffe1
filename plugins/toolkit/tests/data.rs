//! The data sets as tensors.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use gradtop_data::{DataError, find, named};
use gradtop_toolkit::data::{load, mnist};
use tch::{Device, Kind};

#[test]
fn mnist_has_its_histogram_and_moments() {
    let mnist = mnist().unwrap();
    assert_eq!((mnist.train.len(), mnist.test.len()), (60_000, 10_000));
    assert_eq!(mnist.train.histogram(), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    assert_eq!(mnist.test.histogram(), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    let features = mnist.train.features(Device::Cpu).unwrap();
    assert_eq!((features.size(), features.kind()), (vec![60_000, 784], Kind::Float));
    let (mean, std) = (features.mean(Kind::Double), features.to_kind(Kind::Double).std(false));
    // The constants have four digits.
    assert!(mean.double_value(&[]).abs() < 3e-4, "mean {}", mean.double_value(&[]));
    assert!((std.double_value(&[]) - 1.0).abs() < 3e-4, "std {}", std.double_value(&[]));
    let labels = mnist.train.labels(Device::Cpu).unwrap();
    assert_eq!((labels.size(), labels.kind()), (vec![60_000], Kind::Int64));
    assert_eq!([0, 1, 2, 3, 4].map(|i| labels.int64_value(&[i])), [5, 0, 4, 1, 9]);
    // One pixel by hand: the first image's brightest is 255.
    let brightest = features.get(0).max().double_value(&[]);
    assert!((brightest - (1.0 - 0.1307) / 0.3081).abs() < 1e-6);
}

#[test]
fn fashion_mnist_where_it_is_installed() {
    let known = named("fashion-mnist").unwrap();
    if find(known, &known.files[0]).is_ok() {
        let fashion = load("fashion-mnist").unwrap();
        assert_eq!(fashion.train.histogram(), [6000; 10]);
        assert_eq!(fashion.test.histogram(), [1000; 10]);
        let features = fashion.train.features(Device::Cpu).unwrap();
        assert!(features.mean(Kind::Double).double_value(&[]).abs() < 3e-4);
        return;
    }
    let error = load("fashion-mnist").unwrap_err();
    assert!(matches!(error, DataError::Missing { .. }));
    let text = error.to_string();
    for part in ["train-images-idx3-ubyte.gz", "/usr/share/datasets", "gradtop data fetch fashion-mnist"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_data_set_is_parsed_once() {
    assert!(Arc::ptr_eq(&mnist().unwrap(), &load("mnist").unwrap()));
    let error = load("cifar-10").unwrap_err().to_string();
    assert!(error.contains("`cifar-10`") && error.contains("mnist, fashion-mnist"), "{error}");
}

#[test]
fn subsets_depend_on_their_seed_and_are_nested() {
    let test = &mnist().unwrap().test;
    let (small, large) = (test.subset(100, 3), test.subset(500, 3));
    assert_eq!((small.len(), large.len()), (100, 500));
    assert_eq!(small.label_values(), &large.label_values()[..100]);
    assert_eq!(small.image(99), large.image(99));
    assert_ne!(small.label_values(), test.subset(100, 4).label_values());
    let all = test.subset(usize::MAX, 3);
    assert_eq!(all.histogram(), test.histogram());
    // Each image is there once: the sums of the pixels of all images, sorted, are the same.
    let sums = |split: &gradtop_toolkit::data::Split| {
        let mut sums: Vec<u64> =
            (0..split.len()).map(|i| split.image(i).iter().map(|&v| u64::from(v)).sum()).collect();
        sums.sort_unstable();
        sums
    };
    assert_eq!(sums(&all), sums(test));
}
