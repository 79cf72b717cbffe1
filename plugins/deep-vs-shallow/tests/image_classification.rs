//! `image-classification` through the SDK's host in memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the numbers behind the bands, for cargo test -- --nocapture")]

use std::sync::atomic::{AtomicI64, Ordering};

use deep_vs_shallow::image_classification::ImageClassification;
use deep_vs_shallow::image_classification::training::Training;
use gradtop_sdk::testing::{ColumnValues, Recorded, TestHost, bits, with};
use gradtop_sdk::{Params as _, Series};
use gradtop_toolkit::instruments::assert_harmless;

const SMALL: [(&str, &str); 10] = [
    ("models", "shallow,lenet"),
    ("train_samples", "320"),
    ("test_samples", "200"),
    ("epochs", "3"),
    ("batch", "32"),
    ("trials", "2"),
    ("rates", ""),
    ("log_every", "4"),
    ("eval_every", "2"),
    ("mistakes", "5"),
];

fn run(changes: &[(&str, &str)]) -> Recorded {
    TestHost::new().seed(5).run::<ImageClassification>(&with(&SMALL, changes))
}

#[test]
fn what_a_run_records() {
    let recorded = run(&[]).expect_finished();
    let of = |metric, split, trial| {
        recorded.series(Series::metric(metric).model("lenet").split(split).trial(trial))
    };
    // Steps 0, 20 (every second epoch of ten batches) and 30, the end.
    let (loss, accuracy, error) =
        (of("loss", "mnist-train", 1), of("accuracy", "mnist-train", 1), of("error", "mnist-train", 1));
    assert_eq!((loss.len(), accuracy.len()), (3, 3));
    assert!((loss[0] / 10_f64.ln() - 1.0).abs() < 0.05 && loss[2] < loss[1] && loss[1] < loss[0]);
    assert!(accuracy.iter().zip(&error).all(|(a, e)| (a + e - 1.0).abs() < 1e-12));
    assert_ne!(of("loss", "mnist-test", 0), of("loss", "mnist-test", 1));
    assert_ne!(of("loss", "mnist-test", 1), loss);
    assert_eq!(recorded.values("batch_loss").len(), 7 * 4);
    // Every fourth step, and every tenth as it ends an epoch: 4, 8, 10, 12, 16, 20, 24, 28, 30; and step 0.
    assert_eq!(recorded.steps_ended, 10);

    assert_eq!(recorded.last_table("models").i64s("parameters"), [25_828, 53_808]);
    // The confusion matrix and the logged accuracy come to the same.
    let counts = recorded.last_table("confusion-mnist-lenet").i64s("count");
    assert_eq!(counts.iter().sum::<i64>(), 2 * 200);
    let diagonal: i64 = (0..10).map(|i| counts[11 * i]).sum();
    let right: f64 = (0..2).map(|trial| of("accuracy", "mnist-test", trial)[2] * 200.0).sum();
    assert!((diagonal as f64 - right).abs() < 1e-9);

    let table = recorded.last_table("mistakes-mnist-shallow");
    let losses = table.f64s("loss");
    assert_eq!(losses.len(), 5);
    assert!(losses.windows(2).all(|pair| pair[0] >= pair[1]) && losses[4] > 2_f64.ln());
    let (truth, prediction) = (table.i64s("truth"), table.i64s("prediction"));
    assert!(truth.iter().zip(prediction).all(|(t, p)| t != p));
    let Some(ColumnValues::Bytes(images)) = table.column("image") else { panic!("no images") };
    assert_eq!(images.iter().map(Vec::len).collect::<Vec<_>>(), [784; 5]);

    let figures: Vec<toml::Table> = recorded.figures.iter().map(|text| text.parse().unwrap()).collect();
    let declared: Vec<(&str, usize)> = figures
        .iter()
        .flat_map(|file| file["figure"].as_array().unwrap())
        .map(|f| (f["id"].as_str().unwrap(), f["panel"].as_array().unwrap().len()))
        .collect();
    // At the end those with a claim once more, which ends their captions.
    let (first, again) = declared.split_at(5);
    assert_eq!(first, [("loss", 2), ("accuracy", 2), ("error", 2), ("confusion", 2), ("mistakes", 2)]);
    assert_eq!(again, [("loss", 2), ("accuracy", 2), ("error", 2)]);
    let text = recorded.figures.join("\n");
    for part in [
        "53808 parameters",
        "320 training and 200 test images; Adam, lr 0.001, batch 32, 3 epochs; seed 5, 2 trials",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let told = recorded.infos();
    assert!(told[1].starts_with("MNIST, shallow (25828 parameters): test accuracy"), "{told:?}");
    assert!(told[1].contains("compared with none"), "{told:?}");
    let weights = recorded.last_table("weights");
    assert!(weights.strings("tensor").contains(&"mnist.lenet.1.0.weight".to_owned()), "{weights:?}");
}

/// Networks at other rates change nothing of the others, learn from some of the images and are chosen by others.
#[test]
fn further_rates_are_networks_of_their_own() {
    let plain = run(&[("epochs", "1")]).expect_finished();
    let changes = [("epochs", "1"), ("rates", "0.01,0.0001")];
    let swept = run(&changes).expect_finished();
    assert_eq!(bits(&plain.metrics), bits(&swept.metrics));
    let rates = swept.last_table("rates");
    assert_eq!(rates.f64s("lr")[..3], [0.001, 0.01, 0.0001]);
    assert_eq!(rates.strings("model").len(), 2 * 3);
    assert!(rates.f64s("validation_loss").iter().all(|loss| loss.is_finite()));
    let params = with(&SMALL, &changes);
    TestHost::new().seed(5).run_interrupted::<ImageClassification>(7, &params).assert_equals(&swept);
    let why = run(&[("rates", "1e-3")]).expect_failure();
    assert!(why.contains("which is `lr` already"), "{why}");
}

#[test]
fn same_seed_same_numbers() {
    let again = || {
        TestHost::new()
            .seed(9)
            .run::<ImageClassification>(&with(&SMALL, &[("epochs", "1")]))
            .expect_finished()
    };
    let (a, b) = (again(), again());
    assert_eq!(bits(&a.metrics), bits(&b.metrics));
    assert_eq!(a.tables, b.tables);
    assert_ne!(bits(&run(&[("epochs", "1")]).metrics), bits(&a.metrics));
}

/// A trial trains as it would alone: it shares nothing with the others but the data.
#[test]
fn trials_and_models_do_not_touch_each_other() {
    let all = run(&[("epochs", "1")]);
    let alone = run(&[("epochs", "1"), ("models", "lenet"), ("trials", "1")]);
    for metric in ["loss", "batch_loss"] {
        let series = Series::metric(metric).model("lenet").split("mnist-train").trial(0);
        assert_eq!(all.series(series), alone.series(series));
    }
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one_bit_for_bit() {
    for optimizer in ["adam", "sgd"] {
        let params = with(&SMALL, &[("optimizer", optimizer), ("lr", "0.003"), ("models", "deep,lenet")]);
        let host = TestHost::new().seed(5);
        let uninterrupted = host.run::<ImageClassification>(&params).expect_finished();
        // Step 17 lies within the second epoch of ten batches; step 20 is evaluated.
        for at in [17, 20] {
            host.run_interrupted::<ImageClassification>(at, &params).assert_equals(&uninterrupted);
        }
    }
}

/// ReLU networks seldom diverge of themselves (they die): one is made to.
#[test]
fn a_diverged_network_is_frozen_and_the_others_go_on() {
    let params = ImageClassification {
        models: ["shallow", "lenet"].map(str::to_owned).to_vec(),
        train_samples: 320,
        test_samples: 200,
        batch: 32,
        trials: 1,
        ..ImageClassification::defaults()
    };
    let mut training = Training::new(params.setup(5, tch::Device::Cpu, 2).unwrap()).unwrap();
    training.advance(1).unwrap();
    tch::no_grad(|| drop(training.fits()[0].cnn.parameters().shallow_clone().fill_(f64::NAN)));
    let losses = training.advance(1).unwrap();
    assert!(losses[0].1.is_nan() && losses[1].1.is_finite());
    training.freeze(0);
    assert_eq!(training.fits()[0].diverged, Some(2));
    training.freeze(0);
    let before = losses[1].1;
    let losses = training.advance(6).unwrap();
    assert!(losses.len() == 1 && losses[0].0 == 1 && losses[0].1 < before);
    assert_eq!((training.fits()[0].diverged, training.fits()[1].diverged), (Some(2), None));
    // A stop leaves what is to be evaluated; the diverged one is not.
    let told = AtomicI64::new(training.seen());
    let tell = |images| {
        told.fetch_add(images, Ordering::Relaxed);
        Ok(())
    };
    let all = training.images(|_| true);
    assert_eq!(training.evaluate(&|| true, &tell).unwrap(), []);
    assert_eq!((told.load(Ordering::Relaxed), training.seen()), (all / 2, all / 2));
    let seen = training.evaluate(&|| false, &tell).unwrap();
    assert_eq!((told.load(Ordering::Relaxed), training.seen()), (all, all));
    assert!(seen.len() == 1 && seen[0].0 == 1 && seen[0].1.iter().all(|v| v.is_finite()));
    assert_eq!(training.evaluate(&|| false, &tell).unwrap(), []);
}

/// On two threads each network computes what it computes on one.
#[test]
fn networks_side_by_side_compute_the_same() {
    let of = |threads| {
        TestHost::new()
            .seed(5)
            .threads(threads)
            .run::<ImageClassification>(&with(&SMALL, &[("epochs", "1")]))
            .expect_finished()
    };
    let (one, two) = (of(1), of(2));
    assert_eq!(bits(&one.metrics), bits(&two.metrics));
    assert_eq!(one.tables, two.tables);
}

#[test]
fn wrong_parameters_are_refused_with_their_reason() {
    for (changes, part) in [
        (vec![("datasets", "cifar")], "names `cifar`, but must be a list of mnist, fashion-mnist"),
        (vec![("datasets", "mnist,mnist")], "named twice"),
        (vec![("models", "wide")], "names `wide`, but must be a list of shallow, middle, deep, lenet"),
        (vec![("batch", "321")], "at most the number of training images, which is 320"),
    ] {
        let why = run(&changes).expect_failure();
        assert!(why.contains(part), "{changes:?}: {why}");
    }
}

#[test]
fn quick_learns_the_digits() {
    let recorded = TestHost::new().seed(0).preset("quick").run::<ImageClassification>(&[]).expect_finished();
    recorded.text.iter().for_each(|(_, line)| println!("{line}"));
    for model in ["shallow", "middle", "deep", "lenet"] {
        let series = Series::metric("accuracy").model(model).split("mnist-test").trial(0);
        let accuracy = *recorded.series(series).last().unwrap();
        println!("{model}: {accuracy:.4}");
        assert!(accuracy >= 0.85, "{model}: {accuracy}");
    }
}

/// On two threads: readings come in the order of the networks whichever thread took them.
#[test]
fn instruments_only_read() {
    let params = with(&SMALL, &[("models", "shallow,lenet"), ("epochs", "2"), ("trials", "1")]);
    assert_harmless::<ImageClassification>(&TestHost::new().seed(5).threads(2), &params, 17);
}
