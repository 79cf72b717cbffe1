//! Charts of live data, as they stand on the screen.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use gradtop_store::{ColumnData, SeriesKey, Table};
use insta::assert_snapshot;

use super::chart::{build, evaluate_as, y_range};
use super::metric_figure;
use super::prepared::PreparedChart;
use super::view::{ChartView, Source, Subject};
use crate::live::pyramid::Sample;
use crate::live::testing::{of_samples, run, series};
use crate::live::{RunData, SeriesSnapshot, XAxis};
use gradtop_chart::cells::glyphs::Glyphs;
use gradtop_chart::cells::{chart, text::plain, theme::Theme};
use gradtop_chart::colour::Colours;
use gradtop_chart::domain::Domain;
use gradtop_chart::{Mark, RulePosition, Shape};

fn drawn(data: &RunData, metric: &str, view: &ChartView, size: (usize, usize), glyphs: Glyphs) -> String {
    let colours = if glyphs == Glyphs::Braille { Colours::True } else { Colours::None };
    let look = Theme { glyphs, colours, ..Theme::default() };
    let built = build(&[Source { data, label: None }], Subject::Metric(metric), view, size, look);
    plain(&chart(&built.chart, size, look, look.bold()))
}

pub(super) fn key(model: &str, trial: Option<i32>) -> SeriesKey {
    SeriesKey { model: Some(model.into()), trial, ..SeriesKey::metric("loss") }
}

pub(super) fn curve(rate: f64, n: usize) -> impl Iterator<Item = f64> {
    (0..n).map(move |i| (-rate * i as f64 / 100.0).exp() * (1.0 + 0.3 * (i as f64 * 1.7).sin()))
}

/// Three models, two trials each; one trial diverges.
fn models() -> RunData {
    let mut all = Vec::new();
    for (model, rate) in [("deep", 3.0), ("middle", 2.0), ("shallow", 1.0)] {
        for trial in 0..2 {
            let values = curve(rate + f64::from(trial) * 0.2, 400);
            let values = values
                .enumerate()
                .map(|(i, v)| if model == "middle" && trial == 1 && i > 300 { f64::NAN } else { v });
            all.push(series(key(model, Some(trial)), values.collect::<Vec<_>>(), 0.0));
        }
    }
    run(all)
}

#[test]
fn means_and_bands_of_models() {
    let view = ChartView { log_y: Some(true), ..ChartView::default() };
    assert_snapshot!("models_100x24", drawn(&models(), "loss", &view, (100, 24), Glyphs::Braille));
    assert_snapshot!("models_50x14", drawn(&models(), "loss", &view, (50, 14), Glyphs::Braille));
    assert_snapshot!("models_ascii_60x14", drawn(&models(), "loss", &view, (60, 14), Glyphs::Ascii));
    assert_snapshot!("models_small_26x7", drawn(&models(), "loss", &view, (26, 7), Glyphs::Braille));
}

#[test]
fn lines_are_in_the_order_of_the_numbers_in_their_names() {
    let of = |model| series(key(model, None), curve(1.0, 9), 0.0);
    let data = run(["B=1024", "B=16", "B=128"].map(of).into());
    let look = Theme::default();
    let sources = [Source { data: &data, label: None }];
    let built = build(&sources, Subject::Metric("loss"), &ChartView::default(), (60, 14), look);
    let names: Vec<&str> = built.lines.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["B=16", "B=128", "B=1024"]);
}

#[test]
fn the_only_value_of_a_metric_is_seen() {
    let data = run(vec![series(SeriesKey::metric("loss"), [0.1], 0.0)]);
    let screen = drawn(&data, "loss", &ChartView::default(), (60, 14), Glyphs::Braille);
    let marked = |line: &str| (0..8).any(|n| line.contains(gradtop_chart::colour::marker(n, false)));
    assert!(screen.lines().any(|line| line.contains('┤') && marked(line)), "{screen}");
}

#[test]
fn the_name_of_an_axis_is_beside_the_marks_on_it() {
    let values = (0..100).map(|i| if i > 97 { f64::INFINITY } else { f64::from(i) });
    let data = run(vec![series(SeriesKey::metric("loss"), values, 0.0)]);
    let screen = drawn(&data, "loss", &ChartView::default(), (70, 12), Glyphs::Braille);
    let axis = screen.lines().find(|line| line.contains('↑')).unwrap();
    assert!(axis.contains(" step") && axis.ends_with('↑'), "{screen}");
}

