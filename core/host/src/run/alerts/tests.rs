#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_store::{Goal, MetricInfo, Recorder, RecorderOptions, read_events};
use gradtop_tests::run_fixtures::{RunFixtures, run};

use super::*;

#[test]
fn a_hook_gets_the_event_and_its_failure_is_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("event");
    assert_eq!(hook::tell(&format!("cat > '{}'", file.display()), "{\"rule\":\"end\"}"), Ok(()));
    assert_eq!(std::fs::read_to_string(file).ok().as_deref(), Some("{\"rule\":\"end\"}\n"));
    assert_eq!(hook::tell("exit 3", "{}"), Err("ended with exit status: 3".to_owned()));
    // One that reads nothing and ends is nothing to wait for.
    assert_eq!(hook::tell("true", &"x".repeat(50_000)), Ok(()));
}

/// Rows of a training: metric, split, step, seconds since its begin, value.
type Row = (&'static str, Option<&'static str>, i64, f64, f64);

/// What rules say of a run that has these rows, one after the other, of which those of `old` seconds were there before it was resumed.
fn said_of(rules: &str, old: f64, rows: &[Row]) -> Vec<String> {
    let mut fixtures = RunFixtures::new();
    let dir = fixtures.make(&run("fit", "a", 60).at(State::Running, 1).with(|manifest, _| {
        let metric = |name: &str, goal| MetricInfo { name: name.into(), goal, ..MetricInfo::default() };
        manifest.metrics = vec![metric("loss", Goal::Min), metric("accuracy", Goal::Max)];
    }));
    let recorder = Recorder::open(&dir, RecorderOptions::default()).unwrap();
    let begin = 1_700_000_000_000_000;
    for (metric, split, step, second, value) in rows {
        let key = SeriesKey { split: split.map(str::to_owned), ..SeriesKey::metric(*metric) };
        let series = recorder.series(&key, None).unwrap();
        recorder.log_at(*step, None, begin + (second * 1e6) as i64, [(series, *value)]);
    }
    recorder.finish().unwrap();
    let alerts = Alerts { rules: Rule::list(rules).unwrap(), ..Alerts::default() };
    let mut judge = Judge::new(&dir, read_manifest(&dir).unwrap(), alerts, Arc::default());
    judge.since = begin + (old * 1e6) as i64;
    // More than one look may be needed for all of them.
    for _ in 0..50 {
        judge.rows();
    }
    let events = read_events(&dir).unwrap().into_iter();
    events
        .filter_map(|line| if let Event::Alert { message } = line.event { Some(message) } else { None })
        .collect()
}

/// Steps of a series.
fn series(metric: &'static str, values: impl IntoIterator<Item = f64>) -> Vec<Row> {
    (1i64..).zip(values).map(|(step, value)| (metric, None, step, step as f64, value)).collect()
}

/// Seconds of a training that does so many steps in each.
fn pace(steps: impl IntoIterator<Item = f64>) -> Vec<Row> {
    let (mut step, mut rows) = (0.0, Vec::new());
    for (second, steps) in (1i32..).zip(steps) {
        step += steps;
        let second = f64::from(second);
        rows.push(("loss", None, step as i64, second, 1.0 / (1.0 + step)));
        rows.push(("system/trained_s", None, step as i64, second + 0.5, second));
    }
    rows
}

/// Between -1 and 1, the same each time.
fn noise(n: i32) -> f64 {
    (f64::from(n) * 12.9898).sin() * 43_758.545_3 % 1.0
}

#[test]
fn rules_speak_when_their_condition_begins() {
    let values = [1.0, 11.0, 12.0, 3.0, 20.0, f64::NAN, f64::NAN];
    assert_eq!(
        said_of("loss > 10, non-finite", 0.0, &series("loss", values)),
        [
            "loss is 11, which is > 10, at step 2",
            "loss is 20, which is > 10, at step 5",
            "loss is NaN at step 6"
        ]
    );
    // What was so before the run was resumed has been told.
    assert_eq!(said_of("loss > 10, non-finite", 2.5, &series("loss", values)).len(), 2);
}

#[test]
fn a_loss_far_above_its_begin_has_diverged() {
    let rises = |n: i32| 2.0 + 0.1 * noise(n) + if n > 60 { 0.2 * f64::from(n - 60) } else { 0.0 };
    let said = said_of("diverged", 0.0, &series("loss", (0..200).map(rises)));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("loss is ") && said[0].ends_with(" at its beginning"), "{said:?}");
    // Of a likelihood, too.
    let negative = (0..200).map(|n| if n < 100 { -5.0 - f64::from(n) / 50.0 } else { f64::from(n - 100) });
    assert_eq!(said_of("diverged", 0.0, &series("nll_loss", negative)).len(), 1);
    // Only what is named, and whatever that is.
    let energy = series("energy", (0..200).map(|n| f64::from(n).exp2().min(1e9)));
    assert_eq!(said_of("diverged", 0.0, &energy), [""; 0]);
    assert_eq!(said_of("diverged energy", 0.0, &energy).len(), 1);
}

