//! `model-size`: its preset `quick`, the exact solutions of random features, itself interrupted, and wrong parameters.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use generalization::model_size::ModelSize;
use generalization::model_size::features::{errors, features, minimum_norm, weights};
use gradtop_sdk::Series;
use gradtop_sdk::testing::{Table, TestHost, bits, with};
use gradtop_toolkit::instruments::assert_harmless;
use gradtop_toolkit::rng::{Rng, Stream};
use tch::{Kind, Tensor};

const SMALL: [(&str, &str); 14] = [
    ("full_widths", "2,6"),
    ("full_samples", "300"),
    ("full_epochs", "3"),
    ("full_rates", "1e-2"),
    ("subset_widths", "3,10"),
    ("subset_samples", "60"),
    ("subset_epochs", "12"),
    ("subset_rates", "1e-2"),
    ("feature_ratios", "0.5,1,2"),
    ("feature_samples", "40"),
    ("feature_tests", "100"),
    ("trials", "2"),
    ("batch", "50"),
    ("noise", "0.3"),
];

/// Means over trials of a column, by width, of the rows with this noise.
fn by_width(table: &Table, width: &str, column: &str, noise: f64) -> Vec<(i64, f64)> {
    let (widths, shares, values) = (table.i64s(width), table.f64s("noise_share"), table.f64s(column));
    let mut found: Vec<(i64, Vec<f64>)> = Vec::new();
    for i in (0..widths.len()).filter(|&i| shares[i] == noise) {
        match found.iter_mut().find(|(w, _)| *w == widths[i]) {
            Some((_, all)) => all.push(values[i]),
            None => found.push((widths[i], vec![values[i]])),
        }
    }
    found.into_iter().map(|(w, all)| (w, all.iter().sum::<f64>() / all.len() as f64)).collect()
}

#[test]
fn quick_learns_counts_and_shows_the_peak() {
    let recorded = TestHost::new().seed(1).preset("quick").run::<ModelSize>(&[]).expect_finished();
    // A: 784-h-2h-10, counted from the real tensors, against the formula; wider is better.
    let full = recorded.last_table("full");
    for (h, p) in full.i64s("width").iter().zip(full.i64s("parameters")) {
        assert_eq!(*p, 785 * h + (h + 1) * 2 * h + (2 * h + 1) * 10);
    }
    let accuracy = by_width(full, "width", "test_accuracy", 0.0);
    assert!(accuracy[0].1 < 0.5 && accuracy.last().unwrap().1 > 0.8, "{accuracy:?}");
    // B: 784-h-10 is 795 h + 10; label noise costs test error at every width that can fit it.
    let subset = recorded.last_table("subset");
    for (h, p) in subset.i64s("width").iter().zip(subset.i64s("parameters")) {
        assert_eq!(*p, 795 * h + 10);
    }
    let (clean, noisy) =
        (by_width(subset, "width", "test_error", 0.0), by_width(subset, "width", "test_error", 0.2));
    assert!(clean.last().unwrap().1 < 0.5 * clean[0].1, "{clean:?}");
    assert!(noisy.last().unwrap().1 > 1.2 * clean.last().unwrap().1, "{clean:?} {noisy:?}");
    // C, n = 200: the bands of the full size.
    let exact = recorded.last_table("features");
    let n = 200;
    for noise in [0.0, 0.2] {
        let errors = by_width(exact, "features", "test_error", noise);
        let at = |count: i64| errors.iter().find(|(w, _)| *w == count).unwrap().1;
        let base = at(n / 5);
        assert!(at(n * 95 / 100) >= 5.0 * base && at(n * 105 / 100) >= 5.0 * base, "{errors:?}");
        assert!(at(n) >= 20.0 * base && at(10 * n) < base, "{errors:?}");
        let peak = errors.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0;
        assert!((peak - n).abs() <= n / 20, "the peak lies at {peak}");
        let norms = by_width(exact, "features", "norm", noise);
        assert_eq!(norms.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0, peak, "{norms:?}");
        for (count, error) in by_width(exact, "features", "train_error", noise) {
            assert!(if count < n { error > 1e-3 } else { error < 1e-20 }, "{count} features: {error:e}");
        }
        for (count, accuracy) in by_width(exact, "features", "train_accuracy", noise) {
            assert!(count < n || accuracy == 1.0, "{count} features: {accuracy}");
        }
    }
    let told = recorded.infos();
    let exact = told.iter().find(|line| line.starts_with("C, 200 images, 0 % noise")).unwrap();
    assert!(
        exact.contains("highest squared test error lies at N = 200, where features and images"),
        "{exact}"
    );
    let figures = recorded.figures.last().unwrap();
    for part in
        ["id = \"full\"", "id = \"subset\"", "id = \"features\"", "x = 2e3", "x = 5e3", "x = 5e4", "seed 1"]
    {
        assert!(figures.contains(part), "{part} is not in {figures}");
    }
}

