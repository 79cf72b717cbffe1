//! Determines the ranges of axes from data.

use super::scale::{Scale, Span, finite_range};
use super::ticks::Tick;
use super::{Axis, Chart, Shape, Side};

/// The ranges of a chart's axes.
#[derive(Clone, Copy, Debug)]
pub struct Domain {
    /// Horizontal.
    pub x: Span,
    /// Left.
    pub y: Span,
    /// Right, if the chart has that axis.
    pub y2: Option<Span>,
}

/// Which axes of a chart have information to show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KnownAxes {
    /// Whether the horizontal axis does.
    pub x: bool,
    /// The only position on it at which anything is drawn, if there is just one.
    pub only_x: Option<f64>,
    /// Whether the left axis does.
    pub y: bool,
    /// Whether the right axis does.
    pub y2: bool,
}

impl Domain {
    /// Returns the vertical span of a side.
    pub fn vertical(&self, side: Side) -> &Span {
        match (&self.y2, side) {
            (Some(y2), Side::Right) => y2,
            _ => &self.y,
        }
    }

    /// Returns which axes have information to show: something has a position on them, or their range is given.
    pub fn known(chart: &Chart) -> KnownAxes {
        let across = chart.x.range.or_else(|| extent_x(chart));
        let up = |axis: &Axis, side: Side| {
            let mut marks = chart.marks.iter().filter(|m| chart.y2.is_none() || m.side == side);
            axis.range.is_some() || marks.any(|m| m.shape.extent_y(axis.scale).is_some())
        };
        KnownAxes {
            x: across.is_some(),
            only_x: across.filter(|(low, high)| low == high).map(|(low, _)| low),
            y: up(&chart.y, Side::Left),
            y2: chart.y2.as_ref().is_some_and(|axis| up(axis, Side::Right)),
        }
    }

    /// Returns ranges that contain every drawable value of the chart.
    pub fn of(chart: &Chart) -> Self {
        let has = |of: fn(&Shape) -> bool| chart.marks.iter().any(|m| of(&m.shape));
        let points = has(|shape| matches!(shape, Shape::Scatter { .. }));
        let loose = points || has(|shape| matches!(shape, Shape::Bars { .. }));
        let loose = if loose { 0.03 } else { 0.0 };
        // The data is looked at only for an axis without a range of its own.
        let ranged = |axis: &Axis, free: &dyn Fn() -> Span| {
            let range = axis.range.filter(|(low, high)| axis.scale.takes(*low) && axis.scale.takes(*high));
            let fixed = |(low, high): (f64, f64)| (low.min(high), low.max(high));
            range.map_or_else(free, |range| span(axis.scale, std::iter::once(fixed(range)), 0.0))
        };
        let across = || {
            if points && !chart.x.categories.is_empty() {
                // Points of a category are in the centre of its range, not on the chart's edge.
                return Span { scale: Scale::Linear, low: -0.5, high: chart.x.categories.len() as f64 - 0.5 };
            }
            let range = extent_x(chart).map(|(low, high)| chart.x.seen(low, high));
            span(chart.x.scale, range.into_iter(), loose)
        };
        let up = |axis: &Axis, side: Side| {
            let marks = chart.marks.iter().filter(|m| chart.y2.is_none() || m.side == side);
            let tight = has(|shape| matches!(shape, Shape::Heatmap(_) | Shape::Image(_)));
            span(
                axis.scale,
                marks.filter_map(|m| m.shape.extent_y(axis.scale)),
                if tight { 0.0 } else { 0.04 },
            )
        };
        Self {
            x: ranged(&chart.x, &across),
            y: ranged(&chart.y, &|| up(&chart.y, Side::Left)),
            y2: chart.y2.as_ref().map(|axis| ranged(axis, &|| up(axis, Side::Right))),
        }
    }
}

/// Returns the range of everything with a horizontal position.
fn extent_x(chart: &Chart) -> Option<(f64, f64)> {
    let extents = chart.marks.iter().filter_map(|m| m.shape.extent_x(chart.x.scale));
    finite_range(extents.flat_map(|(low, high)| [low, high]))
}

impl KnownAxes {
    /// Returns the ticks of the horizontal axis for which there is information.
    pub(crate) fn across(&self, axis: &Axis, ticks: Vec<Tick>) -> Vec<Tick> {
        match self.only_x.filter(|_| axis.categories.is_empty() && axis.clock.is_none()) {
            _ if !self.x => Vec::new(),
            Some(x) => vec![if axis.seconds { Tick::of_seconds(x) } else { Tick::of(x) }],
            None => ticks,
        }
    }
}

