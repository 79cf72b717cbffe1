//! Lines of metrics as they are drawn: their samples if all are stored, else columns of dots.

use gradtop_chart::scale::{Scale, Span, finite_range};
use gradtop_chart::{Shape, Side};

use super::average::{averaged, lies_between, of_finite};
use super::member::Member;
use super::parts::{Line, Style};
use super::prepared::{Cursor, CursorValue, Plot};
use crate::live::columns::{Cell, Columns, Stretch};
use crate::live::pyramid::flag;
use crate::live::series::{Reading, Row};

fn shown<'a>(lines: &'a [&'a Line<'a>]) -> impl Iterator<Item = &'a Line<'a>> {
    lines.iter().copied().filter(|l| !l.hidden)
}

/// Returns the x range of the visible lines.
pub(super) fn extent(lines: &[&Line<'_>], log: bool) -> Option<(f64, f64)> {
    let all = shown(lines).flat_map(|l| &l.members).filter_map(|m| m.extent(log));
    all.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// Returns the range of the lines of one side within a window of x, including where they enter and leave it; on a log
/// axis, only positive values.
pub(super) fn value_range(
    lines: &[&Line<'_>],
    side: Side,
    window: &Span,
    up: Scale,
    clip: bool,
) -> Option<(f64, f64)> {
    let members = || {
        let lines = shown(lines).filter(|l| l.side == side);
        lines.flat_map(|l| l.members.iter().map(move |m| (l.style, m)))
    };
    if clip {
        let mut low = Vec::new();
        let mut high = Vec::new();
        for (_, m) in members() {
            for cell in m.over(window, 100).stretches.iter().flat_map(|s| &s.cells) {
                let least = if up.takes(0.0) { cell.min } else { cell.min_positive };
                if least.is_finite() && up.takes(cell.max) {
                    low.push(least);
                    high.push(cell.max);
                }
            }
        }
        if let Some(range) = trimmed(&mut low, &mut high) {
            return Some(range);
        }
    }
    let of_samples = |m: &Member<'_>| {
        let (min, max, positive) = m.value_range((window.low, window.high))?;
        if up.takes(0.0) { Some((min, max)) } else { positive.is_finite().then_some((positive, max)) }
    };
    let inside = members().filter_map(|(_, m)| of_samples(m)).flat_map(|(low, high)| [low, high]);
    // Isolated points do not cross the window's edge, and neither does a line that lies within it.
    let joined = members().filter(|(style, m)| style.is_joined() && !m.lies_within(window));
    let passing = joined.flat_map(|(_, m)| edges(&m.over(window, 100), window, up));
    finite_range(inside.chain(passing.filter(|v| up.takes(*v))))
}

/// Returns the values at which lines enter and leave a window between two samples.
fn edges(columns: &Columns, window: &Span, up: Scale) -> Vec<f64> {
    let of = |stretch: &Stretch| {
        let middle = |c: &Cell| window.value(c.at as f64 / 99.0);
        let first = stretch.cells.first().map(|c| (middle(c), c.first));
        let last = stretch.cells.last().map(|c| (middle(c), c.last));
        let enters = stretch.before.zip(first.or(stretch.after)).map(|(a, b)| (a, b, window.low));
        let leaves = last.or(stretch.before).zip(stretch.after).map(|(a, b)| (a, b, window.high));
        [enters, leaves].map(|edge| edge.map(|(a, b, x)| between(a, b, x, window.scale, up)))
    };
    columns.stretches.iter().flat_map(of).flatten().collect()
}

/// Returns the values of the lines of one side, or bucket means if they are thinned.
pub(super) fn values(lines: &[&Line<'_>], side: Side) -> Vec<f64> {
    let members = shown(lines).filter(|l| l.side == side).flat_map(|l| &l.members);
    members.flat_map(Member::whole).map(|row| row.value).collect()
}

/// Returns the 5th percentile of the minima and the 95th percentile of the maxima.
fn trimmed(low: &mut [f64], high: &mut [f64]) -> Option<(f64, f64)> {
    low.sort_unstable_by(f64::total_cmp);
    high.sort_unstable_by(f64::total_cmp);
    let n = low.len();
    let (a, b) = (*low.get(n / 20)?, *high.get(n - 1 - n / 20)?);
    Some(if a <= b { (a, b) } else { (low[0], high[n - 1]) })
}

/// Returns the last value, smoothed if requested and averaged over several series.
pub(super) fn last(line: &Line<'_>, smooth: bool) -> Option<f64> {
    let latest = |m: &Member<'_>| {
        let raw = m.series.last()?.value;
        // A moving average says nothing about a value that is no longer finite.
        Some(m.series.last_smooth().filter(|_| smooth && raw.is_finite()).unwrap_or(raw))
    };
    of_finite(line.members.iter().filter_map(latest), line.aggregate)
}

/// Places a cursor at `x` if a visible line has values in that column of dots, else at the nearest value.
pub(super) fn cursor(lines: &[&Line<'_>], x: f64, plot: &Plot) -> Option<Cursor> {
    let members = || shown(lines).flat_map(|l| &l.members);
    let column = plot.column(x);
    let places = members().filter_map(|m| Some(m.at(x, column)?.nearest(x)));
    let x = places.min_by(|a, b| (a - x).abs().total_cmp(&(b - x).abs()))?;
    let beside = members().map(|m| m.beside(plot.column(x)));
    let (left, right): (Vec<_>, Vec<_>) = beside.unzip();
    let left = left.into_iter().flatten().reduce(f64::max);
    Some(Cursor { x, left, right: right.into_iter().flatten().reduce(f64::min) })
}

/// Returns the value of a line at or nearest to an x; `smooth` if the line is drawn smoothed.
pub(super) fn at(line: &Line<'_>, x: f64, plot: &Plot, smooth: bool) -> Option<CursorValue> {
    let read = |x: f64| {
        let column = plot.column(x);
        let found = line.members.iter().filter_map(move |m| Some((m, m.at(x, column)?)));
        (column, found)
    };
    let near = |(_, r): &(&Member<'_>, Reading)| r.nearest(x);
    let (_, found) = read(x);
    let at = found.map(|f| near(&f)).min_by(|a, b| (a - x).abs().total_cmp(&(b - x).abs()))?;
    let (column, found) = read(at);
    let found: Vec<(&Member<'_>, Reading)> = found.filter(|(_, r)| r.touches(column)).collect();
    let raw = of_finite(found.iter().map(|(_, r)| r.value), line.aggregate)?;
    // Non-finite values are not part of an average of finite ones.
    let counted = || found.iter().map(|(_, r)| r).filter(|r| r.value.is_finite() == raw.is_finite());
    let low = counted().map(|r| r.min).fold(f64::NAN, f64::min);
    let high = counted().map(|r| r.max).fold(f64::NAN, f64::max);
    let n = counted().map(|r| r.n).sum();
    let even = counted().map(|r| r.n).min() == counted().map(|r| r.n).max();
    let series = counted().count();
    let plain = n == series as u64
        || series == 1
        || even && line.aggregate == gradtop_store::figures::Aggregate::Mean;
    let series = (!plain).then_some(series);
    let all = found.iter().map(|(_, r)| r.all).sum();
    let steps = found.iter().map(|(_, r)| r.steps).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    let smoothed = found.iter().filter(|_| smooth).filter_map(|(m, _)| m.smooth_at(at, column));
    let shown = of_finite(smoothed, line.aggregate).filter(|_| raw.is_finite()).unwrap_or(raw);
    Some(CursorValue { shown, raw, low, high, n, all, series, aggregate: line.aggregate, steps })
}

/// A shape and the indices of points that were not recorded, where a line crosses the edge of the plot.
pub(super) type Cut = (Shape, Vec<usize>);

/// The shapes of a line.
pub(super) struct Drawn {
    pub(super) line: Option<Cut>,
    /// The raw values, if the line is smoothed.
    pub(super) behind: Option<Cut>,
    /// The range from the smallest to the largest of several series.
    pub(super) band: Option<Cut>,
}

pub(super) fn drawn(line: &Line<'_>, plot: &Plot, y: Scale, smooth: bool) -> Drawn {
    let smooth = smooth && line.members.iter().all(|m| m.series.last_smooth().is_some());
    if let [member] = line.members.as_slice() {
        let of = |smooth| single(member, line.style, plot, y, smooth);
        return Drawn {
            line: Some(of(smooth).styled(line.style)),
            behind: smooth.then(|| of(false).styled(line.style)),
            band: None,
        };
    }
    let gaps = line.members.first().map(|m| m.gaps(plot)).unwrap_or_default();
    let mean = |smooth| {
        let rows: Vec<Vec<Row>> = line.members.iter().map(|m| m.rows(plot, smooth)).collect();
        averaged(&rows, line.aggregate).interrupted(&gaps)
    };
    let raw = mean(false);
    let shown = smooth.then(|| mean(true));
    let shown = shown.as_ref().unwrap_or(&raw);
    let points = (line.style != Style::Band).then(|| {
        let [points] = seen(&shown.x, [&shown.y], line.style, plot, y);
        points.styled(line.style)
    });
    let band = matches!(line.style, Style::Band | Style::Banded).then(|| {
        let [low, high] = seen(&raw.x, [&raw.low, &raw.high], Style::Band, plot, y);
        (Shape::Band { x: low.x, low: low.y, high: high.y }, low.crossings)
    });
    Drawn { line: points, behind: None, band }
}

/// Positions and values.
#[derive(Default)]
struct Points {
    x: Vec<f64>,
    y: Vec<f64>,
    /// Indices of points that were not recorded.
    crossings: Vec<usize>,
}

impl Points {
    fn put(&mut self, x: f64, y: f64) {
        self.x.push(x);
        self.y.push(y);
    }

    /// Adds the point at which the line between two points crosses an edge of the plot.
    fn cross(&mut self, [a, b]: [(f64, f64); 2], edge: f64, across: Scale, up: Scale) {
        self.crossings.push(self.x.len());
        self.put(edge, between(a, b, edge, across, up));
    }

    /// Interrupts the line with an invalid x, which leaves no mark at the axis.
    fn lift(&mut self) {
        self.put(f64::NAN, 0.0);
    }

    fn styled(self, style: Style) -> Cut {
        let Self { x, y, crossings } = self;
        match style {
            Style::Points { joined } => {
                let (x, y) = x.into_iter().zip(y).filter(|(x, _)| !x.is_nan()).unzip();
                (Shape::Scatter { x, y, joined }, Vec::new())
            }
            _ => (Shape::Line { x, y }, crossings),
        }
    }
}

/// Returns the points of one series: its samples or, if there are many, the extremes of each column of dots.
fn single(member: &Member<'_>, style: Style, plot: &Plot, y: Scale, smooth: bool) -> Points {
    let gaps = member.gaps(plot);
    let rows = if member.is_exact(plot) { member.rows(plot, smooth) } else { Vec::new() };
    if rows.is_empty() || rows.len() > 2 * plot.dots {
        let mut columns = member.columns(plot, smooth).unwrap_or_default();
        if !style.is_joined() {
            columns.stretches.iter_mut().for_each(|s| (s.before, s.after) = (None, None));
        }
        return points(&columns, plot, y, &gaps);
    }
    joined(&rows, style, plot, y, &gaps)
}

/// Returns samples, interrupted where steps go back, at a pause, or at a sample without a position.
fn joined(rows: &[Row], style: Style, plot: &Plot, y: Scale, gaps: &[(f64, f64)]) -> Points {
    let mut all = Points::default();
    let mut before: Option<&Row> = None;
    for row in rows {
        if before.is_some_and(|b| b.lap != row.lap || lies_between(gaps, (b.x, b.x), (row.x, row.x))) {
            all.lift();
        }
        all.put(row.x, row.value);
        before = Some(row);
    }
    let [points] = seen(&all.x, [&all.y], style, plot, y);
    points
}

/// Returns the visible points. A line that enters or leaves the plot gets an additional point at its edge.
fn seen<const N: usize>(
    x: &[f64],
    values: [&Vec<f64>; N],
    style: Style,
    plot: &Plot,
    up: Scale,
) -> [Points; N] {
    let (low, high) = (plot.x.low, plot.x.high);
    let inside = |x: f64| x.is_nan() || (low <= x && x <= high);
    values.map(|v| {
        if x.iter().all(|x| inside(*x)) {
            return Points { x: x.to_vec(), y: v.clone(), crossings: Vec::new() };
        }
        let mut points = Points::default();
        let mut before: Option<(f64, f64)> = None;
        for (at, value) in x.iter().copied().zip(v.iter().copied()) {
            // No line is drawn from where the axis has no position.
            let at = if plot.x.scale.takes(at) { at } else { f64::NAN };
            if let Some(a) = before.filter(|a| style.is_joined() && !a.0.is_nan() && !at.is_nan()) {
                for edge in [low, high] {
                    if (a.0 < edge && edge < at) && (edge != low || a.0 < low) && (edge != high || at > high)
                    {
                        points.cross([a, (at, value)], edge, plot.x.scale, up);
                    }
                }
            }
            if inside(at) {
                points.put(at, value);
            }
            before = Some((at, value));
        }
        points
    })
}

fn middle(plot: &Plot, at: usize) -> f64 {
    plot.x.value(at as f64 / (plot.dots.max(2) - 1) as f64)
}

/// Returns the points of a line: for each column its first, smallest, largest and last value, all at the column's centre.
fn points(columns: &Columns, plot: &Plot, scale: Scale, gaps: &[(f64, f64)]) -> Points {
    let mut points = Points::default();
    let place = |c: &Cell| plot.column(middle(plot, c.at));
    let point = |(x, _): (f64, f64)| (x, x);
    for stretch in &columns.stretches {
        points.lift();
        let (first, last) = (stretch.cells.first(), stretch.cells.last());
        let of_first = first.map(|c| (middle(plot, c.at), c.first));
        let of_last = last.map(|c| (middle(plot, c.at), c.last));
        if let (Some(before), Some(next)) = (stretch.before, of_first.or(stretch.after))
            && first.is_none_or(|c| c.at > 0)
            && !lies_between(gaps, point(before), first.map_or(point(next), place))
        {
            points.cross([before, next], plot.x.low, plot.x.scale, scale);
        }
        let mut left = None;
        for cell in &stretch.cells {
            let at = middle(plot, cell.at);
            if left.is_some_and(|left| lies_between(gaps, left, place(cell))) {
                points.lift();
            }
            left = Some(place(cell));
            if scale.takes(cell.min) {
                points.put(at, cell.first);
                if cell.n > 1.0 || cell.min < cell.max {
                    for v in [cell.min, cell.max, cell.last] {
                        points.put(at, v);
                    }
                }
            } else {
                // On a log axis, non-positive values are marked and the others drawn.
                points.put(at, cell.min);
                for v in [cell.min_positive, cell.max] {
                    if scale.takes(v) {
                        points.put(at, v);
                    }
                }
            }
        }
        if let (Some(from), Some(after)) = (of_last.or(stretch.before), stretch.after)
            && !lies_between(gaps, last.map_or(point(from), place), point(after))
        {
            points.cross([from, after], plot.x.high, plot.x.scale, scale);
        }
    }
    for odd in &columns.odd {
        points.put(middle(plot, odd.at), flag::value(odd.flags));
    }
    points
}

/// Returns the value at `x` on the straight line between two points, in the coordinates of the axes.
fn between(a: (f64, f64), b: (f64, f64), x: f64, across: Scale, up: Scale) -> f64 {
    let (ax, bx, cx) = (across.forward(a.0), across.forward(b.0), across.forward(x));
    let (ay, by) = (up.forward(a.1), up.forward(b.1));
    let t = if bx > ax { ((cx / 2.0 - ax / 2.0) / (bx / 2.0 - ax / 2.0)).clamp(0.0, 1.0) } else { 0.0 };
    let v = up.inverse(ay + (by / 2.0 - ay / 2.0) * (t * 2.0));
    if v.is_nan() { b.1 } else { v }
}