fn values(tensor: &Tensor) -> Vec<f64> {
    let tensor = tensor.contiguous();
    let mut values = vec![0.0; tensor.numel()];
    tensor.copy_data(&mut values, tensor.numel());
    values
}

fn largest(tensor: &Tensor) -> f64 {
    values(tensor).into_iter().map(f64::abs).fold(0.0, f64::max)
}

/// V10: `tests/fixtures/lstsq.py` wrote the solutions of numpy.
#[test]
fn solutions_are_numpys() {
    let mut lines = include_str!("fixtures/lstsq.txt").lines();
    let mut problems = 0;
    while let Some(head) = lines.next() {
        let head: Vec<&str> = head.split(' ').collect();
        let [samples, count, outputs] = [2, 3, 4].map(|i| head[i].parse::<i64>().unwrap());
        let mut matrix = |name: &str, shape: [i64; 2]| {
            let numbers: Vec<f64> = lines
                .next()
                .and_then(|line| line.strip_prefix(name))
                .unwrap()
                .split_whitespace()
                .map(|n| n.parse().unwrap())
                .collect();
            Tensor::from_slice(&numbers).view(shape)
        };
        let (f, y) = (matrix("f", [samples, count]), matrix("y", [samples, outputs]));
        let expected = matrix("a", [count, outputs]);
        let found = minimum_norm(&f, &y).unwrap();
        let error = largest(&(&found - &expected)) / largest(&expected);
        assert!(error < 1e-8, "{}: off by {error:e}", head[1]);
        problems += 1;
    }
    assert_eq!(problems, 4);
}

/// V10 on features of random images: normal equations below, interpolation and the smallest norm above as many features as samples.
#[test]
fn solutions_satisfy_what_defines_them() {
    let n = 60_i64;
    let draws = |name: &str, shape: [i64; 2]| {
        let mut rng = Rng::new(3, Stream::named(name), 0);
        let numbers: Vec<f64> = (0..shape[0] * shape[1]).map(|_| rng.uniform()).collect();
        Tensor::from_slice(&numbers).view(shape)
    };
    let (x, y) = (draws("x", [n, 784]) - 0.5, draws("y", [n, 3]) - 0.5);
    let all = features(&x, &weights(240, 7, 0).unwrap()).unwrap();
    // Fewer features are the first of more.
    let fewer = features(&x, &weights(20, 7, 0).unwrap()).unwrap();
    assert!(largest(&(all.narrow(1, 0, 20) - &fewer)) < 1e-12 && largest(&fewer) > 0.0);
    assert!(largest(&(fewer - features(&x, &weights(20, 7, 1).unwrap()).unwrap())) > 0.1);
    for count in [10, 59, 60, 61, 240] {
        let f = all.narrow(1, 0, count);
        let a = minimum_norm(&f, &y).unwrap();
        let residual = f.matmul(&a) - &y;
        if count < n {
            let normal = largest(&f.transpose(0, 1).matmul(&residual));
            assert!(normal < 1e-8, "{count} features: FᵀFa − FᵀY is {normal:e}");
        } else {
            let missed = residual.square().mean(Kind::Double).double_value(&[]);
            assert!(missed < 1e-20, "{count} features: interpolates up to {missed:e}");
        }
        if count > n {
            // In the row space of F, by another way than the code's: a = Fᵀ(FFᵀ)⁻¹Y.
            let gram = f.matmul(&f.transpose(0, 1));
            let other = f.transpose(0, 1).matmul(&Tensor::linalg_solve(&gram, &y, true));
            let error = largest(&(&a - &other)) / largest(&other);
            assert!(error < 1e-8, "{count} features: {error:e} from the row space");
            // And so shorter than an interpolating solution with something of the null space.
            let other = {
                let any = draws("any", [count, 3]);
                let in_rows = f.transpose(0, 1).matmul(&Tensor::linalg_solve(&gram, &f.matmul(&any), true));
                &a + any - in_rows
            };
            assert!(largest(&(f.matmul(&other) - &y)) < 1e-8);
            let norm = |t: &Tensor| t.square().sum(Kind::Double).sqrt().double_value(&[]);
            assert!(norm(&a) < norm(&other));
        }
    }
}

