//! What an averaged line is the mean of, on every axis.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use gradtop_chart::{Chart, Figure, Shape};
use gradtop_store::{Average, MetricInfo, SeriesKey};
use proptest::prelude::*;

use super::chart::evaluate_as;
use super::metric_figure;
use super::view::{ChartView, Source};
use crate::live::pyramid::Sample;
use crate::live::testing::{of_samples, run};
use crate::live::{RunData, SeriesSnapshot, XAxis};

const EACH: [(XAxis, bool); 5] = [
    (XAxis::Step, false),
    (XAxis::Step, true),
    (XAxis::Epoch, false),
    (XAxis::Time, false),
    (XAxis::Clock, false),
];

/// A run of trials, each with its samples, that declares its metric as logarithmic, in seconds, or not at all.
fn trials(of_each: impl IntoIterator<Item = Vec<Sample>>, log: bool) -> RunData {
    let key = |trial| SeriesKey { trial: Some(trial), ..SeriesKey::metric("loss") };
    let series = (0..).zip(of_each).map(|(trial, samples)| of_samples(key(trial), samples, 0.0)).collect();
    let info = MetricInfo { name: "loss".into(), log, unit: Some("s".into()), ..MetricInfo::default() };
    RunData { metrics: Arc::new(if log { vec![info] } else { Vec::new() }), ..run(series) }
}

/// The samples of a trial at these moments: their number and their step. Trials are logged some microseconds apart, and where a
/// client sends many rows at once, times are only kept in order.
fn logged(
    trial: i64,
    moments: impl IntoIterator<Item = (i64, i64)>,
    value: impl Fn(i64) -> f64,
) -> Vec<Sample> {
    let sample = |(n, step): (i64, i64)| Sample {
        step,
        epoch: step as f64 / 4.0,
        time_us: time_of(trial, n),
        value: value(n),
    };
    moments.into_iter().map(sample).collect()
}

fn time_of(trial: i64, n: i64) -> i64 {
    if (10..15).contains(&n) { 500_000 + n + trial } else { n * 50_000 + trial * 17 }
}

fn drawn(sources: &[Source<'_>], x: XAxis, relative: bool) -> Figure {
    let declared =
        sources.iter().map(|source| source.data.info("loss")).collect::<gradtop_store::Declared<'_>>();
    let view = ChartView { x: Some(x), relative, ..ChartView::default() };
    evaluate_as(&metric_figure("loss", declared, "step"), sources, &view)
}

/// The points of the line with the lowest and the highest value there.
fn points(chart: &Chart) -> Vec<[f64; 4]> {
    let band = chart.marks.iter().find_map(|mark| match &mark.shape {
        Shape::Band { x, low, high } => Some((x, low, high)),
        _ => None,
    });
    let line = chart.marks.iter().find_map(|mark| match &mark.shape {
        Shape::Line { x, y } => Some((x, y)),
        _ => None,
    });
    let ((x, low, high), (same, y)) = band.zip(line).expect("a line with its band");
    assert_eq!(x.len(), same.len());
    let all = (0..x.len()).map(|i| [x[i], y[i], low[i], high[i]]);
    all.filter(|[x, ..]| !x.is_nan()).collect()
}

proptest! {
    /// All trials but the first may begin late and end early, and after some steps those that are there may go back.
    #[test]
    fn each_point_is_the_mean_of_all_trials_that_logged_the_step(
        parts in proptest::collection::vec((0..60_i64, 0..60_i64), 2..5),
        back in proptest::option::of(0..20_i64),
        log in any::<bool>(),
        values in proptest::collection::vec(1e-3..1e3_f64, 200),
    ) {
        let again = back.map(|to| (40..60).map(move |n| (n, n - 40 + to)));
        let moments: Vec<(i64, i64)> = (0..40).map(|n| (n, n)).chain(again.into_iter().flatten()).collect();
        let part = |trial: usize| {
            let (a, b) = (parts[trial].0 % moments.len() as i64, parts[trial].1 % moments.len() as i64);
            if trial == 0 { (0, 60) } else { (a.min(b), a.max(b)) }
        };
        let takes = |trial: usize, n: i64| part(trial).0 <= n && n <= part(trial).1;
        let value = |trial: usize, n: i64| values[(n as usize * 3 + trial * 7) % 200];
        let of = |trial: usize| {
            let own = moments.iter().copied().filter(|(n, _)| takes(trial, *n));
            logged(trial as i64, own, |n| value(trial, n))
        };
        let data = trials((0..parts.len()).map(of), log);
        let last = moments.iter().filter(|(n, _)| (0..parts.len()).any(|trial| takes(trial, *n))).map(|(_, step)| *step).max().unwrap();
        for (axis, relative) in EACH {
            let mut wanted = Vec::new();
            for (n, step) in &moments {
                let there: Vec<usize> = (0..parts.len()).filter(|trial| takes(*trial, *n)).collect();
                let Some(first) = there.first() else { continue };
                let x = match axis {
                    XAxis::Step => *step as f64 / if relative { last as f64 } else { 1.0 },
                    XAxis::Epoch => *step as f64 / 4.0,
                    XAxis::Time | XAxis::Clock => time_of(*first as i64, *n) as f64 / 1e6,
                };
                let values = || there.iter().map(|trial| value(*trial, *n));
                let average = if log { Average::GeometricMean } else { Average::Mean };
                let y = average.of_finite(values()).unwrap();
                wanted.push([x, y, values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max)]);
            }
            prop_assert_eq!(points(&drawn(&Source::of(&data), axis, relative).charts[0]), wanted);
        }
    }
}

