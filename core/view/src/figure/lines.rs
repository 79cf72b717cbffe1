//! Lines of metrics as they are drawn: their samples if all are stored, else columns of dots.

use gradtop_chart::scale::{Scale, Span, finite_range};
use gradtop_chart::{Origin, Shape, Side};
use gradtop_store::Average;

use super::average::{averaged, lies_between};
use super::member::Member;
use super::parts::{Line, Style};
use super::prepared::{Cursor, CursorValue, Nearness, Plot};
use super::view::WHOLE;
use crate::live::columns::{Column, ColumnGrid, Columns, Segment};
use crate::live::pyramid::flag;
use crate::live::series::{Reading, Row, Values};

fn visible<'a>(lines: &'a [&'a Line<'a>]) -> impl Iterator<Item = &'a Line<'a>> {
    lines.iter().copied().filter(|l| !l.hidden)
}

/// Returns the x range of the visible lines.
pub(super) fn extent(lines: &[&Line<'_>], scale: Scale) -> Option<(f64, f64)> {
    let all = visible(lines).filter_map(|l| l.extent(scale));
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
        let lines = visible(lines).filter(|l| l.side == side);
        lines.flat_map(|l| l.members.iter().map(move |m| (l.style, m)))
    };
    if clip {
        let mut low = Vec::new();
        let mut high = Vec::new();
        for (_, m) in members() {
            for column in m.over(window, 100).segments.iter().flat_map(|s| &s.columns) {
                let least = if up.takes(0.0) { column.min } else { column.min_positive };
                if least.is_finite() && up.takes(column.max) {
                    low.push(least);
                    high.push(column.max);
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
    let of = |segment: &Segment| {
        let middle = |c: &Column| window.value(c.at as f64 / 99.0);
        let first = segment.columns.first().map(|c| (middle(c), c.first));
        let last = segment.columns.last().map(|c| (middle(c), c.last));
        let enters = segment.before.zip(first.or(segment.after)).map(|(a, b)| (a, b, window.low));
        let leaves = last.or(segment.before).zip(segment.after).map(|(a, b)| (a, b, window.high));
        [enters, leaves].map(|edge| edge.map(|(a, b, x)| interpolate(a, b, x, window.scale, up)))
    };
    columns.segments.iter().flat_map(of).flatten().collect()
}

/// Returns the values of the lines of one side, or bucket means if they are thinned.
pub(super) fn values(lines: &[&Line<'_>], side: Side) -> Vec<f64> {
    let members = visible(lines).filter(|l| l.side == side).flat_map(|l| &l.members);
    members.flat_map(|m| m.rows(WHOLE, Values::Logged, Average::Mean)).map(|row| row.value).collect()
}

/// Returns the 5th percentile of the minima and the 95th percentile of the maxima.
fn trimmed(low: &mut [f64], high: &mut [f64]) -> Option<(f64, f64)> {
    low.sort_unstable_by(f64::total_cmp);
    high.sort_unstable_by(f64::total_cmp);
    let n = low.len();
    let (a, b) = (*low.get(n / 20)?, *high.get(n - 1 - n / 20)?);
    Some(if a <= b { (a, b) } else { (low[0], high[n - 1]) })
}

/// Returns the average of the last values of all series of a line.
pub(super) fn last_value(line: &Line<'_>) -> Option<f64> {
    line.average.of_finite(line.members.iter().filter_map(|m| m.last_value(Values::Logged)))
}

/// Returns the series that reach the end of a line.
fn ending<'a>(line: &'a Line<'_>) -> impl Iterator<Item = &'a Member<'a>> {
    let (_, end) = line.ends(WHOLE);
    line.members.iter().filter(move |m| m.reaches(end))
}

/// Returns the value at the end of a line: that of the series which reach it.
pub(super) fn end_value(line: &Line<'_>, values: Values) -> Option<f64> {
    line.average.of_finite(ending(line).filter_map(|m| m.last_value(values)))
}

/// Places a cursor at `x` if a visible line has values in that column of dots, else at the nearest value.
pub(super) fn cursor(lines: &[&Line<'_>], x: f64, plot: &Plot) -> Option<Cursor> {
    let members = || visible(lines).flat_map(|l| &l.members);
    let column = plot.column(x);
    let places = members().filter_map(|m| Some(m.at(x, column)?.nearest(x)));
    let x = places.min_by(|a, b| (a - x).abs().total_cmp(&(b - x).abs()))?;
    let beside = members().map(|m| m.beside(plot.column(x)));
    let (left, right): (Vec<_>, Vec<_>) = beside.unzip();
    let left = left.into_iter().flatten().reduce(f64::max);
    Some(Cursor { x, left, right: right.into_iter().flatten().reduce(f64::min) })
}

/// Returns the value of a line, of which these values are drawn, in the column of dots around an x, else the nearest; after
/// its end its last, and none before its beginning or in a pause.
pub(super) fn value_at(line: &Line<'_>, x: f64, plot: &Plot, values: Values) -> Option<CursorValue> {
    let column = plot.column(x);
    let mut found: Vec<(&Member<'_>, Reading)> =
        line.members.iter().filter_map(|m| Some((m, m.at(x, column)?))).collect();
    let near = |(_, r): &(&Member<'_>, Reading)| r.nearest(x);
    let nearest = found.iter().map(near).min_by(|a, b| (a - x).abs().total_cmp(&(b - x).abs()))?;
    let (low, high) = line.extent(Scale::Linear)?;
    let is_here = found.iter().any(|(_, r)| r.touches(column));
    let rests = || line.members.iter().all(|m| m.gaps(plot).iter().any(|(from, to)| *from < x && x < *to));
    let nearness = match x {
        _ if is_here => Nearness::Here,
        x if x < low || x < high && rests() => return None,
        x if x > high => Nearness::Ended,
        _ => Nearness::Near,
    };
    if nearness == Nearness::Ended {
        found = ending(line).filter_map(|m| Some((m, m.last_reading()?))).collect();
    } else {
        let around = if is_here { column } else { plot.column(nearest) };
        found.retain(|(_, r)| r.touches(around));
    }
    let average = line.average.over(found.iter().map(|(_, r)| r.min));
    let raw = average.of_finite(found.iter().map(|(_, r)| r.mean(average)))?;
    // Non-finite values are not part of an average of finite ones.
    let counted = || found.iter().map(|(_, r)| r).filter(|r| r.value.is_finite() == raw.is_finite());
    let low = counted().map(|r| r.min).fold(f64::NAN, f64::min);
    let high = counted().map(|r| r.max).fold(f64::NAN, f64::max);
    let n = counted().map(|r| r.n).sum();
    let even = counted().map(|r| r.n).min() == counted().map(|r| r.n).max();
    let series = counted().count();
    // Within a column of dots, the values of one series have no median.
    let average = if series == 1 && average == Average::Median { Average::Mean } else { average };
    let plain = n == series as u64 || even && average != Average::Median;
    let series = (!plain).then_some(series);
    let all = found.iter().map(|(_, r)| r.all).sum();
    let steps = found.iter().map(|(_, r)| r.steps).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    let smooth = |m: &Member<'_>| match nearness {
        Nearness::Ended => m.last_value(values),
        _ => m.smooth_at(x, column),
    };
    let smoothed = found.iter().filter(|_| values == Values::Smoothed).filter_map(|(m, _)| smooth(m));
    let shown = line.average.of_finite(smoothed).filter(|_| raw.is_finite()).unwrap_or(raw);
    let members = (found.len(), line.members.len());
    Some(CursorValue { shown, raw, low, high, n, all, series, members, average, steps, nearness })
}

/// A shape, and which of its points have no x, or not exactly the x, of a logged value.
pub(super) type ClippedShape = (Shape, Vec<(usize, Origin)>);

/// Returns the value of the last recorded point.
pub(super) fn rightmost((shape, origins): &ClippedShape) -> Option<f64> {
    let (Shape::Line { x, y } | Shape::Scatter { x, y, .. }) = shape else { return None };
    let origin =
        |i: usize| origins.binary_search_by_key(&i, |(at, _)| *at).ok().map(|found| origins[found].1);
    let crosses = |i: &usize| origin(*i) == Some(Origin::Crossing);
    let recorded = x.iter().zip(y).enumerate().filter(|(i, (x, _))| !x.is_nan() && !crosses(i));
    recorded.map(|(_, point)| point).max_by(|a, b| a.0.total_cmp(b.0)).map(|(_, y)| *y)
}

/// The shapes of a line.
pub(super) struct LineShapes {
    pub(super) line: Option<ClippedShape>,
    /// The raw values, if the line is smoothed.
    pub(super) behind: Option<ClippedShape>,
    /// The range from the smallest to the largest of several series.
    pub(super) band: Option<ClippedShape>,
}

pub(super) fn line_shapes(line: &Line<'_>, plot: &Plot, y: Scale, values: Values) -> LineShapes {
    let smooth = values == Values::Smoothed && line.members.iter().all(|m| m.series.last_smooth().is_some());
    if let [member] = line.members.as_slice() {
        let of = |values| Some(single(member, line.style, plot, y, values).into_shape(line.style));
        let raw = of(Values::Logged);
        return if smooth {
            LineShapes { line: of(Values::Smoothed), behind: raw, band: None }
        } else {
            LineShapes { line: raw, behind: None, band: None }
        };
    }
    let gaps = line.members.first().map(|m| m.gaps(plot)).unwrap_or_default();
    let mean =
        |values| averaged(&line.rows((plot.x.low, plot.x.high), values), line.average).interrupted(&gaps);
    let raw = mean(Values::Logged);
    let shown = smooth.then(|| mean(Values::Smoothed));
    let shown = shown.as_ref().unwrap_or(&raw);
    let points = (line.style != Style::Band).then(|| {
        let [points] = clip_to_plot(
            (shown.x.as_slice(), |i: usize| within(shown.x[i], shown.spans[i])),
            [&shown.y],
            line.style,
            plot,
            y,
        );
        points.into_shape(line.style)
    });
    let band = matches!(line.style, Style::Band | Style::Banded).then(|| {
        let x = (raw.x.as_slice(), |i: usize| within(raw.x[i], raw.spans[i]));
        let [low, high] = clip_to_plot(x, [&raw.low, &raw.high], Style::Band, plot, y);
        (Shape::Band { x: low.x, low: low.y, high: high.y }, low.origins)
    });
    LineShapes { line: points, behind: None, band }
}

/// Positions and values.
#[derive(Default)]
struct Points {
    x: Vec<f64>,
    y: Vec<f64>,
    /// Those whose x is not, or not exactly, that of a logged value.
    origins: Vec<(usize, Origin)>,
}

impl Points {
    fn push(&mut self, x: f64, y: f64) {
        self.x.push(x);
        self.y.push(y);
    }

    /// Adds a point of values that were logged in a range of x.
    fn push_within(&mut self, x: f64, span: (f64, f64), y: f64) {
        self.push_of(x, within(x, span), y);
    }

    fn push_of(&mut self, x: f64, origin: Option<Origin>, y: f64) {
        self.origins.extend(origin.filter(|_| !x.is_nan()).map(|origin| (self.x.len(), origin)));
        self.push(x, y);
    }

    /// Adds the values of a column: the first, smallest, largest and last, or the only one.
    fn push_column(&mut self, x: f64, column: &Column) {
        let [first, last] = column.logged();
        if column.n <= 1.0 && column.min >= column.max {
            return self.push_within(x, first.map_or(column.x, |at| (at, at)), column.first);
        }
        let end = |points: &mut Self, logged: Option<f64>, value: f64| match logged {
            Some(at) => points.push_within(x, (at, at), value),
            None => points.push_crossing(x, value),
        };
        end(self, first, column.first);
        self.push_within(x, column.x, column.min);
        self.push_within(x, column.x, column.max);
        end(self, last, column.last);
    }

    /// Adds a point of the line that is of no logged value.
    fn push_crossing(&mut self, x: f64, y: f64) {
        self.origins.push((self.x.len(), Origin::Crossing));
        self.push(x, y);
    }

    /// Interrupts the line with an invalid x, which leaves no mark at the axis.
    fn interrupt(&mut self) {
        self.push(f64::NAN, 0.0);
    }

    fn into_shape(self, style: Style) -> ClippedShape {
        let Self { x, y, origins } = self;
        let Style::Points { joined } = style else { return (Shape::Line { x, y }, origins) };
        // Without the interruptions.
        let mut kept = 0..;
        let place: Vec<usize> =
            x.iter().map(|x| if x.is_nan() { kept.start } else { kept.next().unwrap_or_default() }).collect();
        let origins = origins.into_iter().map(|(i, origin)| (place[i], origin)).collect();
        let (x, y) = x.into_iter().zip(y).filter(|(x, _)| !x.is_nan()).unzip();
        (Shape::Scatter { x, y, joined }, origins)
    }
}

fn within(x: f64, (from, to): (f64, f64)) -> Option<Origin> {
    ((from, to) != (x, x)).then_some(Origin::Within(from, to))
}

/// Returns the points of one series: its samples or, if there are many, the extremes of each column of dots.
fn single(member: &Member<'_>, style: Style, plot: &Plot, y: Scale, values: Values) -> Points {
    let gaps = member.gaps(plot);
    let seen = (plot.x.low, plot.x.high);
    let mut rows = if member.is_exact(seen) { member.rows(seen, values, Average::Mean) } else { Vec::new() };
    if rows.iter().filter(|r| plot.x.low <= r.x && r.x <= plot.x.high).count() > 2 * plot.dots {
        rows = extremes(&rows, plot, y);
    }
    if rows.is_empty() {
        let mut columns = member.columns(plot, values).unwrap_or_default();
        if !style.is_joined() {
            columns.segments.iter_mut().for_each(|s| (s.before, s.after) = (None, None));
        }
        return points(&columns, plot, y, &gaps);
    }
    joined(&rows, style, plot, y, &gaps)
}

/// Returns of each column of dots the first, smallest, largest and last sample, and the smallest that a log axis shows.
fn extremes(rows: &[Row], plot: &Plot, y: Scale) -> Vec<Row> {
    let grid = ColumnGrid::new(plot.x, plot.dots);
    let place = |row: &Row| {
        let non_finite = (!row.value.is_finite()).then(|| row.value.to_bits());
        (grid.begun(row.x), row.x.is_nan(), row.lap, non_finite)
    };
    let of_column = |rows: &[Row]| {
        let by_value = |a: &(usize, &Row), b: &(usize, &Row)| a.1.value.total_cmp(&b.1.value);
        let all = || rows.iter().enumerate();
        let found = [
            all().min_by(by_value),
            all().max_by(by_value),
            all().filter(|(_, row)| y.takes(row.value)).min_by(by_value),
            all().next_back(),
        ];
        let mut kept: Vec<usize> =
            std::iter::once(0).chain(found.into_iter().flatten().map(|(i, _)| i)).collect();
        kept.sort_unstable();
        kept.dedup();
        kept.into_iter().map(|i| rows[i]).collect::<Vec<_>>()
    };
    rows.chunk_by(|a, b| place(a) == place(b)).flat_map(of_column).collect()
}

/// Returns samples, interrupted where steps go back, at a pause, or at a sample without a position.
fn joined(rows: &[Row], style: Style, plot: &Plot, y: Scale, gaps: &[(f64, f64)]) -> Points {
    let mut all = Points::default();
    let mut origins = Vec::new();
    let mut before: Option<&Row> = None;
    for row in rows {
        if before.is_some_and(|b| b.lap != row.lap || lies_between(gaps, (b.x, b.x), (row.x, row.x))) {
            all.interrupt();
            origins.push(None);
        }
        all.push(row.x, row.value);
        let is_step = row.x.abs() >= gradtop_chart::WHOLE && row.x == row.steps.0 as f64;
        origins.push(is_step.then_some(Origin::Step(row.steps.0)));
        before = Some(row);
    }
    let [points] = clip_to_plot((all.x.as_slice(), |i: usize| origins[i]), [&all.y], style, plot, y);
    points
}

/// Returns the visible points, with what their values are of where that is no single x. A line that enters
/// or leaves the plot gets an additional point at its edge.
fn clip_to_plot<const N: usize>(
    (x, origin): (&[f64], impl Fn(usize) -> Option<Origin>),
    values: [&Vec<f64>; N],
    style: Style,
    plot: &Plot,
    up: Scale,
) -> [Points; N] {
    let (low, high) = (plot.x.low, plot.x.high);
    let inside = |x: f64| x.is_nan() || (low <= x && x <= high);
    values.map(|v| {
        let mut points = Points::default();
        let mut before: Option<(f64, f64)> = None;
        for (i, (at, value)) in x.iter().copied().zip(v.iter().copied()).enumerate() {
            // No line is drawn from where the axis has no position.
            let at = if plot.x.scale.takes(at) { at } else { f64::NAN };
            if let Some(a) = before.filter(|a| style.is_joined() && !a.0.is_nan() && !at.is_nan()) {
                for edge in [low, high] {
                    if (a.0 < edge && edge < at) && (edge != low || a.0 < low) && (edge != high || at > high)
                    {
                        points.push_crossing(edge, interpolate(a, (at, value), edge, plot.x.scale, up));
                    }
                }
            }
            if inside(at) {
                points.push_of(at, origin(i), value);
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
    let most = 4 * columns.segments.iter().map(|segment| segment.columns.len()).sum::<usize>();
    let mut points = Points {
        x: Vec::with_capacity(most),
        y: Vec::with_capacity(most),
        origins: Vec::with_capacity(most),
    };
    let place = |c: &Column| plot.column(middle(plot, c.at));
    let point = |(x, _): (f64, f64)| (x, x);
    for segment in &columns.segments {
        points.interrupt();
        let (first, last) = (segment.columns.first(), segment.columns.last());
        let of_first = first.map(|c| (middle(plot, c.at), c.first));
        let of_last = last.map(|c| (middle(plot, c.at), c.last));
        if let (Some(before), Some(next)) = (segment.before, of_first.or(segment.after))
            && first.is_none_or(|c| c.at > 0)
            && !lies_between(gaps, point(before), first.map_or(point(next), place))
        {
            let low = plot.x.low;
            points.push_crossing(low, interpolate(before, next, low, plot.x.scale, scale));
        }
        let mut left = None;
        for column in &segment.columns {
            let at = middle(plot, column.at);
            if left.is_some_and(|left| lies_between(gaps, left, place(column))) {
                points.interrupt();
            }
            left = Some(place(column));
            if scale.takes(column.min) {
                points.push_column(at, column);
            } else {
                // On a log axis, non-positive values are marked and the others drawn.
                let others = [column.min_positive, column.max].into_iter().filter(|v| scale.takes(*v));
                for v in std::iter::once(column.min).chain(others) {
                    points.push_within(at, column.x, v);
                }
            }
        }
        if let (Some(from), Some(after)) = (of_last.or(segment.before), segment.after)
            && !lies_between(gaps, last.map_or(point(from), place), point(after))
        {
            let high = plot.x.high;
            points.push_crossing(high, interpolate(from, after, high, plot.x.scale, scale));
        }
    }
    for odd in &columns.non_finite {
        points.push_within(middle(plot, odd.at), odd.x, flag::value(odd.flags));
    }
    points
}

/// Returns the value at `x` on the straight line between two points, in the coordinates of the axes.
fn interpolate(a: (f64, f64), b: (f64, f64), x: f64, across: Scale, up: Scale) -> f64 {
    let (ax, bx, cx) = (across.forward(a.0), across.forward(b.0), across.forward(x));
    let (ay, by) = (up.forward(a.1), up.forward(b.1));
    let t = if bx > ax { ((cx / 2.0 - ax / 2.0) / (bx / 2.0 - ax / 2.0)).clamp(0.0, 1.0) } else { 0.0 };
    let v = up.inverse(ay + (by / 2.0 - ay / 2.0) * (t * 2.0));
    if v.is_nan() { b.1 } else { v }
}