#[test]
fn errors_are_sums_over_outputs_of_each_readout() {
    let predictions = Tensor::from_slice(&[1.0, 0.0, 0.0, 1.0, 0.5, 0.25, 0.0, 2.0]).view([2, 4]);
    let targets = Tensor::from_slice(&[1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0]).view([2, 4]);
    let labels = [Tensor::from_slice(&[0_i64, 1]), Tensor::from_slice(&[1_i64, 0])];
    let found = errors(&predictions, &targets, &labels, 2).unwrap();
    // First readout: rows (1, 0) and (0.5, 0.25) against (1, 0) and (0, 1).
    assert_eq!(found, [[f64::midpoint(0.25, 0.5625), 0.5], [2.5, 0.5]]);
}

#[test]
fn noise_is_in_the_training_labels_alone() {
    let only_features = with(&SMALL, &[("full_widths", ""), ("subset_widths", "")]);
    let recorded = TestHost::new().seed(2).run::<ModelSize>(&only_features).expect_finished();
    assert!(recorded.table("full").is_empty() && recorded.table("subset").is_empty());
    let table = recorded.last_table("features");
    // 2 trials of 3 sizes with 2 kinds of labels; with twice as many features as images every label is fitted, true or not, even
    // if some features are 0 for all of so few images.
    assert_eq!(table.i64s("features"), [20, 20, 40, 40, 80, 80].repeat(2));
    for i in 0..12 {
        let fitted = table.f64s("train_accuracy")[i] == 1.0;
        assert!(fitted || table.i64s("features")[i] < 80);
    }
    let (clean, noisy) = (
        by_width(table, "features", "test_accuracy", 0.0),
        by_width(table, "features", "test_accuracy", 0.3),
    );
    assert!(clean[2].1 > noisy[2].1, "{clean:?} {noisy:?}");
    let trials = |column| (table.f64s(column)[10], table.f64s(column)[11]);
    let (a, b) = trials("test_error");
    assert!(a != b, "trials have draws of their own");

    // With ten times fewer features than images half of the labels may be random, and still most of what is learnt is kept:
    // 0.49 of 0.64. If the test labels were random too, less than half of it would be.
    let few =
        [("feature_samples", "400"), ("feature_ratios", "0.1"), ("feature_tests", "1000"), ("noise", "0.5")];
    let recorded = TestHost::new().seed(2).run::<ModelSize>(&with(&only_features, &few)).expect_finished();
    let table = recorded.last_table("features");
    let [clean, noisy] = [0.0, 0.5].map(|noise| by_width(table, "features", "test_accuracy", noise)[0].1);
    assert!(noisy > 0.62 * clean && noisy < 0.92 * clean, "{clean} {noisy}");
}

#[test]
fn same_seed_same_numbers() {
    let run = |seed| TestHost::new().seed(seed).threads(1).run::<ModelSize>(&SMALL).expect_finished();
    let (a, b, c) = (run(3), run(3), run(4));
    assert_eq!(bits(&a.metrics), bits(&b.metrics));
    assert_eq!(format!("{:?}", a.tables), format!("{:?}", b.tables));
    assert_ne!(bits(&a.metrics), bits(&c.metrics));
    // Networks of part B begin alike only by chance: no two trials, clean or noisy, are the same.
    let errors = a.last_table("subset").f64s("test_error");
    assert!((0..errors.len()).all(|i| !errors[..i].contains(&errors[i])), "{errors:?}");
    let curve = a.series(Series::metric("accuracy").model("many images, width 6").split("test").trial(1));
    assert_eq!(curve.len(), 3);
}

