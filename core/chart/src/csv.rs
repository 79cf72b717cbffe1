//! A figure as CSV rows: the recorded points among those drawn.

use crate::{Chart, Figure, Mark, Origin, Points, Shape, WHOLE};

const HEAD: [&str; 9] = ["chart", "series", "x", "x_from", "x_to", "y", "low", "high", "z"];

/// A row; absent values are empty. Where only a range is known that a value is of, that is there instead of x.
type Row = [String; HEAD.len()];

/// Returns the points of a figure. Empty columns are left out, and so is the chart's column if there is only one.
pub fn figure(figure: &Figure) -> String {
    let several = figure.charts.len() > 1;
    let mut rows: Vec<Row> = Vec::new();
    for (n, chart) in (1..).zip(&figure.charts) {
        let title = chart.title.clone().filter(|title| !title.is_empty()).unwrap_or_else(|| n.to_string());
        for mark in &chart.marks {
            let title = if several { &title } else { "" };
            of_mark([title, &series(chart, mark)], mark, chart, &mut rows);
        }
    }
    // Drop columns without content.
    let stands = |i: &usize| {
        if rows.is_empty() {
            ["x", "y"].contains(&HEAD[*i])
        } else {
            rows.iter().any(|row| !row[*i].is_empty())
        }
    };
    let used: Vec<usize> = (0..HEAD.len()).filter(stands).collect();
    let mut out = String::new();
    let mut line = |cells: Vec<&str>| {
        out.push_str(&cells.join(","));
        out.push('\n');
    };
    line(used.iter().map(|i| HEAD[*i]).collect());
    for row in &rows {
        line(used.iter().map(|i| row[*i].as_str()).collect());
    }
    out
}

/// Returns the name of a mark. A line's band or raw values are unnamed and are identified by their look.
fn series(chart: &Chart, mark: &Mark) -> String {
    if let Some(name) = &mark.name {
        return name.clone();
    }
    let like =
        |other: &&Mark| (other.paint, other.marker, other.side) == (mark.paint, mark.marker, mark.side);
    let of = chart.marks.iter().filter(like).find_map(|other| other.name.as_deref()).unwrap_or_default();
    if matches!(mark.shape, Shape::Band { .. }) || !mark.faint { of.to_owned() } else { format!("{of} raw") }
}

/// Adds the points of a mark of a chart.
fn of_mark([title, series]: [&str; 2], mark: &Mark, chart: &Chart, rows: &mut Vec<Row>) {
    let seen = chart.x.range;
    let number = |v: f64| v.to_string();
    let place = |x: f64| {
        let named = chart.x.categories.iter().enumerate().find(|(i, _)| *i as f64 == x);
        named.map_or_else(|| position(x), |(_, name)| quoted(name))
    };
    let mut row = |x: f64, origin: Option<Origin>, values: [Option<f64>; 4]| {
        // A missing x only interrupts a line.
        if !x.is_nan() && seen.is_none_or(|(from, to)| from <= x && x <= to) {
            let exactly = |x| [x, String::new(), String::new()];
            let [x, from, to] = match origin {
                Some(Origin::Crossing) => return,
                Some(Origin::Step(step)) => exactly(step.to_string()),
                Some(Origin::Within(from, to)) if from != to => [String::new(), position(from), position(to)],
                Some(Origin::Within(at, _)) => exactly(place(at)),
                None => exactly(place(x)),
            };
            let [y, low, high, z] = values.map(|v| v.map(number).unwrap_or_default());
            rows.push([quoted(title), quoted(series), x, from, to, y, low, high, z]);
        }
    };
    if let Some(Points { x, y, low, high, .. }) = mark.shape.points() {
        for (i, at) in x.iter().enumerate() {
            let [y, low, high] = [y, low, high].map(|values| values.get(i).copied());
            row(*at, mark.origin(i), [y, low, high, None]);
        }
    } else if let Some(field) = mark.shape.field() {
        let places = field.y.iter().flat_map(|y| field.x.iter().map(move |x| (*x, *y)));
        places.zip(&field.z).for_each(|((x, y), z)| row(x, None, [Some(y), None, None, Some(*z)]));
    }
}

