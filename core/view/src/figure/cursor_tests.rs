//! What a chart says of the values at its cursor.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use gradtop_chart::cells::theme::Theme;
use gradtop_chart::{Origin, Shape};
use gradtop_store::{MetricInfo, SeriesKey};

use super::chart::build;
use super::chart_tests::{built, curve, key, of_steps};
use super::prepared::{Cursor, CursorValue, Nearness};
use super::view::{ChartView, Source, Subject};
use crate::live::pyramid::Sample;
use crate::live::testing::{of_samples, run, series};
use crate::live::{RunData, SeriesSnapshot, XAxis};

#[test]
fn the_cursor_gives_every_line_its_value() {
    // Fewer steps than dots: at most one sample lies under the cursor.
    let of = |trial, rate| series(key("deep", Some(trial)), curve(rate, 60), 0.0);
    let data = run(vec![of(0, 1.0), of(1, 2.0)]);
    let view = ChartView { cursor: Some(20.0), ..ChartView::default() };
    let look = Theme::default();
    let built =
        build(&[Source { data: &data, label: None }], Subject::Metric("loss"), &view, (100, 24), look);
    let values: Vec<_> =
        data.series.iter().map(|s| s.at(XAxis::Step, 20.0, (19.9, 20.1)).unwrap().value).collect();
    for (line, pair) in built.lines.iter().zip(values.chunks(2)) {
        let CursorValue { shown: value, low, high, .. } = line.at_cursor.unwrap();
        assert!((value - f64::midpoint(pair[0], pair[1])).abs() < 1e-12);
        assert!(low <= value && value <= high);
    }
    // Smoothed: what is drawn, and the values themselves.
    let smooth = run(vec![series(key("deep", Some(0)), curve(1.0, 60), 0.9)]);
    let view = ChartView { smoothing: 0.9, ..view };
    let shown =
        build(&[Source { data: &smooth, label: None }], Subject::Metric("loss"), &view, (100, 24), look);
    let at = shown.lines[0].at_cursor.unwrap();
    assert_eq!(at.raw, smooth.series[0].at(XAxis::Step, 20.0, (19.9, 20.1)).unwrap().value);
    assert_eq!(Some(at.shown), smooth.series[0].smooth_at(XAxis::Step, 20.0, (19.9, 20.1)));
    assert!((at.raw - at.shown).abs() > 0.01, "{at:?}");
    let plot = built.plot.unwrap();
    let x = plot.moved(20.0, 1);
    assert!((plot.moved(x, -1) - 20.0).abs() < (plot.x.high - plot.x.low) / plot.dots as f64);
    assert_eq!(plot.x_at(plot.area.left), Some(plot.x.low));
    assert_eq!(plot.x_at(0), None);
}

#[test]
fn the_cursor_stands_on_what_was_logged_and_says_which_steps() {
    let data = run(vec![of_steps(None, &[(0, 1.0), (100, 2.0), (200, 4.0), (1000, 8.0)])]);
    let at = |x: f64| built(&data, &ChartView { cursor: Some(x), ..ChartView::default() }, 80);
    for (x, step, value) in [(120.0, 100, 2.0), (170.0, 200, 4.0), (650.0, 1000, 8.0), (2.0, 0, 1.0)] {
        let built = at(x);
        assert_eq!(built.cursor.map(|c| c.x), Some(f64::from(step)), "{x}");
        let cursor = built.lines[0].at_cursor.unwrap();
        let words = format!("step {step}");
        assert_eq!((cursor.raw, cursor.words()), (value, words.clone()));
        assert_eq!(
            Cursor::words(&built.lines),
            Some([&words, &words, &words, &step.to_string()].map(String::clone))
        );
    }
    // A key takes it to the next one, however far that is, and not beyond the last.
    assert_eq!((at(170.0).moved(170.0, 1), at(170.0).moved(170.0, -1)), (1000.0, 100.0));
    assert_eq!(at(1000.0).moved(1000.0, 1), 1000.0);
}

