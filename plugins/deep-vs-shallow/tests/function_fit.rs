//! `function-fit` against theory, against Python, and against itself interrupted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use deep_vs_shallow::function_fit::FunctionFit;
use deep_vs_shallow::function_fit::target::{Target, grid, variance};
use deep_vs_shallow::function_fit::training::{Model, Setup, Training, losses};
use gradtop_sdk::testing::{Level, Recorded, TestHost, bits, with};
use gradtop_sdk::{Choice as _, Series};
use gradtop_toolkit::instruments::assert_harmless;
use gradtop_toolkit::optim::Rule;

fn setup(functions: &[&str], points: usize, trials: i64, batch: usize, rule: Rule) -> Setup {
    let x = grid(1e-4, 1.0, points);
    Setup {
        targets: functions.iter().map(|name| Target::new(name, "", &x).unwrap()).collect(),
        x,
        models: Model::ALL.to_vec(),
        trials,
        batch,
        rule,
        rates: Vec::new(),
        between: Vec::new(),
        seed: 3,
        device: tch::Device::Cpu,
    }
}

const ADAM: Rule = Rule::Adam { lr: 1e-3 };
const SMALL: [(&str, &str); 8] = [
    ("functions", "sinc,sign"),
    ("points", "600"),
    ("batch", "64"),
    ("steps", "120"),
    ("rates", ""),
    ("trials", "2"),
    ("eval_every", "25"),
    ("table_every", "50"),
];

fn run(changes: &[(&str, &str)]) -> Recorded {
    TestHost::new().seed(5).run::<FunctionFit>(&with(&SMALL, changes))
}

/// Points with their values' bits, so that NaN equals NaN and −0 is not 0.
#[test]
fn parameter_counts_are_571_572_571() {
    let training = Training::new(setup(&["sinc"], 100, 3, 0, ADAM)).unwrap();
    let counts: Vec<i64> = training.fits.iter().map(|fit| fit.mlp.parameter_count()).collect();
    assert_eq!(counts, [571, 572, 571]);
}

/// V13: all parameters zero predict zero; with the mean as the last bias the loss is the variance.
#[test]
fn constant_networks_have_the_mean_square_and_the_variance_as_loss() {
    // 1,234 points: two whole chunks and a shorter one.
    let mut training = Training::new(setup(&["sinc", "sign", "sine"], 1234, 2, 0, ADAM)).unwrap();
    for i in 0..training.fits.len() {
        let truth = training.setup().targets[training.fits[i].target].values.clone();
        let mlp = &mut training.fits[i].mlp;
        for trial in 0..2 {
            mlp.fill_trial(trial, 0.0).unwrap();
        }
        let (last, inputs) = (mlp.widths().len() - 2, mlp.widths()[mlp.widths().len() - 2]);
        let mut bias = vec![0.0; inputs as usize + 1];
        bias[inputs as usize] = truth.iter().sum::<f64>() / truth.len() as f64;
        mlp.set_layer(1, last, &bias).unwrap();
        let found = losses(&training.fits[i].predict(&training).unwrap(), &truth);
        let mean_square = truth.iter().map(|v| v * v).sum::<f64>() / truth.len() as f64;
        assert!((found[0] - mean_square).abs() < 1e-14);
        assert!((found[1] - variance(&truth)).abs() < 1e-13, "{} {}", found[1], variance(&truth));
    }
}

/// Full batch: the loss of the step's batch is the loss on the grid, computed twice in different ways.
#[test]
fn batch_loss_and_grid_loss_agree() {
    let mut training = Training::new(setup(&["sinc", "sign"], 750, 2, 0, ADAM)).unwrap();
    for _ in 0..5 {
        let before: Vec<Vec<f64>> = training
            .fits
            .iter()
            .map(|fit| losses(&fit.predict(&training).unwrap(), &training.setup().targets[fit.target].values))
            .collect();
        training.advance().unwrap();
        for (fit, before) in training.fits.iter().zip(before) {
            for (a, b) in fit.batch_loss(&training).unwrap().iter().zip(before) {
                assert!((a - b).abs() <= 1e-5 * b, "{a} against {b}");
            }
        }
    }
}

