//! Drives the real application by keys, over run folders that the engine has read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use gradtop_store::{ParamValue, SeriesKey, State};

use crate::app::Msg;
use crate::app::testing::{Bench, SIZES, Spec, beside_cuts, run};
use crate::screens::effect::{Open, Task};
use gradtop_chart::cells::glyphs::Glyphs;
use gradtop_chart::colour::Colours;
use gradtop_view::live::WatchRequest;
use gradtop_view::live::engine::WatchedRuns;

/// Performs the application's requests as the runtime would, until there are none.
fn read(bench: &mut Bench, runs: &mut WatchedRuns) {
    bench.follow(runs);
}

fn curve(rate: f64, top: f64) -> Vec<(i64, f64)> {
    (0..200).map(|i| (i * 100, top * (-rate * i as f64 / 200.0).exp())).collect()
}

fn spec(name: &str, minutes: i64, lr: f64, seed: u64) -> Spec {
    let norm: Vec<(i64, f64)> = curve(2.0, 10.0 * lr);
    run("fit", name, minutes)
        .param("lr", ParamValue::Float(lr))
        .with(|m, _| m.seed = Some(seed))
        .series("loss", None, &curve(3.0 + 40.0 * lr + seed as f64 / 3.0, 0.5))
        .series("norm", None, &norm)
}

fn five() -> Vec<Spec> {
    vec![
        spec("fit-1", 5, 0.1, 1),
        spec("fit-2", 4, 0.1, 2),
        spec("fit-3", 3, 0.01, 1),
        spec("fit-4", 2, 0.01, 2),
        spec("fit-5", 1, 0.01, 3).at(State::Running, 9_000),
    ]
}

fn open(mut bench: Bench, names: &[&str]) -> (Bench, WatchedRuns) {
    let ids = names.iter().map(|n| bench.id(n)).collect();
    bench.open(Open::Compare(ids, None));
    let mut runs = WatchedRuns::new();
    read(&mut bench, &mut runs);
    (bench, runs)
}

const FIVE: [&str; 5] = ["fit-1", "fit-2", "fit-3", "fit-4", "fit-5"];

fn bench() -> (Bench, WatchedRuns) {
    open(Bench::of(five()), &FIVE)
}

/// The names in the order of the table.
fn order(bench: &Bench) -> Vec<String> {
    let screen = bench.screen();
    let rows = screen.lines().skip_while(|l| !l.contains("run ") || !l.contains("last"));
    let name = |l: &str| l.split_whitespace().find(|w| w.starts_with("fit-")).map(str::to_owned);
    rows.filter_map(name).collect()
}

#[test]
fn every_size() {
    for (width, height) in SIZES {
        let (mut bench, _runs) = bench();
        bench.resize(width, height);
        insta::assert_snapshot!(format!("both_{width}x{height}"), bench.screen());
    }
}

#[test]
fn groups_expanded_and_the_table_alone() {
    let (mut bench, mut runs) = bench();
    bench.resize(80, 24);
    bench.keys("b b");
    read(&mut bench, &mut runs);
    insta::assert_snapshot!("grouped", bench.screen());
    bench.keys("1 enter");
    read(&mut bench, &mut runs);
    insta::assert_snapshot!("expanded", bench.screen());
    bench.keys("B B 2");
    read(&mut bench, &mut runs);
    insta::assert_snapshot!("table", bench.screen());
}

#[test]
fn groups_show_values_before_parameters() {
    let (mut bench, mut runs) = bench();
    bench.resize(40, 15);
    bench.keys("b b 3");
    read(&mut bench, &mut runs);
    let screen = bench.screen();
    let titles = screen.lines().find(|line| line.starts_with("    group")).unwrap();
    assert!(titles.contains("last") && !titles.contains(" lr"), "{screen}");
    // The order of the rows is that of the column under the cursor.
    bench.resize(80, 24);
    bench.keys("2 right s");
    let screen = bench.screen();
    assert!(screen.contains("best, lowest↓"), "{screen}");
}