#[test]
fn several_values_at_the_cursor_are_said() {
    let values: Vec<(i64, f64)> = (0..2000).map(|i| (i * 10, (i as f64).sin())).collect();
    let data = run(vec![of_steps(None, &values)]);
    for (width, x) in [(40, 5000.0), (80, 12_345.0), (200, 19_990.0), (60, 0.0)] {
        let built = built(&data, &ChartView { cursor: Some(x), ..ChartView::default() }, width);
        let at = built.lines[0].at_cursor.unwrap();
        let (first, last) = at.steps;
        let there: Vec<f64> =
            values.iter().filter(|(s, _)| (first..=last).contains(s)).map(|(_, v)| *v).collect();
        assert_eq!(at.words(), format!("mean of {}, steps {first}–{last}", there.len()));
        assert!((at.raw - there.iter().sum::<f64>() / there.len() as f64).abs() < 1e-12);
        assert_eq!(Some(at.low), there.iter().copied().reduce(f64::min));
        assert!(first as f64 - 200.0 < x && x < last as f64 + 200.0, "{x} in {first} … {last}");
    }
    let of = |trial, last| of_steps(Some(trial), &[(0, 1.0), (100, f64::from(trial)), (200, last)]);
    let trials = run(vec![of(1, 5.0), of(2, f64::NAN), of(6, 7.0)]);
    let words = |x| {
        built(&trials, &ChartView { cursor: Some(x), ..ChartView::default() }, 80).lines[0].at_cursor.unwrap()
    };
    assert_eq!((words(90.0).words(), words(90.0).raw), ("mean of 3, step 100".to_owned(), 3.0));
    // One of them is not a number there.
    assert_eq!((words(199.0).words(), words(199.0).low), ("mean of 2 of 3, step 200".to_owned(), 5.0));
    // One has two values in the column: theirs is not the mean of all.
    let close = run(vec![
        of_steps(Some(1), &[(0, 1.0), (9999, 2.0), (10_000, 4.0)]),
        of_steps(Some(2), &[(0, 1.0), (10_000, 6.0)]),
    ]);
    let view = ChartView { cursor: Some(10_000.0), ..ChartView::default() };
    let at = built(&close, &view, 80).lines[0].at_cursor.unwrap();
    assert_eq!((at.raw, at.words()), (4.5, "mean of 2 series with 3 values, steps 9999–10000".to_owned()));
    let values: Vec<(i64, f64)> = (0..2000).map(|i| (i, if i < 1990 { 1.0 } else { f64::NAN })).collect();
    let data = run(vec![of_steps(None, &values)]);
    let built = built(&data, &ChartView { cursor: Some(1989.0), ..ChartView::default() }, 80);
    let at = built.lines[0].at_cursor.unwrap();
    assert_eq!((at.raw, at.n < at.all), (1.0, true));
    assert_eq!(at.words(), format!("mean of {} of {}, steps {}–{}", at.n, at.all, at.steps.0, at.steps.1));
}

/// However many values of a logarithmic metric are in a column, kept one by one or not: of one series, and of several.
#[test]
fn the_mean_of_a_logarithmic_metric_is_geometric_over_steps_as_over_trials() {
    let value = |trial: i32, step: i64| 10f64.powi(-6 * (step % 2) as i32 - trial);
    let info = MetricInfo { name: "loss".into(), log: true, ..MetricInfo::default() };
    for (trials, steps) in [(1, 1000), (3, 1000), (3, 30_000)] {
        let of = |trial| {
            let values: Vec<_> = (0..steps).map(|step| (step, value(trial, step))).collect();
            of_steps(Some(trial), &values)
        };
        let data = RunData { metrics: vec![info.clone()].into(), ..run((0..trials).map(of).collect()) };
        let view = ChartView { cursor: Some(steps as f64 / 2.0), ..ChartView::default() };
        let at = built(&data, &view, 80).lines[0].at_cursor.unwrap();
        let logs =
            (0..trials).flat_map(|trial| (at.steps.0..=at.steps.1).map(move |s| value(trial, s).log10()));
        let all: Vec<f64> = logs.collect();
        let mean = 10f64.powf(all.iter().sum::<f64>() / all.len() as f64);
        assert!((at.raw / mean - 1.0).abs() < 1e-9, "{at:?}: {mean}");
        let (first, last) = at.steps;
        assert_eq!(at.words(), format!("geometric mean of {}, steps {first}–{last}", all.len()));
    }
}