/// Losses of torch in Python from the same initial values: tests/fixtures/parity.py wrote them.
#[test]
fn fifty_steps_equal_pytorch() {
    let fixture = include_str!("fixtures/parity.txt");
    let records: Vec<(Vec<&str>, Vec<f64>)> = fixture
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            (words[..3].to_vec(), words[3..].iter().map(|v| v.parse().unwrap()).collect())
        })
        .collect();
    for (optimizer, rule) in [("adam", ADAM), ("sgd", Rule::Sgd { lr: 0.01, momentum: 0.9 })] {
        let mut training = Training::new(setup(&["sinc"], 64, 1, 0, rule)).unwrap();
        for (words, values) in records.iter().filter(|(words, _)| words[0] == "init") {
            let fit = training.fits.iter_mut().find(|fit| fit.model == words[1]).unwrap();
            fit.mlp.set_layer(0, words[2].parse().unwrap(), values).unwrap();
        }
        let mut seen = vec![Vec::new(); training.fits.len()];
        for _ in 0..50 {
            training.advance().unwrap();
            for (fit, seen) in training.fits.iter().zip(&mut seen) {
                seen.push(fit.batch_loss(&training).unwrap()[0]);
            }
        }
        for (fit, seen) in training.fits.iter().zip(seen) {
            let wanted = ["loss", fit.model.as_str(), optimizer];
            let (_, expected) = records.iter().find(|(words, _)| words[..] == wanted).unwrap();
            assert_eq!(expected.len(), 50);
            for (step, (a, b)) in seen.iter().zip(expected).enumerate() {
                assert!(
                    (a - b).abs() <= 1e-5 * b,
                    "{} {optimizer} step {step}: {a:e} here, {b:e} in PyTorch",
                    fit.model
                );
            }
        }
    }
}

#[test]
fn what_a_run_records() {
    let recorded = run(&[]).expect_finished();
    let loss = |model, function, trial| {
        recorded.series(Series::metric("loss").model(model).split(function).trial(trial))
    };
    // Steps 0, 25, 50, 75, 100, 120.
    assert_eq!(loss("deep", "sign", 1).len(), 6);
    assert!(loss("middle", "sinc", 0)[5] < loss("middle", "sinc", 0)[0]);
    assert_ne!(loss("middle", "sinc", 0), loss("middle", "sinc", 1));
    assert_eq!(recorded.values("batch_loss").len(), 12 * 12);
    assert_eq!(recorded.steps_ended, 120);

    let tables: Vec<(&str, i64)> = recorded.tables.iter().map(|t| (t.name.as_str(), t.step)).collect();
    let expected: Vec<(&str, i64)> = vec![
        ("models", 0),
        ("predictions-sinc", 50),
        ("predictions-sign", 50),
        ("predictions-sinc", 100),
        ("predictions-sign", 100),
        ("predictions-sinc", 120),
        ("predictions-sign", 120),
        ("weights", 120),
        ("conclusion", 120),
    ];
    assert_eq!(tables, expected);
    assert_eq!(recorded.last_table("models").i64s("parameters"), [571, 572, 571]);

    // The table's residuals give the logged loss again: it holds the whole grid here.
    let last = recorded.last_table("predictions-sign");
    let residual = last.f64s("residual");
    let (model, trial) = (last.strings("model"), last.i64s("trial"));
    assert_eq!(residual.len(), 600 * 3 * 2);
    let of: Vec<f64> = (0..residual.len())
        .filter(|&i| model[i] == "shallow" && trial[i] == 1)
        .map(|i| residual[i].powi(2))
        .collect();
    let mean = of.iter().sum::<f64>() / of.len() as f64;
    assert!((mean - loss("shallow", "sign", 1)[5]).abs() < 1e-12);

    let parsed: toml::Table = recorded.figures[0].parse().unwrap();
    let declared: Vec<(&str, usize)> = parsed["figure"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["id"].as_str().unwrap(), f["panel"].as_array().unwrap().len()))
        .collect();
    assert_eq!(declared, [("loss", 2), ("fit", 2), ("residuals", 2)]);
    let figures = recorded.figures.join("\n");
    for part in
        ["571 parameters", "Adam, lr 0.001, batch 64, 120 steps; seed 5, 2 trials", "split = \"sign\""]
    {
        assert!(figures.contains(part), "{part} is not in\n{figures}");
    }
    let told = recorded.infos();
    assert_eq!(told.len(), 7);
    assert!(
        told[0].contains("weights/networks.safetensors in the run's folder")
            && told[1].starts_with("sinc, deep: "),
        "{told:?}"
    );
    // The whole claim is one text, and its parts are columns.
    let conclusion = recorded.last_table("conclusion");
    for (i, whole) in conclusion.strings("statement").iter().enumerate() {
        for part in ["claim", "evidence", "caution", "strength"] {
            assert!(whole.contains(&conclusion.strings(part)[i]), "{part} is not in {whole}");
        }
        assert!(whole.contains("fewer than 5 trials") != whole.contains("lowest loss"), "{whole}");
    }
    assert!(recorded.run_dir().unwrap().join("weights/networks.safetensors").is_file());
}

