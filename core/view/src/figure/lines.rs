//! Lines of a chart: one series, or several averaged, over columns of dots.

use gradtop_store::figures::Aggregate;

use super::built::{AtCursor, Plot};
use super::chart::Line;
use crate::live::columns::{Columns, Ruler, Stretch};
use crate::live::pyramid::flag;
use crate::live::series::Reading;
use crate::live::{RunData, SeriesSnapshot, XKind};
use gradtop_chart::scale::{Scale, Span};
use gradtop_chart::{Shape, Side};

/// A series of a line.
pub(super) struct Member<'a> {
    pub(super) series: &'a SeriesSnapshot,
    data: &'a RunData,
    /// What is subtracted from its x, and by what the rest is divided.
    shift: (f64, f64),
}

impl<'a> Member<'a> {
    pub(super) fn new(series: &'a SeriesSnapshot, data: &'a RunData, relative: bool, kind: XKind) -> Self {
        let extent = if relative { series.extent(kind) } else { None };
        let shift = match extent {
            Some((low, high)) if relative => {
                // Steps and epochs count from zero; times from the first sample.
                let zero = if kind == XKind::Wall { low } else { 0.0f64.min(low) };
                (zero, if high > zero { high - zero } else { 1.0 })
            }
            _ => (0.0, 1.0),
        };
        Self { series, data, shift }
    }

    fn own(&self, x: f64) -> f64 {
        x * self.shift.1 + self.shift.0
    }

    fn common(&self, x: f64) -> f64 {
        (x - self.shift.0) / self.shift.1
    }

    fn own_range(&self, (low, high): (f64, f64)) -> (f64, f64) {
        (self.own(low), self.own(high))
    }

    /// With the neighbours outside where they lie on the common axis.
    fn placed(&self, mut columns: Columns) -> Columns {
        for stretch in &mut columns.stretches {
            for end in [&mut stretch.before, &mut stretch.after].into_iter().flatten() {
                end.0 = self.common(end.0);
            }
        }
        columns
    }

    fn ruler(&self, plot: &Plot) -> Ruler {
        let (low, high) = self.own_range((plot.x.low, plot.x.high));
        Ruler::new(Span { scale: plot.x.scale, low, high }, plot.dots)
    }
}

