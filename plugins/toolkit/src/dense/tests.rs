#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tch::{Device, Kind, Tensor};

use super::{Forms, Processor, product, tanh, tanh_backward, tanh_of};
use crate::runtime::set_threads;

/// Numbers between −1 and 1 that look like chance.
fn numbers(shape: &[i64], seed: i64) -> Tensor {
    let count: i64 = shape.iter().product();
    let place = Tensor::arange(count, (Kind::Double, Device::Cpu)) + seed * 1000;
    (place * 12.9898).sin().to_kind(Kind::Float).view(shape)
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    Vec::<f32>::try_from(tensor.contiguous().view([-1])).unwrap().into_iter().map(f32::to_bits).collect()
}

/// A product of every shape and every order in memory is what double precision gives, and the same bits on every processor.
#[test]
fn products_are_those_of_double_precision() {
    set_threads(1);
    let processors = [Processor::best().unwrap(), Processor::narrow().unwrap()];
    for rows in [1, 2, 3, 4, 5, 7, 70] {
        for depth in [1, 2, 11, 64, 257] {
            for columns in [1, 2, 16, 33, 64, 101] {
                for (parts, order) in [(None, 0), (None, 1), (None, 2), (None, 3), (Some(3), 0), (Some(3), 3)]
                {
                    let matrix = |rows: i64, columns: i64, swapped: bool, seed: i64| {
                        let (rows, columns) = if swapped { (columns, rows) } else { (rows, columns) };
                        let made = match parts {
                            // A row more than is used: gaps between the parts.
                            Some(parts) => numbers(&[parts, rows + 1, columns], seed).narrow(1, 0, rows),
                            None => numbers(&[rows, columns], seed),
                        };
                        if swapped { made.transpose(-1, -2) } else { made }
                    };
                    let a = matrix(rows, depth, order & 1 > 0, 1);
                    let b = matrix(depth, columns, order & 2 > 0, 2);
                    let exact = a.to_kind(Kind::Double).matmul(&b.to_kind(Kind::Double));
                    let made = processors.map(|processor| {
                        let out = matrix(rows, columns, false, 3);
                        let forms = Forms::of(&out, &a, &b).unwrap();
                        forms.multiply(processor).unwrap();
                        out
                    });
                    let error = (made[0].to_kind(Kind::Double) - exact).abs().max().double_value(&[]);
                    assert!(
                        error < 3e-7 * depth as f64,
                        "{rows} {depth} {columns} {parts:?} {order}: {error}"
                    );
                    assert!(bits(&made[0]) == bits(&made[1]), "{rows} {depth} {columns} {parts:?} {order}");
                }
            }
        }
    }
}

#[test]
fn threads_change_no_bit_of_a_product() {
    assert!(301 * 700 * 130 > super::MANY as i64);
    let of = |threads| {
        set_threads(threads);
        let a = numbers(&[301, 700], 1);
        let product_with = |b: &Tensor| {
            let out = Tensor::zeros([301, 130], (Kind::Float, Device::Cpu));
            product(&out, &a, b).unwrap();
            bits(&out)
        };
        [product_with(&numbers(&[700, 130], 2)), product_with(&numbers(&[130, 700], 2).transpose(0, 1))]
    };
    let [one, three] = [1, 3].map(|threads| std::thread::spawn(move || of(threads)).join().unwrap());
    assert!(one == three);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let (a, b) = (numbers(&[3, 4], 1), numbers(&[5, 6], 2));
    assert!(product(&numbers(&[3, 6], 3), &a, &b).is_err());
    let a = numbers(&[5, 5], 1);
    assert!(product(&a, &a, &numbers(&[5, 5], 2)).is_err(), "a factor that is overwritten");
}

#[test]
fn tanh_is_that_of_double_precision_to_three_units_in_the_last_place() {
    let x: Vec<f32> = (0..200_000).map(|i| 1e-8 * (i as f32 * 1.05e-4).exp()).collect();
    let tensor = Tensor::from_slice(&x).view([400, 500]);
    let out = tensor.zeros_like();
    tanh(&tensor, &out).unwrap();
    for (&x, y) in x.iter().zip(bits(&out)) {
        let (exact, y) = (f64::from(x).tanh(), f32::from_bits(y));
        let unit = f64::from((exact as f32).next_up() - exact as f32);
        assert!((f64::from(y) - exact).abs() < 3.0 * unit, "tanh({x}) = {exact}, not {y}");
        assert_eq!(tanh_of(-x), -y);
    }
    let same = tensor.copy();
    tanh(&same, &same).unwrap();
    assert!(bits(&same) == bits(&out));
    assert_eq!([f32::INFINITY, f32::MAX, -f32::INFINITY].map(tanh_of), [1.0, 1.0, -1.0]);
    assert!(tanh_of(f32::NAN).is_nan());
    assert_eq!([0.0, -0.0, 1e-42].map(|x| tanh_of(x).to_bits()), [0.0_f32, -0.0, 1e-42].map(f32::to_bits));
}

/// With gaps between the parts, as activations have them.
#[test]
fn the_gradient_of_tanh_is_libtorchs() {
    let (active, delta) = (numbers(&[3, 6, 40], 1).narrow(1, 0, 5), numbers(&[3, 5, 40], 2));
    let expected = Tensor::tanh_backward(&delta, &active);
    tanh_backward(&delta, &active).unwrap();
    assert!(bits(&delta) == bits(&expected));
}