#[test]
fn lines_of_other_steps_say_theirs() {
    let of = |split: &str, steps: &[(i64, f64)]| {
        let series = Arc::unwrap_or_clone(of_steps(None, steps));
        let key = SeriesKey { split: Some(split.into()), ..SeriesKey::metric("loss") };
        Arc::new(SeriesSnapshot { key: Arc::new(key), ..series })
    };
    let train: Vec<(i64, f64)> = (0..50).map(|i| (i * 10, i as f64)).collect();
    let data = run(vec![of("test", &[(0, 9.0), (200, 8.0), (400, 7.0)]), of("train", &train)]);
    let built = built(&data, &ChartView { cursor: Some(130.0), ..ChartView::default() }, 200);
    let words: Vec<_> = built.lines.iter().map(|l| l.at_cursor.unwrap().words()).collect();
    assert_eq!(words, ["step 200", "step 130"]);
    assert_eq!(built.lines[1].at_cursor.unwrap().raw, 13.0);
    assert_eq!(
        Cursor::words(&built.lines),
        Some(["step 130", "step 130", "step 130", "130"].map(str::to_owned)),
        "of what lies there"
    );
}

#[test]
fn beyond_the_end_of_a_line_the_cursor_tells_its_own_step() {
    let long: Vec<(i64, f64)> = (0..=10).map(|i| (i * 100, i as f64)).collect();
    let ended = of_steps(Some(0), &long[..2]);
    let whole = of_steps(Some(1), &long);
    let view = ChartView { cursor: Some(1000.0), ..ChartView::default() };
    // Two lines.
    let named = |series: &Arc<SeriesSnapshot>, model: &str| {
        let key = SeriesKey { model: Some(model.into()), trial: None, ..SeriesKey::metric("loss") };
        Arc::new(SeriesSnapshot { key: Arc::new(key), ..SeriesSnapshot::clone(series) })
    };
    let both = built(&run(vec![named(&ended, "a"), named(&whole, "b")]), &view, 80);
    assert_eq!(both.chart.cursor.as_ref().unwrap().words, ["step 1000", "step 1000", "step 1000", "1000"]);
    let words: Vec<_> = both.lines.iter().map(|l| l.at_cursor.unwrap().words()).collect();
    assert_eq!(words, ["last, step 100", "step 1000"]);
    let shown: Vec<_> = both.chart.marks.iter().map(|mark| mark.last).collect();
    assert_eq!(shown, [None, Some(10.0)], "a has no value at the cursor");
    // Their mean.
    let mean = built(&run(vec![ended, whole]), &view, 80);
    assert_eq!(mean.lines[0].at_cursor.unwrap().words(), "1 of 2 series, step 1000");
}

#[test]
fn the_end_of_a_mean_is_the_same_in_its_legend_its_note_and_at_the_cursor() {
    let until = |n: i32| {
        let rows: Vec<(i64, f64)> = (0..=n).map(|step| (step.into(), f64::from(n + step))).collect();
        of_steps(Some(n), &rows)
    };
    let mut data = run(vec![until(78), until(79)]);
    let at = |cursor| ChartView { cursor, ..ChartView::default() };
    let end = built(&data, &at(None), 80);
    let cursor = built(&data, &at(Some(79.0)), 80).lines[0].at_cursor.unwrap();
    assert_eq!((end.lines[0].last, cursor.shown), (Some(158.0), 158.0));
    assert!(cursor.words().starts_with("1 of 2 series"), "{}", cursor.words());
    assert_eq!(
        end.chart.notes,
        ["loss: after step 78 some trials have ended; at its end the line shows 1 of 2"]
    );
    // Trials at work are never equally far.
    data.alive = true;
    let end = built(&data, &at(None), 80);
    assert_eq!((end.lines[0].last, end.chart.notes), (Some(157.0), Vec::new()));
}