impl Axis {
    /// Returns the visible range of an axis with values from `low` to `high`. Time begins at zero if it is near. For times
    /// of day within a millisecond, which are not told apart, one second.
    pub fn seen(&self, low: f64, high: f64) -> (f64, f64) {
        if self.seconds && self.scale.takes(0.0) && 0.0 < low && low < high / 10.0 {
            return (0.0, high);
        }
        (low, if self.clock.is_some() && high - low < 1e-3 { low + 1.0 } else { high })
    }
}

/// Returns a non-empty span over all extents, widened by a fraction of its length on each side.
fn span(scale: Scale, extents: impl Iterator<Item = (f64, f64)>, margin: f64) -> Span {
    let range = finite_range(extents.flat_map(|(low, high)| [low, high]));
    let (low, high) = range.unwrap_or(if scale.takes(0.0) { (0.0, 1.0) } else { (0.1, 1.0) });
    let (mut a, mut b) = (scale.forward(low), scale.forward(high));
    if b - a <= f64::EPSILON * 16.0 * a.abs().max(b.abs()).max(f64::MIN_POSITIVE) {
        // Half of it on each side: a constant is in the middle of a readable axis, whatever its size.
        (a, b) = match scale {
            Scale::Linear if low == 0.0 => (0.0, 1.0),
            Scale::Linear => {
                let room = (low.abs() / 2.0).max(f64::from_bits(1));
                (a - room, b + room)
            }
            Scale::Log | Scale::Log2 | Scale::Symlog { .. } => (a - 0.5, b + 0.5),
        };
    }
    // A range that starts at zero keeps zero as its end, so that no axis begins at -3 steps.
    let room = (b / 2.0 - a / 2.0) * (margin * 2.0);
    let from_zero = low >= 0.0 && scale.takes(0.0);
    let bottom = if from_zero && a - room < 0.0 && a >= 0.0 { 0.0f64.min(a) } else { a - room };
    let top = if b <= 0.0 && scale.takes(0.0) && b + room > 0.0 { 0.0 } else { b + room };
    // Stay within the range of doubles, and avoid a zero whose logarithm is infinite.
    let least = if scale.takes(0.0) { f64::MIN } else { f64::MIN_POSITIVE };
    Span { scale, low: scale.inverse(bottom).max(least), high: scale.inverse(top).min(f64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mark, Paint};

    #[test]
    fn the_one_place_on_an_axis_is_told_whole() {
        let known = KnownAxes { x: true, only_x: Some(123_456_789.0), y: true, y2: false };
        assert_eq!(known.across(&Axis::default(), Vec::new())[0].label, "123456789");
    }

    #[test]
    fn only_times_of_day_within_a_millisecond_are_not_told_apart() {
        let axis = |seconds| Axis { seconds, ..Axis::default() };
        assert_eq!(axis(true).seen(0.0, 4.9e-5), (0.0, 4.9e-5));
        assert_eq!(axis(true).seen(0.0, 0.5), (0.0, 0.5));
        assert_eq!(axis(false).seen(0.0, 4.9e-5), (0.0, 4.9e-5));
        let clock = Axis { clock: Some(jiff::tz::TimeZone::UTC), ..Axis::default() };
        assert_eq!(clock.seen(1.7e9, 1.7e9), (1.7e9, 1.7e9 + 1.0));
    }

    #[test]
    fn an_axis_of_time_begins_at_its_zero_if_that_is_near() {
        let axis = |scale| Axis { seconds: true, scale, ..Axis::default() };
        assert_eq!(axis(Scale::Linear).seen(1.3, 60.0), (0.0, 60.0));
        assert_eq!(axis(Scale::Linear).seen(30.0, 60.0), (30.0, 60.0));
        assert_eq!(axis(Scale::Log).seen(1.3, 60.0), (1.3, 60.0));
        assert_eq!(Axis::default().seen(1.0, 60.0), (1.0, 60.0));
    }

    #[test]
    fn of_an_axis_only_the_one_place_is_told_at_which_all_stands() {
        let told = |x: &[f64]| {
            let shape = Shape::Line { x: x.to_vec(), y: vec![0.5; x.len()] };
            let marks = vec![Mark::new((Paint::Slot(0), 0), shape)];
            let chart = Chart { marks, ..Chart::default() };
            let ticks = crate::ticks::ticks(&Domain::of(&chart).x, 5, crate::ticks::Powers::Plain);
            let told = Domain::known(&chart).across(&chart.x, ticks);
            told.into_iter().map(|tick| tick.label).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told(&[0.0]), "0");
        assert_eq!(told(&[2440.0, 2440.0]), "2440");
        assert_eq!(told(&[0.0, 10.0]), "0 2 4 6 8 10");
        assert_eq!(told(&[]), "");
    }
}