#[test]
fn no_healthy_curve_is_called_diverged() {
    type Curve = fn(i32) -> f64;
    let curves: [(&str, Curve); 8] = [
        ("falls", |n| 3.0 / (1.0 + f64::from(n))),
        ("stays", |_| 0.7),
        ("is noise", noise),
        ("has spikes", |n| if n % 37 == 5 { 50.0 } else { 1.0 + 0.1 * noise(n) }),
        ("jumps where the rate of learning does", |n| if n < 100 { 1.0 / f64::from(n + 1) } else { 0.9 }),
        ("goes round", |n| 1.0 + 0.9 * (f64::from(n) / 7.0).sin()),
        ("falls below nothing", |n| 10.0 - f64::from(n)),
        ("doubles", |n| 1.0 + f64::from(n) / 200.0),
    ];
    for (what, value) in curves {
        assert_eq!(said_of("diverged", 0.0, &series("loss", (0..200).map(value))), [""; 0], "{what}");
    }
    // What is better the higher it is, and what is not trained on.
    let grows = |n: i32| f64::from(n) + 0.001;
    assert_eq!(said_of("diverged", 0.0, &series("accuracy", (0..200).map(grows))), [""; 0]);
    let test: Vec<Row> = series("loss", (0..200).map(grows));
    let test: Vec<Row> = test.into_iter().map(|(m, _, step, s, v)| (m, Some("test"), step, s, v)).collect();
    assert_eq!(said_of("diverged", 0.0, &test), [""; 0]);
}

#[test]
fn a_metric_that_is_not_better_for_long_is_on_a_plateau() {
    let falls = (0..300).map(|n| 1.0 / f64::from(n.min(100) + 1));
    let said = said_of("plateau loss 150", 0.0, &series("loss", falls));
    assert_eq!(
        said,
        ["loss is 0.009901 at step 251, and was for 150 steps no better than 0.009901 at step 101"]
    );
    let rises = (0..300).map(|n| f64::from(n.min(100)));
    assert_eq!(said_of("plateau accuracy 150", 0.0, &series("accuracy", rises)).len(), 1);
    // It is better now and then.
    let slowly = (0..300).map(|n| 1.0 / f64::from(n / 100 + 1));
    assert_eq!(said_of("plateau loss 150", 0.0, &series("loss", slowly)), [""; 0]);
}

#[test]
fn a_gpu_that_does_nothing_for_long_idles() {
    let used = |idle: std::ops::Range<i64>| {
        (0..1_000i64)
            .map(move |s| ("system/gpu", None, s, s as f64, if idle.contains(&s) { 0.0 } else { 90.0 }))
    };
    let said = said_of("gpu-idle 5m", 0.0, &used(100..500).collect::<Vec<_>>());
    assert_eq!(said, ["system/gpu is 0 %, and at most 5 % for 300 s, at step 400"]);
    assert_eq!(said_of("gpu-idle 5m", 0.0, &used(100..390).collect::<Vec<_>>()), [""; 0]);
    // A pause in between.
    let paused =
        used(100..500).map(|(m, x, step, s, v)| (m, x, step, if s > 300.0 { s + 3_600.0 } else { s }, v));
    assert_eq!(said_of("gpu-idle 5m", 0.0, &paused.collect::<Vec<_>>()), [""; 0]);
}

#[test]
fn a_rate_that_fell_is_told_once() {
    let fell = pace((0..200).map(|s| if s < 120 { 20.0 } else { 8.0 }));
    let said = said_of("rate-fell", 0.0, &fell);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("rate fell by ") && said[0].contains(" steps a second, and was never below "),
        "{said:?}"
    );
    for healthy in [
        pace((0..300).map(|_| 10.0)),
        pace((0..300).map(|s| if s % 40 < 30 { 10.0 } else { 0.0 })),
        pace((0..300).map(|s| 10.0 + 3.0 * (f64::from(s) / 9.0).sin())),
        pace((0..300).map(|s| 5.0 + f64::from(s) / 30.0)),
    ] {
        assert_eq!(said_of("rate-fell", 0.0, &healthy), [""; 0]);
    }
    // It does other work now.
    let mut other = fell;
    other.extend((121..200).map(|s| ("fine_tuning", None, s, s as f64 + 0.9, 1.0)));
    other.sort_by(|a, b| a.3.total_cmp(&b.3));
    assert_eq!(said_of("rate-fell", 0.0, &other), [""; 0]);
}

#[test]
fn the_memory_of_this_machine_is_used_to_some_part() {
    let used = memory_used().unwrap();
    assert!(used > 0.0 && used <= 100.0, "{used}");
}
