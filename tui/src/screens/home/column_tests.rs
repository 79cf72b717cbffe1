#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use gradtop_store::{Event, HeadlineValue, ParamValue, SeriesKey, State, append_event};

use gradtop_view::list::filter::Filter;
use proptest::prelude::*;
use ratatui::layout::Rect;

use super::Home;
use super::cells::GAP;
use super::columns::Columns;
use super::list::List;
use super::what::What;
use crate::app::testing::{Bench, Spec, run};

#[test]
fn where_nothing_runs_there_is_no_column_for_rates() {
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
fn a_phone_has_room_for_names_headings_and_causes() {
    let logged = |name: &str| {
        let key = SeriesKey { split: Some("train".into()), ..SeriesKey::metric("loss") };
        run("fit", name, 1).logged(key, &[(0, 1.0), (1, 0.25)])
    };
    let mut bench = Bench::of(["twelve-lett1", "twelve-lett2"].map(logged).into());
    bench.resize(40, 15);
    let screen = bench.screen();
    assert!(screen.contains("twelve-lett1") && screen.contains(" train loss"), "{screen}");
    bench.make(&logged("a-name-that-goes-on-and-on-1"));
    bench.make(&run("fit", "bad", 3).at(State::Failed, 5).cause("exit code 3: no such file"));
    bench.read();
    let screen = bench.screen();
    assert!(screen.contains("last train loss"), "{screen}");
    assert!(screen.lines().any(|l| l.contains("exit code 3") && l.chars().count() >= 39), "{screen}");
    // Also with a run in doubt, whose sign takes one more column.
    bench.make(&run("fit", "far", 2).at(State::Running, 9).with(|m, _| m.boot_id = Some("another".into())));
    bench.read();
    let screen = bench.screen();
    assert!(screen.contains("last train loss") && screen.contains(" 0.25"), "{screen}");
}

#[test]
fn what_a_run_in_doubt_took_ends_with_what_it_wrote() {
    let far = run("fit", "far", 60).at(State::Running, 9).with(|m, s| {
        m.boot_id = Some("another".into());
        s.updated = s.started.unwrap() + jiff::SignedDuration::from_secs(75);
    });
    let mut bench = Bench::of(vec![far]);
    bench.resize(120, 36);
    assert!(bench.screen().contains("so far      1m15s"), "{}", bench.screen());
}

#[test]
fn a_time_left_has_a_column_only_where_there_can_be_one() {
    let endless = run("fit", "a", 1).at(State::Running, 10).with(|_, s| s.total = None);
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
        ((120, 36), &["lr ", "25 %", "step", "rate", "eta", "0.91", "shallow", "trend"]),
        ((80, 24), &["lr ", "0.125", "25 %", "3.142e-6", "deep", "0.91"]),
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
    // The group with the long name is folded away.
    bench.resize(200, 50);
    let at = |bench: &Bench| headings(bench, "image").find(" lr ");
    let before = at(&bench);
    bench.keys("home left");
    assert!(at(&bench).is_some() && at(&bench) < before, "{}", bench.screen());
}

#[test]
fn the_value_of_a_failed_run_is_shown_with_its_cause() {
    let mut bench = Bench::of(vec![
        run("fit", "whole", 1).losses(),
        run("fit", "broken", 2).at(State::Failed, 9_000).cause("exit code 3").losses(),
    ]);
    for ((width, height), cause) in
        [((200, 50), true), ((120, 36), true), ((80, 24), true), ((40, 15), false)]
    {
        bench.resize(width, height);
        let screen = bench.screen();
        let line = screen.lines().find(|line| line.contains("broken")).unwrap();
        assert!(
            line.contains("6.455e-5") && line.contains("exit code 3") == cause,
            "{width}x{height}: {screen}"
        );
    }
}

#[test]
fn the_room_there_is_goes_to_what_is_cut() {
    let name = |n: i64| format!("live-very-similar-name-of-a-run-number-{n}");
    let long = |n: i64| {
        let spec = run("live", &name(n), 1)
            .param("lr", ParamValue::Float(0.01 * n as f64))
            .param("width", ParamValue::Int(32 * n));
        spec.logged(
            SeriesKey { split: Some("test".into()), ..SeriesKey::metric("loss") },
            &[(0, 1.0), (1, 0.25)],
        )
    };
    // Another group needs other columns.
    let other = |n: i64| {
        let text = |what: &str| ParamValue::Text(format!("{what}-of-a-long-list-{n}"));
        let model = Some(format!("model-{n}"));
        let spec = run("other", &format!("b-{n}"), 9)
            .param("optimizer", text("optimizer"))
            .param("data", text("data"));
        spec.param("networks", text("networks"))
            .logged(SeriesKey { model, ..SeriesKey::metric("loss") }, &[(0, 1.0), (1, 0.5)])
    };
    let mut bench = Bench::of((1..4).flat_map(|n| [long(n), other(n)]).collect());
    for ((width, height), whole) in
        [((200, 50), true), ((120, 36), true), ((80, 24), false), ((40, 15), false)]
    {
        bench.resize(width, height);
        let screen = bench.screen();
        let line = screen.lines().find(|line| line.contains("-1 ") && line.contains(" 0.25")).unwrap();
        assert_eq!(line.contains(&name(1)), whole, "{width}x{height}: {screen}");
        assert!(
            line.contains(" 0.01 ") && (line.ends_with(" 32") || width < 200),
            "{width}x{height}: {screen}"
        );
        if !whole {
            // Nothing but the blanks between columns is left.
            let blank =
                line.split_once("-1 ").unwrap().1.split("  ").filter(|part| part.trim().is_empty()).count();
            assert!(blank <= 3, "{width}x{height}: {screen}");
        }
    }
}

#[test]
fn the_headings_of_a_group_stay_above_its_runs() {
    let of = |experiment, n| {
        (1..=n).map(move |i| {
            run(experiment, &format!("{experiment}-{i}"), 100 - i).at(State::Stopped, 100 * i).losses()
        })
    };
    let mut bench = Bench::of(of("first", 40).chain(of("second", 3)).collect());
    for (width, height) in [(80, 24), (40, 15), (20, 6)] {
        bench.resize(width, height);
        bench.keys("home");
        // Down to the end and up again, a line at a time.
        for key in std::iter::repeat_n("down", 50).chain(std::iter::repeat_n("up", 50)) {
            bench.keys(key);
            let screen = bench.screen();
            let lines: Vec<&str> = screen.lines().collect();
            assert!(lines.iter().any(|line| line.starts_with(" ›")), "{width}x{height}: {screen}");
            for (at, line) in lines.iter().enumerate() {
                let of = |group: &&str| line.contains('■') && line.contains(&format!("{group}-"));
                let Some(group) = ["first", "second"].into_iter().find(of) else { continue };
                let titles = lines[..at].iter().rposition(|l| l.contains("name")).unwrap_or(0);
                assert!(titles > 0, "{width}x{height} {key}: {screen}");
                if height > 10 {
                    assert!(
                        lines[titles - 1].contains(&format!("▾ {group}")),
                        "{width}x{height} {key}: {screen}"
                    );
                }
            }
        }
    }
    // A click on a heading that stays sorts by it, and one on a run goes there.
    bench.resize(120, 36);
    bench.keys("end up up up");
    let at = |bench: &Bench, text: &str| {
        let screen = bench.screen();
        screen
            .lines()
            .enumerate()
            .find_map(|(y, l)| Some((l[..l.find(text)?].chars().count() as u16, y as u16)))
            .unwrap()
    };
    let (x, y) = at(&bench, "name");
    bench.click(x, y);
    assert_eq!(bench.app.shared.settings.home.sort.by, "name");
    let (x, y) = at(&bench, "first-30");
    bench.click(x, y);
    assert!(bench.screen().lines().nth(y.into()).unwrap().starts_with(" ›"), "{}", bench.screen());
    // A percentage without its bar has a heading, too.
    bench.resize(32, 15);
    assert!(bench.screen().contains(" done ") && bench.screen().contains('%'), "{}", bench.screen());
}

#[test]
fn a_mean_is_called_one_at_every_size() {
    let of = |name: &str, lr: f64, model: &str| {
        let spec = run("fit", name, 1).param("lr", ParamValue::Float(lr)).param("width", ParamValue::Int(64));
        (0..3).fold(spec.at(State::Running, 5_000), |spec, trial| {
            let of = |split: &str| SeriesKey {
                model: Some(model.into()),
                split: Some(split.into()),
                trial: Some(trial),
                ..SeriesKey::metric("loss")
            };
            spec.logged(of("test"), &[(0, 1.0), (1, 0.25)])
        })
    };
    let runs =
        || vec![of("a-run-of-a-long-sweep-1", 0.1, "deep"), of("a-run-of-a-long-sweep-2", 0.2, "deep")];
    let other = (0..9)
        .fold(run("fit", "other", 1), |spec, n| spec.series(&format!("m{n}"), None, &[(0, 1.0), (1, 0.5)]));
    for specs in [runs(), runs().into_iter().take(1).collect(), runs().into_iter().chain([other]).collect()] {
        let mut bench = Bench::of(specs);
        for (width, height) in [(200, 50), (120, 36), (80, 24), (60, 20), (40, 15)] {
            bench.resize(width, height);
            let screen = bench.screen();
            assert!(screen.contains(" geo"), "{width}x{height}: {screen}");
            let last = screen.contains("last test loss") || screen.contains("last loss") || width < 60;
            assert!(last, "{width}x{height}: {screen}");
        }
    }
    // The series of a mean is cut, and the others are not means.
    let mixed = vec![of("a-run-1", 0.1, "a-network-with-a-name"), run("fit", "another", 2).losses()];
    let mut bench = Bench::of(mixed);
    for (width, height) in [(200, 50), (120, 36), (80, 24)] {
        bench.resize(width, height);
        let screen = bench.screen();
        let line = screen.lines().find(|line| line.contains("a-run-1") && line.contains("0.25")).unwrap();
        assert!(line.contains(" geo"), "{width}x{height}: {screen}");
    }
}

#[test]
fn runs_are_sorted_by_what_is_on_the_screen_or_it_is_said() {
    let of = |name: &str, n: i64| {
        let spec = run("fit", name, n).losses();
        (0..4).fold(spec, |spec, p| spec.param(&format!("p{p}"), ParamValue::Int(n * p)))
    };
    let mut bench = Bench::of(vec![of("a", 1), of("b", 2)]);
    bench.resize(120, 36);
    let titles = |bench: &Bench| bench.screen().lines().find(|l| l.contains(" name")).unwrap().to_owned();
    let mut by = Vec::new();
    for _ in 0..12 {
        bench.keys("s");
        let titles = titles(&bench);
        let sorted = titles.split('▾').next().unwrap().split_whitespace().next_back().map(str::to_owned);
        assert!(titles.contains('▾'), "a key that changes nothing visible: {}", bench.screen());
        by.extend(sorted);
    }
    assert!(by.contains(&"p2".to_owned()) && by.contains(&"age".to_owned()), "{by:?}");
    while !titles(&bench).contains("age▾") {
        bench.keys("s");
    }
    bench.keys("o");
    bench.resize(60, 20);
    assert!(
        titles(&bench).contains('▴') || bench.screen().contains(", sorted by age, the other"),
        "{}",
        bench.screen()
    );
}

#[test]
fn what_tells_runs_apart_has_a_column_before_what_repeats() {
    let of = |name: &str, lr, model: &str, value| {
        let key = SeriesKey { model: Some(model.into()), ..SeriesKey::metric("loss") };
        run("fit", name, 1).param("lr", ParamValue::Float(lr)).logged(key, &[(0, 1.0), (1, value)])
    };
    let runs =
        || vec![of("plane-curve-1", 0.125, "deep", 3.142e-6), of("plane-curve-2", 0.25, "shallow", 2.718e-5)];
    let screen = |runs: Vec<Spec>, (width, height)| {
        let mut bench = Bench::of(runs);
        bench.resize(width, height);
        bench.screen()
    };
    let live =
        || runs().into_iter().zip([5_000, 900]).map(|(run, step)| run.at(State::Running, step)).collect();
    for (runs, size) in [(runs(), (80, 24)), (live(), (80, 24)), (runs(), (40, 15)), (live(), (40, 15))] {
        let screen = screen(runs, size);
        for word in [" lr ", "0.125", "0.25", "3.142e-6", "deep", "2.718e-5", "shallow"] {
            assert!(screen.contains(word), "{word} in {size:?}: {screen}");
        }
    }
    assert!(screen(live(), (40, 15)).contains("25 %"), "{}", screen(live(), (40, 15)));
}

/// A sweep over the learning rate, each setting with means of three trials; one run has another function.
fn sweep() -> Vec<Spec> {
    let of = |n: i64| {
        let (lr, function) =
            ([0.1, 0.01, 0.001][n as usize % 3], if n == 0 { "a-sum-of-sines" } else { "sinc" });
        let spec = run("curve-fit", &format!("curve-fit-{}", n + 5), n)
            .param("function", ParamValue::Text(function.into()))
            .param("lr", ParamValue::Float(lr))
            .param("batch", ParamValue::Int(32 << (n % 2)));
        (0..3).fold(spec, |spec, trial| {
            let key = SeriesKey {
                model: Some(if n < 6 { "middle" } else { "deep" }.into()),
                split: Some(if n == 4 { "sines" } else { "sinc" }.into()),
                trial: Some(trial),
                ..SeriesKey::metric("loss")
            };
            spec.logged(key, &[(0, 1.0), (1, 1.234e-5), (2, 5.678e-6)])
        })
    };
    (0..8).map(of).collect()
}

#[test]
fn the_parameter_that_tells_most_runs_apart_comes_first_and_nothing_is_cut_where_something_can_be_left_out() {
    let mut bench = Bench::of(sweep());
    for (width, height) in [(200, 50), (120, 36), (80, 24)] {
        bench.resize(width, height);
        let screen = bench.screen();
        let lines: Vec<&str> = screen.lines().take(7).collect();
        let at = |title: &str| lines[2].find(&format!(" {title} "));
        assert!(at("lr").is_some() && at("lr") < at("batch") && at("batch") < at("function"), "{screen}");
        for (n, line) in lines[3..].iter().enumerate() {
            assert!(line.contains(&format!("curve-fit-{}", n + 5)) && line.contains("middle"), "{screen}");
        }
        assert!(lines[1].contains("geometric mean of 3"), "{screen}");
    }
    bench.resize(120, 36);
    assert!(bench.screen().contains(" trend "), "a trend is worth more than bars: {}", bench.screen());
    bench.resize(40, 15);
    let screen = bench.screen();
    assert!(screen.contains("8 runs, geometric mean") && screen.contains("5.678e-6 middle"), "{screen}");
}

#[test]
fn on_a_phone_a_group_gives_up_a_word_before_it_hides_that_values_are_means() {
    let mut bench = Bench::of(sweep());
    bench.resize(40, 15);
    bench.keys("/");
    bench.type_text("name:curve-fit-6 OR name:curve-fit-7");
    bench.keys("enter");
    let screen = bench.screen();
    assert!(screen.contains("2 of 8, middle · geo."), "{screen}");
}

#[test]
fn where_some_values_are_means_a_phone_counts_them() {
    let single = run("curve-fit", "curve-fit-1", 1).losses();
    let mut bench = Bench::of(sweep().into_iter().chain([single]).collect());
    bench.resize(40, 15);
    assert!(bench.screen().contains("9 runs, 8 geometric"), "{}", bench.screen());
}

#[test]
fn a_value_of_a_split_that_few_have_names_it() {
    let mut bench = Bench::of(sweep());
    bench.resize(120, 36);
    let screen = bench.screen();
    assert!(screen.contains("last sinc loss"), "{screen}");
    let of = |n: i64| screen.lines().find(|line| line.contains(&format!("curve-fit-{n} "))).unwrap();
    assert!(of(9).contains("middle · sines") && !of(8).contains("· sinc"), "{screen}");
}

#[test]
fn two_networks_of_a_split_that_no_heading_names_are_told_apart() {
    let of = |name: &str, model: &str, split: &str| {
        let spec = run("fit", name, 1).param("lr", ParamValue::Text(name.to_owned()));
        (0..3).fold(spec, |spec, trial| {
            let (model, split) = (Some(model.to_owned()), Some(split.to_owned()));
            let key = SeriesKey { model, split, trial: Some(trial), ..SeriesKey::metric("loss") };
            spec.logged(key, &[(0, 1.0), (1, 0.25)])
        })
    };
    let usual = ["usual-1", "usual-2", "usual-3"].map(|name| of(name, "deep", "sinc"));
    let others = [of("other-1", "middle", "sign"), of("other-2", "shallow", "sign")];
    let mut bench = Bench::of(usual.into_iter().chain(others).collect());
    for size in [(120, 36), (80, 24), (60, 24)] {
        bench.resize(size.0, size.1);
        let screen = bench.screen();
        let of = |name: &str| screen.lines().find(|l| l.contains(name)).and_then(|l| l.split("0.25").nth(1));
        let [one, other] = ["other-1", "other-2"].map(|name| of(name).unwrap_or_default().trim());
        assert!(one != other && one.contains("sign"), "{size:?}: {screen}");
    }
}

#[test]
fn names_beside_one_with_an_alert_are_whole_where_all_fit() {
    let specs = vec![run("fit", "fit-of-a-curve-1", 1).losses(), run("fit", "odd", 2).losses()];
    let mut bench = Bench::of(specs);
    append_event(&bench.id("odd").dir(), &Event::Alert { message: "loss is NaN".to_owned() }).unwrap();
    bench.read();
    for size in [(120, 36), (80, 24), (60, 20)] {
        bench.resize(size.0, size.1);
        let screen = bench.screen();
        assert!(screen.contains("fit-of-a-curve-1 ") && screen.contains("▲ odd"), "{size:?}: {screen}");
    }
}

/// The values of a run's parameters, its tag, its seed and whether it is at work.
type AnyRun = (Vec<usize>, Option<bool>, u64, bool);

fn any_list() -> impl Strategy<Value = Vec<AnyRun>> {
    let run = (prop::collection::vec(0..3_usize, 5), any::<Option<bool>>(), 1..3_u64, any::<bool>());
    prop::collection::vec(run, 2..9)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// No two runs look alike while a column that tells them apart is left out, and one that tells no runs apart has its room.
    #[test]
    fn runs_look_alike_only_where_no_column_has_room_that_tells_them_apart(
        runs in any_list(),
        width in 80..200_u16,
    ) {
        let names = ["lr", "a-long-parameter", "batch", "optimizer", "width"];
        let values = [["0.1", "0.01", "0.003"], ["sgd", "adam", "a-long-text-of-a-value"]];
        let spec = |(at, (own, tag, seed, works)): (usize, &AnyRun)| {
            let name = format!("a-run-of-a-sweep-{at}");
            let spec = run("fit", &name, at as i64 + 1).losses().with(|m, _| m.seed = Some(*seed));
            let spec = if *works { spec.at(State::Running, 5_000) } else { spec };
            let spec = match tag {
                Some(tag) => spec.tagged(if *tag { "one" } else { "two" }),
                None => spec,
            };
            own.iter().enumerate().fold(spec, |spec, (at, value)| {
                spec.param(names[at], ParamValue::Text(values[at % 2][*value].to_owned()))
            })
        };
        let mut bench = Bench::of(runs.iter().enumerate().map(spec).collect());
        bench.resize(width, 40);
        let shared = &bench.app.shared;
        let list = List::new(shared, &Filter::default(), &BTreeSet::new());
        let home = Home { list, ..Home::default() };
        let columns = &Columns::by_group(&home, shared, Rect::new(0, 1, width, 30))[&0];
        let shown = |what| columns.0.iter().any(|column| column.what == what);
        let group = &home.list.groups[0];
        let params: Vec<What<'_>> = (0..group.params.len()).map(What::Param).collect();
        let text = |what: &What<'_>, at: usize| what.text(group, &group.rows[at], shared.now);
        let (mine, left_out): (Vec<What<'_>>, Vec<What<'_>>) = params.iter().partition(|what| shown(**what));
        let tells_nothing = |what: &What<'_>| match what {
            What::Bar | What::Spark => true,
            What::Other(name) => ["step", "epoch", "rate", "eta", "age"].contains(name),
            _ => false,
        };
        let room: usize = columns.0.iter().filter(|c| tells_nothing(&c.what)).map(|c| c.width + GAP).sum();
        for a in 0..group.rows.len() {
            for b in 0..a {
                let differs = |what: &&What<'_>| text(what, a) != text(what, b);
                if mine.iter().any(|what| differs(&what)) {
                    continue;
                }
                for what in left_out.iter().filter(differs) {
                    let widest = (0..group.rows.len()).map(|at| text(what, at).len()).max().unwrap_or(0);
                    let needed = widest.max(what.title(group).len()) + GAP;
                    prop_assert!(room < needed, "{} of {width}:\n{}", what.title(group), bench.screen());
                }
            }
        }
    }
}