#[test]
fn a_cursor_on_different_steps_tells_their_range() {
    let of = |model: &str, from: i64| {
        let values: Vec<(i64, f64)> = (0..2000).map(|i| (i * 10 + from, 1.0)).collect();
        let key = SeriesKey { model: Some(model.into()), ..SeriesKey::metric("loss") };
        Arc::new(SeriesSnapshot { key: Arc::new(key), ..SeriesSnapshot::clone(&of_steps(None, &values)) })
    };
    let view = ChartView { cursor: Some(10_000.0), ..ChartView::default() };
    let built = built(&run(vec![of("a", 0), of("b", 3)]), &view, 80);
    let steps = built.lines.iter().map(|l| l.at_cursor.unwrap().steps);
    let (first, last) = steps.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap();
    assert_eq!(
        Cursor::words(&built.lines),
        Some(["mean, steps ", "mean, steps ", "steps ", ""].map(|words| format!("{words}{first}–{last}")))
    );
}

/// A run of these seconds of the day with a row each, whose values are the seconds.
fn of_seconds(seconds: std::ops::RangeInclusive<i64>) -> RunData {
    let from = *seconds.start();
    let sample = |second: i64| Sample {
        step: second - from,
        epoch: f64::NAN,
        time_us: second * 1_000_000,
        value: second as f64,
    };
    let series = of_samples(SeriesKey::metric("loss"), seconds.map(sample), 0.0);
    let started_us = Some(from * 1_000_000);
    let series = SeriesSnapshot { started_us, ..Arc::unwrap_or_clone(series) };
    RunData { started_us, ..run(vec![Arc::new(series)]) }
}

#[test]
fn a_value_of_some_of_the_runs_of_a_group_says_of_how_many() {
    let [first, second, long] = [40, 20, 100].map(|end| of_seconds(0..=end));
    let source = |data, label| Source { data, label: Some(label) };
    let sources = [source(&first, "both"), source(&second, "both"), source(&long, "whole")];
    let steps = |cursor| {
        let view = ChartView { x: Some(XAxis::Time), cursor: Some(cursor), ..ChartView::default() };
        let built = build(&sources, Subject::Metric("loss"), &view, (80, 14), Theme::default());
        built.lines.iter().find(|line| line.name == "both").unwrap().at_cursor.unwrap().steps_text()
    };
    assert_eq!([10.0, 30.0, 90.0].map(steps), ["10", "30 (1 of 2)", "40 (last, 1 of 2)"]);
}

#[test]
fn before_a_run_began_it_has_no_value_and_after_its_end_its_last() {
    // Both short runs have their whole life within a column of dots.
    let (first, second, long) =
        (of_seconds(1000..=1040), of_seconds(30_000..=30_040), of_seconds(0..=40_000));
    let source = |data, label| Source { data, label: Some(label) };
    let sources = [source(&first, "first"), source(&second, "second"), source(&long, "whole")];
    let at = |x, share, cursor| {
        let view = ChartView { x: Some(x), relative: share, cursor: Some(cursor), ..ChartView::default() };
        let built = build(&sources, Subject::Metric("loss"), &view, (80, 14), Theme::default());
        ["first", "second"].map(|name| {
            let line = built.lines.iter().find(|line| line.name == name).unwrap();
            let titled = built.chart.marks.iter().find(|m| m.name.as_deref() == Some(name)).unwrap().last;
            assert_eq!(titled.is_some(), line.at_cursor.is_some_and(|at| at.nearness == Nearness::Here));
            line.at_cursor.map(|at| (at.raw, at.words(), at.steps_text()))
        })
    };
    let last = |value| Some((value, "last, step 40".to_owned(), "40 (last)".to_owned()));
    assert_eq!(at(XAxis::Clock, false, 20_000.0), [last(1040.0), None]);
    assert_eq!(at(XAxis::Clock, false, 500.0), [None, None]);
    let here = at(XAxis::Clock, false, 30_020.0);
    assert_eq!(here[0], last(1040.0));
    assert_eq!(here[1].as_ref().unwrap().1, "mean of 41, steps 0–40");
    assert_eq!(at(XAxis::Time, false, 20_000.0), [last(1040.0), last(30_040.0)]);
    // Both were to make a thousand steps.
    let stopped = |data: &RunData| RunData { last_step: Some(1000), ..data.clone() };
    let (first, second) = (stopped(&first), stopped(&second));
    let sources = [source(&first, "first"), source(&second, "second"), source(&long, "whole")];
    let view = ChartView { relative: true, cursor: Some(0.9), ..ChartView::default() };
    let built = build(&sources, Subject::Metric("loss"), &view, (80, 14), Theme::default());
    let words: Vec<_> = built.lines.iter().map(|line| line.at_cursor.unwrap().words()).collect();
    assert_eq!(words[..2], ["last, step 40", "last, step 40"]);
}

