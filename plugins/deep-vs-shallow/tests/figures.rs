//! The figures that the experiments declare.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../toolkit/tests/golden/mod.rs"]
mod golden;

use deep_vs_shallow::function_fit::FunctionFit;
use deep_vs_shallow::image_classification::ImageClassification;
use golden::assert_figures;
use gradtop_sdk::testing::TestHost;

#[test]
fn function_fit() {
    let params = [
        ("points", "300"),
        ("batch", "64"),
        ("steps", "40"),
        ("rates", "0.01"),
        ("trials", "2"),
        ("instruments", "10"),
        ("instruments_curvature", "20"),
        ("instruments_samples", "20"),
    ];
    assert_figures("function-fit", &TestHost::new().run::<FunctionFit>(&params).expect_finished());
}

#[test]
fn image_classification() {
    let params = [
        ("models", "shallow,lenet"),
        ("train_samples", "320"),
        ("test_samples", "200"),
        ("epochs", "1"),
        ("batch", "32"),
        ("trials", "2"),
        ("rates", ""),
        ("mistakes", "5"),
    ];
    let recorded = TestHost::new().run::<ImageClassification>(&params).expect_finished();
    assert_figures("image-classification", &recorded);
}
