//! Lines of metrics as they are drawn: their samples where these are held, else columns of dots.

use gradtop_chart::scale::{Scale, Span};
use gradtop_chart::{Shape, Side};

use super::average::{averaged, lies_between, of_finite};
use super::built::{AtCursor, Plot};
use super::member::Member;
use super::parts::{Line, Style};
use crate::live::XKind;
use crate::live::columns::{Columns, Ruler};
use crate::live::pyramid::flag;
use crate::live::series::{Reading, Row};

fn shown<'a>(lines: &'a [&'a Line<'a>]) -> impl Iterator<Item = &'a Line<'a>> {
    lines.iter().copied().filter(|l| !l.hidden)
}

/// Where the lines that are shown lie on x.
pub(super) fn extent(lines: &[&Line<'_>], log: bool) -> Option<(f64, f64)> {
    let all = shown(lines).flat_map(|l| &l.members).filter_map(|m| m.extent(log));
    all.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// The values that the lines of one side take over a stretch of x; on a log axis those above zero.
pub(super) fn value_range(
    lines: &[&Line<'_>],
    side: Side,
    kind: XKind,
    x: (f64, f64),
    log: bool,
    clip: bool,
) -> Option<(f64, f64)> {
    let members = || shown(lines).filter(|l| l.side == side).flat_map(|l| &l.members);
    if clip {
        let mut low = Vec::new();
        let mut high = Vec::new();
        for m in members() {
            let (a, b) = m.own_range(x);
            let ruler = Ruler::new(Span { scale: Scale::Linear, low: a, high: b }, 100);
            for cell in m.series.columns(kind, &ruler).stretches.iter().flat_map(|s| &s.cells) {
                let least = if log { cell.min_positive } else { cell.min };
                if least.is_finite() && (!log || cell.max > 0.0) {
                    low.push(least);
                    high.push(cell.max);
                }
            }
        }
        return trimmed(&mut low, &mut high);
    }
    let all = members().filter_map(|m| {
        let (min, max, positive) = m.series.value_range(kind, m.own_range(x))?;
        if log { positive.is_finite().then_some((positive, max)) } else { Some((min, max)) }
    });
    all.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// The values of the lines of one side; where they are thinned, their means.
pub(super) fn values(lines: &[&Line<'_>], side: Side) -> Vec<f64> {
    let members = shown(lines).filter(|l| l.side == side).flat_map(|l| &l.members);
    members.flat_map(Member::whole).map(|row| row.value).collect()
}

/// From the fifth of a hundred lows to the 95th of a hundred highs.
fn trimmed(low: &mut [f64], high: &mut [f64]) -> Option<(f64, f64)> {
    low.sort_unstable_by(f64::total_cmp);
    high.sort_unstable_by(f64::total_cmp);
    let n = low.len();
    let (a, b) = (*low.get(n / 20)?, *high.get(n - 1 - n / 20)?);
    Some(if a <= b { (a, b) } else { (low[0], high[n - 1]) })
}

/// The latest value: smoothed if asked for, the average of several.
pub(super) fn last(line: &Line<'_>, smooth: bool) -> Option<f64> {
    let latest = |m: &Member<'_>| {
        let smoothed = if smooth { m.series.last_smooth() } else { None };
        smoothed.or_else(|| m.series.last().map(|s| s.value))
    };
    of_finite(line.members.iter().filter_map(latest), line.aggregate)
}

/// What a line has at an x; `smooth`: it is drawn smoothed.
pub(super) fn at(line: &Line<'_>, x: f64, half: f64, smooth: bool) -> Option<AtCursor> {
    let found: Vec<(&Member<'_>, Reading)> =
        line.members.iter().filter_map(|m| Some((m, m.at(x, half)?))).collect();
    let raw = of_finite(found.iter().map(|(_, r)| r.value), line.aggregate)?;
    let low = found.iter().map(|(_, r)| r.min).fold(f64::NAN, f64::min);
    let high = found.iter().map(|(_, r)| r.max).fold(f64::NAN, f64::max);
    let smoothed = found.iter().filter(|_| smooth).filter_map(|(m, _)| m.smooth_at(x, half));
    let shown = of_finite(smoothed, line.aggregate).filter(|_| raw.is_finite()).unwrap_or(raw);
    Some(AtCursor { shown, raw, low, high })
}

/// What is drawn of a line.
pub(super) struct Drawn {
    pub(super) line: Option<Shape>,
    /// The raw values, where the line is smoothed.
    pub(super) behind: Option<Shape>,
    /// From the lowest to the highest of several.
    pub(super) band: Option<Shape>,
}

pub(super) fn drawn(line: &Line<'_>, plot: &Plot, y: Scale, smooth: bool) -> Drawn {
    let smooth = smooth && line.members.iter().all(|m| m.series.last_smooth().is_some());
    if let [member] = line.members.as_slice() {
        let of = |smooth| single(member, plot, y, smooth);
        return Drawn {
            line: Some(styled(of(smooth), line.style)),
            behind: smooth.then(|| styled(of(false), line.style)),
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
        let [points] = seen(&shown.x, [&shown.y], plot, y);
        styled(points, line.style)
    });
    let band = matches!(line.style, Style::Band | Style::Banded).then(|| {
        let [(x, low), (_, high)] = seen(&raw.x, [&raw.low, &raw.high], plot, y);
        Shape::Band { x, low, high }
    });
    Drawn { line: points, behind: None, band }
}

/// Positions and values.
type Points = (Vec<f64>, Vec<f64>);

fn styled((x, y): Points, style: Style) -> Shape {
    match style {
        Style::Points { joined } => {
            let (x, y) = x.into_iter().zip(y).filter(|(x, _)| !x.is_nan()).unzip();
            Shape::Scatter { x, y, joined }
        }
        _ => Shape::Line { x, y },
    }
}

/// One series: its samples, or where these are many, what columns of dots show of them.
fn single(member: &Member<'_>, plot: &Plot, y: Scale, smooth: bool) -> Points {
    let gaps = member.gaps(plot);
    let rows = if member.is_exact(plot) { member.rows(plot, smooth) } else { Vec::new() };
    if rows.is_empty() || rows.len() > 2 * plot.dots {
        return points(&member.columns(plot, smooth).unwrap_or_default(), plot, y, &gaps);
    }
    joined(&rows, plot, y, &gaps)
}

/// Samples, with nothing between those that the steps going back, a pause, or a sample without a place separates.
fn joined(rows: &[Row], plot: &Plot, y: Scale, gaps: &[(f64, f64)]) -> Points {
    let mut out = (Vec::new(), Vec::new());
    let mut before: Option<&Row> = None;
    for row in rows {
        if before.is_some_and(|b| b.lap != row.lap || lies_between(gaps, b.x, row.x)) {
            out.0.push(f64::NAN);
            out.1.push(0.0);
        }
        out.0.push(row.x);
        out.1.push(row.value);
        before = Some(row);
    }
    let [values] = seen(&out.0, [&out.1], plot, y);
    values
}

/// What a plot shows of points that are joined: where a line enters or leaves it, it has a point at its edge.
fn seen<const N: usize>(x: &[f64], values: [&Vec<f64>; N], plot: &Plot, up: Scale) -> [Points; N] {
    let (low, high) = (plot.x.low, plot.x.high);
    let inside = |x: f64| x.is_nan() || (low <= x && x <= high);
    values.map(|v| {
        if x.iter().all(|x| inside(*x)) {
            return (x.to_vec(), v.clone());
        }
        let (mut xs, mut vs) = (Vec::new(), Vec::new());
        let mut before: Option<(f64, f64)> = None;
        for (at, value) in x.iter().copied().zip(v.iter().copied()) {
            // Nothing comes from where the axis has no place.
            let at = if plot.x.scale.takes(at) { at } else { f64::NAN };
            if let Some(a) = before.filter(|a| !a.0.is_nan() && !at.is_nan()) {
                for edge in [low, high] {
                    if (a.0 < edge && edge < at) && (edge != low || a.0 < low) && (edge != high || at > high)
                    {
                        xs.push(edge);
                        vs.push(between(a, (at, value), edge, plot.x.scale, up));
                    }
                }
            }
            if inside(at) {
                xs.push(at);
                vs.push(value);
            }
            before = Some((at, value));
        }
        (xs, vs)
    })
}

fn middle(plot: &Plot, at: usize) -> f64 {
    plot.x.value(at as f64 / (plot.dots.max(2) - 1) as f64)
}

/// The points of a line: for each column what enters it, its extremes and what leaves it, all in its middle.
fn points(columns: &Columns, plot: &Plot, scale: Scale, gaps: &[(f64, f64)]) -> Points {
    let (mut x, mut y) = (Vec::new(), Vec::new());
    let put = |x: &mut Vec<f64>, y: &mut Vec<f64>, at: f64, v: f64| {
        x.push(at);
        y.push(v);
    };
    // A place on x that is no place interrupts a line without a mark at the axis.
    let lift = |x: &mut Vec<f64>, y: &mut Vec<f64>| put(x, y, f64::NAN, 0.0);
    for stretch in &columns.stretches {
        lift(&mut x, &mut y);
        let first = stretch.cells.first().map(|c| (middle(plot, c.at), c.first));
        let last = stretch.cells.last().map(|c| (middle(plot, c.at), c.last));
        if let (Some(before), Some(next)) = (stretch.before, first.or(stretch.after))
            && stretch.cells.first().is_none_or(|c| c.at > 0)
        {
            put(&mut x, &mut y, plot.x.low, between(before, next, plot.x.low, plot.x.scale, scale));
        }
        let mut left = None;
        for cell in &stretch.cells {
            let at = middle(plot, cell.at);
            let paused = left.is_some_and(|l| lies_between(gaps, l, at));
            if paused {
                lift(&mut x, &mut y);
            }
            left = Some(at);
            if scale.takes(cell.min) {
                put(&mut x, &mut y, at, cell.first);
                if cell.n > 1.0 || cell.min < cell.max {
                    put(&mut x, &mut y, at, cell.min);
                    put(&mut x, &mut y, at, cell.max);
                    put(&mut x, &mut y, at, cell.last);
                }
            } else {
                // On a log axis: what is not above zero is marked, the rest is drawn.
                put(&mut x, &mut y, at, cell.min);
                for v in [cell.min_positive, cell.max] {
                    if scale.takes(v) {
                        put(&mut x, &mut y, at, v);
                    }
                }
            }
        }
        if let (Some(last), Some(after)) = (last.or(stretch.before), stretch.after) {
            put(&mut x, &mut y, plot.x.high, between(last, after, plot.x.high, plot.x.scale, scale));
        }
    }
    for odd in &columns.odd {
        put(&mut x, &mut y, middle(plot, odd.at), flag::value(odd.flags));
    }
    (x, y)
}

/// The value at `x` of the straight line between two points, as the axes draw it.
fn between(a: (f64, f64), b: (f64, f64), x: f64, across: Scale, up: Scale) -> f64 {
    let (ax, bx, cx) = (across.forward(a.0), across.forward(b.0), across.forward(x));
    let (ay, by) = (up.forward(a.1), up.forward(b.1));
    let t = if bx > ax { ((cx - ax) / (bx - ax)).clamp(0.0, 1.0) } else { 0.0 };
    let v = up.inverse(ay + (by - ay) * t);
    if v.is_nan() { b.1 } else { v }
}