#[test]
fn smoothing_stands_before_the_raw_values() {
    let noisy = (0..600).map(|i| 1.0 + (f64::from(i) * 2.399).sin() + f64::from(i) / 300.0);
    let data = run(vec![series(SeriesKey::metric("loss"), noisy, 0.95)]);
    let view = ChartView { smoothing: 0.95, cursor: Some(300.0), ..ChartView::default() };
    assert_snapshot!("smooth_80x16", drawn(&data, "loss", &view, (80, 16), Glyphs::Braille));
}

#[test]
fn what_is_not_finite_is_marked_and_a_pause_is_a_gap_in_time_only() {
    let odd = (0..100).map(|i| match i {
        20..25 => f64::NAN,
        60 => f64::INFINITY,
        i => f64::from(i),
    });
    let data = run(vec![series(SeriesKey::metric("loss"), odd, 0.0)]);
    assert_snapshot!("odd_70x12", drawn(&data, "loss", &ChartView::default(), (70, 12), Glyphs::Braille));
    let samples = (0..100).map(|i| Sample {
        step: i,
        epoch: f64::NAN,
        time_us: (i + if i >= 50 { 100 } else { 0 }) * 1_000_000,
        value: i as f64,
    });
    let mut data = run(vec![of_samples(SeriesKey::metric("loss"), samples, 0.0)]);
    data.pauses = Arc::new(vec![(50_000_000, 149_000_000)]);
    let view = |x| ChartView { x: Some(x), ..ChartView::default() };
    assert_snapshot!("pause_time_70x12", drawn(&data, "loss", &view(XAxis::Time), (70, 12), Glyphs::Braille));
    let trial = |n: i32| {
        let key = SeriesKey { trial: Some(n), ..SeriesKey::metric("loss") };
        of_samples(
            key,
            (0..100).map(|i| Sample {
                step: i,
                epoch: f64::NAN,
                time_us: (i + if i >= 50 { 100 } else { 0 }) * 1_000_000,
                value: i as f64 * (1.0 + 0.2 * f64::from(n)),
            }),
            0.0,
        )
    };
    let mut several = run(vec![trial(0), trial(1)]);
    several.pauses = data.pauses.clone();
    assert_snapshot!(
        "pause_time_of_trials_70x12",
        drawn(&several, "loss", &view(XAxis::Time), (70, 12), Glyphs::Braille)
    );
    assert_snapshot!("pause_step_70x12", drawn(&data, "loss", &view(XAxis::Step), (70, 12), Glyphs::Braille));
}

#[test]
fn a_pause_is_a_gap_wherever_in_a_column_it_begins_and_ends() {
    // Many more samples than dots, and what was logged last lies just before the pause.
    for at in 300..330 {
        let pause = (at * 200_000 + 600, at * 200_000 + 23_000_000);
        let samples = (0..600).map(|i| Sample {
            step: i,
            epoch: f64::NAN,
            time_us: i * 200_000 + if i > at { 22_900_000 } else { 0 },
            value: i as f64,
        });
        let mut data = run(vec![of_samples(SeriesKey::metric("loss"), samples, 0.0)]);
        data.pauses = Arc::new(vec![pause]);
        let view = ChartView { x: Some(XAxis::Time), ..ChartView::default() };
        let source = [Source { data: &data, label: None }];
        let built = build(&source, Subject::Metric("loss"), &view, (70, 12), Theme::default());
        let Shape::Line { x, .. } = &built.chart.marks[0].shape else { panic!("a line") };
        let long = x.windows(2).filter(|pair| pair[1] - pair[0] > 15.0).count();
        assert_eq!(long, 0, "joined across the pause after sample {at}");
        assert_eq!(x.iter().filter(|x| x.is_nan()).count(), 1, "one for the pause");
    }
}

#[test]
fn a_window_shows_what_lies_in_it() {
    let data = run(vec![series(SeriesKey::metric("loss"), curve(1.0, 1000), 0.0)]);
    let view = ChartView { zoom_x: Some((100.0, 120.0)), ..ChartView::default() };
    assert_snapshot!("window_70x12", drawn(&data, "loss", &view, (70, 12), Glyphs::Braille));
}