/// Widths of at least 100,000 parameters are trained network by network on as many threads as there are.
#[test]
fn wide_networks_do_not_depend_on_the_threads() {
    let changes = with(
        &SMALL,
        &[
            ("full_widths", ""),
            ("feature_ratios", ""),
            ("subset_widths", "3,130"),
            ("subset_epochs", "5"),
            ("subset_rates", ""),
            ("lr", "0.02"),
        ],
    );
    let run = |threads| TestHost::new().seed(3).threads(threads).run::<ModelSize>(&changes).expect_finished();
    let (one, three) = (run(1), run(3));
    assert_eq!(bits(&one.metrics), bits(&three.metrics));
    let table = one.last_table("subset");
    assert_eq!(table.i64s("parameters"), [2395, 2395, 103_360, 103_360].repeat(2));
    let errors = table.f64s("train_error");
    assert!((0..errors.len()).all(|i| !errors[..i].contains(&errors[i])), "{errors:?}");
    assert!(errors[2] < errors[0] && errors[7] < errors[5], "{errors:?}");
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one_bit_for_bit() {
    let host = TestHost::new().seed(5).threads(1);
    let whole = host.run::<ModelSize>(&SMALL).expect_finished();
    // 6 steps an epoch, 18 for each width of part A; 15 for each width and rate; 24 for each width of part B, and for each at its
    // other rate; then solutions: within each part.
    for stop in [6, 26, 45, 103, 144, 150, 195] {
        let interrupted = host.run_interrupted::<ModelSize>(stop, &SMALL);
        interrupted.assert_equals(&whole);
        assert_eq!(interrupted.second.figures.last(), whole.figures.last());
    }
}

/// The common rate first, each network from the same values on the same images.
#[test]
fn every_size_is_trained_at_every_rate() {
    let recorded = TestHost::new().seed(5).threads(1).run::<ModelSize>(&SMALL).expect_finished();
    let rates = recorded.last_table("rates");
    assert_eq!(rates.i64s("width"), [2, 2, 6, 6]);
    assert_eq!(rates.f64s("lr"), [1e-3, 1e-2, 1e-3, 1e-2]);
    let loss = rates.f64s("validation_loss");
    assert!(loss[3] < loss[2], "ten times the rate learns more in three epochs: {loss:?}");
    let told = recorded.infos();
    let claim = told.iter().find(|line| line.starts_with("A, learning rates: ")).unwrap();
    assert!(claim.contains("on 240 images; 60 others chose the rate, the test set chose nothing"), "{claim}");
    // Part B: with true and with noisy labels, the first of the trials beside a network at the other rate.
    let rates = recorded.last_table("subset-rates");
    assert_eq!(rates.i64s("width"), [3, 3, 10, 10].repeat(2));
    assert_eq!(rates.f64s("lr"), [1e-3, 1e-2].repeat(4));
    assert_eq!(rates.f64s("noise_share"), [[0.0; 4], [0.3; 4]].concat());
    let subset = recorded.last_table("subset");
    for i in (0..8).step_by(2) {
        assert_eq!(rates.f64s("test_error")[i], subset.f64s("test_error")[i], "the common rate");
        assert_ne!(rates.f64s("test_error")[i + 1], subset.f64s("test_error")[i], "the other rate");
        assert_ne!(rates.f64s("test_error")[i], rates.f64s("validation_error")[i], "the test set chooses");
    }
    let none = with(&SMALL, &[("full_rates", ""), ("subset_rates", "")]);
    let recorded = TestHost::new().seed(5).threads(1).run::<ModelSize>(&none).expect_finished();
    assert!(recorded.table("rates").is_empty() && recorded.table("subset-rates").is_empty());
}

#[test]
fn wrong_parameters_are_refused_with_their_reason() {
    for (changes, part) in [
        (vec![("full_widths", "5,0")], "`full_widths` names `0`, but each must be at least 1"),
        (vec![("full_rates", "1e-2,1e-3")], "`full_rates` names 0.001, which is `lr` already"),
        (vec![("subset_rates", "1e-3")], "`subset_rates` names 0.001, which is `lr` already"),
        (vec![("subset_samples", "60000")], "no training image is left to choose between `subset_rates`"),
        (vec![("subset_widths", "5,x")], "`x`, but each must be a whole number"),
        (vec![("feature_ratios", "0.001")], "of 40 images that is 0 features"),
        (vec![("full_widths", ""), ("subset_widths", ""), ("feature_ratios", "")], "are all empty"),
    ] {
        let why = TestHost::new().run::<ModelSize>(&with(&SMALL, &changes)).expect_failure();
        assert!(why.contains(part), "{changes:?}: {why}");
    }
}

#[test]
fn instruments_only_read() {
    assert_harmless::<ModelSize>(&TestHost::new().seed(5).threads(1), &SMALL, 45);
}