/// Where the lines that are shown lie on x.
pub(super) fn extent(lines: &[Line<'_>], kind: XKind, log: bool) -> Option<(f64, f64)> {
    let members = lines.iter().filter(|l| !l.hidden).flat_map(|l| &l.members);
    let all = members.filter_map(|m| {
        let (low, high) = m.series.extent(kind)?;
        let low = if log && low <= 0.0 { m.series.first_positive(kind)? } else { low };
        Some((m.common(low), m.common(high)))
    });
    all.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// The values that the lines of one side take over a stretch of x; on a log axis those above zero.
pub(super) fn value_range(
    lines: &[Line<'_>],
    side: Side,
    kind: XKind,
    x: (f64, f64),
    log: bool,
    clip: bool,
) -> Option<(f64, f64)> {
    let members = || lines.iter().filter(|l| !l.hidden && l.side() == side).flat_map(|l| &l.members);
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
    let mut values: Vec<f64> = line
        .members
        .iter()
        .filter_map(|m| {
            let smoothed = if smooth { m.series.last_smooth() } else { None };
            smoothed.or_else(|| m.series.last().map(|s| s.value))
        })
        .collect();
    average(&mut values, line.aggregate)
}

/// Average of the finite values; where there is none, the first one tells why.
fn average(values: &mut Vec<f64>, aggregate: Aggregate) -> Option<f64> {
    let first = *values.first()?;
    if values.len() == 1 {
        return Some(first);
    }
    values.retain(|v| v.is_finite());
    if values.is_empty() {
        return Some(first);
    }
    Some(match aggregate {
        Aggregate::Mean => values.iter().sum::<f64>() / values.len() as f64,
        Aggregate::Median => {
            values.sort_unstable_by(f64::total_cmp);
            f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
        }
    })
}

/// What a line has at an x; `smooth`: it is drawn smoothed.
pub(super) fn at(line: &Line<'_>, kind: XKind, x: f64, half: f64, smooth: bool) -> Option<AtCursor> {
    let place = |m: &Member<'_>| (m.own(x), (half * m.shift.1).abs());
    let found: Vec<(&Member<'_>, Reading)> =
        line.members.iter().filter_map(|m| Some((m, m.series.at(kind, place(m).0, place(m).1)?))).collect();
    let mut values: Vec<f64> = found.iter().map(|(_, r)| r.value).collect();
    let raw = average(&mut values, line.aggregate)?;
    let low = found.iter().map(|(_, r)| r.min).fold(f64::NAN, f64::min);
    let high = found.iter().map(|(_, r)| r.max).fold(f64::NAN, f64::max);
    let mut smoothed: Vec<f64> = if smooth {
        let of = |(m, _): &(&Member<'_>, Reading)| m.series.smooth_at(kind, place(m).0, place(m).1);
        found.iter().filter_map(of).collect()
    } else {
        Vec::new()
    };
    let shown = average(&mut smoothed, line.aggregate).filter(|_| raw.is_finite()).unwrap_or(raw);
    Some(AtCursor { shown, raw, low, high })
}

/// What is drawn of a line.
pub(super) struct Drawn {
    pub(super) line: Shape,
    /// The raw values, where the line is smoothed.
    pub(super) behind: Option<Shape>,
    /// From the lowest to the highest of several.
    pub(super) band: Option<Shape>,
}

pub(super) fn drawn(line: &Line<'_>, kind: XKind, plot: &Plot, y: Scale, smooth: bool) -> Drawn {
    let raw = |m: &Member<'_>, ruler: &Ruler| m.placed(m.series.columns(kind, ruler));
    if let [member] = line.members.as_slice() {
        let ruler = member.ruler(plot);
        let gaps = gaps(member, kind, plot);
        let own = raw(member, &ruler);
        let smoothed = if smooth { member.series.smooth_columns(kind, &ruler) } else { None };
        let smoothed = smoothed.map(|c| member.placed(c));
        return match smoothed {
            Some(smoothed) => Drawn {
                line: points(&smoothed, plot, y, &gaps),
                behind: Some(points(&own, plot, y, &gaps)),
                band: None,
            },
            None => Drawn { line: points(&own, plot, y, &gaps), behind: None, band: None },
        };
    }
    let width = plot.dots.max(2);
    let mut laps: Vec<Lap> = Vec::new();
    let mut odd = vec![0u8; width];
    for member in &line.members {
        let ruler = member.ruler(plot);
        let own = raw(member, &ruler);
        for stretch in &own.stretches {
            let edges = &mut lap(&mut laps, stretch.lap, width).edges;
            for cell in &stretch.cells {
                let e = &mut edges[cell.at];
                let least = if y.takes(cell.min) { cell.min } else { cell.min_positive };
                *e = (e.0.min(least), e.1.max(cell.max));
            }
        }
        own.odd.iter().for_each(|o| odd[o.at] |= o.flags);
        let smoothed = if smooth { member.series.smooth_columns(kind, &ruler) } else { None };
        for stretch in smoothed.unwrap_or(own).stretches {
            let means = &mut lap(&mut laps, stretch.lap, width).means;
            filled(&stretch, |at, v| means[at].push(v));
        }
    }
    let mut out = Averaged::default();
    let gaps = line.members.first().map(|m| gaps(m, kind, plot)).unwrap_or_default();
    for lap in &mut laps {
        // A mark stands where there is nothing else.
        lap.means.iter().zip(&mut odd).filter(|(means, _)| !means.is_empty()).for_each(|(_, odd)| *odd = 0);
    }
    for lap in laps {
        out.add(lap, line.aggregate, plot, &gaps);
    }
    let Averaged { mut x, mut v, band: (bx, low, high) } = out;
    for (at, odd) in odd.into_iter().enumerate().filter(|(_, odd)| *odd != 0) {
        x.push(middle(plot, at));
        v.push(value_of(odd));
    }
    let band = line.band.then_some(Shape::Band { x: bx, low, high });
    Drawn { line: Shape::Line { x, y: v }, behind: None, band }
}

/// Laps told apart at most; what is more is averaged with the last.
const LAPS: usize = 64;

/// What several series have in each column between two times that their steps go back.
struct Lap {
    means: Vec<Vec<f64>>,
    edges: Vec<(f64, f64)>,
}

fn lap(laps: &mut Vec<Lap>, at: usize, width: usize) -> &mut Lap {
    let at = at.min(LAPS - 1);
    while laps.len() <= at {
        laps.push(Lap { means: vec![Vec::new(); width], edges: vec![(f64::NAN, f64::NAN); width] });
    }
    &mut laps[at]
}

/// A line of averages, with its band.
#[derive(Default)]
struct Averaged {
    x: Vec<f64>,
    v: Vec<f64>,
    band: (Vec<f64>, Vec<f64>, Vec<f64>),
}

impl Averaged {
    /// Nothing joins what was before to what is after.
    fn lift(&mut self) {
        self.x.push(f64::NAN);
        self.v.push(0.0);
        self.edge(f64::NAN, (f64::NAN, f64::NAN));
    }

    fn edge(&mut self, x: f64, (low, high): (f64, f64)) {
        self.band.0.push(x);
        self.band.1.push(low);
        self.band.2.push(high);
    }

    fn add(&mut self, lap: Lap, aggregate: Aggregate, plot: &Plot, gaps: &[(f64, f64)]) {
        let Lap { mut means, edges } = lap;
        if !self.x.is_empty() {
            self.lift();
        }
        let (mut before, mut begun) = (0, false);
        for at in 0..means.len() {
            let middle = middle(plot, at);
            let paused = gaps.iter().any(|(from, to)| *from < middle && middle < *to);
            let here = if paused { 0 } else { means[at].len() };
            if let Some(mean) = average(&mut means[at], aggregate).filter(|_| !paused) {
                if before == 0 && begun {
                    self.lift();
                } else if here != before && begun {
                    // Where one of them begins or ends, the mean jumps for no other reason.
                    self.x.push(f64::NAN);
                    self.v.push(mean);
                }
                begun = true;
                self.x.push(middle);
                self.v.push(mean);
            }
            before = here;
            if edges[at].0.is_finite() && !paused {
                self.edge(middle, edges[at]);
            }
        }
    }
}

fn middle(plot: &Plot, at: usize) -> f64 {
    plot.x.value(at as f64 / (plot.dots.max(2) - 1) as f64)
}

/// The mean of each column of a stretch, those between two cells straight from one to the other.
fn filled(stretch: &Stretch, mut give: impl FnMut(usize, f64)) {
    let mut before: Option<(usize, f64)> = None;
    for cell in &stretch.cells {
        let mean = cell.mean();
        if let Some((at, v)) = before {
            let span = (cell.at - at) as f64;
            for between in at + 1..cell.at {
                give(between, v + (mean - v) * (between - at) as f64 / span);
            }
        }
        give(cell.at, mean);
        before = Some((cell.at, mean));
    }
}

/// A value that stands for some of [`flag`].
fn value_of(flags: u8) -> f64 {
    match flags {
        f if f & flag::NAN != 0 => f64::NAN,
        f if f & flag::ABOVE != 0 => f64::INFINITY,
        _ => f64::NEG_INFINITY,
    }
}

/// Stretches of x in which the run was paused, where that shows.
fn gaps(member: &Member<'_>, kind: XKind, plot: &Plot) -> Vec<(f64, f64)> {
    let zero = match kind {
        XKind::Relative => member.data.started_us,
        XKind::Wall => 0,
        XKind::Step | XKind::Epoch => return Vec::new(),
    };
    let place = |t: i64| if t == i64::MAX { plot.x.high } else { member.common((t - zero) as f64 / 1e6) };
    member.data.pauses.iter().map(|(from, to)| (place(*from), place(*to))).collect()
}

/// The points of a line: for each column what enters it, its extremes and what leaves it, all in its middle.
fn points(columns: &Columns, plot: &Plot, scale: Scale, gaps: &[(f64, f64)]) -> Shape {
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
            let paused = left.is_some_and(|l| gaps.iter().any(|(a, b)| *a >= l && *b <= at));
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
        put(&mut x, &mut y, middle(plot, odd.at), value_of(odd.flags));
    }
    Shape::Line { x, y }
}

/// The value at `x` of the straight line between two points, as the axes draw it.
fn between(a: (f64, f64), b: (f64, f64), x: f64, across: Scale, up: Scale) -> f64 {
    let (ax, bx, cx) = (across.forward(a.0), across.forward(b.0), across.forward(x));
    let (ay, by) = (up.forward(a.1), up.forward(b.1));
    let t = if bx > ax { ((cx - ax) / (bx - ax)).clamp(0.0, 1.0) } else { 0.0 };
    let v = up.inverse(ay + (by - ay) * t);
    if v.is_nan() { b.1 } else { v }
}