#[test]
fn what_a_sweep_varied_comes_before_steps_and_rates_also_where_something_else_tells_more() {
    let of = |n: i64, tag: &str, points| {
        let text = |text: &str| ParamValue::Text(text.into());
        let model = if n % 3 == 0 { "deep" } else { "shallow" };
        let key =
            SeriesKey { model: Some(model.into()), split: Some("sinc".into()), ..SeriesKey::metric("loss") };
        let spec = run("curve-fitting", &format!("curve-fitting-{n}"), n).at(State::Running, 4_000);
        let spec = spec.logged(key, &[(0, 1.0), (1, 2.5e-6)]).tagged(tag);
        // One has not begun.
        let spec = spec.with(|_, status| {
            if n == 0 {
                (status.step, status.total) = (None, None);
            }
        });
        spec.param("points", ParamValue::Int(points))
            .param("batch", ParamValue::Int([32, 64][n as usize % 2]))
            .param("lr", ParamValue::Float([0.001, 0.003][n as usize / 2 % 2]))
            .param("optimizer", text(if tag == "new" && n / 4 % 2 == 0 { "sgd" } else { "adam" }))
    };
    let mut bench =
        Bench::of((0..8).map(|n| of(n, "new", 1_000)).chain((8..16).map(|n| of(n, "old", 20))).collect());
    for size in [(80, 24), (100, 24), (120, 36), (200, 50)] {
        bench.resize(size.0, size.1);
        let screen = bench.screen();
        let titles = screen.lines().nth(2).unwrap();
        for title in [" batch ", " lr ", " opt", "sinc loss"] {
            assert!(titles.contains(title), "{title} at {size:?}: {screen}");
        }
        assert!(screen.contains(" 20 %"), "{size:?}: {screen}");
    }
    // On a phone, too.
    bench.resize(40, 15);
    for words in ["32 0.001 sgd ", "64 0.003 sgd ", "32 0.001 adam", "20 % 2.5e-6"] {
        assert!(bench.screen().contains(words), "{words}: {}", bench.screen());
    }
}

#[test]
fn on_a_phone_a_run_at_work_always_shows_how_far_it_is() {
    let of = |name: &str, total, model: &str| {
        let key = |trial| SeriesKey {
            model: Some(model.into()),
            split: Some("a-split-of-the-data".into()),
            trial: Some(trial),
            ..SeriesKey::metric("loss")
        };
        let spec =
            run("a-fit-with-a-name", name, 1).at(State::Running, 4_200).with(move |_, s| s.total = total);
        (0..3).fold(spec, |spec, trial| spec.logged(key(trial), &[(0, 1.0), (1, 0.25)]))
    };
    for (total, wanted) in [(Some(20_000), "21 %"), (None, "4200")] {
        let names = ["a-run-with-a-very-long-name-1", "a-run-with-a-very-long-name-2"];
        let mut bench = Bench::of(vec![of(names[0], total, "deep"), of(names[1], total, "shallow")]);
        bench.resize(40, 15);
        let screen = bench.screen();
        assert_eq!(screen.matches(wanted).count(), 2, "{screen}");
    }
}