#[test]
fn metrics_that_begin_alike_can_be_told_apart() {
    let models = ["batch 64, lr 0.001", "batch 64, lr 0.01", "batch 64, lr 0.01, started at another place"];
    let many = |name, minutes, seed| {
        let with = |s: Spec, m: &&str| s.series("loss", Some(*m), &[(0, 1.0), (1, 0.5)]);
        models.iter().fold(run("fit", name, minutes), with).with(|m, _| m.seed = Some(seed))
    };
    let mut bench = Bench::of(vec![many("a", 1, 1), many("b", 2, 2)]);
    bench.resize(200, 50);
    let (bench, _runs) = open(bench, &["a", "b"]);
    let screen = bench.screen();
    let lines: Vec<&str> = screen.lines().collect();
    let titles = lines[lines.iter().position(|l| l.contains("last") && l.contains("best")).unwrap() - 1];
    for title in ["loss batch 64, lr 0.001  ", "loss batch 64, lr 0.01  ", "another place"] {
        assert!(titles.contains(title), "{title}: {screen}");
    }
}

#[test]
fn on_a_phone_a_heading_gives_way_to_names() {
    let of = |name: &str, minutes| {
        let spec = run("fit", name, minutes).series("entropy-of-the-whole-data-set", None, &curve(1.0, 0.5));
        spec.with(|m, _| m.metrics.clear())
    };
    let shown = |names: [&str; 2]| {
        let mut bench = Bench::of(vec![of(names[0], 1), of(names[1], 2)]);
        bench.resize(40, 15);
        open(bench, &names).0.screen()
    };
    let names = ["wide-run-of-fit-01", "wide-run-of-fit-02"];
    let screen = shown(names);
    assert!(names.iter().all(|name| screen.contains(name)), "{screen}");
    // A name that is cut has the room there is.
    let screen = shown(["ratio-1", "optimizationOfEverything-path-1"]);
    assert!(screen.contains("optimi"), "{screen}");
}

#[test]
fn no_width_shows_a_part_of_a_number() {
    let specs = (0..4u32).map(|i| {
        let lr = 0.734_921 + f64::from(i % 2) * 1e-6;
        spec(&format!("a-run-of-lr0.73492{}-seed1{i}", i % 2 + 1), i64::from(i), lr, 10 + u64::from(i))
    });
    let specs: Vec<Spec> = specs.collect();
    let names: Vec<String> = specs.iter().map(|spec| spec.manifest.run.clone()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut bench, mut runs) = open(Bench::of(specs), &names);
    let whole = ["0.734921", "0.734922", "10", "11", "12", "13"];
    for script in ["v", "b", "b", "v", "v"] {
        bench.keys(script);
        for width in 20..130 {
            bench.resize(width, 24);
            read(&mut bench, &mut runs);
            let found = beside_cuts(&bench.screen());
            assert!(
                found.iter().all(|n| whole.contains(&n.as_str())),
                "{width}: {found:?}\n{}",
                bench.screen()
            );
        }
    }
}

#[test]
fn in_ascii_without_colour() {
    let mut plain = Bench::with(Glyphs::Ascii, Colours::None, false);
    for spec in five() {
        plain.make(&spec);
    }
    plain.read();
    let (mut bench, _runs) = open(plain, &FIVE);
    bench.resize(120, 40);
    bench.keys("left");
    let screen = bench.screen();
    assert!(screen.is_ascii(), "{screen}");
    insta::assert_snapshot!(screen);
}

#[test]
fn sorted_by_a_column_the_best_first_then_the_other_way_round_then_as_given() {
    let (mut bench, mut runs) = bench();
    bench.keys("2");
    read(&mut bench, &mut runs);
    assert_eq!(order(&bench), FIVE);
    // lr, seed, then the last loss.
    bench.keys("right right s");
    let best = order(&bench);
    assert_eq!(best[0], "fit-2", "{}", bench.screen());
    bench.keys("o");
    let mut worst = order(&bench);
    worst.reverse();
    assert_eq!(best, worst);
    bench.keys("o s");
    assert_eq!(order(&bench), FIVE);
    bench.keys("left left s");
    assert_eq!(order(&bench)[..3], ["fit-3", "fit-4", "fit-5"]);
}

#[test]
fn only_what_is_seen_is_watched() {
    let (mut bench, _runs) = bench();
    bench.keys("1 enter");
    let metrics = |bench: &mut Bench| format!("{:?}", watched(bench)[0].series);
    assert_eq!(metrics(&mut bench), "Metrics({\"loss\"})");
    bench.keys("tab");
    assert_eq!(metrics(&mut bench), "Metrics({\"norm\"})");
    bench.keys("2");
    assert_eq!(metrics(&mut bench), "Metrics({\"loss\"})", "norm is not declared");
}

