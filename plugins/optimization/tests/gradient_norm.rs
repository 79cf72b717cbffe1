//! `gradient-norm`: the norms themselves, its preset `quick`, itself interrupted, and wrong parameters.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_sdk::Series;
use gradtop_sdk::testing::{Recorded, TestHost, bits, with};
use gradtop_toolkit::instruments::assert_harmless;
use gradtop_toolkit::mlp::{Evaluator, Mlp};
use gradtop_toolkit::rng::Stream;
use optimization::gradient_norm::GradientNorm;
use optimization::gradient_norm::task::sinc_samples;
use tch::{Device, Kind};

const SMALL: [(&str, &str); 8] = [
    ("steps", "130"),
    ("points", "300"),
    ("trials", "2"),
    ("every", "10"),
    ("batch", "64"),
    ("epochs", "2"),
    ("train_samples", "500"),
    ("norm_samples", "300"),
];

fn of(recorded: &Recorded, metric: &str, task: &str, trial: i32) -> Vec<f64> {
    recorded.series(Series::metric(metric).split(task).trial(trial))
}

/// The loss falls along −g / ‖g‖ at the rate ‖g‖.
#[test]
fn the_norm_is_the_directional_derivative() {
    let samples = sinc_samples(200, Kind::Double, Device::Cpu).unwrap();
    let widths = [1, 5, 10, 10, 10, 10, 10, 5, 1];
    let mut mlp = Mlp::zeros(&widths, 1, Kind::Double, Device::Cpu).unwrap();
    mlp.init_uniform(3, Stream::named("test")).unwrap();
    let mut evaluator = Evaluator::new(&mlp, &samples).unwrap();
    evaluator.gradient(&mut mlp).unwrap();
    let norm = mlp.squared_gradient_norms().unwrap().iter().map(|layer| layer[0]).sum::<f64>().sqrt();
    let direction = mlp.gradients().f_div_scalar(norm).unwrap();
    let start = mlp.parameters().f_mul_scalar(1.0).unwrap();
    let loss_at = |h: f64| {
        let moved = &start + &direction.f_mul_scalar(h).unwrap();
        mlp.parameters().shallow_clone().copy_(&moved);
        evaluator.evaluate(&mlp).unwrap().loss[0]
    };
    let h = 1e-5;
    let slope = (loss_at(h) - loss_at(-h)) / (2.0 * h);
    assert!((slope - norm).abs() < 1e-5 * norm, "slope {slope}, norm {norm}");
    assert!(norm > 1e-3);
}

#[test]
fn quick_learns_and_measures_every_norm() {
    let recorded = TestHost::new().seed(1).preset("quick").run::<GradientNorm>(&[]).expect_finished();
    for (task, layers, count) in [("sinc-full", 8, 76), ("sinc-batch", 8, 76), ("mnist", 3, 5)] {
        for trial in 0..3 {
            let (loss, norm) = (of(&recorded, "loss", task, trial), of(&recorded, "grad_norm", task, trial));
            assert_eq!((loss.len(), norm.len()), (count, count), "{task}");
            assert!(loss[count - 1] < loss[0] && norm.iter().all(|n| *n > 0.0), "{task}");
            // No update follows the last measurement.
            assert_eq!(of(&recorded, "update_size", task, trial).len(), count - 1);
            for (i, norm) in norm.iter().enumerate() {
                let squares: f64 = (1..=layers)
                    .map(|layer| {
                        let model = format!("layer {layer}");
                        let series = Series::metric("layer_grad_norm").split(task).trial(trial).model(&model);
                        recorded.series(series)[i].powi(2)
                    })
                    .sum();
                assert!((norm * norm - squares).abs() <= 1e-12 * squares, "{task}");
            }
        }
    }
    assert!(of(&recorded, "batch_grad_norm", "sinc-full", 0).is_empty(), "a full batch is all data");
    // E |g_batch|² = |g|² + noise: mini-batches' norms lie above, on average.
    for task in ["sinc-batch", "mnist"] {
        let (batch, full) = (of(&recorded, "batch_grad_norm", task, 0), of(&recorded, "grad_norm", task, 0));
        let mean_square = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64;
        assert!(mean_square(&batch) > mean_square(&full[..batch.len()]), "{task}");
    }
    let accuracy = of(&recorded, "accuracy", "mnist", 0);
    assert!(accuracy[0] < 0.3 && accuracy[4] > 0.6, "{accuracy:?}");

    let tasks = recorded.table("norms")[0].strings("task");
    assert_eq!(tasks.len(), 3 * (76 + 76 + 5));
    let told = recorded.infos();
    let course = told.iter().find(|line| line.starts_with("mnist, course: the loss went from 2.3")).unwrap();
    assert!(course.contains("the middle one of 3 by last loss"), "{course}");
    // Five measurements are no trend.
    assert!(
        told.iter().any(|line| line.starts_with("mnist, end: ") && line.contains("(not testable)")),
        "{told:?}"
    );
    for part in
        ["1-5-10-10-10-10-10-5-1 (571 parameters)", "784-15-30-10 (12565 parameters)", "seed 1, 3 trials"]
    {
        assert!(recorded.figures[0].contains(part), "{part} is not in the captions");
    }
    recorded.figures[0].parse::<toml::Table>().unwrap();
}

/// A trial's numbers do not hang on how many stand beside it.
#[test]
fn a_trial_of_an_ensemble_is_the_single_run() {
    let run =
        |trials: &str| TestHost::new().seed(2).run::<GradientNorm>(&with(&SMALL, &[("trials", trials)]));
    let (three, one) = (run("3"), run("1"));
    for task in ["sinc-full", "sinc-batch", "mnist"] {
        for metric in ["loss", "grad_norm", "update_size"] {
            for (a, b) in of(&three, metric, task, 0).iter().zip(of(&one, metric, task, 0)) {
                assert!((a - b).abs() <= 1e-4 * b.abs(), "{task} {metric}: {a} in the ensemble, {b} alone");
            }
        }
    }
}

#[test]
fn same_seed_same_numbers() {
    let run = |seed| TestHost::new().seed(seed).run::<GradientNorm>(&SMALL).expect_finished();
    let (a, b, c) = (run(3), run(3), run(4));
    assert_eq!(bits(&a.metrics), bits(&b.metrics));
    assert_ne!(bits(&a.metrics), bits(&c.metrics));
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one_bit_for_bit() {
    let host = TestHost::new().seed(5);
    let whole = host.run::<GradientNorm>(&SMALL);
    // mnist is at its 16 steps' end by then, sinc in the middle; a stop right on a measurement, and one between two.
    for stop in [70, 75] {
        host.run_interrupted::<GradientNorm>(stop, &SMALL).assert_equals(&whole);
    }
}

#[test]
fn wrong_parameters_are_refused_with_their_reason() {
    for (changes, part) in [
        (vec![("tasks", "sinc")], "names `sinc`, but each must be one of sinc-full, sinc-batch, mnist"),
        (vec![("tasks", "mnist,mnist")], "named twice"),
        (vec![("batch", "301"), ("tasks", "sinc-batch")], "must be at most `points`, which is 300"),
        (vec![("norm_samples", "501")], "there are 500 images to learn"),
    ] {
        let why = TestHost::new().run::<GradientNorm>(&with(&SMALL, &changes)).expect_failure();
        assert!(why.contains(part), "{changes:?}: {why}");
    }
}

#[test]
fn instruments_only_read() {
    assert_harmless::<GradientNorm>(&TestHost::new().seed(5), &SMALL, 70);
}
