//! `gradient-norm` under a host in memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_sdk::Series;
use gradtop_sdk::testing::{Outcome, TestHost};
use optimization::gradient_norm::GradientNorm;

#[test]
fn squared_norms_of_layers_sum_to_the_total() {
    let recorded =
        TestHost::new().seed(2).run::<GradientNorm>(&[("steps", "30"), ("points", "100"), ("trials", "2")]);
    assert_eq!(recorded.outcome, Outcome::Finished);
    for trial in 0..2 {
        let total = recorded.series(Series::metric("grad_norm").split("sinc").trial(trial));
        assert_eq!(total.len(), 4);
        for (i, total) in total.iter().enumerate() {
            let squares: f64 = (1..=8)
                .map(|l| {
                    let model = format!("layer {l}");
                    let series = Series::metric("layer_grad_norm").split("sinc").trial(trial).model(&model);
                    recorded.series(series)[i].powi(2)
                })
                .sum();
            assert!((total * total - squares).abs() < 1e-12 * squares);
        }
    }
}
