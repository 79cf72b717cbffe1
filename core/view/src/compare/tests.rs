#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use gradtop_store::{Average, Goal, ParamValue, SeriesKey, State};
use gradtop_tests::run_fixtures::{RunFixtures, Spec, run};

use super::table::{ComparisonTable, Sort, Statistic};
use super::*;
use crate::figure::chart::{build, evaluate_as};
use crate::figure::prepared::PreparedChart;
use crate::figure::view::Subject;
use crate::live::engine::WatchedRuns;
use crate::live::{SeriesFilter, WatchRequest};
use crate::run::headline;
use crate::runs::RunId;
use gradtop_chart::cells::theme::Theme;
use gradtop_chart::{Chart, Shape};

/// The runs, read as the engine reads them, in the order given.
fn runs(specs: impl IntoIterator<Item = Spec>, names: &[&str]) -> (RunFixtures, Vec<ComparedRun>) {
    let mut fixtures = RunFixtures::new();
    for spec in specs {
        fixtures.make(&spec);
    }
    let mut runs = WatchedRuns::new();
    let folders = gradtop_store::list_runs(fixtures.folder());
    let ids: Vec<_> =
        names.iter().map(|n| RunId::new(folders.iter().find(|run| run.name() == *n).unwrap())).collect();
    let all = |id: &RunId| WatchRequest { series: SeriesFilter::All, ..WatchRequest::of(id.clone(), false) };
    runs.watch(ids.iter().map(all).collect(), Instant::now());
    while runs.work(Instant::now(), Duration::from_secs(1)).next == Some(Duration::ZERO) {}
    let data = runs.snapshot();
    let run = |id: &RunId| {
        let view = gradtop_store::view(&id.dir()).unwrap();
        let row = Arc::new(RunRow { id: id.clone(), view, resume: Ok(()) });
        ComparedRun { row, data: Arc::clone(data.run(id).unwrap()) }
    };
    let all = ids.iter().map(run).collect();
    (fixtures, all)
}

fn lr(spec: Spec, lr: f64) -> Spec {
    spec.param("lr", ParamValue::Float(lr))
}

fn seed(spec: Spec, seed: u64) -> Spec {
    spec.with(|m, _| m.seed = Some(seed))
}

fn line(points: &[(i64, f64)]) -> Vec<(i64, f64)> {
    points.to_vec()
}

#[test]
fn what_differs_is_found_and_what_is_equal_left_out() {
    let specs = vec![lr(run("fit", "a", 1), 0.1), seed(lr(run("fit", "b", 2), 0.2), 9)];
    let (_bench, all) = runs(specs, &["a", "b"]);
    assert_eq!(differing(&all), ["lr", "seed"]);
    assert!(differing(&all[..1]).is_empty());
    assert_eq!(all[1].value("seed").as_deref(), Some("9"));
}

#[test]
fn runs_of_several_experiments_share_only_what_both_have() {
    let points = [(0, 1.0), (10, 0.5)];
    let specs = vec![
        run("fit", "a", 1).series("loss", None, &points).series("norm", None, &points),
        run("label", "b", 2).series("loss", None, &points).series("accuracy", None, &points),
    ];
    let (_bench, all) = runs(specs, &["a", "b"]);
    let titles = |s: &[ComparedRun]| facets(s, &[]).iter().map(Facet::title).collect::<Vec<_>>();
    assert_eq!(titles(&all), ["loss"]);
    assert_eq!(unshared(&all).into_iter().collect::<Vec<_>>(), ["accuracy", "norm"]);
    let named = ["norm".to_owned()];
    assert_eq!(facets(&all, &named).iter().map(Facet::title).collect::<Vec<_>>(), ["norm"]);
    let table = ComparisonTable::new(&all, &groups(&all, &GroupBy::Nothing), &named);
    assert_eq!((table.rows[0].values[0], table.rows[1].values[0]), (Some(0.5), None));
    assert_eq!(titles(&all[..1]), ["loss", "norm"], "the headline metric comes first");
    assert_eq!(differing(&all), ["experiment"]);
    let (_bench, apart) = runs(
        vec![
            run("fit", "a", 1).series("loss", None, &points),
            run("label", "b", 2).series("norm", None, &points),
        ],
        &["a", "b"],
    );
    assert!(facets(&apart, &[]).is_empty() && why_none(&apart).contains("no metric in common"));
    assert_eq!(metrics_by_experiment(&apart), ["fit: loss", "label: norm"]);
    assert_eq!(
        [none_shared(&apart, &facets(&apart, &[])), none_shared(&all, &facets(&all, &[]))],
        [true, false]
    );
    assert_eq!(why_none(&apart[..1]), "nothing was recorded");
    let measured = run("images", "c", 3).series("system/cpu", None, &points);
    let specs = vec![measured, run("live", "d", 4).at(State::Running, 5), run("text", "e", 5)];
    let (_bench, bare) = runs(specs, &["c", "d", "e"]);
    let words = ["images: only measurements of the system", "live: nothing yet", "text: nothing"];
    assert_eq!(metrics_by_experiment(&bare), words);
    assert_eq!(why_none(&bare[1..2]), "nothing is recorded yet");
}