/// Each rate is trained like the common one, and chosen where nothing was trained.
#[test]
fn further_rates_are_networks_of_their_own() {
    let swept = run(&[("functions", "sinc"), ("rates", "0.01"), ("trials", "3")]).expect_finished();
    let plain = run(&[("functions", "sinc"), ("trials", "3")]).expect_finished();
    let at_rate = run(&[("functions", "sinc"), ("trials", "3"), ("lr", "0.01")]).expect_finished();
    let loss = |recorded: &Recorded, split: &str| {
        recorded.series(Series::metric("loss").model("deep").split(split).trial(2))
    };
    assert_eq!(loss(&swept, "sinc"), loss(&plain, "sinc"));
    assert_eq!(loss(&swept, "sinc, lr 0.01"), loss(&at_rate, "sinc"));
    let rates = swept.last_table("rates-sinc");
    assert_eq!(rates.f64s("lr")[..2], [0.001, 0.01]);
    assert_eq!(rates.i64s("trials")[..], [3; 6]);
    assert_eq!(plain.tables.iter().filter(|table| table.name.starts_with("rates")).count(), 0);
    let why = run(&[("rates", "1e-3")]).expect_failure();
    assert!(why.contains("which is `lr` already"), "{why}");
}

#[test]
fn same_seed_same_numbers() {
    let again = || TestHost::new().seed(9).run::<FunctionFit>(&SMALL);
    let (a, b) = (again(), again());
    assert_eq!(bits(&a.metrics), bits(&b.metrics));
    assert_eq!(a.tables, b.tables);
    assert_ne!(bits(&run(&[]).metrics), bits(&a.metrics));
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one_bit_for_bit() {
    for optimizer in ["adam", "sgd"] {
        let params = with(&SMALL, &[("optimizer", optimizer), ("lr", "0.005"), ("table_every", "0")]);
        let host = TestHost::new().seed(5);
        let whole = host.run::<FunctionFit>(&params).expect_finished();
        // Step 70 lies within the eighth epoch of nine batches.
        let interrupted = host.run_interrupted::<FunctionFit>(70, &params);
        let checkpoint = interrupted.checkpoint.step;
        assert!((70..75).contains(&checkpoint), "stopped at {checkpoint}");
        interrupted.assert_equals(&whole);
    }
}

#[test]
fn a_diverged_trial_is_frozen_and_the_others_go_on() {
    // The wide layer's curvature is the largest: at this rate only the shallow network diverges.
    let changes =
        [("functions", "sinc"), ("optimizer", "sgd"), ("lr", "0.05"), ("batch", "0"), ("steps", "400")];
    let recorded = run(&changes).expect_finished();
    let warnings: Vec<&String> =
        recorded.text.iter().filter(|t| t.0 == Level::Warning).map(|t| &t.1).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("sinc, shallow, trial 0 diverged"), "{warnings:?}");
    for metric in ["loss", "batch_loss"] {
        let of = |model| recorded.series(Series::metric(metric).model(model).split("sinc").trial(0));
        let shallow = of("shallow");
        assert!(shallow.len() < of("deep").len());
        assert!(
            !shallow[shallow.len() - 1].is_finite()
                && shallow[..shallow.len() - 1].iter().all(|v| v.is_finite())
        );
        assert!(of("deep").iter().chain(&of("middle")).all(|v| v.is_finite()));
    }
    let diverged = recorded.table("conclusion")[0].i64s("diverged");
    assert_eq!(diverged[..], [0, 0, 2]);

    // An evaluation only at the end: it is made where the last one diverges.
    let never = [("models", "shallow"), ("eval_every", "1000")];
    let failed = run(&[&changes[..], &never].concat());
    for trial in 0..2 {
        let loss = failed.series(Series::metric("loss").model("shallow").split("sinc").trial(trial));
        assert!(loss.len() == 2 && loss[0].is_finite() && !loss[1].is_finite(), "{loss:?}");
    }
    let why = failed.expect_failure();
    assert!(why.contains("every trial of every model has diverged"), "{why}");
}

#[test]
fn wrong_parameters_are_refused_with_their_reason() {
    for (changes, part) in [
        (vec![("functions", "sinc,cos")], "names `cos`, but must be a list of sinc, sign, sine, custom"),
        (vec![("functions", "sinc,,sign")], "something is missing between two commas"),
        (vec![("functions", "sinc,sinc")], "named twice"),
        (vec![("models", "deep,wide")], "names `wide`, but each must be one of deep, middle, shallow"),
        (vec![("batch", "601")], "must be at most `points`, which is 600"),
        (vec![("x_min", "1")], "must be less than `x_max`"),
        (vec![("functions", "custom")], "needs the parameter `expression`"),
        (vec![("expression", "x")], "does not name custom"),
        (vec![("functions", "custom"), ("expression", "sin(x * ")], "at character 9"),
        (vec![("functions", "custom"), ("expression", "ln(x - 0.5)")], "must be finite"),
    ] {
        let why = run(&changes).expect_failure();
        assert!(why.contains(part), "{changes:?}: {why}");
    }
    let custom = run(&[("functions", "custom"), ("expression", "x^2")]).expect_finished();
    assert!(custom.figures.join("\n").contains("custom: x^2"));
}

#[test]
fn instruments_only_read() {
    let params = with(&SMALL, &[("optimizer", "sgd"), ("lr", "0.005"), ("table_every", "0")]);
    assert_harmless::<FunctionFit>(&TestHost::new().seed(5), &params, 70);
}