/// A series of these steps and values.
pub(super) fn of_steps(trial: Option<i32>, steps: &[(i64, f64)]) -> Arc<SeriesSnapshot> {
    let sample =
        |(step, value): &(i64, f64)| Sample { step: *step, epoch: f64::NAN, time_us: *step, value: *value };
    of_samples(SeriesKey { trial, ..SeriesKey::metric("loss") }, steps.iter().map(sample), 0.0)
}

pub(super) fn built(data: &RunData, view: &ChartView, width: usize) -> PreparedChart {
    let look = Theme::default();
    build(&Source::of(data), Subject::Metric("loss"), view, (width, 14), look)
}

#[test]
fn the_latest_of_what_has_diverged_is_no_average_of_what_came_before() {
    let values = || (0..200).map(|i| if i < 150 { 1.0 } else { f64::NAN });
    let diverged = series(SeriesKey::metric("loss"), values(), 0.9);
    let well = |trial| {
        let key = SeriesKey { trial: Some(trial), ..SeriesKey::metric("loss") };
        series(key, if trial == 0 { values().collect() } else { vec![3.0; 200] }, 0.9)
    };
    let view = ChartView { smoothing: 0.9, ..ChartView::default() };
    let last = |of| built(&run(of), &view, 80).lines[0].last.unwrap();
    assert!(last(vec![diverged]).is_nan());
    assert!((last(vec![well(0), well(1)]) - 3.0).abs() < 1e-12, "of the other trial alone");
}

#[test]
fn what_passes_through_a_window_is_drawn_and_in_its_range() {
    let data = run(vec![of_steps(None, &[(0, 0.0), (100, 10.0), (200, 20.0), (300, 0.0)])]);
    let line = |from: f64, to: f64| {
        let built = built(&data, &ChartView { zoom_x: Some((from, to)), ..ChartView::default() }, 80);
        let mark = built.chart.marks.last().unwrap();
        let Shape::Line { x, y } = &mark.shape else { panic!("a line") };
        let points: Vec<(f64, f64)> =
            x.iter().copied().zip(y.iter().copied()).filter(|(x, _)| !x.is_nan()).collect();
        // What was not recorded is known as such.
        let crossings: Vec<f64> = mark.origins.iter().map(|(i, _)| x[*i]).collect();
        let other = points.iter().map(|(x, _)| *x).filter(|x| x % 100.0 != 0.0);
        assert_eq!(crossings, other.collect::<Vec<f64>>());
        let y = built.plot.unwrap().y;
        assert!(points.iter().all(|(_, v)| y.low <= *v && *v <= y.high), "{points:?} in {y:?}");
        points
    };
    // No sample inside, one inside, and the highest just outside.
    assert_eq!(line(110.0, 130.0), [(110.0, 11.0), (130.0, 13.0)]);
    assert_eq!(line(50.0, 130.0), [(50.0, 5.0), (100.0, 10.0), (130.0, 13.0)]);
    assert_eq!(line(50.0, 199.0), [(50.0, 5.0), (100.0, 10.0), (199.0, 19.9)]);
    assert_eq!(line(110.0, 110.001).len(), 2);
}

#[test]
fn axes_grow_in_jumps_while_a_run_lives() {
    let mut ends = Vec::new();
    for n in 100..400 {
        let mut data = run(vec![series(SeriesKey::metric("loss"), curve(1.0, n), 0.0)]);
        data.alive = true;
        let look = Theme::default();
        let sources = [Source { data: &data, label: None }];
        let built = build(&sources, Subject::Metric("loss"), &ChartView::default(), (60, 12), look);
        ends.push(built.plot.unwrap().x.high);
        assert!(*ends.last().unwrap() >= (n - 1) as f64);
    }
    ends.dedup();
    assert!(ends.len() <= 8, "{ends:?}");
}

#[test]
fn outliers_stick_out_if_asked_and_axes_can_be_shared() {
    let spiky = (0..1000).map(|i| if i == 500 { 1e6 } else { f64::from(i % 7) });
    let data = run(vec![series(SeriesKey::metric("loss"), spiky, 0.0)]);
    let sources = [Source { data: &data, label: None }];
    let of = |clip| y_range(&sources, Subject::Metric("loss"), &ChartView { clip, ..ChartView::default() });
    assert_eq!(of(false), Some((0.0, 1e6)));
    assert_eq!(of(true), Some((0.0, 6.0)));
}