#[test]
fn experiments_that_share_no_model_are_compared_by_metric() {
    let points = [(0, 1.0), (10, 0.5)];
    let specs = vec![
        run("fit", "a", 1).series("loss", Some("deep"), &points).series("norm", Some("deep"), &points),
        run("script", "b", 2).series("loss", None, &points).series("norm", None, &points),
        run("fit", "c", 3).series("norm", None, &points),
    ];
    let (_bench, all) = runs(specs, &["a", "b", "c"]);
    let titles = |s: &[ComparedRun]| facets(s, &[]).iter().map(Facet::title).collect::<Vec<_>>();
    assert_eq!(titles(&all[..2]), ["loss", "loss deep", "norm", "norm deep"]);
    let all_models = ["loss", "loss deep", "norm", "norm deep"];
    assert_eq!(titles(&all), all_models, "although both experiments have the norm of no model");
}

#[test]
fn charts_are_in_the_order_of_the_numbers_in_their_names() {
    let points = [(0, 1.0), (10, 0.5)];
    let mut spec = run("fit", "a", 1);
    for model in ["h=128", "h=12", "h=1"] {
        spec = spec.series("loss", Some(model), &points);
    }
    let (_bench, all) = runs(vec![spec], &["a"]);
    let titles: Vec<String> = facets(&all, &[]).iter().map(Facet::title).collect();
    assert_eq!(titles, ["loss h=1", "loss h=12", "loss h=128"]);
}

#[test]
fn what_one_of_two_runs_has_comes_after_what_both_have() {
    let points = [(0, 1.0), (10, 0.5)];
    let both = |name: &str, n| run("fit", name, n).series("loss", Some("shallow"), &points);
    let specs = [both("a", 1).series("loss", Some("deep"), &points), both("b", 2)];
    let (_bench, all) = runs(specs, &["a", "b"]);
    let titles: Vec<String> = facets(&all, &[]).iter().map(Facet::title).collect();
    assert_eq!(titles, ["loss shallow", "loss deep"]);
}

#[test]
fn many_parameters_come_after_the_values() {
    let first = |params: i64| {
        let with = |name, seconds, value: i64| {
            let spec = run("fit", name, seconds).series("loss", None, &[(0, 1.0), (10, 0.5)]);
            (0..params).fold(spec, |spec, n| spec.param(&format!("p{n}"), ParamValue::Int(value)))
        };
        let (_bench, all) = runs([with("a", 1, 1), with("b", 2, 2)], &["a", "b"]);
        let table = ComparisonTable::new(&all, &groups(&all, &GroupBy::Nothing), &[]);
        assert!(table.params.len() >= params as usize);
        table.sort_keys().next()
    };
    assert_eq!((first(1), first(4)), (Some(Sort::Param(0)), Some(Sort::Value(0))));
}

#[test]
fn groups_hold_the_runs_of_one_value_in_the_order_of_the_values() {
    let specs = vec![
        seed(lr(run("fit", "a", 1), 0.1), 1),
        seed(lr(run("fit", "b", 2), 0.02), 2),
        seed(lr(run("fit", "c", 3), 0.1), 3),
        seed(lr(run("fit", "d", 4), 0.02), 4),
    ];
    let (_bench, all) = runs(specs, &["a", "b", "c", "d"]);
    let by = GroupBy::all(&all);
    assert_eq!(by, [GroupBy::Nothing, GroupBy::AllButSeed, GroupBy::Key("lr".to_owned())]);
    for by in &by[1..] {
        let mut groups: Vec<(String, Vec<usize>)> =
            groups(&all, by).into_iter().map(|t| (t.name, t.members)).collect();
        if *by == GroupBy::AllButSeed {
            groups.sort();
        }
        assert_eq!(groups, [("lr 0.02".to_owned(), vec![1, 3]), ("lr 0.1".to_owned(), vec![0, 2])]);
    }
}

