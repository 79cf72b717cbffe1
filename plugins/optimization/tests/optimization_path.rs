//! `optimization-path`: its preset `quick`, itself interrupted, and wrong parameters.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_sdk::Series;
use gradtop_sdk::testing::{TestHost, bits, with};
use gradtop_toolkit::instruments::assert_harmless;
use optimization::optimization_path::OptimizationPath;

const SMALL: [(&str, &str); 6] = [
    ("train_samples", "600"),
    ("runs", "3"),
    ("epochs", "4"),
    ("every", "2"),
    ("batch", "64"),
    ("hidden", "6"),
];

#[test]
fn quick_learns_and_shows_what_its_components_explain() {
    let recorded = TestHost::new().seed(1).preset("quick").run::<OptimizationPath>(&[]).expect_finished();
    for run in 0..8 {
        let accuracy = recorded.series(Series::metric("accuracy").split("test").trial(run));
        assert_eq!(accuracy.len(), 4);
        assert!(accuracy[0] < 0.25 && accuracy[3] > 0.8, "run {run}: {accuracy:?}");
        let distance = recorded.series(Series::metric("distance").trial(run));
        assert!(distance[0] == 0.0 && distance[1] > 0.0 && distance[3] > distance[1], "{distance:?}");
    }
    // Eight runs, epochs 0 to 3, in the common components; one run in its own.
    let whole = recorded.last_table("path-whole");
    assert_eq!(whole.f64s("pc1").len(), 32);
    assert_eq!(recorded.last_table("single-layer").f64s("pc1").len(), 4);
    // Centred and uncorrelated, with the variance that the scree figure tells.
    let (pc1, pc2) = (whole.f64s("pc1"), whole.f64s("pc2"));
    let scale: f64 = pc1.iter().map(|v| v * v).sum();
    assert!(pc1.iter().sum::<f64>().abs() < 1e-6 * scale);
    assert!(pc1.iter().zip(&pc2).map(|(a, b)| a * b).sum::<f64>().abs() < 1e-6 * scale);
    let explained = recorded.last_table("scree").f64s("explained");
    let ratio = pc2.iter().map(|v| v * v).sum::<f64>() / scale;
    assert!((ratio - explained[1] / explained[0]).abs() < 1e-6);
    let conclusion = recorded.last_table("conclusion");
    assert!((conclusion.f64s("explained_2")[0] - explained[0] - explained[1]).abs() < 1e-12);
    // The axes of the last figures say the same.
    let figures = recorded.figures.last().unwrap();
    let label = format!("PC1 ({:.0} %)", 100.0 * explained[0]);
    assert!(figures.contains(&label), "{label} is not in {figures}");
    for part in [
        "784-15-30-10 (12565 parameters)",
        "10000 images of MNIST",
        "Adam, lr 0.001, batch 128, 3 epochs, seed 1",
    ] {
        assert!(figures.contains(part), "{part} is not in {figures}");
    }
    let told = recorded.infos();
    // The weights, two spaces and the distances.
    assert_eq!(told.len(), 4);
    assert!(told[1].starts_with("whole network: two components explain"), "{}", told[1]);
}

#[test]
fn same_seed_same_numbers() {
    let run = |seed| TestHost::new().seed(seed).run::<OptimizationPath>(&SMALL).expect_finished();
    let (a, b, c) = (run(3), run(3), run(4));
    assert_eq!(bits(&a.metrics), bits(&b.metrics));
    assert_eq!(format!("{:?}", a.tables), format!("{:?}", b.tables), "NaN is NaN here");
    assert_ne!(bits(&a.metrics), bits(&c.metrics));
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one_bit_for_bit() {
    for changes in [
        &[][..],
        &[("optimizer", "sgd"), ("lr", "0.05"), ("instruments", "4"), ("instruments_curvature", "15")],
    ] {
        let params = with(&SMALL, changes);
        let host = TestHost::new().seed(5);
        let whole = host.run::<OptimizationPath>(&params);
        // Step 25 lies within the third of four epochs of ten batches.
        let interrupted = host.run_interrupted::<OptimizationPath>(25, &params);
        interrupted.assert_equals(&whole);
        assert_eq!(interrupted.second.figures.last(), whole.figures.last());
    }
}

#[test]
fn instruments_only_read() {
    assert_harmless::<OptimizationPath>(&TestHost::new().seed(3), &SMALL, 25);
}

#[test]
fn wrong_parameters_are_refused_with_their_reason() {
    for (changes, part) in [
        (vec![("hidden", "15,x")], "`x`, but each must be a whole number"),
        (vec![("layer", "3")], "parameter `layer` is 3, the network has 2 layers"),
        (vec![("train_samples", "60001")], "60000"),
    ] {
        let why = TestHost::new().run::<OptimizationPath>(&with(&SMALL, &changes)).expect_failure();
        assert!(why.contains(part), "{changes:?}: {why}");
    }
}

#[test]
fn a_diverged_run_ends_it_with_the_reason() {
    let changes = [("optimizer", "sgd"), ("lr", "10"), ("hidden", "80,80,80,80,80,80")];
    let recorded = TestHost::new().run::<OptimizationPath>(&with(&SMALL, &changes));
    let why = recorded.expect_failure();
    assert!(why.contains("has diverged by epoch") && why.contains("smaller lr"), "{why}");
}
