//! Evaluates a declared mark to drawable pieces.

use std::collections::BTreeMap;

use gradtop_store::figures::{Aggregate, Mark, MarkKind, MarkX};
use gradtop_store::{Average, ColumnData, Table};

use super::parts::{AxisHints, EvaluatedMark, Line, Part, ShapePart, colour, side};
use super::tables::{self, Positions};
use super::view::WHOLE;
use super::{average, lines, missing};
use crate::live::RunData;
use crate::live::series::Values;
use gradtop_chart::colour::Paint;
use gradtop_chart::scale::finite_range;
use gradtop_chart::{Field, Image, RulePosition, Shape};

/// Maximum number of images shown of a table.
const MAX_IMAGES: usize = 64;

/// Evaluates a mark of a table, or a rule.
pub(super) fn evaluate<'a>(mark: &Mark, data: &RunData) -> EvaluatedMark<'a> {
    let result = match (mark.kind, &mark.table) {
        (MarkKind::Rule, _) => rule(mark),
        (_, Some(name)) => match data.tables.get(name).map(AsRef::as_ref) {
            Some(Ok(table)) if table.rows() == 0 => Err(format!("table {name:?} has no rows yet")),
            Some(Ok(table)) => of_table(mark, table).map_err(|e| format!("table {name:?}: {e}")),
            Some(Err(e)) => Err(e.clone()),
            None => Err(missing::no_table(name, data)),
        },
        (_, None) => Err("a mark names neither metric nor table".to_owned()),
    };
    result.unwrap_or_else(|note| EvaluatedMark { notes: vec![note], ..EvaluatedMark::default() })
}

fn shape_part<'a>(mark: &Mark, name: Option<String>, key: String, shape: Shape) -> Part<'a> {
    Part::Shape(ShapePart { name, key, colour: colour(mark), side: side(mark), shape })
}

fn rule<'a>(mark: &Mark) -> Result<EvaluatedMark<'a>, String> {
    let at = match (&mark.x, mark.y) {
        (Some(MarkX::At(x)), _) => RulePosition::X(*x),
        (_, Some(y)) => RulePosition::Y(y),
        _ => return Err("a rule needs x = <number> or y = <number>".to_owned()),
    };
    let rule = ShapePart {
        name: mark.label.clone(),
        key: String::new(),
        colour: colour(mark).or(Some(Paint::Grey)),
        side: side(mark),
        shape: Shape::Rule { at },
    };
    Ok(EvaluatedMark { parts: vec![Part::Shape(rule)], ..EvaluatedMark::default() })
}

/// Adds a bar for the last value of each line.
pub(super) fn bars(mark: &Mark, metric: &str, of: &[Line<'_>], out: &mut EvaluatedMark<'_>) {
    if of.is_empty() {
        return;
    }
    let y = of.iter().map(|l| lines::last_value(l).unwrap_or(f64::NAN)).collect();
    let x = (0..of.len()).map(|i| i as f64).collect();
    let key = mark.label.clone().unwrap_or_else(|| metric.to_owned());
    out.parts.push(shape_part(mark, mark.label.clone(), key, Shape::Bars { x, y, width: 0.7 }));
    out.hints.categories = of.iter().map(|l| l.name.clone()).collect();
}

/// Adds a histogram of the values of each line.
pub(super) fn histogram_of(mark: &Mark, metric: &str, lines: Vec<Line<'_>>, out: &mut EvaluatedMark<'_>) {
    if lines.is_empty() {
        return;
    }
    out.hints = AxisHints {
        x_label: Some(metric.to_owned()),
        x_unit: out.hints.y_unit.take(),
        y_label: Some("count".into()),
        ..AxisHints::default()
    };
    if lines.iter().flat_map(|l| &l.members).any(|m| !m.is_exact(WHOLE)) {
        out.notes.push("too many values to count each one: means of neighbours are counted".to_owned());
    }
    let values = |line: Line<'_>| {
        let values = line
            .members
            .iter()
            .flat_map(|m| m.rows(WHOLE, Values::Logged, Average::Mean))
            .map(|row| row.value)
            .collect();
        (Some(line.name), line.key, values)
    };
    histogram(mark, lines.into_iter().map(values).collect(), out);
}

