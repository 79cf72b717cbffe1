//! The figures that the experiments declare.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../toolkit/tests/golden/mod.rs"]
mod golden;

use golden::assert_figures;
use gradtop_sdk::testing::TestHost;
use optimization::edge_of_stability::EdgeOfStability;
use optimization::error_surface::ErrorSurface;
use optimization::gradient_norm::GradientNorm;
use optimization::minimal_ratio::MinimalRatio;
use optimization::optimization_path::OptimizationPath;

#[test]
fn optimization_path() {
    let params = [
        ("train_samples", "600"),
        ("runs", "3"),
        ("epochs", "2"),
        ("every", "1"),
        ("batch", "64"),
        ("hidden", "6,5"),
        ("instruments", "5"),
    ];
    assert_figures("optimization-path", &TestHost::new().run::<OptimizationPath>(&params).expect_finished());
}

#[test]
fn gradient_norm() {
    let params = [
        ("steps", "20"),
        ("points", "300"),
        ("trials", "2"),
        ("every", "10"),
        ("batch", "64"),
        ("epochs", "1"),
        ("train_samples", "300"),
        ("norm_samples", "300"),
    ];
    assert_figures("gradient-norm", &TestHost::new().run::<GradientNorm>(&params).expect_finished());
}

#[test]
fn minimal_ratio() {
    let params = [
        ("networks", "3@16"),
        ("finders", "lm"),
        ("critical", "1"),
        ("runs", "6"),
        ("train_steps", "100"),
        ("lm_steps", "40"),
        ("samples", "20"),
        ("log_every", "10"),
        ("lr", "0.02"),
    ];
    assert_figures("minimal-ratio", &TestHost::new().run::<MinimalRatio>(&params).expect_finished());
}

#[test]
fn error_surface() {
    let params = [
        ("tasks", "function"),
        ("function_steps", "60"),
        ("grid", "7"),
        ("line_points", "13"),
        ("snapshots", "9"),
        ("lanczos_steps", "12"),
    ];
    assert_figures("error-surface", &TestHost::new().run::<ErrorSurface>(&params).expect_finished());
}

#[test]
fn edge_of_stability() {
    let params = [
        ("samples", "20"),
        ("hidden", "3"),
        ("networks", "2"),
        ("steps", "10"),
        ("every", "5"),
        ("catapult_steps", "5"),
    ];
    assert_figures("edge-of-stability", &TestHost::new().run::<EdgeOfStability>(&params).expect_finished());
}
