//! `minimal-ratio` against its bands, against itself interrupted, and table against table.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the numbers behind the bands, for cargo test -- --nocapture")]

use gradtop_sdk::Series;
use gradtop_sdk::testing::{Recorded, TestHost, bits, with};
use gradtop_toolkit::instruments::{Settings, assert_harmless};
use gradtop_toolkit::tensors::rows;
use optimization::minimal_ratio::{Finder, MinimalRatio, Run};

const SMALL: [(&str, &str); 9] = [
    ("networks", "3@16,3-2@20"),
    ("finders", "lm,switch"),
    ("runs", "6"),
    ("train_steps", "100"),
    ("lm_steps", "20"),
    ("switch_steps", "40"),
    ("samples", "20"),
    ("log_every", "10"),
    ("lr", "0.02"),
];

/// Spearman's coefficient that the run computed.
fn correlation(recorded: &Recorded, arm: &str, ratio: &str, tolerance: &str) -> f64 {
    let table = recorded.table(&format!("correlations-{arm}"))[0];
    let (ratios, tolerances, whats) =
        (table.strings("ratio"), table.strings("tolerance"), table.strings("what"));
    let at = (0..ratios.len())
        .find(|&i| ratios[i] == ratio && tolerances[i] == tolerance && whats[i] == "estimate");
    table.f64s("spearman")[at.unwrap()]
}