#[test]
fn of_joined_rows_too_the_trials_of_a_step_belong_together() {
    let of = |trial: i64| logged(trial, (0..60_000).map(|n| (n, n)), |n| (n % 100 + trial * 1000) as f64);
    let data = trials((0..3).map(of), false);
    for (axis, relative) in EACH {
        let points = points(&drawn(&Source::of(&data), axis, relative).charts[0]);
        assert!(points.len() > 1000);
        let whole = |[_, y, low, high]: &[f64; 4]| {
            (1000.0..1100.0).contains(y) && *low < 100.0 && (2000.0..2100.0).contains(high)
        };
        assert!(points.iter().all(whole), "{axis:?}: {:?}", points.iter().find(|point| !whole(point)));
    }
}

#[test]
fn trials_that_are_trained_one_after_the_other_are_at_no_time_averaged() {
    let of = |trial: i64| logged(trial, (0..10).map(|n| (n + trial * 10, n)), |n| n as f64);
    let data = trials((0..2).map(of), false);
    let figure = drawn(&Source::of(&data), XAxis::Time, false);
    let chart = &figure.charts[0];
    assert_eq!((points(chart).len(), figure.caption), (20, None));
    let gaps = |shape: &Shape| matches!(shape, Shape::Line { x, .. } if x[10].is_nan() && x.len() == 21);
    assert!(chart.marks.iter().any(|mark| gaps(&mark.shape)), "no line joins what two trials logged");
    let said = [
        "loss: before step 0 some trials have not begun; at its beginning the line shows 1 of 2",
        "loss: after step 9 some trials have ended; at its end the line shows 1 of 2",
    ];
    assert_eq!(chart.notes, said);
    assert_eq!(points(&drawn(&Source::of(&data), XAxis::Step, false).charts[0]).len(), 10);
}

#[test]
fn a_line_says_where_some_of_its_series_have_not_begun() {
    let of = |from: i64, to: i64| {
        trials((0..2).map(|trial| logged(trial, (trial * from..to).map(|n| (n, n)), |_| 1.0)), false)
    };
    // The second begins soon, or much later.
    for (from, to) in [(1, 1000), (5, 20)] {
        let said = format!(
            "loss: before step {from} some trials have not begun; at its beginning the line shows 1 of 2"
        );
        for (axis, relative) in EACH {
            let of_run = of(from, to);
            let notes = &drawn(&Source::of(&of_run), axis, relative).charts[0].notes;
            assert_eq!(*notes, [said.as_str()], "{axis:?}");
        }
    }
    let two = of(5, 20);
    // The steps of a run are no times of another.
    let other = trials([logged(0, (8..20).map(|n| (n, n - 8)), |_| 1.0)], false);
    let whole = of(0, 20);
    let together = [&whole, &other].map(|data| Source { data, label: Some("a") });
    let said = "a: at its beginning some series have not begun; the line shows 2 of 3";
    assert_eq!(drawn(&together, XAxis::Time, false).charts[0].notes, [said]);
    let all = ["a", "b"].map(|label| Source { data: &two, label: Some(label) });
    let said = "2 lines: where some of their trials have not begun, the line shows the others";
    assert_eq!(drawn(&all, XAxis::Step, false).charts[0].notes, [said]);
}

/// The second was imported from a file without times, and has another unit and no declaration.
#[test]
fn what_has_no_place_on_the_axis_decides_nothing_about_what_has() {
    let of = |trial: i64| logged(trial, (0..20).map(|n| (n, n)), |_| 2.0);
    let placed = trials((0..3).map(of), true);
    let rows = trials((0..2).map(of), false);
    let timeless = rows.series.iter().map(|s| Arc::new(SeriesSnapshot { started_us: None, ..(**s).clone() }));
    let off = RunData { started_us: None, ..run(timeless.collect()) };
    let labelled = |data, label| Source { data, label: Some(label) };
    let apart = drawn(&[labelled(&placed, "a"), labelled(&off, "b")], XAxis::Time, false);
    assert_eq!(apart.charts[0].notes, ["b was logged without a time and is left out"]);
    let mean = "Lines: geometric mean of 3 trials; bands: from the lowest to the highest.";
    assert_eq!(apart.caption.as_deref(), Some(mean));
    let together = drawn(&[labelled(&placed, "a"), labelled(&off, "a")], XAxis::Time, false);
    assert_eq!(together.charts[0].notes, ["2 of 5 series of a were logged without a time and are left out"]);
    assert_eq!(together.caption.as_deref(), Some(mean));
    let by_step = drawn(&[labelled(&placed, "a"), labelled(&off, "b")], XAxis::Step, false);
    assert_eq!(by_step.charts[0].notes, ["units differ: none, s"]);
    let mean = "Lines: geometric mean of 2 to 3 trials (mean: b); bands: from the lowest to the highest.";
    assert_eq!(by_step.caption.as_deref(), Some(mean));
    // Nothing is drawn, and so no line is a mean.
    let mixed = drawn(&[labelled(&placed, "a"), labelled(&off, "a")], XAxis::Step, false);
    assert_eq!((mixed.charts[0].notes.len(), mixed.caption), (2, None));
}
