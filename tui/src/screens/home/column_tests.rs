#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_store::{HeadlineValue, ParamValue, SeriesKey, State};

use crate::app::testing::{Bench, run};

#[test]
fn columns_give_way_in_their_order() {
    let mut bench = Bench::of(vec![
        run("fit", "a-name-of-nineteen-x", 1).at(State::Running, 5_000).losses(),
        run("fit", "b", 2).losses(),
    ]);
    bench.resize(80, 24);
    let screen = bench.screen();
    for word in ["progress", "step", "loss", "25 %", "a-name-of-nineteen-x"] {
        assert!(screen.contains(word), "{word} at 80 columns: {screen}");
    }
    // Nothing runs, so there is no column for rates.
    let bench = Bench::of(vec![run("fit", "b", 2).losses()]);
    let titles = bench.screen().lines().nth(2).unwrap_or_default().to_owned();
    assert!(titles.contains("progress") && !titles.contains("rate") && !titles.contains("eta"), "{titles}");
}

#[test]
fn a_value_is_seen_with_what_it_is_of() {
    let of = |name, minutes, split: &str, value| {
        let key = SeriesKey { split: Some(split.into()), ..SeriesKey::metric("loss") };
        run("fit", name, minutes).at(State::Running, 5_000).logged(key, &[(0, 1.0), (1, value)])
    };
    let mut bench = Bench::of(vec![
        of("a-name-of-nineteen-a", 1, "train", 0.005),
        of("a-name-of-nineteen-b", 2, "test", 0.2),
        of("a-name-of-nineteen-c", 3, "deep", 0.9),
    ]);
    for (width, height) in [(200, 50), (120, 36), (80, 24), (40, 15)] {
        bench.resize(width, height);
        let screen = bench.screen();
        let line = screen.lines().find(|l| l.contains("n-b") && l.contains("test"));
        assert!(
            screen.contains(" last loss") && line.is_some_and(|l| l.contains("0.2")),
            "{width}: {screen}"
        );
    }
}

#[test]
fn a_phone_shows_values_whichever_model_they_are_of() {
    let of = |name, model: &str, value| {
        let key =
            SeriesKey { model: Some(model.into()), split: Some("test".into()), ..SeriesKey::metric("loss") };
        run("fit", name, 1).at(State::Running, 5_000).logged(key, &[(0, 1.0), (1, value)])
    };
    let mut bench = Bench::of(vec![of("a", "deep", 0.005), of("b", "shallow", 0.25)]);
    bench.resize(40, 15);
    let screen = bench.screen();
    assert!(screen.contains("test loss") && screen.contains("0.005") && screen.contains("0.25"), "{screen}");
}

#[test]
fn a_phone_has_room_for_the_usual_heading_and_for_causes() {
    let specs = ["a-name-that-goes-on-and-on-1", "a-name-that-goes-on-and-on-2"].map(|name| {
        let key = SeriesKey { split: Some("train".into()), ..SeriesKey::metric("loss") };
        run("fit", name, 1).logged(key, &[(0, 1.0), (1, 0.25)])
    });
    let cause = run("fit", "bad", 3).at(State::Failed, 5).cause("exit code 3: no such file");
    let mut bench = Bench::of(specs.into_iter().chain([cause]).collect());
    bench.resize(40, 15);
    let screen = bench.screen();
    assert!(screen.contains("last train loss"), "{screen}");
    assert!(screen.lines().any(|l| l.contains("exit code 3") && l.chars().count() == 39), "{screen}");
    // Also with a run in doubt, whose sign takes one more column.
    bench.make(&run("fit", "far", 2).at(State::Running, 9).with(|m, _| m.boot_id = "another".into()));
    bench.read();
    let screen = bench.screen();
    assert!(screen.contains("last train loss") && screen.contains("  0.25"), "{screen}");
}

#[test]
fn what_a_run_in_doubt_took_ends_with_what_it_wrote() {
    let far = run("fit", "far", 60).at(State::Running, 9).with(|m, s| {
        m.boot_id = "another".into();
        s.updated = s.started.unwrap() + jiff::SignedDuration::from_secs(75);
    });
    let mut bench = Bench::of(vec![far]);
    bench.resize(120, 36);
    assert!(bench.screen().contains("for 1m15s"), "{}", bench.screen());
}