#[test]
fn nothing_yet_and_no_room_are_said() {
    let empty = RunData::default();
    let text = drawn(&empty, "loss", &ChartView::default(), (50, 10), Glyphs::Braille);
    assert!(text.contains("no points of loss yet"), "{text}");
    let text = drawn(&models(), "loss", &ChartView::default(), (12, 4), Glyphs::Ascii);
    assert!(text.contains("4.205e-6"), "the latest values: {text}");
}

#[test]
fn an_empty_chart_says_why_and_has_no_axes() {
    let looked = |data: &RunData, view: &ChartView| drawn(data, "loss", view, (60, 12), Glyphs::Ascii);
    let empty = |text: &str| !text.contains('+') && !text.contains("0.5");
    let data = run(vec![of_steps(None, &[(0, 1.0), (10, 2.0)])]);
    let epoch = looked(&data, &ChartView { x: Some(XAxis::Epoch), ..ChartView::default() });
    assert!(epoch.contains("nothing here was logged with an epoch") && empty(&epoch), "{epoch}");
    let hidden = looked(&data, &ChartView { hidden: ["loss".to_owned()].into(), ..ChartView::default() });
    assert!(hidden.contains("everything here is hidden") && empty(&hidden), "{hidden}");
    // A line of reference alone shows nothing.
    let toml = "id = 'f'\ntitle = 'F'\n[[panel]]\n[[panel.mark]]\ntype = 'rule'\ny = 1.5\n[[panel.mark]]\ntype = 'line'\n\
                metric = 'loss'";
    let figure = toml::from_str(toml).unwrap();
    let view = ChartView { hidden: ["loss".to_owned()].into(), ..ChartView::default() };
    let sources = [Source { data: &data, label: None }];
    let notes = build(&sources, Subject::Panel(&figure, 0), &view, (60, 12), Theme::default()).chart.notes;
    assert_eq!(notes, ["everything here is hidden"]);
    let mut reading = run(vec![of_steps(None, &[(0, 1.0)])]);
    reading.series.clear();
    let reading = looked(&reading, &ChartView::default());
    assert!(reading.contains("reading loss") && empty(&reading), "{reading}");
    // What is no number has a place on x, and is counted; no values are made up for y.
    let nan =
        looked(&run(vec![of_steps(None, &[(0, f64::NAN), (10, f64::INFINITY)])]), &ChartView::default());
    assert!(nan.contains("x not a number, ^ +infinite: 2 of 2 values") && !nan.contains("0.5"), "{nan}");
}

#[test]
fn of_a_part_of_the_axis_its_own_values_are_counted() {
    let values: Vec<(i64, f64)> =
        (0..40).map(|i| (i, if i % 4 == 0 { f64::NAN } else { i as f64 - 20.0 })).collect();
    let data = run(vec![of_steps(None, &values)]);
    let counted = |zoom_x| {
        let view = ChartView { zoom_x, ..ChartView::default() };
        let counted = built(&data, &view, 60).chart.marks[0].counted.unwrap();
        (counted.all, counted.non_finite, counted.not_positive)
    };
    assert_eq!(counted(None), (40, 10, Some(15)));
    assert_eq!(counted(Some((0.0, 10.0))), (11, 3, Some(8)));
}

#[test]
fn more_lines_than_markers_are_said_to_share_them() {
    let notes = |lines: usize| {
        let of = |n: usize| SeriesKey { model: Some(n.to_string()), ..SeriesKey::metric("loss") };
        let one = |n: usize| Sample { step: 0, epoch: 0.0, time_us: 0, value: n as f64 };
        let data = run((0..lines).map(|n| of_samples(of(n), std::iter::once(one(n)), 0.0)).collect());
        built(&data, &ChartView::default(), 60).chart.notes
    };
    assert_eq!(notes(58), [""; 0]);
    assert_eq!(notes(60), ["60 lines have 58 markers: some share one"]);
}