fn of_table<'a>(mark: &Mark, table: &Table) -> Result<EvaluatedMark<'a>, String> {
    let rows = tables::rows(mark, table);
    match mark.kind {
        MarkKind::Heatmap | MarkKind::Contour => return field(mark, table, &rows),
        MarkKind::Image => return images(mark, table, &rows),
        _ => {}
    }
    let groups = tables::groups(mark, table, &rows)?;
    if mark.kind == MarkKind::Histogram {
        return histogram_of_table(mark, table, &groups);
    }
    let mut out = EvaluatedMark::default();
    let ycol = mark.ycol.as_deref().ok_or("the mark needs ycol = …")?;
    let x: Positions = match mark.xcol.as_deref() {
        // Places of words are over all rows, so that groups share them.
        Some(name) => tables::positions(table, name, &rows)?,
        None => Positions { values: (0..rows.len()).map(|i| i as f64).collect(), categories: Vec::new() },
    };
    let y = tables::numbers(table, ycol, &rows)?;
    let place: BTreeMap<usize, usize> = rows.iter().enumerate().map(|(i, row)| (*row, i)).collect();
    out.hints = AxisHints {
        x_label: mark.xcol.clone(),
        x_unit: mark.xcol.as_deref().and_then(|c| tables::unit(table, c)),
        y_label: Some(ycol.to_owned()),
        y_unit: tables::unit(table, ycol),
        categories: x.categories,
    };
    for (group, rows) in groups {
        let name = group_name(mark, group.as_deref(), ycol);
        let points: Vec<(f64, f64)> =
            rows.iter().filter_map(|r| place.get(r)).map(|i| (x.values[*i], y[*i])).collect();
        out.parts.extend(of_group(mark, &name, &points));
        // At scattered points, which are never averaged.
        if let (MarkKind::Scatter, Some(column)) = (mark.kind, &mark.textcol) {
            let words = tables::words(table, column, &rows)?;
            let (x, y) = points.into_iter().unzip();
            out.parts.push(shape_part(mark, None, name, Shape::Words { x, y, words }));
        }
    }
    Ok(out)
}

/// Returns the parts of a group of rows: a line with its band, points or bars, all averaged where an x repeats.
fn of_group<'a>(mark: &Mark, name: &str, points: &[(f64, f64)]) -> Vec<Part<'a>> {
    let part = |own: Option<&str>, shape| shape_part(mark, own.map(str::to_owned), name.to_owned(), shape);
    let mut parts = Vec::new();
    let averages =
        mark.aggregate.is_some() || matches!(mark.kind, MarkKind::Line | MarkKind::Band | MarkKind::Bar);
    let (x, y) = match averages.then(|| averaged(points, mark.aggregate)).flatten() {
        Some(Averaged { x, low, high, .. }) if mark.kind == MarkKind::Band => {
            return vec![part(Some(name), Shape::Band { x, low, high })];
        }
        Some(Averaged { x, y, low, high }) => {
            if mark.band.is_some() {
                parts.push(part(None, Shape::Band { x: x.clone(), low, high }));
            }
            (x, y)
        }
        None => points.iter().copied().unzip(),
    };
    let shape = match mark.kind {
        MarkKind::Scatter => Shape::Scatter { x, y, joined: mark.joined },
        MarkKind::Bar => Shape::Bars { width: smallest_gap(&x) * 0.7, x, y },
        // A band of which no range is known, too.
        _ => Shape::Line { x, y },
    };
    parts.push(part(Some(name), shape));
    parts
}

/// Returns the name of a group of rows in the legend.
fn group_name(mark: &Mark, group: Option<&str>, otherwise: &str) -> String {
    match (&mark.label, group) {
        (Some(label), Some(group)) => format!("{label} {group}"),
        (Some(label), None) => label.clone(),
        (None, group) => group.unwrap_or(otherwise).to_owned(),
    }
}

