//! The figures that the experiments declare.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../toolkit/tests/golden/mod.rs"]
mod golden;

use generalization::interpolation::Interpolation;
use generalization::model_size::ModelSize;
use generalization::random_labels::RandomLabels;
use generalization::sensitivity::Sensitivity;
use golden::assert_figures;
use gradtop_sdk::testing::TestHost;

#[test]
fn random_labels() {
    let params = [
        ("networks", "mlp,lenet"),
        ("hidden", "64"),
        ("conditions", "true,random,shuffled-pixels,gaussian,redrawn"),
        ("mlp_samples", "60"),
        ("cnn_samples", "40"),
        ("sizes", "20"),
        ("corruptions", "0.5"),
        ("epochs", "4"),
        ("batch", "16"),
        ("trials", "1"),
        ("test_samples", "100"),
        ("lr", "0.003"),
    ];
    assert_figures("random-labels", &TestHost::new().run::<RandomLabels>(&params).expect_finished());
}

#[test]
fn model_size() {
    let params = [
        ("full_widths", "2"),
        ("full_samples", "300"),
        ("full_epochs", "1"),
        ("subset_widths", "3"),
        ("subset_samples", "60"),
        ("subset_epochs", "2"),
        ("feature_ratios", "0.5,1"),
        ("feature_samples", "40"),
        ("feature_tests", "100"),
        ("trials", "2"),
        ("batch", "50"),
        ("noise", "0.3"),
        ("instruments", "1"),
    ];
    assert_figures("model-size", &TestHost::new().run::<ModelSize>(&params).expect_finished());
}

#[test]
fn interpolation() {
    let params = [
        ("train_samples", "600"),
        ("hidden", "12"),
        ("pairs", "2"),
        ("epochs", "1"),
        ("other_batch", "150"),
        ("spawn_steps", "0,4"),
        ("spawn_epochs", "1"),
        ("points", "13"),
    ];
    assert_figures("interpolation", &TestHost::new().run::<Interpolation>(&params).expect_finished());
}

#[test]
fn sensitivity() {
    let params = [
        ("train_samples", "600"),
        ("hidden", "12"),
        ("batches", "16,100"),
        ("further", "300"),
        ("networks", "2"),
        ("epochs", "4"),
        ("early", "2"),
        ("steps", "30"),
        ("target", "0.9"),
        ("followed", "300"),
        ("curved", "100"),
        ("lanczos_steps", "8"),
        ("probes", "3"),
        ("ascent", "3"),
        ("many_samples", "200"),
        ("many_batches", "20"),
        ("many_rates", "1e-3,3e-3"),
        ("many_networks", "2"),
        ("many_target", "0.9"),
    ];
    let recorded = TestHost::new().run::<Sensitivity>(&params).expect_finished();
    assert_figures("sensitivity", &recorded);
    // Each claim about a quantity stands below a figure with panels of that quantity.
    let of = [("many", "generalisation, "), ("peak", "after 4 epochs, peak of the ")];
    for (id, about) in of {
        let figure =
            recorded.figures.iter().rev().find(|text| text.contains(&format!("id = \"{id}\""))).unwrap();
        let claims = recorded.last_table("conclusion").strings("about");
        let quantities: Vec<&str> = claims.iter().filter_map(|claim| claim.strip_prefix(about)).collect();
        assert!(quantities.len() > 1, "{claims:?}");
        for quantity in quantities {
            assert!(figure.contains(&format!("\"{quantity}\"")), "{quantity:?} has no panel: {figure}");
        }
    }
}