#[test]
fn a_line_without_a_place_on_the_axis_is_neither_in_the_legend_nor_in_the_range() {
    let samples = |epoch: f64, scale: f64| {
        (0..10).map(move |i| Sample {
            step: i,
            epoch: epoch * i as f64,
            time_us: i * 1_000_000,
            value: scale,
        })
    };
    let of = |split: &str| SeriesKey { split: Some(split.into()), ..SeriesKey::metric("loss") };
    let placed = of_samples(of("val"), samples(1.0, 1.0), 0.0);
    let data = run(vec![of_samples(of("train"), samples(f64::NAN, 50.0), 0.0), placed]);
    let view = ChartView { x: Some(XAxis::Epoch), ..ChartView::default() };
    let chart = built(&data, &view, 60);
    assert_eq!(chart.lines.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(), ["val"]);
    assert_eq!(chart.chart.notes, ["train was logged without an epoch and is left out"]);
    let page = evaluate_as(
        &metric_figure("loss", gradtop_store::Declared::default(), "epoch"),
        &Source::of(&data),
        &view,
    );
    assert!(Domain::of(&page.charts[0]).y.high < 50.0, "{:?}", page.charts[0]);
}

#[test]
fn a_constant_is_read_as_itself_whatever_its_size() {
    for (value, low, high) in [
        (3e-5, "2e-5", "4e-5"),
        (-7.0, "-10", "-4"),
        (0.0, "0", "1.0"),
        (1e-310, "e-31", "e-31"),
        (1e300, "e300", "e300"),
    ] {
        let data = run(vec![of_steps(None, &[(0, value), (10, value)])]);
        let built = built(&data, &ChartView::default(), 60);
        let y = built.plot.unwrap().y;
        assert!(y.low <= value && value <= y.high && y.low < y.high, "{value}: {y:?}");
        assert!(
            (y.high - y.low) <= 3.0 * value.abs().max(f64::MIN_POSITIVE) || value == 0.0,
            "{value}: {y:?}"
        );
        let text = drawn(&data, "loss", &ChartView::default(), (60, 14), Glyphs::Ascii);
        assert!(text.contains(low) && text.contains(high), "{value}: {text}");
    }
    let step = built(&run(vec![of_steps(None, &[(0, 1.0)])]), &ChartView::default(), 60).plot.unwrap().x;
    assert_eq!((step.low, step.high), (0.0, 1.0));
    // A small change far from zero is seen, and its ticks differ.
    let far: Vec<(i64, f64)> = (0..50).map(|i| (i, 1e9 + (i as f64 / 5.0).sin())).collect();
    let text =
        drawn(&run(vec![of_steps(None, &far)]), "loss", &ChartView::default(), (60, 14), Glyphs::Ascii);
    let ticks: Vec<&str> =
        text.lines().filter_map(|l| l.split_once(" +").map(|(label, _)| label.trim())).collect();
    let distinct: std::collections::BTreeSet<_> = ticks.iter().collect();
    assert!(ticks.len() >= 3 && distinct.len() == ticks.len(), "{text}");
}

#[test]
fn a_share_of_the_run_is_the_same_for_all_its_series_and_where_it_was_resumed() {
    let split = |split: &str| SeriesKey { split: Some(split.into()), ..SeriesKey::metric("loss") };
    let at = |step| Sample { step, epoch: f64::NAN, time_us: 0, value: 1.0 };
    let train = of_samples(split("train"), [0, 50, 150].map(at), 0.0);
    let val = of_samples(split("val"), [0, 100].map(at), 0.0);
    let resumes = Arc::new(vec![(50, 0)]);
    let data = RunData { resumes, last_step: Some(200), ..run(vec![train, val]) };
    let view = ChartView { x: Some(XAxis::Step), relative: true, ..ChartView::default() };
    let figure = super::metric_figure("loss", gradtop_store::Declared::default(), "step");
    let chart = super::chart::evaluate_as(&figure, &Source::of(&data), &view).charts.remove(0);
    let place = |mark: &Mark| match &mark.shape {
        Shape::Line { x, .. } => x.clone(),
        Shape::Rule { at: RulePosition::X(x) } => vec![*x],
        other => panic!("{other:?}"),
    };
    let places: Vec<_> = chart.marks.iter().map(place).collect();
    assert_eq!(places, [vec![0.25], vec![0.0, 0.25, 0.75], vec![0.0, 0.5]]);
    assert_eq!(chart.marks[0].name.as_deref(), Some("resumed"));
}