fn histogram_of_table<'a>(
    mark: &Mark,
    table: &Table,
    groups: &[tables::Group],
) -> Result<EvaluatedMark<'a>, String> {
    let column = mark.column.as_deref().or(mark.xcol.as_deref()).ok_or("a histogram needs column = …")?;
    let mut values = Vec::new();
    for (group, rows) in groups {
        let key = group_name(mark, group.as_deref(), column);
        let name = Some(key.clone()).filter(|_| groups.len() > 1 || mark.label.is_some());
        values.push((name, key, tables::numbers(table, column, rows)?));
    }
    let hints = AxisHints {
        x_label: Some(column.to_owned()),
        x_unit: tables::unit(table, column),
        y_label: Some("count".to_owned()),
        ..AxisHints::default()
    };
    let mut out = EvaluatedMark { hints, ..EvaluatedMark::default() };
    histogram(mark, values, &mut out);
    Ok(out)
}

/// Points of different x in ascending order: their averages and ranges.
#[derive(Default)]
struct Averaged {
    x: Vec<f64>,
    y: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
}

/// Averages points of equal x; `None` if no x occurs twice.
fn averaged(points: &[(f64, f64)], aggregate: Option<Aggregate>) -> Option<Averaged> {
    let mut sorted: Vec<(f64, f64)> = points.iter().copied().filter(|(x, _)| !x.is_nan()).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut out = Averaged::default();
    for same in sorted.chunk_by(|a, b| a.0 == b.0) {
        let mut values: Vec<f64> = same.iter().map(|(_, y)| *y).filter(|y| y.is_finite()).collect();
        let odd = same[0].1;
        let summary = average::summary(&mut values, Average::declared(aggregate, Average::Mean));
        let (middle, least, greatest) = summary.unwrap_or((odd, odd, odd));
        out.x.push(same[0].0);
        out.y.push(middle);
        out.low.push(least);
        out.high.push(greatest);
    }
    (out.x.len() < sorted.len()).then_some(out)
}

fn smallest_gap(x: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = x.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let gap = sorted.windows(2).map(|w| w[1] - w[0]).filter(|g| *g > 0.0).fold(f64::INFINITY, f64::min);
    if gap.is_finite() { gap } else { 1.0 }
}

