//! Zooming and panning of an axis.

use crate::widgets::Way;
use gradtop_chart::scale::{Scale, Span};

/// The factor of one zoom step.
const STEP: f64 = 1.5;
/// The share of the range that one step pans by.
const PAN: f64 = 0.2;

/// An axis and the part of it that is visible.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    pub(crate) whole: Span,
    pub(crate) shown: (f64, f64),
}

impl Axis {
    /// The visible range and the whole one, as lengths on the screen.
    fn forward(&self) -> [f64; 4] {
        let Span { scale, low, high } = self.whole;
        [self.shown.0, self.shown.1, low, high].map(|value| scale.forward(value))
    }

    /// The range after zooming around a position (0 … 1 of the range); `None` if the whole axis is visible again.
    pub(crate) fn zoom(&self, about: f64, way: Way) -> Option<(f64, f64)> {
        let scale = self.whole.scale;
        let [a, b, low, high] = self.forward();
        let inwards = way == Way::On;
        let factor = if inwards { 1.0 / STEP } else { STEP };
        let center = a + (b - a) * about.clamp(0.0, 1.0);
        let (mut from, mut to) = (center + (a - center) * factor, center + (b - center) * factor);
        if inwards && to - from <= smallest(scale, from, to) {
            return Some(self.shown);
        }
        if !inwards && to - from >= (high - low) * (1.0 - 1e-9) {
            return None;
        }
        // Zooming out never shows more empty space than data.
        if !inwards {
            if from < low && b <= high + (b - a) {
                (from, to) = (low, low + (to - from));
            } else if to > high && a >= low - (b - a) {
                (from, to) = (high - (to - from), high);
            }
        }
        values(scale, from, to)
    }

    /// The range after panning by a share of itself, within limits.
    pub(crate) fn pan(&self, by: f64) -> Option<(f64, f64)> {
        let [a, b, low, high] = self.forward();
        let shift = (b - a) * by;
        // At least half of the range contains data.
        let half = (b - a) / 2.0;
        let shift = shift.clamp((low - half - a).min(0.0), (high + half - b).max(0.0));
        values(self.whole.scale, a + shift, b + shift)
    }

    /// The range after panning by one step.
    pub(crate) fn step(&self, way: Way) -> Option<(f64, f64)> {
        self.pan(if way == Way::On { PAN } else { -PAN })
    }
}

fn values(scale: Scale, from: f64, to: f64) -> Option<(f64, f64)> {
    let (from, to) = (scale.inverse(from), scale.inverse(to));
    (from.is_finite() && to.is_finite() && from < to && scale.takes(from)).then_some((from, to))
}

/// Smaller ranges contain no two distinct floating-point numbers.
fn smallest(scale: Scale, from: f64, to: f64) -> f64 {
    let size = from.abs().max(to.abs());
    match scale {
        Scale::Linear => size * 1e-9,
        _ => size.max(1.0) * 1e-9,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn axis(scale: Scale, low: f64, high: f64) -> Axis {
        Axis { whole: Span { scale, low, high }, shown: (low, high) }
    }

    impl Axis {
        fn showing(self, low: f64, high: f64) -> Self {
            Self { shown: (low, high), ..self }
        }
    }

    fn near(a: (f64, f64), b: (f64, f64)) {
        assert!(
            (a.0 - b.0).abs() < 1e-6 * b.0.abs().max(1.0) && (a.1 - b.1).abs() < 1e-6 * b.1.abs().max(1.0),
            "{a:?} {b:?}"
        );
    }

    #[test]
    fn in_and_out_again_is_all_again() {
        let axis = axis(Scale::Linear, 0.0, 900.0);
        let once = axis.zoom(0.5, Way::On).unwrap();
        near(once, (150.0, 750.0));
        let zoomed = axis.showing(once.0, once.1);
        near(zoomed.zoom(0.0, Way::On).unwrap(), (150.0, 550.0));
        assert_eq!(zoomed.zoom(0.5, Way::Back), None);
        near(axis.showing(600.0, 900.0).zoom(0.5, Way::Back).unwrap(), (450.0, 900.0));
    }

    #[test]
    fn a_logarithmic_axis_is_zoomed_by_ratios() {
        let (low, high) = axis(Scale::Log, 1e-6, 1.0).zoom(0.5, Way::On).unwrap();
        near((low.log10(), high.log10()), (-5.0, -1.0));
    }

    #[test]
    fn panning_stops_where_there_is_nothing() {
        let start = axis(Scale::Linear, 0.0, 100.0).showing(50.0, 70.0);
        let mut axis = start;
        for _ in 0..50 {
            axis.shown = axis.step(Way::On).unwrap();
        }
        near(axis.shown, (90.0, 110.0));
        near(start.step(Way::Back).unwrap(), (46.0, 66.0));
    }

    proptest! {
        #[test]
        fn a_window_stays_a_window(
            steps in prop::collection::vec((0u8..4, 0.0f64..=1.0), 0..120),
            low in -1e6f64..1e6, length in 1e-3f64..1e9, log in any::<bool>(),
        ) {
            let whole = if log { axis(Scale::Log, 1e-9, length) } else { axis(Scale::Linear, low, low + length) };
            let mut axis = whole;
            for (what, about) in steps {
                let range = match what {
                    0 => axis.zoom(about, Way::On),
                    1 => axis.zoom(about, Way::Back),
                    2 => axis.step(Way::On),
                    _ => axis.step(Way::Back),
                };
                axis.shown = range.unwrap_or(whole.shown);
                if let Some((a, b)) = range {
                    prop_assert!(a < b && a.is_finite() && b.is_finite(), "{a} {b}");
                    prop_assert!(axis.whole.scale.takes(a));
                }
            }
        }
    }
}