#[test]
fn an_axis_shows_what_lines_and_points_reach_and_nothing_without_a_value() {
    let toml = "id = 'f'\ntitle = 'F'\n[[panel]]\n[[panel.mark]]\ntype = 'line'\nmetric = 'loss'\n\
                [[panel.mark]]\ntype = 'scatter'\ntable = 't'\nxcol = 'x'\nycol = 'y'";
    let figure: gradtop_store::figures::Figure = toml::from_str(toml).unwrap();
    let axis = |line: f64, point: f64| {
        let mut data = run(vec![series(SeriesKey::metric("loss"), [line; 3], 0.0)]);
        let column = |name: &str, value| (name.to_owned(), None, ColumnData::F64(vec![value; 2]));
        let table = Table { columns: vec![column("x", 1.0), column("y", point)], ..Table::default() };
        data.tables.insert("t".into(), Arc::new(Ok(table)));
        let sources = Source::of(&data);
        let view = ChartView::default();
        let built = build(&sources, Subject::Panel(&figure, 0), &view, (60, 14), Theme::default());
        Domain::known(&built.chart).y.then(|| built.plot.unwrap().y)
    };
    assert!(axis(f64::NAN, f64::NAN).is_none());
    for (line, point) in [(1.0, 9.0), (f64::NAN, 9.0), (9.0, f64::NAN)] {
        let seen = axis(line, point).unwrap();
        assert!(
            seen.low <= 9.0 && seen.high >= 9.0 && (line.is_nan() || line >= seen.low),
            "{line} {point}: {seen:?}"
        );
    }
}

#[test]
fn an_axis_of_days_is_no_time_of_day() {
    let label = |hours: i64| {
        let at = |n: i64| Sample { step: n, epoch: f64::NAN, time_us: n * hours * 3_600_000_000, value: 1.0 };
        let data = run(vec![of_samples(SeriesKey::metric("loss"), [0, 1].map(at), 0.0)]);
        let view = ChartView { x: Some(XAxis::Clock), ..ChartView::default() };
        evaluate_as(
            &metric_figure("loss", gradtop_store::Declared::default(), "step"),
            &Source::of(&data),
            &view,
        )
        .charts
        .remove(0)
        .x
        .label
    };
    assert_eq!([label(2), label(60)], ["time of day", "date"]);
}

#[test]
fn a_part_of_an_axis_is_titled_with_its_own_last_value() {
    let data = run(vec![series(SeriesKey::metric("loss"), (0..100).map(f64::from), 0.0)]);
    let view = ChartView { zoom_x: Some((10.0, 20.5)), ..ChartView::default() };
    let figure = super::metric_figure("loss", gradtop_store::Declared::default(), "step");
    let chart = super::chart::evaluate_as(&figure, &Source::of(&data), &view).charts.remove(0);
    assert_eq!(chart.marks[0].last, Some(20.0));
}

#[test]
fn values_at_the_cursor_have_the_digits_that_the_axis_distinguishes() {
    let values = (0..50).map(|i| 1e9 + 0.044 + f64::from(i) / 1e4);
    let data = run(vec![series(SeriesKey::metric("loss"), values, 0.0)]);
    let view = ChartView { cursor: Some(49.0), ..ChartView::default() };
    let screen = drawn(&data, "loss", &view, (80, 14), Glyphs::Braille);
    assert!(screen.contains(" 1000000000.0489"), "{screen}");
    let source = [Source { data: &data, label: None }];
    let built = build(&source, Subject::Metric("loss"), &view, (80, 14), Theme::default());
    assert_eq!(built.lines[0].words(built.lines[0].at_cursor.unwrap().shown), "1000000000.0489");
}

#[test]
fn between_two_steps_there_is_no_mark_of_a_step() {
    let data = run(vec![series(SeriesKey::metric("loss"), [3.0, 8.0], 0.0)]);
    let screen = drawn(&data, "loss", &ChartView::default(), (80, 14), Glyphs::Braille);
    let axis = screen.lines().last().unwrap();
    assert_eq!(axis.split_whitespace().collect::<Vec<_>>(), ["0", "1"], "{screen}");
}
