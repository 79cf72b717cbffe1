//! Which rows the points of a drawing are of.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_chart::Shape;
use gradtop_store::SeriesKey;

use super::chart::evaluate_as;
use super::metric_figure;
use super::view::{ChartView, Source};
use crate::live::XAxis;
use crate::live::testing::{run, series};

#[test]
fn of_many_rows_the_drawn_ones_are_rows() {
    let value = |step: usize| (step as f64 * 0.7).sin();
    let data = run(vec![series(SeriesKey::metric("loss"), (0..8_000).map(value), 0.0)]);
    let figure = metric_figure("loss", gradtop_store::Declared::default(), "step");
    let points = |view: &ChartView| {
        let mut chart = evaluate_as(&figure, &Source::of(&data), view).charts.remove(0);
        let Shape::Line { x, y } = chart.marks.remove(0).shape else { panic!("a line") };
        x.into_iter().zip(y).collect::<Vec<_>>()
    };
    let all = points(&ChartView::default());
    assert!(all.len() > 1600 && all.iter().all(|(x, y)| *y == value(*x as usize) && x.fract() == 0.0));
    let part = points(&ChartView { zoom_x: Some((7770.0, 7785.0)), ..ChartView::default() });
    assert_eq!(part, (7770..=7785).map(|step| (step as f64, value(step))).collect::<Vec<_>>());
}

#[test]
fn of_joined_rows_it_is_said_which_steps_the_values_are_of() {
    let value = |step: i64| if step % 9_001 == 9_000 { f64::NAN } else { (step as f64 * 0.7).sin() };
    let data = run(vec![series(SeriesKey::metric("loss"), (0..60_000).map(value), 0.0)]);
    let figure = metric_figure("loss", gradtop_store::Declared::default(), "step");
    for x in [None, Some(XAxis::Time), Some(XAxis::Epoch)] {
        let drawn = evaluate_as(&figure, &Source::of(&data), &ChartView { x, ..ChartView::default() });
        let text = gradtop_chart::csv::figure(&drawn);
        let mut rows = text.lines();
        assert_eq!(rows.next(), Some("series,x,x_from,x_to,y"));
        let scale = if x == Some(XAxis::Epoch) { 10.0 } else { 1.0 };
        let (mut logged, mut non_finite) = (0, 0);
        for row in rows {
            let cells: Vec<Option<f64>> = row.split(',').skip(1).map(|cell| cell.parse().ok()).collect();
            let [at, from, to, Some(y)] = cells[..] else { panic!("{row}") };
            let steps = [from.or(at), to.or(at)].map(|at| (at.unwrap() * scale).round() as i64);
            let of = |step| value(step) == y || value(step).is_nan() && y.is_nan();
            assert!((steps[0]..=steps[1]).any(of), "{row}");
            assert!(steps[1] - steps[0] < 60, "less than two columns: {row}");
            logged += usize::from(at.is_some());
            non_finite += usize::from(y.is_nan());
        }
        assert!(logged > 1600 && (6..=12).contains(&non_finite), "{logged} {non_finite}");
    }
}