#[test]
fn a_time_left_has_a_column_only_where_there_can_be_one() {
    let endless = run("fit", "a", 1).at(State::Running, 10).with(|_, s| s.total = 0);
    let mut bench = Bench::of(vec![endless]);
    bench.resize(120, 40);
    let titles = |bench: &Bench| bench.screen().lines().nth(2).unwrap_or_default().to_owned();
    assert!(titles(&bench).contains("rate") && !titles(&bench).contains("eta"), "{}", titles(&bench));
    bench.make(&run("fit", "b", 1).at(State::Running, 10));
    bench.read();
    assert!(titles(&bench).contains("eta"), "{}", titles(&bench));
}

/// Runs of one experiment that differ in two parameters, one with a long name, and runs of another with a long headline.
fn varied() -> Bench {
    let fit = |name: &str, lr, batch, model: &str, value| {
        let key = SeriesKey { model: Some(model.into()), ..SeriesKey::metric("loss") };
        let run = run("fit", name, 1).at(State::Running, 5_000).logged(key, &[(0, 1.0), (1, value)]);
        run.param("lr", ParamValue::Float(lr)).param("batch", ParamValue::Int(batch))
    };
    let image = |name: &str, lr, value| {
        let key = SeriesKey { split: Some("test".into()), ..SeriesKey::metric("accuracy") };
        run("image", name, 5).param("lr", ParamValue::Float(lr)).with(|manifest, status| {
            manifest.metrics[0].name = "accuracy".to_owned();
            status.headline.push(HeadlineValue { key, value });
        })
    };
    Bench::of(vec![
        fit("fit-1", 0.005, 32, "deep", 3.142e-6),
        fit("fit-2", 0.02, 64, "shallow", 2.718e-5),
        fit("fit-3", 0.03, 64, "shallow", 1.618e-5),
        fit(&"a-name-that-goes-on-".repeat(5), 0.03, 64, "shallow", 1.414e-5),
        image("image-1", 0.125, 0.91),
        image("image-2", 0.25, 0.86),
    ])
}

#[test]
fn what_was_varied_and_progress_come_before_names_at_every_size() {
    let mut bench = varied();
    for ((width, height), wanted) in [
        (
            (200, 50),
            &["lr ", "batch", "█", "25 %", "step", "rate", "eta", "last test accuracy", "age", "device"][..],
        ),
        ((120, 36), &["lr ", "batch", "█", "25 %", "step", "eta", "0.91", "shallow"]),
        ((80, 24), &["lr ", "0.125", "█", "25 %", "3.142e-6", "deep", "0.91"]),
        ((40, 15), &["25 %", "3.142e-6 deep", "0.91"]),
    ] {
        bench.resize(width, height);
        let screen = bench.screen();
        let list: Vec<&str> = screen.lines().take(12).collect();
        for word in wanted {
            assert!(list.iter().any(|line| line.contains(word)), "{word} at {width}x{height}:\n{screen}");
        }
        // The long name is cut, and takes what is left over; the others are whole.
        let named = |name: &str| list.iter().any(|line| line.contains(name));
        assert!(named("fit-1 ") && named("image-2") && !named(&"a-name-that-goes-on-".repeat(5)), "{screen}");
    }
}

#[test]
fn groups_out_of_sight_and_headings_over_nothing_take_no_room() {
    let mut bench = varied();
    bench.make(&run("quiet", "plain", 9));
    bench.read();
    bench.resize(80, 30);
    assert!(bench.screen().contains("last test accuracy"), "{}", bench.screen());
    let headings = |bench: &Bench, of: &str| {
        let screen = bench.screen();
        let lines: Vec<&str> = screen.lines().collect();
        lines[lines.iter().position(|line| line.contains(of)).unwrap() + 1].to_owned()
    };
    assert!(headings(&bench, "fit").contains("last loss"), "{}", bench.screen());
    assert!(!headings(&bench, "quiet").contains("last"), "{}", bench.screen());
    let width = |bench: &Bench| {
        let line = headings(bench, "fit");
        line.find(" of").unwrap() - line.find("last loss").unwrap()
    };
    let wide = width(&bench);
    // The long heading is folded away.
    bench.keys("end up up left end");
    assert!(width(&bench) < wide, "{}", bench.screen());
}