/// Returns whether a figure has points of several values so far along x that a step there may be rounded.
pub fn is_rounded(figure: &Figure) -> bool {
    let is_rounded = |mark: &Mark| {
        let far = |(i, x): (usize, &f64)| {
            x.abs() >= WHOLE && !matches!(mark.origin(i), Some(Origin::Crossing | Origin::Step(_)))
        };
        mark.shape.points().is_some_and(|points| points.x.iter().enumerate().any(far))
    };
    figure.charts.iter().flat_map(|chart| &chart.marks).any(is_rounded)
}

/// All digits of a large whole number: the shortest that mean the same float would be those of another step.
fn position(x: f64) -> String {
    if (WHOLE..1e19).contains(&x.abs()) { format!("{x:.0}") } else { x.to_string() }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colour::Paint;

    #[test]
    fn lines_have_their_bands_and_what_is_nowhere_is_no_row() {
        let mark = |name: Option<&str>, shape| Mark {
            name: name.map(str::to_owned),
            faint: name.is_none(),
            ..Mark::new((Paint::Slot(1), 1), shape)
        };
        let band = Shape::Band { x: vec![0.0], low: vec![0.5], high: vec![2.0] };
        let line = Shape::Line { x: vec![0.0, f64::NAN, 2.0], y: vec![1.0, 0.0, f64::NAN] };
        let marks = vec![mark(None, band), mark(None, line.clone()), mark(Some("a, b"), line)];
        let one = Figure { charts: vec![Chart { marks, ..Chart::default() }], ..Figure::default() };
        let rows = "series,x,y,low,high\n\"a, b\",0,,0.5,2\n\"a, b raw\",0,1,,\n\"a, b raw\",2,NaN,,\n\"a, b\",0,1,,\n\"a, b\",2,NaN,,\n";
        assert_eq!(figure(&one), rows);
        let mut named = one.clone();
        named.charts[0].x.categories = ["same", "matched, other", "far"].map(str::to_owned).to_vec();
        assert!(figure(&named).contains("\n\"a, b\",same,,0.5,2\n"), "{}", figure(&named));
        let two = Figure { charts: [one.charts.clone(), one.charts].concat(), ..Figure::default() };
        assert_eq!(figure(&two).lines().next(), Some("chart,series,x,y,low,high"));
    }

    #[test]
    fn only_what_was_recorded_in_the_part_that_is_seen_is_a_row() {
        let line = Shape::Line { x: vec![1.0, 2.0, 3.0, 4.0], y: vec![5.0, 6.0, 7.0, 8.0] };
        let look = (Paint::Slot(1), 1);
        let mark = |origins| Mark { name: Some("a".to_owned()), origins, ..Mark::new(look, line.clone()) };
        let seen = |range, origins: &[(usize, Origin)]| {
            let mut chart = Chart { marks: vec![mark(origins.to_vec())], ..Chart::default() };
            chart.x.range = range;
            figure(&Figure { charts: vec![chart], ..Figure::default() })
        };
        let edge = |i| (i, Origin::Crossing);
        assert_eq!(seen(Some((1.0, 3.0)), &[edge(0)]), "series,x,y\na,2,6\na,3,7\n");
        assert_eq!(seen(None, &[edge(0), edge(3)]), "series,x,y\na,2,6\na,3,7\n");
        assert_eq!(seen(Some((1.5, 1.6)), &[]), "x,y\n");
        let joined = [edge(0), (1, Origin::Within(1.75, 1.75)), (2, Origin::Within(2.5, 3.5)), edge(3)];
        assert_eq!(seen(None, &joined), "series,x,x_from,x_to,y\na,1.75,,,6\na,,2.5,3.5,7\n");
    }

    #[test]
    fn a_step_that_a_float_is_not_is_said_to_be_rounded() {
        let of = |x: f64| {
            let line = Shape::Line { x: vec![x], y: vec![1.0] };
            let chart = Chart { marks: vec![Mark::new((Paint::Slot(1), 1), line)], ..Chart::default() };
            Figure { charts: vec![chart], ..Figure::default() }
        };
        assert!(!is_rounded(&of(WHOLE - 1.0)) && is_rounded(&of(WHOLE)));
        assert_eq!(figure(&of(2f64.powi(62))), "x,y\n4611686018427387904,1\n");
        let mut exact = of(WHOLE);
        exact.charts[0].marks[0].origins = vec![(0, Origin::Step(9_007_199_254_740_993))];
        assert!(!is_rounded(&exact));
        assert_eq!(figure(&exact), "x,y\n9007199254740993,1\n");
    }
}