#[test]
fn a_cursor_tells_every_lines_value() {
    let (mut bench, mut runs) = bench();
    bench.keys("left");
    read(&mut bench, &mut runs);
    let before = bench.screen();
    assert!(before.contains("at cursor"), "{before}");
    bench.keys("left left left left left left left left");
    assert_ne!(before, bench.screen());
    bench.keys("esc");
    assert!(!bench.screen().contains("at cursor"));
}

#[test]
fn at_the_cursor_an_ended_run_has_its_last_value_and_one_that_begins_later_none() {
    let late: Vec<(i64, f64)> = curve(3.0, 1.0).split_off(100);
    let specs = vec![
        run("fit", "short", 3).series("loss", None, &[(0, 4.0), (1, 8.0), (20, 2.5)]),
        run("fit", "late", 2).series("loss", None, &late),
        run("fit", "whole", 1).series("loss", None, &curve(3.0, 1.0)),
    ];
    let (mut bench, mut runs) = open(Bench::of(specs), &["short", "late", "whole"]);
    bench.keys("end");
    read(&mut bench, &mut runs);
    let row = |bench: &Bench, name: &str| {
        let screen = bench.screen();
        let row = screen.lines().find(|line| line.contains(name) && line.contains("finished"));
        row.unwrap_or_else(|| panic!("{name}: {screen}"))
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let short = row(&bench, "short").join(" ");
    assert!(short.contains("2.5") && short.contains("20 (last)"), "{short}");
    bench.keys("home");
    read(&mut bench, &mut runs);
    assert!(row(&bench, "late").contains(&"–".to_owned()), "{}", bench.screen());
    bench.resize(40, 15);
    read(&mut bench, &mut runs);
    assert!(bench.screen().contains("at cursor"), "{}", bench.screen());
}

#[test]
fn a_table_that_goes_on_says_which_of_how_many_rows_the_cursor_is_on() {
    let (mut bench, mut runs) = bench();
    bench.resize(80, 14);
    bench.keys("down down");
    read(&mut bench, &mut runs);
    assert!(bench.screen().contains("run 3 of 5"), "{}", bench.screen());
    bench.resize(80, 40);
    read(&mut bench, &mut runs);
    assert!(!bench.screen().contains("3 of 5"), "{}", bench.screen());
}

#[test]
fn zoom_goes_in_and_comes_back() {
    let (mut bench, _runs) = bench();
    bench.keys("0");
    let whole = bench.screen();
    bench.keys("z z");
    assert!(bench.screen().contains("zoomed"));
    bench.keys(", , , . Z");
    assert!(bench.screen().contains("zoomed"));
    bench.keys("Z Z Z");
    assert_eq!(bench.screen(), whole);
}

/// The last requests of what to read.
fn watched(bench: &mut Bench) -> Vec<WatchRequest> {
    let watches =
        bench.take().into_iter().filter_map(|e| if let Task::Watch(w) = e { Some(w) } else { None });
    watches.last().unwrap_or_default()
}

#[test]
fn zoom_reads_exact_values_of_every_run() {
    let (mut bench, _runs) = bench();
    bench.keys("1 enter z z");
    let ranges = |bench: &mut Bench| {
        let all = watched(bench);
        assert!(all.iter().all(|w| w.windows.len() == 1 && w.windows[0].metric.as_deref() == Some("loss")));
        all.iter().map(|w| w.windows[0].range).collect::<Vec<_>>()
    };
    let steps = ranges(&mut bench);
    assert_eq!(steps.len(), 5);
    assert!(steps.iter().all(|r| *r == steps[0] && r.0 > 0.0), "{steps:?}");
    // Each run has its own steps in the same share of it.
    bench.keys("0");
    while !bench.screen().contains("x share of the run") {
        bench.keys("A");
    }
    bench.keys("z z");
    let shares = ranges(&mut bench);
    assert!(shares.iter().all(|(low, high)| 1_000.0 < *low && *high < 20_000.0), "{shares:?}");
}

#[test]
fn charts_are_found_pinned_and_zoomed_as_on_the_screen_of_a_run() {
    let (mut bench, mut runs) = bench();
    bench.keys("1");
    let whole = bench.screen();
    bench.keys("/");
    bench.type_text("no?m");
    assert!(bench.screen().contains(" find no?m"), "{}", bench.screen());
    bench.keys("enter");
    read(&mut bench, &mut runs);
    assert!(bench.screen().contains("no?m finds 1 of 2") && bench.screen().contains("norm"));
    // The focus stays on what was found.
    bench.keys("esc shift-tab");
    read(&mut bench, &mut runs);
    assert_eq!(bench.screen(), whole);
    for script in ["u U", "u shift-up shift-down 0", "X X", "E E", "Y Y", "y y", "+ -", "z u esc"] {
        bench.keys(script);
        read(&mut bench, &mut runs);
        assert_eq!(bench.screen(), whole, "{script}");
    }
    // Only this chart is logarithmic or not, and what is pinned comes first.
    bench.keys("y tab P");
    read(&mut bench, &mut runs);
    let screen = bench.screen();
    let titles = screen.lines().nth(2).unwrap();
    assert!(titles.find("norm") < titles.find("loss") && titles.contains("› norm"), "{screen}");
    assert!(!titles.contains("(log)") && screen.contains("pinned"), "{screen}");
    bench.keys("| | enter");
    assert!(bench.screen().contains("page 1 of 2"), "{}", bench.screen());
    bench.keys("i");
    assert!(bench.screen().contains("latest"), "{}", bench.screen());
}

#[test]
fn a_chart_that_few_runs_have_comes_after_the_others() {
    let rare = run("fit", "fit-6", 0)
        .with(|m, _| m.metrics.iter_mut().for_each(|m| m.headline = false))
        .series("a-rare-one", None, &curve(3.0, 1.0))
        .series("loss", None, &curve(3.0, 1.0));
    let mut specs = five();
    specs.push(rare);
    let (mut bench, _runs) = open(Bench::of(specs), &["fit-6", "fit-1", "fit-2", "fit-3"]);
    bench.keys("1");
    let screen = bench.screen();
    let titles =
        screen.lines().filter(|l| l.contains("loss") || l.contains("norm") || l.contains("a-rare-one"));
    let order: Vec<&str> = titles.collect();
    assert!(order[0].contains("› loss") && order[0].contains("norm"), "{screen}");
    assert!(order.last().unwrap().contains("a-rare-one"), "{screen}");
}

#[test]
fn actions_mean_the_run_under_the_cursor_or_all_of_the_group() {
    let (mut bench, mut runs) = bench();
    bench.keys("down down down down p");
    let acted =
        bench.take().into_iter().find_map(|e| if let Task::Act(_, ids) = e { Some(ids) } else { None });
    assert_eq!(acted.unwrap(), [bench.id("fit-5")]);
    bench.keys("up up up up b");
    read(&mut bench, &mut runs);
    bench.keys("O");
    assert!(bench.screen().contains("this is a group of runs"), "{}", bench.screen());
    bench.keys("B O");
    assert!(bench.take().iter().any(|e| matches!(e, Task::Watch(_))), "the run is opened");
}

#[test]
fn a_run_whose_rows_cannot_be_read_is_counted() {
    let bench = Bench::of(five());
    std::fs::write(bench.id("fit-1").dir().path().join("metrics/part-00001.parquet"), "no").unwrap();
    assert!(open(bench, &FIVE).0.screen().contains("1 damaged"));
}

#[test]
fn a_run_that_is_deleted_leaves_the_comparison() {
    let (mut bench, _runs) = bench();
    std::fs::remove_dir_all(bench.id("fit-2").dir().path()).unwrap();
    bench.read();
    let screen = bench.screen();
    assert!(
        screen.contains("4 runs of") && screen.contains("1 gone") && !screen.contains("fit-2"),
        "{screen}"
    );
    for name in ["fit-1", "fit-3", "fit-4", "fit-5"] {
        std::fs::remove_dir_all(bench.id(name).dir().path()).unwrap();
    }
    bench.read();
    assert!(bench.screen().contains("The compared runs no longer exist"), "{}", bench.screen());
    bench.keys("down left enter esc");
}

#[test]
fn hidden_lines_and_focus() {
    let (mut bench, _runs) = bench();
    bench.keys("space");
    let hidden = bench.screen();
    // Its row stays, without a mark.
    assert!(hidden.lines().any(|l| l.starts_with("›   fit-1")), "{hidden}");
    bench.keys("space f");
    assert!(!bench.screen().lines().any(|l| l.starts_with("›   fit-1")));
}

#[test]
fn several_experiments_show_what_they_share() {
    let points = curve(3.0, 1.0);
    let specs = vec![
        run("fit", "a", 1).series("loss", None, &points).series("norm", None, &points),
        run("label", "b", 2).series("loss", None, &points),
        run("label", "c", 3).series("error", None, &points),
    ];
    let (bench, _runs) = open(Bench::of(specs), &["a", "b", "c"]);
    let screen = bench.screen();
    assert!(
        screen.contains("2 experiments, the metrics they share") && screen.contains("  1 chart\n"),
        "{screen}"
    );
}

#[test]
fn of_runs_that_share_no_metric_it_says_what_each_has() {
    let points = [(0, 1.0), (1, 0.5)];
    let bare = |experiment, name, minutes, metric: &str| {
        let spec = run(experiment, name, minutes).series(metric, None, &points);
        spec.with(|m, _| m.metrics.clear())
    };
    let specs =
        vec![bare("fit", "a", 1, "loss"), bare("images", "b", 2, "accuracy"), bare("fit", "c", 3, "norm")];
    let mut apart = Bench::of(specs);
    apart.resize(40, 15);
    let (mut bench, _runs) = open(apart, &["a", "b"]);
    let screen = bench.screen();
    for words in
        ["have no metric in", "fit: loss", "images: accuracy", "runs of one experiment", "open a run: O"]
    {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    bench.resize(120, 36);
    let screen = bench.screen();
    assert!(!screen.contains("they share") && !screen.contains("no series in common"), "{screen}");
    let specs =
        || vec![bare("fit", "a", 1, "loss"), bare("fit", "c", 3, "norm"), bare("fit", "d", 4, "norm")];
    for (names, none) in [(&["a", "c"][..], true), (&["a", "c", "d"], false), (&["a"], false)] {
        let (bench, _runs) = open(Bench::of(specs()), names);
        let screen = bench.screen();
        assert_eq!(screen.contains("no series in common"), none, "{screen}");
    }
}

#[test]
fn experiments_whose_common_metric_has_no_common_series_say_so_first() {
    let split = |name: &str, experiment: &str, split: &str| {
        let key = SeriesKey { split: Some(split.to_owned()), ..SeriesKey::metric("loss") };
        run(experiment, name, 1).logged(key, &[(0, 1.0), (1, 0.5)])
    };
    for size in [(40, 15), (60, 24), (80, 24), (120, 36)] {
        let mut apart = Bench::of(vec![split("a", "fit", "train"), split("b", "images", "val")]);
        apart.resize(size.0, size.1);
        let (bench, _runs) = open(apart, &["a", "b"]);
        let screen = bench.screen();
        assert!(screen.contains("no series in common") && !screen.contains("they share"), "{screen}");
    }
}

#[test]
fn nothing_logged_yet() {
    let specs = vec![run("fit", "a", 1).at(State::Queued, 0), run("fit", "b", 2).at(State::Queued, 0)];
    let (bench, _runs) = open(Bench::of(specs), &["a", "b"]);
    assert!(bench.screen().contains("reading") || bench.screen().contains("nothing is recorded yet"));
}

#[test]
fn the_mouse_does_what_keys_do() {
    let (mut bench, _runs) = bench();
    let row = bench.screen().lines().position(|l| l.contains("fit-3") && l.contains("0.01")).unwrap();
    bench.click(8, row as u16);
    assert!(bench.screen().lines().any(|l| l.contains('›') && l.contains("fit-3")), "{}", bench.screen());
    // The second chart, then a position in it.
    bench.click(100, 3);
    bench.click(90, 8);
    assert!(bench.screen().contains("at cursor"), "{}", bench.screen());
    let mouse = |bench: &mut Bench, kind, column| {
        bench.send(Msg::Mouse(MouseEvent { kind, column, row: 8, modifiers: KeyModifiers::NONE }));
    };
    let drag = |bench: &mut Bench| {
        mouse(bench, MouseEventKind::Down(MouseButton::Left), 90);
        mouse(bench, MouseEventKind::Drag(MouseButton::Left), 80);
        mouse(bench, MouseEventKind::Up(MouseButton::Left), 80);
    };
    // Dragging moves the cursor; in a part of the axis, the window.
    let before = bench.screen();
    drag(&mut bench);
    let dragged = bench.screen();
    assert!(dragged != before && !dragged.contains("zoomed"), "{dragged}");
    bench.keys("esc");
    mouse(&mut bench, MouseEventKind::ScrollUp, 90);
    let zoomed = bench.screen();
    assert!(zoomed.contains("zoomed: 0 resets"), "{zoomed}");
    drag(&mut bench);
    assert!(bench.screen() != zoomed && !bench.screen().contains("at cursor"), "{}", bench.screen());
    bench.keys("0");
    bench.click(100, 2);
    assert!(bench.screen().contains("page 2 of 2"), "a click on its title enlarges it: {}", bench.screen());
}

#[test]
fn the_runs_that_an_experiment_gets_join_its_comparison_and_no_other() {
    let shows = |keys: &str, filter: &str| {
        let mut bench = Bench::of(five());
        if !filter.is_empty() {
            bench.keys("/");
            bench.type_text(filter);
            bench.keys("enter");
        }
        bench.keys(keys);
        bench.make(&spec("fit-6", 0, 0.1, 6));
        bench.make(&run("other", "another", 0));
        bench.read();
        let screen = bench.screen();
        assert!(screen.contains(" runs of fit") && !screen.contains("another"), "{screen}");
        (screen.contains("6 runs of fit"), screen.contains("fit-6"))
    };
    assert_eq!(shows("home c", ""), (true, true));
    // A chosen set of runs does not grow.
    assert_eq!(shows("home down space down space c", ""), (false, false));
    assert_eq!(shows("home c", "lr=0.01"), (false, false));
}

#[test]
fn cursors_and_order_stay_on_what_they_are_on_when_a_run_joins() {
    let points = curve(3.0, 1.0);
    let with = |name: &str, minutes, lr: f64, batch: i64| {
        run("fit", name, minutes)
            .with(|m, _| m.params.insert(0, ("batch".into(), ParamValue::Int(batch))))
            .param("lr", ParamValue::Float(lr))
            .series("loss", None, &points)
            .series("norm", None, &points)
    };
    let mut bench = Bench::of(vec![with("a", 3, 0.1, 8), with("b", 2, 0.2, 8)]);
    let ids = ["a", "b"].map(|name| bench.id(name)).into();
    bench.open(Open::Compare(ids, Some("fit".to_owned())));
    let mut runs = WatchedRuns::new();
    read(&mut bench, &mut runs);
    // Sorted by lr, descending. The cursor stays on the run that was first; the second chart has the focus.
    bench.keys("1 tab 2 s o");
    let seen = |bench: &Bench| {
        let screen = bench.screen();
        let cursor = screen.lines().any(|l| l.starts_with('›') && l.contains(" a "));
        (cursor, screen.contains("lr↑"))
    };
    assert_eq!(seen(&bench), (true, true), "{}", bench.screen());
    // A shared parameter now differs, which adds a column before.
    bench.make(&with("c", 1, 0.3, 16).series("a-first-one", None, &points));
    bench.read();
    read(&mut bench, &mut runs);
    assert!(bench.screen().contains("batch"), "{}", bench.screen());
    assert_eq!(seen(&bench), (true, true), "{}", bench.screen());
    bench.keys("1");
    read(&mut bench, &mut runs);
    assert!(bench.screen().contains("› norm"), "{}", bench.screen());
}

/// Also at the cursor and at every size, a row has its unit, and its mean if the heading says another.
#[test]
fn a_mean_or_unit_of_another_kind_than_most_is_in_its_row() {
    let of = |name: &str, log| {
        let trial = |spec: Spec, (trial, value): (i32, f64)| {
            let key = SeriesKey { trial: Some(trial), ..SeriesKey::metric("loss") };
            spec.logged(key, &[(0, value), (10, value)])
        };
        [(0, 0.1), (1, 1.0), (2, 10.0)].into_iter().fold(run("fit", name, 1), trial).with(|m, _| {
            m.metrics[0].log = log;
            m.metrics[0].unit = (!log).then(|| "ms".to_owned());
        })
    };
    let specs = || vec![of("a", true), of("b", true), of("c", false)];
    for (width, height) in SIZES.into_iter().filter(|(width, _)| *width >= 40) {
        let (mut bench, mut runs) = open(Bench::of(specs()), &["a", "b", "c"]);
        bench.resize(width, height);
        read(&mut bench, &mut runs);
        bench.keys("end");
        read(&mut bench, &mut runs);
        let screen = bench.screen();
        let row = screen.lines().rfind(|line| line.contains(" c ")).unwrap_or_default();
        assert!(row.contains("3.7") && row.contains(" ms mean"), "{width}x{height}: {screen}");
    }
}
