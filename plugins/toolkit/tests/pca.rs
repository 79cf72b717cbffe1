//! V6: principal components against numpy, against themselves by another way, and on data of known structure.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_toolkit::pca::Pca;
use gradtop_toolkit::rng::{Rng, Stream};
use tch::{Kind, Tensor};

fn values(tensor: &Tensor) -> Vec<f64> {
    let tensor = tensor.contiguous();
    let mut values = vec![0.0; tensor.numel()];
    tensor.copy_data(&mut values, tensor.numel());
    values
}

fn normal(name: &str, rows: i64, columns: i64) -> Tensor {
    let mut rng = Rng::new(4, Stream::named(name), 0);
    Tensor::from_slice(&(0..rows * columns).map(|_| rng.normal()).collect::<Vec<_>>()).view([rows, columns])
}

fn close(a: &[f64], b: &[f64], tolerance: f64, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= tolerance, "{what} {i}: {a:e} against {b:e}");
    }
}

/// `tests/fixtures/pca.py` wrote the numbers.
#[test]
fn both_ways_equal_numpy() {
    let record = |what: &str, set: &str| -> Vec<f64> {
        let line = include_str!("fixtures/pca.txt")
            .lines()
            .find(|line| line.starts_with(&format!("{what} {set} ")))
            .unwrap();
        line.split(' ').skip(2).map(|v| v.parse().unwrap()).collect()
    };
    for set in ["tall", "wide"] {
        let points = record("points", set);
        let (n, d) = (points[0] as i64, points[1] as i64);
        let points = Tensor::from_slice(&points[2..]).view([n, d]);
        let scores = record("scores", set);
        for (way, pca) in [
            ("gram", Pca::by_gram(&points, 3)),
            ("svd", Pca::by_svd(&points, 3)),
            ("chosen", Pca::of(&points, 3)),
        ] {
            let pca = pca.unwrap();
            close(&values(&pca.scores), &scores[1..], 1e-8, &format!("{set} {way} scores"));
            // The last share of centred points may be nothing but rounding.
            close(&pca.explained, &record("explained", set), 1e-10, &format!("{set} {way} shares"));
            assert!((pca.explained.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            close(
                &values(&(points.to_kind(Kind::Double) - &pca.mean).matmul(&pca.components.transpose(0, 1))),
                &scores[1..],
                1e-8,
                "projections of the same points",
            );
        }
    }
}

#[test]
fn scores_are_uncorrelated_and_reconstruct() {
    let points = normal("points", 20, 50);
    let pca = Pca::of(&points, 2).unwrap();
    let product = |a: &Tensor| values(&a.transpose(0, 1).matmul(a));
    let [_, off, ..] = product(&pca.scores)[..] else { panic!("no scores") };
    assert!(off.abs() < 1e-10);
    close(&product(&pca.components.transpose(0, 1)), &[1.0, 0.0, 0.0, 1.0], 1e-12, "components");
    // What two components leave out is what they do not explain.
    let rebuilt = pca.scores.matmul(&pca.components) + &pca.mean;
    let square = |t: Tensor| t.square().sum(Kind::Double).double_value(&[]);
    let left = square(&points - rebuilt) / square(&points - &pca.mean);
    assert!((left - (1.0 - pca.explained_by(2))).abs() < 1e-12);
}

#[test]
fn a_planted_plane_is_found() {
    let (plane, coordinates) = (normal("plane", 2, 300), normal("coordinates", 30, 2));
    let points = coordinates.matmul(&plane) + normal("offset", 1, 300);
    let pca = Pca::of(&points, 4).unwrap();
    assert!((pca.explained_by(2) - 1.0).abs() < 1e-12);
    // The plane's own directions lie in the span of the first two components.
    let inside = plane.matmul(&pca.components.transpose(0, 1)).matmul(&pca.components);
    close(&values(&inside), &values(&plane), 1e-9, "the plane");
    // Nothing is left for the others: zero, not rounding divided by rounding.
    assert!(values(&pca.scores.narrow(1, 2, 2)).iter().all(|v| v.abs() < 1e-6));
    assert!(values(&pca.components).iter().all(|v| v.is_finite()));
}

#[test]
fn signs_do_not_hang_on_the_way_or_the_order() {
    let points = normal("points", 9, 40);
    let [a, b] = [Pca::by_gram(&points, 5).unwrap(), Pca::by_svd(&points, 5).unwrap()];
    close(&values(&a.scores), &values(&b.scores), 1e-8, "scores");
    close(&values(&a.components), &values(&b.components), 1e-8, "components");
    let reversed = Pca::of(&points.flip([0]), 5).unwrap();
    close(&values(&reversed.scores.flip([0])), &values(&a.scores), 1e-8, "reversed");
    for row in values(&a.components).chunks(40) {
        let largest = row.iter().copied().fold(0.0_f64, |m, v| if v.abs() > m.abs() { v } else { m });
        assert!(largest > 0.0);
    }
}

#[test]
fn degenerate_points() {
    let same = Tensor::ones([4, 6], (Kind::Float, tch::Device::Cpu));
    let pca = Pca::of(&same, 2).unwrap();
    assert_eq!(pca.explained, [0.0; 4]);
    assert!(values(&pca.scores).iter().chain(&values(&pca.components)).all(|v| *v == 0.0));
    let error = Pca::of(&same.narrow(0, 0, 1), 2).unwrap_err().to_string();
    assert!(error.contains("two points"), "{error}");
    assert_eq!(Pca::of(&normal("few", 3, 2), 9).unwrap().components.size(), [2, 2]);
}
