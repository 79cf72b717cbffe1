//! Determines the ranges of axes.

use gradtop_chart::domain::Domain;
use gradtop_chart::scale::{Scale, Span};
use gradtop_chart::ticks::{have_dates, round_step};
use gradtop_chart::{Axis, Chart, Mark, Points, Shape, Side};
use gradtop_host::text::clean;

use super::lines;
use super::parts::Line;
use super::view::{ChartView, SHARE, Source};
use crate::clock;
use crate::live::XAxis;

/// The most lines that a note names.
const NAMED: usize = 3;

/// Sets labels and range of an axis of metrics, and fits vertical axes to the visible data. The chart must already
/// contain everything except lines.
pub(super) fn fit(
    chart: &mut Chart,
    lines: &[&Line<'_>],
    sources: &[Source<'_>],
    kind: XAxis,
    view: &ChartView,
) {
    if view.x.is_some() {
        chart.x.unit = None;
    }
    chart.x.categories.clear();
    chart.x.seconds = kind == XAxis::Time && !view.relative;
    chart.x.whole = kind == XAxis::Step && !view.relative;
    chart.x.clock = (kind == XAxis::Clock && !view.relative).then(|| clock::zone().clone());
    if chart.x.clock.is_some() {
        chart.x.unit = clock::unit().map(str::to_owned);
    }
    let alive = sources.iter().any(|s| s.data.alive);
    chart.x.range = view.zoom_x.or_else(|| {
        let (low, high) = lines::extent(lines, chart.x.scale)?;
        let (low, high) = chart.x.seen(low, high);
        Some((low, if alive && chart.x.scale.takes(0.0) { grown(low, high) } else { high }))
    });
    let (low, high) = chart.x.range.unwrap_or((0.0, 1.0));
    if view.relative {
        SHARE.clone_into(&mut chart.x.label);
    } else if chart.x.clock.is_some() && have_dates(low, high) {
        "date".clone_into(&mut chart.x.label);
    } else if view.x.is_some() || chart.x.label.is_empty() {
        kind.name().clone_into(&mut chart.x.label);
    }
    let seen = Span { scale: chart.x.scale, low, high };
    fit_symlog(chart, lines);
    let fit = |axis: &mut Axis, side: Side| {
        let range = lines::value_range(lines, side, &seen, axis.scale, view.clip);
        axis.range = range.map(|(low, high)| rounded(axis.scale, low, high));
        axis.clipped = view.clip && view.zoom_y.is_none();
    };
    fit(&mut chart.y, Side::Left);
    if let Some(y2) = &mut chart.y2 {
        fit(y2, Side::Right);
    }
    let reaches = |mark: &Mark| {
        let points = mark.shape.points().filter(|_| chart.y2.is_none() || mark.side == Side::Left);
        points.is_some_and(|Points { y, low, high, .. }| {
            [y, low, high].into_iter().flatten().any(|v| chart.y.scale.takes(*v))
        })
    };
    if view.zoom_y.is_none() && chart.marks.iter().any(reaches) {
        // Other marks count too: all their data determines the range.
        let fitted = chart.y.range.take();
        let free = Domain::of(&Chart { x: Axis { range: None, ..chart.x.clone() }, ..chart.clone() }).y;
        chart.y.range = Some(
            fitted.map_or((free.low, free.high), |(low, high)| (low.min(free.low), high.max(free.high))),
        );
    }
    chart.y.range = view.zoom_y.or(chart.y.range);
}

/// Returns a note about lines that are partly or entirely without a position on the axis of metrics.
pub(super) fn placeless(lines: &[&Line<'_>], kind: XAxis, scale: Scale) -> Option<String> {
    let (a, word) = match kind {
        XAxis::Step => ("a", "step"),
        XAxis::Epoch => ("an", "epoch"),
        XAxis::Time | XAxis::Clock => ("a", "time"),
    };
    let shown: Vec<_> = lines.iter().filter(|l| !l.hidden).collect();
    if shown.is_empty() {
        return None;
    }
    if shown.iter().all(|l| l.members.is_empty()) {
        return Some(format!("nothing here was logged with {a} {word}"));
    }
    let who = |l: &&&&Line<'_>| match l.members.len() {
        0 => clean(&l.name),
        n => format!("{} of {} series of {}", l.absent, l.absent + n, clean(&l.name)),
    };
    let absent: Vec<_> = shown.iter().filter(|l| l.absent > 0).collect();
    match absent[..] {
        [] => {}
        [one] if one.absent == 1 || one.members.is_empty() => {
            return Some(format!("{} was logged without {a} {word} and is left out", who(&one)));
        }
        _ => {
            let all = || absent.iter().copied().map(|l| who(&l)).collect::<Vec<_>>().join(", ");
            let who = if absent.len() > NAMED { format!("series of {} lines", absent.len()) } else { all() };
            return Some(format!("{who} were logged without {a} {word} and are left out"));
        }
    }
    if scale.takes(0.0) {
        return None;
    }
    if !shown.iter().any(|l| l.extent(scale).is_some()) {
        return Some(format!("nothing here has a {word} above 0, as a logarithmic axis needs"));
    }
    let (low, _) = lines::extent(lines, Scale::Linear)?;
    (low <= 0.0).then(|| format!("{word} 0 or less is not on the log axis"))
}

/// Returns a note about what has no position on logarithmic axes, among marks that consist of cells or have their own x. Other
/// values have a mark at the axis.
pub(super) fn off_log(chart: &Chart) -> Option<String> {
    let shapes = || chart.marks.iter().map(|mark| &mark.shape);
    let fields = || shapes().filter_map(Shape::field);
    let points = shapes().filter_map(Shape::points).flat_map(|points| points.x);
    let off = |what: &str, scale: Scale, values: Vec<f64>| {
        let off = values.iter().filter(|v| v.is_finite() && !scale.takes(**v)).count();
        (off > 0).then(|| format!("{what} at 0 or less are not on the log axis: {off} of {}", values.len()))
    };
    let of = [
        off("points", chart.x.scale, points.copied().collect()),
        off("columns", chart.x.scale, fields().flat_map(|field| &field.x).copied().collect()),
        off("rows", chart.y.scale, fields().flat_map(|field| &field.y).copied().collect()),
    ];
    let said: Vec<String> = of.into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// Sets the linear range of symlog axes to fit the data.
pub(super) fn fit_symlog(chart: &mut Chart, lines: &[&Line<'_>]) {
    let fitted = |side: Option<Side>| {
        let marks = chart.marks.iter().filter(|m| side.is_none_or(|s| m.side == s));
        let of_marks =
            marks.filter_map(|m| m.shape.points()).flat_map(|Points { x, y, low, high, .. }| {
                if side.is_some() { [y, low, high].concat() } else { x.to_vec() }
            });
        let of_lines = match side {
            Some(side) => lines::values(lines, side),
            None => {
                lines::extent(lines, Scale::Linear).map(|(low, high)| vec![low, high]).unwrap_or_default()
            }
        };
        Scale::symlog_for(of_marks.chain(of_lines))
    };
    let is_symlog = |axis: &Axis| matches!(axis.scale, Scale::Symlog { .. });
    let x = is_symlog(&chart.x).then(|| fitted(None));
    let y = is_symlog(&chart.y).then(|| fitted(Some(Side::Left)));
    let y2 = chart.y2.as_ref().filter(|a| is_symlog(a)).map(|_| fitted(Some(Side::Right)));
    let axes = [(Some(&mut chart.x), x), (Some(&mut chart.y), y), (chart.y2.as_mut(), y2)];
    for (axis, scale) in axes {
        if let (Some(axis), Some(scale)) = (axis, scale) {
            axis.scale = scale;
        }
    }
}

/// Returns the end of an axis that grows in jumps: the first of 1.25, 1.25², … units beyond `low` that is not below `high`.
fn grown(low: f64, high: f64) -> f64 {
    let length = high - low;
    if length <= 0.0 || !length.is_finite() {
        return high;
    }
    let jumps = (length.ln() / 1.25f64.ln() - 1e-9).ceil();
    low + 1.25f64.powf(jumps).max(length)
}

/// Rounds the ends of a range, so that it does not change with every sample.
fn rounded(scale: Scale, low: f64, high: f64) -> (f64, f64) {
    match scale {
        Scale::Log | Scale::Log2 => {
            let part = |v: f64, up: bool| {
                let t = v.log10() * 4.0;
                10f64.powf((if up { (t - 1e-9).ceil() } else { (t + 1e-9).floor() }) / 4.0)
            };
            (part(low, false).max(f64::MIN_POSITIVE), part(high, true))
        }
        Scale::Symlog { .. } => (low, high),
        Scale::Linear => {
            let length = high / 2.0 - low / 2.0;
            if length <= 0.0 || !length.is_finite() {
                return (low, high);
            }
            let step = round_step(length / 5.0);
            let (a, b) = ((low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step);
            if a.is_finite() && b.is_finite() && step > 0.0 { (a, b) } else { (low, high) }
        }
    }
}
