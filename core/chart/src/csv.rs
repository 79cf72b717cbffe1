//! A figure as CSV rows: the recorded points among those drawn.

use crate::{Chart, Figure, Mark, Points, Shape};

/// A row: chart, series, x, y, low, high, z; absent values are empty.
type Row = [String; 7];

const HEAD: [&str; 7] = ["chart", "series", "x", "y", "low", "high", "z"];

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
        if rows.is_empty() { *i == 2 || *i == 3 } else { rows.iter().any(|row| !row[*i].is_empty()) }
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
    let mut row = |x: f64, [y, low, high, z]: [Option<f64>; 4]| {
        // A missing x only interrupts a line.
        if !x.is_nan() && seen.is_none_or(|(from, to)| from <= x && x <= to) {
            let number = |v: Option<f64>| v.map(|v| v.to_string()).unwrap_or_default();
            let [y, low, high, z] = [y, low, high, z].map(number);
            let named = chart.x.categories.iter().enumerate().find(|(i, _)| *i as f64 == x);
            let x = named.map_or_else(|| x.to_string(), |(_, name)| quoted(name));
            rows.push([quoted(title), quoted(series), x, y, low, high, z]);
        }
    };
    if let Some(Points { x, y, low, high, .. }) = mark.shape.points() {
        for i in (0..x.len()).filter(|i| mark.crossings.binary_search(i).is_err()) {
            let [y, low, high] = [y, low, high].map(|values| values.get(i).copied());
            row(x[i], [y, low, high, None]);
        }
    } else if let Some(field) = mark.shape.field() {
        let places = field.y.iter().flat_map(|y| field.x.iter().map(move |x| (*x, *y)));
        places.zip(&field.z).for_each(|((x, y), z)| row(x, [Some(y), None, None, Some(*z)]));
    }
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
        let mark =
            |crossings| Mark { name: Some("a".to_owned()), crossings, ..Mark::new(look, line.clone()) };
        let seen = |range, crossings| {
            let mut chart = Chart { marks: vec![mark(crossings)], ..Chart::default() };
            chart.x.range = range;
            figure(&Figure { charts: vec![chart], ..Figure::default() })
        };
        assert_eq!(seen(Some((1.0, 3.0)), vec![0]), "series,x,y\na,2,6\na,3,7\n");
        assert_eq!(seen(None, vec![0, 3]), "series,x,y\na,2,6\na,3,7\n");
        assert_eq!(seen(Some((1.5, 1.6)), Vec::new()), "x,y\n");
    }
}