#[test]
fn a_step_that_a_float_is_not_is_kept() {
    let first = (1_i64 << 53) + 1;
    let data = run(vec![of_steps(None, &[0, 1, 2].map(|i| (first + i, 1.0)))]);
    let sources = [Source { data: &data, label: None }];
    let built = build(&sources, Subject::Metric("loss"), &ChartView::default(), (80, 14), Theme::default());
    let steps: Vec<_> = (0..3).map(|i| built.chart.marks[0].origin(i)).collect();
    assert_eq!(steps, [0, 1, 2].map(|i| Some(Origin::Step(first + i))));
}

/// A run that was suspended from outside has no event of that.
#[test]
fn in_a_silence_a_run_has_no_value() {
    let time = |step: i64| step * 100_000 + if step > 100 { 15_000_000 } else { 0 };
    let sample = |step| Sample { step, epoch: f64::NAN, time_us: time(step), value: step as f64 };
    let data = run(vec![of_samples(SeriesKey::metric("loss"), (0..300).map(sample), 0.0)]);
    let whole = of_seconds(0..=45);
    let source = |data, label| Source { data, label: Some(label) };
    let sources = [source(&data, "suspended"), source(&whole, "whole")];
    let at = |x, cursor, width| {
        let view = ChartView { x: Some(x), cursor: Some(cursor), ..ChartView::default() };
        let built = build(&sources, Subject::Metric("loss"), &view, (width, 14), Theme::default());
        let Shape::Line { x, .. } = &built.chart.marks[0].shape else { panic!("a line") };
        (built.lines[0].at_cursor.map(|at| at.raw), x.iter().filter(|x| x.is_nan()).count())
    };
    // With a column for each sample, and with many in each.
    for width in [400, 80, 40] {
        assert_eq!(at(XAxis::Time, 17.0, width), (None, 1), "{width}");
        assert_eq!(at(XAxis::Step, 20.0, width).1, 0, "{width}: steps have no gap");
        assert!(at(XAxis::Time, 9.0, width).0.is_some_and(|value| (value - 90.0).abs() < 10.0), "{width}");
    }
}

#[test]
fn in_a_pause_a_run_has_no_value() {
    let seconds = (0..=40).filter(|second| !(11..30).contains(second));
    let sample =
        |second| Sample { step: second, epoch: f64::NAN, time_us: second * 1_000_000, value: second as f64 };
    let mut paused =
        run(vec![of_samples(SeriesKey::metric("loss"), seconds.map(sample).collect::<Vec<_>>(), 0.0)]);
    paused.pauses = Arc::new(vec![(10_500_000, 29_500_000)]);
    let whole = of_seconds(0..=40);
    let source = |data, label| Source { data, label: Some(label) };
    let sources = [source(&paused, "paused"), source(&whole, "whole")];
    let at = |x, cursor| {
        let view = ChartView { x: Some(x), cursor: Some(cursor), ..ChartView::default() };
        let built = build(&sources, Subject::Metric("loss"), &view, (80, 14), Theme::default());
        built.lines.iter().map(|line| line.at_cursor.map(|at| at.raw)).collect::<Vec<_>>()
    };
    assert_eq!(at(XAxis::Time, 20.0), [None, Some(20.0)]);
    assert_eq!(at(XAxis::Time, 35.0), [Some(35.0), Some(35.0)]);
    assert_eq!(at(XAxis::Step, 20.0), [Some(10.0), Some(20.0)]);
}