/// Narrows bars that would overlap and puts them side by side.
pub(super) fn dodge(parts: &mut [Part<'_>]) {
    let bars = parts.iter_mut().filter_map(|part| match part {
        Part::Shape(ShapePart { shape: Shape::Bars { x, width, .. }, .. }) => Some((x, width)),
        _ => None,
    });
    let bars: Vec<_> = bars.collect();
    let count = bars.len();
    if count < 2 {
        return;
    }
    for (i, (x, width)) in bars.into_iter().enumerate() {
        let share = *width / count as f64;
        let shift = (i as f64 + 0.5) * share - *width / 2.0;
        for x in x {
            *x += shift;
        }
        *width = share * 0.95;
    }
}

fn histogram(mark: &Mark, groups: Vec<(Option<String>, String, Vec<f64>)>, out: &mut EvaluatedMark<'_>) {
    let all = || groups.iter().flat_map(|(_, _, v)| v).copied();
    let Some((low, high)) = finite_range(all()) else {
        out.notes.push("no finite value for the histogram yet".to_owned());
        return;
    };
    let odd = all().filter(|v| !v.is_finite()).count();
    match odd {
        0 => {}
        1 => out.notes.push("1 value is not finite and is in no bar".to_owned()),
        _ => out.notes.push(format!("{odd} values are not finite and are in no bar")),
    }
    let finite = all().count() - odd;
    let bins = mark
        .bins
        .map_or_else(|| ((finite as f64).sqrt().ceil() as usize).clamp(5, 60), |b| b.clamp(1, 1000) as usize);
    let width = if high > low { (high - low) / bins as f64 } else { 1.0 };
    let (low, bins) = if high > low { (low, bins) } else { (low - 0.5, 1) };
    for (name, key, values) in groups {
        let mut counts = vec![0.0; bins];
        for v in values.into_iter().filter(|v| v.is_finite()) {
            counts[(((v - low) / width) as usize).min(bins - 1)] += 1.0;
        }
        let x = (0..bins).map(|i| low + (i as f64 + 0.5) * width).collect();
        out.parts.push(shape_part(mark, name, key, Shape::Bars { x, y: counts, width }));
    }
}

fn field<'a>(mark: &Mark, table: &Table, rows: &[usize]) -> Result<EvaluatedMark<'a>, String> {
    let column = |name: &Option<String>, what: &str| -> Result<(String, Vec<f64>), String> {
        let name = name.clone().ok_or_else(|| format!("the mark needs {what} = …"))?;
        let values = tables::numbers(table, &name, rows)?;
        Ok((name, values))
    };
    let (x_name, x) = column(&mark.xcol, "xcol")?;
    let (y_name, y) = column(&mark.ycol, "ycol")?;
    let (z_name, z) = column(&mark.zcol, "zcol")?;
    let distinct = |values: &[f64]| {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.dedup();
        sorted
    };
    let (xs, ys) = (distinct(&x), distinct(&y));
    if xs.len().saturating_mul(ys.len()) > 4_000_000 {
        return Err(format!(
            "{x_name} and {y_name} are not a grid: {} by {} distinct values",
            xs.len(),
            ys.len()
        ));
    }
    let mut grid = vec![f64::NAN; xs.len() * ys.len()];
    for ((x, y), z) in x.iter().zip(&y).zip(&z) {
        let find = |sorted: &[f64], v: f64| sorted.binary_search_by(|s| s.total_cmp(&v)).ok();
        if let (Some(i), Some(j)) = (find(&xs, *x), find(&ys, *y)) {
            grid[j * xs.len() + i] = *z;
        }
    }
    let label = mark.label.clone().unwrap_or_else(|| z_name.clone());
    let log = mark.extra.get("scale").and_then(|s| s.as_str()) == Some("log");
    let field = Field { x: xs, y: ys, z: grid, label, log };
    let shape = if mark.kind == MarkKind::Heatmap { Shape::Heatmap(field) } else { Shape::Contour(field) };
    let hints = AxisHints {
        x_unit: tables::unit(table, &x_name),
        y_unit: tables::unit(table, &y_name),
        x_label: Some(x_name),
        y_label: Some(y_name),
        ..AxisHints::default()
    };
    Ok(EvaluatedMark { parts: vec![shape_part(mark, None, z_name, shape)], hints, notes: Vec::new() })
}

/// Returns a mosaic with one image per row.
fn images<'a>(mark: &Mark, table: &Table, rows: &[usize]) -> Result<EvaluatedMark<'a>, String> {
    let name = mark.zcol.as_deref().or(mark.column.as_deref()).ok_or("an image needs zcol = …")?;
    let Some(ColumnData::Bytes { width, data }) = table.column(name) else {
        return Err(format!("column {name:?} has no bytes"));
    };
    let root = |n: usize| (1..=n).take_while(|r| r * r <= n).last().filter(|r| r * r == n);
    // Grey if square, else three colour planes.
    let (side, planes) = match (root(*width), root(width / 3)) {
        (Some(side), _) => (side, 1),
        (None, Some(side)) if width % 3 == 0 => (side, 3),
        _ => {
            return Err(format!("column {name:?} has {width} bytes per row: neither one square nor three"));
        }
    };
    let shown = &rows[..rows.len().min(MAX_IMAGES)];
    let across =
        (1..=MAX_IMAGES).find(|n| n * n * 2 >= shown.len() * 3).unwrap_or(1).clamp(1, shown.len().max(1));
    let down = shown.len().div_ceil(across);
    let pitch = side + 1;
    let (w, h) = ((across * pitch).saturating_sub(1), (down * pitch).saturating_sub(1));
    let mut pixels = vec![None; w * h];
    for (n, row) in shown.iter().enumerate() {
        let Some(bytes) = data.get(row * width..(row + 1) * width) else { continue };
        for y in 0..side {
            for x in 0..side {
                let at = |plane: usize| bytes[(plane % planes) * side * side + y * side + x];
                pixels[(n / across * pitch + y) * w + n % across * pitch + x] = Some([at(0), at(1), at(2)]);
            }
        }
    }
    let shape = Shape::Image(Image { width: w, height: h, pixels });
    let mut out = EvaluatedMark {
        parts: vec![shape_part(mark, None, name.to_owned(), shape)],
        ..EvaluatedMark::default()
    };
    if rows.len() > MAX_IMAGES {
        out.notes.push(format!("the first {MAX_IMAGES} of {} images", rows.len()));
    }
    Ok(out)
}