#[test]
fn runs_of_one_name_are_told_apart_by_their_experiments() {
    let of = |id: &str, name: &str, end| run(id, name, 1).series("loss", None, &line(&[(0, 2.0), (1, end)]));
    let (_bench, mut all) = runs([of("fit", "a", 1.0), of("label", "b", 0.5)], &["a", "b"]);
    let mut row = (*all[1].row).clone();
    row.view.manifest.run = "a".to_owned();
    all[1].row = Arc::new(row);
    let chart = built(&all, &GroupBy::Nothing, Align::Step).chart;
    let ends: Vec<_> = chart.marks.iter().map(|m| (m.name.clone().unwrap_or_default(), m.last)).collect();
    assert_eq!(ends, [("fit/a".to_owned(), Some(1.0)), ("label/a".to_owned(), Some(0.5))]);
}

#[test]
fn fifty_runs_can_be_told_apart_by_colour_and_marker() {
    let specs = (0..50).map(|i| run("fit", &format!("fit-{i}"), i));
    let names: Vec<String> = (0..50).map(|i| format!("fit-{i}")).collect();
    let (_bench, all) = runs(specs, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let looks: BTreeSet<String> =
        groups(&all, &GroupBy::Nothing).iter().map(|t| format!("{:?}", t.look)).collect();
    assert_eq!(looks.len(), 50);
}

#[test]
fn the_sheet_knows_last_best_and_least_and_which_is_better() {
    let specs = vec![
        run("fit", "a", 1).series("loss", None, &line(&[(0, 9.0), (1, 1.0), (2, 4.0)])),
        run("fit", "b", 2).series("loss", None, &line(&[(0, 9.0), (1, 2.0), (2, 3.0)])),
        run("fit", "c", 3).series("loss", None, &line(&[(0, f64::NAN)])),
        run("fit", "d", 4),
    ];
    let (_bench, all) = runs(specs, &["a", "b", "c", "d"]);
    let table = ComparisonTable::new(&all, &groups(&all, &GroupBy::Nothing), &[]);
    let columns: Vec<Statistic> = table.columns.iter().map(|c| c.statistic).collect();
    assert_eq!(columns, [Statistic::Last, Statistic::Best], "lower is better: the least is the best");
    let values: Vec<Vec<Option<f64>>> = table.rows.iter().map(|r| r.values.clone()).collect();
    assert_eq!(values[0], [Some(4.0), Some(1.0)]);
    assert_eq!(values[1], [Some(3.0), Some(2.0)]);
    assert!(values[2][0].unwrap().is_nan() && values[2][1].is_none());
    assert_eq!(values[3], [None, None]);
    let best: Vec<Vec<bool>> = table.rows.iter().map(|r| r.best.clone()).collect();
    assert_eq!(best, [[false, true], [true, false], [false, false], [false, false]]);
    // What has no value comes last, whichever way round.
    assert_eq!(table.sorted(Sort::Value(0), false), [1, 0, 2, 3]);
    assert_eq!(table.sorted(Sort::Value(0), true), [0, 1, 2, 3]);
}

#[test]
fn higher_is_better_where_the_metric_says_so() {
    let spec = |name: &str, last: f64| {
        run("fit", name, 1).with(|m, _| m.metrics[0].goal = Goal::Max).series(
            "loss",
            None,
            &line(&[(0, 0.9), (1, last)]),
        )
    };
    let least = |last: f64| {
        let (_bench, all) = runs(vec![spec("a", last)], &["a"]);
        ComparisonTable::new(&all, &groups(&all, &GroupBy::Nothing), &[]).rows[0].values[2]
    };
    assert_eq!([f64::NEG_INFINITY, f64::INFINITY].map(least), [Some(f64::NEG_INFINITY), Some(0.9)]);
    let (_bench, all) = runs(vec![spec("a", 0.5), spec("b", 0.7)], &["a", "b"]);
    let table = ComparisonTable::new(&all, &groups(&all, &GroupBy::Nothing), &[]);
    assert_eq!(
        table.columns.iter().map(|c| c.statistic).collect::<Vec<_>>(),
        [Statistic::Last, Statistic::Best, Statistic::Min]
    );
    assert_eq!(table.rows[0].values, [Some(0.5), Some(0.9), Some(0.5)]);
    assert_eq!(table.sorted(Sort::Value(0), false), [1, 0]);
    // Both reached the same best; the least is neither good nor bad.
    assert_eq!(table.rows[0].best, [false, true, false]);
}

#[test]
fn a_group_is_judged_by_the_mean_of_its_runs_and_the_best_of_any() {
    let specs = vec![
        seed(run("fit", "a", 1).series("loss", None, &line(&[(0, 3.0), (1, 1.0)])), 1),
        seed(run("fit", "b", 2).series("loss", None, &line(&[(0, 0.5), (1, 4.0)])), 2),
    ];
    let (_bench, all) = runs(specs, &["a", "b"]);
    let groups = groups(&all, &GroupBy::AllButSeed);
    let table = ComparisonTable::new(&all, &groups, &[]);
    assert_eq!((groups.len(), groups[0].name.as_str()), (1, "all runs"));
    assert_eq!(table.rows[0].values, [Some(2.0), Some(0.5)], "the geometric mean of a logarithmic metric");
    assert_eq!(table.rows[0].params, ["2 values"]);
    assert_eq!(table.rows[0].best, [false, false], "alone there is no best");
    // A run that diverged is worse than one with a number.
    let specs = vec![
        run("fit", "a", 1).series("loss", None, &line(&[(0, 3.0), (1, 1.0)])),
        run("fit", "b", 2).series("loss", None, &line(&[(0, 3.0), (1, f64::NAN)])),
    ];
    let (_bench, all) = runs(specs, &["a", "b"]);
    let table = ComparisonTable::new(&all, &super::groups(&all, &GroupBy::Nothing), &[]);
    assert_eq!([table.rows[0].best[0], table.rows[1].best[0]], [true, false]);
}

#[test]
fn long_values_are_cut_in_the_names_of_groups_which_stay_different() {
    let spec = |name: &str, at: u8, end: &str| {
        let note = ParamValue::Text("x".repeat(90) + end);
        seed(run("fit", name, i64::from(at)).param("note", note), u64::from(at))
    };
    let (_bench, all) = runs([spec("a", 1, "1"), spec("b", 2, "2"), spec("c", 3, "2")], &["a", "b", "c"]);
    let groups = groups(&all, &GroupBy::Key("note".to_owned()));
    assert_eq!(groups.iter().map(|group| group.members.len()).collect::<Vec<_>>(), [1, 2]);
    let name = |group: &super::RunGroup| (group.name.chars().count(), group.name.contains('…'));
    assert_eq!([name(&groups[0]), name(&groups[1])], [(29, true); 2], "{groups:?}");
}

fn built(all: &[ComparedRun], by: &GroupBy, align: Align) -> PreparedChart {
    let groups = groups(all, by);
    let figure = overlay::figure(all, &facets(all, &[])[0], align.native());
    let view = overlay::view(align, &groups, None);
    let sources = overlay::sources(all, &groups);
    build(&sources, Subject::Panel(&figure, 0), &view, (100, 20), Theme::default())
}

fn lines(chart: &Chart) -> Vec<(Vec<f64>, Vec<f64>)> {
    let line = |m: &gradtop_chart::Mark| match &m.shape {
        Shape::Line { x, y } if m.name.is_some() => Some((x.clone(), y.clone())),
        _ => None,
    };
    chart.marks.iter().filter_map(line).collect()
}

#[test]
fn a_mean_is_of_what_is_there_and_never_drawn_across_a_change_of_company() {
    // Both from 0 to 100, then only the second, far above the mean.
    let specs = vec![
        seed(run("fit", "a", 1).series("loss", None, &line(&[(0, 1.0), (100, 1.0)])), 1),
        seed(run("fit", "b", 2).series("loss", None, &line(&[(0, 4.0), (50, 4.0), (200, 4.0)])), 2),
    ];
    let (_bench, all) = runs(specs, &["a", "b"]);
    let chart = built(&all, &GroupBy::AllButSeed, Align::Step).chart;
    let [(x, y)] = lines(&chart).try_into().unwrap();
    for (x, y) in x.iter().zip(&y).filter(|(x, _)| x.is_finite()) {
        let wanted = if *x <= 101.0 { 2.0 } else { 4.0 };
        assert!((y - wanted).abs() < 1e-9, "{y} at {x}");
    }
    assert_eq!(x.iter().filter(|x| x.is_nan()).count(), 1, "the line is lifted where one run ends");
    let band = chart.marks.iter().find_map(|m| match &m.shape {
        Shape::Band { low, high, .. } => Some((low.clone(), high.clone())),
        _ => None,
    });
    let (low, high) = band.unwrap();
    assert!(low.iter().all(|v| v.is_nan() || *v == 1.0 || *v == 4.0) && high.contains(&4.0));
}

#[test]
fn runs_of_different_length_meet_on_a_share_of_the_run() {
    let specs = vec![
        run("fit", "a", 1).series("loss", None, &line(&[(0, 1.0), (100, 0.1)])),
        run("fit", "b", 2).series("loss", None, &line(&[(0, 1.0), (4000, 0.1)])),
    ];
    let (_bench, all) = runs(specs, &["a", "b"]);
    let chart = built(&all, &GroupBy::Nothing, Align::Fraction).chart;
    for (x, _) in lines(&chart) {
        let last = x.iter().copied().filter(|x| x.is_finite()).fold(0.0, f64::max);
        assert!((last - 1.0).abs() < 1e-9, "{last}");
    }
}

#[test]
fn an_axis_is_called_the_same_in_a_chart_and_above_it() {
    let (_bench, all) =
        runs(vec![run("fit", "a", 1).series("loss", None, &line(&[(0, 1.0), (9, 0.1)]))], &["a"]);
    let labels = Align::ALL.map(|align| built(&all, &GroupBy::Nothing, align).chart.x.label);
    assert_eq!(labels, Align::ALL.map(Align::word));
}

fn of_split(split: &str) -> SeriesKey {
    SeriesKey { split: Some(split.into()), ..SeriesKey::metric("loss") }
}

#[test]
fn a_chart_without_a_split_is_of_the_series_without_one() {
    let level = |v| [(0, v), (10, v)];
    let specs = vec![
        run("fit", "a", 1).series("loss", None, &level(7.0)),
        run("fit", "b", 2).logged(of_split("train"), &level(100.0)).logged(of_split("test"), &level(200.0)),
        run("fit", "c", 3).series("loss", None, &level(3.0)).series("loss", Some("deep"), &level(50.0)),
    ];
    let (_bench, all) = runs(specs, &["a", "b", "c"]);
    assert_eq!(facets(&all, &[])[0].title(), "loss");
    let chart = built(&all, &GroupBy::Nothing, Align::Step).chart;
    let last: Vec<f64> = lines(&chart).iter().map(|(_, y)| y[y.len() - 1]).collect();
    assert_eq!(last, [7.0, 3.0], "as the table says");
    let table = ComparisonTable::new(&all, &groups(&all, &GroupBy::Nothing), &[]);
    assert_eq!(table.rows.iter().map(|r| r.values[0]).collect::<Vec<_>>(), [Some(7.0), None, Some(3.0)]);
}

#[test]
fn a_heading_counts_what_is_averaged() {
    let nan = f64::NAN;
    let words = |ends: &[f64]| {
        let name = |i: usize| format!("r{i}");
        let spec = |(i, end): (usize, &f64)| {
            let points = [(0, 1.0), (1, *end)];
            seed(run("fit", &name(i), i as i64).series("loss", None, &points), i as u64)
        };
        let specs = ends.iter().enumerate().map(spec);
        let names: Vec<String> = (0..ends.len()).map(name).collect();
        let (_bench, all) = runs(specs, &names.iter().map(String::as_str).collect::<Vec<_>>());
        let table = ComparisonTable::new(&all, &groups(&all, &GroupBy::AllButSeed), &[]);
        let [last, best] = &table.columns[..] else { panic!("{:?}", table.columns) };
        [last.words(), last.short(), best.words(), best.short()]
    };
    let best = ["best, lowest of 2", "best, lowest"];
    let mean = ["last, geometric mean of 2", "last, geometric mean"];
    assert_eq!(words(&[0.5, 0.25]), [mean[0], mean[1], best[0], best[1]]);
    let finite = ["last, geometric mean of the 1 finite of 2", "last, geometric mean of finite"];
    assert_eq!(words(&[0.5, nan]), [finite[0], finite[1], best[0], best[1]]);
    assert_eq!(words(&[nan, nan]), [mean[0], mean[1], best[0], best[1]]);
    assert_eq!(words(&[0.5, 0.0])[0], "last, mean of 2", "there is no geometric mean of a zero");
}

#[test]
fn trials_have_one_mean_in_lists_and_comparisons_whatever_else_is_compared() {
    let of = |name: &str, trials: [f64; 2]| {
        let key = |trial| SeriesKey { trial: Some(trial), ..SeriesKey::metric("loss") };
        // What was below zero is long past.
        let points = |last| [(0, -1.0), (1, last)];
        run("fit", name, 1).logged(key(0), &points(trials[0])).logged(key(1), &points(trials[1]))
    };
    let (bench, all) = runs(vec![of("a", [4.0, 1.0]), of("b", [4.0, 0.0])], &["a", "b"]);
    let table = ComparisonTable::new(&all, &super::groups(&all, &GroupBy::Nothing), &[]);
    let of_table: Vec<_> = table.rows.iter().map(|row| row.values[0]).collect();
    let of_list: Vec<_> = all
        .iter()
        .map(|run| headline::all(&run.row.view)[0].line().map(|line| (line.value, line.average.word())))
        .collect();
    assert_eq!(of_list, [Some((2.0, "geometric mean")), Some((2.0, "mean"))]);
    assert_eq!(of_table, [Some(2.0), Some(2.0)]);
    assert_eq!(table.columns[0].words(), "last, geometric mean of 2");
    let others: Vec<_> = table.rows.iter().map(|row| table.other_average(row, 0)).collect();
    assert_eq!(others, [None, Some(Average::Mean)]);
    drop(bench);
}

/// A run of each declaration of its metric (logarithmic or not, each goal, two units or none, or no declaration at all) with
/// one and with three trials.
fn of_all_declarations() -> Vec<Spec> {
    let mut declarations = vec![None];
    for log in [false, true] {
        for goal in [Goal::None, Goal::Min, Goal::Max] {
            for unit in [None, Some("s".to_owned()), Some("ms".to_owned())] {
                declarations.push(Some((log, goal, unit)));
            }
        }
    }
    let spec = |(i, trials): (usize, i32)| {
        let name = format!("r{i}-{trials}");
        let mut spec = run("fit", &name, 1).with(|manifest, _| match &declarations[i] {
            None => manifest.metrics.clear(),
            Some((log, goal, unit)) => {
                (manifest.metrics[0].log, manifest.metrics[0].goal) = (*log, *goal);
                manifest.metrics[0].unit.clone_from(unit);
            }
        });
        for trial in 0..trials {
            let key = SeriesKey { trial: Some(trial), ..SeriesKey::metric("loss") };
            spec = spec.logged(key, &[(0, 1.0), (1, 10f64.powi(trial - i as i32 % 3))]);
        }
        spec
    };
    (0..declarations.len()).flat_map(|i| [(i, 1), (i, 3)]).map(spec).collect()
}

/// Whoever else is compared, a run has the mean that it declares, and it is named; what the others do not declare alike holds
/// for none of them.
#[test]
fn no_run_decides_for_another_what_its_metric_is() {
    let specs = of_all_declarations();
    let names: Vec<String> = specs.iter().map(|spec| spec.manifest.run.clone()).collect();
    let (_bench, all) = runs(specs, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let declared = |run: &ComparedRun| run.row.view.manifest.metric("loss").cloned().unwrap_or_default();
    let table = |runs: &[ComparedRun]| {
        ComparisonTable::new(runs, &groups(runs, &GroupBy::Nothing), &["loss".to_owned()])
    };
    for one in &all {
        let line = headline::all(&one.row.view)[0].line().unwrap();
        for other in all.iter().filter(|other| other.row.id != one.row.id) {
            let pair = [one.clone(), other.clone()];
            let (table, whole) = (table(&pair), table(&[other.clone(), one.clone()]));
            let (mine, last) = (&table.rows[0], &table.columns[0]);
            let said = (mine.averages[0], mine.values[0]);
            assert_eq!(said, (Some(line.average).filter(|_| line.trials > 1), Some(line.value)));
            let named = table.other_average(mine, 0).or(last.average.filter(|_| line.trials > 1));
            assert_eq!(named, mine.averages[0], "the heading or the row names it");
            let [a, b] = [declared(one), declared(other)];
            let (units, goals) =
                (a.unit != b.unit, a.goal != b.goal && ![a.goal, b.goal].contains(&Goal::None));
            assert_eq!(last.doubts.len(), usize::from(units) + usize::from(goals), "{:?}", last.doubts);
            assert_eq!(last.title() == "loss", last.doubts.is_empty());
            let has_best = table.rows.iter().any(|row| row.best[0]);
            assert_eq!(has_best, last.better != Goal::None && !units, "{a:?} {b:?}");
            assert!(!goals || last.better == Goal::None);
            assert_eq!((&last.doubts, last.better, &last.unit), {
                let turned = &whole.columns[0];
                (&turned.doubts, turned.better, &turned.unit)
            });
            let own_unit = table.other_unit(mine, 0).or(last.unit.as_deref());
            assert_eq!(own_unit, a.unit.as_deref());
            let groups = groups(&pair, &GroupBy::Nothing);
            let facet = &facets(&pair, &["loss".to_owned()])[0];
            let figure = overlay::figure(&pair, facet, XAxis::Step);
            let is_log = matches!(figure.panels[0].y.scale, gradtop_store::figures::Scale::Log);
            assert_eq!(is_log, a.log && b.log);
            let view = overlay::view(Align::Step, &groups, None);
            let sources = overlay::sources(&pair, &groups);
            let chart = build(&sources, Subject::Panel(&figure, 0), &view, (100, 20), Theme::default());
            let shown = chart.lines.iter().find(|line| line.name == groups[0].name).unwrap();
            assert_eq!(shown.last, mine.values[0], "the chart has the mean of the table");
            assert_eq!(chart.chart.y.unit.as_deref(), last.unit.as_deref());
            let own = a.unit.as_deref().filter(|_| units);
            let mark =
                chart.chart.marks.iter().find(|mark| mark.name.as_ref() == Some(&groups[0].name)).unwrap();
            assert_eq!((shown.unit.as_deref(), mark.unit.as_deref()), (own, own), "each value has its own");
            assert_eq!(chart.chart.notes.iter().any(|note| note.starts_with("units differ")), units);
            let together = RunGroup { name: "both".to_owned(), members: vec![0, 1], look: groups[0].look };
            let both = ComparisonTable::new(&pair, &[together], &["loss".to_owned()]).rows.remove(0);
            let mean = if a.log && b.log { Average::GeometricMean } else { Average::Mean };
            assert_eq!(both.averages[0], Some(mean).filter(|_| !units));
            assert_eq!(both.values[0].is_some(), !units, "values in different units have no mean");
        }
    }
}

#[test]
fn what_comes_after_the_steps_went_back_is_averaged_by_itself() {
    let twice = |one: f64, two: f64| [(0, one), (50, one), (100, one), (50, two), (100, two), (150, two)];
    let specs = vec![
        seed(run("fit", "a", 1).series("loss", None, &twice(1.0, 4.0)), 1),
        seed(run("fit", "b", 2).series("loss", None, &twice(4.0, 9.0)), 2),
    ];
    let (_bench, all) = runs(specs, &["a", "b"]);
    let chart = built(&all, &GroupBy::AllButSeed, Align::Step).chart;
    let [(x, y)] = lines(&chart).try_into().unwrap();
    let [first, second] = x.split(|x| x.is_nan()).collect::<Vec<_>>().try_into().unwrap();
    let ends = |x: &[f64]| (x[0].round(), x[x.len() - 1].round());
    assert_eq!((ends(first), ends(second)), ((0.0, 100.0), (50.0, 150.0)), "interrupted where they go back");
    let is = |ys: &[f64], wanted: f64| ys.iter().all(|y| (y - wanted).abs() < 1e-9);
    assert!(is(&y[..first.len()], 2.0) && is(&y[first.len() + 1..], 6.0), "{y:?}");
}

#[test]
fn a_figure_says_what_its_lines_are_the_mean_of() {
    let of = |name, by| seed(run("fit", name, 1).series("loss", None, &line(&[(0, 1.0), (100, 0.1)])), by);
    let (_bench, all) = runs(vec![of("a", 1), of("b", 2), of("c", 3)], &["a", "b", "c"]);
    let caption = |by| {
        let groups = groups(&all, &by);
        let figure = overlay::figure(&all, &facets(&all, &[])[0], XAxis::Step);
        evaluate_as(&figure, &overlay::sources(&all, &groups), &overlay::view(Align::Step, &groups, None))
            .caption
    };
    assert_eq!(caption(GroupBy::Nothing), None);
    let mean = "Lines: geometric mean of 3 runs; bands: from the lowest to the highest.";
    assert_eq!(caption(GroupBy::AllButSeed).as_deref(), Some(mean));
}

#[test]
fn a_chart_has_the_unit_that_its_runs_share_and_else_none() {
    let points = [(0, 1.0), (10, 0.5)];
    let spec = |name: &str, unit: Option<&str>, model: &str| {
        let unit = unit.map(str::to_owned);
        let set =
            |m: &mut gradtop_store::Manifest| m.metrics.iter_mut().for_each(|i| i.unit.clone_from(&unit));
        run(name, name, 1).with(|manifest, _| set(manifest)).series("loss", Some(model), &points)
    };
    let specs = vec![spec("a", Some("MSE"), "x"), spec("b", Some("nats"), "x"), spec("c", None, "y")];
    let (_bench, mut all) = runs(specs, &["a", "b", "c"]);
    let unit = |runs: &[ComparedRun], model: &str| {
        let facet = facets(runs, &[]).into_iter().find(|f| f.model.as_deref() == Some(model)).unwrap();
        overlay::figure(runs, &facet, XAxis::Step).panels[0].y.unit.clone()
    };
    assert_eq!(unit(&all[..1], "x").as_deref(), Some("MSE"));
    assert_eq!(unit(&all, "x"), None, "mean squared errors beside nats");
    assert_eq!(unit(&all, "y"), None, "c has none, and that of a is not its own");
    // Without times it has no place on a clock.
    all[1].data = Arc::new(RunData { series: timeless(&all[1].data), ..(*all[1].data).clone() });
    let facet = facets(&all, &[]).into_iter().find(|f| f.model.as_deref() == Some("x")).unwrap();
    let unit = |x| overlay::figure(&all, &facet, x).panels[0].y.unit.clone();
    assert_eq!((unit(XAxis::Step), unit(XAxis::Clock).as_deref()), (None, Some("MSE")));
}

#[test]
fn a_run_without_any_number_decides_neither_unit_nor_mean() {
    let of = |name, unit: &str, log, last: [f64; 2]| {
        let key = |trial| SeriesKey { trial: Some(trial), ..SeriesKey::metric("loss") };
        let declare = |info: &mut gradtop_store::MetricInfo| (info.unit, info.log) = (Some(unit.into()), log);
        let spec = run("fit", name, 1).with(|manifest, _| declare(&mut manifest.metrics[0]));
        spec.logged(key(0), &[(0, last[0])]).logged(key(1), &[(0, last[1])])
    };
    for (value, decides) in [(f64::NAN, false), (1.0, true)] {
        let specs = [of("a", "ms", true, [4.0, 1.0]), of("b", "s", false, [value; 2])];
        let (_bench, all) = runs(specs, &["a", "b"]);
        let each = groups(&all, &GroupBy::Nothing);
        let unit = Some("ms").filter(|_| !decides);
        let column = &ComparisonTable::new(&all, &each, &[]).columns[0];
        assert_eq!((column.doubts.is_empty(), column.unit.as_deref()), (!decides, unit));
        let together = RunGroup { name: "both".to_owned(), members: vec![0, 1], look: each[0].look };
        let both = ComparisonTable::new(&all, &[together], &[]).rows.remove(0);
        assert_eq!((both.values[0], both.units[0].as_deref()), (Some(2.0).filter(|_| !decides), unit));
        let figure = overlay::figure(&all, &facets(&all, &[])[0], XAxis::Step);
        let view = overlay::view(Align::Step, &each, None);
        let drawn = evaluate_as(&figure, &overlay::sources(&all, &each), &view);
        let chart = &drawn.charts[0];
        assert_eq!(chart.y.unit.as_deref(), unit);
        assert_eq!(
            chart.notes.iter().any(|note| note.starts_with("units differ")),
            decides,
            "{:?}",
            chart.notes
        );
        assert_eq!(drawn.caption.is_some_and(|said| said.contains("(mean: b)")), decides);
    }
}

fn timeless(data: &RunData) -> Vec<Arc<SeriesSnapshot>> {
    let timeless = |s: &Arc<SeriesSnapshot>| Arc::new(SeriesSnapshot { started_us: None, ..(**s).clone() });
    data.series.iter().map(timeless).collect()
}