/// Band A6, and what A7 wants reported, for the preset as it ships.
#[test]
fn default_shows_the_larger_ratio_at_the_lower_loss() {
    let start = std::time::Instant::now();
    let recorded = TestHost::new().seed(0).preset("default").run::<MinimalRatio>(&[]).expect_finished();
    println!("{:.1} s", start.elapsed().as_secs_f64());
    recorded.text.iter().for_each(|(_, line)| println!("{line}"));
    let arm = "1-4-4-1-lm";
    let points = recorded.table(&format!("points-{arm}"))[0];
    let (norms, losses) = (points.f64s("grad_norm"), points.f64s("loss"));
    assert_eq!(norms.len(), 100);
    let critical = norms.iter().filter(|n| **n < 1e-3).count();
    assert!(critical >= 85, "{critical} runs are critical");
    for tolerance in ["1e-6", "1e-4"] {
        let signed = correlation(&recorded, arm, "n+/(n+ + n-)", tolerance);
        assert!(signed <= -0.6, "n+/(n+ + n-) at {tolerance}: {signed}");
    }
    let course = correlation(&recorded, arm, "n+/P", "|g|");
    assert!(course <= -0.7, "n+/P at the gradient norm: {course}");
    // Exact points are the mean predictor, whose loss is the variance of sinc on 64 points, or listed one by one.
    let listed = recorded.table(&format!("exact-points-{arm}"));
    let listed = listed.first().map_or_else(Vec::new, |table| table.f64s("trial"));
    for (run, (norm, loss)) in norms.iter().zip(&losses).enumerate() {
        let known = (loss - 0.09205).abs() < 1e-4 || listed.contains(&(run as f64));
        assert!(*norm >= 1e-8 || known, "run {run}: gradient norm {norm:e}, loss {loss:e}");
    }
    let said = recorded.last_table("conclusion").strings("statement").join("\n");
    for part in [
        &format!("{critical} of 100 runs end"),
        "without any tolerance the share of positive eigenvalues is between",
        "given the steps of training, Spearman",
        "mostly an order of training time",
        "tolerances, trained to the end: over the tolerances",
    ] {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
    // Rounding has no sign: all runs that end as the mean predictor are one point, with one spectrum.
    let (classes, ratios) = (points.strings("class"), points.f64s("positive_ratio_at_grad_norm"));
    let exact = (0..100).filter(|&i| classes[i] == "mean predictor" && norms[i] < 1e-8);
    let of: Vec<f64> = exact.map(|i| ratios[i]).collect();
    assert!(!of.is_empty() && of.iter().all(|ratio| *ratio == 5.0 / 33.0), "{of:?}");
}

#[test]
fn quick_shows_it_too() {
    let recorded = TestHost::new().seed(0).preset("quick").run::<MinimalRatio>(&[]).expect_finished();
    let signed = correlation(&recorded, "1-4-4-1-lm", "n+/(n+ + n-)", "1e-6");
    assert!(signed <= -0.5, "{signed}");
}

#[test]
fn what_a_run_records() {
    let recorded = TestHost::new().seed(5).run::<MinimalRatio>(&SMALL).expect_finished();
    assert_eq!(recorded.steps_ended, 2 * (100 + 20 + 40));
    let arms = ["1-3-1-lm", "1-3-1-switch", "1-3-2-1-lm", "1-3-2-1-switch"];
    for (arm, count) in arms.iter().zip([10.0, 10.0, 17.0, 17.0]) {
        let points = recorded.table(&format!("points-{arm}"))[0];
        let of = |column: &str| points.f64s(column);
        let (positive, zero, negative) = (of("n_positive"), of("n_zero"), of("n_negative"));
        for run in 0..6 {
            assert_eq!(positive[run] + zero[run] + negative[run], count);
            let signed = positive[run] / (positive[run] + negative[run]);
            assert_eq!(of("signed_ratio")[run].to_bits(), signed.to_bits());
            assert_eq!(of("positive_ratio")[run], positive[run] / count);
            assert_eq!(of("not_negative_ratio")[run], 1.0 - negative[run] / count);
            assert!((0.0..=1.0).contains(&of("sampled_1e-4")[run]));
        }
        // The spectrum's sum is the trace, its ends are λmin and λmax.
        let eigenvalues = recorded.table(&format!("eigenvalues-{arm}"))[0].f64s("eigenvalue");
        for (run, values) in eigenvalues.chunks(count as usize).enumerate() {
            assert!((values.iter().sum::<f64>() - of("trace")[run]).abs() < 1e-12);
            assert_eq!((values[0], values[values.len() - 1]), (of("lambda_min")[run], of("lambda_max")[run]));
        }
        // Every run is in the table of its class, none is dropped.
        let classes = ["critical", "mean-predictor", "gradient-flat", "neither"];
        let rows: usize = classes
            .iter()
            .flat_map(|class| recorded.table(&format!("points-{arm}-{class}")))
            .map(|table| table.f64s("trial").len())
            .sum();
        assert_eq!(rows, 6);
    }
    // The searches of a network start from the same points, where the second half of the runs stopped early.
    let trained = recorded.table("points-1-3-1-lm")[0].f64s("trained");
    assert_eq!(trained, recorded.table("points-1-3-1-switch")[0].f64s("trained"));
    assert_eq!(trained[..3], [100.0; 3]);
    assert!(trained[3..].iter().all(|stop| (1.0..=100.0).contains(stop)));

    let ids: Vec<String> = recorded
        .figures
        .iter()
        .flat_map(|text| text.parse::<toml::Table>().unwrap()["figure"].as_array().unwrap().clone())
        .map(|figure| figure["id"].as_str().unwrap().to_owned())
        .collect();
    for part in ["progress", "ratio-1-3-1-lm", "tolerance-1-3-2-1-switch", "convergence-1-3-1-switch"] {
        assert!(ids.iter().any(|id| id == part), "{part} is not in {ids:?}");
    }
    let text = recorded.figures.join("\n");
    for part in ["1-3-2-1 (17 parameters, 20 points)", "lr 0.02, 100 steps", "seed 5"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(
        recorded.infos().iter().any(|line| line.starts_with("1-3-1 (10 parameters), lm, what was found: "))
    );
}

#[test]
fn training_leaves_each_run_where_it_stopped() {
    let params = MinimalRatio { runs: 8, train_steps: 60, lm_steps: 1, ..parameters() };
    let plan = params.plan(3, tch::Device::Cpu).unwrap();
    let stops = plan.stops();
    assert!(stops[4..].iter().any(|stop| *stop < 60), "{stops:?}");
    let mut run = Run::new(&plan).unwrap();
    let mut kept = vec![Vec::new(); 8];
    for step in 1..=60 {
        run.advance().unwrap();
        let now = rows(&run.parameters().unwrap()).unwrap();
        for (i, kept) in kept.iter_mut().enumerate() {
            if stops[i] == step {
                kept.clone_from(&now[i]);
            } else if stops[i] < step {
                assert_eq!(*kept, now[i], "run {i} moved after its stop");
            }
        }
    }
    // The other runs are updated to the end: all parameters differ between runs.
    assert!(kept.iter().enumerate().all(|(i, a)| kept[..i].iter().all(|b| a != b)));
}

fn parameters() -> MinimalRatio {
    MinimalRatio {
        networks: vec!["3@16".to_owned()],
        finders: vec![Finder::LevenbergMarquardt],
        runs: 4,
        train_steps: 10,
        lr: 0.01,
        lm_steps: 10,
        switch_steps: 10,
        switch_lr: 1e-3,
        critical: 1e-3,
        tolerance: 1e-6,
        samples: 0,
        log_every: 10,
        instruments: Settings::default(),
    }
}

#[test]
fn instruments_change_nothing_and_survive_an_interruption() {
    // In a training, in a search, and in the second network.
    for stop in [37, 109, 271] {
        assert_harmless::<MinimalRatio>(&TestHost::new().seed(7), &SMALL, stop);
    }
}

/// A run that has stopped is updated with the others, but nothing of that is a reading.
#[test]
fn instruments_read_a_run_until_it_stops() {
    let params = MinimalRatio { runs: 8, train_steps: 60, ..parameters() };
    let stops = params.plan(3, tch::Device::Cpu).unwrap().stops();
    assert!(stops[4..].iter().any(|stop| *stop < 60), "{stops:?}");
    let of_run =
        [("networks", "3@16"), ("runs", "8"), ("train_steps", "60"), ("lm_steps", "1"), ("samples", "0")];
    let recorded = TestHost::new()
        .seed(3)
        .run::<MinimalRatio>(&with(&of_run, &[("instruments", "1")]))
        .expect_finished();
    for (run, stop) in stops.iter().enumerate() {
        let series = Series::metric("batch/update_size").model("1-3-1").split("train").trial(run as i32);
        assert_eq!(recorded.series(series).len() as i64, *stop, "run {run}");
    }
    for (step, table) in recorded.table("gradient-histogram").into_iter().enumerate() {
        let trained = stops.iter().filter(|stop| **stop > step as i64).count();
        assert_eq!(table.f64s("elements").iter().sum::<f64>(), 10.0 * trained as f64, "step {step}");
    }
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one_bit_for_bit() {
    let host = TestHost::new().seed(7);
    let whole = host.run::<MinimalRatio>(&SMALL);
    // In the training, in each search, at the very end of a stage, and in the second network.
    for stop in [37, 100, 109, 131, 160, 215, 271, 303] {
        host.run_interrupted::<MinimalRatio>(stop, &SMALL).assert_equals(&whole);
    }
    assert_eq!(bits(&host.run::<MinimalRatio>(&SMALL).metrics), bits(&whole.metrics), "same seed");
    let other = TestHost::new().seed(8).run::<MinimalRatio>(&SMALL);
    assert_ne!(bits(&other.metrics), bits(&whole.metrics), "another seed");
}

#[test]
fn wrong_parameters_are_refused_with_their_reason() {
    for (change, part) in [
        (("networks", "4-4"), "number of points is missing"),
        (("networks", "4-x@64"), "a width is no whole number"),
        (("networks", "0@64"), "out of range"),
        (("networks", "100-100@64"), "10401 parameters"),
        (("networks", "4@1"), "2 to 100000 points"),
        (("networks", "4@8,4@8"), "named twice"),
        (("finders", "newton"), "must be one of lm, switch"),
    ] {
        let why = TestHost::new().run::<MinimalRatio>(&[change]).expect_failure();
        assert!(why.contains(part), "{change:?}: {why}");
    }
}
